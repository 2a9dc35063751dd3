//! A request's bytes in, a response's bytes out.
//!
//! [`Answerer::answer`] reads the request in place, finds the zone, and copies records, which the zone's nodes hold
//! in wire form, into the caller's buffer. It allocates nothing, except for a transfer: that comes back as a
//! [`Transfer`], which yields one message at a time, as fast as its receiver takes them. Time and addresses are
//! arguments; sockets are the host's.
//!
//! ```text
//! mod       the order of checks: message, TSIG, opcode, class, zone
//! zones     which zones there are, and which one encloses a name
//! access    who may transfer
//! find      what a zone has to say of a name (RFC 1034 §4.3.2, RFC 4592, RFC 6672)
//! query     the three sections of a response
//! denial    NSEC and NSEC3 records that prove what is not there
//! transfer  AXFR, and IXFR's full form
//! ```

pub mod access;
mod denial;
mod find;
mod query;
pub mod transfer;
pub mod zones;

use std::net::IpAddr;
use std::sync::Arc;

pub use access::{Access, Prefix, Rule};
pub use transfer::Transfer;
pub use zones::{Zone, Zones};

use crate::dns::message::{
    Compression, Edns, Full, MAX_MESSAGE, OPT_OCTETS, Opcode, PLAIN_UDP, Question, Rcode, Rejection, Request,
    UDP_PAYLOAD, Unanswered, Writer,
};
use crate::dns::rtype::{CLASS_IN, Rtype};
use crate::dns::time::Timestamp;
use crate::dns::tsig::{Refusal, Session};
use crate::zone::{Serial, Snapshot};

/// How a request came, and how its response will go.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Transport {
    /// One datagram each way; a response may be cut off.
    Udp,
    /// A stream, whose messages may be as long as there are any.
    Tcp,
}

/// What is to be sent.
pub enum Outcome {
    /// Nothing.
    Silence,
    /// The message in the first so many octets of the buffer.
    Response(usize),
    /// The messages of a transfer, in order.
    Transfer(Box<Transfer>),
}

/// Answers requests, one after the other; each thread has its own.
#[derive(Default)]
pub struct Answerer {
    names: Compression,
}

/// What the response's TSIG record will be.
enum Signing {
    None,
    Signed(Session),
    Refused(Refusal),
}

impl Signing {
    fn reserve(&self) -> usize {
        match self {
            Self::None => 0,
            Self::Signed(session) => session.reserve(),
            Self::Refused(refusal) => refusal.reserve(),
        }
    }

    fn append(&mut self, out: &mut [u8], length: usize, now: Timestamp) -> Result<usize, Full> {
        match self {
            Self::None => Ok(length),
            Self::Signed(session) => session.sign(out, length, now),
            Self::Refused(refusal) => refusal.append(out, length, now),
        }
    }
}

