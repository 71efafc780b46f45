//! The answer about one computer: headline, one paragraph, the stages with their evidence, rivals, before, next.

use std::fmt::Write;

use chrono::{DateTime, Utc};
use owo_colors::OwoColorize;

use super::{super::output::wrap, View, word};
use crate::{
    domain::{Cause, Evidence, Finding, Platform, Rival, Stage},
    why::{Answer, Line},
    wording,
};

/// Stages of the way to "managed" that can be proved one by one.
const STAGES: [Stage; 8] = [
    Stage::MdmEnrolled,
    Stage::ProfileAssigned,
    Stage::ProfileDelivered,
    Stage::CertIssued,
    Stage::CertPresent,
    Stage::OvRegistered,
    Stage::FastpassAfterCert,
    Stage::PolicyAsks,
];
/// Columns before the text of a stage.
const INDENT: usize = 33;
/// Most lines of history.
const MOST_HISTORY: usize = 20;

/// The whole answer.
pub(in crate::cli) fn why(answer: &Answer, view: &View) -> String {
    let mut blocks = vec![wrap(&headline(answer), view.width)];
    if let Some(finding) = &answer.finding {
        blocks.push(wrap(&wording::sentence(finding), view.width));
        blocks.push(stages(finding, view));
    } else if let Some(proof) = &answer.proof {
        blocks.push(wrap(&proof.text, view.width));
    } else if answer.is_managed() {
        blocks.push(wrap(
            "Okta showed it as managed when it was last listed. Nothing is wrong that can be seen.",
            view.width,
        ));
    } else if answer.subject.is_some() {
        let text = "Okta lists it as not managed, but it has no open finding: it is out of scope (excluded, its user is \
                    not active, or nobody has used it for long).";
        blocks.push(wrap(text, view.width));
    }
    blocks.extend(timeline(answer, view));
    blocks.push(around(answer, view));
    blocks.join("\n\n")
}

/// Nobody was found.
pub(in crate::cli) fn not_found(query: &str, near: &[String]) -> String {
    let mut text = format!("{query} was not found; unstuck knows what its last sweeps saw.");
    match near {
        [] => text.push_str(
            " Try the serial number, the Okta device id, the login or the computer's name.",
        ),
        near => drop(write!(text, " Did you mean {}?", near.join(", "))),
    }
    text
}

fn headline(answer: &Answer) -> String {
    let (name, serial, platform, mdm, login) = match (&answer.finding, &answer.subject) {
        (Some(finding), subject) => {
            let os = subject
                .as_ref()
                .and_then(|subject| subject.document["os_version"].as_str());
            (
                finding.device_name.clone(),
                finding.serial_number.clone(),
                platform(finding.platform, os),
                finding.mdm.as_ref().map(ToString::to_string),
                finding.login.clone(),
            )
        }
        (None, Some(subject)) => {
            let document = &subject.document;
            let text = |key: &str| document[key].as_str().map(str::to_owned);
            let os = document["os_version"].as_str();
            let kind =
                serde_json::from_value(document["platform"].clone()).unwrap_or(Platform::Other);
            (
                text("device_name"),
                text("serial_number"),
                platform(kind, os),
                subject.mdm.as_ref().map(ToString::to_string),
                text("login"),
            )
        }
        (None, None) => (None, None, String::new(), None, None),
    };
    let device = match (&name, &answer.finding) {
        (Some(name), _) => name.clone(),
        (None, Some(finding)) => finding
            .device_id
            .as_ref()
            .map(ToString::to_string)
            .or(finding.mdm_device_id.as_ref().map(ToString::to_string))
            .unwrap_or_else(|| "a computer without a name".into()),
        (None, None) => "a computer without a name".into(),
    };
    let known: Vec<String> = [
        serial,
        Some(platform),
        Some(mdm.unwrap_or_else(|| "no MDM record".into())),
    ]
    .into_iter()
    .flatten()
    .filter(|part| !part.is_empty())
    .collect();
    let with = login.map_or_else(
        || " without a user".to_owned(),
        |login| format!(" with {login}"),
    );
    let state = match (&answer.finding, answer.is_managed()) {
        (_, true) => "managed",
        (Some(finding), _) if finding.user_id.is_none() => "unlinked",
        _ => "not managed",
    };
    format!("{device} ({}){with}: {state}", known.join(", "))
}

