//! Whether what danelaw puts into the additional section is the zones' data, whole RRsets of it, and of use.

use std::collections::BTreeSet;

use danelaw::dns::name::NameRef;
use danelaw::dns::rtype::Rtype;
use danelaw::zone::RrsetRef;

use super::compare::Case;
use super::wire::{Record, names_within};

/// What is wrong with the additional section of danelaw's response over TCP, where there is room for everything;
/// nothing where it is sound.
pub(crate) fn flaw(case: &Case<'_>) -> Option<String> {
    let section = &case.ours.additional;
    let wanted = targets(case);
    section.iter().find_map(|record| {
        let fault = match record.of_type() {
            rtype if !is_of_use(case, rtype) => "not of use",
            _ if !wanted.contains(&record.owner) => "nothing points to it",
            _ if !is_held_whole(case, record) => "not an RRset of any zone",
            _ => return None,
        };
        Some(format!("in the additional section, {fault}: {record}"))
    })
}

/// Addresses always are, and bindings to whoever asked for those (RFC 9460 §4.1).
fn is_of_use(case: &Case<'_>, rtype: Rtype) -> bool {
    let bindings = matches!(rtype, Rtype::SVCB | Rtype::HTTPS);
    matches!(rtype, Rtype::A | Rtype::AAAA) || bindings && rtype == case.question.rtype
}

/// The names that records in the answer and authority sections point to, where addresses are meant (RFC 1035 §3.3,
/// RFC 2782, RFC 9460 §4.1).
fn targets(case: &Case<'_>) -> BTreeSet<Vec<u8>> {
    let records = case.ours.answer.iter().chain(&case.ours.authority);
    let pointing = records.filter(|record| {
        matches!(record.rtype, Rtype::NS | Rtype::MX | Rtype::SRV | Rtype::SVCB | Rtype::HTTPS)
    });
    pointing
        .map(|record| {
            let target = NameRef::from_wire(&record.rdata[names_within(record.rtype).0..]).unwrap().wire();
            // RFC 9460 §2.5.2.
            if target == [0] { record.owner.clone() } else { target.to_vec() }
        })
        .collect()
}

/// Whether some zone has the RRset that `record` is of, or signs, in the very form that the section has it in: every
/// record, and with DO every signature (RFC 2181 §5, RFC 4035 §3.1.1).
fn is_held_whole(case: &Case<'_>, record: &Record) -> bool {
    let owner = NameRef::from_wire(&record.owner).unwrap();
    let in_section = |rtype: Rtype| -> BTreeSet<&[u8]> {
        let same = |other: &&Record| {
            other.owner == record.owner && other.rtype == rtype && other.of_type() == record.of_type()
        };
        case.ours.additional.iter().filter(same).map(|other| &other.rdata[..]).collect()
    };
    let is_it = |rrset: RrsetRef<'_>| {
        let signatures: BTreeSet<&[u8]> =
            rrset.signature_rdatas().filter(|_| case.question.dnssec_ok).collect();
        rrset.ttl().0 == record.ttl
            && in_section(record.of_type()) == rrset.rdatas().collect()
            && in_section(Rtype::RRSIG) == signatures
    };
    let zones = case.zones.iter().filter(|zone| zone.snapshot.covers(owner));
    zones.filter_map(|zone| zone.snapshot.nodes.get(owner)?.rrset(record.of_type())).any(is_it)
}
