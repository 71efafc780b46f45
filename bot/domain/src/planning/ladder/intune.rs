//! The rungs of Intune, the gentlest first.

use super::{
    CHECK_IN_SECONDS, Fault, Miss, Steps, Target, call, pause, refuse_wider_profile, rung, wait,
};
use crate::{OnTimeout, Platform, ProfileState, Rung, VendorCall, WaitUntil};

/// A scope hold is not kept longer than this (design, section 6).
const HOLD_SECONDS: u64 = 24 * 3600;

pub(super) fn sync(target: &Target<'_>) -> Result<(Rung, Steps), Miss> {
    if target.fault != Fault::Missing {
        return Err(Miss::Impossible(
            "the certificate is not proved to be missing".to_owned(),
        ));
    }
    match target.chosen.state() {
        ProfileState::Installed | ProfileState::Pending | ProfileState::Failed { .. } => {}
        state => {
            return Err(Miss::Impossible(format!(
                "the profile does not reach the computer ({})",
                crate::playbook::facts::profile_word(state).unwrap_or("its state is not shown")
            )));
        }
    }
    Ok((
        rung(
            "intune-sync",
            "the certificate is missing and the profile is assigned: at a sync Intune issues a new one",
            false,
        ),
        vec![target.sync(), target.wait_checked_in()],
    ))
}

pub(super) fn clean_up_script(target: &Target<'_>) -> Result<(Rung, Steps), Miss> {
    if target.record.platform != Platform::Windows {
        return Err(Miss::Impossible(
            "on-demand scripts exist for Windows only".to_owned(),
        ));
    }
    target.needs_bad_certificate()?;
    let Some(script) = target.mdm.targets.cleanup_script.clone() else {
        return Err(Miss::NotConfigured(format!(
            "no cleanup_script is set for {}",
            target.mdm.name
        )));
    };
    refuse_wider_profile(target.chosen.profile).map_err(Miss::Impossible)?;
    let (mdm, device) = (target.mdm.name.clone(), target.record.id.clone());
    let steps = vec![
        call(VendorCall::RunCleanupScript {
            mdm: mdm.clone(),
            device: device.clone(),
            script: script.clone(),
        }),
        wait(
            WaitUntil::ScriptFinished {
                mdm,
                device,
                script,
            },
            CHECK_IN_SECONDS,
            OnTimeout::Fail,
        ),
        target.sync(),
        target.wait_checked_in(),
    ];
    Ok((
        rung(
            "intune-clean-up-script",
            "the certificate is bad; a prepared script removes it, and at the next sync Intune issues a new one",
            true,
        ),
        steps,
    ))
}

pub(super) fn hold_group(target: &Target<'_>) -> Result<(Rung, Steps), Miss> {
    let scope = &target.chosen.profile.scope;
    let by_device = scope.all_devices || !scope.device_groups.is_empty();
    if !by_device || !scope.user_groups.is_empty() {
        return Err(Miss::Impossible(
            "the profile is not assigned to device groups only".to_owned(),
        ));
    }
    let group = target.hold_group()?;
    if target.record.management_id.is_none() {
        return Err(Miss::Impossible(
            "the record names no Entra device, which group changes need".to_owned(),
        ));
    }
    let hold = |present| {
        call(VendorCall::SetDeviceGroup {
            mdm: target.mdm.name.clone(),
            group: group.clone(),
            device: target.record.id.clone(),
            management_id: target.record.management_id.clone(),
            present,
            hold: true,
        })
    };
    let steps = vec![
        hold(true),
        pause(),
        target.sync(),
        target.wait_removed(HOLD_SECONDS),
        hold(false),
        pause(),
        target.sync(),
        target.wait_installed(),
    ];
    Ok((
        rung(
            "intune-hold-group",
            "the certificate is bad and the profile is assigned to device groups only; the computer is excluded for a while",
            true,
        ),
        steps,
    ))
}

pub(super) fn hold_category(target: &Target<'_>) -> Result<(Rung, Steps), Miss> {
    target.needs_bad_certificate()?;
    let name = &target.mdm.name;
    let Some(category) = target.mdm.targets.hold_category.clone() else {
        return Err(Miss::NotConfigured(format!(
            "no hold_category is set for {name}"
        )));
    };
    let profile = target.chosen.profile;
    if !profile.scope.excluded_categories.contains(&category) {
        return Err(Miss::NotConfigured(format!(
            "no exclude filter of profile {} names the category {category}",
            profile.name
        )));
    }
    refuse_wider_profile(profile).map_err(Miss::Impossible)?;
    // Graph documents how a category is set, not how it is cleared (UNVERIFIED): a computer without one could not be
    // given back what it had.
    let Some(old) = target.record.category.clone().filter(|old| !old.is_empty()) else {
        return Err(Miss::Impossible(
            "the computer has no device category that could be set back".to_owned(),
        ));
    };
    if old == category {
        return Err(Miss::Impossible(format!(
            "the computer is in the category {category} already"
        )));
    }
    let set = |category: String, hold| {
        call(VendorCall::SetDeviceCategory {
            mdm: name.clone(),
            device: target.record.id.clone(),
            category: Some(category),
            hold,
        })
    };
    let steps = vec![
        set(category, true),
        target.sync(),
        target.wait_removed(HOLD_SECONDS),
        set(old, false),
        target.sync(),
        target.wait_installed(),
    ];
    Ok((
        rung(
            "intune-hold-category",
            "the certificate is bad and the profile is assigned to user groups with our exclude filter; the category holds only this computer out",
            true,
        ),
        steps,
    ))
}
