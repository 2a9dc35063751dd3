//! What there is to look at from outside, as a resolver and a client would: nameservers, and the services themselves.
//!
//! The engine says which; the host looks again and again, and tells what it sees. An address that danelaw serves
//! itself is taken from there; only other names are left to the host's resolver.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use super::Engine;
use super::input::Effect;
use super::job::Managed;
use super::service::Service;
use super::zone::Zone;
use crate::config::{Endpoint, Manner, Parent, Probe, Propagation, Transport, defaults};
use crate::dns::name::{Name, NameRef};
use crate::dns::rtype::Rtype;
use crate::dns::time::{Now, Timestamp, Ttl};
use crate::dnssec::proof::{Dnskey, Rrset};
use crate::tlsa::Association;
use crate::tlsa::rollover::{Outside, Place};
use crate::zone::contents::SoaTimers;
use crate::zone::{Serial, Snapshot};

/// A nameserver to ask for an RRset.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Question {
    /// The zone that holds the RRset.
    pub zone: Name,
    /// The owner.
    pub owner: Name,
    /// The type.
    pub rtype: Rtype,
    /// Whom to ask.
    pub server: Target,
}

/// An endpoint to look at.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Visit {
    /// The service in the configuration.
    pub service: String,
    /// What clients connect to, for SNI.
    pub host: Name,
    /// The port.
    pub port: u16,
    /// How TLS begins.
    pub manner: Manner,
    /// The domain whose service it is, if that is not the host.
    pub domain: Option<Name>,
    /// Where to connect.
    pub target: Target,
}

/// An address, or a name that only a resolver knows the addresses of.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Target {
    /// What people call it.
    pub name: String,
    /// Where it is.
    pub at: At,
}

/// Where something is.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum At {
    /// Here.
    Address(SocketAddr),
    /// At all addresses of this name.
    Host(Name, u16),
}

/// A zone's parent, where its DS records are looked for.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct ParentWatch {
    /// The zone.
    pub zone: Name,
    /// Where its parent is served; empty: that is to be found out.
    pub servers: Vec<At>,
    /// Something is awaited there.
    pub urgent: bool,
}

/// Everything that there is to look at.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Lookout {
    /// Nameservers.
    pub questions: BTreeSet<Question>,
    /// Endpoints.
    pub visits: BTreeSet<Visit>,
    /// Parents.
    pub parents: BTreeSet<ParentWatch>,
}

/// An RRset as a nameserver gave it; no records when there are none.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct SignedRrset {
    /// The TTL.
    pub ttl: Ttl,
    /// The rdata of each record.
    pub rdatas: Vec<Vec<u8>>,
    /// The rdata of each RRSIG that came with it.
    pub signatures: Vec<Vec<u8>>,
}

/// What each address of a nameserver gave, or why it has none.
pub type Answers = Result<Vec<(SocketAddr, Result<SignedRrset, String>)>, String>;

/// What a server sent in a handshake.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Chain {
    /// Certificates in DER, the server's own first.
    pub certificates: Vec<Vec<u8>>,
    /// It is sent to clients that ask for the host by name, as those that go by DANE do (RFC 7671 §7.2). A chain for
    /// others keeps its records, and gets none.
    pub by_name: bool,
}

impl Target {
    /// Its name, and its address where that is known.
    pub fn label(&self) -> String {
        match self.at {
            At::Address(address) => format!("{} {address}", self.name),
            At::Host(..) => self.name.clone(),
        }
    }
}

impl Question {
    /// What the rollover calls it.
    pub(super) fn place(&self) -> Place {
        Place { server: self.server.label().into(), owner: self.owner.as_ref().undotted().into() }
    }
}

impl Visit {
    /// What the rollover calls it.
    pub(super) fn label(&self) -> Arc<str> {
        match self.target.at {
            At::Address(address) => format!("{} at {address}", self.target.name).into(),
            At::Host(..) => self.target.name.as_str().into(),
        }
    }
}

/// What there is to look at for one service.
pub(super) fn of_service(service: &Service, zones: &BTreeMap<Name, Zone>, lookout: &mut Lookout) -> Outside {
    let mut outside = Outside::default();
    for (name, managed) in service.managed() {
        let Some(zone) = zones.get(&name) else { continue };
        if let Some(snapshot) = zone.snapshot() {
            outside.negative = outside.negative.max(snapshot.negative_ttl());
        }
        for server in servers(zone, zones) {
            let (owner, rtype) = managed.rrset();
            let question = Question { zone: name.clone(), owner, rtype, server };
            outside.places.insert(question.place());
            lookout.questions.insert(question);
        }
    }
    for visit in visits(service, zones) {
        outside.visits.insert(visit.label());
        lookout.visits.insert(visit);
    }
    outside
}

