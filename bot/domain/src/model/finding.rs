//! Subjects, and what was found out about them.

use std::{borrow::Cow, fmt};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{
    Assumption, ConfirmedUser, DeviceId, MdmDevice, MdmDeviceId, MdmName, MdmObservation,
    Observations, OktaDevice, OktaDeviceUser, Platform, PlaybookName, Seen, UserId,
};

/// What a finding is about, with everything observed of it. Borrows from one [`Observations`].
#[derive(Debug, Clone)]
pub struct Subject<'a> {
    /// The sweep, or the small observation that an executor made of one device.
    pub observations: &'a Observations,
    /// Okta's record.
    pub device: Option<&'a OktaDevice>,
    /// The user's link to it.
    pub link: Option<&'a OktaDeviceUser>,
    /// The same link read by id, with the user's account.
    pub user: Option<&'a ConfirmedUser>,
    /// The MDM that holds the matched record.
    pub mdm: Option<&'a MdmObservation>,
    /// The matched record.
    pub record: Option<&'a MdmDevice>,
    /// How sure the match is.
    pub strength: MatchStrength,
    /// Other Okta records of the same hardware, newest first.
    pub twins: Vec<&'a OktaDevice>,
    /// Certificates that Okta's CA issued for this computer, told from their subject.
    pub issued: Option<IssuedTo<'a>>,
    /// What limits and one-in-flight count.
    pub hardware: HardwareKey,
}

/// Issues of the System Log that name one computer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IssuedTo<'a> {
    /// Normalised certificate subject, the key of [`LogFacts::issued`](super::LogFacts).
    pub subject: &'a str,
    /// First and last issue of it.
    pub seen: Seen,
}

/// One computer: its MDM record, else its normalised serial number, else its Okta record.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct HardwareKey(String);

impl HardwareKey {
    /// Key of a computer known to an MDM.
    pub fn of_mdm(mdm: &MdmName, id: &MdmDeviceId) -> Self {
        Self(format!("mdm:{mdm}:{id}"))
    }

    /// Key of a computer known by its normalised serial number only.
    pub fn of_serial(normalised: &str) -> Self {
        Self(format!("serial:{normalised}"))
    }

    /// Key of a record that shows neither.
    pub fn of_device(id: &DeviceId) -> Self {
        Self(format!("okta:{id}"))
    }

    /// The key as stored.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<String> for HardwareKey {
    fn from(value: String) -> Self {
        Self(value)
    }
}

impl fmt::Display for HardwareKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How sure it is that an Okta record and an MDM record are the same computer. It gates actions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MatchStrength {
    /// No match: report only.
    None,
    /// User, model and name: notify only.
    Weak,
    /// Serial number or hardware UUID: all actions.
    Strong,
}

/// How sure a diagnosis is: the catalogue's L, M, H.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Confidence {
    /// By elimination.
    Low,
    /// Two signals agree.
    Medium,
    /// One API value proves it.
    High,
}

impl Confidence {
    /// One step less.
    pub fn lowered(self) -> Self {
        match self {
            Self::High => Self::Medium,
            Self::Medium | Self::Low => Self::Low,
        }
    }
}

/// Stages of the way to "managed"; a finding names the first unproved one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Okta record only, or MDM record only.
    Unknown,
    /// The MDM has a live record.
    MdmEnrolled,
    /// The SCEP profile is in scope.
    ProfileAssigned,
    /// The MDM says it is installed.
    ProfileDelivered,
    /// Okta's CA issued.
    CertIssued,
    /// The MDM lists a usable certificate.
    CertPresent,
    /// Okta Verify is enrolled on the device for this user.
    OvRegistered,
    /// A FastPass sign-in after the certificate.
    FastpassAfterCert,
    /// A rule asks for a managed device.
    PolicyAsks,
    /// Proved.
    Managed,
}

