//! The generator's own record of every device-user: which fault was built into it, and whether the
//! wire can show enough to tell. Written when the fault is built, before any diagnosis exists.

use serde::Serialize;

/// The catalogue entries that the product is expected to name.
pub const BUILT_CAUSES: [&str; 70] = [
    "fastpass_no_signin_since_cert",
    "cert_expired",
    "mdm_not_enrolled",
    "profile_not_in_scope",
    "mdm_not_checking_in",
    "profile_pending",
    "ov_registration_incomplete",
    "mdm_enrolment_broken",
    "ov_not_enrolled",
    "profile_installed_no_cert",
    "okta_duplicate_records",
    "profile_failed",
    "cert_revoked_by_device_deletion",
    "cert_unused_revoked_90d",
    "fastpass_other_factor_used",
    "fastpass_probe_blocked",
    "shared_user_store_only",
    "okta_record_stale",
    "cert_missing",
    "policy_user_out_of_scope",
    "unexplained",
    "okta_device_suspended",
    "okta_search_stale_read",
    "okta_device_deactivated",
    "cert_key_inaccessible_macos",
    "cert_key_inaccessible_windows",
    "cert_wrong_store",
    "ov_not_installed",
    "ov_enrolment_orphaned",
    "cert_expiring_soon",
    "cert_duplicates",
    "cert_wrong_issuer",
    "cert_bound_to_other_device",
    "identity_serial_missing_or_mismatch",
    "profile_dependency_group_mismatch",
    "ov_outdated",
    "record_imported_not_registered",
    "mdm_push_channel_down",
    "intune_mac_renewal_window_missed",
    "os_unsupported",
    "vm_or_vdi",
    "profile_conflict",
    "profile_not_applicable",
    "ca_scep_unreachable_from_device",
    "policy_app_not_mapped",
    "ssoext_missing",
    "mdm_user_licence_or_affinity_lost",
    "ca_wrong_scep_purpose",
    "policy_rule_shadowed",
    "ssoext_wrong_hosts",
    "ssoext_wrong_payload",
    "ca_challenge_unprintable_windows",
    "ca_trusted_cert_profile_mismatch",
    "ca_template_key_usage_wrong",
    "ca_subject_template_wrong",
    "ca_chain_missing_on_device",
    "policy_registered_not_managed_rule",
    "shared_same_account_many_profiles",
    "cert_not_yet_valid_or_clock_skew",
    "ssoext_conflict",
    // By incidents only.
    "ca_static_secret_rotated",
    "ca_scep_url_wrong_or_config_deleted",
    "ca_dynamic_challenge_failing",
    "ca_intune_delegated_credentials_invalid",
    "ca_okta_renewed_not_distributed",
    "ca_byo_issuer_not_uploaded",
    "ca_byo_crl_problem",
    "profile_renewal_not_configured",
    "fastpass_disabled",
    "policy_no_managed_rule",
];

/// What is really the matter with one device-user, or with a record that has none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Truth {
    /// Okta device id; none for a machine that only the MDM knows.
    pub device_id: Option<String>,
    /// Okta user id; none for a record without users.
    pub user_id: Option<String>,
    /// The machine's own serial.
    pub serial: String,
    /// A catalogue name, or `healthy`.
    pub cause: &'static str,
    /// Further entries that the same facts make true: to name one of them is not wrong.
    pub also: Vec<&'static str>,
    /// The incident that it is part of.
    pub incident: Option<&'static str>,
    /// Whether the product is expected to know this entry.
    pub built: bool,
    /// Whether the wire shows enough to name it.
    pub decidable: bool,
    /// Why it is, or is not.
    pub why: String,
}

