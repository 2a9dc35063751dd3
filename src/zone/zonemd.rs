//! ZONEMD (RFC 8976): one digest over a whole zone, by which whoever has all of it sees that nothing was lost or
//! changed on the way.
//!
//! The scheme is SIMPLE: every record in canonical form and order, RRSIGs, denial records, glue and hidden data
//! included; the ZONEMD RRset at the apex and the RRSIGs that cover it are not (§3.3.1). The same code digests what is
//! served and what has come by transfer, whatever either is stored in. That a ZONEMD record is the zone owner's own is
//! for DNSSEC to prove; nothing here knows a key.

use ring::digest::{Algorithm, Context, SHA384, SHA512};

use super::contents::Contents;
use super::node::{Node, RECORD_HEAD, RrsetRef, canonical_order, record_ttl};
use super::serial::Serial;
use crate::dns::message::each_record;
use crate::dns::name::NameRef;
use crate::dns::rdata;
use crate::dns::rtype::{CLASS_IN, Rtype};
use crate::dns::time::Ttl;

/// How the octets of a zone become a digest (RFC 8976 §5.3).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Hash {
    /// SHA-384, number 1.
    Sha384,
    /// SHA-512, number 2.
    Sha512,
}

/// What is demanded of a zone that comes from elsewhere.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Demand {
    /// Where there is a digest that can be checked, it must be right.
    #[default]
    IfPresent,
    /// There must be one.
    Always,
    /// Nobody looks.
    Never,
}

/// What comparing a zone with its ZONEMD records came to, where it did not fail.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// A digest is that of the zone.
    Right,
    /// There is no ZONEMD record.
    Absent,
    /// None of a scheme and a hash algorithm that are known here.
    Unknown,
}

/// The zone is not what its ZONEMD records say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Mismatch {
    /// They belong to another version.
    #[error("ZONEMD is of serial {zonemd}, expected {soa}, that of the SOA record: it was not made anew")]
    Serial {
        /// The serial in the ZONEMD record.
        zonemd: Serial,
        /// The serial of the zone.
        soa: Serial,
    },
    /// The records are others than those that were digested.
    #[error("the digest in ZONEMD is not that of the records: some were lost, added or changed")]
    Digest,
    /// Two digests of one kind, of which nobody may believe either (RFC 8976 §2.2.3).
    #[error("two ZONEMD records have one scheme and hash algorithm, expected one of each")]
    Repeated,
    /// The digest that [`Demand::Always`] asks for is not there.
    #[error("no ZONEMD record that can be checked, which `verify-zonemd: always` demands")]
    Missing,
}

impl Hash {
    fn from_number(number: u8) -> Option<Self> {
        match number {
            1 => Some(Self::Sha384),
            2 => Some(Self::Sha512),
            _ => None,
        }
    }

    const fn number(self) -> u8 {
        match self {
            Self::Sha384 => 1,
            Self::Sha512 => 2,
        }
    }

    fn algorithm(self) -> &'static Algorithm {
        match self {
            Self::Sha384 => &SHA384,
            Self::Sha512 => &SHA512,
        }
    }
}

impl Verdict {
    /// Whether this will do.
    pub fn satisfies(self, demand: Demand) -> Result<(), Mismatch> {
        match (self, demand) {
            (Self::Absent | Self::Unknown, Demand::Always) => Err(Mismatch::Missing),
            _ => Ok(()),
        }
    }
}

/// ZONEMD rdata for a zone with this serial and digest.
pub fn rdata(serial: Serial, hash: Hash, digest: &[u8]) -> Vec<u8> {
    let mut rdata = serial.0.to_be_bytes().to_vec();
    rdata.extend([SIMPLE, hash.number()]);
    rdata.extend(digest);
    rdata
}

/// The digest of a zone.
pub fn digest(contents: &Contents, hash: Hash) -> Vec<u8> {
    let mut collation = Collation::new(contents.origin().as_ref(), hash);
    let mut hashed = contents.nsec3.iter().peekable();
    for node in &contents.nodes {
        while let Some(before) = hashed.next_if(|hashed| hashed.owner() < node.owner()) {
            collation.node(before);
        }
        collation.node(node);
    }
    hashed.for_each(|node| collation.node(node));
    collation.finish()
}

/// Compares a zone with its own ZONEMD records.
pub fn verify(contents: &Contents) -> Result<Verdict, Mismatch> {
    let records = contents.apex().and_then(|apex| apex.rrset(Rtype::ZONEMD));
    let serial = Serial(contents.soa_timers().map_or(0, |timers| timers.serial));
    judge(serial, records.iter().flat_map(RrsetRef::rdatas), |hash| digest(contents, hash))
}

