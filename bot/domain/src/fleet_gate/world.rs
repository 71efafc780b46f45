//! What a judgement looks at, counted once: cases by signature and value, and the fleet by value where a cluster asks.

use std::{
    cell::OnceCell,
    collections::{HashMap, HashSet},
};

use chrono::{DateTime, TimeDelta, Utc};

use super::{
    FleetState,
    attribute::{Attribute, Sight, Value},
    onset::onset,
    signature::{Begins, Others, Signature, SinceThen},
    table::SIGNATURES,
};
use crate::{Cause, HardwareKey, Observations, correlate::FleetIndex, findings::Case};

/// Clocks of two vendors differ by so much at most.
pub(super) const SLACK: TimeDelta = TimeDelta::minutes(5);

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
pub(super) struct Population<'a> {
    pub(super) known: usize,
    pub(super) with: HashMap<Value<'a>, With>,
}

/// What those with one value did.
#[derive(Default)]
pub(super) struct With {
    pub(super) computers: usize,
    pub(super) issued: Option<DateTime<Utc>>,
    pub(super) delivered: Option<DateTime<Utc>>,
    pub(super) ends: Vec<DateTime<Utc>>,
}

/// Faulty computers that one signature may explain.
pub(super) struct Group<'a> {
    pub(super) signature: &'static Signature,
    /// Their own cause, where the signature declares that.
    pub(super) own: Option<Cause>,
    /// All with a known value, those outside the signature's limits too.
    pub(super) all: Vec<usize>,
    pub(super) by_value: HashMap<Value<'a>, Vec<usize>>,
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
    pub(super) fn onsets_of(&self, cases: &[usize]) -> Vec<DateTime<Utc>> {
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

    pub(super) fn with(&self, attribute: Attribute, value: &Value<'a>) -> Option<&With> {
        self.population(attribute).with.get(value)
    }

    /// Counted when the first cluster asks for it.
    pub(super) fn population(&self, attribute: Attribute) -> &Population<'a> {
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
