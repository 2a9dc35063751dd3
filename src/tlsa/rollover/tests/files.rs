//! What files hold, and what that means for what is published.

use super::*;

#[test]
fn current_and_next_are_published_together_and_the_next_is_ready_after_two_ttls() {
    let mut mail = Service::usual();
    assert_eq!(mail.deploys(1), Changed::Records);
    let _ = mail.presents(&[1]);
    assert_eq!(mail.stages(2), Changed::Records);
    assert_eq!(mail.keys("3 1 1"), [1, 2]);
    assert_eq!(mail.standing(2), announced(DAY_0 + HOUR * 2));
    assert_eq!(mail.waits(Seconds(7_199)), Changed::Nothing);
    assert_eq!(mail.waits(SECOND), Changed::State);
    assert_eq!(mail.standing(2), Standing::Ready);
    assert_eq!(mail.rollover.next_deadline(), None);
    assert_eq!(mail.waits(DAY * 300), Changed::Nothing);
    assert!(mail.rollover.published().is_sorted());
}

#[test]
fn a_new_certificate_is_published_at_once_and_the_old_one_until_two_ttls_after_it_was_last_presented() {
    let mut mail = Service::with_key_1();
    assert_eq!(mail.deploys(2), Changed::Records);
    assert_eq!((mail.standing(1), mail.standing(2)), (Standing::Live, announced(DAY_0 + HOUR * 2)));
    // The service is not reloaded for a week.
    let _ = mail.waits(DAY * 7);
    assert_eq!(mail.keys("3 1 1"), [1, 2]);
    assert_eq!((mail.standing(1), mail.standing(2)), (Standing::Live, Standing::Ready));
    let _ = mail.presents(&[2]);
    assert_eq!((mail.standing(1), mail.standing(2)), (draining(mail.now + HOUR * 2), Standing::Live));
    assert_eq!(mail.waits(Seconds(7_199)), Changed::Nothing);
    assert_eq!(mail.waits(SECOND), Changed::Records);
    assert_eq!(mail.keys("3 1 1"), [2]);
    assert_eq!(mail.rollover.next_deadline(), None);
}

#[test]
fn a_next_key_that_is_deployed_is_promoted_without_a_gap() {
    let mut mail = Service::with_key_1();
    let _ = mail.stages(2);
    let _ = mail.waits(HOUR * 2);
    assert_eq!(mail.deploys(2), Changed::State);
    assert_eq!(mail.standing(2), Standing::Ready);
    assert_eq!(mail.presents(&[2]), Changed::State);
    assert_eq!(mail.keys("3 1 1"), [1, 2]);
    assert_eq!(mail.standing(2), Standing::Live);
    assert_eq!(mail.standing(1), draining(mail.now + HOUR * 2));
    assert_eq!(mail.rollover.exposures(), []);
    assert_eq!(mail.waits(HOUR * 2), Changed::Records);
    assert_eq!(mail.keys("3 1 1"), [2]);
}

#[test]
fn the_same_digest_is_no_change_of_records() {
    let mut mail = Service::usual();
    let _ = mail.deploys(1);
    assert_eq!(mail.deploys(1), Changed::Nothing);
    // Renewed with the same key.
    let renewed = Material::parse(&sample::certificate("server", "CA", 1, 99, false)).unwrap();
    assert_eq!(mail.sees("mail", Role::Current, renewed.clone()), Changed::State);
    assert_eq!(mail.rollover.current("mail"), Some(&renewed));
    // Under selector 0 it is one.
    let mut whole = Service::new(&["3 0 1"], &["mail"]);
    let _ = whole.deploys(1);
    assert_eq!(whole.sees("mail", Role::Current, renewed), Changed::Records);
    assert_eq!(whole.rollover.published().len(), 2);
}

