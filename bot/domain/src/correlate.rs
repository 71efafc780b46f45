//! Brings Okta's records and the MDMs' records together into subjects, and says how sure each match is.
//!
//! Healthy device-users stay on the cheap path: they are counted and indexed, nothing more. Every value is normalised
//! once and every join is by hash, so that the work grows with the fleet and not with its square.

mod fleet;
mod issues;
mod join;
mod normal;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};

use serde::{Deserialize, Serialize};

use crate::{
    ConfirmedUser, DeviceConfirmation, DeviceId, HardwareKey, ManagementStatus, MatchStrength,
    MdmDevice, MdmDeviceId, MdmName, MdmObservation, Observations, OktaDevice, OktaDeviceUser,
    Platform, Subject, UserId,
};

pub use fleet::FleetIndex;
use join::{Joined, RecordAt};
pub use normal::{normalise, normalise_subject};

/// A person's word that two records are one computer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ManualLink {
    /// Okta's record.
    pub device_id: DeviceId,
    /// The MDM.
    pub mdm: MdmName,
    /// Its record.
    pub mdm_device_id: MdmDeviceId,
}

/// A fleet brought together.
#[derive(Debug)]
pub struct Correlated<'a> {
    /// What it was made of.
    pub observations: &'a Observations,
    /// One per device-user on a desktop that is not managed, as far as is known.
    pub subjects: Vec<Subject<'a>>,
    /// Every device-user on a desktop that is managed.
    pub managed: Vec<ManagedUser<'a>>,
    /// Okta's desktop records without a user.
    pub okta_only: Vec<Subject<'a>>,
    /// Desktop records of an MDM that no Okta record carries the identity of.
    pub mdm_only: Vec<Subject<'a>>,
    /// Who else is on a computer, and what else a person has.
    pub fleet: FleetIndex<'a>,
    weak: HashMap<u32, RecordAt>,
}

/// A managed device-user: as much as counting and looking at the certificate's end needs.
#[derive(Debug, Clone, Copy)]
pub struct ManagedUser<'a> {
    /// Okta's record.
    pub device: &'a OktaDevice,
    /// The link.
    pub link: &'a OktaDeviceUser,
    /// The MDM and its strongly matched record.
    pub record: Option<(&'a MdmObservation, &'a MdmDevice)>,
    /// Whether the list said otherwise.
    pub stale_list: bool,
    at: u32,
}

/// How long a by-id read speaks for a device whose list row does not move.
const CONFIRMATION_HOLDS: chrono::TimeDelta = chrono::TimeDelta::hours(24);

/// The by-id read of a device, while it holds: until the list's `lastUpdated` moves, or for a day.
pub fn confirmation<'a>(
    observations: &'a Observations,
    device: &OktaDevice,
) -> Option<&'a DeviceConfirmation> {
    let okta = &observations.okta;
    if okta.confirmed.is_empty() {
        return None;
    }
    okta.confirmed.get(&device.id).filter(|confirmation| {
        confirmation.read_at + CONFIRMATION_HOLDS >= okta.now
            && device.last_updated <= confirmation.last_updated
    })
}

/// A device's links: by id where that holds, else as listed. A link that only the list shows is gone.
pub(crate) fn effective_links<'a>(
    observations: &'a Observations,
    device: &'a OktaDevice,
) -> impl Iterator<Item = &'a OktaDeviceUser> {
    links_of(confirmation(observations, device), device)
}

fn links_of<'a>(
    confirmation: Option<&'a DeviceConfirmation>,
    device: &'a OktaDevice,
) -> impl Iterator<Item = &'a OktaDeviceUser> {
    let confirmed = confirmation
        .and_then(|confirmation| confirmation.users.as_deref())
        .unwrap_or_default();
    let listed = match confirmation {
        Some(_) => None,
        None => device.users.as_deref(),
    };
    confirmed
        .iter()
        .map(|user| &user.link)
        .chain(listed.unwrap_or_default())
}

/// Brings the records of one sweep together.
pub fn correlate<'a>(observations: &'a Observations, links: &[ManualLink]) -> Correlated<'a> {
    let joined = join::join(observations, links);
    let weak = weak_matches(observations, &joined);
    let fleet = index(observations, &joined);
    let mut correlated = Correlated {
        observations,
        subjects: Vec::new(),
        managed: Vec::new(),
        okta_only: Vec::new(),
        mdm_only: Vec::new(),
        fleet,
        weak,
    };
    for (at, device) in (0u32..).zip(&observations.okta.devices) {
        if device.platform.is_desktop() {
            correlated.take_in(at, device);
        }
    }
    let weakly_known: HashSet<RecordAt> = correlated.weak.values().copied().collect();
    correlated.mdm_only = join::records(observations)
        .filter(|(at, _)| !joined.known_to_okta[at.mdm as usize][at.record as usize])
        .filter(|(at, _)| !weakly_known.contains(at))
        .map(|(at, record)| mdm_only(observations, at, record))
        .collect();
    issues::attribute(
        &observations.log,
        &correlated.fleet,
        &mut correlated.subjects,
    );
    correlated
}

