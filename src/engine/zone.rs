//! One zone's way from its file to its readers.
//!
//! ```text
//!            job              version            durable
//!   Idle ──────────▶ Making ──────────▶ Storing ──────────▶ Idle, published
//!    ▲                 │ nothing new,      │ not durable
//!    └─────────────────┘ or refused        ▼
//!                                       Waiting ──retry──▶ Storing
//! ```
//!
//! One version at a time: what happens meanwhile is looked at when the zone is idle again. What is served is
//! replaced by a durable, checked version and by nothing else.

mod inputs;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;

use super::alarm::Alarms;
use super::catalog;
use super::convert;
use super::input::{Effect, Level};
use super::job::{Job, Managed, Signing, Version, VersionError, put_serial};
use crate::config;
use crate::dns::name::Name;
use crate::dns::problem::Problems;
use crate::dns::rtype::Rtype;
use crate::dns::time::{MINUTE, Now, Seconds, Timestamp};
use crate::dnssec::key::SigningKey;
use crate::dnssec::keyset::{KeySet, Timing};
use crate::dnssec::sign::next_due;
use crate::dnssec::validate::Verified;
use crate::state::{StoredZone, ZoneCommit, ZoneRecord};
use crate::zone::history::Limits;
use crate::zone::{Contents, History, Serial, Snapshot};

/// How long to wait before a commit is tried again.
const RETRY: Seconds = Seconds(5);
/// How long to wait before signing is tried again after it failed.
const RETRY_MAKING: Seconds = MINUTE;
/// How long a secondary that does not serve the newest version holds others up.
const SECONDARIES_PATIENCE: Seconds = Seconds(5 * MINUTE.0);

/// A configured zone.
pub(super) struct Zone {
    pub(super) config: config::Zone,
    pub(super) served: Option<Verified>,
    /// The versions before it.
    history: Arc<History>,
    /// Since when it is served.
    pub(super) published: Option<Timestamp>,
    /// What the durable version says beside its records.
    pub(super) record: ZoneRecord,
    pub(super) alarms: Alarms,
    pub(super) warnings: Problems,
    pub(super) secondaries: BTreeMap<(String, SocketAddr), Sighting>,
    pub(super) file_serial: Option<Serial>,
    /// How many signatures the last version took.
    pub(super) signatures: usize,
    keys: Keys,
    draft: Option<Box<Pending>>,
    work: Work,
    /// Something other than the file may call for a new version.
    unsettled: bool,
    /// The keys at hand make no set that the policy can use, until keys, policy or the time change that.
    blocked: bool,
    retry_at: Option<Timestamp>,
    /// When unusable keys are read again: somebody may have put them back.
    keys_again: Option<Timestamp>,
    /// The first keys are being made.
    generating: bool,
    last_job: u64,
}

/// What is known of a secondary.
#[derive(Clone, Debug)]
pub(super) struct Sighting {
    pub(super) serial: Option<Serial>,
    pub(super) seen: Option<Timestamp>,
    pub(super) error: Option<(Timestamp, String)>,
}

enum Keys {
    /// Not read yet.
    Unread,
    Read(Vec<(Arc<SigningKey>, Timing)>),
    /// They cannot be used; an alarm says why.
    Unusable,
}

impl Keys {
    /// Whether these were read before.
    fn are(&self, others: &[(Arc<SigningKey>, Timing)]) -> bool {
        let Self::Read(keys) = self else { return false };
        keys.len() == others.len()
            && keys.iter().zip(others).all(|((key, timing), (other, other_timing))| {
                key.public() == other.public() && timing == other_timing
            })
    }
}

/// Content from outside, until a version has it.
#[derive(Clone)]
struct Pending {
    contents: Contents,
    /// Of the files that it was read from.
    digest: Option<[u8; 16]>,
}

enum Work {
    Idle,
    Making { id: u64, record: Box<ZoneRecord>, pending: Option<Box<Pending>> },
    Storing { commit: u64, made: Box<Made> },
    Waiting { at: Timestamp, made: Box<Made> },
}

/// A version on its way to the disk, with what the state keeps beside it.
struct Made {
    version: Version,
    record: ZoneRecord,
}

