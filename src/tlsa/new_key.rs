//! Making the key that comes next, and the request for its certificate (PKCS#10, RFC 2986).
//!
//! A record can vouch for a key that has no certificate yet. So the key is made and announced long before the
//! certificate is ordered with the request. What we keep of the private key is wiped when it is dropped; what `ring`
//! and `crypto-bigint` have on their stacks is theirs.

use std::fmt;

use ring::rand::SecureRandom;
use ring::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, RSA_PKCS1_SHA256, RsaKeyPair, Signature,
};
use zeroize::Zeroizing;

use super::{private_key, rsa};
use crate::asn1::der::{self, BIT_STRING, CONTEXT_0, INTEGER, OCTET_STRING, OID, SEQUENCE, SET, UTF8_STRING};
use crate::asn1::pem;
use crate::dns::name::Name;

/// What kind of key is made.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum KeyAlgorithm {
    /// ECDSA on the curve P-256.
    EcdsaP256,
    /// RSA with a modulus of 2048 bits.
    Rsa2048,
}

/// A private key that nobody uses yet.
pub struct NewKey {
    algorithm: KeyAlgorithm,
    pkcs8: Zeroizing<Vec<u8>>,
}

/// Why there is no key, or no request for it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum NewKeyError {
    /// The source of randomness failed.
    #[error("the system gives no randomness; expected it to")]
    NoRandomness,
    /// A key was made that does not sign.
    #[error("the key that was made does not sign; expected the next attempt to make one that does")]
    Unusable,
    /// A certificate is for names.
    #[error("there is no name to ask a certificate for; expected at least one")]
    NoNames,
}

impl NewKey {
    /// A new key. An RSA key takes its time: some hundred numbers are tried for each of its primes.
    pub fn generate(algorithm: KeyAlgorithm, random: &dyn SecureRandom) -> Result<Self, NewKeyError> {
        let pkcs8 = match algorithm {
            KeyAlgorithm::EcdsaP256 => {
                let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, random);
                let document = document.map_err(|_| NewKeyError::NoRandomness)?;
                Zeroizing::new(document.as_ref().to_vec())
            }
            KeyAlgorithm::Rsa2048 => rsa::generate(random)?,
        };
        Ok(Self { algorithm, pkcs8 })
    }

    /// PKCS#8 in PEM, as servers read it.
    pub fn pem(&self) -> Zeroizing<String> {
        pem::write("PRIVATE KEY", &self.pkcs8)
    }

    /// A request for a certificate with these names, in PEM.
    pub fn request(&self, names: &[Name], random: &dyn SecureRandom) -> Result<String, NewKeyError> {
        let spki = private_key::from_pkcs8(&self.pkcs8).map_err(|_| NewKeyError::Unusable)?;
        let info = request_info(names, &spki)?;
        let (algorithm, signature) = self.sign(&info, random)?;
        let signature = der::wrap(BIT_STRING, &[&[0], &signature[..]].concat());
        let request = der::wrap(SEQUENCE, &[info, algorithm, signature].concat());
        Ok(pem::write("CERTIFICATE REQUEST", &request).to_string())
    }

    /// PKCS#8.
    pub(super) fn pkcs8(&self) -> &[u8] {
        &self.pkcs8
    }

    /// AlgorithmIdentifier and signature.
    pub(super) fn sign(
        &self,
        message: &[u8],
        random: &dyn SecureRandom,
    ) -> Result<(Vec<u8>, Vec<u8>), NewKeyError> {
        match self.algorithm {
            KeyAlgorithm::EcdsaP256 => {
                let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &self.pkcs8, random);
                let pair = pair.map_err(|_| NewKeyError::Unusable)?;
                let signature: Signature =
                    pair.sign(random, message).map_err(|_| NewKeyError::NoRandomness)?;
                let algorithm = der::wrap(SEQUENCE, &der::wrap(OID, ECDSA_WITH_SHA256));
                Ok((algorithm, signature.as_ref().to_vec()))
            }
            KeyAlgorithm::Rsa2048 => {
                let pair = RsaKeyPair::from_pkcs8(&self.pkcs8).map_err(|_| NewKeyError::Unusable)?;
                let mut signature = vec![0; pair.public().modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, random, message, &mut signature)
                    .map_err(|_| NewKeyError::Unusable)?;
                Ok((der::with_null(SHA256_WITH_RSA), signature))
            }
        }
    }
}

/// CertificationRequestInfo (RFC 2986 §4.1): the names, and the key that is asked for.
fn request_info(names: &[Name], spki: &[u8]) -> Result<Vec<u8>, NewKeyError> {
    let texts = texts(names);
    let subject = subject(texts.first().ok_or(NewKeyError::NoNames)?);
    let extensions = der::wrap(SET, &der::wrap(SEQUENCE, &alternatives(&texts)));
    let attribute = der::wrap(SEQUENCE, &[der::wrap(OID, EXTENSION_REQUEST), extensions].concat());
    let fields = [
        der::wrap(INTEGER, &[0]),
        der::wrap(SEQUENCE, &subject),
        spki.to_vec(),
        der::wrap(CONTEXT_0, &attribute),
    ];
    Ok(der::wrap(SEQUENCE, &fields.concat()))
}

pub(super) fn texts(names: &[Name]) -> Vec<String> {
    names.iter().map(|name| name.as_ref().undotted()).collect()
}

