//! A blueprint's certificates with their stores and profiles.

use chrono::Duration;

use super::assemble::{Builder, Missing};
use super::blueprint::{Blueprint, CertificatePlan, Delivery, Placement, SsoPlan};
use super::oddities::{Assignment, OddSso, Oddity};
use super::org::{Admin, SET_UP_BEFORE};
use crate::world::{
    DeliveryState, Effect, HeldCertificate, Id, InstalledProfile, Issuer, MachineKey, Mdm,
    Platform, ProfileKey, Store,
};

impl Builder {
    /// The attestation profile that the machine is meant to have, its trust profile and its groups.
    fn assignment(&mut self, blueprint: &Blueprint) -> Assignment {
        if let Placement::Odd(oddity) = blueprint.placement {
            return self.odd_assignment(blueprint.mdm, oddity);
        }
        let land = &self.landscape;
        let targets = &self.state.targets;
        let (scep, group) = match (blueprint.mdm, blueprint.placement) {
            (Mdm::Jamf, Placement::Standard | Placement::Odd(_)) => {
                (land.jamf_scep, &targets.jamf_target_group)
            }
            (Mdm::Jamf, Placement::UserLevel) => (land.jamf_scep_user, &land.jamf_user_group),
            (Mdm::Jamf, Placement::Shared) => (land.jamf_scep_shared, &targets.jamf_machine_group),
            (Mdm::Intune, Placement::Shared) => {
                (land.intune_scep_machine, &targets.intune_machine_group)
            }
            (Mdm::Intune, _) => (land.intune_scep, &targets.intune_target_group),
        };
        let trust = match blueprint.mdm {
            Mdm::Jamf => land.jamf_trust,
            Mdm::Intune => land.intune_trust,
        };
        Assignment {
            scep,
            trust: Some(trust),
            groups: vec![group.clone()],
        }
    }

    fn odd_assignment(&mut self, mdm: Mdm, oddity: Oddity) -> Assignment {
        if let Some(known) = self.landscape.oddities.get(&(mdm, oddity)) {
            return known.clone();
        }
        let trust = match mdm {
            Mdm::Jamf => self.landscape.jamf_trust,
            Mdm::Intune => self.landscape.intune_trust,
        };
        let assignment = self.admin().oddity(mdm, oddity, trust);
        self.landscape
            .oddities
            .insert((mdm, oddity), assignment.clone());
        assignment
    }

    fn odd_sso(&mut self) -> OddSso {
        if let Some(known) = &self.landscape.odd_sso {
            return known.clone();
        }
        let right = self.landscape.jamf_sso;
        let odd = self.admin().odd_sso_extensions(right);
        self.landscape.odd_sso.insert(odd).clone()
    }

