//! `/policies/simulate`: which rule would decide, without a sign-in.

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::response::IntoResponse;
use serde_json::{Value, json};

use super::Okta;
use super::error::{Answer, OktaError};
use crate::world::{Id, Policy, Rule, State as WorldState};

pub(super) async fn simulate(State(okta): State<Okta>, body: Bytes) -> Answer {
    let body: Value = serde_json::from_slice(&body).map_err(|_unparsed| {
        OktaError::new(400, "E0000003", "The request body was not well-formed.")
    })?;
    // The guide sends one object, the published schema says an array of them.
    let asked = match &body {
        Value::Array(asked) => asked.first().unwrap_or(&Value::Null),
        other => other,
    };
    okta.app.world.with(|state| {
        let instance = asked["appInstance"].as_str().unwrap_or_default();
        let app = state
            .apps
            .get(instance)
            .ok_or_else(|| OktaError::invalid("appInstance", "The app instance is invalid."))?;
        let context = Context::read(state, &asked["policyContext"])?;
        let kinds = asked["policyTypes"].as_array();
        let wanted =
            |kind: &str| kinds.is_none_or(|kinds| kinds.iter().any(|wanted| wanted == kind));
        let mut evaluation = Vec::new();
        if let Some(policy) = state
            .policies
            .get(&app.policy)
            .filter(|_| wanted("ACCESS_POLICY"))
        {
            evaluation.push(evaluate(state, policy, &context));
        }
        Ok(Json(json!({"evaluation": evaluation})).into_response())
    })
}

/// Who would sign in, and on what.
struct Context {
    user: Option<Id>,
    groups: Vec<Id>,
    platform: Option<String>,
    registered: Option<bool>,
    managed: Option<bool>,
}

impl Context {
    fn read(state: &WorldState, context: &Value) -> Result<Self, OktaError> {
        let user = context["user"]["id"].as_str();
        let groups = context["groups"]["ids"].as_array();
        if user.is_some() == groups.is_some() {
            let cause = "Either a user or groups must be given.";
            return Err(OktaError::invalid("policyContext", cause));
        }
        let user = match user {
            Some(id) => {
                let found = state.people.get(id);
                Some(
                    found
                        .ok_or_else(|| OktaError::not_found(id, "User"))?
                        .id
                        .clone(),
                )
            }
            None => None,
        };
        let device = &context["device"];
        Ok(Self {
            user,
            groups: groups
                .into_iter()
                .flatten()
                .filter_map(|id| Some(id.as_str()?.into()))
                .collect(),
            platform: device["platform"].as_str().map(str::to_owned),
            registered: device["registered"].as_bool(),
            managed: device["managed"].as_bool(),
        })
    }

    fn matches(&self, state: &WorldState, rule: &Rule) -> bool {
        let people = match &self.user {
            Some(user) => state.rule_covers_user(rule, user),
            None => {
                rule.include_groups.is_empty()
                    || self
                        .groups
                        .iter()
                        .any(|id| rule.include_groups.contains(id))
            }
        };
        let platform = rule.platforms.is_empty()
            || rule
                .platforms
                .iter()
                .any(|platform| self.platform.as_deref() == Some(platform.word()));
        people
            && platform
            && rule
                .registered
                .is_none_or(|wanted| self.registered == Some(wanted))
            && rule
                .managed
                .is_none_or(|wanted| self.managed == Some(wanted))
    }
}

fn evaluate(state: &WorldState, policy: &Policy, context: &Context) -> Value {
    let mut rules: Vec<&Rule> = policy.rules.iter().filter(|rule| rule.active).collect();
    rules.sort_by_key(|rule| rule.priority);
    let winner = rules.into_iter().find(|rule| context.matches(state, rule));
    let rules: Vec<Value> = winner
        .into_iter()
        .map(
            |rule| json!({"id": &*rule.id, "name": rule.name, "status": "MATCH", "conditions": []}),
        )
        .collect();
    let status = if rules.is_empty() {
        "NOT_MATCH"
    } else {
        "MATCH"
    };
    json!({
        "status": null,
        "policyType": policy.kind,
        "result": {"policies": [{"id": &*policy.id, "name": policy.name, "status": status,
            "conditions": [], "rules": rules}]},
        "undefined": {"policies": []},
        "evaluated": {"policies": []},
    })
}
