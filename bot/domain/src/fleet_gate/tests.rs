//! Every signature fires on what it describes and on nothing less; members and canaries are who they have to be.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;

use super::*;
use crate::{
    ChallengeKind, DeviceChange, EventClass, LifecycleSeen, ManagementStatus, ProfileState,
    Symptom, UserDetail, UserId,
    correlate::normalise,
    sample::{At, INTUNE, JAMF, Org, days_ago, hours_ago, now},
};

/// Healthy computers in each MDM.
const HEALTHY: usize = 40;

/// One row of the table: what the org shows, and what each failing computer does.
#[derive(Clone, Copy)]
struct Row {
    /// What is declared.
    cause: Cause,
    /// What the members show themselves.
    own: Cause,
    shared: Attribute,
    mdm: usize,
    least: usize,
    /// Onset of the failing ones, hours ago.
    hours: i64,
    /// What happened in the org, so many hours ago.
    org: fn(&mut Org, i64),
    /// What a computer shows; `bool`: whether it is one of the failing.
    computer: fn(&mut Org, At, &str, bool),
    /// What excludes it beside too few computers.
    excluded_by: &'static [Not],
}

#[derive(Clone, Copy, PartialEq, Debug)]
enum Not {
    /// The faults began before the change.
    BeforeTheChange,
    /// The others fail just as often.
    SiblingsFail,
    /// One with the same value got a certificate since.
    SiblingsWork,
}

use Not::{BeforeTheChange, SiblingsFail, SiblingsWork};

const EVENT_HOURS: i64 = 20;

fn nothing(_: &mut Org, _: i64) {}

fn plain(_: &mut Org, _: At, _: &str, _: bool) {}

fn event(org: &mut Org, event_type: &str, hours: i64) {
    org.seen.log.org_changes.push(OrgChangeSeen {
        at: hours_ago(hours),
        event_type: event_type.to_owned(),
        actor: Some("Carla Admin".to_owned()),
        target: Some("Desktop SCEP".to_owned()),
    });
}

fn challenge(org: &mut Org, kind: ChallengeKind) {
    for mdm in &mut org.seen.mdms {
        mdm.profiles[0].scep.challenge = Some(kind);
    }
}

/// The profile failed with these words.
fn failed(org: &mut Org, at: At, failing: bool, error: &str) {
    if failing {
        org.profile(at).state = ProfileState::Failed {
            error: error.to_owned(),
        };
        org.remove_certificate(at);
    }
}

/// The profile waits for the computer.
fn pending(org: &mut Org, at: At, _: &str, failing: bool) {
    if failing {
        org.profile(at).state = ProfileState::Pending;
        org.remove_certificate(at);
    }
}

fn row(cause: Cause, own: Cause) -> Row {
    Row {
        cause,
        own,
        shared: Attribute::Profile,
        mdm: JAMF,
        least: 3,
        hours: 10,
        org: nothing,
        computer: plain,
        excluded_by: &[],
    }
}

