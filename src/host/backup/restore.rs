//! Putting a backup back.
//!
//! An old state is dangerous. Versions of zones that were made after it are forgotten, so their serials would be used
//! again for other content, which secondaries never fetch; keys and steps of rollovers made since are forgotten as
//! well. So what is on the disk is replaced only by something newer, unless forced; and zones are numbered above
//! everything that secondaries are seen to have.
//!
//! ```text
//! read       all of the archive, before anything is touched
//! compare    with the state and the keys on the disk
//! keys       those that are missing are written
//! ask        the secondaries, for their serials
//! state      written beside, marked, read, and moved to its place; the one before stays beside it
//! ```
//!
//! A crash before the last step leaves the state that was there; the same command then does the rest.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::task::JoinSet;

use super::super::disk::{self, DiskError};
use super::super::settings::{self, SettingsError};
use super::super::{clock, files, notify};
use super::{Archive, BackupError, create_key, limit};
use crate::config::{Config, SerialScheme};
use crate::dns::name::Name;
use crate::dns::time::Timestamp;
use crate::dns::tsig::{Key, Keyring};
use crate::zone::Serial;

/// What was put back.
#[derive(Debug)]
pub struct Restored {
    /// When it was saved.
    pub made: Timestamp,
    /// How many zones.
    pub zones: usize,
    /// How many files of keys were written.
    pub keys: usize,
    /// What someone should know.
    pub warnings: Vec<String>,
}

/// Why nothing was put back, or not all.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// The archive.
    #[error(transparent)]
    Backup(#[from] BackupError),
    /// The configuration, or a secret that it names.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The state cannot be put in its place, or a daemon has it.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// A key file cannot be written.
    #[error("{}: {source}", path.display())]
    Key {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// What is there is newer.
    #[error(
        "the state on the disk is newer than the backup of {made}: {}; restoring it would forget these versions, and \
         all that was done with keys since. --force does it nevertheless and keeps the newer state beside it",
        newer.join(", ")
    )]
    Newer {
        /// When the backup was made.
        made: Timestamp,
        /// What is newer.
        newer: Vec<String>,
    },
    /// Another key has the same name.
    #[error("{} is another key than the one in the backup; move it away first", .0.display())]
    OtherKey(PathBuf),
    /// Nobody knows which serials are in use.
    #[error(
        "which serials secondaries have cannot be known: {}; a version with a serial that one of them has already \
         would never be fetched. Try again when they answer, or use --force and set them up anew",
        silent.join(", ")
    )]
    Silent {
        /// Who did not answer.
        silent: Vec<String>,
    },
    /// The system gave no threads.
    #[error("starting: {0}")]
    System(#[from] io::Error),
}

/// Puts back what `archive` holds, for the configuration at `path`.
pub fn restore(path: &Path, archive: &Path, force: bool) -> Result<Restored, RestoreError> {
    let config = settings::load_without_secrets(path)?;
    let claim = disk::claim(&config.state)?;
    let at = |source| BackupError::Path { path: archive.to_owned(), source };
    let archive = Archive::read(&mut File::open(archive).map_err(at)?, &config.state)?;
    let mut warnings = Vec::new();
    let existing = match claim.zones() {
        Ok(zones) => zones,
        Err(error) => {
            warnings.push(format!("what was there cannot be read, and is kept beside: {error}"));
            BTreeMap::new()
        }
    };
    let newer = newer(&archive, &existing);
    if !newer.is_empty() && !force {
        return Err(RestoreError::Newer { made: archive.manifest.made, newer });
    }
    let keys = restore_keys(&archive, &config.keys)?;

    let mut serials: BTreeMap<Name, Serial> = archive.zones().collect();
    for (zone, serial) in existing {
        raise(&mut serials, &zone, serial);
    }
    // Secrets may have come with the keys.
    let settings = settings::load(path)?;
    let (seen, silent) = ask_secondaries(&settings.config, &settings.keyring, &serials)?;
    let now = clock::now();
    let (matter, may): (Vec<_>, Vec<_>) = silent.into_iter().partition(|(zone, _)| {
        serials.get(zone).is_some_and(|serial| counts(&settings.config, zone, *serial, now))
    });
    if !matter.is_empty() && !force {
        return Err(RestoreError::Silent { silent: matter.into_iter().map(|(_, who)| who).collect() });
    }
    warnings.extend(matter.into_iter().chain(may).map(|(_, who)| format!("serial not known: {who}")));
    for (zone, serial) in seen {
        raise(&mut serials, &zone, serial);
    }
    claim.replace(&archive.state, &serials)?;
    Ok(Restored { made: archive.manifest.made, zones: archive.manifest.zones.len(), keys, warnings })
}

