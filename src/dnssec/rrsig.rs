//! Signatures: RRSIG rdata (RFC 4034 §3.1) and the octets that are signed (RFC 4034 §3.1.8.1).
//!
//! [`SigningInput`] is a buffer that is used again for every RRset: no allocation per record.

use super::key::{NoSignature, PublicKey, Random, SigningKey};
use crate::dns::name::NameRef;
use crate::dns::rtype::{CLASS_IN, Rtype};
use crate::dns::time::{Timestamp, Ttl};
use std::ops::Range;

/// Octets of RRSIG rdata before the signer's name.
pub const FIXED: usize = 18;

/// RRSIG rdata, all but the signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fields<'a> {
    /// The type of the RRset that is signed.
    pub covered: Rtype,
    /// The key's algorithm number.
    pub algorithm: u8,
    /// Labels of the owner, neither the root nor a leading `*` counted (RFC 4034 §3.1.3).
    pub labels: u8,
    /// The TTL of the RRset in the zone.
    pub original_ttl: Ttl,
    /// The lower 32 bits of when the signature expires.
    pub expiration: u32,
    /// The lower 32 bits of when it begins to be valid.
    pub inception: u32,
    /// The key's tag.
    pub key_tag: u16,
    /// The zone's apex.
    pub signer: NameRef<'a>,
}

/// A signature's lifetime.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Validity {
    /// When it begins.
    pub inception: Timestamp,
    /// When it ends.
    pub expiration: Timestamp,
}

impl<'a> Fields<'a> {
    /// The fields of a signature by `key` over the RRset `covered` at `owner`.
    pub fn new(
        key: &'a SigningKey,
        owner: NameRef<'_>,
        covered: Rtype,
        ttl: Ttl,
        validity: Validity,
    ) -> Self {
        Self {
            covered,
            algorithm: key.public().algorithm().number(),
            labels: label_count(owner),
            original_ttl: ttl,
            expiration: validity.expiration.rrsig(),
            inception: validity.inception.rrsig(),
            key_tag: key.public().tag(),
            signer: key.zone(),
        }
    }

    /// Splits RRSIG rdata into its fields and the signature; `None` when it is cut off.
    pub fn from_rdata(rdata: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let (fixed, rest) = rdata.split_at_checked(FIXED)?;
        let signer = NameRef::from_wire(rest).ok()?;
        let u16_at = |at: usize| u16::from_be_bytes([fixed[at], fixed[at + 1]]);
        let u32_at = |at: usize| u32::from(u16_at(at)) << 16 | u32::from(u16_at(at + 2));
        let fields = Self {
            covered: Rtype(u16_at(0)),
            algorithm: fixed[2],
            labels: fixed[3],
            original_ttl: Ttl(u32_at(4)),
            expiration: u32_at(8),
            inception: u32_at(12),
            key_tag: u16_at(16),
            signer,
        };
        Some((fields, &rest[signer.wire().len()..]))
    }

    /// Appends the rdata up to the signature; the signer's name in lower case (RFC 4034 §3.1.8.1).
    pub fn write(&self, out: &mut Vec<u8>) {
        out.extend(self.covered.0.to_be_bytes());
        out.extend([self.algorithm, self.labels]);
        out.extend(self.original_ttl.0.to_be_bytes());
        out.extend(self.expiration.to_be_bytes());
        out.extend(self.inception.to_be_bytes());
        out.extend(self.key_tag.to_be_bytes());
        self.signer.write_canonical(out);
    }
}

/// What is signed, built anew for each RRset in the same memory.
#[derive(Debug, Default)]
pub struct SigningInput {
    bytes: Vec<u8>,
    /// Everything of a record before RDLENGTH: the same for all of an RRset.
    prefix: Vec<u8>,
    /// Where each record's rdata lies in `bytes`.
    rdata: Vec<Range<usize>>,
    /// Where the records begin.
    records_at: usize,
    ascending: bool,
    scratch: Vec<u8>,
}

impl SigningInput {
    /// Starts the input of one RRset: its signature's fields and its owner.
    pub fn begin(&mut self, fields: &Fields<'_>, owner: NameRef<'_>) {
        self.bytes.clear();
        fields.write(&mut self.bytes);
        self.records_at = self.bytes.len();
        self.prefix.clear();
        owner.write_canonical(&mut self.prefix);
        self.prefix.extend(fields.covered.0.to_be_bytes());
        self.prefix.extend(CLASS_IN.to_be_bytes());
        self.prefix.extend(fields.original_ttl.0.to_be_bytes());
        self.rdata.clear();
        self.ascending = true;
    }

    /// Adds a record; `write` appends its rdata in canonical form (RFC 4034 §6.2), at most 65,535 octets.
    pub fn record(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        self.bytes.extend_from_slice(&self.prefix);
        self.bytes.extend([0, 0]);
        let start = self.bytes.len();
        write(&mut self.bytes);
        let length = (self.bytes.len() - start) as u16;
        self.bytes[start - 2..start].copy_from_slice(&length.to_be_bytes());
        if let Some(last) = self.rdata.last() {
            self.ascending &= self.bytes[last.clone()] < self.bytes[start..];
        }
        self.rdata.push(start..self.bytes.len());
    }

    /// The octets to sign: records in canonical order, each once (RFC 4034 §6.3).
    pub fn finish(&mut self) -> &[u8] {
        if !self.ascending {
            let Self { bytes, rdata, scratch, .. } = self;
            rdata.sort_unstable_by(|a, b| bytes[a.clone()].cmp(&bytes[b.clone()]));
            rdata.dedup_by(|a, b| bytes[a.clone()] == bytes[b.clone()]);
            scratch.clear();
            for record in rdata.iter() {
                scratch.extend_from_slice(&self.prefix);
                scratch.extend_from_slice(&bytes[record.start - 2..record.end]);
            }
            bytes.truncate(self.records_at);
            bytes.extend_from_slice(scratch);
            rdata.clear();
        }
        &self.bytes
    }

