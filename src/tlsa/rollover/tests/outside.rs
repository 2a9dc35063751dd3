//! What nameservers serve and what the service presents.

use super::*;

fn gate_open(mail: &Service) -> bool {
    mail.rollover.gate(None).open
}

fn except(names: &[&str]) -> BTreeSet<Arc<str>> {
    names.iter().map(|&name| name.into()).collect()
}

#[test]
fn a_key_is_ready_two_ttls_after_the_slowest_nameserver_was_seen_to_serve_it() {
    let mut mail = Service::with_key_1();
    mail.looks_at(&["ns1 192.0.2.1:53", "ns2 192.0.2.2:53"], &["mx"]);
    let _ = mail.stages(2);
    let _ = mail.serves("ns1 192.0.2.1:53", &[1, 2]);
    let _ = mail.waits(DAY);
    assert_eq!(mail.standing(2), Standing::Announced { until: None });
    assert!(!gate_open(&mail));
    let waits: Vec<_> = mail.rollover.gate(None).keys.remove(0).lacking;
    assert_eq!(waits.len(), 1);
    assert_eq!(&*waits[0].place.server, "ns2 192.0.2.2:53");
    let _ = mail.rollover.missed(mail.now, &place("ns2 192.0.2.2:53"), "does not answer");
    assert!(mail.rollover.gate(None).keys[0].lacking[0].error.is_some());
    let _ = mail.serves("ns2 192.0.2.2:53", &[1, 2]);
    assert_eq!(mail.standing(2), announced(mail.now + HOUR * 2));
    let _ = mail.waits(Seconds(7_199));
    assert!(!gate_open(&mail));
    let _ = mail.waits(SECOND);
    assert!(gate_open(&mail));
    // Silence is no step back; to serve the old records again is one.
    let _ = mail.rollover.missed(mail.now, &place("ns1 192.0.2.1:53"), "does not answer");
    assert!(gate_open(&mail));
    let _ = mail.serves("ns1 192.0.2.1:53", &[1]);
    assert!(!gate_open(&mail));
    let _ = mail.serves("ns1 192.0.2.1:53", &[1, 2]);
    assert_eq!(mail.standing(2), announced(mail.now + HOUR * 2));
}

#[test]
fn a_ttl_that_a_secondary_still_serves_counts() {
    let mut mail = Service::with_key_1();
    mail.looks_at(&["ns1"], &["mx"]);
    let _ = mail.configures(&["3 1 1"], 60, &["mail"]);
    let _ = mail.waits(DAY);
    // It has not transferred since, and gives out a whole hour more.
    let _ = mail.serves("ns1", &[1]);
    let _ = mail.stages(2);
    let seen = mail.now;
    let records: Vec<_> = [1, 2].iter().flat_map(|&key| mail.records(key)).collect();
    let _ = mail.rollover.saw(seen, &place("ns1"), &records, Some(Ttl(60)));
    assert_eq!(mail.standing(2), announced(seen + HOUR * 2));
}

#[test]
fn a_ttl_counts_until_the_secondary_that_served_it_is_seen_with_another_however_long_that_takes() {
    let mut mail = Service::with_key_1();
    mail.looks_at(&["ns1"], &["mx"]);
    let _ = mail.serves("ns1", &[1]);
    let _ = mail.configures(&["3 1 1"], 60, &["mail"]);
    // Nobody could look at it meanwhile, while others could.
    let _ = mail.rollover.missed(mail.now, &place("ns1"), "does not answer");
    let _ = mail.waits(DAY);
    mail.restarts();
    let _ = mail.stages(2);
    let seen = mail.now;
    let records: Vec<_> = [1, 2].iter().flat_map(|&key| mail.records(key)).collect();
    let _ = mail.rollover.saw(seen, &place("ns1"), &records, Some(Ttl(60)));
    assert_eq!(mail.standing(2), announced(seen + HOUR * 2));
}

