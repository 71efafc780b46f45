//! What a client needs to connect, as the one line that the stand-alone simulator prints.

use serde::Serialize;

/// Addresses and credentials of every server, and the repair targets that a person prepared.
#[derive(Clone, Debug, Serialize)]
pub struct Connection {
    /// The Okta org.
    pub okta: OktaConnection,
    /// Microsoft Graph and the login service.
    pub intune: IntuneConnection,
    /// Jamf Pro.
    pub jamf: JamfConnection,
    /// Slack.
    pub slack: SlackConnection,
}

/// How to reach the Okta org.
#[derive(Clone, Debug, Serialize)]
pub struct OktaConnection {
    /// Base URL of the org.
    pub org_url: String,
    /// An SSWS token.
    pub api_token: String,
    /// An API service app.
    pub client_id: String,
    /// Its private key, PKCS#8 in PEM.
    pub private_key: String,
    /// The org's id.
    pub org_id: String,
    /// The group that the FastPass rule covers.
    pub fastpass_group: String,
    /// An app whose policy asks for a managed device.
    pub sign_in_app: String,
}

/// How to reach Microsoft Graph.
#[derive(Clone, Debug, Serialize)]
pub struct IntuneConnection {
    /// Base URL of the login service.
    pub login_url: String,
    /// Base URL of Graph.
    pub graph_url: String,
    /// The tenant.
    pub tenant_id: String,
    /// The app registration.
    pub client_id: String,
    /// Its secret.
    pub client_secret: String,
    /// Devices in this group do not get the attestation profile.
    pub hold_group: String,
    /// Devices in this group get the attestation profile.
    pub target_group: String,
    /// Devices of this category are filtered out of the attestation profile.
    pub hold_category: String,
    /// The attestation profile for shared machines.
    pub machine_profile: String,
    /// The group that gets it.
    pub machine_group: String,
    /// The remediation script that removes dead certificates.
    pub cleanup_script: String,
}

/// How to reach Jamf Pro.
#[derive(Clone, Debug, Serialize)]
pub struct JamfConnection {
    /// Base URL.
    pub url: String,
    /// The API client.
    pub client_id: String,
    /// Its secret.
    pub client_secret: String,
    /// Computers in this group do not get the attestation profile.
    pub hold_group: String,
    /// Computers in this group get the attestation profile.
    pub target_group: String,
    /// The attestation profile for shared machines.
    pub machine_profile: String,
    /// The group that gets it.
    pub machine_group: String,
}

/// How to reach Slack.
#[derive(Clone, Debug, Serialize)]
pub struct SlackConnection {
    /// Base URL of the Web API.
    pub api_url: String,
    /// The bot's token.
    pub bot_token: String,
    /// The app-level token for Socket Mode.
    pub app_token: String,
    /// The channel for cards.
    pub channel: String,
    /// Signs requests in HTTP mode.
    pub signing_secret: String,
    /// The user group of approvers.
    pub approvers_usergroup: String,
}
