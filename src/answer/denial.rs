//! Proofs of what is not there (RFC 4035 §3.1.3, RFC 5155 §7.2): which NSEC or NSEC3 records a response needs.
//!
//! They are collected while the answer is made, each record once, and written when the authority section comes.

use super::find::{ancestor, wildcard};
use super::hashes::{Encloser, Hashes};
use crate::dns::message::{Full, Owner, Writer};
use crate::dns::name::{HashLabel, NameRef};
use crate::dns::rtype::Rtype;
use crate::zone::{Denial, Node, Nsec3Params, Snapshot};

/// One for each wildcard in a chain of aliases, three for its end.
const MOST: usize = super::query::MAX_ALIASES + 4;

/// The proofs that a response needs so far.
pub(super) struct Proofs<'r, 'z> {
    zone: &'z Snapshot,
    /// Where the apex's name is in the message, if it is.
    apex_at: Option<u16>,
    hashes: &'r mut Hashes,
    nodes: [Option<&'z Node>; MOST],
    count: usize,
}

impl<'r, 'z> Proofs<'r, 'z> {
    pub(super) fn new(zone: &'z Snapshot, apex_at: Option<u16>, hashes: &'r mut Hashes) -> Self {
        Self { zone, apex_at, hashes, nodes: [None; MOST], count: 0 }
    }

    /// What is proven from now on is proven from this zone.
    pub(super) fn enter(&mut self, zone: &'z Snapshot) {
        self.zone = zone;
        self.apex_at = None;
    }

    /// `name` exists and has no records of the type asked for (RFC 4035 §3.1.3.1, RFC 5155 §7.2.3 and §7.2.4).
    pub(super) fn no_data(&mut self, name: NameRef<'_>, node: Option<&'z Node>) {
        match (self.zone.denial(), node) {
            (Denial::None, _) => {}
            (Denial::Nsec, Some(node)) => self.add(Some(node)),
            // An empty non-terminal lies between an NSEC record's owner and its next name.
            (Denial::Nsec, None) => self.nsec_covering(name),
            (Denial::Nsec3(params), _) => {
                let link = self.nsec3(&params.label(name));
                if link.matches {
                    self.add(link.node);
                } else {
                    // Left out by opt-out: a delegation without DS, or an empty non-terminal above such only.
                    self.closest_encloser(params, name);
                }
            }
        }
    }

    /// Neither `name` exists nor a wildcard for it (RFC 4035 §3.1.3.2, RFC 5155 §7.2.2).
    pub(super) fn no_name(&mut self, name: NameRef<'_>, encloser: usize) {
        match self.zone.denial() {
            Denial::None => {}
            Denial::Nsec => {
                self.nsec_covering(name);
                if let Some(wildcard) = wildcard(ancestor(self.zone, name, encloser)) {
                    self.nsec_covering(wildcard.as_ref());
                }
            }
            Denial::Nsec3(params) => {
                // Under opt-out, what can be proven may lie above what exists, and its wildcard counts.
                let proven = self.closest_encloser(params, ancestor(self.zone, name, encloser + 1));
                if let Some(Encloser { wildcard, .. }) = proven {
                    self.add(self.nsec3(&wildcard).node);
                }
            }
        }
    }

    /// A wildcard answered for `name`, which does not exist (RFC 4035 §3.1.3.3, RFC 5155 §7.2.6).
    pub(super) fn wildcard_answer(&mut self, name: NameRef<'_>, encloser: usize) {
        match self.zone.denial() {
            Denial::None => {}
            Denial::Nsec => self.nsec_covering(name),
            Denial::Nsec3(params) => {
                let next_closer = ancestor(self.zone, name, encloser + 1);
                self.add(self.nsec3(&params.label(next_closer)).node);
            }
        }
    }

    /// A wildcard stands in for `name` and has no records of the type asked for (RFC 4035 §3.1.3.4, RFC 5155
    /// §7.2.5).
    pub(super) fn wildcard_no_data(&mut self, name: NameRef<'_>, encloser: usize, node: Option<&'z Node>) {
        match self.zone.denial() {
            Denial::None => {}
            Denial::Nsec => {
                let Some(wildcard) = wildcard(ancestor(self.zone, name, encloser)) else { return };
                self.no_data(wildcard.as_ref(), node);
                self.nsec_covering(name);
            }
            Denial::Nsec3(params) => {
                self.closest_encloser(params, ancestor(self.zone, name, encloser + 1));
                let hashes = self.hashes.encloser(params, ancestor(self.zone, name, encloser));
                self.add(self.nsec3(&hashes.wildcard).node);
            }
        }
    }

    /// Writes the records collected, with their signatures.
    pub(super) fn write(&self, writer: &mut Writer<'_>) -> Result<(), Full> {
        for node in self.nodes[..self.count].iter().flatten() {
            let Some(rrset) = node.rrset(Rtype::NSEC3).or_else(|| node.rrset(Rtype::NSEC)) else { continue };
            let owner = match self.apex_at {
                Some(at) if rrset.rtype == Rtype::NSEC3 => Owner::Below(first_label(node.owner()), at),
                _ => Owner::Name(node.owner()),
            };
            writer.records(owner, rrset.signed)?;
        }
        Ok(())
    }

    fn add(&mut self, node: Option<&'z Node>) {
        let Some(node) = node else { return };
        let known = self.nodes[..self.count].iter().flatten().any(|other| other.is(node));
        if !known && let Some(place) = self.nodes.get_mut(self.count) {
            *place = Some(node);
            self.count += 1;
        }
    }

    fn nsec_covering(&mut self, name: NameRef<'_>) {
        let node = self.zone.authoritative_before(&self.zone.nodes.key(name));
        self.add(node);
    }

    /// The closest encloser proof (RFC 5155 §7.2.1) for a name that does not exist although the one above it does,
    /// or from there upwards to the first that has an NSEC3 record: what is known of that one.
    fn closest_encloser(&mut self, params: &Nsec3Params, mut next_closer: NameRef<'_>) -> Option<Encloser> {
        loop {
            // The apex has an NSEC3 record, unless the chain is not whole: then no proof can be made.
            let encloser = next_closer.parent().filter(|encloser| self.zone.covers(*encloser))?;
            let hashes = self.hashes.encloser(params, encloser);
            let link = self.nsec3(&hashes.own);
            if link.matches {
                self.add(link.node);
                self.add(self.nsec3(&params.label(next_closer)).node);
                return Some(hashes);
            }
            next_closer = encloser;
        }
    }

    /// The NSEC3 record that matches or covers the name with this hash.
    fn nsec3(&self, label: &HashLabel) -> Link<'z> {
        let chain = &self.zone.nsec3;
        let (node, matches) = chain.at_or_before(label);
        // Before the first hash: the last record's next hash is the first.
        Link { node: node.or_else(|| chain.last()), matches }
    }
}

/// The first label of the owner of an NSEC3 record, which is right below the apex.
fn first_label(owner: NameRef<'_>) -> &[u8] {
    let wire = owner.wire();
    &wire[..=usize::from(wire[0])]
}

/// An NSEC3 record that matches or else covers a name (RFC 5155 §1.3).
struct Link<'z> {
    node: Option<&'z Node>,
    matches: bool,
}
