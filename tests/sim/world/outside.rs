//! Who reads the zones: secondaries, and resolvers with caches.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;

use danelaw::dns::name::Name;
use danelaw::dns::rtype::Rtype;
use danelaw::dns::time::{Seconds, Timestamp, Ttl};
use danelaw::dnssec::rrsig::Fields;
use danelaw::engine::Input;
use danelaw::zone::history::{History, condense};
use danelaw::zone::{Node, Snapshot};

use super::ghosts::ghosts_of;
use super::{Event, World};

/// A version as somebody serves it, with what the invariants ask of it all the time.
pub(crate) struct Served {
    pub(crate) snapshot: Arc<Snapshot>,
    pub(crate) largest_ttl: Ttl,
    /// The keys that made its signatures.
    pub(crate) signers: BTreeSet<u16>,
}

impl Served {
    pub(crate) fn new(snapshot: Arc<Snapshot>) -> Self {
        let nodes = || snapshot.nodes.iter().chain(snapshot.nsec3.iter());
        let largest_ttl = nodes().flat_map(Node::rrsets).map(|rrset| rrset.ttl()).max().unwrap();
        let signatures = nodes().flat_map(Node::rrsets).flat_map(|rrset| rrset.signature_rdatas());
        let signers = signatures.map(|rdata| Fields::from_rdata(rdata).unwrap().0.key_tag).collect();
        Self { snapshot, largest_ttl, signers }
    }

    /// The rdatas of an RRset and its TTL.
    pub(crate) fn rrset(&self, owner: &Name, rtype: Rtype) -> Option<(Ttl, Vec<Vec<u8>>)> {
        let rrset = self.snapshot.nodes.get(owner.as_ref())?.rrset(rtype)?;
        Some((rrset.ttl(), rrset.rdatas().map(<[u8]>::to_vec).collect()))
    }
}

/// A secondary of every zone.
pub(crate) struct Secondary {
    pub(crate) name: String,
    pub(crate) address: SocketAddr,
    /// From a NOTIFY to the new version.
    pub(crate) delay: Seconds,
    /// Until then it answers nobody.
    pub(crate) dead_until: Timestamp,
    /// It is no nameserver of the zones any more, and nobody asks it.
    pub(crate) retired: bool,
    /// Until then it reaches no primary. It goes on serving what it has, until SOA expire.
    pub(crate) cut_off: Timestamp,
    pub(crate) zones: BTreeMap<Name, (Arc<Served>, Timestamp)>,
}

impl Secondary {
    /// What it serves, if it does.
    pub(crate) fn serves(&self, zone: &Name, now: Timestamp) -> Option<&Arc<Served>> {
        let (served, confirmed) = self.zones.get(zone)?;
        let expire = Seconds(u64::from(served.snapshot.timers().expire));
        (now < *confirmed + expire).then_some(served)
    }
}

/// A validating resolver.
#[derive(Default)]
pub(crate) struct Resolver {
    pub(crate) cache: BTreeMap<(Name, Rtype), Cached>,
}

/// What it remembers: records, or that there are none.
pub(crate) struct Cached {
    pub(crate) rdatas: Vec<Vec<u8>>,
    pub(crate) until: Timestamp,
}

impl Resolver {
    /// What it uses without asking.
    pub(crate) fn knows(&self, now: Timestamp) -> impl Iterator<Item = (&Name, Rtype, &[Vec<u8>])> {
        let fresh = self.cache.iter().filter(move |(_, cached)| now < cached.until);
        fresh.map(|((owner, rtype), cached)| (owner, *rtype, &cached.rdatas[..]))
    }

    /// Remembers an answer.
    pub(crate) fn ask(&mut self, now: Timestamp, owner: &Name, rtype: Rtype, served: &Served) {
        let (ttl, rdatas) =
            served.rrset(owner, rtype).unwrap_or((served.snapshot.negative_ttl(), Vec::new()));
        let until = now + Seconds::from(ttl);
        self.cache.insert((owner.clone(), rtype), Cached { rdatas, until });
    }
}

