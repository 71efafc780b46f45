//! A sweep as people read it: what is stuck, why, what is proposed, and what is not and why.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
};

use owo_colors::OwoColorize;

use super::View;
use crate::{
    domain::{Confidence, Finding, MdmName, WhyNot, fleet_gate::Phase},
    report::{FleetFinding, ProposalSummary, SweepDocument},
    wording,
    words::{count, thousands},
};

/// What the document does not hold: how the sweep went, who decides and when the next one is.
#[derive(Debug, Default)]
pub(in crate::cli) struct Beside {
    /// Records read per source, as progress told: source, what, how many.
    pub(in crate::cli) read: Vec<(String, String, u64)>,
    /// Groups that decide, per playbook.
    pub(in crate::cli) approvers: BTreeMap<String, String>,
    /// The next scheduled sweep, in the schedule's own zone.
    pub(in crate::cli) next: Option<String>,
}

/// The whole view.
pub(in crate::cli) fn sweep(document: &SweepDocument, beside: &Beside, view: &View) -> String {
    let mut blocks = Vec::new();
    if !document.sweep.complete {
        blocks.push(incomplete(document, view));
    }
    let sources = sources(document, beside, view);
    if !sources.is_empty() {
        blocks.push(sources);
    }
    blocks.push(totals(document));
    let shared = fleet(document, view);
    if !shared.is_empty() {
        blocks.push(shared);
    }
    if !document.findings.is_empty() {
        blocks.push(causes(document, beside, view));
        let left_out = left_out(document, view);
        if !left_out.is_empty() {
            blocks.push(left_out);
        }
    }
    blocks.push(last_line(document, beside, view));
    blocks.join("\n\n")
}

/// The first thing to know: what was not read, and what therefore is not proposed.
fn incomplete(document: &SweepDocument, view: &View) -> String {
    let mut out = String::new();
    let names: Vec<&str> = document
        .sweep
        .incomplete
        .iter()
        .map(|one| one.source.as_str())
        .collect();
    let everything = names.iter().any(|name| matches!(*name, "okta" | "log"));
    let therefore = if everything {
        "nothing is proposed".to_owned()
    } else {
        format!(
            "nothing is proposed for computers of {} or of no MDM",
            names.join(", ")
        )
    };
    let head = format!(
        "INCOMPLETE: {} not read to the end; {therefore}.",
        names.join(", ")
    );
    let head = super::super::output::wrap(&head, view.width);
    let _ = write!(out, "{}", head.red().bold());
    for one in &document.sweep.incomplete {
        let _ = write!(
            out,
            "\n{}",
            view.hanging(&format!("  {:<8} ", one.source), &one.reason)
        );
    }
    if document
        .sweep
        .incomplete
        .iter()
        .any(|one| one.reason.starts_with("shrunk"))
    {
        let _ = write!(
            out,
            "\n  If it really became smaller: unstuck sweep --accept-shrink NAME"
        );
    }
    out
}

/// One line per source.
fn sources(document: &SweepDocument, beside: &Beside, view: &View) -> String {
    let mut lines: Vec<(String, Vec<String>)> = Vec::new();
    for (source, what, number) in &beside.read {
        let part = format!("{} {what}", thousands(*number));
        match lines.iter_mut().find(|(name, _)| name == source) {
            Some((_, parts)) => parts.push(part),
            None => lines.push((source.clone(), vec![part])),
        }
    }
    if let Some((_, parts)) = lines.iter_mut().find(|(name, _)| name == "okta") {
        parts.push(match document.sweep.log_covers_from {
            Some(from) => format!("log covered from {}", view.day(from)),
            None => "log not covered yet".into(),
        });
    }
    let width = lines
        .iter()
        .map(|(name, _)| name.chars().count())
        .max()
        .unwrap_or(0);
    let lines: Vec<String> = lines
        .iter()
        .map(|(name, parts)| view.hanging(&format!("{name:<width$}  "), &parts.join(" · ")))
        .collect();
    lines.join("\n")
}