impl<'a> Correlated<'a> {
    /// The subject of one device-user, managed or not; `None` if there is no such link.
    pub fn subject(&self, device: &DeviceId, user: &UserId) -> Option<Subject<'a>> {
        let at = self.fleet.index_of(device)?;
        let record = &self.observations.okta.devices[at as usize];
        let link = effective_links(self.observations, record).find(|link| link.user_id == *user)?;
        Some(self.subject_at(at, link))
    }

    /// The MDM's record of a device, also a weak match. Unlike [`Correlated::subject`] it does not look through the log,
    /// so that it may be asked for every device of a fleet.
    pub fn matched(&self, device: &DeviceId) -> Option<(&'a MdmObservation, &'a MdmDevice)> {
        let at = self.fleet.index_of(device)?;
        Some(self.best_record(at)?.0)
    }

    /// The subject of a managed device-user.
    pub fn managed_subject(&self, managed: &ManagedUser<'a>) -> Subject<'a> {
        self.subject_at(managed.at, managed.link)
    }

    fn subject_at(&self, at: u32, link: &'a OktaDeviceUser) -> Subject<'a> {
        let mut subject = self.bare_subject(at, Some(link));
        issues::attribute(
            &self.observations.log,
            &self.fleet,
            std::slice::from_mut(&mut subject),
        );
        subject
    }

    /// Sorts the links of one desktop record into managed and not.
    fn take_in(&mut self, at: u32, device: &'a OktaDevice) {
        let observations = self.observations;
        let by_id = confirmation(observations, device);
        let mut users = 0;
        for link in links_of(by_id, device) {
            users += 1;
            if link.management_status != Some(ManagementStatus::Managed) {
                let subject = self.bare_subject(at, Some(link));
                self.subjects.push(subject);
                continue;
            }
            let listed = |link: &OktaDeviceUser| {
                let listed = device.users.as_deref().unwrap_or_default();
                listed
                    .iter()
                    .find(|other| other.user_id == link.user_id)
                    .is_some_and(|other| {
                        other.management_status == Some(ManagementStatus::NotManaged)
                    })
            };
            self.managed.push(ManagedUser {
                device,
                link,
                record: self.record(at),
                stale_list: by_id.is_some() && listed(link),
                at,
            });
        }
        // Links that were not embedded are unknown, not absent; a record that is gone by id is nobody's any more.
        let known = match by_id {
            Some(confirmation) => confirmation.users.is_some(),
            None => device.users.is_some(),
        };
        if users == 0 && known {
            let subject = self.bare_subject(at, None);
            self.okta_only.push(subject);
        }
    }

    fn record(&self, at: u32) -> Option<(&'a MdmObservation, &'a MdmDevice)> {
        let place = self.fleet.matched(at)?;
        let mdm = &self.observations.mdms[place.mdm as usize];
        Some((mdm, &mdm.devices[place.record as usize]))
    }

    fn best_record(&self, at: u32) -> Option<((&'a MdmObservation, &'a MdmDevice), MatchStrength)> {
        if let Some(record) = self.record(at) {
            return Some((record, MatchStrength::Strong));
        }
        let place = self.weak.get(&at)?;
        let mdm = &self.observations.mdms[place.mdm as usize];
        Some((
            (mdm, &mdm.devices[place.record as usize]),
            MatchStrength::Weak,
        ))
    }

    fn bare_subject(&self, at: u32, link: Option<&'a OktaDeviceUser>) -> Subject<'a> {
        let observations = self.observations;
        let device = &observations.okta.devices[at as usize];
        let (record, strength) = match self.best_record(at) {
            Some((record, strength)) => (Some(record), strength),
            None => (None, MatchStrength::None),
        };
        Subject {
            observations,
            device: Some(device),
            link,
            user: link.and_then(|link| confirmed_user(observations, device, &link.user_id)),
            mdm: record.map(|(mdm, _)| mdm),
            record: record.map(|(_, record)| record),
            strength,
            twins: self.fleet.twins(at),
            issued: None,
            hardware: self.fleet.key_of(at),
        }
    }
}

fn confirmed_user<'a>(
    observations: &'a Observations,
    device: &OktaDevice,
    user: &UserId,
) -> Option<&'a ConfirmedUser> {
    confirmation(observations, device)?
        .users
        .as_deref()?
        .iter()
        .find(|confirmed| confirmed.link.user_id == *user)
}

