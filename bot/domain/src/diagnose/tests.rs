//! Each entry of the catalogue: it fires, it does not, it cannot tell, and it is not taken for its neighbour.

use proptest::prelude::*;

use crate::{
    Cause, CertificateStore, Confidence, DeviceChange, Diagnosis, Enrolment, EventClass,
    FastPassSeen, LifecycleSeen, ManagementStatus, OktaDeviceStatus, Platform, ProfileState,
    RevocationSeen, Seen, Stage, Visibility, Want,
    correlate::{normalise, normalise_subject},
    sample::{At, INTUNE, JAMF, Org, certificate, days_ago, hours_ago, now},
};

use super::undecided_because;

type Answer = (Cause, Confidence, Stage);

fn answer(diagnosis: &Diagnosis) -> Answer {
    (diagnosis.cause, diagnosis.confidence, diagnosis.stage)
}

#[track_caller]
fn mac(expected: Answer, change: impl FnOnce(&mut Org, At)) {
    let (mut org, at) = Org::with_mac();
    change(&mut org, at);
    assert_eq!(answer(&org.diagnosis(at.okta, "ann")), expected);
}

#[track_caller]
fn pc(expected: Answer, change: impl FnOnce(&mut Org, At)) {
    let (mut org, at) = Org::with_pc();
    change(&mut org, at);
    assert_eq!(answer(&org.diagnosis(at.okta, "bob")), expected);
}

/// Insufficient evidence at that stage, for a reason with that text in it.
#[track_caller]
fn undecided(stage: Stage, reason: &str, change: impl FnOnce(&mut Org, At)) -> Vec<Want> {
    let (mut org, at) = Org::with_mac();
    change(&mut org, at);
    let diagnosis = org.diagnosis(at.okta, "ann");
    assert_eq!(
        answer(&diagnosis),
        (Cause::InsufficientEvidence, Confidence::Low, stage)
    );
    let because = undecided_because(&diagnosis).unwrap();
    assert!(because.contains(reason), "{because}");
    diagnosis.wants
}

const PENDING: Answer = (
    Cause::FastpassNoSigninSinceCert,
    Confidence::High,
    Stage::FastpassAfterCert,
);
const MISSING: Answer = (Cause::CertMissing, Confidence::Medium, Stage::CertPresent);
const EXPIRED: Answer = (Cause::CertExpired, Confidence::High, Stage::CertPresent);

fn expire(org: &mut Org, at: At) {
    org.certificate(at).issued_at = Some(days_ago(366));
    org.certificate(at).expires_at = Some(days_ago(1));
}

