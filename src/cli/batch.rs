//! `danelaw key request`, `sign-batch` and `import-batch`: a key-signing key that is nowhere near the nameserver.

use std::path::Path;

use super::args::{Cli, KeyImportBatchArgs, KeyRequestArgs, KeySignBatchArgs};
use super::daemon::config;
use super::ds;
use super::exit::{Exit, Failure};
use super::key::directory;
use crate::dnssec::batch::{Batch, BatchError, Request, to_text};
use crate::dnssec::key::PublicKey;
use crate::host::{clock, files, keys};

/// Writes a request.
pub(super) fn request(cli: &Cli, args: &KeyRequestArgs) -> Result<Exit, Failure> {
    let config = config(cli)?;
    let Some(zone) = config.zones.get(&args.zone) else {
        return Err(Failure::Keys(format!("zone {} is not in the configuration", args.zone)));
    };
    let mut stored = keys::all(&config.keys, &args.zone).map_err(Failure::Keys)?;
    let (known, now) = (ds::known(cli, &args.zone)?, clock::now());
    // What the files say is what somebody wants: until the daemon has let the key go, too, it is in the DNSKEY RRset.
    stored.retain(|stored| {
        let has_gone = known.as_ref().is_some_and(|known| ds::in_use(known, stored.key.public()).is_none());
        !(has_gone && stored.timing.is_deleted(now))
    });
    let zsks: Vec<&PublicKey> = stored
        .iter()
        .map(|stored| stored.key.public())
        .filter(|public| !public.is_secure_entry_point())
        .collect();
    let from = args.from.unwrap_or(now);
    let policy = &zone.policy;
    let request = Request::new(
        &args.zone,
        policy.dnskey_ttl,
        &zsks,
        [from, args.until],
        args.every,
        policy.signatures.refresh,
    );
    write(request.and_then(|request| to_text(&request)), args.output.as_deref())
}

/// Signs what was requested.
pub(super) fn sign(args: &KeySignBatchArgs) -> Result<Exit, Failure> {
    let request: Request = read(&args.request)?;
    let batch = keys::sign_batch(&args.keys, &request).map_err(Failure::Keys)?;
    write(to_text(&batch), args.output.as_deref())
}

/// Takes what was signed.
pub(super) fn import(cli: &Cli, args: &KeyImportBatchArgs) -> Result<Exit, Failure> {
    let batch: Batch = read(&args.file)?;
    let paths = keys::import_batch(&directory(cli, args.keys.as_ref())?, &batch).map_err(Failure::Keys)?;
    for path in paths {
        println!("{}", path.display());
    }
    eprintln!("signatures until {}; `danelaw reload` makes a daemon that runs use them", batch.ends());
    Ok(Exit::Done)
}

fn read<T: std::str::FromStr<Err = BatchError>>(path: &Path) -> Result<T, Failure> {
    let text =
        files::read_text(path).map_err(|error| Failure::Keys(format!("{}: {error}", path.display())))?;
    text.parse().map_err(|error| failed(path, &error))
}

fn failed(path: &Path, error: &BatchError) -> Failure {
    Failure::Keys(format!("{}: {error}", path.display()))
}

fn write(text: Result<String, BatchError>, output: Option<&Path>) -> Result<Exit, Failure> {
    let text = text.map_err(|error| Failure::Keys(error.to_string()))?;
    match output {
        Some(path) => files::write(path, text.as_bytes())
            .map_err(|error| Failure::Keys(format!("{}: {error}", path.display())))?,
        None => print!("{text}"),
    }
    Ok(Exit::Done)
}
