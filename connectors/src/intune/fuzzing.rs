//! Intune's readers for [`crate::fuzzing`].

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    io::Read,
};

use bytes::Bytes;

use super::{
    csv::Rows,
    devices::{self, Context},
    issuance, profiles, settings, states, wire, zip,
};
use crate::{AttestationSettings, fuzzing::page};

/// So much of an archive is unpacked; a small file may hold a very large one.
const MOST_UNPACKED: u64 = 1 << 20;

pub(crate) fn devices(bytes: &[u8]) {
    let context = Context::default();
    for record in page::<wire::ManagedDevice>(bytes) {
        if let Some(platform) = devices::platform(&record) {
            devices::device(record, platform, &context);
        }
    }
}

pub(crate) fn configurations(bytes: &[u8]) {
    let (kinds, categories) = (BTreeSet::new(), BTreeMap::new());
    for profile in page::<wire::Configuration>(bytes) {
        settings::scep(&profile.scep, None);
        settings::trust(&profile, &kinds, &categories);
        let assignments = profile.assignments.as_deref().unwrap_or_default();
        profiles::scope(assignments, &kinds, &categories);
        settings::sso_profile(profile, &kinds);
    }
}

pub(crate) fn states(bytes: &[u8]) {
    let rows: Vec<wire::ConfigurationState> = page(bytes);
    states::of_states(&rows, &"P1".into(), "SCEP");
    for status in page::<wire::DeviceStatus>(bytes) {
        states::of_device_status(&status);
    }
    let mut found = issuance::Issuances::new();
    for state in page::<wire::CertificateState>(bytes) {
        issuance::add(&mut found, state);
    }
}

pub(crate) fn report(bytes: &[u8]) {
    let settings = AttestationSettings::new("x", Vec::new(), Vec::new())
        .expect("the pattern is constant and valid");
    let Ok(mut rows) = Rows::new(bytes) else {
        return;
    };
    while let Ok(Some(row)) = rows.next_row() {
        states::of_report_row(&row);
        devices::certificate(&row, &HashMap::new(), &settings);
    }
}

pub(crate) fn archive(bytes: &[u8]) {
    if let Ok(entry) = zip::first_entry(&Bytes::copy_from_slice(bytes)) {
        // A broken archive ends in an error.
        let _ = entry.take(MOST_UNPACKED).read_to_end(&mut Vec::new());
    }
}

/// Records of a page that read, and that do not.
#[cfg(test)]
pub(crate) fn counted(reader: &str, bytes: &[u8]) -> (usize, usize) {
    use crate::fuzzing::counted_page;
    match reader {
        "intune_devices" => counted_page::<wire::ManagedDevice>(bytes),
        "intune_configurations" => counted_page::<wire::Configuration>(bytes),
        _ => counted_page::<wire::ConfigurationState>(bytes),
    }
}