fn table() -> Vec<Row> {
    use Cause as C;
    const CHANGE: &[Not] = &[BeforeTheChange, SiblingsFail, SiblingsWork];
    let issuer = |cause, own| Row {
        shared: Attribute::Issuer,
        computer: |org, at, _, failing| {
            if failing {
                org.certificate(at).issuer = Some("CN=Acme CA".into());
            }
        },
        excluded_by: &[BeforeTheChange],
        ..row(cause, own)
    };
    let policy = |cause, hours_event: fn(&mut Org, i64)| Row {
        shared: Attribute::Policy,
        org: hours_event,
        excluded_by: &[BeforeTheChange],
        ..row(cause, cause)
    };
    let bad = |shared, cause, own, computer: fn(&mut Org, At, &str, bool)| Row {
        shared,
        least: 10,
        computer,
        excluded_by: &[SiblingsFail],
        ..row(cause, own)
    };
    vec![
        Row {
            org: |org, hours| {
                challenge(org, ChallengeKind::Static);
                event(org, "device.platform.secret_key.reset", hours);
            },
            excluded_by: CHANGE,
            ..row(C::CaStaticSecretRotated, C::ProfileFailed)
        },
        Row {
            org: |org, hours| event(org, "device.platform.delete", hours),
            excluded_by: CHANGE,
            ..row(C::CaScepUrlWrong, C::ProfileInstalledNoCert)
        },
        Row {
            org: |org, hours| {
                challenge(org, ChallengeKind::Dynamic);
                event(org, "device.platform.update", hours);
            },
            excluded_by: CHANGE,
            ..row(C::CaDynamicChallengeFailing, C::ProfileFailed)
        },
        Row {
            org: |org, hours| {
                challenge(org, ChallengeKind::Static);
                event(org, "device.platform.update", hours);
            },
            excluded_by: CHANGE,
            ..row(C::CaScepUrlWrong, C::ProfileFailed)
        },
        Row {
            org: |org, hours| event(org, "pki.ca.renew", hours),
            excluded_by: CHANGE,
            ..row(C::CaRenewedNotDistributed, C::ProfileFailed)
        },
        Row {
            computer: |org, at, _, failing| {
                failed(
                    org,
                    at,
                    failing,
                    "The hash value is not correct. (0x80091007)",
                )
            },
            excluded_by: &[SiblingsFail],
            ..row(C::CaTrustedCertMismatch, C::ProfileFailed)
        },
        Row {
            org: |org, hours| event(org, "pki.ca.delete", hours),
            ..issuer(C::CaByoIssuerNotUploaded, C::Unexplained)
        },
        Row {
            org: |org, hours| event(org, "pki.ca.expiration.warn", hours),
            ..issuer(C::CaByoIssuerNotUploaded, C::CertWrongIssuer)
        },
        Row {
            org: |org, hours| event(org, "pki.ca.scope.mapping.update", hours),
            ..issuer(C::CaWrongScepPurpose, C::Unexplained)
        },
        Row {
            org: |org, hours| event(org, "pki.cert.crl_download_failure", hours),
            ..issuer(C::CaByoCrlProblem, C::CaByoCrlProblem)
        },
        Row {
            mdm: INTUNE,
            computer: |org, at, _, failing| {
                failed(
                    org,
                    at,
                    failing,
                    "A string contains a non-printable character",
                )
            },
            excluded_by: &[SiblingsFail],
            ..row(C::CaChallengeUnprintable, C::ProfileFailed)
        },
        Row {
            mdm: INTUNE,
            least: 10,
            excluded_by: &[SiblingsFail],
            ..row(C::ProfileInstalledNoCert, C::ProfileInstalledNoCert)
        },
        Row {
            mdm: INTUNE,
            shared: Attribute::Mdm,
            least: 10,
            org: |org, _| challenge(org, ChallengeKind::Delegated),
            excluded_by: &[SiblingsFail],
            ..row(C::CaIntuneCredentialsInvalid, C::ProfileFailed)
        },
        Row {
            shared: Attribute::Mdm,
            least: 10,
            excluded_by: &[SiblingsFail],
            computer: pending,
            ..row(C::MdmPushChannelDown, C::ProfilePending)
        },
        Row {
            shared: Attribute::Mdm,
            org: |org, hours| {
                org.seen.mdms[JAMF].push_certificate_expires_at = Some(hours_ago(hours))
            },
            excluded_by: &[BeforeTheChange, SiblingsFail, SiblingsWork],
            computer: pending,
            ..row(C::MdmPushChannelDown, C::ProfilePending)
        },
        Row {
            least: 10,
            org: |org, hours| org.seen.mdms[JAMF].profiles[0].modified_at = Some(hours_ago(hours)),
            excluded_by: &[BeforeTheChange],
            computer: pending,
            ..row(C::ProfilePending, C::ProfilePending)
        },
        Row {
            shared: Attribute::Actor,
            least: 5,
            computer: |org, at, _, failing| {
                if failing {
                    let serial = org.device(at).serial_number.clone().unwrap_or_default();
                    let deletion = LifecycleSeen {
                        change: DeviceChange::Deleted,
                        device: format!("old-{serial}").as_str().into(),
                        at: hours_ago(10),
                        actor: Some("clean-up token".to_owned()),
                    };
                    let serial = normalise(&serial).unwrap();
                    org.seen.log.deletions.insert(serial, deletion);
                }
            },
            ..row(C::CertRevokedByDeletion, C::CertRevokedByDeletion)
        },
        Row {
            least: 10,
            computer: |org, at, _, failing| {
                if failing {
                    org.certificate(at).expires_at = Some(hours_ago(10));
                }
            },
            ..row(C::ProfileRenewalNotConfigured, C::CertExpired)
        },
        bad(
            Attribute::Site,
            C::CaScepUnreachable,
            C::ProfileFailed,
            |org, at, _, failing| {
                let site = if failing { "Lyon" } else { "Berlin" };
                org.record(at).site = Some(site.to_owned());
            },
        ),
        bad(
            Attribute::Site,
            C::FastpassProbeBlocked,
            C::FastpassProbeBlocked,
            |org, at, _, failing| {
                let site = if failing { "Lyon" } else { "Berlin" };
                org.record(at).site = Some(site.to_owned());
            },
        ),
        bad(
            Attribute::OsVersion,
            C::FastpassProbeBlocked,
            C::FastpassProbeBlocked,
            |org, at, _, failing| {
                let version = if failing { "26.1" } else { "15.7" };
                org.device(at).os_version = Some(version.to_owned());
            },
        ),
        bad(
            Attribute::OsVersion,
            C::OsUnsupported,
            C::OsUnsupported,
            |org, at, _, failing| {
                let version = if failing { "12.0" } else { "15.7" };
                org.device(at).os_version = Some(version.to_owned());
            },
        ),
        bad(
            Attribute::OktaVerifyVersion,
            C::OvOutdated,
            C::OvOutdated,
            |org, at, _, failing| {
                let version = if failing { "9.1.0" } else { "9.30.0" };
                org.device(at).okta_verify_version = Some(version.to_owned());
            },
        ),
        policy(C::PolicyNoManagedRule, |org, hours| {
            event(org, "policy.rule.update", hours)
        }),
        policy(C::PolicyRuleShadowed, |org, hours| {
            event(org, "policy.rule.add", hours)
        }),
        policy(C::PolicyRegisteredNotManagedRule, |org, hours| {
            event(org, "application.policy.sign_on.rule.create", hours)
        }),
        policy(C::PolicyAppNotMapped, |org, hours| {
            event(org, "application.policy.sign_on.update", hours)
        }),
        policy(C::PolicyUserOutOfScope, |org, hours| {
            event(org, "policy.rule.update", hours)
        }),
    ]
}

