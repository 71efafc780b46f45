//! The real machines: what is installed on them and which certificates their stores hold. Nobody on
//! the wire sees these; Okta sees sign-ins and an MDM sees its last inventory.

use chrono::{DateTime, Utc};

use super::{Browser, Id, Mdm, Network, ProfileKey};

/// Points at one machine for as long as the world lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MachineKey(pub usize);

/// The operating system of a device, in Okta's spelling on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Platform {
    /// Windows 10 and 11.
    Windows,
    /// macOS.
    MacOs,
    /// iPhones and iPads.
    Ios,
    /// Android phones.
    Android,
}

impl Platform {
    /// The word in the Devices API.
    pub fn word(self) -> &'static str {
        match self {
            Self::Windows => "WINDOWS",
            Self::MacOs => "MACOS",
            Self::Ios => "IOS",
            Self::Android => "ANDROID",
        }
    }

    /// The word in the System Log.
    pub(crate) fn log_word(self) -> &'static str {
        match self {
            Self::MacOs => "OSX",
            other => other.word(),
        }
    }

    pub(crate) fn is_desktop(self) -> bool {
        matches!(self, Self::Windows | Self::MacOs)
    }
}

/// Where a certificate or a profile lives on a machine.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Store {
    /// The System keychain or `LocalMachine\My`.
    Machine,
    /// The login keychain or `CurrentUser\My` of this Okta user.
    User(Id),
}

impl Store {
    pub(crate) fn user(&self) -> Option<&Id> {
        match self {
            Self::Machine => None,
            Self::User(user) => Some(user),
        }
    }
}

/// How the machine's SCEP client fares at its next enrolments.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum ScepHealth {
    #[default]
    Works,
    /// The next exchanges fail with this text, then it works.
    Fails { times: u32, error: ScepError },
    /// The next profiles install without an exchange reaching the CA, then it works.
    Silent { times: u32 },
}

/// Why a SCEP profile failed to install, in the words the MDM shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ScepError {
    pub domain: &'static str,
    pub code: i64,
    pub text: &'static str,
    /// `certificateIssuanceState` in Intune. Which state goes with which error is UNVERIFIED.
    pub issuance: &'static str,
}

/// How far a browser gets when it looks for Okta Verify on its own machine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Probe {
    #[default]
    Works,
    /// Nothing answers, and the sign-in fails.
    Blocked,
    /// Only a link opens the app: a sign-in without device signals and without proof against phishing.
    LinkOnly,
}

/// A site of the company, as an MDM files machines under it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Site {
    pub id: u32,
    pub name: &'static str,
}

/// A person's account on a machine.
#[derive(Clone, Debug)]
pub(crate) struct OsAccount {
    pub person: Id,
    pub name: String,
    pub last_logon: Option<DateTime<Utc>>,
}

/// One computer.
#[derive(Clone, Debug)]
pub(crate) struct Machine {
    pub key: MachineKey,
    pub name: String,
    pub platform: Platform,
    pub manufacturer: &'static str,
    pub model: &'static str,
    pub model_identifier: &'static str,
    pub os_version: String,
    /// The serial the firmware reports; may be a placeholder.
    pub serial: String,
    pub udid: String,
    pub wifi_mac: String,
    /// The MDM it is enrolled in by the user's own account of things.
    pub mdm: Option<Mdm>,
    /// Its records in Jamf and in Intune, oldest first.
    pub jamf_ids: Vec<u32>,
    pub intune_ids: Vec<String>,
    /// Whether it can be reached by push and check in.
    pub online: bool,
    pub okta_verify: Option<String>,
    /// The last account is the newest.
    pub accounts: Vec<OsAccount>,
    pub certificates: Vec<HeldCertificate>,
    pub profiles: Vec<InstalledProfile>,
    pub scep: ScepHealth,
    /// Okta Verify cannot load any certificate issued up to then (an inexplicable fault).
    pub ov_blind_until: Option<DateTime<Utc>>,
    pub browser: Browser,
    pub probe: Probe,
    /// Its way out to the internet.
    pub network: Network,
    pub site: Option<Site>,
    /// The same person uses several profiles of the system, and Okta Verify is enrolled in another one
    /// than the one whose store has the certificate.
    pub enrolled_in_other_os_profile: bool,
    /// A virtual desktop whose Okta Verify was not installed for one.
    pub wrong_desktop_mode: bool,
}

impl Machine {
    pub(crate) fn has_profile(&self, profile: ProfileKey, store: &Store) -> bool {
        self.profiles
            .iter()
            .any(|held| held.profile == profile && held.store == *store)
    }
}

/// A certificate with its private key in one store of a machine.
#[derive(Clone, Debug)]
pub(crate) struct HeldCertificate {
    pub serial: Id,
    pub store: Store,
    /// Whether Okta Verify can use the private key.
    pub key_usable: bool,
    /// The profile that brought it; it goes away with the profile.
    pub profile: Option<ProfileKey>,
}

/// A profile on a machine.
#[derive(Clone, Debug)]
pub(crate) struct InstalledProfile {
    pub profile: ProfileKey,
    pub store: Store,
    pub installed: DateTime<Utc>,
}

/// Who signed a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Issuer {
    /// This org's own management-attestation CA.
    Org,
    /// This org's CA for Device Access, which never attests management.
    DeviceAccess,
    /// The CA of another Okta org, such as a preview tenant.
    OtherOrg,
    /// The company's own CA, whose intermediate an admin uploaded to Okta.
    OwnAuthority,
}

impl Issuer {
    /// Whether its certificates are made to attest management in this org.
    pub(crate) fn attests(self) -> bool {
        matches!(self, Self::Org | Self::OwnAuthority)
    }
}

/// One client certificate, wherever copies of it are.
#[derive(Clone, Debug)]
pub(crate) struct Certificate {
    /// Upper-case hex.
    pub serial: Id,
    pub common_name: String,
    pub issuer: Issuer,
    pub issued: DateTime<Utc>,
    /// notBefore: when it was issued, but for a clock that goes wrong.
    pub valid_from: DateTime<Utc>,
    pub expires: DateTime<Utc>,
    pub revoked: Option<DateTime<Utc>>,
    /// The Okta device it was bound to at its first successful use.
    pub bound: Option<Id>,
    /// SHA-1 of the certificate, lower-case hex.
    pub thumbprint: String,
}

impl Certificate {
    pub(crate) fn valid_at(&self, now: DateTime<Utc>) -> bool {
        self.valid_from <= now && now < self.expires && self.revoked.is_none_or(|at| at > now)
    }
}
