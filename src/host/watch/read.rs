//! Reading a watched file: bounded, never blocking, wiped from memory when dropped.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;

use nix::fcntl::OFlag;
use ring::digest::{SHA256, digest};
use zeroize::Zeroizing;

/// The octets of a file. Wiped when the last copy is dropped: they may hold a private key.
pub type Contents = Arc<Zeroizing<Vec<u8>>>;

/// Files larger than this are not read. A chain of certificates is a few thousand octets; an
/// `acme.json` of a busy proxy a few hundred thousand.
pub const MAX_FILE_SIZE: usize = 1 << 20;

/// Why a file could not be read.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ReadError {
    /// Nothing at the path, or a symlink that leads nowhere.
    #[error("there is no such file")]
    NotFound,
    /// The file or a directory on the way is not ours to read.
    #[error("permission denied")]
    Denied,
    /// A directory, a socket, a device.
    #[error("it is not a file")]
    NotAFile,
    /// More than [`MAX_FILE_SIZE`].
    #[error("it is larger than {MAX_FILE_SIZE} octets")]
    TooLarge,
    /// Anything else.
    #[error("it cannot be read: {0}")]
    Other(ErrorKind),
}

/// What a read found, told from another without keeping it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Fingerprint {
    /// Its SHA-256.
    Contents([u8; 32]),
    Failure(ReadError),
}

/// Reads the whole file.
pub(super) fn read(path: &Path) -> Result<Contents, ReadError> {
    // A named pipe would block for ever.
    let opened = OpenOptions::new().read(true).custom_flags(OFlag::O_NONBLOCK.bits()).open(path);
    let file = opened.map_err(|error| ReadError::from(error.kind()))?;
    let found = file.metadata().map_err(|error| ReadError::from(error.kind()))?;
    if !found.is_file() {
        return Err(ReadError::NotAFile);
    }
    let size = usize::try_from(found.len()).unwrap_or(usize::MAX);
    if size > MAX_FILE_SIZE {
        return Err(ReadError::TooLarge);
    }
    // One octet more than it has, so that its growth shows and nothing is copied by growing.
    let mut octets = Zeroizing::new(Vec::with_capacity(size + 1));
    let limit = size as u64 + 1;
    file.take(limit).read_to_end(&mut octets).map_err(|error| ReadError::from(error.kind()))?;
    Ok(Arc::new(octets))
}

impl Fingerprint {
    pub(super) fn of(outcome: &Result<Contents, ReadError>) -> Self {
        match outcome {
            Ok(contents) => {
                let mut hash = [0; 32];
                hash.copy_from_slice(digest(&SHA256, contents).as_ref());
                Self::Contents(hash)
            }
            Err(error) => Self::Failure(*error),
        }
    }
}

impl From<ErrorKind> for ReadError {
    fn from(kind: ErrorKind) -> Self {
        match kind {
            // A component that is a file where a directory was expected.
            ErrorKind::NotFound | ErrorKind::NotADirectory => Self::NotFound,
            ErrorKind::PermissionDenied => Self::Denied,
            ErrorKind::IsADirectory => Self::NotAFile,
            other => Self::Other(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_files_of_sensible_size_are_read() {
        let scratch = tempfile::tempdir().unwrap();
        let at = |name: &str| scratch.path().join(name);
        std::fs::write(at("cert.pem"), "octets").unwrap();
        assert_eq!(**read(&at("cert.pem")).unwrap(), b"octets");
        assert_eq!(read(&at("none")), Err(ReadError::NotFound));
        assert_eq!(read(&at("cert.pem/below")), Err(ReadError::NotFound));
        assert_eq!(read(scratch.path()), Err(ReadError::NotAFile));
        std::fs::write(at("large"), vec![0; MAX_FILE_SIZE + 1]).unwrap();
        assert_eq!(read(&at("large")), Err(ReadError::TooLarge));
        nix::unistd::mkfifo(&at("pipe"), nix::sys::stat::Mode::S_IRWXU).unwrap();
        assert_eq!(read(&at("pipe")), Err(ReadError::NotAFile));
    }
}
