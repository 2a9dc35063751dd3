//! The store: a redb database in which everything that must survive a restart is written, one transaction a
//! commit.
//!
//! ```text
//! meta      "format", "next-range"                  → number
//! zones     origin, lower case, wire                → its record and its range, JSON
//! services  name                                    → state, JSON
//! nodes     range u32, tree u8, canonical key       → node
//! journal   range u32, step u64                     → what the step changed, see `journal`
//! updates   origin, owner, type                     → what updates have made of it, see `updates`
//! ```
//!
//! All nodes of a zone stand under its range, first the names, then the owners of NSEC3 records, in canonical
//! order. A zone that is replaced as a whole gets a new range behind all others, so that its nodes are appended.
//! Ranges are never used again.
//!
//! A node is one entry. Packing nodes into blocks of 4 to 16 KiB was measured (500,000 names and as many NSEC3
//! nodes): it takes the load from 1.0 to 0.7 s and the first commit from 2.0 to 0.8 s of processor time, neither
//! of which is worth a tree of blocks of our own. A large zone that is new is written in pieces that fit into
//! redb's cache, so that every page of it is written once; in one piece it would be twice.
//!
//! The first opening compares every page with its checksum, so that a damaged file is one error that says so: redb by
//! itself takes a file that was closed in good order for sound, and then either panics in the midst of a
//! damaged tree or gives out what is not what was put in. It takes 0.7 s of processor time at 500 MB, beside the
//! second and more of the load. A version before the last is never taken for the last: commits have two phases, after
//! which redb refuses to fall back.
//!
//! Every commit records which pages are in use ("quick repair", which implies redb's two-phase commit). That
//! costs a second, short sync and some pages, and in turn opening again after a failed write, when nothing needs to be
//! compared, takes milliseconds, whatever the size; otherwise redb reads the whole file.

use std::collections::BTreeMap;
use std::io;
use std::ops::Bound;
use std::sync::Arc;

use redb::{
    Builder, Database, Durability, ReadTransaction, ReadableDatabase, ReadableTable, StorageBackend, Table,
    TableDefinition, WriteTransaction,
};

use super::copy::Moment;
use super::error::{Damage, StateError};
use super::journal::{self, JOURNAL};
use super::record::{ServiceState, StoredRecord, ZoneRecord};
use super::updates::{self, UPDATES};
use crate::dns::name::{Key, Name};
use crate::zone::overlay::{Overlay, Overrides};
use crate::zone::{Change, Contents, Node, Serial, Snapshot, Step, Tree};

/// The form of what is stored. A danelaw that knows only lower numbers refuses it. Format 1 had no journal
/// and no updates; up to format 2 whatever danelaw made was TLSA.
pub const FORMAT: u64 = 4;

/// How much of the database redb keeps in memory. Zones are held as snapshots and are read from it only at a
/// start, so this serves the inner pages on the way to a changed node, and what one commit writes.
pub const CACHE_OCTETS: usize = 32 << 20;

/// How much of a new zone is written at a time. Half of redb's cache is for what is being written; a page that finds
/// no room there is written out at once, read back for its checksum, and written again.
const STAGE_OCTETS: usize = CACHE_OCTETS / 4;
/// How many nodes a zone has at least that is written piece by piece.
const LARGE: usize = 20_000;

pub(super) const META: TableDefinition<'_, &str, u64> = TableDefinition::new("meta");
pub(super) const ZONES: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("zones");
pub(super) const SERVICES: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("services");
pub(super) const NODES: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("nodes");

const FORMAT_KEY: &str = "format";
const NEXT_RANGE: &str = "next-range";

/// Which tree of a zone a node is in, as its key says it.
const TREE_NODES: u8 = 0;
const TREE_NSEC3: u8 = 1;
/// Greater than any tree there is.
const TREE_END: u8 = u8::MAX;

/// What survives a restart.
#[derive(Debug)]
pub struct Store {
    medium: Medium,
    /// `None` after an error: redb refuses everything after a failed write, until it is opened anew.
    database: Option<Database>,
}

/// What a start finds.
#[derive(Debug, Default)]
pub struct Loaded {
    /// The zones.
    pub zones: Vec<StoredZone>,
    /// The services by name.
    pub services: BTreeMap<String, ServiceState>,
}

/// A zone as it was committed last.
#[derive(Debug)]
pub struct StoredZone {
    /// What is kept beside the nodes.
    pub record: ZoneRecord,
    /// The version.
    pub snapshot: Snapshot,
    /// The steps that led to it, the oldest first.
    pub steps: Vec<Step>,
    /// What dynamic updates have made of it.
    pub overlay: Overlay,
}

