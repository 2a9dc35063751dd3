//! `danelaw lab`, and what other programs make of its faults.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

use super::danelaw::BINARY;
use super::program::{Running, command, output, text};
use super::wait::{until, until_within};

/// As long as the laboratory itself has patience with its parts.
const PATIENCE: Duration = Duration::from_mins(2);

/// Each fault with words of all lines in which `danelaw verify` says that something fails.
const FAULTS: [(&str, &[&str]); 6] = [
    ("stale-tlsa", &["mail.lab.test:", "at 127.0.0.1:", "matches none of the TLSA records"]),
    ("expired-rrsig", &["lab.test. DNSKEY", "has a signature that expired at"]),
    ("missing-next", &["mail.lab.test:", "at 127.0.0.2:", "matches none of the TLSA records"]),
    ("lagging-secondary", &["mail.lab.test:", "matches none of the TLSA records of ns2"]),
    ("wrong-key", &["lab.test. DNSKEY", "none of the keys"]),
    ("bad-nsec", &["_tcp.mail.lab.test. ", "without proof"]),
];

fn lab(scratch: &TempDir, arguments: &[&str]) -> Command {
    let mut run = Command::new(BINARY);
    run.arg("lab").args(arguments).env("TMPDIR", scratch.path());
    run
}

#[track_caller]
fn nothing_is_left(directory: &Path) {
    let left: Vec<_> = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn a_whole_rollover_is_shown_and_nothing_is_left_behind() {
    let scratch = tempfile::tempdir().unwrap();
    let output = output(&mut lab(&scratch, &[]));
    let said = text(&output);
    assert!(output.status.success(), "{said}");
    assert!(!said.lines().any(|line| line.starts_with("FAIL")), "{said}");
    // Before, during with both records, after with the new one alone.
    let verified = said.matches("the certificate seen by clients that offer ECDSA matches 3 1 1").count();
    assert_eq!(verified, 3, "{said}");
    assert_eq!(said.matches(": 2 records, TTL 2,").count(), 2, "both nameservers have both records\n{said}");
    assert!(
        said.contains(" gate mail --certificate ") && said.contains("That was a whole rollover."),
        "{said}"
    );
    nothing_is_left(scratch.path());
}

#[test]
fn danelaw_verify_sees_each_fault_and_no_other() {
    for (fault, words) in FAULTS {
        let scratch = tempfile::tempdir().unwrap();
        let output = output(&mut lab(&scratch, &["--fault", fault]));
        let said = text(&output);
        assert!(output.status.success(), "{fault}:\n{said}");
        let failures: Vec<&str> = said.lines().filter(|line| line.starts_with("FAIL")).collect();
        assert!(!failures.is_empty(), "{fault}:\n{said}");
        for line in failures {
            assert!(words.iter().all(|word| line.contains(word)), "{fault}: {line}\nin\n{said}");
        }
        nothing_is_left(scratch.path());
    }
}

/// A laboratory that goes on.
struct Kept {
    process: Running,
    scratch: TempDir,
    _logs: TempDir,
}

impl Kept {
    fn start(arguments: &[&str]) -> Self {
        let scratch = tempfile::tempdir().unwrap();
        let logs = tempfile::tempdir().unwrap();
        let mut process =
            Running::start(&mut lab(&scratch, &[arguments, &["--keep"]].concat()), &logs.path().join("log"));
        until_within(PATIENCE, "the laboratory is ready", || {
            process.must_run();
            process.printed().contains("until you press Ctrl-C").then_some(())
        });
        Self { process, scratch, _logs: logs }
    }

    /// Runs the command line that the laboratory has shown for this program, with its last words replaced.
    fn shown(&self, program: &str, last: &[&str]) -> String {
        let printed = self.process.printed();
        let start = format!("$ {program} ");
        let line = printed.lines().find_map(|line| line.strip_prefix(&start)).unwrap();
        let words: Vec<&str> = line.split(' ').collect();
        let words = &words[..words.len() - last.len()];
        text(&output(command(program).args(words).args(last)))
    }
}

#[test]
fn other_validators_see_the_faults_of_the_zone() {
    let believed = |said: &str| said.contains("fully validated");
    for (fault, tlsa, empty) in [
        ("stale-tlsa", true, true),
        ("expired-rrsig", false, false),
        ("wrong-key", false, false),
        ("bad-nsec", true, false),
    ] {
        let kept = Kept::start(&["--fault", fault]);
        let said = kept.shown("delv", &[]);
        assert_eq!(believed(&said), tlsa, "{fault}: TLSA\n{said}");
        let said = kept.shown("delv", &["_tcp.mail.lab.test", "A"]);
        assert_eq!(believed(&said), empty, "{fault}: above it\n{said}");
        stopped(kept);
    }
}

#[test]
fn what_is_kept_answers_to_a_resolver_with_the_configuration_that_is_shown() {
    let kept = Kept::start(&[]);
    let printed = kept.process.printed();
    let file = printed.lines().find_map(|line| line.strip_prefix("$ unbound -d -c ")).unwrap();
    let log = kept.scratch.path().join("log of unbound");
    let mut unbound = Running::start(command("unbound").args(["-d", "-c", file]), &log);
    until("unbound says that the records are secure", || {
        unbound.must_run();
        let said = kept.shown("dig", &[]);
        said.lines().any(|line| line.starts_with(";; flags:") && line.contains(" ad")).then_some(())
    });
    drop(unbound);
    std::fs::remove_file(log).unwrap();
    stopped(kept);
}

/// Ends it as its user would, and looks for what it leaves.
fn stopped(mut kept: Kept) {
    kept.process.terminate();
    nothing_is_left(kept.scratch.path());
}
