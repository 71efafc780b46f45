//! Section 4: FastPass is on, some rule asks for managed devices, and the app that people are sent to makes them sign in.

use chrono::TimeDelta;
use connectors::SignInApp;

use super::{names, unread};
use crate::{
    doctor::{
        check::{Checklist, Section},
        tenant::{Tenant, Unread},
    },
    domain::{AccessPolicy, AccessRule, PolicyFacts},
};

/// Whoever signed in less than this long ago is not asked again by such a rule.
const ASKS_AGAIN: TimeDelta = TimeDelta::hours(1);

pub(super) fn examine(tenant: &Tenant, list: &mut Checklist) {
    list.section(Section::Fastpass);
    match &tenant.okta.policies {
        Ok(policies) => {
            enabled(policies, list);
            button(policies, list);
            managed_rule(policies, list);
            shadowed(policies, list);
        }
        Err(why) => {
            unread(list, "fastpass.enabled".into(), why);
            for id in [
                "fastpass.button",
                "policy.managed_rule",
                "policy.rule_order",
            ] {
                list.skipped(id, why.why.clone());
            }
        }
    }
    sign_in_app(tenant, list);
}

fn enabled(policies: &PolicyFacts, list: &mut Checklist) {
    let id = "fastpass.enabled";
    match policies.fastpass_active {
        Some(true) => list.ok(id, "Okta Verify and its method FastPass are active"),
        Some(false) => list.failure(
            id,
            "Okta Verify or its method FastPass is not active",
            "activate them: Security, Authenticators, Okta Verify, FastPass",
        ),
        None => list.skipped(
            id,
            "authenticators are not readable: okta.authenticators.read is needed",
        ),
    }
}

/// The button, or a rule: without both, Okta Verify is never asked.
fn button(policies: &PolicyFacts, list: &mut Checklist) {
    let id = "fastpass.button";
    let probes =
        rules(policies).any(|rule| rule.registered == Some(true) || rule.managed == Some(true));
    match policies.fastpass_button {
        Some(true) => list.ok(id, "the sign-in page shows \"Sign in with Okta FastPass\""),
        Some(false) if probes => list.ok(id, "no button, and a rule has Okta Verify asked"),
        // Told by the rule's own check as well; here it is the way out that is missing.
        Some(false) => list.skipped(id, "no button, and no rule asks: see policy.managed_rule"),
        None => list.skipped(id, "whether the button shows is not readable"),
    }
}

fn rules(policies: &PolicyFacts) -> impl Iterator<Item = &AccessRule> {
    policies
        .access_policies
        .iter()
        .filter(|policy| !policy.app_ids.is_empty())
        .flat_map(|policy| &policy.rules)
}

fn asks(rule: &AccessRule) -> bool {
    rule.managed == Some(true)
}

fn managed_rule(policies: &PolicyFacts, list: &mut Checklist) {
    let id = "policy.managed_rule";
    const ADVICE: &str = "add a rule \"registered and managed: allow\" to the policy of one bookmark app first, and a rule that denies \
                          the rest only after a pilot";
    let asking: Vec<&AccessPolicy> = policies
        .access_policies
        .iter()
        .filter(|policy| policy.rules.iter().any(asks))
        .collect();
    let (mapped, idle): (Vec<&AccessPolicy>, Vec<&AccessPolicy>) =
        asking.iter().partition(|policy| !policy.app_ids.is_empty());
    if !mapped.is_empty() {
        let apps: usize = mapped.iter().map(|policy| policy.app_ids.len()).sum();
        list.ok(
            id,
            format!(
                "{} ask for managed devices, for {apps} {}",
                names(mapped.iter().map(|policy| policy.name.as_str())),
                if apps == 1 { "app" } else { "apps" }
            ),
        );
    } else if !policies.complete {
        list.skipped(
            id,
            "not every policy was readable, and those that were ask for no managed device",
        );
    } else if idle.is_empty() {
        let registered = rules(policies).any(|rule| rule.registered == Some(true));
        let saw = if registered {
            "rules ask for registered devices only; whether Okta then stores the management state is not documented"
        } else {
            "no active rule of any app's policy asks for a managed device, so Okta never looks"
        };
        list.failure(id, saw, ADVICE);
    } else {
        list.failure(
            id,
            format!(
                "no app uses {}, whose rules ask for managed devices",
                names(idle.iter().map(|policy| policy.name.as_str()))
            ),
            "assign an app to that policy",
        );
    }
}

