//! The client of `benches/serve`: asks prepared questions as fast as they are answered, and counts what comes back.
//!
//! ```text
//! load udp 127.0.0.1:5300 queries 1 128 500ms     one socket, 128 queries on their way, for half a second
//! load tcp 127.0.0.1:5300 queries 8 16 20000      8 connections, 16 queries pipelined on each, 20,000 in all
//! ```
//!
//! A file of queries has them as TCP carries them: each after its length. They are asked in turn, from a place that
//! differs each time, with IDs of ours; a response counts when its ID is that of a query on its way. Prints one line
//! of JSON.
//!
//! One thread, which never sleeps: it has a core of its own, and a server that answers one query at a time does not
//! pay for waking it. It goes through the kernel by the batch (`recvmmsg`, `sendmmsg`), as the servers do, so that it
//! is not the limit itself; dnsperf would be (docs/performance.md has the figure).

#![allow(clippy::disallowed_methods, reason = "a client for measurements reads the clock and opens sockets")]

use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::os::fd::AsRawFd;
use std::process::ExitCode;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, MultiHeaders, SockaddrStorage, recvmmsg, sendmmsg};

/// How many datagrams one system call takes or sends at most.
const BATCH: usize = 32;
/// Octets of the longest UDP response that is counted whole.
const DATAGRAM: usize = 4_096;
/// Octets read at once from a connection.
const STREAM: usize = 1 << 16;
/// Without any answer for so long, what is on its way is lost.
const PATIENCE: Duration = Duration::from_secs(1);
/// The same where answers are counted: a server in valgrind takes its time.
const MUCH_PATIENCE: Duration = Duration::from_secs(30);
/// A query is lost when so many later ones have been asked on its socket.
const OVERTAKEN: u16 = 1 << 14;
/// Room for the responses to a whole window.
const RECEIVE_BUFFER: usize = 4 << 20;
/// Octets of a message before its question.
const HEADER: usize = 12;

fn main() -> ExitCode {
    // `cargo bench` adds `--bench` to the arguments.
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let tally = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [protocol @ ("udp" | "tcp"), address, queries, clients, window, end] => {
            parsed(address, queries, clients, window, end).and_then(|(order, queries)| match protocol {
                "udp" => run::<Udp>(&order, queries),
                _ => run::<Tcp>(&order, queries),
            })
        }
        // Run by `cargo bench` or `cargo test --benches`: prove that it counts.
        [] => counts_an_answer(),
        _ => {
            eprintln!("usage: load udp|tcp ADDRESS:PORT QUERIES CLIENTS WINDOW MILLISECONDSms|COUNT");
            return ExitCode::from(2);
        }
    };
    match tally {
        Ok(tally) => {
            tally.print();
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("load: {error}");
            ExitCode::FAILURE
        }
    }
}

/// What is to be done.
struct Order {
    server: SocketAddr,
    clients: usize,
    window: usize,
    end: End,
}

#[derive(Clone, Copy)]
enum End {
    After(Duration),
    Count(u64),
}

fn parsed(
    address: &str,
    queries: &str,
    clients: &str,
    window: &str,
    end: &str,
) -> io::Result<(Order, Queries)> {
    let wrong = |what: &str| io::Error::new(io::ErrorKind::InvalidInput, format!("{what} is not a number"));
    let number = |text: &str| text.parse::<u64>().map_err(|_| wrong(text));
    let order = Order {
        server: address.parse().map_err(|_| wrong(address))?,
        clients: number(clients)? as usize,
        window: number(window)? as usize,
        end: match end.strip_suffix("ms") {
            Some(time) => End::After(Duration::from_millis(number(time)?)),
            None => End::Count(number(end)?),
        },
    };
    Ok((order, Queries::read(std::fs::read(queries)?)?))
}

/// The prepared queries, and which comes next.
struct Queries {
    octets: Vec<u8>,
    /// Where each starts, its length not counted, and ends.
    places: Vec<(usize, usize)>,
    next: usize,
}

