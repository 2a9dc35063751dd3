//! TSIG as dig, kdig and BIND speak it: every algorithm, every error, and a secret that changes.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use danelaw::dns::message::query::Query;
use danelaw::dns::message::{Compression, Opcode, Question};
use danelaw::dns::name::Name;
use danelaw::dns::rtype::{CLASS_IN, Rtype};
use danelaw::dns::time::Timestamp;
use danelaw::dns::tsig::{Algorithm, Exchange, Key, ResponseFault};

use super::danelaw::Danelaw;
use super::program::{command, fake_time, free_port, output, text};
use super::secondary::{Secondary, TSIG_KEY, TSIG_SECRET, ZONE};
use super::wait::until;

/// Another secret of the same length.
const OTHER_SECRET: &str = "YW5vdGhlciBvZiB0aGlydHktdHdvIG9jdGV0cyAhISE=";
const ALGORITHMS: [&str; 4] = ["hmac-sha1", "hmac-sha256", "hmac-sha384", "hmac-sha512"];

/// A danelaw with one key for each algorithm, each of which may transfer: by that key, and by no other means.
fn with_all_algorithms() -> Danelaw {
    let keys: Vec<String> = ALGORITHMS
        .iter()
        .map(|algorithm| format!("  {algorithm}.key: {{algorithm: {algorithm}, secret-file: secret}}\n"))
        .collect();
    let allowed: Vec<String> =
        ALGORITHMS.iter().map(|algorithm| format!("{{tsig: {algorithm}.key}}")).collect();
    let danelaw = Danelaw::new().configured(&format!(
        "tsig:\n{}zones:\n  {ZONE}: {{file: zone, policy: unsigned, allow-transfer: [{}]}}\n",
        keys.concat(),
        allowed.join(", ")
    ));
    danelaw.write_secret("secret", TSIG_SECRET);
    danelaw.start()
}

/// What `tool` says of a question signed with `key`, which it writes `[ALGORITHM:]NAME:SECRET`.
fn signed(tool: &str, port: u16, key: &str, question: &[&str]) -> String {
    let mut run = command(tool);
    run.args(["@127.0.0.1", "-p", &port.to_string(), "-y", key, ZONE]).args(question);
    text(&output(&mut run))
}

#[test]
fn every_algorithm_transfers_with_dig_and_kdig_and_its_use_of_sha1_is_warned_about() {
    let danelaw = with_all_algorithms();
    for algorithm in ALGORITHMS {
        let key = format!("{algorithm}:{algorithm}.key:{TSIG_SECRET}");
        for tool in ["dig", "kdig"] {
            // Each verifies what it is sent, and says so if it cannot.
            let said = signed(tool, danelaw.port(), &key, &["AXFR"]);
            let sound = said.matches("IN\tSOA").count() == 2 && said.contains(&format!("{algorithm}."));
            let doubts = ["verify", "validated", "BADSIG", "malformed", "NOTAUTH", "failed"];
            assert!(sound && !doubts.iter().any(|doubt| said.contains(doubt)), "{tool} {algorithm}:\n{said}");
        }
    }
    let said =
        text(&output(command("dig").args(["@127.0.0.1", "-p", &danelaw.port().to_string(), ZONE, "AXFR"])));
    assert!(said.contains("Transfer failed"), "without a key: {said}");
    let checked = text(&danelaw.cli(&["check"]));
    assert!(checked.contains("warning: tsig key `hmac-sha1.key.` is for hmac-sha1"), "{checked}");
    assert_eq!(checked.matches("warning").count(), 1, "{checked}");
}

