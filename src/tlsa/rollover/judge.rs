//! What follows from what is known: which certificates are live, how each one stands, and what is due to go.

use std::sync::Arc;

use super::propagation::Extent;
use super::standing::{Standing, Why};
use super::tracked::{Next, Tracked};
use super::{BEAT, Rollover, TELL_LATE};
use crate::dns::time::{DAY, Seconds, Timestamp};
use crate::tlsa::association::Association;

impl Rollover {
    /// What the service presents now; where nobody looks, the certificate file says it, when there was time for that.
    pub(super) fn see_what_is_live(&mut self) {
        let (clock, hold) = (self.clock, self.hold());
        if self.is_blind() {
            let taken: Vec<Arc<str>> = self
                .tracked
                .iter()
                .filter(|each| each.current && !each.live)
                // Before the service has records, no cache knows others.
                .filter(|each| self.taken_for_live_at(each).is_some_and(|at| at <= clock) || !self.complete)
                .map(|each| each.slot.clone())
                .collect();
            let waits = |each: &Tracked| each.current && !each.live && !taken.contains(&each.slot);
            // What is in no file any more may be in use until all that is in one is.
            let settled = self.missing().next().is_none() && !self.tracked.iter().any(waits);
            for tracked in &mut self.tracked {
                let in_no_file = !self.sources.iter().any(|source| source.slot == tracked.slot) && settled;
                if taken.contains(&tracked.slot) && tracked.current {
                    tracked.live = true;
                } else if taken.contains(&tracked.slot) && tracked.fielded || in_no_file && tracked.live {
                    tracked.live = false;
                    if !tracked.is_held() {
                        let why = if in_no_file { Why::NotConfigured } else { Why::CertificateReplaced };
                        tracked.leaves(clock, why, hold);
                    }
                }
            }
        } else {
            for tracked in &mut self.tracked {
                let live = !tracked.at.is_empty();
                if tracked.live && !live {
                    tracked.leaves(clock, Why::NoLongerPresented, hold);
                }
                tracked.live = live;
                tracked.fielded |= live;
            }
        }
        for tracked in &mut self.tracked {
            if tracked.next == Next::Gone && (tracked.current || tracked.live) {
                tracked.next = Next::No;
            }
        }
    }

    /// When a certificate is taken to be in use although nobody looks.
    pub(super) fn taken_for_live_at(&self, tracked: &Tracked) -> Option<Timestamp> {
        if !tracked.current || tracked.live || !self.is_blind() {
            return None;
        }
        let urgent = self.tracked.iter().any(|each| each.live && each.compromised && replaces(tracked, each));
        let from = if urgent { tracked.served } else { self.ready_at(tracked) };
        // It may have been ready for long before somebody obtained its certificate, or could ask the gate.
        from.map(|from| from.max(tracked.placed.unwrap_or(from)).max(self.answering) + self.grace)
    }

    /// While somebody's grace runs, when danelaw is to be awake next: what passes while nobody can ask the gate, because
    /// the machine sleeps or danelaw is down, is no grace.
    pub(super) fn beat(&self) -> Option<Timestamp> {
        let taken = self.tracked.iter().filter_map(|each| self.taken_for_live_at(each)).min()?;
        Some((taken - self.grace).max(self.clock + BEAT))
    }

    /// Says how each one stands.
    pub(super) fn judge(&mut self) {
        let judged: Vec<(Standing, Why)> = self.tracked.iter().map(|each| self.standing_of(each)).collect();
        let (clock, keep) = (self.clock, self.hold().max(DAY));
        for (tracked, (standing, why)) in self.tracked.iter_mut().zip(judged) {
            if standing == Standing::Withdrawn && tracked.standing != standing {
                tracked.until = Some(clock + keep);
            }
            tracked.now_stands(clock, standing, why);
            match standing {
                Standing::Ready => tracked.known = true,
                Standing::Announced { .. } => tracked.known = tracked.first,
                _ => {}
            }
        }
        let known: Vec<Option<Timestamp>> = self.tracked.iter().map(|each| self.known_at(each)).collect();
        for (tracked, known) in self.tracked.iter_mut().zip(known) {
            tracked.known_by = known;
            tracked.known |= tracked.live && known.is_some_and(|at| at <= clock);
        }
    }

