//! How an incident changes the org, and the lives of the machines that it strikes.

use chrono::{DateTime, Duration, Utc};

use super::assemble::Builder;
use super::blueprint::{Blueprint, CertificatePlan, Delivery, Placement};
use super::causes::{Dice, certificate, no_certificate, no_sign_in_since};
use super::faults_sign_in::BROKEN_BROWSER;
use super::incidents::{Incident, IncidentKind};
use super::oddities::Oddity;
use crate::world::{
    Actor, Challenge, Changed, Id, Issuer, Mdm, OwnAuthority, Probe, RuleEdit, Target,
};

/// What a member's life is like since the incident began.
pub(super) fn strike(
    incident: Incident,
    blueprint: &mut Blueprint,
    dice: &mut Dice<'_>,
    apps: &[Id],
) {
    let kind = incident.kind;
    let onset = dice.now - incident.began;
    blueprint.cause = kind.cause();
    blueprint.incident = Some(kind);
    blueprint.accounts[0].cause = kind.cause();
    blueprint.accounts[0].managed = false;
    let later = |dice: &mut Dice<'_>| {
        onset + Duration::seconds((incident.began.num_seconds() as f64 * dice.share()) as i64)
    };
    match kind {
        IncidentKind::SecretReset(_)
        | IncidentKind::ConfigurationDeleted(_)
        | IncidentKind::ChallengeFails
        | IncidentKind::DelegatedCredentialEnds
        | IncidentKind::AuthorityRenewed => {
            let at = later(dice);
            failed_since(blueprint, at);
            blueprint.error = kind.error();
            blueprint.also.push("profile_failed");
        }
        IncidentKind::IssuerDeleted(_) | IncidentKind::RevocationListUnreadable(_) => {
            blueprint.placement = Placement::Odd(Oddity::OwnAuthority);
            for plan in &mut blueprint.certificates {
                plan.issuer = Issuer::OwnAuthority;
            }
            blueprint.silent_since = Some(onset);
            let at = later(dice);
            blueprint.accounts[0].fastpass.push(at);
        }
        IncidentKind::PushCertificateEnds => {
            let at = later(dice);
            expired(blueprint, onset - Duration::days(2));
            blueprint.delivery = Delivery::Pending(at);
            blueprint.queue_since = Some(at);
            blueprint.also.extend(["profile_pending", "cert_expired"]);
        }
        IncidentKind::ScopeGroupDropped(mdm) => {
            let lost = later(dice);
            for plan in &mut blueprint.certificates {
                plan.lost = Some(lost);
            }
            blueprint.placement = Placement::Odd(Oddity::DroppedGroup);
            blueprint.delivery = Delivery::None;
            blueprint.profile_removed = Some(lost);
            blueprint.also.push("cert_missing");
            if mdm == Mdm::Jamf {
                blueprint.inventory = blueprint.inventory.max(lost + Duration::minutes(30));
            }
            let at = (lost + Duration::minutes(20)).min(dice.now);
            blueprint.accounts[0].fastpass.push(at);
        }
        IncidentKind::ExpiryCohort(_) => {
            let at = later(dice);
            expired(blueprint, at);
            blueprint.placement = Placement::Odd(Oddity::Cohort);
            blueprint.also.push("cert_expired");
        }
        IncidentKind::RecordsCleanedUp(_) => {
            let deleted = onset + Duration::seconds((dice.share() * 1_200.0) as i64);
            certificate(blueprint, deleted - Duration::days(60));
            blueprint.certificates[0].bound = Some(deleted - Duration::days(58));
            blueprint.certificates[0].revoked = Some((deleted, "pki.cert.lifecycle.delete"));
            blueprint.deleted_record = Some(deleted);
            blueprint.deleted_by_job = true;
            let again = deleted + (dice.now - deleted) / 3;
            if let Some(record) = &mut blueprint.record {
                record.created = again;
            }
            let owner = &mut blueprint.accounts[0];
            owner.linked = again;
            owner.fastpass = vec![deleted + (dice.now - deleted) / 2];
        }
        IncidentKind::FastPassSwitchedOff => {
            no_sign_in_since(blueprint, onset - Duration::hours(9));
            blueprint.also.push("fastpass_no_signin_since_cert");
        }
        IncidentKind::BrowserRelease(_) => {
            no_sign_in_since(blueprint, onset - Duration::hours(9));
            let (first, second) = (later(dice), later(dice));
            blueprint.accounts[0].failed = vec![first.min(second), first.max(second)];
            blueprint.computer.browser = BROKEN_BROWSER;
            blueprint.computer.probe = Probe::Blocked;
        }
        IncidentKind::ManagedRuleWeakened => {}
        IncidentKind::AppsRemapped => {
            blueprint.silent_since = Some(onset);
            blueprint.accounts[0].app = apps.get(dice.index(apps.len())).cloned();
            let at = later(dice);
            blueprint.accounts[0].fastpass.push(at);
        }
        IncidentKind::RuleGroupDropped => {
            blueprint.silent_since = Some(onset);
            blueprint.accounts[0].in_fastpass_group = false;
            blueprint.accounts[0].contractor = true;
            let at = later(dice);
            blueprint.accounts[0].fastpass.push(at);
        }
    }
}

