//! Requests that Slack signs in HTTP mode: "Verifying requests from Slack".

use std::fmt::Write;

use chrono::{DateTime, TimeDelta, Utc};
use ring::hmac;
use secrecy::{ExposeSecret, SecretString};

/// A signature older or newer than this is refused.
const MAX_AGE: TimeDelta = TimeDelta::minutes(5);

/// Why a request is not Slack's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// No secret to check with.
    #[error("the signing secret is empty")]
    NoSecret,
    /// The time stamp is no number.
    #[error("the time stamp is unreadable")]
    Timestamp,
    /// A replay, or a clock that is wrong.
    #[error("the time stamp is more than 5 minutes off")]
    TooOld,
    /// Another secret or another body.
    #[error("the signature does not match")]
    Mismatch,
}

/// Checks `X-Slack-Signature` over `X-Slack-Request-Timestamp` and the raw body. `now` is the system's time.
pub fn verify_signature(
    secret: &SecretString,
    timestamp: &str,
    signature: &str,
    body: &[u8],
    now: DateTime<Utc>,
) -> Result<(), SignatureError> {
    if secret.expose_secret().is_empty() {
        return Err(SignatureError::NoSecret);
    }
    let seconds: i64 = timestamp
        .parse()
        .map_err(|_ignored| SignatureError::Timestamp)?;
    let at = DateTime::from_timestamp(seconds, 0).ok_or(SignatureError::Timestamp)?;
    if (now - at).abs() > MAX_AGE {
        return Err(SignatureError::TooOld);
    }
    let claimed = signature
        .strip_prefix("v0=")
        .and_then(from_hex)
        .ok_or(SignatureError::Mismatch)?;
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.expose_secret().as_bytes());
    let mut signed = String::new();
    // Writing to a string cannot fail.
    let _ = write!(signed, "v0:{timestamp}:");
    let mut message = signed.into_bytes();
    message.extend_from_slice(body);
    // Compares in constant time.
    hmac::verify(&key, &message, &claimed).map_err(|_ignored| SignatureError::Mismatch)
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) || !text.is_ascii() {
        return None;
    }
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "fa2c05deeef5a4077494e89f54394de0";
    const SIGNATURE: &str = "v0=baa91ef62d346e56607bbdd278a8acd570b91226854f15a382f43d33be42f666";

    fn check(
        secret: &str,
        timestamp: &str,
        signature: &str,
        body: &[u8],
    ) -> Result<(), SignatureError> {
        let now = DateTime::from_timestamp(1_531_420_620, 0).unwrap();
        verify_signature(
            &SecretString::from(secret.to_owned()),
            timestamp,
            signature,
            body,
            now,
        )
    }

    #[test]
    fn a_request_signed_with_the_secret_is_slacks() {
        assert_eq!(check(SECRET, "1531420618", SIGNATURE, b"test-body"), Ok(()));
    }

    #[test]
    fn another_body_secret_or_signature_is_refused() {
        let mismatch = Err(SignatureError::Mismatch);
        assert_eq!(
            check(SECRET, "1531420618", SIGNATURE, b"test-bodY"),
            mismatch
        );
        assert_eq!(
            check("other", "1531420618", SIGNATURE, b"test-body"),
            mismatch
        );
        assert_eq!(check(SECRET, "1531420618", "v0=00", b"test-body"), mismatch);
        assert_eq!(check(SECRET, "1531420618", "", b"test-body"), mismatch);
        assert_eq!(
            check("", "1531420618", SIGNATURE, b"test-body"),
            Err(SignatureError::NoSecret)
        );
    }

    #[test]
    fn a_replay_after_five_minutes_is_refused() {
        assert_eq!(
            check(SECRET, "1531420319", SIGNATURE, b"test-body"),
            Err(SignatureError::TooOld)
        );
        assert_eq!(
            check(SECRET, "1531420921", SIGNATURE, b"test-body"),
            Err(SignatureError::TooOld)
        );
        assert_eq!(
            check(SECRET, "soon", SIGNATURE, b"test-body"),
            Err(SignatureError::Timestamp)
        );
    }
}
