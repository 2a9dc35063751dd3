//! DNSSEC key files on disk.
//!
//! A key is a pair of files, see [`keyfile`]. Whatever is wrong with one of them is reported and keeps the zone
//! from being signed with the keys found: signing with a part of the keys would break the zone, and so would a
//! new key in place of one that is missing. Nothing here ever removes a file, or replaces a key; what is written into the
//! files of one afterwards is that its life is over.

mod elsewhere;
mod end;
mod import;

pub use elsewhere::{import_batch, make_in_token, sign_batch};
pub use end::end;
pub use import::{Form, Import, Imported, export, export_files, import};

use super::clock;
use super::files::{PRIVATE_MODE, PUBLIC_MODE, Prepared, sync_directory};
use super::pkcs11::TokenError;
use crate::config::KeyScheme;
use crate::dns::name::{Name, NameRef};
use crate::dns::problem::{Place, Problem};
use crate::dnssec::adopt::AdoptError;
use crate::dnssec::batch::BatchError;
use crate::dnssec::key::{Algorithm, KeyError, NoSignature, PrivateKey, Random, Role, SigningKey};
use crate::dnssec::keyfile::{self, KeyFileError};
use crate::dnssec::keyset::Timing;
use ring::rand::SystemRandom;
use std::collections::BTreeSet;
use std::fs::{DirBuilder, File};
use std::io::{self, Read};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use zeroize::Zeroizing;

/// Larger files are not key files.
const MAX_FILE: u64 = 64 * 1024;

/// A key as its files have it.
#[derive(Debug, Clone)]
pub struct StoredKey {
    /// The key.
    pub key: Arc<SigningKey>,
    /// When it is published and signs.
    pub timing: Timing,
    /// Its `.private` file.
    pub path: PathBuf,
}

/// What is wrong with the file or directory at `path`.
#[derive(Debug, thiserror::Error)]
#[error("{}: {reason}", path.display())]
pub struct StoreError {
    /// The file or directory.
    pub path: PathBuf,
    /// What is wrong with it.
    #[source]
    pub reason: Reason,
}

