//! Real secondaries of one zone, from a primary on 127.0.0.1.

use std::fs;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use super::dig;
use super::program::{Running, command, stdout};
use super::settings;
use super::wait::until;

/// The zone that all of them serve.
pub(crate) const ZONE: &str = "example.test";
/// The TSIG key by which transfers and NOTIFY are signed (hmac-sha256), and its secret.
pub(crate) const TSIG_KEY: &str = "xfr.example.test";
pub(crate) const TSIG_SECRET: &str = "YSBzZWNyZXQgb2YgdGhpcnR5LXR3byBvY3RldHMgISE=";

/// The tables of PowerDNS, as Debian's package has them.
const SQLITE_SCHEMA: &str = "/usr/share/pdns-backend-sqlite3/schema/schema.sqlite3.sql";

/// A running secondary.
pub(crate) struct Secondary {
    process: Running,
    port: u16,
    again: Command,
    scratch: TempDir,
}

impl Secondary {
    /// BIND. `port` is where it listens, `primary` where the primary does.
    pub(crate) fn bind(port: u16, primary: u16) -> Self {
        Self::bind_with(port, "", &format!("127.0.0.1 port {primary} key \"{TSIG_KEY}\""))
    }

    /// BIND that transfers over TLS; `settings` are those of a `tls` block, or none: `ephemeral`.
    pub(crate) fn bind_over_tls(port: u16, primary: u16, settings: &str) -> Self {
        let (block, tls) = match settings {
            "" => (String::new(), "ephemeral"),
            settings => (format!("tls strict {{ {settings} }};"), "strict"),
        };
        Self::bind_with(port, &block, &format!("127.0.0.1 port {primary} key \"{TSIG_KEY}\" tls {tls}"))
    }

    fn bind_with(port: u16, statements: &str, primary: &str) -> Self {
        let scratch = tempfile::tempdir().unwrap();
        let here = scratch.path().display();
        let options = settings::bind(&here, port);
        let configuration = format!(
            r#"
            options {{
                {options}
                notify no;
                allow-transfer {{ 127.0.0.1; }};
            }};
            controls {{ }};
            {statements}
            key "{TSIG_KEY}" {{ algorithm hmac-sha256; secret "{TSIG_SECRET}"; }};
            zone "{ZONE}" {{
                type secondary;
                primaries {{ {primary}; }};
                allow-notify {{ key "{TSIG_KEY}"; }};
                file "{ZONE}.secondary";
            }};
            "#
        );
        let file = written(&scratch, "named.conf", &configuration);
        Self::started(scratch, port, command("named").arg("-g").args(["-n", "1", "-c"]).arg(file))
    }

    /// NSD.
    pub(crate) fn nsd(port: u16, primary: u16) -> Self {
        let scratch = tempfile::tempdir().unwrap();
        let here = scratch.path().display();
        let server = settings::nsd(&here, port);
        let configuration = format!(
            r#"
            {server}
            key:
                name: "{TSIG_KEY}"
                algorithm: hmac-sha256
                secret: "{TSIG_SECRET}"
            zone:
                name: "{ZONE}"
                zonefile: "{ZONE}.secondary"
                allow-notify: 127.0.0.1 {TSIG_KEY}
                request-xfr: 127.0.0.1@{primary} {TSIG_KEY}
                provide-xfr: 127.0.0.1 NOKEY
            "#
        );
        let file = written(&scratch, "nsd.conf", &configuration);
        Self::started(scratch, port, command("nsd").arg("-d").arg("-c").arg(file))
    }

    /// Knot.
    pub(crate) fn knot(port: u16, primary: u16) -> Self {
        Self::knot_with(port, primary, "")
    }

