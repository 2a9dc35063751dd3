//! Zone transfers: a version of a zone, or what has changed since another one, as a sequence of messages.
//!
//! A whole zone (RFC 5936) has its SOA record first and last. Changes (RFC 1995 §4) stand between the new SOA record
//! twice, each step with the SOA record of the version before and what is removed, then that of the version after and
//! what is added. Several versions are condensed into one step, where nobody wants to have them one by one.
//!
//! A transfer holds its versions and a place in them, and makes a message whenever it is asked for one; so it takes no
//! more memory for a large zone than for a small one, and a slow receiver holds up nobody. RRSIG, NSEC and NSEC3
//! records and glue are part of the zone and are sent whatever the client's DO bit. Owners keep their case.

use std::sync::Arc;

use crate::dns::message::{
    Compression, Edns, Full, Header, MAX_MESSAGE, Opt, Owner, Question, Request, Writer, flag, split_record,
};
use crate::dns::name::{Name, NameRef};
use crate::dns::rtype::Rtype;
use crate::dns::time::Timestamp;
use crate::dns::tsig::Session;
use crate::zone::delta::Side;
use crate::zone::{Change, Delta, Node, Serial, Snapshot, Tree};

/// A transfer under way.
pub struct Transfer {
    snapshot: Arc<Snapshot>,
    /// What is sent, one after the other, if not the whole zone.
    changes: Option<Vec<Arc<Delta>>>,
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
    /// One side of a step: its SOA record.
    Side { step: usize, side: Side },
    /// Its records, from the change of this number on, of which so many records have been sent.
    Changes { step: usize, side: Side, change: usize, sent: usize },
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
    /// The transfer that `request` asks for: of `changes` that lead to `snapshot`, or of all of it. Messages are
    /// signed if the request was.
    pub(super) fn new(
        snapshot: Arc<Snapshot>,
        changes: Option<Vec<Arc<Delta>>>,
        request: &Request<'_>,
        session: Option<Session>,
    ) -> Self {
        Self {
            snapshot,
            changes,
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

    /// The key that its messages are signed with.
    pub fn key(&self) -> Option<NameRef<'_>> {
        self.session.as_ref().map(|session| session.key().name())
    }

    /// The version that the changes sent apply to; `None` if the whole zone is sent.
    pub fn since(&self) -> Option<Serial> {
        self.changes.as_ref()?.first()?.from
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
        let result = self.message(out, MAX_MESSAGE, names, now);
        if result.is_err() {
            self.place = Place::Done;
        }
        Some(result)
    }

    /// Writes all of it into one message of at most `limit` octets; if that cannot be, gives the session back.
    pub(super) fn in_one(
        mut self,
        out: &mut [u8],
        limit: usize,
        names: &mut Compression,
        now: Timestamp,
    ) -> Result<usize, Option<Session>> {
        let session = self.session.take();
        let reserved = session.as_ref().map_or(0, Session::reserve);
        let Ok(length) = self.unsigned_message(out, limit, reserved, names) else { return Err(session) };
        match (self.place, session) {
            (Place::Done, None) => Ok(length),
            (Place::Done, Some(mut session)) => session.sign(out, length, now).map_err(|Full| Some(session)),
            (_, session) => Err(session),
        }
    }

    fn message(
        &mut self,
        out: &mut [u8],
        limit: usize,
        names: &mut Compression,
        now: Timestamp,
    ) -> Result<usize, Full> {
        let reserved = self.session.as_ref().map_or(0, Session::reserve);
        let length = self.unsigned_message(out, limit, reserved, names)?;
        match &mut self.session {
            Some(session) => session.sign(out, length, now),
            None => Ok(length),
        }
    }

    fn unsigned_message(
        &mut self,
        out: &mut [u8],
        limit: usize,
        reserved: usize,
        names: &mut Compression,
    ) -> Result<usize, Full> {
        let opt = self.edns.map(Opt::from);
        let mut writer = Writer::new(out, limit, reserved, self.header, opt.as_ref(), names);
        writer.keep_case();
        writer.set(flag::AA);
        if std::mem::take(&mut self.first) {
            let (name, rtype, class) = (self.asked.as_ref(), self.asked_type, self.asked_class);
            writer.question(&Question { name, rtype, class })?;
        }
        let empty = writer.mark();
        let filled = self.fill(&mut writer);
        // A message that holds no record though one is left: that one is too long for any message.
        if filled.is_err() && writer.is_at(empty) {
            return Err(Full);
        }
        Ok(writer.finish())
    }

    /// Writes as much as fits, and moves the place on.
    fn fill(&mut self, writer: &mut Writer<'_>) -> Result<(), Full> {
        let Self { snapshot, changes, place, .. } = self;
        let apex = snapshot.apex();
        let steps = changes.as_deref().unwrap_or_default();
        loop {
            *place = match place {
                Place::Opening => {
                    soa(apex, writer)?;
                    match changes {
                        Some(_) => Place::Side { step: 0, side: Side::Removed },
                        None => Place::Nodes(Position::default()),
                    }
                }
                Place::Nodes(position) => {
                    tree(&snapshot.nodes, position, writer)?;
                    Place::Nsec3(Position::default())
                }
                Place::Nsec3(position) => {
                    tree(&snapshot.nsec3, position, writer)?;
                    Place::Closing
                }
                &mut Place::Side { step, side } => match steps.get(step) {
                    Some(delta) => {
                        soa(delta.apex(side, snapshot.origin().as_ref()), writer)?;
                        Place::Changes { step, side, change: 0, sent: 0 }
                    }
                    None => Place::Closing,
                },
                Place::Changes { step, side, change, sent } => {
                    for here in steps.get(*step).into_iter().flat_map(|delta| delta.changes()).skip(*change) {
                        changed(here, *side, sent, writer)?;
                        (*change, *sent) = (*change + 1, 0);
                    }
                    match side {
                        Side::Removed => Place::Side { step: *step, side: Side::Added },
                        Side::Added => Place::Side { step: *step + 1, side: Side::Removed },
                    }
                }
                Place::Closing => {
                    soa(apex, writer)?;
                    Place::Done
                }
                Place::Done => return Ok(()),
            };
        }
    }
}

/// Writes the SOA record of this apex.
fn soa(apex: Option<&Node>, writer: &mut Writer<'_>) -> Result<(), Full> {
    let Some((apex, soa)) = apex.and_then(|apex| Some((apex, apex.rrset(Rtype::SOA)?))) else {
        return Ok(());
    };
    writer.records(Owner::Name(apex.owner()), soa.records).map(|_| ())
}

/// Writes the records on one side of a change but for the first `sent`, which counts on.
fn changed(change: &Change, side: Side, sent: &mut usize, writer: &mut Writer<'_>) -> Result<(), Full> {
    let mut owner = Owner::Name(change.owner());
    for record in change.records(side).skip(*sent) {
        owner = writer.records(owner, record)?;
        *sent += 1;
    }
    Ok(())
}

fn tree(tree: &Tree, position: &mut Position, writer: &mut Writer<'_>) -> Result<(), Full> {
    let nodes = match &position.owner {
        None => tree.iter(),
        Some(owner) => tree.iter_from(&tree.key(owner.as_ref())),
    };
    let mut skip = position.sent;
    let mut parent = None;
    for node in nodes {
        let owner = below(parent, node.owner());
        if let Err(sent) = records(node, owner, skip, writer) {
            *position = Position { owner: Some(node.owner().to_owned()), sent };
            return Err(Full);
        }
        if let Owner::Name(name) = owner {
            parent = name.parent().and_then(|parent| Some((parent, writer.offset_of(parent)?)));
        }
        skip = 0;
    }
    Ok(())
}

/// How `owner` is written soonest: most have the parent of the one before, which is in the message already.
fn below<'o>(parent: Option<(NameRef<'_>, u16)>, owner: NameRef<'o>) -> Owner<'o> {
    let wire = owner.wire();
    let label = wire.first().map_or(0, |length| 1 + usize::from(*length));
    match (parent, wire.split_at_checked(label)) {
        // In the very case: secondaries keep it.
        (Some((parent, at)), Some((label, rest))) if parent.wire() == rest => Owner::Below(label, at),
        _ => Owner::Name(owner),
    }
}

/// Writes the records of `node` but for the first `skip` octets; if not all fit, says how many octets are done.
fn records<'n>(
    node: &'n Node,
    mut owner: Owner<'n>,
    skip: usize,
    writer: &mut Writer<'_>,
) -> Result<(), usize> {
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