fn totals(document: &SweepDocument) -> String {
    let counts = &document.counts;
    let number = |number: usize| thousands(number as u64);
    let mut out = String::new();
    if document.sweep.dry_run {
        let _ = writeln!(out, "Dry run: nothing was written anywhere.");
    }
    let _ = write!(
        out,
        "{} · {} managed · {} not managed",
        count(counts.device_users, "device-user"),
        number(counts.managed),
        number(counts.not_managed)
    );
    let proposed = document
        .findings
        .iter()
        .filter(|finding| finding.why_not.is_none())
        .count();
    let in_proposals = match document.proposals.len() {
        0 => String::new(),
        proposals => format!("{} in {}", number(proposed), count(proposals, "proposal")),
    };
    let rows = [
        (counts.stuck, "stuck", in_proposals.as_str()),
        (
            counts.proof_pending,
            "proof pending",
            "a FastPass sign-in is enough",
        ),
        (
            counts.settling,
            "settling",
            "registered, enrolled or repaired a short while ago",
        ),
        (
            counts.out_of_scope,
            "out of scope",
            "excluded, inactive or long unused",
        ),
        (
            counts.stale_list,
            "stale list rows",
            "listed as not managed, managed when read by id",
        ),
        (
            document.unlinked.len(),
            "unlinked",
            "records without a user or without their twin in Okta or MDM",
        ),
        (
            document.upcoming.len(),
            "upcoming",
            "managed; the certificate expired or expires soon",
        ),
    ];
    for (number_of, what, note) in rows {
        if number_of > 0 || matches!(what, "stuck" | "proof pending") {
            let line = format!("{:>8} {what:<16} {note}", number(number_of));
            let _ = write!(out, "\n{}", line.trim_end());
        }
    }
    out
}

/// Causes that hit many at once: what, since when, by which change, and what becomes of their members.
fn fleet(document: &SweepDocument, view: &View) -> String {
    let lines: Vec<String> = document
        .fleet_findings
        .iter()
        .map(|one| view.hanging(&format!("  {:<26} ", one.cause), &fleet_line(one, view)))
        .collect();
    if lines.is_empty() {
        String::new()
    } else {
        format!(" fleet-wide\n{}", lines.join("\n"))
    }
}

fn fleet_line(one: &FleetFinding, view: &View) -> String {
    let id = one.id.as_ref().map(|id| format!("{id}: "));
    let mut text = format!(
        "{}{}",
        id.unwrap_or_default(),
        count(one.affected, "device-user")
    );
    if one.attribute != "org" {
        let attribute = one.attribute.replace('_', " ");
        let _ = write!(text, " with {attribute} {}", one.value);
    }
    if let Some(at) = one.since {
        let _ = write!(text, ", since {}", view.time(at));
    }
    let _ = write!(text, ": not repaired one by one");
    if let Some(change) = &one.change {
        let by = change.by.as_deref().map(|by| format!(" by {by}"));
        let _ = write!(
            text,
            "; probably {}{}",
            change.event,
            by.unwrap_or_default()
        );
    }
    let held = thousands(one.held as u64);
    let let_go = || {
        format!(
            "{} of {} let go are managed again",
            one.managed, one.released
        )
    };
    let _ = match one.state {
        Some(Phase::Open) => write!(text, "; {held} held until a person marks it as fixed"),
        Some(Phase::MarkedFixed) => write!(text, "; marked as fixed, {held} held"),
        Some(Phase::Canary) => write!(text, "; {}, {held} held", let_go()),
        Some(Phase::Resumed) => write!(text, "; {}, nobody is held", let_go()),
        Some(Phase::Closed) | None => Ok(()),
    };
    text
}

/// Findings that share what a row of the table says.
#[derive(Default)]
struct Row {
    devices: BTreeSet<String>,
    mdms: BTreeSet<String>,
    sure: Option<Confidence>,
}

fn causes(document: &SweepDocument, beside: &Beside, view: &View) -> String {
    let mut rows: BTreeMap<(String, String, String), Row> = BTreeMap::new();
    for finding in document
        .findings
        .iter()
        .filter(|finding| finding.why_not != Some(WhyNot::Settling))
    {
        let playbook = finding
            .playbook
            .as_ref()
            .map_or_else(|| "-".to_owned(), ToString::to_string);
        let next = next(finding, &document.proposals, beside);
        let row = rows
            .entry((finding.cause.name().to_owned(), playbook, next))
            .or_default();
        row.devices.insert(computer(finding));
        row.mdms.insert(
            finding
                .mdm
                .as_ref()
                .map_or_else(|| "no MDM".to_owned(), MdmName::to_string),
        );
        row.sure = Some(
            row.sure
                .map_or(finding.confidence, |sure| sure.min(finding.confidence)),
        );
    }
    let mut rows: Vec<_> = rows.into_iter().collect();
    rows.sort_by_key(|(_, row)| std::cmp::Reverse(row.devices.len()));
    let rows = rows
        .into_iter()
        .map(|((cause, playbook, next), row)| {
            let mut cells = vec![
                cause,
                thousands(row.devices.len() as u64),
                row.mdms.into_iter().collect::<Vec<_>>().join(", "),
                row.sure.map(wording::sure).unwrap_or_default().to_owned(),
                next,
            ];
            if view.is_wide() {
                cells.insert(4, playbook);
            }
            cells
        })
        .collect();
    let mut header = vec!["cause", "devices", "mdm", "sure", "next"];
    if view.is_wide() {
        header.insert(4, "playbook");
    }
    view.table(&header, &[1], rows)
}

