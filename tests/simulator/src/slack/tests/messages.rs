//! Posting, changing, reading back; limits, tokens, rates and broken connections.

use axum::body::Body;
use axum::http::{Request, header};
use serde_json::{Value, json};

use super::{card, send, served, served_with};
use crate::slack::ApiFault;

#[tokio::test]
async fn messages_of_the_same_instant_have_distinct_timestamps() {
    let world = served().await;
    let first = world
        .ok(
            "chat.postMessage",
            json!({"channel": world.channel, "text": "one"}),
        )
        .await;
    let second = world
        .ok(
            "chat.postMessage",
            json!({"channel": "#fleet-repairs", "text": "two"}),
        )
        .await;
    assert_eq!(first["ts"], "1795420000.000000");
    assert_eq!(second["ts"], "1795420000.000100");
    assert_eq!(second["channel"], json!(world.channel));
}

#[tokio::test]
async fn replies_form_a_thread_and_stay_out_of_the_channel_unless_broadcast() {
    let world = served().await;
    let root = world.post_card().await;
    let reply = |text: &str, broadcast: bool| {
        world.ok("chat.postMessage", json!({"channel": world.channel, "text": text, "thread_ts": root, "reply_broadcast": broadcast}))
    };
    let quiet = reply("quiet", false).await;
    reply("loud", true).await;
    // A reply to a reply lands in the same thread.
    world
        .ok(
            "chat.postMessage",
            json!({"channel": world.channel, "text": "deep", "thread_ts": quiet["ts"]}),
        )
        .await;

    let texts = |list: &Value| {
        list["messages"]
            .as_array()
            .unwrap()
            .iter()
            .map(|message| message["text"].clone())
            .collect::<Vec<_>>()
    };
    let replies = world
        .ok(
            "conversations.replies",
            json!({"channel": world.channel, "ts": root}),
        )
        .await;
    assert_eq!(
        texts(&replies),
        ["Approval needed", "quiet", "loud", "deep"]
    );
    assert_eq!(replies["messages"][0]["reply_count"], 3);
    let history = world
        .ok("conversations.history", json!({"channel": world.channel}))
        .await;
    assert_eq!(texts(&history), ["loud", "Approval needed"]);
    assert_eq!(world.slack.thread(&world.channel, &root).len(), 3);
}

#[tokio::test]
async fn update_with_text_alone_removes_the_blocks_and_keeps_the_metadata() {
    let world = served().await;
    let ts = world.post_card().await;
    assert_eq!(
        world
            .slack
            .message(&world.channel, &ts)
            .unwrap()
            .blocks
            .len(),
        2
    );
    world
        .ok(
            "chat.update",
            json!({"channel": world.channel, "ts": ts, "text": "Approved"}),
        )
        .await;
    let message = world.slack.message(&world.channel, &ts).unwrap();
    assert_eq!(
        (message.text.as_str(), message.blocks.len(), message.updates),
        ("Approved", 0, 1)
    );
    assert_eq!(
        message.metadata.unwrap()["event_payload"]["proposal"],
        "P-1"
    );
}

#[tokio::test]
async fn only_own_lasting_messages_in_a_conversation_can_be_updated() {
    let world = served().await;
    let anns = world
        .slack
        .say(&world.ann, &world.channel, "hello", None)
        .unwrap();
    let update = |channel: &str, ts: &str| {
        world.error(
            "chat.update",
            json!({"channel": channel, "ts": ts, "text": "x"}),
        )
    };
    assert_eq!(
        update(&world.channel, &anns.ts).await,
        "cant_update_message"
    );
    let ephemeral = world
        .ok(
            "chat.postEphemeral",
            json!({"channel": world.channel, "user": world.ann, "text": "psst"}),
        )
        .await;
    assert_eq!(
        update(&world.channel, ephemeral["message_ts"].as_str().unwrap()).await,
        "message_not_found"
    );
    let posted = world
        .ok(
            "chat.postMessage",
            json!({"channel": world.ann, "text": "hi"}),
        )
        .await;
    assert_eq!(
        update(&world.ann, posted["ts"].as_str().unwrap()).await,
        "channel_not_found"
    );
    world
        .ok(
            "chat.update",
            json!({"channel": posted["channel"], "ts": posted["ts"], "text": "x"}),
        )
        .await;
}

