//! What a response of somebody else's server proves to one who trusts a zone's keys (RFC 4035 §5).
//!
//! [`Reply`] is a response as RRsets with their signatures. [`Reply::proves`] says what it proves of a name and a type:
//! records, an alias, or that there is nothing; and if nothing is proven, why not. It asks no questions: whose keys
//! are to be trusted, and who is asked next, is for the caller to know.
//!
//! Aliases made of DNAME records are not followed: a synthesized CNAME record has no signature.

mod denial;
mod dnskey;

pub use denial::{Delegation, Denials};
pub use dnskey::Dnskey;

use super::rrsig::{Fields, SigningInput, label_count};
use crate::dns::message::reader::Malformed;
use crate::dns::message::{Edns, HEADER, Header, Rcode, Reader, flag};
use crate::dns::name::{Name, NameRef};
use crate::dns::rdata;
use crate::dns::rtype::{CLASS_IN, Rtype};
use crate::dns::time::{Now, Timestamp, Ttl};

/// An RRset as it came, with its signatures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rrset {
    /// The owner.
    pub owner: Name,
    /// The type.
    pub rtype: Rtype,
    /// The largest TTL among its records.
    pub ttl: Ttl,
    /// Uncompressed.
    pub rdatas: Vec<Vec<u8>>,
    /// The rdata of the RRSIG records that cover it.
    pub signatures: Vec<Vec<u8>>,
}

/// A response, its records put together to RRsets.
#[derive(Debug, Clone)]
pub struct Reply {
    /// How it went.
    pub rcode: Rcode,
    /// Whether the server holds the zone.
    pub authoritative: bool,
    /// What was asked for.
    pub answer: Vec<Rrset>,
    /// Denials, referrals.
    pub authority: Vec<Rrset>,
    /// Addresses of nameservers.
    pub additional: Vec<Rrset>,
}

/// What a response proves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Proof {
    /// There are these records.
    Records {
        /// Their rdata.
        rdatas: Vec<Vec<u8>>,
        /// Their TTL.
        ttl: Ttl,
        /// When the last valid signature expires.
        expires: Timestamp,
    },
    /// The name is an alias.
    Alias {
        /// Of this name.
        target: Name,
    },
    /// The name exists, or others below it do, and has no records of the type.
    NoData,
    /// The name does not exist.
    NoName,
}

/// Why a response proves nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    /// The server does not answer the question.
    #[error("answers {0}")]
    Rcode(Rcode),
    /// The server does not hold the zone.
    #[error("is not authoritative for the zone")]
    NotAuthoritative,
    /// A signature.
    #[error("{rtype} RRset {why}")]
    Unproven {
        /// The RRset without proof.
        rtype: Rtype,
        /// Why.
        why: Unproven,
    },
    /// An answer made of a wildcard, where there might be a closer name.
    #[error("answers from a wildcard without proof that there is no closer name")]
    CloserName,
    /// NXDOMAIN.
    #[error("says that the name does not exist, without proof")]
    NoName,
    /// An empty answer.
    #[error("says that there are no such records, without proof")]
    NoData,
}

/// Why an RRset is not proven.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unproven {
    /// There is no signature.
    #[error("has no signature")]
    Unsigned,
    /// The signature is too old.
    #[error("has a signature that expired at {0}")]
    Expired(Timestamp),
    /// The signature is of the future.
    #[error("has a signature that is not valid before {0}")]
    NotYet(Timestamp),
    /// Another zone's signature.
    #[error("is signed by {0}, expected the zone that holds it")]
    Signer(Name),
    /// A key that is not among the zone's.
    #[error("is signed by key {0}, which the zone does not have")]
    UnknownKey(u16),
    /// Nobody can tell.
    #[error("is signed with algorithm {0}, which is not understood here")]
    Algorithm(u8),
    /// The signature is of something else.
    #[error("does not match its signature by key {0}")]
    Wrong(u16),
    /// It cannot be read.
    #[error("has a malformed signature")]
    Malformed,
}

/// What is known of an RRset whose signature is right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verified {
    /// When the last valid signature expires.
    pub expires: Timestamp,
    /// If it was made of a wildcard: how many labels the wildcard's parent has.
    pub encloser: Option<usize>,
}

