//! What the next version of a zone should contain, and which owners differ from the version before.
//!
//! The content of a revision still carries every signature that stays valid: RRsets that did not change keep
//! theirs, changed ones have none. So the signer signs what lacks a signature, at the owners that are dirty, and
//! nothing else.

use std::collections::BTreeSet;

use super::contents::{Contents, soa_with_serial};
use super::node::{Node, NodeBuilder, RrsetRef};
use super::serial::Serial;
use super::snapshot::Snapshot;
use super::tree::Change;
use crate::dns::name::{Name, NameRef};
use crate::dns::rdata;
use crate::dns::rtype::Rtype;
use crate::dns::time::Ttl;

/// Content on its way to the signer.
#[derive(Clone)]
pub struct Revision {
    /// The content wanted: RRsets of the draft, with the old signatures where those still fit.
    pub contents: Contents,
    /// Owners whose RRsets were added, removed or changed.
    pub dirty: Dirty,
}

/// Which owners differ from the version before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Dirty {
    /// There is no version before.
    Everything,
    /// These, in canonical order.
    Owners(BTreeSet<Name>),
}

impl Dirty {
    /// These differ, too.
    pub fn extend(&mut self, more: BTreeSet<Name>) {
        if let Self::Owners(owners) = self {
            owners.extend(more);
        }
    }

    fn insert(&mut self, owner: Name) {
        if let Self::Owners(owners) = self {
            owners.insert(owner);
        }
    }
}

impl Revision {
    /// A first version.
    pub fn first(draft: Contents) -> Self {
        Self { contents: draft, dirty: Dirty::Everything }
    }

    /// Nothing changes, yet.
    pub fn of_snapshot(snapshot: &Snapshot) -> Self {
        Self { contents: snapshot.contents().clone(), dirty: Dirty::Owners(BTreeSet::new()) }
    }

    /// The draft's content replaces that of `previous`. What the signer put there (DNSKEY, CDS and CDNSKEY at the apex,
    /// the denial records) stays until the signer changes it. The draft's own SOA serial is no difference.
    pub fn of_draft(draft: &Contents, previous: &Snapshot) -> Self {
        let mut revised =
            Self { contents: previous.contents().clone(), dirty: Dirty::Owners(BTreeSet::new()) };
        let mut changes = Vec::new();
        let mut builder = NodeBuilder::default();
        let mut olds = previous.nodes.iter().peekable();
        let mut settle = |old: Option<&Node>, new: Option<&Node>| {
            if let Some(change) = merged(&mut builder, draft.origin().as_ref(), old, new) {
                revised.dirty.insert(change.owner().to_owned());
                changes.push(change);
            }
        };
        for node in &draft.nodes {
            while let Some(gone) = olds.next_if(|old| old.owner() < node.owner()) {
                settle(Some(gone), None);
            }
            let old = olds.next_if(|old| old.owner() == node.owner());
            settle(old, Some(node));
        }
        for gone in olds {
            settle(Some(gone), None);
        }
        revised.contents.nodes.apply(&changes);
        revised
    }

    /// Puts an RRset in, as [`Contents::set`] does, and remembers that it differs.
    pub fn set(&mut self, owner: &Name, rtype: Rtype, ttl: Ttl, rdatas: &[&[u8]]) {
        if self.contents.set(owner, rtype, ttl, rdatas) {
            self.dirty.insert(owner.clone());
        }
    }
}

/// The change to a node that holds `new`'s RRsets and the signer's own of `old`; `None` when that is `old` as it
/// stands.
pub(super) fn merged(
    builder: &mut NodeBuilder,
    origin: NameRef<'_>,
    old: Option<&Node>,
    new: Option<&Node>,
) -> Option<Change> {
    // A name keeps the case in which it was first written.
    let owner = old.or(new)?.owner();
    let at_apex = owner == origin;
    let kept = |rrset: &RrsetRef<'_>| rrset.rtype.is_signers(at_apex);
    let mut olds = old.into_iter().flat_map(Node::rrsets).peekable();
    let mut changed = old.is_none();
    builder.start(owner);
    for rrset in new.into_iter().flat_map(Node::rrsets) {
        while let Some(gone) = olds.next_if(|old| old.rtype < rrset.rtype) {
            if kept(&gone) {
                builder.copy(gone);
            } else {
                changed = true;
            }
        }
        match olds.next_if(|old| old.rtype == rrset.rtype) {
            Some(same) if kept(&same) || same_content(&same, &rrset) => builder.copy(same),
            _ if kept(&rrset) && new.is_some() && old.is_some() => {}
            _ => {
                builder.copy_unsigned(rrset);
                changed = true;
            }
        }
    }
    for gone in olds {
        if kept(&gone) {
            builder.copy(gone);
        } else {
            changed = true;
        }
    }
    changed.then(|| Change { old: old.cloned(), new: builder.finish() })
}

/// The same records, whatever the case of names in them; for SOA, whatever the serial.
fn same_content(old: &RrsetRef<'_>, new: &RrsetRef<'_>) -> bool {
    if old.records == new.records {
        return true;
    }
    if old.ttl() != new.ttl() || old.count != new.count {
        return false;
    }
    old.rdatas().zip(new.rdatas()).all(|(old_rdata, new_rdata)| {
        if old.rtype == Rtype::SOA {
            let without = |rdata| soa_with_serial(rdata, Serial(0));
            rdata::same(Rtype::SOA, &without(old_rdata), &without(new_rdata))
        } else {
            rdata::same(old.rtype, old_rdata, new_rdata)
        }
    })
}
