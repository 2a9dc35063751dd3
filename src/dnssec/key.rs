//! DNSSEC keys: the public half as DNSKEY (RFC 4034 §2), the private half as something that signs.
//!
//! A [`SigningKey`] never shows its private half, not even in `Debug`. What we hold of it is wiped when it is
//! dropped; the copy inside `ring`'s key pair is `ring`'s.

use crate::dns::name::{Name, NameRef};
use ring::rand::SecureRandom;
use ring::signature::{self, EcdsaKeyPair, Signature, UnparsedPublicKey};
use ring::{digest, error};
use std::fmt;
use zeroize::Zeroizing;

/// DNSKEY flag: a key that signs zone data (RFC 4034 §2.1.1).
pub const FLAG_ZONE: u16 = 0x0100;
/// DNSKEY flag: the secure entry point that a DS at the parent names (RFC 4034 §2.1.1).
pub const FLAG_SEP: u16 = 0x0001;
/// DNSKEY flag: revoked (RFC 5011 §2.1).
pub const FLAG_REVOKE: u16 = 0x0080;

/// The DNSKEY protocol field, always 3 (RFC 4034 §2.1.2).
const PROTOCOL: u8 = 3;
/// How many keys are made before giving up on finding a free key tag.
const TAG_ATTEMPTS: usize = 100;
/// Octets of a P-256 private scalar.
const SCALAR: usize = 32;

/// A randomness source that threads may share.
pub type Random<'a> = &'a (dyn SecureRandom + Sync);

/// Why a key cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// An algorithm that nothing here signs with.
    #[error("algorithm {0} is not supported, expected 13 (ECDSAP256SHA256)")]
    Algorithm(u8),
    /// The public key does not have the octets its algorithm asks for.
    #[error("public key has {got} octets, expected {expected}")]
    Length {
        /// What the algorithm asks for.
        expected: usize,
        /// What was found.
        got: usize,
    },
    /// DNSKEY rdata that ends before its fixed fields do.
    #[error("DNSKEY is cut off")]
    Truncated,
    /// A DNSKEY with a protocol other than 3.
    #[error("DNSKEY protocol is {0}, expected 3")]
    Protocol(u8),
    /// A DNSKEY without the zone flag.
    #[error("DNSKEY flags {0} lack the zone flag, expected 256 or 257")]
    NotAZoneKey(u16),
    /// The private key is not the one of the public key, or not a key at all.
    #[error("private key does not belong to the public key")]
    Mismatch,
    /// The randomness source failed, or gave only key tags that were taken.
    #[error("no new key could be generated")]
    NotGenerated,
}

/// A signing algorithm (RFC 8624 §3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Algorithm {
    /// ECDSA P-256 with SHA-256, number 13 (RFC 6605).
    EcdsaP256Sha256,
}

impl Algorithm {
    /// The algorithm with this number.
    pub fn from_number(number: u8) -> Result<Self, KeyError> {
        match number {
            13 => Ok(Self::EcdsaP256Sha256),
            other => Err(KeyError::Algorithm(other)),
        }
    }

    /// Its number in the registry.
    pub const fn number(self) -> u8 {
        match self {
            Self::EcdsaP256Sha256 => 13,
        }
    }

    /// Its mnemonic as BIND's files have it.
    pub const fn mnemonic(self) -> &'static str {
        match self {
            Self::EcdsaP256Sha256 => "ECDSAP256SHA256",
        }
    }

    /// Octets of a public key in DNSKEY rdata.
    pub const fn public_length(self) -> usize {
        match self {
            Self::EcdsaP256Sha256 => 64,
        }
    }

    /// Octets of a signature in RRSIG rdata.
    pub const fn signature_length(self) -> usize {
        match self {
            Self::EcdsaP256Sha256 => 64,
        }
    }
}

/// What a key is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Signs everything; the parent's DS names it (flags 257).
    Csk,
    /// Signs the DNSKEY, CDS and CDNSKEY RRsets; the parent's DS names it (flags 257).
    Ksk,
    /// Signs all the rest (flags 256).
    Zsk,
}