/// What can be wrong with a key file.
#[derive(Debug, thiserror::Error)]
pub enum Reason {
    /// It cannot be read or written.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// One half of a key has no other half.
    #[error("file is missing; put it back, it is not made anew")]
    Missing,
    /// Others than the owner may read or write a private key.
    #[error("mode is {0:04o}, expected 0600; run `chmod 600` on it")]
    Mode(u32),
    /// Far too long.
    #[error("larger than {MAX_FILE} octets, expected a key file")]
    TooLarge,
    /// Not a key.
    #[error(transparent)]
    Text(#[from] KeyFileError),
    /// Signatures made ahead that are none.
    #[error(transparent)]
    Batch(#[from] BatchError),
    /// A key that is here signs by itself.
    #[error("the private key is here, expected that it is elsewhere; move it away first")]
    NotAway,
    /// It signs nothing.
    #[error(transparent)]
    NoSignature(NoSignature),
    /// It is in a token that gives no access to it.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// The two halves do not fit.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The DNSKEY's owner is not the zone that the file is named after.
    #[error("key of {0}, expected the zone that the file is named after")]
    Owner(Name),
    /// A key of another signer.
    #[error(transparent)]
    Adopt(#[from] AdoptError),
    /// The key list of Knot does not have the key.
    #[error("not in the key list of Knot, expected the name of a PEM file in its key store")]
    NotListed,
    /// Tags tell keys apart.
    #[error("the zone has a key with the tag {0} already")]
    Taken(u16),
    /// The keys that are there already are not sound.
    #[error("{0}")]
    Others(String),
    /// No key has this tag.
    #[error("no key with the tag {0}; `danelaw key list` tells which there are")]
    NoSuchKey(u16),
    /// The file's name has another algorithm or tag than the key in it.
    #[error("key is {0}, expected the one that the file is named after")]
    Tag(String),
}

impl StoreError {
    fn new(path: &Path, reason: impl Into<Reason>) -> Self {
        Self { path: path.to_owned(), reason: reason.into() }
    }
}

impl From<&StoreError> for Problem {
    fn from(error: &StoreError) -> Self {
        Self::error(Place::file(error.path.display().to_string()), &error.reason)
    }
}

/// Reads all keys of `zone` in `directory`, by tag, or everything that is wrong with them. No keys at all is no
/// error, nor is a directory that does not exist: before the first start there are none.
pub fn load(
    directory: &Path,
    zone: NameRef<'_>,
    random: Random<'_>,
) -> Result<Vec<StoredKey>, Vec<StoreError>> {
    let stems = match stems(directory, zone) {
        Ok(stems) => stems,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(vec![StoreError::new(directory, error)]),
    };
    let mut keys = Vec::new();
    let mut errors = Vec::new();
    for stem in stems {
        match load_one(directory, &stem, zone, random) {
            Ok(key) => keys.push(key),
            Err(error) => errors.push(error),
        }
    }
    keys.sort_by_key(|stored| stored.key.public().tag());
    if errors.is_empty() { Ok(keys) } else { Err(errors) }
}

/// Makes a key for `zone`, durable before this returns. `existing` are the zone's keys, whose tags are not used
/// again. The directory is made if need be, for its owner only.
pub fn generate(
    directory: &Path,
    zone: &Name,
    role: Role,
    algorithm: Algorithm,
    existing: &[StoredKey],
    timing: Timing,
    random: Random<'_>,
) -> Result<StoredKey, StoreError> {
    let taken: Vec<_> = existing.iter().map(|stored| stored.key.public().tag()).collect();
    let (key, private) = SigningKey::generate(zone, role, algorithm, &taken, random)
        .map_err(|error| StoreError::new(directory, error))?;
    let path = store(directory, &key, &private, &timing)?;
    Ok(StoredKey { key: Arc::new(key), timing, path })
}

/// Writes both files of a key and gives the path of the private one. A file that exists is left alone and is an
/// error. Both are whole on the disk before either has its name, and the public half is named last: a full disk leaves
/// nothing behind, and what a crash leaves is reported by [`load`], not taken for a key.
pub fn store(
    directory: &Path,
    key: &SigningKey,
    private: &PrivateKey,
    timing: &Timing,
) -> Result<PathBuf, StoreError> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(directory)
        .map_err(|error| StoreError::new(directory, error))?;
    write_files(directory, key, private, timing)
}

/// [`store`], in a directory that is there.
fn write_files(
    directory: &Path,
    key: &SigningKey,
    private: &PrivateKey,
    timing: &Timing,
) -> Result<PathBuf, StoreError> {
    let public = key.public();
    let stem = keyfile::stem(key.zone(), public.algorithm().number(), public.tag());
    let private_path = directory.join(format!("{stem}.private"));
    let text = keyfile::write_private(private, timing);
    let at_private = |error| StoreError::new(&private_path, error);
    let private_file = Prepared::new(&private_path, text.as_bytes(), PRIVATE_MODE).map_err(at_private)?;
    let public_path = directory.join(format!("{stem}.key"));
    let text = keyfile::write_public(key.zone(), public, timing);
    let at_public = |error| StoreError::new(&public_path, error);
    let public_file = Prepared::new(&public_path, text.as_bytes(), PUBLIC_MODE).map_err(at_public)?;
    private_file.place().map_err(at_private)?;
    public_file.place().map_err(|error| {
        // One half alone would keep the zone from being signed, and this one is ours: its name was free.
        let _ = std::fs::remove_file(&private_path);
        at_public(error)
    })?;
    sync_directory(directory).map_err(|error| StoreError::new(directory, error))?;
    Ok(private_path)
}

/// All keys of `zone`, or everything that is wrong with them in one line.
pub fn all(directory: &Path, zone: &Name) -> Result<Vec<StoredKey>, String> {
    load(directory, zone.as_ref(), &SystemRandom::new())
        .map_err(|errors| errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))
}

/// Makes the first keys of `zone`, in use from now on; nothing if it has any.
pub fn first(directory: &Path, zone: &Name, scheme: KeyScheme, algorithm: Algorithm) -> Result<(), String> {
    let roles: &[Role] = match scheme {
        KeyScheme::None => &[],
        KeyScheme::Csk => &[Role::Csk],
        KeyScheme::KskZsk => &[Role::Ksk, Role::Zsk],
    };
    if !all(directory, zone)?.is_empty() {
        return Ok(());
    }
    roles.iter().try_for_each(|&role| make(directory, zone, role, algorithm).map(drop))
}

/// Makes these keys for `zone`, in use as soon as they may be.
pub fn make_all(directory: &Path, zone: &Name, wanted: &[(Role, Algorithm)]) -> Result<(), String> {
    wanted.iter().try_for_each(|&(role, algorithm)| make(directory, zone, role, algorithm).map(drop))
}

/// Makes one more key for `zone`, in use from now on.
pub fn make(directory: &Path, zone: &Name, role: Role, algorithm: Algorithm) -> Result<StoredKey, String> {
    let existing = all(directory, zone)?;
    let now = Some(clock::now());
    let timing = Timing { created: now, publish: now, activate: now, ..Timing::default() };
    generate(directory, zone, role, algorithm, &existing, timing, &SystemRandom::new())
        .map_err(|error| error.to_string())
}

/// The zones that have keys in `directory`.
pub fn zones(directory: &Path) -> Result<BTreeSet<Name>, String> {
    let failed = |error: io::Error| format!("{}: {error}", directory.display());
    let mut zones = BTreeSet::new();
    for entry in std::fs::read_dir(directory).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.extension().is_some_and(|extension| extension == "key") {
            let parsed = read(&path, None).and_then(|text| Ok(keyfile::parse_public(&text)?));
            let (zone, _) = parsed.map_err(|reason| format!("{}: {reason}", path.display()))?;
            zones.insert(zone);
        }
    }
    Ok(zones)
}

