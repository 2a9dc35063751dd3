//! The commands that ask the running daemon: dump, reload, notify; and what `status` shares with them.

use std::io::{Write, stderr, stdout};

use super::args::{Cli, DumpArgs, NotifyArgs, ReloadArgs};
use super::exit::{Exit, Failure};
use crate::config::Config;
use crate::dns::name::Name;
use crate::host::client::{Method, StatusCode, request};
use crate::host::settings;

/// The configuration, read for the sake of the control socket's place.
pub(super) fn config(cli: &Cli) -> Result<std::sync::Arc<Config>, Failure> {
    let path = settings::find(cli.config.as_deref())?;
    Ok(settings::load_without_secrets(&path)?)
}

/// `danelaw dump`
pub(super) fn dump(cli: &Cli, args: &DumpArgs) -> Result<Exit, Failure> {
    let format = if args.output.json { "json" } else { "text" };
    let path = format!("/dump/{}?unsigned={}&format={format}", segment(&args.zone), args.unsigned);
    let mut output = Checked { body: Vec::new(), large: stdout().lock() };
    let status = request(&config(cli)?.control_socket(), &Method::GET, &path, &mut output)?;
    output.finish(status)
}

/// `danelaw reload`
pub(super) fn reload(cli: &Cli, args: &ReloadArgs) -> Result<Exit, Failure> {
    let path = match &args.zone {
        Some(zone) => format!("/reload?zone={}", segment(zone)),
        None => "/reload".to_owned(),
    };
    post(cli, &path)
}

/// `danelaw notify`
pub(super) fn notify(cli: &Cli, args: &NotifyArgs) -> Result<Exit, Failure> {
    post(cli, &format!("/notify/{}", segment(&args.zone)))
}

fn post(cli: &Cli, path: &str) -> Result<Exit, Failure> {
    let mut said = Vec::new();
    let status = request(&config(cli)?.control_socket(), &Method::POST, path, &mut said)?;
    stderr().write_all(&said)?;
    Ok(if status == StatusCode::OK { Exit::Done } else { Exit::Wrong })
}

/// A name as one segment of a path.
fn segment(zone: &Name) -> String {
    zone.to_string()
        .bytes()
        .map(|octet| match octet {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'-' | b'_' => char::from(octet).to_string(),
            other => format!("%{other:02X}"),
        })
        .collect()
}
