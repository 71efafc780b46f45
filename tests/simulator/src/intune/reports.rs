//! Export jobs: created, polled, and downloaded as a ZIP with one CSV from an address that needs no
//! token and accepts none. The rows are those of the moment the job was created.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Query as QueryOf, State as FromState};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use chrono::Duration;
use serde::Deserialize;
use serde_json::{Value, json};

use super::answer::{Answer, Refusal, json_answer, ok};
use super::query::Query;
use super::report_rows::{Report, render};
use super::zip::archive;
use super::{Api, Version};
use crate::scalar::rfc3339;
use crate::world::ExportJob;

const WRITE: [&str; 2] = [
    "DeviceManagementConfiguration.ReadWrite.All",
    "DeviceManagementManagedDevices.ReadWrite.All",
];
const READ: [&str; 4] = [
    "DeviceManagementConfiguration.Read.All",
    "DeviceManagementManagedDevices.Read.All",
    WRITE[0],
    WRITE[1],
];

/// How many finished jobs stay in memory.
const KEPT: usize = 24;

/// `POST …/reports/exportJobs`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct JobBody {
    report_name: String,
    #[serde(default)]
    select: Option<Vec<String>>,
    #[serde(default)]
    filter: Option<String>,
    #[serde(default)]
    format: Option<String>,
    #[serde(default)]
    localization_type: Option<String>,
}

/// Creates a job; a write permission only to read.
pub(super) async fn create(
    version: Version,
    FromState(api): FromState<Api>,
    Json(body): Json<JobBody>,
) -> Answer {
    let format = body.format.unwrap_or_else(|| "csv".to_owned());
    if !format.eq_ignore_ascii_case("csv") {
        return Err(Refusal::bad_request("Only csv is exported here."));
    }
    let localization = body
        .localization_type
        .unwrap_or_else(|| "localizedValuesAsAdditionalColumn".to_owned());
    let adds_columns = localization.eq_ignore_ascii_case("LocalizedValuesAsAdditionalColumn");
    let report = Report::named(&body.report_name)?;
    let select = body.select.unwrap_or_default();
    let row = api.app.world.with(|state| {
        Api::require(state, &WRITE)?;
        let id = format!("{}_{}", body.report_name, state.ids.guid());
        let signature = state.ids.secret(43);
        let csv = render(state, report, &select, body.filter.as_deref(), adds_columns)?;
        let job = ExportJob {
            id: id.clone(),
            report: body.report_name,
            select,
            filter: body.filter,
            format,
            localization,
            requested: state.now,
            polls: 0,
            url_comes_late: state.mdm.intune.empty_urls > 0,
            signature,
            archive: Arc::new(archive(&format!("{id}.csv"), csv.as_bytes())),
        };
        let service = &mut state.mdm.intune;
        service.empty_urls = service.empty_urls.saturating_sub(1);
        while service.jobs.len() >= KEPT {
            let oldest = service.jobs.values().min_by_key(|job| job.requested);
            let oldest = oldest.map(|job| job.id.clone()).unwrap_or_default();
            service.jobs.remove(&oldest);
        }
        let row = job_row(&api, version, &job, "notStarted", None);
        service.jobs.insert(id, job);
        Ok::<_, Refusal>(row)
    })?;
    Ok(json_answer(StatusCode::CREATED, &row))
}

/// `GET …/reports/exportJobs/{id}`: in progress at first; `completed` may come without an address.
pub(super) async fn poll(
    version: Version,
    FromState(api): FromState<Api>,
    Path(id): Path<String>,
) -> Answer {
    let row = api.app.world.with(|state| {
        Api::require(state, &READ)?;
        let job = state.mdm.intune.jobs.get_mut(&id);
        let job = job.ok_or_else(|| Refusal::intune_missing(&id))?;
        job.polls += 1;
        let (status, has_url) = match (job.polls, job.url_comes_late) {
            (1, _) => ("inProgress", false),
            (2, true) => ("completed", false),
            _ => ("completed", true),
        };
        let address = has_url.then(|| {
            format!(
                "{}/exports/{}.zip?sv=2024-11-04&sr=b&sp=r&sig={}",
                api.app.connection.intune.graph_url, job.id, job.signature
            )
        });
        Ok::<_, Refusal>(job_row(&api, version, job, status, address))
    })?;
    ok(&row)
}

fn job_row(
    api: &Api,
    version: Version,
    job: &ExportJob,
    status: &str,
    address: Option<String>,
) -> Value {
    let expires = match &address {
        Some(_) => rfc3339(job.requested + Duration::hours(6)),
        None => "0001-01-01T00:00:00Z".to_owned(),
    };
    json!({
        "@odata.context": format!("{}/$metadata#deviceManagement/reports/exportJobs/$entity",
            api.base(version)),
        "id": job.id, "reportName": job.report, "filter": job.filter, "select": job.select,
        "format": job.format, "snapshotId": null, "localizationType": job.localization,
        "search": null, "status": status, "url": address, "requestDateTime": rfc3339(job.requested),
        "expirationDateTime": expires,
    })
}

/// The download. A bearer token beside the signature is refused, as the blob store does.
pub(super) async fn download(
    FromState(api): FromState<Api>,
    Path(file): Path<String>,
    QueryOf(query): QueryOf<Query>,
    headers: HeaderMap,
) -> Response {
    if headers.contains_key(AUTHORIZATION) {
        return blob_error(StatusCode::FORBIDDEN, "AuthenticationFailed");
    }
    let signed = query.iter().find(|(name, _)| name == "sig");
    let id = file.trim_end_matches(".zip");
    let found = api.app.world.with(|state| {
        let job = state.mdm.intune.jobs.get(id)?;
        let alive = state.now < job.requested + Duration::hours(6);
        let known = signed.is_some_and(|(_, signature)| *signature == job.signature);
        (alive && known).then(|| job.archive.clone())
    });
    match found {
        Some(archive) => {
            let headers = [(CONTENT_TYPE, "application/octet-stream")];
            (headers, archive.as_ref().clone()).into_response()
        }
        None => blob_error(StatusCode::FORBIDDEN, "AuthenticationFailed"),
    }
}

fn blob_error(status: StatusCode, code: &str) -> Response {
    let body = format!("<?xml version=\"1.0\"?><Error><Code>{code}</Code></Error>");
    (status, [(CONTENT_TYPE, "application/xml")], body).into_response()
}
