//! What `doctor` asks beyond a sweep: the sign-in app, the FastPass group, org-wide changes, the app behind challenges.

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde::Deserialize;
use serde_json::Value;
use unstuck_domain::{GroupId, LogFactKind, OrgChangeSeen};

use super::endpoints::{
    APP, GROUP, GROUP_APPS, GROUP_ROLES, GROUP_RULES, LIST_AUTHORITIES, LOG, POLICY_RULES,
    REGISTRATION_AUTHORITIES,
};
use super::facts::{Event, facts};
use super::{OktaClient, wire};
use crate::error::ErrorKind;
use crate::http::{Call, Lenient, lenient};
use crate::{FastPassGroup, Result, SignInApp, SignInRule};

#[derive(Deserialize)]
struct App {
    #[serde(default, deserialize_with = "lenient")]
    label: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    status: Option<String>,
    #[serde(default, rename = "_links", deserialize_with = "lenient")]
    links: Option<AppLinks>,
}

#[derive(Deserialize)]
struct AppLinks {
    #[serde(rename = "accessPolicy")]
    access_policy: Option<wire::Link>,
}

#[derive(Deserialize)]
struct Group {
    #[serde(default, rename = "type", deserialize_with = "lenient")]
    kind: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    profile: Option<GroupProfile>,
}

#[derive(Deserialize)]
struct GroupProfile {
    name: Option<String>,
}

#[derive(Deserialize)]
struct GroupRule {
    #[serde(default, deserialize_with = "lenient")]
    name: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    status: Option<String>,
    #[serde(default)]
    actions: Value,
}

#[derive(Deserialize)]
struct Role {
    #[serde(default, deserialize_with = "lenient")]
    label: Option<String>,
    #[serde(default, rename = "type", deserialize_with = "lenient")]
    kind: Option<String>,
}

/// A rule of an app's policy; its `verificationMethod` has several shapes.
#[derive(Deserialize)]
struct Rule {
    #[serde(default, deserialize_with = "lenient")]
    name: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    status: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    priority: Option<i64>,
    #[serde(default)]
    conditions: Value,
    #[serde(default)]
    actions: Value,
}

impl OktaClient {
    /// The app that people are asked to open, with the rules of its policy. `None`: there is no such app.
    pub async fn sign_in_app(&self, id: &str) -> Result<Option<SignInApp>> {
        let Some(app) = self.object::<App>(&Call::new(&APP).param(id)).await? else {
            return Ok(None);
        };
        let policy = app
            .links
            .and_then(|links| links.access_policy)
            .and_then(|link| super::policies::last_segment(&link.href));
        let rules = match policy {
            Some(policy) => {
                let call = Call::new(&POLICY_RULES).param(policy);
                readable(self.list::<Rule>(call, &POLICY_RULES).await)?
            }
            None => None,
        };
        Ok(Some(SignInApp {
            label: app.label.unwrap_or_else(|| id.to_owned()),
            active: app.status.as_deref() == Some("ACTIVE"),
            rules: rules.map(|rules| sign_in_rules(rules.records)),
        }))
    }

    /// The group that the FastPass rule covers, with all that its membership brings. `None`: there is no such group.
    pub async fn fastpass_group(&self, id: &GroupId) -> Result<Option<FastPassGroup>> {
        let call = Call::new(&GROUP).param(id.as_str());
        let Some(group) = self.object::<Group>(&call).await? else {
            return Ok(None);
        };
        let call = Call::new(&GROUP_RULES).query("limit", "200");
        let rules: Lenient<GroupRule> = self.list(call, &GROUP_RULES).await?;
        let call = Call::new(&GROUP_APPS).param(id.as_str());
        let apps: Lenient<App> = self.list(call, &GROUP_APPS).await?;
        let call = Call::new(&GROUP_ROLES).param(id.as_str());
        let roles = readable(self.list::<Role>(call, &GROUP_ROLES).await)?;
        let name = group.profile.and_then(|profile| profile.name);
        let no_name = || "without a name".to_owned();
        Ok(Some(FastPassGroup {
            name: name.unwrap_or_else(|| id.to_string()),
            kind: group.kind.unwrap_or_default(),
            rules: rules
                .records
                .into_iter()
                .filter(|rule| rule.status.as_deref() == Some("ACTIVE") && fills(rule, id))
                .map(|rule| rule.name.unwrap_or_else(no_name))
                .collect(),
            apps: apps
                .records
                .into_iter()
                .map(|app| app.label.unwrap_or_else(no_name))
                .collect(),
            roles: roles.map(|roles| {
                let names = roles.records.into_iter();
                names
                    .map(|role| role.label.or(role.kind).unwrap_or_else(no_name))
                    .collect()
            }),
        }))
    }

