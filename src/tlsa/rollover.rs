//! Which associations a service publishes, which of them may be deployed, and which may go.
//!
//! Every certificate and every key that is tracked contributes a record for *every* parameter set in force, so that a
//! client which prefers one of them never finds it stale (RFC 7671 §8). What may come next is published at once; it
//! is ready when every nameserver has been seen to serve it and caches have had twice the TTL since then (§8.1). What
//! the service presents counts for more than what the files say: it is published whatever they say, and never
//! dropped before two TTLs have passed since it was last seen. A file that cannot be read is not told here at all:
//! what it last held stays.
//!
//! Knows nothing of files, zones, sockets or validation: those who look tell what they saw. Time is an argument.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::association::{Association, AssociationError};
use super::material::{Kind, Material};
use super::params::Params;
use crate::dns::time::{DAY, HOUR, MINUTE, Seconds, Timestamp, Ttl};

mod entries;
pub mod gate;
mod judge;
mod propagation;
pub mod record;
mod standing;
mod tracked;

pub use propagation::{Lack, Place};
pub use standing::{Entry, Role, Source, Standing, Why};

use propagation::{Extent, Propagation};
use tracked::{Next, Tracked, records};

/// Above this many records at an owner some large senders fail to look TLSA up; worth a warning.
pub const MANY_RECORDS: usize = 12;

/// How long a next key that was replaced before it was deployed stays vouched for, at least.
///
/// acme.sh and dehydrated move the published next key into the order and make another next key
/// before the order completes; the certificate for the key that vanished arrives hours later.
pub const ORPHAN_KEEP: Seconds = DAY;

/// How long a key stays published because somebody asked the gate for it.
pub const ASKED_KEEP: Seconds = Seconds(2 * DAY.0);

/// How many keys are published at once only because the service presents them. A server that shows another key to each
/// client has none that could be vouched for.
pub const MAX_HEALED: usize = 8;

/// How long an outage is told of that was over when it was seen.
pub const TELL_LATE: Seconds = DAY;

/// How often danelaw looks whether it is awake while somebody's grace runs.
const BEAT: Seconds = MINUTE;

/// The slot of keys that a service presents and no file holds.
const PRESENTED: &str = "presented by the service";
/// The slot of keys that the gate was asked for and no file holds.
const ASKED: &str = "asked for at the gate";

/// What a step did.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[must_use]
pub enum Changed {
    /// Nothing.
    Nothing,
    /// Something to be stored; the records are the same.
    State,
    /// The records.
    Records,
}

/// Why a sighting is not taken; everything stays as it was.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ObserveError {
    /// A key alone is never deployed: acme.sh and dehydrated change key files before the order completes.
    #[error("no certificate found, only a {0}")]
    NoCertificate(Kind),
    /// A record that the service is to have cannot be made.
    #[error(transparent)]
    Association(#[from] AssociationError),
}

/// What the configuration says of a service.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Settings {
    /// How each certificate is vouched for.
    pub params: Vec<Params>,
    /// The files that it has.
    pub sources: Vec<Source>,
    /// The TTL of its records.
    pub ttl: Ttl,
    /// Where nobody looks at the service: how long after it was ready a certificate file is taken to be in use.
    pub grace: Seconds,
}

/// Whom there is to look at.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Outside {
    /// Each nameserver, for each owner.
    pub places: BTreeSet<Place>,
    /// Each address of each endpoint.
    pub visits: BTreeSet<Arc<str>>,
    /// The largest negative TTL of the zones (RFC 2308 §5).
    pub negative: Ttl,
}

/// The rollover state of one service.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Rollover {
    /// Sorted, without duplicates.
    params: Vec<Params>,
    /// Parameters that the configuration dropped, each until it may go.
    retiring: Vec<(Params, Timestamp)>,
    sources: Vec<Source>,
    ttl: Ttl,
    grace: Seconds,
    negative: Ttl,
    /// TTLs that caches may still hold records under, each until it no longer counts.
    former_ttls: Vec<(Ttl, Timestamp)>,
    /// The latest time seen: when the clock steps backwards, time stands still until it catches up.
    clock: Timestamp,
    /// Since when the gate could be asked all the time, as far as somebody's grace is concerned.
    answering: Timestamp,
    /// Every slot has had a certificate. Before that a client might meet one without a record.
    complete: bool,
    propagation: Propagation,
    visits: BTreeMap<Arc<str>, Visit>,
    tracked: Vec<Tracked>,
}