#[tokio::test]
async fn metadata_is_read_back_only_on_request() {
    let world = served().await;
    world.post_card().await;
    let plain = world
        .ok("conversations.history", json!({"channel": world.channel}))
        .await;
    assert_eq!(
        plain["messages"][0]["metadata"],
        json!({"event_type": "proposal"})
    );
    let all = world
        .ok(
            "conversations.history",
            json!({"channel": world.channel, "include_all_metadata": true}),
        )
        .await;
    assert_eq!(
        all["messages"][0]["metadata"]["event_payload"],
        json!({"proposal": "P-1"})
    );
}

#[tokio::test]
async fn history_is_paged_to_its_end_and_bounded_by_times() {
    let world = served().await;
    for number in 0..5 {
        world
            .ok(
                "chat.postMessage",
                json!({"channel": world.channel, "text": format!("m{number}")}),
            )
            .await;
    }
    let mut seen = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = world
            .ok(
                "conversations.history",
                json!({"channel": world.channel, "limit": 2, "cursor": cursor}),
            )
            .await;
        seen.extend(
            page["messages"]
                .as_array()
                .unwrap()
                .iter()
                .map(|message| message["text"].as_str().unwrap().to_owned()),
        );
        cursor = page["response_metadata"]["next_cursor"]
            .as_str()
            .unwrap()
            .to_owned();
        assert_eq!(page["has_more"], !cursor.is_empty());
        if cursor.is_empty() {
            break;
        }
    }
    assert_eq!(seen, ["m4", "m3", "m2", "m1", "m0"]);
    let later = world
        .ok(
            "conversations.history",
            json!({"channel": world.channel, "oldest": "1795420000.0003"}),
        )
        .await;
    assert_eq!(later["messages"].as_array().unwrap().len(), 1);
    assert_eq!(
        world
            .error(
                "conversations.history",
                json!({"channel": world.channel, "cursor": "bogus"})
            )
            .await,
        "invalid_cursor"
    );
}

#[tokio::test]
async fn blocks_beyond_the_documented_limits_are_invalid() {
    let world = served().await;
    let section =
        |text: String| json!({"type": "section", "text": {"type": "mrkdwn", "text": text}});
    let button = |label: &str, value: usize| json!({"type": "button", "action_id": "b", "text": {"type": "plain_text", "text": label}, "value": "v".repeat(value)});
    let actions = |elements: Vec<Value>| json!([{"type": "actions", "elements": elements}]);
    let post = |blocks: Value| {
        world.call(
            "chat.postMessage",
            json!({"channel": world.channel, "text": "t", "blocks": blocks}),
        )
    };
    let option = json!({"text": {"type": "plain_text", "text": "o"}, "value": "o"});
    for fine in [
        json!(vec![section("x".into()); 50]),
        json!([section("ü".repeat(3_000))]),
        actions(vec![button("b", 2_000)]),
        actions(vec![
            json!({"type": "overflow", "action_id": "o", "options": vec![&option; 5]}),
        ]),
    ] {
        assert_eq!(post(fine.clone()).await["ok"], true, "{fine}");
    }
    for wrong in [
        json!(vec![section("x".into()); 51]),
        json!([section("ü".repeat(3_001))]),
        json!([section(String::new())]),
        json!([{"type": "header", "text": {"type": "mrkdwn", "text": "h"}}]),
        json!([{"type": "section", "fields": vec![json!({"type": "mrkdwn", "text": "f"}); 11]}]),
        json!([{"type": "context", "elements": vec![json!({"type": "mrkdwn", "text": "f"}); 11]}]),
        json!([{"type": "divider", "block_id": "same"}, {"type": "divider", "block_id": "same"}]),
        json!([{"type": "marquee"}]),
        actions(vec![button("b", 2_001)]),
        actions(vec![button(&"b".repeat(76), 1)]),
        actions(vec![button("b", 1), button("b", 1)]),
        actions(vec![
            json!({"type": "overflow", "action_id": "o", "options": vec![&option; 6]}),
        ]),
    ] {
        let answer = post(wrong.clone()).await;
        assert_eq!(answer["error"], "invalid_blocks", "{wrong}");
        assert!(
            answer["response_metadata"]["messages"][0]
                .as_str()
                .unwrap()
                .contains("json-pointer:/blocks"),
            "{answer}"
        );
    }
}

