//! The hardware of a blueprint, and the names and serials that a script chooses for it.

use rand::RngExt;

use super::ScriptedDevice;
use super::assemble::Builder;
use super::blueprint::{Blueprint, Installed};
use super::names;
use crate::world::{Machine, MachineKey, OktaDevice, OsAccount, Platform, ScepHealth};

const PLACEHOLDER: &str = "To Be Filled By O.E.M.";

impl Builder {
    pub(super) fn put_machine(&mut self, blueprint: &Blueprint) -> MachineKey {
        let key = MachineKey(self.state.machines.len());
        let owner = self.state.people[&blueprint.accounts[0].person].clone();
        let computer = &blueprint.computer;
        let mac = computer.platform == Platform::MacOs;
        let serial = match (mac, blueprint.placeholder_serial) {
            (_, true) => PLACEHOLDER.to_owned(),
            _ if computer.virtual_machine => virtual_serial(&self.state.ids.hex(32)),
            (true, false) => format!("C02{}", self.state.ids.serial(9)),
            (false, false) => format!("PF{}", self.state.ids.serial(6)),
        };
        let name = if mac {
            format!("{}-mac-{}", owner.first_name.to_lowercase(), key.0)
        } else {
            format!("ACME-{}", self.state.ids.serial(8))
        };
        let (maker, model, identifier) = if computer.virtual_machine {
            (names::VIRTUAL.0, names::VIRTUAL.1, names::VIRTUAL.1)
        } else if mac {
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
        let mut accounts: Vec<_> = accounts.collect();
        // Who set the machine up has an account on it, the older one.
        if let Some(person) = &blueprint.mdm_user {
            let login = &self.state.people[person].login;
            accounts.insert(
                0,
                OsAccount {
                    person: person.clone(),
                    name: login.split('@').next().unwrap_or("user").to_owned(),
                    last_logon: Some(blueprint.mdm_enrolled),
                },
            );
        }
        // Two profiles of the system for the same person.
        if computer.enrolled_in_other_os_profile
            && let Some(mut second) = accounts.last().cloned()
        {
            second.name.push_str(".ACME");
            accounts.push(second);
        }
        let machine = Machine {
            key,
            name,
            platform: computer.platform,
            manufacturer: maker,
            model,
            model_identifier: identifier,
            os_version: computer
                .os_version
                .unwrap_or(if mac { "15.7.1" } else { "10.0.26100.4061" })
                .to_owned(),
            serial,
            udid: self.state.ids.guid().to_uppercase(),
            wifi_mac: mac_address(&self.state.ids.hex(12)),
            mdm: blueprint.enrolled_in_mdm.then_some(blueprint.mdm),
            jamf_ids: Vec::new(),
            intune_ids: Vec::new(),
            online: blueprint.online,
            okta_verify: match computer.okta_verify {
                Installed::Present => Some(if mac { "9.52.0" } else { "6.6.2.0" }.to_owned()),
                Installed::Version(version) => Some(version.to_owned()),
                Installed::Missing => None,
            },
            accounts,
            certificates: Vec::new(),
            profiles: Vec::new(),
            scep: match blueprint.error_stays {
                true => ScepHealth::Fails {
                    times: u32::MAX,
                    error: blueprint.error.clone(),
                },
                false => ScepHealth::Works,
            },
            ov_blind_until: blueprint.ov_blind.then_some(self.state.now),
            browser: computer.browser,
            probe: computer.probe,
            network: computer.network,
            site: computer.site,
            enrolled_in_other_os_profile: computer.enrolled_in_other_os_profile,
            wrong_desktop_mode: computer.wrong_desktop_mode,
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

/// `VMware-56 4d 4f 95 …`, as the firmware of a virtual machine says.
fn virtual_serial(hex: &str) -> String {
    let mut text = "VMware-56 4d".to_owned();
    for at in (4..32).step_by(2) {
        text.push(if at == 16 { '-' } else { ' ' });
        text.push_str(&hex[at..at + 2].to_lowercase());
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
