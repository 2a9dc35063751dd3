//! The public half of private and public keys, as SubjectPublicKeyInfo DER.
//!
//! The octets equal those that the certificate for the key will hold, so that a record can vouch
//! for a key before it has a certificate. Private octets are read in place and never kept.

use ring::signature::{Ed25519KeyPair, KeyPair};

use crate::asn1::der::{self, Reader};

/// Why a key yields no public key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum KeyError {
    /// Not the structure that it should be.
    Malformed,
    /// An algorithm that no TLS certificate we know of has.
    Unsupported,
    /// An elliptic-curve key that leaves out its public point, which we do not compute.
    NoPublicKey,
}

/// Of a PKCS#8 PrivateKeyInfo or OneAsymmetricKey (RFC 5958 §2).
pub(super) fn from_pkcs8(der: &[u8]) -> Result<Vec<u8>, KeyError> {
    let mut fields = sequence(der)?;
    fields.next(der::INTEGER).ok_or(KeyError::Malformed)?;
    let algorithm = fields.next(der::SEQUENCE).ok_or(KeyError::Malformed)?;
    let key = fields.next(der::OCTET_STRING).ok_or(KeyError::Malformed)?.contents;
    fields.next(der::CONTEXT_0);
    let public = fields.next(der::CONTEXT_1_PRIMITIVE);

    let mut parts = Reader::new(algorithm.contents);
    let oid = parts.next(der::OID).ok_or(KeyError::Malformed)?;
    match oid.contents {
        der::RSA_ENCRYPTION => from_pkcs1(key),
        // Its parameters are part of what the certificate will say.
        RSASSA_PSS => Ok(der::spki(algorithm.whole, &pkcs1_public(key)?)),
        EC_PUBLIC_KEY => {
            let mut fields = sequence(key)?;
            let point = sec1_fields(&mut fields)?.1.ok_or(KeyError::NoPublicKey)?;
            Ok(der::spki(algorithm.whole, point))
        }
        ED25519 => {
            let seed = der::take(key).ok().filter(|(value, _)| value.tag == der::OCTET_STRING);
            let (seed, _) = seed.ok_or(KeyError::Malformed)?;
            let pair = Ed25519KeyPair::from_seed_unchecked(seed.contents).map_err(|_| KeyError::Malformed)?;
            let computed = pair.public_key().as_ref();
            if public.is_some_and(|given| given.contents.get(1..) != Some(computed)) {
                return Err(KeyError::Malformed);
            }
            Ok(der::spki(algorithm.whole, computed))
        }
        _ => Err(KeyError::Unsupported),
    }
}

/// Of an RSAPrivateKey (RFC 8017 A.1.2).
pub(super) fn from_pkcs1(der: &[u8]) -> Result<Vec<u8>, KeyError> {
    Ok(der::spki(&der::rsa_algorithm(), &pkcs1_public(der)?))
}

/// Of an ECPrivateKey (RFC 5915 §3).
pub(super) fn from_sec1(der: &[u8]) -> Result<Vec<u8>, KeyError> {
    let (curve, point) = sec1_fields(&mut sequence(der)?)?;
    // Without its curve the key is an integer only.
    let curve = curve.ok_or(KeyError::Unsupported)?;
    let oid = der::wrap(der::OID, EC_PUBLIC_KEY);
    let algorithm = der::wrap(der::SEQUENCE, &[&oid, curve].concat());
    Ok(der::spki(&algorithm, point.ok_or(KeyError::NoPublicKey)?))
}

/// Of an RSAPublicKey (RFC 8017 A.1.1).
pub(super) fn from_pkcs1_public(der: &[u8]) -> Result<Vec<u8>, KeyError> {
    let mut fields = sequence(der)?;
    let (modulus, exponent) = (positive(&mut fields)?, positive(&mut fields)?);
    let key = der::wrap(der::SEQUENCE, &[modulus, exponent].concat());
    Ok(der::spki(&der::rsa_algorithm(), &key))
}

/// A SubjectPublicKeyInfo, taken as it is when it has the right shape.
pub(super) fn from_spki(der: &[u8]) -> Result<Vec<u8>, KeyError> {
    bits(der).filter(|key| !key.is_empty()).map(|_| der.to_vec()).ok_or(KeyError::Malformed)
}

/// The key's own octets in a SubjectPublicKeyInfo: what two writings of one key have in common.
pub(super) fn bits(spki: &[u8]) -> Option<&[u8]> {
    let mut fields = sequence(spki).ok()?;
    let algorithm = fields.next(der::SEQUENCE)?;
    Reader::new(algorithm.contents).next(der::OID)?;
    let (_unused_bits, key) = fields.next(der::BIT_STRING)?.contents.split_first()?;
    fields.is_empty().then_some(key)
}

/// The contents of the algorithm's object identifier in a SubjectPublicKeyInfo.
pub(super) fn algorithm(spki: &[u8]) -> Option<&[u8]> {
    let algorithm = sequence(spki).ok()?.next(der::SEQUENCE)?;
    Reader::new(algorithm.contents).next(der::OID).map(|oid| oid.contents)
}

/// The curve and the public point of an ECPrivateKey, each if it is there.
type Sec1Fields<'a> = (Option<&'a [u8]>, Option<&'a [u8]>);

fn sec1_fields<'a>(fields: &mut Reader<'a>) -> Result<Sec1Fields<'a>, KeyError> {
    fields.next(der::INTEGER).ok_or(KeyError::Malformed)?;
    fields.next(der::OCTET_STRING).ok_or(KeyError::Malformed)?;
    let curve = fields.next(der::CONTEXT_0).map(|tagged| tagged.contents);
    let Some(tagged) = fields.next(der::CONTEXT_1) else { return Ok((curve, None)) };
    let bits = Reader::new(tagged.contents).next(der::BIT_STRING).ok_or(KeyError::Malformed)?;
    // SEC 1 §2.3.3: 02 or 03 and x, or 04 and x and y.
    match bits.contents {
        [0, point @ ..] if matches!(point, [2..=4, _, ..]) => Ok((curve, Some(point))),
        _ => Err(KeyError::Malformed),
    }
}

/// RSAPublicKey of an RSAPrivateKey.
fn pkcs1_public(der: &[u8]) -> Result<Vec<u8>, KeyError> {
    let mut fields = sequence(der)?;
    fields.next(der::INTEGER).ok_or(KeyError::Malformed)?;
    let (modulus, exponent) = (positive(&mut fields)?, positive(&mut fields)?);
    // The private exponent: without it this is no private key.
    positive(&mut fields)?;
    Ok(der::wrap(der::SEQUENCE, &[modulus, exponent].concat()))
}

/// The next value, which is an INTEGER above zero, whole.
fn positive<'a>(fields: &mut Reader<'a>) -> Result<&'a [u8], KeyError> {
    let value = fields.next(der::INTEGER).ok_or(KeyError::Malformed)?;
    match value.contents {
        [] | [0] | [0x80..=0xff, ..] => Err(KeyError::Malformed),
        _ => Ok(value.whole),
    }
}

/// The values of the one SEQUENCE that `der` is.
fn sequence(der: &[u8]) -> Result<Reader<'_>, KeyError> {
    match der::take(der) {
        Ok((value, [])) if value.tag == der::SEQUENCE => Ok(Reader::new(value.contents)),
        _ => Err(KeyError::Malformed),
    }
}

/// 1.2.840.113549.1.1.10
const RSASSA_PSS: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0a];
/// 1.2.840.10045.2.1
const EC_PUBLIC_KEY: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
/// 1.3.101.112
const ED25519: &[u8] = &[0x2b, 0x65, 0x70];
