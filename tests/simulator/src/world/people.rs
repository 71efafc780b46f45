//! The people of the company: Okta users, their groups, and how they react when asked to sign in.

use std::collections::BTreeSet;

use chrono::{DateTime, Duration, Utc};

use super::Id;

/// How a person reacts to a request to sign in with FastPass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Persona {
    /// Signs in this long after being asked.
    AnswersAfter(Duration),
    /// Signs in after being asked that many times, an hour after the last request.
    AnswersReminder(u32),
    /// Never does it.
    Never,
}

impl Persona {
    /// Signs in within the hour.
    pub const PROMPT: Self = Self::AnswersAfter(Duration::minutes(25));
    /// Signs in within a day.
    pub const SAME_DAY: Self = Self::AnswersAfter(Duration::hours(9));
    /// Signs in within a week.
    pub const SLOW: Self = Self::AnswersAfter(Duration::days(4));
}

/// The status of an Okta user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UserStatus {
    /// Can sign in.
    Active,
    /// Suspended by an admin.
    Suspended,
    /// Left the company.
    Deprovisioned,
    /// Too many wrong passwords.
    LockedOut,
}

impl UserStatus {
    /// The word on the wire.
    pub fn word(self) -> &'static str {
        match self {
            Self::Active => "ACTIVE",
            Self::Suspended => "SUSPENDED",
            Self::Deprovisioned => "DEPROVISIONED",
            Self::LockedOut => "LOCKED_OUT",
        }
    }
}

/// One Okta user, who is also an Entra user and may be a Slack member.
#[derive(Clone, Debug)]
pub(crate) struct Person {
    /// Okta id, `00u…`.
    pub id: Id,
    /// Entra object id.
    pub entra_id: String,
    pub login: String,
    pub email: String,
    pub first_name: String,
    pub last_name: String,
    pub department: &'static str,
    pub status: UserStatus,
    pub created: DateTime<Utc>,
    pub last_login: Option<DateTime<Utc>>,
    /// When Okta Verify push and TOTP were enrolled.
    pub push_factor: Option<DateTime<Utc>>,
    pub persona: Persona,
    /// Whether the person can be found in Slack by e-mail.
    pub on_slack: bool,
    /// The app that the person opens by habit; none: the one for checks.
    pub habit_app: Option<Id>,
    /// How often a bot asked for a sign-in.
    pub times_asked: u32,
}

impl Person {
    pub(crate) fn name(&self) -> String {
        format!("{} {}", self.first_name, self.last_name)
    }
}

/// The kind of an Okta group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum GroupKind {
    Okta,
    App,
    BuiltIn,
}

impl GroupKind {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Okta => "OKTA_GROUP",
            Self::App => "APP_GROUP",
            Self::BuiltIn => "BUILT_IN",
        }
    }
}

/// One Okta group.
#[derive(Clone, Debug)]
pub(crate) struct OktaGroup {
    /// `00g…`.
    pub id: Id,
    pub name: String,
    pub description: String,
    pub kind: GroupKind,
    /// Filled by a group rule: membership cannot be written.
    pub by_rule: bool,
    pub created: DateTime<Utc>,
    pub membership_changed: DateTime<Utc>,
    pub members: BTreeSet<Id>,
}