/// A machine that is new: its first delivery failed.
fn failed_since(blueprint: &mut Blueprint, at: DateTime<Utc>) {
    no_certificate(blueprint);
    let enrolled = at - Duration::minutes(90);
    blueprint.mdm_enrolled = enrolled;
    blueprint.delivery = Delivery::Failed(at);
    if let Some(record) = &mut blueprint.record {
        record.created = enrolled;
    }
    let owner = &mut blueprint.accounts[0];
    owner.linked = enrolled;
    owner.fastpass = vec![enrolled + Duration::minutes(10)];
}

/// The certificate has ended, and was in use until then.
fn expired(blueprint: &mut Blueprint, at: DateTime<Utc>) {
    let issued = at - Duration::days(365);
    blueprint.mdm_enrolled = blueprint.mdm_enrolled.min(issued - Duration::days(1));
    blueprint.certificates = vec![CertificatePlan::issued(issued)];
    blueprint.delivery = Delivery::Installed(issued);
    let first = issued.max(blueprint.accounts[0].linked) + Duration::hours(20);
    blueprint.certificates[0].bound = Some(first).filter(|first| *first < at);
    let now = blueprint.last_contact.max(at);
    blueprint.accounts[0].fastpass.push(now);
}

impl Builder {
    /// Changes the org, and writes what the log shows of it.
    pub(super) fn begin_incident(&mut self, incident: Incident) {
        let now = self.state.now;
        let onset = now - incident.began;
        self.state.now = onset;
        self.change_org(incident.kind, onset);
        self.state.now = now;
        self.events.append(&mut self.state.log);
    }

    fn change_org(&mut self, kind: IncidentKind, onset: DateTime<Utc>) {
        let state = &mut self.state;
        match kind {
            IncidentKind::SecretReset(mdm) => {
                let configuration = state.org.pki.configuration_of_mut(mdm);
                configuration.challenge = Challenge::Static;
                state.reset_scep_secret(mdm);
            }
            IncidentKind::ConfigurationDeleted(mdm) => state.delete_scep_configuration(mdm),
            IncidentKind::ChallengeFails => {
                state
                    .org
                    .pki
                    .configuration_of_mut(Mdm::Jamf)
                    .challenge_works = false;
                state.log_platform("device.platform.update", Mdm::Jamf);
            }
            IncidentKind::DelegatedCredentialEnds => {
                state.mdm.intune.challenge_secret_expires = Some(onset);
            }
            IncidentKind::AuthorityRenewed => {
                state.renew_certificate_authority();
                state.roll_over_scep(Mdm::Intune);
            }
            IncidentKind::IssuerDeleted(_) => {
                state.org.own_authority = OwnAuthority::Deleted;
                let target = Target::Change(Changed::Issuer(OWN_AUTHORITY.to_owned()));
                state.log_change("pki.ca.delete", Actor::Admin, vec![target]);
            }
            IncidentKind::RevocationListUnreadable(_) => {
                state.org.own_authority = OwnAuthority::RevocationUnknown;
                let now = onset + Duration::hours(18);
                while state.now < now {
                    state.fail_crl_download(OWN_REVOCATION_LIST, 503);
                    state.now += Duration::hours(6);
                }
            }
            IncidentKind::PushCertificateEnds => {
                state.mdm.jamf.push_certificate_expires = Some(onset);
            }
            IncidentKind::FastPassSwitchedOff => state.set_fastpass_active(false),
            IncidentKind::ManagedRuleWeakened => {
                let edit = RuleEdit::AsksForManaged(false);
                state.edit_rule("Managed desktops", "Managed devices", edit);
            }
            IncidentKind::AppsRemapped => self.remap_apps(),
            IncidentKind::RuleGroupDropped => self.drop_group_from_rule(),
            // No event tells of these.
            IncidentKind::ScopeGroupDropped(_)
            | IncidentKind::ExpiryCohort(_)
            | IncidentKind::RecordsCleanedUp(_)
            | IncidentKind::BrowserRelease(_) => {}
        }
    }

