//! Section 2: the attestation profiles of each MDM, setting by setting.

use chrono::TimeDelta;
use connectors::PushCertificate;

use super::{NO_MDM, main_profiles, names, profiles, unread};
use crate::{
    doctor::{
        check::{Checklist, Section, Status},
        tenant::{MdmTenant, Tenant},
    },
    domain::{
        AttestationProfile, CertificateStore, GroupId, KeyStorage, Platform, ProfileScope, Renewal,
    },
};

/// Okta asks for keys of this length.
const KEY_BITS: u32 = 2048;
/// Later than this, an idle computer misses its renewal.
const RENEWAL_DAYS: u32 = 14;
const RENEWAL_PERCENT: u32 = 5;
const PUSH_WARNS: TimeDelta = TimeDelta::days(30);

pub(super) fn examine(tenant: &Tenant, list: &mut Checklist) {
    list.section(Section::ScepProfile);
    if tenant.mdms.is_empty() {
        list.skipped("mdm.profile", NO_MDM);
    }
    for mdm in &tenant.mdms {
        if found(mdm, list) {
            settings(mdm, list);
            trust(mdm, list);
            payloads(mdm, list);
        }
        push_certificate(tenant, mdm, list);
    }
}

/// Whether there is anything to judge.
fn found(mdm: &MdmTenant, list: &mut Checklist) -> bool {
    let id = format!("{}.profile", mdm.name);
    if let Err(why) = &mdm.setup {
        unread(list, id, why);
        return false;
    }
    let without: Vec<&str> = mdm
        .platforms
        .iter()
        .filter(|platform| !main_profiles(mdm).any(|profile| profile.platform == **platform))
        .map(|platform| match platform {
            Platform::Windows => "Windows",
            Platform::Macos => "macOS",
            Platform::Other => "other systems",
        })
        .collect();
    if !without.is_empty() {
        list.failure(
            id,
            format!(
                "no SCEP profile for {} has a name like {}",
                without.join(" and "),
                mdm.attestation.scep_profiles.join(" or ")
            ),
            "name the profile in [attestation] scep_profiles, or make one as Okta's guide for this MDM says",
        );
        return false;
    }
    let unassigned: Vec<&str> = main_profiles(mdm)
        .filter(|profile| nobody(&profile.scope))
        .map(|profile| profile.name.as_str())
        .collect();
    let all = names(profiles(mdm).iter().map(|profile| profile.name.as_str()));
    if unassigned.is_empty() {
        list.ok(id, all);
    } else {
        list.warning(
            id,
            format!("{} assigned to nobody", names(unassigned.into_iter())),
            "assign it to the computers or users that are to be managed, together with its trusted-certificate profile",
        );
    }
    true
}

fn nobody(scope: &ProfileScope) -> bool {
    !scope.all_devices
        && scope.device_groups.is_empty()
        && scope.user_groups.is_empty()
        && scope.devices.is_empty()
}

/// What a profile asks for, judged.
enum Verdict {
    Good(String),
    Bad(String),
    /// The MDM does not show it.
    NotShown,
    /// The setting does not exist there.
    NoSuch,
}

use Verdict::{Bad, Good, NoSuch, NotShown};

/// One setting over all profiles of an MDM.
fn setting<'a>(
    list: &mut Checklist,
    id: String,
    profiles: impl Iterator<Item = &'a AttestationProfile>,
    if_bad: Status,
    advice: &str,
    judge: impl Fn(&AttestationProfile) -> Verdict,
) {
    let (mut good, mut bad, mut not_shown) = (Vec::new(), Vec::new(), 0);
    for profile in profiles {
        match judge(profile) {
            Good(saw) if !good.contains(&saw) => good.push(saw),
            Good(_) | NoSuch => {}
            Bad(saw) => bad.push(format!("\"{}\": {saw}", profile.name)),
            NotShown => not_shown += 1,
        }
    }
    if !bad.is_empty() {
        list.push(id, if_bad, bad.join("; "), advice);
    } else if !good.is_empty() {
        list.ok(id, good.join(", "));
    } else if not_shown > 0 {
        list.skipped(id, "this MDM does not show it; look at the profile there");
    }
}