    fn standing_of(&self, tracked: &Tracked) -> (Standing, Why) {
        let replaced =
            || self.tracked.iter().any(|each| each.live && !each.compromised && replaces(each, tracked));
        if tracked.compromised && (tracked.standing == Standing::Withdrawn || replaced()) {
            return (Standing::Withdrawn, Why::Compromised);
        }
        if tracked.live {
            let why = match (tracked.at.is_empty(), tracked.healed) {
                (true, _) => Why::InCertificateFile,
                (false, true) => Why::Healed,
                (false, false) => Why::Presented,
            };
            return (Standing::Live, why);
        }
        if tracked.is_held() {
            let why = match (tracked.current, tracked.next) {
                (true, _) => Why::NotPresentedYet,
                (false, Next::Here) => Why::InNextFile,
                (false, Next::Gone) => Why::NextGone,
                (false, Next::No) => Why::AskedAtGate,
            };
            let standing = match self.ready_at(tracked) {
                Some(at) if at <= self.clock || tracked.standing == Standing::Ready => Standing::Ready,
                until => Standing::Announced { until },
            };
            return (standing, why);
        }
        let why = tracked.left.map_or(Why::NotConfigured, |(_, why)| why);
        if !tracked.fielded {
            return (Standing::Orphaned { until: tracked.until.unwrap_or(Timestamp::NEVER) }, why);
        }
        // Where nobody looks, any of those that were in the file may be in use until the one that is there now is.
        let undecided = self.is_blind()
            && self.tracked.iter().any(|each| each.slot == tracked.slot && each.current && !each.live);
        (Standing::Draining { until: tracked.until.filter(|_| !undecided) }, why)
    }

    /// When every cache that knows the service's records knows this one.
    pub(super) fn ready_at(&self, tracked: &Tracked) -> Option<Timestamp> {
        let Some(Extent::Everywhere(since)) = self.extent(tracked) else { return None };
        let new = if tracked.first { Seconds::from(self.negative) } else { Seconds(0) };
        Some(since + self.hold().max(new))
    }

    /// How far its records have come; `None` while danelaw itself does not serve them.
    pub(super) fn extent(&self, tracked: &Tracked) -> Option<Extent> {
        let served = tracked.served.filter(|_| self.complete)?;
        Some(self.propagation.extent(&tracked.records(&self.params), served, &tracked.except))
    }

    pub(super) fn drop_what_is_due(&mut self) {
        let (clock, may_drop, hold) = (self.clock, self.may_drop(), self.hold());
        let is_due = |until: Timestamp| until <= clock;
        for tracked in &mut self.tracked {
            tracked.seen_late = tracked.seen_late.filter(|&seen| !is_due(seen + TELL_LATE));
            if tracked.asked.is_some_and(is_due) {
                tracked.asked = None;
                if !tracked.is_held() {
                    tracked.leaves(clock, Why::NextReplaced, hold);
                }
            }
        }
        self.tracked.retain(|each| {
            let until = match each.standing {
                Standing::Draining { until } => until,
                Standing::Orphaned { until } => Some(until),
                Standing::Withdrawn => each.until.filter(|_| each.is_forgotten()),
                Standing::Announced { .. } | Standing::Ready | Standing::Live => None,
            };
            !(may_drop && until.is_some_and(is_due))
        });
        self.retiring.retain(|&(_, until)| !is_due(until));
        self.former_ttls.retain(|&(_, until)| !is_due(until));
    }

    /// A key that came back, or was promoted, needs no second reason.
    pub(super) fn forget_what_live_ones_vouch_for(&mut self) {
        let params = self.all_params();
        let live = self.tracked.iter().filter(|each| each.live);
        let live: Vec<Association> = live.flat_map(|each| each.records(&params)).collect();
        self.tracked.retain(|each| {
            let is_held = each.live || each.current || each.next == Next::Here || each.compromised;
            is_held || each.records(&params).iter().any(|record| !live.contains(record))
        });
    }
}

impl Tracked {
    /// Whether neither a file nor the service has it.
    pub(super) fn is_forgotten(&self) -> bool {
        !self.is_held() && self.at.is_empty()
    }
}

/// Whether `new` stands in the place of `old`: of the same slot, or a key of the same algorithm.
fn replaces(new: &Tracked, old: &Tracked) -> bool {
    let differs = new.material.key() != old.material.key();
    differs && (new.slot == old.slot || new.material.key_algorithm() == old.material.key_algorithm())
}
