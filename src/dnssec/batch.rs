//! Signatures made ahead: a key-signing key that is nowhere near the nameserver (offline KSK).
//!
//! ```text
//! at the nameserver                         where the key-signing key is
//!   Request: spans of time, the ZSKs  ──▶     sign: for each span every DNSKEY RRset there may be, CDS and CDNSKEY
//!   Batch, checked and kept           ◀──     Batch
//! ```
//!
//! Which keys are published when is not planned here. The signatures cover every DNSKEY RRset that the zone-signing
//! keys of the request and the key-signing keys can make, so that keys are rolled when their time comes. To the
//! signer the key is one that is kept elsewhere: a [`Keeper`] that finds the signature over just these records for
//! this span, or has none. Spans end when their signatures are due to be made anew, so the signer asks for the next
//! by itself.

use std::collections::{BTreeSet, HashMap};

use ring::digest::{Context, SHA256, digest};
use serde::{Deserialize, Serialize};

use super::key::{DigestType, Keeper, KeyError, NoSignature, PublicKey, Random, SigningKey, Unavailable};
use super::rrsig::{Fields, SigningInput, Validity};
use crate::dns::name::{Name, NameRef};
use crate::dns::rdata;
use crate::dns::rtype::Rtype;
use crate::dns::time::{HOUR, Now, Seconds, Timestamp, Ttl};
use data_encoding::BASE64;

/// How far before its span a signature begins, for validators whose clocks are slow.
const BACKDATE: Seconds = HOUR;
/// The form of both files.
const FORMAT: u32 = 1;
/// More zone-signing keys would make too many RRsets.
pub const MAX_ZSKS: usize = 3;
/// More key-signing keys would, too.
pub const MAX_KSKS: usize = 2;

/// What is to be signed elsewhere.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Request {
    format: u32,
    zone: String,
    ttl: u32,
    /// When the last span is over that was asked for.
    ends: Timestamp,
    zsks: Vec<String>,
    spans: Vec<Span>,
}

/// A time, and how long signatures for it are valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Span {
    from: Timestamp,
    until: Timestamp,
    inception: Timestamp,
    expiration: Timestamp,
}

/// What was signed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Batch {
    format: u32,
    zone: String,
    ttl: u32,
    ends: Timestamp,
    /// All keys, as DNSKEY rdata.
    keys: Vec<String>,
    spans: Vec<SignedSpan>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SignedSpan {
    span: Span,
    signatures: Vec<Made>,
}

/// One signature.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Made {
    /// The tags of the keys that the RRset is made of.
    of: Vec<u16>,
    /// RRSIG rdata.
    rrsig: String,
}

/// Why there is no request or no batch.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BatchError {
    /// It is no such file.
    #[error("not a file of signatures made ahead: {0}")]
    Form(String),
    /// It is for another zone.
    #[error("it is for {0}, expected {1}")]
    Zone(String, Name),
    /// There is nothing to sign for.
    #[error("the time ends at {until}, expected after {from}")]
    Time {
        /// When it begins.
        from: Timestamp,
        /// When it ends.
        until: Timestamp,
    },
    /// Too few keys, or too many.
    #[error("{found} {what} keys, expected 1 to {most}")]
    Count {
        /// Which.
        what: &'static str,
        /// How many.
        found: usize,
        /// How many there may be.
        most: usize,
    },
    /// A key cannot be used.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// Two keys have one tag.
    #[error("two keys have the tag {0}, expected that one of them is made anew")]
    SameTag(u16),
    /// A key gives no signature.
    #[error(transparent)]
    NoSignature(#[from] NoSignature),
    /// A signature is not what it should be.
    #[error("a signature by key {0} does not cover what it should")]
    Signature(u16),
    /// Nothing was signed by this key.
    #[error("it has no signature by key {0}")]
    NotBy(u16),
    /// A zone-signing key is not in it.
    #[error("the key {0} of this zone was not in the request: request a batch anew")]
    Unknown(u16),
}

