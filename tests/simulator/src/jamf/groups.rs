//! Computer groups of the Pro API. It never gives a static group's members back, and a PUT replaces
//! all of them; single changes go through the Classic API.

use std::collections::BTreeSet;

use axum::extract::{Path, Query as QueryOf, State as FromState};
use axum::http::StatusCode;
use axum::{Extension, Json};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Api;
use super::answer::{Answer, Refusal, json_answer, ok};
use super::list::{ListRequest, Query, page};
use crate::ledger::RequestId;
use crate::scalar::Scalar;
use crate::world::{Mdm, MdmGroup, State};

/// A static group as it is created or replaced.
#[derive(Deserialize)]
pub(super) struct GroupBody {
    name: String,
    #[serde(default)]
    description: Option<String>,
    #[serde(default)]
    assignments: Vec<String>,
}

/// `GET /api/v1/computer-groups`.
pub(super) async fn all(FromState(api): FromState<Api>) -> Answer {
    let rows: Vec<Value> = api.app.world.with(|state| {
        Api::require(state, "Read Static Computer Groups")?;
        Ok::<_, Refusal>(jamf_groups(state).map(summary).collect())
    })?;
    ok(&rows.into())
}

/// `GET /api/v3/computer-groups/static-groups`.
pub(super) async fn static_groups(
    FromState(api): FromState<Api>,
    QueryOf(query): QueryOf<Query>,
) -> Answer {
    let request = ListRequest::parse(&query, "id:asc")?;
    let body = api.app.world.with(|state| {
        Api::require(state, "Read Static Computer Groups")?;
        let mut groups: Vec<&MdmGroup> = jamf_groups(state).filter(|group| !group.smart).collect();
        groups.sort_by_key(|group| group.id.parse::<u32>().unwrap_or(u32::MAX));
        let (total, groups) = request.select(groups.into_iter(), &group_field)?;
        Ok(page(
            total,
            groups.into_iter().map(static_summary).collect(),
        ))
    })?;
    ok(&body)
}

/// `GET /api/v3/computer-groups/static-groups/{id}`.
pub(super) async fn static_group(FromState(api): FromState<Api>, Path(id): Path<String>) -> Answer {
    let body = api.app.world.with(|state| {
        Api::require(state, "Read Static Computer Groups")?;
        let group = jamf_group(state, &id).filter(|group| !group.smart);
        let group = group.ok_or_else(|| Refusal::missing("group"))?;
        Ok(
            json!({"id": group.id, "name": group.name, "description": group.description,
            "siteId": "-1"}),
        )
    })?;
    ok(&body)
}

/// `POST /api/v3/computer-groups/static-groups`.
pub(super) async fn create(
    FromState(api): FromState<Api>,
    Extension(request): Extension<RequestId>,
    Json(body): Json<GroupBody>,
) -> Answer {
    let id = api.app.world.on_behalf_of(request, |state| {
        Api::require(state, "Create Static Computer Groups")?;
        if jamf_groups(state).any(|group| group.name == body.name) {
            return Err(Refusal::Pro {
                status: StatusCode::UNPROCESSABLE_ENTITY,
                code: "DUPLICATE_FIELD",
                field: "name",
                description: "duplicate name".to_owned(),
            });
        }
        check_computers(state, &body.assignments)?;
        let ids = jamf_groups(state).filter_map(|group| group.id.parse::<u32>().ok());
        let id = (ids.max().unwrap_or(0) + 1).to_string();
        let group = MdmGroup {
            id: id.clone(),
            mdm: Mdm::Jamf,
            name: body.name,
            description: body.description.unwrap_or_default(),
            smart: false,
            members: BTreeSet::new(),
        };
        state.mdm_groups.insert(id.clone(), group);
        state.effect("jamf.group.create", &*id, "absent", "present");
        for computer in &body.assignments {
            state.set_mdm_member(&id, computer, true);
        }
        Ok(id)
    })?;
    let href = format!(
        "{}/api/v3/computer-groups/static-groups/{id}",
        api.app.connection.jamf.url
    );
    Ok(json_answer(
        StatusCode::CREATED,
        &json!({"id": id, "href": href}),
    ))
}

/// `PUT /api/v3/computer-groups/static-groups/{id}`: the assignments are the complete set.
pub(super) async fn replace(
    FromState(api): FromState<Api>,
    Extension(request): Extension<RequestId>,
    Path(id): Path<String>,
    Json(body): Json<GroupBody>,
) -> Answer {
    api.app.world.on_behalf_of(request, |state| {
        Api::require(state, "Update Static Computer Groups")?;
        let group = jamf_group(state, &id).filter(|group| !group.smart);
        let before = group
            .ok_or_else(|| Refusal::missing("group"))?
            .members
            .clone();
        check_computers(state, &body.assignments)?;
        let after: BTreeSet<String> = body.assignments.iter().cloned().collect();
        for computer in before.difference(&after) {
            state.set_mdm_member(&id, computer, false);
        }
        for computer in after.difference(&before) {
            state.set_mdm_member(&id, computer, true);
        }
        Ok::<_, Refusal>(())
    })?;
    let body =
        json!({"id": id, "name": body.name, "description": body.description, "siteId": "-1"});
    Ok(json_answer(StatusCode::ACCEPTED, &body))
}

/// `GET /api/v3/computer-groups/smart-group-membership/{id}`.
pub(super) async fn smart_members(
    FromState(api): FromState<Api>,
    Path(id): Path<String>,
) -> Answer {
    let members: Vec<u32> = api.app.world.with(|state| {
        Api::require(state, "Read Smart Computer Groups")?;
        let group = jamf_group(state, &id).filter(|group| group.smart);
        let group = group.ok_or_else(|| Refusal::missing("group"))?;
        Ok::<_, Refusal>(
            group
                .members
                .iter()
                .filter_map(|id| id.parse().ok())
                .collect(),
        )
    })?;
    ok(&json!({"members": members}))
}

/// Jamf's groups.
pub(super) fn jamf_groups(state: &State) -> impl Iterator<Item = &MdmGroup> {
    state
        .mdm_groups
        .values()
        .filter(|group| group.mdm == Mdm::Jamf)
}

/// One of Jamf's groups.
pub(super) fn jamf_group<'a>(state: &'a State, id: &str) -> Option<&'a MdmGroup> {
    state
        .mdm_groups
        .get(id)
        .filter(|group| group.mdm == Mdm::Jamf)
}

fn check_computers(state: &State, assignments: &[String]) -> Result<(), Refusal> {
    let unknown = assignments.iter().find(|id| {
        !id.parse::<u32>()
            .is_ok_and(|id| state.jamf.contains_key(&id))
    });
    match unknown {
        None => Ok(()),
        Some(id) => Err(Refusal::Pro {
            status: StatusCode::BAD_REQUEST,
            code: "INVALID_ID",
            field: "assignments",
            description: format!("device {id} does not exist"),
        }),
    }
}

fn group_field(group: &MdmGroup, name: &str) -> Option<Scalar> {
    Some(match name {
        "id" => Scalar::Number(group.id.parse().ok()?),
        "name" => group.name.as_str().into(),
        "siteId" => "-1".into(),
        _ => return None,
    })
}

fn summary(group: &MdmGroup) -> Value {
    json!({"id": group.id, "name": group.name, "description": group.description,
        "smartGroup": group.smart})
}

fn static_summary(group: &MdmGroup) -> Value {
    json!({"id": group.id, "name": group.name, "description": group.description, "siteId": "-1",
        "count": group.members.len()})
}
