//! Section 1: what one computer shows of a fault of the CA's configuration.

use super::*;

/// The profile was edited a month ago and failed a day ago.
fn fail(org: &mut Org, at: At, error: &str) {
    org.remove_certificate(at);
    let delivery = org.profile(at);
    delivery.state = ProfileState::Failed {
        error: error.to_owned(),
    };
    delivery.since = Some(days_ago(1));
    org.attestation_profile(at).modified_at = Some(days_ago(30));
}

/// Nobody in the org got a certificate since.
fn last_issue(org: &mut Org, days: i64) {
    let coverage = org
        .seen
        .log
        .coverage
        .get_mut(&EventClass::CertificateIssued)
        .unwrap();
    coverage.last_seen = Some(days_ago(days));
}

const FAILED: Answer = (
    Cause::ProfileFailed,
    Confidence::High,
    Stage::ProfileDelivered,
);

fn at_delivery(cause: Cause, confidence: Confidence) -> Answer {
    (cause, confidence, Stage::ProfileDelivered)
}

const SECRET: &str = "device.platform.secret_key.reset";

fn secret_reset(org: &mut Org, at: At, challenge: Option<ChallengeKind>) {
    fail(org, at, "The SCEP server returned an invalid response");
    org.scep(at).challenge = challenge;
    org.change(SECRET, days_ago(2));
    last_issue(org, 3);
}

#[test]
fn a_reset_between_the_last_edit_and_the_failure_is_the_old_secret() {
    let rotated = |confidence| at_delivery(Cause::CaStaticSecretRotated, confidence);
    mac(rotated(Confidence::Medium), |org, at| {
        secret_reset(org, at, Some(ChallengeKind::Static));
    });
    // Which kind of challenge it is, is not shown.
    mac(rotated(Confidence::Low), |org, at| {
        secret_reset(org, at, None)
    });
    // Somebody got a certificate since: perhaps of another profile.
    mac(rotated(Confidence::Low), |org, at| {
        secret_reset(org, at, Some(ChallengeKind::Static));
        last_issue(org, 1);
    });
}

#[test]
fn a_profile_that_was_edited_since_or_failed_before_has_another_fault() {
    mac(FAILED, |org, at| {
        secret_reset(org, at, Some(ChallengeKind::Static));
        org.attestation_profile(at).modified_at = Some(days_ago(2));
    });
    mac(FAILED, |org, at| {
        secret_reset(org, at, Some(ChallengeKind::Static));
        org.profile(at).since = Some(days_ago(5));
    });
    mac(FAILED, |org, at| {
        secret_reset(org, at, Some(ChallengeKind::Static));
        org.seen.log.org_changes.clear();
    });
}

#[test]
fn the_same_reset_is_a_password_where_challenges_are_fetched() {
    let fetched = at_delivery(Cause::CaDynamicChallengeFailing, Confidence::Medium);
    mac(fetched, |org, at| {
        secret_reset(org, at, Some(ChallengeKind::Dynamic));
    });
    mac(fetched, |org, at| {
        fail(org, at, "Could not obtain a challenge");
        org.scep(at).challenge = Some(ChallengeKind::Dynamic);
    });
    mac(FAILED, |org, at| {
        fail(org, at, "error");
        org.scep(at).challenge = Some(ChallengeKind::Dynamic);
    });
}

#[test]
fn intunes_refused_challenge_is_the_app_only_if_nobody_is_served() {
    let refused = |days: i64| {
        move |org: &mut Org, at: At| {
            org.remove_certificate(at);
            request(org, at, "challengeValidationFailed");
            last_issue(org, days);
        }
    };
    pc(
        at_delivery(Cause::CaIntuneCredentialsInvalid, Confidence::Medium),
        refused(3),
    );
    let (mut org, at) = Org::with_pc();
    refused(0)(&mut org, at);
    org.profile(at).state = ProfileState::Failed {
        error: "error".to_owned(),
    };
    let diagnosis = org.diagnosis(at.okta, "bob");
    assert_eq!(answer(&diagnosis), FAILED);
    assert!(to_check(&diagnosis).contains(&Cause::CaIntuneCredentialsInvalid));
}

