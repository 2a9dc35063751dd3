//! Dynamic updates, where disks fail, power goes and secondaries lag.

use std::sync::Arc;

use danelaw::dns::message::Rcode;
use danelaw::dns::rtype::Rtype;
use danelaw::dns::time::{DAY, HOUR, MINUTE, Seconds};
use danelaw::engine::Input;
use danelaw::zone::update::Update;

use crate::disk::{Fault, Survival};
use crate::world::{Cert, World, name, zone};

const CONFIG: &str = r#"
tsig:
  all: {secret: "YSBzZWNyZXQgb2YgdGhpcnR5LXR3byBvY3RldHMgISE="}
remotes:
  ns1: {address: "192.0.2.1:53"}
zones:
  example.test: {file: example.test.zone, secondaries: [ns1], allow-update: {tsig: all}}
services:
  mail:
    endpoints: ["mail.example.test:25"]
    certificate: mail.pem
    ttl: 1h
"#;

fn world() -> World {
    let mut world = World::new(CONFIG);
    world.write_zone("example.test", &zone(1, 3));
    world.write("mail.pem", &Cert::new(1).pem());
    world.present("mail", &[Cert::new(1)]);
    world.start();
    world.run_for(MINUTE);
    world
}

/// The update that adds a host with this address, or takes it out if there is none.
fn host(host: &str, address: Option<u8>) -> Update {
    let mut message = vec![0, 7, 5 << 3, 0, 0, 1, 0, 0, 0, 1, 0, 0];
    let origin = name("example.test");
    message.extend([origin.as_ref().wire(), &[0, 6, 0, 1]].concat());
    message.extend(name(&format!("{host}.example.test")).as_ref().wire());
    match address {
        Some(address) => message.extend([0, 1, 0, 1, 0, 0, 1, 44, 0, 4, 192, 0, 2, address]),
        None => message.extend([0, 1, 0, 255, 0, 0, 0, 0, 0, 0]),
    }
    Update::read(&message, origin.as_ref()).unwrap()
}

/// Asks for an update; what is said of it comes to be in `world.answered`.
fn ask(world: &mut World, id: u64, update: Update) {
    world.tell(Input::Update { zone: name("example.test"), id, update: Arc::new(update) });
}

fn said(world: &World, id: u64) -> Option<Rcode> {
    world.answered.iter().find(|(_, of, _)| *of == id).map(|(.., rcode)| *rcode)
}

/// The address of a host, as it is served.
fn address(world: &World, host: &str) -> Option<u8> {
    let owner = name(&format!("{host}.example.test"));
    let (_, rdatas) = world.primary[&name("example.test")].rrset(&owner, Rtype::A)?;
    rdatas[0].last().copied()
}

#[test]
fn an_update_is_served_when_it_is_answered_and_outlives_power_that_goes_at_once() {
    let mut world = world();
    ask(&mut world, 1, host("new", Some(7)));
    assert_eq!((said(&world, 1), address(&world, "new")), (Some(Rcode::NOERROR), Some(7)));
    world.crash_and_restart(Survival::None, MINUTE);
    assert_eq!(address(&world, "new"), Some(7));
    // What updates have made of the zone is there, too, not only the zone.
    world.edit_zone("example.test", &zone(2, 4));
    assert_eq!((address(&world, "new"), address(&world, "host3")), (Some(7), Some(3)));
    world.run_for(DAY * 20);
    assert_eq!(address(&world, "new"), Some(7));
}

#[test]
fn updates_that_wait_for_a_version_become_the_next_one_together() {
    let mut world = world();
    world.slow.insert(name("example.test"), Seconds(30));
    world.slow_always = true;
    let before = world.versions_of("example.test");
    for id in 1..=20 {
        ask(&mut world, id, host(&format!("new{id}"), Some(id as u8)));
    }
    world.run_for(MINUTE * 3);
    assert!((1..=20).all(|id| said(&world, id) == Some(Rcode::NOERROR)));
    assert!((1..=20).all(|id| address(&world, &format!("new{id}")) == Some(id as u8)));
    assert_eq!(world.versions_of("example.test"), before + 2, "the first one, and all that came meanwhile");
}

