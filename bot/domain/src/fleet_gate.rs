//! The fleet gate: one cause that hits many computers at once is one finding, not many repairs.
//!
//! Subjects are diagnosed one by one first. Then those whose own symptom a signature explains are counted by what they
//! share. A finding that fires takes its members out of every proposal until a person says that it is fixed; then they
//! are let go in canary order. A subject is a member of at most one.

mod attribute;
mod canary;
mod judge;
mod model;
mod onset;
mod signature;
mod table;
#[cfg(test)]
mod tests;
mod world;

use std::collections::{BTreeSet, HashMap, HashSet};

use chrono::{DateTime, Utc};

pub use attribute::Attribute;
pub use canary::BATCHES;
pub use model::{FleetFinding, FleetState, Gated, Known, Member, Phase, UsualKey};

use attribute::{Sight, Value};
use judge::{Fired, judge};
use signature::{Begins, Signature};
use table::SIGNATURES;
use world::{Group, World};

use crate::{
    Cause, Confidence, DeviceId, Evidence, FleetFindingId, ManagementStatus, Observations,
    OrgChangeSeen,
    correlate::effective_links,
    digest::sha256_hex,
    findings::{Case, Findings},
};

/// Clusters the findings of one sweep. `complete`: every source was read whole; otherwise nothing new is declared,
/// nothing is let go and nothing is over.
pub fn gate(found: &Findings<'_>, state: &FleetState, complete: bool) -> Gated {
    let world = World::new(found.observations, &found.findings, &found.fleet, state);
    let mut gate = Gate {
        managed: managed_again(&world),
        world,
        taken: HashSet::new(),
        gated: Gated::default(),
    };
    for known in state
        .known
        .iter()
        .filter(|known| known.phase != Phase::Closed)
    {
        gate.follow(known, complete);
    }
    if complete {
        gate.declare();
    }
    gate.gated
        .findings
        .sort_by_key(|finding| finding.phase == Phase::Closed);
    gate.hold();
    gate.gated
}

struct Gate<'w, 'a> {
    world: World<'w, 'a>,
    /// Members that were let go and are managed again.
    managed: BTreeSet<Member>,
    /// Cases that are a member already.
    taken: HashSet<usize>,
    gated: Gated,
}

impl<'a> Gate<'_, 'a> {
    /// What became of a finding that is known.
    fn follow(&mut self, known: &Known, complete: bool) {
        let signatures = of(known);
        let cases: Vec<usize> = (0..self.world.cases.len())
            .filter(|case| !self.taken.contains(case))
            .filter(|&case| self.belongs(known, &signatures, case))
            .collect();
        let step = canary::step(
            &self.world,
            known,
            &signatures,
            &cases,
            &self.managed,
            complete,
        );
        let members = self.members(&cases);
        let managed = step.released.intersection(&self.managed).count();
        self.gated.findings.push(FleetFinding {
            id: known.id.clone(),
            cause: known.cause,
            confidence: confidence(&signatures),
            attribute: known.attribute,
            value: known.value.clone(),
            since: known.since,
            evidence: change_evidence(self.world.observations, known.change.as_ref()),
            change: known.change.clone(),
            phase: step.phase,
            reopened: step.reopened,
            computers: self.world.computers(&cases),
            members,
            released: step.released,
            managed,
        });
        self.taken.extend(cases);
    }

    /// Whether a case is explained by a known finding: its symptom, its value and its onset.
    fn belongs(&self, known: &Known, signatures: &[&Signature], case: usize) -> bool {
        let one = &self.world.cases[case];
        let cause = one.diagnosis.cause;
        let sight = Sight::of_case(one);
        let fits = |signature: &&&Signature| {
            (signature.cause.is_some() || cause == known.cause)
                && signature.explains.contains(&cause)
                && signature.only.holds(&sight)
        };
        let Some(signature) = signatures.iter().find(fits) else {
            return false;
        };
        let same = sight
            .values(known.attribute)
            .any(|value| value.shown(self.world.observations) == known.value);
        let was_one = || member(one).is_some_and(|member| known.members.contains(&member));
        same && (signature.is_fact()
            || was_one()
            || self.world.explains_onset(signature, case, known.since))
    }

    /// Whether a person said of just this that it is fixed, after the fault of the case began.
    fn is_settled(&self, cause: Cause, attribute: Attribute, value: &str, case: usize) -> bool {
        self.world.state.known.iter().any(|known| {
            known.cause == cause
                && known.attribute == attribute
                && known.value == value
                && known
                    .marked_at
                    .is_some_and(|marked| self.world.onset(case).is_none_or(|at| at <= marked))
        })
    }

    /// New findings, by the order of the signatures, the largest value first.
    fn declare(&mut self) {
        let groups = self.world.groups(&self.taken);
        for group in &groups {
            self.note_usual(group);
            let mut values: Vec<_> = group.by_value.iter().collect();
            values.sort_by_key(|(value, cases)| (std::cmp::Reverse(cases.len()), **value));
            for (value, cases) in values {
                if cases.len() >= group.signature.least {
                    self.judge(group, *value, cases);
                }
            }
        }
    }

    fn judge(&mut self, group: &Group<'a>, value: Value<'a>, cases: &[usize]) {
        let signature = group.signature;
        let Some(cause) = signature.cause.or(group.own) else {
            return;
        };
        let shown = value.shown(self.world.observations);
        let (taken, attribute) = (&self.taken, signature.shared);
        let cases: Vec<usize> = cases
            .iter()
            .copied()
            .filter(|case| !taken.contains(case))
            .filter(|&case| !self.is_settled(cause, attribute, &shown, case))
            .collect();
        let Some(fired) = judge(&self.world, group, value, &cases) else {
            return;
        };
        let members: Vec<usize> = cases
            .into_iter()
            .filter(|&case| {
                signature.is_fact() || self.world.explains_onset(signature, case, fired.since)
            })
            .collect();
        let finding = self.finding(signature, cause, fired, shown, &members);
        self.gated.findings.push(finding);
        self.taken.extend(members);
    }

    fn finding(
        &self,
        signature: &Signature,
        cause: Cause,
        fired: Fired,
        value: String,
        members: &[usize],
    ) -> FleetFinding {
        let mut evidence = change_evidence(self.world.observations, fired.change.as_ref());
        evidence.extend(fired.evidence);
        let first = members
            .iter()
            .filter_map(|&case| self.world.onset(case))
            .min();
        let since = match signature.is_fact() {
            true => fired.change.as_ref().map(|change| change.at).or(first),
            false => fired.since,
        };
        FleetFinding {
            id: id(
                cause,
                signature.shared,
                &value,
                since.or(Some(self.world.observations.okta.now)),
            ),
            cause,
            confidence: signature.confidence(),
            attribute: signature.shared,
            value,
            since,
            change: fired.change,
            evidence,
            phase: Phase::Open,
            reopened: false,
            computers: self.world.computers(members),
            members: self.members(members),
            released: BTreeSet::new(),
            managed: 0,
        }
    }

    fn note_usual(&mut self, group: &Group<'a>) {
        let Some(cause) = group
            .own
            .filter(|_| matches!(group.signature.begins, Begins::Lately))
        else {
            return;
        };
        for (value, cases) in &group.by_value {
            let key = (
                cause,
                group.signature.shared,
                value.shown(self.world.observations),
            );
            for onset in cases.iter().filter_map(|&case| self.world.onset(case)) {
                *self
                    .gated
                    .new_faults
                    .entry((onset.date_naive(), key.clone()))
                    .or_default() += 1;
            }
        }
    }

    fn members(&self, cases: &[usize]) -> BTreeSet<Member> {
        cases
            .iter()
            .filter_map(|&case| member(&self.world.cases[case]))
            .collect()
    }

    /// Says of each case by which finding it is held.
    fn hold(&mut self) {
        let holder: HashMap<&Member, usize> = self
            .gated
            .findings
            .iter()
            .enumerate()
            .filter(|(_, finding)| !matches!(finding.phase, Phase::Resumed | Phase::Closed))
            .flat_map(|(at, finding)| {
                let held = finding.members.difference(&finding.released);
                held.map(move |member| (member, at))
            })
            .collect();
        self.gated.held = self
            .taken
            .iter()
            .filter_map(|&case| {
                let member = member(&self.world.cases[case])?;
                Some((case, *holder.get(&member)?))
            })
            .collect();
    }
}

