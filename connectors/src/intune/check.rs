//! Tries the credential: one read, and the permissions that the token itself lists.

use async_trait::async_trait;

use super::{IntuneClient, endpoints, token};
use crate::{CheckCredentials, CredentialCheck, error::ErrorKind, http::Call};

/// What for, the permissions of which one is enough, and whether the product can do without it. Wider ones include the
/// narrower.
const RIGHTS: [(&str, &[&str], bool); 8] = [
    (
        "list managed devices",
        &[
            "DeviceManagementManagedDevices.Read.All",
            "DeviceManagementManagedDevices.ReadWrite.All",
        ],
        false,
    ),
    (
        "read SCEP profiles and filters",
        &[
            "DeviceManagementConfiguration.Read.All",
            "DeviceManagementConfiguration.ReadWrite.All",
        ],
        false,
    ),
    (
        "export reports of deliveries and certificates",
        &[
            "DeviceManagementConfiguration.ReadWrite.All",
            "DeviceManagementManagedDevices.ReadWrite.All",
        ],
        true,
    ),
    (
        "sync a device and run a clean-up script",
        &["DeviceManagementManagedDevices.PrivilegedOperations.All"],
        true,
    ),
    (
        "read results of the clean-up script",
        &[
            "DeviceManagementScripts.Read.All",
            "DeviceManagementScripts.ReadWrite.All",
        ],
        true,
    ),
    (
        "set the device category",
        &["DeviceManagementManagedDevices.ReadWrite.All"],
        true,
    ),
    (
        "find devices in Entra",
        &[
            "Device.Read.All",
            "Device.ReadWrite.All",
            "Directory.Read.All",
        ],
        true,
    ),
    (
        "change members of prepared groups",
        &["GroupMember.ReadWrite.All", "Group.ReadWrite.All"],
        true,
    ),
];

#[async_trait]
impl CheckCredentials for IntuneClient {
    async fn check_credentials(&self) -> Vec<CredentialCheck> {
        let token = match self.tokens.token().await {
            Ok(token) => token,
            Err(error) => {
                return vec![CredentialCheck {
                    what: "sign in".to_owned(),
                    ok: false,
                    saw: error.to_string(),
                    hint: "check tenant, client id and client secret of the app registration, and that the secret \
                           has not expired"
                        .to_owned(),
                    optional: false,
                }];
            }
        };
        let mut checks = vec![CredentialCheck {
            what: "sign in".to_owned(),
            ok: true,
            saw: "Entra gave a token".to_owned(),
            hint: String::new(),
            optional: false,
        }];
        checks.push(self.try_listing().await);
        if let Some(roles) = token::roles(&token.value) {
            checks.extend(RIGHTS.iter().map(|right| permission(right, &roles)));
        }
        checks
    }
}

impl IntuneClient {
    async fn try_listing(&self) -> CredentialCheck {
        let call = Call::new(&endpoints::MANAGED_DEVICES)
            .query("$top", "1")
            .query("$select", "id");
        let (ok, saw, hint) = match self.http.read(&call).await {
            Ok(_) => (true, "it works".to_owned(), String::new()),
            Err(error) => {
                let hint = match &error.kind {
                    ErrorKind::Forbidden { hint, .. } => {
                        format!(
                            "{hint}, with admin consent; a 403 can also mean that the tenant has no Intune licence"
                        )
                    }
                    _ => String::new(),
                };
                (false, error.to_string(), hint)
            }
        };
        CredentialCheck {
            what: "read a managed device".to_owned(),
            ok,
            saw,
            hint,
            optional: false,
        }
    }
}

fn permission(
    (what, any_of, optional): &(&str, &[&str], bool),
    roles: &[String],
) -> CredentialCheck {
    let held = any_of
        .iter()
        .find(|name| roles.iter().any(|role| role == *name));
    CredentialCheck {
        what: (*what).to_owned(),
        ok: held.is_some(),
        saw: match held {
            Some(name) => format!("the token lists {name}"),
            None => format!("the token lists none of {}", any_of.join(", ")),
        },
        hint: match held {
            Some(_) => String::new(),
            None => format!(
                "add the application permission {} and consent to it",
                any_of[0]
            ),
        },
        optional: *optional,
    }
}
