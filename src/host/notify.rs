//! Questions to other servers: NOTIFY (RFC 1996) to secondaries, which serial anybody serves, and which records.
//!
//! All go by UDP, again and again with growing pauses, and are signed if there is a key. Who asks decides what an
//! answer means; nothing is remembered here.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use ring::rand::SystemRandom;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::timeout;

use super::clock;
use crate::dns::message::query::Query;
use crate::dns::message::response::ResponseError;
use crate::dns::message::{Compression, Opcode, Question, Rcode, Response};
use crate::dns::name::NameRef;
use crate::dns::rdata;
use crate::dns::rtype::{CLASS_IN, Rtype};
use crate::dns::time::Ttl;
use crate::dns::tsig::{Exchange, Key, ResponseFault};
use crate::engine::outside::SignedRrset;
use crate::zone::Serial;

/// How long the first try waits for a response; each further one waits twice as long.
pub const FIRST_WAIT: Duration = Duration::from_secs(2);
/// How often a NOTIFY is sent: for a minute in all.
pub const NOTIFY_TRIES: u32 = 5;
/// How often a secondary is asked for its serial by UDP, before TCP: for a quarter of a minute.
pub const POLL_TRIES: u32 = 3;
/// How long a question by TCP may take, connection included.
pub const TCP_WAIT: Duration = Duration::from_secs(10);
/// Room for a question of ours and its TSIG.
const QUESTION: usize = 1_024;
/// Room for a response of at most a SOA record and TSIG; a larger one comes by TCP.
const RESPONSE: usize = 4_096;

