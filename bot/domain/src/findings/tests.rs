//! What a sweep answers: counts, order, what is left out and what is read next.

use proptest::prelude::*;

use crate::{
    Assumption, Cause, Confidence, DeviceChange, HardwareKey, LifecycleSeen, ManagementStatus,
    MatchStrength, OktaDeviceStatus, Platform, Renewal, UserStatus, Want, WhyNot,
    correlate::normalise,
    detect::{Counts, Exclusions},
    sample::{INTUNE, JAMF, Org, days_ago, hours_ago, now},
};

fn causes(org: &Org) -> Vec<Cause> {
    org.findings()
        .findings
        .iter()
        .map(|case| case.finding.cause)
        .collect()
}

#[test]
fn the_counts_add_up() {
    let mut org = Org::empty();
    org.add(JAMF, "PENDING1", "ann");
    let stuck = org.add(JAMF, "STUCK001", "bob");
    org.certificate(stuck).expires_at = Some(days_ago(1));
    let settling = org.add(JAMF, "SETTLE01", "eve");
    org.record(settling).enrolled_at = Some(hours_ago(3));
    let excluded = org.add(JAMF, "EXCLUDE1", "joe");
    org.settings.exclusions = Exclusions::new(&[], &[], &["exclude1"]);
    let healthy = org.add(INTUNE, "HEALTHY1", "kim");
    let stale = org.add(INTUNE, "STALE001", "lea");
    for (at, listed) in [
        (healthy, ManagementStatus::Managed),
        (stale, ManagementStatus::NotManaged),
    ] {
        org.device(at).users.as_mut().unwrap()[0].management_status = Some(listed);
        let id = org.device(at).id.clone();
        let read = org.seen.okta.confirmed.get_mut(&id).unwrap();
        read.users.as_mut().unwrap()[0].link.management_status = Some(ManagementStatus::Managed);
    }
    org.add_okta(Platform::Other, "PHONE", "ann");
    let found = org.findings();
    assert_eq!(
        found.counts,
        Counts {
            okta_devices: 7,
            device_users: 6,
            managed: 2,
            not_managed: 4,
            stuck: 1,
            proof_pending: 1,
            settling: 1,
            out_of_scope: 1,
            stale_list: 1,
        }
    );
    assert_eq!(
        found.findings.len(),
        3,
        "settling ones are shown, excluded ones are not"
    );
    assert_eq!(
        org.seen.okta.devices[excluded.okta].display_name,
        "EXCLUDE1 of joe"
    );
}

#[test]
fn findings_are_sorted_by_device_and_user() {
    let (mut org, at) = Org::with_mac();
    org.add(JAMF, "C02MAC002", "zoe");
    org.link(at.okta, "abe", ManagementStatus::NotManaged);
    org.seen.okta.devices.reverse();
    let keys: Vec<_> = org
        .findings()
        .findings
        .iter()
        .map(|case| (case.finding.device_id.clone(), case.finding.user_id.clone()))
        .collect();
    assert_eq!(keys.len(), 3);
    assert!(keys.is_sorted());
}

#[test]
fn settling_after_registration_enrolment_and_repair() {
    let until = |org: &Org| {
        let case = &org.findings().findings[0];
        (case.finding.why_not, case.finding.retry_at)
    };
    let expected = (
        Some(WhyNot::Settling),
        Some(now() + chrono::TimeDelta::hours(21)),
    );

    let (mut org, at) = Org::with_mac();
    let id = org.device(at).id.clone();
    let read = org.seen.okta.confirmed.get_mut(&id).unwrap();
    read.users.as_mut().unwrap()[0].link.created = Some(hours_ago(3));
    assert_eq!(until(&org), expected);

    let (mut org, at) = Org::with_mac();
    org.record(at).enrolled_at = Some(hours_ago(3));
    assert_eq!(until(&org), expected);

    let (mut org, _) = Org::with_mac();
    let hardware = HardwareKey::of_mdm(&"jamf".into(), &"jamf-0000".into());
    org.settings
        .last_repairs
        .insert(hardware.clone(), hours_ago(3));
    assert_eq!(until(&org), expected);

    org.settings.last_repairs.insert(hardware, hours_ago(25));
    assert_eq!(until(&org), (None, None));
}

