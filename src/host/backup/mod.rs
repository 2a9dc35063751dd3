//! Backups: one file with everything that cannot be made anew, taken while danelaw runs or while it does not.
//!
//! ```text
//! danelaw-backup.json    what follows, with lengths and digests
//! state/danelaw.redb     the state as it was at one moment
//! keys/…                 the files of the keys' directory
//! ```
//!
//! It is a tar archive, so that in need any tool reads it. The state is copied first: keys are made before they are
//! used, so none that it speaks of is missing. Zone files, the configuration and certificates are the operator's own
//! and not in it. The file is complete or not there, for its owner alone, and read back before it gets its name.

mod restore;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::path::{Component, Path, PathBuf};

use data_encoding::HEXLOWER;
use redb::backends::FileBackend;
use ring::digest::{Context, SHA256};
use serde::{Deserialize, Serialize};
use tempfile::NamedTempFile;
use zeroize::Zeroizing;

use super::client::{self, ClientError, Method, StatusCode};
use super::disk::{self, DATABASE, DiskError};
use super::{clock, files};
use crate::config::Directories;
use crate::dns::name::Name;
use crate::dns::time::Timestamp;
use crate::dnssec::keyfile;
use crate::state::{StateError, Store, ZoneRecord};
use crate::zone::Serial;

pub use restore::{RestoreError, Restored, restore};

/// What a backup holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Manifest {
    /// The form of the archive.
    format: u32,
    /// The version of danelaw that made it.
    pub version: String,
    /// When it was made.
    pub made: Timestamp,
    /// The zones and their serials.
    zones: BTreeMap<String, u32>,
    /// The other files, by their paths in the archive.
    files: BTreeMap<String, Entry>,
}

/// A file in an archive.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    octets: u64,
    sha256: String,
}

