//! The key list of Knot, as `keymgr -j ZONE list` prints it: which of the PEM files in its key store is what, and since
//! when.
//!
//! Knot keeps this in a database of its own, whose layout is nobody's but Knot's.

use crate::dns::time::Timestamp;
use crate::dnssec::key::Role;
use crate::dnssec::keyset::Timing;
use serde::Deserialize;

/// The keys of a zone in Knot's key store.
#[derive(Debug, Deserialize)]
#[serde(transparent)]
pub struct KeyList(Vec<ListedKey>);

/// One key. Times are in seconds since 1970, 0 is never.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ListedKey {
    /// The name of its PEM file, without `.pem`.
    id: String,
    ksk: bool,
    zsk: bool,
    publish: u64,
    ready: u64,
    active: u64,
    retire: u64,
    remove: u64,
}

/// Not such a list.
#[derive(Debug, thiserror::Error)]
#[error("expected what `keymgr -j ZONE list` prints: {0}")]
pub struct ListError(#[from] serde_json::Error);

impl KeyList {
    /// Reads the list.
    pub fn parse(text: &str) -> Result<Self, ListError> {
        Ok(serde_json::from_str(text)?)
    }

    /// The key in the file of this name, suffix removed.
    pub fn find(&self, id: &str) -> Option<&ListedKey> {
        self.0.iter().find(|key| key.id == id)
    }
}

impl ListedKey {
    /// What the key signs.
    pub fn role(&self) -> Role {
        match (self.ksk, self.zsk) {
            (true, true) => Role::Csk,
            (true, false) => Role::Ksk,
            (false, _) => Role::Zsk,
        }
    }

    /// Its times. A KSK signs from when it is ready: what it is not active without is the parent's DS.
    pub fn timing(&self) -> Timing {
        let at = |seconds: u64| (seconds != 0).then_some(Timestamp(seconds));
        let signs = [at(self.ready), at(self.active)].into_iter().flatten().min();
        Timing {
            created: None,
            publish: at(self.publish),
            // What is not to sign yet says so; `None` would have no bound.
            activate: Some(signs.unwrap_or(Timestamp::NEVER)),
            inactive: at(self.retire),
            delete: at(self.remove),
        }
    }
}
