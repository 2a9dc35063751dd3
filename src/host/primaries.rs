//! Asking the primaries of a zone for something newer: which serial they have, then IXFR (RFC 1995) or AXFR
//! (RFC 5936), over TCP or TLS (RFC 9103), signed if there is a key.
//!
//! Each refresh is a task of its own, which ends in one input for the engine. Who is asked when, and what the outcome
//! means, is the engine's; what the messages say is read by [`zone::transfer`](crate::zone::transfer).

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::Duration;

use ring::rand::SystemRandom;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::clock;
use super::daemon::Message;
use super::notify::{self, Asked, RemoteError};
use super::servers::DOT;
use super::trust::{self, TrustError};
use crate::config::Remote;
use crate::dns::message::{Opcode, Rcode};
use crate::dns::rtype::Rtype;
use crate::dns::tsig::{Exchange, Key, Keyring, ResponseFault};
use crate::engine::{Input, Refresh, Refreshed};
use crate::zone::Serial;
use crate::zone::contents::soa_with_serial;
use crate::zone::node::encode_record;
use crate::zone::transfer::{Base, Incoming, Order, Progress, Received, TransferError};

/// How many zones may ask for a serial at once.
const POLLS: usize = 100;
/// How many zones may be transferred at once: each is held in memory twice while it is checked.
const TRANSFERS: usize = 10;
/// How long it may take to connect, and to shake hands.
const CONNECT: Duration = Duration::from_secs(10);
/// How long a primary may take for the next message.
const IDLE: Duration = Duration::from_mins(1);
/// How long a transfer may take, however lively it is.
const LONGEST: Duration = Duration::from_hours(2);

/// Asks for all zones.
pub(super) struct Primaries {
    keyring: Arc<Keyring>,
    engine: Sender<Message>,
    runtime: Handle,
    polls: Arc<Semaphore>,
    transfers: Arc<Semaphore>,
}

