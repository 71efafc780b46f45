//! The System Log that a life left behind, as far as Okta keeps it.

use chrono::{DateTime, Duration, Utc};

use super::assemble::Builder;
use super::blueprint::{Account, Blueprint};
use crate::world::{Actor, DeviceStatus, Id, Issuer, LogDevice, Target};

impl Builder {
    pub(super) fn put_history(
        &mut self,
        blueprint: &Blueprint,
        device: Option<&Id>,
        certificates: &[Id],
    ) {
        self.certificate_history(blueprint, certificates);
        self.deleted_record_history(blueprint, certificates);
        let Some(device) = device else { return };
        self.lifecycle_history(blueprint, device);
        for (index, account) in blueprint.accounts.iter().enumerate() {
            self.sign_in_history(blueprint, index, account, device);
        }
    }

    fn certificate_history(&mut self, blueprint: &Blueprint, certificates: &[Id]) {
        for (plan, serial) in blueprint.certificates.iter().zip(certificates) {
            if plan.copied {
                continue;
            }
            let target = Target::Certificate(serial.clone());
            if plan.issuer == Issuer::Org && self.options.pki_issue_events {
                self.add(
                    plan.issued,
                    "pki.cert.issue",
                    Actor::System,
                    vec![target.clone()],
                );
            }
            let bound = self
                .state
                .certificates
                .get(serial)
                .and_then(|certificate| certificate.bound.clone());
            if let (Some(at), Some(device)) = (plan.bound, bound.clone()) {
                let actor = Actor::User(blueprint.accounts[0].person.clone());
                let targets = vec![Target::Device(device.clone()), target.clone()];
                if self.add(at, "pki.cert.bind", actor, targets)
                    && let Some(event) = self.events.last_mut()
                {
                    event.device = Some(LogDevice {
                        id: device,
                        managed: true,
                        registered: true,
                    });
                }
            }
            if let Some((at, kind)) = plan.revoked {
                let mut targets = vec![target];
                targets.extend(bound.map(Target::Device));
                self.add(at, kind, Actor::System, targets);
            }
        }
    }

    fn deleted_record_history(&mut self, blueprint: &Blueprint, certificates: &[Id]) {
        let Some(deleted) = blueprint.deleted_record else {
            return;
        };
        let record = certificates
            .iter()
            .filter_map(|serial| self.state.certificates.get(serial)?.bound.clone())
            .find(|bound| self.state.deleted_devices.contains_key(bound));
        let Some(record) = record else { return };
        let target = || vec![Target::Device(record.clone())];
        let before = deleted - Duration::minutes(2);
        self.add(
            before,
            "device.lifecycle.deactivate",
            Actor::Admin,
            target(),
        );
        self.add(deleted, "device.lifecycle.delete", Actor::Admin, target());
    }

    fn lifecycle_history(&mut self, blueprint: &Blueprint, device: &Id) {
        let Some(record) = blueprint.record else {
            return;
        };
        let target = || vec![Target::Device(device.clone())];
        let owner = Actor::User(blueprint.accounts[0].person.clone());
        self.add(record.created, "device.enrollment.create", owner, target());
        for account in &blueprint.accounts {
            let actor = Actor::User(account.person.clone());
            self.add(account.linked, "device.user.add", actor, target());
        }
        if let Some(at) = record.changed {
            let kind = match record.status {
                DeviceStatus::Suspended => "device.lifecycle.suspend",
                DeviceStatus::Deactivated => "device.lifecycle.deactivate",
                DeviceStatus::Active | DeviceStatus::Created => "device.lifecycle.activate",
            };
            self.add(at, kind, Actor::Admin, target());
        }
        if let Some(at) = blueprint.past_suspension {
            let lifted = at + Duration::hours(22);
            self.add(at, "device.lifecycle.suspend", Actor::Admin, target());
            self.add(lifted, "device.lifecycle.unsuspend", Actor::Admin, target());
        }
    }

    fn sign_in_history(
        &mut self,
        blueprint: &Blueprint,
        index: usize,
        account: &Account,
        device: &Id,
    ) {
        for at in &account.fastpass {
            if !self.kept(*at) {
                continue;
            }
            let managed = blueprint.attested(index, *at);
            let events = self.state.fastpass_events(&account.person, device, managed);
            let count = if self.large { 1 } else { events.len() };
            for mut event in events.into_iter().take(count) {
                event.published = *at;
                self.events.push(event);
            }
        }
        let user = || vec![Target::User(account.person.clone())];
        for at in &account.push {
            let actor = Actor::User(account.person.clone());
            if self.add(*at, "user.authentication.auth_via_mfa", actor, user())
                && let Some(event) = self.events.last_mut()
            {
                event.factor = Some("OKTA_VERIFY_PUSH");
                event.device = Some(LogDevice {
                    id: device.clone(),
                    managed: false,
                    registered: true,
                });
            }
        }
        for at in &account.failed {
            let actor = Actor::User(account.person.clone());
            if self.add(*at, "user.authentication.auth_via_mfa", actor, user())
                && let Some(event) = self.events.last_mut()
            {
                event.factor = Some("SIGNED_NONCE");
                event.outcome = "FAILURE";
                event.reason = Some("INVALID_CREDENTIALS");
                event.device = Some(LogDevice {
                    id: device.clone(),
                    managed: false,
                    registered: true,
                });
            }
        }
    }

    fn kept(&self, at: DateTime<Utc>) -> bool {
        at <= self.state.now && self.state.now - at < Duration::days(90)
    }

    /// Adds an event of that time if the log still holds it.
    fn add(
        &mut self,
        at: DateTime<Utc>,
        kind: &'static str,
        actor: Actor,
        targets: Vec<Target>,
    ) -> bool {
        if !self.kept(at) {
            return false;
        }
        let mut event = self.state.event(kind, actor, targets);
        event.published = at;
        self.events.push(event);
        true
    }
}
