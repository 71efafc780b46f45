//! Matches that a person made by hand: this Okta record is that MDM record.

use chrono::{DateTime, Utc};
use unstuck_domain::{DeviceId, MdmDeviceId, MdmName};

use super::{Store, StoreError, Together};

/// A match made by a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManualLink {
    /// Okta record.
    pub device: DeviceId,
    /// MDM.
    pub mdm: MdmName,
    /// Its record.
    pub mdm_device: MdmDeviceId,
    /// Why.
    pub reason: String,
    /// By whom.
    pub by: String,
    /// When.
    pub at: DateTime<Utc>,
}

impl Store {
    /// Stores a match; it replaces an older one of the same Okta record.
    pub async fn save_link(
        &self,
        link: &ManualLink,
        together: Together<'_>,
    ) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        execute!(
            tx,
            "INSERT INTO manual_links (device_id, mdm, mdm_device_id, reason, linked_by, linked_at) \
             VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (device_id) DO UPDATE SET mdm = excluded.mdm, \
             mdm_device_id = excluded.mdm_device_id, reason = excluded.reason, linked_by = excluded.linked_by, \
             linked_at = excluded.linked_at",
            link.device.as_str(),
            link.mdm.as_str(),
            link.mdm_device.as_str(),
            &link.reason,
            &link.by,
            link.at,
        )?;
        tx.write_together(together).await?;
        tx.commit().await
    }

    /// Removes a match. `false`: there is none.
    pub async fn remove_link(
        &self,
        device: &DeviceId,
        together: Together<'_>,
    ) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        let removed = execute!(
            tx,
            "DELETE FROM manual_links WHERE device_id = $1",
            device.as_str()
        )?;
        if removed == 0 {
            return Ok(false);
        }
        tx.write_together(together).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Every match made by a person.
    pub async fn links(&self) -> Result<Vec<ManualLink>, StoreError> {
        let rows: Vec<(String, String, String, String, String, DateTime<Utc>)> = fetch_all!(
            self,
            "SELECT device_id, mdm, mdm_device_id, reason, linked_by, linked_at FROM manual_links ORDER BY device_id"
        )?;
        Ok(rows
            .into_iter()
            .map(|(device, mdm, mdm_device, reason, by, at)| ManualLink {
                device: DeviceId::from(device),
                mdm: MdmName::from(mdm),
                mdm_device: MdmDeviceId::from(mdm_device),
                reason,
                by,
                at,
            })
            .collect())
    }
}
