//! Zones to ask questions of.

use std::collections::BTreeMap;

use crate::dns::name::Name;
use crate::dns::rtype::Rtype;
use crate::dns::time::Ttl;
use crate::zone::{Contents, NodeBuilder, Snapshot};

pub(super) fn nsec() -> Snapshot {
    raw(include_bytes!("nsec.raw"))
}
pub(super) fn nsec3() -> Snapshot {
    raw(include_bytes!("nsec3.raw"))
}
pub(super) fn opt_out() -> Snapshot {
    raw(include_bytes!("optout.raw"))
}

type Records = BTreeMap<Name, BTreeMap<Rtype, (Ttl, Vec<Vec<u8>>, Vec<Vec<u8>>)>>;

fn raw(bytes: &[u8]) -> Snapshot {
    let mut at = 24;
    let mut records = Records::new();
    let u16_at = |at: usize| u16::from_be_bytes([bytes[at], bytes[at + 1]]);
    let u32_at = |at: usize| u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
    while at < bytes.len() {
        let rtype = Rtype(u16_at(at + 6));
        let covers = Rtype(u16_at(at + 8));
        let ttl = Ttl(u32_at(at + 10));
        let count = u32_at(at + 14);
        let length = u16_at(at + 18) as usize;
        let owner = Name::from_wire(&bytes[at + 20..at + 20 + length]).unwrap();
        at += 20 + length;
        for _ in 0..count {
            let length = u16_at(at) as usize;
            let rdata = bytes[at + 2..at + 2 + length].to_vec();
            at += 2 + length;
            let entry = records.entry(owner.clone()).or_default();
            let entry = entry.entry(if rtype == Rtype::RRSIG { covers } else { rtype }).or_default();
            if rtype == Rtype::RRSIG { entry.2.push(rdata) } else { entry.0 = ttl; entry.1.push(rdata) }
        }
    }
    build(&records)
}

fn build(records: &Records) -> Snapshot {
    let mut contents = Contents::new(Name::parse("example.test").unwrap());
    let mut builder = NodeBuilder::default();
    for (owner, rrsets) in records {
        builder.start(owner.as_ref());
        for (rtype, (ttl, rdatas, signatures)) in rrsets {
            builder.begin(*rtype);
            for rdata in rdatas { builder.record(*ttl, rdata); }
            for rdata in signatures { builder.signature(*ttl, rdata); }
        }
        let node = builder.finish().unwrap();
        if node.has(Rtype::NSEC3) { contents.nsec3.insert(node); } else { contents.nodes.insert(node); }
    }
    Snapshot::new(contents).unwrap()
}