#[test]
fn the_first_reason_against_a_repair_is_named() {
    let reason = |org: &Org| org.findings().findings[0].finding.why_not;

    let (mut org, at) = Org::with_mac();
    assert_eq!(reason(&org), None);
    org.seen.okta.confirmed.clear();
    assert_eq!(reason(&org), Some(WhyNot::Unconfirmed));
    org.device(at).serial_number = None;
    assert_eq!(reason(&org), Some(WhyNot::WeakMatch));
    org.device(at).display_name = "another".to_owned();
    org.device(at).serial_number = Some("OTHER123".to_owned());
    assert_eq!(reason(&org), Some(WhyNot::NoMatch));
    org.seen.mdms[JAMF].complete = false;
    assert_eq!(reason(&org), Some(WhyNot::InsufficientEvidence));
    let detail = org.findings().findings[0].finding.why_not_detail.clone();
    assert_eq!(
        detail.as_deref(),
        Some("an MDM for this platform was not read whole")
    );
}

#[test]
fn people_who_cannot_sign_in_and_idle_records_are_out_of_scope() {
    let (mut org, at) = Org::with_mac();
    let id = org.device(at).id.clone();
    let read = org.seen.okta.confirmed.get_mut(&id).unwrap();
    read.users.as_mut().unwrap()[0].status = UserStatus::Other("DEPROVISIONED".to_owned());
    assert_eq!(org.findings().counts.out_of_scope, 1);

    let (mut org, at) = Org::with_mac();
    org.used(at.okta, days_ago(100));
    org.record(at).last_check_in = Some(days_ago(40));
    assert_eq!(org.findings().counts.out_of_scope, 1);
    org.seen.mdms[JAMF].devices.clear();
    assert_eq!(
        causes(&org),
        [Cause::MdmNotEnrolled],
        "no MDM record is a finding, not idleness"
    );
}

#[test]
fn excluded_groups_are_asked_for_and_honoured() {
    let (mut org, _) = Org::with_mac();
    org.settings.exclusions = Exclusions::new(&[], &["00gLab"], &[]);
    let wants = org.findings().wants;
    assert_eq!(
        wants,
        [Want::UserGroups {
            user: "00uann".into()
        }]
    );
    org.detail("ann").groups = Some(vec!["00gLab".into()]);
    assert_eq!(org.findings().counts.out_of_scope, 1);
}

#[test]
fn users_are_excluded_by_id_or_login() {
    for name in ["00uann", "Ann@Example.com"] {
        let (mut org, _) = Org::with_mac();
        org.settings.exclusions = Exclusions::new(&[name], &[], &[]);
        assert_eq!(org.findings().counts.out_of_scope, 1, "{name}");
    }
}

#[test]
fn reads_by_id_go_first_to_what_a_playbook_repairs_then_to_the_longest_unread() {
    let mut org = Org::empty();
    let pending = org.add(JAMF, "PENDING1", "ann");
    let old = org.add(JAMF, "EXPIRED1", "bob");
    let older = org.add(JAMF, "EXPIRED2", "eve");
    let settling = org.add(JAMF, "SETTLE01", "joe");
    for at in [old, older] {
        org.certificate(at).expires_at = Some(days_ago(1));
    }
    org.record(settling).enrolled_at = Some(hours_ago(1));
    for (at, hours) in [(pending, 90), (old, 30), (older, 60), (settling, 99)] {
        let id = org.device(at).id.clone();
        org.seen.okta.confirmed.get_mut(&id).unwrap().read_at = hours_ago(hours);
    }
    org.settings.playbook_causes.insert(Cause::CertExpired);
    let order: Vec<_> = org.findings().confirm;
    let expected: Vec<_> = [older, old, pending, settling]
        .map(|at| org.seen.okta.devices[at.okta].id.clone())
        .into();
    assert_eq!(order, expected);
}

