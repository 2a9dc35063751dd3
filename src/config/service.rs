//! `services`: the services whose keys DNS must vouch for.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

use crate::dns::name::{Name, NameError};
use crate::dns::rtype::Rtype;
use crate::dns::time::{DAY, Seconds, Ttl};

use super::fields::{self, Fields, entries};
use super::manner::Manner;
use super::next::{MadeNext, read_next};
use super::report::{Mark, Report};
use super::scalar::{parse_address, parse_seconds, parse_ttl};
use super::store::read_store;
use super::subject::{ServiceKind, Subject, read_kind, read_subjects};
use super::yaml::Node;
use super::zone::{Zones, zone_of};
use super::{Paths, defaults, label};

/// A service with its certificates or keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// The operator's name for it.
    pub name: String,
    /// Which records it has.
    pub kind: ServiceKind,
    /// Where clients meet it, at least one if it is a TLS service, and none otherwise.
    pub endpoints: Vec<Endpoint>,
    /// The hosts or addresses that it is for, at least one if it is no TLS service.
    pub subjects: Vec<Subject>,
    /// The certificates or keys that it presents (one of each key type), at least one.
    pub certificates: Vec<PathBuf>,
    /// What it will present next: certificates, keys or CSRs, which may be absent.
    pub next: Vec<PathBuf>,
    /// Which of `next` danelaw makes itself.
    pub made: BTreeMap<usize, MadeNext>,
    /// Which TLSA or SMIMEA records are published for each certificate, at least one.
    pub tlsa: Vec<TlsaParameters>,
    /// The TTL of its RRsets.
    pub ttl: Ttl,
    /// Whether and where the live service is looked at.
    pub probe: Probe,
    /// How TLS begins there; by the port if `None`.
    pub manner: Option<Manner>,
    /// The domain whose service it is, where that is not the endpoint's host: XMPP is served for domains.
    pub domain: Option<Name>,
    /// Where nobody looks: how long after it is ready a certificate is taken to be in use.
    pub grace: Seconds,
}

/// A host and port that clients connect to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// The TLSA base domain.
    pub host: Name,
    /// The port.
    pub port: u16,
    /// The protocol below TLS.
    pub transport: Transport,
    /// The apex of the zone that holds the TLSA owner.
    pub zone: Name,
    owner: Name,
}

/// The protocol label of a TLSA owner (RFC 6698 §3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Transport {
    /// `_tcp`
    Tcp,
    /// `_udp`
    Udp,
    /// `_sctp`
    Sctp,
}

/// Certificate usage, selector and matching type (RFC 6698 §2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TlsaParameters {
    /// 0 PKIX-TA, 1 PKIX-EE, 2 DANE-TA, 3 DANE-EE.
    pub usage: u8,
    /// 0 the whole certificate, 1 its SubjectPublicKeyInfo.
    pub selector: u8,
    /// 0 the octets themselves, 1 their SHA-256, 2 their SHA-512.
    pub matching: u8,
}

/// Whether and where the live service is looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Probe {
    /// `auto`: at the host's addresses, in the manner of the port.
    Auto,
    /// `off`
    Off,
    /// At these addresses.
    At(Vec<SocketAddr>),
}

/// Why text is not an endpoint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EndpointError {
    /// No colon, or no number behind it.
    #[error("no port, expected HOST:PORT or HOST:PORT/PROTOCOL such as `mail.example.test:25`")]
    NoPort,
    /// A port that does not exist.
    #[error("port `{0}` is not a number from 1 to 65535")]
    BadPort(String),
    /// A protocol without TLS, or none that we know.
    #[error("unknown protocol `{0}`, expected `tcp`, `udp` or `sctp`")]
    UnknownTransport(String),
    /// An address has no place in DNS to put a TLSA record at.
    #[error("the host is an address, expected its name: TLSA records belong to names")]
    HostIsAddress,
    /// Clients connect to names, not to patterns.
    #[error("the host is a wildcard, expected the name of a host")]
    Wildcard,
    /// The host is no name, or too long for `_port._protocol` in front.
    #[error("host: {0}")]
    Host(#[from] NameError),
}

