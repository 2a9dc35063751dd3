//! Real primaries of one zone, for a danelaw that takes it from them.

use std::fs;
use std::path::{Path, PathBuf};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

use super::certificate::Certificate;
use super::dig;
use super::program::{Running, command, stdout};
use super::secondary::{TSIG_KEY, TSIG_SECRET, ZONE};
use super::settings;
use super::wait::until;

/// A running primary.
pub(crate) struct Primary {
    process: Running,
    port: u16,
    scratch: TempDir,
    /// How it is told of an edited file: by these programs with their arguments, or by a signal if there are none.
    told_by: Vec<(&'static str, Vec<String>)>,
}

/// Where a primary listens by TLS, and what it presents.
pub(crate) struct Tls<'a> {
    pub(crate) port: u16,
    pub(crate) certificate: &'a Certificate,
    /// Certificates that it wants its clients to have.
    pub(crate) clients: Option<&'a str>,
}

impl Primary {
    /// BIND, which makes IXFR of the difference between two files.
    pub(crate) fn bind(port: u16, danelaw: u16, zone: &str) -> Self {
        Self::bind_with(port, danelaw, zone, "ixfr-from-differences yes;", None)
    }

    /// BIND, which takes updates, and keeps to its own file.
    pub(crate) fn bind_updated(port: u16, danelaw: u16, zone: &str) -> Self {
        let updates = format!("allow-update {{ key \"{TSIG_KEY}\"; }};");
        Self::bind_with(port, danelaw, zone, &updates, None)
    }

    /// BIND with this in its zone, and zone transfer over TLS.
    pub(crate) fn bind_with(port: u16, danelaw: u16, zone: &str, more: &str, tls: Option<&Tls<'_>>) -> Self {
        let scratch = scratch(zone);
        let here = scratch.path().display();
        let (mut context, mut listen) = (String::new(), String::new());
        if let Some(Tls { port, certificate, clients }) = tls {
            written(&scratch, "tls.pem", &certificate.chain);
            written(&scratch, "tls.key", &certificate.key);
            let clients = clients.map_or(String::new(), |clients| {
                written(&scratch, "clients.pem", clients);
                format!("ca-file \"{here}/clients.pem\";")
            });
            context = format!(
                "tls local {{ cert-file \"{here}/tls.pem\"; key-file \"{here}/tls.key\"; {clients} }};"
            );
            listen = format!("listen-on port {port} tls local {{ 127.0.0.1; }};");
        }
        let options = settings::bind(&here, port);
        let configuration = format!(
            r#"
            {context}
            options {{
                {options}
                {listen}
                notify explicit;
                notify-delay 0;
                max-ixfr-ratio unlimited;
                also-notify {{ 127.0.0.1 port {danelaw} key "{TSIG_KEY}"; }};
                allow-transfer {{ key "{TSIG_KEY}"; }};
            }};
            controls {{ }};
            key "{TSIG_KEY}" {{ algorithm hmac-sha256; secret "{TSIG_SECRET}"; }};
            zone "{ZONE}" {{
                type primary;
                file "{here}/zone";
                {more}
            }};
            "#
        );
        let file = written(&scratch, "named.conf", &configuration);
        Self::started(scratch, port, Vec::new(), command("named").arg("-g").args(["-n", "1", "-c"]).arg(file))
    }

    /// NSD, which answers IXFR with the whole zone.
    pub(crate) fn nsd(port: u16, danelaw: u16, zone: &str) -> Self {
        let scratch = scratch(zone);
        let here = scratch.path().display();
        let server = settings::nsd(&here, port);
        let configuration = format!(
            r#"
            {server}
                zonefiles-check: yes
            key:
                name: "{TSIG_KEY}"
                algorithm: hmac-sha256
                secret: "{TSIG_SECRET}"
            zone:
                name: "{ZONE}"
                zonefile: "{here}/zone"
                notify: 127.0.0.1@{danelaw} {TSIG_KEY}
                provide-xfr: 127.0.0.1 {TSIG_KEY}
            "#
        );
        let file = written(&scratch, "nsd.conf", &configuration);
        Self::started(scratch, port, Vec::new(), command("nsd").arg("-d").arg("-c").arg(file))
    }