/// What an endpoint presents.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Shown {
    /// Its certificates.
    pub material: Material,
    /// It is presented to clients that go by DANE; what is not is published no less, but no more either.
    pub by_name: bool,
}

/// What is known of one address of an endpoint.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Visit {
    /// Nobody has looked yet.
    Unlooked,
    /// It could not be looked at, ever.
    Failing,
    /// It has been looked at, at this time or up to an hour later; what it presented counts until the next look that
    /// succeeds.
    Looked(Timestamp),
}

impl Rollover {
    /// A service that has published nothing yet.
    pub fn new(settings: &Settings) -> Self {
        Self {
            params: sorted(&settings.params),
            retiring: Vec::new(),
            sources: settings.sources.clone(),
            ttl: settings.ttl,
            grace: settings.grace,
            negative: Ttl(0),
            former_ttls: Vec::new(),
            clock: Timestamp::default(),
            answering: Timestamp::default(),
            complete: false,
            propagation: Propagation::default(),
            visits: BTreeMap::new(),
            tracked: Vec::new(),
        }
    }

    /// Whether these are records of the same owners, or, where nobody knows their owners, of the same files: a service
    /// whose name has changed.
    pub fn is_of(&self, owners: &BTreeSet<String>, sources: &[Source]) -> bool {
        let mut places = self.places().peekable();
        if places.peek().is_none() {
            return self.sources.iter().any(|source| sources.contains(source));
        }
        places.any(|place| owners.contains(&*place.owner))
    }

    /// The configuration changed, or may have.
    ///
    /// New parameters are published at once, beside the old ones for two TTLs. What a file that is
    /// no longer named held is published for two TTLs more. Parameters under which a certificate in
    /// use cannot give a record are refused: those before stay, and the rest of the settings is taken.
    pub fn configure(
        &mut self,
        now: Timestamp,
        settings: &Settings,
    ) -> (Changed, Result<(), AssociationError>) {
        let params = sorted(&settings.params);
        let mut current = self.tracked.iter().filter(|tracked| tracked.current);
        let outcome = current.try_for_each(|tracked| associations(&params, &tracked.material).map(drop));
        let params = if outcome.is_ok() { params } else { self.params.clone() };
        let changed = self.step(now, |this| {
            this.grace = settings.grace;
            if settings.ttl != this.ttl {
                this.note_ttl(this.ttl);
                this.ttl = settings.ttl;
            }
            if params != this.params {
                let until = this.clock + this.hold();
                let dropped = this.params.iter().filter(|old| !params.contains(old));
                this.retiring.extend(dropped.map(|&old| (old, until)));
                this.retiring.retain(|(old, _)| !params.contains(old));
                this.params = params;
                for tracked in &mut this.tracked {
                    tracked.served = None;
                }
            }
            if settings.sources != this.sources {
                this.sources.clone_from(&settings.sources);
                let (clock, hold) = (this.clock, this.hold());
                for tracked in &mut this.tracked {
                    let names = |role| {
                        settings
                            .sources
                            .iter()
                            .any(|source| source.slot == tracked.slot && source.role == role)
                    };
                    let gone = tracked.current && !names(Role::Current)
                        || tracked.next != Next::No && !names(Role::Next);
                    if gone {
                        tracked.current &= names(Role::Current);
                        if !names(Role::Next) {
                            tracked.next = Next::No;
                        }
                        if !tracked.is_held() {
                            tracked.leaves(clock, Why::NotConfigured, hold);
                        }
                    }
                }
            }
        });
        (changed, outcome)
    }

    /// Whom there is to look at, from now on. What was seen where nobody looks any more does not count; but caches were
    /// filled from there until now.
    pub fn look_at(&mut self, now: Timestamp, outside: &Outside) -> Changed {
        let same = self.propagation.places.keys().eq(outside.places.iter())
            && self.visits.keys().eq(outside.visits.iter())
            && self.negative == outside.negative;
        if same {
            return Changed::Nothing;
        }
        self.step(now, |this| {
            let gone = this.propagation.configure(&outside.places);
            this.outlast(&gone);
            this.negative = outside.negative;
            let mut old = std::mem::take(&mut this.visits);
            let state =
                |visit: &Arc<str>, old: &mut BTreeMap<_, _>| old.remove(visit).unwrap_or(Visit::Unlooked);
            this.visits =
                outside.visits.iter().map(|visit| (visit.clone(), state(visit, &mut old))).collect();
            for tracked in &mut this.tracked {
                tracked.at.retain(|visit| outside.visits.contains(visit));
            }
        })
    }

