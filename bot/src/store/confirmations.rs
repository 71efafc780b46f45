//! Devices that were read by id, until the list says that they changed or a day has passed.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use serde::Serialize;
use unstuck_domain::{DeviceConfirmation, DeviceId};

use super::bulk::{BATCH, rows, stamp};
use super::rows::{json, parse};
use super::{LeaseProof, Store, StoreError};

/// Confirmations per device.
pub type Confirmations = HashMap<DeviceId, DeviceConfirmation>;

#[derive(Serialize)]
struct NewConfirmationRow<'a> {
    device_id: &'a str,
    read_at: String,
    last_updated_at: Option<String>,
    confirmation: String,
}

impl Store {
    /// Stores confirmations; a newer one replaces an older one.
    pub async fn save_confirmations(
        &self,
        proof: &LeaseProof,
        confirmations: &[(DeviceId, DeviceConfirmation)],
    ) -> Result<(), StoreError> {
        for batch in confirmations.chunks(BATCH) {
            // One row per device: a statement may not change a row twice.
            let mut newest: HashMap<&DeviceId, &DeviceConfirmation> = HashMap::new();
            for (device, confirmation) in batch {
                let kept = newest.entry(device).or_insert(confirmation);
                if kept.read_at < confirmation.read_at {
                    *kept = confirmation;
                }
            }
            let new = newest
                .into_iter()
                .map(|(device, confirmation)| NewConfirmationRow {
                    device_id: device.as_str(),
                    read_at: stamp(confirmation.read_at),
                    last_updated_at: confirmation.last_updated.map(stamp),
                    confirmation: json(confirmation),
                });
            let Some(rows) = rows(new) else { continue };
            let mut tx = self.begin().await?;
            tx.prove(proof).await?;
            bulk!(
                tx,
                rows,
                "device_confirmations",
                [device_id TEXT, read_at TIMESTAMPTZ, last_updated_at TIMESTAMPTZ, confirmation TEXT],
                "ON CONFLICT (device_id) DO UPDATE SET read_at = excluded.read_at, \
                 last_updated_at = excluded.last_updated_at, confirmation = excluded.confirmation \
                 WHERE device_confirmations.read_at <= excluded.read_at"
            )?;
            tx.commit().await?;
        }
        Ok(())
    }

    /// Confirmations that were read at or after `since`.
    pub async fn confirmations_since(
        &self,
        since: DateTime<Utc>,
    ) -> Result<Confirmations, StoreError> {
        let rows: Vec<(String, String)> = fetch_all!(
            self,
            "SELECT device_id, confirmation FROM device_confirmations WHERE read_at >= $1",
            since,
        )?;
        rows.into_iter()
            .map(|(device, text)| {
                Ok((
                    DeviceId::from(device),
                    parse(&text, "device_confirmations.confirmation")?,
                ))
            })
            .collect()
    }

    /// The confirmation of one device, however old.
    pub async fn confirmation(
        &self,
        device: &DeviceId,
    ) -> Result<Option<DeviceConfirmation>, StoreError> {
        let row: Option<(String,)> = fetch_optional!(
            self,
            "SELECT confirmation FROM device_confirmations WHERE device_id = $1",
            device.as_str(),
        )?;
        row.map(|(text,)| parse(&text, "device_confirmations.confirmation"))
            .transpose()
    }
}
