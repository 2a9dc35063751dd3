//! A catalog zone: what the configuration lists is its content.

use std::sync::Arc;

use super::{FILE, Pending, Work, Zone};
use crate::config::{Remote, ZoneSource};
use crate::dns::name::Name;
use crate::dns::time::{MINUTE, Seconds, Timestamp};
use crate::dnssec::validate::Verified;
use crate::engine::input::Effect;
use crate::engine::job::put_serial;
use crate::engine::{catalog, convert};
use crate::zone::{Contents, Serial};

/// How long a secondary that does not serve the newest version holds others up.
const PATIENCE: Seconds = Seconds(5 * MINUTE.0);

impl Zone {
    /// Lists the members anew. A list as before makes no version.
    pub(in crate::engine) fn list_members(&mut self, now: Timestamp, effects: &mut Vec<Effect>) {
        let ZoneSource::Catalog(listed) = &self.config.source else { return };
        match catalog::contents(self.origin(), listed) {
            Ok(contents) => {
                self.alarms.clear(FILE);
                self.draft = Some(Box::new(Pending { contents, digest: None, current: None }));
                self.retry_at = None;
            }
            Err(error) => self.refuse(now, FILE, &error.to_string(), effects),
        }
    }

    /// What is made of the configuration has no serial of its own: it begins with the policy's, and does not change
    /// by itself.
    pub(super) fn with_own_serial(&self, mut contents: Contents, now: Timestamp) -> Contents {
        if let ZoneSource::Catalog(_) = self.config.source {
            let first = || Serial::default().advance(convert::serial_policy(self.config.policy.serial), now);
            put_serial(&mut contents, self.serial().unwrap_or_else(first));
        }
        contents
    }

    /// The catalogs that members of this one come from and that it does not list yet.
    pub(in crate::engine) fn sources_of_arrivals(&self) -> impl Iterator<Item = &Name> {
        let arrivals = match &self.config.source {
            ZoneSource::Catalog(catalog) => &catalog.arrivals[..],
            ZoneSource::File(_) | ZoneSource::Primary(_) => &[],
        };
        let is_listed = |member: &Name| {
            let node = catalog::node(self.origin(), member).ok();
            let served = self.served.as_ref().map(Verified::snapshot);
            served.zip(node).is_some_and(|(served, node)| served.nodes.get(node.as_ref()).is_some())
        };
        arrivals.iter().filter(move |(member, _)| !is_listed(member)).map(|(_, source)| source)
    }

    /// Until when others have to wait for its secondaries to serve what it says now; `None` once they do.
    pub(in crate::engine) fn seen_by_all_at(&self, now: Timestamp) -> Option<Timestamp> {
        let settled = self.draft.is_none() && matches!(self.work, Work::Idle);
        let Some((serial, published)) = self.serial().zip(self.published).filter(|_| settled) else {
            return Some(now + PATIENCE);
        };
        let is_behind = |remote: &Arc<Remote>| {
            remote.addresses.iter().any(|&address| {
                let seen = self.secondaries.get(&(remote.name.clone(), address)).and_then(|seen| seen.serial);
                seen.is_none_or(|seen| seen < serial)
            })
        };
        let until = published + PATIENCE;
        (until > now && self.config.secondaries.iter().any(is_behind)).then_some(until)
    }
}
