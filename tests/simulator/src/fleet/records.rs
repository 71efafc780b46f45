//! Writes a blueprint into hardware, MDM records and Okta records.

use chrono::{DateTime, Duration, Utc};
use rand::RngExt;

use super::ScriptedDevice;
use super::assemble::{Builder, Missing};
use super::blueprint::{Blueprint, CertificatePlan, Delivery, Placement, SerialShown};
use super::names;
use crate::world::{
    Command, CommandKind, CommandState, DeliveryState, DeviceStatus, Effect, Enrolment,
    HeldCertificate, Id, InstalledProfile, IntuneDevice, Inventory, Issuer, JamfComputer, Link,
    Machine, MachineKey, Mdm, OktaDevice, OsAccount, Platform, ProfileKey, ScepError, ScepHealth,
    SeenCertificate, SeenProfile, StaleRow, Store,
};

const PLACEHOLDER: &str = "To Be Filled By O.E.M.";

/// An error that goes away with the next exchange, in the words of Apple's URL loading.
const TRANSIENT: ScepError = ScepError {
    domain: "NSURLErrorDomain",
    code: -1001,
    text: "The request timed out.",
};

impl Builder {
    pub(super) fn put_machine(&mut self, blueprint: &Blueprint) -> MachineKey {
        let key = MachineKey(self.state.machines.len());
        let owner = self.state.people[&blueprint.accounts[0].person].clone();
        let mac = blueprint.mdm == Mdm::Jamf;
        let serial = match (mac, blueprint.placeholder_serial) {
            (_, true) => PLACEHOLDER.to_owned(),
            (true, false) => format!("C02{}", self.state.ids.serial(9)),
            (false, false) => format!("PF{}", self.state.ids.serial(6)),
        };
        let name = if mac {
            format!("{}-mac-{}", owner.first_name.to_lowercase(), key.0)
        } else {
            format!("ACME-{}", self.state.ids.serial(8))
        };
        let (maker, model, identifier) = if mac {
            let (model, identifier) = names::MACS[self.rng().random_range(0..names::MACS.len())];
            ("Apple", model, identifier)
        } else {
            let (maker, model) = names::PCS[self.rng().random_range(0..names::PCS.len())];
            (maker, model, "")
        };
        let accounts = blueprint.accounts.iter().map(|account| OsAccount {
            person: account.person.clone(),
            name: self.state.people[&account.person]
                .login
                .split('@')
                .next()
                .unwrap_or("user")
                .to_owned(),
            last_logon: account.fastpass.last().copied(),
        });
        let accounts: Vec<_> = accounts.collect();
        let machine = Machine {
            key,
            name,
            platform: if mac {
                Platform::MacOs
            } else {
                Platform::Windows
            },
            manufacturer: maker,
            model,
            model_identifier: identifier,
            os_version: if mac { "15.7.1" } else { "10.0.26100.4061" }.to_owned(),
            serial,
            udid: self.state.ids.guid().to_uppercase(),
            wifi_mac: mac_address(&self.state.ids.hex(12)),
            mdm: blueprint.enrolled_in_mdm.then_some(blueprint.mdm),
            jamf_ids: Vec::new(),
            intune_ids: Vec::new(),
            online: blueprint.online,
            okta_verify: Some(if mac { "9.52.0" } else { "6.6.2.0" }.to_owned()),
            accounts,
            certificates: Vec::new(),
            profiles: Vec::new(),
            scep: ScepHealth::Works,
            ov_blind_until: blueprint.ov_blind.then_some(self.state.now),
            probe_blocked: blueprint.probe_blocked,
        };
        self.state.machines.push(machine);
        key
    }

    pub(super) fn rename(&mut self, key: MachineKey, script: &ScriptedDevice) {
        let machine = self.state.machine_mut(key);
        let was = machine.serial.clone();
        if let Some(name) = &script.name {
            machine.name.clone_from(name);
        }
        let Some(serial) = &script.serial else {
            let name = machine.name.clone();
            self.for_records_of(key, |record| record.display_name.clone_from(&name));
            return;
        };
        machine.serial.clone_from(serial);
        let name = machine.name.clone();
        let (jamf, intune) = (machine.jamf_ids.clone(), machine.intune_ids.clone());
        for id in jamf {
            if let Some(computer) = self.state.jamf.get_mut(&id) {
                computer.serial.clone_from(serial);
            }
        }
        for id in intune {
            if let Some(device) = self.state.intune.get_mut(&id) {
                device.serial.clone_from(serial);
            }
        }
        self.for_records_of(key, |record| {
            record.display_name.clone_from(&name);
            if record.serial.is_some() {
                record.serial = Some(serial.clone());
            }
        });
        self.rename_truths(&was, serial);
    }

