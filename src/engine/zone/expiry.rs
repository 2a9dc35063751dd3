//! When signatures are made anew, and those that are about to expire although they should have been.

use super::Zone;
use crate::dns::time::{MINUTE, Now, Seconds, Timestamp};
use crate::dnssec::sign::next_due;
use crate::engine::input::{Effect, Level};

/// How long to wait before signatures that came out as they were are made anew again.
const RENEW_AGAIN: Seconds = Seconds(10 * MINUTE.0);

impl Zone {
    /// Whether a version with new signatures is called for.
    pub(super) fn is_to_renew(&self, now: Now) -> bool {
        self.is_due(now) && self.renew_again.is_none_or(|at| now.is_time_to_retry(at, RENEW_AGAIN))
    }

    /// When one is, if nothing else happens.
    pub(super) fn renews_at(&self, now: Now) -> Timestamp {
        let due = self.signatures_due(now).unwrap_or(Timestamp::NEVER);
        self.renew_again.map_or(due, |again| due.max(again))
    }

    /// Signatures were due, and came out as they were: those made ahead are what they are.
    pub(super) fn renew_later(&mut self, now: Now, effects: &mut Vec<Effect>) {
        self.renew_again = Some(now.shown + RENEW_AGAIN);
        if self.is_due(now) && self.has_signed_ahead() {
            let text = "signatures over the zone's keys are due to be made anew, and there are none that last longer: \
                        the batch was made for another `signatures.refresh` than the one in use; request a new batch \
                        with `danelaw key request`, have it signed, and import it";
            self.warn(now.latest, RENEWAL, text, effects);
        }
    }

    /// Whether signatures are due to be made anew.
    fn is_due(&self, now: Now) -> bool {
        self.signatures_due(now).is_some_and(|at| at <= now.latest)
    }

    fn signatures_due(&self, now: Now) -> Option<Timestamp> {
        if !self.is_signed_here() {
            return None;
        }
        let snapshot = self.served.as_ref()?.snapshot();
        Some(next_due(snapshot, &self.signing_policy().lifetimes, now))
    }

    /// The earliest expiration of a served signature.
    pub(in crate::engine) fn expires(&self, now: Timestamp) -> Option<Timestamp> {
        let soonest = self.served.as_ref()?.snapshot().soonest()?;
        Some(now.nearest_rrsig(soonest))
    }

    /// When the alarm for signatures that are about to expire is to be raised, unless it is already.
    pub(super) fn expiry_alarm_at(&self, now: Timestamp) -> Option<Timestamp> {
        let margin = Seconds(self.config.policy.signatures.refresh.0 / 2);
        let at = self.expires(now)? - margin;
        (self.is_signed_here() && at > now).then_some(at)
    }

    /// Raises the alarm for signatures that are about to expire although they should have been made anew.
    pub(in crate::engine) fn watch_signatures(&mut self, now: Now, effects: &mut Vec<Effect>) {
        if !self.is_due(now) {
            self.alarms.clear(RENEWAL);
        }
        let now = now.latest;
        self.watch_batch(now, effects);
        let Some(expires) = self.expires(now) else { return };
        if self.is_signed_here() && self.expiry_alarm_at(now).is_none() {
            let text = format!(
                "a served signature expires at {expires}, and no new one could be made; validating resolvers will fail from then on"
            );
            if self.alarms.raise(EXPIRY, now, text.clone()) {
                effects.push(Effect::Log { level: Level::Error, line: format!("{}: {text}", self.origin()) });
            }
        } else {
            self.alarms.clear(EXPIRY);
        }
    }
}

const EXPIRY: &str = "expiry";
const RENEWAL: &str = "signatures that are due";
