//! The way to "managed": which stage is the first that is not proved.

use chrono::{DateTime, Utc};

use crate::{Enrolment, OktaDeviceStatus, ProfileState, Stage, certificate::CertificateState};

use super::{
    facts::{CERTIFICATE_SETTLES, Facts},
    fastpass::is_enrolled,
    policy::Asked,
};

/// The four clocks of a device-user. A certificate is judged only by an inventory that is newer than the last change.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Clocks {
    /// The certificate's issue.
    pub issued: Option<DateTime<Utc>>,
    /// The last bind of a certificate to the device.
    pub bound: Option<DateTime<Utc>>,
    /// The last successful FastPass sign-in of the user on the device.
    pub fastpass: Option<DateTime<Utc>>,
    /// What time the MDM's inventory speaks of.
    pub inventory: Option<DateTime<Utc>>,
}

pub(super) fn clocks(facts: &Facts<'_, '_>) -> Clocks {
    let log = &facts.observations().log;
    Clocks {
        issued: facts.certificate.issued_at,
        bound: log.binds.get(&facts.device.id).map(|seen| seen.last),
        fastpass: facts.last_fastpass(),
        inventory: facts.subject.record.and_then(|record| record.inventory_at),
    }
}

/// The first stage that is not proved. A listed, valid certificate proves all stages before it.
pub(super) fn first_unproved(facts: &Facts<'_, '_>) -> Stage {
    let clocks = clocks(facts);
    if !certificate_proves(facts)
        && let Some(stage) = before_certificate(facts)
    {
        return stage;
    }
    let active = facts.device.status == OktaDeviceStatus::Active && facts.device.registered;
    if !active || is_enrolled(facts) != Some(true) {
        return Stage::OvRegistered;
    }
    let ready = clocks.issued.map(|at| at + CERTIFICATE_SETTLES);
    if ready.is_none_or(|ready| clocks.fastpass.is_none_or(|at| at <= ready)) {
        return Stage::FastpassAfterCert;
    }
    match facts.asked() {
        Asked::ByRule(_) => Stage::Managed,
        _ => Stage::PolicyAsks,
    }
}

fn certificate_proves(facts: &Facts<'_, '_>) -> bool {
    let bound = clocks(facts).bound;
    let bound_since = facts
        .certificate
        .issued_at
        .is_some_and(|at| bound >= Some(at));
    facts.certificate_is_listed_valid()
        || (facts.certificate.state == CertificateState::Valid && bound_since)
}

fn before_certificate(facts: &Facts<'_, '_>) -> Option<Stage> {
    let Some((mdm, record)) = facts.mdm() else {
        return Some(Stage::MdmEnrolled);
    };
    let heard = record
        .last_check_in
        .is_some_and(|at| at + facts.settings.check_in_stale_after >= mdm.now);
    if matches!(record.enrolment, Enrolment::Broken { .. }) || !heard {
        return Some(Stage::MdmEnrolled);
    }
    match facts.profile.map(|delivery| &delivery.state) {
        None
        | Some(ProfileState::NotAssigned | ProfileState::NotApplicable | ProfileState::Unknown) => {
            return Some(Stage::ProfileAssigned);
        }
        Some(ProfileState::Pending | ProfileState::Failed { .. } | ProfileState::Conflict) => {
            return Some(Stage::ProfileDelivered);
        }
        Some(ProfileState::Installed) => {}
    }
    let listed = record
        .certificates
        .as_deref()
        .is_some_and(|rows| !rows.is_empty());
    let issued = facts.subject.issued.is_some() || listed;
    match issued {
        true => Some(Stage::CertPresent),
        false => Some(Stage::CertIssued),
    }
}
