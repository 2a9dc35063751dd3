//! Postfix with directories of its own. Its master wants to be root.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::unistd::User;
use tempfile::TempDir;

use super::certificate::Certificate;
use super::program::{Running, command, stdout};

/// Where Debian keeps its daemons.
const DAEMONS: &str = "/usr/lib/postfix/sbin";
/// The services that every instance has; those that listen are the instance's own.
const SERVICES: &str = "\
    pickup unix n - n 60 1 pickup\n\
    cleanup unix n - n - 0 cleanup\n\
    qmgr unix n - n 300 1 qmgr\n\
    tlsmgr unix - - n 1000? 1 tlsmgr\n\
    rewrite unix - - n - - trivial-rewrite\n\
    bounce unix - - n - 0 bounce\n\
    defer unix - - n - 0 bounce\n\
    trace unix - - n - 0 bounce\n\
    proxymap unix - - n - - proxymap\n\
    smtp unix - - n - - smtp\n\
    error unix - - n - - error\n\
    retry unix - - n - - error\n\
    discard unix - - n - - discard\n\
    anvil unix - - n - 1 anvil\n\
    scache unix - - n - 1 scache\n\
    postlog unix-dgram n - n - 1 postlogd\n";

/// A running Postfix.
pub(crate) struct Postfix {
    process: Running,
    scratch: TempDir,
}

impl Postfix {
    /// Starts one with these lines at the end of `main.cf`, and these at the beginning of `master.cf`.
    pub(crate) fn start(main: &str, master: &str) -> Self {
        let scratch = tempfile::tempdir().unwrap();
        let here = scratch.path().to_owned();
        // Its daemons give up being root.
        fs::set_permissions(&here, fs::Permissions::from_mode(0o755)).unwrap();
        for directory in ["etc", "queue", "data"] {
            fs::create_dir(here.join(directory)).unwrap();
        }
        let user = User::from_name("postfix").unwrap().expect("postfix is installed");
        chown(here.join("data"), Some(user.uid.as_raw()), None).unwrap();
        let here = here.display();
        let settings = format!(
            "compatibility_level = 3.6\nqueue_directory = {here}/queue\ndata_directory = {here}/data\n\
             command_directory = /usr/sbin\ndaemon_directory = {DAEMONS}\nmail_owner = postfix\n\
             setgid_group = postdrop\ninet_protocols = ipv4\nmaillog_file = /dev/stdout\n\
             maillog_file_prefixes = /dev\nalias_maps =\nalias_database =\nlocal_recipient_maps =\n{main}"
        );
        let postfix =
            |file: &str, text: &str| fs::write(scratch.path().join("etc").join(file), text).unwrap();
        postfix("main.cf", &settings);
        postfix("master.cf", &format!("{master}{SERVICES}"));
        let etc = scratch.path().join("etc");
        stdout(command("postfix").arg("-c").arg(&etc).arg("check"));
        let mut start = Command::new(Path::new(DAEMONS).join("master"));
        // Stopping, it sends its signal to the whole group, which must be its own.
        start.arg("-c").arg(&etc).arg("-d").process_group(0);
        let process = Running::start(&mut start, &scratch.path().join("log"));
        Self { process, scratch }
    }

    /// What it has logged.
    pub(crate) fn log(&self) -> String {
        self.process.printed()
    }

    /// The directory of its configuration.
    pub(crate) fn etc(&self) -> PathBuf {
        self.scratch.path().join("etc")
    }

    #[track_caller]
    pub(crate) fn must_run(&mut self) {
        self.process.must_run();
    }
}

impl Drop for Postfix {
    fn drop(&mut self) {
        // Its daemons go when it is asked to stop; killed, it leaves them to find out.
        self.process.terminate();
    }
}

/// Key and chain in one file, as `smtpd_tls_chain_files` wants them.
pub(crate) fn write_chain_file(path: &Path, certificate: &Certificate) {
    fs::write(path, format!("{}{}", certificate.key, certificate.chain)).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}