impl Zone {
    /// `first_job` is a number below all those of its jobs, and above those of any zone of that name before it.
    pub(super) fn new(config: config::Zone, first_job: u64) -> Self {
        Self {
            config,
            served: None,
            history: Arc::default(),
            published: None,
            record: ZoneRecord::default(),
            alarms: Alarms::default(),
            warnings: Problems::default(),
            secondaries: BTreeMap::new(),
            file_serial: None,
            signatures: 0,
            keys: Keys::Unread,
            draft: None,
            work: Work::Idle,
            unsettled: true,
            blocked: false,
            retry_at: None,
            keys_again: None,
            generating: false,
            last_job: first_job,
        }
    }

    pub(super) fn origin(&self) -> &Name {
        &self.config.origin
    }

    pub(super) fn is_signed_here(&self) -> bool {
        self.config.policy.keys != config::KeyScheme::None
    }

    /// Takes up where the process before left off: the durable version is served at once.
    pub(super) fn restore(&mut self, now: Timestamp, stored: StoredZone, effects: &mut Vec<Effect>) {
        let version = Verified::restored(Arc::new(stored.snapshot));
        let (zone, serial) = (version.snapshot().origin().clone(), version.snapshot().serial());
        self.record = stored.record;
        let mut history = History::default();
        for step in stored.steps {
            history.push(step, self.history_limits());
        }
        self.history = Arc::new(history);
        self.served = Some(version.clone());
        self.published = Some(now);
        effects.push(Effect::Publish { version, history: Arc::clone(&self.history) });
        // The process before may have had no time to tell anybody.
        effects.push(Effect::Notify { zone, serial });
    }

    pub(super) fn configure(&mut self, config: config::Zone) {
        if self.config != config {
            self.secondaries.retain(|(name, address), _| {
                config
                    .secondaries
                    .iter()
                    .any(|remote| remote.name == *name && remote.addresses.contains(address))
            });
            self.config = config;
            self.look_again();
        }
    }

    fn history_limits(&self) -> Limits {
        let config::Journal { versions, octets } = self.config.policy.journal;
        Limits { versions, octets }
    }

    /// Something that may call for a new version is not as it was.
    fn look_again(&mut self) {
        self.unsettled = true;
        self.blocked = false;
        self.retry_at = None;
    }

    /// Keeps what is served, and says why.
    fn refuse(&mut self, now: Timestamp, topic: &str, reason: &str, effects: &mut Vec<Effect>) {
        let text = format!("{reason}; {}", self.still_serving());
        if self.alarms.raise(topic, now, text.clone()) {
            effects.push(Effect::Log { level: Level::Error, line: format!("{}: {text}", self.origin()) });
        }
    }

    pub(super) fn still_serving(&self) -> String {
        match &self.served {
            Some(version) => format!("still serving serial {}", version.snapshot().serial()),
            None => "the zone is not served yet (SERVFAIL)".to_owned(),
        }
    }

    pub(super) fn serial(&self) -> Option<Serial> {
        self.served.as_ref().map(|version| version.snapshot().serial())
    }

    /// Whether a version of it is in this commit.
    pub(super) fn is_storing(&self, id: u64) -> bool {
        matches!(self.work, Work::Storing { commit, .. } if commit == id)
    }

    pub(super) fn is_busy(&self) -> bool {
        // A version that waits for room on the disk may wait for ever.
        matches!(self.work, Work::Making { .. } | Work::Storing { .. })
    }

    /// Whether the served version has these records, at least.
    pub(super) fn serves(&self, managed: &Managed) -> bool {
        self.served.as_ref().is_some_and(|version| {
            let node = version.snapshot().nodes.get(managed.owner.as_ref());
            let served = node.and_then(|node| node.rrset(Rtype::TLSA));
            managed
                .rdatas
                .iter()
                .all(|rdata| served.is_some_and(|rrset| rrset.rdatas().any(|is| is == rdata)))
        })
    }

