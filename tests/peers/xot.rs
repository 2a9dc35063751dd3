//! Transfers within TLS (RFC 9103): BIND as a secondary in all the ways that it knows, dig and kdig with and without
//! a certificate of their own. Knot 3.2 cannot.

use std::fs;
use std::io::{Read, Write};
use std::process::Stdio;

use tempfile::TempDir;

use super::certificate::{Authority, Certificate};
use super::danelaw::Danelaw;
use super::program::{command, free_port, output, text};
use super::secondary::{Secondary, TSIG_KEY, TSIG_SECRET, ZONE};

/// The name of danelaw in its certificate, and that of the secondary in its own.
const PRIMARY: &str = "ns1.example.test";
const SECONDARY: &str = "ns2.example.test";

/// What the parties know: `ca`, `chain` and `key` of the secondary, and the same of somebody of another authority.
struct Trust {
    files: TempDir,
    authority: Authority,
}

impl Trust {
    fn new() -> Self {
        let (files, authority) = (tempfile::tempdir().unwrap(), Authority::new());
        let write = |name: &str, text: &str| fs::write(files.path().join(name), text).unwrap();
        write("ca", authority.certificate());
        for (authority, name, file) in [
            (&authority, SECONDARY, "secondary"),
            (&authority, "other.example.test", "other"),
            (&Authority::new(), SECONDARY, "stranger"),
        ] {
            let (chain, key) = authority.certify(name);
            write(file, &chain);
            write(&format!("{file}.key"), &key);
        }
        Self { files, authority }
    }

    fn path(&self, name: &str) -> String {
        self.files.path().join(name).display().to_string()
    }

    /// A danelaw that trusts clients of the authority, and gives the zone to whom `allow` lists.
    fn danelaw(&self, allow: &str) -> Danelaw {
        let (chain, key) = self.authority.certify(PRIMARY);
        let identity = Certificate { chain, key, tlsa: String::new() };
        let danelaw =
            Danelaw::new().encrypted(&identity).listen_also("  client-ca: ca\n").configured(&format!(
                "tsig:\n  {TSIG_KEY}: {{secret: {TSIG_SECRET}}}\n\
                 zones:\n  {ZONE}: {{file: zone, allow-transfer: [{allow}]}}\n"
            ));
        danelaw.write("ca", self.authority.certificate());
        danelaw.start()
    }

    /// Options for dig and kdig: to show this certificate, which dig does only to a server that it has checked.
    fn certificate_of(&self, who: &str) -> [String; 4] {
        [
            format!("+tls-certfile={}", self.path(who)),
            format!("+tls-keyfile={}", self.path(&format!("{who}.key"))),
            format!("+tls-ca={}", self.path("ca")),
            format!("+tls-hostname={PRIMARY}"),
        ]
    }
}

/// An AXFR by `tool` with these options; whether it succeeds.
fn transfers(tool: &str, danelaw: &Danelaw, options: &[&str]) -> bool {
    let mut run = command(tool);
    run.args(["@127.0.0.1", "-p", &danelaw.ports().tls.to_string(), "+tls", ZONE, "AXFR"]).args(options);
    let said = text(&output(&mut run));
    let soas = said.matches("IN\tSOA\t").count();
    assert!(soas == 0 || soas == 2, "{tool} {options:?}: {said}");
    soas == 2
}

#[test]
fn a_rule_with_a_name_wants_a_certificate_of_the_authority_with_that_name() {
    let trust = Trust::new();
    let danelaw = trust.danelaw(&format!("{{tls: {SECONDARY}}}"));
    for tool in ["dig", "kdig"] {
        for (who, allowed) in [("secondary", true), ("other", false), ("stranger", false)] {
            let options = trust.certificate_of(who);
            let options: Vec<&str> = options.iter().map(String::as_str).collect();
            assert_eq!(transfers(tool, &danelaw, &options), allowed, "{tool} {who}");
        }
        assert!(!transfers(tool, &danelaw, &[]), "{tool} without a certificate");
    }
    let mut run = command("dig");
    run.args(["@127.0.0.1", "-p", &danelaw.port().to_string(), ZONE, "AXFR"]);
    assert!(text(&output(&mut run)).contains("Transfer failed"), "in the clear");
}

