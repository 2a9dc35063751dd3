//! Zones that come from another primary: refresh, retry, expire, and what survives a restart.

use danelaw::dns::time::{DAY, HOUR, MINUTE, Seconds, Timestamp};

use crate::disk::Survival;
use crate::world::{DAY_0, State, World, zone};

const ZONE: &str = "example.test";
const CONFIG: &str = r#"
remotes:
  hidden: {address: "192.0.2.9:53"}
zones:
  example.test: {primary: hidden}
"#;
/// What the SOA record of [`zone`] says.
const REFRESH: Seconds = Seconds(4 * 3_600);
const RETRY: Seconds = Seconds(15 * 60);
const EXPIRE: Seconds = Seconds(5 * 86_400);

fn waiting() -> World {
    let mut world = World::new(CONFIG);
    world.upstream_has(ZONE, &zone(10, 3));
    world
}

/// A world whose zone has just been transferred.
fn world() -> World {
    let mut world = waiting();
    world.start();
    world.run_for(MINUTE);
    assert!(world.is_served(ZONE), "{:?}", world.alarms());
    assert_eq!(world.alarms(), [""; 0]);
    world
}

fn gaps(times: &[Timestamp]) -> Vec<u64> {
    times.windows(2).map(|pair| pair[1].since(pair[0]).0).collect()
}

#[test]
fn the_zone_is_signed_and_asked_about_at_each_refresh() {
    let mut world = world();
    assert!(world.versions.last().unwrap().signatures > 0);
    world.run_for(DAY * 2);
    let gaps = gaps(&world.asked(ZONE));
    assert!(gaps.len() >= 12, "{gaps:?}");
    let (shortest, longest) = (REFRESH.0 - REFRESH.0 / 8, REFRESH.0 + 1);
    assert!(gaps.iter().all(|gap| (shortest..=longest).contains(gap)), "{gaps:?}");
    assert!(gaps.iter().any(|gap| *gap != gaps[0]), "they do not stay in step: {gaps:?}");
    assert_eq!(world.versions_of(ZONE), 1, "nothing changed");
}

#[test]
fn a_change_is_found_at_the_refresh_and_the_served_serial_is_ours() {
    let mut world = world();
    let before = world.serial(ZONE);
    world.upstream_has(ZONE, &zone(11, 4));
    world.run_for(REFRESH + MINUTE);
    assert!(world.serves_name(ZONE, "host3.example.test"));
    assert!(world.serial(ZONE) > before);
    assert_ne!(world.serial(ZONE).0, 11);
}

#[test]
fn a_notify_is_followed_at_once_and_a_storm_of_them_is_one_refresh_every_other_second() {
    let mut world = world();
    let before = world.asked(ZONE).len();
    world.upstream_has(ZONE, &zone(11, 4));
    for _ in 0..500 {
        world.upstream_notifies(ZONE);
    }
    world.run_for(Seconds(2));
    assert!(world.serves_name(ZONE, "host3.example.test"));
    for serial in 12..1_012 {
        world.upstream_has(ZONE, &zone(serial, serial % 7));
        world.upstream_notifies(ZONE);
        if serial % 100 == 0 {
            world.run_for(Seconds(1));
        }
    }
    world.run_for(Seconds(10));
    let asked = world.asked(ZONE).len() - before;
    assert!((3..=12).contains(&asked), "asked {asked} times");
    assert!(gaps(&world.asked(ZONE)).iter().skip(before).all(|gap| *gap >= 2));
    assert_eq!(world.serves_name(ZONE, "host3.example.test"), 1_011 % 7 > 3, "the last one counts");
    let asked = world.asked(ZONE).len();
    world.upstream_notifies(ZONE);
    world.run_for(MINUTE);
    assert_eq!(world.asked(ZONE).len(), asked, "what is here already needs no question");
}

