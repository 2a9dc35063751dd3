//! An immutable ordered map from owner names to [`Node`]s that shares structure with its predecessors.
//!
//! A radix tree over [`Key`] symbols with one 64-bit map a branch. Changing one node copies the branches above
//! it, a handful, whatever the size of the zone; every other branch is shared. Each branch also knows the
//! earliest RRSIG expiration below it, so what is due for signing is found without a pass over the zone.

mod neighbour;

use std::cmp::Ordering;

use triomphe::ThinArc;

use super::node::{Node, earlier};
use crate::dns::name::{Agreement, Key, NameRef};

/// The map. Cloning it counts one reference.
#[derive(Clone)]
pub struct Tree {
    root: Option<Twig>,
    apex_length: u8,
    nodes: usize,
    records: usize,
    octets: usize,
    /// How many nodes have a label `*` in their names.
    asterisks: usize,
}

#[derive(Clone)]
enum Twig {
    Leaf(Node),
    Branch(ThinArc<Branch, Twig>),
}

/// Children are told apart by the symbol at `offset`; bit n of `map` says that a child with symbol n exists.
/// All keys below agree before `offset`.
#[derive(Clone, Copy)]
struct Branch {
    map: u64,
    offset: u16,
    soonest: Option<u32>,
}

/// One changed owner name: its node before and after. At least one of them is there, and where both are, the
/// owner is the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// What was there.
    pub old: Option<Node>,
    /// What is there now.
    pub new: Option<Node>,
}

impl Change {
    /// The owner that changed.
    pub fn owner(&self) -> NameRef<'_> {
        self.new.as_ref().or(self.old.as_ref()).map_or(NameRef::ROOT, Node::owner)
    }
}

