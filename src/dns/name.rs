//! Domain names as uncompressed wire bytes (RFC 1035 §3.1), and their canonical order (RFC 4034 §6.1).
//!
//! A name keeps the case it came in; equality, hashing and order ignore it (RFC 4343). Text is read and
//! written with `\DDD` and `\X` escapes, always as given: no IDNA, no surprises with `/` or `_`.

mod key;

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};

pub use key::{Agreement, HashLabel, Key};

/// The longest name in wire octets, the root's length octet included (RFC 1035 §3.1).
pub const MAX_NAME: usize = 255;
/// The longest label (RFC 1035 §3.1).
pub const MAX_LABEL: usize = 63;

/// Why bytes or text are not a domain name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// The wire form ends before the root label.
    #[error("name is cut off")]
    Truncated,
    /// A label is longer than 63 octets, or the length octet is a pointer where none may be.
    #[error("label is longer than 63 octets")]
    LabelTooLong,
    /// The whole is longer than 255 octets.
    #[error("name is longer than 255 octets")]
    TooLong,
    /// Two dots follow each other, or a dot leads.
    #[error("empty label")]
    EmptyLabel,
    /// A backslash is followed by neither a character nor three digits up to 255.
    #[error("bad escape, expected \\X or \\DDD with DDD at most 255")]
    BadEscape,
    /// The text is empty.
    #[error("empty name")]
    Empty,
}

/// An owned name.
#[derive(Clone)]
pub struct Name(Box<[u8]>);

/// A borrowed name: valid wire bytes from the first length octet to the root's.
#[derive(Clone, Copy)]
pub struct NameRef<'a>(&'a [u8]);

impl Name {
    /// The root.
    pub fn root() -> Self {
        Self(Box::new([0]))
    }

    /// Reads a name in presentation form; a missing final dot is taken as present.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        NameBuf::parse(text.as_bytes(), None).map(|name| name.as_ref().to_owned())
    }

    /// Takes wire bytes that must be exactly one uncompressed name.
    pub fn from_wire(wire: &[u8]) -> Result<Self, NameError> {
        let name = NameRef::from_wire(wire)?;
        if name.0.len() == wire.len() { Ok(name.to_owned()) } else { Err(NameError::TooLong) }
    }

    /// The borrowed form.
    pub fn as_ref(&self) -> NameRef<'_> {
        NameRef(&self.0)
    }

    /// `label` in front of this name.
    pub fn child(&self, label: &[u8]) -> Result<Self, NameError> {
        let mut name = NameBuf::default();
        name.push_label(label)?;
        name.finish(Some(self.as_ref()))?;
        Ok(name.as_ref().to_owned())
    }
}

impl std::ops::Deref for Name {
    type Target = [u8];
    /// The wire bytes.
    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl<'a> NameRef<'a> {
    /// Takes the name at the start of `wire`; what follows it is ignored.
    pub fn from_wire(wire: &'a [u8]) -> Result<Self, NameError> {
        let mut at = 0;
        loop {
            match *wire.get(at).ok_or(NameError::Truncated)? {
                0 => return Ok(Self(&wire[..=at])),
                length if usize::from(length) > MAX_LABEL => return Err(NameError::LabelTooLong),
                length => at += 1 + usize::from(length),
            }
            if at >= MAX_NAME {
                return Err(NameError::TooLong);
            }
        }
    }

    /// The root.
    pub const ROOT: NameRef<'static> = NameRef(&[0]);

    /// Takes bytes that are known to be exactly one valid name, because this crate wrote them.
    pub(crate) fn assume_valid(wire: &'a [u8]) -> Self {
        debug_assert!(NameRef::from_wire(wire).is_ok_and(|name| name.0.len() == wire.len()));
        Self(wire)
    }

    /// The wire bytes.
    pub fn wire(self) -> &'a [u8] {
        self.0
    }

    /// An owned copy.
    pub fn to_owned(self) -> Name {
        Name(self.0.into())
    }

