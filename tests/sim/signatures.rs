//! Signatures that are made anew in time, and keys that are not there.

use danelaw::dns::rtype::Rtype;
use danelaw::dns::time::{DAY, HOUR, MINUTE, Seconds};
use danelaw::dnssec::key::Role;
use danelaw::engine::KeyOrder;

use crate::disk::Survival;
use crate::world::{Cert, World, name, zone};

const CONFIG: &str = r#"
remotes:
  ns1: {address: "192.0.2.1:53"}
  ns2: {address: "192.0.2.2:53"}
policies:
  p: {keys: csk, denial: nsec}
zones:
  example.test: {file: example.test.zone, policy: p, secondaries: [ns1, ns2]}
services:
  mail: {endpoints: ["mail.example.test:25"], certificate: mail.pem}
"#;

fn world(hosts: u32) -> World {
    let mut world = World::new(CONFIG);
    world.write_zone("example.test", &zone(1, hosts));
    world.write("mail.pem", &Cert::new(1).pem());
    world.present("mail", &[Cert::new(1)]);
    world.start();
    // CDS comes when every cache knows the key.
    world.run_for(HOUR * 2);
    assert_eq!(world.alarms(), [""; 0]);
    world
}

/// PEERS.md, PowerDNS 12505, 11148, 9019: every re-signing is a new serial and a NOTIFY. Cascade 707, 399: no signature
/// expires.
#[test]
fn in_a_year_no_signature_expires_and_no_version_takes_more_than_its_share() {
    let mut world = World::new(CONFIG);
    world.resolver_count = 1;
    world.write_zone("example.test", &zone(1, 30));
    world.write("mail.pem", &Cert::new(1).pem());
    world.start();
    world.run_for(DAY * 365);
    let (first, later) = world.versions.split_first().unwrap();
    assert!(later.len() > 365 / 7, "{} versions in a year", later.len());
    for version in later {
        assert!(
            version.signatures <= first.signatures / 3,
            "at {} {} signatures of {} were made",
            version.at,
            version.signatures,
            first.signatures
        );
    }
    let told: Vec<_> = world.notified.iter().map(|(at, _, serial)| (*at, *serial)).collect();
    let made: Vec<_> = world.versions.iter().map(|version| (version.at, version.serial)).collect();
    assert_eq!(told, made);
    assert_eq!(world.alarms(), [""; 0]);
}

#[test]
fn a_secondary_that_is_cut_off_for_five_days_serves_no_expired_signature() {
    let mut world = world(10);
    for round in 0..14 {
        world.run_for(HOUR * (24 + round * 5));
        world.secondaries[0].cut_off = world.now + DAY * 5 - HOUR;
        let zone = name("example.test");
        world.run_for(Seconds(DAY.0 * 5 - HOUR.0 * 4 - 1));
        assert!(world.secondaries[0].serves(&zone, world.now).is_some());
        world.run_for(HOUR * 4);
        assert_eq!(world.secondaries[0].zones[&zone].0.snapshot.serial(), world.serial("example.test"));
    }
}

/// PEERS.md, BIND GL#2596: a private key that is missing for a moment is not replaced.
#[test]
fn a_missing_key_is_never_replaced_and_signing_goes_on_when_it_is_back() {
    let mut world = world(5);
    let zone = name("example.test");
    let serial = world.serial("example.test");
    world.keys.get_mut(&zone).unwrap()[0].missing = true;
    world.reread("example.test");
    assert!(world.alarmed("is missing; restore"), "{:?}", world.alarms());
    world.keys_unreadable = Some("mode is 0644, expected 0600".to_owned());
    world.reread("example.test");
    assert!(world.alarmed("mode is 0644"), "{:?}", world.alarms());
    world.keys_unreadable = None;
    world.reread("example.test");
    world.write("mail.pem", &Cert::new(2).pem());
    // Nothing wakes the engine but its own wish.
    for secondary in &mut world.secondaries {
        secondary.cut_off = world.now + DAY * 10;
    }
    // Signatures are due from day 6 on, and the first expires after day 13.
    world.run_for(DAY * 9);
    assert!(!world.alarmed("a served signature expires"));
    world.run_for(HOUR * 20);
    assert!(world.alarmed("a served signature expires"), "{:?}", world.alarms());
    assert_eq!(world.serial("example.test"), serial);
    world.keys.get_mut(&zone).unwrap()[0].missing = false;
    world.reread("example.test");
    assert_eq!(world.alarms(), [""; 0]);
    assert!(world.publishes("mail", &[&Cert::new(1), &Cert::new(2)]));
    world.allow_outage("mail", HOUR * 6);
    world.present("mail", &[Cert::new(2)]);
    world.run_for(DAY * 30);
    assert_eq!(world.keys_made, 1);
}

#[test]
fn a_key_that_is_missing_at_a_restart_keeps_the_zone_served() {
    let mut world = world(5);
    let zone = name("example.test");
    let serial = world.serial("example.test");
    world.crash(Survival::None);
    let key = world.keys.get_mut(&zone).unwrap().pop().unwrap();
    world.start();
    assert_eq!(world.serial("example.test"), serial);
    assert!(world.alarmed("is missing; restore"));
    world.run_for(DAY * 3);
    world.keys.get_mut(&zone).unwrap().push(key);
    world.reread("example.test");
    assert_eq!(world.alarms(), [""; 0]);
    assert_eq!(world.serial("example.test"), serial);
    world.run_for(DAY * 10);
    assert_eq!(world.keys_made, 1);
}

