//! The walk from a trust anchor down to the zone of a name: which zones there are on the way, whose keys sign them, and
//! where their nameservers are.
//!
//! From zone to zone it is asked for DS records label by label, of the nameservers of the zone above. Every answer has
//! to be proven; where a zone is delegated without DS, nothing below can be.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use super::super::{clock, notify};
use super::anchor::Anchor;
use super::report::{Outcome, Report};
use crate::dns::name::{Name, NameRef};
use crate::dns::rtype::Rtype;
use crate::dnssec::proof::{Delegation, Dnskey, Flaw, Proof, Reply, find};

/// How often a nameserver is asked by UDP.
const TRIES: u32 = 2;

/// A nameserver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Nameserver {
    /// What people call it.
    pub name: String,
    /// Where it is.
    pub address: SocketAddr,
}

/// What is known of a zone's nameservers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Known {
    /// Some of them, or all.
    pub servers: Vec<Nameserver>,
    /// Whether those that the zone's NS records name are to be looked at as well.
    pub and_named: bool,
}

impl fmt::Display for Nameserver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.name, self.address)
    }
}

/// A zone whose keys are trusted.
#[derive(Debug)]
pub(super) struct Zone {
    pub(super) name: Name,
    pub(super) keys: Vec<Dnskey>,
    pub(super) servers: Vec<Nameserver>,
}

