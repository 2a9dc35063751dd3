//! Which node is at a place in the canonical order, or the last one before it: what proofs of absence ask for.

use super::{Node, Tree, Twig, symbol};
use crate::dns::name::{Agreement, HashLabel, Key, NameRef};

impl Tree {
    /// The greatest node before `key` in canonical order.
    pub fn before(&self, key: &[u8]) -> Option<&Node> {
        self.neighbour(key).0
    }

    /// The node whose name is `label` in front of the apex, or else the greatest before it; `true` if it has that
    /// name.
    pub fn at_or_before(&self, label: &HashLabel) -> (Option<&Node>, bool) {
        let (before, at) = self.neighbour(label);
        (at.or(before), at.is_some())
    }

    /// The greatest node before `place`, and the node at it.
    fn neighbour<P: Place + ?Sized>(&self, place: &P) -> (Option<&Node>, Option<&Node>) {
        let Some(mut twig) = self.root.as_ref() else { return (None, None) };
        let mut left = None;
        let mut last = 0;
        // A leaf that shows how far this way agrees with `place`, and whether that may be all the way.
        let (leaf, whole) = loop {
            match twig {
                Twig::Leaf(node) => break (node, true),
                Twig::Branch(branch) => {
                    let head = &branch.header.header;
                    let wanted = place.symbol(head.offset.into());
                    let rank = head.rank(wanted);
                    last = usize::from(head.offset);
                    if let Some(sibling) = rank.checked_sub(1) {
                        left = Some(&branch.slice[sibling]);
                    }
                    if !head.has(wanted) {
                        break (left.filter(|_| rank > 0).unwrap_or(twig).last(), false);
                    }
                    twig = &branch.slice[rank];
                }
            }
        };
        let agreement = place.agreement(leaf.owner(), self.apex_length());
        let Agreement { symbols: shared, next } = agreement;
        if shared < last {
            return self.neighbour_within(place, agreement);
        }
        let before = || left.map(Twig::last);
        if whole && shared == place.length() && next.is_none() {
            (before(), Some(leaf))
        } else if whole && next.unwrap_or(0) < place.symbol(shared) {
            (Some(leaf), None)
        } else {
            (before(), None)
        }
    }

    /// The same for a place of which it is known how far any node agrees with it.
    fn neighbour_within<P: Place + ?Sized>(
        &self,
        place: &P,
        Agreement { symbols: shared, next }: Agreement,
    ) -> (Option<&Node>, Option<&Node>) {
        let Some(mut twig) = self.root.as_ref() else { return (None, None) };
        let mut left = None;
        while let Twig::Branch(branch) = twig
            && usize::from(branch.header.header.offset) < shared
        {
            let head = &branch.header.header;
            let rank = head.rank(place.symbol(head.offset.into()));
            if let Some(sibling) = rank.checked_sub(1) {
                left = Some(&branch.slice[sibling]);
            }
            twig = &branch.slice[rank];
        }
        // Everything below agrees up to `shared`, and no further: it is all before `place` or all after it.
        if next.unwrap_or(0) < place.symbol(shared) {
            left = Some(twig);
        }
        (left.map(Twig::last), None)
    }
}

/// What can be looked for: a place in the canonical order below the apex, as the symbols of its [`Key`].
trait Place {
    /// How many there are.
    fn length(&self) -> usize;
    /// The one at `offset`; 0 after the last.
    fn symbol(&self, offset: usize) -> u8;
    /// How far a name agrees with them.
    fn agreement(&self, name: NameRef<'_>, apex_length: usize) -> Agreement;
}

impl Place for [u8] {
    fn length(&self) -> usize {
        self.len()
    }
    fn symbol(&self, offset: usize) -> u8 {
        symbol(self, offset)
    }
    fn agreement(&self, name: NameRef<'_>, apex_length: usize) -> Agreement {
        Key::agreement(self, name, apex_length)
    }
}

impl Place for HashLabel {
    fn length(&self) -> usize {
        Self::KEY_LENGTH
    }
    fn symbol(&self, offset: usize) -> u8 {
        self.symbol(offset)
    }
    fn agreement(&self, name: NameRef<'_>, apex_length: usize) -> Agreement {
        self.agreement(name, apex_length)
    }
}
