//! The catalogue: why is this device-user not managed?
//!
//! Entries are asked in the order of `order.rs`, and the first that proves itself is the answer. Each says "it is
//! this", "it is not, because", "it cannot be told, because" or "a person checks it so"; silence never proves anything.

mod ca;
mod certificate;
mod document;
mod entry;
mod facts;
mod fastpass;
mod fleet;
mod lifecycle;
mod machine;
mod mdm;
mod okta_verify;
mod order;
mod people;
mod policy;
mod profile;
mod shared;
mod sso;
mod stages;
#[cfg(test)]
mod tests;
mod trouble;
mod verdict;

use std::borrow::Cow;

use crate::{
    Cause, Confidence, Diagnosis, Evidence, MatchStrength, Rival, Stage, Subject, Want,
    detect::DetectSettings,
};

pub(crate) use certificate::ends::renewal_word;
pub use document::{by_hand, document};
use entry::Prove;
use facts::Facts;
pub use fleet::Fleet;
use order::{ORDER, Step};
pub use stages::Clocks;
use verdict::{Found, Gap, Open, Verdict};

/// The fact under which the reason of an [`Cause::InsufficientEvidence`] stands in the evidence.
const UNDECIDED: &str = "undecided_because";

/// Says why a device-user is not managed. A subject that is no device-user gets `insufficient_evidence`.
///
/// For one subject; of many, `examine` asks with one `Fleet` for all.
pub fn diagnose(subject: &Subject<'_>, settings: &DetectSettings) -> Diagnosis {
    examine(subject, settings, &Fleet::new(subject.observations)).0
}

/// The diagnosis, and whether the user is denied by a policy right now.
pub(crate) fn examine<'a>(
    subject: &Subject<'a>,
    settings: &DetectSettings,
    fleet: &Fleet<'a>,
) -> (Diagnosis, bool) {
    match Facts::new(subject, settings, fleet) {
        Some(facts) => (evaluate(&facts), policy::is_blocked(&facts)),
        None => (no_device_user(), false),
    }
}

fn no_device_user() -> Diagnosis {
    Diagnosis {
        cause: Cause::InsufficientEvidence,
        stage: Stage::Unknown,
        confidence: Confidence::Low,
        evidence: Vec::new(),
        rivals: Vec::new(),
        wants: Vec::new(),
        symptom: None,
    }
}

/// What did not become the answer.
#[derive(Default)]
struct Considered {
    excluded: Vec<(Cause, &'static str)>,
    open: Vec<(Cause, Open)>,
    gaps: Vec<Gap>,
}

fn evaluate(facts: &Facts<'_, '_>) -> Diagnosis {
    let mut considered = Considered {
        excluded: Vec::with_capacity(ORDER.len()),
        ..Considered::default()
    };
    for step in &ORDER {
        let (cause, verdict) = match step {
            Step::Check(check) => (None, check(facts)),
            Step::Entry(entry) if !entry.on.covers(facts.device.platform) => continue,
            Step::Entry(entry) => match entry.prove {
                Prove::OfUser(ask) => (Some(entry.cause), ask(facts)),
                Prove::Elsewhere(_) => continue,
            },
        };
        match verdict {
            Verdict::Cause(found) => return decided(facts, *found, &considered),
            Verdict::NoFault(by) => considered.excluded.extend(cause.map(|cause| (cause, by))),
            Verdict::Open(open) => considered.open.extend(cause.map(|cause| (cause, open))),
            Verdict::NotEnoughEvidence(gap) => {
                let known = |gaps: &[Gap]| gaps.iter().any(|known| known.reason == gap.reason);
                if !known(&considered.gaps) {
                    considered.gaps.push(gap);
                }
                if cause.is_none() {
                    break;
                }
            }
        }
    }
    undecided(facts, considered)
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
    let fleet = Fleet::new(subject.observations);
    Facts::new(subject, settings, &fleet)
        .map_or_else(Clocks::default, |facts| stages::clocks(&facts))
}

/// Whether the user is denied by a policy right now, as far as rules and known groups tell.
pub fn is_blocked(subject: &Subject<'_>, settings: &DetectSettings) -> bool {
    let fleet = Fleet::new(subject.observations);
    Facts::new(subject, settings, &fleet).is_some_and(|facts| policy::is_blocked(&facts))
}

fn decided(facts: &Facts<'_, '_>, mut found: Found, considered: &Considered) -> Diagnosis {
    let symptom = found.symptom();
    let confidence = facts.capped(found.confidence);
    let confidence = facts
        .settings
        .less_contradicted(confidence, &found.evidence);
    let mut evidence = found.evidence;
    evidence.insert(0, facts.management_status());
    evidence.extend(match_evidence(facts));
    let entry = entry::of(found.cause);
    let neighbours = entry.map_or(&[][..], |entry| entry.neighbours);
    Diagnosis {
        cause: found.cause,
        stage: entry
            .and_then(|entry| entry.stage)
            .unwrap_or_else(|| stages::first_unproved(facts)),
        confidence,
        evidence,
        rivals: rivals(considered, |cause| neighbours.contains(&cause)),
        wants: wanting(facts, found.wants),
        symptom: Some(symptom),
    }
}

fn undecided(facts: &Facts<'_, '_>, considered: Considered) -> Diagnosis {
    let gaps = &considered.gaps;
    let reason = gaps.first().map_or("no entry fits", |gap| gap.reason);
    let mut evidence = vec![
        facts.management_status(),
        facts.okta_says(UNDECIDED, reason, None),
    ];
    evidence.extend(match_evidence(facts));
    let stage = stages::first_unproved(facts);
    let later = |cause| {
        let of = entry::of(cause).and_then(|entry| entry.stage);
        of.is_some_and(|of| of >= stage)
    };
    Diagnosis {
        cause: Cause::InsufficientEvidence,
        stage,
        confidence: Confidence::Low,
        evidence,
        rivals: rivals(&considered, later),
        wants: wanting(
            facts,
            considered
                .gaps
                .into_iter()
                .filter_map(|gap| gap.want)
                .collect(),
        ),
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

/// What was excluded, as far as it is wanted, and all that is left to a person.
fn rivals(considered: &Considered, wanted: impl Fn(Cause) -> bool) -> Vec<Rival> {
    let excluded = considered
        .excluded
        .iter()
        .filter(|(cause, _)| wanted(*cause))
        .map(|(cause, by)| Rival {
            cause: *cause,
            excluded_by: (*by).to_owned(),
            check: None,
        });
    let open = considered.open.iter().map(|(cause, open)| Rival {
        cause: *cause,
        excluded_by: open.because.to_owned(),
        check: Some(Cow::Borrowed(open.check)),
    });
    excluded.chain(open).collect()
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
