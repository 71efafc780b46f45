//! Section 1: Okta's certificate authorities, where profiles' SCEP URLs lead, and changes that profiles did not follow.
//!
//! The Early Access API tells most; where it is off, the SCEP server itself and the System Log do.

use chrono::{DateTime, TimeDelta, Utc};
use connectors::scep::{CaCertificate, ScepServer};

use super::{
    access, main_profiles, names, profiles,
    scep_url::{self, Leads},
};
use crate::{
    doctor::{
        check::{Checklist, Section},
        tenant::{MdmTenant, ProbeAnswer, Tenant},
    },
    domain::{
        AttestationProfile, CertificateAuthority, ChallengeKind, MdmKind, OrgChangeSeen,
        ScepConfiguration,
    },
};

/// A new CA certificate has to reach every device before the old one ends.
const AUTHORITY_WARNS: TimeDelta = TimeDelta::days(180);
/// Events of a CA that want a person, for so long after they happened.
const EVENTS_SPEAK_FOR: TimeDelta = TimeDelta::days(30);

pub(super) fn examine(tenant: &Tenant, list: &mut Checklist) {
    list.section(Section::Authority);
    expiry(tenant, list);
    rotation(tenant, list);
    for mdm in &tenant.mdms {
        url(tenant, mdm, list);
        server(tenant, mdm, list);
        trust(tenant, mdm, list);
        secret_reset(tenant, mdm, list);
        if let Some(read) = &mdm.challenge_secret {
            access::secret(
                list,
                format!("{}.challenge_secret", mdm.name),
                read,
                tenant.now,
                "make a new secret for that app in Entra, and enter it in Okta: Device integrations, Endpoint management, \
                 Actions, Edit",
            );
        }
    }
    warnings(tenant, list);
}

fn authorities(tenant: &Tenant) -> Option<&[CertificateAuthority]> {
    tenant.okta.authorities.as_ref().ok()?.as_deref()
}

/// Certificates that SCEP servers issue under, one of each.
fn served(tenant: &Tenant) -> Vec<&CaCertificate> {
    let mut served: Vec<&CaCertificate> = Vec::new();
    for probe in tenant.probes.values() {
        let ProbeAnswer::Works(server) = &probe.answer else {
            continue;
        };
        for certificate in authorities_of(server) {
            if !served
                .iter()
                .any(|known| known.sha256 == certificate.sha256)
            {
                served.push(certificate);
            }
        }
    }
    served
}

/// The certificates that issue; a registration authority's only talks. A server may send one that does not say so.
fn authorities_of(server: &ScepServer) -> impl Iterator<Item = &CaCertificate> {
    let marked = server.certificates.iter().any(|one| one.is_authority);
    server
        .certificates
        .iter()
        .filter(move |one| one.is_authority || !marked)
}

fn expiry(tenant: &Tenant, list: &mut Checklist) {
    let id = "ca.expiry";
    // The one that is in use: a retiring certificate is judged by the configurations that still name it.
    let of_api = authorities(tenant).unwrap_or_default().iter();
    let of_api = of_api
        .filter(|authority| authority.attests_management)
        .flat_map(|authority| &authority.certificates)
        .filter(|certificate| !certificate.retiring)
        .filter_map(|certificate| certificate.expires_at);
    let of_servers = served(tenant).into_iter().map(|one| one.expires_at);
    let first = of_api.min().or(of_servers.min());
    let Some(first) = first else {
        let why = match &tenant.okta.authorities {
            Err(unread) => unread.why.clone(),
            Ok(_) => {
                "Okta's CA API (Early Access) is not on here, and no SCEP server was asked".into()
            }
        };
        return list.skipped(id, why);
    };
    let saw = format!("Okta's CA certificate is valid until {}", day(first));
    let advice = "Okta makes the next certificate by itself; then upload it to every MDM, and move each SCEP configuration onto it";
    if first <= tenant.now {
        list.failure(
            id,
            format!("Okta's CA certificate ended on {}", day(first)),
            advice,
        );
    } else if first - tenant.now < AUTHORITY_WARNS {
        list.warning(id, saw, advice);
    } else {
        list.ok(id, saw);
    }
}

