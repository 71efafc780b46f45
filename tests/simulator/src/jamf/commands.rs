//! MDM commands: the list, which demands a filter, and the harmless queries that can be sent.

use axum::extract::{Path, Query as QueryOf, State as FromState};
use axum::http::StatusCode;
use axum::{Extension, Json};
use chrono::DateTime;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Api;
use super::answer::{Answer, Refusal, json_answer, ok};
use super::forbidden;
use super::list::{ListRequest, Query, page};
use crate::ledger::RequestId;
use crate::scalar::{Scalar, rfc3339};
use crate::world::{Command, CommandKind, CommandState, Id, JamfComputer, State};

/// Queries that change nothing on the Mac.
const HARMLESS: [&str; 6] = [
    "CERTIFICATE_LIST",
    "PROFILE_LIST",
    "DEVICE_INFORMATION",
    "SECURITY_INFO",
    "INSTALLED_APPLICATION_LIST",
    "DECLARATIVE_MANAGEMENT",
];

/// `POST /api/v2/mdm/commands`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SendBody {
    client_data: Vec<Client>,
    command_data: CommandData,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Client {
    management_id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CommandData {
    command_type: String,
}

/// `GET /api/v2/mdm/commands`: at least one filter field is mandatory.
pub(super) async fn list(
    FromState(api): FromState<Api>,
    QueryOf(query): QueryOf<Query>,
    headers: axum::http::HeaderMap,
) -> Answer {
    let request = ListRequest::parse(&query, "dateSent:asc")?;
    let Some(filter) = &request.filter else {
        return Err(Refusal::invalid("filter", "a filter is required"));
    };
    let body = api.app.world.with(|state| {
        Api::require(state, "View MDM command information in Jamf Pro API")?;
        let newest_visible = state.now - Api::lag(state, &headers);
        let computers: Vec<&JamfComputer> = match filter.required("clientManagementId") {
            Some(ids) => ids
                .iter()
                .filter_map(|id| client(state, id))
                .map(|(computer, _)| computer)
                .collect(),
            None => state.jamf.values().collect(),
        };
        let commands = computers.into_iter().flat_map(|computer| {
            let commands = computer.commands.iter();
            commands
                .filter(|command| command.sent <= newest_visible)
                .map(move |command| (computer, command))
        });
        let field = |(computer, command): (&JamfComputer, &Command), name: &str| {
            field(state, computer, command, name)
        };
        let (total, selected) = request.select(commands, &field)?;
        let rows = selected
            .into_iter()
            .map(|(computer, command)| row(state, computer, command))
            .collect();
        Ok(page(total, rows))
    })?;
    ok(&body)
}

fn field(state: &State, computer: &JamfComputer, command: &Command, name: &str) -> Option<Scalar> {
    let profile = profile_of(command).map(|key| state.profile(key));
    Some(match name {
        "uuid" => command.uuid.as_str().into(),
        "clientManagementId" => management_id(computer, command).as_str().into(),
        "command" => type_name(&command.kind).into(),
        // Filters spell the state in the way of `Pending`, answers in the way of `PENDING`.
        "status" => match command.state {
            CommandState::Pending => "Pending",
            CommandState::NotNow => "NotNow",
            CommandState::Acknowledged => "Acknowledged",
            CommandState::Error(_) => "Error",
        }
        .into(),
        "clientType" => client_type(command).into(),
        "dateSent" | "validAfter" => command.sent.into(),
        "dateCompleted" => command.completed.into(),
        "profileId" => profile.map(|profile| profile.id.as_str()).into(),
        "profileIdentifier" => profile.map(|profile| profile.identifier.as_str()).into(),
        "active" => matches!(command.state, CommandState::Pending | CommandState::NotNow).into(),
        _ => return None,
    })
}

/// Nothing is null on the wire: what has not happened is the epoch, no error is an empty object.
fn row(state: &State, computer: &JamfComputer, command: &Command) -> Value {
    let (word, error) = match &command.state {
        CommandState::Pending => ("PENDING", json!({})),
        CommandState::NotNow => ("NOT_NOW", json!({})),
        CommandState::Acknowledged => ("ACKNOWLEDGED", json!({})),
        CommandState::Error(error) => (
            "ERROR",
            json!({
                "errorCode": error.code, "errorDomain": error.domain,
                "errorLocalizedDescription": error.text, "errorEnglishDescription": error.text,
            }),
        ),
    };
    let completed = command.completed.unwrap_or(DateTime::UNIX_EPOCH);
    let mut row = json!({
        "uuid": command.uuid, "dateSent": rfc3339(command.sent),
        "dateCompleted": rfc3339(completed),
        "client": {"managementId": management_id(computer, command),
            "clientType": client_type(command)},
        "commandState": word, "commandType": type_name(&command.kind), "commandError": error,
    });
    let profile = profile_of(command).and_then(|key| state.profile(key).id.parse::<u32>().ok());
    if let Some(id) = profile {
        row["profileId"] = id.into();
    }
    row
}

/// `POST /api/v2/mdm/commands`.
pub(super) async fn send(
    FromState(api): FromState<Api>,
    Extension(request): Extension<RequestId>,
    Json(body): Json<SendBody>,
) -> Answer {
    let url = &api.app.connection.jamf.url;
    let sent = api.app.world.on_behalf_of(request, |state| {
        Api::require(state, "View MDM command information in Jamf Pro API")?;
        let name = body.command_data.command_type.as_str();
        let mut targets = Vec::new();
        for wanted in &body.client_data {
            let found = client(state, &wanted.management_id)
                .map(|(computer, channel)| (computer.id, channel.cloned()));
            targets.push(found.ok_or_else(|| Refusal::invalid("managementId", "unknown client"))?);
        }
        if targets.is_empty() {
            return Err(Refusal::invalid("clientData", "no client"));
        }
        if forbidden::command(state, name, &targets) {
            let uuid = state.ids.guid();
            return Ok(vec![
                json!({"id": uuid, "href": format!("{url}/api/v2/mdm/commands")}),
            ]);
        }
        let kind = match name {
            "CERTIFICATE_LIST" => CommandKind::CertificateList,
            "PROFILE_LIST" => CommandKind::ProfileList,
            name if HARMLESS.contains(&name) => CommandKind::Query(name.to_owned()),
            name => {
                let reason = format!("{name} cannot be sent here");
                return Err(Refusal::invalid("commandType", reason));
            }
        };
        let mut sent = Vec::new();
        for (computer, channel) in targets {
            state.effect(
                "jamf.command.send",
                computer.to_string(),
                "absent",
                type_name(&kind),
            );
            if let Some(uuid) = state.jamf_queue(computer, channel, kind.clone()) {
                let href = format!("{url}/api/v2/mdm/commands?filter=uuid=={uuid}");
                sent.push(json!({"id": uuid, "href": href}));
            }
        }
        Ok(sent)
    })?;
    Ok(json_answer(StatusCode::CREATED, &sent.into()))
}

/// The computer and channel of a management id.
pub(super) fn client<'a>(state: &'a State, id: &str) -> Option<(&'a JamfComputer, Option<&'a Id>)> {
    state.jamf.values().find_map(|computer| {
        if computer.management_id.eq_ignore_ascii_case(id) {
            return Some((computer, None));
        }
        let mut channels = computer.user_channels.iter();
        let (user, _) = channels.find(|(_, channel)| channel.eq_ignore_ascii_case(id))?;
        Some((computer, Some(user)))
    })
}

