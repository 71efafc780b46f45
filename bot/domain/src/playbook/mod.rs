//! Playbooks: as authored ([`mod@file`]), as validated ([`Playbook`]), and which one fits a diagnosis ([`matching`]).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    ApprovalRule, Cause, MdmKind, OnTimeout, Platform, PlaybookName, Risk, Rollout, VerifyRule,
};

pub mod action;
pub mod condition;
pub mod facts;
pub mod file;
pub mod matching;
pub mod problem;
mod shipped;
mod validate;
mod yaml;

pub use action::Action;
pub use condition::{Condition, Truth};
pub use problem::{Code, Problem};
pub use shipped::shipped;
pub use validate::load;

/// A validated playbook. Whoever holds one need not check it again.
#[derive(Debug, Clone)]
pub struct Playbook {
    /// Its name, which is the name of its folder too.
    pub name: PlaybookName,
    /// Lowercase hex SHA-256 of the file.
    pub version: String,
    /// What it does, in a few words.
    pub title: String,
    /// What it does, in a sentence or two.
    pub summary: String,
    /// The section of Okta's article that it answers.
    pub article: Option<String>,
    /// Risk as authored.
    pub risk: Risk,
    /// What it is for.
    pub applies: Applies,
    /// Who must decide.
    pub approval: ApprovalRule,
    /// What may run without a person.
    pub auto: Auto,
    /// How much at once, and how often.
    pub limits: Limits,
    /// Waves and their gate.
    pub rollout: Rollout,
    /// Steps in order.
    pub steps: Vec<Step>,
    /// What proves success.
    pub verify: VerifyRule,
    /// Whom to tell when it did not help.
    pub otherwise: Option<Otherwise>,
}

/// What a playbook is for.
#[derive(Debug, Clone)]
pub struct Applies {
    /// Causes; never empty.
    pub causes: Vec<Cause>,
    /// Those of them that are tried once, whatever the limits say.
    pub once: Vec<Cause>,
    /// Platforms; empty: every desktop.
    pub platforms: Vec<Platform>,
    /// MDMs; empty: every MDM that its actions support, and none if it needs none.
    pub mdms: Vec<MdmKind>,
    /// What must be true of a subject.
    pub when: Option<Condition>,
}

/// What may run without a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Auto {
    /// Nothing.
    Never,
    /// A single computer.
    Device,
    /// A batch.
    Batch,
    /// Everything.
    Always,
}

/// How much at once, and how often. These may only be tighter than the organisation's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Computers in one proposal.
    pub max_devices: u32,
    /// Share of the in-scope desktop device-users, rounded up.
    pub max_percent: u8,
    /// Time between two repairs of one computer.
    pub cooldown_seconds: u64,
    /// Repairs of one computer before a person must look.
    pub max_attempts: u32,
}

/// One step as authored and checked.
#[derive(Debug, Clone)]
pub struct Step {
    /// Unique within the playbook.
    pub id: String,
    /// What must be true; unknown ends the repair, false skips the step.
    pub condition: Option<Condition>,
    /// What it does.
    pub kind: StepKind,
    /// What a failure of it means for the repair.
    pub on_error: crate::OnError,
}

/// What a step does.
#[derive(Debug, Clone)]
pub enum StepKind {
    /// Runs an action of the registry.
    Act {
        /// Which.
        action: Action,
        /// Its inputs, checked and completed with their defaults; durations are seconds.
        with: BTreeMap<&'static str, u64>,
    },
    /// Waits for a condition.
    Wait {
        /// For what.
        until: Condition,
        /// For how long.
        within_seconds: u64,
        /// What then.
        on_timeout: OnTimeout,
    },
}

/// Whom to tell when a playbook did not help.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Otherwise {
    /// A name of `[approvals.groups]`.
    pub escalate: String,
    /// Kebab- or snake-case reason, for the record.
    pub reason: String,
}

impl Playbook {
    /// Whether a step of it talks to the user.
    pub fn talks_to_user(&self) -> bool {
        self.actions().any(Action::talks_to_user)
    }

    /// Whether a step of it needs an MDM record.
    pub fn needs_mdm(&self) -> bool {
        self.actions().any(Action::needs_mdm)
    }

    /// Repairs of one computer for that cause before a person must look.
    pub fn max_attempts(&self, cause: Cause) -> u32 {
        match self.applies.once.contains(&cause) {
            true => 1,
            false => self.limits.max_attempts,
        }
    }

    /// Its actions, in order.
    pub fn actions(&self) -> impl Iterator<Item = Action> {
        self.steps.iter().filter_map(|step| match &step.kind {
            StepKind::Act { action, .. } => Some(*action),
            StepKind::Wait { .. } => None,
        })
    }
}
