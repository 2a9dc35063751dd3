//! The state's directory on disk: made 0700, and used by one process at a time.
//!
//! ```text
//! lock              held while the process lives (flock)
//! danelaw.redb      the state
//! danelaw.redb.new  the state being made for the first time, or restored; what a crash leaves of it is made again
//! danelaw.redb.before-restore   the state that was replaced by a backup
//! clock             when danelaw was up last; see `last_seen`
//! ```
//!
//! The control socket stands here too, which is why nobody else may write to the directory.

use std::collections::BTreeMap;
use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Seek};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::fcntl::OFlag;
use redb::StorageBackend;
use redb::backends::FileBackend;

use super::files;
use crate::dns::name::Name;
use crate::state::{Moment, StateError, Store};
use crate::zone::Serial;

/// The name of the database in the state's directory.
pub const DATABASE: &str = "danelaw.redb";
const UNFINISHED: &str = "danelaw.redb.new";
const LOCK: &str = "lock";
const REPLACED: &str = "danelaw.redb.before-restore";

/// Why the state cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum DiskError {
    /// The directory cannot be made, or a file in it cannot be made or opened.
    #[error("{}: {source}", path.display())]
    Path {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Others could replace what is in it.
    #[error("{0} has mode {mode:04o}: others may write to it; expected 0700 (chmod 700 {0})", path.display())]
    Writable {
        /// The directory.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// Another process has it.
    #[error("{} is in use by another danelaw; stop that one, or give this one a `state` of its own", .0.display())]
    InUse(PathBuf),
    /// The database cannot be made or read.
    #[error("{}: {source}", path.display())]
    State {
        /// The database.
        path: PathBuf,
        /// What is wrong with it.
        source: StateError,
    },
}

/// Opens the state in `directory`, which is made if need be. Nobody else can open it while the store lives.
pub fn open(directory: &Path) -> Result<Store, DiskError> {
    let Claim { lock, .. } = claim(directory)?;
    let path = directory.join(DATABASE);
    if !path.try_exists().map_err(at(&path))? {
        create(directory, &path)?;
    }
    open_there(lock, path)
}

/// A state's directory that nobody else can use meanwhile.
pub(super) struct Claim {
    directory: PathBuf,
    lock: File,
}

/// Takes the directory, which is made if need be, unless somebody has it.
pub(super) fn claim(directory: &Path) -> Result<Claim, DiskError> {
    make(directory)?;
    Ok(Claim { directory: directory.to_owned(), lock: lock(directory)? })
}

impl Claim {
    /// The zones of the state that is there, with their serials; none if there is no state.
    pub(super) fn zones(&self) -> Result<BTreeMap<Name, Serial>, DiskError> {
        let path = self.directory.join(DATABASE);
        if !path.try_exists().map_err(at(&path))? {
            return Ok(BTreeMap::new());
        }
        let failed = |source| DiskError::State { path: path.clone(), source };
        // Of one lock there may be several holders.
        let lock = self.lock.try_clone().map_err(at(&path))?;
        let mut store = open_there(lock, path.clone())?;
        let zones = store.zones().map_err(failed)?;
        store.close().map_err(failed)?;
        Ok(zones.into_iter().map(|(zone, record)| (zone, record.serial)).collect())
    }

    /// Puts a copy of a state in its place, with the next versions numbered above `serials`. A crash leaves the state
    /// that was there, or this one.
    pub(super) fn replace(self, copy: &File, serials: &BTreeMap<Name, Serial>) -> Result<(), DiskError> {
        let (path, unfinished) = (self.directory.join(DATABASE), self.directory.join(UNFINISHED));
        let failed = |source| DiskError::State { path: unfinished.clone(), source };
        let mut file = empty(&unfinished)?;
        let mut copy = copy;
        copy.rewind().and_then(|()| io::copy(&mut copy, &mut file)).map_err(at(&unfinished))?;
        file.sync_all().map_err(at(&unfinished))?;
        let mut store = store(backend(&unfinished, file)?, &unfinished)?;
        store.number_above(serials).map_err(failed)?;
        // Everything reads, or nothing is replaced.
        store.load().map_err(failed)?;
        store.close().map_err(failed)?;
        if path.try_exists().map_err(at(&path))? {
            let replaced = self.directory.join(REPLACED);
            let _ = std::fs::remove_file(&replaced);
            std::fs::hard_link(&path, &replaced).map_err(at(&replaced))?;
        }
        std::fs::rename(&unfinished, &path).map_err(at(&path))?;
        File::open(&self.directory).and_then(|entries| entries.sync_all()).map_err(at(&self.directory))
    }
}

/// A copy of the state at a moment, in a nameless file in `directory`.
pub(super) fn copy(moment: &Moment, directory: &Path) -> Result<File, DiskError> {
    let file = tempfile::tempfile_in(directory).map_err(at(directory))?;
    let backend = backend(directory, file.try_clone().map_err(at(directory))?)?;
    let copied = moment.copy(backend);
    copied.map_err(|source| DiskError::State { path: directory.to_owned(), source })?;
    Ok(file)
}

fn open_there(lock: File, path: PathBuf) -> Result<Store, DiskError> {
    let file = OpenOptions::new().read(true).write(true).open(&path).map_err(at(&path))?;
    // A new one is never empty when it comes to its place, and redb would take this for one.
    if file.metadata().map_err(at(&path))?.len() == 0 {
        let empty = io::Error::new(io::ErrorKind::InvalidData, "the file is empty");
        return Err(DiskError::State { path, source: StateError::from(empty) });
    }
    store(Locked { file: backend(&path, file)?, _lock: lock }, &path)
}

fn make(directory: &Path) -> Result<(), DiskError> {
    DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(at(directory))?;
    let mode = directory.metadata().map_err(at(directory))?.mode() & 0o7777;
    if mode & 0o022 != 0 {
        return Err(DiskError::Writable { path: directory.to_owned(), mode });
    }
    Ok(())
}

fn lock(directory: &Path) -> Result<File, DiskError> {
    let path = directory.join(LOCK);
    let file = match new(&path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            // Whoever owns the directory may have put anything there, and this may be root.
            let flags = OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK;
            OpenOptions::new().write(true).custom_flags(flags.bits()).open(&path)
        }
        made => made,
    };
    let file = file.map_err(at(&path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(DiskError::InUse(directory.to_owned())),
        Err(TryLockError::Error(source)) => Err(DiskError::Path { path, source }),
    }
}

/// Makes an empty database beside its place and then moves it there: a crash before that leaves a file that the
/// next start overwrites, never one that is half a database.
fn create(directory: &Path, path: &Path) -> Result<(), DiskError> {
    let unfinished = directory.join(UNFINISHED);
    let file = empty(&unfinished)?;
    store(backend(&unfinished, file)?, &unfinished)?
        .close()
        .map_err(|source| DiskError::State { path: unfinished.clone(), source })?;
    std::fs::rename(&unfinished, path).map_err(at(path))?;
    File::open(directory).and_then(|entries| entries.sync_all()).map_err(at(directory))
}

/// An empty file for nobody else. What an earlier attempt left there, or somebody, is removed, never written to.
fn empty(path: &Path) -> Result<File, DiskError> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(at(path)(error)),
        _ => new(path).map_err(at(path)),
    }
}

