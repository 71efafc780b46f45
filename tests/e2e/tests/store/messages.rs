//! Inbox, outbox, sign-in requests, stops and links.

use serde_json::json;
use unstuck::store::{
    LeaseProof, ManualLink, NewInboxMessage, NewStop, PostedMessage, SENDER_LEASE, SendResult,
    SignInRequest, SignInRequestState, Stop, StopScope, Store, Together,
};
use unstuck_domain::{DeviceId, MdmDeviceId, MdmName, PlaybookName, ProposalId, UserId};

use super::database::on_each;
use super::samples::{message, minute};

async fn sender(store: &Store) -> LeaseProof {
    store
        .acquire_lease(SENDER_LEASE, "a")
        .await
        .expect("the store answers")
        .expect("the lease is free")
}

fn sent() -> SendResult {
    SendResult::Sent { posted: posted() }
}

fn posted() -> PostedMessage {
    PostedMessage {
        channel: "C01".into(),
        ts: "1.2".into(),
    }
}

#[tokio::test]
async fn a_click_delivered_twice_is_read_once() {
    on_each(async |db| {
        let store = &db.store;
        let click = |key: &str| NewInboxMessage {
            dedupe_key: key.into(),
            kind: "click".into(),
            payload: json!({ "action": "approve" }),
            received_at: minute(1),
        };
        assert!(store.receive(&click("one")).await.unwrap());
        assert!(!store.receive(&click("one")).await.unwrap());
        assert!(store.receive(&click("two")).await.unwrap());
        let unread = store.unread(10).await.unwrap();
        assert_eq!(
            unread
                .iter()
                .map(|unread| &unread.message)
                .collect::<Vec<_>>(),
            [&click("one"), &click("two")]
        );
        assert_eq!(store.unread(1).await.unwrap().len(), 1);
        assert!(
            store
                .mark_read(unread[0].id, "approved", minute(2))
                .await
                .unwrap()
        );
        assert!(
            !store
                .mark_read(unread[0].id, "approved", minute(2))
                .await
                .unwrap()
        );
        assert_eq!(store.unread(10).await.unwrap(), unread[1..]);
        assert!(
            !store.receive(&click("one")).await.unwrap(),
            "also after it was read"
        );
    })
    .await;
}

#[tokio::test]
async fn coalesced_updates_keep_the_newest() {
    on_each(async |db| {
        let store = &db.store;
        store
            .put_messages(&[message("card", 1), message("card", 3), message("card", 2)])
            .await
            .unwrap();
        let due = store.due_messages(minute(3), 10).await.unwrap();
        assert_eq!(due.len(), 1);
        assert_eq!(
            (due[0].revision, &due[0].payload),
            (3, &json!({ "revision": 3 }))
        );
        assert_eq!(store.next_message_due().await.unwrap(), Some(minute(3)));
        assert_eq!(store.due_messages(minute(2), 10).await.unwrap(), []);
    })
    .await;
}

#[tokio::test]
async fn an_update_that_comes_during_a_send_is_sent_after_it() {
    on_each(async |db| {
        let store = &db.store;
        let proof = sender(store).await;
        store.put_messages(&[message("card", 1)]).await.unwrap();
        let sending = store
            .begin_sending(&proof, "card", minute(4))
            .await
            .unwrap()
            .unwrap();
        assert_eq!(
            (sending.sending_revision, sending.intent_at),
            (Some(1), Some(minute(4)))
        );
        assert_eq!(
            store
                .begin_sending(&proof, "card", minute(4))
                .await
                .unwrap(),
            None
        );
        store.put_messages(&[message("card", 2)]).await.unwrap();
        assert_eq!(store.due_messages(minute(9), 10).await.unwrap(), []);
        assert!(
            store
                .finish_sending(&proof, "card", 1, &sent(), minute(5))
                .await
                .unwrap()
        );
        let next = store.due_messages(minute(9), 10).await.unwrap().remove(0);
        assert_eq!(
            (next.revision, next.sent_revision, next.posted),
            (2, Some(1), Some(posted()))
        );
        store
            .begin_sending(&proof, "card", minute(6))
            .await
            .unwrap()
            .unwrap();
        assert!(
            !store
                .finish_sending(&proof, "card", 1, &sent(), minute(6))
                .await
                .unwrap(),
            "another revision"
        );
        assert!(
            store
                .finish_sending(&proof, "card", 2, &sent(), minute(6))
                .await
                .unwrap()
        );
        assert_eq!(store.due_messages(minute(9), 10).await.unwrap(), []);
        assert_eq!(store.posted_message("card").await.unwrap(), Some(posted()));
        assert_eq!(
            store.message_at("C01", "1.2").await.unwrap().unwrap().state,
            "sent"
        );
        assert_eq!(store.message_at("C01", "9.9").await.unwrap(), None);
    })
    .await;
}

