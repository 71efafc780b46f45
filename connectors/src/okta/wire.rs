//! Okta's JSON, with the fields that are used. Optional fields of a wrong type count as absent.

use chrono::{DateTime, Utc};
use secrecy::SecretString;
use serde::{Deserialize, Deserializer};
use unstuck_domain::{
    ConfirmedUser, DeviceId, ManagementStatus, OktaDevice, OktaDeviceStatus, OktaDeviceUser,
    Platform, UserId, UserStatus,
};

use crate::http::lenient;
use crate::{UserAccount, decode};

/// The words of an error body: of the API (`errorCode`) or of the token endpoint (`error`).
pub(super) fn reason(body: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Body {
        #[serde(alias = "error")]
        #[serde(rename = "errorCode")]
        code: String,
        #[serde(alias = "error_description")]
        #[serde(rename = "errorSummary")]
        text: Option<String>,
    }
    let Body { code, text } = serde_json::from_slice(body).ok()?;
    Some(match text {
        Some(text) => format!("{code}: {text}"),
        None => code,
    })
}

#[derive(Deserialize)]
pub(super) struct Organization {
    #[serde(deserialize_with = "decode::word_id")]
    pub(super) id: String,
    #[serde(default, deserialize_with = "decode::optional_text")]
    pub(super) pipeline: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct Token {
    pub(super) token_type: String,
    pub(super) access_token: SecretString,
    pub(super) expires_in: u64,
}

/// Anything of which only the id matters.
#[derive(Deserialize)]
pub(super) struct Identified {
    #[serde(deserialize_with = "decode::word_id")]
    pub(super) id: String,
}

#[derive(Deserialize)]
pub(super) struct Device {
    #[serde(deserialize_with = "decode::word_id")]
    id: String,
    #[serde(default, deserialize_with = "decode::optional_text")]
    status: Option<String>,
    #[serde(default, deserialize_with = "decode::optional_time")]
    created: Option<DateTime<Utc>>,
    #[serde(
        default,
        rename = "lastUpdated",
        deserialize_with = "decode::optional_time"
    )]
    last_updated: Option<DateTime<Utc>>,
    #[serde(default, deserialize_with = "decode::section")]
    profile: Option<DeviceProfile>,
    /// By-id reads alone are described to carry them; a list that does is taken at its word.
    #[serde(default, deserialize_with = "decode::rows")]
    providers: Option<Vec<Provider>>,
    #[serde(default, rename = "_embedded", deserialize_with = "decode::section")]
    embedded: Option<Embedded>,
}

#[derive(Deserialize)]
struct Embedded {
    /// A link that does not parse would look like one that is gone, so then none is shown and the record is read by id.
    #[serde(default, deserialize_with = "lenient")]
    users: Option<Vec<DeviceUser>>,
}

