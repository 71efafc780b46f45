//! What happened to one device-user, as Okta's log, the MDM and the certificate tell it. Proposals and repairs are told
//! beside it, by `next.rs`.

use chrono::{DateTime, Utc};

use super::Line;
use crate::{
    domain::{Evidence, Finding},
    store::SubjectLedger,
};

/// Whose word the ledger is.
const LOG: &str = "okta log";

/// The lines of the ledger and of a finding's evidence, in no order.
pub(super) fn observed(ledger: &SubjectLedger, finding: Option<&Finding>) -> Vec<Line> {
    let mut lines = logged(ledger);
    let evidence = finding.map_or(&[][..], |finding| &finding.evidence);
    for line in evidence.iter().filter_map(told) {
        // The log and the MDM may know the same issue.
        if !lines
            .iter()
            .any(|known| known.change == line.change && known.at == line.at)
        {
            lines.push(line);
        }
    }
    lines
}

fn logged(ledger: &SubjectLedger) -> Vec<Line> {
    let mut lines = Vec::new();
    let mut add = |at: DateTime<Utc>, change: &str, text: String| {
        lines.push(Line::new(at, LOG, change, text));
    };
    for (subject, seen) in &ledger.issued {
        add(
            seen.first,
            "cert_issued",
            format!("certificate issued: {subject}"),
        );
        if seen.last != seen.first {
            add(
                seen.last,
                "cert_issued",
                format!("certificate issued again: {subject}"),
            );
        }
    }
    if let Some(seen) = ledger.bound {
        add(
            seen.first,
            "cert_bound",
            "a certificate was bound to the record: it became managed".into(),
        );
        if seen.last != seen.first {
            add(
                seen.last,
                "cert_bound",
                "the last certificate was bound to the record".into(),
            );
        }
    }
    for (serial, at, event_type) in &ledger.revoked {
        add(
            *at,
            "cert_revoked",
            format!("certificate {serial} revoked ({event_type})"),
        );
    }
    if let Some(seen) = ledger.fastpass {
        if seen.first != seen.last {
            add(
                seen.first,
                "fastpass",
                "first FastPass sign-in on it that is known".into(),
            );
        }
        add(seen.last, "fastpass", "last FastPass sign-in on it".into());
    }
    if let Some(at) = ledger.fastpass_failed_at {
        add(
            at,
            "fastpass_failed",
            "FastPass was tried and failed".into(),
        );
    }
    if let Some((device, at, by)) = &ledger.deleted {
        add(
            *at,
            "record_deleted",
            format!(
                "an earlier Okta record of it, {device}, was deleted{}",
                actor(by)
            ),
        );
    }
    if let Some((change, at, by)) = &ledger.lifecycle {
        add(
            *at,
            "record_changed",
            format!(
                "the Okta record was {}{}",
                change.replace('_', " "),
                actor(by)
            ),
        );
    }
    lines
}

fn actor(by: &Option<String>) -> String {
    by.as_ref().map_or(String::new(), |by| format!(" by {by}"))
}

/// A fact that is itself a moment in the past.
fn told(evidence: &Evidence) -> Option<Line> {
    let value = evidence.value.parse::<DateTime<Utc>>().ok();
    let (change, text) = match evidence.fact.as_str() {
        "certificate.issued_at" => ("cert_issued", "the certificate was issued".to_owned()),
        "certificate.expires_at" => ("cert_expired", "the certificate expired".to_owned()),
        "last_check_in" => ("checked_in", "last check-in with the MDM".to_owned()),
        "profile.state_since" => ("profile", "the SCEP profile reached its state".to_owned()),
        _ => return None,
    };
    let at = value.filter(|at| *at <= evidence.observed_at)?;
    Some(Line::new(at, &evidence.source, change, text))
}

#[cfg(test)]
mod tests {
    use crate::domain::Seen;

    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn evidence(fact: &str, value: &str) -> Evidence {
        Evidence {
            source: "jamf".into(),
            fact: fact.into(),
            value: value.into(),
            observed_at: at("2026-11-24T10:00:00Z"),
            about: None,
            assumes: None,
        }
    }

    #[test]
    fn an_issue_that_log_and_mdm_know_is_told_once() {
        let issued = at("2026-11-02T08:00:00Z");
        let ledger = SubjectLedger {
            issued: vec![("MBP 0114".into(), Seen::once(issued))],
            ..SubjectLedger::default()
        };
        let mut finding: Finding = serde_json::from_value(serde_json::json!({
            "device_id": "guo1", "user_id": "00u1", "serial_number": null, "platform": "MACOS", "mdm": "jamf",
            "mdm_device_id": "1", "match_strength": "strong", "stage": "cert_present", "cause": "cert_expired",
            "confidence": "high", "confirmed": true, "blocked": false, "evidence": [], "playbook": null,
            "why_not": null, "why_not_detail": null, "retry_at": null,
        }))
        .unwrap();
        finding.evidence = vec![
            evidence("certificate.issued_at", "2026-11-02T08:00:00Z"),
            evidence("certificate.expires_at", "2027-11-02T08:00:00Z"),
            evidence("last_check_in", "2026-11-24T09:00:00Z"),
        ];
        let changes: Vec<String> = observed(&ledger, Some(&finding))
            .into_iter()
            .map(|line| format!("{} {}", line.source, line.change))
            .collect();
        // What lies ahead is no history.
        assert_eq!(changes, ["okta log cert_issued", "jamf checked_in"]);
    }

    #[test]
    fn a_deletion_names_who_did_it() {
        let ledger = SubjectLedger {
            deleted: Some((
                "guo0".into(),
                at("2026-11-02T08:00:00Z"),
                Some("clean-up job".into()),
            )),
            ..SubjectLedger::default()
        };
        let lines = observed(&ledger, None);
        assert!(lines[0].text.ends_with("was deleted by clean-up job"));
    }
}
