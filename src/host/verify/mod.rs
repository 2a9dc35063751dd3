//! Checks from outside, as a client that goes by DANE would make them (RFC 7671, RFC 7672).
//!
//! From a trust anchor down to the records, and from the records to what the service presents. A client meets any one of
//! a zone's nameservers and any one of a host's addresses; so all of them are asked, and each must do by itself.
//! Nothing is believed that is not proven, and nothing is remembered that danelaw knows from inside.

mod anchor;
mod certificates;
mod report;
pub mod served;
mod walk;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

pub use anchor::{Anchor, read as read_anchors};
pub use report::{Check, Outcome, Report};
pub use walk::{Known, Nameserver};
use walk::{Unusable, Walk, Zone, address};

use super::{clock, lookout};
use crate::config::Manner;
use crate::dns::name::{Name, NameRef};
use crate::dns::rtype::Rtype;
use crate::dns::time::{Timestamp, Ttl};
use crate::dnssec::proof::Proof;
use crate::tlsa::Association;
use crate::tlsa::params::Usage;
use crate::tlsa::rollover::MANY_RECORDS;

/// The port of SMTP between servers, where mail to a domain goes.
const SMTP: u16 = 25;
/// Aliases are followed so far.
const MAX_ALIASES: usize = 8;
/// What a host has at least one of.
const ADDRESSES: [Rtype; 2] = [Rtype::A, Rtype::AAAA];

/// What to check.
#[derive(Debug, Clone)]
pub struct Order {
    /// The services.
    pub subject: Subject,
    /// Whom to trust.
    pub anchors: Vec<Anchor>,
    /// Nameservers where the walk begins, of the anchors' zones, and those of other zones that need not be asked for.
    pub known: BTreeMap<Name, Known>,
    /// The port of all other nameservers, 53 but in laboratories.
    pub port: u16,
    /// How TLS begins, if the port does not tell.
    pub manner: Option<Manner>,
}

/// One service or several.
#[derive(Debug, Clone)]
pub enum Subject {
    /// The mail servers of a domain; the domain itself if it has no MX records (RFC 5321 §5.1).
    Domain(Name),
    /// These.
    Endpoints(Vec<Endpoint>),
}

/// A service that clients connect to.
#[derive(Debug, Clone)]
pub struct Endpoint {
    /// The host.
    pub host: Name,
    /// The port.
    pub port: u16,
    /// The domain whose service it is, if that is not the host.
    pub domain: Option<Name>,
    /// Where it is looked at; at the host's addresses if there are none.
    pub addresses: Vec<SocketAddr>,
}

/// TLSA rdata as one or several nameservers have it, in canonical order.
type Tlsa = BTreeMap<Vec<Vec<u8>>, Vec<String>>;

/// [`verify`] for those who have no runtime.
pub fn run(order: Order) -> std::io::Result<Report> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    Ok(runtime.block_on(verify(order)))
}

/// Makes all checks.
pub async fn verify(order: Order) -> Report {
    let Order { subject, anchors, known, port, manner } = order;
    let walk = Walk { anchors, known, port, zones: BTreeMap::new() };
    let mut verifier =
        Verifier { walk, report: Report::default(), servers: BTreeMap::new(), manner, ehlo: lookout::ehlo() };
    match subject {
        Subject::Endpoints(endpoints) => {
            for endpoint in &endpoints {
                verifier.endpoint(endpoint).await;
            }
        }
        Subject::Domain(domain) => verifier.domain(&domain).await,
    }
    verifier.report
}

struct Verifier {
    walk: Walk,
    report: Report,
    /// The nameservers of each zone that answer.
    servers: BTreeMap<Name, Arc<[Nameserver]>>,
    manner: Option<Manner>,
    ehlo: Name,
}

/// What a nameserver gives, aliases followed.
struct Found {
    rdatas: Vec<Vec<u8>>,
    /// The name at which the records are, if that is another one.
    alias: Option<Name>,
    /// Who gave it: one of that name's zone.
    server: Nameserver,
}

/// A question on the way through aliases.
struct Question {
    zone: Arc<Zone>,
    server: Nameserver,
    owner: Name,
    /// How many aliases have led here.
    aliases: usize,
}

