//! What the org asks of a device: the FastPass authenticator, access policies, their rules and the apps that use them.

use std::collections::BTreeSet;

use futures_util::{StreamExt, TryStreamExt, stream};
use unstuck_domain::{AccessPolicy, AccessRule, GroupId, Platform, PolicyFacts, UserId};

use super::endpoints::{
    AUTHENTICATOR_METHODS, LIST_AUTHENTICATORS, LIST_POLICIES, POLICY_MAPPINGS, POLICY_RULES,
};
use super::{OktaClient, wire};
use crate::Result;
use crate::error::ErrorKind;
use crate::http::{Call, Lenient};

/// Policies read at once.
const AT_ONCE: usize = 3;
const ACTIVE: Option<&str> = Some("ACTIVE");

/// How the authenticator is set; `None`: that cannot be told.
#[derive(Default)]
struct FastPass {
    /// Whether Okta Verify and its method `signed_nonce` are both on.
    active: Option<bool>,
    /// Whether the sign-in page shows a button for it.
    button: Option<bool>,
}

impl FastPass {
    /// Not in the list, of which so many entries do not parse.
    fn absent(skipped: usize) -> Self {
        Self {
            active: (skipped == 0).then_some(false),
            button: None,
        }
    }
}

impl OktaClient {
    /// Everything, to the last page. A right that is missing leaves its part out and the whole incomplete.
    pub(super) async fn read_policies(&self) -> Result<PolicyFacts> {
        let fastpass = readable(self.fastpass().await)?.unwrap_or_default();
        let call = Call::new(&LIST_POLICIES).query("type", "ACCESS_POLICY");
        let listed = readable(self.list::<wire::Policy>(call, &LIST_POLICIES).await)?;
        let Some(listed) = listed else {
            return Ok(PolicyFacts {
                fastpass_button: fastpass.button,
                complete: false,
                fastpass_active: fastpass.active,
                access_policies: Vec::new(),
            });
        };
        let all_parsed = listed.skipped == 0;
        let active = listed
            .records
            .into_iter()
            .filter(|policy| policy.status.as_deref() == ACTIVE);
        let policies: Vec<(AccessPolicy, bool)> = stream::iter(active)
            .map(|policy| self.access_policy(policy))
            .buffered(AT_ONCE)
            .try_collect()
            .await?;
        Ok(PolicyFacts {
            fastpass_button: fastpass.button,
            complete: all_parsed
                && fastpass.active.is_some()
                && policies.iter().all(|(_, complete)| *complete),
            fastpass_active: fastpass.active,
            access_policies: policies.into_iter().map(|(policy, _)| policy).collect(),
        })
    }

    /// How Okta Verify and its method `signed_nonce` are set.
    async fn fastpass(&self) -> Result<FastPass> {
        let call = Call::new(&LIST_AUTHENTICATORS);
        let authenticators: Lenient<wire::Authenticator> =
            self.list(call, &LIST_AUTHENTICATORS).await?;
        let Some(okta_verify) = authenticators
            .records
            .iter()
            .find(|authenticator| authenticator.key == "okta_verify")
        else {
            return Ok(FastPass::absent(authenticators.skipped));
        };
        if okta_verify.status != "ACTIVE" {
            return Ok(FastPass::absent(0));
        }
        let call = Call::new(&AUTHENTICATOR_METHODS).param(okta_verify.id.as_str());
        let methods: Lenient<wire::AuthenticatorMethod> =
            self.list(call, &AUTHENTICATOR_METHODS).await?;
        let skipped = methods.skipped;
        let mut methods = methods.records.into_iter();
        let Some(method) = methods.find(|method| method.kind == "signed_nonce") else {
            return Ok(FastPass::absent(skipped));
        };
        let shown = method.settings.and_then(|set| set.show_sign_in_with_ov);
        Ok(FastPass {
            active: Some(method.status.as_deref() == ACTIVE),
            button: shown.and_then(|word| match word.to_ascii_uppercase().as_str() {
                "ALWAYS" => Some(true),
                "NEVER" => Some(false),
                _ => None,
            }),
        })
    }

    async fn access_policy(&self, policy: wire::Policy) -> Result<(AccessPolicy, bool)> {
        let call = Call::new(&POLICY_RULES).param(policy.id.as_str());
        let rules = readable(self.list::<wire::Rule>(call, &POLICY_RULES).await)?;
        let call = Call::new(&POLICY_MAPPINGS).param(policy.id.as_str());
        let mappings = readable(self.list::<wire::Mapping>(call, &POLICY_MAPPINGS).await)?;
        let complete = rules.as_ref().is_some_and(|rules| rules.skipped == 0)
            && mappings.as_ref().is_some_and(|list| list.skipped == 0);
        let mut rules: Vec<AccessRule> = rules
            .unwrap_or_default()
            .records
            .into_iter()
            .filter(|rule| rule.status.as_deref() == ACTIVE)
            .map(access_rule)
            .collect();
        rules.sort_by_key(|rule| rule.priority);
        let app_ids = mappings
            .unwrap_or_default()
            .records
            .into_iter()
            .filter_map(|mapping| mapping.links.application)
            .filter_map(|link| last_segment(&link.href))
            .collect();
        let policy = AccessPolicy {
            name: policy.name.unwrap_or_default(),
            id: policy.id,
            rules,
            app_ids,
        };
        Ok((policy, complete))
    }
}

