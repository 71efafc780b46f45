//! What an entry of the catalogue answers.

use crate::{Cause, Confidence, Evidence, Want};

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

/// The cause, as sure as the catalogue is of it.
pub(super) fn cause(cause: Cause, confidence: Confidence, evidence: Vec<Evidence>) -> Verdict {
    Verdict::Cause(Box::new(Found {
        cause,
        confidence,
        evidence,
        wants: Vec::new(),
    }))
}

/// It cannot be told, because of that.
pub(super) fn not_enough(reason: &'static str) -> Verdict {
    Verdict::NotEnoughEvidence(Gap::new(reason))
}
