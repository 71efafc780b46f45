//! `unstuck` finds desktop devices that Okta shows as not managed, says why, asks in Slack, repairs and proves it.
//!
//! ```text
//! observe → correlate → detect → diagnose → match → plan → guard → approve → execute → verify → record
//!   I/O     └──────────── decide: plain functions over plain data ────────┘   act: journal first
//! ```

pub use unstuck_domain as domain;

pub mod clock;
pub mod cron;
pub mod hours;
pub mod settings;
pub mod store;

pub mod words;
