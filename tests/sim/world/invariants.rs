//! What holds after every step.
//!
//! 1. A resolver that knows TLSA records of a service knows one that vouches for what the service presents,
//!    except in an outage that the test allows.
//! 2. Every served signature outlives its TTL, and its key is one that every cache knows that knows any.
//! 3. The delta of a version leads from the version before to it; serials grow, and only when content changes.
//! 4. What is published was durable before.
//! 5. What a secondary has becomes what is served by the changes in the journal, restarts or not.
//! 6. What did not change keeps its signatures, whatever else changes and whoever restarts.

use std::collections::BTreeSet;
use std::sync::Arc;

use danelaw::config::Denial as ConfiguredDenial;
use danelaw::dns::rtype::Rtype;
use danelaw::dns::time::{DAY, HOUR, Now, Seconds, Timestamp};
use danelaw::dnssec::key::{PublicKey, key_tag};
use danelaw::dnssec::policy::DenialPolicy;
use danelaw::dnssec::rrsig::Fields;
use danelaw::dnssec::validate::{Expected, validate};
use danelaw::engine;
use danelaw::state::Store;
use danelaw::zone::contents::soa_with_serial;
use danelaw::zone::{Delta, Denial, Node, RrsetRef, Serial, Snapshot};

use super::{Served, Version, World};
use crate::disk::Survival;

/// 3, for the delta itself.
pub(super) fn delta(previous: Option<&Snapshot>, version: &engine::Version) {
    let new = version.verified.snapshot();
    let mut made = previous
        .map_or_else(|| danelaw::zone::Contents::new(new.origin().clone()), |old| old.contents().clone());
    version.step.apply(&mut made);
    assert!(
        made.nodes.iter().eq(new.nodes.iter()) && made.nsec3.iter().eq(new.nsec3.iter()),
        "the delta from {previous:?} does not lead to {new:?}"
    );
    assert_eq!((version.step.from, version.step.to), (previous.map(Snapshot::serial), new.serial()));
}

impl World {
    /// Takes what is published in place of what was.
    pub(super) fn publish(&mut self, snapshot: Arc<Snapshot>) {
        self.was_durable(&snapshot);
        let before = self.last_published(&snapshot);
        let served = Arc::new(Served::new(snapshot));
        let zone = served.snapshot.origin().clone();
        if let Some(before) = &before
            && before.snapshot.serial() == served.snapshot.serial()
        {
            assert!(same(&before.snapshot, &served.snapshot), "{zone}: two versions of one serial");
        } else {
            self.is_valid(&served);
            let signatures = self.continues(before.as_deref(), &served);
            let serial = served.snapshot.serial();
            self.versions.push(Version { at: self.now, zone: zone.clone(), serial, signatures });
        }
        self.note_tlsa(before.as_deref(), &served);
        self.history.insert(zone.clone(), Arc::clone(&served));
        self.primary.insert(zone, served);
    }

    fn last_published(&self, snapshot: &Snapshot) -> Option<Arc<Served>> {
        self.history.get(snapshot.origin()).cloned()
    }

    /// 4; in worlds of years, of one version in many.
    fn was_durable(&self, snapshot: &Snapshot) {
        if (self.haunted || self.quick_disk) && !self.versions.len().is_multiple_of(50) {
            return;
        }
        let loaded = Store::open(self.disk.crash(Survival::None)).unwrap().load().unwrap();
        let stored = loaded.zones.iter().find(|zone| zone.snapshot.origin() == snapshot.origin());
        let stored = &stored.expect("published without being durable").snapshot;
        assert!(
            stored.serial() >= snapshot.serial(),
            "{snapshot:?} is published, and {stored:?} is what a crash would leave"
        );
        assert!(stored.serial() != snapshot.serial() || same(stored, snapshot), "another version is durable");
    }

    /// Every signature, and the proofs of absence, as a validator sees them; of many versions, not each.
    fn is_valid(&self, served: &Served) {
        if !self.thorough || self.versions.len() > 20 && !self.versions.len().is_multiple_of(10) {
            return;
        }
        let snapshot = &served.snapshot;
        let policy = &self.config.zones[snapshot.origin()].policy;
        let denial = match (snapshot.denial(), policy.denial) {
            (Denial::None, _) => return,
            (Denial::Nsec, _) => DenialPolicy::Nsec,
            (Denial::Nsec3(_), ConfiguredDenial::Nsec3OptOut) => DenialPolicy::Nsec3OptOut,
            (Denial::Nsec3(_), _) => DenialPolicy::Nsec3,
        };
        let dnskey = snapshot.apex().unwrap().rrset(Rtype::DNSKEY).unwrap();
        let keys: Vec<PublicKey> =
            dnskey.rdatas().map(|rdata| PublicKey::from_rdata(rdata).unwrap()).collect();
        let all = Delta::between(None, snapshot.contents(), None, snapshot.serial());
        let expected = Expected { keys: &keys, hidden: &[], foreign: &[], denial, now: self.told };
        validate(None, Arc::clone(snapshot), &all, &expected).unwrap();
    }

