//! `unstuck why QUERY`: why one computer is not managed, from what the store knows; no vendor is asked.

mod lookup;
mod next;
mod timeline;

use chrono::{DateTime, Utc};
use clap::Args;
use serde::Serialize;
use serde_json::{Value, json as value};

use super::{
    Outcome,
    database::for_reading,
    output::{Context, json, line, width, wrap},
    render::{View, why as render},
};
use crate::{
    app::Parts,
    domain::{Finding, ProposalId, Rival, verify::ProvedBy},
    store::SubjectRecord,
};

/// Arguments.
#[derive(Debug, Args)]
pub(super) struct WhyArgs {
    /// Serial number, Okta device id, login or name of the computer
    query: String,
    /// Print one JSON document
    #[arg(long)]
    pub(super) json: bool,
}

/// What is known of one subject.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    /// Its row in the store; none for a record that only an MDM has.
    pub(super) subject: Option<SubjectRecord>,
    /// Its finding, if it has one that is open.
    pub(super) finding: Option<Finding>,
    /// That a repair made it managed, if nothing was found since.
    pub(super) proof: Option<Proof>,
    /// When the finding was last seen.
    pub(super) seen_at: Option<DateTime<Utc>>,
    /// What happened before, oldest first.
    pub(super) history: Vec<Line>,
    /// What happens next, in a sentence or two.
    pub(super) next: String,
}

/// The proof that a repair worked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Proof {
    /// When.
    pub(super) at: DateTime<Utc>,
    /// By what.
    pub(super) by: Option<ProvedBy>,
    /// The proposal of the repair.
    pub(super) proposal: ProposalId,
    /// All of it in one sentence.
    pub(super) text: String,
}

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Line {
    /// When.
    pub(super) at: DateTime<Utc>,
    /// Who knows it: `unstuck`, `okta log`, or the `[[mdm]]` name.
    pub(super) source: String,
    /// A word: opened, changed, closed, proposed, approved, denied, repair, …
    pub(super) change: String,
    /// What, for people.
    pub(super) text: String,
}

impl Line {
    fn new(at: DateTime<Utc>, source: &str, change: &str, text: String) -> Self {
        Self {
            at,
            source: source.into(),
            change: change.into(),
            text,
        }
    }
}

/// Runs the command. Exit 1 if nothing is found.
pub(super) async fn run(context: &Context, args: WhyArgs) -> anyhow::Result<Outcome> {
    let settings = context.settings()?;
    let store = for_reading(&settings).await?;
    let now = Parts::of(&settings).clock.now();
    let found = lookup::find(&store, &args.query).await?;
    let mut answers = Vec::with_capacity(found.keys.len());
    for key in &found.keys {
        answers.push(next::answer(&store, key, now).await?);
    }
    store.close().await;
    if args.json {
        json(&value!({ "subjects": answers.iter().map(document).collect::<Vec<_>>() }))?;
    } else if answers.is_empty() {
        line(&wrap(&render::not_found(&args.query, &found.near), width()));
    } else {
        let view = View::here(now);
        let texts: Vec<String> = answers
            .iter()
            .map(|answer| render::why(answer, &view))
            .collect();
        line(&texts.join("\n\n"));
        if found.more {
            line(&format!(
                "\nOnly the first {} are shown; ask for one of them.",
                answers.len()
            ));
        }
    }
    Ok(if answers.is_empty() {
        Outcome::Incomplete
    } else {
        Outcome::Done
    })
}

/// The finding's own keys, with rivals, history and what happens next beside them.
fn document(answer: &Answer) -> Value {
    let rivals: &[Rival] = answer
        .finding
        .as_ref()
        .map_or(&[], |finding| &finding.rivals);
    let mut document = match (&answer.finding, &answer.subject) {
        (Some(finding), _) => value!(finding),
        (None, Some(subject)) => value!({
            "device_id": subject.device_id, "user_id": subject.user_id, "login": subject.document["login"],
            "serial_number": subject.document["serial_number"], "platform": subject.document["platform"],
            "device_name": subject.document["device_name"], "mdm": subject.mdm,
            "mdm_device_id": subject.mdm_device_id, "cause": null,
        }),
        (None, None) => value!({}),
    };
    document["managed"] = value!(is_managed(answer));
    document["proved"] = value!(answer.proof);
    document["rivals"] = value!(rivals);
    document["history"] = value!(answer.history);
    document["next"] = value!(answer.next);
    document
}

/// Whether Okta showed the subject as managed when it was last listed, or its repair was proved, and nothing said
/// otherwise since.
pub(super) fn is_managed(answer: &Answer) -> bool {
    let listed = answer
        .subject
        .as_ref()
        .is_some_and(|subject| subject.document["managed"].as_bool() == Some(true));
    answer.finding.is_none() && (listed || answer.proof.is_some())
}
