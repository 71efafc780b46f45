//! A tenant for tests, with a Jamf Pro and an Intune, in which everything is right.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use connectors::{
    AppSecret, CredentialCheck, FastPassGroup, MdmSetup, Organization, PushCertificate, SignInApp,
    SignInRule,
    scep::{CaCertificate, ScepServer},
};

use super::tenant::{MdmTenant, OktaTenant, Probe, ProbeAnswer, SlackTenant, Tenant};
use crate::domain::{
    AccessPolicy, AccessRule, AttestationProfile, AuthorityCertificate, CertificateAuthority,
    CertificateStore, ChallengeKind, Coverage, GroupId, KeyStorage, MdmKind, OrgChangeSeen,
    Platform, PolicyFacts, ProfileScope, Renewal, RepairTargets, ScepConfiguration, ScepSettings,
    Shows, SsoExtensionProfile, TrustProfile, Visibility,
};

pub(super) const HOST: &str = "acme.okta.com";
pub(super) const SHA1: &str = "F5038AC488FE40678D3876285E30E7BBDEE2DF9F";
const AUTHORITY: &str = "C5108241CB6CA4339D0FA780146B8125055404E6";

pub(super) fn now() -> DateTime<Utc> {
    "2026-11-24T09:00:00Z".parse().unwrap()
}

pub(super) fn days(days: i64) -> DateTime<Utc> {
    now() + TimeDelta::days(days)
}

/// Everything is right.
pub(super) fn tenant() -> Tenant {
    let mdms = vec![
        mdm("jamf", MdmKind::Jamf, Platform::Macos),
        mdm("intune", MdmKind::Intune, Platform::Windows),
    ];
    let urls = mdms.iter().filter_map(|mdm| {
        let setup = mdm.setup.as_ref().ok()?;
        setup.profiles[0].scep.url.clone()
    });
    let probes = urls.map(|url| (url, probe())).collect();
    Tenant {
        now: now(),
        repairs: true,
        okta: okta(),
        mdms,
        probes,
        slack: Some(SlackTenant {
            rights: vec![right("use the bot token")],
            channel: Some(right("post")),
            approvers: BTreeMap::from([("usergroup:S01".into(), right("read"))]),
        }),
        approvers: BTreeMap::from([("oncall".into(), vec!["usergroup:S01".into()])]),
        beliefs: BTreeMap::new(),
    }
}

pub(super) fn right(what: &str) -> CredentialCheck {
    CredentialCheck {
        what: what.into(),
        ok: true,
        saw: "it works".into(),
        hint: "give it".into(),
        optional: false,
    }
}

fn okta() -> OktaTenant {
    let seen = Coverage {
        covered_from: Some(days(-90)),
        last_seen: Some(days(-1)),
    };
    OktaTenant {
        host: HOST.into(),
        expected: Some("00o1".into()),
        organization: Ok(Organization {
            id: "00o1".into(),
            identity_engine: true,
        }),
        rights: vec![right("list devices")],
        ahead: Some(TimeDelta::zero()),
        policies: Ok(PolicyFacts {
            complete: true,
            fastpass_active: Some(true),
            fastpass_button: Some(true),
            access_policies: vec![AccessPolicy {
                id: "pol1".into(),
                name: "Managed desktops".into(),
                rules: vec![rule("Managed devices")],
                app_ids: vec!["0oa1".into()],
            }],
        }),
        authorities: Ok(Some(vec![authority(AUTHORITY, true)])),
        changes: Ok(vec![]),
        issued: seen,
        bound: seen,
        sign_in_app: Some((
            "0oa1".into(),
            Ok(Some(SignInApp {
                label: "Device check".into(),
                active: true,
                rules: Some(vec![SignInRule {
                    name: "Managed devices".into(),
                    asks_managed: true,
                    asks_again_after: Some(TimeDelta::zero()),
                }]),
            })),
        )),
        fastpass_group: Some((
            "00g1".into(),
            Ok(Some(FastPassGroup {
                name: "FastPass users".into(),
                kind: "OKTA_GROUP".into(),
                rules: vec![],
                apps: vec![],
                roles: Some(vec![]),
            })),
        )),
    }
}

pub(super) fn rule(name: &str) -> AccessRule {
    AccessRule {
        id: "rul1".into(),
        name: name.into(),
        priority: 1,
        registered: Some(true),
        managed: Some(true),
        other_device_condition: false,
        platforms: vec![],
        groups_include: vec!["00g1".into()],
        groups_exclude: vec![],
        users_include: vec![],
        users_exclude: vec![],
        denies: false,
    }
}

