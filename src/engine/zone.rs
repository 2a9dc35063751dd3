//! One zone's way from its file, or from its primary, to its readers.
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

mod ahead;
mod catalog;
mod expiry;
mod inputs;
mod keys;
mod primary;
mod secondaries;
mod updates;

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use super::alarm::Alarms;
use super::convert;
use super::input::{Effect, Level, Transferred};
use super::job::{Job, Made, Managed, Signing, Version, VersionError};
use crate::config;
use crate::dns::message::Rcode;
use crate::dns::name::Name;
use crate::dns::problem::Problems;
use crate::dns::time::{MINUTE, Now, Seconds, Timestamp};
use crate::dnssec::key::SigningKey;
use crate::dnssec::keyset::Timing;
use crate::dnssec::lifecycle::{Lifecycle, Transition};
use crate::dnssec::policy::{DenialPolicy, Policy};
use crate::dnssec::validate::Verified;
use crate::state::{StoredZone, ZoneCommit, ZoneRecord};
use crate::zone::history::Limits;
use crate::zone::overlay::{Overlay, Overrides};
use crate::zone::update::Update;
use crate::zone::{Contents, Denial, History, ManagedRrsets, Serial, Snapshot, Step};
pub use keys::KeyOrder;
use keys::KeyWork;
use primary::Upstream;
use secondaries::Sighting;
use updates::{answer, refused};

/// How long to wait before a commit is tried again.
const RETRY: Seconds = Seconds(5);
/// How long to wait before signing is tried again after it failed.
const RETRY_MAKING: Seconds = MINUTE;

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
    /// The last transfer to each address of a secondary, with its key.
    pub(super) transfers: BTreeMap<(IpAddr, Option<Name>), Transferred>,
    pub(super) file_serial: Option<Serial>,
    /// How many signatures the last version took.
    pub(super) signatures: usize,
    /// What dynamic updates have made of it.
    pub(super) overlay: Arc<Overlay>,
    /// Updates that wait for the zone to be idle.
    updates: VecDeque<(u64, Arc<Update>)>,
    /// What the disk may have of updates that were undone, as it should be; stored with whatever comes next.
    unsure: Overrides,
    /// What is known of its primaries.
    pub(super) upstream: Upstream,
    keys: Keys,
    /// What the life of its keys waits for.
    pub(super) key_work: KeyWork,
    draft: Option<Box<Pending>>,
    work: Work,
    /// Something other than the file may call for a new version.
    unsettled: bool,
    /// The keys at hand make no set that the policy can use, until keys, policy or the time change that.
    blocked: bool,
    retry_at: Option<Timestamp>,
    /// Signatures that are due came out as they were: when they are made anew again.
    renew_again: Option<Timestamp>,
    /// When unusable keys are read again: somebody may have put them back.
    keys_again: Option<Timestamp>,
    last_job: u64,
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
                key.public() == other.public() && key.ahead() == other.ahead() && timing == other_timing
            })
    }
}

/// Content from outside, read, transferred or configured, until a version has it.
#[derive(Clone)]
struct Pending {
    contents: Contents,
    /// Of the file.
    digest: Option<[u8; 16]>,
    /// When a primary had it for current.
    current: Option<Timestamp>,
}

enum Work {
    Idle,
    Making {
        id: u64,
        record: Box<ZoneRecord>,
        pending: Option<Box<Pending>>,
        updates: Vec<u64>,
        transitions: Vec<Transition>,
        /// Some of its signatures are due to be made anew.
        renews: bool,
    },
    Storing {
        commit: u64,
        made: Box<ToStore>,
    },
    Waiting {
        at: Timestamp,
        made: Box<ToStore>,
    },
}