#[tokio::test]
async fn an_unclear_send_is_not_repeated_before_its_look_up() {
    on_each(async |db| {
        let store = &db.store;
        let proof = sender(store).await;
        store.put_messages(&[message("card", 1)]).await.unwrap();
        store
            .begin_sending(&proof, "card", minute(4))
            .await
            .unwrap()
            .unwrap();
        let unclear = SendResult::Unclear {
            due_at: minute(14),
            error: "timed out".into(),
        };
        assert!(
            store
                .finish_sending(&proof, "card", 1, &unclear, minute(5))
                .await
                .unwrap()
        );
        store.put_messages(&[message("card", 2)]).await.unwrap();
        assert_eq!(
            store.due_messages(minute(13), 10).await.unwrap(),
            [],
            "a newer revision does not hurry it"
        );
        let due = store.due_messages(minute(14), 10).await.unwrap().remove(0);
        assert_eq!(
            (due.state.as_str(), due.intent_at, due.attempts),
            ("unclear", Some(minute(4)), 1)
        );
        assert_eq!(
            store
                .begin_sending(&proof, "card", minute(14))
                .await
                .unwrap(),
            None
        );
        let retry = SendResult::Retry {
            due_at: minute(15),
            error: "not found".into(),
        };
        assert!(
            store
                .finish_sending(&proof, "card", 1, &retry, minute(14))
                .await
                .unwrap()
        );
        let again = store
            .begin_sending(&proof, "card", minute(15))
            .await
            .unwrap()
            .unwrap();
        assert_eq!(
            (
                again.sending_revision,
                again.attempts,
                again.error.as_deref()
            ),
            (Some(2), 2, Some("not found"))
        );
        let failed = SendResult::Failed {
            error: "channel_not_found".into(),
        };
        assert!(
            store
                .finish_sending(&proof, "card", 2, &failed, minute(16))
                .await
                .unwrap()
        );
        assert_eq!(
            store.message("card").await.unwrap().unwrap().state,
            "failed"
        );
        assert_eq!(store.next_message_due().await.unwrap(), None);
    })
    .await;
}

#[tokio::test]
async fn a_send_whose_sender_died_becomes_unclear() {
    on_each(async |db| {
        let store = &db.store;
        let proof = sender(store).await;
        store
            .put_messages(&[message("card", 1), message("other", 1)])
            .await
            .unwrap();
        store
            .begin_sending(&proof, "card", minute(4))
            .await
            .unwrap()
            .unwrap();
        assert_eq!(store.recover_sending(&proof, minute(5)).await.unwrap(), 1);
        assert_eq!(
            store.message("card").await.unwrap().unwrap().state,
            "unclear"
        );
        assert_eq!(
            store.message("other").await.unwrap().unwrap().state,
            "pending"
        );
    })
    .await;
}

