//! Talks to Okta, the MDMs and Slack, and answers in the domain's words.
//!
//! A trait names a capability, not a vendor. Reading is apart from acting: a sweep is handed readers only, the executor
//! alone gets actions. Vendor JSON stays in each vendor's private `wire` module.

pub mod dry_run;
pub mod error;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
pub mod http;
pub mod intune;
pub mod jamf;
pub mod okta;
pub mod permit;
pub mod scep;
pub mod slack;
pub mod source_clock;

mod attestation;
mod ca_certificate;
mod decode;
mod payload;
mod plist;
mod setup;
mod traits;

pub use attestation::{AttestationSettings, InvalidSubjectPattern};
pub use error::ConnectorError;
pub use permit::WritePermit;
pub use setup::*;
pub use source_clock::SourceClock;
pub use traits::*;
