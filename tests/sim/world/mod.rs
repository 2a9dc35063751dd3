//! The engine, and everything that it meets, with virtual time.
//!
//! The world does what the host does for the engine, and jumps from one thing that happens to the next. Nothing
//! here reads a clock; a year takes moments. After every step it holds what it sees against the invariants, see
//! [`invariants`].

mod files;
mod ghosts;
mod invariants;
mod lookout;
mod outside;
mod parents;
mod primaries;
mod records;
mod tls;
mod validator;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use danelaw::config::Config;
use danelaw::dns::message::Rcode;
use danelaw::dns::name::Name;
use danelaw::dns::rtype::Rtype;
use danelaw::dns::time::{Now, Seconds, Timestamp};
use danelaw::dnssec::key::SigningKey;
use danelaw::dnssec::keyset::Timing;
use danelaw::dnssec::lifecycle::DsRrset;
use danelaw::engine::outside::{Lookout, Question};
use danelaw::engine::status::GateStatus;
use danelaw::engine::{Effect, Engine, Input, Level, Made};
use danelaw::state::Store;
use danelaw::zone::{History, Serial};
use ring::rand::SystemRandom;

use super::disk::{Disk, Fault, Survival};
pub(crate) use ghosts::Failure;
pub(crate) use outside::{Resolver, Secondary, Served};
pub(crate) use parents::{Judge, ParentServer};
pub(crate) use primaries::{State, Upstream};
pub(crate) use records::zone;
pub(crate) use tls::Cert;

/// 2026-11-22T00:00:00Z.
pub(crate) const DAY_0: Timestamp = Timestamp(1_795_305_600);

/// Everything.
#[expect(clippy::struct_excessive_bools, reason = "each is a wish of a test of its own")]
pub(crate) struct World {
    pub(crate) now: Timestamp,
    /// How far the clock of danelaw's machine is ahead of the true time, in seconds.
    pub(crate) clock_ahead: i64,
    /// How far ahead it was when the host last looked at its clocks.
    noticed_ahead: i64,
    /// The times that the engine was told.
    told: Now,
    /// Those at which the version of each zone was made that was made last: it may be published later.
    made: BTreeMap<Name, Now>,
    /// `None` while danelaw is down.
    engine: Option<Engine>,
    /// Its machine sleeps: it takes nothing in, and loses nothing.
    asleep: bool,
    /// Somebody has asked for a reload meanwhile.
    reload_waits: bool,
    config: Arc<Config>,
    zone_files: BTreeMap<Name, String>,
    files: BTreeMap<PathBuf, Result<Vec<u8>, String>>,
    pub(crate) keys: BTreeMap<Name, Vec<KeyFile>>,
    /// Why the key directory cannot be read, if it cannot.
    pub(crate) keys_unreadable: Option<String>,
    pub(crate) keys_made: usize,
    /// The next keys that danelaw has made, each with the certificate that will be granted.
    pub(crate) next_made: Vec<Cert>,
    /// Why none can be made.
    pub(crate) next_fails: Option<String>,
    pub(crate) disk: Disk,
    store: Option<Store>,
    /// The first write that fails takes the power with it.
    power_goes_with_the_disk: bool,
    inputs: VecDeque<Input>,
    /// Steps of the engine since time last passed.
    steps: usize,
    events: BTreeMap<(Timestamp, u64), Event>,
    count: u64,
    life: u64,
    /// What danelaw serves.
    pub(crate) primary: BTreeMap<Name, Arc<Served>>,
    /// What came before what it serves, for incremental transfers.
    pub(crate) journals: BTreeMap<Name, Arc<History>>,
    /// How many transfers were incremental.
    pub(crate) incremental: usize,
    /// What it served last, before it went down too.
    history: BTreeMap<Name, Arc<Served>>,
    pub(crate) secondaries: Vec<Secondary>,
    resolvers: Vec<Resolver>,
    /// How many there are to be.
    pub(crate) resolver_count: usize,
    /// When a TLSA record was first published, and when it went.
    tlsa: BTreeMap<Vec<u8>, (Timestamp, Option<Timestamp>)>,
    /// What each endpoint of a service presents.
    servers: BTreeMap<String, Vec<Vec<Cert>>>,
    /// Whom the host looks at.
    pub(crate) lookout: Arc<Lookout>,
    /// What the engine was told last of each nameserver.
    answered_before: BTreeMap<Question, lookout::Told>,
    /// What the parents of zones have; nothing where there is none.
    pub(crate) parents: BTreeMap<Name, Vec<ParentServer>>,
    /// What the engine was told last of each parent.
    parents_told: BTreeMap<Name, Result<Vec<DsRrset>, String>>,
    /// What validators make of a zone whose keys are rolled.
    pub(crate) judge: Judge,
    /// What is stored is not read back: the test is not about the disk.
    pub(crate) quick_disk: bool,
    /// Until then no endpoint can be looked at from where danelaw is; its clients see them all the same.
    pub(crate) unreachable_until: Timestamp,
    /// Until when a service may present what a cache does not vouch for.
    outages: BTreeMap<String, Timestamp>,
    /// What caches may hold although nobody serves it any more; kept where `haunted`.
    ghosts: Vec<ghosts::Ghost>,
    /// Caches are taken to know whatever they can know, to the last second.
    pub(crate) haunted: bool,
    /// When a client with some cache failed.
    pub(crate) failures: Vec<Failure>,
    /// What happened, for people.
    pub(crate) story: Vec<(Timestamp, String)>,
    /// How often a client met a key that its cache did not vouch for.
    pub(crate) mismatches: usize,
    /// Every signature is verified here, too, and not in the engine only.
    pub(crate) thorough: bool,
    /// Served signatures may expire: the test is about what cannot be prevented.
    pub(crate) may_expire: bool,
    /// Not only new zone files take long.
    pub(crate) slow_always: bool,
    /// How long a version takes to be made.
    pub(crate) slow: BTreeMap<Name, Seconds>,
    pub(crate) versions: Vec<Version>,
    pub(crate) notified: Vec<(Timestamp, Name, Serial)>,
    /// What was said of updates.
    pub(crate) answered: Vec<(Timestamp, u64, Rcode)>,
    pub(crate) log: Vec<(Timestamp, Level, String)>,
    /// What the primaries of zones that come from one have.
    pub(crate) upstream: BTreeMap<Name, Upstream>,
    random: u64,
}