/// Why another server gave no useful answer.
#[derive(Debug, thiserror::Error)]
pub enum RemoteError {
    /// It cannot be reached.
    #[error("cannot be reached: {0}")]
    Unreachable(#[from] io::Error),
    /// It stays silent.
    #[error("does not answer")]
    Silent,
    /// It says no.
    #[error("answers {0}")]
    Refused(Rcode),
    /// Its response cannot be trusted, or it does not trust us.
    #[error(transparent)]
    Tsig(#[from] ResponseFault),
    /// Its response makes no sense.
    #[error("its response is malformed")]
    Malformed,
    /// It does not serve the zone.
    #[error("does not serve the zone")]
    NotServed,
}

/// Tells `remote` that `zone` has a new version, whose SOA record (without owner) is `soa`. Returns once the remote
/// has said that it heard.
pub async fn notify(
    remote: SocketAddr,
    zone: NameRef<'_>,
    soa: &[u8],
    key: Option<&Arc<Key>>,
) -> Result<(), RemoteError> {
    let asked = Asked {
        opcode: Opcode::NOTIFY,
        zone,
        rtype: Rtype::SOA,
        soa: Some(soa),
        key,
        dnssec_ok: false,
        recursion_desired: false,
    };
    asked.heard(remote).await
}

/// Tells `remote`, whom the parent of `zone` names for that, that the CDS records of `zone` have changed (RFC 9859 §4).
/// Returns once the remote has said that it heard.
pub(super) async fn notify_cds(remote: SocketAddr, zone: NameRef<'_>) -> Result<(), RemoteError> {
    let asked = Asked {
        opcode: Opcode::NOTIFY,
        zone,
        rtype: Rtype::CDS,
        soa: None,
        key: None,
        dnssec_ok: false,
        recursion_desired: false,
    };
    asked.heard(remote).await
}

/// Asks which serial of `zone` the `remote` serves: by UDP, and by TCP if the response is cut off, none comes, or it is
/// a refusal: Knot answers for a catalog by TCP alone.
pub async fn poll_serial(
    remote: SocketAddr,
    zone: NameRef<'_>,
    key: Option<&Arc<Key>>,
) -> Result<Serial, RemoteError> {
    let asked = Asked::serial(zone, key);
    let response = match asked.by_udp(remote, POLL_TRIES).await {
        Ok(response) if asked.read(&response)?.is_truncated() => asked.by_tcp(remote).await?,
        Ok(response) if asked.read(&response)?.rcode() == Ok(Rcode::REFUSED) => {
            asked.by_tcp(remote).await.unwrap_or(response)
        }
        Err(RemoteError::Refused(rcode)) => {
            asked.by_tcp(remote).await.or(Err(RemoteError::Refused(rcode)))?
        }
        Err(RemoteError::Silent) => asked.by_tcp(remote).await?,
        other => other?,
    };
    asked.serial_in(&response)
}

/// Asks for an RRset with its signatures, as a resolver would: by UDP, and by TCP if the response is cut off or none
/// comes. Only the servers of its zone give a useful answer. An RRset that is not there has no records.
pub async fn ask_rrset(
    remote: SocketAddr,
    owner: NameRef<'_>,
    rtype: Rtype,
) -> Result<SignedRrset, RemoteError> {
    let asked = Asked::rrset(owner, rtype);
    asked.rrset_in(&asked.by_any(remote, POLL_TRIES).await?)
}

/// Asks for an RRset by TCP alone, where nobody can answer in the server's name who does not sit on the way.
pub(super) async fn ask_rrset_by_tcp(
    remote: SocketAddr,
    owner: NameRef<'_>,
    rtype: Rtype,
) -> Result<SignedRrset, RemoteError> {
    let asked = Asked::rrset(owner, rtype);
    asked.rrset_in(&asked.by_tcp(remote).await?)
}

/// Asks a resolver for an RRset; what it does not have is empty.
pub(super) async fn resolve(
    resolver: SocketAddr,
    owner: NameRef<'_>,
    rtype: Rtype,
) -> Result<Vec<Vec<u8>>, RemoteError> {
    let asked = Asked { dnssec_ok: false, recursion_desired: true, ..Asked::rrset(owner, rtype) };
    let response = match asked.by_udp(resolver, POLL_TRIES).await {
        Ok(response) if asked.read(&response)?.is_truncated() => asked.by_tcp(resolver).await?,
        other => other?,
    };
    match asked.read(&response)?.rcode().map_err(|_| RemoteError::Malformed)? {
        Rcode::NOERROR | Rcode::NXDOMAIN => Ok(asked.answer_in(&response)?.rdatas),
        rcode => Err(RemoteError::Refused(rcode)),
    }
}

/// Asks a question with DO, by UDP, and by TCP if the response is cut off or none comes. Returns the response, of which
/// nothing is known but that it belongs to the question.
pub(super) async fn ask(
    remote: SocketAddr,
    name: NameRef<'_>,
    rtype: Rtype,
    tries: u32,
) -> Result<Vec<u8>, RemoteError> {
    Ok(Asked::rrset(name, rtype).by_any(remote, tries).await?.message)
}

/// Asks which serial of `zone` is served at the other end of `stream`.
pub(super) async fn poll_serial_over<S>(
    stream: &mut S,
    zone: NameRef<'_>,
    key: Option<&Arc<Key>>,
) -> Result<Serial, RemoteError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let asked = Asked::serial(zone, key);
    let response = timeout(TCP_WAIT, asked.over(stream)).await.unwrap_or(Err(RemoteError::Silent))?;
    asked.serial_in(&response)
}

/// A question.
pub(super) struct Asked<'a> {
    pub(super) opcode: Opcode,
    pub(super) zone: NameRef<'a>,
    pub(super) rtype: Rtype,
    /// The SOA record that goes with it, without its owner.
    pub(super) soa: Option<&'a [u8]>,
    pub(super) key: Option<&'a Arc<Key>>,
    /// Whether it asks for signatures.
    pub(super) dnssec_ok: bool,
    /// Whether it asks a resolver.
    pub(super) recursion_desired: bool,
}

/// A response whose ID and signature have been found right.
struct Answered {
    id: u16,
    message: Vec<u8>,
}

impl<'a> Asked<'a> {
    fn serial(zone: NameRef<'a>, key: Option<&'a Arc<Key>>) -> Self {
        Self { key, dnssec_ok: false, ..Self::rrset(zone, Rtype::SOA) }
    }

    /// An RRset and its signatures, of who serves it.
    fn rrset(zone: NameRef<'a>, rtype: Rtype) -> Self {
        Self {
            opcode: Opcode::QUERY,
            zone,
            rtype,
            soa: None,
            key: None,
            dnssec_ok: true,
            recursion_desired: false,
        }
    }