/// Why a primary gave nothing.
#[derive(Debug, thiserror::Error)]
enum RefreshError {
    #[error(transparent)]
    Remote(#[from] RemoteError),
    #[error("{0}")]
    Connection(#[from] std::io::Error),
    #[error(transparent)]
    Trust(#[from] TrustError),
    #[error("does not agree on ALPN `dot`")]
    NoAlpn,
    #[error(transparent)]
    Transfer(#[from] TransferError),
    #[error(transparent)]
    Tsig(#[from] ResponseFault),
    #[error("broke off the transfer, or sent nothing for {}", crate::dns::time::Seconds(IDLE.as_secs()))]
    CutOff,
    #[error("took longer than {}", crate::dns::time::Seconds(LONGEST.as_secs()))]
    TooLong,
    #[error(
        "has serial {theirs}, which is behind {ours}, transferred before; `danelaw reload ZONE` takes it all the same"
    )]
    Behind { theirs: Serial, ours: Serial },
    #[error("the task that checks the transfer ended")]
    Checker,
}

/// What came of one question for a transfer.
enum Transferred {
    UpToDate(Serial),
    Content(Box<Received>),
}

impl Primaries {
    pub(super) fn new(keyring: &Arc<Keyring>, engine: Sender<Message>, runtime: Handle) -> Self {
        let (polls, transfers) = (Arc::new(Semaphore::new(POLLS)), Arc::new(Semaphore::new(TRANSFERS)));
        Self { keyring: Arc::clone(keyring), engine, runtime, polls, transfers }
    }

    /// Uses these keys from now on.
    pub(super) fn configure(&mut self, keyring: &Arc<Keyring>) {
        self.keyring = Arc::clone(keyring);
    }

    /// Asks, and tells the engine.
    pub(super) fn refresh(&self, refresh: Refresh) {
        let (polls, transfers) = (Arc::clone(&self.polls), Arc::clone(&self.transfers));
        let (keyring, engine) = (Arc::clone(&self.keyring), self.engine.clone());
        self.runtime.spawn(async move {
            let (zone, id) = (refresh.order.zone.clone(), refresh.id);
            let outcome = ask(&refresh, &keyring, &polls, &transfers).await;
            let chance = ring::rand::generate::<[u8; 2]>(&SystemRandom::new())
                .map_or(0, |random| u16::from_be_bytes(random.expose()));
            let _ = engine.send(Message::Input(Input::Refreshed { zone, id, outcome, chance }));
        });
    }
}

/// Asks one primary after the other, until one has told.
async fn ask(
    refresh: &Refresh,
    keyring: &Keyring,
    polls: &Semaphore,
    transfers: &Semaphore,
) -> Result<Refreshed, String> {
    let mut places: Vec<(&Remote, SocketAddr)> = Vec::new();
    for remote in &refresh.remotes {
        places.extend(remote.addresses.iter().map(|&address| (&**remote, address)));
    }
    places.sort_by_key(|(_, address)| Some(address.ip()) != refresh.first);
    let mut faults = Vec::new();
    for (remote, address) in places {
        let primary = format!("{} ({address})", remote.name);
        let order = Order { primary: primary.clone(), ..refresh.order.clone() };
        let key = remote.tsig.as_ref().and_then(|key| keyring.find(key.name.as_ref()));
        let question = Question { refresh, order, remote, address, key, primary: &primary };
        match question.ask(polls, transfers).await {
            Ok(Transferred::UpToDate(serial)) => return Ok(Refreshed::Current { primary, serial }),
            Ok(Transferred::Content(received)) => return Ok(Refreshed::Content { primary, received }),
            Err(fault) => faults.push(format!("primary {primary}: {fault}")),
        }
    }
    Err(faults.join("; "))
}

/// What one primary is asked.
struct Question<'a> {
    refresh: &'a Refresh,
    order: Order,
    remote: &'a Remote,
    address: SocketAddr,
    key: Option<&'a Arc<Key>>,
    primary: &'a str,
}

impl Question<'_> {
    async fn ask(&self, polls: &Semaphore, transfers: &Semaphore) -> Result<Transferred, RefreshError> {
        let zone = self.order.zone.as_ref();
        let mut line = None;
        let serial = {
            // Semaphores are never closed; without a permit there is no harm either.
            let _permit = polls.acquire().await;
            if self.remote.tls.is_some() {
                let stream = line.insert(self.connect().await?);
                notify::poll_serial_over(stream, zone, self.key).await?
            } else {
                notify::poll_serial(self.address, zone, self.key).await?
            }
        };
        if let Some(up_to_date) = self.judge(serial)? {
            return Ok(up_to_date);
        }
        let _permit = transfers.acquire().await;
        if let Some(base) = &self.refresh.base {
            match self.transfer(line.take(), Some(base)).await {
                Ok(Transferred::UpToDate(_)) => {}
                Ok(content) => return Ok(content),
                Err(fault) => {
                    let (zone, primary) = (&self.order.zone, self.primary);
                    tracing::info!("{zone}: no changes from {primary}: {fault}; asking for the whole zone");
                }
            }
        }
        match self.transfer(line.take(), None).await? {
            Transferred::Content(received) => match self.judge(received.serial)? {
                // An address may stand for several servers, of which another one answered.
                Some(up_to_date) => Ok(up_to_date),
                None => Ok(Transferred::Content(received)),
            },
            up_to_date @ Transferred::UpToDate(_) => Ok(up_to_date),
        }
    }

    /// Whether a primary with this serial has nothing that is wanted.
    fn judge(&self, theirs: Serial) -> Result<Option<Transferred>, RefreshError> {
        match self.refresh.known {
            Some(ours) if theirs == ours => Ok(Some(Transferred::UpToDate(ours))),
            Some(ours) if theirs > ours => Ok(None),
            Some(ours) => Err(RefreshError::Behind { theirs, ours }),
            None => Ok(None),
        }
    }

    /// Transfers the zone, or what has changed since `base`, over `line` or a new one.
    async fn transfer(&self, line: Option<Line>, base: Option<&Base>) -> Result<Transferred, RefreshError> {
        let line = match line {
            Some(line) => line,
            None => self.connect().await?,
        };
        timeout(LONGEST, self.transfer_over(line, base)).await.unwrap_or(Err(RefreshError::TooLong))
    }

    async fn transfer_over(&self, mut line: Line, base: Option<&Base>) -> Result<Transferred, RefreshError> {
        let mut soa = Vec::new();
        if let Some(base) = base
            && let Some(ours) = base.snapshot.soa()
        {
            encode_record(&mut soa, Rtype::SOA, ours.ttl(), &soa_with_serial(ours.first(), base.serial));
        }
        let asked = Asked {
            dnssec_ok: false,
            recursion_desired: false,
            opcode: Opcode::QUERY,
            zone: self.order.zone.as_ref(),
            rtype: if base.is_some() { Rtype::IXFR } else { Rtype::AXFR },
            soa: base.map(|_| &soa[..]),
            key: self.key,
        };
        let (id, question, mut exchange) = asked.message()?;
        line.write_all(&[&(question.len() as u16).to_be_bytes()[..], &question].concat()).await?;
        line.flush().await?;
        let mut incoming = Incoming::new(self.order.clone(), id, base.cloned());
        let mut message = Vec::new();
        loop {
            match timeout(IDLE, receive(&mut line, &mut message)).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) | Err(_) => return Err(RefreshError::CutOff),
            }
            if let Some(exchange) = &mut exchange {
                verified(exchange, &message, &mut incoming)?;
            }
            match incoming.message(&message)? {
                Progress::More => {}
                Progress::UpToDate(serial) => return Ok(Transferred::UpToDate(serial)),
                Progress::Complete => break,
            }
        }
        exchange.map_or(Ok(()), Exchange::finish)?;
        // Of a large zone that takes seconds.
        let received = tokio::task::spawn_blocking(move || incoming.finish()).await;
        let received = received.map_err(|_| RefreshError::Checker)??;
        Ok(Transferred::Content(Box::new(received)))
    }

    async fn connect(&self) -> Result<Line, RefreshError> {
        let late = |_| std::io::Error::from(std::io::ErrorKind::TimedOut);
        let stream = timeout(CONNECT, TcpStream::connect(self.address)).await.map_err(late)??;
        stream.set_nodelay(true)?;
        let Some(tls) = &self.remote.tls else { return Ok(BufReader::new(Box::new(stream))) };
        let connector = TlsConnector::from(trust::client(tls)?);
        let name = trust::server_name(tls, self.address.ip());
        let stream = timeout(CONNECT, connector.connect(name, stream)).await.map_err(late)??;
        // RFC 9103 §7.1.
        if stream.get_ref().1.alpn_protocol() != Some(DOT) {
            return Err(RefreshError::NoAlpn);
        }
        Ok(BufReader::new(Box::new(stream)))
    }
}

/// Checks the signature of a message, or says what an unsigned one means.
fn verified(exchange: &mut Exchange, message: &[u8], incoming: &mut Incoming) -> Result<(), RefreshError> {
    match exchange.verify(message, clock::now()) {
        Ok(()) => Ok(()),
        // A server that knows nothing of the zone or of TSIG says so unsigned.
        Err(ResponseFault::Unsigned) => match incoming.message(message) {
            Err(TransferError::Refused(rcode)) => Err(refused(rcode)),
            _ => Err(ResponseFault::Unsigned.into()),
        },
        Err(fault) => Err(fault.into()),
    }
}

fn refused(rcode: Rcode) -> RefreshError {
    TransferError::Refused(rcode).into()
}

/// A connection to a primary.
type Line = BufReader<Box<dyn Duplex>>;

trait Duplex: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Duplex for T {}

async fn receive(line: &mut Line, message: &mut Vec<u8>) -> std::io::Result<()> {
    let length = line.read_u16().await?;
    message.resize(length.into(), 0);
    line.read_exact(message).await.map(|_| ())
}

#[cfg(test)]
mod tests;