/// A fleet with healthy computers in both MDMs, and the failing ones of a row.
struct Fleet {
    org: Org,
    row: Row,
    failing: BTreeSet<DeviceId>,
    /// Healthy ones that fail as well.
    siblings: BTreeSet<DeviceId>,
    state: FleetState,
}

impl Fleet {
    fn of(row: Row, failing: usize) -> Self {
        Self::with_event(row, failing, EVENT_HOURS)
    }

    fn with_event(row: Row, failing: usize, hours: i64) -> Self {
        let mut org = Org::empty();
        let mut sick = BTreeSet::new();
        for mdm in [JAMF, INTUNE] {
            for number in 0..HEALTHY {
                let user = format!("healthy{mdm}{number}");
                let at = org.add(mdm, &format!("H{mdm}{number:05}"), &user);
                manage(&mut org, at);
                (row.computer)(&mut org, at, &user, false);
            }
        }
        for number in 0..failing {
            let user = format!("sick{number}");
            let at = org.add(row.mdm, &format!("S{number:06}"), &user);
            org.profile(at).since = Some(hours_ago(row.hours));
            (row.computer)(&mut org, at, &user, true);
            sick.insert(org.device(at).id.clone());
        }
        (row.org)(&mut org, hours);
        Self {
            org,
            row,
            failing: sick,
            siblings: BTreeSet::new(),
            state: FleetState {
                playbook_causes: [row.own].into(),
                ..FleetState::default()
            },
        }
    }