/// The common name as the only part of a subject. Authorities look at the alternative names alone; some clients file a
/// certificate under its common name.
pub(super) fn subject(first: &str) -> Vec<u8> {
    if first.len() > MAX_COMMON_NAME {
        return Vec::new();
    }
    let attribute = [der::wrap(OID, COMMON_NAME), der::wrap(UTF8_STRING, first.as_bytes())].concat();
    der::wrap(SET, &der::wrap(SEQUENCE, &attribute))
}

/// The extension of alternative names (RFC 5280 §4.2.1.6).
pub(super) fn alternatives(texts: &[String]) -> Vec<u8> {
    let names: Vec<Vec<u8>> = texts.iter().map(|text| der::wrap(DNS_NAME, text.as_bytes())).collect();
    let names = der::wrap(OCTET_STRING, &der::wrap(SEQUENCE, &names.concat()));
    der::wrap(SEQUENCE, &[der::wrap(OID, SUBJECT_ALT_NAME), names].concat())
}

impl fmt::Debug for NewKey {
    /// Never the key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NewKey({:?})", self.algorithm)
    }
}

/// `dNSName` of GeneralName (RFC 5280 §4.2.1.6).
const DNS_NAME: u8 = 0x82;
/// `ub-common-name` (RFC 5280 A.1).
const MAX_COMMON_NAME: usize = 64;
/// 2.5.4.3
const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];
/// 2.5.29.17
const SUBJECT_ALT_NAME: &[u8] = &[0x55, 0x1d, 0x11];
/// 1.2.840.113549.1.9.14
const EXTENSION_REQUEST: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x0e];
/// 1.2.840.10045.4.3.2
const ECDSA_WITH_SHA256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02];
/// 1.2.840.113549.1.1.11
const SHA256_WITH_RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0b];

#[cfg(test)]
mod tests {
    use ring::rand::SystemRandom;
    use ring::signature::{ECDSA_P256_SHA256_ASN1, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
    use x509_parser::prelude::{FromDer, GeneralName, ParsedExtension, X509CertificationRequest};

    use super::*;
    use crate::tlsa::Material;
    use crate::tlsa::material::Kind;

    const BOTH: [KeyAlgorithm; 2] = [KeyAlgorithm::EcdsaP256, KeyAlgorithm::Rsa2048];

    #[allow(clippy::disallowed_methods, reason = "a key is as good as its randomness")]
    fn random() -> SystemRandom {
        SystemRandom::new()
    }

    fn names(texts: &[&str]) -> Vec<Name> {
        texts.iter().map(|text| Name::parse(text).unwrap()).collect()
    }

    fn der_of(pem: &str) -> Vec<u8> {
        pem::blocks(pem.as_bytes()).unwrap().remove(0).contents.to_vec()
    }

    #[test]
    fn the_request_is_for_the_key_and_for_all_names_and_signed_by_the_key() {
        for algorithm in BOTH {
            let key = NewKey::generate(algorithm, &random()).unwrap();
            let asked = ["mail.example.test", "*.example.test", "xn--bcher-kva.example.test"];
            let request = key.request(&names(&asked), &random()).unwrap();

            let of_key = Material::parse(key.pem().as_bytes()).unwrap();
            let of_request = Material::parse(request.as_bytes()).unwrap();
            assert_eq!((of_key.kind(), of_request.kind()), (Kind::PrivateKey, Kind::Request));
            assert_eq!(of_key.key(), of_request.key());

            let der = der_of(&request);
            let (rest, parsed) = X509CertificationRequest::from_der(&der).unwrap();
            assert!(rest.is_empty());
            let extensions: Vec<_> = parsed.requested_extensions().unwrap().collect();
            let [ParsedExtension::SubjectAlternativeName(alternatives)] = extensions[..] else {
                panic!("{extensions:?}")
            };
            assert_eq!(alternatives.general_names, asked.map(GeneralName::DNSName));
            assert_eq!(parsed.certification_request_info.subject.to_string(), "CN=mail.example.test");

            let verifier: &dyn ring::signature::VerificationAlgorithm = match algorithm {
                KeyAlgorithm::EcdsaP256 => &ECDSA_P256_SHA256_ASN1,
                KeyAlgorithm::Rsa2048 => &RSA_PKCS1_2048_8192_SHA256,
            };
            let public = private_key::bits(of_key.key()).unwrap();
            UnparsedPublicKey::new(verifier, public)
                .verify(parsed.certification_request_info.raw, &parsed.signature_value.data)
                .unwrap();
        }
    }

    #[test]
    fn no_two_keys_are_the_same() {
        for algorithm in BOTH {
            let keys = [(); 2].map(|()| NewKey::generate(algorithm, &random()).unwrap().pem());
            assert_ne!(keys[0], keys[1]);
        }
    }

    #[test]
    fn a_name_too_long_for_a_subject_is_an_alternative_name_alone() {
        let long = format!("{}.example.test", "a".repeat(60));
        let key = NewKey::generate(KeyAlgorithm::EcdsaP256, &random()).unwrap();
        let der = der_of(&key.request(&names(&[&long]), &random()).unwrap());
        let (_, parsed) = X509CertificationRequest::from_der(&der).unwrap();
        assert_eq!(parsed.certification_request_info.subject.to_string(), "");
        assert_eq!(key.request(&[], &random()), Err(NewKeyError::NoNames));
    }

    #[test]
    fn a_key_is_not_shown() {
        let key = NewKey::generate(KeyAlgorithm::EcdsaP256, &random()).unwrap();
        assert_eq!(format!("{key:?}"), "NewKey(EcdsaP256)");
    }
}
