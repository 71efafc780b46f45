//! What Okta's System Log tells: single facts as they are read, and the ledger that keeps first and last of each kind.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{DeviceId, Platform, UserId};

/// One fact of the System Log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LogFact {
    /// `uuid` of the event; the key that duplicates are known by.
    pub uuid: String,
    /// `published`
    pub at: DateTime<Utc>,
    /// What it says.
    pub kind: LogFactKind,
}

/// What an event says. Ids are `None` where the event does not carry them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum LogFactKind {
    /// `user.authentication.auth_via_mfa` with Okta FastPass, joined with the event that names the device.
    FastPass {
        /// Who signed in.
        user: UserId,
        /// On which device.
        device: Option<DeviceId>,
        /// Whether it succeeded.
        success: bool,
        /// `device.managed` at that attempt.
        managed: Option<bool>,
        /// Whether it was phishing resistant: over the loopback or the SSO extension; `None`: not shown.
        phishing_resistant: Option<bool>,
        /// Browser and its version, as the event's client names it.
        browser: Option<String>,
    },
    /// A sign-in without FastPass.
    SignIn {
        /// Who.
        user: UserId,
        /// On which device, if it was probed.
        device: Option<DeviceId>,
        /// Operating system of the browser.
        platform: Option<Platform>,
        /// Whether a device session (Device-Bound SSO) stood for the factor.
        device_session: bool,
    },
    /// An app was opened: `user.authentication.sso`.
    AppOpened {
        /// Who.
        user: UserId,
        /// Id of the app instance.
        app: String,
    },
    /// `pki.cert.issue`
    CertificateIssued {
        /// Common name, found anywhere in the event (its place is UNVERIFIED).
        subject: Option<String>,
        /// Serial number, where the event shows one.
        serial_number: Option<String>,
    },
    /// `pki.cert.bind`; its shape is UNVERIFIED, so every id is optional.
    CertificateBound {
        /// The device it was bound to.
        device: Option<DeviceId>,
        /// The user who signed in.
        user: Option<UserId>,
        /// Serial number of the certificate.
        serial_number: Option<String>,
    },
    /// `pki.cert.lifecycle.revoke`, `.delete`, `.suspend` and `pki.cert.revoke`.
    CertificateRevoked {
        /// Event type.
        event_type: String,
        /// Serial number of the certificate.
        serial_number: Option<String>,
        /// Common name.
        subject: Option<String>,
        /// The device, where named.
        device: Option<DeviceId>,
    },
    /// `device.lifecycle.*` and `device.enrollment.create`.
    DeviceLifecycle {
        /// What happened.
        change: DeviceChange,
        /// Which record.
        device: DeviceId,
        /// Its serial number, where the event carries it.
        serial_number: Option<String>,
        /// Who did it.
        actor: Option<String>,
    },
    /// An org-wide change that can explain many faults at once (`device.platform.*`, `pki.ca.*`, policies).
    OrgChange {
        /// Event type.
        event_type: String,
        /// Who did it.
        actor: Option<String>,
        /// What it was done to.
        target: Option<String>,
    },
}

/// Lifecycle changes of a device record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeviceChange {
    /// Okta Verify enrolled.
    Enrolled,
    /// Activated.
    Activated,
    /// Suspended.
    Suspended,
    /// Unsuspended.
    Unsuspended,
    /// Deactivated.
    Deactivated,
    /// Deleted.
    Deleted,
}

/// Classes of events whose absence may be evidence, if covered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventClass {
    /// FastPass sign-ins.
    FastPass,
    /// `pki.cert.issue`
    CertificateIssued,
    /// `pki.cert.bind`
    CertificateBound,
    /// Revocations.
    CertificateRevoked,
    /// `device.*`
    DeviceLifecycle,
    /// Org-wide changes.
    OrgChange,
}

/// Since when an event class is covered without a gap, and whether this org was ever seen to write it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Coverage {
    /// `None`: not covered at all.
    pub covered_from: Option<DateTime<Utc>>,
    /// Newest event of the class.
    pub last_seen: Option<DateTime<Utc>>,
}

impl Coverage {
    /// Whether "nothing since `since`" may be concluded.
    pub fn proves_absence_since(&self, since: DateTime<Utc>) -> bool {
        self.last_seen.is_some() && self.covered_from.is_some_and(|from| from <= since)
    }
}

/// First and last time something was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// First time.
    pub first: DateTime<Utc>,
    /// Last time.
    pub last: DateTime<Utc>,
}

impl Seen {
    /// Seen once.
    pub fn once(at: DateTime<Utc>) -> Self {
        Self {
            first: at,
            last: at,
        }
    }

    /// Widens to take in another time.
    pub fn add(&mut self, at: DateTime<Utc>) {
        self.first = self.first.min(at);
        self.last = self.last.max(at);
    }
}

