//! Where a profile's SCEP URL leads. Okta's has the shape `/pki/{authority}/scep/{configuration}` (seen in public
//! profiles; the rest of the format is UNVERIFIED).

use url::Url;

use crate::{
    doctor::tenant::{MdmTenant, ProbeAnswer, Tenant},
    domain::{AttestationProfile, CertificateAuthority},
};

/// What a SCEP URL turned out to be.
#[derive(Debug, PartialEq)]
pub(super) enum Leads {
    /// To a configuration of this org that attests management, as far as that can be told.
    Right,
    /// To a CA that is none of Okta's.
    OwnAuthority(String),
    /// Elsewhere; in words.
    Wrong(String),
    /// The MDM does not show the URL.
    NotShown,
}

/// Authority and configuration of an Okta SCEP URL.
pub(super) fn parts(url: &Url) -> Option<(&str, &str)> {
    let mut segments = url.path_segments()?;
    let (pki, authority) = (segments.next()?, segments.next()?);
    let (scep, configuration) = (segments.next()?, segments.next()?);
    (pki == "pki" && scep == "scep" && !configuration.is_empty())
        .then_some((authority, configuration))
}

/// The SCEP URL of a profile, or of the settings where the MDM shows none.
pub(super) fn of(mdm: &MdmTenant, profile: &AttestationProfile) -> Option<Url> {
    let shown = profile.scep.url.as_deref();
    shown.or(mdm.attestation.scep_url.as_deref())?.parse().ok()
}

/// Whether a URL may be asked from here: it is the org's own, or a person wrote it into the settings.
pub(crate) fn may_be_asked(url: &Url, org_host: &str, configured: Option<&str>) -> bool {
    let own = url
        .host_str()
        .is_some_and(|host| host.eq_ignore_ascii_case(org_host));
    own || configured.is_some_and(|configured| configured == url.as_str())
}

pub(super) fn judge(tenant: &Tenant, mdm: &MdmTenant, profile: &AttestationProfile) -> Leads {
    let Some(url) = of(mdm, profile) else {
        return match &profile.scep.url {
            Some(text) => Leads::Wrong(format!("`{text}` is no URL")),
            None => Leads::NotShown,
        };
    };
    let host = url.host_str().unwrap_or_default();
    let Some((authority, configuration)) = parts(&url) else {
        return answered(tenant, &url)
            .map_or_else(|| Leads::OwnAuthority(host.into()), Leads::Wrong);
    };
    if let Some(configured) = &mdm.attestation.scep_url
        && configured != url.as_str()
    {
        return Leads::Wrong(format!(
            "its URL is {url}, but [attestation] scep_url is {configured}"
        ));
    }
    let known = tenant
        .okta
        .authorities
        .as_ref()
        .ok()
        .and_then(Option::as_ref);
    match known {
        Some(authorities) => {
            if let Some(wrong) = in_org(authorities, host, authority, configuration) {
                return Leads::Wrong(wrong);
            }
        }
        None if !may_be_asked(&url, &tenant.okta.host, mdm.attestation.scep_url.as_deref()) => {
            return Leads::Wrong(format!("it leads to {host}, not to {}", tenant.okta.host));
        }
        None => {}
    }
    answered(tenant, &url).map_or(Leads::Right, Leads::Wrong)
}

/// What Okta's own list of authorities says against it.
fn in_org(
    authorities: &[CertificateAuthority],
    host: &str,
    authority: &str,
    configuration: &str,
) -> Option<String> {
    let found = authorities
        .iter()
        .find(|known| known.id.eq_ignore_ascii_case(authority));
    let Some(found) = found else {
        return Some(format!(
            "it leads to {host} and an authority that is none of this org's"
        ));
    };
    if !found.attests_management {
        return Some(
            "it names the authority of Okta Device Access, whose certificates never attest management"
                .into(),
        );
    }
    let is_there = found
        .configurations
        .iter()
        .any(|one| one.id == configuration);
    (!is_there).then(|| format!("the SCEP configuration {configuration} is not in Okta any more"))
}

/// What the server itself says against it.
fn answered(tenant: &Tenant, url: &Url) -> Option<String> {
    match &tenant.probes.get(url.as_str())?.answer {
        ProbeAnswer::NoScepServer(saw) => Some(format!("no SCEP server answers there: {saw}")),
        ProbeAnswer::Works(_) | ProbeAnswer::Unanswered(_) => None,
    }
}
