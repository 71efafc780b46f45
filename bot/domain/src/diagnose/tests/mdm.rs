//! MDM enrolment and check-in.

use super::*;

const NOT_ENROLLED: Answer = (
    Cause::MdmNotEnrolled,
    Confidence::Medium,
    Stage::MdmEnrolled,
);

#[test]
fn no_record_in_any_complete_mdm_is_not_enrolled() {
    mac(NOT_ENROLLED, |org, _| org.seen.mdms[JAMF].devices.clear());
}

#[test]
fn without_recent_use_not_enrolled_is_low() {
    let expected = (NOT_ENROLLED.0, Confidence::Low, NOT_ENROLLED.2);
    mac(expected, |org, at| {
        org.seen.mdms[JAMF].devices.clear();
        org.seen.log.fastpass.clear();
        org.used(at.okta, days_ago(120));
    });
}

#[test]
fn an_mdm_that_was_not_read_whole_proves_no_absence() {
    undecided(Stage::MdmEnrolled, "not read whole", |org, _| {
        org.seen.mdms[JAMF].devices.clear();
        org.seen.mdms[JAMF].complete = false;
    });
}

#[test]
fn an_incomplete_mdm_of_another_platform_does_not_matter() {
    mac(NOT_ENROLLED, |org, _| {
        org.seen.mdms[JAMF].devices.clear();
        org.seen.mdms[INTUNE].complete = false;
    });
}

#[test]
fn with_no_mdm_the_rest_is_no_mdm_connected() {
    undecided(Stage::MdmEnrolled, "no MDM connected", |org, _| {
        org.seen.mdms.clear()
    });
}

#[test]
fn with_no_mdm_the_okta_side_is_still_diagnosed() {
    let expected = (
        Cause::OktaDeviceSuspended,
        Confidence::High,
        Stage::OvRegistered,
    );
    mac(expected, |org, at| {
        org.seen.mdms.clear();
        org.device(at).status = OktaDeviceStatus::Suspended;
    });
    let expected = (
        Cause::OvRegistrationIncomplete,
        Confidence::High,
        Stage::OvRegistered,
    );
    mac(expected, |org, at| {
        org.seen.mdms.clear();
        org.device(at).status = OktaDeviceStatus::Created;
    });
}

#[test]
fn a_record_without_any_identity_cannot_be_looked_for() {
    undecided(Stage::MdmEnrolled, "neither a serial number", |org, at| {
        org.device(at).serial_number = Some("Default string".to_owned());
        org.seen.mdms[JAMF].devices.clear();
    });
}

#[test]
fn a_broken_enrolment_comes_before_silence() {
    let expected = (
        Cause::MdmEnrolmentBroken,
        Confidence::High,
        Stage::MdmEnrolled,
    );
    mac(expected, |org, at| {
        org.record(at).enrolment = Enrolment::Broken {
            fact: "remoteManagement.managed".to_owned(),
            value: "false".to_owned(),
        };
        org.record(at).last_check_in = Some(days_ago(9));
    });
}

#[test]
fn in_use_by_okta_and_silent_by_the_mdm_is_not_checking_in() {
    let expected = (
        Cause::MdmNotCheckingIn,
        Confidence::High,
        Stage::MdmEnrolled,
    );
    mac(expected, |org, at| {
        org.record(at).last_check_in = Some(days_ago(8))
    });
}

#[test]
fn a_check_in_within_the_week_is_no_silence() {
    mac(PENDING, |org, at| {
        org.record(at).last_check_in = Some(days_ago(6))
    });
}

#[test]
fn an_idle_computer_is_not_a_silent_one() {
    mac(PENDING, |org, at| {
        org.record(at).last_check_in = Some(days_ago(9));
        org.used(at.okta, days_ago(9));
    });
}

#[test]
fn a_weak_match_is_a_serial_number_to_look_at() {
    let expected = |confidence| (Cause::IdentitySerialMismatch, confidence, Stage::Unknown);
    for (serial, confidence) in [
        (None, Confidence::Medium),
        (Some("Default string"), Confidence::Medium),
        (Some("C02OTHER1"), Confidence::Low),
    ] {
        mac(expected(confidence), |org, at| {
            org.device(at).serial_number = serial.map(str::to_owned);
        });
    }
}

#[test]
fn without_any_candidate_a_missing_serial_number_is_left_to_a_person() {
    let (mut org, at) = Org::with_mac();
    org.device(at).serial_number = None;
    org.seen.mdms[JAMF].devices.clear();
    let diagnosis = org.diagnosis(at.okta, "ann");
    assert_eq!(diagnosis.cause, Cause::InsufficientEvidence);
    assert_eq!(to_check(&diagnosis), [Cause::IdentitySerialMismatch]);
}

const PUSH: Answer = (
    Cause::MdmPushChannelDown,
    Confidence::Medium,
    Stage::ProfileAssigned,
);

#[test]
fn an_ended_push_certificate_comes_before_a_silent_mac() {
    mac(PUSH, |org, at| {
        org.remove_certificate(at);
        org.seen.mdms[JAMF].push_certificate_expires_at = Some(days_ago(9));
        org.record(at).last_check_in = Some(days_ago(9));
    });
    let silent = (
        Cause::MdmNotCheckingIn,
        Confidence::High,
        Stage::MdmEnrolled,
    );
    mac(silent, |org, at| {
        org.remove_certificate(at);
        org.seen.mdms[JAMF].push_certificate_expires_at = Some(days_ago(-9));
        org.record(at).last_check_in = Some(days_ago(9));
    });
    // A Mac with a good certificate only has to sign in.
    mac(PENDING, |org, _| {
        org.seen.mdms[JAMF].push_certificate_expires_at = Some(days_ago(9));
    });
}

#[test]
fn a_command_that_waits_through_contacts_is_a_push_that_does_not_arrive() {
    let waits = |since: i64, heard: i64| {
        move |org: &mut Org, at: At| {
            org.remove_certificate(at);
            org.profile(at).state = ProfileState::Pending;
            org.profile(at).since = Some(hours_ago(18));
            org.record(at).command_pending_since = Some(hours_ago(since));
            org.record(at).last_check_in = Some(hours_ago(heard));
        }
    };
    mac(PUSH, waits(30, 1));
    let pending = (
        Cause::ProfilePending,
        Confidence::High,
        Stage::ProfileDelivered,
    );
    mac(pending, waits(20, 1));
    mac(pending, waits(30, 10));
    // The profile's own command is no queue.
    mac(pending, |org, at| {
        org.remove_certificate(at);
        org.profile(at).state = ProfileState::Pending;
        org.profile(at).since = Some(hours_ago(90));
        org.record(at).command_pending_since = Some(hours_ago(90));
        org.record(at).last_check_in = Some(hours_ago(1));
    });
}