/// Why there is no backup, or why what is there is none.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// A file or directory cannot be read or written.
    #[error("{}: {source}", path.display())]
    Path {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The state cannot be had from the disk.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// Nor from the daemon.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The daemon says why not.
    #[error("the daemon cannot copy its state: {0}")]
    Refused(String),
    /// There is none.
    #[error("{} does not exist: nothing was ever served with this configuration", .0.display())]
    NoState(PathBuf),
    /// The copy of the state cannot be read.
    #[error("the copy of the state: {0}")]
    State(#[from] StateError),
    /// The archive is damaged, or no archive.
    #[error("not a whole backup of danelaw: {0}")]
    NotWhole(Fault),
    /// It cannot be written.
    #[error("output: {0}")]
    Output(#[from] io::Error),
}

/// What is wrong with an archive.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// It is no tar archive, or cut off in the midst of a file.
    #[error("{0}")]
    Unreadable(String),
    /// It does not begin with what it holds.
    #[error("it does not begin with {MANIFEST}")]
    NoManifest,
    /// A later danelaw made it.
    #[error("it has format {0}, expected {FORMAT}: a later danelaw made it")]
    Format(u32),
    /// A file that it should have is not there.
    #[error("{0} is missing")]
    Missing(String),
    /// A file is not what it was.
    #[error("{0} is not what was saved")]
    Changed(String),
    /// A file is not what belongs into a backup.
    #[error("{0} does not belong there")]
    Stranger(String),
}

/// What was saved.
pub struct Saved {
    /// How many zones are in it.
    pub zones: usize,
    /// How many files of keys.
    pub keys: usize,
    /// What someone should look at.
    pub warnings: Vec<String>,
}

/// A key file with its name.
type KeyFile = (String, Zeroizing<Vec<u8>>);

/// Saves state and keys to a file, or to standard output without one.
pub fn save(directories: &Directories, output: Option<&Path>) -> Result<Saved, BackupError> {
    let scratch = output.map_or_else(std::env::temp_dir, directory_of);
    let mut state = state_of(directories, &scratch)?;
    let records = zones_in(&state)?;
    let keys = keys_in(&directories.keys)?;
    let manifest = Manifest {
        format: FORMAT,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        made: clock::now(),
        zones: records.iter().map(|(zone, record)| (zone.to_string(), record.serial.0)).collect(),
        files: entries(&mut state, &keys)?,
    };
    let saved = Saved { zones: records.len(), keys: keys.len(), warnings: missing_keys(&records, &keys) };
    let Some(path) = output else {
        let mut out = io::stdout().lock();
        write(&manifest, &mut state, &keys, &mut out)?;
        out.flush()?;
        return Ok(saved);
    };
    let at = |source| BackupError::Path { path: path.to_owned(), source };
    // Made 0600; a crash leaves it under a name of its own.
    let mut file = NamedTempFile::new_in(&scratch).map_err(at)?;
    write(&manifest, &mut state, &keys, &mut file)?;
    file.as_file().sync_all().map_err(at)?;
    file.rewind().map_err(at)?;
    Archive::read(&mut file, &scratch)?;
    file.persist(path).map_err(|error| at(error.error))?;
    File::open(&scratch).and_then(|directory| directory.sync_all()).map_err(at)?;
    Ok(saved)
}

/// The state of the running daemon; or, without one, what is on the disk.
fn state_of(directories: &Directories, scratch: &Path) -> Result<File, BackupError> {
    let mut copy = tempfile::tempfile_in(scratch)?;
    match client::request(&directories.control_socket(), &Method::GET, "/state", &mut copy) {
        Ok(StatusCode::OK) => Ok(copy),
        Ok(_) => {
            let mut reason = String::new();
            copy.rewind()?;
            copy.take(MAX_REASON).read_to_string(&mut reason)?;
            Err(BackupError::Refused(reason.trim_end().to_owned()))
        }
        Err(ClientError::NoDaemon { .. }) => {
            let database = directories.state.join(DATABASE);
            if !database.exists() {
                return Err(BackupError::NoState(database));
            }
            // The moment lasts as long as the state is open.
            let mut state = disk::open(&directories.state)?;
            Ok(disk::copy(&state.moment()?, scratch)?)
        }
        Err(error) => Err(error.into()),
    }
}

/// The zones in a copy of a state, every page of which is checked.
fn zones_in(state: &File) -> Result<Vec<(Name, ZoneRecord)>, BackupError> {
    let backend = FileBackend::new(state.try_clone()?).map_err(StateError::from)?;
    let mut store = Store::open(backend)?;
    let zones = store.zones()?;
    store.close()?;
    Ok(zones)
}

/// The files in the directory of keys, but not what is in directories below it.
fn keys_in(directory: &Path) -> Result<Vec<KeyFile>, BackupError> {
    let at = |path: &Path| {
        let path = path.to_owned();
        move |source| BackupError::Path { path, source }
    };
    let mut keys = Vec::new();
    let entries = match std::fs::read_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(keys),
        entries => entries.map_err(at(directory))?,
    };
    for entry in entries {
        let path = entry.map_err(at(directory))?.path();
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
        if path.metadata().map_err(at(&path))?.is_file() {
            keys.push((name.to_owned(), files::read_within(&path, limit(name)).map_err(at(&path))?));
        }
    }
    keys.sort_by(|(a, _), (b, _)| a.cmp(b));
    Ok(keys)
}

/// What is said of each zone that was signed with a key whose file is not among `keys`.
fn missing_keys(records: &[(Name, ZoneRecord)], keys: &[KeyFile]) -> Vec<String> {
    let tagged = |zone: &Name, tag: u16| {
        let prefix = keyfile::stem_prefix(zone.as_ref());
        keys.iter().any(|(name, _)| {
            let stem = name.strip_suffix(".private").or_else(|| name.strip_suffix(".batch"));
            let stem = stem.and_then(|stem| stem.strip_prefix(&prefix));
            stem.and_then(keyfile::parse_stem_tail).is_some_and(|(_, of)| of == tag)
        })
    };
    let missing = records.iter().filter(|(_, record)| record.signed).flat_map(|(zone, record)| {
        let tags = record.key_tags.iter().filter(move |&&tag| !tagged(zone, tag));
        tags.map(move |tag| {
            format!("zone {zone} is signed with key {tag}, whose private file is not there: it is not saved")
        })
    });
    missing.collect()
}

