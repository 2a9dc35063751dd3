//! A store on a backend in memory; disks that fail are in `tests/sim/disk.rs`.

use std::sync::atomic::{AtomicU64, Ordering};

use proptest::prelude::*;
use redb::ReadableTableMetadata;
use redb::backends::InMemoryBackend;

use super::*;
use crate::dns::rtype::Rtype;
use crate::dns::time::Ttl;
use crate::zone::overlay::Override;
use crate::zone::{Delta, NodeBuilder, Serial};

/// How many steps of a zone are kept.
const KEEP: usize = 3;

fn name(text: &str) -> Name {
    Name::parse(text).unwrap()
}

fn soa(serial: u32) -> Vec<u8> {
    let mut rdata = b"\x02ns\0\x05admin\0".to_vec();
    for number in [serial, 3_600, 600, 86_400, 300] {
        rdata.extend(number.to_be_bytes());
    }
    rdata
}

fn node(owner: &Name, rtype: Rtype, rdata: &[u8]) -> Node {
    let mut builder = NodeBuilder::default();
    builder.start(owner.as_ref());
    builder.begin(rtype);
    builder.record(Ttl(300), rdata);
    builder.signature(Ttl(300), &[rtype.0 as u8; 90]);
    builder.finish().unwrap()
}

/// `origin` at `serial`, with an address at each of `hosts` and an NSEC3 record at each of `hashes`.
fn zone(origin: &str, serial: u32, hosts: &[(&str, u8)], hashes: &[&str]) -> Snapshot {
    let origin = name(origin);
    let mut contents = Contents::new(origin.clone());
    contents.nodes.insert(node(&origin, Rtype::SOA, &soa(serial)));
    for (host, address) in hosts {
        let owner = origin.child(host.as_bytes()).unwrap();
        contents.nodes.insert(node(&owner, Rtype::A, &[192, 0, 2, *address]));
    }
    for hash in hashes {
        let owner = origin.child(hash.as_bytes()).unwrap();
        contents.nsec3.insert(node(&owner, Rtype::NSEC3, &[1, 0, 0, 0, 0]));
    }
    Snapshot::new(contents).unwrap()
}

fn first(version: &Snapshot) -> ZoneCommit {
    ZoneCommit::version(ZoneRecord::default(), version.clone(), Step::new(Delta::default()), KEEP)
}

fn next(before: &Snapshot, version: &Snapshot) -> ZoneCommit {
    let delta = Delta::between(Some(before), version, Some(before.serial()), version.serial());
    ZoneCommit::version(ZoneRecord::default(), version.clone(), Step::new(delta), KEEP)
}

fn zones(zones: impl IntoIterator<Item = ZoneCommit>) -> Commit {
    Commit { zones: zones.into_iter().collect(), ..Commit::default() }
}

fn store() -> Store {
    Store::open(InMemoryBackend::new()).unwrap()
}

/// Every node there is, as (zone, NSEC3 or not, node).
fn nodes(snapshots: &[Snapshot]) -> Vec<(Name, bool, Node)> {
    let all = snapshots.iter().flat_map(|zone| {
        let names = zone.nodes.iter().map(|node| (zone.origin().clone(), false, node.clone()));
        names.chain(zone.nsec3.iter().map(|node| (zone.origin().clone(), true, node.clone())))
    });
    all.collect()
}

fn stored(store: &mut Store) -> Vec<Snapshot> {
    store.load().unwrap().zones.into_iter().map(|zone| zone.snapshot).collect()
}

fn entries(store: &mut Store) -> u64 {
    store.ready().unwrap().begin_read().unwrap().open_table(NODES).unwrap().len().unwrap()
}

#[test]
fn a_zone_is_loaded_as_it_was_committed() {
    let mut store = store();
    let version = zone("Example.Test", 7, &[("Mail", 1), ("www", 2)], &["0p9mhaveqvm6t7vbl5lop2u3t2rp3tom"]);
    let record = ZoneRecord { ever_signed: true, key_tags: vec![4_711], ..ZoneRecord::default() };
    store
        .commit(&zones([ZoneCommit::version(
            record.clone(),
            version.clone(),
            Step::new(Delta::default()),
            KEEP,
        )]))
        .unwrap();
    let loaded = store.load().unwrap();
    assert_eq!(loaded.zones[0].record, ZoneRecord { serial: Serial(7), ..record });
    assert_eq!(loaded.zones[0].snapshot.origin().to_string(), "Example.Test.");
    assert_eq!(nodes(&[loaded.zones[0].snapshot.clone()]), nodes(&[version]));
}

