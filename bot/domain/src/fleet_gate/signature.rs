//! What a cause that hits many computers at once looks like: the words in which the table is written.

use chrono::{DateTime, TimeDelta, Utc};

use super::attribute::{Attribute, Sight};
use crate::{Cause, ChallengeKind, Confidence, MdmKind, Observations, Platform};

/// What a fleet-wide cause looks like.
#[derive(Debug)]
pub(super) struct Signature {
    /// The cause that is declared; `None`: the members' own.
    pub(super) cause: Option<Cause>,
    /// What it begins with.
    pub(super) begins: Begins,
    /// Causes of single subjects that it explains. Nobody else becomes a member.
    pub(super) explains: &'static [Cause],
    /// What its members share.
    pub(super) shared: Attribute,
    /// Only these computers.
    pub(super) only: Only,
    /// Fewest computers.
    pub(super) least: usize,
    /// What still works for others with the same value excludes it.
    pub(super) since_then: SinceThen,
    /// How computers without the value have to do.
    pub(super) others: Others,
}

/// What a signature begins with.
#[derive(Debug, Clone, Copy)]
pub(super) enum Begins {
    /// The org shows that it is so; the last of these events tells by whom.
    WithFact(fn(&Observations) -> bool, &'static [&'static str]),
    /// One of these events of the System Log: before it the fault was rare.
    WithEvent(&'static [&'static str]),
    /// A moment that belongs to the value itself.
    WithMoment(
        fn(&Observations, &str) -> Option<DateTime<Utc>>,
        &'static str,
    ),
    /// Nothing that can be seen; so many began within this time.
    Within(TimeDelta),
    /// Nothing that can be seen; so many began since the last look, at least within a day.
    Lately,
    /// The last success of anybody with the value.
    AfterLastSuccess,
}

/// What others with the same value did since the beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SinceThen {
    /// No matter.
    Whatever,
    /// None of them got a certificate.
    NothingIssued,
    /// None of them got the profile or a certificate.
    NothingDelivered,
    /// This share, in per cent, of all certificates of the value ends within the same time.
    Share(usize),
}

/// How computers without the value have to do: those that have it fail five times as often.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Others {
    /// No matter.
    Whatever,
    /// Better, if there are any.
    Better,
    /// Better, and there are at least ten of them.
    ThereAndBetter,
    /// With 14 days of history: three times as many new faults as usual. Before: [`Others::ThereAndBetter`].
    Usual,
    /// No matter, but never before there are 14 days of history.
    WithHistory,
}

/// Limits of a signature.
#[derive(Debug, Clone, Copy)]
pub(super) struct Only {
    pub(super) platform: Option<Platform>,
    pub(super) kind: Option<MdmKind>,
    /// These challenges, or one that the MDM does not show; empty: all.
    pub(super) challenge: &'static [ChallengeKind],
    /// The MDM's words hold one of these, in any letter case; empty: no matter.
    pub(super) error: &'static [&'static str],
}

impl Only {
    pub(super) const NOTHING: Self = Self {
        platform: None,
        kind: None,
        challenge: &[],
        error: &[],
    };

    pub(super) const fn challenge(challenge: &'static [ChallengeKind]) -> Self {
        Self {
            challenge,
            ..Self::NOTHING
        }
    }

    pub(super) fn holds(&self, sight: &Sight<'_, '_>) -> bool {
        let platform = sight
            .device
            .map(|device| device.platform)
            .or(sight.record.map(|record| record.platform));
        let kind = sight.mdm.map(|mdm| mdm.kind);
        let says = |part: &&str| {
            let error = sight.error().unwrap_or_default().to_lowercase();
            error.contains(*part)
        };
        (self.platform.is_none() || self.platform == platform)
            && (self.kind.is_none() || self.kind == kind)
            && (self.challenge.is_empty()
                || sight
                    .challenge()
                    .is_none_or(|challenge| self.challenge.contains(&challenge)))
            && (self.error.is_empty() || self.error.iter().any(says))
    }
}

impl Signature {
    /// Whether one value of the org proves it, so that nobody's onset matters.
    pub(super) fn is_fact(&self) -> bool {
        matches!(self.begins, Begins::WithFact(..))
    }

    /// How sure the declared cause is: one API value proves a fact, the rest are two signals that agree.
    pub(super) fn confidence(&self) -> Confidence {
        match self.is_fact() {
            true => Confidence::High,
            false => Confidence::Medium,
        }
    }
}