/// A key as its files have it.
pub(crate) struct KeyFile {
    pub(crate) key: Arc<SigningKey>,
    pub(crate) timing: Timing,
    pub(crate) missing: bool,
}

/// A version that was published.
pub(crate) struct Version {
    pub(crate) at: Timestamp,
    pub(crate) zone: Name,
    pub(crate) serial: Serial,
    /// How many signatures it has that the version before had not.
    pub(crate) signatures: usize,
}

enum Event {
    /// Tells the engine, unless it is another one by then.
    Input(u64, Box<Input>),
    /// A secondary looks for a new version. `true`: of its own accord, and again later.
    Fetch(usize, bool),
    /// A resolver asks for what it does not know.
    Ask(usize),
    /// The host asks nameservers.
    Questions,
    /// The host looks at endpoints.
    Visits,
    /// The host asks parents for DS records.
    Parents,
    Happening(Box<dyn FnOnce(&mut World)>),
}

impl World {
    /// A world at [`DAY_0`] with this configuration. Nothing runs yet.
    pub(crate) fn new(config: &str) -> Self {
        let config = parse(config);
        let secondaries = config.remotes.values().map(|remote| Secondary {
            name: remote.name.clone(),
            address: remote.addresses[0],
            delay: Seconds(2),
            cut_off: Timestamp(0),
            retired: false,
            dead_until: Timestamp(0),
            zones: BTreeMap::new(),
        });
        Self {
            now: DAY_0,
            clock_ahead: 0,
            noticed_ahead: 0,
            told: Now::default(),
            made: BTreeMap::new(),
            engine: None,
            asleep: false,
            reload_waits: false,
            secondaries: secondaries.collect(),
            config,
            zone_files: BTreeMap::new(),
            files: BTreeMap::new(),
            keys: BTreeMap::new(),
            keys_unreadable: None,
            keys_made: 0,
            next_made: Vec::new(),
            next_fails: None,
            disk: Disk::default(),
            store: None,
            power_goes_with_the_disk: false,
            inputs: VecDeque::new(),
            steps: 0,
            events: BTreeMap::new(),
            count: 0,
            life: 0,
            primary: BTreeMap::new(),
            journals: BTreeMap::new(),
            incremental: 0,
            history: BTreeMap::new(),
            resolvers: Vec::new(),
            resolver_count: 4,
            tlsa: BTreeMap::new(),
            servers: BTreeMap::new(),
            lookout: Arc::default(),
            answered_before: BTreeMap::new(),
            parents: BTreeMap::new(),
            parents_told: BTreeMap::new(),
            judge: Judge::default(),
            quick_disk: false,
            unreachable_until: Timestamp(0),
            outages: BTreeMap::new(),
            ghosts: Vec::new(),
            haunted: false,
            failures: Vec::new(),
            story: Vec::new(),
            mismatches: 0,
            thorough: true,
            may_expire: false,
            slow_always: false,
            slow: BTreeMap::new(),
            versions: Vec::new(),
            notified: Vec::new(),
            answered: Vec::new(),
            log: Vec::new(),
            upstream: BTreeMap::new(),
            random: 0x9e37_79b9_7f4a_7c15,
        }
    }