    /// Begins a new version if one is called for and the zone is idle.
    pub(super) fn consider(&mut self, now: Now, managed: &[Managed], effects: &mut Vec<Effect>) {
        match &self.work {
            Work::Idle => {}
            Work::Waiting { at, .. } if now.is_time_to_retry(*at, RETRY) => {
                if let Work::Waiting { made, .. } = std::mem::replace(&mut self.work, Work::Idle) {
                    self.work = Work::Storing { commit: NOT_ASSIGNED, made };
                }
                return;
            }
            Work::Making { .. } | Work::Storing { .. } | Work::Waiting { .. } => return,
        }
        if self.served.is_none() && self.draft.is_none()
            || self.retry_at.is_some_and(|at| !now.is_time_to_retry(at, RETRY_MAKING))
            || self.blocked
        {
            return;
        }
        if !self.is_called_for(now, managed) {
            return;
        }
        let signing = if self.is_signed_here() {
            match self.key_set(now.latest) {
                Ok(Some(keys)) => {
                    Some(Signing { keys, policy: convert::signing_policy(&self.config.policy) })
                }
                Ok(None) => return,
                Err(reason) => {
                    self.refuse(now.latest, KEYS, &reason, effects);
                    self.blocked = true;
                    return;
                }
            }
        } else {
            None
        };
        self.retry_at = None;
        self.unsettled = false;
        self.last_job += 1;
        let pending = self.draft.take();
        let owners: BTreeSet<Name> = managed.iter().map(|managed| managed.owner.clone()).collect();
        let record = ZoneRecord {
            serial: Serial::default(),
            digest: pending.as_ref().map_or(self.record.digest, |pending| pending.digest),
            file_serial: self.file_serial.or(self.record.file_serial),
            signed: signing.is_some(),
            ever_signed: self.record.ever_signed || signing.is_some(),
            key_tags: match &signing {
                Some(signing) => signing.keys.published().iter().map(|key| key.public().tag()).collect(),
                None => self.record.key_tags.clone(),
            },
            managed: owners.clone(),
        };
        effects.push(Effect::Make(Box::new(Job {
            zone: self.origin().clone(),
            id: self.last_job,
            previous: self.served.as_ref().map(|version| Arc::clone(version.snapshot())),
            draft: pending.as_ref().map(|pending| self.with_own_serial(pending.contents.clone(), now.latest)),
            managed: managed.to_vec(),
            released: self.record.managed.difference(&owners).cloned().collect(),
            signing,
            serial: convert::serial_policy(self.config.policy.serial),
            now,
        })));
        self.work = Work::Making { id: self.last_job, record: Box::new(record), pending };
    }

    /// What is made of the configuration has no serial of its own: it begins with the policy's, and does not change
    /// by itself.
    fn with_own_serial(&self, mut contents: Contents, now: Timestamp) -> Contents {
        if let config::ZoneSource::Catalog(_) = self.config.source {
            let first = || Serial::default().advance(convert::serial_policy(self.config.policy.serial), now);
            put_serial(&mut contents, self.serial().unwrap_or_else(first));
        }
        contents
    }

    fn is_called_for(&self, now: Now, managed: &[Managed]) -> bool {
        self.draft.is_some() || self.unsettled || self.due(now) || !self.serves_exactly(managed)
    }

    /// Whether signatures are due to be made anew.
    fn due(&self, now: Now) -> bool {
        self.signatures_due(now).is_some_and(|at| at <= now.latest)
    }

    fn signatures_due(&self, now: Now) -> Option<Timestamp> {
        if !self.is_signed_here() {
            return None;
        }
        let snapshot = self.served.as_ref()?.snapshot();
        Some(next_due(snapshot, &convert::signing_policy(&self.config.policy).lifetimes, now))
    }

    /// Whether the served version has exactly the managed records.
    fn serves_exactly(&self, managed: &[Managed]) -> bool {
        let Some(version) = &self.served else { return false };
        let snapshot = version.snapshot();
        let same = managed.iter().all(|wanted| {
            let served = snapshot.nodes.get(wanted.owner.as_ref()).and_then(|node| node.rrset(Rtype::TLSA));
            match served {
                Some(rrset) => {
                    rrset.ttl() == wanted.ttl && rrset.rdatas().eq(wanted.rdatas.iter().map(Vec::as_slice))
                }
                None => wanted.rdatas.is_empty(),
            }
        });
        same && self.record.managed.iter().all(|owner| managed.iter().any(|wanted| wanted.owner == *owner))
    }

    /// The keys at this moment; none while they have not been read or cannot be used.
    fn key_set(&self, now: Timestamp) -> Result<Option<Arc<KeySet>>, String> {
        let Keys::Read(keys) = &self.keys else { return Ok(None) };
        let layout = convert::layout(self.config.policy.keys);
        KeySet::new(keys.iter().cloned(), layout, now)
            .map(|set| Some(Arc::new(set)))
            .map_err(|e| e.to_string())
    }

