//! What a SCEP profile asks for, the profile that brings its authority, and Okta's SSO extension profiles.

use std::collections::{BTreeMap, BTreeSet};

use base64::{Engine, prelude::BASE64_STANDARD};
use unstuck_domain::{
    ChallengeKind, KeyStorage, Platform, ProfileId, Renewal, ScepSettings, SsoExtensionProfile,
    TrustProfile,
};

use super::{IntuneClient, endpoints, profiles::scope, reader::optional, wire};
use crate::{
    ca_certificate::CaCertificate,
    http::Call,
    payload::{Payloads, names_okta, scep_url},
    traits::Result,
};

const CLIENT_AUTHENTICATION: &str = "1.3.6.1.5.5.7.3.2";
/// Types that can hold an SSO extension for macOS. Beta only.
const SSO_TYPES: [&str; 2] = [
    "microsoft.graph.macOSDeviceFeaturesConfiguration",
    "microsoft.graph.macOSCustomConfiguration",
];

impl IntuneClient {
    /// The trusted-root profile that a SCEP profile names, with its assignments. A plain read shows neither.
    pub(super) async fn root_profile(&self, scep: &str) -> Result<Option<wire::Configuration>> {
        let Some(profile) = self.configuration(scep, "rootCertificate").await? else {
            return Ok(None);
        };
        let Some(root) = profile.root_certificate.and_then(|root| root.id) else {
            return Ok(None);
        };
        self.configuration(&root, "assignments").await
    }

    async fn configuration(&self, id: &str, expand: &str) -> Result<Option<wire::Configuration>> {
        let call = Call::new(&endpoints::CONFIGURATION_BY_ID)
            .param(id)
            .query("$expand", expand);
        let Some(answer) = optional(self.http.read(&call).await)? else {
            return Ok(None);
        };
        optional(answer.json().await)
    }

    /// Okta's SSO extension profiles; `None`: no Macs here, or not shown.
    pub(super) async fn sso_extensions(&self) -> Result<Option<Vec<SsoExtensionProfile>>> {
        if !self.platforms.contains(&Platform::Macos) {
            return Ok(None);
        }
        let mut found = Vec::new();
        for kind in SSO_TYPES {
            let call = Call::new(&endpoints::CONFIGURATIONS)
                .query("$filter", format!("isof('{kind}')"))
                .query("$expand", "assignments");
            let listed = self.collection(&endpoints::CONFIGURATIONS, call).await;
            let Some(listed): Option<Vec<wire::Configuration>> = optional(listed)? else {
                return Ok(None);
            };
            found.extend(listed.into_iter().filter(holds_sso));
        }
        let all: Vec<&wire::Configuration> = found.iter().collect();
        let kinds = self.group_kinds(&all).await?;
        Ok(Some(
            found
                .into_iter()
                .filter_map(|profile| sso_profile(profile, &kinds))
                .collect(),
        ))
    }

    /// When the push certificate ends; `None`: no Macs here, none uploaded, or not shown.
    pub(super) async fn push_certificate_expires_at(
        &self,
    ) -> Result<Option<chrono::DateTime<chrono::Utc>>> {
        if !self.platforms.contains(&Platform::Macos) {
            return Ok(None);
        }
        let call = Call::new(&endpoints::PUSH_CERTIFICATE);
        let Some(answer) = optional(self.http.read(&call).await)? else {
            return Ok(None);
        };
        let certificate: Option<wire::PushCertificate> = optional(answer.json().await)?;
        Ok(certificate.and_then(|certificate| certificate.expiration_date_time))
    }
}

