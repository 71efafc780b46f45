//! The compiled-in list of what a connector may ask of its vendor. Whatever is not on it is refused before a byte goes out.

use std::fmt;

use reqwest::Method;
use url::Url;

/// One call that a connector may make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// Name in traces, for example `okta.list_devices`.
    pub name: &'static str,
    /// HTTP method.
    pub method: Method,
    /// Path template below the base URL: `/api/v1/devices/{id}/users`.
    pub path: &'static str,
    /// What the call does.
    pub effect: Effect,
    /// Which rate-limit bucket of the vendor it draws from.
    pub bucket: &'static str,
    /// The right it needs, for the hint of a 403.
    pub right: &'static str,
}

/// What a call does at the vendor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Changes nothing; may be repeated.
    Read,
    /// A POST whose body lists further calls (Graph's `$batch`); each must be a read on the same list.
    BatchOfReads,
    /// Asks for an access token.
    Token,
    /// Fetches a prepared file from one of these host suffixes, without any credential.
    Download(&'static [&'static str]),
    /// Changes something; needs a permit and is never repeated.
    Write,
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.effect, self.method, self.path)
    }
}

impl fmt::Display for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read => f.write_str("read"),
            Self::BatchOfReads => f.write_str("batch-of-reads"),
            Self::Token => f.write_str("token"),
            Self::Download(hosts) => write!(f, "download from *{}", hosts.join(", *")),
            Self::Write => f.write_str("write"),
        }
    }
}

/// The list as text, one call a line, for the test that pins it.
pub fn print_allow_list(endpoints: &[Endpoint]) -> String {
    let mut lines: Vec<String> = endpoints.iter().map(Endpoint::to_string).collect();
    lines.sort();
    lines.join("\n")
}

/// Why a request may not go out, or `Ok`.
pub(super) fn check(
    endpoints: &[Endpoint],
    endpoint: &Endpoint,
    base: &Url,
    url: &Url,
    body: Option<&[u8]>,
) -> Result<(), String> {
    if !endpoints.contains(endpoint) {
        return Err(format!("{endpoint} is not on the allow-list"));
    }
    if let Effect::Download(hosts) = endpoint.effect {
        return check_download(base, url, hosts);
    }
    if url.origin() != base.origin() {
        return Err("the link leads to another host".to_owned());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("the link carries a user name".to_owned());
    }
    let path = below(base, url).ok_or("the link leads outside the base URL")?;
    if !matches(endpoint.path, path) {
        return Err(format!("the path is not {}", endpoint.path));
    }
    match endpoint.effect {
        Effect::BatchOfReads => check_batch(endpoints, endpoint, body.unwrap_or_default()),
        _ => Ok(()),
    }
}

fn check_download(base: &Url, url: &Url, hosts: &[&str]) -> Result<(), String> {
    let host = url.host_str().unwrap_or_default();
    let listed = hosts.iter().any(|suffix| host.ends_with(suffix));
    let simulated = is_loopback(base) && is_loopback(url);
    if (listed && url.scheme() == "https") || simulated {
        Ok(())
    } else {
        Err("the file lies on a host that is not on the allow-list".to_owned())
    }
}

#[derive(serde::Deserialize)]
struct Batch {
    requests: Vec<BatchEntry>,
}

#[derive(serde::Deserialize)]
struct BatchEntry {
    method: String,
    url: String,
}

fn check_batch(endpoints: &[Endpoint], batch: &Endpoint, body: &[u8]) -> Result<(), String> {
    let Batch { requests } =
        serde_json::from_slice(body).map_err(|error| format!("the batch is no batch: {error}"))?;
    // Entries are relative to the API version: `/v1.0/$batch` → `/v1.0`.
    let version = batch.path.rsplit_once('/').map_or("", |(head, _)| head);
    for entry in requests {
        let path = entry.url.split(['?', '#']).next().unwrap_or_default();
        let path = format!("{version}/{}", path.trim_start_matches('/'));
        let known = endpoints.iter().any(|known| {
            known.effect == Effect::Read
                && known.method.as_str() == entry.method
                && matches(known.path, &path)
        });
        if !known {
            return Err(format!(
                "the batch holds a {} that is not a read on the allow-list",
                entry.method
            ));
        }
    }
    Ok(())
}

/// The path below the base URL, with its leading slash.
fn below<'a>(base: &Url, url: &'a Url) -> Option<&'a str> {
    let prefix = base.path().trim_end_matches('/');
    url.path()
        .strip_prefix(prefix)
        .filter(|rest| rest.starts_with('/'))
}

