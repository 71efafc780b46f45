//! What was read of a tenant, as a plain value. What could not be read says why, and is never "nothing there".

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use connectors::{
    AppSecret, CredentialCheck, FastPassGroup, MdmSetup, Organization, SignInApp, scep::ScepServer,
};

use crate::{
    domain::{
        Assumption, CertificateAuthority, Coverage, GroupId, MdmKind, OrgChangeSeen, Platform,
        PolicyFacts, RepairTargets, ScepAnswer, ScepProbe, Shows,
    },
    store::StoredBelief,
};

/// A part that was read, or why it was not.
pub type Read<T> = Result<T, Unread>;

/// Why a part was not read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unread {
    /// In a sentence.
    pub why: String,
    /// Whether a check of the credential tells it already, so that it is no fault of its own.
    pub told: bool,
}

/// Everything that is judged.
#[derive(Debug, Clone)]
pub struct Tenant {
    /// Now, on our own clock.
    pub now: DateTime<Utc>,
    /// Whether the bot may carry out repairs: `[safety] mode = "approve"`.
    pub repairs: bool,
    /// The Okta org.
    pub okta: OktaTenant,
    /// The MDMs, in the order of the settings.
    pub mdms: Vec<MdmTenant>,
    /// SCEP servers that were asked, by their URL.
    pub probes: BTreeMap<String, Probe>,
    /// The Slack workspace; `None`: the settings name none.
    pub slack: Option<SlackTenant>,
    /// Groups of approvers that playbooks name, with their members as the settings write them.
    pub approvers: BTreeMap<String, Vec<String>>,
    /// How often each belief was confirmed and contradicted by this org's own data.
    pub beliefs: BTreeMap<Assumption, Tally>,
}

/// The Okta org.
#[derive(Debug, Clone)]
pub struct OktaTenant {
    /// Host of `[okta] org_url`.
    pub host: String,
    /// `[okta] org_id`
    pub expected: Option<String>,
    /// The org behind the URL.
    pub organization: Read<Organization>,
    /// Rights that were tried.
    pub rights: Vec<CredentialCheck>,
    /// How far Okta's clock is ahead of ours; `None`: no answer told.
    pub ahead: Option<TimeDelta>,
    /// Authenticators, policies, rules and mappings.
    pub policies: Read<PolicyFacts>,
    /// Okta's own authorities; `Ok(None)`: the Early Access API is not on here.
    pub authorities: Read<Option<Vec<CertificateAuthority>>>,
    /// Org-wide changes of the last 90 days, oldest first.
    pub changes: Read<Vec<OrgChangeSeen>>,
    /// Certificates that were issued, as the log's ledger knows; not covered: nothing was read yet.
    pub issued: Coverage,
    /// Certificates that were bound at a sign-in.
    pub bound: Coverage,
    /// `[okta] sign_in_app` and what is behind it; `Ok(None)`: there is no such app.
    pub sign_in_app: Option<(String, Read<Option<SignInApp>>)>,
    /// `[okta] fastpass_group` and what is behind it; `Ok(None)`: there is no such group.
    pub fastpass_group: Option<(GroupId, Read<Option<FastPassGroup>>)>,
}

/// One MDM.
#[derive(Debug, Clone)]
pub struct MdmTenant {
    /// `[[mdm]].name`
    pub name: String,
    /// Vendor.
    pub kind: MdmKind,
    /// Which desktops it manages.
    pub platforms: Vec<Platform>,
    /// What it can show at all.
    pub shows: Shows,
    /// Rights that were tried.
    pub rights: Vec<CredentialCheck>,
    /// How far its clock is ahead of ours.
    pub ahead: Option<TimeDelta>,
    /// Profiles, SSO extensions, push certificate.
    pub setup: Read<MdmSetup>,
    /// `[attestation]`, as it holds for this MDM.
    pub attestation: crate::settings::Attestation,
    /// Repair targets of the settings.
    pub targets: RepairTargets,
    /// Whether each group of the targets may be used; the reason if not.
    pub groups: BTreeMap<GroupId, Read<Result<(), String>>>,
    /// Whether the prepared clean-up script is there; `None`: none is named.
    pub cleanup_script: Option<Read<bool>>,
    /// The bot's own secret in Entra; `None`: this vendor's secrets do not end.
    pub own_secret: Option<Read<Option<AppSecret>>>,
    /// The secret by which Okta asks Intune about challenges; `None`: not delegated, or the app is not known.
    pub challenge_secret: Option<Read<Option<AppSecret>>>,
}

/// What a SCEP server answered, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probe {
    /// When it was asked, on our own clock.
    pub at: DateTime<Utc>,
    /// What came back.
    pub answer: ProbeAnswer,
}

/// What came back.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProbeAnswer {
    /// A SCEP server.
    Works(ScepServer),
    /// Something else answers, or says that there is nothing.
    NoScepServer(String),
    /// Nothing answers from here, which says nothing about the devices' way.
    Unanswered(String),
}

impl ProbeAnswer {
    /// As diagnoses know it.
    pub fn told(self, url: String, at: DateTime<Utc>) -> ScepProbe {
        let answer = match self {
            Self::Works(server) => ScepAnswer::Works {
                thumbprints: server
                    .certificates
                    .into_iter()
                    .flat_map(|one| [one.sha1, one.sha256])
                    .collect(),
            },
            Self::NoScepServer(saw) => ScepAnswer::NoScepServer { saw },
            Self::Unanswered(_) => ScepAnswer::Unanswered,
        };
        ScepProbe { url, at, answer }
    }
}

/// The Slack workspace.
#[derive(Debug, Clone)]
pub struct SlackTenant {
    /// Rights that were tried; the first one is the token itself.
    pub rights: Vec<CredentialCheck>,
    /// The channel of the cards; `None`: the token does not work.
    pub channel: Option<CredentialCheck>,
    /// Each approver of the settings that stands for an account or a user group in Slack.
    pub approvers: BTreeMap<String, CredentialCheck>,
}

/// How often a belief was confirmed and contradicted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Times that the data agreed.
    pub confirmed: u64,
    /// Times that it did not.
    pub contradicted: u64,
}

impl From<StoredBelief> for Tally {
    fn from(stored: StoredBelief) -> Self {
        Self {
            confirmed: stored.confirmed,
            contradicted: stored.contradicted,
        }
    }
}

impl Tally {
    /// As the store keeps it.
    pub fn stored(self, belief: Assumption) -> StoredBelief {
        StoredBelief {
            belief,
            confirmed: self.confirmed,
            contradicted: self.contradicted,
        }
    }

    /// Whether the data speaks against the belief: a single odd record does not.
    pub fn refutes(&self) -> bool {
        self.contradicted >= 3 && self.contradicted * 10 >= self.confirmed + self.contradicted
    }
}
