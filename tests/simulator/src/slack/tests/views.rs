//! Modals and the Home tab.

use serde_json::{Value, json};

use super::{Served, served};
use crate::slack::{InteractionError, SubmitOutcome};

fn modal() -> Value {
    json!({
        "type": "modal", "callback_id": "deny", "private_metadata": "P-1", "notify_on_close": true,
        "title": {"type": "plain_text", "text": "Deny"}, "submit": {"type": "plain_text", "text": "Deny"},
        "blocks": [
            {"type": "input", "block_id": "why", "label": {"type": "plain_text", "text": "Why?"},
             "element": {"type": "static_select", "action_id": "v", "options": [
                {"text": {"type": "plain_text", "text": "Wrong"}, "value": "wrong"},
                {"text": {"type": "plain_text", "text": "Bad moment"}, "value": "moment"}]}},
            {"type": "input", "block_id": "note", "optional": true, "label": {"type": "plain_text", "text": "Note"},
             "element": {"type": "plain_text_input", "action_id": "v", "max_length": 5}},
            {"type": "input", "block_id": "skip", "optional": true, "label": {"type": "plain_text", "text": "Leave out"},
             "element": {"type": "multi_static_select", "action_id": "v", "options": [
                {"text": {"type": "plain_text", "text": "Mac 1"}, "value": "m1"},
                {"text": {"type": "plain_text", "text": "Mac 2"}, "value": "m2"}]}},
        ],
    })
}

async fn trigger(world: &Served) -> String {
    let ts = world.post_card().await;
    let click = world
        .slack
        .prepare_click(&world.ann, &world.channel, &ts, "p.approve")
        .unwrap();
    click.trigger_id().to_owned()
}