#[test]
fn the_words_of_the_error_tell_the_origin() {
    for (error, expected) in [
        (
            "SCEP: Certificate enroll failed. Result: (The string contains a non-printable character.)",
            at_delivery(Cause::CaChallengeUnprintable, Confidence::Medium),
        ),
        (
            "0x80092021",
            at_delivery(Cause::CaChallengeUnprintable, Confidence::Medium),
        ),
        (
            "SCEP Certificate enroll failed. Result: (The hash value is not correct.)",
            at_delivery(Cause::CaTrustedCertMismatch, Confidence::High),
        ),
        // May pass by itself; a network that does not let it through shows at many computers only.
        ("The request timed out.", FAILED),
        ("Unknown error", FAILED),
    ] {
        pc(expected, |org, at| fail(org, at, error));
    }
}

#[test]
fn a_non_printable_character_is_a_matter_of_windows() {
    mac(FAILED, |org, at| fail(org, at, "non-printable character"));
}

const URL: &str = "https://acme.okta.com/pki/7A6B5C4D3E2F1A0B/scep/rac1";

fn probe(org: &mut Org, answer: ScepAnswer) {
    org.settings.scep_probes.push(ScepProbe {
        url: URL.to_owned(),
        at: hours_ago(1),
        answer,
    });
}

#[test]
fn a_url_without_a_scep_server_is_proved_by_a_probe() {
    mac(
        at_delivery(Cause::CaScepUrlWrong, Confidence::High),
        |org, at| {
            fail(org, at, "error");
            org.scep(at).url = Some(URL.to_owned());
            let saw = "404 Not Found".to_owned();
            probe(org, ScepAnswer::NoScepServer { saw });
        },
    );
    mac(FAILED, |org, at| {
        fail(org, at, "error");
        org.scep(at).url = Some(URL.to_owned());
        probe(org, ScepAnswer::Unanswered);
    });
}

#[test]
fn a_url_of_another_org_is_wrong_where_the_orgs_hosts_are_known() {
    let elsewhere = |own: &'static str| {
        move |org: &mut Org, at: At| {
            fail(org, at, "error");
            org.scep(at).url = Some(URL.to_owned());
            org.settings.org_hosts = vec![own.to_owned()];
        }
    };
    let wrong = at_delivery(Cause::CaScepUrlWrong, Confidence::Medium);
    mac(wrong, elsewhere("acme.oktapreview.com"));
    mac(FAILED, elsewhere("acme.okta.com"));
}

#[test]
fn a_deleted_platform_leaves_its_url_behind() {
    mac(
        at_delivery(Cause::CaScepUrlWrong, Confidence::Medium),
        |org, at| {
            fail(org, at, "error");
            org.change("device.platform.delete", days_ago(2));
            last_issue(org, 3);
        },
    );
}

#[test]
fn a_renewed_ca_explains_what_fails_after_it() {
    let renewed = at_delivery(Cause::CaRenewedNotDistributed, Confidence::Medium);
    let renew = |org: &mut Org, at: At, error: &str| {
        fail(org, at, error);
        org.change("pki.ca.renew", days_ago(5));
    };
    mac(renewed, |org, at| {
        renew(org, at, "error");
        last_issue(org, 6);
    });
    // The hash error is the renewal's where one came before it.
    pc(renewed, |org, at| {
        renew(org, at, "The hash value is not correct")
    });
}

fn trust(org: &mut Org, at: At, key: &str) {
    org.attestation_profile(at).trust = Some(TrustProfile {
        id: "trust".into(),
        name: "Okta CA".to_owned(),
        scope: ProfileScope::default(),
        thumbprint: Some("AA".repeat(20)),
        sha256: None,
        key_id: Some(key.to_owned()),
    });
    let certificate = |key: &str, retiring| AuthorityCertificate {
        key_id: key.to_owned(),
        retiring,
        expires_at: None,
    };
    org.seen.okta.authorities = Some(vec![CertificateAuthority {
        id: "7A6B5C4D3E2F1A0B".to_owned(),
        attests_management: true,
        certificates: vec![certificate("0LD", true), certificate("NEW", false)],
        configurations: Vec::new(),
    }]);
}

