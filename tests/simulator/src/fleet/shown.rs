//! Writes down the truth about a finished machine, with what the wire shows of it.

use std::collections::BTreeSet;

use chrono::{DateTime, Duration, Utc};

use super::assemble::{Builder, Missing};
use super::blueprint::{Blueprint, Delivery, SerialShown};
use super::incidents::IncidentKind;
use super::truth::{BUILT_CAUSES, Shown, Truth, judge};
use crate::world::{DeviceStatus, Id, MachineKey, Mdm, Platform, Probe, State};

impl Builder {
    pub(super) fn note_truths(
        &mut self,
        blueprint: &Blueprint,
        machine: MachineKey,
        device: Option<&Id>,
        missing: Missing,
    ) {
        let serial = self.state.machine(machine).serial.clone();
        for (index, account) in blueprint.accounts.iter().enumerate() {
            let shown = self.shown(blueprint, index, missing);
            let (decidable, why) = match blueprint.undecidable {
                Some(reason) => (false, reason.to_owned()),
                None => judge(account.cause, &shown),
            };
            let linked = blueprint.record.is_none_or(|record| {
                record.status != DeviceStatus::Deactivated && !record.imported
            });
            self.truths.push(Truth {
                device_id: device.map(ToString::to_string),
                user_id: linked.then(|| account.person.to_string()),
                serial: serial.clone(),
                cause: account.cause,
                also: self.also(blueprint, account.cause, &shown),
                incident: blueprint
                    .incident
                    .filter(|kind| account.cause == kind.cause())
                    .map(IncidentKind::name),
                built: account.cause == "healthy" || BUILT_CAUSES.contains(&account.cause),
                decidable,
                why,
            });
        }
        if blueprint.older_record.is_some() {
            let shown = self.shown(blueprint, 0, missing);
            let (decidable, why) = judge("okta_duplicate_records", &shown);
            let older = self
                .state
                .records_of_owner(machine, &blueprint.accounts[0].person)
                .into_iter()
                .find(|id| Some(id) != device);
            self.truths.push(Truth {
                device_id: older.map(|id| id.to_string()),
                user_id: Some(blueprint.accounts[0].person.to_string()),
                serial,
                cause: "okta_duplicate_records",
                also: Vec::new(),
                incident: None,
                built: true,
                decidable,
                why,
            });
        }
    }

    /// What else is true of an account: a machine in an MDM whose Okta record cannot be matched to it.
    fn also(&self, blueprint: &Blueprint, cause: &'static str, shown: &Shown) -> Vec<&'static str> {
        let mut also = match cause == blueprint.cause {
            true => blueprint.also.clone(),
            false => Vec::new(),
        };
        let identity = "identity_serial_missing_or_mismatch";
        let nameless = blueprint.enrolled_in_mdm && !shown.strong_match;
        if nameless && cause != "healthy" && cause != identity {
            also.push(identity);
        }
        also
    }

    fn shown(&self, blueprint: &Blueprint, account: usize, missing: Missing) -> Shown {
        let log_begins = self.state.now - Duration::hours(90 * 24 - 6);
        let serial = !missing.okta_serial
            && !blueprint.placeholder_serial
            && blueprint.serial_in_okta != SerialShown::Missing;
        let udid = blueprint.computer.platform == Platform::MacOs
            && !missing.okta_udid
            && blueprint.serial_in_okta != SerialShown::Missing;
        let newest = blueprint.certificates.last();
        let person = &blueprint.accounts[account];
        let changes = [
            blueprint.delivery.at(),
            newest.and_then(|plan| plan.lost),
            newest.map(|plan| plan.issued),
        ];
        let expected_issue = newest.map(|plan| plan.issued).or(blueprint.delivery.at());
        let last_fastpass = person.fastpass.last();
        let after_certificate = |times: &[DateTime<Utc>]| {
            let issued = newest.map(|plan| plan.issued);
            let mut times = times.iter().filter(|at| **at > log_begins);
            times.any(|at| issued.is_some_and(|issued| issued < *at))
        };
        Shown {
            strong_match: blueprint.enrolled_in_mdm && (serial || udid),
            identified: if blueprint.record.is_some() {
                serial || udid
            } else {
                !blueprint.placeholder_serial
            },
            certificates: blueprint.mdm == Mdm::Jamf || self.options.intune_certificate_rows,
            inventory_newer: changes
                .into_iter()
                .flatten()
                .all(|at| at <= blueprint.inventory),
            issue_logged: self.options.pki_issue_events
                && expected_issue.is_some_and(|at| at > log_begins),
            end_logged: newest
                .and_then(|plan| plan.revoked)
                .is_some_and(|(at, _)| at > log_begins),
            failed_sign_in_logged: last_fastpass.is_some_and(|at| {
                *at > log_begins
                    && newest.is_some_and(|plan| plan.issued + Duration::minutes(10) < *at)
            }),
            pending_long: matches!(blueprint.delivery, Delivery::Pending(since)
                if self.state.now - since > Duration::hours(24)),
            only_device: self
                .state
                .devices_of
                .get(&person.person)
                .is_none_or(|devices| devices.len() <= 1),
            registration_visible: self.options.enrolments_api
                || blueprint
                    .record
                    .is_some_and(|record| record.status == DeviceStatus::Created),
            duplicate_visible: serial,
            other_factor_logged: after_certificate(&person.push),
            attempt_logged: after_certificate(&person.failed)
                || (blueprint.computer.probe == Probe::LinkOnly
                    && after_certificate(&person.fastpass)),
            candidate_visible: blueprint.enrolled_in_mdm && !missing.mdm_email,
            walled_in: self.walled_in,
        }
    }

    /// A scripted machine got its own serial.
    pub(super) fn rename_truths(&mut self, was: &str, serial: &str) {
        for truth in self.truths.iter_mut().filter(|truth| truth.serial == was) {
            serial.clone_into(&mut truth.serial);
        }
    }
}

impl State {
    /// The Okta records of a machine that this person is linked to.
    fn records_of_owner(&self, machine: MachineKey, person: &str) -> BTreeSet<Id> {
        self.devices_of
            .get(person)
            .into_iter()
            .flatten()
            .filter(|id| {
                self.devices
                    .get(*id)
                    .is_some_and(|record| record.machine == Some(machine))
            })
            .cloned()
            .collect()
    }
}
