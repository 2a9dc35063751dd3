//! Server cookies that other servers of the same service understand (RFC 9018).
//!
//! A client that shows the cookie it was given has received an answer at its address before, so the address is not
//! forged. Nothing is kept for a client: the cookie is a keyed hash of what both know.

use std::hash::Hasher;
use std::net::IpAddr;

use siphasher::sip::SipHasher24;
use zeroize::Zeroizing;

use crate::dns::message::edns::{COOKIE_OCTETS, Cookie};
use crate::dns::time::{HOUR, MINUTE, Seconds, Timestamp};

/// What makes cookies ours. All servers of one address need the same.
pub struct CookieSecret(Zeroizing<[u8; 16]>);

/// What to do about a client's cookie.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Judged {
    /// Both halves for the response.
    pub reply: [u8; COOKIE_OCTETS],
    /// Whether the client showed one of ours.
    pub is_ours: bool,
}

const VERSION: u8 = 1;
/// Older ones are not believed (RFC 9018 §4.3).
const OLDEST: Seconds = HOUR;
/// Older ones are replaced.
const RENEWED: Seconds = Seconds(30 * MINUTE.0);
/// How far ahead the clocks of other servers may be.
const AHEAD: Seconds = Seconds(5 * MINUTE.0);

impl CookieSecret {
    /// Of 16 octets that nobody can guess.
    pub fn new(octets: [u8; 16]) -> Self {
        Self(Zeroizing::new(octets))
    }

    /// Judges the cookie of a request from `peer`, and gives the one to send back.
    pub fn judge(&self, cookie: Cookie<'_>, peer: IpAddr, now: Timestamp) -> Judged {
        let client = cookie.client();
        let shown = <&[u8; 16]>::try_from(cookie.server()).ok();
        let age = shown.and_then(|shown| self.age(client, shown, peer, now));
        let fresh = age.is_some_and(|age| age <= RENEWED);
        let server = match shown {
            Some(shown) if fresh => *shown,
            _ => {
                let [a, b, c, d] = now.rrsig().to_be_bytes();
                self.server_cookie(client, [VERSION, 0, 0, 0, a, b, c, d], peer)
            }
        };
        let mut reply = [0; COOKIE_OCTETS];
        reply[..8].copy_from_slice(&client);
        reply[8..].copy_from_slice(&server);
        Judged { reply, is_ours: age.is_some() }
    }

    /// How old a cookie of ours is; `None` if it is not ours, or not for this client, or not for now.
    fn age(&self, client: [u8; 8], shown: &[u8; 16], peer: IpAddr, now: Timestamp) -> Option<Seconds> {
        let &head: &[u8; 8] = shown.first_chunk()?;
        // What is reserved is hashed as it came (RFC 9018 §4.2).
        let expected = self.server_cookie(client, head, peer);
        // RFC 1982 arithmetic, as the times wrap in 2106.
        let made = now.nearest_rrsig(u32::from_be_bytes([head[4], head[5], head[6], head[7]]));
        let timely = made <= now + AHEAD && now <= made + OLDEST;
        // As one number: how long that takes says nothing of where they differ.
        let same = u128::from_be_bytes(expected) == u128::from_be_bytes(*shown);
        (same && timely && head[0] == VERSION).then(|| now.since(made))
    }