/// Why text is not a set of TLSA parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TlsaParametersError {
    /// Not three numbers.
    #[error("expected usage, selector and matching type such as `3 1 1`")]
    NotThreeNumbers,
    /// A usage that RFC 6698 does not define.
    #[error("unknown usage, expected 0 (PKIX-TA), 1 (PKIX-EE), 2 (DANE-TA) or 3 (DANE-EE)")]
    Usage,
    /// A selector that RFC 6698 does not define.
    #[error("unknown selector, expected 0 (certificate) or 1 (public key)")]
    Selector,
    /// A matching type that RFC 6698 does not define.
    #[error("unknown matching type, expected 0 (in full), 1 (SHA-256) or 2 (SHA-512)")]
    Matching,
}

impl Service {
    /// The RRsets that are made for it, each with the apex of the zone that holds it.
    pub fn rrsets(&self) -> impl Iterator<Item = (&Name, (Name, Rtype))> {
        let endpoints = self.endpoints.iter().map(|endpoint| (&endpoint.zone, &endpoint.owner));
        let subjects = self.subjects.iter().map(|subject| (&subject.zone, &subject.owner));
        endpoints.chain(subjects).map(|(zone, owner)| (zone, (owner.clone(), self.kind.rtype())))
    }
}

impl Endpoint {
    /// The owner of its TLSA RRset, `_port._protocol.host` (RFC 6698 §3).
    pub fn owner(&self) -> &Name {
        &self.owner
    }

    /// Where the TLSA records of a host and port are (RFC 6698 §3).
    pub fn owner_of(host: &Name, port: u16, transport: Transport) -> Result<Name, NameError> {
        host.child(transport.label())?.child(format!("_{port}").as_bytes())
    }

    /// Reads `host:port` or `host:port/protocol`. The zone is the root until it is looked up.
    fn parse(text: &str) -> Result<Self, EndpointError> {
        let (place, transport) = match text.split_once('/') {
            None => (text, defaults::TRANSPORT),
            Some((place, "tcp")) => (place, Transport::Tcp),
            Some((place, "udp")) => (place, Transport::Udp),
            Some((place, "sctp")) => (place, Transport::Sctp),
            Some((_, protocol)) => return Err(EndpointError::UnknownTransport(protocol.to_owned())),
        };
        if text.parse::<std::net::IpAddr>().is_ok() || place.parse::<SocketAddr>().is_ok() {
            return Err(EndpointError::HostIsAddress);
        }
        let (host, port) = place.rsplit_once(':').ok_or(EndpointError::NoPort)?;
        let port = parse_decimal(port)
            .filter(|&port| port > 0)
            .ok_or_else(|| EndpointError::BadPort(port.to_owned()))?;
        let host = Name::parse(host)?;
        if host.as_ref().is_wildcard() {
            return Err(EndpointError::Wildcard);
        }
        let owner = Self::owner_of(&host, port, transport)?;
        Ok(Self { host, port, transport, zone: Name::root(), owner })
    }
}

impl Transport {
    /// The label in a TLSA owner.
    fn label(self) -> &'static [u8] {
        match self {
            Self::Tcp => b"_tcp",
            Self::Udp => b"_udp",
            Self::Sctp => b"_sctp",
        }
    }
}

impl fmt::Display for Endpoint {
    /// As the configuration has it, the default protocol left out.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host.as_ref().undotted(), self.port)?;
        match self.transport {
            Transport::Tcp => Ok(()),
            Transport::Udp => f.write_str("/udp"),
            Transport::Sctp => f.write_str("/sctp"),
        }
    }
}

impl FromStr for TlsaParameters {
    type Err = TlsaParametersError;
    /// Reads three numbers such as `3 1 1`.
    fn from_str(text: &str) -> Result<Self, TlsaParametersError> {
        let mut numbers = text.split_ascii_whitespace().map(parse_decimal);
        let (Some(Some(usage)), Some(Some(selector)), Some(Some(matching)), None) =
            (numbers.next(), numbers.next(), numbers.next(), numbers.next())
        else {
            return Err(TlsaParametersError::NotThreeNumbers);
        };
        match (usage, selector, matching) {
            (4.., _, _) => Err(TlsaParametersError::Usage),
            (_, 2.., _) => Err(TlsaParametersError::Selector),
            (_, _, 3..) => Err(TlsaParametersError::Matching),
            _ => Ok(Self { usage: usage as u8, selector: selector as u8, matching: matching as u8 }),
        }
    }
}

impl fmt::Display for TlsaParameters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.usage, self.selector, self.matching)
    }
}

/// Digits alone, without a sign.
fn parse_decimal(text: &str) -> Option<u16> {
    text.parse().ok().filter(|_| text.bytes().all(|b| b.is_ascii_digit()))
}

