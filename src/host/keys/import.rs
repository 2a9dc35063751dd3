//! Taking over keys of other signers, and handing out ours.
//!
//! Everything is read and checked before anything is written; the files of other signers are left as they are.

use super::super::{clock, files};
use super::{Reason, StoreError, StoredKey, all, load_one, read, store, write_files};
use crate::dns::name::Name;
use crate::dnssec::adopt::{self, AdoptError, KeyList, KeyState};
use crate::dnssec::key::{PrivateKey, PublicKey, Role, SigningKey};
use crate::dnssec::keyfile;
use crate::dnssec::keyset::Timing;
use ring::rand::SystemRandom;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use zeroize::Zeroizing;

/// Which keys are to be taken over, and what is known of them beside their files.
pub struct Import {
    /// The zone.
    pub zone: Name,
    /// Private keys in any form; of BIND's pairs and triples of files any one.
    pub files: Vec<PathBuf>,
    /// Files with the zone's DNSKEY records. A key that is not among them is refused.
    pub dnskeys: Vec<PathBuf>,
    /// What `keymgr -j ZONE list` printed.
    pub list: Option<PathBuf>,
    /// What the keys sign, where nothing else says so.
    pub role: Option<Role>,
}

/// What came of it.
#[derive(Debug)]
pub struct Imported {
    /// The keys as they are stored now.
    pub keys: Vec<StoredKey>,
    /// The files of keys whose life is over, which were left out.
    pub over: Vec<PathBuf>,
}

/// A key that has been read and not been written.
struct Adopted {
    key: SigningKey,
    private: PrivateKey,
    timing: Timing,
}

/// Takes keys over into `directory`.
pub fn import(directory: &Path, order: &Import) -> Result<Imported, StoreError> {
    let mut published = Vec::new();
    for path in &order.dnskeys {
        published.extend(dnskeys(path, &order.zone)?);
    }
    let list = order.list.as_deref().map(key_list).transpose()?;
    let mut existing =
        all(directory, &order.zone).map_err(|reason| StoreError::new(directory, Reason::Others(reason)))?;
    let (mut adopted, mut over): (Vec<Adopted>, _) = (Vec::new(), Vec::new());
    let mut keys = Vec::new();
    for path in &order.files {
        let Some(key) = adopt_one(path, order, &published, list.as_ref())? else {
            over.push(path.clone());
            continue;
        };
        // Taken over before, by an import that did not come to its end.
        if let Some(at) = existing.iter().position(|stored| stored.key.public() == key.key.public()) {
            keys.push(existing.swap_remove(at));
            continue;
        }
        let tag = key.key.public().tag();
        let others = existing.iter().chain(&keys).map(|stored| &*stored.key);
        let mut others = others.chain(adopted.iter().map(|key| &key.key));
        if others.any(|other| other.public().tag() == tag) {
            return Err(StoreError::new(path, Reason::Taken(tag)));
        }
        adopted.push(key);
    }
    for Adopted { key, private, timing } in adopted {
        let path = store(directory, &key, &private, &timing)?;
        keys.push(StoredKey { key: Arc::new(key), timing, path });
    }
    Ok(Imported { keys, over })
}

/// One key, or nothing where its life is over.
fn adopt_one(
    path: &Path,
    order: &Import,
    published: &[PublicKey],
    list: Option<&KeyList>,
) -> Result<Option<Adopted>, StoreError> {
    let of_bind = BindFiles::of(path);
    let path = of_bind.as_ref().map_or(path, |files| &files.private);
    let failed = |reason: Reason| StoreError::new(path, reason);
    let octets = files::read(path).map_err(|error| failed(error.into()))?;
    let (mut private, mut timing) = adopt::read_private(&octets).map_err(|error| failed(error.into()))?;
    let mut role = order.role;
    let mut known = None;
    if let Some(files) = &of_bind {
        if let Some(state) = files.state()? {
            if state.is_over() {
                return Ok(None);
            }
            timing = state.settle(timing);
        }
        if files.public.exists() {
            known = Some(dnskeys(&files.public, &order.zone)?);
        }
    }
    if let Some(list) = list {
        let id = path.file_stem().unwrap_or_default().to_string_lossy();
        let listed = list.find(&id).ok_or_else(|| failed(Reason::NotListed))?;
        (role, timing) = (Some(listed.role()), listed.timing());
    }
    if timing.is_deleted(clock::now()) {
        return Ok(None);
    }
    let candidates = known.as_deref().unwrap_or(published);
    let key = adopt::complete(&order.zone, &mut private, candidates, role, &SystemRandom::new())
        .map_err(|error| failed(error.into()))?;
    if !published.is_empty() && !published.contains(key.public()) {
        let tags = published.iter().map(PublicKey::tag).collect();
        return Err(failed(AdoptError::Stranger(tags).into()));
    }
    Ok(Some(Adopted { key, private, timing }))
}

