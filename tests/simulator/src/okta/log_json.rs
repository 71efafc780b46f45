//! Words a stored event the way the System Log does.

use serde_json::{Value, json};

use super::log_change;
use super::page::time;
use crate::world::{Actor, Id, LogEvent, Method, OktaDevice, State, Target};

/// The message of each event type.
fn message(kind: &str) -> &'static str {
    match kind {
        "user.authentication.auth_via_mfa" => "Authentication of user via MFA",
        "user.authentication.sso" => "User single sign on to app",
        "policy.evaluate_sign_on" => "Evaluation of sign-on policy",
        "pki.cert.issue" => "Issue a certificate",
        "pki.cert.bind" => "Bind a certificate to a device",
        "pki.cert.lifecycle.revoke" => "Revoke a certificate",
        "pki.cert.lifecycle.suspend" => "Suspend a certificate",
        "pki.cert.lifecycle.delete" => "Delete a certificate",
        "device.enrollment.create" => "Enroll new device",
        "device.user.add" => "Add user to device",
        "device.lifecycle.activate" => "Activate device",
        "device.lifecycle.deactivate" => "Deactivate device",
        "device.lifecycle.suspend" => "Suspend device",
        "device.lifecycle.unsuspend" => "Unsuspend device",
        "device.lifecycle.delete" => "Delete device",
        "user.device_session.start" => "Start a session of a device",
        "group.user_membership.add" => "Add user to group membership",
        "group.user_membership.remove" => "Remove user from group membership",
        other => log_change::message(other),
    }
}

pub(super) fn event_json(state: &State, event: &LogEvent) -> Value {
    let targets: Vec<Value> = event
        .targets
        .iter()
        .map(|target| target_json(state, event, target))
        .collect();
    let session = event
        .session
        .map(|session| format!("idx{session:08x}session"));
    let mut debug = log_change::debug(event);
    if let Some(factor) = event.factor {
        debug.insert("factor".to_owned(), json!(factor));
        debug.insert("factorIntent".to_owned(), json!("AUTHENTICATION"));
    }
    if let Some(session) = event.session {
        debug.insert(
            "authnRequestId".to_owned(),
            json!(format!("{session:08x}request")),
        );
    }
    json!({
        "uuid": event.uuid.to_string(),
        "published": time(event.published),
        "eventType": event.kind,
        "version": "0",
        "severity": if event.outcome == "FAILURE" { "WARN" } else { "INFO" },
        "displayMessage": message(event.kind),
        "legacyEventType": null,
        "actor": actor_json(state, &event.actor),
        "client": {
            "userAgent": {"rawUserAgent": event.client.user_agent(),
                "os": event.client.system(), "browser": event.client.browser.word()},
            "zone": "null", "device": "Computer", "id": null,
            "ipAddress": event.client.network.address(),
            "geographicalContext": null,
        },
        "device": device_json(state, event),
        "authenticationContext": authentication_context(event, session),
        "outcome": {"result": event.outcome, "reason": event.reason},
        "target": targets,
        "transaction": transaction(event),
        "debugContext": {"debugData": debug},
        "request": {"ipChain": []},
        "securityContext": {},
    })
}

/// `deviceSessionId` is there only with Device-Bound SSO.
fn authentication_context(event: &LogEvent, session: Option<String>) -> Value {
    let mut context = json!({
        "authenticationProvider": null, "credentialProvider": null, "credentialType": null,
        "issuer": null, "interface": null, "authenticationStep": 0,
        "rootSessionId": session, "externalSessionId": session,
    });
    if let Some(id) = &event.device_session {
        context["deviceSessionId"] = json!(**id);
    }
    context
}

fn transaction(event: &LogEvent) -> Value {
    let detail = match event.actor {
        Actor::Token(id) => json!({"requestApiTokenId": id}),
        Actor::User(_) | Actor::Admin | Actor::System => json!({}),
    };
    json!({"type": "WEB", "id": format!("trx{}", event.uuid.simple()), "detail": detail})
}

fn actor_json(state: &State, actor: &Actor) -> Value {
    match actor {
        Actor::User(id) => user_json(state, id),
        Actor::Admin => {
            json!({"id": ADMIN_ID, "type": "User", "alternateId": "it-admin@acme.example",
            "displayName": "IT Admin", "detailEntry": null})
        }
        Actor::Token(_) => {
            json!({"id": CLEANER_ID, "type": "User", "alternateId": "clean-up@acme.example",
            "displayName": "Clean-up job", "detailEntry": null})
        }
        Actor::System => json!({"id": "SYSTEM", "type": "SystemPrincipal",
            "alternateId": "system@okta.com", "displayName": "Okta System", "detailEntry": null}),
    }
}

pub(super) const ADMIN_ID: &str = "00u0itadmin0acme0000";
/// The service account whose API token a clean-up job has.
pub(super) const CLEANER_ID: &str = "00u0cleaner0acme0000";