/// `None` for a part that the credential may not read or that this org does not have.
fn readable<T>(result: Result<T>) -> Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) => match error.kind {
            ErrorKind::Forbidden { .. } | ErrorKind::NotFound => {
                tracing::warn!("left out of the policies: {error}");
                Ok(None)
            }
            _ => Err(error),
        },
    }
}

pub(super) fn access_rule(rule: wire::Rule) -> AccessRule {
    let conditions = rule.conditions.unwrap_or_default();
    let device = conditions.device.unwrap_or_default();
    let people = conditions.people.unwrap_or_default();
    let (groups, users) = (
        people.groups.unwrap_or_default(),
        people.users.unwrap_or_default(),
    );
    let expression = conditions.el_condition.and_then(|el| el.condition);
    let assurance = device.assurance.and_then(|sets| sets.include);
    AccessRule {
        id: rule.id,
        name: rule.name.unwrap_or_default(),
        priority: rule.priority.unwrap_or(i64::MAX),
        registered: device.registered,
        managed: device.managed,
        other_device_condition: assurance.is_some_and(|ids| !ids.is_empty())
            || expression.is_some_and(|text| text.contains("device.")),
        platforms: conditions.platform.map(platforms).unwrap_or_default(),
        groups_include: ids(groups.include, GroupId::new),
        groups_exclude: ids(groups.exclude, GroupId::new),
        users_include: ids(users.include, UserId::new),
        users_exclude: ids(users.exclude, UserId::new),
        denies: rule
            .actions
            .and_then(|actions| actions.app_sign_on)
            .is_some_and(|sign_on| sign_on.access.as_deref() == Some("DENY")),
    }
}

fn ids<T>(ids: Option<Vec<String>>, new: impl Fn(String) -> T) -> Vec<T> {
    ids.unwrap_or_default().into_iter().map(new).collect()
}

/// The platforms a rule is limited to; empty: all.
fn platforms(condition: wire::PlatformCondition) -> Vec<Platform> {
    const ALL: [Platform; 3] = [Platform::Windows, Platform::Macos, Platform::Other];
    let named = |entries: Option<Vec<wire::RulePlatform>>| -> BTreeSet<Platform> {
        let entries = entries.unwrap_or_default();
        entries.iter().flat_map(platforms_of).collect()
    };
    let mut included = named(condition.include);
    if included.is_empty() {
        included = ALL.into();
    }
    for excluded in named(condition.exclude) {
        // OTHER stands for several systems, of which an exclusion names one.
        if excluded != Platform::Other {
            included.remove(&excluded);
        }
    }
    if included.len() == ALL.len() {
        return Vec::new();
    }
    included.into_iter().collect()
}

fn platforms_of(entry: &wire::RulePlatform) -> Vec<Platform> {
    let os = entry.os.as_ref().and_then(|os| os.kind.as_deref());
    match (entry.kind.as_deref(), os) {
        (_, Some(os)) if os != "ANY" => vec![wire::platform(os)],
        (Some("DESKTOP"), _) => vec![Platform::Windows, Platform::Macos],
        (Some("MOBILE" | "OTHER"), _) => vec![Platform::Other],
        _ => vec![Platform::Windows, Platform::Macos, Platform::Other],
    }
}

pub(super) fn last_segment(href: &str) -> Option<String> {
    let path = href.split(['?', '#']).next()?;
    let last = path.trim_end_matches('/').rsplit('/').next()?;
    (!last.is_empty()).then(|| last.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(json: &str) -> AccessRule {
        access_rule(serde_json::from_str(json).expect("a rule"))
    }

    #[test]
    fn device_conditions_are_read_as_booleans_and_as_words() {
        let strict = rule(
            r#"{"id":"r","conditions":{"device":{"registered":true,"managed":"false"},
            "platform":{"include":[{"type":"DESKTOP","os":{"type":"MACOS"}}],"exclude":[]}}}"#,
        );
        assert_eq!(
            (strict.registered, strict.managed),
            (Some(true), Some(false))
        );
        assert_eq!(strict.platforms, [Platform::Macos]);
        assert!(!strict.other_device_condition);
    }

    #[test]
    fn catch_all_rule_has_no_conditions() {
        let rule = rule(
            r#"{"id":"r","priority":99,"conditions":null,"actions":{"appSignOn":{"access":"DENY"}}}"#,
        );
        assert!(rule.denies && rule.platforms.is_empty() && rule.registered.is_none());
    }

    #[test]
    fn an_expression_or_assurance_is_another_device_condition() {
        let el = r#"{"id":"r","conditions":{"elCondition":{"condition":"device.profile.managed == true"}}}"#;
        let assurance = r#"{"id":"r","conditions":{"device":{"assurance":{"include":["dae1"]}}}}"#;
        let user =
            r#"{"id":"r","conditions":{"elCondition":{"condition":"user.status == \"ACTIVE\""}}}"#;
        assert!(rule(el).other_device_condition);
        assert!(rule(assurance).other_device_condition);
        assert!(!rule(user).other_device_condition);
    }

    #[test]
    fn excluded_platforms_leave_the_others() {
        let platforms = rule(
            r#"{"id":"r","conditions":{"platform":{"include":[{"type":"ANY","os":{"type":"ANY"}}],
            "exclude":[{"type":"DESKTOP","os":{"type":"WINDOWS"}}]}}}"#,
        )
        .platforms;
        assert_eq!(platforms, [Platform::Macos, Platform::Other]);
    }
}
