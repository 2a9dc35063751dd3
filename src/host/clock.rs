//! The wall clock, read once per input, and the time that passes whatever the wall clock is set to.

use std::time::{Duration, SystemTime};

use nix::time::{ClockId, clock_gettime};

use crate::dns::time::{Seconds, Timestamp};

/// What time it is.
pub fn now() -> Timestamp {
    // A clock before 1970 is as wrong as one at 1970.
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Timestamp(since.as_secs())
}

/// How long the machine has been up, sleep included: nobody sets this clock. Zero where the system has none.
pub fn uptime() -> Duration {
    clock_gettime(ClockId::CLOCK_BOOTTIME).map(Duration::from).unwrap_or_default()
}

/// Both clocks, read at one moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Clocks {
    pub(super) wall: Timestamp,
    pub(super) uptime: Duration,
}

impl Clocks {
    pub(super) fn read() -> Self {
        Self { wall: now(), uptime: uptime() }
    }

    /// How far the wall clock was set ahead since `before`, in the same boot.
    pub(super) fn ahead_since(&self, before: &Self) -> Seconds {
        let passed = self.uptime.saturating_sub(before.uptime).as_secs();
        Seconds(self.wall.since(before.wall).0.saturating_sub(passed))
    }
}