#[test]
fn a_nameserver_that_nobody_waits_for_is_left_out_for_the_keys_of_that_moment_only() {
    let mut mail = Service::with_key_1();
    mail.looks_at(&["ns1 192.0.2.1:53", "ns3 192.0.2.3:53"], &["mx"]);
    let _ = mail.stages(2);
    let _ = mail.serves("ns1 192.0.2.1:53", &[1, 2]);
    let _ = mail.waits(HOUR * 2);
    assert!(!gate_open(&mail));
    let _ = mail.rollover.leave_out(mail.now, &except(&["ns3"]));
    assert!(gate_open(&mail));
    mail.restarts();
    assert!(gate_open(&mail));
    let entry = mail.rollover.entries().into_iter().find(|entry| !entry.except.is_empty()).unwrap();
    assert_eq!(entry.except, ["ns3".into()]);
    let _ = mail.stages(3);
    let _ = mail.serves("ns1 192.0.2.1:53", &[1, 2, 3]);
    let _ = mail.waits(HOUR * 2);
    assert!(!gate_open(&mail));
}

#[test]
fn the_gate_goes_by_the_certificate_file_then_by_the_next_key_then_there_is_nothing_to_deploy() {
    let mut mail = Service::usual();
    assert!(!gate_open(&mail), "no record yet");
    let _ = mail.deploys(1);
    let _ = mail.presents(&[1]);
    assert!(gate_open(&mail), "the same key again");
    let _ = mail.stages(2);
    let _ = mail.waits(HOUR * 2);
    assert!(gate_open(&mail));
    // certbot: a fresh key in live/.
    let _ = mail.deploys(3);
    assert!(!gate_open(&mail));
    assert!(mail.rollover.gate(Some(&sample::key(2))).open);
    assert!(!mail.rollover.gate(Some(&sample::leaf(3))).open);
    let _ = mail.waits(HOUR * 2);
    assert!(gate_open(&mail));
}

#[test]
fn a_key_that_the_gate_is_asked_for_is_announced_and_kept_while_somebody_asks() {
    let mut mail = Service::with_key_1();
    assert!(mail.rollover.gate(Some(&sample::leaf(7))).keys.is_empty());
    assert_eq!(mail.rollover.ask(mail.now, sample::leaf(7), &except(&[])), Ok(Changed::Records));
    let _ = mail.rollover.is_served(mail.now, Some(mail.now));
    assert_eq!(mail.rollover.ask(mail.now, sample::leaf(7), &except(&[])), Ok(Changed::Nothing));
    let _ = mail.waits(HOUR * 2);
    assert!(mail.rollover.gate(Some(&sample::leaf(7))).open);
    let _ = mail.waits(ASKED_KEEP);
    assert_eq!(mail.standing(7), Standing::Orphaned { until: mail.now + HOUR * 2 });
    let _ = mail.waits(HOUR * 2);
    assert_eq!(mail.keys("3 1 1"), [1]);
}

#[test]
fn what_any_endpoint_presents_stays_whatever_the_files_say() {
    let mut mail = Service::usual();
    mail.looks_at(&[], &["mx", "submission"]);
    let _ = mail.deploys(1);
    let _ = mail.presents_at("mx", &[1]);
    let _ = mail.presents_at("submission", &[1]);
    let _ = mail.deploys(2);
    let _ = mail.presents_at("mx", &[2]);
    // Submission was not reloaded, and then cannot be reached.
    let _ = mail.rollover.hidden(mail.now, &"submission".into());
    let _ = mail.waits(DAY * 365);
    assert_eq!(mail.keys("3 1 1"), [1, 2]);
    assert_eq!(mail.standing(1), Standing::Live);
    let _ = mail.presents_at("submission", &[2]);
    let _ = mail.waits(HOUR * 2);
    assert_eq!(mail.keys("3 1 1"), [2]);
}