    /// A file was read and holds `material`.
    ///
    /// A source that is not configured (any more) changes nothing.
    pub fn observe(
        &mut self,
        now: Timestamp,
        source: &Source,
        material: Material,
    ) -> Result<Changed, ObserveError> {
        if !self.sources.contains(source) {
            return Ok(Changed::Nothing);
        }
        match source.role {
            Role::Current if !material.is_deployable() => {
                return Err(ObserveError::NoCertificate(material.kind()));
            }
            Role::Current => {
                associations(&self.params, &material)?;
            }
            Role::Next => self.can_announce(&material)?,
        }
        Ok(self.step(now, |this| match source.role {
            Role::Current => this.deploy(&source.slot, material),
            Role::Next => this.announce(&source.slot, material),
        }))
    }

    /// The file of a next key is gone. What it held stays vouched for: it may have been moved to
    /// where the service will use it.
    pub fn next_is_gone(&mut self, now: Timestamp, slot: &str) -> Changed {
        self.step(now, |this| {
            for tracked in this.tracked.iter_mut().filter(|each| &*each.slot == slot) {
                if tracked.next == Next::Here {
                    tracked.next = Next::Gone;
                }
            }
        })
    }

    /// A nameserver was seen to serve these records, with this TTL if it has any.
    pub fn saw(
        &mut self,
        now: Timestamp,
        place: &Place,
        served: &[Association],
        ttl: Option<Ttl>,
    ) -> Changed {
        self.step(now, |this| {
            let wanted = this.all_records();
            let before = this.propagation.saw(this.clock, place, &wanted, served, ttl);
            // A secondary that lags fills caches with what was served before, to the moment at which it does no more.
            let now = this.ttl;
            for ttl in [before, ttl].into_iter().flatten().filter(|&ttl| ttl > now) {
                this.note_ttl(ttl);
            }
        })
    }

    /// A nameserver could not be looked at.
    pub fn missed(&mut self, now: Timestamp, place: &Place, error: &str) -> Changed {
        self.step(now, |this| this.propagation.missed(this.clock, place, error))
    }

    /// An endpoint was seen to present these, the last look before that having been at `before`.
    ///
    /// What was not published is published at once.
    pub fn presented(
        &mut self,
        now: Timestamp,
        visit: &Arc<str>,
        shown: Vec<Shown>,
        before: Option<Timestamp>,
    ) -> Changed {
        if !self.visits.contains_key(visit) {
            return Changed::Nothing;
        }
        self.step(now, |this| {
            let last = match this.visits.get(visit) {
                Some(&Visit::Looked(at)) => Some(at),
                _ => None,
            };
            // To be stored now and then, not at every look.
            let at = last.filter(|&at| at + HOUR > this.clock).unwrap_or(this.clock);
            this.visits.insert(visit.clone(), Visit::Looked(at));
            let before = before.or(last);
            let params = this.all_params();
            let mut here = BTreeSet::new();
            for Shown { material, by_name } in shown {
                let at = this.tracked.iter().position(|each| each.is(&material, &params));
                let at = match at {
                    Some(at) => {
                        // What it lacks of its issuers is nothing to publish: the file may have them.
                        if this.tracked[at].material.leaf().is_none() {
                            this.tracked[at].learn(material, &params);
                        }
                        at
                    }
                    None if !by_name || records(&material, &this.params).is_empty() => continue,
                    None if this.is_crowded() => continue,
                    None => {
                        let mut healed = Tracked::new(this.clock, PRESENTED.into(), material, Why::Healed);
                        healed.healed = this.complete;
                        this.tracked.push(healed);
                        this.tracked.len() - 1
                    }
                };
                here.insert(at);
            }
            let clock = this.clock;
            let known: Vec<_> = this.tracked.iter().map(|each| this.known_at(each)).collect();
            for ((at, tracked), known) in this.tracked.iter_mut().enumerate().zip(known) {
                if !here.contains(&at) {
                    tracked.at.remove(visit);
                } else if tracked.at.insert(visit.clone()) && tracked.at.len() == 1 {
                    let from = before.unwrap_or(clock).min(clock);
                    tracked.exposed = Some(from);
                    // Nobody could look while it was in use and some caches lacked it.
                    if known.is_some_and(|known| from < known && known <= clock) && !tracked.first {
                        tracked.seen_late = Some(clock);
                    }
                }
            }
        })
    }