impl Role {
    /// The DNSKEY flags of a key in this role.
    pub const fn flags(self) -> u16 {
        match self {
            Self::Csk | Self::Ksk => FLAG_ZONE | FLAG_SEP,
            Self::Zsk => FLAG_ZONE,
        }
    }
}

/// A digest of a public key, for DS and CDS (RFC 4034 §5.1.4, RFC 6605 §2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DigestType {
    /// SHA-256, number 2.
    Sha256,
    /// SHA-384, number 4.
    Sha384,
}

impl DigestType {
    /// Its number in the registry.
    pub const fn number(self) -> u8 {
        match self {
            Self::Sha256 => 2,
            Self::Sha384 => 4,
        }
    }

    fn algorithm(self) -> &'static digest::Algorithm {
        match self {
            Self::Sha256 => &digest::SHA256,
            Self::Sha384 => &digest::SHA384,
        }
    }
}

/// A DNSKEY.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct PublicKey {
    flags: u16,
    algorithm: Algorithm,
    /// The uncompressed point with its leading 4; in DNSKEY rdata that octet is left out.
    point: Box<[u8]>,
    tag: u16,
}

impl PublicKey {
    /// A key from its DNSKEY fields; `key` is in the form that DNSKEY rdata has.
    pub fn new(flags: u16, algorithm: Algorithm, key: &[u8]) -> Result<Self, KeyError> {
        if flags & FLAG_ZONE == 0 {
            return Err(KeyError::NotAZoneKey(flags));
        }
        if key.len() != algorithm.public_length() {
            return Err(KeyError::Length { expected: algorithm.public_length(), got: key.len() });
        }
        let point = [&[4], key].concat().into();
        let mut new = Self { flags, algorithm, point, tag: 0 };
        new.tag = key_tag(&new.rdata());
        Ok(new)
    }

    /// Reads DNSKEY rdata.
    pub fn from_rdata(rdata: &[u8]) -> Result<Self, KeyError> {
        let [flags_high, flags_low, protocol, algorithm, key @ ..] = rdata else {
            return Err(KeyError::Truncated);
        };
        if *protocol != PROTOCOL {
            return Err(KeyError::Protocol(*protocol));
        }
        Self::new(u16::from_be_bytes([*flags_high, *flags_low]), Algorithm::from_number(*algorithm)?, key)
    }

    /// The DNSKEY flags.
    pub fn flags(&self) -> u16 {
        self.flags
    }

    /// The algorithm.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The key as DNSKEY rdata has it.
    pub fn key(&self) -> &[u8] {
        &self.point[1..]
    }

    /// Whether the parent's DS may name it.
    pub fn is_secure_entry_point(&self) -> bool {
        self.flags & FLAG_SEP != 0
    }

    /// The key tag (RFC 4034 appendix B).
    pub fn tag(&self) -> u16 {
        self.tag
    }

    /// DNSKEY rdata, which is CDNSKEY rdata as well (RFC 7344 §3.2).
    pub fn rdata(&self) -> Vec<u8> {
        let mut rdata = Vec::with_capacity(3 + self.point.len());
        rdata.extend(self.flags.to_be_bytes());
        rdata.extend([PROTOCOL, self.algorithm.number()]);
        rdata.extend_from_slice(self.key());
        rdata
    }

    /// DS rdata for this key at `owner`, which is CDS rdata as well (RFC 4034 §5.1, RFC 7344 §3.1).
    pub fn ds(&self, owner: NameRef<'_>, digest_type: DigestType) -> Vec<u8> {
        let mut hashed = Vec::with_capacity(owner.wire().len() + 3 + self.point.len());
        owner.write_canonical(&mut hashed);
        hashed.extend(self.rdata());
        let mut rdata = Vec::from(self.tag.to_be_bytes());
        rdata.extend([self.algorithm.number(), digest_type.number()]);
        rdata.extend_from_slice(digest::digest(digest_type.algorithm(), &hashed).as_ref());
        rdata
    }

