//! danelaw itself: the real binary with a configuration in a directory of its own.

use std::fmt::Write;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use tempfile::TempDir;

use super::certificate::Certificate;
use super::dig;
use super::program::{self, Running, command, free_port, output, text};
use super::secondary::{TSIG_KEY, TSIG_SECRET, ZONE};
use super::wait::{PATIENCE, until};

/// The example zone of the quick start.
pub(crate) const ZONE_TEXT: &str = include_str!("../../zones/example.test.zone");
/// The program.
pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_danelaw");

/// The ports of the encrypted listeners.
#[derive(Clone, Copy)]
pub(crate) struct Encrypted {
    pub(crate) tls: u16,
    pub(crate) https: u16,
    pub(crate) quic: u16,
}

/// A danelaw that serves [`ZONE`], or will.
pub(crate) struct Danelaw {
    scratch: TempDir,
    port: u16,
    policy: String,
    /// Where the zone comes from: a line of YAML, and the remotes that it names.
    source: (String, String),
    secondaries: Vec<u16>,
    services: String,
    small_disk: Option<String>,
    encrypted: Option<Encrypted>,
    http: Option<u16>,
    keys: String,
    zone_also: String,
    also: String,
    listen_also: String,
    rest: Option<String>,
    skew: Option<String>,
    settable_clock: bool,
    log_level: Option<String>,
    environment: Vec<(String, PathBuf)>,
    process: Option<Running>,
}

impl Danelaw {
    /// Policy `default`, the example zone, no services, nobody to notify.
    pub(crate) fn new() -> Self {
        let danelaw = Self {
            scratch: tempfile::tempdir().unwrap(),
            port: free_port(),
            policy: "{}".to_owned(),
            source: ("file: zone".to_owned(), String::new()),
            secondaries: Vec::new(),
            services: String::new(),
            small_disk: None,
            encrypted: None,
            http: None,
            keys: String::new(),
            zone_also: String::new(),
            also: String::new(),
            listen_also: String::new(),
            rest: None,
            skew: None,
            settable_clock: false,
            log_level: None,
            environment: Vec::new(),
            process: None,
        };
        fs::create_dir(danelaw.path("keys")).unwrap();
        danelaw.write("zone", ZONE_TEXT);
        danelaw
    }

    /// The zone's policy, as a YAML mapping, or `unsigned`.
    pub(crate) fn policy(mut self, policy: &str) -> Self {
        policy.clone_into(&mut self.policy);
        self
    }

    /// The zone comes from this remote, a YAML mapping, with further lines of YAML in the zone.
    pub(crate) fn primary(mut self, remote: &str, more: &str) -> Self {
        self.source.0 = format!("primary: upstream\n    {more}");
        self.source.1 = format!("  upstream: {remote}\n");
        self
    }

    /// Another policy from now on; danelaw reads it at its next reload.
    pub(crate) fn set_policy(&mut self, policy: &str) {
        policy.clone_into(&mut self.policy);
        self.configure();
    }

    /// Another secondary, by its port.
    pub(crate) fn secondary(mut self, port: u16) -> Self {
        self.secondaries.push(port);
        self
    }

    /// A service at `_443._tcp.<name>.example.test` with a certificate file, relative to the directory.
    pub(crate) fn service(self, name: &str, certificate: &str) -> Self {
        self.service_with(name, certificate, "")
    }

    /// [`service`](Self::service) with further lines of YAML, such as `next: FILE`.
    pub(crate) fn service_with(mut self, name: &str, certificate: &str, more: &str) -> Self {
        writeln!(
            self.services,
            "  {name}:\n    endpoints: [\"{name}.{ZONE}:443\"]\n    certificate: {certificate}\n    ttl: 1m\n    \
             probe: \"off\""
        )
        .unwrap();
        for line in more.lines() {
            writeln!(self.services, "    {line}").unwrap();
        }
        self
    }

    /// The state lives on a disk of this size (as mount's `size=` has it), which only danelaw sees.
    pub(crate) fn on_a_disk_of(mut self, size: &str) -> Self {
        self.small_disk = Some(size.to_owned());
        self
    }

