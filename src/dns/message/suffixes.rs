//! The suffixes of a name with their hashes, found in one pass: what name compression looks names up by.

use crate::dns::name::NameRef;

/// A name of 255 octets has at most 127 labels.
const MAX_LABELS: usize = 127;
/// The hash of the root.
const ROOT_HASH: u32 = 0x811c_9dc5;

/// The suffixes of a name, longest first, the root left out.
pub struct Suffixes {
    starts: [u8; MAX_LABELS],
    hashes: [u32; MAX_LABELS],
    count: usize,
}

impl Suffixes {
    /// Of `name`. The hashes are blind to case.
    pub fn of(name: NameRef<'_>) -> Self {
        let wire = name.wire();
        let mut suffixes = Self { starts: [0; MAX_LABELS], hashes: [0; MAX_LABELS], count: 0 };
        let mut at = 0;
        while wire[at] != 0 {
            suffixes.starts[suffixes.count] = at as u8;
            suffixes.count += 1;
            at += 1 + usize::from(wire[at]);
        }
        // FNV-1a, from the right, label by label; each suffix continues from the one it contains.
        let mut hash = ROOT_HASH;
        let mut end = at;
        for index in (0..suffixes.count).rev() {
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
}