    /// Healthy ones that do not have the value fail just as often.
    fn let_siblings_fail(&mut self) {
        let by_mdm = matches!(self.row.shared, Attribute::Mdm | Attribute::Profile);
        let mdm = match by_mdm {
            true => 1 - self.row.mdm,
            false => self.row.mdm,
        };
        let platform = self.org.seen.mdms[mdm].platforms[0];
        for device in &mut self.org.seen.okta.devices {
            if device.platform == platform && !self.failing.contains(&device.id) {
                set(device, ManagementStatus::NotManaged);
                self.siblings.insert(device.id.clone());
            }
        }
        self.org.seen.okta.confirmed.clear();
    }

    /// One with the same value got profile and certificate a moment ago.
    fn let_a_sibling_work(&mut self) {
        let record = &mut self.org.seen.mdms[self.row.mdm].devices[0];
        record.certificates.as_mut().unwrap()[0].issued_at = Some(hours_ago(1));
    }

    /// What the gate says where these cases show the row's own cause.
    fn gate(&self) -> Gated {
        self.gate_with(self.row.own, hours_ago(self.row.hours))
    }

    fn gate_with(&self, own: Cause, since: DateTime<Utc>) -> Gated {
        let mut found = self.org.findings();
        for case in &mut found.findings {
            let device = case.finding.device_id.as_ref().unwrap();
            if self.failing.contains(device) || self.siblings.contains(device) {
                case.diagnosis.cause = own;
                case.finding.cause = own;
                case.diagnosis.symptom = Some(Symptom {
                    text: own.name().into(),
                    since: Some(since),
                });
            }
        }
        gate(&found, &self.state, true)
    }

    fn declared(&self, gated: &Gated) -> bool {
        gated
            .findings
            .iter()
            .any(|one| one.cause == self.row.cause && one.attribute == self.row.shared)
    }

    fn shown(&self) -> String {
        format!(
            "{} by {} from {}",
            self.row.cause,
            self.row.shared.word(),
            self.row.own
        )
    }
}

fn set(device: &mut crate::OktaDevice, status: ManagementStatus) {
    for link in device.users.iter_mut().flatten() {
        link.management_status = Some(status);
    }
}

fn manage(org: &mut Org, at: At) {
    let device = org.device(at);
    set(device, ManagementStatus::Managed);
    let id = device.id.clone();
    org.seen.okta.confirmed.remove(&id);
}

fn devices(members: &BTreeSet<Member>) -> BTreeSet<DeviceId> {
    members.iter().map(|(device, _)| device.clone()).collect()
}

#[test]
fn every_signature_fires_on_just_enough_computers() {
    for row in table() {
        let fleet = Fleet::of(row, row.least);
        let gated = fleet.gate();
        assert!(
            fleet.declared(&gated),
            "{}: {:#?}",
            fleet.shown(),
            gated.findings
        );
        assert_eq!(gated.findings.len(), 1, "{}", fleet.shown());
        let finding = &gated.findings[0];
        assert_eq!(
            devices(&finding.members),
            fleet.failing,
            "{}",
            fleet.shown()
        );
        assert_eq!(gated.held.len(), row.least, "{}", fleet.shown());
    }
}

