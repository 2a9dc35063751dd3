//! A disk in memory that fails on order, and what a state on it looks like afterwards.
//!
//! Each write, change of length and sync is an operation. From an operation that is named by its number on, the
//! disk refuses; or the power goes, and [`Disk::crash`] says which of the writes since the last sync are found
//! on it when it comes back.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard};

use danelaw::dns::name::Name;
use danelaw::dns::rtype::Rtype;
use danelaw::dns::time::Ttl;
use danelaw::state::{Commit, ServiceCommit, ServiceState, StateError, Store, ZoneCommit, ZoneRecord};
use danelaw::zone::{Contents, Delta, Node, NodeBuilder, Snapshot};
use redb::StorageBackend;

/// The disk; clones are the same disk.
#[derive(Clone, Default)]
pub(crate) struct Disk(Arc<Mutex<Platter>>);

#[derive(Clone, Default)]
struct Platter {
    /// What reads see.
    seen: Vec<u8>,
    /// What a crash leaves for certain.
    durable: Vec<u8>,
    /// What was done since, in order.
    pending: Vec<Operation>,
    count: u64,
    fault: Option<(u64, Fault)>,
    forgot: bool,
}

#[derive(Clone)]
enum Operation {
    Write(u64, Vec<u8>),
    Length(u64),
}

/// What happens at an operation. Until [`Disk::heal`] all operations after it fail.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Fault {
    /// It fails and does nothing: the disk is full, or the power is gone.
    Refused,
    /// It is done, and reported as failed.
    DoneButRefused,
    /// It fails; if it is a sync, what was to be synced will be seen but never reaches the disk, as with Linux,
    /// which takes pages for clean after one failed attempt.
    Forgotten,
}

/// What of the writes after the last sync is found after a crash.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Survival {
    /// Nothing.
    None,
    /// All of it.
    All,
    /// All, but only half of the last write.
    Torn,
    /// Some of it, by this number.
    Some(u64),
}

impl Disk {
    /// A disk with these octets on it.
    pub(crate) fn holding(octets: Vec<u8>) -> Self {
        Self(Arc::new(Mutex::new(Platter { seen: octets.clone(), durable: octets, ..Platter::default() })))
    }

    /// A disk of the same content on which nothing fails yet, and which counts from 0.
    pub(crate) fn copy(&self) -> Self {
        let platter = self.platter();
        Self(Arc::new(Mutex::new(Platter { count: 0, fault: None, ..platter.clone() })))
    }

    /// Takes the content of another disk, and keeps its own count and faults.
    pub(crate) fn become_copy_of(&self, other: &Self) {
        let Platter { seen, durable, pending, .. } = other.platter().clone();
        let mut platter = self.platter();
        (platter.seen, platter.durable, platter.pending) = (seen, durable, pending);
    }

    /// `fault` happens at operation `number`.
    pub(crate) fn fail_at(&self, number: u64, fault: Fault) {
        self.platter().fault = Some((number, fault));
    }

    /// From now on nothing fails.
    pub(crate) fn heal(&self) {
        self.platter().fault = None;
    }

    /// How many operations there were.
    pub(crate) fn operations(&self) -> u64 {
        self.platter().count
    }

    /// Whether [`Fault::Forgotten`] met a sync.
    pub(crate) fn forgot(&self) -> bool {
        self.platter().forgot
    }

    /// The disk as it is found after a crash at this moment.
    pub(crate) fn crash(&self, survival: Survival) -> Self {
        let platter = self.platter();
        let mut found = platter.durable.clone();
        let mut random = match survival {
            Survival::Some(seed) => seed.wrapping_mul(2).wrapping_add(1),
            _ => 0,
        };
        for (index, operation) in platter.pending.iter().enumerate() {
            let last = index + 1 == platter.pending.len();
            match (survival, operation) {
                (Survival::None, _) => {}
                (Survival::Torn, Operation::Write(offset, data)) if last => {
                    Operation::Write(*offset, data[..data.len() / 2].to_vec()).apply(&mut found);
                }
                (Survival::Some(_), _) => {
                    random = random
                        .wrapping_mul(6_364_136_223_846_793_005)
                        .wrapping_add(1_442_695_040_888_963_407);
                    if random >> 63 == 0 {
                        operation.apply(&mut found);
                    }
                }
                _ => operation.apply(&mut found),
            }
        }
        Self::holding(found)
    }

