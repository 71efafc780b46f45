//! Decisions of people: who may decide what, what a decision changes, and how long it can be made.
//!
//! Expected flow: an event is in the inbox; the person is looked up at this moment; the domain judges; the store counts
//! the decision in one transaction with the run that it makes, the card, the thread line and the audit entry.
//! Guarantee: whatever does not fit changes nothing, and the person is told why. Nothing here acts on a vendor.

mod decide;
mod denials;
mod expiry;
mod inbox;
pub mod links;
mod people;
mod record;
mod stop_file;
pub mod stops;
#[cfg(test)]
mod tests;

pub use decide::{Ballot, Decider, Outcome, Refused, Seen, decide_from_cli};
pub use denials::{AskAgain, denial_key, denied_until, evidence_hash};
pub use expiry::ExpiryPass;
pub use inbox::{InboxPass, ReplyPaths};
pub use people::People;
pub use record::proposal_of;
pub use stop_file::{StopFilePass, in_force};