    /// 3 and 5. How many signatures are new.
    fn continues(&self, before: Option<&Served>, after: &Served) -> usize {
        let zone = after.snapshot.origin();
        let Some(before) = before else { return signatures(&after.snapshot).count() };
        let (old, new) = (&before.snapshot, &after.snapshot);
        assert!(new.serial() > old.serial(), "{zone}: serial {} after {}", new.serial(), old.serial());
        assert!(differs(old, new), "{zone}: serial {} brings nothing new", new.serial());
        let policy = &self.config.zones[zone].policy;
        // On the way to unsigned, as long as anybody holds what was signed: no TTL is longer than a week.
        let held = Seconds(u64::from(old.timers().expire)) + DAY * 8;
        let refresh = if policy.signs() { policy.signatures.refresh } else { held };
        let now = self.made[zone];
        let renewed = now.latest + refresh + HOUR;
        let mut made = 0;
        for (node, was) in pairs(old, new) {
            for rrset in node.rrsets() {
                let was = was.and_then(|was| was.rrset(rrset.rtype));
                match was {
                    Some(was) if was.signatures == rrset.signatures => {}
                    Some(was) if was.records == rrset.records && signers(&was) == signers(&rrset) => {
                        made += usize::from(rrset.signature_count);
                        for (begin, end) in lifetimes(now, &was) {
                            assert!(
                                end < renewed || begin > now.shown,
                                "{} {} was signed until {end} and is signed again at {}",
                                node.owner(),
                                rrset.rtype,
                                now.shown
                            );
                        }
                    }
                    _ => made += usize::from(rrset.signature_count),
                }
            }
        }
        made
    }

    /// 2, as far as time alone can break it.
    pub(super) fn check(&self) {
        self.all_served().for_each(|served| self.outlives(served));
    }

    /// 1 and 2, as far as what caches know and what servers present decide it.
    pub(super) fn check_caches(&mut self) {
        self.all_served().for_each(|served| self.keys_are_known(served));
        self.caches_vouch();
        self.haunt();
    }

    /// Whether every signature that danelaw serves has begun, by the true time.
    pub(crate) fn signatures_have_begun(&self) -> bool {
        let served = self.primary.values().flat_map(|served| nodes(&served.snapshot));
        served
            .flat_map(Node::rrsets)
            .all(|rrset| lifetimes(self.now.into(), &rrset).iter().all(|(begin, _)| *begin <= self.now))
    }

    /// What danelaw and its secondaries serve.
    fn all_served(&self) -> impl Iterator<Item = &Arc<Served>> {
        let secondaries = self
            .secondaries
            .iter()
            .flat_map(|secondary| secondary.zones.keys().filter_map(|zone| secondary.serves(zone, self.now)));
        self.primary.values().chain(secondaries)
    }

    /// Notes which TLSA records came and went.
    fn note_tlsa(&mut self, before: Option<&Served>, after: &Served) {
        let records = |served: &Served| -> BTreeSet<Vec<u8>> {
            let rrsets = served.snapshot.nodes.iter().filter_map(|node| node.rrset(Rtype::TLSA));
            rrsets.flat_map(|rrset| rrset.rdatas()).map(<[u8]>::to_vec).collect()
        };
        let (old, new) = (before.map_or_else(BTreeSet::new, records), records(after));
        for came in new.difference(&old) {
            self.tlsa.insert(came.clone(), (self.now, None));
        }
        for went in old.difference(&new) {
            self.tlsa.entry(went.clone()).and_modify(|times| times.1 = Some(self.now));
        }
    }

