//! Calls that no repair may ever make. They exist, as on a real server, do their harm in the world
//! and leave a `forbidden` effect in the ledger, so that a test sees if one is made.

use axum::extract::{Path, State as FromState};
use axum::http::Uri;
use axum::response::IntoResponse;
use axum::routing::{patch, post};
use axum::{Extension, Router};
use serde_json::json;

use super::Api;
use super::answer::{Answer, Refusal, no_content, ok};
use super::groups::jamf_group;
use crate::ledger::RequestId;
use crate::world::{Harm, Id, MachineKey, Mdm, State};

/// Commands that lose data or lock people out.
const COMMANDS: [(&str, Harm); 7] = [
    ("ERASE_DEVICE", Harm::Wiped),
    ("DEVICE_LOCK", Harm::Locked),
    ("DELETE_USER", Harm::Wiped),
    ("SHUT_DOWN_DEVICE", Harm::Locked),
    ("RESTART_DEVICE", Harm::Locked),
    ("LOG_OUT_USER", Harm::Locked),
    ("SETTINGS", Harm::Locked),
];

/// The forbidden routes that have no other method.
pub(super) fn routes() -> Router<Api> {
    let mut router = Router::new()
        .route("/api/v1/computer-inventory/{id}/erase", post(erase))
        .route(
            "/api/v1/computer-inventory/{id}/remove-mdm-profile",
            post(unmanage),
        )
        .route(
            "/api/v1/apns-client-push-status/enable-all-clients",
            post(enable_all),
        )
        .route("/api/v2/groups/{id}", patch(unlisted));
    for version in 1..=4 {
        let base = format!("/api/v{version}/computers-inventory/{{id}}");
        router = router
            .route(&format!("{base}/erase"), post(erase))
            .route(&format!("{base}/remove-mdm-profile"), post(unmanage))
            .route(&format!("{base}/unmanage"), post(unmanage));
    }
    for version in 1..=2 {
        let base = format!("/api/v{version}/mobile-device-groups/{{id}}/erase");
        router = router.route(&base, post(erase_group));
    }
    router
}

/// If the command is one of the forbidden ones, does its harm and says so.
pub(super) fn command(state: &mut State, name: &str, targets: &[(u32, Option<Id>)]) -> bool {
    let Some((_, harm)) = COMMANDS.iter().find(|(known, _)| *known == name) else {
        return false;
    };
    for (computer, _) in targets {
        let machine = state.jamf.get(computer).map(|record| record.machine);
        let kind = format!("jamf.command.{}", name.to_lowercase());
        state.harm(&kind, &computer.to_string(), machine, *harm);
    }
    true
}

async fn erase(
    FromState(api): FromState<Api>,
    Extension(request): Extension<RequestId>,
    Path(id): Path<String>,
) -> Answer {
    harm_computer(&api, request, "jamf.computer.erase", &id, Harm::Wiped)?;
    ok(&json!({"deviceId": id, "commandUuid": ""}))
}

async fn unmanage(
    FromState(api): FromState<Api>,
    Extension(request): Extension<RequestId>,
    Path(id): Path<String>,
) -> Answer {
    harm_computer(
        &api,
        request,
        "jamf.computer.unmanage",
        &id,
        Harm::Unmanaged,
    )?;
    ok(&json!({"deviceId": id, "commandUuid": ""}))
}

/// `DELETE` of a computer, in the Pro and the Classic API.
pub(super) async fn delete_computer(
    FromState(api): FromState<Api>,
    Extension(request): Extension<RequestId>,
    Path(id): Path<String>,
) -> Answer {
    harm_computer(&api, request, "jamf.computer.delete", &id, Harm::Unmanaged)?;
    api.app.world.with(|state| {
        if let Ok(id) = id.parse() {
            state.jamf.remove(&id);
        }
    });
    no_content()
}

fn harm_computer(
    api: &Api,
    request: RequestId,
    kind: &str,
    id: &str,
    harm: Harm,
) -> Result<MachineKey, Refusal> {
    api.app.world.on_behalf_of(request, |state| {
        let computer = id.parse().ok().and_then(|id: u32| state.jamf.get(&id));
        let computer = computer.ok_or_else(|| Refusal::missing("computer"))?;
        let machine = computer.machine;
        state.harm(kind, id, Some(machine), harm);
        Ok(machine)
    })
}

/// `DELETE` of a group: whatever it held falls out of every scope.
pub(super) async fn delete_group(
    FromState(api): FromState<Api>,
    Extension(request): Extension<RequestId>,
    uri: Uri,
    Path(id): Path<String>,
) -> Answer {
    api.app.world.on_behalf_of(request, |state| {
        let group = jamf_group(state, &id).ok_or_else(|| Refusal::not_found(uri.path()))?;
        for member in group.members.clone() {
            state.set_mdm_member(&id, &member, false);
        }
        state.mdm_groups.remove(&id);
        state.harm("jamf.group.delete", &id, None, Harm::Unmanaged);
        Ok::<_, Refusal>(())
    })?;
    no_content()
}

/// `DELETE` of a profile: its scope is empty from then on.
pub(super) async fn delete_profile(
    FromState(api): FromState<Api>,
    Extension(request): Extension<RequestId>,
    Path(id): Path<String>,
) -> Answer {
    api.app.world.on_behalf_of(request, |state| {
        let mut profiles = state.profiles.iter_mut();
        let profile = profiles
            .find(|profile| profile.mdm == Mdm::Jamf && profile.id == id)
            .ok_or_else(Refusal::classic_missing)?;
        profile.scope = crate::world::Scope::default();
        state.harm("jamf.profile.delete", &id, None, Harm::Unmanaged);
        Ok::<_, Refusal>(())
    })?;
    Ok(axum::http::StatusCode::OK.into_response())
}

async fn erase_group(
    FromState(api): FromState<Api>,
    Extension(request): Extension<RequestId>,
    Path(id): Path<String>,
) -> Answer {
    let kind = "jamf.mobile_group.erase";
    let act = |state: &mut State| state.harm(kind, &id, None, Harm::Wiped);
    api.app.world.on_behalf_of(request, act);
    no_content()
}

/// Pushes to every client at once: never called for one device.
async fn enable_all(
    FromState(api): FromState<Api>,
    Extension(request): Extension<RequestId>,
) -> Answer {
    api.app.world.on_behalf_of(request, |state| {
        state.harm("jamf.push.enable_all", "all", None, Harm::Locked);
        let computers: Vec<u32> = state.jamf.keys().copied().collect();
        for computer in computers {
            state.enable_push(computer);
        }
    });
    no_content()
}

/// Group changes by platform ids need a look-up that this server does not offer.
async fn unlisted(Path(_): Path<String>) -> Refusal {
    Refusal::missing("group")
}