#[test]
fn a_primary_that_is_down_is_asked_at_each_retry_until_it_is_back() {
    let mut world = world();
    world.upstream_has(ZONE, &zone(11, 4));
    world.upstream_is(ZONE, State::Down);
    world.run_for(REFRESH + HOUR * 3);
    assert!(world.alarmed("does not answer"), "{:?}", world.alarms());
    assert!(world.alarmed("still serving serial") && world.alarmed("which expires at"));
    let asked = gaps(&world.asked(ZONE));
    let retries = &asked[asked.len() - 8..];
    assert!(retries.iter().all(|gap| *gap <= RETRY.0 + 1 && *gap >= RETRY.0 - RETRY.0 / 8), "{asked:?}");
    assert!(world.is_served(ZONE));
    world.upstream_is(ZONE, State::Up);
    world.run_for(RETRY + MINUTE);
    assert_eq!(world.alarms(), [""; 0]);
    assert!(world.serves_name(ZONE, "host3.example.test"));
}

/// PEERS.md, nsd#213: an expired zone recovers by itself.
#[test]
fn an_expired_zone_is_withdrawn_asked_for_for_ever_and_served_again_as_it_was() {
    let mut world = world();
    let serial = world.serial(ZONE);
    world.upstream_is(ZONE, State::Down);
    world.run_for(Seconds(EXPIRE.0 - 3_600));
    assert!(world.is_served(ZONE));
    world.run_for(HOUR * 2);
    assert!(!world.is_served(ZONE));
    assert!(world.alarmed("expired: no primary has confirmed it since"), "{:?}", world.alarms());
    let before = world.asked(ZONE).len();
    world.run_for(DAY * 40);
    assert!(world.asked(ZONE).len() - before >= 40 * 96 - 40, "NSD#213: it is never given up");
    world.upstream_is(ZONE, State::Up);
    world.run_for(RETRY + MINUTE);
    assert!(world.is_served(ZONE));
    assert_eq!(world.alarms(), [""; 0]);
    // Its signatures were kept up meanwhile: the invariants have looked at them.
    assert!(world.serial(ZONE) > serial);
    world.run_for(DAY);
}

#[test]
fn a_primary_that_is_back_and_says_so_is_asked_at_once() {
    let mut world = world();
    world.upstream_is(ZONE, State::Down);
    world.run_for(EXPIRE + HOUR);
    assert!(!world.is_served(ZONE));
    world.upstream_is(ZONE, State::Up);
    // As any nameserver does at its start.
    world.upstream_notifies(ZONE);
    world.run_for(Seconds(5));
    assert!(world.is_served(ZONE));
}

#[test]
fn a_restart_serves_what_is_stored_at_once_and_expire_counts_on() {
    let mut world = world();
    world.run_for(DAY);
    let serial = world.serial(ZONE);
    world.upstream_is(ZONE, State::Down);
    world.run_for(DAY * 2);
    world.crash_and_restart(Survival::All, MINUTE);
    assert_eq!(world.serial(ZONE), serial);
    world.run_for(DAY * 2 + HOUR * 18);
    assert!(world.is_served(ZONE), "{:?}", world.alarms());
    world.run_for(HOUR * 7);
    assert!(!world.is_served(ZONE), "five days after the last word");
    world.crash_and_restart(Survival::All, MINUTE);
    assert!(!world.is_served(ZONE), "a restart does not bring it back");
    assert!(world.alarmed("expired"), "{:?}", world.alarms());
    world.upstream_is(ZONE, State::Up);
    world.run_for(RETRY + MINUTE);
    assert!(world.is_served(ZONE));
    assert_eq!(world.alarms(), [""; 0]);
}

#[test]
fn a_zone_that_was_never_transferred_is_asked_for_more_and_more_slowly() {
    let mut world = waiting();
    world.upstream_is(ZONE, State::Down);
    world.start();
    world.run_for(HOUR * 6);
    assert!(world.alarmed("the zone is not served yet"), "{:?}", world.alarms());
    let asked = gaps(&world.asked(ZONE));
    assert!(asked[0] <= 6 && asked.iter().all(|gap| *gap <= 901), "{asked:?}");
    assert!(*asked.last().unwrap() > 780, "{asked:?}");
    world.upstream_is(ZONE, State::Up);
    world.run_for(Seconds(902));
    assert!(world.is_served(ZONE));
}