fn entries(state: &mut File, keys: &[KeyFile]) -> Result<BTreeMap<String, Entry>, BackupError> {
    let mut digest = Digest::new(io::sink());
    state.rewind()?;
    io::copy(state, &mut digest)?;
    let mut entries = BTreeMap::from([(STATE.to_owned(), digest.entry())]);
    for (name, octets) in keys {
        let mut digest = Digest::new(io::sink());
        digest.write_all(octets)?;
        entries.insert(format!("{KEYS}{name}"), digest.entry());
    }
    Ok(entries)
}

fn write(
    manifest: &Manifest,
    state: &mut File,
    keys: &[KeyFile],
    out: &mut dyn Write,
) -> Result<(), BackupError> {
    let mut archive = tar::Builder::new(out);
    let mut append = |path: &str, length: u64, content: &mut dyn Read| {
        let mut header = tar::Header::new_gnu();
        header.set_size(length);
        header.set_mode(files::PRIVATE_MODE);
        header.set_mtime(manifest.made.0);
        archive.append_data(&mut header, path, content)
    };
    let text = serde_json::to_vec_pretty(manifest).map_err(io::Error::from)?;
    append(MANIFEST, text.len() as u64, &mut &text[..])?;
    state.rewind()?;
    let length = state.metadata()?.len();
    append(STATE, length, state)?;
    for (name, octets) in keys {
        append(&format!("{KEYS}{name}"), octets.len() as u64, &mut &octets[..])?;
    }
    Ok(archive.finish()?)
}

/// An archive that was read and found whole.
struct Archive {
    manifest: Manifest,
    state: File,
    keys: Vec<KeyFile>,
}

impl Archive {
    /// Reads all of it; the state into a nameless file in `scratch`.
    fn read(archive: &mut dyn Read, scratch: &Path) -> Result<Self, BackupError> {
        let mut archive = tar::Archive::new(archive);
        let mut entries = archive.entries()?;
        let first = entries.next().ok_or(Fault::NoManifest)?.map_err(unreadable)?;
        if first.path_bytes() != MANIFEST.as_bytes() {
            return Err(Fault::NoManifest.into());
        }
        let manifest: Value = serde_json::from_reader(first.take(MAX_MANIFEST)).map_err(unreadable)?;
        let manifest = manifest.known()?;
        let mut missing = manifest.files.clone();
        let (mut state, mut keys) = (None, Vec::new());
        for entry in entries {
            let entry = entry.map_err(unreadable)?;
            let path = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
            let Some(expected) = missing.remove(&path) else { return Err(Fault::Stranger(path).into()) };
            let found = if path == STATE {
                let mut digest = Digest::new(tempfile::tempfile_in(scratch)?);
                copy(entry, &mut digest)?;
                let found = digest.entry();
                state = Some(digest.out);
                found
            } else if let Some(name) = path.strip_prefix(KEYS).filter(|name| is_file_name(name)) {
                if expected.octets > limit(name) {
                    return Err(Fault::Stranger(path).into());
                }
                let room = Zeroizing::new(Vec::with_capacity(expected.octets as usize + 1));
                let mut digest = Digest::new(Secret(room));
                copy(entry.take(expected.octets + 1), &mut digest)?;
                let found = digest.entry();
                keys.push((name.to_owned(), digest.out.0));
                found
            } else {
                return Err(Fault::Stranger(path).into());
            };
            if found != expected {
                return Err(Fault::Changed(path).into());
            }
        }
        match (state, missing.into_keys().next()) {
            (Some(state), None) => Ok(Self { manifest, state, keys }),
            (_, Some(path)) => Err(Fault::Missing(path).into()),
            (None, None) => Err(Fault::Missing(STATE.to_owned()).into()),
        }
    }