fn settings(mdm: &MdmTenant, list: &mut Checklist) {
    const EDIT: &str = "correct the profile, on one device first: saving it re-issues certificates for its whole scope";
    let all = || profiles(mdm).iter();
    let id = |name: &str| format!("{}.{name}", mdm.name);
    setting(
        list,
        id("subject"),
        all(),
        Status::Failure,
        EDIT,
        |profile| subject(mdm, profile),
    );
    setting(
        list,
        id("key_usage"),
        all(),
        Status::Failure,
        EDIT,
        |profile| {
            flag(
                profile.scep.digital_signature,
                "digital signature",
                "no digital signature: the key may not sign",
            )
        },
    );
    setting(
        list,
        id("extended_key_usage"),
        all(),
        Status::Failure,
        EDIT,
        |profile| {
            flag(
                profile.scep.client_authentication,
                "client authentication",
                "no client authentication (1.3.6.1.5.5.7.3.2)",
            )
        },
    );
    setting(
        list,
        id("key_size"),
        all(),
        Status::Failure,
        EDIT,
        |profile| match profile.scep.key_size {
            Some(bits) if bits >= KEY_BITS => Good(format!("RSA {bits}")),
            Some(bits) => Bad(format!("{bits} bits instead of {KEY_BITS}")),
            None => NotShown,
        },
    );
    setting(
        list,
        id("key_access"),
        all(),
        Status::Failure,
        "switch on \"Allow all apps access\" and deliver the profile anew, on one Mac first",
        |profile| match profile.platform {
            Platform::Macos => flag(
                profile.scep.all_apps_access,
                "all apps may use the key",
                "not all apps may use the key, so Okta Verify cannot sign",
            ),
            _ => NoSuch,
        },
    );
    setting(
        list,
        id("key_storage"),
        all(),
        Status::Warning,
        "choose \"TPM if present, otherwise software\"",
        key_storage,
    );
    setting(
        list,
        id("store"),
        main_profiles(mdm),
        Status::Warning,
        "Okta recommends the user's store on Windows; keep the machine's store for shared computers only, with a key that users \
         may read, and name that profile as machine_profile",
        store,
    );
    setting(
        list,
        id("renewal"),
        all(),
        Status::Warning,
        "Okta's CA knows no renewal: set \"Redistribute Profile\" (Jamf Pro) or the renewal threshold (Intune), so that a new \
         certificate comes before the old one ends",
        renewal,
    );
}

fn flag(value: Option<bool>, good: &str, bad: &str) -> Verdict {
    match value {
        Some(true) => Good(good.into()),
        Some(false) => Bad(bad.into()),
        None => NotShown,
    }
}

/// Okta takes any subject; the bot knows an attestation certificate by it.
fn subject(mdm: &MdmTenant, profile: &AttestationProfile) -> Verdict {
    let Some(subject) = profile.scep.subject.as_deref() else {
        return NotShown;
    };
    let pattern =
        connectors::AttestationSettings::new(&mdm.attestation.subject_pattern, vec![], vec![]);
    let known = pattern.is_ok_and(|pattern| pattern.matches_subject(subject));
    let varies = ["$", "{{", "{", "%"]
        .iter()
        .any(|mark| subject.contains(mark));
    if !varies {
        Bad(format!("`{subject}` is the same on every computer"))
    } else if !known {
        Bad(format!(
            "`{subject}` does not match [attestation] subject_pattern"
        ))
    } else {
        Good(format!("`{subject}`"))
    }
}

fn key_storage(profile: &AttestationProfile) -> Verdict {
    match (profile.platform, profile.scep.key_storage) {
        (Platform::Windows, Some(KeyStorage::TpmElseSoftware)) => {
            Good("TPM if present, otherwise software".into())
        }
        (Platform::Windows, Some(KeyStorage::Software)) => Good("software".into()),
        (Platform::Windows, Some(KeyStorage::TpmOnly)) => {
            Bad("TPM only: a computer without a working TPM gets no certificate".into())
        }
        (Platform::Windows, Some(KeyStorage::HelloOnly)) => {
            Bad("Windows Hello only: Okta Verify cannot sign unasked".into())
        }
        (Platform::Windows, None) => NotShown,
        _ => NoSuch,
    }
}

fn store(profile: &AttestationProfile) -> Verdict {
    match (profile.platform, profile.store) {
        (Platform::Windows, Some(CertificateStore::Machine)) => Bad(
            "the machine's store, which Okta Verify reads only where the user's holds nothing"
                .into(),
        ),
        (_, Some(CertificateStore::User)) => Good("user".into()),
        (_, Some(CertificateStore::Machine)) => Good("machine: every user of the Mac".into()),
        (_, None) => NotShown,
    }
}

fn renewal(profile: &AttestationProfile) -> Verdict {
    match profile.scep.renewal {
        Some(Renewal::On) => Good("redistributed before it ends".into()),
        Some(Renewal::DaysBefore(days)) if days >= RENEWAL_DAYS => {
            Good(format!("{days} d before it ends"))
        }
        Some(Renewal::DaysBefore(days)) => Bad(format!("only {days} d before it ends")),
        Some(Renewal::PercentLeft(percent)) if percent >= RENEWAL_PERCENT => {
            Good(format!("with {percent} % of its life left"))
        }
        Some(Renewal::PercentLeft(percent)) => {
            Bad(format!("only with {percent} % of its life left"))
        }
        Some(Renewal::Off) => Bad("never: every certificate ends after a year".into()),
        // Jamf Pro shows no setting; a redistributed profile carries its identifier in the subject (UNVERIFIED).
        None if profile.platform == Platform::Macos && profile.scep.subject.is_some() => {
            Bad("no sign that it is delivered anew before its certificate ends".into())
        }
        None => NotShown,
    }
}

