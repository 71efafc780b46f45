//! Judges clusters: one function over the table of signatures. Every count is taken once, so that the time is linear in
//! the number of computers; only the few clusters that are large enough cost a second look at the fleet.

use std::{
    cell::OnceCell,
    collections::{HashMap, HashSet},
};

use chrono::{DateTime, TimeDelta, Utc};

use super::{
    FleetState, HISTORY,
    attribute::{Attribute, Sight, Value},
    onset::onset,
    signature::{Begins, Others, SIGNATURES, Signature, SinceThen},
};
use crate::{
    Cause, Evidence, HardwareKey, Observations, OrgChangeSeen, correlate::FleetIndex,
    findings::Case,
};

/// Clocks of two vendors differ by so much at most.
const SLACK: TimeDelta = TimeDelta::minutes(5);
/// A request that was under way at a change may still succeed.
const UNDER_WAY: TimeDelta = TimeDelta::hours(1);
/// A change explains what begins within this time after it.
const EXPLAINED_FOR: TimeDelta = TimeDelta::days(7);
/// A pattern without a change is looked for so far back.
const LOOKED_BACK: TimeDelta = TimeDelta::days(14);
/// Computers without the value that a comparison needs.
const LEAST_OTHERS: usize = 10;
/// How many times as often those with the value fail.
const TIMES_OTHERS: usize = 5;
/// How many times as many faults as usual, or as before a change.
const TIMES_USUAL: usize = 3;

/// Everything that a judgement looks at.
pub(super) struct World<'w, 'a> {
    pub(super) observations: &'a Observations,
    pub(super) cases: &'w [Case<'a>],
    pub(super) fleet: &'w FleetIndex<'a>,
    pub(super) state: &'w FleetState,
    /// Faults that began since then are new.
    pub(super) new_since: DateTime<Utc>,
    onsets: Vec<Option<DateTime<Utc>>>,
    populations: [OnceCell<Population<'a>>; 15],
}

/// Computers by the value of one attribute, healthy ones too.
#[derive(Default)]
struct Population<'a> {
    known: usize,
    with: HashMap<Value<'a>, With>,
}

/// What those with one value did.
#[derive(Default)]
struct With {
    computers: usize,
    issued: Option<DateTime<Utc>>,
    delivered: Option<DateTime<Utc>>,
    ends: Vec<DateTime<Utc>>,
}

/// Faulty computers that one signature may explain.
pub(super) struct Group<'a> {
    pub(super) signature: &'static Signature,
    /// Their own cause, where the signature declares that.
    pub(super) own: Option<Cause>,
    /// All with a known value, those outside the signature's limits too.
    all: Vec<usize>,
    pub(super) by_value: HashMap<Value<'a>, Vec<usize>>,
}

/// A signature that fires.
pub(super) struct Fired {
    pub(super) since: Option<DateTime<Utc>>,
    pub(super) change: Option<OrgChangeSeen>,
    pub(super) evidence: Vec<Evidence>,
}

/// Where the faults of a cluster begin.
struct Beginning {
    since: Option<DateTime<Utc>>,
    until: Option<DateTime<Utc>>,
    change: Option<OrgChangeSeen>,
}

