//! The Classic API's history and management views, and the flushing of commands. The history is the
//! only place with a failed install's human text.

use axum::Extension;
use axum::extract::{Path, State as FromState};
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse;
use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};

use super::Api;
use super::answer::{Answer, Refusal, classic_ok};
use super::classic::number;
use super::commands::type_name;
use super::groups::jamf_groups;
use super::inventory::short_name;
use super::xml::Element;
use crate::ledger::RequestId;
use crate::world::{Command, CommandKind, CommandState, JamfComputer, Level, Mdm, State};

/// `GET /JSSResource/computerhistory/{key}/{value}`.
pub(super) async fn commands(
    key: &'static str,
    FromState(api): FromState<Api>,
    Path(value): Path<String>,
    headers: HeaderMap,
) -> Answer {
    history(&api, key, &value, "General&Commands", &headers)
}

/// `GET /JSSResource/computerhistory/{key}/{value}/subset/{subset}`.
pub(super) async fn subset(
    key: &'static str,
    FromState(api): FromState<Api>,
    Path((value, subset)): Path<(String, String)>,
    headers: HeaderMap,
) -> Answer {
    history(&api, key, &value, &subset, &headers)
}

fn history(api: &Api, key: &str, value: &str, subset: &str, headers: &HeaderMap) -> Answer {
    let body = api.app.world.with(|state| {
        Api::require_classic(state, "Read Computers")?;
        let computer = find(state, key, value).ok_or_else(Refusal::classic_missing)?;
        let mut parts = Map::new();
        for part in subset.split('&') {
            match part.to_ascii_lowercase().as_str() {
                "general" => parts.insert("general".to_owned(), general(state, computer)),
                "commands" => parts.insert("commands".to_owned(), queue(state, computer)),
                _ => None,
            };
        }
        Ok::<_, Refusal>(json!({"computer_history": parts}))
    })?;
    classic_ok(headers, &body)
}

fn find<'a>(state: &'a State, key: &str, value: &str) -> Option<&'a JamfComputer> {
    match key {
        "id" => state.jamf.get(&value.parse().ok()?),
        "serialnumber" => state
            .jamf
            .values()
            .find(|computer| computer.serial == value),
        _ => state
            .jamf
            .values()
            .find(|computer| computer.udid.as_deref() == Some(value)),
    }
}

fn general(state: &State, computer: &JamfComputer) -> Value {
    let machine = state.machine(computer.machine);
    json!({"id": computer.id, "name": machine.name, "udid": computer.udid,
        "serial_number": computer.serial, "mac_address": machine.wifi_mac})
}

fn queue(state: &State, computer: &JamfComputer) -> Value {
    let (mut completed, mut pending, mut failed) = (vec![], vec![], vec![]);
    for command in &computer.commands {
        let mut entry = Map::new();
        entry.insert("name".to_owned(), title(state, command).into());
        let user = command.channel.as_ref();
        let user = user
            .map(|user| short_name(state, computer, user))
            .unwrap_or_default();
        entry.insert("username".to_owned(), user.into());
        let ended = command.completed.unwrap_or(command.sent);
        match &command.state {
            CommandState::Acknowledged => {
                times(&mut entry, "completed", ended);
                completed.push(Value::Object(entry));
            }
            CommandState::Pending | CommandState::NotNow => {
                let word = match command.state {
                    CommandState::NotNow => "NotNow",
                    _ => "Pending",
                };
                entry.insert("status".to_owned(), word.into());
                times(&mut entry, "issued", command.sent);
                times(&mut entry, "last_push", command.sent);
                pending.push(Value::Object(entry));
            }
            CommandState::Error(error) => {
                let text = format!("{} <{}:{}>", error.text, error.domain, error.code);
                entry.insert("status".to_owned(), text.into());
                times(&mut entry, "issued", command.sent);
                times(&mut entry, "failed", ended);
                failed.push(Value::Object(entry));
            }
        }
    }
    json!({"completed": completed, "pending": pending, "failed": failed})
}

/// Server-local words, milliseconds, and an offset without a colon that RFC 3339 does not know.
fn times(entry: &mut Map<String, Value>, key: &str, at: DateTime<Utc>) {
    let words = at.format("%Y/%m/%d at %-I:%M %p").to_string();
    entry.insert(key.to_owned(), words.into());
    entry.insert(format!("{key}_epoch"), at.timestamp_millis().into());
    let utc = at.format("%Y-%m-%dT%H:%M:%S%.3f+0000").to_string();
    entry.insert(format!("{key}_utc"), utc.into());
}

fn title(state: &State, command: &Command) -> String {
    match &command.kind {
        CommandKind::InstallProfile(key) => {
            format!("Install Configuration Profile {}", state.profile(*key).name)
        }
        CommandKind::RemoveProfile(key) => {
            format!("Remove Configuration Profile {}", state.profile(*key).name)
        }
        kind => type_name(kind)
            .split('_')
            .map(|word| word[..1].to_owned() + &word[1..].to_lowercase())
            .collect(),
    }
}

/// `GET /JSSResource/computercommands/status/{uuid}`.
pub(super) async fn command_status(
    FromState(api): FromState<Api>,
    Path(uuid): Path<String>,
    headers: HeaderMap,
) -> Answer {
    let body = api.app.world.with(|state| {
        Api::require_classic(state, "Read Computers")?;
        let found = state.jamf.values().find_map(|computer| {
            let command = computer
                .commands
                .iter()
                .find(|command| command.uuid == uuid)?;
            Some((computer, command))
        });
        let (computer, command) = found.ok_or_else(Refusal::classic_missing)?;
        let status = match command.state {
            CommandState::Pending | CommandState::NotNow => "Pending",
            CommandState::Acknowledged => "Acknowledged",
            CommandState::Error(_) => "Error",
        };
        let mut general = Map::new();
        general.insert("command".to_owned(), title(state, command).into());
        general.insert("uuid".to_owned(), uuid.clone().into());
        general.insert("udid".to_owned(), computer.udid.clone().into());
        general.insert("apns_result_status".to_owned(), status.into());
        times(&mut general, "date_sent", command.sent);
        Ok::<_, Refusal>(
            json!({"computer_command": {"general": general, "computers": [
            {"id": computer.id, "udid": computer.udid, "serial_number": computer.serial}]}}),
        )
    })?;
    classic_ok(&headers, &body)
}

