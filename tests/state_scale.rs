//! How long the state takes with a zone of a million nodes: prints what it measures, and fails where the order of
//! magnitude is lost.
//!
//! `cargo test --release --test state_scale -- --ignored --nocapture`

#![allow(clippy::unwrap_used, reason = "a measurement that cannot go on stops")]
#![allow(clippy::disallowed_methods, reason = "a measurement reads the clock and the process's own numbers")]

use std::time::{Duration, Instant};

use danelaw::dns::name::Name;
use danelaw::dns::rtype::Rtype;
use danelaw::dns::time::Ttl;
use danelaw::host::disk;
use danelaw::state::{Commit, ZoneCommit, ZoneRecord};
use danelaw::zone::{Contents, Delta, Node, NodeBuilder, Snapshot, Step, Tree};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;

/// As many names, and as many owners of NSEC3 records.
const NAMES: u32 = 500_000;

/// Octets that look like signatures.
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.0 ^ self.0 >> 29
    }

    fn signature(&mut self, rtype: Rtype, signer: &Name) -> Vec<u8> {
        let mut rdata = rtype.0.to_be_bytes().to_vec();
        rdata.extend([13, 3, 0, 0, 14, 16]);
        rdata.extend(2_000_000_000_u32.to_be_bytes());
        rdata.extend(1_999_000_000_u32.to_be_bytes());
        rdata.extend([1, 2]);
        rdata.extend(&signer[..]);
        rdata.extend((0..8).flat_map(|_| self.next().to_le_bytes()));
        rdata
    }

    fn node(&mut self, owner: &Name, origin: &Name, rrsets: &[(Rtype, &[u8])]) -> Node {
        let mut builder = NodeBuilder::default();
        builder.start(owner.as_ref());
        for (rtype, rdata) in rrsets {
            builder.begin(*rtype);
            builder.record(Ttl(3_600), rdata);
            builder.signature(Ttl(3_600), &self.signature(*rtype, origin));
        }
        builder.finish().unwrap()
    }

    fn host(&mut self, number: u32, origin: &Name) -> Node {
        let owner = origin.child(format!("host{number:07}").as_bytes()).unwrap();
        self.node(&owner, origin, &[(Rtype::A, &[192, 0, 2, 1]), (Rtype::AAAA, &[0x20; 16])])
    }

    fn apex(&mut self, serial: u32, origin: &Name) -> Node {
        let mut soa = b"\x02ns\0\x05admin\0".to_vec();
        for number in [serial, 3_600, 600, 86_400, 300] {
            soa.extend(number.to_be_bytes());
        }
        self.node(origin, origin, &[(Rtype::NS, b"\x02ns\0"), (Rtype::SOA, &soa)])
    }
}

fn zone(noise: &mut Noise, origin: &Name) -> Snapshot {
    let apex = noise.apex(1, origin);
    let mut contents = Contents::new(origin.clone());
    let hosts = (1..NAMES).map(|number| noise.host(number, origin));
    contents.nodes = Tree::from_sorted(origin.len(), std::iter::once(apex).chain(hosts));
    let mut hashes: Vec<[u8; 20]> =
        (0..NAMES).map(|_| std::array::from_fn(|_| noise.next().to_le_bytes()[3])).collect();
    hashes.sort_unstable();
    let chain = hashes.iter().zip(hashes.iter().cycle().skip(1)).map(|(hash, next)| {
        let label = data_encoding::BASE32HEX_NOPAD.encode(hash).to_ascii_lowercase();
        let mut rdata = vec![1, 0, 0, 0, 0, 20];
        rdata.extend(next);
        rdata.extend([0, 7, 0x40, 0, 0, 8, 0, 0, 2]);
        noise.node(&origin.child(label.as_bytes()).unwrap(), origin, &[(Rtype::NSEC3, &rdata)])
    });
    contents.nsec3 = Tree::from_sorted(origin.len(), chain.collect::<Vec<_>>());
    Snapshot::new(contents).unwrap()
}

fn processor_time() -> Duration {
    let usage = getrusage(UsageWho::RUSAGE_SELF).unwrap();
    Duration::from_micros((usage.user_time() + usage.system_time()).num_microseconds() as u64)
}

/// Does it, prints what it took, and gives back the processor time.
fn measure<T>(what: &str, work: impl FnOnce() -> T) -> (T, Duration) {
    let (start, before) = (Instant::now(), processor_time());
    let done = work();
    let (wall, processor) = (start.elapsed(), processor_time().saturating_sub(before));
    println!("{what:<44} {wall:>10.1?}, processor {processor:>10.1?}, resident {} MB", resident() >> 20);
    (done, processor)
}

