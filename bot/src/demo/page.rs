//! The page on loopback: its files, one document of state, one stream of changes, and what a visitor can do.

mod acts;
mod state;

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::{
    Json, Router,
    extract::{Path, Query, Request, State},
    http::{HeaderValue, StatusCode, header},
    middleware::{self, Next},
    response::{
        IntoResponse, Response,
        sse::{Event, KeepAlive, Sse},
    },
    routing::{get, post},
};
use futures_util::{Stream, stream};
use serde::Deserialize;
use serde_json::json;
use tokio::sync::{broadcast::error::RecvError, watch};
use tokio_util::sync::CancellationToken;

use super::{Demo, funnel, timeline};

/// Changes that come close together are told once.
const TOGETHER: Duration = Duration::from_millis(120);
/// How often the clock is told.
const CLOCK_EVERY: Duration = Duration::from_secs(1);
/// Nothing from elsewhere is loaded, nothing is run but the page's own script.
const CONTENT_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; \
     base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The page's own files, in the binary; a debug build reads them from the source.
#[derive(rust_embed::Embed)]
#[folder = "assets/demo"]
struct Assets;

/// What every handler gets.
#[derive(Clone)]
struct Page {
    demo: Arc<Demo>,
    /// Counts changes of anything that is drawn.
    changes: watch::Sender<u64>,
    stop: CancellationToken,
}

/// Serves until `stop`.
pub(super) async fn serve(
    demo: Arc<Demo>,
    listener: tokio::net::TcpListener,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let page = Page {
        demo,
        changes: watch::Sender::default(),
        stop: stop.clone(),
    };
    let noticing = tokio::spawn(notice(page.clone()));
    let router = Router::new()
        .route("/", get(|| file(Path("index.html".into()))))
        .route("/{file}", get(file))
        .route("/api/state", get(state::state))
        .route("/api/events", get(events))
        .route("/api/stuck", get(stuck))
        .route("/api/device", get(device))
        .route("/api/click", post(acts::click))
        .route("/api/submit", post(acts::submit))
        .route("/api/close", post(acts::close))
        .route("/api/say", post(acts::say))
        .route("/api/sign-in", post(acts::sign_in))
        .route("/api/time", post(acts::time))
        .route("/api/break", post(acts::break_something))
        .layer(middleware::from_fn(only_loopback))
        .with_state(page);
    let served = axum::serve(listener, router)
        .with_graceful_shutdown(stop.cancelled_owned())
        .await;
    noticing.abort();
    Ok(served?)
}

async fn file(Path(name): Path<String>) -> Response {
    let Some(file) = Assets::get(&name) else {
        return refuse(StatusCode::NOT_FOUND, "no such file");
    };
    let kind = match name.rsplit_once('.') {
        Some((_, "html")) => "text/html; charset=utf-8",
        Some((_, "css")) => "text/css; charset=utf-8",
        Some((_, "js")) => "text/javascript; charset=utf-8",
        _ => "application/octet-stream",
    };
    (
        [
            (header::CONTENT_TYPE, kind),
            (header::CACHE_CONTROL, "no-cache"),
        ],
        file.data,
    )
        .into_response()
}

/// Refuses what another site's page could send here under another name, and sets the headers of every answer.
async fn only_loopback(request: Request, next: Next) -> Response {
    let host = request
        .headers()
        .get(header::HOST)
        .and_then(|host| host.to_str().ok())
        .unwrap_or_default();
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    if !matches!(name, "127.0.0.1" | "localhost") {
        return (StatusCode::FORBIDDEN, "this page answers on 127.0.0.1 only").into_response();
    }
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(CONTENT_POLICY),
    );
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    headers.insert(
        header::REFERRER_POLICY,
        HeaderValue::from_static("no-referrer"),
    );
    response
}

/// Counts changes of Slack, of the store and of the story.
async fn notice(page: Page) {
    let mut slack = page.demo.simulator.slack().subscribe();
    let mut picture = page.demo.picture.subscribe();
    let mut story = page.demo.story.subscribe();
    loop {
        tokio::select! {
            changed = slack.recv() => if matches!(changed, Err(RecvError::Closed)) { return },
            changed = picture.changed() => if changed.is_err() { return },
            changed = story.changed() => if changed.is_err() { return },
            () = page.stop.cancelled() => return,
        }
        page.changes.send_modify(|count| *count += 1);
    }
}

/// `change` when anything is to be drawn anew, `clock` every second.
async fn events(State(page): State<Page>) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let changes = page.changes.subscribe();
    let events = stream::unfold(
        (page, changes, true),
        |(page, mut changes, first)| async move {
            let changed = if first {
                true
            } else {
                tokio::select! {
                    changed = changes.changed() => {
                        changed.ok()?;
                        tokio::time::sleep(TOGETHER).await;
                        changes.mark_unchanged();
                        true
                    }
                    () = tokio::time::sleep(CLOCK_EVERY) => false,
                    () = page.stop.cancelled() => return None,
                }
            };
            let event = if changed {
                // A browser drops an event without data.
                Event::default().event("change").data("look")
            } else {
                let clock = serde_json::to_string(&page.demo.time.shown()).unwrap_or_default();
                Event::default().event("clock").data(clock)
            };
            Some((Ok(event), (page, changes, false)))
        },
    );
    Sse::new(events).keep_alive(KeepAlive::default())
}

#[derive(Deserialize)]
struct AtBar {
    bar: String,
}

async fn stuck(State(page): State<Page>, Query(at): Query<AtBar>) -> Response {
    let picture = page.demo.picture.borrow().clone();
    Json(funnel::stuck_at(&picture, &at.bar)).into_response()
}

#[derive(Deserialize)]
struct OfDevice {
    key: String,
}

async fn device(State(page): State<Page>, Query(of): Query<OfDevice>) -> Response {
    let demo = &page.demo;
    let picture = demo.picture.borrow().clone();
    match timeline::timeline(&demo.store, &demo.simulator, &picture, &of.key).await {
        Ok(Some(timeline)) => Json(timeline).into_response(),
        Ok(None) => refuse(StatusCode::NOT_FOUND, "no such device"),
        Err(error) => refuse(StatusCode::INTERNAL_SERVER_ERROR, &format!("{error:#}")),
    }
}

/// An answer that says why not.
fn refuse(status: StatusCode, why: &str) -> Response {
    (status, Json(json!({ "error": why }))).into_response()
}
