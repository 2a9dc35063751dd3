//! The signers that zones move away from, each serving the zone signed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use super::super::dig;
use super::super::program::{Running, command, free_port, stdout};
use super::super::secondary::{ZONE, powerdns_home};
use super::super::settings;
use super::super::wait::until;
use super::world::zone_text;

/// A running signer.
pub(super) struct Signer {
    process: Running,
    pub(super) port: u16,
    scratch: TempDir,
}

impl Signer {
    /// BIND with a `dnssec-policy` of KSK and ZSK, the latter with a lifetime, so that its files forecast an end.
    pub(super) fn bind() -> Self {
        let (scratch, port) = scratch();
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
            dnssec-policy "old" {{
                keys {{ ksk lifetime unlimited algorithm 13; zsk lifetime P30D algorithm 13; }};
                dnskey-ttl 2;
                max-zone-ttl 2;
                publish-safety 0;
                retire-safety 0;
                zone-propagation-delay 0;
                parent-ds-ttl 2;
                parent-propagation-delay 0;
            }};
            zone "{ZONE}" {{
                type primary;
                file "zone";
                dnssec-policy "old";
                inline-signing no;
                allow-update {{ 127.0.0.1; }};
            }};
            "#
        );
        fs::create_dir(scratch.path().join("keys")).unwrap();
        fs::write(scratch.path().join("named.conf"), configuration).unwrap();
        let mut named = command("named");
        named.args(["-g", "-n", "1", "-c"]).arg(scratch.path().join("named.conf"));
        Self::started(scratch, port, &mut named)
    }

    /// Knot with KSK and ZSK of its own making, and NSEC3.
    pub(super) fn knot() -> Self {
        let (scratch, port) = scratch();
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
policy:
  - id: old
    algorithm: ecdsap256sha256
    dnskey-ttl: 2s
    zone-max-ttl: 2s
    propagation-delay: 0s
    nsec3: on
zone:
  - domain: {ZONE}
    file: {here}/zone
    zonefile-sync: -1
    dnssec-signing: on
    dnssec-policy: old
"
        );
        fs::create_dir(scratch.path().join("db")).unwrap();
        fs::write(scratch.path().join("knot.conf"), configuration).unwrap();
        let mut knotd = command("knotd");
        knotd.arg("-c").arg(scratch.path().join("knot.conf"));
        Self::started(scratch, port, &mut knotd)
    }

    /// PowerDNS with one key for everything, as `secure-zone` makes it.
    pub(super) fn powerdns() -> Self {
        let (scratch, port) = scratch();
        let config_dir = powerdns_home(&scratch, port);
        let file = scratch.path().join("pdns.conf");
        let settings = fs::read_to_string(&file).unwrap();
        fs::write(&file, settings + "direct-dnskey=yes\n").unwrap();
        let zone = scratch.path().join("zone");
        stdout(command("pdnsutil").args([&config_dir, "load-zone", ZONE]).arg(zone));
        stdout(command("pdnsutil").args([&config_dir, "secure-zone", ZONE]));
        let mut server = command("pdns_server");
        server.arg(&config_dir);
        Self::started(scratch, port, &mut server)
    }

    /// A file that `dnssec-signzone` has signed with KSK and ZSK of this algorithm, served by NSD.
    pub(super) fn signzone(algorithm: &str) -> Self {
        let (scratch, port) = scratch();
        let here = scratch.path();
        for flags in [&["-f", "KSK"][..], &[]] {
            let bits: &[&str] = if algorithm.starts_with("RSA") { &["-b", "2048"] } else { &[] };
            let mut keygen = command("dnssec-keygen");
            stdout(keygen.args(["-q", "-a", algorithm, "-K"]).arg(here).args(bits).args(flags).arg(ZONE));
        }
        signzone(here);
        let server = settings::nsd(here.display(), port);
        let configuration = format!(
            r#"
            {server}
            zone:
                name: "{ZONE}"
                zonefile: "zone.signed"
            "#
        );
        fs::write(here.join("nsd.conf"), configuration).unwrap();
        let mut nsd = command("nsd");
        nsd.arg("-d").arg("-c").arg(here.join("nsd.conf"));
        Self::started(scratch, port, &mut nsd)
    }

    fn started(scratch: TempDir, port: u16, command: &mut Command) -> Self {
        let process = Running::start(command, &scratch.path().join("log"));
        let mut signer = Self { process, port, scratch };
        until("the zone is served signed", || {
            signer.process.must_run();
            (signer.dnskeys().len() == dig::answer(port, ZONE, "DNSKEY").len()
                && !signer.dnskeys().is_empty())
            .then_some(())
        });
        signer
    }

    /// The DNSKEY records' rdata, as a person copies them.
    pub(super) fn dnskeys(&self) -> Vec<String> {
        let keys = dig::answer(self.port, ZONE, "DNSKEY");
        keys.iter()
            .filter_map(|key| key.split_once("\tDNSKEY\t"))
            .map(|(_, rdata)| rdata.to_owned())
            .collect()
    }

    /// A file with what `dig ZONE DNSKEY` prints.
    pub(super) fn dnskey_file(&self) -> PathBuf {
        let file = self.path("dnskey.txt");
        fs::write(&file, dig::answer(self.port, ZONE, "DNSKEY").join("\n") + "\n").unwrap();
        file
    }

    /// A path in its directory.
    pub(super) fn path(&self, relative: &str) -> PathBuf {
        self.scratch.path().join(relative)
    }

    /// The files in a directory of its with this suffix.
    pub(super) fn files(&self, directory: &str, suffix: &str) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.path(directory)).unwrap().map(|entry| entry.unwrap().path());
        let mut found: Vec<PathBuf> =
            entries.filter(|path| path.to_str().is_some_and(|path| path.ends_with(suffix))).collect();
        found.sort();
        found
    }

    /// One of the programs that go with it, told where it is.
    pub(super) fn tool(&self, program: &str) -> Command {
        let mut tool = command(program);
        match program {
            "pdnsutil" | "pdns_control" => {
                tool.arg(format!("--config-dir={}", self.scratch.path().display()));
            }
            "keymgr" | "knotc" => {
                tool.arg("-c").arg(self.path("knot.conf"));
            }
            _ => {}
        }
        tool
    }

    /// Signs the file of [`signzone`](Self::signzone) again, and serves it.
    pub(super) fn sign_again(&mut self) {
        signzone(self.scratch.path());
        let mut nsd = command("nsd");
        nsd.arg("-d").arg("-c").arg(self.path("nsd.conf"));
        self.process.terminate();
        self.process = Running::start(&mut nsd, &self.path("log"));
    }

    /// It is gone for good.
    pub(super) fn stop(mut self) {
        self.process.terminate();
    }
}

fn scratch() -> (TempDir, u16) {
    let scratch = tempfile::tempdir().unwrap();
    fs::write(scratch.path().join("zone"), zone_text("old")).unwrap();
    (scratch, free_port())
}

fn signzone(directory: &Path) {
    let mut sign = command("dnssec-signzone");
    sign.args(["-S", "-T", "2", "-o", ZONE, "-N", "unixtime", "-f", "zone.signed", "zone"]);
    stdout(sign.current_dir(directory));
}
