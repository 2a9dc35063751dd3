//! Services that people run behind TLS, each with certificates of the test's and on ports of its own.
//!
//! Some of them want to be started as root, and give that up themselves.

use std::fmt::Write;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::unistd::User;
use tempfile::TempDir;

use super::certificate::Certificate;
use super::postfix::{Postfix, write_chain_file};
use super::program::{Running, command, free_port, stdout};
use super::wait::until;

/// Where Debian keeps the programs of PostgreSQL, a directory a version.
const POSTGRESQL: &str = "/usr/lib/postgresql";

/// A running service.
pub(crate) struct TlsServer {
    /// In the order in which the constructor names them.
    pub(crate) ports: Vec<u16>,
    ip: IpAddr,
    process: Process,
    _scratch: TempDir,
}

enum Process {
    One(Running),
    Postfix(Postfix),
}

impl TlsServer {
    /// Postfix's SMTP server, which presents all of `certificates`.
    pub(crate) fn postfix(certificates: &[&Certificate]) -> Self {
        let (scratch, port) = (scratch(), free_port());
        let files: Vec<String> = certificates
            .iter()
            .enumerate()
            .map(|(number, certificate)| {
                let file = scratch.path().join(number.to_string());
                write_chain_file(&file, certificate);
                file.display().to_string()
            })
            .collect();
        let main = format!(
            "myhostname = mail.example.test\nmydestination = example.test\nsmtpd_tls_security_level = {}\n\
             smtpd_tls_chain_files = {}\n",
            if certificates.is_empty() { "none" } else { "may" },
            files.join(", ")
        );
        let postfix = Postfix::start(&main, &format!("127.0.0.1:{port} inet n - n - - smtpd\n"));
        let ip = Ipv4Addr::LOCALHOST.into();
        Self { ports: vec![port], ip, process: Process::Postfix(postfix), _scratch: scratch }.listening()
    }

    /// Dovecot: IMAP, POP3, ManageSieve.
    pub(crate) fn dovecot(first: &Certificate, second: &Certificate) -> Self {
        let scratch = scratch();
        let here = scratch.path().display();
        let ports = [free_port(), free_port(), free_port()];
        let [first, second] = [files(&scratch, "1", first), files(&scratch, "2", second)];
        let mut text = format!(
            "base_dir = {here}/run\nstate_dir = {here}/state\nlog_path = /dev/stderr\nlisten = 127.0.0.1\n\
             protocols = imap pop3 sieve\nssl = yes\nssl_cert = <{}\nssl_key = <{}\nssl_alt_cert = <{}\n\
             ssl_alt_key = <{}\npassdb {{\n  driver = static\n  args = nopassword=y\n}}\n\
             userdb {{\n  driver = static\n  args = uid=nobody gid=nogroup home=/nonexistent\n}}\n",
            first.0.display(),
            first.1.display(),
            second.0.display(),
            second.1.display()
        );
        let [imap, pop3, sieve] = ports;
        for (service, listeners) in [
            ("imap-login", vec![("imap", imap), ("imaps", 0)]),
            ("pop3-login", vec![("pop3", pop3), ("pop3s", 0)]),
            ("managesieve-login", vec![("sieve", sieve)]),
        ] {
            writeln!(text, "service {service} {{").unwrap();
            for (listener, port) in listeners {
                writeln!(text, "  inet_listener {listener} {{\n    port = {port}\n  }}").unwrap();
            }
            text += "}\n";
        }
        let file = write(&scratch, "dovecot.conf", &text);
        Self::run(scratch, ports.to_vec(), command("dovecot").args(["-F", "-c"]).arg(file))
    }

    /// OpenLDAP.
    pub(crate) fn slapd(certificate: &Certificate) -> Self {
        let (scratch, port) = (scratch(), free_port());
        let (chain, key) = files(&scratch, "1", certificate);
        let (chain, key) = (chain.display(), key.display());
        let text = format!("TLSCertificateFile {chain}\nTLSCertificateKeyFile {key}\n");
        let file = write(&scratch, "slapd.conf", &text);
        let mut run = command("slapd");
        run.args(["-d", "0", "-h", &format!("ldap://127.0.0.1:{port}"), "-f"]).arg(file);
        Self::run(scratch, vec![port], &mut run)
    }

    /// Prosody, which serves `domain`: for clients, for servers.
    pub(crate) fn prosody(domain: &str, certificate: &Certificate) -> Self {
        let scratch = scratch();
        let ports = [free_port(), free_port()];
        let (chain, key) = files(&scratch, "1", certificate);
        let (here, chain, key) = (scratch.path().display(), chain.display(), key.display());
        let text = format!(
            "run_as_root = true\ndata_path = \"{here}\"\npidfile = \"{here}/pid\"\ninterfaces = {{ \"127.0.0.1\" }}\n\
             c2s_ports = {{ {} }}\ns2s_ports = {{ {} }}\nc2s_direct_tls_ports = {{ }}\ns2s_direct_tls_ports = {{ }}\n\
             modules_enabled = {{ \"tls\", \"saslauth\" }}\nmodules_disabled = {{ \"offline\", \"posix\" }}\n\
             ssl = {{ certificate = \"{chain}\", key = \"{key}\" }}\nlog = {{ info = \"*console\" }}\n\
             VirtualHost \"{domain}\"\n",
            ports[0], ports[1]
        );
        let file = write(&scratch, "prosody.cfg.lua", &text);
        Self::run(scratch, ports.to_vec(), command("prosody").args(["-F", "--config"]).arg(file))
    }

