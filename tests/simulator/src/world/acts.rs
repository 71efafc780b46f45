//! What tests can do to the world and see of it. Every act is a fact of life: a certificate expires,
//! somebody takes a laptop on holiday, an admin suspends a device.

use chrono::{DateTime, Duration, Utc};

use super::{
    DeviceStatus, Id, MachineKey, Mdm, Persona, Platform, ScepError, ScepHealth, State, UserStatus,
    World,
};

/// How a sign-in with FastPass ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignInOutcome {
    /// Signed in, and the device attested that it is managed.
    Managed,
    /// Signed in without management attestation.
    NotManaged,
    /// The user or the device may not sign in.
    Refused,
    /// There is no FastPass enrolment for this user on this device.
    NotEnrolled,
    /// The browser could not reach Okta Verify.
    ProbeBlocked,
}

/// The true state of one device-user, as nobody on the wire sees it in one place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceView {
    /// Okta device id.
    pub device_id: String,
    /// Okta user id.
    pub user_id: String,
    /// The user's e-mail.
    pub email: String,
    /// The machine's serial; empty for phones.
    pub serial: String,
    /// Operating system.
    pub platform: Platform,
    /// The MDM the machine is in.
    pub mdm: Option<Mdm>,
    /// The record's lifecycle status.
    pub status: DeviceStatus,
    /// What a read by id answers.
    pub managed: bool,
}

impl World {
    /// Every device-user of the org.
    pub fn device_users(&self) -> Vec<DeviceView> {
        self.with(|state| {
            let mut views = Vec::new();
            for record in state.devices.values() {
                let machine = record.machine.map(|key| state.machine(key));
                for link in &record.links {
                    views.push(DeviceView {
                        device_id: record.id.to_string(),
                        user_id: link.user.to_string(),
                        email: state.people[&link.user].email.clone(),
                        serial: machine.map_or_else(String::new, |held| held.serial.clone()),
                        platform: record.platform,
                        mdm: machine.and_then(|held| held.mdm),
                        status: record.status,
                        managed: link.managed,
                    });
                }
            }
            views
        })
    }

    /// Whether Okta, read by id, says MANAGED for this device-user.
    pub fn is_managed(&self, user_id: &str, device_id: &str) -> bool {
        self.with(|state| {
            state
                .link(user_id, device_id)
                .is_some_and(|link| link.managed)
        })
    }

    /// Every person of the company: e-mail address and full name, and whether they are in Slack.
    pub fn people(&self) -> Vec<(String, String, bool)> {
        self.with(|state| {
            state
                .people
                .values()
                .map(|person| (person.email.clone(), person.name(), person.on_slack))
                .collect()
        })
    }

    /// Decides how a person (id, login or e-mail) reacts to requests from now on.
    pub fn set_persona(&self, user: &str, persona: Persona) {
        self.with(|state| {
            if let Some(id) = state.person(user).map(|person| person.id.clone())
                && let Some(person) = state.people.get_mut(&id)
            {
                person.persona = persona;
            }
        });
    }

    /// A request to sign in reached this person; they act as their persona says.
    pub fn person_asked(&self, email: &str) {
        self.with(|state| {
            if let Some(id) = state.person(email).map(|person| person.id.clone()) {
                state.person_asked(&id);
            }
        });
    }

    /// The user (id, login or e-mail) signs in with FastPass on this Okta device.
    pub fn sign_in_with_fastpass(&self, user: &str, device_id: &str) -> SignInOutcome {
        self.with(|state| {
            let Some(id) = state.person(user).map(|person| person.id.clone()) else {
                return SignInOutcome::NotEnrolled;
            };
            state.fastpass_sign_in(&id, &device_id.into())
        })
    }

    /// The certificates on this device's machine expire one second ago.
    pub fn expire_certificate(&self, device_id: &str) {
        self.on_held_certificates(device_id, |state, serial| {
            let now = state.now;
            if let Some(certificate) = state.certificates.get_mut(serial) {
                certificate.expires = now - Duration::seconds(1);
            }
        });
    }

    /// Okta revokes the certificates on this device's machine.
    pub fn revoke_certificate(&self, device_id: &str) {
        self.on_held_certificates(device_id, |state, serial| {
            state.revoke(serial, "pki.cert.lifecycle.revoke");
        });
    }

    /// The certificates vanish from the machine, as when a keychain is reset.
    pub fn delete_certificates(&self, device_id: &str) {
        self.on_machine(device_id, |state, machine| {
            state.machine_mut(machine).certificates.clear();
        });
    }

    /// The SCEP profiles are removed from the machine by hand, with their certificates.
    pub fn remove_profile(&self, device_id: &str) {
        self.on_machine(device_id, |state, machine| {
            let removed: Vec<_> = state
                .machine(machine)
                .profiles
                .iter()
                .filter(|installed| state.profile(installed.profile).is_scep())
                .map(|installed| (installed.profile, installed.store.clone()))
                .collect();
            for (profile, store) in removed {
                state.uninstall_profile(machine, profile, &store);
            }
        });
    }

    /// The next SCEP enrolments of this device's machine fail with the words an MDM shows.
    pub fn fail_next_enrolments(&self, device_id: &str, times: u32) {
        self.on_machine(device_id, |state, machine| {
            let error = ScepError {
                domain: "MCSCEPErrorDomain",
                code: 22013,
                text: "The SCEP server returned an invalid response.",
                issuance: "responseProcessingFailed",
            };
            state.machine_mut(machine).scep = ScepHealth::Fails { times, error };
        });
    }

