//! Is it in an MDM, and does the MDM reach it?

use chrono::{DateTime, TimeDelta, Utc};

use crate::{
    Assumption, Cause, Confidence, Enrolment, MatchStrength, MdmDevice, Platform, ProfileState,
    Stage, correlate::normalise,
};

use super::{
    entry::{Entry, On, Prove, Section},
    facts::{Facts, time},
    verdict::{Found, Verdict, not_enough, open},
};

/// C60: the serial number is missing, a placeholder, or differs; only user, model and name speak for the MDM's record.
pub(super) static SERIAL_MISMATCH: Entry = Entry {
    cause: Cause::IdentitySerialMismatch,
    section: Section::Records,
    stage: Some(Stage::Unknown),
    on: On::Desktops,
    mdms: "all",
    confidence: Confidence::Medium,
    evidence: "Okta's serial number identifies nothing, or differs from that of the one MDM record with this user, model and name",
    person: "A person compares both records and links them with `unstuck link`; nothing is repaired before",
    neighbours: &[Cause::MdmNotEnrolled, Cause::VmOrVdi],
    prove: Prove::OfUser(serial_mismatch),
};

fn serial_mismatch(facts: &Facts<'_, '_>) -> Verdict {
    if facts.subject.strength == MatchStrength::Strong {
        return Verdict::NoFault(
            "serial number or hardware UUID say that the records are one computer",
        );
    }
    let shown = facts.device.serial_number.as_deref();
    let own = shown.and_then(normalise);
    let Some((_, record)) = facts.mdm() else {
        return match own {
            Some(_) => Verdict::NoFault("the Okta record shows a serial number"),
            None => open(
                "the Okta record shows no serial number that identifies a computer",
                "read the serial number off the computer, find it in the MDM, and link the two records with `unstuck link`",
            ),
        };
    };
    let theirs = record.serial_number.as_deref().and_then(normalise);
    // Two good serial numbers that differ may as well be two computers.
    let confidence = match (&own, &theirs) {
        (Some(own), Some(theirs)) if own != theirs => Confidence::Low,
        _ => Confidence::Medium,
    };
    let mut okta = facts.okta_says("device.serial_number", shown.unwrap_or("not shown"), None);
    if shown.is_some() && own.is_none() {
        okta = okta.assuming(Assumption::PlaceholderSerials);
    }
    let mdm = record.serial_number.as_deref().unwrap_or("not shown");
    let evidence = vec![
        okta,
        facts.mdm_says("record.serial_number", mdm, record.inventory_at),
    ];
    Found::new(Cause::IdentitySerialMismatch, confidence, evidence).into()
}

/// C15: no MDM that manages this platform has a record of the computer, and all of them were read whole.
pub(super) static NOT_ENROLLED: Entry = Entry {
    cause: Cause::MdmNotEnrolled,
    section: Section::ScepProfile,
    stage: Some(Stage::MdmEnrolled),
    on: On::Desktops,
    mdms: "all",
    confidence: Confidence::Medium,
    evidence: "no record by serial number, hardware UUID or user in any MDM of this platform, all of them read whole; used lately",
    person: "Ask the owner: enrol it, or stop using it; Okta is left alone",
    neighbours: &[Cause::IdentitySerialMismatch, Cause::VmOrVdi],
    prove: Prove::OfUser(not_enrolled),
};

fn not_enrolled(facts: &Facts<'_, '_>) -> Verdict {
    if facts.mdm().is_some() {
        return Verdict::NoFault("an MDM has a record of this computer");
    }
    if facts.mdms().next().is_none() {
        return not_enough("no MDM connected for this platform");
    }
    if facts.mdms().any(|mdm| !mdm.complete) {
        return not_enough("an MDM for this platform was not read whole");
    }
    let device = facts.device;
    let identity = |value: &Option<String>| value.as_deref().and_then(normalise).is_some();
    if !identity(&device.serial_number) && !identity(&device.udid) {
        return not_enough(
            "the Okta record shows neither a serial number nor a hardware UUID to look for",
        );
    }
    let used = device.last_updated.max(facts.last_fastpass());
    let recently =
        used.is_some_and(|at| at + facts.settings.record_stale_after >= facts.okta_now());
    let mut evidence = vec![facts.okta_says(
        "device.serial_number",
        device.serial_number.as_deref().unwrap_or("not shown"),
        device.last_updated,
    )];
    for mdm in facts.mdms() {
        let mut absent = facts.okta_says("record", "none", None);
        absent.source = mdm.name.to_string();
        absent.observed_at = mdm.now;
        evidence.push(absent);
    }
    let confidence = match recently {
        true => Confidence::Medium,
        false => Confidence::Low,
    };
    Found::new(Cause::MdmNotEnrolled, confidence, evidence).into()
}

/// C17: the record is there, but management is lost.
pub(super) static ENROLMENT_BROKEN: Entry = Entry {
    cause: Cause::MdmEnrolmentBroken,
    section: Section::ScepProfile,
    stage: Some(Stage::MdmEnrolled),
    on: On::Desktops,
    mdms: "all",
    confidence: Confidence::High,
    evidence: "the MDM's own record says that management is lost",
    person: "The user enrols again, or the MDM admin by automated enrolment; the certificate comes anew",
    neighbours: &[Cause::MdmNotEnrolled, Cause::MdmNotCheckingIn],
    prove: Prove::OfUser(enrolment_broken),
};