impl Rrset {
    /// Whether one of its signatures is by one of `keys` of `zone`, and valid (RFC 4035 §5.3).
    pub fn verify(&self, zone: NameRef<'_>, keys: &[Dnskey], now: Now) -> Result<Verified, Unproven> {
        let mut verified: Option<Verified> = None;
        let mut first = None;
        for rdata in &self.signatures {
            match self.verify_one(rdata, zone, keys, now) {
                Ok(one) if verified.is_none_or(|best| best.expires < one.expires) => verified = Some(one),
                Ok(_) => {}
                Err(why) => {
                    first.get_or_insert(why);
                }
            }
        }
        verified.ok_or(first.unwrap_or(Unproven::Unsigned))
    }

    fn verify_one(
        &self,
        rdata: &[u8],
        zone: NameRef<'_>,
        keys: &[Dnskey],
        now: Now,
    ) -> Result<Verified, Unproven> {
        let (fields, signature) = Fields::from_rdata(rdata).ok_or(Unproven::Malformed)?;
        let owner = self.owner.as_ref();
        if fields.covered != self.rtype {
            return Err(Unproven::Unsigned);
        }
        if fields.signer != zone || !owner.is_at_or_below(zone) {
            return Err(Unproven::Signer(fields.signer.to_owned()));
        }
        let (own, signed) = (usize::from(label_count(owner)), usize::from(fields.labels));
        let Some(expanded) = own.checked_sub(signed) else { return Err(Unproven::Malformed) };
        let (begins, expires) =
            (now.shown.nearest_rrsig(fields.inception), now.latest.nearest_rrsig(fields.expiration));
        if expires < now.latest {
            return Err(Unproven::Expired(expires));
        }
        if now.shown < begins {
            return Err(Unproven::NotYet(begins));
        }
        let mut candidates = keys
            .iter()
            .filter(|key| key.tag() == fields.key_tag && key.algorithm() == fields.algorithm)
            .peekable();
        match candidates.peek() {
            None => return Err(Unproven::UnknownKey(fields.key_tag)),
            Some(key) if !key.is_understood() => return Err(Unproven::Algorithm(fields.algorithm)),
            Some(_) => {}
        }
        let encloser = ancestors(owner).nth(expanded).filter(|_| expanded > 0);
        let wildcard = encloser.map(|encloser| encloser.to_owned().child(b"*"));
        let wildcard = wildcard.transpose().map_err(|_| Unproven::Malformed)?;
        let mut input = SigningInput::default();
        input.begin(&fields, wildcard.as_ref().map_or(owner, Name::as_ref));
        for rdata in &self.rdatas {
            input.record(|out| rdata::canonical(self.rtype, rdata, out));
        }
        let message = input.finish();
        if !candidates.any(|key| key.verifies(message, signature)) {
            return Err(Unproven::Wrong(fields.key_tag));
        }
        Ok(Verified { expires, encloser: wildcard.map(|_| signed) })
    }
}

impl Reply {
    /// Puts the records of a response together. Classes other than IN are passed over.
    pub fn read(message: &[u8]) -> Result<Self, Malformed> {
        let header = Header::of(message).ok_or(Malformed)?;
        let mut reader = Reader::new(message, 4);
        let counts = [reader.u16()?, reader.u16()?, reader.u16()?, reader.u16()?];
        let mut reader = Reader::new(message, HEADER);
        for _ in 0..counts[0] {
            reader.question()?;
        }
        let mut rcode = header.rcode();
        let mut sections = [Vec::new(), Vec::new(), Vec::new()];
        for (section, count) in sections.iter_mut().zip(&counts[1..]) {
            for _ in 0..*count {
                let record = reader.record()?;
                if record.rtype == Rtype::OPT {
                    let extended = Edns::of(record.class, record.ttl).extended_rcode;
                    rcode = Rcode(rcode.0 | u16::from(extended) << 4);
                } else if record.class == CLASS_IN {
                    let owner = Reader::new(message, record.at).name()?;
                    let mut rdata = Vec::new();
                    rdata::decompress(message, &record, &mut rdata).map_err(|_| Malformed)?;
                    add(section, owner.as_ref(), record.rtype, Ttl(record.ttl), rdata);
                }
            }
        }
        let [answer, authority, additional] = sections;
        Ok(Self { rcode, authoritative: header.has(flag::AA), answer, authority, additional })
    }

