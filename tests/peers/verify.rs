//! What `danelaw verify` says of real nameservers and real services, sound and broken.

use std::fmt::Write;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::Output;

use tempfile::TempDir;

use super::certificate::{Authority, Certificate};
use super::danelaw::{self, Danelaw};
use super::dig;
use super::program::{Running, command, free_port, stdout, text};
use super::secondary::{Secondary, ZONE};
use super::tls_server::TlsServer;
use super::wait::until;

const HOST: &str = "mail.example.test";
const OPENSSL: [&str; 4] = ["-cert", "0.pem", "-key", "0.key"];

/// A zone with one mail server, at these addresses.
fn zone(addresses: &[&str]) -> String {
    let mut zone =
        "$TTL 60\n@ SOA ns1 hostmaster 1 3600 600 86400 60\n@ NS ns1\n@ MX 10 mail\nns1 A 127.0.0.1\n"
            .to_owned();
    for address in addresses {
        writeln!(zone, "mail A {address}").unwrap();
    }
    zone
}

/// A danelaw whose service `mail` is at this port, with these certificates; nothing else is told of it.
fn danelaw(port: u16, certificates: &[&Certificate]) -> Danelaw {
    let files: Vec<String> = (0..certificates.len()).map(|number| format!("{number}.pem")).collect();
    let danelaw = Danelaw::new().also(&format!(
        "services:\n  mail:\n    endpoints: [\"{HOST}:{port}\"]\n    certificate: [{}]\n    ttl: 1m\n    \
         probe: \"off\"\n",
        files.join(", ")
    ));
    danelaw.write("zone", &zone(&["127.0.0.1"]));
    for (file, certificate) in files.iter().zip(certificates) {
        danelaw.write(file, &certificate.chain);
    }
    danelaw
}

/// Waits until the TLSA records for this port include that of a certificate.
fn until_published(danelaw: &Danelaw, port: u16, certificate: &Certificate) {
    until("the TLSA record is served", || {
        dig::tlsa(danelaw.port(), &format!("_{port}._tcp.{HOST}")).contains(&certificate.tlsa).then_some(())
    });
}

/// The lines that begin with a word: `ok`, `warn`, `FAIL`.
fn lines<'t>(said: &'t str, outcome: &str) -> Vec<&'t str> {
    said.lines().filter(|line| line.starts_with(outcome)).collect()
}