#[test]
fn nothing_is_dropped_before_every_endpoint_was_looked_at_once() {
    let mut mail = Service::with_key_1();
    let _ = mail.deploys(2);
    let _ = mail.presents(&[2]);
    mail.looks_at(&[], &["mx", "new"]);
    let _ = mail.waits(DAY);
    assert_eq!(mail.keys("3 1 1"), [1, 2]);
    let _ = mail.presents_at("new", &[1]);
    let _ = mail.waits(DAY);
    assert_eq!((mail.keys("3 1 1"), mail.standing(1)), (vec![1, 2], Standing::Live));
}

#[test]
fn a_key_that_is_presented_and_not_published_is_published_at_once_and_caches_may_fail_for_a_ttl() {
    let mut mail = Service::with_key_1();
    mail.looks_at(&["ns1"], &["mx"]);
    let _ = mail.serves("ns1", &[1]);
    let _ = mail.waits(DAY);
    assert_eq!(mail.presents(&[9]), Changed::Records);
    assert_eq!(mail.keys("3 1 1"), [1, 9]);
    let exposure = mail.rollover.exposures().remove(0);
    assert!(exposure.healed);
    assert_eq!((exposure.from, exposure.until), (mail.now - MINUTE * 5, None));
    let _ = mail.waits(MINUTE);
    let _ = mail.serves("ns1", &[1, 9]);
    let seen = mail.now;
    assert_eq!(mail.rollover.exposures()[0].until, Some(seen + HOUR));
    assert_eq!(mail.rollover.next_deadline(), Some(seen + HOUR));
    mail.restarts();
    let _ = mail.rollover.hidden(mail.now, &"mx".into());
    let _ = mail.waits(Seconds(3_599));
    assert_eq!(mail.rollover.exposures().len(), 1);
    let _ = mail.waits(SECOND);
    assert_eq!(mail.rollover.exposures(), []);
    // The certificate file comes to hold it.
    let _ = mail.deploys(9);
    let _ = mail.waits(HOUR * 2);
    assert_eq!((mail.keys("3 1 1"), mail.standing(9)), (vec![9], Standing::Live));
}

/// PEERS.md, Stalwart, cert-manager: activated first and announced afterwards.
#[test]
fn a_certificate_that_is_in_use_before_it_is_ready_is_an_exposure_too() {
    let mut mail = Service::with_key_1();
    let _ = mail.deploys(2);
    let _ = mail.waits(MINUTE);
    let _ = mail.presents(&[2]);
    let exposure = mail.rollover.exposures().remove(0);
    assert!(!exposure.healed);
    assert_eq!(exposure.until, Some(DAY_0 + HOUR));
}

#[test]
fn an_outage_that_nobody_saw_is_told_of_afterwards() {
    let mut mail = Service::with_key_1();
    let deployed = mail.now;
    let _ = mail.deploys(2);
    let _ = mail.waits(HOUR * 5);
    let shown = vec![Shown { material: sample::leaf(2), by_name: true }];
    let _ = mail.rollover.presented(mail.now, &"mx".into(), shown, Some(deployed));
    let exposure = mail.rollover.exposures().remove(0);
    assert!(exposure.over);
    assert_eq!((exposure.from, exposure.until), (deployed, Some(deployed + HOUR)));
    let _ = mail.waits(TELL_LATE);
    assert_eq!(mail.rollover.exposures(), []);
}

#[test]
fn what_is_presented_to_those_who_ask_for_no_name_is_kept_and_not_added() {
    let mut mail = Service::with_key_1();
    let shown = |key, by_name| Shown { material: sample::leaf(key), by_name };
    let both = vec![shown(1, true), shown(8, false)];
    assert_eq!(mail.rollover.presented(mail.now, &"mx".into(), both, None), Changed::Nothing);
    let _ = mail.deploys(2);
    let _ = mail.rollover.presented(mail.now, &"mx".into(), vec![shown(2, true), shown(1, false)], None);
    let _ = mail.waits(DAY);
    assert_eq!(mail.keys("3 1 1"), [1, 2]);
}

