//! `danelaw check`: everything that is wrong, in one go.

use super::args::Cli;
use super::exit::{Exit, Failure};
use crate::host::{check, settings};

/// Prints every problem, one a line; touches nothing.
pub(super) fn check(cli: &Cli) -> Result<Exit, Failure> {
    let path = settings::find(cli.config.as_deref())?;
    let problems = check::everything(&path);
    if !problems.is_empty() {
        println!("{problems}");
    }
    if problems.refuse() {
        return Ok(Exit::Wrong);
    }
    eprintln!("{}: sound", path.display());
    Ok(Exit::Done)
}
