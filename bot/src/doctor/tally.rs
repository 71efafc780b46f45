//! Counts how often what one look saw agrees with what is believed of the vendors.
//!
//! The ledger keeps the first and last of each kind, and every computer is counted once, so a look replaces the counts of
//! the one before instead of adding to them.

use std::collections::{BTreeMap, HashMap, HashSet};

use chrono::{DateTime, TimeDelta, Utc};

use super::tenant::Tally;
use crate::domain::{
    Assumption, CertificateStore, DeviceChange, DeviceId, EventClass, LogFacts, ManagementStatus,
    MdmCertificate, MdmKind, MdmObservation, Observations, ProfileState,
    correlate::{normalise, normalise_subject},
};

/// A certificate this young may not be in the log yet.
const LOG_LAGS: TimeDelta = TimeDelta::hours(1);
/// A year, more or less.
const YEAR: std::ops::RangeInclusive<i64> = 360..=370;

/// Beliefs on which something was seen.
pub fn tally(observations: &Observations) -> BTreeMap<Assumption, Tally> {
    let mut tallies = Tallies::default();
    log(&observations.log, &mut tallies);
    okta(observations, &mut tallies);
    for mdm in &observations.mdms {
        certificates(observations, mdm, &mut tallies);
        match mdm.kind {
            MdmKind::Intune => intune(observations, mdm, &mut tallies),
            MdmKind::Jamf => jamf(mdm, &mut tallies),
        }
    }
    tallies.0
}

#[derive(Default)]
struct Tallies(BTreeMap<Assumption, Tally>);

impl Tallies {
    fn count(&mut self, belief: Assumption, agrees: bool, times: usize) {
        if times == 0 {
            return;
        }
        let tally = self.0.entry(belief).or_default();
        let times = times as u64;
        if agrees {
            tally.confirmed += times;
        } else {
            tally.contradicted += times;
        }
    }
}

fn log(log: &LogFacts, tallies: &mut Tallies) {
    // An event of a class that is newer than all that could be read from its events was one that did not tell.
    let silent = |class: EventClass, told: Option<DateTime<Utc>>| {
        let last = log.coverage(class).last_seen;
        usize::from(last.is_some_and(|last| told.is_none_or(|told| told < last)))
    };
    tallies.count(Assumption::BindEvents, true, log.binds.len());
    let told = log.binds.values().map(|seen| seen.last).max();
    let mute = silent(EventClass::CertificateBound, told);
    tallies.count(Assumption::BindEvents, false, mute);

    let revoked = log.revoked.values().chain(log.revoked_subjects.values());
    let told = revoked.clone().map(|seen| seen.at).max();
    tallies.count(Assumption::RevocationEvents, true, revoked.count());
    let mute = silent(EventClass::CertificateRevoked, told);
    tallies.count(Assumption::RevocationEvents, false, mute);

    let with_serial: HashSet<&DeviceId> = log.deletions.values().map(|seen| &seen.device).collect();
    let deleted = log
        .lifecycle
        .values()
        .filter(|seen| seen.change == DeviceChange::Deleted);
    for seen in deleted {
        let told = with_serial.contains(&seen.device);
        tallies.count(Assumption::DeletionSerial, told, 1);
    }

    let mut last_named = None;
    for seen in log.fastpass.values() {
        let Some(success) = seen.success else {
            continue;
        };
        last_named = last_named.max(Some(success.last));
        let told = seen.last_managed.or(seen.last_unmanaged).is_some();
        tallies.count(Assumption::FastpassDevice, told, 1);
    }
    if last_named.is_none() {
        let mute = silent(EventClass::FastPass, None);
        tallies.count(Assumption::FastpassDevice, false, mute);
    }
    for seen in log.other_sign_ins.values() {
        tallies.count(Assumption::SignInPlatform, seen.platform.is_some(), 1);
    }
}