    /// Listeners for TLS, HTTPS and QUIC, which present the files `server.pem` and `server.key`.
    pub(crate) fn encrypted(mut self, certificate: &Certificate) -> Self {
        self.encrypted = Some(Encrypted { tls: free_port(), https: free_port(), quic: free_port() });
        self.present(&certificate.chain, &certificate.key);
        self
    }

    /// `listen.http`, at a port of its own.
    pub(crate) fn http(mut self) -> Self {
        self.http = Some(free_port());
        self
    }

    /// Another TSIG key (hmac-sha256).
    pub(crate) fn key(mut self, name: &str, secret: &str) -> Self {
        writeln!(self.keys, "  {name}: {{secret: \"{secret}\"}}").unwrap();
        self
    }

    /// A further line of YAML in the zone's section.
    pub(crate) fn zone_line(mut self, line: &str) -> Self {
        writeln!(self.zone_also, "    {line}").unwrap();
        self
    }

    /// Its clock is off by so much, as faketime has it.
    pub(crate) fn skewed(mut self, skew: &str) -> Self {
        self.skew = Some(skew.to_owned());
        self
    }

    /// Its clock is right until it is [set](Self::set_clock).
    pub(crate) fn settable_clock(mut self) -> Self {
        self.settable_clock = true;
        self.set_clock("+0");
        self
    }

    /// Sets the clock of one that runs ahead by so much, as `chronyc makestep` does.
    pub(crate) fn set_clock(&self, skew: &str) {
        // In place of the old file, as it is read at any time.
        self.write("skew.new", skew);
        fs::rename(self.path("skew.new"), self.path("skew")).unwrap();
    }

    /// It and its commands have this variable in their environment.
    #[cfg(feature = "pkcs11")]
    pub(crate) fn environment(mut self, name: &str, value: &Path) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Writes the configuration, and starts nothing.
    pub(crate) fn configured_only(self) -> Self {
        self.configure();
        self
    }

    /// It logs at this level.
    pub(crate) fn logging(mut self, level: &str) -> Self {
        self.log_level = Some(level.to_owned());
        self
    }

    /// Further lines of YAML at the end of the configuration.
    pub(crate) fn also(mut self, lines: &str) -> Self {
        self.also += lines;
        self
    }

    /// Further lines of YAML in `listen`.
    pub(crate) fn listen_also(mut self, lines: &str) -> Self {
        self.listen_also += lines;
        self
    }

    /// The configuration in the test's own words: everything but `listen`, `keys` and `state`. [`ZONE`] is in it.
    pub(crate) fn configured(mut self, rest: &str) -> Self {
        self.rest = Some(rest.to_owned());
        self
    }

    /// Writes the configuration with another rest; the daemon takes it with [`reload`](Self::reload).
    pub(crate) fn reconfigure(&mut self, rest: &str) {
        self.rest = Some(rest.to_owned());
        self.configure();
    }

    /// Writes a file that nobody but its owner may read.
    pub(crate) fn write_secret(&self, relative: &str, text: &str) {
        self.write(relative, text);
        fs::set_permissions(self.path(relative), fs::Permissions::from_mode(0o600)).unwrap();
    }

    /// Replaces both files that the encrypted listeners present, one after the other.
    pub(crate) fn present(&self, chain: &str, key: &str) {
        self.write("server.pem", chain);
        self.write("server.key", key);
    }

    /// The ports of [`encrypted`](Self::encrypted).
    pub(crate) fn ports(&self) -> Encrypted {
        self.encrypted.unwrap()
    }

    /// The port of [`http`](Self::http).
    pub(crate) fn http_port(&self) -> u16 {
        self.http.unwrap()
    }

    /// Writes the configuration, starts the daemon, waits until it serves the zone.
    #[track_caller]
    pub(crate) fn start(mut self) -> Self {
        self.restart();
        self
    }

    /// Starts the daemon again on what the last one left behind.
    #[track_caller]
    pub(crate) fn restart(&mut self) {
        self.launch();
        until("danelaw serves the zone", || {
            self.process.as_mut().unwrap().must_run();
            self.serial()
        });
    }

    /// [`start`](Self::start), but what is served is left to the test.
    pub(crate) fn launched(mut self) -> Self {
        self.launch();
        self
    }

