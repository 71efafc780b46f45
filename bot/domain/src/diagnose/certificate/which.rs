//! Which certificate it is: whose, from whom, where, and one of how many.

use crate::{
    Assumption, Cause, CertificateStore, Confidence, MdmCertificate, Stage,
    certificate::{CertificateState, IssuerMatch, UnknownBecause},
};

use crate::diagnose::{
    entry::{Entry, On, Prove, Section},
    facts::Facts,
    verdict::{Found, Verdict, open},
};

/// C36: a certificate of another CA or of another Okta org.
pub(in crate::diagnose) static WRONG_ISSUER: Entry = Entry {
    cause: Cause::CertWrongIssuer,
    section: Section::Certificate,
    stage: Some(Stage::CertPresent),
    on: On::Desktops,
    mdms: "those that show the issuer",
    confidence: Confidence::Medium,
    evidence: "every certificate listed is of an issuer that is none of `[attestation] issuers`, or of another org's id",
    person: "MDM admin: correct the profile, which points at another org or CA; deliver it anew",
    neighbours: &[Cause::CaByoIssuerNotUploaded, Cause::CaWrongScepPurpose],
    prove: Prove::OfUser(wrong_issuer),
};

fn wrong_issuer(facts: &Facts<'_, '_>) -> Verdict {
    let Some(row) = wrong_issuer_row(facts) else {
        return Verdict::NoFault(
            "the certificate's issuer is one that Okta knows, or is not shown",
        );
    };
    let inventory = facts.subject.record.and_then(|record| record.inventory_at);
    let mut evidence = vec![facts.mdm_says(
        "certificate.issuer",
        row.issuer.as_deref().unwrap_or("not shown"),
        inventory,
    )];
    if let Some(url) = facts.scep().and_then(|scep| scep.url.as_deref()) {
        evidence.push(facts.mdm_says("profile.scep_url", url, None));
    }
    Found::new(Cause::CertWrongIssuer, Confidence::Medium, evidence)
        .since(row.issued_at)
        .into()
}

/// The certificate of a wrong issuer, where there is none of a right one.
pub(in crate::diagnose) fn wrong_issuer_row<'a>(
    facts: &Facts<'_, 'a>,
) -> Option<&'a MdmCertificate> {
    if facts.certificate.state != CertificateState::Unknown(UnknownBecause::WrongIssuer) {
        return None;
    }
    let rows = facts.subject.record?.certificates.as_deref()?;
    rows.iter().find(|row| {
        row.has_private_key != Some(false)
            && facts.settings.issuers.judge(row.issuer.as_deref()) == IssuerMatch::Wrong
    })
}

/// C37: in another store than the profile's, or a dead user certificate hides a good one of the machine.
pub(in crate::diagnose) static WRONG_STORE: Entry = Entry {
    cause: Cause::CertWrongStore,
    section: Section::Certificate,
    stage: Some(Stage::CertPresent),
    on: On::Desktops,
    mdms: "those that show the store",
    confidence: Confidence::Medium,
    evidence: "a dead certificate in the user store hides a good one in the machine store; or sign-ins are refused with a certificate that is in another store than the profile says, or on Windows in the machine store of a computer with one user",
    person: "MDM admin: one user: a user-level profile; shared: a device-level one with access to the key; never two stores at once",
    neighbours: &[
        Cause::CertKeyInaccessibleWindows,
        Cause::SharedUserStoreOnly,
        Cause::CertDuplicates,
    ],
    prove: Prove::OfUser(wrong_store),
};

fn wrong_store(facts: &Facts<'_, '_>) -> Verdict {
    let view = &facts.certificate;
    if let Some(hidden) = view.hidden {
        let crossed = view.store == Some(CertificateStore::User)
            && hidden.store == Some(CertificateStore::Machine);
        if !crossed {
            return Verdict::NoFault("its certificates are not in two stores");
        }
        let mut evidence = facts.certificate_evidence();
        evidence.push(facts.store_evidence("user"));
        evidence.push(hidden_evidence(facts, hidden));
        return Found::new(Cause::CertWrongStore, Confidence::Medium, evidence)
            .since(view.expires_at)
            .into();
    }
    let (Some(refused), CertificateState::Valid) = (facts.refused(), view.state) else {
        return Verdict::NoFault("no sign-in was refused with the certificate in its store");
    };
    let Some(store) = view.store else {
        return Verdict::NoFault("which store the certificate is in is not shown");
    };
    let meant = facts.profile.and_then(|delivery| delivery.store);
    let elsewhere = meant.is_some_and(|meant| meant != store);
    let machine_of_one = store == CertificateStore::Machine
        && On::Windows.covers(facts.device.platform)
        && !super::key::is_kept_in_hardware(facts)
        && !super::key::is_shared(facts);
    if !elsewhere && !machine_of_one {
        return Verdict::NoFault("the certificate is in the store that its profile says");
    }
    let word = |store| match store {
        CertificateStore::User => "user",
        CertificateStore::Machine => "machine",
    };
    let mut evidence = facts.certificate_evidence();
    evidence.push(facts.store_evidence(word(store)));
    if let Some(meant) = meant {
        evidence.push(facts.mdm_says("profile.store", word(meant), None));
    }
    evidence.push(facts.refusal(refused));
    Found::new(Cause::CertWrongStore, Confidence::Medium, evidence)
        .since(view.issued_at)
        .into()
}