fn enrolment_broken(facts: &Facts<'_, '_>) -> Verdict {
    let Some((_, record)) = facts.mdm() else {
        return Verdict::NoFault("there is no MDM record");
    };
    let Enrolment::Broken { fact, value } = &record.enrolment else {
        return Verdict::NoFault("nothing in the MDM record says that management is lost");
    };
    let evidence = vec![facts.mdm_says(fact, value, record.inventory_at)];
    Found::new(Cause::MdmEnrolmentBroken, Confidence::High, evidence)
        .since(record.last_check_in)
        .into()
}

/// C18: the MDM's push does not reach its devices.
pub(super) static PUSH_CHANNEL_DOWN: Entry = Entry {
    cause: Cause::MdmPushChannelDown,
    section: Section::ScepProfile,
    stage: Some(Stage::ProfileAssigned),
    on: On::Desktops,
    mdms: "all",
    confidence: Confidence::Medium,
    evidence: "the MDM's push certificate has ended (Macs); or a command waits for more than a day although the device was in contact since",
    person: "MDM admin: renew the SAME push certificate, another Apple ID means enrolling every Mac again; for one device, clear its failed and pending commands and push",
    neighbours: &[Cause::ProfilePending, Cause::MdmNotCheckingIn],
    prove: Prove::OfUser(push_channel_down),
};

/// A command that is this old when the device is next heard of was not delivered by push.
const DELIVERED_WITHIN: TimeDelta = TimeDelta::hours(24);
/// A command that waits by so much longer than the profile's own belongs to a queue that does not move.
const QUEUED_BEFORE: TimeDelta = TimeDelta::hours(1);

fn push_channel_down(facts: &Facts<'_, '_>) -> Verdict {
    let Some((mdm, record)) = facts.mdm() else {
        return Verdict::NoFault("there is no MDM record");
    };
    if facts.certificate_is_listed_valid() {
        return Verdict::NoFault("a valid certificate is on the device");
    }
    let ended = mdm
        .push_certificate_expires_at
        .filter(|end| facts.device.platform == Platform::Macos && *end <= mdm.now);
    if let Some(ended) = ended {
        let evidence =
            vec![facts.mdm_says("push_certificate.expires_at", time(ended), Some(ended))];
        return Found::new(Cause::MdmPushChannelDown, Confidence::Medium, evidence)
            .since(Some(ended))
            .into();
    }
    // The command of the profile itself is "profile pending"; a queue is older than that.
    let queue = record
        .command_pending_since
        .filter(|since| pending_since(record).is_none_or(|own| *since + QUEUED_BEFORE <= own));
    let waiting = queue.zip(record.last_check_in);
    let Some((since, heard)) = waiting.filter(|(since, heard)| *since + DELIVERED_WITHIN <= *heard)
    else {
        return Verdict::NoFault("no command of the MDM waits for long");
    };
    let evidence = vec![
        facts.mdm_says("command.pending_since", time(since), Some(since)),
        facts.mdm_says("last_check_in", time(heard), Some(heard)),
    ];
    Found::new(Cause::MdmPushChannelDown, Confidence::Medium, evidence)
        .since(Some(since))
        .into()
}

/// Since when the attestation profile itself waits to be delivered.
fn pending_since(record: &MdmDevice) -> Option<DateTime<Utc>> {
    let deliveries = record.profiles.iter().flatten();
    deliveries
        .filter(|delivery| delivery.state == ProfileState::Pending)
        .filter_map(|delivery| delivery.since)
        .min()
}

/// C16: in use by Okta's word, silent by the MDM's. Silent on both sides is idle, which is no fault of the MDM.
pub(super) static NOT_CHECKING_IN: Entry = Entry {
    cause: Cause::MdmNotCheckingIn,
    section: Section::ScepProfile,
    stage: Some(Stage::MdmEnrolled),
    on: On::Desktops,
    mdms: "all",
    confidence: Confidence::High,
    evidence: "no check-in for 7 days, and Okta heard of it since",
    person: "The user opens the MDM's agent or restarts; then C17",
    neighbours: &[
        Cause::MdmEnrolmentBroken,
        Cause::MdmPushChannelDown,
        Cause::OktaRecordStale,
    ],
    prove: Prove::OfUser(not_checking_in),
};

fn not_checking_in(facts: &Facts<'_, '_>) -> Verdict {
    let Some((mdm, record)) = facts.mdm() else {
        return Verdict::NoFault("there is no MDM record");
    };
    let Some(heard) = record.last_check_in else {
        return Verdict::NoFault("the MDM does not say when it last heard of the device");
    };
    let patience = facts.settings.check_in_stale_after;
    if heard + patience >= mdm.now {
        return Verdict::NoFault("it checked in with its MDM lately");
    }
    let used = facts.device.last_updated.max(facts.last_fastpass());
    let in_use = used.filter(|at| *at + patience >= facts.okta_now() || *at > heard + patience);
    let Some(used) = in_use else {
        return Verdict::NoFault("it is idle: Okta has not heard of it since either");
    };
    let evidence = vec![
        facts.mdm_says("last_check_in", time(heard), Some(heard)),
        facts.okta_says("device.last_updated", time(used), Some(used)),
    ];
    Found::new(Cause::MdmNotCheckingIn, Confidence::High, evidence)
        .since(Some(heard))
        .into()
}
