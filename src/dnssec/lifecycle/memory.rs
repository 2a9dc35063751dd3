//! What caches may still hold: the TTL that is served, and larger ones that were.

use serde::{Deserialize, Serialize};

use crate::dns::time::{Seconds, Timestamp, Ttl};

/// The largest TTLs of something that is served, now and before.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Ttls {
    current: u32,
    former: Vec<Former>,
}

/// A larger TTL that was served before.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Former {
    ttl: u32,
    /// The version that has a smaller one; none is needed where every server was seen with it.
    replaced_by: Option<u32>,
    /// When the last cache that has it forgets it, once nobody serves it any more.
    until: Option<Timestamp>,
}

impl Ttls {
    /// From the version `serial` on this is the largest.
    pub(super) fn publish(&mut self, ttl: Ttl, serial: u32) {
        if ttl.0 < self.current {
            self.former.push(Former { ttl: self.current, replaced_by: Some(serial), until: None });
        }
        self.current = ttl.0;
    }

    /// Every server was seen with this TTL, `now`.
    pub(super) fn seen(&mut self, ttl: Ttl, now: Timestamp) {
        if ttl.0 < self.current {
            let until = Some(now + Seconds(u64::from(self.current)));
            self.former.push(Former { ttl: self.current, replaced_by: None, until });
        }
        self.current = ttl.0;
        self.forget(now);
    }

    /// No server serves a version before `oldest` any more.
    pub(super) fn everywhere(&mut self, is_at_least: impl Fn(u32) -> bool, now: Timestamp) {
        for former in &mut self.former {
            if former.until.is_none() && former.replaced_by.is_none_or(&is_at_least) {
                former.until = Some(now + Seconds(u64::from(former.ttl)));
            }
        }
        self.forget(now);
    }

    /// The versions that made it smaller, and that some server has yet to be seen with.
    pub(super) fn awaited(&self) -> impl Iterator<Item = u32> {
        self.former.iter().filter(|former| former.until.is_none()).filter_map(|former| former.replaced_by)
    }

    fn forget(&mut self, now: Timestamp) {
        self.former.retain(|former| former.until.is_none_or(|until| now < until));
    }

    /// When no cache has anything any more that nobody serves since `gone`.
    pub(super) fn forgotten(&self, gone: Timestamp) -> Timestamp {
        let served = self.former.iter().filter(|former| former.until.is_none()).map(|former| former.ttl);
        let largest = served.fold(self.current, u32::max);
        let until = self.former.iter().filter_map(|former| former.until);
        until.fold(gone + Seconds(u64::from(largest)), Timestamp::max)
    }

    /// The largest that is served.
    pub(super) fn current(&self) -> Ttl {
        Ttl(self.current)
    }

    /// The largest that some cache may go by.
    pub(super) fn largest(&self) -> Ttl {
        Ttl(self.former.iter().fold(self.current, |largest, former| largest.max(former.ttl)))
    }

    /// It is `now`, and so much less time has passed than the clock says.
    pub(super) fn delay(&mut self, by: Seconds, now: Timestamp) {
        for Former { ttl, until, .. } in &mut self.former {
            *until = until.map(|until| (until + by).min(now + Seconds(u64::from(*ttl))));
        }
    }
}
