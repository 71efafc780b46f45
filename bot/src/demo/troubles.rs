//! Three things that can be broken on the page.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use serde::Serialize;
use simulator::{Fault, Faults, Server};

/// How late Okta's answers come.
const SLOW: Duration = Duration::from_secs(3);

/// What is broken now.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(super) struct Broken {
    /// Okta answers late.
    pub(super) okta_slow: bool,
    /// Jamf answers 503.
    pub(super) jamf_down: bool,
}

/// Breaks and mends.
pub(super) struct Troubles {
    faults: Faults,
    broken: Mutex<Broken>,
}

impl Troubles {
    pub(super) fn new(faults: Faults) -> Self {
        Self {
            faults,
            broken: Mutex::default(),
        }
    }

    pub(super) fn broken(&self) -> Broken {
        *self.broken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes what is broken.
    pub(super) fn change(&self, apply: impl FnOnce(&mut Broken)) -> Broken {
        let mut broken = self.broken.lock().unwrap_or_else(PoisonError::into_inner);
        apply(&mut broken);
        self.faults.clear();
        if broken.okta_slow {
            self.faults
                .inject(Server::Okta, "", "/", 1_000_000_000, Fault::Slow(SLOW));
        }
        if broken.jamf_down {
            self.faults
                .inject(Server::Jamf, "", "/", 1_000_000_000, Fault::Status(503));
        }
        *broken
    }
}
