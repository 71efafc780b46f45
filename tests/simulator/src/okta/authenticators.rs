//! Authenticators: is Okta Verify on, and FastPass with it?

use axum::Json;
use axum::extract::{Path, State};
use axum::response::IntoResponse;
use serde_json::{Value, json};

use super::Okta;
use super::error::{Answer, OktaError};
use super::page::time;
use super::policies::word;
use crate::world::OktaVerify;

pub(super) async fn list(State(okta): State<Okta>) -> Answer {
    okta.app.world.with(|state| {
        let verify = &state.okta_verify;
        let password = json!({
            "type": "password", "id": format!("aut{}", &state.org.id[3..]), "key": "okta_password",
            "status": "ACTIVE", "name": "Password",
            "created": time(verify.created), "lastUpdated": time(verify.created),
        });
        Ok(Json(json!([authenticator(&okta, verify), password])).into_response())
    })
}

pub(super) async fn read(State(okta): State<Okta>, Path(id): Path<String>) -> Answer {
    okta.app.world.with(|state| {
        let verify = known(&state.okta_verify, &id)?;
        Ok(Json(authenticator(&okta, verify)).into_response())
    })
}

pub(super) async fn methods(State(okta): State<Okta>, Path(id): Path<String>) -> Answer {
    okta.app.world.with(|state| {
        let verify = known(&state.okta_verify, &id)?;
        Ok(Json(all_methods(verify)).into_response())
    })
}

pub(super) async fn method(
    State(okta): State<Okta>,
    Path((id, method)): Path<(String, String)>,
) -> Answer {
    okta.app.world.with(|state| {
        let verify = known(&state.okta_verify, &id)?;
        let found = all_methods(verify)
            .into_iter()
            .find(|candidate| candidate["type"] == method.as_str())
            .ok_or_else(|| OktaError::not_found(&method, "AuthenticatorMethod"))?;
        Ok(Json(found).into_response())
    })
}

fn known<'a>(verify: &'a OktaVerify, id: &str) -> Result<&'a OktaVerify, OktaError> {
    if *verify.id == *id {
        Ok(verify)
    } else {
        Err(OktaError::not_found(id, "Authenticator"))
    }
}

fn authenticator(okta: &Okta, verify: &OktaVerify) -> Value {
    let base = okta.url(&format!("/api/v1/authenticators/{}", verify.id));
    json!({
        "type": "app", "id": &*verify.id, "key": "okta_verify", "status": word(verify.active),
        "name": "Okta Verify",
        "created": time(verify.created), "lastUpdated": time(verify.created),
        "settings": {
            "compliance": {"fips": "OPTIONAL"},
            "channelBinding": {"style": "NUMBER_CHALLENGE", "required": "HIGH_RISK_ONLY"},
            "userVerification": "PREFERRED", "enrollmentSecurityLevel": "HIGH",
            "userVerificationMethods": ["BIOMETRICS"],
        },
        "_links": {
            "self": {"href": base}, "methods": {"href": format!("{base}/methods")},
        },
    })
}

fn all_methods(verify: &OktaVerify) -> Vec<Value> {
    let status = |active| word(verify.active && active);
    let button = if verify.show_button {
        "ALWAYS"
    } else {
        "NEVER"
    };
    let key = if verify.hardware_key_only {
        "HARDWARE"
    } else {
        "ANY"
    };
    vec![
        json!({"type": "totp", "status": status(true),
            "settings": {"timeIntervalInSeconds": 30, "encoding": "BASE32", "algorithm": "HMACSHA1"}}),
        json!({"type": "push", "status": status(true),
            "settings": {"algorithms": ["RS256", "ES256"], "keyProtection": "ANY"}}),
        json!({"type": "signed_nonce", "status": status(verify.fastpass_active),
            "settings": {"algorithms": ["RS256", "ES256"], "keyProtection": key,
                "showSignInWithOV": button}}),
    ]
}
