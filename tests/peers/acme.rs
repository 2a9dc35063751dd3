//! An ACME server: pebble, which believes that every host is whose it claims to be.

use std::fs;
use std::path::PathBuf;

use tempfile::TempDir;

use super::certificate::Authority;
use super::program::{Running, command, free_port};
use super::wait::until;

/// A running ACME server. Its certificates are valid for less than 30 days.
pub(crate) struct Acme {
    process: Running,
    scratch: TempDir,
    port: u16,
}

impl Acme {
    pub(crate) fn start() -> Self {
        let scratch = tempfile::tempdir().unwrap();
        let file = |name: &str| scratch.path().join(name);
        let authority = Authority::new();
        let (certificate, key) = authority.certify("localhost");
        fs::write(file("ca.pem"), authority.certificate()).unwrap();
        fs::write(file("server.pem"), certificate).unwrap();
        fs::write(file("server.key"), key).unwrap();
        let (port, management) = (free_port(), free_port());
        let configuration = serde_json::json!({"pebble": {
            "listenAddress": format!("127.0.0.1:{port}"),
            "managementListenAddress": format!("127.0.0.1:{management}"),
            "certificate": file("server.pem"),
            "privateKey": file("server.key"),
            "httpPort": free_port(),
            "tlsPort": free_port(),
            "certificateValidityPeriod": 2_500_000,
        }});
        fs::write(file("pebble.json"), configuration.to_string()).unwrap();
        let process = Running::start(&mut Self::command(&scratch), &file("log"));
        let mut acme = Self { process, scratch, port };
        acme.until_it_listens();
        acme
    }

    fn command(scratch: &TempDir) -> std::process::Command {
        let mut pebble = command("pebble");
        pebble.arg("-config").arg(scratch.path().join("pebble.json"));
        // It neither asks hosts, nor waits, nor refuses messages now and then, as it does to try clients.
        pebble.env("PEBBLE_VA_ALWAYS_VALID", "1").env("PEBBLE_VA_NOSLEEP", "1");
        pebble.env("PEBBLE_WFE_NONCEREJECT", "0");
        pebble
    }

    fn until_it_listens(&mut self) {
        until("pebble listens", || {
            self.process.must_run();
            std::net::TcpStream::connect(("127.0.0.1", self.port)).ok()
        });
    }

    /// Ends it and starts it anew: it knows neither accounts nor orders any more.
    pub(crate) fn forget_everything(&mut self) {
        self.process.terminate();
        let log = self.scratch.path().join("log");
        self.process = Running::start(&mut Self::command(&self.scratch), &log);
        self.until_it_listens();
    }

    /// Where clients begin.
    pub(crate) fn directory(&self) -> String {
        format!("https://localhost:{}/dir", self.port)
    }

    /// The authority of its own certificate, which clients have to trust.
    pub(crate) fn ca(&self) -> PathBuf {
        self.scratch.path().join("ca.pem")
    }
}
