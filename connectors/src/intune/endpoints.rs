//! Everything that may be asked of Microsoft Graph. The scopes that a sync needs also allow wiping, so this list is what
//! keeps the product from it: there is no entry for wipe, retire, delete, executeAction, assign or any profile write.

use reqwest::Method;

use crate::http::{Effect, Endpoint};

/// Hosts of the report files.
const BLOBS: &[&str] = &[".blob.core.windows.net"];

const DEVICES: &str = "the permission DeviceManagementManagedDevices.Read.All";
const CONFIGURATION: &str = "the permission DeviceManagementConfiguration.Read.All";
const EXPORT_RIGHT: &str = "one of the permissions DeviceManagementConfiguration.ReadWrite.All, \
    DeviceManagementManagedDevices.ReadWrite.All (Microsoft asks a write permission for report exports)";
const PRIVILEGED: &str = "the permission DeviceManagementManagedDevices.PrivilegedOperations.All";
const SCRIPTS: &str = "the permission DeviceManagementScripts.Read.All";
const MEMBERS_RIGHT: &str = "the permission GroupMember.Read.All";
const MEMBERS_WRITE: &str = "the permissions GroupMember.ReadWrite.All and Device.ReadWrite.All";

macro_rules! endpoints {
    ($list:ident: $($name:ident = $method:ident $effect:expr, $path:literal, $right:expr;)*) => {
        $(pub(super) static $name: Endpoint = Endpoint {
            name: concat!("intune.", stringify!($name)),
            method: Method::$method,
            path: $path,
            effect: $effect,
            bucket: "graph",
            right: $right,
        };)*

        /// The allow-list.
        pub(super) static $list: &[Endpoint] = &[$(
            Endpoint {
                name: concat!("intune.", stringify!($name)),
                method: Method::$method,
                path: $path,
                effect: $effect,
                bucket: "graph",
                right: $right,
            },
        )*];
    };
}

endpoints! { LOGIN:
    TOKEN = POST Effect::Token, "/{tenant}/oauth2/v2.0/token", "an app registration with a client secret";
}

