//! Section 5: shared computers.

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
fn a_machine_certificate_where_the_profile_says_user_is_in_the_wrong_store() {
    let (mut org, at) = Org::with_mac();
    org.link(at.okta, "eve", ManagementStatus::Managed);
    org.refuse(at.okta, "ann");
    org.certificate(at).store = Some(CertificateStore::Machine);
    assert_eq!(org.diagnosis(at.okta, "ann").cause, Cause::CertWrongStore);
}

#[test]
fn whether_a_second_account_is_meant_to_be_managed_is_a_persons_word() {
    let (mut org, at) = Org::with_mac();
    org.link(at.okta, "eve", ManagementStatus::Managed);
    let diagnosis = org.diagnosis(at.okta, "ann");
    assert_eq!(answer(&diagnosis), PENDING);
    assert_eq!(to_check(&diagnosis), [Cause::MixedPersonalAccount]);
}

#[test]
fn many_people_on_one_local_account_look_like_a_kiosk_and_are_still_diagnosed() {
    let (mut org, at) = Org::with_mac();
    for user in ["eve", "joe", "kim"] {
        org.link(at.okta, user, ManagementStatus::NotManaged);
    }
    org.record(at).local_users = Some(1);
    let diagnosis = org.diagnosis(at.okta, "ann");
    assert_eq!(answer(&diagnosis), PENDING);
    assert_eq!(to_check(&diagnosis), [Cause::SharedKioskAccount]);
    org.record(at).local_users = Some(4);
    assert!(to_check(&org.diagnosis(at.okta, "ann")).is_empty());
}

fn enrolled(org: &mut Org, count: u32, first: i64, last: i64) {
    let seen = EnrolmentsSeen {
        seen: Seen {
            first: days_ago(first),
            last: days_ago(last),
        },
        count,
    };
    let serial = normalise("5CG0000001").unwrap();
    org.seen.log.enrolments.insert(serial, seen);
}

#[test]
fn one_account_in_several_os_profiles_enrols_over_and_over() {
    let expected = (
        Cause::SharedSameAccountManyProfiles,
        Confidence::Medium,
        Stage::OvRegistered,
    );
    pc(expected, |org, _| enrolled(org, 3, 9, 2));
    pc(PENDING, |org, _| enrolled(org, 2, 9, 2));
    pc(PENDING, |org, _| enrolled(org, 3, 60, 30));
    pc(PENDING, |org, at| {
        enrolled(org, 3, 9, 2);
        org.link(at.okta, "eve", ManagementStatus::NotManaged);
    });
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