    /// Another course of what is left to chance.
    pub(crate) fn seed(&mut self, seed: u64) {
        self.random ^= seed.wrapping_mul(0xd134_2543_de82_ef95);
    }

    /// Starts danelaw on what the disk holds.
    pub(crate) fn start(&mut self) {
        self.life += 1;
        // What starts is awake.
        self.asleep = false;
        self.engine = Some(Engine::new());
        self.told = Now::default();
        self.noticed_ahead = self.clock_ahead;
        if self.life == 1 {
            // The host makes the file beside its place: a crash leaves none or a whole one.
            let disk = Disk::default();
            Store::open(disk.clone()).and_then(Store::close).unwrap();
            self.disk.become_copy_of(&disk);
        }
        // Power that goes while a state is opened.
        let loaded = Store::open(self.disk.clone()).and_then(|mut store| {
            let loaded = store.load()?;
            self.store = Some(store);
            Ok(loaded)
        });
        let Ok(loaded) = loaded else {
            assert!(self.power_goes_with_the_disk, "the state cannot be opened: {:?}", loaded.err());
            return self.lose_power();
        };
        if self.life == 1 {
            self.begin_life_outside();
        }
        self.tell(Input::Restored(loaded));
        self.configure();
    }

    fn begin_life_outside(&mut self) {
        for index in 0..self.secondaries.len() {
            self.schedule(self.now + Seconds(1), Event::Fetch(index, true));
        }
        for index in 0..self.resolver_count {
            self.resolvers.push(Resolver::default());
            self.schedule(self.now + Seconds(5 + index as u64), Event::Ask(index));
        }
    }

    /// Takes another configuration, as at a reload.
    pub(crate) fn reload(&mut self, config: &str) {
        self.config = parse(config);
        let config = Arc::clone(&self.config);
        self.history.retain(|zone, _| config.zones.contains_key(zone));
        self.primary.retain(|zone, _| config.zones.contains_key(zone));
        self.configure();
    }

    fn configure(&mut self) {
        let config = Arc::clone(&self.config);
        if self.engine.is_none() {
            return;
        }
        if self.asleep {
            self.reload_waits = true;
            return;
        }
        let effects = self.step(Input::Config(config));
        // As the host does: certificates first, so that the first version of a zone has its TLSA records.
        for input in self.look_at_files(|_| true) {
            self.tell(input);
        }
        for effect in effects {
            self.perform(effect);
        }
        self.settle();
    }

    /// The power goes and comes back after `span`; of the last writes the disk has what `survival` says.
    pub(crate) fn crash_and_restart(&mut self, survival: Survival, span: Seconds) {
        self.crash(survival);
        self.run_for(span);
        self.start();
    }

    pub(crate) fn crash(&mut self, survival: Survival) {
        let disk = self.disk.crash(survival);
        self.lose_power();
        self.disk = disk;
    }

    fn lose_power(&mut self) {
        self.engine = None;
        self.store = None;
        self.inputs.clear();
        self.primary.clear();
        self.upstream.values_mut().for_each(|upstream| upstream.asking = 0);
        self.power_goes_with_the_disk = false;
    }

    /// Whether danelaw runs.
    pub(crate) fn is_up(&self) -> bool {
        self.engine.is_some()
    }