/// Where a name stands in a tree.
pub enum Descent<'t> {
    /// The name has a node.
    Found(&'t Node),
    /// The visitor stopped at an ancestor.
    Stopped(&'t Node),
    /// The name has no node. The closest ancestor-or-self that exists, with data or as an empty non-terminal, has
    /// this many labels below the apex; when that is all of the name's, it is an empty non-terminal itself.
    Missing(usize),
}

impl Tree {
    /// A tree without nodes for names at or below an apex of `apex_length` wire octets.
    pub fn new(apex_length: usize) -> Self {
        Self { root: None, apex_length: apex_length as u8, nodes: 0, records: 0, octets: 0, asterisks: 0 }
    }

    /// Builds from nodes in canonical order, each owner once, in one pass.
    pub fn from_sorted(apex_length: usize, nodes: impl IntoIterator<Item = Node>) -> Self {
        let mut tree = Self::new(apex_length);
        let mut stack: Vec<(u16, u64, Vec<Twig>)> = Vec::new();
        let mut spare: Vec<Vec<Twig>> = Vec::new();
        let mut pending: Option<(Twig, Key)> = None;
        for node in nodes {
            let key = node.key(apex_length);
            tree.nodes += 1;
            tree.records += node.record_count();
            tree.octets += node.size();
            tree.asterisks += usize::from(node.owner().has_asterisk());
            if let Some((mut twig, last)) = pending.take() {
                debug_assert!(last < key, "nodes come in canonical order");
                let shared = common_prefix(&last, &key) as u16;
                while let Some(top) = stack.pop_if(|(offset, ..)| *offset > shared) {
                    twig = close(top, twig, &last, &mut spare);
                }
                if stack.last().is_none_or(|(offset, ..)| *offset < shared) {
                    stack.push((shared, 0, spare.pop().unwrap_or_default()));
                }
                if let Some((offset, map, children)) = stack.last_mut() {
                    *map |= 1 << symbol(&last, *offset);
                    children.push(twig);
                }
            }
            pending = Some((Twig::Leaf(node), key));
        }
        if let Some((mut twig, last)) = pending {
            while let Some(top) = stack.pop() {
                twig = close(top, twig, &last, &mut spare);
            }
            tree.root = Some(twig);
        }
        tree
    }

    /// How many nodes there are.
    pub fn len(&self) -> usize {
        self.nodes
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.nodes == 0
    }

    /// How many records there are, RRSIGs counted.
    pub fn record_count(&self) -> usize {
        self.records
    }

    /// How many octets all nodes occupy, see [`Node::size`].
    pub fn octets(&self) -> usize {
        self.octets
    }

    /// Whether any name has a label `*`. If none has, there is no wildcard to look for.
    pub fn has_asterisks(&self) -> bool {
        self.asterisks > 0
    }

    /// The wire length of the apex that keys are relative to.
    pub fn apex_length(&self) -> usize {
        usize::from(self.apex_length)
    }

    /// The earliest RRSIG expiration in the tree.
    pub fn soonest(&self) -> Option<u32> {
        self.root.as_ref().and_then(Twig::soonest)
    }

    /// The key of a name at or below the apex.
    pub fn key(&self, name: NameRef<'_>) -> Key {
        Key::of(name, self.apex_length())
    }

    /// The node of `name`, which lies at or below the apex.
    pub fn get(&self, name: NameRef<'_>) -> Option<&Node> {
        match self.descend(&self.key(name), Some(name), |_| false) {
            Descent::Found(node) => Some(node),
            Descent::Stopped(_) | Descent::Missing(_) => None,
        }
    }

    /// Goes down towards the name of `key` and stops at the first ancestor with data, from the apex downwards, of
    /// which `stop` is true. `stop` may be asked about other nodes, too. If `name`, that name, is at hand, a node
    /// that is spelt alike needs no comparison of keys.
    pub fn descend<'t>(
        &'t self,
        key: &Key,
        name: Option<NameRef<'_>>,
        mut stop: impl FnMut(&'t Node) -> bool,
    ) -> Descent<'t> {
        let agreement = |node: &Node| Key::agreement(key, node.owner(), self.apex_length());
        let Some(mut twig) = self.root.as_ref() else { return Descent::Missing(0) };
        let mut matched = true;
        loop {
            match twig {
                Twig::Leaf(node) => {
                    if name.is_some_and(|name| name.wire() == node.owner().wire()) {
                        return Descent::Found(node);
                    }
                    let Agreement { symbols, next } = agreement(node);
                    return match next {
                        None if symbols == key.len() => Descent::Found(node),
                        // A lone leaf may itself be an ancestor.
                        None if matched && stop(node) => Descent::Stopped(node),
                        _ => Descent::Missing(key.labels_within(symbols)),
                    };
                }
                Twig::Branch(branch) => {
                    let head = &branch.header.header;
                    let wanted = symbol(key, head.offset);
                    if matched
                        && head.map & 1 == 1
                        && wanted != 0
                        && let Some(Twig::Leaf(node)) = branch.slice.first()
                        && stop(node)
                        // The symbols between the branches were not looked at.
                        && agreement(node).next.is_none()
                    {
                        return Descent::Stopped(node);
                    }
                    let child = if matched { head.child(wanted) } else { None };
                    matched = child.is_some();
                    // Where no child fits, any leaf below shows how far the name agrees.
                    twig = &branch.slice[child.unwrap_or(0)];
                }
            }
        }
    }

    /// The nodes from `key` on, in canonical order.
    pub fn iter_from(&self, key: &[u8]) -> Iter<'_> {
        let mut iter = Iter { stack: Vec::new(), first: None };
        let Some(mut twig) = self.root.as_ref() else { return iter };
        let Agreement { symbols: shared, next } = self.nearest(twig, key);
        loop {
            match twig {
                Twig::Branch(branch) if usize::from(branch.header.header.offset) <= shared => {
                    let head = &branch.header.header;
                    let wanted = symbol(key, head.offset);
                    let index = head.rank(wanted);
                    if let Some(child) = head.child(wanted) {
                        iter.stack.push((branch, child + 1));
                        twig = &branch.slice[child];
                    } else {
                        iter.stack.push((branch, index));
                        return iter;
                    }
                }
                _ => {
                    // Everything below agrees up to `shared`; it is all before `key` or all from it on.
                    if shared == key.len() || next.unwrap_or(0) > symbol(key, shared) {
                        iter.descend_first(twig);
                    }
                    return iter;
                }
            }
        }
    }

    /// All nodes in canonical order.
    pub fn iter(&self) -> Iter<'_> {
        let mut iter = Iter { stack: Vec::new(), first: None };
        if let Some(root) = &self.root {
            iter.descend_first(root);
        }
        iter
    }

    /// The last node in canonical order.
    pub fn last(&self) -> Option<&Node> {
        self.root.as_ref().map(Twig::last)
    }

    /// Nodes with an RRSIG that expires before `limit`, in canonical order; branches without one are skipped.
    pub fn expiring_before(&self, limit: u32) -> Expiring<'_> {
        Expiring { stack: self.root.iter().collect(), limit }
    }

    /// Puts `node` in, and gives back the one that had its owner.
    pub fn insert(&mut self, node: Node) -> Option<Node> {
        let key = node.key(self.apex_length());
        let mut old = None;
        let asterisk = usize::from(node.owner().has_asterisk());
        self.records += node.record_count();
        self.octets += node.size();
        let root = match &self.root {
            None => Twig::Leaf(node),
            Some(root) => {
                let agreement = self.nearest(root, &key);
                insert(root, node, &key, agreement, &mut old)
            }
        };
        self.root = Some(root);
        if let Some(old) = &old {
            self.records -= old.record_count();
            self.octets -= old.size();
        } else {
            self.nodes += 1;
            self.asterisks += asterisk;
        }
        old
    }

    /// Takes the node of `name` out.
    pub fn remove(&mut self, name: NameRef<'_>) -> Option<Node> {
        let old = self.get(name)?.clone();
        let key = self.key(name);
        self.root = self.root.as_ref().and_then(|root| remove(root, &key));
        self.nodes -= 1;
        self.asterisks -= usize::from(name.has_asterisk());
        self.records -= old.record_count();
        self.octets -= old.size();
        Some(old)
    }

    /// Carries out changes, which come in canonical order: one by one when they are few, in one pass over the
    /// tree when they are many.
    pub fn apply(&mut self, changes: &[Change]) {
        if changes.len() > self.nodes / MERGE_FRACTION + 16 {
            *self = Self::from_sorted(self.apex_length(), Merge::new(self, changes));
            return;
        }
        for change in changes {
            match &change.new {
                Some(node) => drop(self.insert(node.clone())),
                None => drop(self.remove(change.owner())),
            }
        }
    }

    /// How far the leaf that shares the longest prefix with `key` agrees with it.
    fn nearest(&self, twig: &Twig, key: &[u8]) -> Agreement {
        Key::agreement(key, nearest(twig, key).owner(), self.apex_length())
    }
}