#[test]
fn a_compromised_key_goes_as_soon_as_another_is_live_and_does_not_come_back() {
    let mut mail = Service::with_key_1();
    let _ = mail.stages(2);
    assert!(!gate_open(&mail));
    assert_eq!(mail.rollover.compromise(mail.now), Changed::State);
    assert!(gate_open(&mail), "waiting costs more than it saves");
    assert_eq!(mail.keys("3 1 1"), [1, 2]);
    let _ = mail.deploys(2);
    assert_eq!(mail.presents(&[2]), Changed::Records);
    assert_eq!(mail.keys("3 1 1"), [2]);
    assert_eq!(mail.standing(1), Standing::Withdrawn);
    assert_eq!(mail.rollover.exposures().len(), 1, "caches that know the old key only fail for a while");
    // Another endpoint still presents it.
    mail.looks_at(&[], &["mx", "submission"]);
    let _ = mail.presents_at("submission", &[1]);
    assert_eq!(mail.keys("3 1 1"), [2]);
    mail.restarts();
    assert_eq!(mail.keys("3 1 1"), [2]);
    let _ = mail.presents_at("submission", &[2]);
    let _ = mail.waits(DAY * 2);
    assert_eq!(mail.rollover.entries().len(), 1);
}

#[test]
fn a_compromised_rsa_key_leaves_the_ecdsa_key_beside_it_alone_until_that_is_replaced_too() {
    let mut mail = Service::new(&["3 1 1"], &["rsa", "ecdsa"]);
    let _ = mail.sees("rsa", Role::Current, sample::leaf(1));
    let _ = mail.sees("ecdsa", Role::Current, sample::leaf(51));
    let _ = mail.presents(&[1, 51]);
    let _ = mail.rollover.compromise(mail.now);
    assert_eq!(mail.keys("3 1 1"), [1, 51]);
}

#[test]
fn caches_that_were_filled_from_a_nameserver_until_it_was_taken_out_have_their_time() {
    let mut mail = Service::with_key_1();
    mail.looks_at(&["ns1", "ns2"], &["mx"]);
    let _ = (mail.serves("ns1", &[1]), mail.serves("ns2", &[1]));
    let _ = mail.stages(2);
    let _ = mail.serves("ns1", &[1, 2]);
    let _ = mail.waits(HOUR * 6);
    assert_eq!(mail.standing(2), Standing::Announced { until: None });
    mail.looks_at(&["ns1"], &["mx"]);
    assert_eq!(mail.standing(2), announced(mail.now + HOUR * 2));
    // One that had it all along changes nothing.
    let _ = mail.waits(HOUR);
    mail.looks_at(&["ns1", "ns3"], &["mx"]);
    let _ = mail.serves("ns3", &[1, 2]);
    let until = mail.now + HOUR * 2;
    mail.looks_at(&["ns3"], &["mx"]);
    assert_eq!(mail.standing(2), announced(until));
}

#[test]
fn a_nameserver_that_was_the_slowest_and_is_taken_out_was_the_slowest_nevertheless() {
    let mut mail = Service::with_key_1();
    mail.looks_at(&["ns1", "ns2"], &["mx"]);
    let _ = mail.serves("ns1", &[1]);
    let _ = mail.serves("ns2", &[1]);
    let _ = mail.stages(2);
    let _ = mail.serves("ns1", &[1, 2]);
    let _ = mail.waits(MINUTE * 90);
    let _ = mail.serves("ns2", &[1, 2]);
    let seen = mail.now;
    let _ = mail.waits(MINUTE * 10);
    mail.looks_at(&["ns1"], &["mx"]);
    let _ = mail.waits(MINUTE * 30);
    assert!(!gate_open(&mail), "caches have the old records from ns2");
    assert_eq!(mail.standing(2), announced(seen + HOUR * 2));
    mail.restarts();
    let _ = mail.waits(MINUTE * 80);
    assert!(gate_open(&mail));
}

