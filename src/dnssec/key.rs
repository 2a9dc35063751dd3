//! DNSSEC keys: the public half as DNSKEY (RFC 4034 §2), the private half as something that signs.
//!
//! A [`SigningKey`] never shows its private half, not even in `Debug`. What we hold of it is wiped when it is
//! dropped; the copy inside `ring`'s key pair is `ring`'s.

mod algorithm;
mod pkcs8;
mod private;

pub use algorithm::Algorithm;
pub use private::{PrivateKey, RsaNumbers, Secret};

use super::batch::Ahead;
use super::rrsig::Validity;
use crate::dns::name::{Name, NameRef};
use crate::dns::time::Now;
use private::Pair;
use ring::digest;
use ring::rand::SecureRandom;
use std::fmt;
use std::sync::Arc;

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

/// A randomness source that threads may share.
pub type Random<'a> = &'a (dyn SecureRandom + Sync);

/// Why a key cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// An algorithm that nothing here signs with.
    #[error(
        "algorithm {0} is not supported, expected 13 (ECDSAP256SHA256), 14 (ECDSAP384SHA384) or 15 (ED25519), or of \
         an old zone 8 (RSASHA256) or 10 (RSASHA512)"
    )]
    Algorithm(u8),
    /// The public key does not have the octets its algorithm asks for.
    #[error("public key has {got} octets, expected {expected}")]
    Length {
        /// What the algorithm asks for.
        expected: usize,
        /// What was found.
        got: usize,
    },
    /// The public key is not exponent and modulus.
    #[error("public key is malformed, expected the length of the exponent, exponent and modulus (RFC 3110)")]
    Rsa,
    /// An RSA key that nothing here signs with.
    #[error(
        "RSA key has {0} bits, expected 2048 to 4096: keep the key with its signer, and let the zone move with new \
         keys"
    )]
    RsaBits(usize),
    /// An RSA key that nothing here signs with.
    #[error(
        "RSA key's public exponent is below 65537: keep the key with its signer, and let the zone move with new keys"
    )]
    RsaExponent,
    /// Nobody should make such keys any more.
    #[error("no {0} key is made, expected 13 (ECDSAP256SHA256), 14 (ECDSAP384SHA384) or 15 (ED25519)")]
    NotMade(&'static str),
    /// Octets that are no private key.
    #[error("not a private key, expected PKCS#8, PKCS#1 or SEC 1")]
    Der,
    /// A private key that DNSSEC has no algorithm for.
    #[error(
        "private key is of a kind that DNSSEC does not have, expected RSA, ECDSA P-256 or P-384, or Ed25519"
    )]
    Kind,
    /// DNSKEY rdata that ends before its fixed fields do.
    #[error("DNSKEY is cut off")]
    Truncated,
    /// A DNSKEY with a protocol other than 3.
    #[error("DNSKEY protocol is {0}, expected 3")]
    Protocol(u8),
    /// A DNSKEY without the zone flag.
    #[error("DNSKEY flags {0} lack the zone flag, expected 256 or 257")]
    NotAZoneKey(u16),
    /// The private half is where only its keeper can use it.
    #[error("private key is in a token, expected one that can be read")]
    InToken,
    /// The private key is not the one of the public key, or not a key at all.
    #[error("private key does not belong to the public key")]
    Mismatch,
    /// The randomness source failed, or gave only key tags that were taken.
    #[error("no new key could be generated")]
    NotGenerated,
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
    key: Box<[u8]>,
    tag: u16,
}

impl PublicKey {
    /// A key from its DNSKEY fields; `key` is in the form that DNSKEY rdata has.
    pub fn new(flags: u16, algorithm: Algorithm, key: &[u8]) -> Result<Self, KeyError> {
        if flags & FLAG_ZONE == 0 {
            return Err(KeyError::NotAZoneKey(flags));
        }
        match algorithm.public_length() {
            Some(expected) if key.len() != expected => {
                return Err(KeyError::Length { expected, got: key.len() });
            }
            None if algorithm::rsa_components(key).is_none() => return Err(KeyError::Rsa),
            _ => {}
        }
        let mut new = Self { flags, algorithm, key: key.into(), tag: 0 };
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
        &self.key
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
        let mut rdata = Vec::with_capacity(4 + self.key.len());
        rdata.extend(self.flags.to_be_bytes());
        rdata.extend([PROTOCOL, self.algorithm.number()]);
        rdata.extend_from_slice(self.key());
        rdata
    }

