//! The permit that every write carries: whose decision it rests on, and whether this process may still act.

use std::{fmt, sync::Arc};

use unstuck_domain::{PlanDigest, StepId};

/// Permission for the writes of one micro-step. Made by the executor from an approved plan, nowhere else.
#[derive(Clone)]
pub struct WritePermit {
    digest: PlanDigest,
    step: StepId,
    fence: Arc<dyn Fn() -> bool + Send + Sync>,
}

impl WritePermit {
    /// `fence` is asked just before the bytes go out: does this process still hold its lease?
    pub fn new(
        digest: PlanDigest,
        step: StepId,
        fence: Arc<dyn Fn() -> bool + Send + Sync>,
    ) -> Self {
        Self {
            digest,
            step,
            fence,
        }
    }

    /// Digest of the plan that was approved.
    pub fn digest(&self) -> &PlanDigest {
        &self.digest
    }

    /// The micro-step.
    pub fn step(&self) -> &StepId {
        &self.step
    }

    /// Whether this process may still act.
    pub fn holds(&self) -> bool {
        (self.fence)()
    }
}

impl fmt::Debug for WritePermit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WritePermit")
            .field("digest", &self.digest)
            .field("step", &self.step)
            .finish_non_exhaustive()
    }
}
