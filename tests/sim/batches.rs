//! A key-signing key that is elsewhere, and has signed ahead.

use std::sync::Arc;

use danelaw::dns::rtype::Rtype;
use danelaw::dns::time::{DAY, HOUR, Seconds, Timestamp, Ttl};
use danelaw::dnssec::batch::{Batch, Request};
use danelaw::dnssec::key::{Algorithm, Role, SigningKey};
use danelaw::dnssec::keyset::Timing;
use ring::rand::SystemRandom;

use crate::world::{KeyFile, World, name};

const ZONE: &str = "example.test";
const WEEK: Seconds = Seconds(7 * DAY.0);

fn config(policy: &str, refresh: &str) -> String {
    format!(
        r#"
remotes:
  ns1: {{address: "192.0.2.1:53"}}
  ns2: {{address: "192.0.2.2:53"}}
policies:
  p: {{keys: ksk+zsk, dnskey-ttl: 1h, signatures: {{validity: 30d, refresh: {refresh}, jitter: 3h}}}}
zones:
  {ZONE}: {{file: example.test.zone, policy: {policy}, secondaries: [ns1, ns2]}}
services: {{}}
"#
    )
}

fn zone(serial: u32) -> String {
    format!(
        "$TTL 1h\n@ SOA ns1 hostmaster {serial} 4h 15m 5d 1h\n@ NS ns1\n@ NS ns2\nns1 A 192.0.2.1\n\
         ns2 A 192.0.2.2\nwww A 192.0.2.{serial}\n"
    )
}

fn key(role: Role) -> Arc<SigningKey> {
    let made = SigningKey::generate(&name(ZONE), role, Algorithm::EcdsaP256Sha256, &[], &SystemRandom::new());
    Arc::new(made.unwrap().0)
}

/// What is signed for these days from now on.
fn batch(now: Timestamp, days: u64, refresh: Seconds, zsk: &SigningKey, ksk: &SigningKey) -> Batch {
    let span = [now, now + DAY * days];
    let request = Request::new(&name(ZONE), Ttl(3_600), &[zsk.public()], span, WEEK, refresh).unwrap();
    request.sign(&[ksk], &SystemRandom::new()).unwrap()
}

/// The files of both keys as they are where danelaw is.
fn files(zsk: &Arc<SigningKey>, ksk: &SigningKey, batch: &Batch) -> Vec<KeyFile> {
    let keeper = Arc::new(batch.keeper(ksk.public()).unwrap());
    let ksk = Arc::new(SigningKey::kept_elsewhere(name(ZONE), ksk.public().clone(), keeper));
    let file = |key| KeyFile { key, timing: Timing::default(), missing: false };
    vec![file(Arc::clone(zsk)), file(ksk)]
}

fn serves(world: &World, rtype: Rtype) -> bool {
    world.primary[&name(ZONE)].snapshot.apex().unwrap().has(rtype)
}

#[test]
fn a_batch_that_was_made_for_another_refresh_is_told_of_and_the_engine_comes_to_rest() {
    let mut world = World::new(&config("p", "7d"));
    let (zsk, ksk) = (key(Role::Zsk), key(Role::Ksk));
    let before = batch(world.now, 90, WEEK, &zsk, &ksk);
    world.keys.insert(name(ZONE), files(&zsk, &ksk, &before));
    world.write_zone(ZONE, &zone(1));
    world.start();
    world.run_for(DAY * 10);
    assert_eq!(world.alarms(), [""; 0]);

    world.reload(&config("p", "14d"));
    world.run_for(HOUR);
    assert!(world.alarmed("made for another `signatures.refresh`"), "{:?}", world.alarms());
    let versions = world.versions.len();
    world.run_for(DAY);
    assert_eq!(world.versions.len(), versions, "nothing to publish");
    let serial = world.serial(ZONE);
    world.edit_zone(ZONE, &zone(2));
    assert!(world.serial(ZONE) > serial, "a change waits for nothing");
    // Spans and the other key's signatures go by.
    world.run_for(DAY * 30);
    assert!(world.alarmed("made for another `signatures.refresh`"), "{:?}", world.alarms());

    let next = batch(world.now, 90, WEEK + WEEK, &zsk, &ksk).after(&before, world.now);
    world.keys.insert(name(ZONE), files(&zsk, &ksk, &next));
    world.reread(ZONE);
    world.run_for(DAY * 20);
    assert_eq!(world.alarms(), [""; 0]);
}

#[test]
fn a_zone_whose_batch_has_no_request_to_delete_its_ds_is_unsigned_once_a_person_has_had_it_removed() {
    let mut world = World::new(&config("p", "7d"));
    let (zsk, ksk) = (key(Role::Zsk), key(Role::Ksk));
    let batch = batch(world.now, 200, WEEK, &zsk, &ksk);
    world.keys.insert(name(ZONE), files(&zsk, &ksk, &batch));
    world.write_zone(ZONE, &zone(1));
    world.have_parent(ZONE);
    world.start();
    world.run_for(DAY * 40);
    let has_ds = |world: &World| world.parents[&name(ZONE)].iter().all(|at| !at.rdatas.is_empty());
    assert!(has_ds(&world), "the parent goes by CDS");

    world.reload(&config("unsigned", "7d"));
    world.run_for(DAY * 20);
    assert!(world.alarmed("CDS cannot say so"), "{:?}", world.alarms());
    assert!(has_ds(&world) && serves(&world, Rtype::DNSKEY) && !serves(&world, Rtype::CDS));
    let serial = world.serial(ZONE);
    world.edit_zone(ZONE, &zone(2));
    assert!(world.serial(ZONE) > serial, "it is signed as before");

    world.remove_ds(ZONE);
    world.run_for(DAY * 20);
    assert!(!serves(&world, Rtype::DNSKEY), "{:?}", world.alarms());
    assert_eq!(world.alarms(), [""; 0]);
}
