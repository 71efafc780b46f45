//! Who else is on a computer, and what else a person has: what the affected set of a plan is read from.

use std::{collections::HashMap, sync::OnceLock};

use crate::{
    DeviceId, HardwareKey, MdmDevice, MdmObservation, Observations, OktaDevice, OktaDeviceUser,
    UserId,
};

use super::{effective_links, join::RecordAt, normal::normalise};

/// Which Okta records are one computer.
#[derive(Debug)]
pub struct FleetIndex<'a> {
    observations: &'a Observations,
    /// Computer of each Okta record, by index.
    computer_of: Vec<u32>,
    /// Okta records of each computer, newest first: a slice of `members` per computer.
    starts: Vec<u32>,
    members: Vec<u32>,
    matched: Vec<Option<RecordAt>>,
    /// Whether the serial number of each Okta record identifies a computer.
    serial_identifies: Vec<bool>,
    by_key: OnceLock<HashMap<HardwareKey, Vec<u32>>>,
    by_user: OnceLock<HashMap<&'a UserId, Vec<u32>>>,
    by_id: OnceLock<HashMap<&'a DeviceId, u32>>,
}

impl<'a> FleetIndex<'a> {
    pub(super) fn new(
        observations: &'a Observations,
        computer_of: Vec<u32>,
        computers: usize,
        matched: Vec<Option<RecordAt>>,
        serial_identifies: Vec<bool>,
    ) -> Self {
        let mut starts = vec![0u32; computers + 1];
        for &computer in &computer_of {
            starts[computer as usize + 1] += 1;
        }
        for at in 1..starts.len() {
            starts[at] += starts[at - 1];
        }
        let mut members = vec![0u32; computer_of.len()];
        let mut next = starts.clone();
        for (device, &computer) in (0u32..).zip(&computer_of) {
            let slot = &mut next[computer as usize];
            members[*slot as usize] = device;
            *slot += 1;
        }
        let devices = &observations.okta.devices;
        for computer in 0..computers {
            let range = starts[computer] as usize..starts[computer + 1] as usize;
            if range.len() > 1 {
                members[range].sort_by(|&a, &b| {
                    let (a, b) = (&devices[a as usize], &devices[b as usize]);
                    (b.last_updated, &b.id).cmp(&(a.last_updated, &a.id))
                });
            }
        }
        Self {
            observations,
            computer_of,
            starts,
            members,
            matched,
            serial_identifies,
            by_key: OnceLock::new(),
            by_user: OnceLock::new(),
            by_id: OnceLock::new(),
        }
    }

    /// Every device-user of a computer, managed ones too.
    pub fn users_of(
        &self,
        hardware: &HardwareKey,
    ) -> impl Iterator<Item = (&'a OktaDevice, &'a OktaDeviceUser)> {
        let observations = self.observations;
        self.computers(hardware)
            .iter()
            .flat_map(|&computer| self.members_of(computer))
            .flat_map(move |&device| {
                let device = &observations.okta.devices[device as usize];
                effective_links(observations, device).map(move |link| (device, link))
            })
    }

    /// Every Okta record that a user is linked to, phones too.
    pub fn devices_of(&self, user: &UserId) -> impl Iterator<Item = &'a OktaDevice> {
        let observations = self.observations;
        let by_user = self.by_user.get_or_init(|| {
            let mut by_user: HashMap<&'a UserId, Vec<u32>> = HashMap::new();
            for (at, device) in (0u32..).zip(&observations.okta.devices) {
                for link in effective_links(observations, device) {
                    by_user.entry(&link.user_id).or_default().push(at);
                }
            }
            by_user
        });
        by_user
            .get(user)
            .into_iter()
            .flatten()
            .map(move |&at| &observations.okta.devices[at as usize])
    }

    /// The key of the computer behind an Okta record.
    pub fn hardware_of(&self, device: &DeviceId) -> Option<HardwareKey> {
        let at = self.index_of(device)?;
        Some(self.key(self.computer_of[at as usize]))
    }

    /// Every desktop record of Okta, with the record of an MDM that surely is the same computer.
    pub(crate) fn desktops(
        &self,
    ) -> impl Iterator<Item = (&'a OktaDevice, Option<(&'a MdmObservation, &'a MdmDevice)>)> {
        let observations = self.observations;
        let devices = observations.okta.devices.iter().zip(&self.matched);
        devices
            .filter(|(device, _)| device.platform.is_desktop())
            .map(move |(device, matched)| {
                let matched = matched.map(|at| {
                    let mdm = &observations.mdms[at.mdm as usize];
                    (mdm, at.get(observations))
                });
                (device, matched)
            })
    }

    pub(super) fn index_of(&self, device: &DeviceId) -> Option<u32> {
        let devices = &self.observations.okta.devices;
        let by_id = self.by_id.get_or_init(|| {
            devices
                .iter()
                .map(|device| &device.id)
                .zip(0u32..)
                .collect()
        });
        by_id.get(device).copied()
    }

    pub(super) fn matched(&self, device: u32) -> Option<RecordAt> {
        self.matched[device as usize]
    }

    pub(super) fn key_of(&self, device: u32) -> HardwareKey {
        self.key(self.computer_of[device as usize])
    }

    /// The other Okta records of the same computer, newest first.
    pub(super) fn twins(&self, device: u32) -> Vec<&'a OktaDevice> {
        self.members_of(self.computer_of[device as usize])
            .iter()
            .filter(|&&other| other != device)
            .map(|&other| &self.observations.okta.devices[other as usize])
            .collect()
    }

    fn members_of(&self, computer: u32) -> &[u32] {
        let at = computer as usize;
        &self.members[self.starts[at] as usize..self.starts[at + 1] as usize]
    }

    /// One key may stand for two: a computer that runs macOS and Windows has a record of each.
    fn computers(&self, hardware: &HardwareKey) -> &[u32] {
        let by_key = self.by_key.get_or_init(|| {
            let computers = u32::try_from(self.starts.len() - 1)
                .expect("there are no more computers than records");
            let mut by_key: HashMap<HardwareKey, Vec<u32>> = HashMap::new();
            for at in 0..computers {
                by_key.entry(self.key(at)).or_default().push(at);
            }
            by_key
        });
        by_key.get(hardware).map_or(&[], Vec::as_slice)
    }

    fn key(&self, computer: u32) -> HardwareKey {
        let members = self.members_of(computer);
        let devices = &self.observations.okta.devices;
        if let Some(at) = members.iter().find_map(|&at| self.matched[at as usize]) {
            let mdm = &self.observations.mdms[at.mdm as usize];
            return HardwareKey::of_mdm(&mdm.name, &at.get(self.observations).id);
        }
        // Records are one computer by a serial number that the join trusts, or by their UUID alone.
        let serial = members
            .iter()
            .filter(|&&at| self.serial_identifies[at as usize])
            .filter_map(|&at| devices[at as usize].serial_number.as_deref())
            .find_map(normalise);
        let oldest = members.iter().map(|&at| &devices[at as usize].id).min();
        match (serial, oldest) {
            (Some(serial), _) => HardwareKey::of_serial(&serial),
            (None, oldest) => HardwareKey::of_device(oldest.expect("a computer has a record")),
        }
    }
}