macro_rules! causes {
    ($($code:literal $variant:ident $name:literal $title:literal;)*) => {
        /// The catalogue of causes, by the article's sections. Codes and names are fixed.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum Cause {
            $(#[doc = concat!($code, ": ", $title)] #[serde(rename = $name)] $variant,)*
            /// What was seen does not decide between causes, or is too old.
            #[serde(rename = "insufficient_evidence")]
            InsufficientEvidence,
        }

        impl Cause {
            /// Every cause of the catalogue, in its order.
            pub const ALL: &'static [Cause] = &[$(Cause::$variant,)* Cause::InsufficientEvidence];

            /// `C30`; empty for [`Cause::InsufficientEvidence`].
            pub fn code(self) -> &'static str {
                match self { $(Cause::$variant => $code,)* Cause::InsufficientEvidence => "" }
            }

            /// The word used in JSON and playbooks.
            pub fn name(self) -> &'static str {
                match self { $(Cause::$variant => $name,)* Cause::InsufficientEvidence => "insufficient_evidence" }
            }

            /// A few words for people.
            pub fn title(self) -> &'static str {
                match self { $(Cause::$variant => $title,)* Cause::InsufficientEvidence => "not enough evidence" }
            }

            /// The cause of that name.
            pub fn from_name(name: &str) -> Option<Self> {
                match name { $($name => Some(Cause::$variant),)* "insufficient_evidence" => Some(Cause::InsufficientEvidence), _ => None }
            }
        }
    };
}