/// Past this share of the nodes, rebuilding in one pass is cheaper than changing one by one.
const MERGE_FRACTION: usize = 8;

impl Twig {
    fn soonest(&self) -> Option<u32> {
        match self {
            Self::Leaf(node) => node.soonest(),
            Self::Branch(branch) => branch.header.header.soonest,
        }
    }

    fn last(&self) -> &Node {
        let mut twig = self;
        loop {
            match twig {
                Self::Leaf(node) => return node,
                Self::Branch(branch) => twig = &branch.slice[branch.slice.len() - 1],
            }
        }
    }
}

impl Branch {
    /// How many children have a symbol below `wanted`.
    fn rank(&self, wanted: u8) -> usize {
        if wanted >= 64 {
            return self.map.count_ones() as usize;
        }
        (self.map & ((1 << wanted) - 1)).count_ones() as usize
    }

    fn has(&self, wanted: u8) -> bool {
        wanted < 64 && self.map & (1 << wanted) != 0
    }

    fn child(&self, wanted: u8) -> Option<usize> {
        self.has(wanted).then(|| self.rank(wanted))
    }
}

/// The leaf that shares the longest prefix with `key`.
fn nearest<'t>(mut twig: &'t Twig, key: &[u8]) -> &'t Node {
    loop {
        match twig {
            Twig::Leaf(node) => return node,
            Twig::Branch(branch) => {
                let head = &branch.header.header;
                twig = &branch.slice[head.child(symbol(key, head.offset)).unwrap_or(0)];
            }
        }
    }
}

fn branch(map: u64, offset: u16, children: &mut Vec<Twig>) -> Twig {
    let soonest = children.iter().fold(None, |soonest, twig| earlier(soonest, twig.soonest()));
    Twig::Branch(ThinArc::from_header_and_iter(Branch { map, offset, soonest }, children.drain(..)))
}

/// Completes the branch on top of the stack with its last child, whose keys all look like `last`.
fn close(
    (offset, map, mut children): (u16, u64, Vec<Twig>),
    twig: Twig,
    last: &Key,
    spare: &mut Vec<Vec<Twig>>,
) -> Twig {
    children.push(twig);
    let closed = branch(map | 1 << symbol(last, offset), offset, &mut children);
    spare.push(children);
    closed
}

fn insert(twig: &Twig, node: Node, key: &[u8], agreement: Agreement, old: &mut Option<Node>) -> Twig {
    let Agreement { symbols: shared, next } = agreement;
    match twig {
        Twig::Branch(here) if usize::from(here.header.header.offset) <= shared => {
            let Branch { map, offset, .. } = here.header.header;
            let wanted = symbol(key, offset);
            let mut children = here.slice.to_vec();
            match here.header.header.child(wanted) {
                Some(child) => children[child] = insert(&here.slice[child], node, key, agreement, old),
                None => children.insert(here.header.header.rank(wanted), Twig::Leaf(node)),
            }
            branch(map | 1 << wanted, offset, &mut children)
        }
        Twig::Leaf(leaf) if shared == key.len() && next.is_none() => {
            *old = Some(leaf.clone());
            Twig::Leaf(node)
        }
        _ => {
            let offset = shared as u16;
            let (mine, theirs) = (symbol(key, offset), next.unwrap_or(0));
            let mut children = vec![Twig::Leaf(node), twig.clone()];
            if mine > theirs {
                children.swap(0, 1);
            }
            branch(1 << mine | 1 << theirs, offset, &mut children)
        }
    }
}

