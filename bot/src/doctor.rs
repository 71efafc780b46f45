//! `unstuck doctor`: is everything set up so that devices can become managed, and so that the bot can repair them?
//!
//! It goes through Okta's article "Troubleshooting Management Attestation for Desktop Devices (OIE)" from the top.
//! [`Reader`] reads the tenant into a plain value; [`examine`] judges that value, without a clock and without a client.
//! Nothing is written to a vendor.

mod check;
mod checks;
mod pass;
mod reading;
#[cfg(test)]
mod sample;
mod tally;
pub mod tenant;

pub use check::{Check, Report, Section, Status};
pub use checks::examine;
pub use pass::DoctorPass;
pub use reading::Reader;
pub use tally::tally;