#[test]
fn a_delta_changes_only_what_differs_and_keeps_the_rest() {
    let mut store = store();
    let old = zone("example.test", 7, &[("a", 1), ("b", 2), ("c", 3)], &["0", "v"]);
    let new = zone("example.test", 8, &[("a", 1), ("b", 9), ("d", 4)], &["0", "u"]);
    store.commit(&zones([first(&old)])).unwrap();
    store.commit(&zones([next(&old, &new)])).unwrap();
    assert_eq!(nodes(&stored(&mut store)), nodes(&[new]));
}

#[test]
fn a_delta_from_another_version_than_the_stored_one_writes_the_whole_zone() {
    let mut store = store();
    let old = zone("example.test", 7, &[("a", 1)], &[]);
    let lost = zone("example.test", 8, &[("a", 1), ("stray", 2)], &[]);
    let new = zone("example.test", 8, &[("a", 3)], &[]);
    store.commit(&zones([first(&old)])).unwrap();
    store.commit(&zones([next(&old, &lost)])).unwrap();
    store.commit(&zones([next(&old, &new)])).unwrap();
    assert_eq!(nodes(&stored(&mut store)), nodes(&[new]));
}

#[test]
fn a_record_can_change_without_a_new_version() {
    let mut store = store();
    let version = zone("example.test", 7, &[("a", 1)], &[]);
    store.commit(&zones([first(&version)])).unwrap();
    let record = ZoneRecord { digest: Some([9; 16]), ..ZoneRecord::default() };
    let same = Delta { from: Some(Serial(7)), to: Serial(7), ..Delta::default() };
    store.commit(&zones([ZoneCommit::version(record, version.clone(), Step::new(same), KEEP)])).unwrap();
    let loaded = store.load().unwrap();
    assert_eq!(loaded.zones[0].record.digest, Some([9; 16]));
    assert_eq!(nodes(&[loaded.zones[0].snapshot.clone()]), nodes(&[version]));
}

#[test]
fn a_zone_that_is_removed_leaves_nothing_and_its_neighbours_stay() {
    let mut store = store();
    let parent = zone("test", 1, &[("a", 1)], &["0"]);
    let child = zone("example.test", 2, &[("a", 2), ("b", 3)], &["1"]);
    let other = zone("other", 3, &[("z", 4)], &["2"]);
    store.commit(&zones([&parent, &child, &other].map(first))).unwrap();
    let commit =
        Commit { removed_zones: vec![name("EXAMPLE.test"), name("unheard.of")], ..Commit::default() };
    store.commit(&commit).unwrap();
    assert_eq!(nodes(&stored(&mut store)), nodes(&[parent, other]));
    assert_eq!(entries(&mut store), 6);
}

#[test]
fn a_service_is_kept_until_it_is_removed() {
    let mut store = store();
    let mut say = |services: Vec<ServiceCommit>| {
        store.commit(&Commit { services, ..Commit::default() }).unwrap();
        let loaded = store.load().unwrap().services;
        loaded.iter().map(|(name, state)| (name.clone(), state.read(name).unwrap())).collect::<Vec<_>>()
    };
    let state = |number: u32| ServiceState::of("mail", &number).unwrap();
    let mail = || "mail".to_owned();
    assert_eq!(say(vec![ServiceCommit::Store(mail(), state(1))]), [(mail(), 1_u32)]);
    assert_eq!(say(vec![ServiceCommit::Store(mail(), state(2))]), [(mail(), 2)]);
    assert_eq!(say(vec![ServiceCommit::Remove(mail()), ServiceCommit::Remove("www".to_owned())]), []);
}

/// The steps that are stored of the only zone, as pairs of serials.
fn steps(store: &mut Store) -> Vec<(u32, u32)> {
    let zone = store.load().unwrap().zones.pop().unwrap();
    zone.steps.iter().map(|step| (step.from.unwrap().0, step.to.0)).collect()
}

