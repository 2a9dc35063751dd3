//! The NSEC3 chain (RFC 5155 §7.1): which names are in it, and which of its records change.
//!
//! Every authoritative owner and every empty non-terminal above one is hashed. With opt-out, insecure delegations
//! are not, nor are empty non-terminals that exist because of them alone.

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
        if !is_member(contents, denial, node, standing) {
            continue;
        }
        // Names above this one that the member before is not below are empty non-terminals.
        let mut above = node.owner().parent();
        while let (Some(name), Some(before)) = (above, last) {
            if before.is_at_or_below(name) {
                break;
            }
            members.push((name, None));
            above = name.parent();
        }
        members.push((node.owner(), Some((node, standing))));
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
    let mut above_members = BTreeSet::new();
    // From the last to the first: what lies below a name comes before it.
    for name in with_ancestors(contents, owners).iter().rev() {
        let hash = Nsec3Params::default().hash(name.as_ref());
        let owner = nsec3::owner(&hash, contents.origin().as_ref())?;
        let old = contents.nsec3.get(owner.as_ref()).cloned();
        let node = contents.nodes.get(name.as_ref()).filter(|node| exists(contents, node));
        let types = if let Some(node) = node {
            let standing = contents.standing(name.as_ref());
            is_member(contents, denial, node, standing).then(|| Types::Of(node.clone(), standing))
        } else {
            // What was no empty non-terminal becomes one only by a member that is new, so one of `owners`.
            let below = above_members.contains(name)
                || old.is_some() && has_member_below(contents, denial, name.as_ref());
            below.then_some(Types::Nothing)
        };
        if types.is_some()
            && let Some(parent) = name.as_ref().parent()
        {
            above_members.insert(parent.to_owned());
        }
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

/// Whether an owner with data is hashed.
fn is_member(contents: &Contents, denial: DenialPolicy, node: &Node, standing: Standing) -> bool {
    match standing {
        Standing::Occluded => false,
        Standing::Cut => denial != DenialPolicy::Nsec3OptOut || node.has(Rtype::DS),
        Standing::Authoritative => exists(contents, node),
    }
}

fn has_member_below(contents: &Contents, denial: DenialPolicy, name: NameRef<'_>) -> bool {
    let below = contents.nodes.iter_from(&contents.nodes.key(name));
    below
        .take_while(|node| node.owner().is_at_or_below(name))
        .any(|node| is_member(contents, denial, node, contents.standing(node.owner())))
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
