//! What `danelaw status` says, for a program that watches: the Prometheus text format, version 0.0.4, with names that
//! OpenMetrics takes too.
//!
//! Nothing is measured here: each metric is a reading of the [`Status`]. What is not known has no sample.
//! docs/monitoring.md lists the metrics, and a test holds the list to the one here.

use std::fmt::{self, Write};

use crate::dns::time::Timestamp;
use crate::engine::Status;
use crate::engine::status::{
    CertificateStatus, PrimaryStatus, ProbeStatus, SecondaryStatus, TrafficStatus, ZoneStatus,
};

/// What [`text`] is, for `Content-Type`.
pub const MEDIA_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// A metric with all its samples.
struct Family {
    name: &'static str,
    kind: Kind,
    /// One line without backslashes.
    help: &'static str,
    read: Read,
}

#[derive(Clone, Copy)]
enum Kind {
    Counter,
    Gauge,
}

type Read = fn(&Status, &mut Samples<'_>);

const fn counter(name: &'static str, help: &'static str, read: Read) -> Family {
    Family { name, kind: Kind::Counter, help, read }
}

const fn gauge(name: &'static str, help: &'static str, read: Read) -> Family {
    Family { name, kind: Kind::Gauge, help, read }
}

/// Every metric, in the order in which they are told.
const FAMILIES: &[Family] = &[
    gauge("danelaw_build_info", "1, with the version of danelaw.", |status, to| {
        if let Some(process) = &status.process {
            to.add(&[("version", &process.version)], 1);
        }
    }),
    gauge(
        "process_start_time_seconds",
        "When the process was started, in seconds since 1970.",
        |status, to| to.time(&[], status.process.as_ref().map(|process| process.started)),
    ),
    gauge(
        "danelaw_well",
        "1 when nothing needs a person, as `danelaw status` says by its exit status.",
        |status, to| to.add(&[], u8::from(status.well)),
    ),
    gauge("danelaw_alarms", "Alarms that concern no single zone or service.", |status, to| {
        to.add(&[], status.alarms.len());
    }),
    gauge(
        "danelaw_listen_certificate_expiry_timestamp_seconds",
        "When the certificate that the encrypted listeners present expires.",
        |status, to| {
            if let Some(CertificateStatus { file, expires }) = &status.listen_certificate {
                to.time(&[("file", file)], Some(*expires));
            }
        },
    ),
    gauge("danelaw_zone_alarms", "Alarms of the zone.", |status, to| {
        each_zone(status, |zone, labels| to.add(labels, zone.alarms.len()));
    }),
    gauge(
        "danelaw_zone_serial",
        "SOA serial served; no sample while the zone is not served.",
        |status, to| each_zone(status, |zone, labels| to.maybe(labels, zone.serial)),
    ),
    gauge("danelaw_zone_records", "Records served, signatures and NSEC or NSEC3 included.", |status, to| {
        each_zone(status, |zone, labels| to.add(labels, zone.records));
    }),
    gauge(
        "danelaw_zone_published_timestamp_seconds",
        "Since when the served version is served; after a restart, since the restart.",
        |status, to| each_zone(status, |zone, labels| to.time(labels, zone.published)),
    ),
    gauge(
        "danelaw_zone_signatures_expiry_timestamp_seconds",
        "When the first of the served signatures expires.",
        |status, to| each_zone(status, |zone, labels| to.time(labels, zone.signatures_expire)),
    ),
    gauge("danelaw_zone_next_signing_timestamp_seconds", "When signatures are made anew.", |status, to| {
        each_zone(status, |zone, labels| to.time(labels, zone.next_signing));
    }),
    gauge(
        "danelaw_primary_serial",
        "SOA serial that a primary of the zone was last seen to have.",
        |status, to| each_primary(status, |primary, labels| to.maybe(labels, primary.serial)),
    ),
    gauge(
        "danelaw_primary_transferred_serial",
        "SOA serial, at the primary, of what was transferred last.",
        |status, to| each_primary(status, |primary, labels| to.maybe(labels, primary.transferred)),
    ),
    gauge(
        "danelaw_primary_current_timestamp_seconds",
        "When a primary last had what is served for current.",
        |status, to| each_primary(status, |primary, labels| to.time(labels, primary.current)),
    ),
    gauge(
        "danelaw_primary_expiry_timestamp_seconds",
        "When the zone expires, or has, unless a primary confirms it.",
        |status, to| each_primary(status, |primary, labels| to.time(labels, primary.expires)),
    ),
    gauge(
        "danelaw_primary_answers",
        "1 when a primary answered the last time that they were asked.",
        |status, to| {
            each_primary(status, |primary, labels| to.add(labels, u8::from(primary.error.is_none())));
        },
    ),
    gauge(
        "danelaw_secondary_serial",
        "SOA serial that the secondary was last seen to serve.",
        |status, to| each_secondary(status, |seen, labels| to.maybe(labels, seen.serial)),
    ),
    gauge(
        "danelaw_secondary_lag",
        "How far that serial is behind the one served here; below zero when it is ahead.",
        |status, to| each_secondary(status, |seen, labels| to.maybe(labels, seen.lag)),
    ),
    gauge(
        "danelaw_secondary_seen_timestamp_seconds",
        "When the secondary last told its serial.",
        |status, to| each_secondary(status, |seen, labels| to.time(labels, seen.seen)),
    ),
    gauge(
        "danelaw_secondary_transfer_timestamp_seconds",
        "When a transfer to the secondary last came to its end.",
        |status, to| {
            each_secondary(status, |seen, labels| {
                to.time(labels, seen.transfer.as_ref().map(|last| last.at));
            });
        },
    ),
    gauge(
        "danelaw_secondary_transfer_octets",
        "How many octets the messages of that transfer had.",
        |status, to| {
            each_secondary(status, |seen, labels| {
                to.maybe(labels, seen.transfer.as_ref().map(|last| last.octets));
            });
        },
    ),
    gauge(
        "danelaw_secondary_answers",
        "1 when the secondary answered the last time that it was asked or notified.",
        |status, to| {
            each_secondary(status, |seen, labels| to.add(labels, u8::from(seen.error.is_none())));
        },
    ),
    gauge("danelaw_service_alarms", "Alarms of the service.", |status, to| {
        for service in &status.services {
            to.add(&[("service", &service.service)], service.alarms.len());
        }
    }),
    gauge("danelaw_service_associations", "TLSA associations of the service by state.", |status, to| {
        for service in &status.services {
            for state in ["announced", "ready", "live", "draining", "orphaned", "withdrawn"] {
                let count = service.associations.iter().filter(|each| each.state == state).count();
                to.add(&[("service", &service.service), ("state", state)], count);
            }
        }
    }),
    gauge(
        "danelaw_service_gate_open",
        "1 when what the files of the service hold may be deployed.",
        |status, to| {
            for service in &status.services {
                let gate = service.gate.as_ref();
                to.maybe(&[("service", &service.service)], gate.map(|gate| u32::from(gate.open)));
            }
        },
    ),
    gauge(
        "danelaw_service_probe_seen_timestamp_seconds",
        "When the endpoint was last looked at with success.",
        |status, to| each_probe(status, |probe, labels| to.time(labels, probe.seen)),
    ),
    gauge(
        "danelaw_service_probe_answers",
        "1 when the endpoint could be looked at the last time.",
        |status, to| each_probe(status, |probe, labels| to.add(labels, u8::from(probe.error.is_none()))),
    ),
    gauge(
        "danelaw_service_certificate_expiry_timestamp_seconds",
        "When the certificate in use expires.",
        |status, to| {
            for service in &status.services {
                for CertificateStatus { file, expires } in &service.certificates {
                    to.time(&[("service", &service.service), ("file", file)], Some(*expires));
                }
            }
        },
    ),
    counter("danelaw_requests_total", "Messages received, sound or not.", |status, to| {
        each_transport(status, |traffic, labels| to.add(labels, traffic.requests));
    }),
    counter(
        "danelaw_responses_total",
        "Responses sent, zone transfers aside, by the rcode in the header (where BADVERS is NOERROR).",
        |status, to| {
            each_transport(status, |traffic, labels| {
                for (rcode, count) in &traffic.responses {
                    to.add(&[labels[0], ("rcode", rcode)], count);
                }
            });
        },
    ),
    counter("danelaw_truncated_responses_total", "Responses sent with TC.", |status, to| {
        each_transport(status, |traffic, labels| to.add(labels, traffic.truncated));
    }),
    counter("danelaw_transfers_total", "Zone transfers sent to their end.", |status, to| {
        each_transport(status, |traffic, labels| to.add(labels, traffic.transfers));
    }),
    counter(
        "danelaw_tls_reports_total",
        "Reports about TLS (RFC 8460) that came, by what became of them.",
        |status, to| {
            let Some(reports) = &status.tls_reports else { return };
            for (outcome, count) in [("taken", reports.taken), ("refused", reports.refused)] {
                to.add(&[("outcome", outcome)], count);
            }
        },
    ),
    counter(
        "danelaw_tls_report_sessions_total",
        "Sessions that such reports count for the domain, by how they went.",
        |status, to| {
            for domain in status.tls_reports.iter().flat_map(|reports| &reports.domains) {
                for (outcome, count) in [("successful", domain.successful), ("failed", domain.failed)] {
                    to.add(&[("domain", &domain.domain), ("outcome", outcome)], count);
                }
            }
        },
    ),
    counter(
        "danelaw_tls_report_failures_total",
        "Failed sessions that such reports give a reason for; service and host are empty where they are not ours.",
        |status, to| {
            for domain in status.tls_reports.iter().flat_map(|reports| &reports.domains) {
                for failure in &domain.failures {
                    let labels = [
                        ("domain", domain.domain.as_str()),
                        ("service", failure.service.as_deref().unwrap_or_default()),
                        ("host", failure.host.as_deref().unwrap_or_default()),
                        ("result", failure.result.as_str()),
                    ];
                    to.add(&labels, failure.sessions);
                }
            }
        },
    ),
    counter(
        "danelaw_rate_limited_responses_total",
        "Responses beyond their rate since the last reload, by what became of them; in log-only mode, what \
               would have.",
        |status, to| {
            let Some(limit) = &status.rate_limit else { return };
            let mode = if limit.log_only { "log-only" } else { "enforced" };
            for kind in &limit.by_kind {
                for (action, count) in [("dropped", kind.dropped), ("truncated", kind.truncated)] {
                    to.add(&[("kind", &kind.kind), ("action", action), ("mode", mode)], count);
                }
            }
        },
    ),
];

/// The metrics as text.
pub fn text(status: &Status) -> String {
    let mut out = String::new();
    for Family { name, kind, help, read } in FAMILIES {
        let start = out.len();
        let kind = match kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
        };
        let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}");
        let head = out.len();
        read(status, &mut Samples { name, out: &mut out });
        if out.len() == head {
            out.truncate(start);
        }
    }
    out
}

