//! How requests prove who sends them: a fixed header, or a token that is fetched, kept and renewed in time.

use std::fmt;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use reqwest::{Method, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Mutex;
use url::Url;

use crate::{ConnectorError, error::ErrorKind};

/// Puts the credential on a request.
#[async_trait]
pub trait Authorize: Send + Sync {
    /// Adds headers; mark their values sensitive.
    async fn authorize(
        &self,
        method: &Method,
        url: &Url,
        headers: &mut HeaderMap,
    ) -> Result<(), ConnectorError>;

    /// Looks at a 400 or 401; whether the same request with new headers is worth one more try.
    async fn refused(&self, refusal: &Refusal<'_>) -> bool;
}

/// An answer that may be about the credential.
pub struct Refusal<'a> {
    /// 400 or 401.
    pub status: StatusCode,
    /// Headers of the answer.
    pub headers: &'a HeaderMap,
    /// Body of the answer.
    pub body: &'a [u8],
    /// Headers that the request carried.
    pub sent: &'a HeaderMap,
}

/// No credential, for token endpoints and public pages.
pub struct NoAuth;

#[async_trait]
impl Authorize for NoAuth {
    async fn authorize(
        &self,
        _: &Method,
        _: &Url,
        _: &mut HeaderMap,
    ) -> Result<(), ConnectorError> {
        Ok(())
    }

    async fn refused(&self, _: &Refusal<'_>) -> bool {
        false
    }
}

/// A fixed `Authorization` header.
pub struct FixedToken {
    scheme: &'static str,
    token: SecretString,
}

impl FixedToken {
    /// `Authorization: <scheme> <token>`
    pub fn new(scheme: &'static str, token: SecretString) -> Self {
        Self { scheme, token }
    }
}

#[async_trait]
impl Authorize for FixedToken {
    async fn authorize(
        &self,
        _: &Method,
        _: &Url,
        headers: &mut HeaderMap,
    ) -> Result<(), ConnectorError> {
        headers.insert(AUTHORIZATION, authorization(self.scheme, &self.token)?);
        Ok(())
    }

    async fn refused(&self, _: &Refusal<'_>) -> bool {
        false
    }
}

/// The value of an `Authorization` header, marked sensitive.
pub fn authorization(scheme: &str, token: &SecretString) -> Result<HeaderValue, ConnectorError> {
    let mut value =
        HeaderValue::from_str(&format!("{scheme} {}", token.expose_secret())).map_err(|error| {
            ConnectorError::new(
                "build the Authorization header",
                ErrorKind::NotSent {
                    reason: error.to_string(),
                },
            )
        })?;
    value.set_sensitive(true);
    Ok(value)
}

/// An access token as a token endpoint gave it.
#[derive(Clone)]
pub struct Token {
    /// `Bearer` or `DPoP`.
    pub scheme: &'static str,
    /// The token.
    pub value: SecretString,
    /// How long it lives from now on.
    pub lifetime: Duration,
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token")
            .field("scheme", &self.scheme)
            .field("lifetime", &self.lifetime)
            .finish_non_exhaustive()
    }
}

/// Asks a token endpoint, once.
#[async_trait]
pub trait FetchToken: Send + Sync {
    /// A new token.
    async fn fetch(&self) -> Result<Token, ConnectorError>;
}

/// Keeps one token and renews it at 80 % of its life; one renewal at a time.
pub struct TokenCache<F> {
    source: F,
    current: Mutex<Option<Kept>>,
}

struct Kept {
    token: Token,
    renew_at: Instant,
    dead_at: Instant,
}

impl<F: FetchToken> TokenCache<F> {
    /// An empty cache.
    pub fn new(source: F) -> Self {
        Self {
            source,
            current: Mutex::new(None),
        }
    }

    /// Where the tokens come from.
    pub fn source(&self) -> &F {
        &self.source
    }

    /// A token that lives.
    pub async fn token(&self) -> Result<Token, ConnectorError> {
        // Held while fetching, so that callers who come meanwhile wait for that one token.
        let mut current = self.current.lock().await;
        let now = Instant::now();
        if let Some(kept) = current.as_ref().filter(|kept| now < kept.renew_at) {
            return Ok(kept.token.clone());
        }
        match self.source.fetch().await {
            Ok(token) => {
                *current = Some(Kept {
                    renew_at: now + token.lifetime.mul_f64(0.8),
                    dead_at: now + token.lifetime,
                    token: token.clone(),
                });
                Ok(token)
            }
            Err(error) => match current.as_ref().filter(|kept| now < kept.dead_at) {
                Some(kept) if error.is_transient() => Ok(kept.token.clone()),
                _ => Err(error),
            },
        }
    }

    /// Forgets the token that a request carried, unless a newer one is kept already.
    pub async fn forget(&self, sent: &HeaderMap) {
        let mut current = self.current.lock().await;
        let is_kept = current.as_ref().is_some_and(|kept| {
            authorization(kept.token.scheme, &kept.token.value)
                .is_ok_and(|value| sent.get(AUTHORIZATION) == Some(&value))
        });
        if is_kept {
            *current = None;
        }
    }
}

#[async_trait]
impl<F: FetchToken> Authorize for TokenCache<F> {
    async fn authorize(
        &self,
        _: &Method,
        _: &Url,
        headers: &mut HeaderMap,
    ) -> Result<(), ConnectorError> {
        let token = self.token().await?;
        headers.insert(AUTHORIZATION, authorization(token.scheme, &token.value)?);
        Ok(())
    }

    async fn refused(&self, refusal: &Refusal<'_>) -> bool {
        if refusal.status != StatusCode::UNAUTHORIZED {
            return false;
        }
        self.forget(refusal.sent).await;
        true
    }
}
