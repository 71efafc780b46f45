//! What admins and Okta itself change about the whole org: authorities, SCEP configurations,
//! authenticators, policies. Each act changes the world and writes the event that the log would show.

use chrono::{DateTime, Utc};

use super::{Actor, EarlyAccess, Id, Mdm, ProfileKind, ScepConfiguration, State, Target, World};

/// What such an event is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Changed {
    /// A SCEP configuration by id.
    Configuration(Id),
    /// A certificate of one of Okta's own authorities, by key id.
    Certificate(String),
    /// An issuer that an admin uploaded, by name.
    Issuer(String),
    /// The revocation list of an uploaded issuer, and what the download was answered.
    RevocationList { url: String, status: u16 },
    /// The Okta Verify authenticator by id.
    OktaVerify(Id),
    /// A policy by id.
    Policy(Id),
}

/// An edit of one rule of a policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RuleEdit {
    /// Whether it asks for a registered and managed device.
    AsksForManaged(bool),
    /// Whether it is in force.
    Active(bool),
    /// Its place; lower comes first.
    Priority(u32),
    /// After how long a session has to prove itself again, as an ISO 8601 duration.
    ReauthenticateIn(&'static str),
}

impl World {
    /// An admin resets the secret of the SCEP configuration that this MDM uses: the one in its
    /// profiles stops working at once, until somebody edits them.
    pub fn reset_scep_secret(&self, mdm: Mdm) {
        self.with(|state| state.reset_scep_secret(mdm));
    }

    /// An admin deletes the SCEP configuration: its address is gone, its certificates go on attesting.
    pub fn delete_scep_configuration(&self, mdm: Mdm) {
        self.with(|state| state.delete_scep_configuration(mdm));
    }

    /// An admin sets up another configuration of the same kind. Profiles go on naming the old one.
    pub fn add_scep_configuration(&self, mdm: Mdm) {
        self.with(|state| {
            let (created, id) = (state.now, state.ids.okta("rac"));
            let pki = &mut state.org.pki;
            let added = ScepConfiguration {
                id: id.clone(),
                mdm: None,
                created,
                deleted: false,
                secret_reset: None,
                challenge_works: true,
                ..pki.configuration_of(mdm).clone()
            };
            pki.configurations.push(added);
            let targets = vec![Target::Change(Changed::Configuration(id))];
            state.log_change("device.platform.add", Actor::Admin, targets);
        });
    }

    /// Somebody gives the attestation profiles of this MDM the address and the secret of the newest
    /// configuration of its kind, or only the present secret where there is no newer one.
    pub fn enter_scep_configuration(&self, mdm: Mdm) {
        self.with(|state| {
            state.org.pki.adopt_newest(mdm);
            state.edit_profiles(mdm, |kind| matches!(kind, ProfileKind::Scep { .. }));
        });
    }

    /// The challenge stops working or works again, as when the Entra app's secret expires and is
    /// replaced. Only entering a new one shows in the log.
    pub fn set_challenge_works(&self, mdm: Mdm, works: bool) {
        self.with(|state| {
            state.org.pki.configuration_of_mut(mdm).challenge_works = works;
            if works {
                state.log_platform("device.platform.update", mdm);
            }
        });
    }

    /// Okta replaces the certificate of its attestation authority. Configurations stay on the old one.
    pub fn renew_certificate_authority(&self) {
        self.with(State::renew_certificate_authority);
    }

    /// The attestation authority's newest certificate has had this end all along.
    pub fn set_authority_expiry(&self, ends: DateTime<Utc>) {
        self.with(|state| state.org.pki.set_expiry(ends));
    }

    /// An admin moves a configuration onto the renewed authority; its address stays.
    pub fn roll_over_scep(&self, mdm: Mdm) {
        self.with(|state| state.roll_over_scep(mdm));
    }

