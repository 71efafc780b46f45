//! Waking Macs and mending their channel: blank push, disabled clients, MDM profile renewal.

use axum::extract::{Path, Query as QueryOf, State as FromState};
use axum::http::StatusCode;
use axum::{Extension, Json};
use chrono::Duration;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Api;
use super::answer::{Answer, Refusal, json_answer, no_content, ok};
use super::commands::{client, computer_id};
use super::list::{ListRequest, Query, page};
use crate::ledger::RequestId;
use crate::scalar::{Scalar, rfc3339};
use crate::world::JamfComputer;

/// `POST /api/v2/mdm/blank-push`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PushBody {
    client_management_ids: Vec<String>,
}

/// `POST /api/v1/apns-client-push-status/enable-client`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct EnableBody {
    management_id: String,
}

/// `POST /api/v1/mdm/renew-profile`.
#[derive(Deserialize)]
pub(super) struct RenewBody {
    udids: Vec<String>,
}

/// 200 is not success: a client named in `errorUuids` got no push.
pub(super) async fn blank_push(
    FromState(api): FromState<Api>,
    Extension(request): Extension<RequestId>,
    Json(body): Json<PushBody>,
) -> Answer {
    let failed: Vec<String> = api.app.world.on_behalf_of(request, |state| {
        Api::require(state, "View MDM command information in Jamf Pro API")?;
        let mut failed = Vec::new();
        for id in body.client_management_ids {
            let found = client(state, &id)
                .filter(|(computer, _)| computer.push_enabled && computer.managed)
                .map(|(computer, _)| computer.id);
            match found {
                Some(computer) => {
                    state.jamf_blank_push(computer);
                    state.effect("jamf.push.blank", computer.to_string(), "quiet", "pushed");
                }
                None => failed.push(id),
            }
        }
        Ok::<_, Refusal>(failed)
    })?;
    ok(&json!({"errorUuids": failed}))
}

/// `GET /api/v1/apns-client-push-status`: only clients whose push is disabled are listed.
pub(super) async fn disabled(
    FromState(api): FromState<Api>,
    QueryOf(query): QueryOf<Query>,
) -> Answer {
    let request = ListRequest::parse(&query, "disabledAt:asc")?;
    let body = api.app.world.with(|state| {
        Api::require(state, "View MDM command information in Jamf Pro API")?;
        let listed = state
            .jamf
            .values()
            .filter(|computer| !computer.push_enabled);
        let (total, rows) = request.select(listed, &push_field)?;
        Ok(page(total, rows.into_iter().map(push_row).collect()))
    })?;
    ok(&body)
}

fn push_field(computer: &JamfComputer, name: &str) -> Option<Scalar> {
    Some(match name {
        "deviceType" => "COMPUTER".into(),
        "disabledAt" | "pushDisabledTime" => computer.last_contact.into(),
        "managementId" => computer.management_id.as_str().into(),
        _ => return None,
    })
}

fn push_row(computer: &JamfComputer) -> Value {
    json!({"deviceType": "COMPUTER", "clientId": computer.id.to_string(),
        "disabledAt": rfc3339(computer.last_contact), "managementId": computer.management_id})
}

/// Turns push on again for one client.
pub(super) async fn enable(
    FromState(api): FromState<Api>,
    Extension(request): Extension<RequestId>,
    Json(body): Json<EnableBody>,
) -> Answer {
    api.app.world.on_behalf_of(request, |state| {
        Api::require(state, "Send MDM command information in Jamf Pro API")?;
        let found = client(state, &body.management_id)
            .map(|(computer, _)| (computer.id, computer.push_enabled));
        let (computer, was_enabled) = found.ok_or_else(|| Refusal::missing("client"))?;
        state.enable_push(computer);
        let word = |enabled| if enabled { "enabled" } else { "disabled" };
        state.effect(
            "jamf.push.enable",
            computer.to_string(),
            word(was_enabled),
            word(true),
        );
        Ok::<_, Refusal>(())
    })?;
    no_content()
}

