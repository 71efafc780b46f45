//! Okta's device records and the links between them and users. The management status lives on the
//! link, and what a list shows may be older than what a read by id shows.

use chrono::{DateTime, Utc};

use super::{Id, MachineKey, Platform};

/// The lifecycle status of an Okta device record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviceStatus {
    /// Made, registration not finished.
    Created,
    /// In use.
    Active,
    /// Cannot sign in; links and certificate are kept.
    Suspended,
    /// Links, factors and certificate are lost.
    Deactivated,
}

impl DeviceStatus {
    /// The word on the wire.
    pub fn word(self) -> &'static str {
        match self {
            Self::Created => "CREATED",
            Self::Active => "ACTIVE",
            Self::Suspended => "SUSPENDED",
            Self::Deactivated => "DEACTIVATED",
        }
    }
}

/// One record of Okta's device inventory.
#[derive(Clone, Debug)]
pub(crate) struct OktaDevice {
    /// `guo…`.
    pub id: Id,
    pub status: DeviceStatus,
    pub created: DateTime<Utc>,
    pub last_updated: DateTime<Utc>,
    pub display_name: String,
    pub platform: Platform,
    pub manufacturer: String,
    pub model: String,
    pub os_version: Option<String>,
    pub serial: Option<String>,
    pub udid: Option<String>,
    pub sid: Option<String>,
    pub imei: Option<String>,
    pub tpm_public_key_hash: Option<String>,
    pub registered: bool,
    pub secure_hardware: bool,
    pub disk_encryption: &'static str,
    pub ov_version: Option<String>,
    /// The machine that Okta Verify runs on; `None` for phones.
    pub machine: Option<MachineKey>,
    pub links: Vec<Link>,
    /// What lists and searches still show, when that is older than the record.
    pub stale_row: Option<StaleRow>,
}

impl OktaDevice {
    pub(crate) fn link(&self, user: &str) -> Option<&Link> {
        self.links.iter().find(|link| &*link.user == user)
    }

    pub(crate) fn link_mut(&mut self, user: &str) -> Option<&mut Link> {
        self.links.iter_mut().find(|link| &*link.user == user)
    }
}

/// One user on one device.
#[derive(Clone, Debug)]
pub(crate) struct Link {
    /// `lnk…`.
    pub id: Id,
    pub user: Id,
    pub managed: bool,
    pub created: DateTime<Utc>,
    pub screen_lock: &'static str,
    /// The Okta Verify account on this device; `None` when registration did not finish.
    pub enrolment: Option<Enrolment>,
}

/// The FastPass enrolment of one user on one device.
#[derive(Clone, Debug)]
pub(crate) struct Enrolment {
    /// `pfd…`.
    pub id: Id,
    pub active: bool,
    pub created: DateTime<Utc>,
    pub last_verified: Option<DateTime<Utc>>,
}

/// The older view that the search index still holds.
#[derive(Clone, Debug)]
pub(crate) struct StaleRow {
    /// Until when; `None` means until the record changes again.
    pub until: Option<DateTime<Utc>>,
    pub last_updated: DateTime<Utc>,
    /// The management status shown per user.
    pub managed: Vec<(Id, bool)>,
}
