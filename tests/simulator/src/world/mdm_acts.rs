//! What tests can do to the MDM services and the Macs and PCs in them, and the harm that forbidden
//! calls do, so that a test notices if anything ever makes one.

use chrono::{DateTime, Duration, Utc};

use super::mdm_jamf::JamfEffect;
use super::{Effect, Id, MachineKey, Mdm, State, World};

impl World {
    /// The users of the machine with this serial log out; their channel and store are out of reach.
    pub fn log_users_out(&self, serial: &str) {
        self.on_serial(serial, |state, machine| {
            for user in state.users_on(machine) {
                state.mdm.away.insert((machine, user));
            }
        });
    }

    /// The users of the machine with this serial log in, and it checks in.
    pub fn log_users_in(&self, serial: &str) {
        self.on_serial(serial, |state, machine| {
            state.mdm.away.retain(|(key, _)| *key != machine);
            if state.machine(machine).online {
                state.check_in(machine);
            }
        });
    }

    /// The Mac with this serial answers commands with `NotNow` until told otherwise.
    pub fn set_not_now(&self, serial: &str, busy: bool) {
        self.on_serial(serial, |state, machine| {
            if busy {
                state.mdm.busy.insert(machine);
                return;
            }
            state.mdm.busy.remove(&machine);
            if let Some(computer) = state.jamf_of(machine).map(|record| record.id) {
                state.jamf_blank_push(computer);
            }
        });
    }

    /// Pushes to the Mac with this serial are switched off or on.
    pub fn set_push_enabled(&self, serial: &str, enabled: bool) {
        self.on_serial(serial, |state, machine| {
            for computer in state.jamf.values_mut() {
                if computer.machine == machine {
                    computer.push_enabled = enabled;
                }
            }
        });
    }

    /// Another node of Jamf Pro shows the state before a write for this long; zero switches it off.
    pub fn set_jamf_stale_reads(&self, lag: Duration) {
        self.with(|state| state.mdm.jamf.stale_reads = lag);
    }

    /// Whether list commands refresh Jamf's inventory before the next report.
    pub fn set_jamf_lists_refresh(&self, refresh: bool) {
        self.with(|state| state.mdm.jamf.lists_refresh_inventory = refresh);
    }

    /// How many real seconds a Jamf access token lives.
    pub fn set_jamf_token_life(&self, seconds: u64) {
        self.with(|state| state.mdm.jamf.token_seconds = seconds);
    }

    /// Takes a privilege away from the Jamf API client.
    pub fn revoke_jamf_privilege(&self, privilege: &str) {
        self.with(|state| {
            let missing = &mut state.mdm.jamf.missing_privileges;
            missing.insert(privilege.to_owned());
        });
    }

    /// The Jamf profile with this id carries more payloads, such as a Wi-Fi one.
    pub fn add_jamf_payload(&self, profile_id: &str, payload_type: &'static str) {
        self.with(|state| {
            if let Some(profile) = state.profile_by_id(Mdm::Jamf, profile_id) {
                let key = profile.key;
                let extra = state.mdm.jamf.extra_payloads.entry(key).or_default();
                extra.push(payload_type);
            }
        });
    }

    /// The Intune Wi-Fi or VPN profile signs in with the certificate of this SCEP profile.
    pub fn use_intune_certificate(&self, network_profile: &str, scep_profile: &str) {
        self.with(|state| {
            let key = |id| state.profile_by_id(Mdm::Intune, id).map(|found| found.key);
            if let (Some(network), Some(scep)) = (key(network_profile), key(scep_profile)) {
                let users = &mut state.mdm.intune.certificate_users;
                users.insert(network, scep);
            }
        });
    }

    /// Jamf Pro's push certificate ends at that time.
    pub fn set_push_certificate_expiry(&self, ends: DateTime<Utc>) {
        self.with(|state| state.mdm.jamf.push_certificate_expires = Some(ends));
    }

    /// Apple's push certificate for Macs in Intune ends at that time.
    pub fn set_intune_push_certificate_expiry(&self, ends: DateTime<Utc>) {
        self.with(|state| state.mdm.intune.push_certificate_expires = Some(ends));
    }

    /// The client secret of the caller's app registration ends at that time.
    pub fn set_graph_secret_expiry(&self, ends: DateTime<Utc>) {
        self.with(|state| state.mdm.intune.secret_expires = Some(ends));
    }

    /// The secret ends at that time with which Okta asks Intune whether a challenge is genuine.
    pub fn set_challenge_secret_expiry(&self, ends: DateTime<Utc>) {
        self.with(|state| state.mdm.intune.challenge_secret_expires = Some(ends));
    }

