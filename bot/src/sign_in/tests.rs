//! Requests over days, against a store and a small workspace.

use chrono::{DateTime, TimeDelta, Utc};
use connectors::slack::Standing;

use super::{SignInPass, request};
use crate::{
    chat::fake::{Office, plan},
    clock::Clock,
    domain::{DeviceId, RepairId, RepairState, UserId},
    pass::Pass,
    store::{RepairChange, SignInRequestState, Together, node_lease},
};

/// A running repair of Olga's computer, and of one more.
async fn running(office: &Office) -> (UserId, DeviceId, RepairId) {
    office.propose(plan(2)).await;
    let value = office.chat.value_of("p.approve").unwrap();
    office.press("UANN", "p.approve", &value).await;
    let run = office
        .store
        .run_of_proposal(&"P-7F3K2Q".into())
        .await
        .unwrap()
        .unwrap();
    let repair = office.store.repairs(&run.id).await.unwrap().remove(0);
    ("00uolga".into(), "guo000".into(), repair.id)
}

async fn pass(office: &Office) -> Option<DateTime<Utc>> {
    let due = SignInPass::new(office.deps.clone())
        .unwrap()
        .run(office.clock.now())
        .await
        .unwrap();
    office.send().await;
    due
}

fn to_olga(office: &Office) -> Vec<String> {
    office
        .chat
        .in_channel("D-UOLGA")
        .into_iter()
        .map(|said| said.text)
        .collect()
}

#[tokio::test]
async fn the_first_message_goes_out_at_any_hour_and_reminders_in_working_hours() {
    let office = Office::open().await;
    let (user, device, repair) = running(&office).await;
    // Tuesday, 21:00.
    office.pass_time(TimeDelta::hours(12));
    request(
        &office.store,
        &user,
        &device,
        &repair,
        "MBP-0114",
        office.clock.now(),
    )
    .await
    .unwrap();
    pass(&office).await;
    assert_eq!(to_olga(&office).len(), 1);
    assert!(to_olga(&office)[0].contains("`MBP-0114`"));
    for _ in 0..3 {
        pass(&office).await;
    }
    assert_eq!(to_olga(&office).len(), 1, "nothing is said twice");
    // Wednesday, 21:00: due, but outside the hours; it goes out on Thursday at 8.
    office.pass_time(TimeDelta::hours(24));
    pass(&office).await;
    assert_eq!(to_olga(&office).len(), 1);
    office.pass_time(TimeDelta::hours(12));
    pass(&office).await;
    assert_eq!(to_olga(&office).len(), 2);
    let said = office.chat.in_channel("D-UOLGA");
    assert_eq!(
        said[1].thread.as_ref(),
        Some(&said[0].ts),
        "one thread for everything"
    );
    for _ in 0..40 {
        office.pass_time(TimeDelta::hours(12));
        pass(&office).await;
    }
    assert_eq!(to_olga(&office).len(), 4, "one message and three reminders");
}

#[tokio::test]
async fn asking_twice_asks_once_and_another_computer_joins_the_thread() {
    let office = Office::open().await;
    let (user, device, repair) = running(&office).await;
    let now = office.clock.now();
    request(&office.store, &user, &device, &repair, "MBP-0114", now)
        .await
        .unwrap();
    request(&office.store, &user, &device, &repair, "MBP-0114", now)
        .await
        .unwrap();
    pass(&office).await;
    request(
        &office.store,
        &user,
        &"guo009".into(),
        &repair,
        "MBP-0999",
        now,
    )
    .await
    .unwrap();
    office.send().await;
    let said = office.chat.in_channel("D-UOLGA");
    assert_eq!(said.len(), 2);
    assert!(said[1].text.contains("`MBP-0999` needs the same"));
    assert_eq!(said[1].thread.as_ref(), Some(&said[0].ts));
}

#[tokio::test]
async fn the_link_goes_to_the_companys_own_page_and_nowhere_else() {
    let office = Office::open().await;
    let (user, device, repair) = running(&office).await;
    request(
        &office.store,
        &user,
        &device,
        &repair,
        "MBP-0114",
        office.clock.now(),
    )
    .await
    .unwrap();
    pass(&office).await;
    let said = office.chat.in_channel("D-UOLGA").remove(0);
    let urls: Vec<&str> = said.blocks[1]["elements"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|one| one["url"].as_str())
        .collect();
    assert_eq!(urls.len(), 1);
    assert!(
        urls[0].starts_with("https://acme.okta.com/") && urls[0].contains("0oaApp"),
        "{urls:?}"
    );
    assert!(
        said.blocks[2].to_string().contains("<#C1>"),
        "it names where it can be checked"
    );
}

