//! Expands the actions that have one way only.

use std::collections::{BTreeMap, BTreeSet};

use super::ladder::{installed, pause, refuse_broken, refuse_wider_profile, removed, resend_steps};
use super::profile::attestation_profile;
use super::{Computer, Expansion, NotPlanned, affected, call, link_of, wait};
use crate::certificate::{CertificateState, judge};
use crate::{
    AttestationProfile, CertificateStore, GroupId, MdmDevice, MdmKind, MdmObservation,
    MessagePurpose, MicroStepKind, OnTimeout, ProfileState, Subject, VendorCall, WaitUntil, WhyNot,
};

const CERTIFICATE_GONE_SECONDS: u64 = 24 * 3600;

/// One message per user of the repair. It changes nothing on the computer, so it affects nobody else.
pub(super) fn message(
    computer: &Computer<'_, '_>,
    purpose: MessagePurpose,
) -> Result<Expansion, NotPlanned> {
    let mut told = BTreeSet::new();
    let mut kinds = Vec::new();
    for subject in computer.subjects {
        let (Some(device), Some(link)) = (subject.device, link_of(subject)) else {
            continue;
        };
        if told.insert(&link.user_id) {
            kinds.push(call(VendorCall::DirectMessage {
                user: link.user_id.clone(),
                device: device.id.clone(),
                purpose,
            }));
        }
    }
    Ok(Expansion {
        kinds,
        affected: own_links(computer),
        ..Expansion::default()
    })
}

pub(super) fn sync(computer: &Computer<'_, '_>) -> Result<Expansion, NotPlanned> {
    let (mdm, record) = commandable(computer)?;
    one_call(computer, sync_call(mdm, record))
}

pub(super) fn refresh_inventory(computer: &Computer<'_, '_>) -> Result<Expansion, NotPlanned> {
    let (mdm, record) = commandable(computer)?;
    one_call(computer, refresh_call(mdm, record))
}

pub(super) fn resend_failed(
    computer: &Computer<'_, '_>,
    with: &BTreeMap<&'static str, u64>,
) -> Result<Expansion, NotPlanned> {
    let (mdm, record) = commandable(computer)?;
    let chosen = attestation_profile(mdm, record)
        .filter(|chosen| matches!(chosen.state(), ProfileState::Failed { .. }))
        .ok_or_else(|| {
            NotPlanned::impossible("the MDM reports no failed delivery of an attestation profile")
        })?;
    Ok(Expansion {
        kinds: resend_steps(mdm, record, chosen.profile, with["installed_within"]),
        affected: computer.affected()?,
        ..Expansion::default()
    })
}

pub(super) fn assign_profile(
    computer: &Computer<'_, '_>,
    with: &BTreeMap<&'static str, u64>,
) -> Result<Expansion, NotPlanned> {
    let (mdm, record) = commandable(computer)?;
    let name = &mdm.name;
    let Some(group) = &mdm.targets.target_group else {
        return Err(NotPlanned::not_configured(format!(
            "no target_group is set for {name}"
        )));
    };
    let profile = mdm
        .profiles
        .iter()
        .filter(|profile| {
            profile.platform == record.platform && profile.scope.device_groups.contains(group)
        })
        .min_by_key(|profile| &profile.id)
        .ok_or_else(|| {
            NotPlanned::not_configured(format!(
                "the target group {group} is in scope of no attestation profile for this platform"
            ))
        })?;
    if let Some(groups) = &record.groups {
        if groups.contains(group) {
            return Err(NotPlanned::impossible(
                "the computer is in the target group already",
            ));
        }
        if let Some(excluded) = groups
            .iter()
            .find(|held| profile.scope.excluded_groups.contains(held))
        {
            return Err(NotPlanned::impossible(format!(
                "the computer is in group {excluded}, which profile {} excludes",
                profile.name
            )));
        }
    }
    let mut kinds = vec![group_call(mdm, record, group)?];
    after_group_change(mdm, record, &mut kinds);
    kinds.push(wait(
        installed(name, record, profile),
        with["installed_within"],
        OnTimeout::Restore,
    ));
    Ok(Expansion {
        kinds,
        affected: computer.affected()?,
        ..Expansion::default()
    })
}

