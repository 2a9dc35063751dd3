//! `danelaw ds`: what the parent of a zone is to be told of its keys.
//!
//! A key that is over, or in other hands, must never come back to the parent, and its files are still there. Which keys
//! the parent is to name, the daemon knows; where none runs, what the files say of themselves has to do.

use std::path::Path;

use serde::Serialize;

use super::args::{Cli, DsArgs};
use super::exit::{Exit, Failure};
use super::key::directory;
use super::status::{self, signal_text};
use crate::dns::name::Name;
use crate::dns::rdata;
use crate::dns::rtype::Rtype;
use crate::dns::time::Timestamp;
use crate::dnssec::key::{DigestType, PublicKey};
use crate::engine::status::{KeyStatus, ZoneStatus};
use crate::host::client::ClientError;
use crate::host::clock;
use crate::host::keys::{self, StoredKey};

#[derive(Serialize)]
struct DsOutput {
    zone: String,
    ds: Vec<String>,
    dnskey: Vec<String>,
    cds: Vec<String>,
}

/// DS (SHA-256 and SHA-384), DNSKEY and CDS of the keys that are to be named at the parent.
pub(super) fn ds(cli: &Cli, args: &DsArgs) -> Result<Exit, Failure> {
    if args.signal {
        return signals(cli, args);
    }
    let (zone, directory) = (&args.zone, directory(cli, args.keys.as_ref())?);
    let mut stored = keys::all(&directory, zone).map_err(Failure::Keys)?;
    stored.retain(|key| key.key.public().is_secure_entry_point());
    if stored.is_empty() {
        return Err(none(&directory, zone));
    }
    // Keys in another directory are not those of the daemon.
    let known = if args.keys.is_some() { None } else { known(cli, zone)? };
    let now = clock::now();
    let named: Vec<&PublicKey> = stored
        .iter()
        .filter(|key| {
            let out = match &known {
                Some(known) => left_out(known, key.key.public()),
                None => is_over(key, now),
            };
            if let Some(why) = &out {
                eprintln!("{zone}: key {} is left out: {why}", key.key.public().tag());
            }
            out.is_none()
        })
        .map(|key| key.key.public())
        .collect();
    if known.is_none() && (stored.len() > 1 || named.is_empty()) {
        let undotted = zone.as_ref().undotted();
        eprintln!(
            "{zone}: which of its keys are in use, a daemon that runs knows: `danelaw status {undotted}` then says what to \
             hand to the parent"
        );
    }
    if named.is_empty() {
        return Err(none(&directory, zone));
    }
    print(zone, &named, args.output.json)?;
    Ok(Exit::Done)
}

/// What the daemon knows of the zone's keys; nothing where none runs, or before it has any.
pub(super) fn known(cli: &Cli, zone: &Name) -> Result<Option<ZoneStatus>, Failure> {
    let zones = match status::ask(cli) {
        Ok(status) => status.zones,
        Err(Failure::Client(ClientError::NoDaemon { .. })) => return Ok(None),
        Err(failure) => return Err(failure),
    };
    let zone = zone.to_string();
    let known = zones.into_iter().find(|known| known.zone.eq_ignore_ascii_case(&zone));
    Ok(known.filter(|known| known.serial.is_some() || !known.keys.is_empty()))
}

/// Why the parent is not to name this key, as the daemon has it: CDS does not ask for it. As long as CDS asks for none,
/// every key that is not to go may be named.
fn left_out(known: &ZoneStatus, key: &PublicKey) -> Option<String> {
    let Some(this) = in_use(known, key) else {
        return Some("the daemon does not use it, not any more or not yet".to_owned());
    };
    let others_are = known.keys.iter().any(|key| key.submitted);
    match &this.retired {
        _ if this.submitted => None,
        Some(retired) => Some(format!("it is to go ({retired})")),
        None if others_are => Some("CDS does not ask for it yet".to_owned()),
        None => None,
    }
}

/// How the daemon has this key, if it is in use.
pub(super) fn in_use<'k>(known: &'k ZoneStatus, key: &PublicKey) -> Option<&'k KeyStatus> {
    let is_this = |tag, algorithm| (tag, algorithm) == (key.tag(), key.algorithm().number());
    known.keys.iter().find(|key| is_this(key.tag, key.algorithm))
}

/// Whether its files say that a key is in use no more.
fn is_over(key: &StoredKey, now: Timestamp) -> Option<String> {
    let ends = [("Inactive", key.timing.inactive), ("Delete", key.timing.delete)];
    let (word, at) = ends.into_iter().find_map(|(word, at)| Some((word, at.filter(|&at| at <= now)?)))?;
    Some(format!("its file says `{word}` since {at}"))
}

fn none(directory: &Path, zone: &Name) -> Failure {
    let directory = directory.display();
    Failure::Keys(format!("{directory}: no key of {zone} that a DS is to name"))
}

fn print(zone: &Name, keys: &[&PublicKey], json: bool) -> Result<(), Failure> {
    let text = |rtype: Rtype, octets: &[u8]| {
        let mut out = String::new();
        let _ = rdata::write(rtype, octets, &mut out);
        format!("{zone} IN {rtype} {out}")
    };
    let origin = zone.as_ref();
    let mut output = DsOutput { zone: zone.to_string(), ds: vec![], dnskey: vec![], cds: vec![] };
    for public in keys {
        for digest in [DigestType::Sha256, DigestType::Sha384] {
            output.ds.push(text(Rtype::DS, &public.ds(origin, digest)));
        }
        output.dnskey.push(text(Rtype::DNSKEY, &public.rdata()));
        output.cds.push(text(Rtype::CDS, &public.ds(origin, DigestType::Sha256)));
    }
    if json {
        println!("{}", serde_json::to_string_pretty(&output)?);
    } else {
        for line in output.ds.iter().chain(&output.dnskey).chain(&output.cds) {
            println!("{line}");
        }
    }
    Ok(())
}

/// What the nameservers signal to the parent.
fn signals(cli: &Cli, args: &DsArgs) -> Result<Exit, Failure> {
    let zone = args.zone.to_string();
    let zones = status::ask(cli)?.zones;
    let Some(known) = zones.into_iter().find(|known| known.zone.eq_ignore_ascii_case(&zone)) else {
        return Err(Failure::Unknown(zone));
    };
    if args.output.json {
        println!("{}", serde_json::to_string_pretty(&known.signals)?);
        return Ok(Exit::Done);
    }
    if known.signals.is_empty() {
        eprintln!(
            "{zone}: nothing to signal: without `signal: true`, or while CDS asks for no first DS record"
        );
    }
    for signal in &known.signals {
        print!("{}", signal_text("; ", signal));
        for record in &signal.records {
            println!("{record}");
        }
    }
    Ok(Exit::Done)
}
