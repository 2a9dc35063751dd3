//! Signalling names (RFC 9615): the CDS records of a zone without DS, below the name of its nameserver.

use danelaw::dns::rtype::Rtype;
use danelaw::dns::time::{DAY, HOUR, MINUTE, Ttl};
use danelaw::dnssec::lifecycle::DsRrset;
use danelaw::engine::Input;

use crate::disk::Survival;
use crate::world::{DAY_0, ParentServer, World, name};

const ZONE: &str = "example.test";
const OPERATOR: &str = "operator.test";
const SIGNAL: &str = "_signal.ns1.operator.test";
const OWNER: &str = "_dsboot.example.test._signal.ns1.operator.test";

const CONFIG: &str = r#"
remotes:
  ns1: {address: "192.0.2.1:53"}
zones:
  example.test: {file: example.test.zone, secondaries: [ns1], propagation: secondaries, signal: true}
  operator.test: {file: operator.test.zone, secondaries: [ns1], propagation: secondaries}
services: {}
"#;

/// A zone with this nameserver, and with these records beside.
fn zone(serial: u32, nameserver: &str, records: &str) -> String {
    format!(
        "$TTL 1h\n@ SOA ns1 hostmaster {serial} 1d 2h 3d 1h\n@ NS {nameserver}\nns1 A 192.0.2.1\n{records}"
    )
}

fn world(nameserver: &str) -> World {
    let mut world = World::new(CONFIG);
    world.write_zone(ZONE, &zone(1, nameserver, ""));
    world.write_zone(OPERATOR, &zone(1, "ns1", ""));
    world.start();
    world.run_for(DAY);
    world
}

/// The CDS records at a name, and their TTL.
fn cds(world: &World, zone: &str, owner: &str) -> Option<(Ttl, Vec<Vec<u8>>)> {
    let snapshot = &world.primary[&name(zone)].snapshot;
    let rrset = snapshot.nodes.get(name(owner).as_ref())?.rrset(Rtype::CDS)?;
    assert!(rrset.signature_count > 0, "signed");
    Some((rrset.ttl(), rrset.rdatas().map(<[u8]>::to_vec).collect()))
}

fn at_parent(world: &mut World, rdatas: Vec<Vec<u8>>) {
    let server = ParentServer { ttl: Ttl(3_600), rdatas: rdatas.clone(), silent_until: DAY_0 };
    world.parents.insert(name(ZONE), vec![server]);
    let outcome = Ok(vec![DsRrset { ttl: Ttl(3_600), rdatas }]);
    world.tell(Input::AtParent { zone: name(ZONE), outcome });
    world.run_for(MINUTE);
}

#[test]
fn what_the_apex_asks_for_is_signalled_while_the_parent_has_no_ds() {
    let mut world = world("ns1.operator.test.");
    let asked = cds(&world, ZONE, ZONE).unwrap();
    assert_eq!(cds(&world, OPERATOR, OWNER), Some(asked.clone()));
    world.crash_and_restart(Survival::All, HOUR);
    world.run_for(HOUR);
    assert_eq!(cds(&world, OPERATOR, OWNER), Some(asked.clone()));

    at_parent(&mut world, asked.1.clone());
    assert_eq!(cds(&world, ZONE, ZONE), Some(asked.clone()));
    assert_eq!(cds(&world, OPERATOR, OWNER), None);
    world.run_for(DAY);
    // Somebody takes it out again.
    at_parent(&mut world, Vec::new());
    assert_eq!(cds(&world, OPERATOR, OWNER), Some(asked));
    world.reload(&CONFIG.replace(", signal: true", ""));
    world.run_for(MINUTE);
    assert_eq!(cds(&world, OPERATOR, OWNER), None);
}

#[test]
fn signalling_names_may_have_a_zone_of_their_own() {
    let mut world = world("ns1.operator.test.");
    let delegated = zone(2, "ns1", "_signal.ns1 NS ns1\n");
    world.edit_zone(OPERATOR, &delegated);
    world.run_for(HOUR);
    assert_eq!(cds(&world, OPERATOR, OWNER), None);
    assert_eq!(world.alarms(), [""; 0]);
    let own = "  _signal.ns1.operator.test: {file: s.zone, secondaries: [ns1], propagation: secondaries}\n";
    world.write_zone(SIGNAL, &zone(1, "ns1.operator.test.", ""));
    world.reload(&CONFIG.replace("services:", &format!("{own}services:")));
    world.run_for(HOUR);
    assert_eq!(cds(&world, SIGNAL, OWNER), cds(&world, ZONE, ZONE));
    assert!(cds(&world, SIGNAL, OWNER).is_some());
    assert_eq!(cds(&world, OPERATOR, OWNER), None);
}

#[test]
fn a_nameserver_in_the_zone_itself_does_not_signal() {
    let world = world("ns1");
    assert_eq!(cds(&world, OPERATOR, OWNER), None);
    let own = "_dsboot.example.test._signal.ns1.example.test";
    assert_eq!(cds(&world, ZONE, own), None);
    assert_eq!(world.alarms(), [""; 0]);
}

#[test]
fn names_that_are_too_long_to_signal_at_are_told_of_once() {
    let long = format!("{}.operator.test.", ["a23456789012345678901234567890"; 7].join("."));
    let mut world = world(&long);
    assert!(world.alarmed("would be longer than 255 octets"), "{:?}", world.alarms());
    let told = |world: &World| world.log.iter().filter(|(.., line)| line.contains("longer than 255")).count();
    assert_eq!(told(&world), 1);
    world.run_for(DAY);
    assert_eq!(told(&world), 1);
    let ds = cds(&world, ZONE, ZONE).unwrap().1;
    at_parent(&mut world, ds);
    assert_eq!(world.alarms(), [""; 0]);
}