    /// RFC 9018 §4: version, reserved and time, then SipHash-2-4 over all of it and the client's cookie and address.
    fn server_cookie(&self, client: [u8; 8], head: [u8; 8], peer: IpAddr) -> [u8; 16] {
        let mut cookie = [0; 16];
        cookie[..8].copy_from_slice(&head);
        let mut hasher = SipHasher24::new_with_key(&self.0);
        hasher.write(&client);
        hasher.write(&head);
        match peer.to_canonical() {
            IpAddr::V4(address) => hasher.write(&address.octets()),
            IpAddr::V6(address) => hasher.write(&address.octets()),
        }
        cookie[8..].copy_from_slice(&hasher.finish().to_le_bytes());
        cookie
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn octets<const N: usize>(hex: &str) -> [u8; N] {
        data_encoding::HEXLOWER.decode(hex.as_bytes()).unwrap().try_into().unwrap()
    }

    /// RFC 9018 appendix A: secret, client cookie, address, cookie shown, time, cookie given.
    const VECTORS: [(&str, &str, &str, &str, u64, &str); 4] = [
        (
            "e5e973e5a6b2a43f48e7dc849e37bfcf",
            "2464c4abcf10c957",
            "198.51.100.100",
            "",
            1_559_731_985,
            "010000005cf79f111f8130c3eee29480",
        ),
        (
            "e5e973e5a6b2a43f48e7dc849e37bfcf",
            "2464c4abcf10c957",
            "198.51.100.100",
            "010000005cf79f111f8130c3eee29480",
            1_559_734_385,
            "010000005cf7a871d4a564a1442aca77",
        ),
        (
            "e5e973e5a6b2a43f48e7dc849e37bfcf",
            "fc93fc62807ddb86",
            "203.0.113.203",
            "01abcdef5cf78f71a314227b6679ebf5",
            1_559_734_700,
            "010000005cf7a9acf73a7810aca2381e",
        ),
        (
            "445536bcd2513298075a5d379663c962",
            "22681ab97d52c298",
            "2001:db8:220:1:59de:d0f4:8769:82b8",
            "010000005cf7c57926556bd0934c72f8",
            1_559_741_961,
            "010000005cf7c609a6bb79d16625507a",
        ),
    ];

    #[test]
    fn cookies_are_those_of_rfc_9018() {
        for (secret, client, peer, shown, now, given) in VECTORS {
            let secret = CookieSecret::new(octets(secret));
            let client: [u8; 8] = octets(client);
            let data = [&client[..], &data_encoding::HEXLOWER.decode(shown.as_bytes()).unwrap()].concat();
            let judged = secret.judge(Cookie::read(&data).unwrap(), peer.parse().unwrap(), Timestamp(now));
            assert_eq!(judged.reply[..8], client);
            assert_eq!(judged.reply[8..], octets::<16>(given), "{peer}");
        }
        let secret = CookieSecret::new(octets(VECTORS[2].0));
        let shown: [u8; 16] = octets(VECTORS[2].3);
        let data = [&octets::<8>(VECTORS[2].1)[..], &shown].concat();
        let cookie = Cookie::read(&data).unwrap();
        let made = Timestamp(1_559_727_985);
        assert!(
            secret.judge(cookie, "203.0.113.203".parse().unwrap(), made).is_ours,
            "reserved bits are set"
        );
    }

    #[test]
    fn a_cookie_is_believed_for_an_hour_from_its_own_address_and_renewed_at_half_time() {
        let secret = CookieSecret::new([7; 16]);
        let peer: IpAddr = "192.0.2.1".parse().unwrap();
        let made = Timestamp(1_800_000_000);
        let first = secret.judge(Cookie::read(&[1; 8]).unwrap(), peer, made);
        assert!(!first.is_ours);
        let shows = |client: [u8; 8], peer: &str, now| {
            let data = [&client[..], &first.reply[8..]].concat();
            let judged = secret.judge(Cookie::read(&data).unwrap(), peer.parse().unwrap(), now);
            (judged.is_ours, judged.reply == first.reply)
        };
        assert_eq!(shows([1; 8], "192.0.2.1", made + MINUTE * 30), (true, true));
        assert_eq!(shows([1; 8], "::ffff:192.0.2.1", made + MINUTE * 30), (true, true));
        assert_eq!(shows([1; 8], "192.0.2.1", made + MINUTE * 31), (true, false));
        assert_eq!(shows([1; 8], "192.0.2.1", made + MINUTE * 61), (false, false));
        assert_eq!(shows([1; 8], "192.0.2.1", made - MINUTE * 6), (false, false));
        assert!(!shows([1; 8], "192.0.2.2", made).0);
        assert!(!shows([2; 8], "192.0.2.1", made).0);
    }
}
