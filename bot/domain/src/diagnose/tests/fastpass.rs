//! Section 4: Okta Verify and the sign-in.

use super::*;

#[test]
fn everything_in_place_and_no_sign_in_since_is_proof_pending() {
    mac(PENDING, |_, _| {});
    pc(PENDING, |_, _| {});
}

#[test]
fn a_list_row_alone_is_medium() {
    let expected = (PENDING.0, Confidence::Medium, PENDING.2);
    mac(expected, |org, _| org.seen.okta.confirmed.clear());
}

#[test]
fn without_coverage_since_the_issue_the_users_own_log_is_wanted() {
    let wants = undecided(
        Stage::FastpassAfterCert,
        "does not cover FastPass",
        |org, _| {
            org.cover(EventClass::FastPass, Some(days_ago(7)));
        },
    );
    let want = Want::UserLog {
        user: "00uann".into(),
        since: days_ago(10),
    };
    assert_eq!(wants, [want]);
}

#[test]
fn the_users_own_log_covers_as_well() {
    mac(PENDING, |org, _| {
        org.cover(EventClass::FastPass, Some(days_ago(7)));
        org.detail("ann").log_covered_from = Some(days_ago(11));
    });
}

#[test]
fn an_org_that_never_showed_fastpass_proves_nothing_by_silence() {
    undecided(Stage::OvRegistered, "never showed a FastPass", |org, _| {
        org.seen.log.fastpass.clear();
        let coverage = org
            .seen
            .log
            .coverage
            .get_mut(&EventClass::FastPass)
            .unwrap();
        coverage.last_seen = None;
    });
}

#[test]
fn a_user_never_seen_with_fastpass_is_asked_for_by_factor() {
    let (mut org, at) = Org::with_mac();
    org.seen.log.fastpass.clear();
    let diagnosis = org.diagnosis(at.okta, "ann");
    assert_eq!(
        (diagnosis.cause, diagnosis.confidence),
        (PENDING.0, Confidence::Medium)
    );
    assert_eq!(
        diagnosis.wants,
        [Want::UserFactors {
            user: "00uann".into()
        }]
    );
    // The factor is the user's, not this device's.
    org.detail("ann").fastpass_enrolled = Some(true);
    let diagnosis = org.diagnosis(at.okta, "ann");
    assert_eq!(
        (diagnosis.cause, diagnosis.confidence),
        (PENDING.0, Confidence::Medium)
    );
    assert!(diagnosis.wants.is_empty());
}

#[test]
fn a_sign_in_with_another_factor_since_the_certificate_makes_it_less_sure() {
    let (mut org, at) = Org::with_mac();
    org.seen.log.sign_ins.insert("00uann".into(), days_ago(1));
    let diagnosis = org.diagnosis(at.okta, "ann");
    assert_eq!(
        (diagnosis.cause, diagnosis.confidence),
        (PENDING.0, Confidence::Medium)
    );
}

#[test]
fn a_failed_attempt_since_the_certificate_is_not_silence() {
    let blocked = (
        Cause::FastpassProbeBlocked,
        Confidence::Low,
        Stage::FastpassAfterCert,
    );
    mac(blocked, |org, at| {
        org.sign_in(
            at.okta,
            "ann",
            FastPassSeen {
                last_resistant: None,
                last_not_resistant: None,
                success: Some(Seen::once(days_ago(20))),
                last_failure: Some(days_ago(1)),
                ..FastPassSeen::default()
            },
        );
    });
}

#[test]
fn a_sign_in_within_minutes_of_the_issue_does_not_count() {
    mac(PENDING, |org, at| {
        let soon = days_ago(10) + chrono::TimeDelta::minutes(5);
        org.sign_in(
            at.okta,
            "ann",
            FastPassSeen {
                last_resistant: None,
                last_not_resistant: None,
                success: Some(Seen::once(soon)),
                last_unmanaged: Some(soon),
                ..FastPassSeen::default()
            },
        );
    });
}