pub(super) type Services = BTreeMap<String, Service>;

/// What is wrong with `services`.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
enum ServiceError<'a> {
    #[error("service `{0}` has the name of a zone; `danelaw status {0}` could not tell them apart")]
    NamedAsZone(&'a str),
    #[error(
        "service `{0}` has no endpoints, expected `endpoints: [\"HOST:PORT\"]`; or `sshfp`, `openpgpkey` or `smimea`"
    )]
    NoEndpoints(&'a str),
    #[error(
        "service `{0}` has no certificate, expected `certificate: PATH`, or `store: certbot` or the like"
    )]
    NoCertificate(&'a str),
    #[error("service `{0}` has no key, expected `key: PATH`")]
    NoKey(&'a str),
    #[error("`generate` makes keys for TLS; beside `{0}`, `next` is the path of a file")]
    MadeForNone(&'static str),
    #[error(
        "endpoint `{0}` lies in no zone that is served here, expected a host at or below the apex of one"
    )]
    NoZone(Endpoint),
    #[error("endpoint `{0}` is in line {1} already: one service manages the TLSA records of an endpoint")]
    Twice(Endpoint, usize),
    #[error("endpoint `{0}` lies in the unsigned zone {1}: without DNSSEC its TLSA records are ignored")]
    UnsignedZone(Endpoint, &'a Name),
    #[error("tlsa `{0}` is given twice")]
    TlsaTwice(TlsaParameters),
    #[error(
        "tlsa `{0}` at an SMTP port: usages 0 and 1 should not be published for SMTP (RFC 7672 §3.1.3), senders fall \
         back to unauthenticated TLS; expected usage 3 or 2"
    )]
    PkixForSmtp(TlsaParameters),
    #[error("ttl {0} is longer than a day: a change of keys takes at least two TTLs to be safe")]
    LongTtl(Seconds),
    #[error("`{}` is given as `certificate` and as `next`", .0.display())]
    NextIsCertificate(PathBuf),
}

/// Reads `services`.
pub(super) fn read_services(
    node: Option<&Node>,
    zones: &Zones,
    paths: &Paths<'_>,
    report: &mut Report<'_>,
) -> Services {
    let mut services = Services::new();
    let (mut owners, mut subjects) = (BTreeMap::new(), BTreeMap::new());
    let mut directories = BTreeSet::new();
    for entry in node.map_or(&[][..], |node| entries("services", node, report)) {
        label("service", &entry.key, entry.mark, report);
        if Name::parse(&entry.key).is_ok_and(|name| zones.contains_key(&name)) {
            report.error(entry.mark, ServiceError::NamedAsZone(&entry.key));
        }
        let fields = Fields::of(&entry.key, &entry.value, &KEYS, report);
        let kind = read_kind(&fields, report);
        if fields.get(kind.key()).is_none() {
            report.error(entry.mark, ServiceError::NoEndpoints(&entry.key));
        }
        let given =
            fields.get(kind.files()).or_else(|| fields.get("store").filter(|_| kind == ServiceKind::Tls));
        if given.is_none() {
            let is_key = kind.files() == "key";
            let name = &entry.key;
            report.error(
                entry.mark,
                if is_key { ServiceError::NoKey(name) } else { ServiceError::NoCertificate(name) },
            );
        }
        let endpoints = read_endpoints(&fields, zones, &mut owners, report);
        let store = read_store(&fields, endpoints.first().map(|endpoint| &endpoint.host), paths, report);
        let mut next = read_next(fields.get("next"), &entry.key, paths, &mut directories, report);
        if let Some((mark, _)) =
            next.made.keys().next().and_then(|at| next.files.get(*at)).filter(|_| kind != ServiceKind::Tls)
        {
            report.error(*mark, ServiceError::MadeForNone(kind.key()));
        }
        let certificates = match store {
            Some(store) => {
                if fields.get("next").is_none() {
                    next.files.extend(store.next.into_iter().map(|path| (entry.mark, path)));
                }
                store.certificates
            }
            None => fields.read_some(kind.files(), report, |text| paths.resolve(text)).unwrap_or_default(),
        };
        for (mark, path) in next.files.iter().filter(|(_, next)| certificates.iter().any(|(_, c)| c == next))
        {
            report.error(*mark, ServiceError::NextIsCertificate(path.clone()));
        }
        let service = Service {
            name: entry.key.to_string(),
            kind,
            tlsa: read_tlsa(kind, &fields, &endpoints, report),
            subjects: read_subjects(kind, &fields, zones, &mut subjects, report),
            endpoints,
            certificates: certificates.into_iter().map(|(_, path)| path).collect(),
            next: next.files.into_iter().map(|(_, path)| path).collect(),
            made: next.made,
            ttl: read_ttl(&fields, report),
            probe: fields.get("probe").map_or(Probe::Auto, |node| read_probe(node, report)),
            manner: fields.read("starttls", report, str::parse::<Manner>),
            domain: fields.read("domain", report, Name::parse),
            grace: fields.read("grace", report, parse_seconds).unwrap_or(defaults::GRACE),
        };
        services.insert(service.name.clone(), service);
    }
    services
}

