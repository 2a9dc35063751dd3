//! A disk that is full, power that goes, clocks that step.

use danelaw::dns::time::{DAY, HOUR, MINUTE, Seconds};

use crate::disk::{Fault, Survival};
use crate::world::{Cert, World, name, zone};

const CONFIG: &str = r#"
remotes:
  ns1: {address: "192.0.2.1:53"}
zones:
  example.test: {file: example.test.zone, secondaries: [ns1], propagation: secondaries}
services:
  mail:
    endpoints: ["mail.example.test:25"]
    certificate: mail.pem
    next: mail.next
    ttl: 1h
"#;

fn not_started() -> World {
    let mut world = World::new(CONFIG);
    world.write_zone("example.test", &zone(1, 3));
    world.write("mail.pem", &Cert::new(1).pem());
    world.present("mail", &[Cert::new(1)]);
    world
}

fn world() -> World {
    let mut world = not_started();
    world.start();
    world.run_for(DAY);
    world
}

/// The disk takes nothing from now on.
fn fill(world: &World) {
    world.disk.fail_at(world.disk.operations(), Fault::Refused);
}

/// The old certificate stays two TTLs from when the new one was published, and not much longer.
fn waits_from_publication(world: &World, ttl: Seconds, old: u32, new: u32, case: &str) {
    let (new, old) = (world.since(&Cert::new(new)), world.dropped(&Cert::new(old)));
    let old = old.unwrap_or_else(|| panic!("{case}: the old association is still there"));
    assert!(
        old >= new + ttl * 2 && old <= new + ttl * 2 + MINUTE * 15,
        "{case}: the new association came at {new}, and the old one went at {old}"
    );
}

#[test]
fn while_the_disk_is_full_the_old_version_goes_on_and_waits_count_from_the_new_one() {
    let mut world = world();
    let serial = world.serial("example.test");
    fill(&world);
    world.write("mail.pem", &Cert::new(2).pem());
    world.run_for(HOUR * 6);
    assert_eq!(world.serial("example.test"), serial);
    assert!(world.alarmed("cannot be stored"), "{:?}", world.alarms());
    world.disk.heal();
    world.allow_outage("mail", HOUR * 2 + MINUTE);
    world.run_for(MINUTE);
    assert_eq!(world.alarms(), [""; 0]);
    assert!(world.publishes("mail", &[&Cert::new(1), &Cert::new(2)]));
    world.present("mail", &[Cert::new(2)]);
    world.run_for(DAY);
    waits_from_publication(&world, HOUR, 1, 2, "after a full disk");
}

#[test]
fn power_that_goes_while_a_full_disk_is_well_again_shortens_no_wait() {
    for number in 0.. {
        let mut world = not_started();
        world.reload(&CONFIG.replace("ttl: 1h", "ttl: 10m"));
        world.start();
        world.run_for(HOUR);
        fill(&world);
        world.write("mail.pem", &Cert::new(2).pem());
        world.run_for(MINUTE * 30);
        world.disk.heal();
        let operation = world.disk.operations() + number;
        world.lose_power_at(operation, Fault::Refused);
        world.run_for(MINUTE);
        if world.is_up() {
            assert!(number > 10, "{number} operations are too few");
            break;
        }
        let survival = if number % 2 == 0 { Survival::All } else { Survival::None };
        world.crash_and_restart(survival, MINUTE);
        world.allow_outage("mail", MINUTE * 40);
        world.present("mail", &[Cert::new(2)]);
        world.run_for(HOUR * 2);
        waits_from_publication(&world, MINUTE * 10, 1, 2, &format!("crash at {number}"));
        assert!(world.publishes("mail", &[&Cert::new(2)]));
    }
}

