//! The signatures, as data. The order is the order of asking: what one API value proves, then what a change in the org
//! explains, then patterns, then plain statistics.
//!
//! The numbers are proposals of the catalogue (D2, UNVERIFIED); so are the three computers after a change.

use chrono::{DateTime, TimeDelta, Utc};

use super::{
    attribute::{Attribute, Value},
    signature::{Begins, Only, Others, Signature, SinceThen},
};
use crate::{Cause, ChallengeKind, EventClass, MdmKind, MdmObservation, Observations, Platform};

const CLEAN: Signature = Signature {
    cause: None,
    begins: Begins::Lately,
    explains: &[],
    shared: Attribute::Org,
    only: Only::NOTHING,
    least: 3,
    since_then: SinceThen::Whatever,
    others: Others::Better,
};

/// A new request for a certificate that came to nothing.
const NO_ISSUE: [Cause; 2] = [Cause::ProfileFailed, Cause::ProfileInstalledNoCert];

const POLICY_EVENTS: &[&str] = &[
    "policy.rule.update",
    "policy.rule.add",
    "policy.rule.delete",
    "policy.rule.deactivate",
    "policy.lifecycle.update",
    "policy.lifecycle.deactivate",
    "application.policy.sign_on.update",
    "application.policy.sign_on.rule.create",
    "application.policy.sign_on.rule.delete",
];

const FASTPASS_EVENTS: &[&str] = &[
    "security.authenticator.lifecycle.deactivate",
    "security.authenticator.lifecycle.update",
];

/// A change of the access policies that leaves users out.
const fn policy(cause: Cause, explains: &'static [Cause]) -> Signature {
    Signature {
        cause: Some(cause),
        begins: Begins::WithEvent(POLICY_EVENTS),
        explains,
        shared: Attribute::Policy,
        others: Others::Whatever,
        ..CLEAN
    }
}

/// Faults that no change explains: the members' own cause, told by what they share.
const fn unusual(shared: Attribute) -> Signature {
    Signature {
        cause: None,
        begins: Begins::Lately,
        explains: TECHNICAL,
        shared,
        least: 10,
        others: Others::Usual,
        ..CLEAN
    }
}

/// Causes whose faults come together only if something behind the computers is broken. Expired and unused certificates
/// are no such thing: they follow the calendar.
const TECHNICAL: &[Cause] = &[
    Cause::MdmNotCheckingIn,
    Cause::MdmEnrolmentBroken,
    Cause::ProfileNotInScope,
    Cause::ProfileNotApplicable,
    Cause::ProfileConflict,
    Cause::ProfilePending,
    Cause::ProfileFailed,
    Cause::ProfileInstalledNoCert,
    Cause::CertMissing,
    Cause::CertWrongIssuer,
    Cause::OktaDeviceSuspended,
    Cause::OktaDeviceDeactivated,
    Cause::FastpassProbeBlocked,
    Cause::Unexplained,
];

