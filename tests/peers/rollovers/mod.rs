//! Rollovers with TTLs of seconds: BIND has the zone above and a scanner does there what CDS says, another BIND is the
//! zone's secondary, and unbound is asked all the time and vouches for every answer.
//!
//! [`parent`] is the zone above, [`world`] everything together; the tests of what is handed to the parent, and what it
//! does with that, are in [`handover`]; [`signals`] is about zones that have no DS yet, [`ahead`] about a key-signing key
//! that is elsewhere.

mod ahead;
mod handover;
mod parent;
mod signals;
mod world;

use std::fs;

use super::dig;
use super::ds;
use super::secondary::ZONE;
use super::wait::{until, until_within};
use world::World;

const KSK_ZSK: &str = "{keys: ksk+zsk, dnskey-ttl: 3s}";
const CSK: &str = "{keys: csk, dnskey-ttl: 3s}";

#[test]
fn a_zsk_is_rolled() {
    let world = World::secure(KSK_ZSK);
    let (zsk, ksk) = (world.tags(false)[0], world.tags(true));
    world.roll("zsk");
    world.until_replaced(false, zsk);
    assert_eq!(world.tags(true), ksk);
    assert_eq!(world.parent.tags(), ksk);
    world.end();
}

#[test]
fn a_key_that_came_into_other_hands_stays_gone_when_the_state_is_lost() {
    let mut world = World::secure(KSK_ZSK);
    let zsk = world.tags(false)[0];
    world.may_be_bogus();
    let said = world.danelaw.cli(&["key", "roll", ZONE, "--compromised", &zsk.to_string(), "--yes"]);
    assert!(said.status.success(), "{said:?}");
    world.until_replaced(false, zsk);
    let mut keys = dig::answer(world.danelaw.port(), ZONE, "DNSKEY");
    let path = world.danelaw.path(&format!("keys/Kexample.test.+013+{zsk:05}.private"));
    until("its file says so", || fs::read_to_string(&path).unwrap().contains("\nDelete: ").then_some(()));
    world.danelaw.stop();
    fs::remove_dir_all(world.danelaw.path("state")).unwrap();
    world.danelaw.restart();
    let mut found = dig::answer(world.danelaw.port(), ZONE, "DNSKEY");
    keys.sort();
    found.sort();
    assert_eq!(found, keys, "without {zsk}");
    world.end();
}

#[test]
fn a_ksk_is_rolled() {
    let world = World::secure(KSK_ZSK);
    let (zsk, ksk) = (world.tags(false), world.tags(true)[0]);
    world.roll("ksk");
    let refused = world.danelaw.cli(&["key", "roll", ZONE, "--role", "ksk"]);
    assert_eq!(refused.status.code(), Some(1), "one at a time: {refused:?}");
    world.until_replaced(true, ksk);
    assert_eq!(world.tags(false), zsk);
    world.end();
}

#[test]
fn a_ksk_is_rolled_while_the_parent_names_both() {
    let mut world = World::secure(KSK_ZSK);
    world.set_policy("{keys: ksk+zsk, dnskey-ttl: 3s, ksk-rollover: double-ds}");
    let ksk = world.tags(true)[0];
    world.roll("ksk");
    until_within(world::ROLLOVER, "the parent names two keys, one of them published", || {
        let named = world.parent.tags();
        (named.len() == 2 && named.contains(&ksk)).then_some(())
    });
    until_within(world::ROLLOVER, "the old KSK is gone", || {
        let keys = dig::rdata(world.secondary.port(), ZONE, "DNSKEY");
        let ksks = keys.iter().filter(|key| key.starts_with("257 ")).count();
        assert_eq!(ksks, 1, "never two KSKs in the zone: {keys:?}");
        (!world.tags(true).contains(&ksk)).then_some(())
    });
    world.until_replaced(true, ksk);
    world.end();
}

#[test]
fn one_key_takes_the_place_of_two_and_is_rolled() {
    let mut world = World::secure(KSK_ZSK);
    let ksk = world.tags(true)[0];
    world.set_policy(CSK);
    until_within(world::ROLLOVER, "the ZSK is gone", || world.tags(false).is_empty().then_some(()));
    world.until_settled();
    assert_eq!(world.tags(true), [ksk], "it signs everything now");
    world.roll("csk");
    world.until_replaced(true, ksk);
    world.end();
}

#[test]
fn the_algorithm_is_changed() {
    let mut world = World::secure(KSK_ZSK);
    let (zsk, ksk) = (world.tags(false)[0], world.tags(true)[0]);
    world.set_policy("{keys: ksk+zsk, dnskey-ttl: 3s, algorithm: ed25519}");
    world.until_replaced(true, ksk);
    world.until_replaced(false, zsk);
    let keys = dig::rdata(world.secondary.port(), ZONE, "DNSKEY");
    assert!(keys.len() == 2 && keys.iter().all(|key| key.split(' ').nth(2) == Some("15")), "{keys:?}");
    let zone = world.secondary.zone();
    assert!(
        !zone.iter().any(|line| line.split_whitespace().nth(5) == Some("13")),
        "no signature of the old one"
    );
    world.end();
}

#[test]
fn absence_is_proven_in_another_way() {
    let mut world = World::secure(CSK);
    for (policy, denial) in [("{keys: csk, dnskey-ttl: 3s, denial: nsec3}", "nsec3"), (CSK, "nsec")] {
        world.set_policy(policy);
        until("the zone is signed that way", || (world.status()["denial"] == denial).then_some(()));
        let mut asked =
            || (dig::serial(world.secondary.port(), ZONE) == world.danelaw.serial()).then_some(());
        until("the secondary has it", &mut asked);
        // Long enough for the last of what was cached before.
        world.until_asked(100);
    }
    world.end();
}

#[test]
fn a_zone_becomes_unsigned_and_signed_again() {
    // The keys are known for longer than the DS records that led to them.
    let mut world = World::secure("{keys: csk, dnskey-ttl: 10s}");
    let key = world.tags(true)[0];
    world.may_be_insecure();
    world.set_policy("{keys: none, dnskey-ttl: 10s}");
    until_within(world::ROLLOVER, "the zone is unsigned at the secondary", || {
        dig::answer(world.secondary.port(), ZONE, "DNSKEY").is_empty().then_some(())
    });
    assert!(world.parent.tags().is_empty(), "the parent named no key before");
    until("it is insecure, and answered", || (!world.is_secure()).then_some(()));
    world.until_asked(200);
    world.danelaw.until_well();
    assert!(ds::named(&world.danelaw, &[]).0.is_empty(), "its key would make it bogus");

    world.set_policy(CSK);
    world.until_secure();
    assert_eq!(world.parent.tags(), world.tags(true));
    assert_ne!(world.tags(true), [key], "the old key is not taken up again");
    world.until_asked(20);
    world.end();
}
