//! The NSEC3 chain (RFC 5155 §7.1): which names are in it, and which of its records change.
//!
//! Every authoritative owner, every delegation and every empty non-terminal is hashed. With opt-out, insecure
//! delegations are not; empty non-terminals are even where only such are below them. The RFC lets those be left out,
//! but then names below them may be unprovable: the closest encloser that has a record lies further up, and where
//! there is a wildcard it would seem to apply.

use super::super::nsec3::{self, Hash, hash_of};
use super::super::policy::DenialPolicy;
use super::SignError;
use super::plan::exists;
use crate::dns::name::{Name, NameRef};
use crate::dns::rtype::Rtype;
use crate::dns::time::{Timestamp, Ttl};
use crate::zone::{Contents, Node, Nsec3Params, Standing, node};
use rayon::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

/// Where the bitmap of an NSEC3 record comes from.
pub(super) enum Types {
    /// The types at this owner.
    Of(Node, Standing),
    /// An empty non-terminal has none.
    Nothing,
    /// The record there is; only the next hash may differ.
    AsBefore,
}

/// An NSEC3 record to look at.
pub(super) struct HashedTask {
    pub(super) hash: Hash,
    pub(super) next: Hash,
    pub(super) types: Types,
    /// The node there is.
    pub(super) old: Option<Node>,
}

/// What an incremental change does to the chain.
pub(super) struct Changes {
    /// Owners that are gone, and are out of the tree already.
    pub(super) removed: BTreeSet<Name>,
    /// Records to look at. New ones stand in the tree as placeholders.
    pub(super) tasks: Vec<HashedTask>,
}

