//! What does not move: the parent zone, and a validator that is asked all the time.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;

use tempfile::TempDir;

use super::super::danelaw::Danelaw;
use super::super::dig;
use super::super::program::{Running, command, free_port, output, stdout, text};
use super::super::secondary::ZONE;
use super::super::wait::until;

/// Its parent.
const PARENT: &str = "test";
/// What everybody asks for, the absence of things included.
const QUESTIONS: [(&str, &str); 6] = [
    ("www.example.test", "A"),
    ("who.example.test", "TXT"),
    ("nothing.example.test", "A"),
    ("www.example.test", "TXT"),
    ("any.wild.example.test", "TXT"),
    ("example.test", "SOA"),
];

/// The zone with TTLs so short that every cache turns over in moments; `who` tells who serves it.
pub(super) fn zone_text(who: &str) -> String {
    format!(
        "$TTL 2\n@ SOA ns hostmaster 1 3600 600 86400 2\n@ NS ns\nns A 127.0.0.1\nwww A 192.0.2.80\n\
         *.wild TXT any\nwho TXT {who}\n"
    )
}

/// The parent, and a validator that is told which servers the zone has, as by NS records that change.
pub(super) struct World {
    parent: Danelaw,
    scratch: TempDir,
    resolver: u16,
    _unbound: Running,
    asked: Arc<AtomicUsize>,
    stop: Arc<AtomicBool>,
    asking: Option<JoinHandle<Vec<String>>>,
}

impl World {
    /// Unbound asks the server on this port from now on, by whose keys the parent goes.
    pub(super) fn new(server: u16) -> Self {
        let scratch = tempfile::tempdir().unwrap();
        let parent = Danelaw::new().configured(&format!(
            "zones:\n  {PARENT}: {{file: parent, allow-transfer: 127.0.0.1, propagation: secondaries}}\n"
        ));
        parent.write("parent", &parent_text(&ds_of(scratch.path(), server)));
        let parent = parent.launched();
        until("the parent is served", || dig::serial(parent.port(), PARENT));
        let keys = dig::answer(parent.port(), PARENT, "DNSKEY");
        let anchor = keys.iter().find(|key| key.contains("DNSKEY\t257 ")).unwrap();
        let resolver = free_port();
        let unbound = unbound(scratch.path(), resolver, anchor, parent.port(), server);
        let mut world = Self {
            parent,
            scratch,
            resolver,
            _unbound: unbound,
            asked: Arc::default(),
            stop: Arc::default(),
            asking: None,
        };
        until("unbound vouches for the zone", || {
            world.ask("www.example.test", "A").contains(" ad").then_some(())
        });
        let (asked, stop) = (Arc::clone(&world.asked), Arc::clone(&world.stop));
        world.asking = Some(std::thread::spawn(move || {
            let mut wrong = Vec::new();
            while !stop.load(Ordering::Relaxed) {
                for (name, rtype) in QUESTIONS {
                    let said = ask(resolver, name, rtype);
                    let flags = said.lines().find(|line| line.starts_with(";; flags:")).unwrap_or_default();
                    // Without flags there was no answer in time, which says nothing of signatures.
                    if said.contains("status: SERVFAIL") || !flags.is_empty() && !flags.contains(" ad") {
                        wrong.push(said);
                    }
                }
                asked.fetch_add(1, Ordering::Relaxed);
            }
            wrong
        }));
        world
    }

    /// Where the parent is served.
    pub(super) fn parent_port(&self) -> u16 {
        self.parent.port()
    }

    /// The zone has the servers on these ports, and no other.
    #[track_caller]
    pub(super) fn asks(&self, servers: &[u16]) {
        let mut control = command("unbound-control");
        control.arg("-c").arg(self.scratch.path().join("unbound.conf")).args(["stub_add", ZONE]);
        stdout(control.args(servers.iter().map(|port| format!("127.0.0.1@{port}"))));
    }

    fn ask(&self, name: &str, rtype: &str) -> String {
        ask(self.resolver, name, rtype)
    }

    /// The rdata that the validator has.
    fn seen(&self, name: &str, rtype: &str) -> Vec<String> {
        let said = self.ask(name, rtype);
        let mut found: Vec<String> = said
            .lines()
            .filter(|line| !line.starts_with(';'))
            .filter_map(|line| line.split_once(&format!("\t{rtype}\t")))
            .map(|(_, rdata)| rdata.split_whitespace().collect::<Vec<_>>().join(" "))
            .collect();
        found.sort_unstable();
        found
    }

