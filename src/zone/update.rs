//! Dynamic updates (RFC 2136): what a message asks for, and what becomes of a zone by it.
//!
//! An update is all or nothing: its prerequisites are held against the zone, every change is looked at before the first
//! is made, and what comes of them must be a zone that a file could hold. Whoever may ask for it is decided by
//! [`Update::touches`] and the grants of the sender; what nobody may change, by [`Protected`].

use std::collections::BTreeSet;

use super::contents::Contents;
use super::draft::{MAX_RRSET, Presigned, is_wildcard};
use super::edit::{Editor, Rrset};
use super::managed::ManagedRrsets;
use super::overlay::Edited;
use super::revision::{Dirty, Revision};
use crate::dns::message::reader::Malformed;
use crate::dns::message::{HEADER, Rcode, Reader, Record};
use crate::dns::name::{Name, NameRef};
use crate::dns::rdata;
use crate::dns::rtype::{CLASS_ANY, CLASS_IN, CLASS_NONE, Rtype};
use crate::dns::time::Ttl;

/// What a message asks for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Update {
    prerequisites: Vec<Prerequisite>,
    changes: Vec<Change>,
}

/// What must hold before anything is changed (RFC 2136 §2.4).
#[derive(Clone, PartialEq, Eq, Debug)]
struct Prerequisite {
    owner: Name,
    wanted: Wanted,
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum Wanted {
    InUse,
    NotInUse,
    Exists(Rtype),
    DoesNotExist(Rtype),
    /// The RRset has exactly these records; here is one of them.
    Has(Rtype, Box<[u8]>),
}

/// One record of the update section (RFC 2136 §2.5).
#[derive(Clone, PartialEq, Eq, Debug)]
struct Change {
    owner: Name,
    what: What,
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum What {
    Add(Rtype, Ttl, Box<[u8]>),
    Delete(Rtype, Box<[u8]>),
    DeleteRrset(Rtype),
    DeleteName,
}

/// What no update may change.
#[derive(Clone, Copy, Debug)]
pub struct Protected<'a> {
    /// What danelaw makes.
    pub managed: &'a ManagedRrsets,
    /// The largest TTL that the signatures' lives allow.
    pub largest_ttl: Ttl,
    /// What the signer does with its own records.
    pub presigned: Presigned,
}

/// What updates have made of a zone.
pub struct Updated {
    /// The content.
    pub contents: Contents,
    /// The owners that differ.
    pub dirty: BTreeSet<Name>,
}

/// The most records that an update may have in all. A message holds 65,535 octets, so few can be longer.
const MOST_RECORDS: usize = 4_096;

impl Update {
    /// Reads the sections of `message`, a request with opcode UPDATE for the zone `origin`; or says with which rcode it
    /// is to be refused.
    pub fn read(message: &[u8], origin: NameRef<'_>) -> Result<Self, Rcode> {
        let counts: [u16; 4] = std::array::from_fn(|section| {
            let at = 4 + 2 * section;
            message.get(at..at + 2).map_or(0, |count| u16::from_be_bytes([count[0], count[1]]))
        });
        let malformed = |_: Malformed| Rcode::FORMERR;
        let mut reader = Reader::new(message, HEADER);
        reader.question().map_err(malformed)?;
        let mut update = Self { prerequisites: Vec::new(), changes: Vec::new() };
        if usize::from(counts[1]) + usize::from(counts[2]) > MOST_RECORDS {
            return Err(Rcode::REFUSED);
        }
        for section in [1, 2] {
            for _ in 0..counts[section] {
                let record = reader.record().map_err(malformed)?;
                let owner = Reader::new(message, record.at).name().map_err(malformed)?.as_ref().to_owned();
                if section == 1 {
                    // RFC 2136 §3.2.5. In the update section it is nobody's to change, see `touches`.
                    if !owner.as_ref().is_at_or_below(origin) {
                        return Err(Rcode::NOTZONE);
                    }
                    let wanted = Wanted::read(message, &record)?;
                    update.prerequisites.push(Prerequisite { owner, wanted });
                } else {
                    let what = What::read(message, &record)?;
                    update.changes.push(Change { owner, what });
                }
            }
        }
        Ok(update)
    }

