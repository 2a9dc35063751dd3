//! Catalog zones (RFC 9432): a zone that is added to danelaw's configuration is served by BIND, Knot and PowerDNS
//! without any work there, and goes with it. NSD 4.6 knows no catalogs.

use std::fs;
use std::process::Command;

use tempfile::TempDir;

use super::danelaw::Danelaw;
use super::dig;
use super::program::{Running, command, free_port, output, stdout, text};
use super::secondary::{TSIG_KEY, TSIG_SECRET, ZONE, powerdns_home};
use super::settings;
use super::wait::until;

const CATALOG: &str = "catalog.example.test";
const OLD: &str = "old.catalog.example.test";

/// A zone of any name.
const MEMBER: &str = "$TTL 1h\n@ SOA ns1 root 1 2h 1h 5d 5m\n@ NS ns1\nns1 A 192.0.2.1\n";
/// What a zone says of its catalog.
const IN: &str = "catalog: catalog.example.test";

/// A configuration with two catalogs for the secondary on `port`, and these zones. With `key`, by TSIG alone.
fn configuration(port: u16, key: bool, zones: &[(&str, &str)]) -> String {
    let tsig = if key { format!(", tsig: {TSIG_KEY}") } else { String::new() };
    let zones: Vec<String> =
        zones.iter().map(|(zone, catalog)| format!("  {zone}: {{file: {zone}.zone, {catalog}}}\n")).collect();
    format!(
        "tsig:\n  {TSIG_KEY}: {{secret: {TSIG_SECRET}}}\n\
         remotes:\n  ns2: {{address: \"127.0.0.1:{port}\"{tsig}}}\n\
         catalogs:\n  {CATALOG}: {{secondaries: [ns2]}}\n  {OLD}: {{secondaries: [ns2]}}\n\
         zones:\n  {ZONE}: {{file: zone}}\n{}",
        zones.concat()
    )
}

fn danelaw(port: u16, key: bool) -> Danelaw {
    let danelaw = Danelaw::new().configured(&configuration(port, key, &[("a.test", IN)]));
    for zone in ["a.test", "b.test"] {
        danelaw.write(&format!("{zone}.zone"), MEMBER);
    }
    danelaw.start()
}

/// A secondary of catalogs.
struct Consumer {
    process: Running,
    port: u16,
    _scratch: TempDir,
}

impl Consumer {
    fn start(scratch: TempDir, port: u16, command: &mut Command) -> Self {
        let process = Running::start(command, &scratch.path().join("log"));
        Self { process, port, _scratch: scratch }
    }

    /// BIND, a consumer of both catalogs.
    fn bind(port: u16, primary: u16) -> Self {
        let scratch = tempfile::tempdir().unwrap();
        let here = scratch.path().display();
        let primaries = format!("127.0.0.1 port {primary} key \"{TSIG_KEY}\"");
        let catalogs: Vec<String> = [CATALOG, OLD]
            .iter()
            .map(|catalog| {
                format!("zone \"{catalog}\" {{ type secondary; primaries {{ {primaries}; }}; file \"{catalog}\"; }};\n")
            })
            .collect();
        let options = settings::bind(&here, port);
        let configuration = format!(
            r#"
            key "{TSIG_KEY}" {{ algorithm hmac-sha256; secret "{TSIG_SECRET}"; }};
            options {{
                {options}
                notify no;
                allow-new-zones yes;
                catalog-zones {{
                    zone "{CATALOG}" default-primaries {{ {primaries}; }} min-update-interval 0;
                    zone "{OLD}" default-primaries {{ {primaries}; }} min-update-interval 0;
                }};
            }};
            controls {{ }};
            {}"#,
            catalogs.concat()
        );
        let file = scratch.path().join("named.conf");
        fs::write(&file, configuration).unwrap();
        Self::start(scratch, port, command("named").args(["-g", "-n", "1", "-c"]).arg(file))
    }

    /// Knot, a consumer of both catalogs; it answers for a catalog only those who may transfer it from there. The
    /// directory of its database has to be there: Knot 3.2.6 makes it when the
    /// first zone is stored, and dies of a catalog before that.
    fn knot(port: u16, primary: u16) -> Self {
        let scratch = tempfile::tempdir().unwrap();
        let here = scratch.path().display();
        let configuration = format!(
            "
server:
    listen: 127.0.0.1@{port}
    rundir: {here}
log:
  - target: stderr
    any: info
database:
    storage: {here}
key:
  - id: {TSIG_KEY}
    algorithm: hmac-sha256
    secret: {TSIG_SECRET}
remote:
  - id: primary
    address: 127.0.0.1@{primary}
    key: {TSIG_KEY}
acl:
  - id: notify
    address: 127.0.0.1
    key: {TSIG_KEY}
    action: [notify, transfer]
template:
  - id: default
    storage: {here}
  - id: member
    storage: {here}
    master: primary
    acl: notify
zone:
  - domain: {CATALOG}
    master: primary
    acl: notify
    catalog-role: interpret
    catalog-template: member
  - domain: {OLD}
    master: primary
    acl: notify
    catalog-role: interpret
    catalog-template: member
"
        );
        let file = scratch.path().join("knot.conf");
        fs::write(&file, configuration).unwrap();
        Self::start(scratch, port, command("knotd").arg("-c").arg(file))
    }

