//! `danelaw status`: made for reading.

use std::fmt::Write;

use super::args::{Cli, StatusArgs};
use super::daemon::config;
use super::exit::{Exit, Failure};
use crate::engine::Status;
use crate::engine::status::{
    AlarmStatus, PrimaryStatus, ProcessStatus, RateLimitStatus, ServiceStatus, TransferStatus, ZoneStatus,
};
use crate::host::client::{Method, request};

/// Asks the daemon and prints what it says; [`Exit::Wrong`] when something needs a person.
pub(super) fn status(cli: &Cli, args: &StatusArgs) -> Result<Exit, Failure> {
    let mut body = Vec::new();
    request(&config(cli)?.control_socket(), &Method::GET, "/status", &mut body)?;
    let mut status: Status = serde_json::from_slice(&body)?;
    if let Some(subject) = &args.subject {
        only(&mut status, subject)?;
    }
    if args.output.json {
        println!("{}", serde_json::to_string_pretty(&status)?);
    } else {
        print!("{}", text(&status));
    }
    Ok(if status.well { Exit::Done } else { Exit::Wrong })
}

/// Keeps one zone or one service.
fn only(status: &mut Status, subject: &str) -> Result<(), Failure> {
    let absolute = if subject.ends_with('.') { subject.to_owned() } else { format!("{subject}.") };
    status.zones.retain(|zone| zone.zone.eq_ignore_ascii_case(&absolute));
    status.services.retain(|service| service.service == subject);
    if status.zones.is_empty() && status.services.is_empty() {
        return Err(Failure::Unknown(subject.to_owned()));
    }
    status.well = status.alarms.is_empty()
        && status.zones.iter().all(|zone| zone.alarms.is_empty() && zone.serial.is_some())
        && status.services.iter().all(|service| service.alarms.is_empty());
    Ok(())
}

/// The report as text. Alarms stand first in each part, marked `!`.
fn text(status: &Status) -> String {
    let mut out = String::new();
    let verdict = if status.well { "all is well" } else { "something needs you, see the lines with !" };
    let _ = writeln!(out, "danelaw at {}: {verdict}", status.now);
    alarms(&mut out, "", &status.alarms);
    if let Some(certificate) = &status.listen_certificate {
        let _ = writeln!(out, "encrypted listeners: {} expires {}", certificate.file, certificate.expires);
    }
    if !status.zones.is_empty() {
        out.push_str("\nZONES\n");
    }
    for zone in &status.zones {
        zone_text(&mut out, zone);
    }
    if !status.services.is_empty() {
        out.push_str("\nSERVICES\n");
    }
    for service in &status.services {
        service_text(&mut out, service);
    }
    if let Some(process) = &status.process {
        traffic(&mut out, process);
    }
    if let Some(RateLimitStatus { dropped, truncated, log_only, .. }) = status.rate_limit {
        let only = if log_only { " (only counted)" } else { "" };
        let _ =
            writeln!(out, "\nRESPONSES BEYOND THEIR RATE  {dropped} dropped, {truncated} truncated{only}");
    }
    out
}

