//! The little of DER (X.690 §10) that keys need: taking values apart, and writing a SubjectPublicKeyInfo.
//!
//! Certificates and requests are `x509-parser`'s; this reads what surrounds keys, borrowing every
//! value from the input, so that no private octet is copied.

/// BOOLEAN, INTEGER, … as identifier octets.
pub(super) const INTEGER: u8 = 0x02;
pub(super) const BIT_STRING: u8 = 0x03;
pub(super) const OCTET_STRING: u8 = 0x04;
pub(super) const OID: u8 = 0x06;
pub(super) const SEQUENCE: u8 = 0x30;
/// `[0]` and `[1]`, constructed: what ECPrivateKey marks its curve and its public key with.
pub(super) const CONTEXT_0: u8 = 0xa0;
pub(super) const CONTEXT_1: u8 = 0xa1;
/// `[1]`, primitive: the public key of PKCS#8 version 2 (RFC 5958).
pub(super) const CONTEXT_1_PRIMITIVE: u8 = 0x81;

/// One value: its identifier octet, its contents, and all of it.
#[derive(Clone, Copy)]
pub(super) struct Value<'a> {
    pub(super) tag: u8,
    pub(super) contents: &'a [u8],
    pub(super) whole: &'a [u8],
}

/// Why no value could be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DerError {
    /// The length says more than there is.
    CutOff,
    /// No definite length of at most four octets.
    Malformed,
}

/// The first value of `input` and what follows it.
pub(super) fn take(input: &[u8]) -> Result<(Value<'_>, &[u8]), DerError> {
    let [tag, first, rest @ ..] = input else { return Err(DerError::CutOff) };
    let (length, rest) = match *first {
        short @ 0..=0x7f => (usize::from(short), rest),
        long @ 0x81..=0x84 => {
            let octets = usize::from(long & 0x7f);
            let (length, rest) = rest.split_at_checked(octets).ok_or(DerError::CutOff)?;
            (length.iter().fold(0, |sum, &octet| sum << 8 | usize::from(octet)), rest)
        }
        _ => return Err(DerError::Malformed),
    };
    let (contents, rest) = rest.split_at_checked(length).ok_or(DerError::CutOff)?;
    let whole = &input[..input.len() - rest.len()];
    Ok((Value { tag: *tag, contents, whole }, rest))
}

/// Reads the values inside a constructed one, in order.
#[derive(Clone, Copy)]
pub(super) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn new(contents: &'a [u8]) -> Self {
        Self(contents)
    }

    /// The next value if it has this tag; otherwise nothing is consumed.
    pub(super) fn next(&mut self, tag: u8) -> Option<Value<'a>> {
        let (value, rest) = take(self.0).ok()?;
        (value.tag == tag).then(|| {
            self.0 = rest;
            value
        })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// `contents` under `tag`, with the shortest length.
pub(super) fn wrap(tag: u8, contents: &[u8]) -> Vec<u8> {
    let mut out = vec![tag];
    let length = contents.len();
    if length < 0x80 {
        out.push(length as u8);
    } else {
        let octets = length.to_be_bytes();
        let skip = octets.iter().take_while(|&&octet| octet == 0).count();
        out.push(0x80 | (octets.len() - skip) as u8);
        out.extend_from_slice(&octets[skip..]);
    }
    out.extend_from_slice(contents);
    out
}

/// SubjectPublicKeyInfo (RFC 5280 §4.1.2.7) of an AlgorithmIdentifier and the key's octets.
pub(super) fn spki(algorithm: &[u8], key: &[u8]) -> Vec<u8> {
    // The leading zero says that no bit of the last octet is unused.
    let bits = wrap(BIT_STRING, &[&[0], key].concat());
    wrap(SEQUENCE, &[algorithm, &bits].concat())
}
