//! The Classic API's configuration profiles and computer groups.

use axum::Extension;
use axum::extract::{Path, State as FromState};
use axum::http::{HeaderMap, StatusCode};
use serde_json::{Map, Value, json};

use super::Api;
use super::answer::{Answer, Refusal, classic_ok, classic_written};
use super::groups::{jamf_group, jamf_groups};
use super::payload::mobileconfig;
use super::xml::Element;
use crate::ledger::RequestId;
use crate::world::{Level, Mdm, MdmGroup, Profile, State};

/// `GET /JSSResource/osxconfigurationprofiles`.
pub(super) async fn profiles(FromState(api): FromState<Api>, headers: HeaderMap) -> Answer {
    let rows: Vec<Value> = api.app.world.with(|state| {
        Api::require_classic(state, "Read macOS Configuration Profiles")?;
        let profiles = state
            .profiles
            .iter()
            .filter(|profile| profile.mdm == Mdm::Jamf && !profile.deleted);
        let rows = profiles.map(|profile| json!({"id": number(&profile.id), "name": profile.name}));
        Ok::<_, Refusal>(rows.collect())
    })?;
    classic_ok(&headers, &json!({"os_x_configuration_profiles": rows}))
}

/// `GET /JSSResource/osxconfigurationprofiles/id/{id}`.
pub(super) async fn profile(
    state: FromState<Api>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Answer {
    one_profile(state, &headers, None, |profile| profile.id == id)
}

/// `GET /JSSResource/osxconfigurationprofiles/id/{id}/subset/General&Scope`.
pub(super) async fn profile_subset(
    state: FromState<Api>,
    Path((id, subset)): Path<(String, String)>,
    headers: HeaderMap,
) -> Answer {
    one_profile(state, &headers, Some(&subset), |profile| profile.id == id)
}

/// `GET /JSSResource/osxconfigurationprofiles/name/{name}`.
pub(super) async fn profile_by_name(
    state: FromState<Api>,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Answer {
    one_profile(state, &headers, None, |profile| profile.name == name)
}

fn one_profile(
    FromState(api): FromState<Api>,
    headers: &HeaderMap,
    subset: Option<&str>,
    wanted: impl Fn(&Profile) -> bool,
) -> Answer {
    let body = api.app.world.with(|state| {
        Api::require_classic(state, "Read macOS Configuration Profiles")?;
        let mut profiles = state.profiles.iter();
        let profile = profiles
            .find(|profile| profile.mdm == Mdm::Jamf && !profile.deleted && wanted(profile))
            .ok_or_else(Refusal::classic_missing)?;
        let asked = |part: &str| {
            subset.is_none_or(|subset| {
                subset
                    .split('&')
                    .any(|name| name.eq_ignore_ascii_case(part))
            })
        };
        let mut parts = Map::new();
        if asked("General") {
            parts.insert("general".to_owned(), general(state, profile));
        }
        if asked("Scope") {
            parts.insert("scope".to_owned(), scope(state, profile));
        }
        if subset.is_none() {
            parts.insert("self_service".to_owned(), json!({"self_service_icon": {}}));
        }
        Ok::<_, Refusal>(json!({"os_x_configuration_profile": parts}))
    })?;
    classic_ok(headers, &body)
}

fn general(state: &State, profile: &Profile) -> Value {
    let level = match profile.level {
        Level::Machine => "System",
        Level::User => "User",
    };
    json!({
        "id": number(&profile.id), "name": profile.name, "description": "",
        "site": {"id": -1, "name": "None"},
        "category": {"id": -1, "name": "No category assigned"},
        "distribution_method": "Install Automatically", "user_removable": false,
        "level": level, "uuid": profile.uuid, "redeploy_on_update": "Newly Assigned",
        "payloads": mobileconfig(state, profile),
    })
}

fn scope(state: &State, profile: &Profile) -> Value {
    let scope = &profile.scope;
    let computers = |ids: &std::collections::BTreeSet<String>| -> Vec<Value> {
        ids.iter()
            .filter_map(|id| {
                let computer = state.jamf.get(&id.parse().ok()?)?;
                let name = &state.machine(computer.machine).name;
                Some(json!({"id": computer.id, "name": name, "udid": computer.udid}))
            })
            .collect()
    };
    let groups = |ids: &std::collections::BTreeSet<String>| -> Vec<Value> {
        ids.iter()
            .filter_map(|id| jamf_group(state, id))
            .map(|group| json!({"id": number(&group.id), "name": group.name}))
            .collect()
    };
    json!({
        "all_computers": scope.all, "all_jss_users": false,
        "computers": computers(&scope.records), "buildings": [], "departments": [],
        "computer_groups": groups(&scope.groups), "jss_users": [], "jss_user_groups": [],
        "limitations": {"users": [], "user_groups": [], "network_segments": [], "ibeacons": []},
        "exclusions": {
            "computers": computers(&scope.excluded_records), "buildings": [], "departments": [],
            "computer_groups": groups(&scope.excluded_groups), "users": [], "user_groups": [],
            "network_segments": [], "ibeacons": [], "jss_users": [], "jss_user_groups": [],
        },
    })
}

/// `GET /JSSResource/computergroups`.
pub(super) async fn computer_groups(FromState(api): FromState<Api>, headers: HeaderMap) -> Answer {
    let rows: Vec<Value> = api.app.world.with(|state| {
        Api::require_classic(state, "Read Static Computer Groups")?;
        let rows = jamf_groups(state).map(
            |group| json!({"id": number(&group.id), "name": group.name, "is_smart": group.smart}),
        );
        Ok::<_, Refusal>(rows.collect())
    })?;
    classic_ok(&headers, &json!({"computer_groups": rows}))
}

/// `GET /JSSResource/computergroups/id/{id}`.
pub(super) async fn computer_group(
    state: FromState<Api>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Answer {
    one_group(state, &headers, |group| group.id == id)
}

/// `GET /JSSResource/computergroups/name/{name}`.
pub(super) async fn computer_group_by_name(
    state: FromState<Api>,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Answer {
    one_group(state, &headers, |group| group.name == name)
}

fn one_group(
    FromState(api): FromState<Api>,
    headers: &HeaderMap,
    wanted: impl Fn(&MdmGroup) -> bool,
) -> Answer {
    let body = api.app.world.with(|state| {
        let group = jamf_groups(state)
            .find(|group| wanted(group))
            .ok_or_else(Refusal::classic_missing)?;
        let privilege = match group.smart {
            true => "Read Smart Computer Groups",
            false => "Read Static Computer Groups",
        };
        Api::require_classic(state, privilege)?;
        let members = state.members_seen(&group.id, Api::lag(state, headers));
        let computers: Vec<Value> = members
            .iter()
            .filter_map(|id| state.jamf.get(&id.parse().ok()?))
            .map(|computer| {
                let machine = state.machine(computer.machine);
                json!({
                    "id": computer.id, "name": machine.name, "mac_address": machine.wifi_mac,
                    "alt_mac_address": "", "serial_number": computer.serial,
                })
            })
            .collect();
        Ok::<_, Refusal>(json!({"computer_group": {
            "id": number(&group.id), "name": group.name, "is_smart": group.smart,
            "site": {"id": -1, "name": "None"}, "criteria": [], "computers": computers,
        }}))
    })?;
    classic_ok(headers, &body)
}

/// `PUT /JSSResource/computergroups/id/{id}`: additions and deletions are increments, `computers`
/// replaces all. One unknown computer fails the whole call.
pub(super) async fn change_group(
    FromState(api): FromState<Api>,
    Extension(request): Extension<RequestId>,
    Path(id): Path<String>,
    body: String,
) -> Answer {
    let document = Element::parse(&body)
        .ok()
        .filter(|element| element.name == "computer_group")
        .ok_or_else(|| {
            Refusal::classic(StatusCode::BAD_REQUEST, "Error: Unable to parse the XML")
        })?;
    api.app.world.on_behalf_of(request, |state| {
        Api::require_classic(state, "Update Static Computer Groups")?;
        let group = jamf_group(state, &id).ok_or_else(Refusal::classic_missing)?;
        if group.smart {
            return Err(conflict("Error: Smart groups have no fixed members"));
        }
        let added = computers(state, document.child("computer_additions"))?;
        let mut removed = computers(state, document.child("computer_deletions"))?;
        let mut added = added;
        if let Some(all) = document.child("computers") {
            let all = computers(state, Some(all))?;
            let gone = group.members.iter().filter(|member| !all.contains(member));
            removed.extend(gone.cloned());
            added.extend(all);
        }
        for computer in &removed {
            state.set_mdm_member(&id, computer, false);
        }
        for computer in &added {
            state.set_mdm_member(&id, computer, true);
        }
        Ok(())
    })?;
    classic_written("computer_group", &id)
}

fn computers(state: &State, list: Option<&Element>) -> Result<Vec<String>, Refusal> {
    let entries = list.into_iter().flat_map(|list| &list.children);
    entries
        .filter(|entry| entry.name == "computer")
        .map(|entry| {
            find_computer(state, entry).ok_or_else(|| conflict("Error: Unable to match computer"))
        })
        .collect()
}

/// By id, name, serial number or UDID, whatever is given first.
fn find_computer(state: &State, entry: &Element) -> Option<String> {
    if let Some(id) = entry.text_of("id") {
        let id: u32 = id.parse().ok()?;
        return state.jamf.contains_key(&id).then(|| id.to_string());
    }
    let (name, serial, udid) = (
        entry.text_of("name"),
        entry.text_of("serial_number"),
        entry.text_of("udid"),
    );
    let mut computers = state.jamf.values();
    let found = computers.find(|computer| {
        name == Some(&*state.machine(computer.machine).name)
            || serial == Some(&*computer.serial)
            || (udid.is_some() && udid == computer.udid.as_deref())
    })?;
    Some(found.id.to_string())
}

fn conflict(text: &str) -> Refusal {
    Refusal::classic(StatusCode::CONFLICT, text)
}

/// The Classic API writes ids as numbers.
pub(super) fn number(id: &str) -> Value {
    id.parse::<u64>().map_or_else(|_| id.into(), Value::from)
}