/// What is published at the apex of the zone.
fn dnskeys(world: &World) -> Vec<Vec<u8>> {
    let apex = world.primary[&name("example.test")].snapshot.apex().unwrap();
    apex.rrset(Rtype::DNSKEY).map_or_else(Vec::new, |rrset| rrset.rdatas().map(<[u8]>::to_vec).collect())
}

const PAIR: &str = r#"
remotes:
  ns1: {address: "192.0.2.1:53"}
  ns2: {address: "192.0.2.2:53"}
policies:
  p: {keys: ksk+zsk}
zones:
  other.test: {file: other.test.zone, policy: unsigned}
  example.test: {file: example.test.zone, policy: p, secondaries: [ns1, ns2]}
services: {}
"#;

fn without_zone(config: &str) -> String {
    config.lines().filter(|line| !line.contains("  example.test:")).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_key_whose_life_is_over_stays_over_when_its_zone_is_taken_out_and_put_back() {
    let mut world = World::new(PAIR);
    world.write_zone("example.test", &zone(1, 5));
    world.write_zone("other.test", &zone(1, 5));
    world.start();
    world.run_for(DAY * 3);
    let before = dnskeys(&world);
    world.order_key("example.test", KeyOrder::Roll { entry_point: false });
    world.run_for(DAY * 30);
    let after = dnskeys(&world);
    assert_eq!((before.len(), after.len()), (2, 2));
    assert_ne!(before, after);
    world.reload(&without_zone(PAIR));
    world.run_for(DAY);
    assert_eq!(world.keys[&name("example.test")].len(), 3, "its file is still there");
    world.reload(PAIR);
    world.run_for(DAY);
    assert_eq!(dnskeys(&world), after);
    assert_eq!(world.alarms(), [""; 0]);
}

#[test]
fn a_zone_that_is_put_back_when_all_of_its_keys_are_over_gets_no_key_by_itself() {
    let mut world = World::new(PAIR);
    world.write_zone("example.test", &zone(1, 5));
    world.write_zone("other.test", &zone(1, 5));
    world.start();
    world.run_for(DAY * 3);
    let unsigned = PAIR.replace("policy: p", "policy: unsigned");
    world.reload(&unsigned);
    world.run_for(DAY * 3);
    assert!(dnskeys(&world).is_empty());
    world.reload(&without_zone(PAIR));
    world.run_for(DAY);
    world.reload(PAIR);
    world.run_for(DAY);
    assert!(world.alarmed("is over"), "{:?}", world.alarms());
    assert!(!world.primary.contains_key(&name("example.test")), "nothing unsigned is served instead");
    // A person says that it may have new ones.
    world.add_key("example.test", Role::Ksk);
    world.add_key("example.test", Role::Zsk);
    world.reread("example.test");
    world.run_for(DAY);
    assert_eq!(dnskeys(&world).len(), 2);
    assert_eq!(world.alarms(), [""; 0]);
}

#[test]
fn a_policy_that_wants_another_key_gets_it_and_no_cache_meets_a_signature_by_a_key_that_it_does_not_know() {
    let mut world = world(5);
    world.reload(&CONFIG.replace("csk", "ksk+zsk"));
    world.run_for(DAY);
    assert_eq!(world.alarms(), [""; 0]);
    assert_eq!((world.keys_made, world.primary[&name("example.test")].signers.len()), (2, 2));
    world.run_for(DAY * 20);
    world.reload(CONFIG);
    world.run_for(DAY * 20);
    assert_eq!((world.keys_made, world.primary[&name("example.test")].signers.len()), (2, 1));
    assert_eq!(world.alarms(), [""; 0]);
}

#[test]
fn a_combined_key_becomes_a_pair_without_a_key_that_caches_do_not_know() {
    let mut world = world(5);
    world.add_key("example.test", Role::Zsk);
    world.reread("example.test");
    // The DNSKEY RRset with both has to reach the secondaries and then every cache.
    world.run_for(HOUR + MINUTE);
    world.reload(&CONFIG.replace("csk", "ksk+zsk"));
    world.run_for(DAY);
    let served = &world.primary[&name("example.test")];
    assert_eq!(served.signers.len(), 2);
    world.run_for(DAY * 20);
    world.reload(CONFIG);
    world.run_for(DAY * 20);
    assert_eq!(world.alarms(), [""; 0]);
}

/// PEERS.md, BIND GL#5527: NSEC3 becomes NSEC when somebody asks for it, and then as a whole.
#[test]
fn each_way_of_denial_can_follow_each_other() {
    let mut world = world(5);
    let ways = ["nsec3", "nsec3-opt-out", "nsec", "nsec3-opt-out", "nsec3", "nsec"];
    for (index, way) in ways.iter().enumerate() {
        let before = world.versions_of("example.test");
        world.reload(&CONFIG.replace("denial: nsec", &format!("denial: {way}")));
        assert_eq!(world.versions_of("example.test"), before + 1, "{way}");
        world.edit_zone("example.test", &zone(2, 6 + index as u32));
        world.run_for(DAY * 15);
    }
    assert_eq!(world.alarms(), [""; 0]);
}