/// A file that must not be there, for nobody but the owner of its directory.
fn new(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(path)?;
    files::give_to_owner(&file, path.parent().unwrap_or(Path::new(".")))?;
    Ok(file)
}

fn backend(path: &Path, file: File) -> Result<FileBackend, DiskError> {
    FileBackend::new(file)
        .map_err(|error| DiskError::State { path: path.to_owned(), source: StateError::from(error) })
}

fn store(backend: impl StorageBackend, path: &Path) -> Result<Store, DiskError> {
    Store::open(backend).map_err(|source| DiskError::State { path: path.to_owned(), source })
}

fn at(path: &Path) -> impl Fn(io::Error) -> DiskError {
    move |source| DiskError::Path { path: path.to_owned(), source }
}

/// The database's file, and the lock for as long as the file is open.
#[derive(Debug)]
struct Locked {
    file: FileBackend,
    _lock: File,
}

impl StorageBackend for Locked {
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.file.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.file.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.file.write(offset, data)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{self, Permissions};
    use std::os::unix::fs::{PermissionsExt, chown, symlink};

    const OWNER: u32 = 4_711;

    fn mode(path: &Path) -> u32 {
        path.metadata().unwrap().mode() & 0o777
    }

    #[test]
    fn a_first_start_makes_directory_and_database_for_nobody_else() {
        let home = tempfile::tempdir().unwrap();
        let directory = home.path().join("var/state");
        drop(open(&directory).unwrap());
        assert_eq!(mode(&directory), 0o700);
        assert_eq!(mode(&directory.join(DATABASE)), 0o600);
        assert!(!directory.join(UNFINISHED).exists());
    }

