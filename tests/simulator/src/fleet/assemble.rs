//! Draws healthy lives, lets faults change them, and writes the result into the world.

use std::collections::BTreeMap;

use chrono::{DateTime, Duration, Utc};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::blueprint::{
    Account, Blueprint, CertificatePlan, Computer, Delivery, Placement, RecordPlan, SerialShown,
};
use super::causes::{self, Dice};
use super::incident_strikes;
use super::incidents::{Incident, IncidentKind};
use super::mdm_records::TRANSIENT;
use super::org::Landscape;
use super::truth::Truth;
use super::{FleetOptions, ScriptedDevice};
use crate::world::{
    Browser, DeviceStatus, Effect, Id, LogEvent, MachineKey, Mdm, State, UserStatus,
};

/// Fleets above this size keep a thinner history.
const LARGE: usize = 20_000;

/// Makes machines one after the other.
pub(super) struct Builder {
    pub state: State,
    pub landscape: Landscape,
    pub options: FleetOptions,
    pub large: bool,
    pub events: Vec<LogEvent>,
    pub rng: StdRng,
    pub truths: Vec<Truth>,
    /// Sets machines up for others.
    pub technician: Id,
    /// How many machines will stand behind the wall of one site.
    pub walled_in: usize,
    healthy_owners: Vec<Id>,
    /// The latest certificate of a healthy machine of each MDM, to copy from.
    pub healthy_certificates: BTreeMap<Mdm, Id>,
}

/// What noise took away from a machine's records.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Missing {
    pub okta_serial: bool,
    pub okta_udid: bool,
    pub okta_os_version: bool,
    pub mdm_email: bool,
}

impl Builder {
    pub(super) fn new(
        state: State,
        landscape: Landscape,
        options: FleetOptions,
        devices: usize,
    ) -> Self {
        let mut state = state;
        let rng = StdRng::from_rng(&mut state.ids.rng);
        let mut builder = Self {
            state,
            landscape,
            options,
            large: devices > LARGE,
            events: Vec::new(),
            rng,
            truths: Vec::new(),
            technician: "".into(),
            walled_in: 0,
            healthy_owners: Vec::new(),
            healthy_certificates: BTreeMap::new(),
        };
        builder.technician = builder.new_person();
        builder
    }

    pub(super) fn rng(&mut self) -> &mut StdRng {
        &mut self.rng
    }

    pub(super) fn now(&self) -> DateTime<Utc> {
        self.state.now
    }

    /// A person of the pool who has a healthy machine.
    pub(super) fn any_healthy_owner(&mut self) -> Option<Id> {
        if self.healthy_owners.is_empty() {
            return None;
        }
        let index = self.rng.random_range(0..self.healthy_owners.len());
        Some(self.healthy_owners[index].clone())
    }

    /// One machine with this fault; a scripted one has neither noise nor chance owners.
    pub(super) fn machine(
        &mut self,
        cause: &'static str,
        mdm: Mdm,
        scripted: Option<&ScriptedDevice>,
    ) {
        if cause == "cert_bound_to_other_device" && !self.healthy_certificates.contains_key(&mdm) {
            self.machine("healthy", mdm, None);
        }
        let owner = match scripted {
            Some(script) => self.scripted_owner(script),
            None if cause == "healthy" && self.rng.random_bool(0.12) => self
                .any_healthy_owner()
                .unwrap_or_else(|| self.new_person()),
            None => self.new_person(),
        };
        let mut blueprint = self.healthy(cause, mdm, owner.clone());
        self.vary(&mut blueprint);
        let now = self.now();
        let mut dice = Dice {
            now,
            rng: &mut self.rng,
            land: &self.landscape,
            technician: &self.technician,
        };
        causes::apply(&mut blueprint, &mut dice);
        if cause == "shared_user_store_only" {
            self.add_second_user(&mut blueprint);
        }
        let missing = match scripted {
            Some(_) => Missing::default(),
            None => self.missing(&mut blueprint),
        };
        let key = self.assemble(blueprint, missing);
        if let Some(script) = scripted {
            self.rename(key, script);
        }
        if cause == "healthy" && scripted.is_none() {
            self.healthy_owners.push(owner);
        }
    }