/// All signatures.
pub(super) static SIGNATURES: &[Signature] = &[
    // One value of the org proves these; there a sign-in cannot succeed, so that proof pending belongs to them.
    Signature {
        cause: Some(Cause::FastpassDisabled),
        begins: Begins::WithFact(fastpass_is_off, FASTPASS_EVENTS),
        explains: &[
            Cause::FastpassDisabled,
            Cause::FastpassNoSigninSinceCert,
            Cause::FastpassOtherFactorUsed,
        ],
        least: 1,
        others: Others::Whatever,
        ..CLEAN
    },
    Signature {
        cause: Some(Cause::PolicyNoManagedRule),
        begins: Begins::WithFact(no_rule_asks, POLICY_EVENTS),
        explains: &[
            Cause::PolicyNoManagedRule,
            Cause::FastpassNoSigninSinceCert,
            Cause::PolicyUserOutOfScope,
            Cause::Unexplained,
        ],
        least: 1,
        others: Others::Whatever,
        ..CLEAN
    },
    // The certificate authority.
    Signature {
        cause: Some(Cause::CaStaticSecretRotated),
        begins: Begins::WithEvent(&["device.platform.secret_key.reset"]),
        explains: &[Cause::CaStaticSecretRotated, NO_ISSUE[0], NO_ISSUE[1]],
        shared: Attribute::Profile,
        only: Only::challenge(&[ChallengeKind::Static]),
        since_then: SinceThen::NothingIssued,
        ..CLEAN
    },
    Signature {
        cause: Some(Cause::CaScepUrlWrong),
        begins: Begins::WithEvent(&["device.platform.delete"]),
        explains: &[Cause::CaScepUrlWrong, NO_ISSUE[0], NO_ISSUE[1]],
        shared: Attribute::Profile,
        since_then: SinceThen::NothingIssued,
        ..CLEAN
    },
    Signature {
        cause: Some(Cause::CaDynamicChallengeFailing),
        begins: Begins::WithEvent(&["device.platform.update", "device.platform.secret_key.reset"]),
        explains: &[Cause::CaDynamicChallengeFailing, NO_ISSUE[0], NO_ISSUE[1]],
        shared: Attribute::Profile,
        only: Only::challenge(&[ChallengeKind::Dynamic]),
        since_then: SinceThen::NothingIssued,
        ..CLEAN
    },
    Signature {
        cause: Some(Cause::CaScepUrlWrong),
        begins: Begins::WithEvent(&["device.platform.update"]),
        explains: &[Cause::CaScepUrlWrong, NO_ISSUE[0], NO_ISSUE[1]],
        shared: Attribute::Profile,
        only: Only::challenge(&[ChallengeKind::Static]),
        since_then: SinceThen::NothingIssued,
        ..CLEAN
    },
    Signature {
        cause: Some(Cause::CaRenewedNotDistributed),
        begins: Begins::WithEvent(&["pki.ca.renew", "device.platform.renew"]),
        explains: &[
            Cause::CaRenewedNotDistributed,
            Cause::CaTrustedCertMismatch,
            NO_ISSUE[0],
            NO_ISSUE[1],
        ],
        shared: Attribute::Profile,
        since_then: SinceThen::NothingIssued,
        ..CLEAN
    },
    Signature {
        cause: Some(Cause::CaRenewedNotDistributed),
        begins: Begins::AfterLastSuccess,
        explains: &[Cause::CaRenewedNotDistributed],
        shared: Attribute::Profile,
        since_then: SinceThen::NothingIssued,
        ..CLEAN
    },
    Signature {
        cause: Some(Cause::CaTrustedCertMismatch),
        begins: Begins::AfterLastSuccess,
        explains: &[Cause::CaTrustedCertMismatch, Cause::ProfileFailed],
        shared: Attribute::Profile,
        only: Only {
            error: &["hash value is not correct", "thumbprint"],
            ..Only::NOTHING
        },
        since_then: SinceThen::NothingIssued,
        ..CLEAN
    },
    Signature {
        cause: Some(Cause::CaByoIssuerNotUploaded),
        begins: Begins::WithEvent(&["pki.ca.delete", "pki.ca.expiration.warn"]),
        explains: &[
            Cause::CaByoIssuerNotUploaded,
            Cause::CertWrongIssuer,
            Cause::Unexplained,
        ],
        shared: Attribute::Issuer,
        ..CLEAN
    },
    Signature {
        cause: Some(Cause::CaWrongScepPurpose),
        begins: Begins::WithEvent(&["pki.ca.scope.mapping.update"]),
        explains: &[
            Cause::CaWrongScepPurpose,
            Cause::CertWrongIssuer,
            Cause::Unexplained,
        ],
        shared: Attribute::Issuer,
        ..CLEAN
    },
    Signature {
        cause: Some(Cause::CaByoCrlProblem),
        begins: Begins::WithEvent(&["pki.cert.crl_download_failure"]),
        explains: &[Cause::CaByoCrlProblem, Cause::Unexplained],
        shared: Attribute::Issuer,
        ..CLEAN
    },
    Signature {
        cause: Some(Cause::CaChallengeUnprintable),
        begins: Begins::AfterLastSuccess,
        explains: &[Cause::CaChallengeUnprintable, NO_ISSUE[0], NO_ISSUE[1]],
        shared: Attribute::Profile,
        only: Only {
            platform: Some(Platform::Windows),
            error: &["non-printable", "0x80092021", "0x2ab0003"],
            ..Only::NOTHING
        },
        ..CLEAN
    },
    // Policies: the users whom a change leaves out.
    policy(Cause::PolicyNoManagedRule, &[Cause::PolicyNoManagedRule]),
    policy(Cause::PolicyRuleShadowed, &[Cause::PolicyRuleShadowed]),
    policy(
        Cause::PolicyRegisteredNotManagedRule,
        &[Cause::PolicyRegisteredNotManagedRule],
    ),
    policy(Cause::PolicyAppNotMapped, &[Cause::PolicyAppNotMapped]),
    policy(Cause::PolicyUserOutOfScope, &[Cause::PolicyUserOutOfScope]),
    // A clean-up job.
    Signature {
        cause: Some(Cause::CertRevokedByDeletion),
        begins: Begins::Within(TimeDelta::hours(24)),
        explains: &[Cause::CertRevokedByDeletion, Cause::OvEnrolmentOrphaned],
        shared: Attribute::Actor,
        least: 5,
        others: Others::Whatever,
        ..CLEAN
    },
    // The MDM.
    Signature {
        cause: Some(Cause::MdmPushChannelDown),
        begins: Begins::WithMoment(push_certificate_ended, "the push certificate ended"),
        explains: &[Cause::MdmPushChannelDown, Cause::ProfilePending],
        shared: Attribute::Mdm,
        since_then: SinceThen::NothingDelivered,
        ..CLEAN
    },
    Signature {
        cause: Some(Cause::ProfilePending),
        begins: Begins::WithMoment(profile_edited, "the profile was edited"),
        explains: &[Cause::ProfilePending],
        shared: Attribute::Profile,
        least: 10,
        ..CLEAN
    },
    Signature {
        cause: Some(Cause::MdmPushChannelDown),
        begins: Begins::AfterLastSuccess,
        explains: &[Cause::MdmPushChannelDown, Cause::ProfilePending],
        shared: Attribute::Mdm,
        least: 10,
        since_then: SinceThen::NothingDelivered,
        ..CLEAN
    },
    Signature {
        cause: Some(Cause::CaIntuneCredentialsInvalid),
        begins: Begins::AfterLastSuccess,
        explains: &[Cause::CaIntuneCredentialsInvalid, Cause::ProfileFailed],
        shared: Attribute::Mdm,
        only: Only {
            kind: Some(MdmKind::Intune),
            challenge: &[ChallengeKind::Delegated],
            ..Only::NOTHING
        },
        least: 10,
        since_then: SinceThen::NothingIssued,
        ..CLEAN
    },
    Signature {
        cause: Some(Cause::ProfileInstalledNoCert),
        begins: Begins::AfterLastSuccess,
        explains: &[Cause::ProfileInstalledNoCert],
        shared: Attribute::Profile,
        only: Only {
            platform: Some(Platform::Windows),
            ..Only::NOTHING
        },
        least: 10,
        since_then: SinceThen::NothingIssued,
        ..CLEAN
    },
    // An expiry cohort: enrolled together a year ago, and nothing renews.
    Signature {
        cause: Some(Cause::ProfileRenewalNotConfigured),
        begins: Begins::Within(TimeDelta::days(14)),
        explains: &[
            Cause::ProfileRenewalNotConfigured,
            Cause::CertExpired,
            Cause::IntuneMacRenewalMissed,
        ],
        shared: Attribute::Profile,
        least: 10,
        since_then: SinceThen::Share(20),
        others: Others::Whatever,
        ..CLEAN
    },
    // Networks, browsers, versions, groups.
    Signature {
        cause: Some(Cause::CaScepUnreachable),
        begins: Begins::Lately,
        explains: &[Cause::CaScepUnreachable, NO_ISSUE[0], NO_ISSUE[1]],
        shared: Attribute::Site,
        least: 10,
        since_then: SinceThen::NothingIssued,
        others: Others::ThereAndBetter,
        ..CLEAN
    },
    blocked(Attribute::Site),
    blocked(Attribute::Browser),
    blocked(Attribute::OsVersion),
    Signature {
        cause: Some(Cause::OsUnsupported),
        explains: &[Cause::OsUnsupported],
        shared: Attribute::OsVersion,
        least: 10,
        others: Others::ThereAndBetter,
        begins: Begins::Within(TimeDelta::days(7)),
        ..CLEAN
    },
    Signature {
        cause: Some(Cause::OvOutdated),
        begins: Begins::Lately,
        explains: &[
            Cause::OvOutdated,
            Cause::FastpassProbeBlocked,
            Cause::Unexplained,
        ],
        shared: Attribute::OktaVerifyVersion,
        least: 10,
        others: Others::ThereAndBetter,
        ..CLEAN
    },
    whole_group(Cause::ProfileNotInScope, &[Cause::ProfileNotInScope]),
    whole_group(Cause::PolicyUserOutOfScope, &[Cause::PolicyUserOutOfScope]),
    // Plain statistics.
    Signature {
        cause: None,
        begins: Begins::Within(TimeDelta::hours(2)),
        explains: TECHNICAL,
        shared: Attribute::ErrorText,
        least: 5,
        others: Others::WithHistory,
        ..CLEAN
    },
    Signature {
        cause: None,
        begins: Begins::WithMoment(issuing_stopped, "the last certificate was issued"),
        explains: &NO_ISSUE,
        shared: Attribute::Org,
        others: Others::WithHistory,
        ..CLEAN
    },
    unusual(Attribute::Profile),
    unusual(Attribute::ErrorText),
    unusual(Attribute::ChallengeType),
    unusual(Attribute::Site),
    unusual(Attribute::OsVersion),
    unusual(Attribute::OktaVerifyVersion),
    unusual(Attribute::Browser),
    unusual(Attribute::Issuer),
    unusual(Attribute::Model),
    unusual(Attribute::EnrolmentWeek),
    unusual(Attribute::Mdm),
];