fn zone_text(out: &mut String, zone: &ZoneStatus) {
    let expired = zone.primary.as_ref().is_some_and(|primary| primary.expired);
    let _ = match zone.serial {
        Some(serial) => {
            write!(out, "{}  serial {serial}  {} records  {}", zone.zone, zone.records, zone.denial)
        }
        None if expired => write!(out, "{}  expired", zone.zone),
        None => write!(out, "{}  not served yet", zone.zone),
    };
    if !zone.key_tags.is_empty() {
        let tags: Vec<String> = zone.key_tags.iter().map(ToString::to_string).collect();
        let _ = write!(out, "  keys {}", tags.join(" "));
    }
    out.push('\n');
    alarms(out, "  ", &zone.alarms);
    if let Some(expire) = &zone.signatures_expire {
        let next = zone.next_signing.map_or("now".to_owned(), |at| at.to_string());
        let _ = writeln!(out, "  signatures: first expires {expire}, made anew {next}");
    }
    if let (Some(file), Some(_)) = (zone.file_serial, zone.serial) {
        let _ = writeln!(out, "  serial in the file: {file}");
    }
    if let Some(primary) = &zone.primary {
        primary_text(out, primary);
    }
    for secondary in &zone.secondaries {
        let _ = write!(out, "  secondary {} {}", secondary.remote, secondary.address);
        match secondary.serial {
            Some(serial) if Some(serial) == zone.serial => {
                let _ = write!(out, "  serial {serial}  up to date");
            }
            Some(serial) => {
                let _ = write!(out, "  serial {serial}  behind");
            }
            None => {}
        }
        if let Some(seen) = &secondary.seen {
            let _ = write!(out, "  seen {seen}");
        }
        if let Some(error) = &secondary.error {
            let _ = write!(out, "  {error}");
        }
        out.push('\n');
        if let Some(transfer) = &secondary.transfer {
            let TransferStatus { at, serial, style, octets, transport, .. } = transfer;
            let _ = writeln!(out, "    {style} of {serial} at {at}, {octets} octets by {transport}");
        }
    }
    for warning in &zone.warnings {
        let _ = writeln!(out, "  {warning}");
    }
}

fn primary_text(out: &mut String, primary: &PrimaryStatus) {
    let named = primary.answered.clone().unwrap_or_else(|| primary.remotes.join(", "));
    let _ = write!(out, "  primary {named}");
    if let Some(serial) = primary.serial {
        let _ = write!(out, "  serial {serial}");
    }
    if let Some(transferred) = primary.transferred.filter(|_| primary.transferred != primary.serial) {
        let _ = write!(out, "  transferred {transferred}");
    }
    if let Some(current) = &primary.current {
        let _ = write!(out, "  current {current}");
    }
    if let Some(expires) = &primary.expires {
        let _ = write!(out, "  expire{} {expires}", if primary.expired { "d" } else { "s" });
    }
    if let Some(next) = &primary.next {
        let _ = write!(out, "  asked again {next}");
    }
    out.push('\n');
    if let Some(error) = &primary.error {
        let _ = writeln!(out, "    {error}");
    }
}

fn service_text(out: &mut String, service: &ServiceStatus) {
    let _ = writeln!(out, "{}  ttl {}", service.service, service.ttl);
    alarms(out, "  ", &service.alarms);
    for owner in &service.owners {
        let _ = writeln!(out, "  at {owner}");
    }
    for certificate in &service.certificates {
        let _ = writeln!(out, "  {} expires {}", certificate.file, certificate.expires);
    }
    for association in &service.associations {
        let _ = write!(out, "  TLSA {}", shortened(&association.tlsa));
        let _ = write!(out, "  {} since {}", association.state, association.since);
        if let Some(until) = &association.until {
            let _ = write!(out, " until {until}");
        }
        let _ = writeln!(out, "  ({})", association.why);
    }
}

/// What has come and gone, in one line for each transport.
fn traffic(out: &mut String, process: &ProcessStatus) {
    let ProcessStatus { version, started, traffic } = process;
    let _ = writeln!(out, "\nTRAFFIC  since {started}, danelaw {version}");
    for each in traffic {
        let responses: u64 = each.responses.values().sum();
        let _ = write!(out, "{}  {} requests  {responses} responses", each.transport, each.requests);
        if each.truncated > 0 {
            let _ = write!(out, "  {} truncated", each.truncated);
        }
        if each.transfers > 0 {
            let _ = write!(out, "  {} transfers", each.transfers);
        }
        out.push('\n');
    }
}

/// A digest is told by its beginning; `--json` has the whole.
fn shortened(tlsa: &str) -> String {
    if tlsa.len() <= 24 {
        tlsa.to_owned()
    } else {
        format!("{}…", tlsa.chars().take(22).collect::<String>())
    }
}

fn alarms(out: &mut String, indent: &str, alarms: &[AlarmStatus]) {
    for alarm in alarms {
        let text = alarm.text.replace('\n', &format!("\n{indent}  "));
        let _ = writeln!(out, "{indent}! {text}\n{indent}  since {}", alarm.since);
    }
}