    /// A machine whose life is changed by hand.
    pub(super) fn neighbour(
        &mut self,
        cause: &'static str,
        mdm: Mdm,
        change: impl FnOnce(&mut Blueprint, &mut Dice<'_>),
    ) {
        let owner = self.new_person();
        let mut blueprint = self.healthy(cause, mdm, owner);
        let now = self.now();
        let mut dice = Dice {
            now,
            rng: &mut self.rng,
            land: &self.landscape,
            technician: &self.technician,
        };
        change(&mut blueprint, &mut dice);
        self.assemble(blueprint, Missing::default());
    }

    /// A machine that an incident strikes, and that would have been healthy.
    pub(super) fn struck(&mut self, incident: Incident, mdm: Mdm) {
        let owner = self.new_person();
        let apps = self.habit_apps();
        let mdm = incident.kind.mdm().unwrap_or(mdm);
        let mut blueprint = self.healthy("healthy", mdm, owner);
        if incident.kind != IncidentKind::ManagedRuleWeakened {
            blueprint.computer.browser = Browser::USUAL;
            let mut dice = Dice {
                now: self.state.now,
                rng: &mut self.rng,
                land: &self.landscape,
                technician: &self.technician,
            };
            incident_strikes::strike(incident, &mut blueprint, &mut dice, &apps);
        }
        self.assemble(blueprint, Missing::default());
    }

    fn healthy(&mut self, cause: &'static str, mdm: Mdm, owner: Id) -> Blueprint {
        let sign_ins = if self.large { 1 } else { 3 };
        let (youngest, oldest) = self.options.inventory_age_days;
        let now = self.now();
        let mut dice = Dice {
            now,
            rng: &mut self.rng,
            land: &self.landscape,
            technician: &self.technician,
        };
        let mdm_enrolled = dice.days_ago(30.0, 700.0);
        let age = (now - mdm_enrolled).num_days() as f64;
        let issued = dice.days_ago(4.0, age.min(330.0));
        let created = mdm_enrolled + (now - dice.days_ago(0.1, 2.0));
        let bound = issued.max(created) + (now - dice.days_ago(0.05, 0.9));
        let contact = dice.days_ago(0.01, 0.3);
        let inventory = dice.days_ago(youngest.max(0.01), oldest.max(youngest + 0.02));
        let mut fastpass: Vec<_> = (0..sign_ins)
            .map(|day| dice.days_ago(f64::from(day) + 0.02, f64::from(day) + 0.4))
            .collect();
        fastpass.push(bound);
        fastpass.sort();
        let mut plan = CertificatePlan::issued(issued);
        plan.bound = Some(bound);
        let computer = Computer::usual(mdm, cause == "healthy" && dice.chance(0.2));
        Blueprint {
            cause,
            undecidable: None,
            also: Vec::new(),
            incident: None,
            mdm,
            computer,
            enrolled_in_mdm: true,
            mdm_enrolled,
            last_contact: contact.max(inventory),
            inventory,
            online: true,
            mdm_broken: false,
            push_enabled: true,
            placement: Placement::Standard,
            in_scope: true,
            delivery: Delivery::Installed(issued),
            error: TRANSIENT,
            error_stays: false,
            profile_removed: None,
            queue_since: None,
            without_primary_user: false,
            mdm_user: None,
            certificates: vec![plan],
            record: Some(RecordPlan {
                status: DeviceStatus::Active,
                created,
                imported: false,
                changed: None,
            }),
            accounts: vec![Account {
                person: owner,
                cause: "healthy",
                linked: created,
                enrolled: true,
                managed: true,
                fastpass,
                push: Vec::new(),
                failed: Vec::new(),
                by_device_session: Vec::new(),
                app: None,
                groups: Vec::new(),
                in_fastpass_group: true,
                contractor: false,
                status: UserStatus::Active,
            }],
            ov_blind: false,
            silent_since: None,
            serial_in_okta: SerialShown::Same,
            placeholder_serial: false,
            stale_row: false,
            deleted_record: None,
            deleted_by_job: false,
            enrolments: Vec::new(),
            older_record: None,
            past_suspension: None,
            past_failure: None,
        }
    }

    /// Healthy variety: user-level Macs, shared machines, stale rows.
    fn vary(&mut self, blueprint: &mut Blueprint) {
        if blueprint.cause != "healthy" {
            return;
        }
        match self.rng.random_range(0..100) {
            0..8 if blueprint.mdm == Mdm::Jamf => blueprint.placement = Placement::UserLevel,
            8..11 => {
                blueprint.placement = Placement::Shared;
                let mut second = blueprint.accounts[0].clone();
                second.person = self.new_person();
                let delay = Duration::hours(self.rng.random_range(1..20));
                for at in &mut second.fastpass {
                    *at = (*at + delay).min(blueprint.last_contact.max(*at));
                }
                blueprint.accounts.push(second);
            }
            _ => {}
        }
        if self.options.stale_list_rows > 0.0 && self.rng.random_bool(self.options.stale_list_rows)
        {
            blueprint.stale_row = true;
            blueprint.accounts[0].cause = "okta_search_stale_read";
        }
    }

    /// Another person works on the machine, whose certificate lies in the owner's store.
    fn add_second_user(&mut self, blueprint: &mut Blueprint) {
        let mut second = blueprint.accounts[0].clone();
        second.person = self.new_person();
        second.cause = "shared_user_store_only";
        second.managed = false;
        for at in &mut second.fastpass {
            *at += Duration::minutes(40);
        }
        let now = self.now();
        second.fastpass.retain(|at| *at < now);
        blueprint.accounts.push(second);
    }

    /// Fields that a record lacks, and serials that are written oddly or are only placeholders.
    fn missing(&mut self, blueprint: &mut Blueprint) -> Missing {
        let mut missing = Missing::default();
        if self.options.missing_fields > 0.0 && self.rng.random_bool(self.options.missing_fields) {
            match self.rng.random_range(0..6) {
                0 => missing.okta_serial = true,
                // Placeholders are a habit of PC firmware.
                4 if blueprint.mdm == Mdm::Intune => blueprint.placeholder_serial = true,
                4 | 5 => blueprint.serial_in_okta = SerialShown::Odd,
                1 => missing.okta_udid = true,
                2 => missing.okta_os_version = true,
                _ => missing.mdm_email = true,
            }
        }
        missing
    }

    fn assemble(&mut self, mut blueprint: Blueprint, missing: Missing) -> MachineKey {
        self.sweep_along(&mut blueprint);
        self.reconcile(&mut blueprint);
        let machine = self.put_machine(&blueprint);
        self.put_people(&blueprint);
        let certificates = self.put_certificates(&blueprint, machine, missing);
        let device = self.put_okta_records(&blueprint, machine, missing, &certificates);
        self.put_history(&blueprint, machine, device.as_ref(), &certificates);
        if blueprint.cause == "healthy"
            && blueprint.accounts.len() == 1
            && let Some(certificate) = certificates.last()
        {
            self.healthy_certificates
                .insert(blueprint.mdm, certificate.clone());
        }
        self.note_truths(&blueprint, machine, device.as_ref(), missing);
        if self.options.live_sign_ins {
            self.plan_sign_ins(&blueprint, device.as_ref());
        }
        machine
    }

    /// Times that follow from each other, whatever the fault changed.
    fn reconcile(&mut self, blueprint: &mut Blueprint) {
        let delivered = match blueprint.delivery {
            Delivery::Installed(at)
            | Delivery::Failed(at)
            | Delivery::Conflict(at)
            | Delivery::NotApplicable(at) => Some(at),
            Delivery::None | Delivery::Pending(_) => None,
        };
        if let Some(at) = delivered.filter(|_| blueprint.online) {
            blueprint.last_contact = blueprint.last_contact.max(at + Duration::minutes(10));
        }
        if blueprint.mdm == Mdm::Intune {
            // A sync is an inventory; six days at most, or the device would count as silent.
            let oldest = self.state.now - Duration::hours(156);
            if blueprint.online {
                let age_from = blueprint.inventory.max(oldest);
                blueprint.last_contact = delivered.map_or(age_from, |at| {
                    age_from.max((at + Duration::minutes(10)).min(blueprint.last_contact))
                });
            }
            blueprint.inventory = blueprint.last_contact;
        }
        if blueprint.cause == "healthy" {
            let seen = blueprint.delivery.at().map(|at| at + Duration::hours(1));
            blueprint.inventory = blueprint.inventory.max(seen.unwrap_or(blueprint.inventory));
            blueprint.last_contact = blueprint.last_contact.max(blueprint.inventory);
        }
        blueprint.inventory = blueprint.inventory.max(blueprint.mdm_enrolled);
        blueprint.last_contact = blueprint.last_contact.max(blueprint.inventory);
        for account in &mut blueprint.accounts {
            account.fastpass.sort();
        }
    }

    fn plan_sign_ins(&mut self, blueprint: &Blueprint, device: Option<&Id>) {
        let Some(device) = device else { return };
        for account in blueprint.accounts.iter().filter(|account| account.managed) {
            let wait = Duration::minutes(self.rng.random_range(30..24 * 60));
            let effect = Effect::DailySignIn {
                person: account.person.clone(),
                device: device.clone(),
            };
            self.state.schedule(self.state.now + wait, effect);
        }
    }

    /// The company, with its log in order.
    pub(super) fn finish(mut self) -> (State, Vec<Truth>) {
        self.events.sort_by_key(|event| event.published);
        self.state.log = self.events;
        (self.state, self.truths)
    }
}