/// `GET /JSSResource/computermanagement/id/{id}`.
pub(super) async fn management(
    FromState(api): FromState<Api>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Answer {
    management_view(&api, &id, None, Level::Machine, &headers)
}

/// `GET /JSSResource/computermanagement/id/{id}/subset/{subset}`.
pub(super) async fn management_subset(
    FromState(api): FromState<Api>,
    Path((id, subset)): Path<(String, String)>,
    headers: HeaderMap,
) -> Answer {
    management_view(&api, &id, Some(&subset), Level::Machine, &headers)
}

/// `GET /JSSResource/computermanagement/id/{id}/username/{user}`: user-level scope.
pub(super) async fn management_of_user(
    FromState(api): FromState<Api>,
    Path((id, _)): Path<(String, String)>,
    headers: HeaderMap,
) -> Answer {
    management_view(&api, &id, None, Level::User, &headers)
}

fn management_view(
    api: &Api,
    id: &str,
    subset: Option<&str>,
    level: Level,
    headers: &HeaderMap,
) -> Answer {
    let body = api.app.world.with(|state| {
        Api::require_classic(state, "Read Computers")?;
        let computer = find(state, "id", id).ok_or_else(Refusal::classic_missing)?;
        let in_scope = state.profiles.iter().filter(|profile| {
            profile.mdm == Mdm::Jamf
                && profile.level == level
                && state.jamf_in_scope(profile.key, computer.id)
        });
        let profiles: Vec<Value> = in_scope
            .map(|profile| json!({"profile": {"id": number(&profile.id), "name": profile.name}}))
            .collect();
        let member = computer.id.to_string();
        let groups = |smart: bool| -> Vec<Value> {
            jamf_groups(state)
                .filter(|group| group.smart == smart && group.members.contains(&member))
                .map(|group| json!({"id": number(&group.id), "name": group.name}))
                .collect()
        };
        let mut parts = json!({
            "general": general(state, computer), "os_x_configuration_profiles": profiles,
            "smart_groups": groups(true), "static_groups": groups(false),
        });
        if let (Some(subset), Value::Object(parts)) = (subset, &mut parts) {
            parts.retain(|part, _| {
                subset
                    .split('&')
                    .any(|name| name.eq_ignore_ascii_case(part))
            });
        }
        Ok::<_, Refusal>(json!({"computer_management": parts}))
    })?;
    classic_ok(headers, &body)
}

/// `DELETE /JSSResource/commandflush/computers/id/{ids}/status/{status}`.
pub(super) async fn flush(
    FromState(api): FromState<Api>,
    Extension(request): Extension<RequestId>,
    Path((kind, ids, status)): Path<(String, String, String)>,
) -> Answer {
    let ids: Vec<&str> = ids.split(',').collect();
    flush_commands(&api, request, &kind, &ids, &status)
}

/// `DELETE /JSSResource/commandflush` with the computers in the body.
pub(super) async fn flush_by_body(
    FromState(api): FromState<Api>,
    Extension(request): Extension<RequestId>,
    body: String,
) -> Answer {
    let refused = || Refusal::classic(StatusCode::BAD_REQUEST, "Error: Unable to parse the XML");
    let document = Element::parse(&body).ok().ok_or_else(refused)?;
    let status = document.text_of("status").ok_or_else(refused)?;
    let computers = document.child("computers").ok_or_else(refused)?;
    let ids: Vec<&str> = computers
        .children
        .iter()
        .filter_map(|computer| computer.text_of("id"))
        .collect();
    flush_commands(&api, request, "computers", &ids, status)
}

/// The answer is an empty 200 that does not say what was flushed.
fn flush_commands(api: &Api, request: RequestId, kind: &str, ids: &[&str], status: &str) -> Answer {
    let (pending, failed) = match status {
        "Pending" => (true, false),
        "Failed" => (false, true),
        "Pending+Failed" => (true, true),
        _ => {
            return Err(Refusal::classic(
                StatusCode::BAD_REQUEST,
                "Error: unknown status",
            ));
        }
    };
    if !matches!(kind, "computers" | "computergroups") {
        return Err(Refusal::classic_missing());
    }
    api.app.world.on_behalf_of(request, |state| {
        Api::require_classic(state, "Flush MDM Commands")?;
        let mut computers = Vec::new();
        for id in ids {
            match kind {
                "computers" => computers.push(id.parse::<u32>().ok()),
                _ => {
                    let group = jamf_groups(state).find(|group| group.id == *id);
                    let members = group.into_iter().flat_map(|group| &group.members);
                    computers.extend(members.map(|member| member.parse().ok()));
                }
            }
        }
        for computer in computers {
            let known = computer.filter(|id| state.jamf.contains_key(id));
            let computer = known.ok_or_else(Refusal::classic_missing)?;
            let forgotten = state.jamf_flush(computer, pending, failed);
            let before = format!("{forgotten} {status}");
            let after = match forgotten {
                0 => before.clone(),
                _ => "none".to_owned(),
            };
            state.effect("jamf.commands.flush", computer.to_string(), before, after);
        }
        Ok::<_, Refusal>(())
    })?;
    Ok(StatusCode::OK.into_response())
}
