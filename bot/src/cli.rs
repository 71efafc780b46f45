//! The command line: one file per command, one place that turns failures into exit codes.
//!
//! 0 done; 1 incomplete, not found, refused, check failed; 2 usage or settings.

use std::{path::PathBuf, process::ExitCode};

use clap::{Args, Parser, Subcommand};

use crate::{
    library::{PlaybookProblems, Unreadable},
    settings::{Environment, Problems},
};

mod actions;
mod audit;
mod database;
#[cfg(feature = "demo")]
mod demo;
mod doctor;
mod init;
mod link;
mod migrate;
mod output;
mod person;
mod playbooks;
mod progress;
mod proposals;
mod render;
mod runs;
mod serve;
mod stop;
mod sweep;
#[cfg(test)]
mod tests;
mod why;

/// Finds desktop devices stuck unmanaged in Okta, says why, asks in Slack, repairs and proves it.
#[derive(Debug, Parser)]
#[command(version, propagate_version = true)]
pub struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

/// Options of every command.
#[derive(Debug, Clone, Args)]
struct Global {
    /// Settings file [default: `$UNSTUCK_CONFIG`, ./unstuck.toml, /etc/unstuck/unstuck.toml]
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// A simulated company in this process: approve repairs on a page, no account needed
    #[cfg(feature = "demo")]
    Demo(demo::DemoArgs),
    /// Ask for the settings, try each credential, write the settings file and the Slack manifest
    Init(Box<init::InitArgs>),
    /// Check the set-up from the top of Okta's article down, and say what to do
    Doctor(doctor::DoctorArgs),
    /// Look at the whole fleet once and say what is stuck
    Sweep(sweep::SweepArgs),
    /// Say why one computer is not managed, and what happens next
    #[command(alias = "explain")]
    Why(why::WhyArgs),
    /// The queue of proposals
    #[command(subcommand)]
    Proposals(proposals::ProposalsCommand),
    /// What was done
    #[command(subcommand)]
    Runs(runs::RunsCommand),
    /// The playbooks
    #[command(subcommand)]
    Playbooks(playbooks::PlaybooksCommand),
    /// What playbooks can do
    Actions(actions::ActionsArgs),
    /// Scheduler, Slack, executor and web until SIGTERM
    Serve(serve::ServeArgs),
    /// Stop repairs: all, one playbook or one proposal
    Stop(stop::StopArgs),
    /// Lift a stop
    Resume(stop::ResumeArgs),
    /// Say by hand which MDM record an Okta record is
    Link(link::LinkArgs),
    /// Check and export the record of what was done
    #[command(subcommand)]
    Audit(audit::AuditCommand),
    /// Bring the database up to date
    Migrate(migrate::MigrateArgs),
}

impl Command {
    /// Whether stdout holds one JSON document, also when the command fails.
    fn json(&self) -> bool {
        match self {
            Self::Doctor(args) => args.json,
            Self::Sweep(args) => args.json,
            Self::Why(args) => args.json,
            Self::Proposals(command) => command.json(),
            Self::Runs(command) => command.json(),
            Self::Playbooks(command) => command.json(),
            Self::Actions(args) => args.json,
            Self::Link(args) => args.json,
            Self::Audit(command) => command.json(),
            _ => false,
        }
    }
}

/// Runs one command; failures are printed once, here.
pub async fn run(cli: Cli) -> ExitCode {
    let environment = Environment::of_process();
    let context = output::Context {
        config: cli.global.config,
        environment,
    };
    let as_json = cli.command.json();
    let result = match cli.command {
        #[cfg(feature = "demo")]
        Command::Demo(args) => demo::run(args).await,
        Command::Init(args) => init::run(&context, *args).await,
        Command::Doctor(args) => doctor::run(&context, args).await,
        Command::Sweep(args) => sweep::run(&context, args).await,
        Command::Why(args) => why::run(&context, args).await,
        Command::Proposals(command) => proposals::run(&context, command).await,
        Command::Runs(command) => runs::run(&context, command).await,
        Command::Playbooks(command) => playbooks::run(&context, command),
        Command::Actions(args) => actions::run(&args),
        Command::Serve(args) => serve::run(&context, args).await,
        Command::Stop(args) => stop::stop(&context, args).await,
        Command::Resume(args) => stop::resume(&context, args).await,
        Command::Link(args) => link::run(&context, args).await,
        Command::Audit(command) => audit::run(&context, command).await,
        Command::Migrate(args) => migrate::run(&context, args).await,
    };
    match result {
        Ok(Outcome::Done) => ExitCode::SUCCESS,
        Ok(Outcome::Incomplete) => ExitCode::from(1),
        Err(error) => {
            let usage = is_usage(&error);
            anstream::eprintln!("{error:#}");
            // A command prints its document last, so that a failed one has printed none.
            if as_json && !usage {
                drop(output::json(
                    &serde_json::json!({ "error": format!("{error:#}") }),
                ));
            }
            ExitCode::from(if usage { 2 } else { 1 })
        }
    }
}

/// Whether a failure lies in how the command was called or in the settings, to which the playbooks belong; exit 2.
fn is_usage(error: &anyhow::Error) -> bool {
    error.is::<Problems>()
        || error.is::<Usage>()
        || error.is::<PlaybookProblems>()
        || error.is::<Unreadable>()
}

/// How a command ended that printed what it had to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    /// Exit 0.
    Done,
    /// Exit 1: incomplete, not found, refused, check failed.
    Incomplete,
}

/// A wrong use of the command that clap cannot see; exit 2.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Usage(String);
