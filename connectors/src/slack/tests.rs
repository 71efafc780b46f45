//! One test per answer that callers treat differently, and the payloads that Slack is known to send.

use std::collections::BTreeMap;

use chrono::DateTime;
use secrecy::SecretString;
use serde_json::{Value, json};
use wiremock::matchers::{body_partial_json, header, method, path, query_param};
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::*;

async fn slack() -> (MockServer, SlackClient) {
    crate::http::install_crypto_provider();
    let server = MockServer::start().await;
    let config = SlackConfig {
        api_url: format!("{}/api", server.uri()).parse().unwrap(),
        bot_token: SecretString::from("xoxb-test"),
        app_token: None,
    };
    (server, SlackClient::new(&config).unwrap())
}

async fn answer(server: &MockServer, name: &str, body: Value) {
    Mock::given(path(format!("/api/{name}")))
        .respond_with(ResponseTemplate::new(200).set_body_json(body))
        .mount(server)
        .await;
}

fn message() -> ChatMessage {
    ChatMessage {
        text: "2 Macs".into(),
        key: "card:P-1".into(),
        ..ChatMessage::default()
    }
}

#[test]
fn plain_http_is_for_loopback_only() {
    crate::http::install_crypto_provider();
    let config = |url: &str| SlackConfig {
        api_url: url.parse().unwrap(),
        bot_token: SecretString::from("xoxb-test"),
        app_token: None,
    };
    assert!(SlackClient::new(&config("http://127.0.0.1:9/api")).is_ok());
    assert!(SlackClient::new(&config("https://slack.com/api")).is_ok());
    assert!(matches!(
        SlackClient::new(&config("http://slack.com/api")),
        Err(SlackConfigError::PlainHttp { .. })
    ));
}

#[tokio::test]
async fn a_post_carries_token_and_key_and_returns_its_place() {
    let (server, slack) = slack().await;
    Mock::given(method("POST"))
        .and(path("/api/chat.postMessage"))
        .and(header("authorization", "Bearer xoxb-test"))
        .and(body_partial_json(json!({
            "channel": "C1", "metadata": {"event_payload": {"key": "card:P-1"}}, "unfurl_links": false
        })))
        .respond_with(ResponseTemplate::new(200).set_body_json(
            json!({"ok": true, "channel": "C1", "ts": "1.2", "message": {"ts": "1.2"}}),
        ))
        .mount(&server)
        .await;
    let posted = slack.post("C1", &message()).await.unwrap();
    assert_eq!(posted.ts, "1.2");
    assert_eq!(slack.usage().requests, 1);
}

#[tokio::test]
async fn codes_become_kinds_that_say_what_to_do() {
    let cases = [
        ("invalid_blocks", "permanent"),
        ("message_not_found", "permanent"),
        ("token_revoked", "denied"),
        ("not_in_channel", "denied"),
        ("service_unavailable", "transient"),
        ("fatal_error", "unclear"),
    ];
    for (code, kind) in cases {
        let (server, slack) = slack().await;
        answer(
            &server,
            "chat.postMessage",
            json!({"ok": false, "error": code}),
        )
        .await;
        let error = slack.post("C1", &message()).await.unwrap_err();
        let found = match error.kind {
            ChatErrorKind::Permanent { .. } => "permanent",
            ChatErrorKind::Denied { .. } => "denied",
            ChatErrorKind::Transient { .. } => "transient",
            ChatErrorKind::RateLimited { .. } => "limited",
            ChatErrorKind::Unclear { .. } => "unclear",
        };
        assert_eq!(found, kind, "{code}");
    }
}

#[tokio::test]
async fn an_answer_429_names_the_wait_and_is_counted() {
    let (server, slack) = slack().await;
    Mock::given(path("/api/chat.update"))
        .respond_with(
            ResponseTemplate::new(429)
                .insert_header("retry-after", "7")
                .set_body_json(json!({"ok": false, "error": "ratelimited"})),
        )
        .mount(&server)
        .await;
    let at = Posted {
        channel: "C1".into(),
        ts: "1.2".into(),
    };
    let error = slack.update(&at, &message()).await.unwrap_err();
    assert_eq!(
        error.kind,
        ChatErrorKind::RateLimited {
            retry_after: Duration::from_secs(7)
        }
    );
    assert_eq!(slack.usage().throttled, 1);
}

#[tokio::test]
async fn a_server_error_after_a_post_is_unclear_and_a_refused_connection_is_not() {
    let (server, slack) = slack().await;
    Mock::given(path("/api/chat.postMessage"))
        .respond_with(ResponseTemplate::new(502))
        .mount(&server)
        .await;
    let error = slack.post("C1", &message()).await.unwrap_err();
    assert!(matches!(error.kind, ChatErrorKind::Unclear { .. }));

    let nowhere = SlackConfig {
        api_url: "http://127.0.0.1:1/api".parse().unwrap(),
        bot_token: SecretString::from("xoxb-test"),
        app_token: None,
    };
    let error = SlackClient::new(&nowhere)
        .unwrap()
        .post("C1", &message())
        .await
        .unwrap_err();
    assert!(
        matches!(error.kind, ChatErrorKind::Transient { .. }),
        "{error}"
    );
}

