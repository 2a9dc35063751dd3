use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::engine::status::{
    AlarmStatus, AssociationStatus, DomainReportStatus, GateStatus, LimitedStatus, ProcessStatus,
    RateLimitStatus, ReportFailureStatus, ReportsStatus, ServiceStatus, TrafficStatus, TransferStatus,
};

/// The page that people read.
const PAGE: &str = include_str!("../../../docs/monitoring.md");

/// A status in which every metric has a sample.
fn status() -> Status {
    let secondary = SecondaryStatus {
        remote: "ns2".to_owned(),
        address: "[2001:db8::2]:53".to_owned(),
        serial: Some(4_294_967_295),
        lag: Some(8),
        seen: Some(Timestamp(1_800_000_100)),
        error: Some("timed out".to_owned()),
        transfer: Some(TransferStatus {
            at: Timestamp(1_800_000_090),
            serial: 6,
            style: "ixfr".to_owned(),
            since: Some(5),
            octets: 1_234,
            transport: "tls".to_owned(),
        }),
    };
    let zone = ZoneStatus {
        // An owner with a quotation mark and a backslash, as presentation format has them.
        zone: r#"a\"b\\c.test."#.to_owned(),
        serial: Some(7),
        published: Some(Timestamp(1_800_000_050)),
        file_serial: None,
        primary: Some(PrimaryStatus {
            remotes: vec!["hidden".to_owned()],
            answered: Some("hidden (192.0.2.1:53)".to_owned()),
            serial: Some(9),
            transferred: Some(8),
            current: Some(Timestamp(1_800_000_060)),
            expires: Some(Timestamp(1_800_432_060)),
            expired: false,
            next: Some(Timestamp(1_800_003_600)),
            error: None,
        }),
        records: 12,
        denial: "nsec".to_owned(),
        signatures_expire: Some(Timestamp(1_801_000_000)),
        next_signing: Some(Timestamp(1_800_500_000)),
        signatures_made: 3,
        key_tags: vec![1],
        keys: Vec::new(),
        parent: None,
        signals: Vec::new(),
        secondaries: vec![secondary],
        warnings: Vec::new(),
        alarms: vec![AlarmStatus { since: Timestamp(1_800_000_000), text: "look".to_owned() }],
    };
    let association = |state: &str| AssociationStatus {
        tlsa: "3 1 1 00".to_owned(),
        slot: "mail.pem".to_owned(),
        state: state.to_owned(),
        since: Timestamp(1_800_000_000),
        until: None,
        why: "because".to_owned(),
    };
    let service = ServiceStatus {
        gate: Some(GateStatus {
            service: "mail".to_owned(),
            open: true,
            keys: Vec::new(),
            until: None,
            reasons: Vec::new(),
        }),
        probes: vec![ProbeStatus {
            at: "mail.example.test:25 at 192.0.2.25:25".to_owned(),
            seen: Some(Timestamp(1_800_000_100)),
            error: Some("refuses connections".to_owned()),
        }],
        service: "mail".to_owned(),
        rtype: "TLSA".to_owned(),
        owners: Vec::new(),
        ttl: 3_600,
        certificates: vec![CertificateStatus {
            file: "two\nlines.pem".to_owned(),
            expires: Timestamp(1_805_000_000),
        }],
        associations: vec![association("live"), association("live"), association("draining")],
        alarms: Vec::new(),
    };
    let udp = TrafficStatus {
        transport: "udp".to_owned(),
        requests: 10,
        responses: BTreeMap::from([("NOERROR".to_owned(), 6), ("NXDOMAIN".to_owned(), 3)]),
        truncated: 1,
        transfers: 0,
    };
    Status {
        well: false,
        now: Timestamp(1_800_000_200),
        process: Some(ProcessStatus {
            version: "1.2.3".to_owned(),
            started: Timestamp(1_800_000_000),
            traffic: vec![udp],
        }),
        alarms: Vec::new(),
        listen_certificate: Some(CertificateStatus {
            file: "server.pem".to_owned(),
            expires: Timestamp(1_806_000_000),
        }),
        zones: vec![zone],
        services: vec![service],
        advice: Vec::new(),
        tls_reports: Some(ReportsStatus {
            taken: 3,
            refused: 1,
            foreign: 0,
            domains: vec![DomainReportStatus {
                domain: "example.test.".to_owned(),
                successful: 100,
                failed: 5,
                latest: None,
                failures: vec![
                    ReportFailureStatus {
                        service: Some("mail".to_owned()),
                        host: Some("mail.example.test.".to_owned()),
                        result: "tlsa-invalid".to_owned(),
                        sessions: 4,
                    },
                    ReportFailureStatus {
                        service: None,
                        host: None,
                        result: "other".to_owned(),
                        sessions: 1,
                    },
                ],
            }],
        }),
        rate_limit: Some(RateLimitStatus {
            dropped: 2,
            truncated: 1,
            log_only: true,
            by_kind: vec![LimitedStatus { kind: "nxdomain".to_owned(), dropped: 2, truncated: 1 }],
        }),
    }
}

fn samples(text: &str) -> Vec<&str> {
    text.lines().filter(|line| !line.starts_with('#')).collect()
}

