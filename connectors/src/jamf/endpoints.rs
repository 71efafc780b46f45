//! Everything that may be asked of Jamf Pro. There is no entry for erase, lock, unmanage, delete, profile or inventory
//! writes; the one DELETE clears failed commands of one computer.

use reqwest::Method;

use crate::http::{Effect, Endpoint};

const COMPUTERS: &str = "the privilege `Read Computers`";
const PROFILES: &str = "the privilege `Read macOS Configuration Profiles`";
const GROUPS: &str =
    "the privileges `Read Static Computer Groups` and `Read Smart Computer Groups`";
const COMMANDS: &str = "the privilege `View MDM command information in Jamf Pro API`";

macro_rules! endpoints {
    ($($name:ident = $method:ident $effect:ident $path:literal, $right:expr;)*) => {
        $(pub(super) static $name: Endpoint = Endpoint {
            name: concat!("jamf.", stringify!($name)),
            method: Method::$method,
            path: $path,
            effect: Effect::$effect,
            bucket: "jamf",
            right: $right,
        };)*

        /// The allow-list.
        pub(super) static ALL: &[Endpoint] = &[$(
            Endpoint {
                name: concat!("jamf.", stringify!($name)),
                method: Method::$method,
                path: $path,
                effect: Effect::$effect,
                bucket: "jamf",
                right: $right,
            },
        )*];
    };
}

endpoints! {
    TOKEN = POST Token "/api/v1/oauth/token", "an API client";
    TOKEN_OLD = POST Token "/api/oauth/token", "an API client";
    VERSION = GET Read "/api/v1/jamf-pro-version", "an API role";
    AUTHORIZATION = GET Read "/api/v1/auth", "an API role";
    INVENTORY_V4 = GET Read "/api/v4/computers-inventory", COMPUTERS;
    INVENTORY_V3 = GET Read "/api/v3/computers-inventory", COMPUTERS;
    COMPUTER_V4 = GET Read "/api/v4/computers-inventory/{id}", COMPUTERS;
    COMPUTER_V3 = GET Read "/api/v3/computers-inventory/{id}", COMPUTERS;
    MDM_COMMANDS = GET Read "/api/v2/mdm/commands", COMMANDS;
    PUSH_STATUS = GET Read "/api/v1/apns-client-push-status", COMMANDS;
    NOTIFICATIONS = GET Read "/api/v1/notifications", "an API role";
    PROFILE_LIST = GET Read "/JSSResource/osxconfigurationprofiles", PROFILES;
    PROFILE = GET Read "/JSSResource/osxconfigurationprofiles/id/{id}", PROFILES;
    IN_SCOPE = GET Read "/JSSResource/computermanagement/id/{id}", COMPUTERS;
    GROUP = GET Read "/JSSResource/computergroups/id/{id}", GROUPS;
    CHANGE_GROUP = PUT Write "/JSSResource/computergroups/id/{id}", "the privilege `Update Static Computer Groups`";
    FLUSH_FAILED = DELETE Write "/JSSResource/commandflush/computers/id/{id}/status/Failed",
        "the privileges `Flush MDM Commands` and `Read Computers`";
    BLANK_PUSH = POST Write "/api/v2/mdm/blank-push", COMMANDS;
    SEND_COMMAND = POST Write "/api/v2/mdm/commands",
        "`View MDM command information in Jamf Pro API` and the privilege to send that command";
    ENABLE_PUSH = POST Write "/api/v1/apns-client-push-status/enable-client",
        "the privilege `Send MDM command information in Jamf Pro API`";
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::print_allow_list;

    #[test]
    fn allow_list_is_pinned() {
        insta::assert_snapshot!(print_allow_list(ALL), @r"
        read GET /JSSResource/computergroups/id/{id}
        read GET /JSSResource/computermanagement/id/{id}
        read GET /JSSResource/osxconfigurationprofiles
        read GET /JSSResource/osxconfigurationprofiles/id/{id}
        read GET /api/v1/apns-client-push-status
        read GET /api/v1/auth
        read GET /api/v1/jamf-pro-version
        read GET /api/v1/notifications
        read GET /api/v2/mdm/commands
        read GET /api/v3/computers-inventory
        read GET /api/v3/computers-inventory/{id}
        read GET /api/v4/computers-inventory
        read GET /api/v4/computers-inventory/{id}
        token POST /api/oauth/token
        token POST /api/v1/oauth/token
        write DELETE /JSSResource/commandflush/computers/id/{id}/status/Failed
        write POST /api/v1/apns-client-push-status/enable-client
        write POST /api/v2/mdm/blank-push
        write POST /api/v2/mdm/commands
        write PUT /JSSResource/computergroups/id/{id}
        ");
    }
}
