//! The key-signing key is elsewhere, and has signed ahead for some keys and no others.

use std::fs;

use serde_json::Value;

use super::super::danelaw::Danelaw;
use super::super::dig;
use super::super::offline::{batch, keys, private_keys, succeeds};
use super::super::program::{free_port, text};
use super::super::secondary::ZONE;
use super::super::wait::until;
use super::KSK_ZSK;
use super::parent::Parent;
use super::world::World;

/// The key-signing key is in a vault and has signed ahead; the parent names it.
fn signed_ahead() -> World {
    let parent = Parent::start(free_port(), "");
    let parent_line = format!("parent: \"127.0.0.1:{}\"", parent.port);
    let danelaw = Danelaw::new().policy(KSK_ZSK).zone_line(&parent_line).configured_only();
    keys(&danelaw);
    let mut world = World::around(parent, danelaw, free_port());
    world.listen();
    world.until_secure();
    world
}

#[test]
fn a_zsk_is_rolled_while_the_ksk_is_elsewhere_to_one_that_it_has_signed_for_and_to_no_other() {
    let world = signed_ahead();
    let (zsk, ksk) = (world.tags(false)[0], world.tags(true));
    assert_eq!(world.parent.tags(), ksk, "by CDS that was signed ahead");

    let refused = |arguments: &[&str]| {
        let said = world.danelaw.cli(&[&["key", "roll", ZONE][..], arguments].concat());
        assert!(!said.status.success() && text(&said).contains("no successor"), "{}", text(&said));
    };
    refused(&["--role", "zsk"]);
    refused(&["--role", "ksk"]);
    refused(&["--compromised", &zsk.to_string(), "--yes"]);
    assert_eq!(private_keys(&world.danelaw), 1, "none was made");

    // A key that nothing was signed for holds nothing up.
    succeeds(&world.danelaw, &["key", "generate", ZONE, "--role", "zsk"]);
    let before = world.danelaw.serial().unwrap();
    world.add("added A 192.0.2.99");
    until("the change is served", || world.danelaw.serial().filter(|now| *now > before));
    refused(&["--role", "zsk"]);
    assert_eq!(world.tags(false), [zsk]);
    assert_eq!(dig::answer(world.danelaw.port(), ZONE, "DNSKEY").len(), 2);

    batch(&world.danelaw, 0, 90);
    world.danelaw.reload();
    until("it joins", || (world.tags(false).len() == 2).then_some(()));
    world.roll("zsk");
    world.until_replaced(false, zsk);
    assert_eq!(world.tags(true), ksk);
    world.danelaw.until_well();

    // What is over is not asked for again, and its files may stay.
    until("its file says so", || {
        let listed = succeeds(&world.danelaw, &["key", "list", ZONE]);
        listed
            .lines()
            .any(|line| line.contains(&format!("tag {zsk} ")) && line.contains("  delete 2"))
            .then_some(())
    });
    batch(&world.danelaw, 0, 120);
    let request = fs::read_to_string(world.danelaw.path("request")).unwrap();
    let request: Value = serde_json::from_str(&request).unwrap();
    assert_eq!(request["zsks"].as_array().unwrap().len(), 1, "{request}");
    world.danelaw.reload();
    world.danelaw.until_well();
    world.end();
}

#[test]
fn a_ksk_that_is_elsewhere_is_rolled_to_another_one_there_that_has_signed_ahead_beside_it() {
    let world = signed_ahead();
    let ksk = world.tags(true)[0];
    let vault = world.danelaw.path("vault");
    succeeds(&world.danelaw, &["key", "generate", ZONE, "--role", "ksk", "--keys", vault.to_str().unwrap()]);
    batch(&world.danelaw, 0, 90);
    world.danelaw.reload();
    until("it joins", || (world.tags(true).len() == 2).then_some(()));
    world.until_settled();
    world.roll("ksk");
    world.until_replaced(true, ksk);
    assert_eq!(private_keys(&world.danelaw), 1, "the zone-signing key's alone");
    world.danelaw.until_well();
    world.end();
}

#[test]
fn the_algorithm_is_changed_while_the_ksk_is_elsewhere() {
    let mut world = signed_ahead();
    let (zsk, ksk) = (world.tags(false)[0], world.tags(true)[0]);
    world.set_policy("{keys: ksk+zsk, dnskey-ttl: 3s, algorithm: ed25519}");
    world.danelaw.until_alarmed(&["algorithm"]);
    assert_eq!(
        (world.tags(false), world.tags(true)),
        (vec![zsk], vec![ksk]),
        "nothing goes before its successor is there"
    );

    let vault = world.danelaw.path("vault");
    succeeds(&world.danelaw, &["key", "generate", ZONE, "--role", "zsk", "--algorithm", "15"]);
    let vault = vault.to_str().unwrap();
    succeeds(
        &world.danelaw,
        &["key", "generate", ZONE, "--role", "ksk", "--algorithm", "15", "--keys", vault],
    );
    batch(&world.danelaw, 0, 90);
    world.danelaw.reload();
    world.until_replaced(true, ksk);
    world.until_replaced(false, zsk);
    let keys = dig::rdata(world.secondary.port(), ZONE, "DNSKEY");
    assert!(keys.len() == 2 && keys.iter().all(|key| key.split(' ').nth(2) == Some("15")), "{keys:?}");
    world.danelaw.until_well();
    world.end();
}