    /// Asks by UDP, and by TCP if the response is cut off or none comes.
    async fn by_any(&self, remote: SocketAddr, tries: u32) -> Result<Answered, RemoteError> {
        match self.by_udp(remote, tries).await {
            Ok(response) if self.read(&response)?.is_truncated() => self.by_tcp(remote).await,
            Err(RemoteError::Silent) => self.by_tcp(remote).await,
            other => other,
        }
    }

    /// Sends a NOTIFY until it is answered.
    async fn heard(&self, remote: SocketAddr) -> Result<(), RemoteError> {
        let response = self.by_udp(remote, NOTIFY_TRIES).await?;
        match self.read(&response)?.rcode().map_err(|_| RemoteError::Malformed)? {
            Rcode::NOERROR => Ok(()),
            rcode => Err(RemoteError::Refused(rcode)),
        }
    }

    fn question(&self) -> Question<'a> {
        Question { name: self.zone, rtype: self.rtype, class: CLASS_IN }
    }

    /// The serial that the response to [`serial`](Self::serial) tells.
    fn serial_in(&self, answered: &Answered) -> Result<Serial, RemoteError> {
        let response = self.read(answered)?;
        match response.rcode().map_err(|_| RemoteError::Malformed)? {
            Rcode::NOERROR if response.is_authoritative() => {}
            Rcode::NOERROR => return Err(RemoteError::NotServed),
            rcode => return Err(RemoteError::Refused(rcode)),
        }
        let serial = response.soa_serial().map_err(|_| RemoteError::Malformed)?;
        serial.map(Serial).ok_or(RemoteError::NotServed)
    }

    /// What an authoritative server has.
    fn rrset_in(&self, answered: &Answered) -> Result<SignedRrset, RemoteError> {
        let read = self.read(answered)?;
        match read.rcode().map_err(|_| RemoteError::Malformed)? {
            Rcode::NOERROR | Rcode::NXDOMAIN if read.is_authoritative() => self.answer_in(answered),
            Rcode::NOERROR | Rcode::NXDOMAIN => Err(RemoteError::NotServed),
            rcode => Err(RemoteError::Refused(rcode)),
        }
    }

    /// The records of the type that was asked for.
    fn answer_in(&self, answered: &Answered) -> Result<SignedRrset, RemoteError> {
        let mut rrset = SignedRrset::default();
        for record in self.read(answered)?.answers().map_err(|_| RemoteError::Malformed)? {
            let record = record.map_err(|_| RemoteError::Malformed)?;
            let mut rdata = Vec::new();
            rdata::decompress(&answered.message, &record, &mut rdata).map_err(|_| RemoteError::Malformed)?;
            if record.rtype == self.rtype {
                rrset.ttl = Ttl(record.ttl);
                rrset.rdatas.push(rdata);
            } else if record.rtype == Rtype::RRSIG {
                rrset.signatures.push(rdata);
            }
        }
        Ok(rrset)
    }

    fn read<'m>(&self, answered: &'m Answered) -> Result<Response<'m>, RemoteError> {
        Response::read(&answered.message, answered.id, self.opcode, &self.question())
            .map_err(|_| RemoteError::Malformed)
    }

    /// The message, fresh for each try: the ID is unpredictable, the signature is of now.
    pub(super) fn message(&self) -> Result<(u16, Vec<u8>, Option<Exchange>), RemoteError> {
        let id = ring::rand::generate::<[u8; 2]>(&SystemRandom::new())
            .map_err(|_| io::Error::other("the system has no randomness"))?;
        let id = u16::from_be_bytes(id.expose());
        let query = Query {
            id,
            opcode: self.opcode,
            question: self.question(),
            soa: self.soa,
            edns: self.dnssec_ok,
            dnssec_ok: self.dnssec_ok,
        };
        let mut out = vec![0; QUESTION];
        let reserve = self.key.map_or(0, |key| Exchange::reserve(key));
        let too_long = |_| io::Error::other("SOA record is too long for a message");
        let mut length = query.write(&mut out, reserve, &mut Compression::default()).map_err(too_long)?;
        let mut exchange = None;
        if let Some(key) = self.key {
            let begun = Exchange::begin(Arc::clone(key), &mut out, length, clock::now()).map_err(too_long)?;
            (exchange, length) = (Some(begun.0), begun.1);
        }
        out.truncate(length);
        if self.recursion_desired {
            out[2] |= RECURSION_DESIRED;
        }
        Ok((id, out, exchange))
    }

    async fn by_udp(&self, remote: SocketAddr, tries: u32) -> Result<Answered, RemoteError> {
        let here: SocketAddr = if remote.is_ipv4() {
            (Ipv4Addr::UNSPECIFIED, 0).into()
        } else {
            (Ipv6Addr::UNSPECIFIED, 0).into()
        };
        let mut last = RemoteError::Silent;
        for attempt in 0..tries {
            // A port of its own for each try, which only the remote's datagrams reach.
            let socket = UdpSocket::bind(here).await?;
            socket.connect(remote).await?;
            let (id, message, mut exchange) = self.message()?;
            let wait = FIRST_WAIT * 2_u32.pow(attempt);
            let answer = async {
                socket.send(&message).await?;
                self.response(&socket, id, exchange.as_mut()).await
            };
            match timeout(wait, answer).await {
                Ok(Ok(answered)) => return Ok(answered),
                Ok(Err(RemoteError::Unreachable(error))) => {
                    // Nobody listens there now; the pause may change that.
                    last = RemoteError::Unreachable(error);
                    tokio::time::sleep(wait).await;
                }
                Ok(Err(error)) => return Err(error),
                Err(_) => last = RemoteError::Silent,
            }
        }
        Err(last)
    }

    /// Waits for the response, passing over what is not ours.
    async fn response(
        &self,
        socket: &UdpSocket,
        id: u16,
        mut exchange: Option<&mut Exchange>,
    ) -> Result<Answered, RemoteError> {
        let mut message = vec![0; RESPONSE];
        loop {
            let length = socket.recv(&mut message).await?;
            match self.check(id, &message[..length], exchange.as_deref_mut()) {
                // RFC 8945 §5.4: a response with a wrong MAC may be a forger's; the right one may follow.
                Ok(false) | Err(RemoteError::Tsig(ResponseFault::WrongMac)) => {}
                Ok(true) => {
                    message.truncate(length);
                    return Ok(Answered { id, message });
                }
                Err(error) => return Err(error),
            }
        }
    }

    async fn by_tcp(&self, remote: SocketAddr) -> Result<Answered, RemoteError> {
        let answer = async { self.over(&mut TcpStream::connect(remote).await?).await };
        timeout(TCP_WAIT, answer).await.unwrap_or(Err(RemoteError::Silent))
    }

    async fn over<S>(&self, stream: &mut S) -> Result<Answered, RemoteError>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let (id, message, mut exchange) = self.message()?;
        stream.write_all(&[&(message.len() as u16).to_be_bytes()[..], &message].concat()).await?;
        stream.flush().await?;
        let length = stream.read_u16().await?;
        let mut message = vec![0; length.into()];
        stream.read_exact(&mut message).await?;
        if self.check(id, &message, exchange.as_mut())? {
            Ok(Answered { id, message })
        } else {
            Err(RemoteError::Malformed)
        }
    }

    /// Whether this is our response, and if so, signed as it should be.
    fn check(&self, id: u16, message: &[u8], exchange: Option<&mut Exchange>) -> Result<bool, RemoteError> {
        match Response::read(message, id, self.opcode, &self.question()) {
            Err(ResponseError::NotOurs | ResponseError::Malformed) => return Ok(false),
            Ok(response) => {
                if let Some(exchange) = exchange {
                    match exchange.verify(message, clock::now()) {
                        Ok(()) => {}
                        // A server that knows nothing of the zone or of TSIG says so unsigned.
                        Err(ResponseFault::Unsigned) => {
                            let rcode = response.rcode().map_err(|_| RemoteError::Malformed)?;
                            if rcode != Rcode::NOERROR {
                                return Err(RemoteError::Refused(rcode));
                            }
                            return Err(ResponseFault::Unsigned.into());
                        }
                        Err(fault) => return Err(fault.into()),
                    }
                }
            }
        }
        Ok(true)
    }
}

/// RD, in the third octet of a message.
const RECURSION_DESIRED: u8 = 1;

#[cfg(test)]
mod tests;
