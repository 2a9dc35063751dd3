//! Names as keys of an ordered tree.

use std::cmp::Ordering;
use std::fmt;

use super::{NameRef, Offsets};

/// A name's place in the canonical order, as a string of symbols below 64 that compare as octets do:
/// labels from the right, lower-cased, each ended by 0. The key of an ancestor is a prefix of the key of
/// every name below it. Hostname characters take one symbol, others two.
#[derive(Clone)]
pub struct Key {
    symbols: [u8; 513],
    length: usize,
    labels: usize,
}

/// How far a name agrees with a key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Agreement {
    /// In so many symbols.
    pub symbols: usize,
    /// The name's symbol after them; `None` if that is all of the name.
    pub next: Option<u8>,
}

impl Key {
    /// The key of `name` relative to an apex whose wire form is `apex_length` octets long. The name must lie at
    /// or below that apex.
    pub fn of(name: NameRef<'_>, apex_length: usize) -> Self {
        let mut key = Self::default();
        key.set(name, apex_length);
        key
    }

    /// Becomes the key of another name, see [`Key::of`].
    pub fn set(&mut self, name: NameRef<'_>, apex_length: usize) {
        (self.length, self.labels) = (0, 0);
        let mut offsets = Offsets::before(name, name.0.len() - apex_length);
        while let Some(label) = offsets.pop(name.0) {
            self.push(label);
        }
    }

    fn push(&mut self, label: &[u8]) {
        // Most labels have one symbol an octet.
        let mut rare = false;
        for (place, &octet) in self.symbols[self.length..].iter_mut().zip(label) {
            let [first, second] = SYMBOLS[usize::from(octet)];
            *place = first;
            rare |= second != NO_SYMBOL;
        }
        if rare {
            self.push_rare(label);
        } else {
            self.length += label.len();
        }
        self.symbols[self.length] = 0;
        self.length += 1;
        self.labels += 1;
    }

    /// The symbols of a label with octets that take two.
    fn push_rare(&mut self, label: &[u8]) {
        for &octet in label {
            let [first, second] = SYMBOLS[usize::from(octet)];
            self.symbols[self.length] = first;
            self.symbols[self.length + 1] = second;
            self.length += 1 + usize::from(second != NO_SYMBOL);
        }
    }

    /// How far `name`, which lies at or below the apex, agrees with `key`. The name's own key is not made.
    pub fn agreement(key: &[u8], name: NameRef<'_>, apex_length: usize) -> Agreement {
        let mut offsets = Offsets::before(name, name.0.len() - apex_length);
        let mut symbols = 0;
        while let Some(label) = offsets.pop(name.0) {
            for &octet in label {
                let [first, second] = SYMBOLS[usize::from(octet)];
                if key.get(symbols) != Some(&first) {
                    return Agreement { symbols, next: Some(first) };
                }
                symbols += 1;
                if second != NO_SYMBOL {
                    if key.get(symbols) != Some(&second) {
                        return Agreement { symbols, next: Some(second) };
                    }
                    symbols += 1;
                }
            }
            if key.get(symbols) != Some(&0) {
                return Agreement { symbols, next: Some(0) };
            }
            symbols += 1;
        }
        Agreement { symbols, next: None }
    }

    /// The key of the wildcard below the ancestor that has `labels` labels below the apex.
    #[must_use]
    pub fn wildcard(&self, labels: usize) -> Self {
        let ends = self.symbols().iter().enumerate().filter(|(_, symbol)| **symbol == 0);
        let length = labels.checked_sub(1).and_then(|last| ends.map(|(at, _)| at + 1).nth(last)).unwrap_or(0);
        let mut key = Self { length, labels, ..Self::default() };
        key.symbols[..length].copy_from_slice(&self.symbols[..length]);
        key.push(b"*");
        key
    }

    /// How many labels the name has below the apex.
    pub fn labels(&self) -> usize {
        self.labels
    }

    /// The place right behind `self` and everything below it.
    pub fn after_subtree(mut self) -> Self {
        self.symbols[self.length] = AFTER_ALL;
        self.length += 1;
        self
    }

    /// How many whole labels below the apex the first `length` symbols cover.
    pub fn labels_within(&self, length: usize) -> usize {
        self.symbols[..length].iter().filter(|&&symbol| symbol == 0).count()
    }

    /// The symbols.
    pub fn symbols(&self) -> &[u8] {
        &self.symbols[..self.length]
    }
}

impl Default for Key {
    /// Of the apex.
    fn default() -> Self {
        Self { symbols: [0; 513], length: 0, labels: 0 }
    }
}
impl std::ops::Deref for Key {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        self.symbols()
    }
}
impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.symbols() == other.symbols()
    }
}
impl Eq for Key {}
impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Key {
    fn cmp(&self, other: &Self) -> Ordering {
        self.symbols().cmp(other.symbols())
    }
}
impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.symbols())
    }
}

