//! What caches may hold, to the last second: whatever a nameserver gave just before it gave something else.
//!
//! A resolver of chance asks when it likes; these have asked at the worst moment, at every nameserver. A client fails
//! if any of them knows records for an endpoint, and none that vouches for what the endpoint presents.

use std::collections::BTreeMap;

use danelaw::config::Service;
use danelaw::dns::name::Name;
use danelaw::dns::rtype::Rtype;
use danelaw::dns::time::{Seconds, Timestamp};

use super::{Cert, Served, World};

/// Records that some cache holds until then.
pub(crate) struct Ghost {
    owner: Name,
    rdatas: Vec<Vec<u8>>,
    until: Timestamp,
    of: String,
}

/// A client failed, because of what a cache held that it got from this nameserver.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Failure {
    pub(crate) service: String,
    pub(crate) endpoint: usize,
    pub(crate) key: Cert,
    pub(crate) of: String,
    pub(crate) from: Timestamp,
    /// When the cache forgets; open while the nameserver still serves that.
    pub(crate) until: Option<Timestamp>,
}

/// Service, endpoint, what it presents, and the nameserver that the cache asked.
type Client = (String, usize, String, String);

/// What caches keep of `had` once `served` has taken its place.
pub(super) fn ghosts_of<'a>(
    services: impl Iterator<Item = &'a Service>,
    zone: &Name,
    had: &Served,
    served: &Served,
    of: &str,
    now: Timestamp,
) -> Vec<Ghost> {
    let owners = services.flat_map(|service| &service.endpoints).filter(|endpoint| endpoint.zone == *zone);
    owners
        .filter_map(|endpoint| {
            let (ttl, rdatas) = had.rrset(endpoint.owner(), Rtype::TLSA)?;
            if served.rrset(endpoint.owner(), Rtype::TLSA).as_ref() == Some(&(ttl, rdatas.clone())) {
                return None;
            }
            let until = now + Seconds::from(ttl);
            Some(Ghost { owner: endpoint.owner().clone(), rdatas, until, of: of.to_owned() })
        })
        .collect()
}

impl World {
    /// A secondary is asked by nobody any more; caches keep what they have from it.
    pub(crate) fn retire(&mut self, index: usize) {
        let secondary = &mut self.secondaries[index];
        secondary.retired = true;
        let zones = std::mem::take(&mut secondary.zones);
        let owners = self.config.services.values().flat_map(|service| &service.endpoints);
        for endpoint in owners {
            let served =
                zones.get(&endpoint.zone).and_then(|(had, _)| had.rrset(endpoint.owner(), Rtype::TLSA));
            let Some((ttl, rdatas)) = served else { continue };
            let until = self.now + Seconds::from(ttl);
            let of = self.secondaries[index].name.clone();
            self.ghosts.push(Ghost { owner: endpoint.owner().clone(), rdatas, until, of });
        }
        self.check_caches();
    }

    /// Notes who fails now.
    pub(super) fn haunt(&mut self) {
        if !self.haunted {
            return;
        }
        let now = self.now;
        self.ghosts.retain(|ghost| ghost.until > now);
        let mut failing: BTreeMap<Client, (Cert, Option<Timestamp>)> = BTreeMap::new();
        for (name, presented) in &self.servers {
            let Some(service) = self.config.services.get(name) else { continue };
            for (index, endpoint) in service.endpoints.iter().enumerate() {
                let gone = self.ghosts.iter().filter(|ghost| ghost.owner == *endpoint.owner());
                let gone = gone.map(|ghost| (ghost.rdatas.clone(), ghost.of.clone(), Some(ghost.until)));
                let present = self.secondaries.iter().filter_map(|secondary| {
                    let served = secondary.serves(&endpoint.zone, now)?;
                    let (_, rdatas) = served.rrset(endpoint.owner(), Rtype::TLSA)?;
                    Some((rdatas, secondary.name.clone(), None))
                });
                for (rdatas, of, until) in gone.chain(present) {
                    let vouches = |cert: &Cert| rdatas.iter().any(|rdata| cert.matches(rdata));
                    for cert in presented[index].iter().filter(|cert| !rdatas.is_empty() && !vouches(cert)) {
                        let at = (name.clone(), index, cert.digest(), of.clone());
                        // What is still served lasts longest.
                        let known = failing.entry(at).or_insert_with(|| (cert.clone(), until));
                        known.1 = known.1.zip(until).map(|(a, b)| a.max(b));
                    }
                }
            }
        }
        let open = |failure: &Failure| failure.until.is_none_or(|until| until > now);
        for failure in self.failures.iter_mut().filter(|failure| open(failure)) {
            let at = (failure.service.clone(), failure.endpoint, failure.key.digest(), failure.of.clone());
            failure.until = failing.remove(&at).map_or(Some(now), |(_, until)| until);
        }
        for ((service, endpoint, _, of), (key, until)) in failing {
            self.story.push((
                now,
                format!("clients fail: {service} presents key {}, unknown to a cache of {of}", key.number),
            ));
            self.failures.push(Failure { service, endpoint, key, of, from: now, until });
        }
    }
}
