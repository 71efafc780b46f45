//! What Apple's configuration profiles ask for: SCEP, trusted certificates, SSO extensions. Other payloads are named, not
//! read.

use unstuck_domain::{
    ChallengeKind, ProfileId, ProfileScope, Renewal, ScepSettings, SsoExtensionProfile,
};
use url::Url;

use crate::{
    ca_certificate::{CaCertificate, hex},
    plist::Plist,
};

pub(crate) const SCEP: &str = "com.apple.security.scep";
const SSO_EXTENSION: &str = "com.apple.extensiblesso";
/// Payloads that bring a certificate authority.
const AUTHORITIES: [&str; 3] = [
    "com.apple.security.root",
    "com.apple.security.pkcs1",
    "com.apple.security.pem",
];
/// Okta's team at Apple, and how the identifiers of its extensions begin.
const OKTA_TEAM: &str = "B7F62B65BN";
const OKTA_EXTENSION: &str = "com.okta.";
/// Texts of a profile are cut at so many bytes; real ones are far shorter.
const LONGEST: usize = 512;

/// A readable profile. `None` of a part: the profile has no such payload.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Payloads {
    /// `PayloadIdentifier` of the whole.
    pub(crate) identifier: Option<String>,
    /// Kinds of its payloads, in order.
    pub(crate) kinds: Vec<String>,
    /// Of the first SCEP payload.
    pub(crate) scep: Option<ScepSettings>,
    /// Certificate authorities that it brings.
    pub(crate) authorities: Vec<CaCertificate>,
    /// An SSO extension that names Okta.
    pub(crate) sso: Option<SsoPayload>,
}

/// An SSO extension payload.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct SsoPayload {
    extension_id: Option<String>,
    team_id: Option<String>,
    kind: Option<String>,
    realm: Option<String>,
    hosts: Vec<String>,
}

impl Payloads {
    /// `None` where the text is not shaped like a profile: then its payloads are unknown, not absent.
    pub(crate) fn read(mobileconfig: &str) -> Option<Self> {
        let plist = Plist::parse(mobileconfig)?;
        let payloads = plist.get("PayloadContent")?.items()?;
        let kinds: Option<Vec<String>> = payloads
            .iter()
            .map(|one| text(one, "PayloadType"))
            .collect();
        let kinds = kinds?;
        let of = |wanted: &'static [&'static str]| {
            let found = kinds.iter().zip(payloads);
            found
                .filter(|(kind, _)| wanted.contains(&kind.as_str()))
                .map(|(_, payload)| payload)
        };
        Some(Self {
            identifier: text(&plist, "PayloadIdentifier"),
            scep: of(&[SCEP]).next().map(scep),
            authorities: of(&AUTHORITIES)
                .filter_map(|payload| {
                    CaCertificate::of_base64(payload.get("PayloadContent")?.text()?)
                })
                .collect(),
            sso: of(&[SSO_EXTENSION])
                .map(SsoPayload::read)
                .find(SsoPayload::names_okta),
            kinds,
        })
    }

    /// Payload kinds besides SCEP and certificate authorities.
    pub(crate) fn others(&self) -> impl Iterator<Item = &String> {
        self.kinds
            .iter()
            .filter(|kind| *kind != SCEP && !AUTHORITIES.contains(&kind.as_str()))
    }
}

impl SsoPayload {
    fn read(payload: &Plist) -> Self {
        let hosts = payload.get("Hosts").and_then(Plist::items);
        Self {
            extension_id: text(payload, "ExtensionIdentifier"),
            team_id: text(payload, "TeamIdentifier"),
            kind: text(payload, "Type"),
            realm: text(payload, "Realm"),
            hosts: hosts
                .into_iter()
                .flatten()
                .filter_map(|host| Some(cut(host.text()?)))
                .collect(),
        }
    }

    /// Another vendor's extension is none of our business. A wrong team with Okta's extension is.
    fn names_okta(&self) -> bool {
        names_okta(self.extension_id.as_deref(), self.team_id.as_deref())
    }

    /// In the domain's words.
    pub(crate) fn into_profile(
        self,
        id: ProfileId,
        name: String,
        scope: ProfileScope,
    ) -> SsoExtensionProfile {
        SsoExtensionProfile {
            id,
            name,
            extension_id: self.extension_id,
            team_id: self.team_id,
            kind: self.kind,
            realm: self.realm,
            hosts: self.hosts,
            scope,
        }
    }
}

