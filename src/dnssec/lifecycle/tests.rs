//! Every rollover, in a world of nameservers that lag, a parent that is slow, and caches that hold whatever they can
//! hold to the last second. What they hold is compared in every combination, after every step.

mod world;

use super::*;
use crate::dns::time::{DAY, HOUR, MINUTE};
use world::{Asked, World};

#[test]
fn a_zsk_is_published_first_signs_once_every_cache_knows_it_and_goes_when_none_of_its_signatures_is_left() {
    let mut world = World::new(Layout::KskZsk).dnskey_ttl(HOUR).zone_ttl(HOUR * 5);
    world.run_for(DAY * 3);
    let old = world.key(false);
    assert_eq!(world.states(old), ["omnipresent", "omnipresent", "hidden"]);
    world.roll(false);
    world.run_for(MINUTE * 58);
    let new = world.youngest();
    assert_ne!(old, new);
    assert_eq!(world.states(new), ["rumoured", "hidden", "hidden"]);
    world.run_for(HOUR);
    assert_eq!(world.states(old), ["omnipresent", "unretentive", "hidden"]);
    assert_eq!(world.states(new), ["omnipresent", "rumoured", "hidden"]);
    world.run_for(HOUR * 5);
    assert_eq!(world.states(old), ["unretentive", "hidden", "hidden"]);
    assert_eq!(world.states(new), ["omnipresent", "omnipresent", "hidden"]);
    world.run_for(HOUR * 2);
    assert_eq!(world.states(old), ["", "", ""]);
}

/// PEERS.md, Cascade 346, 883: what the parent must be told is told until it is seen there, and nothing goes on before.
#[test]
fn a_ksk_goes_when_the_parent_names_the_new_one_and_no_cache_knows_the_old_ds() {
    let mut world = World::new(Layout::KskZsk).dnskey_ttl(HOUR).ds_ttl(DAY);
    world.run_for(DAY * 10);
    let old = world.key(true);
    assert_eq!(world.states(old), ["omnipresent", "hidden", "omnipresent"]);
    world.parent_is_deaf = true;
    world.roll(true);
    world.run_for(DAY * 60);
    let new = world.youngest();
    // Never past a DS that was not seen.
    assert_eq!(world.states(old), ["omnipresent", "hidden", "unretentive"]);
    assert_eq!(world.states(new), ["omnipresent", "hidden", "rumoured"]);
    assert_eq!(world.life.for_parent(), (vec![new], vec![old]));
    let refused = world.life.roll(true).unwrap_err();
    assert!(refused.to_string().contains("is under way"), "{refused}");
    world.parent_is_deaf = false;
    world.run_for(DAY);
    assert_eq!(world.states(old)[0], "omnipresent");
    world.run_for(DAY * 3);
    assert_eq!(world.states(old), ["", "", ""]);
    assert_eq!(world.states(new), ["omnipresent", "hidden", "omnipresent"]);
    assert_eq!(world.life.for_parent(), (vec![], vec![]));
}

#[test]
fn a_key_whose_files_go_before_anybody_was_given_it_is_nothing_to_roll_to() {
    let mut world = World::new(Layout::KskZsk).dnskey_ttl(HOUR);
    world.run_for(DAY * 3);
    world.have_key(257);
    let lost = world.youngest();
    assert!(world.life.knows(lost));
    world.lose_youngest();
    assert!(!world.life.knows(lost));
    world.run_for(DAY * 3);
    assert_eq!(world.states(lost), ["", "", ""]);
}

#[test]
fn whoever_has_to_is_told_to_remove_the_ds_of_a_key_that_came_from_elsewhere_and_is_not_wanted() {
    let mut world = World::new(Layout::Csk).dnskey_ttl(HOUR).ds_ttl(DAY);
    (world.made_here, world.parent_is_deaf) = (false, true);
    let wanted = world.plan.algorithm;
    world.plan.algorithm = Algorithm::Ed25519;
    world.have_key(257);
    let old = world.youngest();
    world.was_named(old);
    world.plan.algorithm = wanted;
    world.run_for(DAY * 60);
    let new = world.youngest();
    assert_ne!(old, new);
    assert_eq!(world.life.for_parent(), (vec![new], vec![old]));
    world.parent_is_deaf = false;
    world.run_for(DAY * 30);
    assert_eq!(world.states(old), ["", "", ""]);
    assert_eq!(world.life.for_parent(), (vec![], vec![]));
}