causes! {
    "C01" CaStaticSecretRotated "ca_static_secret_rotated" "the SCEP secret was reset in Okta";
    "C02" CaScepUrlWrong "ca_scep_url_wrong_or_config_deleted" "the SCEP URL is wrong or its configuration deleted";
    "C03" CaDynamicChallengeFailing "ca_dynamic_challenge_failing" "the MDM cannot fetch SCEP challenges";
    "C04" CaIntuneCredentialsInvalid "ca_intune_delegated_credentials_invalid" "the Entra app behind delegated SCEP is invalid";
    "C05" CaChallengeUnprintable "ca_challenge_unprintable_windows" "the SCEP challenge holds characters Windows cannot encode";
    "C06" CaTrustedCertMismatch "ca_trusted_cert_profile_mismatch" "the trusted-certificate profile holds another CA certificate";
    "C07" CaRenewedNotDistributed "ca_okta_renewed_not_distributed" "Okta's CA was renewed and not distributed";
    "C08" CaChainMissing "ca_chain_missing_on_device" "the intermediate certificate is missing";
    "C09" CaByoIssuerNotUploaded "ca_byo_issuer_not_uploaded" "the issuer is not uploaded in Okta";
    "C10" CaByoCrlProblem "ca_byo_crl_problem" "the own CA's CRL is unreadable";
    "C11" CaWrongScepPurpose "ca_wrong_scep_purpose" "the profile uses the Device Access SCEP URL";
    "C12" CaTemplateKeyUsageWrong "ca_template_key_usage_wrong" "the profile asks for the wrong key usage";
    "C13" CaSubjectTemplateWrong "ca_subject_template_wrong" "the certificate subject has unresolved variables";
    "C14" CaScepUnreachable "ca_scep_unreachable_from_device" "the SCEP host cannot be reached";
    "C15" MdmNotEnrolled "mdm_not_enrolled" "not in any connected MDM";
    "C16" MdmNotCheckingIn "mdm_not_checking_in" "does not check in with its MDM";
    "C17" MdmEnrolmentBroken "mdm_enrolment_broken" "MDM enrolment is broken";
    "C18" MdmPushChannelDown "mdm_push_channel_down" "the MDM's push channel is down";
    "C19" ProfileNotInScope "profile_not_in_scope" "the SCEP profile is not assigned";
    "C20" ProfileDependencyGroupMismatch "profile_dependency_group_mismatch" "trusted-certificate and SCEP profile go to different groups";
    "C21" ProfilePending "profile_pending" "the SCEP profile is assigned but not delivered";
    "C22" ProfileFailed "profile_failed" "the SCEP profile failed to install";
    "C23" ProfileNotApplicable "profile_not_applicable" "the SCEP profile does not apply to this device";
    "C24" ProfileConflict "profile_conflict" "two profiles conflict";
    "C25" ProfileInstalledNoCert "profile_installed_no_cert" "the profile is installed, no certificate was issued";
    "C26" ProfileRenewalNotConfigured "profile_renewal_not_configured" "redistribution before expiry is not set up";
    "C27" IntuneMacRenewalMissed "intune_mac_renewal_window_missed" "Intune missed the renewal window on this Mac";
    "C28" MdmUserAffinityLost "mdm_user_licence_or_affinity_lost" "the MDM user's licence or affinity is lost";
    "C29" CertMissing "cert_missing" "the certificate is gone";
    "C30" CertExpired "cert_expired" "the certificate expired";
    "C31" CertExpiringSoon "cert_expiring_soon" "the certificate expires soon";
    "C32" CertNotYetValid "cert_not_yet_valid_or_clock_skew" "the device's clock is wrong";
    "C33" CertUnusedRevoked "cert_unused_revoked_90d" "the certificate was revoked because it was not used in 90 days";
    "C34" CertRevokedByDeletion "cert_revoked_by_device_deletion" "the certificate was revoked when its Okta record was deleted";
    "C35" CertBoundToOther "cert_bound_to_other_device" "the certificate is bound to another device";
    "C36" CertWrongIssuer "cert_wrong_issuer" "the certificate is from another CA";
    "C37" CertWrongStore "cert_wrong_store" "the certificate is in the wrong store";
    "C38" CertDuplicates "cert_duplicates" "the newest of several certificates is a bad one";
    "C39" CertKeyInaccessibleMacos "cert_key_inaccessible_macos" "Okta Verify may not use the key";
    "C40" CertKeyInaccessibleWindows "cert_key_inaccessible_windows" "Okta Verify cannot use the key";
    "C41" OvNotInstalled "ov_not_installed" "Okta Verify is not installed";
    "C42" OvNotEnrolled "ov_not_enrolled" "Okta Verify has no account";
    "C43" OvRegistrationIncomplete "ov_registration_incomplete" "the Okta Verify account is incomplete";
    "C44" OvOutdated "ov_outdated" "Okta Verify is too old";
    "C45" OvEnrolmentOrphaned "ov_enrolment_orphaned" "Okta Verify still holds a deleted record";
    "C46" FastpassDisabled "fastpass_disabled" "FastPass is off";
    "C47" FastpassNoSigninSinceCert "fastpass_no_signin_since_cert" "no FastPass sign-in since the certificate";
    "C48" FastpassOtherFactorUsed "fastpass_other_factor_used" "signs in with another factor";
    "C49" FastpassProbeBlocked "fastpass_probe_blocked" "the browser cannot reach Okta Verify";
    "C50" PolicyNoManagedRule "policy_no_managed_rule" "no rule asks for managed devices";
    "C51" PolicyRuleShadowed "policy_rule_shadowed" "an earlier rule wins";
    "C52" PolicyRegisteredNotManagedRule "policy_registered_not_managed_rule" "a rule for registered, not managed devices wins";
    "C53" PolicyAppNotMapped "policy_app_not_mapped" "the app uses another policy";
    "C54" PolicyUserOutOfScope "policy_user_out_of_scope" "the FastPass rule does not cover the user";
    "C55" OktaDeviceSuspended "okta_device_suspended" "suspended in Okta";
    "C56" OktaDeviceDeactivated "okta_device_deactivated" "deactivated in Okta";
    "C57" OktaDuplicateRecords "okta_duplicate_records" "an old record of a re-registered computer";
    "C58" OktaRecordStale "okta_record_stale" "not used for a long time";
    "C59" OktaSearchStaleRead "okta_search_stale_read" "the list was out of date";
    "C60" IdentitySerialMismatch "identity_serial_missing_or_mismatch" "the serial number is missing or differs";
    "C61" VmOrVdi "vm_or_vdi" "a virtual desktop";
    "C62" OsUnsupported "os_unsupported" "the OS is too old";
    "C63" RecordImportedNotRegistered "record_imported_not_registered" "imported, never registered";
    "C64" SharedUserStoreOnly "shared_user_store_only" "a shared computer with the first user's certificate only";
    "C65" SharedSameAccountManyProfiles "shared_same_account_many_profiles" "one account in several OS profiles";
    "C66" SharedKioskAccount "shared_kiosk_account" "a kiosk account";
    "C67" MixedPersonalAccount "mixed_personal_account" "a second account that is expected to be unmanaged";
    "C68" SsoextMissing "ssoext_missing" "the SSO extension profile is missing";
    "C69" SsoextWrongHosts "ssoext_wrong_hosts" "the SSO extension names the wrong hosts";
    "C70" SsoextWrongPayload "ssoext_wrong_payload" "the SSO extension payload is wrong";
    "C71" SsoextConflict "ssoext_conflict" "two SSO extension profiles conflict";
    "C72" SsoextNeedsCa "ssoext_needs_ca" "the SSO extension needs a certificate first";
    "C99" Unexplained "unexplained" "everything is in place and it is still not managed";
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One observed fact behind a finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// `[[mdm]].name`, or okta, scep, operator.
    pub source: String,
    /// Which fact, for example `certificate.expires_at`.
    pub fact: String,
    /// Its value, always text.
    pub value: String,
    /// When it was read.
    pub observed_at: DateTime<Utc>,
    /// The time it speaks of.
    pub about: Option<DateTime<Utc>>,
    /// The unverified belief about the vendor that it rests on, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assumes: Option<Assumption>,
}

