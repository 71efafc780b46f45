//! Okta: devices and their users, policies, the System Log; memberships of prepared groups.
//!
//! `client` is here; `wire` holds Okta's JSON, `facts` turns log events into facts, `auth`, `dpop` and `key` sign in.

mod auth;
mod authorities;
mod check;
mod checks;
mod devices;
mod dpop;
mod endpoints;
mod facts;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod key;
mod log;
mod loose;
mod policies;
mod simulate;
#[cfg(test)]
mod tests;
mod wire;

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde::de::DeserializeOwned;
use unstuck_domain::{
    CertificateAuthority, DeviceConfirmation, DeviceId, GroupId, LogFact, OktaDevice, PolicyFacts,
    UserId,
};
use url::Url;

pub use auth::OktaAuth;

use crate::error::ErrorKind;
use crate::http::{
    Answer, Authorize, Call, Endpoint, FixedToken, HttpClient, HttpConfig, Lenient, RetryPolicy,
    TokenCache, print_allow_list,
};
use crate::{
    ApiUsage, ConnectorError, LogCursor, LogPage, LogScope, OktaActions, OktaReader, Organization,
    Progress, Result, SimulatedDevice, Source, UserAccount, WritePermit,
};
use auth::{AppToken, OktaTokens, TokenProof};
use dpop::{DpopKey, Nonce};
use endpoints::{
    ADD_MEMBER, DEVICE, ENDPOINTS, ORGANIZATION, REMOVE_MEMBER, USER, USER_DEVICES, USER_FACTORS,
    USER_GROUPS,
};
use key::{KeyError, SigningKey};

const SOURCE: &str = "okta";

/// How to reach one org.
#[derive(Debug)]
pub struct OktaConfig {
    /// `https://acme.okta.com`
    pub org_url: Url,
    /// The credential.
    pub auth: OktaAuth,
    /// Pace of the devices bucket; other buckets take half of what Okta shows.
    pub requests_per_minute: u32,
    /// `[clock] speed`
    pub speed: f64,
}

/// A client of one org.
pub struct OktaClient {
    http: HttpClient,
    /// Present for service apps: `check_credentials` asks it for single scopes.
    tokens: Option<Arc<TokenCache<OktaTokens>>>,
}

impl OktaClient {
    /// Reads the key and builds the client; nothing is sent yet.
    pub fn new(config: OktaConfig) -> Result<Self> {
        Self::with_retry(config, RetryPolicy::default())
    }

    /// As [`OktaClient::new`], with other pauses between tries.
    pub fn with_retry(config: OktaConfig, retry: RetryPolicy) -> Result<Self> {
        let mut http = HttpConfig::new(SOURCE, config.org_url, ENDPOINTS, config.speed);
        http.reason = wire::reason;
        http.retry = retry;
        http.pace = vec![("devices", config.requests_per_minute)];
        http.learn_limits = true;
        let (auth, tokens) = match config.auth {
            OktaAuth::ApiToken(token) => {
                let auth: Arc<dyn Authorize> = Arc::new(FixedToken::new("SSWS", token));
                (auth, None)
            }
            OktaAuth::PrivateKeyJwt {
                client_id,
                private_key,
                key_id,
                dpop,
            } => {
                let key = SigningKey::parse(&private_key).map_err(refuse_key)?;
                let dpop = if dpop {
                    Some(Arc::new(DpopKey::generate().map_err(refuse_key)?))
                } else {
                    None
                };
                let tokens = Arc::new(TokenCache::new(service_app(
                    &http,
                    client_id,
                    key,
                    key_id,
                    dpop.clone(),
                )?));
                let auth = AppToken {
                    tokens: tokens.clone(),
                    dpop,
                    nonce: Nonce::default(),
                    clock: http.clock.clone(),
                };
                let auth: Arc<dyn Authorize> = Arc::new(auth);
                (auth, Some(tokens))
            }
        };
        http.auth = auth;
        Ok(Self {
            http: HttpClient::new(http)?,
            tokens,
        })
    }

    /// The allow-list, one call a line.
    pub fn allow_list() -> String {
        print_allow_list(ENDPOINTS)
    }

