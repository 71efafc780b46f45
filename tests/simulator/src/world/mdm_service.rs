//! What the two MDM services remember besides their records, and the habits that tests can change:
//! lags, missing privileges, stale reads, users who are away.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::{DateTime, Duration, Utc};

use super::{Id, MachineKey, ProfileKey};

/// Both services.
#[derive(Debug, Default)]
pub(crate) struct MdmService {
    /// Users who are not logged in on a machine: their channel and their store are out of reach.
    pub away: BTreeSet<(MachineKey, Id)>,
    /// Macs that answer every command with `NotNow`.
    pub busy: BTreeSet<MachineKey>,
    /// Past membership by group and member: until when it was as noted.
    pub past: BTreeMap<(String, String), Vec<PastMembership>>,
    /// Jamf Pro.
    pub jamf: JamfService,
    /// Intune and Entra.
    pub intune: IntuneService,
}

/// What a membership was before a change.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PastMembership {
    pub changed: DateTime<Utc>,
    pub was_member: bool,
}

/// Jamf Pro's side.
#[derive(Debug)]
pub(crate) struct JamfService {
    /// Privileges the API client does not have.
    pub missing_privileges: BTreeSet<String>,
    /// How long another node shows the state before a write; zero: all nodes agree at once.
    pub stale_reads: Duration,
    /// Whether list commands refresh the inventory sections. UNVERIFIED in the vendor's documents.
    pub lists_refresh_inventory: bool,
    /// Whether the renewal of MDM profiles is switched on.
    pub renewal_enabled: bool,
    /// Computers whose failed commands were flushed and that have not checked in since.
    pub flushed: BTreeSet<u32>,
    /// Payload types that a profile carries besides its own.
    pub extra_payloads: BTreeMap<ProfileKey, Vec<&'static str>>,
    /// The life of an access token in real seconds.
    pub token_seconds: u64,
    /// When the push certificate ends; known once the service lives.
    pub push_certificate_expires: Option<DateTime<Utc>>,
}

impl Default for JamfService {
    fn default() -> Self {
        Self {
            missing_privileges: BTreeSet::new(),
            stale_reads: Duration::zero(),
            lists_refresh_inventory: true,
            renewal_enabled: true,
            flushed: BTreeSet::new(),
            extra_payloads: BTreeMap::new(),
            token_seconds: 300,
            push_certificate_expires: None,
        }
    }
}

/// Intune's side.
#[derive(Debug)]
pub(crate) struct IntuneService {
    /// Application permissions the app registration does not have.
    pub missing_roles: BTreeSet<String>,
    /// How long directory reads may show the state before a write.
    pub read_lag: Duration,
    /// How long Intune takes to learn of a change of group membership.
    pub targeting_lag: Duration,
    /// The last sync that was asked of a device.
    pub syncs: BTreeMap<String, SyncRequest>,
    /// Network profiles that sign in with the certificate of another profile.
    pub certificate_users: BTreeMap<ProfileKey, ProfileKey>,
    /// SCEP exchanges under way.
    pub enrolling: BTreeSet<(MachineKey, ProfileKey)>,
    /// Export jobs by id.
    pub jobs: BTreeMap<String, ExportJob>,
    /// How many export jobs will first be `completed` without an address.
    pub empty_urls: u32,
    /// How many Intune requests will fail with the broker's rate-limit text.
    pub broker_errors: u32,
    /// When Apple's push certificate for Macs in Intune ends; known once the service lives.
    pub push_certificate_expires: Option<DateTime<Utc>>,
    /// When the secret of the caller's app registration ends; known once the service lives.
    pub secret_expires: Option<DateTime<Utc>>,
    /// When the secret ends with which Okta asks Intune whether a challenge is genuine.
    pub challenge_secret_expires: Option<DateTime<Utc>>,
}

impl Default for IntuneService {
    fn default() -> Self {
        Self {
            missing_roles: BTreeSet::new(),
            read_lag: Duration::seconds(20),
            targeting_lag: Duration::minutes(5),
            syncs: BTreeMap::new(),
            certificate_users: BTreeMap::new(),
            enrolling: BTreeSet::new(),
            jobs: BTreeMap::new(),
            empty_urls: 1,
            broker_errors: 0,
            push_certificate_expires: None,
            secret_expires: None,
            challenge_secret_expires: None,
        }
    }
}

/// A sync that was asked of one device.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SyncRequest {
    pub requested: DateTime<Utc>,
    pub done: Option<DateTime<Utc>>,
}

/// An export job; its rows are those of the moment it was created.
#[derive(Clone, Debug)]
pub(crate) struct ExportJob {
    pub id: String,
    pub report: String,
    pub select: Vec<String>,
    pub filter: Option<String>,
    pub format: String,
    pub localization: String,
    pub requested: DateTime<Utc>,
    /// How often it was polled.
    pub polls: u32,
    /// Whether its first `completed` comes without an address.
    pub url_comes_late: bool,
    /// What the download is signed with.
    pub signature: String,
    pub archive: Arc<Vec<u8>>,
}
