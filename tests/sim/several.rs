//! Several zones and services, and a configuration that changes.

use danelaw::dns::time::{DAY, HOUR, MINUTE, Seconds};

use crate::disk::{Fault, Survival};
use crate::world::{Cert, World, name, zone};

const CONFIG: &str = r#"
remotes:
  ns1: {address: "192.0.2.1:53"}
zones:
  example.test: {file: example.test.zone, secondaries: [ns1], propagation: secondaries}
  sub.example.test: {file: sub.zone, secondaries: [ns1], propagation: secondaries}
services:
  parent: {endpoints: ["mail.example.test:25"], certificate: parent.pem, probe: off}
  child: {endpoints: ["mail.sub.example.test:25"], certificate: child.pem, probe: off}
"#;

fn world() -> World {
    let mut world = World::new(CONFIG);
    world.write_zone("example.test", &zone(1, 3));
    world.write_zone("sub.example.test", &zone(1, 3));
    world.write("parent.pem", &Cert::new(1).pem());
    world.write("child.pem", &Cert::new(101).pem());
    world.start();
    world.run_for(DAY);
    assert_eq!(world.alarms(), [""; 0]);
    world
}

/// The configuration without a part of it.
fn without(part: &str) -> String {
    assert!(CONFIG.contains(part));
    CONFIG.replace(part, "")
}

const PARENT: &str =
    "  parent: {endpoints: [\"mail.example.test:25\"], certificate: parent.pem, probe: off}\n";
const CHILD: &str =
    "  child: {endpoints: [\"mail.sub.example.test:25\"], certificate: child.pem, probe: off}\n";
const CHILD_ZONE: &str =
    "  sub.example.test: {file: sub.zone, secondaries: [ns1], propagation: secondaries}\n";

#[test]
fn a_zone_that_takes_ten_minutes_to_sign_holds_up_no_other() {
    let mut world = world();
    let before = world.versions_of("example.test");
    world.slow.insert(name("example.test"), MINUTE * 10);
    world.edit_zone("example.test", &zone(2, 30));
    for number in 102..110 {
        world.write("child.pem", &Cert::new(number).pem());
        assert!(world.published("child").contains(&Cert::new(number).tlsa()));
        world.run_for(MINUTE);
    }
    assert_eq!(world.versions_of("example.test"), before);
    world.run_for(MINUTE * 3);
    assert_eq!(world.versions_of("example.test"), before + 1);
}

#[test]
fn power_that_goes_while_another_zone_commits_shortens_no_wait() {
    let mut world = world();
    world.slow.insert(name("example.test"), MINUTE * 10);
    world.slow_always = true;
    world.write("parent.pem", &Cert::new(2).pem());
    world.run_for(MINUTE);
    // The other zone's commit comes first.
    world.write("child.pem", &Cert::new(102).pem());
    world.crash_and_restart(Survival::None, MINUTE * 90);
    world.run_for(DAY);
    let (new, old) = (world.since(&Cert::new(2)), world.dropped(&Cert::new(1)).unwrap());
    assert!(old >= new + HOUR * 2, "the new association came at {new}, and the old one went at {old}");
}

#[test]
fn records_of_a_service_that_is_removed_go_with_it() {
    let mut world = world();
    world.reload(&without(PARENT));
    let owner = name("_25._tcp.mail.example.test");
    assert!(world.primary[&name("example.test")].snapshot.nodes.get(owner.as_ref()).is_none());
    world.run_for(DAY * 20);
    world.crash_and_restart(Survival::None, MINUTE);
    assert!(world.primary[&name("example.test")].snapshot.nodes.get(owner.as_ref()).is_none());
    // And it begins anew when it is back.
    world.write("parent.pem", &Cert::new(7).pem());
    world.reload(CONFIG);
    assert!(world.publishes("parent", &[&Cert::new(7)]));
    assert_eq!(world.alarms(), [""; 0]);
}

#[test]
fn parameters_that_are_refused_keep_the_gate_closed_and_hold_nothing_else_back() {
    let mut world = world();
    world.write("new.pem", &Cert::new(2).pem());
    world.reload(&CONFIG.replace("parent.pem, ", "new.pem, tlsa: [\"3 1 1\", \"2 1 1\"], "));
    assert!(world.alarmed("the records published before stay"));
    assert!(world.publishes("parent", &[&Cert::new(1), &Cert::new(2)]));
    world.run_for(DAY);
    assert!(!world.gate("parent").unwrap().open);
    world.reload(&CONFIG.replace("parent.pem", "new.pem"));
    assert!(world.gate("parent").unwrap().open);
    assert_eq!(world.alarms(), [""; 0]);
}

