//! The access token of an API client: form-encoded client credentials, at the new address or at the old one.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use async_trait::async_trait;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use super::endpoints;
use crate::{
    ConnectorError,
    error::ErrorKind,
    http::{Call, FetchToken, HttpClient, Token},
};

/// Fetches tokens.
pub(super) struct Tokens {
    http: HttpClient,
    client_id: String,
    client_secret: SecretString,
    /// The new address answered 404.
    old_address: AtomicBool,
}

#[derive(Deserialize)]
struct TokenAnswer {
    access_token: SecretString,
    expires_in: u64,
}

impl Tokens {
    pub(super) fn new(http: HttpClient, client_id: String, client_secret: SecretString) -> Self {
        Self {
            http,
            client_id,
            client_secret,
            old_address: AtomicBool::new(false),
        }
    }

    async fn ask(&self, old: bool) -> Result<Token, ConnectorError> {
        let endpoint = if old {
            &endpoints::TOKEN_OLD
        } else {
            &endpoints::TOKEN
        };
        let call = Call::new(endpoint).form(&[
            ("grant_type", "client_credentials"),
            ("client_id", &self.client_id),
            ("client_secret", self.client_secret.expose_secret()),
        ]);
        // A wrong secret is answered 400 (RFC 6749), which elsewhere means a malformed request.
        let answer = self.http.once(&call).await.map_err(|mut error| {
            if let ErrorKind::Rejected { reason } = &error.kind {
                error.kind = ErrorKind::Unauthorized {
                    detail: reason.clone(),
                };
            }
            error
        })?;
        let answer: TokenAnswer = answer.json().await?;
        Ok(Token {
            scheme: "Bearer",
            value: answer.access_token,
            lifetime: Duration::from_secs(answer.expires_in),
        })
    }
}

#[async_trait]
impl FetchToken for Tokens {
    async fn fetch(&self) -> Result<Token, ConnectorError> {
        if self.old_address.load(Ordering::Relaxed) {
            return self.ask(true).await;
        }
        match self.ask(false).await {
            Err(error) if error.is_not_found() => {
                let token = self.ask(true).await?;
                self.old_address.store(true, Ordering::Relaxed);
                Ok(token)
            }
            answer => answer,
        }
    }
}
