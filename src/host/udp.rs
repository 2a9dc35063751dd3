//! DNS over UDP: plain threads, each with a socket of its own, which take and send datagrams by the batch.
//!
//! The sockets of one address share its port (SO_REUSEPORT), and the kernel spreads clients over them. A response
//! leaves from the address that was asked: a socket bound to one address can do no else, and one bound to the
//! wildcard address learns from each datagram where it went (IP_PKTINFO). Responses that leave from one address are
//! sent together.

use std::io::{self, IoSlice, IoSliceMut};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use arc_swap::ArcSwap;
use nix::errno::Errno;
use nix::libc::{in_addr, in_pktinfo, in6_addr, in6_pktinfo};
use nix::sys::socket::{
    ControlMessage, ControlMessageOwned, MsgFlags, MultiHeaders, SockaddrIn, SockaddrIn6, SockaddrLike,
    recvmmsg, sendmmsg, sendmsg, setsockopt, sockopt,
};
use socket2::{Domain, Protocol, Socket, Type};

use super::clock;
use super::traffic::{Tally, Traffic};
use crate::answer::{Answerer, Outcome, Transport, Zones};
use crate::dns::message::UDP_PAYLOAD;

/// How many datagrams one system call takes or sends at most.
const BATCH: usize = 32;
/// The longest request that is read whole; a longer one is cut off, and so malformed.
const REQUEST: usize = 4_096;
/// How long a thread with nothing to do waits before it looks whether to stop.
const PATIENCE: Duration = Duration::from_millis(250);
/// What the kernel may keep for a socket whose thread is busy.
const RECEIVE_BUFFER: usize = 4 << 20;

/// The threads that serve one address.
pub struct UdpServer {
    address: SocketAddr,
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl UdpServer {
    /// Serves `zones` at `address` with `threads` threads. Port 0 is replaced by a free one.
    pub fn start(
        mut address: SocketAddr,
        threads: usize,
        zones: &Arc<ArcSwap<Zones>>,
        traffic: &Traffic,
    ) -> io::Result<Self> {
        let mut sockets = Vec::new();
        for _ in 0..threads.max(1) {
            let socket = bind(address)?;
            address = socket.local_addr()?;
            sockets.push(socket);
        }
        let mut server = Self { address, stop: Arc::default(), threads: Vec::new() };
        for socket in sockets {
            let (stop, zones) = (Arc::clone(&server.stop), Arc::clone(zones));
            let tally = traffic.tally(Transport::Udp);
            let thread = std::thread::Builder::new().name(format!("udp {address}"));
            server.threads.push(thread.spawn(move || serve(&Arc::new(socket), &zones, &tally, &stop))?);
        }
        Ok(server)
    }

    /// The address that is served.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers what has been taken, and ends.
    pub fn stop(self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads {
            // A thread that panicked has said so already.
            let _ = thread.join();
        }
    }
}

fn bind(address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_reuse_port(true)?;
    // A wish: the system may allow less.
    let _ = socket.set_recv_buffer_size(RECEIVE_BUFFER);
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.bind(&address.into())?;
    socket.set_read_timeout(Some(PATIENCE))?;
    let socket = UdpSocket::from(socket);
    match address.ip() {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) => setsockopt(&socket, sockopt::Ipv4PacketInfo, &true)?,
        IpAddr::V6(ip) if ip.is_unspecified() => setsockopt(&socket, sockopt::Ipv6RecvPacketInfo, &true)?,
        _ => {}
    }
    Ok(socket)
}

fn serve(socket: &Arc<UdpSocket>, zones: &ArcSwap<Zones>, tally: &Arc<Tally>, stop: &AtomicBool) {
    let bound = socket.local_addr().map_or(IpAddr::V4(Ipv4Addr::LOCALHOST), |address| address.ip());
    match bound {
        IpAddr::V4(_) => serve_with(Batch::<SockaddrIn>::new(bound), socket, zones, tally, stop),
        IpAddr::V6(_) => serve_with(Batch::<SockaddrIn6>::new(bound), socket, zones, tally, stop),
    }
}

fn serve_with<S: Client>(
    mut batch: Batch<S>,
    socket: &Arc<UdpSocket>,
    zones: &ArcSwap<Zones>,
    tally: &Arc<Tally>,
    stop: &AtomicBool,
) {
    while !stop.load(Ordering::Relaxed) {
        match batch.serve(socket, zones, tally) {
            // A client that is gone (ECONNREFUSED, EHOSTUNREACH) or a full queue (ENOBUFS) concerns nobody else.
            Ok(()) | Err(Errno::EAGAIN | Errno::EINTR | Errno::ECONNREFUSED | Errno::ENOBUFS) => {}
            Err(error) => {
                tracing::debug!(%error, "UDP");
                // Whatever it is, it must not keep a processor busy.
                std::thread::sleep(Duration::from_millis(1));
            }
        }
    }
}

