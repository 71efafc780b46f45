//! `unstuck playbooks list|show|check`.

use std::path::{Path, PathBuf};

use clap::Subcommand;
use serde::Serialize;
use serde_json::{Value, json as value};

use super::{
    Outcome,
    output::{Context, json, line, width},
    render::{playbooks as render, word},
};
use crate::{
    domain::playbook::{self, Playbook, Problem, Step, StepKind},
    library, settings,
    words::{count, nearest},
};

/// Subcommands.
#[derive(Debug, Subcommand)]
pub(super) enum PlaybooksCommand {
    /// Every playbook: what it is for and who decides
    List {
        /// Print one JSON document
        #[arg(long)]
        json: bool,
    },
    /// One playbook, its steps and limits
    Show {
        /// Its name
        name: String,
        /// Print one JSON document
        #[arg(long)]
        json: bool,
    },
    /// Check every playbook of a folder and print every problem
    Check {
        /// Folder [default: the one of the settings, else the set in the binary]
        folder: Option<PathBuf>,
        /// Print one JSON document
        #[arg(long)]
        json: bool,
    },
}

impl PlaybooksCommand {
    /// Whether stdout holds JSON.
    pub(super) fn json(&self) -> bool {
        match self {
            Self::List { json } | Self::Show { json, .. } | Self::Check { json, .. } => *json,
        }
    }
}

/// Runs the command.
pub(super) fn run(context: &Context, command: PlaybooksCommand) -> anyhow::Result<Outcome> {
    match command {
        PlaybooksCommand::List { json } => list(&library::load(folder(context)?.as_deref())?, json),
        PlaybooksCommand::Show { name, json } => {
            show(&library::load(folder(context)?.as_deref())?, &name, json)
        }
        PlaybooksCommand::Check {
            folder: Some(named),
            json,
        } => check(Some(&named), json),
        PlaybooksCommand::Check { folder: None, json } => check(folder(context)?.as_deref(), json),
    }
}

/// The folder of the settings. Without a settings file: the set in the binary.
fn folder(context: &Context) -> anyhow::Result<Option<PathBuf>> {
    if context.config.is_none() && settings::locate(None, &context.environment).is_err() {
        return Ok(None);
    }
    let settings = context.settings()?;
    Ok(settings
        .playbooks
        .dir
        .as_deref()
        .map(|dir| settings.path(dir)))
}

fn list(playbooks: &[Playbook], as_json: bool) -> anyhow::Result<Outcome> {
    if as_json {
        let playbooks: Vec<Value> = playbooks.iter().map(document).collect();
        json(&value!({ "playbooks": playbooks }))?;
    } else {
        line(&render::list(playbooks, width()));
    }
    Ok(Outcome::Done)
}

fn show(playbooks: &[Playbook], name: &str, as_json: bool) -> anyhow::Result<Outcome> {
    let Some(playbook) = playbooks
        .iter()
        .find(|playbook| playbook.name.as_str() == name)
    else {
        let names = playbooks.iter().map(|playbook| playbook.name.as_str());
        let near =
            nearest(name, names).map_or(String::new(), |near| format!("; did you mean {near}?"));
        anyhow::bail!("there is no playbook {name}{near}");
    };
    if as_json {
        json(&value!({ "playbook": document(playbook) }))?;
    } else {
        line(&render::show(playbook, width()));
    }
    Ok(Outcome::Done)
}

#[derive(Serialize)]
struct Checked {
    ok: bool,
    playbooks: usize,
    problems: Vec<Problem>,
}

fn check(folder: Option<&Path>, as_json: bool) -> anyhow::Result<Outcome> {
    let texts = library::texts(folder)?;
    if texts.is_empty() {
        let folder = folder.unwrap_or(Path::new("the binary")).display();
        anyhow::bail!("no playbook in {folder}; a playbook is a file NAME/playbook.yaml in it");
    }
    let problems: Vec<Problem> = texts
        .iter()
        .filter_map(|(file, text)| playbook::load(file, text).err())
        .flatten()
        .collect();
    let ok = problems.is_empty();
    if as_json {
        json(&Checked {
            ok,
            playbooks: texts.len(),
            problems,
        })?;
    } else {
        for problem in &problems {
            line(&format!("{problem}\n"));
        }
        let found = if ok {
            "no problem".to_owned()
        } else {
            count(problems.len(), "problem")
        };
        line(&format!("{}, {found}", count(texts.len(), "playbook")));
    }
    Ok(if ok {
        Outcome::Done
    } else {
        Outcome::Incomplete
    })
}

fn document(playbook: &Playbook) -> Value {
    value!({
        "name": playbook.name,
        "version": playbook.version,
        "title": playbook.title,
        "summary": playbook.summary,
        "article": playbook.article,
        "risk": playbook.risk,
        "causes": playbook.applies.causes,
        "once": playbook.applies.once,
        "platforms": playbook.applies.platforms,
        "mdms": playbook.applies.mdms,
        "when": playbook.applies.when.as_ref().map(ToString::to_string),
        "approval": playbook.approval,
        "auto": playbook.auto,
        "limits": {
            "max_devices": playbook.limits.max_devices,
            "max_percent": playbook.limits.max_percent,
            "cooldown_seconds": playbook.limits.cooldown_seconds,
            "max_attempts": playbook.limits.max_attempts,
        },
        "rollout": playbook.rollout,
        "steps": playbook.steps.iter().map(step).collect::<Vec<_>>(),
        "verify": playbook.verify,
        "otherwise": playbook.otherwise.as_ref().map(|otherwise| {
            value!({ "escalate": otherwise.escalate, "reason": otherwise.reason })
        }),
    })
}

fn step(step: &Step) -> Value {
    let mut document = value!({
        "id": step.id,
        "if": step.condition.as_ref().map(ToString::to_string),
        "on_error": word(&step.on_error),
    });
    match &step.kind {
        StepKind::Act { action, with } => {
            document["action"] = value!(action);
            document["with"] = value!(with);
        }
        StepKind::Wait {
            until,
            within_seconds,
            on_timeout,
        } => {
            document["wait_until"] = value!(until.to_string());
            document["within_seconds"] = value!(within_seconds);
            document["on_timeout"] = value!(word(on_timeout));
        }
    }
    document
}
