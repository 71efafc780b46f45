//! The life of one machine as a handful of times and choices. A healthy one is drawn first; a fault
//! changes what it must, and the assembler makes records, stores and events that follow from it.

use chrono::{DateTime, Duration, Utc};

use super::incidents::IncidentKind;
use super::oddities::Oddity;
use crate::world::{
    Browser, DeviceStatus, Id, Issuer, Mdm, Network, Platform, Probe, ScepError, Site, UserStatus,
};

/// What happens to one machine.
#[derive(Clone, Debug)]
pub(super) struct Blueprint {
    pub cause: &'static str,
    /// A note for the truth where the rules of the entry do not see the reason.
    pub undecidable: Option<&'static str>,
    /// Other entries that the same facts make true.
    pub also: Vec<&'static str>,
    /// The incident that struck it.
    pub incident: Option<IncidentKind>,
    pub mdm: Mdm,
    pub computer: Computer,
    /// False: the machine is in no MDM.
    pub enrolled_in_mdm: bool,
    pub mdm_enrolled: DateTime<Utc>,
    pub last_contact: DateTime<Utc>,
    pub inventory: DateTime<Utc>,
    pub online: bool,
    pub mdm_broken: bool,
    pub push_enabled: bool,
    pub placement: Placement,
    pub in_scope: bool,
    pub delivery: Delivery,
    /// The words of a failed delivery.
    pub error: ScepError,
    /// Whether every new exchange with the SCEP server fails as the last one did.
    pub error_stays: bool,
    /// The profile was there and was taken away again.
    pub profile_removed: Option<DateTime<Utc>>,
    /// Commands of all kinds have waited since then.
    pub queue_since: Option<DateTime<Utc>>,
    /// The MDM knows no user of the machine.
    pub without_primary_user: bool,
    /// Somebody else whom the MDM takes for the user, and in whose store certificates land.
    pub mdm_user: Option<Id>,
    pub certificates: Vec<CertificatePlan>,
    /// The Okta record; none when only the MDM knows the machine.
    pub record: Option<RecordPlan>,
    /// Who uses it; the first is the owner.
    pub accounts: Vec<Account>,
    /// Okta Verify cannot load certificates issued so far.
    pub ov_blind: bool,
    /// No sign-in since then attested anything, for a reason outside of the certificates.
    pub silent_since: Option<DateTime<Utc>>,
    pub serial_in_okta: SerialShown,
    /// The same serial is used by another machine's firmware.
    pub placeholder_serial: bool,
    /// Lists show the owner as not managed although the link says managed.
    pub stale_row: bool,
    /// A deleted earlier record of the machine: when it was deleted.
    pub deleted_record: Option<DateTime<Utc>>,
    /// Whether a clean-up job deleted it, and not a person.
    pub deleted_by_job: bool,
    /// Further enrolments of Okta Verify on the same record, by the owner.
    pub enrolments: Vec<DateTime<Utc>>,
    /// A second, older record of the machine that nobody uses.
    pub older_record: Option<DateTime<Utc>>,
    /// A suspension that was lifted.
    pub past_suspension: Option<DateTime<Utc>>,
    /// An earlier failed delivery.
    pub past_failure: Option<DateTime<Utc>>,
}

/// Which attestation profile the machine is meant to have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Placement {
    /// The MDM's main one.
    Standard,
    /// The user-level one (Jamf); on Windows the main one is user-level already.
    UserLevel,
    /// The machine-level one for shared machines.
    Shared,
    /// One that was set up wrongly, or for something else.
    Odd(Oddity),
}

/// What the machine is, and how its browser finds Okta Verify.
#[derive(Clone, Debug)]
pub(super) struct Computer {
    pub platform: Platform,
    /// None: a present one.
    pub os_version: Option<&'static str>,
    pub okta_verify: Installed,
    pub virtual_machine: bool,
    pub wrong_desktop_mode: bool,
    pub browser: Browser,
    pub probe: Probe,
    pub network: Network,
    pub site: Option<Site>,
    pub enrolled_in_other_os_profile: bool,
    pub sso: SsoPlan,
}

impl Computer {
    /// A present machine of the kind that this MDM has, with Chrome unless it is Safari.
    pub(super) fn usual(mdm: Mdm, safari: bool) -> Self {
        Self {
            platform: match mdm {
                Mdm::Jamf => Platform::MacOs,
                Mdm::Intune => Platform::Windows,
            },
            os_version: None,
            okta_verify: Installed::Present,
            virtual_machine: false,
            wrong_desktop_mode: false,
            browser: match (mdm, safari) {
                (Mdm::Jamf, true) => Browser::Safari,
                _ => Browser::USUAL,
            },
            probe: Probe::Works,
            network: Network::default(),
            site: None,
            enrolled_in_other_os_profile: false,
            sso: SsoPlan::Right,
        }
    }
}

/// Which Okta Verify is on a machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Installed {
    Present,
    Version(&'static str),
    Missing,
}