impl World {
    /// A secondary looks for a new version.
    pub(super) fn fetch(&mut self, index: usize, again: bool) {
        let reaches = self.engine.is_some()
            && !self.asleep
            && !self.secondaries[index].retired
            && self.secondaries[index].cut_off.max(self.secondaries[index].dead_until) <= self.now;
        let mut reports = Vec::new();
        let mut replaced = Vec::new();
        let mut next = RETRY;
        if reaches {
            next = REFRESH;
            let secondary = &mut self.secondaries[index];
            for (zone, served) in &self.primary {
                let serial = served.snapshot.serial();
                if let Some((had, _)) = secondary.zones.get(zone)
                    && self.haunted
                {
                    let services = self.config.services.values();
                    self.ghosts.extend(ghosts_of(services, zone, had, served, &secondary.name, self.now));
                }
                let confirmed = match secondary.zones.remove(zone) {
                    // RFC 1982: what is not newer is not fetched.
                    Some((had, _)) if had.snapshot.serial() >= serial => had,
                    Some((had, _)) => {
                        replaced.push(Arc::clone(&had));
                        self.incremental += usize::from(transferred(&had, &self.journals[zone], served));
                        Arc::clone(served)
                    }
                    None => Arc::clone(served),
                };
                let (remote, address) = (secondary.name.clone(), secondary.address);
                let outcome = Ok(confirmed.snapshot.serial());
                reports.push(Input::Secondary { zone: zone.clone(), remote, address, outcome });
                secondary.zones.insert(zone.clone(), (confirmed, self.now));
            }
        }
        if again {
            self.schedule(self.now + next, Event::Fetch(index, true));
        }
        if !reports.is_empty() {
            self.ask_nameservers_soon();
        }
        for had in replaced {
            self.judge_after(&had);
        }
        self.check_caches();
        for report in reports {
            self.tell(report);
        }
    }

    /// A resolver asks for what it does not know.
    pub(super) fn ask(&mut self, index: usize) {
        let owners: Vec<(Name, Rtype, Name)> = self
            .config
            .services
            .values()
            .flat_map(|service| &service.endpoints)
            .map(|endpoint| (endpoint.owner().clone(), Rtype::TLSA, endpoint.zone.clone()))
            .chain(self.config.zones.keys().map(|zone| (zone.clone(), Rtype::DNSKEY, zone.clone())))
            .collect();
        for (owner, rtype, zone) in owners {
            let knows =
                self.resolvers[index].knows(self.now).any(|(name, of, _)| *name == owner && of == rtype);
            if knows || self.secondaries.is_empty() {
                continue;
            }
            let secondary = self.chance(self.secondaries.len() as u64) as usize;
            if self.secondaries[secondary].dead_until > self.now {
                continue;
            }
            if let Some(served) = self.secondaries[secondary].serves(&zone, self.now) {
                let served = Arc::clone(served);
                self.resolvers[index].ask(self.now, &owner, rtype, &served);
            }
        }
        self.check_caches();
        let pause = Seconds(1 + self.chance(LONGEST_PAUSE));
        self.schedule(self.now + pause, Event::Ask(index));
    }
}

/// Whether `served` reaches a secondary that has `had` by its changes; they must lead there.
fn transferred(had: &Served, journal: &History, served: &Served) -> bool {
    let Some(steps) = journal.since(had.snapshot.serial()) else { return false };
    let mut made = had.snapshot.contents().clone();
    condense(steps).unwrap().apply(&mut made);
    let same = made.nodes.iter().eq(&served.snapshot.nodes) && made.nsec3.iter().eq(&served.snapshot.nsec3);
    assert!(same, "the changes to {:?} do not lead to {:?}", had.snapshot, served.snapshot);
    true
}

/// SOA refresh and retry of all zones here.
const REFRESH: Seconds = Seconds(14_400);
const RETRY: Seconds = Seconds(900);
/// The longest time between two questions of a resolver.
const LONGEST_PAUSE: u64 = 4_000;