impl Request {
    /// Asks for `from` to `until`, in spans of `every`. `refresh` is how long before their end signatures are made
    /// anew; the last span lasts that much longer.
    pub fn new(
        zone: &Name,
        ttl: Ttl,
        zsks: &[&PublicKey],
        [from, until]: [Timestamp; 2],
        every: Seconds,
        refresh: Seconds,
    ) -> Result<Self, BatchError> {
        count("zone-signing", zsks.len(), MAX_ZSKS)?;
        if until <= from {
            return Err(BatchError::Time { from, until });
        }
        let mut spans = Vec::new();
        let mut at = from;
        while at < until {
            let next = at + every.max(HOUR);
            let end = if next < until { next } else { until + refresh };
            spans.push(Span { from: at, until: end, inception: at - BACKDATE, expiration: end + refresh });
            at = next;
        }
        let zsks = zsks.iter().map(|key| text(&key.rdata())).collect();
        Ok(Self { format: FORMAT, zone: zone.to_string(), ttl: ttl.0, ends: until, zsks, spans })
    }

    /// The zone.
    pub fn zone(&self) -> Result<Name, BatchError> {
        name(&self.zone)
    }

    /// Signs all of it, with each of `ksks`.
    pub fn sign(&self, ksks: &[&SigningKey], random: Random<'_>) -> Result<Batch, BatchError> {
        if self.format != FORMAT {
            return Err(BatchError::Form(format!("format {}", self.format)));
        }
        let zone = self.zone()?;
        let zsks = self.zsks.iter().map(|key| public(key)).collect::<Result<Vec<_>, _>>()?;
        count("zone-signing", zsks.len(), MAX_ZSKS)?;
        count("key-signing", ksks.len(), MAX_KSKS)?;
        let entry_points: Vec<PublicKey> = ksks.iter().map(|key| key.public().clone()).collect();
        let keys: Vec<PublicKey> = zsks.iter().chain(&entry_points).cloned().collect();
        distinct(&keys)?;
        let mut spans = Vec::new();
        for &span in &self.spans {
            let mut signatures = Vec::new();
            for rrset in rrsets(zone.as_ref(), &zsks, &entry_points) {
                for key in ksks {
                    let validity = Validity { inception: span.inception, expiration: span.expiration };
                    let fields = Fields::new(key, zone.as_ref(), rrset.rtype, Ttl(self.ttl), validity);
                    let mut rrsig = Vec::new();
                    rrset.input(&fields, zone.as_ref()).sign(&fields, key, random, &mut rrsig)?;
                    signatures.push(Made { of: rrset.of.clone(), rrsig: BASE64.encode(&rrsig) });
                }
            }
            spans.push(SignedSpan { span, signatures });
        }
        let keys = keys.iter().map(|key| text(&key.rdata())).collect();
        Ok(Batch { format: FORMAT, zone: self.zone.clone(), ttl: self.ttl, ends: self.ends, keys, spans })
    }
}

impl Batch {
    /// The zone.
    pub fn zone(&self) -> Result<Name, BatchError> {
        name(&self.zone)
    }

    /// When the time is over that was asked for.
    pub fn ends(&self) -> Timestamp {
        self.ends
    }

    /// The key-signing keys that have signed.
    pub fn entry_points(&self) -> Result<Vec<PublicKey>, BatchError> {
        let mut keys = self.public()?;
        keys.retain(PublicKey::is_secure_entry_point);
        count("key-signing", keys.len(), MAX_KSKS)?;
        Ok(keys)
    }

    /// Whether it is for `zone` and all of its zone-signing keys.
    pub fn check(&self, zone: &Name, zsks: &[&PublicKey]) -> Result<(), BatchError> {
        if self.zone()? != *zone {
            return Err(BatchError::Zone(self.zone.clone(), zone.clone()));
        }
        let keys = self.public()?;
        match zsks.iter().find(|&&zsk| !keys.contains(zsk)) {
            Some(zsk) => Err(BatchError::Unknown(zsk.tag())),
            None => Ok(()),
        }
    }

    /// With what `before` has for the time from `now` until this one begins.
    #[must_use]
    pub fn after(mut self, before: &Self, now: Timestamp) -> Self {
        let begins = self.spans.first().map_or(Timestamp::NEVER, |first| first.span.from);
        let kept = before.spans.iter().filter(|kept| kept.span.from < begins).cloned().map(|mut kept| {
            kept.span.until = kept.span.until.min(begins);
            kept
        });
        let kept: Vec<SignedSpan> = kept.filter(|kept| kept.span.until > now).collect();
        let used: BTreeSet<u16> =
            kept.iter().flat_map(|kept| &kept.signatures).flat_map(|made| made.of.iter().copied()).collect();
        self.spans.splice(0..0, kept);
        for key in &before.keys {
            let is_used = public(key).is_ok_and(|key| used.contains(&key.tag()));
            if is_used && !self.keys.contains(key) {
                self.keys.push(key.clone());
            }
        }
        self
    }

