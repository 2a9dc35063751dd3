//! Catalog zones, which follow the configuration.

use std::collections::BTreeMap;

use danelaw::dns::name::Name;
use danelaw::dns::rtype::Rtype;
use danelaw::dns::time::{DAY, HOUR, MINUTE};

use crate::disk::Survival;
use crate::world::{World, name, zone};

const CATALOG: &str = "catalog.example";
const OLD: &str = "old.catalog.example";

/// Two catalogs, and these lines of zones, each a name with what it says of its catalog.
fn config(zones: &[(&str, &str)]) -> String {
    let zones: Vec<String> =
        zones.iter().map(|(zone, catalog)| format!("  {zone}: {{file: z, {catalog}}}\n")).collect();
    format!(
        "remotes:\n  ns1: {{address: \"192.0.2.1:53\"}}\n\
         catalogs:\n  {CATALOG}: {{secondaries: [ns1]}}\n  {OLD}: {{secondaries: [ns1]}}\n\
         zones:\n{}",
        zones.concat()
    )
}

fn world(zones: &[(&str, &str)]) -> World {
    let mut world = World::new(&config(zones));
    for zone_name in ["a.test", "b.test", "c.test"] {
        world.write_zone(zone_name, &zone(1, 3));
    }
    world.start();
    world.run_for(HOUR);
    assert_eq!(world.alarms(), [""; 0]);
    world
}

/// Members by the owners of their PTR records, and changes of ownership, as the secondary has them.
fn listed(world: &World, catalog: &str) -> (BTreeMap<Name, Name>, Vec<Name>) {
    let served = world.secondaries[0].serves(&name(catalog), world.now).unwrap();
    let pointers = served.snapshot.nodes.iter().filter_map(|node| {
        let target = node.rrset(Rtype::PTR)?.first().to_vec();
        Some((node.owner().to_owned(), Name::from_wire(&target).unwrap()))
    });
    let (moves, members) = pointers.partition::<Vec<_>, _>(|(owner, _)| owner.starts_with(b"\x03coo"));
    (
        members.into_iter().map(|(owner, member)| (member, owner)).collect(),
        moves.into_iter().map(|m| m.1).collect(),
    )
}

fn members(world: &World, catalog: &str) -> Vec<String> {
    listed(world, catalog).0.keys().map(ToString::to_string).collect()
}

const IN: &str = "catalog: catalog.example";

#[test]
fn a_zone_that_is_added_or_removed_changes_its_catalog_once_and_alone() {
    let mut world = world(&[("a.test", IN), ("b.test", "")]);
    assert_eq!(members(&world, CATALOG), ["a.test."]);
    let (before, versions) = (listed(&world, CATALOG).0, world.versions_of(CATALOG));

    world.reload(&config(&[("a.test", IN), ("b.test", ""), ("c.test", IN)]));
    world.run_for(MINUTE);
    let after = listed(&world, CATALOG).0;
    assert_eq!(after.keys().cloned().collect::<Vec<_>>(), [name("a.test"), name("c.test")]);
    assert_eq!(after[&name("a.test")], before[&name("a.test")], "the label stays");
    assert_eq!(world.versions_of(CATALOG), versions + 1);
    // SOA out and in, and one PTR record in.
    let step = world.journals[&name(CATALOG)].steps().last().unwrap().clone();
    assert_eq!(step.rrsets().filter(|(_, _, new)| new.is_some_and(|new| new.rtype == Rtype::PTR)).count(), 1);
    assert_eq!(step.rrsets().count(), 2);

    world.reload(&config(&[("b.test", ""), ("c.test", IN)]));
    world.run_for(MINUTE);
    assert_eq!(members(&world, CATALOG), ["c.test."]);
    assert_eq!(world.versions_of(CATALOG), versions + 2);
    assert_eq!(world.versions_of(OLD), 1);
}

#[test]
fn neither_a_restart_nor_a_reload_nor_time_makes_a_version_of_a_catalog() {
    let mut world = world(&[("a.test", IN), ("b.test", IN)]);
    let (before, serial) = (listed(&world, CATALOG), world.serial(CATALOG));
    world.crash_and_restart(Survival::All, MINUTE);
    world.reload(&config(&[("b.test", IN), ("a.test", IN)]));
    world.run_for(DAY * 30);
    world.crash_and_restart(Survival::None, DAY);
    world.reread(CATALOG);
    world.run_for(DAY);
    assert_eq!((listed(&world, CATALOG), world.serial(CATALOG)), (before, serial));
    assert_eq!(world.versions_of(CATALOG), 1);
}

#[test]
fn a_zone_moves_from_one_catalog_to_another_with_its_label() {
    const IN_OLD: &str = "catalog: old.catalog.example, group: signed";
    const MOVING: &str = "catalog: catalog.example, group: signed, moved-from: old.catalog.example";
    let mut world = world(&[("a.test", IN_OLD)]);
    let label = |world: &World, catalog: &str| {
        let owner = &listed(world, catalog).0[&name("a.test")];
        owner.as_ref().labels().next().unwrap().to_vec()
    };
    let before = label(&world, OLD);
    world.reload(&config(&[("a.test", MOVING)]));
    // The old catalog says first where the zone goes, and the new one waits until the secondary knows.
    let has = |world: &World, catalog: &str, part: &[u8]| {
        let nodes = &world.primary[&name(catalog)].snapshot.nodes;
        nodes.iter().any(|node| node.has(Rtype::PTR) && node.owner().wire().starts_with(part))
    };
    assert!(has(&world, OLD, b"\x03coo") && !has(&world, CATALOG, b"\x20"));
    world.run_for(MINUTE);
    assert_eq!((label(&world, OLD), label(&world, CATALOG)), (before.clone(), before.clone()));
    assert_eq!(listed(&world, OLD).1, [name(CATALOG)]);
    assert!(listed(&world, CATALOG).1.is_empty());
    world.reload(&config(&[("a.test", "catalog: catalog.example, group: signed")]));
    world.run_for(MINUTE);
    assert!(members(&world, OLD).is_empty());
    assert_eq!(label(&world, CATALOG), before);

    // A secondary that is away holds nobody up for ever.
    world.secondaries[0].cut_off = world.now + DAY;
    world.reload(&config(&[("a.test", "catalog: old.catalog.example, moved-from: catalog.example")]));
    world.run_for(MINUTE * 4);
    assert!(has(&world, CATALOG, b"\x03coo") && !has(&world, OLD, b"\x20"));
    world.run_for(MINUTE * 2);
    assert!(has(&world, OLD, b"\x20"));
}