    /// Somebody puts the newest certificate of the attestation authority into the trusted-certificate
    /// profiles of this MDM.
    pub fn distribute_certificate_authority(&self, mdm: Mdm) {
        self.with(|state| {
            let newest = state.org.pki.attestation().certificates.last();
            let Some(newest) = newest.map(|certificate| certificate.ski.clone()) else {
                return;
            };
            state.edit_profiles(mdm, |kind| {
                if let ProfileKind::TrustedCertificate { ski } = kind {
                    ski.clone_from(&newest);
                    return true;
                }
                false
            });
        });
    }

    /// Okta warns of an uploaded issuer that ends; the reason as the log writes it.
    pub fn warn_of_issuer_expiry(&self, issuer: &str, reason: &'static str) {
        self.with(|state| {
            let targets = vec![Target::Change(Changed::Issuer(issuer.to_owned()))];
            let mut event = state.event("pki.ca.expiration.warn", Actor::System, targets);
            event.reason = Some(reason);
            state.log(event);
        });
    }

    /// An admin uploads an issuer of the company's own, or takes it out.
    pub fn set_issuer_uploaded(&self, issuer: &str, uploaded: bool) {
        let kind = if uploaded {
            "pki.ca.add"
        } else {
            "pki.ca.delete"
        };
        self.with(|state| {
            let targets = vec![Target::Change(Changed::Issuer(issuer.to_owned()))];
            state.log_change(kind, Actor::Admin, targets);
        });
    }

    /// Okta cannot fetch the revocation list of an uploaded issuer.
    pub fn fail_crl_download(&self, url: &str, status: u16) {
        self.with(|state| state.fail_crl_download(url, status));
    }

    /// How the Early Access read of the certificate authorities answers from now on.
    pub fn set_ca_api(&self, answers: EarlyAccess) {
        self.with(|state| state.org.ca_api = answers);
    }

    /// An admin switches Okta Verify off or on for the whole org.
    pub fn set_okta_verify_active(&self, active: bool) {
        self.with(|state| {
            state.okta_verify.active = active;
            state.log_authenticator(active);
        });
    }

    /// An admin switches FastPass off or on; that it writes this event too is UNVERIFIED.
    pub fn set_fastpass_active(&self, active: bool) {
        self.with(|state| state.set_fastpass_active(active));
    }

    /// An admin edits a rule of a policy (both by name); says whether there is such a rule.
    pub fn edit_rule(&self, policy: &str, rule: &str, edit: RuleEdit) -> bool {
        self.with(|state| state.edit_rule(policy, rule, edit))
    }
}

impl State {
    /// As [`World::reset_scep_secret`], now.
    pub(crate) fn reset_scep_secret(&mut self, mdm: Mdm) {
        self.org.pki.configuration_of_mut(mdm).secret_reset = Some(self.now);
        self.log_platform("device.platform.secret_key.reset", mdm);
    }

    /// As [`World::delete_scep_configuration`], now.
    pub(crate) fn delete_scep_configuration(&mut self, mdm: Mdm) {
        self.org.pki.configuration_of_mut(mdm).deleted = true;
        self.log_platform("device.platform.delete", mdm);
    }

    /// As [`World::renew_certificate_authority`], now.
    pub(crate) fn renew_certificate_authority(&mut self) {
        let now = self.now;
        let old = self.org.pki.attestation().certificates.last();
        let old = old.map(|certificate| certificate.ski.clone());
        let new = self.org.pki.renew(now).ski.clone();
        let certificate = |ski| Target::Change(Changed::Certificate(ski));
        let mut targets = vec![certificate(new.clone())];
        targets.extend(old.map(certificate));
        self.log_change("pki.ca.renew", Actor::System, targets);
        let targets = vec![certificate(new)];
        self.log_change("pki.cert.lifecycle.activate", Actor::System, targets);
    }

    /// As [`World::roll_over_scep`], now.
    pub(crate) fn roll_over_scep(&mut self, mdm: Mdm) {
        self.org.pki.roll_over(mdm, self.now);
        self.log_platform("device.platform.renew", mdm);
    }

