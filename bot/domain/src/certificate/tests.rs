//! Which certificate counts, and what is not concluded from silence.

use chrono::TimeDelta;

use crate::{
    CertificateStore, Confidence, MdmCertificate, Visibility,
    sample::{INTUNE, JAMF, Org, certificate, days_ago, now},
};

use super::{CertificateState, IssuerMatch, Issuers, RevokedBy, UnknownBecause, chosen, judge};

fn in_store(store: CertificateStore, days: i64) -> MdmCertificate {
    MdmCertificate {
        store: Some(store),
        ..certificate("C02MAC001", days_ago(days))
    }
}

#[test]
fn the_user_store_comes_before_the_machine_store() {
    let rows = [
        in_store(CertificateStore::Machine, 1),
        in_store(CertificateStore::User, 50),
    ];
    assert_eq!(chosen(&rows, &Issuers::default()), Some(&rows[1]));
}

#[test]
fn the_machine_store_counts_if_the_user_store_has_no_key_that_can_sign() {
    let mut rows = [
        in_store(CertificateStore::Machine, 50),
        in_store(CertificateStore::User, 1),
    ];
    rows[1].has_private_key = Some(false);
    assert_eq!(chosen(&rows, &Issuers::default()), Some(&rows[0]));
}

#[test]
fn the_certificate_issued_last_counts() {
    let rows = [
        certificate("A", days_ago(10)),
        certificate("A", days_ago(5)),
        certificate("A", days_ago(8)),
    ];
    assert_eq!(chosen(&rows, &Issuers::default()), Some(&rows[1]));
}

#[test]
fn certificates_of_another_ca_are_not_offered() {
    let issuers = Issuers {
        names: vec!["Organization Intermediate Authority".to_owned()],
        org_id: None,
    };
    let mut rows = [
        certificate("A", days_ago(10)),
        certificate("A", days_ago(5)),
    ];
    rows[1].issuer = Some("CN=Device Access".to_owned());
    assert_eq!(chosen(&rows, &issuers), Some(&rows[0]));
    assert_eq!(issuers.judge(None), IssuerMatch::Unknown);
}

#[test]
fn the_word_is_null_where_nothing_is_provable() {
    for (state, word) in [
        (CertificateState::Valid, Some("valid")),
        (CertificateState::Expired, Some("expired")),
        (
            CertificateState::Revoked(RevokedBy::Disuse),
            Some("revoked"),
        ),
        (CertificateState::Missing, Some("missing")),
        (CertificateState::Unknown(UnknownBecause::NotShown), None),
    ] {
        assert_eq!(state.word(), word);
    }
}

#[test]
fn an_empty_listing_is_missing_only_where_everything_is_listed() {
    for (mdm, user, expected) in [
        (JAMF, "ann", CertificateState::Missing),
        (
            INTUNE,
            "bob",
            CertificateState::Unknown(UnknownBecause::NotReported),
        ),
    ] {
        let mut org = Org::empty();
        let at = org.add(mdm, "SERIAL01", user);
        org.remove_certificate(at);
        assert_eq!(judge(&org.subject(at.okta, user)).state, expected);
    }
}

#[test]
fn an_old_or_undated_inventory_does_not_prove_a_certificate_missing() {
    let (mut org, at) = Org::with_mac();
    org.remove_certificate(at);
    org.profile(at).since = None;
    org.record(at).inventory_at = Some(days_ago(8));
    assert_eq!(
        judge(&org.subject(at.okta, "ann")).state,
        CertificateState::Unknown(UnknownBecause::InventoryStale)
    );
    org.record(at).inventory_at = None;
    assert_eq!(
        judge(&org.subject(at.okta, "ann")).state,
        CertificateState::Unknown(UnknownBecause::InventoryUndated)
    );
}

#[test]
fn an_old_inventory_that_is_newer_than_the_delivery_is_a_sign_only() {
    let (mut org, at) = Org::with_mac();
    org.remove_certificate(at);
    org.profile(at).since = Some(days_ago(20));
    org.record(at).inventory_at = Some(days_ago(8));
    let subject = org.subject(at.okta, "ann");
    let view = judge(&subject);
    assert_eq!(
        (view.state, view.confidence),
        (CertificateState::Missing, Confidence::Medium)
    );
}

#[test]
fn issue_and_validity_stand_in_where_no_row_is_shown() {
    let (mut org, at) = Org::with_pc();
    org.record(at).certificates = None;
    org.seen.mdms[INTUNE].shows.certificates = Visibility::Never;
    org.issue("5CG0000001", days_ago(20));
    let subject = org.subject(at.okta, "bob");
    let view = judge(&subject);
    assert_eq!(
        (view.state, view.confidence),
        (CertificateState::Valid, Confidence::Medium)
    );
    assert_eq!(view.expires_at, Some(days_ago(20) + TimeDelta::days(365)));
}

#[test]
fn a_certificate_ends_at_its_end() {
    let (mut org, at) = Org::with_mac();
    org.certificate(at).expires_at = Some(now());
    assert_eq!(
        judge(&org.subject(at.okta, "ann")).state,
        CertificateState::Expired
    );
    org.certificate(at).expires_at = Some(now() + TimeDelta::seconds(1));
    assert_eq!(
        judge(&org.subject(at.okta, "ann")).state,
        CertificateState::Valid
    );
}

#[test]
fn the_ninety_days_are_okta_cas_own() {
    let (mut org, at) = Org::with_pc();
    let row = org.certificate(at);
    row.issued_at = Some(days_ago(120));
    row.issuer = Some("CN=Contoso Issuing CA".to_owned());
    assert_eq!(
        judge(&org.subject(at.okta, "bob")).state,
        CertificateState::Valid
    );
    org.certificate(at).issuer = Some("CN=Organization Intermediate Authority".to_owned());
    assert_eq!(
        judge(&org.subject(at.okta, "bob")).state,
        CertificateState::Revoked(RevokedBy::Disuse)
    );
}

#[test]
fn the_use_by_one_user_keeps_the_certificate_alive_for_all() {
    let (mut org, at) = Org::with_mac();
    org.certificate(at).issued_at = Some(days_ago(120));
    org.link(at.okta, "eve", crate::ManagementStatus::Managed);
    org.sign_in(
        at.okta,
        "eve",
        crate::FastPassSeen {
            last_resistant: None,
            last_not_resistant: None,
            last_managed: Some(days_ago(100)),
            ..crate::FastPassSeen::default()
        },
    );
    assert_eq!(
        judge(&org.subject(at.okta, "ann")).state,
        CertificateState::Valid
    );
}