/// One computer with two users counts once.
fn computer(finding: &Finding) -> String {
    match (&finding.mdm, &finding.mdm_device_id, &finding.device_id) {
        (Some(mdm), Some(id), _) => format!("{mdm}:{id}"),
        (_, _, Some(id)) => id.to_string(),
        _ => wording::who(finding),
    }
}

fn next(finding: &Finding, proposals: &[ProposalSummary], beside: &Beside) -> String {
    if let Some(why_not) = finding.why_not {
        return format!("none: {}", wording::why_not_word(why_not));
    }
    let of = proposals.iter().find(|proposal| {
        proposal.targets.iter().any(|target| {
            Some(&target.device_id) == finding.device_id.as_ref()
                && Some(&target.user_id) == finding.user_id.as_ref()
        })
    });
    let Some(proposal) = of else {
        return "-".into();
    };
    let name = proposal
        .id
        .as_ref()
        .map_or("would be proposed", |id| id.as_str());
    match (
        &proposal.id,
        beside.approvers.get(proposal.playbook.as_str()),
    ) {
        (None, Some(groups)) => format!("{name} to {groups}"),
        (None, None) => name.to_owned(),
        (Some(_), Some(groups)) if proposal.state.is_undecided() => {
            format!("{name} waits for {groups}")
        }
        (Some(_), _) => format!("{name} {}", wording::proposal_state(proposal.state)),
    }
}

fn left_out(document: &SweepDocument, view: &View) -> String {
    let mut groups: BTreeMap<String, (usize, WhyNot, BTreeSet<&str>)> = BTreeMap::new();
    for finding in &document.findings {
        let Some(why_not) = finding.why_not else {
            continue;
        };
        let group =
            groups
                .entry(wording::why_not_word(why_not))
                .or_insert((0, why_not, BTreeSet::new()));
        group.0 += 1;
        group.2.extend(finding.why_not_detail.as_deref());
    }
    let mut groups: Vec<_> = groups.into_iter().collect();
    groups.sort_by_key(|(_, (number, ..))| std::cmp::Reverse(*number));
    let lines: Vec<String> = groups
        .into_iter()
        .map(|(word, (number, why_not, details))| {
            let mut text = wording::why_not(why_not).to_owned();
            // One detail explains all; of many the first would mislead.
            if let Some(detail) = details
                .first()
                .filter(|detail| details.len() == 1 && !text.contains(**detail))
            {
                let _ = write!(text, ": {detail}");
            }
            view.hanging(
                &format!("{:>8} {word:<22} ", thousands(number as u64)),
                &text,
            )
        })
        .collect();
    if lines.is_empty() {
        String::new()
    } else {
        format!(" not proposed\n{}", lines.join("\n"))
    }
}

