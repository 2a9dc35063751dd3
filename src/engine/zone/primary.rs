//! A zone whose records come from another primary: when that one is asked, and for how long what it said holds
//! (RFC 1034 §4.3.5, RFC 1996).
//!
//! ```text
//!            due, or NOTIFY           answered
//!  Waiting ─────────────────▶ Asking ──────────▶ Waiting, for SOA refresh
//!     ▲                         │ failed
//!     └──────── for SOA retry ──┘
//! ```
//!
//! Beside that runs the time for which the zone may be served without a word from its primaries, SOA expire. When it
//! has passed, the zone is withdrawn: asked about it, danelaw answers SERVFAIL, and goes on asking. The version stays
//! at hand, is kept signed, and is served again at once when a primary says that it is current. When that was last
//! is durable, so that restarts do not give a dead primary's zone another life.

use std::net::IpAddr;
use std::sync::Arc;

use super::{POLICY, PRIMARY, Pending, Zone};
use crate::config::{Primary, ZoneSource};
use crate::dns::rtype::Rtype;
use crate::dns::time::{DAY, MINUTE, Now, Seconds, Timestamp};
use crate::engine::convert;
use crate::engine::input::{Effect, Level, Refresh, Refreshed};
use crate::engine::status::PrimaryStatus;
use crate::state::ZoneCommit;
use crate::zone::contents::SoaTimers;
use crate::zone::transfer::{Base, Order, Received};
use crate::zone::{ManagedRrsets, Presigned, Serial, Step};

/// The shortest time between two questions that nobody asked for by NOTIFY. A primary whose SOA record has less, zero
/// even, is not asked more often.
const SHORTEST: Seconds = Seconds(30);
/// The longest: a NOTIFY may have been lost.
const LONGEST: Seconds = DAY;
/// The wait after the first failure while there is no SOA record to go by; doubled each time, up to [`LONGEST_FIRST`].
const FIRST: Seconds = Seconds(5);
const LONGEST_FIRST: Seconds = Seconds(15 * 60);
/// However many NOTIFYs come, refreshes begin so far apart at least.
const GAP: Seconds = Seconds(2);
/// What is durable of when the zone was current may be older by this.
const STORED_EVERY: Seconds = MINUTE;
/// Waits are shortened by up to one part in this, so that zones do not stay in step.
const SPREAD: u64 = 8;

/// What is known of the primaries, and what is done about it.
pub(in crate::engine) struct Upstream {
    work: Work,
    /// When the last refresh began.
    began: Timestamp,
    /// How many refreshes have failed in a row.
    failures: u32,
    /// What comes next is taken whole, whatever its serial.
    whole: bool,
    /// The policy has been held against what is served.
    compared: bool,
    /// Who notified last, and is asked first.
    notifier: Option<IpAddr>,
    /// Which primary answered last, and the serial that it has.
    seen: Option<(String, Serial)>,
    /// What went wrong since, and since when.
    error: Option<(Timestamp, String)>,
    /// The zone has expired and is not served.
    pub(in crate::engine) withdrawn: bool,
    pub(super) record: Durability,
    refreshes: u64,
}

enum Work {
    Waiting {
        at: Timestamp,
        /// How long the wait was when it began.
        within: Seconds,
    },
    Asking {
        id: u64,
        /// A NOTIFY came meanwhile.
        again: bool,
    },
}

/// Whether the record that stands beside the stored version is as it is here.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Durability {
    Stored,
    Wanted,
    Storing(u64),
    Failed,
}

impl Default for Upstream {
    fn default() -> Self {
        Self {
            work: NOW,
            began: Timestamp(0),
            failures: 0,
            whole: false,
            compared: false,
            notifier: None,
            seen: None,
            error: None,
            withdrawn: false,
            record: Durability::Stored,
            refreshes: 0,
        }
    }
}

/// As soon as possible.
const NOW: Work = Work::Waiting { at: Timestamp(0), within: Seconds(0) };

impl Zone {
    fn primary(&self) -> Option<&Primary> {
        match &self.config.source {
            ZoneSource::Primary(primary) => Some(primary),
            ZoneSource::File(_) | ZoneSource::Catalog(_) => None,
        }
    }

    /// Begins anew, with other primaries or none.
    pub(super) fn reset_upstream(&mut self) {
        let Upstream { withdrawn, record, refreshes, .. } = std::mem::take(&mut self.upstream);
        self.upstream = Upstream { withdrawn, record, refreshes, ..Upstream::default() };
    }

