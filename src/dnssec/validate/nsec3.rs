//! The NSEC3 chain: right for every changed name, closed around every changed link (RFC 5155 §7.1).
//!
//! With opt-out, the RFC lets empty non-terminals above nothing but insecure delegations be left out. Here they are
//! demanded: without them some true answers could not be proven. Zones that another signer made are not checked here;
//! they are served as they are.

use super::super::nsec3::{Hash, OPT_OUT, SHA1, hash_of, owner};
use super::{Check, Fault, Invalid, bitmap_of, each, invalid, types_denied};
use crate::dns::name::{Name, NameRef};
use crate::dns::rtype::Rtype;
use crate::dnssec::policy::DenialPolicy;
use crate::dnssec::rrsig::SigningInput;
use crate::zone::{Change, Denial, Node, Nsec3Params, Standing};
use rayon::prelude::*;
use std::collections::{BTreeMap, BTreeSet, HashSet};

/// Octets of NSEC3 rdata before the salt.
const BEFORE_SALT: usize = 5;

/// A record and what it must say.
struct Record<'a> {
    node: &'a Node,
    /// The hash that its next field must have.
    next: Option<Hash>,
    types: Types<'a>,
}

/// What the bitmap of a record must say.
#[derive(Clone, Copy)]
enum Types<'a> {
    /// The types at this owner.
    Of(&'a Node, Standing),
    /// Nothing: an empty non-terminal.
    Nothing,
    /// What it said before: the name it stands for did not change.
    AsBefore,
}

