//! What an entry of the catalogue answers.

use std::borrow::Cow;

use chrono::{DateTime, Utc};

use crate::{Cause, Confidence, Evidence, Symptom, Want};

/// An entry's answer about one subject.
#[derive(Debug)]
pub(super) enum Verdict {
    /// It is this.
    Cause(Box<Found>),
    /// It is not this, and what excludes it.
    NoFault(&'static str),
    /// It cannot be told.
    NotEnoughEvidence(Gap),
}

/// A proved cause.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) cause: Cause,
    pub(super) confidence: Confidence,
    pub(super) evidence: Vec<Evidence>,
    pub(super) wants: Vec<Want>,
    error: Option<String>,
    since: Option<DateTime<Utc>>,
}

impl Found {
    /// The cause, as sure as the catalogue is of it.
    pub(super) fn new(cause: Cause, confidence: Confidence, evidence: Vec<Evidence>) -> Self {
        Self {
            cause,
            confidence,
            evidence,
            wants: Vec::new(),
            error: None,
            since: None,
        }
    }

    /// When the fault itself began.
    pub(super) fn since(mut self, since: Option<DateTime<Utc>>) -> Self {
        self.since = since;
        self
    }

    /// The words in which the source tells of it.
    pub(super) fn error(mut self, error: &str) -> Self {
        self.error = Some(error.to_owned());
        self
    }

    /// What would make it surer.
    pub(super) fn wanting(mut self, want: Option<Want>) -> Self {
        self.wants.extend(want);
        self
    }

    pub(super) fn symptom(&mut self) -> Symptom {
        Symptom {
            text: match self.error.take() {
                Some(error) => Cow::Owned(error),
                None => Cow::Borrowed(self.cause.name()),
            },
            since: self.since,
        }
    }
}

impl From<Found> for Verdict {
    fn from(found: Found) -> Self {
        Self::Cause(Box::new(found))
    }
}

/// What is missing.
#[derive(Debug)]
pub(super) struct Gap {
    pub(super) reason: &'static str,
    pub(super) want: Option<Want>,
}

impl Gap {
    pub(super) fn new(reason: &'static str) -> Self {
        Self { reason, want: None }
    }

    pub(super) fn wanting(mut self, want: Want) -> Self {
        self.want = Some(want);
        self
    }
}

impl From<Gap> for Verdict {
    fn from(gap: Gap) -> Self {
        Self::NotEnoughEvidence(gap)
    }
}

/// It cannot be told, because of that.
pub(super) fn not_enough(reason: &'static str) -> Verdict {
    Verdict::NotEnoughEvidence(Gap::new(reason))
}
