//! The simulator on its own: prints one line of JSON that says how to connect, then serves.

use std::io::Write;

use clap::Parser;
use simulator::{FleetOptions, Ports, SimClock, Simulator, SimulatorConfig, TenantFault};

/// Simulated Okta, Microsoft Graph, Jamf Pro and Slack over one company.
#[derive(Debug, Parser)]
#[command(name = "simulator")]
struct Arguments {
    /// How many computers the company has.
    #[arg(long, default_value_t = 300)]
    devices: usize,
    /// Equal seeds make equal companies.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Okta listens here, Graph, Jamf and Slack on the next three ports; 0 takes free ones.
    #[arg(long, default_value_t = 0)]
    port_base: u16,
    /// How fast the simulated time runs.
    #[arg(long, default_value_t = 1.0)]
    speed: f64,
    /// An untidy company: missing fields, old inventories, stale lists, near misses.
    #[arg(long)]
    noisy: bool,
    /// Also use faults that the product need not name.
    #[arg(long)]
    all_causes: bool,
    /// The share of computers with a fault.
    #[arg(long)]
    stuck_share: Option<f64>,
    /// The share of records that lack a field.
    #[arg(long)]
    missing_fields: Option<f64>,
    /// The oldest inventory in days.
    #[arg(long)]
    inventory_age_days: Option<f64>,
    /// The share of healthy devices that lists show as not managed.
    #[arg(long)]
    stale_list_rows: Option<f64>,
    /// Add computers that look almost like another fault.
    #[arg(long)]
    near_neighbours: bool,
    /// Intune shows no certificates.
    #[arg(long)]
    no_intune_certificates: bool,
    /// Okta's log has no `pki.cert.issue`.
    #[arg(long)]
    no_issue_events: bool,
    /// Healthy people keep signing in every day.
    #[arg(long)]
    live_sign_ins: bool,
    /// A fault of the company's set-up, by name; may be given again.
    #[arg(long, value_parser = fault)]
    tenant_fault: Vec<TenantFault>,
    /// No server counts requests: for benchmarks.
    #[arg(long)]
    no_rate_limits: bool,
}

impl Arguments {
    fn fleet(&self) -> FleetOptions {
        let mut fleet = if self.noisy {
            FleetOptions::noisy()
        } else {
            FleetOptions::default()
        };
        fleet.built_causes_only &= !self.all_causes;
        fleet.near_neighbours |= self.near_neighbours;
        fleet.live_sign_ins = self.live_sign_ins;
        fleet.intune_certificate_rows = !self.no_intune_certificates;
        fleet.pki_issue_events = !self.no_issue_events;
        fleet.stuck_share = self.stuck_share.unwrap_or(fleet.stuck_share);
        fleet.missing_fields = self.missing_fields.unwrap_or(fleet.missing_fields);
        fleet.stale_list_rows = self.stale_list_rows.unwrap_or(fleet.stale_list_rows);
        if let Some(oldest) = self.inventory_age_days {
            fleet.inventory_age_days = (0.0, oldest);
        }
        fleet
    }
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_max_level(tracing::Level::WARN)
        .init();
    let arguments = Arguments::parse();
    let clock = SimClock::real();
    clock.set_speed(arguments.speed);
    let ports = match arguments.port_base {
        0 => Ports::Ephemeral,
        base => Ports::Base(base),
    };
    let simulator = Simulator::start(SimulatorConfig {
        devices: arguments.devices,
        seed: arguments.seed,
        ports,
        clock,
        fleet: arguments.fleet(),
    })
    .await?;
    // It may serve for days: only the latest reads are kept.
    simulator.ledger().keep_latest_requests(20_000);
    for fault in &arguments.tenant_fault {
        simulator.break_tenant(*fault);
    }
    if arguments.no_rate_limits {
        simulator.faults().lift_rate_limits();
    }
    let mut line = serde_json::to_string(simulator.connection())?;
    line.push('\n');
    let mut output = std::io::stdout();
    output.write_all(line.as_bytes())?;
    output.flush()?;
    wait_for_the_end().await?;
    simulator.stop().await;
    Ok(())
}

fn fault(name: &str) -> Result<TenantFault, String> {
    TenantFault::named(name).ok_or_else(|| {
        let known: Vec<_> = TenantFault::ALL.iter().map(|fault| fault.name()).collect();
        format!("there is only {}", known.join(", "))
    })
}

async fn wait_for_the_end() -> std::io::Result<()> {
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted,
        _ = terminate.recv() => Ok(()),
    }
}
