//! What the connectors saw, in the domain's words. "Not shown" is a value of its own: never an empty list, never false.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{DeviceId, GroupId, LogFacts, MdmDeviceId, MdmName, ProfileId, UserId};

/// Everything that one sweep looked at.
#[derive(Debug, Clone)]
pub struct Observations {
    /// When the sweep began, on our own clock.
    pub taken_at: DateTime<Utc>,
    /// The Okta org.
    pub okta: OktaObservation,
    /// One entry per `[[mdm]]`, in the order of the settings.
    pub mdms: Vec<MdmObservation>,
    /// What the System Log has told so far, this sweep included.
    pub log: LogFacts,
}

/// The Okta org as one sweep saw it.
#[derive(Debug, Clone, Default)]
pub struct OktaObservation {
    /// "Now" in Okta's own time when the listing ended; vendor times are compared with this alone.
    pub now: DateTime<Utc>,
    /// Every record listed, every platform and status.
    pub devices: Vec<OktaDevice>,
    /// By-id confirmations (`GET /devices/{id}/users`) of candidates, per device.
    pub confirmed: BTreeMap<DeviceId, DeviceConfirmation>,
    /// Read only for candidates whose diagnosis asked for it.
    pub users: BTreeMap<UserId, UserDetail>,
    /// Simulated only for those who would be put into the FastPass group.
    pub fastpass_access: BTreeMap<UserId, AccessCheck>,
    /// Authenticators, policies, rules and mappings.
    pub policies: PolicyFacts,
    /// Okta's own certificate authorities (Early Access); `None`: not readable here, which proves nothing.
    pub authorities: Option<Vec<CertificateAuthority>>,
}

/// One of Okta's certificate authorities. Okta's "Certificate Authority API" (Early Access).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CertificateAuthority {
    /// Id of the authority, which the SCEP URL carries; unchanged by renewals.
    pub id: String,
    /// Whether it issues for management attestation; `false`: for Device Access.
    pub attests_management: bool,
    /// Its certificates, one of them active.
    pub certificates: Vec<AuthorityCertificate>,
    /// SCEP configurations below it, each with the certificate it still names.
    pub configurations: Vec<ScepConfiguration>,
}

/// A certificate of an authority.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuthorityCertificate {
    /// Subject key identifier.
    pub key_id: String,
    /// Whether a newer one has taken its place.
    pub retiring: bool,
    /// notAfter.
    pub expires_at: Option<DateTime<Utc>>,
}

/// A SCEP configuration (registration authority) of an authority.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScepConfiguration {
    /// `rac…`
    pub id: String,
    /// Key identifier of the authority certificate that it names.
    pub authority_key_id: Option<String>,
}

/// An Okta device record. Okta's "Devices API".
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OktaDevice {
    /// `guo…`
    pub id: DeviceId,
    /// Lifecycle status.
    pub status: OktaDeviceStatus,
    /// When the record was made.
    pub created: Option<DateTime<Utc>>,
    /// Moves when signals are saved at an authentication or the lifecycle changes.
    pub last_updated: Option<DateTime<Utc>>,
    /// Operating system.
    pub platform: Platform,
    /// Name shown in the Admin Console.
    pub display_name: String,
    /// As Okta spells it; may hold spaces and placeholders.
    pub serial_number: Option<String>,
    /// Hardware UUID; filled on macOS, sometimes on Windows.
    pub udid: Option<String>,
    /// `profile.model`
    pub model: Option<String>,
    /// `profile.manufacturer`
    pub manufacturer: Option<String>,
    /// `profile.osVersion`
    pub os_version: Option<String>,
    /// `profile.registered`
    pub registered: bool,
    /// Version of Okta Verify on it; `None`: not shown (whether the list shows it at all is UNVERIFIED).
    #[serde(default)]
    pub okta_verify_version: Option<String>,
    /// The users linked to the record; `None` when the list did not embed them.
    pub users: Option<Vec<OktaDeviceUser>>,
}

/// Lifecycle status of an Okta device record; an open set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum OktaDeviceStatus {
    /// In use.
    Active,
    /// Made, never activated.
    Created,
    /// Cannot sign in; links and certificate kept.
    Suspended,
    /// Links, factors and certificate gone.
    Deactivated,
    /// A word that Okta may add.
    #[serde(untagged)]
    Other(String),
}

/// Operating system of a device; only desktops get findings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Platform {
    /// Windows desktop.
    Windows,
    /// Mac.
    Macos,
    /// Phone, tablet or a word that Okta may add.
    Other,
}

