//! What a process that holds keys owes: no core dumps, no files that others can read.

use nix::sys::resource::{Resource, setrlimit};
use nix::sys::stat::{Mode, umask};

/// Keys must not reach a disk by way of a core dump, and what is created is for the owner alone.
pub(super) fn harden() {
    if let Err(error) = setrlimit(Resource::RLIMIT_CORE, 0, 0) {
        tracing::warn!("core dumps cannot be switched off: {error}");
    }
    umask(Mode::from_bits_truncate(0o077));
}