/// C47: the baseline of the sample.
mod no_sign_in_since_certificate {
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
        undecided(Stage::FastpassAfterCert, "and failed", |org, at| {
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
        undecided(Stage::FastpassAfterCert, "no active rule", |org, _| {
            org.seen.okta.policies.access_policies.clear();
        });
    }

    #[test]
    fn where_fastpass_is_off_a_sign_in_is_not_asked_for() {
        undecided(Stage::FastpassAfterCert, "switched off", |org, _| {
            org.seen.okta.policies.fastpass_active = Some(false);
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
}

mod lifecycle {
    use super::*;

    #[test]
    fn managed_by_id_is_a_stale_list() {
        let expected = (Cause::OktaSearchStaleRead, Confidence::High, Stage::Managed);
        mac(expected, |org, at| {
            let id = org.device(at).id.clone();
            let read = org.seen.okta.confirmed.get_mut(&id).unwrap();
            read.users.as_mut().unwrap()[0].link.management_status =
                Some(ManagementStatus::Managed);
        });
    }

    #[test]
    fn a_link_without_a_status_is_not_judged() {
        undecided(
            Stage::FastpassAfterCert,
            "no management status",
            |org, at| {
                expire(org, at);
                org.certificate(at).expires_at = Some(days_ago(-20));
                let id = org.device(at).id.clone();
                let read = org.seen.okta.confirmed.get_mut(&id).unwrap();
                read.users.as_mut().unwrap()[0].link.management_status = None;
                org.certificate(at).issued_at = Some(days_ago(10));
            },
        );
    }

    #[test]
    fn suspended_comes_before_an_expired_certificate() {
        let expected = (
            Cause::OktaDeviceSuspended,
            Confidence::High,
            Stage::OvRegistered,
        );
        mac(expected, |org, at| {
            org.device(at).status = OktaDeviceStatus::Suspended;
            expire(org, at);
        });
    }

    #[test]
    fn deactivated_is_not_suspended() {
        let expected = (
            Cause::OktaDeviceDeactivated,
            Confidence::High,
            Stage::OvRegistered,
        );
        mac(expected, |org, at| {
            org.device(at).status = OktaDeviceStatus::Deactivated
        });
    }

    #[test]
    fn an_unknown_status_is_not_judged() {
        undecided(
            Stage::OvRegistered,
            "status that is not known",
            |org, at| {
                org.device(at).status = OktaDeviceStatus::Other("UNSUSPENDED".to_owned());
            },
        );
    }

    const TWIN: Answer = (
        Cause::OktaDuplicateRecords,
        Confidence::Medium,
        Stage::OvRegistered,
    );

    fn twin(org: &mut Org, at: At, user: &str, status: ManagementStatus) -> usize {
        let serial = org.device(at).serial_number.clone().unwrap();
        let twin = org.add_okta(Platform::Macos, &serial, "nobody");
        let id = org.seen.okta.devices[twin].id.clone();
        org.seen.okta.devices[twin].users = Some(Vec::new());
        org.seen.okta.confirmed.remove(&id);
        org.link(twin, user, status);
        org.used(at.okta, days_ago(20));
        org.used(twin, days_ago(1));
        twin
    }

    #[test]
    fn an_old_record_whose_newer_twin_is_managed_is_a_duplicate() {
        mac(TWIN, |org, at| {
            twin(org, at, "ann", ManagementStatus::Managed);
        });
    }

    #[test]
    fn an_old_record_is_a_duplicate_if_the_new_one_registered_after_its_last_use() {
        mac(TWIN, |org, at| {
            let twin = twin(org, at, "ann", ManagementStatus::NotManaged);
            org.seen.okta.devices[twin].created = Some(days_ago(15));
        });
    }

    #[test]
    fn the_newer_twin_keeps_its_own_cause() {
        let (mut org, at) = Org::with_mac();
        let twin = twin(&mut org, at, "ann", ManagementStatus::NotManaged);
        org.seen.okta.devices[twin].created = Some(days_ago(15));
        assert_eq!(answer(&org.diagnosis(twin, "ann")), PENDING);
    }

    #[test]
    fn somebody_elses_record_of_a_shared_computer_is_no_duplicate() {
        mac(PENDING, |org, at| {
            twin(org, at, "eve", ManagementStatus::Managed);
        });
    }

    #[test]
    fn a_computer_enrolled_anew_for_somebody_else_leaves_a_duplicate() {
        mac(TWIN, |org, at| {
            let twin = twin(org, at, "eve", ManagementStatus::Managed);
            org.seen.okta.devices[twin].created = Some(days_ago(15));
            org.record(at).enrolled_at = Some(days_ago(16));
        });
    }

    #[test]
    fn silent_on_both_sides_for_months_is_out_of_use() {
        let (mut org, at) = Org::with_mac();
        org.used(at.okta, days_ago(91));
        org.record(at).last_check_in = Some(days_ago(31));
        assert_eq!(org.diagnosis(at.okta, "ann").cause, Cause::OktaRecordStale);
        org.record(at).last_check_in = Some(days_ago(29));
        assert_ne!(org.diagnosis(at.okta, "ann").cause, Cause::OktaRecordStale);
    }
}

mod mdm {
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
}

mod profile {
    use super::*;

    fn state(state: ProfileState) -> impl FnOnce(&mut Org, At) {
        |org, at| {
            org.remove_certificate(at);
            org.profile(at).state = state;
        }
    }

    #[test]
    fn the_mdms_word_tells_the_cause() {
        use ProfileState as P;
        let failed = P::Failed {
            error: "The SCEP server returned an invalid response".to_owned(),
        };
        for (word, cause, stage) in [
            (
                P::NotAssigned,
                Cause::ProfileNotInScope,
                Stage::ProfileAssigned,
            ),
            (
                P::NotApplicable,
                Cause::ProfileNotApplicable,
                Stage::ProfileAssigned,
            ),
            (P::Pending, Cause::ProfilePending, Stage::ProfileDelivered),
            (P::Conflict, Cause::ProfileConflict, Stage::ProfileDelivered),
            (failed, Cause::ProfileFailed, Stage::ProfileDelivered),
        ] {
            mac((cause, Confidence::High, stage), state(word));
        }
    }

    #[test]
    fn the_text_of_the_error_is_in_the_evidence() {
        let (mut org, at) = Org::with_mac();
        let error = "challenge rejected".to_owned();
        state(ProfileState::Failed {
            error: error.clone(),
        })(&mut org, at);
        let diagnosis = org.diagnosis(at.okta, "ann");
        assert!(
            diagnosis
                .evidence
                .iter()
                .any(|e| e.source == "jamf" && e.value == error)
        );
    }

    #[test]
    fn a_valid_certificate_ends_the_question() {
        mac(PENDING, |org, at| {
            org.profile(at).state = ProfileState::Failed {
                error: "later push".to_owned(),
            };
        });
    }

    #[test]
    fn an_expired_certificate_without_assignment_is_a_matter_of_scope() {
        let expected = (
            Cause::ProfileNotInScope,
            Confidence::High,
            Stage::ProfileAssigned,
        );
        mac(expected, |org, at| {
            expire(org, at);
            org.profile(at).state = ProfileState::NotAssigned;
        });
    }

    #[test]
    fn no_row_is_not_assigned_only_where_assignment_is_shown() {
        let expected = (
            Cause::ProfileNotInScope,
            Confidence::High,
            Stage::ProfileAssigned,
        );
        mac(expected, |org, at| {
            org.remove_certificate(at);
            org.record(at).profiles = Some(Vec::new());
        });
        undecided(
            Stage::ProfileAssigned,
            "does not show whether",
            |org, at| {
                org.remove_certificate(at);
                org.record(at).profiles = Some(Vec::new());
                org.seen.mdms[JAMF].shows.assignment = false;
            },
        );
    }

    #[test]
    fn an_mdm_without_attestation_profile_says_nothing_about_scope() {
        undecided(Stage::ProfileAssigned, "scep_profiles", |org, at| {
            org.remove_certificate(at);
            org.record(at).profiles = Some(Vec::new());
            org.seen.mdms[JAMF].profiles.clear();
        });
    }

    #[test]
    fn of_two_profiles_the_one_that_got_furthest_counts() {
        mac(EXPIRED, |org, at| {
            expire(org, at);
            let mut other = org.profile(at).clone();
            other.state = ProfileState::NotAssigned;
            org.record(at).profiles.as_mut().unwrap().push(other);
        });
    }
}

mod certificates {
    use super::*;

    #[test]
    fn an_expired_certificate_is_expired() {
        mac(EXPIRED, expire);
        pc(EXPIRED, expire);
    }

    #[test]
    fn an_expired_certificate_with_a_newer_one_is_no_fault() {
        mac(PENDING, |org, at| {
            let old = certificate("C02MAC001", days_ago(400));
            org.record(at).certificates.as_mut().unwrap().push(old);
        });
    }

    #[test]
    fn an_expired_user_certificate_that_hides_a_good_machine_one_is_not_called_expired() {
        undecided(
            Stage::CertPresent,
            "newest is not the good one",
            |org, at| {
                expire(org, at);
                let mut machine = certificate("C02MAC001", days_ago(20));
                machine.store = Some(CertificateStore::Machine);
                org.record(at).certificates.as_mut().unwrap().push(machine);
            },
        );
    }

    #[test]
    fn an_expired_certificate_on_a_mac_in_intune_is_a_missed_renewal() {
        let mut org = Org::empty();
        org.seen.mdms[INTUNE].platforms = vec![Platform::Macos];
        org.seen.mdms[INTUNE].profiles[0].platform = Platform::Macos;
        let at = org.add(INTUNE, "C02MAC001", "ann");
        expire(&mut org, at);
        let expected = (
            Cause::IntuneMacRenewalMissed,
            Confidence::Medium,
            Stage::CertPresent,
        );
        assert_eq!(answer(&org.diagnosis(at.okta, "ann")), expected);
    }

    #[test]
    fn expiry_by_issue_and_validity_is_medium() {
        let expected = (Cause::CertExpired, Confidence::Medium, Stage::CertPresent);
        pc(expected, |org, at| {
            org.remove_certificate(at);
            org.issue("5CG0000001", days_ago(366));
        });
    }

    #[test]
    fn an_inventory_older_than_the_last_profile_event_is_read_again() {
        let wants = undecided(
            Stage::CertPresent,
            "older than the last change",
            |org, at| {
                expire(org, at);
                org.profile(at).since = Some(hours_ago(1));
            },
        );
        let want = Want::MdmRecord {
            mdm: "jamf".into(),
            device: "jamf-0000".into(),
        };
        assert_eq!(wants, [want]);
    }

    fn deletion(org: &mut Org, at: chrono::DateTime<chrono::Utc>) {
        let serial = normalise("C02MAC001").unwrap();
        let seen = LifecycleSeen {
            change: DeviceChange::Deleted,
            device: "guoGone".into(),
            at,
            actor: Some("clean-up job".to_owned()),
        };
        org.seen.log.deletions.insert(serial, seen);
    }

    const DELETED: Answer = (
        Cause::CertRevokedByDeletion,
        Confidence::High,
        Stage::CertPresent,
    );

    #[test]
    fn a_certificate_older_than_the_deletion_of_its_record_is_revoked() {
        mac(DELETED, |org, at| {
            deletion(org, days_ago(5));
            org.device(at).created = Some(days_ago(4));
        });
    }

    #[test]
    fn a_certificate_newer_than_the_deletion_is_not() {
        mac(PENDING, |org, at| {
            deletion(org, days_ago(30));
            org.device(at).created = Some(days_ago(29));
        });
    }

    #[test]
    fn the_deletion_of_an_old_twin_leaves_the_certificate_alone() {
        mac(PENDING, |org, at| {
            deletion(org, days_ago(5));
            org.device(at).created = Some(days_ago(60));
        });
    }

    #[test]
    fn the_deletion_of_the_record_that_owned_the_certificate_revokes_it() {
        mac(DELETED, |org, at| {
            deletion(org, days_ago(5));
            let serial = normalise(org.certificate(at).serial_number.as_ref().unwrap()).unwrap();
            org.seen.log.bound_to.insert(serial, "guoGone".into());
        });
    }

    #[test]
    fn a_certificate_used_after_the_deletion_is_alive() {
        let (mut org, at) = Org::with_mac();
        deletion(&mut org, days_ago(5));
        org.device(at).created = Some(days_ago(4));
        let id = org.device(at).id.clone();
        org.seen.log.binds.insert(id, Seen::once(days_ago(3)));
        assert_eq!(answer(&org.diagnosis(at.okta, "ann")), PENDING);
    }

    #[test]
    fn expired_comes_before_deleted() {
        mac(EXPIRED, |org, at| {
            expire(org, at);
            deletion(org, days_ago(5));
            org.device(at).created = Some(days_ago(4));
        });
    }

    fn unused(org: &mut Org, at: At, days: i64) {
        let issued = days_ago(days);
        org.certificate(at).issued_at = Some(issued);
        org.certificate(at).expires_at = Some(issued + chrono::TimeDelta::days(365));
        org.profile(at).since = Some(issued);
    }

    fn revoke(org: &mut Org, at: At, days: i64) {
        let serial = normalise(org.certificate(at).serial_number.as_ref().unwrap()).unwrap();
        let seen = RevocationSeen {
            at: days_ago(days),
            event_type: "pki.cert.lifecycle.revoke".to_owned(),
        };
        org.seen.log.revoked.insert(serial, seen);
    }

    #[test]
    fn ninety_one_days_without_bind_are_the_end_of_a_certificate() {
        let dead = (
            Cause::CertUnusedRevoked,
            Confidence::Medium,
            Stage::CertPresent,
        );
        mac(dead, |org, at| unused(org, at, 92));
        mac(PENDING, |org, at| {
            unused(org, at, 90);
            let before = FastPassSeen {
                last_resistant: None,
                last_not_resistant: None,
                success: Some(Seen::once(days_ago(95))),
                ..FastPassSeen::default()
            };
            org.sign_in(at.okta, "ann", before);
        });
    }

    #[test]
    fn a_revocation_after_90_unused_days_is_high() {
        let dead = (
            Cause::CertUnusedRevoked,
            Confidence::High,
            Stage::CertPresent,
        );
        mac(dead, |org, at| {
            unused(org, at, 100);
            revoke(org, at, 9);
        });
    }

    #[test]
    fn a_revocation_event_stands_in_for_coverage() {
        let dead = (
            Cause::CertUnusedRevoked,
            Confidence::Medium,
            Stage::CertPresent,
        );
        mac(dead, |org, at| {
            unused(org, at, 100);
            revoke(org, at, 9);
            org.cover(EventClass::CertificateBound, Some(days_ago(30)));
        });
    }

    #[test]
    fn without_coverage_since_the_issue_disuse_is_not_concluded() {
        undecided(Stage::CertPresent, "may have revoked it", |org, at| {
            unused(org, at, 100);
            org.cover(EventClass::CertificateBound, Some(days_ago(90)));
        });
    }

    #[test]
    fn a_bind_since_the_issue_keeps_an_old_certificate_alive() {
        let (mut org, at) = Org::with_mac();
        unused(&mut org, at, 100);
        let id = org.device(at).id.clone();
        org.seen.log.binds.insert(id, Seen::once(days_ago(95)));
        assert_ne!(
            org.diagnosis(at.okta, "ann").cause,
            Cause::CertUnusedRevoked
        );
    }

    #[test]
    fn an_early_revocation_has_another_reason() {
        undecided(
            Stage::CertPresent,
            "another reason than disuse",
            |org, at| revoke(org, at, 3),
        );
    }

    #[test]
    fn a_revocation_by_subject_counts_only_after_the_issue() {
        let subject = normalise_subject("CN=name managementAttestation C02MAC001");
        let seen = |days| RevocationSeen {
            at: days_ago(days),
            event_type: "pki.cert.lifecycle.revoke".to_owned(),
        };
        mac(PENDING, |org, _| {
            org.seen
                .log
                .revoked_subjects
                .insert(subject.clone(), seen(30));
        });
        let dead = (
            Cause::CertUnusedRevoked,
            Confidence::High,
            Stage::CertPresent,
        );
        mac(dead, |org, at| {
            unused(org, at, 100);
            org.seen
                .log
                .revoked_subjects
                .insert(subject.clone(), seen(9));
        });
    }

    #[test]
    fn issued_once_and_not_listed_is_missing() {
        mac(MISSING, |org, at| {
            org.remove_certificate(at);
            org.issue("C02MAC001", days_ago(10));
        });
    }

    #[test]
    fn an_mdm_that_lists_only_what_the_ca_reports_never_shows_missing() {
        let (mut org, at) = Org::with_pc();
        org.remove_certificate(at);
        org.issue("5CG0000001", days_ago(9));
        assert_ne!(org.diagnosis(at.okta, "bob").cause, Cause::CertMissing);
    }

    const NEVER_ISSUED: Answer = (
        Cause::ProfileInstalledNoCert,
        Confidence::High,
        Stage::CertIssued,
    );

    #[test]
    fn installed_and_never_issued_is_not_missing() {
        mac(NEVER_ISSUED, |org, at| org.remove_certificate(at));
    }

    #[test]
    fn where_the_mdm_may_be_silent_the_ledger_alone_is_medium() {
        let expected = (NEVER_ISSUED.0, Confidence::Medium, NEVER_ISSUED.2);
        pc(expected, |org, at| org.remove_certificate(at));
    }

    #[test]
    fn without_coverage_never_issued_and_issued_once_are_not_told_apart() {
        undecided(
            Stage::CertIssued,
            "does not cover certificate issues",
            |org, at| {
                org.remove_certificate(at);
                org.cover(EventClass::CertificateIssued, Some(days_ago(9)));
            },
        );
    }

    #[test]
    fn a_profile_that_just_arrived_may_still_bring_its_certificate() {
        undecided(Stage::CertIssued, "less than a day ago", |org, at| {
            org.remove_certificate(at);
            org.profile(at).since = Some(hours_ago(5));
        });
    }

    #[test]
    fn an_mdm_that_never_shows_certificates_proves_nothing_by_silence() {
        undecided(
            Stage::CertIssued,
            "does not show certificates",
            |org, at| {
                org.seen.mdms[JAMF].shows.certificates = Visibility::Never;
                org.record(at).certificates = None;
            },
        );
    }
}

mod registration {
    use super::*;

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
}

mod policies {
    use super::*;

    const OUT: Answer = (
        Cause::PolicyUserOutOfScope,
        Confidence::High,
        Stage::PolicyAsks,
    );

    #[test]
    fn a_rule_for_other_groups_leaves_the_user_out() {
        mac(OUT, |org, _| {
            org.rule().groups_include = vec!["00gFastpass".into()];
            org.detail("ann").groups = Some(vec!["00gOther".into()]);
        });
    }

    #[test]
    fn a_member_is_covered() {
        mac(PENDING, |org, _| {
            org.rule().groups_include = vec!["00gFastpass".into()];
            org.detail("ann").groups = Some(vec!["00gFastpass".into()]);
        });
    }

    #[test]
    fn an_excluded_user_is_left_out_whatever_the_groups() {
        mac(OUT, |org, _| {
            org.rule().users_exclude = vec!["00uann".into()]
        });
    }

    #[test]
    fn unread_groups_are_wanted_and_lower_the_confidence() {
        let (mut org, at) = Org::with_mac();
        org.rule().groups_include = vec!["00gFastpass".into()];
        let diagnosis = org.diagnosis(at.okta, "ann");
        assert_eq!(
            (diagnosis.cause, diagnosis.confidence),
            (PENDING.0, Confidence::Medium)
        );
        assert_eq!(
            diagnosis.wants,
            [Want::UserGroups {
                user: "00uann".into()
            }]
        );
    }

    #[test]
    fn an_expired_certificate_comes_before_the_policy() {
        mac(EXPIRED, |org, at| {
            expire(org, at);
            org.rule().users_exclude = vec!["00uann".into()];
        });
    }

    #[test]
    fn a_rule_that_asks_for_registered_only_leaves_it_open() {
        let expected = (PENDING.0, Confidence::Medium, PENDING.2);
        mac(expected, |org, _| org.rule().managed = None);
    }

    #[test]
    fn a_user_whom_the_next_rule_denies_is_blocked() {
        let (mut org, at) = Org::with_mac();
        let mut deny = org.rule().clone();
        deny.managed = None;
        deny.registered = None;
        deny.priority = 2;
        deny.denies = true;
        assert!(!super::super::is_blocked(
            &org.subject(at.okta, "ann"),
            &org.settings
        ));
        org.seen.okta.policies.access_policies[0].rules.push(deny);
        assert!(super::super::is_blocked(
            &org.subject(at.okta, "ann"),
            &org.settings
        ));
    }
}

mod shared {
    use super::*;

    const SHARED: Answer = (
        Cause::SharedUserStoreOnly,
        Confidence::High,
        Stage::CertPresent,
    );

    #[test]
    fn a_second_user_refused_beside_a_managed_one_lacks_a_store() {
        mac(SHARED, |org, at| {
            org.link(at.okta, "eve", ManagementStatus::Managed);
            org.refuse(at.okta, "ann");
        });
    }

    #[test]
    fn a_second_user_who_has_not_signed_in_is_proof_pending() {
        mac(PENDING, |org, at| {
            org.link(at.okta, "eve", ManagementStatus::Managed)
        });
    }

    #[test]
    fn a_machine_certificate_is_another_matter() {
        let (mut org, at) = Org::with_mac();
        org.link(at.okta, "eve", ManagementStatus::Managed);
        org.refuse(at.okta, "ann");
        org.certificate(at).store = Some(CertificateStore::Machine);
        assert_eq!(
            org.diagnosis(at.okta, "ann").cause,
            Cause::InsufficientEvidence
        );
    }

    #[test]
    fn an_unknown_store_cannot_be_blamed() {
        let (mut org, at) = Org::with_mac();
        org.link(at.okta, "eve", ManagementStatus::Managed);
        org.refuse(at.okta, "ann");
        org.certificate(at).store = None;
        org.profile(at).store = None;
        assert_eq!(
            org.diagnosis(at.okta, "ann").cause,
            Cause::InsufficientEvidence
        );
    }
}

mod signs_of_entries_that_are_not_built {
    use super::*;

    #[test]
    fn a_refusal_with_an_unshown_issuer_is_not_explained() {
        undecided(Stage::Managed, "issuer is not shown", |org, at| {
            org.refuse(at.okta, "ann")
        });
    }

    #[test]
    fn a_refusal_with_every_stage_proved_is_unexplained_at_low() {
        let expected = (Cause::Unexplained, Confidence::Low, Stage::Managed);
        mac(expected, |org, at| {
            org.refuse(at.okta, "ann");
            org.issue("C02MAC001", days_ago(10));
        });
    }

    #[test]
    fn a_key_that_is_not_shown_keeps_it_open() {
        undecided(Stage::Managed, "whether the key is there", |org, at| {
            org.refuse(at.okta, "ann");
            org.issue("C02MAC001", days_ago(10));
            org.certificate(at).has_private_key = None;
        });
    }

    #[test]
    fn a_certificate_bound_to_another_record_is_not_pending() {
        undecided(
            Stage::FastpassAfterCert,
            "bound to another Okta record",
            |org, at| {
                let serial =
                    normalise(org.certificate(at).serial_number.as_ref().unwrap()).unwrap();
                org.seen.log.bound_to.insert(serial, "guoOther".into());
            },
        );
    }

    #[test]
    fn a_foreign_issuer_is_not_pending_and_an_unknown_one_is_not_foreign() {
        let (mut org, at) = Org::with_pc();
        org.settings.issuers.names = vec!["Organization Intermediate Authority".to_owned()];
        assert_eq!(answer(&org.diagnosis(at.okta, "bob")), PENDING);
        org.certificate(at).issuer = Some("CN=Some Other CA".to_owned());
        assert_eq!(
            org.diagnosis(at.okta, "bob").cause,
            Cause::InsufficientEvidence
        );
        org.certificate(at).issuer =
            Some("CN=organization intermediate authority,OU=00oA".to_owned());
        assert_eq!(answer(&org.diagnosis(at.okta, "bob")), PENDING);
        org.settings.issuers.org_id = Some("00oB".to_owned());
        assert_eq!(
            org.diagnosis(at.okta, "bob").cause,
            Cause::InsufficientEvidence
        );
    }

    #[test]
    fn a_certificate_from_the_future_is_a_clock_that_is_wrong() {
        undecided(Stage::CertPresent, "clock is wrong", |org, at| {
            org.certificate(at).issued_at = Some(now() + chrono::TimeDelta::hours(3));
        });
    }
}

/// A change of the evidence, drawn at random. Every one of them is possible in a real org.
fn change(org: &mut Org, at: At, kind: u8, days: i64) {
    let when = days_ago(days);
    match kind {
        0 => org.certificate_or_none(at, |row| row.expires_at = Some(when)),
        1 => org.certificate_or_none(at, |row| row.issued_at = Some(when)),
        2 => org.record(at).last_check_in = Some(when),
        3 => org.used(at.okta, when),
        4 => org.refuse(at.okta, "ann"),
        5 => org.device(at).status = OktaDeviceStatus::Created,
        6 => org.remove_certificate(at),
        7 => org.issue("C02MAC001", when),
        8 => org.link(at.okta, "eve", ManagementStatus::Managed),
        9 => org.rule().users_exclude = vec!["00uann".into()],
        10 => org.detail("ann").fastpass_enrolled = Some(days % 2 == 0),
        11 => org.record(at).inventory_at = Some(when),
        12 => org.seen.log.fastpass.clear(),
        13 => org.certificate_or_none(at, |row| row.store = Some(CertificateStore::Machine)),
        14 => org.certificate_or_none(at, |row| row.revoked = Some(true)),
        15 => {
            let id = org.device(at).id.clone();
            org.seen.log.binds.insert(id, Seen::once(when));
        }
        16 => org.profile_or_none(at, |delivery| delivery.since = Some(when)),
        17 => org.profile_or_none(at, |delivery| delivery.state = ProfileState::Pending),
        18 => org.profile_or_none(at, |delivery| delivery.state = ProfileState::NotAssigned),
        19 => org.seen.mdms[JAMF].devices[at.record].serial_number = None,
        20 => org.device(at).created = Some(when),
        _ => org.seen.mdms[JAMF].shows.certificates = Visibility::PresenceOnly,
    }
}

/// Something that was known is not known any more.
fn forget(org: &mut Org, at: At, kind: u8) {
    match kind {
        0 => org.seen.okta.confirmed.clear(),
        1 => org.seen.okta.users.clear(),
        2 => org.seen.log.forget_coverage(),
        3 => org.seen.okta.policies.complete = false,
        4 => org.record(at).certificates = None,
        5 => org.record(at).profiles = None,
        6 => org.record(at).inventory_at = None,
        7 => org.seen.mdms[JAMF].complete = false,
        8 => org.certificate_or_none(at, |row| row.store = None),
        9 => org.certificate_or_none(at, |row| row.has_private_key = None),
        10 => org.certificate_or_none(at, |row| row.issued_at = None),
        _ => org.profile_or_none(at, |delivery| delivery.since = None),
    }
}

impl Org {
    fn certificate_or_none(&mut self, at: At, change: impl Fn(&mut crate::MdmCertificate)) {
        self.record(at)
            .certificates
            .iter_mut()
            .flatten()
            .for_each(change);
    }

    fn profile_or_none(&mut self, at: At, change: impl Fn(&mut crate::ProfileDelivery)) {
        self.record(at)
            .profiles
            .iter_mut()
            .flatten()
            .for_each(change);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn forgetting_never_makes_an_answer_surer(
        changes in proptest::collection::vec((0u8..22, -400i64..400), 0..6),
        forgotten in proptest::collection::vec(0u8..12, 1..4),
    ) {
        let (mut org, at) = Org::with_mac();
        for (kind, days) in changes {
            change(&mut org, at, kind, days);
        }
        let before = org.diagnosis(at.okta, "ann");
        let mut less = org.clone();
        for &kind in &forgotten {
            forget(&mut less, at, kind);
        }
        let after = less.diagnosis(at.okta, "ann");
        // Without a listing of certificates the state of the profile is the MDM's last word, and proves its entry.
        let last_word = forgotten.contains(&4)
            && matches!(after.stage, Stage::ProfileAssigned | Stage::ProfileDelivered);
        if before.cause == after.cause && !last_word {
            prop_assert!(after.confidence <= before.confidence, "{before:#?} {after:#?}");
        }
        if before.cause == Cause::InsufficientEvidence && !last_word {
            prop_assert!(after.confidence < Confidence::High, "{before:#?} {after:#?}");
        }
        if less.seen.okta.confirmed.is_empty() {
            prop_assert!(after.confidence <= Confidence::Medium);
        }
    }

    #[test]
    fn every_answer_carries_its_evidence(
        changes in proptest::collection::vec((0u8..22, -400i64..400), 0..8),
    ) {
        let (mut org, at) = Org::with_mac();
        for (kind, days) in changes {
            change(&mut org, at, kind, days);
        }
        let diagnosis = org.diagnosis(at.okta, "ann");
        prop_assert!(diagnosis.evidence.iter().any(|one| one.fact.starts_with("link.management_status")));
        let undecided = diagnosis.cause == Cause::InsufficientEvidence;
        prop_assert_eq!(undecided, undecided_because(&diagnosis).is_some());
        prop_assert!(diagnosis.rivals.iter().all(|rival| rival.cause != diagnosis.cause));
    }
}
