//! Steps: an action with its inputs, or a wait.

use std::collections::{BTreeMap, BTreeSet};

use super::values::{DAY, HOUR, MINUTE};
use super::{Check, Code, Place, Spanned};
use crate::playbook::action::{Action, ValueKind};
use crate::playbook::condition::Condition;
use crate::playbook::file::{StepFile, WithFile};
use crate::playbook::problem::nearest;
use crate::playbook::{Step, StepKind};
use crate::{OnError, OnTimeout};

impl Check<'_> {
    pub(super) fn steps(
        &mut self,
        steps: Option<Spanned<Vec<Spanned<StepFile>>>>,
        whole: Place,
    ) -> Option<Vec<Step>> {
        let steps = self.required(steps, whole, "steps")?;
        if steps.value.is_empty() {
            self.problems.add(
                steps.place,
                Code::NoSteps,
                "there are no steps",
                "a playbook does something",
            );
            return None;
        }
        let mut ids = BTreeSet::new();
        let mut checked = Vec::new();
        for step in steps.value {
            let place = step.place;
            if let Some(id) = step
                .value
                .id
                .as_ref()
                .filter(|id| !ids.insert(id.value.clone()))
            {
                self.problems.add(
                    id.place,
                    Code::DuplicateStep,
                    format!("a second step {}", id.value),
                    "give each step an id of its own",
                );
            }
            checked.extend(self.step(step.value, place));
        }
        Some(checked)
    }

    pub(super) fn step(&mut self, file: StepFile, place: Place) -> Option<Step> {
        let id = self.required(file.id, place, "id");
        if let Some(id) = &id
            && !id
                .value
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
        {
            self.problems.add(
                id.place,
                Code::BadName,
                format!("{} is no id", id.value),
                "lower-case letters, digits and underscores",
            );
        }
        let condition = file.condition.map(|condition| self.condition(&condition));
        let on_error = match &file.on_error {
            Some(word) => self.word::<OnError>(word, &["fail", "continue"])?,
            None => OnError::Fail,
        };
        let kind = match (file.action, file.wait_until) {
            (Some(action), None) => {
                for (key, value) in [("within", &file.within), ("on_timeout", &file.on_timeout)] {
                    if let Some(value) = value {
                        self.problems.add(
                            value.place,
                            Code::KeyNotForThisStep,
                            format!("{key} belongs to wait_until"),
                            "leave it out; actions have inputs under with",
                        );
                    }
                }
                self.act(&action, file.with)
            }
            (None, Some(until)) => {
                if let Some(with) = &file.with {
                    self.problems.add(
                        with.place,
                        Code::KeyNotForThisStep,
                        "with belongs to an action",
                        "leave it out",
                    );
                }
                let until = self.condition(&until);
                let within = self.required(file.within, place, "within");
                let within_seconds = self.duration(within, HOUR, MINUTE..=30 * DAY);
                let on_timeout = match &file.on_timeout {
                    Some(word) => self.word::<OnTimeout>(word, &["continue", "restore", "fail"])?,
                    None => OnTimeout::Fail,
                };
                until.map(|until| StepKind::Wait {
                    until,
                    within_seconds,
                    on_timeout,
                })
            }
            _ => {
                self.problems.add(
                    place,
                    Code::StepNeedsOneKind,
                    "a step is either an action or a wait",
                    "give it action or wait_until, one of the two",
                );
                None
            }
        };
        let condition = match condition {
            Some(condition) => Some(condition?),
            None => None,
        };
        Some(Step {
            id: id?.value,
            condition,
            kind: kind?,
            on_error,
        })
    }

    pub(super) fn act(
        &mut self,
        name: &Spanned<String>,
        with: Option<Spanned<WithFile>>,
    ) -> Option<StepKind> {
        let Some(action) = Action::from_name(&name.value) else {
            let hint = match nearest(&name.value, Action::ALL.iter().map(|action| action.name())) {
                Some(near) => format!("did you mean {near}?"),
                None => "`unstuck actions` lists them".to_owned(),
            };
            self.problems.add(
                name.place,
                Code::UnknownAction,
                format!("no action {}", name.value),
                hint,
            );
            return None;
        };
        let inputs = action.declaration().inputs;
        let mut values: BTreeMap<&'static str, u64> = inputs
            .iter()
            .map(|input| (input.name, input.default))
            .collect();
        for (key, value) in with.map(|with| with.value).unwrap_or_default() {
            let Some(input) = inputs.iter().find(|input| input.name == key.value) else {
                let known: Vec<&str> = inputs.iter().map(|input| input.name).collect();
                let hint = match known.is_empty() {
                    true => format!("{} has no inputs", action.name()),
                    false => format!("known: {}", known.join(", ")),
                };
                self.problems.add(
                    key.place,
                    Code::UnknownInput,
                    format!("no input {}", key.value),
                    hint,
                );
                continue;
            };
            let ValueKind::Duration = input.kind else {
                continue;
            };
            values.insert(
                input.name,
                self.duration(Some(value), input.default, input.range.0..=input.range.1),
            );
        }
        Some(StepKind::Act {
            action,
            with: values,
        })
    }

    pub(super) fn condition(&mut self, text: &Spanned<String>) -> Option<Condition> {
        match Condition::compile(&text.value) {
            Ok(condition) => Some(condition),
            Err(errors) => {
                for error in errors {
                    self.problems
                        .add(text.place, error.code, error.message, error.hint);
                }
                None
            }
        }
    }
}
