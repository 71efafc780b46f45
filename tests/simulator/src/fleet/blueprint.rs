//! The life of one machine as a handful of times and choices. A healthy one is drawn first; a fault
//! changes what it must, and the assembler makes records, stores and events that follow from it.

use chrono::{DateTime, Duration, Utc};

use crate::world::{DeviceStatus, Id, Issuer, Mdm, UserStatus};

/// What happens to one machine.
#[derive(Clone, Debug)]
pub(super) struct Blueprint {
    pub cause: &'static str,
    /// A note for the truth where the rules of the entry do not see the reason.
    pub undecidable: Option<&'static str>,
    pub mdm: Mdm,
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
    pub certificates: Vec<CertificatePlan>,
    /// The Okta record; none when only the MDM knows the machine.
    pub record: Option<RecordPlan>,
    /// Who uses it; the first is the owner.
    pub accounts: Vec<Account>,
    /// Okta Verify cannot load certificates issued so far.
    pub ov_blind: bool,
    pub probe_blocked: bool,
    pub serial_in_okta: SerialShown,
    /// The same serial is used by another machine's firmware.
    pub placeholder_serial: bool,
    /// Lists show the owner as not managed although the link says managed.
    pub stale_row: bool,
    /// A deleted earlier record of the machine: when it was deleted.
    pub deleted_record: Option<DateTime<Utc>>,
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
}

/// How far the attestation profile got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Delivery {
    None,
    Pending(DateTime<Utc>),
    Failed(DateTime<Utc>),
    Installed(DateTime<Utc>),
}

impl Delivery {
    pub(super) fn at(self) -> Option<DateTime<Utc>> {
        match self {
            Self::None => None,
            Self::Pending(at) | Self::Failed(at) | Self::Installed(at) => Some(at),
        }
    }
}

/// One certificate that came to the machine.
#[derive(Clone, Debug)]
pub(super) struct CertificatePlan {
    pub issued: DateTime<Utc>,
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
        self.issued <= at
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
    Missing,
}

impl Blueprint {
    /// Whether a FastPass sign-in at that time attested the machine for the user at this place in the
    /// list of accounts. Before the first certificate a healthy machine had an earlier one.
    pub(super) fn attested(&self, account: usize, at: DateTime<Utc>) -> bool {
        let person = &self.accounts[account];
        if self.ov_blind
            || !(person.in_fastpass_group || person.contractor)
            || (account > 0 && self.user_store())
        {
            return false;
        }
        let newest = self
            .certificates
            .iter()
            .filter(|plan| plan.issuer == Issuer::Org && plan.key_usable)
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
            (Mdm::Intune, Placement::Standard) | (_, Placement::UserLevel) => true,
            (Mdm::Jamf, Placement::Standard) | (_, Placement::Shared) => false,
        }
    }
}