pub(super) fn authority(id: &str, attests_management: bool) -> CertificateAuthority {
    CertificateAuthority {
        id: id.into(),
        attests_management,
        certificates: vec![AuthorityCertificate {
            key_id: AUTHORITY.into(),
            retiring: false,
            expires_at: Some(days(900)),
        }],
        configurations: ["racjamf", "racintune"]
            .map(|id| ScepConfiguration {
                id: id.into(),
                authority_key_id: Some(AUTHORITY.into()),
            })
            .into(),
    }
}

pub(super) fn change(event_type: &str, days_ago: i64) -> OrgChangeSeen {
    OrgChangeSeen {
        at: days(-days_ago),
        event_type: event_type.into(),
        actor: Some("ann@acme.com".into()),
        target: None,
    }
}

pub(super) fn probe() -> Probe {
    let certificate = CaCertificate {
        subject: "CN=Organization Intermediate Authority".into(),
        common_name: Some("Organization Intermediate Authority".into()),
        units: vec!["00o1".into()],
        issuer: "CN=Organization Root Authority".into(),
        serial_number: "01".into(),
        valid_from: days(-900),
        expires_at: days(900),
        key_id: Some(AUTHORITY.into()),
        is_authority: true,
        sha1: SHA1.into(),
        sha256: "AA".repeat(32),
    };
    Probe {
        at: now(),
        answer: ProbeAnswer::Works(ScepServer {
            at: Some(now()),
            capabilities: vec!["POSTPKIOperation".into(), "SHA-256".into()],
            certificates: vec![certificate],
        }),
    }
}

fn mdm(name: &str, kind: MdmKind, platform: Platform) -> MdmTenant {
    let targets = RepairTargets {
        hold_group: Some("hold".into()),
        target_group: Some("target".into()),
        ..RepairTargets::default()
    };
    let groups = ["hold", "target"].map(|id| (GroupId::from(id), Ok(Ok(()))));
    let is_mac = platform == Platform::Macos;
    MdmTenant {
        name: name.into(),
        kind,
        platforms: vec![platform],
        shows: Shows {
            certificates: Visibility::Always,
            issuer: true,
            store: true,
            profile_state: true,
            assignment: true,
            applications: true,
        },
        rights: vec![right("list computers")],
        ahead: Some(TimeDelta::zero()),
        setup: Ok(MdmSetup {
            profiles: vec![profile(name, platform)],
            sso_extensions: is_mac.then(|| vec![sso_extension()]),
            push_certificate: PushCertificate::NoWarning,
        }),
        attestation: crate::settings::Attestation::default(),
        targets,
        groups: groups.into(),
        cleanup_script: None,
        own_secret: (!is_mac).then(|| Ok(Some(secret(200)))),
        challenge_secret: (!is_mac).then(|| Ok(Some(secret(200)))),
    }
}

pub(super) fn secret(ends_in_days: i64) -> AppSecret {
    AppSecret {
        app_name: "Device repair".into(),
        ends_at: Some(days(ends_in_days)),
    }
}

pub(super) fn sso_extension() -> SsoExtensionProfile {
    SsoExtensionProfile {
        id: "30".into(),
        name: "Okta SSO extension".into(),
        extension_id: Some("com.okta.mobile.auth-service-extension".into()),
        team_id: Some("B7F62B65BN".into()),
        kind: Some("Credential".into()),
        realm: Some("Okta Device".into()),
        hosts: vec![HOST.into()],
        scope: ProfileScope::default(),
    }
}

pub(super) fn profile(mdm: &str, platform: Platform) -> AttestationProfile {
    let scope = ProfileScope {
        device_groups: vec!["target".into()],
        excluded_groups: vec!["hold".into()],
        ..ProfileScope::default()
    };
    let is_mac = platform == Platform::Macos;
    AttestationProfile {
        id: "12".into(),
        name: "Okta SCEP".into(),
        identifier: None,
        platform,
        store: Some(CertificateStore::User),
        other_payloads: Some(vec![]),
        network_uses: Some(vec![]),
        scope: scope.clone(),
        modified_at: Some(days(-300)),
        scep: ScepSettings {
            url: Some(format!("https://{HOST}/pki/{AUTHORITY}/scep/rac{mdm}")),
            challenge: Some(if is_mac {
                ChallengeKind::Dynamic
            } else {
                ChallengeKind::Delegated
            }),
            subject: Some("CN=$COMPUTERNAME managementAttestation $UDID".into()),
            key_size: Some(2048),
            digital_signature: Some(true),
            client_authentication: Some(true),
            all_apps_access: is_mac.then_some(true),
            key_storage: (!is_mac).then_some(KeyStorage::TpmElseSoftware),
            renewal: Some(Renewal::DaysBefore(30)),
            ca_fingerprint: Some(SHA1.into()),
        },
        trust: Some(TrustProfile {
            id: "13".into(),
            name: "Okta CA".into(),
            scope,
            thumbprint: Some(SHA1.into()),
            sha256: None,
            key_id: Some(AUTHORITY.into()),
        }),
    }
}