    /// The text as people write it, without the final dot; `.` for the root.
    pub fn undotted(self) -> String {
        let text = self.to_string();
        text.strip_suffix('.').filter(|rest| !rest.is_empty()).map(str::to_owned).unwrap_or(text)
    }

    /// Whether this is `.`.
    pub fn is_root(self) -> bool {
        self.0.len() == 1
    }

    /// The labels from the leftmost to the one below the root.
    pub fn labels(self) -> Labels<'a> {
        Labels(self.0)
    }

    /// How many labels there are, the root not counted; a leading `*` is counted.
    pub fn label_count(self) -> usize {
        self.labels().count()
    }

    /// The name without its first label; `None` at the root.
    pub fn parent(self) -> Option<NameRef<'a>> {
        let first = usize::from(self.0[0]);
        (first > 0).then(|| NameRef(&self.0[1 + first..]))
    }

    /// Whether the first label is `*` (RFC 4592).
    pub fn is_wildcard(self) -> bool {
        self.0.starts_with(b"\x01*")
    }

    /// Whether any label is `*`: a wildcard, or a name below one.
    pub fn has_asterisk(self) -> bool {
        self.labels().any(|label| label == b"*")
    }

    /// Whether `self` is `ancestor` or below it.
    pub fn is_at_or_below(self, ancestor: NameRef<'_>) -> bool {
        let mut name = self;
        while name.0.len() > ancestor.0.len() {
            match name.parent() {
                Some(parent) => name = parent,
                None => return false,
            }
        }
        name == ancestor
    }

    /// Appends the lower-case wire form to `out` (RFC 4034 §6.2).
    pub fn write_canonical(self, out: &mut Vec<u8>) {
        // Length octets are at most 63 and so are never upper-case letters.
        out.extend(self.0.iter().map(u8::to_ascii_lowercase));
    }
}

/// The labels of a name, leftmost first.
#[derive(Clone)]
pub struct Labels<'a>(&'a [u8]);

impl<'a> Iterator for Labels<'a> {
    type Item = &'a [u8];
    fn next(&mut self) -> Option<&'a [u8]> {
        let length = usize::from(*self.0.first()?);
        if length == 0 {
            return None;
        }
        let (label, rest) = self.0[1..].split_at(length);
        self.0 = rest;
        Some(label)
    }
}

impl PartialEq for NameRef<'_> {
    fn eq(&self, other: &Self) -> bool {
        // Most names that are compared are spelt alike.
        self.0 == other.0 || self.0.eq_ignore_ascii_case(other.0)
    }
}
impl Eq for NameRef<'_> {}

impl Hash for NameRef<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        for octet in self.0 {
            state.write_u8(octet.to_ascii_lowercase());
        }
    }
}

impl Ord for NameRef<'_> {
    /// The canonical order of RFC 4034 §6.1.
    fn cmp(&self, other: &Self) -> Ordering {
        let mut a = Offsets::of(*self);
        let mut b = Offsets::of(*other);
        loop {
            match (a.pop(self.0), b.pop(other.0)) {
                (None, None) => return Ordering::Equal,
                (None, Some(_)) => return Ordering::Less,
                (Some(_), None) => return Ordering::Greater,
                (Some(x), Some(y)) => {
                    let order =
                        x.iter().map(u8::to_ascii_lowercase).cmp(y.iter().map(u8::to_ascii_lowercase));
                    if order != Ordering::Equal {
                        return order;
                    }
                }
            }
        }
    }
}
impl PartialOrd for NameRef<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Where the labels of a name start, to walk them from the right.
struct Offsets {
    starts: [u8; 128],
    left: usize,
}

impl Offsets {
    fn of(name: NameRef<'_>) -> Self {
        Self::before(name, name.0.len() - 1)
    }

    /// Of the labels in the first `length` octets alone.
    fn before(name: NameRef<'_>, length: usize) -> Self {
        let mut offsets = Self { starts: [0; 128], left: 0 };
        let mut at = 0;
        while at < length {
            offsets.starts[offsets.left] = at as u8;
            offsets.left += 1;
            at += 1 + usize::from(name.0[at]);
        }
        offsets
    }

