//! Zone transfers as they come in (RFC 5936, RFC 1995): messages in, content out.
//!
//! An [`Incoming`] is fed with the messages of one response, in their order, and makes content of them: of a whole
//! zone as a zone file's records become a draft, of changes by editing what they apply to. It knows nothing of
//! connections and TSIG; whatever it is fed, it ends in content that is sound or in one error.
//!
//! Where the zone will be signed here, what only its signer can make is left out: RRSIG, NSEC, NSEC3 and
//! NSEC3PARAM records, and DNSKEY, CDS, CDNSKEY and ZONEMD at the apex. TLSA records at owners that danelaw looks
//! after are left out everywhere.
//!
//! A zone that comes whole is compared with its ZONEMD records (RFC 8976 §4), what is left out included. Changes are
//! compared where what they apply to is exactly what the primary had; otherwise, where there is a digest to compare,
//! they are refused, so that the whole zone is asked for.

mod stream;

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use super::contents::Contents;
use super::draft::{DraftBuilder, MAX_RRSET, Presigned, goes_with_cname, is_wildcard};
use super::edit::Editor;
use super::managed::ManagedRrsets;
use super::revision::Dirty;
use super::serial::Serial;
use super::snapshot::Snapshot;
use super::zonemd::{self, Demand, Mismatch};
use crate::dns::message::Rcode;
use crate::dns::message::reader::Malformed;
use crate::dns::message::response::ResponseError;
use crate::dns::name::{Name, NameRef};
use crate::dns::problem::{Place, Problem, Problems};
use crate::dns::rdata::RdataError;
use crate::dns::rtype::Rtype;
use crate::dns::time::Ttl;
use crate::dns::zonefile::{At, Sink};

pub use stream::Progress;
use stream::{Item, Stream};

/// What content a transfer is to become.
#[derive(Clone)]
pub struct Order {
    /// The zone.
    pub zone: Name,
    /// Whether what a signer makes is left out.
    pub presigned: Presigned,
    /// What danelaw makes.
    pub managed: ManagedRrsets,
    /// How many octets the records may have, names written out in full. At most [`MAX_SIZE`].
    pub max_size: u64,
    /// What its ZONEMD records must be.
    pub zonemd: Demand,
    /// Who sends it, as messages to people say it.
    pub primary: String,
}

/// A version that changes apply to.
#[derive(Clone)]
pub struct Base {
    /// The serial that it has at the primary.
    pub serial: Serial,
    /// The version, with what was added here.
    pub snapshot: Arc<Snapshot>,
}

/// A transfer that is coming in.
pub struct Incoming {
    order: Order,
    base: Option<Base>,
    stream: Stream,
    form: Form,
    size: u64,
    /// Whether something of a signer's was left out.
    left_out: bool,
    /// Whether a ZONEMD record at the apex was.
    left_out_zonemd: bool,
    /// What was left out because danelaw makes it.
    replaced: BTreeSet<(Name, Rtype)>,
}

enum Form {
    Undecided,
    Whole(DraftBuilder),
    Changes(Editor),
}

/// What has come in.
pub struct Received {
    /// The zone's new content.
    pub contents: Contents,
    /// The serial that it has at the primary.
    pub serial: Serial,
    /// Whether only changes came.
    pub incremental: bool,
    /// What someone should look at.
    pub warnings: Problems,
    /// How many octets the records had, names written out in full.
    pub size: u64,
}

/// Why a transfer gives no content.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TransferError {
    /// A message cannot be read, or answers another question.
    #[error("a message of the transfer is malformed")]
    Malformed,
    /// The primary says no.
    #[error("answers {0}")]
    Refused(Rcode),
    /// A message was cut off, which has no place in a stream.
    #[error("a message of the transfer has TC set")]
    Truncated,
    /// A message has no record.
    #[error("a message of the transfer holds no record")]
    Empty,
    /// The first record is another.
    #[error("the transfer does not begin with the zone's SOA record")]
    NoSoa,
    /// A record of another class, or of a type that no zone can hold.
    #[error("{0} at {1} is no data of class IN")]
    NoData(Rtype, Box<Name>),
    /// A record of another zone.
    #[error("{0} is outside the zone")]
    Outside(Box<Name>),
    /// A SOA record below the apex.
    #[error("SOA at {0}, expected one at the apex only")]
    ForeignSoa(Box<Name>),
    /// Rdata that is none.
    #[error("{0} at {1}: {2}")]
    Rdata(Rtype, Box<Name>, RdataError),
    /// The changes do not follow each other, or not what there is.
    #[error("the changes go on from serial {got}, expected {expected}")]
    OutOfStep {
        /// Where the changes before ended.
        expected: Serial,
        /// Where these begin.
        got: Serial,
    },
    /// The changes apply to something else.
    #[error("the changes delete {0} at {1}, which is not there")]
    NotThere(Rtype, Box<Name>),
    /// The changes leave what is no zone.
    #[error("the changes leave {0}")]
    Unsound(Box<str>),
    /// The zone changed under way.
    #[error("the SOA record at the end is not that of the beginning")]
    Changed,
    /// There is something after the end.
    #[error("records follow the SOA record that ends the transfer")]
    Trailing,
    /// It ended too early.
    #[error("the transfer ended before its closing SOA record")]
    CutOff,
    /// It is larger than it may be.
    #[error("the transfer has more than {0} octets, see `max-transfer-size`")]
    TooLarge(u64),
    /// It is not what its ZONEMD records say.
    #[error(transparent)]
    Zonemd(#[from] Mismatch),
    /// The changes apply to what has other records than the primary's zone, so that its digest says nothing of them.
    #[error("the zone has a ZONEMD record, which changes alone cannot be compared with")]
    NotComparable,
    /// It came whole, and is no sound zone.
    #[error("the zone is not sound: {0}")]
    Zone(FirstOf),
}

