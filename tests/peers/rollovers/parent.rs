//! The zone above: BIND has it and signs it, and a scanner puts DS records into it as CDS records ask.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use tempfile::TempDir;

use super::super::dig;
use super::super::program::{Running, command, stdout};
use super::super::secondary::ZONE;
use super::super::settings;
use super::super::validator::{Unbound, delv};
use super::super::wait::until;

/// Its name.
pub(super) const PARENT: &str = "test";
/// Between two looks of the scanner.
const PAUSE: Duration = Duration::from_millis(500);
/// The TTL of DS records.
const DS_TTL: u32 = 2;
/// CDS rdata that asks for no DS (RFC 8078 §4).
const DELETE: &str = "0 0 0 00";

/// A running BIND with the zone.
pub(super) struct Parent {
    _process: Running,
    scratch: TempDir,
    pub(super) port: u16,
}

/// Reads CDS again and again, until it is dropped.
pub(super) struct Scanner {
    stop: Arc<AtomicBool>,
    scanning: Option<JoinHandle<()>>,
}

impl Parent {
    /// With these records beside the delegation.
    pub(super) fn start(port: u16, records: &str) -> Self {
        let scratch = tempfile::tempdir().unwrap();
        let here = scratch.path().display();
        let options = settings::bind(&here, port);
        let configuration = format!(
            r#"
            options {{
                {options}
                key-directory "{here}/keys";
                notify no;
            }};
            controls {{ }};
            dnssec-policy "parent" {{
                keys {{ csk lifetime unlimited algorithm 13; }};
                dnskey-ttl 2;
                max-zone-ttl 2;
            }};
            zone "{PARENT}" {{
                type primary;
                file "zone";
                dnssec-policy "parent";
                inline-signing no;
                allow-update {{ 127.0.0.1; }};
            }};
            "#
        );
        fs::create_dir(scratch.path().join("keys")).unwrap();
        fs::write(scratch.path().join("named.conf"), configuration).unwrap();
        let zone = format!(
            "$TTL 2\n@ SOA ns hostmaster 1 3600 600 86400 2\n@ NS ns\nns A 127.0.0.1\n\
             example NS ns.example\nns.example A 127.0.0.1\n{records}"
        );
        fs::write(scratch.path().join("zone"), zone).unwrap();
        let mut named = command("named");
        named.args(["-g", "-n", "1", "-c"]).arg(scratch.path().join("named.conf"));
        let mut process = Running::start(&mut named, &scratch.path().join("log"));
        until("the parent is signed", || {
            process.must_run();
            dig::transfer(port, PARENT)?.iter().any(|line| line.contains("\tRRSIG\tSOA ")).then_some(())
        });
        Self { _process: process, scratch, port }
    }

    /// Its DNSKEY record.
    pub(super) fn anchor(&self) -> String {
        let keys = dig::answer(self.port, PARENT, "DNSKEY");
        keys.into_iter().find(|key| key.contains("DNSKEY\t257 ")).unwrap()
    }

    /// The tags in its DS records for [`ZONE`].
    pub(super) fn tags(&self) -> Vec<u64> {
        let ds = dig::rdata(self.port, ZONE, "DS");
        let tag = |ds: &String| ds.split(' ').next().unwrap().parse().unwrap();
        ds.iter().map(tag).collect()
    }

    /// Its DS records for [`ZONE`].
    pub(super) fn ds(&self) -> Vec<String> {
        joined(dig::rdata(self.port, ZONE, "DS"))
    }

    /// These are its DS records for [`ZONE`] from now on.
    pub(super) fn delegate(&self, ds: &[String]) {
        let script = self.scratch.path().join("update");
        fs::write(&script, update(self.port, ds)).unwrap();
        stdout(command("nsupdate").arg(script));
    }

