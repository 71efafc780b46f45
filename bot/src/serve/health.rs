//! `/healthz`, `/metrics` and a start page. Nothing here changes state.

use std::{fmt::Write, sync::Arc};

use axum::{
    Json, Router,
    extract::State,
    http::{StatusCode, header},
    response::{Html, IntoResponse, Response},
    routing::get,
};
use chrono::TimeDelta;
use serde::Serialize;

use super::Server;

/// Without a complete sweep for so long, something is wrong.
const NO_SWEEP_FOR: TimeDelta = TimeDelta::hours(26);
/// A message that waits for so long is stuck.
const OUTBOX_FOR: TimeDelta = TimeDelta::minutes(15);

pub(super) fn router(server: Arc<Server>) -> Router {
    Router::new()
        .route("/healthz", get(healthz))
        .route("/metrics", get(metrics))
        .with_state(server)
}

#[derive(Serialize)]
struct Health {
    ok: bool,
    problems: Vec<String>,
}

/// 200 while the bot can do its work, else 503 with what is wrong.
async fn healthz(State(server): State<Arc<Server>>) -> Response {
    let problems = problems(&server)
        .await
        .unwrap_or_else(|error| vec![format!("the database does not answer: {error:#}")]);
    let status = if problems.is_empty() {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    (
        status,
        Json(Health {
            ok: problems.is_empty(),
            problems,
        }),
    )
        .into_response()
}

async fn problems(server: &Server) -> anyhow::Result<Vec<String>> {
    let now = server.clock.now();
    let mut problems = Vec::new();
    let in_a_row = server.store.incomplete_in_a_row().await?;
    if in_a_row >= 2 {
        problems.push(format!("{in_a_row} incomplete sweeps in a row"));
    }
    if !server.settings.schedule.is_empty()
        && let Some(last) = server.store.last_complete_sweep().await?
        && now - last.started_at > NO_SWEEP_FOR
    {
        problems.push(format!(
            "no complete sweep since {}",
            last.started_at.to_rfc3339()
        ));
    }
    if server.chatting.is_some()
        && let Some(due) = server.store.next_message_due().await?
        && now - due > OUTBOX_FOR
    {
        problems.push(format!(
            "a message to Slack waits since {}",
            due.to_rfc3339()
        ));
    }
    Ok(problems)
}

/// Numbers in Prometheus' text format.
async fn metrics(State(server): State<Arc<Server>>) -> Response {
    match write_metrics(&server).await {
        Ok(text) => ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text).into_response(),
        Err(error) => (StatusCode::SERVICE_UNAVAILABLE, Html(format!("{error:#}"))).into_response(),
    }
}

async fn write_metrics(server: &Server) -> anyhow::Result<String> {
    let mut text = String::new();
    if let Some(last) = server.store.last_sweep().await? {
        writeln!(
            text,
            "# HELP unstuck_last_sweep_complete Whether the last sweep saw every source."
        )?;
        writeln!(
            text,
            "# TYPE unstuck_last_sweep_complete gauge\nunstuck_last_sweep_complete {}",
            u8::from(last.complete)
        )?;
        if let Some(counts) = last.counts.as_object() {
            writeln!(
                text,
                "# HELP unstuck_device_users Device-users of the last sweep.\n# TYPE unstuck_device_users gauge"
            )?;
            for (name, value) in counts {
                writeln!(text, "unstuck_device_users{{state=\"{name}\"}} {value}")?;
            }
        }
    }
    let undecided = server.store.undecided_proposals().await?.len();
    let repairs = server.store.open_repairs().await?.len();
    writeln!(
        text,
        "# HELP unstuck_undecided_proposals Proposals that wait for a decision."
    )?;
    writeln!(
        text,
        "# TYPE unstuck_undecided_proposals gauge\nunstuck_undecided_proposals {undecided}"
    )?;
    writeln!(
        text,
        "# HELP unstuck_open_repairs Repairs that have not ended."
    )?;
    writeln!(
        text,
        "# TYPE unstuck_open_repairs gauge\nunstuck_open_repairs {repairs}"
    )?;
    writeln!(
        text,
        "# HELP unstuck_api_requests_total HTTP requests since this process began."
    )?;
    writeln!(text, "# TYPE unstuck_api_requests_total counter")?;
    for (source, api) in crate::sweep::usage(&server.sweeper.observer) {
        writeln!(
            text,
            "unstuck_api_requests_total{{source=\"{source}\"}} {}",
            api.requests
        )?;
        writeln!(
            text,
            "unstuck_api_throttled_total{{source=\"{source}\"}} {}",
            api.throttled
        )?;
    }
    Ok(text)
}
