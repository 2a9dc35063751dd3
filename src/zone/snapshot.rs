//! One version of a zone, complete and immutable: what answers are made from.

use std::fmt;
use std::ops::Deref;

use super::contents::{Contents, SoaTimers};
use super::node::{Node, RrsetRef};
use super::serial::Serial;
use crate::dns::message::Prepared;
use crate::dns::rtype::Rtype;
use crate::dns::time::{Timestamp, Ttl};

/// A version of a zone. It is signed unless the zone's policy is `unsigned`; that every signature holds is what
/// `dnssec::validate` says of it before anything publishes it.
#[derive(Clone)]
pub struct Snapshot {
    contents: Contents,
    timers: SoaTimers,
    denial: Denial,
    negative: [Prepared; 2],
    apex: Node,
    apex_labels: usize,
    negative_ttl: Ttl,
}

/// How the zone proves that something does not exist.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Denial {
    /// Not at all: the zone is unsigned.
    None,
    /// NSEC (RFC 4034 §4).
    Nsec,
    /// NSEC3 (RFC 5155).
    Nsec3(Nsec3Params),
}

/// The parameters of an NSEC3 chain (RFC 5155 §4).
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Nsec3Params {
    /// Additional hash iterations; 0 in every chain that danelaw makes (RFC 9276 §3.1).
    pub iterations: u16,
    /// Salt; empty in every chain that danelaw makes.
    pub salt: Box<[u8]>,
}

/// The content cannot be a version of a zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no SOA record at the apex")]
pub struct NoSoa;

impl Snapshot {
    /// Takes complete content with its SOA in place.
    pub fn new(contents: Contents) -> Result<Self, NoSoa> {
        let timers = contents.soa_timers().ok_or(NoSoa)?;
        let apex = contents.apex().ok_or(NoSoa)?.clone();
        let negative_ttl = contents.negative_ttl();
        let apex_labels = contents.origin().as_ref().label_count();
        let denial = match contents.apex() {
            Some(apex) if apex.has(Rtype::NSEC) => Denial::Nsec,
            Some(apex) if !contents.nsec3.is_empty() => apex
                .rrset(Rtype::NSEC3PARAM)
                .and_then(|params| Nsec3Params::read(params.first()))
                .map_or(Denial::None, Denial::Nsec3),
            _ => Denial::None,
        };
        let soa = apex.rrset(Rtype::SOA).ok_or(NoSoa)?;
        let prepared = |records| Prepared::new(contents.origin().as_ref(), records, negative_ttl);
        let negative = [prepared(soa.records), prepared(soa.signed)];
        Ok(Self { contents, timers, denial, negative, apex, apex_labels, negative_ttl })
    }

    /// The version's number.
    pub fn serial(&self) -> Serial {
        Serial(self.timers.serial)
    }

    /// What the SOA record says.
    pub fn timers(&self) -> SoaTimers {
        self.timers
    }

    /// The SOA RRset.
    pub fn soa(&self) -> Option<RrsetRef<'_>> {
        self.apex.rrset(Rtype::SOA)
    }

    /// How many labels the apex has.
    pub fn apex_labels(&self) -> usize {
        self.apex_labels
    }

    /// See [`Contents::negative_ttl`].
    pub fn negative_ttl(&self) -> Ttl {
        self.negative_ttl
    }

    /// The SOA record of negative answers (RFC 2308 §3), with its signatures if `signed`.
    pub fn negative_soa(&self, signed: bool) -> &Prepared {
        &self.negative[usize::from(signed)]
    }

    /// How the zone proves that something does not exist.
    pub fn denial(&self) -> &Denial {
        &self.denial
    }

    /// How many records there are, everything counted.
    pub fn record_count(&self) -> usize {
        self.contents.nodes.record_count() + self.contents.nsec3.record_count()
    }

    /// How many octets its names and records occupy.
    pub fn octets(&self) -> usize {
        self.contents.nodes.octets() + self.contents.nsec3.octets()
    }

    /// The earliest RRSIG expiration, as RRSIG rdata writes it.
    pub fn soonest(&self) -> Option<u32> {
        super::node::earlier(self.contents.nodes.soonest(), self.contents.nsec3.soonest())
    }

    /// Whether a signature has expired: nobody made it anew, and validators refuse what it covers.
    pub fn is_stale(&self, now: Timestamp) -> bool {
        self.soonest().is_some_and(|expires| now.nearest_rrsig(expires) < now)
    }

    /// The content, to make the next version from.
    pub fn contents(&self) -> &Contents {
        &self.contents
    }
}

impl Deref for Snapshot {
    type Target = Contents;
    fn deref(&self) -> &Contents {
        &self.contents
    }
}

impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} serial {} ({} records)", self.contents.origin(), self.serial(), self.record_count())
    }
}

impl Nsec3Params {
    /// Reads the parameters from NSEC3PARAM or NSEC3 rdata: both begin with them.
    pub fn read(rdata: &[u8]) -> Option<Self> {
        let (&[algorithm, _flags, high, low, salt], rest) = rdata.split_first_chunk()?;
        let salt = rest.get(..usize::from(salt))?;
        (algorithm == 1).then(|| Self { iterations: u16::from_be_bytes([high, low]), salt: salt.into() })
    }
}
