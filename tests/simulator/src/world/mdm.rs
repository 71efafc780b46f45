//! What the MDMs hold: their records of machines with an inventory of its own age, profiles with
//! their scopes, groups, and Jamf's command queue. Behaviour is in `mdm_jamf` and `mdm_intune`.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};

use super::{Id, MachineKey, Platform, ScepError, Store};

/// The two MDMs of the company.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Mdm {
    /// Jamf Pro, for Macs.
    Jamf,
    /// Microsoft Intune, for Windows.
    Intune,
}

/// Points at one profile for as long as the world lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct ProfileKey(pub usize);

/// What a profile delivers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ProfileKind {
    Scep {
        /// Payload setting on Macs; without it Okta Verify cannot use the key.
        all_apps_access: bool,
        /// Whether the requested key may sign.
        may_sign: bool,
        issuer: super::Issuer,
        /// The trusted-certificate profile it refers to (Intune).
        trusted: Option<ProfileKey>,
        key_bits: u32,
        /// Intune: whether client authentication is among the extended key usages.
        client_auth: bool,
        /// Jamf: how many days before a certificate's expiry the profile is sent again.
        redistribute_days: Option<u32>,
        /// Whether an ordinary account may read a key of the machine's store.
        readable: bool,
        /// Intune: `keyStorageProvider`.
        key_storage: &'static str,
        /// The subject where it is not the usual one, with its variables.
        subject: Option<&'static str>,
    },
    TrustedCertificate {
        /// The key id of the authority's certificate in it.
        ski: String,
    },
    SsoExtension(SsoExtension),
    /// Anything else; the names of its payload types.
    Other(&'static [&'static str]),
}

/// An SSO extension of Okta for Safari.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SsoExtension {
    pub identifier: &'static str,
    pub team: &'static str,
    /// `Credential`, or `Redirect` for Platform SSO.
    pub kind: &'static str,
    /// Whether the org's own host is among the hosts.
    pub names_org: bool,
    /// Other hosts; right without a scheme.
    pub hosts: Vec<&'static str>,
}

impl SsoExtension {
    /// As Okta's guide asks for.
    pub(crate) fn right() -> Self {
        Self {
            identifier: OKTA_EXTENSION,
            team: OKTA_TEAM,
            kind: "Credential",
            names_org: true,
            hosts: Vec::new(),
        }
    }

    /// Whether Safari reaches Okta Verify with it.
    pub(crate) fn is_right(&self) -> bool {
        let right = Self::right();
        self.identifier == right.identifier
            && self.team == right.team
            && self.kind == right.kind
            && self.names_org
    }
}

/// The team that signs Okta's apps for Macs.
const OKTA_TEAM: &str = "B7F62B65BN";
const OKTA_EXTENSION: &str = "com.okta.mobile.auth-service-extension";

/// Whether a profile goes to the machine or to a user of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Level {
    Machine,
    User,
}

/// One configuration profile of one MDM.
#[derive(Clone, Debug)]
pub(crate) struct Profile {
    pub key: ProfileKey,
    pub mdm: Mdm,
    /// Jamf: a number. Intune: a GUID.
    pub id: String,
    pub name: String,
    /// Whose machines it is for.
    pub platform: Platform,
    pub kind: ProfileKind,
    pub level: Level,
    /// Jamf: the top-level `PayloadIdentifier`.
    pub identifier: String,
    pub uuid: String,
    pub created: DateTime<Utc>,
    pub modified: DateTime<Utc>,
    pub version: u32,
    pub scope: Scope,
    /// Taken out of the console: nobody can read it any more.
    pub deleted: bool,
    /// Intune: a profile that sets other values for the same thing.
    pub conflicts_with: Option<ProfileKey>,
}

impl Profile {
    pub(crate) fn is_scep(&self) -> bool {
        matches!(self.kind, ProfileKind::Scep { .. })
    }
}

/// Whom a profile goes to: the union of the targets without the exclusions.
#[derive(Clone, Debug, Default)]
pub(crate) struct Scope {
    pub all: bool,
    /// Group ids.
    pub groups: BTreeSet<String>,
    pub excluded_groups: BTreeSet<String>,
    /// Record ids (Jamf's single computers).
    pub records: BTreeSet<String>,
    pub excluded_records: BTreeSet<String>,
    /// Intune: the assignment filter of the assignments excludes devices of this category (its id).
    pub excluded_category: Option<String>,
}

/// A group of one MDM. Members are record ids (Jamf), or Entra object ids of devices and users.
#[derive(Clone, Debug)]
pub(crate) struct MdmGroup {
    pub id: String,
    pub mdm: Mdm,
    pub name: String,
    pub description: String,
    /// Jamf smart group or Entra dynamic group: its members cannot be written.
    pub smart: bool,
    pub members: BTreeSet<String>,
}

