//! The commands of `parent-hook`, which are given what there is to hand to a zone's parent.
//!
//! A command gets the zone as its argument and in `ZONE`, and on standard input one line a record: `add` or `remove`, and
//! the DS record as a zone file has it. Each zone has a thread, which runs its command for one thing after the other and
//! again after a failure, until there is something newer to hand over, or nothing any more. Nothing waits for a command,
//! and what it does counts once it is seen at the parent.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use crate::config::Config;
use crate::dns::name::Name;
use crate::engine::Handover;

/// How long a command may take.
const LIMIT: Duration = Duration::from_mins(5);
/// Between two looks at whether it has ended.
const PAUSE: Duration = Duration::from_millis(50);
/// How long after a failure it is run again; doubled each time,
const FIRST_WAIT: Duration = Duration::from_mins(1);
/// up to this.
const LONGEST_WAIT: Duration = Duration::from_hours(1);

/// Why a command did not end well.
#[derive(Debug, thiserror::Error)]
enum HookError {
    #[error("cannot be run: {0}")]
    NotRun(#[from] io::Error),
    #[error("has not ended within {} s, and was killed", LIMIT.as_secs())]
    TooLong,
    #[error("ended with {0}")]
    Failed(ExitStatus),
}

/// The threads, by zone. One that is dropped ends with what it does.
#[derive(Default)]
pub(super) struct Hooks {
    zones: BTreeMap<Name, Sender<Option<Handover>>>,
}

impl Hooks {
    /// There is this to hand over for `zone`, or nothing any more, in place of whatever there was.
    pub(super) fn hand_over(&mut self, zone: Name, handover: Option<Handover>) {
        if let Some(orders) = self.zones.get(&zone) {
            // Its thread ends with us, or by a panic that has been logged.
            let _ = orders.send(handover);
            return;
        }
        let Some(handover) = handover else { return };
        let (orders, receiver) = mpsc::channel();
        let _ = orders.send(Some(handover));
        let work = move || work(&receiver, FIRST_WAIT);
        match thread::Builder::new().name("hook".to_owned()).spawn(work) {
            Ok(_) => drop(self.zones.insert(zone, orders)),
            Err(error) => tracing::error!("{zone}: no thread for `parent-hook`: {error}"),
        }
    }

