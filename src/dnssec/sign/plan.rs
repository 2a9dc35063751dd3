//! Which owners the signer looks at, and each one's place in the zone.

use super::super::keyset::KeySet;
use super::super::nsec3::OPT_OUT;
use super::super::policy::{DenialPolicy, Policy};
use super::super::rrsig::Fields;
use crate::dns::name::{Name, NameRef};
use crate::dns::rtype::Rtype;
use crate::dns::time::Now;
use crate::zone::revision::Dirty;
use crate::zone::{Contents, Denial, Node, Nsec3Params, RrsetRef, Snapshot, Standing};
use std::collections::BTreeSet;

/// With more than one changed owner in so many, one pass over the zone is quicker than looking each up.
const PASS_FRACTION: usize = 8;

/// How much of the zone is looked at.
pub(super) enum Scope<'a> {
    /// All of it: it is new, or something changed that concerns every name.
    Everything,
    /// These owners, and what hangs on them.
    Owners(&'a BTreeSet<Name>),
}

impl<'a> Scope<'a> {
    pub(super) fn new(
        previous: Option<&Snapshot>,
        contents: &Contents,
        dirty: &'a Dirty,
        keys: &KeySet,
        policy: &Policy,
        now: Now,
    ) -> Self {
        let (Some(previous), Dirty::Owners(owners)) = (previous, dirty) else { return Self::Everything };
        let few = owners.len() * PASS_FRACTION <= contents.nodes.len() || owners.len() <= PASS_FRACTION;
        let same = few
            && previous.negative_ttl() == contents.negative_ttl()
            && same_denial(previous, policy.denial)
            && same_signers(previous, keys)
            && !super::begins_later(previous, now.shown);
        if same { Self::Owners(owners) } else { Self::Everything }
    }
}

fn same_denial(previous: &Snapshot, policy: DenialPolicy) -> bool {
    let opted_out = || {
        let first = previous.nsec3.iter().next().and_then(|node| node.rrset(Rtype::NSEC3));
        first.and_then(|rrset| rrset.first().get(1).copied()).is_some_and(|flags| flags & OPT_OUT != 0)
    };
    match (previous.denial(), policy) {
        (Denial::Nsec, DenialPolicy::Nsec) => true,
        (Denial::Nsec3(params), DenialPolicy::Nsec3) => *params == Nsec3Params::default() && !opted_out(),
        (Denial::Nsec3(params), DenialPolicy::Nsec3OptOut) => {
            *params == Nsec3Params::default() && opted_out()
        }
        _ => false,
    }
}

/// Whether the keys that sign zone data are those that signed the previous SOA.
fn same_signers(previous: &Snapshot, keys: &KeySet) -> bool {
    let Some(soa) = previous.soa() else { return false };
    let tags = soa.signature_rdatas().filter_map(|rdata| Some(Fields::from_rdata(rdata)?.0.key_tag));
    tags.eq(keys.zone_signers().iter().map(|key| key.public().tag()))
}

/// An owner to look at.
pub(super) struct Task<'t> {
    /// Its node as it stands.
    pub(super) node: &'t Node,
    /// How it relates to the zone's cuts.
    pub(super) standing: Standing,
    /// The next name in the chain of NSEC records; `None` when it has no place in one.
    pub(super) next: Option<NameRef<'t>>,
}

/// Whether an RRset of this type stays at `owner`. The signer makes the others itself, or has no use for them
/// away from the apex.
pub(super) fn keeps(origin: NameRef<'_>, owner: NameRef<'_>, rtype: Rtype) -> bool {
    match rtype {
        Rtype::RRSIG | Rtype::NSEC | Rtype::NSEC3 => false,
        Rtype::NSEC3PARAM => owner == origin,
        _ => true,
    }
}

/// Whether `node` holds anything that is not the signer's.
pub(super) fn exists(contents: &Contents, node: &Node) -> bool {
    node.types().any(|rtype| keeps(contents.origin().as_ref(), node.owner(), rtype))
}

/// Whether the zone signs this RRset where the owner stands so.
pub(super) fn is_signed(standing: Standing, rrset: &RrsetRef<'_>) -> bool {
    match standing {
        Standing::Authoritative => true,
        Standing::Cut => rrset.rtype == Rtype::DS,
        Standing::Occluded => false,
    }
}

/// Every owner.
pub(super) fn all(contents: &Contents, denial: DenialPolicy) -> Vec<Task<'_>> {
    let mut tasks: Vec<Task<'_>> = Vec::with_capacity(contents.nodes.len());
    let mut last: Option<usize> = None;
    for (node, standing) in contents.with_standing() {
        if denial == DenialPolicy::Nsec && standing != Standing::Occluded && exists(contents, node) {
            if let Some(last) = last {
                tasks[last].next = Some(node.owner());
            }
            last = Some(tasks.len());
        }
        tasks.push(Task { node, standing, next: None });
    }
    if let Some(last) = last {
        tasks[last].next = Some(contents.origin().as_ref());
    }
    tasks
}

/// The owners out of `owners` that have a node.
pub(super) fn some<'t>(
    contents: &'t Contents,
    owners: &BTreeSet<Name>,
    denial: DenialPolicy,
) -> Vec<Task<'t>> {
    owners
        .iter()
        .filter_map(|owner| {
            let node = contents.nodes.get(owner.as_ref())?;
            let standing = contents.standing(owner.as_ref());
            let chained = denial == DenialPolicy::Nsec && standing != Standing::Occluded;
            let next = chained
                .then(|| contents.authoritative_after(node).map_or(contents.origin().as_ref(), Node::owner));
            Some(Task { node, standing, next })
        })
        .collect()
}

/// The apex, the changed owners, and all names whose authority may have changed because a delegation or DNAME
/// above them came or went. Owners that nothing but the signer's records are left of lose their nodes.
pub(super) fn spread(previous: &Snapshot, contents: &mut Contents, dirty: &BTreeSet<Name>) -> BTreeSet<Name> {
    for owner in dirty {
        if contents.nodes.get(owner.as_ref()).is_some_and(|node| !exists(contents, node)) {
            contents.nodes.remove(owner.as_ref());
        }
    }
    let mut owners = dirty.clone();
    owners.insert(contents.origin().clone());
    for owner in dirty {
        let occludes = |contents: &Contents| {
            contents.nodes.get(owner.as_ref()).is_some_and(|node| contents.occludes(node))
        };
        if occludes(previous) != occludes(contents) {
            for contents in [previous.contents(), contents] {
                let below = contents.nodes.iter_from(&contents.nodes.key(owner.as_ref()));
                let below = below.take_while(|node| node.owner().is_at_or_below(owner.as_ref()));
                owners.extend(below.map(|node| node.owner().to_owned()));
            }
        }
    }
    owners
}

/// Adds the owners whose NSEC leads to one of `owners` that came or went.
pub(super) fn add_predecessors(previous: &Snapshot, contents: &Contents, owners: &mut BTreeSet<Name>) {
    let in_chain = |contents: &Contents, owner: &Name| {
        contents.nodes.get(owner.as_ref()).is_some()
            && contents.standing(owner.as_ref()) != Standing::Occluded
    };
    let predecessors: Vec<_> = owners
        .iter()
        .filter(|owner| in_chain(previous, owner) != in_chain(contents, owner))
        .filter_map(|owner| contents.authoritative_before(&contents.nodes.key(owner.as_ref())))
        .map(|node| node.owner().to_owned())
        .collect();
    owners.extend(predecessors);
}