    /// Who signs with `key` by what is in here. Every signature is verified.
    pub fn keeper(&self, key: &PublicKey) -> Result<BatchKeeper, BatchError> {
        if self.format != FORMAT {
            return Err(BatchError::Form(format!("format {}", self.format)));
        }
        let zone = self.zone()?;
        let keys = self.public()?;
        let mut signatures = HashMap::new();
        let mut spans = Vec::new();
        let mut all = Context::new(&SHA256);
        for SignedSpan { span, signatures: here } in &self.spans {
            let mut covered: Vec<PublicKey> = Vec::new();
            for made in here {
                let rrsig = BASE64.decode(made.rrsig.as_bytes()).map_err(form)?;
                let wrong = || BatchError::Signature(key.tag());
                let (fields, signature) = Fields::from_rdata(&rrsig).ok_or_else(wrong)?;
                if fields.key_tag != key.tag() || fields.algorithm != key.algorithm().number() {
                    continue;
                }
                let of = |tag: &u16| keys.iter().find(|key| key.tag() == *tag).ok_or_else(wrong);
                let of = made.of.iter().map(of).collect::<Result<Vec<_>, _>>()?;
                let rrset = Rrset::new(fields.covered, zone.as_ref(), &of);
                let mut input = rrset.input(&fields, zone.as_ref());
                let message = input.finish();
                if !key.verifies(message, signature) {
                    return Err(wrong());
                }
                all.update(signature);
                signatures.insert(address(message), signature.into());
                for key in of {
                    if !covered.contains(key) {
                        covered.push(key.clone());
                    }
                }
            }
            spans.push((*span, covered));
        }
        if signatures.is_empty() {
            return Err(BatchError::NotBy(key.tag()));
        }
        let digest = whole(all.finish().as_ref());
        Ok(BatchKeeper { ahead: Ahead { ends: self.ends, spans, digest }, signatures })
    }

    fn public(&self) -> Result<Vec<PublicKey>, BatchError> {
        let keys = self.keys.iter().map(|key| public(key)).collect::<Result<Vec<_>, _>>()?;
        distinct(&keys)?;
        Ok(keys)
    }
}

/// What a key-signing key has signed ahead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ahead {
    ends: Timestamp,
    /// Each with the keys that RRsets may be made of.
    spans: Vec<(Span, Vec<PublicKey>)>,
    /// Of all signatures.
    digest: [u8; 32],
}

impl Ahead {
    /// When the time is over that was asked for.
    pub fn ends(&self) -> Timestamp {
        self.ends
    }

    /// Whether a DNSKEY RRset with this key in it is signed for this time.
    pub fn covers(&self, key: &PublicKey, at: Timestamp) -> bool {
        self.at(at).is_some_and(|(_, keys)| keys.contains(key))
    }

    fn at(&self, at: Timestamp) -> Option<&(Span, Vec<PublicKey>)> {
        self.spans.iter().find(|(span, _)| (span.from..span.until).contains(&at))
    }
}

/// A key-signing key as far as it has signed ahead.
pub struct BatchKeeper {
    ahead: Ahead,
    /// By the digest of what is signed.
    signatures: HashMap<[u8; 32], Box<[u8]>>,
}

impl Keeper for BatchKeeper {
    fn sign(&self, message: &[u8], out: &mut Vec<u8>) -> Result<(), Unavailable> {
        match self.signatures.get(&address(message)) {
            Some(signature) => {
                out.extend(signature);
                Ok(())
            }
            None => Err(Unavailable(
                format!(
                    "among the signatures made ahead, until {}, is none over these records for this time; expected \
                     that `danelaw key request` asks for them",
                    self.ahead.ends
                )
                .into(),
            )),
        }
    }

    fn validity(&self, now: Now) -> Option<Validity> {
        let (span, _) = self.ahead.at(now.latest)?;
        Some(Validity { inception: span.inception, expiration: span.expiration })
    }

