//! Signing in to Okta: an API token, or a service app's key with or without DPoP. JWT times are Okta's own time.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use reqwest::header::{AUTHORIZATION, HeaderMap};
use reqwest::{Method, StatusCode};
use secrecy::SecretString;
use serde_json::{Map, json};
use url::Url;
use uuid::Uuid;

use super::dpop::{DPOP, DpopKey, Nonce};
use super::endpoints::{ORGANIZATION, TOKEN};
use super::key::{KeyError, SigningKey};
use super::wire;
use crate::error::ErrorKind;
use crate::http::{
    Authorize, Call, FetchToken, HttpClient, Refusal, Token, TokenCache, authorization,
};
use crate::{ConnectorError, SourceClock};

/// What a service app needs to read an org.
pub(super) const READ_SCOPES: [&str; 5] = [
    "okta.devices.read",
    "okta.users.read",
    "okta.logs.read",
    "okta.policies.read",
    "okta.authenticators.read",
];
/// What it needs to act.
pub(super) const WRITE_SCOPE: &str = "okta.groups.manage";
/// What only some orgs have (Early Access); nothing needs it.
const EXTRA_SCOPE: &str = "okta.certificateAuthorities.read";
/// Okta allows an hour.
const ASSERTION_LIFE: TimeDelta = TimeDelta::minutes(5);
const CLIENT_ASSERTION: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// How to sign in.
pub enum OktaAuth {
    /// `Authorization: SSWS …`, with the rights of the admin who made the token.
    ApiToken(SecretString),
    /// A service app with a key.
    PrivateKeyJwt {
        /// Client id of the app.
        client_id: String,
        /// PEM (PKCS#8 or PKCS#1) or JWK.
        private_key: SecretString,
        /// Which of the app's keys it is.
        key_id: Option<String>,
        /// Whether the app demands proof of possession; new apps do.
        dpop: bool,
    },
}

impl fmt::Debug for OktaAuth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ApiToken(_) => f.write_str("ApiToken"),
            Self::PrivateKeyJwt {
                client_id, dpop, ..
            } => f
                .debug_struct("PrivateKeyJwt")
                .field("client_id", client_id)
                .field("dpop", dpop)
                .finish_non_exhaustive(),
        }
    }
}

/// Proofs for the token endpoint; its nonce is apart from that of the API.
pub(super) struct TokenProof {
    pub(super) key: Arc<DpopKey>,
    pub(super) nonce: Arc<Nonce>,
    pub(super) clock: SourceClock,
}

#[async_trait]
impl Authorize for TokenProof {
    async fn authorize(
        &self,
        method: &Method,
        url: &Url,
        headers: &mut HeaderMap,
    ) -> Result<(), ConnectorError> {
        // Before the first answer there is no time to speak of; that request needs no proof.
        if let Some(now) = self.clock.now() {
            let proof = self
                .key
                .proof(method, url, now, None, self.nonce.current())
                .map_err(unusable_key)?;
            headers.insert(DPOP, proof);
        }
        Ok(())
    }

    async fn refused(&self, refusal: &Refusal<'_>) -> bool {
        self.nonce.learn(refusal.headers);
        // A second try needs a new client assertion too, so it is made by `OktaTokens::fetch`.
        false
    }
}

/// Asks the org authorization server for tokens.
pub(super) struct OktaTokens {
    pub(super) http: HttpClient,
    pub(super) client_id: String,
    pub(super) key: SigningKey,
    pub(super) key_id: Option<String>,
    /// The token endpoint's nonce, with DPoP.
    pub(super) nonce: Option<Arc<Nonce>>,
    /// Scopes that the app turned out to have, if not all.
    pub(super) granted: Mutex<Option<Vec<&'static str>>>,
}

impl OktaTokens {
    /// A token for these scopes.
    pub(super) async fn request(&self, scopes: &[&str]) -> Result<Token, ConnectorError> {
        let mut clock_mended = false;
        let mut nonce_learned = false;
        loop {
            let now = self.now().await?;
            let nonce = self.nonce.as_ref().and_then(|nonce| nonce.current());
            let assertion = self.assertion(now)?;
            let call = Call::new(&TOKEN).form(&[
                ("grant_type", "client_credentials"),
                ("scope", &scopes.join(" ")),
                ("client_assertion_type", CLIENT_ASSERTION),
                ("client_assertion", &assertion),
            ]);
            let error = match self.http.once(&call).await {
                Ok(answer) => {
                    let token: wire::Token = answer.json().await?;
                    return Ok(Token {
                        scheme: if token.token_type.eq_ignore_ascii_case("dpop") {
                            "DPoP"
                        } else {
                            "Bearer"
                        },
                        value: token.access_token,
                        lifetime: Duration::from_secs(token.expires_in),
                    });
                }
                Err(error) => error,
            };
            let new_nonce = self.nonce.as_ref().and_then(|nonce| nonce.current()) != nonce;
            if new_nonce && !nonce_learned {
                nonce_learned = true;
            } else if is_clock_error(&error) && !clock_mended {
                // The refusal's own Date has set the clock right meanwhile.
                clock_mended = true;
            } else {
                return Err(error);
            }
        }
    }