    /// A job is finished.
    pub(super) fn made(
        &mut self,
        now: Now,
        id: u64,
        outcome: Result<Option<Version>, VersionError>,
        effects: &mut Vec<Effect>,
    ) {
        let Work::Making { id: wanted, .. } = &self.work else { return };
        if *wanted != id {
            return;
        }
        let Work::Making { record, pending, .. } = std::mem::replace(&mut self.work, Work::Idle) else {
            return;
        };
        match outcome {
            Ok(Some(version)) => {
                self.alarms.clear(SIGNING);
                let serial = version.verified.snapshot().serial();
                let record = ZoneRecord { serial, ..*record };
                self.work = Work::Storing { commit: NOT_ASSIGNED, made: Box::new(Made { version, record }) };
            }
            Ok(None) => {
                self.alarms.clear(SIGNING);
                // The same records made of something else; stored with the next version. Without it, an owner that
                // was released and had no record would be released again and again.
                self.record = ZoneRecord { serial: self.record.serial, ..*record };
            }
            Err(error) => {
                self.draft = self.draft.take().or(pending);
                self.unsettled = true;
                self.retry_at = Some(now.shown + RETRY_MAKING);
                self.refuse(now.latest, SIGNING, &error.to_string(), effects);
            }
        }
    }

    /// What the zone wants stored, if it has not asked yet.
    pub(super) fn wants_stored(&mut self, commit: u64) -> Option<ZoneCommit> {
        let limits = self.history_limits();
        match &mut self.work {
            Work::Storing { commit: assigned, made } if *assigned == NOT_ASSIGNED => {
                *assigned = commit;
                let Version { verified, step, .. } = &made.version;
                let snapshot = Snapshot::clone(verified.snapshot());
                // The journal goes by what is served, and so is what follows from it.
                let mut history = History::clone(&self.history);
                history.push(step.clone(), limits);
                Some(ZoneCommit::version(made.record.clone(), snapshot, step.clone(), history.len()))
            }
            _ => None,
        }
    }

    /// A commit is finished.
    pub(super) fn stored(
        &mut self,
        now: Now,
        commit: u64,
        outcome: &Result<(), String>,
        effects: &mut Vec<Effect>,
    ) {
        if !self.is_storing(commit) {
            return;
        }
        let Work::Storing { made, .. } = std::mem::replace(&mut self.work, Work::Idle) else { return };
        match outcome {
            Ok(()) => {
                self.alarms.clear(STATE);
                self.publish(now.latest, *made, effects);
            }
            Err(reason) => {
                self.refuse(
                    now.latest,
                    STATE,
                    &format!("the new version cannot be stored: {reason}; it is tried again every {RETRY}"),
                    effects,
                );
                self.work = Work::Waiting { at: now.shown + RETRY, made };
            }
        }
    }

    fn publish(&mut self, now: Timestamp, made: Made, effects: &mut Vec<Effect>) {
        let Made { version, record } = made;
        let serial = record.serial;
        let line = describe(self.origin(), &version);
        effects.push(Effect::Log { level: Level::Info, line });
        self.signatures = version.signatures;
        self.record = record;
        let mut history = History::clone(&self.history);
        history.push(version.step, self.history_limits());
        self.history = Arc::new(history);
        self.served = Some(version.verified.clone());
        self.published = Some(now);
        effects.push(Effect::Publish { version: version.verified, history: Arc::clone(&self.history) });
        effects.push(Effect::Notify { zone: self.origin().clone(), serial });
    }

    /// The catalogs that members of this one come from and that it does not list yet.
    pub(super) fn sources_of_arrivals(&self) -> impl Iterator<Item = &Name> {
        let arrivals = match &self.config.source {
            config::ZoneSource::Catalog(catalog) => &catalog.arrivals[..],
            config::ZoneSource::File(_) => &[],
        };
        let is_listed = |member: &Name| {
            let node = catalog::node(self.origin(), member).ok();
            let served = self.served.as_ref().map(|version| version.snapshot());
            served.zip(node).is_some_and(|(served, node)| served.nodes.get(node.as_ref()).is_some())
        };
        arrivals.iter().filter(move |(member, _)| !is_listed(member)).map(|(_, source)| source)
    }

    /// Until when others have to wait for its secondaries to serve what it says now; `None` once they do.
    pub(super) fn seen_by_all_at(&self, now: Timestamp) -> Option<Timestamp> {
        let Some((serial, published)) = self.serial().zip(self.published) else {
            return Some(now + SECONDARIES_PATIENCE);
        };
        if self.draft.is_some() || !matches!(self.work, Work::Idle) {
            return Some(now + SECONDARIES_PATIENCE);
        }
        let is_behind = |remote: &Arc<config::Remote>| {
            remote.addresses.iter().any(|&address| {
                let seen = self.secondaries.get(&(remote.name.clone(), address)).and_then(|seen| seen.serial);
                seen.is_none_or(|seen| seen < serial)
            })
        };
        let until = published + SECONDARIES_PATIENCE;
        (until > now && self.config.secondaries.iter().any(is_behind)).then_some(until)
    }

