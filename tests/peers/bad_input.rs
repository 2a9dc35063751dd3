//! Bad input never replaces what is served: the old version goes on, `danelaw status` exits with 1 and says what
//! to do, and once the input is good again, so is the status.

use std::fmt::Write;
use std::fs;

use super::certificate::Certificate;
use super::danelaw::{self, BINARY, Danelaw, ZONE_TEXT};
use super::dig;
use super::program::{command, output, text};
use super::secondary::ZONE;
use super::wait::until;

/// A danelaw with a service `www2` whose certificate is `www2.pem`, and that certificate.
fn served() -> (Danelaw, Certificate) {
    let certificate = Certificate::new("www2");
    let danelaw = Danelaw::new().service("www2", "www2.pem");
    danelaw.write("www2.pem", &certificate.chain);
    let danelaw = danelaw.start();
    danelaw.until_tlsa("www2", &certificate.tlsa);
    danelaw.until_well();
    (danelaw, certificate)
}

/// Writes `bad` as the certificate: nothing that is served changes, and `status` names the file. Then a good one.
fn keeps_the_last_good_association(bad: impl FnOnce(&Certificate) -> String) {
    let (danelaw, good) = served();
    let before = danelaw.zone();
    danelaw.write("www2.pem", &bad(&good));
    danelaw.until_alarmed(&["www2.pem"]);
    assert_eq!(danelaw.zone(), before);
    assert_eq!(danelaw.tlsa("www2"), std::slice::from_ref(&good.tlsa));

    let next = Certificate::new("www2");
    danelaw.write("www2.pem", &next.chain);
    danelaw.until_tlsa("www2", &next.tlsa);
    danelaw.until_well();
}

/// PEERS.md, Virtualmin 1207: no association is that of an empty string.
#[test]
fn an_empty_certificate_file_keeps_the_last_good_association() {
    keeps_the_last_good_association(|_| String::new());
}

#[test]
fn a_truncated_certificate_keeps_the_last_good_association() {
    keeps_the_last_good_association(|_| {
        let another = Certificate::new("www2").chain;
        another[..another.len() / 2].to_owned()
    });
}

#[test]
fn a_certificate_beside_a_key_that_is_not_its_own_keeps_the_last_good_association() {
    keeps_the_last_good_association(|good| format!("{}{}", good.key, Certificate::new("www2").chain));
}

#[test]
fn a_certificate_file_that_is_removed_keeps_the_last_good_association() {
    let (danelaw, good) = served();
    fs::remove_file(danelaw.path("www2.pem")).unwrap();
    danelaw.until_alarmed(&["www2.pem"]);
    assert_eq!(danelaw.tlsa("www2"), [good.tlsa]);
}

#[test]
fn a_broken_zone_file_at_reload_changes_nothing_and_is_named_by_line() {
    let (danelaw, _) = served();
    let before = danelaw.zone();
    let lines = ZONE_TEXT.lines().count();
    danelaw.write("zone", &format!("{ZONE_TEXT}broken 1x A 192.0.2.1\n"));
    let reload = danelaw.reload();
    assert_eq!(reload.status.code(), Some(1), "{}", text(&reload));
    let place = format!("zone:{}:", lines + 1);
    assert!(text(&reload).contains(&place), "{}", text(&reload));
    danelaw.until_alarmed(&[&place]);
    assert_eq!(danelaw.zone(), before);

    danelaw.write("zone", &format!("{ZONE_TEXT}mended A 192.0.2.1\n"));
    let reload = danelaw.reload();
    assert!(reload.status.success(), "{}", text(&reload));
    assert_eq!(dig::rdata(danelaw.port(), "mended.example.test", "A"), ["192.0.2.1"]);
    danelaw.until_well();
}

#[test]
fn a_broken_configuration_at_reload_changes_nothing() {
    let (danelaw, _) = served();
    let before = danelaw.zone();
    let good = fs::read_to_string(danelaw.path("danelaw.yaml")).unwrap();
    danelaw.write("danelaw.yaml", &format!("{good}zoens: {{}}\n"));
    let reload = danelaw.reload();
    assert_eq!(reload.status.code(), Some(1), "{}", text(&reload));
    assert!(text(&reload).contains("zoens"), "{}", text(&reload));
    assert_eq!(danelaw.zone(), before);
}

#[test]
fn a_running_daemon_is_reached_whatever_has_become_of_its_configuration() {
    let (danelaw, _) = served();
    let good = fs::read_to_string(danelaw.path("danelaw.yaml")).unwrap();
    let reached = |about: &str| {
        for arguments in [
            &["status"][..],
            &["dump", ZONE],
            &["diff", ZONE],
            &["notify", ZONE],
            &["gate", "www2"],
            &["backup", danelaw.path("saved").to_str().unwrap()],
        ] {
            let output = danelaw.cli(arguments);
            assert!(output.status.success(), "{about}: {arguments:?}: {}", text(&output));
        }
        text(&danelaw.cli(&["status"]))
    };
    danelaw.write("danelaw.yaml", &format!("{good}zoens: {{}}\n"));
    assert!(!reached("a key that is not known").contains("warning: "));
    danelaw.write("danelaw.yaml", &format!("{good}services: [}}\n"));
    assert!(reached("no YAML").contains("not YAML"));
    fs::remove_file(danelaw.path("danelaw.yaml")).unwrap();
    assert!(reached("no file").contains("looking for the daemon"));
}

