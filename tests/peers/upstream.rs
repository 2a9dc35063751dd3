//! A zone that comes from another primary: BIND, NSD, Knot and PowerDNS have it, danelaw signs it and serves it.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, UdpSocket};
use std::path::Path;

use super::certificate::Certificate;
use super::check::{self, Keys};
use super::danelaw::{Danelaw, ZONE_TEXT};
use super::dig;
use super::primary::{Primary, Tls};
use super::program::{command, free_port, stdout};
use super::secondary::{TSIG_KEY, ZONE};
use super::wait::until;

const SERIAL: &str = "2026110101";

/// The zone with another serial and more records.
fn version(serial: u32, more: &str) -> String {
    ZONE_TEXT.replace(SERIAL, &serial.to_string()) + more
}

fn remote(port: u16) -> String {
    format!("{{address: \"127.0.0.1:{port}\", tsig: {TSIG_KEY}}}")
}

/// A danelaw that takes the zone from the primary that `begin` starts.
fn begun(danelaw: Danelaw, begin: impl FnOnce(u16, u16, &str) -> Primary, more: &str) -> (Danelaw, Primary) {
    let primary = begin(free_port(), danelaw.port(), &version(1, ""));
    let danelaw = danelaw.primary(&remote(primary.port()), more).start();
    (danelaw, primary)
}

#[track_caller]
fn sound(danelaw: &Danelaw) {
    let file = danelaw.path("copy");
    fs::write(&file, danelaw.zone().join("\n") + "\n").unwrap();
    check::all(&file, ZONE, Keys::Csk);
}

#[track_caller]
fn until_has(danelaw: &Danelaw, name: &str, address: &str) {
    until(&format!("{name} has {address}"), || {
        (dig::rdata(danelaw.port(), &format!("{name}.{ZONE}"), "A") == [address]).then_some(())
    });
}

/// Transfers, signs with TLSA records, follows a NOTIFY, and has what it serves checked each time.
fn comes_from(begin: fn(u16, u16, &str) -> Primary, incremental: bool, more: &str) {
    let certificate = Certificate::new(&format!("mail.{ZONE}"));
    let danelaw = Danelaw::new().service("mail", "mail.pem");
    danelaw.write("mail.pem", &certificate.chain);
    let (mut danelaw, mut primary) = begun(danelaw, begin, more);
    danelaw.until_tlsa("mail", &certificate.tlsa);
    sound(&danelaw);
    let first = danelaw.serial().unwrap();
    assert_ne!(first, 1, "the served serial is danelaw's own");

    primary.edit(&version(2, "added A 192.0.2.99\n"));
    until_has(&danelaw, "added", "192.0.2.99");
    danelaw.until_tlsa("mail", &certificate.tlsa);
    sound(&danelaw);
    assert!(danelaw.serial().unwrap() > first);

    // What changes apply to outlives the process.
    danelaw.kill_9();
    danelaw.restart();
    primary.edit(&version(3, "added A 192.0.2.100\n"));
    until_has(&danelaw, "added", "192.0.2.100");
    sound(&danelaw);
    let changes = danelaw.log().matches("its changes").count();
    assert_eq!(changes, if incremental { 2 } else { 0 }, "{}", danelaw.log());
    danelaw.until_well();
}

#[test]
fn a_zone_comes_from_bind() {
    comes_from(Primary::bind, true, "");
}

#[test]
fn a_zone_comes_from_nsd() {
    comes_from(Primary::nsd, false, "");
}

#[test]
fn a_zone_comes_from_knot() {
    comes_from(Primary::knot, true, "");
}

#[test]
fn a_zone_comes_from_powerdns() {
    comes_from(Primary::powerdns, false, "allow-notify: 127.0.0.1");
}

/// Whole zones as dig prints them, without what differs by design: the SOA serial.
fn unsigned(zone: &[String]) -> Vec<String> {
    let dnssec = ["RRSIG", "NSEC", "NSEC3", "NSEC3PARAM", "DNSKEY", "CDS", "CDNSKEY", "SOA"];
    let kept = zone.iter().filter(|line| !dnssec.contains(&line.split_whitespace().nth(3).unwrap()));
    kept.cloned().collect()
}

