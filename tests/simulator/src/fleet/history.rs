//! The System Log that a life left behind, as far as Okta keeps it.

use chrono::{DateTime, Duration, Utc};

use super::assemble::Builder;
use super::blueprint::{Account, Blueprint};
use crate::world::{Actor, DeviceStatus, Id, Issuer, LogDevice, MachineKey, Method, Probe, Target};

/// The API token of the job that clears old records away.
const CLEAN_UP_TOKEN: &str = "00Tcleanupjob0acme00";

impl Builder {
    pub(super) fn put_history(
        &mut self,
        blueprint: &Blueprint,
        machine: MachineKey,
        device: Option<&Id>,
        certificates: &[Id],
    ) {
        self.certificate_history(blueprint, certificates);
        self.deleted_record_history(blueprint, machine);
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

    fn deleted_record_history(&mut self, blueprint: &Blueprint, machine: MachineKey) {
        let Some(deleted) = blueprint.deleted_record else {
            return;
        };
        let mut deleted_records = self.state.deleted_devices.values();
        let Some(record) = deleted_records
            .find(|record| record.machine == Some(machine))
            .map(|record| record.id.clone())
        else {
            return;
        };
        let actor = match blueprint.deleted_by_job {
            true => Actor::Token(CLEAN_UP_TOKEN),
            false => Actor::Admin,
        };
        let target = || vec![Target::Device(record.clone())];
        let before = deleted - Duration::minutes(2);
        let deactivate = "device.lifecycle.deactivate";
        self.add(before, deactivate, actor.clone(), target());
        self.add(deleted, "device.lifecycle.delete", actor, target());
    }

    fn lifecycle_history(&mut self, blueprint: &Blueprint, device: &Id) {
        let Some(record) = blueprint.record else {
            return;
        };
        let target = || vec![Target::Device(device.clone())];
        if record.imported {
            return;
        }
        let owner = Actor::User(blueprint.accounts[0].person.clone());
        for at in &blueprint.enrolments {
            let kind = "device.enrollment.create";
            self.add(*at, kind, owner.clone(), target());
        }
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
            let used = match blueprint.computer.probe {
                Probe::LinkOnly => Method::FastPassByLink,
                Probe::Works | Probe::Blocked => Method::FastPass,
            };
            let app = match &account.app {
                Some(app) => app.clone(),
                None => self.state.targets.sign_in_app.as_str().into(),
            };
            let person = &account.person;
            let events = self
                .state
                .fastpass_events(person, device, managed, &app, used);
            let count = if self.large { 1 } else { events.len() };
            for mut event in events.into_iter().take(count) {
                event.published = *at;
                self.events.push(event);
            }
        }
        self.device_session_history(account, device);
        let client = self.state.client_of(device);
        let user = || vec![Target::User(account.person.clone())];
        let push = format!("opf{}", &account.person[3..]);
        for at in &account.push {
            let actor = Actor::User(account.person.clone());
            let mut targets = user();
            targets.push(Target::Enrolment {
                id: push.as_str().into(),
                used: Method::Push,
            });
            if self.add(*at, "user.authentication.auth_via_mfa", actor, targets)
                && let Some(event) = self.events.last_mut()
            {
                event.client = client;
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
                event.client = client;
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

    /// Apps opened because the machine itself has a session (Device-Bound SSO).
    fn device_session_history(&mut self, account: &Account, device: &Id) {
        let Some(first) = account.by_device_session.first() else {
            return;
        };
        let session: Id = format!("dvs{}", &device[3..]).into();
        let client = self.state.client_of(device);
        let actor = || Actor::User(account.person.clone());
        let start = "user.device_session.start";
        let app: Id = match &account.app {
            Some(app) => app.clone(),
            None => self.state.targets.sign_in_app.as_str().into(),
        };
        let mut events = vec![(*first, start, vec![Target::Device(device.clone())])];
        for at in &account.by_device_session {
            let targets = vec![Target::App(app.clone())];
            events.push((*at, "user.authentication.sso", targets));
        }
        for (at, kind, targets) in events {
            if self.add(at, kind, actor(), targets)
                && let Some(event) = self.events.last_mut()
            {
                event.client = client;
                event.device_session = Some(session.clone());
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
