//! The Devices API: the list with its lagging search index, reads by id, and the lifecycle.

use axum::Json;
use axum::extract::{Extension, Path, RawQuery, State};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use serde_json::{Map, Value, json};

use super::Okta;
use super::error::{Answer, OktaError};
use super::filter::{Filter, Operator};
use super::page::{Query, link, time};
use super::users::{full_user, summary};
use crate::ledger::RequestId;
use crate::world::{DeviceStatus, LifecycleError, Link, OktaDevice, StaleRow, State as WorldState};

/// Fields that `co` may search.
const CONTAINS: [&str; 6] = [
    "profile.displayName",
    "profile.serialNumber",
    "profile.imei",
    "profile.meid",
    "profile.udid",
    "profile.sid",
];

pub(super) async fn list(State(okta): State<Okta>, RawQuery(raw): RawQuery) -> Answer {
    let query = Query::parse(raw.as_deref());
    let limit = query.limit(1, 200, 200)?;
    let search = query.get("search").map(parse_search).transpose()?;
    let expand = match query.get("expand") {
        None => Expand::Nothing,
        Some("user") => Expand::User,
        Some("userSummary") => Expand::Summary,
        Some(_) => {
            return Err(OktaError::invalid("expand", "Invalid expand parameter."));
        }
    };
    let after = query.after()?;
    let (rows, next) = okta.app.world.with(|state| {
        let start = match &after {
            Some(after) => std::ops::Bound::Excluded(after.as_str()),
            None => std::ops::Bound::Unbounded,
        };
        let mut rows = Vec::with_capacity(limit);
        let mut last = None;
        let records = state
            .devices
            .range::<str, _>((start, std::ops::Bound::Unbounded))
            .map(|(_, record)| record)
            .filter(|record| {
                search
                    .as_ref()
                    .is_none_or(|search| found(search, state, record))
            });
        for record in records {
            if rows.len() == limit {
                return (rows, last);
            }
            rows.push(row(&okta, state, record, expand));
            last = Some(record.id.to_string());
        }
        (rows, None)
    });
    let mut response = Json(rows).into_response();
    let address = okta.url("/api/v1/devices");
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
        let record = known(state, &id)?;
        let mut body = device_json(&okta, record, &time(record.last_updated));
        body["providers"] = json!([{
            "provider": "oktaVerify", "payloadVersion": "1.0",
            "payload": {"clientVersion": record.ov_version},
        }]);
        Ok(Json(body).into_response())
    })
}

pub(super) async fn users(State(okta): State<Okta>, Path(id): Path<String>) -> Answer {
    okta.app.world.with(|state| {
        let record = known(state, &id)?;
        let users: Vec<Value> = record
            .links
            .iter()
            .filter_map(|link| {
                let person = state.people.get(&link.user)?;
                Some(json!({
                    "created": time(link.created),
                    "managementStatus": management(link.managed),
                    "screenLockType": link.screen_lock,
                    "user": full_user(&okta, person),
                }))
            })
            .collect();
        Ok(Json(users).into_response())
    })
}

/// Early Access: off, an org answers with an empty list.
pub(super) async fn enrolments(State(okta): State<Okta>, Path(id): Path<String>) -> Answer {
    okta.app.world.with(|state| {
        let record = known(state, &id)?;
        if !state.org.enrolments_api {
            return Ok(Json(json!([])).into_response());
        }
        let items: Vec<Value> = record
            .links
            .iter()
            .filter_map(|link| {
                let enrolment = link.enrolment.as_ref()?;
                Some(json!({
                    "id": &*enrolment.id, "key": "okta_verify", "name": "Okta Verify",
                    "nickname": null,
                    "status": if enrolment.active { "ACTIVE" } else { "INACTIVE" },
                    "created": time(enrolment.created),
                    "lastUpdated": time(enrolment.created),
                    "lastVerified": enrolment.last_verified.map(time),
                    "profile": {},
                    "_links": {"user": {"href": okta.url(&format!("/api/v1/users/{}", link.user))}},
                }))
            })
            .collect();
        Ok(Json(items).into_response())
    })
}