/// What a thread needs to take, answer and send datagrams, made once.
struct Batch<S> {
    /// The socket is bound to any address.
    wildcard: bool,
    answerer: Answerer,
    requests: Box<[[u8; REQUEST]; BATCH]>,
    responses: Box<[[u8; UDP_PAYLOAD as usize]; BATCH]>,
    taken: MultiHeaders<S>,
    sent: MultiHeaders<S>,
}

/// The address that a datagram was sent to, if the socket is bound to any.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Asked {
    /// There is only one.
    Bound,
    V4(Ipv4Addr),
    /// With the interface: a link-local address means nothing without.
    V6(Ipv6Addr, u32),
}

impl Asked {
    fn of(message: Option<&ControlMessageOwned>) -> Self {
        match message {
            Some(ControlMessageOwned::Ipv4PacketInfo(info)) => {
                Self::V4(Ipv4Addr::from_bits(u32::from_be(info.ipi_spec_dst.s_addr)))
            }
            Some(ControlMessageOwned::Ipv6PacketInfo(info)) => {
                Self::V6(Ipv6Addr::from(info.ipi6_addr.s6_addr), info.ipi6_ifindex)
            }
            _ => Self::Bound,
        }
    }

    /// Has `send` send from it.
    fn from<T>(self, send: impl FnOnce(&[ControlMessage<'_>]) -> T) -> T {
        match self {
            Self::Bound => send(&[]),
            Self::V4(address) => {
                // The route back is the kernel's to choose.
                let info = in_pktinfo {
                    ipi_ifindex: 0,
                    ipi_spec_dst: in_addr { s_addr: address.to_bits().to_be() },
                    ipi_addr: in_addr { s_addr: 0 },
                };
                send(&[ControlMessage::Ipv4PacketInfo(&info)])
            }
            Self::V6(address, interface) => {
                let info = in6_pktinfo {
                    ipi6_addr: in6_addr { s6_addr: address.octets() },
                    ipi6_ifindex: interface,
                };
                send(&[ControlMessage::Ipv6PacketInfo(&info)])
            }
        }
    }
}

impl<S: Client> Batch<S> {
    /// For a socket bound to this address.
    #[allow(clippy::large_stack_arrays, reason = "once a thread, on its way to the heap")]
    fn new(bound: IpAddr) -> Self {
        // Room for exactly the one control message that there is.
        let room = || match bound {
            IpAddr::V4(Ipv4Addr::UNSPECIFIED) => Some(nix::cmsg_space!(in_pktinfo)),
            IpAddr::V6(address) if address.is_unspecified() => Some(nix::cmsg_space!(in6_pktinfo)),
            _ => None,
        };
        Self {
            wildcard: bound.is_unspecified(),
            answerer: Answerer::default(),
            requests: Box::new([[0; REQUEST]; BATCH]),
            responses: Box::new([[0; UDP_PAYLOAD as usize]; BATCH]),
            taken: MultiHeaders::preallocate(BATCH, room()),
            sent: MultiHeaders::preallocate(BATCH, room()),
        }
    }

    /// Waits for one datagram, takes all that are there with it, and answers them.
    fn serve(
        &mut self,
        socket: &Arc<UdpSocket>,
        zones: &ArcSwap<Zones>,
        tally: &Arc<Tally>,
    ) -> Result<(), Errno> {
        let mut lengths = [0; BATCH];
        let mut clients: [Option<S>; BATCH] = [None; BATCH];
        let mut asked = [Asked::Bound; BATCH];
        let mut count = 0;
        {
            let mut slices = self.requests.each_mut().map(|request| [IoSliceMut::new(request)]);
            let flags = MsgFlags::MSG_WAITFORONE;
            for message in recvmmsg(socket.as_raw_fd(), &mut self.taken, slices.iter_mut(), flags, None)? {
                (lengths[count], clients[count]) = (message.bytes, message.address);
                if self.wildcard {
                    let control = message.cmsgs().ok().and_then(|mut messages| messages.next());
                    asked[count] = Asked::of(control.as_ref());
                }
                count += 1;
            }
        }
        tally.own_requests(count);
        let (zones, now) = (zones.load(), clock::now());
        let mut response_lengths = [0; BATCH];
        let mut receivers = [None; BATCH];
        let mut responses = 0;
        for index in 0..count {
            let Some(client) = clients[index] else { continue };
            let Some(peer) = client.peer() else { continue };
            let request = &self.requests[index][..lengths[index]];
            let out = &mut self.responses[responses][..];
            let outcome = self.answerer.answer(request, peer.into(), Transport::Udp, &zones, now, out);
            if let Outcome::Update(requested) = outcome {
                if let Some(updater) = zones.updater() {
                    let (socket, tally, asked) = (Arc::clone(socket), Arc::clone(tally), asked[index]);
                    let respond = move |octets: &[u8]| {
                        tally.response(octets);
                        send(&socket, asked, &client, octets);
                    };
                    updater.update(*requested, Box::new(respond));
                }
            } else if let Outcome::Response(length) = outcome {
                tally.own_response(out);
                (response_lengths[responses], receivers[responses]) = (length, Some(client));
                // Never ahead of what is still to be read.
                asked[responses] = asked[index];
                responses += 1;
            }
        }
        let mut index = 0;
        let slices: [[IoSlice<'_>; 1]; BATCH] = self.responses.each_ref().map(|response| {
            index += 1;
            [IoSlice::new(&response[..response_lengths[index - 1]])]
        });
        let mut first = 0;
        while first < responses {
            let from = asked[first];
            let alike = asked[first..responses].iter().take_while(|asked| **asked == from).count();
            let receivers = &receivers[first..first + alike];
            let slices = slices[first..first + alike].iter();
            let headers = &mut self.sent;
            let sent = from.from(|control| {
                sendmmsg(socket.as_raw_fd(), headers, slices, receivers, control, MsgFlags::empty())
                    .map(Iterator::count)
            });
            // Of a batch, an error concerns the first datagram that was not sent; the others have their chance.
            first += match sent {
                Ok(sent) => sent.max(1),
                Err(Errno::EINTR) => 0,
                Err(_) => 1,
            };
        }
        Ok(())
    }
}

/// Sends one datagram. Whoever does not get it asks again.
fn send<S: Client>(socket: &UdpSocket, from: Asked, client: &S, octets: &[u8]) {
    let slices = [IoSlice::new(octets)];
    let _ =
        from.from(|control| sendmsg(socket.as_raw_fd(), &slices, control, MsgFlags::empty(), Some(client)));
}

/// Who sent a datagram. A socket hears of one family only, and to say so spares copying room for all.
trait Client: SockaddrLike + Copy + Send + 'static {
    /// The address; `None` if it cannot be answered.
    fn peer(&self) -> Option<IpAddr>;
}

impl Client for SockaddrIn {
    fn peer(&self) -> Option<IpAddr> {
        (self.port() != 0).then(|| self.ip().into())
    }
}

impl Client for SockaddrIn6 {
    fn peer(&self) -> Option<IpAddr> {
        (self.port() != 0).then(|| self.ip().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A query for `version.bind`-like nothing: no zones are served, so REFUSED comes back.
    const QUERY: &[u8] = b"\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x01x\0\0\x01\0\x01";

    fn ask(server: SocketAddr, times: usize) -> Vec<SocketAddr> {
        let client = UdpSocket::bind((if server.is_ipv4() { "127.0.0.1" } else { "::1" }, 0)).unwrap();
        client.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        for _ in 0..times {
            client.send_to(QUERY, server).unwrap();
        }
        let mut buffer = [0; 512];
        (0..times)
            .map(|_| {
                let (length, from) = client.recv_from(&mut buffer).unwrap();
                assert_eq!((length, &buffer[..4]), (QUERY.len(), &b"\x12\x34\x81\x05"[..]));
                from
            })
            .collect()
    }

    #[test]
    fn many_datagrams_are_answered_and_the_threads_end_when_told() {
        let traffic = Traffic::default();
        let server = UdpServer::start(
            "127.0.0.1:0".parse().unwrap(),
            2,
            &Arc::new(ArcSwap::from_pointee(Zones::default())),
            &traffic,
        )
        .unwrap();
        assert_eq!(ask(server.address(), 100), vec![server.address(); 100]);
        server.stop();
        let [udp] = &traffic.status()[..] else { panic!("one transport") };
        assert_eq!((udp.requests, udp.responses["REFUSED"], udp.truncated), (100, 100, 0));
    }

    #[test]
    fn a_wildcard_socket_answers_from_the_address_that_was_asked() {
        let zones = Arc::new(ArcSwap::from_pointee(Zones::default()));
        let server = UdpServer::start("0.0.0.0:0".parse().unwrap(), 1, &zones, &Traffic::default()).unwrap();
        for asked in ["127.0.0.1", "127.0.0.53"] {
            let asked = SocketAddr::new(asked.parse().unwrap(), server.address().port());
            assert_eq!(ask(asked, 1), [asked]);
        }
        server.stop();
        let server = UdpServer::start("[::]:0".parse().unwrap(), 1, &zones, &Traffic::default()).unwrap();
        let asked = SocketAddr::new("::1".parse().unwrap(), server.address().port());
        assert_eq!(ask(asked, 3), [asked; 3]);
        server.stop();
    }
}
