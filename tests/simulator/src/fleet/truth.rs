//! The generator's own record of every device-user: which fault was built into it, and whether the
//! wire can show enough to tell. Written when the fault is built, before any diagnosis exists.

use serde::Serialize;

/// The catalogue entries that the product is expected to name.
pub const BUILT_CAUSES: [&str; 22] = [
    "mdm_not_enrolled",
    "mdm_not_checking_in",
    "mdm_enrolment_broken",
    "profile_not_in_scope",
    "profile_pending",
    "profile_failed",
    "profile_installed_no_cert",
    "cert_missing",
    "cert_expired",
    "cert_unused_revoked_90d",
    "cert_revoked_by_device_deletion",
    "ov_not_enrolled",
    "ov_registration_incomplete",
    "fastpass_no_signin_since_cert",
    "policy_user_out_of_scope",
    "okta_device_suspended",
    "okta_device_deactivated",
    "okta_duplicate_records",
    "okta_record_stale",
    "okta_search_stale_read",
    "shared_user_store_only",
    "unexplained",
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
}

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
/// - `policy_user_out_of_scope`, `shared_user_store_only`, `unexplained` and every entry outside the
///   built set: everything before them in the chain must be shown to be whole, so a strong match, the
///   certificate in a newer inventory, and for the last a failed sign-in after it.
pub(super) fn judge(cause: &str, shown: &Shown) -> (bool, String) {
    let certificate_seen = shown.strong_match && shown.certificates && shown.inventory_newer;
    let missing = match cause {
        "healthy"
        | "okta_device_suspended"
        | "okta_device_deactivated"
        | "okta_search_stale_read" => None,
        "okta_duplicate_records" => {
            (!shown.duplicate_visible).then_some("one of the records does not show its serial")
        }
        "ov_not_enrolled" | "mdm_not_enrolled" => {
            (!shown.identified).then_some("the serial is missing or a placeholder")
        }
        "ov_registration_incomplete" => (!shown.registration_visible && !shown.only_device)
            .then_some("another device of the user puts the factor into the list"),
        _ if !shown.strong_match => Some("Okta's record and the MDM's share no identifier"),
        "mdm_not_checking_in"
        | "mdm_enrolment_broken"
        | "profile_not_in_scope"
        | "profile_failed"
        | "okta_record_stale" => None,
        "profile_pending" => (!shown.pending_long).then_some("pending for less than a day"),
        "fastpass_no_signin_since_cert" if shown.issue_logged => (!shown.inventory_newer)
            .then_some("the inventory is older than the profile's last event"),
        _ if !shown.certificates => Some("the MDM does not list certificates"),
        _ if !certificate_seen => Some("the inventory is older than the profile's last event"),
        "profile_installed_no_cert" | "cert_missing" => {
            (!shown.issue_logged).then_some("the log would not show whether one was issued")
        }
        "cert_unused_revoked_90d" | "cert_revoked_by_device_deletion" => {
            (!shown.end_logged).then_some("the revocation is older than the log")
        }
        "policy_user_out_of_scope" | "unexplained" => (!shown.failed_sign_in_logged)
            .then_some("no sign-in after the certificate stands in the log"),
        _ => None,
    };
    match missing {
        None => (true, "every fact it rests on is on the wire".to_owned()),
        Some(missing) => (false, missing.to_owned()),
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