/// The signatures that may have declared a finding.
fn of(known: &Known) -> Vec<&'static Signature> {
    SIGNATURES
        .iter()
        .filter(|signature| signature.shared == known.attribute)
        .filter(|signature| match signature.cause {
            Some(cause) => cause == known.cause,
            None => signature.explains.contains(&known.cause),
        })
        .collect()
}

fn confidence(signatures: &[&Signature]) -> Confidence {
    let sure = signatures
        .iter()
        .map(|signature| signature.confidence())
        .max();
    sure.unwrap_or(Confidence::Medium)
}

fn member(case: &Case<'_>) -> Option<Member> {
    Some((
        case.finding.device_id.clone()?,
        case.finding.user_id.clone()?,
    ))
}

/// Who of those that were let go is managed by what Okta shows now.
fn managed_again(world: &World<'_, '_>) -> BTreeSet<Member> {
    let released: HashSet<&Member> = world
        .state
        .known
        .iter()
        .flat_map(|known| &known.released)
        .collect();
    if released.is_empty() {
        return BTreeSet::new();
    }
    let devices: HashSet<&DeviceId> = released.iter().map(|(device, _)| device).collect();
    let of_them = world
        .fleet
        .desktops()
        .filter(|(device, _)| devices.contains(&device.id));
    of_them
        .flat_map(|(device, _)| {
            let links = effective_links(world.observations, device);
            links
                .filter(|link| link.management_status == Some(ManagementStatus::Managed))
                .map(|link| (device.id.clone(), link.user_id.clone()))
        })
        .filter(|member| released.contains(member))
        .collect()
}

fn change_evidence(observations: &Observations, change: Option<&OrgChangeSeen>) -> Vec<Evidence> {
    let Some(change) = change else {
        return Vec::new();
    };
    let says = |fact: String, value: &str| Evidence {
        source: "okta".to_owned(),
        fact,
        value: value.to_owned(),
        observed_at: observations.okta.now,
        about: Some(change.at),
        assumes: None,
    };
    let target = change.target.as_deref().unwrap_or("seen");
    let what = says(change.event_type.clone(), target);
    let who = change
        .actor
        .as_deref()
        .map(|actor| says(format!("{}.actor", change.event_type), actor));
    std::iter::once(what).chain(who).collect()
}

/// `F-` and six base32 characters of the digest of what it is and when it began.
fn id(
    cause: Cause,
    attribute: Attribute,
    value: &str,
    since: Option<DateTime<Utc>>,
) -> FleetFindingId {
    const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let since = since.map(|at| at.timestamp()).unwrap_or_default();
    let text = format!("{}|{}|{value}|{since}", cause.name(), attribute.word());
    let digest = sha256_hex(text.as_bytes());
    let letters = (0..6).map(|at| {
        let byte = u8::from_str_radix(&digest[2 * at..2 * at + 2], 16).unwrap_or_default();
        char::from(BASE32[usize::from(byte % 32)])
    });
    FleetFindingId::from(format!("F-{}", letters.collect::<String>()))
}