#[test]
fn while_the_disk_is_full_a_change_that_concerns_no_zone_is_tried_again_now_and_then() {
    let mut world = world();
    world.write("mail.next", &Cert::new(2).pem());
    world.run_for(HOUR);
    fill(&world);
    world.remove("mail.next");
    world.run_for(HOUR);
    assert!(world.alarmed("cannot be stored"), "{:?}", world.alarms());
    world.disk.heal();
    world.run_for(MINUTE);
    assert_eq!(world.alarms(), [""; 0]);
}

#[test]
fn while_the_disk_is_full_for_days_no_signature_expires_that_can_be_made_anew() {
    let mut world = world();
    world.run_for(DAY * 4);
    let serial = world.serial("example.test");
    fill(&world);
    // Signatures are due, and no new ones can be stored.
    world.run_for(DAY * 3);
    assert_eq!(world.serial("example.test"), serial);
    assert!(world.alarmed("cannot be stored"));
    world.disk.heal();
    world.run_for(DAY * 20);
    assert_eq!(world.alarms(), [""; 0]);
}

#[test]
fn after_power_that_goes_at_any_write_the_old_or_the_new_version_is_served() {
    let mut number = 0;
    loop {
        let faults = [
            (Fault::Refused, Survival::None),
            (Fault::DoneButRefused, Survival::All),
            (Fault::Refused, Survival::Torn),
            (Fault::Refused, Survival::Some(number)),
        ];
        let (fault, survival) = faults[number as usize % faults.len()];
        let mut world = not_started();
        world.resolver_count = 0;
        world.thorough = false;
        world.write_zone("example.test", &zone(1, 0));
        world.lose_power_at(number, fault);
        let mut crashed = false;
        let mut go_on = |world: &mut World, span: Seconds| {
            let end = world.now + span;
            while world.now < end {
                if !world.is_up() {
                    crashed = true;
                    world.crash_and_restart(survival, MINUTE);
                }
                world.run_for(Seconds(span.0.div_ceil(18)));
            }
            crashed
        };
        world.start();
        go_on(&mut world, HOUR);
        world.write("mail.next", &Cert::new(2).key_pem());
        go_on(&mut world, HOUR * 3);
        world.write("mail.pem", &Cert::new(2).pem());
        world.present("mail", &[Cert::new(2)]);
        go_on(&mut world, HOUR * 3);
        // The file of the next key still holds what is live now.
        world.write("mail.next", &Cert::new(3).key_pem());
        go_on(&mut world, HOUR);
        world.write("mail.pem", &Cert::new(4).pem());
        world.present("mail", &[Cert::new(4)]);
        go_on(&mut world, HOUR * 3);
        world.edit_zone("example.test", &zone(2, 1));
        go_on(&mut world, HOUR);
        world.reload(&CONFIG.replace("ttl: 1h", "ttl: 30m"));
        if !go_on(&mut world, HOUR) {
            // Signatures are made anew.
            go_on(&mut world, DAY * 9);
        }
        let crashed = go_on(&mut world, MINUTE);
        assert_eq!(world.alarms(), [""; 0]);
        assert_eq!(world.keys_made, 1);
        let case = format!("{fault:?}, {survival:?} at {number}");
        waits_from_publication(&world, HOUR, 2, 4, &case);
        assert!(world.publishes("mail", &[&Cert::new(3), &Cert::new(4)]), "{case}");
        if !crashed {
            assert!(number > 100, "{number} operations are too few for all of this");
            return;
        }
        number += 1;
    }
}

#[test]
fn a_restart_makes_no_signature() {
    let mut world = world();
    let versions = world.versions_of("example.test");
    for _ in 0..5 {
        world.crash_and_restart(Survival::None, HOUR);
        world.run_for(HOUR);
    }
    assert_eq!(world.versions_of("example.test"), versions);
}

