//! `danelaw key` and `danelaw ds`: DNSSEC keys on disk, and what the registrar wants to know of them.

use std::path::PathBuf;

use serde::Serialize;

use super::args::{Cli, DsArgs, KeyArgs, KeyCommand, KeyGenerateArgs, KeyListArgs, KeyRole};
use super::daemon::config;
use super::exit::{Exit, Failure};
use crate::dns::name::Name;
use crate::dns::rdata;
use crate::dns::rtype::Rtype;
use crate::dnssec::key::{DigestType, Role};
use crate::host::keys::{self, StoredKey};

/// Runs the subcommand.
pub(super) fn key(cli: &Cli, args: &KeyArgs) -> Result<Exit, Failure> {
    match &args.command {
        KeyCommand::Generate(args) => generate(cli, args),
        KeyCommand::List(args) => list(cli, args),
    }
}

fn directory(cli: &Cli, named: Option<&PathBuf>) -> Result<PathBuf, Failure> {
    named.map_or_else(|| Ok(config(cli)?.keys.clone()), |path| Ok(path.clone()))
}

fn generate(cli: &Cli, args: &KeyGenerateArgs) -> Result<Exit, Failure> {
    let directory = directory(cli, args.keys.as_ref())?;
    let role = match args.role {
        KeyRole::Csk => Role::Csk,
        KeyRole::Ksk => Role::Ksk,
        KeyRole::Zsk => Role::Zsk,
    };
    let stored = keys::make(&directory, &args.zone, role).map_err(Failure::Keys)?;
    print_keys(&[stored], &args.zone, args.output.json)?;
    Ok(Exit::Done)
}

fn list(cli: &Cli, args: &KeyListArgs) -> Result<Exit, Failure> {
    let directory = directory(cli, args.keys.as_ref())?;
    let zones = match &args.zone {
        Some(zone) => vec![zone.clone()],
        None => keys::zones(&directory).map_err(Failure::Keys)?.into_iter().collect(),
    };
    for zone in zones {
        let stored = keys::all(&directory, &zone).map_err(Failure::Keys)?;
        print_keys(&stored, &zone, args.output.json)?;
    }
    Ok(Exit::Done)
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct KeyLine {
    zone: String,
    tag: u16,
    flags: u16,
    algorithm: u8,
    created: Option<String>,
    file: String,
}

fn print_keys(stored: &[StoredKey], zone: &Name, json: bool) -> Result<(), Failure> {
    for key in stored {
        let public = key.key.public();
        let line = KeyLine {
            zone: zone.to_string(),
            tag: public.tag(),
            flags: public.flags(),
            algorithm: public.algorithm().number(),
            created: key.timing.created.map(|at| at.to_string()),
            file: key.path.display().to_string(),
        };
        if json {
            println!("{}", serde_json::to_string(&line)?);
        } else {
            let kind = if line.flags & 1 == 1 { "KSK or CSK" } else { "ZSK" };
            let created = line.created.as_deref().unwrap_or("unknown");
            println!(
                "{}  tag {}  flags {} ({kind})  created {created}  {}",
                line.zone, line.tag, line.flags, line.file
            );
        }
    }
    Ok(())
}

#[derive(Serialize)]
struct DsOutput {
    zone: String,
    ds: Vec<String>,
    dnskey: Vec<String>,
    cds: Vec<String>,
}

/// DS (SHA-256 and SHA-384), DNSKEY and CDS of the keys that are to be named at the parent.
pub(super) fn ds(cli: &Cli, args: &DsArgs) -> Result<Exit, Failure> {
    let directory = directory(cli, args.keys.as_ref())?;
    let stored = keys::all(&directory, &args.zone).map_err(Failure::Keys)?;
    let anchors: Vec<_> = stored.iter().filter(|key| key.key.public().is_secure_entry_point()).collect();
    if anchors.is_empty() {
        let reason = format!("{}: no key of {} that a DS can name", directory.display(), args.zone);
        return Err(Failure::Keys(reason));
    }
    let text = |rtype: Rtype, octets: &[u8]| {
        let mut out = String::new();
        let _ = rdata::write(rtype, octets, &mut out);
        format!("{} IN {rtype} {out}", args.zone)
    };
    let origin = args.zone.as_ref();
    let mut output = DsOutput { zone: args.zone.to_string(), ds: vec![], dnskey: vec![], cds: vec![] };
    for key in anchors {
        let public = key.key.public();
        for digest in [DigestType::Sha256, DigestType::Sha384] {
            output.ds.push(text(Rtype::DS, &public.ds(origin, digest)));
        }
        output.dnskey.push(text(Rtype::DNSKEY, &public.rdata()));
        output.cds.push(text(Rtype::CDS, &public.ds(origin, DigestType::Sha256)));
    }
    if args.output.json {
        println!("{}", serde_json::to_string_pretty(&output)?);
    } else {
        for line in output.ds.iter().chain(&output.dnskey).chain(&output.cds) {
            println!("{line}");
        }
    }
    Ok(Exit::Done)
}
