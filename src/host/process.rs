//! What a process that holds keys owes: no core dumps, no files that others can read. And what it needs.

use nix::sys::prctl::set_dumpable;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::stat::{Mode, umask};

/// Keys must not reach a disk by way of a core dump, and what is created is for the owner alone.
pub(super) fn harden() {
    if let Err(error) = setrlimit(Resource::RLIMIT_CORE, 0, 0) {
        tracing::warn!("core dumps cannot be switched off: {error}");
    }
    // Where the system pipes core dumps to a program, the limit does not count (core(5)). This does, and it keeps other
    // processes of the same user from looking at our memory.
    if let Err(error) = set_dumpable(false) {
        tracing::warn!("other processes of this user can read the keys in memory: {error}");
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

#[cfg(test)]
mod tests {
    use super::*;
    use nix::sys::prctl::get_dumpable;
    use std::process::Command;

    const WITHIN: &str = "DANELAW_TEST_OF_HARDENING";

    #[test]
    fn a_process_that_holds_keys_cannot_be_dumped() {
        // Of a process of its own: other tests make files.
        if std::env::var_os(WITHIN).is_none() {
            let test = "host::process::tests::a_process_that_holds_keys_cannot_be_dumped";
            let mut again = Command::new(std::env::current_exe().unwrap());
            let output = again.args(["--exact", test]).env(WITHIN, "1").output().unwrap();
            let said = String::from_utf8_lossy(&output.stdout);
            assert!(output.status.success() && said.contains("1 passed"), "{said}");
            return;
        }
        assert_eq!(get_dumpable(), Ok(true));
        harden();
        assert_eq!(get_dumpable(), Ok(false));
        assert_eq!(getrlimit(Resource::RLIMIT_CORE), Ok((0, 0)));
        let others = Mode::from_bits_truncate(0o077);
        assert_eq!(umask(others), others);
    }
}