    /// Takes an application permission away from the Entra app.
    pub fn revoke_graph_role(&self, role: &str) {
        self.with(|state| {
            let missing = &mut state.mdm.intune.missing_roles;
            missing.insert(role.to_owned());
        });
    }

    /// How long directory reads may show the state before a write.
    pub fn set_graph_read_lag(&self, lag: Duration) {
        self.with(|state| state.mdm.intune.read_lag = lag);
    }

    /// The next Intune requests fail with the broker's rate-limit text in a status 500.
    pub fn fail_intune_broker(&self, requests: u32) {
        self.with(|state| state.mdm.intune.broker_errors = requests);
    }

    /// Whether this group of an MDM holds the machine with this serial.
    pub fn is_mdm_group_member(&self, group_id: &str, serial: &str) -> bool {
        self.with(|state| {
            let Some(machine) = state.machine_by_serial(serial) else {
                return false;
            };
            let members = state.scope_members(machine);
            state
                .mdm_groups
                .get(group_id)
                .is_some_and(|group| members.iter().any(|member| group.members.contains(member)))
        })
    }

    /// The ids under which the MDMs and their directories know the machine with this serial, people's left out.
    pub fn mdm_ids(&self, serial: &str) -> Vec<String> {
        self.with(|state| {
            let Some(machine) = state.machine_by_serial(serial) else {
                return Vec::new();
            };
            let held = state.machine(machine);
            let jamf = held.jamf_ids.iter().map(u32::to_string);
            let intune = held.intune_ids.iter().map(ToString::to_string);
            let directory = held
                .intune_ids
                .iter()
                .filter_map(|id| Some(state.intune.get(id)?.entra_object_id.clone()));
            jamf.chain(intune).chain(directory).collect()
        })
    }

    fn on_serial(&self, serial: &str, act: impl FnOnce(&mut State, MachineKey)) {
        self.with(|state| {
            if let Some(machine) = state.machine_by_serial(serial) {
                act(state, machine);
            }
        });
    }
}

impl State {
    /// Begins the life of both services: regular reports and check-ins.
    pub(crate) fn start_mdm(&mut self) {
        let next_year = self.now + Duration::days(300);
        let (jamf, intune) = (&mut self.mdm.jamf, &mut self.mdm.intune);
        for ends in [
            &mut jamf.push_certificate_expires,
            &mut intune.push_certificate_expires,
            &mut intune.secret_expires,
            &mut intune.challenge_secret_expires,
        ] {
            // What an incident ended stays so.
            ends.get_or_insert(next_year);
        }
        self.start_jamf();
        self.start_intune();
    }

    fn users_on(&self, machine: MachineKey) -> Vec<Id> {
        let accounts = self.machine(machine).accounts.iter();
        let mut users: Vec<Id> = accounts.map(|account| account.person.clone()).collect();
        if let Some(computer) = self.jamf_of(machine) {
            users.extend(computer.user_channels.iter().map(|(user, _)| user.clone()));
        }
        if let Some(device) = self.intune_of(machine) {
            users.extend(device.user.clone());
        }
        users
    }

    /// A forbidden call was made and did what it says; the record shows it.
    pub(crate) fn harm(
        &mut self,
        kind: &str,
        target: &str,
        machine: Option<MachineKey>,
        harm: Harm,
    ) {
        self.effect(&format!("forbidden.{kind}"), target, "whole", "harmed");
        let Some(machine) = machine else {
            return;
        };
        let held = self.machine_mut(machine);
        match harm {
            Harm::Locked => held.online = false,
            Harm::Unmanaged => {
                held.mdm = None;
                held.certificates.retain(|held| held.profile.is_none());
                held.profiles.clear();
            }
            Harm::Wiped => {
                held.mdm = None;
                held.certificates.clear();
                held.profiles.clear();
                held.accounts.clear();
                held.okta_verify = None;
            }
        }
        if harm != Harm::Locked {
            for computer in self.jamf.values_mut() {
                if computer.machine == machine {
                    computer.managed = false;
                    computer.mdm_capable = false;
                    computer.commands.clear();
                }
            }
            self.intune.retain(|_, device| device.machine != machine);
        }
    }

    /// The Mac's APNs channel works again.
    pub(crate) fn enable_push(&mut self, computer: u32) {
        if let Some(record) = self.jamf.get_mut(&computer) {
            record.push_enabled = true;
            let at = self.now + self.delay(5, 60);
            self.schedule(at, Effect::Jamf(JamfEffect::Fetch(computer)));
        }
    }
}

/// What a forbidden call does to a machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Harm {
    /// It cannot be used or reached any more.
    Locked,
    /// Its management is taken away, with every profile.
    Unmanaged,
    /// Everything on it is gone.
    Wiped,
}