#[test]
fn where_no_rule_asks_a_sign_in_would_prove_nothing() {
    let expected = (
        Cause::PolicyNoManagedRule,
        Confidence::High,
        Stage::PolicyAsks,
    );
    mac(expected, |org, _| {
        org.seen.okta.policies.access_policies.clear()
    });
}

#[test]
fn where_fastpass_is_off_a_sign_in_is_not_asked_for() {
    let expected = (
        Cause::FastpassDisabled,
        Confidence::High,
        Stage::FastpassAfterCert,
    );
    mac(expected, |org, _| {
        org.seen.okta.policies.fastpass_active = Some(false)
    });
}

#[test]
fn unread_policies_lower_the_confidence() {
    let expected = (PENDING.0, Confidence::Medium, PENDING.2);
    mac(expected, |org, _| org.seen.okta.policies.complete = false);
}

#[test]
fn a_certificate_told_by_issue_and_validity_is_medium() {
    let expected = (PENDING.0, Confidence::Medium, PENDING.2);
    pc(expected, |org, at| {
        org.remove_certificate(at);
        org.issue("5CG0000001", days_ago(9));
    });
}

#[test]
fn created_and_never_activated_is_incomplete() {
    let expected = (
        Cause::OvRegistrationIncomplete,
        Confidence::High,
        Stage::OvRegistered,
    );
    mac(expected, |org, at| {
        org.device(at).status = OktaDeviceStatus::Created
    });
}

#[test]
fn a_factor_that_is_not_listed_is_weak_evidence() {
    let expected = (
        Cause::OvRegistrationIncomplete,
        Confidence::Medium,
        Stage::OvRegistered,
    );
    mac(expected, |org, _| {
        org.seen.log.fastpass.clear();
        org.detail("ann").fastpass_enrolled = Some(false);
    });
}

#[test]
fn a_fastpass_sign_in_outweighs_a_factor_that_is_not_listed() {
    mac(PENDING, |org, _| {
        org.detail("ann").fastpass_enrolled = Some(false)
    });
}

const OTHER_FACTOR: Answer = (
    Cause::FastpassOtherFactorUsed,
    Confidence::Medium,
    Stage::FastpassAfterCert,
);

fn other_sign_in(org: &mut Org, device: Option<&str>, platform: Platform, device_session: bool) {
    let seen = OtherSignIn {
        at: days_ago(1),
        device: device.map(Into::into),
        platform: Some(platform),
        device_session,
    };
    org.seen.log.other_sign_ins.insert("00uann".into(), seen);
    org.seen.log.sign_ins.insert("00uann".into(), days_ago(1));
}

#[test]
fn another_factor_on_this_computer_is_not_a_user_who_stays_away() {
    mac(OTHER_FACTOR, |org, _| {
        other_sign_in(org, None, Platform::Macos, false)
    });
    mac(OTHER_FACTOR, |org, _| {
        other_sign_in(org, Some("guo000"), Platform::Macos, false)
    });
}

#[test]
fn another_factor_on_another_computer_leaves_the_proof_pending() {
    let pending = (PENDING.0, Confidence::Medium, PENDING.2);
    mac(pending, |org, _| {
        other_sign_in(org, None, Platform::Windows, false)
    });
    mac(pending, |org, _| {
        other_sign_in(org, Some("guoOther"), Platform::Macos, false)
    });
    // With two Macs the operating system does not say on which.
    mac(pending, |org, _| {
        org.add_okta(Platform::Macos, "C02MAC009", "ann");
        other_sign_in(org, None, Platform::Macos, false);
    });
}

#[test]
fn a_session_bound_to_the_device_is_no_other_factor() {
    let pending = (PENDING.0, Confidence::Medium, PENDING.2);
    mac(pending, |org, _| {
        other_sign_in(org, None, Platform::Macos, true)
    });
}