    fn launch(&mut self) {
        self.configure();
        self.process = None;
        let log = self.path("log");
        self.process = Some(Running::start(&mut self.run_command(), &log));
    }

    /// What it has logged.
    pub(crate) fn log(&self) -> String {
        self.process.as_ref().unwrap().printed()
    }

    fn configure(&self) {
        let remotes: Vec<String> = self.secondaries.iter().map(|port| format!("ns{port}")).collect();
        let encrypted = self.encrypted.map_or(String::new(), |Encrypted { tls, https, quic }| {
            format!(
                "  tls: 127.0.0.1:{tls}\n  https: 127.0.0.1:{https}\n  quic: 127.0.0.1:{quic}\n  \
                 certificate: {{chain: server.pem, key: server.key}}\n"
            )
        });
        let http = self.http.map_or(String::new(), |port| format!("  http: 127.0.0.1:{port}\n"));
        let mut text = format!(
            "listen:\n  dns: 127.0.0.1:{}\n{encrypted}{http}{}keys: keys\nstate: state\n",
            self.port, self.listen_also
        );
        if let Some(rest) = &self.rest {
            self.write("danelaw.yaml", &(text + rest));
            return;
        }
        write!(
            text,
            "tsig:\n  {TSIG_KEY}: {{algorithm: hmac-sha256, secret: \"{TSIG_SECRET}\"}}\n\
             {}policies:\n  tested: {}\n",
            self.keys,
            if self.policy == "unsigned" { "{}" } else { &self.policy }
        )
        .unwrap();
        if !remotes.is_empty() || !self.source.1.is_empty() {
            text += "remotes:\n";
            text += &self.source.1;
            for (remote, port) in remotes.iter().zip(&self.secondaries) {
                writeln!(text, "  {remote}: {{address: \"127.0.0.1:{port}\", tsig: {TSIG_KEY}}}").unwrap();
            }
        }
        writeln!(
            text,
            "zones:\n  {ZONE}:\n    {}\n    policy: {}\n    propagation: secondaries\n    \
             secondaries: [{}]\n    allow-transfer: [\"127.0.0.1\", {{tsig: {TSIG_KEY}}}]",
            self.source.0,
            if self.policy == "unsigned" { "unsigned" } else { "tested" },
            remotes.join(", ")
        )
        .unwrap();
        text += &self.zone_also;
        if !self.services.is_empty() {
            write!(text, "services:\n{}", self.services).unwrap();
        }
        text += &self.also;
        self.write("danelaw.yaml", &text);
    }

    fn run_command(&self) -> Command {
        let Some(size) = &self.small_disk else {
            let mut run = Command::new(BINARY);
            run.envs(self.environment.iter().cloned());
            if self.settable_clock {
                program::fake_time_by(&mut run, &self.path("skew"));
                run.env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
            } else if let Some(skew) = &self.skew {
                // faketime itself would be the process that is stopped, and leave the daemon behind.
                program::fake_time(&mut run, skew);
                // Nobody sets the time since boot.
                run.env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
            }
            run.arg("-c").arg(self.path("danelaw.yaml")).arg("run");
            if let Some(level) = &self.log_level {
                run.args(["--log", level]);
            }
            return run;
        };
        // A mount of its own goes when the process goes, and nobody else sees it.
        fs::create_dir_all(self.path("state")).unwrap();
        let mut run = command("unshare");
        run.args(["--mount", "--map-root-user", "sh", "-c"])
            .arg(format!("mount -t tmpfs -o size={size},mode=700 danelaw \"$0\" && exec \"$@\""))
            .arg(self.path("state"))
            .args([BINARY, "-c"])
            .arg(self.path("danelaw.yaml"))
            .arg("run");
        run
    }

    /// `danelaw -c … ARGUMENTS`, in the daemon's own view of the disk. Killed (status without a code) after a minute.
    pub(crate) fn cli(&self, arguments: &[&str]) -> Output {
        let mut run = if self.small_disk.is_some() {
            let mut enter = command("nsenter");
            enter.args([
                "--user",
                "--mount",
                "--preserve-credentials",
                "--target",
                &self.pid().to_string(),
                BINARY,
            ]);
            enter
        } else {
            let mut run = Command::new(BINARY);
            run.envs(self.environment.iter().cloned());
            run
        };
        output(run.arg("-c").arg(self.path("danelaw.yaml")).args(arguments))
    }

