//! The four servers that danelaw is compared with, each a primary of the same signed files; and danelaw's daemon.
//!
//! None adds to the authority section what it need not, NSD nothing to the additional section either; over UDP all send
//! as much as fits into [`PAYLOAD`].

use std::fmt::Write;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;

use super::client;
use super::program::{Running, command, free_port, stdout};
use super::signed::Signed;
use super::wait::until;
use super::wire::{Question, Reply};
use danelaw::dns::rtype::Rtype;
use danelaw::zone::{Denial, Nsec3Params};
use data_encoding::HEXLOWER;

/// What the servers may send in a datagram, and what the client says that it takes.
pub(crate) const PAYLOAD: u16 = 4_096;

/// What the servers say of a zone that they do not load: BIND, NSD, Knot, PowerDNS.
const REFUSALS: [&str; 6] = [
    "loading from master file",
    "has no address records",
    "with errors",
    " error: ",
    "failed to load",
    "rror parsing",
];

/// A server that runs.
pub(crate) struct Peer {
    pub(crate) name: &'static str,
    pub(crate) port: u16,
    process: Running,
    _scratch: TempDir,
}

/// Where a server's files are, and what it is to serve.
struct Setting<'z> {
    scratch: TempDir,
    port: u16,
    zones: &'z [Signed],
}

/// The order of answers in [`Case`](super::compare::Case).
pub(crate) const NAMES: [&str; 4] = ["bind", "nsd", "knot", "powerdns"];

impl Peer {
    /// Starts all four, and waits until they serve all zones.
    pub(crate) fn all(zones: &[Signed]) -> Vec<Self> {
        let starts = [bind, nsd, knot, powerdns];
        let mut peers: Vec<Self> =
            NAMES.iter().zip(starts).map(|(name, start)| Self::start(name, zones, start)).collect();
        for peer in &mut peers {
            peer.until_ready(zones);
        }
        peers
    }

    /// danelaw itself, as its own program.
    pub(crate) fn danelaw(zones: &[Signed]) -> Self {
        let mut daemon = Self::start("danelaw", zones, daemon);
        daemon.until_ready(zones);
        daemon
    }

    fn start(name: &'static str, zones: &[Signed], run: fn(&Setting<'_>) -> Command) -> Self {
        let setting = Setting { scratch: tempfile::tempdir().unwrap(), port: free_port(), zones };
        let process = Running::start(&mut run(&setting), &setting.scratch.path().join("log"));
        Self { name, port: setting.port, process, _scratch: setting.scratch }
    }

    fn until_ready(&mut self, zones: &[Signed]) {
        for zone in zones {
            let question = Question::new(&zone.origin, Rtype::SOA, false);
            until(&format!("{} serves {}", self.name, zone.origin), || {
                self.process.must_run();
                self.must_load_all();
                client::try_one(self.port, &question).filter(|reply| {
                    Reply::read(reply).is_ok_and(|reply| reply.rcode == 0 && reply.authoritative)
                })
            });
        }
    }

    /// Fails the test, saying why, if a zone was refused: the generator is to make zones that all take.
    #[track_caller]
    fn must_load_all(&self) {
        let printed = self.process.printed();
        let refusals: Vec<&str> =
            printed.lines().filter(|line| REFUSALS.iter().any(|said| line.contains(said))).collect();
        assert!(refusals.is_empty(), "{} refuses zones:\n{}", self.name, refusals.join("\n"));
    }
}

impl Setting<'_> {
    fn write(&self, name: &str, text: &str) -> PathBuf {
        let file = self.scratch.path().join(name);
        fs::write(&file, text).unwrap();
        file
    }

    fn here(&self) -> std::path::Display<'_> {
        self.scratch.path().display()
    }

    /// One piece of configuration for each zone.
    fn each(&self, piece: impl Fn(&str, std::path::Display<'_>) -> String) -> String {
        self.zones.iter().map(|zone| piece(&zone.origin, zone.file.display())).collect()
    }
}

fn bind(setting: &Setting<'_>) -> Command {
    let (here, port) = (setting.here(), setting.port);
    let zones = setting.each(|origin, file| {
        format!(
            "zone \"{origin}\" {{ type primary; file \"{file}\"; check-names ignore; check-integrity no; \
             zone-statistics none; }};\n"
        )
    });
    let text = format!(
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
            minimal-responses no-auth;
            empty-zones-enable no;
            max-udp-size {PAYLOAD};
            nocookie-udp-size {PAYLOAD};
        }};
        controls {{ }};
        {zones}
        "#
    );
    let file = setting.write("named.conf", &text);
    let mut named = command("named");
    named.args(["-g", "-n", "1", "-c"]).arg(file);
    named
}