/// What the profile asks for.
pub(super) fn scep(fields: &wire::ScepFields, trust: Option<&TrustProfile>) -> ScepSettings {
    let word = fields.subject_name_format.as_deref();
    ScepSettings {
        url: fields
            .scep_server_urls
            .first()
            .and_then(|url| scep_url(url)),
        // Intune makes every challenge itself; for a CA of a third party that one asks Intune whether it holds.
        challenge: Some(ChallengeKind::Delegated),
        subject: match word {
            Some("custom") => fields.subject_name_format_string.clone(),
            _ => word.map(str::to_owned),
        },
        key_size: fields
            .key_size
            .as_deref()
            .and_then(|word| word.strip_prefix("size")?.parse().ok()),
        digital_signature: fields.key_usage.as_deref().map(|flags| {
            let mut flags = flags.split(',').map(str::trim);
            flags.any(|flag| flag.eq_ignore_ascii_case("digitalSignature"))
        }),
        client_authentication: fields.extended_key_usages.as_ref().map(|usages| {
            usages
                .iter()
                .any(|usage| usage.object_identifier.as_deref() == Some(CLIENT_AUTHENTICATION))
        }),
        all_apps_access: fields.allow_all_apps_access,
        key_storage: fields.key_storage_provider.as_deref().and_then(key_storage),
        renewal: fields
            .renewal_threshold_percentage
            .as_deref()
            .and_then(|number| number.parse().ok())
            .filter(|percent| (1..=99).contains(percent))
            .map(Renewal::PercentLeft),
        ca_fingerprint: trust.and_then(|trust| trust.thumbprint.clone()),
    }
}

fn key_storage(word: &str) -> Option<KeyStorage> {
    match word {
        "useTpmKspOtherwiseUseSoftwareKsp" => Some(KeyStorage::TpmElseSoftware),
        "useTpmKspOtherwiseFail" => Some(KeyStorage::TpmOnly),
        "usePassportForWorkKspOtherwiseFail" => Some(KeyStorage::HelloOnly),
        "useSoftwareKsp" => Some(KeyStorage::Software),
        _ => None,
    }
}

/// `None`: the answer did not show to whom it is assigned, so that nothing may be compared.
pub(super) fn trust(
    root: &wire::Configuration,
    kinds: &BTreeSet<String>,
    categories: &BTreeMap<String, String>,
) -> Option<TrustProfile> {
    let certificate = root.trusted_root_certificate.as_deref();
    let certificate = certificate.and_then(CaCertificate::of_base64);
    Some(TrustProfile {
        scope: scope(root.assignments.as_deref()?, kinds, categories),
        id: ProfileId::from(root.id.as_str()),
        name: root.display_name.clone().unwrap_or_default(),
        thumbprint: certificate.as_ref().map(|read| read.sha1.clone()),
        sha256: certificate.as_ref().map(|read| read.sha256.clone()),
        key_id: certificate.and_then(|read| read.key_id),
    })
}

fn holds_sso(profile: &wire::Configuration) -> bool {
    let typed = profile.sso_extension.as_ref().is_some_and(|sso| {
        names_okta(
            sso.extension_identifier.as_deref(),
            sso.team_identifier.as_deref(),
        )
    });
    typed || custom(profile).is_some()
}

fn custom(profile: &wire::Configuration) -> Option<crate::payload::SsoPayload> {
    let bytes = BASE64_STANDARD
        .decode(profile.payload.as_deref()?.trim())
        .ok()?;
    Payloads::read(std::str::from_utf8(&bytes).ok()?)?.sso
}