#[test]
fn a_service_of_another_name_goes_on_where_it_was() {
    for while_down in [false, true] {
        let mut world = world();
        world.write("parent.pem", &Cert::new(2).pem());
        world.run_for(HOUR);
        let renamed = CONFIG.replace("  parent: ", "  mail: ");
        if while_down {
            world.crash(Survival::None);
            world.reload(&renamed);
            world.start();
        } else {
            world.reload(&renamed);
        }
        assert!(world.publishes("mail", &[&Cert::new(1), &Cert::new(2)]), "while it is down: {while_down}");
        assert!(!world.gate("mail").unwrap().open);
        world.run_for(DAY);
        assert!(world.publishes("mail", &[&Cert::new(2)]));
        let (new, old) = (world.since(&Cert::new(2)), world.dropped(&Cert::new(1)).unwrap());
        assert!(old >= new + HOUR * 4, "the new association came at {new}, and the old one went at {old}");
        world.crash_and_restart(Survival::None, MINUTE);
        assert!(world.publishes("mail", &[&Cert::new(2)]));
        assert_eq!(world.alarms(), [""; 0]);
    }
}

#[test]
fn a_service_that_never_had_a_certificate_is_removed_without_a_trace() {
    let mut world = World::new(CONFIG);
    world.write_zone("example.test", &zone(1, 3));
    world.write_zone("sub.example.test", &zone(1, 3));
    world.write("child.pem", &Cert::new(101).pem());
    world.start();
    world.run_for(HOUR * 2);
    assert!(world.alarmed("parent.pem"));
    let serial = world.serial("example.test");
    world.reload(&without(PARENT));
    world.run_for(HOUR);
    assert_eq!(world.serial("example.test"), serial);
    assert_eq!(world.alarms(), [""; 0]);
    world.crash_and_restart(Survival::None, MINUTE);
    assert_eq!(world.serial("example.test"), serial);
}

#[test]
fn a_service_removed_while_the_disk_is_full_is_forgotten_once_it_is_well() {
    let mut world = world();
    world.disk.fail_at(world.disk.operations(), Fault::Refused);
    world.reload(&without(PARENT));
    world.run_for(HOUR);
    world.disk.heal();
    world.run_for(HOUR);
    world.crash_and_restart(Survival::None, MINUTE);
    world.write("parent.pem", &Cert::new(7).pem());
    world.reload(CONFIG);
    // A state that was kept would have the former certificate draining.
    assert!(world.publishes("parent", &[&Cert::new(7)]));
    assert_eq!(world.alarms(), [""; 0]);
}

#[test]
fn a_zone_that_is_taken_out_while_it_is_signed_and_put_back_is_what_its_file_says() {
    let mut world = World::new(CONFIG);
    let child = name("sub.example.test");
    world.write_zone("example.test", &zone(1, 3));
    world.write_zone("sub.example.test", &zone(1, 9));
    world.write("parent.pem", &Cert::new(1).pem());
    world.write("child.pem", &Cert::new(101).pem());
    world.slow.insert(child.clone(), MINUTE * 10);
    world.start();
    world.run_for(MINUTE);
    world.reload(&without(CHILD_ZONE).replace(CHILD, ""));
    world.run_for(MINUTE);
    world.write_zone("sub.example.test", &zone(3, 1));
    world.reload(CONFIG);
    world.run_for(MINUTE * 9);
    // The job that was begun first is done, and nobody wants it.
    assert!(!world.primary.contains_key(&child));
    world.run_for(MINUTE * 2);
    let host = |number: u32| name(&format!("host{number}.sub.example.test"));
    let nodes = &world.primary[&child].snapshot.nodes;
    assert!(nodes.get(host(0).as_ref()).is_some() && nodes.get(host(1).as_ref()).is_none());
    assert_eq!(world.alarms(), [""; 0]);
}

#[test]
fn a_zone_that_is_taken_out_goes_from_the_disk() {
    let mut world = world();
    world.reload(&without(CHILD_ZONE).replace(CHILD, ""));
    world.run_for(Seconds(1));
    world.crash_and_restart(Survival::None, MINUTE);
    assert_eq!(world.primary.len(), 1);
}
