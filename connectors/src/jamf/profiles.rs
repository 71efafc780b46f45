//! Classic profiles: the attestation profiles with level, settings and scope; those that bring their authority; those of
//! Okta's SSO extension.

use secrecy::ExposeSecret;
use unstuck_domain::{
    AttestationProfile, CertificateStore, Platform, ProfileId, ScepSettings, SsoExtensionProfile,
    TrustProfile,
};

use super::{scope::Scope, wire};
use crate::{
    AttestationSettings,
    ca_certificate::CaCertificate,
    payload::{Payloads, SsoPayload},
};

/// What one reading of the server's profiles brought.
#[derive(Debug, Default)]
pub(super) struct Profiles {
    /// Profiles that deliver the attestation certificate.
    pub(super) attestation: Vec<JamfProfile>,
    /// Profiles beside them that matter.
    pub(super) others: Vec<OtherProfile>,
    /// Whether every profile of the server was looked into, so that what is not among `others` is not there.
    pub(super) all_seen: bool,
}

/// An attestation profile and what only this connector needs of it.
#[derive(Debug, Clone)]
pub(super) struct JamfProfile {
    pub(super) attestation: AttestationProfile,
    pub(super) scope: Scope,
    authorities: Vec<CaCertificate>,
}

/// A profile that brings one of our authorities, or Okta's SSO extension.
#[derive(Debug, Clone)]
pub(super) struct OtherProfile {
    pub(super) id: ProfileId,
    pub(super) name: String,
    pub(super) identifier: Option<String>,
    pub(super) scope: Scope,
    authorities: Vec<CaCertificate>,
    sso: Option<SsoPayload>,
}

impl Profiles {
    /// Tells every attestation profile which profile brings its authority.
    pub(super) fn join(&mut self) {
        for profile in &mut self.attestation {
            profile.attestation.trust = profile.trust(&self.others);
        }
    }

    /// In the domain's words.
    pub(super) fn attestation(&self) -> Vec<AttestationProfile> {
        let profiles = self.attestation.iter();
        profiles
            .map(|profile| profile.attestation.clone())
            .collect()
    }

    /// Profiles that bring an authority without asking for a certificate.
    pub(super) fn trusts(&self) -> impl Iterator<Item = &OtherProfile> {
        self.others
            .iter()
            .filter(|other| !other.authorities.is_empty())
    }

    /// Okta's SSO extension profiles with their readings.
    pub(super) fn sso(&self) -> impl Iterator<Item = &OtherProfile> {
        self.others.iter().filter(|other| other.sso.is_some())
    }

    /// `None`: not every profile was looked into and none was found, so there may be one.
    pub(super) fn sso_extensions(&self) -> Option<Vec<SsoExtensionProfile>> {
        let found: Vec<_> = self.sso().filter_map(OtherProfile::sso_extension).collect();
        (self.all_seen || !found.is_empty()).then_some(found)
    }
}

impl JamfProfile {
    /// `None`: its payloads are readable and hold no SCEP payload, so it delivers no client certificate.
    pub(super) fn read(profile: wire::Profile) -> Option<Self> {
        let payloads = payloads(&profile);
        if payloads.as_ref().is_some_and(|read| read.scep.is_none()) {
            return None;
        }
        let scope = Scope::read(&profile.scope);
        let others: Option<Vec<String>> = payloads
            .as_ref()
            .map(|read| read.others().cloned().collect());
        let (identifier, scep, authorities) = match payloads {
            Some(read) => (
                read.identifier,
                read.scep.unwrap_or_default(),
                read.authorities,
            ),
            None => (None, ScepSettings::default(), Vec::new()),
        };
        Some(Self {
            attestation: AttestationProfile {
                scep,
                trust: None,
                id: ProfileId::new(profile.general.id),
                name: profile.general.name,
                identifier,
                platform: Platform::Macos,
                store: profile.general.level.as_deref().and_then(store),
                // A payload can use a certificate of its own profile only (PayloadCertificateUUID).
                network_uses: others.as_ref().map(|kinds| {
                    kinds
                        .iter()
                        .filter(|kind| is_network(kind))
                        .cloned()
                        .collect()
                }),
                other_payloads: others,
                scope: scope.to_domain(),
                modified_at: None,
            },
            scope,
            authorities,
        })
    }

    pub(super) fn id(&self) -> &str {
        self.attestation.id.as_str()
    }

