//! Zone transfers (RFC 5936): a snapshot as a sequence of messages, the SOA record first and last.
//!
//! A transfer holds one version of the zone and a place in it, and makes a message whenever it is asked for one; so
//! it takes no more memory for a large zone than for a small one, and a slow receiver holds up nobody. RRSIG, NSEC
//! and NSEC3 records and glue are part of the zone and are sent whatever the client's DO bit. Owners keep their case.

use std::sync::Arc;

use crate::dns::message::{
    Compression, Edns, Full, Header, MAX_MESSAGE, Opt, Owner, Question, Request, Writer, flag, split_record,
};
use crate::dns::name::Name;
use crate::dns::rtype::Rtype;
use crate::dns::time::Timestamp;
use crate::dns::tsig::Session;
use crate::zone::{Node, Snapshot, Tree};

/// A transfer under way.
pub struct Transfer {
    snapshot: Arc<Snapshot>,
    header: Header,
    /// Repeated in the first message.
    asked: Name,
    asked_type: Rtype,
    asked_class: u16,
    edns: Option<Edns>,
    session: Option<Session>,
    place: Place,
    first: bool,
}

/// What comes next.
enum Place {
    /// The SOA record that opens.
    Opening,
    /// The records with names, from here.
    Nodes(Position),
    /// The NSEC3 records, from here.
    Nsec3(Position),
    /// The SOA record that closes.
    Closing,
    /// Nothing.
    Done,
}

/// A place within a tree.
#[derive(Default)]
struct Position {
    /// The node; `None` for the first.
    owner: Option<Name>,
    /// How many octets of its records, all RRsets with their signatures in order, have been sent.
    sent: usize,
}

impl Transfer {
    /// The transfer of `snapshot` that `request` asks for. Messages are signed if the request was.
    pub(super) fn new(snapshot: Arc<Snapshot>, request: &Request<'_>, session: Option<Session>) -> Self {
        Self {
            snapshot,
            header: request.header.reply(),
            asked: request.question.name.to_owned(),
            asked_type: request.question.rtype,
            asked_class: request.question.class,
            edns: request.edns.map(super::reply_edns),
            session,
            place: Place::Opening,
            first: true,
        }
    }

    /// The version that is being sent.
    pub fn snapshot(&self) -> &Arc<Snapshot> {
        &self.snapshot
    }

    /// Writes the next message. See [`Answerer::continue_transfer`](super::Answerer::continue_transfer).
    pub(super) fn next(
        &mut self,
        out: &mut [u8],
        names: &mut Compression,
        now: Timestamp,
    ) -> Option<Result<usize, Full>> {
        if let Place::Done = self.place {
            return None;
        }
        let result = self.message(out, names, now);
        if result.is_err() {
            self.place = Place::Done;
        }
        Some(result)
    }

    fn message(&mut self, out: &mut [u8], names: &mut Compression, now: Timestamp) -> Result<usize, Full> {
        let reserved = self.session.as_ref().map_or(0, Session::reserve);
        let opt = self.edns.map(Opt::from);
        let mut writer = Writer::new(out, MAX_MESSAGE, reserved, self.header, opt.as_ref(), names);
        writer.keep_case();
        writer.set(flag::AA);
        if std::mem::take(&mut self.first) {
            let (name, rtype, class) = (self.asked.as_ref(), self.asked_type, self.asked_class);
            writer.question(&Question { name, rtype, class })?;
        }
        let empty = writer.mark();
        let filled = fill(&self.snapshot, &mut self.place, &mut writer);
        // A message that holds no record though one is left: that one is too long for any message.
        if filled.is_err() && writer.is_at(empty) {
            return Err(Full);
        }
        let length = writer.finish();
        match &mut self.session {
            Some(session) => session.sign(out, length, now),
            None => Ok(length),
        }
    }
}

/// Writes as much as fits, and moves `place` on.
fn fill(snapshot: &Snapshot, place: &mut Place, writer: &mut Writer<'_>) -> Result<(), Full> {
    loop {
        *place = match place {
            Place::Opening => {
                soa(snapshot, writer)?;
                Place::Nodes(Position::default())
            }
            Place::Nodes(position) => {
                tree(&snapshot.nodes, position, writer)?;
                Place::Nsec3(Position::default())
            }
            Place::Nsec3(position) => {
                tree(&snapshot.nsec3, position, writer)?;
                Place::Closing
            }
            Place::Closing => {
                soa(snapshot, writer)?;
                Place::Done
            }
            Place::Done => return Ok(()),
        };
    }
}

fn soa(snapshot: &Snapshot, writer: &mut Writer<'_>) -> Result<(), Full> {
    let records = snapshot.soa().map_or(&[][..], |soa| soa.records);
    writer.records(Owner::Name(snapshot.origin().as_ref()), records).map(|_| ())
}

fn tree(tree: &Tree, position: &mut Position, writer: &mut Writer<'_>) -> Result<(), Full> {
    let nodes = match &position.owner {
        None => tree.iter(),
        Some(owner) => tree.iter_from(&tree.key(owner.as_ref())),
    };
    let mut skip = position.sent;
    for node in nodes {
        if let Err(sent) = records(node, skip, writer) {
            *position = Position { owner: Some(node.owner().to_owned()), sent };
            return Err(Full);
        }
        skip = 0;
    }
    Ok(())
}

/// Writes the records of `node` but for the first `skip` octets; if not all fit, says how many octets are done.
fn records(node: &Node, skip: usize, writer: &mut Writer<'_>) -> Result<(), usize> {
    let mut owner = Owner::Name(node.owner());
    let mut done = 0;
    for rrset in node.rrsets() {
        // SOA opens and closes the transfer; its signatures come here.
        let records = if rrset.rtype == Rtype::SOA { &[][..] } else { rrset.records };
        for mut records in [records, rrset.signatures] {
            while let Some((record, rest)) = split_record(records) {
                if done >= skip {
                    owner = writer.records(owner, record).map_err(|Full| done)?;
                }
                done += record.len();
                records = rest;
            }
        }
    }
    Ok(())
}