    fn for_records_of(&mut self, key: MachineKey, mut change: impl FnMut(&mut OktaDevice)) {
        let state = &mut self.state;
        for record in state
            .devices
            .values_mut()
            .chain(state.deleted_devices.values_mut())
            .filter(|record| record.machine == Some(key))
        {
            change(record);
        }
    }

    /// The attestation profile that the machine is meant to have, and its trust profile.
    fn profiles_of(&self, blueprint: &Blueprint) -> (ProfileKey, ProfileKey) {
        let land = &self.landscape;
        let scep = match (blueprint.mdm, blueprint.placement) {
            (Mdm::Jamf, Placement::Standard) => land.jamf_scep,
            (Mdm::Jamf, Placement::UserLevel) => land.jamf_scep_user,
            (Mdm::Jamf, Placement::Shared) => land.jamf_scep_shared,
            (Mdm::Intune, Placement::Shared) => land.intune_scep_machine,
            (Mdm::Intune, _) => land.intune_scep,
        };
        let trust = match blueprint.mdm {
            Mdm::Jamf => land.jamf_trust,
            Mdm::Intune => land.intune_trust,
        };
        (scep, trust)
    }

    fn store_of(&self, blueprint: &Blueprint) -> Store {
        if blueprint.user_store() {
            Store::User(blueprint.accounts[0].person.clone())
        } else {
            Store::Machine
        }
    }

    /// Certificates, stores, profiles and the MDM's record. Answers the serials in the plan's order.
    pub(super) fn put_certificates(
        &mut self,
        blueprint: &Blueprint,
        key: MachineKey,
        missing: Missing,
    ) -> Vec<Id> {
        let (scep, trust) = self.profiles_of(blueprint);
        let store = self.store_of(blueprint);
        if blueprint.enrolled_in_mdm {
            self.put_mdm_record(blueprint, key, missing);
        }
        let mut serials = Vec::new();
        for plan in &blueprint.certificates {
            serials.push(self.put_certificate(plan, key, &store, scep));
        }
        if !blueprint.enrolled_in_mdm {
            return serials;
        }
        let mut profiles = Vec::new();
        if let Delivery::Installed(at) = blueprint.delivery {
            profiles.push((scep, store.clone(), at));
        }
        if blueprint.in_scope {
            profiles.push((trust, Store::Machine, blueprint.mdm_enrolled));
        }
        match blueprint.mdm {
            Mdm::Jamf if !blueprint.mdm_broken => {
                for profile in [self.landscape.jamf_sso, self.landscape.jamf_wifi] {
                    profiles.push((profile, Store::Machine, blueprint.mdm_enrolled));
                }
            }
            Mdm::Intune => profiles.push((
                self.landscape.intune_wifi,
                Store::Machine,
                blueprint.mdm_enrolled,
            )),
            Mdm::Jamf => {}
        }
        let machine = self.state.machine_mut(key);
        machine.profiles = profiles
            .into_iter()
            .map(|(profile, store, installed)| InstalledProfile {
                profile,
                store,
                installed,
            })
            .collect();
        let inventory = self.inventory_at(blueprint, key, &serials, &store);
        match blueprint.mdm {
            Mdm::Jamf => {
                let commands = self.command_history(blueprint, scep, trust, &store);
                let id = self.state.machine(key).jamf_ids[0];
                if let Some(computer) = self.state.jamf.get_mut(&id) {
                    computer.inventory = inventory;
                    computer.commands = commands;
                }
            }
            Mdm::Intune => {
                let id = self.state.machine(key).intune_ids[0].clone();
                let wifi = self.landscape.intune_wifi;
                if let Some(device) = self.state.intune.get_mut(&id) {
                    device.inventory = inventory;
                    let enrolled = blueprint.mdm_enrolled;
                    device
                        .states
                        .insert(wifi, DeliveryState::Succeeded { at: enrolled });
                    if blueprint.in_scope {
                        device
                            .states
                            .insert(trust, DeliveryState::Succeeded { at: enrolled });
                    }
                    let state = match blueprint.delivery {
                        Delivery::None => None,
                        Delivery::Pending(since) => Some(DeliveryState::Pending { since }),
                        Delivery::Failed(at) => Some(DeliveryState::Failed {
                            at,
                            error: TRANSIENT,
                        }),
                        Delivery::Installed(at) => Some(DeliveryState::Succeeded { at }),
                    };
                    if let Some(state) = state {
                        device.states.insert(scep, state);
                    }
                }
            }
        }
        serials
    }

