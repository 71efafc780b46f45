//! Groups, their members, and the one write that matters here: membership.

use axum::Json;
use axum::extract::{Extension, Path, RawQuery, State};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use serde_json::{Value, json};

use super::Okta;
use super::apps::app_json;
use super::error::{Answer, OktaError};
use super::filter::Filter;
use super::page::{Query, link, time};
use super::users::{full_user, known as known_user};
use crate::ledger::RequestId;
use crate::world::{Actor, GroupKind, OktaGroup, State as WorldState, Target};

pub(super) async fn list(State(okta): State<Okta>, RawQuery(raw): RawQuery) -> Answer {
    let query = Query::parse(raw.as_deref());
    let keyword = query.get("q").map(str::to_lowercase);
    let text = query.get("search").or(query.get("filter"));
    let filter = text
        .map(|text| {
            Filter::parse(text).ok_or_else(|| {
                OktaError::new(400, "E0000031", format!("Invalid search criteria: {text}"))
            })
        })
        .transpose()?;
    let limit = query.limit(1, 10_000, 10_000)?;
    let after = query.after()?;
    let (rows, next) = okta.app.world.with(|state| {
        let mut rows = Vec::new();
        let mut last = None;
        for group in state.okta_groups.values() {
            let passed = after.as_deref().is_none_or(|after| &*group.id > after);
            let name = group.name.to_lowercase();
            let named = keyword
                .as_ref()
                .is_none_or(|keyword| name.starts_with(keyword));
            let matches = filter.as_ref().is_none_or(|filter| found(filter, group));
            if !(passed && named && matches) {
                continue;
            }
            if rows.len() == limit {
                return (rows, last);
            }
            rows.push(group_json(&okta, group));
            last = Some(group.id.to_string());
        }
        (rows, None)
    });
    let mut response = Json(rows).into_response();
    let address = okta.url("/api/v1/groups");
    link(
        response.headers_mut(),
        &address,
        &query,
        next.as_deref(),
        &[],
    );
    Ok(response)
}

pub(super) async fn read(State(okta): State<Okta>, Path(id): Path<String>) -> Answer {
    okta.app.world.with(|state| {
        let group = known(state, &id)?;
        Ok(Json(group_json(&okta, group)).into_response())
    })
}

pub(super) async fn users(
    State(okta): State<Okta>,
    Path(id): Path<String>,
    RawQuery(raw): RawQuery,
) -> Answer {
    let query = Query::parse(raw.as_deref());
    let limit = query.limit(1, 1_000, 1_000)?;
    let after = query.after()?;
    let (rows, next) = okta.app.world.with(|state| {
        let group = known(state, &id)?;
        let mut members = group
            .members
            .iter()
            .filter(|member| after.as_deref().is_none_or(|after| &***member > after))
            .filter_map(|member| state.people.get(member));
        let page: Vec<_> = members.by_ref().take(limit).collect();
        let more = members.next().is_some();
        let next = page
            .last()
            .filter(|_| more)
            .map(|person| person.id.to_string());
        let rows: Vec<Value> = page.iter().map(|person| full_user(&okta, person)).collect();
        Ok::<_, OktaError>((rows, next))
    })?;
    let mut response = Json(rows).into_response();
    let address = okta.url(&format!("/api/v1/groups/{id}/users"));
    link(
        response.headers_mut(),
        &address,
        &query,
        next.as_deref(),
        &[],
    );
    Ok(response)
}

/// Apps that the group is assigned to.
pub(super) async fn apps(State(okta): State<Okta>, Path(id): Path<String>) -> Answer {
    okta.app.world.with(|state| {
        let group = known(state, &id)?;
        let apps: Vec<Value> = state
            .apps
            .values()
            .filter(|app| app.groups.contains(&group.id))
            .map(|app| app_json(&okta, app))
            .collect();
        Ok(Json(apps).into_response())
    })
}

