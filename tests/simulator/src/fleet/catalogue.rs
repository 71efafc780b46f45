//! The catalogue entries that the generator can make, with their shares and the machines they befall.

use rand::RngExt;
use rand::rngs::StdRng;

use crate::world::Mdm;

/// The machines that an entry can befall.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum On {
    Any,
    /// Macs in Jamf Pro.
    Jamf,
    /// What Intune manages: PCs, and for one entry Macs.
    Intune,
}

/// One entry: its name, its share in per ten thousand, and what it befalls.
type Entry = (&'static str, u32, On);

/// The estimates of the catalogue, spread over its entries; a little of everything.
pub(super) const ENTRIES: [Entry; 60] = [
    ("fastpass_no_signin_since_cert", 2_450, On::Any),
    ("cert_expired", 1_150, On::Any),
    ("mdm_not_enrolled", 800, On::Any),
    ("profile_not_in_scope", 600, On::Any),
    ("mdm_not_checking_in", 550, On::Any),
    ("profile_pending", 480, On::Any),
    ("ov_registration_incomplete", 500, On::Any),
    ("mdm_enrolment_broken", 450, On::Any),
    ("ov_not_enrolled", 380, On::Any),
    ("profile_installed_no_cert", 330, On::Any),
    ("okta_duplicate_records", 330, On::Any),
    ("profile_failed", 280, On::Any),
    ("cert_revoked_by_device_deletion", 240, On::Any),
    ("cert_unused_revoked_90d", 200, On::Any),
    ("fastpass_other_factor_used", 200, On::Any),
    ("fastpass_probe_blocked", 150, On::Any),
    ("shared_user_store_only", 180, On::Any),
    ("okta_record_stale", 150, On::Any),
    ("cert_missing", 110, On::Any),
    ("policy_user_out_of_scope", 80, On::Any),
    ("unexplained", 80, On::Any),
    ("okta_device_suspended", 70, On::Any),
    ("okta_search_stale_read", 60, On::Any),
    ("okta_device_deactivated", 40, On::Any),
    ("cert_key_inaccessible_macos", 70, On::Jamf),
    ("cert_key_inaccessible_windows", 70, On::Intune),
    ("cert_wrong_store", 60, On::Any),
    ("ov_not_installed", 60, On::Any),
    ("ov_enrolment_orphaned", 50, On::Any),
    ("cert_expiring_soon", 50, On::Any),
    ("cert_duplicates", 40, On::Any),
    ("cert_wrong_issuer", 30, On::Any),
    ("cert_bound_to_other_device", 30, On::Any),
    ("identity_serial_missing_or_mismatch", 30, On::Intune),
    ("profile_dependency_group_mismatch", 30, On::Intune),
    ("ov_outdated", 30, On::Any),
    ("record_imported_not_registered", 25, On::Any),
    ("mdm_push_channel_down", 25, On::Jamf),
    ("intune_mac_renewal_window_missed", 20, On::Intune),
    ("os_unsupported", 20, On::Any),
    ("vm_or_vdi", 20, On::Any),
    ("profile_conflict", 20, On::Intune),
    ("profile_not_applicable", 20, On::Intune),
    ("ca_scep_unreachable_from_device", 40, On::Any),
    ("policy_app_not_mapped", 20, On::Any),
    ("ssoext_missing", 20, On::Jamf),
    ("mdm_user_licence_or_affinity_lost", 15, On::Intune),
    ("ca_wrong_scep_purpose", 15, On::Any),
    ("policy_rule_shadowed", 15, On::Any),
    ("ssoext_wrong_hosts", 10, On::Jamf),
    ("ssoext_wrong_payload", 10, On::Jamf),
    ("ca_challenge_unprintable_windows", 10, On::Intune),
    ("ca_trusted_cert_profile_mismatch", 10, On::Intune),
    ("ca_template_key_usage_wrong", 10, On::Any),
    ("ca_subject_template_wrong", 10, On::Any),
    ("ca_chain_missing_on_device", 10, On::Intune),
    ("policy_registered_not_managed_rule", 10, On::Any),
    ("shared_same_account_many_profiles", 10, On::Intune),
    ("cert_not_yet_valid_or_clock_skew", 5, On::Any),
    ("ssoext_conflict", 5, On::Jamf),
];

/// Entries that warn while the device is still managed.
const ADVISORY: [&str; 2] = ["cert_expiring_soon", "ca_subject_template_wrong"];

/// Whether an entry leaves the device managed for now.
pub(super) fn is_advisory(cause: &str) -> bool {
    ADVISORY.contains(&cause)
}

/// The MDM of a machine that is to have this fault, where there is a choice the wanted one.
pub(super) fn mdm_for(cause: &str, wanted: Mdm) -> Mdm {
    match ENTRIES.iter().find(|(name, ..)| *name == cause) {
        Some((_, _, On::Jamf)) => Mdm::Jamf,
        Some((_, _, On::Intune)) => Mdm::Intune,
        Some((_, _, On::Any)) | None => wanted,
    }
}

/// Which faults a fleet with `count` faulty machines has: by weight, the remainder by lot.
pub(super) fn shares(count: usize, built_only: bool, rng: &mut StdRng) -> Vec<&'static str> {
    let weights: Vec<(&str, u32)> = ENTRIES
        .into_iter()
        .map(|(cause, weight, _)| (cause, weight))
        .filter(|(cause, _)| !built_only || super::BUILT_CAUSES.contains(cause))
        .collect();
    let total: u32 = weights.iter().map(|(_, weight)| weight).sum();
    let mut faults = Vec::with_capacity(count);
    for (cause, weight) in &weights {
        let whole = count * *weight as usize / total as usize;
        faults.extend(std::iter::repeat_n(*cause, whole));
    }
    while faults.len() < count {
        let mut lot = rng.random_range(0..total);
        for (cause, weight) in &weights {
            if lot < *weight {
                faults.push(*cause);
                break;
            }
            lot -= weight;
        }
    }
    faults
}
