//! Early Access: the org's certificate authorities and the SCEP configurations below them. Where it is
//! off, the paths do not exist. No secret is ever shown.

use axum::Json;
use axum::extract::{Path, RawQuery, State};
use axum::response::IntoResponse;
use serde_json::{Value, json};

use super::Okta;
use super::error::{Answer, OktaError};
use super::page::{Query, time};
use crate::world::{
    Authority, AuthorityCertificate, Challenge, EarlyAccess, Pki, ScepConfiguration,
    State as WorldState,
};

pub(super) async fn list(State(okta): State<Okta>, RawQuery(raw): RawQuery) -> Answer {
    let query = Query::parse(raw.as_deref());
    let expands = query.get("expand") == Some("certificates");
    okta.app.world.with(|state| {
        let authorities = switched_on(state)?.map_or(&[][..], |pki| &pki.authorities);
        let rows: Vec<Value> = authorities
            .iter()
            .filter(|authority| query.get("type").is_none_or(|kind| kind == word(authority)))
            .filter(|authority| {
                query
                    .get("caType")
                    .is_none_or(|family| family == authority.family.word())
            })
            .map(|authority| authority_json(authority, expands))
            .collect();
        Ok(Json(json!({"data": rows})).into_response())
    })
}

pub(super) async fn read(State(okta): State<Okta>, Path(id): Path<String>) -> Answer {
    okta.app.world.with(|state| {
        let (_, authority) = known(state, &id)?;
        Ok(Json(authority_json(authority, true)).into_response())
    })
}

/// 404 also for an expired certificate and for one of another authority.
pub(super) async fn certificate(
    State(okta): State<Okta>,
    Path((id, ski)): Path<(String, String)>,
) -> Answer {
    okta.app.world.with(|state| {
        let (_, authority) = known(state, &id)?;
        let found = authority
            .certificates
            .iter()
            .find(|certificate| certificate.ski == ski && certificate.not_after > state.now)
            .ok_or_else(|| OktaError::not_found(&ski, "Certificate"))?;
        Ok(Json(certificate_json(authority, found)).into_response())
    })
}

/// The SCEP configurations of one authority.
pub(super) async fn registration_authorities(
    State(okta): State<Okta>,
    Path(id): Path<String>,
) -> Answer {
    okta.app.world.with(|state| {
        let (pki, authority) = known(state, &id)?;
        let rows: Vec<Value> = pki
            .configurations
            .iter()
            .filter(|found| found.authority == authority.instance && !found.deleted)
            .map(|found| configuration_json(state, found))
            .collect();
        Ok(Json(json!({"data": rows})).into_response())
    })
}

/// `None` where the feature is on and shows nothing.
fn switched_on(state: &WorldState) -> Result<Option<&Pki>, OktaError> {
    match state.org.ca_api {
        EarlyAccess::On => Ok(Some(&state.org.pki)),
        EarlyAccess::Empty => Ok(None),
        EarlyAccess::NotFound => {
            let summary = "The requested path was not found: Invalid Path";
            Err(OktaError::new(404, "E0000008", summary))
        }
        EarlyAccess::NotEnabled => {
            let summary = "You do not have permission to access the feature you are requesting";
            Err(OktaError::new(401, "E0000015", summary))
        }
        EarlyAccess::Forbidden => Err(OktaError::forbidden()),
    }
}

fn known<'a>(state: &'a WorldState, id: &str) -> Result<(&'a Pki, &'a Authority), OktaError> {
    let pki = switched_on(state)?;
    pki.and_then(|pki| {
        let mut authorities = pki.authorities.iter();
        Some((pki, authorities.find(|authority| authority.instance == id)?))
    })
    .ok_or_else(|| OktaError::not_found(id, "CertificateAuthority"))
}

fn word(authority: &Authority) -> &'static str {
    if authority.root {
        "ROOT"
    } else {
        "INTERMEDIATE"
    }
}

fn authority_json(authority: &Authority, expands: bool) -> Value {
    let newest = authority.certificates.last();
    let mut row = json!({
        "authorityInstanceId": authority.instance,
        "type": word(authority),
        "caType": authority.family.word(),
        "subject": newest.map(|certificate| certificate.subject.text()),
    });
    if expands {
        let certificates = authority.certificates.iter();
        row["certificates"] = certificates
            .map(|certificate| certificate_json(authority, certificate))
            .collect();
    }
    row
}

/// The published fields end with `rotationState`; the names of the rest are UNVERIFIED.
fn certificate_json(authority: &Authority, certificate: &AuthorityCertificate) -> Value {
    json!({
        "ski": certificate.ski,
        "aki": certificate.aki,
        "authorityInstanceId": authority.instance,
        "caType": authority.family.word(),
        "createdDate": time(certificate.created),
        "rotationState": certificate.rotation.word(),
        "subject": certificate.subject.text(),
        "issuer": certificate.issuer.text(),
        "notBefore": time(certificate.not_before),
        "expirationDate": time(certificate.not_after),
    })
}

/// Published are `aki`, `caExpirationDate` and `configInfo`; the names of the rest are UNVERIFIED.
fn configuration_json(state: &WorldState, found: &ScepConfiguration) -> Value {
    let expires = state
        .org
        .pki
        .certificate(&found.aki)
        .map(|certificate| time(certificate.not_after));
    let info = match &found.challenge {
        Challenge::Static => json!({"provider": "GENERIC", "challengeType": "STATIC"}),
        Challenge::Dynamic => json!({"provider": "GENERIC", "challengeType": "DYNAMIC"}),
        Challenge::Delegated { app } => json!({
            "provider": "INTUNE", "aadClientId": app, "intuneCloudType": "GLOBAL",
            "aadAuthority": format!("{}.onmicrosoft.com", state.org.subdomain),
        }),
    };
    json!({
        "id": &*found.id,
        "authorityInstanceId": found.authority,
        "caType": found.family.word(),
        "aki": found.aki,
        "caExpirationDate": expires,
        "createdDate": time(found.created),
        "configInfo": info,
    })
}
