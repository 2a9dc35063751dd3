//! What a TLS service presents: its certificate chains, as a client would be sent them.
//!
//! One look is several handshakes. A server may hold a certificate for each signature algorithm, each name that it is
//! asked for and each version of TLS; so all of them are offered apart ([`Handshake`]). A chain counts as seen once
//! its server has signed a handshake with the leaf's key. Who issued it, and whether it has expired, is not looked at:
//! DANE asks neither (RFC 7671 §5.1).
//!
//! What a stranger may make of this is bounded: [`TIMEOUT`] for each connection, and a few kilobytes before TLS. A
//! look is whole or an error: a chain that was not seen because a connection broke might be the one that matters.

pub mod dialogue;
mod handshake;

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use rustls::pki_types::ServerName;
use rustls::{AlertDescription, PeerIncompatible};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

pub use dialogue::Fault;
use dialogue::{Dialogue, Heard, Names, Next, parting};
pub use handshake::{Handshake, Signature, Version};

use crate::config::Manner;
use crate::dns::name::NameRef;
use crate::dns::time::Seconds;

/// How long one connection may take, from the first packet to the end of its handshake.
pub const TIMEOUT: Duration = Duration::from_secs(10);
/// How long the server has for its last words.
const PARTING: Duration = Duration::from_secs(1);
/// The most that a server may say before TLS, in octets: several times what any of the protocols needs.
const MOST: usize = 8_192;

/// Where to look, and what for.
#[derive(Debug, Clone, Copy)]
pub struct Target<'a> {
    /// Where the service listens.
    pub address: SocketAddr,
    /// How TLS begins there.
    pub manner: Manner,
    /// The host that is asked for by SNI.
    pub host: NameRef<'a>,
    /// The domain whose service it is: an XMPP server knows no other name (RFC 6120 §4.7.2). The host if there is none.
    pub domain: Option<NameRef<'a>>,
    /// What we call ourselves in EHLO.
    pub ehlo: NameRef<'a>,
}

/// A chain that a service presents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Presented {
    /// Certificates in DER, as they were sent: the server's own first. Never empty.
    pub chain: Vec<Vec<u8>>,
    /// The handshakes in which it was sent. Never empty.
    pub handshakes: Vec<Handshake>,
}

/// Why nothing can be said of a service.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ProbeError {
    /// Nobody listens there.
    #[error("refuses connections")]
    Refused,
    /// There is no way there, or none any more.
    #[error("cannot be reached: {0}")]
    Unreachable(io::ErrorKind),
    /// It connects or answers too late, or never.
    #[error("has not shaken hands within {}", Seconds(TIMEOUT.as_secs()))]
    TimedOut,
    /// It speaks the protocol, without TLS.
    #[error("does not offer STARTTLS")]
    NoStartTls,
    /// It does not speak the protocol.
    #[error("{0}")]
    Protocol(#[from] Fault),
    /// What it sends is no TLS, or breaks its rules.
    #[error("TLS: {0}")]
    Tls(rustls::Error),
    /// It refuses every handshake; this is what it said to the first.
    #[error("refuses every TLS handshake: {0}")]
    NoHandshake(Refusal),
}

/// How a server says that it has nothing for the handshake that it was offered.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Refusal {
    /// In TLS's own words.
    #[error("alert {0:?}")]
    Alert(AlertDescription),
    /// It answers in a version or with a choice that was not offered.
    #[error("{0:?}")]
    Incompatible(PeerIncompatible),
    /// It hangs up.
    #[error("connection closed")]
    Closed,
}

/// Shakes hands in every [`Handshake`] there is, one after the other, and returns the distinct chains in the order in
/// which they were seen.
pub async fn look(target: &Target<'_>) -> Result<Vec<Presented>, ProbeError> {
    let mut seen: Vec<Presented> = Vec::new();
    let mut refusal = None;
    let name = ServerName::try_from(target.host.undotted()).ok();
    for handshake in Handshake::all() {
        // A name that no certificate can be for cannot be asked for either.
        if handshake.sni && name.is_none() {
            continue;
        }
        let attempt = attempt(target, name.as_ref(), handshake);
        match timeout(TIMEOUT, attempt).await.unwrap_or(Err(ProbeError::TimedOut))? {
            Ok(chain) => match seen.iter_mut().find(|presented| presented.chain == chain) {
                Some(presented) => presented.handshakes.push(handshake),
                None => seen.push(Presented { chain, handshakes: vec![handshake] }),
            },
            Err(why) => {
                refusal.get_or_insert(why);
            }
        }
    }
    match refusal {
        Some(refusal) if seen.is_empty() => Err(ProbeError::NoHandshake(refusal)),
        _ => Ok(seen),
    }
}

