//! The playbooks in use: the set in the binary, or a folder of the user's own.

use std::path::Path;

use anyhow::Context;

use crate::domain::playbook::{self, Playbook, Problem};

/// Playbooks that cannot be used, with every problem.
#[derive(Debug, thiserror::Error)]
#[error("{}\n{} in the playbooks", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"), crate::words::count(.0.len(), "problem"))]
pub struct PlaybookProblems(pub Vec<Problem>);

/// Name and text of each playbook file.
pub fn texts(folder: Option<&Path>) -> anyhow::Result<Vec<(String, String)>> {
    let Some(folder) = folder else {
        let shipped = playbook::shipped().iter();
        return Ok(shipped
            .map(|(name, text)| (format!("{name}/playbook.yaml"), (*text).to_owned()))
            .collect());
    };
    let mut files = Vec::new();
    let entries = std::fs::read_dir(folder)
        .with_context(|| format!("cannot read the playbook folder {}", folder.display()))?;
    for entry in entries {
        let path = entry?.path().join("playbook.yaml");
        if path.is_file() {
            let text = std::fs::read_to_string(&path)
                .with_context(|| format!("cannot read {}", path.display()))?;
            files.push((path.display().to_string(), text));
        }
    }
    files.sort();
    Ok(files)
}

/// Loads every playbook; all problems of all files at once.
pub fn load(folder: Option<&Path>) -> anyhow::Result<Vec<Playbook>> {
    let mut playbooks = Vec::new();
    let mut problems = Vec::new();
    for (file, text) in texts(folder)? {
        match playbook::load(&file, &text) {
            Ok(playbook) => playbooks.push(playbook),
            Err(found) => problems.extend(found),
        }
    }
    if problems.is_empty() {
        Ok(playbooks)
    } else {
        Err(PlaybookProblems(problems).into())
    }
}