#[tokio::test]
async fn too_long_texts_are_cut_when_posted_and_refused_when_updated() {
    let world = served().await;
    let posted = world
        .ok(
            "chat.postMessage",
            json!({"channel": world.channel, "text": "x".repeat(40_001)}),
        )
        .await;
    assert_eq!(posted["message"]["text"].as_str().unwrap().len(), 40_000);
    let update = json!({"channel": world.channel, "ts": posted["ts"], "text": "x".repeat(4_001)});
    assert_eq!(world.error("chat.update", update).await, "msg_too_long");
    assert_eq!(
        world
            .error("chat.postMessage", json!({"channel": world.channel}))
            .await,
        "no_text"
    );
}

#[tokio::test]
async fn query_form_and_json_arguments_mean_the_same() {
    let world = served().await;
    let config = world.slack.config();
    let token = format!("Bearer {}", config.bot_token);
    let query = Request::get(format!(
        "{}/api/users.lookupByEmail?email=ANN%40acme.test",
        config.base_url
    ))
    .header(header::AUTHORIZATION, &token)
    .body(Body::empty());
    let answer = send(query.unwrap()).await.unwrap().body;
    assert_eq!(answer["user"]["id"], json!(world.ann));
    let blocks =
        url::form_urlencoded::byte_serialize(card().to_string().as_bytes()).collect::<String>();
    let form = Request::post(format!("{}/api/chat.postMessage", config.base_url))
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(Body::from(format!(
            "token={}&channel={}&text=t&blocks={blocks}",
            config.bot_token, world.channel
        )));
    let answer = send(form.unwrap()).await.unwrap().body;
    assert_eq!(answer["message"]["blocks"][1]["block_id"], "P-1:1:a");
}

#[tokio::test]
async fn tokens_and_scopes_are_checked() {
    let world = served().await;
    let ask = async |method: &str, token: Option<&str>| {
        let mut request = Request::post(format!("{}/api/{method}", world.slack.config().base_url));
        if let Some(token) = token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        let answer = send(request.body(Body::empty()).unwrap()).await.unwrap();
        answer.body["error"].clone()
    };
    let (bot, app) = (
        &world.slack.config().bot_token,
        &world.slack.config().app_token,
    );
    assert_eq!(ask("auth.test", None).await, "not_authed");
    assert_eq!(ask("auth.test", Some("xoxb-other")).await, "invalid_auth");
    assert_eq!(ask("auth.test", Some(app)).await, "not_allowed_token_type");
    assert_eq!(
        ask("apps.connections.open", Some(bot)).await,
        "not_allowed_token_type"
    );
    assert_eq!(
        ask("apps.connections.open", Some("xapp-other")).await,
        "invalid_auth"
    );
    assert_eq!(ask("no.such", Some(bot)).await, "unknown_method");

    assert!(world.slack.revoke_scope("usergroups:read"));
    let answer = world.call("usergroups.list", json!({})).await;
    assert_eq!(
        (&answer["error"], &answer["needed"]),
        (&json!("missing_scope"), &json!("usergroups:read"))
    );
    assert!(answer["provided"].as_str().unwrap().contains("chat:write"));
    world.slack.refuse_bot_token("token_revoked");
    assert_eq!(world.error("auth.test", json!({})).await, "token_revoked");
}

#[tokio::test]
async fn the_bot_writes_only_where_it_may() {
    let world = served().await;
    let public = world.slack.add_channel("general", false, [&*world.ann]);
    let private = world.slack.add_channel("secret", true, [&*world.ann]);
    let post =
        |channel: &str| world.call("chat.postMessage", json!({"channel": channel, "text": "t"}));
    assert_eq!(post(&public).await["ok"], true);
    world.slack.revoke_scope("chat:write.public");
    assert_eq!(post(&public).await["error"], "not_in_channel");
    assert_eq!(post(&private).await["error"], "channel_not_found");
    world
        .slack
        .change_channel(&world.channel, |channel| channel.archived = true);
    assert_eq!(post(&world.channel).await["error"], "is_archived");
    assert_eq!(post("C0NONE").await["error"], "channel_not_found");
}

