//! Which associations a service publishes, and until when.
//!
//! Every certificate and every next key that is tracked contributes a record for *every* parameter
//! set in force, so that a client which prefers one of them never finds it stale (RFC 7671 §8).
//! A record that caches may rely on is never dropped before two TTLs have passed (RFC 7671 §8.1).
//! A file that cannot be read is not told here at all: what it last held stays.
//!
//! Knows nothing of files, zones, owner names or the live service; time is an argument.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use super::association::{Association, AssociationError};
use super::material::{Kind, Material};
use super::params::Params;
use crate::dns::time::{DAY, Seconds, Timestamp, Ttl};

pub mod record;

/// Above this many records at an owner some large senders fail to look TLSA up; worth a warning.
pub const MANY_RECORDS: usize = 12;

/// How long a next key that was replaced before it was deployed stays vouched for, at least.
///
/// acme.sh and dehydrated move the published next key into the order and make another next key
/// before the order completes; the certificate for the key that vanished arrives hours later.
pub const ORPHAN_KEEP: Seconds = DAY;

/// Why a certificate or key is published, and how that ends.
///
/// ```text
///            next file                current file                 other certificate
///   (none) ────────────▶ Announced ────────────────▶ Live ◀──────────────────────────▶ Draining ──2 × TTL──▶ (none)
///                            │                        ▲                the same again
///                            └─other next─▶ Orphaned ─┘ current file
///                                               └──2 × TTL, a day at least──▶ (none)
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Standing {
    /// Replaced as next key before it was deployed; its certificate may be on its way.
    Orphaned {
        /// When it is dropped.
        until: Timestamp,
    },
    /// No longer in the files; the service may still present it, caches may still lack its successor.
    Draining {
        /// When it is dropped.
        until: Timestamp,
    },
    /// To be deployed next.
    Announced {
        /// Its file is gone since, and nothing has taken its place.
        gone: bool,
    },
    /// In the certificate file: what the service presents once it has reloaded.
    Live,
}

/// What brought an entry where it stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Why {
    /// It is in the certificate file.
    InCertificateFile,
    /// It is in the file of the next key.
    InNextFile,
    /// The certificate file holds another one now.
    CertificateReplaced,
    /// The file of the next key holds another one now.
    NextReplaced,
    /// The configuration no longer names its file.
    NotConfigured,
    /// The configuration no longer names its parameters.
    ParamsRetired,
}

/// Which of a service's files something was read from.
///
/// A service has one slot for each certificate (RSA beside ECDSA), and each may have a next one.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Source {
    /// The slot's name; any text that stays the same, such as the configured path of its certificate.
    pub slot: Arc<str>,
    /// Which of the slot's two files.
    pub role: Role,
}

/// What a file is for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Role {
    /// The certificate that the service presents.
    Current,
    /// What it will present next: certificate, key or request.
    Next,
}

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

/// One published association, for people.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entry {
    /// The record.
    pub association: Association,
    /// Its slot.
    pub slot: Arc<str>,
    /// How it stands.
    pub standing: Standing,
    /// Since when it stands so.
    pub since: Timestamp,
    /// Because of what.
    pub why: Why,
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
    /// TTLs that caches may still hold records under, each until it no longer counts.
    former_ttls: Vec<(Ttl, Timestamp)>,
    /// The latest time seen: when the clock steps backwards, time stands still until it catches up.
    clock: Timestamp,
    /// Every slot has had a certificate. Before that a client might meet one without a record.
    complete: bool,
    tracked: Vec<Tracked>,
}

/// One certificate or key, and how it stands.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Tracked {
    slot: Arc<str>,
    material: Material,
    standing: Standing,
    since: Timestamp,
    why: Why,
}

impl Rollover {
    /// A service that has published nothing yet.
    pub fn new(params: &[Params], ttl: Ttl, sources: &[Source]) -> Self {
        Self {
            params: sorted(params),
            retiring: Vec::new(),
            sources: sources.to_vec(),
            ttl,
            former_ttls: Vec::new(),
            clock: Timestamp::default(),
            complete: false,
            tracked: Vec::new(),
        }
    }

