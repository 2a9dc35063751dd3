//! Certificates that change: announced in time, or all of a sudden.

use danelaw::dns::time::{DAY, HOUR, MINUTE, Seconds};

use crate::disk::Survival;
use crate::world::{Cert, World, zone};

/// Two slots for mail, one for web; two secondaries.
const CONFIG: &str = r#"
remotes:
  ns1: {address: "192.0.2.1:53"}
  ns2: {address: "192.0.2.2:53"}
zones:
  example.test: {file: example.test.zone, secondaries: [ns1, ns2]}
services:
  mail:
    endpoints: ["mail.example.test:25", "mail.example.test:587"]
    certificate: [mail-rsa.pem, mail-ecdsa.pem]
    next: [mail-rsa.next, mail-ecdsa.next]
    ttl: 1h
  web:
    endpoints: ["www.example.test:443"]
    certificate: web.pem
    next: web.next
    ttl: 15m
"#;

/// The world with everything in place and known to every cache.
fn world(seed: u64) -> World {
    let mut world = World::new(CONFIG);
    world.seed(seed);
    world.secondaries[1].delay = MINUTE * 3;
    world.write_zone("example.test", &zone(1, 5));
    for (path, number) in [("mail-rsa.pem", 1), ("mail-ecdsa.pem", 1_001), ("web.pem", 2_001)] {
        world.write(path, &Cert::new(number).pem());
    }
    world.present("mail", &[Cert::new(1), Cert::new(1_001)]);
    world.present("web", &[Cert::new(2_001)]);
    world.start();
    world.run_for(DAY);
    assert_eq!(world.alarms(), [""; 0]);
    world
}

#[test]
fn a_month_of_announced_rollovers_leaves_no_cache_without_the_key_that_is_presented() {
    for seed in 0..3 {
        let mut world = world(seed);
        for round in 1..10 {
            let (rsa, ecdsa) = (Cert::new(1 + round), Cert::new(1_001 + round));
            world.write("mail-rsa.next", &rsa.key_pem());
            world.write("mail-ecdsa.next", &ecdsa.pem());
            world.write("web.next", &Cert::new(2_001 + round).key_pem());
            // Two TTLs after the announcement it may be deployed, and not before.
            world.run_for(HOUR * 2);
            world.write("mail-rsa.pem", &rsa.pem());
            world.write("mail-ecdsa.pem", &ecdsa.pem());
            world.write("web.pem", &Cert::new(2_001 + round).pem());
            // The servers reload when they like.
            world.run_for(MINUTE * 7);
            world.present("mail", &[rsa, Cert::new(1_000 + round)]);
            world.run_for(MINUTE * 20);
            world.present("mail", &[Cert::new(1 + round), ecdsa]);
            world.present("web", &[Cert::new(2_001 + round)]);
            world.run_for(DAY * 3 + HOUR);
        }
        assert_eq!(world.mismatches, 0);
        assert_eq!(world.alarms(), [""; 0]);
        // Nothing but what is live.
        assert!(world.publishes("mail", &[&Cert::new(10), &Cert::new(1_010)]));
        assert!(world.publishes("web", &[&Cert::new(2_010)]));
    }
}

#[test]
fn a_month_of_sudden_changes_costs_two_ttls_each_and_never_more() {
    for seed in 0..3 {
        let mut world = world(seed);
        for round in 1..10 {
            // As certbot does it: the files change, and the server reloads a little later.
            world.write("web.pem", &Cert::new(2_001 + round).pem());
            world.allow_outage("web", MINUTE * 30);
            world.run_for(Seconds(20 * u64::from(round)));
            world.present("web", &[Cert::new(2_001 + round)]);
            world.run_for(DAY);
            world.write("mail-rsa.pem", &Cert::new(1 + round).pem());
            world.allow_outage("mail", HOUR * 2);
            world.run_for(MINUTE * 59);
            world.present("mail", &[Cert::new(1 + round), Cert::new(1_001)]);
            world.run_for(DAY * 2);
        }
        assert!(world.mismatches > 0, "a sudden change is not seen by caches before they ask again");
        assert!(world.publishes("mail", &[&Cert::new(10), &Cert::new(1_001)]));
        assert!(world.publishes("web", &[&Cert::new(2_010)]));
    }
}

