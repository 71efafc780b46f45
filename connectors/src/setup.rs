//! What people set up at the vendors, read apart from the fleet: for `doctor`. Reading only.

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use unstuck_domain::{AttestationProfile, SsoExtensionProfile};

use crate::Result;

/// What was set up in an MDM.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct MdmSetup {
    /// Attestation profiles, matched by `[attestation] scep_profiles`.
    pub profiles: Vec<AttestationProfile>,
    /// Okta's SSO extension profiles; `None`: not shown.
    pub sso_extensions: Option<Vec<SsoExtensionProfile>>,
    /// The MDM's push certificate (APNs).
    pub push_certificate: PushCertificate,
}

/// What an MDM tells of its push certificate.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum PushCertificate {
    /// Nothing.
    #[default]
    NotShown,
    /// It would warn, and does not.
    NoWarning,
    /// When it ends.
    EndsAt(DateTime<Utc>),
}

/// An app registration's secrets in Entra. The secrets themselves are never shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppSecret {
    /// Name of the app.
    pub app_name: String,
    /// When the last of its secrets ends; `None`: it has none.
    pub ends_at: Option<DateTime<Utc>>,
}

/// The app that people are asked to open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignInApp {
    /// Its name.
    pub label: String,
    /// Whether it can be opened.
    pub active: bool,
    /// Active rules of its policy, in their order; `None`: not readable.
    pub rules: Option<Vec<SignInRule>>,
}

/// A rule of the policy, as far as a sign-in is concerned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignInRule {
    /// Its name.
    pub name: String,
    /// Whether it is for managed devices.
    pub asks_managed: bool,
    /// How long a sign-in counts; zero: every time. `None`: not shown.
    pub asks_again_after: Option<TimeDelta>,
}

/// The group that the FastPass rule covers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FastPassGroup {
    /// Its name.
    pub name: String,
    /// `OKTA_GROUP`, `APP_GROUP`, `BUILT_IN`.
    pub kind: String,
    /// Active group rules that fill it.
    pub rules: Vec<String>,
    /// Apps that are assigned to it.
    pub apps: Vec<String>,
    /// Admin roles that it gives; `None`: not readable.
    pub roles: Option<Vec<String>>,
}

/// Reads the set-up of an MDM.
#[async_trait]
pub trait ReadSetup: Send + Sync {
    /// Profiles, SSO extensions and push certificate, read now.
    async fn setup(&self) -> Result<MdmSetup>;

    /// Whether a prepared clean-up script is there.
    async fn has_script(&self, script: &str) -> Result<bool>;

    /// The secret of an app registration, of the bot's own without an id; `None`: this vendor has none, or no such app.
    async fn app_secret(&self, app: Option<&str>) -> Result<Option<AppSecret>>;
}
