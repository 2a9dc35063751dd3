//! The client of `benches/transfer`: transfers a zone and throws it away, as fast as it comes.
//!
//! ```text
//! axfr 127.0.0.1:5300 big.test 10      ten transfers at once
//! ```
//!
//! Prints one line of JSON: how long it took, and what came. It looks into messages no further than it must to know
//! the last one, which ends with the SOA record that the first one begins with.

#![allow(clippy::disallowed_methods, reason = "a client for measurements reads the clock and opens sockets")]

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// Octets read at once.
const STREAM: usize = 1 << 18;
const HEADER: usize = 12;
/// Serial and timers, which end SOA rdata.
const NUMBERS: usize = 20;

/// What came of one transfer.
#[derive(Default)]
struct Tally {
    messages: usize,
    octets: usize,
    records: usize,
}

fn main() -> ExitCode {
    // `cargo bench` adds `--bench` to the arguments.
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let [address, zone, times] = &arguments[..] else {
        if arguments.is_empty() {
            // Run by `cargo bench` or `cargo test --benches`: prove that the end is known.
            return knows_the_end();
        }
        eprintln!("usage: axfr ADDRESS:PORT ZONE TIMES");
        return ExitCode::from(2);
    };
    let Ok(times) = times.parse::<usize>() else { return ExitCode::from(2) };
    let start = Instant::now();
    let transfers: Vec<_> = (0..times)
        .map(|_| {
            let (address, query) = (address.clone(), query(zone));
            std::thread::spawn(move || transfer(&address, &query))
        })
        .collect();
    let mut all = Tally::default();
    for transfer in transfers {
        match transfer.join() {
            Ok(Ok(tally)) => {
                all.messages += tally.messages;
                all.octets += tally.octets;
                all.records += tally.records;
            }
            Ok(Err(error)) => {
                eprintln!("axfr: {error}");
                return ExitCode::FAILURE;
            }
            Err(_) => return ExitCode::FAILURE,
        }
    }
    let Tally { messages, octets, records } = all;
    let seconds = start.elapsed().as_secs_f64();
    println!(
        "{{\"seconds\": {seconds:.4}, \"messages\": {messages}, \"octets\": {octets}, \"records\": {records}}}"
    );
    ExitCode::SUCCESS
}

/// The query, after its length.
fn query(zone: &str) -> Vec<u8> {
    let mut query = vec![0, 7, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    for label in zone.split('.').filter(|label| !label.is_empty()) {
        query.push(label.len() as u8);
        query.extend(label.as_bytes());
    }
    query.extend([0, 0, 252, 0, 1]);
    [&(query.len() as u16).to_be_bytes()[..], &query].concat()
}

fn transfer(address: &str, query: &[u8]) -> io::Result<Tally> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_mins(1)))?;
    stream.write_all(query)?;
    read(&mut stream)
}

/// Reads messages up to the last one.
fn read(stream: &mut impl Read) -> io::Result<Tally> {
    let mut tally = Tally::default();
    let mut buffer = vec![0; STREAM];
    let (mut start, mut end) = (0, 0);
    let mut soa: Option<[u8; NUMBERS]> = None;
    loop {
        while let Some((message, next)) = message(&buffer[..end], start) {
            start = next;
            tally.messages += 1;
            tally.octets += message.len();
            let rcode = message.get(3).map(|flags| flags & 15);
            if rcode != Some(0) {
                return Err(io::Error::other(format!("the server answers rcode {rcode:?}")));
            }
            tally.records += usize::from(u16::from_be_bytes([message[6], message[7]]));
            let first = soa.is_none();
            let numbers = match soa {
                Some(numbers) => numbers,
                None => numbers(message).ok_or_else(|| io::Error::other("no SOA record first"))?,
            };
            soa = Some(numbers);
            // A zone of one message ends in the one that it begins with.
            let alone = first && tally.records < 2;
            if message.ends_with(&numbers) && !alone {
                return Ok(tally);
            }
        }
        buffer.copy_within(start..end, 0);
        (start, end) = (0, end - start);
        let count = stream.read(&mut buffer[end..])?;
        if count == 0 {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof));
        }
        end += count;
    }
}

/// The message that starts at `start` after its length, and where the next one does.
fn message(buffer: &[u8], start: usize) -> Option<(&[u8], usize)> {
    let length = buffer.get(start..start + 2)?;
    let end = start + 2 + usize::from(u16::from_be_bytes([length[0], length[1]]));
    buffer.get(start + 2..end).filter(|message| message.len() >= HEADER).map(|message| (message, end))
}

/// Serial and timers of the SOA record that is the first answer of `message`.
fn numbers(message: &[u8]) -> Option<[u8; NUMBERS]> {
    let question = message[5];
    let mut at = HEADER;
    if question == 1 {
        at = name(message, at)? + 4;
    }
    at = name(message, at)?;
    let head = message.get(at..at + 10)?;
    let rdata = message.get(at + 10..at + 10 + usize::from(u16::from_be_bytes([head[8], head[9]])))?;
    rdata.last_chunk().copied().filter(|_| head[..2] == [0, 6])
}

/// Where the name at `at` ends.
fn name(message: &[u8], mut at: usize) -> Option<usize> {
    loop {
        match *message.get(at)? {
            0 => return Some(at + 1),
            length @ 1..=63 => at += 1 + usize::from(length),
            _ => return Some(at + 2),
        }
    }
}

fn knows_the_end() -> ExitCode {
    let soa = [&[0, 0, 6, 0, 1, 0, 0, 0, 9, 0, 22, 0, 0][..], &[7; NUMBERS]].concat();
    let txt = [0, 0, 16, 0, 1, 0, 0, 0, 9, 0, 2, 1, 7];
    let wrap = |records: &[u8], count| {
        let message = [&[0, 7, 0x84, 0, 0, 0, 0, count, 0, 0, 0, 0][..], records].concat();
        [&(message.len() as u16).to_be_bytes()[..], &message].concat()
    };
    let stream = [wrap(&soa, 1), wrap(&txt, 1), wrap(&[&txt[..], &soa].concat(), 2), wrap(&txt, 1)].concat();
    let known = read(&mut &stream[..]).is_ok_and(|tally| (tally.messages, tally.records) == (3, 4));
    let cut = read(&mut &stream[..60]).is_err();
    println!("{{\"known\": {known}, \"cut\": {cut}}}");
    if known && cut { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
