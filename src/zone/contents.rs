//! What drafts and snapshots have in common: the trees of a zone and where names stand in them.

use super::node::{Node, NodeBuilder, RrsetRef};
use super::tree::{Descent, Tree};
use crate::dns::name::{Key, Name, NameRef};
use crate::dns::rtype::Rtype;
use crate::dns::time::Ttl;

/// The records of a zone.
#[derive(Clone)]
pub struct Contents {
    origin: Name,
    /// Every owner name with data except the owners of NSEC3 records.
    pub nodes: Tree,
    /// The NSEC3 records, by owner name, which is the order of their hashes (RFC 5155 §1.3).
    pub nsec3: Tree,
}

/// How a name relates to the zone's cuts (RFC 1034 §4.2.1, RFC 6672 §2.4).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Standing {
    /// The zone speaks for it.
    Authoritative,
    /// A delegation: NS records away from the apex. Only its DS and its NSEC are authoritative.
    Cut,
    /// Below a delegation or a DNAME: glue or hidden data.
    Occluded,
}

/// What the SOA record says (RFC 1035 §3.3.13).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SoaTimers {
    /// The serial as written in the record.
    pub serial: u32,
    /// Seconds between a secondary's checks.
    pub refresh: u32,
    /// Seconds between its tries after a failure.
    pub retry: u32,
    /// Seconds after which it stops serving.
    pub expire: u32,
    /// The negative TTL's upper bound (RFC 2308 §4).
    pub minimum: u32,
}

impl Contents {
    /// No records yet.
    pub fn new(origin: Name) -> Self {
        let length = origin.len();
        Self { origin, nodes: Tree::new(length), nsec3: Tree::new(length) }
    }

    /// The apex's name.
    pub fn origin(&self) -> &Name {
        &self.origin
    }

    /// The apex's node.
    pub fn apex(&self) -> Option<&Node> {
        self.nodes.get(self.origin.as_ref())
    }

