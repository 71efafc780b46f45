//! A whole `unstuck sweep` against a bare loop that reads the same lists with the same clients and decodes the same
//! wire types. Wall time and CPU of both, requests and peak memory, printed as ratios.
//!
//! The simulator runs in a process of its own, and so does each measurement: `tests/checks/bench-sweep` builds and
//! starts everything. Not a timed test: the simulator shares the machine.

use std::{
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Arc,
    time::Instant,
};

use anyhow::Context;
use connectors::{LogCursor, LogScope, NoProgress, OktaReader, Source};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio_util::sync::CancellationToken;
use unstuck::{
    app::{self, Parts, Vendors},
    node::Node,
    settings::{Environment, Settings, load},
};

/// Of design.md: wall at most 1.3 times, CPU at most 1.5 times the bare loop, on an unchanged fleet.
const WALL_BUDGET: f64 = 1.3;
const CPU_BUDGET: f64 = 1.5;
/// The simulated time runs faster, or both sides would wait half a minute for Intune to write its reports.
const SPEED: &str = "60";
/// MiB.
const MEMORY_BUDGET: f64 = 300.0;

fn main() -> anyhow::Result<()> {
    connectors::http::install_crypto_provider();
    let mut arguments = Arguments::default();
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut value = || {
            words
                .next()
                .with_context(|| format!("{word} needs a value"))
        };
        match word.as_str() {
            "--devices" => {
                arguments.devices = value()?.parse().context("--devices is no number")?
            }
            "--simulator" => arguments.simulator = Some(value()?.into()),
            "--settings" => arguments.settings = Some(value()?.into()),
            "--measure" => arguments.measure = Some(value()?),
            // Cargo says so.
            "--bench" => {}
            other => anyhow::bail!("unknown argument {other}"),
        }
    }
    match (&arguments.measure, &arguments.settings) {
        (Some(what), Some(settings)) => measure(what, settings),
        _ => compare(&arguments),
    }
}

struct Arguments {
    devices: usize,
    simulator: Option<PathBuf>,
    settings: Option<PathBuf>,
    measure: Option<String>,
}

impl Default for Arguments {
    fn default() -> Self {
        Self {
            devices: 5_000,
            simulator: None,
            settings: None,
            measure: None,
        }
    }
}

/// What one process measured of itself.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Measured {
    wall_seconds: f64,
    cpu_seconds: f64,
    peak_mib: f64,
    requests: u64,
    records: usize,
}

/// Starts the simulator and measures the loop, the first sweep and an unchanged second one.
fn compare(arguments: &Arguments) -> anyhow::Result<()> {
    let mut out = std::io::stdout();
    let own = std::env::current_exe()?;
    let beside = own
        .parent()
        .and_then(Path::parent)
        .map(|folder| folder.join("simulator"));
    let program = arguments
        .simulator
        .clone()
        .or(beside)
        .context("no folder to look for the simulator in")?;
    if !program.exists() {
        writeln!(
            out,
            "sweep: not measured, {} is not built; run tests/checks/bench-sweep",
            program.display()
        )?;
        return Ok(());
    }
    let folder = tempfile::tempdir()?;
    let company = Company::start(&program, arguments.devices)?;
    let settings = folder.path().join("unstuck.toml");
    std::fs::write(&settings, company.settings())?;
    let run = |what: &str| -> anyhow::Result<Measured> {
        let output = Command::new(&own)
            .args(["--measure", what, "--settings"])
            .arg(&settings)
            .envs(company.secrets())
            .stderr(Stdio::inherit())
            .output()?;
        anyhow::ensure!(output.status.success(), "measuring {what} failed");
        let measured: Measured = serde_json::from_slice(&output.stdout)?;
        writeln!(
            std::io::stdout(),
            "{what:>6}: {:7.2} s wall, {:7.2} s CPU, {:6.0} MiB peak, {:6} requests, {} records",
            measured.wall_seconds,
            measured.cpu_seconds,
            measured.peak_mib,
            measured.requests,
            measured.records,
        )?;
        Ok(measured)
    };
    // Once unmeasured: the simulator renders pages when they are first asked for.
    run("warm")?;
    let bare = run("bare")?;
    let first = run("first")?;
    let second = run("second")?;
    let subjects = second.records.max(1) as f64;
    writeln!(
        out,
        "sweep of {} computers, unchanged, against the bare loop:",
        arguments.devices
    )?;
    writeln!(
        out,
        "  wall   {:.2} (budget {WALL_BUDGET})",
        second.wall_seconds / bare.wall_seconds
    )?;
    writeln!(
        out,
        "  CPU    {:.2} (budget {CPU_BUDGET})",
        second.cpu_seconds / bare.cpu_seconds
    )?;
    writeln!(
        out,
        "  memory {:.2} of {MEMORY_BUDGET} MiB, {:.0} bytes a record above the loop",
        second.peak_mib / MEMORY_BUDGET,
        (second.peak_mib - bare.peak_mib).max(0.0) * 1_048_576.0 / subjects,
    )?;
    writeln!(
        out,
        "  requests {:.2} of the loop's; the first sweep {:.2}, which reads candidates by id",
        second.requests as f64 / bare.requests as f64,
        first.requests as f64 / bare.requests as f64,
    )?;
    writeln!(
        out,
        "first sweep against the loop: wall {:.2}, CPU {:.2}",
        first.wall_seconds / bare.wall_seconds,
        first.cpu_seconds / bare.cpu_seconds
    )?;
    Ok(())
}

