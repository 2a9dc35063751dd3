//! The pure centre: what happened goes in with its time, what is to be done comes out.
//!
//! [`Engine::step`] takes one [`Input`] and returns [`Effect`]s; [`Engine::wake_at`] says when it wants a
//! [`Input::Tick`]. It reads no clock and no file, and starts no thread: the host does, and tests do it with
//! virtual time. Versions are made by [`Job`]s that the host runs elsewhere, so a large zone delays no other.

pub mod advice;
pub mod alarm;
mod catalog;
mod convert;
pub mod difference;
mod domain;
pub mod input;
pub mod job;
pub mod mail;
pub mod next;
pub mod outside;
pub mod reports;
mod service;
pub mod signal;
pub mod status;
mod zone;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

pub use convert::{material, params, signing_algorithm};
pub use domain::policy;
pub use input::{
    Effect, Handover, Input, Level, Refresh, Refreshed, ServiceFile, Source, Transferred, Unreadable,
};
pub use job::{Job, Made, Managed, Version, VersionError, first_version};
pub use service::Strangers;
pub use status::Status;
pub use zone::KeyOrder;

use advice::{Advice, Facts};
use alarm::Alarms;
use input::Presented;
use mail::{MxHost, SMTP};
use next::{MakeNext, NotMade};
use outside::Lookout;
use reports::Reports;
use service::Service;
use signal::Signals;
use status::{AdviceStatus, CertificateStatus, GateStatus, ZoneStatus};
use zone::Zone;

use crate::config::{self, Config, Domain};
use crate::dns::message::Rcode;
use crate::dns::name::Name;
use crate::dns::rtype::Rtype;
use crate::dns::time::{MINUTE, Now, Seconds, Timestamp};
use crate::dnssec::lifecycle::RollError;
use crate::state::{Commit, Loaded, ServiceCommit};
use crate::zone::ManagedRrsets;

/// The engine.
#[derive(Default)]
pub struct Engine {
    zones: BTreeMap<Name, Zone>,
    services: BTreeMap<String, Service>,
    /// Whose records are made of the configuration alone.
    domains: BTreeMap<Name, Domain>,
    reports: Reports,
    alarms: Alarms,
    /// What the encrypted listeners present.
    presented: Option<Presented>,
    /// What the state holds and the configuration has not been asked about yet.
    restored: Option<Loaded>,
    /// By how much the clock was set ahead since that was stored.
    ahead_of_restored: Seconds,
    /// Zones and services whose durable traces are to be removed.
    removed_zones: Vec<Name>,
    removed_services: Vec<String>,
    commits: u64,
    /// What commits under way make durable, besides zones.
    storing: BTreeMap<u64, Storing>,
    /// When what concerns no zone is to be stored again, after that failed.
    store_again: Option<Timestamp>,
    /// How many zones have been set up, the same one more than once.
    zones_made: u64,
    clock: Now,
    /// What is looked at from outside.
    lookout: Arc<Lookout>,
    /// MX hosts that have STARTTLS and had no TLSA records when they were looked at.
    mx_hosts: Vec<MxHost>,
    /// The configuration has changed since that was found out.
    look_around: bool,
    /// Catalogs that list a zone later than the one that it leaves, and until when they wait.
    waiting: BTreeMap<Name, Timestamp>,
}

/// What a commit under way makes durable, besides zones.
#[derive(Default)]
struct Storing {
    services: Vec<String>,
    removed_zones: Vec<Name>,
    removed_services: Vec<String>,
}

/// How long to wait before a commit is tried again.
const RETRY: Seconds = Seconds(5);
/// Each zone numbers its jobs from a multiple of this, so that one which is taken out and put back does not take
/// the outcome of a job begun before for its own.
const JOBS_OF_A_ZONE: u64 = 1 << 32;
/// How far the clock may step back before that is an alarm.
const CLOCK_TOLERANCE: Seconds = MINUTE;
const CLOCK: &str = "clock";
const CONFIG: &str = "configuration";
const SERVER_CERTIFICATE: &str = "listen.certificate";
const CERTIFICATE_EXPIRY: &str = "expiry of listen.certificate";
const STATE: &str = "state";