    fn platter(&self) -> MutexGuard<'_, Platter> {
        self.0.lock().unwrap()
    }

    fn operate(&self, operation: Option<Operation>) -> io::Result<()> {
        let mut platter = self.platter();
        let number = platter.count;
        platter.count += 1;
        let fault = platter.fault.filter(|(at, _)| *at <= number);
        let done = match fault {
            None => true,
            Some((at, fault)) if at == number => match (fault, &operation) {
                (Fault::DoneButRefused, _) => true,
                (Fault::Forgotten, None) => {
                    platter.pending.clear();
                    platter.forgot = true;
                    false
                }
                (Fault::Forgotten | Fault::Refused, _) => false,
            },
            Some(_) => false,
        };
        match operation {
            Some(operation) if done => {
                operation.apply(&mut platter.seen);
                platter.pending.push(operation);
            }
            None if done => {
                let Platter { durable, pending, .. } = &mut *platter;
                pending.drain(..).for_each(|operation| operation.apply(durable));
            }
            _ => {}
        }
        if fault.is_some() { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }
}

impl Operation {
    fn apply(&self, octets: &mut Vec<u8>) {
        match self {
            Self::Length(length) => octets.resize(*length as usize, 0),
            Self::Write(offset, data) => {
                let (start, end) = (*offset as usize, *offset as usize + data.len());
                if octets.len() < end {
                    octets.resize(end, 0);
                }
                octets[start..end].copy_from_slice(data);
            }
        }
    }
}

impl fmt::Debug for Disk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "disk after {} operations", self.operations())
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.platter().seen.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let platter = self.platter();
        let start = offset as usize;
        let octets = platter.seen.get(start..start + out.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
        out.copy_from_slice(octets);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.operate(Some(Operation::Length(len)))
    }

    fn sync_data(&self) -> io::Result<()> {
        self.operate(None)
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.operate(Some(Operation::Write(offset, data.to_vec())))
    }
}

fn node(owner: &Name, rtype: Rtype, rdata: &[u8]) -> Node {
    let mut builder = NodeBuilder::default();
    builder.start(owner.as_ref());
    builder.begin(rtype);
    builder.record(Ttl(300), rdata);
    builder.signature(Ttl(300), &[rtype.0 as u8; 90]);
    builder.finish().unwrap()
}

/// A version of a zone in which the addresses of `hosts` depend on the serial, every tenth one's at least.
fn version(origin: &str, serial: u32, hosts: std::ops::Range<u32>) -> Snapshot {
    let origin = Name::parse(origin).unwrap();
    let mut soa = b"\x02ns\0\x05admin\0".to_vec();
    for number in [serial, 3_600, 600, 86_400, 300] {
        soa.extend(number.to_be_bytes());
    }
    let mut contents = Contents::new(origin.clone());
    contents.nodes.insert(node(&origin, Rtype::SOA, &soa));
    for host in hosts {
        let changing = if host % 10 == serial % 10 { serial as u8 } else { 0 };
        let owner = origin.child(format!("host{host}").as_bytes()).unwrap();
        contents.nodes.insert(node(&owner, Rtype::A, &[192, 0, 2, changing]));
        let owner = origin.child(format!("{host:032}").as_bytes()).unwrap();
        contents.nsec3.insert(node(&owner, Rtype::NSEC3, &[1, 0, 0, 0, 0]));
    }
    Snapshot::new(contents).unwrap()
}

fn service(name: &str, state: u32) -> ServiceCommit {
    ServiceCommit::Store(name.to_owned(), ServiceState::of(name, &state).unwrap())
}

/// Everything a state holds, in a form that compares: each zone's record and nodes, each service's state.
pub(crate) type Content = (BTreeMap<Name, (ZoneRecord, Vec<Node>, Vec<Node>)>, BTreeMap<String, u32>);

