//! Accounts, groups and direct conversations.

use std::sync::{Arc, Mutex};

use serde_json::json;

use super::{served, served_with};
use crate::slack::NewUser;

#[tokio::test]
async fn ids_depend_on_the_seed_and_the_address_alone() {
    let (first, second) = (served().await, served().await);
    let other = served_with(|config| config.seed = 2).await;
    assert_eq!(first.ann, second.ann);
    assert_ne!(first.ann, other.ann);
    assert_ne!(first.ann, first.ben);
}

#[tokio::test]
async fn a_deactivated_account_is_gone_from_lookups_groups_and_channels() {
    let world = served().await;
    let group = world
        .slack
        .add_usergroup("oncall", "On call", [&*world.ann, &*world.ben]);
    world.slack.deactivate_user(&world.ann);
    assert_eq!(
        world
            .error("users.lookupByEmail", json!({"email": "ann@acme.test"}))
            .await,
        "users_not_found"
    );
    assert_eq!(
        world.ok("users.info", json!({"user": world.ann})).await["user"]["deleted"],
        true
    );
    assert_eq!(
        world
            .ok("usergroups.users.list", json!({"usergroup": group}))
            .await["users"],
        json!([world.ben])
    );
    assert_eq!(
        world
            .error("conversations.open", json!({"users": world.ann}))
            .await,
        "user_disabled"
    );
    let ephemeral = json!({"channel": world.channel, "user": world.ann, "text": "t"});
    assert_eq!(
        world.error("chat.postEphemeral", ephemeral).await,
        "user_not_in_channel"
    );
}

#[tokio::test]
async fn membership_changes_show_at_the_next_look() {
    let world = served().await;
    let group = world
        .slack
        .add_usergroup("oncall", "On call", [&*world.ann]);
    world.slack.add_to_group(&group, &world.ben);
    assert!(world.slack.remove_from_group(&group, &world.ann));
    assert!(!world.slack.remove_from_group(&group, &world.ann));
    let listed = world
        .ok("usergroups.list", json!({"include_users": true}))
        .await;
    assert_eq!(listed["usergroups"][0]["users"], json!([world.ben]));
}

#[tokio::test]
async fn addresses_are_shown_only_with_their_scope() {
    let world = served().await;
    world.slack.revoke_scope("users:read.email");
    let user = world.ok("users.info", json!({"user": world.ann})).await;
    assert_eq!(user["user"]["profile"]["email"], json!(null));
    assert_eq!(
        world
            .error("users.lookupByEmail", json!({"email": "ann@acme.test"}))
            .await,
        "missing_scope"
    );
}

#[tokio::test]
async fn a_message_to_a_person_opens_the_conversation_and_is_heard() {
    let world = served().await;
    let heard = Arc::new(Mutex::new(Vec::new()));
    let listener = heard.clone();
    world.slack.on_im(Arc::new(move |email, text| {
        listener.lock().unwrap().push(format!("{email}: {text}"))
    }));
    let posted = world
        .ok(
            "chat.postMessage",
            json!({"channel": world.ann, "text": "please sign in"}),
        )
        .await;
    assert!(posted["channel"].as_str().unwrap().starts_with('D'));
    world
        .ok(
            "chat.postMessage",
            json!({"channel": world.channel, "text": "not for one person"}),
        )
        .await;
    assert_eq!(*heard.lock().unwrap(), ["ann@acme.test: please sign in"]);
    assert_eq!(world.slack.ims(&world.ann).len(), 1);
    let opened = world
        .ok("conversations.open", json!({"users": [world.ann]}))
        .await;
    assert_eq!(
        (&opened["channel"]["id"], &opened["already_open"]),
        (&posted["channel"], &json!(true))
    );
}

#[tokio::test]
async fn guests_see_only_their_channels() {
    let world = served().await;
    let guest = world.slack.add_user(NewUser {
        name: "gus".into(),
        is_restricted: true,
        ..NewUser::default()
    });
    let ts = world.post_card().await;
    assert!(
        world
            .slack
            .prepare_click(&guest, &world.channel, &ts, "p.approve")
            .is_err()
    );
    world.slack.change_channel(&world.channel, |channel| {
        channel.members.insert(guest.clone());
    });
    assert!(
        world
            .slack
            .prepare_click(&guest, &world.channel, &ts, "p.approve")
            .is_ok()
    );
    assert_eq!(
        world.ok("users.info", json!({"user": guest})).await["user"]["is_restricted"],
        true
    );
}
