//! Deltas between two versions of one zone: what is stored, verified, and sent as IXFR.
//!
//! A delta is exact: applied to the old version it yields the new one, RRSIGs included. It holds references to
//! nodes of both, not copies.

use std::collections::HashSet;

use super::contents::Contents;
use super::node::{Node, RrsetRef};
use super::serial::Serial;
use super::tree::{Change, Tree};
use crate::dns::message::each_record;
use crate::dns::name::NameRef;
use crate::dns::rtype::Rtype;

/// The difference between two versions, in canonical order of owners.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Delta {
    /// The version it applies to; `None` when there was none, and everything is new.
    pub from: Option<Serial>,
    /// The version it yields.
    pub to: Serial,
    /// Changed owner names.
    pub nodes: Vec<Change>,
    /// Changed NSEC3 owners.
    pub nsec3: Vec<Change>,
}

impl Delta {
    /// Compares two versions; nodes that both share are passed over by address.
    pub fn between(old: Option<&Contents>, new: &Contents, from: Option<Serial>, to: Serial) -> Self {
        Self {
            from,
            to,
            nodes: changes(old.map(|old| &old.nodes), &new.nodes),
            nsec3: changes(old.map(|old| &old.nsec3), &new.nsec3),
        }
    }

    /// Carries the delta out on content that is the old version.
    pub fn apply(&self, contents: &mut Contents) {
        contents.nodes.apply(&self.nodes);
        contents.nsec3.apply(&self.nsec3);
    }

    /// The apex before or after. It is always among the changes: its SOA record holds the serial.
    pub fn apex(&self, side: Side, origin: NameRef<'_>) -> Option<&Node> {
        // In canonical order the apex is first.
        let change = self.nodes.first().filter(|change| change.owner() == origin)?;
        match side {
            Side::Removed => change.old.as_ref(),
            Side::Added => change.new.as_ref(),
        }
    }

    /// Whether nothing differs.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty() && self.nsec3.is_empty()
    }

    /// How many octets the records that differ have, their owners not counted.
    pub fn record_octets(&self) -> usize {
        let sides = [Side::Removed, Side::Added];
        let records =
            self.changes().flat_map(|change| sides.into_iter().flat_map(|side| change.records(side)));
        records.map(<[u8]>::len).sum()
    }

    /// The changed owners of both trees.
    pub fn changes(&self) -> impl Iterator<Item = &Change> {
        self.nodes.iter().chain(&self.nsec3)
    }

    /// The RRsets (with signatures) that differ, as old and new.
    pub fn rrsets(&self) -> impl Iterator<Item = (&Change, Option<RrsetRef<'_>>, Option<RrsetRef<'_>>)> {
        self.changes().flat_map(|change| {
            let old = change.old.iter().flat_map(Node::rrsets).map(|rrset| rrset.rtype);
            let new = change.new.iter().flat_map(Node::rrsets).map(|rrset| rrset.rtype);
            let mut types: Vec<_> = old.chain(new).collect();
            types.sort_unstable();
            types.dedup();
            types.into_iter().filter_map(move |rtype| {
                let old = change.old.as_ref().and_then(|node| node.rrset(rtype));
                let new = change.new.as_ref().and_then(|node| node.rrset(rtype));
                (old != new).then_some((change, old, new))
            })
        })
    }
}

/// One side of a change.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Side {
    /// What is there no more.
    Removed,
    /// What was not there before.
    Added,
}

impl Change {
    /// The records, RRSIGs among them, that stand on one side only; each as a [`Node`] holds it. The SOA record is
    /// never among them: a transfer has it in its own places.
    pub fn records(&self, side: Side) -> impl Iterator<Item = &[u8]> {
        let (here, there) = match side {
            Side::Removed => (&self.old, &self.new),
            Side::Added => (&self.new, &self.old),
        };
        here.iter().flat_map(Node::rrsets).flat_map(move |rrset| {
            let other = there.as_ref().and_then(|node| node.rrset(rrset.rtype));
            let mut differing = Vec::new();
            if other.is_none_or(|other| other.signed != rrset.signed) {
                let known: HashSet<&[u8]> =
                    other.into_iter().flat_map(|other| each_record(other.signed)).collect();
                let is_soa = |record: &[u8]| record.starts_with(&Rtype::SOA.0.to_be_bytes());
                let here = each_record(rrset.signed);
                differing.extend(here.filter(|record| !is_soa(record) && !known.contains(record)));
            }
            differing
        })
    }
}

/// What differs between two trees with the same apex, in canonical order.
pub fn changes(old: Option<&Tree>, new: &Tree) -> Vec<Change> {
    let mut changes = Vec::new();
    let mut olds = old.into_iter().flat_map(Tree::iter).peekable();
    for node in new {
        while let Some(gone) = olds.next_if(|old| old.owner() < node.owner()) {
            changes.push(Change { old: Some(gone.clone()), new: None });
        }
        match olds.next_if(|old| old.owner() == node.owner()) {
            Some(same) if same == node => {}
            before => changes.push(Change { old: before.cloned(), new: Some(node.clone()) }),
        }
    }
    changes.extend(olds.map(|gone| Change { old: Some(gone.clone()), new: None }));
    changes
}
