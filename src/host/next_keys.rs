//! Next keys on disk: making one with its request, and pointing to it.
//!
//! ```text
//! DIRECTORY/1/privkey.pem    mode 0600
//! DIRECTORY/1/csr.pem
//! DIRECTORY/2/…
//! DIRECTORY/next → 2
//! ```
//!
//! Key and request are reached by one link, which changes in one step: a client never orders with the request of one
//! key and deploys another. No key is ever replaced or removed; a crash leaves, at worst, one that nothing points to.

use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::{DirBuilderExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ring::rand::SystemRandom;
use zeroize::Zeroizing;

use super::files;
use crate::config::next::{KEY, NEXT, REQUEST};
use crate::engine::next::{MadeNext, MakeNext};
use crate::tlsa::{NewKey, NewKeyError};

/// Why there is no new next key. The one before, if there is one, still comes next.
#[derive(Debug, thiserror::Error)]
pub(super) enum NextKeyError {
    /// None could be made.
    #[error(transparent)]
    Key(#[from] NewKeyError),
    /// A file or directory cannot be made.
    #[error("{}: {source}", path.display())]
    Io {
        /// Which one.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// Makes a key with its request, durable before this returns, and points to them.
pub(super) fn make(order: &MakeNext) -> Result<MadeNext, NextKeyError> {
    let random = SystemRandom::new();
    let key = NewKey::generate(order.algorithm, &random)?;
    let request = key.request(&order.names, &random)?;
    let new = New { directory: &order.directory, number: unused(&order.directory)?, key: key.pem(), request };
    for step in new.steps() {
        step.take()?;
    }
    let own = new.own();
    Ok(MadeNext {
        key: own.join(KEY),
        request: own.join(REQUEST),
        contents: Arc::new(Zeroizing::new(new.request.into_bytes())),
    })
}

/// A key on its way to the disk.
struct New<'a> {
    directory: &'a Path,
    number: u64,
    key: Zeroizing<String>,
    request: String,
}

/// One thing done to the disk. What a crash before each of them leaves is tested.
enum Step<'a> {
    /// Makes a directory with all above it, unless it is there.
    Directories(PathBuf, u32),
    /// Makes a directory that must not be there.
    Directory(PathBuf, u32),
    /// Makes a file that must not be there, durable.
    File(PathBuf, &'a [u8], u32),
    /// Makes durable which names are in a directory.
    Sync(PathBuf),
    /// Makes a link, in place of one that an earlier attempt left.
    Link(PathBuf, String),
    /// Gives a link its name, in place of the one that has it.
    Rename(PathBuf, PathBuf),
}

impl New<'_> {
    /// The directory of this key alone.
    fn own(&self) -> PathBuf {
        self.directory.join(self.number.to_string())
    }

    fn steps(&self) -> Vec<Step<'_>> {
        let (own, all) = (self.own(), self.directory.to_owned());
        let (link, staged) = (all.join(NEXT), all.join(STAGED));
        vec![
            Step::Directories(all.clone(), PRIVATE_DIRECTORY),
            Step::Directory(own.clone(), PUBLIC_DIRECTORY),
            Step::File(own.join(KEY), self.key.as_bytes(), files::PRIVATE_MODE),
            Step::File(own.join(REQUEST), self.request.as_bytes(), files::PUBLIC_MODE),
            Step::Sync(own),
            Step::Link(staged.clone(), self.number.to_string()),
            Step::Rename(staged, link),
            // The key's directory and the link to it.
            Step::Sync(all),
        ]
    }
}

impl Step<'_> {
    fn take(self) -> Result<(), NextKeyError> {
        let (path, done) = match self {
            Self::Directories(path, mode) => {
                let made = DirBuilder::new().recursive(true).mode(mode).create(&path);
                (path, made)
            }
            Self::Directory(path, mode) => {
                let made = DirBuilder::new().mode(mode).create(&path);
                (path, made)
            }
            Self::File(path, octets, mode) => {
                let made = files::create(&path, octets, mode);
                (path, made)
            }
            Self::Sync(path) => {
                let synced = std::fs::File::open(&path).and_then(|directory| directory.sync_all());
                (path, synced)
            }
            Self::Link(path, target) => {
                let made = match std::fs::remove_file(&path) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
                    _ => symlink(target, &path),
                };
                (path, made)
            }
            Self::Rename(from, to) => {
                let renamed = std::fs::rename(from, &to);
                (to, renamed)
            }
        };
        done.map_err(|source| NextKeyError::Io { path, source })
    }
}