#[tokio::test]
async fn not_my_device_ends_the_reminders_and_tells_the_card() {
    let office = Office::open().await;
    let (user, device, repair) = running(&office).await;
    request(
        &office.store,
        &user,
        &device,
        &repair,
        "MBP-0114",
        office.clock.now(),
    )
    .await
    .unwrap();
    pass(&office).await;
    office.press("UCARL", "s.not_mine", "00uolga").await;
    assert!(office.told("UCARL").unwrap().contains("somebody else"));
    let before = office.store.sign_in_request(&user).await.unwrap().unwrap();
    assert_eq!(before.state, SignInRequestState::Open);
    office.press("UOLGA", "s.not_mine", "00uolga").await;
    let after = office.store.sign_in_request(&user).await.unwrap().unwrap();
    assert_eq!(after.state, SignInRequestState::NotMine);
    let said = office.chat.in_channel("C1");
    assert!(
        said.iter()
            .any(|said| said.thread.is_some() && said.text.contains("is not theirs")),
        "{said:?}"
    );
    office.pass_time(TimeDelta::days(8));
    pass(&office).await;
    assert_eq!(
        to_olga(&office).len(),
        2,
        "the message and the thanks for telling"
    );
}

#[tokio::test]
async fn later_is_quiet_for_a_day() {
    let office = Office::open().await;
    let (user, device, repair) = running(&office).await;
    request(
        &office.store,
        &user,
        &device,
        &repair,
        "MBP-0114",
        office.clock.now(),
    )
    .await
    .unwrap();
    pass(&office).await;
    office.pass_time(TimeDelta::hours(20));
    office.press("UOLGA", "s.later", "00uolga").await;
    office.pass_time(TimeDelta::hours(5));
    pass(&office).await;
    assert_eq!(to_olga(&office).len(), 2, "no reminder yet");
    office.pass_time(TimeDelta::hours(24));
    pass(&office).await;
    assert_eq!(to_olga(&office).len(), 3);
}

#[tokio::test]
async fn a_managed_computer_ends_the_request_with_thanks_and_the_next_one_waits_fourteen_days() {
    let office = Office::open().await;
    let (user, device, repair) = running(&office).await;
    request(
        &office.store,
        &user,
        &device,
        &repair,
        "MBP-0114",
        office.clock.now(),
    )
    .await
    .unwrap();
    pass(&office).await;
    end(&office, &repair).await;
    pass(&office).await;
    assert!(
        to_olga(&office)[1].contains("`MBP-0114` is managed again"),
        "{:?}",
        to_olga(&office)
    );
    let done = office.store.sign_in_request(&user).await.unwrap().unwrap();
    assert_eq!(done.state, SignInRequestState::Done);
    let now = office.pass_time(TimeDelta::days(2));
    request(
        &office.store,
        &user,
        &"guo009".into(),
        &repair,
        "MBP-0999",
        now,
    )
    .await
    .unwrap();
    let next = office.store.sign_in_request(&user).await.unwrap().unwrap();
    assert_eq!(next.opened_at, done.opened_at + TimeDelta::days(14));
    office.send().await;
    let thread = office.chat.in_channel("C1");
    assert!(
        thread
            .iter()
            .any(|said| said.text.contains("asked again in 11 d")),
        "{thread:?}"
    );
}

/// Ends a repair as managed.
async fn end(office: &Office, repair: &RepairId) {
    let lease = office.deps.node.own_lease().await.unwrap().unwrap();
    assert_eq!(lease.name(), node_lease("node-1"));
    office.store.claim_runs(&lease).await.unwrap();
    let record = office.store.repair(repair).await.unwrap().unwrap();
    let change = RepairChange::new(
        repair.clone(),
        record.version,
        RepairState::Managed,
        record.hops.clone(),
        office.clock.now(),
    );
    assert!(
        office
            .store
            .change_repair(&lease, &change, Together::default())
            .await
            .unwrap()
            .is_some()
    );
}

#[tokio::test]
async fn who_has_no_account_is_told_of_in_the_card() {
    let office = Office::open().await;
    let (user, device, repair) = running(&office).await;
    office
        .chat
        .account("UOLGA", "olga@elsewhere.com", Standing::Member);
    request(
        &office.store,
        &user,
        &device,
        &repair,
        "MBP-0114",
        office.clock.now(),
    )
    .await
    .unwrap();
    pass(&office).await;
    let said = office.chat.in_channel("C1");
    assert!(
        said.iter()
            .any(|said| said.text.contains("could not be reached in Slack")),
        "{said:?}"
    );
}
