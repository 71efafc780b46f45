//! The hash join of Okta records and MDM records. Every value is normalised and interned once; all else is arithmetic.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};

use crate::{Enrolment, MdmDevice, Observations, Platform};

use super::{
    ManualLink,
    normal::{byte_swapped_into, normalise_into},
};

/// Place of an MDM record: index of the MDM, index of the record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct RecordAt {
    pub(super) mdm: u32,
    pub(super) record: u32,
}

impl RecordAt {
    pub(super) fn get(self, observations: &Observations) -> &MdmDevice {
        &observations.mdms[self.mdm as usize].devices[self.record as usize]
    }
}

/// Numbers for texts, so that each is hashed once.
#[derive(Default)]
struct Interner {
    ids: HashMap<Box<str>, u32>,
}

impl Interner {
    fn id(&mut self, text: &str) -> u32 {
        if let Some(&id) = self.ids.get(text) {
            return id;
        }
        let id = u32::try_from(self.ids.len()).expect("a fleet has fewer than 2^32 serial numbers");
        self.ids.insert(text.into(), id);
        id
    }
}

/// Who carries one value, and up to three different second values beside it.
#[derive(Clone, Default)]
struct Carriers {
    records: Vec<RecordAt>,
    beside: [Option<u32>; 3],
}

impl Carriers {
    fn note_beside(&mut self, other: Option<u32>) {
        let Some(other) = other else { return };
        for slot in &mut self.beside {
            match *slot {
                Some(known) if known == other => return,
                Some(_) => {}
                None => {
                    *slot = Some(other);
                    return;
                }
            }
        }
    }

    /// Three devices that differ otherwise share the value: it is no identity.
    fn is_shared(&self) -> bool {
        self.beside[2].is_some()
    }
}

/// Keys of one record, interned; the platform is part of each.
#[derive(Clone, Copy, Default)]
pub(super) struct Keys {
    pub(super) serial: Option<u32>,
    pub(super) udid: Option<u32>,
    /// The serial number, or on Windows the hardware UUID itself, read as a UUID in the other byte order.
    pub(super) swapped: Option<u32>,
}

/// What the join came to, by index of the Okta record.
pub(super) struct Joined {
    pub(super) keys: Vec<Keys>,
    pub(super) matched: Vec<Option<RecordAt>>,
    /// Whether an Okta record carries the same identity, by MDM and record.
    pub(super) known_to_okta: Vec<Vec<bool>>,
    serials: Vec<Carriers>,
    udids: Vec<Carriers>,
}

impl Joined {
    pub(super) fn serial_count(&self) -> usize {
        self.serials.len()
    }

    pub(super) fn udid_count(&self) -> usize {
        self.udids.len()
    }

    /// The interned hardware UUID, likewise.
    pub(super) fn udid(&self, device: usize) -> Option<u32> {
        let keys = self.keys[device];
        keys.udid
            .or(keys.swapped)
            .filter(|&udid| !self.udids[udid as usize].is_shared())
    }

    /// The interned serial number, unless the fleet shows that it identifies nothing.
    pub(super) fn serial(&self, device: usize) -> Option<u32> {
        self.keys[device]
            .serial
            .filter(|&serial| !self.serials[serial as usize].is_shared())
    }
}

#[derive(Default)]
struct Reader {
    serials: Interner,
    udids: Interner,
    text: String,
    swapped: String,
    key: String,
}

impl Reader {
    fn keys(&mut self, platform: Platform, serial: Option<&str>, udid: Option<&str>) -> Keys {
        let mut keys = Keys::default();
        if serial.is_some_and(|serial| normalise_into(serial, &mut self.text)) {
            keys.serial = Some(intern(
                &mut self.serials,
                &mut self.key,
                platform,
                &self.text,
            ));
            if byte_swapped_into(&self.text, &mut self.swapped) {
                keys.swapped = Some(intern(
                    &mut self.udids,
                    &mut self.key,
                    platform,
                    &self.swapped,
                ));
            }
        }
        if udid.is_some_and(|udid| normalise_into(udid, &mut self.text)) {
            keys.udid = Some(intern(&mut self.udids, &mut self.key, platform, &self.text));
            // Windows and its firmware disagree on the byte order of the same UUID.
            if keys.swapped.is_none()
                && platform == Platform::Windows
                && byte_swapped_into(&self.text, &mut self.swapped)
            {
                keys.swapped = Some(intern(
                    &mut self.udids,
                    &mut self.key,
                    platform,
                    &self.swapped,
                ));
            }
        }
        keys
    }
}

fn intern(interner: &mut Interner, key: &mut String, platform: Platform, text: &str) -> u32 {
    key.clear();
    key.push(match platform {
        Platform::Windows => 'W',
        Platform::Macos => 'M',
        Platform::Other => 'O',
    });
    key.push_str(text);
    interner.id(key)
}

