//! The commands that ask the running daemon: dump, reload, notify; and what `status` shares with them.

use std::io::{Write, stderr, stdout};
use std::path::PathBuf;

use serde::Serialize;

use super::args::{Cli, DumpArgs, NotifyArgs, ReloadArgs};
use super::exit::{Exit, Failure};
use crate::config::{Config, Directories};
use crate::dns::name::Name;
use crate::host::client::{Method, StatusCode, request};
use crate::host::settings;

/// Where the daemon has its state and its keys. Nothing else of the configuration need be sound: the daemon goes on with
/// what it read before.
pub(super) fn directories(cli: &Cli) -> Result<Directories, Failure> {
    let path = settings::find(cli.config.as_deref())?;
    let (directories, doubt) = settings::directories(&path);
    if let Some(problem) = doubt {
        let state = directories.state.display();
        eprintln!(
            "warning: {}: {}; looking for the daemon by its state in {state}",
            problem.place, problem.what
        );
    }
    Ok(directories)
}

/// Where the daemon is reached.
pub(super) fn socket(cli: &Cli) -> Result<PathBuf, Failure> {
    directories(cli).map(|directories| directories.control_socket())
}

/// The configuration, for what only a sound one tells.
pub(super) fn config(cli: &Cli) -> Result<Config, Failure> {
    let path = settings::find(cli.config.as_deref())?;
    Ok(settings::load_without_secrets(&path)?)
}

/// `danelaw dump`
pub(super) fn dump(cli: &Cli, args: &DumpArgs) -> Result<Exit, Failure> {
    let path = format!("/dump/{}?unsigned={}", segment(&args.zone), args.unsigned);
    let mut output = Dumped { json: args.output.json, line: Vec::new(), any: false, out: stdout().lock() };
    let status = request(&socket(cli)?, &Method::GET, &path, &mut output)?;
    if status != StatusCode::OK {
        stderr().write_all(&output.line)?;
        return Ok(Exit::Wrong);
    }
    output.finish()?;
    Ok(Exit::Done)
}

/// The lines of a dump on their way to standard output, as they are or each as a JSON object.
struct Dumped<W> {
    json: bool,
    line: Vec<u8>,
    any: bool,
    out: W,
}

#[derive(Serialize)]
struct Record<'a> {
    owner: &'a str,
    ttl: u32,
    #[serde(rename = "type")]
    rtype: &'a str,
    rdata: &'a str,
}

impl<W: Write> Dumped<W> {
    fn record(&mut self) -> std::io::Result<()> {
        let line = String::from_utf8_lossy(&self.line);
        let fields: Vec<&str> = line.trim_end().splitn(5, [' ', '\t']).collect();
        if let [owner, ttl, _class, rtype, rdata] = fields[..] {
            let record = Record { owner, ttl: ttl.parse().unwrap_or(0), rtype, rdata };
            let comma = if std::mem::replace(&mut self.any, true) { ",\n" } else { "[\n" };
            self.out.write_all(comma.as_bytes())?;
            serde_json::to_writer(&mut self.out, &record)?;
        }
        self.line.clear();
        Ok(())
    }

    fn finish(&mut self) -> std::io::Result<()> {
        if self.json {
            self.out.write_all(if self.any { b"\n]\n" } else { b"[]\n" })?;
        } else {
            self.out.write_all(&self.line)?;
        }
        self.out.flush()
    }
}

impl<W: Write> Write for Dumped<W> {
    fn write(&mut self, octets: &[u8]) -> std::io::Result<usize> {
        for part in octets.split_inclusive(|&octet| octet == b'\n') {
            self.line.extend(part);
            if !part.ends_with(b"\n") || self.line.split(|&o| o == b' ').count() < 4 {
                continue; // an incomplete line, or what the daemon says instead of records
            }
            if self.json {
                self.record()?;
            } else {
                self.out.write_all(&self.line)?;
                self.line.clear();
            }
        }
        Ok(octets.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.out.flush()
    }
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
    let status = request(&socket(cli)?, &Method::POST, path, &mut said)?;
    stderr().write_all(&said)?;
    Ok(if status == StatusCode::OK { Exit::Done } else { Exit::Wrong })
}

/// A name as one segment of a path.
pub(super) fn segment(zone: &Name) -> String {
    text_segment(&zone.to_string())
}

/// Any text as one segment of a path, or one value of a query.
pub(super) fn text_segment(text: &str) -> String {
    text.bytes()
        .map(|octet| match octet {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'-' | b'_' => char::from(octet).to_string(),
            other => format!("%{other:02X}"),
        })
        .collect()
}
