//! `danelaw check`: everything that is wrong, in one go.

use super::args::Cli;
use super::exit::{Exit, Failure};
use crate::dns::problem::Problems;
use crate::host::{check, settings};

/// Prints every problem, one a line; touches nothing.
pub(super) fn check(cli: &Cli) -> Result<Exit, Failure> {
    let path = settings::find(cli.config.as_deref())?;
    let problems = check::everything(&path);
    for problems in &problems {
        println!("{problems}");
    }
    if problems.iter().any(Problems::refuse) {
        return Ok(Exit::Wrong);
    }
    eprintln!("{}: sound", path.display());
    Ok(Exit::Done)
}
