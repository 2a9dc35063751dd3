//! The records that are made of a few lines of configuration, as resolvers, authorities and senders of mail see them.

use super::certificate::Certificate;
use super::danelaw::Danelaw;
use super::program::{command, output, stdout, text};
use super::wait::until;
use super::{check, dig};

const DOMAINS: &str = "domains:
  example.test:
    tls-rpt: mailto:tls@example.test
    mta-sts: {mode: MODE, mx: mail.example.test}
    caa:
      issue: letsencrypt.org; validationmethods=dns-01
      iodef: mailto:pki@example.test
";

fn rest(mode: &str) -> String {
    format!(
        "zones:\n  example.test: {{file: zone, allow-transfer: 127.0.0.1}}\n{}",
        DOMAINS.replace("MODE", mode)
    )
}

/// The example zone without what the configuration says.
fn zone() -> String {
    let lines = super::danelaw::ZONE_TEXT
        .lines()
        .filter(|line| !line.contains(" CAA ") && !line.starts_with("_mta-sts"));
    lines.collect::<Vec<_>>().join("\n") + "\n"
}

/// The policy at a URL, `HOST:PORT` of which is danelaw's.
fn policy(danelaw: &Danelaw, scheme: &str, host: &str, port: u16) -> Result<String, String> {
    let mut curl = command("curl");
    curl.args(["--silent", "--show-error", "--fail", "--noproxy", "*", "--max-time", "10"]);
    curl.args(["--resolve", &format!("{host}:{port}:127.0.0.1")])
        .arg("--cacert")
        .arg(danelaw.path("server.pem"));
    let output = output(curl.arg(format!("{scheme}://{host}:{port}/.well-known/mta-sts.txt")));
    if output.status.success() { Ok(text(&output)) } else { Err(text(&output)) }
}

/// The `id` that senders see.
fn id(danelaw: &Danelaw) -> Option<String> {
    let records = dig::rdata(danelaw.port(), "_mta-sts.example.test", "TXT");
    let record = records.first()?.strip_prefix("\"V=STSV1; ID=")?;
    Some(record.strip_suffix(";\"")?.to_owned())
}

#[test]
fn a_mail_domain_has_its_records_and_its_policy_and_both_change_together() {
    let certificate = Certificate::new("mta-sts.example.test");
    let danelaw = Danelaw::new().http().encrypted(&certificate).configured(&rest("testing"));
    danelaw.write("zone", &zone());
    let mut danelaw = danelaw.start();
    let rdata = |name: &str, rtype: &str| dig::rdata(danelaw.port(), name, rtype);
    assert_eq!(rdata("_smtp._tls.example.test", "TXT"), ["\"V=TLSRPTV1; RUA=MAILTO:TLS@EXAMPLE.TEST\""]);
    assert_eq!(
        rdata("example.test", "CAA"),
        ["0 IODEF \"MAILTO:PKI@EXAMPLE.TEST\"", "0 ISSUE \"LETSENCRYPT.ORG; VALIDATIONMETHODS=DNS-01\""]
    );
    let transferred = danelaw.path("transferred");
    std::fs::write(&transferred, danelaw.zone().join("\n") + "\n").unwrap();
    check::all(&transferred, "example.test", check::Keys::Csk);

    let first = id(&danelaw).expect("a policy");
    let ports = danelaw.ports();
    let expected = |mode: &str| {
        Ok(format!("version: STSv1\r\nmode: {mode}\r\nmx: mail.example.test\r\nmax_age: 604800\r\n"))
    };
    for (scheme, port) in [("https", ports.https), ("http", danelaw.http_port())] {
        assert_eq!(policy(&danelaw, scheme, "mta-sts.example.test", port), expected("testing"), "{scheme}");
    }
    let other = policy(&danelaw, "http", "mta-sts.example.org", danelaw.http_port()).unwrap_err();
    assert!(other.contains("404"), "{other}");
    // What the port is there for goes on.
    let mut dig = command("dig");
    dig.args([
        "@127.0.0.1",
        "-p",
        &ports.https.to_string(),
        "+https",
        "+short",
        "_mta-sts.example.test",
        "TXT",
    ]);
    assert!(stdout(&mut dig).contains(&first.to_ascii_lowercase()));

    danelaw.reconfigure(&rest("enforce"));
    assert!(danelaw.reload().status.success());
    let second = until("another policy is announced", || id(&danelaw).filter(|id| *id != first));
    assert_eq!(policy(&danelaw, "https", "mta-sts.example.test", ports.https), expected("enforce"));
    danelaw.restart();
    assert_eq!(id(&danelaw), Some(second), "a restart is no other policy");

    danelaw.reconfigure("zones:\n  example.test: {file: zone, allow-transfer: 127.0.0.1}\n");
    assert!(danelaw.reload().status.success());
    until("the records go with the lines", || {
        (id(&danelaw).is_none() && dig::rdata(danelaw.port(), "example.test", "CAA").is_empty()).then_some(())
    });
}

