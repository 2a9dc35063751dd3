//! How a zone is signed: keys, denial of existence, lifetimes.

use super::keyset::Layout;
use super::rrsig::Validity;
use crate::dns::name::NameRef;
use crate::dns::time::{DAY, HOUR, Now, Seconds, Timestamp, Ttl};

/// How long signatures are valid, unless the policy says otherwise.
pub const DEFAULT_VALIDITY: Seconds = Seconds(14 * DAY.0);
/// How long before their end signatures are made anew.
pub const DEFAULT_REFRESH: Seconds = Seconds(7 * DAY.0);
/// How far the ends of signatures are spread.
pub const DEFAULT_JITTER: Seconds = DAY;
/// How far before now signatures begin, for validators whose clocks are slow.
pub const DEFAULT_BACKDATE: Seconds = HOUR;
/// The TTL of DNSKEY, CDS and CDNSKEY.
pub const DEFAULT_DNSKEY_TTL: Ttl = Ttl(3_600);

/// Signatures that become due this soon are made anew together with one that is due, so that a zone has a new
/// version now and then and not every second.
const TOGETHER: Seconds = HOUR;

/// How the zone proves that something does not exist.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum DenialPolicy {
    /// NSEC.
    #[default]
    Nsec,
    /// NSEC3 without iterations and salt (RFC 9276).
    Nsec3,
    /// The same, with insecure delegations left out (RFC 5155 §6).
    Nsec3OptOut,
}

/// When signatures begin, end and are made anew.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Lifetimes {
    /// From the moment of signing to the latest end.
    pub validity: Seconds,
    /// A signature with less than this left is made anew.
    pub refresh: Seconds,
    /// Ends are up to this much earlier, by owner name.
    pub jitter: Seconds,
    /// Signatures begin this long before now.
    pub backdate: Seconds,
}

/// How a zone is signed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Policy {
    /// Which keys there are.
    pub layout: Layout,
    /// NSEC or NSEC3.
    pub denial: DenialPolicy,
    /// When signatures begin and end.
    pub lifetimes: Lifetimes,
    /// The TTL of DNSKEY, CDS and CDNSKEY.
    pub dnskey_ttl: Ttl,
}

impl Default for Lifetimes {
    fn default() -> Self {
        Self {
            validity: DEFAULT_VALIDITY,
            refresh: DEFAULT_REFRESH,
            jitter: DEFAULT_JITTER,
            backdate: DEFAULT_BACKDATE,
        }
    }
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            layout: Layout::default(),
            denial: DenialPolicy::default(),
            lifetimes: Lifetimes::default(),
            dnskey_ttl: DEFAULT_DNSKEY_TTL,
        }
    }
}

impl Lifetimes {
    /// The lifetime of a signature made `now` at `owner`: valid whichever of the clock's times is right. The jitter
    /// depends on the owner alone, so the load is spread the same way each time.
    pub fn validity(&self, owner: NameRef<'_>, now: Now) -> Validity {
        let jitter = match self.jitter.0 {
            0 => 0,
            jitter => spread(owner) % (jitter + 1),
        };
        Validity {
            inception: now.shown - self.backdate,
            expiration: now.latest + Seconds(self.validity.0.saturating_sub(jitter)),
        }
    }

    /// As long at least that no secondary or cache that holds a signature for so long ever has an expired one.
    #[must_use]
    pub fn outlasting(self, held: Seconds) -> Self {
        let missing = Seconds((held + DAY).0.saturating_sub(self.refresh.0));
        Self { refresh: self.refresh + missing, validity: self.validity + missing, ..self }
    }

    /// Signatures that expire before this are made anew whenever something is signed `now`.
    pub fn renew_before(&self, now: Timestamp) -> Timestamp {
        // Never so far ahead that a signature made now would be due at once.
        let room = self.validity.0.saturating_sub(self.jitter.0).saturating_sub(self.refresh.0);
        now + self.refresh + Seconds(TOGETHER.0.min(room / 2))
    }

    /// When a signature with this expiration is due to be made anew.
    pub fn due(&self, expiration: Timestamp) -> Timestamp {
        expiration - self.refresh
    }
}

/// Scatters owner names evenly (FNV-1a, case ignored).
fn spread(owner: NameRef<'_>) -> u64 {
    let hash = owner.wire().iter().fold(0xcbf2_9ce4_8422_2325u64, |hash, octet| {
        (hash ^ u64::from(octet.to_ascii_lowercase())).wrapping_mul(0x0100_0000_01b3)
    });
    // The low bits of FNV depend on the low bits of the input only.
    hash ^ hash >> 32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dns::name::Name;

    const NOW: Timestamp = Timestamp(1_800_000_000);

    #[test]
    fn jitter_spreads_ends_by_name_and_stays_within_its_bound() {
        let lifetimes = Lifetimes::default();
        let mut ends: Vec<_> = (0..100)
            .map(|n| {
                let name = Name::parse(&format!("h{n}.example")).unwrap();
                let upper = Name::parse(&format!("H{n}.EXAMPLE")).unwrap();
                let validity = lifetimes.validity(name.as_ref(), NOW.into());
                assert_eq!(validity, lifetimes.validity(upper.as_ref(), NOW.into()));
                assert_eq!(validity.inception, Timestamp(NOW.0 - 3_600));
                validity.expiration
            })
            .collect();
        ends.sort();
        assert!(ends[0] >= NOW + DAY * 13 && ends[0] < NOW + DAY * 13 + HOUR * 3);
        assert!(ends[99] <= NOW + DAY * 14 && ends[99] > NOW + DAY * 14 - HOUR * 3);
    }

    #[test]
    fn a_fresh_signature_is_not_due_even_when_lifetimes_are_short() {
        let lifetimes =
            Lifetimes { validity: Seconds(60), refresh: Seconds(20), jitter: Seconds(10), backdate: HOUR };
        let earliest = NOW + Seconds(50);
        assert!(lifetimes.renew_before(NOW) < earliest);
        assert_eq!(lifetimes.due(earliest), NOW + Seconds(30));
        assert_eq!(Lifetimes::default().renew_before(NOW), NOW + DAY * 7 + HOUR);
    }
}