    /// DS rdata for this key at `owner`, which is CDS rdata as well (RFC 4034 §5.1, RFC 7344 §3.1).
    pub fn ds(&self, owner: NameRef<'_>, digest_type: DigestType) -> Vec<u8> {
        ds(owner, self.tag, self.algorithm.number(), &self.rdata(), digest_type)
    }

    /// Whether `signature` is this key's over `message`.
    pub fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        self.algorithm.verifies(&self.key, message, signature)
    }

    /// Octets of its signatures.
    pub fn signature_length(&self) -> usize {
        self.algorithm.signature_length(&self.key)
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DNSKEY {} {} tag {}", self.flags, self.algorithm.number(), self.tag)
    }
}

/// Who has a private key that is not here, and signs with it.
pub trait Keeper: Send + Sync {
    /// Appends the signature over `message`, as RRSIG rdata has it, to `out`.
    fn sign(&self, message: &[u8], out: &mut Vec<u8>) -> Result<(), Unavailable>;

    /// From when to when a signature that is wanted now has to be valid, where that is not for the signer to choose.
    fn validity(&self, _now: Now) -> Option<Validity> {
        None
    }

    /// What it has signed ahead, if it is that which it signs with.
    fn ahead(&self) -> Option<&Ahead> {
        None
    }
}

/// Why a [`Keeper`] gives no signature, in its words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unavailable(pub Box<str>);

/// Why a key gives no signature.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoSignature {
    /// The randomness source failed.
    #[error("the system gives no randomness, so nothing can be signed")]
    NoRandomness,
    /// The private half is elsewhere, and cannot be reached.
    #[error("the private key of tag {tag} cannot be reached, so nothing can be signed: {reason}")]
    Unavailable {
        /// The key's tag.
        tag: u16,
        /// What is said where it is.
        reason: Box<str>,
    },
}

/// A key that signs for one zone.
pub struct SigningKey {
    zone: Name,
    public: PublicKey,
    private: Half,
}

/// The private half.
enum Half {
    Here(Box<Pair>),
    Elsewhere(Arc<dyn Keeper>),
}

impl SigningKey {
    /// Joins the two halves of a key of `zone`.
    pub fn new(
        zone: Name,
        public: PublicKey,
        private: &PrivateKey,
        random: Random<'_>,
    ) -> Result<Self, KeyError> {
        let private = Half::Here(Box::new(Pair::new(&public, private, random)?));
        Ok(Self { zone, public, private })
    }

    /// A key of `zone` whose private half `keeper` has. That the two belong together, its signatures show.
    pub fn kept_elsewhere(zone: Name, public: PublicKey, keeper: Arc<dyn Keeper>) -> Self {
        Self { zone, public, private: Half::Elsewhere(keeper) }
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
            let (key, private) = private::generate(algorithm, random)?;
            let public = PublicKey::new(role.flags(), algorithm, &key)?;
            // A revoked key's tag differs from its own by 128 mod 2^16 - 1 or so (RFC 5011 §2.1); not our affair:
            // keys here are never revoked.
            if taken.contains(&public.tag) {
                continue;
            }
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

    /// Whether its private half is elsewhere.
    pub fn is_elsewhere(&self) -> bool {
        matches!(self.private, Half::Elsewhere(_))
    }

    /// See [`Keeper::validity`].
    pub fn validity(&self, now: Now) -> Option<Validity> {
        match &self.private {
            Half::Here(_) => None,
            Half::Elsewhere(keeper) => keeper.validity(now),
        }
    }

    /// See [`Keeper::ahead`].
    pub fn ahead(&self) -> Option<&Ahead> {
        match &self.private {
            Half::Here(_) => None,
            Half::Elsewhere(keeper) => keeper.ahead(),
        }
    }

    /// Appends the signature over `message` to `out`. A key that is here fails only when the randomness source does.
    pub fn sign(&self, message: &[u8], random: Random<'_>, out: &mut Vec<u8>) -> Result<(), NoSignature> {
        match &self.private {
            Half::Here(pair) => pair.sign(message, random, out).map_err(|_| NoSignature::NoRandomness),
            Half::Elsewhere(keeper) => keeper
                .sign(message, out)
                .map_err(|Unavailable(reason)| NoSignature::Unavailable { tag: self.public.tag, reason }),
        }
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?}", self.zone, self.public)
    }
}