/// C38: several certificates, and the one that Okta Verify takes is the dead one.
pub(in crate::diagnose) static DUPLICATES: Entry = Entry {
    cause: Cause::CertDuplicates,
    section: Section::Certificate,
    stage: Some(Stage::CertPresent),
    on: On::Desktops,
    mdms: "those that list what is there",
    confidence: Confidence::Medium,
    evidence: "the newest usable certificate listed is expired or revoked, and another one listed is good",
    person: "MDM admin: remove all but the newest good one by script, or deliver anew so that the newest is good",
    neighbours: &[
        Cause::CertExpired,
        Cause::CertWrongStore,
        Cause::CertUnusedRevoked,
    ],
    prove: Prove::OfUser(duplicates),
};

fn duplicates(facts: &Facts<'_, '_>) -> Verdict {
    let view = &facts.certificate;
    let Some(hidden) = view.hidden else {
        return Verdict::NoFault("the certificate that Okta Verify takes is the best one listed");
    };
    let mut evidence = facts.certificate_evidence();
    let state = view.state.word().unwrap_or("not usable");
    evidence.push(facts.mdm_says("certificate.state", state, view.expires_at));
    evidence.push(hidden_evidence(facts, hidden));
    Found::new(Cause::CertDuplicates, Confidence::Medium, evidence)
        .since(view.expires_at)
        .into()
}

fn hidden_evidence(facts: &Facts<'_, '_>, hidden: &MdmCertificate) -> crate::Evidence {
    let name = hidden.serial_number.as_deref().unwrap_or(&hidden.subject);
    facts.mdm_says("certificate.hidden", name, hidden.expires_at)
}

/// C35: a certificate serves one device record only, and this one is another's.
pub(in crate::diagnose) static BOUND_TO_OTHER: Entry = Entry {
    cause: Cause::CertBoundToOther,
    section: Section::Certificate,
    stage: Some(Stage::FastpassAfterCert),
    on: On::Desktops,
    mdms: "all",
    confidence: Confidence::Medium,
    evidence: "`pki.cert.bind` names another device record; or another computer lists the same certificate and a sign-in was refused with it",
    person: "MDM admin: remove the copy, deliver anew; mark the key as not exportable, keep certificates out of images",
    neighbours: &[
        Cause::OktaDuplicateRecords,
        Cause::CertRevokedByDeletion,
        Cause::FastpassNoSigninSinceCert,
    ],
    prove: Prove::OfUser(bound_to_other),
};

fn bound_to_other(facts: &Facts<'_, '_>) -> Verdict {
    let view = &facts.certificate;
    let (CertificateState::Valid, Some(row)) = (view.state, view.certificate) else {
        return Verdict::NoFault("no usable certificate is listed that another device could have");
    };
    let bound = view
        .bound_to
        .filter(|_| view.is_bound_elsewhere(facts.subject));
    let Some(record) = facts.subject.record else {
        return Verdict::NoFault("there is no MDM record");
    };
    let refused = facts.refused();
    // A bind to this very record says whose it is.
    let copy = match view.bound_to {
        Some(_) if bound.is_none() => None,
        _ => facts.fleet.other_holder(row, record),
    };
    let mut evidence = facts.certificate_evidence();
    match (bound, copy, refused) {
        (Some(bound), _, _) => {
            let same_computer = facts.subject.twins.iter().any(|twin| twin.id == *bound);
            let fact = match same_computer {
                true => "certificate.bound_to (same computer)",
                false => "certificate.bound_to",
            };
            evidence.push(
                facts
                    .okta_says(fact, bound, None)
                    .assuming(Assumption::BindEvents),
            );
        }
        (None, Some(_), Some(_)) => {}
        (None, Some(_), None) => {
            return open(
                "another computer lists the same certificate; whichever signs in first keeps it",
                "compare the thumbprints on both computers, and remove the copy",
            );
        }
        (None, None, _) => {
            return Verdict::NoFault("no other device is known to have the certificate");
        }
    }
    if let Some(copy) = copy {
        evidence.push(facts.mdm_says("certificate.also_on", &copy.name, copy.inventory_at));
    }
    evidence.extend(refused.map(|at| facts.refusal(at)));
    Found::new(Cause::CertBoundToOther, Confidence::Medium, evidence)
        .since(refused.or(view.issued_at))
        .into()
}
