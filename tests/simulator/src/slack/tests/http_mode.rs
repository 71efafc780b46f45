//! HTTP mode: what arrives at the app's URLs.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::routing::post;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::{Served, served};
use crate::slack::{HttpEndpoints, InteractionError, sign};

/// Requests that arrived, and what to answer: status and body.
#[derive(Clone)]
struct Endpoint {
    seen: Arc<Mutex<Vec<(HeaderMap, String)>>>,
    answer: (u16, &'static str),
}

async fn receive(
    State(endpoint): State<Endpoint>,
    headers: HeaderMap,
    body: String,
) -> (axum::http::StatusCode, &'static str) {
    endpoint.seen.lock().unwrap().push((headers, body));
    (endpoint.answer.0.try_into().unwrap(), endpoint.answer.1)
}

async fn listening(world: &Served, status: u16, answer: &'static str) -> Endpoint {
    let endpoint = Endpoint {
        seen: Arc::default(),
        answer: (status, answer),
    };
    let app = Router::new()
        .route("/slack", post(receive))
        .with_state(endpoint.clone());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/slack", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await });
    world.slack.use_http(Some(HttpEndpoints {
        interactions: url.clone(),
        commands: url.clone(),
        events: url,
    }));
    endpoint
}

#[tokio::test]
async fn requests_are_signed_over_time_and_body() {
    let world = served().await;
    let endpoint = listening(&world, 200, "").await;
    let ts = world.post_card().await;
    let outcome = world
        .slack
        .click(&world.ann, &world.channel, &ts, "p.approve")
        .await
        .unwrap();
    let seen = endpoint.seen.lock().unwrap();
    let (headers, body) = &seen[0];
    let time: i64 = headers["X-Slack-Request-Timestamp"]
        .to_str()
        .unwrap()
        .parse()
        .unwrap();
    assert_eq!(time, 1_795_420_000);
    assert_eq!(
        headers["X-Slack-Signature"],
        sign("simulated-signing-secret", time, body.as_bytes())
    );
    let fields: Vec<_> = url::form_urlencoded::parse(body.as_bytes()).collect();
    assert_eq!(fields[0].0, "payload");
    assert_eq!(
        serde_json::from_str::<Value>(&fields[0].1).unwrap(),
        outcome.interaction.payload
    );
}

#[test]
fn the_signature_depends_on_secret_time_and_body() {
    let signature = sign("secret", 1, b"body");
    assert!(signature.starts_with("v0=") && signature.len() == 67);
    for other in [
        sign("other", 1, b"body"),
        sign("secret", 2, b"body"),
        sign("secret", 1, b"bodY"),
    ] {
        assert_ne!(signature, other);
    }
}

#[tokio::test]
async fn a_command_shows_the_answers_body_even_if_it_is_an_empty_object() {
    let world = served().await;
    for (answer, shown) in [
        ("", None),
        ("{}", Some("{}")),
        ("plain", Some("plain")),
        (r#"{"text":"hi"}"#, Some("hi")),
    ] {
        let endpoint = listening(&world, 200, answer).await;
        let outcome = world
            .slack
            .slash(&world.ann, &world.channel, "/unstuck")
            .await
            .unwrap();
        assert_eq!(outcome.reply.map(|reply| reply.text).as_deref(), shown);
        assert!(
            endpoint.seen.lock().unwrap()[0]
                .1
                .contains("command=%2Funstuck")
        );
    }
}

#[tokio::test]
async fn failing_events_are_tried_again_and_clicks_are_not() {
    let world = served().await;
    let endpoint = listening(&world, 500, "").await;
    let ts = world.post_card().await;
    let click = world
        .slack
        .click(&world.ann, &world.channel, &ts, "p.approve")
        .await;
    assert_eq!(click, Err(InteractionError::Failed("HTTP 500".into())));
    assert_eq!(endpoint.seen.lock().unwrap().len(), 1);
    let event = world
        .slack
        .deliver_event(json!({"type": "app_home_opened"}))
        .await;
    assert!(event.is_err());
    let seen = endpoint.seen.lock().unwrap();
    assert_eq!(seen.len(), 5);
    assert_eq!(seen[4].0["X-Slack-Retry-Num"], "3");
}