fn attempts(org: &mut Org, at: At, failed: Option<i64>, not_resistant: Option<i64>) {
    let seen = FastPassSeen {
        success: Some(Seen {
            first: days_ago(20),
            last: days_ago(not_resistant.unwrap_or(20)),
        }),
        last_unmanaged: Some(days_ago(not_resistant.unwrap_or(20))),
        last_failure: failed.map(days_ago),
        last_not_resistant: not_resistant.map(days_ago),
        ..FastPassSeen::default()
    };
    org.sign_in(at.okta, "ann", seen);
}

const BLOCKED: Answer = (
    Cause::FastpassProbeBlocked,
    Confidence::Medium,
    Stage::FastpassAfterCert,
);

#[test]
fn a_failure_and_a_sign_in_by_another_way_are_a_blocked_probe() {
    mac(BLOCKED, |org, at| {
        attempts(org, at, Some(2), None);
        other_sign_in(org, None, Platform::Macos, false);
    });
}

#[test]
fn a_refused_sign_in_that_did_not_resist_phishing_is_a_blocked_probe() {
    mac(BLOCKED, |org, at| attempts(org, at, None, Some(2)));
}

#[test]
fn a_failure_alone_makes_a_blocked_probe_no_more_than_likely() {
    let (mut org, at) = Org::with_mac();
    attempts(&mut org, at, Some(2), None);
    let diagnosis = org.diagnosis(at.okta, "ann");
    assert_eq!(
        (diagnosis.cause, diagnosis.confidence),
        (Cause::FastpassProbeBlocked, Confidence::Low)
    );
}

#[test]
fn a_success_that_resists_phishing_reached_okta_verify() {
    let (mut org, at) = Org::with_mac();
    attempts(&mut org, at, None, Some(2));
    let key = ("guo000".into(), "00uann".into());
    org.seen.log.fastpass.get_mut(&key).unwrap().last_resistant = Some(days_ago(1));
    assert_ne!(
        org.diagnosis(at.okta, "ann").cause,
        Cause::FastpassProbeBlocked
    );
}

#[test]
fn a_hidden_button_is_a_fault_only_where_no_rule_asks() {
    let off = (
        Cause::FastpassDisabled,
        Confidence::High,
        Stage::FastpassAfterCert,
    );
    mac(PENDING, |org, _| {
        org.seen.okta.policies.fastpass_button = Some(false)
    });
    mac(off, |org, _| {
        org.seen.okta.policies.fastpass_button = Some(false);
        org.seen.okta.policies.access_policies.clear();
    });
}

#[test]
fn okta_verify_that_was_removed_is_not_waited_for() {
    let gone = (
        Cause::OvNotInstalled,
        Confidence::Medium,
        Stage::OvRegistered,
    );
    mac(gone, |org, at| {
        org.record(at).okta_verify_installed = Some(false)
    });
    mac(PENDING, |org, at| {
        org.record(at).okta_verify_installed = Some(false);
        org.seen.mdms[JAMF].shows.applications = false;
    });
    // An inventory from before the last sign-in cannot know.
    mac(PENDING, |org, at| {
        org.record(at).okta_verify_installed = Some(false);
        let soon = days_ago(10) + chrono::TimeDelta::minutes(5);
        let seen = FastPassSeen {
            success: Some(Seen::once(soon)),
            ..FastPassSeen::default()
        };
        org.sign_in(at.okta, "ann", seen);
        org.record(at).inventory_at = Some(days_ago(10));
        org.profile(at).since = Some(days_ago(11));
    });
}

#[test]
fn okta_verify_below_the_minimum_is_outdated_only_where_a_minimum_is_set() {
    let old = (Cause::OvOutdated, Confidence::Medium, Stage::OvRegistered);
    mac(old, |org, at| {
        org.record(at).okta_verify_version = Some("9.30.1".to_owned());
        let minimum = (Platform::Macos, "9.31".to_owned());
        org.settings.okta_verify_minimum.extend([minimum]);
    });
    mac(PENDING, |org, at| {
        org.record(at).okta_verify_version = Some("9.30.1".to_owned());
    });
}