/// A configuration that still names a certificate which Okta replaced.
fn rotation(tenant: &Tenant, list: &mut Checklist) {
    let id = "ca.rotation";
    let Some(authorities) = authorities(tenant) else {
        return rotation_by_log(tenant, list);
    };
    let mut left = Vec::new();
    let mut ends = Vec::new();
    for authority in authorities.iter().filter(|one| one.attests_management) {
        for certificate in authority.certificates.iter().filter(|one| one.retiring) {
            let behind = authority
                .configurations
                .iter()
                .filter(|one| one.authority_key_id.as_ref() == Some(&certificate.key_id));
            for configuration in behind {
                left.push(told_by_profiles(tenant, configuration));
                ends.extend(certificate.expires_at);
            }
        }
    }
    if left.is_empty() {
        return list.ok(
            id,
            "every SCEP configuration names the CA certificate in use",
        );
    }
    let until = ends.iter().min().map_or_else(String::new, |end| {
        format!("; the old certificate is valid until {}", day(*end))
    });
    list.warning(
        id,
        format!(
            "Okta's CA was renewed, and still on the old certificate: {}{until}",
            left.join(", ")
        ),
        "give every MDM the new CA certificate first, then move the configuration: rollover for Jamf Pro, parallel for Intune",
    );
}

fn told_by_profiles(tenant: &Tenant, configuration: &ScepConfiguration) -> String {
    let using = tenant.mdms.iter().flat_map(|mdm| {
        profiles(mdm)
            .iter()
            .filter(|profile| names_configuration(mdm, profile, &configuration.id))
            .map(move |profile| format!("{} \"{}\"", mdm.name, profile.name))
    });
    let using: Vec<String> = using.collect();
    if using.is_empty() {
        configuration.id.clone()
    } else {
        format!("{} (used by {})", configuration.id, using.join(", "))
    }
}

fn names_configuration(mdm: &MdmTenant, profile: &AttestationProfile, id: &str) -> bool {
    let url = scep_url::of(mdm, profile);
    url.as_ref()
        .and_then(scep_url::parts)
        .is_some_and(|(_, configuration)| configuration == id)
}

/// Without the API: a renewal in the log, and no profile edited since.
fn rotation_by_log(tenant: &Tenant, list: &mut Checklist) {
    let id = "ca.rotation";
    let changes = match &tenant.okta.changes {
        Ok(changes) => changes,
        Err(unread) => return list.skipped(id, unread.why.clone()),
    };
    let renewed = newest(changes, &["pki.ca.renew", "device.platform.renew"]);
    let Some(renewed) = renewed else {
        return list.ok(id, "no CA was renewed in the last 90 days");
    };
    let behind = tenant.mdms.iter().flat_map(profiles);
    let behind = behind.filter(|profile| profile.modified_at.is_none_or(|at| at < renewed.at));
    let behind = names(behind.map(|profile| profile.name.as_str()));
    if behind.is_empty() {
        return list.ok(
            id,
            format!("renewed on {}, profiles edited since", day(renewed.at)),
        );
    }
    list.warning(
        id,
        format!("Okta's CA was renewed on {}, and not edited since: {behind}", day(renewed.at)),
        "compare the CA certificate in the MDM with the one in Okta: Device integrations, Certificate authority",
    );
}

fn url(tenant: &Tenant, mdm: &MdmTenant, list: &mut Checklist) {
    let id = format!("{}.scep_url", mdm.name);
    if profiles(mdm).is_empty() {
        return list.skipped(
            id,
            format!("no profile to look at, see {}.profile", mdm.name),
        );
    }
    let (mut wrong, mut right, mut own) = (Vec::new(), 0, Vec::new());
    for profile in profiles(mdm) {
        match scep_url::judge(tenant, mdm, profile) {
            Leads::Wrong(why) => wrong.push(format!("\"{}\": {why}", profile.name)),
            Leads::Right => right += 1,
            Leads::OwnAuthority(host) => own.push(host),
            Leads::NotShown => {}
        }
    }
    if !wrong.is_empty() {
        list.failure(
            id,
            wrong.join("; "),
            "copy the SCEP URL anew from Okta (Device integrations, Endpoint management) and try it on one device; saving the \
             profile re-issues certificates for its whole scope",
        );
    } else if !own.is_empty() {
        list.ok(id, format!("a CA of your own, {}", own.join(", ")));
    } else if right > 0 {
        list.ok(
            id,
            format!("{}: to this org's management attestation", some(right)),
        );
    } else {
        list.skipped(
            id,
            "the MDM does not show the URL; set [attestation] scep_url",
        );
    }
}

