//! Paging by opaque cursor, and the `Link` headers that carry it.

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use chrono::{DateTime, Utc};
use url::form_urlencoded;

use super::error::OktaError;

/// The query of a request, in order.
#[derive(Clone, Debug, Default)]
pub(super) struct Query(Vec<(String, String)>);

impl Query {
    pub(super) fn parse(raw: Option<&str>) -> Self {
        Self(
            form_urlencoded::parse(raw.unwrap_or_default().as_bytes())
                .into_owned()
                .collect(),
        )
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    /// `limit`, or the default; outside the range it is an error.
    pub(super) fn limit(&self, min: usize, default: usize, max: usize) -> Result<usize, OktaError> {
        let Some(text) = self.get("limit") else {
            return Ok(default);
        };
        text.parse()
            .ok()
            .filter(|limit| (min..=max).contains(limit))
            .ok_or_else(|| {
                OktaError::invalid(
                    "limit",
                    format!("The limit must be between {min} and {max}."),
                )
            })
    }

    /// The cursor of `after`, decoded.
    pub(super) fn after(&self) -> Result<Option<String>, OktaError> {
        let Some(text) = self.get("after") else {
            return Ok(None);
        };
        BASE64
            .decode(text)
            .ok()
            .and_then(|bytes| String::from_utf8(bytes).ok())
            .map(Some)
            .ok_or_else(|| OktaError::invalid("after", "The cursor is invalid."))
    }

    /// This query with another cursor and without `without`.
    fn advanced(&self, cursor: &str, without: &[&str]) -> String {
        let mut text = form_urlencoded::Serializer::new(String::new());
        text.append_pair("after", &BASE64.encode(cursor));
        for (key, value) in &self.0 {
            if key != "after" && !without.contains(&key.as_str()) {
                text.append_pair(key, value);
            }
        }
        text.finish()
    }

    fn text(&self) -> String {
        form_urlencoded::Serializer::new(String::new())
            .extend_pairs(&self.0)
            .finish()
    }
}

/// Adds one `Link` line for this page, and one for the next if there is a cursor.
pub(super) fn link(
    headers: &mut HeaderMap,
    address: &str,
    query: &Query,
    next: Option<&str>,
    without: &[&str],
) {
    let text = query.text();
    let mark = if text.is_empty() { "" } else { "?" };
    add(headers, &format!("<{address}{mark}{text}>; rel=\"self\""));
    if let Some(cursor) = next {
        let query = query.advanced(cursor, without);
        add(headers, &format!("<{address}?{query}>; rel=\"next\""));
    }
}

fn add(headers: &mut HeaderMap, line: &str) {
    if let Ok(value) = HeaderValue::from_str(line) {
        headers.append(HeaderName::from_static("link"), value);
    }
}

/// A time as Okta writes it.
pub(super) fn time(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}
