//! How dynamic updates make a zone differ from its file, and how both come together again when the file changes.
//!
//! For each RRset that updates have touched:
//!
//! - records that an update added stay until an update takes them out, or the file has them itself;
//! - records of the file that an update took out stay out until an update adds them again, or the file has them no more;
//! - the TTL is that of the last update that added, as long as what it added is there.
//!
//! So an edited file brings everything that it says of other records, and nothing that a client was told is done comes
//! undone by it.

use std::collections::BTreeMap;

use super::contents::Contents;
use super::draft::Presigned;
use super::edit::Editor;
use super::revision::{Dirty, Revision};
use super::update::is_sound;
use crate::dns::name::{Name, NameRef};
use crate::dns::rdata;
use crate::dns::rtype::Rtype;
use crate::dns::time::Ttl;

/// What updates have made of each RRset.
pub type Overrides = BTreeMap<(Name, Rtype), Override>;

/// The differences of a zone from its file.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Overlay(Overrides);

/// The difference of one RRset.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Override {
    /// The TTL of the RRset, while there are records that were added.
    pub ttl: Ttl,
    /// The rdata of records that were added.
    pub added: Vec<Box<[u8]>>,
    /// The rdata of records of the file that were taken out; where one is also among `added`, it was put back since.
    pub removed: Vec<Box<[u8]>>,
}

/// An overlay with changes that may yet come to nothing.
#[derive(Clone, Debug)]
pub struct Edited<'o> {
    overlay: &'o Overlay,
    changed: Overrides,
}

/// A file and what updates have added contradict each other.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "what dynamic updates have put at {0} cannot stand beside what the zone file has there; take one of them out \
     (`danelaw diff` shows the updates)"
)]
pub struct Contradiction(pub Name);

impl Override {
    /// Whether there is no difference.
    pub fn is_empty(&self) -> bool {
        self.added.is_empty() && self.removed.is_empty()
    }
}

impl Overlay {
    /// An overlay of these differences.
    pub fn new(overrides: Overrides) -> Self {
        Self(overrides)
    }

    /// Takes over changes; an empty difference is none.
    pub fn change(&mut self, changes: Overrides) {
        for (at, change) in changes {
            if change.is_empty() {
                self.0.remove(&at);
            } else {
                self.0.insert(at, change);
            }
        }
    }

    /// What it says of these RRsets; of most, that there is no difference.
    pub fn of(&self, rrsets: impl IntoIterator<Item = (Name, Rtype)>) -> Overrides {
        let said = |at: &(Name, Rtype)| self.0.get(at).cloned().unwrap_or_default();
        let all = rrsets.into_iter().map(|at| {
            let change = said(&at);
            (at, change)
        });
        all.collect()
    }

    /// The differences, by owner and type.
    pub fn iter(&self) -> impl Iterator<Item = (&Name, Rtype, &Override)> {
        self.0.iter().map(|((owner, rtype), change)| (owner, *rtype, change))
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What `file` becomes by it, and which differences change because the file has come round to them.
    pub fn merge(&self, file: &Contents) -> Result<(Contents, Overrides), Contradiction> {
        let mut editor = Editor::new(file, Presigned::Keep);
        let mut changes = Overrides::new();
        for ((owner, rtype), change) in &self.0 {
            let rtype = *rtype;
            let in_file = editor.rrset(owner.as_ref(), rtype).cloned().unwrap_or_default();
            let has = |rdata: &[u8]| in_file.position(rtype, rdata).is_some();
            let mut left = change.clone();
            left.added.retain(|rdata| !(has(rdata) && in_file.ttl == change.ttl));
            let back = |rdata: &[u8]| among(&change.added, rtype, rdata) && !among(&left.added, rtype, rdata);
            left.removed.retain(|rdata| has(rdata) && !back(rdata));
            let mut merged = in_file.clone();
            merged.rdatas.retain(|rdata| !among(&left.removed, rtype, rdata));
            for rdata in &left.added {
                if merged.position(rtype, rdata).is_none() {
                    merged.rdatas.push(rdata.clone());
                }
            }
            if !left.added.is_empty() {
                merged.ttl = left.ttl;
            }
            editor.set(owner.as_ref(), rtype, merged);
            if left != *change {
                changes.insert((owner.clone(), rtype), left);
            }
        }
        let Revision { contents, dirty } = editor.finish();
        let Dirty::Owners(owners) = dirty else { return Ok((contents, changes)) };
        match owners.into_iter().find(|owner| !is_sound(&contents, owner.as_ref())) {
            Some(owner) => Err(Contradiction(owner)),
            None => Ok((contents, changes)),
        }
    }
}

impl<'o> Edited<'o> {
    /// `overlay`, with `changed` in place of what it says of the same RRsets.
    pub fn new(overlay: &'o Overlay, changed: Overrides) -> Self {
        Self { overlay, changed }
    }

    /// A record was added that was not there, or was there with another TTL.
    pub(super) fn add(&mut self, owner: NameRef<'_>, rtype: Rtype, ttl: Ttl, rdata: &[u8], was_there: bool) {
        let change = self.of(owner, rtype);
        let before = change.added.len();
        change.added.retain(|added| !rdata::same(rtype, added, rdata));
        if was_there && change.added.len() == before {
            change.removed.push(rdata.into());
        }
        change.added.push(rdata.into());
        change.ttl = ttl;
    }

    /// A record was taken out that was there.
    pub(super) fn remove(&mut self, owner: NameRef<'_>, rtype: Rtype, rdata: &[u8]) {
        let change = self.of(owner, rtype);
        let before = change.added.len();
        change.added.retain(|added| !rdata::same(rtype, added, rdata));
        // What no update has added is the file's.
        if change.added.len() == before {
            change.removed.push(rdata.into());
        }
    }

    /// The changes.
    pub fn finish(self) -> Overrides {
        self.changed
    }

    fn of(&mut self, owner: NameRef<'_>, rtype: Rtype) -> &mut Override {
        let Self { overlay, changed } = self;
        changed
            .entry((owner.to_owned(), rtype))
            .or_insert_with_key(|at| overlay.0.get(at).cloned().unwrap_or_default())
    }
}

fn among(rdatas: &[Box<[u8]>], rtype: Rtype, rdata: &[u8]) -> bool {
    rdatas.iter().any(|here| rdata::same(rtype, here, rdata))
}
