//! MDM enrolment and check-in.

use crate::{Cause, Confidence, Enrolment, correlate::normalise};

use super::{
    facts::{Facts, time},
    verdict::{Found, Verdict, not_enough},
};

/// C15: no MDM that manages this platform has a record of the computer, and all of them were read whole.
pub(super) fn not_enrolled(facts: &Facts<'_, '_>) -> Verdict {
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
pub(super) fn enrolment_broken(facts: &Facts<'_, '_>) -> Verdict {
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

/// C16: in use by Okta's word, silent by the MDM's. Silent on both sides is idle, which is no fault of the MDM.
pub(super) fn not_checking_in(facts: &Facts<'_, '_>) -> Verdict {
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
