//! Section 3: whose certificate it is, from whom, where, and whether its key can be used.

use super::*;

fn bind_elsewhere(org: &mut Org, at: At, device: &str) {
    let serial = normalise(org.certificate(at).serial_number.as_ref().unwrap()).unwrap();
    org.seen.log.bound_to.insert(serial, device.into());
}

const BOUND: Answer = (
    Cause::CertBoundToOther,
    Confidence::Medium,
    Stage::FastpassAfterCert,
);

#[test]
fn a_certificate_bound_to_another_record_cannot_prove_this_one() {
    mac(BOUND, |org, at| bind_elsewhere(org, at, "guoOther"));
}

#[test]
fn a_certificate_bound_to_an_old_record_of_the_same_computer_is_no_old_twin() {
    let (mut org, at) = Org::with_mac();
    let twin = org.add_okta(Platform::Macos, "C02MAC001", "ann");
    org.used(twin, days_ago(40));
    let old = org.seen.okta.devices[twin].id.clone();
    bind_elsewhere(&mut org, at, old.as_str());
    let diagnosis = org.diagnosis(at.okta, "ann");
    assert_eq!(answer(&diagnosis), BOUND);
    let facts: Vec<_> = diagnosis
        .evidence
        .iter()
        .map(|one| one.fact.as_str())
        .collect();
    assert!(
        facts.contains(&"certificate.bound_to (same computer)"),
        "{facts:?}"
    );
}

fn copy_to_another(org: &mut Org, at: At) -> At {
    let copy = org.certificate(at).clone();
    let other = org.add(JAMF, "C02MAC002", "eve");
    *org.certificate(other) = copy;
    other
}

#[test]
fn a_copied_certificate_that_was_refused_is_another_devices() {
    mac(BOUND, |org, at| {
        copy_to_another(org, at);
        org.refuse(at.okta, "ann");
    });
}

#[test]
fn a_copied_certificate_that_nobody_has_tried_is_left_to_a_person() {
    let (mut org, at) = Org::with_mac();
    copy_to_another(&mut org, at);
    let diagnosis = org.diagnosis(at.okta, "ann");
    assert_eq!(answer(&diagnosis), PENDING);
    assert_eq!(to_check(&diagnosis), [Cause::CertBoundToOther]);
}

#[test]
fn the_rightful_owner_of_a_copied_certificate_is_left_alone() {
    let (mut org, at) = Org::with_mac();
    let other = copy_to_another(&mut org, at);
    let own = org.device(at).id.clone();
    bind_elsewhere(&mut org, at, own.as_str());
    assert_ne!(org.diagnosis(at.okta, "ann").cause, Cause::CertBoundToOther);
    assert_eq!(answer(&org.diagnosis(other.okta, "eve")), BOUND);
}

#[test]
fn one_certificate_in_two_records_of_one_computer_is_no_copy() {
    let (mut org, at) = Org::with_mac();
    let copy = org.certificate(at).clone();
    let again = org.add_record(JAMF, "c02mac001", "ann");
    let again = &mut org.seen.mdms[JAMF].devices[again];
    again.certificates = Some(vec![copy]);
    again.last_check_in = Some(days_ago(40));
    org.refuse(at.okta, "ann");
    assert_ne!(org.diagnosis(at.okta, "ann").cause, Cause::CertBoundToOther);
}

#[test]
fn a_foreign_issuer_is_wrong_and_an_unknown_one_is_not_foreign() {
    const WRONG: Cause = Cause::CertWrongIssuer;
    let (mut org, at) = Org::with_pc();
    org.settings.issuers.names = vec!["Organization Intermediate Authority".to_owned()];
    assert_eq!(answer(&org.diagnosis(at.okta, "bob")), PENDING);
    org.certificate(at).issuer = Some("CN=Some Other CA".to_owned());
    assert_eq!(
        answer(&org.diagnosis(at.okta, "bob")),
        (WRONG, Confidence::Medium, Stage::CertPresent)
    );
    org.certificate(at).issuer = Some("CN=organization intermediate authority,OU=00oA".to_owned());
    assert_eq!(answer(&org.diagnosis(at.okta, "bob")), PENDING);
    org.settings.issuers.org_id = Some("00oB".to_owned());
    assert_eq!(org.diagnosis(at.okta, "bob").cause, WRONG);
}