/// Section 2.5 of the design: the prepared group is in scope of the computer-level profile and excluded from the
/// user-level one, so that one membership does both. Okta Verify prefers the user store, so the user certificate must
/// be proved gone.
pub(super) fn move_to_machine_store(
    computer: &Computer<'_, '_>,
    with: &BTreeMap<&'static str, u64>,
) -> Result<Expansion, NotPlanned> {
    let (mdm, record) = commandable(computer)?;
    let (group, machine) = machine_target(mdm, record)?;
    let user = user_profile(mdm, record).ok_or_else(|| {
        NotPlanned::impossible(
            "no user-level attestation profile is in scope, so there is nothing to move away from",
        )
    })?;
    if !user.scope.excluded_groups.contains(group) {
        return Err(NotPlanned::not_configured(format!(
            "the machine group {group} is not among the exclusions of the user profile {}",
            user.name
        )));
    }
    if mdm.kind == MdmKind::Intune && !user.scope.user_groups.is_empty() {
        return Err(NotPlanned::impossible(format!(
            "profile {} is assigned to user groups, and Intune does not let a device group exclude from those",
            user.name
        )));
    }
    if record
        .groups
        .as_ref()
        .is_some_and(|groups| groups.contains(group))
    {
        return Err(NotPlanned::impossible(
            "the computer is in the machine group already",
        ));
    }
    refuse_wider_profile(user).map_err(NotPlanned::impossible)?;
    if !mdm.shows.store {
        return Err(NotPlanned::impossible(format!(
            "{} does not show the store of a certificate, so it could not be proved that the user certificate is gone",
            mdm.name
        )));
    }

    let mut kinds = vec![group_call(mdm, record, group)?];
    after_group_change(mdm, record, &mut kinds);
    if state_of(record, user) == Some(&ProfileState::Installed) {
        let within = with["removed_within"];
        kinds.push(wait(
            removed(&mdm.name, record, user),
            within,
            OnTimeout::Restore,
        ));
    }
    kinds.push(wait(
        installed(&mdm.name, record, machine),
        with["installed_within"],
        OnTimeout::Restore,
    ));
    kinds.push(call(refresh_call(mdm, record)));
    let gone = WaitUntil::Expression {
        cel: "subject.certificate.in_user_store == false".to_owned(),
    };
    kinds.push(wait(gone, CERTIFICATE_GONE_SECONDS, OnTimeout::Fail));
    Ok(Expansion {
        kinds,
        affected: computer.affected()?,
        ..Expansion::default()
    })
}

/// Only with certificate and Okta Verify proved: else the group would widen access and repair nothing. And only where a
/// simulation shows that the user keeps every app.
pub(super) fn assign_fastpass_group(computer: &Computer<'_, '_>) -> Result<Expansion, NotPlanned> {
    let Some(group) = computer.context.fastpass_group else {
        return Err(NotPlanned::not_configured("no okta.fastpass_group is set"));
    };
    let mut kinds = Vec::new();
    let mut changed = Vec::new();
    let mut users = BTreeSet::new();
    for subject in computer.subjects {
        if judge(subject).state != CertificateState::Valid {
            return Err(NotPlanned::impossible(
                "no valid certificate is proved on the computer",
            ));
        }
        let Some(link) = link_of(subject).filter(|_| okta_verify_proved(subject)) else {
            return Err(NotPlanned::impossible(
                "Okta Verify is not proved to be enrolled on the computer",
            ));
        };
        if subject
            .observations
            .okta
            .users
            .get(&link.user_id)
            .and_then(|user| user.groups.as_ref())
            .is_some_and(|groups| groups.contains(group))
        {
            return Err(NotPlanned::impossible(
                "the user is in the FastPass group already",
            ));
        }
        super::access::is_kept(subject.observations, &link.user_id)?;
        if users.insert(&link.user_id) {
            kinds.push(call(VendorCall::SetUserGroup {
                group: group.clone(),
                user: link.user_id.clone(),
                present: true,
            }));
            changed.extend(affected::of_user(
                computer.context.fleet,
                subject.observations,
                &link.user_id,
            )?);
        }
    }
    Ok(Expansion {
        kinds,
        affected: changed,
        ..Expansion::default()
    })
}

fn okta_verify_proved(subject: &Subject<'_>) -> bool {
    let enrolled = link_of(subject)
        .and_then(|link| subject.observations.okta.users.get(&link.user_id))
        .and_then(|detail| detail.fastpass_enrolled);
    subject.device.is_some_and(|device| device.registered)
        && (enrolled == Some(true)
            || subject
                .record
                .and_then(|record| record.okta_verify_installed)
                == Some(true))
}

fn own_links(computer: &Computer<'_, '_>) -> Vec<crate::Affected> {
    let linked = |subject: &&Subject<'_>| Some(affected::entry(subject.device?, link_of(subject)?));
    computer.subjects.iter().filter_map(linked).collect()
}

