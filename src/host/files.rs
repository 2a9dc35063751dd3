//! Reading files whole, with a bound; making new ones.

use std::fs::{File, OpenOptions, Permissions};
use std::io::{Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::Path;

use nix::fcntl::OFlag;
use nix::unistd::geteuid;
use tempfile::NamedTempFile;
use zeroize::Zeroizing;

use crate::dns::problem::{Place, Problem};

/// The largest certificate or key file that is read.
const LIMIT: u64 = 1 << 20;

/// The mode of a private key file: nobody but its owner.
pub(super) const PRIVATE_MODE: u32 = 0o600;
/// The mode of a file that is nobody's secret.
pub(super) const PUBLIC_MODE: u32 = 0o644;

/// A file that is whole and durable under a temporary name, which goes with this value unless it is placed.
pub(super) struct Prepared<'p> {
    path: &'p Path,
    file: NamedTempFile,
}

impl<'p> Prepared<'p> {
    /// Writes the file beside `path`, with its mode from the first moment.
    pub(super) fn new(path: &'p Path, octets: &[u8], mode: u32) -> std::io::Result<Self> {
        let mut builder = tempfile::Builder::new();
        let mut file = builder.permissions(Permissions::from_mode(mode)).tempfile_in(directory_of(path))?;
        file.write_all(octets)?;
        file.as_file().sync_all()?;
        Ok(Self { path, file })
    }

    /// With exactly this mode, and for the owner of its directory.
    pub(super) fn restored(self, mode: u32) -> std::io::Result<Self> {
        let file = self.file.as_file();
        // Of the open file, not of the path: nothing can be swapped in between.
        file.set_permissions(Permissions::from_mode(mode))?;
        give_to_owner(file, directory_of(self.path))?;
        Ok(self)
    }

    /// Gives it its name, which must not be taken: it follows no symlink and replaces nothing. The name is durable once
    /// the directory is synced.
    pub(super) fn place(self) -> std::io::Result<()> {
        self.file.persist_noclobber(self.path).map(drop).map_err(|error| error.error)
    }
}

/// Replaces a file by one that is whole from the first moment, with exactly this mode, and for the owner of its
/// directory; durable before this returns.
pub(super) fn replace(path: &Path, octets: &[u8], mode: u32) -> std::io::Result<()> {
    let prepared = Prepared::new(path, octets, PRIVATE_MODE)?.restored(mode)?;
    prepared.file.persist(path).map_err(|error| error.error)?;
    sync_directory(directory_of(path))
}

/// Makes a file that must not be there, whole from the first moment; durable before this returns.
pub(super) fn create(path: &Path, octets: &[u8], mode: u32) -> std::io::Result<()> {
    Prepared::new(path, octets, mode)?.place()?;
    sync_directory(directory_of(path))
}

/// The same with exactly this mode whatever the umask, and for the owner of its directory.
pub(super) fn restore(path: &Path, octets: &[u8], mode: u32) -> std::io::Result<()> {
    Prepared::new(path, octets, PRIVATE_MODE)?.restored(mode)?.place()?;
    sync_directory(directory_of(path))
}

/// Gives what root has just made to the owner of its directory, as a daemon under a user of its own could not open it.
pub(super) fn give_to_owner(made: &File, directory: &Path) -> std::io::Result<()> {
    let owner = directory.metadata()?;
    if !geteuid().is_root() || made.metadata()?.uid() == owner.uid() {
        return Ok(());
    }
    fchown(made, Some(owner.uid()), Some(owner.gid()))
}

/// Makes names in a directory durable.
pub(super) fn sync_directory(directory: &Path) -> std::io::Result<()> {
    File::open(directory)?.sync_all()
}

fn directory_of(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Makes a file that is nobody's secret, or replaces one.
pub fn write(path: &Path, octets: &[u8]) -> std::io::Result<()> {
    std::fs::write(path, octets)
}

/// The text of a file that is nobody's secret.
pub fn read_text(path: &Path) -> std::io::Result<String> {
    std::fs::read_to_string(path)
}

/// Makes a file that must not be there, which nobody but its owner may read.
pub fn create_secret(path: &Path, text: &str) -> std::io::Result<()> {
    create(path, text.as_bytes(), PRIVATE_MODE)
}

/// The octets of a certificate or key file, wiped when dropped.
pub fn read(path: &Path) -> std::io::Result<Zeroizing<Vec<u8>>> {
    read_within(path, LIMIT)
}

/// The octets of a file that has at most `limit` of them, wiped when dropped.
pub(super) fn read_within(path: &Path, limit: u64) -> std::io::Result<Zeroizing<Vec<u8>>> {
    let file = File::open(path)?;
    // Room for all of it, so that growing leaves no copy of a secret behind.
    let room = file.metadata()?.len().min(limit) as usize + 1;
    let mut octets = Zeroizing::new(Vec::with_capacity(room));
    let read = file.take(limit + 1).read_to_end(&mut octets)?;
    if read as u64 > limit {
        let what = format!("larger than {} MiB", limit >> 20);
        return Err(std::io::Error::new(std::io::ErrorKind::FileTooLarge, what));
    }
    Ok(octets)
}

/// Opens a file of any size. What is no regular file is refused: a named pipe would block for ever.
pub(super) fn open_regular(path: &Path) -> std::io::Result<File> {
    let file = OpenOptions::new().read(true).custom_flags(OFlag::O_NONBLOCK.bits()).open(path)?;
    if !file.metadata()?.is_file() {
        let what = "a directory, a device or a pipe, not a regular file";
        return Err(std::io::Error::new(std::io::ErrorKind::InvalidInput, what));
    }
    Ok(file)
}

/// The octets of a file of any size.
pub(super) fn read_regular(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut file = open_regular(path)?;
    let mut octets = Vec::with_capacity(file.metadata()?.len() as usize);
    file.read_to_end(&mut octets)?;
    Ok(octets)
}

/// The text of a file that nobody but its owner may read, wiped when dropped.
pub(super) fn read_secret(path: &Path) -> Result<Zeroizing<String>, Problem> {
    let place = || Place::file(path.display().to_string());
    let metadata = std::fs::metadata(path).map_err(|error| Problem::error(place(), error))?;
    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(Problem::error(
            place(),
            format_args!(
                "mode {mode:04o} lets others read the secret, expected 0600: chmod 600 {}",
                path.display()
            ),
        ));
    }
    std::fs::read_to_string(path).map(Zeroizing::new).map_err(|error| Problem::error(place(), error))
}