/// Whether an SSO extension is Okta's by its identifier or team.
pub(crate) fn names_okta(extension_id: Option<&str>, team_id: Option<&str>) -> bool {
    team_id == Some(OKTA_TEAM)
        || extension_id.is_some_and(|id| id.to_ascii_lowercase().starts_with(OKTA_EXTENSION))
}

/// Apple nests the settings in `PayloadContent`; some servers write them beside the type.
fn scep(payload: &Plist) -> ScepSettings {
    let inner = payload.get("PayloadContent").unwrap_or(payload);
    let subject = inner.get("Subject").and_then(subject);
    ScepSettings {
        url: text(inner, "URL").as_deref().and_then(scep_url),
        // A variable is filled in by the MDM, from what source it does not show.
        challenge: match text(inner, "Challenge").as_deref() {
            Some("" | "$") | None => None,
            Some(_literal) => Some(ChallengeKind::Static),
        },
        key_size: number(inner, "Keysize").and_then(|bits| u32::try_from(bits).ok()),
        // 1 sign, 4 encrypt, 5 both; without the key the certificate may do both.
        digital_signature: match inner.get("Key Usage") {
            Some(_) => number(inner, "Key Usage").map(|usage| usage & 1 == 1),
            None => None,
        },
        // Apple's payload has no extended key usage.
        client_authentication: None,
        all_apps_access: inner.get("AllowAllAppsAccess").and_then(Plist::flag),
        key_storage: None,
        // UNVERIFIED: that Jamf adds this variable when "Redistribute Profile" is set; its absence proves nothing.
        renewal: subject
            .as_deref()
            .is_some_and(|subject| subject.contains("$PROFILE_IDENTIFIER"))
            .then_some(Renewal::On),
        subject,
        ca_fingerprint: text(inner, "CAFingerprint")
            .as_deref()
            .and_then(fingerprint),
    }
}

/// The address without query, user and password: they may carry a challenge.
pub(crate) fn scep_url(text: &str) -> Option<String> {
    let mut url = Url::parse(text).ok()?;
    url.set_query(None);
    url.set_fragment(None);
    // Fails only for addresses that cannot have either.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    Some(cut(url.as_str()))
}

/// `[[["CN", "x"]], [["OU", "y"]]]` as `CN=x, OU=y`.
fn subject(value: &Plist) -> Option<String> {
    let mut parts = Vec::new();
    for pair in value.items()?.iter().filter_map(Plist::items).flatten() {
        let [kind, name] = pair.items()? else {
            return None;
        };
        parts.push(format!("{}={}", kind.text()?, name.text()?));
    }
    (!parts.is_empty()).then(|| cut(&parts.join(", ")))
}

/// Base64 of the bytes, which may themselves be hex.
fn fingerprint(base64: &str) -> Option<String> {
    use ::base64::{Engine, prelude::BASE64_STANDARD};
    let compact: String = base64.split_whitespace().collect();
    let bytes = BASE64_STANDARD.decode(compact).ok()?;
    let plausible = [16, 20, 32].contains(&bytes.len());
    plausible.then(|| hex(&bytes))
}

fn text(payload: &Plist, key: &str) -> Option<String> {
    payload.get(key)?.text().map(cut)
}

fn number(payload: &Plist, key: &str) -> Option<i64> {
    payload.get(key)?.text()?.trim().parse().ok()
}

