//! A key-signing key that is never where danelaw is: signatures are asked for, made elsewhere, and used in time.

use std::fs;

use super::check::{self, Keys};
use super::danelaw::{self, Danelaw, ZONE_TEXT};
use super::program::{command, stdout, text};
use super::secondary::ZONE;
use super::validator::delv;
use super::wait::until;

/// What a command says that succeeds.
#[track_caller]
pub(crate) fn succeeds(danelaw: &Danelaw, arguments: &[&str]) -> String {
    let output = danelaw.cli(arguments);
    assert!(output.status.success(), "{}", text(&output));
    text(&output)
}

/// Makes a zone-signing key where danelaw is, and a key-signing key in a vault, which signs ahead.
pub(crate) fn keys(danelaw: &Danelaw) {
    let vault = danelaw.path("vault");
    succeeds(danelaw, &["key", "generate", ZONE, "--role", "zsk"]);
    succeeds(danelaw, &["key", "generate", ZONE, "--role", "ksk", "--keys", vault.to_str().unwrap()]);
    batch(danelaw, 0, 60);
    assert_eq!(private_keys(danelaw), 1, "the zone-signing key's alone");
}

/// Asks, signs elsewhere, and takes what comes; from and until so many days from now.
pub(crate) fn batch(danelaw: &Danelaw, from: u32, until: u32) {
    let path = |name: &str| danelaw.path(name).to_str().unwrap().to_owned();
    let [request, signed, vault] = [path("request"), path("signed"), path("vault")];
    let (from, until) = (in_days(from), in_days(until));
    succeeds(danelaw, &["key", "request", ZONE, "--from", &from, "--until", &until, "-o", &request]);
    danelaw::run(&["key", "sign-batch", &request, "--keys", &vault, "-o", &signed]);
    succeeds(danelaw, &["key", "import-batch", &signed]);
}

/// How many private keys there are where danelaw is.
pub(crate) fn private_keys(danelaw: &Danelaw) -> usize {
    let files = fs::read_dir(danelaw.path("keys")).unwrap();
    let paths = files.map(|file| file.unwrap().path());
    paths.filter(|path| path.extension().is_some_and(|extension| extension == "private")).count()
}

/// The time in so many days, as the command line takes it.
fn in_days(days: u32) -> String {
    let mut date = command("date");
    stdout(date.args(["-u", "-d", &format!("{days} days"), "+%Y-%m-%dT%H:%M:%SZ"])).trim().to_owned()
}

fn sound(danelaw: &Danelaw) {
    let file = danelaw.path("copy");
    fs::write(&file, danelaw.zone().join("\n") + "\n").unwrap();
    check::all(&file, ZONE, Keys::KskZsk);
    let anchor = danelaw.anchor();
    for (name, rtype) in [(ZONE, "DNSKEY"), ("mail.example.test", "A"), ("absent.example.test", "A")] {
        let said = delv(danelaw.port(), &anchor, name, rtype);
        assert!(said.contains("fully validated"), "{said}");
    }
}

#[test]
fn a_zone_is_signed_without_its_key_signing_key_and_alarms_long_before_the_signatures_end() {
    let danelaw = Danelaw::new().policy("{keys: ksk+zsk}").zone_line("parent: \"off\"").configured_only();
    keys(&danelaw);
    let mut danelaw = danelaw.start();
    sound(&danelaw);
    let before = danelaw.serial().unwrap();
    danelaw.write("zone", &format!("{ZONE_TEXT}\nadded A 192.0.2.99\n"));
    succeeds(&danelaw, &["reload"]);
    until("the change is served", || danelaw.serial().filter(|now| *now > before));
    sound(&danelaw);
    danelaw.until_well();

    // In fifty days the batch has ten left, and refresh is seven: time to say so.
    danelaw.stop();
    let mut danelaw = danelaw.skewed("+50d");
    danelaw.restart();
    danelaw.until_alarmed(&["signatures made ahead", "danelaw key request"]);
    assert!(danelaw.zone().iter().any(|record| record.contains("added.")));
    let anchor = danelaw.anchor();
    batch(&danelaw, 51, 150);
    let _ = danelaw.reload();
    danelaw.until_well();
    assert_eq!(danelaw.anchor(), anchor);
    assert_eq!(private_keys(&danelaw), 1);
}