/// What the disk has that the archive does not know yet.
fn newer(archive: &Archive, existing: &BTreeMap<Name, Serial>) -> Vec<String> {
    let saved: BTreeMap<Name, Serial> = archive.zones().collect();
    let newer = existing.iter().filter_map(|(zone, serial)| match saved.get(zone) {
        // Serials that cannot be compared (RFC 1982 §3.2) tell nothing of age.
        Some(saved) if serial <= saved => None,
        Some(saved) => Some(format!("{zone} has serial {serial}, the backup {saved}")),
        None => Some(format!("{zone} is not in the backup")),
    });
    newer.collect()
}

/// Writes the keys that are not there; says how many.
fn restore_keys(archive: &Archive, directory: &Path) -> Result<usize, RestoreError> {
    use std::os::unix::fs::DirBuilderExt;
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| RestoreError::Key { path, source }
    };
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(failed(directory))?;
    let mut missing = Vec::new();
    for (name, octets) in &archive.keys {
        let path = directory.join(name);
        match files::read_within(&path, limit(name)) {
            Ok(there) if there == *octets => {}
            Ok(_) => return Err(RestoreError::OtherKey(path)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => missing.push((path, octets)),
            Err(source) => return Err(RestoreError::Key { path, source }),
        }
    }
    for (path, octets) in &missing {
        create_key(path, octets).map_err(failed(path))?;
    }
    File::open(directory).and_then(|entries| entries.sync_all()).map_err(failed(directory))?;
    Ok(missing.len())
}

/// Whether what secondaries have matters for the next serial. With `unixtime` time itself has passed them by, unless
/// the serials are above it, as those that began with a date are.
fn counts(config: &Config, zone: &Name, serial: Serial, now: Timestamp) -> bool {
    let passed = |scheme| scheme == SerialScheme::Unixtime && serial < Serial(now.rrsig());
    config.zones.get(zone).is_some_and(|zone| !passed(zone.policy.serial))
}

fn raise(serials: &mut BTreeMap<Name, Serial>, zone: &Name, seen: Serial) {
    if let Some(serial) = serials.get_mut(zone)
        && seen > *serial
    {
        *serial = seen;
    }
}

/// A zone, and a serial of it, or who did not tell.
type Told<T> = Vec<(Name, T)>;

/// Asks all secondaries of the zones at once.
fn ask_secondaries(
    config: &Config,
    keyring: &Arc<Keyring>,
    zones: &BTreeMap<Name, Serial>,
) -> Result<(Told<Serial>, Told<String>), RestoreError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut asked = JoinSet::new();
        for zone in zones.keys().filter_map(|zone| config.zones.get(zone)) {
            for remote in &zone.secondaries {
                let key = remote.tsig.as_ref().and_then(|key| keyring.find(key.name.as_ref())).cloned();
                for &address in &remote.addresses {
                    asked.spawn(ask(zone.origin.clone(), remote.name.clone(), address, key.clone()));
                }
            }
        }
        let (mut seen, mut silent) = (Told::new(), Told::new());
        while let Some(outcome) = asked.join_next().await {
            match outcome {
                Ok((zone, Ok(serial))) => seen.push((zone, serial)),
                Ok((zone, Err(who))) => silent.push((zone, who)),
                Err(error) => return Err(io::Error::other(error).into()),
            }
        }
        silent.sort();
        Ok((seen, silent))
    })
}

async fn ask(
    zone: Name,
    remote: String,
    address: SocketAddr,
    key: Option<Arc<Key>>,
) -> (Name, Result<Serial, String>) {
    let answer = notify::poll_serial(address, zone.as_ref(), key.as_ref()).await;
    let outcome = answer.map_err(|error| format!("{zone} at {remote} ({address}): {error}"));
    (zone, outcome)
}
