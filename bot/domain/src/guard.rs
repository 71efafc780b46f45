//! What may be proposed now. Belts on by default: stops, exclusions, cool-down, attempts, one in flight, size caps.
//!
//! Never a random part of too many: whoever fits first in the plan's own order is taken. Every computer that is left
//! out has one reason and a time when it is looked at again. Executing is no concern of this module.

use std::collections::{BTreeMap, HashMap, HashSet};

use chrono::{DateTime, Duration, Utc};

use crate::planning::{Candidate, assemble};
use crate::playbook::Playbook;
use crate::{
    Cause, DeviceId, HardwareKey, Plan, PlannedRepair, PlaybookName, ProposalId, UserId, WhyNot,
};

mod caps;
mod state;

use caps::{over_cap, places};
pub use state::{
    DeniedKey, Exclusions, GuardState, InFlight, Mode, OpenProposal, SafetySettings, Stop, Stops,
};

/// Additions open a new revision at most this often.
pub const REVISION_INTERVAL: Duration = Duration::hours(4);

/// Planned repairs of one playbook and cause.
#[derive(Debug, Clone)]
pub struct Group<'a> {
    /// Playbook.
    pub playbook: &'a Playbook,
    /// Cause.
    pub cause: Cause,
    /// Repairs, in any order.
    pub candidates: Vec<Candidate>,
}

/// What a guard looks at.
#[derive(Debug)]
pub struct GuardInput<'a> {
    /// Now, on our own clock.
    pub now: DateTime<Utc>,
    /// When the next sweep is due: the time at which what has no time of its own is looked at again.
    pub next_look: DateTime<Utc>,
    /// Start of the next day in the site's time zone.
    pub tomorrow: DateTime<Utc>,
    /// Settings.
    pub settings: &'a SafetySettings,
    /// State.
    pub state: &'a GuardState,
    /// Sources that were not read whole, with the reason: okta, log or `[[mdm]].name`.
    pub incomplete: &'a BTreeMap<String, String>,
    /// One per playbook and cause.
    pub groups: Vec<Group<'a>>,
}

/// What is to be done with a proposal.
#[derive(Debug, Clone, PartialEq)]
pub enum ProposalChange {
    /// A new one.
    Open {
        /// Its plan.
        plan: Plan,
    },
    /// A new revision with more computers.
    Revise {
        /// Which.
        id: ProposalId,
        /// The new revision.
        revision: u32,
        /// The new plan.
        plan: Plan,
        /// Computers that were added.
        added: Vec<HardwareKey>,
    },
    /// It stays as it is; drop-outs leave at execution without changing it.
    Keep {
        /// Which.
        id: ProposalId,
        /// Computers in it that are no candidates any more.
        dropped_out: Vec<HardwareKey>,
    },
}

/// A computer that is in no proposal of this pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    /// Computer.
    pub hardware: HardwareKey,
    /// Its device-users.
    pub subjects: Vec<(DeviceId, UserId)>,
    /// The playbook that matches.
    pub playbook: PlaybookName,
    /// The cause.
    pub cause: Cause,
    /// The word.
    pub why: WhyNot,
    /// The reason, for people.
    pub detail: String,
    /// When it is looked at again.
    pub retry_at: DateTime<Utc>,
}

/// Outcome of a guard.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct GuardOutput {
    /// One entry per proposal that exists afterwards, in the order of the input.
    pub changes: Vec<ProposalChange>,
    /// Everything that is in none.
    pub left_out: Vec<LeftOut>,
    /// Computers that have used up their attempts and are to be quarantined.
    pub quarantine: Vec<HardwareKey>,
}

/// Why one candidate is left out.
struct Refused {
    why: WhyNot,
    detail: String,
    retry_at: DateTime<Utc>,
}

/// Decides what may be proposed. Deterministic: the same input gives the same output.
pub fn guard(input: GuardInput<'_>) -> GuardOutput {
    let GuardInput { groups, .. } = &input;
    let mut output = GuardOutput::default();
    let mut taken = Taken::default();
    for open in &input.state.open {
        taken.add_plan(open);
    }
    let mut order: Vec<usize> = (0..groups.len()).collect();
    order.sort_by_key(|&index| (&groups[index].playbook.name, groups[index].cause));
    for index in order {
        guard_group(&input, &groups[index], &mut taken, &mut output);
    }
    for open in &input.state.open {
        let has_group = groups.iter().any(|group| {
            group.playbook.name == open.plan.playbook && group.cause == open.plan.cause
        });
        if !has_group {
            output.changes.push(ProposalChange::Keep {
                id: open.id.clone(),
                dropped_out: open
                    .plan
                    .repairs
                    .iter()
                    .map(|repair| repair.hardware.clone())
                    .collect(),
            });
        }
    }
    output
}