#[test]
fn a_confirmed_device_is_not_read_again() {
    let (org, _) = Org::with_mac();
    assert!(org.findings().confirm.is_empty());
}

#[test]
fn records_without_a_twin_are_unlinked() {
    let unlinked = |org: &Org| {
        org.findings()
            .unlinked
            .iter()
            .map(|case| {
                (
                    case.finding.cause,
                    case.finding.why_not,
                    case.finding.match_strength,
                )
            })
            .collect::<Vec<_>>()
    };
    let entry = |cause| vec![(cause, Some(WhyNot::NoMatch), MatchStrength::None)];

    let mut org = Org::empty();
    org.add_record(JAMF, "C02LONELY", "ann");
    assert_eq!(unlinked(&org), entry(Cause::OvNotEnrolled));
    org.seen.mdms[JAMF].devices[0].okta_verify_installed = Some(false);
    assert_eq!(unlinked(&org), entry(Cause::OvNotInstalled));
    org.seen.mdms[JAMF].shows.applications = false;
    assert_eq!(unlinked(&org), entry(Cause::OvNotEnrolled));
    let seen = LifecycleSeen {
        change: DeviceChange::Deleted,
        device: "guoGone".into(),
        at: days_ago(2),
        actor: None,
    };
    org.seen
        .log
        .deletions
        .insert(normalise("C02LONELY").unwrap(), seen);
    assert_eq!(unlinked(&org), entry(Cause::OvEnrolmentOrphaned));
}

#[test]
fn okta_records_without_a_user_are_unlinked() {
    for (status, registered, cause) in [
        (
            OktaDeviceStatus::Deactivated,
            true,
            Cause::OktaDeviceDeactivated,
        ),
        (
            OktaDeviceStatus::Created,
            false,
            Cause::RecordImportedNotRegistered,
        ),
    ] {
        let (mut org, at) = Org::with_mac();
        org.seen.okta.confirmed.clear();
        let device = org.device(at);
        device.status = status;
        device.registered = registered;
        device.users = Some(Vec::new());
        let found = org.findings();
        let entry = &found.unlinked[0].finding;
        assert_eq!(
            (entry.cause, entry.why_not, entry.user_id.as_ref()),
            (cause, Some(WhyNot::NoMatch), None)
        );
        assert_eq!(found.unlinked.len(), 1, "its MDM record has an Okta record");
        assert_eq!(found.counts.device_users, 0);
    }
}

#[test]
fn links_that_were_not_embedded_are_unknown_not_absent() {
    let (mut org, at) = Org::with_mac();
    org.seen.okta.confirmed.clear();
    org.device(at).users = None;
    assert!(org.findings().unlinked.is_empty());
}

#[test]
fn a_managed_computer_is_upcoming_when_its_certificate_ends() {
    for (ends_in, expected) in [
        (40, None),
        (29, Some(Cause::CertExpiringSoon)),
        (-1, Some(Cause::CertExpired)),
    ] {
        let mut org = Org::empty();
        let at = org.add(JAMF, "C02MAC001", "ann");
        let id = org.device(at).id.clone();
        let read = org.seen.okta.confirmed.get_mut(&id).unwrap();
        read.users.as_mut().unwrap()[0].link.management_status = Some(ManagementStatus::Managed);
        org.certificate(at).expires_at = Some(days_ago(-ends_in));
        let found = org.findings();
        let cause = found.upcoming.first().map(|case| case.finding.cause);
        assert_eq!(cause, expected, "{ends_in}");
        assert!(found.findings.is_empty());
    }
}

/// A managed Mac whose certificate ends within the month.
fn ending_soon() -> (Org, crate::sample::At) {
    let mut org = Org::empty();
    let at = org.add(JAMF, "C02MAC001", "ann");
    let id = org.device(at).id.clone();
    let read = org.seen.okta.confirmed.get_mut(&id).unwrap();
    read.users.as_mut().unwrap()[0].link.management_status = Some(ManagementStatus::Managed);
    org.certificate(at).expires_at = Some(days_ago(-20));
    (org, at)
}