impl<'w, 'a> World<'w, 'a> {
    pub(super) fn new(
        observations: &'a Observations,
        cases: &'w [Case<'a>],
        fleet: &'w FleetIndex<'a>,
        state: &'w FleetState,
    ) -> Self {
        let day_ago = observations.okta.now - TimeDelta::hours(24);
        Self {
            observations,
            cases,
            fleet,
            state,
            new_since: state.last_look.map_or(day_ago, |last| last.min(day_ago)),
            onsets: cases.iter().map(onset).collect(),
            populations: Default::default(),
        }
    }

    pub(super) fn onset(&self, case: usize) -> Option<DateTime<Utc>> {
        self.onsets[case]
    }

    /// Whether a fault began when the cause was there.
    pub(super) fn explains_onset(
        &self,
        signature: &Signature,
        case: usize,
        since: Option<DateTime<Utc>>,
    ) -> bool {
        let Some(onset) = self.onsets[case] else {
            return false;
        };
        let until = match (signature.begins, signature.since_then) {
            (Begins::Within(time), SinceThen::Share(_)) => since.map(|since| since + time),
            _ => None,
        };
        since.is_none_or(|since| onset >= since - SLACK) && until.is_none_or(|until| onset <= until)
    }

    /// Whether anybody with the value succeeded after that.
    pub(super) fn works_after(
        &self,
        signature: &Signature,
        value: &str,
        at: DateTime<Utc>,
    ) -> bool {
        let population = self.population(signature.shared);
        population
            .with
            .iter()
            .filter(|(known, _)| known.shown(self.observations) == value)
            .any(|(_, with)| {
                let last = match signature.since_then {
                    SinceThen::NothingIssued => with.issued,
                    SinceThen::NothingDelivered => with.delivered,
                    SinceThen::Whatever | SinceThen::Share(_) => None,
                };
                last.is_some_and(|last| last > at)
            })
    }

    /// Sorts cases under the signatures that explain them; one pass. `taken` are members elsewhere already.
    pub(super) fn groups(&self, taken: &HashSet<usize>) -> Vec<Group<'a>> {
        let mut by_cause: HashMap<Cause, Vec<usize>> = HashMap::new();
        for (at, signature) in SIGNATURES.iter().enumerate() {
            if self.may_fire(signature) {
                for cause in signature.explains {
                    by_cause.entry(*cause).or_default().push(at);
                }
            }
        }
        let mut groups: HashMap<(usize, Option<Cause>), Group<'a>> = HashMap::new();
        for (index, case) in self.cases.iter().enumerate() {
            let cause = case.diagnosis.cause;
            let Some(signatures) = by_cause.get(&cause).filter(|_| !taken.contains(&index)) else {
                continue;
            };
            let sight = Sight::of_case(case);
            for &at in signatures {
                let signature = &SIGNATURES[at];
                if !self.may_count(signature, index) {
                    continue;
                }
                let mut values = sight.values(signature.shared).peekable();
                if values.peek().is_none() {
                    continue;
                }
                let own = signature.cause.is_none().then_some(cause);
                let group = groups.entry((at, own)).or_insert_with(|| Group {
                    signature,
                    own,
                    all: Vec::new(),
                    by_value: HashMap::new(),
                });
                group.all.push(index);
                if signature.only.holds(&sight) {
                    for value in values {
                        group.by_value.entry(value).or_default().push(index);
                    }
                }
            }
        }
        let mut groups: Vec<_> = groups.into_iter().collect();
        groups.sort_by_key(|(key, _)| *key);
        groups.into_iter().map(|(_, group)| group).collect()
    }

    /// Whether a signature can fire at all, told from the org alone.
    pub(super) fn may_fire(&self, signature: &Signature) -> bool {
        match signature.begins {
            Begins::WithFact(is_so, _) => is_so(self.observations),
            Begins::WithEvent(types) => {
                let changes = &self.observations.log.org_changes;
                changes
                    .iter()
                    .any(|change| types.contains(&change.event_type.as_str()))
            }
            _ => {
                signature.others != Others::WithHistory
                    || self.state.is_long(self.observations.okta.now)
            }
        }
    }

    /// Whether one case can count for a signature: facts take everybody, all else needs an onset that is young enough.
    fn may_count(&self, signature: &Signature, case: usize) -> bool {
        match (signature.begins, self.onsets[case]) {
            (Begins::WithFact(..), _) => true,
            (_, None) => false,
            (Begins::Lately, Some(onset)) => onset >= self.new_since,
            (_, Some(_)) => true,
        }
    }

    /// One onset per computer, oldest first; `cases` may hold several users of it.
    fn onsets_of(&self, cases: &[usize]) -> Vec<DateTime<Utc>> {
        let mut first: HashMap<&HardwareKey, DateTime<Utc>> = HashMap::with_capacity(cases.len());
        for &case in cases {
            if let Some(onset) = self.onsets[case] {
                first
                    .entry(&self.cases[case].subject.hardware)
                    .and_modify(|known| *known = onset.min(*known))
                    .or_insert(onset);
            }
        }
        let mut onsets: Vec<_> = first.into_values().collect();
        onsets.sort_unstable();
        onsets
    }

    pub(super) fn computers(&self, cases: &[usize]) -> usize {
        let hardware = cases.iter().map(|&case| &self.cases[case].subject.hardware);
        hardware.collect::<HashSet<_>>().len()
    }

    fn with(&self, attribute: Attribute, value: &Value<'a>) -> Option<&With> {
        self.population(attribute).with.get(value)
    }

    /// Counted when the first cluster asks for it.
    fn population(&self, attribute: Attribute) -> &Population<'a> {
        self.populations[attribute as usize].get_or_init(|| {
            let mut population = Population::default();
            let mut add = |sight: &Sight<'_, 'a>| {
                let mut known = false;
                for value in sight.values(attribute) {
                    known = true;
                    let with = population.with.entry(value).or_default();
                    with.computers += 1;
                    with.issued = with.issued.max(sight.issued());
                    with.delivered = with.delivered.max(sight.delivered());
                    if attribute == Attribute::Profile {
                        with.ends.extend(sight.expires());
                    }
                }
                population.known += usize::from(known);
            };
            if attribute.is_known_of_all() {
                for (device, matched) in self.fleet.desktops() {
                    add(&Sight {
                        observations: self.observations,
                        device: Some(device),
                        mdm: matched.map(|(mdm, _)| mdm),
                        record: matched.map(|(_, record)| record),
                        case: None,
                    });
                }
            } else {
                self.cases
                    .iter()
                    .for_each(|case| add(&Sight::of_case(case)));
            }
            population
        })
    }
}

