//! The way to a file, directory by directory: every place where a change may lead it elsewhere.
//!
//! A certificate is reached through directories and symlinks, any of which may be swapped for
//! another (`live/N/cert.pem`, `..data`, `current/N`). Each swap shows as an event for one name in
//! one real directory, so a route is the set of those.

use std::collections::{BTreeSet, VecDeque};
use std::ffi::OsString;
use std::path::{Component, Path, PathBuf};

/// The real directories on the way to a path, and the names in them that matter.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Route {
    /// Real directories: no symlink in them. The last is the nearest that exists.
    pub(super) directories: BTreeSet<PathBuf>,
    /// Each name that was looked up, in its real directory, whether it exists or not.
    pub(super) names: BTreeSet<PathBuf>,
}

impl Route {
    /// Follows `path`, which is absolute, as the kernel would, as far as it leads.
    pub(super) fn to(path: &Path) -> Self {
        let mut route = Self::default();
        let mut here = PathBuf::from("/");
        let mut ahead: VecDeque<OsString> = steps(path).collect();
        let mut symlinks = 0;
        while let Some(name) = ahead.pop_front() {
            if name == ".." {
                here.pop();
                continue;
            }
            route.directories.insert(here.clone());
            let next = here.join(&name);
            route.names.insert(next.clone());
            let Ok(found) = next.symlink_metadata() else { break };
            if found.is_symlink() {
                symlinks += 1;
                let Ok(target) = next.read_link() else { break };
                if symlinks > MAX_SYMLINKS {
                    break;
                }
                if target.is_absolute() {
                    here = PathBuf::from("/");
                }
                for step in steps(&target).collect::<Vec<_>>().into_iter().rev() {
                    ahead.push_front(step);
                }
            } else if found.is_dir() {
                here = next;
            } else {
                break;
            }
        }
        route
    }

    /// Whether a change at `path` may change what the route leads to.
    pub(super) fn concerns(&self, path: &Path) -> bool {
        self.names.contains(path) || self.directories.contains(path)
    }
}

/// The names and `..`s of a path.
fn steps(path: &Path) -> impl Iterator<Item = OsString> {
    path.components().filter_map(|component| match component {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some("..".into()),
        Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
    })
}

/// As many as Linux follows (path_resolution(7)).
const MAX_SYMLINKS: usize = 40;

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    /// The names of the route, below the scratch directory.
    fn names(root: &Path, path: &str) -> Vec<String> {
        let route = Route::to(&root.join(path));
        let below = route.names.iter().filter_map(|name| name.strip_prefix(root).ok());
        below.filter(|name| !name.as_os_str().is_empty()).map(|name| name.display().to_string()).collect()
    }

    #[test]
    fn every_symlink_and_its_target_is_on_the_route() {
        let scratch = tempfile::tempdir().unwrap();
        let root = scratch.path().canonicalize().unwrap();
        std::fs::create_dir_all(root.join("archive/a")).unwrap();
        std::fs::create_dir_all(root.join("live")).unwrap();
        std::fs::write(root.join("archive/a/cert1.pem"), "x").unwrap();
        symlink("../archive/a", root.join("live/a")).unwrap();
        symlink("cert1.pem", root.join("archive/a/cert.pem")).unwrap();
        assert_eq!(
            names(&root, "live/a/cert.pem"),
            ["archive", "archive/a", "archive/a/cert.pem", "archive/a/cert1.pem", "live", "live/a"]
        );
        symlink(root.join("live/a/cert.pem"), root.join("absolute")).unwrap();
        assert!(names(&root, "absolute").contains(&"archive/a/cert1.pem".to_owned()));
    }

    #[test]
    fn what_is_missing_is_waited_for_in_the_nearest_directory() {
        let scratch = tempfile::tempdir().unwrap();
        let root = scratch.path().canonicalize().unwrap();
        assert_eq!(names(&root, "not/yet/cert.pem"), ["not"]);
        assert!(Route::to(&root.join("not/yet/cert.pem")).directories.contains(&root));
    }

    #[test]
    fn symlinks_in_a_circle_end() {
        let scratch = tempfile::tempdir().unwrap();
        let root = scratch.path().canonicalize().unwrap();
        symlink("b", root.join("a")).unwrap();
        symlink("a", root.join("b")).unwrap();
        assert_eq!(names(&root, "a/cert.pem"), ["a", "b"]);
    }
}
