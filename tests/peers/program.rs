//! Programs: finding them, running them to their end, keeping them running.

use std::fs::{self, File};
use std::io::{Read, Seek};
use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// No command takes longer, not even the signing of a large zone by a debug build on a busy machine.
const LIMIT: Duration = Duration::from_mins(10);
/// Between two looks at whether a command has ended.
const PAUSE: Duration = Duration::from_millis(2);
/// Where Debian keeps daemons, which is not in everybody's PATH.
const DAEMON_DIRECTORIES: [&str; 2] = ["/usr/sbin", "/sbin"];
/// Which Debian package holds a program.
const PACKAGES: [(&str, &str); 42] = [
    ("curl", "curl"),
    ("delv", "bind9-dnsutils"),
    ("dig", "bind9-dnsutils"),
    ("dnssec-dsfromkey", "bind9-utils"),
    ("dnssec-keygen", "bind9-utils"),
    ("dnssec-signzone", "bind9-utils"),
    ("dnssec-verify", "bind9-utils"),
    ("dovecot", "dovecot-imapd"),
    ("dpkg", "dpkg"),
    ("gpg", "gnupg"),
    ("gpgconf", "gnupg"),
    ("gzip", "gzip"),
    ("ip", "iproute2"),
    ("kdig", "knot-dnsutils"),
    ("keymgr", "knot"),
    ("knotc", "knot"),
    ("knotd", "knot"),
    ("kzonecheck", "knot-dnssecutils"),
    ("ldns-dane", "ldnsutils"),
    ("ldns-keygen", "ldnsutils"),
    ("ldns-verify-zone", "ldnsutils"),
    ("named", "bind9"),
    ("named-checkzone", "bind9-utils"),
    ("named-compilezone", "bind9-utils"),
    ("nsd", "nsd"),
    ("nsupdate", "bind9-dnsutils"),
    ("openssl", "openssl"),
    ("pdns_control", "pdns-server"),
    ("pdns_server", "pdns-backend-bind"),
    ("pdnsutil", "pdns-backend-bind"),
    ("postfix", "postfix"),
    ("posttls-finger", "postfix"),
    ("promtool", "prometheus"),
    ("prosody", "prosody"),
    ("slapd", "slapd"),
    ("smtp-source", "postfix"),
    ("ssh-keygen", "openssh-client"),
    ("sqlite3", "sqlite3"),
    ("unbound", "unbound"),
    ("unbound-control", "unbound"),
    ("unshare", "util-linux"),
    ("vsftpd", "vsftpd"),
];

/// A command that runs `program`. Fails the test if it is not installed.
#[track_caller]
pub(crate) fn command(program: &str) -> Command {
    let directories = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&directories)
        .chain(DAEMON_DIRECTORIES.map(PathBuf::from))
        .map(|directory| directory.join(program))
        .find(|path| path.is_file());
    let Some(path) = found else {
        let package =
            PACKAGES.iter().find(|(name, _)| *name == program).map_or(program, |(_, package)| package);
        panic!(
            "{program} is missing; install it with `apt-get install {package}`, or all peers by scripts/install-peers"
        );
    };
    let mut command = Command::new(path);
    command.stdin(Stdio::null());
    command
}

/// Runs a command to its end, which must come within [`LIMIT`].
#[track_caller]
pub(crate) fn output(command: &mut Command) -> Output {
    let [mut out, mut err] = [tempfile::tempfile().unwrap(), tempfile::tempfile().unwrap()];
    command.stdin(Stdio::null()).stdout(out.try_clone().unwrap()).stderr(err.try_clone().unwrap());
    let mut child = command.spawn().unwrap_or_else(|error| panic!("cannot run {command:?}: {error}"));
    let start = Instant::now();
    let status = loop {
        match child.try_wait().unwrap() {
            Some(status) => break status,
            None if start.elapsed() > LIMIT => {
                child.kill().unwrap();
                child.wait().unwrap();
                panic!(
                    "{command:?} did not end within {LIMIT:?}; it printed:\n{}{}",
                    all_of(&mut out),
                    all_of(&mut err)
                );
            }
            None => std::thread::sleep(PAUSE),
        }
    };
    Output { status, stdout: all_of(&mut out).into_bytes(), stderr: all_of(&mut err).into_bytes() }
}