/// The trusted-certificate profile: there, and wherever the SCEP profile is.
fn trust(mdm: &MdmTenant, list: &mut Checklist) {
    let id = format!("{}.trust_profile", mdm.name);
    let mut apart = Vec::new();
    let mut missing = Vec::new();
    let mut found = Vec::new();
    for profile in profiles(mdm) {
        match &profile.trust {
            Some(trust)
                if reaches(
                    &trust.scope,
                    &profile.scope,
                    mdm.targets.hold_group.as_ref(),
                ) =>
            {
                if !found.contains(&trust.name.as_str()) {
                    found.push(trust.name.as_str());
                }
            }
            Some(trust) => apart.push(format!(
                "\"{}\" does not reach everybody whom \"{}\" reaches",
                trust.name, profile.name
            )),
            None => missing.push(profile),
        }
    }
    if !apart.is_empty() {
        list.failure(
            id,
            apart.join("; "),
            "assign both profiles to the same groups: without the CA certificate the SCEP request fails",
        );
    } else if missing.is_empty() {
        list.ok(
            id,
            format!("{}, in the same scope", names(found.into_iter())),
        );
    } else {
        let saw = format!(
            "none found for {}",
            names(missing.iter().map(|profile| profile.name.as_str()))
        );
        let advice =
            "deliver Okta's CA certificate with a trusted-certificate profile to the same groups";
        // macOS lists and uses the certificate without the chain, Windows asks for it while it enrols.
        let windows = missing
            .iter()
            .any(|profile| profile.platform == Platform::Windows);
        let status = if windows {
            Status::Failure
        } else {
            Status::Warning
        };
        list.push(id, status, saw, advice);
    }
}

/// Whether everybody in one scope is in the other, as far as groups tell. Whoever is held out of the profile for a repair
/// needs no certificate of the CA meanwhile.
fn reaches(trust: &ProfileScope, profile: &ProfileScope, hold: Option<&GroupId>) -> bool {
    let excluded_more = trust
        .excluded_groups
        .iter()
        .any(|group| Some(group) != hold && !profile.excluded_groups.contains(group));
    if excluded_more {
        return false;
    }
    trust.all_devices
        || (!profile.all_devices
            && profile
                .device_groups
                .iter()
                .all(|group| trust.device_groups.contains(group))
            && profile
                .user_groups
                .iter()
                .all(|group| trust.user_groups.contains(group))
            && profile
                .devices
                .iter()
                .all(|device| trust.devices.contains(device)))
}

/// Payloads that a re-push would take away for a while.
fn payloads(mdm: &MdmTenant, list: &mut Checklist) {
    setting(
        list,
        format!("{}.payloads", mdm.name),
        profiles(mdm).iter(),
        Status::Warning,
        "move the other payloads into a profile of their own: a repair that removes and delivers the profile is refused while \
         they depend on it",
        |profile| match (&profile.other_payloads, &profile.network_uses) {
            (None, _) => NotShown,
            (Some(others), uses) => {
                let mut all: Vec<&str> = others.iter().map(String::as_str).collect();
                all.extend(uses.iter().flatten().map(String::as_str));
                all.dedup();
                if all.is_empty() {
                    Good("nothing else depends on them".into())
                } else {
                    Bad(format!("also {}", all.join(", ")))
                }
            }
        },
    );
}

fn push_certificate(tenant: &Tenant, mdm: &MdmTenant, list: &mut Checklist) {
    if !mdm.platforms.contains(&Platform::Macos) {
        return;
    }
    let id = format!("{}.push_certificate", mdm.name);
    let Ok(setup) = &mdm.setup else {
        return list.skipped(id, format!("see {}.profile", mdm.name));
    };
    let advice = "renew the same certificate with the same Apple Account: another one means to enrol every Mac again";
    match setup.push_certificate {
        PushCertificate::NotShown => {
            list.skipped(id, "the MDM does not show when its push certificate ends");
        }
        PushCertificate::NoWarning => list.ok(id, "the MDM does not warn of its end"),
        PushCertificate::EndsAt(ends) if ends <= tenant.now => list.failure(
            id,
            format!(
                "ended on {}: no Mac gets a command",
                ends.format("%-d %b %Y")
            ),
            advice,
        ),
        PushCertificate::EndsAt(ends) if ends - tenant.now < PUSH_WARNS => {
            list.warning(id, format!("ends on {}", ends.format("%-d %b %Y")), advice)
        }
        PushCertificate::EndsAt(ends) => {
            list.ok(id, format!("valid until {}", ends.format("%-d %b %Y")))
        }
    }
}
