//! The check that stands between signing and publishing: would a validator believe this version?
//!
//! It shares no code with the signer beyond the records' formats, and has public keys only. What is equal to the
//! version before was checked with that one; everything that changed is checked in full:
//!
//! - every authoritative RRset is signed, by keys of every algorithm that is published, for now; glue, delegation NS
//!   and hidden data are not;
//! - the DNSKEY RRset holds exactly the keys expected, and one that a DS may name signs it;
//! - denial of existence is right for every changed name and closed around every changed link.
//!
//! The first version, and one whose keys or way of denial changed, is walked as a whole.

mod nsec3;
#[cfg(test)]
mod tests;

use super::bitmap;
use super::key::PublicKey;
use super::policy::DenialPolicy;
use super::proof::Dnskey;
use super::rrsig::{Fields, SigningInput, label_count};
use crate::dns::name::{Name, NameRef};
use crate::dns::rdata;
use crate::dns::rtype::Rtype;
use crate::dns::time::Now;
use crate::zone::{Change, Delta, Denial, Node, RrsetRef, Snapshot, Standing, Tree};
use rayon::prelude::*;
use std::collections::BTreeSet;
use std::ops::Deref;
use std::sync::Arc;

/// Fewer checks than this are done by the calling thread alone, in a tenth of a second or so: the pool may be busy
/// with a large zone for much longer.
const ALONE: usize = 1_000;
/// Checks that a thread takes at a time.
const CHUNK: usize = 64;

/// A version that may be published. Nothing but [`validate`] and [`Verified::unsigned`] makes one.
#[derive(Clone, Debug)]
pub struct Verified(Arc<Snapshot>);

impl Verified {
    /// A version of a zone whose policy is `unsigned`: there is nothing to verify.
    pub fn unsigned(snapshot: Arc<Snapshot>) -> Self {
        Self(snapshot)
    }

    /// A version that the state has kept: only what was verified is ever written there, and the state has checks of
    /// its own against damage. Verifying a large zone again would keep it from being served for a minute.
    pub fn restored(snapshot: Arc<Snapshot>) -> Self {
        Self(snapshot)
    }

    /// The version.
    pub fn snapshot(&self) -> &Arc<Snapshot> {
        &self.0
    }
}

impl Deref for Verified {
    type Target = Snapshot;
    fn deref(&self) -> &Snapshot {
        &self.0
    }
}

/// What must hold besides the signatures.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    /// The keys of the DNSKEY RRset, in any order.
    pub keys: &'a [PublicKey],
    /// Keys that may sign without being in the DNSKEY RRset: those of an algorithm that comes or goes, whose
    /// signatures must be everywhere before the key, and for as long (RFC 6781 §4.1.4).
    pub hidden: &'a [PublicKey],
    /// Keys of another signer, which are in the DNSKEY RRset, too.
    pub foreign: &'a [Dnskey],
    /// How the zone is to deny existence.
    pub denial: DenialPolicy,
    /// When signatures must be valid.
    pub now: Now,
}

/// What is wrong, and with which RRset.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{owner} {rtype}: {fault}")]
pub struct Invalid {
    /// The owner.
    pub owner: Name,
    /// The type.
    pub rtype: Rtype,
    /// What is wrong.
    pub fault: Fault,
}

/// What can be wrong with a signed zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// An authoritative RRset without RRSIG.
    #[error("not signed")]
    Unsigned,
    /// An RRSIG over glue, delegation NS or hidden data.
    #[error("signed, though the zone has no authority over it")]
    NotOurs,
    /// An RRSIG by a key that is not published.
    #[error("signed by key {0}, which is not in the DNSKEY RRset")]
    UnknownKey(u16),
    /// No RRSIG of an algorithm that the DNSKEY RRset has (RFC 4035 §2.2).
    #[error("not signed by a key of algorithm {0}, which is in the DNSKEY RRset")]
    Algorithm(u8),
    /// RRSIG fields that do not fit the RRset.
    #[error("RRSIG does not fit: wrong {0}")]
    Field(&'static str),
    /// The signature is not valid at the moment.
    #[error("RRSIG is not valid now")]
    Time,
    /// The signature is wrong.
    #[error("signature does not verify")]
    Signature,
    /// A key RRset that no secure entry point signed.
    #[error("not signed by a key with flags 257")]
    NotByEntryPoint,
    /// The DNSKEY RRset differs from the zone's keys.
    #[error("DNSKEY RRset does not hold exactly the zone's keys")]
    Keys,
    /// The zone denies by other means than it should.
    #[error("denial of existence is not what the policy says")]
    Denial,
    /// A name without NSEC or NSEC3.
    #[error("missing")]
    Missing,
    /// NSEC or NSEC3 where none belongs.
    #[error("denial record for a name that should have none")]
    Stray,
    /// A TTL other than min(SOA TTL, SOA MINIMUM).
    #[error("TTL is not that of negative answers (RFC 9077)")]
    Ttl,
    /// A link that does not lead to the next name.
    #[error("next owner is not the next name in the zone")]
    Next,
    /// A bitmap that does not match the types at the name.
    #[error("type bitmap does not match the types at the name")]
    Bitmap,
    /// NSEC3 with other parameters than NSEC3PARAM, or malformed.
    #[error("NSEC3 parameters or flags are not those of the zone")]
    Parameters,
    /// The difference is not the one between the two versions.
    #[error("the difference does not lead from the old version to the new one")]
    Delta,
}

