//! Entra groups. A member is added and removed through `$ref`; reads lag behind writes for a moment.

use axum::extract::{Path, Query as QueryOf, State as FromState};
use axum::http::{StatusCode, Uri};
use axum::{Extension, Json};
use serde_json::{Value, json};

use super::actions::Reference;
use super::answer::{Answer, Refusal, no_content, ok};
use super::directory::{device_row, user_row};
use super::query::{Options, Query};
use super::{Api, Version};
use crate::ledger::RequestId;
use crate::scalar::Scalar;
use crate::world::{Mdm, MdmGroup, State};

const READ: [&str; 3] = [
    "GroupMember.Read.All",
    "GroupMember.ReadWrite.All",
    "Group.Read.All",
];

/// The directory's default page.
const PAGE: usize = 100;

/// The directory's largest page.
const LARGEST_PAGE: usize = 999;

/// `GET /groups`.
pub(super) async fn list(
    version: Version,
    FromState(api): FromState<Api>,
    QueryOf(query): QueryOf<Query>,
    uri: Uri,
) -> Answer {
    let options = Options::parse(&query)?;
    options.allow_filter(&["id", "displayName"])?;
    let base = api.base(version);
    let body = api.app.world.with(|state| {
        Api::require_directory(state, &READ)?;
        let rows = state
            .mdm_groups
            .values()
            .filter(|group| group.mdm == Mdm::Intune)
            .filter(|group| {
                options
                    .after()
                    .is_none_or(|after| group.id.as_str() > after)
            })
            .filter(|group| {
                let field = |name: &str| match name {
                    "id" => group.id.as_str().into(),
                    "displayName" => group.name.as_str().into(),
                    _ => Scalar::Absent,
                };
                options.admits("microsoft.graph.group", &field)
            })
            .map(|group| (group.id.clone(), row(group)));
        Ok::<_, Refusal>(options.page(&uri, &base, page_size(&query), rows))
    })?;
    ok(&body)
}

/// `GET /groups/{id}`.
pub(super) async fn by_id(
    FromState(api): FromState<Api>,
    Path(id): Path<String>,
    QueryOf(query): QueryOf<Query>,
) -> Answer {
    let options = Options::parse(&query)?;
    let row = api.app.world.with(|state| {
        Api::require_directory(state, &READ)?;
        Ok::<_, Refusal>(row(state.entra_group(&id)?))
    })?;
    ok(&options.project(row))
}

/// `GET /groups/{id}/members`.
pub(super) async fn members(
    version: Version,
    FromState(api): FromState<Api>,
    Path(id): Path<String>,
    QueryOf(query): QueryOf<Query>,
    uri: Uri,
) -> Answer {
    let options = Options::parse(&query)?;
    let base = api.base(version);
    let body = api.app.world.with(|state| {
        Api::require_directory(state, &READ)?;
        state.entra_group(&id)?;
        let members = state.members_seen(&id, state.mdm.intune.read_lag);
        let rows = members
            .into_iter()
            .filter(|member| options.after().is_none_or(|after| member.as_str() > after))
            .map(|member| {
                let row = member_row(state, &member);
                (member, row)
            });
        Ok::<_, Refusal>(options.page(&uri, &base, page_size(&query), rows))
    })?;
    ok(&body)
}

/// `POST /groups/{id}/members/$ref`.
pub(super) async fn add_member(
    FromState(api): FromState<Api>,
    Extension(request): Extension<RequestId>,
    Path(id): Path<String>,
    Json(body): Json<Reference>,
) -> Answer {
    api.app.world.on_behalf_of(request, |state| {
        Api::require_directory(state, &["GroupMember.ReadWrite.All"])?;
        state.writable_group(&id)?;
        let member = body.target();
        if state.directory_device(member).is_ok() {
            Api::require_directory(state, &["Device.ReadWrite.All"])?;
        } else if !state
            .people
            .values()
            .any(|person| person.entra_id == member)
        {
            return Err(Refusal::directory_missing(member));
        }
        if state.set_mdm_member(&id, member, true) {
            return Ok(());
        }
        Err(Refusal::new(
            StatusCode::BAD_REQUEST,
            "Request_BadRequest",
            "One or more added object references already exist for the following modified \
             properties: 'members'.",
        ))
    })?;
    no_content()
}

/// `DELETE /groups/{id}/members/{member}/$ref`.
pub(super) async fn remove_member(
    FromState(api): FromState<Api>,
    Extension(request): Extension<RequestId>,
    Path((id, member)): Path<(String, String)>,
) -> Answer {
    api.app.world.on_behalf_of(request, |state| {
        Api::require_directory(state, &["GroupMember.ReadWrite.All"])?;
        state.writable_group(&id)?;
        match state.set_mdm_member(&id, &member, false) {
            true => Ok(()),
            false => Err(Refusal::directory_missing(&member)),
        }
    })?;
    no_content()
}

impl State {
    pub(super) fn entra_group(&self, id: &str) -> Result<&MdmGroup, Refusal> {
        self.mdm_groups
            .get(id)
            .filter(|group| group.mdm == Mdm::Intune)
            .ok_or_else(|| Refusal::directory_missing(id))
    }

    /// A group whose members can be written: a dynamic one has its rule for that.
    fn writable_group(&self, id: &str) -> Result<(), Refusal> {
        match self.entra_group(id)?.smart {
            false => Ok(()),
            true => Err(Refusal::new(
                StatusCode::FORBIDDEN,
                "Authorization_RequestDenied",
                "Insufficient privileges to complete the operation.",
            )),
        }
    }
}

fn page_size(query: &Query) -> usize {
    match query.iter().any(|(name, _)| name == "$top") {
        true => LARGEST_PAGE,
        false => PAGE,
    }
}

fn member_row(state: &State, member: &str) -> Value {
    if let Ok(device) = state.directory_device(member) {
        return device_row(state, device);
    }
    let person = state
        .people
        .values()
        .find(|person| person.entra_id == member);
    person.map_or_else(
        || json!({"@odata.type": "#microsoft.graph.directoryObject", "id": member}),
        user_row,
    )
}

pub(super) fn row(group: &MdmGroup) -> Value {
    let types: &[&str] = match group.smart {
        true => &["DynamicMembership"],
        false => &[],
    };
    json!({
        "@odata.type": "#microsoft.graph.group", "id": group.id, "displayName": group.name,
        "description": group.description, "groupTypes": types, "securityEnabled": true,
        "mailEnabled": false, "isAssignableToRole": null, "onPremisesSyncEnabled": null,
    })
}