    /// The configuration changed, or may have.
    ///
    /// New parameters are published at once, beside the old ones for two TTLs. What a file that is
    /// no longer named held is published for two TTLs more. Refused, with nothing changed, when a
    /// live certificate cannot give a new record.
    pub fn configure(
        &mut self,
        now: Timestamp,
        params: &[Params],
        ttl: Ttl,
        sources: &[Source],
    ) -> Result<Changed, AssociationError> {
        let params = sorted(params);
        for tracked in self.tracked.iter().filter(|tracked| tracked.standing == Standing::Live) {
            associations(&params, &tracked.material)?;
        }
        Ok(self.step(now, |this| {
            let mut changed = false;
            if ttl != this.ttl {
                let counts = this.clock + Seconds::from(this.ttl) * 2;
                this.former_ttls.push((this.ttl, counts));
                this.ttl = ttl;
                changed = true;
            }
            if params != this.params {
                let until = this.clock + this.hold();
                let dropped = this.params.iter().filter(|old| !params.contains(old));
                this.retiring.extend(dropped.map(|&old| (old, until)));
                this.retiring.retain(|(old, _)| !params.contains(old));
                this.params = params;
                changed = true;
            }
            if sources != this.sources {
                this.sources = sources.to_vec();
                let until = this.clock + this.hold();
                for tracked in &mut this.tracked {
                    if !tracked.role().is_none_or(|role| tracked.is_from(role, sources)) {
                        tracked.now_stands(this.clock, Standing::Draining { until }, Why::NotConfigured);
                    }
                }
                changed = true;
            }
            changed
        }))
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
            Role::Current if material.leaf().is_none() => {
                return Err(ObserveError::NoCertificate(material.kind()));
            }
            Role::Current => {
                associations(&self.params, &material)?;
            }
            // A key cannot give what is made of certificates; it gives what it can.
            Role::Next => {
                let mut made = self.params.iter().map(|&params| Association::new(params, &material));
                if let Some(Err(error)) = made.next()
                    && !made.any(|made| made.is_ok())
                {
                    return Err(error.into());
                }
            }
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
            let standing = Standing::Announced { gone: false };
            match this.tracked.iter_mut().find(|each| &*each.slot == slot && each.standing == standing) {
                Some(announced) => {
                    announced.standing = Standing::Announced { gone: true };
                    true
                }
                None => false,
            }
        })
    }

    /// Drops what is due. Nothing else drops anything, so that the caller can hold it back.
    pub fn tick(&mut self, now: Timestamp) -> Changed {
        self.step(now, Self::drop_what_is_due)
    }

    /// What changed was published this much later than it was observed. Waits are for caches, and those fill from
    /// what is published: each becomes that much longer.
    pub fn postpone(&mut self, delay: Seconds) {
        for tracked in &mut self.tracked {
            if let Standing::Orphaned { until } | Standing::Draining { until } = &mut tracked.standing {
                *until = *until + delay;
            }
        }
        let bounds = self.retiring.iter_mut().map(|(_, until)| until);
        for until in bounds.chain(self.former_ttls.iter_mut().map(|(_, until)| until)) {
            *until = *until + delay;
        }
    }

    /// The records to publish, in canonical order, without duplicates.
    ///
    /// None until every slot has had a certificate; never none again after that.
    pub fn published(&self) -> Vec<Association> {
        self.entries().into_iter().map(|entry| entry.association).collect()
    }

    /// Every published record and how it stands; of several reasons for one record, the strongest.
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

    /// When [`tick`](Self::tick) has something to do.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        let drops = self.tracked.iter().filter_map(|tracked| tracked.standing.until());
        let drops = drops.filter(|_| self.may_drop());
        drops.chain(self.retiring.iter().map(|&(_, until)| until)).min()
    }

    /// The slots whose certificate has not been read yet.
    pub fn missing(&self) -> impl Iterator<Item = &Source> {
        self.sources.iter().filter(|source| source.role == Role::Current && self.live(&source.slot).is_none())
    }

    /// The records that next keys cannot give, being no certificates: they will be published when
    /// the certificate is, and caches will lack them for up to two TTLs.
    pub fn gaps(&self) -> impl Iterator<Item = (&Arc<str>, AssociationError)> {
        let announced =
            self.tracked.iter().filter(|each| matches!(each.standing, Standing::Announced { .. }));
        announced.flat_map(|each| {
            let failures =
                self.params.iter().filter_map(|&params| Association::new(params, &each.material).err());
            failures.map(|error| (&each.slot, error))
        })
    }

    /// What a slot's certificate file last held.
    pub fn live(&self, slot: &str) -> Option<&Material> {
        let live = self.tracked.iter().find(|each| &*each.slot == slot && each.standing == Standing::Live);
        live.map(|tracked| &tracked.material)
    }

    /// How long a record has to stay after its successor is published: twice the largest TTL under
    /// which a cache may hold the records (RFC 7671 §8.1).
    fn hold(&self) -> Seconds {
        let former = self.former_ttls.iter().filter(|&&(_, until)| until > self.clock).map(|&(ttl, _)| ttl);
        Seconds::from(former.fold(self.ttl, Ttl::max)) * 2
    }

    /// Whether anything may be dropped: not while a certificate file has yet to be read, lest
    /// nothing be left.
    fn may_drop(&self) -> bool {
        self.missing().next().is_none()
    }

    /// One transition: `change`, and what follows from it.
    fn step(&mut self, now: Timestamp, change: impl FnOnce(&mut Self) -> bool) -> Changed {
        let before = self.published();
        self.clock = self.clock.max(now);
        let mut changed = change(self);
        changed |= self.drop_what_live_ones_vouch_for();
        if !self.complete && !self.sources.is_empty() && self.may_drop() {
            self.complete = true;
        }
        match (changed, self.published() != before) {
            (_, true) => Changed::Records,
            (true, false) => Changed::State,
            (false, false) => Changed::Nothing,
        }
    }

    /// The certificate file of `slot` holds `material`.
    fn deploy(&mut self, slot: &Arc<str>, material: Material) -> bool {
        let (clock, until) = (self.clock, self.clock + self.hold());
        let makes = self.records(&material);
        let live = self.tracked.iter().position(|each| each.slot == *slot && each.standing == Standing::Live);
        if let Some(at) = live {
            if self.tracked[at].material == material {
                return false;
            }
            if self.records(&self.tracked[at].material) == makes {
                self.tracked[at].material = material;
                return true;
            }
            self.tracked[at].now_stands(clock, Standing::Draining { until }, Why::CertificateReplaced);
        }
        self.track(slot, material, Standing::Live, Why::InCertificateFile);
        true
    }

    /// The file of the next key of `slot` holds `material`.
    fn announce(&mut self, slot: &Arc<str>, material: Material) -> bool {
        let (clock, until) = (self.clock, self.clock + self.hold().max(ORPHAN_KEEP));
        let standing = Standing::Announced { gone: false };
        let makes = self.records(&material);
        let announced = self
            .tracked
            .iter()
            .position(|each| each.slot == *slot && matches!(each.standing, Standing::Announced { .. }));
        if let Some(at) = announced {
            if self.records(&self.tracked[at].material) == makes {
                let same = self.tracked[at].material == material && self.tracked[at].standing == standing;
                self.tracked[at].material = material;
                self.tracked[at].standing = standing;
                return !same;
            }
            self.tracked[at].now_stands(clock, Standing::Orphaned { until }, Why::NextReplaced);
        }
        self.track(slot, material, standing, Why::InNextFile);
        true
    }

    fn track(&mut self, slot: &Arc<str>, material: Material, standing: Standing, why: Why) {
        self.tracked.push(Tracked { slot: slot.clone(), material, standing, since: self.clock, why });
    }

    /// Whether anything went.
    fn drop_what_is_due(&mut self) -> bool {
        let (clock, may_drop) = (self.clock, self.may_drop());
        let is_due = |until: Timestamp| until <= clock;
        let before = (self.tracked.len(), self.retiring.len(), self.former_ttls.len());
        self.tracked.retain(|each| !(may_drop && each.standing.until().is_some_and(is_due)));
        self.retiring.retain(|&(_, until)| !is_due(until));
        self.former_ttls.retain(|&(_, until)| !is_due(until));
        before != (self.tracked.len(), self.retiring.len(), self.former_ttls.len())
    }

    /// A key that came back, or was promoted, needs no second reason. Whether anything went.
    fn drop_what_live_ones_vouch_for(&mut self) -> bool {
        let live = self.tracked.iter().filter(|each| each.standing == Standing::Live);
        let live: Vec<Association> = live.flat_map(|each| self.records(&each.material)).collect();
        let needed = |each: &Tracked| match each.standing {
            // While its file is there it is still what comes next.
            Standing::Live | Standing::Announced { gone: false } => true,
            _ => self.records(&each.material).iter().any(|record| !live.contains(record)),
        };
        let kept: Vec<Tracked> = self.tracked.iter().filter(|each| needed(each)).cloned().collect();
        let changed = kept.len() != self.tracked.len();
        self.tracked = kept;
        changed
    }

    /// The records of one material under every parameter set in force, as far as it can give them.
    fn records(&self, material: &Material) -> Vec<Association> {
        let all = self.params.iter().chain(self.retiring.iter().map(|(params, _)| params));
        all.filter_map(|&params| Association::new(params, material).ok()).collect()
    }

    /// One entry for each record of `tracked`.
    fn entries_of(&self, tracked: &Tracked) -> impl Iterator<Item = Entry> {
        let entry = |params, standing, since, why| {
            let association = Association::new(params, &tracked.material).ok()?;
            Some(Entry { association, slot: tracked.slot.clone(), standing, since, why })
        };
        let in_force = self
            .params
            .iter()
            .map(move |&params| entry(params, tracked.standing, tracked.since, tracked.why));
        let retiring = self.retiring.iter().map(move |&(params, until)| {
            let until =
                tracked.standing.until().filter(|_| self.may_drop()).map_or(until, |own| own.min(until));
            entry(params, Standing::Draining { until }, tracked.since, Why::ParamsRetired)
        });
        in_force.chain(retiring).flatten()
    }
}