/// DS rdata for a DNSKEY of any algorithm.
pub(super) fn ds(
    owner: NameRef<'_>,
    tag: u16,
    algorithm: u8,
    dnskey: &[u8],
    digest_type: DigestType,
) -> Vec<u8> {
    let mut hashed = Vec::with_capacity(owner.wire().len() + dnskey.len());
    owner.write_canonical(&mut hashed);
    hashed.extend_from_slice(dnskey);
    let mut rdata = Vec::from(tag.to_be_bytes());
    rdata.extend([algorithm, digest_type.number()]);
    rdata.extend_from_slice(digest::digest(digest_type.algorithm(), &hashed).as_ref());
    rdata
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
        wrong[3] = 5;
        assert_eq!(PublicKey::from_rdata(&wrong), Err(KeyError::Algorithm(5)));
        wrong[2] = 4;
        assert_eq!(PublicKey::from_rdata(&wrong), Err(KeyError::Protocol(4)));
        assert_eq!(PublicKey::new(1, Algorithm::EcdsaP256Sha256, key.key()), Err(KeyError::NotAZoneKey(1)));
        assert_eq!(
            PublicKey::new(256, Algorithm::EcdsaP256Sha256, &key.key()[1..]),
            Err(KeyError::Length { expected: 64, got: 63 })
        );
    }

    #[test]
    fn generated_keys_sign_and_show_nothing_secret() {
        let random = SystemRandom::new();
        let zone = Name::parse("example.test").unwrap();
        for algorithm in [Algorithm::EcdsaP256Sha256, Algorithm::EcdsaP384Sha384, Algorithm::Ed25519] {
            let (key, private) = SigningKey::generate(&zone, Role::Csk, algorithm, &[], &random).unwrap();
            let mut signature = Vec::new();
            key.sign(b"message", &random, &mut signature).unwrap();
            assert_eq!(signature.len(), key.public().signature_length());
            assert!(key.public().verifies(b"message", &signature));
            assert!(!key.public().verifies(b"massage", &signature));
            assert_eq!(
                format!("{key:?} {private:?}"),
                format!(
                    "example.test. DNSKEY 257 {} tag {} PrivateKey",
                    algorithm.number(),
                    key.public().tag()
                )
            );
            assert!(SigningKey::new(zone.clone(), rfc_6605_key(), &private, &random).is_err());
        }
        let rsa = SigningKey::generate(&zone, Role::Csk, Algorithm::RsaSha256, &[], &random);
        assert_eq!(rsa.err(), Some(KeyError::NotMade("RSASHA256")));
    }

    #[test]
    fn a_private_key_without_its_leading_zeros_or_with_one_more_is_the_same_key() {
        let number = |octets: &[u8]| match PrivateKey::of_number(Algorithm::EcdsaP256Sha256, octets) {
            Ok(key) => match key.secret() {
                Secret::Number(number) => Ok(number.to_vec()),
                Secret::Rsa(_) | Secret::InToken(_) => unreachable!("a number was given"),
            },
            Err(error) => Err(error),
        };
        let whole = [&[0; 2][..], &[7; 30]].concat();
        assert_eq!(number(&whole[2..]), Ok(whole.clone()));
        assert_eq!(number(&[&[0], &whole[..]].concat()), Ok(whole.clone()));
        let longer = [&[1], &whole[..]].concat();
        assert_eq!(number(&longer), Err(KeyError::Length { expected: 32, got: 33 }));
    }

    #[test]
    fn an_rsa_key_is_exponent_and_modulus() {
        let key = |octets: &[u8]| PublicKey::new(256, Algorithm::RsaSha256, octets);
        let modulus = [0xc5; 128];
        assert_eq!(key(&[&[3, 1, 0, 1], &modulus[..]].concat()).unwrap().signature_length(), 128);
        assert_eq!(key(&[&[0, 0, 3, 1, 0, 1], &modulus[..]].concat()).unwrap().signature_length(), 128);
        for malformed in [&[][..], &[3, 1, 0, 1], &[3, 1, 0], &[3, 0, 0, 1, 9], &[3, 1, 0, 1, 0, 9]] {
            assert_eq!(key(malformed).err(), Some(KeyError::Rsa), "{malformed:?}");
        }
    }
}
