//! What reaches Slack, and what happens when its answers get lost.

use std::time::Duration;

use chrono::TimeDelta;
use connectors::slack::ChatErrorKind;

use crate::{
    chat::{
        fake::{Office, morning, plan},
        messages,
    },
    clock::Clock,
    pass::Pass,
};

fn unclear() -> ChatErrorKind {
    ChatErrorKind::Unclear {
        detail: "no answer in time".into(),
    }
}

#[tokio::test]
async fn a_post_whose_answer_was_lost_is_found_and_not_repeated() {
    let office = Office::open().await;
    office.chat.fail("chat.postMessage", unclear(), true);
    office.propose(plan(2)).await;
    assert_eq!(office.chat.in_channel("C1").len(), 1);
    let stored = office
        .store
        .message("card:P-7F3K2Q")
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        (stored.state.as_str(), stored.posted.is_some()),
        ("sent", true)
    );
}

#[tokio::test]
async fn a_post_that_never_arrived_is_sent_after_the_look_up() {
    let office = Office::open().await;
    office.chat.fail("chat.postMessage", unclear(), false);
    office.propose(plan(2)).await;
    assert_eq!(office.chat.in_channel("C1").len(), 1);
}

#[tokio::test]
async fn without_the_right_to_look_nothing_is_repeated_for_ten_minutes() {
    let office = Office::open().await;
    office.chat.fail("chat.postMessage", unclear(), true);
    let denied = || ChatErrorKind::Denied {
        code: "missing_scope".into(),
    };
    office.chat.fail("conversations.history", denied(), false);
    office.propose(plan(2)).await;
    let stored = office
        .store
        .message("card:P-7F3K2Q")
        .await
        .unwrap()
        .unwrap();
    assert_eq!(stored.state, "unclear");
    assert_eq!(stored.due_at, morning() + TimeDelta::minutes(10));
    assert_eq!(office.chat.in_channel("C1").len(), 1);
}

#[tokio::test]
async fn updates_of_a_card_come_down_to_the_newest() {
    let office = Office::open().await;
    office.propose(plan(2)).await;
    for _ in 0..5 {
        office
            .store
            .put_messages(&[messages::card(&"P-7F3K2Q".into(), office.clock.now())])
            .await
            .unwrap();
    }
    office.send().await;
    assert_eq!(office.chat.card().edits, 1);
}

#[tokio::test]
async fn a_deleted_card_is_posted_anew_once() {
    let office = Office::open().await;
    office.propose(plan(2)).await;
    office.chat.said.lock().unwrap().clear();
    office
        .store
        .put_messages(&[messages::card(&"P-7F3K2Q".into(), office.clock.now())])
        .await
        .unwrap();
    office.pass_time(TimeDelta::seconds(2));
    office.send().await;
    assert_eq!(office.chat.in_channel("C1").len(), 1);
}

#[tokio::test]
async fn cards_wait_for_working_hours_unless_somebody_is_kept_out() {
    let office = Office::open().await;
    let evening = office.pass_time(TimeDelta::hours(12));
    office.propose(plan(2)).await;
    assert!(office.chat.in_channel("C1").is_empty());
    let due = office.sender.run(evening).await.unwrap().unwrap();
    assert_eq!(
        due,
        "2026-11-25T08:00:00Z"
            .parse::<chrono::DateTime<chrono::Utc>>()
            .unwrap()
    );
    office.pass_time(due - evening);
    office.send().await;
    assert_eq!(office.chat.in_channel("C1").len(), 1);
}

#[tokio::test]
async fn slack_asking_to_wait_holds_everything_back() {
    let office = Office::open().await;
    let limited = ChatErrorKind::RateLimited {
        retry_after: Duration::from_secs(300),
    };
    office.chat.fail("chat.postMessage", limited, false);
    office.propose(plan(2)).await;
    let now = office.clock.now();
    office
        .store
        .put_messages(&[messages::notice("x", "hello", now)])
        .await
        .unwrap();
    assert_eq!(
        office.sender.run(now).await.unwrap(),
        Some(morning() + TimeDelta::seconds(300))
    );
    assert!(office.chat.in_channel("C1").is_empty());
}

#[tokio::test]
async fn a_thread_line_waits_for_its_card() {
    let office = Office::open().await;
    let evening = office.pass_time(TimeDelta::hours(12));
    office.propose(plan(2)).await;
    let line = messages::thread(&"P-7F3K2Q".into(), "note", "something happened", evening);
    office.store.put_messages(&[line]).await.unwrap();
    office.send().await;
    assert!(office.chat.in_channel("C1").is_empty());
    office.pass_time(TimeDelta::hours(12));
    office.send().await;
    office.pass_time(TimeDelta::minutes(1));
    office.send().await;
    let said = office.chat.in_channel("C1");
    assert_eq!(said.len(), 2);
    assert_eq!(said[1].thread.as_ref(), Some(&said[0].ts));
}

#[tokio::test]
async fn another_node_sends_nothing_while_one_holds_the_lease() {
    let office = Office::open().await;
    let other = crate::node::Node::new(office.store.clone(), "node-2");
    other
        .take(crate::store::SENDER_LEASE)
        .await
        .unwrap()
        .unwrap();
    office
        .store
        .put_messages(&[messages::notice("x", "hello", morning())])
        .await
        .unwrap();
    office.sender.run(office.clock.now()).await.unwrap();
    assert!(office.chat.in_channel("C1").is_empty());
}

#[tokio::test]
async fn an_owner_who_has_no_account_is_told_of_in_the_thread() {
    let office = Office::open().await;
    office.propose(plan(2)).await;
    let now = office.clock.now();
    let letter = messages::announce(
        &"r1".into(),
        &"announce.1".into(),
        &"00unobody".into(),
        "MBP-9",
        &"P-7F3K2Q".into(),
        now,
    );
    office.store.put_messages(&[letter]).await.unwrap();
    office.send().await;
    let thread = office.chat.in_channel("C1").pop().unwrap();
    assert!(
        thread
            .text
            .contains("the owner of MBP-9 could not be reached"),
        "{}",
        thread.text
    );
}