    /// The serial at the primary of the newest content that came from there.
    fn known(&self) -> Option<Serial> {
        match &self.draft {
            Some(pending) => pending.current.and(self.file_serial),
            None => self.newest_record().current.and(self.newest_record().file_serial),
        }
    }

    /// Asks the primaries as soon as possible. What they have is taken whole if `whole`, or if what is served was made
    /// in another way than it would be now; `managed` is what danelaw makes.
    pub(in crate::engine) fn refresh_soon(&mut self, whole: bool, managed: &ManagedRrsets) {
        // What the primary has at an RRset that danelaw gave up was never kept.
        let alike =
            self.record.signed == self.is_signed_here() && self.record.managed.without(managed).is_empty();
        self.upstream.whole |= whole || !alike;
        self.upstream.compared = false;
        match &mut self.upstream.work {
            Work::Asking { again, .. } => *again = true,
            waiting @ Work::Waiting { .. } => *waiting = NOW,
        }
    }

    /// A primary says that the zone has changed.
    pub(in crate::engine) fn notified(&mut self, now: Now, from: IpAddr, serial: Option<Serial>) {
        // A primary that failed is there again, whatever it has.
        let is_news = serial.is_none() || serial != self.known() || self.upstream.error.is_some();
        if self.primary().is_none() || !is_news {
            return;
        }
        self.upstream.notifier = Some(from);
        let soonest = self.soonest(now);
        match &mut self.upstream.work {
            Work::Asking { again, .. } => *again = true,
            Work::Waiting { at, within } if soonest < *at => (*at, *within) = (soonest, GAP),
            Work::Waiting { .. } => {}
        }
    }

    /// When the next refresh may begin, however urgent it is.
    fn soonest(&self, now: Now) -> Timestamp {
        let began = self.upstream.began;
        // Of a clock that was set back nothing follows.
        if began > now.shown { now.shown } else { now.shown.max(began + GAP) }
    }

    /// Whether it is time to ask the primaries.
    pub(in crate::engine) fn wants_refresh(&self, now: Now) -> bool {
        match self.upstream.work {
            Work::Waiting { at, within } => self.primary().is_some() && now.is_time_to_retry(at, within),
            Work::Asking { .. } => false,
        }
    }

    /// Asks the primaries.
    pub(in crate::engine) fn refresh(
        &mut self,
        now: Now,
        managed: &ManagedRrsets,
        effects: &mut Vec<Effect>,
    ) {
        let Some(primary) = self.primary() else { return };
        let (remotes, max_size) = (primary.remotes.clone(), primary.max_transfer_size);
        let zonemd = convert::demand(primary.verify_zonemd);
        let sealed = self.config.policy.zonemd.then(|| (self.origin(), Rtype::ZONEMD));
        let managed = managed.iter().chain(sealed).map(|(owner, rtype)| (owner.clone(), rtype)).collect();
        let known = self.known();
        let upstream = &mut self.upstream;
        upstream.refreshes += 1;
        let id = upstream.refreshes;
        upstream.work = Work::Asking { id, again: false };
        upstream.began = now.shown;
        let whole = std::mem::take(&mut upstream.whole);
        let base = match (&self.served, self.record.current.and(self.record.file_serial)) {
            (Some(served), Some(serial)) if !whole => {
                Some(Base { serial, snapshot: served.snapshot().clone() })
            }
            _ => None,
        };
        effects.push(Effect::Refresh(Box::new(Refresh {
            id,
            remotes,
            first: upstream.notifier.take(),
            known: known.filter(|_| !whole),
            base,
            order: Order {
                zone: self.origin().clone(),
                presigned: if self.is_signed_here() { Presigned::Drop } else { Presigned::Keep },
                managed,
                max_size,
                zonemd,
                primary: String::new(),
            },
        })));
    }

