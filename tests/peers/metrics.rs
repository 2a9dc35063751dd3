//! `GET /metrics`, read by Prometheus' own tool, and moved by what happens.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;

use super::certificate::Certificate;
use super::danelaw::Danelaw;
use super::program::{command, free_port, output, text};
use super::secondary::{Secondary, ZONE};
use super::wait::until;

/// The page with the alert rules.
const PAGE: &str = include_str!("../../docs/monitoring.md");

/// What `listen.http` has at `path`: the head of the response, and its content.
fn page(danelaw: &Danelaw, path: &str) -> (String, String) {
    let mut stream = TcpStream::connect(("127.0.0.1", danelaw.http_port())).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: danelaw\r\nConnection: close\r\n\r\n").unwrap();
    let mut said = String::new();
    stream.read_to_string(&mut said).unwrap();
    let (head, content) = said.split_once("\r\n\r\n").unwrap();
    (head.to_ascii_lowercase(), content.to_owned())
}

/// The metrics at this moment.
struct Scrape(String);

impl Scrape {
    fn of(danelaw: &Danelaw) -> Self {
        let (head, content) = page(danelaw, "/metrics");
        assert!(head.starts_with("http/1.1 200 "), "{head}");
        assert!(head.contains("\r\ncontent-type: text/plain; version=0.0.4; charset=utf-8"), "{head}");
        Self(content)
    }

    /// The value of the series with this name and these labels, in the order in which they are told.
    fn value(&self, series: &str) -> Option<i64> {
        let line = self.0.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '))?;
        Some(line.parse().unwrap())
    }

    #[track_caller]
    fn known(&self, series: &str) -> i64 {
        self.value(series).unwrap_or_else(|| panic!("no {series} in:\n{}", self.0))
    }
}

/// `promtool check …` of a text; it finds nothing to say against it.
fn checked(danelaw: &Danelaw, what: &str, file: &str, content: &str) {
    let path = danelaw.path(file);
    fs::write(&path, content).unwrap();
    // Metrics are read from standard input, rules from a file.
    let script = if what == "metrics" {
        "exec \"$0\" check metrics < \"$1\""
    } else {
        "exec \"$0\" check rules \"$1\""
    };
    let mut run = Command::new("sh");
    run.args(["-c", script]).arg(command("promtool").get_program()).arg(path);
    let said = output(&mut run);
    assert!(said.status.success(), "{}\n{content}", text(&said));
    assert!(what != "metrics" || text(&said).is_empty(), "{}", text(&said));
}

fn ask(tool: &str, port: u16, options: &[&str], name: &str) {
    let mut run = command(tool);
    run.args(["@127.0.0.1", "-p", &port.to_string(), name, "A", "+norecurse", "+time=5"]).args(options);
    assert!(output(&mut run).status.success());
}

#[test]
fn the_metrics_are_what_prometheus_reads_and_what_happens_moves_them() {
    let (port, certificate) = (free_port(), Certificate::new("mail.example.test"));
    let danelaw = Danelaw::new()
        .http()
        .also("rate-limit: {nxdomains-per-second: 2, slip: 0, log-only: true}\n")
        .encrypted(&certificate)
        .secondary(port)
        .service("mail", "mail.pem");
    danelaw.write("mail.pem", &certificate.chain);
    let danelaw = danelaw.start();
    let _secondary = Secondary::nsd(port, danelaw.port());
    let followed = format!("{{zone=\"{ZONE}.\",remote=\"ns{port}\",address=\"127.0.0.1:{port}\"}}");
    let before = until("the secondary follows", || {
        let scrape = Scrape::of(&danelaw);
        (scrape.value(&format!("danelaw_secondary_lag{followed}")) == Some(0)
            && scrape.value("danelaw_well") == Some(1))
        .then_some(scrape)
    });
    checked(&danelaw, "metrics", "scrape", &before.0);

    let zone = format!("{{zone=\"{ZONE}.\"}}");
    let started = before.known("process_start_time_seconds");
    assert!(before.known(&format!("danelaw_zone_published_timestamp_seconds{zone}")) >= started);
    assert!(before.known(&format!("danelaw_secondary_seen_timestamp_seconds{followed}")) >= started);
    assert!(before.known(&format!("danelaw_zone_signatures_expiry_timestamp_seconds{zone}")) > started);
    let serial = before.known(&format!("danelaw_zone_serial{zone}"));
    assert_eq!(serial, i64::from(danelaw.serial().unwrap()));
    assert_eq!(before.known(&format!("danelaw_secondary_serial{followed}")), serial);
    assert_eq!(before.known("danelaw_service_associations{service=\"mail\",state=\"live\"}"), 1);
    let expires = format!(
        "danelaw_service_certificate_expiry_timestamp_seconds{{service=\"mail\",file=\"{}\"}}",
        danelaw.path("mail.pem").display()
    );
    let month = 30 * 86_400;
    assert!((before.known(&expires) - started - month).abs() < 3_600, "OpenSSL was told 30 days");

    for _ in 0..9 {
        ask("dig", danelaw.port(), &["+notcp"], "nothing.example.test");
    }
    ask("dig", danelaw.port(), &["+tcp"], "nothing.example.test");
    ask("dig", danelaw.ports().tls, &["+tls"], "nothing.example.test");
    ask("dig", danelaw.ports().https, &["+https"], "nothing.example.test");
    ask("kdig", danelaw.ports().quic, &["+quic"], "nothing.example.test");
    assert_eq!(danelaw.zone().len() as i64, before.known(&format!("danelaw_zone_records{zone}")));
    let after = Scrape::of(&danelaw);
    let more = |series: &str| after.known(series) - before.known(series);
    for (transport, count) in [("udp", 9), ("tcp", 1), ("tls", 1), ("https", 1), ("quic", 1)] {
        let series = format!("danelaw_responses_total{{transport=\"{transport}\",rcode=\"NXDOMAIN\"}}");
        assert_eq!(more(&series), count, "{transport}");
        assert!(more(&format!("danelaw_requests_total{{transport=\"{transport}\"}}")) >= count);
    }
    assert_eq!(more("danelaw_transfers_total{transport=\"tcp\"}"), 1);
    let limited =
        "danelaw_rate_limited_responses_total{kind=\"nxdomain\",action=\"dropped\",mode=\"log-only\"}";
    assert!((1..=7).contains(&more(limited)), "two a second are not too many");

    danelaw.write("zone", "no zone at all");
    assert!(!danelaw.reload().status.success());
    let alarmed = Scrape::of(&danelaw);
    assert_eq!(alarmed.known("danelaw_well"), 0);
    assert_eq!(alarmed.known(&format!("danelaw_zone_alarms{zone}")), 1);
    assert!(page(&danelaw, "/dump/example.test").0.starts_with("http/1.1 404 "), "not for everybody");
}