pub(super) fn sso_profile(
    profile: wire::Configuration,
    kinds: &BTreeSet<String>,
) -> Option<SsoExtensionProfile> {
    let assignments = profile.assignments.as_deref().unwrap_or_default();
    let scope = scope(assignments, kinds, &BTreeMap::new());
    let custom = custom(&profile);
    let (id, name) = (
        ProfileId::new(profile.id),
        profile.display_name.unwrap_or_default(),
    );
    if let Some(sso) = profile.sso_extension {
        let kind = sso.kind.as_deref().unwrap_or_default();
        let kind = ["Credential", "Redirect"]
            .into_iter()
            .find(|word| kind.contains(word));
        return Some(SsoExtensionProfile {
            id,
            name,
            extension_id: sso.extension_identifier,
            team_id: sso.team_identifier,
            kind: kind.map(str::to_owned),
            realm: sso.realm,
            hosts: sso.domains,
            scope,
        });
    }
    Some(custom?.into_profile(id, name, scope))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn read(fields: Value) -> ScepSettings {
        scep(&serde_json::from_value(fields).unwrap(), None)
    }

    #[test]
    fn settings_are_read_in_the_domains_words() {
        let read = read(json!({
            "scepServerUrls": ["https://acme.okta.com/pki/AB/scep/rac1?x=1"],
            "subjectNameFormat": "custom", "subjectNameFormatString": "CN={{UserPrincipalName}} managementAttestation",
            "keySize": "size2048", "keyUsage": "digitalSignature,keyEncipherment",
            "keyStorageProvider": "useTpmKspOtherwiseFail", "renewalThresholdPercentage": 20,
            "extendedKeyUsages": [{"name": "c", "objectIdentifier": "1.3.6.1.5.5.7.3.2"}],
        }));
        assert_eq!(
            read,
            ScepSettings {
                url: Some("https://acme.okta.com/pki/AB/scep/rac1".into()),
                challenge: Some(ChallengeKind::Delegated),
                subject: Some("CN={{UserPrincipalName}} managementAttestation".into()),
                key_size: Some(2048),
                digital_signature: Some(true),
                client_authentication: Some(true),
                all_apps_access: None,
                key_storage: Some(KeyStorage::TpmOnly),
                renewal: Some(Renewal::PercentLeft(20)),
                ca_fingerprint: None,
            }
        );
    }

    #[test]
    fn absent_and_unknown_settings_are_not_shown() {
        let challenge = Some(ChallengeKind::Delegated);
        let nothing = ScepSettings {
            challenge,
            ..ScepSettings::default()
        };
        assert_eq!(read(json!({})), nothing);
        let odd = json!({"scepServerUrls": "x", "keySize": "big", "keyStorageProvider": "useNewKsp",
            "renewalThresholdPercentage": -1, "extendedKeyUsages": [7], "allowAllAppsAccess": {}});
        assert_eq!(read(odd), nothing);
        let wrong = read(json!({"keyUsage": "keyEncipherment", "extendedKeyUsages": []}));
        assert_eq!(wrong.digital_signature, Some(false));
        assert_eq!(wrong.client_authentication, Some(false));
    }

    #[test]
    fn trusted_root_without_assignments_is_not_compared() {
        let none = BTreeSet::new();
        let root = |value: Value| serde_json::from_value::<wire::Configuration>(value).unwrap();
        let plain = root(json!({"id": "R1", "displayName": "Okta CA"}));
        assert_eq!(trust(&plain, &none, &BTreeMap::new()), None);
        let data = BASE64_STANDARD.encode([0x30, 0x01, 0x00]);
        let whole = root(
            json!({"id": "R1", "displayName": "Okta CA", "trustedRootCertificate": data, "assignments": []}),
        );
        let read = trust(&whole, &none, &BTreeMap::new()).unwrap();
        assert_eq!(read.thumbprint.unwrap().len(), 40);
        assert_eq!(read.key_id, None);
    }

    #[test]
    fn sso_extension_is_found_typed_and_in_a_custom_profile() {
        let none = BTreeSet::new();
        let typed = json!({"id": "S1", "displayName": "SSO", "macOSSingleSignOnExtension": {
            "@odata.type": "#microsoft.graph.macOSCredentialSingleSignOnExtension", "realm": "Okta Device",
            "extensionIdentifier": "com.okta.mobile.auth-service-extension", "teamIdentifier": "B7F62B65BN",
            "domains": ["acme.okta.com", 7]}});
        let plist = "<plist><dict><key>PayloadContent</key><array><dict><key>PayloadType</key>\
            <string>com.apple.extensiblesso</string><key>TeamIdentifier</key><string>B7F62B65BN</string>\
            <key>Type</key><string>Redirect</string></dict></array></dict></plist>";
        let custom =
            json!({"id": "S2", "displayName": "PSSO", "payload": BASE64_STANDARD.encode(plist)});
        let other = json!({"id": "S3", "macOSSingleSignOnExtension": {"extensionIdentifier": "com.example"}});
        let mut kinds = Vec::new();
        for profile in [typed, custom, other] {
            let profile: wire::Configuration = serde_json::from_value(profile).unwrap();
            if holds_sso(&profile) {
                let read = sso_profile(profile, &none).unwrap();
                kinds.push((read.id.to_string(), read.kind.unwrap()));
            }
        }
        let expected = [("S1", "Credential"), ("S2", "Redirect")];
        assert_eq!(
            kinds,
            expected.map(|(id, kind)| (id.to_owned(), kind.to_owned()))
        );
    }
}