    /// The owners and types that it would change; no type stands for all of them.
    pub fn touches(&self) -> impl Iterator<Item = (&Name, Option<Rtype>)> {
        self.changes.iter().map(|change| (&change.owner, change.what.rtype()))
    }

    /// Carries it out on `updated`, and notes in `overlay` how the zone differs from its file by it; or says with which
    /// rcode it is refused, and leaves both as they are.
    pub fn apply(
        &self,
        updated: &mut Updated,
        overlay: &mut Edited<'_>,
        protected: &Protected<'_>,
    ) -> Result<(), Rcode> {
        let mut editor = Editor::new(&updated.contents, protected.presigned);
        self.holds(&mut editor)?;
        if !self.changes.iter().all(|change| protected.permits(change, &mut editor)) {
            return Err(Rcode::REFUSED);
        }
        let before = overlay.clone();
        for change in &self.changes {
            change.carry_out(&mut editor, overlay);
        }
        let Revision { contents, dirty } = editor.finish();
        let owners = if let Dirty::Owners(owners) = dirty { owners } else { BTreeSet::new() };
        if !owners.iter().all(|owner| is_sound(&contents, owner.as_ref())) {
            *overlay = before;
            return Err(Rcode::REFUSED);
        }
        updated.contents = contents;
        updated.dirty.extend(owners);
        Ok(())
    }

    /// RFC 2136 §3.2.
    fn holds(&self, editor: &mut Editor) -> Result<(), Rcode> {
        let mut exact = BTreeSet::new();
        for Prerequisite { owner, wanted } in &self.prerequisites {
            let owner_ref = owner.as_ref();
            match wanted {
                Wanted::InUse if editor.types(owner_ref).next().is_none() => return Err(Rcode::NXDOMAIN),
                Wanted::NotInUse if editor.types(owner_ref).next().is_some() => return Err(Rcode::YXDOMAIN),
                Wanted::Exists(rtype) if editor.rrset(owner_ref, *rtype).is_none() => {
                    return Err(Rcode::NXRRSET);
                }
                Wanted::DoesNotExist(rtype) if editor.rrset(owner_ref, *rtype).is_some() => {
                    return Err(Rcode::YXRRSET);
                }
                Wanted::Has(rtype, _) => drop(exact.insert((owner, *rtype))),
                _ => {}
            }
        }
        for (owner, rtype) in exact {
            let of = |prerequisite: &'_ &Prerequisite| prerequisite.owner == *owner;
            let wanted: Vec<&[u8]> = self
                .prerequisites
                .iter()
                .filter(of)
                .filter_map(|prerequisite| match &prerequisite.wanted {
                    Wanted::Has(of, rdata) if *of == rtype => Some(&**rdata),
                    _ => None,
                })
                .collect();
            let there = editor.rrset(owner.as_ref(), rtype).ok_or(Rcode::NXRRSET)?;
            let here = |rdata: &[u8]| wanted.iter().any(|wanted| rdata::same(rtype, wanted, rdata));
            if !wanted.iter().all(|rdata| there.position(rtype, rdata).is_some())
                || !there.rdatas.iter().all(|rdata| here(rdata))
            {
                return Err(Rcode::NXRRSET);
            }
        }
        Ok(())
    }
}

impl Wanted {
    /// RFC 2136 §3.2.5.
    fn read(message: &[u8], record: &Record<'_>) -> Result<Self, Rcode> {
        let empty = record.rdata.is_empty();
        if record.ttl != 0 {
            return Err(Rcode::FORMERR);
        }
        match (record.class, record.rtype) {
            (CLASS_ANY, Rtype::ANY) if empty => Ok(Self::InUse),
            (CLASS_NONE, Rtype::ANY) if empty => Ok(Self::NotInUse),
            (CLASS_ANY, rtype) if empty && !rtype.is_meta() => Ok(Self::Exists(rtype)),
            (CLASS_NONE, rtype) if empty && !rtype.is_meta() => Ok(Self::DoesNotExist(rtype)),
            (CLASS_IN, rtype) if !rtype.is_meta() => Ok(Self::Has(rtype, rdata_of(message, record)?)),
            _ => Err(Rcode::FORMERR),
        }
    }
}

impl What {
    /// RFC 2136 §3.4.1.
    fn read(message: &[u8], record: &Record<'_>) -> Result<Self, Rcode> {
        let empty = record.rdata.is_empty();
        match (record.class, record.rtype) {
            (CLASS_ANY, Rtype::ANY) if empty && record.ttl == 0 => Ok(Self::DeleteName),
            (_, rtype) if rtype.is_meta() => Err(Rcode::FORMERR),
            (CLASS_ANY, rtype) if empty && record.ttl == 0 => Ok(Self::DeleteRrset(rtype)),
            (CLASS_NONE, rtype) if record.ttl == 0 => Ok(Self::Delete(rtype, rdata_of(message, record)?)),
            (CLASS_IN, rtype) => {
                // RFC 2181 §8: the highest bit means nothing good.
                let ttl = if record.ttl > i32::MAX as u32 { 0 } else { record.ttl };
                Ok(Self::Add(rtype, Ttl(ttl), rdata_of(message, record)?))
            }
            _ => Err(Rcode::FORMERR),
        }
    }