    /// What it proves of `name` and `rtype` to one who trusts `keys` of `zone`.
    pub fn proves(
        &self,
        zone: NameRef<'_>,
        keys: &[Dnskey],
        name: NameRef<'_>,
        rtype: Rtype,
        now: Now,
    ) -> Result<Proof, Flaw> {
        if !matches!(self.rcode, Rcode::NOERROR | Rcode::NXDOMAIN) {
            return Err(Flaw::Rcode(self.rcode));
        }
        if !self.authoritative {
            return Err(Flaw::NotAuthoritative);
        }
        for wanted in [rtype, Rtype::CNAME] {
            let Some(rrset) = find(&self.answer, name, wanted) else { continue };
            let flaw = |why| Flaw::Unproven { rtype: wanted, why };
            let verified = rrset.verify(zone, keys, now).map_err(flaw)?;
            if let Some(encloser) = verified.encloser
                && !self.denials(zone, keys, now)?.no_closer(name, encloser)
            {
                return Err(Flaw::CloserName);
            }
            let alias = rrset.rdatas.first().filter(|_| wanted != rtype);
            return Ok(match alias.map(|rdata| NameRef::from_wire(rdata)) {
                Some(Ok(target)) => Proof::Alias { target: target.to_owned() },
                Some(Err(_)) => return Err(flaw(Unproven::Malformed)),
                None => {
                    Proof::Records { rdatas: rrset.rdatas.clone(), ttl: rrset.ttl, expires: verified.expires }
                }
            });
        }
        let denials = self.denials(zone, keys, now)?;
        if self.rcode == Rcode::NXDOMAIN {
            return if denials.no_name(name) { Ok(Proof::NoName) } else { Err(Flaw::NoName) };
        }
        if denials.no_data(name, rtype) { Ok(Proof::NoData) } else { Err(Flaw::NoData) }
    }

    /// The NSEC and NSEC3 records, which must all be proven.
    pub fn denials(&self, zone: NameRef<'_>, keys: &[Dnskey], now: Now) -> Result<Denials, Flaw> {
        let denials =
            || self.authority.iter().filter(|rrset| matches!(rrset.rtype, Rtype::NSEC | Rtype::NSEC3));
        for rrset in denials() {
            rrset.verify(zone, keys, now).map_err(|why| Flaw::Unproven { rtype: rrset.rtype, why })?;
        }
        Ok(Denials::of(zone, denials()))
    }
}

/// The RRset of this owner and type.
pub fn find<'r>(section: &'r [Rrset], owner: NameRef<'_>, rtype: Rtype) -> Option<&'r Rrset> {
    let found = section.iter().find(|rrset| rrset.rtype == rtype && rrset.owner.as_ref() == owner);
    found.filter(|rrset| !rrset.rdatas.is_empty())
}

/// Adds a record to the RRset that it belongs to, a signature to the one that it covers.
fn add(section: &mut Vec<Rrset>, owner: NameRef<'_>, rtype: Rtype, ttl: Ttl, rdata: Vec<u8>) {
    let covered =
        Fields::from_rdata(&rdata).filter(|_| rtype == Rtype::RRSIG).map(|(fields, _)| fields.covered);
    let of = covered.unwrap_or(rtype);
    let at = section.iter().position(|rrset| rrset.rtype == of && rrset.owner.as_ref() == owner);
    let at = at.unwrap_or_else(|| {
        let (rdatas, signatures) = (Vec::new(), Vec::new());
        section.push(Rrset { owner: owner.to_owned(), rtype: of, ttl: Ttl(0), rdatas, signatures });
        section.len() - 1
    });
    let rrset = &mut section[at];
    if covered.is_some() {
        rrset.signatures.push(rdata);
    } else {
        rrset.ttl = rrset.ttl.max(ttl);
        rrset.rdatas.push(rdata);
    }
}

/// The name, its parent, and so on to the root.
fn ancestors(name: NameRef<'_>) -> impl Iterator<Item = NameRef<'_>> {
    std::iter::successors(Some(name), |name| name.parent())
}

#[cfg(test)]
mod tests;
