//! The versions of a zone before the one that is served, as the deltas that lead from each to the next.
//!
//! What is kept is an unbroken chain that ends at the served version. It is bounded: the oldest steps go first. What
//! is no longer there can only be sent as a whole zone.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Deref;
use std::sync::Arc;

use super::delta::Delta;
use super::node::Node;
use super::serial::Serial;
use super::tree::Change;
use crate::dns::name::NameRef;

/// One step from a version to the next.
#[derive(Clone, Debug)]
pub struct Step {
    delta: Arc<Delta>,
    octets: usize,
}

/// The steps to the served version, the oldest first; cloning counts references.
#[derive(Clone, Debug, Default)]
pub struct History {
    steps: VecDeque<Step>,
    octets: usize,
}

/// How much history is kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// At most so many steps.
    pub versions: usize,
    /// At most so many octets, as [`Step::octets`] counts them.
    pub octets: usize,
}

impl Step {
    /// The step that `delta` makes.
    pub fn new(delta: Delta) -> Self {
        let sides = delta.changes().flat_map(|change| [&change.old, &change.new]);
        let octets = sides.flatten().map(Node::size).sum();
        Self { delta: Arc::new(delta), octets }
    }

    /// No step: the version `serial` stays as it is, and what the state keeps beside it may change.
    pub fn none(serial: Serial) -> Self {
        Self::new(Delta { from: Some(serial), to: serial, ..Delta::default() })
    }

    /// The delta.
    pub fn delta(&self) -> &Arc<Delta> {
        &self.delta
    }

    /// How many octets the changed nodes have, before and after; never less than what differs in them.
    pub fn octets(&self) -> usize {
        self.octets
    }
}

impl Deref for Step {
    type Target = Delta;
    fn deref(&self) -> &Delta {
        &self.delta
    }
}

impl History {
    /// Adds the step to a new version, and forgets what is too much.
    pub fn push(&mut self, step: Step, limits: Limits) {
        if step.from.is_none() || self.steps.back().is_some_and(|last| Some(last.to) != step.from) {
            *self = Self::default();
        }
        // What leads from nothing leads from no version that anybody could have.
        if step.from.is_some() {
            self.octets += step.octets;
            self.steps.push_back(step);
        }
        self.limit(limits);
    }

    /// Forgets what is too much.
    pub fn limit(&mut self, limits: Limits) {
        while self.steps.len() > limits.versions || self.octets > limits.octets {
            let Some(oldest) = self.steps.pop_front() else { return };
            self.octets -= oldest.octets;
        }
    }

    /// How many steps there are.
    pub fn len(&self) -> usize {
        self.steps.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// The steps, the oldest first.
    pub fn steps(&self) -> impl Iterator<Item = &Step> {
        self.steps.iter()
    }

    /// The steps that lead from the version `serial` to the served one; `None` if that version is not known.
    pub fn since(&self, serial: Serial) -> Option<impl Iterator<Item = &Step>> {
        let back = self.steps.iter().rev().position(|step| step.from == Some(serial))?;
        Some(self.steps.range(self.steps.len() - 1 - back..))
    }
}

/// The one step that does what `steps`, each on top of the one before, do together.
pub fn condense<'s>(steps: impl IntoIterator<Item = &'s Step>) -> Option<Step> {
    let mut steps = steps.into_iter().peekable();
    let first = steps.next()?;
    if steps.peek().is_none() {
        return Some(first.clone());
    }
    let mut condensed = Condensed { from: first.from, to: first.to, ..Condensed::default() };
    condensed.add(first);
    for step in steps {
        condensed.add(step);
    }
    Some(Step::new(condensed.delta()))
}

/// For each owner what was there at first, and what is there at last.
#[derive(Default)]
struct Condensed<'s> {
    from: Option<Serial>,
    to: Serial,
    nodes: BTreeMap<NameRef<'s>, Ends<'s>>,
    nsec3: BTreeMap<NameRef<'s>, Ends<'s>>,
}

type Ends<'s> = (Option<&'s Node>, Option<&'s Node>);

impl<'s> Condensed<'s> {
    fn add(&mut self, step: &'s Step) {
        self.to = step.to;
        for (ends, changes) in [(&mut self.nodes, &step.delta.nodes), (&mut self.nsec3, &step.delta.nsec3)] {
            for change in changes {
                let (_, last) =
                    ends.entry(change.owner()).or_insert((change.old.as_ref(), change.old.as_ref()));
                *last = change.new.as_ref();
            }
        }
    }

