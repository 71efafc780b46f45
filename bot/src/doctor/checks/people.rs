//! Slack: token, scopes, channel; and whether somebody can approve.

use connectors::CredentialCheck;

use crate::doctor::{
    check::{Checklist, Section},
    tenant::{SlackTenant, Tenant},
};

pub(super) fn examine(tenant: &Tenant, list: &mut Checklist) {
    list.section(Section::People);
    let Some(slack) = &tenant.slack else {
        list.skipped(
            "slack.rights",
            "no [slack] in the settings: nothing is asked and nobody is told",
        );
        return;
    };
    rights(slack, list);
    match &slack.channel {
        Some(channel) => told(list, "slack.channel".into(), channel),
        None => list.skipped("slack.channel", "see slack.rights"),
    }
    approvers(tenant, slack, list);
}

fn rights(slack: &SlackTenant, list: &mut Checklist) {
    let id = "slack.rights";
    let missing: Vec<&CredentialCheck> = slack.rights.iter().filter(|check| !check.ok).collect();
    if missing.is_empty() {
        let saw = slack.rights.first().map_or("", |token| &token.saw);
        return list.ok(
            id,
            format!("{saw}; all {} scopes that were tried", slack.rights.len()),
        );
    }
    let saw: Vec<String> = missing
        .iter()
        .map(|check| format!("cannot {}: {}", check.what, check.saw))
        .collect();
    let advice: Vec<&str> = missing.iter().map(|check| check.hint.as_str()).collect();
    if missing.iter().all(|check| check.optional) {
        list.warning(id, saw.join("; "), advice.join("; "));
    } else {
        list.failure(id, saw.join("; "), advice.join("; "));
    }
}

fn told(list: &mut Checklist, id: String, check: &CredentialCheck) {
    match (check.ok, check.optional) {
        (true, _) => list.ok(id, check.saw.clone()),
        (false, true) => list.warning(id, check.saw.clone(), check.hint.clone()),
        (false, false) => list.failure(id, check.saw.clone(), check.hint.clone()),
    }
}

/// Every group that decides must have a member who can be found.
fn approvers(tenant: &Tenant, slack: &SlackTenant, list: &mut Checklist) {
    if slack.channel.is_none() {
        return list.skipped("slack.approvers", "see slack.rights");
    }
    for (group, members) in &tenant.approvers {
        let id = match group.as_str() {
            "oncall" => "slack.approvers".to_owned(),
            other => format!("slack.approvers.{other}"),
        };
        if members.is_empty() {
            let saw = format!("nobody is in the group {group} of the settings");
            let advice = match group.as_str() {
                "oncall" => "set [approvals] approvers".to_owned(),
                other => format!("set {other} in [approvals.groups]"),
            };
            // Observe mode asks nobody.
            if tenant.repairs {
                list.failure(id, saw, advice);
            } else {
                list.skipped(
                    id,
                    format!("{saw}; [safety] mode = \"observe\" asks nobody"),
                );
            }
            continue;
        }
        let wrong: Vec<&CredentialCheck> = members
            .iter()
            .filter_map(|member| slack.approvers.get(member))
            .filter(|check| !check.ok)
            .collect();
        if wrong.is_empty() {
            list.ok(id, members.join(", "));
        } else {
            let saw: Vec<String> = wrong
                .iter()
                .map(|check| format!("{}: {}", check.what, check.saw))
                .collect();
            let advice: Vec<&str> = wrong.iter().map(|check| check.hint.as_str()).collect();
            list.failure(id, saw.join("; "), advice.join("; "));
        }
    }
}