fn okta(observations: &Observations, tallies: &mut Tallies) {
    let okta = &observations.okta;
    let log = &observations.log;
    // Whoever just signed in with FastPass has it enrolled.
    let signed_in: HashSet<_> = log
        .fastpass
        .iter()
        .filter(|(_, seen)| {
            let last = seen.success.map(|seen| seen.last);
            last.is_some_and(|last| okta.now - last < TimeDelta::days(1))
        })
        .map(|((_, user), _)| user)
        .collect();
    for (user, detail) in &okta.users {
        if let Some(listed) = detail
            .fastpass_enrolled
            .filter(|_| signed_in.contains(user))
        {
            tallies.count(Assumption::FactorList, listed, 1);
        }
    }
    let desktops = || {
        okta.devices
            .iter()
            .filter(|device| device.platform.is_desktop() && device.registered)
    };
    let shown = desktops()
        .filter(|device| device.okta_verify_version.is_some())
        .count();
    tallies.count(Assumption::OktaVerifyVersion, true, shown);
    tallies.count(
        Assumption::OktaVerifyVersion,
        false,
        desktops().count() - shown,
    );

    let rules = || {
        okta.policies
            .access_policies
            .iter()
            .flat_map(|policy| &policy.rules)
    };
    let only_registered = okta.policies.complete
        && rules().any(|rule| rule.registered == Some(true))
        && !rules().any(|rule| rule.managed == Some(true));
    if only_registered {
        tallies.count(
            Assumption::RegisteredRule,
            true,
            managed_devices(observations).len(),
        );
    }
    let placeholders = okta.devices.iter().filter(|device| {
        let serial = device.serial_number.as_deref();
        serial.is_some_and(|serial| !serial.trim().is_empty() && normalise(serial).is_none())
    });
    tallies.count(Assumption::PlaceholderSerials, true, placeholders.count());
}

/// Hardware serial numbers of records that Okta shows as managed for somebody.
fn managed_devices(observations: &Observations) -> HashSet<String> {
    let managed = observations.okta.devices.iter().filter(|device| {
        let mut links = device.users.iter().flatten();
        links.any(|link| link.management_status == Some(ManagementStatus::Managed))
    });
    managed
        .filter_map(|device| normalise(device.serial_number.as_deref()?))
        .collect()
}

/// Certificates of any MDM against the log, and their life.
fn certificates(observations: &Observations, mdm: &MdmObservation, tallies: &mut Tallies) {
    let log = &observations.log;
    let covered = log.coverage(EventClass::CertificateIssued).covered_from;
    let mut seen: HashMap<String, ()> = HashMap::new();
    let all = mdm
        .devices
        .iter()
        .filter_map(|device| device.certificates.as_ref());
    for certificate in all.flatten().filter(|one| one.subject_matches) {
        if let (Some(from), Some(to)) = (certificate.issued_at, certificate.expires_at) {
            let a_year = YEAR.contains(&(to - from).num_days());
            tallies.count(Assumption::Validity, a_year, 1);
        }
        let subject = normalise_subject(&certificate.subject);
        let in_reach = within(certificate, covered, observations.okta.now);
        if in_reach && seen.insert(subject.clone(), ()).is_none() {
            let told = log.issued.contains_key(&subject);
            tallies.count(Assumption::IssueEvents, told, 1);
        }
    }
}

/// Whether the log would tell of the issue of a certificate.
fn within(
    certificate: &MdmCertificate,
    covered: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
) -> bool {
    match (certificate.issued_at, covered) {
        (Some(issued), Some(covered)) => issued > covered && issued < now - LOG_LAGS,
        _ => false,
    }
}

fn intune(observations: &Observations, mdm: &MdmObservation, tallies: &mut Tallies) {
    let managed = managed_devices(observations);
    for device in &mdm.devices {
        // A managed computer has a certificate, whatever Intune says.
        let is_managed = device
            .serial_number
            .as_deref()
            .and_then(normalise)
            .is_some_and(|serial| managed.contains(&serial));
        if let Some(rows) = device.certificates.as_ref().filter(|_| is_managed) {
            tallies.count(Assumption::IntuneRows, !rows.is_empty(), 1);
        }
        tallies.count(
            Assumption::IntuneIssuance,
            true,
            usize::from(device.issuance.is_some()),
        );
    }
}

/// Where every installed profile goes to one store, the certificates of the Mac are there.
fn jamf(mdm: &MdmObservation, tallies: &mut Tallies) {
    for device in &mdm.devices {
        let installed = device.profiles.iter().flatten();
        let stores: HashSet<_> = installed
            .filter(|delivery| delivery.state == ProfileState::Installed)
            .map(|delivery| delivery.store)
            .collect();
        let mut stores = stores.into_iter();
        let (Some(Some(store)), None) = (stores.next(), stores.next()) else {
            continue;
        };
        let without_name = device.certificates.iter().flatten();
        let count = without_name.filter(|one| one.username.is_none()).count();
        let agrees = store == CertificateStore::Machine;
        tallies.count(Assumption::JamfUsername, agrees, count);
    }
}