#[test]
fn a_record_in_the_file_where_danelaw_makes_one_is_refused_and_named() {
    let danelaw = Danelaw::new().http().configured(&rest("testing"));
    danelaw.write("zone", &format!("{}example.test. CAA 0 issue \"ca.test\"\n", zone()));
    let danelaw = danelaw.launched();
    let said = danelaw.until_alarmed(&["CAA at example.test., whose CAA records danelaw makes"]);
    assert!(said.contains("/zone:"), "{said}");
    danelaw.write("zone", &zone());
    assert!(danelaw.reload().status.success());
    danelaw.until_well();
}

/// A report of a sender, under this number, of sessions that failed so.
fn report(number: u32, result: &str) -> String {
    format!(
        r#"{{"organization-name": "Sender", "report-id": "{number}", "policies": [{{
            "policy": {{"policy-type": "tlsa", "policy-domain": "example.test"}},
            "summary": {{"total-successful-session-count": 90, "total-failure-session-count": 10}},
            "failure-details": [{{"result-type": "{result}", "receiving-mx-hostname": "mail.example.test",
                "failed-session-count": 10}}]}}]}}"#
    )
}

#[test]
fn what_senders_report_is_counted_whether_it_is_posted_or_put_into_the_directory() {
    let certificate = Certificate::new("mail.example.test");
    let danelaw = Danelaw::new().http().configured(
        "zones:\n  example.test: {file: zone}\ntls-reports: {directory: spool, post: on}\nservices:\n  \
         mail: {endpoints: 'mail.example.test:25', certificate: mail.pem, probe: off}\n",
    );
    danelaw.write("mail.pem", &certificate.chain);
    std::fs::create_dir(danelaw.path("spool")).unwrap();
    danelaw.write("spool/1.json", &report(1, "tlsa-invalid"));
    let danelaw = danelaw.start();
    let post = |file: &str| {
        let mut curl = command("curl");
        curl.args(["--silent", "--noproxy", "*", "--max-time", "10", "--write-out", "%{http_code}"]);
        curl.args(["--output", "/dev/null", "--data-binary"])
            .arg(format!("@{}", danelaw.path(file).display()));
        stdout(curl.arg(format!("http://127.0.0.1:{}/tlsrpt", danelaw.http_port())))
    };
    danelaw.write("2.json", &report(2, "certificate-expired"));
    assert!(output(command("gzip").arg(danelaw.path("2.json"))).status.success());
    assert_eq!(post("2.json.gz"), "200");
    assert_eq!(post("2.json.gz"), "200", "it is a report, and counts once");
    assert_eq!(post("zone"), "400");
    let large = vec![b' '; 2 << 20];
    std::fs::write(danelaw.path("large"), large).unwrap();
    assert_eq!(post("large"), "413");
    let said = until("both are counted", || {
        let said = text(&danelaw.cli(&["status"]));
        said.contains("TLS REPORTS  2 taken, 1 were none").then_some(said)
    });
    for line in [
        "example.test.  180 sessions succeeded, 20 failed",
        "  tlsa-invalid  10 sessions  mail at mail.example.test.",
        "  certificate-expired  10 sessions  mail at mail.example.test.",
    ] {
        assert!(said.lines().any(|said| said == line), "{line}\nis not in\n{said}");
    }
}
