//! The private half of a key: its octets as key files have them, and what signs with them.

use super::algorithm::{rsa_components, rsa_key, uncompressed};
use super::{Algorithm, KeyError, PublicKey, Random, pkcs8};
use crate::dnssec::token::TokenUri;
use crypto_bigint::{NonZero, U1024, U1536, U2048, Uint};
use ring::error::Unspecified;
use ring::rsa::{KeyPairComponents, PublicKeyComponents};
use ring::signature::{
    self, ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair,
    EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair, RsaKeyPair,
};
use std::fmt;
use zeroize::Zeroizing;

/// The private half in the form that key files have, wiped when dropped.
pub struct PrivateKey {
    algorithm: Algorithm,
    secret: Secret,
    /// Of ECDSA the public half, where whoever wrote the key has told: it is not computed here.
    point: Option<Vec<u8>>,
}

/// What is secret of a key.
pub enum Secret {
    /// Of ECDSA the scalar, of Ed25519 the seed, as long as the algorithm says.
    Number(Zeroizing<Vec<u8>>),
    /// Of RSA.
    Rsa(Box<RsaNumbers>),
    /// Nothing: the key is in a token, and this is its name.
    InToken(Box<TokenUri>),
}

/// The numbers of an RSA private key, big-endian (RFC 8017 §3.2).
#[derive(Default)]
pub struct RsaNumbers {
    /// The modulus *n*.
    pub modulus: Zeroizing<Vec<u8>>,
    /// The public exponent *e*.
    pub public_exponent: Zeroizing<Vec<u8>>,
    /// The private exponent *d*.
    pub private_exponent: Zeroizing<Vec<u8>>,
    /// The first prime *p*.
    pub prime_1: Zeroizing<Vec<u8>>,
    /// The second prime *q*.
    pub prime_2: Zeroizing<Vec<u8>>,
    /// *d* mod (*p* − 1).
    pub exponent_1: Zeroizing<Vec<u8>>,
    /// *d* mod (*q* − 1).
    pub exponent_2: Zeroizing<Vec<u8>>,
    /// *q*⁻¹ mod *p*.
    pub coefficient: Zeroizing<Vec<u8>>,
}

impl PrivateKey {
    /// The private key that is this number: of ECDSA the scalar, of Ed25519 the seed. Some writers leave out leading
    /// zeros, others add one.
    pub fn of_number(algorithm: Algorithm, octets: &[u8]) -> Result<Self, KeyError> {
        let length = algorithm.secret_length().ok_or(KeyError::Mismatch)?;
        let zeros = octets.len().saturating_sub(length);
        let (front, octets) = octets.split_at(zeros);
        if front.iter().any(|&octet| octet != 0) {
            return Err(KeyError::Length { expected: length, got: zeros + length });
        }
        let mut number = Zeroizing::new(vec![0; length]);
        number[length - octets.len()..].copy_from_slice(octets);
        Ok(Self { algorithm, secret: Secret::Number(number), point: None })
    }

    /// The RSA private key of these numbers. `ring` wants the larger prime first, which not all signers write so.
    pub fn of_rsa(algorithm: Algorithm, mut numbers: RsaNumbers) -> Result<Self, KeyError> {
        if numbers.prime_1.len() == numbers.prime_2.len() && *numbers.prime_1 < *numbers.prime_2 {
            numbers.coefficient = inverse(&numbers.prime_1, &numbers.prime_2).ok_or(KeyError::Mismatch)?;
            std::mem::swap(&mut numbers.prime_1, &mut numbers.prime_2);
            std::mem::swap(&mut numbers.exponent_1, &mut numbers.exponent_2);
        }
        Ok(Self { algorithm, secret: Secret::Rsa(Box::new(numbers)), point: None })
    }

    /// A private key as PKCS#8, PKCS#1 or SEC 1 has it. An RSA key is of algorithm 8 until
    /// [`use_with`](Self::use_with) says otherwise.
    pub fn from_pkcs8(der: &[u8]) -> Result<Self, KeyError> {
        pkcs8::read(der)
    }