    /// The SOA RRset.
    pub fn soa(&self) -> Option<RrsetRef<'_>> {
        self.apex()?.rrset(Rtype::SOA)
    }

    /// What the SOA record says.
    pub fn soa_timers(&self) -> Option<SoaTimers> {
        SoaTimers::read(self.soa()?.first())
    }

    /// The TTL of negative answers and of NSEC and NSEC3 records: min(SOA TTL, SOA MINIMUM) (RFC 9077 §3).
    pub fn negative_ttl(&self) -> Ttl {
        match (self.soa(), self.soa_timers()) {
            (Some(soa), Some(timers)) => Ttl(soa.ttl().0.min(timers.minimum)),
            _ => Ttl(0),
        }
    }

    /// Whether `name` is at or below the apex.
    pub fn covers(&self, name: NameRef<'_>) -> bool {
        name.is_at_or_below(self.origin.as_ref())
    }

    /// Whether `node` is a delegation: NS away from the apex.
    pub fn is_cut(&self, node: &Node) -> bool {
        // Every node is at or below the apex, so the one that is as long is the apex.
        node.has(Rtype::NS) && node.owner().wire().len() != self.origin.as_ref().wire().len()
    }

    /// Whether names below `node` are outside the zone's authority: a delegation, or a DNAME.
    pub fn occludes(&self, node: &Node) -> bool {
        node.may_occlude() && (self.is_cut(node) || node.has(Rtype::DNAME))
    }

    /// The topmost ancestor of `name` that puts it outside the zone's authority.
    pub fn cut_above(&self, name: NameRef<'_>) -> Option<&Node> {
        match self.nodes.descend(&self.nodes.key(name), Some(name), |node| self.occludes(node)) {
            Descent::Stopped(node) => Some(node),
            Descent::Found(_) | Descent::Missing(_) => None,
        }
    }

    /// How `name` relates to the zone's cuts; a name that does not exist is authoritative unless it is occluded.
    pub fn standing(&self, name: NameRef<'_>) -> Standing {
        match self.nodes.descend(&self.nodes.key(name), Some(name), |node| self.occludes(node)) {
            Descent::Stopped(_) => Standing::Occluded,
            Descent::Found(node) if self.is_cut(node) => Standing::Cut,
            Descent::Found(_) | Descent::Missing(_) => Standing::Authoritative,
        }
    }

    /// The wildcard that stands for `name`, of which there is no node (RFC 4592 §3.3.1); what is below no more than empty
    /// non-terminals counts as below the closest node.
    pub fn wildcard_for(&self, name: NameRef<'_>) -> Option<&Node> {
        let above = std::iter::successors(name.parent(), |name| name.parent());
        let above = above.take_while(|name| self.covers(*name));
        for encloser in above {
            let wildcard = [b"\x01*", encloser.wire()].concat();
            let wildcard = NameRef::from_wire(&wildcard).ok().and_then(|wildcard| self.nodes.get(wildcard));
            if wildcard.is_some() || self.nodes.get(encloser).is_some() {
                return wildcard;
            }
        }
        None
    }

    /// The last node before `key` that is not occluded: the one whose NSEC covers the names from it to `key`.
    pub fn authoritative_before(&self, key: &Key) -> Option<&Node> {
        let node = self.nodes.before(key)?;
        // Everything between a cut and what it occludes is occluded too, so the cut itself is next.
        Some(self.cut_above(node.owner()).unwrap_or(node))
    }

    /// The first node after `node` (which is not occluded) that is not occluded; `None` after the last.
    pub fn authoritative_after(&self, node: &Node) -> Option<&Node> {
        let key = self.nodes.key(node.owner());
        if self.occludes(node) {
            return self.nodes.iter_from(&key.after_subtree()).next();
        }
        self.nodes.iter_from(&key).nth(1)
    }

    /// Every node with its standing, in canonical order.
    pub fn with_standing(&self) -> impl Iterator<Item = (&Node, Standing)> {
        let mut cut: Option<&Node> = None;
        self.nodes.iter().map(move |node| {
            if cut.is_some_and(|cut| node.owner().is_at_or_below(cut.owner())) {
                return (node, Standing::Occluded);
            }
            cut = self.occludes(node).then_some(node);
            (node, if self.is_cut(node) { Standing::Cut } else { Standing::Authoritative })
        })
    }

    /// Puts an RRset in, replacing one of the same type; no rdata takes it out. The rdatas need no order; none of
    /// them may hold names. Says whether anything changed; what did not keeps its signatures.
    pub fn set(&mut self, owner: &Name, rtype: Rtype, ttl: Ttl, rdatas: &[&[u8]]) -> bool {
        let mut rdatas = rdatas.to_vec();
        rdatas.sort_unstable();
        rdatas.dedup();
        let old = self.nodes.get(owner.as_ref()).cloned();
        let same = match old.as_ref().and_then(|node| node.rrset(rtype)) {
            Some(was) => was.ttl() == ttl && was.rdatas().eq(rdatas.iter().copied()),
            None => rdatas.is_empty(),
        };
        if same {
            return false;
        }
        let mut builder = NodeBuilder::default();
        builder.start(old.as_ref().map_or(owner.as_ref(), Node::owner));
        let (before, after): (Vec<_>, Vec<_>) = old
            .iter()
            .flat_map(Node::rrsets)
            .filter(|rrset| rrset.rtype != rtype)
            .partition(|rrset| rrset.rtype < rtype);
        for rrset in before {
            builder.copy(rrset);
        }
        builder.begin(rtype);
        for rdata in rdatas {
            builder.record(ttl, rdata);
        }
        for rrset in after {
            builder.copy(rrset);
        }
        match builder.finish() {
            Some(node) => drop(self.nodes.insert(node)),
            None => drop(self.nodes.remove(owner.as_ref())),
        }
        true
    }

    /// The largest TTL of any record.
    pub fn largest_ttl(&self) -> Ttl {
        self.nodes.iter().flat_map(Node::rrsets).map(|rrset| rrset.ttl()).max().unwrap_or_default()
    }
}

impl SoaTimers {
    /// Reads SOA rdata.
    pub fn read(rdata: &[u8]) -> Option<Self> {
        let mname = NameRef::from_wire(rdata).ok()?.wire().len();
        let rname = NameRef::from_wire(&rdata[mname..]).ok()?.wire().len();
        let numbers: &[u8; 20] = rdata[mname + rname..].try_into().ok()?;
        let number =
            |at: usize| u32::from_be_bytes([numbers[at], numbers[at + 1], numbers[at + 2], numbers[at + 3]]);
        Some(Self {
            serial: number(0),
            refresh: number(4),
            retry: number(8),
            expire: number(12),
            minimum: number(16),
        })
    }
}

/// SOA rdata with another serial.
pub fn soa_with_serial(rdata: &[u8], serial: super::serial::Serial) -> Vec<u8> {
    let mut rdata = rdata.to_vec();
    if let Some(at) = rdata.len().checked_sub(20) {
        rdata[at..at + 4].copy_from_slice(&serial.0.to_be_bytes());
    }
    rdata
}
