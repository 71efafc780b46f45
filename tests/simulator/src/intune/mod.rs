//! Microsoft's login service and Graph on the wire: Intune's devices, profiles, reports and actions,
//! and the directory's devices and groups.

mod actions;
mod answer;
mod applications;
mod batch;
mod certificates;
mod detected_apps;
mod devices;
mod directory;
mod forbidden;
mod groups;
mod login;
mod odata;
mod profiles;
mod push_certificate;
mod query;
mod report_rows;
mod reports;
mod scripts;
mod status;
mod throttle;
mod zip;

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::Request;
use axum::http::Uri;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::{delete, get, post, put};
use tower::ServiceExt;

use crate::http::AppState;
use answer::Refusal;
use login::Token;

/// What Graph's handlers share.
#[derive(Clone)]
pub(super) struct Api {
    app: AppState,
    tokens: Arc<Mutex<HashMap<String, Token>>>,
}

/// One of the two versions of Graph; beta knows more.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Version {
    V1,
    Beta,
}

impl Version {
    fn path(self) -> &'static str {
        match self {
            Self::V1 => "/v1.0",
            Self::Beta => "/beta",
        }
    }
}

/// Every route of Graph and of the login service, on one port.
pub(crate) fn router(app: AppState) -> Router {
    let api = Api {
        app,
        tokens: Arc::default(),
    };
    let graph = graph(&api);
    let mut whole = Router::new();
    for version in [Version::V1, Version::Beta] {
        let inner = graph.clone();
        let batch = move |state, request, headers, body| {
            batch::run(version, inner.clone(), state, request, headers, body)
        };
        whole = whole.route(&format!("{}/$batch", version.path()), post(batch));
    }
    let whole = whole
        .layer(from_fn_with_state(api.clone(), login::authenticate))
        .layer(from_fn(answer::finish))
        .with_state(api.clone())
        .merge(login_routes(api))
        .fallback_service(graph);
    Router::new().fallback_service(whole.map_request(in_segments))
}

/// Everything that can stand in a batch too.
fn graph(api: &Api) -> Router {
    let mut router = Router::new();
    for version in [Version::V1, Version::Beta] {
        router = router.nest(version.path(), versioned(version));
    }
    router
        .fallback(unknown_route)
        .layer(from_fn_with_state(api.clone(), throttle::limit))
        .layer(from_fn_with_state(api.clone(), login::authenticate))
        .layer(from_fn(answer::finish))
        .with_state(api.clone())
}

fn login_routes(api: Api) -> Router {
    Router::new()
        .route("/{tenant}/oauth2/v2.0/token", post(login::issue))
        .route(
            "/{tenant}/v2.0/.well-known/openid-configuration",
            get(login::openid_configuration),
        )
        .route("/exports/{id}", get(reports::download))
        .with_state(api)
}

fn versioned(version: Version) -> Router<Api> {
    let both = device_routes(version)
        .merge(profile_routes(version))
        .merge(report_routes(version))
        .merge(directory_routes(version))
        .merge(forbidden::routes());
    match version {
        Version::V1 => both,
        Version::Beta => both.merge(beta_routes()),
    }
}

fn device_routes(version: Version) -> Router<Api> {
    let base = "/deviceManagement/managedDevices";
    Router::new()
        .route(
            base,
            get(move |state, query, uri| devices::list(version, state, query, uri)),
        )
        .route(
            &format!("{base}/{{id}}"),
            get(move |state, id, query| devices::by_id(version, state, id, query))
                .delete(forbidden::delete_device),
        )
        .route(&format!("{base}/{{id}}/users"), get(devices::users))
        .route(
            "/deviceManagement/detectedApps",
            get(move |state, query, uri| detected_apps::list(version, state, query, uri)),
        )
        .route(
            "/deviceManagement/detectedApps/{id}/managedDevices",
            get(move |state, id, query, uri| {
                detected_apps::devices(version, state, id, query, uri)
            }),
        )
        .route(
            &format!("{base}/{{id}}/deviceConfigurationStates"),
            get(move |state, id, query| status::of_device(version, state, id, query)),
        )
        .route(&format!("{base}/{{id}}/syncDevice"), post(actions::sync))
        .route(
            &format!("{base}/{{id}}/deviceCategory/$ref"),
            put(actions::set_category),
        )
        .route(
            "/deviceManagement/deviceCategories",
            get(actions::categories),
        )
        .route(
            "/deviceManagement/applePushNotificationCertificate",
            get(push_certificate::read),
        )
}

fn profile_routes(version: Version) -> Router<Api> {
    let base = "/deviceManagement/deviceConfigurations";
    Router::new()
        .route(
            base,
            get(move |state, query, uri| profiles::list(version, state, query, uri)),
        )
        .route(
            &format!("{base}/{{id}}"),
            get(move |state, id, query| profiles::by_id(version, state, id, query))
                .delete(forbidden::delete_profile),
        )
        .route(
            &format!("{base}/{{id}}/assignments"),
            get(move |state, id| profiles::assignments(version, state, id)),
        )
        .route(
            &format!("{base}/{{id}}/deviceStatuses"),
            get(move |state, id, query, uri| {
                status::device_statuses(version, state, id, query, uri)
            }),
        )
        .route(
            &format!("{base}/{{id}}/userStatuses"),
            get(status::user_statuses),
        )
        .route(
            &format!("{base}/{{id}}/deviceStatusOverview"),
            get(status::overview),
        )
}

