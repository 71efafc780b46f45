//! Where new ids come from. An argument, so that tests can make them predictable.

use std::sync::Arc;

use rand::RngExt;

use crate::domain::{ProposalId, RepairId, RunId};

/// Makes ids.
pub trait IdSource: Send + Sync {
    /// A time-ordered unique id.
    fn unique(&self) -> String;
    /// Six base32 characters for a proposal.
    fn proposal(&self) -> ProposalId;
    /// A run.
    fn run(&self) -> RunId {
        RunId::from(self.unique())
    }
    /// A repair.
    fn repair(&self) -> RepairId {
        RepairId::from(self.unique())
    }
}

/// A shared source.
pub type SharedIds = Arc<dyn IdSource>;

/// UUIDs of version 7, and random proposal ids.
pub struct RandomIds;

/// RFC 4648 base32.
const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

impl IdSource for RandomIds {
    fn unique(&self) -> String {
        uuid::Uuid::now_v7().to_string()
    }

    fn proposal(&self) -> ProposalId {
        let mut random = rand::rng();
        let word: String = (0..6)
            .map(|_| char::from(BASE32[random.random_range(0..32usize)]))
            .collect();
        ProposalId::from(format!("P-{word}"))
    }
}
