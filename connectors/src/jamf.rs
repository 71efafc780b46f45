//! Jamf Pro: inventory and commands over the Pro API, profiles and static groups over the Classic API.
//!
//! No call re-sends one profile to one Mac; a re-push is a change of scope, a flush of failed commands or a push. The
//! connector never writes profiles, scopes or inventory.

mod actions;
mod catalog;
mod check;
mod computers;
mod delivery;
mod endpoints;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod listing;
mod profiles;
mod reader;
mod scope;
mod setup;
#[cfg(test)]
mod tests;
mod token;
mod wire;

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use chrono::{DateTime, TimeDelta, Utc};
use secrecy::SecretString;
use unstuck_domain::{CertificateStore, MdmName, Platform, ProfileId, RepairTargets};
use url::Url;

use crate::{
    ApiUsage, AttestationSettings, ConnectorError, Source,
    error::ErrorKind,
    http::{HttpClient, HttpConfig, UsageCounter},
    source_clock::SourceClock,
};

/// `[[mdm]]` with `kind = "jamf"`.
#[derive(Debug)]
pub struct JamfConfig {
    /// `name`
    pub name: MdmName,
    /// `https://acme.jamfcloud.com`
    pub url: Url,
    /// API client.
    pub client_id: String,
    /// Its secret.
    pub client_secret: SecretString,
    /// Which desktops it manages; macOS.
    pub platforms: Vec<Platform>,
    /// `[attestation]`
    pub attestation: AttestationSettings,
    /// What a person prepared.
    pub targets: RepairTargets,
    /// `[clock] speed`
    pub speed: f64,
}

/// A Jamf Pro server.
pub struct JamfClient {
    http: HttpClient,
    name: MdmName,
    platforms: Vec<Platform>,
    attestation: Arc<AttestationSettings>,
    targets: RepairTargets,
    /// A server that answered 404 for v4 of the inventory is asked for v3 from then on.
    old_inventory: AtomicBool,
    /// The store, and so the channel, of a profile never changes.
    stores: Mutex<HashMap<ProfileId, Option<CertificateStore>>>,
    kept: Mutex<Option<KeptProfiles>>,
    /// What was found in the profiles that `scep_profiles` does not name, by id.
    seen: Mutex<HashMap<String, SeenProfile>>,
}

/// The profiles, and Jamf's time when they were read.
struct KeptProfiles {
    at: DateTime<Utc>,
    profiles: Arc<profiles::Profiles>,
}

/// A profile that was looked into.
struct SeenProfile {
    at: DateTime<Utc>,
    /// As it was called then: a new name asks for a new look.
    name: String,
    /// Whether it brings an authority or Okta's SSO extension, so that every sweep reads it.
    matters: bool,
}

/// Jamf's nodes agree with each other within about a minute; a by-id read need not be fresher than that.
const PROFILES_KEPT_FOR: TimeDelta = TimeDelta::seconds(60);

impl JamfClient {
    /// Connects to nothing yet.
    pub fn new(config: JamfConfig) -> Result<Self, ConnectorError> {
        Self::with_retry(config, crate::http::RetryPolicy::default())
    }

    fn with_retry(
        config: JamfConfig,
        retry: crate::http::RetryPolicy,
    ) -> Result<Self, ConnectorError> {
        let source = config.name.as_str().to_owned();
        let usage = UsageCounter::default();
        let clock = SourceClock::new(config.speed);
        let base = || {
            let mut http =
                HttpConfig::new(&source, config.url.clone(), endpoints::ALL, config.speed);
            http.usage = usage.clone();
            http.clock = clock.clone();
            http.reason = reason;
            http.retry = retry;
            http
        };
        let tokens = token::Tokens::new(
            HttpClient::new(base())?,
            config.client_id.clone(),
            config.client_secret.clone(),
        );
        let mut http = base();
        http.auth = Arc::new(crate::http::TokenCache::new(tokens));
        Ok(Self {
            http: HttpClient::new(http)?,
            name: config.name,
            platforms: config.platforms,
            attestation: Arc::new(config.attestation),
            targets: config.targets,
            old_inventory: AtomicBool::new(false),
            stores: Mutex::default(),
            kept: Mutex::default(),
            seen: Mutex::default(),
        })
    }

    fn inventory_is_old(&self) -> bool {
        self.old_inventory.load(Ordering::Relaxed)
    }

    fn known_store(&self, profile: &ProfileId) -> Option<Option<CertificateStore>> {
        let stores = self.stores.lock().unwrap_or_else(PoisonError::into_inner);
        stores.get(profile).copied()
    }

    fn remember_store(&self, profile: &ProfileId, store: Option<CertificateStore>) {
        let mut stores = self.stores.lock().unwrap_or_else(PoisonError::into_inner);
        stores.insert(profile.clone(), store);
    }

    fn error(&self, attempt: &str, kind: ErrorKind) -> ConnectorError {
        ConnectorError::new(format!("{}: {attempt}", self.name), kind)
    }
}

impl Source for JamfClient {
    fn name(&self) -> &str {
        self.name.as_str()
    }

    fn usage(&self) -> ApiUsage {
        self.http.usage()
    }

    fn now(&self) -> Option<DateTime<Utc>> {
        self.http.clock().now()
    }
}

/// Jamf's own words in an error body. The Pro API sends codes, its token endpoint OAuth errors, the Classic API an HTML
/// page that is searched for its one sentence and never parsed.
fn reason(body: &[u8]) -> Option<String> {
    #[derive(serde::Deserialize)]
    struct ErrorAnswer {
        #[serde(default)]
        errors: Vec<ApiError>,
        error: Option<String>,
        error_description: Option<String>,
    }
    #[derive(serde::Deserialize)]
    struct ApiError {
        code: Option<String>,
        field: Option<String>,
        description: Option<String>,
    }
    if let Ok(answer) = serde_json::from_slice::<ErrorAnswer>(body) {
        let mut words: Vec<String> = answer
            .errors
            .into_iter()
            .map(|error| {
                let parts = [error.code, error.field, error.description];
                parts.into_iter().flatten().collect::<Vec<_>>().join(" ")
            })
            .collect();
        words.extend(answer.error);
        words.extend(answer.error_description);
        return (!words.is_empty()).then(|| words.join("; "));
    }
    let text = std::str::from_utf8(body).ok()?;
    let sentence = &text[text.find("Error:")?..];
    Some(sentence.split('<').next()?.trim().to_owned())
}