/// The names, without suffix, of the key files of `zone`.
fn stems(directory: &Path, zone: NameRef<'_>) -> io::Result<BTreeSet<String>> {
    let prefix = keyfile::stem_prefix(zone);
    let mut stems = BTreeSet::new();
    for entry in std::fs::read_dir(directory)? {
        let name = entry?.file_name();
        let Some(name) = name.to_str() else { continue };
        let Some(stem) = name.strip_suffix(".key").or_else(|| name.strip_suffix(".private")) else {
            continue;
        };
        if stem.strip_prefix(&prefix).is_some_and(|tail| keyfile::parse_stem_tail(tail).is_some()) {
            stems.insert(stem.to_owned());
        }
    }
    Ok(stems)
}

fn load_one(
    directory: &Path,
    stem: &str,
    zone: NameRef<'_>,
    random: Random<'_>,
) -> Result<StoredKey, StoreError> {
    let public_path = directory.join(format!("{stem}.key"));
    let (owner, public, delete) = read(&public_path, None)
        .and_then(|text| {
            let (owner, public) = keyfile::parse_public(&text)?;
            Ok((owner, public, keyfile::deleted_public(&text)))
        })
        .map_err(|reason| StoreError::new(&public_path, reason))?;
    if owner.as_ref() != zone {
        return Err(StoreError::new(&public_path, Reason::Owner(owner)));
    }
    let named = keyfile::stem(zone, public.algorithm().number(), public.tag());
    if named != stem {
        return Err(StoreError::new(&public_path, Reason::Tag(named)));
    }
    let path = directory.join(format!("{stem}.private"));
    let batch = directory.join(format!("{stem}.{}", elsewhere::BATCH));
    if !path.exists() && batch.exists() {
        let keeper = elsewhere::read_batch(&batch).and_then(|batch| Ok(batch.keeper(&public)?));
        let keeper = keeper.map_err(|reason| StoreError::new(&batch, reason))?;
        let key = Arc::new(SigningKey::kept_elsewhere(owner, public, Arc::new(keeper)));
        return Ok(StoredKey { key, timing: Timing { delete, ..Timing::default() }, path: batch });
    }
    let (key, timing) = read(&path, Some(PRIVATE_MODE))
        .and_then(|text| Ok(keyfile::parse_private(&text)?))
        .and_then(|(private, timing)| Ok((elsewhere::joined(owner, public, &private, random)?, timing)))
        .map_err(|reason| StoreError::new(&path, reason))?;
    Ok(StoredKey { key: Arc::new(key), timing, path })
}

/// Reads a key file; with `mode`, one that grants more than that is refused unread.
fn read(path: &Path, mode: Option<u32>) -> Result<Zeroizing<String>, Reason> {
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(Reason::Missing),
        opened => opened?,
    };
    // Of the open file, not of the path: nothing can be swapped in between.
    let metadata = file.metadata()?;
    let found = metadata.mode() & 0o7777;
    if mode.is_some_and(|mode| found & !mode != 0) {
        return Err(Reason::Mode(found));
    }
    if metadata.len() > MAX_FILE {
        return Err(Reason::TooLarge);
    }
    // Room for all of it, so that growing leaves no copy of a secret behind.
    let mut text = Zeroizing::new(String::with_capacity(metadata.len() as usize + 1));
    file.take(MAX_FILE).read_to_string(&mut text)?;
    Ok(text)
}

#[cfg(test)]
mod tests;