fn nsd(setting: &Setting<'_>) -> Command {
    let (here, port) = (setting.here(), setting.port);
    let zones = setting.each(|origin, file| format!("zone:\n  name: \"{origin}\"\n  zonefile: \"{file}\"\n"));
    let text = format!(
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
  minimal-responses: yes
  refuse-any: no
  ipv4-edns-size: {PAYLOAD}
  rrl-ratelimit: 0
remote-control:
  control-enable: no
{zones}"#
    );
    let file = setting.write("nsd.conf", &text);
    let mut nsd = command("nsd");
    nsd.arg("-d").arg("-c").arg(file);
    nsd
}

fn knot(setting: &Setting<'_>) -> Command {
    let (here, port) = (setting.here(), setting.port);
    let zones = setting.each(|origin, file| format!("  - domain: \"{origin}\"\n    file: \"{file}\"\n"));
    let text = format!(
        "
server:
    listen: 127.0.0.1@{port}
    rundir: {here}
    udp-workers: 1
    tcp-workers: 1
    background-workers: 1
    udp-max-payload: {PAYLOAD}
log:
  - target: stderr
    any: warning
database:
    storage: {here}/db
template:
  - id: default
    storage: {here}
    semantic-checks: off
    journal-content: none
    zonefile-load: whole
zone:
{zones}"
    );
    let file = setting.write("knot.conf", &text.replace('\\', "\\\\"));
    let mut knotd = command("knotd");
    knotd.arg("-c").arg(file);
    knotd
}

/// PowerDNS with its BIND back end. It makes NSEC and NSEC3 records itself, as its metadata says, and takes the
/// signatures from the file (`PRESIGNED`).
fn powerdns(setting: &Setting<'_>) -> Command {
    let (here, port) = (setting.here(), setting.port);
    let zones = setting.each(|origin, file| {
        format!("zone \"{}\" {{ type master; file \"{file}\"; }};\n", origin.trim_end_matches('.'))
    });
    let zones = setting.write("named.conf", &format!("options {{ directory \"{here}\"; }};\n{zones}"));
    let text = format!(
        "
launch=bind
bind-config={zones}
bind-dnssec-db={here}/dnssec.sqlite
local-address=127.0.0.1
local-port={port}
socket-dir={here}
cache-ttl=0
zone-cache-refresh-interval=0
receiver-threads=1
distributor-threads=1
any-to-tcp=no
dname-processing=yes
udp-truncation-threshold={PAYLOAD}
daemon=no
guardian=no
setuid=
setgid=
",
        zones = zones.display()
    );
    setting.write("pdns.conf", &text);
    let config_dir = format!("--config-dir={here}");
    let database = format!("{here}/dnssec.sqlite");
    stdout(command("pdnsutil").arg(&config_dir).args(["create-bind-db", &database]));
    // What `pdnsutil set-presigned` and `set-nsec3` write, for all zones at once.
    let mut sql = "BEGIN;\n".to_owned();
    for zone in setting.zones {
        let domain = zone.origin.trim_end_matches('.');
        let mut add = |kind, content: &str| {
            writeln!(sql, "INSERT INTO domainmetadata (domain, kind, content) VALUES ('{domain}', '{kind}', '{content}');")
                .unwrap();
        };
        match zone.snapshot.denial() {
            Denial::None => {}
            Denial::Nsec => add("PRESIGNED", "1"),
            Denial::Nsec3(Nsec3Params { iterations, salt }) => {
                add("PRESIGNED", "1");
                let salt = if salt.is_empty() { "-".to_owned() } else { HEXLOWER.encode(salt) };
                add("NSEC3PARAM", &format!("1 {} {iterations} {salt}", u8::from(zone.is_opt_out())));
            }
        }
    }
    sql += "COMMIT;";
    stdout(command("sqlite3").args([&database, &sql]));
    let mut server = command("pdns_server");
    server.arg(config_dir);
    server
}

/// The signed files as they are, which is what policy `unsigned` means.
fn daemon(setting: &Setting<'_>) -> Command {
    let zones =
        setting.each(|origin, file| format!("  \"{origin}\": {{file: \"{file}\", policy: unsigned}}\n"));
    let text = format!(
        "listen: {{dns: [\"127.0.0.1:{}\"]}}\nkeys: keys\nstate: state\nzones:\n{zones}",
        setting.port
    );
    let file = setting.write("danelaw.yaml", &text);
    let mut danelaw = Command::new(env!("CARGO_BIN_EXE_danelaw"));
    danelaw.arg("-c").arg(file).arg("run");
    danelaw
}