impl Queries {
    fn read(octets: Vec<u8>) -> io::Result<Self> {
        let mut places = Vec::new();
        let mut at = 0;
        while at < octets.len() {
            let length = octets.get(at..at + 2).map(|length| u16::from_be_bytes([length[0], length[1]]));
            let end = length.map_or(usize::MAX, |length| at + 2 + usize::from(length));
            if end > octets.len() || end < at + 2 + HEADER {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "the queries end within one"));
            }
            places.push((at + 2, end));
            at = end;
        }
        if places.is_empty() {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "there are no queries"));
        }
        // So that many short turns see all of them.
        let start = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.subsec_micros());
        let next = start as usize % places.len();
        Ok(Self { octets, places, next })
    }

    /// The next query, with `id` for its ID; its length stands in the two octets before.
    fn next(&mut self, id: u16) -> (usize, usize) {
        let (start, end) = self.places[self.next];
        self.next = (self.next + 1) % self.places.len();
        self.octets[start..start + 2].copy_from_slice(&id.to_be_bytes());
        (start, end)
    }
}

/// What came of it.
#[derive(Default)]
struct Tally {
    answers: u64,
    lost: u64,
    /// Responses to nothing that was on its way.
    strange: u64,
    truncated: u64,
    octets: u64,
    rcodes: [u64; 16],
    time: Duration,
}

impl Tally {
    fn print(&self) {
        let rcodes = self.rcodes.iter().enumerate().filter(|(_, count)| **count > 0);
        let rcodes: Vec<_> = rcodes.map(|(rcode, count)| format!("\"{rcode}\": {count}")).collect();
        println!(
            "{{\"answers\": {}, \"lost\": {}, \"strange\": {}, \"truncated\": {}, \"octets\": {}, \
             \"seconds\": {}, \"rcodes\": {{{}}}}}",
            self.answers,
            self.lost,
            self.strange,
            self.truncated,
            self.octets,
            self.time.as_secs_f64(),
            rcodes.join(", ")
        );
    }
}

/// The queries of one socket that are on their way, by ID.
struct Flight {
    asked: Box<[bool]>,
    count: usize,
    next: u16,
}

impl Flight {
    fn new() -> Self {
        Self { asked: vec![false; 1 << 16].into(), count: 0, next: 0 }
    }

    /// The ID of another query.
    fn ask(&mut self, tally: &mut Tally) -> u16 {
        let overtaken = &mut self.asked[usize::from(self.next.wrapping_sub(OVERTAKEN))];
        if std::mem::take(overtaken) {
            tally.lost += 1;
            self.count -= 1;
        }
        let id = self.next;
        self.next = id.wrapping_add(1);
        self.asked[usize::from(id)] = true;
        self.count += 1;
        id
    }

    fn answered(&mut self, response: &[u8], length: usize, tally: &mut Tally) {
        let id = response.get(..2).map_or(0, |id| usize::from(u16::from_be_bytes([id[0], id[1]])));
        if response.len() < HEADER || response[2] & 0x80 == 0 || !std::mem::take(&mut self.asked[id]) {
            tally.strange += 1;
            return;
        }
        self.count -= 1;
        tally.answers += 1;
        tally.octets += length as u64;
        tally.truncated += u64::from(response[2] >> 1 & 1);
        tally.rcodes[usize::from(response[3] & 15)] += 1;
    }

    fn give_up(&mut self, tally: &mut Tally) {
        self.asked.fill(false);
        tally.lost += self.count as u64;
        self.count = 0;
    }
}

/// One socket and what is on its way there.
trait Client: Sized {
    /// How many more are asked at once, at least.
    const REFILL: usize;
    fn connect(server: SocketAddr) -> io::Result<Self>;
    fn flight(&mut self) -> &mut Flight;
    /// Asks so many.
    fn ask(&mut self, count: usize, queries: &mut Queries, tally: &mut Tally) -> io::Result<()>;
    /// Takes what is there.
    fn take(&mut self, tally: &mut Tally) -> io::Result<()>;
}

