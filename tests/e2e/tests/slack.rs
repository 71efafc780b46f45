//! Clicks, modals and commands on the wire: what counts, what changes nothing and says why.

use chrono::TimeDelta;
use serde_json::json;
use simulator::{FleetOptions, Mdm, ScriptedDevice};
use unstuck::domain::{ProposalId, ProposalState};

use crate::support::{Wish, World};

async fn with_a_card() -> (World, ProposalId, String) {
    let device = ScriptedDevice::new("cert_expired", Mdm::Jamf).owner("ann@acme.example");
    let world = World::start(Wish {
        fleet: FleetOptions::scripted(vec![device]),
        ..Wish::default()
    })
    .await;
    let document = world.sweep().await;
    let id = document.proposals[0].id.clone().expect("an id");
    let (ts, _) = world.card(&id).await;
    (world, id, ts)
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_who_is_no_approver_is_refused_and_told_why() {
    let (world, id, ts) = with_a_card().await;
    let bob = world.bystander();
    world
        .sim
        .slack()
        .click(&bob, &world.channel(), &ts, "p.approve")
        .await
        .expect("a click");
    let told = world
        .until("the refusal", async || {
            world.sim.slack().ephemerals(&bob).pop()
        })
        .await;
    let told = serde_json::to_string(&told).expect("JSON");
    assert!(told.contains("may"), "{told}");
    assert_eq!(
        world.proposal(&id).await.state,
        ProposalState::AwaitingApproval
    );
    assert!(world.repairs(&id).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_click_that_is_delivered_twice_counts_once() {
    let (world, id, ts) = with_a_card().await;
    world.sim.slack().duplicate_next_delivery();
    world
        .sim
        .slack()
        .click(&world.approver(), &world.channel(), &ts, "p.approve")
        .await
        .expect("a click");
    world
        .until("the approval", async || {
            (!world.proposal(&id).await.state.is_undecided()).then_some(())
        })
        .await;
    let decisions = world.server.store.decisions(&id).await.expect("decisions");
    assert_eq!(decisions.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forged_digest_changes_nothing() {
    let (world, id, ts) = with_a_card().await;
    let approver = world.approver();
    let click = world
        .sim
        .slack()
        .prepare_click(&approver, &world.channel(), &ts, "p.approve")
        .expect("a click");
    world
        .sim
        .slack()
        .deliver_interaction(&click.with_value(&format!("{id}|1|deadbeef")))
        .await
        .expect("delivered");
    world
        .until("the refusal", async || {
            world.sim.slack().ephemerals(&approver).pop()
        })
        .await;
    assert_eq!(
        world.proposal(&id).await.state,
        ProposalState::AwaitingApproval
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_denial_needs_a_reason_and_is_remembered() {
    let (world, id, ts) = with_a_card().await;
    let approver = world.approver();
    world
        .sim
        .slack()
        .click(&approver, &world.channel(), &ts, "p.deny")
        .await
        .expect("a click");
    let view = world
        .until("the modal", async || {
            world.sim.slack().views(&approver).pop()
        })
        .await;
    let values = [
        ("why", json!("wrong")),
        ("note", json!("that Mac is being replaced")),
    ];
    world
        .sim
        .slack()
        .submit_view(&approver, &view.id, values)
        .await
        .expect("a submission");
    world
        .until("the denial", async || {
            (world.proposal(&id).await.state == ProposalState::Denied).then_some(())
        })
        .await;
    let again = world.sweep().await;
    assert!(again.proposals.is_empty(), "it asked again");
    let why = again.findings[0]
        .why_not
        .map(unstuck::wording::why_not_word);
    assert_eq!(why.as_deref(), Some("denied"));
    assert!(world.sim.ledger().effects_of("jamf").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn why_answers_in_slack_with_a_sentence_to_forward() {
    let (world, _, _) = with_a_card().await;
    let serial = world.proposals().await[0].plan.repairs[0]
        .serial_number
        .clone()
        .expect("a serial number");
    let approver = world.approver();
    let reply = world
        .sim
        .slack()
        .slash(
            &approver,
            &world.channel(),
            &format!("/unstuck why {serial}"),
        )
        .await
        .expect("a reply");
    let reply = format!("{reply:?}");
    assert!(reply.contains("expired"), "{reply}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_between_card_and_click_loses_nothing() {
    let (mut world, id, ts) = with_a_card().await;
    world.restart().await;
    world
        .sim
        .slack()
        .click(&world.approver(), &world.channel(), &ts, "p.approve")
        .await
        .expect("a click");
    world
        .until("the approval", async || {
            (!world.proposal(&id).await.state.is_undecided()).then_some(())
        })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_stop_file_shows_on_the_card_and_in_status_and_refuses_approvals() {
    let (world, id, ts) = with_a_card().await;
    let slack = world.sim.slack();
    let approver = world.approver();
    let early = slack
        .prepare_click(&approver, &world.channel(), &ts, "p.approve")
        .expect("a click");
    std::fs::write(world.settings.stop_file(), "").expect("the stop file");
    world.settle().await;
    let (_, card) = world.card(&id).await;
    let card = card.to_string();
    assert!(card.contains("Stopped by the stop file"), "{card}");
    assert!(!card.contains("p.approve"), "{card}");
    let status = slack
        .slash(&approver, &world.channel(), "/unstuck status")
        .await
        .expect("a reply");
    let status = format!("{status:?}");
    assert!(
        status.contains("everything is stopped by the stop file"),
        "{status}"
    );

    let before = slack.ephemerals(&approver).len();
    slack.deliver_interaction(&early).await.expect("delivered");
    let told = world
        .until("the refusal", async || {
            slack.ephemerals(&approver).into_iter().nth(before)
        })
        .await;
    assert!(format!("{told:?}").contains("the stop file"), "{told:?}");
    assert!(world.proposal(&id).await.state.is_undecided());

    std::fs::remove_file(world.settings.stop_file()).expect("removed");
    world
        .pass(TimeDelta::seconds(5), TimeDelta::seconds(1))
        .await;
    let said = slack.messages(&world.channel());
    assert!(
        said.iter().any(|one| one.text.contains("goes on")),
        "{said:?}"
    );
    let (_, card) = world.card(&id).await;
    assert!(card.to_string().contains("p.approve"), "{card}");
    world.approve(&id).await;
}
