//! Socket Mode: connections, envelopes, redelivery, and the payloads of clicks and commands.

use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use serde_json::json;
use tokio::net::TcpListener;

use super::{open, served, served_with};
use crate::slack::{InteractionError, Pick};

const SOON: Duration = Duration::from_millis(150);

#[tokio::test]
async fn a_ticket_opens_one_connection() {
    let world = served().await;
    let opened = world.ok("apps.connections.open", json!({})).await;
    let url = opened["url"].as_str().unwrap();
    let first = open(url).await;
    assert!(first.is_ok());
    assert!(open(url).await.is_err());
}

/// Reads every body before the routes see the request, as a recorder does.
async fn buffered(request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
    next.run(Request::from_parts(parts, Body::from(body))).await
}

#[tokio::test]
async fn connections_open_through_a_layer_that_records_requests() {
    let world = served().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let router = world.slack.router().layer(from_fn(buffered));
    tokio::spawn(async move { axum::serve(listener, router).await });
    let opened = world.ok("apps.connections.open", json!({})).await;
    let mut url = url::Url::parse(opened["url"].as_str().unwrap()).unwrap();
    url.set_port(Some(port)).unwrap();
    let mut app = super::App {
        socket: open(url.as_str()).await.unwrap(),
    };
    assert_eq!(app.next().await["type"], "hello");
}

#[tokio::test]
async fn the_eleventh_connection_is_turned_away() {
    let world = served().await;
    let mut apps = Vec::new();
    for _ in 0..10 {
        apps.push(world.connect().await);
    }
    let opened = world.ok("apps.connections.open", json!({})).await;
    let mut late = super::App {
        socket: open(opened["url"].as_str().unwrap()).await.unwrap(),
    };
    let told = late.next().await;
    assert_eq!(
        (&told["type"], &told["reason"]),
        (&json!("disconnect"), &json!("too_many_websockets"))
    );
    assert_eq!(world.slack.connections(), 10);
}

#[tokio::test]
async fn a_click_has_everything_an_app_relies_on() {
    let world = served().await;
    let ts = world.post_card().await;
    let mut app = world.connect().await;
    let (outcome, payload) = tokio::join!(
        world
            .slack
            .click(&world.ann, &world.channel, &ts, "p.approve"),
        app.answer(None)
    );
    let outcome = outcome.unwrap();
    assert_eq!(outcome.attempts, 1);
    assert_eq!(outcome.interaction.payload, payload);
    assert_eq!(payload["type"], "block_actions");
    assert_eq!(payload["team"]["id"], json!(world.slack.config().team_id));
    assert_eq!(payload["user"]["id"], json!(world.ann));
    assert_eq!(payload["api_app_id"], json!(world.slack.config().app_id));
    assert_eq!(payload["container"]["type"], "message");
    assert_eq!(payload["container"]["message_ts"], json!(ts));
    assert_eq!(
        payload["channel"],
        json!({"id": world.channel, "name": "fleet-repairs"})
    );
    assert_eq!(payload["message"]["ts"], json!(ts));
    assert_eq!(payload["state"]["values"], json!({}));
    let action = &payload["actions"][0];
    assert_eq!(
        (&action["type"], &action["block_id"]),
        (&json!("button"), &json!("P-1:1:a"))
    );
    assert_eq!(
        (&action["action_id"], &action["value"]),
        (&json!("p.approve"), &json!("P-1|1|abc"))
    );
    assert!(action["action_ts"].is_string());
    assert!(
        payload["response_url"]
            .as_str()
            .unwrap()
            .starts_with("http://127.0.0.1:")
    );
    assert!(!payload["trigger_id"].as_str().unwrap().is_empty());
}

#[tokio::test]
async fn a_menu_option_is_picked_by_label_value_or_beginning() {
    let world = served().await;
    let ts = world.post_card().await;
    for pick in [
        Pick::option("p.more", "Canary only"),
        Pick::option("p.more", "canary|P-1"),
        Pick::option_with_prefix("p.more", "canary").in_block("P-1:1:a"),
    ] {
        let click = world
            .slack
            .prepare_click(&world.ann, &world.channel, &ts, pick)
            .unwrap();
        assert_eq!(
            click.payload["actions"][0]["selected_option"]["value"],
            "canary|P-1"
        );
    }
    for wrong in [
        Pick::option("p.more", "Explode"),
        Pick::button("p.more"),
        Pick::button("p.none"),
    ] {
        let click = world
            .slack
            .prepare_click(&world.ann, &world.channel, &ts, wrong);
        assert!(matches!(click, Err(InteractionError::NoSuchElement(_))));
    }
}

