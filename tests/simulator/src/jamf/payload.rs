//! A profile's payloads as the property list that `general.payloads` carries.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

use super::xml::escape_into;
use crate::world::{Level, Mdm, Profile, ProfileKind, SsoExtension, State};

const HEAD: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?><!DOCTYPE plist PUBLIC \
    \"-//Apple//DTD PLIST 1.0//EN\" \"http://www.apple.com/DTDs/PropertyList-1.0.dtd\">\
    <plist version=\"1\">";

/// A value of a property list.
enum Plist {
    Text(String),
    Number(i64),
    Flag(bool),
    Data(Vec<u8>),
    List(Vec<Plist>),
    Dict(Vec<(&'static str, Plist)>),
}

/// The whole `.mobileconfig`.
pub(super) fn mobileconfig(state: &State, profile: &Profile) -> String {
    let mut types = vec![];
    let mut payloads = vec![];
    for (kind, content) in own_payloads(state, profile) {
        types.push(kind);
        payloads.push(content);
    }
    let extra = state.mdm.jamf.extra_payloads.get(&profile.key);
    for kind in extra.into_iter().flatten() {
        types.push(kind);
        payloads.push(extra_payload(kind, profile));
    }
    let payloads = types
        .into_iter()
        .zip(payloads)
        .enumerate()
        .map(|(index, (kind, mut content))| {
            let identifier = format!("{}.{index}", profile.uuid);
            content.push(("PayloadType", text(kind)));
            content.push(("PayloadVersion", Plist::Number(1)));
            content.push(("PayloadIdentifier", text(&identifier)));
            content.push(("PayloadUUID", text(&identifier)));
            content.push(("PayloadEnabled", Plist::Flag(true)));
            content.push(("PayloadOrganization", text(state.org.company)));
            Plist::Dict(content)
        })
        .collect();
    let scope = match profile.level {
        Level::Machine => "System",
        Level::User => "User",
    };
    let whole = Plist::Dict(vec![
        ("PayloadUUID", text(&profile.uuid)),
        ("PayloadType", text("Configuration")),
        ("PayloadOrganization", text(state.org.company)),
        ("PayloadIdentifier", text(&profile.identifier)),
        ("PayloadDisplayName", text(&profile.name)),
        ("PayloadDescription", text("")),
        ("PayloadVersion", Plist::Number(1)),
        ("PayloadEnabled", Plist::Flag(true)),
        ("PayloadRemovalDisallowed", Plist::Flag(true)),
        ("PayloadScope", text(scope)),
        ("PayloadContent", Plist::List(payloads)),
    ]);
    let mut out = String::from(HEAD);
    write(&mut out, &whole);
    out.push_str("</plist>");
    out
}

type Content = Vec<(&'static str, Plist)>;

fn own_payloads(state: &State, profile: &Profile) -> Vec<(&'static str, Content)> {
    match &profile.kind {
        ProfileKind::Scep { .. } => vec![(
            "com.apple.security.scep",
            vec![("PayloadContent", scep(state, profile))],
        )],
        ProfileKind::TrustedCertificate { ski } => {
            let certificate = state.org.pki.certificate(ski);
            let der = certificate.map_or_else(Vec::new, |found| found.der.to_vec());
            let content = vec![
                ("PayloadCertificateFileName", text("okta.cer")),
                ("PayloadContent", Plist::Data(der)),
            ];
            vec![("com.apple.security.pkcs1", content)]
        }
        ProfileKind::SsoExtension(extension) => {
            vec![("com.apple.extensiblesso", sso_extension(state, extension))]
        }
        ProfileKind::Other(types) => types.iter().map(|kind| (*kind, vec![])).collect(),
    }
}

fn scep(state: &State, profile: &Profile) -> Plist {
    let ProfileKind::Scep {
        all_apps_access,
        may_sign,
        issuer,
        key_bits,
        redistribute_days,
        subject,
        ..
    } = &profile.kind
    else {
        return Plist::Dict(Vec::new());
    };
    let name = subject.unwrap_or(match profile.level {
        Level::Machine => "$COMPUTERNAME managementAttestation $UDID",
        Level::User => "$EMAIL managementAttestation $UDID",
    });
    let part = |kind, value| Plist::List(vec![Plist::List(vec![text(kind), text(value)])]);
    let mut subject = vec![part("CN", name)];
    // How the API shows "Redistribute Profile" is not documented; that Jamf then tracks the certificate
    // by this variable in the subject is UNVERIFIED.
    if redistribute_days.is_some() {
        subject.push(part("OU", "$PROFILE_IDENTIFIER"));
    }
    Plist::Dict(vec![
        ("URL", text(&state.org.scep_url(Mdm::Jamf, *issuer))),
        ("Name", text("Okta attestation")),
        ("Subject", Plist::List(subject)),
        ("Challenge", text("$CHALLENGE")),
        ("Keysize", Plist::Number((*key_bits).into())),
        ("Key Type", text("RSA")),
        ("Key Usage", Plist::Number(if *may_sign { 1 } else { 4 })),
        ("Retries", Plist::Number(3)),
        ("RetryDelay", Plist::Number(10)),
        ("AllowAllAppsAccess", Plist::Flag(*all_apps_access)),
        ("KeyIsExtractable", Plist::Flag(false)),
    ])
}

fn sso_extension(state: &State, extension: &SsoExtension) -> Content {
    let org = state.org.okta_url.split("://").last();
    let org = org.filter(|_| extension.names_org);
    let others = extension.hosts.iter().copied();
    let hosts = org.into_iter().chain(others).map(text);
    vec![
        ("Type", text(extension.kind)),
        ("ExtensionIdentifier", text(extension.identifier)),
        ("TeamIdentifier", text(extension.team)),
        ("Realm", text("Okta Device")),
        ("Hosts", Plist::List(hosts.collect())),
    ]
}

/// A payload that uses the certificate of the profile's first payload.
fn extra_payload(kind: &str, profile: &Profile) -> Content {
    let certificate = format!("{}.0", profile.uuid);
    match kind {
        "com.apple.wifi.managed" => vec![
            ("SSID_STR", text("corp")),
            ("EncryptionType", text("WPA2")),
            ("PayloadCertificateUUID", text(&certificate)),
        ],
        "com.apple.security.identitypreference" => vec![
            ("Name", text("https://*.okta.com")),
            ("PayloadCertificateUUID", text(&certificate)),
        ],
        _ => vec![],
    }
}

fn text(value: &str) -> Plist {
    Plist::Text(value.to_owned())
}

fn write(out: &mut String, value: &Plist) {
    match value {
        Plist::Text(text) => {
            out.push_str("<string>");
            escape_into(out, text);
            out.push_str("</string>");
        }
        Plist::Number(number) => out.push_str(&format!("<integer>{number}</integer>")),
        Plist::Flag(flag) => out.push_str(if *flag { "<true/>" } else { "<false/>" }),
        Plist::Data(bytes) => {
            let encoded = BASE64_STANDARD.encode(bytes);
            out.push_str(&format!("<data>{encoded}</data>"));
        }
        Plist::List(items) => {
            out.push_str("<array>");
            items.iter().for_each(|item| write(out, item));
            out.push_str("</array>");
        }
        Plist::Dict(entries) => {
            out.push_str("<dict>");
            for (key, value) in entries {
                out.push_str(&format!("<key>{key}</key>"));
                write(out, value);
            }
            out.push_str("</dict>");
        }
    }
}
