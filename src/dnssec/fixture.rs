//! Zones, keys and moments that the tests of signing and of validation share.

#![allow(clippy::disallowed_methods, reason = "tests may use the clock, files and randomness")]

use super::key::{Algorithm, PublicKey, Role, SigningKey};
use super::keyset::{KeySet, Layout, Timing};
use super::policy::{DenialPolicy, Policy};
use super::sign::{Request, Signed, sign};
use super::validate::{Expected, Invalid, Verified, validate};
use crate::dns::name::Name;
use crate::dns::rtype::Rtype;
use crate::dns::time::{Timestamp, Ttl};
use crate::zone::revision::Dirty;
use crate::zone::{Contents, Delta, Node, Serial, Snapshot};
use data_encoding::HEXUPPER;
use ring::rand::SystemRandom;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;

pub(super) const DAY_0: Timestamp = Timestamp(1_800_000_000);
pub(super) const APEX: &str = "example.test.";

/// Delegations with and without DS, glue, hidden data, a wildcard, empty non-terminals, a DNAME, odd names.
pub(super) const ZONE: &[&str] = &[
    "@ SOA ns.example.test. hostmaster.example.test. 1 3600 600 1209600 300",
    "@ NS ns.example.test.",
    "@ NS ns.insecure.example.test.",
    "@ MX 10 MAIL.example.test.",
    "@ MX 10 backup.example.test.",
    "ns A 192.0.2.53",
    "Mail A 192.0.2.25",
    "_25._tcp.mail TLSA abcdef",
    "*.wild TXT any",
    "sub.wild TXT one",
    "a.b.c.ent TXT deep",
    "insecure NS ns.insecure.example.test.",
    "insecure TXT hidden",
    "ns.insecure A 192.0.2.54",
    "sub.ns.insecure TXT hidden",
    "secure NS ns.example.test.",
    "secure NS ns.secure.example.test.",
    "secure DS aabbcc",
    "ns.secure A 192.0.2.55",
    "only.below.insecure.ent2 NS ns.example.test.",
    "alias CNAME www.example.test.",
    "tree DNAME other.example.",
    "tree TXT beside",
    "under.tree A 192.0.2.66",
    "www A 192.0.2.80",
    "www A 192.0.2.81",
    "\\000\\255.www TXT odd",
    "zzz TYPE65280 00",
];

pub(super) fn name(text: &str) -> Name {
    match text {
        "@" => Name::parse(APEX).unwrap(),
        relative => Name::parse(&format!("{relative}.{APEX}")).unwrap(),
    }
}

/// The rdata of the few types that tests write.
fn rdata(rtype: Rtype, fields: &[&str]) -> Vec<u8> {
    let wire = |text: &str| Name::parse(text).unwrap().to_vec();
    match rtype {
        Rtype::A => fields[0].split('.').map(|octet| octet.parse::<u8>().unwrap()).collect(),
        Rtype::NS | Rtype::CNAME | Rtype::DNAME => wire(fields[0]),
        Rtype::MX => [&fields[0].parse::<u16>().unwrap().to_be_bytes()[..], &wire(fields[1])].concat(),
        Rtype::TXT => [&[fields[0].len() as u8], fields[0].as_bytes()].concat(),
        Rtype::SOA => {
            let mut out = [wire(fields[0]), wire(fields[1])].concat();
            fields[2..].iter().for_each(|number| out.extend(number.parse::<u32>().unwrap().to_be_bytes()));
            out
        }
        Rtype::DS => [&[1, 2, 13, 2][..], &[fields[0].as_bytes()[0]; 32]].concat(),
        Rtype::TLSA => [&[3, 1, 1][..], &[fields[0].as_bytes()[0]; 32]].concat(),
        _ => vec![7; 5],
    }
}

/// Records by owner and type.
pub(super) type Records = BTreeMap<(Name, Rtype), Vec<Vec<u8>>>;

pub(super) fn records(lines: &[&str]) -> Records {
    let mut records = Records::new();
    for line in lines {
        let fields: Vec<_> = line.split(' ').collect();
        let rtype: Rtype = fields[1].parse().unwrap();
        records.entry((name(fields[0]), rtype)).or_default().push(rdata(rtype, &fields[2..]));
    }
    records
}

pub(super) fn contents(records: &Records) -> Contents {
    let mut contents = Contents::new(name("@"));
    for ((owner, rtype), rdatas) in records {
        let rdatas: Vec<_> = rdatas.iter().map(Vec::as_slice).collect();
        contents.set(owner, *rtype, Ttl(600), &rdatas);
    }
    contents
}

/// A signer with its keys.
pub(super) struct Signer {
    pub(super) keys: KeySet,
    pub(super) policy: Policy,
    pub(super) zonemd: bool,
    random: SystemRandom,
}

impl Signer {
    pub(super) fn new(layout: Layout, denial: DenialPolicy) -> Self {
        Self::with_algorithms(layout, denial, &[Algorithm::EcdsaP256Sha256])
    }

