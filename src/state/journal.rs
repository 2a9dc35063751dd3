//! The versions before the stored one: for each step what the changed owners held before it.
//!
//! ```text
//! journal   range u32, step u64   → from u32, to u32, then for each changed owner: tree u8 and
//!                                     0, owner (it was not there), or
//!                                     1, length u32, node
//! ```
//!
//! What an owner held after a step is what it held before the next one that changed it, or what it holds now; so that
//! is not written a second time. Steps are numbered without gaps within the range of their zone, and are removed from
//! the oldest on.

use std::collections::BTreeMap;

use redb::{ReadableTable, Table, TableDefinition};

use super::error::{Damage, StateError};
use crate::dns::name::{Name, NameRef};
use crate::zone::{Change, Contents, Delta, Node, Serial, Step};

pub(super) const JOURNAL: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("journal");

type Journal<'t> = Table<'t, &'static [u8], &'static [u8]>;

const KEY: usize = 12;
const ABSENT: u8 = 0;
const PRESENT: u8 = 1;
const NODES: u8 = 0;
const NSEC3: u8 = 1;

/// Adds `step`, if any, to the journal of a zone's range, and forgets all but the last `keep` steps.
pub(super) fn add(
    journal: &mut Journal<'_>,
    range: u32,
    step: Option<&Delta>,
    keep: usize,
) -> Result<(), StateError> {
    let last = journal.range::<&[u8]>(&key(range, 0)[..]..=&key(range, u64::MAX)[..])?.next_back();
    let last = last.transpose()?.and_then(|(key, _)| number(key.value()));
    let mut next = last.map_or(0, |last| last + 1);
    if let Some(step) = step.filter(|_| keep > 0) {
        journal.insert(&key(range, next)[..], &undo(step)[..])?;
        next += 1;
    }
    let end = next.saturating_sub(keep as u64);
    let (first, end) = (key(range, 0), key(range, end));
    Ok(journal.retain_in::<&[u8], _>(&first[..]..&end[..], |_, _| false)?)
}

/// Forgets the journal of a range.
pub(super) fn clear(journal: &mut Journal<'_>, range: u32) -> Result<(), StateError> {
    let (first, last) = (key(range, 0), key(range, u64::MAX));
    Ok(journal.retain_in::<&[u8], _>(&first[..]..=&last[..], |_, _| false)?)
}

/// The steps that lead to `contents`, the version of this serial, the oldest first. The inner error is damage.
pub(super) fn load(
    journal: &impl ReadableTable<&'static [u8], &'static [u8]>,
    range: u32,
    contents: &Contents,
    serial: Serial,
) -> Result<Result<Vec<Step>, Damage>, StateError> {
    let mut steps = Vec::new();
    let mut later = Later { contents, owners: BTreeMap::new() };
    let mut to = serial;
    let mut newer: Option<u64> = None;
    for entry in journal.range::<&[u8]>(&key(range, 0)[..]..=&key(range, u64::MAX)[..])?.rev() {
        let (key, value) = entry?;
        let here = number(key.value()).filter(|here| newer.is_none_or(|newer| here + 1 == newer));
        let delta = here.and_then(|_| later.step(value.value())).filter(|delta| delta.to == to);
        let Some(delta) = delta else { return Ok(Err(Damage::Journal)) };
        newer = here;
        to = delta.from.unwrap_or(to);
        steps.push(Step::new(delta));
    }
    steps.reverse();
    Ok(Ok(steps))
}

fn undo(step: &Delta) -> Vec<u8> {
    let mut out = Vec::new();
    out.extend(step.from.unwrap_or_default().0.to_be_bytes());
    out.extend(step.to.0.to_be_bytes());
    let mut stored = Vec::new();
    for (tree, changes) in [(NODES, &step.nodes), (NSEC3, &step.nsec3)] {
        for change in changes {
            out.push(tree);
            match &change.old {
                None => {
                    out.push(ABSENT);
                    out.extend(change.owner().wire());
                }
                Some(node) => {
                    stored.clear();
                    node.write(&mut stored);
                    out.push(PRESENT);
                    out.extend((stored.len() as u32).to_be_bytes());
                    out.extend(&stored);
                }
            }
        }
    }
    out
}

/// What changed owners hold at a version, where that differs from what they hold now.
struct Later<'c> {
    contents: &'c Contents,
    owners: BTreeMap<(u8, Name), Option<Node>>,
}

impl Later<'_> {
    /// Goes back over a step; `None` if it does not read.
    fn step(&mut self, stored: &[u8]) -> Option<Delta> {
        let (from, rest) = stored.split_first_chunk()?;
        let (to, mut rest) = rest.split_first_chunk()?;
        let serial = |octets: &[u8; 4]| Serial(u32::from_be_bytes(*octets));
        let mut delta = Delta { from: Some(serial(from)), to: serial(to), ..Delta::default() };
        while let Some((&[tree, tag], more)) = rest.split_first_chunk() {
            let (owner, old);
            (owner, old, rest) = match tag {
                ABSENT => {
                    let owner = NameRef::from_wire(more).ok()?;
                    (owner.to_owned(), None, &more[owner.wire().len()..])
                }
                PRESENT => {
                    let (length, more) = more.split_first_chunk()?;
                    let (node, more) = more.split_at_checked(u32::from_be_bytes(*length) as usize)?;
                    let node = Node::read(node)?;
                    (node.owner().to_owned(), Some(node), more)
                }
                _ => return None,
            };
            let (in_place, changes) = match tree {
                NODES => (&self.contents.nodes, &mut delta.nodes),
                NSEC3 => (&self.contents.nsec3, &mut delta.nsec3),
                _ => return None,
            };
            let in_order = changes.last().is_none_or(|last: &Change| last.owner() < owner.as_ref());
            if !in_order || !owner.as_ref().is_at_or_below(self.contents.origin().as_ref()) {
                return None;
            }
            let new = match self.owners.insert((tree, owner.clone()), old.clone()) {
                Some(later) => later,
                None => in_place.get(owner.as_ref()).cloned(),
            };
            // An owner that was not there and is not has not changed.
            old.as_ref().or(new.as_ref())?;
            changes.push(Change { old, new });
        }
        rest.is_empty().then_some(delta)
    }
}

fn key(range: u32, step: u64) -> [u8; KEY] {
    let mut key = [0; KEY];
    key[..4].copy_from_slice(&range.to_be_bytes());
    key[4..].copy_from_slice(&step.to_be_bytes());
    key
}

fn number(key: &[u8]) -> Option<u64> {
    key.last_chunk().filter(|_| key.len() == KEY).map(|step| u64::from_be_bytes(*step))
}
