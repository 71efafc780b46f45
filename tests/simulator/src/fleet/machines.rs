//! The hardware of a blueprint, and the names and serials that a script chooses for it.

use rand::RngExt;

use super::ScriptedDevice;
use super::assemble::Builder;
use super::blueprint::Blueprint;
use super::names;
use crate::world::{Machine, MachineKey, Mdm, OktaDevice, OsAccount, Platform, ScepHealth};

const PLACEHOLDER: &str = "To Be Filled By O.E.M.";

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
}

fn mac_address(hex: &str) -> String {
    let pairs: Vec<&str> = (0..hex.len())
        .step_by(2)
        .map(|at| &hex[at..at + 2])
        .collect();
    pairs.join(":")
}