impl Evidence {
    /// Names the belief that it rests on.
    pub fn assuming(mut self, belief: Assumption) -> Self {
        self.assumes = Some(belief);
        self
    }
}

/// A cause that was considered: excluded, and by what, or left to a person to check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rival {
    /// The cause.
    pub cause: Cause,
    /// What excludes it, in one sentence; for one that only a person can check, why it is still open.
    pub excluded_by: String,
    /// How a person checks it, where no API shows it for one device.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub check: Option<Cow<'static, str>>,
}

/// What a fault shows of itself: by it, faults of one origin are known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Symptom {
    /// The error's own words where a source gives some, else the name of the cause.
    pub text: Cow<'static, str>,
    /// When the fault began, by its own source's time; `None`: not known. Never when it was first seen.
    pub since: Option<DateTime<Utc>>,
}

/// Further evidence that would sharpen a diagnosis; the observer reads it and diagnosis runs again.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(tag = "want", rename_all = "snake_case")]
pub enum Want {
    /// `GET /users/{id}/groups`
    UserGroups {
        /// Whose.
        user: UserId,
    },
    /// `GET /users/{id}/factors`
    UserFactors {
        /// Whose.
        user: UserId,
    },
    /// A bounded System Log query by user.
    UserLog {
        /// Whose.
        user: UserId,
        /// Since when.
        since: DateTime<Utc>,
    },
    /// A fresh, complete record of the device from its MDM.
    MdmRecord {
        /// Which MDM.
        mdm: MdmName,
        /// Which record.
        device: MdmDeviceId,
    },
}

/// The answer about one subject.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnosis {
    /// Best cause.
    pub cause: Cause,
    /// First unproved stage.
    pub stage: Stage,
    /// How sure.
    pub confidence: Confidence,
    /// What it rests on.
    pub evidence: Vec<Evidence>,
    /// What was excluded, and by what.
    pub rivals: Vec<Rival>,
    /// What would decide it, when it is not decided.
    pub wants: Vec<Want>,
    /// What the fault shows of itself; `None` where no fault is named.
    pub symptom: Option<Symptom>,
}

/// Why a subject is not in a proposal. The words are fixed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(
    missing_docs,
    reason = "the words are defined in the design, section 8, and explained by wording.rs"
)]
pub enum WhyNot {
    Settling,
    SourceIncomplete,
    HeldByFleetFinding,
    InsufficientEvidence,
    NoMatch,
    WeakMatch,
    Unconfirmed,
    NoPlaybook,
    ConditionUnknown,
    ConditionFalse,
    RepairNotConfigured,
    NotPossibleHere,
    UserUnreachable,
    Excluded,
    Cooldown,
    AttemptCap,
    Quarantine,
    OverCap,
    WindowClosed,
    InFlight,
    Denied,
    Stopped,
    ObserveOnly,
}

/// One `NOT_MANAGED` device-user in scope: what is wrong, why, and what is done about it. The shape of `sweep --json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// Okta device id; null in `unlinked` for a record that only an MDM has.
    pub device_id: Option<DeviceId>,
    /// Okta user id; null in `unlinked`.
    pub user_id: Option<UserId>,
    /// Serial number as Okta spells it.
    pub serial_number: Option<String>,
    /// Operating system.
    pub platform: Platform,
    /// `[[mdm]].name` of the matched record.
    pub mdm: Option<MdmName>,
    /// Its id there.
    pub mdm_device_id: Option<MdmDeviceId>,
    /// How sure the match is.
    pub match_strength: MatchStrength,
    /// First unproved stage.
    pub stage: Stage,
    /// Best cause.
    pub cause: Cause,
    /// How sure.
    pub confidence: Confidence,
    /// Whether it was read by id.
    pub confirmed: bool,
    /// Whether the user is denied by a policy right now.
    pub blocked: bool,
    /// What it rests on.
    pub evidence: Vec<Evidence>,
    /// The playbook that matches, also when it is held back.
    pub playbook: Option<PlaybookName>,
    /// Why it is in no proposal; null if it is in one.
    pub why_not: Option<WhyNot>,
    /// Detail of `why_not`, for people.
    pub why_not_detail: Option<String>,
    /// When it is looked at again.
    pub retry_at: Option<DateTime<Utc>>,
    /// Name of the computer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device_name: Option<String>,
    /// Login of the user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub login: Option<String>,
    /// What was excluded, and by what; shown by `why`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rivals: Vec<Rival>,
}
