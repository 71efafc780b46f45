//! Phones beside the machines: they have records in Okta and nothing in the MDMs.

use chrono::Duration;
use rand::RngExt;

use super::assemble::Builder;
use crate::world::{DeviceStatus, OktaDevice, Platform};

impl Builder {
    /// Phones of people whose machine is healthy, and tablets that nobody signed in on.
    pub(super) fn phones(&mut self, count: usize) {
        for index in 0..count {
            let Some(person) = self.any_healthy_owner() else {
                return;
            };
            let id = self.state.ids.okta("guo");
            let created = self.state.now - Duration::days(self.rng().random_range(20..600));
            let ios = self.rng().random_bool(0.6);
            let last = self.state.now - Duration::hours(self.rng().random_range(1..400));
            let imei = format!(
                "35{:013}",
                self.rng().random_range(0u64..10_000_000_000_000)
            );
            let mut record = OktaDevice {
                id: id.clone(),
                status: DeviceStatus::Active,
                created,
                last_updated: last.max(created),
                display_name: if ios { "iPhone" } else { "Pixel" }.to_owned(),
                platform: if ios {
                    Platform::Ios
                } else {
                    Platform::Android
                },
                manufacturer: if ios { "APPLE" } else { "Google" }.to_owned(),
                model: if ios { "iPhone15,2" } else { "Pixel 8" }.to_owned(),
                os_version: Some(if ios { "18.6" } else { "15" }.to_owned()),
                serial: None,
                udid: None,
                sid: None,
                imei: (!ios).then_some(imei),
                tpm_public_key_hash: None,
                registered: true,
                secure_hardware: true,
                disk_encryption: "FULL",
                ov_version: Some("9.50.1".to_owned()),
                machine: None,
                links: Vec::new(),
                stale_row: None,
            };
            if index % 9 == 8 {
                record.status = DeviceStatus::Created;
                record.registered = false;
            } else {
                record
                    .links
                    .push(self.link(person.clone(), created, true, Some(last)));
                self.state
                    .devices_of
                    .entry(person)
                    .or_default()
                    .push(id.clone());
            }
            self.state.devices.insert(id, record);
        }
    }
}