/// Every record of the chain, in its order.
pub(super) fn all(contents: &Contents, denial: DenialPolicy) -> Result<Vec<HashedTask>, SignError> {
    let origin = contents.origin().as_ref();
    // Whether hashed owners fit below the apex is the same for all of them.
    nsec3::owner(&[0; 20], origin)?;
    let mut members: Vec<(NameRef<'_>, Option<(&Node, Standing)>)> = Vec::with_capacity(contents.nodes.len());
    let mut last: Option<NameRef<'_>> = None;
    for (node, standing) in contents.with_standing() {
        if standing == Standing::Occluded || !exists(contents, node) {
            continue;
        }
        members.extend(empty_between(last, node.owner()).map(|name| (name, None)));
        if is_member(denial, node, standing) {
            members.push((node.owner(), Some((node, standing))));
        }
        last = Some(node.owner());
    }
    let mut hashed: Vec<_> = members
        .into_par_iter()
        .with_min_len(HASHES_AT_A_TIME)
        .map(|(name, node)| (Nsec3Params::default().hash(name), node))
        .collect();
    hashed.par_sort_unstable_by_key(|(hash, _)| *hash);
    if hashed.windows(2).any(|pair| pair[0].0 == pair[1].0) {
        return Err(SignError::SameHash);
    }
    let nexts = hashed.iter().skip(1).chain(hashed.first()).map(|(hash, _)| *hash);
    let tasks = hashed.iter().zip(nexts).map(|(&(hash, node), next)| {
        let types = node.map_or(Types::Nothing, |(node, standing)| Types::Of(node.clone(), standing));
        let old = if contents.nsec3.is_empty() {
            None
        } else {
            contents.nsec3.get(nsec3::owner(&hash, origin)?.as_ref()).cloned()
        };
        Ok(HashedTask { hash, next, types, old })
    });
    tasks.collect()
}

/// The records that hang on `owners`, and those that expire before `renew_before`.
pub(super) fn some(
    contents: &mut Contents,
    owners: &BTreeSet<Name>,
    renew_before: Timestamp,
    denial: DenialPolicy,
) -> Result<Changes, SignError> {
    let mut removed = BTreeSet::new();
    let mut tasks: BTreeMap<Hash, (Types, Option<Node>)> = BTreeMap::new();
    // Hashes whose predecessor leads elsewhere now.
    let mut unlinked = Vec::new();
    for name in &with_ancestors(contents, owners) {
        let hash = Nsec3Params::default().hash(name.as_ref());
        let owner = nsec3::owner(&hash, contents.origin().as_ref())?;
        let old = contents.nsec3.get(owner.as_ref()).cloned();
        let types = match (contents.standing(name.as_ref()), existing_from(contents, name.as_ref())) {
            (Standing::Occluded, _) | (_, None) => None,
            (standing, Some(node)) if node.owner() == name.as_ref() => {
                is_member(denial, node, standing).then(|| Types::Of(node.clone(), standing))
            }
            (_, Some(_)) => Some(Types::Nothing),
        };
        match (old, types) {
            (None, None) => {}
            (Some(_), None) => {
                contents.nsec3.remove(owner.as_ref());
                unlinked.push(owner.clone());
                removed.insert(owner);
            }
            (None, Some(types)) => {
                let placeholder = node::single(&owner, Rtype::NSEC3, Ttl(0), &[&[]]);
                placeholder.and_then(|node| contents.nsec3.insert(node));
                unlinked.push(owner);
                tasks.insert(hash, (types, None));
            }
            (old, Some(types)) => drop(tasks.insert(hash, (types, old))),
        }
    }
    let mut due: Vec<_> = unlinked.iter().filter_map(|owner| before(contents, owner)).collect();
    due.extend(contents.nsec3.expiring_before(renew_before.rrsig()).take(super::MAX_RENEWED));
    for node in due {
        if let Some(hash) = hash_of(node.owner()) {
            tasks.entry(hash).or_insert_with(|| (Types::AsBefore, Some(node.clone())));
        }
    }
    let mut linked = Vec::with_capacity(tasks.len());
    for (hash, (types, old)) in tasks {
        let owner = nsec3::owner(&hash, contents.origin().as_ref())?;
        let next = after(contents, &owner).and_then(|node| hash_of(node.owner())).unwrap_or(hash);
        linked.push(HashedTask { hash, next, types, old });
    }
    Ok(Changes { removed, tasks: linked })
}

/// `owners` and every name between them and the apex.
fn with_ancestors(contents: &Contents, owners: &BTreeSet<Name>) -> BTreeSet<Name> {
    let mut ancestors = BTreeSet::new();
    for owner in owners {
        let mut name = owner.as_ref();
        while name != contents.origin().as_ref()
            && let Some(parent) = name.parent()
            && ancestors.insert(parent.to_owned())
        {
            name = parent;
        }
    }
    ancestors.extend(owners.iter().cloned());
    ancestors
}

/// Whether an owner that exists is hashed.
fn is_member(denial: DenialPolicy, node: &Node, standing: Standing) -> bool {
    match standing {
        Standing::Occluded => false,
        Standing::Cut => denial != DenialPolicy::Nsec3OptOut || node.has(Rtype::DS),
        Standing::Authoritative => true,
    }
}

/// The first owner at or below `name` that exists: where that is another, `name` is an empty non-terminal.
fn existing_from<'t>(contents: &'t Contents, name: NameRef<'_>) -> Option<&'t Node> {
    let nodes = contents.nodes.iter_from(&contents.nodes.key(name));
    nodes.take_while(|node| node.owner().is_at_or_below(name)).find(|node| exists(contents, node))
}

/// The empty non-terminals above `owner` that are not above `before`, too, the owner that comes before it.
fn empty_between<'n>(before: Option<NameRef<'n>>, owner: NameRef<'n>) -> impl Iterator<Item = NameRef<'n>> {
    let above = std::iter::successors(owner.parent(), |name| name.parent());
    above.take_while(move |&name| before.is_some_and(|before| !before.is_at_or_below(name)))
}

/// The record before `owner` in the chain, which is a ring.
fn before<'t>(contents: &'t Contents, owner: &Name) -> Option<&'t Node> {
    let key = contents.nsec3.key(owner.as_ref());
    contents.nsec3.before(&key).or_else(|| contents.nsec3.last())
}

/// The record after `owner`, which is in the chain.
fn after<'t>(contents: &'t Contents, owner: &Name) -> Option<&'t Node> {
    let key = contents.nsec3.key(owner.as_ref());
    contents.nsec3.iter_from(&key).nth(1).or_else(|| contents.nsec3.iter().next())
}

/// How many names a thread hashes at a time; fewer than twice as many never wait for the pool.
const HASHES_AT_A_TIME: usize = 1_000;
