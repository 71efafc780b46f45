//! Is a profile in scope of a computer? Targets are a union; exclusions and limitations subtract. What rests on users,
//! buildings or networks cannot be told from the inventory and is unknown.

use serde_json::Value;
use unstuck_domain::{GroupId, MdmDeviceId, ProfileScope};

/// The scope of a Classic profile.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Scope {
    all_computers: bool,
    computers: Vec<String>,
    groups: Vec<String>,
    user_groups: Vec<String>,
    /// Targets by user.
    user_targets: bool,
    /// Targets by user, building or department.
    other_targets: bool,
    excluded_computers: Vec<String>,
    excluded_groups: Vec<String>,
    /// Exclusions or limitations by anything but computer and group.
    other_limits: bool,
}

/// Whether a profile is in scope of a computer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Assignment {
    /// It is.
    Assigned,
    /// It is not.
    NotAssigned,
    /// The inventory does not tell.
    Unknown,
}

impl Scope {
    /// Reads the `scope` of a Classic answer.
    pub(super) fn read(scope: &Value) -> Self {
        let exclusions = &scope["exclusions"];
        let limitations = &scope["limitations"];
        let any = |parent: &Value, keys: &[&str]| keys.iter().any(|key| !is_blank(&parent[*key]));
        let user_targets =
            truth(&scope["all_jss_users"]) || any(scope, &["jss_users", "jss_user_groups"]);
        Self {
            all_computers: truth(&scope["all_computers"]),
            computers: ids(&scope["computers"]),
            groups: ids(&scope["computer_groups"]),
            user_groups: ids(&scope["jss_user_groups"]),
            user_targets,
            other_targets: user_targets || any(scope, &["buildings", "departments"]),
            excluded_computers: ids(&exclusions["computers"]),
            excluded_groups: ids(&exclusions["computer_groups"]),
            other_limits: any(
                exclusions,
                &[
                    "users",
                    "user_groups",
                    "buildings",
                    "departments",
                    "network_segments",
                    "jss_users",
                    "jss_user_groups",
                    "ibeacons",
                ],
            ) || any(
                limitations,
                &["users", "user_groups", "network_segments", "ibeacons"],
            ),
        }
    }

    /// Whether the profile is in scope of a computer; `groups` is `None` where the record did not list them.
    pub(super) fn covers(&self, computer: &str, groups: Option<&[GroupId]>) -> Assignment {
        let in_any = |wanted: &[String]| match groups {
            _ if wanted.is_empty() => Some(false),
            Some(groups) => Some(
                groups
                    .iter()
                    .any(|g| wanted.iter().any(|w| w == g.as_str())),
            ),
            None => None,
        };
        let listed = |wanted: &[String]| wanted.iter().any(|id| id == computer);

        let excluded = if listed(&self.excluded_computers) {
            Some(true)
        } else {
            in_any(&self.excluded_groups)
        };
        let included = if self.all_computers || listed(&self.computers) {
            Some(true)
        } else {
            match in_any(&self.groups) {
                Some(false) if self.other_targets => None,
                answer => answer,
            }
        };
        match (included, excluded) {
            (_, Some(true)) | (Some(false), _) => Assignment::NotAssigned,
            (Some(true), Some(false)) if !self.other_limits => Assignment::Assigned,
            _ => Assignment::Unknown,
        }
    }

    /// Whether what only a user's own reading of the scope could tell decides here.
    pub(super) fn rests_on_users(&self) -> bool {
        self.user_targets
    }

    /// The same in the domain's words.
    pub(super) fn to_domain(&self) -> ProfileScope {
        let groups = |ids: &[String]| ids.iter().map(|id| GroupId::from(id.as_str())).collect();
        ProfileScope {
            all_devices: self.all_computers,
            device_groups: groups(&self.groups),
            user_groups: groups(&self.user_groups),
            devices: self
                .computers
                .iter()
                .map(|id| MdmDeviceId::from(id.as_str()))
                .collect(),
            excluded_groups: groups(&self.excluded_groups),
            excluded_categories: Vec::new(),
        }
    }
}

