//! May the next certificate be deployed now, and which live key is one that caches may lack.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::Rollover;
use super::propagation::{Extent, Lack};
use super::standing::{Standing, Why};
use super::tracked::{Next, Tracked};
use crate::dns::time::Timestamp;
use crate::tlsa::association::Association;
use crate::tlsa::material::Material;

/// The answer of the gate.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Gate {
    /// Whether all of `keys` may be deployed.
    pub open: bool,
    /// What is to be deployed: what was asked for; or what the certificate files hold and the service does not
    /// present; or the next keys; or, where there is none of these, what the service presents. None before the service
    /// has records, or when what was asked for is not known.
    pub keys: Vec<GateKey>,
}

/// One key at the gate.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct GateKey {
    /// Its first record.
    pub association: Association,
    /// How it stands.
    pub standing: Standing,
    /// Whether it may be deployed although caches may lack it: the key in use is compromised.
    pub urgent: bool,
    /// Whether danelaw itself serves its records.
    pub served: bool,
    /// Nameservers that have not been seen to serve them.
    pub lacking: Vec<Lack>,
    /// Since when the slowest of those that are waited for serves them.
    pub since: Option<Timestamp>,
    /// When every cache will know them, once all nameservers serve them.
    pub until: Option<Timestamp>,
    /// Nameservers that nobody waits for.
    pub except: BTreeSet<Arc<str>>,
}

/// A key that the service presents, and that some cache may lack.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Exposure {
    /// Its first record.
    pub association: Association,
    /// It is over: nobody looked in time.
    pub over: bool,
    /// Where it was seen.
    pub at: Vec<Arc<str>>,
    /// It was not published when it was first seen.
    pub healed: bool,
    /// The earliest moment at which a client may have met it.
    pub from: Timestamp,
    /// When the last cache that lacks it will have asked again; nobody knows while `lacking` is not empty.
    pub until: Option<Timestamp>,
    /// Nameservers that have not been seen to serve it.
    pub lacking: Vec<Lack>,
}

impl Rollover {
    /// Whether `wanted`, or what the files say, may be deployed now.
    pub fn gate(&self, wanted: Option<&Material>) -> Gate {
        let params = self.all_params();
        let choose = |which: &dyn Fn(&Tracked) -> bool| -> Vec<&Tracked> {
            self.tracked.iter().filter(|each| self.complete && which(each)).collect()
        };
        let chosen = if let Some(wanted) = wanted {
            choose(&|each| each.is(wanted, &params))
        } else {
            let by_file = choose(&|each| each.current && !each.live);
            let next = choose(&|each| each.next == Next::Here && !each.live);
            [by_file, next]
                .into_iter()
                .find(|each| !each.is_empty())
                .unwrap_or_else(|| choose(&|each| each.live))
        };
        let keys: Vec<GateKey> = chosen.into_iter().filter_map(|each| self.at_gate(each)).collect();
        let is_open = |key: &GateKey| match key.standing {
            Standing::Ready | Standing::Live => true,
            Standing::Announced { .. } => key.urgent && key.served,
            Standing::Draining { .. } | Standing::Orphaned { .. } | Standing::Withdrawn => false,
        };
        Gate { open: !keys.is_empty() && keys.iter().all(is_open), keys }
    }

    fn at_gate(&self, tracked: &Tracked) -> Option<GateKey> {
        let association = tracked.records(&self.params).into_iter().next()?;
        let (served, since, lacking) = match self.extent(tracked) {
            None => (false, None, Vec::new()),
            Some(Extent::Everywhere(since)) => (true, Some(since), Vec::new()),
            Some(Extent::Lacking(lacking)) => (true, None, lacking),
        };
        Some(GateKey {
            association,
            standing: tracked.standing,
            urgent: self.tracked.iter().any(|each| each.live && each.compromised),
            served,
            lacking,
            since,
            until: self.ready_at(tracked),
            except: tracked.except.clone(),
        })
    }

    /// The keys that the service presents and that some cache may lack, or may have lacked when nobody looked.
    pub fn exposures(&self) -> Vec<Exposure> {
        let is_exposed = |each: &&Tracked| each.live && !each.known || each.seen_late.is_some();
        let exposed = self.tracked.iter().filter(|each| self.complete && is_exposed(each));
        exposed.filter_map(|each| self.exposure(each)).collect()
    }

    fn exposure(&self, tracked: &Tracked) -> Option<Exposure> {
        let association = tracked.records(&self.params).into_iter().next()?;
        let lacking = match self.extent(tracked) {
            Some(Extent::Lacking(lacking)) => lacking,
            Some(Extent::Everywhere(_)) | None => Vec::new(),
        };
        Some(Exposure {
            association,
            over: tracked.known || !tracked.live,
            at: tracked.at.iter().cloned().collect(),
            healed: tracked.why == Why::Healed,
            from: tracked.exposed.unwrap_or(tracked.since),
            until: self.known_at(tracked),
            lacking,
        })
    }

    /// When the last cache that lacks a key will have asked again: the last one may have asked a nameserver just before
    /// that was seen to serve it.
    pub(super) fn known_at(&self, tracked: &Tracked) -> Option<Timestamp> {
        let Extent::Everywhere(since) = self.extent(tracked)? else { return None };
        let known = since + self.largest_ttl();
        Some(if known > self.clock { known } else { tracked.known_by.unwrap_or(known) })
    }
}
