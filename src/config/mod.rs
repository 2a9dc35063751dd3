//! The file format of `danelaw.yaml`, as a checked [`Config`].
//!
//! Text in, domain types out: names are names, references are resolved, paths are absolute to the file's
//! directory, and every problem is reported in one go with line and column. It reads no other file: zone
//! files, certificates and secrets are for the host, and what only they can tell is checked when they are
//! read ([`Policy::check_against`]).

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::dns::name::Name;
use crate::dns::problem::Problem;

mod catalog;
pub mod defaults;
mod directories;
mod domain;
mod fields;
mod foreign;
mod listen;
mod manner;
pub mod next;
mod policy;
mod primary;
mod report;
mod reports;
mod scalar;
mod server;
mod service;
mod store;
mod subject;
mod tsig;
mod update;
mod yaml;
mod zone;

#[cfg(test)]
mod tests;

pub use catalog::{Catalog, Member};
pub use directories::Directories;
pub use domain::{Caa, Domain, MtaSts, MxPattern, StsMode, TlsRpt};
pub use listen::{Listen, ServerCertificate};
pub use manner::Manner;
pub use next::{KeyAlgorithm, MadeNext};
pub use policy::{
    Denial, Ixfr, Journal, KeyLifetimes, KeyScheme, KskRollover, Policy, PolicyConflict, PolicyError,
    SerialScheme, SignatureTimes, SigningAlgorithm,
};
pub use primary::{Pin, PinError, Primary, RemoteTls, TlsTrust, VerifyZonemd};
pub use reports::TlsReports;
pub use scalar::{
    AddressError, CountError, Prefix, SpanError, UnknownWord, parse_address, parse_count, parse_octets,
    parse_seconds, parse_ttl,
};
pub use server::{RateLimit, Server};
pub use service::{
    Endpoint, EndpointError, Probe, SMTP_PORTS, Service, TlsaParameters, TlsaParametersError, Transport,
};
pub use subject::{ServiceKind, Subject};
pub use tsig::{Allow, AllowTls, Remote, Secret, SecretError, SecretSource, TsigAlgorithm, TsigKey};
pub use update::Grant;
pub use zone::{Parent, Propagation, Zone, ZoneFile, ZoneSource};

use fields::{Fields, Listed, nearest};
use report::{Mark, Report};

/// A configuration without errors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Where queries are answered.
    pub listen: Listen,
    /// What danelaw says of itself.
    pub server: Server,
    /// How many alike responses a network is sent; as many as it asks for if `None`.
    pub rate_limit: Option<RateLimit>,
    /// The directory of DNSSEC private keys.
    pub keys: PathBuf,
    /// The directory of what must survive a restart.
    pub state: PathBuf,
    /// The file of DS or DNSKEY records that `danelaw verify` begins with; the keys of the zones if `None`.
    pub trust_anchor: Option<PathBuf>,
    /// The resolvers by which parents are found; those of the system if there are none.
    pub resolvers: Vec<SocketAddr>,
    /// TSIG keys by their names.
    pub tsig: BTreeMap<Name, Arc<TsigKey>>,
    /// Other nameservers by the operator's names for them.
    pub remotes: BTreeMap<String, Arc<Remote>>,
    /// Policies by name, the built-in ones included.
    pub policies: BTreeMap<String, Arc<Policy>>,
    /// Zones by origin, in canonical order; catalogs are among them.
    pub zones: BTreeMap<Name, Zone>,
    /// Services by name.
    pub services: BTreeMap<String, Service>,
    /// Domains whose records are made of it, by name.
    pub domains: BTreeMap<Name, Domain>,
    /// Where reports about TLS come from.
    pub tls_reports: TlsReports,
}

impl Config {
    /// Reads the text of `file`, as the operator named it; relative paths in it are relative to `directory`.
    /// Returns the configuration with the warnings, or every problem, in the file's order.
    pub fn parse(text: &str, file: &str, directory: &Path) -> Result<(Self, Vec<Problem>), Vec<Problem>> {
        match Self::parse_what_is_sound(text, file, directory) {
            (Some(config), problems) if !problems.iter().any(Problem::is_error) => Ok((config, problems)),
            (_, problems) => Err(problems),
        }
    }

    /// As [`Config::parse`], but with what is left of a configuration that has errors: to be looked at, not to be used.
    /// `None` after a syntax error.
    pub fn parse_what_is_sound(text: &str, file: &str, directory: &Path) -> (Option<Self>, Vec<Problem>) {
        let mut report = Report::new(file, text);
        let config = yaml::parse(text, &mut report).map(|root| read(&root, directory, &mut report));
        (config, report.finish())
    }