/// Ids of a Classic list. Servers answer `[{id}]`, `[{"computer": {id}}]`, or `{"computer": {id}}` for a single entry.
pub(super) fn ids(list: &Value) -> Vec<String> {
    let mut found = Vec::new();
    collect(list, &mut found);
    found
}

fn collect(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| collect(item, found)),
        Value::Object(fields) => match fields.get("id") {
            Some(Value::Number(id)) => found.push(id.to_string()),
            Some(Value::String(id)) => found.push(id.clone()),
            _ => fields.values().for_each(|inner| collect(inner, found)),
        },
        _ => {}
    }
}

/// Null, `""`, `[]`, `{}` and `{"size": 0}`.
fn is_blank(value: &Value) -> bool {
    match value {
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.values().all(|v| is_blank(v) || v.is_number()),
        Value::String(text) => text.is_empty(),
        _ => true,
    }
}

fn truth(value: &Value) -> bool {
    value.as_bool() == Some(true) || value.as_str() == Some("true")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use Assignment::{Assigned, NotAssigned, Unknown};

    #[track_caller]
    fn check(scope: Value, groups: Option<&[&str]>, expected: Assignment) {
        let groups: Option<Vec<GroupId>> =
            groups.map(|groups| groups.iter().map(|g| GroupId::from(*g)).collect());
        let scope = Scope::read(&scope);
        assert_eq!(scope.covers("42", groups.as_deref()), expected, "{scope:?}");
    }

    #[test]
    fn scope_decides_the_assignment() {
        check(json!({"all_computers": true}), Some(&[]), Assigned);
        check(json!({"all_computers": true}), None, Assigned);
        check(
            json!({"computers": [{"id": 42, "name": "mac"}]}),
            Some(&[]),
            Assigned,
        );
        check(
            json!({"computers": {"computer": {"id": 42}}}),
            Some(&[]),
            Assigned,
        );
        check(
            json!({"computers": [{"computer": {"id": 42}}]}),
            Some(&[]),
            Assigned,
        );
        check(json!({"computers": [{"id": 4}]}), Some(&[]), NotAssigned);
        check(
            json!({"computer_groups": [{"id": 7}]}),
            Some(&["7"]),
            Assigned,
        );
        check(
            json!({"computer_groups": [{"id": 7}]}),
            Some(&["77"]),
            NotAssigned,
        );
        check(json!({"computer_groups": [{"id": 7}]}), None, Unknown);
        check(json!({}), Some(&["7"]), NotAssigned);
        check(Value::Null, Some(&["7"]), NotAssigned);
    }

    #[test]
    fn exclusions_win() {
        let held = json!({"all_computers": true, "exclusions": {"computer_groups": [{"id": 9}]}});
        check(held.clone(), Some(&["9"]), NotAssigned);
        check(held.clone(), Some(&["8"]), Assigned);
        check(held, None, Unknown);
        check(
            json!({"computers": [{"id": 42}], "exclusions": {"computers": [{"id": 42}]}}),
            Some(&[]),
            NotAssigned,
        );
    }

    #[test]
    fn what_rests_on_users_or_places_is_unknown() {
        check(json!({"all_jss_users": true}), Some(&[]), Unknown);
        check(json!({"jss_user_groups": [{"id": 3}]}), Some(&[]), Unknown);
        check(json!({"buildings": [{"id": 1}]}), Some(&[]), Unknown);
        check(
            json!({"all_computers": true, "limitations": {"user_groups": [{"name": "staff"}]}}),
            Some(&[]),
            Unknown,
        );
        check(
            json!({"all_computers": true, "exclusions": {"jss_users": [{"name": "ann"}]}}),
            Some(&[]),
            Unknown,
        );
        check(
            json!({"all_computers": true, "limitations": {"users": [], "ibeacons": {"size": 0}}}),
            Some(&[]),
            Assigned,
        );
    }
}