#[test]
fn what_is_wrong_with_a_signature_is_said_as_the_rfc_has_it() {
    let danelaw = with_all_algorithms();
    let tsig = |said: &str| {
        let line = said.lines().find(|line| line.contains("TSIG\t")).unwrap_or_default();
        line.split_whitespace().map(str::to_owned).collect::<Vec<_>>()
    };
    // Owner, TTL, class, TSIG, algorithm, time, fudge, octets of the MAC, the MAC unless empty, ID, error.
    for (key, error, octets) in [
        (format!("hmac-sha256:unknown.key:{TSIG_SECRET}"), "BADKEY", "0"),
        (format!("hmac-sha512:hmac-sha256.key:{TSIG_SECRET}"), "BADKEY", "0"),
        (format!("hmac-sha256:hmac-sha256.key:{OTHER_SECRET}"), "BADSIG", "0"),
        (format!("hmac-sha256-128:hmac-sha256.key:{TSIG_SECRET}"), "BADTRUNC", "32"),
    ] {
        let said = signed("dig", danelaw.port(), &key, &["SOA"]);
        let tsig = tsig(&said);
        assert!(said.contains("status: NOTAUTH") && said.contains("ANSWER: 0"), "{key}: {said}");
        assert_eq!((tsig[7].as_str(), tsig[tsig.len() - 2].as_str()), (octets, error), "{key}: {said}");
    }
    // RFC 8945 §5.2.2.1: less than half of a MAC is no TSIG at all.
    let said =
        signed("dig", danelaw.port(), &format!("hmac-sha256-120:hmac-sha256.key:{TSIG_SECRET}"), &["SOA"]);
    assert!(said.contains("status: FORMERR") && tsig(&said).is_empty(), "{said}");
}

#[test]
fn a_client_whose_clock_is_wrong_is_told_the_servers_time() {
    let danelaw = with_all_algorithms();
    let seconds = || SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs();
    for skew in ["-1h", "+1h"] {
        let before = seconds();
        let mut run = command("kdig");
        fake_time(&mut run, skew);
        run.args(["@127.0.0.1", "-p", &danelaw.port().to_string(), ZONE, "SOA", "-y"]);
        let said = text(&output(run.arg(format!("hmac-sha256:hmac-sha256.key:{TSIG_SECRET}"))));
        let line = said.lines().find(|line| line.contains("BADTIME 6 ")).unwrap_or_else(|| panic!("{said}"));
        let time: u64 = line.split_whitespace().next_back().unwrap().parse().unwrap();
        assert!((before..=seconds()).contains(&time), "{skew}: {said}");
        // A signed answer, or kdig would complain of it.
        assert!(line.contains(" 300 32 ") && !said.contains("failed to verify"), "{skew}: {said}");
    }
    let mut run = command("kdig");
    fake_time(&mut run, "-4m");
    run.args(["@127.0.0.1", "-p", &danelaw.port().to_string(), ZONE, "SOA", "-y"]);
    let said = text(&output(run.arg(format!("hmac-sha256:hmac-sha256.key:{TSIG_SECRET}"))));
    assert!(said.contains("status: NOERROR"), "within the fudge: {said}");
}

#[test]
fn an_entry_with_address_and_key_wants_both() {
    let danelaw = Danelaw::new().configured(&format!(
        "tsig:\n  {TSIG_KEY}: {{secret: {TSIG_SECRET}}}\nzones:\n  {ZONE}:\n    file: zone\n    policy: unsigned\n    \
         allow-transfer: [{{address: 127.0.0.2, tsig: {TSIG_KEY}}}, 127.0.1.0/24]\n"
    ));
    let danelaw = danelaw.start();
    let key = format!("hmac-sha256:{TSIG_KEY}:{TSIG_SECRET}");
    let allowed = |from: &str, signed: bool| {
        let mut run = command("dig");
        run.args(["@127.0.0.1", "-p", &danelaw.port().to_string(), "-b", from, ZONE, "AXFR"]);
        let said = text(&output(if signed { run.args(["-y", &key]) } else { &mut run }));
        assert_ne!(said.contains("Transfer failed"), said.contains("IN\tSOA"), "{said}");
        said.contains("IN\tSOA")
    };
    assert!(allowed("127.0.0.2", true) && allowed("127.0.1.7", false) && allowed("127.0.1.7", true));
    assert!(!allowed("127.0.0.2", false) && !allowed("127.0.0.3", true) && !allowed("127.0.2.7", true));
}

