//! Validators: delv, asked about one answer; unbound, a resolver with the zone's key as its anchor.

use std::fs;

use tempfile::TempDir;

use super::program::{Running, command, free_port, output, text};
use super::secondary::ZONE;
use super::wait::until;

/// What delv says about an answer of the server on `port`, with the DNSKEY record `anchor` as trust anchor.
pub(crate) fn delv(port: u16, anchor: &str, name: &str, rtype: &str) -> String {
    delv_below(ZONE, port, anchor, name, rtype)
}

/// [`delv`], of which the anchor is a key of `zone`.
pub(crate) fn delv_below(zone: &str, port: u16, anchor: &str, name: &str, rtype: &str) -> String {
    let scratch = tempfile::tempdir().unwrap();
    let file = scratch.path().join("anchor.conf");
    fs::write(&file, trust_anchors(zone, anchor)).unwrap();
    let mut delv = command("delv");
    delv.args(["@127.0.0.1", "-p", &port.to_string(), "-a"]).arg(&file);
    text(&output(delv.args([&format!("+root={zone}"), "+multiline", name, rtype])))
}

/// BIND's form of a DNSKEY record `owner ttl IN DNSKEY flags protocol algorithm key`.
fn trust_anchors(zone: &str, dnskey: &str) -> String {
    let words: Vec<&str> = dnskey.split_whitespace().collect();
    let at = words.iter().position(|word| *word == "DNSKEY").unwrap();
    let [flags, protocol, algorithm] = [words[at + 1], words[at + 2], words[at + 3]];
    format!(
        "trust-anchors {{ {zone}. static-key {flags} {protocol} {algorithm} \"{}\"; }};\n",
        words[at + 4..].concat()
    )
}

/// A running unbound that asks the server on one port for the zone.
pub(crate) struct Unbound {
    process: Running,
    _scratch: TempDir,
    pub(crate) port: u16,
}

impl Unbound {
    pub(crate) fn start(authority: u16, anchor: &str) -> Self {
        Self::start_at(free_port(), authority, anchor)
    }

    /// [`start`](Self::start) at a port of the test's.
    pub(crate) fn start_at(port: u16, authority: u16, anchor: &str) -> Self {
        Self::started(port, anchor, "", &stub(ZONE, &[authority]))
    }

    /// It trusts the zone above [`ZONE`], by its name, its server and its DNSKEY record, and comes to [`ZONE`] by what
    /// that says; all servers of [`ZONE`] are known from the start.
    pub(crate) fn below(port: u16, parent: &str, parent_server: u16, anchor: &str, servers: &[u16]) -> Self {
        let stubs = stub(parent, &[parent_server]) + &stub(ZONE, servers);
        Self::started(port, anchor, "infra-host-ttl: 1\n    infra-keep-probing: yes", &stubs)
    }

    fn started(port: u16, anchor: &str, settings: &str, stubs: &str) -> Self {
        let scratch = tempfile::tempdir().unwrap();
        let configuration = format!(
            r#"
server:
    interface: 127.0.0.1@{port}
    do-ip6: no
    chroot: ""
    username: ""
    directory: "{here}"
    pidfile: "{here}/unbound.pid"
    use-syslog: no
    logfile: ""
    val-log-level: 2
    module-config: "validator iterator"
    do-not-query-localhost: no
    local-zone: "test." nodefault
    trust-anchor: "{anchor}"
    {settings}
remote-control:
    control-enable: no
{stubs}"#,
            here = scratch.path().display(),
        );
        let file = scratch.path().join("unbound.conf");
        fs::write(&file, configuration).unwrap();
        let log = scratch.path().join("log");
        let mut process = Running::start(command("unbound").arg("-d").arg("-c").arg(file), &log);
        until("unbound answers", || {
            process.must_run();
            asked(port, ZONE, "SOA").contains("status: NOERROR").then_some(())
        });
        Self { process, _scratch: scratch, port }
    }

    /// What it has logged: each bogus answer with the reason.
    pub(crate) fn printed(&self) -> String {
        self.process.printed()
    }

    /// dig's whole report of a question with DO.
    pub(crate) fn ask(&self, name: &str, rtype: &str) -> String {
        asked(self.port, name, rtype)
    }
}

pub(crate) fn asked(port: u16, name: &str, rtype: &str) -> String {
    let port = port.to_string();
    text(&output(command("dig").args([
        "@127.0.0.1",
        "-p",
        &port,
        "+dnssec",
        "+tries=1",
        "+timeout=5",
        name,
        rtype,
    ])))
}

/// Where a zone is to be asked for.
fn stub(zone: &str, servers: &[u16]) -> String {
    let servers: String = servers.iter().map(|port| format!("    stub-addr: 127.0.0.1@{port}\n")).collect();
    format!("stub-zone:\n    name: \"{zone}\"\n    stub-prime: no\n{servers}")
}
