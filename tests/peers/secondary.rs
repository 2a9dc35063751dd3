//! Real secondaries of one zone, from a primary on 127.0.0.1.

use std::fs;
use std::path::Path;

use tempfile::TempDir;

use super::dig;
use super::program::{Running, command, stdout};
use super::wait::until;

/// The zone that all of them serve.
pub(crate) const ZONE: &str = "example.test";
/// The TSIG key by which transfers and NOTIFY are signed (hmac-sha256), and its secret.
pub(crate) const TSIG_KEY: &str = "xfr.example.test";
pub(crate) const TSIG_SECRET: &str = "YSBzZWNyZXQgb2YgdGhpcnR5LXR3byBvY3RldHMgISE=";

/// A running secondary.
pub(crate) struct Secondary {
    process: Running,
    port: u16,
    _scratch: TempDir,
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
        let configuration = format!(
            r#"
            options {{
                directory "{here}";
                listen-on port {port} {{ 127.0.0.1; }};
                listen-on-v6 {{ none; }};
                pid-file "{here}/named.pid";
                session-keyfile "{here}/session.key";
                recursion no;
                dnssec-validation no;
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
        let configuration = format!(
            r#"
            server:
                ip-address: 127.0.0.1@{port}
                server-count: 1
                username: ""
                database: ""
                zonesdir: "{here}"
                pidfile: "{here}/nsd.pid"
                xfrdfile: "{here}/xfrd.state"
                zonelistfile: "{here}/zone.list"
                xfrdir: "{here}"
            remote-control:
                control-enable: no
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
"
        );
        let file = written(&scratch, "knot.conf", &configuration);
        Self::started(scratch, port, command("knotd").arg("-c").arg(file))
    }

    /// PowerDNS with its BIND back end, told that the zone is presigned.
    pub(crate) fn powerdns(port: u16, primary: u16) -> Self {
        let scratch = tempfile::tempdir().unwrap();
        let here = scratch.path().display();
        let zones = format!(
            r#"
            options {{ directory "{here}"; }};
            zone "{ZONE}" {{ type slave; masters {{ 127.0.0.1:{primary}; }}; file "{here}/{ZONE}.secondary"; }};
            "#
        );
        let zones = written(&scratch, "named.conf", &zones);
        let configuration = format!(
            "
launch=bind
bind-config={zones}
bind-dnssec-db={here}/dnssec.sqlite
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
",
            zones = zones.display()
        );
        written(&scratch, "pdns.conf", &configuration);
        let config_dir = format!("--config-dir={here}");
        for arguments in [
            vec!["create-bind-db".to_owned(), format!("{here}/dnssec.sqlite")],
            ["import-tsig-key", TSIG_KEY, "hmac-sha256", TSIG_SECRET].map(str::to_owned).to_vec(),
            ["activate-tsig-key", ZONE, TSIG_KEY, "secondary"].map(str::to_owned).to_vec(),
            ["set-presigned", ZONE].map(str::to_owned).to_vec(),
        ] {
            stdout(command("pdnsutil").arg(&config_dir).args(arguments));
        }
        Self::started(scratch, port, command("pdns_server").arg(&config_dir))
    }

    fn started(scratch: TempDir, port: u16, command: &mut std::process::Command) -> Self {
        let process = Running::start(command, &scratch.path().join("log"));
        Self { process, port, _scratch: scratch }
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

fn written(scratch: &TempDir, name: &str, text: &str) -> std::path::PathBuf {
    let file: &Path = &scratch.path().join(name);
    fs::write(file, text).unwrap();
    file.to_owned()
}
