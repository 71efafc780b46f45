//! The SCEP server: is it there, and does the device reach it?

use crate::{Cause, Confidence, ScepAnswer, Stage};

use super::{change_evidence, no_issue_evidence, outdated_by};
use crate::diagnose::{
    entry::{Entry, On, Prove, Section},
    facts::Facts,
    fleet::OrgChange,
    profile,
    verdict::{Found, Verdict, open},
};

/// C02: nothing that speaks SCEP answers at the profile's URL, or it is not this org's.
pub(in crate::diagnose) static URL_WRONG: Entry = Entry {
    cause: Cause::CaScepUrlWrong,
    section: Section::CertificateAuthority,
    stage: Some(Stage::ProfileDelivered),
    on: On::Desktops,
    mdms: "all",
    confidence: Confidence::High,
    evidence: "a probe of the profile's URL finds no SCEP server; or the URL's host is not the org's; or `device.platform.delete` after the profile's last edit",
    person: "Okta and MDM admin: correct the URL or set the platform up again, pilot, distribute; a new platform means a new URL and secret in every profile",
    neighbours: &[Cause::CaStaticSecretRotated, Cause::CaScepUnreachable],
    prove: Prove::OfUser(url_wrong),
};

fn url_wrong(facts: &Facts<'_, '_>) -> Verdict {
    let Some(trouble) = facts.trouble() else {
        return Verdict::NoFault("nothing says that a certificate was asked for in vain");
    };
    let url = facts.scep().and_then(|scep| scep.url.as_deref());
    let found = |confidence, evidence| {
        Found::new(Cause::CaScepUrlWrong, confidence, evidence)
            .worded(trouble.error)
            .since(trouble.since)
            .into()
    };
    let probe = url.and_then(|url| {
        let probes = &facts.settings.scep_probes;
        probes.iter().find(|probe| same_url(&probe.url, url))
    });
    if let Some(probe) = probe
        && let ScepAnswer::NoScepServer { saw } = &probe.answer
    {
        let mut seen = facts.okta_says("scep.probe", saw, Some(probe.at));
        "scep".clone_into(&mut seen.source);
        return found(profile::sure(facts), vec![trouble.evidence(facts), seen]);
    }
    if let Some(url) = url
        && is_of_another_org(url, &facts.settings.org_hosts)
    {
        let evidence = vec![
            trouble.evidence(facts),
            facts.mdm_says("profile.scep_url", url, None),
        ];
        return found(Confidence::Medium, evidence);
    }
    if let Some(outdated) = outdated_by(facts, trouble, OrgChange::PlatformDeleted) {
        let mut evidence = vec![
            trouble.evidence(facts),
            change_evidence(facts, outdated.change),
        ];
        evidence.extend(no_issue_evidence(facts, outdated.change.at));
        return found(outdated.confidence, evidence);
    }
    match probe.map(|probe| &probe.answer) {
        Some(ScepAnswer::Works { .. }) => {
            Verdict::NoFault("a SCEP server answers at the profile's URL")
        }
        _ => Verdict::NoFault("nothing speaks against the profile's SCEP URL"),
    }
}

/// Windows shows the URL with its own ending.
fn same_url(a: &str, b: &str) -> bool {
    let bare = |url: &str| -> usize {
        let url = url.trim_end_matches('/');
        url.strip_suffix("/pkiclient.exe").unwrap_or(url).len()
    };
    a.get(..bare(a)) == b.get(..bare(b))
}

/// Whether an address names a host that is none of the org's; false where the org's hosts are not known.
pub(in crate::diagnose) fn is_of_another_org(url: &str, hosts: &[String]) -> bool {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let host = rest.split(['/', ':', '?']).next().unwrap_or(rest);
    !hosts.is_empty() && !host.is_empty() && !hosts.iter().any(|own| own.eq_ignore_ascii_case(host))
}

/// C14: the device does not reach the SCEP host.
pub(in crate::diagnose) static UNREACHABLE: Entry = Entry {
    cause: Cause::CaScepUnreachable,
    section: Section::CertificateAuthority,
    stage: Some(Stage::ProfileDelivered),
    on: On::Desktops,
    mdms: "all",
    confidence: Confidence::Low,
    evidence: "only as a fleet finding: at one site the profile fails with words of a timeout or of TLS, elsewhere it does not; of one computer such words pass by themselves, or a person checks",
    person: "Network admin: let the org's domain pass without inspection; resend once the device is in another network",
    neighbours: &[Cause::CaScepUrlWrong],
    prove: Prove::OfUser(unreachable),
};

/// Words of clients that do not get through. The hex codes are those of Windows for time-out, name and connection; that
/// an MDM passes them on is UNVERIFIED.
const NO_WAY_THROUGH: [&str; 12] = [
    "timed out",
    "timeout",
    "could not connect",
    "cannot connect",
    "unable to connect",
    "connection was lost",
    "TLS",
    "SSL",
    "certificate for this server is invalid",
    "0x80072ee2",
    "0x80072ee7",
    "0x80072efd",
];

fn unreachable(facts: &Facts<'_, '_>) -> Verdict {
    let Some(trouble) = facts.trouble() else {
        return Verdict::NoFault("nothing says that a certificate was asked for in vain");
    };
    if trouble.says(&NO_WAY_THROUGH) {
        return open(
            "the error is of a kind that passes by itself, or that a network makes for all who are in it",
            "compare with other computers at that site; if they fail alike, let the network pass the org's domain without inspection",
        );
    }
    open(
        "no API shows whether the computer's network lets it reach the SCEP host",
        "on the computer, in its own network, open the profile's SCEP URL with ?operation=GetCACaps: it must answer \"POSTPKIOperation\"",
    )
}
