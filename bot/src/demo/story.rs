//! What happened, in lines: the difference between two pictures of the store, worded.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::picture::{self, Picture, Planned};
use crate::{
    domain::{Finding, Hop, MdmKind, Platform, ProposalState, RepairState, verify::HopState},
    report::SweepDocument,
    store::{ProposalRecord, Verdict},
    wording,
    words::count,
};

/// What a line is about; the second column of the terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A sweep ended.
    Sweep,
    /// What it found.
    Why,
    /// A card waits.
    Ask,
    /// Somebody decided.
    You,
    /// The first computers of a run move.
    Canary,
    /// Others move.
    Repair,
    /// Okta says managed, and it is proved.
    Proved,
    /// A repair ended otherwise.
    Ended,
    /// The visitor broke or mended something.
    Break,
}

impl Kind {
    /// The word in the second column.
    pub fn word(self) -> &'static str {
        match self {
            Self::Sweep => "sweep",
            Self::Why => "why",
            Self::Ask => "ask",
            Self::You => "you",
            Self::Canary => "canary",
            Self::Repair => "repair",
            Self::Proved => "proved",
            Self::Ended => "ended",
            Self::Break => "break",
        }
    }
}

/// One line of the story.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Line {
    /// Simulated time.
    pub at: DateTime<Utc>,
    /// What it is about.
    pub kind: Kind,
    /// In words.
    pub words: String,
}

impl Line {
    /// As the terminal has it: `Mon 09:00  sweep    240 computers: 221 managed, 19 not`
    pub fn text(&self) -> String {
        format!("{}{}", self.head(), self.words)
    }

    /// The first two columns.
    pub fn head(&self) -> String {
        format!("{}  {:<8} ", self.at.format("%a %H:%M"), self.kind.word())
    }
}

/// What is new in `after`.
pub(super) fn news(
    before: &Picture,
    after: &Picture,
    now: DateTime<Utc>,
    name: impl Fn(&str) -> String,
) -> Vec<Line> {
    let mut lines = Vec::new();
    let mut say = |kind, words: String| {
        lines.push(Line {
            at: now,
            kind,
            words,
        })
    };
    let id = |picture: &Picture| picture.sweep.as_ref().map(|sweep| sweep.sweep.id.clone());
    if let Some(sweep) = after.sweep.as_ref().filter(|_| id(before) != id(after)) {
        say(Kind::Sweep, swept(sweep));
        if let Some(words) = causes(&sweep.findings) {
            say(Kind::Why, words);
        }
        let new = |proposal: &&ProposalRecord| proposal.created_at >= sweep.sweep.started_at;
        let waiting = after
            .proposals
            .iter()
            .filter(|one| one.state.is_undecided())
            .count();
        if waiting > 0 && after.proposals.iter().any(|proposal| new(&proposal)) {
            let verb = if waiting == 1 { "waits" } else { "wait" };
            say(
                Kind::Ask,
                format!("{} {verb} in #fleet-repairs", count(waiting, "card")),
            );
        }
    }
    for proposal in &after.proposals {
        let known = before.decisions.get(&proposal.id).map_or(0, Vec::len);
        for decision in after
            .decisions
            .get(&proposal.id)
            .into_iter()
            .flatten()
            .skip(known)
        {
            let verb = match decision.verdict {
                Verdict::Approve => "approved",
                Verdict::Deny => "denied",
            };
            say(
                Kind::You,
                format!(
                    "{} {verb} {}: {}",
                    name(&decision.person),
                    proposal.id,
                    headline(proposal)
                ),
            );
        }
        let state = before.proposal(&proposal.id).map(|known| known.state);
        if state != Some(proposal.state)
            && let Some(words) = closed(proposal.state)
        {
            say(
                Kind::Ended,
                format!("{} {words}: {}", proposal.id, headline(proposal)),
            );
        }
    }
    let known: HashMap<_, _> = before
        .repairs
        .iter()
        .map(|repair| (&repair.id, repair))
        .collect();
    for planned in after.all_planned() {
        let known = known.get(&planned.record.id);
        if known.is_none_or(|known| known.version != planned.record.version)
            && let Some((kind, words)) = moved(
                known.map(|known| (&known.state, picture::progress(known))),
                planned,
            )
        {
            say(kind, words);
        }
    }
    lines
}

fn swept(sweep: &SweepDocument) -> String {
    let counts = &sweep.counts;
    let mut words = format!(
        "{}: {} managed, {} not",
        count(counts.device_users, "device-user"),
        counts.managed,
        counts.not_managed
    );
    for missing in &sweep.sweep.incomplete {
        words.push_str(&format!(
            " · {} could not be read to the end, nothing is proposed from it",
            missing.source
        ));
    }
    words
}

/// `6 certificate expired · 5 …`, the most frequent first.
fn causes(findings: &[Finding]) -> Option<String> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for finding in findings {
        *counts.entry(finding.cause.title()).or_default() += 1;
    }
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_by_key(|(title, number)| (std::cmp::Reverse(*number), *title));
    let parts: Vec<String> = counts
        .iter()
        .map(|(title, number)| format!("{number} {}", lower(title)))
        .collect();
    (!parts.is_empty()).then(|| parts.join(" · "))
}

