//! The command line: one file a command, or a family of small ones.
//!
//! Commands print what they were asked for to standard output and everything else to standard error. They end
//! with [`Exit`].

pub mod args;
mod check;
mod daemon;
mod diff;
pub mod exit;
mod key;
mod run;
mod sign;
mod status;
mod tlsa;

pub use args::Cli;
pub use exit::Exit;

use args::Command;

/// Runs the command and says how it ended.
pub fn run(cli: &Cli) -> Exit {
    let outcome = match &cli.command {
        Command::Run(args) => run::run(cli, args),
        Command::Check => check::check(cli),
        Command::Sign(args) => sign::sign(args),
        Command::Tlsa(args) => tlsa::tlsa(args),
        Command::Ds(args) => key::ds(cli, args),
        Command::Key(args) => key::key(cli, args),
        Command::Dump(args) => daemon::dump(cli, args),
        Command::Diff(args) => diff::diff(cli, args),
        Command::Status(args) => status::status(cli, args),
        Command::Reload(args) => daemon::reload(cli, args),
        Command::Notify(args) => daemon::notify(cli, args),
    };
    outcome.unwrap_or_else(|failure| {
        // A reader that went away (`danelaw dump | head`) is no news.
        if !failure.is_broken_pipe() {
            eprintln!("danelaw: {failure}");
        }
        failure.exit()
    })
}