    fn pop<'a>(&mut self, wire: &'a [u8]) -> Option<&'a [u8]> {
        self.left = self.left.checked_sub(1)?;
        let start = usize::from(self.starts[self.left]);
        Some(&wire[start + 1..start + 1 + usize::from(wire[start])])
    }
}

impl PartialEq for Name {
    fn eq(&self, other: &Self) -> bool {
        self.as_ref() == other.as_ref()
    }
}
impl Eq for Name {}
impl Hash for Name {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_ref().hash(state);
    }
}
impl Ord for Name {
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_ref().cmp(&other.as_ref())
    }
}
impl PartialOrd for Name {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for NameRef<'_> {
    /// Presentation form with the final dot.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use fmt::Write;
        if self.is_root() {
            return f.write_char('.');
        }
        for label in self.labels() {
            for &octet in label {
                match octet {
                    b'.' | b'\\' | b'"' | b';' | b'(' | b')' | b'@' | b'$' => {
                        write!(f, "\\{}", char::from(octet))?;
                    }
                    0x21..=0x7e => f.write_char(char::from(octet))?,
                    _ => write!(f, "\\{octet:03}")?,
                }
            }
            f.write_char('.')?;
        }
        Ok(())
    }
}
impl fmt::Debug for NameRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.as_ref(), f)
    }
}
impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A name under construction, without allocation; what the zone-file reader and the answer path build in.
#[derive(Clone)]
pub struct NameBuf {
    wire: [u8; MAX_NAME],
    length: usize,
}

impl Default for NameBuf {
    fn default() -> Self {
        Self { wire: [0; MAX_NAME], length: 0 }
    }
}

impl NameBuf {
    /// Reads presentation form. A relative name gets `origin` appended, or the root when there is none.
    /// `@` is not special here.
    pub fn parse(text: &[u8], origin: Option<NameRef<'_>>) -> Result<Self, NameError> {
        let mut name = Self::default();
        if text.is_empty() {
            return Err(NameError::Empty);
        }
        if text == b"." {
            name.finish(None)?;
            return Ok(name);
        }
        let mut at = 0;
        loop {
            let start = name.length;
            name.push(0)?;
            let mut dotted = false;
            while let Some(&octet) = text.get(at) {
                at += 1;
                match octet {
                    b'.' => {
                        dotted = true;
                        break;
                    }
                    b'\\' => {
                        let (octet, used) = unescape(&text[at..])?;
                        at += used;
                        name.push(octet)?;
                    }
                    _ => name.push(octet)?,
                }
            }
            let label = name.length - start - 1;
            if label == 0 {
                return Err(NameError::EmptyLabel);
            }
            if label > MAX_LABEL {
                return Err(NameError::LabelTooLong);
            }
            name.wire[start] = label as u8;
            if at == text.len() {
                name.finish(if dotted { None } else { origin })?;
                return Ok(name);
            }
        }
    }

    /// Appends one label.
    pub fn push_label(&mut self, label: &[u8]) -> Result<(), NameError> {
        if label.is_empty() {
            return Err(NameError::EmptyLabel);
        }
        if label.len() > MAX_LABEL {
            return Err(NameError::LabelTooLong);
        }
        self.push(label.len() as u8)?;
        self.extend(label)
    }

    /// Appends `suffix` (the root when `None`), which completes the name.
    pub fn finish(&mut self, suffix: Option<NameRef<'_>>) -> Result<(), NameError> {
        self.extend(suffix.map_or(&[0][..], |name| name.0))
    }