#[test]
fn a_version_that_was_durable_and_not_yet_published_reaches_the_secondaries_after_a_restart() {
    let mut last = None;
    // The last operation of the commit: all of it is on the disk, and nobody knows.
    for number in 0.. {
        let mut world = world();
        world.lose_power_at(world.disk.operations() + number, Fault::DoneButRefused);
        world.edit_zone("example.test", &zone(2, 4));
        if world.is_up() {
            break;
        }
        last = Some(world);
    }
    let mut world = last.unwrap();
    world.crash_and_restart(Survival::All, Seconds(10));
    world.run_for(MINUTE);
    let served = &world.secondaries[0].zones[&name("example.test")].0;
    assert_eq!(served.snapshot.serial(), world.serial("example.test"));
}

#[test]
fn a_clock_that_steps_back_a_day_shortens_no_wait_and_lets_nothing_expire() {
    let mut world = world();
    world.write("mail.pem", &Cert::new(2).pem());
    world.allow_outage("mail", HOUR * 3);
    world.present("mail", &[Cert::new(2)]);
    world.run_for(MINUTE);
    world.clock_ahead = -86_400;
    world.later(HOUR, |world| world.reread("example.test"));
    world.run_for(HOUR * 2);
    assert!(world.alarmed("the clock stepped back"), "{:?}", world.alarms());
    assert!(world.publishes("mail", &[&Cert::new(1), &Cert::new(2)]));
    // What changes meanwhile is published at once.
    world.write("mail.next", &Cert::new(3).pem());
    assert!(world.publishes("mail", &[&Cert::new(1), &Cert::new(2), &Cert::new(3)]));
    world.run_for(DAY * 30);
    assert_eq!(world.alarms(), [""; 0]);
    assert!(world.publishes("mail", &[&Cert::new(2), &Cert::new(3)]));
}

#[test]
fn what_a_clock_that_was_ahead_signed_is_signed_again_when_it_is_set_right() {
    for restart in [false, true] {
        let mut world = not_started();
        world.clock_ahead = 86_400 * 3;
        world.start();
        world.run_for(HOUR);
        world.write("mail.next", &Cert::new(2).pem());
        world.run_for(HOUR);
        assert!(!world.signatures_have_begun());
        world.clock_ahead = 0;
        if restart {
            world.crash_and_restart(Survival::All, Seconds(10));
        }
        world.reread("example.test");
        world.run_for(MINUTE);
        assert!(world.signatures_have_begun());
        assert!(world.publishes("mail", &[&Cert::new(1), &Cert::new(2)]));
        world.run_for(DAY * 30);
        assert_eq!(world.alarms(), [""; 0]);
    }
}

#[test]
fn while_the_clock_stands_after_a_step_back_a_full_disk_is_tried_again() {
    let mut world = world();
    world.clock_ahead = -90_000;
    fill(&world);
    world.write("mail.next", &Cert::new(2).pem());
    world.run_for(MINUTE);
    assert!(world.alarmed("cannot be stored"), "{:?}", world.alarms());
    world.disk.heal();
    world.run_for(MINUTE);
    assert!(world.publishes("mail", &[&Cert::new(1), &Cert::new(2)]));
}

#[test]
fn after_a_week_of_sleep_fresh_signatures_are_served_at_once() {
    for days in [7, 12] {
        let mut world = world();
        world.may_expire = true;
        world.suspend(DAY * days);
        world.run_for(MINUTE);
        world.may_expire = false;
        world.run_for(DAY * 30);
        assert_eq!(world.alarms(), [""; 0]);
    }
}

#[test]
fn a_sleep_before_a_change_is_served_shortens_no_wait() {
    let mut world = world();
    world.slow.insert(name("example.test"), MINUTE * 10);
    world.slow_always = true;
    world.write("mail.pem", &Cert::new(2).pem());
    world.allow_outage("mail", DAY);
    world.present("mail", &[Cert::new(2)]);
    world.suspend(HOUR * 5);
    world.run_for(DAY);
    // The next version takes ten minutes, too.
    waits_from_publication(&world, HOUR, 1, 2, "after a sleep");
}