impl Platform {
    /// Whether management attestation for desktops applies.
    pub fn is_desktop(self) -> bool {
        !matches!(self, Self::Other)
    }
}

/// The link of one user to one device record; management status lives here, not on the device.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OktaDeviceUser {
    /// `00u…`
    pub user_id: UserId,
    /// Okta login.
    pub login: String,
    /// E-mail of the user's profile.
    pub email: Option<String>,
    /// First and last name.
    pub name: Option<String>,
    /// `None` when the answer had no such field.
    pub management_status: Option<ManagementStatus>,
    /// When the account was added to the device.
    pub created: Option<DateTime<Utc>>,
}

/// Okta's `managementStatus` of a device-user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ManagementStatus {
    /// Proved at a FastPass sign-in.
    Managed,
    /// Not proved, or not any more.
    NotManaged,
}

/// A device's users read by id.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DeviceConfirmation {
    /// Okta's time of the read.
    pub read_at: DateTime<Utc>,
    /// The list's `lastUpdated` at that time; a newer one ends the confirmation.
    pub last_updated: Option<DateTime<Utc>>,
    /// `None`: the record is gone (404).
    pub users: Option<Vec<ConfirmedUser>>,
}

/// One link of [`DeviceConfirmation`], with the whole user that this call embeds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ConfirmedUser {
    /// The link.
    pub link: OktaDeviceUser,
    /// Status of the user's account.
    pub status: UserStatus,
    /// Last sign-in of any kind.
    pub last_login: Option<DateTime<Utc>>,
}

/// Okta user status, as far as it matters here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum UserStatus {
    /// Playbooks act for these only.
    Active,
    /// STAGED, `LOCKED_OUT`, SUSPENDED, DEPROVISIONED and the rest.
    #[serde(untagged)]
    Other(String),
}

/// What is read of one user only when a diagnosis needs it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct UserDetail {
    /// Groups (`GET /users/{id}/groups`).
    pub groups: Option<Vec<GroupId>>,
    /// Whether a `signed_nonce` factor is listed ACTIVE. Presence is proof, absence is weak.
    pub fastpass_enrolled: Option<bool>,
    /// Oldest time up to which the user's own log was asked in a bounded query.
    pub log_covered_from: Option<DateTime<Utc>>,
}

/// What `/policies/simulate` says about a user who would be put into the FastPass group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "access", rename_all = "snake_case")]
pub enum AccessCheck {
    /// Every app that is open today stays open, with and without a managed computer.
    Kept,
    /// An app would be closed.
    Lost {
        /// One app of the policy.
        app: String,
        /// Name of the policy.
        policy: String,
    },
    /// Okta could not be asked, or its answer does not say it.
    NotProvable {
        /// Why.
        reason: String,
    },
}

/// What the org's policies ask of a device.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct PolicyFacts {
    /// Whether everything below was read to the end.
    pub complete: bool,
    /// Status of the authenticator `okta_verify` and its method `signed_nonce`; `None`: not readable.
    pub fastpass_active: Option<bool>,
    /// Whether the sign-in page shows the button "Sign in with Okta FastPass"; `None`: not readable.
    #[serde(default)]
    pub fastpass_button: Option<bool>,
    /// Active access policies.
    pub access_policies: Vec<AccessPolicy>,
}

/// An app sign-in policy (`ACCESS_POLICY`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AccessPolicy {
    /// Policy id.
    pub id: String,
    /// Policy name.
    pub name: String,
    /// Active rules by priority.
    pub rules: Vec<AccessRule>,
    /// Apps that use it.
    pub app_ids: Vec<String>,
}

/// One rule of an access policy, as far as it asks for a device or limits people.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AccessRule {
    /// Rule id.
    pub id: String,
    /// Rule name.
    pub name: String,
    /// Lower wins.
    pub priority: i64,
    /// `conditions.device.registered`
    pub registered: Option<bool>,
    /// `conditions.device.managed`
    pub managed: Option<bool>,
    /// Whether any other condition names a device (assurance, expression).
    pub other_device_condition: bool,
    /// Platforms the rule is limited to; empty: all.
    pub platforms: Vec<Platform>,
    /// Groups included; empty: everybody.
    pub groups_include: Vec<GroupId>,
    /// Groups excluded.
    pub groups_exclude: Vec<GroupId>,
    /// Users included; empty: no limit.
    pub users_include: Vec<UserId>,
    /// Users excluded.
    pub users_exclude: Vec<UserId>,
    /// Whether the rule denies.
    pub denies: bool,
}

