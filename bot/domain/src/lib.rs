//! Decides what is wrong with a fleet and what could be done about it.
//!
//! Plain functions over plain data: no I/O, no clock, no log. Time comes with the evidence.
//!
//! ```text
//! Observations ─ correlate → Subject ─ detect, diagnose → Finding ─ playbook::matching → plan → Plan ─ guard → proposal
//! ```

pub mod approval;
pub mod certificate;
pub mod correlate;
pub mod decide;
pub mod detect;
pub mod diagnose;
pub mod digest;
pub mod findings;
pub mod fleet_gate;
pub mod guard;
pub mod journal;
pub mod ledger;
pub mod model;
pub mod planning;
pub mod playbook;
pub mod preconditions;
pub mod repairs;
#[cfg(test)]
mod sample;
pub mod verify;
pub mod waves;

pub use model::*;
