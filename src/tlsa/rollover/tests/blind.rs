//! Where nobody looks at the service, the certificate file has to do.

use super::*;

fn mail() -> Service {
    let mut mail = Service::blind(&["3 1 1"], &["mail"]);
    let _ = mail.deploys(1);
    mail
}

#[test]
fn the_first_certificate_counts_as_live_at_once_and_the_next_when_it_could_be_deployed_and_the_grace_is_over()
{
    let mut mail = mail();
    assert_eq!(mail.standing(1), Standing::Live);
    let _ = mail.deploys(2);
    assert_eq!((mail.standing(1), mail.standing(2)), (Standing::Live, announced(DAY_0 + HOUR * 2)));
    let _ = mail.waits(HOUR * 2);
    assert_eq!((mail.standing(1), mail.standing(2)), (Standing::Live, Standing::Ready));
    // Whoever asked the gate deploys now.
    let _ = mail.waits(MINUTE * 10);
    assert_eq!((mail.standing(1), mail.standing(2)), (draining(mail.now + HOUR * 2), Standing::Live));
    let _ = mail.waits(HOUR * 2);
    assert_eq!(mail.keys("3 1 1"), [2]);
}

/// Found by a year of the simulation: whoever waits for the gate cannot deploy while nobody answers there.
#[test]
fn the_grace_of_who_could_not_ask_the_gate_begins_when_he_can() {
    let mut mail = mail();
    let _ = mail.deploys(2);
    let _ = mail.waits(HOUR);
    let _ = mail.sleeps(DAY);
    assert_eq!((mail.standing(1), mail.standing(2)), (Standing::Live, Standing::Ready));
    let _ = mail.waits(MINUTE * 9);
    assert_eq!(mail.standing(1), Standing::Live);
    let _ = mail.sleeps(MINUTE * 30);
    assert_eq!(mail.standing(1), Standing::Live);
    let _ = mail.waits(MINUTE * 10);
    assert_eq!((mail.standing(1), mail.standing(2)), (draining(mail.now + HOUR * 2), Standing::Live));
}

#[test]
fn while_a_nameserver_lags_nobody_can_have_deployed_and_nothing_goes() {
    let mut mail = mail();
    mail.looks_at(&["ns1"], &[]);
    let _ = mail.serves("ns1", &[1]);
    let _ = mail.deploys(2);
    let _ = mail.waits(DAY * 30);
    assert_eq!(mail.standing(2), Standing::Announced { until: None });
    assert_eq!(mail.standing(1), Standing::Live);
    let _ = mail.serves("ns1", &[1, 2]);
    let _ = mail.waits(HOUR * 2 + MINUTE * 10);
    assert_eq!(mail.standing(1), draining(mail.now + HOUR * 2));
}

#[test]
fn of_several_certificates_in_a_row_any_may_be_in_use_until_the_last_one_is() {
    let mut mail = mail();
    let _ = mail.deploys(2);
    let _ = mail.waits(HOUR);
    let _ = mail.deploys(3);
    assert_eq!(mail.standing(2), Standing::Draining { until: None });
    let _ = mail.waits(HOUR * 2 + MINUTE * 10);
    assert_eq!(mail.standing(3), Standing::Live);
    let until = mail.now + HOUR * 2;
    assert_eq!((mail.standing(1), mail.standing(2)), (draining(until), draining(until)));
    let _ = mail.waits(HOUR * 2);
    assert_eq!(mail.keys("3 1 1"), [3]);
}

#[test]
fn going_back_to_the_old_certificate_leaves_it_live() {
    let mut mail = mail();
    let _ = mail.deploys(2);
    let _ = mail.waits(HOUR);
    assert_eq!(mail.deploys(1), Changed::State);
    assert_eq!(mail.standing(1), Standing::Live);
    assert_eq!(mail.standing(2), draining(DAY_0 + HOUR * 3));
    let _ = mail.waits(DAY);
    assert_eq!(mail.keys("3 1 1"), [1]);
}

#[test]
fn an_endpoint_that_was_never_reached_is_as_if_nobody_looked() {
    let mut mail = Service::with_key_1();
    mail.looks_at(&[], &["mx", "mx over v6"]);
    let _ = mail.rollover.hidden(mail.now, &"mx over v6".into());
    assert!(!mail.rollover.is_blind());
    let mut unreachable = Service::usual();
    let _ = unreachable.deploys(1);
    assert!(unreachable.rollover.is_blind());
    assert_eq!(unreachable.standing(1), Standing::Live);
    let _ = unreachable.deploys(2);
    let _ = unreachable.waits(HOUR * 2 + MINUTE * 10);
    assert_eq!(unreachable.standing(2), Standing::Live);
}

#[test]
fn a_certificate_that_is_added_beside_another_one_waits_as_any_other() {
    let mut mail = mail();
    let _ = mail.configures(&["3 1 1"], 3_600, &["mail", "ecdsa"]);
    let _ = mail.sees("ecdsa", Role::Current, sample::leaf(50));
    assert_eq!((mail.standing(1), mail.standing(50)), (Standing::Live, announced(DAY_0 + HOUR * 2)));
    assert!(!mail.rollover.gate(None).open);
    let _ = mail.waits(HOUR * 2 + MINUTE * 10);
    assert_eq!((mail.standing(1), mail.standing(50)), (Standing::Live, Standing::Live));
}

#[test]
fn the_key_of_a_file_that_is_named_no_more_is_live_until_what_is_in_its_place_is() {
    let mut mail = mail();
    let _ = mail.configures(&["3 1 1"], 3_600, &["new"]);
    let _ = mail.sees("new", Role::Current, sample::leaf(2));
    assert_eq!((mail.standing(1), mail.standing(2)), (Standing::Live, announced(DAY_0 + HOUR * 2)));
    let _ = mail.waits(HOUR * 2 + MINUTE * 10);
    assert_eq!((mail.standing(1), mail.standing(2)), (draining(mail.now + HOUR * 2), Standing::Live));
    let _ = mail.waits(HOUR * 2);
    assert_eq!(mail.keys("3 1 1"), [2]);
}

#[test]
fn a_restart_takes_nothing_from_a_grace_that_began_anew() {
    let mut mail = mail();
    mail.grace = DAY;
    let _ = mail.configures(&["3 1 1"], 3_600, &["mail"]);
    let _ = mail.deploys(2);
    let _ = mail.waits(HOUR * 2);
    let _ = mail.sleeps(HOUR * 12);
    let _ = mail.waits(MINUTE);
    mail.restarts();
    let _ = mail.waits(HOUR * 23);
    assert_eq!((mail.standing(1), mail.standing(2)), (Standing::Live, Standing::Ready));
    let _ = mail.waits(HOUR);
    assert_eq!(mail.standing(2), Standing::Live);
}
