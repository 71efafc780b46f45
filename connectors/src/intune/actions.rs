//! What is done through Graph, to one device at a time.

use async_trait::async_trait;
use unstuck_domain::GroupId;

use super::{IntuneClient, endpoints, failure, wire};
use crate::{MdmActions, MdmDeviceRef, WritePermit, error::ErrorKind, http::Call, traits::Result};

#[async_trait]
impl MdmActions for IntuneClient {
    /// Accepted, not done: the device's next `lastSyncDateTime` shows whether it came.
    async fn sync(&self, permit: &WritePermit, device: &MdmDeviceRef) -> Result<()> {
        let call = Call::new(&endpoints::SYNC).param(device.id.as_str());
        self.send(permit, &call).await
    }

    /// Intune has no call for an inventory; a sync brings the states.
    async fn refresh_inventory(&self, permit: &WritePermit, device: &MdmDeviceRef) -> Result<()> {
        self.sync(permit, device).await
    }

    async fn flush_failed_commands(&self, _: &WritePermit, _: &MdmDeviceRef) -> Result<()> {
        Err(self.unsupported("clear failed commands", "a command queue"))
    }

    async fn enable_push(&self, _: &WritePermit, _: &MdmDeviceRef) -> Result<()> {
        Err(self.unsupported("enable push", "a push switch per device"))
    }

    async fn set_group(
        &self,
        permit: &WritePermit,
        device: &MdmDeviceRef,
        group: &GroupId,
        present: bool,
    ) -> Result<()> {
        self.set_membership(permit, device, group, present).await
    }

    /// Setting back to no category is not documented (binding an all-zero id is UNVERIFIED), so it is not tried.
    async fn set_category(
        &self,
        permit: &WritePermit,
        device: &MdmDeviceRef,
        category: Option<&str>,
    ) -> Result<()> {
        let attempt = format!("set the category of device {}", device.id);
        let Some(name) = category else {
            return Err(self.unsupported(&attempt, "clearing a device category"));
        };
        let all = self.categories().await?.into_iter();
        let mut named = all.filter(|category| category.display_name.as_deref() == Some(name));
        let (Some(category), None) = (named.next(), named.next()) else {
            return Err(self.rejected(&attempt, format!("there is no one category `{name}`")));
        };
        let base = self.http.base_url().as_str().trim_end_matches('/');
        let call = Call::new(&endpoints::SET_CATEGORY)
            .param(device.id.as_str())
            .json(&wire::Reference {
                id: format!(
                    "{base}/v1.0/deviceManagement/deviceCategories/{}",
                    category.id
                ),
            });
        self.send(permit, &call).await
    }

    async fn run_script(
        &self,
        permit: &WritePermit,
        device: &MdmDeviceRef,
        script: &str,
    ) -> Result<()> {
        let call = Call::new(&endpoints::RUN_SCRIPT)
            .param(device.id.as_str())
            .json(&wire::RunScript {
                script_policy_id: script,
            });
        self.send(permit, &call).await
    }
}

impl IntuneClient {
    async fn send(&self, permit: &WritePermit, call: &Call) -> Result<()> {
        let answer = self.http.write(permit, call).await;
        answer.map(|_| ()).map_err(failure::settle)
    }

    fn unsupported(&self, attempt: &str, what: &'static str) -> crate::ConnectorError {
        self.error(attempt, ErrorKind::Unsupported { what })
    }
}