#[test]
fn a_next_file_that_vanishes_leaves_its_key_vouched_for_until_it_is_deployed() {
    let mut mail = Service::with_key_1();
    let _ = mail.stages(2);
    assert_eq!(mail.rollover.next_is_gone(mail.now, "mail"), Changed::State);
    assert_eq!(mail.rollover.next_is_gone(mail.now, "mail"), Changed::Nothing);
    let _ = mail.waits(DAY * 90);
    assert_eq!(mail.keys("3 1 1"), [1, 2]);
    let _ = mail.deploys(2);
    let _ = mail.presents(&[2]);
    let _ = mail.waits(HOUR * 2);
    assert_eq!(mail.keys("3 1 1"), [2]);
    // It was deployed: nothing keeps it once another certificate has taken its place.
    let _ = mail.deploys(3);
    let _ = mail.presents(&[3]);
    let _ = mail.waits(HOUR * 2);
    assert_eq!(mail.keys("3 1 1"), [3]);
}

#[test]
fn a_next_key_whose_file_stays_is_still_what_comes_next() {
    let mut mail = Service::with_key_1();
    let _ = mail.stages(2);
    let _ = mail.deploys(2);
    let _ = mail.presents(&[2]);
    let _ = mail.deploys(3);
    let _ = mail.presents(&[3]);
    let _ = mail.waits(DAY);
    assert_eq!(mail.keys("3 1 1"), [2, 3]);
    assert_eq!(mail.standing(2), Standing::Ready);
}

#[test]
fn a_next_key_consumed_by_an_order_is_kept_a_day_for_its_certificate() {
    let mut mail = Service::with_key_1();
    let _ = mail.stages(2);
    assert_eq!(mail.stages(3), Changed::Records);
    assert_eq!(mail.keys("3 1 1"), [1, 2, 3]);
    assert_eq!(mail.standing(2), Standing::Orphaned { until: DAY_0 + DAY });
    let _ = mail.waits(HOUR * 20);
    // The order completed: no gap.
    assert_eq!(mail.deploys(2), Changed::State);
    assert_eq!(mail.standing(2), Standing::Ready);
    let _ = mail.presents(&[2]);
    let _ = mail.waits(DAY);
    assert_eq!(mail.keys("3 1 1"), [2, 3]);

    let mut failed = Service::with_key_1();
    let _ = failed.stages(2);
    let _ = failed.stages(3);
    let _ = failed.waits(DAY);
    assert_eq!(failed.keys("3 1 1"), [1, 3]);
}

#[test]
fn an_orphan_is_kept_two_ttls_where_that_is_longer_than_a_day() {
    let mut mail = Service::with_key_1();
    let _ = mail.configures(&["3 1 1"], 86_400, &["mail"]);
    let _ = mail.stages(2);
    let _ = mail.stages(3);
    assert_eq!(mail.standing(2), Standing::Orphaned { until: DAY_0 + DAY * 2 });
}

#[test]
fn nothing_is_published_before_every_slot_has_its_certificate() {
    let mut mail = Service::new(&["3 1 1"], &["rsa", "ecdsa"]);
    assert_eq!(mail.sees("rsa", Role::Next, sample::key(9)), Changed::State);
    assert_eq!(mail.sees("rsa", Role::Current, sample::leaf(1)), Changed::State);
    assert_eq!(mail.rollover.published(), []);
    assert_eq!(mail.rollover.missing().count(), 1);
    assert_eq!(mail.sees("ecdsa", Role::Current, sample::leaf(2)), Changed::Records);
    assert_eq!(mail.keys("3 1 1"), [1, 2, 9]);
    // Each slot rolls by itself.
    let _ = mail.presents(&[1, 2]);
    let _ = mail.sees("rsa", Role::Current, sample::leaf(9));
    let _ = mail.presents(&[9, 2]);
    let _ = mail.waits(HOUR * 2);
    assert_eq!(mail.keys("3 1 1"), [2, 9]);
}

#[test]
fn a_slot_that_is_added_takes_nothing_away_while_it_is_unread() {
    let mut mail = Service::new(&["3 1 1"], &["rsa"]);
    let _ = mail.sees("rsa", Role::Current, sample::leaf(1));
    assert_eq!(mail.configures(&["3 1 1"], 3_600, &["rsa", "ecdsa"]), Changed::State);
    assert_eq!(mail.keys("3 1 1"), [1]);
}

