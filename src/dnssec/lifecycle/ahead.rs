//! Rollovers to keys that are there already, where danelaw makes none: they are in a token, or a key-signing key that
//! is elsewhere has signed ahead for some keys and for no others.

use std::cmp::Reverse;

use super::{KeyId, Life, Lifecycle, Retired, RollError, role};
use crate::dns::time::Timestamp;

impl Lifecycle {
    /// Whether the life of this key has begun, be it over or not.
    pub fn knows(&self, key: KeyId) -> bool {
        self.keys.contains_key(&key) || self.over.contains(&key)
    }

    /// Begins a rollover of the keys of one role to the one among them that came into use last.
    pub fn roll_to_youngest(&mut self, entry_point: bool) -> Result<Vec<KeyId>, RollError> {
        let role = role(entry_point);
        if self.leaving {
            return Err(RollError::Leaving);
        }
        let mut keys: Vec<(KeyId, &mut Life)> = self
            .keys
            .iter_mut()
            .filter(|(_, life)| life.entry_point == entry_point)
            .map(|(id, life)| (*id, life))
            .collect();
        if let Some((key, life)) = keys.iter().find(|(_, life)| !life.is_present()) {
            let what = life.unsettled().unwrap_or_default();
            return Err(RollError::UnderWay { role, key: *key, what });
        }
        keys.sort_by_key(|(id, life)| Reverse((life.in_use.unwrap_or(Timestamp::NEVER), *id)));
        match &mut keys[..] {
            [] => Err(RollError::NoKey(role)),
            [_] => Err(RollError::NoSuccessor(role)),
            [_, older @ ..] => {
                for (_, life) in &mut *older {
                    life.retired = Some(Retired::Asked);
                }
                Ok(older.iter().map(|(id, _)| *id).collect())
            }
        }
    }

    /// Whether another key is there to take the place of this one.
    pub fn must_have_successor(&self, tag: u16) -> Result<(), RollError> {
        let (id, life) = self.keys.iter().find(|(id, _)| id.tag == tag).ok_or(RollError::Unknown(tag))?;
        let takes_over = |other: &Life| other.entry_point == life.entry_point && other.is_present();
        if self.keys.iter().any(|(other, life)| other != id && takes_over(life)) {
            Ok(())
        } else {
            Err(RollError::NoSuccessor(role(life.entry_point)))
        }
    }
}
