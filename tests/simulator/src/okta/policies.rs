//! Policies, their rules, and which apps they decide about. All of it can only be read.

use axum::Json;
use axum::extract::{Path, RawQuery, State};
use axum::response::IntoResponse;
use serde_json::{Value, json};

use super::Okta;
use super::apps::app_json;
use super::error::{Answer, OktaError};
use super::page::{Query, link, time};
use crate::world::{Id, Platform, Policy, Rule, State as WorldState};

const TYPES: [&str; 13] = [
    "ACCESS_POLICY",
    "CLIENT_UPDATE",
    "DEVICE_SIGNAL_COLLECTION",
    "ENTITY_RISK",
    "IDENTITY_CLAIM_SOURCING",
    "IDP_DISCOVERY",
    "MFA_ENROLL",
    "OKTA_SIGN_ON",
    "PASSWORD",
    "POST_AUTH_SESSION",
    "PROFILE_ENROLLMENT",
    "SESSION_VIOLATION_DETECTION",
    "USER_IDENTIFICATION",
];

pub(super) async fn list(State(okta): State<Okta>, RawQuery(raw): RawQuery) -> Answer {
    let query = Query::parse(raw.as_deref());
    let kind = query.get("type").ok_or_else(|| {
        OktaError::new(
            400,
            "E0000028",
            "The request is missing a required parameter: type",
        )
    })?;
    if !TYPES.contains(&kind) {
        return Err(OktaError::invalid("type", "The policy type is invalid."));
    }
    let limit = query.limit(1, 20, 200)?;
    let after = query.after()?;
    let status = query.get("status");
    let (rows, next) = okta.app.world.with(|state| {
        let mut policies = state
            .policies
            .values()
            .filter(|policy| policy.kind == kind)
            .filter(|policy| status.is_none_or(|status| status == word(policy.active)))
            .filter(|policy| after.as_deref().is_none_or(|after| &*policy.id > after));
        let page: Vec<&Policy> = policies.by_ref().take(limit).collect();
        let more = policies.next().is_some();
        let next = page
            .last()
            .filter(|_| more)
            .map(|policy| policy.id.to_string());
        let rows: Vec<Value> = page
            .iter()
            .map(|policy| policy_json(&okta, policy))
            .collect();
        (rows, next)
    });
    let mut response = Json(rows).into_response();
    let address = okta.url("/api/v1/policies");
    link(
        response.headers_mut(),
        &address,
        &query,
        next.as_deref(),
        &[],
    );
    Ok(response)
}

pub(super) async fn read(State(okta): State<Okta>, Path(id): Path<String>) -> Answer {
    okta.app.world.with(|state| {
        let policy = known(state, &id)?;
        Ok(Json(policy_json(&okta, policy)).into_response())
    })
}

pub(super) async fn rules(State(okta): State<Okta>, Path(id): Path<String>) -> Answer {
    okta.app.world.with(|state| {
        let policy = known(state, &id)?;
        let rules: Vec<Value> = policy
            .rules
            .iter()
            .map(|rule| rule_json(&okta, policy, rule))
            .collect();
        Ok(Json(rules).into_response())
    })
}

pub(super) async fn rule(
    State(okta): State<Okta>,
    Path((id, rule)): Path<(String, String)>,
) -> Answer {
    okta.app.world.with(|state| {
        let policy = known(state, &id)?;
        let found = policy
            .rules
            .iter()
            .find(|candidate| *candidate.id == *rule)
            .ok_or_else(|| OktaError::not_found(&rule, "PolicyRule"))?;
        Ok(Json(rule_json(&okta, policy, found)).into_response())
    })
}

pub(super) async fn mappings(State(okta): State<Okta>, Path(id): Path<String>) -> Answer {
    okta.app.world.with(|state| {
        let policy = known(state, &id)?;
        let base = okta.url(&format!("/api/v1/policies/{id}"));
        let mappings: Vec<Value> = state
            .apps
            .values()
            .filter(|app| app.policy == policy.id)
            .map(|app| {
                let mapping = format!("map{}", &app.id[3..]);
                json!({
                    "id": mapping,
                    "_links": {
                        "application": {"href": okta.url(&format!("/api/v1/apps/{}", app.id))},
                        "policy": {"href": base},
                        "self": {"href": format!("{base}/mappings/{mapping}")},
                    },
                })
            })
            .collect();
        Ok(Json(mappings).into_response())
    })
}

/// The deprecated look-up of a policy's apps.
pub(super) async fn apps(State(okta): State<Okta>, Path(id): Path<String>) -> Answer {
    okta.app.world.with(|state| {
        let policy = known(state, &id)?;
        let apps: Vec<Value> = state
            .apps
            .values()
            .filter(|app| app.policy == policy.id)
            .map(|app| app_json(&okta, app))
            .collect();
        Ok(Json(apps).into_response())
    })
}

fn known<'a>(state: &'a WorldState, id: &str) -> Result<&'a Policy, OktaError> {
    state
        .policies
        .get(id)
        .ok_or_else(|| OktaError::not_found(id, "Policy"))
}