pub(super) async fn lifecycle(
    State(okta): State<Okta>,
    Path((id, change)): Path<(String, String)>,
    Extension(request): Extension<RequestId>,
) -> Answer {
    let (to, from) = match change.as_str() {
        "activate" => (DeviceStatus::Active, None),
        "deactivate" => (DeviceStatus::Deactivated, None),
        "suspend" => (DeviceStatus::Suspended, None),
        "unsuspend" => (DeviceStatus::Active, Some(DeviceStatus::Suspended)),
        _ => {
            return Err(OktaError::new(
                404,
                "E0000008",
                "The requested path was not found",
            ));
        }
    };
    okta.app.world.on_behalf_of(request, |state| {
        let before = known(state, &id)?.status;
        // Calls are idempotent: only a real change must begin from the right status.
        let right_start = match (from, to) {
            (Some(from), to) => before == from || before == to,
            (None, DeviceStatus::Active) => before != DeviceStatus::Suspended,
            _ => true,
        };
        if !right_start {
            return Err(wrong_status());
        }
        state
            .move_device(&id, to)
            .map_err(|error| refused(error, &id))?;
        let after = known(state, &id)?.status;
        let kind = format!("okta.device.{change}");
        state.effect(&kind, &id, before.word(), after.word());
        Ok(StatusCode::NO_CONTENT.into_response())
    })
}

pub(super) async fn delete(
    State(okta): State<Okta>,
    Path(id): Path<String>,
    Extension(request): Extension<RequestId>,
) -> Answer {
    okta.app.world.on_behalf_of(request, |state| {
        state
            .delete_device(&id)
            .map_err(|error| refused(error, &id))?;
        state.effect("okta.device.delete", &id, "DEACTIVATED", "deleted");
        Ok(StatusCode::NO_CONTENT.into_response())
    })
}

fn known<'a>(state: &'a WorldState, id: &str) -> Result<&'a OktaDevice, OktaError> {
    state
        .devices
        .get(id)
        .ok_or_else(|| OktaError::not_found(id, "Device"))
}

fn refused(error: LifecycleError, id: &str) -> OktaError {
    match error {
        LifecycleError::NotFound => OktaError::not_found(id, "Device"),
        LifecycleError::WrongStatus => wrong_status(),
    }
}

fn wrong_status() -> OktaError {
    OktaError::new(
        403,
        "E0000152",
        "The device is in an invalid status for this operation.",
    )
}

#[derive(Clone, Copy)]
enum Expand {
    Nothing,
    User,
    Summary,
}

fn management(managed: bool) -> &'static str {
    if managed { "MANAGED" } else { "NOT_MANAGED" }
}

/// What the index still holds, where it lags.
fn stale<'a>(state: &WorldState, record: &'a OktaDevice) -> Option<&'a StaleRow> {
    record
        .stale_row
        .as_ref()
        .filter(|row| row.until.is_none_or(|until| until > state.now))
}

fn shown_managed(state: &WorldState, record: &OktaDevice, link: &Link) -> bool {
    let stale = stale(state, record).and_then(|row| {
        let shown = row.managed.iter().find(|(user, _)| *user == link.user)?;
        Some(shown.1)
    });
    stale.unwrap_or(link.managed)
}

fn row(okta: &Okta, state: &WorldState, record: &OktaDevice, expand: Expand) -> Value {
    let updated = stale(state, record).map_or(record.last_updated, |row| row.last_updated);
    let mut body = device_json(okta, record, &time(updated));
    if matches!(expand, Expand::Nothing) {
        return body;
    }
    let users: Vec<Value> = record
        .links
        .iter()
        .filter_map(|link| {
            let person = state.people.get(&link.user)?;
            let user = match expand {
                Expand::User => full_user(okta, person),
                _ => summary(okta, person),
            };
            Some(json!({
                "managementStatus": management(shown_managed(state, record, link)),
                "created": time(link.created),
                "screenLockType": link.screen_lock,
                "user": user,
            }))
        })
        .collect();
    body["_embedded"] = json!({"users": users});
    body
}

