//! DNSSEC keys in a token (PKCS#11), here one made of software: they sign, and a token that is gone takes nothing down.

use std::fs;

use super::check::{self, Keys};
use super::danelaw::{Danelaw, ZONE_TEXT};
use super::dig;
use super::program::{command, stdout, text};
use super::secondary::ZONE;
use super::wait::until;

const MODULE: &str = "/usr/lib/softhsm/libsofthsm2.so";

/// A token in a directory of danelaw's, and what its library reads.
fn with_token(danelaw: Danelaw) -> Danelaw {
    let tokens = danelaw.path("tokens");
    fs::create_dir(&tokens).unwrap();
    danelaw.write("softhsm.conf", &format!("directories.tokendir = {}\n", tokens.display()));
    danelaw.write_secret("pin", "4711\n");
    let configuration = danelaw.path("softhsm.conf");
    let danelaw = danelaw.environment("SOFTHSM2_CONF", &configuration);
    stdout(command("softhsm2-util").env("SOFTHSM2_CONF", configuration).args([
        "--init-token",
        "--free",
        "--label",
        "test token",
        "--so-pin",
        "1147",
        "--pin",
        "4711",
    ]));
    danelaw
}

fn uri(danelaw: &Danelaw, object: &str) -> String {
    let pin = danelaw.path("pin");
    format!(
        "pkcs11:token=test%20token;object={object}?module-path={MODULE}&pin-source=file:{}",
        pin.display()
    )
}

#[track_caller]
fn generate(danelaw: &Danelaw, object: &str, role: &str, algorithm: &str) {
    let uri = uri(danelaw, object);
    let made =
        danelaw.cli(&["key", "generate", ZONE, "--role", role, "--algorithm", algorithm, "--pkcs11", &uri]);
    assert!(made.status.success(), "{}", text(&made));
}

fn sound(danelaw: &Danelaw, keys: Keys) {
    let file = danelaw.path("copy");
    fs::write(&file, danelaw.zone().join("\n") + "\n").unwrap();
    check::all(&file, ZONE, keys);
}

/// Changes the zone, and says which serial it had.
fn changed(danelaw: &Danelaw, more: &str) -> u32 {
    let before = danelaw.serial().unwrap();
    danelaw.write("zone", &format!("{ZONE_TEXT}{more}\n"));
    let _ = danelaw.reload();
    before
}

/// Changes the zone, and waits until that is served.
fn changed_and_sound(danelaw: &Danelaw) {
    let before = changed(danelaw, "added A 192.0.2.99");
    until("the change is served", || danelaw.serial().filter(|now| *now > before));
    danelaw.until_well();
    sound(danelaw, Keys::Csk);
}

/// No file of keys, and there are so many, has a private key.
#[track_caller]
fn secret(danelaw: &Danelaw, files: usize) {
    let paths: Vec<_> =
        fs::read_dir(danelaw.path("keys")).unwrap().map(|file| file.unwrap().path()).collect();
    assert_eq!(paths.len(), files, "{paths:?}");
    for path in paths {
        let text = fs::read_to_string(path).unwrap();
        assert!(!text.contains("PrivateKey"), "{text}");
    }
}

#[test]
fn keys_in_a_token_sign_and_are_nowhere_else() {
    for (algorithm, denial) in [("13", "nsec"), ("14", "nsec3")] {
        let policy = format!("{{keys: ksk+zsk, algorithm: {algorithm}, denial: {denial}}}");
        let danelaw = with_token(Danelaw::new().policy(&policy)).configured_only();
        generate(&danelaw, "ksk", "ksk", algorithm);
        generate(&danelaw, "zsk", "zsk", algorithm);
        secret(&danelaw, 4);
        let danelaw = danelaw.start();
        sound(&danelaw, Keys::KskZsk);
        let before = changed(&danelaw, "added A 192.0.2.99");
        until("the change is served", || danelaw.serial().filter(|now| *now > before));
        sound(&danelaw, Keys::KskZsk);
        danelaw.until_well();

        let roll = || danelaw.cli(&["key", "roll", ZONE, "--role", "zsk"]);
        let refused = roll();
        assert!(!refused.status.success() && text(&refused).contains("no successor"), "{}", text(&refused));
        generate(&danelaw, "zsk-2", "zsk", algorithm);
        let _ = danelaw.reload();
        until("the successor is published", || {
            (dig::answer(danelaw.port(), ZONE, "DNSKEY").len() == 3).then_some(())
        });
        assert!(roll().status.success());
        danelaw.until_well();
        secret(&danelaw, 6);
    }
}

#[test]
fn without_its_token_the_zone_stays_served_and_goes_on_when_it_is_back() {
    let danelaw = with_token(Danelaw::new()).configured_only();
    generate(&danelaw, "csk", "csk", "13");
    let danelaw = danelaw.start();
    let zone = danelaw.zone();
    let (tokens, away) = (danelaw.path("tokens"), danelaw.path("away"));
    fs::rename(&tokens, &away).unwrap();
    fs::create_dir(&tokens).unwrap();

    let before = changed(&danelaw, "added A 192.0.2.99");
    let said = danelaw.until_alarmed(&["cannot be reached", "still serving serial"]);
    assert_eq!(danelaw.serial(), Some(before), "{said}");
    assert_eq!(danelaw.zone(), zone);

    fs::remove_dir(&tokens).unwrap();
    fs::rename(&away, &tokens).unwrap();
    until("the change is served", || {
        let _ = danelaw.reload();
        danelaw.serial().filter(|now| *now > before)
    });
    danelaw.until_well();
    sound(&danelaw, Keys::Csk);
}

#[test]
fn a_token_that_is_not_there_at_the_start_is_waited_for_and_no_key_is_made_in_its_place() {
    let danelaw = with_token(Danelaw::new()).configured_only();
    generate(&danelaw, "csk", "csk", "13");
    let mut danelaw = danelaw.start();
    let zone = danelaw.zone();
    danelaw.stop();
    let (tokens, away) = (danelaw.path("tokens"), danelaw.path("away"));
    fs::rename(&tokens, &away).unwrap();
    fs::create_dir(&tokens).unwrap();
    danelaw.restart();
    danelaw.until_alarmed(&["keys", "no token with the label `test token`", "still serving serial"]);
    assert_eq!(danelaw.zone(), zone);
    assert_eq!(fs::read_dir(danelaw.path("keys")).unwrap().count(), 2);

    fs::remove_dir(&tokens).unwrap();
    fs::rename(&away, &tokens).unwrap();
    changed_and_sound(&danelaw);
}

#[test]
fn a_pin_that_is_refused_is_tried_once_and_another_one_as_soon_as_it_is_there() {
    let danelaw = with_token(Danelaw::new()).configured_only();
    generate(&danelaw, "csk", "csk", "13");
    let mut danelaw = danelaw.start();
    danelaw.stop();
    danelaw.write_secret("pin", "not-the-pin\n");
    danelaw.restart();
    let said = danelaw.until_alarmed(&["keys", "still serving serial"]);
    assert!(!said.contains("has refused the PIN"), "{said}");
    let _ = danelaw.reload();
    let said = danelaw.until_alarmed(&["has refused the PIN", "is not asked with it again"]);
    assert!(!said.contains("not-the-pin"), "{said}");
    danelaw.write_secret("pin", "4711\n");
    changed_and_sound(&danelaw);
}