#[test]
fn two_hundred_updates_at_bind_come_as_changes_and_end_in_the_same_zone() {
    let (danelaw, primary) = begun(Danelaw::new(), Primary::bind_updated, "");
    for step in 0..200 {
        let host = step % 17;
        let line = match step % 5 {
            0 => format!("update add host{host}.{ZONE} 300 A 192.0.2.{}", step % 250),
            1 => format!("update add host{host}.{ZONE} 300 TXT \"step {step}\""),
            2 => format!("update delete host{host}.{ZONE}"),
            3 => format!("update add a.b.host{host}.{ZONE} 60 MX {step} MAIL.{ZONE}"),
            _ => format!("update delete host{}.{ZONE} A", (host + 3) % 17),
        };
        primary.update(&line);
    }
    primary.update(&format!("update add last.{ZONE} 300 A 192.0.2.200"));
    until_has(&danelaw, "last", "192.0.2.200");
    let theirs = key_transfer(primary.port());
    let mut ours = danelaw.zone();
    ours.sort_unstable();
    assert_eq!(unsigned(&ours), unsigned(&theirs));
    assert!(danelaw.log().contains("its changes"));
    sound(&danelaw);
}

#[test]
fn a_zone_that_bind_signs_is_passed_through_exactly() {
    let scratch = tempfile::tempdir().unwrap();
    let signed = |serial: u32, more: &str| signed_by_bind(scratch.path(), &version(serial, more));
    let danelaw = Danelaw::new().policy("unsigned");
    let mut primary = Primary::bind(free_port(), danelaw.port(), &signed(1, ""));
    let danelaw = danelaw.primary(&remote(primary.port()), "").start();
    for (serial, more) in [(1, ""), (2, "added A 192.0.2.99\n"), (3, "added A 192.0.2.98\n")] {
        if serial > 1 {
            primary.edit(&signed(serial, more));
        }
        until("the serial is the primary's", || (danelaw.serial() == Some(serial)).then_some(()));
        let file = scratch.path().join("copy");
        fs::write(&file, danelaw.zone().join("\n") + "\n").unwrap();
        check::dnssec_verify(&file, ZONE, Keys::Csk).unwrap();
        let theirs = key_transfer(primary.port());
        let mut ours = danelaw.zone();
        ours.sort_unstable();
        assert_eq!(ours, theirs);
    }
    assert!(danelaw.log().contains("its changes"), "{}", danelaw.log());
}

fn key_transfer(port: u16) -> Vec<String> {
    let key = format!("hmac-sha256:{TSIG_KEY}:{}", super::secondary::TSIG_SECRET);
    let said = stdout(
        command("dig")
            .args(["@127.0.0.1", "-p", &port.to_string(), "-y", &key])
            .args([ZONE, "AXFR", "+noall", "+answer", "+onesoa"]),
    );
    let mut lines: Vec<String> =
        said.lines().filter(|line| !line.is_empty() && !line.starts_with(';')).map(str::to_owned).collect();
    lines.sort_unstable();
    lines
}

/// Signs with BIND's tools: NSEC3, one key.
fn signed_by_bind(scratch: &Path, zone: &str) -> String {
    let keys = fs::read_dir(scratch)
        .unwrap()
        .filter(|entry| entry.as_ref().unwrap().file_name().to_string_lossy().ends_with(".private"));
    if keys.count() == 0 {
        stdout(command("dnssec-keygen").current_dir(scratch).args(["-q", "-a", "13", "-f", "KSK", ZONE]));
    }
    fs::write(scratch.join("zone"), zone).unwrap();
    stdout(
        command("dnssec-signzone")
            .current_dir(scratch)
            .args(["-q", "-S", "-z", "-3", "-", "-O", "full", "-o", ZONE, "-f", "signed", "zone"]),
    );
    fs::read_to_string(scratch.join("signed")).unwrap()
}

// --- what goes wrong ---

/// Starts danelaw with a remote that does not work, and returns once its log says why.
#[track_caller]
fn refused(remote: &str, more: &str, words: &str) -> Danelaw {
    let danelaw = Danelaw::new().primary(remote, more).launched();
    danelaw.until_alarmed(&[words, "the zone is not served yet"]);
    until("the log says it", || danelaw.log().contains(words).then_some(()));
    danelaw
}

#[test]
fn a_wrong_key_a_missing_one_and_a_refused_address_are_named() {
    let port = free_port();
    let _primary = Primary::bind(port, 1, &version(1, ""));
    let unsigned = format!("{{address: \"127.0.0.1:{port}\"}}");
    refused(&unsigned, "", "answers REFUSED");
    let danelaw = Danelaw::new().primary(&remote(port), "");
    // The same name, another secret.
    let danelaw = danelaw.launched();
    until("it is served", || danelaw.serial());
    drop(danelaw);
    let other = Danelaw::new()
        .primary(&format!("{{address: \"127.0.0.1:{port}\", tsig: other.example.test}}"), "")
        .key("other.example.test", "b3RoZXIgc2VjcmV0IG9mIHRoaXJ0eS10d28gb2N0cyE=")
        .launched();
    other.until_alarmed(&["does not know the TSIG key (BADKEY)"]);
}

