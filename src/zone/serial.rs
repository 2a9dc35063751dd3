//! SOA serials: RFC 1982 arithmetic, and how a policy chooses the next one.

use std::cmp::Ordering;
use std::fmt;

use crate::dns::time::Timestamp;

/// The version number of a zone (RFC 1035 §3.3.13). Compared by RFC 1982, so there is no total order.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Serial(pub u32);

/// How the served serial advances.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum SerialPolicy {
    /// Seconds since 1970; one more than the last where that would not be greater.
    #[default]
    UnixTime,
    /// One more than the last.
    Increment,
    /// `YYYYMMDDnn` in UTC; one more than the last where that would not be greater.
    Date,
}

impl Serial {
    /// One more, skipping 0, which some secondaries read as "no serial".
    #[must_use]
    pub fn successor(self) -> Self {
        Self(self.0.wrapping_add(1).max(1))
    }

    /// The serial of the version after `self` (of a first version: after the zone file's own serial).
    #[must_use]
    pub fn advance(self, policy: SerialPolicy, now: Timestamp) -> Self {
        let wanted = match policy {
            SerialPolicy::UnixTime => Self(now.rrsig()),
            SerialPolicy::Increment => self.successor(),
            SerialPolicy::Date => Self(date(now)),
        };
        if wanted > self { wanted } else { self.successor() }
    }
}

/// `YYYYMMDD00`.
fn date(now: Timestamp) -> u32 {
    let seconds = i64::try_from(now.0).unwrap_or(0);
    let Ok(time) = jiff::Timestamp::from_second(seconds) else { return 0 };
    let day = time.to_zoned(jiff::tz::TimeZone::UTC).date();
    (i32::from(day.year()) * 1_000_000 + i32::from(day.month()) * 10_000 + i32::from(day.day()) * 100) as u32
}

impl PartialOrd for Serial {
    /// RFC 1982 §3.2; `None` when the two are exactly 2^31 apart.
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        match self.0.wrapping_sub(other.0) {
            0 => Some(Ordering::Equal),
            0x8000_0000 => None,
            ahead if ahead < 0x8000_0000 => Some(Ordering::Greater),
            _ => Some(Ordering::Less),
        }
    }
}

impl fmt::Display for Serial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: Timestamp = Timestamp(1_795_348_800); // 2026-11-22T12:00:00Z

    #[test]
    fn serials_wrap_as_rfc_1982_says() {
        assert!(Serial(1) > Serial(0xffff_ffff));
        assert!(Serial(5) > Serial(4));
        assert_eq!(Serial(0).partial_cmp(&Serial(0x8000_0000)), None);
        assert_eq!(Serial(0xffff_ffff).successor(), Serial(1));
    }

    #[test]
    fn every_policy_only_ever_grows() {
        assert_eq!(Serial(7).advance(SerialPolicy::UnixTime, NOON), Serial(1_795_348_800));
        assert_eq!(Serial(1_795_348_800).advance(SerialPolicy::UnixTime, NOON), Serial(1_795_348_801));
        assert_eq!(Serial(7).advance(SerialPolicy::Increment, NOON), Serial(8));
        assert_eq!(Serial(7).advance(SerialPolicy::Date, NOON), Serial(2_026_112_200));
        assert_eq!(Serial(2_026_112_200).advance(SerialPolicy::Date, NOON), Serial(2_026_112_201));
        assert_eq!(Serial(3_000_000_000).advance(SerialPolicy::UnixTime, NOON), Serial(3_000_000_001));
    }
}