#[derive(Deserialize)]
struct Provider {
    #[serde(default, deserialize_with = "decode::optional_text")]
    provider: Option<String>,
    #[serde(default, deserialize_with = "decode::section")]
    payload: Option<ProviderPayload>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ProviderPayload {
    #[serde(default, deserialize_with = "decode::optional_text")]
    client_version: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct DeviceProfile {
    #[serde(default, deserialize_with = "decode::optional_text")]
    display_name: Option<String>,
    #[serde(default, deserialize_with = "decode::optional_text")]
    platform: Option<String>,
    #[serde(default, deserialize_with = "decode::optional_text")]
    manufacturer: Option<String>,
    #[serde(default, deserialize_with = "decode::optional_text")]
    model: Option<String>,
    #[serde(default, deserialize_with = "decode::optional_text")]
    os_version: Option<String>,
    #[serde(default, deserialize_with = "decode::optional_text")]
    serial_number: Option<String>,
    #[serde(default, deserialize_with = "decode::optional_text")]
    udid: Option<String>,
    #[serde(default, deserialize_with = "decode::optional_bool")]
    registered: Option<bool>,
}

impl From<Device> for OktaDevice {
    fn from(device: Device) -> Self {
        let profile = device.profile.unwrap_or_default();
        let users = device.embedded.and_then(|embedded| embedded.users);
        let okta_verify = device.providers.into_iter().flatten().find(|provider| {
            let name = provider.provider.as_deref().unwrap_or_default();
            name.eq_ignore_ascii_case("oktaVerify")
        });
        Self {
            okta_verify_version: okta_verify
                .and_then(|provider| provider.payload)
                .and_then(|payload| payload.client_version),
            users: users.map(|users| users.into_iter().map(Into::into).collect()),
            id: DeviceId::new(device.id),
            status: device_status(device.status.unwrap_or_default()),
            created: device.created,
            last_updated: device.last_updated,
            platform: platform(profile.platform.as_deref().unwrap_or_default()),
            display_name: profile.display_name.unwrap_or_default(),
            serial_number: profile.serial_number,
            udid: profile.udid,
            model: profile.model,
            manufacturer: profile.manufacturer,
            os_version: profile.os_version,
            registered: profile.registered.unwrap_or_default(),
        }
    }
}

fn device_status(status: String) -> OktaDeviceStatus {
    match status.as_str() {
        // Named as a status of its own, never seen as a value; it means what ACTIVE means.
        "ACTIVE" | "UNSUSPENDED" => OktaDeviceStatus::Active,
        "CREATED" => OktaDeviceStatus::Created,
        "SUSPENDED" => OktaDeviceStatus::Suspended,
        "DEACTIVATED" => OktaDeviceStatus::Deactivated,
        _ => OktaDeviceStatus::Other(status),
    }
}

/// The Devices API and rules write `MACOS`, the log `OSX`.
pub(super) fn platform(word: &str) -> Platform {
    match word.to_ascii_uppercase().as_str() {
        "WINDOWS" => Platform::Windows,
        "MACOS" | "OSX" => Platform::Macos,
        _ => Platform::Other,
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DeviceUser {
    #[serde(default, deserialize_with = "decode::optional_text")]
    management_status: Option<String>,
    #[serde(default, deserialize_with = "decode::optional_time")]
    created: Option<DateTime<Utc>>,
    user: User,
}

impl From<DeviceUser> for OktaDeviceUser {
    fn from(link: DeviceUser) -> Self {
        let profile = link.user.profile.unwrap_or_default();
        Self {
            user_id: UserId::new(link.user.id),
            name: profile.name(),
            login: profile.login.unwrap_or_default(),
            email: profile.email,
            management_status: link
                .management_status
                .as_deref()
                .and_then(|word| match word {
                    "MANAGED" => Some(ManagementStatus::Managed),
                    "NOT_MANAGED" => Some(ManagementStatus::NotManaged),
                    _ => None,
                }),
            created: link.created,
        }
    }
}

impl From<DeviceUser> for ConfirmedUser {
    fn from(link: DeviceUser) -> Self {
        Self {
            status: user_status(link.user.status.clone()),
            last_login: link.user.last_login,
            link: link.into(),
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct User {
    #[serde(deserialize_with = "decode::word_id")]
    id: String,
    #[serde(default, deserialize_with = "decode::optional_text")]
    status: Option<String>,
    #[serde(default, deserialize_with = "decode::optional_time")]
    last_login: Option<DateTime<Utc>>,
    #[serde(default, deserialize_with = "decode::section")]
    profile: Option<UserProfile>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct UserProfile {
    #[serde(default, deserialize_with = "decode::optional_text")]
    first_name: Option<String>,
    #[serde(default, deserialize_with = "decode::optional_text")]
    last_name: Option<String>,
    #[serde(default, deserialize_with = "decode::optional_text")]
    login: Option<String>,
    #[serde(default, deserialize_with = "decode::optional_text")]
    email: Option<String>,
}

impl UserProfile {
    fn name(&self) -> Option<String> {
        let names = [self.first_name.as_deref(), self.last_name.as_deref()];
        let names: Vec<&str> = names
            .into_iter()
            .flatten()
            .filter(|n| !n.is_empty())
            .collect();
        (!names.is_empty()).then(|| names.join(" "))
    }
}

impl From<User> for UserAccount {
    fn from(user: User) -> Self {
        let profile = user.profile.unwrap_or_default();
        Self {
            name: profile.name(),
            id: UserId::new(user.id),
            login: profile.login.unwrap_or_default(),
            email: profile.email,
            status: user_status(user.status),
            last_login: user.last_login,
        }
    }
}

fn user_status(status: Option<String>) -> UserStatus {
    match status.as_deref() {
        Some("ACTIVE") => UserStatus::Active,
        _ => UserStatus::Other(status.unwrap_or_default()),
    }
}

/// An entry of `/users/{id}/devices`.
#[derive(Deserialize)]
pub(super) struct UserDevice {
    pub(super) device: Identified,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Factor {
    #[serde(default, deserialize_with = "decode::optional_text")]
    pub(super) factor_type: Option<String>,
    #[serde(default, deserialize_with = "decode::optional_text")]
    pub(super) status: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct Authenticator {
    #[serde(deserialize_with = "decode::word_id")]
    pub(super) id: String,
    pub(super) key: String,
    pub(super) status: String,
}

#[derive(Deserialize)]
pub(super) struct AuthenticatorMethod {
    #[serde(rename = "type")]
    pub(super) kind: String,
    #[serde(default, deserialize_with = "decode::optional_text")]
    pub(super) status: Option<String>,
    #[serde(default, deserialize_with = "decode::section")]
    pub(super) settings: Option<MethodSettings>,
}

#[derive(Deserialize)]
pub(super) struct MethodSettings {
    /// ALWAYS or NEVER.
    #[serde(
        default,
        rename = "showSignInWithOV",
        deserialize_with = "decode::optional_text"
    )]
    pub(super) show_sign_in_with_ov: Option<String>,
}

/// Published are `authorityInstanceId` and `caType`, and that `expand=certificates` fills `_embedded`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Authority {
    #[serde(deserialize_with = "decode::word_id")]
    pub(super) authority_instance_id: String,
    #[serde(default, deserialize_with = "decode::optional_text")]
    pub(super) ca_type: Option<String>,
    #[serde(default, rename = "_embedded", deserialize_with = "decode::section")]
    pub(super) embedded: Option<EmbeddedCertificates>,
    /// UNVERIFIED: beside `_embedded`.
    #[serde(default, deserialize_with = "decode::rows")]
    pub(super) certificates: Option<Vec<AuthorityCertificate>>,
}

#[derive(Deserialize)]
pub(super) struct EmbeddedCertificates {
    #[serde(default, deserialize_with = "decode::rows")]
    pub(super) certificates: Option<Vec<AuthorityCertificate>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct AuthorityCertificate {
    #[serde(default, deserialize_with = "decode::optional_text")]
    pub(super) ski: Option<String>,
    #[serde(default, deserialize_with = "decode::optional_text")]
    pub(super) rotation_state: Option<String>,
    /// UNVERIFIED names; a certificate may show none.
    #[serde(
        default,
        alias = "notAfter",
        alias = "caExpirationDate",
        deserialize_with = "decode::optional_time"
    )]
    pub(super) expiration_date: Option<DateTime<Utc>>,
}

/// A SCEP configuration. Published are `aki`, `caExpirationDate` and `configInfo`; `id` is UNVERIFIED.
#[derive(Deserialize)]
pub(super) struct RegistrationAuthority {
    #[serde(default, deserialize_with = "decode::optional_text")]
    pub(super) id: Option<String>,
    #[serde(default, deserialize_with = "decode::optional_text")]
    pub(super) aki: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct Policy {
    #[serde(deserialize_with = "decode::word_id")]
    pub(super) id: String,
    #[serde(default, deserialize_with = "decode::optional_text")]
    pub(super) name: Option<String>,
    #[serde(default, deserialize_with = "decode::optional_text")]
    pub(super) status: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct Mapping {
    #[serde(rename = "_links")]
    pub(super) links: MappingLinks,
}

#[derive(Deserialize)]
pub(super) struct MappingLinks {
    pub(super) application: Option<Link>,
}

#[derive(Deserialize)]
pub(super) struct Link {
    pub(super) href: String,
}

#[derive(Deserialize)]
pub(super) struct Rule {
    #[serde(deserialize_with = "decode::word_id")]
    pub(super) id: String,
    #[serde(default, deserialize_with = "decode::optional_text")]
    pub(super) name: Option<String>,
    #[serde(default, deserialize_with = "decode::optional_text")]
    pub(super) status: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) priority: Option<i64>,
    /// Null on the catch-all rule.
    #[serde(default)]
    pub(super) conditions: Option<RuleConditions>,
    #[serde(default)]
    pub(super) actions: Option<RuleActions>,
}

/// Conditions are read strictly: one that is left out would widen the rule. A rule that does not parse makes the policies
/// incomplete instead.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RuleConditions {
    #[serde(default)]
    pub(super) device: Option<DeviceCondition>,
    #[serde(default)]
    pub(super) people: Option<PeopleCondition>,
    #[serde(default)]
    pub(super) platform: Option<PlatformCondition>,
    #[serde(default)]
    pub(super) el_condition: Option<ElCondition>,
}

#[derive(Default, Deserialize)]
pub(super) struct DeviceCondition {
    #[serde(default, deserialize_with = "condition")]
    pub(super) registered: Option<bool>,
    #[serde(default, deserialize_with = "condition")]
    pub(super) managed: Option<bool>,
    #[serde(default)]
    pub(super) assurance: Option<IdSets>,
}

#[derive(Default, Deserialize)]
pub(super) struct IdSets {
    #[serde(default)]
    pub(super) include: Option<Vec<String>>,
    #[serde(default)]
    pub(super) exclude: Option<Vec<String>>,
}

#[derive(Default, Deserialize)]
pub(super) struct PeopleCondition {
    #[serde(default)]
    pub(super) groups: Option<IdSets>,
    #[serde(default)]
    pub(super) users: Option<IdSets>,
}

#[derive(Default, Deserialize)]
pub(super) struct PlatformCondition {
    #[serde(default)]
    pub(super) include: Option<Vec<RulePlatform>>,
    #[serde(default)]
    pub(super) exclude: Option<Vec<RulePlatform>>,
}

#[derive(Deserialize)]
pub(super) struct RulePlatform {
    #[serde(default, rename = "type", deserialize_with = "decode::optional_text")]
    pub(super) kind: Option<String>,
    #[serde(default)]
    pub(super) os: Option<RuleOs>,
}

#[derive(Deserialize)]
pub(super) struct RuleOs {
    #[serde(default, rename = "type", deserialize_with = "decode::optional_text")]
    pub(super) kind: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct ElCondition {
    #[serde(default, deserialize_with = "decode::optional_text")]
    pub(super) condition: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RuleActions {
    #[serde(default)]
    pub(super) app_sign_on: Option<AppSignOn>,
}

#[derive(Deserialize)]
pub(super) struct AppSignOn {
    #[serde(default, deserialize_with = "decode::optional_text")]
    pub(super) access: Option<String>,
}

/// A boolean, or the word for one: a guide of Okta's shows strings here.
fn condition<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<bool>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Condition {
        Bool(bool),
        Word(String),
    }
    match Option::<Condition>::deserialize(deserializer)? {
        Some(Condition::Bool(value)) => Ok(Some(value)),
        Some(Condition::Word(word)) => match word.to_ascii_lowercase().parse() {
            Ok(value) => Ok(Some(value)),
            Err(_) => Err(serde::de::Error::custom("no boolean")),
        },
        None => Ok(None),
    }
}