/// RFC 7583 §3.3.2.
#[test]
fn by_double_ds_the_parent_names_both_keys_while_one_takes_the_place_of_the_other() {
    let mut world = World::new(Layout::KskZsk).dnskey_ttl(HOUR).ds_ttl(DAY);
    world.plan.method = Method::DoubleDs;
    world.run_for(DAY * 10);
    let old = world.key(true);
    assert_eq!(world.states(old), ["omnipresent", "hidden", "omnipresent"]);
    world.roll(true);
    let new = world.youngest();
    assert_eq!(world.asked(), Asked::Keys([old, new].into()));
    world.run_for(HOUR * 20);
    assert_eq!(world.states(new), ["hidden", "hidden", "rumoured"]);
    world.run_for(HOUR * 11);
    assert_eq!(world.states(old), ["unretentive", "hidden", "omnipresent"]);
    assert_eq!(world.states(new), ["rumoured", "hidden", "omnipresent"]);
    world.run_for(HOUR);
    assert_eq!(world.states(old), ["hidden", "hidden", "unretentive"]);
    assert_eq!(world.asked(), Asked::Keys([new].into()));
    world.run_for(DAY * 2);
    assert_eq!(world.states(old), ["", "", ""]);
    assert_eq!(world.states(new), ["omnipresent", "hidden", "omnipresent"]);
}

#[test]
fn what_the_parent_does_counts_once_no_nameserver_shows_what_cds_said_before() {
    let mut world = World::new(Layout::KskZsk).dnskey_ttl(HOUR).ds_ttl(HOUR);
    world.run_for(DAY * 10);
    let old = world.key(true);
    world.roll(true);
    world.run_for(MINUTE * 30);
    world.cut_off(0, DAY * 4);
    world.run_for(DAY * 3);
    assert_eq!(world.asked(), Asked::Keys([world.youngest()].into()));
    assert_eq!(world.states(old), ["omnipresent", "hidden", "unretentive"]);
    world.run_for(DAY * 2);
    assert_eq!(world.states(old), ["", "", ""]);
}

#[test]
fn where_no_key_can_be_made_a_rollover_goes_to_one_that_is_there() {
    let mut world = World::new(Layout::KskZsk).dnskey_ttl(HOUR);
    world.run_for(DAY * 3);
    let (old, made) = (world.key(false), world.keys_made());
    for entry_point in [true, false] {
        let refused = world.life.roll_to_youngest(entry_point);
        assert_eq!(refused, Err(RollError::NoSuccessor(if entry_point { "KSK" } else { "ZSK" })));
    }
    assert_eq!(world.life.must_have_successor(old.tag), Err(RollError::NoSuccessor("ZSK")));
    world.have_key(256);
    let new = world.youngest();
    assert_eq!(world.life.must_have_successor(old.tag), Ok(()));
    assert_eq!(world.life.roll_to_youngest(false), Ok(vec![old]));
    assert!(matches!(world.life.roll_to_youngest(false), Err(RollError::UnderWay { key, .. }) if key == old));
    world.run_for(DAY * 3);
    assert_eq!(world.states(old), ["", "", ""]);
    assert_eq!(world.states(new), ["omnipresent", "omnipresent", "hidden"]);
    assert_eq!(world.keys_made(), made + 1);
}

#[test]
fn nothing_advances_while_a_nameserver_lags() {
    let mut world = World::new(Layout::KskZsk).dnskey_ttl(HOUR);
    world.run_for(DAY * 3);
    world.cut_off(0, DAY * 4);
    world.roll(false);
    world.run_for(HOUR * 95);
    let new = world.youngest();
    assert_eq!(world.states(new), ["rumoured", "hidden", "hidden"]);
    assert!(world.life.awaited().is_some());
    world.run_for(HOUR * 4);
    assert_eq!(world.states(new)[0], "omnipresent");
}

