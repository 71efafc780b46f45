//! What a blueprint leaves in Okta: the record in use, older and deleted ones, their links.

use chrono::{DateTime, Duration, Utc};
use rand::RngExt;

use super::assemble::{Builder, Missing};
use super::blueprint::{Blueprint, SerialShown};
use crate::world::{DeviceStatus, Enrolment, Id, Link, MachineKey, OktaDevice, Platform, StaleRow};

impl Builder {
    /// The machine's Okta records. Answers the one in use.
    pub(super) fn put_okta_records(
        &mut self,
        blueprint: &Blueprint,
        key: MachineKey,
        missing: Missing,
        certificates: &[Id],
    ) -> Option<Id> {
        if let Some(deleted) = blueprint.deleted_record {
            let id = self.state.ids.okta("guo");
            let mut record =
                self.okta_record(id.clone(), key, deleted - Duration::days(90), missing);
            record.status = DeviceStatus::Deactivated;
            record.last_updated = deleted;
            self.state.deleted_devices.insert(id, record);
        }
        if let Some(last_used) = blueprint.older_record {
            let id = self.state.ids.okta("guo");
            let created = last_used - Duration::days(120);
            let mut record = self.okta_record(id.clone(), key, created, missing);
            record.last_updated = last_used;
            let owner = blueprint.accounts[0].person.clone();
            record
                .links
                .push(self.link(owner.clone(), created, true, Some(last_used)));
            self.state.devices.insert(id.clone(), record);
            self.state.devices_of.entry(owner).or_default().push(id);
        }
        let plan = blueprint.record?;
        let id = self.state.ids.okta("guo");
        let mut record = self.okta_record(id.clone(), key, plan.created, missing);
        record.status = plan.status;
        record.registered = !plan.imported;
        match blueprint.serial_in_okta {
            SerialShown::Same => {}
            SerialShown::Odd => record.serial = record.serial.map(|serial| spaced(&serial)),
            SerialShown::Missing => (record.serial, record.udid) = (None, None),
        }
        let used = blueprint
            .accounts
            .iter()
            .flat_map(|account| account.fastpass.iter().chain(&account.by_device_session));
        record.last_updated = used
            .copied()
            .chain(plan.changed)
            .fold(plan.created, DateTime::max);
        if plan.status != DeviceStatus::Deactivated && !plan.imported {
            for account in &blueprint.accounts {
                let last = account.fastpass.last().copied();
                let mut link = self.link(
                    account.person.clone(),
                    account.linked,
                    account.enrolled,
                    last,
                );
                link.managed = account.managed;
                record.links.push(link);
                self.state
                    .devices_of
                    .entry(account.person.clone())
                    .or_default()
                    .push(id.clone());
            }
        }
        if blueprint.stale_row {
            record.stale_row = Some(StaleRow {
                until: None,
                last_updated: record.last_updated - Duration::days(1),
                managed: vec![(blueprint.accounts[0].person.clone(), false)],
            });
        }
        self.state.devices.insert(id.clone(), record);
        self.bind_certificates(blueprint, key, &id, certificates);
        Some(id)
    }

    fn bind_certificates(
        &mut self,
        blueprint: &Blueprint,
        key: MachineKey,
        id: &Id,
        certificates: &[Id],
    ) {
        let deleted = self
            .state
            .deleted_devices
            .values()
            .find(|record| record.machine == Some(key) && blueprint.deleted_record.is_some())
            .map(|record| record.id.clone());
        for (plan, serial) in blueprint.certificates.iter().zip(certificates) {
            let Some(bound) = plan.bound else { continue };
            let device = match (&deleted, blueprint.deleted_record) {
                (Some(old), Some(at)) if bound < at => old.clone(),
                _ => id.clone(),
            };
            if let Some(certificate) = self.state.certificates.get_mut(serial) {
                certificate.bound = Some(device);
            }
        }
    }

    pub(super) fn link(
        &mut self,
        user: Id,
        created: DateTime<Utc>,
        enrolled: bool,
        last_verified: Option<DateTime<Utc>>,
    ) -> Link {
        let enrolment = enrolled.then(|| Enrolment {
            id: self.state.ids.okta("pfd"),
            active: true,
            created,
            last_verified,
        });
        Link {
            id: self.state.ids.okta("lnk"),
            user,
            managed: false,
            created,
            screen_lock: "BIOMETRIC",
            enrolment,
        }
    }

    fn okta_record(
        &mut self,
        id: Id,
        key: MachineKey,
        created: DateTime<Utc>,
        missing: Missing,
    ) -> OktaDevice {
        let sid = format!(
            "S-1-5-21-{}-{}-{}-1001",
            self.rng().random_range(100_000_000u32..u32::MAX),
            self.rng().random_range(100_000_000u32..u32::MAX),
            self.rng().random_range(100_000_000u32..u32::MAX)
        );
        let tpm = self.state.ids.hex(64).to_lowercase();
        let machine = self.state.machine(key);
        let windows = machine.platform == Platform::Windows;
        OktaDevice {
            id,
            status: DeviceStatus::Active,
            created,
            last_updated: created,
            display_name: machine.name.clone(),
            platform: machine.platform,
            manufacturer: machine.manufacturer.to_owned(),
            model: machine.model.to_owned(),
            os_version: (!missing.okta_os_version).then(|| machine.os_version.clone()),
            // Okta Verify leaves the prefix out that an MDM shows.
            serial: (!missing.okta_serial)
                .then(|| machine.serial.trim_start_matches("VMware-").to_owned()),
            udid: (!missing.okta_udid).then(|| machine.udid.clone()),
            sid: windows.then_some(sid),
            imei: None,
            tpm_public_key_hash: windows.then_some(tpm),
            registered: true,
            secure_hardware: true,
            disk_encryption: "ALL_INTERNAL_VOLUMES",
            ov_version: machine.okta_verify.clone(),
            machine: Some(key),
            links: Vec::new(),
            stale_row: None,
        }
    }
}

/// `PF3ABCDE` as `pf3a bcde`.
fn spaced(serial: &str) -> String {
    let mut text = String::new();
    for (index, letter) in serial.to_lowercase().chars().enumerate() {
        if index > 0 && index % 4 == 0 {
            text.push(' ');
        }
        text.push(letter);
    }
    text
}