impl<'a> Check<'a> {
    /// The chain as a whole, name by name.
    pub(super) fn nsec3_all(&self) -> Result<(), Invalid> {
        let mut wanted: Vec<(Hash, Types<'_>)> = Vec::with_capacity(self.new.nsec3.len());
        let mut above: HashSet<NameRef<'_>> = HashSet::new();
        for (node, standing) in self.new.with_standing() {
            if standing == Standing::Occluded {
                continue;
            }
            let mut name = node.owner();
            if self.is_member(node, standing) {
                wanted.push((self.hash(name), Types::Of(node, standing)));
            }
            while name != self.origin()
                && let Some(parent) = name.parent()
                && above.insert(parent)
            {
                name = parent;
            }
        }
        let empty = above.into_iter().filter(|&name| self.new.nodes.get(name).is_none());
        wanted.extend(empty.map(|name| (self.hash(name), Types::Nothing)));
        wanted.par_sort_unstable_by_key(|(hash, _)| *hash);
        let chain = &self.new.nsec3;
        let mut records = Vec::with_capacity(chain.len());
        let firsts = chain.iter().next().and_then(|node| hash_of(node.owner()));
        let mut wanted = wanted.into_iter();
        let mut nodes = chain.iter().peekable();
        while let Some(node) = nodes.next() {
            let found = hash_of(node.owner()).ok_or_else(|| stray(node.owner()))?;
            match wanted.next() {
                Some((hash, types)) if hash == found => {
                    let next = nodes.peek().map_or(firsts, |next| hash_of(next.owner()));
                    records.push(Record { node, next, types });
                }
                Some((hash, _)) if hash < found => return Err(self.missing(&hash)),
                _ => return Err(stray(node.owner())),
            }
        }
        if let Some((hash, _)) = wanted.next() {
            return Err(self.missing(&hash));
        }
        each(&records, |input, record| self.record(input, record))
    }

    /// The chain around `changed` names and `changes` of records.
    pub(super) fn nsec3_some(&self, changed: &BTreeSet<Name>, changes: &[Change]) -> Result<(), Invalid> {
        let mut names: BTreeSet<NameRef<'_>> = BTreeSet::new();
        for name in changed {
            let mut name = name.as_ref();
            while names.insert(name)
                && name != self.origin()
                && let Some(parent) = name.parent()
            {
                name = parent;
            }
        }
        let mut records: BTreeMap<Hash, Record<'_>> = BTreeMap::new();
        let mut settled = BTreeSet::new();
        for name in names {
            let hash = self.hash(name);
            let owner = self.owner(&hash);
            settled.insert(hash);
            match (self.wanted(name), self.new.nsec3.get(owner.as_ref())) {
                (Some(types), Some(node)) => {
                    records.insert(hash, Record { node, next: self.next(&owner), types });
                }
                (Some(_), None) => return Err(self.missing(&hash)),
                (None, Some(_)) => return Err(stray(owner.as_ref())),
                (None, None) => {}
            }
        }
        for change in changes {
            let owner = change.owner().to_owned();
            let hash = hash_of(change.owner()).ok_or_else(|| stray(owner.as_ref()))?;
            if !settled.contains(&hash) {
                // A name that nothing happened to keeps its record; only the link and the signature may differ.
                let same = bitmap_in(change.old.as_ref()).is_some()
                    && bitmap_in(change.old.as_ref()) == bitmap_in(change.new.as_ref());
                if !same {
                    // Unless that was wrong: only the zone as a whole says what name a new record is for.
                    return self.nsec3_all();
                }
            }
            let key = self.new.nsec3.key(owner.as_ref());
            let before = self.new.nsec3.before(&key).or_else(|| self.new.nsec3.last());
            for node in [before, self.new.nsec3.get(owner.as_ref())].into_iter().flatten() {
                let hash = hash_of(node.owner()).ok_or_else(|| stray(node.owner()))?;
                let next = self.next(&node.owner().to_owned());
                records.entry(hash).or_insert(Record { node, next, types: Types::AsBefore });
            }
        }
        let records: Vec<_> = records.into_values().collect();
        each(&records, |input, record| self.record(input, record))
    }

    /// What the bitmap of the record for `name` must say, or that there must be none.
    fn wanted(&self, name: NameRef<'_>) -> Option<Types<'a>> {
        let standing = self.new.standing(name);
        if let Some(node) = self.new.nodes.get(name) {
            return self.is_member(node, standing).then_some(Types::Of(node, standing));
        }
        // What comes first below an authoritative name is not occluded.
        let mut below = self.new.nodes.iter_from(&self.new.nodes.key(name));
        let is_empty_non_terminal = standing != Standing::Occluded
            && below.next().is_some_and(|node| node.owner().is_at_or_below(name));
        is_empty_non_terminal.then_some(Types::Nothing)
    }

    fn is_member(&self, node: &Node, standing: Standing) -> bool {
        match standing {
            Standing::Authoritative => true,
            Standing::Cut => self.expected.denial != DenialPolicy::Nsec3OptOut || node.has(Rtype::DS),
            Standing::Occluded => false,
        }
    }

    /// Everything about one record.
    fn record(&self, input: &mut SigningInput, record: &Record<'_>) -> Result<(), Invalid> {
        let owner = record.node.owner();
        let fault = |fault| Err(invalid(owner, Rtype::NSEC3, fault));
        let mut rrsets = record.node.rrsets();
        let (Some(rrset), None) = (rrsets.next(), rrsets.next()) else { return fault(Fault::Stray) };
        if rrset.rtype != Rtype::NSEC3 || rrset.count != 1 {
            return fault(Fault::Stray);
        }
        if rrset.ttl() != self.new.negative_ttl() {
            return fault(Fault::Ttl);
        }
        let Denial::Nsec3(params) = self.new.denial() else { return fault(Fault::Denial) };
        let opt_out = if self.expected.denial == DenialPolicy::Nsec3OptOut { OPT_OUT } else { 0 };
        let [high, low] = params.iterations.to_be_bytes();
        let mut head = vec![SHA1, opt_out, high, low, params.salt.len() as u8];
        head.extend(&params.salt);
        head.push(20);
        let Some(rest) = rrset.first().strip_prefix(&head[..]) else { return fault(Fault::Parameters) };
        let Some((next, bitmap)) = rest.split_first_chunk::<20>() else { return fault(Fault::Parameters) };
        if Some(*next) != record.next {
            return fault(Fault::Next);
        }
        let right = match record.types {
            Types::Of(node, standing) => types_bitmap(node, standing) == bitmap,
            Types::Nothing => bitmap.is_empty(),
            Types::AsBefore => true,
        };
        if !right {
            return fault(Fault::Bitmap);
        }
        self.signed(input, owner, &rrset, self.old.and_then(|old| old.nsec3.get(owner)))
    }

    fn hash(&self, name: NameRef<'_>) -> Hash {
        match self.new.denial() {
            Denial::Nsec3(params) => params.hash(name),
            Denial::None | Denial::Nsec => Nsec3Params::default().hash(name),
        }
    }

    /// The owner for a hash; the apex itself where none fits, which no NSEC3 record has.
    fn owner(&self, hash: &Hash) -> Name {
        owner(hash, self.origin()).unwrap_or_else(|_| self.origin().to_owned())
    }

    fn missing(&self, hash: &Hash) -> Invalid {
        invalid(self.owner(hash).as_ref(), Rtype::NSEC3, Fault::Missing)
    }

    /// The hash of the record after `owner` in the ring.
    fn next(&self, owner: &Name) -> Option<Hash> {
        let chain = &self.new.nsec3;
        let after = chain.iter_from(&chain.key(owner.as_ref())).find(|node| node.owner() != owner.as_ref());
        hash_of(after.or_else(|| chain.iter().next())?.owner())
    }
}

/// The flags of an NSEC3 record.
pub(super) fn flags(node: Option<&Node>) -> Option<u8> {
    node?.rrset(Rtype::NSEC3)?.first().get(1).copied()
}

fn types_bitmap(node: &Node, standing: Standing) -> Vec<u8> {
    let mut types = types_denied(node, standing);
    types.remove(&Rtype::NSEC);
    if standing == Standing::Authoritative || types.contains(&Rtype::DS) {
        types.insert(Rtype::RRSIG);
    }
    bitmap_of(types)
}

/// The bitmap that an NSEC3 record has.
fn bitmap_in(node: Option<&Node>) -> Option<&[u8]> {
    let rdata = node?.rrset(Rtype::NSEC3)?.first();
    let salt = usize::from(*rdata.get(BEFORE_SALT - 1)?);
    let next = usize::from(*rdata.get(BEFORE_SALT + salt)?);
    rdata.get(BEFORE_SALT + salt + 1 + next..)
}

fn stray(owner: NameRef<'_>) -> Invalid {
    invalid(owner, Rtype::NSEC3, Fault::Stray)
}