/// Sentence case to the middle of a line; abbreviations stay.
fn lower(title: &str) -> String {
    let mut letters = title.chars();
    match (letters.next(), letters.clone().next()) {
        (Some(first), Some(second)) if !second.is_uppercase() => {
            first.to_lowercase().chain(letters).collect()
        }
        _ => title.to_owned(),
    }
}

/// `Re-push the SCEP profile (6 Macs)`
pub(super) fn headline(proposal: &ProposalRecord) -> String {
    let computers = wording::computers(&proposal.plan, |repair| match repair.mdm_kind {
        Some(MdmKind::Jamf) => Platform::Macos,
        _ => Platform::Windows,
    });
    format!("{} ({computers})", proposal.plan.title)
}

/// States that end a proposal without a decision.
fn closed(state: ProposalState) -> Option<&'static str> {
    match state {
        ProposalState::Expired => Some("expired undecided"),
        ProposalState::Superseded => Some("was superseded by newer evidence"),
        ProposalState::Cured => Some("is not needed any more"),
        ProposalState::Stopped => Some("was stopped"),
        _ => None,
    }
}

/// One step of a repair, if people would call it one.
fn moved(
    before: Option<(&RepairState, crate::executor::Progress)>,
    planned: Planned<'_>,
) -> Option<(Kind, String)> {
    let Planned {
        record, plan, run, ..
    } = planned;
    let device = &plan.device_name;
    let moving = if run.wave <= 1 {
        Kind::Canary
    } else {
        Kind::Repair
    };
    let state = &record.state;
    if state.is_end() {
        return (before.as_ref().map(|(before, _)| *before) != Some(state)).then(|| ended(planned));
    }
    let proved = |progress: &crate::executor::Progress, hop: Hop| {
        progress
            .hops
            .iter()
            .any(|one| one.hop == hop && matches!(one.state, HopState::Proved { .. }))
    };
    let now = picture::progress(record);
    let (before_state, before_progress) = before?;
    if proved(&now, Hop::CertPresent) && !proved(&before_progress, Hop::CertPresent) {
        return Some((
            moving,
            format!("{device} … certificate delivered, waits for a FastPass sign-in"),
        ));
    }
    if state.waits_for_sign_in() && !before_state.waits_for_sign_in() {
        let person = plan
            .subjects
            .first()
            .map_or("the owner", |subject| first_name(subject));
        return Some((
            moving,
            format!("{device} … {person} is asked to sign in once with FastPass"),
        ));
    }
    let idle = |state: &RepairState| matches!(state, RepairState::Queued | RepairState::Preflight);
    (idle(before_state) && !idle(state)).then(|| {
        (
            moving,
            format!("{device} … begun: {}", lower(planned.title)),
        )
    })
}

fn ended(planned: Planned<'_>) -> (Kind, String) {
    let Planned { record, plan, .. } = planned;
    let device = &plan.device_name;
    match &record.state {
        RepairState::Managed => {
            let person = plan
                .subjects
                .first()
                .map_or("the owner", |subject| first_name(subject));
            (
                Kind::Proved,
                format!("{device} is managed again ({person} signed in with FastPass)"),
            )
        }
        state => (
            Kind::Ended,
            format!("{device} … {}", wording::repair_state(state)),
        ),
    }
}

/// `ann`
fn first_name(subject: &crate::domain::PlannedSubject) -> &str {
    match &subject.name {
        Some(name) => name.split(' ').next().unwrap_or(name),
        None => subject
            .login
            .split(['@', '.'])
            .next()
            .unwrap_or(&subject.login),
    }
}

/// What was found, repaired, refused and is waiting.
pub(super) fn summary(picture: &Picture) -> Vec<String> {
    let Some(sweep) = &picture.sweep else {
        return vec!["No sweep has ended yet.".into()];
    };
    let computers = |number: usize| count(number, "computer");
    let waiting = picture.count(|state| !state.is_end());
    let undecided = picture.computers(|one| one.state.is_undecided());
    vec![
        format!(
            "found     {} of {} not managed",
            sweep.counts.not_managed,
            count(sweep.counts.device_users, "device-user")
        ),
        format!(
            "repaired  {} managed again, proved in Okta",
            computers(picture.count(|state| *state == RepairState::Managed))
        ),
        format!(
            "refused   {} in denied proposals",
            computers(picture.computers(|one| one.state == ProposalState::Denied))
        ),
        format!(
            "waiting   {} under repair, {} for a decision",
            computers(waiting),
            computers(undecided)
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_fits_its_columns() {
        let line = Line {
            at: super::super::monday_morning(),
            kind: Kind::Ask,
            words: "4 cards wait".into(),
        };
        assert_eq!(line.text(), "Mon 09:00  ask      4 cards wait");
    }

    #[test]
    fn abbreviations_keep_their_capitals() {
        assert_eq!(lower("Certificate expired"), "certificate expired");
        assert_eq!(lower("SCEP failed"), "SCEP failed");
    }

    #[test]
    fn nothing_new_is_no_news() {
        let picture = Picture::default();
        assert_eq!(
            news(
                &picture,
                &picture,
                super::super::monday_morning(),
                str::to_owned
            ),
            Vec::new()
        );
    }
}
