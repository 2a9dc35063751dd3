//! Zone files that are edited, well and badly.

use danelaw::dns::time::{DAY, HOUR, MINUTE};
use danelaw::engine::{Input, Level};
use danelaw::zone::Serial;

use crate::world::{World, name, zone};

const CONFIG: &str = r#"
remotes:
  ns1: {address: "192.0.2.1:53"}
zones:
  example.test: {file: example.test.zone, secondaries: [ns1]}
"#;

fn world() -> World {
    let mut world = World::new(CONFIG);
    world.write_zone("example.test", &zone(10, 3));
    world.start();
    world.run_for(HOUR);
    world
}

#[test]
fn a_broken_file_keeps_what_is_served_until_it_is_mended() {
    let mut world = world();
    let serial = world.serial("example.test");
    world.edit_zone("example.test", &(zone(11, 3) + "www 1x A 192.0.2.80\n"));
    assert!(world.alarmed("zone:13:5"), "{:?}", world.alarms());
    // Signatures are made anew all the same.
    world.run_for(DAY * 20);
    assert!(world.serial("example.test") > serial);
    world.edit_zone("example.test", &(zone(11, 3) + "www A 192.0.2.80\n"));
    assert_eq!(world.alarms(), [""; 0]);
    let www = name("www.example.test");
    assert!(world.primary[&name("example.test")].snapshot.nodes.get(www.as_ref()).is_some());
}

#[test]
fn a_zone_whose_first_file_is_broken_is_served_once_it_is_mended() {
    let mut world = World::new(CONFIG);
    world.write_zone("example.test", "@ 1h A 192.0.2.1\n");
    world.start();
    world.run_for(HOUR);
    assert!(world.primary.is_empty());
    assert!(world.alarmed("SOA"), "{:?}", world.alarms());
    world.edit_zone("example.test", &zone(1, 3));
    world.run_for(MINUTE);
    assert_eq!(world.alarms(), [""; 0]);
    assert_eq!(world.keys_made, 1);
}

/// PEERS.md, Knot #509: a serial that is lower than before is told of.
#[test]
fn a_serial_that_goes_backwards_in_the_file_is_published_with_a_warning() {
    let mut world = world();
    let serial = world.serial("example.test");
    world.edit_zone("example.test", &zone(9, 4));
    assert!(world.serial("example.test") > serial);
    assert_eq!(world.alarms(), [""; 0], "the operator may have meant it");
    assert_eq!(world.warnings("example.test").len(), 1, "{:?}", world.warnings("example.test"));
    assert!(world.warnings("example.test")[0].contains("went backwards, from 10 to 9"));
    assert!(world.log.iter().any(|(_, level, line)| *level == Level::Warning && line.contains("backwards")));
    world.edit_zone("example.test", &zone(11, 4));
    assert_eq!(world.warnings("example.test"), [""; 0]);
}

/// PEERS.md, acme.sh #4137, PowerDNS 7642, CoreDNS 4916, 4406: whatever changes is signed, and has a serial of its own.
#[test]
fn an_edit_without_a_new_serial_is_published() {
    let mut world = world();
    let serial = world.serial("example.test");
    world.edit_zone("example.test", &zone(10, 4));
    assert!(world.serial("example.test") > serial);
}

/// PEERS.md, ODS OPENDNSSEC-890, Cascade 797: a TTL that changes leaves no signature that does not fit.
#[test]
fn another_ttl_signs_one_rrset_and_the_soa() {
    let mut world = world();
    world.edit_zone("example.test", &zone(11, 3).replace("mail A", "mail 10m A"));
    assert_eq!(world.versions.last().unwrap().signatures, 2);
    world.run_for(DAY * 20);
}

#[test]
fn another_order_or_case_or_serial_alone_publishes_nothing() {
    let mut world = world();
    let serial = world.serial("example.test");
    let text = zone(10, 3);
    let mut lines: Vec<&str> = text.lines().collect();
    lines.reverse();
    world.edit_zone("example.test", &lines.join("\n"));
    world.edit_zone("example.test", &text.replace("mail A", "MAIL A").replace("NS ns1", "NS NS1"));
    world.edit_zone("example.test", &zone(4_000, 3));
    world.run_for(HOUR);
    assert_eq!(world.serial("example.test"), serial);
    assert_eq!(world.notified.len(), 1);
}