#[test]
fn one_computer_less_is_no_fleet_finding() {
    for row in table() {
        let fleet = Fleet::of(row, row.least - 1);
        assert!(!fleet.declared(&fleet.gate()), "{}", fleet.shown());
    }
}

#[test]
fn another_cause_is_no_member_and_no_trigger() {
    for row in table() {
        let fleet = Fleet::of(row, row.least);
        let gated = fleet.gate_with(Cause::OktaRecordStale, hours_ago(row.hours));
        assert!(gated.findings.is_empty(), "{}", fleet.shown());
    }
}

#[test]
fn what_began_before_the_change_is_not_explained_by_it() {
    for row in table() {
        if row.excluded_by.contains(&BeforeTheChange) {
            let fleet = Fleet::with_event(row, row.least, row.hours - 5);
            let mut gated = fleet.gate();
            gated.findings.retain(|finding| finding.change.is_some());
            assert!(!fleet.declared(&gated), "{}", fleet.shown());
        }
    }
}

#[test]
fn siblings_that_fail_as_well_point_elsewhere() {
    for row in table() {
        if row.excluded_by.contains(&SiblingsFail) {
            let mut fleet = Fleet::of(row, row.least);
            fleet.let_siblings_fail();
            let gated = fleet.gate();
            let alone = gated.findings.iter().any(|one| {
                one.cause == row.cause
                    && one.attribute == row.shared
                    && !devices(&one.members).is_disjoint(&fleet.failing)
            });
            assert!(!alone, "{}: {:#?}", fleet.shown(), gated.findings);
        }
    }
}

#[test]
fn a_sibling_that_got_a_certificate_since_excludes_a_broken_authority() {
    for row in table() {
        if row.excluded_by.contains(&SiblingsWork) {
            let mut fleet = Fleet::of(row, row.least);
            fleet.let_a_sibling_work();
            assert!(!fleet.declared(&fleet.gate()), "{}", fleet.shown());
        }
    }
}

fn reset() -> Row {
    table()[0]
}

#[test]
fn the_change_and_its_author_are_named() {
    let gated = Fleet::of(reset(), 4).gate();
    let finding = &gated.findings[0];
    assert_eq!(finding.since, Some(hours_ago(EVENT_HOURS)));
    let change = finding.change.as_ref().unwrap();
    assert_eq!(change.actor.as_deref(), Some("Carla Admin"));
    assert_eq!(finding.value, "Okta SCEP (jamf)");
    let facts: Vec<_> = finding
        .evidence
        .iter()
        .map(|one| one.fact.as_str())
        .collect();
    assert!(
        facts.contains(&"device.platform.secret_key.reset"),
        "{facts:?}"
    );
    assert!(
        facts.contains(&"device.platform.secret_key.reset.actor"),
        "{facts:?}"
    );
    assert!(finding.id.as_str().starts_with("F-") && finding.id.as_str().len() == 8);
}

#[test]
fn the_same_finding_keeps_its_id_over_dry_runs() {
    let fleet = Fleet::of(reset(), 4);
    assert_eq!(fleet.gate().findings[0].id, fleet.gate().findings[0].id);
}

#[test]
fn an_incomplete_sweep_declares_nothing() {
    let fleet = Fleet::of(reset(), 5);
    let found = fleet.org.findings();
    assert!(gate(&found, &fleet.state, false).findings.is_empty());
}

#[test]
fn proof_pending_never_declares_anything() {
    let mut org = Org::empty();
    for number in 0..60 {
        org.add(JAMF, &format!("P{number:05}"), &format!("user{number}"));
    }
    event(&mut org, "device.platform.secret_key.reset", EVENT_HOURS);
    event(&mut org, "policy.rule.update", EVENT_HOURS);
    let gated = gate(&org.findings(), &FleetState::default(), true);
    assert_eq!(gated.findings, vec![]);
}

