//! `listen`: the addresses that danelaw answers at.

use std::net::SocketAddr;

use super::defaults;
use super::fields::{Fields, Listed};
use super::report::Report;
use super::scalar::{AddressError, parse_address};
use super::yaml::Node;

/// Where queries are answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listen {
    /// UDP and TCP, at least one.
    pub dns: Vec<SocketAddr>,
    /// DNS over TLS and zone transfers over TLS (RFC 7858, RFC 9103). Empty in this version.
    pub tls: Vec<SocketAddr>,
    /// DNS over HTTPS (RFC 8484). Empty in this version.
    pub https: Vec<SocketAddr>,
    /// DNS over QUIC (RFC 9250). Empty in this version.
    pub quic: Vec<SocketAddr>,
    /// API, metrics and status page over HTTP.
    pub http: Option<SocketAddr>,
}

impl Default for Listen {
    fn default() -> Self {
        let dns = defaults::LISTEN_DNS.to_vec();
        Self { dns, tls: Vec::new(), https: Vec::new(), quic: Vec::new(), http: None }
    }
}

/// What is wrong with `listen`.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
enum ListenError {
    #[error("`{0}` is given twice")]
    Twice(SocketAddr),
    #[error("`listen.{0}` comes in a later version, expected it absent or `[]`; this one has {list}", list = Listed(&["dns", "http"]))]
    Later(&'static str),
    #[error("`{0}` is in `listen.dns` already, which serves TCP there")]
    HttpAtDns(SocketAddr),
    #[error("`listen.http` at `{0}` can be reached from elsewhere, and it asks nobody for a password")]
    HttpInTheOpen(SocketAddr),
}

/// Reads `listen`.
pub(super) fn read_listen(node: Option<&Node>, report: &mut Report<'_>) -> Listen {
    let mut listen = Listen::default();
    let Some(node) = node else { return listen };
    let fields = Fields::of("listen", node, &["dns", "tls", "https", "quic", "http"], report);
    let dns = fields.read_some("dns", report, |text| parse_address(text, Some(defaults::DNS_PORT)));
    if let Some(dns) = dns {
        listen.dns.clear();
        for (mark, address) in dns {
            if listen.dns.contains(&address) {
                report.error(mark, ListenError::Twice(address));
            }
            listen.dns.push(address);
        }
    }
    let later = [("tls", defaults::TLS_PORT), ("https", defaults::HTTPS_PORT), ("quic", defaults::TLS_PORT)];
    for (key, port) in later {
        let given = fields.read_any(key, report, |text| parse_address(text, Some(port)));
        if let Some(&(mark, _)) = given.first() {
            report.error(mark, ListenError::Later(key));
        }
    }
    listen.http = fields.read("http", report, http).flatten();
    if let (Some(address), Some(node)) = (listen.http, fields.get("http")) {
        if listen.dns.contains(&address) {
            report.error(node.mark, ListenError::HttpAtDns(address));
        } else if !address.ip().is_loopback() {
            report.warning(node.mark, ListenError::HttpInTheOpen(address));
        }
    }
    listen
}

fn http(text: &str) -> Result<Option<SocketAddr>, AddressError> {
    if text == "off" { Ok(None) } else { parse_address(text, None).map(Some) }
}
