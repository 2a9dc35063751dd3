//! Stored state: whatever a database holds, it is loaded or refused, and what is loaded can be served and stored.
//!
//! After an octet 0, the input is one stored node. After any other, it is a list of entries: table, length of the
//! key, length of the value (two octets), key, value; they are written with redb as they are, where the store writes
//! only what it has made itself. Damaged pages are the matter of `tests/sim/damage.rs`.

#![no_main]

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use danelaw::answer::{Access, Answerer, Outcome, Transport, Zone, Zones};
use danelaw::dns::message::UDP_PAYLOAD;
use danelaw::dns::name::Name;
use danelaw::state::{Commit, Store, ZoneCommit};
use danelaw::zone::history::condense;
use danelaw::zone::{Delta, Node, Snapshot, Step};
use danelaw_fuzz::{CLIENT, NOW, query};
use libfuzzer_sys::fuzz_target;
use redb::backends::InMemoryBackend;
use redb::{Database, StorageBackend, TableDefinition};

const META: TableDefinition<'_, &str, u64> = TableDefinition::new("meta");
const ZONES: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("zones");
const SERVICES: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("services");
const NODES: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("nodes");
const JOURNAL: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("journal");
const UPDATES: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("updates");

fuzz_target!(|data: &[u8]| match data.split_first() {
    Some((0, stored)) => node(stored),
    Some((_, entries)) => database(entries),
    None => {}
});

fn node(stored: &[u8]) {
    let Some(node) = Node::read(stored) else { return };
    let mut written = Vec::new();
    node.write(&mut written);
    assert_eq!(written, stored, "written as it was read");
    for rrset in node.rrsets() {
        assert_eq!(rrset.rdatas().count(), usize::from(rrset.count));
        assert_eq!(rrset.signature_rdatas().count(), usize::from(rrset.signature_count));
    }
}

fn database(entries: &[u8]) {
    let backend = Shared::default();
    write(&backend, entries).expect("redb writes into memory");
    let Ok(mut store) = Store::open(backend) else { return };
    let Ok(loaded) = store.load() else { return };
    for zone in loaded.zones {
        lead_there(&zone.steps, &zone.snapshot);
        let commit = ZoneCommit::version(zone.record, zone.snapshot.clone(), Step::new(Delta::default()), 0);
        let updates =
            zone.overlay.iter().map(|(owner, rtype, change)| ((owner.clone(), rtype), change.clone()));
        let commit = commit.with_updates(updates.collect());
        let commit = Commit { zones: vec![commit], ..Commit::default() };
        let mut copy = Store::open(InMemoryBackend::new()).expect("an empty store");
        copy.commit(&commit).expect("what was loaded can be stored");
        let again = copy.load().expect("what was stored can be loaded").zones;
        assert_eq!(again[0].snapshot.record_count(), zone.snapshot.record_count());
        assert_eq!(again[0].overlay, zone.overlay);
        ask(zone.snapshot);
    }
}

/// What has changed since any version leads to the last: no owner has other content after the steps than it has.
fn lead_there(steps: &[Step], snapshot: &Snapshot) {
    for first in 0..steps.len() {
        let Some(condensed) = condense(&steps[first..]) else { continue };
        assert_eq!(condensed.to, snapshot.serial());
        for (tree, changes) in [(&snapshot.nodes, &condensed.nodes), (&snapshot.nsec3, &condensed.nsec3)] {
            for change in changes {
                assert!(tree.get(change.owner()) == change.new.as_ref(), "{} is another", change.owner());
            }
        }
    }
}

/// Its names, and one that is not there.
fn ask(snapshot: Snapshot) {
    let origin = snapshot.origin().clone();
    let mut names: Vec<Name> = snapshot.nodes.iter().take(4).map(|node| node.owner().to_owned()).collect();
    names.extend(origin.child(b"not-there"));
    let zone = Zone::ready(Arc::new(snapshot), Arc::new(Access::default()));
    let zones = Zones::new(vec![zone], Arc::default(), Arc::default());
    let mut answerer = Answerer::default();
    let mut out = [0; UDP_PAYLOAD as usize];
    for name in names {
        for rtype in [1, 2, 6, 43, 48, 52, 255] {
            let request = query(name.as_ref(), rtype);
            match answerer.answer(&request, CLIENT.into(), Transport::Udp, &zones, NOW, &mut out) {
                Outcome::Response(length) => assert_eq!(out[..2], request[..2], "{length} octets"),
                _ => panic!("a query is answered"),
            }
        }
    }
}

fn write(backend: &Shared, mut data: &[u8]) -> Result<(), redb::Error> {
    let database = Database::builder().set_cache_size(1 << 20).create_with_backend(backend.clone())?;
    let transaction = database.begin_write()?;
    {
        let mut meta = transaction.open_table(META)?;
        meta.insert("format", danelaw::state::store::FORMAT)?;
        let mut zones = transaction.open_table(ZONES)?;
        let mut services = transaction.open_table(SERVICES)?;
        let mut nodes = transaction.open_table(NODES)?;
        let mut journal = transaction.open_table(JOURNAL)?;
        let mut updates = transaction.open_table(UPDATES)?;
        while let Some((&[table, key, high, low], rest)) = data.split_first_chunk() {
            let key = usize::from(key).min(rest.len());
            let (key, rest) = rest.split_at(key);
            let (value, rest) = rest.split_at(usize::from(u16::from_be_bytes([high, low])).min(rest.len()));
            data = rest;
            match table % 6 {
                0 => drop(zones.insert(key, value)?),
                1 => drop(services.insert(&*String::from_utf8_lossy(key), value)?),
                2 => drop(nodes.insert(key, value)?),
                4 => drop(journal.insert(key, value)?),
                5 => drop(updates.insert(key, value)?),
                _ => drop(meta.insert(&*String::from_utf8_lossy(key), value.len() as u64)?),
            }
        }
    }
    transaction.commit()?;
    drop(database);
    Ok(())
}

/// A database in memory that outlives its first user.
#[derive(Clone, Debug, Default)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl Shared {
    fn with<T>(&self, work: impl FnOnce(&mut Vec<u8>) -> T) -> io::Result<T> {
        Ok(work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner)))
    }
}

impl StorageBackend for Shared {
    fn len(&self) -> io::Result<u64> {
        self.with(|octets| octets.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let start = offset as usize;
        self.with(|octets| {
            let from = octets.get(start..start + out.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
            out.copy_from_slice(from);
            Ok(())
        })?
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        self.with(|octets| octets.resize(length as usize, 0))
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.with(|octets| octets[offset as usize..offset as usize + data.len()].copy_from_slice(data))
    }
}