/// The record, if commands can reach it.
fn commandable<'a>(
    computer: &Computer<'a, '_>,
) -> Result<(&'a MdmObservation, &'a MdmDevice), NotPlanned> {
    let (mdm, record) = computer.managed()?;
    refuse_broken(record)?;
    if mdm.kind == MdmKind::Jamf && record.management_id.is_none() {
        return Err(NotPlanned {
            why: WhyNot::NotPossibleHere,
            detail: "the record has no management id, which commands need".to_owned(),
        });
    }
    Ok((mdm, record))
}

fn one_call(computer: &Computer<'_, '_>, vendor: VendorCall) -> Result<Expansion, NotPlanned> {
    Ok(Expansion {
        kinds: vec![call(vendor)],
        affected: computer.affected()?,
        ..Expansion::default()
    })
}

fn sync_call(mdm: &MdmObservation, record: &MdmDevice) -> VendorCall {
    VendorCall::Sync {
        mdm: mdm.name.clone(),
        device: record.id.clone(),
        management_id: record.management_id.clone(),
    }
}

fn refresh_call(mdm: &MdmObservation, record: &MdmDevice) -> VendorCall {
    VendorCall::RefreshInventory {
        mdm: mdm.name.clone(),
        device: record.id.clone(),
        management_id: record.management_id.clone(),
    }
}

/// Into a group that gives something; taking out again is the undo, not the end of a hold.
fn group_call(
    mdm: &MdmObservation,
    record: &MdmDevice,
    group: &GroupId,
) -> Result<(&'static str, MicroStepKind), NotPlanned> {
    if mdm.kind == MdmKind::Intune && record.management_id.is_none() {
        return Err(NotPlanned::impossible(
            "the record names no Entra device, which group changes need",
        ));
    }
    Ok(call(VendorCall::SetDeviceGroup {
        mdm: mdm.name.clone(),
        group: group.clone(),
        device: record.id.clone(),
        management_id: record.management_id.clone(),
        present: true,
        hold: false,
    }))
}

/// Jamf Pro queues the commands at a group change by itself; Intune wants a sync, but not in the first minutes.
fn after_group_change(
    mdm: &MdmObservation,
    record: &MdmDevice,
    kinds: &mut Vec<(&'static str, MicroStepKind)>,
) {
    if mdm.kind == MdmKind::Intune {
        kinds.push(pause());
        kinds.push(call(sync_call(mdm, record)));
    }
}

fn machine_target<'a>(
    mdm: &'a MdmObservation,
    record: &MdmDevice,
) -> Result<(&'a GroupId, &'a AttestationProfile), NotPlanned> {
    let name = &mdm.name;
    let (Some(group), Some(id)) = (&mdm.targets.machine_group, &mdm.targets.machine_profile) else {
        return Err(NotPlanned::not_configured(format!(
            "machine_profile and machine_group are not both set for {name}"
        )));
    };
    let profile = mdm
        .profiles
        .iter()
        .find(|profile| profile.id == *id)
        .ok_or_else(|| {
            NotPlanned::not_configured(format!("the machine profile {id} was not found in {name}"))
        })?;
    if profile.platform != record.platform {
        return Err(NotPlanned::impossible(format!(
            "the machine profile {} is for another platform",
            profile.name
        )));
    }
    if profile.store != Some(CertificateStore::Machine) {
        return Err(NotPlanned::not_configured(format!(
            "the machine profile {} is not proved to be computer-level",
            profile.name
        )));
    }
    if !profile.scope.device_groups.contains(group) {
        return Err(NotPlanned::not_configured(format!(
            "the machine group {group} is not in scope of the machine profile {}",
            profile.name
        )));
    }
    Ok((group, profile))
}

/// The user-level profile that the computer has, else the one it would have.
fn user_profile<'a>(mdm: &'a MdmObservation, record: &MdmDevice) -> Option<&'a AttestationProfile> {
    let rank = |profile: &AttestationProfile| match state_of(record, profile) {
        Some(ProfileState::Installed) => 0,
        Some(ProfileState::Failed { .. } | ProfileState::Pending | ProfileState::Conflict) => 1,
        _ => 2,
    };
    mdm.profiles
        .iter()
        .filter(|profile| {
            profile.platform == record.platform && profile.store == Some(CertificateStore::User)
        })
        .min_by_key(|profile| (rank(profile), &profile.id))
}

fn state_of<'a>(record: &'a MdmDevice, profile: &AttestationProfile) -> Option<&'a ProfileState> {
    let deliveries = record.profiles.as_ref()?;
    deliveries
        .iter()
        .find(|delivery| delivery.profile_id == profile.id)
        .map(|delivery| &delivery.state)
}
