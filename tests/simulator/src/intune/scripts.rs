//! Remediation scripts: prepared by a person, run on demand, one at a time per device.

use axum::extract::{Path, State as FromState};
use axum::http::StatusCode;
use axum::{Extension, Json};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Api;
use super::answer::{Answer, Refusal, collection, no_content, ok};
use crate::ledger::RequestId;
use crate::scalar::rfc3339;
use crate::world::{Script, ScriptRun, State};

const READ: [&str; 2] = [
    "DeviceManagementScripts.Read.All",
    "DeviceManagementScripts.ReadWrite.All",
];

/// `POST …/initiateOnDemandProactiveRemediation`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RunBody {
    script_policy_id: String,
}

/// `GET /deviceManagement/deviceHealthScripts`.
pub(super) async fn list(FromState(api): FromState<Api>) -> Answer {
    let rows = api.app.world.with(|state| {
        Api::require(state, &READ)?;
        Ok::<_, Refusal>(state.scripts.values().map(row).collect())
    })?;
    collection(rows)
}

/// `GET /deviceManagement/deviceHealthScripts/{id}`.
pub(super) async fn by_id(FromState(api): FromState<Api>, Path(id): Path<String>) -> Answer {
    let row = api.app.world.with(|state| {
        Api::require(state, &READ)?;
        let script = state.scripts.get(&id);
        script.map(row).ok_or_else(|| Refusal::intune_missing(&id))
    })?;
    ok(&row)
}

fn row(script: &Script) -> Value {
    json!({
        "id": script.id, "displayName": script.name, "description": "", "publisher": "IT",
        "version": "1", "runAsAccount": "user", "enforceSignatureCheck": false,
        "runAs32Bit": false, "roleScopeTagIds": ["0"], "isGlobalScript": false,
        "deviceHealthScriptType": "deviceHealthScript",
    })
}

/// `POST …/managedDevices/{id}/initiateOnDemandProactiveRemediation`. Which permission is enforced is
/// UNVERIFIED; the one for remote actions is checked.
pub(super) async fn run(
    FromState(api): FromState<Api>,
    Extension(request): Extension<RequestId>,
    Path(id): Path<String>,
    Json(body): Json<RunBody>,
) -> Answer {
    api.app.world.on_behalf_of(request, |state| {
        Api::require(
            state,
            &["DeviceManagementManagedDevices.PrivilegedOperations.All"],
        )?;
        state.managed_device(&id)?;
        let script = &body.script_policy_id;
        if !state.scripts.contains_key(script) {
            let message = format!("Script {script} does not exist.");
            return Err(Refusal::intune(
                StatusCode::BAD_REQUEST,
                "BadRequest",
                message,
            ));
        }
        state.intune_ask_script(&id, script);
        state.effect(
            "intune.script.run",
            format!("{id}/{script}"),
            "idle",
            "asked",
        );
        Ok(())
    })?;
    no_content()
}

/// `GET …/managedDevices/{id}/deviceHealthScriptStates`.
pub(super) async fn states_of_device(
    FromState(api): FromState<Api>,
    Path(id): Path<String>,
) -> Answer {
    let rows = api.app.world.with(|state| {
        Api::require(state, &READ)?;
        let device = state.managed_device(&id)?;
        let name = &state.machine(device.machine).name;
        let rows = latest_runs(state, |run| run.device == id)
            .into_iter()
            .map(|run| {
                let mut row = outcome(run);
                row["id"] = format!("{}:{}", run.script, run.device).into();
                row["policyId"] = run.script.clone().into();
                row["policyName"] = state
                    .scripts
                    .get(&run.script)
                    .map(|script| &*script.name)
                    .into();
                row["deviceId"] = run.device.clone().into();
                row["deviceName"] = name.clone().into();
                row
            });
        Ok::<_, Refusal>(rows.collect())
    })?;
    collection(rows)
}

/// `GET …/deviceHealthScripts/{id}/deviceRunStates?$expand=managedDevice`.
pub(super) async fn run_states(FromState(api): FromState<Api>, Path(id): Path<String>) -> Answer {
    let rows = api.app.world.with(|state| {
        Api::require(state, &READ)?;
        let rows = latest_runs(state, |run| run.script == id)
            .into_iter()
            .map(|run| {
                let mut row = outcome(run);
                row["id"] = format!("{}:{}", run.script, run.device).into();
                row["managedDevice"] = state
                    .intune
                    .get(&run.device)
                    .map(|device| {
                        json!({"id": device.id, "serialNumber": device.serial,
                        "deviceName": state.machine(device.machine).name})
                    })
                    .into();
                row
            });
        Ok::<_, Refusal>(rows.collect())
    })?;
    collection(rows)
}

/// Only the latest run of a script on a device is kept in sight.
fn latest_runs(state: &State, wanted: impl Fn(&ScriptRun) -> bool) -> Vec<&ScriptRun> {
    let mut latest: Vec<&ScriptRun> = Vec::new();
    for run in state.script_runs.iter().filter(|run| wanted(run)) {
        latest.retain(|older| older.device != run.device || older.script != run.script);
        latest.push(run);
    }
    latest
}

fn outcome(run: &ScriptRun) -> Value {
    let (detection, remediation) = match (run.finished, run.removed.is_empty()) {
        (None, _) => ("pending", "unknown"),
        (Some(_), true) => ("success", "skipped"),
        (Some(_), false) => ("fail", "success"),
    };
    let at = rfc3339(run.finished.unwrap_or(run.requested));
    let found = match run.finished {
        Some(_) => Some(run.removed.join(" ")),
        None => None,
    };
    json!({
        "detectionState": detection, "remediationState": remediation,
        "lastStateUpdateDateTime": at, "lastSyncDateTime": at, "expectedStateUpdateDateTime": null,
        "preRemediationDetectionScriptOutput": found, "preRemediationDetectionScriptError": null,
        "remediationScriptError": null, "postRemediationDetectionScriptOutput": null,
        "postRemediationDetectionScriptError": null, "assignmentFilterIds": [],
    })
}