fn mdm_only<'a>(
    observations: &'a Observations,
    at: RecordAt,
    record: &'a MdmDevice,
) -> Subject<'a> {
    let mdm = &observations.mdms[at.mdm as usize];
    Subject {
        observations,
        device: None,
        link: None,
        user: None,
        mdm: Some(mdm),
        record: Some(record),
        strength: MatchStrength::None,
        twins: Vec::new(),
        issued: None,
        hardware: HardwareKey::of_mdm(&mdm.name, &record.id),
    }
}

/// Numbers the computers: records that share an MDM record, a serial number or a hardware UUID are one.
fn index<'a>(observations: &'a Observations, joined: &Joined) -> FleetIndex<'a> {
    let devices = observations.okta.devices.len();
    let mut computers = 0u32;
    // Every key is a small number already: plain tables instead of maps.
    let mut by_record: Vec<Vec<Option<u32>>> = joined
        .known_to_okta
        .iter()
        .map(|records| vec![None; records.len()])
        .collect();
    let mut by_serial: Vec<Option<u32>> = vec![None; joined.serial_count()];
    let mut by_udid: Vec<Option<u32>> = vec![None; joined.udid_count()];
    let mut computer_of = Vec::with_capacity(devices);
    let mut serial_identifies = Vec::with_capacity(devices);
    for at in 0..devices {
        let serial = joined.serial(at);
        let mut slots = [
            joined.matched[at]
                .map(|place| &mut by_record[place.mdm as usize][place.record as usize]),
            serial.map(|serial| &mut by_serial[serial as usize]),
            joined.udid(at).map(|udid| &mut by_udid[udid as usize]),
        ];
        let known = slots.iter().flatten().find_map(|slot| **slot);
        let computer = known.unwrap_or_else(|| {
            computers += 1;
            computers - 1
        });
        for slot in slots.iter_mut().flatten() {
            slot.get_or_insert(computer);
        }
        computer_of.push(computer);
        serial_identifies.push(serial.is_some());
    }
    FleetIndex::new(
        observations,
        computer_of,
        computers as usize,
        joined.matched.clone(),
        serial_identifies,
    )
}

/// Matches by user, model and name with exactly one candidate on either side's leftovers. Good for asking a person only.
fn weak_matches(observations: &Observations, joined: &Joined) -> HashMap<u32, RecordAt> {
    let unmatched = || {
        (0u32..)
            .zip(&observations.okta.devices)
            .filter(|(at, device)| {
                device.platform.is_desktop() && joined.matched[*at as usize].is_none()
            })
    };
    if unmatched().next().is_none() {
        return HashMap::new();
    }
    let mut candidates: HashMap<String, Option<RecordAt>> = HashMap::new();
    for (at, record) in join::records(observations) {
        if joined.known_to_okta[at.mdm as usize][at.record as usize] {
            continue;
        }
        let (Some(user), Some(model)) = (&record.user, &record.model) else {
            continue;
        };
        if let Some(key) = weak_key(record.platform, user, model, &record.name) {
            candidates
                .entry(key)
                .and_modify(|several| *several = None)
                .or_insert(Some(at));
        }
    }
    if candidates.is_empty() {
        return HashMap::new();
    }
    let mut matches = HashMap::new();
    for (at, device) in unmatched() {
        let Some(model) = &device.model else { continue };
        let mut found: Option<RecordAt> = None;
        let mut several = false;
        for link in effective_links(observations, device) {
            for user in [Some(link.login.as_str()), link.email.as_deref()] {
                let candidate = user
                    .and_then(|user| weak_key(device.platform, user, model, &device.display_name))
                    .and_then(|key| candidates.get(&key).copied());
                match candidate {
                    Some(Some(place)) => {
                        several |= found.is_some_and(|other| other != place);
                        found = Some(place);
                    }
                    Some(None) => several = true,
                    None => {}
                }
            }
        }
        if let (Some(place), false) = (found, several) {
            matches.insert(at, place);
        }
    }
    matches
}

fn weak_key(platform: Platform, user: &str, model: &str, name: &str) -> Option<String> {
    let parts = [user.trim(), model.trim(), name.trim()];
    if parts.iter().any(|part| part.is_empty()) {
        return None;
    }
    let platform = match platform {
        Platform::Windows => 'w',
        Platform::Macos => 'm',
        Platform::Other => 'o',
    };
    let mut key = String::from(platform);
    for part in parts {
        key.push('\u{0}');
        key.push_str(&part.to_lowercase());
    }
    Some(key)
}
