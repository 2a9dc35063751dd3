//! The suffixes of a name with their hashes, found in one pass: what name compression and the search for the
//! enclosing zone look things up by.

use crate::dns::name::NameRef;

/// A name of 255 octets has at most 127 labels.
const MAX_LABELS: usize = 127;
/// The hash of the root.
pub const ROOT_HASH: u32 = 0x811c_9dc5;

/// The suffixes of a name, longest first, the root left out.
pub struct Suffixes<'a> {
    wire: &'a [u8],
    starts: [u8; MAX_LABELS],
    hashes: [u32; MAX_LABELS],
    count: usize,
}

impl<'a> Suffixes<'a> {
    /// Of `name`. The hashes are blind to case.
    pub fn of(name: NameRef<'a>) -> Self {
        Self::with_hashes(name, MAX_LABELS)
    }

    /// Of `name`, with hashes for no more than the last so many: the others are not to be asked for.
    pub fn with_hashes(name: NameRef<'a>, hashed: usize) -> Self {
        let wire = name.wire();
        let mut suffixes = Self { wire, starts: [0; MAX_LABELS], hashes: [0; MAX_LABELS], count: 0 };
        let mut at = 0;
        while wire[at] != 0 {
            suffixes.starts[suffixes.count] = at as u8;
            suffixes.count += 1;
            at += 1 + usize::from(wire[at]);
        }
        // FNV-1a, from the right, label by label; each suffix continues from the one it contains.
        let mut hash = ROOT_HASH;
        let mut end = at;
        for index in (suffixes.count.saturating_sub(hashed)..suffixes.count).rev() {
            let start = usize::from(suffixes.starts[index]);
            for octet in &wire[start..end] {
                hash = (hash ^ u32::from(octet.to_ascii_lowercase())).wrapping_mul(0x0100_0193);
            }
            suffixes.hashes[index] = hash ^ hash >> 15;
            end = start;
        }
        suffixes
    }

    /// How many there are: the labels of the name.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Where in the name the suffix starts.
    pub fn start(&self, index: usize) -> usize {
        usize::from(self.starts[index])
    }

    /// The hash of the suffix.
    pub fn hash(&self, index: usize) -> u32 {
        self.hashes[index]
    }

    /// The suffix, as a name.
    pub fn name(&self, index: usize) -> NameRef<'a> {
        NameRef::assume_valid(&self.wire[self.start(index)..])
    }
}