/// What is wrong with the durable state of services, one line each. A service that began anew could drop a record
/// that caches and servers still rely on, so nobody should start on such a state.
pub fn unreadable(loaded: &Loaded) -> Vec<String> {
    let read = loaded.services.iter().filter_map(|(name, state)| {
        service::read(name, state).err().map(|error| format!("service {name}: {error}"))
    });
    read.collect()
}

/// The RRsets in `zone` that services and domains call for, published or not.
pub fn managed_in<'a>(
    services: impl Iterator<Item = &'a config::Service>,
    domains: impl Iterator<Item = &'a Domain>,
    zone: &'a Name,
) -> impl Iterator<Item = (Name, Rtype)> {
    let of_services = services.flat_map(config::Service::rrsets);
    let of_services = of_services.filter(move |(apex, _)| *apex == zone).map(|(_, rrset)| rrset);
    of_services.chain(domains.filter(move |domain| domain.zone == *zone).flat_map(Domain::rrsets))
}

/// The service that takes mail for this host.
fn service_of(services: &BTreeMap<String, Service>, host: &Name) -> Option<String> {
    let takes = |service: &Service| {
        service.config.endpoints.iter().any(|endpoint| endpoint.host == *host && endpoint.port == SMTP)
    };
    services.iter().find(|(_, service)| takes(service)).map(|(name, _)| name.clone())
}