fn platform(platform: Platform, version: Option<&str>) -> String {
    let name = match platform {
        Platform::Macos => "macOS",
        Platform::Windows => "Windows",
        Platform::Other => "",
    };
    match version {
        Some(version) if !name.is_empty() => format!("{name} {version}"),
        _ => name.to_owned(),
    }
}

/// How one stage stands.
enum Standing {
    Ok,
    Stuck,
    Unclear,
    NotJudged(&'static str),
}

fn stages(finding: &Finding, view: &View) -> String {
    let lines: Vec<String> = STAGES
        .iter()
        .map(|stage| stage_line(finding, *stage, view))
        .collect();
    lines.join("\n")
}

fn stage_line(finding: &Finding, stage: Stage, view: &View) -> String {
    let evidence: Vec<&Evidence> = finding
        .evidence
        .iter()
        .filter(|evidence| stage_of(evidence, finding.stage) == Some(stage))
        .collect();
    let standing = standing(finding, stage);
    let mut text: Vec<String> = evidence
        .iter()
        .map(|evidence| told(evidence, view))
        .collect();
    if text.is_empty() {
        text.push(match &standing {
            Standing::Ok => "no fault found".into(),
            Standing::Stuck => "not proved".into(),
            Standing::Unclear => finding
                .why_not_detail
                .clone()
                .unwrap_or_else(|| "what can be seen does not decide it".into()),
            Standing::NotJudged(why) => (*why).into(),
        });
    }
    let mut sources: Vec<&str> = evidence
        .iter()
        .map(|evidence| evidence.source.as_str())
        .collect();
    sources.dedup();
    let tail = if sources.is_empty() {
        String::new()
    } else {
        format!("  [{}]", sources.join(", "))
    };
    let label = match standing {
        Standing::Ok => "ok",
        Standing::Stuck => "STUCK",
        Standing::Unclear => "unclear",
        Standing::NotJudged(_) => "-",
    };
    let first = format!("  {label:<8} {:<21} ", wording::stage(stage));
    debug_assert_eq!(first.chars().count(), INDENT);
    let line = view.hanging(&first, &format!("{}{tail}", text.join("; ")));
    // Colour after the layout, so that widths stay true.
    match standing {
        Standing::Stuck => line.replacen(label, &label.red().bold().to_string(), 1),
        Standing::Ok => line.replacen(label, &label.green().to_string(), 1),
        _ => line,
    }
}

fn standing(finding: &Finding, stage: Stage) -> Standing {
    use std::cmp::Ordering::{Equal, Greater, Less};
    // A record that is out of use in Okta is told from Okta alone; nobody looked at the MDM for it.
    let okta_decides = matches!(
        finding.cause,
        Cause::OktaDeviceSuspended
            | Cause::OktaDeviceDeactivated
            | Cause::OktaDuplicateRecords
            | Cause::OktaRecordStale
            | Cause::RecordImportedNotRegistered
    );
    match stage.cmp(&finding.stage) {
        _ if finding.stage == Stage::Unknown => {
            Standing::NotJudged("not judged: one of the two records is missing")
        }
        Equal if finding.cause == Cause::InsufficientEvidence => Standing::Unclear,
        Equal => Standing::Stuck,
        Less if okta_decides => Standing::NotJudged("not judged: the Okta record comes first"),
        Less => Standing::Ok,
        Greater if stage == Stage::FastpassAfterCert && finding.stage <= Stage::CertPresent => {
            Standing::NotJudged("nothing to prove before there is a certificate")
        }
        Greater => Standing::NotJudged("judged when the stages before it are in order"),
    }
}

/// Which stage a fact speaks of; what is not known speaks of the stage that is stuck.
fn stage_of(evidence: &Evidence, stuck: Stage) -> Option<Stage> {
    let fact = evidence.fact.as_str();
    Some(match fact {
        "link.management_status" | "link.management_status (listed)" => return None,
        "record.matched_by" | "record" | "last_check_in" => Stage::MdmEnrolled,
        "profile.id" => Stage::ProfileAssigned,
        "pki.cert.issue" | "certificate.issued_at" => Stage::CertIssued,
        "device.status"
        | "device.registered"
        | "factor.signed_nonce"
        | "application.okta_verify" => Stage::OvRegistered,
        "pki.cert.bind" => Stage::FastpassAfterCert,
        _ if fact.starts_with("profile.") => Stage::ProfileDelivered,
        _ if fact.starts_with("certificate") => Stage::CertPresent,
        _ if fact.starts_with("fastpass.") => Stage::FastpassAfterCert,
        _ if fact.starts_with("rule.") => Stage::PolicyAsks,
        _ => stuck,
    })
}

/// A fact with its value, and how old it is where that matters.
fn told(evidence: &Evidence, view: &View) -> String {
    let value = match evidence.value.parse::<DateTime<Utc>>() {
        Ok(at) => view.day(at),
        Err(_) => evidence.value.clone(),
    };
    let expired = evidence
        .value
        .parse::<DateTime<Utc>>()
        .is_ok_and(|at| at <= view.now);
    let text = match evidence.fact.as_str() {
        "record.matched_by" => format!("matched by {value}"),
        "record" if value == "none" => "no record".into(),
        "last_check_in" => format!("checked in {value}"),
        "profile.id" => format!("profile {value}"),
        "profile.state" => value,
        "profile.state_since" => format!("since {value}"),
        "profile.error" => format!("error: {value}"),
        "certificate" if value == "none listed" => "no certificate listed".into(),
        "certificate" => format!("certificate {value}"),
        "certificate.issued_at" => format!("issued {value}"),
        "certificate.expires_at" if expired => format!("expired {value}"),
        "certificate.expires_at" => format!("expires {value}"),
        "undecided_because" => value,
        fact => format!("{} {value}", fact.replace(['.', '_'], " ")),
    };
    // What the vendor saw long ago is told with its age; what it says of now is not.
    match evidence.about {
        Some(about) if evidence.value.parse::<DateTime<Utc>>().is_err() => {
            format!("{text} (as of {})", view.when(about))
        }
        _ => text,
    }
}

/// What happened, oldest first, one line each.
fn timeline(answer: &Answer, view: &View) -> Option<String> {
    let skipped = answer.history.len().saturating_sub(MOST_HISTORY);
    let shown = &answer.history[skipped..];
    let wide =
        |of: &dyn Fn(&Line) -> String| shown.iter().map(|line| of(line).chars().count()).max();
    let times = wide(&|line| view.time(line.at))?;
    let sources = wide(&|line| line.source.clone())?;
    let mut out = match skipped {
        0 => vec!["What happened".to_owned()],
        more => vec![format!("What happened ({more} earlier in --json)")],
    };
    out.extend(shown.iter().map(|line| {
        let first = format!(
            "  {:<times$}  {:<sources$}  ",
            view.time(line.at),
            line.source
        );
        view.hanging(&first, &line.text)
    }));
    Some(out.join("\n"))
}

fn around(answer: &Answer, view: &View) -> String {
    let mut out = Vec::new();
    if let Some(finding) = &answer.finding {
        let (open, excluded): (Vec<&Rival>, Vec<&Rival>) = finding
            .rivals
            .iter()
            .partition(|rival| rival.check.is_some());
        let told = |rivals: &[&Rival], why: fn(&Rival) -> &str| -> String {
            let each = rivals
                .iter()
                .map(|rival| format!("{} ({})", rival.cause.name(), why(rival)));
            each.collect::<Vec<_>>().join(" · ")
        };
        if !excluded.is_empty() {
            let text = told(&excluded, |rival| &rival.excluded_by);
            out.push(view.hanging("Ruled out: ", &text));
        }
        if !open.is_empty() {
            let text = told(&open, |rival| rival.check.as_deref().unwrap_or_default());
            out.push(view.hanging("By hand:   ", &format!("no API tells these; check: {text}")));
        }
        let read = if finding.confirmed {
            "read by id"
        } else {
            "as listed, not yet read by id"
        };
        let mut sure = format!("{} confidence, {read}", word(&finding.confidence));
        if let Some(at) = answer.seen_at {
            let _ = write!(sure, ", last seen {}", view.when(at));
        }
        out.push(view.hanging("Sure:      ", &sure));
        if let Some(playbook) = &finding.playbook {
            out.push(view.hanging("Playbook:  ", playbook.as_str()));
        }
    }
    out.push(view.hanging("Next:      ", &answer.next));
    out.join("\n")
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;
    use serde_json::json;

    use super::super::testing::{plain, view};
    use super::*;

    fn finding(cause: &str, stage: &str) -> Finding {
        serde_json::from_value(json!({
            "device_id": "guo001", "user_id": "00u001", "serial_number": "C02XL0GQJGH5", "platform": "MACOS",
            "mdm": "jamf", "mdm_device_id": "42", "match_strength": "strong", "stage": stage, "cause": cause,
            "confidence": "high", "confirmed": true, "blocked": false,
            "evidence": [
                {"source": "okta", "fact": "link.management_status", "value": "NOT_MANAGED",
                    "observed_at": "2026-11-24T09:59:00Z", "about": null},
                {"source": "jamf", "fact": "certificate", "value": "3F:A1:00:17",
                    "observed_at": "2026-11-24T09:58:00Z", "about": "2026-11-24T08:00:00Z"},
                {"source": "jamf", "fact": "certificate.issued_at", "value": "2025-11-02T08:00:00Z",
                    "observed_at": "2026-11-24T09:58:00Z", "about": "2025-11-02T08:00:00Z"},
                {"source": "jamf", "fact": "certificate.expires_at", "value": "2026-11-02T08:00:00Z",
                    "observed_at": "2026-11-24T09:58:00Z", "about": "2026-11-02T08:00:00Z"},
                {"source": "jamf", "fact": "record.matched_by", "value": "C02XL0GQJGH5",
                    "observed_at": "2026-11-24T09:58:00Z", "about": "2026-11-24T08:00:00Z"}
            ],
            "playbook": "redeliver-scep-profile", "why_not": null, "why_not_detail": null, "retry_at": null,
            "device_name": "MBP-0114", "login": "ann@acme.com",
            "rivals": [{"cause": "profile_failed", "excluded_by": "the SCEP profile is installed"}]
        }))
        .unwrap()
    }

    fn answer(finding: Option<Finding>) -> Answer {
        Answer {
            subject: None,
            finding,
            proof: None,
            seen_at: Some("2026-11-24T09:59:35Z".parse().unwrap()),
            history: vec![
                Line {
                    at: "2026-11-23T10:02:00Z".parse().unwrap(),
                    source: "unstuck".into(),
                    change: "proposed".into(),
                    text: "P-7F3K2Q proposed: Re-push the SCEP profile".into(),
                },
                Line {
                    at: "2026-11-24T07:00:00Z".parse().unwrap(),
                    source: "unstuck".into(),
                    change: "revised".into(),
                    text: "P-7F3K2Q revised, revision 2".into(),
                },
            ],
            next: "P-7F3K2Q waits for @oncall until Wed 25 Nov 07:00 UTC; undecided, it expires, and the next sweep asks again"
                .into(),
        }
    }

    #[test]
    fn an_expired_certificate_is_explained_in_80_columns() {
        let text = why(
            &answer(Some(finding("cert_expired", "cert_present"))),
            &view(80),
        );
        assert_snapshot!(plain(&text, 80));
    }

    #[test]
    fn an_expired_certificate_is_explained_in_120_columns() {
        let text = why(
            &answer(Some(finding("cert_expired", "cert_present"))),
            &view(120),
        );
        assert_snapshot!(plain(&text, 120));
    }

    #[test]
    fn a_stage_that_was_not_judged_is_never_called_ok() {
        let text = plain(
            &why(
                &answer(Some(finding("okta_device_suspended", "ov_registered"))),
                &view(120),
            ),
            120,
        );
        let enrolled = text
            .lines()
            .find(|line| line.contains("profile_assigned"))
            .unwrap();
        assert!(enrolled.trim_start().starts_with('-'), "{enrolled}");
    }

    #[test]
    fn a_near_miss_is_named() {
        assert_eq!(
            not_found("mbp-0115", &["mbp-0114".into()]),
            "mbp-0115 was not found; unstuck knows what its last sweeps saw. Did you mean mbp-0114?"
        );
    }
}