/// That it failed, and all lines of failure have these words, of which there is one line at least.
#[track_caller]
fn fails(output: &Output, words: &[&str]) {
    let said = text(output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    let failures = lines(&said, "FAIL");
    assert!(!failures.is_empty(), "{said}");
    for line in failures {
        assert!(words.iter().all(|word| line.contains(word)), "{line}\nexpected {words:?} in all of\n{said}");
    }
}

#[test]
fn all_is_well_with_both_certificates_of_postfix_on_every_nameserver() {
    let (ecdsa, rsa) = (Certificate::new(HOST), Certificate::rsa(HOST));
    let postfix = TlsServer::postfix(&[&rsa, &ecdsa]);
    let secondary = free_port();
    let danelaw = danelaw(postfix.ports[0], &[&ecdsa, &rsa]).secondary(secondary).start();
    let mut bind = Secondary::bind(secondary, danelaw.port());
    until_published(&danelaw, postfix.ports[0], &rsa);
    bind.until_serial(danelaw.serial().unwrap());
    let output = danelaw.cli(&["verify", "mail", "--starttls", "smtp"]);
    let said = text(&output);
    assert!(output.status.success() && lines(&said, "FAIL").is_empty(), "{said}");
    assert!(lines(&said, "warn").is_empty(), "{said}");
    let owner = format!("_{}._tcp.{HOST}.", postfix.ports[0]);
    for expected in [
        format!("ok    {ZONE}. DNSKEY at danelaw (127.0.0.1:{}): key ", danelaw.port()),
        format!(
            "ok    {owner} TLSA at ns{secondary} (127.0.0.1:{secondary}): 2 records, TTL 60, signed until"
        ),
        format!("ok    {owner} TLSA at danelaw (127.0.0.1:{}): 2 records", danelaw.port()),
        format!("ok    {owner} A at ns{secondary} "),
        format!("ok    _tcp.{HOST}. A at ns{secondary} "),
        format!("ok    {HOST}. AAAA at danelaw (127.0.0.1:{}): proven: no such records", danelaw.port()),
        format!(
            "at 127.0.0.1:{}: the certificate seen by clients that offer ECDSA matches 3 1 1",
            postfix.ports[0]
        ),
        format!(
            "at 127.0.0.1:{}: the certificate seen by clients that offer RSA matches 3 1 1",
            postfix.ports[0]
        ),
    ] {
        assert!(said.contains(&expected), "expected {expected} in\n{said}");
    }

    // The same by host and port, and for programs.
    let place = format!("{HOST}:{}", postfix.ports[0]);
    let output = danelaw.cli(&["verify", &place, "--starttls", "smtp", "--json"]);
    let checks: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let checks = checks.as_array().unwrap();
    assert_eq!(checks.len(), said.lines().count());
    assert!(
        checks.iter().all(|check| check["outcome"] == "ok" && check["subject"].is_string()),
        "{checks:?}"
    );
}

#[test]
fn a_certificate_without_its_record_fails() {
    let (published, presented) = (Certificate::new(HOST), Certificate::new(HOST));
    let server = TlsServer::openssl(&[("0", &presented)], &OPENSSL);
    let danelaw = danelaw(server.ports[0], &[&published]).start();
    until_published(&danelaw, server.ports[0], &published);
    let output = danelaw.cli(&["verify", "mail"]);
    fails(&output, &[&format!("{HOST}:{}", server.ports[0]), "matches none of the TLSA records"]);

    let nobody = free_port();
    let output = danelaw.cli(&["verify", "mail", "--connect", &format!("127.0.0.1:{nobody}")]);
    fails(&output, &[&format!("at 127.0.0.1:{nobody}: refuses connections")]);
}

#[test]
fn a_nameserver_that_lags_fails_for_what_it_lacks() {
    let (old, new) = (Certificate::new(HOST), Certificate::new(HOST));
    let server = TlsServer::openssl(&[("0", &new)], &OPENSSL);
    let lagging = free_port();
    let danelaw = danelaw(server.ports[0], &[&old]).secondary(lagging).start();
    until_published(&danelaw, server.ports[0], &old);
    let named = Named::start(lagging, &[(ZONE, &text(&danelaw.cli(&["dump", ZONE])))]);
    danelaw.write("0.pem", &new.chain);
    until_published(&danelaw, server.ports[0], &new);
    let output = danelaw.cli(&["verify", "mail"]);
    let name = format!("ns{lagging} (127.0.0.1:{lagging})");
    fails(&output, &["matches none of the TLSA records of", &name]);
    let said = text(&output);
    let warnings = lines(&said, "warn");
    assert!(warnings.iter().any(|line| line.contains(&name) && line.contains("is behind")), "{said}");
    assert!(warnings.iter().any(|line| line.contains("nameservers have different records")), "{said}");

    drop(named);
    fails(&danelaw.cli(&["verify", "mail"]), &[&format!("{ZONE}. SOA at {name}"), "cannot be reached"]);
}

#[test]
fn another_certificate_at_one_of_two_addresses_fails_there() {
    let (right, wrong) = (Certificate::new(HOST), Certificate::new(HOST));
    let server = TlsServer::openssl(&[("0", &right)], &OPENSSL);
    let elsewhere = SocketAddr::from((Ipv4Addr::new(127, 0, 0, 2), server.ports[0]));
    let _other = TlsServer::openssl_at(elsewhere, &[("0", &wrong)], &OPENSSL);
    let danelaw = danelaw(server.ports[0], &[&right]);
    danelaw.write("zone", &zone(&["127.0.0.1", "127.0.0.2"]));
    let danelaw = danelaw.start();
    until_published(&danelaw, server.ports[0], &right);
    let output = danelaw.cli(&["verify", "mail"]);
    fails(&output, &[&format!("at {elsewhere}: the certificate"), "matches none of the TLSA records"]);
}

#[test]
fn signatures_of_the_past_and_of_the_future_fail() {
    let certificate = Certificate::new(HOST);
    let server = TlsServer::openssl(&[("0", &certificate)], &OPENSSL);
    for (skew, words) in [("-30d", "has a signature that expired at"), ("+30d", "is not valid before")] {
        let danelaw = danelaw(server.ports[0], &[&certificate]).skewed(skew).start();
        until_published(&danelaw, server.ports[0], &certificate);
        fails(&danelaw.cli(&["verify", "mail"]), &["DNSKEY at danelaw", words]);
    }
}

#[test]
fn a_zone_without_its_proofs_of_absence_fails() {
    let certificate = Certificate::new(HOST);
    let server = TlsServer::openssl(&[("0", &certificate)], &OPENSSL);
    let broken = free_port();
    let danelaw = danelaw(server.ports[0], &[&certificate]).secondary(broken).start();
    until_published(&danelaw, server.ports[0], &certificate);
    let whole = text(&danelaw.cli(&["dump", ZONE]));
    // The record that spans the empty name between the host and its TLSA records.
    let spans = |line: &&str| !(line.starts_with(&format!("{HOST}. ")) && line.contains(" NSEC "));
    let cut: Vec<&str> = whole.lines().filter(spans).collect();
    let _named = Named::start(broken, &[(ZONE, &cut.join("\n"))]);
    let output = danelaw.cli(&["verify", "mail"]);
    fails(&output, &[&format!("at ns{broken} ")]);
    let said = text(&output);
    let proof = |line: &&str| line.contains("without proof") && line.contains(&format!("_tcp.{HOST}. A "));
    assert!(lines(&said, "FAIL").iter().any(proof), "{said}");
}

#[test]
fn an_issuers_record_wants_the_issuer_in_the_chain_and_the_hosts_name() {
    let authority = Authority::new();
    let certificate = |name: &str| {
        let (leaf, key) = authority.certify(name);
        Certificate { chain: leaf + authority.certificate(), key, tlsa: String::new() }
    };
    let whole = certificate(HOST);
    let port = free_port();
    let danelaw = Danelaw::new().also(&format!(
        "services:\n  mail:\n    endpoints: [\"{HOST}:{port}\"]\n    certificate: 0.pem\n    tlsa: [\"2 1 1\"]\n    \
         ttl: 1m\n    probe: \"off\"\n",
    ));
    danelaw.write("zone", &zone(&["127.0.0.1"]));
    danelaw.write("0.pem", &whole.chain);
    let danelaw = danelaw.start();
    until("the TLSA record is served", || {
        (!dig::tlsa(danelaw.port(), &format!("_{port}._tcp.{HOST}")).is_empty()).then_some(())
    });
    let issuer = Certificate { chain: authority.certificate().to_owned(), ..whole.clone() };
    let verify = |certificate: &Certificate, arguments: &[&str]| {
        let at = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let _server =
            TlsServer::openssl_at(at, &[("0", certificate), ("1", &issuer)], &[&OPENSSL, arguments].concat());
        danelaw.cli(&["verify", "mail"])
    };
    let with_issuer = ["-cert_chain", "1.pem"];
    let output = verify(&whole, &with_issuer);
    assert!(
        output.status.success() && text(&output).contains("is issued as 2 1 1 says"),
        "{}",
        text(&output)
    );
    fails(&verify(&whole, &[]), &["matches none of the TLSA records"]);
    fails(
        &verify(&certificate("other.example.test"), &with_issuer),
        &["matches 2 1 1, but", "not valid for name"],
    );
}

#[test]
fn records_kept_by_hand_are_followed_through_aliases_and_wildcards_and_judged_by_each_set() {
    let (current, other) = (Certificate::new(HOST), Certificate::new(HOST));
    let server = TlsServer::openssl(&[("0", &current)], &OPENSSL);
    let port = server.ports[0];
    let (good, stale) = (&current.tlsa, &other.tlsa);
    let sha512 = "7".repeat(128);
    let own = format!("_{port}._tcp.mail");
    let verify = |records: &str| {
        let danelaw = Danelaw::new();
        danelaw.write("zone", &(zone(&["127.0.0.1"]) + records));
        danelaw.start().cli(&["verify", &format!("{HOST}:{port}")])
    };
    for records in [
        format!("{own} CNAME tlsa._dane\ntlsa._dane TLSA {good}\n"),
        format!("*._tcp.mail TLSA {good}\n"),
        format!("{own} TLSA {good}\n{own} TLSA {stale}\n"),
    ] {
        let output = verify(&records);
        assert!(output.status.success(), "{records}\n{}", text(&output));
        assert!(text(&output).contains("matches 3 1 1"), "{records}\n{}", text(&output));
    }
    let digests = format!("{own} TLSA {good}\n{own} TLSA 3 1 2 {sha512}\n");
    fails(&verify(&digests), &["matches none of the TLSA records with 3 1 2, as others do (RFC 7671 §8)"]);
    fails(&verify(""), &[&format!("_{port}._tcp.{HOST}. TLSA"), "there are no records"]);
    // Somebody else's zone has no anchor here.
    let alias = format!("{own} CNAME tlsa.elsewhere.example.\n");
    fails(&verify(&alias), &["tlsa.elsewhere.example.", "no trust anchor"]);
}

#[test]
fn every_nameserver_of_the_zone_that_an_alias_leads_into_is_asked() {
    let (current, old) = (Certificate::new(HOST), Certificate::new(HOST));
    let server = TlsServer::openssl(&[("0", &current)], &OPENSSL);
    let (port, second) = (server.ports[0], free_port());
    let danelaw = Danelaw::new().configured(&format!(
        "remotes:\n  second: {{address: \"127.0.0.1:{second}\"}}\nzones:\n  {ZONE}: {{file: zone, propagation: \
         secondaries}}\n  dane.test: {{file: dane, propagation: secondaries, secondaries: [second]}}\n"
    ));
    let alias = format!("_{port}._tcp.mail CNAME tlsa.dane.test.\n");
    danelaw.write("zone", &(zone(&["127.0.0.1"]) + &alias));
    let write = |danelaw: &Danelaw, record: &str| {
        let head = "$TTL 60\n@ SOA ns1 hostmaster 1 3600 600 86400 60\n@ NS ns1\nns1 A 127.0.0.1\n";
        danelaw.write("dane", &format!("{head}tlsa {record}\n"));
    };
    write(&danelaw, "TXT other");
    let danelaw = danelaw.start();
    let [without, stale, right] =
        ["TXT other", &format!("TLSA {}", old.tlsa), &format!("TLSA {}", current.tlsa)].map(|record| {
            write(&danelaw, record);
            assert!(danelaw.reload().status.success(), "{}", danelaw.log());
            text(&danelaw.cli(&["dump", "dane.test"]))
        });
    let verify = |second_has: &str| {
        let _named = Named::start(second, &[("dane.test", second_has)]);
        danelaw.cli(&["verify", &format!("{HOST}:{port}")])
    };
    let name = format!("second (127.0.0.1:{second})");

    let output = verify(&right);
    let said = text(&output);
    assert!(output.status.success(), "{said}");
    let danelaw_too = format!("danelaw (127.0.0.1:{})", danelaw.port());
    for server in [&name, &danelaw_too] {
        let asked = format!("ok    _{port}._tcp.{HOST}. TLSA at {server}: 1 record,");
        assert_eq!(said.matches(&asked).count(), 1, "{asked} in\n{said}");
    }

    fails(&verify(&without), &[&format!("_{port}._tcp.{HOST}. TLSA at {name}: there are no records")]);
    fails(&verify(&stale), &["matches none of the TLSA records of", &name]);
}

#[test]
fn an_xmpp_server_is_looked_at_in_the_name_of_its_domain() {
    let certificate = Certificate::rsa(HOST);
    let server = TlsServer::prosody("chat.example.test", &certificate);
    let port = server.ports[0];
    let danelaw = danelaw(port, &[&certificate]).start();
    until_published(&danelaw, port, &certificate);
    let client = ["verify", "mail", "--starttls", "xmpp-client"];
    let output = danelaw.cli(&[&client[..], &["--domain", "chat.example.test"]].concat());
    assert!(output.status.success(), "{}", text(&output));
    fails(&danelaw.cli(&client), &["host-unknown"]);
}

#[test]
fn the_chain_of_trust_leads_through_zones_of_every_algorithm() {
    let certificate = Certificate::new(HOST);
    let server = TlsServer::openssl(&[("0", &certificate)], &OPENSSL);
    let danelaw = danelaw(server.ports[0], &[&certificate]).start();
    until_published(&danelaw, server.ports[0], &certificate);
    let zone = text(&danelaw.cli(&["dump", ZONE]));
    let ds = text(&danelaw.cli(&["ds", ZONE]));
    let ds = ds.lines().next().unwrap();
    let place = format!("{HOST}:{}", server.ports[0]);
    let walk = |parent: &Parent| {
        let port = free_port();
        let _named = Named::start(port, &[("test", &parent.signed), (ZONE, &zone)]);
        danelaw::outcome(&[
            "verify",
            &place,
            "--anchor",
            parent.scratch.path().join("anchor").to_str().unwrap(),
            "--server",
            &format!("127.0.0.1:{port}"),
            "--port",
            &port.to_string(),
        ])
    };
    for algorithm in ["RSASHA256", "RSASHA512", "ECDSAP256SHA256", "ECDSAP384SHA384", "ED25519"] {
        for denial in ["", "-3-"] {
            let output = walk(&Parent::new(algorithm, denial, ds));
            let said = text(&output);
            assert!(output.status.success(), "{algorithm}\n{said}");
            let links = ["named by the trust anchor", "named by a DS record of test."];
            assert!(links.iter().all(|link| said.contains(link)), "{said}");
        }
    }
    let unsigned = format!("{ZONE} (is, or may be, delegated by test. without DS records)");
    let unsigned = unsigned.split_once(" (").unwrap().1.trim_end_matches(')').to_owned();
    fails(&walk(&Parent::new("ECDSAP256SHA256", "", "")), &[&unsigned]);
    fails(&walk(&Parent::new("ECDSAP256SHA256", "-3-A", "")), &[&unsigned]);
    let stranger = text(&Danelaw::new().start().cli(&["ds", ZONE]));
    fails(
        &walk(&Parent::new("ECDSAP256SHA256", "", stranger.lines().next().unwrap())),
        &[&format!("{ZONE}. DNSKEY"), "none of the keys"],
    );
    let mut other = Parent::new("ECDSAP256SHA256", "", ds);
    other.signed = Parent::new("ECDSAP256SHA256", "", ds).signed;
    fails(&walk(&other), &["test. DNSKEY", "none of the keys"]);
}

/// The zone `test.`, signed by BIND, with its trust anchor in the file `anchor`.
struct Parent {
    scratch: TempDir,
    signed: String,
}

impl Parent {
    /// `denial` is empty or how dnssec-signzone is told of NSEC3; `ds` are the records of the delegation.
    fn new(algorithm: &str, denial: &str, ds: &str) -> Self {
        let scratch = tempfile::tempdir().unwrap();
        let run = |program: &str, arguments: &[&str]| {
            stdout(command(program).current_dir(&scratch).args(arguments))
        };
        let mut key = vec!["-f", "KSK", "-a", algorithm];
        if algorithm.starts_with("RSA") {
            key.extend(["-b", "2048"]);
        }
        key.push("test");
        let name = run("dnssec-keygen", &key);
        let zone = format!(
            "$TTL 60\n@ SOA ns hostmaster 1 3600 600 86400 60\n@ NS ns\nns A 127.0.0.1\nexample NS ns1.example\n\
             ns1.example A 127.0.0.1\n{ds}\n$INCLUDE {}.key\n",
            name.trim()
        );
        fs::write(scratch.path().join("zone"), zone).unwrap();
        // A key that signs all: -z.
        let mut sign = vec!["-z", "-o", "test", "-f", "signed"];
        match denial {
            "" => {}
            "-3-A" => sign.extend(["-3", "-", "-A"]),
            _ => sign.extend(["-3", "-"]),
        }
        sign.push("zone");
        run("dnssec-signzone", &sign);
        let anchor = run("dnssec-dsfromkey", &["-2", &format!("{}.key", name.trim())]);
        fs::write(scratch.path().join("anchor"), anchor).unwrap();
        let signed = fs::read_to_string(scratch.path().join("signed")).unwrap();
        Self { scratch, signed }
    }
}

/// BIND with zones that never change.
struct Named {
    _process: Running,
    _scratch: TempDir,
}

impl Named {
    fn start(port: u16, zones: &[(&str, &str)]) -> Self {
        let scratch = tempfile::tempdir().unwrap();
        let here = scratch.path().display();
        let mut text = format!(
            "options {{ directory \"{here}\"; listen-on port {port} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }};\n\
             pid-file \"{here}/pid\"; session-keyfile \"{here}/key\"; recursion no; dnssec-validation no;\n\
             notify no; }};\ncontrols {{ }};\n"
        );
        for (zone, records) in zones {
            fs::write(scratch.path().join(zone), records).unwrap();
            writeln!(text, "zone \"{zone}\" {{ type primary; file \"{zone}\"; check-integrity no; }};")
                .unwrap();
        }
        let file: &Path = &scratch.path().join("named.conf");
        fs::write(file, text).unwrap();
        let mut run = command("named");
        let mut process =
            Running::start(run.arg("-g").args(["-n", "1", "-c"]).arg(file), &scratch.path().join("log"));
        until("named serves the zones", || {
            process.must_run();
            zones.iter().all(|(zone, _)| dig::serial(port, zone).is_some()).then_some(())
        });
        Self { _process: process, _scratch: scratch }
    }
}
