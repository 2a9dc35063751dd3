//! Signing a zone file once, without a daemon.

use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ring::rand::SystemRandom;

use super::{clock, keys, zonefile};
use crate::config::{Denial, KeyScheme, Policy, SignatureTimes, SigningAlgorithm, ZoneFile};
use crate::dns::name::Name;
use crate::dns::problem::Problems;
use crate::dns::time::Timestamp;
use crate::engine::input::ReadZone;
use crate::engine::{Source, VersionError, first_version, signing_algorithm};
use crate::zone::{ManagedRrsets, Presigned, Snapshot, text};

/// What is to be signed, and how.
pub struct Order {
    /// The zone file.
    pub zone_file: PathBuf,
    /// The apex.
    pub origin: Name,
    /// The directory of keys.
    pub keys: PathBuf,
    /// Whether to make keys when there are none.
    pub generate: bool,
    /// Which keys there are to be.
    pub scheme: KeyScheme,
    /// What kind of keys are made.
    pub algorithm: SigningAlgorithm,
    /// How absence is proven.
    pub denial: Denial,
    /// Whether it has a digest of itself (RFC 8976).
    pub zonemd: bool,
    /// How long signatures are valid.
    pub signatures: SignatureTimes,
    /// When they are made, if not now.
    pub now: Option<Timestamp>,
}

/// A signed zone.
pub struct SignedFile {
    /// The zone, checked with the public keys.
    pub snapshot: Arc<Snapshot>,
    /// What someone should look at.
    pub warnings: Problems,
}

/// Why nothing was signed.
#[derive(Debug, thiserror::Error)]
pub enum OnceError {
    /// The zone file is not sound.
    #[error("{0}")]
    Zone(Problems),
    /// The keys cannot be used.
    #[error("{0}")]
    Keys(String),
    /// There are none.
    #[error("{}: no keys for {zone}; make them with --generate or `danelaw key generate`", directory.display())]
    NoKeys {
        /// Where they should be.
        directory: PathBuf,
        /// Whose they should be.
        zone: Name,
    },
    /// Signing failed.
    #[error(transparent)]
    Version(#[from] VersionError),
    /// The output cannot be written.
    #[error("{path}: {source}")]
    Output {
        /// The file.
        path: String,
        /// What the system said.
        source: std::io::Error,
    },
}

/// Reads, signs and checks.
pub fn sign(order: &Order) -> Result<SignedFile, OnceError> {
    let read = zonefile::read(&ReadZone {
        zone: order.origin.clone(),
        file: ZoneFile { path: order.zone_file.clone(), allow_includes: Vec::new() },
        known: None,
        presigned: Presigned::Drop,
        managed: ManagedRrsets::default(),
    });
    let (draft, warnings) = match read {
        Ok(Source::Draft { draft, warnings, .. }) => (*draft, warnings),
        Ok(Source::Unchanged) => return Err(VersionError::NoContent.into()),
        Err(problems) => return Err(OnceError::Zone(problems)),
    };
    let mut stored = keys::all(&order.keys, &order.origin).map_err(OnceError::Keys)?;
    if stored.is_empty() && order.generate {
        keys::first(&order.keys, &order.origin, order.scheme, signing_algorithm(order.algorithm))
            .map_err(OnceError::Keys)?;
        stored = keys::all(&order.keys, &order.origin).map_err(OnceError::Keys)?;
    }
    if stored.is_empty() {
        return Err(OnceError::NoKeys { directory: order.keys.clone(), zone: order.origin.clone() });
    }
    let policy = Policy {
        name: "danelaw sign".to_owned(),
        keys: order.scheme,
        algorithm: order.algorithm,
        denial: order.denial,
        zonemd: order.zonemd,
        signatures: order.signatures,
        ..Policy::standard()
    };
    let keys = stored.into_iter().map(|stored| (stored.key, stored.timing));
    // Not before keys that have just been made are in use.
    let now = order.now.unwrap_or_else(clock::now);
    let version = first_version(draft.contents, keys, &policy, now, &SystemRandom::new())?;
    Ok(SignedFile { snapshot: Arc::clone(version.verified.snapshot()), warnings })
}

/// Writes the zone as text: to `output` by way of a temporary file beside it, or to standard output.
pub fn write(snapshot: &Snapshot, output: Option<&Path>) -> Result<(), OnceError> {
    let Some(path) = output else {
        let mut out = BufWriter::new(std::io::stdout().lock());
        return text::write(snapshot, false, &mut out)
            .and_then(|()| out.flush())
            .map_err(|source| OnceError::Output { path: "standard output".to_owned(), source });
    };
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(".tmp");
    let written = std::fs::File::create(&temporary).and_then(|file| {
        let mut out = BufWriter::new(file);
        text::write(snapshot, false, &mut out)?;
        out.into_inner()?.sync_all()?;
        std::fs::rename(&temporary, path)
    });
    written.map_err(|source| {
        let _ = std::fs::remove_file(&temporary);
        OnceError::Output { path: path.display().to_string(), source }
    })
}