/// A commit as the tests write it down, and what is expected of it.
pub(crate) struct Step {
    zones: Vec<Snapshot>,
    removed: Vec<&'static str>,
    services: Vec<(&'static str, u32)>,
}

/// A few commits that take every path: first versions, small and large deltas, a removal, services.
pub(crate) fn story() -> Vec<Step> {
    let step = |zones, removed, services| Step { zones, removed, services };
    vec![
        step(vec![version("a.test", 1, 0..60), version("b.test", 1, 0..5)], vec![], vec![("mail", 1)]),
        step(vec![version("a.test", 2, 0..60)], vec![], vec![("mail", 2), ("web", 1)]),
        step(
            vec![version("a.test", 3, 30..90), version("c.test", 1, 0..3)],
            vec!["b.test"],
            vec![("mail", 3)],
        ),
        step(vec![version("b.test", 9, 0..8)], vec!["a.test"], vec![]),
    ]
}

impl Step {
    pub(crate) fn commit(&self, before: &Content) -> Commit {
        let zones = self.zones.iter().map(|version| {
            let delta =
                before.0.get(version.origin()).map_or_else(Delta::default, |(record, names, nsec3)| {
                    let mut old = Contents::new(version.origin().clone());
                    for node in names {
                        old.nodes.insert(node.clone());
                    }
                    for node in nsec3 {
                        old.nsec3.insert(node.clone());
                    }
                    Delta::between(Some(&old), version, Some(record.serial), version.serial())
                });
            ZoneCommit::version(ZoneRecord::default(), version.clone(), danelaw::zone::Step::new(delta), 2)
        });
        Commit {
            zones: zones.collect(),
            removed_zones: self.removed.iter().map(|name| Name::parse(name).unwrap()).collect(),
            services: self.services.iter().map(|(name, state)| service(name, *state)).collect(),
        }
    }

