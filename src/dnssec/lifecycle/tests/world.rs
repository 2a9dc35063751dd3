//! A zone, its nameservers, its parent, and all that caches may hold.

use std::fmt::Write;

use super::*;
use crate::dns::name::Name;
use crate::dnssec::key::DigestType;

const DAY_0: Timestamp = Timestamp(1_800_000_000);
const MINUTE: Seconds = Seconds(60);
/// The algorithms that keys are rolled between.
const ALGORITHMS: [u8; 2] = [13, 15];

/// What CDS says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Asked {
    /// There is none: the parent leaves everything as it is.
    None,
    /// The DS RRset is to go.
    Nothing,
    Keys(BTreeSet<KeyId>),
}

/// A version of the zone as far as validators go by it.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Version {
    serial: Serial,
    dnskeys: BTreeSet<KeyId>,
    /// Those that sign the DNSKEY RRset.
    key_signers: BTreeSet<KeyId>,
    /// Those that sign the data; none in an unsigned zone.
    signers: BTreeSet<KeyId>,
    dnskey_ttl: Ttl,
    zone_ttl: Ttl,
}

/// Something that caches hold until then, even if nobody serves it any more.
struct Held<T> {
    what: T,
    until: Timestamp,
}

struct Nameserver {
    version: usize,
    cut_off: Timestamp,
    lag: Seconds,
}

struct Parent {
    ds: BTreeSet<KeyId>,
    cut_off: Timestamp,
}

#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub(super) struct World {
    pub(super) now: Timestamp,
    pub(super) life: Lifecycle,
    pub(super) plan: Plan,
    pub(super) parent_is_deaf: bool,
    pub(super) parent_is_out_of_sight: bool,
    pub(super) bogus_is_expected: bool,
    pub(super) was_bogus: bool,
    pub(super) made_here: bool,
    keys: Vec<PublicKey>,
    versions: Vec<(Timestamp, Version, Asked)>,
    servers: Vec<Nameserver>,
    parents: Vec<Parent>,
    /// DS records there that name no key of the zone.
    strays: BTreeSet<KeyId>,
    /// What the parent found in CDS last, at the nameserver it happened to ask.
    scanned: Option<Asked>,
    /// What it asked for, and when the parent does it.
    order: Option<(Timestamp, BTreeSet<KeyId>)>,
    dnskey_ttl: Ttl,
    zone_ttl: Ttl,
    ds_ttl: Ttl,
    versions_held: Vec<Held<(BTreeSet<KeyId>, BTreeSet<KeyId>)>>,
    data_held: Vec<Held<BTreeSet<KeyId>>>,
    ds_held: Vec<Held<BTreeSet<KeyId>>>,
    by_chance: bool,
    random: u64,
    next_key: u64,
    parent_patience: Seconds,
    /// When something goes wrong next.
    next_mishap: Timestamp,
    /// Somebody gives out what nobody did before.
    is_new: bool,
    seed: u64,
    story: Vec<(Timestamp, String)>,
}

fn apex() -> Name {
    Name::parse("example.test").unwrap()
}

impl World {
    pub(super) fn new(layout: Layout) -> Self {
        Self {
            now: DAY_0,
            life: Lifecycle::default(),
            plan: Plan {
                layout: Some(layout),
                algorithm: Algorithm::EcdsaP256Sha256,
                entry_point_lifetime: None,
                zsk_lifetime: None,
                method: Method::DoubleKsk,
            },
            parent_is_deaf: false,
            parent_is_out_of_sight: false,
            bogus_is_expected: false,
            was_bogus: false,
            made_here: true,
            keys: Vec::new(),
            versions: Vec::new(),
            servers: (0..2).map(|_| Nameserver { version: 0, cut_off: DAY_0, lag: MINUTE }).collect(),
            parents: (0..2).map(|_| Parent { ds: BTreeSet::new(), cut_off: DAY_0 }).collect(),
            strays: BTreeSet::new(),
            scanned: None,
            order: None,
            dnskey_ttl: Ttl(3_600),
            zone_ttl: Ttl(3_600),
            ds_ttl: Ttl(3_600),
            versions_held: Vec::new(),
            data_held: Vec::new(),
            ds_held: Vec::new(),
            by_chance: false,
            random: 0x9e37_79b9_7f4a_7c15,
            next_key: 0,
            parent_patience: HOUR * 6,
            next_mishap: Timestamp::NEVER,
            is_new: true,
            seed: 0,
            story: Vec::new(),
        }
    }

