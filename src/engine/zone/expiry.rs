//! Signatures that are about to expire although they should have been made anew.

use super::Zone;
use crate::dns::time::{Seconds, Timestamp};
use crate::engine::input::{Effect, Level};

impl Zone {
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
    pub(in crate::engine) fn watch_signatures(&mut self, now: Timestamp, effects: &mut Vec<Effect>) {
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
