//! Content that is being edited record by record, as dynamic updates and incremental transfers do it.
//!
//! Owners are taken apart when they are touched, and put together again at the end; so a change costs what it
//! touches, whatever the size of the zone. What comes out is compared with what went in: edits that cancel each
//! other out are no change, and RRsets that are as they were keep their signatures.

use std::collections::{BTreeMap, BTreeSet};

use super::contents::Contents;
use super::draft::Presigned;
use super::node::{Node, NodeBuilder, RECORD_HEAD, RrsetRef, canonical_order, record_ttl};
use super::revision::{Dirty, Revision, merged};
use super::tree::{Change, Tree};
use crate::dns::message::each_record;
use crate::dns::name::{Name, NameRef};
use crate::dns::rdata;
use crate::dns::rtype::Rtype;
use crate::dns::time::Ttl;

/// Content, and what is to become of it.
pub struct Editor {
    contents: Contents,
    presigned: Presigned,
    touched: BTreeMap<Name, Owner>,
}

/// The RRsets of one owner. RRSIG records stand in the RRset that they cover.
type Owner = BTreeMap<Rtype, Rrset>;

/// One RRset taken apart.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Rrset {
    /// The TTL of its records.
    pub ttl: Ttl,
    /// The rdata of its records, each once.
    pub rdatas: Vec<Box<[u8]>>,
    /// The RRSIGs that cover it.
    signatures: Vec<(Ttl, Box<[u8]>)>,
}

impl Rrset {
    /// Where this rdata stands, whatever the case of names in it (RFC 2136 §1.1.1).
    pub fn position(&self, rtype: Rtype, rdata: &[u8]) -> Option<usize> {
        self.rdatas.iter().position(|here| rdata::same(rtype, here, rdata))
    }
}

impl Editor {
    /// An editor of `contents`. With [`Presigned::Drop`] the signer will sign what changes; with
    /// [`Presigned::Keep`] signatures and denial records are records as any other.
    pub fn new(contents: &Contents, presigned: Presigned) -> Self {
        Self { contents: contents.clone(), presigned, touched: BTreeMap::new() }
    }

    /// The apex's name.
    pub fn origin(&self) -> &Name {
        self.contents.origin()
    }

    /// The RRset as it is now.
    pub fn rrset(&mut self, owner: NameRef<'_>, rtype: Rtype) -> Option<&Rrset> {
        self.owner(owner).get(&rtype).filter(|rrset| !rrset.rdatas.is_empty())
    }

    /// How many octets the records of a type at `owner` take in a message, as it is now; of RRSIG records, those that
    /// cover the type that `rdata` does.
    pub fn octets(&mut self, owner: NameRef<'_>, rtype: Rtype, rdata: &[u8]) -> usize {
        let records = self.owner(owner);
        let octets = |rdata: &[u8]| RECORD_HEAD + 2 + rdata.len();
        if rtype == Rtype::RRSIG {
            let covering = records.get(&covered(rdata)).into_iter();
            return covering.flat_map(|rrset| &rrset.signatures).map(|(_, rdata)| octets(rdata)).sum();
        }
        let rrset = records.get(&rtype).into_iter();
        rrset.flat_map(|rrset| &rrset.rdatas).map(|rdata| octets(rdata)).sum()
    }

    /// The types at `owner` now, ascending.
    pub fn types(&mut self, owner: NameRef<'_>) -> impl Iterator<Item = Rtype> {
        self.owner(owner).iter().filter(|(_, rrset)| !rrset.rdatas.is_empty()).map(|(&rtype, _)| rtype)
    }

    /// Adds a record; one that is there takes its place. All of the RRset gets its TTL (RFC 2181 §5.2).
    pub fn add(&mut self, owner: NameRef<'_>, rtype: Rtype, ttl: Ttl, rdata: &[u8]) {
        let records = self.owner(owner);
        if rtype == Rtype::RRSIG {
            let covering = records.entry(covered(rdata)).or_default();
            covering.signatures.retain(|(_, here)| **here != *rdata);
            covering.signatures.push((ttl, rdata.into()));
            return;
        }
        let rrset = records.entry(rtype).or_default();
        rrset.ttl = ttl;
        match rrset.position(rtype, rdata) {
            Some(at) => rrset.rdatas[at] = rdata.into(),
            None => rrset.rdatas.push(rdata.into()),
        }
    }

