//! Records that go into message after message, encoded once, with pointers to the apex wherever there can be one.

use super::writer::{rtype, split_record};
use crate::dns::name::NameRef;
use crate::dns::time::Ttl;

/// Records owned by the apex of a zone, as they are in a message that has the apex's name in its question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prepared {
    octets: Box<[u8]>,
    /// Where in the octets a pointer is, and how far into the apex's name it leads.
    pointers: Box<[(u16, u16)]>,
    count: u16,
}

impl Prepared {
    /// Of `records`, each `type class ttl rdlength rdata`, owned by `apex`, and with this TTL.
    pub fn new(apex: NameRef<'_>, mut records: &[u8], ttl: Ttl) -> Self {
        let (mut octets, mut pointers, mut count) = (Vec::new(), Vec::new(), 0);
        while let Some((record, after)) = split_record(records) {
            records = after;
            count += 1;
            point(&mut octets, &mut pointers, 0);
            // Type and class; the length of what comes is not known yet.
            octets.extend(&record[..4]);
            octets.extend(ttl.0.to_be_bytes());
            octets.extend([0, 0]);
            let start = octets.len();
            let (fixed, names) = rtype(record).compressible().unwrap_or((0, 0));
            let (head, mut rest) = record[10..].split_at_checked(fixed).unwrap_or((&record[10..], &[]));
            octets.extend(head);
            for _ in 0..names {
                let Ok(name) = NameRef::from_wire(rest) else { break };
                let (literal, within) = common_end(name, apex);
                octets.extend(&name.wire()[..literal]);
                if let Some(within) = within {
                    point(&mut octets, &mut pointers, within);
                }
                rest = &rest[name.wire().len()..];
            }
            octets.extend(rest);
            let length = (octets.len() - start) as u16;
            octets[start - 2..start].copy_from_slice(&length.to_be_bytes());
        }
        Self { octets: octets.into(), pointers: pointers.into(), count }
    }

    /// The records; pointers are yet to be put in.
    pub(super) fn octets(&self) -> &[u8] {
        &self.octets
    }

    /// Where in the octets a pointer is, and how far into the apex's name it leads.
    pub(super) fn pointers(&self) -> &[(u16, u16)] {
        &self.pointers
    }

    /// How many records there are.
    pub(super) fn count(&self) -> u16 {
        self.count
    }
}

fn point(octets: &mut Vec<u8>, pointers: &mut Vec<(u16, u16)>, within: u16) {
    pointers.push((octets.len() as u16, within));
    octets.extend([0, 0]);
}

/// How many octets of `name` are its own, and where in `apex` the rest starts; nothing if only the root is common
/// to them.
fn common_end(name: NameRef<'_>, apex: NameRef<'_>) -> (usize, Option<u16>) {
    let length = name.wire().len();
    let mut suffix = Some(name);
    while let Some(common) = suffix.filter(|common| !common.is_root()) {
        if apex.is_at_or_below(common) {
            let common = common.wire().len();
            return (length - common, Some((apex.wire().len() - common) as u16));
        }
        suffix = common.parent();
    }
    (length, None)
}