    /// The power goes at this operation of the disk.
    pub(crate) fn lose_power_at(&mut self, operation: u64, fault: Fault) {
        self.disk.fail_at(operation, fault);
        self.power_goes_with_the_disk = true;
    }

    // --- services ---

    /// The service presents what it was given, one certificate a slot.
    pub(crate) fn present(&mut self, service: &str, certificates: &[Cert]) {
        let endpoints = self.config.services[service].endpoints.len();
        self.servers.insert(service.to_owned(), vec![certificates.to_vec(); endpoints]);
        self.visit_soon();
        self.check_caches();
    }

    /// One of its endpoints presents something else in one of its slots.
    pub(crate) fn replace_at(&mut self, service: &str, endpoint: usize, slot: usize, certificate: Cert) {
        self.servers.get_mut(service).unwrap()[endpoint][slot] = certificate;
        self.visit_soon();
        self.check_caches();
    }

    /// For so long, caches may lack what the service presents: nobody announced it.
    pub(crate) fn allow_outage(&mut self, service: &str, span: Seconds) {
        self.outages.insert(service.to_owned(), self.now + span);
    }

    /// The TLSA records that danelaw serves for a service.
    pub(crate) fn published(&self, service: &str) -> Vec<Vec<u8>> {
        let endpoint = &self.config.services[service].endpoints[0];
        let served = self.primary.get(&endpoint.zone);
        served
            .and_then(|served| served.rrset(endpoint.owner(), Rtype::TLSA))
            .map_or(Vec::new(), |(_, rdatas)| rdatas)
    }

    /// Whether danelaw serves exactly the records of these certificates.
    pub(crate) fn publishes(&self, service: &str, certificates: &[&Cert]) -> bool {
        let mut wanted: Vec<_> = certificates.iter().map(|certificate| certificate.tlsa()).collect();
        wanted.sort();
        self.published(service) == wanted
    }

    /// When the record of this certificate was first published.
    pub(crate) fn since(&self, certificate: &Cert) -> Timestamp {
        self.tlsa[&certificate.tlsa()].0
    }

    /// When it went.
    pub(crate) fn dropped(&self, certificate: &Cert) -> Option<Timestamp> {
        self.tlsa[&certificate.tlsa()].1
    }

    // --- what danelaw says ---

    /// Every alarm.
    pub(crate) fn alarms(&self) -> Vec<String> {
        let status = self.engine.as_ref().unwrap().status();
        let zones = status.zones.into_iter().flat_map(|zone| zone.alarms);
        let services = status.services.into_iter().flat_map(|service| service.alarms);
        let all = status.alarms.into_iter().chain(zones).chain(services);
        all.map(|alarm| alarm.text).collect()
    }

    /// What someone should look at in a zone's file.
    pub(crate) fn warnings(&self, zone: &str) -> Vec<String> {
        let zones = self.engine.as_ref().unwrap().status().zones.into_iter();
        zones.filter(|each| each.zone == format!("{zone}.")).flat_map(|zone| zone.warnings).collect()
    }

    /// All advice.
    pub(crate) fn advice(&self) -> Vec<String> {
        let advice = self.engine.as_ref().unwrap().status().advice;
        advice.into_iter().map(|advice| advice.text).collect()
    }

    /// Whether an alarm says this.
    pub(crate) fn alarmed(&self, about: &str) -> bool {
        self.alarms().iter().any(|alarm| alarm.contains(about))
    }

    /// Asks the gate, as `danelaw gate` does; `None` while danelaw is down.
    pub(crate) fn gate(&mut self, service: &str) -> Option<GateStatus> {
        let asked = Input::AtGate { service: service.to_owned(), wanted: None, except: BTreeSet::new() };
        self.tell(asked);
        self.engine.as_ref().filter(|_| !self.asleep).and_then(|engine| engine.gate(service, None))
    }

    /// The serial that danelaw serves.
    pub(crate) fn serial(&self, zone: &str) -> Serial {
        self.primary[&name(zone)].snapshot.serial()
    }

    pub(crate) fn versions_of(&self, zone: &str) -> usize {
        let zone = name(zone);
        self.versions.iter().filter(|version| version.zone == zone).count()
    }

    // --- time ---

