//! Each entry of the catalogue: it fires, it does not, it cannot tell, and it is not taken for its neighbour.

use crate::{
    AuthorityCertificate, Cause, CertificateAuthority, CertificateStore, ChallengeKind, Confidence,
    DeviceChange, Diagnosis, Enrolment, EnrolmentsSeen, EventClass, FastPassSeen, Issuance,
    KeyStorage, LifecycleSeen, ManagementStatus, OktaDeviceStatus, OtherSignIn, Platform,
    ProfileScope, ProfileState, RevocationSeen, ScepAnswer, ScepProbe, Seen, SsoExtensionProfile,
    Stage, TrustProfile, Visibility, Want,
    correlate::{normalise, normalise_subject},
    sample::{At, INTUNE, JAMF, Org, certificate, days_ago, hours_ago, now},
};

use super::undecided_because;

mod ca;
mod catalogue;
mod certificate;
mod fastpass;
mod mdm;
mod policy;
mod profile;
mod properties;
mod records;
mod shared;
mod sso;
mod unexplained;
mod which_certificate;

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

/// What is left to a person, by cause.
fn to_check(diagnosis: &Diagnosis) -> Vec<Cause> {
    let rivals = diagnosis.rivals.iter();
    rivals
        .filter(|rival| rival.check.is_some())
        .map(|rival| rival.cause)
        .collect()
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

/// What Intune says of the certificate request.
fn request(org: &mut Org, at: At, state: &str) {
    org.record(at).issuance = Some(Issuance {
        state: state.to_owned(),
        error_code: None,
        since: Some(days_ago(1)),
    });
}