    fn rtype(&self) -> Option<Rtype> {
        match self {
            Self::Add(rtype, ..) | Self::Delete(rtype, _) | Self::DeleteRrset(rtype) => Some(*rtype),
            Self::DeleteName => None,
        }
    }
}

fn rdata_of(message: &[u8], record: &Record<'_>) -> Result<Box<[u8]>, Rcode> {
    let mut rdata = Vec::new();
    rdata::decompress(message, record, &mut rdata).map_err(|_| Rcode::FORMERR)?;
    Ok(rdata.into())
}

impl Protected<'_> {
    /// Whether a change may be made by anybody at all.
    fn permits(&self, change: &Change, editor: &mut Editor) -> bool {
        let owner = change.owner.as_ref();
        if !owner.is_at_or_below(editor.origin().as_ref()) {
            return false;
        }
        let at_apex = change.owner == *editor.origin();
        match &change.what {
            What::Add(_, ttl, _) if *ttl > self.largest_ttl => false,
            // Takes out what may be taken out; what danelaw makes may not.
            What::DeleteName => {
                self.managed.at(&change.owner).all(|rtype| editor.rrset(owner, rtype).is_none())
            }
            // What danelaw makes there may be yet to come.
            What::Add(Rtype::CNAME, ..) => self.managed.at(&change.owner).next().is_none(),
            what => what
                .rtype()
                .is_some_and(|rtype| !(rtype.is_made_here(at_apex) || self.managed.contains(owner, rtype))),
        }
    }
}

