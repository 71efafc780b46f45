//! Entra groups of devices. Intune's ids mean nothing there: a device is found by its Entra device id, and groups take
//! the id of its directory object, which is a third one.

use unstuck_domain::GroupId;

use super::{IntuneClient, endpoints, wire};
use crate::{
    MdmDeviceRef, WritePermit, error::ErrorKind, http::Call, intune::failure, traits::Result,
};

/// The call that takes an object out of a group. Without the trailing `/$ref` the same DELETE would delete the object
/// itself; this is the only place where the address is made.
fn remove_member(group: &GroupId, object: &str) -> Call {
    Call::new(&endpoints::REMOVE_MEMBER)
        .param(group.as_str())
        .param(object)
}

impl IntuneClient {
    /// The group's own properties.
    pub(super) async fn group(&self, group: &GroupId) -> Result<wire::Group> {
        let call = Call::new(&endpoints::GROUP).param(group.as_str()).query(
            "$select",
            "id,groupTypes,isAssignableToRole,onPremisesSyncEnabled,membershipRule",
        );
        self.http.read(&call).await?.json().await
    }

    /// Direct members.
    pub(super) async fn members(&self, group: &GroupId) -> Result<Vec<wire::DirectoryObject>> {
        let call = Call::new(&endpoints::MEMBERS)
            .param(group.as_str())
            .query("$select", "id,deviceId")
            .query("$top", "999");
        self.collection(&endpoints::MEMBERS, call).await
    }

    /// Puts one device in, or takes it out.
    pub(super) async fn set_membership(
        &self,
        permit: &WritePermit,
        device: &MdmDeviceRef,
        group: &GroupId,
        present: bool,
    ) -> Result<()> {
        let object = self.directory_object(device).await?;
        if present {
            self.add(permit, group, &object).await
        } else {
            self.remove(permit, group, &object).await
        }
    }

    async fn add(&self, permit: &WritePermit, group: &GroupId, object: &str) -> Result<()> {
        let base = self.http.base_url().as_str().trim_end_matches('/');
        let call = Call::new(&endpoints::ADD_MEMBER)
            .param(group.as_str())
            .json(&wire::Reference {
                id: format!("{base}/v1.0/directoryObjects/{object}"),
            });
        match self.http.write(permit, &call).await {
            Ok(_) => Ok(()),
            Err(error) => match &error.kind {
                ErrorKind::Rejected { reason } if reason.contains("already exist") => Ok(()),
                _ => Err(failure::settle(error)),
            },
        }
    }

    /// A 404 is the same for an absent member and for a wrong group, so it is success only once the group was read and
    /// its members lack the device.
    async fn remove(&self, permit: &WritePermit, group: &GroupId, object: &str) -> Result<()> {
        match self.http.write(permit, &remove_member(group, object)).await {
            Ok(_) => Ok(()),
            Err(error) if error.is_not_found() => {
                self.group(group).await?;
                let members = self.members(group).await?;
                if members.iter().any(|member| member.id == object) {
                    return Err(error);
                }
                Ok(())
            }
            Err(error) => Err(failure::settle(error)),
        }
    }

    /// The directory object of a device, by its Entra device id and never by name.
    async fn directory_object(&self, device: &MdmDeviceRef) -> Result<String> {
        let attempt = format!("find device {} in Entra", device.id);
        let id = device.management_id.as_deref().unwrap_or_default();
        let is_guid = id.len() == 36 && id.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-');
        if !is_guid {
            return Err(self.rejected(&attempt, "the device is not registered in Entra"));
        }
        let call = Call::new(&endpoints::ENTRA_DEVICES)
            .query("$filter", format!("deviceId eq '{id}'"))
            .query("$select", "id,deviceId");
        let found: Vec<wire::DirectoryObject> =
            self.collection(&endpoints::ENTRA_DEVICES, call).await?;
        match found.as_slice() {
            [one]
                if one
                    .device_id
                    .as_deref()
                    .is_none_or(|found| found.eq_ignore_ascii_case(id)) =>
            {
                Ok(one.id.clone())
            }
            [] => Err(self.rejected(&attempt, "Entra knows no device of that id")),
            _ => Err(self.rejected(&attempt, "Entra's answer does not name one device")),
        }
    }
}

/// Why a group may not be a repair target.
pub(super) fn refusal(group: &wire::Group) -> Option<&'static str> {
    if group
        .group_types
        .iter()
        .any(|kind| kind == "DynamicMembership")
    {
        Some("its members are computed by a rule")
    } else if group.is_assignable_to_role == Some(true) {
        Some("roles can be assigned to it")
    } else if group.on_premises_sync_enabled == Some(true) {
        Some("it is synchronised from Active Directory")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn groups_that_are_computed_privileged_or_synchronised_are_refused() {
        for (group, refused) in [
            (json!({"groupTypes": ["DynamicMembership"]}), true),
            (json!({"groupTypes": [], "isAssignableToRole": true}), true),
            (
                json!({"groupTypes": [], "onPremisesSyncEnabled": true}),
                true,
            ),
            (
                json!({"groupTypes": ["Unified"], "isAssignableToRole": false, "onPremisesSyncEnabled": null}),
                false,
            ),
            (json!({"groupTypes": null}), false),
        ] {
            let read: wire::Group = serde_json::from_value(group.clone()).unwrap();
            assert_eq!(refusal(&read).is_some(), refused, "{group}");
        }
    }
}
