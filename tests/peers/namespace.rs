//! Tests that need ports and files of the system to themselves: 25, 53, `/etc/resolv.conf`.
//!
//! Such a test runs itself once more, in namespaces of its own for network and mounts, and does its work there. All
//! that it starts lives there as well, on a loopback interface that nobody else sees.

use std::fs;
use std::process::Command;

use super::program::{command, output, stdout, text};

/// Says to the second run that it is the second.
const INSIDE: &str = "DANELAW_TEST_INSIDE_NAMESPACE";

/// Whether the test `name` (with its module) is to do its work now. If not, it has been done, in a second run.
#[track_caller]
pub(crate) fn entered(name: &str) -> bool {
    if std::env::var_os(INSIDE).is_some() {
        stdout(command("ip").args(["link", "set", "lo", "up"]));
        return true;
    }
    let mut run = command("unshare");
    run.args(["--net", "--mount"]).arg(std::env::current_exe().unwrap());
    let output = output(run.args([name, "--exact", "--nocapture"]).env(INSIDE, "1"));
    let said = text(&output);
    assert!(output.status.success(), "in namespaces of its own (root is needed for these):\n{said}");
    // A name that is no test's runs nothing, which is a success to the runner.
    assert!(said.contains("1 passed"), "{name} is no test:\n{said}");
    false
}

/// Whatever asks the system's resolver asks this one, on port 53.
pub(crate) fn resolve_at(address: &str) {
    let scratch = tempfile::tempdir().unwrap();
    let file = scratch.path().join("resolv.conf");
    fs::write(&file, format!("nameserver {address}\noptions edns0 trust-ad\n")).unwrap();
    let mount = |run: &mut Command| stdout(run.arg("--bind").arg(&file).arg("/etc/resolv.conf"));
    mount(&mut command("mount"));
}