#[tokio::test]
async fn an_envelope_without_acknowledgement_comes_again() {
    let world = served_with(|config| config.timing.ack_within = SOON).await;
    let ts = world.post_card().await;
    let mut app = world.connect().await;
    let receive = async {
        let first = app.next().await;
        let second = app.next().await;
        app.ack(&second, None).await;
        (first, second)
    };
    let (outcome, (first, second)) = tokio::join!(
        world
            .slack
            .click(&world.ann, &world.channel, &ts, "p.approve"),
        receive
    );
    assert_eq!(outcome.unwrap().attempts, 2);
    assert_eq!(first["payload"], second["payload"]);
    assert_eq!(
        (&first["retry_attempt"], &second["retry_attempt"]),
        (&json!(null), &json!(1))
    );
    assert_ne!(first["envelope_id"], second["envelope_id"]);
}

#[tokio::test]
async fn a_lost_acknowledgement_is_none() {
    let world = served_with(|config| config.timing.ack_within = SOON).await;
    let ts = world.post_card().await;
    let mut app = world.connect().await;
    world.slack.lose_acks(1);
    let receive = async { (app.answer(None).await, app.answer(None).await) };
    let (outcome, (first, second)) = tokio::join!(
        world
            .slack
            .click(&world.ann, &world.channel, &ts, "p.approve"),
        receive
    );
    assert_eq!(outcome.unwrap().attempts, 2);
    assert_eq!(first["trigger_id"], second["trigger_id"]);
}

#[tokio::test]
async fn an_acknowledgement_after_the_deadline_is_too_late() {
    let world = served_with(|config| {
        config.timing.ack_within = Duration::from_millis(20);
        config.timing.redeliveries = 0;
    })
    .await;
    let ts = world.post_card().await;
    let mut app = world.connect().await;
    let click = || {
        world
            .slack
            .click(&world.ann, &world.channel, &ts, "p.approve")
    };
    world.slack.delay_acks(Some(Duration::from_secs(60)));
    let (late, _) = tokio::join!(click(), app.answer(None));
    assert_eq!(late, Err(InteractionError::NotAcknowledged { attempts: 1 }));
    world.slack.delay_acks(None);
    let (prompt, _) = tokio::join!(click(), app.answer(None));
    assert!(prompt.is_ok());
}

#[tokio::test]
async fn switched_off_socket_mode_ends_connections_and_refuses_new_ones() {
    let world = served().await;
    let mut app = world.connect().await;
    world.slack.set_socket_mode(false);
    assert_eq!(app.next().await["reason"], "link_disabled");
    assert_eq!(app.try_next().await, None);
    let refused = world.error("apps.connections.open", json!({})).await;
    assert_eq!(refused, "link_disabled");
    world.slack.set_socket_mode(true);
    world.connect().await;
}

#[tokio::test]
async fn shutdown_ends_connections_and_tasks() {
    let world = served().await;
    let mut app = world.connect().await;
    world.slack.delay_acks(Some(Duration::from_secs(60)));
    app.ack(&json!({"envelope_id": "none"}), None).await;
    let (_, end) = tokio::join!(world.slack.shutdown(), app.try_next());
    assert_eq!(end, None);
    assert_eq!(world.slack.connections(), 0);
}

#[tokio::test]
async fn silence_ends_in_a_warning_to_the_person() {
    let world = served_with(|config| {
        config.timing.ack_within = Duration::from_millis(20);
        config.timing.redeliveries = 1;
    })
    .await;
    let ts = world.post_card().await;
    let click = || {
        world
            .slack
            .click(&world.ann, &world.channel, &ts, "p.approve")
    };
    assert_eq!(click().await, Err(InteractionError::NotConnected));
    let _silent = world.connect().await;
    assert_eq!(
        click().await,
        Err(InteractionError::NotAcknowledged { attempts: 2 })
    );
}

