//! The checklist as text: sections, one line per check, what to do below it.

use owo_colors::OwoColorize;

use super::View;
use crate::doctor::{Check, Report, Section, Status};

/// Columns of the status word.
const STATUS: usize = 7;

/// The whole checklist, with its sum.
pub(in crate::cli) fn checklist(report: &Report, view: &View) -> String {
    let width = id_width(report);
    let mut out = String::new();
    let mut section: Option<Section> = None;
    for check in &report.checks {
        if section != Some(check.section) {
            if section.is_some() {
                out.push('\n');
            }
            section = Some(check.section);
            out.push_str(&format!("{}\n", check.section.title().bold()));
        }
        out.push_str(&line(check, width, view));
        out.push('\n');
    }
    out.push('\n');
    out.push_str(&sum(report));
    out
}

/// As wide as the longest id, within reason.
fn id_width(report: &Report) -> usize {
    let ids = report
        .checks
        .iter()
        .map(|check| name(check).chars().count());
    ids.max().unwrap_or(0).min(26)
}

/// The heading says already what an assumption is.
fn name(check: &Check) -> &str {
    check.id.strip_prefix("assumption.").unwrap_or(&check.id)
}

fn line(check: &Check, width: usize, view: &View) -> String {
    let word = match check.status {
        Status::Ok => "ok",
        Status::Warning => "warning",
        Status::Failure => "FAILS",
        Status::Skipped => "skipped",
    };
    let plain = format!("  {word:STATUS$}  {:width$}  ", name(check));
    let saw = match check.status {
        Status::Skipped => format!("({})", check.saw),
        _ => check.saw.clone(),
    };
    let mut text = view.hanging(&plain, &saw);
    // Colour is put in last: it has no width.
    let coloured = match check.status {
        Status::Ok => word.green().to_string(),
        Status::Warning => word.yellow().to_string(),
        Status::Failure => word.red().bold().to_string(),
        Status::Skipped => word.dimmed().to_string(),
    };
    text = text.replacen(word, &coloured, 1);
    if !check.advice.is_empty() {
        let indent = " ".repeat(plain.chars().count());
        text.push('\n');
        text.push_str(&view.hanging(&format!("{indent}→ "), &check.advice));
    }
    text
}

fn sum(report: &Report) -> String {
    let count = |status, one: &str, more: &str| {
        let count = report.count(status);
        format!("{count} {}", if count == 1 { one } else { more })
    };
    let failures = count(Status::Failure, "fails", "fail");
    format!(
        "{}, {}, {}, {}",
        count(Status::Ok, "ok", "ok"),
        count(Status::Warning, "warning", "warnings"),
        if report.ok {
            failures
        } else {
            failures.red().bold().to_string()
        },
        count(Status::Skipped, "skipped", "skipped"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::render::testing::{plain, view};

    fn check(id: &str, section: Section, status: Status, saw: &str, advice: &str) -> Check {
        Check {
            id: id.into(),
            section,
            status,
            saw: saw.into(),
            advice: advice.into(),
        }
    }

    #[test]
    fn a_checklist_names_what_was_seen_and_what_to_do_within_80_columns() {
        let report = Report {
            ok: false,
            checks: vec![
                check(
                    "okta.org",
                    Section::Access,
                    Status::Ok,
                    "00o1, Identity Engine",
                    "",
                ),
                check(
                    "okta.repair_rights",
                    Section::Access,
                    Status::Skipped,
                    "[safety] mode = \"observe\" repairs nothing",
                    "",
                ),
                check(
                    "jamf.scep_url",
                    Section::Authority,
                    Status::Failure,
                    "\"Okta SCEP\": the SCEP configuration rac1 is not in Okta any more",
                    "copy the SCEP URL anew from Okta and try it on one device",
                ),
            ],
        };
        let expected = [
            "Access",
            "  ok       okta.org            00o1, Identity Engine",
            r#"  skipped  okta.repair_rights  ([safety] mode = "observe" repairs nothing)"#,
            "",
            "1 Certificate authority configuration",
            r#"  FAILS    jamf.scep_url       "Okta SCEP": the SCEP configuration rac1 is not"#,
            "                               in Okta any more",
            "                               → copy the SCEP URL anew from Okta and try it on",
            "                                 one device",
            "",
            "1 ok, 0 warnings, 1 fails, 1 skipped",
        ];
        assert_eq!(
            plain(&checklist(&report, &view(80)), 80),
            expected.join("\n")
        );
    }
}
