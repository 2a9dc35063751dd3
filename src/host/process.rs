//! What a process that holds keys owes: no core dumps, no files that others can read. And what it needs.

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::stat::{Mode, umask};

/// Keys must not reach a disk by way of a core dump, and what is created is for the owner alone.
pub(super) fn harden() {
    if let Err(error) = setrlimit(Resource::RLIMIT_CORE, 0, 0) {
        tracing::warn!("core dumps cannot be switched off: {error}");
    }
    umask(Mode::from_bits_truncate(0o077));
}

/// Each connection is a file descriptor, and what is usual (1,024) would be used up by those of one address: then
/// no file could be opened either. Takes as many as the system allows.
pub(super) fn raise_file_limit() {
    let raised = getrlimit(Resource::RLIMIT_NOFILE)
        .and_then(|(_, hard)| setrlimit(Resource::RLIMIT_NOFILE, hard, hard));
    if let Err(error) = raised {
        tracing::warn!("the limit of open files cannot be raised: {error}");
    }
}