#[test]
fn prometheus_takes_the_rules_of_the_page_and_they_go_off_when_they_should() {
    let danelaw = Danelaw::new();
    let rules = PAGE.split("```yaml\n").find(|block| block.starts_with("groups:")).unwrap();
    let rules = rules.split("```").next().unwrap();
    checked(&danelaw, "rules", "page.yaml", rules);
    // Alerts are compared by their labels; the words are for people.
    let words = |line: &&str| !line.contains("annotations:") && !line.contains("summary:");
    danelaw.write("rules.yaml", &rules.lines().filter(words).collect::<Vec<_>>().join("\n"));
    let (day, labels) = (86_400, "zone=\"example.test.\", remote=\"ns2\", address=\"192.0.2.2:53\"");
    // At each of these times after 1970, with one sample a minute: which alerts there are.
    let case = |well: &str, lag: &str, seen: &str, expires: u32, alerts: &[&str]| {
        let expected: String = [
            "DanelawNeedsSomebody",
            "DanelawSecondaryBehind",
            "DanelawCertificateExpires",
        ]
        .iter()
        .map(|alert| {
            let labels = match *alert {
                _ if !alerts.contains(alert) => {
                    return format!("      - {{eval_time: 1h, alertname: {alert}}}\n");
                }
                "DanelawNeedsSomebody" => "severity: page".to_owned(),
                "DanelawSecondaryBehind" => format!("severity: ticket, {}", labels.replace('=', ": ")),
                _ => "severity: ticket, service: mail, file: mail.pem".to_owned(),
            };
            format!(
                "      - {{eval_time: 1h, alertname: {alert}, exp_alerts: [{{exp_labels: {{{labels}}}}}]}}\n"
            )
        })
        .collect();
        format!(
            "  - interval: 1m\n    input_series:\n      \
             - {{series: 'danelaw_well', values: '{well}'}}\n      \
             - {{series: 'danelaw_secondary_lag{{{labels}}}', values: '{lag}'}}\n      \
             - {{series: 'danelaw_secondary_seen_timestamp_seconds{{{labels}}}', values: '{seen}'}}\n      \
             - {{series: 'danelaw_service_certificate_expiry_timestamp_seconds{{service=\"mail\", \
             file=\"mail.pem\"}}', values: '{expires}x90'}}\n    alert_rule_test:\n{expected}"
        )
    };
    let all = ["DanelawNeedsSomebody", "DanelawSecondaryBehind", "DanelawCertificateExpires"];
    let tests = [
        case("1x90", "0x90", "0+60x90", 30 * day, &[]),
        case("0x90", "3x90", "0+60x90", 6 * day, &all),
        // Gone, and a secondary that is silent.
        case("1x20 _x60", "0x90", "0x90", 30 * day, &all[..2]),
        // A while behind is nothing.
        case("1x90", "5x50 0x30", "0+60x90", 30 * day, &[]),
    ];
    let file = danelaw.path("tests.yaml");
    fs::write(&file, format!("rule_files: [rules.yaml]\ntests:\n{}", tests.concat())).unwrap();
    let said = output(command("promtool").args(["test", "rules"]).arg(file));
    assert!(said.status.success(), "{}", text(&said));
}
