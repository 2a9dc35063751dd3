//! The connections to one address: how many there may be at once, of whom, and how long each may be quiet.
//!
//! Whatever has connections, be it TCP, TLS, HTTPS or QUIC, has these limits, for each of its addresses alone: a
//! flood of one does not shut out those who come by another. A connection holds a `Place` as long as it lives
//! and tells it what it does; the place ends one that has been quiet for too long. That costs no timer a query:
//! a place looks once a second whether anything has happened since.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::pin::pin;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval};

/// Connections to one address of ours at once.
pub const MAX_CONNECTIONS: usize = 1_024;
/// Of these, from one client: an IPv4 address, or the /64 of an IPv6 address.
pub const MAX_PER_CLIENT: usize = 64;
/// A connection without a query for so long is closed (RFC 7766 §6.2.3) …
pub const IDLE: Duration = Duration::from_secs(30);
/// … and for so long, when there are [`CROWDED`] of them.
pub const IDLE_IN_A_CROWD: Duration = Duration::from_secs(5);
/// From here on places are scarce.
pub const CROWDED: usize = MAX_CONNECTIONS / 4 * 3;
/// A client that begins a message has to end it, and one that is sent a message has to take it, within this time.
pub const STALLED: Duration = Duration::from_secs(30);
/// A handshake is done within this time.
pub const HANDSHAKE: Duration = Duration::from_secs(10);
/// What is said at the end of a connection is said within this time.
pub const FAREWELL: Duration = Duration::from_secs(1);
/// How often a place looks whether its connection is alive.
const LOOK: Duration = Duration::from_secs(1);

/// The connections to one address.
pub(super) struct Crowd {
    most: usize,
    most_of_client: usize,
    by_client: Mutex<HashMap<IpAddr, usize>>,
    /// Their sum: changed while they are locked, and read at any time.
    total: AtomicUsize,
}

/// One connection, as long as it lives.
pub(super) struct Place {
    crowd: Arc<Crowd>,
    client: IpAddr,
    /// Grows with everything that happens. Odd while a message is under way, even while one is waited for.
    steps: AtomicU64,
}

impl Default for Crowd {
    fn default() -> Self {
        Self::of(MAX_CONNECTIONS, MAX_PER_CLIENT)
    }
}

impl Crowd {
    /// Room for so many, of which one client may have so many.
    pub(super) fn of(most: usize, most_of_client: usize) -> Self {
        Self { most, most_of_client, by_client: Mutex::default(), total: AtomicUsize::default() }
    }

    /// A place for a connection from `peer`, unless there are too many.
    pub(super) fn enter(self: &Arc<Self>, peer: IpAddr) -> Option<Place> {
        let client = client(peer);
        let mut by_client = self.by_client.lock().unwrap_or_else(PoisonError::into_inner);
        let own = by_client.get(&client).copied().unwrap_or(0);
        if self.total() >= self.most || own >= self.most_of_client {
            return None;
        }
        self.total.fetch_add(1, Ordering::Relaxed);
        by_client.insert(client, own + 1);
        Some(Place { crowd: Arc::clone(self), client, steps: AtomicU64::new(0) })
    }

    /// Whether places are becoming scarce, for all or for `peer`.
    pub(super) fn is_scarce(&self, peer: IpAddr) -> bool {
        let by_client = self.by_client.lock().unwrap_or_else(PoisonError::into_inner);
        let own = by_client.get(&client(peer)).copied().unwrap_or(0);
        self.is_crowded() || own >= self.most_of_client / 4 * 3
    }

    fn is_crowded(&self) -> bool {
        self.total() >= self.most / 4 * 3
    }

    fn total(&self) -> usize {
        self.total.load(Ordering::Relaxed)
    }
}

impl Place {
    /// For how long it may be quiet between messages, as things are. It may be less when others come.
    pub(super) fn idle(&self) -> Duration {
        if self.crowd.is_crowded() { IDLE_IN_A_CROWD } else { IDLE }
    }

    /// A message is done, and the next one has not begun.
    pub(super) fn waits(&self) {
        self.steps.store((self.steps.load(Ordering::Relaxed) | 1) + 1, Ordering::Relaxed);
    }

