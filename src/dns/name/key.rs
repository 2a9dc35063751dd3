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
        let mut key = Self { symbols: [0; 513], length: 0, labels: 0 };
        let mut offsets = Offsets::before(name, name.0.len() - apex_length);
        while let Some(label) = offsets.pop(name.0) {
            key.push(label);
        }
        key
    }

    /// The key of the label that stands for an NSEC3 hash (RFC 5155 §3.3: in base32hex), right below the apex.
    pub fn of_hash(hash: &[u8; 20]) -> Self {
        let mut key = Self { symbols: [0; 513], length: 33, labels: 1 };
        for (&[a, b, c, d, e], symbols) in hash.as_chunks().0.iter().zip(key.symbols.as_chunks_mut::<8>().0) {
            // Eight digits of five bits.
            let bits = u64::from_be_bytes([0, 0, 0, a, b, c, d, e]);
            for (index, symbol) in symbols.iter_mut().enumerate() {
                *symbol = DIGITS[(bits >> (35 - 5 * index)) as usize & 31];
            }
        }
        key
    }

    fn push(&mut self, label: &[u8]) {
        let mut length = self.length;
        for &octet in label {
            let [first, second] = SYMBOLS[usize::from(octet)];
            // Two symbols are written, and the second counts only if there is one.
            if let Some(place) = self.symbols[length..].first_chunk_mut() {
                *place = [first, second];
            }
            length += 1 + usize::from(second != NO_SYMBOL);
        }
        self.symbols[length] = 0;
        self.length = length + 1;
        self.labels += 1;
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
        let mut key = Self { symbols: [0; 513], length, labels };
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

pub(super) const NO_SYMBOL: u8 = 0xff;
/// Greater than every symbol.
const AFTER_ALL: u8 = 64;

/// What each digit of base32hex becomes in a [`Key`].
static DIGITS: [u8; 32] = {
    let mut digits = [0; 32];
    let mut value = 0;
    while value < 32 {
        let digit = if value < 10 { b'0' + value } else { b'a' + value - 10 };
        digits[value as usize] = symbols()[digit as usize][0];
        value += 1;
    }
    digits
};

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
