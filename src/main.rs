//! Arguments, run, exit code.

use std::process::ExitCode;

use clap::Parser;
use danelaw::cli::{self, Cli};

fn main() -> ExitCode {
    cli::run(&Cli::parse()).into()
}