#[test]
fn the_status_is_told_number_by_number() {
    let text = text(&status());
    let expected = r#"
danelaw_build_info{version="1.2.3"} 1
process_start_time_seconds 1800000000
danelaw_well 0
danelaw_alarms 0
danelaw_listen_certificate_expiry_timestamp_seconds{file="server.pem"} 1806000000
danelaw_zone_alarms{zone="a\\\"b\\\\c.test."} 1
danelaw_zone_serial{zone="a\\\"b\\\\c.test."} 7
danelaw_zone_records{zone="a\\\"b\\\\c.test."} 12
danelaw_zone_published_timestamp_seconds{zone="a\\\"b\\\\c.test."} 1800000050
danelaw_zone_signatures_expiry_timestamp_seconds{zone="a\\\"b\\\\c.test."} 1801000000
danelaw_zone_next_signing_timestamp_seconds{zone="a\\\"b\\\\c.test."} 1800500000
danelaw_primary_serial{zone="a\\\"b\\\\c.test."} 9
danelaw_primary_transferred_serial{zone="a\\\"b\\\\c.test."} 8
danelaw_primary_current_timestamp_seconds{zone="a\\\"b\\\\c.test."} 1800000060
danelaw_primary_expiry_timestamp_seconds{zone="a\\\"b\\\\c.test."} 1800432060
danelaw_primary_answers{zone="a\\\"b\\\\c.test."} 1
danelaw_secondary_serial{zone="a\\\"b\\\\c.test.",remote="ns2",address="[2001:db8::2]:53"} 4294967295
danelaw_secondary_lag{zone="a\\\"b\\\\c.test.",remote="ns2",address="[2001:db8::2]:53"} 8
danelaw_secondary_seen_timestamp_seconds{zone="a\\\"b\\\\c.test.",remote="ns2",address="[2001:db8::2]:53"} 1800000100
danelaw_secondary_transfer_timestamp_seconds{zone="a\\\"b\\\\c.test.",remote="ns2",address="[2001:db8::2]:53"} 1800000090
danelaw_secondary_transfer_octets{zone="a\\\"b\\\\c.test.",remote="ns2",address="[2001:db8::2]:53"} 1234
danelaw_secondary_answers{zone="a\\\"b\\\\c.test.",remote="ns2",address="[2001:db8::2]:53"} 0
danelaw_service_alarms{service="mail"} 0
danelaw_service_associations{service="mail",state="announced"} 0
danelaw_service_associations{service="mail",state="ready"} 0
danelaw_service_associations{service="mail",state="live"} 2
danelaw_service_associations{service="mail",state="draining"} 1
danelaw_service_associations{service="mail",state="orphaned"} 0
danelaw_service_associations{service="mail",state="withdrawn"} 0
danelaw_service_gate_open{service="mail"} 1
danelaw_service_probe_seen_timestamp_seconds{service="mail",at="mail.example.test:25 at 192.0.2.25:25"} 1800000100
danelaw_service_probe_answers{service="mail",at="mail.example.test:25 at 192.0.2.25:25"} 0
danelaw_service_certificate_expiry_timestamp_seconds{service="mail",file="two\nlines.pem"} 1805000000
danelaw_requests_total{transport="udp"} 10
danelaw_responses_total{transport="udp",rcode="NOERROR"} 6
danelaw_responses_total{transport="udp",rcode="NXDOMAIN"} 3
danelaw_truncated_responses_total{transport="udp"} 1
danelaw_transfers_total{transport="udp"} 0
danelaw_tls_reports_total{outcome="taken"} 3
danelaw_tls_reports_total{outcome="refused"} 1
danelaw_tls_report_sessions_total{domain="example.test.",outcome="successful"} 100
danelaw_tls_report_sessions_total{domain="example.test.",outcome="failed"} 5
danelaw_tls_report_failures_total{domain="example.test.",service="mail",host="mail.example.test.",result="tlsa-invalid"} 4
danelaw_tls_report_failures_total{domain="example.test.",service="",host="",result="other"} 1
danelaw_rate_limited_responses_total{kind="nxdomain",action="dropped",mode="log-only"} 2
danelaw_rate_limited_responses_total{kind="nxdomain",action="truncated",mode="log-only"} 1"#;
    assert_eq!(samples(&text).join("\n"), expected.trim_start());
}

#[test]
fn what_is_not_known_has_no_sample_and_no_head() {
    let unknown = Status {
        process: None,
        listen_certificate: None,
        zones: Vec::new(),
        services: Vec::new(),
        tls_reports: None,
        rate_limit: None,
        ..status()
    };
    let text = text(&unknown);
    let heads = text.lines().filter(|line| line.starts_with("# TYPE ")).count();
    assert_eq!((heads, samples(&text)), (2, vec!["danelaw_well 0", "danelaw_alarms 0"]));
}

#[test]
fn a_metric_is_told_once_below_its_head_and_counters_are_called_totals() {
    let text = text(&status());
    let mut series = BTreeSet::new();
    let mut heads = BTreeSet::new();
    let mut current = "";
    for line in text.lines() {
        if let Some(head) = line.strip_prefix("# TYPE ") {
            let (name, kind) = head.split_once(' ').unwrap();
            assert_eq!(name.ends_with("_total"), kind == "counter", "{line}");
            assert!(heads.insert(name), "{line}");
            current = name;
        } else if !line.starts_with('#') {
            let (key, value) = line.rsplit_once(' ').unwrap();
            assert_eq!(key.split('{').next(), Some(current));
            assert!(value.parse::<f64>().unwrap().is_finite() && series.insert(key), "{line}");
        }
    }
    assert_eq!(heads.len(), FAMILIES.len());
}

#[test]
fn the_page_lists_exactly_the_metrics_that_there_are() {
    let listed: Vec<&str> = PAGE
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split('`').next())
        .filter(|name| name.contains('_'))
        .collect();
    assert_eq!(listed, FAMILIES.iter().map(|family| family.name).collect::<Vec<_>>());
}
