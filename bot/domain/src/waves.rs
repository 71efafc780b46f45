//! Canary waves: which computers of an approved plan may begin now.
//!
//! Waves are cumulative shares of the approved computers. The next one opens once 80 % of those begun have passed the
//! gate in time, failures stay within the limit, and the pause is over. Whoever merely waits for a sign-in has
//! neither passed nor failed; dropped and cured computers do not count at all.

use chrono::{DateTime, Duration, Utc};

use crate::{Hop, RepairState, Rollout};

/// Share of a wave that must have passed the gate, in per cent.
pub const GATE_SHARE: usize = 80;

/// How one computer of a run stands, in the order of the plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WaveRepair {
    /// Its state.
    pub state: RepairState,
    /// When it left the queue.
    pub began_at: Option<DateTime<Utc>>,
    /// When it passed the gate, see [`gate_of`].
    pub passed_at: Option<DateTime<Utc>>,
}

/// What the waves allow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WaveDecision {
    /// The wave that counts, from 0.
    pub wave: usize,
    /// Computers that may begin, as indices of the plan's repairs.
    pub may_start: Vec<usize>,
    /// Why no more may.
    pub status: WaveStatus,
}

/// Why no more computers may begin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WaveStatus {
    /// Those named may begin.
    Open,
    /// Every computer has begun.
    AllBegun,
    /// The gate is not passed by enough yet.
    AtGate {
        /// How many passed.
        passed: usize,
        /// How many must.
        needed: usize,
        /// Until when.
        until: DateTime<Utc>,
    },
    /// The gate is passed; the pause is not over.
    Pausing {
        /// Until when.
        until: DateTime<Utc>,
    },
    /// Too many failed.
    TooManyFailed {
        /// How many.
        failed: usize,
        /// How many were allowed.
        allowed: usize,
    },
    /// The gate was not passed in time.
    GateMissed {
        /// How many passed.
        passed: usize,
        /// How many had to.
        needed: usize,
    },
}

impl WaveStatus {
    /// Whether no computer of this run will begin any more without a person.
    pub fn is_halted(&self) -> bool {
        matches!(self, Self::TooManyFailed { .. } | Self::GateMissed { .. })
    }
}

/// The gate of one computer: the plan's, else the nearest earlier hop that its MDM can prove.
pub fn gate_of(rollout: &Rollout, provable: impl Fn(Hop) -> bool) -> Hop {
    let fallbacks = [rollout.gate, Hop::ProfileDelivered, Hop::CheckedIn];
    fallbacks
        .into_iter()
        .find(|hop| provable(*hop))
        .unwrap_or(Hop::Managed)
}

/// Which computers may begin now. `repairs` are those of the plan, in its order.
pub fn open(rollout: &Rollout, repairs: &[WaveRepair], now: DateTime<Utc>) -> WaveDecision {
    let sizes = sizes(rollout, repairs.len());
    let begun = repairs.iter().filter(|repair| has_begun(repair)).count();
    let failed = repairs
        .iter()
        .filter(|repair| has_failed(&repair.state))
        .count();
    let allowed = rollout.stop_when_failed.of(begun);
    let wave = current_wave(&sizes, repairs);
    let halted = |status| WaveDecision {
        wave,
        may_start: Vec::new(),
        status,
    };
    if failed > allowed {
        return halted(WaveStatus::TooManyFailed { failed, allowed });
    }
    let startable = |size: usize| -> Vec<usize> {
        (0..size)
            .filter(|&index| repairs[index].state == RepairState::Queued)
            .collect()
    };
    let waiting = startable(sizes.get(wave).copied().unwrap_or_default());
    if !waiting.is_empty() {
        return WaveDecision {
            wave,
            may_start: waiting,
            status: WaveStatus::Open,
        };
    }
    if wave + 1 >= sizes.len() {
        return halted(WaveStatus::AllBegun);
    }
    match gate(rollout, &repairs[..sizes[wave]], now) {
        Gate::Passed { at } => {
            let until = at + seconds(rollout.pause_seconds);
            if now < until {
                return halted(WaveStatus::Pausing { until });
            }
            WaveDecision {
                wave: wave + 1,
                may_start: startable(sizes[wave + 1]),
                status: WaveStatus::Open,
            }
        }
        Gate::Closed(status) => halted(status),
    }
}

enum Gate {
    Passed { at: DateTime<Utc> },
    Closed(WaveStatus),
}

fn gate(rollout: &Rollout, wave: &[WaveRepair], now: DateTime<Utc>) -> Gate {
    let opened_at = wave
        .iter()
        .filter_map(|repair| repair.began_at)
        .max()
        .unwrap_or(now);
    let counted: Vec<&WaveRepair> = wave.iter().filter(|repair| counts(repair)).collect();
    let needed = (counted.len() * GATE_SHARE).div_ceil(100);
    let mut times: Vec<DateTime<Utc>> = counted
        .iter()
        .filter_map(|repair| repair.passed_at)
        .collect();
    times.sort_unstable();
    let passed = times.len();
    if needed == 0 {
        return Gate::Passed { at: opened_at };
    }
    if let Some(at) = times.get(needed - 1) {
        return Gate::Passed { at: *at };
    }
    let until = opened_at + seconds(rollout.gate_within_seconds);
    Gate::Closed(if now < until {
        WaveStatus::AtGate {
            passed,
            needed,
            until,
        }
    } else {
        WaveStatus::GateMissed { passed, needed }
    })
}

/// Cumulative sizes: never falling, and the last one takes in everybody.
fn sizes(rollout: &Rollout, total: usize) -> Vec<usize> {
    let mut sizes = Vec::new();
    for wave in &rollout.waves {
        let size = wave.of(total);
        if size > sizes.last().copied().unwrap_or_default() {
            sizes.push(size);
        }
    }
    if sizes.last().copied().unwrap_or_default() < total {
        sizes.push(total);
    }
    sizes
}

/// The furthest wave of which a computer has begun.
fn current_wave(sizes: &[usize], repairs: &[WaveRepair]) -> usize {
    let last = repairs.iter().rposition(has_begun);
    last.map_or(0, |index| {
        sizes
            .iter()
            .position(|size| index < *size)
            .unwrap_or_default()
    })
}

fn has_begun(repair: &WaveRepair) -> bool {
    repair.began_at.is_some()
}

fn has_failed(state: &RepairState) -> bool {
    matches!(
        state,
        RepairState::NotFixed { .. } | RepairState::NeedsHuman { .. } | RepairState::Undone
    )
}

fn counts(repair: &WaveRepair) -> bool {
    match &repair.state {
        RepairState::Dropped { .. } | RepairState::CuredByItself | RepairState::Stopped => false,
        state if state.waits_for_sign_in() => repair.passed_at.is_some(),
        _ => true,
    }
}

fn seconds(value: u64) -> Duration {
    Duration::seconds(i64::try_from(value).unwrap_or(i64::MAX / 1000))
}

#[cfg(test)]
mod tests;
