//! Microsoft Intune through Graph: managed devices, SCEP profiles and their reports, syncs, Entra groups, categories.
//!
//! Certificates are listed only where the CA reports them to Intune, so presence is proof and absence is not.

mod actions;
mod check;
mod csv;
mod devices;
mod endpoints;
mod entra;
mod export;
mod failure;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod issuance;
mod listing;
mod profiles;
mod reader;
mod settings;
mod setup;
mod states;
#[cfg(test)]
mod tests;
mod token;
mod wire;
mod zip;

use std::sync::Arc;

use chrono::{DateTime, Utc};
use secrecy::SecretString;
use tokio::sync::Mutex;
use unstuck_domain::{AttestationProfile, MdmName, Platform, RepairTargets};
use url::Url;

use crate::{
    ApiUsage, AttestationSettings, ConnectorError, Source,
    error::ErrorKind,
    http::{HttpClient, HttpConfig, RetryPolicy, TokenCache, UsageCounter},
};

/// `[[mdm]]` with `kind = "intune"`.
#[derive(Debug)]
pub struct IntuneConfig {
    /// `name`
    pub name: MdmName,
    /// GUID or domain of the tenant.
    pub tenant_id: String,
    /// App registration.
    pub client_id: String,
    /// Its secret.
    pub client_secret: SecretString,
    /// `https://graph.microsoft.com`
    pub graph_url: Url,
    /// `https://login.microsoftonline.com`
    pub login_url: Url,
    /// Which desktops it manages.
    pub platforms: Vec<Platform>,
    /// `[attestation]`
    pub attestation: AttestationSettings,
    /// What a person prepared.
    pub targets: RepairTargets,
    /// `[clock] speed`
    pub speed: f64,
}

/// An Intune tenant.
pub struct IntuneClient {
    http: HttpClient,
    tokens: Arc<TokenCache<token::Tokens>>,
    name: MdmName,
    /// The bot's own app registration.
    client_id: String,
    platforms: Vec<Platform>,
    attestation: Arc<AttestationSettings>,
    targets: RepairTargets,
    speed: f64,
    /// Held while reading, so that waits that poll together share one report.
    profiles: Mutex<Option<Kept<Arc<Vec<AttestationProfile>>>>>,
    certificates: Mutex<Option<Kept<reader::Certificates>>>,
}

/// Something read for all devices, and Graph's time when it was.
struct Kept<T> {
    at: DateTime<Utc>,
    value: T,
}

impl IntuneClient {
    /// Connects to nothing yet.
    pub fn new(config: IntuneConfig) -> Result<Self, ConnectorError> {
        Self::with_retry(config, RetryPolicy::default())
    }

    fn with_retry(config: IntuneConfig, retry: RetryPolicy) -> Result<Self, ConnectorError> {
        let source = config.name.as_str();
        let usage = UsageCounter::default();
        let mut login = HttpConfig::new(source, config.login_url, endpoints::LOGIN, config.speed);
        login.usage = usage.clone();
        login.reason = failure::reason;
        login.retry = retry;
        let scope = format!(
            "{}/.default",
            config.graph_url.as_str().trim_end_matches('/')
        );
        let tokens = Arc::new(TokenCache::new(token::Tokens::new(
            HttpClient::new(login)?,
            config.tenant_id,
            config.client_id.clone(),
            config.client_secret,
            scope,
        )));
        let mut graph = HttpConfig::new(source, config.graph_url, endpoints::ALL, config.speed);
        graph.usage = usage;
        graph.reason = failure::reason;
        graph.retry = retry;
        graph.auth = Arc::clone(&tokens) as Arc<dyn crate::http::Authorize>;
        Ok(Self {
            http: HttpClient::new(graph)?,
            tokens,
            name: config.name,
            client_id: config.client_id,
            platforms: config.platforms,
            attestation: Arc::new(config.attestation),
            targets: config.targets,
            speed: config.speed,
            profiles: Mutex::default(),
            certificates: Mutex::default(),
        })
    }

    fn error(&self, attempt: &str, kind: ErrorKind) -> ConnectorError {
        ConnectorError::new(format!("{}: {attempt}", self.name), kind)
    }

    fn rejected(&self, attempt: &str, reason: impl Into<String>) -> ConnectorError {
        let reason = reason.into();
        self.error(attempt, ErrorKind::Rejected { reason })
    }

    fn unreadable(&self, attempt: &str, detail: impl Into<String>) -> ConnectorError {
        self.error(
            attempt,
            ErrorKind::Unreadable {
                detail: detail.into(),
                maybe_sent: false,
            },
        )
    }
}

impl Source for IntuneClient {
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