#[test]
fn all_of_an_entry_must_be_met_and_any_tls_may_do() {
    let trust = Trust::new();
    let danelaw = trust.danelaw(&format!("{{tls: any, tsig: {TSIG_KEY}, address: 127.0.0.0/8}}"));
    let key = format!("hmac-sha256:{TSIG_KEY}:{TSIG_SECRET}");
    assert!(transfers("dig", &danelaw, &["-y", &key]));
    assert!(!transfers("dig", &danelaw, &[]));
    let mut clear = command("dig");
    clear.args(["@127.0.0.1", "-p", &danelaw.port().to_string(), "-y", &key, ZONE, "AXFR"]);
    assert!(text(&output(&mut clear)).contains("Transfer failed"), "in the clear");
}

/// What `openssl s_client` says of a connection with these options.
fn handshake(danelaw: &Danelaw, options: &[&str]) -> String {
    let mut run = command("openssl");
    run.args(["s_client", "-connect", &format!("127.0.0.1:{}", danelaw.ports().tls)]);
    text(&output(run.args(options)))
}

#[test]
fn alpn_is_dot_or_nothing_and_tls_1_2_gives_no_zone_away() {
    let trust = Trust::new();
    let danelaw = trust.danelaw("127.0.0.1");
    let said = handshake(&danelaw, &["-alpn", "dot"]);
    assert!(said.contains("ALPN protocol: dot") && said.contains("New, TLSv1.3"), "{said}");
    let said = handshake(&danelaw, &["-alpn", "h2"]);
    assert!(said.contains("no application protocol"), "{said}");
    assert!(handshake(&danelaw, &[]).contains("New, TLSv1.3"));
    let said = handshake(&danelaw, &["-tls1_2"]);
    assert!(said.contains("New, TLSv1.2"), "queries may come by TLS 1.2: {said}");
    assert!(transfers("kdig", &danelaw, &[]));
    assert_eq!(axfr_by_old_tls(&danelaw)[3] & 15, 5, "REFUSED");
}

/// The response to an AXFR by TLS 1.2.
fn axfr_by_old_tls(danelaw: &Danelaw) -> Vec<u8> {
    let mut run = command("openssl");
    run.args(["s_client", "-quiet", "-tls1_2", "-connect", &format!("127.0.0.1:{}", danelaw.ports().tls)]);
    let mut client = run.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let question = b"\0\x1e\0\0\0\0\0\x01\0\0\0\0\0\0\x07example\x04test\0\0\xfc\0\x01";
    client.stdin.as_mut().unwrap().write_all(question).unwrap();
    let received = client.stdout.as_mut().unwrap();
    let mut length = [0; 2];
    received.read_exact(&mut length).unwrap();
    let mut message = vec![0; u16::from_be_bytes(length).into()];
    received.read_exact(&mut message).unwrap();
    client.kill().unwrap();
    client.wait().unwrap();
    message
}

/// BIND as a secondary over TLS, with these statements in its `tls` block, or `tls ephemeral`.
fn bind(danelaw: &Danelaw, tls: &str) -> Secondary {
    Secondary::bind_over_tls(free_port(), danelaw.ports().tls, tls)
}

#[test]
fn bind_transfers_over_tls_without_asking_who_danelaw_is() {
    let trust = Trust::new();
    let danelaw = trust.danelaw(&format!("{{tls: any, tsig: {TSIG_KEY}}}"));
    bind(&danelaw, "").until_serial(danelaw.serial().unwrap());
}

#[test]
fn bind_transfers_over_tls_from_the_danelaw_whose_name_it_knows() {
    let trust = Trust::new();
    let danelaw = trust.danelaw(&format!("{{tls: any, tsig: {TSIG_KEY}}}"));
    let ca = trust.path("ca");
    bind(&danelaw, &format!("ca-file \"{ca}\"; remote-hostname \"{PRIMARY}\";"))
        .until_serial(danelaw.serial().unwrap());
}

#[test]
fn bind_transfers_over_tls_with_a_certificate_of_its_own() {
    let trust = Trust::new();
    let danelaw = trust.danelaw(&format!("{{tls: {SECONDARY}, tsig: {TSIG_KEY}}}"));
    let (ca, chain, key) = (trust.path("ca"), trust.path("secondary"), trust.path("secondary.key"));
    let own = format!("cert-file \"{chain}\"; key-file \"{key}\";");
    bind(&danelaw, &format!("ca-file \"{ca}\"; remote-hostname \"{PRIMARY}\"; {own}"))
        .until_serial(danelaw.serial().unwrap());
}