    /// Whether `signature` is this key's over `message`.
    pub fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        let algorithm = match self.algorithm {
            Algorithm::EcdsaP256Sha256 => &signature::ECDSA_P256_SHA256_FIXED,
        };
        UnparsedPublicKey::new(algorithm, &self.point).verify(message, signature).is_ok()
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DNSKEY {} {} tag {}", self.flags, self.algorithm.number(), self.tag)
    }
}

/// The private half in the form that key files have, wiped when dropped.
pub struct PrivateKey {
    algorithm: Algorithm,
    scalar: Zeroizing<Vec<u8>>,
}

impl PrivateKey {
    /// A private key from its octets: for ECDSA the scalar, big-endian.
    pub fn new(algorithm: Algorithm, octets: Zeroizing<Vec<u8>>) -> Self {
        Self { algorithm, scalar: octets }
    }

    /// The algorithm.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The secret octets, for writing the key file.
    pub fn octets(&self) -> &[u8] {
        &self.scalar
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PrivateKey")
    }
}

/// A key that signs for one zone.
pub struct SigningKey {
    zone: Name,
    public: PublicKey,
    pair: EcdsaKeyPair,
}

impl SigningKey {
    /// Joins the two halves of a key of `zone`.
    pub fn new(
        zone: Name,
        public: PublicKey,
        private: &PrivateKey,
        random: Random<'_>,
    ) -> Result<Self, KeyError> {
        if private.algorithm != public.algorithm {
            return Err(KeyError::Mismatch);
        }
        let pair = match public.algorithm {
            Algorithm::EcdsaP256Sha256 => EcdsaKeyPair::from_private_key_and_public_key(
                &signature::ECDSA_P256_SHA256_FIXED_SIGNING,
                &private.scalar,
                &public.point,
                random,
            ),
        }
        .map_err(|_| KeyError::Mismatch)?;
        Ok(Self { zone, public, pair })
    }

    /// A new key for `zone` whose tag is none of `taken`, with its private half for the key file.
    pub fn generate(
        zone: &Name,
        role: Role,
        algorithm: Algorithm,
        taken: &[u16],
        random: Random<'_>,
    ) -> Result<(Self, PrivateKey), KeyError> {
        for _ in 0..TAG_ATTEMPTS {
            let (key, scalar) = generate_pair(algorithm, random)?;
            let public = PublicKey::new(role.flags(), algorithm, &key)?;
            // A revoked key's tag differs from its own by 128 mod 2^16 - 1 or so (RFC 5011 §2.1); not our affair:
            // keys here are never revoked.
            if taken.contains(&public.tag) {
                continue;
            }
            let private = PrivateKey { algorithm, scalar };
            return Ok((Self::new(zone.clone(), public, &private, random)?, private));
        }
        Err(KeyError::NotGenerated)
    }

    /// The zone it signs.
    pub fn zone(&self) -> NameRef<'_> {
        self.zone.as_ref()
    }

    /// The public half.
    pub fn public(&self) -> &PublicKey {
        &self.public
    }

    /// Signs `message`; fails only when the randomness source does.
    pub fn sign(&self, message: &[u8], random: Random<'_>) -> Result<Signature, error::Unspecified> {
        self.pair.sign(random, message)
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?}", self.zone, self.public)
    }
}

/// The key tag of DNSKEY rdata (RFC 4034 appendix B).
pub fn key_tag(rdata: &[u8]) -> u16 {
    let sum: u32 = rdata
        .iter()
        .enumerate()
        .map(|(at, &octet)| if at % 2 == 0 { u32::from(octet) << 8 } else { u32::from(octet) })
        .sum();
    (sum + (sum >> 16)) as u16
}