/// Several problems, in one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FirstOf(Problems);

/// The most that [`Order::max_size`] may be: the builder of drafts counts in 32 bits.
pub const MAX_SIZE: u64 = (4 << 30) - (1 << 20);

impl Incoming {
    /// A transfer that was asked for under `id`: by IXFR from the serial of `base`, or by AXFR without one.
    pub fn new(order: Order, id: u16, base: Option<Base>) -> Self {
        let stream = Stream::new(order.zone.clone(), id, base.as_ref().map(|base| base.serial));
        Self {
            order,
            base,
            stream,
            form: Form::Undecided,
            size: 0,
            left_out: false,
            left_out_zonemd: false,
            replaced: BTreeSet::new(),
        }
    }

    /// The serial that the zone has at the primary, once the transfer has begun.
    pub fn serial(&self) -> Option<Serial> {
        self.stream.soa().map(|soa| soa.serial)
    }

    /// Takes the next message. After an error, and after the end, there is nothing more to take.
    pub fn message(&mut self, message: &[u8]) -> Result<Progress, TransferError> {
        let Self { order, base, stream, form, size, left_out, left_out_zonemd, replaced } = self;
        stream.message(message, &mut |item| {
            let (owner, rtype, rdata) = match item {
                Item::Whole => {
                    *form = Form::Whole(DraftBuilder::new(order.zone.clone(), order.presigned));
                    return Ok(());
                }
                Item::Changes => {
                    let base = base.as_ref().ok_or(TransferError::NoSoa)?;
                    *form = Form::Changes(Editor::new(base.snapshot.contents(), order.presigned));
                    return Ok(());
                }
                Item::Add { owner, rtype, rdata, .. } | Item::Remove { owner, rtype, rdata } => {
                    (owner, rtype, rdata)
                }
            };
            *size += room(owner, rdata);
            if *size > order.max_size.min(MAX_SIZE) {
                return Err(TransferError::TooLarge(order.max_size.min(MAX_SIZE)));
            }
            let at_apex = owner == order.zone.as_ref();
            let of_a_signer = order.presigned == Presigned::Drop && is_signers(rtype, at_apex);
            if of_a_signer || order.managed.contains(owner, rtype) {
                *left_out |= of_a_signer;
                *left_out_zonemd |= at_apex && rtype == Rtype::ZONEMD;
                if !of_a_signer {
                    replaced.insert((owner.to_owned(), rtype));
                }
                if let (Form::Whole(builder), Item::Add { ttl, .. }) = (&mut *form, item)
                    && order.zonemd != Demand::Never
                {
                    builder.set_aside(owner, ttl, rtype, rdata);
                }
                return Ok(());
            }
            match (&mut *form, item) {
                (Form::Whole(builder), Item::Add { ttl, .. }) => {
                    builder.record(owner, ttl, rtype, rdata, At::default());
                }
                (Form::Changes(editor), Item::Add { ttl, .. }) => {
                    editor.add(owner, rtype, ttl, rdata);
                    if editor.octets(owner, rtype, rdata) > MAX_RRSET {
                        let what = format!("a {rtype} RRset at {owner} that no message holds");
                        return Err(TransferError::Unsound(what.into()));
                    }
                }
                (Form::Changes(editor), _) => {
                    if !editor.remove(owner, rtype, rdata) {
                        return Err(TransferError::NotThere(rtype, Box::new(owner.to_owned())));
                    }
                }
                (Form::Whole(_) | Form::Undecided, _) => return Err(TransferError::NoSoa),
            }
            Ok(())
        })
    }