    /// Whether the service presents, or presented of late, so many keys that no file holds that no more are taken.
    pub fn is_crowded(&self) -> bool {
        let healed = self.tracked.iter().filter(|each| &*each.slot == PRESENTED && !each.is_held());
        healed.count() >= MAX_HEALED
    }

    /// An endpoint could not be looked at. What it presented before counts, if it ever did.
    pub fn hidden(&mut self, now: Timestamp, visit: &Arc<str>) -> Changed {
        if self.visits.get(visit) != Some(&Visit::Unlooked) {
            return Changed::Nothing;
        }
        self.step(now, |this| {
            this.visits.insert(visit.clone(), Visit::Failing);
        })
    }

    /// Somebody asks the gate for a key: it is published if it was not, and kept for a while; nameservers in `except`
    /// are not waited for.
    pub fn ask(
        &mut self,
        now: Timestamp,
        material: Material,
        except: &BTreeSet<Arc<str>>,
    ) -> Result<Changed, AssociationError> {
        self.can_announce(&material)?;
        Ok(self.step(now, |this| {
            let params = this.all_params();
            let until = this.clock + ASKED_KEEP;
            let at = this.tracked.iter().position(|each| each.is(&material, &params)).unwrap_or_else(|| {
                this.tracked.push(Tracked::new(this.clock, ASKED.into(), material, Why::AskedAtGate));
                this.tracked.len() - 1
            });
            let tracked = &mut this.tracked[at];
            // Asked for again and again while somebody waits: stored now and then only.
            let lasts = |asked: Timestamp| asked + DAY > until;
            if !tracked.current
                && tracked.next == Next::No
                && !tracked.live
                && !tracked.asked.is_some_and(lasts)
            {
                tracked.asked = Some(until);
            }
            tracked.except.extend(except.iter().cloned());
        }))
    }

    /// The nameservers that are waited for, unless somebody said otherwise, once for each owner.
    pub fn places(&self) -> impl Iterator<Item = &Place> {
        self.propagation.places.keys()
    }

    /// Nobody waits for these nameservers any more, for the keys that are to be deployed.
    pub fn leave_out(&mut self, now: Timestamp, except: &BTreeSet<Arc<str>>) -> Changed {
        self.step(now, |this| {
            for tracked in this.tracked.iter_mut().filter(|each| each.is_held() && !each.live) {
                tracked.except.extend(except.iter().cloned());
            }
        })
    }

    /// The keys in use are in other hands: each goes as soon as another one is live in its place.
    pub fn compromise(&mut self, now: Timestamp) -> Changed {
        self.step(now, |this| {
            for tracked in this.tracked.iter_mut().filter(|each| each.live || each.fielded) {
                // What is in the file and not presented yet is what replaces them.
                tracked.compromised |= tracked.live || !tracked.current;
            }
        })
    }

    /// Drops what is due. Nothing else drops anything, so that the caller can hold it back.
    pub fn tick(&mut self, now: Timestamp) -> Changed {
        let now = now.max(self.clock);
        if self.next_deadline().is_none_or(|at| at > now) {
            return Changed::Nothing;
        }
        self.step(now, Self::drop_what_is_due)
    }

    /// Everything that is to be published is served from now on, after it was not since `pending`. Waits are for
    /// caches, and those fill from what is served: none that began meanwhile ends sooner than counted from here.
    pub fn is_served(&mut self, now: Timestamp, pending: Option<Timestamp>) -> Changed {
        if pending.is_none() && self.tracked.iter().all(|each| each.served.is_some()) {
            return Changed::Nothing;
        }
        self.step(now, |this| {
            let (clock, hold) = (this.clock, this.hold());
            for tracked in &mut this.tracked {
                tracked.served.get_or_insert(clock);
            }
            let Some(since) = pending else { return };
            let drops = this.tracked.iter_mut().filter_map(|each| each.until.as_mut());
            for until in drops.chain(this.retiring.iter_mut().map(|(_, until)| until)) {
                if *until >= since + hold {
                    *until = (*until).max(clock + hold);
                }
            }
            for (ttl, until) in &mut this.former_ttls {
                let wait = Seconds::from(*ttl) * 2;
                if *until >= since + wait {
                    *until = (*until).max(clock + wait);
                }
            }
        })
    }

    /// The latest time that it was told.
    pub fn clock(&self) -> Timestamp {
        self.clock
    }