/// What is to become durable at once.
#[derive(Debug, Default)]
pub struct Commit {
    /// New versions of zones; a zone is in it once.
    pub zones: Vec<ZoneCommit>,
    /// Zones to be forgotten.
    pub removed_zones: Vec<Name>,
    /// What services become.
    pub services: Vec<ServiceCommit>,
}

/// A new version of a zone.
#[derive(Debug)]
pub struct ZoneCommit {
    record: ZoneRecord,
    snapshot: Snapshot,
    step: Step,
    keep: usize,
    overrides: Overrides,
}

/// What a service becomes.
#[derive(Debug)]
pub enum ServiceCommit {
    /// The service of this name has this state.
    Store(String, ServiceState),
    /// The service of this name is forgotten.
    Remove(String),
}

impl Commit {
    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.zones.is_empty() && self.removed_zones.is_empty() && self.services.is_empty()
    }
}

impl ZoneCommit {
    /// `snapshot` is the version, `step` what made it of the version before. Where that is the version stored,
    /// only what changed is written; otherwise, and where there was none, the whole snapshot. The record's
    /// serial is taken from the snapshot. Of the steps to it, this one included, the last `keep` are kept.
    pub fn version(record: ZoneRecord, snapshot: Snapshot, step: Step, keep: usize) -> Self {
        let record = ZoneRecord { serial: snapshot.serial(), ..record };
        Self { record, snapshot, step, keep, overrides: Overrides::new() }
    }

    fn is_large_and_new(&self) -> bool {
        self.step.from.is_none() && self.snapshot.nodes.len() + self.snapshot.nsec3.len() >= LARGE
    }

    /// With what dynamic updates have made of RRsets, where that has changed.
    #[must_use]
    pub fn with_updates(self, overrides: Overrides) -> Self {
        Self { overrides, ..self }
    }
}

impl Store {
    /// Opens the state on `backend`, which is made if the backend is empty, and compares every page of it with its
    /// checksum.
    ///
    /// The backend's own locks are not used: that nobody else has it is the caller's to see to.
    pub fn open(backend: impl StorageBackend) -> Result<Self, StateError> {
        let medium = Medium(Arc::new(backend));
        let database = Some(open(&medium, Trust::Nothing)?);
        Ok(Self { medium, database })
    }

    /// Reads everything.
    pub fn load(&mut self) -> Result<Loaded, StateError> {
        let loaded = self.ready().and_then(|database| load(&database.begin_read()?));
        if loaded.is_err() {
            self.database = None;
        }
        loaded
    }

    /// Writes everything in `commit`; after `Ok` it is durable.
    ///
    /// After an error the store is as good as before, and the next call opens the database anew. What was to be
    /// written is usually not there; but a disk may fail and have it written nevertheless, so it may turn up at
    /// a restart. Whoever goes on without one must therefore commit the same or a newer version of all that was in
    /// the failed commit before anything else is taken for durable.
    pub fn commit(&mut self, commit: &Commit) -> Result<(), StateError> {
        let written = self.ready().and_then(|database| {
            let staged = stage(database, commit)?;
            let transaction = begin(database)?;
            write(&transaction, commit, &staged)?;
            Ok(transaction.commit()?)
        });
        if written.is_err() {
            self.database = None;
        }
        written
    }

    /// What it is at this moment, to be copied.
    pub fn moment(&mut self) -> Result<Moment, StateError> {
        self.ready().and_then(Moment::of)
    }

    /// The zones with the serials of their versions, and the tags of the keys that they were signed with last.
    pub fn zones(&mut self) -> Result<Vec<(Name, ZoneRecord)>, StateError> {
        let transaction = self.ready()?.begin_read()?;
        let mut zones = Vec::new();
        for entry in transaction.open_table(ZONES)?.iter()? {
            let (origin, record) = entry?;
            let origin =
                Name::from_wire(origin.value()).map_err(|_| damaged(&Name::root(), Damage::Record))?;
            let record = StoredRecord::read(record.value()).and_then(ZoneRecord::try_from);
            let record = record.map_err(|damage| damaged(&origin, damage))?;
            zones.push((origin, record));
        }
        Ok(zones)
    }

