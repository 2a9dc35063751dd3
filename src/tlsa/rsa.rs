//! RSA keys of 2048 bits, which `ring` uses and does not make.
//!
//! Two primes are drawn and tested, the rest is arithmetic (RFC 8017 §3). The `rsa` crate does the same with the same
//! crates below it, and brings decryption along, whose timing is advisory RUSTSEC-2023-0071; nothing here decrypts.

use crypto_bigint::{NonZero, U1024, U2048};
use crypto_primes::{Flavor, is_prime};
use ring::rand::SecureRandom;
use zeroize::Zeroizing;

use super::new_key::NewKeyError;
use crate::asn1::der::{self, OCTET_STRING, SEQUENCE, integer};

/// A new private key as PKCS#8.
pub(super) fn generate(random: &dyn SecureRandom) -> Result<Zeroizing<Vec<u8>>, NewKeyError> {
    let (one, other) = (prime(random)?, prime(random)?);
    // `ring` wants the larger one first. That both agree in their first hundred bits, which would let the modulus be
    // factored (FIPS 186-5 A.1.1), is as likely as guessing an AES key.
    let (p, q) = if *one > *other { (one, other) } else { (other, one) };
    key_of(&p, &q).ok_or(NewKeyError::Unusable)
}

/// RSAPrivateKey (RFC 8017 A.1.2) inside PKCS#8.
fn key_of(p: &U1024, q: &U1024) -> Option<Zeroizing<Vec<u8>>> {
    let p_less = Zeroizing::new(p.wrapping_sub(&U1024::ONE));
    let q_less = Zeroizing::new(q.wrapping_sub(&U1024::ONE));
    let order: Zeroizing<U2048> = Zeroizing::new(p_less.lcm(&q_less));
    let modulus: U2048 = p.concatenating_mul(q);
    let inverse = U2048::from_u32(PUBLIC_EXPONENT).invert_mod(&NonZero::new(*order).into_option()?);
    let exponent = Zeroizing::new(inverse.into_option()?);
    let of_p = Zeroizing::new(exponent.rem(&NonZero::new(*p_less).into_option()?));
    let of_q = Zeroizing::new(exponent.rem(&NonZero::new(*q_less).into_option()?));
    let coefficient = Zeroizing::new(q.invert_mod(&NonZero::new(*p).into_option()?).into_option()?);
    let fields = [
        integer(&[0]),
        integer(modulus.to_be_bytes().as_ref()),
        integer(&PUBLIC_EXPONENT.to_be_bytes()),
        integer(Zeroizing::new(exponent.to_be_bytes()).as_ref()),
        integer(Zeroizing::new(p.to_be_bytes()).as_ref()),
        integer(Zeroizing::new(q.to_be_bytes()).as_ref()),
        integer(Zeroizing::new(of_p.to_be_bytes()).as_ref()),
        integer(Zeroizing::new(of_q.to_be_bytes()).as_ref()),
        integer(Zeroizing::new(coefficient.to_be_bytes()).as_ref()),
    ];
    let fields: Vec<&[u8]> = fields.iter().map(|field| &field[..]).collect();
    let key = Zeroizing::new(der::wrap(SEQUENCE, &Zeroizing::new(fields.concat())));
    let key = Zeroizing::new(der::wrap(OCTET_STRING, &key));
    let version = integer(&[0]);
    let all = Zeroizing::new([&version[..], &der::rsa_algorithm(), &key].concat());
    Some(Zeroizing::new(der::wrap(SEQUENCE, &all)))
}

/// A prime of 1024 bits, of which two make a modulus of 2048 bits and the public exponent has an inverse.
fn prime(random: &dyn SecureRandom) -> Result<Zeroizing<U1024>, NewKeyError> {
    let mut octets = Zeroizing::new([0; U1024::BYTES]);
    loop {
        random.fill(&mut octets[..]).map_err(|_| NewKeyError::NoRandomness)?;
        octets[0] |= 0b1100_0000;
        octets[U1024::BYTES - 1] |= 1;
        if has_small_factor(&octets[..]) {
            continue;
        }
        let candidate = Zeroizing::new(U1024::from_be_slice(&octets[..]));
        // A prime exponent has an inverse unless it divides one less than the candidate.
        let has_inverse = candidate.rem(&EXPONENT) != U1024::ONE;
        if has_inverse && is_prime(Flavor::Any, &*candidate) {
            return Ok(candidate);
        }
    }
}

/// Whether one of the smallest odd primes divides a large number: true of three in four odd ones, and found out a
/// thousand times quicker than by a test of primality.
fn has_small_factor(number: &[u8]) -> bool {
    let divides = |prime: &u32| {
        number.iter().fold(0, |remainder, &octet| (remainder << 8 | u32::from(octet)) % prime) == 0
    };
    SMALL_PRIMES.iter().any(divides)
}

/// The fifth Fermat number, as everybody's.
const PUBLIC_EXPONENT: u32 = 65_537;
const EXPONENT: NonZero<U1024> = U1024::from_u32(PUBLIC_EXPONENT).to_nz().expect_copied("not zero");

const SMALL_PRIMES: [u32; 29] = [
    3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97, 101, 103,
    107, 109, 113,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_factors_are_found_in_numbers_of_any_length() {
        // 2^64 + 1 = 274177 × 67280421310721; one more is 2 × 3 × …, and 113 × 2^56 is 113 × …
        assert!(!has_small_factor(&[1, 0, 0, 0, 0, 0, 0, 0, 1]));
        assert!(has_small_factor(&[1, 0, 0, 0, 0, 0, 0, 0, 2]));
        assert!(has_small_factor(&[113, 0, 0, 0, 0, 0, 0, 0]));
    }
}