#[test]
fn delegations_that_come_and_go_are_valid_at_each_version() {
    for denial in ["nsec", "nsec3", "nsec3-opt-out"] {
        let config = CONFIG.replace("zones:", &format!("policies:\n  default: {{denial: {denial}}}\nzones:"));
        let mut world = World::new(&config);
        world.resolver_count = 0;
        world.write_zone("example.test", &zone(10, 3));
        world.start();
        let sub = "sub NS ns.sub\nns.sub A 192.0.2.99\nx.sub A 192.0.2.98\n";
        let ds = "sub DS 1 13 2 000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n";
        let below = "a.b.c.d A 192.0.2.97\nd DNAME example.org.\n";
        let steps = [
            sub.to_owned(),
            sub.to_owned() + ds,
            sub.replace("sub NS ns.sub\n", ""),
            "a.b.c.d A 192.0.2.97\n".to_owned(),
            "d DNAME example.org.\n".to_owned(),
            below.replace("d DNAME example.org.\n", ""),
            String::new(),
        ];
        for (index, step) in steps.iter().enumerate() {
            let before = world.versions_of("example.test");
            world.edit_zone("example.test", &(zone(11, 3) + step));
            assert_eq!(
                world.versions_of("example.test"),
                before + 1,
                "step {index} with {denial}: {:?}",
                world.alarms()
            );
            world.run_for(DAY * 8);
        }
    }
}

#[test]
fn a_corrected_file_waits_for_no_retry() {
    let signed = |serial: u32, address: u8| {
        format!(
            "{}www A 192.0.2.{address}\n\
             @ RRSIG SOA 13 2 3600 20270101000000 20260101000000 1 example.test. AAAA\n",
            zone(serial, 1)
        )
    };
    let mut world = World::new(&CONFIG.replace("secondaries", "policy: unsigned, secondaries"));
    world.write_zone("example.test", &signed(10, 1));
    world.start();
    world.edit_zone("example.test", &signed(10, 2));
    assert!(world.alarmed("signed elsewhere"), "{:?}", world.alarms());
    world.edit_zone("example.test", &signed(11, 2));
    assert_eq!(world.serial("example.test").0, 11);
    assert_eq!(world.alarms(), [""; 0]);
}

#[test]
fn a_secondary_that_lacks_a_version_for_a_quarter_of_an_hour_needs_a_person() {
    let mut world = world();
    let serial = world.serial("example.test");
    let seen = |world: &mut World, outcome: Result<Serial, &str>| {
        world.tell(Input::Secondary {
            zone: name("example.test"),
            remote: "ns2".to_owned(),
            address: "192.0.2.2:53".parse().unwrap(),
            outcome: outcome.map_err(str::to_owned),
        });
    };
    let errors = |world: &World| world.log.iter().filter(|(_, level, _)| *level == Level::Error).count();
    seen(&mut world, Err("SERVFAIL"));
    world.run_for(MINUTE * 14);
    seen(&mut world, Err("SERVFAIL"));
    assert_eq!(world.alarms(), [""; 0]);
    world.run_for(MINUTE);
    seen(&mut world, Err("SERVFAIL"));
    assert!(world.alarmed("secondary ns2 at 192.0.2.2:53 has not been seen to serve serial"));
    assert!(world.alarmed("SERVFAIL"));
    seen(&mut world, Ok(Serial(serial.0 - 1)));
    assert!(world.alarmed(&format!("it serves serial {}", serial.0 - 1)), "{:?}", world.alarms());
    assert_eq!(errors(&world), 1, "it is news once");
    seen(&mut world, Ok(serial));
    assert_eq!(world.alarms(), [""; 0]);

    // One that follows, if not at once, is well.
    for version in 11..31 {
        let before = world.serial("example.test");
        world.edit_zone("example.test", &zone(version, 3));
        world.run_for(MINUTE * 5);
        seen(&mut world, Ok(before));
        assert_eq!(world.alarms(), [""; 0]);
    }
    // One that is ahead takes nothing from here.
    let ahead = Serial(world.serial("example.test").0 + 1_000_000);
    seen(&mut world, Ok(ahead));
    world.run_for(MINUTE * 15);
    seen(&mut world, Ok(ahead));
    assert!(world.alarmed("which is ahead"), "{:?}", world.alarms());
}
