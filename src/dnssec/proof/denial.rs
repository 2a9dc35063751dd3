//! What NSEC and NSEC3 records prove to be absent (RFC 4035 §5.4, RFC 5155 §8, RFC 6840 §4).
//!
//! An NSEC3 record with the opt-out flag proves nothing of the names that it covers: there may be delegations without
//! DS among them (RFC 5155 §9.2).

use super::super::bitmap;
use super::super::nsec3::{Hash, OPT_OUT, hash_of};
use super::{Rrset, ancestors};
use crate::dns::name::{Key, Name, NameRef};
use crate::dns::rtype::Rtype;
use crate::zone::Nsec3Params;

/// The denials of one response, all of them proven to be the zone's.
#[derive(Debug)]
pub struct Denials {
    zone: Name,
    nsecs: Vec<Nsec>,
    nsec3s: Vec<Nsec3>,
    params: Nsec3Params,
}

/// Whether a name is the apex of a zone of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delegation {
    /// It is not.
    None,
    /// It is, or may be, and nobody vouches for its keys.
    Insecure,
    /// The records say nothing of it.
    Unproven,
}

#[derive(Debug)]
struct Nsec {
    owner: Name,
    next: Name,
    types: Vec<u8>,
}

#[derive(Debug)]
struct Nsec3 {
    hash: Hash,
    next: Hash,
    opt_out: bool,
    types: Vec<u8>,
}

/// More iterations than this are treated as no proof (RFC 9276 §3.2).
const MAX_ITERATIONS: u16 = 100;

impl Denials {
    /// Of RRsets that have been verified with the keys of `zone`.
    pub(super) fn of<'r>(zone: NameRef<'_>, rrsets: impl Iterator<Item = &'r Rrset> + Clone) -> Self {
        // The records of one chain have the same parameters; those of another one prove nothing here.
        let params = rrsets
            .clone()
            .filter(|rrset| rrset.rtype == Rtype::NSEC3)
            .find_map(|rrset| Nsec3Params::read(rrset.rdatas.first()?))
            .filter(|params| params.iterations <= MAX_ITERATIONS);
        let nsecs =
            rrsets.clone().filter(|rrset| rrset.rtype == Rtype::NSEC).filter_map(Nsec::read).collect();
        let nsec3s = rrsets.filter(|rrset| rrset.rtype == Rtype::NSEC3);
        let nsec3s = nsec3s.filter_map(|rrset| Nsec3::read(rrset, params.as_ref()?)).collect();
        Self { zone: zone.to_owned(), nsecs, nsec3s, params: params.unwrap_or_default() }
    }

    /// Whether `name` exists, by itself or by a wildcard, and has no records of this type.
    pub fn no_data(&self, name: NameRef<'_>, rtype: Rtype) -> bool {
        if !name.is_at_or_below(self.zone.as_ref()) {
            return false;
        }
        if let Some(nsec) = self.nsecs.iter().find(|nsec| nsec.owner.as_ref() == name) {
            return lacks(&nsec.types, rtype);
        }
        if let Some(nsec) = self.covering(name) {
            // An empty non-terminal lies between a name before it and one below it.
            return nsec.next.as_ref().is_at_or_below(name)
                || self.nsec_encloser(name).and_then(wildcard).is_some_and(|wildcard| {
                    self.nsecs.iter().any(|nsec| nsec.owner == wildcard && lacks(&nsec.types, rtype))
                });
        }
        if let Some(nsec3) = self.matching(name) {
            return lacks(&nsec3.types, rtype);
        }
        let encloser = self.nsec3_encloser(name).and_then(|(encloser, _)| wildcard(encloser));
        encloser
            .and_then(|wildcard| self.matching(wildcard.as_ref()))
            .is_some_and(|nsec3| lacks(&nsec3.types, rtype))
    }

    /// Whether neither `name` exists, nor a wildcard that would stand for it.
    pub fn no_name(&self, name: NameRef<'_>) -> bool {
        if let Some(encloser) = self.nsec_encloser(name) {
            return wildcard(encloser)
                .is_some_and(|wildcard| self.nsec_encloser(wildcard.as_ref()).is_some());
        }
        let encloser = self.nsec3_encloser(name).filter(|(_, opt_out)| !opt_out);
        let wildcard = encloser.and_then(|(encloser, _)| wildcard(encloser));
        wildcard.is_some_and(|wildcard| self.covering3(wildcard.as_ref()).is_some())
    }

    /// Whether there is no name nearer to `name` than its ancestor with so many labels.
    pub fn no_closer(&self, name: NameRef<'_>, labels: usize) -> bool {
        if let Some(encloser) = self.nsec_encloser(name) {
            return encloser.label_count() <= labels;
        }
        let next_closer = ancestors(name).find(|ancestor| ancestor.label_count() == labels + 1);
        next_closer.and_then(|name| self.covering3(name)).is_some_and(|nsec3| !nsec3.opt_out)
    }

    /// Whether `name` is delegated, where there are no DS records.
    pub fn delegation(&self, name: NameRef<'_>) -> Delegation {
        let by_types = |types: &[u8]| {
            let is_cut = has(types, Rtype::NS) && !has(types, Rtype::SOA);
            if is_cut { Delegation::Insecure } else { Delegation::None }
        };
        if let Some(nsec) = self.nsecs.iter().find(|nsec| nsec.owner.as_ref() == name) {
            return by_types(&nsec.types);
        }
        if let Some(nsec3) = self.matching(name) {
            return by_types(&nsec3.types);
        }
        if self.covering(name).is_some() {
            return Delegation::None;
        }
        match self.nsec3_encloser(name) {
            // RFC 5155 §6: what is left out of the chain may be a delegation without DS.
            Some((_, true)) => Delegation::Insecure,
            Some((_, false)) => Delegation::None,
            None => Delegation::Unproven,
        }
    }

    /// The NSEC record between whose ends `name` would lie.
    fn covering(&self, name: NameRef<'_>) -> Option<&Nsec> {
        let zone = self.zone.as_ref();
        let key = |name: NameRef<'_>| Key::of(name, zone.wire().len());
        let wanted = name.is_at_or_below(zone).then(|| key(name))?;
        self.nsecs.iter().find(|nsec| {
            let (owner, next) = (nsec.owner.as_ref(), nsec.next.as_ref());
            let before_next =
                next == zone || next.is_at_or_below(zone) && wanted.symbols() < key(next).symbols();
            key(owner).symbols() < wanted.symbols()
                && before_next
                && !(hides(&nsec.types) && name.is_at_or_below(owner))
        })
    }

    /// The closest encloser of a name that does not exist: the most that it shares with either end.
    fn nsec_encloser<'n>(&self, name: NameRef<'n>) -> Option<NameRef<'n>> {
        let nsec = self.covering(name).filter(|nsec| !nsec.next.as_ref().is_at_or_below(name))?;
        let holds = |ancestor: &NameRef<'_>| {
            nsec.owner.as_ref().is_at_or_below(*ancestor) || nsec.next.as_ref().is_at_or_below(*ancestor)
        };
        ancestors(name).find(holds)
    }

    fn matching(&self, name: NameRef<'_>) -> Option<&Nsec3> {
        if self.nsec3s.is_empty() {
            return None;
        }
        let hash = self.params.hash(name);
        self.nsec3s.iter().find(|nsec3| nsec3.hash == hash)
    }

    fn covering3(&self, name: NameRef<'_>) -> Option<&Nsec3> {
        if self.nsec3s.is_empty() {
            return None;
        }
        let hash = self.params.hash(name);
        self.nsec3s.iter().find(|nsec3| {
            let (after, before) = (nsec3.hash < hash, hash < nsec3.next);
            if nsec3.hash < nsec3.next { after && before } else { after || before }
        })
    }

    /// RFC 5155 §8.3: the nearest ancestor with a record, and whether the next name down was left out.
    fn nsec3_encloser<'n>(&self, name: NameRef<'n>) -> Option<(NameRef<'n>, bool)> {
        let zone = self.zone.as_ref();
        let mut next_closer = name;
        for ancestor in ancestors(name).skip(1).take_while(|ancestor| ancestor.is_at_or_below(zone)) {
            if let Some(nsec3) = self.matching(ancestor) {
                let covering = self.covering3(next_closer).filter(|_| !hides(&nsec3.types))?;
                return Some((ancestor, covering.opt_out));
            }
            next_closer = ancestor;
        }
        None
    }
}

