use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::dns::name::{HashLabel, Name};
use crate::dns::rtype::Rtype;
use crate::dns::time::Ttl;
use crate::zone::node::{NodeBuilder, single};

const APEX: usize = 6; // "test."

fn node(owner: &str, octet: u8) -> Node {
    single(&Name::parse(owner).unwrap(), Rtype::A, Ttl(60), &[&[192, 0, 2, octet]]).unwrap()
}

fn signed(owner: &str, expiration: u32) -> Node {
    let mut builder = NodeBuilder::default();
    builder.start(Name::parse(owner).unwrap().as_ref());
    builder.begin(Rtype::A);
    builder.record(Ttl(60), &[192, 0, 2, 1]);
    let mut rrsig = [0; 40];
    rrsig[8..12].copy_from_slice(&expiration.to_be_bytes());
    builder.signature(Ttl(60), &rrsig);
    builder.finish().unwrap()
}

fn owners(nodes: impl Iterator<Item = Node>) -> Vec<String> {
    nodes.map(|node| node.owner().to_string()).collect()
}

fn place(tree: &Tree, name: &str) -> (String, Vec<String>) {
    let name = Name::parse(name).unwrap();
    let mut ancestors = Vec::new();
    let descent = tree.descend(&tree.key(name.as_ref()), Some(name.as_ref()), |node| {
        ancestors.push(node.owner().to_string());
        false
    });
    let outcome = match descent {
        Descent::Found(node) => format!("found {}", node.owner()),
        Descent::Stopped(node) => format!("stopped {}", node.owner()),
        Descent::Missing(labels) => format!("missing below {labels}"),
    };
    (outcome, ancestors)
}

#[test]
fn a_descent_meets_every_ancestor_once_and_knows_the_closest_encloser() {
    let mut tree = Tree::new(APEX);
    for owner in ["test.", "a.test.", "x.a.test.", "ab.test.", "d.c.b.test.", "*.w.test."] {
        tree.insert(node(owner, 1));
    }
    let says = |name: &str, outcome: &str, ancestors: &[&str]| {
        assert_eq!(
            place(&tree, name),
            (outcome.to_string(), ancestors.iter().map(ToString::to_string).collect())
        );
    };
    says("test.", "found test.", &[]);
    says("A.test.", "found a.test.", &["test."]);
    says("x.a.test.", "found x.a.test.", &["test.", "a.test."]);
    says("q.x.a.test.", "missing below 2", &["test.", "a.test.", "x.a.test."]);
    says("abc.test.", "missing below 0", &["test."]);
    says("q.ab.test.", "missing below 1", &["test.", "ab.test."]);
    says("c.b.test.", "missing below 2", &["test."]);
    says("z.c.b.test.", "missing below 2", &["test."]);
    says("w.test.", "missing below 1", &["test."]);
    says("q.w.test.", "missing below 1", &["test."]);
    let lone = Tree::from_sorted(APEX, [node("a.test.", 1)]);
    assert_eq!(place(&lone, "b.a.test."), ("missing below 1".into(), vec!["a.test.".into()]));
}

#[test]
fn what_expires_is_found_below_the_branches_that_hold_it() {
    let mut tree = Tree::new(APEX);
    for (owner, expiration) in [("a.test.", 30), ("b.test.", 10), ("c.b.test.", 20), ("z.test.", 40)] {
        tree.insert(signed(owner, expiration));
    }
    assert_eq!(tree.soonest(), Some(10));
    assert_eq!(owners(tree.expiring_before(30).cloned()), ["b.test.", "c.b.test."]);
    tree.remove(Name::parse("b.test.").unwrap().as_ref());
    assert_eq!(tree.soonest(), Some(20));
}

#[test]
fn a_changed_tree_leaves_the_old_one_as_it_was() {
    let mut new = Tree::from_sorted(APEX, [node("a.test.", 1), node("b.test.", 1)]);
    let old = new.clone();
    new.insert(node("b.test.", 2));
    new.insert(node("c.test.", 3));
    new.remove(Name::parse("a.test.").unwrap().as_ref());
    assert_eq!(owners(old.iter().cloned()), ["a.test.", "b.test."]);
    assert_eq!(owners(new.iter().cloned()), ["b.test.", "c.test."]);
    assert_eq!((old.len(), new.len(), new.record_count()), (2, 2, 2));
}