impl Verifier {
    async fn domain(&mut self, domain: &Name) {
        let Some(zone) = self.walk.zone_of(domain, &mut self.report).await else { return };
        let mut hosts: BTreeSet<Name> = BTreeSet::new();
        for found in self.look_up(&zone, domain, Rtype::MX).await {
            // Preference, then the name.
            let names = found.rdatas.iter().filter_map(|rdata| NameRef::from_wire(rdata.get(2..)?).ok());
            hosts.extend(names.map(NameRef::to_owned));
        }
        if hosts.is_empty() {
            hosts.insert(domain.clone());
        }
        // RFC 7505: mail is not wanted.
        hosts.retain(|host| !host.as_ref().is_root());
        for host in hosts {
            self.endpoint(&Endpoint {
                host,
                port: SMTP,
                domain: Some(domain.clone()),
                addresses: Vec::new(),
            })
            .await;
        }
    }

    async fn endpoint(&mut self, endpoint: &Endpoint) {
        let Endpoint { host, port, addresses, .. } = endpoint;
        let found = self.addresses(host).await;
        let addresses = match &addresses[..] {
            [] => found.into_iter().map(|address| SocketAddr::new(address, *port)).collect(),
            given => given.to_vec(),
        };
        let owner = host.child(b"_tcp").and_then(|base| base.child(format!("_{port}").as_bytes()));
        let Ok(owner) = owner else {
            self.report.add(Outcome::Fail, host, None, "is too long a name for TLSA records below it");
            return;
        };
        let tlsa = self.tlsa(&owner, *port).await;
        self.presented(endpoint, &addresses, &tlsa).await;
    }

    /// The addresses of a host, as any of its nameservers has them.
    async fn addresses(&mut self, host: &Name) -> BTreeSet<IpAddr> {
        let mut addresses = BTreeSet::new();
        let Some(zone) = self.walk.zone_of(host, &mut self.report).await else { return addresses };
        let mut without: BTreeMap<_, (Nameserver, usize)> = BTreeMap::new();
        for rtype in ADDRESSES {
            for found in self.look_up(&zone, host, rtype).await {
                let Found { rdatas, alias, server } = found;
                if let Some(alias) = alias.as_ref().filter(|_| rtype == Rtype::A) {
                    let text = format!("is an alias of {alias}; clients look for TLSA records there first");
                    self.report.add(Outcome::Warn, host, Some(&server), text);
                }
                if rdatas.is_empty() {
                    without.entry((server.address, alias)).or_insert((server, 0)).1 += 1;
                }
                addresses.extend(rdatas.iter().filter_map(|rdata| address(rdata)));
            }
        }
        for (server, _) in without.values().filter(|(_, count)| *count >= ADDRESSES.len()) {
            self.report.add(Outcome::Fail, host, Some(server), "has no addresses");
        }
        addresses
    }

    /// The TLSA records, and that nothing else at or above their owner is mistaken for absent.
    async fn tlsa(&mut self, owner: &Name, port: u16) -> Tlsa {
        let mut tlsa = Tlsa::new();
        let Some(zone) = self.walk.zone_of(owner, &mut self.report).await else { return tlsa };
        let mut without = BTreeSet::new();
        for found in self.look_up(&zone, owner, Rtype::TLSA).await {
            let Found { mut rdatas, server, .. } = found;
            if rdatas.is_empty() {
                let text = "there are no records: clients do not go by DANE";
                self.report.add(Outcome::Fail, format_args!("{owner} TLSA"), Some(&server), text);
                without.insert(server.address);
                continue;
            }
            rdatas.sort_unstable();
            tlsa.entry(rdatas).or_default().push(server.to_string());
        }
        let servers = self.servers(&zone).await;
        for server in servers.iter().filter(|server| !without.contains(&server.address)) {
            if let Some(parent) = owner.as_ref().parent() {
                self.nothing(&zone, server, &parent.to_owned()).await;
            }
            self.nothing(&zone, server, owner).await;
        }
        let records: BTreeSet<&Vec<u8>> = tlsa.keys().flatten().collect();
        let subject = format!("{owner} TLSA");
        let mut warnings = Vec::new();
        if tlsa.len() > 1 {
            let servers: Vec<String> = tlsa.values().map(|servers| servers.join(", ")).collect();
            warnings.push(format!("nameservers have different records: {}", servers.join("; ")));
        }
        if records.len() > MANY_RECORDS {
            let text = format!("{} records; some large senders fail above {MANY_RECORDS}", records.len());
            warnings.push(text);
        }
        for rdata in records {
            match Association::from_rdata(Rtype::TLSA, rdata) {
                Err(error) => warnings.push(format!("a record that no client can use: {error}")),
                Ok(record)
                    if port == SMTP
                        && matches!(record.params().usage(), Some(Usage::PkixTa | Usage::PkixEe)) =>
                {
                    let text = "mail servers take usage 0 and 1 for unusable (RFC 7672 §3.1.3)";
                    warnings.push(format!("{record}: {text}"));
                }
                Ok(_) => {}
            }
        }
        for warning in warnings {
            self.report.add(Outcome::Warn, &subject, None, warning);
        }
        tlsa
    }