/// Computers and users that a proposal of this pass holds, and how many each playbook has.
#[derive(Default)]
struct Taken {
    hardware: HashMap<HardwareKey, (PlaybookName, Cause)>,
    users: HashMap<UserId, HardwareKey>,
    per_playbook: HashMap<PlaybookName, usize>,
}

impl Taken {
    fn add_plan(&mut self, open: &OpenProposal) {
        for repair in &open.plan.repairs {
            self.add(repair, &open.plan.playbook, open.plan.cause);
        }
    }

    fn add(&mut self, repair: &PlannedRepair, playbook: &PlaybookName, cause: Cause) {
        let key = (playbook.clone(), cause);
        if self.hardware.insert(repair.hardware.clone(), key).is_none() {
            *self.per_playbook.entry(playbook.clone()).or_default() += 1;
        }
        for subject in &repair.subjects {
            self.users
                .entry(subject.user_id.clone())
                .or_insert_with(|| repair.hardware.clone());
        }
    }
}

fn guard_group(
    input: &GuardInput<'_>,
    group: &Group<'_>,
    taken: &mut Taken,
    output: &mut GuardOutput,
) {
    let mut candidates = group.candidates.clone();
    candidates.sort_by(Candidate::order);
    let open =
        input.state.open.iter().find(|open| {
            open.plan.playbook == group.playbook.name && open.plan.cause == group.cause
        });
    let in_open: HashSet<&HardwareKey> = open
        .into_iter()
        .flat_map(|open| open.plan.repairs.iter().map(|repair| &repair.hardware))
        .collect();

    let mut staying = Vec::new();
    let mut added = Vec::new();
    let mut places = places(input, group, taken);
    for candidate in candidates {
        let is_in = in_open.contains(&candidate.repair.hardware);
        let refused = refuse(input, group, &candidate.repair, taken, is_in, output);
        let refused = match refused {
            None if is_in => None,
            None => over_cap(input, group, open, &mut places),
            refused => refused,
        };
        match refused {
            // What is in a frozen proposal stays in it; the reason drops it when its turn comes.
            Some(_) if is_in => {}
            Some(refused) => output
                .left_out
                .push(left_out(group, &candidate.repair, refused)),
            None if is_in => staying.push(candidate),
            None => {
                taken.add(&candidate.repair, &group.playbook.name, group.cause);
                added.push(candidate);
            }
        }
    }
    match open {
        Some(open) if added.is_empty() => {
            let here: HashSet<&HardwareKey> = staying
                .iter()
                .map(|candidate| &candidate.repair.hardware)
                .collect();
            let dropped_out = open
                .plan
                .repairs
                .iter()
                .map(|repair| &repair.hardware)
                .filter(|hardware| !here.contains(hardware))
                .cloned()
                .collect();
            output.changes.push(ProposalChange::Keep {
                id: open.id.clone(),
                dropped_out,
            });
        }
        Some(open) => {
            let keys = added
                .iter()
                .map(|candidate| candidate.repair.hardware.clone())
                .collect();
            staying.extend(added);
            output.changes.push(ProposalChange::Revise {
                id: open.id.clone(),
                revision: open.revision + 1,
                plan: assemble(group.playbook, group.cause, staying),
                added: keys,
            });
        }
        None if !added.is_empty() => output.changes.push(ProposalChange::Open {
            plan: assemble(group.playbook, group.cause, added),
        }),
        None => {}
    }
}