#[test]
fn a_certificate_whose_file_moves_is_vouched_for_until_the_new_file_is_read() {
    let mut mail = Service::blind(&["3 1 1"], &["old.pem"]);
    let _ = mail.sees("old.pem", Role::Current, sample::leaf(1));
    let _ = mail.sees("old.pem", Role::Next, sample::key(2));
    let _ = mail.configures(&["3 1 1"], 3_600, &["new.pem"]);
    assert_eq!(mail.waits(DAY * 7), Changed::Nothing);
    assert_eq!(mail.keys("3 1 1"), [1, 2]);
    assert_eq!(mail.rollover.next_deadline(), None);
    let _ = mail.sees("new.pem", Role::Current, sample::leaf(1));
    let _ = mail.waits(SECOND);
    assert_eq!(mail.keys("3 1 1"), [1]);
    assert_eq!(mail.sees("old.pem", Role::Current, sample::leaf(7)), Changed::Nothing);
}

#[test]
fn every_certificate_contributes_every_parameter_set() {
    let mut mail = Service::new(&["3 1 1", "3 1 2"], &["mail"]);
    let _ = mail.deploys(1);
    let _ = mail.presents(&[1]);
    let _ = mail.stages(2);
    let _ = mail.deploys(3);
    let _ = mail.presents(&[3]);
    assert_eq!(mail.keys("3 1 1"), [1, 2, 3]);
    assert_eq!(mail.keys("3 1 2"), [1, 2, 3]);
    let _ = mail.waits(HOUR * 2);
    assert_eq!(mail.keys("3 1 2"), [2, 3]);
}

#[test]
fn new_parameters_stand_beside_the_old_for_two_ttls_for_draining_keys_too() {
    let mut mail = Service::with_key_1();
    let _ = mail.deploys(2);
    let _ = mail.presents(&[2]);
    let _ = mail.waits(HOUR);
    assert_eq!(mail.configures(&["3 1 2"], 3_600, &["mail"]), Changed::Records);
    assert_eq!((mail.keys("3 1 1"), mail.keys("3 1 2")), (vec![1, 2], vec![1, 2]));
    let _ = mail.waits(HOUR);
    assert_eq!((mail.keys("3 1 1"), mail.keys("3 1 2")), (vec![2], vec![2]));
    assert_eq!(mail.standing(2), draining(DAY_0 + HOUR * 3));
    let _ = mail.waits(HOUR);
    assert_eq!((mail.keys("3 1 1"), mail.keys("3 1 2")), (vec![], vec![2]));
    // Back again while retiring: nothing to wait for.
    let _ = mail.configures(&["3 1 1"], 3_600, &["mail"]);
    let _ = mail.configures(&["3 1 2"], 3_600, &["mail"]);
    assert_eq!(mail.rollover.next_deadline(), Some(mail.now + HOUR * 2));
    let _ = mail.waits(HOUR * 2);
    assert_eq!((mail.keys("3 1 1"), mail.keys("3 1 2")), (vec![], vec![2]));
}

#[test]
fn parameters_that_a_current_certificate_cannot_give_are_refused_as_a_whole() {
    let mut mail = Service::usual();
    let _ = mail.deploys(1);
    let before = mail.rollover.clone();
    let params = parse(&["2 1 1", "3 1 1"]);
    let settings =
        Settings { params: params.clone(), ttl: Ttl(60), sources: sources(&["mail"]), grace: HOUR };
    let (_, refused) = mail.rollover.configure(mail.now, &settings);
    assert_eq!(refused, Err(AssociationError::NoIssuer(params[0])));
    assert_eq!(mail.rollover.params, before.params);
    // The rest is taken.
    assert_eq!((mail.rollover.ttl, mail.rollover.hold()), (Ttl(60), HOUR * 2));
    let before = mail.rollover.clone();
    let error = mail.rollover.observe(mail.now, &sources(&["mail"])[0], sample::key(1)).unwrap_err();
    assert_eq!(error.to_string(), "no certificate found, only a public key");
    assert_eq!(mail.rollover, before);
}

