//! The JSON of Microsoft Graph, with only the fields that are used.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use crate::decode;

/// Fields asked for of each managed device, in the list.
pub(super) const DEVICE_FIELDS: &str = "id,deviceName,operatingSystem,osVersion,serialNumber,model,azureADDeviceId,\
    userPrincipalName,emailAddress,enrolledDateTime,lastSyncDateTime,managementAgent,managementState,\
    deviceRegistrationState,deviceCategoryDisplayName,managementCertificateExpirationDate";

/// Null in the list, real by id.
pub(super) const MORE_FIELDS: &str = ",udid,usersLoggedOn";

/// A managed device.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ManagedDevice {
    #[serde(deserialize_with = "decode::id")]
    pub(super) id: String,
    #[serde(default, deserialize_with = "decode::optional_text")]
    pub(super) device_name: Option<String>,
    #[serde(default, deserialize_with = "decode::optional_text")]
    pub(super) operating_system: Option<String>,
    #[serde(default, deserialize_with = "decode::optional_text")]
    pub(super) os_version: Option<String>,
    #[serde(default, deserialize_with = "decode::optional_text")]
    pub(super) serial_number: Option<String>,
    #[serde(default, deserialize_with = "decode::optional_text")]
    pub(super) udid: Option<String>,
    #[serde(default, deserialize_with = "decode::optional_text")]
    pub(super) model: Option<String>,
    #[serde(
        rename = "azureADDeviceId",
        default,
        deserialize_with = "decode::optional_text"
    )]
    pub(super) azure_ad_device_id: Option<String>,
    #[serde(default, deserialize_with = "decode::optional_text")]
    pub(super) user_principal_name: Option<String>,
    #[serde(default, deserialize_with = "decode::optional_text")]
    pub(super) email_address: Option<String>,
    #[serde(default, deserialize_with = "decode::optional_time")]
    pub(super) enrolled_date_time: Option<DateTime<Utc>>,
    #[serde(default, deserialize_with = "decode::optional_time")]
    pub(super) last_sync_date_time: Option<DateTime<Utc>>,
    #[serde(default, deserialize_with = "decode::optional_text")]
    pub(super) management_agent: Option<String>,
    #[serde(default, deserialize_with = "decode::optional_text")]
    pub(super) management_state: Option<String>,
    #[serde(default, deserialize_with = "decode::optional_text")]
    pub(super) device_registration_state: Option<String>,
    #[serde(default, deserialize_with = "decode::optional_text")]
    pub(super) device_category_display_name: Option<String>,
    /// Of the MDM's own certificate, not of Okta's.
    #[serde(default, deserialize_with = "decode::optional_time")]
    pub(super) management_certificate_expiration_date: Option<DateTime<Utc>>,
    /// Beta, by id only.
    #[serde(default, deserialize_with = "decode::rows")]
    pub(super) users_logged_on: Option<Vec<LoggedOn>>,
}

/// An account that has signed in to a device; only how many there are matters.
#[derive(Debug, Deserialize)]
pub(super) struct LoggedOn {}

/// An entry of `deviceConfigurationStates`.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ConfigurationState {
    #[serde(default, deserialize_with = "decode::optional_text")]
    pub(super) id: Option<String>,
    #[serde(default, deserialize_with = "decode::optional_text")]
    pub(super) display_name: Option<String>,
    #[serde(default, deserialize_with = "decode::optional_text")]
    pub(super) state: Option<String>,
    #[serde(default, deserialize_with = "decode::list")]
    pub(super) setting_states: Vec<SettingState>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SettingState {
    #[serde(default, deserialize_with = "decode::optional_text")]
    pub(super) state: Option<String>,
    #[serde(default, deserialize_with = "decode::optional_text")]
    pub(super) setting_name: Option<String>,
    #[serde(default, deserialize_with = "decode::optional_text")]
    pub(super) error_code: Option<String>,
    #[serde(default, deserialize_with = "decode::optional_text")]
    pub(super) error_description: Option<String>,
}

/// An entry of the legacy `deviceStatuses`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DeviceStatus {
    #[serde(deserialize_with = "decode::id")]
    pub(super) id: String,
    #[serde(default, deserialize_with = "decode::optional_text")]
    pub(super) status: Option<String>,
    #[serde(default, deserialize_with = "decode::optional_time")]
    pub(super) last_reported_date_time: Option<DateTime<Utc>>,
}

