//! What a SCEP server answers from outside, asked without a challenge.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// One look at a SCEP URL (`GetCACaps`, `GetCACert`). It shows nothing of challenges, nor of the way from a device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScepProbe {
    /// The URL that was asked.
    pub url: String,
    /// When, on our own clock.
    pub at: DateTime<Utc>,
    /// What came back.
    pub answer: ScepAnswer,
}

/// What came back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ScepAnswer {
    /// A SCEP server with these CA certificates.
    Works {
        /// SHA-1 and SHA-256 thumbprints of each certificate, hex.
        thumbprints: Vec<String>,
    },
    /// Something else answers there, or says that there is nothing.
    NoScepServer {
        /// Status and first words.
        saw: String,
    },
    /// Nothing answered: proves nothing about the server.
    Unanswered,
}
