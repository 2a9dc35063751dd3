//! Response-rate limiting: a server that anybody can ask must not be made to shout at somebody else.
//!
//! Over UDP an address can be forged. Responses that are alike, to one network, are therefore sent at a bounded rate
//! only; of those beyond it some are replaced by truncated ones ("slip"), so that a real client behind a forged
//! address can come back over TCP, and the rest are dropped. Whoever has shown a cookie of ours, or is exempt, is
//! not limited.
//!
//! The account of a network and kind of response is one word in a table of fixed size. A collision makes two share
//! one account for a moment; nothing grows, and threads never wait for each other.

use std::fmt;
use std::hash::Hasher;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};

use siphasher::sip::SipHasher13;

use super::access::Prefix;
use crate::dns::time::{Seconds, Timestamp};

/// What a response says, which decides whose rate it counts to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// What was asked for. Alike are those to one question.
    Answer,
    /// What a wildcard or a DNAME record makes of any name. Alike are those of one zone.
    Wildcard,
    /// Who else knows. Alike are those of one zone.
    Referral,
    /// There is no such record. Alike are those of one zone.
    NoData,
    /// There is no such name. Alike are those of one zone.
    NoName,
    /// An error. All are alike.
    Error,
}

impl Kind {
    /// All there are.
    pub const ALL: [Self; 6] =
        [Self::Answer, Self::Wildcard, Self::Referral, Self::NoData, Self::NoName, Self::Error];
}

impl fmt::Display for Kind {
    /// As reports and metrics name it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Answer => "answer",
            Self::Wildcard => "wildcard",
            Self::Referral => "referral",
            Self::NoData => "nodata",
            Self::NoName => "nxdomain",
            Self::Error => "error",
        })
    }
}

/// How many alike responses a network is sent in a second, by kind; 0 is without limit.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Rates {
    /// See [`Kind::Answer`] and [`Kind::Wildcard`].
    pub answers: u16,
    /// See [`Kind::Referral`].
    pub referrals: u16,
    /// See [`Kind::NoData`].
    pub nodata: u16,
    /// See [`Kind::NoName`].
    pub nxdomains: u16,
    /// See [`Kind::Error`].
    pub errors: u16,
}

/// How responses are limited.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RateLimit {
    /// How many.
    pub rates: Rates,
    /// For so long a network that went beyond its rate is held to it.
    pub window: Seconds,
    /// One in so many responses beyond the rate is sent truncated; 0 for none, 1 for all.
    pub slip: u8,
    /// The bits of an IPv4 address that make a network.
    pub ipv4_prefix: u8,
    /// The bits of an IPv6 address that make a network.
    pub ipv6_prefix: u8,
    /// Who is never limited.
    pub exempt: Vec<Prefix>,
    /// Everything is sent all the same, and counted.
    pub log_only: bool,
}

/// What becomes of a response.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Limited {
    /// It is sent.
    Send,
    /// It is sent without records, with TC.
    Truncate,
    /// It is not sent.
    Drop,
}

/// How many responses of a kind were beyond their rate, since the start.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counts {
    /// Not sent.
    pub dropped: u64,
    /// Sent truncated.
    pub truncated: u64,
}

/// The accounts, shared by all threads.
pub struct RateLimiter {
    settings: RateLimit,
    key: [u8; 16],
    accounts: Box<[AtomicU64]>,
    beyond: [Beyond; Kind::ALL.len()],
}

/// What [`Counts`] are made from.
#[derive(Default)]
struct Beyond {
    dropped: AtomicU64,
    truncated: AtomicU64,
}

/// How many accounts there are: half a megabyte.
const ACCOUNTS: usize = 1 << 16;
/// How many places an account may be in.
const WAYS: usize = 4;
const TAG_BITS: u32 = 26;
const TIME_BITS: u32 = 14;
const BALANCE_BITS: u32 = 24;
/// The longest window, so that times in an account are told apart.
pub const LONGEST_WINDOW: Seconds = Seconds(3_600);

/// An account: whose it is, when it was last used, and how many responses are left in it; below zero, how many too
/// many there were.
#[derive(Clone, Copy)]
struct Account {
    tag: u32,
    time: u32,
    balance: i32,
}

impl Account {
    fn unpack(word: u64) -> Self {
        let balance = (word << (64 - BALANCE_BITS)) as i64 >> (64 - BALANCE_BITS);
        Self {
            tag: (word >> (TIME_BITS + BALANCE_BITS)) as u32,
            time: (word >> BALANCE_BITS) as u32 & TIME_MASK,
            balance: balance as i32,
        }
    }

    fn pack(self) -> u64 {
        u64::from(self.tag) << (TIME_BITS + BALANCE_BITS)
            | u64::from(self.time) << BALANCE_BITS
            | u64::from(self.balance as u32) & ((1 << BALANCE_BITS) - 1)
    }

