//! The limit of the machine: answers every datagram with 200 fixed octets, and knows nothing of DNS.
//!
//! ```text
//! echo 127.0.0.1:5300           until it is killed
//! ```
//!
//! The loop is the one of danelaw's UDP threads: `recvmmsg` of whatever is there, `sendmmsg` of as many. What a
//! server needs above this is its own. The ID is repeated and QR set, so that the client takes it for a response.

#![allow(clippy::disallowed_methods, reason = "a server for measurements opens its own socket")]

use std::io::{self, IoSlice, IoSliceMut};
use std::net::UdpSocket;
use std::os::fd::AsRawFd;
use std::process::ExitCode;

use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, MultiHeaders, SockaddrStorage, recvmmsg, sendmmsg};
use socket2::{Domain, Protocol, Socket, Type};

/// As in `host::udp`.
const BATCH: usize = 32;
/// As in `host::udp`.
const REQUEST: usize = 4_096;
/// As in `host::udp`.
const RECEIVE_BUFFER: usize = 4 << 20;
/// About what a signed positive response has.
const RESPONSE: usize = 200;
/// Of the header: the ID and the octet that holds QR.
const REPEATED: usize = 3;
const QR: u8 = 0x80;
/// Where ANCOUNT ends: it says 1, by which `benches/serve` sees that a server is ready.
const ANSWERS: usize = 7;

fn main() -> ExitCode {
    // `cargo bench` adds `--bench` to the arguments.
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let served = match &arguments[..] {
        [address] => bind(address).and_then(|socket| serve(&socket)),
        // Run by `cargo bench` or `cargo test --benches`: prove that it answers.
        [] => answers_itself(),
        _ => {
            eprintln!("usage: echo ADDRESS:PORT");
            return ExitCode::from(2);
        }
    };
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("echo: {error}");
            ExitCode::FAILURE
        }
    }
}

fn bind(address: &str) -> io::Result<UdpSocket> {
    let address: std::net::SocketAddr =
        address.parse().map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    // A wish: the system may allow less.
    let _ = socket.set_recv_buffer_size(RECEIVE_BUFFER);
    socket.bind(&address.into())?;
    Ok(socket.into())
}

fn serve(socket: &UdpSocket) -> io::Result<()> {
    let mut echo = Echo::new();
    loop {
        match echo.batch(socket) {
            Ok(_) | Err(Errno::EINTR | Errno::ECONNREFUSED) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

struct Echo {
    requests: Box<[[u8; REQUEST]; BATCH]>,
    responses: Box<[[u8; RESPONSE]; BATCH]>,
    taken: MultiHeaders<SockaddrStorage>,
    sent: MultiHeaders<SockaddrStorage>,
}

impl Echo {
    #[allow(clippy::large_stack_arrays, reason = "once, on its way to the heap")]
    fn new() -> Self {
        let mut response = [0; RESPONSE];
        response[ANSWERS] = 1;
        Self {
            requests: Box::new([[0; REQUEST]; BATCH]),
            responses: Box::new([response; BATCH]),
            taken: MultiHeaders::preallocate(BATCH, None),
            sent: MultiHeaders::preallocate(BATCH, None),
        }
    }

    /// Waits for one datagram, takes all that are there with it, and answers them.
    fn batch(&mut self, socket: &UdpSocket) -> Result<usize, Errno> {
        let mut clients = [None; BATCH];
        let mut count = 0;
        {
            let mut slices = self.requests.each_mut().map(|request| [IoSliceMut::new(request)]);
            let flags = MsgFlags::MSG_WAITFORONE;
            for message in recvmmsg(socket.as_raw_fd(), &mut self.taken, slices.iter_mut(), flags, None)? {
                clients[count] = message.address;
                count += 1;
            }
        }
        for (request, response) in self.requests.iter().zip(self.responses.iter_mut()).take(count) {
            response[..REPEATED].copy_from_slice(&request[..REPEATED]);
            response[REPEATED - 1] |= QR;
        }
        let slices = self.responses.each_ref().map(|response| [IoSlice::new(response)]);
        let mut first = 0;
        while first < count {
            let (slices, clients) = (slices[first..count].iter(), &clients[first..count]);
            let flags = MsgFlags::empty();
            first += sendmmsg(socket.as_raw_fd(), &mut self.sent, slices, clients, [], flags)?.count().max(1);
        }
        Ok(count)
    }
}

fn answers_itself() -> io::Result<()> {
    let server = bind("127.0.0.1:0")?;
    let client = UdpSocket::bind("127.0.0.1:0")?;
    client.send_to(b"\x12\x34\x01 and more", server.local_addr()?)?;
    Echo::new().batch(&server)?;
    let mut response = [0; RESPONSE + 1];
    let length = client.recv(&mut response)?;
    if length == RESPONSE && response[..REPEATED] == *b"\x12\x34\x81" {
        return Ok(());
    }
    Err(io::Error::other("its answer is not what it should be"))
}