#[test]
fn parameters_that_senders_of_mail_ignore_are_told_of() {
    let mut world = world(0);
    assert_eq!(world.advice(), [""; 0]);
    world.reload(&CONFIG.replace("    ttl: 1h\n", "    ttl: 1h\n    tlsa: [\"1 1 1\", \"3 1 1\"]\n"));
    let advice = world.advice();
    assert!(advice.iter().any(|text| text.starts_with("`1 1 1` at an SMTP port")), "{advice:?}");
}

#[test]
fn a_renewed_certificate_of_the_same_key_is_no_change() {
    let mut world = world(0);
    let serial = world.serial("example.test");
    world.write("web.pem", &Cert::renewed(2_001, 2).pem());
    world.present("web", &[Cert::renewed(2_001, 2)]);
    world.run_for(HOUR);
    assert_eq!(world.serial("example.test"), serial);
}

#[test]
fn an_unusable_certificate_keeps_the_records_and_raises_an_alarm() {
    let mut world = world(0);
    let serial = world.serial("example.test");
    let whole = Cert::new(2_002).pem();
    let unusable: [&[u8]; 5] = [b"", b"\n\n", &whole[..5], &whole[..whole.len() / 2], b"\xff\xfe\x00"];
    for octets in unusable {
        world.write("web.pem", octets);
        world.run_for(HOUR);
        assert!(world.alarmed("web.pem"), "{:?}", world.alarms());
        assert!(world.publishes("web", &[&Cert::new(2_001)]));
    }
    world.forbid("web.pem");
    assert!(world.alarmed("permission denied"));
    world.remove("web.pem");
    assert!(world.alarmed("no such file"));
    world.run_for(HOUR);
    assert_eq!(world.serial("example.test"), serial);
    world.write("web.pem", &Cert::new(2_001).pem());
    assert_eq!(world.alarms(), [""; 0]);
}

#[test]
fn a_certificate_that_is_gone_at_a_restart_keeps_its_records() {
    let mut world = world(0);
    world.write("web.pem", &Cert::new(2_002).pem());
    world.allow_outage("web", MINUTE * 30);
    world.present("web", &[Cert::new(2_002)]);
    world.run_for(MINUTE * 5);
    world.crash(Survival::None);
    world.remove("web.pem");
    world.run_for(HOUR);
    world.start();
    world.run_for(DAY);
    assert!(world.publishes("web", &[&Cert::new(2_002)]));
    assert!(world.alarmed("no such file"));
}

#[test]
fn a_next_key_that_vanishes_stays_vouched_for_until_it_is_deployed() {
    let mut world = world(0);
    world.write("web.next", &Cert::new(2_002).key_pem());
    world.run_for(HOUR);
    world.remove("web.next");
    world.run_for(DAY * 9);
    assert!(world.publishes("web", &[&Cert::new(2_001), &Cert::new(2_002)]));
    world.write("web.pem", &Cert::new(2_002).pem());
    world.present("web", &[Cert::new(2_002)]);
    world.run_for(MINUTE * 36);
    assert!(world.publishes("web", &[&Cert::new(2_002)]));
    assert_eq!(world.mismatches, 0);
}

#[test]
fn the_certificate_of_a_next_key_that_was_replaced_already_meets_caches_that_know_it() {
    let mut world = world(0);
    world.write("web.next", &Cert::new(2_002).key_pem());
    world.run_for(DAY);
    // acme.sh: another next key before the order for the first one is complete.
    world.write("web.next", &Cert::new(2_003).key_pem());
    world.run_for(HOUR * 23);
    world.write("web.pem", &Cert::new(2_002).pem());
    world.present("web", &[Cert::new(2_002)]);
    world.run_for(DAY * 3);
    assert!(world.publishes("web", &[&Cert::new(2_002), &Cert::new(2_003)]));
    assert_eq!(world.mismatches, 0);
}

#[test]
fn a_lower_ttl_takes_effect_once_caches_have_forgotten_the_higher_one() {
    let mut world = world(0);
    world.reload(&CONFIG.replace("ttl: 1h", "ttl: 5m"));
    world.run_for(MINUTE);
    world.write("mail-rsa.next", &Cert::new(2).key_pem());
    // Two of the former TTLs.
    world.run_for(HOUR * 2);
    world.write("mail-rsa.pem", &Cert::new(2).pem());
    world.present("mail", &[Cert::new(2), Cert::new(1_001)]);
    // Two of the present ones, from when it is seen.
    world.run_for(MINUTE * 16);
    assert!(world.publishes("mail", &[&Cert::new(2), &Cert::new(1_001)]));
    assert_eq!(world.mismatches, 0);
}