/// What is longer than any real value is cut, not kept.
pub(crate) fn cut(text: &str) -> String {
    let end = text.floor_char_boundary(LONGEST.min(text.len()));
    text[..end].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn profile(payload: &str) -> String {
        format!(
            "<plist><dict><key>PayloadIdentifier</key><string>ID-12</string>\
             <key>PayloadContent</key><array>{payload}</array></dict></plist>"
        )
    }

    const WHOLE: &str = "<dict><key>PayloadType</key><string>com.apple.security.scep</string><key>PayloadContent</key><dict>\
        <key>URL</key><string>https://u:p@acme.okta.com/pki/AB12/scep/rac1?challenge=s3cret</string>\
        <key>Challenge</key><string>s3cret</string><key>Keysize</key><integer>2048</integer><key>Key Usage</key><integer>5</integer>\
        <key>Subject</key><array><array><array><string>CN</string><string>$COMPUTERNAME managementAttestation</string></array></array>\
        <array><array><string>OU</string><string>$PROFILE_IDENTIFIER</string></array></array></array>\
        <key>AllowAllAppsAccess</key><false/><key>CAFingerprint</key><data>AQIDBAUGBwgJCgsMDQ4PEBESExQ=</data></dict></dict>";

    #[test]
    fn scep_settings_are_read_without_the_challenge() {
        let read = Payloads::read(&profile(WHOLE)).unwrap();
        assert_eq!(read.identifier.as_deref(), Some("ID-12"));
        let scep = read.scep.clone().unwrap();
        assert_eq!(
            scep,
            ScepSettings {
                url: Some("https://acme.okta.com/pki/AB12/scep/rac1".into()),
                challenge: Some(ChallengeKind::Static),
                subject: Some(
                    "CN=$COMPUTERNAME managementAttestation, OU=$PROFILE_IDENTIFIER".into()
                ),
                key_size: Some(2048),
                digital_signature: Some(true),
                client_authentication: None,
                all_apps_access: Some(false),
                key_storage: None,
                renewal: Some(Renewal::On),
                ca_fingerprint: Some("0102030405060708090A0B0C0D0E0F1011121314".into()),
            }
        );
        assert!(!format!("{read:?}").contains("s3cret"));
    }

    #[test]
    fn key_usage_tells_whether_the_key_may_sign() {
        for (usage, expected) in [
            ("<integer>1</integer>", Some(true)),
            ("<integer>4</integer>", Some(false)),
            ("<integer>5</integer>", Some(true)),
            ("<string>both</string>", None),
        ] {
            let payload = format!(
                "<dict><key>PayloadType</key><string>{SCEP}</string><key>PayloadContent</key><dict>\
                 <key>Key Usage</key>{usage}</dict></dict>"
            );
            let scep = Payloads::read(&profile(&payload)).unwrap().scep.unwrap();
            assert_eq!(scep.digital_signature, expected, "{usage}");
        }
    }

    #[test]
    fn a_challenge_that_the_mdm_fills_in_does_not_tell_its_kind() {
        let payload = WHOLE.replace("<string>s3cret</string>", "<string>$CHALLENGE</string>");
        let scep = Payloads::read(&profile(&payload)).unwrap().scep.unwrap();
        assert_eq!(scep.challenge, None);
    }

    #[test]
    fn only_an_extension_that_names_okta_counts() {
        let payload = |id: &str, team: &str| {
            profile(&format!(
                "<dict><key>PayloadType</key><string>{SSO_EXTENSION}</string><key>Type</key><string>Credential</string>\
                 <key>ExtensionIdentifier</key><string>{id}</string><key>TeamIdentifier</key><string>{team}</string>\
                 <key>Realm</key><string>Okta Device</string><key>Hosts</key><array><string>acme.okta.com</string></array></dict>"
            ))
        };
        let okta = "com.okta.mobile.auth-service-extension";
        for (id, team, named) in [
            (okta, OKTA_TEAM, true),
            (okta, "WRONG", true),
            ("com.example", "OTHER", false),
        ] {
            let sso = Payloads::read(&payload(id, team)).unwrap().sso;
            assert_eq!(sso.is_some(), named, "{id} {team}");
        }
        let sso = Payloads::read(&payload(okta, OKTA_TEAM)).unwrap().sso;
        let read = sso
            .unwrap()
            .into_profile("7".into(), "SSO".into(), ProfileScope::default());
        assert_eq!(read.hosts, ["acme.okta.com"]);
        assert_eq!(read.realm.as_deref(), Some("Okta Device"));
    }

    #[test]
    fn what_is_no_profile_is_not_readable() {
        for text in [
            "",
            "bplist00",
            "<plist><dict></dict></plist>",
            "<plist><string>x</string></plist>",
        ] {
            assert_eq!(Payloads::read(text), None);
        }
        let untyped = profile("<dict><key>URL</key><string>x</string></dict>");
        assert_eq!(
            Payloads::read(&untyped),
            None,
            "a payload without a type may be any"
        );
    }
}