    /// A world in which everything happens.
    pub(super) fn of_chance(seed: u64) -> Self {
        let mut world = Self::new(if seed.is_multiple_of(2) { Layout::Csk } else { Layout::KskZsk });
        world.random ^= seed.wrapping_mul(0xd134_2543_de82_ef95);
        world.by_chance = true;
        world.seed = seed;
        world.next_mishap = DAY_0 + DAY;
        for ttl in [&mut world.dnskey_ttl, &mut world.zone_ttl, &mut world.ds_ttl] {
            let mut next = || {
                world.random = world.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(seed | 1);
                world.random >> 33
            };
            *ttl = Ttl([300, 3_600, 86_400, 604_800][next() as usize % 4]);
        }
        world
    }

    pub(super) fn dnskey_ttl(mut self, ttl: Seconds) -> Self {
        self.dnskey_ttl = Ttl(ttl.0 as u32);
        self
    }

    pub(super) fn zone_ttl(mut self, ttl: Seconds) -> Self {
        self.zone_ttl = Ttl(ttl.0 as u32);
        self
    }

    pub(super) fn ds_ttl(mut self, ttl: Seconds) -> Self {
        self.ds_ttl = Ttl(ttl.0 as u32);
        self
    }

    pub(super) fn set_dnskey_ttl(&mut self, ttl: Ttl) {
        self.dnskey_ttl = ttl;
    }

    pub(super) fn cut_off(&mut self, server: usize, span: Seconds) {
        self.servers[server].cut_off = self.now + span;
    }

    /// Somebody has the parent name a key that is not of the zone, or puts that right.
    pub(super) fn stray_ds(&mut self, is_there: bool) {
        let stray = KeyId { algorithm: self.plan.algorithm.number(), tag: 1 };
        self.strays = is_there.then_some(stray).into_iter().collect();
        for index in 0..self.parents.len() {
            let mut ds = self.parents[index].ds.clone();
            let _ = if is_there { ds.insert(stray) } else { ds.remove(&stray) };
            self.parent_has(index, ds);
        }
    }

    fn parent_has(&mut self, index: usize, ds: BTreeSet<KeyId>) {
        let until = self.now + Seconds::from(self.ds_ttl);
        let had = std::mem::replace(&mut self.parents[index].ds, ds);
        self.ds_held.push(Held { what: had, until });
        self.is_new = true;
    }

    /// The key of a role that is here to stay.
    pub(super) fn key(&self, entry_point: bool) -> KeyId {
        let mut keys =
            self.life.keys().filter(|(_, life)| life.entry_point == entry_point && life.retired.is_none());
        keys.next().unwrap().0
    }

    pub(super) fn youngest(&self) -> KeyId {
        KeyId::of(self.keys.last().unwrap())
    }

    pub(super) fn keys_made(&self) -> usize {
        self.keys.len()
    }

    pub(super) fn asked(&self) -> Asked {
        self.versions.last().unwrap().2.clone()
    }

    /// Of its DNSKEY, its signatures, its DS; nothing once its life is over.
    pub(super) fn states(&self, key: KeyId) -> [&'static str; 3] {
        let life = self.life.keys().find(|(id, _)| *id == key);
        life.map_or([""; 3], |(_, life)| Part::ALL.map(|part| life.phase(part).state.name()))
    }

    /// Somebody rolls the keys of a role.
    pub(super) fn roll(&mut self, entry_point: bool) {
        self.life.roll(entry_point).unwrap();
        self.engine();
    }

    pub(super) fn run_for(&mut self, span: Seconds) {
        let end = self.now + span;
        while self.now < end {
            let soon = self.wakes().min(end);
            self.now = soon.max(self.now + Seconds(1));
            self.step();
        }
    }

    /// When something happens next.
    fn wakes(&mut self) -> Timestamp {
        let newest = self.versions.last().map_or(self.now, |(at, ..)| *at);
        let lags = self.servers.iter().filter(|server| server.version + 1 < self.versions.len());
        let transfer = lags.map(|server| (newest + server.lag).max(server.cut_off)).min();
        let moving = self.life.awaited().is_some() || self.life.for_parent() != (vec![], vec![]);
        let often = if self.by_chance { HOUR * 7 } else { MINUTE * 30 };
        let poll = self.now + if moving { often } else { DAY * 2 };
        let life = self.life.wake_at(&self.plan, self.now);
        let chance = if self.by_chance { self.next_mishap } else { self.now + HOUR };
        let order = self.order.as_ref().map(|(at, _)| (*at).max(self.now + often));
        [Some(life), transfer, Some(poll), order, Some(chance)].into_iter().flatten().min().unwrap()
    }