    /// The clock was set ahead without time having passed: no wait becomes shorter by that.
    pub fn clock_was_set_ahead(&mut self, by: Seconds) {
        self.clock = self.clock + by;
        self.answering = self.answering + by;
        self.propagation.postpone(by);
        for tracked in &mut self.tracked {
            for time in [
                &mut tracked.served,
                &mut tracked.until,
                &mut tracked.asked,
                &mut tracked.placed,
                &mut tracked.known_by,
            ]
            .into_iter()
            .flatten()
            {
                *time = *time + by;
            }
        }
        let bounds = self.retiring.iter_mut().map(|(_, until)| until);
        for until in bounds.chain(self.former_ttls.iter_mut().map(|(_, until)| until)) {
            *until = *until + by;
        }
        self.judge();
    }

    /// When [`tick`](Self::tick) has something to do.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        let may_drop = self.may_drop();
        let of_tracked = self.tracked.iter().flat_map(|each| {
            let stands = match each.standing {
                Standing::Draining { until } => until.filter(|_| may_drop),
                Standing::Orphaned { until } => Some(until).filter(|_| may_drop),
                Standing::Withdrawn => each.until.filter(|_| may_drop && each.is_forgotten()),
                Standing::Announced { until } => until,
                Standing::Live if !each.known => self.known_at(each),
                Standing::Ready | Standing::Live => None,
            };
            let told = each.seen_late.map(|seen| seen + TELL_LATE);
            [stands, each.asked, told, self.taken_for_live_at(each)]
        });
        let retiring = self.retiring.iter().map(|&(_, until)| until);
        of_tracked.flatten().chain(retiring).chain(self.beat()).min()
    }

    /// The slots whose certificate has not been read yet.
    pub fn missing(&self) -> impl Iterator<Item = &Source> {
        self.sources
            .iter()
            .filter(|source| source.role == Role::Current && self.current(&source.slot).is_none())
    }

    /// What a slot's certificate file last held.
    pub fn current(&self, slot: &str) -> Option<&Material> {
        let current = self.tracked.iter().find(|each| &*each.slot == slot && each.current);
        current.map(|tracked| &tracked.material)
    }

    /// What a slot's file for the next key holds, and how that stands.
    pub fn next(&self, slot: &str) -> Option<(&Material, Standing, Timestamp)> {
        let next = self.tracked.iter().find(|each| &*each.slot == slot && each.next == Next::Here);
        next.map(|tracked| (&tracked.material, tracked.standing, tracked.since))
    }

    /// What the service presents, or is taken to.
    pub fn live(&self) -> impl Iterator<Item = &Material> {
        self.tracked.iter().filter(|each| each.live).map(|each| &each.material)
    }

    /// Whether nobody sees what the service presents, so that the certificate file is taken for it.
    pub fn is_blind(&self) -> bool {
        self.visits.values().all(|&visit| !matches!(visit, Visit::Looked(_)))
    }

    /// The largest TTL under which a cache may hold the records.
    pub fn largest_ttl(&self) -> Seconds {
        let former = self.former_ttls.iter().filter(|&&(_, until)| until > self.clock).map(|&(ttl, _)| ttl);
        Seconds::from(former.chain(self.propagation.largest_ttl()).fold(self.ttl, Ttl::max))
    }

    /// How long caches have, from when a record is served everywhere (RFC 7671 §8.1).
    pub fn hold(&self) -> Seconds {
        self.largest_ttl() * 2
    }

    /// Caches may hold records under this TTL.
    fn note_ttl(&mut self, ttl: Ttl) {
        let counts = self.clock + Seconds::from(ttl) * 2;
        self.former_ttls.retain(|&(former, _)| former != ttl);
        self.former_ttls.push((ttl, counts));
    }

    /// Nameservers that served this are asked no more: a cache may have asked one of them just before.
    fn outlast(&mut self, gone: &Propagation) {
        let now = self.ttl;
        for ttl in gone.places.values().filter_map(|seen| seen.ttl).filter(|&ttl| ttl > now) {
            self.note_ttl(ttl);
        }
        for tracked in &mut self.tracked {
            let Some(served) = tracked.served else { continue };
            tracked.served = match gone.extent(&tracked.records(&self.params), served, &tracked.except) {
                Extent::Everywhere(since) => Some(since),
                Extent::Lacking(_) => Some(self.clock),
            };
        }
    }

    /// Whether anything may be dropped: not while a certificate file has yet to be read, lest nothing be left, nor
    /// while an endpoint has yet to be looked at.
    fn may_drop(&self) -> bool {
        self.missing().next().is_none() && self.visits.values().all(|&visit| visit != Visit::Unlooked)
    }

    fn all_params(&self) -> Vec<Params> {
        self.params.iter().copied().chain(self.retiring.iter().map(|&(params, _)| params)).collect()
    }

    fn all_records(&self) -> Vec<Association> {
        let params = self.all_params();
        self.tracked.iter().flat_map(|each| each.records(&params)).collect()
    }

    /// A key cannot give what is made of certificates; it gives what it can.
    fn can_announce(&self, material: &Material) -> Result<(), AssociationError> {
        let mut made = self.params.iter().map(|&params| Association::new(params, material));
        match made.next() {
            Some(Err(error)) if !made.any(|made| made.is_ok()) => Err(error),
            _ => Ok(()),
        }
    }

    /// One transition: `change`, and what follows from it.
    fn step(&mut self, now: Timestamp, change: impl FnOnce(&mut Self)) -> Changed {
        let mut before = self.clone();
        if self.beat().is_some_and(|beat| now > beat + BEAT) {
            self.answering = now;
        }
        self.clock = self.clock.max(now);
        before.clock = self.clock;
        change(self);
        self.see_what_is_live();
        self.forget_what_live_ones_vouch_for();
        if !self.complete && !self.sources.is_empty() && self.missing().next().is_none() {
            self.complete = true;
            for tracked in self.tracked.iter_mut().filter(|each| each.current) {
                (tracked.first, tracked.known) = (true, true);
            }
        }
        self.judge();
        if self.published() != before.published() {
            Changed::Records
        } else if *self != before {
            Changed::State
        } else {
            Changed::Nothing
        }
    }

    /// The certificate file of `slot` holds `material`.
    fn deploy(&mut self, slot: &Arc<str>, material: Material) {
        let (clock, hold, params) = (self.clock, self.hold(), self.all_params());
        if let Some(current) = self.tracked.iter_mut().find(|each| each.slot == *slot && each.current) {
            if current.is(&material, &params) {
                return current.learn(material, &params);
            }
            current.current = false;
            if !current.is_held() {
                current.leaves(clock, Why::CertificateReplaced, hold);
            }
        }
        let tracked = self.find_or_track(slot, material, &params, Why::NotPresentedYet);
        tracked.placed = Some(clock);
        (tracked.current, tracked.fielded, tracked.asked) = (true, true, None);
    }

    /// The file of the next key of `slot` holds `material`.
    fn announce(&mut self, slot: &Arc<str>, material: Material) {
        let (clock, hold, params) = (self.clock, self.hold(), self.all_params());
        if let Some(next) = self.tracked.iter_mut().find(|each| each.slot == *slot && each.next != Next::No) {
            if next.is(&material, &params) {
                next.next = Next::Here;
                return next.learn(material, &params);
            }
            next.next = Next::No;
            if !next.is_held() {
                let keep = if next.fielded { hold } else { hold.max(ORPHAN_KEEP) };
                next.leaves(clock, Why::NextReplaced, keep);
            }
        }
        self.find_or_track(slot, material, &params, Why::InNextFile).next = Next::Here;
    }

    /// The one that makes the same records, in this slot or in none, or a new one.
    fn find_or_track(
        &mut self,
        slot: &Arc<str>,
        material: Material,
        params: &[Params],
        why: Why,
    ) -> &mut Tracked {
        let has_file = |slot: &Arc<str>| self.sources.iter().any(|source| source.slot == *slot);
        let at = self
            .tracked
            .iter()
            .position(|each| (each.slot == *slot || !has_file(&each.slot)) && each.is(&material, params));
        let at = if let Some(at) = at {
            self.tracked[at].slot = slot.clone();
            self.tracked[at].learn(material, params);
            at
        } else {
            self.tracked.push(Tracked::new(self.clock, slot.clone(), material, why));
            self.tracked.len() - 1
        };
        &mut self.tracked[at]
    }
}

/// Every association of `params`, or the first that cannot be made.
fn associations(params: &[Params], material: &Material) -> Result<Vec<Association>, AssociationError> {
    params.iter().map(|&params| Association::new(params, material)).collect()
}

fn sorted(params: &[Params]) -> Vec<Params> {
    let mut params = params.to_vec();
    params.sort_unstable();
    params.dedup();
    params
}

#[cfg(test)]
mod tests;
