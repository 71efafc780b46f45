//! `unstuck demo`: a simulated company on a page, or the whole loop at once with `--once`.

use std::{io::ErrorKind, net::Ipv4Addr, sync::Arc, time::Duration};

use anyhow::Context;
use clap::Args;
use tokio::net::TcpListener;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{Outcome, output, progress::SweepProgress};
use crate::{
    demo::{Demo, Line, Options},
    settings::Log,
    words::{count, thousands},
};

/// How long nobody may click before a line says how.
const HINT_AFTER: Duration = Duration::from_secs(60);
/// Ports tried after the one asked for.
const NEXT_PORTS: u16 = 100;

#[derive(Debug, Args)]
pub(super) struct DemoArgs {
    /// Computers of the company
    #[arg(long, value_name = "N", default_value_t = 300, value_parser = clap::value_parser!(u32).range(20..=20_000))]
    devices: u32,
    /// Equal seeds make equal companies
    #[arg(long, value_name = "S", default_value_t = 1)]
    seed: u64,
    /// Port of the page; the next free one if it is taken
    #[arg(long, value_name = "P", default_value_t = 8080, value_parser = clap::value_parser!(u16).range(1..))]
    port: u16,
    /// Simulated seconds in one real second
    #[arg(long, value_name = "X", default_value_t = 600.0, value_parser = speed)]
    speed: f64,
    /// No page: approve every card but the last, deny that one, wait for the end and judge it
    #[arg(long)]
    once: bool,
    /// With --once: print the judgement as JSON
    #[arg(long, requires = "once")]
    json: bool,
}

fn speed(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(speed) if (1.0..=100_000.0).contains(&speed) => Ok(speed),
        Ok(_) => Err("from 1 to 100000".into()),
        Err(error) => Err(format!("{error}")),
    }
}

pub(super) async fn run(args: DemoArgs) -> anyhow::Result<Outcome> {
    crate::telemetry::start(&Log {
        level: "warn".into(),
        ..Log::default()
    });
    let options = Options {
        devices: args.devices as usize,
        seed: args.seed,
        speed: args.speed,
    };
    if args.once {
        return once(options, args.json).await;
    }
    let stop = CancellationToken::new();
    let signals = tokio::spawn(stop_on_signal(stop.clone()));
    // A signal also ends a start that takes long; what was made goes with its values.
    let outcome = tokio::select! {
        outcome = with_page(&args, options, stop.clone()) => outcome,
        () = async { stop.cancelled().await; tokio::time::sleep(Duration::from_secs(8)).await } => Ok(Outcome::Done),
    };
    signals.abort();
    outcome
}

async fn once(options: Options, json: bool) -> anyhow::Result<Outcome> {
    let verdict = Demo::once(options, Arc::new(SweepProgress::new())).await?;
    if json {
        output::json(&verdict)?;
    } else {
        let serde_json::Value::Object(lines) = serde_json::to_value(&verdict)? else {
            anyhow::bail!("the judgement is no object");
        };
        for (key, value) in lines {
            output::line(&format!("{:<22} {value}", key.replace('_', " ")));
        }
    }
    Ok(if verdict.is_clean() {
        Outcome::Done
    } else {
        Outcome::Incomplete
    })
}

async fn with_page(
    args: &DemoArgs,
    options: Options,
    stop: CancellationToken,
) -> anyhow::Result<Outcome> {
    let (listener, port) = listen(args.port).await?;
    let demo = Box::pin(Demo::start(options)).await?;
    welcome(args, options, port);
    let tasks = TaskTracker::new();
    tasks.spawn({
        let (demo, stop) = (Arc::clone(&demo), stop.clone());
        async move { demo.serve_page(listener, stop).await }
    });
    tasks.spawn({
        let (demo, stop) = (Arc::clone(&demo), stop.clone());
        async move { demo.follow(stop).await }
    });
    tasks.spawn(tell(Arc::clone(&demo), stop.clone()));
    let progress = Arc::new(SweepProgress::new());
    let swept = tokio::select! {
        swept = demo.sweep(Arc::clone(&progress) as _) => Some(swept),
        () = stop.cancelled() => None,
    };
    progress.finish();
    if let Some(Err(error)) = swept {
        stop.cancel();
        demo.stop().await?;
        return Err(error.context("the first sweep failed"));
    }
    demo.begin();
    stop.cancelled().await;
    tasks.close();
    drop(tokio::time::timeout(Duration::from_secs(2), tasks.wait()).await);
    output::line("");
    for line in demo.summary() {
        output::line(&line);
    }
    demo.stop().await?;
    output::line("\nEverything of it is deleted. With your own org: `unstuck init`");
    Ok(Outcome::Done)
}

