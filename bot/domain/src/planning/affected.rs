//! Affected sets: every device-user that a step can change, managed ones too. What cannot be read, cannot be planned.

use std::collections::BTreeSet;

use super::NotPlanned;
use crate::correlate::{FleetIndex, confirmation, effective_links};
use crate::{
    Affected, HardwareKey, ManagementStatus, Observations, OktaDevice, OktaDeviceUser, Subject,
    UserId,
};

/// Every user of a computer, over all Okta records of it.
pub(super) fn of_computer(
    fleet: &FleetIndex<'_>,
    hardware: &HardwareKey,
    subjects: &[&Subject<'_>],
) -> Result<Vec<Affected>, NotPlanned> {
    for subject in subjects {
        for device in subject
            .device
            .into_iter()
            .chain(subject.twins.iter().copied())
        {
            readable(subject.observations, device)?;
        }
    }
    some(join(
        fleet
            .users_of(hardware)
            .map(|(device, link)| entry(device, link)),
    ))
}

/// Every device of a user, phones too.
pub(super) fn of_user(
    fleet: &FleetIndex<'_>,
    observations: &Observations,
    user: &UserId,
) -> Result<Vec<Affected>, NotPlanned> {
    for device in &observations.okta.devices {
        readable(observations, device)?;
    }
    let linked = fleet.devices_of(user).flat_map(|device| {
        effective_links(observations, device)
            .filter(|link| link.user_id == *user)
            .map(move |link| entry(device, link))
    });
    some(join(linked))
}

/// An empty set is a selector that failed, never "nobody".
fn some(affected: Vec<Affected>) -> Result<Vec<Affected>, NotPlanned> {
    if affected.is_empty() {
        return Err(NotPlanned::impossible(
            "nobody was found whom the repair would affect, so the look-up must have failed",
        ));
    }
    Ok(affected)
}

/// Joins sets: each device-user once, ordered by device and user.
pub(super) fn join(sets: impl IntoIterator<Item = Affected>) -> Vec<Affected> {
    let mut affected: Vec<Affected> = sets.into_iter().collect();
    affected.sort_by(|a, b| (&a.device_id, &a.user_id).cmp(&(&b.device_id, &b.user_id)));
    let mut seen = BTreeSet::new();
    affected.retain(|one| seen.insert((one.device_id.clone(), one.user_id.clone())));
    affected
}

pub(super) fn entry(device: &OktaDevice, link: &OktaDeviceUser) -> Affected {
    Affected {
        device_id: device.id.clone(),
        user_id: link.user_id.clone(),
        login: link.login.clone(),
        managed: link.management_status == Some(ManagementStatus::Managed),
    }
}

fn readable(observations: &Observations, device: &OktaDevice) -> Result<(), NotPlanned> {
    if device.users.is_some() || confirmation(observations, device).is_some() {
        return Ok(());
    }
    Err(NotPlanned::impossible(format!(
        "the users of Okta record {} were not read, so it is not known whom the repair would affect",
        device.id
    )))
}