#[tokio::test]
async fn a_dropped_connection_hands_its_envelope_to_the_next() {
    let world = served().await;
    let ts = world.post_card().await;
    let mut first = world.connect().await;
    let survive = async {
        let lost = first.next().await;
        world.slack.drop_connections();
        assert_eq!(first.try_next().await, None);
        let mut second = world.connect().await;
        (lost, second.answer(None).await)
    };
    let (outcome, (lost, payload)) = tokio::join!(
        world
            .slack
            .click(&world.ann, &world.channel, &ts, "p.approve"),
        survive
    );
    assert_eq!(outcome.unwrap().attempts, 2);
    assert_eq!(lost["payload"], payload);
}

#[tokio::test]
async fn a_duplicated_delivery_arrives_on_both_connections() {
    let world = served().await;
    let ts = world.post_card().await;
    let (mut one, mut two) = (world.connect().await, world.connect().await);
    world.slack.duplicate_next_delivery();
    let both = async { tokio::join!(one.answer(None), two.answer(None)) };
    let (outcome, (first, second)) = tokio::join!(
        world
            .slack
            .click(&world.ann, &world.channel, &ts, "p.approve"),
        both
    );
    assert!(outcome.is_ok());
    assert_eq!(first, second);
}

#[tokio::test]
async fn a_connection_is_asked_to_refresh_after_its_share() {
    let world = served().await;
    let ts = world.post_card().await;
    let mut app = world.connect().await;
    world.slack.refresh_every(Some(1));
    let receive = async {
        app.answer(None).await;
        app.next().await
    };
    let (outcome, told) = tokio::join!(
        world
            .slack
            .click(&world.ann, &world.channel, &ts, "p.approve"),
        receive
    );
    assert!(outcome.is_ok());
    assert_eq!(
        (&told["type"], &told["reason"]),
        (&json!("disconnect"), &json!("refresh_requested"))
    );
    assert_eq!(world.slack.connections(), 0);
}

#[tokio::test]
async fn a_slash_command_is_answered_to_the_person_alone_or_to_all() {
    let world = served().await;
    let mut app = world.connect().await;
    let command = world
        .slack
        .slash(&world.ann, &world.channel, "/unstuck why @ben");
    let (outcome, payload) = tokio::join!(
        command,
        app.answer(Some(json!({"text": "He never signed in."})))
    );
    assert_eq!(
        (&payload["command"], &payload["text"]),
        (
            &json!("/unstuck"),
            &json!(format!("why <@{}|ben>", world.ben))
        )
    );
    assert_eq!(payload["team_domain"], "acme");
    let reply = outcome.unwrap().reply.unwrap();
    assert_eq!(reply.text, "He never signed in.");
    assert_eq!(world.slack.ephemerals(&world.ann), [reply]);
    assert!(world.slack.ephemerals(&world.ben).is_empty());
    assert!(world.slack.messages(&world.channel).is_empty());

    let command = world
        .slack
        .slash(&world.ann, &world.channel, "/unstuck status");
    let loud = json!({"response_type": "in_channel", "text": "All well."});
    let (outcome, _) = tokio::join!(command, app.answer(Some(loud)));
    assert_eq!(outcome.unwrap().reply.unwrap().text, "All well.");
    let texts: Vec<_> = world
        .slack
        .messages(&world.channel)
        .into_iter()
        .map(|message| message.text)
        .collect();
    assert_eq!(texts, ["/unstuck status", "All well."]);
}

#[tokio::test]
async fn a_mention_is_an_event_with_the_thread_it_stands_in() {
    let world = served().await;
    let ts = world.post_card().await;
    let mut app = world.connect().await;
    let (message, payload) = tokio::join!(
        world
            .slack
            .mention(&world.ann, &world.channel, "show", Some(&ts)),
        app.answer(None)
    );
    assert_eq!(payload["type"], "event_callback");
    assert_eq!(payload["event"]["type"], "app_mention");
    assert_eq!(
        payload["event"]["text"],
        json!(format!("<@{}> show", world.slack.config().bot_user_id))
    );
    assert_eq!(payload["event"]["thread_ts"], json!(ts));
    assert_eq!(payload["event"]["ts"], json!(message.unwrap().ts));
}

