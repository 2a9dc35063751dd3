//! How many requests have come and what they were answered, counted where a message is handed over.
//!
//! A tally is a few cache lines of its own, so that counting neither waits for another thread nor makes one wait;
//! tallies are added up when somebody asks. A thread of UDP has its tally to itself, and counts without an
//! instruction that locks the bus. Connections share one, for there is no telling which thread serves them.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::answer::Transport;
use crate::dns::message::{Rcode, flag};
use crate::engine::status::TrafficStatus;

/// Every tally of the process.
#[derive(Default)]
pub struct Traffic(Mutex<Vec<Arc<Tally>>>);

impl Traffic {
    /// Another tally, which counts from zero.
    pub fn tally(&self, transport: Transport) -> Arc<Tally> {
        let tally = Arc::new(Tally::new(transport));
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(&tally));
        tally
    }

    /// The sums, by transport.
    pub fn status(&self) -> Vec<TrafficStatus> {
        let tallies = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let transports = [Transport::Udp, Transport::Tcp, Transport::Tls, Transport::Https, Transport::Quic];
        let sums = transports.into_iter().filter_map(|transport| {
            let mut sum = None;
            for tally in tallies.iter().filter(|tally| tally.transport == transport) {
                tally.add_to(sum.get_or_insert_with(|| empty(transport)));
            }
            sum
        });
        sums.collect()
    }
}

/// What one thread, or all connections to one address, have received and sent.
#[repr(align(64))]
pub struct Tally {
    transport: Transport,
    requests: AtomicU64,
    transfers: AtomicU64,
    /// By rcode; those with TC after those without.
    responses: [AtomicU64; 2 * RCODES],
}

/// As many as the header has room for.
const RCODES: usize = 16;

impl Tally {
    /// Counts from zero.
    pub fn new(transport: Transport) -> Self {
        let responses = [const { AtomicU64::new(0) }; 2 * RCODES];
        Self { transport, requests: AtomicU64::new(0), transfers: AtomicU64::new(0), responses }
    }

    /// Whose messages it counts.
    pub fn transport(&self) -> Transport {
        self.transport
    }

    /// Counts a request.
    pub(super) fn request(&self) {
        self.requests.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a response.
    pub(super) fn response(&self, message: &[u8]) {
        if let Some(place) = place(message) {
            self.responses[place].fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Counts a transfer that was sent to its end.
    pub(super) fn transfer(&self) {
        self.transfers.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts requests of the only thread that counts here.
    pub(super) fn own_requests(&self, count: usize) {
        add_alone(&self.requests, count as u64);
    }

    /// Counts a response of the only thread that counts here: six instructions on x86-64.
    #[inline]
    pub(super) fn own_response(&self, message: &[u8]) {
        if let Some(place) = place(message) {
            add_alone(&self.responses[place], 1);
        }
    }

    fn add_to(&self, sum: &mut TrafficStatus) {
        sum.requests += self.requests.load(Ordering::Relaxed);
        sum.transfers += self.transfers.load(Ordering::Relaxed);
        let counts = self.responses.each_ref().map(|count| count.load(Ordering::Relaxed));
        let (whole, truncated) = counts.split_at(RCODES);
        sum.truncated += truncated.iter().sum::<u64>();
        for (rcode, (whole, truncated)) in (0..).map(Rcode).zip(whole.iter().zip(truncated)) {
            let count = whole + truncated;
            if let Some(before) = sum.responses.get_mut(&rcode.to_string()) {
                *before += count;
            } else if count > 0 {
                sum.responses.insert(rcode.to_string(), count);
            }
        }
    }
}

/// Where a response is counted: by the four bits of rcode and the bit TC of its header.
#[inline]
fn place(message: &[u8]) -> Option<usize> {
    const TC: u8 = (flag::TC >> 8) as u8;
    const { assert!(TC << 3 == RCODES as u8) };
    let &[_, _, high, low] = message.first_chunk()?;
    Some(usize::from((high & TC) << 3 | low & (RCODES as u8 - 1)))
}

#[inline]
fn add_alone(cell: &AtomicU64, count: u64) {
    cell.store(cell.load(Ordering::Relaxed).wrapping_add(count), Ordering::Relaxed);
}

/// With what may be answered at all, so that whoever watches sees it begin.
fn empty(transport: Transport) -> TrafficStatus {
    let rcodes = [
        Rcode::NOERROR,
        Rcode::FORMERR,
        Rcode::SERVFAIL,
        Rcode::NXDOMAIN,
        Rcode::NOTIMP,
        Rcode::REFUSED,
        Rcode::YXDOMAIN,
        Rcode::NOTAUTH,
    ];
    TrafficStatus {
        transport: transport.to_string(),
        requests: 0,
        responses: BTreeMap::from(rcodes.map(|rcode| (rcode.to_string(), 0))),
        truncated: 0,
        transfers: 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Octets 2 and 3 of the header are all that counts.
    fn response(flags: u16, rcode: Rcode) -> Vec<u8> {
        let mut message = vec![0xff; 12];
        message[2..4].copy_from_slice(&(flag::QR | flags | rcode.0).to_be_bytes());
        message
    }

    #[test]
    fn tallies_of_one_transport_are_added_up_by_rcode_and_truncation() {
        let traffic = Traffic::default();
        let (one, other) = (traffic.tally(Transport::Udp), traffic.tally(Transport::Udp));
        let tcp = traffic.tally(Transport::Tcp);
        one.own_requests(3);
        one.own_response(&response(flag::AA, Rcode::NOERROR));
        one.own_response(&response(flag::AA | flag::TC, Rcode::NOERROR));
        other.own_requests(1);
        other.own_response(&response(0x78ff & !15, Rcode::NXDOMAIN));
        for _ in 0..2 {
            tcp.request();
            tcp.response(&response(flag::AA, Rcode(11)));
        }
        tcp.transfer();
        let [udp, tcp] = &traffic.status()[..] else { panic!("two transports") };
        assert_eq!((&udp.transport[..], udp.requests, udp.truncated, udp.transfers), ("udp", 4, 1, 0));
        assert_eq!(
            (udp.responses["NOERROR"], udp.responses["NXDOMAIN"], udp.responses["REFUSED"]),
            (2, 1, 0)
        );
        assert_eq!((&tcp.transport[..], tcp.requests, tcp.truncated, tcp.transfers), ("tcp", 2, 0, 1));
        assert_eq!(tcp.responses["RCODE11"], 2);
    }

    #[test]
    fn a_tally_shares_no_cache_line_with_another() {
        assert_eq!((align_of::<Tally>(), size_of::<Tally>() % 64), (64, 0));
    }
}