/// A version on its way to the disk, with what the state keeps beside it.
struct ToStore {
    version: Version,
    record: ZoneRecord,
    /// What updates have made of the zone, where that has changed.
    overrides: Overrides,
    /// The updates that it has; answered when it is served.
    updates: Vec<u64>,
    /// What it was made from.
    pending: Option<Box<Pending>>,
    /// What it does with the keys.
    transitions: Vec<Transition>,
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
            transfers: BTreeMap::new(),
            file_serial: None,
            signatures: 0,
            overlay: Arc::default(),
            updates: VecDeque::new(),
            unsure: Overrides::new(),
            upstream: Upstream::default(),
            keys: Keys::Unread,
            key_work: KeyWork::default(),
            draft: None,
            work: Work::Idle,
            unsettled: true,
            blocked: false,
            retry_at: None,
            renew_again: None,
            keys_again: None,
            last_job: first_job,
        }
    }

    pub(super) fn origin(&self) -> &Name {
        &self.config.origin
    }

    /// Whether danelaw signs it: by policy, or because some cache may still expect it to be signed.
    pub(super) fn is_signed_here(&self) -> bool {
        let keys = &self.record.keys;
        self.config.policy.signs() || keys.is_leaving() && !keys.may_leave()
    }

    /// Whether its serial is for another nameserver to choose.
    fn is_passed_through(&self) -> bool {
        !self.is_signed_here() && matches!(self.config.source, config::ZoneSource::Primary(_))
    }

    /// Takes up where the process before left off: the durable version is served at once. The clock was set `ahead` since,
    /// by so much more than time has passed.
    pub(super) fn restore(
        &mut self,
        now: Timestamp,
        stored: StoredZone,
        ahead: Seconds,
        effects: &mut Vec<Effect>,
    ) {
        let version = Verified::restored(Arc::new(stored.snapshot));
        let (zone, serial) = (version.snapshot().origin().clone(), version.snapshot().serial());
        self.record = stored.record;
        self.record.keys.clock_was_set_ahead(ahead, now);
        self.record.keys.settle(&self.plan(), now);
        self.look_at_keys();
        self.overlay = Arc::new(stored.overlay);
        let mut history = History::default();
        for step in stored.steps {
            history.push(step, self.history_limits());
        }
        self.history = Arc::new(history);
        self.served = Some(version.clone());
        if self.has_expired(now) {
            self.upstream.withdrawn = true;
            effects.push(Effect::Withdraw { zone });
            return;
        }
        self.published = Some(now);
        effects.push(Effect::Publish { version, history: Arc::clone(&self.history) });
        // The process before may have had no time to tell anybody.
        effects.push(Effect::Notify { zone, serial });
    }

    pub(super) fn configure(&mut self, now: Timestamp, config: config::Zone) {
        if self.config != config {
            self.keep_secondaries(&config);
            let other_source = self.config.source != config.source;
            if (&self.config.foreign_dnskeys, &self.config.parent)
                != (&config.foreign_dnskeys, &config.parent)
            {
                self.forget_parent();
            }
            self.config = config;
            self.record.keys.settle(&self.plan(), now);
            self.look_at_keys();
            if other_source {
                self.draft = None;
                for topic in [FILE, PRIMARY] {
                    self.alarms.clear(topic);
                }
                self.reset_upstream();
            }
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
        self.renew_again = None;
    }

    /// Keeps what is served, and says why.
    fn refuse(&mut self, now: Timestamp, topic: &str, reason: &str, effects: &mut Vec<Effect>) {
        let text = format!("{reason}; {}", self.still_serving());
        if self.alarms.raise(topic, now, text.clone()) {
            effects.push(Effect::Log { level: Level::Error, line: format!("{}: {text}", self.origin()) });
        }
    }

    /// What was refused of all that the zone is made of; not what somebody elsewhere has yet to do.
    pub(super) fn refusals(&self) -> impl Iterator<Item = &str> {
        let refused = self.alarms.by_topic().filter(|(topic, _)| REFUSALS.contains(topic));
        refused.map(|(_, alarm)| alarm.text.as_str())
    }

    pub(super) fn still_serving(&self) -> String {
        match &self.served {
            Some(_) if self.upstream.withdrawn => "the zone has expired (SERVFAIL)".to_owned(),
            Some(version) => {
                let serial = version.snapshot().serial();
                let expires = self.upstream_expires().map(|at| format!(", which expires at {at}"));
                format!("still serving serial {serial}{}", expires.unwrap_or_default())
            }
            None => "the zone is not served yet (SERVFAIL)".to_owned(),
        }
    }

    /// What is served.
    pub(super) fn snapshot(&self) -> Option<&Arc<Snapshot>> {
        self.served.as_ref().map(Verified::snapshot)
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
        self.served.as_ref().filter(|_| !self.upstream.withdrawn).is_some_and(|version| {
            let node = version.snapshot().nodes.get(managed.owner.as_ref());
            let served = node.and_then(|node| node.rrset(managed.rtype));
            managed
                .rdatas
                .iter()
                .all(|rdata| served.is_some_and(|rrset| rrset.rdatas().any(|is| is == rdata)))
        })
    }

    /// Begins a new version if one is called for and the zone is idle.
    pub(super) fn consider(&mut self, now: Now, managed: &[Managed], effects: &mut Vec<Effect>) {
        if !self.can_update() {
            self.refuse_updates(effects);
        }
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
        // What danelaw signed is not the zone without its signatures: that comes from where the zone comes from.
        if self.record.signed && !self.is_signed_here() && self.draft.is_none() {
            return;
        }
        let mut transitions = Vec::new();
        let signing = if self.is_signed_here() {
            transitions = self.record.keys.transitions(&self.plan(), now.latest);
            match self.key_set(&transitions) {
                Ok(Some(keys)) => Some(Signing { keys, policy: self.signing_policy() }),
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
        let (ids, updates) = self.updates.drain(..).unzip();
        let made_here: ManagedRrsets = managed.iter().map(Managed::rrset).collect();
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
            keys: self.record.keys.clone(),
            managed: made_here.clone(),
            current: pending.as_ref().map_or(self.record.current, |pending| pending.current),
            above: None,
        };
        effects.push(Effect::Make(Box::new(Job {
            zone: self.origin().clone(),
            id: self.last_job,
            previous: self.served.as_ref().map(|version| Arc::clone(version.snapshot())),
            draft: pending.as_ref().map(|pending| self.with_own_serial(pending.contents.clone(), now.latest)),
            managed: managed.to_vec(),
            released: self.record.managed.without(&made_here),
            updates,
            overlay: Arc::clone(&self.overlay),
            largest_ttl: self.largest_ttl(),
            signing,
            zonemd: self.config.policy.zonemd,
            serial: convert::serial_policy(self.config.policy.serial),
            above: self.record.above.filter(|_| !self.is_passed_through()),
            now,
        })));
        self.work = Work::Making {
            id: self.last_job,
            record: Box::new(record),
            pending,
            updates: ids,
            transitions,
            renews: self.is_to_renew(now),
        };
    }

    /// How it is signed. A zone that is on its way to unsigned goes on as it was.
    fn signing_policy(&self) -> Policy {
        let mut policy = convert::signing_policy(&self.config.policy);
        if let Some(snapshot) = self.snapshot().filter(|_| self.record.keys.is_leaving()) {
            if matches!(snapshot.denial(), Denial::Nsec3(_)) {
                policy.denial = DenialPolicy::Nsec3;
            }
            // Nobody chose the times of a policy that makes no signatures.
            let held = Seconds(u64::from(snapshot.timers().expire))
                + Seconds::from(self.record.keys.largest_zone_ttl());
            policy.lifetimes = policy.lifetimes.outlasting(held);
        }
        policy
    }

    fn is_called_for(&self, now: Now, managed: &[Managed]) -> bool {
        self.draft.is_some()
            || !self.updates.is_empty()
            || self.unsettled
            || self.record.above.is_some()
            || self.is_to_renew(now)
            || !self.serves_exactly(managed)
    }

    /// Whether the served version has exactly the managed records.
    fn serves_exactly(&self, managed: &[Managed]) -> bool {
        let Some(version) = &self.served else { return false };
        let snapshot = version.snapshot();
        let same = managed.iter().all(|wanted| {
            let served = snapshot.nodes.get(wanted.owner.as_ref()).and_then(|node| node.rrset(wanted.rtype));
            match served {
                Some(rrset) => {
                    rrset.ttl() == wanted.ttl && rrset.rdatas().eq(wanted.rdatas.iter().map(Vec::as_slice))
                }
                None => wanted.rdatas.is_empty(),
            }
        });
        same && self.record.managed.without(&managed.iter().map(Managed::rrset).collect()).is_empty()
    }

    /// A job is finished.
    pub(super) fn made(
        &mut self,
        now: Now,
        id: u64,
        outcome: Result<Made, VersionError>,
        effects: &mut Vec<Effect>,
    ) {
        let Work::Making { id: wanted, .. } = &self.work else { return };
        if *wanted != id {
            return;
        }
        let Work::Making { record, pending, updates, transitions, renews, .. } =
            std::mem::replace(&mut self.work, Work::Idle)
        else {
            return;
        };
        match outcome {
            Ok(Made { version, answers, overrides: changed }) => {
                let mut overrides = std::mem::take(&mut self.unsure);
                overrides.extend(changed);
                self.alarms.clear(SIGNING);
                let updates = refused(updates, answers, effects);
                // Whether the disk is well again, only a write can tell.
                let wanted = !overrides.is_empty() || self.alarms.is_raised(STATE);
                let is_same = version.is_none();
                let same = || self.same_version().filter(|_| wanted);
                if let Some(version) = version.or_else(same) {
                    let serial = version.verified.snapshot().serial();
                    let mut record = ZoneRecord { serial, ..*record };
                    let mut made =
                        ToStore { version, record: record.clone(), overrides, updates, pending, transitions };
                    record.keys = self.keys_with(now.latest, &made);
                    made.record = record;
                    let made = Box::new(made);
                    self.work = Work::Storing { commit: NOT_ASSIGNED, made };
                } else {
                    answer(updates, Rcode::NOERROR, effects);
                    // The same records made of something else; stored with the next version. Without it, an owner that
                    // was released and had no record would be released again and again.
                    let serial = self.record.serial;
                    let mut keys = std::mem::take(&mut self.record.keys);
                    keys.published(&transitions, serial, now.latest);
                    self.record = ZoneRecord { serial, keys, ..self.newest(*record) };
                    if !transitions.is_empty() {
                        self.store_record();
                        self.look_at_keys();
                    }
                    self.serve_again(now, effects);
                }
                if renews && is_same {
                    self.renew_later(now, effects);
                }
            }
            Err(error @ VersionError::Contradiction(_)) => {
                answer(updates, Rcode::SERVFAIL, effects);
                // Until the file is another one, it is as bad as one that cannot be read.
                self.refuse(now.latest, FILE, &error.to_string(), effects);
            }
            Err(error) => {
                answer(updates, Rcode::SERVFAIL, effects);
                self.draft = self.draft.take().or(pending);
                self.unsettled = true;
                self.retry_at = Some(now.shown + RETRY_MAKING);
                self.refuse(now.latest, SIGNING, &error.to_string(), effects);
            }
        }
    }

    /// What the zone wants stored, if it has not asked yet; what failed before is wanted `again` or not.
    pub(super) fn wants_stored(&mut self, commit: u64, again: bool) -> Option<ZoneCommit> {
        let limits = self.history_limits();
        match &mut self.work {
            // The version that is stored is the one that is served.
            Work::Idle | Work::Making { .. } => self.wants_record_stored(commit, again),
            Work::Storing { commit: assigned, made } if *assigned == NOT_ASSIGNED => {
                *assigned = commit;
                let Version { verified, step, .. } = &made.version;
                let snapshot = Snapshot::clone(verified.snapshot());
                // The journal goes by what is served, and so is what follows from it.
                let keep = with_step(&self.history, step, limits).len();
                let commit = ZoneCommit::version(made.record.clone(), snapshot, step.clone(), keep);
                Some(commit.with_updates(made.overrides.clone()))
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
        self.record_stored(commit, outcome);
        if !self.is_storing(commit) {
            return;
        }
        let Work::Storing { made, .. } = std::mem::replace(&mut self.work, Work::Idle) else { return };
        match outcome {
            Ok(()) => {
                self.alarms.clear(STATE);
                self.publish(now, *made, effects);
            }
            Err(reason) if !made.updates.is_empty() => self.undo_updates(now, *made, reason, effects),
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

    fn publish(&mut self, now: Now, made: ToStore, effects: &mut Vec<Effect>) {
        // What has been seen meanwhile counts.
        let keys = self.keys_with(now.latest, &made);
        let ToStore { version, record, overrides, updates, .. } = made;
        let record = ZoneRecord { keys, ..record };
        let serial = record.serial;
        self.look_at_keys();
        Arc::make_mut(&mut self.overlay).change(overrides);
        if version.step.is_empty() {
            self.record = self.newest(record);
            answer(updates, Rcode::NOERROR, effects);
            self.serve_again(now, effects);
            return;
        }
        let line = describe(self.origin(), &version);
        effects.push(Effect::Log { level: Level::Info, line });
        self.signatures = version.signatures;
        let before = std::mem::take(&mut self.record.keys);
        self.record = self.newest(record);
        self.say_key_changes(&before, effects);
        self.history = Arc::new(with_step(&self.history, &version.step, self.history_limits()));
        self.served = Some(version.verified.clone());
        self.published = Some(now.latest);
        if self.upstream.withdrawn {
            // Kept ready, unless the new content ends that.
            self.serve_again(now, effects);
            return;
        }
        effects.push(Effect::Publish { version: version.verified, history: Arc::clone(&self.history) });
        answer(updates, Rcode::NOERROR, effects);
        effects.push(Effect::Notify { zone: self.origin().clone(), serial });
    }

    /// The life of its keys once this version is published.
    fn keys_with(&self, now: Timestamp, made: &ToStore) -> Lifecycle {
        let mut keys = self.record.keys.clone();
        let Version { verified, step, .. } = &made.version;
        if !step.is_empty() {
            let whole = made.pending.is_some() || step.from.is_none();
            Self::note_version(&mut keys, &made.transitions, verified.snapshot(), step, whole, now);
        }
        keys
    }

    /// Beside the newest version that there is, stored or not.
    fn newest_record(&self) -> &ZoneRecord {
        match &self.work {
            Work::Idle => &self.record,
            Work::Making { record, .. } => record,
            Work::Storing { made, .. } | Work::Waiting { made, .. } => &made.record,
        }
    }

    /// What a job was begun with, and what became known while it ran.
    fn newest(&self, record: ZoneRecord) -> ZoneRecord {
        // Other content has a time of its own, or none.
        let continued = (record.file_serial, record.digest) == (self.record.file_serial, self.record.digest);
        let current = if continued { record.current.max(self.record.current) } else { record.current };
        ZoneRecord { current, ..record }
    }

    /// When the zone wants to be looked at again.
    pub(super) fn wake_at(&self, now: Now) -> Timestamp {
        let batch = self.batch_alarm_at().map(|(at, _)| at).filter(|&at| at > now.latest);
        let others = [
            self.expiry_alarm_at(now.latest),
            self.keys_again,
            self.upstream_wakes_at(),
            self.keys_due(),
            batch,
        ];
        others.into_iter().flatten().fold(self.works_at(now), Timestamp::min)
    }

    /// When there is something to do about the next version.
    pub(super) fn works_at(&self, now: Now) -> Timestamp {
        match &self.work {
            Work::Making { .. } | Work::Storing { .. } => Timestamp::NEVER,
            Work::Waiting { at, .. } => *at,
            Work::Idle => {
                // Without keys nothing can be signed, however due it is.
                let has_keys = matches!(self.keys, Keys::Read(_)) && !self.blocked;
                let can_make = has_keys || !self.is_signed_here();
                if can_make { self.retry_at.unwrap_or_else(|| self.renews_at(now)) } else { Timestamp::NEVER }
            }
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

/// The history with one step more.
fn with_step(history: &History, step: &Step, limits: Limits) -> History {
    let mut history = history.clone();
    // A record of the state may change without the version.
    if !step.is_empty() {
        history.push(step.clone(), limits);
    }
    history
}

/// A commit that has no number yet.
const NOT_ASSIGNED: u64 = 0;

const FILE: &str = "zone file";
const PRIMARY: &str = "primary";
const KEYS: &str = "keys";
const SIGNING: &str = "signing";
const STATE: &str = "state";
const POLICY: &str = "policy";
const NEW_KEYS: &str = "new keys";
/// The topics of [`Zone::refuse`].
const REFUSALS: [&str; 7] = [FILE, PRIMARY, KEYS, NEW_KEYS, SIGNING, STATE, POLICY];
