//! Jamf Pro on the wire: the Pro API below `/api` and the Classic API below `/JSSResource`, as far as
//! a fleet repair bot or the vendor's own clients use them.

mod answer;
mod classic;
mod commands;
mod forbidden;
mod groups;
mod history;
mod inventory;
mod list;
mod notifications;
mod payload;
mod push;
mod rsql;
mod token;
mod xml;

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::http::Uri;
use axum::middleware::from_fn_with_state;
use axum::routing::{delete, get, post};

use crate::http::AppState;
use answer::Refusal;
use token::Token;

/// What Jamf's handlers share.
#[derive(Clone)]
pub(super) struct Api {
    app: AppState,
    tokens: Arc<Mutex<HashMap<String, Token>>>,
}

/// Every route of Jamf Pro.
pub(crate) fn router(app: AppState) -> Router {
    let api = Api {
        app,
        tokens: Arc::default(),
    };
    Router::new()
        .merge(token_routes())
        .merge(inventory_routes())
        .merge(group_routes())
        .merge(command_routes())
        .merge(classic_routes())
        .merge(forbidden::routes())
        .fallback(unknown_route)
        .layer(from_fn_with_state(api.clone(), token::authenticate))
        .with_state(api)
}

fn token_routes() -> Router<Api> {
    Router::new()
        .route("/api/v1/oauth/token", post(token::issue))
        .route("/api/oauth/token", post(token::issue))
        .route("/api/v1/auth", get(token::account))
        .route("/api/v1/jamf-pro-version", get(token::version))
        .route("/api/v1/api-role-privileges", get(token::privileges))
        .route("/api/v1/notifications", get(notifications::list))
}

fn inventory_routes() -> Router<Api> {
    let mut router = Router::new();
    for version in 1..=4 {
        let base = format!("/api/v{version}/computers-inventory");
        router = router
            .route(
                &base,
                get(move |state, query, headers| inventory::list(version, state, query, headers)),
            )
            .route(
                &format!("{base}/{{id}}"),
                get(move |state, id, query, headers| {
                    inventory::by_id(version, state, id, query, headers)
                })
                .delete(forbidden::delete_computer),
            )
            .route(
                &format!("{base}-detail/{{id}}"),
                get(move |state, id, headers| inventory::detail(version, state, id, headers)),
            );
    }
    router
}

fn group_routes() -> Router<Api> {
    let mut router = Router::new()
        .route("/api/v1/computer-groups", get(groups::all))
        .route(
            "/api/v3/computer-groups/smart-group-membership/{id}",
            get(groups::smart_members),
        )
        .route(
            "/api/v2/computer-groups/smart-group-membership/{id}",
            get(groups::smart_members),
        );
    for version in ["v2", "v3"] {
        let base = format!("/api/{version}/computer-groups/static-groups");
        router = router
            .route(&base, get(groups::static_groups).post(groups::create))
            .route(
                &format!("{base}/{{id}}"),
                get(groups::static_group)
                    .put(groups::replace)
                    .delete(forbidden::delete_group),
            );
    }
    router
}

fn command_routes() -> Router<Api> {
    Router::new()
        .route(
            "/api/v2/mdm/commands",
            get(commands::list).post(commands::send),
        )
        .route("/api/v2/mdm/blank-push", post(push::blank_push))
        .route("/api/v1/apns-client-push-status", get(push::disabled))
        .route(
            "/api/v1/apns-client-push-status/enable-client",
            post(push::enable),
        )
        .route("/api/v1/mdm/renew-profile", post(push::renew_profile))
        .route("/api/v1/ddm/{id}/sync", post(push::sync_declarations))
        .route(
            "/api/v1/jamf-management-framework/redeploy/{id}",
            post(push::redeploy_agent),
        )
        .route(
            "/api/v1/device-communication-settings",
            get(push::communication_settings),
        )
}

fn classic_routes() -> Router<Api> {
    let mut router = Router::new()
        .route(
            "/JSSResource/osxconfigurationprofiles",
            get(classic::profiles),
        )
        .route(
            "/JSSResource/osxconfigurationprofiles/id/{id}",
            get(classic::profile).delete(forbidden::delete_profile),
        )
        .route(
            "/JSSResource/osxconfigurationprofiles/id/{id}/subset/{subset}",
            get(classic::profile_subset),
        )
        .route(
            "/JSSResource/osxconfigurationprofiles/name/{name}",
            get(classic::profile_by_name),
        )
        .route("/JSSResource/computergroups", get(classic::computer_groups))
        .route(
            "/JSSResource/computergroups/id/{id}",
            get(classic::computer_group)
                .put(classic::change_group)
                .delete(forbidden::delete_group),
        )
        .route(
            "/JSSResource/computergroups/name/{name}",
            get(classic::computer_group_by_name),
        )
        .route(
            "/JSSResource/computers/id/{id}",
            delete(forbidden::delete_computer),
        )
        .route(
            "/JSSResource/commandflush/{kind}/id/{ids}/status/{status}",
            delete(history::flush),
        )
        .route("/JSSResource/commandflush", delete(history::flush_by_body))
        .route(
            "/JSSResource/computercommands/status/{uuid}",
            get(history::command_status),
        )
        .route(
            "/JSSResource/computermanagement/id/{id}",
            get(history::management),
        )
        .route(
            "/JSSResource/computermanagement/id/{id}/subset/{subset}",
            get(history::management_subset),
        )
        .route(
            "/JSSResource/computermanagement/id/{id}/username/{user}",
            get(history::management_of_user),
        );
    for key in ["id", "serialnumber", "udid"] {
        let base = format!("/JSSResource/computerhistory/{key}/{{value}}");
        router = router
            .route(
                &base,
                get(move |state, value, headers| history::commands(key, state, value, headers)),
            )
            .route(
                &format!("{base}/subset/{{subset}}"),
                get(move |state, path, headers| history::subset(key, state, path, headers)),
            );
    }
    router
}

async fn unknown_route(uri: Uri) -> Refusal {
    Refusal::not_found(uri.path())
}
