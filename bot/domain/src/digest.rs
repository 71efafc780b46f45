//! The digest that a decision is bound to: SHA-256 over the RFC 8785 JSON of a plan.

use sha2::{Digest, Sha256};

use crate::{Plan, PlanDigest};

/// Digest of a plan: lowercase hex SHA-256 of its canonical JSON.
///
/// A [`Plan`] holds nothing that depends on when it was seen, proposed or decided, so that the same plan made twice
/// has the same digest.
pub fn digest(plan: &Plan) -> PlanDigest {
    PlanDigest::new(sha256_hex(canonical(plan).as_bytes()))
}

/// The text that the digest is of: the plan's RFC 8785 JSON.
pub fn canonical(plan: &Plan) -> String {
    serde_json_canonicalizer::to_string(plan)
        .expect("a plan has string keys and finite numbers only, so it always has a canonical form")
}

/// Lowercase hex SHA-256, as plans and playbook versions are written.
pub fn sha256_hex(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::planning::samples::sample_plan;

    fn digest_of(value: &Value) -> String {
        sha256_hex(&serde_json_canonicalizer::to_vec(value).unwrap())
    }

    /// Paths of every leaf, and of every object and list, so that emptiness counts too.
    fn leaves(value: &Value, at: String, into: &mut Vec<String>) {
        match value {
            Value::Object(fields) => {
                for (name, field) in fields {
                    leaves(field, format!("{at}/{name}"), into);
                }
            }
            Value::Array(items) if !items.is_empty() => {
                for (index, item) in items.iter().enumerate() {
                    leaves(item, format!("{at}/{index}"), into);
                }
            }
            _ => into.push(at),
        }
    }

    fn changed(value: &Value) -> Value {
        match value {
            Value::Null => Value::from("was null"),
            Value::Bool(flag) => Value::from(!flag),
            Value::Number(number) => Value::from(number.as_i64().unwrap() + 1),
            Value::String(text) => Value::from(format!("{text}x")),
            Value::Array(_) => Value::from(vec!["was empty"]),
            Value::Object(_) => unreachable!("objects are walked"),
        }
    }

    #[test]
    fn each_field_of_a_plan_changes_its_digest() {
        let plan = serde_json::to_value(sample_plan()).unwrap();
        let before = digest_of(&plan);
        let mut paths = Vec::new();
        leaves(&plan, String::new(), &mut paths);
        assert!(
            paths.len() > 100,
            "the sample is too small to prove much: {}",
            paths.len()
        );
        for path in paths {
            let mut other = plan.clone();
            let leaf = other.pointer_mut(&path).unwrap();
            *leaf = changed(leaf);
            assert_ne!(before, digest_of(&other), "{path} is not in the digest");
        }
    }

    #[test]
    fn removing_or_reordering_a_repair_changes_the_digest() {
        let plan = sample_plan();
        let mut fewer = plan.clone();
        fewer.repairs.pop();
        let mut turned = plan.clone();
        turned.repairs.reverse();
        assert_ne!(digest(&plan), digest(&fewer));
        assert_ne!(digest(&plan), digest(&turned));
    }

    #[test]
    fn digest_is_the_canonical_json_and_survives_a_round_trip() {
        let plan = sample_plan();
        let json = serde_json::to_value(&plan).unwrap();
        assert_eq!(digest(&plan).as_str(), digest_of(&json));
        let back: Plan =
            serde_json::from_str(&serde_json::to_string_pretty(&plan).unwrap()).unwrap();
        assert_eq!(digest(&plan), digest(&back));
        assert_eq!(digest(&plan).as_str().len(), 64);
    }
}