    /// Changes of certificate authorities and endpoint management since then, oldest first.
    pub async fn org_changes(&self, since: DateTime<Utc>) -> Result<Vec<OrgChangeSeen>> {
        let until = self.vendor_now().await?;
        let stamp = |at: DateTime<Utc>| at.to_rfc3339_opts(SecondsFormat::Millis, true);
        let call = Call::new(&LOG)
            .query("since", stamp(since))
            .query("until", stamp(until))
            .query("sortOrder", "ASCENDING")
            .query("limit", "1000")
            .query(
                "filter",
                r#"eventType sw "pki.ca." or eventType sw "device.platform." or eventType eq "pki.cert.crl_download_failure""#,
            );
        let events: Lenient<Event> = self.list(call, &LOG).await?;
        let told = facts(&events.records).into_iter();
        let mut changes: Vec<OrgChangeSeen> = told
            .filter_map(|fact| match fact.kind {
                LogFactKind::OrgChange {
                    event_type,
                    actor,
                    target,
                } => Some(OrgChangeSeen {
                    at: fact.at,
                    event_type,
                    actor,
                    target,
                }),
                _ => None,
            })
            .collect();
        changes.sort_by_key(|change| change.at);
        Ok(changes)
    }

    /// The Entra app by which Okta asks Intune about challenges. `None`: none is configured, or the CA API (Early
    /// Access) is not readable here.
    pub async fn challenge_app(&self) -> Result<Option<String>> {
        let call = Call::new(&LIST_AUTHORITIES).query("type", "INTERMEDIATE");
        let Some(authorities) = self.early_access(&call).await? else {
            return Ok(None);
        };
        for authority in items(&authorities) {
            let Some(id) = authority["authorityInstanceId"].as_str() else {
                continue;
            };
            let call = Call::new(&REGISTRATION_AUTHORITIES).param(id);
            let configurations = self.early_access(&call).await?.unwrap_or_default();
            let app = items(&configurations)
                .iter()
                .find_map(|one| one["configInfo"]["aadClientId"].as_str());
            if let Some(app) = app {
                return Ok(Some(app.to_owned()));
            }
        }
        Ok(None)
    }

    async fn early_access(&self, call: &Call) -> Result<Option<Value>> {
        match self.http.read(call).await {
            Ok(answer) => answer.json().await.map(Some),
            // A 401 on such a path is no dead token.
            Err(error) if !error.is_transient() => Ok(None),
            Err(error) => Err(error),
        }
    }
}

fn items(answer: &Value) -> &[Value] {
    answer["data"].as_array().map_or(&[], Vec::as_slice)
}

fn fills(rule: &GroupRule, group: &GroupId) -> bool {
    rule.actions["assignUserToGroups"]["groupIds"]
        .as_array()
        .is_some_and(|ids| ids.iter().any(|id| id.as_str() == Some(group.as_str())))
}

/// `None` where a right is missing.
fn readable<T>(result: Result<T>) -> Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) => match error.kind {
            ErrorKind::Forbidden { .. } | ErrorKind::NotFound => Ok(None),
            _ => Err(error),
        },
    }
}

