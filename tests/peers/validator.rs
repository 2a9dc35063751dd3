//! Validators: delv, asked about one answer; unbound, a resolver with the zone's key as its anchor.

use std::fs;

use tempfile::TempDir;

use super::program::{Running, command, free_port, output, text};
use super::secondary::ZONE;
use super::wait::until;

/// What delv says about an answer of the server on `port`, with the DNSKEY record `anchor` as trust anchor.
pub(crate) fn delv(port: u16, anchor: &str, name: &str, rtype: &str) -> String {
    let scratch = tempfile::tempdir().unwrap();
    let file = scratch.path().join("anchor.conf");
    fs::write(&file, trust_anchors(anchor)).unwrap();
    let mut delv = command("delv");
    delv.args(["@127.0.0.1", "-p", &port.to_string(), "-a"]).arg(&file);
    text(&output(delv.args([&format!("+root={ZONE}"), "+multiline", name, rtype])))
}

/// BIND's form of a DNSKEY record `owner ttl IN DNSKEY flags protocol algorithm key`.
fn trust_anchors(dnskey: &str) -> String {
    let words: Vec<&str> = dnskey.split_whitespace().collect();
    let at = words.iter().position(|word| *word == "DNSKEY").unwrap();
    let [flags, protocol, algorithm] = [words[at + 1], words[at + 2], words[at + 3]];
    format!(
        "trust-anchors {{ {ZONE}. static-key {flags} {protocol} {algorithm} \"{}\"; }};\n",
        words[at + 4..].concat()
    )
}

/// A running unbound that asks the server on one port for the zone.
pub(crate) struct Unbound {
    _process: Running,
    _scratch: TempDir,
    pub(crate) port: u16,
}

impl Unbound {
    pub(crate) fn start(authority: u16, anchor: &str) -> Self {
        let scratch = tempfile::tempdir().unwrap();
        let port = free_port();
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
remote-control:
    control-enable: no
stub-zone:
    name: "{ZONE}"
    stub-addr: 127.0.0.1@{authority}
    stub-prime: no
"#,
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
        Self { _process: process, _scratch: scratch, port }
    }

    /// dig's whole report of a question with DO.
    pub(crate) fn ask(&self, name: &str, rtype: &str) -> String {
        asked(self.port, name, rtype)
    }
}

fn asked(port: u16, name: &str, rtype: &str) -> String {
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