    /// The finished name.
    pub fn as_ref(&self) -> NameRef<'_> {
        NameRef(&self.wire[..self.length])
    }

    fn push(&mut self, octet: u8) -> Result<(), NameError> {
        *self.wire.get_mut(self.length).ok_or(NameError::TooLong)? = octet;
        self.length += 1;
        Ok(())
    }

    fn extend(&mut self, octets: &[u8]) -> Result<(), NameError> {
        let end = self.length + octets.len();
        self.wire.get_mut(self.length..end).ok_or(NameError::TooLong)?.copy_from_slice(octets);
        self.length = end;
        Ok(())
    }
}

/// The octet that the escape after a backslash stands for, and how many octets of `text` it takes
/// (RFC 1035 §5.1).
pub fn unescape(text: &[u8]) -> Result<(u8, usize), NameError> {
    match text {
        [a @ b'0'..=b'9', b @ b'0'..=b'9', c @ b'0'..=b'9', ..] => {
            let value = u16::from(a - b'0') * 100 + u16::from(b - b'0') * 10 + u16::from(c - b'0');
            u8::try_from(value).map(|octet| (octet, 3)).map_err(|_| NameError::BadEscape)
        }
        [b'0'..=b'9', ..] | [] => Err(NameError::BadEscape),
        [octet, ..] => Ok((*octet, 1)),
    }
}

#[cfg(test)]
mod tests {
    use super::key::{NO_SYMBOL, SYMBOLS};
    use super::*;
    use proptest::prelude::*;

    fn name(text: &str) -> Name {
        Name::parse(text).unwrap()
    }

    #[test]
    fn canonical_order_is_that_of_rfc_4034() {
        let sorted = [
            "example.",
            "a.example.",
            "yljkjljk.a.example.",
            "Z.a.example.",
            "zABC.a.EXAMPLE.",
            "z.example.",
            "\\001.z.example.",
            "*.z.example.",
            "\\200.z.example.",
        ];
        let apex = name("example.");
        for pair in sorted.windows(2) {
            assert!(name(pair[0]) < name(pair[1]), "{pair:?}");
            assert!(
                Key::of(name(pair[0]).as_ref(), apex.len()) < Key::of(name(pair[1]).as_ref(), apex.len()),
                "{pair:?}"
            );
        }
    }

    #[test]
    fn escapes_survive_and_limits_hold() {
        assert_eq!(name(r"a\.b.c\000\255.").to_string(), r"a\.b.c\000\255.");
        assert_eq!(Name::parse("a..b"), Err(NameError::EmptyLabel));
        assert_eq!(Name::parse(r"a\256"), Err(NameError::BadEscape));
        assert_eq!(Name::parse(&"a".repeat(64)), Err(NameError::LabelTooLong));
        assert_eq!(Name::parse(&"abc.".repeat(64)), Err(NameError::TooLong));
        assert!(Name::parse(&"abc.".repeat(63)).is_ok());
        assert!(name("a.B.c").as_ref().is_at_or_below(name("b.C").as_ref()));
        assert!(!name("ab.c").as_ref().is_at_or_below(name("b.c").as_ref()));
        assert!(name("x.").as_ref().is_at_or_below(Name::root().as_ref()));
    }

    #[test]
    fn symbols_fit_a_64_bit_map() {
        assert!(
            SYMBOLS.iter().all(|s| s[0] > 0 && s[0] < 64 && ((1..64).contains(&s[1]) || s[1] == NO_SYMBOL))
        );
    }

    prop_compose! {
        fn any_name()(labels in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..6), 0..5)) -> Name {
            let mut buf = NameBuf::default();
            for label in &labels { buf.push_label(label).unwrap(); }
            buf.finish(None).unwrap();
            buf.as_ref().to_owned()
        }
    }

    proptest! {
        #[test]
        fn text_round_trips(n in any_name()) {
            let again = Name::parse(&n.to_string()).unwrap();
            prop_assert_eq!(&again[..], &n[..]);
        }

        #[test]
        fn keys_order_as_names_do(a in any_name(), b in any_name()) {
            prop_assert_eq!(Key::of(a.as_ref(), 1).cmp(&Key::of(b.as_ref(), 1)), a.cmp(&b));
        }
    }
}
