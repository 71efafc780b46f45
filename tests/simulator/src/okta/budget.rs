//! The org's rate limits: a bucket per path, and half of it per token or app.

use std::time::Duration;

use axum::http::{HeaderMap, HeaderName, Method};
use chrono::{DateTime, Utc};

use crate::limits::{Budget, RateWindows};

const MINUTE: Duration = Duration::from_secs(60);

/// The bucket of a call and how many requests a minute the org has in it, as last published.
pub(super) fn bucket(method: &Method, path: &str) -> (&'static str, u64) {
    let mut parts = path.trim_start_matches('/').split('/').skip(2);
    let (kind, id, more) = (parts.next(), parts.next(), parts.next());
    match (kind, id, more) {
        _ if path.starts_with("/oauth2/v1/token") => ("/oauth2/v1/token", 2_000),
        (Some("devices"), ..) => ("/api/v1/devices", 100),
        (Some("logs"), ..) => ("/api/v1/logs", 120),
        (Some("apps"), Some(_), None) => ("/api/v1/apps/{id}", 500),
        (Some("apps"), ..) => ("/api/v1/apps", 100),
        (Some("groups"), None, _) => ("/api/v1/groups", 500),
        (Some("groups"), ..) => ("/api/v1/groups/{id}", 1_000),
        (Some("users"), Some(_), None) if method == Method::GET => ("/api/v1/users/{id}", 2_000),
        (Some("users"), ..) => ("/api/v1/users", 600),
        _ => ("/api/v1", 1_200),
    }
}

/// Counts a call against the org's bucket and the caller's half of it; the tighter one is shown.
pub(super) fn spend(windows: &RateWindows, principal: &str, method: &Method, path: &str) -> Budget {
    let (bucket, limit) = bucket(method, path);
    let own = windows.take(&format!("okta {principal} {bucket}"), limit / 2, MINUTE);
    if own.exceeded {
        return own;
    }
    let org = windows.take(&format!("okta {bucket}"), limit, MINUTE);
    if org.exceeded || org.remaining < own.remaining {
        org
    } else {
        own
    }
}

/// The headers that tell the caller about its budget; the reset is on the server's own clock.
pub(super) fn show(headers: &mut HeaderMap, budget: Budget, now: DateTime<Utc>) {
    let reset = now.timestamp() + i64::try_from(budget.reset_in).unwrap_or(60);
    headers.insert(
        HeaderName::from_static("x-rate-limit-limit"),
        budget.limit.into(),
    );
    headers.insert(
        HeaderName::from_static("x-rate-limit-remaining"),
        budget.remaining.into(),
    );
    headers.insert(HeaderName::from_static("x-rate-limit-reset"), reset.into());
}
