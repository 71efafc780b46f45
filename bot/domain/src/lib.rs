//! Decides what is wrong with a fleet and what could be done about it.
//!
//! Plain functions over plain data: no I/O, no clock, no log. Time comes with the evidence.
//!
//! ```text
//! Observations ─ correlate → Subject ─ detect, diagnose → Finding ─ playbook::matching → plan → Plan ─ guard → proposal
//! ```

pub mod model;

pub use model::*;
