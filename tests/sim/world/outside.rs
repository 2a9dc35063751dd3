//! Who reads the zones: secondaries, and resolvers with caches.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;

use danelaw::dns::name::Name;
use danelaw::dns::rtype::Rtype;
use danelaw::dns::time::{Seconds, Timestamp, Ttl};
use danelaw::dnssec::rrsig::Fields;
use danelaw::zone::{Node, Snapshot};

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