    /// vsftpd.
    pub(crate) fn vsftpd(rsa: &Certificate, other: &Certificate) -> Self {
        let (scratch, port) = (scratch(), free_port());
        let (rsa, other) = (files(&scratch, "1", rsa), files(&scratch, "2", other));
        let empty = scratch.path().join("empty");
        fs::create_dir(&empty).unwrap();
        let text = format!(
            "listen=YES\nlisten_address=127.0.0.1\nlisten_port={port}\nbackground=NO\nssl_enable=YES\n\
             seccomp_sandbox=NO\nssl_ciphers=HIGH\nrsa_cert_file={}\nrsa_private_key_file={}\ndsa_cert_file={}\n\
             dsa_private_key_file={}\nsecure_chroot_dir={}\n",
            rsa.0.display(),
            rsa.1.display(),
            other.0.display(),
            other.1.display(),
            empty.display()
        );
        let file = write(&scratch, "vsftpd.conf", &text);
        Self::run(scratch, vec![port], command("vsftpd").arg(file))
    }

    /// PostgreSQL, which refuses to be root.
    pub(crate) fn postgresql(certificate: &Certificate) -> Self {
        let (scratch, port) = (scratch(), free_port());
        let user = User::from_name("postgres").unwrap().expect("postgresql is installed");
        let (chain, key) = files(&scratch, "1", certificate);
        for path in [scratch.path(), &chain, &key] {
            chown(path, Some(user.uid.as_raw()), None).unwrap();
        }
        let versions = fs::read_dir(POSTGRESQL).expect("postgresql is installed");
        let newest = versions.map(|entry| entry.unwrap().path()).max().expect("postgresql is installed");
        let as_postgres = |program: &str| {
            let mut run = command("setpriv");
            run.args(["--reuid=postgres", "--regid=postgres", "--clear-groups"]);
            run.arg(newest.join("bin").join(program)).arg("-D").arg(scratch.path().join("data"));
            run.current_dir(&scratch);
            run
        };
        stdout(as_postgres("initdb").args(["-A", "trust", "-N"]));
        let mut run = as_postgres("postgres");
        run.args(["-h", "127.0.0.1", "-p", &port.to_string(), "-k"]).arg(scratch.path());
        for (setting, value) in [("ssl", Path::new("on")), ("ssl_cert_file", &chain), ("ssl_key_file", &key)]
        {
            run.arg("-c").arg(format!("{setting}={}", value.display()));
        }
        Self::run(scratch, vec![port], &mut run)
    }

    /// OpenSSL's test server with these arguments; `FILE.pem` and `FILE.key` among them hold the certificates.
    pub(crate) fn openssl(certificates: &[(&str, &Certificate)], arguments: &[&str]) -> Self {
        Self::openssl_at((Ipv4Addr::LOCALHOST, free_port()).into(), certificates, arguments)
    }

    /// [`openssl`](Self::openssl) at an address of the test's.
    pub(crate) fn openssl_at(
        address: SocketAddr,
        certificates: &[(&str, &Certificate)],
        arguments: &[&str],
    ) -> Self {
        let scratch = scratch();
        for (name, certificate) in certificates {
            files(&scratch, name, certificate);
        }
        let mut run = command("openssl");
        run.args(["s_server", "-www", "-accept", &address.to_string()]).args(arguments);
        let directory = scratch.path().to_owned();
        Self::run_at(address.ip(), scratch, vec![address.port()], run.current_dir(directory))
    }

    fn run(scratch: TempDir, ports: Vec<u16>, run: &mut Command) -> Self {
        Self::run_at(Ipv4Addr::LOCALHOST.into(), scratch, ports, run)
    }

    fn run_at(ip: IpAddr, scratch: TempDir, ports: Vec<u16>, run: &mut Command) -> Self {
        let process = Process::One(Running::start(run, &scratch.path().join("log")));
        Self { ports, ip, process, _scratch: scratch }.listening()
    }

    #[track_caller]
    fn listening(mut self) -> Self {
        for port in self.ports.clone() {
            until("the service listens", || {
                match &mut self.process {
                    Process::One(running) => running.must_run(),
                    Process::Postfix(postfix) => postfix.must_run(),
                }
                TcpStream::connect((self.ip, port)).ok()
            });
        }
        self
    }

    /// The address of one of its ports.
    pub(crate) fn address(&self, number: usize) -> SocketAddr {
        (self.ip, self.ports[number]).into()
    }
}

/// A directory that daemons can read when they are no longer root.
fn scratch() -> TempDir {
    let scratch = tempfile::tempdir().unwrap();
    fs::set_permissions(scratch.path(), fs::Permissions::from_mode(0o755)).unwrap();
    scratch
}

fn write(scratch: &TempDir, name: &str, text: &str) -> PathBuf {
    let path = scratch.path().join(name);
    fs::write(&path, text).unwrap();
    path
}

/// Chain and key as `NAME.pem` and `NAME.key`.
fn files(scratch: &TempDir, name: &str, certificate: &Certificate) -> (PathBuf, PathBuf) {
    let chain = write(scratch, &format!("{name}.pem"), &certificate.chain);
    let key = write(scratch, &format!("{name}.key"), &certificate.key);
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    (chain, key)
}