/// `twig` without the leaf at `key`, which is there.
fn remove(twig: &Twig, key: &[u8]) -> Option<Twig> {
    let Twig::Branch(here) = twig else { return None };
    let Branch { map, offset, .. } = here.header.header;
    let wanted = symbol(key, offset);
    let Some(child) = here.header.header.child(wanted) else { return Some(twig.clone()) };
    let mut children = here.slice.to_vec();
    if let Some(rest) = remove(&here.slice[child], key) {
        children[child] = rest;
        return Some(branch(map, offset, &mut children));
    }
    children.remove(child);
    if children.len() == 1 {
        children.pop()
    } else {
        Some(branch(map & !(1 << wanted), offset, &mut children))
    }
}

/// The symbol at `offset`; 0 at and past the end, which orders a name before those below it.
/// The symbol of a key at `offset`; 0 after the last.
fn symbol(key: &[u8], offset: impl Into<usize>) -> u8 {
    key.get(offset.into()).copied().unwrap_or(0)
}

fn common_prefix(a: &[u8], b: &[u8]) -> usize {
    a.iter().zip(b).take_while(|(x, y)| x == y).count()
}

impl<'t> IntoIterator for &'t Tree {
    type Item = &'t Node;
    type IntoIter = Iter<'t>;
    fn into_iter(self) -> Iter<'t> {
        self.iter()
    }
}

/// Nodes in canonical order.
pub struct Iter<'t> {
    stack: Vec<(&'t ThinArc<Branch, Twig>, usize)>,
    // A leaf to give out before the stack is looked at.
    first: Option<&'t Node>,
}

impl<'t> Iter<'t> {
    fn descend_first(&mut self, mut twig: &'t Twig) {
        loop {
            match twig {
                Twig::Leaf(node) => {
                    self.first = Some(node);
                    return;
                }
                Twig::Branch(branch) => {
                    self.stack.push((branch, 1));
                    twig = &branch.slice[0];
                }
            }
        }
    }
}

impl<'t> Iterator for Iter<'t> {
    type Item = &'t Node;
    fn next(&mut self) -> Option<&'t Node> {
        if let Some(node) = self.first.take() {
            return Some(node);
        }
        loop {
            let (branch, index) = self.stack.last_mut()?;
            let branch = *branch;
            let at = *index;
            *index += 1;
            match branch.slice.get(at) {
                Some(Twig::Leaf(node)) => return Some(node),
                Some(twig) => {
                    self.descend_first(twig);
                    return self.first.take();
                }
                None => drop(self.stack.pop()),
            }
        }
    }
}

/// Nodes with a signature that expires before a limit.
pub struct Expiring<'t> {
    stack: Vec<&'t Twig>,
    limit: u32,
}

impl<'t> Iterator for Expiring<'t> {
    type Item = &'t Node;
    fn next(&mut self) -> Option<&'t Node> {
        while let Some(twig) = self.stack.pop() {
            let due = twig.soonest().is_some_and(|time| (time.wrapping_sub(self.limit) as i32) < 0);
            match twig {
                _ if !due => {}
                Twig::Leaf(node) => return Some(node),
                Twig::Branch(branch) => self.stack.extend(branch.slice.iter().rev()),
            }
        }
        None
    }
}

/// The nodes of a tree with changes carried out, in canonical order.
struct Merge<'t> {
    nodes: std::iter::Peekable<Iter<'t>>,
    changes: std::iter::Peekable<std::slice::Iter<'t, Change>>,
}

impl<'t> Merge<'t> {
    fn new(tree: &'t Tree, changes: &'t [Change]) -> Self {
        Self { nodes: tree.iter().peekable(), changes: changes.iter().peekable() }
    }
}

impl Iterator for Merge<'_> {
    type Item = Node;
    fn next(&mut self) -> Option<Node> {
        loop {
            let Some(change) = self.changes.peek() else { return self.nodes.next().cloned() };
            let order = match self.nodes.peek() {
                Some(node) => node.owner().cmp(&change.owner()),
                None => Ordering::Greater,
            };
            match order {
                Ordering::Less => return self.nodes.next().cloned(),
                Ordering::Equal => drop(self.nodes.next()),
                Ordering::Greater => {}
            }
            if let Some(node) = self.changes.next().and_then(|change| change.new.clone()) {
                return Some(node);
            }
        }
    }
}

#[cfg(test)]
mod tests;
