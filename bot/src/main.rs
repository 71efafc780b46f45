//! The `unstuck` binary: parses the arguments and calls the library.

use std::process::ExitCode;

use clap::Parser;
use unstuck::cli::{Cli, run};

fn main() -> ExitCode {
    connectors::http::install_crypto_provider();
    let cli = Cli::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            anstream::eprintln!("cannot start: {error}");
            return ExitCode::from(1);
        }
    };
    let code = runtime.block_on(run(cli));
    // A blocking read of a terminal must not keep the process alive.
    runtime.shutdown_timeout(std::time::Duration::from_secs(2));
    code
}