    /// Knot, which makes IXFR of the difference between two files.
    pub(crate) fn knot(port: u16, danelaw: u16, zone: &str) -> Self {
        Self::knot_with(port, danelaw, zone, "")
    }

    /// Knot with these lines of YAML in its zone.
    pub(crate) fn knot_with(port: u16, danelaw: u16, zone: &str, more: &str) -> Self {
        let scratch = scratch(zone);
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
  - id: danelaw
    address: 127.0.0.1@{danelaw}
    key: {TSIG_KEY}
acl:
  - id: transfer
    key: {TSIG_KEY}
    action: transfer
zone:
  - domain: {ZONE}
    storage: {here}
    file: zone
    zonefile-load: difference
    zonefile-sync: -1
    journal-content: changes
    notify: danelaw
    acl: [transfer]
{more}"
        );
        fs::create_dir(scratch.path().join("db")).unwrap();
        let file = written(&scratch, "knot.conf", &configuration);
        Self::started(scratch, port, Vec::new(), command("knotd").arg("-c").arg(file))
    }

    /// PowerDNS with its BIND back end.
    pub(crate) fn powerdns(port: u16, danelaw: u16, zone: &str) -> Self {
        let scratch = scratch(zone);
        let here = scratch.path().display();
        let zones = format!(
            r#"
            options {{ directory "{here}"; }};
            zone "{ZONE}" {{ type master; file "{here}/zone"; }};
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
primary=yes
also-notify=127.0.0.1:{danelaw}
only-notify=
xfr-cycle-interval=1
disable-axfr=no
allow-axfr-ips=
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
            ["activate-tsig-key", ZONE, TSIG_KEY, "primary"].map(str::to_owned).to_vec(),
        ] {
            stdout(command("pdnsutil").arg(&config_dir).args(arguments));
        }
        let told_by = vec![
            ("pdns_control", vec![config_dir.clone(), "bind-reload-now".to_owned(), ZONE.to_owned()]),
            ("pdns_control", vec![config_dir.clone(), "notify".to_owned(), ZONE.to_owned()]),
        ];
        Self::started(scratch, port, told_by, command("pdns_server").arg(&config_dir))
    }

    fn started(
        scratch: TempDir,
        port: u16,
        told_by: Vec<(&'static str, Vec<String>)>,
        command: &mut std::process::Command,
    ) -> Self {
        let process = Running::start(command, &scratch.path().join("log"));
        let mut this = Self { process, port, scratch, told_by };
        until("the primary serves the zone", || {
            this.process.must_run();
            dig::serial(port, ZONE)
        });
        this
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Replaces its zone file, and has it read.
    #[track_caller]
    pub(crate) fn edit(&mut self, zone: &str) {
        fs::write(self.scratch.path().join("zone"), zone).unwrap();
        for (program, arguments) in &self.told_by {
            stdout(command(program).args(arguments));
        }
        if self.told_by.is_empty() {
            kill(Pid::from_raw(self.process.pid() as i32), Signal::SIGHUP).unwrap();
        }
    }

    /// SIGKILL.
    pub(crate) fn kill_9(&mut self) {
        self.process.kill_9();
    }

    /// What it printed.
    pub(crate) fn printed(&self) -> String {
        self.process.printed()
    }

    /// Sends a signed update to it, one line of nsupdate's language after the other.
    #[track_caller]
    pub(crate) fn update(&self, lines: &str) {
        let script = format!("server 127.0.0.1 {}\nzone {ZONE}\n{lines}\nsend\n", self.port);
        let file = written(&self.scratch, "update", &script);
        let key = format!("hmac-sha256:{TSIG_KEY}:{TSIG_SECRET}");
        stdout(command("nsupdate").args(["-y", &key]).arg(file));
    }
}

fn scratch(zone: &str) -> TempDir {
    let scratch = tempfile::tempdir().unwrap();
    written(&scratch, "zone", zone);
    scratch
}

fn written(scratch: &TempDir, name: &str, text: &str) -> PathBuf {
    let file: &Path = &scratch.path().join(name);
    fs::write(file, text).unwrap();
    file.to_owned()
}
