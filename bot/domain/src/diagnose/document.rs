//! The catalogue as a document, written from the entries themselves.

use std::fmt::Write;

use crate::{
    Cause, Confidence,
    playbook::{load, shipped},
};

use super::entry::{self, Entry, Prove, Section};

const HEAD: &str = "\
# The catalogue of causes

Written from the entries in `src/diagnose/` by a test; do not edit by hand. The code's own words decide.

An entry is asked in the order of `src/diagnose/order.rs`, and the first that proves itself is the answer. *Confidence* is \
the best that an entry can reach: *high*, one value proves it; *medium*, two signals agree; *low*, by elimination. A list \
row that was not read by id, a match by user and name, and a belief about a vendor that the org contradicts each count \
against it. What cannot be told is `insufficient_evidence`.

*Next* is the shipped playbook that matches, or what a person does.
";

/// The whole catalogue in Markdown.
pub fn document() -> String {
    let mut text = HEAD.to_owned();
    for section in Section::ALL {
        let mut entries: Vec<&Entry> = Cause::ALL
            .iter()
            .filter_map(|cause| entry::of(*cause))
            .filter(|entry| entry.section == section)
            .collect();
        entries.sort_by_key(|entry| entry.cause.code());
        let _ = write!(
            text,
            "\n## {}\n\n| Code | Name | Platforms | MDMs | Evidence | Confidence | Next |\n|---|---|---|---|---|---|---|\n",
            section.title()
        );
        for entry in entries {
            let _ = writeln!(
                text,
                "| {} | `{}` | {} | {} | {} | {} | {} |",
                entry.cause.code(),
                entry.cause.name(),
                entry.on.name(),
                entry.mdms,
                evidence(entry),
                word(entry.confidence),
                next(entry),
            );
        }
    }
    text
}

/// What a person does about a cause; `None` where the evidence does not decide.
pub fn by_hand(cause: Cause) -> Option<&'static str> {
    entry::of(cause).map(|entry| entry.person)
}

fn evidence(entry: &Entry) -> String {
    match entry.prove {
        Prove::OfUser(_) => entry.evidence.to_owned(),
        Prove::Elsewhere(place) => format!("{} (in {place})", entry.evidence),
    }
}

fn word(confidence: Confidence) -> &'static str {
    match confidence {
        Confidence::High => "high",
        Confidence::Medium => "medium",
        Confidence::Low => "low",
    }
}

fn next(entry: &Entry) -> String {
    let playbooks: Vec<String> = shipped()
        .iter()
        .filter_map(|(name, text)| load(name, text).ok())
        .filter(|playbook| playbook.applies.causes.contains(&entry.cause))
        .map(|playbook| format!("`{}`", playbook.name))
        .collect();
    match playbooks.is_empty() {
        true => entry.person.to_owned(),
        false => format!("{}; else: {}", playbooks.join(", "), entry.person),
    }
}
