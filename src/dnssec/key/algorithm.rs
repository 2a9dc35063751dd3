//! Signing algorithms: what each is called, which octets it has, and verifying.

use super::KeyError;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519,
    RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY, RSA_PKCS1_1024_8192_SHA512_FOR_LEGACY_USE_ONLY,
    RsaPublicKeyComponents, UnparsedPublicKey, VerificationAlgorithm,
};

/// A signing algorithm (RFC 8624 §3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Algorithm {
    /// RSA with SHA-256, number 8 (RFC 5702): keys of other signers are taken over, none are made.
    RsaSha256,
    /// RSA with SHA-512, number 10 (RFC 5702): as with SHA-256.
    RsaSha512,
    /// ECDSA P-256 with SHA-256, number 13 (RFC 6605).
    EcdsaP256Sha256,
    /// ECDSA P-384 with SHA-384, number 14 (RFC 6605).
    EcdsaP384Sha384,
    /// Ed25519, number 15 (RFC 8080).
    Ed25519,
}

impl Algorithm {
    /// The algorithm with this number.
    pub fn from_number(number: u8) -> Result<Self, KeyError> {
        ALGORITHMS.into_iter().find(|known| known.number() == number).ok_or(KeyError::Algorithm(number))
    }

    /// Its number in the registry.
    pub const fn number(self) -> u8 {
        match self {
            Self::RsaSha256 => 8,
            Self::RsaSha512 => 10,
            Self::EcdsaP256Sha256 => 13,
            Self::EcdsaP384Sha384 => 14,
            Self::Ed25519 => 15,
        }
    }

    /// Its mnemonic as BIND's files have it.
    pub const fn mnemonic(self) -> &'static str {
        match self {
            Self::RsaSha256 => "RSASHA256",
            Self::RsaSha512 => "RSASHA512",
            Self::EcdsaP256Sha256 => "ECDSAP256SHA256",
            Self::EcdsaP384Sha384 => "ECDSAP384SHA384",
            Self::Ed25519 => "ED25519",
        }
    }

    /// Octets of a public key in DNSKEY rdata; [`None`] where each key has a length of its own.
    pub(super) const fn public_length(self) -> Option<usize> {
        match self {
            Self::RsaSha256 | Self::RsaSha512 => None,
            Self::EcdsaP256Sha256 => Some(64),
            Self::EcdsaP384Sha384 => Some(96),
            Self::Ed25519 => Some(32),
        }
    }

    /// Octets of the one number that a private key is; [`None`] where it is several.
    pub(super) const fn secret_length(self) -> Option<usize> {
        match self {
            Self::RsaSha256 | Self::RsaSha512 => None,
            Self::EcdsaP256Sha256 | Self::Ed25519 => Some(32),
            Self::EcdsaP384Sha384 => Some(48),
        }
    }

    /// Octets of a signature in RRSIG rdata, made with `key` as DNSKEY rdata has it.
    pub(super) fn signature_length(self, key: &[u8]) -> usize {
        match self {
            Self::RsaSha256 | Self::RsaSha512 => rsa_components(key).map_or(0, |key| key.n.len()),
            Self::EcdsaP256Sha256 | Self::Ed25519 => 64,
            Self::EcdsaP384Sha384 => 96,
        }
    }

    /// Whether `signature` over `message` was made with the private half of `key`, which is in the form that DNSKEY
    /// rdata has.
    pub fn verifies(self, key: &[u8], message: &[u8], signature: &[u8]) -> bool {
        let plain = |algorithm: &'static dyn VerificationAlgorithm, key: &[u8]| {
            UnparsedPublicKey::new(algorithm, key).verify(message, signature).is_ok()
        };
        let rsa = |algorithm| {
            rsa_components(key).is_some_and(|key| key.verify(algorithm, message, signature).is_ok())
        };
        match self {
            // Keys of 1024 bits still sign zones, and validators take them.
            Self::RsaSha256 => rsa(&RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY),
            Self::RsaSha512 => rsa(&RSA_PKCS1_1024_8192_SHA512_FOR_LEGACY_USE_ONLY),
            Self::EcdsaP256Sha256 => plain(&ECDSA_P256_SHA256_FIXED, &uncompressed(key)),
            Self::EcdsaP384Sha384 => plain(&ECDSA_P384_SHA384_FIXED, &uncompressed(key)),
            Self::Ed25519 => plain(&ED25519, key),
        }
    }
}

/// A point as everybody but DNSKEY rdata has it: with the octet in front that says that it is not compressed
/// (RFC 6605 §4).
pub(super) fn uncompressed(key: &[u8]) -> Vec<u8> {
    [&[4], key].concat()
}

/// Exponent and modulus of an RSA key (RFC 3110 §2).
pub(super) fn rsa_components(key: &[u8]) -> Option<RsaPublicKeyComponents<&[u8]>> {
    let (length, rest) = match key {
        [0, high, low, rest @ ..] => (usize::from(u16::from_be_bytes([*high, *low])), rest),
        [length, rest @ ..] => (usize::from(*length), rest),
        [] => return None,
    };
    let (e, n) = rest.split_at_checked(length)?;
    // Leading zeros are prohibited; without them the length of the modulus is that of signatures.
    let is_number = |octets: &[u8]| octets.first().is_some_and(|&first| first != 0);
    (is_number(e) && is_number(n)).then_some(RsaPublicKeyComponents { n, e })
}

/// An RSA key as DNSKEY rdata has it, of numbers without leading zeros (RFC 3110 §2).
pub(super) fn rsa_key(exponent: &[u8], modulus: &[u8]) -> Vec<u8> {
    match u8::try_from(exponent.len()) {
        Ok(length) => [&[length], exponent, modulus].concat(),
        Err(_) => [&[0], &(exponent.len() as u16).to_be_bytes()[..], exponent, modulus].concat(),
    }
}

const ALGORITHMS: [Algorithm; 5] = [
    Algorithm::RsaSha256,
    Algorithm::RsaSha512,
    Algorithm::EcdsaP256Sha256,
    Algorithm::EcdsaP384Sha384,
    Algorithm::Ed25519,
];
