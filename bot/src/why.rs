//! Why one computer is not managed, from what the store knows: the command line and Slack tell the same answer. No
//! vendor is asked.

mod answer;
mod lookup;
mod timeline;

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::{
    domain::{Finding, ProposalId, verify::ProvedBy},
    store::{Store, SubjectRecord},
};

/// What is known of one subject.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Its row in the store; none for a record that only an MDM has.
    pub subject: Option<SubjectRecord>,
    /// Its finding, if it has one that is open.
    pub finding: Option<Finding>,
    /// That a repair made it managed, if nothing was found since.
    pub proof: Option<Proof>,
    /// When the finding was last seen.
    pub seen_at: Option<DateTime<Utc>>,
    /// What happened before, oldest first.
    pub history: Vec<Line>,
    /// What happens next, in a sentence or two.
    pub next: String,
}

impl Answer {
    /// Whether Okta showed the subject as managed when it was last listed, or its repair was proved, and nothing said
    /// otherwise since.
    pub fn is_managed(&self) -> bool {
        let listed = self
            .subject
            .as_ref()
            .is_some_and(|subject| subject.document["managed"].as_bool() == Some(true));
        self.finding.is_none() && (listed || self.proof.is_some())
    }
}

/// The proof that a repair worked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Proof {
    /// When.
    pub at: DateTime<Utc>,
    /// By what.
    pub by: Option<ProvedBy>,
    /// The proposal of the repair.
    pub proposal: ProposalId,
    /// All of it in one sentence.
    pub text: String,
}

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Line {
    /// When.
    pub at: DateTime<Utc>,
    /// Who knows it: `unstuck`, `okta log`, or the `[[mdm]]` name.
    pub source: String,
    /// A word: opened, changed, closed, proposed, approved, denied, repair, …
    pub change: String,
    /// What, for people.
    pub text: String,
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

/// What a question found.
#[derive(Debug, Clone)]
pub struct Answers {
    /// One per subject, at most twenty.
    pub answers: Vec<Answer>,
    /// Whether there were more.
    pub more: bool,
    /// If there is none: names that come near.
    pub near: Vec<String>,
}

/// Answers a question: a serial number, an Okta or MDM device id, a login, or the name of a computer.
pub async fn ask(store: &Store, query: &str, now: DateTime<Utc>) -> anyhow::Result<Answers> {
    let found = lookup::find(store, query).await?;
    let mut answers = Vec::with_capacity(found.keys.len());
    for key in &found.keys {
        answers.push(answer::answer(store, key, now).await?);
    }
    Ok(Answers {
        answers,
        more: found.more,
        near: found.near,
    })
}