#[tokio::test]
async fn prepared_clicks_can_be_replayed_forged_and_late() {
    let world = served().await;
    let ts = world.post_card().await;
    let mut app = world.connect().await;
    let click = world
        .slack
        .prepare_click(&world.ann, &world.channel, &ts, "p.approve")
        .unwrap();
    world.slack.deactivate_user(&world.ann);
    assert_eq!(
        world
            .slack
            .prepare_click(&world.ann, &world.channel, &ts, "p.approve"),
        Err(InteractionError::Deactivated)
    );
    for forged in [
        click.clone(),
        click.clone().from_team("T0OTHER"),
        click.clone().with_value("P-1|9|zzz"),
        click.clone().by_user(&world.ben),
    ] {
        let (outcome, payload) =
            tokio::join!(world.slack.deliver_interaction(&forged), app.answer(None));
        assert!(outcome.is_ok());
        assert_eq!(payload, forged.payload);
    }
    world.slack.set_org_wide_team_null_once();
    let (_, payload) = tokio::join!(world.slack.deliver_interaction(&click), app.answer(None));
    assert_eq!(
        (&payload["team"], &payload["is_enterprise_install"]),
        (&json!(null), &json!(true))
    );
}

#[tokio::test]
async fn a_response_url_is_good_for_five_answers() {
    let world = served().await;
    let ts = world.post_card().await;
    let click = world
        .slack
        .prepare_click(&world.ann, &world.channel, &ts, "p.approve")
        .unwrap();
    let url = click.response_url();
    assert_eq!(
        world.respond(url, json!({"text": "only you"})).await.status,
        200
    );
    assert_eq!(world.slack.ephemerals(&world.ann)[0].text, "only you");
    world
        .respond(
            url,
            json!({"text": "all", "response_type": "in_channel", "thread_ts": ts}),
        )
        .await;
    assert_eq!(world.slack.thread(&world.channel, &ts)[0].text, "all");
    world
        .respond(url, json!({"text": "done", "replace_original": true}))
        .await;
    let message = world.slack.message(&world.channel, &ts).unwrap();
    assert_eq!((message.text.as_str(), message.blocks.len()), ("done", 0));
    world.respond(url, json!({"delete_original": true})).await;
    // Its thread lives on.
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
        world.respond(url, json!({"text": "fifth"})).await.status,
        200
    );
    let sixth = world.respond(url, json!({"text": "sixth"})).await;
    assert_eq!(
        (sixth.status.as_u16(), &sixth.body["error"]),
        (404, &json!("used_url"))
    );
}

#[tokio::test]
async fn a_response_url_expires() {
    let world = served().await;
    let ts = world.post_card().await;
    let click = world
        .slack
        .prepare_click(&world.ann, &world.channel, &ts, "p.approve")
        .unwrap();
    world.slack.expire_response_urls();
    let late = world
        .respond(click.response_url(), json!({"text": "late"}))
        .await;
    assert_eq!(late.body["error"], "expired_url");
    assert!(world.slack.ephemerals(&world.ann).is_empty());
}

#[tokio::test]
async fn what_only_one_person_sees_can_be_clicked_and_replaced() {
    let world = served().await;
    let sent =
        json!({"channel": world.channel, "user": world.ann, "text": "t", "blocks": super::card()});
    let posted = world.ok("chat.postEphemeral", sent).await;
    let ts = posted["message_ts"].as_str().unwrap();
    assert!(
        world
            .slack
            .prepare_click(&world.ben, &world.channel, ts, "p.approve")
            .is_err()
    );
    let click = world
        .slack
        .prepare_click(&world.ann, &world.channel, ts, "p.approve")
        .unwrap();
    assert_eq!(click.payload["container"]["is_ephemeral"], true);
    assert_eq!(click.payload["message"], json!(null));
    world
        .respond(
            click.response_url(),
            json!({"text": "gone", "replace_original": true}),
        )
        .await;
    assert_eq!(world.slack.ephemerals(&world.ann)[0].text, "gone");
}
