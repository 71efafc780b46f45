//! Section 5: the prepared way for computers with several users, a profile that puts the certificate into the machine's
//! store.

use super::{NO_MDM, profiles};
use crate::{
    doctor::{
        check::{Checklist, Section},
        tenant::{MdmTenant, Tenant},
    },
    domain::{AttestationProfile, CertificateStore, GroupId},
};

pub(super) fn examine(tenant: &Tenant, list: &mut Checklist) {
    list.section(Section::SharedDevices);
    if tenant.mdms.is_empty() {
        list.skipped("mdm.shared_devices", NO_MDM);
    }
    for mdm in &tenant.mdms {
        prepared(mdm, list);
    }
}

fn prepared(mdm: &MdmTenant, list: &mut Checklist) {
    let id = format!("{}.shared_devices", mdm.name);
    let advice = "make a machine-level twin of the profile and a static group for shared computers, in scope of the twin and excluded \
                  from the user's profile; deploy/README.md shows how";
    let (profile_id, group) = match (&mdm.targets.machine_profile, &mdm.targets.machine_group) {
        (Some(profile), Some(group)) => (profile, group),
        (None, None) => {
            return list.skipped(
                id,
                "machine_profile and machine_group are not set: shared computers get a written guide, no repair",
            );
        }
        _ => {
            return list.failure(
                id,
                "only one of machine_profile and machine_group is set",
                advice,
            );
        }
    };
    if mdm.setup.is_err() {
        return list.skipped(id, format!("see {}.profile", mdm.name));
    }
    let Some(profile) = profiles(mdm).iter().find(|one| one.id == *profile_id) else {
        if list.failed(&format!("{}.profile", mdm.name)) {
            return list.skipped(id, format!("see {}.profile", mdm.name));
        }
        return list.failure(
            id,
            format!("no attestation profile has the id {profile_id}"),
            "correct machine_profile, or add its name to [attestation] scep_profiles",
        );
    };
    match wrong(profile, group) {
        Some(saw) => list.failure(id, saw, advice),
        None => list.ok(id, format!("\"{}\" serves the group {group}", profile.name)),
    }
}

fn wrong(profile: &AttestationProfile, group: &GroupId) -> Option<String> {
    let name = &profile.name;
    if profile.store == Some(CertificateStore::User) {
        return Some(format!(
            "\"{name}\" puts the certificate into the user's store"
        ));
    }
    let scope = &profile.scope;
    (!scope.all_devices && !scope.device_groups.contains(group))
        .then(|| format!("the group {group} is not in the scope of \"{name}\""))
}
