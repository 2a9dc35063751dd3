//! The messages of a transfer as a sequence of records to add and to remove (RFC 5936 §2.2, RFC 1995 §4).
//!
//! ```text
//!           SOA, not newer
//!   Opening ──────────────▶ UpToDate
//!      │ SOA, newer       any record        SOA as the first
//!      └───────▶ Second ────────────▶ Whole ────────────────▶ Complete
//!                  │ SOA of the asker's serial                    ▲
//!                  └───▶ Removing ──SOA──▶ Adding ──SOA, newest───┘
//!                           ▲                │
//!                           └──SOA, between──┘
//! ```
//!
//! IXFR may be answered with the whole zone, and with the current SOA record alone. Messages may hold one record or
//! thousands; which of the three forms it is shows with the second record, wherever that is.

use super::TransferError;
use crate::dns::message::{Opcode, Question, Rcode, Reader, Record, Response};
use crate::dns::name::{Name, NameRef};
use crate::dns::rdata;
use crate::dns::rtype::{CLASS_IN, Rtype};
use crate::dns::time::Ttl;
use crate::zone::Serial;
use crate::zone::contents::SoaTimers;

/// How far a transfer has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Progress {
    /// More messages follow.
    More,
    /// The primary has nothing newer than this.
    UpToDate(Serial),
    /// It has come to its end.
    Complete,
}

/// What a transfer says, record by record.
pub(super) enum Item<'a> {
    /// All records of the zone follow, except the SOA record.
    Whole,
    /// What differs follows, except the SOA records.
    Changes,
    /// The record is in the zone.
    Add { owner: NameRef<'a>, ttl: Ttl, rtype: Rtype, rdata: &'a [u8] },
    /// The record is in the zone no more.
    Remove { owner: NameRef<'a>, rtype: Rtype, rdata: &'a [u8] },
}

/// A reader of the response to one question.
pub(super) struct Stream {
    zone: Name,
    id: u16,
    /// What the asker has, if it asks by IXFR.
    from: Option<Serial>,
    state: State,
    /// The SOA record that opened.
    soa: Option<Soa>,
    rdata: Vec<u8>,
}

/// The zone's SOA record.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Soa {
    pub(super) ttl: Ttl,
    pub(super) rdata: Vec<u8>,
    pub(super) serial: Serial,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    Opening,
    Second,
    Whole,
    /// Records that the version after this one has no more.
    Removing(Serial),
    /// Records that this version has and the one before had not.
    Adding(Serial),
    UpToDate(Serial),
    Complete,
}

impl Stream {
    /// Reads the response to IXFR from the serial `from`, or to AXFR without one, that was asked for under `id`.
    pub(super) fn new(zone: Name, id: u16, from: Option<Serial>) -> Self {
        Self { zone, id, from, state: State::Opening, soa: None, rdata: Vec::new() }
    }

    /// The SOA record of the version that is transferred, once it has come.
    pub(super) fn soa(&self) -> Option<&Soa> {
        self.soa.as_ref()
    }

    /// Whether it has come to its end.
    pub(super) fn is_complete(&self) -> bool {
        self.state == State::Complete
    }