impl Change {
    /// RFC 2136 §3.4.2. What cannot be is passed over in silence, as that section wants it.
    fn carry_out(&self, editor: &mut Editor, overlay: &mut Edited<'_>) {
        let owner = self.owner.as_ref();
        let at_apex = self.owner == *editor.origin();
        match &self.what {
            What::Add(rtype, ttl, rdata) => {
                let others: Vec<Rtype> = editor.types(owner).filter(|here| !goes_with_cname(*here)).collect();
                let in_the_way = match *rtype {
                    Rtype::CNAME => others.iter().any(|here| *here != Rtype::CNAME),
                    rtype => !goes_with_cname(rtype) && others.contains(&Rtype::CNAME),
                };
                if in_the_way {
                    return;
                }
                let single = matches!(*rtype, Rtype::CNAME | Rtype::DNAME);
                if single && let Some(old) = editor.rrset(owner, *rtype).cloned() {
                    old.rdatas.iter().filter(|old| !rdata::same(*rtype, old, rdata)).for_each(|old| {
                        remove(editor, overlay, owner, *rtype, old);
                    });
                }
                let there =
                    editor.rrset(owner, *rtype).filter(|rrset| rrset.position(*rtype, rdata).is_some());
                if there.is_none_or(|rrset| rrset.ttl != *ttl) {
                    let was_there = there.is_some();
                    overlay.add(owner, *rtype, *ttl, rdata, was_there);
                }
                editor.add(owner, *rtype, *ttl, rdata);
            }
            What::Delete(rtype, rdata) => {
                let last = editor.rrset(owner, *rtype).is_some_and(|rrset| rrset.rdatas.len() == 1);
                if !(at_apex && *rtype == Rtype::NS && last) {
                    remove(editor, overlay, owner, *rtype, rdata);
                }
            }
            What::DeleteRrset(rtype) => delete(editor, overlay, owner, *rtype, at_apex),
            What::DeleteName => {
                let types: Vec<Rtype> =
                    editor.types(owner).filter(|rtype| !rtype.is_made_here(at_apex)).collect();
                for rtype in types {
                    delete(editor, overlay, owner, rtype, at_apex);
                }
            }
        }
    }
}

/// Takes an RRset out; NS at the apex stays (RFC 2136 §3.4.2.3).
fn delete(editor: &mut Editor, overlay: &mut Edited<'_>, owner: NameRef<'_>, rtype: Rtype, at_apex: bool) {
    if at_apex && rtype == Rtype::NS {
        return;
    }
    let Some(Rrset { rdatas, .. }) = editor.rrset(owner, rtype).cloned() else { return };
    for rdata in rdatas {
        remove(editor, overlay, owner, rtype, &rdata);
    }
}

fn remove(editor: &mut Editor, overlay: &mut Edited<'_>, owner: NameRef<'_>, rtype: Rtype, rdata: &[u8]) {
    if editor.remove(owner, rtype, rdata) {
        overlay.remove(owner, rtype, rdata);
    }
}

/// Types that may stand beside a CNAME (RFC 2181 §10.1, RFC 4034 §2.5).
fn goes_with_cname(rtype: Rtype) -> bool {
    matches!(rtype, Rtype::RRSIG | Rtype::NSEC | Rtype::NSEC3 | Rtype::KEY | Rtype::NXT | Rtype::SIG)
}

/// Whether a zone file could hold what stands at `owner` now: the rules of the [draft](super::draft) for one name.
pub(super) fn is_sound(contents: &Contents, owner: NameRef<'_>) -> bool {
    let Some(node) = contents.nodes.get(owner) else { return true };
    let has = |rtype| node.has(rtype);
    let cut = contents.is_cut(node);
    let alone = node.types().all(|rtype| rtype == Rtype::CNAME || goes_with_cname(rtype));
    let below_dname = contents.cut_above(owner).is_some_and(|above| above.has(Rtype::DNAME));
    let hides = has(Rtype::DNAME) && {
        let key = contents.nodes.key(owner);
        let next = contents.nodes.iter_from(&key).nth(1);
        next.is_some_and(|next| next.owner().is_at_or_below(owner))
    };
    let sizes = node.rrsets().all(|rrset| rrset.records.len() + 2 * usize::from(rrset.count) <= MAX_RRSET);
    let delegates_well = !cut || !(has(Rtype::DNAME) || is_wildcard(owner));
    (!has(Rtype::CNAME) || alone)
        && (!has(Rtype::DS) || cut)
        && delegates_well
        && !below_dname
        && !hides
        && sizes
}

#[cfg(test)]
mod tests;
