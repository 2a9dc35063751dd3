//! Zone checkers: what is wrong with a zone file, as their authors see it.

use std::path::Path;

use super::program::{command, output, text};

/// Which keys sign a zone, as far as dnssec-verify wants to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Keys {
    /// One key for everything.
    Csk,
    /// A key for the keys, and one for the rest.
    KskZsk,
}

/// BIND: every signature, and the chain of denial.
pub(crate) fn dnssec_verify(zone: &Path, origin: &str, keys: Keys) -> Result<(), String> {
    let mut verify = command("dnssec-verify");
    if keys == Keys::Csk {
        // The one key has the KSK's flag and signs everything.
        verify.arg("-z");
    }
    judged(verify.args(["-o", origin]).arg(zone))
}

/// ldns: every signature, and the chain of denial.
pub(crate) fn ldns_verify_zone(zone: &Path) -> Result<(), String> {
    judged(command("ldns-verify-zone").arg(zone))
}

/// Knot: the semantics of the zone, DNSSEC included.
pub(crate) fn kzonecheck(zone: &Path, origin: &str) -> Result<(), String> {
    judged(command("kzonecheck").args(["--dnssec", "on", "--origin", origin]).arg(zone))
}

/// BIND: the semantics of the zone, without looking up names of other zones.
pub(crate) fn named_checkzone(zone: &Path, origin: &str) -> Result<(), String> {
    judged(command("named-checkzone").args(["-i", "local", origin]).arg(zone))
}

/// All of them; fails the test if one complains.
#[track_caller]
pub(crate) fn all(zone: &Path, origin: &str, keys: Keys) {
    for verdict in [
        dnssec_verify(zone, origin, keys),
        ldns_verify_zone(zone),
        kzonecheck(zone, origin),
        named_checkzone(zone, origin),
    ] {
        if let Err(complaint) = verdict {
            panic!("{complaint}");
        }
    }
}

fn judged(command: &mut std::process::Command) -> Result<(), String> {
    let output = output(command);
    if output.status.success() { Ok(()) } else { Err(format!("{command:?}: {}", text(&output))) }
}
