//! What people set up in Intune and Entra, for `doctor`.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde::Deserialize;

use super::{IntuneClient, endpoints};
use crate::{AppSecret, MdmSetup, PushCertificate, ReadSetup, decode, http::Call, traits::Result};

/// An app registration.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Application {
    #[serde(default, deserialize_with = "decode::optional_text")]
    display_name: Option<String>,
    #[serde(default, deserialize_with = "decode::list")]
    password_credentials: Vec<Password>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Password {
    #[serde(default, deserialize_with = "decode::optional_time")]
    end_date_time: Option<DateTime<Utc>>,
}

#[async_trait]
impl ReadSetup for IntuneClient {
    async fn setup(&self) -> Result<MdmSetup> {
        Ok(MdmSetup {
            profiles: self.read_profiles().await?,
            sso_extensions: self.sso_extensions().await?,
            push_certificate: self
                .push_certificate_expires_at()
                .await?
                .map_or(PushCertificate::NotShown, PushCertificate::EndsAt),
        })
    }

    async fn has_script(&self, script: &str) -> Result<bool> {
        let call = Call::new(&endpoints::SCRIPT)
            .param(script)
            .query("$select", "id");
        match self.http.read(&call).await {
            Ok(_) => Ok(true),
            Err(error) if error.is_not_found() => Ok(false),
            Err(error) => Err(error),
        }
    }

    async fn app_secret(&self, app: Option<&str>) -> Result<Option<AppSecret>> {
        let app = app.unwrap_or(&self.client_id).replace('\'', "''");
        let call = Call::new(&endpoints::APPLICATIONS)
            .query("$filter", format!("appId eq '{app}'"))
            .query("$select", "id,appId,displayName,passwordCredentials");
        let found: Vec<Application> = self.collection(&endpoints::APPLICATIONS, call).await?;
        Ok(found.into_iter().next().map(|found| AppSecret {
            app_name: found.display_name.unwrap_or(app),
            ends_at: found
                .password_credentials
                .iter()
                .filter_map(|secret| secret.end_date_time)
                .max(),
        }))
    }
}
