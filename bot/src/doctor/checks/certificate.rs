//! Section 3: whether certificates are issued, known to the bot, and bound at sign-ins.

use chrono::{DateTime, TimeDelta, Utc};

use super::{NO_MDM, authority, names};
use crate::{
    doctor::{
        check::{Checklist, Section},
        tenant::{MdmTenant, Tenant},
    },
    domain::{Coverage, Visibility},
};

/// In a fleet that is in use, certificates come and are bound more often than this.
const QUIET_FOR: TimeDelta = TimeDelta::days(30);

pub(super) fn examine(tenant: &Tenant, list: &mut Checklist) {
    list.section(Section::Certificate);
    seen(
        list,
        "certificate.issued",
        tenant.okta.issued,
        tenant.now,
        "a certificate was issued",
        "try one device: deliver the SCEP profile anew and look for `pki.cert.issue` in Okta's log",
    );
    seen(
        list,
        "certificate.bound",
        tenant.okta.bound,
        tenant.now,
        "a certificate was bound",
        "sign in to Okta with FastPass on a managed computer and look for `pki.cert.bind` in Okta's log",
    );
    if tenant.mdms.is_empty() {
        list.skipped("mdm.issuer", NO_MDM);
    }
    for mdm in &tenant.mdms {
        issuer(tenant, mdm, list);
        visibility(mdm, list);
    }
}

fn seen(
    list: &mut Checklist,
    id: &str,
    coverage: Coverage,
    now: DateTime<Utc>,
    what: &str,
    advice: &str,
) {
    match (coverage.last_seen, coverage.covered_from) {
        (Some(last), _) if now - last < QUIET_FOR => list.ok(
            id,
            format!("the last time that {what} was {}", last.format("%-d %b %Y")),
        ),
        (last, Some(from)) if now - from >= QUIET_FOR => {
            let since = last.unwrap_or(from).format("%-d %b %Y");
            list.warning(
                id,
                format!("no sign in Okta's log that {what} since {since}"),
                advice,
            );
        }
        (_, Some(from)) => list.skipped(
            id,
            format!(
                "Okta's log is covered from {} only",
                from.format("%-d %b %Y")
            ),
        ),
        (_, None) => list.skipped(id, "Okta's log was not read yet; `unstuck sweep` reads it"),
    }
}

/// Whether the bot would know the certificates of the CA behind the profiles.
fn issuer(tenant: &Tenant, mdm: &MdmTenant, list: &mut Checklist) {
    let id = format!("{}.issuer", mdm.name);
    if list.failed(&format!("{}.scep_url", mdm.name)) {
        return list.skipped(id, format!("see {}.scep_url", mdm.name));
    }
    match authority::unknown_issuers(tenant, mdm) {
        None => list.skipped(id, "no SCEP server was asked"),
        Some(unknown) if unknown.is_empty() => {
            list.ok(id, "[attestation] issuers names the CA behind the profiles");
        }
        Some(unknown) => list.failure(
            id,
            format!("{} is not in [attestation] issuers", names(unknown.iter().map(String::as_str))),
            "add its common name to [attestation] issuers: the bot takes its certificates for foreign ones",
        ),
    }
}

/// What this MDM can prove at all.
fn visibility(mdm: &MdmTenant, list: &mut Checklist) {
    let id = format!("{}.certificates_shown", mdm.name);
    match mdm.shows.certificates {
        Visibility::Always => list.ok(id, "the MDM lists certificates; a missing one is proved"),
        Visibility::PresenceOnly => list.ok(
            id,
            "the MDM lists a certificate only where the CA reports it; a missing row proves nothing",
        ),
        Visibility::Never => list.skipped(id, "the MDM lists no certificates; Okta's log has to do"),
    }
}