    /// Reads the next message.
    pub(super) fn message(
        &mut self,
        message: &[u8],
        take: &mut impl FnMut(Item<'_>) -> Result<(), TransferError>,
    ) -> Result<Progress, TransferError> {
        let rtype = if self.from.is_some() { Rtype::IXFR } else { Rtype::AXFR };
        let zone = self.zone.clone();
        let asked = Question { name: zone.as_ref(), rtype, class: CLASS_IN };
        let response = Response::read(message, self.id, Opcode::QUERY, &asked)?;
        match response.rcode()? {
            Rcode::NOERROR if response.is_truncated() => return Err(TransferError::Truncated),
            Rcode::NOERROR => {}
            rcode => return Err(TransferError::Refused(rcode)),
        }
        let mut empty = true;
        for record in response.answers()? {
            empty = false;
            self.record(message, &record?, take)?;
            if let State::UpToDate(serial) = self.state {
                return Ok(Progress::UpToDate(serial));
            }
        }
        match self.state {
            _ if empty => Err(TransferError::Empty),
            State::Complete => Ok(Progress::Complete),
            _ => Ok(Progress::More),
        }
    }

    fn record(
        &mut self,
        message: &[u8],
        record: &Record<'_>,
        take: &mut impl FnMut(Item<'_>) -> Result<(), TransferError>,
    ) -> Result<(), TransferError> {
        let owner = Reader::new(message, record.at).name()?;
        let (owner, rtype) = (owner.as_ref(), record.rtype);
        let named = || (rtype, Box::new(owner.to_owned()));
        if record.class != CLASS_IN || rtype.is_meta() {
            return Err(TransferError::NoData(named().0, named().1));
        }
        if !owner.is_at_or_below(self.zone.as_ref()) {
            return Err(TransferError::Outside(Box::new(owner.to_owned())));
        }
        let mut rdata = std::mem::take(&mut self.rdata);
        rdata.clear();
        rdata::decompress(message, record, &mut rdata)
            .map_err(|fault| TransferError::Rdata(rtype, Box::new(owner.to_owned()), fault))?;
        // RFC 2181 §8: a TTL with the highest bit set is zero.
        let ttl = Ttl(if record.ttl >> 31 == 0 { record.ttl } else { 0 });
        let outcome = if rtype == Rtype::SOA {
            if owner == self.zone.as_ref() {
                let serial = Serial(SoaTimers::read(&rdata).map_or(0, |timers| timers.serial));
                self.at_soa(Soa { ttl, rdata: rdata.clone(), serial }, take)
            } else {
                Err(TransferError::ForeignSoa(Box::new(owner.to_owned())))
            }
        } else {
            self.at_other(owner, ttl, rtype, &rdata, take)
        };
        self.rdata = rdata;
        outcome
    }

    /// A SOA record, which is what parts the parts.
    fn at_soa(
        &mut self,
        soa: Soa,
        take: &mut impl FnMut(Item<'_>) -> Result<(), TransferError>,
    ) -> Result<(), TransferError> {
        let newest = self.soa.as_ref().map_or(soa.serial, |first| first.serial);
        self.state = match self.state {
            State::Opening => {
                let serial = soa.serial;
                self.soa = Some(soa);
                match self.from {
                    Some(from) if serial.partial_cmp(&from) != Some(std::cmp::Ordering::Greater) => {
                        State::UpToDate(serial)
                    }
                    _ => State::Second,
                }
            }
            State::Second if self.from == Some(soa.serial) => {
                take(Item::Changes)?;
                State::Removing(soa.serial)
            }
            State::Second => {
                if soa.serial != newest {
                    let expected = self.from.unwrap_or(newest);
                    return Err(TransferError::OutOfStep { expected, got: soa.serial });
                }
                take(Item::Whole)?;
                self.closed_by(&soa)?
            }
            State::Whole => self.closed_by(&soa)?,
            State::Removing(_) => State::Adding(soa.serial),
            State::Adding(serial) if soa.serial != serial => {
                return Err(TransferError::OutOfStep { expected: serial, got: soa.serial });
            }
            State::Adding(serial) if serial == newest => self.closed_by(&soa)?,
            State::Adding(serial) => State::Removing(serial),
            State::UpToDate(_) | State::Complete => return Err(TransferError::Trailing),
        };
        Ok(())
    }

    /// RFC 5936 §2.2: a transfer whose two SOA records differ has not come from one version.
    fn closed_by(&self, last: &Soa) -> Result<State, TransferError> {
        let same = self.soa.as_ref().is_some_and(|first| rdata::same(Rtype::SOA, &first.rdata, &last.rdata));
        if same { Ok(State::Complete) } else { Err(TransferError::Changed) }
    }

    fn at_other(
        &mut self,
        owner: NameRef<'_>,
        ttl: Ttl,
        rtype: Rtype,
        rdata: &[u8],
        take: &mut impl FnMut(Item<'_>) -> Result<(), TransferError>,
    ) -> Result<(), TransferError> {
        if self.state == State::Second {
            take(Item::Whole)?;
            self.state = State::Whole;
        }
        match self.state {
            State::Whole | State::Adding(_) => take(Item::Add { owner, ttl, rtype, rdata }),
            State::Removing(_) => take(Item::Remove { owner, rtype, rdata }),
            State::Opening | State::Second => Err(TransferError::NoSoa),
            State::UpToDate(_) | State::Complete => Err(TransferError::Trailing),
        }
    }
}
