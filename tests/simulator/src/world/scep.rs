//! Certificates: how they are issued over SCEP, come and go with profiles, and die unused.

use chrono::{DateTime, Duration, Utc};

use super::{
    Actor, Certificate, Effect, HeldCertificate, Id, InstalledProfile, Inventory, Issuer,
    MachineKey, Mdm, ProfileKey, ProfileKind, ScepError, ScepHealth, SeenCertificate, SeenProfile,
    State, Store, Target,
};

/// A client certificate lives for a year.
pub(crate) const VALIDITY: Duration = Duration::days(365);
/// How the endpoint's refusal reads on a device.
pub(crate) const REFUSED: ScepError = ScepError {
    domain: "MCSCEPErrorDomain",
    code: 22013,
    text: "The SCEP server returned an invalid response.",
    issuance: "responseProcessingFailed",
};
/// The CA certificate that was delivered is not the one that the SCEP server sent.
pub(crate) const WRONG_HASH: ScepError = ScepError {
    domain: "Windows",
    code: -2_146_889_721,
    text: "The hash value is not correct.",
    issuance: "responseProcessingFailed",
};
/// On this day after its issue, a certificate that was never used is revoked.
pub(crate) const REVOKED_UNUSED_AFTER: Duration = Duration::days(91);

impl State {
    /// Installs a profile now. A SCEP profile enrols for a new certificate, even if it is already there.
    pub(crate) fn install_profile(
        &mut self,
        machine: MachineKey,
        profile: ProfileKey,
        store: Store,
    ) -> Result<(), ScepError> {
        if let ProfileKind::Scep {
            all_apps_access,
            may_sign,
            readable,
            issuer,
            subject,
            ..
        } = self.profile(profile).kind
        {
            match &mut self.machine_mut(machine).scep {
                ScepHealth::Fails { times, error } if *times > 0 => {
                    *times -= 1;
                    return Err(error.clone());
                }
                ScepHealth::Silent { times } if *times > 0 => *times -= 1,
                _ => {
                    if let Some(error) = self.scep_refusal(profile) {
                        return Err(error);
                    }
                    let usable = all_apps_access && may_sign && readable;
                    let common_name = match subject {
                        Some(subject) => subject.to_owned(),
                        None => self.common_name(machine, &store),
                    };
                    let serial = self.issue_certificate(common_name, issuer);
                    self.hold_certificate(machine, profile, store.clone(), serial, usable);
                }
            }
        }
        let now = self.now;
        let held = self.machine_mut(machine);
        held.profiles
            .retain(|installed| !(installed.profile == profile && installed.store == store));
        held.profiles.push(InstalledProfile {
            profile,
            store,
            installed: now,
        });
        Ok(())
    }

    /// Why a request that reaches this org's endpoint brings no certificate, if it does not.
    fn scep_refusal(&self, profile: ProfileKey) -> Option<ScepError> {
        let profile = self.profile(profile);
        let ProfileKind::Scep {
            issuer: Issuer::Org,
            trusted,
            ..
        } = profile.kind
        else {
            return None;
        };
        if !self.scep_accepts(profile.mdm, profile.modified) {
            return Some(REFUSED);
        }
        // Windows compares the issuing certificate with the one of the trusted-certificate profile.
        let aki = &self.org.pki.configuration_of(profile.mdm).aki;
        let differs = trusted.is_some_and(|trusted| match &self.profile(trusted).kind {
            ProfileKind::TrustedCertificate { ski } => ski != aki,
            _ => false,
        });
        differs.then_some(WRONG_HASH)
    }

    /// Removes a profile and the certificates that came with it.
    pub(crate) fn uninstall_profile(
        &mut self,
        machine: MachineKey,
        profile: ProfileKey,
        store: &Store,
    ) {
        let held = self.machine_mut(machine);
        held.profiles
            .retain(|installed| !(installed.profile == profile && installed.store == *store));
        held.certificates
            .retain(|held| !(held.profile == Some(profile) && held.store == *store));
    }