pub(super) fn word(active: bool) -> &'static str {
    if active { "ACTIVE" } else { "INACTIVE" }
}

fn policy_json(okta: &Okta, policy: &Policy) -> Value {
    let base = okta.url(&format!("/api/v1/policies/{}", policy.id));
    let mut body = json!({
        "id": &*policy.id,
        "type": policy.kind,
        "status": word(policy.active),
        "name": policy.name,
        "description": null,
        "priority": 1,
        "system": policy.system,
        "conditions": null,
        "created": time(policy.created),
        "lastUpdated": time(policy.last_updated),
        "_links": {
            "self": {"href": base, "hints": {"allow": ["GET", "PUT", "DELETE"]}},
            "rules": {"href": format!("{base}/rules"), "hints": {"allow": ["GET", "POST"]}},
            "mappings": {"href": format!("{base}/mappings"), "hints": {"allow": ["GET", "POST"]}},
        },
    });
    match policy.kind {
        // A flat string on the wire, although the published schema says objects.
        "ACCESS_POLICY" => body["_embedded"] = json!({"resourceType": "APP"}),
        "MFA_ENROLL" => {
            body["settings"] = json!({"type": "AUTHENTICATORS", "authenticators": [
                {"key": "okta_verify", "enroll": {"self": "REQUIRED"}},
                {"key": "okta_password", "enroll": {"self": "REQUIRED"}},
            ]});
        }
        _ => {}
    }
    body
}

fn rule_json(okta: &Okta, policy: &Policy, rule: &Rule) -> Value {
    let href = okta.url(&format!("/api/v1/policies/{}/rules/{}", policy.id, rule.id));
    let (kind, conditions, actions) = match policy.kind {
        "OKTA_SIGN_ON" => (
            "SIGN_ON",
            Value::Null,
            json!({"signon": {
                "access": "ALLOW", "requireFactor": false, "primaryFactor": "PASSWORD_IDP_ANY_FACTOR",
                "rememberDeviceByDefault": false,
                "session": {"usePersistentCookie": false, "maxSessionIdleMinutes": 720,
                    "maxSessionLifetimeMinutes": 0},
            }}),
        ),
        "MFA_ENROLL" => (
            "MFA_ENROLL",
            Value::Null,
            json!({"enroll": {"self": "CHALLENGE"}}),
        ),
        _ => ("ACCESS_POLICY", conditions(rule), access(rule)),
    };
    json!({
        "id": &*rule.id,
        "type": kind,
        "status": word(rule.active),
        "name": rule.name,
        "priority": rule.priority,
        "system": rule.system,
        "created": time(rule.created),
        "lastUpdated": time(rule.last_updated),
        "conditions": conditions,
        "actions": actions,
        "_links": {"self": {"href": href, "hints": {"allow": ["GET", "PUT"]}}},
    })
}

/// The catch-all rule has none; others have a key for what they ask.
fn conditions(rule: &Rule) -> Value {
    if rule.system {
        return Value::Null;
    }
    let texts = |ids: &[Id]| -> Vec<String> { ids.iter().map(ToString::to_string).collect() };
    let mut people = json!({
        "groups": {"include": texts(&rule.include_groups)},
        "users": {"include": texts(&rule.include_users)},
    });
    if !rule.exclude_groups.is_empty() {
        people["groups"]["exclude"] = json!(texts(&rule.exclude_groups));
    }
    if !rule.exclude_users.is_empty() {
        people["users"]["exclude"] = json!(texts(&rule.exclude_users));
    }
    let mut conditions = json!({
        "people": people,
        "network": {"connection": "ANYWHERE"},
        "riskScore": {"level": "ANY"},
        "userType": {"include": [], "exclude": []},
    });
    let mut device = json!({});
    if let Some(registered) = rule.registered {
        device["registered"] = json!(registered);
    }
    if let Some(managed) = rule.managed {
        device["managed"] = json!(managed);
    }
    if device != json!({}) {
        conditions["device"] = device;
    }
    if !rule.platforms.is_empty() {
        let include: Vec<Value> = rule
            .platforms
            .iter()
            .map(|platform| {
                let kind = match platform {
                    Platform::Windows | Platform::MacOs => "DESKTOP",
                    Platform::Ios | Platform::Android => "MOBILE",
                };
                json!({"type": kind, "os": {"type": platform.word()}})
            })
            .collect();
        conditions["platform"] = json!({"include": include, "exclude": []});
    }
    conditions
}

fn access(rule: &Rule) -> Value {
    let required = |wanted| if wanted { "REQUIRED" } else { "OPTIONAL" };
    json!({"appSignOn": {
        "access": if rule.allow { "ALLOW" } else { "DENY" },
        "verificationMethod": {
            "type": "ASSURANCE", "factorMode": "2FA",
            "reauthenticateIn": rule.reauthenticate_in,
            "constraints": [{"possession": {
                "required": true, "deviceBound": "REQUIRED", "userPresence": "REQUIRED",
                "phishingResistant": required(rule.phishing_resistant),
                "hardwareProtection": "OPTIONAL", "userVerification": "OPTIONAL",
            }}],
        },
    }})
}
