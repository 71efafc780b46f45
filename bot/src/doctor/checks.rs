//! The checks: plain functions from a [`Tenant`] to lines of the checklist, one file per section.
//!
//! A check judges one thing. What a failed check explains is skipped further down, so that one fault is told once.

mod access;
mod authority;
mod beliefs;
mod certificate;
mod fastpass;
mod people;
mod profile;
mod scep_url;
mod shared;
mod sso_extension;
mod targets;
#[cfg(test)]
mod tests;

pub(super) use scep_url::may_be_asked;

use super::{
    check::{Checklist, Report},
    tenant::{MdmTenant, Tenant, Unread},
};
use crate::domain::AttestationProfile;

/// Judges a tenant.
pub fn examine(tenant: &Tenant) -> Report {
    let mut list = Checklist::new();
    access::examine(tenant, &mut list);
    authority::examine(tenant, &mut list);
    profile::examine(tenant, &mut list);
    certificate::examine(tenant, &mut list);
    fastpass::examine(tenant, &mut list);
    shared::examine(tenant, &mut list);
    sso_extension::examine(tenant, &mut list);
    targets::examine(tenant, &mut list);
    people::examine(tenant, &mut list);
    beliefs::examine(tenant, &mut list);
    list.finish()
}

/// Why nothing of an MDM is judged where there is none.
const NO_MDM: &str = "no [[mdm]] in the settings; `unstuck init` adds one";

/// Attestation profiles of an MDM that were found; none where they could not be read.
fn profiles(mdm: &MdmTenant) -> &[AttestationProfile] {
    mdm.setup.as_ref().map_or(&[], |setup| &setup.profiles)
}

/// Profiles but the prepared twin for shared devices.
fn main_profiles(mdm: &MdmTenant) -> impl Iterator<Item = &AttestationProfile> {
    profiles(mdm)
        .iter()
        .filter(|profile| mdm.targets.machine_profile.as_ref() != Some(&profile.id))
}

/// A part that was not read: a fault of its own, unless the credential's check tells it already.
fn unread(list: &mut Checklist, id: String, unread: &Unread) {
    if unread.told {
        list.skipped(id, unread.why.clone());
    } else {
        list.failure(
            id,
            unread.why.clone(),
            "try again; if it stays so, the answer of the vendor has changed",
        );
    }
}

/// `"A", "B" and 3 more`
fn names<'a>(names: impl Iterator<Item = &'a str>) -> String {
    const SHOWN: usize = 3;
    let all: Vec<&str> = names.collect();
    let shown: Vec<String> = all
        .iter()
        .take(SHOWN)
        .map(|name| format!("\"{name}\""))
        .collect();
    match all.len() {
        0..=SHOWN => shown.join(", "),
        more => format!("{} and {} more", shown.join(", "), more - SHOWN),
    }
}