/// Says whether a cluster is what its signature describes.
pub(super) fn judge<'a>(
    world: &World<'_, 'a>,
    group: &Group<'a>,
    value: Value<'a>,
    cases: &[usize],
) -> Option<Fired> {
    let signature = group.signature;
    if cases.len() < signature.least || world.computers(cases) < signature.least {
        return None;
    }
    let onsets = world.onsets_of(cases);
    let beginning = beginning(world, signature, &value, &onsets)?;
    let counted = match beginning.since {
        None => world.computers(cases),
        Some(since) => between(&onsets, since - SLACK, beginning.until),
    };
    let fires = counted >= signature.least
        && nothing_works_since(world, signature, &value, &beginning)
        && others_do_better(world, group, &value, counted, beginning.since);
    fires.then(|| Fired {
        evidence: evidence(world, signature, &value, counted),
        since: beginning.since,
        change: beginning.change,
    })
}

fn beginning<'a>(
    world: &World<'_, 'a>,
    signature: &Signature,
    value: &Value<'a>,
    onsets: &[DateTime<Utc>],
) -> Option<Beginning> {
    let plain = |since: DateTime<Utc>, until| {
        Some(Beginning {
            since: Some(since),
            until,
            change: None,
        })
    };
    match signature.begins {
        Begins::WithFact(_, events) => {
            let change = changes(world, events).next().cloned();
            Some(Beginning {
                since: None,
                until: None,
                change,
            })
        }
        Begins::WithEvent(events) => {
            // The newest change that explains the faults.
            let change =
                changes(world, events).find(|change| begins_at(signature, onsets, change.at))?;
            Some(Beginning {
                since: Some(change.at),
                until: None,
                change: Some(change.clone()),
            })
        }
        Begins::WithMoment(of, what) => {
            let at = of(world.observations, &value.shown(world.observations))?;
            begins_at(signature, onsets, at).then(|| Beginning {
                since: Some(at),
                until: None,
                change: Some(OrgChangeSeen {
                    at,
                    event_type: what.to_owned(),
                    actor: None,
                    target: Some(value.shown(world.observations)),
                }),
            })
        }
        Begins::Within(time) => {
            let (first, last) = fullest(onsets, time)?;
            plain(first, Some(last))
        }
        Begins::Lately => plain(*onsets.iter().find(|at| **at >= world.new_since)?, None),
        Begins::AfterLastSuccess => {
            let with = world.with(signature.shared, value)?;
            // Where no success can be seen, none can be missed.
            let worked = match signature.since_then {
                SinceThen::NothingDelivered => with.delivered?,
                _ => with.issued?,
            };
            let from = worked.max(world.observations.okta.now - LOOKED_BACK);
            plain(*onsets.iter().find(|at| **at > from)?, None)
        }
    }
}

/// Changes of these kinds, newest first.
fn changes<'o>(
    world: &World<'_, 'o>,
    events: &'static [&'static str],
) -> impl Iterator<Item = &'o OrgChangeSeen> {
    let changes = &world.observations.log.org_changes;
    changes
        .iter()
        .rev()
        .filter(|change| events.contains(&change.event_type.as_str()))
}

/// Enough begin after it, and before it the same was rare.
fn begins_at(signature: &Signature, onsets: &[DateTime<Utc>], at: DateTime<Utc>) -> bool {
    let from = at - SLACK;
    let after = between(onsets, from, Some(at + EXPLAINED_FOR));
    let before = between(onsets, at - EXPLAINED_FOR, Some(from));
    after >= signature.least && before * TIMES_USUAL <= after
}

/// How many lie in `from ..= until`; sorted.
fn between(onsets: &[DateTime<Utc>], from: DateTime<Utc>, until: Option<DateTime<Utc>>) -> usize {
    let first = onsets.partition_point(|at| *at < from);
    let end = until.map_or(onsets.len(), |until| {
        onsets.partition_point(|at| *at <= until)
    });
    end.saturating_sub(first)
}