/// A new public key in DNSKEY form and its private octets.
fn generate_pair(
    algorithm: Algorithm,
    random: Random<'_>,
) -> Result<(Vec<u8>, Zeroizing<Vec<u8>>), KeyError> {
    match algorithm {
        Algorithm::EcdsaP256Sha256 => {
            let signing = &signature::ECDSA_P256_SHA256_FIXED_SIGNING;
            let document =
                EcdsaKeyPair::generate_pkcs8(signing, random).map_err(|_| KeyError::NotGenerated)?;
            // PKCS#8 v1 of a P-256 key without parameters: the scalar is the OCTET STRING after 36 octets of
            // header, the point ends the document. `SigningKey::new` proves that the two belong together.
            let document = document.as_ref();
            let scalar = document.get(36..36 + SCALAR).ok_or(KeyError::NotGenerated)?;
            let key = document.len().checked_sub(algorithm.public_length()).and_then(|at| document.get(at..));
            Ok((key.ok_or(KeyError::NotGenerated)?.to_vec(), Zeroizing::new(scalar.to_vec())))
        }
    }
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "tests may use the system's randomness")]
mod tests {
    use super::*;
    use data_encoding::{BASE64, HEXLOWER};
    use ring::rand::SystemRandom;

    /// The key of RFC 6605 §6.1.
    fn rfc_6605_key() -> PublicKey {
        let key = BASE64
            .decode(
                b"GojIhhXUN/u4v54ZQqGSnyhWJwaubCvTmeexv7bR6edbkrSqQpF64cYbcB7wNcP+e+MAnLr+Wi9xMWyQLc8NAA==",
            )
            .unwrap();
        PublicKey::new(257, Algorithm::EcdsaP256Sha256, &key).unwrap()
    }

    #[test]
    fn tag_and_ds_are_those_of_rfc_6605() {
        let key = rfc_6605_key();
        assert_eq!(key.tag(), 55_648);
        let ds = key.ds(Name::parse("EXAMPLE.net").unwrap().as_ref(), DigestType::Sha256);
        assert_eq!(&ds[..4], [0xd9, 0x60, 13, 2]);
        assert_eq!(
            HEXLOWER.encode(&ds[4..]),
            "b4c8c1fe2e7477127b27115656ad6256f424625bf5c1e2770ce6d6e37df61d17"
        );
        assert_eq!(key.ds(Name::root().as_ref(), DigestType::Sha384).len(), 4 + 48);
    }

    #[test]
    fn rdata_round_trips_and_what_is_no_zone_key_is_refused() {
        let key = rfc_6605_key();
        assert_eq!(PublicKey::from_rdata(&key.rdata()), Ok(key.clone()));
        assert_eq!(PublicKey::from_rdata(&key.rdata()[..3]), Err(KeyError::Truncated));
        let mut wrong = key.rdata();
        wrong[3] = 8;
        assert_eq!(PublicKey::from_rdata(&wrong), Err(KeyError::Algorithm(8)));
        wrong[2] = 4;
        assert_eq!(PublicKey::from_rdata(&wrong), Err(KeyError::Protocol(4)));
        assert_eq!(PublicKey::new(1, Algorithm::EcdsaP256Sha256, key.key()), Err(KeyError::NotAZoneKey(1)));
        assert_eq!(
            PublicKey::new(256, Algorithm::EcdsaP256Sha256, &key.key()[1..]),
            Err(KeyError::Length { expected: 64, got: 63 })
        );
    }

    #[test]
    fn a_generated_key_signs_and_shows_nothing_secret() {
        let random = SystemRandom::new();
        let zone = Name::parse("example.test").unwrap();
        let (key, private) =
            SigningKey::generate(&zone, Role::Csk, Algorithm::EcdsaP256Sha256, &[], &random).unwrap();
        let signature = key.sign(b"message", &random).unwrap();
        assert!(key.public().verifies(b"message", signature.as_ref()));
        assert!(!key.public().verifies(b"massage", signature.as_ref()));
        assert_eq!(
            format!("{key:?} {private:?}"),
            format!("example.test. DNSKEY 257 13 tag {} PrivateKey", key.public().tag())
        );
        assert!(SigningKey::new(zone, rfc_6605_key(), &private, &random).is_err());
    }
}