/// FastPass history of one device-user.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FastPassSeen {
    /// Successful sign-ins.
    pub success: Option<Seen>,
    /// Last success with `device.managed` = true.
    pub last_managed: Option<DateTime<Utc>>,
    /// Last success with `device.managed` = false.
    pub last_unmanaged: Option<DateTime<Utc>>,
    /// Last failure.
    pub last_failure: Option<DateTime<Utc>>,
    /// Last success that was phishing resistant.
    pub last_resistant: Option<DateTime<Utc>>,
    /// Last success that was not.
    pub last_not_resistant: Option<DateTime<Utc>>,
}

impl FastPassSeen {
    /// Last attempt, successful or not.
    pub fn last_attempt(&self) -> Option<DateTime<Utc>> {
        self.success.map(|seen| seen.last).max(self.last_failure)
    }
}

/// Last sign-in of a user without FastPass.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OtherSignIn {
    /// When.
    pub at: DateTime<Utc>,
    /// On which record, if it was probed.
    pub device: Option<DeviceId>,
    /// Operating system of the browser.
    pub platform: Option<Platform>,
    /// Whether a device session (Device-Bound SSO) stood for the factor: then no fault.
    pub device_session: bool,
}

/// Enrolments of Okta Verify on one computer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnrolmentsSeen {
    /// First and last.
    pub seen: Seen,
    /// How many.
    pub count: u32,
}

/// An org-wide change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrgChangeSeen {
    /// When.
    pub at: DateTime<Utc>,
    /// Event type.
    pub event_type: String,
    /// Who did it.
    pub actor: Option<String>,
    /// What it was done to.
    pub target: Option<String>,
}

/// A lifecycle change of a record, kept by serial number beyond the record's own life.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LifecycleSeen {
    /// What happened.
    pub change: DeviceChange,
    /// Which record.
    pub device: DeviceId,
    /// When.
    pub at: DateTime<Utc>,
    /// Who did it.
    pub actor: Option<String>,
}

/// Revocation of a certificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RevocationSeen {
    /// When.
    pub at: DateTime<Utc>,
    /// Event type that said so.
    pub event_type: String,
}

/// The System Log's ledger: only first and last of each kind are kept.
///
/// Keys are normalised: serial numbers as [`crate::correlate::normalise`] writes them, subjects as
/// [`crate::correlate::normalise_subject`] does.
#[derive(Debug, Clone, Default)]
pub struct LogFacts {
    /// Coverage per class.
    pub coverage: BTreeMap<EventClass, Coverage>,
    /// FastPass per device and user.
    pub fastpass: HashMap<(DeviceId, UserId), FastPassSeen>,
    /// Last sign-in of any kind per user.
    pub sign_ins: HashMap<UserId, DateTime<Utc>>,
    /// Last sign-in without FastPass, of users who are not managed; of others it need not be loaded.
    pub other_sign_ins: HashMap<UserId, OtherSignIn>,
    /// The latest apps that a user opened, each with the last time, of users who are not managed; of others it need not
    /// be loaded.
    pub apps_opened: HashMap<UserId, BTreeMap<String, DateTime<Utc>>>,
    /// Browser of the last FastPass attempt per device and user, of users who are not managed; of others it need not be
    /// loaded.
    pub browsers: HashMap<(DeviceId, UserId), String>,
    /// Enrolments of Okta Verify per hardware serial number.
    pub enrolments: HashMap<String, EnrolmentsSeen>,
    /// Org-wide changes, oldest first.
    pub org_changes: Vec<OrgChangeSeen>,
    /// Binds per device.
    pub binds: HashMap<DeviceId, Seen>,
    /// Device that a certificate serial number was bound to.
    pub bound_to: HashMap<String, DeviceId>,
    /// Issues per certificate subject.
    pub issued: HashMap<String, Seen>,
    /// Revocations per certificate serial number.
    pub revoked: HashMap<String, RevocationSeen>,
    /// Revocations per certificate subject, where the event shows no serial number.
    pub revoked_subjects: HashMap<String, RevocationSeen>,
    /// Last lifecycle change per device record.
    pub lifecycle: HashMap<DeviceId, LifecycleSeen>,
    /// Deletions per hardware serial number.
    pub deletions: HashMap<String, LifecycleSeen>,
}

impl LogFacts {
    /// Forgets what is covered: the log was not read up to now, so absence proves nothing.
    pub fn forget_coverage(&mut self) {
        self.coverage
            .values_mut()
            .for_each(|coverage| coverage.covered_from = None);
    }

    /// Coverage of one class; an unknown class is not covered.
    pub fn coverage(&self, class: EventClass) -> Coverage {
        self.coverage.get(&class).copied().unwrap_or_default()
    }
}
