//! Section 3: the certificate.

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
fn an_expired_user_certificate_that_hides_a_good_machine_one_is_in_the_wrong_store() {
    let expected = (
        Cause::CertWrongStore,
        Confidence::Medium,
        Stage::CertPresent,
    );
    mac(expected, |org, at| {
        expire(org, at);
        let mut machine = certificate("C02MAC001", days_ago(20));
        machine.store = Some(CertificateStore::Machine);
        org.record(at).certificates.as_mut().unwrap().push(machine);
    });
}

#[test]
fn a_dead_certificate_that_is_newer_than_a_good_one_of_its_store_is_a_duplicate() {
    let expected = (
        Cause::CertDuplicates,
        Confidence::Medium,
        Stage::CertPresent,
    );
    mac(expected, |org, at| {
        org.certificate(at).revoked = Some(true);
        let good = certificate("C02MAC001", days_ago(20));
        org.record(at).certificates.as_mut().unwrap().push(good);
    });
}

#[test]
fn an_older_dead_certificate_beside_a_newer_good_one_is_no_duplicate() {
    mac(PENDING, |org, at| {
        let mut dead = certificate("C02MAC001", days_ago(20));
        dead.revoked = Some(true);
        org.record(at).certificates.as_mut().unwrap().push(dead);
    });
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
