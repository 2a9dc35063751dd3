//! Where caches fill from, and what has been seen there.
//!
//! A place is one nameserver, for one owner. It is known by two texts, because this module asks nobody: whoever looks
//! tells what it saw. What was seen once holds until a later look shows otherwise: a nameserver that is silent
//! serves what it served, to whom it serves anything.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::dns::time::{Seconds, Timestamp, Ttl};
use crate::tlsa::association::Association;

/// A nameserver, asked for one owner.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Place {
    /// Which one: its name, and its address where it has one.
    pub server: Arc<str>,
    /// The owner of the records.
    pub owner: Arc<str>,
}

impl Place {
    /// Whether somebody could mean this nameserver by `name`.
    pub fn is_called(&self, name: &str) -> bool {
        &*self.server == name || self.server.split(' ').any(|word| word == name)
    }
}

/// What was seen at each place that counts.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub(super) struct Propagation {
    pub(super) places: BTreeMap<Place, Seen>,
}

/// What was seen at one place.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub(super) struct Seen {
    /// The records that it serves, each since when it has been seen to do so at every look.
    pub(super) serves: BTreeMap<Association, Timestamp>,
    /// The TTL under which it was seen to serve records; it does so until something else is seen.
    pub(super) ttl: Option<Ttl>,
    /// What went wrong since the last look that told anything.
    pub(super) error: Option<(Timestamp, Arc<str>)>,
    /// It has been seen at all.
    pub(super) looked: bool,
}

/// Whether records are seen everywhere.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Extent {
    /// Since then by the slowest.
    Everywhere(Timestamp),
    /// Not yet here.
    Lacking(Vec<Lack>),
}

/// A place that has not been seen to serve what it should.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Lack {
    /// Where.
    pub place: Place,
    /// Why nothing is seen there, and since when; without it, what is seen there is older.
    pub error: Option<(Timestamp, Arc<str>)>,
    /// It has not been looked at yet.
    pub unlooked: bool,
}

impl Propagation {
    /// These places count from now on. Gives what was seen at those that do no more.
    pub(super) fn configure(&mut self, places: &BTreeSet<Place>) -> Self {
        let mut old = std::mem::take(&mut self.places);
        self.places =
            places.iter().map(|place| (place.clone(), old.remove(place).unwrap_or_default())).collect();
        Self { places: old }
    }

    /// A place was looked at, and serves those of `wanted` that are in `served`. Gives the TTL that it had until now.
    pub(super) fn saw(
        &mut self,
        now: Timestamp,
        place: &Place,
        wanted: &[Association],
        served: &[Association],
        ttl: Option<Ttl>,
    ) -> Option<Ttl> {
        let seen = self.places.get_mut(place)?;
        seen.serves.retain(|record, _| wanted.contains(record) && served.contains(record));
        for record in wanted.iter().filter(|record| served.contains(record)) {
            seen.serves.entry(record.clone()).or_insert(now);
        }
        (seen.error, seen.looked) = (None, true);
        std::mem::replace(&mut seen.ttl, ttl)
    }

    /// The largest TTL under which any place serves records.
    pub(super) fn largest_ttl(&self) -> Option<Ttl> {
        self.places.values().filter_map(|seen| seen.ttl).max()
    }

    /// A place could not be looked at.
    pub(super) fn missed(&mut self, now: Timestamp, place: &Place, error: &str) {
        let Some(seen) = self.places.get_mut(place) else { return };
        let since = seen.error.as_ref().map_or(now, |(since, _)| *since);
        (seen.error, seen.looked) = (Some((since, error.into())), true);
    }

    /// How far `records` have come, places of the servers `except` left out.
    pub(super) fn extent(
        &self,
        records: &[Association],
        published: Timestamp,
        except: &BTreeSet<Arc<str>>,
    ) -> Extent {
        let mut slowest = published;
        let mut lacking = Vec::new();
        for (place, seen) in self.places.iter().filter(|(place, _)| !is_excepted(place, except)) {
            let since: Option<Vec<Timestamp>> =
                records.iter().map(|record| seen.serves.get(record).copied()).collect();
            match since {
                Some(since) => slowest = since.into_iter().fold(slowest, Timestamp::max),
                None => lacking.push(Lack {
                    place: place.clone(),
                    error: seen.error.clone(),
                    unlooked: !seen.looked,
                }),
            }
        }
        if lacking.is_empty() { Extent::Everywhere(slowest) } else { Extent::Lacking(lacking) }
    }

    /// The clock jumped ahead without time having passed.
    pub(super) fn postpone(&mut self, by: Seconds) {
        for since in self.places.values_mut().flat_map(|seen| seen.serves.values_mut()) {
            *since = *since + by;
        }
    }
}

/// Whether somebody said that this one is not to be waited for: by its name, or by its name and address.
fn is_excepted(place: &Place, except: &BTreeSet<Arc<str>>) -> bool {
    except.iter().any(|name| place.is_called(name))
}