    /// The key with its public half, as PKCS#8.
    pub fn to_pkcs8(&self, public: &PublicKey) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        pkcs8::write(public, self)
    }

    pub(super) fn with_point(self, point: &[u8]) -> Self {
        Self { point: Some(point.to_vec()), ..self }
    }

    /// Says which algorithm of RSA the key is used with; one key can serve both.
    pub fn use_with(&mut self, algorithm: Algorithm) {
        if self.algorithm.secret_length().is_none() && algorithm.secret_length().is_none() {
            self.algorithm = algorithm;
        }
    }

    /// The public half in the form that DNSKEY rdata has, if the private half tells.
    pub fn public_half(&self) -> Option<Vec<u8>> {
        match &self.secret {
            Secret::Number(seed) if self.algorithm == Algorithm::Ed25519 => {
                let pair = Ed25519KeyPair::from_seed_unchecked(seed).ok()?;
                Some(pair.public_key().as_ref().to_vec())
            }
            Secret::Number(_) => self.point.clone(),
            Secret::Rsa(numbers) => Some(rsa_key(&numbers.public_exponent, &numbers.modulus)),
            Secret::InToken(_) => None,
        }
    }

    /// A private key that is in a token.
    pub fn in_token(algorithm: Algorithm, uri: TokenUri) -> Self {
        Self { algorithm, secret: Secret::InToken(Box::new(uri)), point: None }
    }

    /// The algorithm.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The secret itself, for writing the key file.
    pub fn secret(&self) -> &Secret {
        &self.secret
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PrivateKey")
    }
}