/// One MDM as one sweep saw it.
#[derive(Debug, Clone)]
pub struct MdmObservation {
    /// `[[mdm]].name`
    pub name: MdmName,
    /// `[[mdm]].kind`
    pub kind: MdmKind,
    /// Which desktops it manages.
    pub platforms: Vec<Platform>,
    /// Whether it was read to the end. If not, absence from `devices` and `profiles` proves nothing.
    pub complete: bool,
    /// "Now" in the MDM's own time when the listing ended.
    pub now: DateTime<Utc>,
    /// What it can show at all.
    pub shows: Shows,
    /// Its records.
    pub devices: Vec<MdmDevice>,
    /// The attestation profiles found, matched by `[attestation] scep_profiles`.
    pub profiles: Vec<AttestationProfile>,
    /// Okta's SSO extension profiles for macOS; `None`: not shown.
    pub sso_extensions: Option<Vec<SsoExtensionProfile>>,
    /// When the push certificate (APNs) of the MDM ends; `None`: not shown.
    pub push_certificate_expires_at: Option<DateTime<Utc>>,
    /// Repair targets that a person prepared.
    pub targets: RepairTargets,
}

/// Kinds of MDM that have a connector.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MdmKind {
    /// Microsoft Intune through Graph.
    Intune,
    /// Jamf Pro.
    Jamf,
}

/// Which facts a source can show at all. Absence from a source that cannot show it is no evidence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shows {
    /// Client certificates.
    pub certificates: Visibility,
    /// The issuer of a certificate.
    pub issuer: bool,
    /// User or machine store of a certificate.
    pub store: bool,
    /// Delivery state of a profile per device.
    pub profile_state: bool,
    /// Whether the profile is assigned to the device.
    pub assignment: bool,
    /// Applications, so that a missing Okta Verify can be told.
    pub applications: bool,
}

/// Whether a source lists a kind of fact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Visibility {
    /// What is there is listed.
    Always,
    /// Listed only where something outside reports it (Intune: the CA); presence is proof, absence is not.
    PresenceOnly,
    /// Never.
    Never,
}

/// A device record of an MDM.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MdmDevice {
    /// Id in the MDM.
    pub id: MdmDeviceId,
    /// The second key that commands or groups use: Jamf's `managementId`, Entra's `deviceId`.
    pub management_id: Option<String>,
    /// Device name.
    pub name: String,
    /// Operating system.
    pub platform: Platform,
    /// Serial number as the MDM spells it.
    pub serial_number: Option<String>,
    /// Hardware UUID.
    pub udid: Option<String>,
    /// Model.
    pub model: Option<String>,
    /// OS version.
    pub os_version: Option<String>,
    /// Address or UPN of the assigned user, as the MDM spells it.
    pub user: Option<String>,
    /// Whether management works, as far as the record tells.
    pub enrolment: Enrolment,
    /// When the device enrolled.
    pub enrolled_at: Option<DateTime<Utc>>,
    /// Last contact on any channel.
    pub last_check_in: Option<DateTime<Utc>>,
    /// What time the certificates and profiles below speak of.
    pub inventory_at: Option<DateTime<Utc>>,
    /// Attestation profile deliveries; `None`: not shown for this record.
    pub profiles: Option<Vec<ProfileDelivery>>,
    /// Matching client certificates; `None`: not shown for this record.
    pub certificates: Option<Vec<MdmCertificate>>,
    /// Whether Okta Verify is installed; `None`: not shown.
    pub okta_verify_installed: Option<bool>,
    /// Accounts that can use a user channel (Jamf) or have signed in (Intune beta); `None`: not shown.
    pub local_users: Option<u32>,
    /// Groups of the record that the MDM lists with it.
    pub groups: Option<Vec<GroupId>>,
    /// Whether the push channel to the device is on; `None`: not shown.
    pub push_enabled: Option<bool>,
    /// Device category (Intune).
    pub category: Option<String>,
    /// Version of Okta Verify; `None`: not shown.
    #[serde(default)]
    pub okta_verify_version: Option<String>,
    /// Whether the intermediate certificate of Okta's CA is among its certificates; `None`: not shown.
    #[serde(default)]
    pub intermediate_present: Option<bool>,
    /// How the trusted-certificate profile stands; `None`: not shown.
    #[serde(default)]
    pub trust_profile: Option<ProfileState>,
    /// Okta's SSO extension profiles on it; `None`: not shown.
    #[serde(default)]
    pub sso_extensions: Option<Vec<ProfileId>>,
    /// Since when the oldest command waits for the device; `None`: none waits, or not shown.
    #[serde(default)]
    pub command_pending_since: Option<DateTime<Utc>>,
    /// What the MDM says of the certificate request itself.
    #[serde(default)]
    pub issuance: Option<Issuance>,
    /// Site or network that the MDM files it under.
    #[serde(default)]
    pub site: Option<String>,
}