    /// The zones with their serials.
    fn zones(&self) -> impl Iterator<Item = (Name, Serial)> {
        let zones = self.manifest.zones.iter();
        zones.filter_map(|(zone, &serial)| Some((Name::parse(zone).ok()?, Serial(serial))))
    }
}

/// A manifest of whatever format.
#[derive(Deserialize)]
struct Value(serde_json::Value);

impl Value {
    fn known(self) -> Result<Manifest, BackupError> {
        let format = self.0.get("format").and_then(serde_json::Value::as_u64).ok_or(Fault::NoManifest)?;
        if format != u64::from(FORMAT) {
            return Err(Fault::Format(u32::try_from(format).unwrap_or(u32::MAX)).into());
        }
        Ok(serde_json::from_value(self.0).map_err(unreadable)?)
    }
}

/// Passes octets on, and counts and digests them.
struct Digest<W> {
    context: Context,
    octets: u64,
    out: W,
}

impl<W: Write> Digest<W> {
    fn new(out: W) -> Self {
        Self { context: Context::new(&SHA256), octets: 0, out }
    }

    /// What has passed.
    fn entry(&self) -> Entry {
        Entry { octets: self.octets, sha256: HEXLOWER.encode(self.context.clone().finish().as_ref()) }
    }
}

impl<W: Write> Write for Digest<W> {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        let written = self.out.write(octets)?;
        self.context.update(&octets[..written]);
        self.octets += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// Room for a secret, which does not grow.
struct Secret(Zeroizing<Vec<u8>>);

impl Write for Secret {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.0.extend(octets);
        Ok(octets.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Copies a file of an archive; that the archive ends in its midst is the archive's fault, not the system's.
fn copy(mut from: impl Read, to: &mut impl Write) -> Result<(), BackupError> {
    match io::copy(&mut from, to) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Err(unreadable(error).into()),
        Err(error) => Err(error.into()),
    }
}

fn unreadable(error: impl std::fmt::Display) -> Fault {
    Fault::Unreadable(error.to_string())
}

impl From<Fault> for BackupError {
    fn from(fault: Fault) -> Self {
        Self::NotWhole(fault)
    }
}

/// Whether this names a file in a directory, and nothing elsewhere.
fn is_file_name(name: &str) -> bool {
    let mut components = Path::new(name).components();
    matches!((components.next(), components.next()), (Some(Component::Normal(only)), None) if only == name)
}

/// How many octets a file in the directory of keys may have.
fn limit(name: &str) -> u64 {
    let is_batch = Path::new(name).extension().is_some_and(|extension| extension == "batch");
    if is_batch { MAX_BATCH } else { MAX_KEY }
}

fn directory_of(path: &Path) -> PathBuf {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new(".")).to_owned()
}

/// Makes a file in the directory of keys, with the mode that it should have whatever it had.
fn create_key(path: &Path, octets: &[u8]) -> io::Result<()> {
    let public = path.extension().is_some_and(|extension| extension == "key");
    let mode = if public { files::PUBLIC_MODE } else { files::PRIVATE_MODE };
    files::restore(path, octets, mode)
}

/// The form of the archive.
const FORMAT: u32 = 1;
const MANIFEST: &str = "danelaw-backup.json";
const STATE: &str = "state/danelaw.redb";
const KEYS: &str = "keys/";
/// More than ten thousand zones and keys take.
const MAX_MANIFEST: u64 = 64 << 20;
/// More than any key file has.
const MAX_KEY: u64 = 1 << 20;
/// More than the signatures made ahead for some decades have.
const MAX_BATCH: u64 = 64 << 20;
/// More than a reason has.
const MAX_REASON: u64 = 4_096;

#[cfg(test)]
mod tests;