    /// Zones that are gone hand nothing over.
    pub(super) fn configure(&mut self, config: &Config) {
        self.zones.retain(|zone, _| config.zones.contains_key(zone));
    }
}

/// Hands over what is ordered; what fails again after `first_wait`.
fn work(orders: &Receiver<Option<Handover>>, first_wait: Duration) {
    let mut failed: Option<(Handover, Duration)> = None;
    loop {
        let newer = match &failed {
            None => orders.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Some((_, wait)) => orders.recv_timeout(*wait),
        };
        let (newest, wait) = match (newer, failed.take()) {
            (Ok(newer), _) => (orders.try_iter().last().unwrap_or(newer), first_wait),
            (Err(RecvTimeoutError::Timeout), Some((same, wait))) => {
                (Some(same), (wait * 2).min(LONGEST_WAIT))
            }
            (Err(_), _) => return,
        };
        let Some(handover) = newest else { continue };
        let (zone, command) = (&handover.zone, handover.command.display());
        match run(&handover, LIMIT) {
            Ok(()) => tracing::info!("{zone}: parent-hook {command} ended well"),
            Err(error) => {
                tracing::error!(
                    "{zone}: parent-hook {command} {error}; it is run again in {} s, unless the parent is seen to have \
                     what `danelaw status` shows",
                    wait.as_secs()
                );
                failed = Some((handover, wait));
            }
        }
    }
}

fn run(handover: &Handover, limit: Duration) -> Result<(), HookError> {
    let zone = handover.zone.as_ref().undotted();
    let mut child = Command::new(&handover.command)
        .arg(&zone)
        .env("ZONE", &zone)
        .stdin(Stdio::piped())
        .process_group(0)
        .spawn()?;
    let written = child.stdin.take().map_or(Ok(()), |mut input| input.write_all(lines(handover).as_bytes()));
    match (end(&mut child, limit)?, written) {
        (status, _) if !status.success() => Err(HookError::Failed(status)),
        // Whoever knows enough need not read on.
        (_, Err(error)) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

fn end(child: &mut Child, limit: Duration) -> Result<ExitStatus, HookError> {
    let start = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        if start.elapsed() > limit {
            // Its group, so that what a script has begun ends with it.
            killpg(Pid::from_raw(child.id().cast_signed()), Signal::SIGKILL).map_err(io::Error::from)?;
            child.wait()?;
            return Err(HookError::TooLong);
        }
        thread::sleep(PAUSE);
    }
}

fn lines(handover: &Handover) -> String {
    let lines = |what: &str, records: &[String]| -> String {
        records.iter().map(|record| format!("{what} {record}\n")).collect()
    };
    lines("add", &handover.add) + &lines("remove", &handover.remove)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;

    const PATIENCE: Duration = Duration::from_mins(1);

    /// A command that notes what it is given, and then does as `$runs`, how often it was run, makes it do. A child of ours
    /// writes it: none of the others can inherit a file that is open for writing, which could not be run.
    fn command(directory: &Path, end: &str) {
        let script = format!(
            "#!/bin/sh\ncd \"${{0%/*}}\"\ncat >> handed\necho >> count\nruns=$(wc -l < count)\n{end}\n"
        );
        let mut writer = Command::new("sh");
        writer.args(["-c", "printf %s \"$1\" > \"$2\" && chmod 700 \"$2\"", "sh", &script]);
        assert!(writer.arg(directory.join("hook")).status().unwrap().success());
    }

    fn handover(directory: &Path, add: &str) -> Handover {
        Handover {
            zone: Name::parse("example.test").unwrap(),
            command: directory.join("hook"),
            add: vec![add.to_owned()],
            remove: Vec::new(),
        }
    }

    #[track_caller]
    fn until(what: &str, is: impl Fn() -> bool) {
        let start = Instant::now();
        while !is() {
            assert!(start.elapsed() < PATIENCE, "{what}");
            thread::sleep(Duration::from_millis(5));
        }
    }

    #[test]
    fn a_command_that_fails_is_run_again_until_it_ends_well() {
        let scratch = tempfile::tempdir().unwrap();
        let here = scratch.path();
        command(here, "[ $runs -gt 2 ] && touch well");
        let (orders, receiver) = mpsc::channel();
        orders.send(Some(handover(here, "one"))).unwrap();
        let worker = thread::spawn(move || work(&receiver, Duration::from_millis(1)));
        until("the command ends well", || here.join("well").exists());
        drop(orders);
        worker.join().unwrap();
        assert_eq!(fs::read_to_string(here.join("handed")).unwrap(), "add one\n".repeat(3));
    }

    #[test]
    fn what_takes_too_long_is_killed_with_all_that_it_has_begun() {
        let scratch = tempfile::tempdir().unwrap();
        let here = scratch.path();
        command(here, "sleep 600 &\necho $! > child\nwait");
        let outcome = run(&handover(here, "one"), Duration::from_secs(3));
        assert!(matches!(outcome, Err(HookError::TooLong)));
        let child = fs::read_to_string(here.join("child")).unwrap();
        // A zombie has no command line.
        let line = format!("/proc/{}/cmdline", child.trim());
        until("the child has ended", || fs::read(&line).unwrap_or_default().is_empty());
    }

    #[test]
    fn the_newest_alone_is_handed_over_and_nothing_once_the_parent_has_it() {
        let scratch = tempfile::tempdir().unwrap();
        let here = scratch.path();
        command(here, "exit 1");
        let handed = || fs::read_to_string(here.join("handed")).unwrap_or_default();
        let (orders, receiver) = mpsc::channel();
        for add in ["one", "two"] {
            orders.send(Some(handover(here, add))).unwrap();
        }
        let worker = thread::spawn(move || work(&receiver, LONGEST_WAIT));
        until("the newest is handed over", || handed() == "add two\n");
        orders.send(None).unwrap();
        orders.send(Some(handover(here, "three"))).unwrap();
        until("what comes then is handed over at once", || handed() == "add two\nadd three\n");
        orders.send(None).unwrap();
        drop(orders);
        worker.join().unwrap();
        assert_eq!(handed(), "add two\nadd three\n");
    }
}