    /// A message has begun, or another part of a long answer has been taken.
    pub(super) fn works(&self) {
        self.steps.store((self.steps.load(Ordering::Relaxed) + 1) | 1, Ordering::Relaxed);
    }

    /// Leads `conversation` to its end; `None` if it was quiet for so long that it had to be broken off.
    pub(super) async fn while_lively<T>(&self, conversation: impl Future<Output = T>) -> Option<T> {
        let mut conversation = pin!(conversation);
        let mut look = interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut seen, mut since) = (self.steps.load(Ordering::Relaxed), Instant::now());
        loop {
            let now = tokio::select! {
                biased;
                end = &mut conversation => return Some(end),
                now = look.tick() => now,
            };
            let steps = self.steps.load(Ordering::Relaxed);
            let patience = if steps % 2 == 1 { STALLED } else { self.idle() };
            if steps != seen {
                (seen, since) = (steps, now);
            } else if now.duration_since(since) >= patience {
                return None;
            }
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut by_client = self.crowd.by_client.lock().unwrap_or_else(PoisonError::into_inner);
        self.crowd.total.fetch_sub(1, Ordering::Relaxed);
        if let Some(own) = by_client.get_mut(&self.client) {
            *own -= 1;
            if *own == 0 {
                by_client.remove(&self.client);
            }
        }
    }
}

/// Whom an address stands for: who has one IPv6 address has 2^64 of them.
fn client(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
        address @ IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use super::*;

    fn address(number: usize) -> IpAddr {
        std::net::Ipv4Addr::from_bits(0x0a00_0000 + number as u32).into()
    }

    #[test]
    fn a_client_has_so_many_places_and_all_together_have_so_many() {
        let crowd = Arc::new(Crowd::default());
        let mut places: Vec<_> = (0..MAX_PER_CLIENT).map_while(|_| crowd.enter(address(0))).collect();
        assert_eq!(places.len(), MAX_PER_CLIENT);
        assert!(crowd.enter(address(0)).is_none() && crowd.is_scarce(address(0)));
        assert!(!crowd.is_scarce(address(1)));
        places.extend((1..).map_while(|number| crowd.enter(address(number))));
        assert_eq!(places.len(), MAX_CONNECTIONS);
        assert!(crowd.is_scarce(address(1_000_000)));
        places.truncate(MAX_PER_CLIENT - 1);
        assert!(crowd.enter(address(0)).is_some(), "a place that was left is free");
    }

    #[test]
    fn an_ipv6_client_is_its_network() {
        let client = |text: &str| client(text.parse().unwrap());
        assert_eq!(client("2001:db8::1"), client("2001:db8::ffff:0:0:2"));
        assert_ne!(client("2001:db8::1"), client("2001:db8:0:1::1"));
        assert_eq!(client("::ffff:192.0.2.1"), client("192.0.2.1"));
    }

    /// How many seconds a connection lives that does nothing.
    async fn quiet(place: &Place) -> u64 {
        let start = Instant::now();
        assert_eq!(place.while_lively(pending::<()>()).await, None);
        start.elapsed().as_secs()
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_quiet_is_let_go_and_the_sooner_the_more_there_are() {
        let crowd = Arc::new(Crowd::default());
        let place = crowd.enter(address(0)).unwrap();
        assert!((30..=31).contains(&quiet(&place).await));
        let _many: Vec<_> = (1..CROWDED).map_while(|number| crowd.enter(address(number))).collect();
        assert!((5..=6).contains(&quiet(&place).await));
        // In the midst of a message it has the time that it always has.
        place.works();
        assert!((30..=31).contains(&quiet(&place).await));
    }

    #[tokio::test(start_paused = true)]
    async fn who_does_something_now_and_then_stays_to_the_end() {
        let place = Arc::new(Crowd::default()).enter(address(0)).unwrap();
        let conversation = async {
            for _ in 0..10 {
                tokio::time::sleep(IDLE * 9 / 10).await;
                place.waits();
            }
            7
        };
        assert_eq!(place.while_lively(conversation).await, Some(7));
    }
}