    /// Appends RRSIG rdata of `fields` over what was added since [`begin`](Self::begin) to `out`.
    pub fn sign(
        &mut self,
        fields: &Fields<'_>,
        key: &SigningKey,
        random: Random<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(), NoSignature> {
        fields.write(out);
        key.sign(self.finish(), random, out)
    }

    /// Whether `signature` by `key` covers what was added since [`begin`](Self::begin).
    pub fn verify(&mut self, key: &PublicKey, signature: &[u8]) -> bool {
        key.verifies(self.finish(), signature)
    }
}

/// The RRSIG labels field for RRsets at `owner`.
pub fn label_count(owner: NameRef<'_>) -> u8 {
    // A name has at most 127 labels.
    (owner.label_count() - usize::from(owner.is_wildcard())) as u8
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "tests may use the system's randomness")]
mod tests {
    use super::*;
    use crate::dns::name::Name;
    use crate::dnssec::key::{Algorithm, FLAG_SEP, FLAG_ZONE, Role};
    use data_encoding::BASE64;
    use hickory_proto::dnssec::{Verifier, rdata as hickory};
    use hickory_proto::rr::{self, RData, Record};
    use hickory_proto::serialize::binary::BinDecodable;
    use ring::rand::SystemRandom;

    fn name(text: &str) -> Name {
        Name::parse(text).unwrap()
    }

    #[test]
    fn the_signature_of_rfc_6605_6_1_verifies() {
        let key = BASE64
            .decode(
                b"GojIhhXUN/u4v54ZQqGSnyhWJwaubCvTmeexv7bR6edbkrSqQpF64cYbcB7wNcP+e+MAnLr+Wi9xMWyQLc8NAA==",
            )
            .unwrap();
        let key = PublicKey::new(FLAG_ZONE | FLAG_SEP, Algorithm::EcdsaP256Sha256, &key).unwrap();
        let signature = BASE64
            .decode(
                b"qx6wLYqmh+l9oCKTN6qIc+bw6ya+KJ8oMz0YP107epXAyGmt+3SNruPFKG7tZoLBLlUzGGus7ZwmwWep666VCw==",
            )
            .unwrap();
        let (owner, signer) = (name("www.example.net"), name("example.net"));
        let fields = Fields {
            covered: Rtype::A,
            algorithm: 13,
            labels: 3,
            original_ttl: Ttl(3600),
            expiration: 1_284_026_679, // 20100909100439
            inception: 1_281_607_479,  // 20100812100439
            key_tag: key.tag(),
            signer: signer.as_ref(),
        };
        let mut input = SigningInput::default();
        input.begin(&fields, owner.as_ref());
        input.record(|out| out.extend([192, 0, 2, 1]));
        assert!(input.verify(&key, &signature));
        input.begin(&fields, owner.as_ref());
        input.record(|out| out.extend([192, 0, 2, 2]));
        assert!(!input.verify(&key, &signature));
    }

    #[test]
    fn hickory_verifies_a_wildcard_rrset_whose_records_came_unsorted_and_twice() {
        let random = SystemRandom::new();
        let zone = name("Example.Test");
        let (key, _) =
            SigningKey::generate(&zone, Role::Zsk, Algorithm::EcdsaP256Sha256, &[], &random).unwrap();
        let owner = name("*.WILD.example.test");
        let validity = Validity { inception: Timestamp(1_800_000_000), expiration: Timestamp(1_801_000_000) };
        let fields = Fields::new(&key, owner.as_ref(), Rtype::A, Ttl(300), validity);
        assert_eq!(fields.labels, 3);
        let mut input = SigningInput::default();
        input.begin(&fields, owner.as_ref());
        for octet in [9, 3, 9, 1] {
            input.record(|out| out.extend([192, 0, 2, octet]));
        }
        let mut rdata = Vec::new();
        input.sign(&fields, &key, &random, &mut rdata).unwrap();
        let (read, signature) = Fields::from_rdata(&rdata).unwrap();
        assert_eq!(read, fields);
        assert_eq!(signature.len(), 64);

        let wire =
            [&[0][..], &[0, 46, 0, 1, 0, 0, 1, 44], &(rdata.len() as u16).to_be_bytes(), &rdata].concat();
        let record = Record::from_bytes(&wire).unwrap();
        let RData::DNSSEC(hickory::DNSSECRData::RRSIG(rrsig)) = &record.data else { panic!("no RRSIG") };
        let dnskey = [&[0][..], &[0, 48, 0, 1, 0, 0, 1, 44, 0, 68], &key.public().rdata()].concat();
        let dnskey = Record::from_bytes(&dnskey).unwrap();
        let RData::DNSSEC(hickory::DNSSECRData::DNSKEY(dnskey)) = &dnskey.data else { panic!("no DNSKEY") };
        let owner = rr::Name::from_ascii("*.wild.example.test.").unwrap();
        let records: Vec<_> = [3, 1, 9]
            .map(|octet| {
                Record::from_rdata(owner.clone(), 300, RData::A(rr::rdata::A::new(192, 0, 2, octet)))
            })
            .into();
        dnskey.verify_rrsig(&owner, rr::DNSClass::IN, rrsig, records.iter()).unwrap();
    }

    #[test]
    fn cut_off_rdata_has_no_fields() {
        assert_eq!(Fields::from_rdata(&[0; 18]), None);
        assert!(Fields::from_rdata(&[0; 19]).is_some());
    }
}
