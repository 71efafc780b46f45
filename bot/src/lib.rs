//! `unstuck` finds desktop devices that Okta shows as not managed, says why, asks in Slack, repairs and proves it.
//!
//! ```text
//! observe → correlate → detect → diagnose → match → plan → guard → approve → execute → verify → record
//!   I/O     └──────────── decide: plain functions over plain data ────────┘   act: journal first
//! ```

pub use unstuck_domain as domain;

pub mod access;
pub mod app;
pub mod approvals;
pub mod audit;
pub mod chat;
pub mod cli;
pub mod clock;
pub mod cron;
#[cfg(feature = "demo")]
pub mod demo;
pub mod doctor;
pub mod executor;
pub mod fresh;
pub mod hours;
pub mod ids;
pub mod library;
pub mod node;
pub mod observer;
pub mod pass;
pub mod report;
pub mod serve;
pub mod settings;
pub mod sign_in;
pub mod store;
pub mod sweep;
pub mod telemetry;
pub mod why;
pub mod wording;
pub mod words;
