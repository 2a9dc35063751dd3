//! DNS over TCP (RFC 7766): queries one after the other on each connection, transfers as fast as they are taken.
//!
//! A connection is a task of its own. A transfer makes its next message when the one before has been written, so a
//! slow receiver holds up nobody but itself, and one that takes nothing is let go after [`STALLED`].

use std::cell::RefCell;
use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::time::timeout;

use super::clock;
use crate::answer::{Answerer, Outcome, Transport, Zones};
use crate::dns::message::MAX_MESSAGE;

/// Connections to one address of ours at once.
pub const MAX_CONNECTIONS: usize = 1_024;
/// Of these, from one client.
pub const MAX_PER_CLIENT: usize = 64;
/// A connection without a query for so long is closed (RFC 7766 §6.2.3).
pub const IDLE: Duration = Duration::from_secs(30);
/// A client that begins a message has to end it, and one that is sent a message has to take it, within this time.
pub const STALLED: Duration = Duration::from_secs(30);
/// How many connections wait to be accepted.
const BACKLOG: i32 = 256;
/// What is read ahead of a connection: some pipelined queries.
const READ_AHEAD: usize = 2_048;

/// The task that accepts the connections to one address.
pub struct TcpServer {
    address: SocketAddr,
    stop: watch::Sender<bool>,
}