    /// Knot with these lines of YAML in its zone.
    pub(crate) fn knot_with(port: u16, primary: u16, more: &str) -> Self {
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
    storage: {here}/db
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
    action: notify
  - id: transfer
    address: 127.0.0.1
    action: transfer
zone:
  - domain: {ZONE}
    storage: {here}
    master: primary
    acl: [notify, transfer]
{more}"
        );
        // Without it Knot has no journal, and asks for all of the zone after each change.
        fs::create_dir(scratch.path().join("db")).unwrap();
        let file = written(&scratch, "knot.conf", &configuration);
        Self::started(scratch, port, command("knotd").arg("-c").arg(file))
    }

    /// PowerDNS with SQLite, told to ask for changes alone.
    pub(crate) fn powerdns(port: u16, primary: u16) -> Self {
        let scratch = tempfile::tempdir().unwrap();
        let config_dir = powerdns_home(&scratch, port);
        let primary = format!("127.0.0.1:{primary}");
        for arguments in [
            vec!["import-tsig-key", TSIG_KEY, "hmac-sha256", TSIG_SECRET],
            vec!["create-secondary-zone", ZONE, &primary],
            vec!["activate-tsig-key", ZONE, TSIG_KEY, "secondary"],
            vec!["set-meta", ZONE, "IXFR", "1"],
        ] {
            stdout(command("pdnsutil").arg(&config_dir).args(arguments));
        }
        let mut run = command("pdns_server");
        run.arg(&config_dir);
        Self::started(scratch, port, &mut run)
    }

    fn started(scratch: TempDir, port: u16, command: &mut Command) -> Self {
        let process = Running::start(command, &scratch.path().join("log"));
        let mut again = Command::new(command.get_program());
        again.args(command.get_args());
        Self { process, port, again, scratch }
    }

    /// SIGKILL.
    pub(crate) fn kill_9(&mut self) {
        self.process.kill_9();
    }

    /// SIGTERM, and waits for the end.
    pub(crate) fn stop(&mut self) {
        self.process.terminate();
    }

    /// Starts it again on what it has kept.
    pub(crate) fn restart(&mut self) {
        self.process = Running::start(&mut self.again, &self.scratch.path().join("log"));
    }

    /// What it printed.
    pub(crate) fn printed(&self) -> String {
        self.process.printed()
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Waits until it serves this serial.
    #[track_caller]
    pub(crate) fn until_serial(&mut self, serial: u32) {
        until(&format!("the secondary serves serial {serial}"), || {
            self.process.must_run();
            (dig::serial(self.port, ZONE) == Some(serial)).then_some(())
        });
    }

    /// The zone as it serves it, by AXFR, one record a line.
    #[track_caller]
    pub(crate) fn zone(&self) -> Vec<String> {
        until("the secondary gives the zone away", || dig::transfer(self.port, ZONE))
    }
}

/// What PowerDNS needs to be a secondary that keeps its zones in SQLite; gives back how its programs are told where that
/// is.
pub(crate) fn powerdns_home(scratch: &TempDir, port: u16) -> String {
    let here = scratch.path().display();
    let configuration = format!(
        "
launch=gsqlite3
gsqlite3-database={here}/zones.sqlite
gsqlite3-dnssec=yes
local-address=127.0.0.1
local-port={port}
socket-dir={here}
secondary=yes
allow-notify-from=127.0.0.1
allow-axfr-ips=127.0.0.1
disable-axfr=no
xfr-cycle-interval=1
cache-ttl=0
query-cache-ttl=0
negquery-cache-ttl=0
zone-cache-refresh-interval=0
daemon=no
guardian=no
setuid=
setgid=
"
    );
    written(scratch, "pdns.conf", &configuration);
    stdout(command("sqlite3").arg(scratch.path().join("zones.sqlite")).arg(format!(".read {SQLITE_SCHEMA}")));
    format!("--config-dir={here}")
}

fn written(scratch: &TempDir, name: &str, text: &str) -> std::path::PathBuf {
    let file: &Path = &scratch.path().join(name);
    fs::write(file, text).unwrap();
    file.to_owned()
}
