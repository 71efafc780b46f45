//! The JSON of Microsoft Graph, with only the fields that are used.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
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
    pub(super) users_logged_on: Option<Vec<Value>>,
}

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
    #[serde(default, deserialize_with = "decode::list")]
    pub(super) assignments: Vec<Assignment>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Assignment {
    #[serde(default, deserialize_with = "decode::optional_text")]
    pub(super) intent: Option<String>,
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
