//! Okta's JSON, with the fields that are used. Optional fields of a wrong type count as absent.

use chrono::{DateTime, Utc};
use secrecy::SecretString;
use serde::{Deserialize, Deserializer};
use unstuck_domain::{
    ConfirmedUser, DeviceId, ManagementStatus, OktaDevice, OktaDeviceStatus, OktaDeviceUser,
    Platform, UserId, UserStatus,
};

use crate::UserAccount;
use crate::http::{Lenient, lenient};

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
    pub(super) id: String,
    #[serde(default, deserialize_with = "lenient")]
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
    pub(super) id: String,
}

#[derive(Deserialize)]
pub(super) struct Device {
    id: String,
    status: String,
    #[serde(default, deserialize_with = "lenient")]
    created: Option<DateTime<Utc>>,
    #[serde(default, rename = "lastUpdated", deserialize_with = "lenient")]
    last_updated: Option<DateTime<Utc>>,
    profile: DeviceProfile,
    #[serde(default, rename = "_embedded")]
    embedded: Option<Embedded>,
}

#[derive(Deserialize)]
struct Embedded {
    users: Option<Lenient<DeviceUser>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct DeviceProfile {
    #[serde(default, deserialize_with = "lenient")]
    display_name: Option<String>,
    platform: String,
    #[serde(default, deserialize_with = "lenient")]
    manufacturer: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    model: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    os_version: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    serial_number: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    udid: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    registered: Option<bool>,
}

impl From<Device> for OktaDevice {
    fn from(device: Device) -> Self {
        let profile = device.profile;
        let users = device.embedded.and_then(|embedded| embedded.users);
        Self {
            okta_verify_version: None,
            users: users.map(|users| {
                users.warn_of_skipped("okta: users of a device");
                users.records.into_iter().map(Into::into).collect()
            }),
            id: DeviceId::new(device.id),
            status: device_status(device.status),
            created: device.created,
            last_updated: device.last_updated,
            platform: platform(&profile.platform),
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
    #[serde(default, deserialize_with = "lenient")]
    management_status: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    created: Option<DateTime<Utc>>,
    user: User,
}

impl From<DeviceUser> for OktaDeviceUser {
    fn from(link: DeviceUser) -> Self {
        let name = link.user.profile.name();
        Self {
            user_id: UserId::new(link.user.id),
            name,
            login: link.user.profile.login.unwrap_or_default(),
            email: link.user.profile.email,
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
    id: String,
    #[serde(default, deserialize_with = "lenient")]
    status: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    last_login: Option<DateTime<Utc>>,
    #[serde(default)]
    profile: UserProfile,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct UserProfile {
    #[serde(default, deserialize_with = "lenient")]
    first_name: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    last_name: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    login: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
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
        Self {
            name: user.profile.name(),
            id: UserId::new(user.id),
            login: user.profile.login.unwrap_or_default(),
            email: user.profile.email,
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
    #[serde(default, deserialize_with = "lenient")]
    pub(super) factor_type: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) status: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct Authenticator {
    pub(super) id: String,
    pub(super) key: String,
    pub(super) status: String,
}

#[derive(Deserialize)]
pub(super) struct AuthenticatorMethod {
    #[serde(rename = "type")]
    pub(super) kind: String,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) status: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct Policy {
    pub(super) id: String,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) name: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
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
    pub(super) id: String,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) name: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) status: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) priority: Option<i64>,
    /// Null on the catch-all rule.
    #[serde(default)]
    pub(super) conditions: Option<RuleConditions>,
    #[serde(default)]
    pub(super) actions: Option<RuleActions>,
}

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
    #[serde(default, deserialize_with = "loose_bool")]
    pub(super) registered: Option<bool>,
    #[serde(default, deserialize_with = "loose_bool")]
    pub(super) managed: Option<bool>,
    #[serde(default)]
    pub(super) assurance: Option<IdSets>,
}

#[derive(Default, Deserialize)]
pub(super) struct IdSets {
    #[serde(default, deserialize_with = "lenient")]
    pub(super) include: Option<Vec<String>>,
    #[serde(default, deserialize_with = "lenient")]
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
    #[serde(default, deserialize_with = "lenient")]
    pub(super) include: Option<Vec<RulePlatform>>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) exclude: Option<Vec<RulePlatform>>,
}

#[derive(Deserialize)]
pub(super) struct RulePlatform {
    #[serde(default, rename = "type", deserialize_with = "lenient")]
    pub(super) kind: Option<String>,
    #[serde(default)]
    pub(super) os: Option<RuleOs>,
}

#[derive(Deserialize)]
pub(super) struct RuleOs {
    #[serde(default, rename = "type", deserialize_with = "lenient")]
    pub(super) kind: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct ElCondition {
    #[serde(default, deserialize_with = "lenient")]
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
    #[serde(default, deserialize_with = "lenient")]
    pub(super) access: Option<String>,
}

/// A boolean, or the word for one: a guide of Okta's shows strings here.
pub(super) fn loose_bool<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<bool>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Loose {
        Bool(bool),
        Word(String),
    }
    Ok(match lenient::<D, Loose>(deserializer)? {
        Some(Loose::Bool(value)) => Some(value),
        Some(Loose::Word(word)) => word.to_ascii_lowercase().parse().ok(),
        None => None,
    })
}
