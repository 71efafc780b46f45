//! What a blueprint leaves in Jamf or Intune: the record, its group, its commands, its inventory.

use chrono::{DateTime, Duration, Utc};

use super::assemble::{Builder, Missing};
use super::blueprint::{Blueprint, Delivery};
use crate::world::{
    Command, CommandKind, CommandState, Id, IntuneDevice, Inventory, JamfComputer, MachineKey, Mdm,
    Platform, ProfileKey, ScepError, SeenCertificate, SeenProfile, Store,
};

/// An error that goes away with the next exchange, in the words of Apple's URL loading.
pub(super) const TRANSIENT: ScepError = ScepError {
    domain: "NSURLErrorDomain",
    code: -1001,
    text: "The request timed out.",
    issuance: "requestSubmitFailed",
};

impl Builder {
    pub(super) fn put_mdm_record(
        &mut self,
        blueprint: &Blueprint,
        key: MachineKey,
        missing: Missing,
    ) {
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
        for group in self.groups_of(blueprint) {
            if let Some(group) = self.state.mdm_groups.get_mut(&group) {
                group.members.insert(member.clone());
            }
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
        let owner = blueprint.mdm_user.as_ref();
        let owner = self.state.people[owner.unwrap_or(&blueprint.accounts[0].person)].clone();
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
        let (mac, udid) = (machine.platform == Platform::MacOs, machine.udid.clone());
        let user = blueprint.mdm_user.as_ref();
        let user = user.unwrap_or(&blueprint.accounts[0].person);
        let entra_object_id = self.state.ids.guid();
        let device = IntuneDevice {
            id: id.clone(),
            machine: key,
            serial,
            udid: mac.then_some(udid),
            entra_device_id: self.state.ids.guid(),
            entra_object_id: entra_object_id.clone(),
            user: (!blueprint.without_primary_user).then(|| user.clone()),
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
            unfit_for: Default::default(),
            inventory,
            states: Default::default(),
        };
        self.state.intune.insert(id, device);
        entra_object_id
    }

    pub(super) fn command_history(
        &mut self,
        blueprint: &Blueprint,
        scep: ProfileKey,
        trust: Option<ProfileKey>,
        store: &Store,
    ) -> Vec<Command> {
        let mut commands = Vec::new();
        let queued = blueprint.queue_since.into_iter().flat_map(|since| {
            [
                (since, CommandKind::ProfileList),
                (since + Duration::hours(1), CommandKind::CertificateList),
                (
                    since + Duration::hours(26),
                    CommandKind::Query("DEVICE_INFORMATION".to_owned()),
                ),
            ]
        });
        for (sent, kind) in queued {
            commands.push(Command {
                uuid: self.state.ids.guid(),
                channel: None,
                kind,
                sent,
                completed: None,
                state: CommandState::Pending,
            });
        }
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
        if let Some(trust) = trust {
            let at = blueprint.mdm_enrolled + Duration::minutes(20);
            add(self, trust, at, CommandState::Acknowledged);
        }
        if let Some(at) = blueprint.past_failure {
            add(self, scep, at, CommandState::Error(TRANSIENT));
        }
        if let Some(at) = blueprint.profile_removed {
            let installed = at - Duration::days(60);
            add(self, scep, installed, CommandState::Acknowledged);
        }
        match blueprint.delivery {
            // Jamf knows neither conflicts nor profiles that do not fit.
            Delivery::None | Delivery::Conflict(_) | Delivery::NotApplicable(_) => {}
            Delivery::Pending(at) => add(self, scep, at, CommandState::Pending),
            Delivery::Failed(at) => {
                add(self, scep, at, CommandState::Error(blueprint.error.clone()));
            }
            Delivery::Installed(at) => add(self, scep, at, CommandState::Acknowledged),
        }
        if let Some(at) = blueprint.profile_removed {
            commands.push(Command {
                uuid: self.state.ids.guid(),
                channel: store.user().cloned(),
                kind: CommandKind::RemoveProfile(scep),
                sent: at - Duration::minutes(4),
                completed: Some(at),
                state: CommandState::Acknowledged,
            });
        }
        commands
    }

    /// What the MDM saw at its last inventory: the stores as they were then.
    pub(super) fn inventory_at(
        &self,
        blueprint: &Blueprint,
        key: MachineKey,
        serials: &[Id],
        store: &Store,
        scep: ProfileKey,
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
                profile: Some(scep),
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
}
