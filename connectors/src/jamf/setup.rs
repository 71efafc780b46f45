//! What people set up in Jamf Pro, for `doctor`.

use async_trait::async_trait;
use chrono::TimeDelta;
use serde::Deserialize;
use serde_json::Value;

use super::{JamfClient, endpoints};
use crate::{
    AppSecret, MdmSetup, PushCertificate, ReadSetup,
    error::ErrorKind,
    http::{Call, Lenient},
    traits::Result,
};

/// So many profiles that no setting names are looked into for trusted certificates and SSO extensions.
const LOOKS: usize = 100;

/// What Jamf Pro tells its admins.
#[derive(Debug, Deserialize)]
struct Notification {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    params: Value,
}

#[async_trait]
impl ReadSetup for JamfClient {
    async fn setup(&self) -> Result<MdmSetup> {
        let profiles = self.read_profiles(LOOKS).await?;
        Ok(MdmSetup {
            profiles: profiles.attestation(),
            sso_extensions: profiles.sso_extensions(),
            push_certificate: self.push_certificate().await?,
        })
    }

    async fn has_script(&self, _script: &str) -> Result<bool> {
        Err(self.error(
            "look for a clean-up script",
            ErrorKind::Unsupported {
                what: "on-demand scripts",
            },
        ))
    }

    /// An API client's secret does not end by itself.
    async fn app_secret(&self, _app: Option<&str>) -> Result<Option<AppSecret>> {
        Ok(None)
    }
}

impl JamfClient {
    /// No call shows the end of the push certificate, but the console's notifications warn of it. What stands in
    /// `params` is UNVERIFIED.
    async fn push_certificate(&self) -> Result<PushCertificate> {
        let call = Call::new(&endpoints::NOTIFICATIONS);
        let told: Lenient<Notification> = match self.http.read(&call).await {
            Ok(answer) => answer.json().await?,
            Err(error) => {
                return match error.kind {
                    ErrorKind::Forbidden { .. } | ErrorKind::NotFound => {
                        Ok(PushCertificate::NotShown)
                    }
                    _ => Err(error),
                };
            }
        };
        let now = self.time()?;
        let warning = told.records.iter().find_map(|one| match one.kind.as_str() {
            "PUSH_CERT_EXPIRED" => Some(now),
            "PUSH_CERT_WILL_EXPIRE" => {
                let days = one.params["days"].as_i64().unwrap_or_default();
                Some(now + TimeDelta::try_days(days).unwrap_or_default())
            }
            _ => None,
        });
        Ok(warning.map_or(PushCertificate::NoWarning, PushCertificate::EndsAt))
    }
}
