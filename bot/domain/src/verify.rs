//! The proof that a repair worked, hop by hop, and which hop to wait for next (design, section 2.3).
//!
//! MANAGED alone proves nothing: Okta may still show what was true before. A bind that was not seen fails nothing.
//! A hop that an MDM cannot prove is "not provable here": never waited for, never failed.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::{Hop, ManagementStatus, Shows, VerifyRule, Visibility};

/// How a hop stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "hop_state", rename_all = "snake_case")]
pub enum HopState {
    /// Seen.
    Proved {
        /// When, in the time of the source that says so.
        at: DateTime<Utc>,
    },
    /// Not seen yet.
    Open,
    /// This MDM cannot show it.
    NotProvableHere,
}

/// What was seen since the run began. Times are those of the source that says so.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HopEvidence {
    /// The computer contacted its MDM.
    pub checked_in_at: Option<DateTime<Utc>>,
    /// The MDM reports the profile as delivered.
    pub delivered_at: Option<DateTime<Utc>>,
    /// The MDM lists a valid certificate; when it was issued.
    pub certificate_at: Option<DateTime<Utc>>,
    /// What proves MANAGED.
    pub managed: ManagedEvidence,
}

/// What speaks for MANAGED.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ManagedEvidence {
    /// The link read by id now, and Okta's time of the read.
    pub by_id: Option<(ManagementStatus, DateTime<Utc>)>,
    /// When a by-id read said `NOT_MANAGED`, in Okta's time.
    pub not_managed_by_id_at: Option<DateTime<Utc>>,
    /// When the run began, in Okta's time.
    pub run_began_at: Option<DateTime<Utc>>,
    /// The user's last FastPass success on this device with `device.managed` = true.
    pub fastpass_managed_at: Option<DateTime<Utc>>,
    /// The last `pki.cert.bind` of that user on this device.
    pub bound_at: Option<DateTime<Utc>>,
    /// When the new certificate was issued; a sign-in or bind counts only if it is later.
    pub certificate_at: Option<DateTime<Utc>>,
}

/// Whether a device-user is managed again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Proof {
    /// Proved.
    Managed {
        /// By what.
        by: ProvedBy,
        /// Since when, in Okta's time.
        at: DateTime<Utc>,
    },
    /// Okta says MANAGED, and nothing proves that this is new.
    NotNew,
    /// Okta says `NOT_MANAGED`.
    NotManaged,
    /// No by-id read.
    Unread,
}

/// What proves MANAGED besides Okta's word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProvedBy {
    /// By id it said `NOT_MANAGED` after the run began.
    Flip,
    /// A FastPass sign-in with `device.managed` after the new certificate.
    FastPass,
    /// A bind after the new certificate.
    Bind,
}

/// Judges MANAGED.
pub fn proof(evidence: &ManagedEvidence) -> Proof {
    let Some((status, read_at)) = evidence.by_id else {
        return Proof::Unread;
    };
    if status == ManagementStatus::NotManaged {
        return Proof::NotManaged;
    }
    let flipped = evidence
        .not_managed_by_id_at
        .zip(evidence.run_began_at)
        .is_some_and(|(seen, began)| seen >= began && seen <= read_at);
    // Without a new certificate (an access repair, say) whatever came after the begin of the run counts.
    let since = evidence.certificate_at.or(evidence.run_began_at);
    let later = |at: Option<DateTime<Utc>>| {
        at.zip(since)
            .filter(|(at, since)| at > since)
            .map(|(at, _)| at)
    };
    if let Some(at) = later(evidence.fastpass_managed_at) {
        Proof::Managed {
            by: ProvedBy::FastPass,
            at,
        }
    } else if let Some(at) = later(evidence.bound_at) {
        Proof::Managed {
            by: ProvedBy::Bind,
            at,
        }
    } else if flipped {
        Proof::Managed {
            by: ProvedBy::Flip,
            at: read_at,
        }
    } else {
        Proof::NotNew
    }
}

/// Whether an MDM can prove a hop at all. Okta's own hops are provable everywhere.
pub fn provable(shows: Option<&Shows>, hop: Hop) -> bool {
    match hop {
        Hop::CertBound | Hop::Managed => true,
        Hop::CheckedIn => shows.is_some(),
        Hop::ProfileDelivered => shows.is_some_and(|shows| shows.profile_state),
        Hop::CertPresent => shows.is_some_and(|shows| shows.certificates == Visibility::Always),
    }
}

/// How each hop of a rule stands, in its order. What is seen is proved, even where silence would prove nothing.
pub fn hops(
    rule: &VerifyRule,
    shows: Option<&Shows>,
    evidence: &HopEvidence,
) -> Vec<(Hop, HopState)> {
    rule.hops
        .iter()
        .map(|&hop| {
            let seen = match hop {
                Hop::CheckedIn => evidence.checked_in_at,
                Hop::ProfileDelivered => evidence.delivered_at,
                Hop::CertPresent => evidence.certificate_at,
                Hop::CertBound => bound_at(&evidence.managed),
                Hop::Managed => match proof(&evidence.managed) {
                    Proof::Managed { at, .. } => Some(at),
                    _ => None,
                },
            };
            let state = match seen {
                Some(at) => HopState::Proved { at },
                None if provable(shows, hop) => HopState::Open,
                None => HopState::NotProvableHere,
            };
            (hop, state)
        })
        .collect()
}

/// A bind or a managed FastPass sign-in after the new certificate.
fn bound_at(evidence: &ManagedEvidence) -> Option<DateTime<Utc>> {
    let since = evidence.certificate_at.or(evidence.run_began_at)?;
    evidence
        .bound_at
        .max(evidence.fastpass_managed_at)
        .filter(|at| *at > since)
}

/// What a repair waits for after its steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NextHop {
    /// This hop.
    WaitFor(Hop),
    /// Nothing: the last hop is proved.
    Proved,
}

/// The first open hop. A later hop that is proved carries those before it: who is bound has a certificate.
pub fn next_hop(hops: &[(Hop, HopState)]) -> NextHop {
    let is_proved = |state: &HopState| matches!(state, HopState::Proved { .. });
    if hops.last().is_none_or(|(_, state)| is_proved(state)) {
        return NextHop::Proved;
    }
    let after_last_proved = hops
        .iter()
        .rposition(|(_, state)| is_proved(state))
        .map_or(0, |last| last + 1);
    hops[after_last_proved..]
        .iter()
        .find(|(_, state)| *state == HopState::Open)
        .map_or(NextHop::Proved, |(hop, _)| NextHop::WaitFor(*hop))
}

#[cfg(test)]
mod tests;