#[test]
fn proof_pending_belongs_to_what_makes_a_sign_in_useless() {
    let mut org = Org::empty();
    for number in 0..4 {
        org.add(JAMF, &format!("P{number:05}"), &format!("user{number}"));
    }
    let pending = |org: &Org| {
        let mut found = org.findings();
        for case in &mut found.findings {
            case.diagnosis.cause = Cause::FastpassNoSigninSinceCert;
        }
        gate(&found, &FleetState::default(), true)
    };
    org.seen.okta.policies.fastpass_active = Some(false);
    let gated = pending(&org);
    assert_eq!(gated.findings[0].cause, Cause::FastpassDisabled);
    assert_eq!(gated.findings[0].confidence, Confidence::High);
    assert_eq!(gated.findings[0].members.len(), 4);

    org.seen.okta.policies.fastpass_active = Some(true);
    org.rule().managed = None;
    org.rule().registered = None;
    let gated = pending(&org);
    assert_eq!(gated.findings[0].cause, Cause::PolicyNoManagedRule);
    assert_eq!(gated.findings[0].members.len(), 4);
}

/// Ten faults without a change, told by the OS version alone.
fn unusual_row() -> Row {
    Row {
        shared: Attribute::OsVersion,
        least: 10,
        computer: |org, at, _, failing| {
            let version = if failing { "26.1" } else { "15.7" };
            org.device(at).os_version = Some(version.to_owned());
            // Otherwise "Intune" or "the profile" would tell as much.
            if !failing {
                org.record(at).enrolled_at = Some(days_ago(300));
            }
        },
        ..row(Cause::CertMissing, Cause::CertMissing)
    }
}

#[test]
fn without_history_ten_that_fail_five_times_as_often_are_one_finding() {
    let fleet = Fleet::of(unusual_row(), 10);
    let gated = fleet.gate();
    assert_eq!(gated.findings.len(), 1, "{:#?}", gated.findings);
    assert_eq!(gated.findings[0].cause, Cause::CertMissing);
    assert!(Fleet::of(unusual_row(), 9).gate().findings.is_empty());
}

#[test]
fn with_history_what_is_usual_is_no_finding() {
    let mut fleet = Fleet::of(unusual_row(), 10);
    fleet.state.history_since = Some(days_ago(30));
    let findings = fleet.gate().findings;
    assert_eq!(
        findings.len(),
        1,
        "nothing of the kind is usual: {findings:#?}"
    );
    // Ten a day are usual here, for whatever they share.
    for ((_, key), _) in fleet.gate().new_faults {
        fleet.state.usual.insert(key, 140);
    }
    for attribute in [
        Attribute::Profile,
        Attribute::OsVersion,
        Attribute::Model,
        Attribute::Mdm,
        Attribute::EnrolmentWeek,
    ] {
        let values = ["26.1", "Okta SCEP (jamf)", "Model", "jamf", "2026-W39"];
        for value in values {
            let key = (Cause::CertMissing, attribute, value.to_owned());
            fleet.state.usual.insert(key, 140);
        }
    }
    assert_eq!(fleet.gate().findings, vec![]);
}

#[test]
fn five_with_one_error_text_in_two_hours_count_only_with_history() {
    let row = Row {
        shared: Attribute::ErrorText,
        least: 5,
        hours: 40,
        computer: |org, at, _, failing| failed(org, at, failing, "0x87d1fde8"),
        ..row(Cause::ProfileFailed, Cause::ProfileFailed)
    };
    let mut fleet = Fleet::of(row, 5);
    assert_eq!(fleet.gate().findings, vec![]);
    fleet.state.history_since = Some(days_ago(14));
    assert!(fleet.declared(&fleet.gate()));
    let mut fewer = Fleet::of(row, 4);
    fewer.state.history_since = Some(days_ago(14));
    assert_eq!(fewer.gate().findings, vec![]);
}