/// What the SCEP server behind the profiles can do.
fn server(tenant: &Tenant, mdm: &MdmTenant, list: &mut Checklist) {
    let id = format!("{}.scep_server", mdm.name);
    if list.failed(&format!("{}.scep_url", mdm.name)) {
        return list.skipped(id, format!("see {}.scep_url", mdm.name));
    }
    let urls = profiles(mdm)
        .iter()
        .filter_map(|profile| scep_url::of(mdm, profile));
    let probes: Vec<_> = urls
        .filter_map(|url| tenant.probes.get(url.as_str()))
        .collect();
    let mut works = None;
    for probe in &probes {
        match &probe.answer {
            ProbeAnswer::Works(server) => {
                for needed in ["POSTPKIOperation", "SHA-256"] {
                    if !server.can(needed) {
                        return list.failure(
                            id,
                            format!(
                                "it does not offer {needed}, only {}",
                                server.capabilities.join(", ")
                            ),
                            "check that the URL leads to Okta's SCEP server and not to a proxy",
                        );
                    }
                }
                works = Some(server);
            }
            ProbeAnswer::Unanswered(why) => {
                return list.warning(
                    id,
                    format!("it does not answer from here: {why}"),
                    "allow this machine to reach the org, and check the way of the devices, which may be another",
                );
            }
            // Told by the URL's own check.
            ProbeAnswer::NoScepServer(_) => {}
        }
    }
    match works {
        Some(server) => list.ok(
            id,
            format!("answers, offers {}", server.capabilities.join(", ")),
        ),
        None => list.skipped(id, "no SCEP URL of this org is known here"),
    }
}

/// Whether the CA certificate that profiles pin or bring is the one that the server issues under.
fn trust(tenant: &Tenant, mdm: &MdmTenant, list: &mut Checklist) {
    let id = format!("{}.ca_certificate", mdm.name);
    if list.failed(&format!("{}.scep_url", mdm.name)) {
        return list.skipped(id, format!("see {}.scep_url", mdm.name));
    }
    let (mut wrong, mut right) = (Vec::new(), 0);
    for profile in profiles(mdm) {
        match issues_under(tenant, mdm, profile) {
            Some(true) => right += 1,
            Some(false) => wrong.push(profile.name.as_str()),
            None => {}
        }
    }
    if !wrong.is_empty() {
        list.failure(
            id,
            format!(
                "{} bring another CA certificate than Okta issues under",
                names(wrong.into_iter())
            ),
            "download the CA certificate from Okta, add it to the MDM beside the old one, and select it in the SCEP profile",
        );
    } else if right > 0 {
        list.ok(
            id,
            format!("{}: the certificate that Okta issues under", some(right)),
        );
    } else {
        list.skipped(
            id,
            "no thumbprint to compare: not shown by the MDM, or no SCEP server asked",
        );
    }
}

/// `None`: nothing to compare.
fn issues_under(tenant: &Tenant, mdm: &MdmTenant, profile: &AttestationProfile) -> Option<bool> {
    let url = scep_url::of(mdm, profile)?;
    let trust = profile.trust.as_ref();
    let pins = [
        profile.scep.ca_fingerprint.as_deref(),
        trust.and_then(|trust| trust.thumbprint.as_deref()),
        trust.and_then(|trust| trust.sha256.as_deref()),
    ];
    let pins: Vec<&str> = pins.into_iter().flatten().collect();
    let probe = tenant.probes.get(url.as_str()).map(|probe| &probe.answer);
    if let Some(ProbeAnswer::Works(server)) = probe
        && !pins.is_empty()
    {
        return Some(pins.iter().all(|pin| {
            let mut served = server.certificates.iter();
            served.any(|certificate| certificate.has_fingerprint(pin))
        }));
    }
    // The API knows keys only.
    let key = trust?.key_id.as_deref()?;
    let (authority, configuration) = scep_url::parts(&url)?;
    let known = authorities(tenant)?
        .iter()
        .find(|known| known.id.eq_ignore_ascii_case(authority))?;
    let named = known
        .configurations
        .iter()
        .find(|known| known.id == configuration)?
        .authority_key_id
        .as_deref()?;
    Some(named.eq_ignore_ascii_case(key))
}