/// The probe of Okta Verify is blocked for everybody with the value.
const fn blocked(shared: Attribute) -> Signature {
    Signature {
        cause: Some(Cause::FastpassProbeBlocked),
        begins: Begins::Lately,
        explains: &[Cause::FastpassProbeBlocked],
        shared,
        least: 10,
        others: Others::ThereAndBetter,
        ..CLEAN
    }
}

/// All of one user group.
const fn whole_group(cause: Cause, explains: &'static [Cause]) -> Signature {
    Signature {
        cause: Some(cause),
        begins: Begins::Lately,
        explains,
        shared: Attribute::Group,
        least: 10,
        others: Others::ThereAndBetter,
        ..CLEAN
    }
}

fn fastpass_is_off(observations: &Observations) -> bool {
    observations.okta.policies.fastpass_active == Some(false)
}

/// No rule of a policy in use asks anybody for a managed or registered device.
fn no_rule_asks(observations: &Observations) -> bool {
    let policies = &observations.okta.policies;
    let mut rules = policies
        .access_policies
        .iter()
        .filter(|policy| !policy.app_ids.is_empty())
        .flat_map(|policy| &policy.rules);
    policies.complete
        && !policies.access_policies.is_empty()
        && !rules.any(|rule| rule.managed == Some(true) || rule.registered == Some(true))
}