/// Whether TLS may begin there, by one connection that goes no further.
pub async fn offers_tls(target: &Target<'_>) -> Result<bool, ProbeError> {
    let introduction = async { introduce(&mut connect(target.address).await?, target).await };
    match timeout(TIMEOUT, introduction).await.unwrap_or(Err(ProbeError::TimedOut)) {
        Ok(()) => Ok(true),
        Err(ProbeError::NoStartTls) => Ok(false),
        Err(error) => Err(error),
    }
}

/// One connection: the chain that was sent, or how this handshake was refused.
async fn attempt(
    target: &Target<'_>,
    name: Option<&ServerName<'static>>,
    handshake: Handshake,
) -> Result<Result<Vec<Vec<u8>>, Refusal>, ProbeError> {
    let mut stream = connect(target.address).await?;
    introduce(&mut stream, target).await?;
    let (config, witness) = handshake.client().map_err(ProbeError::Tls)?;
    let name = name.cloned().unwrap_or_else(|| ServerName::IpAddress(target.address.ip().into()));
    let outcome = TlsConnector::from(config).connect(name, stream).await;
    let refused = match outcome {
        Ok(stream) => {
            // Its manners are not what was asked for.
            let _ = timeout(PARTING, part(stream, target.manner)).await;
            Err(Refusal::Closed)
        }
        Err(error) => refusal(&error).map(Err)?,
    };
    // A server that wants a certificate of ours has shown its own before it refuses us.
    Ok(witness.chain().map_or(refused, Ok))
}

async fn connect(address: SocketAddr) -> Result<TcpStream, ProbeError> {
    TcpStream::connect(address).await.map_err(|error| match error.kind() {
        io::ErrorKind::ConnectionRefused => ProbeError::Refused,
        io::ErrorKind::TimedOut => ProbeError::TimedOut,
        kind => ProbeError::Unreachable(kind),
    })
}

/// What is said until TLS may begin.
async fn introduce(stream: &mut TcpStream, target: &Target<'_>) -> Result<(), ProbeError> {
    let names = Names { to: &target.domain.unwrap_or(target.host).undotted(), ehlo: &target.ehlo.undotted() };
    let Some((mut dialogue, opening)) = Dialogue::begin(target.manner, names) else { return Ok(()) };
    stream.write_all(&opening).await.map_err(|error| broken(&error))?;
    let (mut inbox, mut total) = (Vec::new(), 0);
    loop {
        let Some(Heard { used, next }) = dialogue.hear(&inbox)? else {
            let room = (MOST - total) as u64;
            let count =
                (&mut *stream).take(room).read_buf(&mut inbox).await.map_err(|error| broken(&error))?;
            total += count;
            match count {
                0 if room == 0 => return Err(Fault::TooMuch.into()),
                0 => return Err(Fault::Closed.into()),
                _ => continue,
            }
        };
        inbox.drain(..used);
        match next {
            Next::Listen => {}
            Next::Say(octets) => stream.write_all(&octets).await.map_err(|error| broken(&error))?,
            Next::NoStartTls => return Err(ProbeError::NoStartTls),
            // Whoever sits between may have put it there (RFC 3207 §6).
            Next::Tls if !inbox.is_empty() => return Err(Fault::Early.into()),
            Next::Tls => return Ok(()),
        }
    }
}

/// Says farewell, and waits until the server has hung up.
async fn part(mut stream: TlsStream<TcpStream>, manner: Manner) -> io::Result<()> {
    match parting(manner) {
        Some(words) => stream.write_all(words).await?,
        None => stream.shutdown().await?,
    }
    stream.flush().await?;
    let mut rest = stream.take(MOST as u64);
    let mut thrown_away = [0; 512];
    while rest.read(&mut thrown_away).await? > 0 {}
    rest.into_inner().shutdown().await
}

/// A connection that breaks before TLS.
fn broken(error: &io::Error) -> ProbeError {
    match error.kind() {
        io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => Fault::Closed.into(),
        kind => ProbeError::Unreachable(kind),
    }
}

/// Whether a handshake that failed was refused; if not, why it failed.
fn refusal(error: &io::Error) -> Result<Refusal, ProbeError> {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        Some(rustls::Error::AlertReceived(alert)) => Ok(Refusal::Alert(*alert)),
        Some(rustls::Error::PeerIncompatible(why)) => Ok(Refusal::Incompatible(why.clone())),
        Some(other) => Err(ProbeError::Tls(other.clone())),
        None => match error.kind() {
            io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => {
                Ok(Refusal::Closed)
            }
            kind => Err(ProbeError::Unreachable(kind)),
        },
    }
}

#[cfg(test)]
mod tests;