/// Whether a path fits a template; a placeholder takes one whole, non-empty segment or the middle of one.
fn matches(template: &str, path: &str) -> bool {
    let mut wanted = template.split('/');
    let mut given = path.split('/');
    loop {
        match (wanted.next(), given.next()) {
            (None, None) => return true,
            (Some(wanted), Some(given)) if segment_matches(wanted, given) => {}
            _ => return false,
        }
    }
}

fn segment_matches(wanted: &str, given: &str) -> bool {
    let Some((head, rest)) = wanted.split_once('{') else {
        return wanted == given;
    };
    let Some((_, tail)) = rest.split_once('}') else {
        return false;
    };
    let value = given
        .strip_prefix(head)
        .and_then(|rest| rest.strip_suffix(tail));
    value.is_some_and(|value| !value.is_empty() && value != "." && value != "..")
}

/// Whether a URL names this machine itself.
pub(super) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEVICE: Endpoint = Endpoint {
        name: "test.device",
        method: Method::GET,
        path: "/v1/devices/{id}",
        effect: Effect::Read,
        bucket: "all",
        right: "",
    };
    const WIPE: Endpoint = Endpoint {
        name: "test.wipe",
        method: Method::POST,
        path: "/v1/devices/{id}/wipe",
        effect: Effect::Write,
        bucket: "all",
        right: "",
    };
    const BATCH: Endpoint = Endpoint {
        name: "test.batch",
        method: Method::POST,
        path: "/v1/$batch",
        effect: Effect::BatchOfReads,
        bucket: "all",
        right: "",
    };
    const FILE: Endpoint = Endpoint {
        name: "test.file",
        method: Method::GET,
        path: "(file)",
        effect: Effect::Download(&[".blob.example.net"]),
        bucket: "files",
        right: "",
    };
    const LIST: &[Endpoint] = &[DEVICE, BATCH, FILE];

    fn verdict(endpoint: &Endpoint, url: &str, body: &str) -> Result<(), String> {
        let base = Url::parse("https://api.example.net/").expect("valid");
        let url = Url::parse(url).expect("valid");
        check(LIST, endpoint, &base, &url, Some(body.as_bytes()))
    }

    #[test]
    fn a_call_outside_the_list_is_refused() {
        let refused = verdict(&WIPE, "https://api.example.net/v1/devices/7/wipe", "");
        assert!(refused.is_err());
        assert!(verdict(&DEVICE, "https://api.example.net/v1/devices/7", "").is_ok());
    }

    #[test]
    fn an_endpoint_on_the_list_cannot_be_bent_to_another_path() {
        for url in [
            "https://api.example.net/v1/devices/7/wipe",
            "https://api.example.net/v1/devices/",
            "https://api.example.net/v1/devices/../wipe",
            "https://api.example.net/v1/devices",
            "https://elsewhere.example.net/v1/devices/7",
            "http://api.example.net/v1/devices/7",
            "https://api.example.net:8443/v1/devices/7",
            "https://me@api.example.net/v1/devices/7",
        ] {
            assert!(verdict(&DEVICE, url, "").is_err(), "{url}");
        }
    }

    #[test]
    fn a_batch_may_hold_listed_reads_only() {
        let read = r#"{"requests":[{"id":"1","method":"GET","url":"/devices/7?$select=id"}]}"#;
        let write = r#"{"requests":[{"id":"1","method":"GET","url":"/devices/7"},
            {"id":"2","method":"DELETE","url":"/devices/7"}]}"#;
        let other = r#"{"requests":[{"id":"1","method":"GET","url":"/users/7"}]}"#;
        let url = "https://api.example.net/v1/$batch";
        assert!(verdict(&BATCH, url, read).is_ok());
        assert!(verdict(&BATCH, url, write).is_err());
        assert!(verdict(&BATCH, url, other).is_err());
        assert!(verdict(&BATCH, url, "[]").is_err());
    }

    #[test]
    fn a_file_is_fetched_from_listed_hosts_only() {
        assert!(verdict(&FILE, "https://x.blob.example.net/a?sig=1", "").is_ok());
        assert!(verdict(&FILE, "http://x.blob.example.net/a", "").is_err());
        assert!(verdict(&FILE, "https://blob.example.net.evil.org/a", "").is_err());
        assert!(verdict(&FILE, "http://127.0.0.1/a", "").is_err());
    }

    #[test]
    fn a_placeholder_may_stand_inside_a_segment() {
        assert!(matches("/jobs('{id}')", "/jobs('a_1')"));
        assert!(!matches("/jobs('{id}')", "/jobs('')"));
    }
}
