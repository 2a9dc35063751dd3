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
//! server    what answers to all zones have in common: identity, cookies, rates
//! cookie    whether a client's address is its own (RFC 7873, RFC 9018)
//! rate      how many alike responses a network is sent
//! access    who may transfer, and notify
//! notice    what becomes of NOTIFY
//! find      what a zone has to say of a name (RFC 1034 §4.3.2, RFC 4592, RFC 6672)
//! query     the three sections of a response
//! denial    NSEC and NSEC3 records that prove what is not there
//! hashes    NSEC3 hashes that are asked for again and again
//! transfer  AXFR and IXFR
//! update    who may ask for which dynamic update
//! ```

pub mod access;
pub mod cookie;
mod denial;
mod find;
mod hashes;
pub mod notice;
mod query;
pub mod rate;
pub mod server;
pub mod transfer;
pub mod update;
pub mod zones;

use std::fmt;
use std::sync::Arc;

pub use access::{Access, Peer, Prefix, Rule, Tls};
pub use notice::{Listener, Sent};
pub use server::Server;
pub use transfer::Transfer;
pub use update::{Grant, Grants, Requested, Updater};
pub use zones::{Zone, Zones};

use crate::dns::message::{
    Compression, Edns, ExtendedError, Full, HEADER, MAX_MESSAGE, OPT_OCTETS, Opcode, Opt, Owner, PLAIN_UDP,
    Question, Rcode, Rejection, Request, UDP_PAYLOAD, Unanswered, Writer, flag,
};
use crate::dns::rtype::{CLASS_CH, CLASS_IN, Rtype};
use crate::dns::time::{Seconds, Timestamp};
use crate::dns::tsig::{Refusal, Session};
use crate::zone::update::Update;
use crate::zone::{Delta, Serial, Snapshot};
use rate::{Kind, Limited};
use server::Text;
use update::Reply;
use zones::hash;

/// How a request came, and how its response will go.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Transport {
    /// One datagram each way.
    Udp,
    /// A stream of messages (RFC 7766).
    Tcp,
    /// The same within TLS (RFC 7858).
    Tls,
    /// An HTTP exchange within TLS (RFC 8484).
    Https,
    /// A QUIC stream (RFC 9250).
    Quic,
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Udp => "udp",
            Self::Tcp => "tcp",
            Self::Tls => "tls",
            Self::Https => "https",
            Self::Quic => "quic",
        })
    }
}

impl Transport {
    /// Whether a response may be cut off, because a client that sees TC can ask again elsewhere.
    pub fn may_truncate(self) -> bool {
        matches!(self, Self::Udp)
    }

    /// Whether an onlooker sees no more of a message than its length.
    pub fn is_encrypted(self) -> bool {
        matches!(self, Self::Tls | Self::Https | Self::Quic)
    }

    /// Whether a request may be answered with a sequence of messages, as transfers are.
    pub fn streams(self) -> bool {
        matches!(self, Self::Tcp | Self::Tls)
    }

    /// Whether a response may come later than others, as those to updates do.
    pub fn updates(self) -> bool {
        matches!(self, Self::Udp | Self::Tcp | Self::Tls)
    }

    /// Whether it is in DNS that a connection's idle time is spoken of (RFC 7828): HTTP and QUIC have words of
    /// their own (RFC 9250 §5.5.2).
    pub fn announces_idle_time(self) -> bool {
        matches!(self, Self::Tcp | Self::Tls)
    }
}

/// What is to be sent.
pub enum Outcome {
    /// Nothing.
    Silence,
    /// The message in the first so many octets of the buffer.
    Response(usize),
    /// The messages of a transfer, in order.
    Transfer(Box<Transfer>),
    /// What comes of this update, when it is done: see [`Zones::updater`].
    Update(Box<Requested>),
}

