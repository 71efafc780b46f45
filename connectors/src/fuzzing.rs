//! Every reader of a vendor's bytes, as a function that must neither panic nor lose a record beside a bad one. Called by
//! the tests below, and by the targets in `fuzz/`.

use serde::de::DeserializeOwned;

use crate::{decode::Page, http::Lenient, payload::Payloads};

/// Reads bytes, whatever they are.
pub type Reader = fn(&[u8]);

/// Name and reader of every shape.
pub const READERS: &[(&str, Reader)] = &[
    ("okta_devices", crate::okta::fuzzing::devices),
    ("okta_device_users", crate::okta::fuzzing::device_users),
    ("okta_log", crate::okta::fuzzing::log),
    ("okta_rules", crate::okta::fuzzing::rules),
    ("okta_authenticators", crate::okta::fuzzing::authenticators),
    ("okta_authorities", crate::okta::fuzzing::authorities),
    ("jamf_computers", crate::jamf::fuzzing::computers),
    ("jamf_commands", crate::jamf::fuzzing::commands),
    ("jamf_profile", crate::jamf::fuzzing::profile),
    ("intune_devices", crate::intune::fuzzing::devices),
    (
        "intune_configurations",
        crate::intune::fuzzing::configurations,
    ),
    ("intune_states", crate::intune::fuzzing::states),
    ("intune_report", crate::intune::fuzzing::report),
    ("intune_archive", crate::intune::fuzzing::archive),
    ("mobileconfig", mobileconfig),
    ("slack_payload", slack_payload),
];

/// Reads bytes as one shape.
///
/// # Panics
/// If there is no such reader, or if it has a fault.
pub fn read(reader: &str, bytes: &[u8]) {
    let found = READERS.iter().find(|(name, _)| *name == reader);
    found.expect("the name of a reader").1(bytes);
}

/// A page as the MDMs send it; what is no page is skipped.
pub(crate) fn page<T: DeserializeOwned>(bytes: &[u8]) -> Vec<T> {
    serde_json::from_slice::<Page<T>>(bytes)
        .map(|page| page.records.records)
        .unwrap_or_default()
}

/// A bare list as Okta sends it.
pub(crate) fn list<T: DeserializeOwned>(bytes: &[u8]) -> Vec<T> {
    serde_json::from_slice::<Lenient<T>>(bytes)
        .map(|list| list.records)
        .unwrap_or_default()
}

fn mobileconfig(bytes: &[u8]) {
    if let Ok(text) = std::str::from_utf8(bytes) {
        Payloads::read(text);
    }
}

fn slack_payload(bytes: &[u8]) {
    use crate::slack::Incoming;
    if let Ok(payload) = serde_json::from_slice::<serde_json::Value>(bytes) {
        // What does not read is refused, with a reason of its own.
        let _ = Incoming::interaction(payload.clone());
        let _ = Incoming::command(payload);
    }
}

/// Records that read and records that do not, in a page that must itself be readable.
#[cfg(test)]
pub(crate) fn counted_page<T: DeserializeOwned>(bytes: &[u8]) -> (usize, usize) {
    let page: Page<T> = serde_json::from_slice(bytes).expect("a bad record never loses the page");
    (page.records.records.len(), page.records.skipped)
}

/// As [`counted_page`], of a bare list.
#[cfg(test)]
pub(crate) fn counted_list<T: DeserializeOwned>(bytes: &[u8]) -> (usize, usize) {
    let list: Lenient<T> =
        serde_json::from_slice(bytes).expect("a bad record never loses the list");
    (list.records.len(), list.skipped)
}

#[cfg(test)]
mod tests;