    /// The profile that brings the authority: this one, else one with the same scope, else the first.
    fn trust(&self, others: &[OtherProfile]) -> Option<TrustProfile> {
        let own = self.authorities.first().map(|authority| TrustProfile {
            id: self.attestation.id.clone(),
            name: self.attestation.name.clone(),
            scope: self.attestation.scope.clone(),
            thumbprint: Some(authority.sha1.clone()),
            sha256: Some(authority.sha256.clone()),
            key_id: authority.key_id.clone(),
        });
        let bringing = || others.iter().filter(|other| !other.authorities.is_empty());
        own.or_else(|| {
            let alike = bringing().find(|other| other.scope == self.scope);
            alike
                .or_else(|| bringing().next())
                .and_then(OtherProfile::trust)
        })
    }
}

impl OtherProfile {
    /// `None`: it is of no interest here, or not readable.
    pub(super) fn read(profile: wire::Profile, attestation: &AttestationSettings) -> Option<Self> {
        let mut read = payloads(&profile)?;
        read.authorities
            .retain(|authority| authority.is_of(attestation));
        if read.sso.is_none() && read.authorities.is_empty() {
            return None;
        }
        Some(Self {
            id: ProfileId::new(profile.general.id),
            name: profile.general.name,
            identifier: read.identifier,
            scope: Scope::read(&profile.scope),
            authorities: read.authorities,
            sso: read.sso,
        })
    }

    fn trust(&self) -> Option<TrustProfile> {
        let authority = self.authorities.first()?;
        Some(TrustProfile {
            id: self.id.clone(),
            name: self.name.clone(),
            scope: self.scope.to_domain(),
            thumbprint: Some(authority.sha1.clone()),
            sha256: Some(authority.sha256.clone()),
            key_id: authority.key_id.clone(),
        })
    }

    fn sso_extension(&self) -> Option<SsoExtensionProfile> {
        let sso = self.sso.clone()?;
        Some(sso.into_profile(self.id.clone(), self.name.clone(), self.scope.to_domain()))
    }
}

fn payloads(profile: &wire::Profile) -> Option<Payloads> {
    Payloads::read(profile.general.payloads.as_ref()?.expose_secret())
}

/// The documents say `computer` and `user`, live servers `System` and `User`.
fn store(level: &str) -> Option<CertificateStore> {
    match level.to_ascii_lowercase().as_str() {
        "system" | "computer" => Some(CertificateStore::Machine),
        "user" => Some(CertificateStore::User),
        _ => None,
    }
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

    fn bringing(id: u32, groups: serde_json::Value, content: &str) -> wire::Profile {
        use base64::{Engine, prelude::BASE64_STANDARD};
        let mut der = vec![0x30, 0x03];
        der.extend(content.as_bytes());
        let data = BASE64_STANDARD.encode(der);
        let plist = format!(
            "<plist><dict><key>PayloadContent</key><array><dict><key>PayloadType</key><string>com.apple.security.pkcs1</string>\
             <key>PayloadContent</key><data>{data}</data></dict></array></dict></plist>"
        );
        serde_json::from_value(json!({
            "general": {"id": id, "name": format!("trust {id}"), "payloads": plist},
            "scope": {"computer_groups": groups, "exclusions": {"computer_groups": [{"id": 9}]}}
        }))
        .unwrap()
    }

    #[test]
    fn authority_comes_from_the_profile_itself_or_from_one_of_the_same_scope() {
        let settings = AttestationSettings::new("x", vec!["Our CA".into()], vec![]).unwrap();
        let read = |profile| OtherProfile::read(profile, &settings);
        let foreign = read(bringing(1, json!([]), "Corp Root"));
        assert!(foreign.is_none(), "another company's CA");
        let mut profiles = Profiles {
            attestation: vec![
                JamfProfile::read(profile("User", &["com.apple.security.scep"])).unwrap(),
            ],
            others: [
                read(bringing(2, json!([]), "Our CA")),
                read(bringing(3, json!([{"id": 7}]), "Our CA")),
            ]
            .into_iter()
            .flatten()
            .collect(),
            all_seen: true,
        };
        profiles.join();
        let trust = profiles.attestation[0].attestation.trust.clone().unwrap();
        assert_eq!(trust.id, "3".into());
        assert_eq!(trust.thumbprint.unwrap().len(), 40);
        assert_eq!(profiles.trusts().count(), 2);
        assert_eq!(profiles.sso_extensions(), Some(vec![]));
        profiles.all_seen = false;
        assert_eq!(profiles.sso_extensions(), None, "there may be one");
    }

    #[test]
    fn profile_without_scep_payload_is_no_attestation_profile() {
        assert!(JamfProfile::read(profile("System", &["com.apple.security.root"])).is_none());
    }
}
