//! What RFC 1034 §4.3.2 and RFC 4592 say of a name, found the slow way: by looking at every owner name of a zone.
//! The reasons to differ and the checks of proofs are stated in these terms, not in danelaw's own.

use std::collections::{BTreeMap, BTreeSet};

use danelaw::dns::name::NameRef;
use danelaw::dns::rtype::Rtype;
use danelaw::zone::Denial;
use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};

use super::signed::Signed;
use super::wire::Reply;

/// The labels of a name in lower case, the one nearest the root first: an ancestor is a prefix.
pub(crate) type Path = Vec<Vec<u8>>;

/// The owner names of a zone, NSEC3 owners left out, and what is there.
pub(crate) struct Model {
    pub(crate) origin: Path,
    nodes: BTreeMap<Path, BTreeSet<Rtype>>,
    hashes: BTreeSet<Path>,
    denial: Denial,
}

/// Where a name stands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Place {
    /// It has records.
    Node,
    /// There are only names below it.
    Empty,
    /// It is at or below this delegation.
    Cut(Path),
    /// It is below this DNAME.
    Dname(Path),
    /// It does not exist; the wildcard below this closest encloser does.
    Wildcard(Path),
    /// Neither exists; this is the closest encloser.
    Missing(Path),
}

impl Model {
    pub(crate) fn new(zone: &Signed) -> Self {
        let nodes =
            zone.snapshot.nodes.iter().map(|node| (path(node.owner().wire()), node.types().collect()));
        let hashes = zone.snapshot.nsec3.iter().map(|node| path(node.owner().wire()));
        Self {
            origin: path(zone.snapshot.origin().as_ref().wire()),
            nodes: nodes.collect(),
            hashes: hashes.collect(),
            denial: zone.snapshot.denial().clone(),
        }
    }

    pub(crate) fn is_signed(&self) -> bool {
        self.denial != Denial::None
    }

    pub(crate) fn has_nsec3(&self) -> bool {
        !self.hashes.is_empty()
    }

    /// The hash of a name (RFC 5155 §5).
    pub(crate) fn hash(&self, name: &[Vec<u8>]) -> Vec<u8> {
        let (salt, iterations): (&[u8], u16) = match &self.denial {
            Denial::Nsec3(params) => (&params.salt, params.iterations),
            Denial::None | Denial::Nsec => (&[], 0),
        };
        let mut hash = Vec::new();
        for label in name.iter().rev() {
            hash.push(label.len() as u8);
            hash.extend_from_slice(label);
        }
        hash.push(0);
        for _ in 0..=iterations {
            hash = digest(&SHA1_FOR_LEGACY_USE_ONLY, &[&hash, salt].concat()).as_ref().to_vec();
        }
        hash
    }

    /// Whether `name` is at or below the owner of an NSEC3 record.
    pub(crate) fn is_hash(&self, name: &Path) -> bool {
        self.hashes.iter().any(|hash| name.starts_with(hash))
    }

    /// Where `name` stands, whatever is asked for.
    pub(crate) fn place(&self, name: &Path) -> Place {
        for length in self.origin.len()..=name.len() {
            let ancestor = &name[..length];
            if length > self.origin.len() && self.has(ancestor, Rtype::NS) {
                return Place::Cut(ancestor.to_vec());
            }
            if !self.exists(ancestor) {
                let encloser = ancestor[..length - 1].to_vec();
                return if self.exists(&wildcard(&encloser)) {
                    Place::Wildcard(encloser)
                } else {
                    Place::Missing(encloser)
                };
            }
            if length < name.len() && self.has(ancestor, Rtype::DNAME) {
                return Place::Dname(ancestor.to_vec());
            }
        }
        if self.nodes.contains_key(name) { Place::Node } else { Place::Empty }
    }

    pub(crate) fn has(&self, name: &[Vec<u8>], rtype: Rtype) -> bool {
        self.nodes.get(name).is_some_and(|types| types.contains(&rtype))
    }

    /// Whether it, or a name below it, has records (RFC 4592 §2.2.3).
    pub(crate) fn exists(&self, name: &[Vec<u8>]) -> bool {
        self.nodes.range(name.to_vec()..).next().is_some_and(|(next, _)| next.starts_with(name))
    }

    /// Whether it exists without records.
    pub(crate) fn is_empty(&self, name: &[Vec<u8>]) -> bool {
        self.exists(name) && !self.nodes.contains_key(name)
    }
}

/// The name that the aliases in `reply` lead to from `name`, with the names that were passed.
pub(crate) fn follow(reply: &Reply, name: &[u8]) -> Vec<Vec<u8>> {
    let mut passed = vec![name.to_vec()];
    loop {
        let here = &passed[passed.len() - 1];
        let alias = reply.answer.iter().find(|record| record.rtype == Rtype::CNAME && record.owner == *here);
        match alias {
            Some(alias) if !passed.contains(&alias.rdata) => passed.push(alias.rdata.clone()),
            _ => return passed,
        }
    }
}

pub(crate) fn path(wire: &[u8]) -> Path {
    let mut labels: Path =
        NameRef::from_wire(wire).unwrap().labels().map(<[u8]>::to_ascii_lowercase).collect();
    labels.reverse();
    labels
}

pub(crate) fn wildcard(encloser: &[Vec<u8>]) -> Path {
    [encloser, &[b"*".to_vec()]].concat()
}