    /// The apps that people open by habit, but for the one for checks.
    pub(super) fn habit_apps(&self) -> Vec<Id> {
        let apps = self.state.apps.values();
        apps.filter(|app| app.name == "saml_2_0")
            .map(|app| app.id.clone())
            .collect()
    }

    fn remap_apps(&mut self) {
        let unmapped = &self.landscape.unmapped_app;
        let Some(policy) = self.state.apps.get(unmapped).map(|app| app.policy.clone()) else {
            return;
        };
        for id in self.habit_apps() {
            if let Some(app) = self.state.apps.get_mut(&id) {
                app.policy = policy.clone();
            }
            let targets = vec![Target::App(id)];
            let kind = "application.policy.sign_on.update";
            self.state.log_change(kind, Actor::Admin, targets);
        }
    }

    fn drop_group_from_rule(&mut self) {
        let contractors = self.landscape.contractors.clone();
        let now = self.state.now;
        let policies = self.state.policies.values_mut();
        let mut rules = policies.flat_map(|policy| &mut policy.rules);
        let Some(rule) = rules.find(|rule| rule.include_groups.contains(&contractors)) else {
            return;
        };
        rule.include_groups.retain(|group| *group != contractors);
        rule.last_updated = now;
        let targets = vec![Target::Rule(rule.id.clone())];
        let kind = "application.policy.sign_on.update";
        self.state.log_change(kind, Actor::Admin, targets);
    }

    /// What an incident does to people whom it does not strike as its members.
    pub(super) fn sweep_along(&self, blueprint: &mut Blueprint) {
        for incident in &self.options.incidents {
            let onset = self.state.now - incident.began;
            match incident.kind {
                IncidentKind::FastPassSwitchedOff => {
                    for account in &mut blueprint.accounts {
                        account.fastpass.retain(|at| *at < onset);
                        account.failed.retain(|at| *at < onset);
                    }
                }
                IncidentKind::ManagedRuleWeakened => weakened(blueprint, onset, incident.kind),
                _ => {}
            }
        }
    }
}

/// Who has signed in since nothing asks for managed devices is no longer managed.
fn weakened(blueprint: &mut Blueprint, onset: DateTime<Utc>, kind: IncidentKind) {
    let mut struck = false;
    for account in &mut blueprint.accounts {
        let signed_in = account.fastpass.iter().any(|at| *at > onset);
        if account.managed && account.cause == "healthy" && signed_in {
            account.managed = false;
            account.cause = kind.cause();
            struck = true;
        }
    }
    if struck {
        blueprint.incident = Some(kind);
    }
    let earlier = blueprint.silent_since.unwrap_or(onset);
    blueprint.silent_since = Some(earlier.min(onset));
}

const OWN_AUTHORITY: &str = "Acme Device CA";
const OWN_REVOCATION_LIST: &str = "http://pki.acme.example/device-ca.crl";