impl Engine {
    /// An engine that knows nothing yet: first give it [`Input::Restored`], then [`Input::Config`].
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes one input and says what is to be done.
    pub fn step(&mut self, now: Timestamp, input: Input) -> Vec<Effect> {
        let mut effects = Vec::new();
        self.settle_clock(now, &mut effects);
        let clock = self.clock;
        let now = clock.latest;
        match input {
            Input::Restored(loaded) => self.restored = Some(loaded),
            Input::Config(config) => self.configure(now, &config, &mut effects),
            Input::ZoneFile { zone, outcome } => {
                if let Some(zone) = self.zones.get_mut(&zone) {
                    zone.file(now, outcome, &mut effects);
                }
            }
            Input::Keys { zone, outcome } => {
                if let Some(zone) = self.zones.get_mut(&zone) {
                    zone.keys(clock, outcome, &mut effects);
                }
            }
            Input::KeysMade { zone, outcome } => {
                if let Some(zone) = self.zones.get_mut(&zone) {
                    zone.keys_made(clock, outcome, &mut effects);
                }
            }
            Input::AtParent { zone, outcome } => {
                if let Some(zone) = self.zones.get_mut(&zone) {
                    zone.at_parent(clock, outcome, &mut effects);
                }
            }
            Input::Certificate { service, file, outcome } => {
                if let Some(service) = self.services.get_mut(&service) {
                    service.file(now, file, outcome, &mut effects);
                }
            }
            Input::NextMade { service, index, outcome } => {
                if let Some(service) = self.services.get_mut(&service) {
                    service.next_made(now, index, outcome, &mut effects);
                }
            }
            Input::Made { zone, id, outcome } => {
                if let Some(zone) = self.zones.get_mut(&zone) {
                    zone.made(clock, id, *outcome, &mut effects);
                }
            }
            Input::Update { zone, id, update } => match self.zones.get_mut(&zone) {
                Some(zone) => zone.update(id, update, &mut effects),
                None => effects.push(Effect::Updated { id, rcode: Rcode::SERVFAIL }),
            },
            Input::Persisted { id, outcome } => self.persisted(id, &outcome, &mut effects),
            Input::Secondary { zone, remote, address, outcome } => {
                if let Some(zone) = self.zones.get_mut(&zone) {
                    zone.secondary(now, &remote, address, outcome, &mut effects);
                }
            }
            Input::Answered { question, outcome } => self.answered(clock, &question, &outcome),
            Input::Presented { visit, outcome } => {
                if let Some(service) = self.services.get_mut(&visit.service) {
                    service.presented(now, &visit, outcome, &mut effects);
                }
            }
            Input::AtGate { service, wanted, except } => {
                if let Some(service) = self.services.get_mut(&service) {
                    service.at_gate(now, wanted.as_deref(), &except, &mut effects);
                }
            }
            Input::Compromised { service } => {
                if let Some(service) = self.services.get_mut(&service) {
                    service.compromised(now, &mut effects);
                }
            }
            Input::ClockSetAhead(by) => {
                if self.restored.is_some() {
                    self.ahead_of_restored = self.ahead_of_restored + by;
                }
                for service in self.services.values_mut() {
                    service.clock_was_set_ahead(by);
                }
                for zone in self.zones.values_mut() {
                    zone.clock_was_set_ahead(by, now);
                }
            }
            Input::Refreshed { zone, id, outcome, chance } => {
                if let Some(zone) = self.zones.get_mut(&zone) {
                    zone.refreshed(clock, id, outcome, chance, &mut effects);
                }
            }
            Input::Notified { zone, from, serial } => {
                if let Some(zone) = self.zones.get_mut(&zone) {
                    zone.notified(clock, from, serial);
                }
            }
            Input::Transferred { zone, clients } => {
                if let Some(zone) = self.zones.get_mut(&zone) {
                    zone.transferred(clients);
                }
            }
            Input::ServerCertificate { presented, problem } => {
                self.presented = presented;
                self.alarm(SERVER_CERTIFICATE, now, problem, &mut effects);
            }
            Input::MxHosts(hosts) => self.mx_hosts = hosts,
            Input::TlsReport(report) => {
                let (domains, zones, services) = (&self.domains, &self.zones, &self.services);
                let is_domain = |name: &Name| domains.contains_key(name) || zones.contains_key(name);
                let report = report.as_deref().map_err(|error| *error);
                self.reports.take(report, is_domain, |host| service_of(services, host));
            }
            Input::ConfigRefused(problems) => {
                let text = format!("the new configuration is refused, the old one stays: {problems}");
                self.alarm(CONFIG, now, Some(text), &mut effects);
            }
            Input::NotifyAgain { zone } => {
                if let Some(serial) = self.zones.get(&zone).and_then(Zone::serial) {
                    effects.push(Effect::Notify { zone, serial });
                }
            }
            Input::Reread { zone } => {
                self.read_again(&zone, true, &signal::managed(&self.zones), &mut effects);
            }
            Input::Tick => {}
        }
        self.go_on(&mut effects);
        effects
    }

    /// Raises an alarm that concerns all of danelaw and began `now`, or ends it.
    fn alarm(&mut self, topic: &str, now: Timestamp, text: Option<String>, effects: &mut Vec<Effect>) {
        match text {
            None => drop(self.alarms.clear(topic)),
            Some(text) => {
                if self.alarms.raise(topic, now, text.clone()) {
                    effects.push(Effect::Log { level: Level::Error, line: text });
                }
            }
        }
    }

    /// Raises the alarm for a certificate of the encrypted listeners that was not renewed.
    fn watch_presented(&mut self, effects: &mut Vec<Effect>) {
        let complaint = self.presented.as_ref().and_then(|Presented { file, validity }| {
            let complaint = validity.complaint(self.clock.latest)?;
            let consequence = if self.clock.latest < validity.not_after { "from then on " } else { "" };
            let file = file.display();
            Some(format!("{file} {complaint}; {consequence}clients of the encrypted listeners refuse it"))
        });
        self.alarm(CERTIFICATE_EXPIRY, self.clock.latest, complaint, effects);
    }

