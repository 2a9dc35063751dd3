//! `kill -9`, again and again, while certificates and the zone file change: what is served after a restart is the
//! version before or the version after, and what did not change is the same to the last octet of its signatures.

use std::collections::BTreeSet;
use std::fs;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use super::certificate::Certificate;
use super::check::{self, Keys};
use super::danelaw::{Danelaw, ZONE_TEXT};
use super::dig;
use super::program::text;
use super::secondary::ZONE;
use super::wait::until;

/// How often the daemon is killed under change.
const KILLS: usize = 12;
/// How often it is killed at rest.
const KILLS_AT_REST: usize = 3;

#[test]
fn killed_at_rest_it_comes_back_with_the_same_zone_signatures_included() {
    let certificate = Certificate::new("www2");
    let mut danelaw = Danelaw::new().policy("{denial: nsec3}").service("www2", "www2.pem");
    danelaw.write("www2.pem", &certificate.chain);
    danelaw.restart();
    danelaw.until_tlsa("www2", &certificate.tlsa);
    danelaw.until_well();
    let before = danelaw.zone();
    for _ in 0..KILLS_AT_REST {
        danelaw.kill_9();
        danelaw.restart();
        assert_eq!(danelaw.zone(), before, "at the first answer");
        danelaw.until_well();
        assert_eq!(danelaw.zone(), before, "once everything was read again");
    }
}

#[test]
fn killed_under_change_it_comes_back_with_the_version_before_or_after() {
    let certificates: Vec<Certificate> = (0..4).map(|_| Certificate::new("www2")).collect();
    let mut danelaw = Danelaw::new().policy("{denial: nsec}").service("www2", "www2.pem");
    danelaw.write("www2.pem", &certificates[0].chain);
    danelaw.restart();
    danelaw.until_tlsa("www2", &certificates[0].tlsa);

    for round in 0..KILLS {
        let (is_over, changes) = (AtomicBool::new(false), AtomicUsize::new(0));
        let mut last = danelaw.zone();
        thread::scope(|scope| {
            scope.spawn(|| {
                // Certificates by rename, the zone file in place: some reloads see half of it.
                while !is_over.load(Ordering::Relaxed) {
                    let change = changes.fetch_add(1, Ordering::Relaxed);
                    let staged = danelaw.path("staged");
                    fs::write(&staged, &certificates[(round + change) % certificates.len()].chain).unwrap();
                    fs::rename(&staged, danelaw.path("www2.pem")).unwrap();
                    danelaw.write("zone", &format!("{ZONE_TEXT}change A 192.0.2.{}\n", change % 250));
                    let _ = danelaw.reload();
                    thread::yield_now();
                }
            });
            // Later in every round, and never at the same point of a commit.
            until("some changes were made", || {
                if let Some(zone) = dig::transfer(danelaw.port(), ZONE) {
                    last = zone;
                }
                (changes.load(Ordering::Relaxed) > round % 5).then_some(())
            });
            thread::sleep(Duration::from_millis(7 * round as u64 % 40));
            super::danelaw::kill_9(danelaw.pid());
            is_over.store(true, Ordering::Relaxed);
        });
        danelaw.kill_9();
        // What the changer left half written is whole again before the next start.
        danelaw.write("zone", ZONE_TEXT);
        danelaw.restart();

        let after = danelaw.zone();
        let (old, new) = (serial_of(&last), serial_of(&after));
        assert!(new >= old, "round {round}: serial {new} after {old}");
        if new == old {
            assert_eq!(after, last, "round {round}: one serial, one content");
        }
        let file = danelaw.path("copy");
        fs::write(&file, after.join("\n") + "\n").unwrap();
        check::all(&file, ZONE, Keys::Csk);
        assert_eq!(
            unchanging(&after),
            unchanging(&last),
            "round {round}: nothing that is valid is signed again"
        );
    }
}

fn serial_of(zone: &[String]) -> u32 {
    zone[0].split_whitespace().nth(6).unwrap().parse().unwrap()
}

/// Records of the names that no change of this test touches.
fn unchanging(zone: &[String]) -> BTreeSet<&String> {
    let touched = ["www2.", "change.", "_tcp."];
    zone.iter()
        .filter(|record| {
            let words: Vec<&str> = record.split_whitespace().collect();
            let is_soa = words[3] == "SOA" || words[3..5] == ["RRSIG", "SOA"];
            let is_denial = words[3] == "NSEC" || words[3..5] == ["RRSIG", "NSEC"];
            !is_soa && !is_denial && !touched.iter().any(|name| record.contains(name))
        })
        .collect()
}

#[test]
fn a_damaged_state_is_one_line_that_names_it_and_nothing_is_served() {
    let mut danelaw = Danelaw::new().start();
    danelaw.stop();
    let state = danelaw.path("state/danelaw.redb");
    let mut octets = fs::read(&state).unwrap();
    // All but the header, which says where things are.
    octets[4_096..].iter_mut().for_each(|octet| *octet ^= 0x55);
    fs::write(&state, octets).unwrap();
    let output = danelaw.cli(&["run"]);
    let said = text(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
    assert!(said.contains(&format!("{}: the state's database is damaged", state.display())), "{said}");
}
