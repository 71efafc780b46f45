//! `/unstuck why …`: a sentence that can be forwarded, what comes next, what happened, what was ruled out.

use crate::{
    chat::mrkdwn::{code, date_time, escape},
    domain::Finding,
    why::{Answer, Answers},
    wording,
};

/// Most computers that one answer shows.
const MOST_SHOWN: usize = 5;
/// Most lines of what happened, the latest ones; none where several computers are shown.
const MOST_LINES: usize = 8;

/// The answer, as Slack's markup.
pub(super) fn why(query: &str, found: &Answers) -> String {
    if found.answers.is_empty() {
        let near = match found.near.as_slice() {
            [] => String::new(),
            near => format!(
                " Did you mean {}?",
                near.iter()
                    .map(|name| code(name))
                    .collect::<Vec<_>>()
                    .join(", ")
            ),
        };
        return format!(
            "No sweep has seen {}: no computer, serial number or login of that name.{near}",
            code(query)
        );
    }
    let alone = found.answers.len() == 1;
    let mut parts: Vec<String> = found
        .answers
        .iter()
        .take(MOST_SHOWN)
        .map(|answer| one(answer, alone))
        .collect();
    let left = found.answers.len().saturating_sub(MOST_SHOWN);
    if left > 0 || found.more {
        let more = if found.more {
            "more".to_owned()
        } else {
            format!("{left} more")
        };
        parts.push(format!("and {more}; ask for one computer"));
    }
    parts.join("\n\n")
}

fn one(answer: &Answer, whole: bool) -> String {
    let mut lines = vec![format!("*{}*: {}", escape(&name(answer)), standing(answer))];
    match (&answer.finding, &answer.proof) {
        (Some(finding), _) => lines.push(escape(&wording::sentence(finding))),
        (None, Some(proof)) => lines.push(escape(&proof.text)),
        (None, None) if answer.is_managed() => {
            lines.push("Okta showed it as managed when it was last listed.".into());
        }
        (None, None) => lines.push(
            "It has no open finding: it is out of scope, or was not seen by the last sweep.".into(),
        ),
    }
    lines.push(format!("Next: {}", escape(&answer.next)));
    if let Some(finding) = &answer.finding {
        lines.push(format!("Sure: {}.", wording::sure(finding.confidence)));
    }
    if whole {
        lines.extend(happened(answer));
        lines.extend(answer.finding.as_ref().and_then(rivals));
    }
    lines.join("\n")
}

fn name(answer: &Answer) -> String {
    match (&answer.finding, &answer.subject) {
        (Some(finding), _) => wording::who(finding),
        (None, Some(subject)) => {
            let device = subject.document["device_name"]
                .as_str()
                .or(subject.serial_number.as_deref())
                .unwrap_or("a computer without a name");
            match &subject.login {
                Some(login) => format!("{device} · {login}"),
                None => device.to_owned(),
            }
        }
        (None, None) => "a computer without a name".into(),
    }
}

fn standing(answer: &Answer) -> &'static str {
    match &answer.finding {
        Some(finding) if finding.user_id.is_none() => "unlinked",
        _ if answer.is_managed() => "managed",
        _ => "not managed",
    }
}

fn happened(answer: &Answer) -> Option<String> {
    let from = answer.history.len().saturating_sub(MOST_LINES);
    let lines: Vec<String> = answer.history[from..]
        .iter()
        .map(|line| {
            format!(
                "• {} – {}: {}",
                date_time(line.at),
                escape(&line.source),
                escape(&line.text)
            )
        })
        .collect();
    (!lines.is_empty()).then(|| format!("\n_What happened_\n{}", lines.join("\n")))
}

fn rivals(finding: &Finding) -> Option<String> {
    let (open, excluded): (Vec<_>, Vec<_>) = finding
        .rivals
        .iter()
        .partition(|rival| rival.check.is_some());
    let mut lines = Vec::new();
    if !excluded.is_empty() {
        let each = excluded
            .iter()
            .map(|rival| format!("{} ({})", rival.cause.title(), rival.excluded_by));
        let each: Vec<String> = each.collect();
        lines.push(format!("_Ruled out_: {}", escape(&each.join(" · "))));
    }
    if !open.is_empty() {
        let each = open.iter().map(|rival| {
            let check = rival.check.as_deref().unwrap_or_default();
            format!("{} ({check})", rival.cause.title())
        });
        let each: Vec<String> = each.collect();
        lines.push(format!("_To check by hand_: {}", escape(&each.join(" · "))));
    }
    (!lines.is_empty()).then(|| lines.join("\n"))
}
