//! A Classic profile → an attestation profile: its level, its payload kinds, its scope.

use unstuck_domain::{AttestationProfile, CertificateStore, Platform, ProfileId};

use super::{plist::Plist, scope::Scope, wire};

/// An attestation profile and what only this connector needs of it.
#[derive(Debug, Clone)]
pub(super) struct JamfProfile {
    pub(super) attestation: AttestationProfile,
    pub(super) scope: Scope,
}

/// Payload kinds that deliver a certificate and its issuers, and nothing else.
const CERTIFICATE_PAYLOADS: [&str; 4] = [
    "com.apple.security.scep",
    "com.apple.security.root",
    "com.apple.security.pkcs1",
    "com.apple.security.pem",
];

impl JamfProfile {
    /// `None`: its payloads are readable and hold no SCEP payload, so it delivers no client certificate.
    pub(super) fn read(profile: wire::Profile) -> Option<Self> {
        let plist = profile.general.payloads.as_deref().and_then(Plist::parse);
        let kinds = plist.as_ref().and_then(payload_kinds);
        if let Some(kinds) = &kinds
            && !kinds.iter().any(|kind| kind == CERTIFICATE_PAYLOADS[0])
        {
            return None;
        }
        let scope = Scope::read(&profile.scope);
        Some(Self {
            attestation: AttestationProfile {
                scep: unstuck_domain::ScepSettings::default(),
                trust: None,
                id: ProfileId::new(profile.general.id),
                name: profile.general.name,
                identifier: plist
                    .as_ref()
                    .and_then(|plist| plist.get("PayloadIdentifier")?.text())
                    .map(str::to_owned),
                platform: Platform::Macos,
                store: profile.general.level.as_deref().and_then(store),
                other_payloads: kinds.as_ref().map(|kinds| {
                    let others = kinds.iter();
                    others
                        .filter(|kind| !CERTIFICATE_PAYLOADS.contains(&kind.as_str()))
                        .cloned()
                        .collect()
                }),
                // A payload can use a certificate of its own profile only (PayloadCertificateUUID).
                network_uses: kinds
                    .map(|kinds| kinds.into_iter().filter(|kind| is_network(kind)).collect()),
                scope: scope.to_domain(),
                modified_at: None,
            },
            scope,
        })
    }

    pub(super) fn id(&self) -> &str {
        self.attestation.id.as_str()
    }
}

/// The documents say `computer` and `user`, live servers `System` and `User`.
fn store(level: &str) -> Option<CertificateStore> {
    match level.to_ascii_lowercase().as_str() {
        "system" | "computer" => Some(CertificateStore::Machine),
        "user" => Some(CertificateStore::User),
        _ => None,
    }
}

/// `None` where the list is not shaped like a profile: then its payloads are unknown, not absent.
fn payload_kinds(plist: &Plist) -> Option<Vec<String>> {
    let payloads = plist.get("PayloadContent")?.items()?;
    payloads
        .iter()
        .map(|payload| Some(payload.get("PayloadType")?.text()?.to_owned()))
        .collect()
}

fn is_network(kind: &str) -> bool {
    ["wifi", "vpn", "ethernet", "eap"]
        .iter()
        .any(|word| kind.to_ascii_lowercase().contains(word))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn profile(level: &str, payload_types: &[&str]) -> wire::Profile {
        let payloads: String = payload_types
            .iter()
            .map(|kind| format!("<dict><key>PayloadType</key><string>{kind}</string></dict>"))
            .collect();
        let plist = format!(
            "<?xml version=\"1.0\"?><plist><dict><key>PayloadContent</key><array>{payloads}</array>\
             <key>PayloadIdentifier</key><string>ID-12</string></dict></plist>"
        );
        serde_json::from_value(json!({
            "general": {"id": 12, "name": "Okta SCEP", "level": level, "payloads": plist},
            "scope": {"all_computers": false, "computer_groups": [{"id": 7}], "exclusions": {"computer_groups": [{"id": 9}]}}
        }))
        .unwrap()
    }

    #[test]
    fn scep_profile_tells_its_store_payloads_and_scope() {
        let read = JamfProfile::read(profile(
            "User",
            &["com.apple.security.scep", "com.apple.security.root"],
        ))
        .unwrap()
        .attestation;
        assert_eq!(read.identifier.as_deref(), Some("ID-12"));
        assert_eq!(read.store, Some(CertificateStore::User));
        assert_eq!(read.other_payloads, Some(vec![]));
        assert_eq!(read.network_uses, Some(vec![]));
        assert_eq!(read.scope.device_groups, ["7".into()]);
        assert_eq!(read.scope.excluded_groups, ["9".into()]);
    }

    #[test]
    fn wifi_beside_scep_is_named() {
        let read = JamfProfile::read(profile(
            "computer",
            &["com.apple.security.scep", "com.apple.wifi.managed"],
        ))
        .unwrap()
        .attestation;
        assert_eq!(read.store, Some(CertificateStore::Machine));
        assert_eq!(
            read.other_payloads.as_deref(),
            Some(["com.apple.wifi.managed".to_owned()].as_slice())
        );
        assert_eq!(read.network_uses.unwrap().len(), 1);
    }

    #[test]
    fn unreadable_payloads_are_unknown_not_absent() {
        let mut wire = profile("System", &[]);
        wire.general.payloads = Some("bplist00".into());
        let read = JamfProfile::read(wire).unwrap().attestation;
        assert_eq!(read.other_payloads, None);
        assert_eq!(read.network_uses, None);
    }

    #[test]
    fn profile_without_scep_payload_is_no_attestation_profile() {
        assert!(JamfProfile::read(profile("System", &["com.apple.security.root"])).is_none());
    }
}
