//! What is wrong with the settings, where, and the way out.

use std::{fmt, path::PathBuf};

/// One problem.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// File, or the environment variable's name.
    pub place: Place,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub hint: String,
}

/// Where a problem is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A line of the settings file, counted from 1; the line's text is shown below.
    Line {
        /// File.
        file: PathBuf,
        /// Line.
        line: usize,
        /// Its text.
        excerpt: String,
    },
    /// The file as a whole.
    File(PathBuf),
    /// An environment variable.
    Variable(String),
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Place::Line {
                file,
                line,
                excerpt,
            } => {
                writeln!(f, "{}:{line}: {}", file.display(), self.message)?;
                writeln!(f, "    {}", excerpt.trim_end())?;
            }
            Place::File(file) => writeln!(f, "{}: {}", file.display(), self.message)?,
            Place::Variable(name) => writeln!(f, "${name}: {}", self.message)?,
        }
        write!(f, "    hint: {}", self.hint)
    }
}

/// All problems at once.
#[derive(Debug, Clone, Default, thiserror::Error)]
pub struct Problems(pub Vec<Problem>);

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for problem in &self.0 {
            writeln!(f, "{problem}")?;
        }
        write!(
            f,
            "{} problem{} in the settings",
            self.0.len(),
            if self.0.len() == 1 { "" } else { "s" }
        )
    }
}
