//! Playbooks and actions as people read them.

use std::fmt::Write;

use chrono::TimeDelta;
use owo_colors::OwoColorize;

use super::{View, word};
use crate::{
    domain::{
        Repeat, WaveSize,
        playbook::{Auto, Playbook, Step, StepKind, action::Declaration, action::Reversibility},
    },
    wording,
    words::count,
};

/// One row per playbook.
pub(in crate::cli) fn list(playbooks: &[Playbook], width: usize) -> String {
    let rows = playbooks
        .iter()
        .map(|playbook| {
            let causes: Vec<&str> = playbook
                .applies
                .causes
                .iter()
                .map(|cause| cause.name())
                .collect();
            vec![
                playbook.name.to_string(),
                word(&playbook.risk),
                causes.join("\n"),
                decides(playbook),
            ]
        })
        .collect();
    fixed(width).table(&["playbook", "risk", "for", "decided by"], &[], rows)
}

/// One playbook, whole.
pub(in crate::cli) fn show(playbook: &Playbook, width: usize) -> String {
    let view = fixed(width);
    let mut out = format!("{}: {}\n\n", playbook.name, playbook.title);
    let _ = writeln!(
        out,
        "{}\n",
        super::super::output::wrap(&playbook.summary, width)
    );
    let mut field = |name: &str, text: String| {
        if !text.is_empty() {
            let _ = writeln!(out, "{}", view.hanging(&format!("  {name:<10} "), &text));
        }
    };
    let applies = &playbook.applies;
    let causes = applies
        .causes
        .iter()
        .map(|cause| match applies.once.contains(cause) {
            true => format!("{} (once)", cause.name()),
            false => cause.name().to_owned(),
        });
    field("for", causes.collect::<Vec<_>>().join(", "));
    field(
        "only if",
        applies
            .when
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default(),
    );
    field(
        "on",
        applies
            .platforms
            .iter()
            .map(word)
            .chain(applies.mdms.iter().map(word))
            .collect::<Vec<_>>()
            .join(", "),
    );
    field("article", playbook.article.clone().unwrap_or_default());
    field("risk", word(&playbook.risk));
    field("decided by", decides(playbook));
    let limits = &playbook.limits;
    let tries = count(limits.max_attempts as usize, "attempt");
    field(
        "limits",
        format!(
            "{} and {} % of the fleet in one proposal; {tries} per computer, {} apart",
            count(limits.max_devices as usize, "computer"),
            limits.max_percent,
            seconds(limits.cooldown_seconds),
        ),
    );
    let rollout = &playbook.rollout;
    field(
        "waves",
        format!(
            "{}; the next opens when the last has: {} (within {}, then {} of pause); stops when {} failed",
            rollout
                .waves
                .iter()
                .map(|size| wave(*size))
                .collect::<Vec<_>>()
                .join(", "),
            wording::hop(rollout.gate),
            seconds(rollout.gate_within_seconds),
            seconds(rollout.pause_seconds),
            wave(rollout.stop_when_failed),
        ),
    );
    let hops = playbook
        .verify
        .hops
        .iter()
        .map(|hop| wording::hop(*hop))
        .collect::<Vec<_>>()
        .join(", ");
    field(
        "proved by",
        format!("{hops}; within {}", seconds(playbook.verify.within_seconds)),
    );
    if let Some(otherwise) = &playbook.otherwise {
        field(
            "otherwise",
            format!("tell @{}: {}", otherwise.escalate, otherwise.reason),
        );
    }
    out.push_str("\n  steps\n");
    for (index, step) in playbook.steps.iter().enumerate() {
        let _ = writeln!(
            out,
            "{}",
            view.hanging(
                &format!("  {:>3}. {:<10} ", index + 1, step.id),
                &self::step(step)
            )
        );
    }
    out.trim_end().to_owned()
}

fn step(step: &Step) -> String {
    let mut text = match &step.kind {
        StepKind::Act { action, with } => {
            let inputs: Vec<String> = with
                .iter()
                .map(|(name, value)| format!("{name} {}", seconds(*value)))
                .collect();
            match inputs.is_empty() {
                true => action.name().to_owned(),
                false => format!("{} ({})", action.name(), inputs.join(", ")),
            }
        }
        StepKind::Wait {
            until,
            within_seconds,
            on_timeout,
        } => {
            format!(
                "wait until {until} (at most {}, then {})",
                seconds(*within_seconds),
                word(on_timeout)
            )
        }
    };
    if let Some(condition) = &step.condition {
        let _ = write!(text, " if {condition}");
    }
    if step.on_error == crate::domain::OnError::Continue {
        text.push_str("; goes on if it fails");
    }
    text
}