fn all_of(file: &mut File) -> String {
    let mut text = Vec::new();
    file.rewind().unwrap();
    file.read_to_end(&mut text).unwrap();
    String::from_utf8_lossy(&text).into_owned()
}

/// What a command prints on standard output; it must succeed.
#[track_caller]
pub(crate) fn stdout(command: &mut Command) -> String {
    let output = output(command);
    assert!(output.status.success(), "{command:?} failed:\n{}", text(&output));
    String::from_utf8(output.stdout).unwrap()
}

/// Both streams, as a person would have seen them.
pub(crate) fn text(output: &Output) -> String {
    String::from_utf8_lossy(&[output.stdout.as_slice(), output.stderr.as_slice()].concat()).into_owned()
}

/// A program that goes on running until it is dropped. What it printed is shown if the test fails.
pub(crate) struct Running {
    child: Child,
    log: PathBuf,
}

impl Running {
    /// Starts it; what it prints goes to the file `log`.
    #[track_caller]
    pub(crate) fn start(command: &mut Command, log: &Path) -> Self {
        let out = File::options().create(true).append(true).open(log).unwrap();
        command.stdin(Stdio::null()).stdout(out.try_clone().unwrap()).stderr(out);
        let child = command.spawn().unwrap_or_else(|error| panic!("cannot run {command:?}: {error}"));
        Self { child, log: log.to_owned() }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Fails the test, with what was printed, if the program has ended.
    #[track_caller]
    pub(crate) fn must_run(&mut self) {
        if let Some(status) = self.child.try_wait().unwrap() {
            panic!("{} ended with {status}:\n{}", self.log.display(), self.printed());
        }
    }

    /// Whether it has come to its end by itself.
    pub(crate) fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// SIGKILL: the program has no say in it.
    pub(crate) fn kill_9(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// SIGTERM, and waits for the end. Returns whether the program called it a success.
    pub(crate) fn terminate(&mut self) -> bool {
        kill(Pid::from_raw(self.child.id() as i32), Signal::SIGTERM).unwrap();
        self.child.wait().unwrap().success()
    }

    pub(crate) fn printed(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let printed = self.printed();
            let lines: Vec<&str> = printed.lines().collect();
            eprintln!("--- {}", self.log.display());
            eprintln!("{}", lines[lines.len().saturating_sub(40)..].join("\n"));
        }
        // Nobody hears of a child that had ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Gives a command a clock that is off by so much. The library alone does it: its wrapper stumbles over what a process
/// of the same number has left behind when it was killed.
pub(crate) fn fake_time(run: &mut Command, skew: &str) {
    preload_faketime(run).env("FAKETIME", skew);
}

/// Gives a command a clock that is off by what a file says at each moment.
pub(crate) fn fake_time_by(run: &mut Command, file: &Path) {
    preload_faketime(run).env("FAKETIME_TIMESTAMP_FILE", file).env("FAKETIME_NO_CACHE", "1");
}

fn preload_faketime(run: &mut Command) -> &mut Command {
    let files = stdout(command("dpkg").args(["-L", "libfaketime"]));
    let library = files.lines().find(|file| file.ends_with("/libfaketime.so.1")).unwrap();
    run.env("LD_PRELOAD", library)
}

/// A port free for UDP and TCP on 127.0.0.1, below those that the system gives to clients.
pub(crate) fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    const FIRST: u16 = 20_000;
    const COUNT: u16 = 12_000;
    // Two runs of the tests at a time start apart.
    let start = (std::process::id() % u32::from(COUNT)) as u16;
    loop {
        let step = NEXT.fetch_add(1, Ordering::Relaxed) % COUNT;
        let port = FIRST + (start + step) % COUNT;
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
            && UdpSocket::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
        {
            return port;
        }
    }
}