/// A number that no key in `directory` has or, after a crash, may have had.
fn unused(directory: &Path) -> Result<u64, NextKeyError> {
    let failed = |source| NextKeyError::Io { path: directory.to_owned(), source };
    let entries = match std::fs::read_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(1),
        entries => entries.map_err(failed)?,
    };
    let mut largest = 0;
    for entry in entries {
        let name = entry.map_err(failed)?.file_name();
        largest =
            name.to_str().and_then(|name| name.parse().ok()).map_or(largest, |number| largest.max(number));
    }
    Ok(largest + 1)
}

/// The link before it has its name.
const STAGED: &str = "next.new";
/// Who may enter the directory of all keys may see the requests in it; the operator decides who else does.
const PRIVATE_DIRECTORY: u32 = 0o700;
const PUBLIC_DIRECTORY: u32 = 0o755;

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::dns::name::Name;
    use crate::tlsa::{KeyAlgorithm, Material};

    fn order(directory: &Path) -> MakeNext {
        MakeNext {
            service: "mail".to_owned(),
            index: 0,
            algorithm: KeyAlgorithm::EcdsaP256,
            names: vec![Name::parse("mail.example.test").unwrap()],
            directory: directory.to_owned(),
        }
    }

    /// The key and the request that the link leads to, and that they belong together.
    fn pointed_to(directory: &Path) -> Option<(PathBuf, Material)> {
        let own = fs::read_link(directory.join(NEXT)).ok()?;
        let read = |file| Material::parse(&fs::read(directory.join(NEXT).join(file)).unwrap()).unwrap();
        let (key, request) = (read(KEY), read(REQUEST));
        assert!(key.matches(&request));
        Some((own, request))
    }

    #[test]
    fn each_key_has_a_directory_of_its_own_and_stays_there() {
        let scratch = tempfile::tempdir().unwrap();
        let directory = scratch.path().join("next/mail");
        let first = make(&order(&directory)).unwrap();
        let kept = fs::read(&first.key).unwrap();
        assert_eq!(fs::metadata(&first.key).unwrap().permissions().mode() & 0o7777, 0o600);
        assert_eq!(fs::read_link(directory.join(NEXT)).unwrap(), Path::new("1"));

        let second = make(&order(&directory)).unwrap();
        assert_eq!(fs::read_link(directory.join(NEXT)).unwrap(), Path::new("2"));
        assert_eq!(
            (second.key, second.request),
            (directory.join("2").join(KEY), directory.join("2").join(REQUEST))
        );
        assert_eq!(fs::read(&first.key).unwrap(), kept);
        let (_, request) = pointed_to(&directory).unwrap();
        assert_eq!(Material::parse(&second.contents).unwrap(), request);
    }

    #[test]
    fn a_crash_before_any_step_leaves_the_key_before_or_the_key_after_and_the_next_attempt_works() {
        let scratch = tempfile::tempdir().unwrap();
        let steps = 8;
        for had_one in [false, true] {
            for crash in 0..=steps {
                let directory = scratch.path().join(format!("{had_one}-{crash}"));
                if had_one {
                    make(&order(&directory)).unwrap();
                }
                let before = pointed_to(&directory);
                let key = NewKey::generate(KeyAlgorithm::EcdsaP256, &SystemRandom::new()).unwrap();
                let request = key.request(&order(&directory).names, &SystemRandom::new()).unwrap();
                let new = New {
                    directory: &directory,
                    number: unused(&directory).unwrap(),
                    key: key.pem(),
                    request,
                };
                assert_eq!(new.steps().len(), steps);
                new.steps().into_iter().take(crash).for_each(|step| step.take().unwrap());
                let after = pointed_to(&directory);
                let arrived =
                    after.as_ref().is_some_and(|(own, _)| *own == Path::new(&new.number.to_string()));
                assert!(after == before || arrived, "crash before step {crash}");
                assert_eq!(arrived, crash >= 7);

                make(&order(&directory)).unwrap();
                let again = pointed_to(&directory);
                assert!(again.is_some() && again != after, "crash before step {crash}");
            }
        }
    }

    #[test]
    fn what_is_in_the_way_is_named_and_left_alone() {
        let scratch = tempfile::tempdir().unwrap();
        let file = scratch.path().join("mail");
        fs::write(&file, "somebody's").unwrap();
        let error = make(&order(&file)).unwrap_err().to_string();
        assert!(error.starts_with(&file.display().to_string()), "{error}");
        assert_eq!(fs::read(&file).unwrap(), b"somebody's");

        let directory = scratch.path().join("web");
        fs::create_dir_all(directory.join(NEXT)).unwrap();
        fs::write(directory.join(NEXT).join(KEY), "somebody's").unwrap();
        make(&order(&directory)).unwrap_err();
        assert_eq!(fs::read(directory.join(NEXT).join(KEY)).unwrap(), b"somebody's");
    }
}
