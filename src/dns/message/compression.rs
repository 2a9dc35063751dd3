//! Which names a message under construction already holds, so that the next one can point to them
//! (RFC 1035 §4.1.4).
//!
//! Every suffix of every name written is remembered by a hash, as far as a pointer reaches. The table is made once
//! and used for message after message: starting a new one costs nothing.

use super::suffixes::Suffixes;
use crate::dns::name::NameRef;

const SLOTS: usize = 1_024;
/// Beyond it, probing gets long; further names are found but not remembered.
const MOST: usize = SLOTS * 3 / 4;
/// What a pointer can reach (RFC 1035 §4.1.4: 14 bits).
pub(super) const REACH: usize = 0x4000;

/// The table. It belongs to the thread that writes messages.
pub struct Compression {
    slots: Box<[Slot; SLOTS]>,
    /// The slots taken, in order, so that the latest can be freed again.
    taken: Vec<u16>,
    generation: u16,
    /// A name in the message whose suffixes are remembered as soon as any other name is written: where it is, and
    /// how long. Most answers have none.
    deferred: Option<(u16, u8)>,
}

#[derive(Clone, Copy, Default)]
struct Slot {
    /// Free unless equal to the table's.
    generation: u16,
    /// Bits of the hash that did not choose the slot.
    tag: u16,
    offset: u16,
}

/// How a name is to be written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Split {
    /// So many of its octets are written out,
    pub literal: usize,
    /// then a pointer to here; `None` when all of it is written out, the root included.
    pub pointer: Option<u16>,
}

impl Default for Compression {
    fn default() -> Self {
        Self {
            slots: Box::new([Slot::default(); SLOTS]),
            taken: Vec::with_capacity(MOST),
            generation: 1,
            deferred: None,
        }
    }
}

impl Compression {
    /// Forgets all names: a new message begins.
    pub fn clear(&mut self) {
        self.taken.clear();
        self.deferred = None;
        self.generation = self.generation.wrapping_add(1);
        if self.generation == 0 {
            self.slots.fill(Slot::default());
            self.generation = 1;
        }
    }

    /// Takes note of a message's first name, which starts at `offset`.
    pub(super) fn defer(&mut self, offset: usize, name: NameRef<'_>) {
        self.deferred = Some((offset as u16, name.wire().len() as u8));
    }

    /// Forgets what was written at or after `offset`.
    pub fn forget_from(&mut self, offset: usize) {
        while let Some(&slot) = self.taken.last() {
            // The latest taken is freed first, so no probe sequence is interrupted.
            let slot = &mut self.slots[usize::from(slot)];
            if usize::from(slot.offset) < offset {
                break;
            }
            slot.generation = 0;
            self.taken.pop();
        }
    }

    /// Finds the longest suffix of `name` in `message`, and remembers the labels before it, which the caller is
    /// about to write at the end of `message`. With `exact`, a suffix in another case does not count.
    pub fn place(&mut self, message: &[u8], name: NameRef<'_>, exact: bool) -> Split {
        if let Some((offset, length)) = self.deferred.take() {
            let offset = usize::from(offset);
            self.remember(&Suffixes::of(NameRef::assume_valid(&message[offset..][..length.into()])), offset);
        }
        let wire = name.wire();
        let suffixes = Suffixes::of(name);
        let mut split = Split { literal: wire.len(), pointer: None };
        let mut new = suffixes.count();
        for index in 0..suffixes.count() {
            let start = suffixes.start(index);
            if let Some(offset) = self.find(message, suffixes.hash(index), &wire[start..], exact) {
                split = Split { literal: start, pointer: Some(offset) };
                new = index;
                break;
            }
        }
        for index in 0..new {
            let offset = message.len() + suffixes.start(index);
            if offset >= REACH || self.taken.len() >= MOST {
                break;
            }
            self.insert(suffixes.hash(index), offset as u16);
        }
        split
    }

    /// Where in `message` a name is that is remembered.
    pub(super) fn offset_of(&self, message: &[u8], name: NameRef<'_>, exact: bool) -> Option<u16> {
        let suffixes = Suffixes::of(name);
        let longest = (suffixes.count() > 0).then(|| suffixes.hash(0))?;
        self.find(message, longest, name.wire(), exact)
    }

    /// Remembers all suffixes of a name that is at `offset`.
    fn remember(&mut self, suffixes: &Suffixes, offset: usize) {
        for index in 0..suffixes.count() {
            self.insert(suffixes.hash(index), (offset + suffixes.start(index)) as u16);
        }
    }

    fn find(&self, message: &[u8], hash: u32, suffix: &[u8], exact: bool) -> Option<u16> {
        let mut at = hash as usize % SLOTS;
        loop {
            let slot = &self.slots[at];
            if slot.generation != self.generation {
                return None;
            }
            if slot.tag == (hash >> 16) as u16 && is_at(message, slot.offset.into(), suffix, exact) {
                return Some(slot.offset);
            }
            at = (at + 1) % SLOTS;
        }
    }

    fn insert(&mut self, hash: u32, offset: u16) {
        let mut at = hash as usize % SLOTS;
        while self.slots[at].generation == self.generation {
            at = (at + 1) % SLOTS;
        }
        self.slots[at] = Slot { generation: self.generation, tag: (hash >> 16) as u16, offset };
        self.taken.push(at as u16);
    }
}

/// Whether the name at `at` in `message`, which we wrote ourselves, is `suffix`.
fn is_at(message: &[u8], mut at: usize, mut suffix: &[u8], exact: bool) -> bool {
    loop {
        let Some(&length) = message.get(at) else { return false };
        if length >= 0xc0 {
            let Some(&low) = message.get(at + 1) else { return false };
            at = usize::from(length & 0x3f) << 8 | usize::from(low);
            continue;
        }
        let label = 1 + usize::from(length);
        let (Some(theirs), Some(ours)) = (message.get(at..at + label), suffix.get(..label)) else {
            return false;
        };
        let equal = if exact { theirs == ours } else { theirs.eq_ignore_ascii_case(ours) };
        if !equal || length == 0 {
            return equal;
        }
        at += label;
        suffix = &suffix[label..];
    }
}
