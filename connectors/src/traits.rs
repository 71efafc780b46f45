//! Capabilities. Detection is handed readers only; the executor alone gets actions.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use unstuck_domain::{
    AttestationProfile, CertificateAuthority, DeviceConfirmation, DeviceId, GroupId, LogFact,
    MdmDevice, MdmDeviceId, MdmKind, MdmName, MdmObservation, OktaDevice, Platform, PolicyFacts,
    ProfileId, Shows, UserId, UserStatus,
};

use crate::{ConnectorError, WritePermit};

/// Result of a call to a vendor.
pub type Result<T> = std::result::Result<T, ConnectorError>;

/// Told while a long listing runs.
pub trait Progress: Send + Sync {
    /// So many records of `what` have been read; `total` where the vendor tells.
    fn read(&self, source: &str, what: &str, done: u64, total: Option<u64>);
}

/// Progress that nobody watches.
pub struct NoProgress;

impl Progress for NoProgress {
    fn read(&self, _: &str, _: &str, _: u64, _: Option<u64>) {}
}

/// Requests sent to a source, tokens and retries included.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct ApiUsage {
    /// All requests.
    pub requests: u64,
    /// Answers that said "too many".
    pub throttled: u64,
}

/// What the connectors of every vendor tell about themselves.
pub trait Source: Send + Sync {
    /// okta, slack or `[[mdm]].name`.
    fn name(&self) -> &str;
    /// Requests so far.
    fn usage(&self) -> ApiUsage;
    /// The vendor's own time; `None` before its first answer.
    fn now(&self) -> Option<DateTime<Utc>>;
}

/// The org behind the Okta URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Organization {
    /// `00o…`
    pub id: String,
    /// Whether it runs Identity Engine; Classic has no Devices API.
    pub identity_engine: bool,
}

/// A user account read by id or login.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserAccount {
    /// `00u…`
    pub id: UserId,
    /// Login.
    pub login: String,
    /// E-mail.
    pub email: Option<String>,
    /// First and last name.
    pub name: Option<String>,
    /// Status.
    pub status: UserStatus,
    /// Last sign-in of any kind.
    pub last_login: Option<DateTime<Utc>>,
}

/// Where to go on reading the System Log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogCursor {
    /// A first poll: everything persisted since then.
    Since(DateTime<Utc>),
    /// The `next` URL of the last page, byte for byte.
    Next(String),
}

/// One page of the System Log.
#[derive(Debug, Clone, PartialEq)]
pub struct LogPage {
    /// The facts of the page, in the order of persistence.
    pub facts: Vec<LogFact>,
    /// Events on the page, facts or not.
    pub events: usize,
    /// Where to go on; kept for the next poll when the page was empty.
    pub next: Option<LogCursor>,
    /// The vendor's time at the answer: everything persisted before has been read when the page was empty.
    pub read_at: DateTime<Utc>,
}

/// Which events a log query asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogScope {
    /// `pki.*`, `device.*`, policy and platform changes.
    Changes,
    /// FastPass and other sign-ins.
    SignIns,
    /// Both.
    All,
}

/// The computer of a simulated sign-in; Okta Verify is registered on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SimulatedDevice {
    /// Its platform.
    pub platform: Platform,
    /// Whether it is managed.
    pub managed: bool,
}

/// Reads an Okta org.
#[async_trait]
pub trait OktaReader: Source {
    /// `GET /.well-known/okta-organization`
    async fn organization(&self) -> Result<Organization>;
    /// Every device record, with `expand=userSummary`, to the last page. An error means: incomplete.
    async fn devices(&self, progress: &dyn Progress) -> Result<Vec<OktaDevice>>;
    /// One record by id; `None`: gone.
    async fn device(&self, id: &DeviceId) -> Result<Option<OktaDevice>>;
    /// The users of one record by id.
    async fn device_users(&self, id: &DeviceId) -> Result<DeviceConfirmation>;
    /// One user by id or login; `None`: no such user.
    async fn user(&self, id_or_login: &str) -> Result<Option<UserAccount>>;
    /// Device records linked to a user.
    async fn user_devices(&self, id: &UserId) -> Result<Vec<DeviceId>>;
    /// Groups of a user.
    async fn user_groups(&self, id: &UserId) -> Result<Vec<GroupId>>;
    /// Whether `signed_nonce` is listed ACTIVE among the user's factors. Absence is weak.
    async fn fastpass_enrolled(&self, id: &UserId) -> Result<bool>;
    /// Authenticators, active access policies, their rules and mappings.
    async fn policies(&self) -> Result<PolicyFacts>;
    /// Okta's own certificate authorities (Early Access). `None`: not on, or not readable, which proves nothing.
    async fn authorities(&self) -> Result<Option<Vec<CertificateAuthority>>> {
        Ok(None)
    }
    /// `POST /policies/simulate`: the rule that would decide about an app for members of these groups; `None`: no rule.
    async fn simulate_access(
        &self,
        app: &str,
        groups: &[GroupId],
        device: SimulatedDevice,
    ) -> Result<Option<String>>;
    /// One page of the log in polling mode (no `until`, ascending by persistence).
    async fn poll_log(&self, scope: LogScope, cursor: &LogCursor) -> Result<LogPage>;
    /// Sign-ins and binds of one user in a bounded query, to the last page.
    async fn user_log(&self, user: &UserId, since: DateTime<Utc>) -> Result<Vec<LogFact>>;
}