/// State of a certificate request as Intune keeps it (`managedDeviceCertificateState`, beta; whether it is still
/// served is UNVERIFIED).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Issuance {
    /// `certificateIssuanceState`, the vendor's own word.
    pub state: String,
    /// `certificateErrorCode`, where it is not zero.
    pub error_code: Option<i64>,
    /// When that state was reached.
    pub since: Option<DateTime<Utc>>,
}

/// State of the MDM enrolment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Enrolment {
    /// Nothing speaks against it.
    Works,
    /// The record is there but management is lost; field and value that say so.
    Broken {
        /// The vendor's field.
        fact: String,
        /// Its value.
        value: String,
    },
    /// The record does not tell.
    Unknown,
}

/// How one attestation profile stands on one device.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProfileDelivery {
    /// Which profile.
    pub profile_id: ProfileId,
    /// State.
    pub state: ProfileState,
    /// When that state was reached, in the MDM's time.
    pub since: Option<DateTime<Utc>>,
    /// Store the profile's certificate goes to, by its level.
    pub store: Option<CertificateStore>,
}

/// Delivery state of a profile.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProfileState {
    /// The device or its user is not in scope.
    NotAssigned,
    /// In scope, not delivered yet.
    Pending,
    /// The MDM says it is installed.
    Installed,
    /// The MDM reports an error.
    Failed {
        /// The MDM's own text.
        error: String,
    },
    /// Two profiles set different values (Intune).
    Conflict,
    /// Platform, edition, ownership or a filter excludes it.
    NotApplicable,
    /// The record does not tell.
    Unknown,
}

/// Where a client certificate lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CertificateStore {
    /// Login keychain, `Cert:\CurrentUser\My`.
    User,
    /// System keychain, `Cert:\LocalMachine\My`.
    Machine,
}

/// A client certificate that may prove management, as the MDM lists it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MdmCertificate {
    /// Common name or subject.
    pub subject: String,
    /// Whether the subject fits `[attestation] subject_pattern`. If not, the issuer or the profile that asked for it is
    /// why it is listed: a broken subject template, or a certificate of another purpose (Device Access).
    #[serde(default = "fits")]
    pub subject_matches: bool,
    /// Issuer DN; `None` where the MDM shows none: then the issuer is unknown, never wrong.
    pub issuer: Option<String>,
    /// Serial number.
    pub serial_number: Option<String>,
    /// SHA-1 thumbprint.
    pub thumbprint: Option<String>,
    /// notBefore.
    pub issued_at: Option<DateTime<Utc>>,
    /// notAfter.
    pub expires_at: Option<DateTime<Utc>>,
    /// Store.
    pub store: Option<CertificateStore>,
    /// Account of a user store.
    pub username: Option<String>,
    /// Whether the private key is there.
    pub has_private_key: Option<bool>,
    /// The MDM's own word that it is revoked.
    pub revoked: Option<bool>,
}

/// Records of an older release hold matching certificates only.
fn fits() -> bool {
    true
}

/// A SCEP profile that delivers the attestation certificate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AttestationProfile {
    /// Id in the MDM.
    pub id: ProfileId,
    /// Name.
    pub name: String,
    /// `PayloadIdentifier` (Apple) where known.
    pub identifier: Option<String>,
    /// Operating system.
    pub platform: Platform,
    /// Store its certificate goes to.
    pub store: Option<CertificateStore>,
    /// Payload kinds besides SCEP and trusted certificates; `None`: not readable.
    pub other_payloads: Option<Vec<String>>,
    /// Wi-Fi, VPN or EAP profiles that use its certificate; `None`: not readable.
    pub network_uses: Option<Vec<String>>,
    /// What it is assigned to.
    pub scope: ProfileScope,
    /// When it was last edited.
    pub modified_at: Option<DateTime<Utc>>,
    /// What its SCEP payload asks for.
    #[serde(default)]
    pub scep: ScepSettings,
    /// The trusted-certificate profile that it leans on; `None`: none was found, or not readable.
    #[serde(default)]
    pub trust: Option<TrustProfile>,
}