/// Which SSO extension profiles a Mac has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SsoPlan {
    Right,
    None,
    WrongHosts,
    WrongPayload,
    Two,
}

/// How far the attestation profile got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Delivery {
    None,
    Pending(DateTime<Utc>),
    Failed(DateTime<Utc>),
    Installed(DateTime<Utc>),
    /// Intune: another profile sets other values.
    Conflict(DateTime<Utc>),
    /// Intune: the profile does not fit the machine.
    NotApplicable(DateTime<Utc>),
}

impl Delivery {
    pub(super) fn at(self) -> Option<DateTime<Utc>> {
        match self {
            Self::None => None,
            Self::Pending(at)
            | Self::Failed(at)
            | Self::Installed(at)
            | Self::Conflict(at)
            | Self::NotApplicable(at) => Some(at),
        }
    }
}

/// One certificate that came to the machine.
#[derive(Clone, Debug)]
pub(super) struct CertificatePlan {
    pub issued: DateTime<Utc>,
    /// notBefore, where it is not the time of issue.
    pub valid_from: Option<DateTime<Utc>>,
    /// A common name that is not the machine's own.
    pub common_name: Option<&'static str>,
    pub expires: DateTime<Utc>,
    pub revoked: Option<(DateTime<Utc>, &'static str)>,
    /// When it vanished from the machine.
    pub lost: Option<DateTime<Utc>>,
    pub key_usable: bool,
    pub issuer: Issuer,
    pub bound: Option<DateTime<Utc>>,
    /// It is a copy of the certificate of another, healthy machine.
    pub copied: bool,
}

impl CertificatePlan {
    pub(super) fn issued(at: DateTime<Utc>) -> Self {
        Self {
            issued: at,
            valid_from: None,
            common_name: None,
            expires: at + Duration::days(365),
            revoked: None,
            lost: None,
            key_usable: true,
            issuer: Issuer::Org,
            bound: None,
            copied: false,
        }
    }

    fn attests(&self, at: DateTime<Utc>) -> bool {
        self.valid_from.unwrap_or(self.issued) <= at
            && at < self.expires
            && self.revoked.is_none_or(|(revoked, _)| at < revoked)
            && self.lost.is_none_or(|lost| at < lost)
            && !self.copied
    }
}

/// The Okta record of the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RecordPlan {
    pub status: DeviceStatus,
    pub created: DateTime<Utc>,
    /// Brought by an import: nobody registered on it.
    pub imported: bool,
    /// When the status was changed to the present one, if by an admin.
    pub changed: Option<DateTime<Utc>>,
}

/// One person on the machine.
#[derive(Clone, Debug)]
pub(super) struct Account {
    pub person: Id,
    pub cause: &'static str,
    pub linked: DateTime<Utc>,
    pub enrolled: bool,
    pub managed: bool,
    /// FastPass sign-ins on this machine.
    pub fastpass: Vec<DateTime<Utc>>,
    /// Sign-ins on this machine with Okta Verify push.
    pub push: Vec<DateTime<Utc>>,
    /// Failed FastPass attempts.
    pub failed: Vec<DateTime<Utc>>,
    /// Sign-ins for which a session of the machine itself stood.
    pub by_device_session: Vec<DateTime<Utc>>,
    /// The app opened by habit; none: the one for checks.
    pub app: Option<Id>,
    /// Further Okta groups.
    pub groups: Vec<Id>,
    pub in_fastpass_group: bool,
    pub contractor: bool,
    pub status: UserStatus,
}

/// How the serial stands in Okta's record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SerialShown {
    Same,
    /// With other case and spacing.
    Odd,
    /// Neither serial nor udid, or only what another machine's firmware says too.
    Missing,
}

impl Blueprint {
    /// Whether a FastPass sign-in at that time attested the machine for the user at this place in the
    /// list of accounts. Before the first certificate a healthy machine had an earlier one.
    pub(super) fn attested(&self, account: usize, at: DateTime<Utc>) -> bool {
        let person = &self.accounts[account];
        if self.ov_blind
            || self.silent_since.is_some_and(|since| since <= at)
            || !(person.in_fastpass_group || person.contractor)
            || (account > 0 && self.user_store())
        {
            return false;
        }
        let newest = self
            .certificates
            .iter()
            .filter(|plan| plan.issuer.attests() && plan.key_usable)
            .filter(|plan| plan.issued <= at && plan.lost.is_none_or(|lost| at < lost))
            .max_by_key(|plan| plan.issued);
        match newest {
            Some(plan) => plan.attests(at),
            None => person.cause == "healthy" && account == 0,
        }
    }

    /// Whether certificates live in the owner's own store.
    pub(super) fn user_store(&self) -> bool {
        match (self.mdm, self.placement) {
            (_, Placement::UserLevel) => true,
            (_, Placement::Shared) => false,
            (_, Placement::Odd(oddity)) => oddity.is_user_level(self.mdm),
            (Mdm::Intune, Placement::Standard) => true,
            (Mdm::Jamf, Placement::Standard) => false,
        }
    }
}