#[test]
fn a_nameserver_that_nobody_waited_for_may_be_taken_out() {
    let mut mail = Service::with_key_1();
    mail.looks_at(&["ns1", "ns2"], &["mx"]);
    let _ = mail.serves("ns1", &[1]);
    let _ = mail.serves("ns2", &[1]);
    let _ = mail.stages(2);
    let _ = mail.serves("ns1", &[1, 2]);
    let _ = mail.rollover.leave_out(mail.now, &except(&["ns2"]));
    let _ = mail.waits(HOUR * 2);
    assert!(gate_open(&mail));
    mail.looks_at(&["ns1"], &["mx"]);
    assert!(gate_open(&mail));
}

#[test]
fn the_larger_ttl_of_a_nameserver_that_is_taken_out_counts_once_more() {
    let mut mail = Service::with_key_1();
    mail.looks_at(&["ns1"], &["mx"]);
    let _ = mail.rollover.saw(mail.now, &place("ns1"), &mail.records(1), Some(Ttl(86_400)));
    mail.looks_at(&[], &["mx"]);
    assert_eq!(mail.rollover.hold(), DAY * 2);
    let _ = mail.stages(2);
    assert_eq!(mail.standing(2), announced(mail.now + DAY * 2));
}

#[test]
fn a_server_that_presents_ever_new_keys_has_some_of_them_published_and_no_more() {
    let mut mail = Service::with_key_1();
    for key in 10..40 {
        let _ = mail.presents(&[key]);
    }
    assert!(mail.rollover.is_crowded());
    assert_eq!(mail.keys("3 1 1").len(), 1 + MAX_HEALED);
    let _ = mail.presents(&[1]);
    let _ = mail.waits(DAY);
    assert!(!mail.rollover.is_crowded());
    assert_eq!(mail.keys("3 1 1"), [1]);
}

#[test]
fn what_a_server_presents_is_read_back_even_if_no_file_may_hold_it() {
    let mut mail = Service::with_key_1();
    let (one, other) = (sample::leaf(5), sample::leaf(6));
    let chain = [one.leaf().unwrap().der(), other.leaf().unwrap().der()];
    let material = Material::presented(&chain).unwrap();
    let shown = vec![Shown { material, by_name: true }];
    let _ = mail.rollover.presented(mail.now, &"mx".into(), shown, None);
    mail.restarts();
    assert_eq!(mail.keys("3 1 1"), [1, 5]);
}

/// Found by a year of the simulation: the TTL had been lowered before anybody could look.
#[test]
fn the_end_of_an_outage_that_nobody_saw_goes_by_the_ttl_of_its_time() {
    let mut mail = Service::with_key_1();
    mail.looks_at(&["ns1"], &["mx"]);
    let _ = mail.serves("ns1", &[1]);
    let _ = mail.waits(DAY);
    let deployed = mail.now;
    let _ = mail.deploys(2);
    let _ = mail.serves("ns1", &[1, 2]);
    let _ = mail.waits(MINUTE * 20);
    let _ = mail.configures(&["3 1 1"], 300, &["mail"]);
    let _ = mail.rollover.saw(
        mail.now,
        &place("ns1"),
        &[mail.records(1), mail.records(2)].concat(),
        Some(Ttl(300)),
    );
    let _ = mail.waits(HOUR * 10);
    mail.restarts();
    let shown = vec![Shown { material: sample::leaf(2), by_name: true }];
    let _ = mail.rollover.presented(mail.now, &"mx".into(), shown, Some(deployed));
    let told: Vec<_> =
        mail.rollover.exposures().iter().map(|each| (each.over, each.from, each.until)).collect();
    assert_eq!(told, [(true, deployed, Some(deployed + HOUR))]);
}