    /// Something that will happen.
    pub(crate) fn later(&mut self, after: Seconds, what: impl FnOnce(&mut Self) + 'static) {
        self.schedule(self.now + after, Event::Happening(Box::new(what)));
    }

    /// Lets time pass.
    pub(crate) fn run_for(&mut self, span: Seconds) {
        let end = self.now + span;
        loop {
            let event = self.events.keys().next().map_or(Timestamp::NEVER, |key| key.0);
            let wake = self.wake_at();
            if event.min(wake) > end {
                break;
            }
            self.pass_until(event.min(wake));
            if event <= wake {
                let (_, event) = self.events.pop_first().unwrap();
                self.happen(event);
            } else {
                self.tell(Input::Tick);
            }
            self.check();
        }
        self.pass_until(end);
    }

    /// Danelaw's machine sleeps, and the rest of the world does not.
    pub(crate) fn suspend(&mut self, span: Seconds) {
        self.asleep = true;
        self.run_for(span);
        self.wake();
    }

    /// The same from now on, while this goes on.
    pub(crate) fn suspend_later(&mut self, span: Seconds) {
        self.asleep = true;
        self.later(span, Self::wake);
    }

    fn wake(&mut self) {
        self.asleep = false;
        self.tell(Input::Tick);
        if std::mem::take(&mut self.reload_waits) {
            self.configure();
        }
    }

    fn pass_until(&mut self, when: Timestamp) {
        if when > self.now {
            self.now = when;
            self.steps = 0;
            self.check();
        }
    }

    /// When the engine wants to be woken, in true time.
    fn wake_at(&self) -> Timestamp {
        match self.engine.as_ref().filter(|_| !self.asleep).map(Engine::wake_at) {
            None | Some(Timestamp::NEVER) => Timestamp::NEVER,
            Some(at) => Timestamp(at.0.saturating_add_signed(-self.clock_ahead)).max(self.now),
        }
    }

    fn clock(&self) -> Timestamp {
        Timestamp(self.now.0.saturating_add_signed(self.clock_ahead))
    }