    /// Begins to do as CDS at this server of the zone says, where `unbound` vouches for it.
    pub(super) fn scan(&self, server: u16, unbound: &Unbound) -> Scanner {
        let stop = Arc::new(AtomicBool::new(false));
        let (ended, parent, resolver) = (Arc::clone(&stop), self.port, unbound.port);
        let scanning = std::thread::spawn(move || {
            let scratch = tempfile::tempdir().unwrap();
            while !ended.load(Ordering::Relaxed) {
                if let Some(ds) = wanted(&scratch, parent, server, resolver) {
                    let script = scratch.path().join("update");
                    fs::write(&script, update(parent, &ds)).unwrap();
                    stdout(command("nsupdate").arg(script));
                }
                std::thread::sleep(PAUSE);
            }
        });
        Scanner { stop, scanning: Some(scanning) }
    }
}

impl Drop for Scanner {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let ended = self.scanning.take().unwrap().join();
        assert!(ended.is_ok() || std::thread::panicking(), "the scanner ends well");
    }
}

/// In nsupdate's words: these DS records in place of those that there are.
fn update(parent: u16, ds: &[String]) -> String {
    let add: String = ds.iter().map(|ds| format!("update add {ZONE} {DS_TTL} DS {ds}\n")).collect();
    format!("server 127.0.0.1 {parent}\nzone {PARENT}\nupdate delete {ZONE} DS\n{add}send\n")
}

/// The DS records that CDS asks for, if it may be followed and they are not there (RFC 7344 §4.1, RFC 8078 §3).
fn wanted(scratch: &TempDir, parent: u16, server: u16, resolver: u16) -> Option<Vec<String>> {
    let there = joined(dig::rdata(parent, ZONE, "DS"));
    let cds = if there.is_empty() { first_cds(server)? } else { vouched_cds(resolver)? };
    if cds == [DELETE] {
        return (!there.is_empty()).then(Vec::new);
    }
    if cds == there {
        return None;
    }
    // Applied, it must not break the delegation.
    let keys = scratch.path().join("dnskey");
    let published = dig::answer(server, ZONE, "DNSKEY");
    if published.is_empty() {
        return None;
    }
    fs::write(&keys, published.join("\n") + "\n").unwrap();
    let made = stdout(command("dnssec-dsfromkey").args(["-2", "-f"]).arg(&keys).arg(ZONE));
    let fits = cds.iter().any(|cds| made.lines().any(|ds| ds.to_ascii_uppercase().ends_with(cds)));
    fits.then_some(cds)
}

/// What a validator vouches for.
fn vouched_cds(resolver: u16) -> Option<Vec<String>> {
    let said = super::super::validator::asked(resolver, ZONE, "CDS");
    let vouched = said.lines().any(|line| line.starts_with(";; flags:") && line.contains(" ad"));
    let records = said.lines().filter_map(|line| line.split_once("\tCDS\t")).map(|(_, cds)| cds);
    let cds = joined(records.map(str::to_ascii_uppercase));
    (vouched && !cds.is_empty()).then_some(cds)
}

/// Of a zone without DS: what the key vouches for that the CDS names.
fn first_cds(server: u16) -> Option<Vec<String>> {
    let cds = joined(dig::rdata(server, ZONE, "CDS"));
    if cds.is_empty() || cds == [DELETE] {
        return None;
    }
    let keys = dig::answer(server, ZONE, "DNSKEY");
    let mut anchors = keys.iter().filter(|key| key.contains("DNSKEY\t257 "));
    let vouched = |anchor: &String| delv(server, anchor, ZONE, "CDS").contains("; fully validated");
    anchors.any(vouched).then_some(cds)
}

/// DS or CDS rdata of which dig has broken the digest into words, sorted.
pub(super) fn joined(records: impl IntoIterator<Item = String>) -> Vec<String> {
    let join = |record: String| {
        let words: Vec<&str> = record.split_whitespace().collect();
        let (head, digest) = words.split_at(3);
        format!("{} {}", head.join(" "), digest.concat())
    };
    let mut joined: Vec<String> = records.into_iter().map(join).collect();
    joined.sort_unstable();
    joined
}