/// Why a nameserver's answer is of no use.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unusable {
    #[error("{0}")]
    Remote(#[from] notify::RemoteError),
    #[error("its response is malformed")]
    Malformed,
    #[error("{0}")]
    Flaw(#[from] Flaw),
}

impl Zone {
    /// Asks one of its nameservers; what comes back is proven.
    pub(super) async fn ask(
        &self,
        server: &Nameserver,
        name: NameRef<'_>,
        rtype: Rtype,
    ) -> Result<Proof, Unusable> {
        let reply = ask(server, name, rtype).await?;
        Ok(reply.proves(self.name.as_ref(), &self.keys, name, rtype, clock::now().into())?)
    }
}

/// Asks, and takes the answer as it is.
pub(super) async fn ask(server: &Nameserver, name: NameRef<'_>, rtype: Rtype) -> Result<Reply, Unusable> {
    let message = notify::ask(server.address, name, rtype, TRIES).await?;
    Reply::read(&message).map_err(|_| Unusable::Malformed)
}

/// What has been found on the way, and what leads on.
pub(super) struct Walk {
    pub(super) anchors: Vec<Anchor>,
    /// Zones whose nameservers need not be asked for.
    pub(super) known: BTreeMap<Name, Known>,
    /// The port of all other nameservers.
    pub(super) port: u16,
    /// Zones that have been reached, or not.
    pub(super) zones: BTreeMap<Name, Option<Arc<Zone>>>,
}

impl Walk {
    /// The zone that holds `name`, if the chain of trust leads there; what breaks it is in the report.
    pub(super) async fn zone_of(&mut self, name: &Name, report: &mut Report) -> Option<Arc<Zone>> {
        let above = std::iter::successors(Some(name.as_ref()), |name| name.parent());
        let anchor = above
            .map(NameRef::to_owned)
            .find_map(|zone| self.anchors.iter().find(|anchor| anchor.zone == zone));
        let Some(anchor) = anchor.cloned() else {
            report.add(Outcome::Fail, name, None, "no trust anchor for it, nor for any zone above");
            return None;
        };
        let mut zone = self.enter(&anchor, None, report).await?;
        for labels in anchor.zone.as_ref().label_count() + 1..=name.as_ref().label_count() {
            match self.step(&zone, &ancestor(name, labels), report).await? {
                Step::Cut(child) => zone = child,
                Step::None => {}
                Step::Nothing => break,
            }
        }
        Some(zone)
    }

    /// Whether there is a zone cut at `candidate`, right below names of `zone`.
    async fn step(&mut self, zone: &Arc<Zone>, candidate: &Name, report: &mut Report) -> Option<Step> {
        if let Some(entered) = self.zones.get(candidate) {
            return entered.clone().map(Step::Cut);
        }
        let mut last = None;
        for server in &zone.servers {
            let reply = match ask(server, candidate.as_ref(), Rtype::DS).await {
                Ok(reply) => reply,
                Err(error) => {
                    last = Some((server, error));
                    continue;
                }
            };
            let now = clock::now().into();
            let origin = zone.name.as_ref();
            match reply.proves(origin, &zone.keys, candidate.as_ref(), Rtype::DS, now) {
                Ok(Proof::Records { rdatas, .. }) => {
                    let anchor = Anchor { zone: candidate.clone(), ds: rdatas, dnskey: Vec::new() };
                    return self.enter(&anchor, Some(zone), report).await.map(Step::Cut);
                }
                Ok(Proof::Alias { .. } | Proof::NoName) => return Some(Step::Nothing),
                other => {
                    // Opt-out proves no absence, but that there is no zone that could be trusted.
                    let delegation = reply
                        .denials(origin, &zone.keys, now)
                        .map_or(Delegation::Unproven, |denials| denials.delegation(candidate.as_ref()));
                    match (delegation, other) {
                        (Delegation::None, Ok(_)) => return Some(Step::None),
                        (Delegation::Insecure, _) => {
                            let text =
                                format!("is, or may be, delegated by {} without DS records", zone.name);
                            report.add(Outcome::Fail, candidate, Some(server), text);
                            return None;
                        }
                        (_, Err(flaw)) => last = Some((server, flaw.into())),
                        (Delegation::Unproven, Ok(_)) => last = Some((server, Flaw::NoData.into())),
                    }
                }
            }
        }
        match last {
            Some((server, error)) => {
                report.add(Outcome::Fail, format_args!("{candidate} DS"), Some(server), error);
            }
            None => report.add(Outcome::Fail, &zone.name, None, "no nameserver of it is known"),
        }
        None
    }

    /// The zone that `anchor` names, delegated by `parent` if it is not trusted from the beginning.
    async fn enter(
        &mut self,
        anchor: &Anchor,
        parent: Option<&Arc<Zone>>,
        report: &mut Report,
    ) -> Option<Arc<Zone>> {
        if let Some(entered) = self.zones.get(&anchor.zone) {
            return entered.clone();
        }
        let zone = self.enter_anew(anchor, parent, report).await.map(Arc::new);
        self.zones.insert(anchor.zone.clone(), zone.clone());
        zone
    }

    async fn enter_anew(
        &mut self,
        anchor: &Anchor,
        parent: Option<&Arc<Zone>>,
        report: &mut Report,
    ) -> Option<Zone> {
        let servers = match (self.known.get(&anchor.zone), parent) {
            (Some(known), _) => known.servers.clone(),
            (None, Some(parent)) => self.servers_of(&anchor.zone, parent, report).await?,
            (None, None) => {
                let text = "is a trust anchor whose nameservers are not known; name one with --server";
                report.add(Outcome::Fail, &anchor.zone, None, text);
                return None;
            }
        };
        let subject = format!("{} DNSKEY", anchor.zone);
        let whence = match parent {
            None => "the trust anchor".to_owned(),
            Some(parent) => format!("a DS record of {}", parent.name),
        };
        let mut failures = Vec::new();
        for server in &servers {
            match keys(anchor, server).await {
                Ok((keys, tag)) => {
                    let text = format!("key {tag} is named by {whence} and signs the zone's keys");
                    report.add(Outcome::Ok, subject, Some(server), text);
                    return Some(Zone { name: anchor.zone.clone(), keys, servers });
                }
                Err(error) => failures.push((server, error)),
            }
        }
        for (server, error) in &failures {
            report.add(Outcome::Fail, &subject, Some(server), error);
        }
        if failures.is_empty() {
            report.add(Outcome::Fail, &subject, None, "the zone has no nameserver with an address");
        }
        None
    }

    /// The nameservers of a zone as its parent names them.
    async fn servers_of(
        &mut self,
        zone: &Name,
        parent: &Arc<Zone>,
        report: &mut Report,
    ) -> Option<Vec<Nameserver>> {
        let mut reply = None;
        for server in &parent.servers {
            if let Ok(answer) = ask(server, zone.as_ref(), Rtype::NS).await {
                reply = Some(answer);
                break;
            }
        }
        let Some(reply) = reply else {
            report.add(Outcome::Fail, format_args!("{zone} NS"), None, "no nameserver of the parent answers");
            return None;
        };
        // A referral, or the child's own words where the server holds both; neither need be believed: whoever is
        // asked has to prove what it says.
        let sections = [&reply.answer, &reply.authority];
        let delegation = sections.into_iter().find_map(|section| find(section, zone.as_ref(), Rtype::NS));
        let names = delegation.into_iter().flat_map(|rrset| &rrset.rdatas);
        let names: Vec<Name> =
            names.filter_map(|rdata| NameRef::from_wire(rdata).ok().map(NameRef::to_owned)).collect();
        let mut servers = Vec::new();
        for name in names {
            let glue = [Rtype::A, Rtype::AAAA].into_iter().filter_map(|rtype| {
                let rrset = find(&reply.additional, name.as_ref(), rtype)?;
                Some(rrset.rdatas.iter().filter_map(|rdata| address(rdata)).collect::<Vec<_>>())
            });
            let mut addresses: Vec<IpAddr> = glue.flatten().collect();
            if addresses.is_empty() {
                addresses = self.addresses_of(&name).await;
            }
            let server = |address| Nameserver {
                name: name.as_ref().undotted(),
                address: SocketAddr::new(address, self.port),
            };
            servers.extend(addresses.into_iter().map(server));
        }
        Some(servers)
    }

    /// The addresses of a nameserver: as the zone that holds its name has them, or as the system's resolver does. They
    /// need no proof, as whoever is asked there has to prove what it says.
    pub(super) async fn addresses_of(&self, name: &Name) -> Vec<IpAddr> {
        let mut above = std::iter::successors(Some(name.as_ref()), |name| name.parent());
        let Some(zone) = above.find_map(|zone| self.zones.get(&zone.to_owned())?.as_ref()) else {
            let found = tokio::net::lookup_host((name.as_ref().undotted(), self.port)).await;
            return found.into_iter().flatten().map(|address| address.ip()).collect();
        };
        let mut addresses = Vec::new();
        for rtype in [Rtype::A, Rtype::AAAA] {
            for server in &zone.servers {
                if let Ok(reply) = ask(server, name.as_ref(), rtype).await {
                    let rrset = find(&reply.answer, name.as_ref(), rtype);
                    let rdatas = rrset.into_iter().flat_map(|rrset| &rrset.rdatas);
                    addresses.extend(rdatas.filter_map(|rdata| address(rdata)));
                    break;
                }
            }
        }
        addresses
    }
}

/// What a name is to the zone above.
enum Step {
    /// The apex of a zone.
    Cut(Arc<Zone>),
    /// A name of the zone above.
    None,
    /// Not there, so nothing is below it.
    Nothing,
}

/// Why a nameserver's keys are not trusted.
#[derive(Debug, thiserror::Error)]
enum Untrusted {
    #[error("{0}")]
    Unusable(#[from] Unusable),
    #[error("gives no DNSKEY records: the zone is not signed")]
    Unsigned,
    #[error("none of the keys {} is trusted, expected the key that {whence}", Tags(.tags))]
    Stranger { tags: Vec<u16>, whence: &'static str },
    #[error("{0}")]
    Flaw(#[from] Flaw),
}

struct Tags<'t>(&'t [u16]);

impl fmt::Display for Tags<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tags: Vec<String> = self.0.iter().map(u16::to_string).collect();
        f.write_str(&tags.join(", "))
    }
}

/// The keys of the zone that `anchor` names, as a nameserver has them, and the tag of the one that is trusted.
async fn keys(anchor: &Anchor, server: &Nameserver) -> Result<(Vec<Dnskey>, u16), Untrusted> {
    let reply = ask(server, anchor.zone.as_ref(), Rtype::DNSKEY).await?;
    let rrset = find(&reply.answer, anchor.zone.as_ref(), Rtype::DNSKEY).ok_or(Untrusted::Unsigned)?;
    let keys: Vec<Dnskey> = rrset.rdatas.iter().filter_map(|rdata| Dnskey::from_rdata(rdata)).collect();
    let trusted: Vec<Dnskey> = keys.iter().filter(|key| anchor.trusts(key)).cloned().collect();
    if trusted.is_empty() {
        let whence = if anchor.ds.is_empty() { "the anchor is" } else { "a DS record names" };
        return Err(Untrusted::Stranger { tags: keys.iter().map(Dnskey::tag).collect(), whence });
    }
    let mut flaw = None;
    for key in &trusted {
        let one = std::slice::from_ref(key);
        match rrset.verify(anchor.zone.as_ref(), one, clock::now().into()) {
            Ok(_) => return Ok((keys, key.tag())),
            Err(why) => flaw = Some(why),
        }
    }
    let why = flaw.unwrap_or(crate::dnssec::proof::Unproven::Unsigned);
    Err(Flaw::Unproven { rtype: Rtype::DNSKEY, why }.into())
}

/// An address record's rdata.
pub(super) fn address(rdata: &[u8]) -> Option<IpAddr> {
    match rdata.len() {
        4 => <[u8; 4]>::try_from(rdata).ok().map(|octets| Ipv4Addr::from(octets).into()),
        16 => <[u8; 16]>::try_from(rdata).ok().map(|octets| Ipv6Addr::from(octets).into()),
        _ => None,
    }
}

/// The ancestor with so many labels, or the name itself.
fn ancestor(name: &Name, labels: usize) -> Name {
    let above = std::iter::successors(Some(name.as_ref()), |name| name.parent());
    above.into_iter().find(|name| name.label_count() <= labels).unwrap_or(name.as_ref()).to_owned()
}