/// The label that stands for an NSEC3 hash in front of the apex: base32hex in lower case (RFC 5155 §3.3).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct HashLabel([u8; 32]);

impl HashLabel {
    /// Of a hash.
    pub fn new(hash: &[u8; 20]) -> Self {
        let mut label = [0; 32];
        for (bits, digits) in hash.as_chunks().0.iter().zip(label.as_chunks_mut().0) {
            *digits = base32hex(*bits);
        }
        Self(label)
    }

    /// The label's octets.
    pub fn octets(&self) -> &[u8; 32] {
        &self.0
    }

    /// How many symbols its [`Key`] has.
    pub const KEY_LENGTH: usize = 33;

    /// The symbol of its [`Key`] at `offset`; 0 at and after the end.
    pub fn symbol(&self, offset: usize) -> u8 {
        self.0.get(offset).map_or(0, |&digit| SYMBOLS[usize::from(digit)][0])
    }

    /// How far `name`, which lies at or below the apex, agrees with its [`Key`].
    pub fn agreement(&self, name: NameRef<'_>, apex_length: usize) -> Agreement {
        let theirs = name.0.split_first_chunk().filter(|_| name.0.len() == Self::KEY_LENGTH + apex_length);
        let Some(([32, theirs @ ..], _)): Option<(&[u8; Self::KEY_LENGTH], _)> = theirs else {
            let symbols: [u8; Self::KEY_LENGTH] = std::array::from_fn(|offset| self.symbol(offset));
            return Key::agreement(&symbols, name, apex_length);
        };
        // Eight octets at a time, theirs in lower case: letters are what has bit 6, and digits stay as they are.
        let words = self.0.as_chunks().0.iter().zip(theirs.as_chunks().0);
        for (index, (ours, word)) in words.enumerate() {
            let word = u64::from_be_bytes(*word);
            let difference = u64::from_be_bytes(*ours) ^ (word | (word & 0x4040_4040_4040_4040) >> 1);
            if difference != 0 {
                let at = 8 * index + difference.leading_zeros() as usize / 8;
                return Agreement { symbols: at, next: Some(SYMBOLS[usize::from(theirs[at])][0]) };
            }
        }
        Agreement { symbols: Self::KEY_LENGTH, next: None }
    }
}

/// Forty bits as eight digits, all at once.
fn base32hex(octets: [u8; 5]) -> [u8; 8] {
    const ONES: u64 = 0x0101_0101_0101_0101;
    let bits = octets.into_iter().fold(0, |bits, octet| bits << 8 | u64::from(octet));
    // 2 × 20, 4 × 10, 8 × 5 bits, each in a lane of its own.
    let halves = bits >> 20 << 32 | bits & 0xf_ffff;
    let quarters = halves << 6 & 0x03ff_0000_03ff_0000 | halves & 0x03ff_0000_03ff;
    let values = quarters << 3 & 0x1f00_1f00_1f00_1f00 | quarters & 0x001f_001f_001f_001f;
    // From 10 on a digit is a letter.
    let letters = (values + ONES * (128 - 10)) >> 7 & ONES;
    (values + ONES * u64::from(b'0') + letters * u64::from(b'a' - b'0' - 10)).to_be_bytes()
}

pub(super) const NO_SYMBOL: u8 = 0xff;
/// Greater than every symbol.
const AFTER_ALL: u8 = 64;

/// What each octet becomes in a [`Key`]; order-preserving over lower-cased octets.
pub(super) static SYMBOLS: [[u8; 2]; 256] = symbols();

const fn symbols() -> [[u8; 2]; 256] {
    let mut table = [[0, NO_SYMBOL]; 256];
    let mut next = 0; // 0 ends a label
    let mut within = 64; // full: the first rare octet opens a group
    let mut octet = 0;
    while octet < 256 {
        let common = matches!(octet as u8, b'*'..=b'9' | b'_' | b'`' | b'a'..=b'z');
        if (octet as u8).is_ascii_uppercase() {
            // Filled below from the lower-case letter; takes no place in the order.
        } else if common {
            next += 1;
            table[octet] = [next, NO_SYMBOL];
            within = 64;
        } else {
            if within == 64 {
                next += 1;
                within = 1; // 0 only ever ends a label
            }
            table[octet] = [next, within];
            within += 1;
        }
        octet += 1;
    }
    let mut upper = b'A' as usize;
    while upper <= b'Z' as usize {
        table[upper] = table[upper + 32];
        upper += 1;
    }
    table
}