#[test]
fn a_day_without_any_issue_is_told_only_where_the_log_is_known_to_show_them() {
    let row = Row {
        shared: Attribute::Org,
        mdm: JAMF,
        ..row(Cause::ProfileInstalledNoCert, Cause::ProfileInstalledNoCert)
    };
    let mut fleet = Fleet::of(row, 3);
    fleet.state.history_since = Some(days_ago(14));
    assert_eq!(fleet.gate().findings, vec![]);
    let issues = fleet
        .org
        .seen
        .log
        .coverage
        .get_mut(&EventClass::CertificateIssued);
    issues.unwrap().last_seen = Some(hours_ago(30));
    assert!(fleet.declared(&fleet.gate()));
    fleet.org.cover(EventClass::CertificateIssued, None);
    assert_eq!(fleet.gate().findings, vec![]);
}

#[test]
fn a_group_whose_members_all_fail_is_named() {
    let row = Row {
        shared: Attribute::Group,
        least: 10,
        computer: |org, _, user, failing| {
            let groups = if failing {
                vec!["sales".into()]
            } else {
                vec!["staff".into()]
            };
            let user = format!("00u{user}").as_str().into();
            let detail = UserDetail {
                groups: Some(groups),
                ..UserDetail::default()
            };
            org.seen.okta.users.insert(user, detail);
        },
        ..row(Cause::ProfileNotInScope, Cause::ProfileNotInScope)
    };
    let mut fleet = Fleet::of(row, 10);
    // Groups are read of faulty ones only: others that fail otherwise are the siblings.
    for device in &mut fleet.org.seen.okta.devices {
        set(device, ManagementStatus::NotManaged);
    }
    let gated = fleet.gate();
    assert!(fleet.declared(&gated), "{:#?}", gated.findings);
}

fn known(finding: &FleetFinding, phase: Phase, marked: Option<DateTime<Utc>>) -> Known {
    Known {
        id: finding.id.clone(),
        cause: finding.cause,
        attribute: finding.attribute,
        value: finding.value.clone(),
        since: finding.since,
        change: finding.change.clone(),
        phase,
        marked_at: marked,
        members: finding.members.clone(),
        released: finding.released.clone(),
    }
}

/// The next sweep of a fleet whose finding a person has dealt with.
fn follow(fleet: &mut Fleet, before: &FleetFinding, phase: Phase) -> FleetFinding {
    fleet.state.known = vec![known(before, phase, Some(hours_ago(2)))];
    let gated = fleet.gate();
    assert_eq!(gated.findings.len(), 1, "{:#?}", gated.findings);
    assert_eq!(gated.held.len(), gated.findings[0].held());
    gated.findings[0].clone()
}

/// Okta shows the members that were let go as managed.
fn cure(fleet: &mut Fleet, released: &BTreeSet<Member>) {
    for device in &mut fleet.org.seen.okta.devices {
        if released.iter().any(|(id, _)| *id == device.id) {
            set(device, ManagementStatus::Managed);
            fleet.org.seen.okta.confirmed.remove(&device.id);
        }
    }
}

#[test]
fn members_are_let_go_one_then_five_then_fifty_then_the_rest() {
    let mut fleet = Fleet::of(reset(), 70);
    let mut finding = fleet.gate().findings[0].clone();
    assert_eq!(finding.held(), 70);
    let mut phase = Phase::MarkedFixed;
    let mut released = Vec::new();
    loop {
        finding = follow(&mut fleet, &finding, phase);
        phase = finding.phase;
        released.push(finding.released.len());
        if phase == Phase::Resumed {
            break;
        }
        // Nothing more is let go before those are managed.
        let again = follow(&mut fleet, &finding, phase);
        assert_eq!(again.released, finding.released);
        let now_managed = finding.released.clone();
        cure(&mut fleet, &now_managed);
    }
    assert_eq!(released, [1, 6, 56, 70]);
    assert_eq!(finding.held(), 0);
    let all = finding.released.clone();
    cure(&mut fleet, &all);
    assert_eq!(follow(&mut fleet, &finding, phase).phase, Phase::Closed);
}