/// What a SCEP payload asks for; every field is `None` where the MDM does not show it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScepSettings {
    /// SCEP URL, without a challenge.
    pub url: Option<String>,
    /// How the challenge comes.
    pub challenge: Option<ChallengeKind>,
    /// Subject as written, with its variables.
    pub subject: Option<String>,
    /// Key size in bits.
    pub key_size: Option<u32>,
    /// Whether the key usage holds digital signature.
    pub digital_signature: Option<bool>,
    /// Whether the extended key usage holds client authentication.
    pub client_authentication: Option<bool>,
    /// macOS: whether every app may use the key.
    pub all_apps_access: Option<bool>,
    /// Windows: where the key is kept.
    pub key_storage: Option<KeyStorage>,
    /// When the certificate is delivered anew before it expires.
    pub renewal: Option<Renewal>,
    /// Fingerprint of the CA certificate that the payload or its trusted-certificate profile pins, hex.
    pub ca_fingerprint: Option<String>,
}

/// How a SCEP challenge reaches the device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChallengeKind {
    /// One secret for all devices.
    Static,
    /// Fetched by the MDM for each device.
    Dynamic,
    /// Made by Intune, validated by Okta with Intune.
    Delegated,
}

/// Where Windows keeps the private key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyStorage {
    /// In the TPM, or the request fails.
    TpmOnly,
    /// In the TPM where there is one.
    TpmElseSoftware,
    /// In software.
    Software,
    /// In Windows Hello for Business, or the request fails.
    HelloOnly,
}

/// When an MDM delivers a certificate anew. Okta's CA knows no renewal request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Renewal {
    /// Never by itself.
    Off,
    /// By itself, but when is not shown (Jamf).
    On,
    /// So many days before it expires (Jamf "Redistribute Profile").
    DaysBefore(u32),
    /// When so many per cent of its life are left (Intune).
    PercentLeft(u32),
}

/// The profile that brings the CA certificate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TrustProfile {
    /// Id in the MDM; the SCEP profile's own where it holds both payloads.
    pub id: ProfileId,
    /// Name.
    pub name: String,
    /// What it is assigned to.
    pub scope: ProfileScope,
    /// SHA-1 thumbprint of the certificate it brings, upper-case hex; `None`: not readable.
    pub thumbprint: Option<String>,
    /// SHA-256 thumbprint of that certificate, upper-case hex.
    #[serde(default)]
    pub sha256: Option<String>,
    /// Subject key identifier of that certificate, upper-case hex, as Okta's [`AuthorityCertificate::key_id`].
    #[serde(default)]
    pub key_id: Option<String>,
}

/// An SSO extension profile that names Okta (payload `com.apple.extensiblesso`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SsoExtensionProfile {
    /// Id in the MDM.
    pub id: ProfileId,
    /// Name.
    pub name: String,
    /// `ExtensionIdentifier`
    pub extension_id: Option<String>,
    /// `TeamIdentifier`
    pub team_id: Option<String>,
    /// `Type`: `Credential` or `Redirect` (Platform SSO).
    pub kind: Option<String>,
    /// `Realm`
    pub realm: Option<String>,
    /// `Hosts`
    pub hosts: Vec<String>,
    /// What it is assigned to.
    pub scope: ProfileScope,
}

/// To whom a profile is assigned, as far as the rungs of the re-push ladder need it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ProfileScope {
    /// Every device.
    pub all_devices: bool,
    /// Device groups included.
    pub device_groups: Vec<GroupId>,
    /// User groups included.
    pub user_groups: Vec<GroupId>,
    /// Single devices included.
    pub devices: Vec<MdmDeviceId>,
    /// Groups excluded.
    pub excluded_groups: Vec<GroupId>,
    /// Device categories that an exclude filter of ours names (Intune).
    pub excluded_categories: Vec<String>,
}

/// What a person prepared for repairs: exact ids, never guessed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RepairTargets {
    /// Group in the exclusions of the attestation profile.
    pub hold_group: Option<GroupId>,
    /// Group in the scope of the attestation profile.
    pub target_group: Option<GroupId>,
    /// Device category that our exclude filter names (Intune).
    pub hold_category: Option<String>,
    /// Computer-level twin of the profile.
    pub machine_profile: Option<ProfileId>,
    /// Group in scope of that twin and in the exclusions of the user profile.
    pub machine_group: Option<GroupId>,
    /// Prepared remediation script that removes dead certificates (Intune).
    pub cleanup_script: Option<String>,
}
