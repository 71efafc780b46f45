//! Tries every right that the product uses, and says which scope or role is missing and where to give it.

use async_trait::async_trait;
use chrono::{SecondsFormat, TimeDelta};
use unstuck_domain::OktaDevice;

use super::auth::{READ_SCOPES, WRITE_SCOPE, is_scope_error};
use super::endpoints::{LIST_AUTHENTICATORS, LIST_DEVICES, LIST_POLICIES, LOG, USER_FACTORS};
use super::{OktaClient, wire};
use crate::error::ErrorKind;
use crate::http::{Call, Lenient};
use crate::{CheckCredentials, ConnectorError, CredentialCheck, OktaReader, Result};

#[async_trait]
impl CheckCredentials for OktaClient {
    async fn check_credentials(&self) -> Vec<CredentialCheck> {
        let organization = self.check_organization().await;
        let reachable = organization.ok;
        let mut checks = vec![organization];
        if !reachable {
            return checks;
        }
        checks.extend(self.check_scopes().await);
        let (devices, user) = self.check_devices().await;
        checks.push(devices);
        if let Some(user) = user {
            let call = Call::new(&USER_FACTORS).param(user);
            checks.push(check(
                "read users and their factors",
                self.http.read(&call).await,
            ));
        }
        checks.push(self.check_log().await);
        let call = Call::new(&LIST_POLICIES)
            .query("type", "ACCESS_POLICY")
            .query("limit", "1");
        checks.push(check(
            "read app sign-in policies",
            self.http.read(&call).await,
        ));
        let call = Call::new(&LIST_AUTHENTICATORS);
        checks.push(check("read authenticators", self.http.read(&call).await));
        checks
    }
}

impl OktaClient {
    async fn check_organization(&self) -> CredentialCheck {
        let what = "reach the org and find Identity Engine";
        match self.organization().await {
            Ok(organization) if organization.identity_engine => {
                passed(what, format!("org {}", organization.id))
            }
            Ok(organization) => CredentialCheck {
                ok: false,
                saw: format!("org {} runs Classic Engine", organization.id),
                hint: "upgrade the org to Identity Engine; Classic has no Devices API".to_owned(),
                ..passed(what, String::new())
            },
            Err(error) => failed(what, &error),
        }
    }

    /// One token request per scope, so that each missing one is named.
    async fn check_scopes(&self) -> Vec<CredentialCheck> {
        let Some(tokens) = &self.tokens else {
            return Vec::new();
        };
        let mut checks = Vec::new();
        for scope in READ_SCOPES.into_iter().chain([WRITE_SCOPE]) {
            let what = format!("get a token with the scope {scope}");
            let mut check = match tokens.source().request(&[scope]).await {
                Ok(token) => passed(&what, format!("a {} token", token.scheme)),
                Err(error) if is_scope_error(&error) => CredentialCheck {
                    hint: format!(
                        "a super administrator grants {scope} on the tab Okta API Scopes of the service app"
                    ),
                    ..failed(&what, &error)
                },
                Err(error) => {
                    // Not about this scope, so the others would fail alike.
                    checks.push(failed(&what, &error));
                    return checks;
                }
            };
            check.optional = scope == WRITE_SCOPE;
            checks.push(check);
        }
        checks
    }

    /// Lists one device; a linked user serves the next check.
    async fn check_devices(&self) -> (CredentialCheck, Option<String>) {
        let what = "list devices";
        let call = Call::new(&LIST_DEVICES)
            .query("limit", "20")
            .query("expand", "userSummary");
        let page: Result<Lenient<wire::Device>> = match self.http.read(&call).await {
            Ok(answer) => answer.json().await,
            Err(error) => Err(error),
        };
        match page {
            Ok(page) => {
                let devices: Vec<OktaDevice> = page.records.into_iter().map(Into::into).collect();
                let user = devices
                    .iter()
                    .flat_map(|device| device.users.iter().flatten())
                    .map(|link| link.user_id.as_str().to_owned())
                    .next();
                let mut check = passed(what, format!("{} on the first page", devices.len()));
                if devices.is_empty() {
                    check.ok = false;
                    check.hint = "the org has no device, or the role's resource set holds none: \
                                  give the role Read-only administrator"
                        .to_owned();
                }
                (check, user)
            }
            Err(error) => (failed(what, &error), None),
        }
    }

    async fn check_log(&self) -> CredentialCheck {
        let what = "read the System Log";
        let now = match self.vendor_now().await {
            Ok(now) => now,
            Err(error) => return failed(what, &error),
        };
        let since = now - TimeDelta::hours(1);
        let call = Call::new(&LOG)
            .query("since", since.to_rfc3339_opts(SecondsFormat::Millis, true))
            .query("limit", "1");
        check(what, self.http.read(&call).await)
    }
}

fn check<T>(what: &str, result: Result<T>) -> CredentialCheck {
    match result {
        Ok(_) => passed(what, "an answer".to_owned()),
        Err(error) => failed(what, &error),
    }
}

fn passed(what: &str, saw: String) -> CredentialCheck {
    CredentialCheck {
        what: what.to_owned(),
        ok: true,
        saw,
        hint: String::new(),
        optional: false,
    }
}

fn failed(what: &str, error: &ConnectorError) -> CredentialCheck {
    let hint = match &error.kind {
        ErrorKind::Forbidden { hint, .. } => format!("{hint}; scope and role are both needed"),
        ErrorKind::Unauthorized { .. } => {
            "make a new API token, or check client_id, private_key and key_id against the service app"
                .to_owned()
        }
        ErrorKind::Rejected { reason } if reason.contains("invalid_dpop_proof") => {
            "set dpop = true: the app demands proof of possession".to_owned()
        }
        ErrorKind::Rejected { .. } | ErrorKind::NotFound => {
            "check that org_url is the org's own address, without -admin".to_owned()
        }
        ErrorKind::RateLimited { .. } => "try again in a minute".to_owned(),
        ErrorKind::NotSent { reason } => reason.clone(),
        _ => "check the network, the proxy and org_url".to_owned(),
    };
    CredentialCheck {
        what: what.to_owned(),
        ok: false,
        saw: error.kind.to_string(),
        hint,
        optional: false,
    }
}