    /// The primaries were asked. `chance` is evenly distributed.
    pub(in crate::engine) fn refreshed(
        &mut self,
        now: Now,
        id: u64,
        outcome: Result<Refreshed, String>,
        chance: u16,
        effects: &mut Vec<Effect>,
    ) {
        let Work::Asking { id: wanted, again } = self.upstream.work else { return };
        if wanted != id {
            return;
        }
        let failure = match outcome {
            Ok(Refreshed::Current { primary, serial }) => {
                self.upstream.seen = Some((primary, serial));
                self.confirmed(now, serial, effects);
                None
            }
            Ok(Refreshed::Content { primary, received }) => self.received(now, primary, *received, effects),
            Err(reason) => Some(reason),
        };
        let timers = self.timers();
        let wait = match &failure {
            None => {
                self.upstream.failures = 0;
                self.upstream.error = None;
                self.alarms.clear(PRIMARY);
                timers.map_or(SHORTEST, refresh_of)
            }
            Some(reason) => {
                let since = self.upstream.error.as_ref().map_or(now.shown, |(since, _)| *since);
                self.upstream.error = Some((since, reason.clone()));
                self.upstream.failures = self.upstream.failures.saturating_add(1);
                self.refuse(now.latest, PRIMARY, reason, effects);
                let doubled = FIRST * (1 << (self.upstream.failures - 1).min(16));
                timers.map_or(doubled.min(LONGEST_FIRST), retry_of)
            }
        };
        let within = Seconds(wait.0 - wait.0 / SPREAD * u64::from(chance) / u64::from(u16::MAX));
        self.upstream.work = if again {
            Work::Waiting { at: self.soonest(now), within: GAP }
        } else {
            Work::Waiting { at: now.shown + within, within }
        };
    }

    /// Takes new content; says why not, if so.
    fn received(
        &mut self,
        now: Now,
        primary: String,
        received: Received,
        effects: &mut Vec<Effect>,
    ) -> Option<String> {
        let Received { contents, serial, incremental, warnings, size } = received;
        if let Some(conflict) = self.policy_conflict(&contents) {
            return Some(format!("{primary} has serial {serial}, which is not taken: {conflict}"));
        }
        self.alarms.clear(POLICY);
        let style = if incremental { "its changes" } else { "the whole zone" };
        let line = format!("{}: serial {serial} from {primary}: {style}, {size} octets", self.origin());
        effects.push(Effect::Log { level: Level::Info, line });
        for warning in &warnings {
            // Said once, and shown in the status for as long as it holds.
            if !self.warnings.iter().any(|known| known.what == warning.what) {
                effects.push(Effect::Log { level: Level::Warning, line: warning.to_string() });
            }
        }
        if incremental {
            for warning in &warnings {
                if !self.warnings.iter().any(|known| known.what == warning.what) {
                    self.warnings.push(warning.clone());
                }
            }
        } else {
            self.warnings = warnings;
        }
        self.upstream.seen = Some((primary, serial));
        self.file_serial = Some(serial);
        self.draft = Some(Box::new(Pending { contents, digest: None, current: Some(now.shown) }));
        self.retry_at = None;
        None
    }

    /// A primary has nothing newer.
    fn confirmed(&mut self, now: Now, serial: Serial, effects: &mut Vec<Effect>) {
        if !std::mem::replace(&mut self.upstream.compared, true)
            && let Some(version) = self.served.clone()
        {
            match self.policy_conflict(version.snapshot().contents()) {
                Some(conflict) => self.refuse(now.latest, POLICY, &conflict, effects),
                None => drop(self.alarms.clear(POLICY)),
            }
        }
        // What came last may be on its way still.
        if self.record.file_serial != Some(serial) || self.record.current.is_none() {
            return;
        }
        let stored = self.record.current.map_or(Timestamp(0), |before| before.min(now.shown));
        if now.shown.since(stored) >= STORED_EVERY || self.upstream.withdrawn {
            self.record.current = Some(now.shown);
            self.upstream.record = Durability::Wanted;
        }
        self.serve_again(now, effects);
    }

    /// Serves a zone again that had expired, unless it has still.
    pub(super) fn serve_again(&mut self, now: Now, effects: &mut Vec<Effect>) {
        if !self.upstream.withdrawn || self.has_expired(now.shown) {
            return;
        }
        let Some(version) = self.served.clone() else { return };
        self.upstream.withdrawn = false;
        self.published = Some(now.latest);
        self.alarms.clear(EXPIRED);
        let (zone, serial) = (self.origin().clone(), version.snapshot().serial());
        let line = format!("{zone}: current again, and served with serial {serial}");
        effects.push(Effect::Log { level: Level::Info, line });
        effects.push(Effect::Publish { version, history: Arc::clone(&self.history) });
        effects.push(Effect::Notify { zone, serial });
    }

