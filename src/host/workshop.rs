//! What a thread makes messages with: an answerer, and room for the longest.
//!
//! It belongs to the thread, not to the connection: a connection holds no more than what it is sending.

use std::cell::RefCell;
use std::net::IpAddr;

use arc_swap::ArcSwap;

use super::clock;
use super::traffic::Tally;
use crate::answer::{Answerer, Outcome, Zones};
use crate::dns::message::MAX_MESSAGE;

/// Octets of the length that goes before a message in a stream (RFC 1035 §4.2.2).
pub(super) const PREFIX: usize = 2;
/// Room for the longest message with its length.
pub(super) const LONGEST: usize = PREFIX + MAX_MESSAGE;

thread_local! {
    /// Room for two of them, so that short ones can be gathered until one more would not surely fit.
    static WORKSHOP: RefCell<(Answerer, Box<[u8]>)> =
        RefCell::new((Answerer::default(), vec![0; 2 * LONGEST].into()));
}

/// Works with the thread's own.
pub(super) fn work<T>(work: impl FnOnce(&mut Answerer, &mut [u8]) -> T) -> T {
    WORKSHOP.with_borrow_mut(|(answerer, out)| work(answerer, out))
}

/// The one response to `request`; `None` for silence.
pub(super) fn exchange(
    request: &[u8],
    peer: IpAddr,
    zones: &ArcSwap<Zones>,
    tally: &Tally,
) -> Option<Vec<u8>> {
    tally.request();
    work(|answerer, out| {
        match answerer.answer(request, peer.into(), tally.transport(), &zones.load(), clock::now(), out) {
            Outcome::Response(length) => {
                tally.response(out);
                Some(out[..length].to_vec())
            }
            // Transfers and updates are for transports that can wait for them.
            Outcome::Silence | Outcome::Transfer(_) | Outcome::Update(_) => None,
        }
    })
}