    /// Time that runs backwards is an alarm, not time.
    fn settle_clock(&mut self, now: Timestamp, effects: &mut Vec<Effect>) {
        let Now { latest, .. } = self.clock;
        if now + CLOCK_TOLERANCE < latest {
            let text = format!(
                "the clock stepped back from {latest} to {now}; waits go by the former, and signatures hold at both"
            );
            self.alarm(CLOCK, now, Some(text), effects);
        } else if now >= latest {
            self.alarms.clear(CLOCK);
        }
        self.clock = Now { shown: now, latest: latest.max(now) };
    }

    fn configure(&mut self, now: Timestamp, config: &Arc<Config>, effects: &mut Vec<Effect>) {
        let gone: Vec<Name> =
            self.zones.keys().filter(|name| !config.zones.contains_key(*name)).cloned().collect();
        for zone in gone {
            if let Some(mut gone) = self.zones.remove(&zone) {
                gone.refuse_updates(effects);
            }
            self.removed_zones.push(zone);
        }
        let gone: Vec<String> =
            self.services.keys().filter(|name| !config.services.contains_key(*name)).cloned().collect();
        let mut pasts = Vec::new();
        for name in gone {
            pasts.extend(self.services.remove(&name).map(Service::into_past));
            self.removed_services.push(name);
        }
        self.alarms.clear(CONFIG);
        let restored = self.restored.take().unwrap_or_default();
        let ahead = std::mem::take(&mut self.ahead_of_restored);
        let mut stored_zones: BTreeMap<Name, _> =
            restored.zones.into_iter().map(|zone| (zone.snapshot.origin().clone(), zone)).collect();
        let mut stored_services = restored.services;
        let renamed = stored_services.iter().filter(|(name, _)| !config.services.contains_key(*name));
        pasts.extend(renamed.filter_map(|(name, state)| service::read(name, state).ok()));
        for service in config.services.values() {
            if let Some(known) = self.services.get_mut(&service.name) {
                known.configure(now, service.clone(), effects);
                continue;
            }
            let mut new = Service::new(service.clone());
            if let Some(state) = stored_services.remove(&service.name) {
                new.restore(now, &state, ahead, effects);
            } else if let Some(at) = pasts.iter().position(|past| new.was(past)) {
                new.go_on_from(now, pasts.swap_remove(at), ahead, effects);
            }
            self.services.insert(service.name.clone(), new);
        }
        self.domains.clone_from(&config.domains);
        for zone in config.zones.values() {
            if let Some(known) = self.zones.get_mut(&zone.origin) {
                known.configure(now, zone.clone());
            } else {
                let mut new = Zone::new(zone.clone(), self.zones_made * JOBS_OF_A_ZONE);
                self.zones_made += 1;
                if let Some(stored) = stored_zones.remove(&zone.origin) {
                    new.restore(now, stored, ahead, effects);
                }
                self.zones.insert(zone.origin.clone(), new);
            }
        }
        let (domains, zones, services) = (&self.domains, &self.zones, &self.services);
        let is_domain = |name: &Name| domains.contains_key(name) || zones.contains_key(name);
        self.reports.keep(is_domain, |host| service_of(services, host));
        // What the configuration no longer names goes from the state, too.
        self.removed_zones.extend(stored_zones.into_keys());
        self.removed_services.extend(stored_services.into_keys());
        effects.push(Effect::Watch);
        self.look_around = true;
        let signals = signal::managed(&self.zones);
        for zone in config.zones.keys() {
            self.read_again(zone, false, &signals, effects);
        }
    }

