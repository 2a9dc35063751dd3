//! `danelaw key`: DNSSEC keys on disk.

use std::io::Write;
use std::path::{Path, PathBuf};

use hyper::{Method, StatusCode};
use serde::Serialize;

use super::args::{
    Cli, KeyArgs, KeyCommand, KeyExportArgs, KeyFormat, KeyGenerateArgs, KeyImportArgs, KeyListArgs, KeyRole,
    KeyRollArgs,
};
use super::batch;
use super::daemon::{config, segment, socket};
use super::exit::{Exit, Failure};
use crate::dns::name::Name;
use crate::dnssec::key::Role;
use crate::engine::{KeyOrder, signing_algorithm};
use crate::host::client::request_with;
use crate::host::files;
use crate::host::keys::{self, Form, Import, StoredKey};

/// Runs the subcommand.
pub(super) fn key(cli: &Cli, args: &KeyArgs) -> Result<Exit, Failure> {
    match &args.command {
        KeyCommand::Generate(args) => generate(cli, args),
        KeyCommand::List(args) => list(cli, args),
        KeyCommand::Request(args) => batch::request(cli, args),
        KeyCommand::SignBatch(args) => batch::sign(args),
        KeyCommand::ImportBatch(args) => batch::import(cli, args),
        KeyCommand::Import(args) => import(cli, args),
        KeyCommand::Export(args) => export(cli, args),
        KeyCommand::Roll(args) => roll(cli, args),
        KeyCommand::DsSeen(args) => order(cli, &args.zone, KeyOrder::DsSeen { tag: args.tag }),
        KeyCommand::DsGone(args) => order(cli, &args.zone, KeyOrder::DsGone { tag: args.tag }),
    }
}

pub(super) fn directory(cli: &Cli, named: Option<&PathBuf>) -> Result<PathBuf, Failure> {
    named.map_or_else(|| Ok(config(cli)?.keys.clone()), |path| Ok(path.clone()))
}

fn generate(cli: &Cli, args: &KeyGenerateArgs) -> Result<Exit, Failure> {
    let directory = directory(cli, args.keys.as_ref())?;
    let algorithm = signing_algorithm(args.algorithm);
    let stored = match &args.pkcs11 {
        Some(uri) => keys::make_in_token(&directory, &args.zone, role(args.role), algorithm, uri),
        None => keys::make(&directory, &args.zone, role(args.role), algorithm),
    };
    let stored = stored.map_err(Failure::Keys)?;
    print_keys(&[stored], args.output.json)?;
    Ok(Exit::Done)
}

fn role(role: KeyRole) -> Role {
    match role {
        KeyRole::Csk => Role::Csk,
        KeyRole::Ksk => Role::Ksk,
        KeyRole::Zsk => Role::Zsk,
    }
}

fn import(cli: &Cli, args: &KeyImportArgs) -> Result<Exit, Failure> {
    let directory = directory(cli, args.keys.as_ref())?;
    let order = Import {
        zone: args.zone.clone(),
        files: args.files.clone(),
        dnskeys: args.dnskey.clone(),
        list: args.keymgr.clone(),
        role: args.role.map(role),
    };
    let imported = keys::import(&directory, &order).map_err(|error| Failure::Keys(error.to_string()))?;
    for path in imported.over {
        eprintln!("{}: left out, the key is in use no more", path.display());
    }
    print_keys(&imported.keys, args.output.json)?;
    Ok(Exit::Done)
}

fn export(cli: &Cli, args: &KeyExportArgs) -> Result<Exit, Failure> {
    let directory = directory(cli, args.keys.as_ref())?;
    let failed = |error: keys::StoreError| Failure::Keys(error.to_string());
    let form = match args.format {
        KeyFormat::Pdns => Form::PrivateKeyFormat,
        KeyFormat::Pkcs8 => Form::Pkcs8,
        KeyFormat::Bind => {
            let to = args.output.as_deref().unwrap_or(Path::new("."));
            let path = keys::export_files(&directory, &args.zone, args.tag, to).map_err(failed)?;
            println!("{}", path.display());
            return Ok(Exit::Done);
        }
    };
    let text = keys::export(&directory, &args.zone, args.tag, form).map_err(failed)?;
    match &args.output {
        None => print!("{}", text.as_str()),
        Some(path) => files::create_secret(path, &text)
            .map_err(|error| Failure::File { file: path.display().to_string(), reason: error.to_string() })?,
    }
    Ok(Exit::Done)
}

fn roll(cli: &Cli, args: &KeyRollArgs) -> Result<Exit, Failure> {
    if let Some(tag) = args.compromised {
        let exit = order(cli, &args.zone, KeyOrder::Compromised { tag, confirmed: args.yes })?;
        if !args.yes && exit == Exit::Done {
            let zone = args.zone.as_ref().undotted();
            eprintln!(
                "nothing has been changed; to do it: danelaw key roll {zone} --compromised {tag} --yes"
            );
            return Ok(Exit::Wrong);
        }
        return Ok(exit);
    }
    order(cli, &args.zone, KeyOrder::Roll { entry_point: args.role != Some(KeyRole::Zsk) })
}

/// Tells the daemon, and prints what it says.
fn order(cli: &Cli, zone: &Name, order: KeyOrder) -> Result<Exit, Failure> {
    let socket = socket(cli)?;
    let path = format!("/key/{}", segment(zone));
    let mut said = Vec::new();
    let status = request_with(&socket, &Method::POST, &path, serde_json::to_vec(&order)?, &mut said)?;
    if status == StatusCode::OK {
        std::io::stdout().write_all(&said)?;
        Ok(Exit::Done)
    } else {
        std::io::stderr().write_all(&said)?;
        Ok(Exit::Wrong)
    }
}

fn list(cli: &Cli, args: &KeyListArgs) -> Result<Exit, Failure> {
    let directory = directory(cli, args.keys.as_ref())?;
    let zones = match &args.zone {
        Some(zone) => vec![zone.clone()],
        None => keys::zones(&directory).map_err(Failure::Keys)?.into_iter().collect(),
    };
    let mut stored = Vec::new();
    for zone in zones {
        stored.extend(keys::all(&directory, &zone).map_err(Failure::Keys)?);
    }
    print_keys(&stored, args.output.json)?;
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
    /// Since when its life is over, or from when on it is to be, as its files say.
    delete: Option<String>,
    file: String,
}

/// One line a key, or all of them as one JSON array.
fn print_keys(stored: &[StoredKey], json: bool) -> Result<(), Failure> {
    let lines: Vec<KeyLine> = stored.iter().map(KeyLine::new).collect();
    if json {
        println!("{}", serde_json::to_string_pretty(&lines)?);
        return Ok(());
    }
    for line in lines {
        let kind = if line.flags & 1 == 1 { "KSK or CSK" } else { "ZSK" };
        let created = line.created.as_deref().unwrap_or("unknown");
        let delete = line.delete.map_or(String::new(), |at| format!("  delete {at}"));
        println!(
            "{}  tag {}  algorithm {}  flags {} ({kind})  created {created}{delete}  {}",
            line.zone, line.tag, line.algorithm, line.flags, line.file
        );
    }
    Ok(())
}

impl KeyLine {
    fn new(key: &StoredKey) -> Self {
        let public = key.key.public();
        Self {
            zone: key.key.zone().to_string(),
            tag: public.tag(),
            flags: public.flags(),
            algorithm: public.algorithm().number(),
            created: key.timing.created.map(|at| at.to_string()),
            delete: key.timing.delete.map(|at| at.to_string()),
            file: key.path.display().to_string(),
        }
    }
}
