//! Asks a SCEP server what it can do and which certificates it issues under (RFC 8894). It never enrols: there is no
//! `PKIOperation` here, and a challenge URL is never called, because a call uses the challenge up.

mod certificates;
#[cfg(test)]
mod tests;

use std::time::Duration;

use chrono::{DateTime, Utc};
use reqwest::Method;
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderValue};
use url::Url;

pub use certificates::{AnswerError, CaCertificate, parse};

use crate::{
    ConnectorError, Result,
    error::ErrorKind,
    http::{Answer, Call, Effect, Endpoint, HttpClient, HttpConfig, RetryPolicy, print_allow_list},
};

/// Name of this source.
pub const SCEP: &str = "scep";
/// An answer of a SCEP server is a few kilobytes; a larger one is something else.
const LARGEST: usize = 256 * 1024;

/// The allow-list: one path, the last segment of the SCEP URL itself.
static ENDPOINTS: &[Endpoint] = &[SERVER];

const SERVER: Endpoint = Endpoint {
    name: "scep.ask",
    method: Method::GET,
    path: "/{server}",
    effect: Effect::Read,
    bucket: SCEP,
    right: "",
};

/// What a SCEP server told.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct ScepServer {
    /// The server's time; `None`: it sends no `Date` header.
    pub at: Option<DateTime<Utc>>,
    /// Lines of `GetCACaps`.
    pub capabilities: Vec<String>,
    /// Certificates of `GetCACert`: the authority's, and a registration authority's where there is one.
    pub certificates: Vec<CaCertificate>,
}

impl ScepServer {
    /// Whether the server names a capability; upper and lower case are the same.
    pub fn can(&self, capability: &str) -> bool {
        self.capabilities
            .iter()
            .any(|line| line.eq_ignore_ascii_case(capability))
    }
}

/// The allow-list, one call a line.
pub fn allow_list() -> String {
    print_allow_list(ENDPOINTS)
}

/// Asks one SCEP server for its capabilities and certificates. No credential is sent.
///
/// # Errors
/// A URL that is none of a SCEP server, no answer, or an answer that is not one of SCEP.
pub async fn ask(url: &Url) -> Result<ScepServer> {
    let (client, server) = client(url)?;
    let call = |operation: &str| {
        Call::new(&ENDPOINTS[0])
            .param(server.as_str())
            .query("operation", operation)
            .header(ACCEPT, HeaderValue::from_static("*/*"))
    };
    let capabilities = client.read(&call("GetCACaps")).await?;
    let at = capabilities.date();
    let capabilities = lines(&capabilities)?;
    let certificates = client.read(&call("GetCACert")).await?;
    let kind = certificates
        .headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let parsed = small(&certificates)
        .and_then(|body| parse(kind, body))
        .map_err(|error| certificates.unreadable(error.to_string()))?;
    Ok(ScepServer {
        at,
        capabilities,
        certificates: parsed,
    })
}

/// A client for the folder of the URL, and the last segment of its path.
fn client(url: &Url) -> Result<(HttpClient, String)> {
    let refuse = |reason: &str| {
        ConnectorError::new(
            "scep: ask the server",
            ErrorKind::NotSent {
                reason: reason.to_owned(),
            },
        )
    };
    if url.query().is_some() || !url.username().is_empty() || url.password().is_some() {
        return Err(refuse("the SCEP URL carries a query or a user name"));
    }
    let mut segments: Vec<&str> = url
        .path_segments()
        .ok_or_else(|| refuse("the SCEP URL is no http or https URL"))?
        .filter(|segment| !segment.is_empty())
        .collect();
    let server = segments
        .pop()
        .ok_or_else(|| refuse("the SCEP URL has no path"))?
        .to_owned();
    // The challenge URL of a dynamic configuration gives out a secret, once, to whoever calls it.
    if server.to_ascii_lowercase().contains("challenge") {
        return Err(refuse("this is a challenge URL, which is never called"));
    }
    let mut base = url.clone();
    base.set_fragment(None);
    base.set_path(&segments.join("/"));
    let mut config = HttpConfig::new(SCEP, base, ENDPOINTS, 1.0);
    config.retry = RetryPolicy {
        tries: 2,
        give_up_after: Duration::from_secs(20),
        ..RetryPolicy::default()
    };
    Ok((HttpClient::new(config)?, server))
}

fn small(answer: &Answer) -> std::result::Result<&[u8], AnswerError> {
    if answer.body.len() > LARGEST {
        return Err(AnswerError::TooLarge);
    }
    Ok(&answer.body)
}

/// Capabilities, one a line. A page that some other server shows is none.
fn lines(answer: &Answer) -> Result<Vec<String>> {
    let text = small(answer)
        .ok()
        .and_then(|body| std::str::from_utf8(body).ok())
        .filter(|text| !text.contains('<'))
        .ok_or_else(|| answer.unreadable("not a list of SCEP capabilities".to_owned()))?;
    Ok(text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .map(str::to_owned)
        .collect())
}