/// What an MDM last saw on a machine. It is as old as `taken`.
#[derive(Clone, Debug)]
pub(crate) struct Inventory {
    pub taken: DateTime<Utc>,
    pub os_version: String,
    pub okta_verify: Option<String>,
    pub certificates: Vec<SeenCertificate>,
    pub profiles: Vec<SeenProfile>,
}

/// A certificate in an inventory; its facts are those of the certificate with this serial.
#[derive(Clone, Debug)]
pub(crate) struct SeenCertificate {
    pub serial: Id,
    pub store: Store,
    /// The profile that brought it.
    pub profile: Option<ProfileKey>,
}

/// A profile in an inventory.
#[derive(Clone, Debug)]
pub(crate) struct SeenProfile {
    pub profile: ProfileKey,
    pub store: Store,
    pub installed: DateTime<Utc>,
}

/// A Mac in Jamf Pro.
#[derive(Clone, Debug)]
pub(crate) struct JamfComputer {
    pub id: u32,
    pub machine: MachineKey,
    /// The serial as Jamf shows it.
    pub serial: String,
    pub udid: Option<String>,
    pub management_id: String,
    pub managed: bool,
    pub mdm_capable: bool,
    pub user_approved: bool,
    pub supervised: bool,
    pub mdm_profile_expires: DateTime<Utc>,
    /// False: APNs pushes to this Mac are disabled, commands wait for ever.
    pub push_enabled: bool,
    pub enrolled: DateTime<Utc>,
    /// The Jamf agent's last check-in.
    pub last_check_in: DateTime<Utc>,
    /// The last contact on any channel.
    pub last_contact: DateTime<Utc>,
    pub username: Option<String>,
    pub email: Option<String>,
    /// MDM-enabled users, each with the management id of that user channel.
    pub user_channels: Vec<(Id, String)>,
    pub inventory: Inventory,
    pub commands: Vec<Command>,
}

/// One MDM command in Jamf's queue.
#[derive(Clone, Debug)]
pub(crate) struct Command {
    pub uuid: String,
    /// `None`: device channel; else the user whose channel it waits on.
    pub channel: Option<Id>,
    pub kind: CommandKind,
    pub sent: DateTime<Utc>,
    pub completed: Option<DateTime<Utc>>,
    pub state: CommandState,
}

/// What a command asks the Mac to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum CommandKind {
    InstallProfile(ProfileKey),
    RemoveProfile(ProfileKey),
    CertificateList,
    ProfileList,
    /// Any other harmless query, by its wire name.
    Query(String),
}

/// How far a command got.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum CommandState {
    Pending,
    NotNow,
    Acknowledged,
    Error(ScepError),
}

/// A managed device in Intune, with its Entra device object.
#[derive(Clone, Debug)]
pub(crate) struct IntuneDevice {
    /// Intune's id.
    pub id: String,
    pub machine: MachineKey,
    pub serial: String,
    pub udid: Option<String>,
    /// Entra `deviceId`.
    pub entra_device_id: String,
    /// Entra object id: what groups hold.
    pub entra_object_id: String,
    /// Primary user.
    pub user: Option<Id>,
    /// Whether the record shows the primary user's names and e-mail.
    pub shows_user: bool,
    pub enrolled: DateTime<Utc>,
    pub last_sync: DateTime<Utc>,
    pub management_agent: &'static str,
    pub registration: &'static str,
    pub management_state: &'static str,
    pub mdm_certificate_expires: DateTime<Utc>,
    /// Category id.
    pub category: Option<String>,
    /// Profiles whose applicability rules leave this device out.
    pub unfit_for: BTreeSet<ProfileKey>,
    pub inventory: Inventory,
    /// Per profile, what Intune reports.
    pub states: BTreeMap<ProfileKey, DeliveryState>,
}

/// What Intune knows of one profile on one device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum DeliveryState {
    Pending {
        since: DateTime<Utc>,
    },
    Succeeded {
        at: DateTime<Utc>,
    },
    Failed {
        at: DateTime<Utc>,
        error: ScepError,
    },
    Removed {
        at: DateTime<Utc>,
    },
    /// Another profile sets other values, and Intune never decides between them.
    Conflict {
        at: DateTime<Utc>,
    },
    /// The profile does not fit the device, its edition or its ownership.
    NotApplicable {
        at: DateTime<Utc>,
    },
}

/// An Intune device category.
#[derive(Clone, Debug)]
pub(crate) struct Category {
    pub id: String,
    pub name: String,
}

/// A prepared Intune remediation script.
#[derive(Clone, Debug)]
pub(crate) struct Script {
    pub id: String,
    pub name: String,
}

/// One run of a script on one device.
#[derive(Clone, Debug)]
pub(crate) struct ScriptRun {
    pub script: String,
    /// Intune device id.
    pub device: String,
    pub requested: DateTime<Utc>,
    pub finished: Option<DateTime<Utc>>,
    /// Thumbprints of the certificates it removed.
    pub removed: Vec<String>,
}