/// The port asked for, or the next free one.
async fn listen(port: u16) -> anyhow::Result<(TcpListener, u16)> {
    for candidate in port..=port.saturating_add(NEXT_PORTS) {
        match TcpListener::bind((Ipv4Addr::LOCALHOST, candidate)).await {
            Ok(listener) => return Ok((listener, candidate)),
            Err(error) if error.kind() == ErrorKind::AddrInUse => {}
            Err(error) => {
                return Err(error)
                    .with_context(|| format!("cannot listen on 127.0.0.1:{candidate}"));
            }
        }
    }
    anyhow::bail!(
        "every port from {port} to {} is taken; choose another with --port",
        port.saturating_add(NEXT_PORTS)
    )
}

fn welcome(args: &DemoArgs, options: Options, port: u16) {
    let minutes = options.speed / 60.0;
    let taken = if port == args.port {
        String::new()
    } else {
        format!("   ({} was taken)", args.port)
    };
    output::line(&format!(
        "A simulated company: {}, one Okta org, Intune, Jamf Pro, one Slack workspace.\n\
         No account, no network; all of it is deleted when you press Ctrl-C.\n\n\
         \x20 Open    http://127.0.0.1:{port}   and click Approve on a card{taken}\n\
         \x20 Clock   1 s here = {} min there (--speed)\n",
        count(options.devices, "computer"),
        if minutes.fract() == 0.0 {
            thousands(minutes as u64)
        } else {
            format!("{minutes:.1}")
        },
    ));
}

/// Prints the story as it happens; says how to click if nobody does.
async fn tell(demo: Arc<Demo>, stop: CancellationToken) {
    let mut story = demo.story();
    let mut told = 0;
    let mut hint = std::pin::pin!(tokio::time::sleep(HINT_AFTER));
    let mut hinted = false;
    loop {
        let lines = story.borrow_and_update().clone();
        for line in &lines[told..] {
            output::line(&in_columns(line));
        }
        if told == 0 && !lines.is_empty() {
            hint.as_mut()
                .reset(tokio::time::Instant::now() + HINT_AFTER);
        }
        told = lines.len();
        tokio::select! {
            () = stop.cancelled() => return,
            changed = story.changed() => if changed.is_err() { return },
            () = &mut hint, if !hinted => {
                hinted = true;
                if demo.waits_for_a_click() {
                    output::line(
                        "           hint     open the page and press the green button of a card: \
                         nothing is repaired before somebody approves it",
                    );
                }
            }
        }
    }
}

/// The words of a line stay in their column.
fn in_columns(line: &Line) -> String {
    let head = line.head();
    let indent = " ".repeat(head.chars().count());
    let words = output::wrap(
        &line.words,
        output::width().saturating_sub(indent.len()).max(40),
    );
    format!("{head}{}", words.replace('\n', &format!("\n{indent}")))
}

async fn stop_on_signal(stop: CancellationToken) {
    #[cfg(unix)]
    let terminated = async {
        match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
            Ok(mut signal) => drop(signal.recv().await),
            Err(_) => std::future::pending().await,
        }
    };
    #[cfg(not(unix))]
    let terminated = std::future::pending::<()>();
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        () = terminated => {}
    }
    stop.cancel();
}