fn named<'a>(observations: &'a Observations, mdm: &str) -> Option<&'a MdmObservation> {
    observations
        .mdms
        .iter()
        .find(|observed| observed.name.as_str() == mdm)
}

fn push_certificate_ended(observations: &Observations, mdm: &str) -> Option<DateTime<Utc>> {
    let mdm = named(observations, mdm)?;
    mdm.push_certificate_expires_at
        .filter(|end| *end <= mdm.now)
}

/// The value of [`Attribute::Profile`] as it is shown.
fn profile_edited(observations: &Observations, shown: &str) -> Option<DateTime<Utc>> {
    observations.mdms.iter().find_map(|mdm| {
        let profile = mdm
            .profiles
            .iter()
            .find(|profile| Value::Profile(&mdm.name, &profile.id).shown(observations) == *shown)?;
        let edited = profile.modified_at?;
        (mdm.now - edited <= TimeDelta::days(7)).then_some(edited)
    })
}

/// The last issue, if there was none for a day where the log is whole and this org is known to issue.
fn issuing_stopped(observations: &Observations, _org: &str) -> Option<DateTime<Utc>> {
    let coverage = observations.log.coverage(EventClass::CertificateIssued);
    let now = observations.okta.now;
    let last = coverage.last_seen?;
    let silent = now - last;
    (coverage.proves_absence_since(last)
        && silent >= TimeDelta::hours(24)
        && silent <= TimeDelta::days(30))
    .then_some(last)
}