    /// As [`World::fail_crl_download`], now.
    pub(crate) fn fail_crl_download(&mut self, url: &str, status: u16) {
        let url = url.to_owned();
        let targets = vec![Target::Change(Changed::RevocationList { url, status })];
        let kind = "pki.cert.crl_download_failure";
        let mut event = self.event(kind, Actor::System, targets);
        event.outcome = "FAILURE";
        self.log(event);
    }

    /// As [`World::set_fastpass_active`], now.
    pub(crate) fn set_fastpass_active(&mut self, active: bool) {
        self.okta_verify.fastpass_active = active;
        self.log_authenticator(active);
    }

    /// As [`World::edit_rule`], now.
    pub(crate) fn edit_rule(&mut self, policy: &str, rule: &str, edit: RuleEdit) -> bool {
        let now = self.now;
        let Some(found) = self
            .policies
            .values_mut()
            .find(|candidate| candidate.name == policy)
        else {
            return false;
        };
        let (id, kind) = (found.id.clone(), found.kind);
        let Some(rule) = found.rules.iter_mut().find(|known| known.name == rule) else {
            return false;
        };
        match edit {
            RuleEdit::AsksForManaged(asks) => {
                rule.registered = asks.then_some(true);
                rule.managed = asks.then_some(true);
            }
            RuleEdit::Active(active) => rule.active = active,
            RuleEdit::Priority(priority) => rule.priority = priority,
            RuleEdit::ReauthenticateIn(time) => rule.reauthenticate_in = time,
        }
        rule.last_updated = now;
        found.last_updated = now;
        let mut targets = vec![Target::Rule(rule.id.clone())];
        let event = match kind {
            "ACCESS_POLICY" => "application.policy.sign_on.update",
            _ => "policy.rule.update",
        };
        targets.push(Target::Change(Changed::Policy(id)));
        self.log_change(event, Actor::Admin, targets);
        true
    }

    /// Edits the profiles of an MDM for which `edit` says that it changed something.
    pub(crate) fn edit_profiles(
        &mut self,
        mdm: Mdm,
        mut edit: impl FnMut(&mut ProfileKind) -> bool,
    ) {
        let now = self.now;
        for profile in self.profiles.iter_mut().filter(|found| found.mdm == mdm) {
            if edit(&mut profile.kind) {
                profile.modified = now;
                profile.version += 1;
            }
        }
    }

    /// Writes an event about the SCEP configuration of this MDM, by an admin.
    pub(crate) fn log_platform(&mut self, kind: &'static str, mdm: Mdm) {
        let id = self.org.pki.configuration_of(mdm).id.clone();
        let targets = vec![Target::Change(Changed::Configuration(id))];
        self.log_change(kind, Actor::Admin, targets);
    }

    fn log_authenticator(&mut self, active: bool) {
        let kind = match active {
            true => "security.authenticator.lifecycle.activate",
            false => "security.authenticator.lifecycle.deactivate",
        };
        let id = self.okta_verify.id.clone();
        let targets = vec![Target::Change(Changed::OktaVerify(id))];
        self.log_change(kind, Actor::Admin, targets);
    }

    /// Writes an event of this kind.
    pub(crate) fn log_change(&mut self, kind: &'static str, actor: Actor, targets: Vec<Target>) {
        let event = self.event(kind, actor, targets);
        self.log(event);
    }

    /// Whether the endpoint named by profiles of this MDM gives certificates to who has the secret of
    /// that time.
    pub(crate) fn scep_accepts(&self, mdm: Mdm, secret_of: DateTime<Utc>) -> bool {
        let configuration = self.org.pki.configuration_of(mdm);
        let answers = mdm != Mdm::Intune
            || self
                .mdm
                .intune
                .challenge_secret_expires
                .is_none_or(|ends| ends > self.now);
        let current = configuration
            .secret_reset
            .is_none_or(|reset| reset <= secret_of);
        current && answers && configuration.challenge_works && !configuration.deleted
    }
}

#[cfg(test)]
mod tests;