    /// What has come in, after [`Progress::Complete`]. Of a large zone this takes a while.
    pub fn finish(self) -> Result<Received, TransferError> {
        let place = Place::file(format!("{} from {}", self.order.zone, self.order.primary));
        let soa = self.stream.soa().filter(|_| self.stream.is_complete()).cloned();
        let soa = soa.ok_or(TransferError::CutOff)?;
        let mut warnings = self.warnings(&place);
        let Self { order, form, size, left_out_zonemd, .. } = self;
        let (contents, incremental) = match form {
            Form::Undecided => return Err(TransferError::CutOff),
            Form::Whole(mut builder) => {
                builder.record(order.zone.as_ref(), soa.ttl, Rtype::SOA, &soa.rdata, At::default());
                if order.zonemd != Demand::Never {
                    builder.verify_zonemd()?.satisfies(order.zonemd)?;
                }
                // What stands at managed owners, and above them, is the primary's to say: nothing is refused for it.
                let built = builder.build(&ManagedRrsets::default(), |_| place.clone());
                let (draft, more) = built.map_err(|problems| TransferError::Zone(FirstOf(problems)))?;
                warnings.append(more);
                (draft.contents, false)
            }
            Form::Changes(mut editor) => {
                let old = editor.rrset(order.zone.as_ref(), Rtype::SOA).map(|soa| soa.rdatas.clone());
                for rdata in old.unwrap_or_default() {
                    editor.remove(order.zone.as_ref(), Rtype::SOA, &rdata);
                }
                editor.add(order.zone.as_ref(), Rtype::SOA, soa.ttl, &soa.rdata);
                let revision = editor.finish();
                let mut contents = revision.contents;
                if order.presigned == Presigned::Keep && order.managed.is_empty() {
                    if order.zonemd != Demand::Never {
                        zonemd::verify(&contents)?.satisfies(order.zonemd)?;
                    }
                } else if order.zonemd == Demand::Always
                    || left_out_zonemd && order.zonemd == Demand::IfPresent
                {
                    return Err(TransferError::NotComparable);
                }
                if let Dirty::Owners(owners) = &revision.dirty {
                    sound(&contents, owners)?;
                }
                // Who makes the version puts in what is current then.
                for (owner, rtype) in order.managed.iter() {
                    contents.set(owner, rtype, Ttl(0), &[]);
                }
                (contents, true)
            }
        };
        Ok(Received { contents, serial: soa.serial, incremental, warnings, size })
    }

    fn warnings(&self, place: &Place) -> Problems {
        let mut warnings = Problems::default();
        if self.left_out {
            let what = "DNSSEC records, or ZONEMD at the apex, are left out: danelaw makes its own";
            warnings.push(Problem::warning(place.clone(), what));
        }
        for (owner, rtype) in &self.replaced {
            let what = format_args!("{rtype} at {owner} is replaced by what danelaw makes");
            warnings.push(Problem::warning(place.clone(), what));
        }
        warnings
    }
}

/// What a record takes while a draft is built, at most: the owner once as it is and once as a key, which has up to
/// two symbols an octet, and what stands beside the rdata.
fn room(owner: NameRef<'_>, rdata: &[u8]) -> u64 {
    const BESIDE: usize = 16;
    (3 * owner.wire().len() + BESIDE + rdata.len()) as u64
}

/// What whoever signs the zone makes by himself, or has to make anew.
fn is_signers(rtype: Rtype, at_apex: bool) -> bool {
    rtype.is_signers(at_apex) || at_apex && rtype == Rtype::ZONEMD
}

/// Whether edited content is a zone still, as far as the edits could undo it.
fn sound(contents: &Contents, edited: &BTreeSet<Name>) -> Result<(), TransferError> {
    let unsound = |what: String| Err(TransferError::Unsound(what.into()));
    if contents.soa().is_none_or(|soa| soa.count != 1)
        || !contents.apex().is_some_and(|apex| apex.has(Rtype::NS))
    {
        return unsound(format!("no NS record at {}", contents.origin()));
    }
    for owner in edited {
        let Some(node) = contents.nodes.get(owner.as_ref()) else { continue };
        for (alone, rrset) in [Rtype::CNAME, Rtype::DNAME].map(|rtype| (rtype, node.rrset(rtype))) {
            if rrset.is_some_and(|rrset| rrset.count > 1) {
                return unsound(format!("two {alone} records at {owner}"));
            }
        }
        if node.has(Rtype::CNAME) && !node.types().all(goes_with_cname) {
            return unsound(format!("other data beside the CNAME at {owner}"));
        }
        if contents.is_cut(node) && (node.has(Rtype::DNAME) || is_wildcard(owner.as_ref())) {
            return unsound(format!("a delegation that is a wildcard or has a DNAME at {owner}"));
        }
    }
    Ok(())
}

impl From<Malformed> for TransferError {
    fn from(_: Malformed) -> Self {
        Self::Malformed
    }
}

impl From<ResponseError> for TransferError {
    fn from(_: ResponseError) -> Self {
        Self::Malformed
    }
}

impl fmt::Display for FirstOf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut errors = self.0.iter().filter(|problem| problem.is_error());
        if let Some(first) = errors.next() {
            f.write_str(&first.what)?;
        }
        match errors.count() + self.0.unlisted() {
            0 => Ok(()),
            more => write!(f, " (and {more} more)"),
        }
    }
}

#[cfg(test)]
mod tests;