#[test]
fn the_steps_to_a_version_are_stored_with_it_up_to_a_number() {
    let hosts: [&[(&str, u8)]; 6] =
        [&[("a", 1), ("b", 2)], &[("a", 2), ("b", 2)], &[("b", 2)], &[("a", 2)], &[], &[("a", 2), ("c", 1)]];
    let hashes: [&[&str]; 6] = [&["0"], &[], &["u"], &["u"], &["0", "u"], &["v"]];
    let versions: Vec<Snapshot> =
        (0..6).map(|n| zone("example.test", n as u32 + 1, hosts[n], hashes[n])).collect();
    let mut store = store();
    store.commit(&zones([first(&versions[0])])).unwrap();
    assert!(steps(&mut store).is_empty());
    for pair in versions.windows(2) {
        store.commit(&zones([next(&pair[0], &pair[1])])).unwrap();
    }
    let loaded = store.load().unwrap().zones.pop().unwrap();
    assert_eq!(loaded.steps.len(), KEEP);
    for (step, pair) in loaded.steps.iter().zip(versions[2..].windows(2)) {
        let (from, to) = (pair[0].serial(), pair[1].serial());
        assert_eq!(**step, Delta::between(Some(&pair[0]), &pair[1], Some(from), to));
    }
    // Nothing of it is left behind when the zone goes, or comes as a whole.
    let whole = zone("example.test", 9, &[], &[]);
    store.commit(&zones([first(&whole)])).unwrap();
    assert!(steps(&mut store).is_empty());
    store.commit(&zones([next(&whole, &versions[0])])).unwrap();
    assert_eq!(steps(&mut store), [(9, 1)]);
    store.commit(&Commit { removed_zones: vec![name("example.test")], ..Commit::default() }).unwrap();
    let read = store.ready().unwrap().begin_read().unwrap();
    assert_eq!(read.open_table(JOURNAL).unwrap().len().unwrap(), 0);
}

#[test]
fn a_journal_that_does_not_lead_to_the_version_is_damage() {
    let versions: Vec<Snapshot> = (1..=4).map(|n| zone("example.test", n, &[("a", n as u8)], &[])).collect();
    let outcome = |damage: &dyn Fn(&mut Nodes<'_>)| {
        let mut store = store();
        store.commit(&zones([first(&versions[0])])).unwrap();
        for pair in versions.windows(2) {
            store.commit(&zones([next(&pair[0], &pair[1])])).unwrap();
        }
        let transaction = store.ready().unwrap().begin_write().unwrap();
        damage(&mut transaction.open_table(JOURNAL).unwrap());
        transaction.commit().unwrap();
        store.load().map(|_| ())
    };
    let key = |step: u8| [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, step];
    let refused = Err(damaged(&name("example.test"), Damage::Journal));
    assert_eq!(outcome(&|_| {}), Ok(()));
    assert_eq!(outcome(&|journal| drop(journal.remove(&key(0)[..]).unwrap())), Ok(()));
    assert_eq!(outcome(&|journal| drop(journal.remove(&key(1)[..]).unwrap())), refused);
    assert_eq!(outcome(&|journal| drop(journal.remove(&key(2)[..]).unwrap())), refused);
    assert_eq!(outcome(&|journal| drop(journal.insert(&key(2)[..], &[0; 8][..]).unwrap())), refused);
}

#[test]
fn what_updates_have_made_of_a_zone_is_stored_with_it_and_goes_with_it() {
    let mut store = store();
    let version = zone("Example.test", 1, &[("a", 1)], &[]);
    let other = zone("ple.test", 1, &[], &[]);
    let at = |host: &str| (name(host), Rtype::A);
    let change = |added: &[&[u8]], removed: &[&[u8]]| Override {
        ttl: Ttl(60),
        added: added.iter().map(|rdata| (*rdata).into()).collect(),
        removed: removed.iter().map(|rdata| (*rdata).into()).collect(),
    };
    let first_changes = Overrides::from([
        (at("Www.Example.Test"), change(&[&[192, 0, 2, 1], &[192, 0, 2, 2]], &[&[]])),
        (at("gone.example.test"), change(&[], &[&[192, 0, 2, 3]])),
    ]);
    let commit = first(&version).with_updates(first_changes.clone());
    store.commit(&zones([commit, first(&other)])).unwrap();
    let overlay = |store: &mut Store| {
        store.load().unwrap().zones.into_iter().map(|zone| zone.overlay).find(|overlay| !overlay.is_empty())
    };
    assert_eq!(overlay(&mut store), Some(Overlay::new(first_changes.clone())));
    let later = Overrides::from([(at("GONE.example.test"), Override::default())]);
    store
        .commit(&zones([next(&version, &zone("example.test", 2, &[], &[])).with_updates(later.clone())]))
        .unwrap();
    let mut expected = Overlay::new(first_changes);
    expected.change(later);
    assert_eq!(overlay(&mut store), Some(expected));
    store.commit(&Commit { removed_zones: vec![name("example.test")], ..Commit::default() }).unwrap();
    let read = store.ready().unwrap().begin_read().unwrap();
    assert_eq!(read.open_table(UPDATES).unwrap().len().unwrap(), 0);
}