    /// Has the next version of each of these zones made at once, with a serial above the one given.
    pub fn number_above(&mut self, serials: &BTreeMap<Name, Serial>) -> Result<(), StateError> {
        let transaction = begin(self.ready()?)?;
        {
            let mut zones = transaction.open_table(ZONES)?;
            for (origin, &above) in serials {
                let key = canonical(origin);
                let stored = zones.get(&key[..])?.map(|record| StoredRecord::read(record.value()));
                let Some(stored) = stored else { continue };
                let range = stored.as_ref().map_or(0, |stored| stored.range);
                let record =
                    stored.and_then(ZoneRecord::try_from).map_err(|damage| damaged(origin, damage))?;
                let record = ZoneRecord { above: Some(above), ..record };
                zones.insert(&key[..], &StoredRecord::new(range, &record).write()[..])?;
            }
        }
        Ok(transaction.commit()?)
    }

    /// Closes the database, which leaves less to do at the next start. Without it nothing is lost.
    pub fn close(mut self) -> Result<(), StateError> {
        match self.database.take() {
            Some(database) => Ok(database.close()?),
            None => Ok(()),
        }
    }

    fn ready(&mut self) -> Result<&Database, StateError> {
        let database = match self.database.take() {
            Some(database) => database,
            None => open(&self.medium, Trust::Pages)?,
        };
        Ok(self.database.insert(database))
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        self.database = None;
        // Whatever it reports, nothing more is wanted of the backend.
        let _ = self.medium.0.close();
    }
}

/// How far what is on the backend is believed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Trust {
    /// Every page is read and compared with its checksum.
    Nothing,
    /// Pages are what this process has found sound, or has written.
    Pages,
}

fn open(medium: &Medium, trust: Trust) -> Result<Database, StateError> {
    let database = Builder::new()
        .set_cache_size(CACHE_OCTETS)
        .set_check_integrity_on_open(trust == Trust::Nothing)
        .create_with_backend(medium.clone())?;
    let transaction = begin(&database)?;
    let format = transaction.open_table(META)?.get(FORMAT_KEY)?.map(|number| number.value());
    match format {
        Some(FORMAT) => transaction.abort()?,
        Some(found) if found > FORMAT => return Err(StateError::Newer { found, known: FORMAT }),
        Some(_) | None => {
            transaction.open_table(META)?.insert(FORMAT_KEY, FORMAT)?;
            // So that a reader finds them.
            transaction.open_table(ZONES)?;
            transaction.open_table(SERVICES)?;
            transaction.open_table(NODES)?;
            transaction.open_table(JOURNAL)?;
            transaction.open_table(UPDATES)?;
            transaction.commit()?;
        }
    }
    Ok(database)
}

/// A transaction whose commit is durable when it returns.
fn begin(database: &Database) -> Result<WriteTransaction, StateError> {
    let mut transaction = database.begin_write()?;
    transaction.set_quick_repair(true);
    Ok(transaction)
}

fn load(transaction: &ReadTransaction) -> Result<Loaded, StateError> {
    let nodes = transaction.open_table(NODES)?;
    let journal = transaction.open_table(JOURNAL)?;
    let updates = transaction.open_table(UPDATES)?;
    let mut loaded = Loaded::default();
    for entry in transaction.open_table(ZONES)?.iter()? {
        let (origin, record) = entry?;
        let origin = Name::from_wire(origin.value()).map_err(|_| damaged(&Name::root(), Damage::Record))?;
        let stored = StoredRecord::read(record.value()).map_err(|damage| damaged(&origin, damage))?;
        let names = load_tree(&nodes, &origin, stored.range, TREE_NODES)?;
        let nsec3 = load_tree(&nodes, &origin, stored.range, TREE_NSEC3)?;
        // The case of the origin is that of the apex's owner, not of the key.
        let origin = names.get(origin.as_ref()).map_or(origin.clone(), |apex| apex.owner().to_owned());
        let mut contents = Contents::new(origin.clone());
        contents.nodes = names;
        contents.nsec3 = nsec3;
        let snapshot = Snapshot::new(contents).map_err(|_| damaged(&origin, Damage::NoSoa))?;
        let range = stored.range;
        let record = ZoneRecord::try_from(stored).map_err(|damage| damaged(&origin, damage))?;
        if record.serial != snapshot.serial() {
            return Err(damaged(&origin, Damage::Serial));
        }
        let steps = journal::load(&journal, range, snapshot.contents(), snapshot.serial())?;
        let steps = steps.map_err(|damage| damaged(&origin, damage))?;
        let overlay = updates::load(&updates, &origin)?.map_err(|damage| damaged(&origin, damage))?;
        loaded.zones.push(StoredZone { record, snapshot, steps, overlay });
    }
    for entry in transaction.open_table(SERVICES)?.iter()? {
        let (name, state) = entry?;
        loaded.services.insert(name.value().to_owned(), ServiceState::stored(state.value()));
    }
    Ok(loaded)
}