/// A device configuration profile (beta).
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Configuration {
    #[serde(rename = "@odata.type", default)]
    pub(super) kind: String,
    #[serde(deserialize_with = "decode::id")]
    pub(super) id: String,
    #[serde(default, deserialize_with = "decode::optional_text")]
    pub(super) display_name: Option<String>,
    #[serde(default, deserialize_with = "decode::optional_text")]
    pub(super) certificate_store: Option<String>,
    #[serde(default, deserialize_with = "decode::optional_text")]
    pub(super) deployment_channel: Option<String>,
    #[serde(default, deserialize_with = "decode::optional_time")]
    pub(super) last_modified_date_time: Option<DateTime<Utc>>,
    /// `None`: not expanded.
    #[serde(default, deserialize_with = "decode::rows")]
    pub(super) assignments: Option<Vec<Assignment>>,
    #[serde(flatten)]
    pub(super) scep: ScepFields,
    /// Of a SCEP profile, where it was asked for.
    #[serde(default, deserialize_with = "decode::section")]
    pub(super) root_certificate: Option<RootCertificate>,
    /// Of a trusted-root profile: base64 of DER.
    #[serde(default, deserialize_with = "decode::long_text")]
    pub(super) trusted_root_certificate: Option<String>,
    /// Of a macOS device-features profile.
    #[serde(
        default,
        rename = "macOSSingleSignOnExtension",
        deserialize_with = "decode::section"
    )]
    pub(super) sso_extension: Option<SsoExtension>,
    /// Of a custom profile: base64 of a mobileconfig.
    #[serde(default, deserialize_with = "decode::long_text")]
    pub(super) payload: Option<String>,
}

/// What a SCEP profile asks for.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ScepFields {
    #[serde(default, deserialize_with = "decode::optional_text")]
    pub(super) subject_name_format: Option<String>,
    #[serde(default, deserialize_with = "decode::optional_text")]
    pub(super) subject_name_format_string: Option<String>,
    #[serde(default, deserialize_with = "texts")]
    pub(super) scep_server_urls: Vec<String>,
    #[serde(default, deserialize_with = "decode::rows")]
    pub(super) extended_key_usages: Option<Vec<ExtendedKeyUsage>>,
    /// Flags in one text.
    #[serde(default, deserialize_with = "decode::optional_text")]
    pub(super) key_usage: Option<String>,
    #[serde(default, deserialize_with = "decode::optional_text")]
    pub(super) key_size: Option<String>,
    #[serde(default, deserialize_with = "decode::optional_text")]
    pub(super) key_storage_provider: Option<String>,
    #[serde(default, deserialize_with = "decode::optional_text")]
    pub(super) renewal_threshold_percentage: Option<String>,
    #[serde(default, deserialize_with = "decode::optional_bool")]
    pub(super) allow_all_apps_access: Option<bool>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ExtendedKeyUsage {
    #[serde(default, deserialize_with = "decode::optional_text")]
    pub(super) object_identifier: Option<String>,
}

/// The trusted-root profile that a SCEP profile names.
#[derive(Debug, Deserialize)]
pub(super) struct RootCertificate {
    #[serde(default, deserialize_with = "decode::optional_text")]
    pub(super) id: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SsoExtension {
    #[serde(
        rename = "@odata.type",
        default,
        deserialize_with = "decode::optional_text"
    )]
    pub(super) kind: Option<String>,
    #[serde(default, deserialize_with = "decode::optional_text")]
    pub(super) extension_identifier: Option<String>,
    #[serde(default, deserialize_with = "decode::optional_text")]
    pub(super) team_identifier: Option<String>,
    #[serde(default, deserialize_with = "decode::optional_text")]
    pub(super) realm: Option<String>,
    #[serde(default, deserialize_with = "texts")]
    pub(super) domains: Vec<String>,
}

/// An entry of `managedDeviceCertificateStates` (beta). It names its device by display name alone.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CertificateState {
    #[serde(default, deserialize_with = "decode::optional_text")]
    pub(super) device_display_name: Option<String>,
    #[serde(default, deserialize_with = "decode::optional_text")]
    pub(super) certificate_issuance_state: Option<String>,
    #[serde(default, deserialize_with = "decode::optional_text")]
    pub(super) certificate_error_code: Option<String>,
    #[serde(default, deserialize_with = "decode::optional_time")]
    pub(super) certificate_last_issuance_state_changed_date_time: Option<DateTime<Utc>>,
}

/// The push certificate that Macs are reached through.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PushCertificate {
    #[serde(default, deserialize_with = "decode::optional_time")]
    pub(super) expiration_date_time: Option<DateTime<Utc>>,
}

