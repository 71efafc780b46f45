//! Apps, access policies with their rules, and authenticators. People change them, the bot does not;
//! only the mapping of an app to a policy can be written.

use chrono::{DateTime, Utc};

use super::Id;

/// One app of the org.
#[derive(Clone, Debug)]
pub(crate) struct App {
    /// `0oa…`.
    pub id: Id,
    pub name: &'static str,
    pub label: String,
    pub policy: Id,
    pub groups: Vec<Id>,
    pub created: DateTime<Utc>,
}

/// One policy.
#[derive(Clone, Debug)]
pub(crate) struct Policy {
    /// `rst…` or `00p…`.
    pub id: Id,
    pub kind: &'static str,
    pub name: String,
    pub system: bool,
    pub active: bool,
    pub created: DateTime<Utc>,
    pub last_updated: DateTime<Utc>,
    pub rules: Vec<Rule>,
}

/// One rule of an access policy. `None` in a condition means that it does not ask.
#[derive(Clone, Debug)]
pub(crate) struct Rule {
    /// `rul…`.
    pub id: Id,
    pub name: String,
    pub priority: u32,
    pub active: bool,
    pub system: bool,
    pub created: DateTime<Utc>,
    pub last_updated: DateTime<Utc>,
    pub registered: Option<bool>,
    pub managed: Option<bool>,
    pub include_groups: Vec<Id>,
    pub exclude_groups: Vec<Id>,
    pub include_users: Vec<Id>,
    pub exclude_users: Vec<Id>,
    /// Platforms; empty means any.
    pub platforms: Vec<super::Platform>,
    pub allow: bool,
    pub phishing_resistant: bool,
    /// After how long a session has to prove itself again, as an ISO 8601 duration.
    pub reauthenticate_in: &'static str,
}

/// The Okta Verify authenticator and its FastPass method.
#[derive(Clone, Debug)]
pub(crate) struct OktaVerify {
    /// `aut…`.
    pub id: Id,
    pub active: bool,
    pub fastpass_active: bool,
    pub show_button: bool,
    pub hardware_key_only: bool,
    pub created: DateTime<Utc>,
}