fn read_endpoints(
    fields: &Fields<'_>,
    zones: &Zones,
    owners: &mut BTreeMap<Name, Mark>,
    report: &mut Report<'_>,
) -> Vec<Endpoint> {
    let mut endpoints = Vec::new();
    for (mark, mut endpoint) in fields.read_some("endpoints", report, Endpoint::parse).unwrap_or_default() {
        let Some(zone) = zone_of(zones, endpoint.owner.as_ref()) else {
            report.error(mark, ServiceError::NoZone(endpoint));
            continue;
        };
        if let Some(first) = owners.get(&endpoint.owner) {
            report.error(mark, ServiceError::Twice(endpoint, first.line));
            continue;
        }
        if !zone.policy.signs() {
            report.warning(mark, ServiceError::UnsignedZone(endpoint.clone(), &zone.origin));
        }
        endpoint.zone = zone.origin.clone();
        owners.insert(endpoint.owner.clone(), mark);
        endpoints.push(endpoint);
    }
    endpoints
}

fn read_tlsa(
    kind: ServiceKind,
    fields: &Fields<'_>,
    endpoints: &[Endpoint],
    report: &mut Report<'_>,
) -> Vec<TlsaParameters> {
    let mut sets = Vec::new();
    for (mark, set) in fields.read_some("tlsa", report, TlsaParameters::from_str).unwrap_or_default() {
        if sets.contains(&set) {
            report.error(mark, ServiceError::TlsaTwice(set));
            continue;
        }
        if set.usage < 2 && endpoints.iter().any(|endpoint| SMTP_PORTS.contains(&endpoint.port)) {
            report.warning(mark, ServiceError::PkixForSmtp(set));
        }
        sets.push(set);
    }
    match (fields.get("tlsa"), kind) {
        (Some(_), _) => sets,
        (None, ServiceKind::Smime) => vec![defaults::SMIMEA],
        (None, _) => vec![defaults::TLSA],
    }
}

fn read_ttl(fields: &Fields<'_>, report: &mut Report<'_>) -> Ttl {
    let Some(node) = fields.get("ttl") else { return defaults::TLSA_TTL };
    let ttl = fields::read("ttl", node, report, parse_ttl).unwrap_or(defaults::TLSA_TTL);
    if Seconds::from(ttl) > DAY {
        report.warning(node.mark, ServiceError::LongTtl(ttl.into()));
    }
    ttl
}

fn read_probe(node: &Node, report: &mut Report<'_>) -> Probe {
    if let [item] = fields::one_or_list(node) {
        let word = |text: &str| match text {
            "auto" => Ok(Probe::Auto),
            "off" => Ok(Probe::Off),
            _ => probe_address(text).map(|address| Probe::At(vec![address])),
        };
        return fields::read("probe", item, report, word).unwrap_or(Probe::Auto);
    }
    let items = fields::one_or_list(node).iter();
    Probe::At(items.filter_map(|item| fields::read("probe", item, report, probe_address)).collect())
}

fn probe_address(text: &str) -> Result<SocketAddr, NotAProbe> {
    parse_address(text, None).map_err(|_| NotAProbe)
}

/// The text says neither whether nor where to look.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected `auto`, `off`, or addresses with ports such as `127.0.0.1:25`")]
struct NotAProbe;

const KEYS: [&str; 17] = [
    "endpoints",
    "sshfp",
    "openpgpkey",
    "smimea",
    "certificate",
    "key",
    "store",
    "name",
    "directory",
    "issuer",
    "next",
    "tlsa",
    "ttl",
    "probe",
    "starttls",
    "domain",
    "grace",
];
/// Relay and submission, where RFC 7672 and its kin apply.
pub const SMTP_PORTS: [u16; 2] = [25, 587];