/// Renews the MDM enrolment profile and its identity, no other profile.
pub(super) async fn renew_profile(
    FromState(api): FromState<Api>,
    Extension(request): Extension<RequestId>,
    Json(body): Json<RenewBody>,
) -> Answer {
    let unknown: Vec<String> = api.app.world.on_behalf_of(request, |state| {
        Api::require(state, "Send Command to Renew MDM Profile")?;
        if !state.mdm.jamf.renewal_enabled {
            return Err(Refusal::Pro {
                status: StatusCode::FORBIDDEN,
                code: "RENEWAL_DISABLED",
                field: "",
                description: "Renew MDM Profile is not enabled".to_owned(),
            });
        }
        let mut unknown = Vec::new();
        for udid in body.udids {
            let until = state.now + Duration::days(730);
            let found = state
                .jamf
                .values()
                .find(|computer| computer.udid.as_deref() == Some(&*udid))
                .map(|computer| (computer.id, state.machine(computer.machine).online));
            match found {
                Some((id, online)) => {
                    if let Some(computer) = state.jamf.get_mut(&id).filter(|_| online) {
                        computer.mdm_profile_expires = until;
                    }
                    state.effect("jamf.mdm_profile.renew", id.to_string(), "old", "asked");
                }
                None => unknown.push(udid),
            }
        }
        Ok(unknown)
    })?;
    let body = json!({"udidsNotProcessed": {"udids": unknown}});
    Ok(json_answer(StatusCode::ACCEPTED, &body))
}

/// `POST /api/v1/ddm/{managementId}/sync`.
pub(super) async fn sync_declarations(
    FromState(api): FromState<Api>,
    Extension(request): Extension<RequestId>,
    Path(id): Path<String>,
) -> Answer {
    api.app.world.on_behalf_of(request, |state| {
        Api::require(state, "Send Declarative Management Command")?;
        let found = client(state, &id).map(|(computer, _)| computer.id);
        let computer = found.ok_or_else(|| Refusal::missing("client"))?;
        state.jamf_blank_push(computer);
        state.effect("jamf.ddm.sync", computer.to_string(), "quiet", "pushed");
        Ok::<_, Refusal>(())
    })?;
    no_content()
}

/// `POST /api/v1/jamf-management-framework/redeploy/{id}`.
pub(super) async fn redeploy_agent(
    FromState(api): FromState<Api>,
    Extension(request): Extension<RequestId>,
    path: Path<String>,
) -> Answer {
    let (id, uuid) = api.app.world.on_behalf_of(request, |state| {
        Api::require(state, "Send Computer Remote Command to Install Package")?;
        let id = computer_id(state, &path).ok_or_else(|| Refusal::missing("computer"))?;
        state.jamf_blank_push(id);
        state.effect("jamf.agent.redeploy", id.to_string(), "old", "asked");
        Ok::<_, Refusal>((id, state.ids.guid()))
    })?;
    let body = json!({"deviceId": id.to_string(), "commandUuid": uuid});
    Ok(json_answer(StatusCode::ACCEPTED, &body))
}

/// `GET /api/v1/device-communication-settings`.
pub(super) async fn communication_settings(FromState(api): FromState<Api>) -> Answer {
    let renews = api.app.world.with(|state| state.mdm.jamf.renewal_enabled);
    ok(&json!({
        "autoRenewMobileDeviceMdmProfileWhenCaRenewed": renews,
        "autoRenewMobileDeviceMdmProfileWhenDeviceIdentityCertExpiring": renews,
        "autoRenewComputerMdmProfileWhenCaRenewed": renews,
        "autoRenewComputerMdmProfileWhenDeviceIdentityCertExpiring": renews,
        "mdmProfileMobileDeviceExpirationLimitInDays": 180,
        "mdmProfileComputerExpirationLimitInDays": 180,
    }))
}