    fn caches_vouch(&mut self) {
        let mut met = 0;
        for (name, presented) in &self.servers {
            let Some(service) = self.config.services.get(name) else { continue };
            for resolver in &self.resolvers {
                for (owner, rtype, rdatas) in resolver.knows(self.now) {
                    let concerns = rtype == Rtype::TLSA
                        && !rdatas.is_empty()
                        && service.endpoints.iter().any(|endpoint| endpoint.owner() == owner);
                    if !concerns {
                        continue;
                    }
                    let at = service.endpoints.iter().position(|endpoint| endpoint.owner() == owner).unwrap();
                    for certificate in &presented[at] {
                        if rdatas.iter().any(|rdata| certificate.matches(rdata)) {
                            continue;
                        }
                        let allowed = self.outages.get(name).is_some_and(|until| self.now <= *until);
                        assert!(
                            allowed,
                            "{}: {name} presents key {}, and a cache knows only other keys for {owner}",
                            self.now, certificate.number
                        );
                        met += 1;
                    }
                }
            }
        }
        self.mismatches += met;
    }

    /// 2, the first half.
    fn outlives(&self, served: &Served) {
        let Some(soonest) = served.snapshot.soonest() else { return };
        let enough = self.now + Seconds::from(served.largest_ttl);
        if self.may_expire || self.now.nearest_rrsig(soonest) >= enough {
            return;
        }
        for node in nodes(&served.snapshot) {
            for rrset in node.rrsets() {
                for (_, end) in lifetimes(self.now.into(), &rrset) {
                    assert!(
                        end >= self.now + Seconds::from(rrset.ttl()),
                        "{}: serial {} is served with a signature of {} {} until {end}",
                        self.now,
                        served.snapshot.serial(),
                        node.owner(),
                        rrset.rtype
                    );
                }
            }
        }
    }

    /// 2, the second half.
    fn keys_are_known(&self, served: &Served) {
        let zone = served.snapshot.origin();
        for resolver in &self.resolvers {
            for (owner, rtype, rdatas) in resolver.knows(self.now) {
                if rtype != Rtype::DNSKEY || rdatas.is_empty() || owner != zone {
                    continue;
                }
                let known: Vec<u16> = rdatas.iter().map(|rdata| key_tag(rdata)).collect();
                let unknown = served.signers.iter().find(|tag| !known.contains(tag));
                assert_eq!(
                    unknown,
                    None,
                    "{}: serial {} of {zone} is signed by a key that a cache does not know",
                    self.now,
                    served.snapshot.serial()
                );
            }
        }
    }
}

/// Whether both have the same records and signatures.
pub(crate) fn same(one: &Snapshot, other: &Snapshot) -> bool {
    one.serial() == other.serial() && nodes(one).eq(nodes(other))
}

/// Whether anything differs besides the serial and its signature.
fn differs(old: &Snapshot, new: &Snapshot) -> bool {
    let delta = Delta::between(Some(old.contents()), new.contents(), Some(old.serial()), new.serial());
    delta.rrsets().any(|(_, old, new)| match (old, new) {
        (Some(old), Some(new)) if old.rtype == Rtype::SOA => {
            old.ttl() != new.ttl()
                || soa_with_serial(old.first(), Serial(0)) != soa_with_serial(new.first(), Serial(0))
        }
        _ => true,
    })
}

fn nodes(snapshot: &Snapshot) -> impl Iterator<Item = &Node> {
    snapshot.nodes.iter().chain(snapshot.nsec3.iter())
}

/// Each node of `new`, and what it was in `old`.
fn pairs<'s>(old: &'s Snapshot, new: &'s Snapshot) -> impl Iterator<Item = (&'s Node, Option<&'s Node>)> {
    let names = new.nodes.iter().map(|node| (node, old.nodes.get(node.owner())));
    names.chain(new.nsec3.iter().map(|node| (node, old.nsec3.get(node.owner()))))
}

fn signatures(snapshot: &Snapshot) -> impl Iterator<Item = &[u8]> {
    nodes(snapshot).flat_map(Node::rrsets).flat_map(|rrset| rrset.signature_rdatas())
}

/// The keys that signed an RRset.
fn signers(rrset: &RrsetRef<'_>) -> Vec<(u8, u16)> {
    let fields = rrset.signature_rdatas().map(|rdata| Fields::from_rdata(rdata).unwrap().0);
    fields.map(|fields| (fields.algorithm, fields.key_tag)).collect()
}

/// When the signatures of an RRset begin and expire.
fn lifetimes(now: Now, rrset: &RrsetRef<'_>) -> Vec<(Timestamp, Timestamp)> {
    let fields = rrset.signature_rdatas().map(|rdata| Fields::from_rdata(rdata).unwrap().0);
    let times = fields.map(|fields| {
        (now.shown.nearest_rrsig(fields.inception), now.latest.nearest_rrsig(fields.expiration))
    });
    times.collect()
}