    /// Withdraws the zone when it has expired.
    pub(in crate::engine) fn watch_expiry(&mut self, now: Now, effects: &mut Vec<Effect>) {
        let was_served = !self.upstream.withdrawn;
        if self.served.is_none() || !self.has_expired(now.shown) {
            return;
        }
        if was_served {
            self.upstream.withdrawn = true;
            effects.push(Effect::Withdraw { zone: self.origin().clone() });
        }
        let current = self.record.current.unwrap_or_default();
        let text = format!(
            "expired: no primary has confirmed it since {current}; it is answered with SERVFAIL until one does"
        );
        if self.alarms.raise(EXPIRED, now.latest, text.clone()) {
            effects.push(Effect::Log { level: Level::Error, line: format!("{}: {text}", self.origin()) });
        }
    }

    pub(super) fn has_expired(&self, now: Timestamp) -> bool {
        self.upstream_expires().is_some_and(|at| at <= now)
    }

    /// When the zone expires unless a primary confirms it.
    pub(super) fn upstream_expires(&self) -> Option<Timestamp> {
        self.primary()?;
        let timers = self.served.as_ref()?.snapshot().timers();
        // A zone that expired before anybody could be asked again would flicker.
        let expire = Seconds(timers.expire.into()).max(refresh_of(timers) + retry_of(timers));
        Some(self.record.current? + expire)
    }

    fn timers(&self) -> Option<SoaTimers> {
        let coming = self.draft.as_ref().and_then(|pending| pending.contents.soa_timers());
        coming.or_else(|| Some(self.served.as_ref()?.snapshot().timers()))
    }

    /// When there is something to do about the primaries.
    pub(super) fn upstream_wakes_at(&self) -> Option<Timestamp> {
        self.primary()?;
        let due = match self.upstream.work {
            Work::Waiting { at, .. } => Some(at),
            Work::Asking { .. } => None,
        };
        due.into_iter().chain(self.upstream_expires().filter(|_| !self.upstream.withdrawn)).min()
    }

    /// What the state keeps beside the version has changed.
    pub(super) fn store_record(&mut self) {
        self.upstream.record = Durability::Wanted;
    }

    /// Whether that has yet to be stored.
    pub(in crate::engine) fn has_record_to_store(&self) -> bool {
        self.upstream.record != Durability::Stored
    }

    /// The record alone, for the version that is stored, if it is to be stored anew.
    pub(super) fn wants_record_stored(&mut self, commit: u64, again: bool) -> Option<ZoneCommit> {
        let wanted = match self.upstream.record {
            Durability::Wanted => true,
            Durability::Failed => again,
            Durability::Stored | Durability::Storing(_) => false,
        };
        let snapshot = self.served.as_ref().filter(|_| wanted)?.snapshot();
        self.upstream.record = Durability::Storing(commit);
        let (same, keep) = (Step::none(snapshot.serial()), self.history.len());
        Some(ZoneCommit::version(self.record.clone(), (**snapshot).clone(), same, keep))
    }

    /// A commit that may have had the record is finished.
    pub(super) fn record_stored(&mut self, commit: u64, outcome: &Result<(), String>) {
        if self.upstream.record == Durability::Storing(commit) {
            self.upstream.record = if outcome.is_ok() { Durability::Stored } else { Durability::Failed };
        }
    }

    /// What `status` says of the primaries.
    pub(in crate::engine) fn primary_status(&self) -> Option<PrimaryStatus> {
        let primary = self.primary()?;
        let upstream = &self.upstream;
        Some(PrimaryStatus {
            remotes: primary.remotes.iter().map(|remote| remote.name.clone()).collect(),
            answered: upstream.seen.as_ref().map(|(primary, _)| primary.clone()),
            serial: upstream.seen.as_ref().map(|(_, serial)| serial.0),
            transferred: self.known().map(|serial| serial.0),
            current: self.record.current,
            expires: self.upstream_expires(),
            expired: upstream.withdrawn,
            next: match upstream.work {
                Work::Waiting { at, .. } => Some(at),
                Work::Asking { .. } => None,
            },
            error: upstream.error.as_ref().map(|(since, error)| format!("{error} (since {since})")),
        })
    }
}

/// SOA refresh, within bounds.
fn refresh_of(timers: SoaTimers) -> Seconds {
    Seconds(timers.refresh.into()).clamp(SHORTEST, LONGEST)
}

/// SOA retry, within bounds.
fn retry_of(timers: SoaTimers) -> Seconds {
    Seconds(timers.retry.into()).clamp(SHORTEST, LONGEST)
}

const EXPIRED: &str = "expired";
