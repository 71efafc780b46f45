//! Judges clusters: one function over the table of signatures.

use chrono::{DateTime, TimeDelta, Utc};

use super::{
    attribute::{Attribute, Value},
    model::HISTORY,
    signature::{Begins, Others, Signature, SinceThen},
    world::{Group, SLACK, World},
};
use crate::{Cause, Evidence, OrgChangeSeen};

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
