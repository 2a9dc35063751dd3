//! `danelaw run`: the daemon.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

use super::args::{Cli, LogLevel, RunArgs};
use super::exit::{Exit, Failure};
use crate::host::{daemon, settings};

/// Serves until told to stop.
pub(super) fn run(cli: &Cli, args: &RunArgs) -> Result<Exit, Failure> {
    let level = match args.log {
        LogLevel::Error => "error",
        LogLevel::Warn => "warn",
        LogLevel::Info => "info",
        LogLevel::Debug => "debug",
        LogLevel::Trace => "trace",
    };
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(format!("danelaw={level},warn")))
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false)
        .init();
    daemon::run(&settings::find(cli.config.as_deref())?)?;
    Ok(Exit::Done)
}