/// One device record, without embedded users.
pub(super) fn device_json(okta: &Okta, record: &OktaDevice, last_updated: &str) -> Value {
    let base = okta.url(&format!("/api/v1/devices/{}", record.id));
    let mut profile = Map::new();
    let mut put = |key: &str, value: Option<Value>| {
        if let Some(value) = value {
            profile.insert(key.to_owned(), value);
        }
    };
    let text = |value: &Option<String>| value.clone().map(Value::String);
    put("displayName", Some(json!(record.display_name)));
    put("platform", Some(json!(record.platform.word())));
    put("manufacturer", Some(json!(record.manufacturer)));
    put("model", Some(json!(record.model)));
    put("osVersion", text(&record.os_version));
    put("serialNumber", text(&record.serial));
    put("imei", text(&record.imei));
    put("udid", text(&record.udid));
    put("sid", text(&record.sid));
    put("tpmPublicKeyHash", text(&record.tpm_public_key_hash));
    put("registered", Some(json!(record.registered)));
    put("secureHardwarePresent", Some(json!(record.secure_hardware)));
    put("diskEncryptionType", Some(json!(record.disk_encryption)));
    json!({
        "id": &*record.id,
        "status": record.status.word(),
        "created": time(record.created),
        "lastUpdated": last_updated,
        "profile": profile,
        "resourceType": "UDDevice",
        "resourceDisplayName": {"value": record.display_name, "sensitive": false},
        "resourceAlternateId": null,
        "resourceId": &*record.id,
        "_links": links(record.status, &base),
    })
}

fn links(status: DeviceStatus, base: &str) -> Value {
    let mut links = Map::new();
    let mut put = |name: &str, path: &str, allow: &[&str]| {
        let href = format!("{base}{path}");
        links.insert(
            name.to_owned(),
            json!({"href": href, "hints": {"allow": allow}}),
        );
    };
    let changes: &[&str] = match status {
        DeviceStatus::Created => &["activate"],
        DeviceStatus::Active => &["suspend", "deactivate"],
        DeviceStatus::Suspended => &["unsuspend", "deactivate"],
        DeviceStatus::Deactivated => &["activate"],
    };
    for change in changes {
        put(change, &format!("/lifecycle/{change}"), &["POST"]);
    }
    if status == DeviceStatus::Deactivated {
        put("self", "", &["GET", "DELETE"]);
    } else {
        put("self", "", &["GET", "PATCH", "PUT"]);
        put("users", "/users", &["GET"]);
    }
    Value::Object(links)
}

fn parse_search(text: &str) -> Result<Filter, OktaError> {
    let invalid = || OktaError::new(400, "E0000031", format!("Invalid search criteria: {text}"));
    let filter = Filter::parse(text).ok_or_else(invalid)?;
    for (field, operator) in filter.comparisons() {
        let known = field.starts_with("profile.")
            || matches!(field, "id" | "status" | "lastUpdated" | "managementStatus");
        let contains = operator != Operator::Co || CONTAINS.contains(&field);
        if !known || !contains {
            return Err(invalid());
        }
    }
    Ok(filter)
}

/// The index answers with what it holds, which may be older than the record.
fn found(search: &Filter, state: &WorldState, record: &OktaDevice) -> bool {
    search.matches(&|field| {
        let text = |value: &Option<String>| value.clone().into_iter().collect();
        match field {
            "id" => vec![record.id.to_string()],
            "status" => vec![record.status.word().to_owned()],
            "lastUpdated" => {
                let row = stale(state, record);
                vec![time(
                    row.map_or(record.last_updated, |row| row.last_updated),
                )]
            }
            // Undocumented; what the Admin Console sends.
            "managementStatus" => record
                .links
                .iter()
                .map(|link| match shown_managed(state, record, link) {
                    true => "MAN".to_owned(),
                    false => "UNMAN".to_owned(),
                })
                .collect(),
            "profile.displayName" => vec![record.display_name.clone()],
            "profile.platform" => vec![record.platform.word().to_owned()],
            "profile.manufacturer" => vec![record.manufacturer.clone()],
            "profile.model" => vec![record.model.clone()],
            "profile.osVersion" => text(&record.os_version),
            "profile.serialNumber" => text(&record.serial),
            "profile.udid" => text(&record.udid),
            "profile.sid" => text(&record.sid),
            "profile.imei" => text(&record.imei),
            "profile.registered" => vec![record.registered.to_string()],
            "profile.secureHardwarePresent" => vec![record.secure_hardware.to_string()],
            "profile.diskEncryptionType" => vec![record.disk_encryption.to_owned()],
            _ => Vec::new(),
        }
    })
}
