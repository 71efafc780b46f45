//! The computer itself: what it is, and what runs on it.

use crate::{Cause, Confidence, Stage, certificate::contains_ignoring_case};

use super::{
    entry::{Entry, On, Prove, Section},
    facts::Facts,
    verdict::{Found, Verdict, open},
};

/// C61: a virtual machine. Only `[exclusions]` or a person says that it is none of the bot's business.
pub(super) static VIRTUAL: Entry = Entry {
    cause: Cause::VmOrVdi,
    section: Section::Records,
    stage: Some(Stage::OvRegistered),
    on: On::Desktops,
    mdms: "all",
    confidence: Confidence::Medium,
    evidence: "named as a rival: model or manufacturer are those of a virtual machine",
    person: "Admin: Okta Verify in its mode for virtual desktops, or `[exclusions]`",
    neighbours: &[Cause::IdentitySerialMismatch],
    prove: Prove::OfUser(virtual_machine),
};

/// Words of the models and manufacturers of virtual machines.
const VIRTUAL_WORDS: [&str; 5] = ["VMware", "Virtual", "Parallels", "QEMU", "KVM"];

fn virtual_machine(facts: &Facts<'_, '_>) -> Verdict {
    let record = facts.subject.record;
    let words = [
        facts.device.model.as_deref(),
        facts.device.manufacturer.as_deref(),
        record.and_then(|record| record.model.as_deref()),
    ];
    let is_virtual = words.into_iter().flatten().any(|text| {
        VIRTUAL_WORDS
            .iter()
            .any(|word| contains_ignoring_case(text, word))
    });
    match is_virtual {
        true => open(
            "its model is that of a virtual machine; whether it is meant to be managed is not shown",
            "ask who runs it: a virtual desktop needs Okta Verify 4.9.0 and its own mode; one that is thrown away after use belongs into [exclusions]",
        ),
        false => Verdict::NoFault("its model is not that of a virtual machine"),
    }
}

/// C62: older than the version that the settings ask for.
pub(super) static OS_TOO_OLD: Entry = Entry {
    cause: Cause::OsUnsupported,
    section: Section::Records,
    stage: Some(Stage::OvRegistered),
    on: On::Desktops,
    mdms: "all",
    confidence: Confidence::Medium,
    evidence: "the OS version is below `[detect] os_minimum`; without that setting it is not judged",
    person: "The user or the MDM admin updates the OS",
    neighbours: &[Cause::OvOutdated],
    prove: Prove::OfUser(os_too_old),
};

fn os_too_old(facts: &Facts<'_, '_>) -> Verdict {
    let Some(minimum) = facts.settings.os_minimum.get(&facts.device.platform) else {
        return Verdict::NoFault("no oldest version of the OS is set");
    };
    let by_mdm = facts
        .subject
        .record
        .and_then(|record| record.os_version.as_deref());
    let Some(version) = by_mdm.or(facts.device.os_version.as_deref()) else {
        return Verdict::NoFault("the version of the OS is not shown");
    };
    if is_older(version, minimum) != Some(true) {
        return Verdict::NoFault("the OS is new enough");
    }
    let shown = match by_mdm {
        Some(_) => facts.mdm_says("record.os_version", version, None),
        None => facts.okta_says("device.os_version", version, facts.device.last_updated),
    };
    let wanted = facts.operator_says("detect.os_minimum", minimum);
    Found::new(
        Cause::OsUnsupported,
        Confidence::Medium,
        vec![shown, wanted],
    )
    .into()
}

/// Whether a version comes before another, number by number; `None` if either is no version.
pub(super) fn is_older(version: &str, than: &str) -> Option<bool> {
    let mut own = numbers(version);
    let mut other = numbers(than);
    loop {
        match (own.next(), other.next()) {
            (None, None) => return Some(false),
            (own, other) => {
                let (own, other) = (own.unwrap_or(Some(0))?, other.unwrap_or(Some(0))?);
                if own != other {
                    return Some(own < other);
                }
            }
        }
    }
}

/// The numbers of a version as vendors spell it: `14.6.0`, `10.0.18362`, `15.1 (24B83)`.
fn numbers(version: &str) -> impl Iterator<Item = Option<u64>> {
    let version = version.trim();
    let version = version.split([' ', '-', '+']).next().unwrap_or(version);
    version.split('.').map(|part| part.parse().ok())
}
