//! A version of a zone as text: canonical order, one record a line.

use std::fmt;
use std::io;

use super::node::Node;
use super::snapshot::Snapshot;
use crate::dns::rtype::Rtype;
use crate::dns::time::Ttl;
use crate::dns::zonefile;

/// How much text is handed on at once.
const CHUNK: usize = 64 * 1024;

/// Hands the text on in chunks of whole lines. `unsigned` leaves out what the signer made.
pub fn chunks(
    snapshot: &Snapshot,
    unsigned: bool,
    mut hand_on: impl FnMut(String) -> fmt::Result,
) -> fmt::Result {
    let mut text = String::with_capacity(CHUNK + 1024);
    for node in nodes(snapshot, unsigned) {
        let at_apex = node.owner() == snapshot.origin().as_ref();
        lines(node, at_apex, unsigned, &mut text)?;
        if text.len() >= CHUNK {
            hand_on(std::mem::replace(&mut text, String::with_capacity(CHUNK + 1024)))?;
        }
    }
    if text.is_empty() { Ok(()) } else { hand_on(text) }
}

/// Writes the text.
pub fn write(snapshot: &Snapshot, unsigned: bool, out: &mut impl io::Write) -> io::Result<()> {
    let mut outcome = Ok(());
    let _ = chunks(snapshot, unsigned, |chunk| {
        outcome = out.write_all(chunk.as_bytes());
        if outcome.is_ok() { Ok(()) } else { Err(fmt::Error) }
    });
    outcome
}

/// Every node, NSEC3 owners in their places among the others.
pub fn nodes(snapshot: &Snapshot, unsigned: bool) -> impl Iterator<Item = &Node> {
    let mut names = snapshot.nodes.iter().peekable();
    let mut hashes = snapshot.nsec3.iter().filter(move |_| !unsigned).peekable();
    std::iter::from_fn(move || match (names.peek(), hashes.peek()) {
        (Some(name), Some(hash)) if hash.owner() < name.owner() => hashes.next(),
        (None, _) => hashes.next(),
        (Some(_), _) => names.next(),
    })
}

fn lines(node: &Node, at_apex: bool, unsigned: bool, text: &mut String) -> fmt::Result {
    for rrset in node.rrsets().filter(|rrset| !(unsigned && rrset.rtype.is_signers(at_apex))) {
        for rdata in rrset.rdatas() {
            zonefile::write_record(node.owner(), rrset.ttl(), rrset.rtype, rdata, text)?;
        }
        if unsigned {
            continue;
        }
        let ttl = Ttl(rrset
            .signatures
            .get(4..8)
            .map_or(0, |octets| octets.iter().fold(0, |ttl, &o| ttl << 8 | u32::from(o))));
        for rdata in rrset.signature_rdatas() {
            zonefile::write_record(node.owner(), ttl, Rtype::RRSIG, rdata, text)?;
        }
    }
    Ok(())
}