#[test]
fn new_faults_after_the_mark_open_it_again() {
    let mut fleet = Fleet::of(reset(), 6);
    let finding = fleet.gate().findings[0].clone();
    let canary = follow(&mut fleet, &finding, Phase::MarkedFixed);
    assert_eq!((canary.phase, canary.released.len()), (Phase::Canary, 1));
    // Three that were not affected before fail an hour ago.
    for number in 0..3 {
        let at = fleet
            .org
            .add(JAMF, &format!("N{number}"), &format!("new{number}"));
        fleet.org.profile(at).state = ProfileState::Failed {
            error: "403".into(),
        };
        fleet.org.profile(at).since = Some(hours_ago(1));
        fleet.org.remove_certificate(at);
        assert!(!follow(&mut fleet, &canary, Phase::Canary).reopened || number == 2);
    }
    let again = follow(&mut fleet, &canary, Phase::Canary);
    assert!(again.reopened);
    assert_eq!(
        (again.phase, again.released.len(), again.held()),
        (Phase::Open, 0, 9)
    );
}

#[test]
fn what_is_resumed_is_not_declared_again_for_the_same_faults() {
    let mut fleet = Fleet::of(reset(), 6);
    let finding = fleet.gate().findings[0].clone();
    fleet.state.known = vec![known(&finding, Phase::Closed, Some(hours_ago(2)))];
    assert_eq!(fleet.gate().findings, vec![]);
}

#[test]
fn an_open_finding_ends_when_nobody_is_affected_any_more_and_the_sweep_was_whole() {
    let mut fleet = Fleet::of(reset(), 6);
    let finding = fleet.gate().findings[0].clone();
    fleet.state.known = vec![known(&finding, Phase::Open, None)];
    let all = finding.members.clone();
    cure(&mut fleet, &all);
    let found = fleet.org.findings();
    assert_eq!(
        gate(&found, &fleet.state, false).findings[0].phase,
        Phase::Open
    );
    assert_eq!(
        gate(&found, &fleet.state, true).findings[0].phase,
        Phase::Closed
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Whatever is managed, however many fail of whatever row: members are not managed, and in one finding only.
    #[test]
    fn a_fleet_finding_never_names_a_managed_subject(
        which in 0..table().len(),
        failing in 1_usize..25,
        managed in proptest::collection::btree_set(0_usize..25, 0..10),
        siblings in any::<bool>(),
        long in any::<bool>(),
    ) {
        let mut fleet = Fleet::of(table()[which], failing);
        if siblings {
            fleet.let_siblings_fail();
        }
        fleet.state.history_since = long.then(|| days_ago(40));
        let cured: BTreeSet<Member> = fleet
            .failing
            .iter()
            .enumerate()
            .filter(|(number, _)| managed.contains(number))
            .map(|(_, device)| (device.clone(), UserId::from("")))
            .collect();
        cure(&mut fleet, &cured);
        let gated = fleet.gate();
        let status: HashMap<Member, Option<ManagementStatus>> = fleet
            .org
            .seen
            .okta
            .devices
            .iter()
            .flat_map(|device| device.users.iter().flatten().map(|link| {
                ((device.id.clone(), link.user_id.clone()), link.management_status)
            }))
            .collect();
        let mut seen = BTreeSet::new();
        for finding in &gated.findings {
            prop_assert_eq!(finding.attribute.word().is_empty(), false);
            for member in &finding.members {
                prop_assert_eq!(status[member], Some(ManagementStatus::NotManaged));
                prop_assert!(seen.insert(member.clone()), "a member of two");
            }
        }
        prop_assert_eq!(gated.held.len(), seen.len());
        prop_assert!(gated.findings.iter().all(|one| one.since.is_none_or(|since| since <= now() + TimeDelta::hours(1))));
    }
}