    /// That a name without addresses is not said to be absent: a resolver that minimises its questions (RFC 9156)
    /// asks there first, and some clients ask for addresses at the owner of TLSA records.
    async fn nothing(&mut self, zone: &Zone, server: &Nameserver, name: &Name) {
        let subject = format!("{name} A");
        match zone.ask(server, name.as_ref(), Rtype::A).await {
            Ok(Proof::NoData) => {
                self.report.add(Outcome::Ok, subject, Some(server), "no addresses, and other records exist");
            }
            Ok(Proof::NoName) => {
                let text = "the name is said not to exist, so nothing is looked for below it";
                self.report.add(Outcome::Fail, subject, Some(server), text);
            }
            Ok(Proof::Records { .. } | Proof::Alias { .. }) => {}
            Err(error) => self.report.add(Outcome::Fail, subject, Some(server), error),
        }
    }

    /// Asks every nameserver, follows aliases, and reports. Answers that are of no use are left out. Where an alias leads
    /// into another zone, every nameserver of that is asked: a client meets any one of them.
    async fn look_up(&mut self, zone: &Arc<Zone>, name: &Name, rtype: Rtype) -> Vec<Found> {
        let subject = format!("{name} {rtype}");
        let begin = |server: &Nameserver| Question {
            zone: Arc::clone(zone),
            server: server.clone(),
            owner: name.clone(),
            aliases: 0,
        };
        let mut questions: VecDeque<Question> = self.servers(zone).await.iter().map(begin).collect();
        // Several nameservers lead to the same ones. One that leads back to itself is not among them.
        let mut asked = BTreeSet::new();
        let mut all = Vec::new();
        while let Some(Question { zone, server, owner, aliases }) = questions.pop_front() {
            if !asked.insert((aliases, owner.clone(), server.address)) {
                continue;
            }
            match zone.ask(&server, owner.as_ref(), rtype).await {
                Ok(Proof::Alias { .. }) if aliases == MAX_ALIASES => {
                    let text = format!("leads through more than {MAX_ALIASES} aliases");
                    self.report.add(Outcome::Fail, &subject, Some(&server), text);
                }
                Ok(Proof::Alias { target }) => {
                    let Some(next) = self.walk.zone_of(&target, &mut self.report).await else { continue };
                    let servers =
                        if next.name == zone.name { Arc::from([server]) } else { self.servers(&next).await };
                    questions.extend(servers.iter().map(|server| Question {
                        zone: Arc::clone(&next),
                        server: server.clone(),
                        owner: target.clone(),
                        aliases: aliases + 1,
                    }));
                }
                Ok(Proof::Records { rdatas, ttl, expires }) => {
                    self.signed(&subject, &server, rdatas.len(), ttl, expires);
                    let alias = Some(owner).filter(|owner| owner != name);
                    all.push(Found { rdatas, alias, server });
                }
                Ok(proof) => {
                    let text = match proof {
                        Proof::NoName => "the name does not exist",
                        _ => "no such records",
                    };
                    self.report.add(Outcome::Ok, &subject, Some(&server), format_args!("proven: {text}"));
                    let alias = Some(owner).filter(|owner| owner != name);
                    all.push(Found { rdatas: Vec::new(), alias, server });
                }
                Err(error) => self.report.add(Outcome::Fail, &subject, Some(&server), error),
            }
        }
        all
    }

