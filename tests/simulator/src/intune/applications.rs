//! App registrations with the ends of their secrets: the caller's own, and the one through which Okta
//! asks Intune whether a challenge is genuine. A secret's text is never shown again.

use axum::extract::{Path, Query as QueryOf, State as FromState};
use axum::http::Uri;
use chrono::{DateTime, Duration, Utc};
use serde_json::{Value, json};

use super::answer::{Answer, Refusal, ok};
use super::query::{Options, Query};
use super::{Api, Version};
use crate::scalar::{Scalar, rfc3339};
use crate::world::{Challenge, Mdm, State};

const READ: [&str; 1] = ["Application.Read.All"];
const PAGE: usize = 100;
/// A secret lives for a year.
const SECRET_LIFE: Duration = Duration::days(365);

/// One app registration.
struct Application {
    id: String,
    app: String,
    name: &'static str,
    secret_ends: Option<DateTime<Utc>>,
}

/// `GET /applications`.
pub(super) async fn list(
    version: Version,
    FromState(api): FromState<Api>,
    QueryOf(query): QueryOf<Query>,
    uri: Uri,
) -> Answer {
    let options = Options::parse(&query)?;
    options.allow_filter(&["id", "appId", "displayName"])?;
    let base = api.base(version);
    let body = api.app.world.with(|state| {
        Api::require_directory(state, &READ)?;
        let rows = api
            .applications(state)
            .into_iter()
            .filter(|found| {
                let field = |name: &str| match name {
                    "id" => found.id.as_str().into(),
                    "appId" => found.app.as_str().into(),
                    "displayName" => found.name.into(),
                    _ => Scalar::Absent,
                };
                options.admits("microsoft.graph.application", &field)
            })
            .filter(|found| {
                options
                    .after()
                    .is_none_or(|after| found.id.as_str() > after)
            })
            .map(|found| (found.id.clone(), row(&found)));
        Ok::<_, Refusal>(options.page(&uri, &base, PAGE, rows))
    })?;
    ok(&body)
}

/// `GET /applications/{id}`, by object id.
pub(super) async fn by_id(
    FromState(api): FromState<Api>,
    Path(id): Path<String>,
    query: QueryOf<Query>,
) -> Answer {
    one(&api, &query, &id, |found| found.id == id)
}

/// `GET /applications(appId='…')`.
pub(super) async fn by_app_id(
    FromState(api): FromState<Api>,
    Path(id): Path<String>,
    query: QueryOf<Query>,
) -> Answer {
    one(&api, &query, &id, |found| found.app == id)
}

fn one(api: &Api, query: &Query, id: &str, wanted: impl Fn(&Application) -> bool) -> Answer {
    let options = Options::parse(query)?;
    let row = api.app.world.with(|state| {
        Api::require_directory(state, &READ)?;
        let mut found = api.applications(state).into_iter();
        let found = found.find(wanted);
        Ok::<_, Refusal>(row(&found.ok_or_else(|| Refusal::directory_missing(id))?))
    })?;
    ok(&options.project(row))
}

impl Api {
    /// Every app registration, by object id.
    fn applications(&self, state: &State) -> Vec<Application> {
        let intune = &state.mdm.intune;
        let application = |app: &str, name, secret_ends| Application {
            // The object id differs from the app id.
            id: format!("0b1ec7{}", app.get(6..).unwrap_or_default()),
            app: app.to_owned(),
            name,
            secret_ends,
        };
        let own = &self.app.connection.intune.client_id;
        let mut found = vec![application(own, "Device repair", intune.secret_expires)];
        if let Challenge::Delegated { app } = &state.org.pki.configuration_of(Mdm::Intune).challenge
        {
            let ends = intune.challenge_secret_expires;
            found.push(application(app, "Okta SCEP challenge", ends));
        }
        found.sort_by(|one, other| one.id.cmp(&other.id));
        found
    }
}

fn row(found: &Application) -> Value {
    let secret = found.secret_ends.map(|ends| {
        json!({
            "keyId": format!("5ec2e7{}", found.id.get(6..).unwrap_or_default()),
            "displayName": "secret", "hint": "Abc", "secretText": null,
            "startDateTime": rfc3339(ends - SECRET_LIFE), "endDateTime": rfc3339(ends),
        })
    });
    let secrets: Vec<Value> = secret.into_iter().collect();
    json!({
        "id": found.id, "appId": found.app, "displayName": found.name,
        "signInAudience": "AzureADMyOrg", "keyCredentials": [], "passwordCredentials": secrets,
    })
}