    /// Asks for a zone's keys to be read, lists the members of a catalog, and asks for a zone's file, or what its primary
    /// has: all of that if `whole`.
    fn read_again(&mut self, zone: &Name, whole: bool, signals: &Signals, effects: &mut Vec<Effect>) {
        let now = self.clock.latest;
        let services = self.services.values().map(|service| &service.config);
        let signals = signals.get(zone).into_iter().flatten().map(Managed::rrset);
        let managed: ManagedRrsets =
            managed_in(services, self.domains.values(), zone).chain(signals).collect();
        if let Some(known) = self.zones.get_mut(zone) {
            if known.is_signed_here() {
                effects.push(Effect::ReadKeys { zone: zone.clone() });
            }
            known.refresh_soon(whole, &managed);
            known.list_members(now, effects);
            effects.extend(known.reading(managed).map(Effect::ReadZone));
        }
    }

    fn persisted(&mut self, id: u64, outcome: &Result<(), String>, effects: &mut Vec<Effect>) {
        let Storing { services, removed_zones, removed_services } =
            self.storing.remove(&id).unwrap_or_default();
        match outcome {
            Ok(()) => {
                self.store_again = None;
                self.alarms.clear(STATE);
            }
            Err(reason) => {
                for name in services {
                    if let Some(service) = self.services.get_mut(&name) {
                        service.unstored = true;
                    }
                }
                // What has been put back since is written as a whole with its own first commit.
                let zones = removed_zones.into_iter().filter(|name| !self.zones.contains_key(name));
                self.removed_zones.extend(zones);
                let names = removed_services.into_iter().filter(|name| !self.services.contains_key(name));
                self.removed_services.extend(names);
                self.store_again = Some(self.clock.shown + RETRY);
                let text = format!("the state cannot be stored: {reason}; it is tried again every {RETRY}");
                // A zone speaks for itself.
                let concerns_zone = self.zones.values().any(|zone| zone.is_storing(id));
                if !concerns_zone {
                    self.alarm(STATE, self.clock.latest, Some(text), effects);
                }
            }
        }
        for zone in self.zones.values_mut() {
            zone.stored(self.clock, id, outcome, effects);
        }
    }

    /// What follows from whatever happened.
    fn go_on(&mut self, effects: &mut Vec<Effect>) {
        let clock = self.clock;
        let now = clock.latest;
        for service in self.services.values_mut() {
            service.tick(now);
            service.make_next(now, effects);
        }
        let mut left = Vec::new();
        for (name, zone) in &mut self.zones {
            if zone.settle_keys(clock, effects) {
                if std::mem::take(&mut zone.key_work.left) {
                    left.push(name.clone());
                }
                let watched = (zone.awaits_nameservers(), zone.awaits_parent());
                self.look_around |= std::mem::replace(&mut zone.key_work.watched, watched) != watched;
            }
        }
        let managed = self.managed();
        self.waiting = self.waiting_catalogs();
        for (name, zone) in &mut self.zones {
            zone.read_keys_again(clock, effects);
            let managed = managed.get(name).map_or(&[][..], Vec::as_slice);
            if zone.wants_refresh(clock) {
                zone.refresh(clock, &managed.iter().map(Managed::rrset).collect(), effects);
            }
            zone.watch_expiry(clock, effects);
            if !self.waiting.contains_key(name) {
                zone.consider(clock, managed, effects);
            }
            zone.watch_signatures(clock, effects);
        }
        for name in left {
            self.read_again(&name, true, &signal::managed(&self.zones), effects);
        }
        for service in self.services.values_mut() {
            let served = service
                .managed()
                .all(|(name, managed)| self.zones.get(&name).is_some_and(|zone| zone.serves(&managed)));
            service.is_served(now, served);
        }
        self.look_outside(effects);
        for service in self.services.values_mut() {
            service.watch_records(now, effects);
        }
        self.watch_presented(effects);
        self.watch_signals(effects);
        self.persist(effects);
    }