    /// Waits until the validator has an answer by this server.
    #[track_caller]
    pub(super) fn until_served_by(&self, who: &str) {
        until(&format!("unbound has an answer of {who}"), || {
            (self.seen("who.example.test", "TXT") == [format!("\"{who}\"")]).then_some(())
        });
    }

    /// Waits until every question has been asked so many times more.
    #[track_caller]
    pub(super) fn until_asked(&self, rounds: usize) {
        let until_round = self.asked.load(Ordering::Relaxed) + rounds;
        until(&format!("{rounds} rounds of questions"), || {
            (self.asked.load(Ordering::Relaxed) >= until_round).then_some(())
        });
    }

    /// Waits until the validator has so many records at the zone's apex, and has fetched them again after that:
    /// whatever it kept of the time before is gone.
    #[track_caller]
    pub(super) fn until_settled(&self, rtype: &str, count: usize) {
        let ttl = || {
            let said = self.ask(ZONE, rtype);
            let mut records = said.lines().filter(|line| line.contains(&format!("\tIN\t{rtype}\t")));
            let ttl = records.next()?.split_whitespace().nth(1)?.parse::<u32>().ok();
            (records.count() + 1 == count).then_some(ttl).flatten()
        };
        let mut last = until(&format!("unbound has {count} {rtype} records"), ttl);
        until(&format!("unbound asks for {rtype} again"), || {
            let now = ttl()?;
            let again = now > last;
            last = now;
            again.then_some(())
        });
    }

    /// The parent names the entry points of the servers on these ports from now on; each once.
    #[track_caller]
    pub(super) fn delegate(&self, ds: &[String]) {
        self.parent.write("parent", &parent_text(ds));
        assert!(self.parent.reload().status.success());
        until("the parent has the DS records", || {
            (dig::answer(self.parent.port(), ZONE, "DS").len() == ds.len()).then_some(())
        });
        self.until_settled("DS", ds.len());
    }

    /// DS records for the entry points of the server on this port.
    pub(super) fn ds_of(&self, port: u16) -> Vec<String> {
        ds_of(self.scratch.path(), port)
    }

    /// Ends the questions, and gives the answers that were not secure.
    pub(super) fn not_secure(mut self) -> Vec<String> {
        self.stop.store(true, Ordering::Relaxed);
        self.asking.take().unwrap().join().unwrap()
    }

    /// Every answer that there was was secure.
    #[track_caller]
    pub(super) fn end(self) {
        let wrong = self.not_secure();
        assert!(wrong.is_empty(), "{} answers that are not secure, first\n{}", wrong.len(), wrong[0]);
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

fn parent_text(ds: &[String]) -> String {
    let head = "$TTL 2\n@ SOA ns hostmaster 1 3600 600 86400 2\n@ NS ns\nns A 127.0.0.1\n\
                example NS ns.example\nns.example A 127.0.0.1\n";
    format!("{head}{}\n", ds.join("\n"))
}

/// What the parent is told, made by BIND's tool of the DNSKEY records that are served.
fn ds_of(scratch: &Path, port: u16) -> Vec<String> {
    let keys = until("the zone has keys", || {
        let keys = dig::answer(port, ZONE, "DNSKEY");
        (!keys.is_empty()).then_some(keys)
    });
    let file = scratch.join("dnskey");
    fs::write(&file, keys.join("\n") + "\n").unwrap();
    let made = stdout(command("dnssec-dsfromkey").args(["-2", "-f"]).arg(&file).arg(ZONE));
    made.lines().map(str::to_owned).collect()
}

/// An unbound that trusts the parent's key.
fn unbound(scratch: &Path, port: u16, anchor: &str, parent: u16, server: u16) -> Running {
    let here = scratch.display();
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
    control-enable: yes
    control-interface: "{here}/control.sock"
    control-use-cert: no
stub-zone:
    name: "{PARENT}"
    stub-addr: 127.0.0.1@{parent}
stub-zone:
    name: "{ZONE}"
    stub-addr: 127.0.0.1@{server}
"#
    );
    let file = scratch.join("unbound.conf");
    fs::write(&file, configuration).unwrap();
    Running::start(command("unbound").arg("-d").arg("-c").arg(file), &scratch.join("unbound.log"))
}

fn ask(port: u16, name: &str, rtype: &str) -> String {
    let port = port.to_string();
    let arguments = ["@127.0.0.1", "-p", &port, "+dnssec", "+tries=1", "+timeout=10", name, rtype];
    text(&output(command("dig").args(arguments)))
}
