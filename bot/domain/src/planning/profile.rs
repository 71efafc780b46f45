//! Which attestation profile of an MDM a computer is to have, and how it stands there.

use crate::{AttestationProfile, MdmDevice, MdmObservation, ProfileDelivery, ProfileState};

/// The profile of a computer, with its delivery where the record shows one.
#[derive(Debug, Clone, Copy)]
pub struct ChosenProfile<'a> {
    /// The profile.
    pub profile: &'a AttestationProfile,
    /// How it stands on the computer; `None`: not shown.
    pub delivery: Option<&'a ProfileDelivery>,
}

impl ChosenProfile<'_> {
    /// Its state; [`ProfileState::Unknown`] where none is shown.
    pub fn state(&self) -> &ProfileState {
        self.delivery
            .map_or(&ProfileState::Unknown, |delivery| &delivery.state)
    }
}

/// The attestation profile of a computer: the one that is installed there, else failed, pending, or merely exists for
/// its platform. The prepared computer-level twin counts only once it is assigned. Ties go to the smaller id.
pub fn attestation_profile<'a>(
    mdm: &'a MdmObservation,
    record: &'a MdmDevice,
) -> Option<ChosenProfile<'a>> {
    let chosen = |profile: &'a AttestationProfile| ChosenProfile {
        profile,
        delivery: record.profiles.as_ref().and_then(|deliveries| {
            deliveries
                .iter()
                .find(|delivery| delivery.profile_id == profile.id)
        }),
    };
    mdm.profiles
        .iter()
        .filter(|profile| profile.platform == record.platform)
        .map(chosen)
        .filter(|chosen| {
            is_assigned(chosen.state())
                || mdm.targets.machine_profile.as_ref() != Some(&chosen.profile.id)
        })
        .min_by_key(|chosen| (rank(chosen.state()), &chosen.profile.id))
}

fn is_assigned(state: &ProfileState) -> bool {
    rank(state) < rank(&ProfileState::NotApplicable)
}

fn rank(state: &ProfileState) -> u8 {
    match state {
        ProfileState::Installed => 0,
        ProfileState::Failed { .. } => 1,
        ProfileState::Conflict => 2,
        ProfileState::Pending => 3,
        ProfileState::NotApplicable => 4,
        ProfileState::NotAssigned => 5,
        ProfileState::Unknown => 6,
    }
}