fn sign_in_rules(mut rules: Vec<Rule>) -> Vec<SignInRule> {
    rules.retain(|rule| rule.status.as_deref() == Some("ACTIVE"));
    rules.sort_by_key(|rule| rule.priority.unwrap_or(i64::MAX));
    rules
        .into_iter()
        .map(|rule| {
            let managed = &rule.conditions["device"]["managed"];
            SignInRule {
                asks_managed: managed.as_bool() == Some(true) || managed.as_str() == Some("true"),
                asks_again_after: asks_again_after(
                    &rule.actions["appSignOn"]["verificationMethod"],
                ),
                name: rule.name.unwrap_or_default(),
            }
        })
        .collect()
}

/// Of a chain of methods, the one that asks least often.
fn asks_again_after(method: &Value) -> Option<TimeDelta> {
    let chains = method["chains"].as_array().map_or(&[][..], Vec::as_slice);
    let of = |value: &Value| value["reauthenticateIn"].as_str().and_then(duration);
    chains.iter().filter_map(of).chain(of(method)).max()
}

/// ISO 8601 as Okta writes it: `PT0S`, `PT2H`, `PT43800H`, `P1D`. Months and years have no fixed length.
fn duration(text: &str) -> Option<TimeDelta> {
    let rest = text.strip_prefix('P')?;
    let (days, time) = rest.split_once('T').unwrap_or((rest, ""));
    let mut total = part(days, 'D', TimeDelta::try_days)?;
    let mut left = time;
    for (unit, of) in [
        ('H', TimeDelta::try_hours as fn(i64) -> Option<TimeDelta>),
        ('M', TimeDelta::try_minutes),
        ('S', TimeDelta::try_seconds),
    ] {
        if let Some((number, after)) = left.split_once(unit) {
            total = total.checked_add(&of(number.parse().ok()?)?)?;
            left = after;
        }
    }
    left.is_empty().then_some(total)
}

fn part(text: &str, unit: char, of: fn(i64) -> Option<TimeDelta>) -> Option<TimeDelta> {
    if text.is_empty() {
        return Some(TimeDelta::zero());
    }
    of(text.strip_suffix(unit)?.parse().ok()?)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn durations_are_read_as_okta_writes_them() {
        for (text, expected) in [
            ("PT0S", Some(TimeDelta::zero())),
            ("PT2H", Some(TimeDelta::hours(2))),
            ("PT43800H", Some(TimeDelta::hours(43_800))),
            ("P1D", Some(TimeDelta::days(1))),
            ("P1DT1H30M", Some(TimeDelta::minutes(25 * 60 + 30))),
            ("P1M", None),
            ("PT1X", None),
            ("PT99999999999999999999H", None),
            ("often", None),
            ("", None),
        ] {
            assert_eq!(duration(text), expected, "{text}");
        }
    }

    #[test]
    fn the_laxest_chain_counts_and_rules_stand_in_their_order() {
        let rule = |name: &str, priority: i64, managed: bool| {
            json!({"name": name, "status": "ACTIVE", "priority": priority,
                "conditions": {"device": {"registered": true, "managed": managed}},
                "actions": {"appSignOn": {"verificationMethod": {"type": "AUTH_METHOD_CHAIN",
                    "chains": [{"reauthenticateIn": "PT0S"}, {"reauthenticateIn": "PT2H"}]}}}})
        };
        let off = json!({"name": "off", "status": "INACTIVE", "priority": 0});
        let rules = [rule("second", 2, false), rule("first", 1, true), off]
            .map(|rule| serde_json::from_str(&rule.to_string()).unwrap());
        let read = sign_in_rules(rules.into());
        assert_eq!(
            read,
            [("first", true), ("second", false)].map(|(name, asks_managed)| SignInRule {
                name: name.into(),
                asks_managed,
                asks_again_after: Some(TimeDelta::hours(2)),
            })
        );
    }

    #[test]
    fn a_catch_all_rule_without_conditions_is_read() {
        let rule = json!({"name": "Catch-all Rule", "status": "ACTIVE", "conditions": null,
            "actions": {"appSignOn": {"access": "ALLOW"}}});
        let read = sign_in_rules(vec![serde_json::from_str(&rule.to_string()).unwrap()]);
        assert_eq!(read[0].asks_again_after, None);
        assert!(!read[0].asks_managed);
    }
}