impl Nsec {
    fn read(rrset: &Rrset) -> Option<Self> {
        let rdata = rrset.rdatas.first()?;
        let next = NameRef::from_wire(rdata).ok()?;
        let types = rdata[next.wire().len()..].to_vec();
        Some(Self { owner: rrset.owner.clone(), next: next.to_owned(), types })
    }
}

impl Nsec3 {
    fn read(rrset: &Rrset, params: &Nsec3Params) -> Option<Self> {
        let rdata = rrset.rdatas.first()?;
        if Nsec3Params::read(rdata).as_ref() != Some(params) {
            return None;
        }
        let flags = rdata.get(1)?;
        let (&length, rest) = rdata.get(5 + params.salt.len()..)?.split_first()?;
        let (next, types) = rest.split_at_checked(length.into())?;
        Some(Self {
            hash: hash_of(rrset.owner.as_ref())?,
            next: next.try_into().ok()?,
            opt_out: flags & OPT_OUT != 0,
            types: types.to_vec(),
        })
    }
}

fn wildcard(encloser: NameRef<'_>) -> Option<Name> {
    encloser.to_owned().child(b"*").ok()
}

/// RFC 6840 §4.1: what is below a cut or a DNAME is not the zone's to deny.
fn hides(types: &[u8]) -> bool {
    has(types, Rtype::DNAME) || has(types, Rtype::NS) && !has(types, Rtype::SOA)
}

/// Whether a type bitmap says that there is neither `rtype` nor an alias (RFC 6840 §4.3); the parent's side of a cut
/// may say so of DS alone, and the child's side of all but DS (RFC 6840 §4.1, §4.4).
fn lacks(types: &[u8], rtype: Rtype) -> bool {
    let parental = has(types, Rtype::NS) && !has(types, Rtype::SOA);
    let apex = has(types, Rtype::SOA);
    let may_say = if rtype == Rtype::DS { !apex } else { !parental };
    may_say && !has(types, rtype) && !has(types, Rtype::CNAME)
}

fn has(types: &[u8], rtype: Rtype) -> bool {
    bitmap::contains(types, rtype)
}