fn run<C: Client>(order: &Order, mut queries: Queries) -> io::Result<Tally> {
    let mut clients: Vec<C> =
        (0..order.clients).map(|_| C::connect(order.server)).collect::<io::Result<_>>()?;
    let mut tally = Tally::default();
    let refill = C::REFILL.min(order.window.div_ceil(2));
    let patience = if let End::Count(_) = order.end { MUCH_PATIENCE } else { PATIENCE };
    let (start, mut asked) = (Instant::now(), 0);
    let mut last_answer = start;
    loop {
        let now = Instant::now();
        let mut left = match order.end {
            End::After(time) => {
                if now - start < time {
                    u64::MAX
                } else {
                    0
                }
            }
            End::Count(count) => count - asked,
        };
        let answers = tally.answers;
        for client in &mut clients {
            let room = order.window - client.flight().count;
            if left > 0 && room >= refill {
                let count = left.min(room as u64);
                client.ask(count as usize, &mut queries, &mut tally)?;
                (asked, left) = (asked + count, left - count);
            }
            if client.flight().count > 0 {
                client.take(&mut tally)?;
            }
        }
        if tally.answers > answers {
            last_answer = now;
        } else if now - last_answer > patience {
            for client in &mut clients {
                client.flight().give_up(&mut tally);
            }
            last_answer = now;
        }
        if left == 0 && clients.iter_mut().all(|client| client.flight().count == 0) {
            break;
        }
    }
    tally.time = last_answer - start;
    Ok(tally)
}

struct Udp {
    socket: UdpSocket,
    flight: Flight,
    responses: Box<[[u8; DATAGRAM]; BATCH]>,
    taken: MultiHeaders<SockaddrStorage>,
    sent: MultiHeaders<SockaddrStorage>,
}

impl Client for Udp {
    /// Whole batches, or the client would need as many system calls as there are queries.
    const REFILL: usize = BATCH;

    #[allow(clippy::large_stack_arrays, reason = "once, on its way to the heap")]
    fn connect(server: SocketAddr) -> io::Result<Self> {
        let socket = UdpSocket::bind(if server.is_ipv4() { "127.0.0.1:0" } else { "[::1]:0" })?;
        // A wish: the system may allow less.
        let _ = socket2::SockRef::from(&socket).set_recv_buffer_size(RECEIVE_BUFFER);
        socket.connect(server)?;
        socket.set_nonblocking(true)?;
        Ok(Self {
            socket,
            flight: Flight::new(),
            responses: Box::new([[0; DATAGRAM]; BATCH]),
            taken: MultiHeaders::preallocate(BATCH, None),
            sent: MultiHeaders::preallocate(BATCH, None),
        })
    }

    fn flight(&mut self) -> &mut Flight {
        &mut self.flight
    }

    fn ask(&mut self, mut count: usize, queries: &mut Queries, tally: &mut Tally) -> io::Result<()> {
        while count > 0 {
            let batch = count.min(BATCH);
            let mut places = [(0, 0); BATCH];
            for place in &mut places[..batch] {
                *place = queries.next(self.flight.ask(tally));
            }
            let slices = places.map(|(start, end)| [IoSlice::new(&queries.octets[start..end])]);
            let mut first = 0;
            while first < batch {
                let nobody = [None::<SockaddrStorage>; BATCH];
                let (slices, nobody) = (slices[first..batch].iter(), &nobody[first..batch]);
                let flags = MsgFlags::empty();
                match sendmmsg(self.socket.as_raw_fd(), &mut self.sent, slices, nobody, [], flags) {
                    Ok(sent) => first += sent.count(),
                    Err(Errno::EAGAIN | Errno::EINTR | Errno::ENOBUFS) => {}
                    Err(error) => return Err(error.into()),
                }
            }
            count -= batch;
        }
        Ok(())
    }