/// The texts of a list; what is no text is left out.
fn texts<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    Ok(match Value::deserialize(deserializer)? {
        Value::Array(items) => items
            .into_iter()
            .filter_map(|item| item.as_str().map(crate::payload::cut))
            .collect(),
        _ => Vec::new(),
    })
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Assignment {
    #[serde(default, deserialize_with = "decode::optional_text")]
    pub(super) intent: Option<String>,
    #[serde(default, deserialize_with = "decode::section")]
    pub(super) target: Option<Target>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Target {
    #[serde(rename = "@odata.type", default)]
    pub(super) kind: String,
    #[serde(default, deserialize_with = "decode::optional_text")]
    pub(super) group_id: Option<String>,
    #[serde(
        rename = "deviceAndAppManagementAssignmentFilterId",
        default,
        deserialize_with = "decode::optional_text"
    )]
    pub(super) filter_id: Option<String>,
    #[serde(
        rename = "deviceAndAppManagementAssignmentFilterType",
        default,
        deserialize_with = "decode::optional_text"
    )]
    pub(super) filter_type: Option<String>,
}

/// An assignment filter.
#[derive(Debug, Deserialize)]
pub(super) struct Filter {
    #[serde(deserialize_with = "decode::id")]
    pub(super) id: String,
    #[serde(default, deserialize_with = "decode::optional_text")]
    pub(super) rule: Option<String>,
}

/// A device category.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Category {
    #[serde(deserialize_with = "decode::id")]
    pub(super) id: String,
    #[serde(default, deserialize_with = "decode::optional_text")]
    pub(super) display_name: Option<String>,
}

/// An Entra group.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Group {
    #[serde(default, deserialize_with = "decode::list")]
    pub(super) group_types: Vec<String>,
    pub(super) is_assignable_to_role: Option<bool>,
    pub(super) on_premises_sync_enabled: Option<bool>,
    #[serde(default, deserialize_with = "decode::optional_text")]
    pub(super) membership_rule: Option<String>,
}

/// A member of an Entra group, or an Entra device.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DirectoryObject {
    #[serde(rename = "@odata.type", default)]
    pub(super) kind: String,
    #[serde(deserialize_with = "decode::id")]
    pub(super) id: String,
    #[serde(default, deserialize_with = "decode::optional_text")]
    pub(super) device_id: Option<String>,
}

/// An entry of `deviceHealthScriptStates`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ScriptState {
    #[serde(default, deserialize_with = "decode::optional_text")]
    pub(super) policy_id: Option<String>,
    #[serde(default, deserialize_with = "decode::optional_text")]
    pub(super) detection_state: Option<String>,
    #[serde(default, deserialize_with = "decode::optional_text")]
    pub(super) remediation_state: Option<String>,
    #[serde(default, deserialize_with = "decode::optional_time")]
    pub(super) last_state_update_date_time: Option<DateTime<Utc>>,
}

/// Starts a report.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct NewExport<'a> {
    pub(super) report_name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) filter: Option<String>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub(super) select: &'a [&'a str],
    pub(super) format: &'static str,
}

/// A report that is made.
#[derive(Debug, Deserialize)]
pub(super) struct Export {
    #[serde(deserialize_with = "decode::id")]
    pub(super) id: String,
    #[serde(default, deserialize_with = "decode::optional_text")]
    pub(super) status: Option<String>,
    #[serde(default, deserialize_with = "decode::optional_text")]
    pub(super) url: Option<String>,
}

/// A batch of reads.
#[derive(Debug, Serialize)]
pub(super) struct Batch {
    pub(super) requests: Vec<BatchRequest>,
}

#[derive(Debug, Serialize)]
pub(super) struct BatchRequest {
    pub(super) id: String,
    pub(super) method: &'static str,
    pub(super) url: String,
}

/// Its answers, in any order.
#[derive(Debug, Deserialize)]
pub(super) struct BatchAnswer {
    #[serde(default, deserialize_with = "decode::list")]
    pub(super) responses: Vec<BatchResponse>,
}

#[derive(Debug, Deserialize)]
pub(super) struct BatchResponse {
    #[serde(deserialize_with = "decode::id")]
    pub(super) id: String,
    pub(super) status: u16,
    #[serde(default)]
    pub(super) body: Value,
}

/// A reference to another object.
#[derive(Debug, Serialize)]
pub(super) struct Reference {
    #[serde(rename = "@odata.id")]
    pub(super) id: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RunScript<'a> {
    pub(super) script_policy_id: &'a str,
}