/// Checks `new`, which `delta` made of `old`.
pub fn validate(
    old: Option<&Snapshot>,
    new: Arc<Snapshot>,
    delta: &Delta,
    expected: &Expected<'_>,
) -> Result<Verified, Invalid> {
    let check = Check { old, new: &new, expected };
    check.delta(delta)?;
    check.apex()?;
    if check.is_whole() {
        let places = check.all_places();
        each(&places, |input, place| check.place(input, place))?;
        if expected.denial != DenialPolicy::Nsec {
            check.nsec3_all()?;
        }
    } else {
        let changed = check.changed(delta);
        let places = check.places(&changed);
        each(&places, |input, place| check.place(input, place))?;
        if expected.denial != DenialPolicy::Nsec {
            check.nsec3_some(&changed, &delta.nsec3)?;
        }
    }
    Ok(Verified(new))
}

/// Runs `check` on each item, on all threads when there are many.
fn each<T: Sync>(
    items: &[T],
    check: impl Fn(&mut SigningInput, &T) -> Result<(), Invalid> + Sync,
) -> Result<(), Invalid> {
    let run = |items: &[T]| {
        let mut input = SigningInput::default();
        items.iter().try_for_each(|item| check(&mut input, item))
    };
    if items.len() < ALONE { run(items) } else { items.par_chunks(CHUNK).try_for_each(run) }
}

/// One validation.
struct Check<'a> {
    old: Option<&'a Snapshot>,
    new: &'a Snapshot,
    expected: &'a Expected<'a>,
}

/// A node and its place in the zone.
struct Place<'a> {
    node: &'a Node,
    standing: Standing,
    /// The next authoritative name; the apex after the last.
    next: NameRef<'a>,
}

