//! `danelaw backup` and `danelaw restore`: state and keys, out and in.

use std::path::Path;

use super::args::{BackupArgs, Cli, RestoreArgs};
use super::daemon::directories;
use super::exit::{Exit, Failure};
use crate::host::{backup, settings};

/// Saves.
pub(super) fn backup(cli: &Cli, args: &BackupArgs) -> Result<Exit, Failure> {
    let output = (args.file != Path::new("-")).then_some(&*args.file);
    let saved = backup::save(&directories(cli)?, output)?;
    for warning in &saved.warnings {
        eprintln!("warning: {warning}");
    }
    eprintln!(
        "saved the state of {} zones and {} files of keys; whoever reads the file has the keys",
        saved.zones, saved.keys
    );
    Ok(Exit::Done)
}

/// Puts back.
pub(super) fn restore(cli: &Cli, args: &RestoreArgs) -> Result<Exit, Failure> {
    let path = settings::find(cli.config.as_deref())?;
    let restored = backup::restore(&path, &args.file, args.force)?;
    for warning in &restored.warnings {
        eprintln!("warning: {warning}");
    }
    eprintln!(
        "restored the state of {} zones and {} files of keys, saved at {}. What was done with keys after that is \
         forgotten: before `danelaw run`, compare what `danelaw ds ZONE` prints with what the parent of each zone has",
        restored.zones, restored.keys, restored.made
    );
    Ok(Exit::Done)
}