#[tokio::test]
async fn a_person_has_one_sign_in_request() {
    on_each(async |db| {
        let store = &db.store;
        let user = UserId::from("00u1");
        let mut request = SignInRequest {
            user: user.clone(),
            state: SignInRequestState::Open,
            devices: vec![DeviceId::from("guo1"), DeviceId::from("guo2")],
            opened_at: minute(0),
            first_sent_at: None,
            reminders: 0,
            next_due_at: Some(minute(0)),
            channel: None,
            thread: None,
            version: 0,
        };
        let none = Together::default();
        assert_eq!(store.sign_in_request(&user).await.unwrap(), None);
        assert!(store.save_sign_in_request(&request, none).await.unwrap());
        assert!(!store.save_sign_in_request(&request, none).await.unwrap());
        request.version = 1;
        assert_eq!(
            store.sign_in_request(&user).await.unwrap(),
            Some(request.clone())
        );
        assert_eq!(
            store.due_sign_in_requests(minute(0), 10).await.unwrap(),
            [request.clone()]
        );
        assert_eq!(
            store.next_sign_in_request_due().await.unwrap(),
            Some(minute(0))
        );
        request.reminders = 1;
        request.next_due_at = Some(minute(1_440));
        request.thread = Some("1.2".into());
        assert!(store.save_sign_in_request(&request, none).await.unwrap());
        assert!(
            !store.save_sign_in_request(&request, none).await.unwrap(),
            "it was read at an older version"
        );
        request.version = 2;
        assert_eq!(
            store.sign_in_request(&user).await.unwrap(),
            Some(request.clone())
        );
        assert_eq!(
            store.due_sign_in_requests(minute(1_439), 10).await.unwrap(),
            []
        );
        request.state = SignInRequestState::NotMine;
        assert!(store.save_sign_in_request(&request, none).await.unwrap());
        assert_eq!(
            store.due_sign_in_requests(minute(1_440), 10).await.unwrap(),
            []
        );
        assert_eq!(store.next_sign_in_request_due().await.unwrap(), None);
    })
    .await;
}

#[tokio::test]
async fn a_stop_holds_until_it_is_resumed() {
    on_each(async |db| {
        let store = &db.store;
        let scopes = [
            StopScope::All,
            StopScope::Playbook(PlaybookName::from("sync-silent-device")),
            StopScope::Proposal(ProposalId::from("P-1")),
        ];
        let mut ids = Vec::new();
        for scope in &scopes {
            let freeze = *scope == StopScope::All;
            let by = "user:U1".to_owned();
            let new = NewStop {
                scope: scope.clone(),
                freeze,
                reason: "incident".into(),
                by,
                at: minute(1),
            };
            let id = store.stop(&new, Together::default()).await.unwrap();
            assert_eq!(
                store.stop_by_id(id).await.unwrap(),
                Some(Stop {
                    id,
                    stop: new,
                    resumed: None
                })
            );
            ids.push(id);
        }
        assert_eq!(
            store
                .active_stops()
                .await
                .unwrap()
                .into_iter()
                .map(|stop| stop.stop.scope)
                .collect::<Vec<_>>(),
            scopes
        );
        assert!(
            store
                .resume(ids[0], "user:U2", minute(2), Together::default())
                .await
                .unwrap()
        );
        assert!(
            !store
                .resume(ids[0], "user:U3", minute(3), Together::default())
                .await
                .unwrap()
        );
        assert_eq!(store.active_stops().await.unwrap().len(), 2);
        let resumed = store.stop_by_id(ids[0]).await.unwrap().unwrap();
        assert_eq!(resumed.resumed, Some(("user:U2".into(), minute(2))));
    })
    .await;
}

#[tokio::test]
async fn an_okta_record_has_one_manual_link() {
    on_each(async |db| {
        let store = &db.store;
        let link = |record: &str| ManualLink {
            device: DeviceId::from("guo1"),
            mdm: MdmName::from("jamf"),
            mdm_device: MdmDeviceId::from(record),
            reason: "serial number is missing".into(),
            by: "cli:ann".into(),
            at: minute(1),
        };
        store
            .save_link(&link("7"), Together::default())
            .await
            .unwrap();
        store
            .save_link(&link("8"), Together::default())
            .await
            .unwrap();
        assert_eq!(store.links().await.unwrap(), [link("8")]);
        assert!(
            store
                .remove_link(&DeviceId::from("guo1"), Together::default())
                .await
                .unwrap()
        );
        assert!(
            !store
                .remove_link(&DeviceId::from("guo1"), Together::default())
                .await
                .unwrap()
        );
        assert_eq!(store.links().await.unwrap(), []);
    })
    .await;
}
