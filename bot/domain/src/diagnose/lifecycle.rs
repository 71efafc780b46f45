//! Okta's own records: stale reads, suspension, deactivation, old twins.

use chrono::{DateTime, Utc};

use crate::{
    Cause, Confidence, ManagementStatus, OktaDevice, OktaDeviceStatus, Stage,
    correlate::effective_links, detect,
};

use super::{
    entry::{Entry, On, Prove, Section},
    facts::{Facts, time},
    verdict::{Found, Verdict, not_enough},
};

/// C59: the list is out of date; by id the link is managed.
pub(super) static STALE_READ: Entry = Entry {
    cause: Cause::OktaSearchStaleRead,
    section: Section::Records,
    stage: Some(Stage::Managed),
    on: On::Desktops,
    mdms: "all",
    confidence: Confidence::High,
    evidence: "the list says `NOT_MANAGED`, the read by id says `MANAGED`",
    person: "Nobody: it is confirmed by id and dropped",
    neighbours: &[],
    prove: Prove::OfUser(stale_read),
};

fn stale_read(facts: &Facts<'_, '_>) -> Verdict {
    if !detect::is_managed_by_id(facts.subject) {
        return Verdict::NoFault("read by id, it is not managed either");
    }
    let evidence = vec![facts.management_status()];
    Found::new(Cause::OktaSearchStaleRead, Confidence::High, evidence).into()
}

/// The answer had no management status at all: nothing can be concluded from the link.
pub(super) fn status_shown(facts: &Facts<'_, '_>) -> Verdict {
    match facts.link.management_status {
        Some(_) => Verdict::NoFault("Okta shows a management status"),
        None => not_enough("Okta shows no management status for this user on this device"),
    }
}

/// C55: suspended. The certificate is untouched, but nothing attests while it lasts.
pub(super) static SUSPENDED: Entry = Entry {
    cause: Cause::OktaDeviceSuspended,
    section: Section::Records,
    stage: Some(Stage::OvRegistered),
    on: On::Desktops,
    mdms: "all",
    confidence: Confidence::High,
    evidence: "`status` SUSPENDED; actor by the log",
    person: "Security: ask who suspended it and why, then unsuspend; it may be a hold",
    neighbours: &[Cause::OktaDeviceDeactivated],
    prove: Prove::OfUser(suspended),
};

fn suspended(facts: &Facts<'_, '_>) -> Verdict {
    if facts.device.status != OktaDeviceStatus::Suspended {
        return Verdict::NoFault("the Okta record is not suspended");
    }
    Found::new(Cause::OktaDeviceSuspended, Confidence::High, status(facts))
        .since(changed_at(facts))
        .into()
}

/// C56: deactivated. Links, factors and certificate are gone for good.
pub(super) static DEACTIVATED: Entry = Entry {
    cause: Cause::OktaDeviceDeactivated,
    section: Section::Records,
    stage: Some(Stage::OvRegistered),
    on: On::Desktops,
    mdms: "all",
    confidence: Confidence::High,
    evidence: "`status` DEACTIVATED; also of a record without users, in `unlinked`",
    person: "Okta admin: activate only if it is wanted; the user enrols Okta Verify again, the certificate must be new",
    neighbours: &[Cause::OktaDeviceSuspended],
    prove: Prove::OfUser(deactivated),
};

fn deactivated(facts: &Facts<'_, '_>) -> Verdict {
    if facts.device.status != OktaDeviceStatus::Deactivated {
        return Verdict::NoFault("the Okta record is not deactivated");
    }
    Found::new(
        Cause::OktaDeviceDeactivated,
        Confidence::High,
        status(facts),
    )
    .since(changed_at(facts))
    .into()
}

/// A status that this program does not know says nothing about the way to managed.
pub(super) fn known_status(facts: &Facts<'_, '_>) -> Verdict {
    match &facts.device.status {
        OktaDeviceStatus::Other(_) => {
            not_enough("the Okta record has a status that is not known here")
        }
        _ => Verdict::NoFault("the Okta record has a known status"),
    }
}

/// When the lifecycle last changed, by the log; else when the record last moved.
fn changed_at(facts: &Facts<'_, '_>) -> Option<DateTime<Utc>> {
    let change = facts.observations().log.lifecycle.get(&facts.device.id);
    change.map(|change| change.at).or(facts.device.last_updated)
}

