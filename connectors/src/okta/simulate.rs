//! `POST /policies/simulate`: a read, whatever its method says. Nobody signs in, nothing is changed.

use reqwest::Method;
use serde_json::{Value, json};
use unstuck_domain::{GroupId, Platform};

use super::OktaClient;
use super::endpoints::POLICIES;
use crate::error::ErrorKind;
use crate::http::{Call, Effect, Endpoint};
use crate::{Result, SimulatedDevice};

pub(super) const SIMULATE: Endpoint = Endpoint {
    name: "okta.simulate_policy",
    method: Method::POST,
    path: "/api/v1/policies/simulate",
    effect: Effect::Read,
    bucket: "other",
    right: POLICIES,
};

impl OktaClient {
    /// The rule of the app's access policy that would decide about members of these groups on this device.
    pub(super) async fn simulate(
        &self,
        app: &str,
        groups: &[GroupId],
        device: SimulatedDevice,
    ) -> Result<Option<String>> {
        let platform = match device.platform {
            Platform::Windows => "WINDOWS",
            Platform::Macos => "MACOS",
            Platform::Other => "OTHER",
        };
        let asked = json!({
            "appInstance": app,
            "policyTypes": ["ACCESS_POLICY"],
            "policyContext": {
                "groups": { "ids": groups },
                "device": { "platform": platform, "registered": true, "managed": device.managed },
            },
        });
        let call = Call::new(&SIMULATE).query("expand", "RULE");
        // Okta's guide shows one object, its schema an array of them; which one is accepted is UNVERIFIED.
        let answer = match self.http.read(&call.clone().json(&asked)).await {
            Err(error) if matches!(error.kind, ErrorKind::Rejected { .. }) => {
                self.http.read(&call.json(&[asked])).await?
            }
            answer => answer?,
        };
        let status = answer.unreadable("the simulation names no evaluated policy".to_owned());
        let told: Value = answer.json().await?;
        matched(&told).ok_or(status)
    }
}

/// The id of the matched rule; outer `None`: the answer has no result, inner `None`: no rule matches.
fn matched(told: &Value) -> Option<Option<String>> {
    let mut evaluations = Vec::new();
    for one in rows(told) {
        match one.get("evaluation") {
            Some(inner) => evaluations.extend(rows(inner)),
            None => evaluations.push(one),
        }
    }
    let policies: Vec<&Value> = evaluations
        .into_iter()
        .filter_map(|one| one.pointer("/result/policies"))
        .flat_map(rows)
        .collect();
    if policies.is_empty() {
        return None;
    }
    let rules = policies
        .into_iter()
        .filter_map(|policy| policy.get("rules"))
        .flat_map(rows);
    let mut matching = rules.filter(|rule| rule["status"] == "MATCH");
    match matching.next() {
        None => Some(None),
        Some(rule) => Some(Some(rule["id"].as_str()?.to_owned())),
    }
}

/// An array's entries; anything else is one entry.
fn rows(value: &Value) -> Vec<&Value> {
    match value {
        Value::Array(entries) => entries.iter().collect(),
        Value::Null => Vec::new(),
        one => vec![one],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_matched_rule_is_found_in_both_shapes_and_silence_is_no_answer() {
        let evaluation = json!({
            "status": "MATCH", "policyType": ["ACCESS_POLICY"],
            "result": { "policies": [{ "id": "rst1", "rules": [
                { "id": "rul1", "status": "NOT_MATCH" }, { "id": "rul2", "status": "MATCH" },
            ] }] },
        });
        let found = Some(Some("rul2".to_owned()));
        assert_eq!(matched(&json!({ "evaluation": [evaluation] })), found);
        assert_eq!(matched(&json!([{ "evaluation": [evaluation] }])), found);
        assert_eq!(matched(&json!([evaluation])), found);
        let nobody = json!({ "evaluation": [{ "result": { "policies": [{ "id": "rst1", "rules": [] }] } }] });
        assert_eq!(matched(&nobody), Some(None));
        for silent in [
            json!({}),
            json!([]),
            json!({ "evaluation": [] }),
            json!("ok"),
        ] {
            assert_eq!(matched(&silent), None, "{silent}");
        }
    }
}