/// The action registry: one block per action.
pub(in crate::cli) fn actions(actions: &[Declaration], width: usize) -> String {
    let blocks: Vec<String> = actions
        .iter()
        .map(|action| self::action(action, &fixed(width)))
        .collect();
    blocks.join("\n\n")
}

fn action(action: &Declaration, view: &View) -> String {
    let undo = match (action.reversibility, action.undo) {
        (Reversibility::NothingToUndo, _) => "nothing to undo",
        (Reversibility::Irreversible, _) => "cannot be undone",
        (Reversibility::Reversible, undo) => undo.unwrap_or_default(),
    };
    let repeat = match action.repeat {
        Repeat::Converges => "may be sent again after an unclear answer",
        Repeat::Once => "sent once at most",
    };
    let inputs = action.inputs.iter().map(|input| {
        format!(
            "{}: {} ({} unless told)",
            input.name,
            input.about,
            seconds(input.default)
        )
    });
    let outputs = action
        .outputs
        .iter()
        .map(|output| format!("{}: {}", output.name, output.about));
    let mdms: Vec<String> = action.mdms.iter().map(word).collect();
    let fields = [
        ("does", action.about.to_owned()),
        ("inputs", inputs.collect::<Vec<_>>().join("; ")),
        ("outputs", outputs.collect::<Vec<_>>().join("; ")),
        ("undo", undo.to_owned()),
        ("repeat", repeat.to_owned()),
        (
            "mdm",
            if mdms.is_empty() {
                "none needed".into()
            } else {
                mdms.join(", ")
            },
        ),
    ];
    let mut out = action.name.bold().to_string();
    for (name, text) in fields.iter().filter(|(_, text)| !text.is_empty()) {
        let _ = write!(out, "\n{}", view.hanging(&format!("  {name:<8} "), text));
    }
    out
}

fn decides(playbook: &Playbook) -> String {
    let groups = playbook
        .approval
        .groups
        .iter()
        .map(|group| format!("@{group}"))
        .collect::<Vec<_>>()
        .join(", ");
    let people = playbook.approval.required;
    let alone = match playbook.auto {
        Auto::Never => "",
        Auto::Device => "; a single computer runs alone",
        Auto::Batch => "; a batch runs alone",
        Auto::Always => "; runs alone",
    };
    format!("{people} of {groups}{alone}")
}

fn wave(size: WaveSize) -> String {
    match size {
        WaveSize::Count(number) => number.to_string(),
        WaveSize::Percent(percent) => format!("{percent} %"),
    }
}

fn seconds(seconds: u64) -> String {
    wording::span(TimeDelta::seconds(
        i64::try_from(seconds).unwrap_or(i64::MAX / 1_000),
    ))
}

/// A view for text that shows no times.
fn fixed(width: usize) -> View {
    View {
        width,
        now: chrono::DateTime::UNIX_EPOCH,
        local: |at| at.naive_utc(),
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::super::testing::plain;
    use super::*;
    use crate::domain::playbook::Action;

    #[test]
    fn the_list_fits_80_columns() {
        assert_snapshot!(plain(&list(&crate::library::load(None).unwrap(), 80), 80));
    }

    #[test]
    fn a_playbook_shows_steps_limits_and_causes() {
        let playbooks = crate::library::load(None).unwrap();
        let redeliver = playbooks
            .iter()
            .find(|one| one.name.as_str() == "redeliver-scep-profile")
            .unwrap();
        assert_snapshot!(plain(&show(redeliver, 80), 80));
    }

    #[test]
    fn every_action_is_in_the_table() {
        let declared: Vec<Declaration> = Action::ALL
            .iter()
            .map(|action| action.declaration())
            .collect();
        let text = plain(&actions(&declared, 80), 80);
        for action in Action::ALL {
            assert!(
                text.contains(action.name()),
                "{} is missing:\n{text}",
                action.name()
            );
        }
    }
}
