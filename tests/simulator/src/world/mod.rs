//! The company behind the wire: people, machines, certificates, Okta's records and the MDMs' records.
//! A fault is put in here as a fact (an expired certificate, a missing link), never into an answer.

mod acts;
mod client;
mod effect;
mod hardware;
mod ids;
mod lifecycle;
mod log;
mod mdm;
mod mdm_acts;
mod mdm_groups;
mod mdm_intune;
mod mdm_jamf;
mod mdm_service;
mod okta_device;
mod okta_verify;
mod org_change;
mod people;
mod pki;
mod policy;
mod scep;
mod sign_in;
mod state;

use std::sync::{Arc, Mutex, MutexGuard};

use chrono::{DateTime, Utc};

use crate::clock::SimClock;
use crate::ledger::RequestId;

pub use acts::{DeviceView, SignInOutcome};
pub(crate) use client::{Browser, Client, Network};
pub(crate) use effect::Effect;
pub(crate) use hardware::*;
pub use hardware::{MachineKey, Platform};
pub(crate) use ids::Ids;
pub(crate) use lifecycle::LifecycleError;
pub(crate) use log::{Actor, LogDevice, LogEvent, Method, Target};
pub use mdm::Mdm;
pub(crate) use mdm::*;
pub(crate) use mdm_acts::Harm;
pub(crate) use mdm_intune::TRUSTED_PROFILE_MISSING;
pub(crate) use mdm_service::*;
pub use okta_device::DeviceStatus;
pub(crate) use okta_device::{Enrolment, Link, OktaDevice, StaleRow};
pub use okta_verify::{oldest_okta_verify, oldest_system};
pub(crate) use org_change::Changed;
pub use org_change::RuleEdit;
pub(crate) use people::{GroupKind, OktaGroup, Person};
pub use people::{Persona, UserStatus};
pub use pki::EarlyAccess;
pub(crate) use pki::{
    Authority, AuthorityCertificate, Challenge, Family, INTERMEDIATE, Pki, ScepConfiguration,
};
pub(crate) use policy::{App, OktaVerify, Policy, Rule};
pub(crate) use scep::{REFUSED, WRONG_HASH};
pub(crate) use state::{Org, OwnAuthority, RepairTargets, State};

/// An id that many records share.
pub(crate) type Id = Arc<str>;

/// A handle on the world; clones see the same world. Each method takes the lock for a moment.
#[derive(Clone, Debug)]
pub struct World {
    state: Arc<Mutex<State>>,
    clock: SimClock,
}

impl World {
    pub(crate) fn new(state: State, clock: SimClock) -> Self {
        Self {
            state: Arc::new(Mutex::new(state)),
            clock,
        }
    }

    /// The simulated time.
    pub fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    /// Runs everything that is due by now.
    pub fn settle(&self) {
        drop(self.settled());
    }

    /// When the next delayed effect is due.
    pub fn next_due(&self) -> Option<DateTime<Utc>> {
        self.settled().queue.next_due()
    }

    /// Reads or changes the settled world, as nobody in particular.
    pub(crate) fn with<R>(&self, act: impl FnOnce(&mut State) -> R) -> R {
        act(&mut self.settled())
    }

    /// Changes the settled world on behalf of a request: effects are recorded under its number.
    pub(crate) fn on_behalf_of<R>(
        &self,
        request: RequestId,
        act: impl FnOnce(&mut State) -> R,
    ) -> R {
        let mut state = self.settled();
        state.request = Some(request);
        let result = act(&mut state);
        state.request = None;
        result
    }

    fn settled(&self) -> MutexGuard<'_, State> {
        let mut state = self
            .state
            .lock()
            .expect("no code panics while it holds the world");
        state.settle(self.clock.now());
        state
    }
}