    fn put_certificate(
        &mut self,
        plan: &CertificatePlan,
        key: MachineKey,
        store: &Store,
        profile: ProfileKey,
    ) -> Id {
        let copied = plan
            .copied
            .then(|| self.healthy_certificates.last().cloned())
            .flatten();
        let serial = match copied {
            Some(serial) => serial,
            None => {
                let common_name = self.state.common_name(key, store);
                let serial = self
                    .state
                    .new_certificate(common_name, plan.issuer, plan.issued);
                let elsewhere = plan.copied.then(|| self.state.ids.okta("guo"));
                if let Some(certificate) = self.state.certificates.get_mut(&serial) {
                    certificate.expires = plan.expires;
                    certificate.revoked = plan.revoked.map(|(at, _)| at);
                    certificate.bound = elsewhere;
                }
                serial
            }
        };
        if plan.lost.is_none() {
            let held = HeldCertificate {
                serial: serial.clone(),
                store: store.clone(),
                key_usable: plan.key_usable,
                profile: Some(profile),
            };
            self.state.machine_mut(key).certificates.push(held);
        }
        let unused = plan.bound.is_none() && plan.revoked.is_none() && !plan.copied;
        if unused && plan.issuer == Issuer::Org {
            let effect = Effect::RevokeUnused {
                certificate: serial.clone(),
            };
            self.state
                .schedule(plan.issued + Duration::days(91), effect);
        }
        serial
    }

    /// What the MDM saw at its last inventory: the stores as they were then.
    fn inventory_at(
        &self,
        blueprint: &Blueprint,
        key: MachineKey,
        serials: &[Id],
        store: &Store,
    ) -> Inventory {
        let taken = blueprint.inventory;
        let machine = self.state.machine(key);
        let certificates = blueprint
            .certificates
            .iter()
            .zip(serials)
            .filter(|(plan, _)| plan.issued <= taken && plan.lost.is_none_or(|lost| lost > taken))
            .map(|(_, serial)| SeenCertificate {
                serial: serial.clone(),
                store: store.clone(),
            })
            .collect();
        let profiles = machine
            .profiles
            .iter()
            .filter(|installed| installed.installed <= taken)
            .map(|installed| SeenProfile {
                profile: installed.profile,
                store: installed.store.clone(),
                installed: installed.installed,
            })
            .collect();
        Inventory {
            taken,
            os_version: machine.os_version.clone(),
            okta_verify: machine.okta_verify.clone(),
            certificates,
            profiles,
        }
    }

    fn put_mdm_record(&mut self, blueprint: &Blueprint, key: MachineKey, missing: Missing) {
        let nothing_seen = Inventory {
            taken: blueprint.inventory,
            os_version: String::new(),
            okta_verify: None,
            certificates: Vec::new(),
            profiles: Vec::new(),
        };
        let member = match blueprint.mdm {
            Mdm::Jamf => self.put_jamf_computer(blueprint, key, missing, nothing_seen),
            Mdm::Intune => self.put_intune_device(blueprint, key, missing, nothing_seen),
        };
        if !blueprint.in_scope {
            return;
        }
        let targets = &self.state.targets;
        let group = match (blueprint.mdm, blueprint.placement) {
            (Mdm::Jamf, Placement::Standard) => &targets.jamf_target_group,
            (Mdm::Jamf, Placement::UserLevel) => &self.landscape.jamf_user_group,
            (Mdm::Jamf, Placement::Shared) => &targets.jamf_machine_group,
            (Mdm::Intune, Placement::Shared) => &targets.intune_machine_group,
            (Mdm::Intune, _) => &targets.intune_target_group,
        };
        if let Some(group) = self.state.mdm_groups.get_mut(group) {
            group.members.insert(member);
        }
    }