impl TcpServer {
    /// Serves `zones` at `address` on `runtime`. Port 0 is replaced by a free one.
    pub fn start(address: SocketAddr, zones: &Arc<ArcSwap<Zones>>, runtime: &Handle) -> io::Result<Self> {
        let listener = bind(address)?;
        let address = listener.local_addr()?;
        let (stop, stopped) = watch::channel(false);
        let listener = {
            let _runtime = runtime.enter();
            TcpListener::from_std(listener)?
        };
        runtime.spawn(accept(listener, Arc::clone(zones), stopped));
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

async fn accept(listener: TcpListener, zones: Arc<ArcSwap<Zones>>, mut stopped: watch::Receiver<bool>) {
    let counts = Arc::new(Counts::default());
    loop {
        let accepted = tokio::select! {
            _ = stopped.wait_for(|stop| *stop) => return,
            accepted = listener.accept() => accepted,
        };
        let Ok((stream, peer)) = accepted else {
            // Out of file descriptors, most likely: others will close theirs.
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        let Some(place) = Counts::enter(&counts, peer.ip()) else { continue };
        let (zones, mut stopped) = (Arc::clone(&zones), stopped.clone());
        tokio::spawn(async move {
            tokio::select! {
                _ = stopped.wait_for(|stop| *stop) => {}
                // Whatever ended it, the client knows as much as we.
                _ = converse(stream, peer.ip(), &zones) => {}
            }
            drop(place);
        });
    }
}

/// How many connections there are, by client.
#[derive(Default)]
struct Counts(Mutex<HashMap<IpAddr, usize>>);

/// One of them, for as long as it lives.
struct Place {
    counts: Arc<Counts>,
    client: IpAddr,
}

impl Counts {
    /// Counts a connection, unless there are too many.
    fn enter(counts: &Arc<Self>, client: IpAddr) -> Option<Place> {
        let mut by_client = counts.0.lock().unwrap_or_else(PoisonError::into_inner);
        let total: usize = by_client.values().sum();
        let own = by_client.get(&client).copied().unwrap_or(0);
        if total >= MAX_CONNECTIONS || own >= MAX_PER_CLIENT {
            return None;
        }
        by_client.insert(client, own + 1);
        Some(Place { counts: Arc::clone(counts), client })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut by_client = self.counts.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = by_client.get_mut(&self.client) {
            *count -= 1;
            if *count == 0 {
                by_client.remove(&self.client);
            }
        }
    }
}

/// Answers queries until the client closes, falls silent, or sends what is no DNS.
async fn converse(mut stream: TcpStream, peer: IpAddr, zones: &ArcSwap<Zones>) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let (read, mut write) = stream.split();
    let mut read = BufReader::with_capacity(READ_AHEAD, read);
    let mut request = Vec::new();
    let mut response = Vec::new();
    loop {
        let length = timeout(IDLE, read.read_u16()).await??;
        request.resize(length.into(), 0);
        timeout(STALLED, read.read_exact(&mut request)).await??;
        let transfer = make(&mut response, |answerer, out| {
            match answerer.answer(&request, peer, Transport::Tcp, &zones.load(), clock::now(), out) {
                Outcome::Silence => (0, None),
                Outcome::Response(length) => (length, None),
                Outcome::Transfer(transfer) => (0, Some(transfer)),
            }
        });
        let Some(mut transfer) = transfer else {
            if response.is_empty() {
                return Ok(());
            }
            timeout(STALLED, write.write_all(&response)).await??;
            continue;
        };
        let (origin, serial) = (transfer.snapshot().origin().clone(), transfer.snapshot().serial());
        loop {
            let more = make(&mut response, |answerer, out| {
                match answerer.continue_transfer(&mut transfer, out, clock::now()) {
                    None => (0, Ok(false)),
                    Some(Ok(length)) => (length, Ok(true)),
                    Some(Err(full)) => (0, Err(full)),
                }
            });
            match more {
                Ok(true) => timeout(STALLED, write.write_all(&response)).await??,
                Ok(false) => break,
                Err(full) => {
                    tracing::error!(zone = %origin, %serial, "a record fits into no message; transfer broken off");
                    return Err(io::Error::other(full));
                }
            }
        }
        tracing::info!(zone = %origin, %serial, client = %peer, "transferred");
    }
}

struct Workshop {
    answerer: Answerer,
    out: Box<[u8]>,
}

thread_local! {
    /// The large buffer belongs to the thread; a connection holds no more than what it is sending.
    static WORKSHOP: RefCell<Workshop> = RefCell::new(Workshop {
        answerer: Answerer::default(),
        out: vec![0; MAX_MESSAGE].into(),
    });
}

/// Has a message made, and puts it with its length into `response`; nothing if its length is 0.
fn make<T>(response: &mut Vec<u8>, work: impl FnOnce(&mut Answerer, &mut [u8]) -> (usize, T)) -> T {
    WORKSHOP.with_borrow_mut(|Workshop { answerer, out }| {
        let (length, result) = work(answerer, out);
        response.clear();
        if length > 0 {
            response.extend((length as u16).to_be_bytes());
            response.extend(&out[..length]);
        }
        result
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};

    /// A query for which no zone is served: REFUSED comes back.
    const QUERY: &[u8] = b"\0\x13\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x01x\0\0\x01\0\x01";

    fn server() -> (tokio::runtime::Runtime, TcpServer) {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let zones = Arc::new(ArcSwap::from_pointee(Zones::default()));
        let server = TcpServer::start("127.0.0.1:0".parse().unwrap(), &zones, runtime.handle()).unwrap();
        (runtime, server)
    }

    fn connect(address: SocketAddr) -> std::net::TcpStream {
        let client = std::net::TcpStream::connect(address).unwrap();
        client.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        client
    }

    #[test]
    fn pipelined_queries_are_answered_in_order_on_one_connection() {
        let (_runtime, server) = server();
        let mut client = connect(server.address());
        let mut queries = QUERY.repeat(3);
        for (index, query) in queries.chunks_mut(QUERY.len()).enumerate() {
            query[3] = index as u8;
        }
        // Cut where it hurts: within a length.
        client.write_all(&queries[..=QUERY.len()]).unwrap();
        client.write_all(&queries[QUERY.len() + 1..]).unwrap();
        for index in 0..3 {
            let mut response = [0; 21];
            client.read_exact(&mut response).unwrap();
            assert_eq!(response[..6], [0, 19, 0x12, index, 0x81, 5]);
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
