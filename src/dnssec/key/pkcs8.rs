//! Private keys as everybody but DNSSEC writes them: PKCS#8 (RFC 5958), and what it wraps alone, PKCS#1 of RSA
//! (RFC 8017 A.1.2) and SEC 1 of ECDSA (RFC 5915).
//!
//! No such file says what an RSA key is used with: it is taken for algorithm 8 until a DNSKEY says otherwise.

use super::algorithm::uncompressed;
use super::{Algorithm, KeyError, PrivateKey, PublicKey, RsaNumbers, Secret};
use crate::asn1::der::{
    self, BIT_STRING, CONTEXT_0, CONTEXT_1, INTEGER, OCTET_STRING, OID, Reader, SEQUENCE, integer, wrap,
};
use zeroize::Zeroizing;

/// Reads one key of any of these forms, and all of `der`.
pub(super) fn read(der: &[u8]) -> Result<PrivateKey, KeyError> {
    let mut fields = sequence(der)?;
    fields.next(INTEGER).ok_or(KeyError::Der)?;
    let mut ahead = fields;
    if let Some(algorithm) = ahead.next(SEQUENCE) {
        let key = ahead.next(OCTET_STRING).ok_or(KeyError::Der)?.contents;
        let mut parts = Reader::new(algorithm.contents);
        match parts.next(OID).map(|oid| oid.contents) {
            Some(der::RSA_ENCRYPTION) => pkcs1(key),
            Some(EC_PUBLIC_KEY) => sec1(key, parts.next(OID).map(|curve| curve.contents)),
            Some(ED25519) => {
                let seed = Reader::new(key).next(OCTET_STRING).ok_or(KeyError::Der)?;
                PrivateKey::of_number(Algorithm::Ed25519, seed.contents)
            }
            _ => Err(KeyError::Kind),
        }
    } else if ahead.next(OCTET_STRING).is_some() {
        sec1(der, None)
    } else {
        pkcs1(der)
    }
}

fn pkcs1(der: &[u8]) -> Result<PrivateKey, KeyError> {
    let mut fields = sequence(der)?;
    fields.next(INTEGER).ok_or(KeyError::Der)?;
    let mut number = || {
        let octets = fields.next(INTEGER).ok_or(KeyError::Der)?.contents;
        let zeros = octets.iter().take_while(|&&octet| octet == 0).count();
        Ok(Zeroizing::new(octets[zeros..].to_vec()))
    };
    let numbers = RsaNumbers {
        modulus: number()?,
        public_exponent: number()?,
        private_exponent: number()?,
        prime_1: number()?,
        prime_2: number()?,
        exponent_1: number()?,
        exponent_2: number()?,
        coefficient: number()?,
    };
    PrivateKey::of_rsa(Algorithm::RsaSha256, numbers)
}

/// The curve is said inside the key, or by what wraps it.
fn sec1(der: &[u8], curve: Option<&[u8]>) -> Result<PrivateKey, KeyError> {
    let mut fields = sequence(der)?;
    fields.next(INTEGER).ok_or(KeyError::Der)?;
    let scalar = fields.next(OCTET_STRING).ok_or(KeyError::Der)?.contents;
    let inside = fields.next(CONTEXT_0).and_then(|tagged| Reader::new(tagged.contents).next(OID));
    let algorithm = match inside.map(|oid| oid.contents).or(curve) {
        Some(P256) => Algorithm::EcdsaP256Sha256,
        Some(P384) => Algorithm::EcdsaP384Sha384,
        _ => return Err(KeyError::Kind),
    };
    let key = PrivateKey::of_number(algorithm, scalar)?;
    let Some(tagged) = fields.next(CONTEXT_1) else { return Ok(key) };
    match Reader::new(tagged.contents).next(BIT_STRING).map(|bits| bits.contents) {
        // SEC 1 §2.3.3: no bit unused, not compressed.
        Some([0, 4, point @ ..]) => Ok(key.with_point(point)),
        _ => Err(KeyError::Der),
    }
}

/// A key with its public half, as PKCS#8.
pub(super) fn write(public: &PublicKey, private: &PrivateKey) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    let (algorithm, key) = match private.secret() {
        Secret::Rsa(numbers) => (der::rsa_algorithm(), write_pkcs1(numbers)),
        Secret::Number(number) => match public.algorithm() {
            Algorithm::EcdsaP256Sha256 => (ec_algorithm(P256), write_sec1(number, public.key())),
            Algorithm::EcdsaP384Sha384 => (ec_algorithm(P384), write_sec1(number, public.key())),
            _ => {
                let algorithm = wrap(SEQUENCE, &wrap(OID, ED25519));
                (algorithm, Zeroizing::new(wrap(OCTET_STRING, number)))
            }
        },
        Secret::InToken(_) => return Err(KeyError::InToken),
    };
    let key = Zeroizing::new(wrap(OCTET_STRING, &key));
    let all = Zeroizing::new([&integer(&[0])[..], &algorithm, &key].concat());
    Ok(Zeroizing::new(wrap(SEQUENCE, &all)))
}

fn ec_algorithm(curve: &[u8]) -> Vec<u8> {
    wrap(SEQUENCE, &[wrap(OID, EC_PUBLIC_KEY), wrap(OID, curve)].concat())
}

fn write_sec1(scalar: &[u8], point: &[u8]) -> Zeroizing<Vec<u8>> {
    let scalar = Zeroizing::new(wrap(OCTET_STRING, scalar));
    let point = wrap(BIT_STRING, &[&[0], &uncompressed(point)[..]].concat());
    let all = Zeroizing::new([&integer(&[1])[..], &scalar, &wrap(CONTEXT_1, &point)].concat());
    Zeroizing::new(wrap(SEQUENCE, &all))
}

fn write_pkcs1(numbers: &RsaNumbers) -> Zeroizing<Vec<u8>> {
    let fields = [
        integer(&[0]),
        integer(&numbers.modulus),
        integer(&numbers.public_exponent),
        integer(&numbers.private_exponent),
        integer(&numbers.prime_1),
        integer(&numbers.prime_2),
        integer(&numbers.exponent_1),
        integer(&numbers.exponent_2),
        integer(&numbers.coefficient),
    ];
    let fields: Vec<&[u8]> = fields.iter().map(|field| &field[..]).collect();
    Zeroizing::new(wrap(SEQUENCE, &Zeroizing::new(fields.concat())))
}

fn sequence(der: &[u8]) -> Result<Reader<'_>, KeyError> {
    match der::take(der) {
        Ok((value, [])) if value.tag == SEQUENCE => Ok(Reader::new(value.contents)),
        _ => Err(KeyError::Der),
    }
}

/// 1.2.840.10045.2.1
const EC_PUBLIC_KEY: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
/// 1.2.840.10045.3.1.7
const P256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
/// 1.3.132.0.34
const P384: &[u8] = &[0x2b, 0x81, 0x04, 0x00, 0x22];
/// 1.3.101.112
const ED25519: &[u8] = &[0x2b, 0x65, 0x70];
