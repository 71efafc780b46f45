//! How many computers may be proposed at once.

use chrono::{DateTime, Utc};

use super::{Group, GuardInput, InFlight, OpenProposal, REVISION_INTERVAL, Refused, Taken};
use crate::WhyNot;

/// How many more computers a group may take, and what says so.
pub(super) struct Places {
    limits: Vec<Limit>,
}

struct Limit {
    left: usize,
    why: String,
    retry_at: DateTime<Utc>,
}

pub(super) fn places(input: &GuardInput<'_>, group: &Group<'_>, taken: &Taken) -> Places {
    let state = input.state;
    let playbook = &group.playbook.name;
    let limits = &group.playbook.limits;
    let proposed_here = taken
        .hardware
        .values()
        .filter(|(name, cause)| name == playbook && *cause == group.cause)
        .count();
    let running = |same_cause: bool| {
        let counts = |flight: &&InFlight| {
            flight.playbook == *playbook && (!same_cause || flight.cause == group.cause)
        };
        state.in_flight.values().filter(counts).count()
    };
    let proposed = taken
        .per_playbook
        .get(playbook)
        .copied()
        .unwrap_or_default();
    let mut places = vec![
        Limit {
            left: (limits.max_devices as usize).saturating_sub(proposed_here + running(true)),
            why: format!("at most {} computers at once", limits.max_devices),
            retry_at: input.next_look,
        },
        Limit {
            left: (state.in_scope * usize::from(limits.max_percent))
                .div_ceil(100)
                .saturating_sub(proposed + running(false)),
            why: format!(
                "at most {} % of {} device-users in scope",
                limits.max_percent, state.in_scope
            ),
            retry_at: input.next_look,
        },
    ];
    if !state.verified.contains(playbook) {
        let today = state
            .executed_today
            .get(playbook)
            .copied()
            .unwrap_or_default() as usize;
        places.push(Limit {
            left: (input.settings.first_day_cap as usize).saturating_sub(proposed + today),
            why: format!(
                "at most {} computers a day until a batch of {playbook} is verified",
                input.settings.first_day_cap
            ),
            retry_at: input.tomorrow,
        });
    }
    Places { limits: places }
}

/// Takes a place, or says why there is none.
pub(super) fn over_cap(
    input: &GuardInput<'_>,
    group: &Group<'_>,
    open: Option<&OpenProposal>,
    places: &mut Places,
) -> Option<Refused> {
    if let Some(full) = places.limits.iter().find(|limit| limit.left == 0) {
        return Some(Refused {
            why: WhyNot::OverCap,
            detail: full.why.clone(),
            retry_at: full.retry_at,
        });
    }
    if let Some(open) = open {
        let next = open.revised_at + REVISION_INTERVAL;
        if open.modal_open || next > input.now {
            return Some(Refused {
                why: WhyNot::OverCap,
                detail: format!(
                    "joins {} with its next revision ({})",
                    open.id, group.playbook.name
                ),
                retry_at: next.max(input.now),
            });
        }
    }
    for limit in &mut places.limits {
        limit.left -= 1;
    }
    None
}
