//! When a fault began by its own evidence, never when it was first seen. `None`: not known, so that it declares nothing.

use chrono::{DateTime, TimeDelta, Utc};

use super::attribute::Sight;
use crate::{Cause, certificate::UNUSED_DIES_AFTER, findings::Case};

/// A sign-in says when a fault began only if the one before it was good and not longer ago than this.
const GOOD_BEFORE: TimeDelta = TimeDelta::days(14);

/// Onset of the fault of one case: what its diagnosis says, else what was observed.
pub(super) fn onset(case: &Case<'_>) -> Option<DateTime<Utc>> {
    let told = case
        .diagnosis
        .symptom
        .as_ref()
        .and_then(|symptom| symptom.since);
    told.or_else(|| observed(case))
}

fn observed(case: &Case<'_>) -> Option<DateTime<Utc>> {
    use Cause as C;
    let sight = Sight::of_case(case);
    let record = sight.record;
    match case.diagnosis.cause {
        C::ProfileFailed
        | C::ProfilePending
        | C::ProfileInstalledNoCert
        | C::ProfileConflict
        | C::ProfileNotApplicable
        | C::ProfileNotInScope => sight.delivery().and_then(|delivery| delivery.since),
        C::MdmPushChannelDown => record
            .and_then(|record| record.command_pending_since)
            .or_else(|| sight.delivery().and_then(|delivery| delivery.since)),
        C::CaStaticSecretRotated
        | C::CaScepUrlWrong
        | C::CaDynamicChallengeFailing
        | C::CaIntuneCredentialsInvalid
        | C::CaChallengeUnprintable
        | C::CaTrustedCertMismatch
        | C::CaRenewedNotDistributed
        | C::CaScepUnreachable => record
            .and_then(|record| record.issuance.as_ref())
            .and_then(|issuance| issuance.since)
            .or_else(|| sight.delivery().and_then(|delivery| delivery.since)),
        C::MdmNotCheckingIn => record.and_then(|record| record.last_check_in),
        C::CertExpired | C::IntuneMacRenewalMissed | C::ProfileRenewalNotConfigured => {
            sight.expires()
        }
        C::CertRevokedByDeletion | C::OvEnrolmentOrphaned => {
            sight.deletion().map(|deletion| deletion.at)
        }
        C::CertUnusedRevoked => sight.issued().map(|issued| issued + UNUSED_DIES_AFTER),
        C::OktaDeviceSuspended | C::OktaDeviceDeactivated => {
            let device = &sight.device?.id;
            let change = sight.observations.log.lifecycle.get(device);
            change.map(|change| change.at)
        }
        C::CaByoIssuerNotUploaded
        | C::CaByoCrlProblem
        | C::CaWrongScepPurpose
        | C::CertWrongIssuer
        | C::PolicyNoManagedRule
        | C::PolicyRuleShadowed
        | C::PolicyRegisteredNotManagedRule
        | C::PolicyAppNotMapped
        | C::PolicyUserOutOfScope
        | C::Unexplained => first_bad_sign_in(case),
        C::FastpassProbeBlocked => first_bad_sign_in(case).or_else(|| failed_sign_in(case)),
        _ => None,
    }
}

/// The last sign-in that was refused, if one shortly before it was still good.
fn first_bad_sign_in(case: &Case<'_>) -> Option<DateTime<Utc>> {
    let seen = seen(case)?;
    let (good, bad) = (seen.last_managed?, seen.last_unmanaged?);
    (good < bad && bad - good <= GOOD_BEFORE).then_some(bad)
}

fn failed_sign_in(case: &Case<'_>) -> Option<DateTime<Utc>> {
    let seen = seen(case)?;
    let failed = seen.last_failure?;
    let good = seen.success?.last;
    (good < failed && failed - good <= GOOD_BEFORE).then_some(failed)
}

fn seen<'a>(case: &Case<'a>) -> Option<&'a crate::FastPassSeen> {
    let (device, link) = (case.subject.device?, case.subject.link?);
    let key = (device.id.clone(), link.user_id.clone());
    case.subject.observations.log.fastpass.get(&key)
}