    /// Seconds since it was last used, as far as its few bits of time tell.
    fn age(self, now: u32) -> u32 {
        now.wrapping_sub(self.time) & TIME_MASK
    }
}

const TIME_MASK: u32 = (1 << TIME_BITS) - 1;

impl RateLimiter {
    /// With nobody's account used yet. `key` is random, so that nobody can choose to share another's account.
    pub fn new(settings: RateLimit, key: [u8; 16]) -> Self {
        let accounts = (0..ACCOUNTS).map(|_| AtomicU64::new(0)).collect();
        Self { settings, key, accounts, beyond: Default::default() }
    }

    /// How it was set up.
    pub fn settings(&self) -> &RateLimit {
        &self.settings
    }

    /// How many responses of this kind were beyond their rate.
    pub fn counts(&self, kind: Kind) -> Counts {
        let Beyond { dropped, truncated } = &self.beyond[kind as usize];
        Counts { dropped: dropped.load(Ordering::Relaxed), truncated: truncated.load(Ordering::Relaxed) }
    }

    /// Says what becomes of a response to `peer`; responses of one kind with the same `likeness` are alike.
    pub fn judge(&self, peer: IpAddr, kind: Kind, likeness: u64, now: Timestamp) -> Limited {
        let rates = &self.settings.rates;
        let rate = match kind {
            Kind::Answer | Kind::Wildcard => rates.answers,
            Kind::Referral => rates.referrals,
            Kind::NoData => rates.nodata,
            Kind::NoName => rates.nxdomains,
            Kind::Error => rates.errors,
        };
        let peer = peer.to_canonical();
        if rate == 0 || self.settings.exempt.iter().any(|prefix| prefix.contains(peer)) {
            return Limited::Send;
        }
        if self.debit(self.hash(peer, kind, likeness), i32::from(rate), now) {
            return Limited::Send;
        }
        let slip = u64::from(self.settings.slip);
        let Counts { dropped, truncated } = self.counts(kind);
        let beyond = &self.beyond[kind as usize];
        let limited = if slip > 0 && (dropped + truncated + 1).is_multiple_of(slip) {
            beyond.truncated.fetch_add(1, Ordering::Relaxed);
            Limited::Truncate
        } else {
            beyond.dropped.fetch_add(1, Ordering::Relaxed);
            Limited::Drop
        };
        if self.settings.log_only { Limited::Send } else { limited }
    }

    fn hash(&self, peer: IpAddr, kind: Kind, likeness: u64) -> u64 {
        let mut hasher = SipHasher13::new_with_key(&self.key);
        match peer {
            IpAddr::V4(address) => {
                let free = 32 - u32::from(self.settings.ipv4_prefix.min(32));
                hasher.write_u32(address.to_bits().checked_shr(free).unwrap_or(0));
            }
            IpAddr::V6(address) => {
                let free = 128 - u32::from(self.settings.ipv6_prefix.min(128));
                hasher.write_u128(address.to_bits().checked_shr(free).unwrap_or(0));
            }
        }
        hasher.write_u8(kind as u8);
        hasher.write_u64(likeness);
        hasher.finish()
    }

    /// Takes one response from an account; says whether there was one in it.
    fn debit(&self, hash: u64, rate: i32, now: Timestamp) -> bool {
        let now = now.0 as u32 & TIME_MASK;
        let first = hash as usize % (ACCOUNTS / WAYS) * WAYS;
        let tag = (hash >> (64 - TAG_BITS)) as u32;
        let ways = &self.accounts[first..first + WAYS];
        let held = |way: &AtomicU64| Account::unpack(way.load(Ordering::Relaxed));
        let own = ways.iter().find(|way| held(way).tag == tag);
        // Whoever was silent for longest loses the place.
        let Some(way) = own.or_else(|| ways.iter().max_by_key(|way| held(way).age(now))) else { return true };
        let window = self.settings.window.0.clamp(1, LONGEST_WINDOW.0) as u32;
        let mut allowed = true;
        let debited = |word| {
            let old = Account::unpack(word);
            let age = old.age(now);
            let balance = if old.tag != tag || age >= window {
                rate
            } else {
                // At most 3,600 s at 65,535 a second, less than 2^28.
                rate.min(old.balance + age as i32 * rate)
            };
            allowed = balance > 0;
            let floor = -(window as i32 * rate).min(1 << (BALANCE_BITS - 2));
            Some(Account { tag, time: now, balance: (balance - 1).max(floor) }.pack())
        };
        let _ = way.fetch_update(Ordering::Relaxed, Ordering::Relaxed, debited);
        allowed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_800_000_000);

