//! Reads a plan against the world as it is just before the first step. Any difference drops the repair; nothing is
//! planned again.

use crate::correlate::normalise;
use crate::planning::profile::attestation_profile;
use crate::planning::{certificate_id, listed_certificate};
use crate::playbook::facts::profile_word;
use crate::{
    DeviceId, ManagementStatus, MdmDevice, MdmObservation, MicroStepKind, OktaDeviceStatus,
    PlannedRepair, ProfileScope, UserId, UserStatus, VendorCall,
};

/// What was read by id, now.
#[derive(Debug, Clone)]
pub struct FreshRead<'a> {
    /// One entry per subject of the repair.
    pub subjects: Vec<FreshSubject>,
    /// The MDM with its profiles read now and this one record; `None` where the repair has no MDM record.
    pub mdm: Option<FreshMdm<'a>>,
    /// Why the computer or one of its users is excluded by now.
    pub excluded: Option<String>,
    /// Whether a person must look at the computer first.
    pub quarantined: bool,
    /// What holds it: a fleet finding, or a scope hold of another run.
    pub held: Option<String>,
}

/// One device-user read by id.
#[derive(Debug, Clone, PartialEq)]
pub struct FreshSubject {
    /// Okta device.
    pub device_id: DeviceId,
    /// Okta user.
    pub user_id: UserId,
    /// `None`: the record is gone.
    pub device_status: Option<OktaDeviceStatus>,
    /// `None`: the link is gone.
    pub management_status: Option<ManagementStatus>,
    /// `None`: not read with it.
    pub user_status: Option<UserStatus>,
}

/// The MDM's side, read now.
#[derive(Debug, Clone, Copy)]
pub struct FreshMdm<'a> {
    /// The MDM with fresh `profiles` and `targets`.
    pub mdm: &'a MdmObservation,
    /// The record; `None`: gone.
    pub record: Option<&'a MdmDevice>,
}

/// Whether a repair may begin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Preflight {
    /// Everything is as planned.
    Go,
    /// Every subject is managed by now.
    CuredByItself,
    /// Something differs; the reason is for people.
    Dropped(String),
}

/// Compares a planned repair with a fresh read.
pub fn check(repair: &PlannedRepair, fresh: &FreshRead<'_>) -> Preflight {
    if all_managed(repair, fresh) {
        return Preflight::CuredByItself;
    }
    let checks = [
        guarded(fresh),
        okta_differs(repair, fresh),
        mdm_differs(repair, fresh),
        targets_differ(repair, fresh),
    ];
    match checks.into_iter().flatten().next() {
        Some(reason) => Preflight::Dropped(reason),
        None => Preflight::Go,
    }
}

fn fresh_of<'f>(
    fresh: &'f FreshRead<'_>,
    device: &DeviceId,
    user: &UserId,
) -> Option<&'f FreshSubject> {
    fresh
        .subjects
        .iter()
        .find(|subject| subject.device_id == *device && subject.user_id == *user)
}

fn all_managed(repair: &PlannedRepair, fresh: &FreshRead<'_>) -> bool {
    repair.subjects.iter().all(|subject| {
        fresh_of(fresh, &subject.device_id, &subject.user_id)
            .is_some_and(|fresh| fresh.management_status == Some(ManagementStatus::Managed))
    })
}

fn guarded(fresh: &FreshRead<'_>) -> Option<String> {
    if let Some(reason) = &fresh.excluded {
        return Some(format!("excluded: {reason}"));
    }
    if fresh.quarantined {
        return Some("quarantined: a person must look at it first".to_owned());
    }
    fresh.held.as_ref().map(|reason| format!("held: {reason}"))
}

fn okta_differs(repair: &PlannedRepair, fresh: &FreshRead<'_>) -> Option<String> {
    let planned = &repair.preconditions;
    let subjects = repair
        .subjects
        .iter()
        .zip(&planned.management_status)
        .zip(&planned.device_status);
    for ((subject, management), device) in subjects {
        let who = &subject.login;
        let Some(now) = fresh_of(fresh, &subject.device_id, &subject.user_id) else {
            return Some(format!("the device of {who} was not read again"));
        };
        let Some(status) = &now.device_status else {
            return Some(format!("Okta's record {} is gone", subject.device_id));
        };
        if status != device {
            return Some(format!(
                "Okta's record {} is {} by now",
                subject.device_id,
                text(status)
            ));
        }
        match now.management_status {
            None => return Some(format!("{who} is not linked to the computer any more")),
            Some(now) if now != *management => {
                return Some(format!("{who} is {} on the computer by now", text(&now)));
            }
            Some(_) => {}
        }
        if let Some(status) = now
            .user_status
            .as_ref()
            .filter(|status| **status != UserStatus::Active)
        {
            return Some(format!("the account of {who} is {}", text(status)));
        }
    }
    None
}