#[test]
fn a_primary_without_patience_in_its_soa_record_does_not_make_us_spin() {
    let mut world = waiting();
    world.upstream_has(ZONE, &zone(10, 3).replace("4h 15m 5d", "0 0 0"));
    world.start();
    world.run_for(HOUR);
    let asked = gaps(&world.asked(ZONE));
    assert!(asked.iter().all(|gap| *gap >= 26), "{asked:?}");
    assert!(world.is_served(ZONE), "an expire of nothing is longer than a refresh and a retry");
    world.upstream_is(ZONE, State::Down);
    world.run_for(HOUR);
    assert!(!world.is_served(ZONE));
    assert!(gaps(&world.asked(ZONE)).iter().all(|gap| *gap >= 26));
}

#[test]
fn content_that_the_policy_cannot_sign_is_refused_and_said_so() {
    let mut world = world();
    let serial = world.serial(ZONE);
    world.upstream_has(ZONE, &zone(11, 4).replace("5d", "60d"));
    world.upstream_notifies(ZONE);
    world.run_for(MINUTE);
    assert!(world.alarmed("has serial 11, which is not taken: policy"), "{:?}", world.alarms());
    assert_eq!(world.serial(ZONE), serial);
    world.upstream_has(ZONE, &zone(12, 4));
    world.upstream_notifies(ZONE);
    world.run_for(MINUTE);
    assert_eq!(world.alarms(), [""; 0]);
}

#[test]
fn a_primary_that_gives_nothing_away_confirms_nothing() {
    let mut world = world();
    world.upstream_has(ZONE, &zone(11, 4));
    world.upstream_is(ZONE, State::Closed);
    world.run_for(EXPIRE + HOUR);
    assert!(world.alarmed("answers REFUSED"), "{:?}", world.alarms());
    assert!(!world.is_served(ZONE));
}

#[test]
fn a_reload_of_the_zone_takes_whatever_the_primary_has() {
    let mut world = world();
    world.upstream_has(ZONE, &zone(3, 4));
    world.reread(ZONE);
    world.run_for(MINUTE);
    assert!(world.serves_name(ZONE, "host3.example.test"));
    assert_eq!(world.upstream[&crate::world::name(ZONE)].asked.last().unwrap().1, None);
}

#[test]
fn a_zone_moves_from_a_file_to_a_primary_and_back() {
    let file = CONFIG.replace("primary: hidden", "file: example.test.zone");
    let mut world = World::new(&file);
    world.write_zone(ZONE, &zone(10, 1));
    world.upstream_has(ZONE, &zone(10, 3));
    world.start();
    world.run_for(HOUR);
    assert!(!world.serves_name(ZONE, "host2.example.test"));
    world.reload(CONFIG);
    world.run_for(MINUTE);
    assert!(world.serves_name(ZONE, "host2.example.test"), "the same serial means nothing there");
    world.crash_and_restart(Survival::All, MINUTE);
    assert!(world.serves_name(ZONE, "host2.example.test"));
    world.upstream_is(ZONE, State::Down);
    world.run_for(EXPIRE + DAY);
    assert!(!world.is_served(ZONE));
    world.reload(&file);
    world.run_for(MINUTE);
    assert!(world.is_served(ZONE) && !world.serves_name(ZONE, "host2.example.test"));
    assert_eq!(world.alarms(), [""; 0]);
    world.run_for(DAY * 10);
    assert!(world.is_served(ZONE), "a file does not expire");
}

#[test]
fn a_clock_that_was_ahead_expires_nothing_for_good() {
    let mut world = world();
    world.clock_ahead = 90 * 86_400;
    world.run_for(MINUTE);
    world.clock_ahead = 0;
    world.run_for(REFRESH + MINUTE);
    assert!(world.is_served(ZONE));
    assert!(world.now > DAY_0);
    let asked = world.asked(ZONE).len();
    world.run_for(DAY);
    assert!(world.asked(ZONE).len() - asked >= 6);
}