/// Both halves of a key, ready to sign.
pub(super) enum Pair {
    Ecdsa(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
    Rsa(Box<RsaKeyPair>, &'static dyn signature::RsaEncoding),
}

impl Pair {
    /// Joins the halves, which must belong together.
    pub(super) fn new(
        public: &PublicKey,
        private: &PrivateKey,
        random: Random<'_>,
    ) -> Result<Self, KeyError> {
        if private.algorithm != public.algorithm() {
            return Err(KeyError::Mismatch);
        }
        match &private.secret {
            Secret::Number(number) => Self::of_number(public, number, random),
            Secret::Rsa(numbers) => Self::of_rsa(public, numbers),
            Secret::InToken(_) => Err(KeyError::InToken),
        }
    }

    fn of_number(public: &PublicKey, number: &[u8], random: Random<'_>) -> Result<Self, KeyError> {
        let ecdsa = |signing| {
            let point = uncompressed(public.key());
            EcdsaKeyPair::from_private_key_and_public_key(signing, number, &point, random).map(Self::Ecdsa)
        };
        match public.algorithm() {
            Algorithm::EcdsaP256Sha256 => ecdsa(&ECDSA_P256_SHA256_FIXED_SIGNING),
            Algorithm::EcdsaP384Sha384 => ecdsa(&ECDSA_P384_SHA384_FIXED_SIGNING),
            Algorithm::Ed25519 => {
                Ed25519KeyPair::from_seed_and_public_key(number, public.key()).map(Self::Ed25519)
            }
            Algorithm::RsaSha256 | Algorithm::RsaSha512 => return Err(KeyError::Mismatch),
        }
        .map_err(|_| KeyError::Mismatch)
    }

    fn of_rsa(public: &PublicKey, numbers: &RsaNumbers) -> Result<Self, KeyError> {
        let encoding: &dyn signature::RsaEncoding = match public.algorithm() {
            Algorithm::RsaSha256 => &signature::RSA_PKCS1_SHA256,
            Algorithm::RsaSha512 => &signature::RSA_PKCS1_SHA512,
            _ => return Err(KeyError::Mismatch),
        };
        let key = rsa_components(public.key()).ok_or(KeyError::Mismatch)?;
        let bits = key.n.len() * 8;
        if !RSA_BITS.contains(&bits) {
            return Err(KeyError::RsaBits(bits));
        }
        if key.e.len() < 3 {
            return Err(KeyError::RsaExponent);
        }
        let pair = RsaKeyPair::from_components(&KeyPairComponents {
            public_key: PublicKeyComponents { n: key.n, e: key.e },
            d: &numbers.private_exponent[..],
            p: &numbers.prime_1,
            q: &numbers.prime_2,
            dP: &numbers.exponent_1,
            dQ: &numbers.exponent_2,
            qInv: &numbers.coefficient,
        });
        Ok(Self::Rsa(Box::new(pair.map_err(|_| KeyError::Mismatch)?), encoding))
    }

    /// Appends the signature over `message` to `out`.
    pub(super) fn sign(
        &self,
        message: &[u8],
        random: Random<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(), Unspecified> {
        match self {
            Self::Ecdsa(pair) => out.extend_from_slice(pair.sign(random, message)?.as_ref()),
            Self::Ed25519(pair) => out.extend_from_slice(pair.sign(message).as_ref()),
            Self::Rsa(pair, encoding) => {
                let at = out.len();
                out.resize(at + pair.public().modulus_len(), 0);
                pair.sign(*encoding, random, message, &mut out[at..])?;
            }
        }
        Ok(())
    }
}

/// A new public key in the form that DNSKEY rdata has, and its private half. RSA keys are not made.
pub(super) fn generate(algorithm: Algorithm, random: Random<'_>) -> Result<(Vec<u8>, PrivateKey), KeyError> {
    match algorithm {
        Algorithm::EcdsaP256Sha256 => ecdsa(&ECDSA_P256_SHA256_FIXED_SIGNING, random),
        Algorithm::EcdsaP384Sha384 => ecdsa(&ECDSA_P384_SHA384_FIXED_SIGNING, random),
        Algorithm::Ed25519 => {
            let mut seed = Zeroizing::new([0; 32]);
            random.fill(&mut seed[..]).map_err(|_| KeyError::NotGenerated)?;
            let pair = Ed25519KeyPair::from_seed_unchecked(&seed[..]).map_err(|_| KeyError::NotGenerated)?;
            Ok((pair.public_key().as_ref().to_vec(), PrivateKey::of_number(algorithm, &seed[..])?))
        }
        Algorithm::RsaSha256 | Algorithm::RsaSha512 => Err(KeyError::NotMade(algorithm.mnemonic())),
    }
}

/// What `ring` has made. That the halves belong together is proven when they are joined.
fn ecdsa(
    signing: &'static EcdsaSigningAlgorithm,
    random: Random<'_>,
) -> Result<(Vec<u8>, PrivateKey), KeyError> {
    let document = EcdsaKeyPair::generate_pkcs8(signing, random).map_err(|_| KeyError::NotGenerated)?;
    let private = pkcs8::read(document.as_ref())?;
    Ok((private.public_half().ok_or(KeyError::NotGenerated)?, private))
}

/// The inverse of `number` modulo `prime`, which has as many octets.
fn inverse(number: &[u8], prime: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    fn of<const LIMBS: usize>(number: &[u8], prime: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let number = Zeroizing::new(Uint::<LIMBS>::from_be_slice(number));
        let prime = NonZero::new(Uint::<LIMBS>::from_be_slice(prime)).into_option()?;
        let inverse = Zeroizing::new(number.invert_mod(&prime).into_option()?);
        let words = inverse.as_words().iter().rev();
        Some(Zeroizing::new(words.flat_map(|word| word.to_be_bytes()).collect()))
    }
    match prime.len() {
        128 => of::<{ U1024::LIMBS }>(number, prime),
        192 => of::<{ U1536::LIMBS }>(number, prime),
        256 => of::<{ U2048::LIMBS }>(number, prime),
        _ => None,
    }
}

/// What `ring` signs with.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2_048..=4_096;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_inverse_is_one() {
        let prime = [&[0; 127][..], &[101]].concat();
        let number = [&[0; 127][..], &[7]].concat();
        // 7 × 29 = 203 = 2 × 101 + 1
        assert_eq!(inverse(&number, &prime).unwrap().last(), Some(&29));
        assert_eq!(inverse(&number[1..], &prime[1..]), None);
    }
}
