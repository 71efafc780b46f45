//! The re-push ladder (design, section 2.6): the gentlest way to deliver the attestation profile again whose
//! preconditions were read. No rung fits, no plan: the reasons of all rungs are told.
//!
//! "Removed" is proved by the MDM's own record of the removal, never by a row that vanished from a report. A rung that
//! removes is refused where the profile carries more than SCEP and trust payloads or a network profile uses its
//! certificate: the computer might lose the network it needs to get it back.

use std::collections::BTreeMap;

use super::profile::{ChosenProfile, attestation_profile};
use super::{Computer, Expansion, NotPlanned, call, wait};
use crate::certificate::{CertificateState, judge};
use crate::{
    AttestationProfile, Cause, Enrolment, MdmDevice, MdmKind, MdmName, MdmObservation,
    MicroStepKind, OnTimeout, ProfileState, Rung, VendorCall, WaitUntil,
};

mod intune;
mod jamf;

/// A group change reaches Intune after minutes; a sync before that would settle the old state for hours.
const INTUNE_GROUP_PAUSE_SECONDS: u64 = 5 * 60;
/// How long a computer may take to answer.
const CHECK_IN_SECONDS: u64 = 24 * 3600;

type Steps = Vec<(&'static str, MicroStepKind)>;

/// Plans one rung, or says why it does not fit.
type TryRung = fn(&Target<'_>) -> Result<(Rung, Steps), Miss>;

/// What is wrong with the certificate, as far as the choice of a rung depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    /// None is there: a sync may be enough.
    Missing,
    /// One is there that must go first.
    Bad,
    /// A good one, or nothing proves a fault.
    NoneProved,
}

/// Why one rung does not fit.
enum Miss {
    /// A person could prepare what it needs.
    NotConfigured(String),
    /// It cannot be here.
    Impossible(String),
}

pub(super) fn redeliver(
    computer: &Computer<'_, '_>,
    with: &BTreeMap<&'static str, u64>,
) -> Result<Expansion, NotPlanned> {
    let (mdm, record) = computer.managed()?;
    let chosen = attestation_profile(mdm, record).ok_or_else(|| {
        NotPlanned::impossible("no attestation profile for this platform was found in the MDM")
    })?;
    refuse_broken(record)?;
    let target = Target {
        mdm,
        record,
        chosen,
        fault: fault(computer),
        installed_within: with["installed_within"],
        removed_within: with["removed_within"],
    };
    let rungs: &[TryRung] = match mdm.kind {
        MdmKind::Jamf => &[jamf::enable_push, jamf::flush_failed, jamf::hold_group],
        MdmKind::Intune => &[
            intune::sync,
            intune::clean_up_script,
            intune::hold_group,
            intune::hold_category,
        ],
    };
    let mut misses = Vec::new();
    for rung in rungs {
        match rung(&target) {
            Ok((rung, kinds)) => {
                return Ok(Expansion {
                    kinds,
                    affected: computer.affected()?,
                    rung: Some(rung),
                });
            }
            Err(miss) => misses.push(miss),
        }
    }
    Err(no_rung(misses))
}

/// The word is "not configured" as soon as preparing something would open a rung.
fn no_rung(misses: Vec<Miss>) -> NotPlanned {
    let configurable: Vec<&str> = misses
        .iter()
        .filter_map(|miss| match miss {
            Miss::NotConfigured(reason) => Some(reason.as_str()),
            Miss::Impossible(_) => None,
        })
        .collect();
    if !configurable.is_empty() {
        return NotPlanned::not_configured(configurable.join("; "));
    }
    let reasons: Vec<&str> = misses
        .iter()
        .map(|miss| match miss {
            Miss::NotConfigured(reason) | Miss::Impossible(reason) => reason.as_str(),
        })
        .collect();
    NotPlanned::impossible(reasons.join("; "))
}

struct Target<'a> {
    mdm: &'a MdmObservation,
    record: &'a MdmDevice,
    chosen: ChosenProfile<'a>,
    fault: Fault,
    installed_within: u64,
    removed_within: u64,
}

impl Target<'_> {
    fn sync(&self) -> (&'static str, MicroStepKind) {
        call(VendorCall::Sync {
            mdm: self.mdm.name.clone(),
            device: self.record.id.clone(),
            management_id: self.record.management_id.clone(),
        })
    }

    fn resend(&self) -> Steps {
        resend_steps(
            self.mdm,
            self.record,
            self.chosen.profile,
            self.installed_within,
        )
    }

    fn wait_removed(&self, at_most: u64) -> (&'static str, MicroStepKind) {
        let within = self.removed_within.min(at_most);
        wait(
            removed(&self.mdm.name, self.record, self.chosen.profile),
            within,
            OnTimeout::Restore,
        )
    }

    fn wait_installed(&self) -> (&'static str, MicroStepKind) {
        wait(
            installed(&self.mdm.name, self.record, self.chosen.profile),
            self.installed_within,
            OnTimeout::Fail,
        )
    }

    fn wait_checked_in(&self) -> (&'static str, MicroStepKind) {
        let until = WaitUntil::CheckedIn {
            mdm: self.mdm.name.clone(),
            device: self.record.id.clone(),
        };
        wait(until, CHECK_IN_SECONDS, OnTimeout::Fail)
    }

    fn needs_management_id(&self) -> Result<(), Miss> {
        match self.record.management_id {
            Some(_) => Ok(()),
            None => Err(Miss::Impossible(
                "the record has no management id, which commands need".to_owned(),
            )),
        }
    }

    fn needs_bad_certificate(&self) -> Result<(), Miss> {
        match self.fault {
            Fault::Bad => Ok(()),
            Fault::Missing => Err(Miss::Impossible(
                "the certificate is missing, so there is none to remove".to_owned(),
            )),
            Fault::NoneProved => Err(Miss::Impossible(
                "nothing proves that the certificate is bad".to_owned(),
            )),
        }
    }

    /// The hold group, if holding the computer out would remove the profile and nothing else.
    fn hold_group(&self) -> Result<crate::GroupId, Miss> {
        let profile = self.chosen.profile;
        if *self.chosen.state() != ProfileState::Installed {
            return Err(Miss::Impossible(
                "the profile is not shown as installed, so there is nothing to remove".to_owned(),
            ));
        }
        match (self.fault, self.mdm.kind) {
            // On Jamf Pro nothing gentler brings a missing certificate back under an installed profile.
            (Fault::Missing, MdmKind::Jamf) => {}
            _ => self.needs_bad_certificate()?,
        }
        let Some(group) = self.mdm.targets.hold_group.clone() else {
            return Err(Miss::NotConfigured(format!(
                "no hold_group is set for {}",
                self.mdm.name
            )));
        };
        if !profile.scope.excluded_groups.contains(&group) {
            return Err(Miss::NotConfigured(format!(
                "the hold group {group} is not among the exclusions of profile {}",
                profile.name
            )));
        }
        if self
            .record
            .groups
            .as_ref()
            .is_some_and(|groups| groups.contains(&group))
        {
            return Err(Miss::Impossible(
                "the computer is in the hold group already".to_owned(),
            ));
        }
        refuse_wider_profile(profile).map_err(Miss::Impossible)?;
        Ok(group)
    }
}