    fn delta(self) -> Delta {
        let changes = |ends: BTreeMap<NameRef<'s>, Ends<'s>>| {
            let differing = ends.into_values().filter(|(old, new)| old != new);
            differing.map(|(old, new)| Change { old: old.cloned(), new: new.cloned() }).collect()
        };
        Delta { from: self.from, to: self.to, nodes: changes(self.nodes), nsec3: changes(self.nsec3) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dns::name::Name;
    use crate::dns::rtype::Rtype;
    use crate::dns::time::Ttl;
    use crate::zone::Contents;
    use crate::zone::contents::soa_with_serial;
    use proptest::prelude::*;

    const SOA: &[u8] = b"\x02ns\0\x05admin\0\0\0\0\x01\0\0\0\x01\0\0\0\x01\0\0\0\x01\0\0\0\x01";
    const EVERYTHING: Limits = Limits { versions: 1_000, octets: 1 << 20 };

    fn origin() -> Name {
        Name::parse("example.test").unwrap()
    }

    /// The version of this number, in which each of eight hosts has one of four addresses, or is not there.
    fn version(serial: u32, hosts: [u8; 8]) -> Contents {
        let mut contents = Contents::new(origin());
        contents.set(&origin(), Rtype::SOA, Ttl(60), &[&soa_with_serial(SOA, Serial(serial))]);
        for (number, host) in hosts.into_iter().enumerate() {
            let owner = origin().child(&[b'a' + number as u8]).unwrap();
            let address = [192, 0, 2, host % 5];
            let rdatas = [&address[..]];
            contents.set(&owner, Rtype::A, Ttl(60), &rdatas[..usize::from(host % 5 != 0)]);
        }
        contents
    }

    fn step(old: &Contents, new: &Contents, from: u32) -> Step {
        Step::new(Delta::between(Some(old), new, Some(Serial(from)), Serial(from + 1)))
    }

    fn chain(versions: &[Contents]) -> History {
        let mut history = History::default();
        for (number, pair) in versions.windows(2).enumerate() {
            history.push(step(&pair[0], &pair[1], number as u32 + 1), EVERYTHING);
        }
        history
    }

    proptest! {
        #[test]
        fn merged_deltas_equal_the_direct_one(hosts in proptest::collection::vec(any::<[u8; 8]>(), 2..8)) {
            let versions: Vec<Contents> =
                hosts.iter().zip(1..).map(|(hosts, serial)| version(serial, *hosts)).collect();
            let history = chain(&versions);
            let last = versions.len() - 1;
            for (first, old) in versions[..last].iter().enumerate() {
                let serial = Serial(first as u32 + 1);
                let condensed = condense(history.since(serial).unwrap()).unwrap();
                let to = Serial(last as u32 + 1);
                prop_assert_eq!(&*condensed, &Delta::between(Some(old), &versions[last], Some(serial), to));
                let mut applied = old.clone();
                condensed.apply(&mut applied);
                prop_assert!(applied.nodes.iter().eq(&versions[last].nodes));
            }
            prop_assert!(history.since(Serial(last as u32 + 1)).is_none());
        }
    }

    #[test]
    fn the_oldest_versions_are_forgotten_first() {
        let versions: Vec<Contents> = (1..=9_u8).map(|n| version(n.into(), [n; 8])).collect();
        let mut history = chain(&versions);
        let all = history.octets;
        assert_eq!(history.len(), 8);
        history.limit(Limits { versions: 5, ..EVERYTHING });
        assert!(history.since(Serial(3)).is_none());
        assert_eq!(history.since(Serial(4)).unwrap().count(), 5);
        history.limit(Limits { octets: all / 4, ..EVERYTHING });
        assert!(history.len() < 5 && history.octets <= all / 4);
        history.limit(Limits { versions: 0, ..EVERYTHING });
        assert_eq!((history.len(), history.octets), (0, 0));
    }

    #[test]
    fn a_version_that_does_not_follow_begins_a_new_history() {
        let versions: Vec<Contents> = (1..=4_u8).map(|n| version(n.into(), [n; 8])).collect();
        let mut history = chain(&versions);
        let gap = Step::new(Delta { from: Some(Serial(7)), to: Serial(8), ..Delta::default() });
        history.push(gap, EVERYTHING);
        assert_eq!(history.len(), 1);
        history.push(Step::new(Delta { to: Serial(9), ..Delta::default() }), EVERYTHING);
        assert!(history.is_empty());
    }
}
