//! Whatever goes over TCP: DNS itself (RFC 7766), within TLS (RFC 7858), and within HTTP (RFC 8484).
//!
//! A connection is a task of its own, with a place in the [`crowd`](super::crowd). A handshake is part of it, so
//! it holds up nobody, and who does not finish it is let go like others who are quiet.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use super::client_certificates as certificates;
use super::conversation::Conversation;
use super::crowd::{Crowd, FAREWELL, HANDSHAKE, Place};
use super::https;
use super::policies::Policies;
use super::traffic::{Tally, Traffic};
use crate::answer::{Peer, Transport, Zones};

/// How many connections wait to be accepted.
const BACKLOG: i32 = 256;

/// What is spoken on the connections to one address.
#[derive(Clone)]
pub enum Layers {
    /// DNS.
    Dns,
    /// DNS within TLS.
    Tls(Arc<ServerConfig>),
    /// DNS within HTTP within TLS, and what else is served that way.
    Https(Arc<ServerConfig>, Arc<Policies>),
}

impl Layers {
    fn transport(&self) -> Transport {
        match self {
            Self::Dns => Transport::Tcp,
            Self::Tls(_) => Transport::Tls,
            Self::Https(..) => Transport::Https,
        }
    }
}

/// The task that accepts the connections to one address.
pub struct TcpServer {
    address: SocketAddr,
    stop: watch::Sender<bool>,
}

impl TcpServer {
    /// Serves `zones` at `address` on `runtime`. Port 0 is replaced by a free one.
    pub fn start(
        address: SocketAddr,
        layers: Layers,
        zones: &Arc<ArcSwap<Zones>>,
        traffic: &Traffic,
        runtime: &Handle,
    ) -> io::Result<Self> {
        let listener = bind(address)?;
        let address = listener.local_addr()?;
        let (stop, stopped) = watch::channel(false);
        let listener = {
            let _runtime = runtime.enter();
            TcpListener::from_std(listener)?
        };
        let tally = traffic.tally(layers.transport());
        runtime.spawn(accept(listener, layers, Arc::clone(zones), tally, stopped));
        Ok(Self { address, stop })
    }

    /// The address that is served.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Takes no more connections, and ends those that there are. A transfer under way is broken off, which its
    /// receiver notices: the closing SOA record is missing.
    pub fn stop(self) {
        let _ = self.stop.send(true);
    }
}

fn bind(address: SocketAddr) -> io::Result<std::net::TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

async fn accept(
    listener: TcpListener,
    layers: Layers,
    zones: Arc<ArcSwap<Zones>>,
    tally: Arc<Tally>,
    mut stopped: watch::Receiver<bool>,
) {
    let crowd = Arc::new(Crowd::default());
    // What is in the set ends with it.
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            _ = stopped.wait_for(|stop| *stop) => return,
            Some(_) = connections.join_next() => continue,
            accepted = listener.accept() => accepted,
        };
        let Ok((stream, peer)) = accepted else {
            // Out of file descriptors, most likely: others will close theirs.
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        let Some(place) = crowd.enter(peer.ip()) else { continue };
        let (layers, zones, tally) = (layers.clone(), Arc::clone(&zones), Arc::clone(&tally));
        connections.spawn(async move {
            let place = Arc::new(place);
            let _ = serve(stream, peer.ip(), layers, &zones, &tally, &place).await;
        });
    }
}

/// Serves one connection to its end. Whatever ended it, the client knows as much as we.
async fn serve(
    mut stream: TcpStream,
    peer: IpAddr,
    layers: Layers,
    zones: &Arc<ArcSwap<Zones>>,
    tally: &Arc<Tally>,
    place: &Arc<Place>,
) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let conversation = |peer| Conversation { peer, zones, tally, place };
    match layers {
        Layers::Dns => {
            let _ = place.while_lively(conversation(peer.into()).lead(&mut stream)).await;
        }
        Layers::Tls(config) => {
            let mut stream = timeout(HANDSHAKE, TlsAcceptor::from(config).accept(stream)).await??;
            let names = certificates::names(stream.get_ref().1);
            let peer = Peer { address: peer, tls: names.as_deref() };
            let _ = place.while_lively(conversation(peer).lead(&mut stream)).await;
            // RFC 8446 §6.1: an end without close_notify could be an attacker's.
            let _ = timeout(FAREWELL, stream.shutdown()).await;
        }
        Layers::Https(config, policies) => {
            let stream = timeout(HANDSHAKE, TlsAcceptor::from(config).accept(stream)).await??;
            https::converse(stream, peer, zones, &policies, tally, place).await;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use super::*;
    use crate::host::crowd::MAX_PER_CLIENT;

    /// A query for which no zone is served: REFUSED comes back.
    const QUERY: &[u8] = b"\0\x13\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x01x\0\0\x01\0\x01";

    fn server() -> (tokio::runtime::Runtime, TcpServer) {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let zones = Arc::new(ArcSwap::from_pointee(Zones::default()));
        let address = "127.0.0.1:0".parse().unwrap();
        let server =
            TcpServer::start(address, Layers::Dns, &zones, &Traffic::default(), runtime.handle()).unwrap();
        (runtime, server)
    }

    fn connect(address: SocketAddr) -> std::net::TcpStream {
        let client = std::net::TcpStream::connect(address).unwrap();
        client.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        client
    }

    #[test]
    fn a_connection_is_served_until_the_server_stops() {
        let (_runtime, server) = server();
        let mut client = connect(server.address());
        for _ in 0..2 {
            client.write_all(QUERY).unwrap();
            let mut response = [0; 21];
            client.read_exact(&mut response).unwrap();
            assert_eq!(response[..6], [0, 19, 0x12, 0x34, 0x81, 5]);
        }
        server.stop();
        assert_eq!(client.read(&mut [0; 1]).unwrap(), 0, "closed when the server stops");
    }

    #[test]
    fn a_client_may_have_only_so_many_connections() {
        let (_runtime, server) = server();
        let mut clients: Vec<_> = (0..=MAX_PER_CLIENT).map(|_| connect(server.address())).collect();
        let mut refused = clients.pop().unwrap();
        let _ = refused.write_all(QUERY);
        assert!(matches!(refused.read(&mut [0; 1]), Ok(0) | Err(_)), "closed at once");
        let last = clients.last_mut().unwrap();
        last.write_all(QUERY).unwrap();
        last.read_exact(&mut [0; 21]).unwrap();
    }
}