async fn opened(world: &Served) -> String {
    let trigger_id = trigger(world).await;
    let opened = world
        .ok(
            "views.open",
            json!({"trigger_id": trigger_id, "view": modal()}),
        )
        .await;
    opened["view"]["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_trigger_opens_one_modal_and_only_for_a_moment() {
    let world = served().await;
    let open = |trigger_id: String| {
        world.call(
            "views.open",
            json!({"trigger_id": trigger_id, "view": modal()}),
        )
    };
    let used = trigger(&world).await;
    assert_eq!(open(used.clone()).await["ok"], true);
    assert_eq!(open(used).await["error"], "trigger_exchanged");
    let old = trigger(&world).await;
    world.slack.expire_triggers();
    assert_eq!(open(old).await["error"], "expired_trigger_id");
    assert_eq!(open("1.2.3".into()).await["error"], "invalid_trigger");
    assert_eq!(world.slack.views(&world.ann).len(), 1);
}

#[tokio::test]
async fn a_view_against_the_rules_is_refused() {
    let world = served().await;
    let mut long = modal();
    long["title"]["text"] = json!("A title of more than 24 characters");
    let mut mute = modal();
    mute.as_object_mut().unwrap().remove("submit");
    let mut big = modal();
    big["private_metadata"] = json!("x".repeat(3_001));
    for view in [long, mute, big, json!({"type": "home", "blocks": []})] {
        let trigger_id = trigger(&world).await;
        assert_eq!(
            world
                .error(
                    "views.open",
                    json!({"trigger_id": trigger_id, "view": view})
                )
                .await,
            "invalid_arguments"
        );
    }
}

#[tokio::test]
async fn a_submission_carries_what_was_filled_in() {
    let world = served().await;
    let id = opened(&world).await;
    let submit = |inputs: Vec<(&'static str, Value)>| {
        world.slack.prepare_submission(&world.ann, &id, inputs)
    };
    assert_eq!(
        submit(vec![]),
        Err(InteractionError::InvalidInput("why".into()))
    );
    assert_eq!(
        submit(vec![("why", json!("nonsense"))]),
        Err(InteractionError::InvalidInput("why".into()))
    );
    assert_eq!(
        submit(vec![("note", json!("too long"))]),
        Err(InteractionError::InvalidInput("note".into()))
    );
    let sent = submit(vec![("why", json!("moment")), ("skip", json!(["m2"]))])
        .unwrap()
        .payload;
    assert_eq!(sent["type"], "view_submission");
    let view = &sent["view"];
    assert_eq!(
        (&view["id"], &view["private_metadata"]),
        (&json!(id), &json!("P-1"))
    );
    let values = &view["state"]["values"];
    assert_eq!(values["why"]["v"]["selected_option"]["value"], "moment");
    assert_eq!(
        values["note"]["v"],
        json!({"type": "plain_text_input", "value": null})
    );
    assert_eq!(values["skip"]["v"]["selected_options"][0]["value"], "m2");
}

#[tokio::test]
async fn the_answer_to_a_submission_decides_what_is_shown() {
    let world = served().await;
    let mut app = world.connect().await;
    let id = opened(&world).await;
    let mut submit = async |id: &str, answer: Option<Value>| {
        let sent = world
            .slack
            .submit_view(&world.ann, id, [("why", json!("wrong"))]);
        tokio::join!(sent, app.answer(answer)).0
    };
    let refused = submit(
        &id,
        Some(json!({"response_action": "errors", "errors": {"why": "stale"}})),
    )
    .await
    .unwrap();
    assert!(matches!(refused, SubmitOutcome::Errors(_)));
    assert_eq!(world.slack.views(&world.ann)[0].errors["why"], "stale");
    let unknown = submit(
        &id,
        Some(json!({"response_action": "errors", "errors": {"nope": "x"}})),
    )
    .await;
    assert!(matches!(unknown, Err(InteractionError::InvalidAnswer(_))));

    let mut other = modal();
    other["title"]["text"] = json!("Other");
    let SubmitOutcome::Updated(view) = submit(
        &id,
        Some(json!({"response_action": "update", "view": other})),
    )
    .await
    .unwrap() else {
        panic!("the view was to be updated");
    };
    assert_eq!(view.content["title"]["text"], "Other");
    let SubmitOutcome::Pushed(top) = submit(
        &id,
        Some(json!({"response_action": "push", "view": modal()})),
    )
    .await
    .unwrap() else {
        panic!("a view was to be pushed");
    };
    assert_eq!(top.previous_view_id.as_deref(), Some(&*id));
    // What lies below cannot be submitted.
    let below = world
        .slack
        .submit_view(&world.ann, &id, [("why", json!("wrong"))])
        .await;
    assert_eq!(below, Err(InteractionError::NoSuchView));
}

#[tokio::test]
async fn an_empty_answer_closes_the_top_and_clear_closes_all() {
    let world = served().await;
    let mut app = world.connect().await;
    let id = opened(&world).await;
    let push = json!({"response_action": "push", "view": modal()});
    let inputs = || [("why", json!("wrong"))];
    let (pushed, _) = tokio::join!(
        world.slack.submit_view(&world.ann, &id, inputs()),
        app.answer(Some(push))
    );
    let Ok(SubmitOutcome::Pushed(top)) = pushed else {
        panic!("a view was to be pushed");
    };
    let (closed, _) = tokio::join!(
        world.slack.submit_view(&world.ann, &top.id, inputs()),
        app.answer(None)
    );
    assert_eq!(closed, Ok(SubmitOutcome::Closed));
    assert_eq!(world.slack.views(&world.ann).len(), 1);
    let clear = json!({"response_action": "clear"});
    let (cleared, _) = tokio::join!(
        world.slack.submit_view(&world.ann, &id, inputs()),
        app.answer(Some(clear))
    );
    assert_eq!(cleared, Ok(SubmitOutcome::Cleared));
    assert!(world.slack.views(&world.ann).is_empty());
}

#[tokio::test]
async fn closing_by_hand_is_told_to_an_app_that_asked() {
    let world = served().await;
    let mut app = world.connect().await;
    let id = opened(&world).await;
    let (closed, payload) = tokio::join!(world.slack.close_view(&world.ann, &id), app.answer(None));
    assert_eq!(closed, Ok(()));
    assert_eq!(
        (&payload["type"], &payload["view"]["id"]),
        (&json!("view_closed"), &json!(id))
    );
    assert!(world.slack.views(&world.ann).is_empty());
}

#[tokio::test]
async fn an_update_with_an_old_hash_conflicts() {
    let world = served().await;
    let id = opened(&world).await;
    let hash = world.slack.views(&world.ann)[0].hash.clone();
    let update = |hash: &str| {
        world.call(
            "views.update",
            json!({"view_id": id, "hash": hash, "view": modal()}),
        )
    };
    assert_eq!(update(&hash).await["ok"], true);
    assert_eq!(update(&hash).await["error"], "hash_conflict");
    assert_eq!(
        world
            .error(
                "views.update",
                json!({"view_id": "V0NONE", "view": modal()})
            )
            .await,
        "not_found"
    );
}

#[tokio::test]
async fn a_view_can_be_answered_with_values_as_a_list_once() {
    let world = served().await;
    let trigger_id = trigger(&world).await;
    world.slack.set_state_values_empty_list_once();
    let answer = world
        .ok(
            "views.open",
            json!({"trigger_id": trigger_id, "view": modal()}),
        )
        .await;
    assert_eq!(answer["view"]["state"]["values"], json!([]));
    let id = answer["view"]["id"].clone();
    let answer = world
        .ok("views.update", json!({"view_id": id, "view": modal()}))
        .await;
    assert!(answer["view"]["state"]["values"].is_object());
}

#[tokio::test]
async fn the_home_tab_is_per_person_and_its_buttons_work() {
    let world = served().await;
    let home = json!({"type": "home", "blocks": [
        {"type": "section", "block_id": "q1", "text": {"type": "mrkdwn", "text": "one"}, "accessory":
            {"type": "button", "action_id": "review", "text": {"type": "plain_text", "text": "Review"}, "value": "P-1"}},
        {"type": "section", "block_id": "q2", "text": {"type": "mrkdwn", "text": "two"}, "accessory":
            {"type": "button", "action_id": "review", "text": {"type": "plain_text", "text": "Review"}, "value": "P-2"}},
    ]});
    world
        .ok("views.publish", json!({"user_id": world.ann, "view": home}))
        .await;
    assert!(world.slack.home(&world.ben).is_none());
    let view = world.slack.home(&world.ann).unwrap();
    let pick = crate::slack::Pick::button("review").in_block("q2");
    let click = world
        .slack
        .prepare_view_click(&world.ann, &view.id, pick)
        .unwrap();
    assert_eq!(click.payload["actions"][0]["value"], "P-2");
    assert_eq!(
        click.payload["container"],
        json!({"type": "view", "view_id": view.id})
    );
    assert_eq!(click.payload["view"]["type"], "home");
}
