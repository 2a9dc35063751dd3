//! Other people's keys: what danelaw signs with, and what else signs the zones above.

use std::fmt;

use super::super::key::{Algorithm, DigestType, FLAG_REVOKE, FLAG_SEP, FLAG_ZONE, ds, key_tag};
use crate::dns::name::NameRef;

/// A DNSKEY of anybody's zone, good for verifying alone.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Dnskey {
    rdata: Vec<u8>,
}

/// Octets of flags, protocol and algorithm.
const FIXED: usize = 4;
/// The DNSKEY protocol field, always 3 (RFC 4034 §2.1.2).
const PROTOCOL: u8 = 3;

impl Dnskey {
    /// Reads DNSKEY rdata; [`None`] if it is no key that may sign a zone's data.
    pub fn from_rdata(rdata: &[u8]) -> Option<Self> {
        let &[high, low, protocol, _] = rdata.first_chunk::<FIXED>()?;
        let flags = u16::from_be_bytes([high, low]);
        let is_zone_key = flags & FLAG_ZONE != 0 && flags & FLAG_REVOKE == 0 && protocol == PROTOCOL;
        is_zone_key.then(|| Self { rdata: rdata.to_vec() })
    }

    /// The rdata.
    pub fn rdata(&self) -> &[u8] {
        &self.rdata
    }

    /// The key tag (RFC 4034 appendix B).
    pub fn tag(&self) -> u16 {
        key_tag(&self.rdata)
    }

    /// Whether the parent's DS may name it.
    pub fn is_secure_entry_point(&self) -> bool {
        self.rdata[1] & FLAG_SEP as u8 != 0
    }

    /// DS rdata for this key at `owner`, which is CDS rdata as well.
    pub fn ds(&self, owner: NameRef<'_>, digest_type: DigestType) -> Vec<u8> {
        ds(owner, self.tag(), self.algorithm(), &self.rdata, digest_type)
    }

    /// The number of its algorithm.
    pub fn algorithm(&self) -> u8 {
        self.rdata[FIXED - 1]
    }

    /// Whether its signatures can be verified here.
    pub fn is_understood(&self) -> bool {
        Algorithm::from_number(self.algorithm()).is_ok()
    }

    /// Whether DS rdata at `owner` names this key (RFC 4034 §5.1.4).
    pub fn is_named_by(&self, owner: NameRef<'_>, ds: &[u8]) -> bool {
        [DigestType::Sha256, DigestType::Sha384].into_iter().any(|known| self.ds(owner, known) == ds)
    }

    /// Whether `signature` is this key's over `message`.
    pub fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        let algorithm = Algorithm::from_number(self.algorithm());
        algorithm.is_ok_and(|algorithm| algorithm.verifies(&self.rdata[FIXED..], message, signature))
    }
}

impl fmt::Debug for Dnskey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DNSKEY algorithm {} tag {}", self.algorithm(), self.tag())
    }
}