#[test]
fn a_certificate_that_nothing_will_renew_is_the_profiles_fault() {
    let (mut org, at) = ending_soon();
    for (renewal, cause, confidence) in [
        (None, Cause::CertExpiringSoon, Confidence::High),
        (
            Some(Renewal::DaysBefore(14)),
            Cause::CertExpiringSoon,
            Confidence::High,
        ),
        (
            Some(Renewal::Off),
            Cause::ProfileRenewalNotConfigured,
            Confidence::Medium,
        ),
    ] {
        org.scep(at).renewal = renewal;
        let found = org.findings();
        let finding = &found.upcoming[0].finding;
        assert_eq!((finding.cause, finding.confidence), (cause, confidence));
        let onset = found.upcoming[0].diagnosis.symptom.as_ref().unwrap().since;
        assert_eq!(onset, Some(days_ago(-20)));
    }
}

#[test]
fn a_contradicted_belief_counts_against_what_has_no_twin() {
    let mut org = Org::empty();
    org.add_record(JAMF, "C02LONELY", "ann");
    let seen = LifecycleSeen {
        change: DeviceChange::Deleted,
        device: "guoGone".into(),
        at: days_ago(2),
        actor: None,
    };
    let serial = normalise("C02LONELY").unwrap();
    org.seen.log.deletions.insert(serial, seen);
    let confidence = |org: &Org| org.findings().unlinked[0].finding.confidence;
    assert_eq!(confidence(&org), Confidence::Medium);
    org.settings.contradicted.insert(Assumption::DeletionSerial);
    assert_eq!(confidence(&org), Confidence::Low);
}

#[test]
fn a_record_that_is_gone_by_id_is_nobodys() {
    let (mut org, at) = Org::with_mac();
    let id = org.device(at).id.clone();
    org.seen.okta.confirmed.get_mut(&id).unwrap().users = None;
    let found = org.findings();
    assert_eq!(
        (
            found.counts.device_users,
            found.findings.len(),
            found.unlinked.len()
        ),
        (0, 0, 0)
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn the_counts_of_any_fleet_add_up_and_managed_by_id_has_no_finding(
        computers in proptest::collection::vec(
            (0usize..2, 0u8..6, any::<bool>(), any::<bool>(), any::<bool>(), -40i64..120),
            0..12,
        ),
    ) {
        let mut org = Org::empty();
        for (n, (mdm, serial, managed, by_id, record, days)) in computers.into_iter().enumerate() {
            // Few serial numbers, so that twins, duplicates and shared values turn up.
            let serial = format!("SERIAL{serial}");
            let user = format!("u{}", n % 3);
            let platform = org.seen.mdms[mdm].platforms[0];
            let okta = org.add_okta(platform, &serial, &user);
            if record {
                let record = org.add_record(mdm, &serial, &user);
                let record = &mut org.seen.mdms[mdm].devices[record];
                record.last_check_in = Some(days_ago(days));
                record.udid = Some(format!("udid-{n}"));
                record.certificates.as_mut().unwrap()[0].expires_at = Some(days_ago(days));
            }
            let id = org.seen.okta.devices[okta].id.clone();
            if !by_id {
                org.seen.okta.confirmed.remove(&id);
            } else if managed {
                let read = org.seen.okta.confirmed.get_mut(&id).unwrap();
                read.users.as_mut().unwrap()[0].link.management_status = Some(ManagementStatus::Managed);
            }
        }
        let found = org.findings();
        let counts = found.counts;
        prop_assert_eq!(counts.device_users, counts.managed + counts.not_managed);
        prop_assert_eq!(
            counts.not_managed,
            counts.stuck + counts.proof_pending + counts.settling + counts.out_of_scope
        );
        prop_assert_eq!(found.findings.len(), counts.not_managed - counts.out_of_scope);
        for case in &found.findings {
            prop_assert!(!crate::detect::is_managed_by_id(&case.subject));
        }
        for case in &found.findings {
            let users = found.fleet.users_of(&case.subject.hardware);
            let device = case.finding.device_id.clone();
            prop_assert!(users.into_iter().any(|(one, _)| Some(&one.id) == device.as_ref()));
        }
    }
}