    /// A secondary that sees a zone in its new catalog first takes it for another's, and drops it with the old one. So
    /// the old one tells every secondary that the zone moves (RFC 9432 §4.3.1) before the new one lists it.
    fn waiting_catalogs(&self) -> BTreeMap<Name, Timestamp> {
        let now = self.clock.latest;
        let waits = |(name, zone): (&Name, &Zone)| {
            let sources = zone.sources_of_arrivals().filter_map(|source| self.zones.get(source));
            let until = sources.filter_map(|source| source.seen_by_all_at(now)).max()?;
            Some((name.clone(), until))
        };
        self.zones.iter().filter_map(waits).collect()
    }

    /// Everything that waits to be durable goes into one commit.
    fn persist(&mut self, effects: &mut Vec<Effect>) {
        let id = self.commits + 1;
        let again = self.store_again.is_none_or(|at| self.clock.is_time_to_retry(at, RETRY));
        let zones: Vec<_> = self.zones.values_mut().filter_map(|zone| zone.wants_stored(id, again)).collect();
        if zones.is_empty() && !again {
            return;
        }
        let mut storing = Storing {
            services: Vec::new(),
            removed_zones: std::mem::take(&mut self.removed_zones),
            removed_services: std::mem::take(&mut self.removed_services),
        };
        let removed_zones = storing.removed_zones.clone();
        let mut commit = Commit { zones, services: Vec::new(), removed_zones };
        commit.services.extend(storing.removed_services.iter().cloned().map(ServiceCommit::Remove));
        let busy = !self.storing.is_empty();
        for (name, service) in &mut self.services {
            // A rollover that changed a record is stored with a version, if possible the one that has the record.
            let due = service.unstored && (!commit.zones.is_empty() || !busy && !service.is_pending());
            if due {
                service.unstored = false;
                storing.services.push(name.clone());
                commit.services.extend(service.stored());
            }
        }
        if commit.is_empty() {
            self.store_again = None;
            return;
        }
        self.commits = id;
        self.store_again = None;
        self.storing.insert(id, storing);
        effects.push(Effect::Persist { id, commit: Box::new(commit) });
    }

    /// The RRsets that danelaw keeps, by zone; services that share an owner share its RRset.
    fn managed(&self) -> BTreeMap<Name, Vec<Managed>> {
        let mut all: BTreeMap<(Name, (Name, Rtype)), Managed> = BTreeMap::new();
        let of_domains = self
            .domains
            .values()
            .flat_map(|each| domain::managed(each).map(|rrset| (each.zone.clone(), rrset)));
        let signals = signal::managed(&self.zones).into_iter();
        let signals = signals.flat_map(|(zone, all)| all.into_iter().map(move |each| (zone.clone(), each)));
        let of_services = self.services.values().flat_map(Service::managed);
        for (zone, managed) in of_services.chain(of_domains).chain(signals) {
            match all.get_mut(&(zone.clone(), managed.rrset())) {
                Some(shared) => {
                    shared.ttl = shared.ttl.min(managed.ttl);
                    shared.rdatas.extend(managed.rdatas);
                    shared.rdatas.sort_unstable();
                    shared.rdatas.dedup();
                }
                None => drop(all.insert((zone, managed.rrset()), managed)),
            }
        }
        let mut zones: BTreeMap<Name, Vec<Managed>> = BTreeMap::new();
        for ((zone, _), managed) in all {
            zones.entry(zone).or_default().push(managed);
        }
        zones
    }

    /// Has next keys of a service made because somebody asks; `None` if there is no such service.
    pub fn make_next(&mut self, service: &str, force: bool) -> Option<Result<Vec<MakeNext>, NotMade>> {
        Some(self.services.get_mut(service)?.asked_for_next(force))
    }

    /// Whether all that it was told of services and keys is durable: nothing of it waits to be stored.
    pub fn is_durable(&self) -> bool {
        let waits = self.services.values().any(|service| service.unstored)
            || self.zones.values().any(Zone::has_record_to_store);
        self.restored.is_none() && self.storing.is_empty() && !waits
    }

    /// Whether a version of the zone is being made or stored.
    pub fn is_busy(&self, zone: &Name) -> bool {
        self.zones.get(zone).is_some_and(Zone::is_busy)
    }