#[test]
fn a_certificate_from_the_future_is_a_clock_that_is_wrong() {
    let expected = (Cause::CertNotYetValid, Confidence::Low, Stage::CertPresent);
    mac(expected, |org, at| {
        org.certificate(at).issued_at = Some(now() + chrono::TimeDelta::hours(3));
    });
}

#[test]
fn a_certificate_of_another_subject_is_not_taken_for_the_attestations() {
    let wants = undecided(Stage::CertPresent, "do not carry the subject", |org, at| {
        org.certificate(at).subject = "CN=wifi C02MAC001".to_owned();
        org.certificate(at).subject_matches = false;
    });
    assert!(wants.is_empty());
}

const WRONG_STORE: Answer = (
    Cause::CertWrongStore,
    Confidence::Medium,
    Stage::CertPresent,
);

#[test]
fn a_refused_certificate_in_another_store_than_the_profiles_is_in_the_wrong_one() {
    mac(WRONG_STORE, |org, at| {
        org.certificate(at).store = Some(CertificateStore::Machine);
        org.refuse(at.okta, "ann");
    });
    // Before anybody signed in, nothing says that it cannot be used.
    mac(PENDING, |org, at| {
        org.certificate(at).store = Some(CertificateStore::Machine);
    });
}

fn in_machine_store(org: &mut Org, at: At, storage: Option<KeyStorage>) {
    org.certificate(at).store = Some(CertificateStore::Machine);
    org.profile(at).store = Some(CertificateStore::Machine);
    org.scep(at).key_storage = storage;
    org.refuse(at.okta, "bob");
}

const KEY: Answer = (
    Cause::CertKeyInaccessibleWindows,
    Confidence::Medium,
    Stage::FastpassAfterCert,
);

#[test]
fn a_machine_key_in_the_tpm_is_out_of_reach_and_a_software_one_in_the_wrong_store() {
    pc(KEY, |org, at| {
        in_machine_store(org, at, Some(KeyStorage::TpmElseSoftware));
    });
    pc(WRONG_STORE, |org, at| {
        in_machine_store(org, at, Some(KeyStorage::Software));
    });
    pc(WRONG_STORE, |org, at| in_machine_store(org, at, None));
}

#[test]
fn on_a_shared_computer_the_machine_store_is_right_and_its_key_out_of_reach() {
    pc(KEY, |org, at| {
        in_machine_store(org, at, None);
        org.link(at.okta, "eve", ManagementStatus::Managed);
    });
}

#[test]
fn a_key_that_must_be_in_hardware_and_could_not_be_made_needs_no_certificate() {
    pc(KEY, |org, at| {
        org.remove_certificate(at);
        org.scep(at).key_storage = Some(KeyStorage::TpmOnly);
        request(org, at, "requestCreationFailed");
    });
    let (mut org, at) = Org::with_pc();
    org.remove_certificate(at);
    org.scep(at).key_storage = Some(KeyStorage::Software);
    request(&mut org, at, "requestCreationFailed");
    assert_ne!(org.diagnosis(at.okta, "bob").cause, KEY.0);
}

#[test]
fn a_mac_whose_profile_keeps_apps_from_the_key_is_refused_for_that() {
    let expected = (
        Cause::CertKeyInaccessibleMacos,
        Confidence::Medium,
        Stage::FastpassAfterCert,
    );
    mac(expected, |org, at| {
        org.scep(at).all_apps_access = Some(false);
        org.refuse(at.okta, "ann");
    });
    // "Always allow" may have been clicked: only a refusal shows that it was not.
    mac(PENDING, |org, at| {
        org.scep(at).all_apps_access = Some(false)
    });
}