    /// Okta's time; asked for at a public page where no answer has told it yet.
    async fn now(&self) -> Result<DateTime<Utc>, ConnectorError> {
        if self.http.clock().now().is_none() {
            self.http.read(&Call::new(&ORGANIZATION)).await?;
        }
        self.http.clock().now().ok_or_else(|| {
            ConnectorError::new(
                "okta: learn the server's time",
                ErrorKind::Unreadable {
                    detail: "answers carry no Date header".to_owned(),
                    maybe_sent: false,
                },
            )
        })
    }

    fn assertion(&self, now: DateTime<Utc>) -> Result<String, ConnectorError> {
        let audience = format!(
            "{}{}",
            self.http.base_url().as_str().trim_end_matches('/'),
            TOKEN.path
        );
        let mut header = Map::new();
        if let Some(key_id) = &self.key_id {
            header.insert("kid".to_owned(), key_id.clone().into());
        }
        let claims = json!({
            "iss": self.client_id,
            "sub": self.client_id,
            "aud": audience,
            "iat": now.timestamp(),
            "exp": (now + ASSERTION_LIFE).timestamp(),
            "jti": Uuid::now_v7().to_string(),
        });
        self.key.sign(header, &claims).map_err(unusable_key)
    }

    fn remember(&self, granted: Vec<&'static str>) {
        *self.granted.lock().unwrap_or_else(PoisonError::into_inner) = Some(granted);
    }

    fn granted(&self) -> Option<Vec<&'static str>> {
        self.granted
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

#[async_trait]
impl FetchToken for OktaTokens {
    /// Asks for all scopes at once. Where Okta refuses because some are not granted (which answer that gives is
    /// UNVERIFIED), first does without the one of Early Access, then finds out which are, and asks for those.
    async fn fetch(&self) -> Result<Token, ConnectorError> {
        let needed: Vec<&'static str> = READ_SCOPES.into_iter().chain([WRITE_SCOPE]).collect();
        let all = match self.granted() {
            Some(granted) => granted,
            None => [needed.as_slice(), &[EXTRA_SCOPE]].concat(),
        };
        match self.request(&all).await {
            Err(error) if is_scope_error(&error) => {}
            done => return done,
        }
        let error = match self.request(&needed).await {
            Err(error) if is_scope_error(&error) => error,
            done => {
                if done.is_ok() {
                    self.remember(needed);
                }
                return done;
            }
        };
        let mut granted = Vec::new();
        for scope in needed.into_iter().chain([EXTRA_SCOPE]) {
            match self.request(&[scope]).await {
                Ok(_) => granted.push(scope),
                Err(error) if is_scope_error(&error) && scope == EXTRA_SCOPE => {}
                Err(error) if is_scope_error(&error) => {
                    tracing::warn!(
                        okta.scope = scope,
                        "scope is not granted to the service app"
                    );
                }
                Err(error) => return Err(error),
            }
        }
        if granted.is_empty() {
            return Err(error);
        }
        let token = self.request(&granted).await?;
        self.remember(granted);
        Ok(token)
    }
}

/// Puts a service app's token on API calls, with a proof where the token is bound.
pub(super) struct AppToken {
    pub(super) tokens: Arc<TokenCache<OktaTokens>>,
    pub(super) dpop: Option<Arc<DpopKey>>,
    pub(super) nonce: Nonce,
    pub(super) clock: SourceClock,
}

#[async_trait]
impl Authorize for AppToken {
    async fn authorize(
        &self,
        method: &Method,
        url: &Url,
        headers: &mut HeaderMap,
    ) -> Result<(), ConnectorError> {
        let token = self.tokens.token().await?;
        headers.insert(AUTHORIZATION, authorization(token.scheme, &token.value)?);
        if let (Some(key), "DPoP", Some(now)) = (&self.dpop, token.scheme, self.clock.now()) {
            let proof = key
                .proof(method, url, now, Some(&token.value), self.nonce.current())
                .map_err(unusable_key)?;
            headers.insert(DPOP, proof);
        }
        Ok(())
    }

    async fn refused(&self, refusal: &Refusal<'_>) -> bool {
        if self.nonce.learn(refusal.headers) {
            return true;
        }
        if refusal.status == StatusCode::UNAUTHORIZED {
            self.tokens.forget(refusal.sent).await;
            return true;
        }
        // A proof too old or from the future: the clock is right again since this answer's Date.
        self.dpop.is_some()
            && wire::reason(refusal.body).is_some_and(|reason| {
                reason.starts_with("invalid_dpop_proof") && speaks_of_time(&reason)
            })
    }
}

fn unusable_key(error: KeyError) -> ConnectorError {
    ConnectorError::new(
        "okta: sign a request",
        ErrorKind::NotSent {
            reason: error.to_string(),
        },
    )
}

fn words(error: &ConnectorError) -> &str {
    match &error.kind {
        ErrorKind::Rejected { reason } => reason,
        ErrorKind::Unauthorized { detail } | ErrorKind::Forbidden { detail, .. } => detail,
        _ => "",
    }
}

/// Only the description tells a clock fault from other refusals (Okta's OAuth error list).
fn is_clock_error(error: &ConnectorError) -> bool {
    speaks_of_time(words(error))
}

fn speaks_of_time(words: &str) -> bool {
    let words = words.to_ascii_lowercase();
    ["expired", "future", "too old"]
        .iter()
        .any(|word| words.contains(word))
}

/// Whether a refusal is about scopes that are unknown or not granted.
pub(super) fn is_scope_error(error: &ConnectorError) -> bool {
    let words = words(error);
    words.contains("invalid_scope") || words.contains("consent_required")
}
