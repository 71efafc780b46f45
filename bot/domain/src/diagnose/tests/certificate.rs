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