#[test]
fn where_oktas_authorities_are_shown_the_distributed_key_tells() {
    for (key, expected) in [
        (
            "0LD",
            at_delivery(Cause::CaRenewedNotDistributed, Confidence::Low),
        ),
        (
            "ELSE",
            at_delivery(Cause::CaTrustedCertMismatch, Confidence::Medium),
        ),
        ("new", FAILED),
    ] {
        pc(expected, |org, at| {
            fail(org, at, "error");
            trust(org, at, key);
        });
    }
    // An old CA certificate on a computer that has its own is no fault.
    pc(PENDING, |org, at| trust(org, at, "0LD"));
}

#[test]
fn a_thumbprint_that_the_server_does_not_show_is_another_cas() {
    let shown = |thumbprint: String| {
        move |org: &mut Org, at: At| {
            fail(org, at, "error");
            org.scep(at).url = Some(URL.to_owned());
            org.scep(at).ca_fingerprint = Some("aa".repeat(32));
            let thumbprints = vec![thumbprint];
            probe(org, ScepAnswer::Works { thumbprints });
        }
    };
    let mismatch = at_delivery(Cause::CaTrustedCertMismatch, Confidence::Medium);
    pc(mismatch, shown("BB".repeat(32)));
    pc(FAILED, shown("AA".repeat(32)));
    // SHA-1 and SHA-256 are not compared.
    pc(FAILED, shown("BB".repeat(20)));
}

#[test]
fn a_missing_intermediate_is_weak_on_a_mac_and_none_before_anything_fails() {
    let missing = |confidence| (Cause::CaChainMissing, confidence, Stage::CertPresent);
    mac(missing(Confidence::Low), |org, at| {
        org.record(at).intermediate_present = Some(false);
        org.refuse(at.okta, "ann");
    });
    pc(missing(Confidence::Medium), |org, at| {
        fail(org, at, "error");
        org.record(at).intermediate_present = Some(false);
    });
    mac(PENDING, |org, at| {
        org.record(at).intermediate_present = Some(false);
    });
    pc(FAILED, |org, at| {
        fail(org, at, "error");
        org.record(at).intermediate_present = Some(true);
    });
}

const OWN: &str = "CN=Acme Devices CA,O=Acme";

fn own_ca(org: &mut Org, at: At) {
    org.settings.issuers.names = vec!["Acme Devices CA".to_owned()];
    org.certificate(at).issuer = Some(OWN.to_owned());
}

#[test]
fn a_list_that_okta_could_not_read_refuses_an_own_cas_certificates() {
    let crl = (
        Cause::CaByoCrlProblem,
        Confidence::High,
        Stage::FastpassAfterCert,
    );
    let failure = |org: &mut Org, at: At, days: i64| {
        own_ca(org, at);
        org.refuse(at.okta, "ann");
        org.change("pki.cert.crl_download_failure", days_ago(days));
    };
    mac(crl, |org, at| failure(org, at, 2));
    let (mut org, at) = Org::with_mac();
    failure(&mut org, at, 9);
    assert_ne!(org.diagnosis(at.okta, "ann").cause, crl.0, "long before it");
    let (mut org, at) = Org::with_mac();
    failure(&mut org, at, 2);
    org.certificate(at).issuer = None;
    assert_ne!(org.diagnosis(at.okta, "ann").cause, crl.0, "Okta's own CA");
}

#[test]
fn an_own_certificate_on_the_list_is_no_unused_one() {
    let crl = (
        Cause::CaByoCrlProblem,
        Confidence::High,
        Stage::FastpassAfterCert,
    );
    mac(crl, |org, at| {
        own_ca(org, at);
        let serial = normalise(org.certificate(at).serial_number.as_ref().unwrap()).unwrap();
        let seen = RevocationSeen {
            at: days_ago(3),
            event_type: "pki.cert.lifecycle.revoke".to_owned(),
        };
        org.seen.log.revoked.insert(serial, seen);
    });
}

#[test]
fn an_issuer_that_okta_lost_is_not_a_foreign_one() {
    let lost = (
        Cause::CaByoIssuerNotUploaded,
        Confidence::Medium,
        Stage::FastpassAfterCert,
    );
    let foreign = (
        Cause::CertWrongIssuer,
        Confidence::Medium,
        Stage::CertPresent,
    );
    let other = |org: &mut Org, at: At| {
        own_ca(org, at);
        org.settings.issuers.names = vec!["Organization Intermediate Authority".to_owned()];
    };
    mac(foreign, other);
    mac(lost, |org, at| {
        other(org, at);
        org.change("pki.ca.delete", days_ago(3));
    });
    // Configured here, taken out in Okta: the refusal shows it.
    mac(lost, |org, at| {
        own_ca(org, at);
        org.refuse(at.okta, "ann");
        org.change("pki.ca.scope.mapping.update", days_ago(3));
    });
    mac(PENDING, own_ca);
}