#[test]
fn a_state_without_journal_is_taken_over() {
    let mut store = store();
    let versions = [zone("example.test", 1, &[("a", 1)], &[]), zone("example.test", 2, &[("a", 2)], &[])];
    store.commit(&zones([first(&versions[0])])).unwrap();
    let transaction = store.ready().unwrap().begin_write().unwrap();
    transaction.delete_table(JOURNAL).unwrap();
    transaction.delete_table(UPDATES).unwrap();
    transaction.open_table(META).unwrap().insert(FORMAT_KEY, 1).unwrap();
    transaction.commit().unwrap();
    store.database = None;
    assert!(steps(&mut store).is_empty());
    store.commit(&zones([next(&versions[0], &versions[1])])).unwrap();
    assert_eq!(steps(&mut store), [(1, 2)]);
}

#[test]
fn a_state_of_a_newer_danelaw_is_left_alone() {
    let mut store = store();
    let transaction = store.ready().unwrap().begin_write().unwrap();
    transaction.open_table(META).unwrap().insert(FORMAT_KEY, FORMAT + 6).unwrap();
    transaction.commit().unwrap();
    store.database = None;
    let error = store.load().unwrap_err();
    assert_eq!(error, StateError::Newer { found: FORMAT + 6, known: FORMAT });
    assert_eq!(
        error.to_string(),
        "the state was written by a newer danelaw (format 10, this one reads up to 4); run that version"
    );
    assert!(!error.may_pass());
}

/// Commits `version`, then does `damage` to the tables behind the store's back, and loads.
fn load_damaged(
    damage: impl FnOnce(&mut Table<'_, &[u8], &[u8]>, &mut Table<'_, &[u8], &[u8]>),
) -> StateError {
    let mut store = store();
    store.commit(&zones([first(&zone("example.test", 7, &[("a", 1), ("b", 2)], &[]))])).unwrap();
    let transaction = store.ready().unwrap().begin_write().unwrap();
    damage(&mut transaction.open_table(ZONES).unwrap(), &mut transaction.open_table(NODES).unwrap());
    transaction.commit().unwrap();
    store.load().unwrap_err()
}

fn place_of(owner: &str) -> Vec<u8> {
    let mut key = Vec::new();
    write_key(&mut key, 0, TREE_NODES, &Key::of(name(owner).as_ref(), name("example.test").len()));
    key
}

#[test]
fn damage_is_an_error_that_names_the_zone() {
    let zone = |damage| damaged(&name("example.test"), damage);
    let mut bytes = Vec::new();
    node(&name("b.example.test"), Rtype::A, &[1; 4]).write(&mut bytes);
    let cut = &bytes[..bytes.len() - 1];
    let misplaced =
        load_damaged(|_, nodes| drop(nodes.insert(&place_of("a.example.test")[..], &bytes[..]).unwrap()));
    assert_eq!(misplaced, zone(Damage::Node));
    let torn = load_damaged(|_, nodes| drop(nodes.insert(&place_of("b.example.test")[..], cut).unwrap()));
    assert_eq!(torn, zone(Damage::Node));
    let mut outside = Vec::new();
    node(&name("b.test"), Rtype::A, &[1; 4]).write(&mut outside);
    let outside =
        load_damaged(|_, nodes| drop(nodes.insert(&place_of("b.example.test")[..], &outside[..]).unwrap()));
    assert_eq!(outside, zone(Damage::Node));
    let headless = load_damaged(|_, nodes| drop(nodes.remove(&place_of("example.test")[..]).unwrap()));
    assert_eq!(headless, zone(Damage::NoSoa));
    let key = canonical(&name("example.test"));
    let record = load_damaged(|zones, _| drop(zones.insert(&key[..], &b"{}"[..]).unwrap()));
    assert_eq!(record, zone(Damage::Record));
    let other = StoredRecord::new(0, &ZoneRecord { serial: Serial(9), ..ZoneRecord::default() }).write();
    let serial = load_damaged(|zones, _| drop(zones.insert(&key[..], &other[..]).unwrap()));
    assert_eq!(serial, zone(Damage::Serial));
}