#[test]
fn a_next_key_gives_what_a_key_can_and_names_the_rest() {
    let mut mail = Service::new(&["2 1 1", "3 1 1"], &["mail"]);
    let _ = mail.sees("mail", Role::Current, sample::chain(1, 100));
    let _ = mail.stages(2);
    assert_eq!(mail.rollover.published().len(), 3);
    let (_, gap) = mail.rollover.gaps().next().unwrap();
    let params = "2 1 1".parse().unwrap();
    assert_eq!(gap, AssociationError::NeedsCertificate { params, kind: Kind::PublicKey });
    // The issuer is the same: one record for both.
    let _ = mail.sees("mail", Role::Current, sample::chain(2, 100));
    assert_eq!(mail.rollover.published().len(), 3);

    let mut whole = Service::new(&["3 0 1"], &["mail"]);
    let _ = whole.deploys(1);
    assert!(whole.rollover.observe(whole.now, &sources(&["mail"])[1], sample::key(2)).is_err());
}

#[test]
fn a_lowered_ttl_counts_only_once_caches_have_forgotten_the_higher_one() {
    let mut mail = Service::with_key_1();
    assert_eq!(mail.configures(&["3 1 1"], 60, &["mail"]), Changed::State);
    let _ = mail.waits(SECOND);
    let _ = mail.deploys(2);
    let _ = mail.presents(&[2]);
    assert_eq!(mail.standing(1), draining(mail.now + HOUR * 2));
    let _ = mail.waits(HOUR * 2);
    let _ = mail.deploys(3);
    let _ = mail.presents(&[3]);
    assert_eq!(mail.standing(2), draining(mail.now + Seconds(120)));
}

#[test]
fn a_clock_that_steps_backwards_shortens_no_wait() {
    let mut mail = Service::with_key_1();
    let correct = mail.now;
    mail.now = correct - HOUR * 5;
    let _ = mail.deploys(2);
    let _ = mail.presents(&[2]);
    mail.now = correct;
    assert_eq!(mail.waits(Seconds(7_199)), Changed::State);
    assert_eq!(mail.keys("3 1 1"), [1, 2]);
    assert_eq!(mail.waits(SECOND), Changed::Records);
}

#[test]
fn a_clock_that_is_set_ahead_shortens_no_wait() {
    let mut mail = Service::with_key_1();
    let _ = mail.stages(2);
    let _ = mail.stages(3);
    let _ = mail.waits(HOUR);
    mail.now = mail.now + DAY * 3;
    mail.rollover.clock_was_set_ahead(DAY * 3);
    let _ = mail.waits(Seconds(0));
    assert_eq!(mail.standing(3), announced(mail.now + HOUR));
    assert_eq!(mail.standing(2), Standing::Orphaned { until: mail.now + HOUR * 23 });
}

#[test]
fn no_wait_ends_before_it_would_counted_from_when_the_new_records_are_served() {
    let mut mail = Service::with_key_1();
    let source = &sources(&["mail"])[0];
    let _ = mail.rollover.observe(mail.now, source, sample::leaf(2)).unwrap();
    let shown = vec![Shown { material: sample::leaf(2), by_name: true }];
    let _ = mail.rollover.presented(mail.now, &"mx".into(), shown, None);
    assert_eq!(mail.standing(1), draining(DAY_0 + HOUR * 2));
    // The disk was full for five hours.
    let _ = mail.rollover.is_served(mail.now + HOUR * 5, Some(mail.now));
    assert_eq!(mail.standing(1), draining(DAY_0 + HOUR * 7));
}

#[test]
fn only_a_tick_drops_what_is_due() {
    let mut mail = Service::with_key_1();
    let _ = mail.deploys(2);
    let _ = mail.presents(&[2]);
    mail.now = mail.now + DAY;
    let _ = mail.stages(3);
    assert_eq!(mail.keys("3 1 1"), [1, 2, 3]);
    let _ = mail.waits(Seconds(0));
    assert_eq!(mail.keys("3 1 1"), [2, 3]);
}
