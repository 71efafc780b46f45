//! Users with their groups, devices, factors and enrolments.

use axum::Json;
use axum::extract::{Extension, Path, RawQuery, State};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use serde_json::{Value, json};

use super::Okta;
use super::devices::device_json;
use super::error::{Answer, OktaError};
use super::filter::Filter;
use super::groups::group_json;
use super::page::{Query, link, time};
use crate::ledger::RequestId;
use crate::world::{Enrolment, Person, State as WorldState, UserStatus};

pub(super) async fn list(State(okta): State<Okta>, RawQuery(raw): RawQuery) -> Answer {
    let query = Query::parse(raw.as_deref());
    let keyword = query.get("q").map(str::to_lowercase);
    let limit = query.limit(1, if keyword.is_some() { 10 } else { 200 }, 200)?;
    let text = query.get("search").or(query.get("filter"));
    let filter = text.map(parse_filter).transpose()?;
    let after = query.after()?;
    let (rows, next) = okta.app.world.with(|state| {
        let mut rows = Vec::new();
        let mut last = None;
        for person in state.people.values() {
            let passed = after.as_deref().is_none_or(|after| &*person.id > after);
            let listed = filter.is_some() || person.status != UserStatus::Deprovisioned;
            let named = keyword.as_ref().is_none_or(|keyword| {
                [&person.first_name, &person.last_name, &person.email]
                    .iter()
                    .any(|name| name.to_lowercase().starts_with(keyword))
            });
            let matches = filter.as_ref().is_none_or(|filter| found(filter, person));
            if !(passed && listed && named && matches) {
                continue;
            }
            if rows.len() == limit {
                return (rows, last);
            }
            rows.push(full_user(&okta, person));
            last = Some(person.id.to_string());
        }
        (rows, None)
    });
    let mut response = Json(rows).into_response();
    let address = okta.url("/api/v1/users");
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
        let person = known(state, &id)?;
        Ok(Json(full_user(&okta, person)).into_response())
    })
}

pub(super) async fn groups(State(okta): State<Okta>, Path(id): Path<String>) -> Answer {
    okta.app.world.with(|state| {
        let person = known(state, &id)?;
        let groups: Vec<Value> = state
            .okta_groups
            .values()
            .filter(|group| group.members.contains(&person.id))
            .map(|group| group_json(&okta, group))
            .collect();
        Ok(Json(groups).into_response())
    })
}

/// Devices of a user; this call carries no management status.
pub(super) async fn devices(State(okta): State<Okta>, Path(id): Path<String>) -> Answer {
    okta.app.world.with(|state| {
        let person = known(state, &id)?;
        let ids = state.devices_of.get(&person.id);
        let devices: Vec<Value> = ids
            .into_iter()
            .flatten()
            .filter_map(|id| {
                let record = state.devices.get(id)?;
                let link = record.link(&person.id)?;
                Some(json!({
                    "created": time(link.created),
                    "deviceUserId": &*link.id,
                    "device": device_json(&okta, record, &time(record.last_updated)),
                }))
            })
            .collect();
        Ok(Json(devices).into_response())
    })
}

/// Per user, not per device: one entry for FastPass however many devices have it.
pub(super) async fn factors(State(okta): State<Okta>, Path(id): Path<String>) -> Answer {
    okta.app.world.with(|state| {
        let person = known(state, &id)?;
        let mut factors = Vec::new();
        let mut add = |kind: &str, id: String, created: String| {
            factors.push(json!({
                "id": id, "factorType": kind, "provider": "OKTA", "vendorName": "OKTA",
                "status": "ACTIVE", "created": created, "lastUpdated": created, "profile": {},
                "_links": {"self": {"href": okta.url(&format!("/api/v1/users/{}/factors/{id}", person.id))}},
            }));
        };
        if let Some(enrolment) = first_enrolment(state, person) {
            add("signed_nonce", enrolment.id.to_string(), time(enrolment.created));
        }
        if let Some(since) = person.push_factor {
            let tail = &person.id[3..];
            add("push", format!("opf{tail}"), time(since));
            add("token:software:totp", format!("ost{tail}"), time(since));
        }
        Ok(Json(factors).into_response())
    })
}

