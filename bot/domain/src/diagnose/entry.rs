//! What the catalogue knows of an entry beside its proof: where it stands in Okta's article, what it is taken for,
//! who acts on it.

use std::sync::LazyLock;

use crate::{Cause, Confidence, Platform, Stage};

use super::{facts::Facts, order, verdict::Verdict};

/// One entry of the catalogue.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) cause: Cause,
    pub(super) section: Section,
    /// The stage that it leaves unproved; `None` where only the evidence tells.
    pub(super) stage: Option<Stage>,
    pub(super) on: On,
    /// MDMs that it is known of.
    pub(super) mdms: &'static str,
    /// How sure it can be at best.
    pub(super) confidence: Confidence,
    /// What proves it, for people.
    pub(super) evidence: &'static str,
    /// What a person does about it; where a playbook matches, after it or instead of it.
    pub(super) person: &'static str,
    /// What it is easily taken for: named as rivals when it is the answer.
    pub(super) neighbours: &'static [Cause],
    pub(super) prove: Prove,
}

/// How an entry is proved.
#[derive(Debug)]
pub(super) enum Prove {
    /// Asked of every device-user that is not managed.
    OfUser(fn(&Facts<'_, '_>) -> Verdict),
    /// Told elsewhere, and where.
    Elsewhere(&'static str),
}

/// Section of Okta's article "Troubleshooting Management Attestation for Desktop Devices (OIE)".
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Section {
    CertificateAuthority,
    ScepProfile,
    Certificate,
    FastPass,
    Shared,
    SsoExtension,
    /// Not in the article: Okta's records and their life.
    Records,
}

impl Section {
    pub(super) const ALL: [Self; 7] = [
        Self::CertificateAuthority,
        Self::ScepProfile,
        Self::Certificate,
        Self::FastPass,
        Self::Records,
        Self::Shared,
        Self::SsoExtension,
    ];

    pub(super) fn title(self) -> &'static str {
        match self {
            Self::CertificateAuthority => "1 CA configuration",
            Self::ScepProfile => "2 SCEP profile",
            Self::Certificate => "3 Certificate",
            Self::FastPass => "4 Okta Verify, FastPass, policy",
            Self::Shared => "5 Shared computers",
            Self::SsoExtension => "6 SSO extension",
            Self::Records => "L Okta's records",
        }
    }
}

/// Operating systems that an entry is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum On {
    Desktops,
    Windows,
    Macs,
}

impl On {
    pub(super) fn covers(self, platform: Platform) -> bool {
        match self {
            Self::Desktops => true,
            Self::Windows => platform == Platform::Windows,
            Self::Macs => platform == Platform::Macos,
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Desktops => "all",
            Self::Windows => "Windows",
            Self::Macs => "macOS",
        }
    }
}

/// The entry of each cause, by its place in [`Cause::ALL`].
static BY_CAUSE: LazyLock<Vec<Option<&'static Entry>>> = LazyLock::new(|| {
    let mut by_cause = vec![None; Cause::ALL.len()];
    for entry in order::entries() {
        by_cause[entry.cause as usize] = Some(entry);
    }
    by_cause
});

/// The entry of a cause; `None` for [`Cause::InsufficientEvidence`].
pub(super) fn of(cause: Cause) -> Option<&'static Entry> {
    BY_CAUSE[cause as usize]
}