    /// The admin who set the consoles up.
    pub(super) fn admin(&mut self) -> Admin<'_> {
        let since = self.state.now - SET_UP_BEFORE;
        Admin {
            state: &mut self.state,
            since,
        }
    }

    /// The groups of the MDM that the machine is in.
    pub(super) fn groups_of(&mut self, blueprint: &Blueprint) -> Vec<String> {
        let mut groups = match blueprint.in_scope {
            true => self.assignment(blueprint).groups,
            false => Vec::new(),
        };
        if blueprint.computer.sso == SsoPlan::Right {
            return groups;
        }
        let odd = self.odd_sso();
        match blueprint.computer.sso {
            SsoPlan::Right => {}
            SsoPlan::None => groups.push(odd.left_out.clone()),
            SsoPlan::WrongHosts => groups.extend([odd.left_out.clone(), odd.wrong_hosts.1.clone()]),
            SsoPlan::WrongPayload => {
                groups.extend([odd.left_out.clone(), odd.wrong_payload.1.clone()]);
            }
            SsoPlan::Two => groups.push(odd.second.1.clone()),
        }
        groups
    }

    fn sso_extensions(&mut self, blueprint: &Blueprint) -> Vec<ProfileKey> {
        let right = self.landscape.jamf_sso;
        if blueprint.computer.sso == SsoPlan::Right {
            return vec![right];
        }
        let odd = self.odd_sso();
        match blueprint.computer.sso {
            SsoPlan::Right => vec![right],
            SsoPlan::None => Vec::new(),
            SsoPlan::WrongHosts => vec![odd.wrong_hosts.0],
            SsoPlan::WrongPayload => vec![odd.wrong_payload.0],
            SsoPlan::Two => vec![right, odd.second.0],
        }
    }

    fn store_of(&self, blueprint: &Blueprint) -> Store {
        if blueprint.user_store() {
            let user = blueprint.mdm_user.as_ref();
            Store::User(user.unwrap_or(&blueprint.accounts[0].person).clone())
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
        let Assignment { scep, trust, .. } = self.assignment(blueprint);
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
        let trust = trust.filter(|_| blueprint.in_scope);
        profiles.extend(trust.map(|trust| (trust, Store::Machine, blueprint.mdm_enrolled)));
        let mac = blueprint.computer.platform == Platform::MacOs;
        match blueprint.mdm {
            Mdm::Jamf if !blueprint.mdm_broken => {
                let mut plain = self.sso_extensions(blueprint);
                plain.push(self.landscape.jamf_wifi);
                for profile in plain {
                    profiles.push((profile, Store::Machine, blueprint.mdm_enrolled));
                }
            }
            Mdm::Intune if mac => {}
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
        let inventory = self.inventory_at(blueprint, key, &serials, &store, scep);
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
                let wifi = Some(self.landscape.intune_wifi).filter(|_| !mac);
                let at = blueprint.mdm_enrolled;
                if let Some(device) = self.state.intune.get_mut(&id) {
                    device.inventory = inventory;
                    for profile in wifi.into_iter().chain(trust) {
                        let succeeded = DeliveryState::Succeeded { at };
                        device.states.insert(profile, succeeded);
                    }
                    if let Some(state) = delivery_state(blueprint) {
                        device.states.insert(scep, state);
                    }
                    if matches!(blueprint.delivery, Delivery::NotApplicable(_)) {
                        device.unfit_for.insert(scep);
                    }
                }
                if let Delivery::Conflict(at) = blueprint.delivery
                    && let Some(rival) = self.state.profile(scep).conflicts_with
                    && let Some(device) = self.state.intune.get_mut(&id)
                {
                    device.states.insert(rival, DeliveryState::Conflict { at });
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
        let mdm = self.state.profile(profile).mdm;
        let copied = plan
            .copied
            .then(|| self.healthy_certificates.get(&mdm).cloned())
            .flatten();
        let serial = match copied {
            Some(serial) => serial,
            None => {
                let common_name = match plan.common_name {
                    Some(name) => name.to_owned(),
                    None => self.state.common_name(key, store),
                };
                let serial = self
                    .state
                    .new_certificate(common_name, plan.issuer, plan.issued);
                let elsewhere = plan.copied.then(|| self.state.ids.okta("guo"));
                if let Some(certificate) = self.state.certificates.get_mut(&serial) {
                    certificate.valid_from = plan.valid_from.unwrap_or(plan.issued);
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

fn delivery_state(blueprint: &Blueprint) -> Option<DeliveryState> {
    Some(match blueprint.delivery {
        Delivery::None => DeliveryState::Removed {
            at: blueprint.profile_removed?,
        },
        Delivery::Pending(since) => DeliveryState::Pending { since },
        Delivery::Failed(at) => DeliveryState::Failed {
            at,
            error: blueprint.error.clone(),
        },
        Delivery::Installed(at) => DeliveryState::Succeeded { at },
        Delivery::Conflict(at) => DeliveryState::Conflict { at },
        Delivery::NotApplicable(at) => DeliveryState::NotApplicable { at },
    })
}
