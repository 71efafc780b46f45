//! The app-only access token, and the permissions written in it.

use std::time::Duration;

use async_trait::async_trait;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
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
    tenant_id: String,
    client_id: String,
    client_secret: SecretString,
    scope: String,
}

#[derive(Deserialize)]
struct TokenAnswer {
    access_token: SecretString,
    expires_in: u64,
}

impl Tokens {
    pub(super) fn new(
        http: HttpClient,
        tenant_id: String,
        client_id: String,
        client_secret: SecretString,
        scope: String,
    ) -> Self {
        Self {
            http,
            tenant_id,
            client_id,
            client_secret,
            scope,
        }
    }
}

#[async_trait]
impl FetchToken for Tokens {
    async fn fetch(&self) -> Result<Token, ConnectorError> {
        let call = Call::new(&endpoints::TOKEN).param(&self.tenant_id).form(&[
            ("client_id", &self.client_id),
            ("client_secret", self.client_secret.expose_secret()),
            ("scope", &self.scope),
            ("grant_type", "client_credentials"),
        ]);
        // Entra answers 400 for an unknown tenant or client too.
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

/// The `roles` claim: application permissions that an administrator consented to. Only read, never trusted: Graph
/// judges the token. `None`: not a JWT that we can read.
pub(super) fn roles(token: &SecretString) -> Option<Vec<String>> {
    #[derive(Deserialize)]
    struct Claims {
        #[serde(default)]
        roles: Vec<String>,
    }
    let payload = token.expose_secret().split('.').nth(1)?;
    let claims = URL_SAFE_NO_PAD.decode(payload.trim_end_matches('=')).ok()?;
    let claims: Claims = serde_json::from_slice(&claims).ok()?;
    Some(claims.roles)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_are_read_from_the_token() {
        let payload = URL_SAFE_NO_PAD.encode(br#"{"aud":"x","roles":["Device.Read.All"]}"#);
        let token = SecretString::from(format!("h.{payload}.s"));
        assert_eq!(roles(&token), Some(vec!["Device.Read.All".to_owned()]));
        let none = URL_SAFE_NO_PAD.encode(br#"{"aud":"x"}"#);
        assert_eq!(
            roles(&SecretString::from(format!("h.{none}.s"))),
            Some(vec![])
        );
        assert_eq!(roles(&SecretString::from("opaque")), None);
    }
}
