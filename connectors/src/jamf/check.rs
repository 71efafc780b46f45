//! Tries the credential, right by right.

use async_trait::async_trait;

use super::{JamfClient, endpoints, wire};
use crate::{
    CheckCredentials, ConnectorError, CredentialCheck, error::ErrorKind, http::Call, traits::Result,
};

/// Rights that only repairs need, and for what.
const REPAIR_PRIVILEGES: [(&str, &str); 3] = [
    (
        "Update Static Computer Groups",
        "move a computer into and out of a prepared group",
    ),
    (
        "Flush MDM Commands",
        "clear failed commands of one computer",
    ),
    (
        "Send MDM command information in Jamf Pro API",
        "turn push on again for one computer",
    ),
];

#[async_trait]
impl CheckCredentials for JamfClient {
    async fn check_credentials(&self) -> Vec<CredentialCheck> {
        let token = self.http.read(&Call::new(&endpoints::VERSION)).await;
        let can_sign_in = token.is_ok();
        let mut checks = vec![tried("sign in and read the version", token)];
        if !can_sign_in {
            return checks;
        }
        let reads: [(&str, Call); 4] = [
            (
                "list computers",
                Call::new(&endpoints::INVENTORY_V4).query("page-size", "1"),
            ),
            ("list profiles", Call::new(&endpoints::PROFILE_LIST)),
            (
                "list MDM commands",
                Call::new(&endpoints::MDM_COMMANDS)
                    .query("page-size", "1")
                    .query("filter", "command==INSTALL_PROFILE"),
            ),
            (
                "list clients without push",
                Call::new(&endpoints::PUSH_STATUS).query("page-size", "1"),
            ),
        ];
        for (what, call) in reads {
            let answer = match self.http.read(&call).await {
                Err(error) if error.is_not_found() && what == "list computers" => {
                    let old = Call::new(&endpoints::INVENTORY_V3).query("page-size", "1");
                    self.http.read(&old).await
                }
                answer => answer,
            };
            let mut check = tried(what, answer);
            check.optional = what == "list clients without push";
            checks.push(check);
        }
        checks.extend(self.repair_privileges().await);
        checks
    }
}

impl JamfClient {
    async fn repair_privileges(&self) -> Vec<CredentialCheck> {
        let held: Vec<String> = match self.authorization().await {
            Ok(answer) => {
                let by_site = answer.account.and_then(|a| a.privileges_by_site);
                by_site.into_iter().flatten().flat_map(|(_, p)| p).collect()
            }
            Err(error) => return vec![optional::<()>("read own privileges", Err(error))],
        };
        if held.is_empty() {
            // UNVERIFIED whether every server lists the privileges of an API client here.
            return Vec::new();
        }
        REPAIR_PRIVILEGES
            .iter()
            .map(|(privilege, what)| {
                let ok = held.iter().any(|name| name == privilege);
                CredentialCheck {
                    what: (*what).to_owned(),
                    ok,
                    saw: format!(
                        "`{privilege}` is {} the API role",
                        if ok { "in" } else { "not in" }
                    ),
                    hint: if ok {
                        String::new()
                    } else {
                        format!("add `{privilege}` to the API role, if such repairs are wanted")
                    },
                    optional: true,
                }
            })
            .collect()
    }

    async fn authorization(&self) -> Result<wire::Authorization> {
        let call = Call::new(&endpoints::AUTHORIZATION);
        self.http.read(&call).await?.json().await
    }
}

fn optional<T>(what: &str, answer: std::result::Result<T, ConnectorError>) -> CredentialCheck {
    CredentialCheck {
        optional: true,
        ..tried(what, answer)
    }
}

fn tried<T>(what: &str, answer: std::result::Result<T, ConnectorError>) -> CredentialCheck {
    let (ok, saw, hint) = match answer {
        Ok(_) => (true, "it works".to_owned(), String::new()),
        Err(error) => {
            let hint = match &error.kind {
                ErrorKind::Forbidden { hint, .. } => hint.clone(),
                ErrorKind::Unauthorized { .. } => {
                    "check client id and secret of the API client, and that it is enabled"
                        .to_owned()
                }
                ErrorKind::Transient { .. } => "check the URL and the network".to_owned(),
                ErrorKind::NotFound => "the server lacks this call; check the URL".to_owned(),
                _ => String::new(),
            };
            (false, error.to_string(), hint)
        }
    };
    CredentialCheck {
        what: what.to_owned(),
        ok,
        saw,
        hint,
        optional: false,
    }
}