#[test]
fn what_cannot_be_stored_is_servfail_and_comes_to_nothing() {
    for fault in [Fault::Refused, Fault::DoneButRefused, Fault::Forgotten] {
        // From the first operation of the commit to the last: all of it is on the disk then, and nobody knows.
        for number in 0.. {
            let mut world = world();
            let serial = world.serial("example.test");
            world.disk.fail_at(world.disk.operations() + number, fault);
            ask(&mut world, 1, host("new", Some(7)));
            if said(&world, 1) == Some(Rcode::NOERROR) {
                assert!(number > 10, "{number} operations are too few");
                break;
            }
            world.run_for(MINUTE);
            assert_eq!(said(&world, 1), Some(Rcode::SERVFAIL));
            assert!(world.alarmed("cannot be stored"), "{:?}", world.alarms());
            world.disk.heal();
            world.run_for(HOUR);
            assert_eq!((address(&world, "new"), world.serial("example.test")), (None, serial));
            assert_eq!(world.alarms(), [""; 0]);
            world.crash_and_restart(Survival::None, MINUTE);
            world.edit_zone("example.test", &zone(2, 3));
            assert_eq!(address(&world, "new"), None, "{fault:?}");
            ask(&mut world, 2, host("new", Some(8)));
            assert_eq!((said(&world, 2), address(&world, "new")), (Some(Rcode::NOERROR), Some(8)));
            world.edit_zone("example.test", &zone(3, 4));
            assert_eq!(address(&world, "new"), Some(8));
        }
    }
}

#[test]
fn a_certificate_that_changes_with_an_update_that_cannot_be_stored_is_served_as_soon_as_it_can() {
    let mut world = world();
    world.slow.insert(name("example.test"), Seconds(30));
    world.slow_always = true;
    ask(&mut world, 1, host("first", Some(1)));
    ask(&mut world, 2, host("new", Some(7)));
    world.allow_outage("mail", HOUR * 3);
    world.write("mail.pem", &Cert::new(2).pem());
    world.run_for(Seconds(31));
    assert_eq!(said(&world, 1), Some(Rcode::NOERROR));
    world.disk.fail_at(world.disk.operations(), Fault::Refused);
    world.run_for(MINUTE);
    assert_eq!(said(&world, 2), Some(Rcode::SERVFAIL));
    world.disk.heal();
    world.run_for(MINUTE * 5);
    assert!(world.publishes("mail", &[&Cert::new(1), &Cert::new(2)]));
    assert_eq!(address(&world, "new"), None);
}

#[test]
fn whenever_the_power_goes_what_was_answered_is_true() {
    for fault in [Fault::Refused, Fault::DoneButRefused, Fault::Forgotten] {
        let mut undone = 0;
        for number in 0.. {
            let mut world = world();
            let operation = world.disk.operations() + number;
            world.lose_power_at(operation, fault);
            ask(&mut world, 1, host("first", Some(1)));
            if world.is_up() {
                ask(&mut world, 2, host("second", Some(2)));
            }
            if world.is_up() {
                ask(&mut world, 3, host("first", None));
            }
            if world.is_up() {
                assert!(number > 20, "{number} operations are too few");
                break;
            }
            let survival = [Survival::None, Survival::All, Survival::Torn, Survival::Some(number)];
            world.crash_and_restart(survival[number as usize % 4], MINUTE);
            let there = [address(&world, "first").is_some(), address(&world, "second").is_some()];
            let done = [1, 2, 3].map(|id| said(&world, id) == Some(Rcode::NOERROR));
            assert!(!done[0] || there[0] || done[1], "{number}: the first is lost");
            assert!(!done[1] || there[1], "{number}: the second is lost");
            undone += usize::from(!there[0] && !there[1]);
            // The file is read again: what updates have made of the zone agrees with the zone.
            world.edit_zone("example.test", &zone(2, 3));
            let after = [address(&world, "first").is_some(), address(&world, "second").is_some()];
            assert_eq!(there, after, "{number}");
        }
        assert!(undone > 0);
    }
}

#[test]
fn a_secondary_that_was_away_for_many_versions_and_a_restart_is_sent_what_has_changed() {
    let mut world = world();
    world.secondaries[0].cut_off = world.now + HOUR;
    for id in 1..=30 {
        ask(&mut world, id, host(&format!("host{}", id % 7), Some(id as u8)));
        world.run_for(MINUTE);
        if id == 20 {
            world.crash_and_restart(Survival::None, MINUTE);
        }
    }
    assert_eq!(world.incremental, 0);
    world.run_for(HOUR * 5);
    assert!(world.incremental > 0);
}
