//! Keys whose private half is elsewhere: danelaw makes none in their place. Where a key-signing key has signed ahead,
//! none is published that it has not signed for, and an alarm comes long before the signatures end.

use super::{Keys, Zone};
use crate::dns::time::{Seconds, Timestamp};
use crate::dnssec::batch::Ahead;
use crate::dnssec::key::SigningKey;
use crate::dnssec::lifecycle::KeyId;
use crate::engine::input::Effect;

impl Zone {
    /// The keys of the zone. Those whose life is over may still have their files.
    fn living(&self) -> impl Iterator<Item = &SigningKey> {
        let keys = match &self.keys {
            Keys::Read(keys) => &keys[..],
            Keys::Unread | Keys::Unusable => &[],
        };
        let lives = |key: &SigningKey| self.record.keys.keys().any(|(id, _)| id == KeyId::of(key.public()));
        keys.iter().map(|(key, _)| &**key).filter(move |key| lives(key))
    }

    /// Those that have signed ahead.
    fn ahead(&self) -> impl Iterator<Item = (&SigningKey, &Ahead)> {
        self.living().filter_map(|key| Some((key, key.ahead()?)))
    }

    /// Whether some of them have.
    pub(super) fn has_signed_ahead(&self) -> bool {
        self.ahead().next().is_some()
    }

    /// Whether danelaw makes the keys of a role: it has no signatures over one that it makes where they are made ahead,
    /// and what is kept in a token is not to be succeeded by a file.
    pub(super) fn makes_keys(&self, entry_point: bool) -> bool {
        let elsewhere =
            |key: &SigningKey| key.is_elsewhere() && key.public().is_secure_entry_point() == entry_point;
        self.ahead().next().is_none() && !self.living().any(elsewhere)
    }

    /// Whether the key may join the others, or has: all that have signed ahead have signed for it, as far as it is their
    /// time.
    pub(super) fn can_join(&self, key: &SigningKey, now: Timestamp) -> bool {
        let signs = |key: &SigningKey, ahead: &Ahead| ahead.covers(key.public(), now);
        // The first ones join nobody.
        self.record.keys.is_empty()
            || self.record.keys.knows(KeyId::of(key.public()))
            || key.ahead().is_none_or(|ahead| signs(key, ahead))
                && self.ahead().filter(|(ksk, ahead)| signs(ksk, ahead)).all(|(_, ahead)| signs(key, ahead))
    }

    /// Raises the alarm for keys that the policy calls for, and that danelaw does not make.
    pub(super) fn watch_needs(&mut self, now: Timestamp, has_needs: bool, effects: &mut Vec<Effect>) {
        if has_needs {
            let text = "the policy calls for a key that danelaw does not make, as keys are in a token or sign ahead; \
                        make it with `danelaw key generate`, and import a batch that was requested with it where \
                        signatures are made ahead";
            self.warn(now, BY_HAND, text, effects);
        } else {
            self.alarms.clear(BY_HAND);
        }
    }

    /// When the alarm is raised that signatures made ahead come to an end: twice `refresh` before they do.
    pub(super) fn batch_alarm_at(&self) -> Option<(Timestamp, Timestamp)> {
        let ends = self.ahead().map(|(_, ahead)| ahead.ends()).min()?;
        Some((ends - Seconds(2 * self.config.policy.signatures.refresh.0), ends))
    }

    /// Raises the alarm for signatures made ahead that come to an end.
    pub(super) fn watch_batch(&mut self, now: Timestamp, effects: &mut Vec<Effect>) {
        match self.batch_alarm_at() {
            Some((at, ends)) if at <= now => {
                let text = format!(
                    "the signatures made ahead by the key-signing key end at {ends}; `danelaw key request` asks for more"
                );
                self.warn(now, BATCH, &text, effects);
            }
            _ => drop(self.alarms.clear(BATCH)),
        }
    }
}

const BY_HAND: &str = "keys to be made";
const BATCH: &str = "signatures made ahead";