fn resident() -> usize {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
    pages.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4_096
}

#[test]
#[ignore = "a measurement, for release builds"]
fn a_zone_of_a_million_nodes_is_written_changed_and_loaded_in_seconds() {
    let home = tempfile::tempdir().unwrap();
    let state = home.path().join("state");
    let origin = Name::parse("example.test").unwrap();
    let mut noise = Noise(1);
    let (first, _) = measure("made in memory", || zone(&mut noise, &origin));

    let mut store = disk::open(&state).unwrap();
    let commit = |zone| Commit { zones: vec![zone], ..Commit::default() };
    let whole =
        commit(ZoneCommit::version(ZoneRecord::default(), first.clone(), Step::new(Delta::default()), 0));
    let ((), took) = measure("first commit", || store.commit(&whole).unwrap());
    assert!(took < Duration::from_secs(8), "the first commit took {took:?}");

    let mut before = first.clone();
    let mut slowest = Duration::ZERO;
    for serial in 2..12 {
        let mut contents = before.contents().clone();
        contents.nodes.insert(noise.apex(serial, &origin));
        for _ in 0..5 {
            let number = noise.next() as u32 % (NAMES - 1) + 1;
            contents.nodes.insert(noise.host(number, &origin));
        }
        let after = Snapshot::new(contents).unwrap();
        let delta = Delta::between(Some(&before), &after, Some(before.serial()), after.serial());
        let small = commit(ZoneCommit::version(ZoneRecord::default(), after.clone(), Step::new(delta), 100));
        let ((), took) = measure("commit of six nodes", || store.commit(&small).unwrap());
        slowest = slowest.max(took);
        before = after;
    }
    assert!(slowest < Duration::from_millis(50), "a small commit took {slowest:?}");

    // A copy of the files as they are is what `kill -9` leaves.
    let killed = home.path().join("killed");
    std::fs::create_dir(&killed).unwrap();
    std::fs::copy(state.join(disk::DATABASE), killed.join(disk::DATABASE)).unwrap();
    println!("{} MB on disk", killed.join(disk::DATABASE).metadata().unwrap().len() >> 20);
    drop((first, whole));
    let (mut recovered, took) = measure("opened after kill -9", || disk::open(&killed).unwrap());
    assert!(took < Duration::from_secs(1), "recovery took {took:?}");
    let (loaded, took) = measure("loaded", || recovered.load().unwrap());
    assert!(took < Duration::from_secs(4), "the load took {took:?}");
    let loaded = &loaded.zones[0].snapshot;
    assert!(loaded.nodes.iter().eq(before.nodes.iter()) && loaded.nsec3.iter().eq(before.nsec3.iter()));

    let removed = Commit { removed_zones: vec![origin], ..Commit::default() };
    measure("removed", || recovered.commit(&removed).unwrap());
    assert!(recovered.load().unwrap().zones.is_empty());
}

#[test]
#[ignore = "a measurement, for release builds"]
fn thousands_of_small_zones_are_written_and_loaded_in_seconds() {
    let home = tempfile::tempdir().unwrap();
    let mut store = disk::open(&home.path().join("state")).unwrap();
    let mut noise = Noise(1);
    let zones: Vec<Snapshot> = (0..5_000)
        .map(|number| {
            let origin = Name::parse(&format!("zone{number}.test")).unwrap();
            let mut contents = Contents::new(origin.clone());
            contents.nodes.insert(noise.apex(1, &origin));
            for number in 0..20 {
                contents.nodes.insert(noise.host(number, &origin));
            }
            Snapshot::new(contents).unwrap()
        })
        .collect();
    let version = |zone: &Snapshot| {
        ZoneCommit::version(ZoneRecord::default(), zone.clone(), Step::new(Delta::default()), 0)
    };
    let all = Commit { zones: zones.iter().map(version).collect(), ..Commit::default() };
    let ((), took) = measure("first commit of 5,000 zones", || store.commit(&all).unwrap());
    assert!(took < Duration::from_secs(8), "the first commit took {took:?}");
    let (loaded, took) = measure("loaded", || store.load().unwrap());
    assert!(took < Duration::from_secs(2), "the load took {took:?}");
    assert_eq!(loaded.zones.len(), zones.len());
    let gone = zones.iter().map(|zone| zone.origin().clone()).take(2_500).collect();
    let removed = Commit { removed_zones: gone, ..Commit::default() };
    let ((), took) = measure("half of them removed", || store.commit(&removed).unwrap());
    assert!(took < Duration::from_secs(4), "the removal took {took:?}");
}
