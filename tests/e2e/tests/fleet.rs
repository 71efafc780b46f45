//! One cause behind many computers: one finding and one card, nobody repaired, then a canary, then the rest.

use chrono::TimeDelta;
use simulator::{FleetOptions, Incident, IncidentKind, Mdm, ScriptedDevice};
use unstuck::{
    domain::{FleetFindingId, ProposalId, WhyNot, fleet_gate::Phase},
    report::{SweepDocument, Target},
    store::FleetRecord,
};

use crate::support::{Wish, World};

/// These computers among healthy ones, so many that the belts let a batch through.
async fn world_with(stuck: Vec<ScriptedDevice>) -> World {
    let healthy = [Mdm::Jamf, Mdm::Intune]
        .into_iter()
        .flat_map(|mdm| (0..110).map(move |_| ScriptedDevice::new("healthy", mdm)));
    World::start(Wish {
        fleet: FleetOptions::scripted(stuck.into_iter().chain(healthy).collect()),
        ..Wish::default()
    })
    .await
}

async fn record(world: &World, id: &FleetFindingId) -> FleetRecord {
    let found = world.server.store.fleet_finding(id).await;
    found.expect("the store answers").expect("the finding")
}

/// The card of a fleet-wide finding as Slack shows it.
async fn card(world: &World, id: &FleetFindingId) -> (String, String) {
    let key = format!("fleet:{id}");
    let posted = world
        .until("the fleet card", async || {
            world
                .server
                .store
                .posted_message(&key)
                .await
                .expect("the outbox")
        })
        .await;
    let slack = world.sim.slack();
    let message = slack
        .message(&posted.channel, &posted.ts)
        .expect("the card in Slack");
    (posted.ts, serde_json::to_string(&message).expect("JSON"))
}

/// Presses "Mark as fixed".
async fn mark(world: &World, person: &str, id: &FleetFindingId) {
    let (ts, _) = card(world, id).await;
    let slack = world.sim.slack();
    let clicked = slack.click(person, &world.channel(), &ts, "f.fixed").await;
    clicked.expect("a click");
}

/// The one fleet-wide finding of a sweep.
fn only(document: &SweepDocument) -> (FleetFindingId, usize) {
    assert_eq!(
        document.fleet_findings.len(),
        1,
        "{:?}",
        document.fleet_findings
    );
    let one = &document.fleet_findings[0];
    (one.id.clone().expect("an id"), one.held)
}