#[tokio::test]
async fn errors_do_not_quote_what_was_said() {
    let (server, slack) = slack().await;
    answer(
        &server,
        "chat.postMessage",
        json!({"ok": false, "error": "invalid_blocks", "errors": ["ann@acme.com"]}),
    )
    .await;
    let error = slack.post("C1", &message()).await.unwrap_err();
    assert!(!format!("{error} {error:?}").contains("ann@acme.com"));
}

#[tokio::test]
async fn guests_bots_and_deactivated_accounts_are_told_apart() {
    let cases = [
        (json!({}), Standing::Member),
        (json!({"deleted": true}), Standing::Deactivated),
        (json!({"is_bot": true}), Standing::Bot),
        (json!({"is_restricted": true}), Standing::Guest),
        (json!({"is_ultra_restricted": true}), Standing::Guest),
        (json!({"is_stranger": true}), Standing::Stranger),
    ];
    for (flags, standing) in cases {
        let (server, slack) = slack().await;
        let mut user = json!({"id": "U1", "profile": {"email": "Ann@Acme.com"}});
        user.as_object_mut()
            .unwrap()
            .extend(flags.as_object().unwrap().clone());
        answer(&server, "users.info", json!({"ok": true, "user": user})).await;
        let user = slack.user("U1").await.unwrap().unwrap();
        assert_eq!(user.standing, standing);
        assert_eq!(user.email.as_deref(), Some("ann@acme.com"));
    }
}

#[tokio::test]
async fn nobody_with_that_address_is_no_error() {
    let (server, slack) = slack().await;
    answer(
        &server,
        "users.lookupByEmail",
        json!({"ok": false, "error": "users_not_found"}),
    )
    .await;
    assert_eq!(slack.user_by_email("x@acme.com").await, Ok(None));
}

#[tokio::test]
async fn a_lost_post_is_found_by_its_key() {
    let (server, slack) = slack().await;
    Mock::given(path("/api/conversations.history"))
        .and(query_param("include_all_metadata", "true"))
        .respond_with(ResponseTemplate::new(200).set_body_json(json!({
            "ok": true, "has_more": false,
            "messages": [
                {"ts": "3.0", "metadata": {"event_type": "unstuck_message", "event_payload": {"key": "card:P-2"}}},
                {"ts": "2.0", "metadata": {"event_type": "unstuck_message", "event_payload": {"key": "card:P-1"}}},
                {"ts": "1.0"},
            ],
        })))
        .mount(&server)
        .await;
    let since = DateTime::from_timestamp(0, 0).unwrap();
    let found = slack.find_posted("C1", None, since, "card:P-1").await;
    assert_eq!(found.unwrap().unwrap().ts, "2.0");
    let found = slack.find_posted("C1", None, since, "card:P-9").await;
    assert_eq!(found, Ok(None));
}

#[test]
fn a_click_is_read_with_and_without_a_team() {
    let payload = |team: Value| {
        json!({
            "type": "block_actions", "user": {"id": "U1"}, "team": team, "trigger_id": "1.2.3",
            "container": {"type": "message", "message_ts": "1.2", "channel_id": "C1"},
            "response_url": "https://hooks.slack.com/actions/1", "channel": {"id": "C1"},
            "actions": [{"type": "button", "action_id": "p.approve", "block_id": "P-1:2:a", "value": "P-1|2|abcd", "action_ts": "1.2"}],
        })
    };
    let Incoming::Click(click) = Incoming::interaction(payload(json!({"id": "T1"}))).unwrap()
    else {
        panic!("no click");
    };
    assert_eq!((&*click.action, &*click.value), ("p.approve", "P-1|2|abcd"));
    assert_eq!(click.message_ts.as_deref(), Some("1.2"));
    let Incoming::Click(again) = Incoming::interaction(payload(Value::Null)).unwrap() else {
        panic!("no click");
    };
    assert_eq!(again.dedupe_key, click.dedupe_key);
    assert_eq!(again.team, None);
}

#[test]
fn an_empty_list_of_values_is_a_form_without_inputs() {
    let payload = |values: Value| {
        json!({
            "type": "view_submission", "user": {"id": "U1"}, "team": null,
            "view": {"id": "V1", "hash": "h", "callback_id": "p.deny", "private_metadata": "P-1|2|abcd", "state": {"values": values}},
        })
    };
    let Incoming::Submission(empty) = Incoming::interaction(payload(json!([]))).unwrap() else {
        panic!("no submission");
    };
    assert_eq!(empty.inputs, BTreeMap::new());
    let values = json!({
        "why": {"v": {"type": "static_select", "selected_option": {"value": "risky"}}},
        "note": {"v": {"type": "plain_text_input", "value": null}},
    });
    let Incoming::Submission(filled) = Incoming::interaction(payload(values)).unwrap() else {
        panic!("no submission");
    };
    assert_eq!(
        filled.inputs,
        BTreeMap::from([("why".to_owned(), "risky".to_owned())])
    );
}