pub(super) fn join(observations: &Observations, links: &[ManualLink]) -> Joined {
    let devices = &observations.okta.devices;
    let mut reader = Reader::default();
    let keys: Vec<Keys> = devices
        .iter()
        .map(|device| match device.platform.is_desktop() {
            true => reader.keys(
                device.platform,
                device.serial_number.as_deref(),
                device.udid.as_deref(),
            ),
            false => Keys::default(),
        })
        .collect();
    let record_keys: Vec<(RecordAt, Keys)> = records(observations)
        .map(|(at, record)| {
            let keys = reader.keys(
                record.platform,
                record.serial_number.as_deref(),
                record.udid.as_deref(),
            );
            (at, keys)
        })
        .collect();

    let mut serials = vec![Carriers::default(); reader.serials.ids.len()];
    let mut udids = vec![Carriers::default(); reader.udids.ids.len()];
    for keys in keys.iter().chain(record_keys.iter().map(|(_, keys)| keys)) {
        if let Some(serial) = keys.serial {
            serials[serial as usize].note_beside(keys.udid);
        }
        if let Some(udid) = keys.udid {
            udids[udid as usize].note_beside(keys.serial);
        }
    }
    for &(at, keys) in &record_keys {
        if let Some(serial) = keys.serial {
            serials[serial as usize].records.push(at);
        }
        for udid in [keys.udid, keys.swapped].into_iter().flatten() {
            udids[udid as usize].records.push(at);
        }
    }

    let mut known_to_okta: Vec<Vec<bool>> = observations
        .mdms
        .iter()
        .map(|mdm| vec![false; mdm.devices.len()])
        .collect();
    let mut matched: Vec<Option<RecordAt>> = keys
        .iter()
        .map(|keys| {
            let carriers = [
                keys.serial.map(|id| &serials[id as usize]),
                keys.udid.map(|id| &udids[id as usize]),
                keys.swapped.map(|id| &udids[id as usize]),
            ];
            let carriers = carriers
                .into_iter()
                .flatten()
                .find(|carriers| !carriers.is_shared() && !carriers.records.is_empty())?;
            for at in &carriers.records {
                known_to_okta[at.mdm as usize][at.record as usize] = true;
            }
            best(observations, &carriers.records)
        })
        .collect();
    apply_links(observations, links, &mut matched, &mut known_to_okta);
    Joined {
        keys,
        matched,
        known_to_okta,
        serials,
        udids,
    }
}

/// Desktop records on the platforms that their MDM manages.
pub(super) fn records(observations: &Observations) -> impl Iterator<Item = (RecordAt, &MdmDevice)> {
    observations.mdms.iter().enumerate().flat_map(|(m, mdm)| {
        mdm.devices
            .iter()
            .enumerate()
            .filter(|(_, record)| {
                record.platform.is_desktop()
                    && (mdm.platforms.is_empty() || mdm.platforms.contains(&record.platform))
            })
            .map(move |(r, record)| {
                let at = RecordAt {
                    mdm: u32::try_from(m).expect("a deployment has a handful of MDMs"),
                    record: u32::try_from(r).expect("a fleet has fewer than 2^32 records"),
                };
                (at, record)
            })
    })
}

/// The record in use among those of one computer. Within an MDM the newest check-in tells (a re-enrolment leaves the
/// old record behind); between two MDMs, the one whose management works does.
fn best(observations: &Observations, records: &[RecordAt]) -> Option<RecordAt> {
    let mut best: Option<RecordAt> = None;
    let mut best_of_mdm: Option<RecordAt> = None;
    let settle = |winner: &mut Option<RecordAt>, candidate: Option<RecordAt>| {
        let Some(candidate) = candidate else { return };
        if winner
            .is_none_or(|w| standing(w.get(observations)) < standing(candidate.get(observations)))
        {
            *winner = Some(candidate);
        }
    };
    for &at in records {
        match best_of_mdm {
            Some(other) if other.mdm == at.mdm => {
                if other.get(observations).last_check_in < at.get(observations).last_check_in {
                    best_of_mdm = Some(at);
                }
            }
            other => {
                settle(&mut best, other);
                best_of_mdm = Some(at);
            }
        }
    }
    settle(&mut best, best_of_mdm);
    best
}

fn standing(record: &MdmDevice) -> (u8, Option<DateTime<Utc>>) {
    let rank = match record.enrolment {
        Enrolment::Works => 2,
        Enrolment::Unknown => 1,
        Enrolment::Broken { .. } => 0,
    };
    (rank, record.last_check_in)
}

/// A person's word outranks what the values say.
fn apply_links(
    observations: &Observations,
    links: &[ManualLink],
    matched: &mut [Option<RecordAt>],
    known_to_okta: &mut [Vec<bool>],
) {
    if links.is_empty() {
        return;
    }
    let wanted: HashSet<_> = links
        .iter()
        .map(|link| (&link.mdm, &link.mdm_device_id))
        .collect();
    let places: HashMap<_, RecordAt> = records(observations)
        .map(|(at, record)| ((&observations.mdms[at.mdm as usize].name, &record.id), at))
        .filter(|(key, _)| wanted.contains(key))
        .collect();
    let by_device: HashMap<_, RecordAt> = links
        .iter()
        .filter_map(|link| {
            let at = places.get(&(&link.mdm, &link.mdm_device_id))?;
            Some((&link.device_id, *at))
        })
        .collect();
    for (device, matched) in observations.okta.devices.iter().zip(matched) {
        if let Some(&at) = by_device.get(&device.id) {
            known_to_okta[at.mdm as usize][at.record as usize] = true;
            *matched = Some(at);
        }
    }
}
