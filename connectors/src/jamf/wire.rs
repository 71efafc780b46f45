//! The JSON of Jamf Pro, with only the fields that are used. v4 and v3 of the inventory differ in three names.

use chrono::{DateTime, Utc};
use secrecy::SecretString;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use crate::{decode, http::Lenient};

/// One record of `computers-inventory`; a section that was not asked for is null.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Computer {
    #[serde(deserialize_with = "decode::id")]
    pub(super) id: String,
    #[serde(default, deserialize_with = "decode::optional_text")]
    pub(super) udid: Option<String>,
    #[serde(default, deserialize_with = "decode::section")]
    pub(super) general: Option<General>,
    #[serde(default, deserialize_with = "decode::section")]
    pub(super) hardware: Option<Hardware>,
    #[serde(default, deserialize_with = "decode::section")]
    pub(super) operating_system: Option<OperatingSystem>,
    #[serde(default, deserialize_with = "decode::section")]
    pub(super) user_and_location: Option<UserAndLocation>,
    #[serde(default, deserialize_with = "decode::rows")]
    pub(super) configuration_profiles: Option<Vec<InstalledProfile>>,
    #[serde(default, deserialize_with = "decode::rows")]
    pub(super) certificates: Option<Vec<Certificate>>,
    #[serde(default, deserialize_with = "decode::rows")]
    pub(super) group_memberships: Option<Vec<GroupMembership>>,
    /// Only what they tell of Okta Verify.
    #[serde(default, deserialize_with = "okta_verify")]
    pub(super) applications: Option<OktaVerify>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct General {
    #[serde(default, deserialize_with = "decode::optional_text")]
    pub(super) name: Option<String>,
    #[serde(default, deserialize_with = "decode::optional_text")]
    pub(super) platform: Option<String>,
    #[serde(default, deserialize_with = "decode::optional_text")]
    pub(super) management_id: Option<String>,
    #[serde(default, deserialize_with = "decode::section")]
    pub(super) remote_management: Option<RemoteManagement>,
    #[serde(default, deserialize_with = "decode::section")]
    pub(super) mdm_capable: Option<MdmCapable>,
    #[serde(default, deserialize_with = "decode::optional_bool")]
    pub(super) user_approved_mdm: Option<bool>,
    #[serde(default, deserialize_with = "decode::optional_time")]
    pub(super) mdm_profile_expiration: Option<DateTime<Utc>>,
    #[serde(default, deserialize_with = "decode::optional_time")]
    pub(super) report_date: Option<DateTime<Utc>>,
    /// v4: the agent alone.
    #[serde(default, deserialize_with = "decode::optional_time")]
    pub(super) last_check_in: Option<DateTime<Utc>>,
    /// v4: any channel.
    #[serde(default, deserialize_with = "decode::optional_time")]
    pub(super) last_contact: Option<DateTime<Utc>>,
    /// v3 has this one instead of the two above.
    #[serde(default, deserialize_with = "decode::optional_time")]
    pub(super) last_contact_time: Option<DateTime<Utc>>,
    #[serde(default, deserialize_with = "decode::optional_time")]
    pub(super) last_enrolled_date: Option<DateTime<Utc>>,
    /// Id -1 where the computer is in none.
    #[serde(default, deserialize_with = "decode::section")]
    pub(super) site: Option<Site>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Site {
    #[serde(default, deserialize_with = "decode::optional_text")]
    pub(super) id: Option<String>,
    #[serde(default, deserialize_with = "decode::optional_text")]
    pub(super) name: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct RemoteManagement {
    #[serde(default, deserialize_with = "decode::optional_bool")]
    pub(super) managed: Option<bool>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct MdmCapable {
    #[serde(default, deserialize_with = "decode::optional_bool")]
    pub(super) capable: Option<bool>,
    #[serde(default, deserialize_with = "decode::rows")]
    pub(super) user_management_info: Option<Vec<UserChannel>>,
}

/// An MDM-enabled user and the management id of that user's own channel.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct UserChannel {
    #[serde(default, deserialize_with = "decode::optional_text")]
    pub(super) management_id: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Hardware {
    #[serde(default, deserialize_with = "decode::optional_text")]
    pub(super) serial_number: Option<String>,
    #[serde(default, deserialize_with = "decode::optional_text")]
    pub(super) model: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct OperatingSystem {
    #[serde(default, deserialize_with = "decode::optional_text")]
    pub(super) version: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct UserAndLocation {
    #[serde(default, deserialize_with = "decode::optional_text")]
    pub(super) username: Option<String>,
    #[serde(default, deserialize_with = "decode::optional_text")]
    pub(super) email: Option<String>,
}

/// An entry of `CONFIGURATION_PROFILES`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct InstalledProfile {
    #[serde(default, deserialize_with = "decode::optional_time")]
    pub(super) last_installed: Option<DateTime<Utc>>,
    #[serde(default, deserialize_with = "decode::optional_text")]
    pub(super) display_name: Option<String>,
    #[serde(default, deserialize_with = "decode::optional_text")]
    pub(super) profile_identifier: Option<String>,
}

/// An entry of CERTIFICATES; Jamf shows no issuer.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Certificate {
    #[serde(default, deserialize_with = "decode::optional_text")]
    pub(super) common_name: Option<String>,
    #[serde(default, deserialize_with = "decode::optional_text")]
    pub(super) subject_name: Option<String>,
    #[serde(default, deserialize_with = "decode::optional_bool")]
    pub(super) identity: Option<bool>,
    #[serde(default, deserialize_with = "decode::optional_text")]
    pub(super) username: Option<String>,
    #[serde(default, deserialize_with = "decode::optional_text")]
    pub(super) certificate_status: Option<String>,
    #[serde(default, deserialize_with = "decode::optional_text")]
    pub(super) serial_number: Option<String>,
    #[serde(default, deserialize_with = "decode::optional_text")]
    pub(super) sha1_fingerprint: Option<String>,
    #[serde(default, deserialize_with = "decode::optional_time")]
    pub(super) issued_date: Option<DateTime<Utc>>,
    #[serde(default, deserialize_with = "decode::optional_time")]
    pub(super) expiration_date: Option<DateTime<Utc>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct GroupMembership {
    #[serde(default, deserialize_with = "decode::optional_text")]
    pub(super) group_id: Option<String>,
}

/// What APPLICATIONS tells of Okta Verify.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct OktaVerify {
    pub(super) installed: bool,
    pub(super) version: Option<String>,
}

/// Okta Verify for macOS.
const OKTA_VERIFY_BUNDLE: &str = "com.okta.mobile";

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Application {
    #[serde(default, deserialize_with = "decode::optional_text")]
    name: Option<String>,
    #[serde(default, deserialize_with = "decode::optional_text")]
    bundle_id: Option<String>,
    #[serde(default, deserialize_with = "decode::optional_text")]
    version: Option<String>,
}

impl Application {
    fn is_okta_verify(&self) -> bool {
        let name = self.name.as_deref();
        self.bundle_id.as_deref() == Some(OKTA_VERIFY_BUNDLE)
            || name.is_some_and(|name| name.trim_end_matches(".app") == "Okta Verify")
    }
}

/// A computer lists hundreds of applications, of which one matters.
fn okta_verify<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<OktaVerify>, D::Error> {
    let listed: Option<Vec<Application>> = decode::rows(deserializer)?;
    Ok(listed.map(|applications| {
        let found = applications.into_iter().find(Application::is_okta_verify);
        OktaVerify {
            installed: found.is_some(),
            version: found.and_then(|application| application.version),
        }
    }))
}

/// One entry of `GET /v2/mdm/commands`. Type and state are open sets.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Command {
    #[serde(default, deserialize_with = "decode::optional_time")]
    pub(super) date_sent: Option<DateTime<Utc>>,
    /// 1970 while not completed, which reads as none.
    #[serde(default, deserialize_with = "decode::optional_time")]
    pub(super) date_completed: Option<DateTime<Utc>>,
    #[serde(default, deserialize_with = "decode::section")]
    pub(super) client: Option<CommandClient>,
    #[serde(default, deserialize_with = "decode::optional_text")]
    pub(super) command_state: Option<String>,
    #[serde(default, deserialize_with = "decode::optional_text")]
    pub(super) command_type: Option<String>,
    /// `{}` where there is no error.
    #[serde(default, deserialize_with = "decode::section")]
    pub(super) command_error: Option<CommandError>,
    #[serde(default, deserialize_with = "decode::optional_text")]
    pub(super) profile_id: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CommandClient {
    #[serde(default, deserialize_with = "decode::optional_text")]
    pub(super) management_id: Option<String>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CommandError {
    #[serde(default, deserialize_with = "decode::optional_text")]
    pub(super) error_code: Option<String>,
    #[serde(default, deserialize_with = "decode::optional_text")]
    pub(super) error_domain: Option<String>,
    #[serde(default, deserialize_with = "decode::optional_text")]
    pub(super) error_localized_description: Option<String>,
    #[serde(default, deserialize_with = "decode::optional_text")]
    pub(super) error_english_description: Option<String>,
}

/// An entry of `apns-client-push-status`: a client whose push is disabled.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DisabledPush {
    #[serde(default, deserialize_with = "decode::optional_text")]
    pub(super) management_id: Option<String>,
}

/// The Classic list of profiles.
#[derive(Debug, Deserialize)]
pub(super) struct ProfileList {
    #[serde(default)]
    pub(super) os_x_configuration_profiles: Lenient<NamedId>,
}

#[derive(Debug, Deserialize)]
pub(super) struct NamedId {
    #[serde(deserialize_with = "decode::id")]
    pub(super) id: String,
    #[serde(default, deserialize_with = "name")]
    pub(super) name: String,
}

/// One Classic profile.
#[derive(Debug, Deserialize)]
pub(super) struct ProfileAnswer {
    pub(super) os_x_configuration_profile: Profile,
}

#[derive(Debug, Deserialize)]
pub(super) struct Profile {
    pub(super) general: ProfileGeneral,
    /// Classic lists differ in shape between servers; read by [`super::scope`].
    #[serde(default)]
    pub(super) scope: Value,
}

#[derive(Debug, Deserialize)]
pub(super) struct ProfileGeneral {
    #[serde(deserialize_with = "decode::id")]
    pub(super) id: String,
    #[serde(default, deserialize_with = "name")]
    pub(super) name: String,
    #[serde(default, deserialize_with = "decode::optional_text")]
    pub(super) level: Option<String>,
    /// An escaped mobileconfig. It may carry a challenge.
    #[serde(default, deserialize_with = "whole_text")]
    pub(super) payloads: Option<SecretString>,
}

/// A text of any length; anything else as none.
fn whole_text<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<SecretString>, D::Error> {
    Ok(match Value::deserialize(deserializer)? {
        Value::String(text) => Some(SecretString::from(text)),
        _ => None,
    })
}

/// A name; without one the id has to do.
fn name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    Ok(decode::optional_text(deserializer)?.unwrap_or_default())
}

/// One Classic group.
#[derive(Debug, Deserialize)]
pub(super) struct GroupAnswer {
    pub(super) computer_group: Group,
}

#[derive(Debug, Deserialize)]
pub(super) struct Group {
    #[serde(default, deserialize_with = "decode::optional_bool")]
    pub(super) is_smart: Option<bool>,
    #[serde(default)]
    pub(super) computers: Value,
}

/// What is in scope of one computer, by the Classic `computermanagement`.
#[derive(Debug, Deserialize)]
pub(super) struct ManagementAnswer {
    pub(super) computer_management: Management,
}

#[derive(Debug, Deserialize)]
pub(super) struct Management {
    pub(super) os_x_configuration_profiles: Option<Value>,
}

/// `GET /v1/auth`
#[derive(Debug, Deserialize)]
pub(super) struct Authorization {
    pub(super) account: Option<Account>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Account {
    /// Site → names of privileges.
    #[serde(default)]
    pub(super) privileges_by_site: Option<std::collections::BTreeMap<String, Vec<String>>>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct BlankPush<'a> {
    pub(super) client_management_ids: &'a [String],
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct BlankPushAnswer {
    #[serde(default, deserialize_with = "decode::list")]
    pub(super) error_uuids: Vec<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct EnablePush<'a> {
    pub(super) management_id: &'a str,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SendCommand<'a> {
    pub(super) client_data: [CommandTarget<'a>; 1],
    pub(super) command_data: CommandData,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CommandTarget<'a> {
    pub(super) management_id: &'a str,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CommandData {
    pub(super) command_type: ListCommand,
}

/// The only commands this product sends: both read.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(super) enum ListCommand {
    CertificateList,
    ProfileList,
}
