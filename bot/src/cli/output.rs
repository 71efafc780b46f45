//! What every command shares: where the settings are, and how results reach stdout.

use std::path::PathBuf;

use crate::settings::{Environment, Problems, Settings, load, locate};

/// How a command was called.
pub(super) struct Context {
    /// `--config`
    pub(super) config: Option<PathBuf>,
    /// The process's environment.
    pub(super) environment: Environment,
}

impl Context {
    /// Reads the settings and starts logging.
    pub(super) fn settings(&self) -> Result<Settings, Problems> {
        let file = locate(self.config.as_deref(), &self.environment)?;
        let settings = load(&file, &self.environment)?;
        crate::telemetry::start(&settings.log);
        Ok(settings)
    }
}

/// Prints exactly one JSON document.
pub(super) fn json(document: &impl serde::Serialize) -> anyhow::Result<()> {
    let text = serde_json::to_string_pretty(document)?;
    line(&text);
    Ok(())
}

/// Prints one line or block of text; colours are dropped where they cannot be shown.
pub(super) fn line(text: &str) {
    anstream::println!("{text}");
}

/// The terminal's width, at least 80; 100 where there is no terminal.
pub(super) fn width() -> usize {
    let size = dialoguer::console::Term::stdout().size_checked();
    size.map_or(100, |(_, columns)| usize::from(columns))
        .max(80)
}

/// Breaks a paragraph into lines.
pub(super) fn wrap(text: &str, width: usize) -> String {
    let mut out = String::new();
    let mut used = 0;
    for word in text.split_whitespace() {
        let length = word.chars().count();
        if used > 0 && used + 1 + length > width {
            out.push('\n');
            used = 0;
        } else if used > 0 {
            out.push(' ');
            used += 1;
        }
        out.push_str(word);
        used += length;
    }
    out
}