    /// One object; `None` for a 404.
    async fn object<T: DeserializeOwned + Send + 'static>(&self, call: &Call) -> Result<Option<T>> {
        match self.http.read(call).await {
            Ok(answer) => answer.json().await.map(Some),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Every page of a list, from the first to the one without a next link.
    async fn pages<T>(
        &self,
        first: Call,
        endpoint: &'static Endpoint,
        mut page: impl FnMut(Lenient<T>) + Send,
    ) -> Result<()>
    where
        T: DeserializeOwned + Send + 'static,
    {
        let mut call = first;
        let mut last: Option<String> = None;
        loop {
            let answer = self.http.read(&call).await?;
            let next = next_page(&answer, last.as_deref())?;
            let records: Lenient<T> = answer.json().await?;
            records.warn_of_skipped(endpoint.name);
            page(records);
            let Some(next) = next else { return Ok(()) };
            call = Call::link(endpoint, next.clone());
            last = Some(next);
        }
    }

    /// Every record of a list.
    async fn list<T>(&self, first: Call, endpoint: &'static Endpoint) -> Result<Lenient<T>>
    where
        T: DeserializeOwned + Send + 'static,
    {
        let mut all = Lenient::default();
        self.pages(first, endpoint, |page: Lenient<T>| {
            all.records.extend(page.records);
            all.skipped += page.skipped;
        })
        .await?;
        Ok(all)
    }

    /// The time of an answer, or of the last one.
    fn read_at(&self, answer: &Answer) -> Result<DateTime<Utc>> {
        answer
            .date()
            .or_else(|| self.http.clock().now())
            .ok_or_else(|| answer.unreadable("the answer carries no Date header".to_owned()))
    }

    /// Okta's time, asked for where no answer has told it yet.
    async fn vendor_now(&self) -> Result<DateTime<Utc>> {
        match self.http.clock().now() {
            Some(now) => Ok(now),
            None => {
                let answer = self.http.read(&Call::new(&ORGANIZATION)).await?;
                self.read_at(&answer)
            }
        }
    }
}

/// The next link; one that leads back to the page just read would never end.
fn next_page(answer: &Answer, last: Option<&str>) -> Result<Option<String>> {
    let next = answer.next_link();
    if next.is_some() && next.as_deref() == last {
        return Err(answer.unreadable("the next link leads to the same page".to_owned()));
    }
    Ok(next)
}

fn service_app(
    api: &HttpConfig,
    client_id: String,
    key: SigningKey,
    key_id: Option<String>,
    dpop: Option<Arc<DpopKey>>,
) -> Result<OktaTokens> {
    let mut http = HttpConfig::new(SOURCE, api.base_url.clone(), ENDPOINTS, 1.0);
    http.reason = wire::reason;
    http.retry = api.retry;
    http.usage = api.usage.clone();
    http.clock = api.clock.clone();
    let nonce = dpop.as_ref().map(|_| Arc::new(Nonce::default()));
    if let (Some(key), Some(nonce)) = (dpop, nonce.clone()) {
        http.auth = Arc::new(TokenProof {
            key,
            nonce,
            clock: api.clock.clone(),
        });
    }
    Ok(OktaTokens {
        http: HttpClient::new(http)?,
        client_id,
        key,
        key_id,
        nonce,
        granted: Mutex::new(None),
    })
}

fn refuse_key(error: KeyError) -> ConnectorError {
    ConnectorError::new(
        "okta: read the private key",
        ErrorKind::NotSent {
            reason: error.to_string(),
        },
    )
}

impl Source for OktaClient {
    fn name(&self) -> &str {
        self.http.source()
    }

    fn usage(&self) -> ApiUsage {
        self.http.usage()
    }

    fn now(&self) -> Option<DateTime<Utc>> {
        self.http.clock().now()
    }
}

#[async_trait]
impl OktaReader for OktaClient {
    async fn organization(&self) -> Result<Organization> {
        let answer = self.http.read(&Call::new(&ORGANIZATION)).await?;
        let organization: wire::Organization = answer.json().await?;
        Ok(Organization {
            identity_engine: organization.pipeline.as_deref() == Some("idx"),
            id: organization.id,
        })
    }

    async fn devices(&self, progress: &dyn Progress) -> Result<Vec<OktaDevice>> {
        self.list_devices(progress).await
    }

    async fn device(&self, id: &DeviceId) -> Result<Option<OktaDevice>> {
        let device: Option<wire::Device> =
            self.object(&Call::new(&DEVICE).param(id.as_str())).await?;
        Ok(device.map(Into::into))
    }

    async fn device_users(&self, id: &DeviceId) -> Result<DeviceConfirmation> {
        self.confirm_device(id).await
    }

    async fn user(&self, id_or_login: &str) -> Result<Option<UserAccount>> {
        let user: Option<wire::User> = self.object(&Call::new(&USER).param(id_or_login)).await?;
        Ok(user.map(Into::into))
    }

    async fn user_devices(&self, id: &UserId) -> Result<Vec<DeviceId>> {
        let call = Call::new(&USER_DEVICES).param(id.as_str());
        let devices: Lenient<wire::UserDevice> = self.list(call, &USER_DEVICES).await?;
        Ok(devices
            .records
            .into_iter()
            .map(|entry| DeviceId::new(entry.device.id))
            .collect())
    }

    async fn user_groups(&self, id: &UserId) -> Result<Vec<GroupId>> {
        let call = Call::new(&USER_GROUPS).param(id.as_str());
        let groups: Lenient<wire::Identified> = self.list(call, &USER_GROUPS).await?;
        Ok(groups
            .records
            .into_iter()
            .map(|group| GroupId::new(group.id))
            .collect())
    }

    async fn fastpass_enrolled(&self, id: &UserId) -> Result<bool> {
        let call = Call::new(&USER_FACTORS).param(id.as_str());
        let factors: Lenient<wire::Factor> = self.list(call, &USER_FACTORS).await?;
        Ok(factors.records.iter().any(|factor| {
            factor.factor_type.as_deref() == Some("signed_nonce")
                && factor.status.as_deref() == Some("ACTIVE")
        }))
    }

    async fn policies(&self) -> Result<PolicyFacts> {
        self.read_policies().await
    }

    async fn authorities(&self) -> Result<Option<Vec<CertificateAuthority>>> {
        self.read_authorities().await
    }

    async fn simulate_access(
        &self,
        app: &str,
        groups: &[GroupId],
        device: SimulatedDevice,
    ) -> Result<Option<String>> {
        self.simulate(app, groups, device).await
    }

    async fn poll_log(&self, scope: LogScope, cursor: &LogCursor) -> Result<LogPage> {
        self.poll(scope, cursor).await
    }

    async fn user_log(&self, user: &UserId, since: DateTime<Utc>) -> Result<Vec<LogFact>> {
        self.log_of_user(user, since).await
    }
}

#[async_trait]
impl OktaActions for OktaClient {
    async fn set_group_membership(
        &self,
        permit: &WritePermit,
        group: &GroupId,
        user: &UserId,
        present: bool,
    ) -> Result<()> {
        let endpoint = if present { &ADD_MEMBER } else { &REMOVE_MEMBER };
        let call = Call::new(endpoint)
            .param(group.as_str())
            .param(user.as_str());
        self.http.write(permit, &call).await.map(|_no_content| ())
    }
}
