//! An own CA, of which Okta knows an uploaded intermediate.

use chrono::TimeDelta;

use crate::{
    Cause, Confidence, Stage,
    certificate::{CertificateState, IssuerMatch, RevokedBy, is_of_own_ca},
};

use super::change_evidence;
use crate::diagnose::{
    certificate::which::wrong_issuer_row,
    entry::{Entry, On, Prove, Section},
    facts::Facts,
    fleet::OrgChange,
    verdict::{Found, Verdict},
};

/// C09: the issuer of the certificate was deleted in Okta, taken out, or never uploaded.
pub(in crate::diagnose) static ISSUER_NOT_UPLOADED: Entry = Entry {
    cause: Cause::CaByoIssuerNotUploaded,
    section: Section::CertificateAuthority,
    stage: Some(Stage::FastpassAfterCert),
    on: On::Desktops,
    mdms: "all, with an own CA",
    confidence: Confidence::Medium,
    evidence: "the certificate is valid, its issuer is none of `[attestation] issuers`, and a CA was deleted, taken out or warned of in Okta since; or sign-ins are refused since such an event",
    person: "Okta admin: upload the issuing intermediate; not one that also issues to unmanaged devices",
    neighbours: &[Cause::CertWrongIssuer],
    prove: Prove::OfUser(issuer_not_uploaded),
};

fn issuer_not_uploaded(facts: &Facts<'_, '_>) -> Verdict {
    let foreign = wrong_issuer_row(facts);
    let own = facts
        .certificate
        .certificate
        .filter(|row| is_of_own_ca(row));
    let refused = facts.refused();
    let Some(row) = foreign.or(own.filter(|_| refused.is_some())) else {
        return Verdict::NoFault(
            "the certificate's issuer is one that Okta knows, or is not shown",
        );
    };
    let until = refused.unwrap_or(facts.okta_now());
    let issued = row.issued_at.or(facts.certificate.issued_at);
    let withdrawn = facts
        .fleet
        .last_change(OrgChange::IssuerWithdrawn, until)
        .filter(|change| issued.is_none_or(|issued| change.at > issued));
    let Some(withdrawn) = withdrawn else {
        return Verdict::NoFault(
            "no CA was deleted or taken out in Okta since the certificate was issued",
        );
    };
    let mut evidence = vec![
        facts.mdm_says(
            "certificate.issuer",
            row.issuer.as_deref().unwrap_or("not shown"),
            issued,
        ),
        change_evidence(facts, withdrawn),
    ];
    evidence.extend(refused.map(|at| facts.refusal(at)));
    Found::new(Cause::CaByoIssuerNotUploaded, Confidence::Medium, evidence)
        .since(Some(withdrawn.at))
        .into()
}

/// C10: Okta cannot read the own CA's list of revoked certificates, or this certificate is on it.
pub(in crate::diagnose) static CRL_PROBLEM: Entry = Entry {
    cause: Cause::CaByoCrlProblem,
    section: Section::CertificateAuthority,
    stage: Some(Stage::FastpassAfterCert),
    on: On::Desktops,
    mdms: "all, with an own CA",
    confidence: Confidence::High,
    evidence: "`pki.cert.crl_download_failure` around a refused sign-in, or a revocation of this certificate, with a certificate of an own CA",
    person: "PKI admin: repair the list's address (HTTP or HTTPS, signed by the uploaded intermediate), issue revoked certificates anew; Okta reads it a few times a day",
    neighbours: &[Cause::CertUnusedRevoked, Cause::CertRevokedByDeletion],
    prove: Prove::OfUser(crl_problem),
};

/// A failure this long before a sign-in can still be what refused it: Okta reads the list a few times a day.
const READ_AGAIN_WITHIN: TimeDelta = TimeDelta::days(1);

fn crl_problem(facts: &Facts<'_, '_>) -> Verdict {
    let view = &facts.certificate;
    let Some(row) = view.certificate.filter(|row| is_of_own_ca(row)) else {
        return Verdict::NoFault("the certificate is of Okta's own CA, or its issuer is not shown");
    };
    if view.issuer == IssuerMatch::Wrong {
        return Verdict::NoFault("the certificate's issuer is none that Okta knows");
    }
    let issuer = row.issuer.as_deref().unwrap_or("not shown");
    let mut evidence = facts.certificate_evidence();
    evidence.push(facts.mdm_says("certificate.issuer", issuer, None));
    if view.state == CertificateState::Revoked(RevokedBy::Ledger)
        && let Some(revocation) = view.revocation
    {
        evidence.push(facts.revocation_evidence(revocation));
        return Found::new(Cause::CaByoCrlProblem, Confidence::High, evidence)
            .since(Some(revocation.at))
            .into();
    }
    let Some(refused) = facts.refused() else {
        return Verdict::NoFault("no sign-in was refused since the certificate");
    };
    let failure = facts
        .fleet
        .last_change(OrgChange::CrlFailure, refused + READ_AGAIN_WITHIN)
        .filter(|failure| failure.at + READ_AGAIN_WITHIN >= refused);
    let Some(failure) = failure else {
        return Verdict::NoFault(
            "Okta could read the own CA's list around the refused sign-in, as far as the log shows",
        );
    };
    evidence.push(change_evidence(facts, failure));
    evidence.push(facts.refusal(refused));
    Found::new(Cause::CaByoCrlProblem, Confidence::High, evidence)
        .since(Some(failure.at))
        .into()
}
