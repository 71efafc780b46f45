//! Access policies: does any rule ask for this user's device to be managed, and does it get its turn?

mod apps;
mod rules;

use crate::{AccessPolicy, AccessRule, GroupId, OktaDevice, OktaDeviceUser, Want};

use super::facts::Facts;
pub(super) use apps::APP_NOT_MAPPED;
pub(super) use rules::{NO_RULE, NOT_MANAGED_RULE, SHADOWED, USER_OUT_OF_SCOPE};

/// Whether a sign-in of this user on this platform makes Okta look at the device's management.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Asked<'a> {
    /// This rule asks.
    ByRule(&'a AccessRule),
    /// No active rule of any mapped policy asks anybody (C50).
    ByNoRule,
    /// Rules ask others, not this user.
    NotOfThisUser,
    /// Not known: policies unread, groups unread, or only rules that ask for a registered device.
    Unknown(Option<Want>),
}

/// Whether a rule covers one person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Covers {
    Yes,
    No,
    /// It depends on groups that were not read.
    Unknown,
}

pub(super) fn asks_for_managed<'a>(facts: &Facts<'_, 'a>) -> Asked<'a> {
    let policies = &facts.observations().okta.policies;
    if !policies.complete {
        return Asked::Unknown(None);
    }
    let groups = facts.detail.and_then(|detail| detail.groups.as_deref());
    let mut others = false;
    let mut registered_only = false;
    let mut unknown = false;
    for rule in policies
        .access_policies
        .iter()
        .filter(|policy| !policy.app_ids.is_empty())
        .flat_map(|policy| &policy.rules)
        .filter(|rule| on_platform(rule, facts.device))
    {
        let asks_managed = rule.managed == Some(true);
        if !asks_managed && rule.registered != Some(true) {
            continue;
        }
        match (covers(rule, facts.link, groups), asks_managed) {
            (Covers::Yes, true) => return Asked::ByRule(rule),
            (Covers::Unknown, true) => unknown = true,
            (Covers::No, true) => others = true,
            // Okta Verify is probed then; that the management flag is stored too is UNVERIFIED.
            (Covers::Yes | Covers::Unknown, false) => registered_only = true,
            (Covers::No, false) => {}
        }
    }
    match (unknown, registered_only, others) {
        (true, _, _) => Asked::Unknown(Some(Want::UserGroups {
            user: facts.link.user_id.clone(),
        })),
        (false, true, _) => Asked::Unknown(None),
        (false, false, true) => Asked::NotOfThisUser,
        (false, false, false) => Asked::ByNoRule,
    }
}

fn on_platform(rule: &AccessRule, device: &OktaDevice) -> bool {
    rule.platforms.is_empty() || rule.platforms.contains(&device.platform)
}

fn covers(rule: &AccessRule, link: &OktaDeviceUser, groups: Option<&[GroupId]>) -> Covers {
    if rule.users_exclude.contains(&link.user_id) {
        return Covers::No;
    }
    let in_any =
        |named: &[GroupId]| groups.map(|own| own.iter().any(|group| named.contains(group)));
    let excluded = match rule.groups_exclude.is_empty() {
        true => Some(false),
        false => in_any(&rule.groups_exclude),
    };
    let unlimited = rule.users_include.is_empty() && rule.groups_include.is_empty();
    let included = match unlimited || rule.users_include.contains(&link.user_id) {
        true => Some(true),
        false if rule.groups_include.is_empty() => Some(false),
        false => in_any(&rule.groups_include),
    };
    match (excluded, included) {
        (Some(true), _) | (_, Some(false)) => Covers::No,
        (Some(false), Some(true)) => Covers::Yes,
        _ => Covers::Unknown,
    }
}

/// Whether some app denies this user on this unmanaged device right now, as far as rules and known groups tell.
pub(super) fn is_blocked(facts: &Facts<'_, '_>) -> bool {
    let policies = &facts.observations().okta.policies;
    let groups = facts.detail.and_then(|detail| detail.groups.as_deref());
    policies.complete
        && policies
            .access_policies
            .iter()
            .filter(|policy| !policy.app_ids.is_empty())
            .filter(|policy| policy.rules.iter().any(|rule| rule.managed == Some(true)))
            .any(|policy| denies(policy, facts, groups))
}

fn denies(policy: &AccessPolicy, facts: &Facts<'_, '_>, groups: Option<&[GroupId]>) -> bool {
    let mut rules: Vec<&AccessRule> = policy
        .rules
        .iter()
        .filter(|rule| on_platform(rule, facts.device))
        .filter(|rule| rule.managed != Some(true))
        .collect();
    rules.sort_by_key(|rule| rule.priority);
    for rule in rules {
        match covers(rule, facts.link, groups) {
            Covers::No => {}
            Covers::Yes if !rule.other_device_condition => return rule.denies,
            // The first match wins, and whether this one matches is not known.
            Covers::Yes | Covers::Unknown => return false,
        }
    }
    false
}
