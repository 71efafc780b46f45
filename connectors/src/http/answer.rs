//! An answer: its body under a size cap, decoded off the async workers when large, and a status turned into an error.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use chrono::{DateTime, Utc};
use reqwest::StatusCode;
use reqwest::header::{DATE, HeaderMap, RETRY_AFTER};
use serde::de::DeserializeOwned;

use super::{Call, Effect, Lenient, link::next_link};
use crate::{ConnectorError, error::ErrorKind};

/// No page of any vendor comes near this; a larger one is a fault, not data.
pub(super) const MAX_BODY: usize = 64 * 1024 * 1024;
/// Bodies above this are decoded on a blocking thread.
const DECODE_INLINE: usize = 64 * 1024;
/// Wait after a 429 that says nothing usable.
const UNKNOWN_WAIT: Duration = Duration::from_secs(2);

/// A successful answer.
#[derive(Debug)]
pub struct Answer {
    /// Status, 2xx.
    pub status: StatusCode,
    /// Headers.
    pub headers: HeaderMap,
    /// Body, decompressed.
    pub body: Bytes,
    pub(super) attempt: String,
    pub(super) maybe_sent: bool,
}

impl Answer {
    /// The body as JSON.
    pub async fn json<T: DeserializeOwned + Send + 'static>(self) -> Result<T, ConnectorError> {
        let body = self.body.clone();
        let decode = move || serde_json::from_slice::<T>(&body);
        let decoded = if self.body.len() > DECODE_INLINE {
            match tokio::task::spawn_blocking(decode).await {
                Ok(decoded) => decoded,
                Err(_cut) => return Err(self.unreadable("decoding was cut off".to_owned())),
            }
        } else {
            decode()
        };
        // serde's own message may quote the value, so only its place is told.
        decoded.map_err(|error| {
            let kind = match error.classify() {
                serde_json::error::Category::Data => "unexpected shape",
                serde_json::error::Category::Eof => "cut off",
                _ => "no JSON",
            };
            self.unreadable(format!(
                "{kind} at line {}, column {}",
                error.line(),
                error.column()
            ))
        })
    }

    /// The body as a list of records; bad ones are left out, counted and logged.
    pub async fn records<T>(self) -> Result<Vec<T>, ConnectorError>
    where
        T: DeserializeOwned + Send + 'static,
    {
        let attempt = self.attempt.clone();
        let page: Lenient<T> = self.json().await?;
        page.warn_of_skipped(&attempt);
        Ok(page.records)
    }

    /// The `rel="next"` of the Link headers, byte for byte.
    pub fn next_link(&self) -> Option<String> {
        next_link(&self.headers)
    }

    /// The vendor's time of the answer.
    pub fn date(&self) -> Option<DateTime<Utc>> {
        date(&self.headers)
    }

    /// An error about what this answer says.
    pub fn unreadable(&self, detail: String) -> ConnectorError {
        ConnectorError {
            attempt: self.attempt.clone(),
            kind: ErrorKind::Unreadable {
                detail,
                maybe_sent: self.maybe_sent,
            },
            request_id: request_id(&self.headers),
        }
    }
}