#[test]
fn a_larger_ttl_that_was_served_a_while_ago_is_waited_for() {
    let mut world = World::new(Layout::KskZsk).dnskey_ttl(DAY * 7);
    world.run_for(DAY * 30);
    world.set_dnskey_ttl(Ttl(300));
    world.run_for(DAY);
    world.roll(false);
    world.run_for(DAY * 5);
    let new = world.youngest();
    assert_eq!(world.states(new), ["rumoured", "hidden", "hidden"]);
    world.run_for(DAY * 2);
    assert_eq!(world.states(new)[0], "omnipresent");
}

#[test]
fn a_zone_becomes_unsigned_when_no_cache_knows_its_ds() {
    let mut world = World::new(Layout::Csk).ds_ttl(DAY);
    world.run_for(DAY * 10);
    assert!(world.life.is_secure());
    world.plan.layout = None;
    world.engine();
    world.run_for(HOUR);
    assert!(world.life.is_leaving() && !world.life.may_leave());
    assert_eq!(world.asked(), Asked::Nothing);
    // Back, before it was done.
    world.plan.layout = Some(Layout::Csk);
    world.engine();
    world.run_for(DAY * 10);
    let key = world.key(true);
    assert_eq!(world.states(key), ["omnipresent"; 3]);
    world.plan.layout = None;
    world.engine();
    world.run_for(HOUR * 20);
    assert!(!world.life.is_empty());
    world.run_for(DAY * 8);
    assert!(world.life.is_empty());
    // The key of before is not taken up again.
    world.plan.layout = Some(Layout::Csk);
    world.run_for(DAY * 10);
    assert_eq!(world.states(key), [""; 3]);
    assert!(world.life.is_secure());
}

#[test]
fn a_zone_is_signed_for_as_long_as_its_keys_are_trusted_by_a_ds_that_is_gone() {
    let mut world = World::new(Layout::Csk).ds_ttl(HOUR).dnskey_ttl(DAY * 2);
    world.run_for(DAY * 10);
    world.plan.layout = None;
    world.engine();
    world.run_for(HOUR * 48);
    assert!(!world.life.is_empty());
    world.run_for(DAY * 4);
    assert!(world.life.is_empty());
}

#[test]
fn a_zone_is_signed_for_as_long_as_the_parent_names_any_key_and_caches_trust_by_that() {
    let mut world = World::new(Layout::Csk).ds_ttl(DAY).dnskey_ttl(HOUR * 6);
    world.run_for(DAY * 10);
    let key = world.key(true);
    world.stray_ds(true);
    world.run_for(DAY);
    // A DS that names no key is bogus by itself; whose nameservers have the key is not known here.
    world.bogus_is_expected = true;
    world.plan.layout = None;
    world.engine();
    world.run_for(DAY * 30);
    assert_eq!(world.states(key), ["omnipresent", "omnipresent", "hidden"]);
    assert!(world.life.is_leaving() && !world.life.may_leave());
    world.stray_ds(false);
    world.run_for(HOUR * 29);
    assert!(!world.life.may_leave());
    world.run_for(HOUR * 3);
    assert!(world.life.is_empty());
}

#[test]
fn what_is_known_of_the_parent_by_an_older_state_is_found_out_again() {
    let mut world = World::new(Layout::Csk).ds_ttl(HOUR);
    world.run_for(DAY * 10);
    world.parent_is_out_of_sight = true;
    let mut stored = serde_json::to_value(&world.life).unwrap();
    let fields = stored.as_object_mut().unwrap();
    fields.remove("delegation");
    fields.insert("parent-known".to_owned(), true.into());
    world.life = serde_json::from_value(stored).unwrap();
    world.plan.layout = None;
    world.engine();
    world.run_for(DAY * 10);
    assert!(world.life.is_leaving() && !world.life.may_leave());
    world.parent_is_out_of_sight = false;
    world.run_for(DAY);
    assert!(world.life.is_empty());
}