#[test]
fn the_id_in_the_url_tells_device_access_from_management() {
    let wrong = (
        Cause::CaWrongScepPurpose,
        Confidence::Medium,
        Stage::CertIssued,
    );
    let authority = |org: &mut Org, at: At, attests: bool| {
        trust(org, at, "NEW");
        org.scep(at).url = Some(URL.to_owned());
        org.seen.okta.authorities.as_mut().unwrap()[0].attests_management = attests;
    };
    mac(wrong, |org, at| authority(org, at, false));
    mac(PENDING, |org, at| authority(org, at, true));
}

#[test]
fn a_payload_without_signature_keeps_its_certificate_from_attesting() {
    let wrong = (
        Cause::CaTemplateKeyUsageWrong,
        Confidence::Medium,
        Stage::CertPresent,
    );
    mac(wrong, |org, at| {
        org.scep(at).digital_signature = Some(false)
    });
    mac(wrong, |org, at| {
        org.scep(at).client_authentication = Some(false)
    });
    mac(wrong, |org, at| org.scep(at).key_size = Some(1024));
    mac(PENDING, |org, at| {
        let scep = org.scep(at);
        scep.digital_signature = Some(true);
        scep.client_authentication = Some(true);
        scep.key_size = Some(2048);
    });
    // It has attested with these settings: they are not why it does not now.
    let (mut org, at) = Org::with_mac();
    org.scep(at).digital_signature = Some(false);
    let id = org.device(at).id.clone();
    org.seen.log.binds.insert(id, Seen::once(days_ago(9)));
    assert_ne!(org.diagnosis(at.okta, "ann").cause, wrong.0);
}

#[test]
fn a_subject_without_variables_is_the_answer_only_where_the_log_would_have_to_name_the_computer() {
    let wrong = (
        Cause::CaSubjectTemplateWrong,
        Confidence::Medium,
        Stage::CertIssued,
    );
    let constant = |org: &mut Org, at: At| {
        org.scep(at).subject = Some("CN=managementAttestation".to_owned());
    };
    mac(wrong, |org, at| {
        constant(org, at);
        org.remove_certificate(at);
    });
    let (mut org, at) = Org::with_mac();
    constant(&mut org, at);
    let diagnosis = org.diagnosis(at.okta, "ann");
    assert_eq!(answer(&diagnosis), PENDING, "Okta takes any subject");
    assert_eq!(to_check(&diagnosis), [Cause::CaSubjectTemplateWrong]);
    let never_issued = (
        Cause::ProfileInstalledNoCert,
        Confidence::High,
        Stage::CertIssued,
    );
    mac(never_issued, |org, at| {
        org.scep(at).subject = Some("CN=$SERIALNUMBER managementAttestation".to_owned());
        org.remove_certificate(at);
    });
}

#[test]
fn an_unresolved_variable_does_not_hide_the_certificate() {
    let (mut org, at) = Org::with_mac();
    let row = org.certificate(at);
    row.subject = "CN=$COMPUTERNAME managementAttestation $UDID".to_owned();
    row.subject_matches = false;
    let diagnosis = org.diagnosis(at.okta, "ann");
    assert_eq!(answer(&diagnosis), PENDING);
    assert_eq!(to_check(&diagnosis), [Cause::CaSubjectTemplateWrong]);
}

#[test]
fn without_a_certificate_the_way_to_the_server_is_left_to_a_person() {
    let (mut org, at) = Org::with_pc();
    org.remove_certificate(at);
    let diagnosis = org.diagnosis(at.okta, "bob");
    assert_eq!(diagnosis.cause, Cause::ProfileInstalledNoCert);
    let checks = to_check(&diagnosis);
    for cause in [Cause::CaScepUnreachable, Cause::CaChallengeUnprintable] {
        assert!(checks.contains(&cause), "{checks:?}");
    }
}
