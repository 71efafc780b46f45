//! Section 1 of the article: the CA configuration. Almost always the whole fleet's fault; here only what one computer
//! shows of it is judged. Whether many share it is the fleet gate's question.

pub(super) mod challenge;
pub(super) mod own;
pub(super) mod payload;
pub(super) mod server;
pub(super) mod trust;

use chrono::{DateTime, Utc};

use crate::{Assumption, Confidence, Evidence, OrgChangeSeen};

use super::{facts::Facts, fleet::OrgChange, trouble::Trouble};

/// A change of the org after the profile's last edit and before the fault: the profile still holds what was before it.
struct OutdatedBy<'a> {
    change: &'a OrgChangeSeen,
    /// Sure only if nobody got a certificate since.
    confidence: Confidence,
}

fn outdated_by<'a>(
    facts: &Facts<'_, 'a>,
    trouble: &Trouble<'_>,
    kind: OrgChange,
) -> Option<OutdatedBy<'a>> {
    let edited = facts.attestation_profile()?.modified_at?;
    let change = facts.fleet.last_change(kind, trouble.since?)?;
    if change.at <= edited {
        return None;
    }
    Some(OutdatedBy {
        change,
        confidence: match facts.nothing_issued_since(change.at) {
            Some(true) => Confidence::Medium,
            // The log does not say of which profile a certificate was issued.
            Some(false) | None => Confidence::Low,
        },
    })
}

fn change_evidence(facts: &Facts<'_, '_>, change: &OrgChangeSeen) -> Evidence {
    let actor = change.actor.as_deref().unwrap_or("unknown");
    facts.okta_says(&change.event_type, format!("by {actor}"), Some(change.at))
}

/// That nobody got a certificate since, where the log shows it.
fn no_issue_evidence(facts: &Facts<'_, '_>, since: DateTime<Utc>) -> Option<Evidence> {
    (facts.nothing_issued_since(since) == Some(true)).then(|| {
        facts
            .okta_says("pki.cert.issue", "none in this org since", Some(since))
            .assuming(Assumption::IssueEvents)
    })
}