    #[test]
    fn two_daemons_cannot_share_a_state() {
        let home = tempfile::tempdir().unwrap();
        let directory = home.path().join("state");
        let first = open(&directory).unwrap();
        assert!(matches!(open(&directory), Err(DiskError::InUse(path)) if path == directory));
        drop(first);
        assert!(open(&directory).is_ok());
    }

    #[test]
    fn what_a_crash_left_of_a_first_start_is_made_again() {
        let home = tempfile::tempdir().unwrap();
        fs::set_permissions(home.path(), Permissions::from_mode(0o700)).unwrap();
        fs::write(home.path().join(UNFINISHED), vec![0; 10_000]).unwrap();
        assert!(open(home.path()).is_ok());
    }

    #[test]
    fn no_symlink_in_the_directory_leads_elsewhere() {
        let home = tempfile::tempdir().unwrap();
        fs::set_permissions(home.path(), Permissions::from_mode(0o700)).unwrap();
        let (elsewhere, absent) = (home.path().join("shadow"), home.path().join("absent"));
        fs::write(&elsewhere, "root").unwrap();
        symlink(&elsewhere, home.path().join(UNFINISHED)).unwrap();
        drop(open(home.path()).unwrap());
        assert!(fs::read(&elsewhere).unwrap() == b"root");
        let lock = home.path().join(LOCK);
        for target in [&elsewhere, &absent] {
            fs::remove_file(&lock).unwrap();
            symlink(target, &lock).unwrap();
            assert!(matches!(open(home.path()), Err(DiskError::Path { path, .. }) if path == lock));
        }
        assert!(!absent.exists());
    }

    #[test]
    fn what_root_makes_belongs_to_the_owner_of_the_directory() {
        let home = tempfile::tempdir().unwrap();
        let directory = home.path().join("state");
        DirBuilder::new().mode(0o700).create(&directory).unwrap();
        // Nobody else can give files away.
        if chown(&directory, Some(OWNER), Some(OWNER)).is_err() {
            return;
        }
        drop(open(&directory).unwrap());
        for name in [DATABASE, LOCK] {
            let made = directory.join(name).metadata().unwrap();
            assert_eq!((made.uid(), made.gid()), (OWNER, OWNER), "{name}");
        }
    }

    #[test]
    fn a_directory_that_others_may_write_to_is_refused() {
        let home = tempfile::tempdir().unwrap();
        fs::set_permissions(home.path(), Permissions::from_mode(0o770)).unwrap();
        let error = open(home.path()).unwrap_err();
        assert!(error.to_string().contains("has mode 0770: others may write to it"), "{error}");
    }

    #[test]
    fn a_file_that_is_no_database_is_never_written_over() {
        let home = tempfile::tempdir().unwrap();
        fs::set_permissions(home.path(), Permissions::from_mode(0o700)).unwrap();
        let path = home.path().join(DATABASE);
        fs::write(&path, b"minutes of the last meeting").unwrap();
        assert!(matches!(open(home.path()), Err(DiskError::State { source: StateError::Damaged(_), .. })));
        assert_eq!(fs::read(&path).unwrap(), b"minutes of the last meeting");
    }
}
