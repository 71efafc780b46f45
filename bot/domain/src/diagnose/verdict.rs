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
    /// Something speaks for it, and no API can prove or exclude it for one device: a person checks it.
    Open(Open),
}

/// A cause that is left to a person.
#[derive(Debug, Clone, Copy)]
pub(super) struct Open {
    /// What speaks for it, and why it stays open.
    pub(super) because: &'static str,
    /// How a person checks it.
    pub(super) check: &'static str,
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

    /// The words in which the source tells of it, where it has some.
    pub(super) fn worded(mut self, error: Option<&str>) -> Self {
        self.error = error.map(str::to_owned);
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

/// Left to a person.
pub(super) fn open(because: &'static str, check: &'static str) -> Verdict {
    Verdict::Open(Open { because, check })
}

/// It cannot be told, because of that.
pub(super) fn not_enough(reason: &'static str) -> Verdict {
    Verdict::NotEnoughEvidence(Gap::new(reason))
}