    /// With the keys of a layout for each of some algorithms.
    pub(super) fn with_algorithms(layout: Layout, denial: DenialPolicy, algorithms: &[Algorithm]) -> Self {
        let random = SystemRandom::new();
        let roles: &[Role] = if layout == Layout::Csk { &[Role::Csk] } else { &[Role::Ksk, Role::Zsk] };
        let keys = algorithms.iter().flat_map(|&algorithm| roles.iter().map(move |&role| (algorithm, role)));
        let keys = keys.map(|(algorithm, role)| {
            let key = SigningKey::generate(&name("@"), role, algorithm, &[], &random).unwrap().0;
            (Arc::new(key), Timing::default())
        });
        let keys = KeySet::new(keys, layout, DAY_0).unwrap();
        Self { keys, policy: Policy { layout, denial, ..Policy::default() }, zonemd: false, random }
    }

    pub(super) fn public(&self) -> Vec<PublicKey> {
        self.keys.public().cloned().collect()
    }

    pub(super) fn sign(
        &self,
        previous: Option<&Snapshot>,
        contents: Contents,
        dirty: &Dirty,
        now: Timestamp,
    ) -> Signed {
        let serial = previous.map_or(Serial(1), |previous| previous.serial().successor());
        let (keys, policy) = (&self.keys, &self.policy);
        let (zonemd, now) = (self.zonemd, now.into());
        sign(Request { previous, contents, dirty, keys, policy, zonemd, serial, now }, &self.random).unwrap()
    }

    pub(super) fn first(&self, records: &Records, now: Timestamp) -> Signed {
        self.sign(None, contents(records), &Dirty::Everything, now)
    }

    pub(super) fn validate(
        &self,
        old: Option<&Snapshot>,
        new: &Snapshot,
        delta: &Delta,
        now: Timestamp,
    ) -> Result<Verified, Invalid> {
        let (keys, denial) = (&self.public(), self.policy.denial);
        let expected = Expected { keys, hidden: &[], foreign: self.keys.foreign(), denial, now: now.into() };
        validate(old, Arc::new(new.clone()), delta, &expected)
    }

    /// Validates `new` as if there had been nothing before.
    pub(super) fn validate_whole(&self, new: &Snapshot, now: Timestamp) -> Result<Verified, Invalid> {
        self.validate(None, new, &Delta::between(None, new, None, new.serial()), now)
    }
}

/// Every way of signing there is, those with other algorithms last.
pub(super) fn every_signer() -> impl Iterator<Item = Signer> {
    use Algorithm::{EcdsaP256Sha256, EcdsaP384Sha384, Ed25519};
    let usual = [Layout::Csk, Layout::KskZsk].into_iter().flat_map(|layout| {
        [DenialPolicy::Nsec, DenialPolicy::Nsec3, DenialPolicy::Nsec3OptOut]
            .into_iter()
            .map(move |denial| Signer::new(layout, denial))
    });
    usual.chain([
        Signer::with_algorithms(Layout::KskZsk, DenialPolicy::Nsec3, &[EcdsaP384Sha384]),
        Signer::with_algorithms(Layout::Csk, DenialPolicy::Nsec, &[Ed25519]),
        Signer::with_algorithms(Layout::KskZsk, DenialPolicy::Nsec, &[EcdsaP256Sha256, Ed25519]),
    ])
}

/// One line a record, rdata in the generic form of RFC 3597.
pub(super) fn text(snapshot: &Snapshot) -> String {
    let mut text = String::new();
    for node in snapshot.nodes.iter().chain(&snapshot.nsec3) {
        for rrset in node.rrsets() {
            let mut line = |rtype: Rtype, rdata: &[u8]| {
                let (owner, ttl, length) = (node.owner(), rrset.ttl(), rdata.len());
                writeln!(text, "{owner} {ttl} IN {rtype} \\# {length} {}", HEXUPPER.encode(rdata)).unwrap();
            };
            rrset.rdatas().for_each(|rdata| line(rrset.rtype, rdata));
            rrset.signature_rdatas().for_each(|rdata| line(Rtype::RRSIG, rdata));
        }
    }
    text
}

/// Owners, types, TTLs, rdata, and whether there are signatures, but not which.
pub(super) fn outline(contents: &Contents) -> Vec<String> {
    let outline = |node: &Node| {
        node.rrsets()
            .map(|rrset| {
                let rdatas: Vec<_> = rrset.rdatas().map(|rdata| HEXUPPER.encode(rdata)).collect();
                let (owner, count) = (node.owner(), rrset.signature_count);
                format!("{owner} {} {} {rdatas:?} signatures {count}", rrset.rtype, rrset.ttl())
            })
            .collect::<Vec<_>>()
    };
    contents.nodes.iter().chain(&contents.nsec3).flat_map(outline).collect()
}