pub(super) async fn enrolments(State(okta): State<Okta>, Path(id): Path<String>) -> Answer {
    okta.app.world.with(|state| {
        let person = known(state, &id)?;
        let since = person
            .push_factor
            .or(first_enrolment(state, person).map(|found| found.created));
        let items: Vec<Value> = since
            .map(|since| {
                json!({
                    "id": format!("aen{}", &person.id[3..]), "type": "app", "key": "okta_verify",
                    "status": "ACTIVE", "name": "Okta Verify", "profile": null, "nickname": null,
                    "created": time(since), "lastUpdated": time(since),
                    "_links": {"user": {"href": okta.url(&format!("/api/v1/users/{}", person.id))}},
                })
            })
            .into_iter()
            .collect();
        Ok(Json(items).into_response())
    })
}

pub(super) async fn end_sessions(
    State(okta): State<Okta>,
    Path(id): Path<String>,
    Extension(request): Extension<RequestId>,
) -> Answer {
    okta.app.world.on_behalf_of(request, |state| {
        let id = known(state, &id)?.id.to_string();
        state.effect("okta.user.sessions.end", id, "signed in", "signed out");
        Ok(StatusCode::NO_CONTENT.into_response())
    })
}

/// A user by id or login, or by the login without its domain.
pub(super) fn known<'a>(state: &'a WorldState, id: &str) -> Result<&'a Person, OktaError> {
    let with_domain = format!("{id}@acme.example");
    state
        .person(id)
        .or_else(|| state.person(&with_domain))
        .ok_or_else(|| OktaError::not_found(id, "User"))
}

fn first_enrolment<'a>(state: &'a WorldState, person: &Person) -> Option<&'a Enrolment> {
    state
        .devices_of
        .get(&person.id)?
        .iter()
        .filter_map(|id| state.devices.get(id)?.link(&person.id)?.enrolment.as_ref())
        .find(|enrolment| enrolment.active)
}

pub(super) fn summary(okta: &Okta, person: &Person) -> Value {
    json!({
        "id": &*person.id,
        "realmId": null,
        "profile": {
            "firstName": person.first_name, "lastName": person.last_name,
            "login": person.login, "email": person.email,
        },
        "_links": {"self": {"href": okta.url(&format!("/api/v1/users/{}", person.id))}},
    })
}

pub(super) fn full_user(okta: &Okta, person: &Person) -> Value {
    json!({
        "id": &*person.id,
        "status": person.status.word(),
        "created": time(person.created),
        "activated": time(person.created),
        "statusChanged": time(person.created),
        "lastLogin": person.last_login.map(time),
        "lastUpdated": time(person.created),
        "passwordChanged": time(person.created),
        "type": {"id": "oty1acmeDefaultType00"},
        "profile": {
            "firstName": person.first_name, "lastName": person.last_name,
            "mobilePhone": null, "secondEmail": null,
            "login": person.login, "email": person.email, "department": person.department,
        },
        "credentials": {"provider": {"type": "OKTA", "name": "OKTA"}},
        "_links": {"self": {"href": okta.url(&format!("/api/v1/users/{}", person.id))}},
    })
}

fn parse_filter(text: &str) -> Result<Filter, OktaError> {
    Filter::parse(text)
        .ok_or_else(|| OktaError::new(400, "E0000031", format!("Invalid search criteria: {text}")))
}

fn found(filter: &Filter, person: &Person) -> bool {
    filter.matches(&|field| match field {
        "id" => vec![person.id.to_string()],
        "status" => vec![person.status.word().to_owned()],
        "profile.login" => vec![person.login.clone()],
        "profile.email" => vec![person.email.clone()],
        "profile.firstName" => vec![person.first_name.clone()],
        "profile.lastName" => vec![person.last_name.clone()],
        "profile.department" => vec![person.department.to_owned()],
        "lastUpdated" | "created" => vec![time(person.created)],
        _ => Vec::new(),
    })
}