impl<'a> Check<'a> {
    fn origin(&self) -> NameRef<'a> {
        self.new.origin().as_ref()
    }

    fn fault(&self, rtype: Rtype, fault: Fault) -> Invalid {
        invalid(self.origin(), rtype, fault)
    }

    /// The difference must fit both versions, as far as that can be seen without a pass over the zone.
    fn delta(&self, delta: &Delta) -> Result<(), Invalid> {
        let wrong = || self.fault(Rtype::SOA, Fault::Delta);
        if delta.to != self.new.serial() || delta.from != self.old.map(Snapshot::serial) {
            return Err(wrong());
        }
        if self.old.is_some_and(|old| {
            self.new.serial().partial_cmp(&old.serial()) != Some(std::cmp::Ordering::Greater)
        }) {
            return Err(wrong());
        }
        let trees = [
            (&delta.nodes, self.old.map(|old| &old.nodes), &self.new.nodes),
            (&delta.nsec3, self.old.map(|old| &old.nsec3), &self.new.nsec3),
        ];
        for (changes, old, new) in trees {
            let came = changes.iter().filter(|change| change.old.is_none()).count();
            let went = changes.iter().filter(|change| change.new.is_none()).count();
            if old.map_or(0, Tree::len) + came != new.len() + went {
                return Err(wrong());
            }
            for change in changes {
                let before = old.and_then(|old| old.get(change.owner()));
                if before != change.old.as_ref() || new.get(change.owner()) != change.new.as_ref() {
                    return Err(invalid(change.owner(), Rtype::ANY, Fault::Delta));
                }
            }
        }
        Ok(())
    }

    /// The keys and the way of denial.
    fn apex(&self) -> Result<(), Invalid> {
        let apex = self.new.apex().ok_or_else(|| self.fault(Rtype::SOA, Fault::Missing))?;
        let foreign = self.expected.foreign.iter().map(|key| key.rdata().to_vec());
        let mut wanted: Vec<_> = self.expected.keys.iter().map(PublicKey::rdata).chain(foreign).collect();
        wanted.sort();
        let published = apex.rrset(Rtype::DNSKEY);
        if !published.is_some_and(|rrset| rrset.rdatas().eq(wanted.iter().map(Vec::as_slice))) {
            return Err(self.fault(Rtype::DNSKEY, Fault::Keys));
        }
        let right = match self.new.denial() {
            Denial::Nsec => self.expected.denial == DenialPolicy::Nsec && self.new.nsec3.is_empty(),
            Denial::Nsec3(_) => self.expected.denial != DenialPolicy::Nsec,
            Denial::None => false,
        };
        if right { Ok(()) } else { Err(self.fault(Rtype::NSEC, Fault::Denial)) }
    }

    /// Whether something changed that concerns every name.
    fn is_whole(&self) -> bool {
        let Some(old) = self.old else { return true };
        let keys = |snapshot: &'a Snapshot| snapshot.apex().and_then(|apex| apex.rrset(Rtype::DNSKEY));
        let same_keys = match (keys(old), keys(self.new)) {
            (Some(old), Some(new)) => old.rdatas().eq(new.rdatas()),
            _ => false,
        };
        let flags = |snapshot: &Snapshot| nsec3::flags(snapshot.nsec3.iter().next());
        !same_keys
            || old.denial() != self.new.denial()
            || flags(old) != flags(self.new)
            || old.negative_ttl() != self.new.negative_ttl()
    }

    fn all_places(&self) -> Vec<Place<'a>> {
        let mut places: Vec<Place<'a>> = Vec::with_capacity(self.new.nodes.len());
        let mut next = self.origin();
        let nodes: Vec<_> = self.new.with_standing().collect();
        for (node, standing) in nodes.into_iter().rev() {
            places.push(Place { node, standing, next });
            if standing != Standing::Occluded {
                next = node.owner();
            }
        }
        places
    }

    /// The owners that changed, and those below a delegation or DNAME that came or went.
    fn changed(&self, delta: &Delta) -> BTreeSet<Name> {
        let mut owners: BTreeSet<_> = delta.nodes.iter().map(|change| change.owner().to_owned()).collect();
        for Change { old, new } in &delta.nodes {
            let occludes = |node: &Option<Node>| node.as_ref().is_some_and(|node| self.new.occludes(node));
            if occludes(old) == occludes(new) {
                continue;
            }
            let Some(top) = new.as_ref().or(old.as_ref()).map(Node::owner) else { continue };
            for contents in
                [self.old.map(Snapshot::contents), Some(self.new.contents())].into_iter().flatten()
            {
                let below = contents.nodes.iter_from(&contents.nodes.key(top));
                owners.extend(
                    below
                        .map(Node::owner)
                        .take_while(|owner| owner.is_at_or_below(top))
                        .map(NameRef::to_owned),
                );
            }
        }
        owners
    }

    /// The changed owners that exist, and the names before each in the chain of NSEC records.
    fn places(&self, changed: &BTreeSet<Name>) -> Vec<Place<'a>> {
        let mut owners = BTreeSet::new();
        for owner in changed {
            owners.extend(self.new.nodes.get(owner.as_ref()).map(Node::owner));
            if self.expected.denial == DenialPolicy::Nsec {
                let before = self.new.authoritative_before(&self.new.nodes.key(owner.as_ref()));
                owners.extend(before.map(Node::owner));
            }
        }
        owners
            .into_iter()
            .filter_map(|owner| {
                let node = self.new.nodes.get(owner)?;
                let standing = self.new.standing(owner);
                let next = match standing {
                    Standing::Occluded => None,
                    _ => self.new.authoritative_after(node),
                };
                Some(Place { node, standing, next: next.map_or(self.origin(), Node::owner) })
            })
            .collect()
    }

    /// Everything about one owner name.
    fn place(&self, input: &mut SigningInput, place: &Place<'_>) -> Result<(), Invalid> {
        let owner = place.node.owner();
        for rrset in place.node.rrsets() {
            let ours = match place.standing {
                Standing::Authoritative => true,
                Standing::Cut => matches!(rrset.rtype, Rtype::DS | Rtype::NSEC),
                Standing::Occluded => false,
            };
            if ours {
                self.signed(input, owner, &rrset, self.old.and_then(|old| old.nodes.get(owner)))?;
            } else if rrset.signature_count > 0 {
                return Err(invalid(owner, rrset.rtype, Fault::NotOurs));
            }
        }
        let chained = self.expected.denial == DenialPolicy::Nsec && place.standing != Standing::Occluded;
        match place.node.rrset(Rtype::NSEC) {
            Some(nsec) if chained => self.nsec(place, &nsec),
            None if chained => Err(invalid(owner, Rtype::NSEC, Fault::Missing)),
            Some(_) => Err(invalid(owner, Rtype::NSEC, Fault::Stray)),
            None => Ok(()),
        }
    }

    fn nsec(&self, place: &Place<'_>, nsec: &RrsetRef<'_>) -> Result<(), Invalid> {
        let fault = |fault| Err(invalid(place.node.owner(), Rtype::NSEC, fault));
        if nsec.ttl() != self.new.negative_ttl() {
            return fault(Fault::Ttl);
        }
        let Ok(next) = NameRef::from_wire(nsec.first()) else { return fault(Fault::Next) };
        if nsec.count != 1 || next != place.next {
            return fault(Fault::Next);
        }
        let mut types = types_denied(place.node, place.standing);
        types.insert(Rtype::RRSIG);
        types.insert(Rtype::NSEC);
        if bitmap_of(types) != nsec.first()[next.wire().len()..] {
            return fault(Fault::Bitmap);
        }
        Ok(())
    }

    /// An RRset that must be signed. One that `old` has too, signatures and all, is not verified again, but its
    /// keys must still be published.
    fn signed(
        &self,
        input: &mut SigningInput,
        owner: NameRef<'_>,
        rrset: &RrsetRef<'_>,
        old: Option<&Node>,
    ) -> Result<(), Invalid> {
        let fault = |fault| Err(invalid(owner, rrset.rtype, fault));
        if rrset.signature_count == 0 {
            return fault(Fault::Unsigned);
        }
        let known = old.and_then(|node| node.rrset(rrset.rtype)).is_some_and(|old| old == *rrset);
        let mut by_entry_point = false;
        // One bit an algorithm.
        let bit = |key: &PublicKey| 1_u32 << key.algorithm().number();
        let mut algorithms = 0;
        for rdata in rrset.signature_rdatas() {
            let Some((fields, signature)) = Fields::from_rdata(rdata) else {
                return fault(Fault::Field("length"));
            };
            let is_its = |key: &&PublicKey| {
                key.tag() == fields.key_tag && key.algorithm().number() == fields.algorithm
            };
            let published = self.expected.keys.iter().find(is_its);
            let Some(key) = published.or_else(|| self.expected.hidden.iter().find(is_its)) else {
                return fault(Fault::UnknownKey(fields.key_tag));
            };
            if let Some(key) = published {
                by_entry_point |= key.is_secure_entry_point();
                algorithms |= bit(key);
            }
            if known {
                continue;
            }
            if let Some(field) = self.misfit(&fields, owner, rrset) {
                return fault(Fault::Field(field));
            }
            let Now { shown, latest } = self.expected.now;
            let begins = shown.nearest_rrsig(fields.inception);
            if shown < begins || latest.nearest_rrsig(fields.expiration) <= latest {
                return fault(Fault::Time);
            }
            input.begin(&fields, owner);
            for rdata in rrset.rdatas() {
                input.record(|out| rdata::canonical(rrset.rtype, rdata, out));
            }
            if !input.verify(key, signature) {
                return fault(Fault::Signature);
            }
        }
        if let Some(key) = self.expected.keys.iter().find(|key| algorithms & bit(key) == 0) {
            return fault(Fault::Algorithm(key.algorithm().number()));
        }
        let of_keys = matches!(rrset.rtype, Rtype::DNSKEY | Rtype::CDS | Rtype::CDNSKEY);
        if of_keys && owner == self.origin() && !by_entry_point {
            return fault(Fault::NotByEntryPoint);
        }
        Ok(())
    }

    fn misfit(&self, fields: &Fields<'_>, owner: NameRef<'_>, rrset: &RrsetRef<'_>) -> Option<&'static str> {
        if fields.covered != rrset.rtype {
            Some("type covered")
        } else if fields.labels != label_count(owner) {
            Some("labels")
        } else if fields.original_ttl != rrset.ttl() {
            Some("original TTL")
        } else if fields.signer != self.origin() {
            Some("signer")
        } else {
            None
        }
    }
}

/// The types whose presence a bitmap tells, those of the bitmap's own record and its signature aside.
fn types_denied(node: &Node, standing: Standing) -> BTreeSet<Rtype> {
    // RFC 4035 §2.3: at a delegation, NS and what the parent is authoritative for.
    let cut = standing == Standing::Cut;
    node.types().filter(|&rtype| !cut || matches!(rtype, Rtype::NS | Rtype::DS)).collect()
}

fn bitmap_of(types: BTreeSet<Rtype>) -> Vec<u8> {
    let mut out = Vec::new();
    bitmap::write(types, &mut out);
    out
}

fn invalid(owner: NameRef<'_>, rtype: Rtype, fault: Fault) -> Invalid {
    Invalid { owner: owner.to_owned(), rtype, fault }
}