    /// PowerDNS with SQLite, a consumer of one catalog. The key of a member would have to be activated by hand.
    fn powerdns(port: u16, primary: u16) -> Self {
        let scratch = tempfile::tempdir().unwrap();
        let config_dir = powerdns_home(&scratch, port);
        let primary = format!("127.0.0.1:{primary}");
        for arguments in
            [&["create-secondary-zone", CATALOG, &primary][..], &["set-kind", CATALOG, "consumer"]]
        {
            stdout(command("pdnsutil").arg(&config_dir).args(arguments));
        }
        Self::start(scratch, port, command("pdns_server").arg(&config_dir))
    }

    #[track_caller]
    fn until(&mut self, what: &str, mut holds: impl FnMut(u16) -> bool) {
        until(what, || {
            self.process.must_run();
            holds(self.port).then_some(())
        });
    }

    #[track_caller]
    fn until_serves(&mut self, danelaw: &Danelaw, zone: &str) {
        let serial = until("danelaw serves the zone", || dig::serial(danelaw.port(), zone));
        self.until(&format!("{zone} is served"), |port| dig::serial(port, zone) == Some(serial));
    }

    #[track_caller]
    fn until_gone(&mut self, zone: &str) {
        self.until(&format!("{zone} is gone"), |port| dig::serial(port, zone).is_none());
    }
}

/// Adds a zone and takes another out, moves that which is left to another catalog, and starts danelaw again.
fn provisions(port: u16, key: bool, consumer: fn(u16, u16) -> Consumer) -> (Danelaw, Consumer) {
    let mut danelaw = danelaw(port, key);
    let mut consumer = consumer(port, danelaw.port());
    consumer.until_serves(&danelaw, "a.test");
    let serial = dig::serial(consumer.port, "a.test");

    let configure = |zones: &[(&str, &str)], danelaw: &mut Danelaw| {
        danelaw.reconfigure(&configuration(port, key, zones));
        let reload = danelaw.reload();
        assert!(reload.status.success(), "{}", text(&reload));
    };
    configure(&[("a.test", IN), ("b.test", IN)], &mut danelaw);
    consumer.until_serves(&danelaw, "b.test");
    // What is provisioned so is told of new versions as any zone is.
    danelaw.write("b.test.zone", &format!("{MEMBER}\nadded A 192.0.2.99\n"));
    configure(&[("a.test", IN), ("b.test", IN)], &mut danelaw);
    consumer.until("the change is served", |port| dig::rdata(port, "added.b.test", "A") == ["192.0.2.99"]);

    configure(&[("b.test", IN)], &mut danelaw);
    consumer.until_gone("a.test");
    assert!(serial.is_some() && dig::serial(danelaw.port(), "a.test").is_none());

    danelaw.restart();
    danelaw.write("b.test.zone", MEMBER);
    configure(&[("b.test", IN)], &mut danelaw);
    consumer.until("the change is served", |port| dig::rdata(port, "added.b.test", "A").is_empty());
    consumer.until_serves(&danelaw, "b.test");
    (danelaw, consumer)
}

#[test]
fn bind_serves_what_the_catalog_lists() {
    let (danelaw, mut bind) = provisions(free_port(), true, Consumer::bind);
    moves(danelaw, &mut bind);
}

#[test]
fn knot_serves_what_the_catalog_lists() {
    // Knot 3.2.6 knows no change of ownership: it would drop a zone that moves.
    provisions(free_port(), true, Consumer::knot);
}

#[test]
fn powerdns_serves_what_the_catalog_lists() {
    provisions(free_port(), false, Consumer::powerdns);
}

/// Moves `b.test` to the other catalog: it must be served all the time, from the same copy.
fn moves(mut danelaw: Danelaw, consumer: &mut Consumer) {
    let port = consumer.port;
    for membership in [
        "catalog: old.catalog.example.test, moved-from: catalog.example.test",
        "catalog: old.catalog.example.test",
    ] {
        danelaw.reconfigure(&configuration(port, true, &[("b.test", membership)]));
        assert!(danelaw.reload().status.success());
        // The engine tells them in this order.
        for catalog in [CATALOG, OLD] {
            until(&format!("the secondary has {catalog} as it is"), || {
                let said = text(&danelaw.cli(&["status", catalog, "--json"]));
                (said.contains("\"lag\":0") || said.contains("\"lag\": 0")).then_some(())
            });
        }
        consumer.until_serves(&danelaw, "b.test");
    }
    danelaw.reconfigure(&configuration(port, true, &[]));
    assert!(danelaw.reload().status.success());
    consumer.until_gone("b.test");
}

/// The serial of a catalog, asked for with the key: others are refused.
fn signed_serial(port: u16, catalog: &str) -> Option<u32> {
    let key = format!("hmac-sha256:{TSIG_KEY}:{TSIG_SECRET}");
    let mut run = command("dig");
    run.args(["@127.0.0.1", "-p", &port.to_string(), "-y", &key, "+short", catalog, "SOA"]);
    text(&output(&mut run)).split_whitespace().nth(2)?.parse().ok()
}

#[test]
fn a_catalog_is_told_to_nobody_but_its_secondaries() {
    let danelaw = danelaw(free_port(), true);
    assert!(signed_serial(danelaw.port(), CATALOG).is_some());
    let version = format!("version.{CATALOG}");
    for (name, rtype) in
        [(CATALOG, "SOA"), (&*version, "TXT"), (CATALOG, "NS"), ("nothing.catalog.example.test", "A")]
    {
        let mut run = command("dig");
        run.args(["@127.0.0.1", "-p", &danelaw.port().to_string(), name, rtype]);
        let said = text(&output(&mut run));
        assert!(said.contains("status: REFUSED") && said.contains("ANSWER: 0"), "{said}");
    }
    assert_eq!(dig::transfer(danelaw.port(), CATALOG), None);
}