fn with_secret_file(port: u16) -> Danelaw {
    let danelaw = Danelaw::new().configured(&format!(
        "tsig:\n  {TSIG_KEY}: {{secret-file: secret}}\n\
         remotes:\n  ns2: {{address: \"127.0.0.1:{port}\", tsig: {TSIG_KEY}}}\n\
         zones:\n  {ZONE}: {{file: zone, secondaries: [ns2], propagation: secondaries}}\n"
    ));
    danelaw.write_secret("secret", OTHER_SECRET);
    danelaw.start()
}

#[test]
fn a_secret_that_changes_counts_with_the_reload_for_transfers_notify_and_open_connections() {
    let port = free_port();
    let danelaw = with_secret_file(port);
    let mut secondary = Secondary::bind(port, danelaw.port());
    let status_says_badsig = || text(&danelaw.cli(&["status"])).contains("(BADSIG)");
    until("the secondary refuses the NOTIFY", || status_says_badsig().then_some(()));
    let mut open = TcpStream::connect(("127.0.0.1", danelaw.port())).unwrap();
    assert_eq!(asked(&mut open, OTHER_SECRET), Ok(()));
    assert_eq!(asked(&mut open, TSIG_SECRET), Err(ResponseFault::BadSignature));

    danelaw.write_secret("secret", TSIG_SECRET);
    assert_eq!(asked(&mut open, OTHER_SECRET), Ok(()), "a file alone changes nothing");
    assert!(danelaw.reload().status.success());
    assert_eq!(asked(&mut open, OTHER_SECRET), Err(ResponseFault::BadSignature));
    assert_eq!(asked(&mut open, TSIG_SECRET), Ok(()));
    secondary.until_serial(danelaw.serial().unwrap());
    until("the secondary takes the NOTIFY", || (!status_says_badsig()).then_some(()));
}

/// Asks for the SOA over this connection, signed with this secret, and verifies the answer.
fn asked(connection: &mut TcpStream, secret: &str) -> Result<(), ResponseFault> {
    connection.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let (name, zone) = (Name::parse(TSIG_KEY).unwrap(), Name::parse(ZONE).unwrap());
    let key = Arc::new(Key::from_base64(name.as_ref(), Algorithm::Sha256, secret).unwrap());
    let question = Question { name: zone.as_ref(), rtype: Rtype::SOA, class: CLASS_IN };
    let query = Query { id: 7, opcode: Opcode::QUERY, question, soa: None, edns: false, dnssec_ok: false };
    let mut out = vec![0; 512];
    let length = query.write(&mut out, Exchange::reserve(&key), &mut Compression::default()).unwrap();
    let now = Timestamp(SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs());
    let (mut exchange, length) = Exchange::begin(key, &mut out, length, now).unwrap();
    let message = [&(length as u16).to_be_bytes()[..], &out[..length]].concat();
    connection.write_all(&message).unwrap();
    let mut length = [0; 2];
    connection.read_exact(&mut length).unwrap();
    let mut response = vec![0; u16::from_be_bytes(length).into()];
    connection.read_exact(&mut response).unwrap();
    exchange.verify(&response, now)
}

#[test]
fn a_secret_that_others_may_read_is_refused_and_nothing_changes() {
    let danelaw = with_secret_file(free_port());
    fs::set_permissions(danelaw.path("secret"), fs::Permissions::from_mode(0o640)).unwrap();
    for output in [danelaw.cli(&["check"]), danelaw.reload(), danelaw.cli(&["run"])] {
        let said = text(&output);
        assert_eq!(output.status.code(), Some(1), "{said}");
        let line = "secret: mode 0640 lets others read the secret, expected 0600: chmod 600 ";
        assert!(said.contains(line), "{said}");
    }
    let mut open = TcpStream::connect(("127.0.0.1", danelaw.port())).unwrap();
    assert_eq!(asked(&mut open, OTHER_SECRET), Ok(()));
}