fn management_id(computer: &JamfComputer, command: &Command) -> String {
    let channel = command.channel.as_ref().and_then(|user| {
        let mut channels = computer.user_channels.iter();
        channels.find(|(owner, _)| owner == user)
    });
    channel
        .map_or(&computer.management_id, |(_, id)| id)
        .clone()
}

fn client_type(command: &Command) -> &'static str {
    match command.channel {
        None => "COMPUTER",
        Some(_) => "COMPUTER_USER",
    }
}

fn profile_of(command: &Command) -> Option<crate::world::ProfileKey> {
    match command.kind {
        CommandKind::InstallProfile(key) | CommandKind::RemoveProfile(key) => Some(key),
        _ => None,
    }
}

/// The wire name of a command's type; the answer has types that the published list lacks.
pub(super) fn type_name(kind: &CommandKind) -> &str {
    match kind {
        CommandKind::InstallProfile(_) => "INSTALL_PROFILE",
        CommandKind::RemoveProfile(_) => "REMOVE_PROFILE",
        CommandKind::CertificateList => "CERTIFICATE_LIST",
        CommandKind::ProfileList => "PROFILE_LIST",
        CommandKind::Query(name) => name,
    }
}

/// The id in a path, where it is a computer's.
pub(super) fn computer_id(state: &State, Path(id): &Path<String>) -> Option<u32> {
    let id = id.parse().ok()?;
    state.jamf.contains_key(&id).then_some(id)
}
