//! A blueprint's certificates with their stores and profiles.

use chrono::Duration;

use super::assemble::{Builder, Missing};
use super::blueprint::{Blueprint, CertificatePlan, Delivery, Placement};
use super::mdm_records::TRANSIENT;
use crate::world::{
    DeliveryState, Effect, HeldCertificate, Id, InstalledProfile, Issuer, MachineKey, Mdm,
    ProfileKey, Store,
};

impl Builder {
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
}
