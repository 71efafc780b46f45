//! Incidents: the trace in the log, the members, and the others.

use chrono::Duration;
use serde_json::Value;

use super::{Company, of_type};
use crate::{FleetOptions, Incident, IncidentKind, Mdm, SignInOutcome};

const ALL: [IncidentKind; 16] = [
    IncidentKind::SecretReset(Mdm::Jamf),
    IncidentKind::ConfigurationDeleted(Mdm::Jamf),
    IncidentKind::ChallengeFails,
    IncidentKind::DelegatedCredentialEnds,
    IncidentKind::AuthorityRenewed,
    IncidentKind::IssuerDeleted(Mdm::Jamf),
    IncidentKind::RevocationListUnreadable(Mdm::Intune),
    IncidentKind::PushCertificateEnds,
    IncidentKind::ScopeGroupDropped(Mdm::Jamf),
    IncidentKind::ExpiryCohort(Mdm::Intune),
    IncidentKind::RecordsCleanedUp(Mdm::Jamf),
    IncidentKind::FastPassSwitchedOff,
    IncidentKind::BrowserRelease(Mdm::Intune),
    IncidentKind::ManagedRuleWeakened,
    IncidentKind::AppsRemapped,
    IncidentKind::RuleGroupDropped,
];

/// The trace of an incident: the type and the actor of its events.
fn trace(kind: IncidentKind) -> Option<(&'static str, &'static str)> {
    Some(match kind {
        IncidentKind::SecretReset(_) => ("device.platform.secret_key.reset", "User"),
        IncidentKind::ConfigurationDeleted(_) => ("device.platform.delete", "User"),
        IncidentKind::ChallengeFails => ("device.platform.update", "User"),
        IncidentKind::AuthorityRenewed => ("pki.ca.renew", "SystemPrincipal"),
        IncidentKind::IssuerDeleted(_) => ("pki.ca.delete", "User"),
        IncidentKind::RevocationListUnreadable(_) => {
            ("pki.cert.crl_download_failure", "SystemPrincipal")
        }
        IncidentKind::RecordsCleanedUp(_) => ("device.lifecycle.delete", "User"),
        IncidentKind::FastPassSwitchedOff => {
            ("security.authenticator.lifecycle.deactivate", "User")
        }
        IncidentKind::ManagedRuleWeakened
        | IncidentKind::AppsRemapped
        | IncidentKind::RuleGroupDropped => ("application.policy.sign_on.update", "User"),
        IncidentKind::DelegatedCredentialEnds
        | IncidentKind::PushCertificateEnds
        | IncidentKind::ScopeGroupDropped(_)
        | IncidentKind::ExpiryCohort(_)
        | IncidentKind::BrowserRelease(_) => return None,
    })
}

#[tokio::test]
async fn every_incident_leaves_its_trace_and_its_members_its_cause() {
    for kind in ALL {
        let company = Company::struck_by(Incident::new(kind)).await;
        let now = company.simulator.clock().now();
        let members: Vec<_> = company
            .simulator
            .truth()
            .iter()
            .filter(|truth| truth.incident.is_some())
            .collect();
        assert!(members.len() >= 12, "{kind:?} {}", members.len());
        for truth in &members {
            assert_eq!(truth.cause, kind.cause(), "{kind:?}");
            assert!(truth.decidable, "{kind:?} {}", truth.why);
            assert!(truth.built, "{kind:?}");
            let (device, user) = (&truth.device_id, &truth.user_id);
            if let (Some(device), Some(user)) = (device, user) {
                assert!(
                    !company.simulator.world().is_managed(user, device),
                    "{kind:?}"
                );
            }
        }
        if let Some((event, actor)) = trace(kind) {
            let log = company.log().await;
            let events = of_type(&log, event);
            assert!(!events.is_empty(), "{kind:?}");
            assert_eq!(events[0]["actor"]["type"], actor, "{kind:?}");
            let at: chrono::DateTime<chrono::Utc> =
                events[0]["published"].as_str().unwrap().parse().unwrap();
            assert!(now - at <= Duration::hours(21), "{kind:?} {at}");
        }
    }
}

#[tokio::test]
async fn nobody_of_the_struck_profile_gets_a_certificate_since() {
    for kind in [
        IncidentKind::SecretReset(Mdm::Jamf),
        IncidentKind::DelegatedCredentialEnds,
        IncidentKind::AuthorityRenewed,
    ] {
        let options = FleetOptions {
            incidents: vec![Incident::new(kind)],
            built_causes_only: false,
            ..FleetOptions::default()
        };
        let company = Company::start(300, options, |truth| truth.incident.is_some()).await;
        let onset = company.simulator.clock().now() - Duration::hours(20);
        let late = company.simulator.world().with(|state| {
            let certificates = state.certificates.values();
            certificates.filter(|found| found.issued > onset).count()
        });
        assert_eq!(late, 0, "{kind:?}");
        // What is delivered from now on fails as well.
        company.simulator.advance(Duration::days(1)).await;
        let held = company.simulator.world().with(|state| {
            let machine = state.machine_by_serial(&company.truth.serial).unwrap();
            state.machine(machine).certificates.len()
        });
        assert_eq!(held, 0, "{kind:?}");
    }
}

#[tokio::test]
async fn what_waits_for_a_dead_push_certificate_waits_on() {
    let incident = Incident::new(IncidentKind::PushCertificateEnds);
    let company = Company::struck_by(incident).await;
    let queued = || async {
        let id = company.computer().await["id"].as_str().unwrap().to_owned();
        let path = format!("/JSSResource/computerhistory/id/{id}/subset/Commands");
        let history = company.jamf(&path).await;
        let commands = history["computer_history"]["commands"].clone();
        commands["pending"].as_array().unwrap().len()
    };
    let before = queued().await;
    assert!(before >= 4, "{before}");
    company.simulator.advance(Duration::days(2)).await;
    assert_eq!(queued().await, before);
}

#[tokio::test]
async fn a_clean_up_job_has_one_token() {
    let incident = Incident::new(IncidentKind::RecordsCleanedUp(Mdm::Jamf));
    let company = Company::struck_by(incident).await;
    let log = company.log().await;
    let deletions = of_type(&log, "device.lifecycle.delete");
    assert_eq!(deletions.len(), 12);
    let token = |event: &Value| event["transaction"]["detail"]["requestApiTokenId"].clone();
    assert!(token(deletions[0]).is_string());
    assert!(
        deletions
            .iter()
            .all(|event| token(event) == token(deletions[0]))
    );
}

#[tokio::test]
async fn own_faults_outlive_an_incident() {
    let options = FleetOptions {
        stuck_share: 0.2,
        incidents: vec![Incident::new(IncidentKind::SecretReset(Mdm::Jamf))],
        ..FleetOptions::default()
    };
    let company = Company::start(200, options, |truth| truth.incident.is_some()).await;
    let truths = company.simulator.truth();
    let own = truths
        .iter()
        .filter(|truth| truth.cause != "healthy" && truth.incident.is_none());
    assert!(own.count() >= 40);
}

#[tokio::test]
async fn mapped_apps_still_attest_after_a_remap() {
    let company = Company::struck_by(Incident::new(IncidentKind::AppsRemapped)).await;
    let (user, device) = (&company.truth.user_id, &company.truth.device_id);
    let (user, device) = (user.as_deref().unwrap(), device.as_deref().unwrap());
    let outcome = company
        .simulator
        .world()
        .sign_in_with_fastpass(user, device);
    assert_eq!(outcome, SignInOutcome::Managed);
}
