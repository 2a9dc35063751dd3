//! ZONEMD (RFC 8976): others find danelaw's digest right after every change, and danelaw refuses a zone that is not
//! what its own says.

use std::fs;

use super::check;
use super::danelaw::{self, Danelaw, ZONE_TEXT};
use super::dig;
use super::primary::Primary;
use super::program::{command, free_port, output, stdout, text};
use super::secondary::{Secondary, TSIG_KEY, ZONE};
use super::wait::until;

/// The zone after `changes` changes.
fn zone_text(changes: u32) -> String {
    (0..changes).fold(ZONE_TEXT.to_owned(), |zone, n| format!("{zone}\nhost{n} A 192.0.2.{n}\n"))
}

/// A Knot that verifies digests takes each version as changes, and has the whole zone in the end.
fn knot_finds_it_right(policy: &str) {
    let port = free_port();
    let danelaw = Danelaw::new().policy(policy).secondary(port).start();
    let mut knot = Secondary::knot_with(port, danelaw.port(), "    zonemd-verify: on\n");
    knot.until_serial(danelaw.serial().unwrap());
    for changes in 1..=5 {
        let before = danelaw.serial();
        danelaw.write("zone", &zone_text(changes));
        assert!(danelaw.reload().status.success());
        let serial = until("the change is served", || danelaw.serial().filter(|now| Some(*now) != before));
        knot.until_serial(serial);
    }
    assert_eq!(knot.zone(), danelaw.zone());
    assert_eq!(dig::answer(knot.port(), ZONE, "ZONEMD").len(), 1);
    assert!(danelaw.log().contains("changes transferred"), "{}", danelaw.log());
    let said = knot.printed();
    assert!(said.contains("ZONEMD"), "it looked at the digest:\n{said}");
    // A reload that changes nothing is no version, digest or not.
    let serial = danelaw.serial();
    assert!(danelaw.reload().status.success());
    danelaw.until_well();
    assert_eq!(danelaw.serial(), serial);
}

#[test]
fn knot_finds_the_digest_of_a_signed_zone_right_after_every_change() {
    knot_finds_it_right("{zonemd: sha384, denial: nsec3}");
}

#[test]
fn knot_finds_the_digest_of_an_unsigned_zone_right_after_every_change() {
    knot_finds_it_right("{zonemd: sha384, keys: none}");
}

#[test]
fn knot_refuses_a_zone_without_the_digest_that_it_demands() {
    let port = free_port();
    let danelaw = Danelaw::new().secondary(port).start();
    let mut knot = Secondary::knot_with(port, danelaw.port(), "    zonemd-verify: on\n");
    until("Knot misses the digest", || {
        let said = knot.printed();
        said.contains("ZONEMD, verification failed").then_some(())
    });
    knot.kill_9();
}

#[test]
fn ldns_finds_the_digest_of_a_file_signed_once_right_and_that_of_an_edited_one_wrong() {
    let scratch = tempfile::tempdir().unwrap();
    let path = |name: &str| scratch.path().join(name).to_str().unwrap().to_owned();
    fs::write(path("zone"), ZONE_TEXT).unwrap();
    fs::create_dir(path("keys")).unwrap();
    danelaw::run(&[
        "sign",
        &path("zone"),
        "--origin",
        ZONE,
        "--keys",
        &path("keys"),
        "--generate",
        "--zonemd",
        "-o",
        &path("signed"),
    ]);
    stdout(command("ldns-verify-zone").args(["-ZZ", &path("signed")]));
    assert_eq!(check::kzonecheck(&scratch.path().join("signed"), ZONE), Ok(()));
    let signed = fs::read_to_string(path("signed")).unwrap();
    fs::write(path("signed"), signed.replace("192.0.2.25", "192.0.2.26")).unwrap();
    let verdict = output(command("ldns-verify-zone").args(["-ZZ", &path("signed")]));
    assert!(!verdict.status.success(), "{}", text(&verdict));
}

fn remote(port: u16) -> String {
    format!("{{address: \"127.0.0.1:{port}\", tsig: {TSIG_KEY}}}")
}

/// The zone at the primary with another serial and more records.
fn version(serial: u32, more: &str) -> String {
    ZONE_TEXT.replace("2026110101", &serial.to_string()) + more
}

/// Knot digests each version that it serves; danelaw looks at each.
fn comes_from_knot_that_seals(settings: &str, policy: &str, incremental: bool) {
    let danelaw = Danelaw::new().policy(policy);
    let sealing = format!("    zonemd-generate: zonemd-sha512\n{settings}");
    let mut knot = Primary::knot_with(free_port(), danelaw.port(), &version(1, ""), &sealing);
    let danelaw = danelaw.primary(&remote(knot.port()), "verify-zonemd: always").start();
    for changes in 2..=4 {
        knot.edit(&version(changes, &format!("added A 192.0.2.{changes}\n")));
        let address = format!("192.0.2.{changes}");
        until("the change has come", || {
            (dig::rdata(danelaw.port(), &format!("added.{ZONE}"), "A") == [&*address]).then_some(())
        });
    }
    danelaw.until_well();
    assert_eq!(danelaw.log().contains("its changes"), incremental, "{}", danelaw.log());
}

#[test]
fn a_sealed_zone_of_knot_is_compared_change_by_change_where_it_is_served_as_it_is() {
    comes_from_knot_that_seals("", "unsigned", true);
}

#[test]
fn a_zone_that_knot_signs_and_seals_is_compared_change_by_change_where_it_is_served_as_it_is() {
    comes_from_knot_that_seals("    dnssec-signing: on\n", "unsigned", true);
}

#[test]
fn a_zone_that_knot_signs_and_seals_is_taken_whole_where_it_is_signed_again() {
    comes_from_knot_that_seals("    dnssec-signing: on\n", "{zonemd: sha384}", false);
}

#[test]
fn a_zone_that_is_not_what_its_digest_says_is_refused_and_the_good_one_stays() {
    let sealed = |serial: u32, more: &str| {
        let scratch = tempfile::tempdir().unwrap();
        let path = |name: &str| scratch.path().join(name).to_str().unwrap().to_owned();
        fs::write(path("zone"), version(serial, more)).unwrap();
        stdout(command("ldns-signzone").args([
            "-Z",
            "-z",
            "1:1",
            "-o",
            ZONE,
            "-f",
            &path("sealed"),
            &path("zone"),
        ]));
        fs::read_to_string(path("sealed")).unwrap()
    };
    let danelaw = Danelaw::new();
    let mut bind = Primary::bind(free_port(), danelaw.port(), &sealed(1, ""));
    let danelaw = danelaw.primary(&remote(bind.port()), "").start();
    let good = danelaw.serial().unwrap();

    bind.edit(&sealed(2, "").replace("192.0.2.25", "192.0.2.26"));
    let said = danelaw.until_alarmed(&["ZONEMD", "some were lost, added or changed", "still serving serial"]);
    assert_eq!(danelaw.serial(), Some(good), "{said}");
    assert_eq!(dig::rdata(danelaw.port(), &format!("mail.{ZONE}"), "A"), ["192.0.2.25"]);

    bind.edit(&sealed(3, "added A 192.0.2.99\n"));
    until("the next version is served", || danelaw.serial().filter(|now| *now > good));
    danelaw.until_well();
}
