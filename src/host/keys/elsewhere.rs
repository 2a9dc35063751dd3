//! Keys whose private half is elsewhere: in a token, or where it has signed ahead.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ring::rand::SystemRandom;

use super::super::files::{PUBLIC_MODE, create};
use super::super::{clock, pkcs11};
use super::{Reason, StoreError, StoredKey, all, store};
use crate::dns::name::Name;
use crate::dnssec::batch::{self, Batch, Request};
use crate::dnssec::key::{Algorithm, KeyError, PrivateKey, PublicKey, Random, Role, Secret, SigningKey};
use crate::dnssec::keyfile;
use crate::dnssec::keyset::Timing;
use crate::dnssec::token::TokenUri;

pub(super) fn read_batch(path: &Path) -> Result<Batch, Reason> {
    let text = std::fs::read_to_string(path)?;
    Ok(text.parse()?)
}

/// Signs what was requested, with the key-signing keys in `directory`.
pub fn sign_batch(directory: &Path, request: &Request) -> Result<Batch, String> {
    let zone = request.zone().map_err(|error| error.to_string())?;
    let stored = all(directory, &zone)?;
    let ksks: Vec<&SigningKey> =
        stored.iter().map(|stored| &*stored.key).filter(|key| key.public().is_secure_entry_point()).collect();
    request.sign(&ksks, &SystemRandom::new()).map_err(|error| error.to_string())
}

/// Takes signatures made ahead, of all zone-signing keys that are not over, once they are checked, in place of those there were, which are used until these begin.
/// Gives the files of the keys that made them.
pub fn import_batch(directory: &Path, batch: &Batch) -> Result<Vec<PathBuf>, String> {
    let zone = batch.zone().map_err(|error| error.to_string())?;
    let stored = all(directory, &zone)?;
    let now = clock::now();
    let zsks: Vec<&PublicKey> = stored
        .iter()
        .filter(|stored| !stored.timing.is_deleted(now))
        .map(|stored| stored.key.public())
        .filter(|public| !public.is_secure_entry_point())
        .collect();
    batch.check(&zone, &zsks).map_err(|error| error.to_string())?;
    let mut paths = Vec::new();
    for public in batch.entry_points().map_err(|error| error.to_string())? {
        let stem = keyfile::stem(zone.as_ref(), public.algorithm().number(), public.tag());
        let path = directory.join(format!("{stem}.{BATCH}"));
        let failed = |reason: Reason| StoreError::new(&path, reason).to_string();
        if directory.join(format!("{stem}.private")).exists() {
            return Err(failed(Reason::NotAway));
        }
        let whole = match read_batch(&path) {
            Ok(before) => batch.clone().after(&before, clock::now()),
            Err(Reason::Io(error)) if error.kind() == io::ErrorKind::NotFound => batch.clone(),
            Err(reason) => return Err(failed(reason)),
        };
        // Of all that is in it now.
        whole.keeper(&public).map_err(|error| failed(error.into()))?;
        let text = batch::to_text(&whole).map_err(|error| failed(error.into()))?;
        let staged = directory.join(format!("{stem}.{BATCH}.new"));
        let placed = match std::fs::remove_file(&staged) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => create(&staged, text.as_bytes(), PUBLIC_MODE).and_then(|()| std::fs::rename(&staged, &path)),
        };
        placed.map_err(|error| failed(error.into()))?;
        // Last, as without the other there is no key.
        let public_path = directory.join(format!("{stem}.key"));
        if !public_path.exists() {
            let text = keyfile::write_public(zone.as_ref(), &public, &Timing::default());
            create(&public_path, text.as_bytes(), PUBLIC_MODE).map_err(|error| failed(error.into()))?;
        }
        File::open(directory).and_then(|d| d.sync_all()).map_err(|error| failed(error.into()))?;
        paths.push(path);
    }
    Ok(paths)
}

/// Both halves of a key, wherever the private one is.
pub(super) fn joined(
    zone: Name,
    public: PublicKey,
    private: &PrivateKey,
    random: Random<'_>,
) -> Result<SigningKey, Reason> {
    match private.secret() {
        Secret::InToken(uri) => {
            let keeper = pkcs11::keeper(uri, private.algorithm())?;
            Ok(SigningKey::kept_elsewhere(zone, public, keeper))
        }
        _ => Ok(SigningKey::new(zone, public, private, random)?),
    }
}

/// Takes a key in a token for one of `zone`'s, in use from now on; the key is made if there is none of that name.
pub fn make_in_token(
    directory: &Path,
    zone: &Name,
    role: Role,
    algorithm: Algorithm,
    uri: &TokenUri,
) -> Result<StoredKey, String> {
    let existing = all(directory, zone)?;
    let now = Some(clock::now());
    let timing = Timing { created: now, publish: now, activate: now, ..Timing::default() };
    let random = SystemRandom::new();
    let made = || {
        let public = PublicKey::new(role.flags(), algorithm, &pkcs11::public(uri, algorithm)?)?;
        let private = PrivateKey::in_token(algorithm, uri.clone());
        let key = joined(zone.clone(), public, &private, &random)?;
        // Of a file that does not fit, the daemon would know only when it signs.
        let mut signature = Vec::new();
        let message = b"does the private key belong to the public key?";
        key.sign(message, &random, &mut signature).map_err(Reason::NoSignature)?;
        if !key.public().verifies(message, &signature) {
            return Err(Reason::Key(KeyError::Mismatch));
        }
        Ok((key, private))
    };
    let (key, private) = made().map_err(|reason: Reason| format!("{uri}: {reason}"))?;
    if existing.iter().any(|stored| stored.key.public().tag() == key.public().tag()) {
        return Err(format!("{uri}: {zone} has a key of tag {} already", key.public().tag()));
    }
    let path = store(directory, &key, &private, &timing).map_err(|error| error.to_string())?;
    Ok(StoredKey { key: Arc::new(key), timing, path })
}

/// What the file of signatures made ahead by a key is called after.
pub(super) const BATCH: &str = "batch";