#[test]
fn a_key_in_other_hands_goes_as_soon_as_the_new_one_is_seen() {
    let mut world = World::new(Layout::KskZsk).dnskey_ttl(DAY).zone_ttl(DAY);
    world.run_for(DAY * 9);
    let old = world.key(false);
    assert_eq!(world.life.cost_of_compromise(old.tag), Some(DAY));
    world.life.compromise(old.tag).unwrap();
    world.bogus_is_expected = true;
    world.engine();
    world.run_for(HOUR);
    assert_eq!(world.states(old), ["", "", ""]);
    world.run_for(DAY * 2);
    assert!(world.was_bogus);
}

#[test]
fn a_zone_whose_key_was_in_other_hands_once_becomes_unsigned_when_no_cache_knows_its_ds() {
    let mut world = World::new(Layout::Csk).ds_ttl(DAY);
    world.run_for(DAY * 10);
    let old = world.key(true);
    world.life.compromise(old.tag).unwrap();
    world.bogus_is_expected = true;
    world.engine();
    world.run_for(DAY * 30);
    assert_eq!(world.states(old), [""; 3]);
    world.bogus_is_expected = false;
    world.plan.layout = None;
    world.engine();
    world.run_for(HOUR * 20);
    assert!(!world.life.is_empty());
    world.run_for(DAY * 8);
    assert!(world.life.is_empty());
}

#[test]
fn a_zone_that_becomes_unsigned_because_its_key_is_in_other_hands_is_signed_while_caches_know_its_ds() {
    let mut world = World::new(Layout::Csk).ds_ttl(DAY);
    world.run_for(DAY * 10);
    let old = world.key(true);
    world.life.compromise(old.tag).unwrap();
    world.plan.layout = None;
    world.engine();
    world.run_for(DAY * 9);
    assert!(world.life.is_empty());
}

#[test]
fn an_algorithm_changes_with_all_waits_though_a_key_was_in_other_hands_once() {
    let mut world = World::new(Layout::KskZsk).dnskey_ttl(DAY).zone_ttl(DAY).ds_ttl(DAY);
    world.run_for(DAY * 10);
    for entry_point in [true, false] {
        let old = world.key(entry_point);
        world.bogus_is_expected = true;
        world.life.compromise(old.tag).unwrap();
        world.engine();
        world.run_for(DAY * 30);
    }
    world.bogus_is_expected = false;
    let before = world.key(true);
    world.plan.algorithm = Algorithm::from_number(15).unwrap();
    world.engine();
    world.run_for(DAY * 60);
    assert_eq!(world.states(before), [""; 3]);
    assert_eq!(world.states(world.key(true)), ["omnipresent", "hidden", "omnipresent"]);
}

/// Found by a migration: the parent could not be found, and the keys of the signer before were rolled away.
#[test]
fn keys_that_come_from_elsewhere_stay_until_the_parent_was_seen_or_told_of() {
    let mut world = World::new(Layout::Csk);
    world.made_here = false;
    world.parent_is_out_of_sight = true;
    world.plan.algorithm = Algorithm::from_number(15).unwrap();
    world.have_key(257);
    world.plan.algorithm = Algorithm::EcdsaP256Sha256;
    world.run_for(DAY * 30);
    let old = KeyId { algorithm: 15, ..world.oldest() };
    assert_eq!(world.states(old), ["omnipresent", "omnipresent", "hidden"]);
    assert_eq!(world.states(world.youngest())[0], "omnipresent");
    world.life.ds_told(old.tag, false, world.now).unwrap();
    world.run_for(DAY * 10);
    assert_eq!(world.states(old), ["", "", ""]);
}

#[test]
fn where_nobody_can_look_a_person_says_that_the_parent_has_no_ds_and_the_zone_becomes_unsigned() {
    let mut world = World::new(Layout::Csk).dnskey_ttl(HOUR);
    world.parent_is_out_of_sight = true;
    world.run_for(DAY * 9);
    let key = world.key(true);
    world.life.ds_told(key.tag, true, world.now).unwrap();
    world.run_for(DAY * 2);
    assert_eq!(world.states(key)[2], "omnipresent");
    world.plan.layout = None;
    world.engine();
    world.run_for(DAY * 30);
    assert!(world.life.is_leaving());
    world.life.ds_told(key.tag, false, world.now).unwrap();
    world.run_for(HOUR * 23);
    assert!(world.life.is_leaving(), "a TTL that nobody has seen is taken for a day");
    world.run_for(HOUR * 3);
    assert!(world.life.is_empty());
}

