//! What is asked of a zone: every name that matters, for every type that may.

use std::collections::BTreeSet;

use danelaw::dns::name::{Name, NameRef};
use danelaw::dns::rtype::Rtype;

use super::random::Random;
use super::signed::Signed;
use super::wire::Question;

/// Asked at every name that exists.
const TYPES: [Rtype; 22] = [
    Rtype::A,
    Rtype::AAAA,
    Rtype::DS,
    Rtype::NS,
    Rtype::SOA,
    Rtype::DNSKEY,
    Rtype::NSEC,
    Rtype::NSEC3,
    Rtype::NSEC3PARAM,
    Rtype::RRSIG,
    Rtype::CNAME,
    Rtype::DNAME,
    Rtype::ANY,
    Rtype::TXT,
    Rtype::MX,
    Rtype::SRV,
    Rtype::SVCB,
    Rtype::HTTPS,
    Rtype::CDS,
    Rtype::CDNSKEY,
    Rtype::TLSA,
    Rtype(65_400),
];
/// Asked at names that do not exist, which differ less; and two others, by chance.
const FEW: [Rtype; 5] = [Rtype::A, Rtype::DS, Rtype::NS, Rtype::CNAME, Rtype::ANY];
/// Labels below existing names and beside them.
const BELOW: [&[u8]; 5] =
    [b"*", b"a", b"nothing", b"a-label-of-sixty-three-octets-is-as-long-as-a-label-may-ever-be", b"\0"];

/// The questions about `zone`, in an order and in letter cases that `random` says.
pub(crate) fn about(zone: &Signed, random: &mut Random) -> Vec<Question> {
    let origin = Name::parse(&zone.origin).unwrap();
    let mut existing = BTreeSet::new();
    // One NSEC3 owner stands for all: each is asked for as if it were not there (RFC 5155 §7.2.8).
    let hashes = zone.snapshot.nsec3.iter().take(1);
    for node in zone.snapshot.nodes.iter().chain(hashes) {
        let mut name = Some(node.owner());
        while let Some(ancestor) = name.filter(|name| name.is_at_or_below(origin.as_ref())) {
            existing.insert(ancestor.to_owned());
            name = ancestor.parent();
        }
    }
    let mut other = BTreeSet::new();
    for name in &existing {
        neighbourhood(name.as_ref(), origin.as_ref(), random, &mut other);
    }
    let mut questions = Vec::new();
    for name in &existing {
        for rtype in TYPES {
            both(name, rtype, random, &mut questions);
        }
    }
    for name in other.difference(&existing) {
        for rtype in FEW {
            both(name, rtype, random, &mut questions);
        }
        both(name, random.pick(&TYPES), random, &mut questions);
    }
    questions
}

/// Names below `name`, beside it, above it and just before and after it in canonical order.
fn neighbourhood(name: NameRef<'_>, origin: NameRef<'_>, random: &mut Random, names: &mut BTreeSet<Name>) {
    let owned = name.to_owned();
    let below = random.pick(&BELOW);
    for label in [below, b"*", b"x"] {
        // No room for it.
        let Ok(child) = owned.child(label) else { continue };
        if random.percent(40)
            && let Ok(grandchild) = child.child(random.pick(&[&b"b"[..], b"*", b"x"]))
        {
            names.insert(grandchild);
        }
        names.insert(child);
    }
    let Some(parent) = name.parent().filter(|_| name != origin).map(NameRef::to_owned) else {
        // Above the apex is another zone, or nobody.
        names.extend(name.parent().map(NameRef::to_owned));
        return;
    };
    let first = name.labels().next().unwrap_or_default();
    let longer = [first, b"0"].concat();
    let shorter = &first[..first.len().saturating_sub(1).max(1)];
    for label in [random.pick(&[&b"*"[..], b"q"]), &longer, shorter] {
        names.extend(parent.child(label));
    }
}

fn both(name: &Name, rtype: Rtype, random: &mut Random, questions: &mut Vec<Question>) {
    let mut wire = name.as_ref().wire().to_vec();
    for octet in &mut wire {
        // Length octets are no letters: they are at most 63.
        if octet.is_ascii_alphabetic() && random.percent(25) {
            *octet ^= 0x20;
        }
    }
    for dnssec_ok in [false, true] {
        questions.push(Question { name: wire.clone(), rtype, dnssec_ok });
    }
}