    fn schedule(&mut self, at: Timestamp, event: Event) {
        self.count += 1;
        self.events.insert((at, self.count), event);
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Input(life, input) if life == self.life => self.tell(*input),
            Event::Input(..) => {}
            Event::Fetch(index, again) => self.fetch(index, again),
            Event::Ask(index) => self.ask(index),
            Event::Questions => self.ask_nameservers(),
            Event::Visits => self.visit(),
            Event::Parents => self.ask_parents(),
            Event::Happening(what) => what(self),
        }
    }

    pub(crate) fn chance(&mut self, below: u64) -> u64 {
        self.random =
            self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.random >> 33) % below
    }

    // --- the engine ---

    /// Tells the engine, and does all that follows at once.
    pub(crate) fn tell(&mut self, input: Input) {
        self.inputs.push_back(input);
        self.settle();
    }

    /// Until there is nothing left to tell the engine.
    fn settle(&mut self) {
        if self.asleep {
            return;
        }
        while self.engine.is_some()
            && let Some(input) = self.inputs.pop_front()
        {
            for effect in self.step(input) {
                self.perform(effect);
                if self.engine.is_none() {
                    break;
                }
            }
        }
        self.inputs.clear();
        self.check();
    }

    fn step(&mut self, input: Input) -> Vec<Effect> {
        self.steps += 1;
        assert!(
            self.steps < 2_000,
            "the engine does not come to rest at {}; it wants to be woken at {}",
            self.now,
            self.wake_at()
        );
        let clock = self.clock();
        self.told = Now { shown: clock, latest: self.told.latest.max(clock) };
        let ahead = self.clock_ahead - std::mem::replace(&mut self.noticed_ahead, self.clock_ahead);
        let Some(engine) = &mut self.engine else { return Vec::new() };
        let mut effects = Vec::new();
        // The host sees that the clock went further than the time.
        if ahead >= 5 {
            effects = engine.step(clock, Input::ClockSetAhead(Seconds(ahead as u64)));
        }
        effects.extend(engine.step(clock, input));
        effects
    }

    fn perform(&mut self, effect: Effect) {
        match effect {
            Effect::ReadZone(reading) => {
                let text = self.zone_files.get(&reading.zone).map_or("", String::as_str);
                let outcome = records::read(&reading, text);
                self.inputs.push_back(Input::ZoneFile { zone: reading.zone, outcome });
            }
            Effect::Look(lookout) => self.look_at(lookout),
            Effect::LookAtService(_) => self.visit_within(Seconds(10)),
            Effect::Refresh(refresh) => self.refresh(*refresh),
            Effect::Withdraw { zone } => drop(self.primary.remove(&zone)),
            Effect::ReadKeys { zone } => {
                let outcome = self.read_keys(&zone);
                self.inputs.push_back(Input::Keys { zone, outcome });
            }
            Effect::GenerateKeys { zone, wanted } => {
                self.generate_keys(&zone, &wanted);
                let outcome = self.read_keys(&zone);
                self.inputs.push_back(Input::KeysMade { zone, outcome });
            }
            Effect::EndKeys { zone, keys, at } => self.end_keys(&zone, &keys, at),
            Effect::MakeNext(order) => self.make_next(order),
            Effect::Watch => {
                let looks = self.look_at_files(|_| true);
                self.inputs.extend(looks);
            }
            Effect::Make(job) => {
                let (zone, id) = (job.zone.clone(), job.id);
                self.made.insert(zone.clone(), job.now);
                let previous = job.previous.clone();
                let differs = job.draft.is_some() || self.slow_always;
                let outcome = Box::new(job.run(&SystemRandom::new()));
                if let Ok(Made { version: Some(version), .. }) = &*outcome {
                    invariants::delta(previous.as_deref(), version);
                }
                let slow = self.slow.get(&zone).copied().unwrap_or_default();
                let input = Input::Made { zone, id, outcome };
                if slow == Seconds(0) || !differs {
                    self.inputs.push_back(input);
                } else {
                    self.schedule(self.now + slow, Event::Input(self.life, Box::new(input)));
                }
            }
            Effect::Persist { id, commit } => {
                let outcome = self.store.as_mut().unwrap().commit(&commit).map_err(|error| error.to_string());
                if outcome.is_err() && self.power_goes_with_the_disk {
                    return self.lose_power();
                }
                self.inputs.push_back(Input::Persisted { id, outcome });
            }
            Effect::Publish { version, history } => {
                let zone = version.snapshot().origin().clone();
                self.publish(Arc::clone(version.snapshot()));
                self.journals.insert(zone, history);
            }
            Effect::Notify { zone, serial } => {
                assert_eq!(self.primary[&zone].snapshot.serial(), serial, "NOTIFY of what is not served");
                self.notified.push((self.now, zone, serial));
                for index in 0..self.secondaries.len() {
                    let at = self.now + self.secondaries[index].delay;
                    self.schedule(at, Event::Fetch(index, false));
                }
            }
            // Who reads CDS needs neither.
            Effect::HandOver { .. } | Effect::NotifyParent { .. } => {}
            Effect::Updated { id, rcode } => self.answered.push((self.now, id, rcode)),
            Effect::Log { level, line } => self.log.push((self.now, level, line)),
        }
    }
}

impl Drop for World {
    /// A test that fails tells what led there.
    fn drop(&mut self) {
        if std::thread::panicking() && !self.story.is_empty() {
            let told = self.story.iter().map(|(at, line)| (*at, format!("{at} {line}")));
            let logged = self.log.iter().map(|(at, _, line)| (*at, format!("{at} danelaw: {line}")));
            let mut lines: Vec<_> = told.chain(logged).collect();
            lines.sort_by_key(|(at, _)| *at);
            // Which seed it is, for one.
            let first = lines.first().map(|(_, line)| line.clone()).unwrap_or_default();
            eprintln!("  {first}");
            for (_, line) in &lines[lines.len().saturating_sub(40)..] {
                eprintln!("  {line}");
            }
        }
    }
}

fn parse(config: &str) -> Arc<Config> {
    let parsed = Config::parse(config, "danelaw.yaml", Path::new(DIRECTORY));
    Arc::new(parsed.unwrap_or_else(|problems| panic!("{problems:?}")).0)
}

pub(crate) fn name(text: &str) -> Name {
    Name::parse(text).unwrap()
}

fn file(path: &str) -> PathBuf {
    Path::new(DIRECTORY).join(path)
}

const DIRECTORY: &str = "/etc/danelaw";
