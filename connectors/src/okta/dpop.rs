//! Proof of possession (RFC 9449): a key of our own in memory, a fresh proof per request, the server's nonce kept.

use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, Utc};
use reqwest::Method;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use ring::digest::{SHA256, digest};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value, json};
use url::Url;
use uuid::Uuid;

use super::key::{KeyError, SigningKey, encode};

pub(super) const DPOP: HeaderName = HeaderName::from_static("dpop");
const DPOP_NONCE: HeaderName = HeaderName::from_static("dpop-nonce");

/// The key that tokens are bound to.
#[derive(Debug)]
pub(super) struct DpopKey {
    key: SigningKey,
    public: Value,
}

impl DpopKey {
    pub(super) fn generate() -> Result<Self, KeyError> {
        let key = SigningKey::generate()?;
        let public = key.public_jwk().ok_or(KeyError::Unsuitable)?;
        Ok(Self { key, public })
    }

    /// The `DPoP` header of one request. `token` is the access token that it carries.
    pub(super) fn proof(
        &self,
        method: &Method,
        url: &Url,
        now: DateTime<Utc>,
        token: Option<&SecretString>,
        nonce: Option<String>,
    ) -> Result<HeaderValue, KeyError> {
        let mut header = Map::new();
        header.insert("typ".to_owned(), "dpop+jwt".into());
        header.insert("jwk".to_owned(), self.public.clone());
        let mut target = url.clone();
        target.set_query(None);
        target.set_fragment(None);
        let mut claims = json!({
            "htm": method.as_str(),
            "htu": target.as_str(),
            "iat": now.timestamp(),
            "jti": Uuid::now_v7().to_string(),
        });
        if let Some(token) = token {
            let hash = digest(&SHA256, token.expose_secret().as_bytes());
            claims["ath"] = encode(hash.as_ref()).into();
        }
        if let Some(nonce) = nonce {
            claims["nonce"] = nonce.into();
        }
        let proof = self.key.sign(header, &claims)?;
        let mut value =
            HeaderValue::from_str(&proof).expect("a JWT is made of header-safe characters");
        value.set_sensitive(true);
        Ok(value)
    }
}

/// The nonce that one server last gave.
#[derive(Debug, Default)]
pub(super) struct Nonce(Mutex<Option<String>>);

impl Nonce {
    pub(super) fn current(&self) -> Option<String> {
        self.lock().clone()
    }

    /// Keeps the nonce of an answer; whether it is another than before.
    pub(super) fn learn(&self, headers: &HeaderMap) -> bool {
        let Some(nonce) = headers.get(DPOP_NONCE).and_then(|v| v.to_str().ok()) else {
            return false;
        };
        let mut current = self.lock();
        let is_new = current.as_deref() != Some(nonce);
        *current = Some(nonce.to_owned());
        is_new
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
