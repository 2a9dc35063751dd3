//! The little of DER (X.690 §10) that keys need: taking values apart, and writing a SubjectPublicKeyInfo.
//!
//! Certificates and requests are read by `x509-parser`; this reads what surrounds keys, borrowing every value from
//! the input, so that no private octet is copied, and writes keys and requests.

use zeroize::Zeroizing;

/// BOOLEAN, INTEGER, … as identifier octets.
pub(crate) const INTEGER: u8 = 0x02;
pub(crate) const BIT_STRING: u8 = 0x03;
pub(crate) const OCTET_STRING: u8 = 0x04;
pub(crate) const OID: u8 = 0x06;
pub(crate) const UTF8_STRING: u8 = 0x0c;
pub(crate) const UTC_TIME: u8 = 0x17;
pub(crate) const SEQUENCE: u8 = 0x30;
pub(crate) const SET: u8 = 0x31;
/// `[0]` and `[1]`, constructed: what ECPrivateKey marks its curve and its public key with.
pub(crate) const CONTEXT_0: u8 = 0xa0;
pub(crate) const CONTEXT_1: u8 = 0xa1;
/// `[3]`, constructed: the extensions of a certificate.
pub(crate) const CONTEXT_3: u8 = 0xa3;
/// `[1]`, primitive: the public key of PKCS#8 version 2 (RFC 5958).
pub(crate) const CONTEXT_1_PRIMITIVE: u8 = 0x81;

/// One value: its identifier octet, its contents, and all of it.
#[derive(Clone, Copy)]
pub(crate) struct Value<'a> {
    pub(crate) tag: u8,
    pub(crate) contents: &'a [u8],
    pub(crate) whole: &'a [u8],
}

/// Why no value could be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DerError {
    /// The length says more than there is.
    CutOff,
    /// No definite length of at most four octets.
    Malformed,
}

/// The first value of `input` and what follows it.
pub(crate) fn take(input: &[u8]) -> Result<(Value<'_>, &[u8]), DerError> {
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
pub(crate) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) fn new(contents: &'a [u8]) -> Self {
        Self(contents)
    }

    /// The next value if it has this tag; otherwise nothing is consumed.
    pub(crate) fn next(&mut self, tag: u8) -> Option<Value<'a>> {
        let (value, rest) = take(self.0).ok()?;
        (value.tag == tag).then(|| {
            self.0 = rest;
            value
        })
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// `contents` under `tag`, with the shortest length.
pub(crate) fn wrap(tag: u8, contents: &[u8]) -> Vec<u8> {
    let length = contents.len();
    // With room for everything from the start: growing would leave copies of a key behind.
    let mut out = Vec::with_capacity(length + MAX_HEADER);
    out.push(tag);
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

/// INTEGER of a number without its leading zeros.
pub(crate) fn integer(number: &[u8]) -> Zeroizing<Vec<u8>> {
    let zeros = number.iter().take_while(|&&octet| octet == 0).count();
    // One zero stays, or is put in front, where the first bit would make the number negative.
    let mut octets = Zeroizing::new(Vec::with_capacity(number.len() + 1));
    if number.get(zeros).is_none_or(|first| first & 0x80 != 0) {
        octets.push(0);
    }
    octets.extend_from_slice(&number[zeros..]);
    Zeroizing::new(wrap(INTEGER, &octets))
}

/// AlgorithmIdentifier with NULL for parameters (RFC 3279 §2.2.1, §2.3.1).
pub(crate) fn with_null(oid: &[u8]) -> Vec<u8> {
    wrap(SEQUENCE, &[&wrap(OID, oid)[..], &[0x05, 0x00]].concat())
}

/// rsaEncryption (RFC 3279 §2.3.1).
pub(crate) fn rsa_algorithm() -> Vec<u8> {
    with_null(RSA_ENCRYPTION)
}

/// SubjectPublicKeyInfo (RFC 5280 §4.1.2.7) of an AlgorithmIdentifier and the key's octets.
pub(crate) fn spki(algorithm: &[u8], key: &[u8]) -> Vec<u8> {
    // The leading zero says that no bit of the last octet is unused.
    let bits = wrap(BIT_STRING, &[&[0], key].concat());
    wrap(SEQUENCE, &[algorithm, &bits].concat())
}

/// 1.2.840.113549.1.1.1
pub(crate) const RSA_ENCRYPTION: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
/// A tag, and a length of as many octets as there can be.
const MAX_HEADER: usize = 2 + size_of::<usize>();

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_have_no_more_octets_than_they_need_and_are_never_negative() {
        for (number, der) in [
            (&[0][..], &[2, 1, 0][..]),
            (&[0, 0], &[2, 1, 0]),
            (&[0x7f], &[2, 1, 0x7f]),
            (&[0, 0x80], &[2, 2, 0, 0x80]),
            (&[0, 1, 0], &[2, 2, 1, 0]),
        ] {
            assert_eq!(&integer(number)[..], der);
        }
    }
}
