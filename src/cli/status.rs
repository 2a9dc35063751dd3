//! `danelaw status`: made for reading.

use std::fmt::Write;

use super::args::{Cli, StatusArgs};
use super::daemon::socket;
use super::exit::{Exit, Failure};
use crate::engine::Status;
use crate::engine::signal::SignalStatus;
use crate::engine::status::{
    AdviceStatus, AlarmStatus, DomainReportStatus, GateStatus, KeyPartStatus, KeyStatus, PrimaryStatus,
    ProcessStatus, RateLimitStatus, ReportFailureStatus, ReportsStatus, ServiceStatus, TransferStatus,
    ZoneStatus,
};
use crate::host::client::{Method, request};

/// Asks the daemon and prints what it says; [`Exit::Wrong`] when something needs a person.
pub(super) fn status(cli: &Cli, args: &StatusArgs) -> Result<Exit, Failure> {
    let mut status = ask(cli)?;
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

/// What the daemon says.
pub(super) fn ask(cli: &Cli) -> Result<Status, Failure> {
    let mut body = Vec::new();
    request(&socket(cli)?, &Method::GET, "/status", &mut body)?;
    Ok(serde_json::from_slice(&body)?)
}

/// Keeps one zone or one service.
fn only(status: &mut Status, subject: &str) -> Result<(), Failure> {
    let absolute = if subject.ends_with('.') { subject.to_owned() } else { format!("{subject}.") };
    status.zones.retain(|zone| zone.zone.eq_ignore_ascii_case(&absolute));
    status.services.retain(|service| service.service == subject);
    let undotted = subject.strip_suffix('.').unwrap_or(subject);
    status.advice.retain(|advice| advice.about.eq_ignore_ascii_case(undotted));
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
    if !status.advice.is_empty() {
        out.push_str("\nADVICE\n");
    }
    for AdviceStatus { about, text } in &status.advice {
        let _ = writeln!(out, "{about}: {text}");
    }
    if let Some(reports) = &status.tls_reports {
        tls_reports(&mut out, reports);
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

/// One line, with what changes by itself.
fn key_text(out: &mut String, key: &KeyStatus) {
    let KeyStatus { tag, algorithm, entry_point, retired, parts, submitted: _ } = key;
    let flags = if *entry_point { 257 } else { 256 };
    let _ = write!(out, "  key {tag} algorithm {algorithm} flags {flags}");
    for KeyPartStatus { part, state, until, .. } in parts.iter().filter(|part| part.since.is_some()) {
        let _ = write!(out, "  {part} {state}");
        if let Some(until) = until {
            let _ = write!(out, " until {until}");
        }
    }
    if let Some(retired) = retired {
        let _ = write!(out, "  to go ({retired})");
    }
    out.push('\n');
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
    for key in &zone.keys {
        key_text(out, key);
    }
    // An alarm may have said it already.
    if let Some(parent) =
        zone.parent.as_ref().filter(|text| !zone.alarms.iter().any(|alarm| alarm.text == **text))
    {
        let _ = writeln!(out, "  parent: {parent}");
    }
    for signal in &zone.signals {
        out.push_str(&signal_text("  signal ", signal));
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
                let where_to = if secondary.lag.is_some_and(|lag| lag < 0) { "ahead" } else { "behind" };
                let _ = write!(out, "  serial {serial}  {where_to}");
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

/// One line about what a nameserver signals.
pub(super) fn signal_text(before: &str, signal: &SignalStatus) -> String {
    let SignalStatus { nameserver, made_in, records, problem } = signal;
    let owner = records.first().and_then(|record| record.split(' ').next());
    let what = match (made_in, owner, problem) {
        (_, _, Some(problem)) => problem.clone(),
        (Some(zone), _, None) => format!("made here, in {zone}"),
        (None, Some(owner), None) => {
            format!("to be put at {owner} by whoever has that signed zone (`danelaw ds --signal`)")
        }
        (None, None, None) => "nothing yet".to_owned(),
    };
    format!("{before}{nameserver}  {what}\n")
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
        let _ = write!(out, "  {} {}", service.rtype, shortened(&association.tlsa));
        let _ = write!(out, "  {} since {}", association.state, association.since);
        if let Some(until) = &association.until {
            let _ = write!(out, " until {until}");
        }
        let _ = writeln!(out, "  ({})", association.why);
    }
    for probe in &service.probes {
        let _ = write!(out, "  looked at {}", probe.at);
        if let Some(seen) = &probe.seen {
            let _ = write!(out, "  seen {seen}");
        }
        let _ = match &probe.error {
            Some(error) => writeln!(out, "  {error}"),
            None => writeln!(out),
        };
    }
    if let Some(gate) = &service.gate {
        gate_text(out, gate);
    }
}

/// Whether the next certificate may be deployed; nothing where none is to be.
fn gate_text(out: &mut String, gate: &GateStatus) {
    if gate.open && gate.keys.iter().all(|key| key.state == "live") {
        return;
    }
    let verdict = if gate.open { "open" } else { "closed" };
    let opens = gate.until.filter(|_| !gate.open).map(|until| format!(" until {until}")).unwrap_or_default();
    let keys: Vec<&str> = gate.keys.iter().map(|key| key.tlsa.as_str()).collect();
    let _ = writeln!(out, "  gate {verdict}{opens}  {}", keys.join(", "));
    for reason in &gate.reasons {
        let _ = writeln!(out, "    {reason}");
    }
}

/// What senders of mail report, one line a domain, and one for each way to fail.
fn tls_reports(out: &mut String, reports: &ReportsStatus) {
    let ReportsStatus { taken, refused, foreign, domains } = reports;
    let _ = write!(out, "\nTLS REPORTS  {taken} taken");
    for (count, what) in [(refused, "were none"), (foreign, "mentions of domains of others")] {
        if *count > 0 {
            let _ = write!(out, ", {count} {what}");
        }
    }
    out.push('\n');
    for DomainReportStatus { domain, successful, failed, latest, failures } in domains {
        let _ = write!(out, "{domain}  {successful} sessions succeeded, {failed} failed");
        if let Some(latest) = latest {
            let _ = write!(out, "  until {latest}");
        }
        out.push('\n');
        for ReportFailureStatus { service, host, result, sessions } in failures {
            let _ = write!(out, "  {result}  {sessions} sessions");
            if let (Some(service), Some(host)) = (service, host) {
                let _ = write!(out, "  {service} at {host}");
            }
            out.push('\n');
        }
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