/// Reads a body up to the cap.
pub(super) async fn read_body(mut response: reqwest::Response) -> Result<Bytes, BodyError> {
    let mut body = BytesMut::new();
    while let Some(chunk) = response.chunk().await.map_err(BodyError::Cut)? {
        if body.len() + chunk.len() > MAX_BODY {
            return Err(BodyError::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.freeze())
}

/// Why a body could not be read.
pub(super) enum BodyError {
    Cut(reqwest::Error),
    TooLarge,
}

/// What a status other than 2xx means.
pub(super) fn failure(
    call: &Call,
    status: StatusCode,
    headers: &HeaderMap,
    detail: String,
) -> ErrorKind {
    let is_write = call.endpoint.effect == Effect::Write;
    match status.as_u16() {
        401 => ErrorKind::Unauthorized { detail },
        403 => ErrorKind::Forbidden {
            detail,
            hint: format!("it needs {}", call.endpoint.right),
        },
        404 | 410 => ErrorKind::NotFound,
        429 => ErrorKind::RateLimited {
            retry_after: wait(headers),
        },
        // Locked for a moment; nothing was done.
        423 | 425 => ErrorKind::Transient {
            detail,
            maybe_sent: false,
        },
        501 => ErrorKind::Rejected { reason: detail },
        408 | 500..=599 => ErrorKind::Transient {
            detail,
            maybe_sent: is_write,
        },
        _ => ErrorKind::Rejected { reason: detail },
    }
}

/// How long a 429 asks to wait: `Retry-After`, else `X-Rate-Limit-Reset` against the answer's own `Date`.
fn wait(headers: &HeaderMap) -> Duration {
    if let Some(value) = text(headers, RETRY_AFTER.as_str()) {
        if let Ok(seconds) = value.parse() {
            return Duration::from_secs(seconds);
        }
        let until = DateTime::parse_from_rfc2822(value).ok();
        if let (Some(until), Some(now)) = (until, date(headers)) {
            return (until.to_utc() - now).to_std().unwrap_or_default();
        }
    }
    // Limit 0 is Okta's concurrency limit, for which the reset is only a hint ("Rate limits", concurrency).
    if limit(headers) == Some(0) {
        return UNKNOWN_WAIT;
    }
    until_reset(headers).unwrap_or(UNKNOWN_WAIT)
}

/// Time until the latest `X-Rate-Limit-Reset`, plus the second by which it is rounded.
pub(super) fn until_reset(headers: &HeaderMap) -> Option<Duration> {
    let reset = numbers(headers, "x-rate-limit-reset").max()?;
    let left = reset - date(headers)?.timestamp();
    Some(Duration::from_secs(
        u64::try_from(left + 1).unwrap_or_default(),
    ))
}

/// The most restrictive `X-Rate-Limit-Limit`; the header comes once per bucket that applies.
pub(super) fn limit(headers: &HeaderMap) -> Option<i64> {
    numbers(headers, "x-rate-limit-limit").min()
}

/// The most restrictive `X-Rate-Limit-Remaining`.
pub(super) fn remaining(headers: &HeaderMap) -> Option<i64> {
    numbers(headers, "x-rate-limit-remaining").min()
}

fn numbers<'a>(headers: &'a HeaderMap, name: &'static str) -> impl Iterator<Item = i64> + 'a {
    headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|value| value.trim().parse().ok())
}

pub(super) fn date(headers: &HeaderMap) -> Option<DateTime<Utc>> {
    let value = text(headers, DATE.as_str())?;
    DateTime::parse_from_rfc2822(value)
        .ok()
        .map(|date| date.to_utc())
}

/// The vendor's id of the request, for support.
pub(super) fn request_id(headers: &HeaderMap) -> Option<String> {
    ["x-okta-request-id", "request-id", "x-request-id"]
        .iter()
        .find_map(|name| text(headers, name))
        .map(|id| shorten(id, 100))
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// One line of at most `max` characters.
pub(super) fn shorten(text: &str, max: usize) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(max)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, value.parse().expect("a header value"));
        }
        headers
    }

    const DATE: (&str, &str) = ("date", "Tue, 24 Nov 2026 10:00:00 GMT");

    #[test]
    fn retry_after_comes_first_then_the_reset_against_the_answers_own_date() {
        let reset = ("x-rate-limit-reset", "1795514430");
        assert_eq!(wait(&headers(&[DATE, reset])), Duration::from_secs(31));
        let both = headers(&[DATE, reset, ("retry-after", "7")]);
        assert_eq!(wait(&both), Duration::from_secs(7));
        let day = ("retry-after", "Tue, 24 Nov 2026 10:00:05 GMT");
        assert_eq!(wait(&headers(&[DATE, day])), Duration::from_secs(5));
    }

    #[test]
    fn without_a_date_header_the_reset_is_not_compared_with_our_clock() {
        let reset = ("x-rate-limit-reset", "1795514430");
        assert_eq!(wait(&headers(&[reset])), UNKNOWN_WAIT);
    }

    #[test]
    fn of_repeated_limits_the_most_restrictive_counts() {
        let twice = headers(&[
            ("x-rate-limit-limit", "100"),
            ("x-rate-limit-limit", "50"),
            ("x-rate-limit-remaining", "60, 10"),
        ]);
        assert_eq!((limit(&twice), remaining(&twice)), (Some(50), Some(10)));
    }
}
