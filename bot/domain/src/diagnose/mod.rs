//! The catalogue: why is this device-user not managed?
//!
//! Entries are asked in a fixed order, cheap and exclusive ones first, and the first that proves itself is the answer.
//! Each says "it is this", "it is not, because" or "it cannot be told, because"; silence never proves anything.

mod certificate;
mod facts;
mod fastpass;
mod lifecycle;
mod mdm;
mod policy;
mod profile;
mod shared;
mod stages;
#[cfg(test)]
mod tests;
mod verdict;

use crate::{
    Cause, Confidence, Diagnosis, Evidence, MatchStrength, Rival, Stage, Subject, Want,
    detect::DetectSettings,
};

use facts::Facts;
pub use stages::Clocks;
use verdict::{Found, Verdict};

type Entry = fn(&Facts<'_, '_>) -> Verdict;

/// The evaluation order of the catalogue. `None`: a check that is no cause of its own, and ends it if it fails.
///
/// The policy is asked before the sign-in: a user whom no rule asks could sign in for ever without proof.
const ORDER: [(Option<Cause>, Entry); 26] = [
    // Okta lifecycle
    (Some(Cause::OktaSearchStaleRead), lifecycle::stale_read),
    (None, lifecycle::status_shown),
    (Some(Cause::OktaDeviceSuspended), lifecycle::suspended),
    (Some(Cause::OktaDeviceDeactivated), lifecycle::deactivated),
    (None, lifecycle::known_status),
    (Some(Cause::OktaDuplicateRecords), lifecycle::old_twin),
    (Some(Cause::OktaRecordStale), lifecycle::out_of_use),
    // Record match, MDM enrolment, check-in
    (Some(Cause::MdmNotEnrolled), mdm::not_enrolled),
    (Some(Cause::MdmEnrolmentBroken), mdm::enrolment_broken),
    (Some(Cause::MdmNotCheckingIn), mdm::not_checking_in),
    // Profile
    (Some(Cause::ProfileNotInScope), profile::not_in_scope),
    (Some(Cause::ProfileNotApplicable), profile::not_applicable),
    (Some(Cause::ProfileConflict), profile::conflict),
    (Some(Cause::ProfilePending), profile::pending),
    (Some(Cause::ProfileFailed), profile::failed),
    // Certificate
    (Some(Cause::CertExpired), certificate::expired),
    (
        Some(Cause::CertRevokedByDeletion),
        certificate::revoked_by_deletion,
    ),
    (Some(Cause::CertUnusedRevoked), certificate::revoked_unused),
    (Some(Cause::CertMissing), certificate::missing),
    (
        Some(Cause::ProfileInstalledNoCert),
        certificate::never_issued,
    ),
    // Okta Verify, policy, FastPass
    (
        Some(Cause::OvRegistrationIncomplete),
        fastpass::registration_incomplete,
    ),
    (Some(Cause::PolicyUserOutOfScope), policy::user_out_of_scope),
    (
        Some(Cause::FastpassNoSigninSinceCert),
        fastpass::no_sign_in_since_certificate,
    ),
    // Shared computers
    (Some(Cause::SharedUserStoreOnly), shared::user_store_only),
    (Some(Cause::Unexplained), fastpass::unexplained),
    (None, nothing_fits),
];

fn nothing_fits(_: &Facts<'_, '_>) -> Verdict {
    verdict::not_enough("no entry of the catalogue fits what was seen")
}

/// The fact under which the reason of an [`Cause::InsufficientEvidence`] stands in the evidence.
const UNDECIDED: &str = "undecided_because";

/// Says why a device-user is not managed. A subject that is no device-user gets `insufficient_evidence`.
pub fn diagnose(subject: &Subject<'_>, settings: &DetectSettings) -> Diagnosis {
    match Facts::new(subject, settings) {
        Some(facts) => evaluate(&facts),
        None => Diagnosis {
            cause: Cause::InsufficientEvidence,
            stage: Stage::Unknown,
            confidence: Confidence::Low,
            evidence: Vec::new(),
            rivals: Vec::new(),
            wants: Vec::new(),
            symptom: None,
        },
    }
}

/// [`diagnose`] and [`is_blocked`] in one go.
pub(crate) fn examine(subject: &Subject<'_>, settings: &DetectSettings) -> (Diagnosis, bool) {
    match Facts::new(subject, settings) {
        Some(facts) => (evaluate(&facts), policy::is_blocked(&facts)),
        None => (diagnose(subject, settings), false),
    }
}