/// First and last of the most that lie within `time` of each other; sorted.
fn fullest(onsets: &[DateTime<Utc>], time: TimeDelta) -> Option<(DateTime<Utc>, DateTime<Utc>)> {
    let mut first = 0;
    let mut best: Option<(usize, usize)> = None;
    for last in 0..onsets.len() {
        while onsets[last] - onsets[first] > time {
            first += 1;
        }
        if best.is_none_or(|(from, to)| last - first > to - from) {
            best = Some((first, last));
        }
    }
    best.map(|(from, to)| (onsets[from], onsets[to]))
}

/// What still works for others with the same value speaks against it.
fn nothing_works_since<'a>(
    world: &World<'_, 'a>,
    signature: &Signature,
    value: &Value<'a>,
    beginning: &Beginning,
) -> bool {
    let with = || world.with(signature.shared, value);
    let works_after = |last: Option<DateTime<Utc>>| match (last, beginning.since) {
        (Some(last), Some(since)) => last > since + UNDER_WAY,
        _ => false,
    };
    match signature.since_then {
        SinceThen::Whatever => true,
        SinceThen::NothingIssued => !works_after(with().and_then(|with| with.issued)),
        SinceThen::NothingDelivered => !works_after(with().and_then(|with| with.delivered)),
        SinceThen::Share(percent) => with().is_some_and(|with| {
            let (Some(from), Some(until)) = (beginning.since, beginning.until) else {
                return false;
            };
            let ends = with
                .ends
                .iter()
                .filter(|end| **end >= from && **end <= until);
            ends.count() * 100 >= percent * with.ends.len().max(1)
        }),
    }
}

fn others_do_better<'a>(
    world: &World<'_, 'a>,
    group: &Group<'a>,
    value: &Value<'a>,
    counted: usize,
    since: Option<DateTime<Utc>>,
) -> bool {
    let signature = group.signature;
    let now = world.observations.okta.now;
    if matches!(signature.others, Others::Whatever | Others::WithHistory) {
        return true;
    }
    if signature.others == Others::Usual && world.state.is_long(now) {
        let key = (
            group.own.unwrap_or(Cause::Unexplained),
            signature.shared,
            value.shown(world.observations),
        );
        let usual = world.state.usual.get(&key).copied().unwrap_or_default();
        let hours = usize::try_from((now - world.new_since).num_hours()).unwrap_or(24);
        let usual_hours = usize::try_from(HISTORY.num_hours()).unwrap_or(1);
        return counted * usual_hours >= TIMES_USUAL * usual * hours;
    }
    let population = world.population(signature.shared);
    let with = world
        .with(signature.shared, value)
        .map_or(0, |with| with.computers);
    let with = with.max(counted);
    let without = population.known.saturating_sub(with);
    if without < LEAST_OTHERS && signature.others != Others::Better {
        return false;
    }
    let all = world.onsets_of(&group.all);
    let failing = match since {
        Some(since) => between(&all, since - SLACK, None),
        None => all.len(),
    };
    let failing_without = failing.saturating_sub(counted);
    counted * without >= TIMES_OTHERS * failing_without * with
}

fn evidence<'a>(
    world: &World<'_, 'a>,
    signature: &Signature,
    value: &Value<'a>,
    counted: usize,
) -> Vec<Evidence> {
    let observations = world.observations;
    let population = world.population(signature.shared);
    let with = world.with(signature.shared, value);
    let says = |fact: &str, value: String, about| Evidence {
        source: "okta".to_owned(),
        fact: fact.to_owned(),
        value,
        observed_at: observations.okta.now,
        about,
        assumes: None,
    };
    let shared = signature.shared.word();
    let computers = with.map_or(counted, |with| with.computers.max(counted));
    let mut evidence = vec![says(
        &format!("fleet.failing_with_{shared}"),
        format!("{counted} of {computers} computers"),
        None,
    )];
    if signature.shared != Attribute::Org && population.known > computers {
        let without = population.known - computers;
        evidence.push(says(
            &format!("fleet.others_than_{shared}"),
            format!("{without} computers"),
            None,
        ));
    }
    let worked = with.and_then(|with| match signature.since_then {
        SinceThen::NothingIssued => with.issued,
        SinceThen::NothingDelivered => with.delivered,
        _ => None,
    });
    if let Some(at) = worked {
        let at_text = at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
        evidence.push(says("fleet.last_success", at_text, Some(at)));
    }
    evidence
}