/// The files of one key as BIND and ldns have them.
struct BindFiles {
    private: PathBuf,
    public: PathBuf,
    state: PathBuf,
}

impl BindFiles {
    /// Those that `path` is one of, or the common beginning of.
    fn of(path: &Path) -> Option<Self> {
        let whole = path.as_os_str().to_str()?;
        let suffixes = [".private", ".key", ".state"];
        let stem = suffixes.iter().find_map(|suffix| whole.strip_suffix(suffix)).unwrap_or(whole);
        let file = |suffix| PathBuf::from(format!("{stem}{suffix}"));
        let [private, public, state] = suffixes.map(file);
        private.exists().then_some(Self { private, public, state })
    }

    /// Where BIND has left the key, if it says.
    fn state(&self) -> Result<Option<KeyState>, StoreError> {
        if !self.state.exists() {
            return Ok(None);
        }
        let parsed =
            read(&self.state, None).and_then(|text| Ok(KeyState::parse(&text).map_err(AdoptError::from)?));
        parsed.map(Some).map_err(|reason| StoreError::new(&self.state, reason))
    }
}

fn dnskeys(path: &Path, zone: &Name) -> Result<Vec<PublicKey>, StoreError> {
    read(path, None)
        .and_then(|text| Ok(adopt::read_dnskeys(&path.display().to_string(), &text, zone.as_ref())?))
        .map_err(|reason| StoreError::new(path, reason))
}

fn key_list(path: &Path) -> Result<KeyList, StoreError> {
    let parsed = read(path, None).and_then(|text| Ok(KeyList::parse(&text).map_err(AdoptError::from)?));
    parsed.map_err(|reason| StoreError::new(path, reason))
}

/// The form in which a key is handed out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// PKCS#8 as PEM: Knot's key store, OpenSSL.
    Pkcs8,
    /// The `.private` file without times: PowerDNS.
    PrivateKeyFormat,
}

/// The private key of this tag as text.
pub fn export(directory: &Path, zone: &Name, tag: u16, form: Form) -> Result<Zeroizing<String>, StoreError> {
    let (stored, private) = whole(directory, zone, tag)?;
    Ok(match form {
        Form::Pkcs8 => {
            adopt::pem(&private, stored.key.public()).map_err(|error| StoreError::new(&stored.path, error))?
        }
        Form::PrivateKeyFormat => keyfile::write_private(&private, &Timing::default()),
    })
}

/// Writes both files of the key of this tag into another directory, and gives the path of the private one.
pub fn export_files(directory: &Path, zone: &Name, tag: u16, to: &Path) -> Result<PathBuf, StoreError> {
    let (stored, private) = whole(directory, zone, tag)?;
    write_files(to, &stored.key, &private, &stored.timing)
}

fn whole(directory: &Path, zone: &Name, tag: u16) -> Result<(StoredKey, PrivateKey), StoreError> {
    let stems = super::stems(directory, zone.as_ref()).map_err(|error| StoreError::new(directory, error))?;
    let is_its = |stem: &&String| {
        let tail = stem.strip_prefix(&keyfile::stem_prefix(zone.as_ref()));
        tail.and_then(keyfile::parse_stem_tail).is_some_and(|(_, found)| found == tag)
    };
    let stem = stems.iter().find(is_its).ok_or_else(|| StoreError::new(directory, Reason::NoSuchKey(tag)))?;
    let stored = load_one(directory, stem, zone.as_ref(), &SystemRandom::new())?;
    let (private, _) = read(&stored.path, None)
        .and_then(|text| Ok(keyfile::parse_private(&text)?))
        .map_err(|reason| StoreError::new(&stored.path, reason))?;
    Ok((stored, private))
}