    fn ahead(&self) -> Option<&Ahead> {
        Some(&self.ahead)
    }
}

/// An RRset that is made of keys.
struct Rrset {
    rtype: Rtype,
    of: Vec<u16>,
    rdatas: Vec<Vec<u8>>,
}

impl Rrset {
    fn new(rtype: Rtype, zone: NameRef<'_>, keys: &[&PublicKey]) -> Self {
        let of = keys.iter().map(|key| key.tag()).collect();
        let rdatas = keys.iter().map(|key| match rtype {
            Rtype::CDS => key.ds(zone, DigestType::Sha256),
            _ => key.rdata(),
        });
        Self { rtype, of, rdatas: rdatas.collect() }
    }

    /// What a signature with these fields is over.
    fn input(&self, fields: &Fields<'_>, zone: NameRef<'_>) -> SigningInput {
        let mut input = SigningInput::default();
        input.begin(fields, zone);
        for rdata in &self.rdatas {
            input.record(|out| out.extend(rdata));
        }
        input
    }
}

/// Every RRset that these keys can make at the apex.
fn rrsets(zone: NameRef<'_>, zsks: &[PublicKey], ksks: &[PublicKey]) -> Vec<Rrset> {
    let mut all = Vec::new();
    for entry_points in subsets(ksks) {
        for zsks in subsets(zsks) {
            all.push(Rrset::new(Rtype::DNSKEY, zone, &[zsks, entry_points.clone()].concat()));
        }
        all.push(Rrset::new(Rtype::CDS, zone, &entry_points));
        all.push(Rrset::new(Rtype::CDNSKEY, zone, &entry_points));
    }
    all
}

/// All that are not empty.
fn subsets(keys: &[PublicKey]) -> Vec<Vec<&PublicKey>> {
    let has = |subset: u32, at: usize| subset >> at & 1 == 1;
    (1..1u32 << keys.len())
        .map(|subset| {
            keys.iter().enumerate().filter(|(at, _)| has(subset, *at)).map(|(_, key)| key).collect()
        })
        .collect()
}

fn count(what: &'static str, found: usize, most: usize) -> Result<(), BatchError> {
    if (1..=most).contains(&found) { Ok(()) } else { Err(BatchError::Count { what, found, most }) }
}

fn distinct(keys: &[PublicKey]) -> Result<(), BatchError> {
    let twice = |(at, key): (usize, &PublicKey)| {
        keys[..at].iter().any(|other| other.tag() == key.tag()).then_some(key.tag())
    };
    keys.iter().enumerate().find_map(twice).map_or(Ok(()), |tag| Err(BatchError::SameTag(tag)))
}

fn address(message: &[u8]) -> [u8; 32] {
    whole(digest(&SHA256, message).as_ref())
}

fn whole(digest: &[u8]) -> [u8; 32] {
    let mut whole = [0; 32];
    whole.copy_from_slice(digest);
    whole
}

fn text(dnskey: &[u8]) -> String {
    rdata::display(Rtype::DNSKEY, dnskey).to_string()
}

fn public(text: &str) -> Result<PublicKey, BatchError> {
    let rdata = rdata::from_text(Rtype::DNSKEY, text, Name::root().as_ref());
    Ok(PublicKey::from_rdata(&rdata.map_err(|_| BatchError::Form(format!("`{text}` is no DNSKEY")))?)?)
}

fn name(text: &str) -> Result<Name, BatchError> {
    Name::parse(text).map_err(|error| BatchError::Form(format!("`{text}`: {error}")))
}

fn form(error: impl std::fmt::Display) -> BatchError {
    BatchError::Form(error.to_string())
}

impl std::str::FromStr for Request {
    type Err = BatchError;
    fn from_str(text: &str) -> Result<Self, BatchError> {
        serde_json::from_str(text).map_err(form)
    }
}

impl std::str::FromStr for Batch {
    type Err = BatchError;
    fn from_str(text: &str) -> Result<Self, BatchError> {
        serde_json::from_str(text).map_err(form)
    }
}

/// What goes into a file.
pub fn to_text(content: &impl Serialize) -> Result<String, BatchError> {
    serde_json::to_string_pretty(content).map(|text| text + "\n").map_err(form)
}

#[cfg(test)]
mod tests;