/// No group of this org carries an admin role.
pub(super) async fn roles(State(okta): State<Okta>, Path(id): Path<String>) -> Answer {
    okta.app.world.with(|state| {
        known(state, &id)?;
        Ok(Json(json!([])).into_response())
    })
}

/// Group rules: one per group that is filled by rule.
pub(super) async fn rules(State(okta): State<Okta>) -> Answer {
    okta.app.world.with(|state| {
        let rules: Vec<Value> = state
            .okta_groups
            .values()
            .filter(|group| group.by_rule && group.kind == GroupKind::Okta)
            .map(|group| {
                json!({
                    "type": "group_rule", "id": format!("0pr{}", &group.id[3..]),
                    "status": "ACTIVE", "name": group.name,
                    "created": time(group.created), "lastUpdated": time(group.created),
                    "conditions": {"expression": {"type": "urn:okta:expression:1.0",
                        "value": "user.userType == \"employee\""}},
                    "actions": {"assignUserToGroups": {"groupIds": [&*group.id]}},
                })
            })
            .collect();
        Ok(Json(rules).into_response())
    })
}

pub(super) async fn add(
    okta: State<Okta>,
    path: Path<(String, String)>,
    request: Extension<RequestId>,
) -> Answer {
    set_membership(okta, path, request, true)
}

pub(super) async fn remove(
    okta: State<Okta>,
    path: Path<(String, String)>,
    request: Extension<RequestId>,
) -> Answer {
    set_membership(okta, path, request, false)
}

fn set_membership(
    State(okta): State<Okta>,
    Path((group, user)): Path<(String, String)>,
    Extension(request): Extension<RequestId>,
    member: bool,
) -> Answer {
    okta.app.world.on_behalf_of(request, |state| {
        let user = known_user(state, &user)?.id.clone();
        let found = known(state, &group)?;
        if found.by_rule || found.kind != GroupKind::Okta {
            return Err(OktaError::forbidden());
        }
        let (id, was) = (found.id.clone(), found.members.contains(&user));
        let now = state.now;
        if let Some(found) = state.okta_groups.get_mut(&id) {
            found.membership_changed = now;
            if member {
                found.members.insert(user.clone());
            } else {
                found.members.remove(&user);
            }
        }
        let (kind, event) = if member {
            ("okta.group.member.add", "group.user_membership.add")
        } else {
            ("okta.group.member.remove", "group.user_membership.remove")
        };
        if was != member {
            let targets = vec![Target::User(user.clone()), Target::Group(id.clone())];
            let event = state.event(event, Actor::Admin, targets);
            state.log(event);
        }
        let word = |member| if member { "member" } else { "not a member" };
        state.effect(kind, format!("{id}/{user}"), word(was), word(member));
        Ok(StatusCode::NO_CONTENT.into_response())
    })
}

fn known<'a>(state: &'a WorldState, id: &str) -> Result<&'a OktaGroup, OktaError> {
    state
        .okta_groups
        .get(id)
        .ok_or_else(|| OktaError::not_found(id, "UserGroup"))
}

pub(super) fn group_json(okta: &Okta, group: &OktaGroup) -> Value {
    let base = okta.url(&format!("/api/v1/groups/{}", group.id));
    json!({
        "id": &*group.id,
        "created": time(group.created),
        "lastUpdated": time(group.created),
        "lastMembershipUpdated": time(group.membership_changed),
        "objectClass": ["okta:user_group"],
        "type": group.kind.word(),
        "profile": {"name": group.name, "description": group.description},
        "_links": {
            "users": {"href": format!("{base}/users")},
            "apps": {"href": format!("{base}/apps")},
        },
    })
}

fn found(filter: &Filter, group: &OktaGroup) -> bool {
    filter.matches(&|field| match field {
        "id" => vec![group.id.to_string()],
        "type" => vec![group.kind.word().to_owned()],
        "profile.name" => vec![group.name.clone()],
        "lastUpdated" | "created" => vec![time(group.created)],
        "lastMembershipUpdated" => vec![time(group.membership_changed)],
        _ => Vec::new(),
    })
}
