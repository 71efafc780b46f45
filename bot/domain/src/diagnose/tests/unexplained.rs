//! What is left when every entry has said no.

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
fn an_unexplained_refusal_names_what_only_a_person_can_check() {
    let (mut org, at) = Org::with_mac();
    org.refuse(at.okta, "ann");
    org.issue("C02MAC001", days_ago(10));
    let diagnosis = org.diagnosis(at.okta, "ann");
    assert_eq!(to_check(&diagnosis), [Cause::CertKeyInaccessibleMacos]);
}