    fn hold_certificate(
        &mut self,
        machine: MachineKey,
        profile: ProfileKey,
        store: Store,
        serial: Id,
        key_usable: bool,
    ) {
        let held = self.machine_mut(machine);
        // The new enrolment of the same profile replaces the key pair of the old one.
        held.certificates
            .retain(|held| !(held.profile == Some(profile) && held.store == store));
        held.certificates.push(HeldCertificate {
            serial,
            store,
            key_usable,
            profile: Some(profile),
        });
    }

    /// Okta's CA issues a certificate now and plans to revoke it if it stays unused.
    pub(crate) fn issue_certificate(&mut self, common_name: String, issuer: Issuer) -> Id {
        let issued = self.now;
        let serial = self.new_certificate(common_name, issuer, issued);
        if issuer == Issuer::Org {
            if self.org.issue_events {
                let target = Target::Certificate(serial.clone());
                let event = self.event("pki.cert.issue", Actor::System, vec![target]);
                self.log(event);
            }
            let certificate = serial.clone();
            self.schedule(
                issued + REVOKED_UNUSED_AFTER,
                Effect::RevokeUnused { certificate },
            );
        }
        serial
    }

    /// A certificate as it was issued at some time, without any of the consequences.
    pub(crate) fn new_certificate(
        &mut self,
        common_name: String,
        issuer: Issuer,
        issued: DateTime<Utc>,
    ) -> Id {
        let serial: Id = self.ids.hex(32).into();
        let thumbprint = self.ids.hex(40).to_lowercase();
        self.certificates.insert(
            serial.clone(),
            Certificate {
                serial: serial.clone(),
                common_name,
                issuer,
                issued,
                valid_from: issued,
                expires: issued + VALIDITY,
                revoked: None,
                bound: None,
                thumbprint,
            },
        );
        serial
    }

    /// The subject that the MDM's profile asks for.
    pub(crate) fn common_name(&self, machine: MachineKey, store: &Store) -> String {
        let held = self.machine(machine);
        match (held.mdm, store) {
            (Some(Mdm::Intune), _) => {
                let entra = self
                    .intune_of(machine)
                    .map_or(held.udid.as_str(), |device| &device.entra_device_id);
                let name = match store.user().and_then(|user| self.people.get(user)) {
                    Some(person) => person.login.clone(),
                    None => held.name.clone(),
                };
                format!("{name} managementAttestation {entra}")
            }
            (_, Store::User(user)) => {
                let email = self
                    .people
                    .get(user)
                    .map_or(&**user, |person| &person.email);
                format!("{email} managementAttestation {}", held.udid)
            }
            (_, Store::Machine) => format!("{} managementAttestation {}", held.name, held.udid),
        }
    }

    pub(crate) fn revoke_if_unused(&mut self, serial: &Id) {
        let unused = self.certificates.get(serial).is_some_and(|certificate| {
            certificate.bound.is_none() && certificate.revoked.is_none()
        });
        if unused {
            self.revoke(serial, "pki.cert.lifecycle.revoke");
        }
    }

    /// Revokes a certificate now and writes the event of this kind.
    pub(crate) fn revoke(&mut self, serial: &Id, kind: &'static str) {
        let now = self.now;
        if let Some(certificate) = self.certificates.get_mut(serial) {
            certificate.revoked = Some(now);
            let mut targets = vec![Target::Certificate(serial.clone())];
            targets.extend(certificate.bound.clone().map(Target::Device));
            let event = self.event(kind, Actor::System, targets);
            self.log(event);
        }
    }

    /// What an MDM agent reads on the machine now.
    pub(crate) fn read_inventory(&self, machine: MachineKey) -> Inventory {
        let held = self.machine(machine);
        Inventory {
            taken: self.now,
            os_version: held.os_version.clone(),
            okta_verify: held.okta_verify.clone(),
            certificates: held
                .certificates
                .iter()
                .map(|certificate| SeenCertificate {
                    serial: certificate.serial.clone(),
                    store: certificate.store.clone(),
                    profile: certificate.profile,
                })
                .collect(),
            profiles: held
                .profiles
                .iter()
                .map(|profile| SeenProfile {
                    profile: profile.profile,
                    store: profile.store.clone(),
                    installed: profile.installed,
                })
                .collect(),
        }
    }
}
