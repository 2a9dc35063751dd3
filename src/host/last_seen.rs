//! What the clocks showed when danelaw looked last, kept for the next start.
//!
//! While danelaw runs, it compares the wall clock with the time since boot, and waits go on by the latter. This file is
//! what a start compares them with: in the same boot the time that has passed is known, however the wall clock was set
//! meanwhile. Over a reboot it is not, nor on another machine: a wall clock that no one kept may show anything until it
//! is set. Then none of the time in between counts, so that a wait goes on with what was left of it.
//!
//! Old is safe here: what the file does not know of has not passed. So it is not synced to the disk, and one that is
//! missing or cannot be read says that nothing is known.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::clock::Clocks;
use crate::dns::time::{Seconds, Timestamp};

/// The file in the state's directory, and how old it may become.
pub(super) struct LastSeen {
    path: PathBuf,
    /// What tells this boot from others; `None` where the system does not say.
    boot: Option<String>,
    written: Option<Duration>,
}

/// What is known of the time in which danelaw was down.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Gap {
    /// The machine was up: the wall clock was set ahead by so much.
    SetAhead(Seconds),
    /// The machine was off, or it is another one: how much of this has passed is not known.
    Off(Seconds),
    /// When danelaw was up last is not known either.
    Unknown,
}

/// The file's content.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Record {
    boot: String,
    /// Seconds since boot.
    uptime: u64,
    /// Seconds since 1970.
    wall: u64,
}

impl Gap {
    /// How much of what the wall clock says has passed does not count.
    pub(super) fn uncounted(self) -> Seconds {
        match self {
            Self::SetAhead(by) | Self::Off(by) => by,
            Self::Unknown => Seconds(u64::MAX),
        }
    }
}

impl LastSeen {
    /// The file of the state in `directory`.
    pub(super) fn of(directory: &Path) -> Self {
        let boot = std::fs::read_to_string(BOOT_ID).ok().map(|id| id.trim().to_owned());
        Self { path: directory.join(FILE), boot, written: None }
    }

    /// What is known of the time since it was written last, now that the clocks show this.
    pub(super) fn gap(&self, now: &Clocks) -> Gap {
        let record = std::fs::read(&self.path).ok();
        let Some(record) = record.and_then(|octets| serde_json::from_slice::<Record>(&octets).ok()) else {
            return Gap::Unknown;
        };
        let seen = Clocks { wall: Timestamp(record.wall), uptime: Duration::from_secs(record.uptime) };
        // The time since boot goes back where danelaw comes into another time namespace.
        if self.boot.as_ref() == Some(&record.boot) && now.uptime >= seen.uptime {
            Gap::SetAhead(now.ahead_since(&seen))
        } else {
            Gap::Off(now.wall.since(seen.wall))
        }
    }

    /// Whether it is time to write it again.
    pub(super) fn is_due(&self, now: &Clocks) -> bool {
        self.written.is_none_or(|written| now.uptime.saturating_sub(written) >= INTERVAL)
    }

    /// Writes what the clocks showed. Only after everything that they have led to is durable: a wait that was made
    /// longer because the wall clock had been set ahead would otherwise be forgotten, and the step with it.
    pub(super) fn write(&mut self, seen: &Clocks) -> io::Result<()> {
        self.written = Some(seen.uptime);
        let Some(boot) = self.boot.clone() else { return Ok(()) };
        let record = Record { boot, uptime: seen.uptime.as_secs(), wall: seen.wall.0 };
        let unfinished = self.path.with_extension("new");
        std::fs::write(&unfinished, serde_json::to_vec(&record)?)?;
        std::fs::rename(&unfinished, &self.path)
    }
}

/// What Linux calls this boot, and no other.
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";
/// The name of the file.
const FILE: &str = "clock";
/// How old it may become: a wait is as much longer over a crash of the machine.
const INTERVAL: Duration = Duration::from_mins(5);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dns::time::{DAY, HOUR};

    const SEEN: Clocks = Clocks { wall: Timestamp(1_795_305_600), uptime: Duration::from_hours(3) };

    fn later(wall: Seconds, uptime: Seconds) -> Clocks {
        Clocks { wall: SEEN.wall + wall, uptime: SEEN.uptime + Duration::from_secs(uptime.0) }
    }

    fn boot(directory: &Path, id: &str) -> LastSeen {
        LastSeen { boot: Some(id.to_owned()), ..LastSeen::of(directory) }
    }

    #[test]
    fn in_the_same_boot_only_what_the_clock_was_set_ahead_does_not_count() {
        let state = tempfile::tempdir().unwrap();
        boot(state.path(), "one").write(&SEEN).unwrap();
        let gap = |now| boot(state.path(), "one").gap(&now);
        assert_eq!(gap(later(HOUR, HOUR)), Gap::SetAhead(Seconds(0)));
        assert_eq!(gap(later(DAY + HOUR, HOUR)), Gap::SetAhead(DAY));
        let back = Clocks { wall: SEEN.wall - DAY, ..later(HOUR, HOUR) };
        assert_eq!(gap(back), Gap::SetAhead(Seconds(0)));
    }

    #[test]
    fn over_a_reboot_nothing_counts() {
        let state = tempfile::tempdir().unwrap();
        boot(state.path(), "one").write(&SEEN).unwrap();
        let now = later(DAY * 7, HOUR);
        assert_eq!(boot(state.path(), "two").gap(&now), Gap::Off(DAY * 7));
        let nameless = LastSeen { boot: None, ..boot(state.path(), "") };
        assert_eq!(nameless.gap(&now), Gap::Off(DAY * 7));
        let fresh = Clocks { uptime: Duration::from_secs(20), ..now };
        assert_eq!(boot(state.path(), "one").gap(&fresh), Gap::Off(DAY * 7));
    }

    #[test]
    fn without_a_file_that_can_be_read_nothing_is_known() {
        let state = tempfile::tempdir().unwrap();
        assert_eq!(boot(state.path(), "one").gap(&SEEN), Gap::Unknown);
        std::fs::write(state.path().join(FILE), b"{\"boot\":\"one\",\"upt").unwrap();
        assert_eq!(boot(state.path(), "one").gap(&SEEN), Gap::Unknown);
    }

    #[test]
    fn it_is_written_now_and_then() {
        let state = tempfile::tempdir().unwrap();
        let mut file = boot(state.path(), "one");
        assert!(file.is_due(&SEEN));
        file.write(&SEEN).unwrap();
        assert!(!file.is_due(&later(Seconds(299), Seconds(299))));
        assert!(file.is_due(&later(Seconds(0), Seconds(300))));
    }
}
