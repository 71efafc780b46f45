//! Whether somebody would lose an app by joining the FastPass group, from simulated sign-ins.

use crate::{AccessCheck, AccessPolicy, GroupId, PolicyFacts, UserId};
use crate::{Observations, WhyNot};

use super::NotPlanned;

/// One simulated sign-in: the rule that decides, if one does.
pub type Matched<'r> = Option<&'r str>;

/// Policies that membership decides about, each with one of its apps; the policy judges all of its apps alike.
pub fn policies_about<'p>(
    policies: &'p PolicyFacts,
    group: &'p GroupId,
) -> impl Iterator<Item = (&'p AccessPolicy, &'p str)> {
    let names_it = move |policy: &&AccessPolicy| {
        policy
            .rules
            .iter()
            .any(|rule| rule.groups_include.contains(group) || rule.groups_exclude.contains(group))
    };
    policies
        .access_policies
        .iter()
        .filter(names_it)
        .filter_map(|policy| Some((policy, policy.app_ids.first()?.as_str())))
}

/// Compares a sign-in as things are with the same one as a member of the group.
pub fn compare(
    policy: &AccessPolicy,
    app: &str,
    today: Matched<'_>,
    joined: Matched<'_>,
) -> AccessCheck {
    let (Some(today), Some(joined)) = (opens(policy, today), opens(policy, joined)) else {
        return AccessCheck::NotProvable {
            reason: format!(
                "the simulation names a rule that policy {} does not have",
                policy.name
            ),
        };
    };
    if today && !joined {
        AccessCheck::Lost {
            app: app.to_owned(),
            policy: policy.name.clone(),
        }
    } else {
        AccessCheck::Kept
    }
}

/// Whether the rule lets people in; `None`: the policy has no such rule. Where no rule matches, nobody gets in.
fn opens(policy: &AccessPolicy, matched: Matched<'_>) -> Option<bool> {
    let Some(id) = matched else {
        return Some(false);
    };
    let rule = policy.rules.iter().find(|rule| rule.id == id)?;
    Some(!rule.denies)
}

/// Refuses a plan unless it is shown that the user keeps every app.
pub(super) fn is_kept(observations: &Observations, user: &UserId) -> Result<(), NotPlanned> {
    let told = match observations.okta.fastpass_access.get(user) {
        None => "it was not simulated whether the user keeps every app".to_owned(),
        Some(check) => match why_not(check) {
            None => return Ok(()),
            Some(told) => told,
        },
    };
    Err(NotPlanned {
        why: WhyNot::NotPossibleHere,
        detail: told,
    })
}

/// What speaks against joining, for people; `None`: nothing.
pub fn why_not(check: &AccessCheck) -> Option<String> {
    match check {
        AccessCheck::Kept => None,
        AccessCheck::Lost { app, policy } => Some(format!(
            "in the FastPass group the user would lose the app {app}, by the policy {policy}"
        )),
        AccessCheck::NotProvable { reason } => Some(format!(
            "that the user keeps every app is not provable here: {reason}"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::AccessRule;

    fn rule(id: &str, denies: bool) -> AccessRule {
        AccessRule {
            id: id.into(),
            name: id.into(),
            priority: 0,
            registered: None,
            managed: None,
            other_device_condition: false,
            platforms: Vec::new(),
            groups_include: Vec::new(),
            groups_exclude: Vec::new(),
            users_include: Vec::new(),
            users_exclude: Vec::new(),
            denies,
        }
    }

    fn policy() -> AccessPolicy {
        AccessPolicy {
            id: "rst1".into(),
            name: "Any two factors".into(),
            rules: vec![rule("open", false), rule("closed", true)],
            app_ids: vec!["0oaMail".into()],
        }
    }

    #[test]
    fn an_app_is_lost_where_it_is_open_today_and_closed_to_members() {
        let lost = AccessCheck::Lost {
            app: "0oaMail".into(),
            policy: "Any two factors".into(),
        };
        let cases = [
            (Some("open"), Some("open"), AccessCheck::Kept),
            (Some("open"), Some("closed"), lost.clone()),
            (Some("open"), None, lost),
            (Some("closed"), Some("closed"), AccessCheck::Kept),
            (None, Some("open"), AccessCheck::Kept),
        ];
        for (today, joined, expected) in cases {
            assert_eq!(
                compare(&policy(), "0oaMail", today, joined),
                expected,
                "{today:?} {joined:?}"
            );
        }
        let unknown = compare(&policy(), "0oaMail", Some("open"), Some("another"));
        assert!(matches!(unknown, AccessCheck::NotProvable { .. }));
    }

    #[test]
    fn only_policies_that_name_the_group_are_asked_about() {
        let mut facts = PolicyFacts {
            access_policies: vec![policy(), policy()],
            ..PolicyFacts::default()
        };
        facts.access_policies[1].id = "rst2".into();
        facts.access_policies[1].rules[0].groups_exclude = vec!["00gFastpass".into()];
        let group = "00gFastpass".into();
        let about: Vec<&str> = policies_about(&facts, &group)
            .map(|(policy, _)| policy.id.as_str())
            .collect();
        assert_eq!(about, ["rst2"]);
    }
}
