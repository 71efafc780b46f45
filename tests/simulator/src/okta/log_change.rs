//! Words for changes of the whole org. The event catalogue names these details; their spelling on the
//! wire, in camel case, is UNVERIFIED.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};

use crate::world::{Challenge, Changed, Family, LogEvent, ScepConfiguration, State, Target};

/// The message of each event type.
pub(super) fn message(kind: &str) -> &'static str {
    match kind {
        "device.platform.add" => "Add device management platform",
        "device.platform.update" => "Update device management platform",
        "device.platform.delete" => "Delete device management platform",
        "device.platform.renew" => "Renew device management platform",
        "device.platform.secret_key.reset" => "Reset secret key of device management platform",
        "pki.ca.add" => "Add certificate authority",
        "pki.ca.delete" => "Delete certificate authority",
        "pki.ca.renew" => "Renew certificate authority",
        "pki.ca.expiration.warn" => "Certificate authority expires",
        "pki.cert.lifecycle.activate" => "Activate certificate",
        "pki.cert.crl_download_failure" => "Failure to download certificate revocation list",
        "security.authenticator.lifecycle.activate" => "Activate authenticator",
        "security.authenticator.lifecycle.deactivate" => "Deactivate authenticator",
        "application.policy.sign_on.update" => "Update of app sign-on policy",
        "policy.rule.update" => "Update policy rule",
        _ => "Change of an object",
    }
}

/// The target's id and type, by which the log can be searched.
pub(super) fn identity(changed: &Changed) -> (&str, &'static str) {
    match changed {
        Changed::Configuration(id) => (id, "DeviceManagementPlatform"),
        Changed::Certificate(ski) => (ski, "PublicKeyCertificate"),
        Changed::Issuer(name) => (name, "CertificateAuthority"),
        Changed::RevocationList { url, .. } => (url, "CertificateRevocationList"),
        Changed::OktaVerify(id) => (id, "Authenticator"),
        Changed::Policy(id) => (id, "Policy"),
    }
}

pub(super) fn target(state: &State, changed: &Changed) -> Value {
    let (id, kind) = identity(changed);
    let (name, detail) = match changed {
        Changed::Configuration(id) => configuration(state, id),
        Changed::Certificate(ski) => certificate(state, ski),
        Changed::Issuer(name) => (
            json!(name),
            json!({"certName": name, "certType": "Intermediate Certificate Authority"}),
        ),
        Changed::RevocationList { url, status } => (
            json!(url),
            json!({"url": url, "httpCode": status.to_string()}),
        ),
        Changed::OktaVerify(_) => (json!("Okta Verify"), Value::Null),
        Changed::Policy(id) => {
            let policy = state.policies.get(id);
            (
                json!(policy.map(|policy| &policy.name)),
                json!({"policyType": policy.map(|policy| policy.kind)}),
            )
        }
    };
    json!({"id": id, "type": kind, "alternateId": name, "displayName": name, "detailEntry": detail})
}

/// What the debug data adds to the targets.
pub(super) fn debug(event: &LogEvent) -> Map<String, Value> {
    let mut data = Map::new();
    for target in &event.targets {
        if let Target::Change(Changed::RevocationList { url, status }) = target {
            data.insert("crlUrl".to_owned(), json!(url));
            data.insert("httpCode".to_owned(), json!(status.to_string()));
        }
    }
    data
}

fn configuration(state: &State, id: &str) -> (Value, Value) {
    let mut known = state.org.pki.configurations.iter();
    let found = known.find(|found| *found.id == *id);
    let detail = found.map(|found| {
        json!({
            "platform": "DESKTOP",
            "provider": provider(found),
            "enrollmentUrl": state.org.scep_url_of(found),
        })
    });
    let name = found.map(|found| match (found.family, &found.challenge) {
        (Family::DeviceAccess, _) => "Device Access",
        (Family::Attestation, Challenge::Delegated { .. }) => "Microsoft Intune",
        (Family::Attestation, Challenge::Static | Challenge::Dynamic) => "Jamf Pro",
    });
    (json!(name), json!(detail))
}

fn provider(found: &ScepConfiguration) -> &'static str {
    match found.challenge {
        Challenge::Delegated { .. } => "INTUNE",
        Challenge::Static | Challenge::Dynamic => "GENERIC",
    }
}

fn certificate(state: &State, ski: &str) -> (Value, Value) {
    let found = state.org.pki.certificate(ski);
    let owner = state.org.pki.authorities.iter().find(|authority| {
        let mut certificates = authority.certificates.iter();
        certificates.any(|certificate| certificate.ski == ski)
    });
    let detail = found.zip(owner).map(|(certificate, owner)| {
        let kind = match owner.root {
            true => "Root Certificate Authority",
            false => "Intermediate Certificate Authority",
        };
        json!({
            "authorityInstanceId": format!("0x{}", owner.instance),
            "certName": certificate.subject.common_name,
            "certType": kind,
            "issuerName": certificate.issuer.common_name,
            "serialNumber": certificate.serial(),
            "notBefore": millis(certificate.not_before),
            "notAfter": millis(certificate.not_after),
            "certStatus": if certificate.not_after > state.now { "VALID" } else { "EXPIRED" },
        })
    });
    let name = found.map(|certificate| certificate.subject.common_name);
    (json!(name), json!(detail))
}

/// Epoch milliseconds, as text like every detail.
fn millis(at: DateTime<Utc>) -> String {
    at.timestamp_millis().to_string()
}