/// What the wire can show of one machine; see [`judge`].
#[derive(Clone, Debug, Default)]
pub(super) struct Shown {
    /// Serial or udid stand in both records, so that the match is strong.
    pub strong_match: bool,
    /// The Okta record carries a usable serial or udid at all.
    pub identified: bool,
    /// The MDM lists certificates (Jamf always; Intune only where the CA reports them).
    pub certificates: bool,
    /// The inventory is newer than the last thing that happened to the profile and its certificate.
    pub inventory_newer: bool,
    /// `pki.cert.issue` is written, and the newest issue (or what should have been one) is not older
    /// than the log.
    pub issue_logged: bool,
    /// The revocation or deletion happened within the log's 90 days.
    pub end_logged: bool,
    /// A FastPass sign-in after the certificate stands in the log with `device.managed` = false.
    pub failed_sign_in_logged: bool,
    /// The profile has been pending for at least a day.
    pub pending_long: bool,
    /// The user has no other enrolled device, so that a missing factor means this device.
    pub only_device: bool,
    /// The record says CREATED, or the enrolments of a device can be read.
    pub registration_visible: bool,
    /// Both records of a duplicate show the serial.
    pub duplicate_visible: bool,
    /// A sign-in with another factor after the certificate stands in the log.
    pub other_factor_logged: bool,
    /// A FastPass attempt after the certificate that failed, or that went by a link, stands in the log.
    pub attempt_logged: bool,
    /// The MDM shows whose machine it is, so that a record without identifiers has one candidate.
    pub candidate_visible: bool,
    /// How many machines behind the same wall failed the same way, this one included.
    pub walled_in: usize,
}

/// From so many on, failures of one site are a cluster.
const CLUSTER: usize = 3;

/// Whether the wire shows enough to name `cause`, and why.
///
/// The rules follow the evidence and the neighbours of each catalogue entry, the four clocks, and the
/// rule on coverage (an absence counts only in a source that could have shown the presence):
/// - `okta_device_suspended`, `okta_device_deactivated`, `okta_search_stale_read`: Okta alone says it.
/// - `okta_duplicate_records`: both records show the same serial.
/// - `ov_not_enrolled`: the MDM's serial is real and no Okta record has it.
/// - `ov_registration_incomplete`: the record says CREATED, or the factor list lacks `signed_nonce` for
///   a user who has no other device that would put it there.
/// - `mdm_not_enrolled`: the Okta record has a real serial or udid, so that "no match" means something.
/// - `mdm_not_checking_in`, `mdm_enrolment_broken`, `profile_not_in_scope`, `profile_failed`,
///   `okta_record_stale`: a strong match; the MDM says the rest by itself.
/// - `profile_pending`: a strong match, and pending for longer than the grace of a day.
/// - `profile_installed_no_cert`, `cert_missing`: a strong match, an MDM that lists certificates, an
///   inventory newer than the installation or the loss, and a log that would show an issue since then.
/// - `cert_expired`: as before without the log: the listed certificate carries its own date.
/// - `cert_unused_revoked_90d`, `cert_revoked_by_device_deletion`: the listed certificate, and its end
///   within the log.
/// - `fastpass_no_signin_since_cert`: the certificate is known from the inventory or from its issue in
///   the log; the log covers everything since, because it is younger than 91 days.
/// - `ca_challenge_unprintable_windows`, `ca_trusted_cert_profile_mismatch`,
///   `profile_dependency_group_mismatch`, `profile_not_applicable`, `profile_conflict`,
///   `mdm_push_channel_down`, `mdm_user_licence_or_affinity_lost`: a strong match; the MDM's words and its
///   profiles say it.
/// - `ca_scep_unreachable_from_device`: besides the words of the error, others at the same site.
/// - What an incident of deliveries leaves: the same, with the org's change in the log or the same words
///   on many machines.
/// - `cert_expiring_soon`, `ca_subject_template_wrong`, `cert_not_yet_valid_or_clock_skew`,
///   `intune_mac_renewal_window_missed`, `ca_wrong_scep_purpose`: the listed certificate.
/// - `ov_not_installed`, `ov_enrolment_orphaned`: as `ov_not_enrolled`; the second with its deletion in
///   the log.
/// - `identity_serial_missing_or_mismatch`: the MDM's record names the same user.
/// - `record_imported_not_registered`: Okta alone says it.
/// - `fastpass_other_factor_used`, `fastpass_probe_blocked`, `ssoext_*`: the certificate, and the sign-ins
///   or attempts after it. What two SSO extensions do to each other is not documented, so nothing proves
///   `ssoext_conflict`.
/// - `cert_duplicates`: as for other revocations, the end of the newest within the log.
/// - All others: everything before them in the chain must be shown to be whole, so a strong match, the
///   certificate in a newer inventory, and a sign-in after it that attested nothing.
pub(super) fn judge(cause: &str, shown: &Shown) -> (bool, String) {
    match missing(cause, shown) {
        None => (true, "every fact it rests on is on the wire".to_owned()),
        Some(missing) => (false, missing.to_owned()),
    }
}

const OLD_INVENTORY: &str = "the inventory is older than the profile's last event";
const NO_ATTEMPT: &str = "no sign-in after the certificate stands in the log";

