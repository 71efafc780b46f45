//! Calls that no repair may ever make. They exist, as in a real tenant, do their harm in the world
//! and leave a `forbidden` effect in the ledger, so that a test sees if one is made.

use axum::Extension;
use axum::Router;
use axum::extract::{Path, State as FromState};
use axum::routing::post;

use super::Api;
use super::answer::{Answer, Refusal, no_content};
use crate::ledger::RequestId;
use crate::world::{Harm, MachineKey, Scope, State};

/// Actions that lose data, lock people out or end management.
const ACTIONS: [(&str, Harm); 9] = [
    ("wipe", Harm::Wiped),
    ("cleanWindowsDevice", Harm::Wiped),
    ("retire", Harm::Unmanaged),
    ("delete", Harm::Unmanaged),
    ("deprovision", Harm::Unmanaged),
    ("disable", Harm::Locked),
    ("remoteLock", Harm::Locked),
    ("rebootNow", Harm::Locked),
    ("shutDown", Harm::Locked),
];

/// What an action does, if it is a forbidden one.
pub(super) fn harm_of(action: &str) -> Option<Harm> {
    let found = ACTIONS.iter().find(|(name, _)| *name == action);
    found.map(|(_, harm)| *harm)
}

/// The actions on a single device.
pub(super) fn routes() -> Router<Api> {
    let mut router = Router::new();
    for (action, harm) in ACTIONS {
        let path = format!("/deviceManagement/managedDevices/{{id}}/{action}");
        router = router.route(
            &path,
            post(move |state, request, id| act(action, harm, state, request, id)),
        );
    }
    router
}

async fn act(
    action: &'static str,
    harm: Harm,
    FromState(api): FromState<Api>,
    Extension(request): Extension<RequestId>,
    Path(id): Path<String>,
) -> Answer {
    harm_device(&api, request, action, &id, harm)
}

/// `DELETE /deviceManagement/managedDevices/{id}`.
pub(super) async fn delete_device(
    FromState(api): FromState<Api>,
    Extension(request): Extension<RequestId>,
    Path(id): Path<String>,
) -> Answer {
    harm_device(&api, request, "delete", &id, Harm::Unmanaged)
}

fn harm_device(api: &Api, request: RequestId, action: &str, id: &str, harm: Harm) -> Answer {
    api.app.world.on_behalf_of(request, |state| {
        let machine = state.managed_device(id)?.machine;
        state.harm(&format!("graph.device.{action}"), id, Some(machine), harm);
        Ok::<_, Refusal>(())
    })?;
    no_content()
}

/// `DELETE /deviceManagement/deviceConfigurations/{id}`: its assignments are gone.
pub(super) async fn delete_profile(
    FromState(api): FromState<Api>,
    Extension(request): Extension<RequestId>,
    Path(id): Path<String>,
) -> Answer {
    api.app.world.on_behalf_of(request, |state| {
        let key = state.intune_profile(&id)?.key;
        state.profiles[key.0].scope = Scope::default();
        state.harm("graph.profile.delete", &id, None, Harm::Unmanaged);
        Ok::<_, Refusal>(())
    })?;
    no_content()
}

/// `DELETE /groups/{id}`.
pub(super) async fn delete_group(
    FromState(api): FromState<Api>,
    Extension(request): Extension<RequestId>,
    Path(id): Path<String>,
) -> Answer {
    api.app.world.on_behalf_of(request, |state| {
        state.entra_group(&id)?;
        state.mdm_groups.remove(&id);
        state.harm("graph.group.delete", &id, None, Harm::Unmanaged);
        Ok::<_, Refusal>(())
    })?;
    no_content()
}

/// `DELETE /groups/{id}/members/{member}` without `/$ref` deletes the device object itself, if the app
/// may manage devices.
pub(super) async fn delete_directory_object(
    FromState(api): FromState<Api>,
    Extension(request): Extension<RequestId>,
    Path((group, member)): Path<(String, String)>,
) -> Answer {
    api.app.world.on_behalf_of(request, |state| {
        Api::require_directory(state, &["Device.ReadWrite.All"])?;
        state.entra_group(&group)?;
        let device = state.directory_device(&member)?;
        let (id, machine) = (device.id.clone(), device.machine);
        forget_directory_object(state, &id, &member);
        state.harm(
            "graph.directory_object.delete",
            &member,
            None::<MachineKey>,
            Harm::Unmanaged,
        );
        // Without its device object the machine can no longer authenticate to Intune.
        state.machine_mut(machine).mdm = None;
        Ok::<_, Refusal>(())
    })?;
    no_content()
}

fn forget_directory_object(state: &mut State, id: &str, object: &str) {
    for group in state.mdm_groups.values_mut() {
        group.members.remove(object);
    }
    if let Some(device) = state.intune.get_mut(id) {
        device.entra_object_id.clear();
        "00000000-0000-0000-0000-000000000000".clone_into(&mut device.entra_device_id);
        device.registration = "notRegistered";
    }
}
