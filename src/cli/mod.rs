//! The command line: one file a command, or a family of small ones.
//!
//! Commands print what they were asked for to standard output and everything else to standard error. They end
//! with [`Exit`].

pub mod args;
mod backup;
mod batch;
mod check;
mod daemon;
mod diff;
mod ds;
pub mod exit;
mod gate;
mod key;
mod lab;
mod next;
mod run;
mod sign;
mod status;
mod tlsa;
mod verify;

pub use args::Cli;
pub use exit::Exit;

use args::Command;
use exit::Failure;

use crate::host::once::OnceError;

/// Runs the command and says how it ended.
pub fn run(cli: &Cli) -> Exit {
    let outcome = match &cli.command {
        Command::Run(args) => run::run(cli, args),
        Command::Check => check::check(cli),
        Command::Sign(args) => sign::sign(args),
        Command::Tlsa(args) => tlsa::tlsa(args),
        Command::Ds(args) => ds::ds(cli, args),
        Command::Key(args) => key::key(cli, args),
        Command::Dump(args) => daemon::dump(cli, args),
        Command::Diff(args) => diff::diff(cli, args),
        Command::Status(args) => status::status(cli, args),
        Command::Next(args) => next::next(cli, args),
        Command::Lab(args) => lab::lab(args),
        Command::Verify(args) => verify::verify(cli, args),
        Command::Backup(args) => backup::backup(cli, args),
        Command::Restore(args) => backup::restore(cli, args),
        Command::Reload(args) => daemon::reload(cli, args),
        Command::Notify(args) => daemon::notify(cli, args),
        Command::Gate(args) => gate::gate(cli, args),
        Command::Rollover(args) => gate::rollover(cli, args),
    };
    outcome.unwrap_or_else(|failure| {
        // A reader that went away (`danelaw dump | head`) is no news.
        if !failure.is_broken_pipe() {
            match &failure {
                // Each line says by itself where something is wrong, as warnings do.
                Failure::Once(OnceError::Zone(problems)) => eprintln!("{problems}"),
                failure => eprintln!("danelaw: {failure}"),
            }
        }
        failure.exit()
    })
}