/// Compares the digests in `rdatas`, which are ZONEMD records, with those that a zone of this serial has
/// (RFC 8976 §4).
pub(super) fn judge<'r>(
    serial: Serial,
    rdatas: impl IntoIterator<Item = &'r [u8]>,
    mut digest: impl FnMut(Hash) -> Vec<u8>,
) -> Result<Verdict, Mismatch> {
    let mut nothing = Verdict::Absent;
    let mut known: Vec<(Hash, Serial, &[u8])> = Vec::new();
    for rdata in rdatas {
        nothing = Verdict::Unknown;
        let Some((&[a, b, c, d, SIMPLE, number], expected)) = rdata.split_first_chunk() else { continue };
        let Some(hash) = Hash::from_number(number) else { continue };
        known.push((hash, Serial(u32::from_be_bytes([a, b, c, d])), expected));
    }
    let Some(&(_, zonemd, _)) = known.first() else { return Ok(nothing) };
    let mut fault = Mismatch::Serial { zonemd, soa: serial };
    for &(hash, of, expected) in &known {
        if known.iter().filter(|(other, ..)| *other == hash).count() > 1 {
            fault = Mismatch::Repeated;
        } else if of == serial {
            if digest(hash) == expected {
                return Ok(Verdict::Right);
            }
            fault = Mismatch::Digest;
        }
    }
    Err(fault)
}

/// The records of a zone on their way into a digest, owner by owner in canonical order, type by type within each.
pub(super) struct Collation {
    context: Context,
    apex: Vec<u8>,
    owner: Vec<u8>,
    /// What has not been digested yet.
    octets: Vec<u8>,
}

impl Collation {
    pub(super) fn new(apex: NameRef<'_>, hash: Hash) -> Self {
        let mut lowered = Vec::new();
        apex.write_canonical(&mut lowered);
        Self { context: Context::new(hash.algorithm()), apex: lowered, owner: Vec::new(), octets: Vec::new() }
    }

    /// The records that follow are of this owner.
    pub(super) fn owner(&mut self, owner: NameRef<'_>) {
        self.owner.clear();
        owner.write_canonical(&mut self.owner);
    }

    /// Takes all records of one type. Equal ones count once.
    pub(super) fn records(&mut self, rtype: Rtype, records: &mut Vec<(Ttl, &[u8])>) {
        canonical_order(rtype, records, |(_, rdata)| rdata);
        records.dedup_by(|(_, a), (_, b)| rdata::same(rtype, a, b));
        for (ttl, rdata) in records {
            self.record(rtype, *ttl, rdata);
        }
    }

    fn record(&mut self, rtype: Rtype, ttl: Ttl, rdata: &[u8]) {
        let is_own = rtype == Rtype::ZONEMD
            || rtype == Rtype::RRSIG && rdata.starts_with(&Rtype::ZONEMD.0.to_be_bytes());
        if is_own && self.owner == self.apex {
            return;
        }
        self.octets.extend(&self.owner);
        self.octets.extend(rtype.0.to_be_bytes());
        self.octets.extend(CLASS_IN.to_be_bytes());
        self.octets.extend(ttl.0.to_be_bytes());
        self.octets.extend((rdata.len() as u16).to_be_bytes());
        rdata::canonical(rtype, rdata, &mut self.octets);
        if self.octets.len() > CHUNK {
            self.context.update(&self.octets);
            self.octets.clear();
        }
    }

    /// Takes a node, whose records stand in canonical order but for the RRSIGs.
    fn node(&mut self, node: &Node) {
        self.owner(node.owner());
        let mut signed = false;
        for rrset in node.rrsets() {
            if rrset.rtype > Rtype::RRSIG && !std::mem::replace(&mut signed, true) {
                self.signatures(node);
            }
            for rdata in rrset.rdatas() {
                self.record(rrset.rtype, rrset.ttl(), rdata);
            }
        }
        if !signed {
            self.signatures(node);
        }
    }

    /// Takes the RRSIGs of a node, which are one RRset here (RFC 8976 §3.3.1).
    fn signatures(&mut self, node: &Node) {
        for rrset in node.rrsets() {
            // The type covered is what RRSIG rdata begins with, so RRsets stand in the order of their RRSIGs.
            let signatures = each_record(rrset.signatures);
            let mut signatures: Vec<_> =
                signatures.map(|record| (record_ttl(record), &record[RECORD_HEAD..])).collect();
            self.records(Rtype::RRSIG, &mut signatures);
        }
    }

    pub(super) fn finish(mut self) -> Vec<u8> {
        self.context.update(&self.octets);
        self.context.finish().as_ref().to_vec()
    }
}

/// The scheme by which all records are digested as one (RFC 8976 §3.3).
const SIMPLE: u8 = 1;
/// Octets that are gathered before they are digested.
const CHUNK: usize = 1 << 16;

#[cfg(test)]
mod tests;