fn last_line(document: &SweepDocument, beside: &Beside, view: &View) -> String {
    let took = document.sweep.finished_at - document.sweep.started_at;
    let mut parts = vec![wording::span(took)];
    for (source, api) in &document.api {
        let throttled = match api.throttled {
            0 => "none throttled".to_owned(),
            number => format!("{} throttled", thousands(number)),
        };
        let requests = usize::try_from(api.requests).unwrap_or(usize::MAX);
        parts.push(format!(
            "{source} {}, {throttled}",
            count(requests, "request")
        ));
    }
    parts.push(match &beside.next {
        Some(next) => format!("next sweep {next}"),
        None => "no sweep is scheduled".into(),
    });
    super::super::output::wrap(&parts.join(" · "), view.width)
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;
    use serde_json::json;

    use super::super::testing::{plain, view};
    use super::*;

    fn document() -> SweepDocument {
        let finding = |index: usize, cause: &str, extra: serde_json::Value| {
            let mut finding = json!({
                "device_id": format!("guo{index:03}"), "user_id": format!("00u{index:03}"),
                "serial_number": format!("C02{index:03}"), "platform": "MACOS", "mdm": "jamf",
                "mdm_device_id": index.to_string(), "match_strength": "strong", "stage": "cert_present",
                "cause": cause, "confidence": "high", "confirmed": true, "blocked": false, "evidence": [],
                "playbook": "redeliver-scep-profile", "why_not": null, "why_not_detail": null, "retry_at": null
            });
            for (key, value) in extra.as_object().unwrap() {
                finding[key] = value.clone();
            }
            finding
        };
        let weak = json!({"mdm": "intune", "platform": "WINDOWS", "confidence": "medium", "why_not": "weak_match"});
        let unset = json!({"playbook": "move-to-machine-store", "why_not": "repair_not_configured",
            "why_not_detail": "move-to-machine-store needs `machine_profile` and `machine_group`"});
        let settling = json!({"why_not": "settling", "playbook": null});
        serde_json::from_value(json!({
            "sweep": {"id": "s1", "started_at": "2026-11-24T09:59:35Z", "finished_at": "2026-11-24T10:00:00Z",
                "complete": true, "incomplete": [], "dry_run": false, "log_covers_from": "2026-08-26T00:00:00Z"},
            "counts": {"okta_devices": 13000, "device_users": 12480, "managed": 12011, "not_managed": 469,
                "stuck": 97, "proof_pending": 288, "settling": 51, "out_of_scope": 33, "stale_list": 0},
            "findings": [
                finding(1, "cert_expired", json!({})), finding(2, "cert_expired", json!({})),
                finding(3, "cert_missing", weak), finding(4, "shared_user_store_only", unset),
                finding(5, "cert_missing", settling)
            ],
            "unlinked": [], "upcoming": [],
            "fleet_findings": [{"cause": "ca_static_secret_rotated", "attribute": "profile", "value": "Okta SCEP",
                "affected": 34, "since": "2026-11-23T16:00:00Z", "evidence": []}],
            "proposals": [{"id": "P-7F3K2Q", "revision": 1, "playbook": "redeliver-scep-profile",
                "cause": "cert_expired", "plan_digest": "00", "devices": ["guo001", "guo002"],
                "targets": [
                    {"device_id": "guo001", "user_id": "00u001", "mdm": "jamf", "mdm_device_id": "1"},
                    {"device_id": "guo002", "user_id": "00u002", "mdm": "jamf", "mdm_device_id": "2"}],
                "state": "awaiting_approval"}],
            "api": {"okta": {"requests": 31, "throttled": 0}, "jamf": {"requests": 1, "throttled": 2}}
        }))
        .unwrap()
    }

    fn beside() -> Beside {
        Beside {
            read: vec![
                ("okta".into(), "devices".into(), 13_000),
                ("okta".into(), "log events".into(), 48_211),
                ("jamf".into(), "computers".into(), 4_377),
            ],
            approvers: [("redeliver-scep-profile".to_owned(), "@oncall".to_owned())].into(),
            next: Some("Wed 25 Nov 07:00 Europe/Berlin".into()),
        }
    }

    #[test]
    fn a_sweep_fits_80_columns() {
        assert_snapshot!(plain(&sweep(&document(), &beside(), &view(80)), 80));
    }

    #[test]
    fn a_sweep_grows_with_the_terminal() {
        assert_snapshot!(plain(&sweep(&document(), &beside(), &view(120)), 120));
    }

    #[test]
    fn an_incomplete_sweep_says_so_first_and_what_is_therefore_not_proposed() {
        let mut document = document();
        document.sweep.complete = false;
        document.sweep.incomplete = serde_json::from_value(
            json!([{"source": "jamf", "reason": "shrunk: 1,200 records, 4,377 the last time"}]),
        )
        .unwrap();
        let text = plain(&sweep(&document, &beside(), &view(80)), 80);
        let first: Vec<&str> = text.lines().take(4).collect();
        assert_snapshot!(first.join("\n"), @r"
        INCOMPLETE: jamf not read to the end; nothing is proposed for computers of jamf
        or of no MDM.
          jamf     shrunk: 1,200 records, 4,377 the last time
          If it really became smaller: unstuck sweep --accept-shrink NAME
        ");
    }

    #[test]
    fn a_fleet_finding_names_the_change_and_how_far_its_canary_is() {
        let mut document = document();
        let more = json!({"id": "F-7F3K2Q", "cause": "ca_static_secret_rotated", "attribute": "profile",
            "value": "Okta SCEP", "affected": 34, "since": null, "evidence": [], "state": "canary", "computers": 33,
            "held": 33, "released": 1, "managed": 0, "change": {"at": "2026-11-23T16:00:00Z",
            "event": "device.platform.secret_key.reset", "by": "Carla Admin", "to": null}});
        document.fleet_findings = vec![serde_json::from_value(more).unwrap()];
        let text = plain(&sweep(&document, &beside(), &view(240)), 240);
        let line = text
            .lines()
            .find(|line| line.contains("F-7F3K2Q:"))
            .unwrap();
        for part in [
            "34 device-users with profile Okta SCEP",
            "probably device.platform.secret_key.reset by Carla Admin",
            "0 of 1 let go are managed again, 33 held",
        ] {
            assert!(line.contains(part), "{line}");
        }
    }

    #[test]
    fn a_dry_run_names_no_proposal() {
        let mut document = document();
        document.sweep.dry_run = true;
        document.proposals[0].id = None;
        let text = plain(&sweep(&document, &beside(), &view(120)), 120);
        assert!(text.contains("Dry run: nothing was written anywhere."));
        assert!(text.contains("would be proposed to @oncall"), "{text}");
    }
}