fn evaluate(facts: &Facts<'_, '_>) -> Diagnosis {
    let mut excluded: Vec<(Cause, &'static str)> = Vec::with_capacity(ORDER.len());
    let mut gaps: Vec<verdict::Gap> = Vec::new();
    for (cause, entry) in ORDER {
        match entry(facts) {
            Verdict::Cause(found) => return decided(facts, *found, &excluded),
            Verdict::NoFault(by) => excluded.extend(cause.map(|cause| (cause, by))),
            Verdict::NotEnoughEvidence(gap) => {
                if !gaps.iter().any(|known| known.reason == gap.reason) {
                    gaps.push(gap);
                }
                if cause.is_none() {
                    break;
                }
            }
        }
    }
    undecided(facts, gaps, &excluded)
}

/// Why a diagnosis of `insufficient_evidence` could not decide, for people.
pub fn undecided_because(diagnosis: &Diagnosis) -> Option<&str> {
    diagnosis
        .evidence
        .iter()
        .find(|evidence| evidence.fact == UNDECIDED)
        .map(|evidence| evidence.value.as_str())
}

/// The four clocks of a device-user; all unknown for another subject.
pub fn clocks(subject: &Subject<'_>, settings: &DetectSettings) -> Clocks {
    Facts::new(subject, settings).map_or_else(Clocks::default, |facts| stages::clocks(&facts))
}

/// Whether the user is denied by a policy right now, as far as rules and known groups tell.
pub fn is_blocked(subject: &Subject<'_>, settings: &DetectSettings) -> bool {
    Facts::new(subject, settings).is_some_and(|facts| policy::is_blocked(&facts))
}

fn decided(
    facts: &Facts<'_, '_>,
    mut found: Found,
    excluded: &[(Cause, &'static str)],
) -> Diagnosis {
    let symptom = found.symptom();
    let confidence = facts.capped(found.confidence);
    let confidence = facts
        .settings
        .less_contradicted(confidence, &found.evidence);
    let mut evidence = found.evidence;
    evidence.insert(0, facts.management_status());
    evidence.extend(match_evidence(facts));
    let neighbours = neighbours(found.cause);
    Diagnosis {
        cause: found.cause,
        stage: stages::of_cause(found.cause).unwrap_or_else(|| stages::first_unproved(facts)),
        confidence,
        evidence,
        rivals: rivals(excluded, |cause| neighbours.contains(&cause)),
        wants: wanting(facts, found.wants),
        symptom: Some(symptom),
    }
}

fn undecided(
    facts: &Facts<'_, '_>,
    gaps: Vec<verdict::Gap>,
    excluded: &[(Cause, &'static str)],
) -> Diagnosis {
    let reason = gaps.first().map_or("no entry fits", |gap| gap.reason);
    let mut evidence = vec![
        facts.management_status(),
        facts.okta_says(UNDECIDED, reason, None),
    ];
    evidence.extend(match_evidence(facts));
    let stage = stages::first_unproved(facts);
    Diagnosis {
        cause: Cause::InsufficientEvidence,
        stage,
        confidence: Confidence::Low,
        evidence,
        rivals: rivals(excluded, |cause| {
            stages::of_cause(cause).is_some_and(|of| of >= stage)
        }),
        wants: wanting(facts, gaps.into_iter().filter_map(|gap| gap.want).collect()),
        symptom: None,
    }
}

/// By what the MDM record was found, where it is not by a strong key.
fn match_evidence(facts: &Facts<'_, '_>) -> Option<Evidence> {
    let (_, record) = facts.mdm()?;
    let value = match facts.subject.strength {
        MatchStrength::Weak => "user, model and name only",
        MatchStrength::Strong | MatchStrength::None => {
            record.serial_number.as_deref().unwrap_or("hardware UUID")
        }
    };
    Some(facts.mdm_says("record.matched_by", value, record.last_check_in))
}

fn rivals(excluded: &[(Cause, &'static str)], wanted: impl Fn(Cause) -> bool) -> Vec<Rival> {
    excluded
        .iter()
        .filter(|(cause, _)| wanted(*cause))
        .map(|(cause, by)| Rival {
            cause: *cause,
            excluded_by: (*by).to_owned(),
            check: None,
        })
        .collect()
}

/// What a diagnosis asks for, and the groups that exclusions ask for.
fn wanting(facts: &Facts<'_, '_>, mut wants: Vec<Want>) -> Vec<Want> {
    let groups_known = facts.detail.is_some_and(|detail| detail.groups.is_some());
    if facts.settings.exclusions.name_groups() && !groups_known {
        wants.push(Want::UserGroups {
            user: facts.link.user_id.clone(),
        });
    }
    wants.sort();
    wants.dedup();
    wants
}

/// What a cause is easily taken for, by the catalogue.
fn neighbours(cause: Cause) -> &'static [Cause] {
    use Cause as C;
    match cause {
        C::OktaDeviceSuspended => &[C::OktaDeviceDeactivated],
        C::OktaDeviceDeactivated => &[C::OktaDeviceSuspended],
        C::MdmEnrolmentBroken => &[C::MdmNotEnrolled],
        C::MdmNotCheckingIn => &[C::MdmEnrolmentBroken, C::OktaRecordStale],
        C::ProfileNotInScope => &[C::MdmNotCheckingIn, C::MdmEnrolmentBroken],
        C::ProfilePending => &[C::MdmNotCheckingIn, C::ProfileNotInScope],
        C::ProfileFailed => &[C::ProfileNotInScope, C::ProfilePending, C::ProfileConflict],
        C::CertExpired | C::IntuneMacRenewalMissed => &[C::ProfileNotInScope, C::ProfileFailed],
        C::CertRevokedByDeletion => &[C::CertExpired, C::OktaDuplicateRecords],
        C::CertUnusedRevoked => &[C::CertExpired, C::CertRevokedByDeletion],
        C::CertMissing => &[C::ProfileNotInScope, C::ProfilePending, C::ProfileFailed],
        C::ProfileInstalledNoCert => &[C::ProfilePending, C::ProfileFailed, C::CertMissing],
        C::OvRegistrationIncomplete => &[C::OktaDeviceDeactivated],
        C::PolicyUserOutOfScope => &[C::CertExpired, C::OvRegistrationIncomplete],
        C::FastpassNoSigninSinceCert => &[
            C::CertExpired,
            C::CertUnusedRevoked,
            C::CertRevokedByDeletion,
            C::OvRegistrationIncomplete,
            C::PolicyUserOutOfScope,
        ],
        C::SharedUserStoreOnly => &[C::FastpassNoSigninSinceCert, C::PolicyUserOutOfScope],
        C::Unexplained => &[
            C::CertExpired,
            C::CertUnusedRevoked,
            C::CertRevokedByDeletion,
            C::PolicyUserOutOfScope,
            C::FastpassNoSigninSinceCert,
            C::SharedUserStoreOnly,
        ],
        _ => &[],
    }
}