    /// The next SCEP profiles of this device's machine install without reaching the CA.
    pub fn lose_next_enrolments(&self, device_id: &str, times: u32) {
        self.on_machine(device_id, |state, machine| {
            state.machine_mut(machine).scep = ScepHealth::Silent { times };
        });
    }

    /// The machine drops out of every group that a SCEP profile is assigned to, and loses the profile.
    pub fn unassign_profile(&self, device_id: &str) {
        self.on_machine(device_id, |state, machine| {
            let members = state.scope_members(machine);
            let groups: Vec<String> = state
                .profiles
                .iter()
                .filter(|profile| profile.is_scep())
                .flat_map(|profile| profile.scope.groups.iter().cloned())
                .collect();
            for group in groups {
                if let Some(group) = state.mdm_groups.get_mut(&group) {
                    group.members.retain(|member| !members.contains(member));
                }
            }
        });
        self.remove_profile(device_id);
    }

    /// The machine with this serial goes silent.
    pub fn take_offline(&self, serial: &str) {
        self.set_online(serial, false);
    }

    /// The machine with this serial can be reached again, and checks in.
    pub fn bring_online(&self, serial: &str) {
        self.set_online(serial, true);
    }

    /// The machine checks in with its MDM now and reports its inventory.
    pub fn check_in(&self, serial: &str) {
        self.with(|state| {
            if let Some(machine) = state.machine_by_serial(serial) {
                state.check_in(machine);
            }
        });
    }

    /// An admin suspends the Okta device.
    pub fn suspend_device(&self, device_id: &str) {
        self.with(|state| state.set_device_status(device_id, DeviceStatus::Suspended));
    }

    /// An admin lifts the suspension.
    pub fn unsuspend_device(&self, device_id: &str) {
        self.with(|state| state.set_device_status(device_id, DeviceStatus::Active));
    }

    /// The user leaves the company.
    pub fn deprovision_user(&self, user: &str) {
        self.with(|state| {
            if let Some(id) = state.person(user).map(|person| person.id.clone())
                && let Some(person) = state.people.get_mut(&id)
            {
                person.status = UserStatus::Deprovisioned;
            }
        });
    }

    /// Puts a user (id, login or e-mail) into an Okta group or takes them out, by an admin's hand.
    pub fn set_group_member(&self, group_id: &str, user: &str, member: bool) {
        self.with(|state| {
            let Some(id) = state.person(user).map(|person| person.id.clone()) else {
                return;
            };
            if let Some(group) = state.okta_groups.get_mut(group_id) {
                if member {
                    group.members.insert(id);
                } else {
                    group.members.remove(&id);
                }
            }
        });
    }

    /// Whether the Okta group has this user (id, login or e-mail).
    pub fn is_group_member(&self, group_id: &str, user: &str) -> bool {
        self.with(|state| {
            let Some(person) = state.person(user) else {
                return false;
            };
            state
                .okta_groups
                .get(group_id)
                .is_some_and(|group| group.members.contains(&person.id))
        })
    }

    /// When the certificates that the machine of this device holds were issued, oldest first.
    pub fn certificates_issued(&self, device_id: &str) -> Vec<DateTime<Utc>> {
        self.with(|state| {
            let Some(machine) = state
                .devices
                .get(device_id)
                .and_then(|record| record.machine)
            else {
                return Vec::new();
            };
            let mut times: Vec<_> = state
                .machine(machine)
                .certificates
                .iter()
                .filter_map(|held| Some(state.certificates.get(&held.serial)?.issued))
                .collect();
            times.sort();
            times
        })
    }

    /// Events of this type no longer appear in the System Log.
    pub fn hide_event_type(&self, event_type: &str) {
        self.with(|state| state.hidden_event_types.push(event_type.to_owned()));
    }

    /// Switches Intune's certificate rows on or off.
    pub fn show_intune_certificates(&self, shown: bool) {
        self.with(|state| state.org.intune_certificate_rows = shown);
    }

    fn set_online(&self, serial: &str, online: bool) {
        self.with(|state| {
            if let Some(machine) = state.machine_by_serial(serial) {
                state.machine_mut(machine).online = online;
                if online {
                    state.check_in(machine);
                }
            }
        });
    }

    fn on_machine(&self, device_id: &str, act: impl FnOnce(&mut State, MachineKey)) {
        self.with(|state| {
            if let Some(machine) = state
                .devices
                .get(device_id)
                .and_then(|record| record.machine)
            {
                act(state, machine);
            }
        });
    }

    fn on_held_certificates(&self, device_id: &str, act: impl Fn(&mut State, &Id)) {
        self.on_machine(device_id, |state, machine| {
            let serials: Vec<Id> = state
                .machine(machine)
                .certificates
                .iter()
                .map(|held| held.serial.clone())
                .collect();
            for serial in serials {
                act(state, &serial);
            }
        });
    }
}

impl State {
    /// The machine talks to its MDM now: commands are done, the inventory is fresh.
    pub(crate) fn check_in(&mut self, machine: MachineKey) {
        match self.machine(machine).mdm {
            Some(Mdm::Jamf) => self.jamf_check_in(machine),
            Some(Mdm::Intune) => self.intune_check_in(machine),
            None => {}
        }
    }

    /// Everything by which a scope or a group of its MDM can name this machine.
    pub(crate) fn scope_members(&self, machine: MachineKey) -> Vec<String> {
        let held = self.machine(machine);
        let mut members: Vec<String> = held.jamf_ids.iter().map(u32::to_string).collect();
        for device in held.intune_ids.iter().filter_map(|id| self.intune.get(id)) {
            members.push(device.entra_object_id.clone());
            let user = device.user.as_ref().and_then(|user| self.people.get(user));
            members.extend(user.map(|person| person.entra_id.clone()));
        }
        members
    }
}
