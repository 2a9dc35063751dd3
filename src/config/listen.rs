//! `listen`: the addresses that danelaw answers at.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::PathBuf;

use super::fields::{self, Fields};
use super::report::{Mark, Report};
use super::scalar::{AddressError, parse_address};
use super::yaml::Node;
use super::{Paths, defaults};

/// Where queries are answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listen {
    /// UDP and TCP, at least one.
    pub dns: Vec<SocketAddr>,
    /// DNS over TLS and zone transfers over TLS (RFC 7858, RFC 9103).
    pub tls: Vec<SocketAddr>,
    /// DNS over HTTPS (RFC 8484).
    pub https: Vec<SocketAddr>,
    /// DNS over QUIC (RFC 9250).
    pub quic: Vec<SocketAddr>,
    /// What the last three present; there if one of them is.
    pub certificate: Option<ServerCertificate>,
    /// PEM: the authorities whose certificates clients of `tls` may show; none are asked for if `None`.
    pub client_ca: Option<PathBuf>,
    /// API, metrics and status page over HTTP.
    pub http: Option<SocketAddr>,
}

/// The files with the certificate of the encrypted listeners.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerCertificate {
    /// PEM, the server's own certificate first.
    pub chain: PathBuf,
    /// PEM; the private key of that one.
    pub key: PathBuf,
}

impl Default for Listen {
    fn default() -> Self {
        let dns = defaults::LISTEN_DNS.to_vec();
        Self {
            dns,
            tls: Vec::new(),
            https: Vec::new(),
            quic: Vec::new(),
            certificate: None,
            client_ca: None,
            http: None,
        }
    }
}

/// What is wrong with `listen`.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
enum ListenError {
    #[error("`{0}` is given twice")]
    Twice(SocketAddr),
    #[error("`{address}` is taken already: `listen.{by}` uses {protocol} there")]
    Taken { address: SocketAddr, by: &'static str, protocol: &'static str },
    #[error(
        "`listen.{0}` without a certificate to present, expected `certificate: {{chain: FILE, key: FILE}}` beside it"
    )]
    NoCertificate(&'static str),
    #[error("`certificate` lacks `{0}`, expected `{{chain: FILE, key: FILE}}`")]
    Incomplete(&'static str),
    #[error("`certificate` is presented by nobody: `tls`, `https` and `quic` are empty")]
    Unused,
    #[error("`client-ca` is asked of nobody: `tls` is empty")]
    NoClients,
    #[error("`listen.http` at `{0}` can be reached from elsewhere, and it asks nobody for a password")]
    HttpInTheOpen(SocketAddr),
}

/// Reads `listen`.
pub(super) fn read_listen(node: Option<&Node>, paths: &Paths<'_>, report: &mut Report<'_>) -> Listen {
    let mut listen = Listen::default();
    let Some(node) = node else { return listen };
    let fields = Fields::of("listen", node, &KEYS, report);
    let mut taken = Taken::default();
    let dns = fields.read_some("dns", report, |text| parse_address(text, Some(defaults::DNS_PORT)));
    if let Some(dns) = dns {
        listen.dns = taken.addresses("dns", &[TCP, UDP], dns, report);
    } else {
        taken.0.extend(listen.dns.iter().flat_map(|&address| [(address, TCP, "dns"), (address, UDP, "dns")]));
    }
    let encrypted = [
        ("tls", &mut listen.tls, TCP, defaults::TLS_PORT),
        ("https", &mut listen.https, TCP, defaults::HTTPS_PORT),
        ("quic", &mut listen.quic, UDP, defaults::TLS_PORT),
    ];
    let given = fields.get("certificate");
    let mut used = false;
    for (key, addresses, protocol, port) in encrypted {
        let found = fields.read_any(key, report, |text| parse_address(text, Some(port)));
        match found.first() {
            Some(&(mark, _)) if given.is_none() => report.error(mark, ListenError::NoCertificate(key)),
            Some(_) => used = true,
            None => {}
        }
        *addresses = taken.addresses(key, &[protocol], found, report);
    }
    if let Some(node) = given {
        if !used {
            report.warning(node.mark, ListenError::Unused);
        }
        listen.certificate = certificate(node, paths, report);
    }
    listen.client_ca = fields.read("client-ca", report, |text| paths.resolve(text));
    if let (Some(node), true) = (fields.get("client-ca"), listen.tls.is_empty()) {
        report.warning(node.mark, ListenError::NoClients);
    }
    listen.http = fields.read("http", report, http).flatten();
    if let (Some(address), Some(node)) = (listen.http, fields.get("http")) {
        taken.addresses("http", &[TCP], vec![(node.mark, address)], report);
        if !address.ip().is_loopback() {
            report.warning(node.mark, ListenError::HttpInTheOpen(address));
        }
    }
    listen
}

fn certificate(node: &Node, paths: &Paths<'_>, report: &mut Report<'_>) -> Option<ServerCertificate> {
    let fields = Fields::of("certificate", node, &["chain", "key"], report);
    let mut file = |key| {
        let Some(value) = fields.get(key) else {
            report.error(node.mark, ListenError::Incomplete(key));
            return None;
        };
        fields::read(key, value, report, |text| paths.resolve(text))
    };
    let (chain, key) = (file("chain"), file("key"));
    Some(ServerCertificate { chain: chain?, key: key? })
}

fn http(text: &str) -> Result<Option<SocketAddr>, AddressError> {
    if text == "off" { Ok(None) } else { parse_address(text, None).map(Some) }
}

/// Which addresses are taken by which key, and for what.
#[derive(Default)]
struct Taken(BTreeSet<(SocketAddr, &'static str, &'static str)>);

impl Taken {
    /// Takes `addresses` for `key`, and reports those that are taken already.
    fn addresses(
        &mut self,
        key: &'static str,
        protocols: &[&'static str],
        addresses: Vec<(Mark, SocketAddr)>,
        report: &mut Report<'_>,
    ) -> Vec<SocketAddr> {
        let mut kept = Vec::new();
        for (mark, address) in addresses {
            let before =
                self.0.iter().find(|&&(at, protocol, _)| at == address && protocols.contains(&protocol));
            match before {
                Some(&(_, _, by)) if by == key => report.error(mark, ListenError::Twice(address)),
                Some(&(_, protocol, by)) => report.error(mark, ListenError::Taken { address, by, protocol }),
                None => kept.push(address),
            }
            self.0.extend(protocols.iter().map(|&protocol| (address, protocol, key)));
        }
        kept
    }
}

const KEYS: [&str; 7] = ["dns", "tls", "https", "quic", "certificate", "client-ca", "http"];
const TCP: &str = "TCP";
const UDP: &str = "UDP";
