//! The records of a service, each with how it stands.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Rollover;
use super::standing::{Entry, Standing, Why};
use super::tracked::Tracked;
use crate::tlsa::association::{Association, AssociationError};

impl Rollover {
    /// The records to publish, in canonical order, without duplicates.
    ///
    /// None until every slot has had a certificate; never none again after that.
    pub fn published(&self) -> Vec<Association> {
        let entries = self.entries().into_iter();
        entries.filter(|entry| entry.standing != Standing::Withdrawn).map(|entry| entry.association).collect()
    }

    /// Every record and how it stands; of several reasons for one record, the strongest.
    pub fn entries(&self) -> Vec<Entry> {
        let mut entries: BTreeMap<Association, Entry> = BTreeMap::new();
        for tracked in self.tracked.iter().filter(|_| self.complete) {
            for entry in self.entries_of(tracked) {
                match entries.get(&entry.association) {
                    Some(other) if other.standing >= entry.standing => {}
                    _ => drop(entries.insert(entry.association.clone(), entry)),
                }
            }
        }
        entries.into_values().collect()
    }

    /// The records that next keys cannot give, being no certificates: they will be published when
    /// the certificate is, and caches will lack them for up to two TTLs.
    pub fn gaps(&self) -> impl Iterator<Item = (&Arc<str>, AssociationError)> {
        let announced = self.tracked.iter().filter(|each| each.is_held() && !each.live);
        announced.flat_map(|each| {
            let failures =
                self.params.iter().filter_map(|&params| Association::new(params, &each.material).err());
            failures.map(|error| (&each.slot, error))
        })
    }

    /// One entry for each record of `tracked`.
    fn entries_of(&self, tracked: &Tracked) -> impl Iterator<Item = Entry> {
        let entry = |params, standing, since, why| {
            let association = Association::new(params, &tracked.material).ok()?;
            let except = tracked.except.iter().cloned().collect();
            Some(Entry { association, slot: tracked.slot.clone(), standing, since, why, except })
        };
        let in_force = self
            .params
            .iter()
            .map(move |&params| entry(params, tracked.standing, tracked.since, tracked.why));
        let retiring = self.retiring.iter().map(move |&(params, until)| {
            if tracked.standing == Standing::Withdrawn {
                return entry(params, tracked.standing, tracked.since, tracked.why);
            }
            let own = match tracked.standing {
                Standing::Orphaned { until } => Some(until),
                Standing::Draining { until } => until,
                _ => None,
            };
            let until = own.filter(|_| self.may_drop()).map_or(until, |own| own.min(until));
            entry(params, Standing::Draining { until: Some(until) }, tracked.since, Why::ParamsRetired)
        });
        in_force.chain(retiring).flatten()
    }
}
