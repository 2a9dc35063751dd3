//! Reports as senders write them.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use proptest::prelude::*;

use super::*;

/// Of the form of RFC 8460's appendix B.
const REPORT: &str = r#"{
  "organization-name": "Company-X",
  "date-range": {"start-datetime": "2026-11-20T00:00:00Z", "end-datetime": "2026-11-20T23:59:59Z"},
  "contact-info": "sts-reporting@company-x.example",
  "report-id": "5065427c-23d3-47ca-b6e0-946ea0e8c4be",
  "policies": [{
    "policy": {
      "policy-type": "tlsa",
      "policy-string": ["3 1 1 00"],
      "policy-domain": "example.test",
      "mx-host": "mail.example.test"
    },
    "summary": {"total-successful-session-count": 5326, "total-failure-session-count": 303},
    "failure-details": [
      {"result-type": "tlsa-invalid", "sending-mta-ip": "2001:db8:abcd:12::1",
       "receiving-mx-hostname": "mail.example.test.", "failed-session-count": 100},
      {"result-type": "TLSA-invalid", "receiving-mx-hostname": "MAIL.example.test", "failed-session-count": 1},
      {"result-type": "starttls-not-supported", "receiving-mx-hostname": "mx.elsewhere.test",
       "receiving-ip": "203.0.113.58", "failed-session-count": 200,
       "additional-information": "https://reports.company-x.example/report_info?id=5065"},
      {"result-type": "moon-phase", "failed-session-count": 2}
    ]
  }, {
    "policy": {"policy-type": "no-policy-found", "policy-domain": "example.org"},
    "summary": {"total-successful-session-count": 1, "total-failure-session-count": 0}
  }]
}"#;

fn gzip(octets: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(octets).unwrap();
    encoder.finish().unwrap()
}

fn is_domain(domain: &Name) -> bool {
    *domain == Name::parse("example.test").unwrap()
}

fn service_of(host: &Name) -> Option<String> {
    (*host == Name::parse("mail.example.test").unwrap()).then(|| "mail".to_owned())
}

fn taken(reports: &[&str]) -> Reports {
    let mut all = Reports::default();
    for report in reports {
        let report = Report::read(report.as_bytes());
        all.take(report.as_ref().map_err(|error| *error), is_domain, service_of);
    }
    all
}

#[test]
fn failures_are_counted_by_domain_service_and_reason() {
    let status = taken(&[REPORT]).status().unwrap();
    assert_eq!((status.taken, status.refused, status.foreign), (1, 0, 1));
    let [domain] = &status.domains[..] else { panic!("{status:?}") };
    assert_eq!((domain.domain.as_str(), domain.successful, domain.failed), ("example.test.", 5_326, 303));
    assert_eq!(domain.latest.unwrap().to_string(), "2026-11-20T23:59:59Z");
    let failures: Vec<_> = domain
        .failures
        .iter()
        .map(|each| (each.service.as_deref(), each.result.as_str(), each.sessions))
        .collect();
    assert_eq!(
        failures,
        [(None, "other", 2), (None, "starttls-not-supported", 200), (Some("mail"), "tlsa-invalid", 101)]
    );
}

#[test]
fn a_report_counts_once_however_it_comes() {
    assert_eq!(Report::read(&gzip(REPORT.as_bytes())), Report::read(REPORT.as_bytes()));
    let other = REPORT.replace("5065427c", "6065427c");
    let status = taken(&[REPORT, &other, REPORT]).status().unwrap();
    assert_eq!((status.taken, status.domains[0].failed), (2, 606));
}

#[test]
fn what_is_no_report_is_refused_and_counted() {
    let whole = gzip(REPORT.as_bytes());
    for octets in [&b""[..], b"{}", b"[1]", &REPORT.as_bytes()[..900], &whole[..whole.len() - 9], b"\x1f\x8b"]
    {
        assert_eq!(Report::read(octets), Err(ReportError::Malformed));
    }
    // A thousandth of its size when compressed.
    let bomb = gzip(&vec![b' '; MAX_REPORT + 1]);
    assert!(bomb.len() < MAX_REPORT / 500);
    assert_eq!(Report::read(&bomb), Err(ReportError::TooLarge));
    let status = taken(&["{}"]).status().unwrap();
    assert_eq!((status.taken, status.refused), (0, 1));
    assert_eq!(Reports::default().status(), None);
}

#[test]
fn what_is_kept_is_bounded_and_goes_with_the_configuration() {
    let mut reports = Reports::default();
    for number in 0..MAX_KNOWN + 10 {
        let text = REPORT
            .replace("5065427c", &number.to_string())
            .replace("example.org", &format!("d{number}.test"))
            .replace("mx.elsewhere", &format!("mx{number}.elsewhere"))
            .replace("moon-phase", &format!("moon-{number}"));
        reports.take(Ok(&Report::read(text.as_bytes()).unwrap()), is_domain, service_of);
    }
    assert_eq!((reports.known.len(), reports.ids.len()), (MAX_KNOWN, MAX_KNOWN));
    assert_eq!(
        (reports.domains.len(), reports.domains[&Name::parse("example.test").unwrap()].failures.len()),
        (1, 3)
    );
    reports.keep(is_domain, |_| None);
    assert_eq!(reports.status().unwrap().domains[0].failures.len(), 2);
    reports.keep(|_| false, |_| None);
    assert!(reports.status().unwrap().domains.is_empty());
}

#[test]
fn counts_end_where_numbers_end() {
    let huge = REPORT
        .replace("5326", "18446744073709551615")
        .replace("\"failed-session-count\": 100", "\"failed-session-count\": 18446744073709551615");
    let other = huge.replace("5065427c", "6065427c");
    let status = taken(&[&huge, &other]).status().unwrap();
    assert_eq!(status.domains[0].successful, u64::MAX);
    assert!(status.domains[0].failures.iter().any(|each| each.sessions == u64::MAX));
}

proptest! {
    #[test]
    fn no_octets_break_the_reader(octets in prop::collection::vec(any::<u8>(), 0..400), compressed: bool) {
        let octets = if compressed { gzip(&octets) } else { octets };
        prop_assert_eq!(Report::read(&octets), Err(ReportError::Malformed));
    }

    #[test]
    fn no_change_of_a_report_breaks_the_reader(at in 0..REPORT.len(), octet: u8, compressed: bool) {
        let mut octets = REPORT.as_bytes().to_vec();
        octets[at] = octet;
        if compressed {
            octets = gzip(&octets);
            let at = at % octets.len();
            octets[at] ^= octet;
        }
        if let Ok(report) = Report::read(&octets) {
            let mut reports = Reports::default();
            reports.take(Ok(&report), is_domain, service_of);
            prop_assert_eq!(reports.status().unwrap().taken, 1);
        }
    }
}