endpoints! { ALL:
    MANAGED_DEVICES = GET Effect::Read, "/v1.0/deviceManagement/managedDevices", DEVICES;
    MANAGED_DEVICE = GET Effect::Read, "/beta/deviceManagement/managedDevices/{id}", DEVICES;
    CONFIGURATION_STATES = GET Effect::Read,
        "/v1.0/deviceManagement/managedDevices/{id}/deviceConfigurationStates", DEVICES;
    BATCH = POST Effect::BatchOfReads, "/v1.0/$batch", DEVICES;
    SCRIPT_STATES = GET Effect::Read,
        "/beta/deviceManagement/managedDevices/{id}/deviceHealthScriptStates", SCRIPTS;
    CONFIGURATIONS = GET Effect::Read, "/beta/deviceManagement/deviceConfigurations", CONFIGURATION;
    CONFIGURATION_BY_ID = GET Effect::Read, "/beta/deviceManagement/deviceConfigurations/{id}", CONFIGURATION;
    CERTIFICATE_STATES = GET Effect::Read,
        "/beta/deviceManagement/deviceConfigurations/{id}/{type}/managedDeviceCertificateStates", CONFIGURATION;
    NETWORK_CERTIFICATE = GET Effect::Read,
        "/beta/deviceManagement/deviceConfigurations/{id}/{type}/identityCertificateForClientAuthentication",
        CONFIGURATION;
    VPN_CERTIFICATE = GET Effect::Read,
        "/beta/deviceManagement/deviceConfigurations/{id}/{type}/identityCertificate", CONFIGURATION;
    DEVICE_STATUSES = GET Effect::Read,
        "/beta/deviceManagement/deviceConfigurations/{id}/deviceStatuses", CONFIGURATION;
    FILTERS = GET Effect::Read, "/beta/deviceManagement/assignmentFilters", CONFIGURATION;
    CATEGORIES = GET Effect::Read, "/v1.0/deviceManagement/deviceCategories", DEVICES;
    EXPORT = POST Effect::Read, "/v1.0/deviceManagement/reports/exportJobs", EXPORT_RIGHT;
    EXPORT_STATE = GET Effect::Read, "/v1.0/deviceManagement/reports/exportJobs/{id}", CONFIGURATION;
    EXPORT_FILE = GET Effect::Download(BLOBS), "(report file)", "";
    SCRIPT = GET Effect::Read, "/beta/deviceManagement/deviceHealthScripts/{id}", SCRIPTS;
    PUSH_CERTIFICATE = GET Effect::Read, "/v1.0/deviceManagement/applePushNotificationCertificate",
        "the permission DeviceManagementServiceConfig.Read.All";
    APPLICATIONS = GET Effect::Read, "/v1.0/applications", "the permission Application.Read.All";
    GROUP = GET Effect::Read, "/v1.0/groups/{id}", MEMBERS_RIGHT;
    MEMBERS = GET Effect::Read, "/v1.0/groups/{id}/members", MEMBERS_RIGHT;
    ENTRA_DEVICES = GET Effect::Read, "/v1.0/devices", "the permission Device.Read.All";
    SYNC = POST Effect::Write, "/v1.0/deviceManagement/managedDevices/{id}/syncDevice", PRIVILEGED;
    RUN_SCRIPT = POST Effect::Write,
        "/beta/deviceManagement/managedDevices/{id}/initiateOnDemandProactiveRemediation", PRIVILEGED;
    SET_CATEGORY = PUT Effect::Write,
        "/v1.0/deviceManagement/managedDevices/{id}/deviceCategory/$ref",
        "the permission DeviceManagementManagedDevices.ReadWrite.All";
    ADD_MEMBER = POST Effect::Write, "/v1.0/groups/{group}/members/$ref", MEMBERS_WRITE;
    REMOVE_MEMBER = DELETE Effect::Write, "/v1.0/groups/{group}/members/{object}/$ref", MEMBERS_WRITE;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::print_allow_list;

    #[test]
    fn allow_list_is_pinned() {
        insta::assert_snapshot!(print_allow_list(ALL), @r"
        batch-of-reads POST /v1.0/$batch
        download from *.blob.core.windows.net GET (report file)
        read GET /beta/deviceManagement/assignmentFilters
        read GET /beta/deviceManagement/deviceConfigurations
        read GET /beta/deviceManagement/deviceConfigurations/{id}
        read GET /beta/deviceManagement/deviceConfigurations/{id}/deviceStatuses
        read GET /beta/deviceManagement/deviceConfigurations/{id}/{type}/identityCertificate
        read GET /beta/deviceManagement/deviceConfigurations/{id}/{type}/identityCertificateForClientAuthentication
        read GET /beta/deviceManagement/deviceConfigurations/{id}/{type}/managedDeviceCertificateStates
        read GET /beta/deviceManagement/deviceHealthScripts/{id}
        read GET /beta/deviceManagement/managedDevices/{id}
        read GET /beta/deviceManagement/managedDevices/{id}/deviceHealthScriptStates
        read GET /v1.0/applications
        read GET /v1.0/deviceManagement/applePushNotificationCertificate
        read GET /v1.0/deviceManagement/deviceCategories
        read GET /v1.0/deviceManagement/managedDevices
        read GET /v1.0/deviceManagement/managedDevices/{id}/deviceConfigurationStates
        read GET /v1.0/deviceManagement/reports/exportJobs/{id}
        read GET /v1.0/devices
        read GET /v1.0/groups/{id}
        read GET /v1.0/groups/{id}/members
        read POST /v1.0/deviceManagement/reports/exportJobs
        write DELETE /v1.0/groups/{group}/members/{object}/$ref
        write POST /beta/deviceManagement/managedDevices/{id}/initiateOnDemandProactiveRemediation
        write POST /v1.0/deviceManagement/managedDevices/{id}/syncDevice
        write POST /v1.0/groups/{group}/members/$ref
        write PUT /v1.0/deviceManagement/managedDevices/{id}/deviceCategory/$ref
        ");
    }

    #[test]
    fn login_host_is_asked_for_tokens_only() {
        insta::assert_snapshot!(print_allow_list(LOGIN), @"token POST /{tenant}/oauth2/v2.0/token");
    }

    #[test]
    fn every_delete_removes_a_reference_and_never_the_object() {
        for endpoint in ALL.iter().filter(|e| e.method == Method::DELETE) {
            assert!(endpoint.path.ends_with("/$ref"), "{endpoint}");
        }
    }
}