    fn carry_out(&self, content: &mut Content) {
        for name in &self.removed {
            content.0.remove(&Name::parse(name).unwrap());
        }
        for zone in &self.zones {
            let record = ZoneRecord { serial: zone.serial(), ..ZoneRecord::default() };
            let nodes = zone.nodes.iter().cloned().collect();
            content.0.insert(zone.origin().clone(), (record, nodes, zone.nsec3.iter().cloned().collect()));
        }
        content.1.extend(self.services.iter().map(|(name, state)| ((*name).to_owned(), *state)));
    }
}

pub(crate) fn content(store: &mut Store) -> Result<Content, StateError> {
    let loaded = store.load()?;
    let zones = loaded.zones.into_iter().map(|zone| {
        let nodes = zone.snapshot.nodes.iter().cloned().collect();
        let nsec3 = zone.snapshot.nsec3.iter().cloned().collect();
        (zone.snapshot.origin().clone(), (zone.record, nodes, nsec3))
    });
    let services = loaded.services.iter().map(|(name, state)| (name.clone(), state.read(name).unwrap()));
    Ok((zones.collect(), services.collect()))
}

/// A disk with an empty state on it.
fn empty() -> Disk {
    let disk = Disk::default();
    Store::open(disk.clone()).unwrap().close().unwrap();
    disk.copy()
}

/// Opens the state and plays the story until something fails. Gives back the store, if it could be opened, and
/// how many commits there were.
fn play(disk: &Disk, steps: &[Step], contents: &[Content]) -> (Option<Store>, usize) {
    let Ok(mut store) = Store::open(disk.clone()) else { return (None, 0) };
    for (index, step) in steps.iter().enumerate() {
        if store.commit(&step.commit(&contents[index])).is_err() {
            return (Some(store), index);
        }
    }
    (Some(store), steps.len())
}

/// What the state is before the first step, after it, after the second and so on.
pub(crate) fn contents(steps: &[Step]) -> Vec<Content> {
    let mut contents = vec![Content::default()];
    for step in steps {
        let mut next = contents[contents.len() - 1].clone();
        step.carry_out(&mut next);
        contents.push(next);
    }
    contents
}

/// Runs `test` with the story's steps and contents, an empty state to play it on, and how many operations it is.
fn at_every_operation(test: impl Fn(&[Step], &[Content], Disk, u64)) {
    let steps = story();
    let contents = contents(&steps);
    let empty = empty();
    let whole = empty.copy();
    let (store, count) = play(&whole, &steps, &contents);
    assert_eq!(count, steps.len());
    store.unwrap().close().unwrap();
    let operations = whole.operations();
    assert!(operations > 40, "{operations} operations are too few to be all of the story");
    for number in 0..operations {
        test(&steps, &contents, empty.copy(), number);
    }
}

/// PEERS.md, BIND GL#5527: the state is one transaction; no journal is out of step with the zone.
#[test]
fn a_crash_at_any_operation_leaves_the_state_before_or_after_the_commit() {
    at_every_operation(|steps, contents, disk, number| {
        for fault in [Fault::Refused, Fault::DoneButRefused, Fault::Forgotten] {
            let disk = disk.copy();
            disk.fail_at(number, fault);
            let (store, done) = play(&disk, steps, contents);
            let mut survivals = vec![Survival::None, Survival::All, Survival::Torn];
            survivals.extend((0..2).map(|seed| Survival::Some(number << 8 | seed)));
            for survival in survivals {
                let found = content(&mut Store::open(disk.crash(survival)).unwrap()).unwrap();
                let after = contents.get(done + 1);
                assert!(
                    found == contents[done] || Some(&found) == after,
                    "after {fault:?} at {number} and a crash, {survival:?}"
                );
            }
            drop(store);
        }
    });
}

/// Large enough to be written in several pieces before the commit that refers to them.
const LARGE: u32 = 24_000;

#[test]
fn a_crash_or_a_failure_while_a_large_zone_is_written_leaves_no_piece_of_it() {
    let steps = [
        Step { zones: vec![version("a.test", 1, 0..9)], removed: vec![], services: vec![("mail", 1)] },
        Step { zones: vec![version("b.test", 1, 0..LARGE)], removed: vec![], services: vec![("mail", 2)] },
    ];
    let contents = contents(&steps);
    let empty = empty();
    let disk = empty.copy();
    assert_eq!(play(&disk, &steps[..1], &contents).1, 1);
    let first = disk.operations();
    let disk = empty.copy();
    drop(play(&disk, &steps, &contents).0.unwrap().close());
    let operations = disk.operations();
    assert!(operations - first > 2_000, "{operations} operations are too few for a large zone");
    let some = (first..operations).step_by((operations - first) as usize / 8);
    for (index, number) in some.chain(operations - 8..operations).enumerate() {
        let disk = empty.copy();
        let faults = [Fault::Refused, Fault::Forgotten, Fault::DoneButRefused];
        disk.fail_at(number, faults[index % faults.len()]);
        let (store, done) = play(&disk, &steps, &contents);
        for survival in [Survival::None, Survival::Some(number)] {
            let found = content(&mut Store::open(disk.crash(survival)).unwrap()).unwrap();
            let after = contents.get(done + 1);
            assert!(
                found == contents[done] || Some(&found) == after,
                "at {number} and a crash, {survival:?}"
            );
        }
        disk.heal();
        let mut store = store.unwrap();
        for (step, before) in steps.iter().zip(&contents).skip(done) {
            store.commit(&step.commit(before)).unwrap();
        }
        let found = content(&mut Store::open(disk.crash(Survival::None)).unwrap()).unwrap();
        assert!(found == contents[steps.len()], "after a failure at {number}");
    }
}

#[test]
fn after_a_failure_at_any_operation_the_same_store_goes_on_once_the_disk_is_well() {
    at_every_operation(|steps, contents, disk, number| {
        for fault in [Fault::Refused, Fault::DoneButRefused, Fault::Forgotten] {
            let disk = disk.copy();
            disk.fail_at(number, fault);
            let (store, done) = play(&disk, steps, contents);
            let Some(mut store) = store else { continue };
            if let Some(step) = steps.get(done) {
                // As long as the disk is full, every try says so.
                let error = store.commit(&step.commit(&contents[done])).unwrap_err();
                assert!(matches!(error, StateError::Full(_)), "{error:?} after {fault:?} at {number}");
                assert!(error.may_pass());
            }
            disk.heal();
            for (step, before) in steps.iter().zip(contents).skip(done) {
                store.commit(&step.commit(before)).unwrap();
            }
            // And all of it is durable, whatever the disk forgot before.
            let found = content(&mut Store::open(disk.crash(Survival::None)).unwrap()).unwrap();
            assert!(found == contents[steps.len()], "after {fault:?} at {number}");
        }
    });
}

#[test]
fn a_commit_after_a_sync_that_forgot_its_writes_does_not_build_on_them() {
    at_every_operation(|steps, contents, disk, number| {
        disk.fail_at(number, Fault::Forgotten);
        let (Some(mut store), done) = play(&disk, steps, contents) else { return };
        if !disk.forgot() || done == steps.len() {
            return;
        }
        disk.heal();
        let again = steps[done].commit(&contents[done]);
        let start = disk.operations();
        store.commit(&again).unwrap();
        let end = disk.operations();
        for crash in start..end {
            // The same once more, and the power goes at this operation of the second try.
            let disk = disk_of(steps, contents, number, crash);
            for survival in [Survival::None, Survival::All, Survival::Some(crash)] {
                let found = content(&mut Store::open(disk.crash(survival)).unwrap()).unwrap();
                assert!(
                    found == contents[done] || found == contents[done + 1],
                    "sync forgotten at {number}, crash at {crash}, {survival:?}"
                );
            }
        }
    });
}

/// The disk after the sync at operation `forgotten` forgot its writes, and the power went at operation `crash` of
/// the second try.
fn disk_of(steps: &[Step], contents: &[Content], forgotten: u64, crash: u64) -> Disk {
    let disk = empty();
    disk.fail_at(forgotten, Fault::Forgotten);
    let (store, done) = play(&disk, steps, contents);
    assert!(disk.forgot() && disk.operations() <= crash);
    disk.fail_at(crash, Fault::Refused);
    store.unwrap().commit(&steps[done].commit(&contents[done])).unwrap_err();
    disk
}

#[test]
fn another_version_after_a_failed_commit_replaces_what_may_have_been_written() {
    at_every_operation(|steps, contents, disk, number| {
        for fault in [Fault::Refused, Fault::DoneButRefused, Fault::Forgotten] {
            let disk = disk.copy();
            disk.fail_at(number, fault);
            let (Some(mut store), done) = play(&disk, steps, contents) else { continue };
            let Some(failed) = steps.get(done) else { continue };
            disk.heal();
            // The same serial as in the failed commit, made of the same version before it, and other content.
            let zones = failed
                .zones
                .iter()
                .map(|zone| version(&zone.origin().to_string(), zone.serial().0, 100..110));
            let other = Step {
                zones: zones.collect(),
                removed: failed.removed.clone(),
                services: failed.services.clone(),
            };
            store.commit(&other.commit(&contents[done])).unwrap();
            let mut expected = contents[done].clone();
            other.carry_out(&mut expected);
            assert!(content(&mut store).unwrap() == expected, "after {fault:?} at {number}");
        }
    });
}

#[test]
fn a_crash_while_the_state_is_recovered_from_a_crash_loses_nothing() {
    let steps = story();
    let contents = contents(&steps);
    let disk = empty();
    let (store, _) = play(&disk, &steps[..2], &contents);
    let crashed = disk.crash(Survival::All);
    drop(store);
    let recovery = crashed.copy();
    Store::open(recovery.clone()).unwrap().load().unwrap();
    for number in 0..recovery.operations() {
        let disk = crashed.copy();
        disk.fail_at(number, Fault::Refused);
        let store = Store::open(disk.clone());
        for survival in [Survival::None, Survival::All, Survival::Torn, Survival::Some(number)] {
            let found = content(&mut Store::open(disk.crash(survival)).unwrap()).unwrap();
            assert!(found == contents[2], "crash at {number}, {survival:?}");
        }
        drop(store);
    }
}

#[test]
fn the_disk_keeps_what_was_synced_and_forgets_the_rest() {
    let disk = Disk::default();
    disk.write(0, b"one").unwrap();
    disk.sync_data().unwrap();
    disk.write(3, b"two").unwrap();
    disk.fail_at(3, Fault::Refused);
    assert_eq!(disk.write(6, b"three").unwrap_err().kind(), io::ErrorKind::StorageFull);
    let read = |disk: Disk| {
        let mut octets = vec![0; disk.len().unwrap() as usize];
        disk.read(0, &mut octets).unwrap();
        octets
    };
    assert_eq!(read(disk.clone()), b"onetwo");
    assert_eq!(read(disk.crash(Survival::None)), b"one");
    assert_eq!(read(disk.crash(Survival::Torn)), b"onet");
    assert_eq!(read(disk.crash(Survival::All)), b"onetwo");
    disk.fail_at(4, Fault::Forgotten);
    disk.sync_data().unwrap_err();
    disk.heal();
    disk.sync_data().unwrap();
    assert_eq!(read(disk.crash(Survival::All)), b"one");
}