/// The first reason that holds against one computer, apart from the caps. The order is part of the contract.
fn refuse(
    input: &GuardInput<'_>,
    group: &Group<'_>,
    repair: &PlannedRepair,
    taken: &Taken,
    is_in_open: bool,
    output: &mut GuardOutput,
) -> Option<Refused> {
    let state = input.state;
    let playbook = &group.playbook.name;
    let key = (repair.hardware.clone(), playbook.clone());
    let later = |why, detail: String| {
        Some(Refused {
            why,
            detail,
            retry_at: input.next_look,
        })
    };

    if let Some(reason) = incomplete(input, repair) {
        return later(WhyNot::SourceIncomplete, reason);
    }
    if let Some(what) = input.settings.exclusions.of_repair(repair) {
        return later(WhyNot::Excluded, what);
    }
    if let Some(last) = state.last_repair.get(&key) {
        let over = *last + Duration::seconds(seconds(group.playbook.limits.cooldown_seconds));
        if over > input.now {
            return Some(Refused {
                why: WhyNot::Cooldown,
                detail: format!("last repaired with {playbook} at {}", stamp(*last)),
                retry_at: over,
            });
        }
    }
    let quarantined = state.quarantined.get(&repair.hardware);
    let attempts = state.attempts.get(&key).copied().unwrap_or_default();
    if quarantined.is_none() && attempts >= group.playbook.max_attempts(group.cause) {
        output.quarantine.push(repair.hardware.clone());
        return later(
            WhyNot::AttemptCap,
            format!("{attempts} repairs with {playbook} did not help; a person must look"),
        );
    }
    if let Some(reason) = quarantined {
        return later(WhyNot::Quarantine, reason.clone());
    }
    if let Some(reason) = in_flight(input, group, repair, taken, is_in_open) {
        return later(WhyNot::InFlight, reason);
    }
    let denied = DeniedKey {
        hardware: repair.hardware.clone(),
        playbook: playbook.clone(),
        cause: group.cause,
    };
    if let Some(until) = state
        .denied
        .get(&denied)
        .filter(|until| **until > input.now)
    {
        return Some(Refused {
            why: WhyNot::Denied,
            detail: format!("denied until {}", stamp(*until)),
            retry_at: *until,
        });
    }
    if let Some(stop) = state.stops.of_playbook(playbook) {
        return later(
            WhyNot::Stopped,
            format!(
                "stopped by {} at {}: {}",
                stop.by,
                stamp(stop.at),
                stop.reason
            ),
        );
    }
    if input.settings.mode == Mode::Observe {
        return later(
            WhyNot::ObserveOnly,
            "the bot only observes: [safety] mode".to_owned(),
        );
    }
    None
}

fn incomplete(input: &GuardInput<'_>, repair: &PlannedRepair) -> Option<String> {
    let told = |name: &str, reason: &str| format!("{name}: {reason}");
    for (name, reason) in input.incomplete {
        let is_okta = name == "okta" || name == "log";
        let concerns = match &repair.mdm {
            Some(mdm) => mdm.as_str() == name,
            // An MDM that was not read whole may be the one that knows this computer.
            None => true,
        };
        let knew = repair.subjects.iter().any(|subject| {
            let known = input.state.last_known_mdm.get(&subject.device_id);
            known.is_some_and(|mdm| mdm.as_str() == name)
        });
        if is_okta || concerns || knew {
            return Some(told(name, reason));
        }
    }
    None
}

fn in_flight(
    input: &GuardInput<'_>,
    group: &Group<'_>,
    repair: &PlannedRepair,
    taken: &Taken,
    is_in_open: bool,
) -> Option<String> {
    if let Some(running) = input.state.in_flight.get(&repair.hardware) {
        return Some(format!(
            "{} repairs it with {}",
            running.proposal, running.playbook
        ));
    }
    for subject in &repair.subjects {
        if input.state.users_in_flight.contains_key(&subject.user_id) {
            return Some(format!(
                "another computer of {} is being repaired",
                subject.login
            ));
        }
    }
    if is_in_open {
        return None;
    }
    if let Some((playbook, cause)) = taken.hardware.get(&repair.hardware) {
        let other = (playbook, *cause) != (&group.playbook.name, group.cause);
        return other
            .then(|| format!("a proposal for {cause} with {playbook} holds this computer"));
    }
    for subject in &repair.subjects {
        if taken
            .users
            .get(&subject.user_id)
            .is_some_and(|hardware| *hardware != repair.hardware)
        {
            return Some(format!("another computer of {} is proposed", subject.login));
        }
    }
    None
}

fn left_out(group: &Group<'_>, repair: &PlannedRepair, refused: Refused) -> LeftOut {
    LeftOut {
        hardware: repair.hardware.clone(),
        subjects: repair
            .subjects
            .iter()
            .map(|subject| (subject.device_id.clone(), subject.user_id.clone()))
            .collect(),
        playbook: group.playbook.name.clone(),
        cause: group.cause,
        why: refused.why,
        detail: refused.detail,
        retry_at: refused.retry_at,
    }
}

fn seconds(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX / 1000)
}

fn stamp(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M UTC").to_string()
}

#[cfg(test)]
mod tests;
