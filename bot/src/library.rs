//! The playbooks in use: the set in the binary, or a folder of the user's own.

use std::path::{Path, PathBuf};

use crate::domain::playbook::{self, Playbook, Problem};

/// Playbooks that cannot be used, with every problem.
#[derive(Debug, thiserror::Error)]
#[error("{}\n{} in the playbooks", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"), crate::words::count(.0.len(), "problem"))]
pub struct PlaybookProblems(pub Vec<Problem>);

/// A playbook folder or file that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("cannot read {}, which [playbooks] dir in the settings leads to", path.display())]
pub struct Unreadable {
    path: PathBuf,
    source: std::io::Error,
}

/// Name and text of each playbook file.
pub fn texts(folder: Option<&Path>) -> Result<Vec<(String, String)>, Unreadable> {
    let Some(folder) = folder else {
        let shipped = playbook::shipped().iter();
        return Ok(shipped
            .map(|(name, text)| (format!("{name}/playbook.yaml"), (*text).to_owned()))
            .collect());
    };
    let mut files = Vec::new();
    let unreadable = |path: &Path| {
        let path = path.to_owned();
        |source| Unreadable { path, source }
    };
    for entry in std::fs::read_dir(folder).map_err(unreadable(folder))? {
        let path = entry
            .map_err(unreadable(folder))?
            .path()
            .join("playbook.yaml");
        if path.is_file() {
            let text = std::fs::read_to_string(&path).map_err(unreadable(&path))?;
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