/// What to do with a request that is understood and whose signature, if any, is good.
enum Verdict<'z> {
    /// Say no more than this.
    Error(Rcode),
    /// Answer from this zone.
    Query(&'z Snapshot),
    /// Answer with the current SOA alone: IXFR that is up to date, or over UDP (RFC 1995 §2).
    Soa(&'z Snapshot),
    /// Transfer this zone.
    Transfer(&'z Arc<Snapshot>),
}

impl Answerer {
    /// Answers `message`, which `peer` sent. `out` should have room for the largest response of the transport:
    /// [`UDP_PAYLOAD`] or [`MAX_MESSAGE`] octets.
    pub fn answer(
        &mut self,
        message: &[u8],
        peer: IpAddr,
        transport: Transport,
        zones: &Zones,
        now: Timestamp,
        out: &mut [u8],
    ) -> Outcome {
        let request = match Request::read(message) {
            Ok(request) => request,
            Err(Unanswered::Silence) => return Outcome::Silence,
            Err(Unanswered::Rejected(rejection)) => return self.reject(&rejection, out),
        };
        let mut signing = match request.tsig_at.map(|at| Session::verify(message, at, zones.keys(), now)) {
            None => Signing::None,
            Some(Ok(session)) => Signing::Signed(session),
            Some(Err(refusal)) => Signing::Refused(refusal),
        };
        let verdict = match &signing {
            Signing::Refused(refusal) => Verdict::Error(refusal.rcode()),
            Signing::None => judge(&request, peer, None, transport, zones),
            Signing::Signed(session) => judge(&request, peer, Some(session), transport, zones),
        };
        if let Verdict::Transfer(snapshot) = verdict {
            let session = if let Signing::Signed(session) = signing { Some(session) } else { None };
            return Outcome::Transfer(Box::new(Transfer::new(Arc::clone(snapshot), &request, session)));
        }
        let mut respond = || {
            let limit = limit(transport, request.edns);
            let edns = request.edns.map(reply_edns);
            let header = request.header.reply();
            let mut writer = Writer::new(out, limit, signing.reserve(), header, edns, &mut self.names)?;
            writer.question(&request.question)?;
            match verdict {
                Verdict::Error(rcode) => writer.set_rcode(rcode),
                Verdict::Query(zone) => query::answer(
                    &mut writer,
                    zones,
                    zone,
                    &request.question,
                    request.dnssec_ok(),
                    transport == Transport::Udp,
                ),
                Verdict::Soa(zone) => {
                    let question = Question { rtype: Rtype::SOA, ..request.question };
                    query::answer(&mut writer, zones, zone, &question, request.dnssec_ok(), true);
                }
                Verdict::Transfer(_) => {}
            }
            let length = writer.finish();
            signing.append(out, length, now)
        };
        sent(respond())
    }

    /// The next message of a transfer, in the first so many octets of `out`; `None` after the last. An error means
    /// that a record fits into no message: the connection has to be closed, which tells the receiver that the
    /// transfer failed.
    pub fn continue_transfer(
        &mut self,
        transfer: &mut Transfer,
        out: &mut [u8],
        now: Timestamp,
    ) -> Option<Result<usize, Full>> {
        transfer.next(out, &mut self.names, now)
    }

    /// Says what is wrong with a message that could not be read.
    fn reject(&mut self, rejection: &Rejection<'_>, out: &mut [u8]) -> Outcome {
        let mut respond = || {
            let edns = rejection.edns.map(reply_edns);
            let header = rejection.header.reply();
            let mut writer = Writer::new(out, PLAIN_UDP, 0, header, edns, &mut self.names)?;
            if let Some(question) = &rejection.question {
                writer.question(question)?;
            }
            writer.set_rcode(rejection.rcode);
            Ok(writer.finish())
        };
        sent(respond())
    }
}

/// A buffer too small for a question and its TSIG means that nothing can be said.
fn sent(result: Result<usize, Full>) -> Outcome {
    result.map_or(Outcome::Silence, Outcome::Response)
}

/// The OPT record of a response: our payload, our version, DO as it was asked (RFC 3225 §3).
fn reply_edns(asked: Edns) -> Edns {
    Edns { payload: UDP_PAYLOAD, extended_rcode: 0, version: 0, dnssec_ok: asked.dnssec_ok }
}

/// The longest response. What a client says below 512 is read as 512 (RFC 6891 §6.2.3).
fn limit(transport: Transport, edns: Option<Edns>) -> usize {
    match (transport, edns) {
        (Transport::Tcp, _) => MAX_MESSAGE,
        (Transport::Udp, None) => PLAIN_UDP,
        (Transport::Udp, Some(edns)) => usize::from(edns.payload.min(UDP_PAYLOAD)).max(PLAIN_UDP),
    }
}

fn judge<'z>(
    request: &Request<'_>,
    peer: IpAddr,
    session: Option<&Session>,
    transport: Transport,
    zones: &'z Zones,
) -> Verdict<'z> {
    let Question { name, rtype, class } = request.question;
    match request.header.opcode() {
        Opcode::QUERY => {}
        // A primary takes neither: it listens to no other primary, and its content comes from files. RFC 1996 and
        // RFC 2136 §3.1.2 have NOTAUTH for a zone that is not here.
        Opcode::NOTIFY | Opcode::UPDATE => {
            let here = class == CLASS_IN && zones.find(name).is_some();
            return Verdict::Error(if here { Rcode::REFUSED } else { Rcode::NOTAUTH });
        }
        _ => return Verdict::Error(Rcode::NOTIMP),
    }
    match rtype {
        Rtype(0) | Rtype::OPT | Rtype::TSIG | Rtype::NXNAME => return Verdict::Error(Rcode::FORMERR),
        Rtype::AXFR | Rtype::IXFR => return judge_transfer(request, peer, session, transport, zones),
        Rtype::ANY => {}
        _ if rtype.is_meta() => return Verdict::Error(Rcode::NOTIMP),
        _ => {}
    }
    if class != CLASS_IN {
        return Verdict::Error(Rcode::REFUSED);
    }
    let Some(zone) = zones.answering(name, rtype) else { return Verdict::Error(Rcode::REFUSED) };
    zone.snapshot().map_or(Verdict::Error(Rcode::SERVFAIL), |snapshot| Verdict::Query(snapshot))
}

fn judge_transfer<'z>(
    request: &Request<'_>,
    peer: IpAddr,
    session: Option<&Session>,
    transport: Transport,
    zones: &'z Zones,
) -> Verdict<'z> {
    let Question { name, rtype, class } = request.question;
    let incremental = rtype == Rtype::IXFR;
    // RFC 5936 §4.2: there is no AXFR over UDP. RFC 1995 §3: IXFR says what its sender has.
    if incremental && request.serial.is_none() || !incremental && transport == Transport::Udp {
        return Verdict::Error(Rcode::FORMERR);
    }
    let Some(zone) = zones.find(name).filter(|_| class == CLASS_IN) else {
        return Verdict::Error(Rcode::NOTAUTH);
    };
    if !zone.access().allows(peer, session.map(|session| session.key().name())) {
        return Verdict::Error(Rcode::REFUSED);
    }
    let Some(snapshot) = zone.snapshot() else { return Verdict::Error(Rcode::SERVFAIL) };
    let up_to_date = request.serial.is_some_and(|serial| Serial(serial) >= snapshot.serial());
    if incremental && (up_to_date || transport == Transport::Udp) {
        return Verdict::Soa(snapshot);
    }
    Verdict::Transfer(snapshot)
}

// Header, the longest question and OPT fit into the smallest response.
const _: () = assert!(PLAIN_UDP > 12 + 255 + 4 + OPT_OCTETS);

#[cfg(test)]
mod tests;