/// The simulator in its own process.
struct Company {
    process: Child,
    connection: Value,
}

impl Company {
    fn start(program: &Path, devices: usize) -> anyhow::Result<Self> {
        let mut process = Command::new(program)
            .args([
                "--devices",
                &devices.to_string(),
                "--seed",
                "1",
                "--no-rate-limits",
                "--speed",
                SPEED,
            ])
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start {}", program.display()))?;
        let mut line = String::new();
        BufReader::new(
            process
                .stdout
                .take()
                .context("the simulator has no output")?,
        )
        .read_line(&mut line)?;
        Ok(Self {
            connection: serde_json::from_str(&line)?,
            process,
        })
    }

    fn text(&self, vendor: &str, key: &str) -> String {
        self.connection[vendor][key]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }

    fn secrets(&self) -> [(&'static str, String); 3] {
        [
            ("BENCH_OKTA", self.text("okta", "api_token")),
            ("BENCH_INTUNE", self.text("intune", "client_secret")),
            ("BENCH_JAMF", self.text("jamf", "client_secret")),
        ]
    }

    /// Everything that is stuck is confirmed by the first sweep, so that the second has nothing left to confirm.
    fn settings(&self) -> String {
        let quoted = |vendor, key| format!("{:?}", self.text(vendor, key));
        format!(
            r#"
[database]
url = "sqlite://bench.db"
[clock]
speed = {SPEED}.0
[okta]
org_url = {}
api_token = "env:BENCH_OKTA"
requests_per_minute = 10000
confirm_per_sweep = 10000
[[mdm]]
name = "intune"
kind = "intune"
tenant_id = {}
client_id = {}
client_secret = "env:BENCH_INTUNE"
graph_url = {}
login_url = {}
[[mdm]]
name = "jamf"
kind = "jamf"
url = {}
client_id = {}
client_secret = "env:BENCH_JAMF"
"#,
            quoted("okta", "org_url"),
            quoted("intune", "tenant_id"),
            quoted("intune", "client_id"),
            quoted("intune", "graph_url"),
            quoted("intune", "login_url"),
            quoted("jamf", "url"),
            quoted("jamf", "client_id"),
        )
    }
}

impl Drop for Company {
    fn drop(&mut self) {
        // It may have ended by itself; nothing is left to do then.
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

/// Measures this process while it does one thing, and prints that as JSON.
fn measure(what: &str, settings: &Path) -> anyhow::Result<()> {
    let environment = Environment::of_process();
    let settings = Arc::new(load(settings, &environment)?);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let vendors = Vendors::build(&settings, &environment)?;
    let (cpu, begun) = (cpu_seconds()?, Instant::now());
    let records = runtime.block_on(async {
        match what {
            "first" | "second" => sweep(&settings, &vendors).await,
            _ => bare(&vendors).await,
        }
    })?;
    let requests = vendors
        .mdms
        .iter()
        .map(|mdm| mdm.reader.usage().requests)
        .sum::<u64>();
    let measured = Measured {
        wall_seconds: begun.elapsed().as_secs_f64(),
        cpu_seconds: cpu_seconds()? - cpu,
        peak_mib: peak_mib()?,
        requests: requests + vendors.okta.usage().requests,
        records,
    };
    serde_json::to_writer(std::io::stdout(), &measured)?;
    Ok(())
}

/// The same lists with the same clients, side by side as a sweep reads them, and nothing else.
async fn bare(vendors: &Vendors) -> anyhow::Result<usize> {
    // The log is asked for relative to Okta's own time.
    vendors.okta.organization().await?;
    let inventories = futures_util::future::join_all(
        vendors
            .mdms
            .iter()
            .map(|mdm| mdm.reader.observe(&NoProgress)),
    );
    let (devices, policies, log, inventories) = tokio::join!(
        vendors.okta.devices(&NoProgress),
        vendors.okta.policies(),
        read_log(vendors),
        inventories
    );
    policies?;
    log?;
    let mut records = devices?.len();
    for inventory in inventories {
        records += inventory?.devices.len();
    }
    Ok(records)
}

async fn read_log(vendors: &Vendors) -> anyhow::Result<()> {
    let now = vendors.okta.now().context("Okta has not answered")?;
    for (scope, days) in [(LogScope::Changes, 90), (LogScope::SignIns, 7)] {
        let mut cursor = LogCursor::Since(now - chrono::TimeDelta::days(days));
        loop {
            let page = vendors.okta.poll_log(scope, &cursor).await?;
            match page.next {
                Some(next) if page.events > 0 => cursor = next,
                _ => break,
            }
        }
    }
    Ok(())
}

/// What `unstuck sweep` does, without its output.
async fn sweep(settings: &Arc<Settings>, vendors: &Vendors) -> anyhow::Result<usize> {
    let playbooks = Arc::new(app::load_playbooks(settings)?);
    let parts = Parts::of(settings);
    let store = app::open_store(settings, false).await?;
    let node = Node::new(store.clone(), parts.ids.unique());
    let stop = CancellationToken::new();
    let beats = tokio::spawn(Arc::clone(&node).run(stop.clone()));
    let sweeper = app::sweeper(settings, vendors, &store, &node, &playbooks, &parts);
    let document = sweeper.sweep(&NoProgress, &stop).await?;
    stop.cancel();
    beats.await?;
    let counts: u64 = store
        .source_counts()
        .await?
        .iter()
        .map(|count| count.count)
        .sum();
    store.close().await;
    anyhow::ensure!(
        document.sweep.complete,
        "the sweep was incomplete: {:?}",
        document.sweep.incomplete
    );
    Ok(usize::try_from(counts)?)
}

/// User and system time of this process. The kernel counts in hundredths of a second for every program.
fn cpu_seconds() -> anyhow::Result<f64> {
    let text = std::fs::read_to_string("/proc/self/stat").context("CPU time is read from /proc")?;
    // The name in parentheses may hold spaces; user and system time are the 12th and 13th field after it.
    let (_, fields) = text.rsplit_once(')').context("no such line")?;
    let ticks = fields
        .split_whitespace()
        .skip(11)
        .take(2)
        .map(str::parse::<f64>);
    Ok(ticks.sum::<Result<f64, _>>()? / 100.0)
}

/// Most memory that this process held at once.
fn peak_mib() -> anyhow::Result<f64> {
    let text = std::fs::read_to_string("/proc/self/status").context("memory is read from /proc")?;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .context("no peak in /proc")?;
    let kib: f64 = line.trim().trim_end_matches("kB").trim().parse()?;
    Ok(kib / 1024.0)
}