/// A secret that was reset after the profile was last edited: new deliveries fail, old certificates go on working.
fn secret_reset(tenant: &Tenant, mdm: &MdmTenant, list: &mut Checklist) {
    let id = format!("{}.scep_secret", mdm.name);
    // Intune makes its challenges itself; what can end there is the secret of the app in Entra.
    let has_secret = |profile: &&AttestationProfile| match profile.scep.challenge {
        Some(kind) => kind != ChallengeKind::Delegated,
        None => mdm.kind != MdmKind::Intune,
    };
    let concerned: Vec<_> = profiles(mdm).iter().filter(has_secret).collect();
    if concerned.is_empty() {
        return;
    }
    let changes = match &tenant.okta.changes {
        Ok(changes) => changes,
        Err(unread) => return list.skipped(id, unread.why.clone()),
    };
    let Some(reset) = newest(changes, &["device.platform.secret_key.reset"]) else {
        return list.ok(id, "not reset in the last 90 days");
    };
    let since = day(reset.at);
    let behind = concerned
        .iter()
        .filter(|profile| profile.modified_at.is_some_and(|at| at < reset.at));
    let behind = names(behind.map(|profile| profile.name.as_str()));
    let issued = tenant.okta.issued.last_seen.is_some_and(|at| at > reset.at);
    let not_shown = concerned
        .iter()
        .any(|profile| profile.modified_at.is_none());
    let advice =
        "enter the new secret in the MDM and try one device; never reset it again as a remedy";
    let by = by(reset);
    if !behind.is_empty() {
        list.failure(
            id,
            format!("reset on {since}{by}, after the last edit of {behind}"),
            advice,
        );
    } else if not_shown && !issued {
        list.warning(
            id,
            format!(
                "reset on {since}{by}; the MDM does not show when its profile was last edited, and no certificate was issued since"
            ),
            advice,
        );
    } else if issued {
        list.ok(
            id,
            format!("reset on {since}, certificates were issued since"),
        );
    } else {
        list.ok(id, format!("reset on {since}, profiles edited since"));
    }
}

/// Events of CAs that want a person: a CA of one's own that ends, was deleted, or whose list cannot be read.
fn warnings(tenant: &Tenant, list: &mut Checklist) {
    let id = "ca.warnings";
    let changes = match &tenant.okta.changes {
        Ok(changes) => changes,
        Err(unread) => return list.skipped(id, unread.why.clone()),
    };
    const WORRYING: [&str; 4] = [
        "pki.ca.expiration.warn",
        "pki.ca.delete",
        "pki.ca.scope.mapping.update",
        "pki.cert.crl_download_failure",
    ];
    let recent = changes
        .iter()
        .filter(|change| tenant.now - change.at < EVENTS_SPEAK_FOR)
        .filter(|change| WORRYING.contains(&change.event_type.as_str()));
    let told: Vec<String> = recent
        .map(|change| format!("{} on {}{}", change.event_type, day(change.at), by(change)))
        .collect();
    if told.is_empty() {
        list.ok(id, "Okta's log warns of no CA in the last 30 days");
    } else {
        list.warning(
            id,
            told.join("; "),
            "look at Device integrations, Certificate authority in the Admin Console: certificates of that CA may stop attesting",
        );
    }
}

/// The newest change of one of these kinds.
fn newest<'a>(changes: &'a [OrgChangeSeen], kinds: &[&str]) -> Option<&'a OrgChangeSeen> {
    changes
        .iter()
        .filter(|change| kinds.contains(&change.event_type.as_str()))
        .max_by_key(|change| change.at)
}

fn by(change: &OrgChangeSeen) -> String {
    change
        .actor
        .as_ref()
        .map_or_else(String::new, |actor| format!(" by {actor}"))
}

/// The profiles that were compared.
fn some(count: usize) -> String {
    match count {
        1 => "1 profile".into(),
        more => format!("{more} profiles"),
    }
}

fn day(at: DateTime<Utc>) -> String {
    at.format("%-d %b %Y").to_string()
}

/// Issuers that the settings know, against what the servers issue under; for section 3.
pub(super) fn unknown_issuers(tenant: &Tenant, mdm: &MdmTenant) -> Option<Vec<String>> {
    let urls = main_profiles(mdm).filter_map(|profile| scep_url::of(mdm, profile));
    let mut servers = urls
        .filter_map(|url| tenant.probes.get(url.as_str()))
        .filter_map(|probe| match &probe.answer {
            ProbeAnswer::Works(server) => Some(server),
            _ => None,
        })
        .peekable();
    servers.peek()?;
    let known = |certificate: &&CaCertificate| {
        let subject = certificate.subject.to_lowercase();
        mdm.attestation
            .issuers
            .iter()
            .any(|issuer| subject.contains(&issuer.to_lowercase()))
    };
    Some(
        servers
            .flat_map(authorities_of)
            .filter(|certificate| !known(certificate))
            .map(|certificate| certificate.subject.clone())
            .collect(),
    )
}