fn load_tree(
    nodes: &impl ReadableTable<&'static [u8], &'static [u8]>,
    origin: &Name,
    range: u32,
    tree: u8,
) -> Result<Tree, StateError> {
    let mut entries = nodes.range::<&[u8]>(&place(range, tree)[..]..&place(range, tree + 1)[..])?;
    let mut failure = None;
    let read = |(key, stored): (redb::AccessGuard<'_, &[u8]>, redb::AccessGuard<'_, &[u8]>)| {
        let node = Node::read(stored.value())?;
        // Keys are in order and each is there once; so then are the nodes that stand where their owners say.
        let sound = node.owner().is_at_or_below(origin.as_ref())
            && key.value().get(PLACE..) == Some(node.key(origin.len()).symbols());
        sound.then_some(node)
    };
    let tree = Tree::from_sorted(
        origin.len(),
        std::iter::from_fn(|| {
            let node = match entries.next()? {
                Ok(entry) => read(entry).ok_or_else(|| damaged(origin, Damage::Node)),
                Err(error) => Err(error.into()),
            };
            node.map_err(|error| failure = Some(error)).ok()
        }),
    );
    failure.map_or(Ok(tree), Err)
}

/// Writes the nodes of large zones that are new, piece by piece, each zone under a range that nothing refers to yet,
/// and says which. A crash leaves nothing of it before the commit that refers to the range is durable.
fn stage(database: &Database, commit: &Commit) -> Result<BTreeMap<Name, u32>, StateError> {
    let mut staged = BTreeMap::new();
    for ZoneCommit { snapshot, .. } in commit.zones.iter().filter(|zone| zone.is_large_and_new()) {
        let mut range = None;
        let mut nodes = all_nodes(snapshot).peekable();
        while nodes.peek().is_some() {
            let mut transaction = database.begin_write()?;
            transaction.set_durability(Durability::None)?;
            let range = match range {
                Some(range) => range,
                None => *range.insert(next_range(&transaction)?),
            };
            append(&mut transaction.open_table(NODES)?, range, &mut nodes, STAGE_OCTETS)?;
            transaction.commit()?;
        }
        staged.extend(range.map(|range| (snapshot.origin().clone(), range)));
    }
    Ok(staged)
}

fn write(
    transaction: &WriteTransaction,
    commit: &Commit,
    staged: &BTreeMap<Name, u32>,
) -> Result<(), StateError> {
    let mut zones = transaction.open_table(ZONES)?;
    let mut nodes = transaction.open_table(NODES)?;
    let mut journal = transaction.open_table(JOURNAL)?;
    let mut updates = transaction.open_table(UPDATES)?;
    for origin in &commit.removed_zones {
        let gone = zones.remove(&canonical(origin)[..])?.map(|record| StoredRecord::read(record.value()));
        if let Some(stored) = gone {
            let range = stored.map_err(|damage| damaged(origin, damage))?.range;
            clear(&mut nodes, range)?;
            journal::clear(&mut journal, range)?;
            updates::clear(&mut updates, origin)?;
        }
    }
    for ZoneCommit { record, snapshot, step, keep, overrides } in &commit.zones {
        let origin = snapshot.origin();
        let key = canonical(origin);
        let stored = zones.get(&key[..])?.map(|record| StoredRecord::read(record.value()));
        let stored = stored.transpose().map_err(|damage| damaged(origin, damage))?;
        let range = match stored {
            // The store may be ahead of the caller, when an earlier commit failed and was written nevertheless.
            Some(stored) if step.from.is_some_and(|from| from.0 == stored.serial) => {
                change(&mut nodes, stored.range, TREE_NODES, &snapshot.nodes, &step.nodes)?;
                change(&mut nodes, stored.range, TREE_NSEC3, &snapshot.nsec3, &step.nsec3)?;
                // A record may change without the version.
                let next = (!step.is_empty()).then(|| &**step.delta());
                journal::add(&mut journal, stored.range, next, *keep)?;
                stored.range
            }
            stored => {
                if let Some(stored) = stored {
                    clear(&mut nodes, stored.range)?;
                    journal::clear(&mut journal, stored.range)?;
                }
                if let Some(&range) = staged.get(origin) {
                    range
                } else {
                    let range = next_range(transaction)?;
                    append(&mut nodes, range, &mut all_nodes(snapshot), usize::MAX)?;
                    range
                }
            }
        };
        updates::change(&mut updates, origin, overrides)?;
        zones.insert(&key[..], &StoredRecord::new(range, record).write()[..])?;
    }
    let mut services = transaction.open_table(SERVICES)?;
    for service in &commit.services {
        match service {
            ServiceCommit::Store(name, state) => drop(services.insert(&name[..], state.octets())?),
            ServiceCommit::Remove(name) => drop(services.remove(&name[..])?),
        }
    }
    Ok(())
}