fn any_owner() -> impl Strategy<Value = String> {
    prop::collection::vec("[ab_*A]{1,2}|\\\\00[0-2]", 0..4)
        .prop_map(|labels| labels.into_iter().chain(["test.".to_string()]).collect::<Vec<_>>().join("."))
}

proptest! {
    #[test]
    fn the_tree_is_an_ordered_map(
        steps in prop::collection::vec((any_owner(), any::<u8>(), any::<bool>()), 0..60),
        probe in any_owner(),
        bulk in any::<bool>(),
    ) {
        let mut tree = Tree::new(APEX);
        let mut model = BTreeMap::new();
        let mut changes = BTreeMap::new();
        for (owner, octet, keep) in steps {
            let name = Name::parse(&owner).unwrap();
            let new = keep.then(|| node(&owner, octet));
            if bulk {
                // Only the owner of what was there matters to the tree.
                changes.insert(name.clone(), Change { old: Some(node(&owner, octet)), new: new.clone() });
            } else {
                let old = match &new {
                    Some(node) => tree.insert(node.clone()),
                    None => tree.remove(name.as_ref()),
                };
                prop_assert_eq!(old.as_ref(), model.get(&name));
            }
            match new {
                Some(node) => drop(model.insert(name, node)),
                None => drop(model.remove(&name)),
            }
        }
        if bulk {
            let changes: Vec<Change> = changes.into_values().collect();
            let (early, late) = changes.split_at(changes.len() / 2);
            tree.apply(early);
            tree.apply(late);
        }
        prop_assert_eq!(tree.len(), model.len());
        let all: Vec<Node> = model.values().cloned().collect();
        prop_assert_eq!(tree.iter().cloned().collect::<Vec<_>>(), all.clone());
        prop_assert_eq!(Tree::from_sorted(APEX, all).iter().cloned().collect::<Vec<_>>(),
            model.values().cloned().collect::<Vec<_>>());

        let name = Name::parse(&probe).unwrap();
        let key = tree.key(name.as_ref());
        prop_assert_eq!(tree.get(name.as_ref()), model.get(&name));
        prop_assert_eq!(tree.before(&key), model.range(..&name).next_back().map(|(_, node)| node));
        prop_assert_eq!(tree.has_asterisks(), model.keys().any(|owner| owner.as_ref().has_asterisk()));
        prop_assert_eq!(tree.iter_from(&key).cloned().collect::<Vec<_>>(),
            model.range(&name..).map(|(_, node)| node.clone()).collect::<Vec<_>>());
        let after: Vec<Node> = model.iter()
            .filter(|(owner, _)| **owner > name && !owner.as_ref().is_at_or_below(name.as_ref()))
            .map(|(_, node)| node.clone()).collect();
        prop_assert_eq!(tree.iter_from(&key.after_subtree()).cloned().collect::<Vec<_>>(), after);
    }
}

/// Hashes that often begin alike.
fn hash() -> impl Strategy<Value = [u8; 20]> {
    (prop::collection::vec(0u8..3, 2), any::<u8>(), any::<bool>()).prop_map(|(start, last, scattered)| {
        let mut hash = [if scattered { last } else { 0x77 }; 20];
        hash[..2].copy_from_slice(&start);
        hash[19] = last;
        hash
    })
}

proptest! {
    #[test]
    fn the_neighbour_of_a_hash_is_that_of_its_name(
        hashes in prop::collection::vec((hash(), any::<bool>()), 0..60),
        probes in prop::collection::vec(hash(), 20),
    ) {
        let name = |hash: &[u8; 20], upper: bool| {
            let label = HashLabel::new(hash).octets().map(|o| if upper { o.to_ascii_uppercase() } else { o });
            Name::parse("test").unwrap().child(&label).unwrap()
        };
        let mut tree = Tree::new(APEX);
        let mut model = BTreeMap::new();
        for (hash, upper) in &hashes {
            let name = name(hash, *upper);
            let node = single(&name, Rtype::A, Ttl(60), &[&[192, 0, 2, 1]]).unwrap();
            tree.insert(node.clone());
            model.insert(name, node);
        }
        for probe in probes.iter().chain(hashes.iter().map(|(hash, _)| hash)) {
            let name = name(probe, false);
            let before = model.range(..=&name).next_back().map(|(_, node)| node);
            prop_assert_eq!(
                tree.at_or_before(&HashLabel::new(probe)),
                (before, model.contains_key(&name))
            );
        }
    }
}