/// The steps that send a failed profile once more.
pub(super) fn resend_steps(
    mdm: &MdmObservation,
    record: &MdmDevice,
    profile: &AttestationProfile,
    installed_within: u64,
) -> Steps {
    let sync = call(VendorCall::Sync {
        mdm: mdm.name.clone(),
        device: record.id.clone(),
        management_id: record.management_id.clone(),
    });
    let wait = wait(
        installed(&mdm.name, record, profile),
        installed_within,
        OnTimeout::Fail,
    );
    let flush = call(VendorCall::FlushFailedCommands {
        mdm: mdm.name.clone(),
        device: record.id.clone(),
    });
    match mdm.kind {
        MdmKind::Jamf => vec![flush, sync, wait],
        MdmKind::Intune => vec![sync, wait],
    }
}

pub(super) fn removed(
    mdm: &MdmName,
    record: &MdmDevice,
    profile: &AttestationProfile,
) -> WaitUntil {
    WaitUntil::ProfileRemoved {
        mdm: mdm.clone(),
        device: record.id.clone(),
        profile: profile.id.clone(),
    }
}

pub(super) fn installed(
    mdm: &MdmName,
    record: &MdmDevice,
    profile: &AttestationProfile,
) -> WaitUntil {
    WaitUntil::ProfileInstalled {
        mdm: mdm.clone(),
        device: record.id.clone(),
        profile: profile.id.clone(),
    }
}

/// The pause after a group change of Entra's.
pub(super) fn pause() -> (&'static str, MicroStepKind) {
    wait(
        WaitUntil::Elapsed,
        INTUNE_GROUP_PAUSE_SECONDS,
        OnTimeout::Continue,
    )
}

/// Refuses to remove a profile that carries or supports more than the attestation certificate, or that cannot be read.
pub(super) fn refuse_wider_profile(profile: &AttestationProfile) -> Result<(), String> {
    let name = &profile.name;
    match profile.other_payloads.as_deref() {
        None => {
            return Err(format!(
                "the payloads of profile {name} cannot be read, so it is not removed"
            ));
        }
        Some([]) => {}
        Some(other) => {
            return Err(format!(
                "profile {name} also carries {}, so it is not removed",
                other.join(", ")
            ));
        }
    }
    match profile.network_uses.as_deref() {
        None => Err(format!(
            "whether a network profile uses the certificate of {name} cannot be read, so it is not removed"
        )),
        Some([]) => Ok(()),
        Some(uses) => Err(format!(
            "{} use the certificate of profile {name}, so it is not removed",
            uses.join(", ")
        )),
    }
}

/// A computer whose management is lost answers no command.
pub(super) fn refuse_broken(record: &MdmDevice) -> Result<(), NotPlanned> {
    match &record.enrolment {
        Enrolment::Broken { fact, value } => Err(NotPlanned::impossible(format!(
            "MDM management of the computer is lost ({fact} is {value})"
        ))),
        Enrolment::Works | Enrolment::Unknown => Ok(()),
    }
}

fn rung(name: &str, because: &str, removes: bool) -> Rung {
    Rung {
        name: name.to_owned(),
        because: because.to_owned(),
        removes,
    }
}

/// The certificate's own state speaks first; where it is not provable, the diagnosed cause does.
fn fault(computer: &Computer<'_, '_>) -> Fault {
    match (judge(computer.first()).state, computer.context.cause) {
        (CertificateState::Missing, _) => Fault::Missing,
        (CertificateState::Expired | CertificateState::Revoked(_), _) => Fault::Bad,
        // Listed as valid and still not accepted: the diagnosis says so, the certificate does not.
        (CertificateState::Valid, Cause::Unexplained | Cause::CertRevokedByDeletion) => Fault::Bad,
        (CertificateState::Valid, _) => Fault::NoneProved,
        (CertificateState::Unknown(_), Cause::CertMissing | Cause::ProfileInstalledNoCert) => {
            Fault::Missing
        }
        (
            CertificateState::Unknown(_),
            Cause::CertExpired | Cause::CertRevokedByDeletion | Cause::Unexplained,
        ) => Fault::Bad,
        (CertificateState::Unknown(_), _) => Fault::NoneProved,
    }
}