    /// Whether what is wanted, or what the files of a service hold, may be deployed. First tell
    /// [`Input::AtGate`]. `None` if it is not a service.
    pub fn gate(&self, service: &str, wanted: Option<&[u8]>) -> Option<GateStatus> {
        let status = self.services.get(service)?.gate(wanted);
        Some(status)
    }

    /// Does what a person wants of a zone's keys, and says what comes of it; `None` if there is no such zone. Then tell
    /// [`Input::Tick`].
    pub fn order_key(&mut self, zone: &Name, order: KeyOrder) -> Option<Result<String, RollError>> {
        let now = self.clock.latest;
        Some(self.zones.get_mut(zone)?.order_key(order, now))
    }

    /// What withdrawing the keys in use would mean; `None` if it is not a service.
    pub fn cost_of_compromise(&self, service: &str) -> Option<String> {
        Some(self.services.get(service)?.cost_of_compromise())
    }

    /// What was refused of a zone's file, keys and policy, each with the zone's name in front.
    pub fn refusals_of(&self, zone: &Name) -> Vec<String> {
        let refusals = self.zones.get(zone).into_iter().flat_map(Zone::refusals);
        refusals.map(|refusal| format!("{zone}: {refusal}")).collect()
    }

    /// What is wrong with the names of nameservers that nobody is to wait for.
    pub fn strangers(&self, service: &str, except: &BTreeSet<Arc<str>>) -> Option<Strangers> {
        self.services.get(service)?.strangers(except)
    }

    /// When the engine wants a [`Input::Tick`] at the latest.
    pub fn wake_at(&self) -> Timestamp {
        let zones = self.zones.values().map(|zone| zone.wake_at(self.clock));
        let services = self.services.values().filter_map(Service::wake_at);
        let presented = self.presented.as_ref().and_then(|each| each.validity.next_change(self.clock.latest));
        let waiting = self.waiting.values().copied();
        zones
            .chain(services)
            .chain(waiting)
            .chain(self.store_again)
            .chain(presented)
            .min()
            .unwrap_or(Timestamp::NEVER)
    }

    /// What is well, and should be known all the same.
    fn advice(&self) -> Vec<AdviceStatus> {
        let zones = self.zones.values().filter_map(|zone| Some((&zone.config, zone.snapshot()?.contents())));
        let facts = Facts {
            now: self.clock.latest,
            zones: zones.collect(),
            services: self.services.values().map(Service::facts).collect(),
            domains: self.domains.values().collect(),
            mx_hosts: &self.mx_hosts,
        };
        let advice = facts.advice().into_iter();
        let advice = advice.map(|Advice { about, text }| AdviceStatus { about, text });
        let seen = self.services.iter().flat_map(|(name, service)| {
            service.advice().into_iter().map(|text| AdviceStatus { about: name.clone(), text })
        });
        advice.chain(seen).collect()
    }

    /// What is served, what is pending, until when, why.
    pub fn status(&self) -> Status {
        let status = |zone: &Zone| ZoneStatus { signals: self.signals(zone), ..zone.status(self.clock) };
        let zones: Vec<_> = self.zones.values().map(status).collect();
        let services: Vec<_> = self.services.values().map(Service::status).collect();
        let well = self.alarms.is_empty()
            && zones.iter().all(|zone| zone.alarms.is_empty() && zone.serial.is_some())
            && services.iter().all(|service| service.alarms.is_empty());
        Status {
            well,
            now: self.clock.shown,
            process: None,
            alarms: status::alarms(&self.alarms),
            listen_certificate: self.presented.as_ref().map(|Presented { file, validity }| {
                CertificateStatus { file: file.display().to_string(), expires: validity.not_after }
            }),
            zones,
            services,
            advice: self.advice(),
            tls_reports: self.reports.status(),
            rate_limit: None,
        }
    }
}
