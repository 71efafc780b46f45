//! Effects that happen later: a check-in, a sign-in after a reminder, a revocation on day 91.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::mdm_intune::IntuneEffect;
use super::mdm_jamf::JamfEffect;
use super::{Id, State};

/// Something that is due at a known time.
#[derive(Clone, Debug)]
pub(crate) enum Effect {
    /// A person answers a request and signs in with FastPass on every desktop of theirs.
    AnswerRequest { person: Id },
    /// The everyday sign-in of a person on a device, when live sign-ins are on.
    DailySignIn { person: Id, device: Id },
    /// Okta revokes a certificate that was never used in 90 days.
    RevokeUnused { certificate: Id },
    /// Jamf's side.
    Jamf(JamfEffect),
    /// Intune's side.
    Intune(IntuneEffect),
}

/// The effects to come, by time and then by the order they were scheduled in.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    waiting: BTreeMap<(DateTime<Utc>, u64), Effect>,
    scheduled: u64,
}

impl Queue {
    fn push(&mut self, at: DateTime<Utc>, effect: Effect) {
        self.scheduled += 1;
        self.waiting.insert((at, self.scheduled), effect);
    }

    fn pop_due(&mut self, now: DateTime<Utc>) -> Option<(DateTime<Utc>, Effect)> {
        let entry = self.waiting.first_entry()?;
        if entry.key().0 > now {
            return None;
        }
        let ((at, _), effect) = entry.remove_entry();
        Some((at, effect))
    }

    /// When the next effect is due.
    pub(crate) fn next_due(&self) -> Option<DateTime<Utc>> {
        self.waiting.keys().next().map(|(at, _)| *at)
    }
}

impl State {
    /// Lets an effect happen at `at`.
    pub(crate) fn schedule(&mut self, at: DateTime<Utc>, effect: Effect) {
        self.queue.push(at, effect);
    }

    /// Runs everything that is due, each effect at its own time, and arrives at `now`.
    pub(crate) fn settle(&mut self, now: DateTime<Utc>) {
        while let Some((at, effect)) = self.queue.pop_due(now) {
            self.now = self.now.max(at);
            self.run(effect);
        }
        self.now = self.now.max(now);
    }

    fn run(&mut self, effect: Effect) {
        match effect {
            Effect::AnswerRequest { person } => self.answer_request(&person),
            Effect::DailySignIn { person, device } => self.daily_sign_in(&person, &device),
            Effect::RevokeUnused { certificate } => self.revoke_if_unused(&certificate),
            Effect::Jamf(effect) => self.run_jamf(effect),
            Effect::Intune(effect) => self.run_intune(effect),
        }
    }
}