    /// The zone that holds `name`: the one with the longest matching origin.
    pub fn zone_of(&self, name: &Name) -> Option<&Zone> {
        zone::zone_of(&self.zones, name.as_ref())
    }

    /// The socket on which the command line reaches the daemon.
    pub fn control_socket(&self) -> PathBuf {
        self.directories().control_socket()
    }

    /// Its directories.
    pub fn directories(&self) -> Directories {
        Directories { keys: self.keys.clone(), state: self.state.clone() }
    }
}

fn read(root: &yaml::Node, directory: &Path, report: &mut Report<'_>) -> Config {
    let paths = Paths { directory };
    let fields = Fields::of("the configuration", root, &KEYS, report);
    let Directories { keys, state } = directories::read(&fields, &paths, report);
    if keys == state {
        report.error(Mark::START, "`keys` and `state` are one directory, expected two");
    }
    let trust_anchor = fields.read("trust-anchor", report, |text| paths.resolve(text));
    let resolver = |text: &str| parse_address(text, Some(defaults::DNS_PORT));
    let resolvers = fields.read_any("resolvers", report, resolver).into_iter().map(|(_, at)| at).collect();
    let listen = listen::read_listen(fields.get("listen"), &paths, report);
    let server = server::read_server(fields.get("server"), &paths, report);
    let rate_limit = server::read_rate_limit(fields.get("rate-limit"), report);
    let tsig = tsig::read_keys(fields.get("tsig"), &paths, report);
    let remotes = tsig::read_remotes(fields.get("remotes"), &tsig, &listen.dns, &paths, report);
    let policies = policy::read_policies(fields.get("policies"), report);
    let known =
        zone::Known { keys: &tsig, remotes: &remotes, policies: &policies, listen: &listen, paths: &paths };
    let mut catalogs = catalog::read_catalogs(fields.get("catalogs"), &known, report);
    let mut zones = zone::read_zones(fields.get("zones"), &known, &mut catalogs, report);
    if zones.is_empty() && !report.has_errors() {
        report.warning(Mark::START, "no zones, so every query is refused; expected some under `zones`");
    }
    let services = service::read_services(fields.get("services"), &zones, &paths, report);
    let domains = domain::read_domains(fields.get("domains"), &zones, &listen, report);
    let tls_reports = reports::read_reports(fields.get("tls-reports"), &listen, &paths, report);
    catalog::add(catalogs, &mut zones, report);
    Config {
        listen,
        server,
        rate_limit,
        keys,
        state,
        trust_anchor,
        resolvers,
        tsig,
        remotes,
        policies,
        zones,
        services,
        domains,
        tls_reports,
    }
}

/// Where relative paths start.
struct Paths<'a> {
    directory: &'a Path,
}

/// The text is no path.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("empty path")]
struct EmptyPath;

impl Paths<'_> {
    fn resolve(&self, text: &str) -> Result<PathBuf, EmptyPath> {
        if text.is_empty() { Err(EmptyPath) } else { Ok(self.directory.join(text)) }
    }
}

/// Checks a name of the operator's own: it appears in commands, URLs and metrics.
fn label(kind: &str, name: &str, mark: Mark, report: &mut Report<'_>) {
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
    if name.is_empty() || name.len() > MAX_LABEL || !name.bytes().all(is_plain) {
        let what = "expected at most 64 letters, digits, `.`, `_` and `-`";
        report.error(mark, format_args!("{kind} `{name}`: {what}"));
    }
}

/// Reports a name that stands for nothing.
fn reference(kind: &str, name: &str, known: &[String], mark: Mark, report: &mut Report<'_>) {
    let known: Vec<&str> = known.iter().map(String::as_str).collect();
    let hint = match nearest(name, &known) {
        Some(nearest) => format!("nearest is `{nearest}`"),
        None if known.is_empty() => "none is defined".to_owned(),
        None => format!("expected one of {}", Listed(&known)),
    };
    report.error(mark, format_args!("unknown {kind} `{name}`, {hint}"));
}

const KEYS: [&str; 15] = [
    "listen",
    "server",
    "rate-limit",
    "keys",
    "state",
    "trust-anchor",
    "resolvers",
    "tsig",
    "remotes",
    "policies",
    "catalogs",
    "zones",
    "services",
    "domains",
    "tls-reports",
];
const MAX_LABEL: usize = 64;