/// What there is to look at for one zone's keys: nameservers while they have yet to show a version, and the parent.
pub(super) fn of_keys(
    zone: &Zone,
    zones: &BTreeMap<Name, Zone>,
    lookout: &mut Lookout,
) -> BTreeSet<Question> {
    let origin = zone.origin();
    if let Some(urgent) = zone.awaits_parent().filter(|_| zone.config.parent != Parent::Off) {
        let mut servers = match &zone.config.parent {
            Parent::At(addresses) => addresses.iter().copied().map(At::Address).collect(),
            Parent::Auto | Parent::Off => Vec::new(),
        };
        // A parent that danelaw serves has its nameservers here, not all of them with addresses.
        let above =
            std::iter::successors(origin.as_ref().parent(), |name| name.parent()).map(NameRef::to_owned);
        if let Some(parent) = above.filter(|_| servers.is_empty()).find_map(|name| zones.get(&name)) {
            servers.extend(self::servers(parent, zones).into_iter().map(|server| server.at));
        }
        lookout.parents.insert(ParentWatch { zone: origin.clone(), servers, urgent });
    }
    if !zone.awaits_nameservers() {
        return BTreeSet::new();
    }
    let questions = servers(zone, zones).into_iter().map(|server| Question {
        zone: origin.clone(),
        owner: origin.clone(),
        rtype: Rtype::SOA,
        server,
    });
    let questions: BTreeSet<Question> = questions.collect();
    lookout.questions.extend(questions.iter().cloned());
    questions
}

impl Engine {
    /// A nameserver gave an RRset; services may share it.
    pub(super) fn answered(&mut self, now: Now, question: &Question, outcome: &Answers) {
        if question.rtype == Rtype::SOA {
            if let Some(zone) = self.zones.get_mut(&question.zone) {
                zone.nameserver_answered(now, question, outcome);
            }
            return;
        }
        let Some(snapshot) = self.zones.get(&question.zone).and_then(Zone::snapshot) else { return };
        for service in self.services.values_mut() {
            let concerns = |(zone, managed): (Name, Managed)| {
                zone == question.zone && managed.owner == question.owner && managed.rtype == question.rtype
            };
            if service.managed().any(concerns) {
                service.answered(now, snapshot, question, outcome);
            }
        }
    }

    /// Finds out whom there is to look at, when that may have changed.
    pub(super) fn look_outside(&mut self, effects: &mut Vec<Effect>) {
        let published = effects.iter().any(|effect| matches!(effect, Effect::Publish { .. }));
        if !self.look_around && !published {
            return;
        }
        self.look_around = false;
        let mut lookout = Lookout::default();
        let all: Vec<(String, _)> = self
            .services
            .iter()
            .map(|(name, service)| (name.clone(), of_service(service, &self.zones, &mut lookout)))
            .collect();
        let of_keys: Vec<(Name, _)> = self
            .zones
            .iter()
            .map(|(name, zone)| (name.clone(), of_keys(zone, &self.zones, &mut lookout)))
            .collect();
        for (name, asked) in of_keys {
            if let Some(zone) = self.zones.get_mut(&name) {
                zone.has_nameservers(asked);
            }
        }
        let now = self.clock.latest;
        for (name, outside) in all {
            if let Some(service) = self.services.get_mut(&name) {
                service.look_at(now, &outside);
            }
        }
        if *self.lookout != lookout {
            self.lookout = Arc::new(lookout);
            effects.push(Effect::Look(Arc::clone(&self.lookout)));
        }
    }
}

/// Every nameserver that caches may ask for this zone.
fn servers(zone: &Zone, zones: &BTreeMap<Name, Zone>) -> Vec<Target> {
    let mut servers: BTreeMap<SocketAddr, Target> = BTreeMap::new();
    let mut others = Vec::new();
    for remote in &zone.config.secondaries {
        for &address in &remote.addresses {
            let target = Target { name: remote.name.clone(), at: At::Address(address) };
            servers.insert(address, target);
        }
    }
    let apex = zone.snapshot().filter(|_| zone.config.propagation == Propagation::All);
    let nameservers = apex.and_then(|snapshot| snapshot.nodes.get(zone.origin().as_ref())?.rrset(Rtype::NS));
    for rdata in nameservers.into_iter().flat_map(|rrset| rrset.rdatas()) {
        let Ok(name) = NameRef::from_wire(rdata) else { continue };
        let name = name.to_owned();
        let addresses = addresses(&name, zones);
        if addresses.is_empty() {
            others.push(Target {
                name: name.as_ref().undotted(),
                at: At::Host(name.clone(), defaults::DNS_PORT),
            });
        }
        for address in addresses {
            let at = SocketAddr::new(address, defaults::DNS_PORT);
            servers
                .entry(at)
                .or_insert_with(|| Target { name: name.as_ref().undotted(), at: At::Address(at) });
        }
    }
    servers.into_values().chain(others).collect()
}

