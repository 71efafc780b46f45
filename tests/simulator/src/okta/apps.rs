//! Apps: who is assigned, and which access policy decides about them.

use axum::Json;
use axum::extract::{Extension, Path, RawQuery, State};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use serde_json::{Value, json};

use super::Okta;
use super::error::{Answer, OktaError};
use super::page::{Query, link, time};
use crate::ledger::RequestId;
use crate::world::{Actor, App, State as WorldState, Target};

pub(super) async fn list(State(okta): State<Okta>, RawQuery(raw): RawQuery) -> Answer {
    let query = Query::parse(raw.as_deref());
    let limit = query.limit(1, 20, 200)?;
    let keyword = query.get("q").map(str::to_lowercase);
    let after = query.after()?;
    let (rows, next) = okta.app.world.with(|state| {
        let mut apps = state
            .apps
            .values()
            .filter(|app| after.as_deref().is_none_or(|after| &*app.id > after))
            .filter(|app| {
                let label = app.label.to_lowercase();
                keyword
                    .as_ref()
                    .is_none_or(|keyword| label.starts_with(keyword))
            });
        let page: Vec<&App> = apps.by_ref().take(limit).collect();
        let more = apps.next().is_some();
        let next = page.last().filter(|_| more).map(|app| app.id.to_string());
        let rows: Vec<Value> = page.iter().map(|app| app_json(&okta, app)).collect();
        (rows, next)
    });
    let mut response = Json(rows).into_response();
    let address = okta.url("/api/v1/apps");
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
        let app = known(state, &id)?;
        Ok(Json(app_json(&okta, app)).into_response())
    })
}

pub(super) async fn groups(State(okta): State<Okta>, Path(id): Path<String>) -> Answer {
    okta.app.world.with(|state| {
        let app = known(state, &id)?;
        let groups: Vec<Value> = app
            .groups
            .iter()
            .enumerate()
            .map(|(priority, group)| {
                json!({"id": &**group, "priority": priority, "lastUpdated": time(app.created),
                    "profile": {}})
            })
            .collect();
        Ok(Json(groups).into_response())
    })
}

/// Everybody who is assigned through a group.
pub(super) async fn users(
    State(okta): State<Okta>,
    Path(id): Path<String>,
    RawQuery(raw): RawQuery,
) -> Answer {
    let query = Query::parse(raw.as_deref());
    let limit = query.limit(1, 50, 500)?;
    let after = query.after()?;
    let (rows, next) = okta.app.world.with(|state| {
        let app = known(state, &id)?;
        let members: std::collections::BTreeSet<_> = app
            .groups
            .iter()
            .filter_map(|group| state.okta_groups.get(group))
            .flat_map(|group| &group.members)
            .filter(|member| after.as_deref().is_none_or(|after| &***member > after))
            .collect();
        let next = members.iter().nth(limit).map(|_| ());
        let rows: Vec<Value> = members
            .iter()
            .take(limit)
            .filter_map(|member| state.people.get(*member))
            .map(|person| {
                json!({"id": &*person.id, "status": "ACTIVE", "scope": "GROUP",
                    "created": time(person.created), "lastUpdated": time(person.created),
                    "credentials": {"userName": person.login}, "profile": {}})
            })
            .collect();
        let last = members.iter().take(limit).next_back();
        let next = next.and(last).map(|last| last.to_string());
        Ok::<_, OktaError>((rows, next))
    })?;
    let mut response = Json(rows).into_response();
    let address = okta.url(&format!("/api/v1/apps/{id}/users"));
    link(
        response.headers_mut(),
        &address,
        &query,
        next.as_deref(),
        &[],
    );
    Ok(response)
}

pub(super) async fn assign_policy(
    State(okta): State<Okta>,
    Path((id, policy)): Path<(String, String)>,
    Extension(request): Extension<RequestId>,
) -> Answer {
    okta.app.world.on_behalf_of(request, |state| {
        let before = known(state, &id)?.policy.clone();
        let policy = state
            .policies
            .get(policy.as_str())
            .filter(|policy| policy.kind == "ACCESS_POLICY")
            .ok_or_else(|| OktaError::not_found(&policy, "Policy"))?
            .id
            .clone();
        if let Some(app) = state.apps.get_mut(id.as_str()) {
            app.policy = policy.clone();
        }
        let targets = vec![Target::App(id.as_str().into())];
        let event = state.event("application.policy.sign_on.update", Actor::Admin, targets);
        state.log(event);
        state.effect("okta.app.policy", &id, &*before, &*policy);
        Ok(StatusCode::NO_CONTENT.into_response())
    })
}

fn known<'a>(state: &'a WorldState, id: &str) -> Result<&'a App, OktaError> {
    state
        .apps
        .get(id)
        .ok_or_else(|| OktaError::not_found(id, "AppInstance"))
}

pub(super) fn app_json(okta: &Okta, app: &App) -> Value {
    let sign_on = match app.name {
        "bookmark" => "BOOKMARK",
        "oidc_client" => "OPENID_CONNECT",
        _ => "SAML_2_0",
    };
    let base = okta.url(&format!("/api/v1/apps/{}", app.id));
    json!({
        "id": &*app.id,
        "name": app.name,
        "label": app.label,
        "status": "ACTIVE",
        "created": time(app.created),
        "lastUpdated": time(app.created),
        "signOnMode": sign_on,
        "accessibility": {"selfService": false, "errorRedirectUrl": null, "loginRedirectUrl": null},
        "visibility": {"autoSubmitToolbar": false, "hide": {"iOS": false, "web": false}},
        "_links": {
            "self": {"href": base},
            "accessPolicy": {"href": okta.url(&format!("/api/v1/policies/{}", app.policy))},
            "users": {"href": format!("{base}/users")},
            "groups": {"href": format!("{base}/groups")},
            "appLinks": [{"name": "login", "type": "text/html",
                "href": okta.url(&format!("/home/{}/{}/default", app.name, app.id))}],
        },
    })
}