    /// `danelaw reload`, whatever comes of it.
    pub(crate) fn reload(&self) -> Output {
        self.cli(&["reload"])
    }

    /// Waits until `danelaw status` exits with 1 and mentions all of `words`. Returns what it said.
    #[track_caller]
    pub(crate) fn until_alarmed(&self, words: &[&str]) -> String {
        let mut said = String::new();
        let seen = std::time::Instant::now();
        loop {
            let output = self.cli(&["status"]);
            said.clear();
            said += &text(&output);
            if output.status.code() == Some(1) && words.iter().all(|word| said.contains(word)) {
                return said;
            }
            assert!(
                seen.elapsed() < PATIENCE,
                "status never exited with 1 and mentioned {words:?}; it said:\n{said}"
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits until `danelaw status` exits with 0.
    #[track_caller]
    pub(crate) fn until_well(&self) {
        until("status exits with 0", || self.cli(&["status"]).status.success().then_some(()));
    }

    pub(crate) fn kill_9(&mut self) {
        self.process.as_mut().unwrap().kill_9();
    }

    /// Stops it cleanly, which it must call a success.
    #[track_caller]
    pub(crate) fn stop(&mut self) {
        assert!(self.process.as_mut().unwrap().terminate(), "SIGTERM is a clean end");
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.as_ref().unwrap().pid()
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// A path in danelaw's directory: `zone`, `keys`, `state`, `danelaw.yaml`, certificates.
    pub(crate) fn path(&self, relative: &str) -> PathBuf {
        self.scratch.path().join(relative)
    }

    /// Writes a file in danelaw's directory, in place.
    pub(crate) fn write(&self, relative: &str, text: &str) {
        let path: &Path = &self.path(relative);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    pub(crate) fn serial(&self) -> Option<u32> {
        dig::serial(self.port, ZONE)
    }

    /// The zone as served, by AXFR.
    #[track_caller]
    pub(crate) fn zone(&self) -> Vec<String> {
        until("danelaw gives the zone away", || dig::transfer(self.port, ZONE))
    }

    /// The DNSKEY record that a validator starts from.
    #[track_caller]
    pub(crate) fn anchor(&self) -> String {
        let keys = dig::answer(self.port, ZONE, "DNSKEY");
        keys.into_iter().find(|key| key.contains("DNSKEY\t257 ")).expect("a DNSKEY with the SEP flag")
    }

    /// The TLSA records of a service of this name.
    pub(crate) fn tlsa(&self, service: &str) -> Vec<String> {
        dig::tlsa(self.port, &tlsa_owner(service))
    }

    /// The TLSA records of a mail server of this name.
    pub(crate) fn mail_tlsa(&self, server: &str) -> Vec<String> {
        dig::tlsa(self.port, &format!("_25._tcp.{server}.{ZONE}"))
    }

    /// Waits until a service's TLSA records include this one.
    #[track_caller]
    pub(crate) fn until_tlsa(&self, service: &str, record: &str) {
        until(&format!("{service} has {record}"), || {
            self.tlsa(service).iter().any(|tlsa| tlsa == record).then_some(())
        });
    }
}

/// Where [`Danelaw::service`] puts TLSA records.
pub(crate) fn tlsa_owner(service: &str) -> String {
    format!("_443._tcp.{service}.{ZONE}")
}

/// `danelaw ARGUMENTS`, without a daemon.
#[track_caller]
pub(crate) fn run(arguments: &[&str]) -> String {
    program::stdout(Command::new(BINARY).args(arguments))
}

/// [`run`], whatever comes of it.
pub(crate) fn outcome(arguments: &[&str]) -> Output {
    output(Command::new(BINARY).args(arguments))
}

/// SIGKILL to a process that somebody else holds.
pub(crate) fn kill_9(pid: u32) {
    use nix::sys::signal::{Signal, kill};
    kill(nix::unistd::Pid::from_raw(pid as i32), Signal::SIGKILL).unwrap();
}