    fn chance(&mut self, below: u64) -> u64 {
        self.random =
            self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.random >> 33) % below
    }

    fn tell(&mut self, what: String) {
        self.story.push((self.now, what));
    }

    fn step(&mut self) {
        if self.by_chance && self.now >= self.next_mishap {
            self.mishap();
            // Now in quick succession, now after a rest.
            let rest = if self.chance(2) == 0 { 12 } else { 600 };
            self.next_mishap = self.now + HOUR * (1 + self.chance(rest));
        }
        self.transfer();
        if self.by_chance {
            let which = self.chance(2) as usize;
            self.scan(self.servers[which].version);
        }
        self.obey();
        self.look();
        self.engine();
        if std::mem::take(&mut self.is_new) {
            self.check();
        }
    }

    /// A key of the plan's algorithm is there, wherever it comes from.
    pub(super) fn have_key(&mut self, flags: u16) {
        self.make(flags, self.plan.algorithm);
        self.adopt();
    }

    /// The parent has had the DS of this key from the start.
    pub(super) fn was_named(&mut self, key: KeyId) {
        for parent in &mut self.parents {
            parent.ds.insert(key);
        }
    }

    /// The files of the youngest key are gone.
    pub(super) fn lose_youngest(&mut self) {
        self.keys.pop();
        self.adopt();
    }

    pub(super) fn oldest(&self) -> KeyId {
        KeyId::of(&self.keys[0])
    }

    fn make(&mut self, flags: u16, algorithm: Algorithm) {
        let key = loop {
            self.next_key += 2;
            let mut octets = vec![0; if algorithm.number() == 13 { 64 } else { 32 }];
            octets[..8].copy_from_slice(&self.next_key.to_be_bytes());
            let key = PublicKey::new(flags, algorithm, &octets).unwrap();
            if self.keys.iter().all(|other| other.tag() != key.tag()) {
                break key;
            }
        };
        self.keys.push(key);
    }

    /// What danelaw does.
    pub(super) fn engine(&mut self) {
        self.life.settle(&self.plan, self.now);
        for (role, algorithm) in self.life.needs(&self.plan) {
            self.make(role.flags(), algorithm);
            self.tell(format!("{role:?} {} is made", self.youngest()));
        }
        self.adopt();
        let transitions = self.life.transitions(&self.plan, self.now);
        if self.plan.layout.is_none() && (self.life.may_leave() || self.life.is_empty()) {
            if self.life.may_leave() {
                self.life.has_left();
            }
            return self.publish(&[], true);
        }
        self.publish(&transitions, false);
    }

    pub(super) fn adopt(&mut self) {
        self.life.adopt(self.keys.iter().map(|key| (key, Timing::default())), self.made_here, self.now);
    }

    fn publish(&mut self, transitions: &[Transition], unsigned: bool) {
        for each in transitions {
            self.tell(format!("{} {} {}", each.key, each.part.name(), each.state.name()));
        }
        let mut version = Version {
            serial: Serial(self.versions.len() as u32 + 1),
            dnskeys: BTreeSet::new(),
            key_signers: BTreeSet::new(),
            signers: BTreeSet::new(),
            dnskey_ttl: self.dnskey_ttl,
            zone_ttl: self.zone_ttl,
        };
        let mut named = BTreeSet::new();
        for (id, _) in self.life.keys() {
            let duties = self.life.duties(id, transitions);
            if unsigned {
                continue;
            }
            version.dnskeys.extend(duties.published.then_some(id));
            version.key_signers.extend(duties.signs_keys.then_some(id));
            version.signers.extend(duties.signs_data.then_some(id));
            named.extend(duties.submitted.then_some(id));
        }
        let asked = match named {
            _ if self.life.is_leaving() => Asked::Nothing,
            named if named.is_empty() => Asked::None,
            named => Asked::Keys(named),
        };
        let same = self.versions.last().is_some_and(|(_, last, before)| {
            Version { serial: last.serial, ..version.clone() } == *last && *before == asked
        });
        if same {
            assert!(transitions.is_empty(), "{transitions:?} change nothing");
            return;
        }
        self.life.served(version.serial, version.dnskey_ttl, version.zone_ttl);
        self.life.published(transitions, version.serial, self.now);
        self.versions.push((self.now, version, asked));
        if !self.by_chance {
            self.scan(self.versions.len() - 1);
        }
    }

    /// The parent looks at CDS, as this version has it.
    fn scan(&mut self, version: usize) {
        let Some((.., asked)) = self.versions.get(version) else { return };
        if *asked == Asked::None || self.scanned.as_ref() == Some(asked) {
            return;
        }
        let wanted = match asked {
            Asked::Keys(keys) => keys.clone(),
            _ => BTreeSet::new(),
        };
        self.scanned = Some(asked.clone());
        let patience = if self.by_chance { Seconds(self.chance(1_500_000)) } else { self.parent_patience };
        self.order = Some((self.now + patience, wanted));
    }

    /// Nameservers come to have the newest version.
    fn transfer(&mut self) {
        let Some(newest) = self.versions.len().checked_sub(1) else { return };
        for at in 0..self.servers.len() {
            let server = &self.servers[at];
            let due = self.versions[newest].0 + server.lag;
            if server.version < newest && self.now >= due && self.now >= server.cut_off {
                self.is_new = true;
                self.hold_version(server.version);
                self.servers[at].version = newest;
            }
        }
    }

    fn hold_version(&mut self, index: usize) {
        let version = self.versions[index].1.clone();
        let until = |ttl: Ttl| self.now + Seconds::from(ttl);
        let keys = Held { what: (version.dnskeys, version.key_signers), until: until(version.dnskey_ttl) };
        let data = Held { what: version.signers, until: until(version.zone_ttl) };
        self.versions_held.push(keys);
        self.data_held.push(data);
    }

    /// The parent does what CDS asked for, one server after the other.
    fn obey(&mut self) {
        if self.parent_is_deaf {
            return;
        }
        let Some((at, mut wanted)) = self.order.clone() else { return };
        wanted.extend(&self.strays);
        // RFC 8078 §3.3: the first DS is accepted only if CDS has asked for it all the time.
        let is_first = self.parents.iter().all(|parent| parent.ds.is_empty());
        let newest = self.versions.last().map(|(.., asked)| asked);
        if is_first && self.by_chance && newest != self.scanned.as_ref() {
            (self.order, self.scanned) = (None, None);
            return;
        }
        if self.now < at {
            return;
        }
        let mut done = true;
        for index in 0..self.parents.len() {
            if self.parents[index].ds == wanted {
                continue;
            }
            // One server at a time.
            self.is_new = true;
            if !done || self.now < self.parents[index].cut_off {
                done = false;
                continue;
            }
            self.parent_has(index, wanted.clone());
            done = false;
        }
        if done {
            self.tell(format!("the parent has {wanted:?}"));
            self.order = None;
        }
    }

    /// What danelaw sees of its nameservers and of the parent.
    fn look(&mut self) {
        if self.versions.is_empty() {
            return;
        }
        let serials = self.servers.iter().map(|server| self.versions[server.version].1.serial);
        let oldest = serials.reduce(|a, b| if a < b { a } else { b });
        self.life.seen(oldest, self.now);
        if self.parent_is_out_of_sight {
            return;
        }
        let servers: Vec<DsRrset> = self
            .parents
            .iter()
            .map(|parent| {
                let named = self.keys.iter().filter(|key| parent.ds.contains(&KeyId::of(key)));
                let mut rdatas: Vec<_> =
                    named.map(|key| key.ds(apex().as_ref(), DigestType::Sha256)).collect();
                rdatas.extend(self.strays.intersection(&parent.ds).map(|stray| {
                    let [high, low] = stray.tag.to_be_bytes();
                    [&[high, low, stray.algorithm, DigestType::Sha256.number()][..], &[0; 32]].concat()
                }));
                DsRrset { ttl: self.ds_ttl, rdatas }
            })
            .collect();
        self.life.parent(apex().as_ref(), &self.keys, &servers, self.now);
    }

    fn mishap(&mut self) {
        let now = self.now;
        match self.chance(15) {
            0 => {
                let at = self.chance(2) as usize;
                self.servers[at].cut_off = now + HOUR * self.chance(200);
            }
            1 => {
                let at = self.chance(2) as usize;
                self.parents[at].cut_off = now + HOUR * self.chance(400);
            }
            2 => self.dnskey_ttl = Ttl([300, 3_600, 86_400, 604_800][self.chance(4) as usize]),
            3 => self.zone_ttl = Ttl([300, 3_600, 86_400, 604_800][self.chance(4) as usize]),
            4 | 5 => drop(self.life.roll(false)),
            6 | 7 => drop(self.life.roll(true)),
            8 => {
                let number = ALGORITHMS[self.chance(2) as usize];
                self.plan.algorithm = Algorithm::from_number(number).unwrap();
                self.tell(format!("algorithm {number}"));
            }
            9 => {
                self.plan.layout = [Some(Layout::Csk), Some(Layout::KskZsk), None][self.chance(3) as usize];
                self.tell(format!("layout {:?}", self.plan.layout));
            }
            10 => {
                let lifetimes = [None, Some(DAY * 30), Some(DAY * 100)];
                self.plan.zsk_lifetime = lifetimes[self.chance(3) as usize];
                self.plan.entry_point_lifetime = lifetimes[self.chance(3) as usize];
            }
            11 => {
                let stored = serde_json::to_string(&self.life).unwrap();
                self.life = serde_json::from_str(&stored).unwrap();
            }
            12 => {
                self.plan.method = [Method::DoubleKsk, Method::DoubleDs][self.chance(2) as usize];
                self.tell(format!("{:?}", self.plan.method));
            }
            13 => self.servers[0].lag = Seconds(self.chance(20_000)),
            _ => {}
        }
    }

    /// Whether a validator with any mixture of what it may hold, and of what it may be given, gets a bogus answer.
    fn check(&mut self) {
        let now = self.now;
        self.versions_held.retain(|held| held.until > now);
        self.data_held.retain(|held| held.until > now);
        self.ds_held.retain(|held| held.until > now);
        if self.versions.is_empty() {
            return;
        }
        let served = || self.servers.iter().map(|server| &self.versions[server.version].1);
        let dnskeys: Vec<_> = served()
            .map(|version| (&version.dnskeys, &version.key_signers))
            .chain(self.versions_held.iter().map(|held| (&held.what.0, &held.what.1)))
            .collect();
        let data: Vec<_> =
            served().map(|version| &version.signers).chain(self.data_held.iter().map(|h| &h.what)).collect();
        let ds: Vec<_> =
            self.parents.iter().map(|p| &p.ds).chain(self.ds_held.iter().map(|h| &h.what)).collect();
        for ds in ds.iter().filter(|ds| !ds.is_empty()) {
            for (dnskeys, key_signers) in &dnskeys {
                for signers in &data {
                    if let Some(why) = bogus(ds, dnskeys, key_signers, signers) {
                        assert!(self.bogus_is_expected, "{}", self.tale(&why));
                        self.was_bogus = true;
                    }
                }
            }
        }
    }

    fn tale(&self, why: &str) -> String {
        let mut tale = format!("seed {}: {} {why}\n", self.seed, self.now);
        for (at, what) in &self.story[self.story.len().saturating_sub(30)..] {
            let _ = writeln!(tale, "  {at} {what}");
        }
        for (id, life) in self.life.keys() {
            let _ = writeln!(tale, "  {id} {life:?}");
        }
        tale
    }
}