/// Answers requests, one after the other; each thread has its own.
#[derive(Default)]
pub struct Answerer {
    /// How long the connection that the next request comes by may be idle from now on (RFC 7828 §3.1); told to those
    /// who ask.
    pub idle: Seconds,
    names: Compression,
    scratch: query::Scratch,
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
    Error(Rcode, Option<ExtendedError>),
    /// Answer from this zone.
    Query(&'z Snapshot),
    /// Answer with this, of class CH.
    Chaos(&'z Text),
    /// Answer with the current SOA alone: IXFR that is up to date, or that fits into no datagram (RFC 1995 §2).
    Soa(&'z Snapshot),
    /// Transfer this zone, or only these changes that lead to it.
    Transfer(&'z Arc<Snapshot>, Option<Vec<Arc<Delta>>>),
    /// Say that a NOTIFY was heard.
    Heard,
    /// Carry this out, then say how it went.
    Update(Arc<Update>),
}

impl Answerer {
    /// Answers `message`, which `peer` sent. `out` should have room for the largest response of the transport:
    /// [`UDP_PAYLOAD`] or [`MAX_MESSAGE`] octets.
    pub fn answer(
        &mut self,
        message: &[u8],
        peer: Peer<'_>,
        transport: Transport,
        zones: &Zones,
        now: Timestamp,
        out: &mut [u8],
    ) -> Outcome {
        // Not moved out: it is a hundred octets.
        let read = Request::read(message);
        let request = match &read {
            Ok(request) => request,
            Err(Unanswered::Silence) => return Outcome::Silence,
            Err(Unanswered::Rejected(rejection)) => {
                let limiter = zones.server().limiter.as_ref().filter(|_| transport.may_truncate());
                // There is nothing in an error that TC could stand for.
                return match limiter.map(|limiter| limiter.judge(peer.address, Kind::Error, 0, now)) {
                    None | Some(Limited::Send) => self.reject(rejection, out),
                    Some(Limited::Truncate | Limited::Drop) => Outcome::Silence,
                };
            }
        };
        let mut signing = match request.tsig_at.map(|at| Session::verify(message, at, zones.keys(), now)) {
            None => Signing::None,
            Some(Ok(session)) => Signing::Signed(session),
            Some(Err(refusal)) => Signing::Refused(refusal),
        };
        let mut verdict = match &signing {
            Signing::Refused(refusal) => Verdict::Error(refusal.rcode(), None),
            Signing::Signed(session) if request.header.opcode() == Opcode::UPDATE && transport.updates() => {
                match update::judge(message, request, peer.address, session, zones) {
                    Ok(update) => Verdict::Update(update),
                    Err((rcode, error)) => Verdict::Error(rcode, error),
                }
            }
            Signing::None => judge(request, peer, None, transport, zones),
            Signing::Signed(session) => judge(request, peer, Some(session), transport, zones),
        };
        if let (Verdict::Update(update), Signing::Signed(session)) = (&verdict, &signing) {
            let (zone, key) = (request.question.name.to_owned(), session.key().name().to_owned());
            let update = Arc::clone(update);
            let Signing::Signed(session) = signing else { return Outcome::Silence };
            let reply = Reply::new(request, session);
            return Outcome::Update(Box::new(Requested { zone, update, key, from: peer.address, reply }));
        }
        if let Verdict::Transfer(snapshot, changes) = verdict {
            let session = if let Signing::Signed(session) = signing { Some(session) } else { None };
            let transfer = Transfer::new(Arc::clone(snapshot), changes, request, session);
            if transport.streams() {
                return Outcome::Transfer(Box::new(transfer));
            }
            signing = match transfer.in_one(out, limit(transport, request.edns), &mut self.names, now) {
                Ok(length) => return Outcome::Response(length),
                Err(session) => session.map_or(Signing::None, Signing::Signed),
            };
            verdict = Verdict::Soa(snapshot);
        }
        let server = &**zones.server();
        let cookie = match (request.options.cookie, &server.cookies) {
            (Some(cookie), Some(secret)) => Some(secret.judge(cookie, peer.address, now)),
            _ => None,
        };
        let opt = request.edns.map(|edns| Opt {
            edns: reply_edns(edns),
            cookie: cookie.map(|judged| judged.reply),
            nsid: server.id.as_ref().filter(|_| request.options.nsid).map(Text::octets),
            keepalive: (request.options.keepalive && transport.announces_idle_time())
                .then(|| u16::try_from(self.idle.0 * 10).unwrap_or(u16::MAX)),
            error: match verdict {
                Verdict::Error(_, error) => error,
                // Whoever does not look at signatures is not concerned.
                Verdict::Query(zone) | Verdict::Soa(zone) if request.dnssec_ok() && zone.is_stale(now) => {
                    Some(ExtendedError::STALE)
                }
                _ => None,
            },
            padded: request.options.padding && transport.is_encrypted(),
        });
        let limit = limit(transport, request.edns);
        let header = request.header.reply();
        let mut kind = Kind::Error;
        let mut respond = || {
            let mut writer =
                Writer::new(out, limit, signing.reserve(), header, opt.as_ref(), &mut self.names);
            writer.question(&request.question)?;
            kind = write(&mut writer, &verdict, zones, request, transport, &mut self.scratch);
            let length = writer.finish();
            signing.append(out, length, now)
        };
        let outcome = sent(respond());
        let Some(limiter) = server.limiter.as_ref().filter(|_| transport.may_truncate()) else {
            return outcome;
        };
        if matches!(signing, Signing::Signed(_)) || cookie.is_some_and(|judged| judged.is_ours) {
            return outcome;
        }
        match limiter.judge(peer.address, kind, likeness(kind, &request.question, &verdict), now) {
            Limited::Send => outcome,
            Limited::Drop => Outcome::Silence,
            Limited::Truncate => {
                let mut truncated = || {
                    let mut writer = Writer::new(out, limit, 0, header, opt.as_ref(), &mut self.names);
                    writer.question(&request.question)?;
                    writer.set(flag::TC);
                    Ok(writer.finish())
                };
                sent(truncated())
            }
        }
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
            let opt = rejection.edns.map(|edns| Opt::from(reply_edns(edns)));
            let header = rejection.header.reply();
            let mut writer = Writer::new(out, PLAIN_UDP, 0, header, opt.as_ref(), &mut self.names);
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

/// Writes the records that the verdict calls for, and says of what kind the response is.
fn write(
    writer: &mut Writer<'_>,
    verdict: &Verdict<'_>,
    zones: &Zones,
    request: &Request<'_>,
    transport: Transport,
    scratch: &mut query::Scratch,
) -> Kind {
    match *verdict {
        Verdict::Error(rcode, _) => {
            writer.set_rcode(rcode);
            Kind::Error
        }
        Verdict::Query(zone) => {
            let minimal = transport.may_truncate();
            query::answer(writer, zones, zone, &request.question, request.dnssec_ok(), minimal, scratch)
        }
        Verdict::Chaos(text) => {
            writer.set(flag::AA);
            // A text and its record are far shorter than the shortest message.
            let _ = writer.record(Owner::At(HEADER as u16), text.record());
            Kind::Answer
        }
        Verdict::Soa(zone) => {
            let question = Question { rtype: Rtype::SOA, ..request.question };
            query::answer(writer, zones, zone, &question, request.dnssec_ok(), true, scratch)
        }
        Verdict::Heard => {
            // RFC 1996 §4.7: who is asked for is authoritative.
            writer.set(flag::AA);
            Kind::Answer
        }
        Verdict::Transfer(..) | Verdict::Update(_) => Kind::Answer,
    }
}

/// What makes responses of one kind alike, see [`Kind`].
fn likeness(kind: Kind, question: &Question<'_>, verdict: &Verdict<'_>) -> u64 {
    let zone = || match verdict {
        Verdict::Query(zone) | Verdict::Soa(zone) => hash(zone.origin().as_ref()).into(),
        _ => 0,
    };
    match kind {
        Kind::Answer => u64::from(question.rtype.0) << 32 | u64::from(hash(question.name)),
        Kind::Wildcard | Kind::Referral | Kind::NoData | Kind::NoName => zone(),
        Kind::Error => 0,
    }
}

/// The OPT record of a response: our payload, our version, DO as it was asked (RFC 3225 §3).
fn reply_edns(asked: Edns) -> Edns {
    Edns { payload: UDP_PAYLOAD, extended_rcode: 0, version: 0, dnssec_ok: asked.dnssec_ok }
}

/// The longest response. What a client says below 512 is read as 512 (RFC 6891 §6.2.3).
fn limit(transport: Transport, edns: Option<Edns>) -> usize {
    match edns {
        _ if !transport.may_truncate() => MAX_MESSAGE,
        None => PLAIN_UDP,
        Some(edns) => usize::from(edns.payload.min(UDP_PAYLOAD)).max(PLAIN_UDP),
    }
}

fn refused<'z>(error: ExtendedError) -> Verdict<'z> {
    Verdict::Error(Rcode::REFUSED, Some(error))
}

fn not_implemented<'z>() -> Verdict<'z> {
    Verdict::Error(Rcode::NOTIMP, Some(ExtendedError::NOT_SUPPORTED))
}

/// The zone is ours, and there is no version of it yet, or no longer.
fn not_ready<'z>(zone: &Zone) -> Verdict<'z> {
    let error = if zone.has_expired() { ExtendedError::INVALID_DATA } else { ExtendedError::NOT_READY };
    Verdict::Error(Rcode::SERVFAIL, Some(error))
}

fn judge<'z>(
    request: &Request<'_>,
    peer: Peer<'_>,
    session: Option<&Session>,
    transport: Transport,
    zones: &'z Zones,
) -> Verdict<'z> {
    let Question { name, rtype, class } = request.question;
    match request.header.opcode() {
        Opcode::QUERY => {}
        Opcode::NOTIFY => {
            return match notice::judge(request, peer, session, zones) {
                Ok(()) => Verdict::Heard,
                Err((rcode, error)) => Verdict::Error(rcode, error),
            };
        }
        // Without a signature nobody may. RFC 2136 §3.1.2 has NOTAUTH for a zone that is not here.
        Opcode::UPDATE => {
            let here = class == CLASS_IN && zones.find(name).is_some();
            return if here {
                refused(ExtendedError::PROHIBITED)
            } else {
                Verdict::Error(Rcode::NOTAUTH, None)
            };
        }
        _ => return not_implemented(),
    }
    match rtype {
        Rtype(0) | Rtype::OPT | Rtype::TSIG | Rtype::NXNAME => return Verdict::Error(Rcode::FORMERR, None),
        Rtype::AXFR | Rtype::IXFR => return judge_transfer(request, peer, session, transport, zones),
        Rtype::ANY => {}
        _ if rtype.is_meta() => return not_implemented(),
        _ => {}
    }
    if class == CLASS_CH && matches!(rtype, Rtype::TXT | Rtype::ANY) {
        return zones.server().chaos(name).map_or(refused(ExtendedError::PROHIBITED), Verdict::Chaos);
    }
    if class != CLASS_IN {
        return refused(ExtendedError::NOT_AUTHORITATIVE);
    }
    let Some(zone) = zones.responsible(name, rtype) else {
        return refused(ExtendedError::NOT_AUTHORITATIVE);
    };
    if !zone.access().answers(peer, session.map(|session| session.key().name())) {
        return refused(ExtendedError::PROHIBITED);
    }
    zone.snapshot().map_or_else(|| not_ready(zone), |snapshot| Verdict::Query(snapshot))
}

fn judge_transfer<'z>(
    request: &Request<'_>,
    peer: Peer<'_>,
    session: Option<&Session>,
    transport: Transport,
    zones: &'z Zones,
) -> Verdict<'z> {
    let Question { name, rtype, class } = request.question;
    let incremental = rtype == Rtype::IXFR;
    // RFC 5936 §4.2: there is no AXFR over UDP. RFC 1995 §3: IXFR says what its sender has.
    if incremental && request.serial.is_none() || !incremental && transport.may_truncate() {
        return Verdict::Error(Rcode::FORMERR, None);
    }
    let Some(zone) = zones.find(name).filter(|_| class == CLASS_IN) else {
        return Verdict::Error(Rcode::NOTAUTH, Some(ExtendedError::NOT_AUTHORITATIVE));
    };
    if !zone.access().allows(peer, session.map(|session| session.key().name())) {
        return refused(ExtendedError::PROHIBITED);
    }
    let Some(snapshot) = zone.snapshot() else { return not_ready(zone) };
    let serial = request.serial.map(Serial).filter(|_| incremental);
    if serial.is_some_and(|serial| serial >= snapshot.serial()) {
        return Verdict::Soa(snapshot);
    }
    // RFC 8484 has one response to a request; over QUIC, transfers are not offered; RFC 9103 §7 wants TLS 1.3.
    let is_old_tls = transport == Transport::Tls && peer.tls.is_none();
    if is_old_tls || !transport.streams() && !transport.may_truncate() {
        return refused(ExtendedError::NOT_SUPPORTED);
    }
    match serial.and_then(|serial| zone.changes_since(serial)) {
        None if transport.may_truncate() => Verdict::Soa(snapshot),
        changes => Verdict::Transfer(snapshot, changes),
    }
}

// Header, the longest question and OPT fit into the smallest response.
const _: () = assert!(PLAIN_UDP > HEADER + 255 + 4 + OPT_OCTETS);

#[cfg(test)]
mod tests;