    fn signed(&mut self, subject: &str, server: &Nameserver, count: usize, ttl: Ttl, expires: Timestamp) {
        let records = if count == 1 { "record" } else { "records" };
        let text = format!("{count} {records}, TTL {}, signed until {expires}", ttl.0);
        self.report.add(Outcome::Ok, subject, Some(server), text);
        if expires.since(clock::now()).0 < u64::from(ttl.0) {
            let text = "the signature expires before the TTL is over";
            self.report.add(Outcome::Warn, subject, Some(server), text);
        }
    }

    /// The nameservers of a zone that answer for it. Those that do not are reported once.
    async fn servers(&mut self, zone: &Zone) -> Arc<[Nameserver]> {
        if let Some(servers) = self.servers.get(&zone.name) {
            return Arc::clone(servers);
        }
        let subject = format!("{} SOA", zone.name);
        let mut all = zone.servers.clone();
        if self.walk.known.get(&zone.name).is_some_and(|known| known.and_named) {
            self.add_named(zone, &mut all).await;
        }
        let mut serials: Vec<(u32, &Nameserver)> = Vec::new();
        for server in &all {
            match serial(zone, server).await {
                Ok(serial) => serials.push((serial, server)),
                Err(error) => self.report.add(Outcome::Fail, &subject, Some(server), error),
            }
        }
        // RFC 1982: there is a greatest one unless they are half a circle apart.
        let newest = serials.iter().map(|(serial, _)| *serial);
        let newest = newest.reduce(|a, b| if (b.wrapping_sub(a) as i32) > 0 { b } else { a });
        for (serial, server) in &serials {
            let (outcome, text) = match newest.filter(|newest| newest != serial) {
                None => (Outcome::Ok, format!("serial {serial}")),
                Some(newest) => {
                    (Outcome::Warn, format!("serial {serial} is behind, another nameserver has {newest}"))
                }
            };
            self.report.add(outcome, &subject, Some(*server), text);
        }
        let servers: Arc<[Nameserver]> = serials.into_iter().map(|(_, server)| server.clone()).collect();
        self.servers.insert(zone.name.clone(), Arc::clone(&servers));
        servers
    }

    /// Adds the nameservers that the zone's NS records name.
    async fn add_named(&mut self, zone: &Zone, servers: &mut Vec<Nameserver>) {
        let subject = format!("{} NS", zone.name);
        let mut rdatas = Vec::new();
        for server in &zone.servers {
            match zone.ask(server, zone.name.as_ref(), Rtype::NS).await {
                Ok(Proof::Records { rdatas: found, .. }) => {
                    rdatas = found;
                    break;
                }
                Ok(_) => self.report.add(Outcome::Fail, &subject, Some(server), "gives no NS records"),
                // What is wrong with it is said of its SOA record.
                Err(_) => {}
            }
        }
        for name in rdatas.iter().filter_map(|rdata| NameRef::from_wire(rdata).ok()) {
            let addresses = self.walk.addresses_of(&name.to_owned()).await;
            if addresses.is_empty() {
                self.report.add(
                    Outcome::Fail,
                    &subject,
                    None,
                    format_args!("no address is found for {name}"),
                );
            }
            for address in addresses {
                let address = SocketAddr::new(address, self.walk.port);
                if servers.iter().all(|server| server.address != address) {
                    servers.push(Nameserver { name: name.undotted(), address });
                }
            }
        }
    }
}

/// The serial that a nameserver has, proven.
async fn serial(zone: &Zone, server: &Nameserver) -> Result<u32, NoSerial> {
    let Proof::Records { rdatas, .. } = zone.ask(server, zone.name.as_ref(), Rtype::SOA).await? else {
        return Err(NoSerial::NoSoa);
    };
    let numbers = rdatas.first().and_then(|rdata| rdata.last_chunk::<20>()).ok_or(NoSerial::NoSoa)?;
    Ok(u32::from_be_bytes([numbers[0], numbers[1], numbers[2], numbers[3]]))
}

/// Why a nameserver tells no serial.
#[derive(Debug, thiserror::Error)]
enum NoSerial {
    #[error("{0}")]
    Unusable(#[from] Unusable),
    #[error("gives no SOA record")]
    NoSoa,
}

/// A host and a port, as people write them.
struct Place<'p>(&'p Name, u16);

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.0.as_ref().undotted(), self.1)
    }
}