/// A rule that lets everybody through before the one that asks.
fn shadowed(policies: &PolicyFacts, list: &mut Checklist) {
    let id = "policy.rule_order";
    let mut hidden = Vec::new();
    let mut seen = false;
    for policy in policies
        .access_policies
        .iter()
        .filter(|one| !one.app_ids.is_empty())
    {
        for (index, rule) in policy
            .rules
            .iter()
            .enumerate()
            .filter(|(_, rule)| asks(rule))
        {
            seen = true;
            if let Some(before) = policy.rules[..index]
                .iter()
                .find(|before| covers_all(before))
            {
                hidden.push(format!(
                    "\"{}\": \"{}\" matches everybody before \"{}\"",
                    policy.name, before.name, rule.name
                ));
            }
        }
    }
    if !hidden.is_empty() {
        list.failure(
            id,
            hidden.join("; "),
            "move the rule that asks for managed devices up: the first match wins",
        );
    } else if seen {
        list.ok(id, "no earlier rule matches everybody");
    } else {
        list.skipped(id, "see policy.managed_rule");
    }
}

fn covers_all(rule: &AccessRule) -> bool {
    rule.registered.is_none()
        && rule.managed.is_none()
        && !rule.other_device_condition
        && rule.platforms.is_empty()
        && rule.groups_include.is_empty()
        && rule.groups_exclude.is_empty()
        && rule.users_include.is_empty()
        && rule.users_exclude.is_empty()
        && rule.name != "Catch-all Rule"
}

/// Whether opening the app makes people sign in with FastPass, which is what every repair ends with.
fn sign_in_app(tenant: &Tenant, list: &mut Checklist) {
    let id = "okta.sign_in_app";
    let advice = "give [okta] sign_in_app a bookmark app whose policy asks for a managed device and signs in every time";
    let Some((app_id, read)) = &tenant.okta.sign_in_app else {
        return list.skipped(
            id,
            "[okta] sign_in_app is not set: people would be asked to sign in anywhere",
        );
    };
    let app = match read {
        Ok(Some(app)) => app,
        Ok(None) => return list.failure(id, format!("there is no app {app_id}"), advice),
        Err(Unread { why, .. }) => return list.skipped(id, why.clone()),
    };
    if !app.active {
        return list.failure(id, format!("\"{}\" is not active", app.label), advice);
    }
    let Some(rules) = &app.rules else {
        return list.skipped(
            id,
            format!("the policy of \"{}\" is not readable", app.label),
        );
    };
    let asking: Vec<_> = rules.iter().filter(|rule| rule.asks_managed).collect();
    if asking.is_empty() {
        if list.failed("policy.managed_rule") {
            return list.skipped(id, "see policy.managed_rule");
        }
        let saw = format!(
            "the policy of \"{}\" asks for no managed device{}",
            app.label,
            again(app).map_or_else(String::new, |often| format!(", and {often}"))
        );
        return list.failure(id, saw, advice);
    }
    let lazy = asking.iter().find(|rule| {
        rule.asks_again_after
            .is_some_and(|after| after > ASKS_AGAIN)
    });
    match lazy {
        Some(rule) => list.failure(
            id,
            format!(
                "the rule \"{}\" of \"{}\" asks again only {}",
                rule.name,
                app.label,
                often(rule.asks_again_after)
            ),
            "set \"Prompt for authentication\" of that rule to every time: whoever has a session would not sign in at all",
        ),
        None => list.ok(
            id,
            format!("\"{}\" asks for a managed device, {}", app.label, often(asking[0].asks_again_after)),
        ),
    }
}

/// How often the app's laxest rule asks.
fn again(app: &SignInApp) -> Option<String> {
    let rules = app.rules.iter().flatten();
    let longest = rules.filter_map(|rule| rule.asks_again_after).max()?;
    Some(format!("asks {}", often(Some(longest))))
}

fn often(after: Option<TimeDelta>) -> String {
    match after {
        None => "how often is not shown".into(),
        Some(after) if after <= TimeDelta::zero() => "at every sign-in".into(),
        Some(after) if after >= TimeDelta::days(365) => "once per session".into(),
        Some(after) if after < TimeDelta::hours(2) => format!("after {} min", after.num_minutes()),
        Some(after) => format!("after {} h", after.num_hours()),
    }
}