    /// Takes a record out; says whether it was there.
    pub fn remove(&mut self, owner: NameRef<'_>, rtype: Rtype, rdata: &[u8]) -> bool {
        let records = self.owner(owner);
        if rtype == Rtype::RRSIG {
            let Some(covering) = records.get_mut(&covered(rdata)) else { return false };
            let before = covering.signatures.len();
            covering.signatures.retain(|(_, here)| **here != *rdata);
            return covering.signatures.len() < before;
        }
        let Some(rrset) = records.get_mut(&rtype) else { return false };
        let position = rrset.position(rtype, rdata);
        if let Some(at) = position {
            rrset.rdatas.remove(at);
        }
        position.is_some()
    }

    /// Puts an RRset in the place of the one of its type; one without records takes that out.
    pub fn set(&mut self, owner: NameRef<'_>, rtype: Rtype, rrset: Rrset) {
        self.owner(owner).insert(rtype, rrset);
    }

    /// The content as edited, and the owners whose content differs from what it was.
    pub fn finish(self) -> Revision {
        let Self { mut contents, presigned, touched } = self;
        let mut builder = NodeBuilder::default();
        let (mut nodes, mut nsec3) = (Vec::new(), Vec::new());
        let mut dirty = BTreeSet::new();
        for (owner, rrsets) in touched {
            let old = contents.nodes.get(owner.as_ref());
            let origin = contents.origin().as_ref();
            let spelt = old.map_or(owner.as_ref(), Node::owner);
            let wanted = node(&mut builder, spelt, &rrsets);
            let (change, hashes) = match presigned {
                // The signer looks after the NSEC3 records by itself.
                Presigned::Drop => (merged(&mut builder, origin, old, wanted.as_ref()), None),
                Presigned::Keep => {
                    let is_hash = wanted.as_ref().is_some_and(|node| node.types().eq([Rtype::NSEC3]));
                    let (named, hashed) = if is_hash { (None, wanted) } else { (wanted, None) };
                    (differing(old, named), differing(contents.nsec3.get(owner.as_ref()), hashed))
                }
            };
            nodes.extend(change);
            nsec3.extend(hashes);
            let changed =
                |changes: &[Change]| changes.last().is_some_and(|last| last.owner() == owner.as_ref());
            if changed(&nodes) || changed(&nsec3) {
                dirty.insert(owner);
            }
        }
        contents.nodes.apply(&nodes);
        contents.nsec3.apply(&nsec3);
        Revision { contents, dirty: Dirty::Owners(dirty) }
    }

    /// The RRsets of one owner, taken apart.
    fn owner(&mut self, owner: NameRef<'_>) -> &mut Owner {
        let Self { contents, touched, .. } = self;
        let find = |tree: &Tree| tree.get(owner).cloned();
        touched.entry(owner.to_owned()).or_insert_with_key(|_| {
            let nodes = [find(&contents.nodes), find(&contents.nsec3)];
            nodes.iter().flatten().flat_map(Node::rrsets).map(taken_apart).collect()
        })
    }
}

fn taken_apart(rrset: RrsetRef<'_>) -> (Rtype, Rrset) {
    let signatures = each_record(rrset.signatures);
    let signatures = signatures.map(|record| (record_ttl(record), record[RECORD_HEAD..].into())).collect();
    let rdatas = rrset.rdatas().map(Box::from).collect();
    (rrset.rtype, Rrset { ttl: rrset.ttl(), rdatas, signatures })
}

/// The type that RRSIG rdata covers (RFC 4034 §3.1.1).
fn covered(rrsig: &[u8]) -> Rtype {
    Rtype(rrsig.first_chunk().map_or(0, |&octets| u16::from_be_bytes(octets)))
}

fn node(builder: &mut NodeBuilder, owner: NameRef<'_>, rrsets: &Owner) -> Option<Node> {
    builder.start(owner);
    for (&rtype, rrset) in rrsets {
        let mut rdatas: Vec<&[u8]> = rrset.rdatas.iter().map(|rdata| &**rdata).collect();
        canonical_order(rtype, &mut rdatas, |rdata| rdata);
        builder.begin(rtype);
        for rdata in rdatas {
            builder.record(rrset.ttl, rdata);
        }
        for (ttl, rdata) in &rrset.signatures {
            builder.signature(*ttl, rdata);
        }
    }
    builder.finish()
}

fn differing(old: Option<&Node>, new: Option<Node>) -> Option<Change> {
    (old != new.as_ref()).then(|| Change { old: old.cloned(), new })
}

#[cfg(test)]
mod tests;