    fn put_jamf_computer(
        &mut self,
        blueprint: &Blueprint,
        key: MachineKey,
        missing: Missing,
        inventory: Inventory,
    ) -> String {
        let id = self
            .state
            .jamf
            .keys()
            .next_back()
            .map_or(1, |last| last + 1);
        let owner = self.state.people[&blueprint.accounts[0].person].clone();
        let machine = self.state.machine_mut(key);
        machine.jamf_ids.push(id);
        let (serial, udid) = (machine.serial.clone(), machine.udid.clone());
        let management_id = self.state.ids.guid();
        let channel = (owner.id.clone(), self.state.ids.guid());
        // A broken enrolment shows in one of three ways.
        let (managed, capable, expires) = match (blueprint.mdm_broken, id % 3) {
            (false, _) => (true, true, Duration::days(400)),
            (true, 0) => (false, true, Duration::days(200)),
            (true, 1) => (false, false, Duration::days(200)),
            (true, _) => (true, true, Duration::days(-4)),
        };
        let computer = JamfComputer {
            id,
            machine: key,
            serial,
            udid: Some(udid),
            management_id,
            managed,
            mdm_capable: capable,
            user_approved: true,
            supervised: true,
            mdm_profile_expires: self.state.now + expires,
            push_enabled: blueprint.push_enabled,
            enrolled: blueprint.mdm_enrolled,
            last_check_in: blueprint.last_contact,
            last_contact: blueprint.last_contact,
            username: Some(owner.login.split('@').next().unwrap_or("user").to_owned()),
            email: (!missing.mdm_email).then(|| owner.email.clone()),
            user_channels: vec![channel],
            inventory,
            commands: Vec::new(),
        };
        self.state.jamf.insert(id, computer);
        id.to_string()
    }

    fn put_intune_device(
        &mut self,
        blueprint: &Blueprint,
        key: MachineKey,
        missing: Missing,
        inventory: Inventory,
    ) -> String {
        let id = self.state.ids.guid();
        let machine = self.state.machine_mut(key);
        machine.intune_ids.push(id.clone());
        let serial = machine.serial.clone();
        let entra_object_id = self.state.ids.guid();
        let device = IntuneDevice {
            id: id.clone(),
            machine: key,
            serial,
            udid: None,
            entra_device_id: self.state.ids.guid(),
            entra_object_id: entra_object_id.clone(),
            user: Some(blueprint.accounts[0].person.clone()),
            shows_user: !missing.mdm_email,
            enrolled: blueprint.mdm_enrolled,
            last_sync: blueprint.last_contact,
            management_agent: "mdm",
            registration: if blueprint.mdm_broken {
                "notRegistered"
            } else {
                "registered"
            },
            management_state: "managed",
            mdm_certificate_expires: blueprint.mdm_enrolled + Duration::days(3_650),
            category: None,
            inventory,
            states: Default::default(),
        };
        self.state.intune.insert(id, device);
        entra_object_id
    }

    fn command_history(
        &mut self,
        blueprint: &Blueprint,
        scep: ProfileKey,
        trust: ProfileKey,
        store: &Store,
    ) -> Vec<Command> {
        let mut commands = Vec::new();
        let mut add = |builder: &mut Self, profile, at: DateTime<Utc>, state: CommandState| {
            let done = !matches!(state, CommandState::Pending | CommandState::NotNow);
            let channel = if profile == scep {
                store.user().cloned()
            } else {
                None
            };
            commands.push(Command {
                uuid: builder.state.ids.guid(),
                channel,
                kind: CommandKind::InstallProfile(profile),
                sent: if done { at - Duration::minutes(4) } else { at },
                completed: done.then_some(at),
                state,
            });
        };
        if blueprint.in_scope {
            let at = blueprint.mdm_enrolled + Duration::minutes(20);
            add(self, trust, at, CommandState::Acknowledged);
        }
        if let Some(at) = blueprint.past_failure {
            add(self, scep, at, CommandState::Error(TRANSIENT));
        }
        match blueprint.delivery {
            Delivery::None => {}
            Delivery::Pending(at) => add(self, scep, at, CommandState::Pending),
            Delivery::Failed(at) => add(self, scep, at, CommandState::Error(TRANSIENT)),
            Delivery::Installed(at) => add(self, scep, at, CommandState::Acknowledged),
        }
        commands
    }

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
        if blueprint.serial_in_okta == SerialShown::Odd {
            record.serial = record.serial.map(|serial| spaced(&serial));
        }
        let used = blueprint
            .accounts
            .iter()
            .flat_map(|account| &account.fastpass);
        record.last_updated = used
            .copied()
            .chain(plan.changed)
            .fold(plan.created, DateTime::max);
        if plan.status != DeviceStatus::Deactivated {
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

    fn link(
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
            serial: (!missing.okta_serial).then(|| machine.serial.clone()),
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

fn mac_address(hex: &str) -> String {
    let pairs: Vec<&str> = (0..hex.len())
        .step_by(2)
        .map(|at| &hex[at..at + 2])
        .collect();
    pairs.join(":")
}
