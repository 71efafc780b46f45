//! `unstuck init`: asks for the settings, tries each credential at once, writes the settings file and the Slack manifest.
//!
//! A secret never gets into the settings file: it stays in an environment variable, or in a file of its own that only
//! its owner can read.

mod ask;
mod draft;
mod files;
mod flags;
mod trial;

use std::path::{Path, PathBuf};

use clap::Args;

use super::{
    Outcome,
    output::{Context, line},
};
use crate::settings;

use draft::Draft;
use trial::Trial;

/// The app manifest that Slack takes.
const MANIFEST: &str = include_str!("../../../deploy/slack-manifest.yaml");
/// Its name beside the settings file.
const MANIFEST_FILE: &str = "slack-manifest.yaml";

/// Arguments.
#[derive(Debug, Args)]
pub(super) struct InitArgs {
    /// Where to write the settings
    #[arg(long, value_name = "FILE", default_value = "unstuck.toml")]
    output: PathBuf,
    /// Ask nothing; take everything from the options below
    #[arg(long)]
    non_interactive: bool,
    #[command(flatten)]
    flags: flags::Flags,
}

/// Runs the command. Exit 1 if a right is missing that the product cannot do without; the file is written all the same.
pub(super) async fn run(context: &Context, args: InitArgs) -> anyhow::Result<Outcome> {
    let output = args.output;
    for file in [output.clone(), manifest_file(&output)] {
        if file.exists() {
            anyhow::bail!(
                "{} exists already and is left as it is; name another place with --output FILE",
                file.display()
            );
        }
    }
    let mut trial = Trial::new(&output, &context.environment);
    let draft = if args.non_interactive {
        let mut draft = args.flags.draft()?;
        trial.everything(&mut draft).await?;
        draft
    } else {
        ask::draft(&mut trial).await?
    };
    write(&draft, &output)?;
    // What was written is proved to load, secrets aside.
    settings::load(&output, &context.environment)?;
    farewell(&draft, &output, &trial);
    Ok(if trial.failed {
        Outcome::Incomplete
    } else {
        Outcome::Done
    })
}

fn manifest_file(output: &Path) -> PathBuf {
    output.with_file_name(MANIFEST_FILE)
}

fn write(draft: &Draft, output: &Path) -> anyhow::Result<()> {
    files::create(output, &draft.text(), 0o644)?;
    files::create(&manifest_file(output), MANIFEST, 0o644)
}

fn farewell(draft: &Draft, output: &Path, trial: &Trial<'_>) {
    line(&format!(
        "\nwrote {} (observe mode: it looks and tells, and changes nothing)",
        output.display()
    ));
    line(&format!(
        "wrote {} (paste it at https://api.slack.com/apps, From a manifest)",
        manifest_file(output).display()
    ));
    let unset = trial.unset();
    if !unset.is_empty() {
        line(&format!(
            "set these variables before you go on: {}",
            unset.join(", ")
        ));
    }
    line(&format!(
        "next: unstuck sweep --dry-run --config {}",
        output.display()
    ));
    if draft.slack.is_some() {
        line(r#"then, to be asked in Slack: [safety] mode = "approve", and `unstuck serve`"#);
    }
}
