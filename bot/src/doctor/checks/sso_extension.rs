//! Section 6: Okta's SSO extension on Macs, without which Safari and apps do not reach Okta Verify by themselves.

use super::names;
use crate::{
    doctor::{
        check::{Checklist, Section},
        tenant::{MdmTenant, Tenant},
    },
    domain::{Platform, SsoExtensionProfile},
};

const EXTENSION: &str = "com.okta.mobile.auth-service-extension";
const TEAM: &str = "B7F62B65BN";
const REALM: &str = "Okta Device";
/// Platform SSO uses the same extension with another type; it does not stand for this one.
const CREDENTIAL: &str = "Credential";

pub(super) fn examine(tenant: &Tenant, list: &mut Checklist) {
    list.section(Section::SsoExtension);
    let mut macs = tenant
        .mdms
        .iter()
        .filter(|mdm| mdm.platforms.contains(&Platform::Macos))
        .peekable();
    if macs.peek().is_none() {
        list.skipped(
            "mdm.sso_extension",
            "no [[mdm]] of the settings manages Macs",
        );
    }
    for mdm in macs {
        extension(tenant, mdm, list);
    }
}

fn extension(tenant: &Tenant, mdm: &MdmTenant, list: &mut Checklist) {
    let id = format!("{}.sso_extension", mdm.name);
    let found = match &mdm.setup {
        Ok(setup) => setup.sso_extensions.as_deref(),
        Err(_) => return list.skipped(id, format!("see {}.profile", mdm.name)),
    };
    let Some(found) = found else {
        return list.skipped(id, "the MDM does not show SSO extension profiles");
    };
    let ours: Vec<&SsoExtensionProfile> = found
        .iter()
        .filter(|one| {
            one.kind
                .as_deref()
                .is_none_or(|kind| kind.eq_ignore_ascii_case(CREDENTIAL))
        })
        .collect();
    if ours.is_empty() {
        return list.warning(
            id,
            "no profile with Okta's SSO extension",
            format!(
                "without it Safari asks people to open Okta Verify; deliver a profile with {EXTENSION}, team {TEAM}, type {CREDENTIAL}, \
                 realm {REALM}, host {}",
                tenant.okta.host
            ),
        );
    }
    list.ok(id, names(ours.iter().map(|one| one.name.as_str())));
    payload(mdm, &ours, list);
    hosts(tenant, mdm, &ours, list);
    conflict(tenant, mdm, &ours, list);
}

fn payload(mdm: &MdmTenant, ours: &[&SsoExtensionProfile], list: &mut Checklist) {
    let mut wrong = Vec::new();
    for one in ours {
        let fields = [
            ("extension", one.extension_id.as_deref(), EXTENSION),
            ("team", one.team_id.as_deref(), TEAM),
            ("realm", one.realm.as_deref(), REALM),
        ];
        for (what, value, expected) in fields {
            if let Some(value) = value.filter(|value| *value != expected) {
                wrong.push(format!(
                    "\"{}\": {what} {value} instead of {expected}",
                    one.name
                ));
            }
        }
    }
    let id = format!("{}.sso_payload", mdm.name);
    if wrong.is_empty() {
        list.ok(id, "extension, team and realm as Okta gives them");
    } else {
        list.failure(
            id,
            wrong.join("; "),
            "correct the profile; the values are case-sensitive",
        );
    }
}

fn hosts(tenant: &Tenant, mdm: &MdmTenant, ours: &[&SsoExtensionProfile], list: &mut Checklist) {
    let id = format!("{}.sso_hosts", mdm.name);
    let host = &tenant.okta.host;
    let named = || ours.iter().flat_map(|one| &one.hosts);
    let with_scheme = named().find(|one| one.contains("://"));
    if let Some(with_scheme) = with_scheme {
        list.failure(
            id,
            format!("`{with_scheme}` is an address"),
            "write hosts without a scheme",
        );
    } else if named().any(|one| is_host(one, host)) {
        list.ok(id, format!("names {host}"));
    } else {
        let named: Vec<&str> = named().map(String::as_str).collect();
        list.failure(
            id,
            format!("{host} is not among its hosts: {}", named.join(", ")),
            format!("add {host} to Hosts, and your own sign-in domain if you have one"),
        );
    }
}

/// Two profiles for one host; what then happens is UNVERIFIED.
fn conflict(tenant: &Tenant, mdm: &MdmTenant, ours: &[&SsoExtensionProfile], list: &mut Checklist) {
    let host = &tenant.okta.host;
    let claims = |one: &&&SsoExtensionProfile| one.hosts.iter().any(|named| is_host(named, host));
    let claiming: Vec<&str> = ours
        .iter()
        .filter(claims)
        .map(|one| one.name.as_str())
        .collect();
    if claiming.len() > 1 {
        list.warning(
            format!("{}.sso_conflict", mdm.name),
            format!("{} all claim {host}", names(claiming.into_iter())),
            "keep one of them per Mac",
        );
    }
}

/// Hosts are written without a port; one that stands there is no other host.
fn is_host(named: &str, host: &str) -> bool {
    let name = named.split(':').next().unwrap_or_default();
    name.eq_ignore_ascii_case(host)
}
