//! Something that befalls many at once: an admin's change, a clean-up job, a browser's release. Each has
//! its trace in the System Log where there is one, changes the org, and strikes some of the machines that
//! would have been healthy. Machines with a fault of their own keep it.

use chrono::Duration;

use crate::world::{Mdm, REFUSED, ScepError, WRONG_HASH};

/// What happened. The MDM is the one whose profiles or machines are struck.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IncidentKind {
    /// The static secret of a SCEP configuration is reset.
    SecretReset(Mdm),
    /// A SCEP configuration is deleted.
    ConfigurationDeleted(Mdm),
    /// Jamf can fetch no challenges any more.
    ChallengeFails,
    /// The secret of the Entra app by which Okta asks Intune has ended.
    DelegatedCredentialEnds,
    /// Okta's authority is renewed and PCs still get its old certificate.
    AuthorityRenewed,
    /// The company's own authority is taken out of Okta.
    IssuerDeleted(Mdm),
    /// The revocation list of the company's own authority cannot be read.
    RevocationListUnreadable(Mdm),
    /// Jamf's push certificate ends.
    PushCertificateEnds,
    /// A group is taken out of the scope of the attestation profile.
    ScopeGroupDropped(Mdm),
    /// A wave of certificates that nothing renews ends within days.
    ExpiryCohort(Mdm),
    /// A job deletes the Okta records of devices.
    RecordsCleanedUp(Mdm),
    /// FastPass is switched off.
    FastPassSwitchedOff,
    /// A new build of a browser no longer reaches Okta Verify.
    BrowserRelease(Mdm),
    /// The only rule that asks for managed devices asks no more.
    ManagedRuleWeakened,
    /// Apps move to a policy that asks nothing of devices.
    AppsRemapped,
    /// A group is taken out of the rule for managed devices.
    RuleGroupDropped,
}

/// One incident.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Incident {
    /// What happened.
    pub kind: IncidentKind,
    /// How long before the start. Up to 26 hours, no other machine of the fleet got a certificate since.
    pub began: Duration,
    /// How many machines it strikes. A weakened rule strikes all who have signed in since, however many.
    pub members: usize,
}

impl Incident {
    /// Began twenty hours ago and strikes a dozen machines.
    pub fn new(kind: IncidentKind) -> Self {
        Self {
            kind,
            began: Duration::hours(20),
            members: 12,
        }
    }
}

impl IncidentKind {
    /// Its name in the truths of its members.
    pub fn name(self) -> &'static str {
        match self {
            Self::SecretReset(_) => "scep_secret_reset",
            Self::ConfigurationDeleted(_) => "scep_configuration_deleted",
            Self::ChallengeFails => "scep_challenge_fails",
            Self::DelegatedCredentialEnds => "intune_delegated_credential_ends",
            Self::AuthorityRenewed => "okta_authority_renewed",
            Self::IssuerDeleted(_) => "own_issuer_deleted",
            Self::RevocationListUnreadable(_) => "own_revocation_list_unreadable",
            Self::PushCertificateEnds => "jamf_push_certificate_ends",
            Self::ScopeGroupDropped(_) => "scope_group_dropped",
            Self::ExpiryCohort(_) => "expiry_cohort",
            Self::RecordsCleanedUp(_) => "records_cleaned_up",
            Self::FastPassSwitchedOff => "fastpass_switched_off",
            Self::BrowserRelease(_) => "browser_release",
            Self::ManagedRuleWeakened => "managed_rule_weakened",
            Self::AppsRemapped => "apps_remapped",
            Self::RuleGroupDropped => "rule_group_dropped",
        }
    }

    /// The catalogue entry of its members.
    pub fn cause(self) -> &'static str {
        match self {
            Self::SecretReset(_) => "ca_static_secret_rotated",
            Self::ConfigurationDeleted(_) => "ca_scep_url_wrong_or_config_deleted",
            Self::ChallengeFails => "ca_dynamic_challenge_failing",
            Self::DelegatedCredentialEnds => "ca_intune_delegated_credentials_invalid",
            Self::AuthorityRenewed => "ca_okta_renewed_not_distributed",
            Self::IssuerDeleted(_) => "ca_byo_issuer_not_uploaded",
            Self::RevocationListUnreadable(_) => "ca_byo_crl_problem",
            Self::PushCertificateEnds => "mdm_push_channel_down",
            Self::ScopeGroupDropped(_) => "profile_not_in_scope",
            Self::ExpiryCohort(_) => "profile_renewal_not_configured",
            Self::RecordsCleanedUp(_) => "cert_revoked_by_device_deletion",
            Self::FastPassSwitchedOff => "fastpass_disabled",
            Self::BrowserRelease(_) => "fastpass_probe_blocked",
            Self::ManagedRuleWeakened => "policy_no_managed_rule",
            Self::AppsRemapped => "policy_app_not_mapped",
            Self::RuleGroupDropped => "policy_user_out_of_scope",
        }
    }

    /// The MDM whose machines it strikes; none: any.
    pub(super) fn mdm(self) -> Option<Mdm> {
        match self {
            Self::SecretReset(mdm)
            | Self::ConfigurationDeleted(mdm)
            | Self::IssuerDeleted(mdm)
            | Self::RevocationListUnreadable(mdm)
            | Self::ScopeGroupDropped(mdm)
            | Self::ExpiryCohort(mdm)
            | Self::RecordsCleanedUp(mdm)
            | Self::BrowserRelease(mdm) => Some(mdm),
            Self::ChallengeFails | Self::PushCertificateEnds => Some(Mdm::Jamf),
            Self::DelegatedCredentialEnds | Self::AuthorityRenewed => Some(Mdm::Intune),
            Self::FastPassSwitchedOff
            | Self::ManagedRuleWeakened
            | Self::AppsRemapped
            | Self::RuleGroupDropped => None,
        }
    }

    /// The words of the deliveries that fail since.
    pub(super) fn error(self) -> ScepError {
        match self {
            Self::AuthorityRenewed => WRONG_HASH,
            Self::DelegatedCredentialEnds => ScepError {
                domain: "Intune",
                code: -2_016_281_112,
                text: "Remediation failed",
                issuance: "challengeValidationFailed",
            },
            Self::ChallengeFails => ScepError {
                domain: "JamfPro",
                code: 0,
                text: "Unable to obtain a challenge from the SCEP server.",
                issuance: "challengeIssueFailed",
            },
            _ => REFUSED,
        }
    }
}