    fn take(&mut self, tally: &mut Tally) -> io::Result<()> {
        let mut lengths = [0; BATCH];
        let mut count = 0;
        {
            let mut slices = self.responses.each_mut().map(|response| [IoSliceMut::new(response)]);
            let (fd, flags) = (self.socket.as_raw_fd(), MsgFlags::empty());
            match recvmmsg(fd, &mut self.taken, slices.iter_mut(), flags, None) {
                Ok(messages) => messages.for_each(|message| {
                    lengths[count] = message.bytes;
                    count += 1;
                }),
                Err(Errno::EAGAIN | Errno::EINTR) => return Ok(()),
                Err(error) => return Err(error.into()),
            }
        }
        for (response, length) in self.responses.iter().zip(lengths).take(count) {
            self.flight.answered(&response[..length], length, tally);
        }
        Ok(())
    }
}

struct Tcp {
    stream: TcpStream,
    flight: Flight,
    /// What could not be written yet.
    pending: Vec<u8>,
    /// What has been read; a message that is not whole yet waits at its start.
    buffer: Box<[u8]>,
    filled: usize,
}

impl Client for Tcp {
    /// At once: the ACK that a server may wait for (RFC 1122 §4.2.3.4) goes with it.
    const REFILL: usize = 1;

    fn connect(server: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(server)?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        let buffer = vec![0; 2 * STREAM].into();
        Ok(Self { stream, flight: Flight::new(), pending: Vec::new(), buffer, filled: 0 })
    }

    fn flight(&mut self) -> &mut Flight {
        &mut self.flight
    }

    fn ask(&mut self, count: usize, queries: &mut Queries, tally: &mut Tally) -> io::Result<()> {
        for _ in 0..count {
            let (start, end) = queries.next(self.flight.ask(tally));
            self.pending.extend(&queries.octets[start - 2..end]);
        }
        self.write()
    }

    fn take(&mut self, tally: &mut Tally) -> io::Result<()> {
        if !self.pending.is_empty() {
            self.write()?;
        }
        match self.stream.read(&mut self.buffer[self.filled..]) {
            Ok(0) => return Err(io::Error::other("the server closed a connection")),
            Ok(count) => self.filled += count,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error),
        }
        let mut at = 0;
        while let Some((length, rest)) = self.buffer[at..self.filled].split_first_chunk() {
            let length = usize::from(u16::from_be_bytes(*length));
            let Some(response) = rest.get(..length) else { break };
            self.flight.answered(response, length, tally);
            at += 2 + length;
        }
        self.buffer.copy_within(at..self.filled, 0);
        self.filled -= at;
        Ok(())
    }
}

impl Tcp {
    fn write(&mut self) -> io::Result<()> {
        match self.stream.write(&self.pending) {
            Ok(count) => drop(self.pending.drain(..count)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }
}

/// Asks a socket of its own, whose answer is waiting already.
fn counts_an_answer() -> io::Result<Tally> {
    let server = UdpSocket::bind("127.0.0.1:0")?;
    let mut client = Udp::connect(server.local_addr()?)?;
    let mut queries = Queries::read([&[0, HEADER as u8][..], &[0; HEADER]].concat())?;
    let mut tally = Tally::default();
    client.ask(1, &mut queries, &mut tally)?;
    let mut message = [0; HEADER];
    let (_, from) = server.recv_from(&mut message)?;
    message[2] = 0x80;
    message[3] = 3;
    // The second is one too many.
    server.send_to(&message, from)?;
    server.send_to(&message, from)?;
    client.take(&mut tally)?;
    if (tally.answers, tally.strange, tally.rcodes[3]) == (1, 1, 1) {
        return Ok(tally);
    }
    Err(io::Error::other("it miscounts"))
}
