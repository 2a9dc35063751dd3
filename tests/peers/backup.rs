//! Backup and restore with the real daemon: taken under change, put back after everything is lost.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use super::check::{self, Keys};
use super::danelaw::{BINARY, Danelaw, ZONE_TEXT};
use super::dig;
use super::program::{free_port, text};
use super::secondary::{Secondary, ZONE};
use super::wait::until;

fn change(danelaw: &Danelaw, number: u32) {
    danelaw.write("zone", &format!("{ZONE_TEXT}change A 192.0.2.{}\n", number % 250));
    assert!(danelaw.reload().status.success());
}

/// The RRSIGs that no change of these tests touches.
fn lasting_signatures(zone: &[String]) -> Vec<&String> {
    let lasting = |record: &&String| {
        let words: Vec<&str> = record.split_whitespace().collect();
        words[3] == "RRSIG"
            && !matches!(words[4], "SOA" | "NSEC" | "NSEC3")
            && !words[0].starts_with("change.")
    };
    zone.iter().filter(lasting).collect()
}

fn private_keys(danelaw: &Danelaw) -> Vec<PathBuf> {
    let files = fs::read_dir(danelaw.path("keys")).unwrap().map(|entry| entry.unwrap().path());
    files.filter(|path| path.extension().is_some_and(|extension| extension == "private")).collect()
}

fn lose_everything(danelaw: &Danelaw) {
    for directory in ["keys", "state"] {
        fs::remove_dir_all(danelaw.path(directory)).unwrap();
    }
}

#[track_caller]
fn succeeds(danelaw: &Danelaw, arguments: &[&str]) -> String {
    let output = danelaw.cli(arguments);
    assert!(output.status.success(), "{}", text(&output));
    text(&output)
}

#[track_caller]
fn fails(danelaw: &Danelaw, arguments: &[&str], words: &[&str]) {
    let output = danelaw.cli(arguments);
    let said = text(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(words.iter().all(|word| said.contains(word)), "expected {words:?}:\n{said}");
}

#[test]
fn saved_under_change_and_put_back_after_a_loss_it_goes_on_above_its_secondaries_and_signs_nothing_twice() {
    let port = free_port();
    let mut danelaw = Danelaw::new().policy("{serial: increment, denial: nsec3}").secondary(port).start();
    let mut secondary = Secondary::knot(port, danelaw.port());
    change(&danelaw, 0);
    let before = danelaw.zone();
    let file = danelaw.path("backup");
    let file = file.to_str().unwrap();

    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut number = 1;
            while !is_over.load(Ordering::Relaxed) {
                change(&danelaw, number);
                number += 1;
            }
        });
        for _ in 0..3 {
            succeeds(&danelaw, &["backup", file]);
        }
        is_over.store(true, Ordering::Relaxed);
    });
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    assert_eq!(mode(&danelaw.path("backup")), 0o600);
    // What the backup does not know, and the secondary does.
    for number in 100..103 {
        change(&danelaw, number);
    }
    let last = danelaw.serial().unwrap();
    secondary.until_serial(last);
    let keys = private_keys(&danelaw);
    danelaw.kill_9();
    lose_everything(&danelaw);

    succeeds(&danelaw, &["restore", file]);
    assert_eq!(private_keys(&danelaw), keys);
    assert!(keys.iter().all(|path| mode(path) == 0o600));
    danelaw.restart();
    let serial = until("a version above all that there was", || danelaw.serial().filter(|now| *now > last));
    assert!(serial - last < 3, "serial {serial} after {last}: no more than it takes");
    secondary.until_serial(serial);
    until("all of it has settled", || {
        let zone = danelaw.zone();
        (zone == secondary.zone()).then_some(zone)
    });
    let after = danelaw.zone();
    assert_eq!(lasting_signatures(&after), lasting_signatures(&before));
    let copy = danelaw.path("copy");
    fs::write(&copy, after.join("\n") + "\n").unwrap();
    check::all(&copy, ZONE, Keys::Csk);
    assert_eq!(dig::rdata(secondary.port(), &format!("change.{ZONE}"), "A"), ["192.0.2.102"]);
    // It is numbered above them once, not at every start.
    let settled = danelaw.serial();
    danelaw.stop();
    danelaw.restart();
    danelaw.until_well();
    assert_eq!(danelaw.serial(), settled);
}

#[test]
fn a_newer_state_is_not_replaced_unless_forced_and_stays_beside() {
    let mut danelaw = Danelaw::new().start();
    let file = danelaw.path("backup");
    let mut save = Command::new(BINARY);
    save.arg("-c").arg(danelaw.path("danelaw.yaml")).args(["backup", "-"]);
    assert!(save.stdout(fs::File::create(&file).unwrap()).status().unwrap().success());
    let file = file.to_str().unwrap();
    fails(&danelaw, &["restore", file], &["in use by another danelaw"]);

    let first = danelaw.serial();
    change(&danelaw, 1);
    let second = until("the change is served", || danelaw.serial().filter(|now| Some(*now) != first));
    danelaw.stop();
    fails(
        &danelaw,
        &["restore", file],
        &["newer than the backup", &format!("has serial {second}"), "--force"],
    );
    danelaw.restart();
    assert_eq!(danelaw.serial(), Some(second), "nothing was touched");
    danelaw.stop();
    succeeds(&danelaw, &["restore", file, "--force"]);
    assert!(danelaw.path("state/danelaw.redb.before-restore").exists());
    danelaw.restart();
    until("a version above both", || danelaw.serial().filter(|now| *now > second));

    // A daemon that does not run is no hindrance to saving, nor is its own state to putting that back.
    danelaw.stop();
    succeeds(&danelaw, &["backup", file]);
    succeeds(&danelaw, &["restore", file]);
    // A key that is another is never written over.
    let [key] = &private_keys(&danelaw)[..] else { panic!("one key") };
    fs::write(key, "somebody's").unwrap();
    fails(&danelaw, &["restore", file], &[key.to_str().unwrap(), "another key"]);
    assert_eq!(fs::read(key).unwrap(), b"somebody's");
}

#[test]
fn serials_that_go_up_by_one_are_not_guessed_while_a_secondary_is_silent() {
    let port = free_port();
    let mut danelaw = Danelaw::new().policy("{serial: increment}").secondary(port).start();
    let serial = danelaw.serial().unwrap();
    let file = danelaw.path("backup");
    let file = file.to_str().unwrap();
    succeeds(&danelaw, &["backup", file]);
    danelaw.kill_9();
    lose_everything(&danelaw);
    fails(&danelaw, &["restore", file], &["which serials secondaries have", &format!("127.0.0.1:{port}")]);
    let said = succeeds(&danelaw, &["restore", file, "--force"]);
    assert!(said.contains("serial not known"), "{said}");
    danelaw.restart();
    until("a version above the one saved", || danelaw.serial().filter(|now| *now > serial));
}

#[test]
fn a_damaged_backup_changes_nothing() {
    let mut danelaw = Danelaw::new().start();
    let file = danelaw.path("backup");
    succeeds(&danelaw, &["backup", file.to_str().unwrap()]);
    danelaw.stop();
    lose_everything(&danelaw);
    let mut octets = fs::read(&file).unwrap();
    let middle = octets.len() / 2;
    octets[middle] ^= 1;
    fs::write(&file, octets).unwrap();
    fails(&danelaw, &["restore", file.to_str().unwrap()], &["not a whole backup", "is not what was saved"]);
    assert!(!danelaw.path("keys").exists() && !danelaw.path("state/danelaw.redb").exists());
}