#[test]
fn a_key_that_finds_no_room_leaves_nothing_behind() {
    let scratch = tempfile::tempdir().unwrap();
    let keys = scratch.path().join("keys");
    // No file may grow, which is what a full disk is to a program; what it says goes through a pipe.
    let no_room = format!(
        "(trap '' 25; ulimit -f 0; exec '{BINARY}' key generate {ZONE} --keys '{}') 2>&1 | cat",
        keys.display()
    );
    let mut shell = command("sh");
    let refused = text(&output(shell.arg("-c").arg(no_room)));
    assert!(refused.contains("File too large"), "{refused}");
    assert_eq!(fs::read_dir(&keys).unwrap().count(), 0, "{refused}");

    let made = danelaw::outcome(&["key", "generate", ZONE, "--keys", keys.to_str().unwrap()]);
    assert!(made.status.success(), "{}", text(&made));
    assert_eq!(fs::read_dir(&keys).unwrap().count(), 2);
}

#[test]
fn a_missing_key_file_never_makes_new_keys() {
    let (mut danelaw, _) = served();
    let before = danelaw.zone();
    let private = only_file_ending(&danelaw, ".private");
    let kept = danelaw.path("kept");
    fs::rename(&private, &kept).unwrap();

    danelaw.reload();
    danelaw.until_alarmed(&[private.file_name().unwrap().to_str().unwrap()]);
    assert_eq!(danelaw.zone(), before);

    danelaw.stop();
    danelaw.restart();
    danelaw.until_alarmed(&["key"]);
    assert_eq!(danelaw.zone(), before, "what is durable is served without keys");
    let privates = files(&danelaw).into_iter().filter(|name| name.ends_with(".private")).count();
    assert_eq!(privates, 0, "no key was made in place of the missing one");

    fs::rename(&kept, &private).unwrap();
    danelaw.reload();
    danelaw.until_well();
    let next = Certificate::new("www2");
    danelaw.write("www2.pem", &next.chain);
    danelaw.until_tlsa("www2", &next.tlsa);
}

#[test]
fn a_full_disk_keeps_the_old_version_and_says_so() {
    let certificate = Certificate::new("www2");
    let danelaw = Danelaw::new().service("www2", "www2.pem").on_a_disk_of("8m");
    danelaw.write("www2.pem", &certificate.chain);
    let danelaw = danelaw.start();
    danelaw.until_tlsa("www2", &certificate.tlsa);
    danelaw.until_well();
    let before = danelaw.zone();

    // The daemon's own view of its disk.
    let state = danelaw.path("state");
    let filler = std::path::Path::new("/proc").join(danelaw.pid().to_string()).join("root");
    let filler = filler.join(state.strip_prefix("/").unwrap()).join("filler");
    fill(&filler);
    // More than what the database may still have room for in its own file.
    let mut large = ZONE_TEXT.to_owned();
    for host in 0..2_000 {
        writeln!(large, "host{host} TXT \"some text for host {host} to fill the disk with\"").unwrap();
    }
    danelaw.write("zone", &large);
    let reload = danelaw.reload();
    assert_eq!(reload.status.code(), Some(1), "{}", text(&reload));
    danelaw.until_alarmed(&["space"]);
    assert_eq!(danelaw.zone(), before);

    fs::remove_file(&filler).unwrap();
    danelaw.write("zone", &format!("{ZONE_TEXT}room A 192.0.2.1\n"));
    until("there is room again, and a reload is taken", || danelaw.reload().status.success().then_some(()));
    assert_eq!(dig::rdata(danelaw.port(), &format!("room.{ZONE}"), "A"), ["192.0.2.1"]);
    danelaw.until_well();
}

/// Writes until nothing more fits.
fn fill(file: &std::path::Path) {
    use std::io::Write;
    let mut file = fs::File::create(file).unwrap();
    while file.write_all(&[0; 4096]).is_ok() {}
}

fn files(danelaw: &Danelaw) -> Vec<String> {
    let entries = fs::read_dir(danelaw.path("keys")).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

fn only_file_ending(danelaw: &Danelaw, end: &str) -> std::path::PathBuf {
    let mut found = files(danelaw).into_iter().filter(|name| name.ends_with(end));
    let name = found.next().expect("a key file");
    assert_eq!(found.next(), None, "one key file");
    danelaw.path("keys").join(name)
}
