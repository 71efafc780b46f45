//! From "marked as fixed" to "resumed": one computer first, then five, fifty, the rest; or open again.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::{Known, Member, Phase, member, signature::Signature, world::World};
use crate::{DeviceId, HardwareKey};

/// Computers that are let go, batch by batch; after the last all others follow.
pub const BATCHES: [usize; 3] = [1, 5, 50];
/// The next batch is let go when so many per cent of those before are managed.
const PASSED: usize = 80;

/// What happens to a known finding in this sweep.
pub(super) struct Step {
    pub(super) phase: Phase,
    pub(super) released: BTreeSet<Member>,
    pub(super) reopened: bool,
}

pub(super) fn step(
    world: &World<'_, '_>,
    known: &Known,
    signatures: &[&Signature],
    cases: &[usize],
    managed: &BTreeSet<Member>,
    complete: bool,
) -> Step {
    let stay = |phase, released: BTreeSet<Member>| Step {
        phase,
        released,
        reopened: false,
    };
    if fires_again(world, known, signatures, cases) {
        return Step {
            phase: Phase::Open,
            released: BTreeSet::new(),
            reopened: true,
        };
    }
    if !complete {
        return stay(known.phase, known.released.clone());
    }
    match known.phase {
        _ if cases.is_empty() => stay(Phase::Closed, known.released.clone()),
        Phase::Open | Phase::Resumed | Phase::Closed => stay(known.phase, known.released.clone()),
        Phase::MarkedFixed | Phase::Canary => {
            let mut released = known.released.clone();
            let waiting = waiting(world, known, cases);
            let next = next_batch(world, known, cases, managed);
            let all = next >= waiting.len();
            released.extend(waiting.into_iter().take(next).flatten());
            stay(if all { Phase::Resumed } else { Phase::Canary }, released)
        }
    }
}

/// Whether people who were not affected when somebody said "fixed" are affected since, as many as the signature asks.
fn fires_again(
    world: &World<'_, '_>,
    known: &Known,
    signatures: &[&Signature],
    cases: &[usize],
) -> bool {
    let Some(marked) = known.marked_at.filter(|_| known.phase != Phase::Open) else {
        return false;
    };
    let fresh: Vec<usize> = cases
        .iter()
        .copied()
        .filter(|&case| {
            member(&world.cases[case]).is_some_and(|member| !known.members.contains(&member))
                && world.onset(case).is_some_and(|onset| onset > marked)
        })
        .collect();
    let computers = world.computers(&fresh);
    signatures.iter().any(|signature| {
        let fact = signature.is_fact() && world.may_fire(signature) && !cases.is_empty();
        fact || (!signature.is_fact()
            && computers >= signature.least
            && !world.works_after(signature, &known.value, marked))
    })
}

/// How many computers are let go now.
fn next_batch(
    world: &World<'_, '_>,
    known: &Known,
    cases: &[usize],
    managed: &BTreeSet<Member>,
) -> usize {
    let devices = |members: &mut dyn Iterator<Item = &Member>| -> usize {
        members
            .map(|(device, _)| device)
            .collect::<BTreeSet<&DeviceId>>()
            .len()
    };
    let done = devices(
        &mut known
            .released
            .iter()
            .filter(|member| managed.contains(*member)),
    );
    let affected: BTreeSet<Member> = cases
        .iter()
        .filter_map(|&case| member(&world.cases[case]))
        .collect();
    // A record that has vanished proves nothing; another computer takes its place.
    let there = devices(
        &mut known
            .released
            .iter()
            .filter(|member| managed.contains(*member) || affected.contains(*member)),
    );
    if done * 100 < PASSED * there {
        return 0;
    }
    let mut sum = 0;
    for batch in BATCHES {
        sum += batch;
        if there < sum {
            return sum - there;
        }
    }
    usize::MAX
}

/// Computers that are still held, in the order in which they are let go: those that a playbook can repair, then whoever
/// is blocked, then by device.
fn waiting(world: &World<'_, '_>, known: &Known, cases: &[usize]) -> Vec<Vec<Member>> {
    let mut computers: HashMap<&HardwareKey, (bool, bool, Vec<Member>)> = HashMap::new();
    for &case in cases {
        let one = &world.cases[case];
        let Some(member) = member(one).filter(|member| !known.released.contains(member)) else {
            continue;
        };
        let repairable = one.finding.why_not.is_none()
            && world.state.playbook_causes.contains(&one.diagnosis.cause);
        let entry = computers
            .entry(&one.subject.hardware)
            .or_insert((true, true, Vec::new()));
        entry.0 &= !repairable;
        entry.1 &= !one.finding.blocked;
        entry.2.push(member);
    }
    let ordered: BTreeMap<(bool, bool, DeviceId), Vec<Member>> = computers
        .into_values()
        .filter_map(|(later, free, mut members)| {
            members.sort();
            let first = members.first()?.0.clone();
            Some(((later, free, first), members))
        })
        .collect();
    ordered.into_values().collect()
}
