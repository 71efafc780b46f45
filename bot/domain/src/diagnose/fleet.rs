//! What an entry asks of the whole fleet: indexed once per sweep, and only if somebody asks.

use std::{collections::HashMap, sync::OnceLock};

use chrono::{DateTime, Utc};

use crate::{
    MdmCertificate, MdmDevice, Observations, OrgChangeSeen, Platform, UserId,
    correlate::effective_links,
};

/// Org-wide changes that explain a fault which began after them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OrgChange {
    /// The SCEP secret or the password for challenges was reset.
    SecretReset,
    /// Endpoint management of a platform was changed.
    PlatformUpdated,
    /// Endpoint management of a platform was deleted.
    PlatformDeleted,
    /// A CA of Okta's was renewed.
    CaRenewed,
    /// A trusted CA was deleted, taken out of management attestation, or is about to expire.
    IssuerWithdrawn,
    /// The own CA's list of revoked certificates was unreadable.
    CrlFailure,
    /// A sign-in policy was changed.
    PolicyChanged,
    /// An authenticator was switched off.
    AuthenticatorOff,
}

impl OrgChange {
    const COUNT: usize = 8;

    fn of(event_type: &str) -> Option<Self> {
        Some(match event_type {
            "device.platform.secret_key.reset" => Self::SecretReset,
            "device.platform.update" => Self::PlatformUpdated,
            "device.platform.delete" => Self::PlatformDeleted,
            "pki.ca.renew" | "device.platform.renew" => Self::CaRenewed,
            "pki.ca.delete" | "pki.ca.scope.mapping.update" | "pki.ca.expiration.warn" => {
                Self::IssuerWithdrawn
            }
            "pki.cert.crl_download_failure" => Self::CrlFailure,
            "security.authenticator.lifecycle.deactivate" => Self::AuthenticatorOff,
            other
                if other.starts_with("application.policy.sign_on.")
                    || other.starts_with("policy.rule.")
                    || other.starts_with("policy.lifecycle.") =>
            {
                Self::PolicyChanged
            }
            _ => return None,
        })
    }
}

/// The fleet, as far as a single diagnosis looks beyond its own subject.
#[derive(Debug)]
pub struct Fleet<'a> {
    observations: &'a Observations,
    /// Per kind of change, oldest first.
    changes: [Vec<&'a OrgChangeSeen>; OrgChange::COUNT],
    holders: OnceLock<HashMap<&'a str, Holders<'a>>>,
    desktops: OnceLock<HashMap<&'a UserId, Desktops>>,
}

/// Computers that list one certificate: the first, and one that is surely another.
#[derive(Debug, Clone, Copy)]
struct Holders<'a> {
    first: &'a MdmDevice,
    another: Option<&'a MdmDevice>,
}

/// How many desktop records a user has.
#[derive(Debug, Clone, Copy, Default)]
struct Desktops {
    windows: u32,
    macs: u32,
}

impl<'a> Fleet<'a> {
    /// Reads the org-wide changes; all else waits until it is asked for.
    pub fn new(observations: &'a Observations) -> Self {
        let mut changes: [Vec<&'a OrgChangeSeen>; OrgChange::COUNT] = Default::default();
        for change in &observations.log.org_changes {
            if let Some(kind) = OrgChange::of(&change.event_type) {
                changes[kind as usize].push(change);
            }
        }
        Self {
            observations,
            changes,
            holders: OnceLock::new(),
            desktops: OnceLock::new(),
        }
    }

    /// The last change of a kind up to a time.
    pub(super) fn last_change(
        &self,
        kind: OrgChange,
        until: DateTime<Utc>,
    ) -> Option<&'a OrgChangeSeen> {
        let changes = &self.changes[kind as usize];
        let after = changes.partition_point(|change| change.at <= until);
        changes[..after].last().copied()
    }

    /// Another computer that lists the same certificate: one with another serial number.
    pub(super) fn other_holder(
        &self,
        certificate: &MdmCertificate,
        record: &MdmDevice,
    ) -> Option<&'a MdmDevice> {
        let holders = self.holders.get_or_init(|| self.index_holders());
        let held = holders.get(identity(certificate)?)?;
        [Some(held.first), held.another]
            .into_iter()
            .flatten()
            .find(|other| differ(other, record))
    }

    /// How many desktop records of a platform a user has, this one included.
    pub(super) fn desktops_of(&self, user: &UserId, platform: Platform) -> u32 {
        let desktops = self.desktops.get_or_init(|| {
            let mut desktops: HashMap<&'a UserId, Desktops> = HashMap::new();
            let observations = self.observations;
            for device in &observations.okta.devices {
                for link in effective_links(observations, device) {
                    let counted = desktops.entry(&link.user_id).or_default();
                    match device.platform {
                        Platform::Windows => counted.windows += 1,
                        Platform::Macos => counted.macs += 1,
                        Platform::Other => {}
                    }
                }
            }
            desktops
        });
        let counted = desktops.get(user).copied().unwrap_or_default();
        match platform {
            Platform::Windows => counted.windows,
            Platform::Macos => counted.macs,
            Platform::Other => 0,
        }
    }

    fn index_holders(&self) -> HashMap<&'a str, Holders<'a>> {
        let records = self.observations.mdms.iter().flat_map(|mdm| &mdm.devices);
        let mut holders: HashMap<&'a str, Holders<'a>> = HashMap::new();
        for record in records {
            for row in record.certificates.iter().flatten() {
                let Some(identity) = identity(row) else {
                    continue;
                };
                let held = holders.entry(identity).or_insert(Holders {
                    first: record,
                    another: None,
                });
                if held.another.is_none() && differ(held.first, record) {
                    held.another = Some(record);
                }
            }
        }
        holders
    }
}

/// What one certificate is known by. Serial numbers are unique per issuer only; the thumbprint is preferred.
fn identity(certificate: &MdmCertificate) -> Option<&str> {
    certificate
        .thumbprint
        .as_deref()
        .or(certificate.serial_number.as_deref())
        .filter(|text| text.len() >= 6)
}

/// Two records of one computer carry the same serial number; without one on both sides nothing is said.
fn differ(a: &MdmDevice, b: &MdmDevice) -> bool {
    match (a.serial_number.as_deref(), b.serial_number.as_deref()) {
        (Some(a), Some(b)) => !a.trim().eq_ignore_ascii_case(b.trim()),
        _ => false,
    }
}