#[tokio::test]
async fn a_burst_beyond_the_tier_is_told_when_to_come_back() {
    let world = served_with(|config| config.limits.generosity = 1).await;
    let mut refused = None;
    for _ in 0..40 {
        let answer = world.try_call("usergroups.list", json!({})).await.unwrap();
        if answer.status == 429 {
            refused = Some(answer);
            break;
        }
    }
    let refused = refused.expect("40 calls in a moment are more than tier 2 allows");
    assert_eq!(refused.retry_after.as_deref(), Some("3"));
    assert_eq!(refused.body["error"], "ratelimited");
}

#[tokio::test]
async fn armed_faults_strike_before_or_after_the_effect() {
    let world = served().await;
    let count = || world.slack.messages(&world.channel).len();
    let post = || {
        world.try_call(
            "chat.postMessage",
            json!({"channel": world.channel, "text": "t"}),
        )
    };
    world
        .slack
        .fail_next("chat.postMessage", 1, ApiFault::DropBefore);
    assert!(post().await.is_err());
    assert_eq!(count(), 0);
    world
        .slack
        .fail_next("chat.postMessage", 1, ApiFault::DropAfter);
    assert!(post().await.is_err());
    assert_eq!(count(), 1);
    world.slack.fail_next(
        "chat.postMessage",
        1,
        ApiFault::ErrorAfter("fatal_error".into()),
    );
    assert_eq!(post().await.unwrap().body["error"], "fatal_error");
    assert_eq!(count(), 2);
    world.slack.fail_next(
        "chat.postMessage",
        1,
        ApiFault::RateLimited { retry_after: 7 },
    );
    assert_eq!(post().await.unwrap().retry_after.as_deref(), Some("7"));
    world.slack.fail_next("*", 1, ApiFault::Status(503));
    assert_eq!(post().await.unwrap().status, 503);
    assert_eq!(count(), 2);
    assert_eq!(post().await.unwrap().body["ok"], true);
}

#[tokio::test]
async fn a_call_that_hangs_may_have_done_its_work() {
    let world =
        served_with(|config| config.timing.hang_for = std::time::Duration::from_millis(1)).await;
    world
        .slack
        .fail_next("chat.postMessage", 1, ApiFault::HangAfter);
    let answer = world
        .try_call(
            "chat.postMessage",
            json!({"channel": world.channel, "text": "t"}),
        )
        .await
        .unwrap();
    assert_eq!(answer.status, 504);
    assert_eq!(world.slack.messages(&world.channel).len(), 1);
}

#[tokio::test]
async fn a_deleted_parent_leaves_a_tombstone_for_its_replies() {
    let world = served().await;
    let ts = world.post_card().await;
    world
        .ok(
            "chat.postMessage",
            json!({"channel": world.channel, "text": "r", "thread_ts": ts}),
        )
        .await;
    world
        .ok("chat.delete", json!({"channel": world.channel, "ts": ts}))
        .await;
    assert_eq!(
        world
            .slack
            .message(&world.channel, &ts)
            .unwrap()
            .subtype
            .as_deref(),
        Some("tombstone")
    );
    assert_eq!(
        world
            .error("chat.delete", json!({"channel": world.channel, "ts": ts}))
            .await,
        "message_not_found"
    );
}

#[tokio::test]
async fn messages_wait_to_be_read_in_order() {
    let world = served().await;
    let wait = std::time::Duration::from_secs(5);
    world.post_card().await;
    world
        .ok(
            "chat.postMessage",
            json!({"channel": world.ann, "text": "hi"}),
        )
        .await;
    assert_eq!(
        world.slack.next_message(wait).await.unwrap().text,
        "Approval needed"
    );
    assert_eq!(world.slack.unread_messages().len(), 1);
    assert_eq!(world.slack.next_message(wait).await.unwrap().text, "hi");
    assert!(world.slack.unread_messages().is_empty());
}
