//! Secondaries transfer what danelaw signs, and what they serve then is sound.

use std::fs;

use super::check::{self, Keys};
use super::danelaw::{Danelaw, ZONE_TEXT};
use super::dig;
use super::program::{free_port, text};
use super::secondary::{Secondary, ZONE};
use super::wait::until;

/// Starts danelaw with this policy and a secondary, waits for the transfer, and has the copy checked. Then changes
/// the zone and does it again, which only a NOTIFY makes quick.
fn transfers_soundly(policy: &str, keys: Keys, secondary: fn(u16, u16) -> Secondary) {
    let (danelaw, first, second) = transfers(policy, Some(keys), secondary);
    was_sent_changes(&danelaw, first, second);
}

/// Gives back the two serials, too.
fn transfers(policy: &str, keys: Option<Keys>, secondary: fn(u16, u16) -> Secondary) -> (Danelaw, u32, u32) {
    let port = free_port();
    let danelaw = Danelaw::new().policy(policy).secondary(port).start();
    let mut secondary = secondary(port, danelaw.port());
    let first = danelaw.serial().unwrap();
    secondary.until_serial(first);
    sound_copy(&danelaw, &secondary, keys);

    danelaw.write("zone", &format!("{ZONE_TEXT}\nadded A 192.0.2.99\n"));
    let reload = danelaw.reload();
    assert!(reload.status.success(), "{reload:?}");
    let second = until("the change is served", || danelaw.serial().filter(|serial| *serial != first));
    secondary.until_serial(second);
    if keys.is_some() {
        assert_eq!(dig::rdata(secondary.port(), "added.example.test", "A"), ["192.0.2.99"]);
    }
    sound_copy(&danelaw, &secondary, keys);
    (danelaw, first, second)
}

/// By what danelaw says of it; the secondary must not have asked for all of the zone after all.
fn was_sent_changes(danelaw: &Danelaw, first: u32, second: u32) {
    until("status has the transfer", || {
        let status = text(&danelaw.cli(&["status"]));
        let words = [&format!("ixfr of {second} at ")[..], " octets by tcp", "up to date"];
        words.iter().all(|word| status.contains(word)).then_some(())
    });
    log_has_changes(danelaw, first, second);
}

fn log_has_changes(danelaw: &Danelaw, first: u32, second: u32) {
    let log = fs::read_to_string(danelaw.path("log")).unwrap();
    let sent = format!("changes transferred zone={ZONE}. from={first} serial={second}");
    assert!(log.contains(&sent), "it was sent no more than what has changed:\n{log}");
}

fn sound_copy(danelaw: &Danelaw, secondary: &Secondary, keys: Option<Keys>) {
    let copy = secondary.zone();
    assert_eq!(copy, danelaw.zone(), "the secondary serves what danelaw does");
    let file = danelaw.path("copy");
    fs::write(&file, copy.join("\n") + "\n").unwrap();
    if let Some(keys) = keys {
        check::all(&file, ZONE, keys);
    }
}

#[test]
fn bind_transfers_nsec_csk() {
    transfers_soundly("{denial: nsec, keys: csk}", Keys::Csk, Secondary::bind);
}

#[test]
fn bind_transfers_nsec_ksk_and_zsk() {
    transfers_soundly("{denial: nsec, keys: ksk+zsk}", Keys::KskZsk, Secondary::bind);
}

#[test]
fn bind_transfers_nsec3_csk() {
    transfers_soundly("{denial: nsec3, keys: csk}", Keys::Csk, Secondary::bind);
}

#[test]
fn bind_transfers_nsec3_ksk_and_zsk() {
    transfers_soundly("{denial: nsec3, keys: ksk+zsk}", Keys::KskZsk, Secondary::bind);
}

#[test]
fn bind_transfers_opt_out_csk() {
    transfers_soundly("{denial: nsec3-opt-out, keys: csk}", Keys::Csk, Secondary::bind);
}

#[test]
fn bind_transfers_opt_out_ksk_and_zsk() {
    transfers_soundly("{denial: nsec3-opt-out, keys: ksk+zsk}", Keys::KskZsk, Secondary::bind);
}

#[test]
fn nsd_transfers() {
    transfers_soundly("{denial: nsec3}", Keys::Csk, Secondary::nsd);
}

#[test]
fn knot_transfers() {
    transfers_soundly("{denial: nsec3}", Keys::Csk, Secondary::knot);
}

#[test]
fn powerdns_transfers() {
    // It never asks for changes of a signed zone, whatever it is told.
    transfers("{denial: nsec}", Some(Keys::Csk), Secondary::powerdns);
}

#[test]
fn powerdns_transfers_the_changes_of_an_unsigned_zone() {
    // It has them then, and gives them away. To answer anything about the zone it wants to be told
    // `pdnsutil rectify-zone`, so `status` goes on to say that it is behind.
    let (danelaw, first, second) = transfers("{keys: none}", None, Secondary::powerdns);
    log_has_changes(&danelaw, first, second);
}

#[test]
fn a_transfer_that_was_tampered_with_does_not_pass_the_checks() {
    let danelaw = Danelaw::new().start();
    let file = danelaw.path("copy");
    let tampered = danelaw.zone().join("\n").replace("192.0.2.25", "192.0.2.26") + "\n";
    fs::write(&file, tampered).unwrap();
    assert!(check::dnssec_verify(&file, ZONE, Keys::Csk).is_err());
    assert!(check::ldns_verify_zone(&file).is_err());
    assert!(check::kzonecheck(&file, ZONE).is_err());
}