fn report_routes(version: Version) -> Router<Api> {
    Router::new()
        .route(
            "/deviceManagement/reports/exportJobs",
            post(move |state, body| reports::create(version, state, body)),
        )
        .route(
            "/deviceManagement/reports/exportJobs/{id}",
            get(move |state, id| reports::poll(version, state, id)),
        )
}

fn directory_routes(version: Version) -> Router<Api> {
    Router::new()
        .route(
            "/devices",
            get(move |state, query, uri| directory::devices(version, state, query, uri)),
        )
        .route("/devices/{id}", get(directory::device))
        .route(
            "/devices/by-device-id/{id}",
            get(directory::device_by_device_id),
        )
        .route(
            "/devices/{id}/checkMemberGroups",
            post(directory::check_member_groups),
        )
        .route("/devices/{id}/memberOf", get(directory::member_of))
        .route("/users/{id}", get(directory::user))
        .route(
            "/applications",
            get(move |state, query, uri| applications::list(version, state, query, uri)),
        )
        .route("/applications/{id}", get(applications::by_id))
        .route("/applications/by-app-id/{id}", get(applications::by_app_id))
        .route("/organization", get(directory::organization))
        .route(
            "/groups",
            get(move |state, query, uri| groups::list(version, state, query, uri)),
        )
        .route(
            "/groups/{id}",
            get(groups::by_id).delete(forbidden::delete_group),
        )
        .route(
            "/groups/{id}/members",
            get(move |state, id, query, uri| groups::members(version, state, id, query, uri)),
        )
        .route("/groups/{id}/members/$ref", post(groups::add_member))
        .route(
            "/groups/{id}/members/{member}/$ref",
            delete(groups::remove_member),
        )
        .route(
            "/groups/{id}/members/{member}",
            delete(forbidden::delete_directory_object),
        )
}

fn beta_routes() -> Router<Api> {
    let managed = "/deviceManagement/managedDevices";
    let configurations = "/deviceManagement/deviceConfigurations";
    let scripts = "/deviceManagement/deviceHealthScripts";
    Router::new()
        .route(&format!("{managed}/executeAction"), post(actions::execute))
        .route(
            &format!("{managed}/{{id}}/initiateOnDemandProactiveRemediation"),
            post(scripts::run),
        )
        .route(
            &format!("{managed}/{{id}}/deviceHealthScriptStates"),
            get(scripts::states_of_device),
        )
        .route(scripts, get(scripts::list))
        .route(&format!("{scripts}/{{id}}"), get(scripts::by_id))
        .route(
            &format!("{scripts}/{{id}}/deviceRunStates"),
            get(scripts::run_states),
        )
        .route(
            &format!("{configurations}/getTargetedUsersAndDevices"),
            post(profiles::targeted),
        )
        .route(
            &format!("{configurations}/{{id}}/{{cast}}/managedDeviceCertificateStates"),
            get(|state, path, query, uri| {
                certificates::of_profile(Version::Beta, state, path, query, uri)
            }),
        )
        .route(
            &format!("{configurations}/{{id}}/{{cast}}/identityCertificateForClientAuthentication"),
            get(profiles::identity_certificate),
        )
        .route(
            &format!("{configurations}/{{id}}/{{cast}}/identityCertificate"),
            get(profiles::identity_certificate),
        )
        .route(
            "/deviceManagement/deviceConfigurationsAllManagedDeviceCertificateStates",
            get(|state, query, uri| certificates::all(Version::Beta, state, query, uri)),
        )
        .route(
            "/deviceManagement/managedDevices/{id}/detectedApps",
            get(detected_apps::of_device),
        )
        .route(
            "/deviceManagement/assignmentFilters",
            get(profiles::filters),
        )
        .route(
            "/deviceManagement/assignmentFilters/{id}",
            get(profiles::filter_by_id),
        )
}

async fn unknown_route(uri: Uri) -> Refusal {
    let last = uri.path().rsplit('/').next().unwrap_or_default();
    Refusal::bad_request(format!("Resource not found for the segment '{last}'."))
}

/// Writes `OData` keys as path segments, which the router understands: `exportJobs('x')` becomes
/// `exportJobs/x`, and the alternate key `devices(deviceId='x')` becomes `devices/by-device-id/x`;
/// likewise `applications(appId='x')`.
fn in_segments(mut request: Request) -> Request {
    let uri = request.uri();
    let decoded = uri
        .path()
        .replace("%24", "$")
        .replace("%27", "'")
        .replace("%28", "(")
        .replace("%29", ")");
    if !decoded.contains("='") && !decoded.contains("('") && decoded == uri.path() {
        return request;
    }
    let path = decoded
        .replace("(deviceId='", "/by-device-id/")
        .replace("(appId='", "/by-app-id/")
        .replace("('", "/")
        .replace("')", "");
    let whole = match uri.query() {
        Some(query) => format!("{path}?{query}"),
        None => path,
    };
    if let Ok(uri) = whole.parse() {
        *request.uri_mut() = uri;
    }
    request
}