fn next_range(transaction: &WriteTransaction) -> Result<u32, StateError> {
    let mut meta = transaction.open_table(META)?;
    let range = meta.get(NEXT_RANGE)?.map_or(0, |number| number.value());
    meta.insert(NEXT_RANGE, range + 1)?;
    // Four thousand million replacements of whole zones are more than any state will see.
    Ok(range as u32)
}

type Nodes<'t> = Table<'t, &'static [u8], &'static [u8]>;

fn clear(nodes: &mut Nodes<'_>, range: u32) -> Result<(), StateError> {
    let (start, end) = (place(range, TREE_NODES), place(range, TREE_END));
    Ok(nodes.retain_in::<&[u8], _>(&start[..]..&end[..], |_, _| false)?)
}

/// The nodes of a zone, with the trees they are in.
fn all_nodes(snapshot: &Snapshot) -> impl Iterator<Item = (u8, &Tree, &Node)> {
    let trees = [(TREE_NODES, &snapshot.nodes), (TREE_NSEC3, &snapshot.nsec3)];
    trees.into_iter().flat_map(|(tag, tree)| tree.iter().map(move |node| (tag, tree, node)))
}

/// Writes nodes behind all others, up to about `most` octets.
fn append<'n>(
    nodes: &mut Nodes<'_>,
    range: u32,
    new: &mut impl Iterator<Item = (u8, &'n Tree, &'n Node)>,
    most: usize,
) -> Result<(), StateError> {
    let mut end = nodes.upper_bound_mut(Bound::<&[u8]>::Unbounded)?;
    let (mut key, mut stored) = (Vec::new(), Vec::new());
    let mut written = 0;
    while written < most
        && let Some((tag, tree, node)) = new.next()
    {
        write_key(&mut key, range, tag, &node.key(tree.apex_length()));
        stored.clear();
        node.write(&mut stored);
        end.insert_before(&key[..], &stored[..])?;
        written += key.len() + stored.len();
    }
    Ok(end.close()?)
}

fn change(
    nodes: &mut Nodes<'_>,
    range: u32,
    tag: u8,
    tree: &Tree,
    changes: &[Change],
) -> Result<(), StateError> {
    let (mut key, mut stored) = (Vec::new(), Vec::new());
    for change in changes {
        write_key(&mut key, range, tag, &tree.key(change.owner()));
        match &change.new {
            Some(node) => {
                stored.clear();
                node.write(&mut stored);
                nodes.insert(&key[..], &stored[..])?;
            }
            None => drop(nodes.remove(&key[..])?),
        }
    }
    Ok(())
}

/// The octets of a node's key before its place in the canonical order.
const PLACE: usize = 5;

/// Where a tree begins. Big-endian, so that octets sort as numbers do.
fn place(range: u32, tree: u8) -> [u8; PLACE] {
    let [a, b, c, d] = range.to_be_bytes();
    [a, b, c, d, tree]
}

fn write_key(out: &mut Vec<u8>, range: u32, tree: u8, key: &Key) {
    out.clear();
    out.extend(place(range, tree));
    out.extend(key.symbols());
}

fn canonical(origin: &Name) -> Vec<u8> {
    let mut key = Vec::with_capacity(origin.len());
    origin.as_ref().write_canonical(&mut key);
    key
}

fn damaged(zone: &Name, damage: Damage) -> StateError {
    StateError::Zone { zone: Box::new(zone.clone()), damage }
}

/// The backend, held so that the database can be closed and opened anew on it: what redb takes for the end of
/// the backend is not.
#[derive(Clone, Debug)]
struct Medium(Arc<dyn StorageBackend>);

impl StorageBackend for Medium {
    fn len(&self) -> io::Result<u64> {
        self.0.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.0.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.0.write(offset, data)
    }
}

#[cfg(test)]
mod tests;
