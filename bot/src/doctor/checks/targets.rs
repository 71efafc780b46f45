//! What a person prepared for repairs: it exists, a program may change it, and it is where the repair needs it.

use super::{NO_MDM, main_profiles, names, profiles};
use crate::{
    doctor::{
        check::{Checklist, Section},
        tenant::{MdmTenant, Tenant},
    },
    domain::{AccessRule, AttestationProfile, GroupId},
};

/// The key of the group that takes devices out of a profile.
const HOLD: &str = "hold_group";

pub(super) fn examine(tenant: &Tenant, list: &mut Checklist) {
    list.section(Section::RepairTargets);
    fastpass_group(tenant, list);
    if tenant.mdms.is_empty() {
        list.skipped("mdm.hold_group", NO_MDM);
    }
    for mdm in &tenant.mdms {
        group(
            mdm,
            list,
            HOLD,
            mdm.targets.hold_group.as_ref(),
            "excluded from",
            "put the group into the exclusions of the attestation profile",
            main_profiles(mdm).collect(),
            |profile, group| profile.scope.excluded_groups.contains(group),
        );
        group(
            mdm,
            list,
            "target_group",
            mdm.targets.target_group.as_ref(),
            "in the scope of",
            "put the group into the scope of the attestation profile",
            main_profiles(mdm).collect(),
            |profile, group| profile.scope.device_groups.contains(group),
        );
        group(
            mdm,
            list,
            "machine_group",
            mdm.targets.machine_group.as_ref(),
            "in the scope of",
            "put the group into the scope of machine_profile",
            profiles(mdm)
                .iter()
                .filter(|profile| mdm.targets.machine_profile.as_ref() == Some(&profile.id))
                .collect(),
            |profile, group| profile.scope.device_groups.contains(group),
        );
        category(mdm, list);
        script(mdm, list);
    }
}

/// A group that repairs put devices into.
fn group(
    mdm: &MdmTenant,
    list: &mut Checklist,
    key: &str,
    group: Option<&GroupId>,
    place: &str,
    advice: &str,
    profiles: Vec<&AttestationProfile>,
    is_there: impl Fn(&AttestationProfile, &GroupId) -> bool,
) {
    let id = format!("{}.{key}", mdm.name);
    let Some(group) = group else {
        return list.skipped(
            id,
            format!("{key} is not set; repairs that need it are not possible here"),
        );
    };
    match mdm.groups.get(group) {
        Some(Ok(Ok(()))) => {}
        Some(Ok(Err(why))) => {
            return list.failure(
                id,
                why.clone(),
                "name a static group that a program may change, or make one for this alone",
            );
        }
        Some(Err(unread)) => return list.skipped(id, unread.why.clone()),
        None => return list.skipped(id, "not looked up"),
    }
    if profiles.is_empty() {
        return list.skipped(
            id,
            format!("no profile to look at, see {}.profile", mdm.name),
        );
    }
    let (there, elsewhere): (Vec<&AttestationProfile>, Vec<&AttestationProfile>) = profiles
        .into_iter()
        .partition(|profile| is_there(profile, group));
    let named = |profiles: &[&AttestationProfile]| {
        names(profiles.iter().map(|profile| profile.name.as_str()))
    };
    // A device that is held has to lose whichever profile it has.
    let everywhere = key == HOLD;
    if there.is_empty() || (everywhere && !elsewhere.is_empty()) {
        let saw = format!("group {group} is not {place} {}", named(&elsewhere));
        list.failure(id, saw, advice);
    } else {
        list.ok(id, format!("group {group}, {place} {}", named(&there)));
    }
}

/// Intune's category, which an exclude filter names.
fn category(mdm: &MdmTenant, list: &mut Checklist) {
    let Some(category) = &mdm.targets.hold_category else {
        return;
    };
    let id = format!("{}.hold_category", mdm.name);
    if profiles(mdm).is_empty() {
        return list.skipped(
            id,
            format!("no profile to look at, see {}.profile", mdm.name),
        );
    }
    let named =
        |profile: &&AttestationProfile| profile.scope.excluded_categories.contains(category);
    let there = names(
        profiles(mdm)
            .iter()
            .filter(named)
            .map(|one| one.name.as_str()),
    );
    if there.is_empty() {
        list.failure(
            id,
            format!("no exclude filter of an attestation profile names the category {category}"),
            format!("make a filter `(device.deviceCategory -eq \"{category}\")` and exclude it in each assignment of the profile"),
        );
    } else {
        list.ok(id, format!("{category}, filtered out of {there}"));
    }
}

fn script(mdm: &MdmTenant, list: &mut Checklist) {
    let Some(read) = &mdm.cleanup_script else {
        return;
    };
    let id = format!("{}.cleanup_script", mdm.name);
    match read {
        Ok(true) => list.ok(id, "the remediation script is there"),
        Ok(false) => list.failure(
            id,
            "there is no remediation script with that id",
            "correct cleanup_script, or upload the script again",
        ),
        Err(unread) => list.skipped(id, unread.why.clone()),
    }
}

/// Membership in this group must give FastPass and nothing else.
fn fastpass_group(tenant: &Tenant, list: &mut Checklist) {
    let id = "okta.fastpass_group";
    let Some((group_id, read)) = &tenant.okta.fastpass_group else {
        return list.skipped(
            id,
            "[okta] fastpass_group is not set; the playbook assign-fastpass-policy needs it",
        );
    };
    let group = match read {
        Ok(Some(group)) => group,
        Ok(None) => {
            return list.failure(
                id,
                format!("there is no group {group_id}"),
                "correct [okta] fastpass_group",
            );
        }
        Err(unread) => return list.skipped(id, unread.why.clone()),
    };
    let mut wrong = Vec::new();
    if group.kind != "OKTA_GROUP" {
        wrong.push(format!(
            "it is {}, whose members come from elsewhere",
            group.kind
        ));
    }
    if !group.rules.is_empty() {
        wrong.push(format!(
            "filled by the group rule {}",
            names(group.rules.iter().map(String::as_str))
        ));
    }
    if !group.apps.is_empty() {
        wrong.push(format!(
            "assigned to {}",
            names(group.apps.iter().map(String::as_str))
        ));
    }
    if let Some(roles) = group.roles.as_ref().filter(|roles| !roles.is_empty()) {
        wrong.push(format!(
            "gives the admin role {}",
            names(roles.iter().map(String::as_str))
        ));
    }
    if !wrong.is_empty() {
        return list.failure(
            id,
            format!("\"{}\": {}", group.name, wrong.join("; ")),
            "make an Okta group for this alone, without rule, app or role, and name it in the rule that asks for managed devices",
        );
    }
    let asking = tenant.okta.policies.as_ref().ok().map(|policies| {
        let rules = policies
            .access_policies
            .iter()
            .flat_map(|policy| &policy.rules);
        rules
            .filter(|rule| rule.managed == Some(true))
            .collect::<Vec<&AccessRule>>()
    });
    let roles = if group.roles.is_none() {
        "; whether it gives an admin role is not readable (okta.roles.read)"
    } else {
        ""
    };
    match asking {
        Some(rules)
            if !rules.is_empty()
                && !rules
                    .iter()
                    .any(|rule| rule.groups_include.contains(group_id)) =>
        {
            list.warning(
                id,
                format!(
                    "no rule that asks for managed devices names \"{}\"{roles}",
                    group.name
                ),
                "include the group in that rule, else membership changes nothing",
            )
        }
        _ => list.ok(
            id,
            format!(
                "\"{}\" has no rule, app or role of its own{roles}",
                group.name
            ),
        ),
    }
}