/// What the wire lacks to name `cause`.
fn missing(cause: &str, shown: &Shown) -> Option<&'static str> {
    match cause {
        "healthy"
        | "okta_device_suspended"
        | "okta_device_deactivated"
        | "okta_search_stale_read"
        | "record_imported_not_registered" => return None,
        "okta_duplicate_records" => {
            return (!shown.duplicate_visible)
                .then_some("one of the records does not show its serial");
        }
        "ov_not_enrolled" | "ov_not_installed" | "mdm_not_enrolled" => {
            return (!shown.identified).then_some("the serial is missing or a placeholder");
        }
        "ov_enrolment_orphaned" => {
            return match shown.identified {
                false => Some("the serial is missing or a placeholder"),
                true => (!shown.end_logged).then_some("the deletion is older than the log"),
            };
        }
        "ov_registration_incomplete" => {
            return (!shown.registration_visible && !shown.only_device)
                .then_some("another device of the user puts the factor into the list");
        }
        "identity_serial_missing_or_mismatch" => {
            return (!shown.candidate_visible).then_some("nothing names the machine's record");
        }
        _ if !shown.strong_match => return Some("Okta's record and the MDM's share no identifier"),
        "mdm_not_checking_in"
        | "mdm_enrolment_broken"
        | "profile_not_in_scope"
        | "profile_failed"
        | "okta_record_stale"
        | "ca_challenge_unprintable_windows"
        | "ca_trusted_cert_profile_mismatch"
        | "profile_dependency_group_mismatch"
        | "profile_not_applicable"
        | "profile_conflict"
        | "mdm_push_channel_down"
        | "mdm_user_licence_or_affinity_lost"
        | "ca_static_secret_rotated"
        | "ca_scep_url_wrong_or_config_deleted"
        | "ca_dynamic_challenge_failing"
        | "ca_intune_delegated_credentials_invalid"
        | "ca_okta_renewed_not_distributed" => return None,
        "ca_scep_unreachable_from_device" => {
            return (shown.walled_in < CLUSTER).then_some("too few failed at the same site");
        }
        "profile_pending" => {
            return (!shown.pending_long).then_some("pending for less than a day");
        }
        "ssoext_conflict" => return Some("what two SSO extensions do to each other is unknown"),
        "fastpass_no_signin_since_cert" if shown.issue_logged => {
            return (!shown.inventory_newer).then_some(OLD_INVENTORY);
        }
        _ => {}
    }
    missing_of_certificate(cause, shown)
}

/// As [`missing`], for what rests on a listed certificate.
fn missing_of_certificate(cause: &str, shown: &Shown) -> Option<&'static str> {
    if !shown.certificates {
        return Some("the MDM does not list certificates");
    }
    if !shown.inventory_newer {
        return Some(OLD_INVENTORY);
    }
    match cause {
        "profile_installed_no_cert" | "cert_missing" => {
            (!shown.issue_logged).then_some("the log would not show whether one was issued")
        }
        "cert_unused_revoked_90d" | "cert_revoked_by_device_deletion" | "cert_duplicates" => {
            (!shown.end_logged).then_some("the revocation is older than the log")
        }
        "fastpass_other_factor_used" => (!shown.other_factor_logged).then_some(NO_ATTEMPT),
        "fastpass_probe_blocked"
        | "ssoext_missing"
        | "ssoext_wrong_hosts"
        | "ssoext_wrong_payload" => (!shown.attempt_logged).then_some(NO_ATTEMPT),
        "cert_expired"
        | "cert_expiring_soon"
        | "cert_not_yet_valid_or_clock_skew"
        | "ca_subject_template_wrong"
        | "ca_wrong_scep_purpose"
        | "intune_mac_renewal_window_missed"
        | "profile_renewal_not_configured"
        | "fastpass_disabled"
        | "fastpass_no_signin_since_cert"
        | "shared_user_store_only" => None,
        _ => (!shown.failed_sign_in_logged).then_some(NO_ATTEMPT),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_of_an_mdm_without_certificates_decides_nothing() {
        let shown = Shown {
            strong_match: true,
            inventory_newer: true,
            issue_logged: true,
            ..Shown::default()
        };
        assert!(!judge("cert_missing", &shown).0);
        assert!(judge("fastpass_no_signin_since_cert", &shown).0);
        assert!(judge("okta_device_suspended", &Shown::default()).0);
    }
}