#[test]
fn a_primary_that_goes_away_leaves_the_last_good_zone() {
    let (mut danelaw, mut primary) = begun(Danelaw::new(), Primary::bind, "");
    let serial = danelaw.serial();
    primary.kill_9();
    let reload = danelaw.cli(&["reload", ZONE]);
    assert_eq!(reload.status.code(), Some(1), "{reload:?}");
    danelaw.until_alarmed(&["primary upstream", "still serving serial", "which expires at"]);
    assert_eq!(danelaw.serial(), serial);
    danelaw.kill_9();
    danelaw.restart();
    assert_eq!(danelaw.serial(), serial);
    sound(&danelaw);
}

#[test]
fn a_zone_that_is_too_large_is_refused_and_the_last_one_stays() {
    let (danelaw, mut primary) = begun(Danelaw::new(), Primary::nsd, "max-transfer-size: 8KiB");
    let serial = danelaw.serial();
    let more: String = (0..300).map(|host| format!("host{host} A 192.0.2.1\n")).collect();
    primary.edit(&version(2, &more));
    danelaw.until_alarmed(&["more than 8192 octets, see `max-transfer-size`", "still serving serial"]);
    assert_eq!(danelaw.serial(), serial);
    primary.edit(&version(3, "small A 192.0.2.1\n"));
    until_has(&danelaw, "small", "192.0.2.1");
    danelaw.until_well();
}

#[test]
fn an_unsound_zone_is_refused_and_the_last_one_stays() {
    let (danelaw, mut primary) = begun(Danelaw::new(), Primary::powerdns, "allow-notify: 127.0.0.1");
    let serial = danelaw.serial();
    primary.edit(&version(2, "both A 192.0.2.1\nboth CNAME www\n"));
    danelaw.until_alarmed(&["CNAME at both.example.test.", "still serving serial"]);
    assert_eq!(danelaw.serial(), serial);
    primary.edit(&version(3, "both A 192.0.2.1\n"));
    until_has(&danelaw, "both", "192.0.2.1");
}

/// A primary that tells serial 2 and answers transfers with `stream`, then closes.
fn garbled(stream: impl Fn(u16) -> Vec<u8> + Send + 'static) -> u16 {
    let port = free_port();
    let udp = UdpSocket::bind(("127.0.0.1", port)).unwrap();
    let tcp = TcpListener::bind(("127.0.0.1", port)).unwrap();
    std::thread::spawn(move || {
        let mut query = [0; 1_024];
        while let Ok((length, client)) = udp.recv_from(&mut query) {
            let _ = udp.send_to(&answered(&query[..length]), client);
        }
    });
    std::thread::spawn(move || {
        for connection in tcp.incoming() {
            let Ok(mut connection) = connection else { return };
            let mut length = [0; 2];
            if connection.read_exact(&mut length).is_err() {
                continue;
            }
            let mut query = vec![0; u16::from_be_bytes(length).into()];
            connection.read_exact(&mut query).unwrap();
            let _ = connection.write_all(&stream(u16::from_be_bytes([query[0], query[1]])));
        }
    });
    port
}

/// The SOA record of serial 2 as the answer to a query.
fn answered(query: &[u8]) -> Vec<u8> {
    let mut message = query.to_vec();
    message[2] |= 0x84;
    message[7] = 1;
    message.extend(b"\xc0\x0c\0\x06\0\x01\0\0\x0e\x10\0\x18\xc0\x0c\xc0\x0c\0\0\0\x02");
    message.extend([0, 0, 14, 16, 0, 0, 3, 132, 0, 6, 151, 128, 0, 0, 1, 44]);
    message
}

/// A message of a transfer with the records of `answered`, `count` times.
fn message(id: u16, count: usize) -> Vec<u8> {
    let mut query = vec![0; 12];
    query[..2].copy_from_slice(&id.to_be_bytes());
    query[5] = 1;
    query.extend(b"\x07example\x04test\0\0\xfc\0\x01");
    let mut message = answered(&query);
    let record = message[query.len()..].to_vec();
    for _ in 1..count {
        message.extend(&record);
    }
    message[7] = count as u8;
    [&(message.len() as u16).to_be_bytes()[..], &message].concat()
}