/// Where the service is to be looked at.
fn visits(service: &Service, zones: &BTreeMap<Name, Zone>) -> Vec<Visit> {
    let config = &service.config;
    let over_tcp = || config.endpoints.iter().filter(|endpoint| endpoint.transport == Transport::Tcp);
    let visit = |endpoint: &Endpoint, at| Visit {
        service: config.name.clone(),
        host: endpoint.host.clone(),
        port: endpoint.port,
        manner: config.manner.unwrap_or_else(|| Manner::of_port(endpoint.port)),
        domain: config.domain.clone(),
        target: Target { name: endpoint.to_string(), at },
    };
    match &config.probe {
        Probe::Off => Vec::new(),
        Probe::At(places) => places
            .iter()
            .filter_map(|&address| {
                // Behind a forwarded port there is an endpoint all the same.
                let same = over_tcp().find(|endpoint| endpoint.port == address.port());
                Some(visit(same.or_else(|| over_tcp().next())?, At::Address(address)))
            })
            .collect(),
        Probe::Auto => over_tcp()
            .flat_map(|endpoint| {
                let addresses = addresses(&endpoint.host, zones);
                let unknown = addresses.is_empty().then(|| At::Host(endpoint.host.clone(), endpoint.port));
                let known = addresses.into_iter().map(|ip| At::Address(SocketAddr::new(ip, endpoint.port)));
                known.chain(unknown).map(|at| visit(endpoint, at)).collect::<Vec<_>>()
            })
            .collect(),
    }
}

/// The addresses of a name, as far as danelaw serves them.
fn addresses(name: &Name, zones: &BTreeMap<Name, Zone>) -> Vec<IpAddr> {
    let mut name = name.clone();
    for _ in 0..MAX_CNAMES {
        let above = std::iter::successors(Some(name.as_ref()), |name| name.parent());
        let Some(zone) = above.map(NameRef::to_owned).find_map(|origin| zones.get(&origin)) else { break };
        let Some(node) = zone.snapshot().and_then(|snapshot| snapshot.nodes.get(name.as_ref())) else {
            break;
        };
        if let Some(alias) = node.rrset(Rtype::CNAME) {
            let Ok(target) = NameRef::from_wire(alias.first()) else { break };
            name = target.to_owned();
            continue;
        }
        let of_type = |rtype| node.rrset(rtype).into_iter().flat_map(|rrset| rrset.rdatas());
        let v4 = of_type(Rtype::A).filter_map(|rdata| <[u8; 4]>::try_from(rdata).ok());
        let v6 = of_type(Rtype::AAAA).filter_map(|rdata| <[u8; 16]>::try_from(rdata).ok());
        let v4 = v4.map(|octets| Ipv4Addr::from(octets).into());
        return v4.chain(v6.map(|octets| Ipv6Addr::from(octets).into())).collect();
    }
    Vec::new()
}

/// The associations that a nameserver of this zone gave, and their TTL. Without a valid signature they are nothing
/// that a cache would keep.
pub(super) fn read(
    zone: &Snapshot,
    question: &Question,
    answer: &SignedRrset,
    now: Now,
) -> Result<(Vec<Association>, Option<Ttl>), String> {
    if answer.rdatas.is_empty() {
        return Ok((Vec::new(), None));
    }
    is_valid(zone, question, answer, now)?;
    let associations = answer.rdatas.iter();
    let associations = associations.filter_map(|rdata| Association::from_rdata(question.rtype, rdata).ok());
    Ok((associations.collect(), Some(answer.ttl)))
}

/// The version that a nameserver of this zone has.
pub(super) fn serial_of(
    zone: &Snapshot,
    question: &Question,
    answer: &SignedRrset,
    now: Now,
) -> Result<Serial, String> {
    let soa = answer.rdatas.first().ok_or_else(|| "gives no SOA record".to_owned())?;
    let timers = SoaTimers::read(soa).ok_or_else(|| "gives a SOA record that is malformed".to_owned())?;
    is_valid(zone, question, answer, now)?;
    Ok(Serial(timers.serial))
}

/// Whether an answer is one that validators take, by the keys that are served.
fn is_valid(zone: &Snapshot, question: &Question, answer: &SignedRrset, now: Now) -> Result<(), String> {
    let Some(dnskeys) = zone.apex().and_then(|apex| apex.rrset(Rtype::DNSKEY)) else { return Ok(()) };
    let keys: Vec<Dnskey> = dnskeys.rdatas().filter_map(Dnskey::from_rdata).collect();
    let rrset = Rrset {
        owner: question.owner.clone(),
        rtype: question.rtype,
        ttl: answer.ttl,
        rdatas: answer.rdatas.clone(),
        signatures: answer.signatures.clone(),
    };
    rrset
        .verify(zone.origin().as_ref(), &keys, now)
        .map(drop)
        .map_err(|why| format!("gives a {} RRset that {why}", question.rtype))
}

/// What went wrong at a place or an endpoint since it was last looked at.
#[derive(Clone, Debug)]
pub(super) struct Hidden {
    pub(super) since: Timestamp,
    pub(super) error: String,
}

/// A chain of CNAME records longer than this is a circle.
const MAX_CNAMES: usize = 8;
