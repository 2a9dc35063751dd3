//! Certificates and keys for unit tests, made of DER without any cryptography: nothing here is signed.

use super::material::Material;
use crate::asn1::der::{BIT_STRING, CONTEXT_0, INTEGER, OCTET_STRING, OID, SEQUENCE, wrap};

/// The Ed25519 public key whose 32 octets are all `key`, as SubjectPublicKeyInfo.
pub(super) fn spki(key: u8) -> Vec<u8> {
    crate::asn1::der::spki(&ed25519(), &[key; 32])
}

/// A certificate named `subject`, issued by `issuer`, for the key of [`spki`], valid until 2026-12-31T00:00:00Z.
pub(super) fn certificate(subject: &str, issuer: &str, key: u8, serial: u8, is_ca: bool) -> Vec<u8> {
    let version = wrap(CONTEXT_0, &wrap(INTEGER, &[2]));
    let time = |text: &str| wrap(0x17, text.as_bytes());
    let validity = wrap(SEQUENCE, &[time("260101000000Z"), time("261231000000Z")].concat());
    let basic = if is_ca { wrap(SEQUENCE, &[1, 1, 0xff]) } else { wrap(SEQUENCE, &[]) };
    let extension = wrap(SEQUENCE, &[wrap(OID, &[0x55, 0x1d, 0x13]), wrap(OCTET_STRING, &basic)].concat());
    let extensions = wrap(0xa3, &wrap(SEQUENCE, &extension));
    let to_be_signed = [
        version,
        wrap(INTEGER, &[serial]),
        ed25519(),
        name(issuer),
        validity,
        name(subject),
        spki(key),
        extensions,
    ];
    let signature = wrap(BIT_STRING, &[0; 65]);
    wrap(SEQUENCE, &[wrap(SEQUENCE, &to_be_signed.concat()), ed25519(), signature].concat())
}

/// `der` as one PEM block.
pub(super) fn pem(label: &str, der: &[u8]) -> String {
    crate::asn1::pem::write(label, der).to_string()
}

/// The certificate of a server, issued by `CA`, without its chain.
pub(crate) fn leaf(key: u8) -> Material {
    Material::parse(&certificate("server", "CA", key, key, false)).unwrap()
}

/// A public key alone.
pub(crate) fn key(key: u8) -> Material {
    Material::parse(&spki(key)).unwrap()
}

/// A server's certificate with that of its issuer, whose key is `ca`.
pub(super) fn chain(key: u8, ca: u8) -> Material {
    let leaf = pem("CERTIFICATE", &certificate("server", "CA", key, key, false));
    let issuer = pem("CERTIFICATE", &certificate("CA", "CA", ca, ca, true));
    Material::parse((leaf + &issuer).as_bytes()).unwrap()
}

fn ed25519() -> Vec<u8> {
    wrap(SEQUENCE, &wrap(OID, &[0x2b, 0x65, 0x70]))
}

fn name(common: &str) -> Vec<u8> {
    let attribute = [wrap(OID, &[0x55, 0x04, 0x03]), wrap(0x0c, common.as_bytes())].concat();
    wrap(SEQUENCE, &wrap(0x31, &wrap(SEQUENCE, &attribute)))
}