    fn limiter(change: impl FnOnce(&mut RateLimit)) -> RateLimiter {
        let mut settings = RateLimit {
            rates: Rates { answers: 5, nxdomains: 2, ..Rates::default() },
            window: Seconds(15),
            slip: 0,
            ipv4_prefix: 24,
            ipv6_prefix: 56,
            exempt: Vec::new(),
            log_only: false,
        };
        change(&mut settings);
        RateLimiter::new(settings, [3; 16])
    }

    fn sent(
        limiter: &RateLimiter,
        peer: &str,
        kind: Kind,
        likeness: u64,
        now: Timestamp,
        times: usize,
    ) -> usize {
        let peer = peer.parse().unwrap();
        (0..times).filter(|_| limiter.judge(peer, kind, likeness, now) == Limited::Send).count()
    }

    #[test]
    fn a_network_is_sent_so_many_alike_responses_a_second() {
        let limiter = limiter(|_| {});
        assert_eq!(sent(&limiter, "192.0.2.1", Kind::Answer, 1, NOW, 100), 5);
        assert_eq!(sent(&limiter, "192.0.2.99", Kind::Answer, 1, NOW, 100), 0, "the same network");
        assert_eq!(sent(&limiter, "192.0.3.1", Kind::Answer, 1, NOW, 100), 5, "another");
        assert_eq!(sent(&limiter, "192.0.2.1", Kind::Answer, 2, NOW, 100), 5, "another question");
        assert_eq!(sent(&limiter, "192.0.2.1", Kind::NoName, 1, NOW, 100), 2, "another kind");
        assert_eq!(sent(&limiter, "192.0.2.1", Kind::Error, 0, NOW, 100), 100, "without limit");
        assert_eq!(sent(&limiter, "2001:db8::1", Kind::NoName, 1, NOW, 100), 2);
        assert_eq!(sent(&limiter, "2001:db8:0:ff::1", Kind::NoName, 1, NOW, 100), 0);
        assert_eq!(sent(&limiter, "::ffff:192.0.2.1", Kind::NoName, 1, NOW, 100), 0);
    }

    #[test]
    fn who_goes_on_asking_too_much_is_held_until_the_window_has_passed_in_silence() {
        let limiter = limiter(|_| {});
        assert_eq!(sent(&limiter, "192.0.2.1", Kind::Answer, 1, NOW, 1_000), 5);
        // 75 too many at most are remembered: 15 seconds at 5 a second.
        assert_eq!(sent(&limiter, "192.0.2.1", Kind::Answer, 1, NOW + Seconds(5), 10), 0);
        assert_eq!(sent(&limiter, "192.0.2.1", Kind::Answer, 1, NOW + Seconds(20), 10), 5);
        // A steady rate is never limited.
        for second in 30..60 {
            assert_eq!(sent(&limiter, "192.0.2.1", Kind::Answer, 1, NOW + Seconds(second), 5), 5);
        }
    }

    #[test]
    fn some_of_what_is_too_much_is_truncated_and_everything_is_counted() {
        let limiter = limiter(|settings| settings.slip = 2);
        let peer = "192.0.2.1".parse().unwrap();
        let outcomes: Vec<_> = (0..9).map(|_| limiter.judge(peer, Kind::Answer, 1, NOW)).collect();
        assert_eq!(outcomes[5..], [Limited::Drop, Limited::Truncate, Limited::Drop, Limited::Truncate]);
        assert_eq!(limiter.counts(Kind::Answer), Counts { dropped: 2, truncated: 2 });
        assert_eq!(limiter.counts(Kind::NoName), Counts::default());
    }

    #[test]
    fn the_exempt_are_sent_everything_and_so_is_everybody_when_it_is_only_logged() {
        let net = Prefix::new("192.0.2.0".parse().unwrap(), 24).unwrap();
        let exempt = limiter(|settings| settings.exempt.push(net));
        assert_eq!(sent(&exempt, "192.0.2.1", Kind::Answer, 1, NOW, 50), 50);
        assert_eq!(exempt.counts(Kind::Answer), Counts::default());
        let logged = limiter(|settings| settings.log_only = true);
        assert_eq!(sent(&logged, "192.0.2.1", Kind::Answer, 1, NOW, 50), 50);
        assert_eq!(logged.counts(Kind::Answer), Counts { dropped: 45, truncated: 0 });
    }

    #[test]
    fn accounts_keep_what_they_hold() {
        for balance in [0, 1, -1, 65_535, -(1 << 22)] {
            let account = Account { tag: 0x3ff_ffff, time: 16_383, balance };
            let back = Account::unpack(account.pack());
            assert_eq!((back.tag, back.time, back.balance), (account.tag, account.time, balance));
        }
    }
}