/// Writes to an Okta org: memberships of prepared groups only.
#[async_trait]
pub trait OktaActions: Send + Sync {
    /// `PUT` or `DELETE /groups/{group}/users/{user}`
    async fn set_group_membership(
        &self,
        permit: &WritePermit,
        group: &GroupId,
        user: &UserId,
        present: bool,
    ) -> Result<()>;
}

/// How the delivery or removal of one profile on one device stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChangeState {
    /// The MDM shows nothing about it yet.
    NotSeen,
    /// Sent or queued.
    Pending,
    /// The device acknowledged it, in the MDM's time.
    Acknowledged {
        /// When.
        at: DateTime<Utc>,
    },
    /// The device refused it.
    Failed {
        /// The MDM's own text.
        error: String,
    },
}

/// Delivery or removal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProfileChange {
    /// `InstallProfile`, or Intune's profile state and certificate rows.
    Install,
    /// `RemoveProfile`, or Intune's proof of removal; never a row that vanished from a report.
    Remove,
}

/// A device as the calls of its MDM address it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MdmDeviceRef {
    /// Record id.
    pub id: MdmDeviceId,
    /// Second key: Jamf's `managementId`, Entra's `deviceId`.
    pub management_id: Option<String>,
}

/// A right that was tried with the given credential.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct CredentialCheck {
    /// What was tried, for people.
    pub what: String,
    /// Whether it worked.
    pub ok: bool,
    /// What came back.
    pub saw: String,
    /// What to do if it did not.
    pub hint: String,
    /// Whether the product can do without it.
    pub optional: bool,
}

/// Tries a credential at once, for `init`.
#[async_trait]
pub trait CheckCredentials: Send + Sync {
    /// One entry per right that the product uses.
    async fn check_credentials(&self) -> Vec<CredentialCheck>;
}

/// Reads an MDM.
#[async_trait]
pub trait MdmReader: Source {
    /// `[[mdm]].name`, typed.
    fn mdm(&self) -> &MdmName;
    /// Kind.
    fn kind(&self) -> MdmKind;
    /// Which desktops it manages.
    fn platforms(&self) -> &[Platform];
    /// Which facts it can show.
    fn shows(&self) -> Shows;
    /// The whole inventory, to the last page, and the attestation profiles. An error means: incomplete.
    async fn observe(&self, progress: &dyn Progress) -> Result<MdmObservation>;
    /// One record read by id now, with deliveries and certificates; `None`: gone.
    async fn device(&self, id: &MdmDeviceId) -> Result<Option<MdmDevice>>;
    /// The attestation profiles, read now.
    async fn profiles(&self) -> Result<Vec<AttestationProfile>>;
    /// Whether the group exists, is static, and may be used as a repair target; the reason if not.
    async fn check_group(&self, group: &GroupId) -> Result<std::result::Result<(), String>>;
    /// Members of a prepared group, as record ids where the MDM tells them, else as second keys.
    async fn group_members(&self, group: &GroupId) -> Result<Vec<MdmDeviceRef>>;
    /// How the delivery or removal of a profile stands, as far as it happened after `since` (the MDM's time).
    async fn profile_change(
        &self,
        device: &MdmDeviceRef,
        profile: &ProfileId,
        change: ProfileChange,
        since: DateTime<Utc>,
    ) -> Result<ChangeState>;
    /// Whether the prepared script reported a result after `since` (Intune).
    async fn script_finished(
        &self,
        device: &MdmDeviceRef,
        script: &str,
        since: DateTime<Utc>,
    ) -> Result<ChangeState>;
}

/// Acts through an MDM on one device. What a vendor cannot do is [`crate::error::ErrorKind::Unsupported`].
#[async_trait]
pub trait MdmActions: Send + Sync {
    /// Ask the device to contact its MDM now.
    async fn sync(&self, permit: &WritePermit, device: &MdmDeviceRef) -> Result<()>;
    /// Ask for a new inventory of profiles and certificates.
    async fn refresh_inventory(&self, permit: &WritePermit, device: &MdmDeviceRef) -> Result<()>;
    /// Clear the failed commands of one computer.
    async fn flush_failed_commands(
        &self,
        permit: &WritePermit,
        device: &MdmDeviceRef,
    ) -> Result<()>;
    /// Turn push on again for one client.
    async fn enable_push(&self, permit: &WritePermit, device: &MdmDeviceRef) -> Result<()>;
    /// Put one device into, or take it out of, a prepared static group.
    async fn set_group(
        &self,
        permit: &WritePermit,
        device: &MdmDeviceRef,
        group: &GroupId,
        present: bool,
    ) -> Result<()>;
    /// Set the device category by name; `None`: no category.
    async fn set_category(
        &self,
        permit: &WritePermit,
        device: &MdmDeviceRef,
        category: Option<&str>,
    ) -> Result<()>;
    /// Run the prepared clean-up script once.
    async fn run_script(
        &self,
        permit: &WritePermit,
        device: &MdmDeviceRef,
        script: &str,
    ) -> Result<()>;
}
