//! DNS over QUIC (RFC 9250): a stream for each query, each answered when it is whole.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;

use arc_swap::ArcSwap;
use quinn::crypto::rustls::QuicServerConfig;
use quinn::{
    Connection, Endpoint, EndpointConfig, IdleTimeout, Incoming, ReadToEndError, RecvStream, SendStream,
    ServerConfig, TokioRuntime, TransportConfig, VarInt,
};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::runtime::Handle;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::crowd::{Crowd, HANDSHAKE, IDLE, Place};
use super::traffic::{Tally, Traffic};
use super::workshop::{self, LONGEST, PREFIX};
use crate::answer::{Transport, Zones};
use crate::dns::message::{Header, Request};

/// DNS over QUIC among the protocols of TLS (RFC 9250 §4.1.1).
pub(super) const DOQ: &[u8] = b"doq";
/// Queries at once on a connection.
const MAX_STREAMS: u32 = 100;
/// What the kernel may keep while the endpoint is busy.
const RECEIVE_BUFFER: usize = 4 << 20;
/// RFC 9250 §4.3: nothing is wrong.
const NO_ERROR: VarInt = VarInt::from_u32(0);
/// The client broke the rules.
const PROTOCOL_ERROR: VarInt = VarInt::from_u32(2);

/// The endpoint that serves one address.
pub struct QuicServer {
    address: SocketAddr,
    endpoint: Endpoint,
}

/// The client broke the rules of RFC 9250, which ends the connection (§4.3.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
enum Violation {
    #[error("a stream carries one query with its length, and ends")]
    Framing,
    #[error("a query has the ID 0")]
    Id,
    #[error("a stream carries a query")]
    NoQuery,
    #[error("idle times are QUIC's to speak of")]
    Keepalive,
}

impl QuicServer {
    /// Serves `zones` at `address` on `runtime`, with TLS 1.3 as `tls` has it. Port 0 is replaced by a free one.
    pub fn start(
        address: SocketAddr,
        tls: rustls::ServerConfig,
        zones: &Arc<ArcSwap<Zones>>,
        traffic: &Traffic,
        runtime: &Handle,
    ) -> io::Result<Self> {
        let socket = bind(address)?;
        let address = socket.local_addr()?;
        let tls = QuicServerConfig::try_from(tls).map_err(io::Error::other)?;
        let mut config = ServerConfig::with_crypto(Arc::new(tls));
        config.transport_config(Arc::new(transport()));
        let _runtime = runtime.enter();
        let endpoint =
            Endpoint::new(EndpointConfig::default(), Some(config), socket, Arc::new(TokioRuntime))?;
        runtime.spawn(accept(endpoint.clone(), Arc::clone(zones), traffic.tally(Transport::Quic)));
        Ok(Self { address, endpoint })
    }

    /// The address that is served.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Ends all connections, and takes no more.
    pub fn stop(self) {
        self.endpoint.close(NO_ERROR, b"");
    }
}

fn bind(address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    // A wish: the system may allow less.
    let _ = socket.set_recv_buffer_size(RECEIVE_BUFFER);
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.bind(&address.into())?;
    Ok(socket.into())
}

fn transport() -> TransportConfig {
    let mut transport = TransportConfig::default();
    let idle = IdleTimeout::try_from(IDLE).ok();
    transport
        .max_idle_timeout(idle)
        .max_concurrent_bidi_streams(VarInt::from_u32(MAX_STREAMS))
        // RFC 9250 §4.2: queries come on bidirectional streams alone.
        .max_concurrent_uni_streams(VarInt::from_u32(0))
        .datagram_receive_buffer_size(None)
        .stream_receive_window(VarInt::from_u32(LONGEST as u32))
        .receive_window(VarInt::from_u32(4 * LONGEST as u32));
    transport
}