/// A backend that counts the octets written to it.
#[derive(Debug, Default)]
struct Counting {
    memory: InMemoryBackend,
    written: Arc<AtomicU64>,
}

impl StorageBackend for Counting {
    fn len(&self) -> io::Result<u64> {
        self.memory.len()
    }
    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.memory.read(offset, out)
    }
    fn set_len(&self, len: u64) -> io::Result<()> {
        self.memory.set_len(len)
    }
    fn sync_data(&self) -> io::Result<()> {
        self.memory.sync_data()
    }
    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.written.fetch_add(data.len() as u64, Ordering::Relaxed);
        self.memory.write(offset, data)
    }
}

/// More than fits into redb's cache.
fn large_zone() -> Snapshot {
    let origin = name("large.test");
    let mut contents = Contents::new(origin.clone());
    contents.nodes.insert(node(&origin, Rtype::SOA, &soa(1)));
    for host in 0..2 * LARGE {
        let owner = origin.child(format!("host-{host}").as_bytes()).unwrap();
        contents.nodes.insert(node(&owner, Rtype::TXT, &[b'x'; 800]));
    }
    Snapshot::new(contents).unwrap()
}

#[test]
fn every_page_of_a_large_zone_is_written_once() {
    let backend = Counting::default();
    let written = backend.written.clone();
    let mut store = Store::open(backend).unwrap();
    let zone = large_zone();
    let stored_form: u64 = zone.nodes.iter().map(|node| node.size() as u64).sum();
    store.commit(&zones([first(&zone)])).unwrap();
    let written = written.load(Ordering::Relaxed);
    assert!(written < stored_form * 3 / 2, "{written} octets for {stored_form}");
    assert_eq!(nodes(&stored(&mut store)), nodes(&[zone]));
}

#[test]
fn a_moment_can_be_copied_after_a_large_commit() {
    let mut store = store();
    let before = zone("a.test", 1, &[("www", 1)], &[]);
    store.commit(&zones([first(&before)])).unwrap();
    let moment = store.moment().unwrap();
    let large = large_zone();
    store.commit(&zones([first(&large)])).unwrap();
    let copy = Medium(Arc::new(InMemoryBackend::new()));
    moment.copy(copy.clone()).unwrap();
    assert_eq!(nodes(&stored(&mut Store::open(copy).unwrap())), nodes(std::slice::from_ref(&before)));
    assert_eq!(nodes(&stored(&mut store)), nodes(&[before, large]));
}

/// Versions of a zone: for each, which of twelve hosts exist, and with what address.
fn versions() -> impl Strategy<Value = Vec<Vec<Option<u8>>>> {
    prop::collection::vec(prop::collection::vec(prop::option::of(0..4_u8), 12), 1..6)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn what_is_loaded_is_the_last_version_whatever_the_deltas_were(versions in versions(), lost in any::<u8>()) {
        let mut store = store();
        let neighbour = zone("neighbour.test", 1, &[("a", 1)], &["0"]);
        store.commit(&zones([first(&neighbour)])).unwrap();
        let mut before: Option<Snapshot> = None;
        for (index, hosts) in versions.iter().enumerate() {
            let labels: Vec<String> = (0..hosts.len()).map(|host| format!("host{host}")).collect();
            let hosts: Vec<_> = labels
                .iter()
                .zip(hosts)
                .filter_map(|(label, address)| address.map(|address| (&label[..], address)))
                .collect();
            let hashes: Vec<&str> = hosts.iter().map(|(label, _)| *label).collect();
            let version = zone("example.test", index as u32 + 1, &hosts, &hashes);
            let change = before.as_ref().map_or_else(|| first(&version), |before| next(before, &version));
            store.commit(&zones([change])).unwrap();
            // Now and then the caller does not hear of it and goes on from the version before.
            if lost >> index & 1 == 0 {
                before = Some(version.clone());
            }
            prop_assert_eq!(nodes(&stored(&mut store)), nodes(&[version, neighbour.clone()]));
        }
    }
}
