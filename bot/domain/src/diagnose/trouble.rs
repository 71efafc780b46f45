//! Why a certificate does not come: the words of the MDM, and since when.

use chrono::{DateTime, TimeDelta, Utc};

use crate::{
    Assumption, EventClass, Evidence, ProfileState,
    certificate::{CertificateState, UnknownBecause, contains_ignoring_case},
};

use super::facts::Facts;

/// After this long an installed profile must have brought its certificate into the inventory.
pub(super) const INVENTORY_INTERVAL: TimeDelta = TimeDelta::hours(24);

/// A profile that is on its way or on the device, and no certificate.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Trouble<'a> {
    /// The error as the MDM words it; `None` where it says "installed".
    pub(super) error: Option<&'a str>,
    /// When that state was reached.
    pub(super) since: Option<DateTime<Utc>>,
    /// Whether the word is the state of the certificate request, not of the profile.
    of_request: bool,
}

impl Trouble<'_> {
    /// Whether the error holds one of these words, in any letter case.
    pub(super) fn says(&self, words: &[&str]) -> bool {
        self.error
            .is_some_and(|error| words.iter().any(|word| contains_ignoring_case(error, word)))
    }

    /// It as evidence.
    pub(super) fn evidence(&self, facts: &Facts<'_, '_>) -> Evidence {
        match (self.error, self.of_request) {
            (Some(error), true) => facts
                .mdm_says("certificate.request", error, self.since)
                .assuming(Assumption::IntuneIssuance),
            (Some(error), false) => facts.mdm_says("profile.error", error, self.since),
            (None, _) => facts.mdm_says("profile.state", "installed, no certificate", self.since),
        }
    }
}

/// States of a certificate request that are an end without a certificate.
fn is_failure(state: &str) -> bool {
    state.ends_with("Failed") && !state.starts_with("delete")
}

pub(super) fn of<'a>(facts: &Facts<'_, 'a>) -> Option<Trouble<'a>> {
    let (_, record) = facts.mdm()?;
    if facts.certificate_is_listed_valid() {
        return None;
    }
    // The request's own state says more than the profile's "error".
    let request = record
        .issuance
        .as_ref()
        .filter(|issuance| is_failure(&issuance.state));
    let delivery = facts.profile?;
    match (&delivery.state, request) {
        (ProfileState::Failed { error }, None) => Some(Trouble {
            error: Some(error),
            since: delivery.since,
            of_request: false,
        }),
        (ProfileState::Failed { .. } | ProfileState::Installed, Some(request)) => Some(Trouble {
            error: Some(&request.state),
            since: request.since.or(delivery.since),
            of_request: true,
        }),
        (ProfileState::Installed, None) if nothing_came(facts, delivery.since) => Some(Trouble {
            error: None,
            since: delivery.since,
            of_request: false,
        }),
        _ => None,
    }
}

/// Installed for a day, none listed, and none issued by a log that would show it.
fn nothing_came(facts: &Facts<'_, '_>, since: Option<DateTime<Utc>>) -> bool {
    let is_absent = matches!(
        facts.certificate.state,
        CertificateState::Missing | CertificateState::Unknown(UnknownBecause::NotReported)
    );
    let now = facts.mdm().map_or(facts.okta_now(), |(mdm, _)| mdm.now);
    let issues = facts
        .observations()
        .log
        .coverage(EventClass::CertificateIssued);
    is_absent
        && facts.subject.issued.is_none()
        && since.is_some_and(|since| {
            since + INVENTORY_INTERVAL <= now && issues.proves_absence_since(since)
        })
}
