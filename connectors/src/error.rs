//! What can go wrong at a vendor, shaped by what callers do about it.

use std::time::Duration;

/// A failed call. `Display` says what was attempted on what; the cause is the source.
#[derive(Debug, thiserror::Error)]
#[error("{attempt}: {kind}")]
pub struct ConnectorError {
    /// Source, method and path template: `okta: GET /api/v1/devices/{id}`.
    pub attempt: String,
    /// What went wrong.
    pub kind: ErrorKind,
    /// The vendor's request id, for support.
    pub request_id: Option<String>,
}

/// Kinds of failure.
#[derive(Debug, thiserror::Error)]
pub enum ErrorKind {
    /// No answer, a cut answer or a 5xx; a later try may work. A write may have taken effect.
    #[error("no usable answer ({detail})")]
    Transient {
        /// Status or transport error, without bodies.
        detail: String,
        /// Whether the request may have reached the vendor.
        maybe_sent: bool,
    },
    /// The vendor asks to wait.
    #[error("rate limited, wait {} s", .retry_after.as_secs())]
    RateLimited {
        /// How long.
        retry_after: Duration,
    },
    /// The credential is refused.
    #[error("the credential is refused ({detail})")]
    Unauthorized {
        /// The vendor's words.
        detail: String,
    },
    /// The credential lacks a right; which one and where to give it.
    #[error("not allowed ({detail}); {hint}")]
    Forbidden {
        /// The vendor's words.
        detail: String,
        /// What to do.
        hint: String,
    },
    /// The object is not there.
    #[error("not found")]
    NotFound,
    /// The vendor refuses this request; repeating it changes nothing.
    #[error("refused ({reason})")]
    Rejected {
        /// The vendor's words.
        reason: String,
    },
    /// The answer does not parse.
    #[error("unreadable answer ({detail})")]
    Unreadable {
        /// Where and why, without the body.
        detail: String,
        /// Whether the request may have taken effect.
        maybe_sent: bool,
    },
    /// Our own allow-list, permit or lease stopped the request before the bytes went out.
    #[error("not sent ({reason})")]
    NotSent {
        /// Why.
        reason: String,
    },
    /// This connector cannot do that.
    #[error("not possible with this vendor ({what})")]
    Unsupported {
        /// What.
        what: &'static str,
    },
}

impl ConnectorError {
    /// A failure of that kind.
    pub fn new(attempt: impl Into<String>, kind: ErrorKind) -> Self {
        Self {
            attempt: attempt.into(),
            kind,
            request_id: None,
        }
    }

    /// Whether a write that ended so may have taken effect: read back before anything else.
    pub fn is_unclear(&self) -> bool {
        matches!(
            self.kind,
            ErrorKind::Transient {
                maybe_sent: true,
                ..
            } | ErrorKind::Unreadable {
                maybe_sent: true,
                ..
            }
        )
    }

    /// Whether a later try may work.
    pub fn is_transient(&self) -> bool {
        matches!(
            self.kind,
            ErrorKind::Transient { .. } | ErrorKind::RateLimited { .. }
        )
    }

    /// Whether the object is not there.
    pub fn is_not_found(&self) -> bool {
        matches!(self.kind, ErrorKind::NotFound)
    }
}
