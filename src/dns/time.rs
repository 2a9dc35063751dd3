//! Points in time and spans of it, as arguments: nothing here reads a clock.
//!
//! [`Timestamp`] counts seconds since 1970-01-01T00:00:00Z. RRSIG inception and expiration are the
//! lower 32 bits of it (RFC 4034 §3.1.5).

use std::fmt;
use std::ops::{Add, Sub};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Seconds since the Unix epoch, UTC. Reports have it as text, in RFC 3339.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Timestamp(pub u64);

/// The text is no point in time.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("expected a time since 1970 as in 2026-11-22T02:09:00Z")]
pub struct NotATime;

/// What the clock shows, and the latest that it has shown. They differ after it was set back, when nobody can tell
/// which of the two was wrong: a signature begins by the former and lasts by the latter, and waits go by the latter.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Now {
    /// What the clock shows.
    pub shown: Timestamp,
    /// The latest that it has shown; never before `shown`.
    pub latest: Timestamp,
}

/// A span of whole seconds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Seconds(pub u64);

/// A record's time to live in seconds, at most 2^31 - 1 (RFC 2181 §8).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Ttl(pub u32);

/// One minute.
pub const MINUTE: Seconds = Seconds(60);
/// One hour.
pub const HOUR: Seconds = Seconds(3_600);
/// One day.
pub const DAY: Seconds = Seconds(86_400);

impl Timestamp {
    /// The time that is later than every other; "never" for deadlines.
    pub const NEVER: Self = Self(u64::MAX);

    /// The lower 32 bits, as RRSIG rdata carries it.
    pub fn rrsig(self) -> u32 {
        self.0 as u32
    }

    /// The timestamp nearest to `self` whose lower 32 bits are `rrsig` (RFC 4034 §3.1.5, RFC 1982).
    pub fn nearest_rrsig(self, rrsig: u32) -> Self {
        let ahead = rrsig.wrapping_sub(self.rrsig()) as i32;
        Self(self.0.saturating_add_signed(i64::from(ahead)))
    }

    /// The span from `earlier` to `self`; zero when `earlier` is later.
    pub fn since(self, earlier: Self) -> Seconds {
        Seconds(self.0.saturating_sub(earlier.0))
    }
}

impl Now {
    /// Whether it is time for what was to be tried again at `at`, at most `within` after the clock showed the moment
    /// before. A clock that was set back must not put it off.
    pub fn is_time_to_retry(self, at: Timestamp, within: Seconds) -> bool {
        at <= self.shown || self.shown + within < at
    }
}

impl From<Timestamp> for Now {
    /// A clock that has never been set back.
    fn from(now: Timestamp) -> Self {
        Self { shown: now, latest: now }
    }
}

impl Add<Seconds> for Timestamp {
    type Output = Self;
    fn add(self, span: Seconds) -> Self {
        Self(self.0.saturating_add(span.0))
    }
}

impl Sub<Seconds> for Timestamp {
    type Output = Self;
    fn sub(self, span: Seconds) -> Self {
        Self(self.0.saturating_sub(span.0))
    }
}

impl std::ops::Mul<u64> for Seconds {
    type Output = Self;
    fn mul(self, times: u64) -> Self {
        Self(self.0.saturating_mul(times))
    }
}

impl Add for Seconds {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl From<Ttl> for Seconds {
    fn from(ttl: Ttl) -> Self {
        Self(u64::from(ttl.0))
    }
}

impl fmt::Display for Timestamp {
    /// `2026-11-22T02:09:00Z`; `never` for [`Timestamp::NEVER`].
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match i64::try_from(self.0).ok().and_then(|s| jiff::Timestamp::from_second(s).ok()) {
            Some(time) => write!(f, "{time}"),
            None => f.write_str("never"),
        }
    }
}

impl FromStr for Timestamp {
    type Err = NotATime;

    /// Reads what [`Display`](fmt::Display) writes.
    fn from_str(text: &str) -> Result<Self, NotATime> {
        if text == "never" {
            return Ok(Self::NEVER);
        }
        let time: jiff::Timestamp = text.parse().map_err(|_| NotATime)?;
        u64::try_from(time.as_second()).map(Self).map_err(|_| NotATime)
    }
}

impl From<Timestamp> for String {
    fn from(time: Timestamp) -> Self {
        time.to_string()
    }
}

impl TryFrom<String> for Timestamp {
    type Error = NotATime;
    fn try_from(text: String) -> Result<Self, NotATime> {
        text.parse()
    }
}

impl fmt::Display for Seconds {
    /// The shortest exact form that the configuration reads too: `90s`, `15m`, `1h`, `14d`; `1h30m` when mixed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut left = self.0;
        if left == 0 {
            return f.write_str("0s");
        }
        for (unit, size) in [('d', 86_400), ('h', 3_600), ('m', 60), ('s', 1)] {
            if left >= size {
                write!(f, "{}{unit}", left / size)?;
                left %= size;
            }
        }
        Ok(())
    }
}

impl fmt::Display for Ttl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rrsig_times_wrap_in_2106_and_are_read_back() {
        let after = Timestamp(0x1_0000_0005);
        assert_eq!(after.rrsig(), 5);
        assert_eq!(Timestamp(0xffff_fff0).nearest_rrsig(5), after);
        assert_eq!(after.nearest_rrsig(0xffff_fff0), Timestamp(0xffff_fff0));
    }

    #[test]
    fn a_time_is_read_as_it_was_written() {
        for time in [Timestamp(0), Timestamp(1_795_313_340), Timestamp::NEVER] {
            assert_eq!(time.to_string().parse(), Ok(time));
        }
        for text in ["", "2026-11-22", "1969-12-31T23:59:59Z", "1795313340"] {
            assert_eq!(text.parse::<Timestamp>(), Err(NotATime), "{text}");
        }
    }

    #[test]
    fn a_clock_set_back_puts_no_retry_off() {
        let at = Timestamp(1_000) + MINUTE;
        let shows = |shown| Now { shown: Timestamp(shown), latest: Timestamp(1_000) };
        assert!(!shows(1_000).is_time_to_retry(at, MINUTE));
        assert!(shows(1_060).is_time_to_retry(at, MINUTE));
        assert!(shows(400).is_time_to_retry(at, MINUTE));
    }

    #[test]
    fn spans_print_as_the_configuration_reads_them() {
        assert_eq!(Seconds(5_400).to_string(), "1h30m");
        assert_eq!((DAY * 14).to_string(), "14d");
        assert_eq!(Timestamp(0).to_string(), "1970-01-01T00:00:00Z");
        assert_eq!(Timestamp::NEVER.to_string(), "never");
    }
}
