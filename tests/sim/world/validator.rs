//! A validating resolver's judgement, independent of the signer: hickory-proto reads and verifies, the logic is here.
//!
//! It is strict: every algorithm of the DS RRset has to lead to the zone's keys, and to the data (RFC 4035 §2.2).

use std::collections::{BTreeMap, BTreeSet};

use danelaw::dns::name::Name;
use danelaw::dns::rtype::Rtype;
use danelaw::dns::time::{Seconds, Timestamp};
use hickory_proto::dnssec::Verifier;
use hickory_proto::dnssec::rdata::{DNSKEY, DNSSECRData, DS, RRSIG};
use hickory_proto::rr::{self, DNSClass, RData, Record};
use hickory_proto::serialize::binary::BinDecodable;

use super::Served;

/// An RRset as it was given out, signatures and all.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Answer {
    pub(crate) owner: Name,
    pub(crate) rtype: Rtype,
    pub(crate) ttl: u32,
    pub(crate) rdatas: Vec<Vec<u8>>,
    pub(crate) signatures: Vec<Vec<u8>>,
}

/// What has been verified, once for all.
#[derive(Default)]
pub(crate) struct Validator {
    /// Whether a signature of an answer is by a key.
    known: BTreeMap<(Vec<u8>, Vec<u8>, Answer), bool>,
}

impl Answer {
    /// What a nameserver gives out; without records where there are none.
    pub(crate) fn of(served: &Served, owner: &Name, rtype: Rtype) -> Self {
        let node = served.snapshot.nodes.get(owner.as_ref());
        let rrset = node.and_then(|node| node.rrset(rtype));
        Self {
            owner: owner.clone(),
            rtype,
            ttl: rrset.map_or(served.snapshot.negative_ttl(), |rrset| rrset.ttl()).0,
            rdatas: rrset.map_or(Vec::new(), |rrset| rrset.rdatas().map(<[u8]>::to_vec).collect()),
            signatures: rrset
                .map_or(Vec::new(), |rrset| rrset.signature_rdatas().map(<[u8]>::to_vec).collect()),
        }
    }

    /// Which keys it has, and which signed it until when, for people.
    fn tags(&self) -> String {
        let mut said = format!("{} with TTL {}", self.rtype, self.ttl);
        for rdata in self.rdatas.iter().filter(|_| self.rtype == Rtype::DNSKEY) {
            said += &format!(", key {}", dnskey(rdata).calculate_key_tag().unwrap());
        }
        for signature in &self.signatures {
            let rrsig = rrsig(&self.owner, signature);
            let input = rrsig.input();
            let until = Timestamp(u64::from(input.sig_expiration.get()));
            said += &format!(", signed by {} until {until}", input.key_tag);
        }
        said
    }

    fn records(&self) -> Vec<Record> {
        self.rdatas.iter().map(|rdata| record(&self.owner, self.rtype.0, self.ttl, rdata)).collect()
    }
}

impl Validator {
    /// Why a validator that holds these refuses the data.
    pub(crate) fn refuses(
        &mut self,
        ds: &BTreeSet<Vec<u8>>,
        dnskey: &Answer,
        data: &Answer,
        now: Timestamp,
    ) -> Option<String> {
        if ds.is_empty() {
            return None;
        }
        let apex = rr::Name::from_ascii(dnskey.owner.to_string()).unwrap();
        let keys: Vec<(&Vec<u8>, DNSKEY)> =
            dnskey.rdatas.iter().map(|rdata| (rdata, self::dnskey(rdata))).collect();
        let ds: Vec<DS> = ds.iter().map(|rdata| self::ds(rdata)).collect();
        let algorithms: BTreeSet<u8> = ds.iter().map(|ds| u8::from(ds.algorithm())).collect();
        for algorithm in algorithms {
            let of = |ds: &&DS| u8::from(ds.algorithm()) == algorithm;
            let entries: Vec<_> = keys
                .iter()
                .filter(|(_, key)| ds.iter().filter(of).any(|ds| ds.covers(&apex, key).unwrap_or(false)))
                .collect();
            if !entries.iter().any(|(rdata, key)| self.signed_by(dnskey, rdata, key, now)) {
                return Some(format!(
                    "no DS of algorithm {algorithm} leads to the DNSKEY RRset; DS {:?}, {}",
                    ds.iter().map(DS::key_tag).collect::<Vec<_>>(),
                    dnskey.tags()
                ));
            }
            let same = keys.iter().filter(|(rdata, _)| rdata[3] == algorithm);
            if !same.clone().any(|(rdata, key)| self.signed_by(data, rdata, key, now)) {
                return Some(format!(
                    "{} {} has no signature of algorithm {algorithm}: {}; {}",
                    data.owner,
                    data.rtype,
                    data.tags(),
                    dnskey.tags()
                ));
            }
        }
        None
    }

    /// Whether a signature of the answer is valid now, and by this key.
    fn signed_by(&mut self, answer: &Answer, rdata: &[u8], key: &DNSKEY, now: Timestamp) -> bool {
        answer.signatures.iter().any(|signature| {
            let rrsig = rrsig(&answer.owner, signature);
            let input = rrsig.input();
            let moment = now.rrsig();
            let is_now = input.sig_inception.get() <= moment && moment <= input.sig_expiration.get();
            if !is_now || input.key_tag != key.calculate_key_tag().unwrap() {
                return false;
            }
            let known = (signature.clone(), rdata.to_vec(), answer.clone());
            *self.known.entry(known).or_insert_with(|| {
                let owner = rr::Name::from_ascii(answer.owner.to_string()).unwrap();
                key.verify_rrsig(&owner, DNSClass::IN, &rrsig, answer.records().iter()).is_ok()
            })
        })
    }

    /// How long a cache may use an answer. Not all of them look at when a signature expires (RFC 4035 §5.3.3).
    pub(crate) fn until(answer: &Answer, now: Timestamp) -> Timestamp {
        now + Seconds(u64::from(answer.ttl))
    }

    /// Forgets what was verified of answers that nobody holds any more.
    pub(crate) fn forget(&mut self) {
        if self.known.len() > 4_000 {
            self.known.clear();
        }
    }
}

/// A record in wire form, read by hickory.
fn record(owner: &Name, rtype: u16, ttl: u32, rdata: &[u8]) -> Record {
    let wire = [
        owner.as_ref().wire(),
        &rtype.to_be_bytes(),
        &1_u16.to_be_bytes(),
        &ttl.to_be_bytes(),
        &(rdata.len() as u16).to_be_bytes(),
        rdata,
    ]
    .concat();
    Record::from_bytes(&wire).unwrap()
}

fn dnskey(rdata: &[u8]) -> DNSKEY {
    match record(&Name::root(), 48, 0, rdata).data {
        RData::DNSSEC(DNSSECRData::DNSKEY(dnskey)) => dnskey,
        other => panic!("{other:?} is no DNSKEY"),
    }
}

fn ds(rdata: &[u8]) -> DS {
    match record(&Name::root(), 43, 0, rdata).data {
        RData::DNSSEC(DNSSECRData::DS(ds)) => ds,
        other => panic!("{other:?} is no DS"),
    }
}

fn rrsig(owner: &Name, rdata: &[u8]) -> RRSIG {
    match record(owner, 46, 0, rdata).data {
        RData::DNSSEC(DNSSECRData::RRSIG(rrsig)) => rrsig,
        other => panic!("{other:?} is no RRSIG"),
    }
}