fn each_zone(status: &Status, mut tell: impl FnMut(&ZoneStatus, &[(&str, &str)])) {
    for zone in &status.zones {
        tell(zone, &[("zone", &zone.zone)]);
    }
}

fn each_probe(status: &Status, mut read: impl FnMut(&ProbeStatus, &[(&str, &str)])) {
    for service in &status.services {
        for probe in &service.probes {
            read(probe, &[("service", &service.service), ("at", &probe.at)]);
        }
    }
}

fn each_primary(status: &Status, mut tell: impl FnMut(&PrimaryStatus, &[(&str, &str)])) {
    for zone in &status.zones {
        if let Some(primary) = &zone.primary {
            tell(primary, &[("zone", &zone.zone)]);
        }
    }
}

fn each_secondary(status: &Status, mut tell: impl FnMut(&SecondaryStatus, &[(&str, &str)])) {
    for zone in &status.zones {
        for seen in &zone.secondaries {
            tell(seen, &[("zone", &zone.zone), ("remote", &seen.remote), ("address", &seen.address)]);
        }
    }
}

fn each_transport(status: &Status, mut tell: impl FnMut(&TrafficStatus, &[(&str, &str)])) {
    for traffic in status.process.iter().flat_map(|process| &process.traffic) {
        tell(traffic, &[("transport", &traffic.transport)]);
    }
}

/// Where the samples of one metric go.
struct Samples<'a> {
    name: &'static str,
    out: &'a mut String,
}

impl Samples<'_> {
    fn add(&mut self, labels: &[(&str, &str)], value: impl fmt::Display) {
        self.out.push_str(self.name);
        for (index, (label, text)) in labels.iter().enumerate() {
            let before = if index == 0 { '{' } else { ',' };
            let _ = write!(self.out, "{before}{label}=\"{}\"", Escaped(text));
        }
        let end = if labels.is_empty() { "" } else { "}" };
        let _ = writeln!(self.out, "{end} {value}");
    }

    fn maybe(&mut self, labels: &[(&str, &str)], value: Option<impl fmt::Display>) {
        if let Some(value) = value {
            self.add(labels, value);
        }
    }

    fn time(&mut self, labels: &[(&str, &str)], time: Option<Timestamp>) {
        self.maybe(labels, time.map(|time| time.0));
    }
}

/// A label's value, with what would end it or its line escaped.
struct Escaped<'a>(&'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|c| match c {
            '\\' => f.write_str("\\\\"),
            '"' => f.write_str("\\\""),
            '\n' => f.write_str("\\n"),
            c => f.write_char(c),
        })
    }
}

#[cfg(test)]
mod tests;
