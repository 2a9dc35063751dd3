//! Next keys that danelaw makes: whoever deploys the one that waits, whenever he likes, strands nobody.

use danelaw::dns::time::{DAY, HOUR, MINUTE};

use crate::disk::Survival;
use crate::world::{Cert, World, zone};

const CONFIG: &str = r#"
remotes:
  ns1: {address: "192.0.2.1:53"}
  ns2: {address: "192.0.2.2:53"}
zones:
  example.test: {file: example.test.zone, secondaries: [ns1, ns2]}
services:
  mail:
    endpoints: ["mail.example.test:25"]
    certificate: mail.pem
    next: {generate: ecdsa-p256, directory: next}
    ttl: 1h
"#;

fn world() -> World {
    let mut world = World::new(CONFIG);
    world.write_zone("example.test", &zone(1, 5));
    world.write("mail.pem", &Cert::new(1).pem());
    world.present("mail", &[Cert::new(1)]);
    world
}

#[test]
fn renewals_with_the_key_that_waits_strand_nobody() {
    let mut world = world();
    world.start();
    world.run_for(DAY);
    for round in 0..4 {
        assert_eq!(world.next_made.len(), round + 1, "one waits");
        let next = world.next_made[round].clone();
        world.write("mail.pem", &next.pem());
        // Until the server has reloaded, the key has not been used: no other one is made.
        world.run_for(MINUTE * 9);
        assert_eq!(world.next_made.len(), round + 1);
        world.present("mail", std::slice::from_ref(&next));
        world.run_for(DAY);
        world.crash_and_restart(Survival::All, MINUTE);
        world.run_for(DAY * 20);
        let after = world.next_made[round + 1].clone();
        assert!(world.publishes("mail", &[&next, &after]));
    }
    assert_eq!(world.mismatches, 0);
    assert_eq!(world.alarms(), [""; 0]);
}

#[test]
fn a_key_that_cannot_be_made_is_an_alarm_and_tried_again_after_an_hour() {
    let mut world = world();
    world.next_fails = Some("next/mail: no space left on device".to_owned());
    world.start();
    world.run_for(MINUTE * 30);
    assert!(world.alarmed("no next key could be made: next/mail: no space left on device"));
    world.next_fails = None;
    world.run_for(MINUTE * 29);
    assert!(world.next_made.is_empty());
    world.run_for(HOUR);
    assert_eq!(world.next_made.len(), 1);
    assert_eq!(world.alarms(), [""; 0]);
}