    /// When the zone wants to be looked at again.
    pub(super) fn wake_at(&self, now: Now) -> Timestamp {
        let others = [self.expiry_alarm_at(now.latest), self.keys_again];
        others.into_iter().flatten().fold(self.works_at(now), Timestamp::min)
    }

    /// When there is something to do about the next version.
    pub(super) fn works_at(&self, now: Now) -> Timestamp {
        match &self.work {
            Work::Making { .. } | Work::Storing { .. } => Timestamp::NEVER,
            Work::Waiting { at, .. } => *at,
            Work::Idle => {
                let due = self.signatures_due(now).unwrap_or(Timestamp::NEVER);
                let keys = match &self.keys {
                    Keys::Read(keys) => keys.iter().map(|(_, timing)| timing.next_change(now.latest)).min(),
                    Keys::Unread | Keys::Unusable => None,
                };
                // Without keys nothing can be signed, however due it is.
                let has_keys = matches!(self.keys, Keys::Read(_)) && !self.blocked;
                let can_make = has_keys || !self.is_signed_here();
                let due = if can_make { self.retry_at.unwrap_or(due) } else { Timestamp::NEVER };
                due.min(keys.unwrap_or(Timestamp::NEVER))
            }
        }
    }

    /// The next moment at which keys change roles calls for a new DNSKEY RRset.
    pub(super) fn keys_changed_between(&mut self, before: Timestamp, now: Timestamp) {
        if let Keys::Read(keys) = &self.keys
            && keys.iter().any(|(_, timing)| timing.next_change(before) <= now)
        {
            self.look_again();
        }
    }

    /// The earliest expiration of a served signature.
    pub(super) fn expires(&self, now: Timestamp) -> Option<Timestamp> {
        let soonest = self.served.as_ref()?.snapshot().soonest()?;
        Some(now.nearest_rrsig(soonest))
    }

    /// When the alarm for signatures that are about to expire is to be raised, unless it is already.
    fn expiry_alarm_at(&self, now: Timestamp) -> Option<Timestamp> {
        let margin = Seconds(self.config.policy.signatures.refresh.0 / 2);
        let at = self.expires(now)? - margin;
        (self.is_signed_here() && at > now).then_some(at)
    }

    /// Raises the alarm for signatures that are about to expire although they should have been made anew.
    pub(super) fn watch_signatures(&mut self, now: Timestamp, effects: &mut Vec<Effect>) {
        let Some(expires) = self.expires(now) else { return };
        if self.is_signed_here() && self.expiry_alarm_at(now).is_none() {
            let text = format!(
                "a served signature expires at {expires}, and no new one could be made; validating resolvers will fail from then on"
            );
            if self.alarms.raise(EXPIRY, now, text.clone()) {
                effects.push(Effect::Log { level: Level::Error, line: format!("{}: {text}", self.origin()) });
            }
        } else {
            self.alarms.clear(EXPIRY);
        }
    }
}

/// One line about a new version.
fn describe(origin: &Name, version: &Version) -> String {
    let delta = &version.step;
    let snapshot = version.verified.snapshot();
    match delta.from {
        None => format!(
            "{origin}: serial {}, {} records, {} signatures made",
            snapshot.serial(),
            snapshot.record_count(),
            version.signatures
        ),
        Some(from) => {
            let mut names: Vec<String> =
                delta.nodes.iter().take(4).map(|change| change.owner().to_string()).collect();
            if delta.nodes.len() > names.len() {
                names.push(format!("… ({} names)", delta.nodes.len()));
            }
            format!(
                "{origin}: serial {from} -> {}, {} signatures made, changed: {}",
                snapshot.serial(),
                version.signatures,
                names.join(" ")
            )
        }
    }
}

/// A commit that has no number yet.
const NOT_ASSIGNED: u64 = 0;

const FILE: &str = "zone file";
const FILE_SERIAL: &str = "serial in the file";
const KEYS: &str = "keys";
const SIGNING: &str = "signing";
const STATE: &str = "state";
const EXPIRY: &str = "expiry";