#[test]
fn truncated_and_garbage_transfers_are_one_clear_line() {
    type Stream = fn(u16) -> Vec<u8>;
    let cases: [(Stream, &str); 5] = [
        (|id| message(id, 1), "broke off the transfer"),
        (|id| message(id, 1)[..40].to_vec(), "broke off the transfer"),
        (|id| message(id, 2), "the zone is not sound: no NS record at example.test."),
        (
            |_| b"\0\x20HTTP/1.1 400 Bad Request\r\n\r\n\r\n\r\n".to_vec(),
            "a message of the transfer is malformed",
        ),
        (|id| message(id ^ 1, 2), "a message of the transfer is malformed"),
    ];
    for (stream, words) in cases {
        let port = garbled(stream);
        let danelaw = refused(&format!("{{address: \"127.0.0.1:{port}\"}}"), "", words);
        let line = danelaw.log().lines().find(|line| line.contains(words)).unwrap().to_owned();
        assert!(line.contains("example.test.: primary upstream (127.0.0.1:"), "{line}");
    }
}

#[test]
fn a_skewed_clock_is_said_to_be_that() {
    // BIND compares the time of each signed request with its own.
    let port = free_port();
    let _primary = Primary::bind(port, 1, &version(1, ""));
    let danelaw = Danelaw::new().primary(&remote(port), "").skewed("+2h").launched();
    danelaw.until_alarmed(&["clocks differ"]);
}

// --- by TLS ---

const DIFFERENCES: &str = "ixfr-from-differences yes;";

fn pin(certificate: &Certificate) -> String {
    let scratch = tempfile::tempdir().unwrap();
    fs::write(scratch.path().join("pem"), &certificate.chain).unwrap();
    let public =
        stdout(command("openssl").current_dir(&scratch).args(["x509", "-noout", "-pubkey", "-in", "pem"]));
    fs::write(scratch.path().join("public"), public).unwrap();
    let run = |arguments: &str| {
        stdout(command("openssl").current_dir(&scratch).args(arguments.split(' ')));
    };
    run("pkey -pubin -in public -outform DER -out der");
    run("dgst -sha256 -binary -out digest der");
    run("base64 -in digest -out pin");
    fs::read_to_string(scratch.path().join("pin")).unwrap().trim().to_owned()
}

#[test]
fn a_zone_comes_from_bind_by_tls_for_whoever_it_should_be() {
    let name = "primary.example.test";
    let (certificate, other) = (Certificate::for_host(name), Certificate::for_host(name));
    let client = Certificate::new("danelaw.example.test");
    let (port, tls) = (free_port(), free_port());
    let danelaw = Danelaw::new();
    let listener = Tls { port: tls, certificate: &certificate, clients: Some(&client.chain) };
    let _primary = Primary::bind_with(port, danelaw.port(), &version(1, ""), DIFFERENCES, Some(&listener));
    let begin = |tls_settings: &str| {
        let danelaw = Danelaw::new();
        danelaw.write("ca.pem", &certificate.chain);
        danelaw.write("other.pem", &other.chain);
        danelaw.write("client.pem", &client.chain);
        danelaw.write("client.key", &client.key);
        let remote = format!("{{address: \"127.0.0.1:{tls}\", tsig: {TSIG_KEY}, tls: {tls_settings}}}");
        danelaw.primary(&remote, "").launched()
    };
    let identity = "certificate: client.pem, key: client.key";
    let pin = pin(&certificate);
    for accepted in
        [format!("{{name: {name}, ca: ca.pem, {identity}}}"), format!("{{pin: \"{pin}\", {identity}}}")]
    {
        let danelaw = begin(&accepted);
        until(&accepted, || danelaw.serial());
        sound(&danelaw);
        assert!(danelaw.log().contains("the whole zone"));
    }
    let wrong = "A".repeat(43) + "=";
    for (refused, words) in [
        (format!("{{name: other.example.test, ca: ca.pem, {identity}}}"), "certificate"),
        (format!("{{name: {name}, ca: other.pem, {identity}}}"), "certificate"),
        (format!("{{pin: \"{wrong}\", {identity}}}"), "none of those in `pin`"),
        ("opportunistic".to_owned(), "primary upstream"),
    ] {
        let danelaw = begin(&refused);
        danelaw.until_alarmed(&[words, "the zone is not served yet"]);
    }
}

#[test]
fn a_zone_comes_from_bind_by_opportunistic_tls() {
    let certificate = Certificate::new("whoever.example.test");
    let (port, tls) = (free_port(), free_port());
    let danelaw = Danelaw::new();
    let listener = Tls { port: tls, certificate: &certificate, clients: None };
    let mut primary = Primary::bind_with(port, danelaw.port(), &version(1, ""), DIFFERENCES, Some(&listener));
    let remote = format!("{{address: \"127.0.0.1:{tls}\", tsig: {TSIG_KEY}, tls: opportunistic}}");
    let danelaw = danelaw.primary(&remote, "").start();
    primary.edit(&version(2, "added A 192.0.2.99\n"));
    until_has(&danelaw, "added", "192.0.2.99");
    assert!(danelaw.log().contains("its changes"), "IXFR goes by TLS, too: {}", primary.printed());
}