impl Standing {
    /// When it ends by itself.
    pub fn until(self) -> Option<Timestamp> {
        match self {
            Self::Orphaned { until } | Self::Draining { until } => Some(until),
            Self::Announced { .. } | Self::Live => None,
        }
    }
}

impl Tracked {
    /// The file that it stands or falls with.
    fn role(&self) -> Option<Role> {
        match self.standing {
            Standing::Live => Some(Role::Current),
            Standing::Announced { .. } => Some(Role::Next),
            Standing::Draining { .. } | Standing::Orphaned { .. } => None,
        }
    }

    fn is_from(&self, role: Role, sources: &[Source]) -> bool {
        sources.iter().any(|source| source.slot == self.slot && source.role == role)
    }

    fn now_stands(&mut self, since: Timestamp, standing: Standing, why: Why) {
        (self.since, self.standing, self.why) = (since, standing, why);
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

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Live => "live",
            Self::Announced { .. } => "announced",
            Self::Draining { .. } => "draining",
            Self::Orphaned { .. } => "orphaned",
        })
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::InCertificateFile => "it is in the certificate file",
            Self::InNextFile => "it is to be deployed next",
            Self::CertificateReplaced => {
                "the certificate file holds another one; the service may not have reloaded"
            }
            Self::NextReplaced => {
                "the next key was replaced before it was deployed; its certificate may follow"
            }
            Self::NotConfigured => "the configuration no longer names its file",
            Self::ParamsRetired => "the configuration no longer names its parameters",
        })
    }
}

#[cfg(test)]
mod tests;