fn mdm_differs(repair: &PlannedRepair, fresh: &FreshRead<'_>) -> Option<String> {
    let id = repair.mdm_device_id.as_ref()?;
    let Some(mdm) = &fresh.mdm else {
        return Some("the MDM record was not read again".to_owned());
    };
    let Some(record) = mdm.record else {
        return Some(format!("the MDM record {id} is gone"));
    };
    let planned = &repair.preconditions;
    if record.id != *id {
        return Some(format!("the MDM record is {} by now", record.id));
    }
    if record.management_id != repair.management_id {
        return Some(
            "the MDM's second key of the computer changed: it was enrolled again".to_owned(),
        );
    }
    let serial = record.serial_number.as_deref().and_then(normalise);
    if serial != planned.mdm_serial {
        return Some("the MDM record shows another serial number by now".to_owned());
    }
    let chosen = attestation_profile(mdm.mdm, record);
    if chosen.map(|chosen| &chosen.profile.id) != planned.profile.as_ref() {
        return Some("another attestation profile applies by now".to_owned());
    }
    let state = chosen.and_then(|chosen| profile_word(chosen.state()));
    if state != planned.profile_state.as_deref() {
        return Some(format!(
            "the profile is {} by now",
            state.unwrap_or("not shown")
        ));
    }
    let certificate = listed_certificate(record);
    if certificate.and_then(certificate_id) != planned.certificate.as_deref() {
        return Some("another certificate is listed by now".to_owned());
    }
    if certificate.and_then(|certificate| certificate.store) != planned.certificate_store {
        return Some("the certificate is in another store by now".to_owned());
    }
    None
}

/// What a person prepared may have been changed since; a step whose target no longer fits must not begin.
fn targets_differ(repair: &PlannedRepair, fresh: &FreshRead<'_>) -> Option<String> {
    let mdm = fresh.mdm?.mdm;
    let any = |fits: &dyn Fn(&ProfileScope) -> bool| {
        mdm.profiles.iter().any(|profile| fits(&profile.scope))
    };
    for step in &repair.steps {
        let MicroStepKind::Call(call) = &step.kind else {
            continue;
        };
        match call {
            VendorCall::SetDeviceGroup {
                group,
                present: true,
                hold: true,
                ..
            } if !any(&|scope| scope.excluded_groups.contains(group)) => {
                return Some(format!(
                    "the hold group {group} is in no profile's exclusions any more"
                ));
            }
            VendorCall::SetDeviceGroup {
                group,
                present: true,
                hold: false,
                ..
            } if !any(&|scope| scope.device_groups.contains(group)) => {
                return Some(format!(
                    "group {group} is in scope of no attestation profile any more"
                ));
            }
            VendorCall::SetDeviceCategory {
                category: Some(category),
                hold: true,
                ..
            } if !any(&|scope| scope.excluded_categories.contains(category)) => {
                return Some(format!(
                    "no exclude filter names the category {category} any more"
                ));
            }
            _ => {}
        }
    }
    let rung_removes = repair.rung.as_ref().is_some_and(|rung| rung.removes);
    let profile = repair
        .preconditions
        .profile
        .as_ref()
        .filter(|_| rung_removes)?;
    let profile = mdm
        .profiles
        .iter()
        .find(|candidate| candidate.id == *profile)?;
    let only_scep = profile.other_payloads.as_ref().is_some_and(Vec::is_empty);
    let no_network = profile.network_uses.as_ref().is_some_and(Vec::is_empty);
    (!only_scep || !no_network).then(|| {
        format!(
            "profile {} carries or supports more than the certificate by now",
            profile.name
        )
    })
}

fn text<T: serde::Serialize>(value: &T) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(text)) => text,
        _ => "something else".to_owned(),
    }
}

#[cfg(test)]
mod tests;