fn user_json(state: &State, id: &Id) -> Value {
    let person = state.people.get(id);
    json!({
        "id": &**id, "type": "User",
        "alternateId": person.map(|person| &person.email),
        "displayName": person.map(|person| person.name()),
        "detailEntry": null,
    })
}

/// A record, also one that was deleted.
fn record<'a>(state: &'a State, id: &Id) -> Option<&'a OktaDevice> {
    state
        .devices
        .get(id)
        .or_else(|| state.deleted_devices.get(id))
}

fn device_json(state: &State, event: &LogEvent) -> Value {
    let Some(seen) = &event.device else {
        return Value::Null;
    };
    let record = record(state, &seen.id);
    json!({
        "id": &*seen.id,
        "name": record.map(|record| &record.display_name),
        "os_platform": record.map(|record| record.platform.log_word()),
        "os_version": record.and_then(|record| record.os_version.as_ref()),
        "managed": seen.managed,
        "registered": seen.registered,
        "device_integrator": null,
        "disk_encryption_type": record.map(|record| record.disk_encryption),
        "screen_lock_type": "BIOMETRIC",
        "jailbreak": null,
        "secure_hardware_present": record.map(|record| record.secure_hardware),
    })
}

fn target_json(state: &State, event: &LogEvent, target: &Target) -> Value {
    match target {
        Target::User(id) => user_json(state, id),
        Target::Device(id) => device_target(state, event, id),
        Target::App(id) => {
            let app = state.apps.get(id);
            json!({
                "id": &**id, "type": "AppInstance",
                "alternateId": app.map(|app| &app.label),
                "displayName": app.map(|app| &app.label),
                "detailEntry": {"signOnModeType": "SAML_2_0",
                    "signOnModeEvaluationResult": "AUTHENTICATED"},
            })
        }
        Target::Rule(id) => rule_target(state, id),
        Target::Group(id) => {
            let name = state.okta_groups.get(id).map(|group| &group.name);
            json!({"id": &**id, "type": "UserGroup", "alternateId": "unknown",
                "displayName": name, "detailEntry": null})
        }
        Target::Enrolment { id, used } => {
            let (method, proved) = match used {
                Method::FastPass => (
                    "Use Okta FastPass",
                    "[DEVICE_BOUND, PHISHING_RESISTANT, HARDWARE_PROTECTED]",
                ),
                Method::FastPassByLink => {
                    ("Use Okta FastPass", "[DEVICE_BOUND, HARDWARE_PROTECTED]")
                }
                Method::Push => ("Get a push notification", "[DEVICE_BOUND]"),
            };
            json!({"id": &**id, "type": "AuthenticatorEnrollment", "alternateId": null,
                "displayName": "Okta Verify", "detailEntry": {"methodTypeUsed": method,
                    "methodUsedVerifiedProperties": proved}})
        }
        Target::Certificate(serial) => certificate_target(state, serial),
        Target::Change(changed) => log_change::target(state, changed),
    }
}

fn device_target(state: &State, event: &LogEvent, id: &Id) -> Value {
    let record = record(state, id);
    let detail = record
        .filter(|_| event.kind.starts_with("device."))
        .map(|record| {
            json!({
                "oktaDeviceId": &**id,
                "deviceName": record.display_name,
                "deviceStatus": record.status.word(),
                "serialNumber": record.serial,
                "udid": record.udid,
                "osPlatform": record.platform.log_word(),
                "osVersion": record.os_version,
                "tpmPresent": record.tpm_public_key_hash.is_some(),
            })
        });
    json!({
        "id": &**id, "type": "UDDevice",
        "alternateId": null,
        "displayName": record.map(|record| &record.display_name),
        "detailEntry": detail,
    })
}

fn rule_target(state: &State, id: &Id) -> Value {
    let found = state.policies.values().find_map(|policy| {
        let rule = policy.rules.iter().find(|rule| rule.id == *id)?;
        Some((policy, rule))
    });
    let detail = found.map(|(policy, rule)| {
        json!({"policyRuleFactorMode": "2FA", "policyType": "Authentication policy",
            "policyId": &*policy.id, "policyName": policy.name,
            "policyRulePriority": rule.priority.to_string()})
    });
    json!({"id": &**id, "type": "Rule", "alternateId": "unknown",
        "displayName": found.map(|(_, rule)| &rule.name), "detailEntry": detail})
}

/// Where the common name and the serial stand in the vendor's event is UNVERIFIED.
fn certificate_target(state: &State, serial: &Id) -> Value {
    let certificate = state.certificates.get(serial);
    let detail = certificate.map(|certificate| {
        json!({
            "fingerprint": certificate.thumbprint,
            "serialNumber": &**serial,
            "subject": format!("CN={}", certificate.common_name),
            "issuer": state.org.issuer_name(certificate.issuer),
            "notBefore": time(certificate.valid_from),
            "notAfter": time(certificate.expires),
        })
    });
    let name = certificate.map(|certificate| &certificate.common_name);
    json!({"id": &**serial, "type": "PublicKeyCertificate", "alternateId": name,
        "displayName": name, "detailEntry": detail})
}