async fn accept(endpoint: Endpoint, zones: Arc<ArcSwap<Zones>>, tally: Arc<Tally>) {
    let crowd = Arc::new(Crowd::default());
    let mut connections = JoinSet::new();
    loop {
        let incoming = tokio::select! {
            Some(_) = connections.join_next() => continue,
            incoming = endpoint.accept() => incoming,
        };
        let Some(incoming) = incoming else { break };
        let peer = incoming.remote_address().ip();
        // Who has not shown that the address is theirs takes no place that another could need (RFC 9000 §8.1).
        if crowd.is_scarce(peer) && incoming.may_retry() && !incoming.remote_address_validated() {
            let _ = incoming.retry();
            continue;
        }
        let Some(place) = crowd.enter(peer) else {
            incoming.refuse();
            continue;
        };
        connections.spawn(serve(incoming, place, Arc::clone(&zones), Arc::clone(&tally)));
    }
    // The endpoint is closed, and so are they.
    while connections.join_next().await.is_some() {}
}

async fn serve(incoming: Incoming, place: Place, zones: Arc<ArcSwap<Zones>>, tally: Arc<Tally>) {
    let Ok(connecting) = incoming.accept() else { return };
    let Ok(Ok(connection)) = timeout(HANDSHAKE, connecting).await else { return };
    match place.while_lively(converse(&connection, &place, &zones, &tally)).await {
        None => connection.close(NO_ERROR, b"idle"),
        Some(Some(violation)) => connection.close(PROTOCOL_ERROR, violation.to_string().as_bytes()),
        // The client has closed it.
        Some(None) => {}
    }
}

/// Answers the queries of one connection until the client closes it, or breaks the rules.
async fn converse(
    connection: &Connection,
    place: &Place,
    zones: &Arc<ArcSwap<Zones>>,
    tally: &Arc<Tally>,
) -> Option<Violation> {
    // Streams that are not done end with it.
    let mut exchanges = JoinSet::new();
    loop {
        tokio::select! {
            stream = connection.accept_bi() => {
                let Ok((send, receive)) = stream else { return None };
                // Validated anew if the client has moved (RFC 9000 §9).
                let peer = connection.remote_address();
                exchanges.spawn(exchange(send, receive, peer, Arc::clone(zones), Arc::clone(tally)));
                place.works();
            }
            Some(done) = exchanges.join_next() => {
                if let Ok(Err(violation)) = done {
                    return Some(violation);
                }
                place.waits();
            }
        }
    }
}

async fn exchange(
    mut send: SendStream,
    mut receive: RecvStream,
    peer: SocketAddr,
    zones: Arc<ArcSwap<Zones>>,
    tally: Arc<Tally>,
) -> Result<(), Violation> {
    let stream = match receive.read_to_end(LONGEST).await {
        Ok(stream) => Ok(stream),
        Err(ReadToEndError::TooLong) => Err(Violation::Framing),
        // The client has thought better of it.
        Err(ReadToEndError::Read(_)) => return Ok(()),
    };
    match stream.and_then(|stream| answer(&stream, peer, &zones, &tally)) {
        Ok(response) => {
            // A client that takes no answer has closed, or will find out.
            let _ = send.write_all(&(response.len() as u16).to_be_bytes()).await;
            let _ = send.write_all(&response).await;
            let _ = send.finish();
            Ok(())
        }
        Err(violation) => {
            // An end that looks like that of an answer must not come before the end of the connection.
            let _ = send.reset(PROTOCOL_ERROR);
            Err(violation)
        }
    }
}

/// The response to what a stream carried.
fn answer(
    stream: &[u8],
    peer: SocketAddr,
    zones: &ArcSwap<Zones>,
    tally: &Tally,
) -> Result<Vec<u8>, Violation> {
    let (prefix, query) = stream.split_first_chunk::<PREFIX>().ok_or(Violation::Framing)?;
    if usize::from(u16::from_be_bytes(*prefix)) != query.len() {
        return Err(Violation::Framing);
    }
    // RFC 9250 §4.2.1: streams tell queries apart, and an ID would only tell clients apart.
    if Header::of(query).is_some_and(|header| header.id != 0) {
        return Err(Violation::Id);
    }
    // RFC 9250 §5.5.2.
    if Request::read(query).is_ok_and(|request| request.options.keepalive) {
        return Err(Violation::Keepalive);
    }
    workshop::exchange(query, peer.ip(), zones, tally).ok_or(Violation::NoQuery)
}