/// Proposals with what they are about, undecided ones only.
fn open(document: &SweepDocument) -> Vec<(ProposalId, usize)> {
    let open = document
        .proposals
        .iter()
        .filter(|one| one.state.is_undecided());
    open.map(|one| (one.id.clone().expect("an id"), one.devices.len()))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_switched_off_fastpass_is_one_card_then_a_canary_then_the_rest() {
    let stuck = (0..8).map(|_| ScriptedDevice::new("fastpass_no_signin_since_cert", Mdm::Jamf));
    let world = world_with(stuck.collect()).await;
    world.sim.world().set_fastpass_active(false);
    let document = world.sweep().await;
    let (id, held) = only(&document);
    assert_eq!(
        (document.fleet_findings[0].cause.as_str(), held),
        ("fastpass_disabled", 8)
    );
    assert!(open(&document).is_empty(), "{:?}", document.proposals);
    for finding in &document.findings {
        assert_eq!(finding.cause.name(), "fastpass_disabled");
        assert_eq!(finding.why_not, Some(WhyNot::HeldByFleetFinding));
        assert_eq!(finding.playbook, None);
        let detail = finding.why_not_detail.clone().unwrap_or_default();
        assert!(detail.contains(id.as_str()), "{detail}");
    }
    let (_, text) = card(&world, &id).await;
    for part in [
        "FastPass is off: 8 computers",
        "8 device-users",
        "Mark as fixed",
    ] {
        assert!(text.contains(part), "{part} is missing in {text}");
    }

    // Somebody who may not changes nothing and is told why.
    let bystander = world.bystander();
    mark(&world, &bystander, &id).await;
    world
        .until("the refusal", async || {
            world.sim.slack().ephemerals(&bystander).pop()
        })
        .await;
    assert_eq!(record(&world, &id).await.phase, Phase::Open);

    world.sim.world().set_fastpass_active(true);
    mark(&world, &world.approver(), &id).await;
    world
        .until("the mark", async || {
            (record(&world, &id).await.phase == Phase::MarkedFixed).then_some(())
        })
        .await;

    // One computer, then five, then the rest, each by a card of its own; nobody is asked before.
    let mut batches = Vec::new();
    for _ in 0..3 {
        world
            .pass(TimeDelta::minutes(1), TimeDelta::minutes(1))
            .await;
        let document = world.sweep().await;
        let open = open(&document);
        assert_eq!(open.len(), 1, "{:?}", document.proposals);
        batches.push(open[0].1);
        world.approve(&open[0].0).await;
        world.finish(&open[0].0, 20).await;
    }
    assert_eq!(batches, [1, 5, 2]);
    assert_eq!(record(&world, &id).await.phase, Phase::Resumed);
    let document = world.sweep().await;
    assert!(
        document.fleet_findings.is_empty(),
        "{:?}",
        document.fleet_findings
    );
    assert_eq!(record(&world, &id).await.phase, Phase::Closed);
    let (_, text) = card(&world, &id).await;
    assert!(text.contains("nobody is affected any more"), "{text}");
    world.assert_safe().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reset_secret_is_one_finding_that_names_the_change_and_lets_go_by_canary() {
    let serials: Vec<String> = (0..5).map(|number| format!("C02PEND{number}")).collect();
    let stuck = serials
        .iter()
        .map(|serial| ScriptedDevice::new("profile_pending", Mdm::Jamf).serial(serial));
    let world = world_with(stuck.collect()).await;
    world.sim.world().reset_scep_secret(Mdm::Jamf);
    // What was delivered before goes on working; the profile arrives on these only now, with the old secret.
    world.sim.advance(TimeDelta::hours(2)).await;
    for serial in &serials {
        world.sim.world().set_push_enabled(serial, true);
        world.sim.world().check_in(serial);
    }
    world.sim.advance(TimeDelta::hours(2)).await;
    let document = world.sweep().await;
    let causes: Vec<_> = document
        .findings
        .iter()
        .map(|one| (one.cause.name(), one.why_not, one.evidence.clone()))
        .collect();
    assert_eq!(document.fleet_findings.len(), 1, "{causes:#?}");
    let (id, held) = only(&document);
    let finding = &document.fleet_findings[0];
    assert_eq!(
        (finding.cause.as_str(), finding.attribute.as_str(), held),
        ("ca_static_secret_rotated", "profile", 5)
    );
    let change = finding.change.clone().expect("the change");
    assert_eq!(change.event, "device.platform.secret_key.reset");
    assert!(change.by.is_some(), "{change:?}");
    assert!(open(&document).is_empty(), "{:?}", document.proposals);
    let (_, text) = card(&world, &id).await;
    assert!(
        text.contains("The SCEP secret was reset in Okta: 5 computers"),
        "{text}"
    );
    assert!(text.contains("Put the new secret into"), "{text}");

    world.sim.world().enter_scep_configuration(Mdm::Jamf);
    mark(&world, &world.approver(), &id).await;
    world
        .until("the mark", async || {
            (record(&world, &id).await.phase == Phase::MarkedFixed).then_some(())
        })
        .await;
    world
        .pass(TimeDelta::minutes(1), TimeDelta::minutes(1))
        .await;
    let document = world.sweep().await;
    let held = |document: &SweepDocument| -> usize {
        document.fleet_findings.iter().map(|one| one.held).sum()
    };
    assert_eq!(
        (record(&world, &id).await.phase, held(&document)),
        (Phase::Canary, 4)
    );
    // One is let go; this error does not pass by itself, so that no playbook sends the profile again.
    let let_go = document.findings.iter().find(|one| {
        serials
            .iter()
            .any(|serial| one.serial_number.as_deref() == Some(serial.as_str()))
            && one.why_not != Some(WhyNot::HeldByFleetFinding)
    });
    assert_eq!(let_go.map(|one| one.cause.name()), Some("profile_failed"));
}

/// The fleet-wide findings of the first sweep after an incident that began 20 hours ago and struck a dozen.
async fn found_after(kind: IncidentKind) -> (Vec<(String, String, usize)>, Vec<&'static str>) {
    let world = World::start(Wish {
        devices: 300,
        seed: 7,
        fleet: FleetOptions {
            incidents: vec![Incident::new(kind)],
            ..FleetOptions::default()
        },
        ..Wish::default()
    })
    .await;
    let document = world.sweep().await;
    assert!(document.sweep.complete, "{:?}", document.sweep.incomplete);
    let proposed: Vec<_> = document
        .proposals
        .iter()
        .flat_map(|one| &one.targets)
        .collect();
    for finding in &document.findings {
        if finding.why_not == Some(WhyNot::HeldByFleetFinding) {
            let is_it = |target: &&Target| Some(&target.device_id) == finding.device_id.as_ref();
            assert!(
                !proposed.iter().any(is_it),
                "held and proposed: {finding:?}"
            );
        }
    }
    let found = document.fleet_findings.iter();
    let found = found.map(|one| (one.cause.clone(), one.attribute.clone(), one.affected));
    let causes = document.findings.iter().map(|one| one.cause.name());
    (found.collect(), causes.collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_incident_is_one_fleet_finding_with_its_cause() {
    let expected = [
        (
            IncidentKind::SecretReset(Mdm::Jamf),
            "ca_static_secret_rotated",
        ),
        (
            IncidentKind::ConfigurationDeleted(Mdm::Jamf),
            "ca_scep_url_wrong_or_config_deleted",
        ),
        (IncidentKind::ChallengeFails, "ca_dynamic_challenge_failing"),
        (
            IncidentKind::DelegatedCredentialEnds,
            "ca_intune_delegated_credentials_invalid",
        ),
        (
            IncidentKind::AuthorityRenewed,
            "ca_okta_renewed_not_distributed",
        ),
        (
            IncidentKind::IssuerDeleted(Mdm::Intune),
            "ca_byo_issuer_not_uploaded",
        ),
        (IncidentKind::PushCertificateEnds, "mdm_push_channel_down"),
        (
            IncidentKind::ScopeGroupDropped(Mdm::Jamf),
            "profile_not_in_scope",
        ),
        (
            IncidentKind::ExpiryCohort(Mdm::Jamf),
            "profile_renewal_not_configured",
        ),
        (
            IncidentKind::RecordsCleanedUp(Mdm::Jamf),
            "cert_revoked_by_device_deletion",
        ),
        (IncidentKind::FastPassSwitchedOff, "fastpass_disabled"),
        (IncidentKind::RuleGroupDropped, "policy_user_out_of_scope"),
    ];
    let mut wrong = Vec::new();
    for (kind, cause) in expected {
        let (found, mut causes) = found_after(kind).await;
        let right = found.len() == 1 && found[0].0 == cause && found[0].2 >= 10;
        if !right {
            causes.sort_unstable();
            wrong.push((kind.name(), cause, found, causes.join(" ")));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fleet_with_single_faults_only_has_no_fleet_finding() {
    for seed in [1, 2, 3] {
        let world = World::start(Wish {
            devices: 400,
            seed,
            ..Wish::default()
        })
        .await;
        let document = world.sweep().await;
        assert!(
            document.fleet_findings.is_empty(),
            "{seed}: {:#?}",
            document.fleet_findings
        );
    }
}
