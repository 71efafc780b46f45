//! Graph's request budgets per app ("Microsoft Graph service-specific throttling limits"), in windows
//! of real time. Intune often leaves `Retry-After` out, and its broker hides throttling in a 500.

use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::{Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::Api;
use super::answer::Refusal;

/// Refuses what is over the budget.
pub(super) async fn limit(State(api): State<Api>, request: Request, next: Next) -> Response {
    let path = request.uri().path();
    let intune = path.contains("/deviceManagement/");
    if intune && api.broker_fails() {
        return Refusal::intune(
            StatusCode::INTERNAL_SERVER_ERROR,
            "InternalServerError",
            "Rate limit reached because of too many requests to query broker. Please retry after \
             sometime.",
        )
        .into_response();
    }
    if intune && let Some(refused) = api.over_budget(path, request.method()) {
        return refused;
    }
    next.run(request).await
}

impl Api {
    fn broker_fails(&self) -> bool {
        self.app.world.with(|state| {
            let left = &mut state.mdm.intune.broker_errors;
            let fails = *left > 0;
            *left = left.saturating_sub(1);
            fails
        })
    }

    fn over_budget(&self, path: &str, method: &Method) -> Option<Response> {
        if self.app.faults.rate_limits_lifted() {
            return None;
        }
        let writes = !matches!(*method, Method::GET | Method::HEAD);
        let area = match path {
            path if path.contains("/exportJobs") => "export",
            path if path.contains("/deviceConfiguration") => "configuration",
            _ => "devices",
        };
        let (any, write, seconds) = match area {
            "export" => (48, 48, 60),
            "configuration" => (1000, 100, 20),
            _ => (2000, 200, 20),
        };
        let window = Duration::from_secs(seconds);
        let mut budgets = vec![self.app.limits.take(&format!("graph.{area}"), any, window)];
        if writes {
            let key = format!("graph.{area}.write");
            budgets.push(self.app.limits.take(&key, write, window));
        }
        let over = budgets.into_iter().find(|budget| budget.exceeded)?;
        let mut response = Refusal::new(
            StatusCode::TOO_MANY_REQUESTS,
            "TooManyRequests",
            "Too many requests.",
        )
        .into_response();
        // The configuration service is the one that leaves the header out here.
        if area != "configuration" {
            response
                .headers_mut()
                .insert("retry-after", over.reset_in.into());
        }
        Some(response)
    }
}
