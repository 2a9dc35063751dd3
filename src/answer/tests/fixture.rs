//! Zones to ask questions of: `plain.zone` signed by BIND's `dnssec-signzone` (NSEC, NSEC3, opt-out), and small ones
//! written where they are needed.

use std::collections::BTreeMap;

use crate::dns::name::Name;
use crate::dns::rdata;
use crate::dns::rtype::Rtype;
use crate::dns::time::Ttl;
use crate::zone::{Contents, NodeBuilder, Snapshot};

pub(super) fn nsec() -> Snapshot {
    zone("example.test.", include_str!("nsec.zone"))
}

pub(super) fn nsec3() -> Snapshot {
    zone("example.test.", include_str!("nsec3.zone"))
}

pub(super) fn opt_out() -> Snapshot {
    zone("example.test.", include_str!("opt-out.zone"))
}

#[derive(Default)]
struct Rrset {
    ttl: Ttl,
    rdatas: Vec<Vec<u8>>,
    signatures: Vec<Vec<u8>>,
}

/// A zone of lines `owner ttl IN type rdata`, names absolute.
pub(super) fn zone(origin: &str, text: &str) -> Snapshot {
    let origin = Name::parse(origin).unwrap();
    let mut records: BTreeMap<Name, BTreeMap<Rtype, Rrset>> = BTreeMap::new();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let [owner, ttl, _, rtype, text] = line.splitn(5, ' ').collect::<Vec<_>>()[..] else {
            panic!("{line}");
        };
        let rtype: Rtype = rtype.parse().unwrap();
        let rdata = rdata::from_text(rtype, text, origin.as_ref()).unwrap();
        let signature = rtype == Rtype::RRSIG;
        let covered = if signature { Rtype(u16::from_be_bytes([rdata[0], rdata[1]])) } else { rtype };
        let rrsets = records.entry(Name::parse(owner).unwrap()).or_default();
        let rrset = rrsets.entry(covered).or_default();
        rrset.ttl = Ttl(ttl.parse().unwrap());
        if signature { &mut rrset.signatures } else { &mut rrset.rdatas }.push(rdata);
    }
    let mut contents = Contents::new(origin);
    let mut builder = NodeBuilder::default();
    for (owner, rrsets) in records {
        builder.start(owner.as_ref());
        for (rtype, mut rrset) in rrsets {
            rrset.rdatas.sort();
            builder.begin(rtype);
            rrset.rdatas.iter().for_each(|rdata| builder.record(rrset.ttl, rdata));
            rrset.signatures.iter().for_each(|rdata| builder.signature(rrset.ttl, rdata));
        }
        let node = builder.finish().unwrap();
        if node.has(Rtype::NSEC3) { &mut contents.nsec3 } else { &mut contents.nodes }.insert(node);
    }
    Snapshot::new(contents).unwrap()
}
