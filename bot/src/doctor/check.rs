//! One check and its answer.

use serde::{Deserialize, Serialize};

/// How a check came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// As it should be.
    Ok,
    /// It works, and a person should look at it.
    Warning,
    /// It keeps devices from becoming managed, or the bot from its work.
    Failure,
    /// Not judged; `saw` says why.
    Skipped,
}

/// Parts of the checklist: the six sections of Okta's article between what the bot itself needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Section {
    /// Credentials, rights, clocks.
    Access,
    /// The article, 1.
    Authority,
    /// The article, 2.
    ScepProfile,
    /// The article, 3.
    Certificate,
    /// The article, 4.
    Fastpass,
    /// The article, 5.
    SharedDevices,
    /// The article, 6.
    SsoExtension,
    /// Groups, categories and scripts that repairs use.
    RepairTargets,
    /// Slack and the people who approve.
    People,
    /// What the bot believes of the vendors and no document settles.
    Assumptions,
}

impl Section {
    /// Its heading.
    pub fn title(self) -> &'static str {
        match self {
            Self::Access => "Access",
            Self::Authority => "1 Certificate authority configuration",
            Self::ScepProfile => "2 SCEP profile deployment",
            Self::Certificate => "3 Certificate on the device",
            Self::Fastpass => "4 FastPass and its policy",
            Self::SharedDevices => "5 Shared devices",
            Self::SsoExtension => "6 SSO extension on macOS",
            Self::RepairTargets => "Repair targets",
            Self::People => "Slack and approvers",
            Self::Assumptions => "Assumptions",
        }
    }
}

/// One line of the checklist.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// Stable name: `okta.…`, `<mdm>.…`, `slack.…`, or the subject itself.
    pub id: String,
    /// Where it stands.
    pub section: Section,
    /// How it came out.
    pub status: Status,
    /// What was seen; for a skipped one why it was not judged.
    pub saw: String,
    /// What to do; empty where there is nothing to do.
    #[serde(rename = "do")]
    pub advice: String,
}

/// The whole checklist.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Whether no check failed.
    pub ok: bool,
    /// The checks, in the article's order.
    pub checks: Vec<Check>,
}

impl Report {
    /// How many checks came out so.
    pub fn count(&self, status: Status) -> usize {
        self.checks
            .iter()
            .filter(|check| check.status == status)
            .count()
    }
}

/// Gathers checks, section by section.
pub(super) struct Checklist {
    section: Section,
    checks: Vec<Check>,
}

impl Checklist {
    pub(super) fn new() -> Self {
        Self {
            section: Section::Access,
            checks: Vec::new(),
        }
    }

    /// What follows belongs to this section.
    pub(super) fn section(&mut self, section: Section) {
        self.section = section;
    }

    pub(super) fn ok(&mut self, id: impl Into<String>, saw: impl Into<String>) {
        self.push(id, Status::Ok, saw, "");
    }

    pub(super) fn warning(
        &mut self,
        id: impl Into<String>,
        saw: impl Into<String>,
        advice: impl Into<String>,
    ) {
        self.push(id, Status::Warning, saw, advice);
    }

    pub(super) fn failure(
        &mut self,
        id: impl Into<String>,
        saw: impl Into<String>,
        advice: impl Into<String>,
    ) {
        self.push(id, Status::Failure, saw, advice);
    }

    pub(super) fn skipped(&mut self, id: impl Into<String>, why: impl Into<String>) {
        self.push(id, Status::Skipped, why, "");
    }

    pub(super) fn push(
        &mut self,
        id: impl Into<String>,
        status: Status,
        saw: impl Into<String>,
        advice: impl Into<String>,
    ) {
        self.checks.push(Check {
            id: id.into(),
            section: self.section,
            status,
            saw: saw.into(),
            advice: advice.into(),
        });
    }

    /// Whether a check that ran before failed; what depends on it is not judged again.
    pub(super) fn failed(&self, id: &str) -> bool {
        self.checks
            .iter()
            .any(|check| check.id == id && check.status == Status::Failure)
    }

    pub(super) fn finish(self) -> Report {
        let failed = |check: &Check| check.status == Status::Failure;
        Report {
            ok: !self.checks.iter().any(failed),
            checks: self.checks,
        }
    }
}
