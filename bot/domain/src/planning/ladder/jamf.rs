//! The rungs of Jamf Pro, the gentlest first.

use super::{Miss, Steps, Target, call, rung};
use crate::{ProfileState, Rung, VendorCall};

/// A scope hold is not kept longer than this (design, section 6).
const HOLD_SECONDS: u64 = 2 * 3600;

pub(super) fn enable_push(target: &Target<'_>) -> Result<(Rung, Steps), Miss> {
    if target.record.push_enabled != Some(false) {
        return Err(Miss::Impossible("push is not shown as off".to_owned()));
    }
    let Some(management_id) = target.record.management_id.clone() else {
        return Err(Miss::Impossible(
            "push is off and the record has no management id to turn it on by".to_owned(),
        ));
    };
    let steps = vec![
        call(VendorCall::EnablePush {
            mdm: target.mdm.name.clone(),
            device: target.record.id.clone(),
            management_id,
        }),
        target.sync(),
        target.wait_installed(),
    ];
    Ok((
        rung(
            "jamf-enable-push",
            "push is turned off for this Mac, so no command reaches it",
            false,
        ),
        steps,
    ))
}

pub(super) fn flush_failed(target: &Target<'_>) -> Result<(Rung, Steps), Miss> {
    if !matches!(target.chosen.state(), ProfileState::Failed { .. }) {
        return Err(Miss::Impossible(
            "no command of the profile has failed".to_owned(),
        ));
    }
    target.needs_management_id()?;
    Ok((
        rung(
            "jamf-flush-failed",
            "the last command to install the profile failed; what is in scope and missing is pushed again",
            false,
        ),
        target.resend(),
    ))
}

pub(super) fn hold_group(target: &Target<'_>) -> Result<(Rung, Steps), Miss> {
    let group = target.hold_group()?;
    let (mdm, device) = (&target.mdm.name, &target.record.id);
    let hold = |present| {
        call(VendorCall::SetDeviceGroup {
            mdm: mdm.clone(),
            group: group.clone(),
            device: device.clone(),
            management_id: target.record.management_id.clone(),
            present,
            hold: true,
        })
    };
    let steps = vec![
        hold(true),
        target.wait_removed(HOLD_SECONDS),
        hold(false),
        target.wait_installed(),
    ];
    Ok((
        rung(
            "jamf-hold-group",
            "the profile is installed and its certificate is bad; it is removed for a while and comes back with a new one",
            true,
        ),
        steps,
    ))
}