/// What a strict validator (every algorithm of the DS RRset has to do) makes of these.
fn bogus(
    ds: &BTreeSet<KeyId>,
    dnskeys: &BTreeSet<KeyId>,
    key_signers: &BTreeSet<KeyId>,
    signers: &BTreeSet<KeyId>,
) -> Option<String> {
    for algorithm in ds.iter().map(|id| id.algorithm).collect::<BTreeSet<_>>() {
        let of = |id: &&KeyId| id.algorithm == algorithm;
        if !ds.iter().filter(of).any(|id| dnskeys.contains(id) && key_signers.contains(id)) {
            return Some(format!("no DS of {ds:?} leads into the DNSKEY RRset {dnskeys:?}"));
        }
        if !signers.iter().filter(of).any(|id| dnskeys.contains(id)) {
            return Some(format!("data signed by {signers:?} with the DNSKEY RRset {dnskeys:?} and {ds:?}"));
        }
    }
    // RFC 4035 §2.2 for who asks for each algorithm of the DNSKEY RRset.
    for algorithm in dnskeys.iter().map(|id| id.algorithm).collect::<BTreeSet<_>>() {
        if !signers.iter().any(|id| id.algorithm == algorithm && dnskeys.contains(id)) {
            return Some(format!("data signed by {signers:?} lacks an algorithm of {dnskeys:?}"));
        }
    }
    None
}