fn status(facts: &Facts<'_, '_>) -> Vec<crate::Evidence> {
    let word = match &facts.device.status {
        OktaDeviceStatus::Active => "ACTIVE",
        OktaDeviceStatus::Created => "CREATED",
        OktaDeviceStatus::Suspended => "SUSPENDED",
        OktaDeviceStatus::Deactivated => "DEACTIVATED",
        OktaDeviceStatus::Other(word) => word,
    };
    let mut evidence = vec![facts.okta_says("device.status", word, facts.device.last_updated)];
    if let Some(change) = facts.observations().log.lifecycle.get(&facts.device.id) {
        let actor = change.actor.as_deref().unwrap_or("unknown");
        evidence.push(facts.okta_says("device.lifecycle.actor", actor, Some(change.at)));
    }
    evidence
}

/// C57: an old record of a computer that registered again. It will never be managed; the newer one is what counts.
///
/// One record per OS user is possible on shared computers, so that a newer record of somebody else alone proves nothing.
pub(super) static OLD_TWIN: Entry = Entry {
    cause: Cause::OktaDuplicateRecords,
    section: Section::Records,
    stage: Some(Stage::OvRegistered),
    on: On::Desktops,
    mdms: "all",
    confidence: Confidence::Medium,
    evidence: "a newer record of the same hardware that the user is managed on, or that was registered after this one was last used",
    person: "Two approvers: delete the dead record once nobody uses it and its certificate is not the one in use",
    neighbours: &[Cause::CertBoundToOther],
    prove: Prove::OfUser(old_twin),
};

fn old_twin(facts: &Facts<'_, '_>) -> Verdict {
    let Some(used) = facts.device.last_updated else {
        return Verdict::NoFault("there is no newer record in use that replaced this one");
    };
    let replaced = |twin: &&&OktaDevice| {
        twin.status == OktaDeviceStatus::Active
            && twin.last_updated.is_some_and(|at| at > used)
            && replaces(facts, twin, used)
    };
    let Some(twin) = facts.subject.twins.iter().find(replaced) else {
        return Verdict::NoFault("there is no newer record in use that replaced this one");
    };
    let mut evidence = vec![
        facts.okta_says("device.last_updated", time(used), Some(used)),
        facts.okta_says("twin.id", &twin.id, twin.created),
    ];
    if let Some(at) = twin.last_updated {
        evidence.push(facts.okta_says("twin.last_updated", time(at), Some(at)));
    }
    Found::new(Cause::OktaDuplicateRecords, Confidence::Medium, evidence)
        .since(twin.created)
        .into()
}

fn replaces(facts: &Facts<'_, '_>, twin: &OktaDevice, used: DateTime<Utc>) -> bool {
    let registered_later = twin.created.is_some_and(|created| created > used);
    let own =
        effective_links(facts.observations(), twin).find(|link| link.user_id == facts.link.user_id);
    match own {
        Some(link) => registered_later || link.management_status == Some(ManagementStatus::Managed),
        // Handed on: the computer was enrolled anew after this record was last used.
        None => {
            let enrolled = facts.subject.record.and_then(|record| record.enrolled_at);
            registered_later && enrolled.is_some_and(|at| at > used)
        }
    }
}

/// C58: nobody has used the record for months, and its MDM has not heard of it either.
pub(super) static OUT_OF_USE: Entry = Entry {
    cause: Cause::OktaRecordStale,
    section: Section::Records,
    stage: None,
    on: On::Desktops,
    mdms: "all",
    confidence: Confidence::High,
    evidence: "Okta older than 90 days and the MDM older than 30",
    person: "Nobody: out of scope, a matter of tidying up",
    neighbours: &[],
    prove: Prove::OfUser(out_of_use),
};

fn out_of_use(facts: &Facts<'_, '_>) -> Verdict {
    let Some((used, heard)) = detect::stale_since(facts.subject, facts.settings) else {
        return Verdict::NoFault("Okta or the MDM has heard of it lately");
    };
    let evidence = vec![
        facts.okta_says("device.last_updated", time(used), Some(used)),
        facts.mdm_says("last_check_in", time(heard), Some(heard)),
    ];
    Found::new(Cause::OktaRecordStale, Confidence::High, evidence)
        .since(Some(used))
        .into()
}

/// C63: imported by an identity source, and never registered.
pub(super) static IMPORTED: Entry = Entry {
    cause: Cause::RecordImportedNotRegistered,
    section: Section::Records,
    stage: Some(Stage::OvRegistered),
    on: On::Desktops,
    mdms: "all",
    confidence: Confidence::Medium,
    evidence: "`registered` is false and nobody is linked to the record",
    person: "Okta admin: nothing, or as C42 where the MDM says that somebody has the computer",
    neighbours: &[Cause::OvNotEnrolled],
    prove: Prove::Elsewhere("`unlinked`: Okta records without a user"),
};
