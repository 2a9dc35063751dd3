//! Which RRsets of a zone danelaw makes by itself. Nobody else's records may stand there: neither a zone file's, nor
//! a primary's, nor a dynamic update's. Other types at the same owner are the zone's own.

use std::collections::{BTreeMap, BTreeSet};

use crate::dns::name::{Name, NameRef};
use crate::dns::rtype::Rtype;

/// RRsets that danelaw makes, by type and owner.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ManagedRrsets {
    // By type first: most records are of a type that is managed nowhere, and that is told without their owner.
    types: BTreeMap<Rtype, BTreeSet<Name>>,
}

impl ManagedRrsets {
    /// Whether danelaw makes the records of type `rtype` at `owner`.
    pub fn contains(&self, owner: NameRef<'_>, rtype: Rtype) -> bool {
        self.types.get(&rtype).is_some_and(|owners| owners.contains(&owner.to_owned()))
    }

    /// The types that danelaw makes at `owner`.
    pub fn at<'a>(&'a self, owner: &'a Name) -> impl Iterator<Item = Rtype> {
        self.types.iter().filter(|(_, owners)| owners.contains(owner)).map(|(rtype, _)| *rtype)
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = (&Name, Rtype)> {
        self.types.iter().flat_map(|(rtype, owners)| owners.iter().map(|owner| (owner, *rtype)))
    }

    /// Those of them that `other` does not have.
    pub fn without(&self, other: &Self) -> Self {
        let is_gone = |(owner, rtype): &(&Name, Rtype)| !other.contains(owner.as_ref(), *rtype);
        self.iter().filter(is_gone).map(|(owner, rtype)| (owner.clone(), rtype)).collect()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.types.is_empty()
    }
}

impl FromIterator<(Name, Rtype)> for ManagedRrsets {
    fn from_iter<I: IntoIterator<Item = (Name, Rtype)>>(rrsets: I) -> Self {
        let mut managed = Self::default();
        for (owner, rtype) in rrsets {
            managed.types.entry(rtype).or_default().insert(owner);
        }
        managed
    }
}
