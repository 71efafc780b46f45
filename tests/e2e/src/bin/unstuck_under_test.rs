//! The real `serve`, which ends itself where the environment says, as a power failure would.

use std::{process::ExitCode, sync::Arc};

use e2e::{CRASH_AT, CrashOnce};
use unstuck::{app::Parts, settings};

#[tokio::main]
async fn main() -> ExitCode {
    connectors::http::install_crypto_provider();
    let Some(file) = std::env::args_os().nth(1) else {
        return ExitCode::from(2);
    };
    let environment = settings::Environment::of_process();
    let settings = match settings::load(std::path::Path::new(&file), &environment) {
        Ok(settings) => Arc::new(settings),
        Err(problems) => panic!("{problems}"),
    };
    unstuck::telemetry::start(&settings.log);
    let mut parts = Parts::of(&settings);
    if let Some(crash) = environment.get(CRASH_AT).and_then(CrashOnce::parse) {
        parts.faults = Arc::new(crash);
    }
    let stop = tokio_stop();
    match unstuck::serve::run(settings, &environment, parts, false, stop).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => panic!("{error:#}"),
    }
}

/// Nobody stops it but a signal that ends it.
fn tokio_stop() -> unstuck::serve::Stop {
    unstuck::serve::Stop::new()
}