/// Whatever the clock showed, and however long danelaw was down: a wait begins anew at most.
#[test]
fn a_clock_that_nobody_can_trust_neither_shortens_a_wait_nor_makes_it_endless() {
    let mut world = World::new(Layout::KskZsk).dnskey_ttl(HOUR).zone_ttl(HOUR * 5);
    world.run_for(DAY * 3);
    world.set_dnskey_ttl(Ttl(60));
    world.roll(false);
    world.run_for(MINUTE * 20);
    let new = world.youngest();
    assert_eq!(world.states(new)[0], "rumoured");
    for ahead in [Seconds(0), DAY, DAY * 5_000, Seconds(u64::MAX)] {
        let mut life = world.life.clone();
        life.clock_was_set_ahead(ahead, world.now + ahead.min(DAY * 30));
        let settles = life.settles(&life.keys[&new], Part::Dnskey).unwrap();
        let now = world.now + ahead.min(DAY * 30);
        assert!(settles > now && settles <= now + HOUR, "ahead by {ahead}: {settles}, and it is {now}");
    }
}

#[test]
fn no_clock_makes_a_wait_longer_than_it_is() {
    let year = DAY * 365;
    for (jump, by) in [(Seconds(0), Seconds(u64::MAX)), (year * 12, year * 12)] {
        let mut world = World::new(Layout::KskZsk).dnskey_ttl(DAY);
        world.run_for(DAY * 10);
        world.set_dnskey_ttl(Ttl(300));
        world.run_for(HOUR);
        world.roll(false);
        world.run_for(HOUR * 2);
        let new = world.youngest();
        world.life.clock_was_set_ahead(by, world.now + jump);
        // The clock is right again, and danelaw starts on what was durable.
        world.life.clock_was_set_ahead(Seconds(0), world.now);
        world.run_for(HOUR * 23);
        assert_eq!(world.states(new)[0], "rumoured", "{by:?}");
        world.run_for(HOUR * 3);
        assert_eq!(world.states(new)[0], "omnipresent", "{by:?}");
    }
}

#[test]
fn a_key_whose_life_is_over_is_not_taken_up_again() {
    let mut world = World::new(Layout::Csk);
    world.run_for(DAY * 9);
    let old = world.key(true);
    world.roll(true);
    world.run_for(DAY * 30);
    assert_eq!(world.states(old), ["", "", ""]);
    world.adopt();
    assert_eq!(world.states(old), ["", "", ""]);
    assert_eq!(world.life.keys().count(), 1);
}

#[test]
fn a_lifecycle_reads_back_and_goes_on_where_it_was() {
    let mut world = World::new(Layout::KskZsk);
    world.run_for(DAY * 3);
    world.roll(true);
    world.run_for(HOUR);
    let stored = serde_json::to_string(&world.life).unwrap();
    assert_eq!(serde_json::from_str::<Lifecycle>(&stored).unwrap(), world.life);
}

/// Any mixture of rollovers, of changes of policy and of mishaps.
/// PEERS.md, BIND GL#5458, ODS OPENDNSSEC-914: rollovers that overlap, or are asked for, remove no key too early.
#[test]
fn in_ten_years_of_rollovers_no_validator_ever_meets_a_bogus_answer() {
    let years = std::env::var("DANELAW_KEY_WORLDS").ok().and_then(|text| text.parse().ok()).unwrap_or(30);
    let mut rolled = 0;
    for seed in 0..years {
        let mut world = World::of_chance(seed);
        world.run_for(DAY * 3_650);
        rolled += world.keys_made();
    }
    // Otherwise nothing was tried.
    assert!(rolled > years as usize * 10, "{rolled} keys in {years} worlds");
}
