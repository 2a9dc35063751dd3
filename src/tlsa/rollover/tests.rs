use super::record::{Record, RecordError};
use super::*;
use crate::dns::time::HOUR;
use crate::tlsa::sample;

const DAY_0: Timestamp = Timestamp(1_767_225_600);
const SECOND: Seconds = Seconds(1);

/// One service, its clock, and letters for its keys.
struct Service {
    now: Timestamp,
    rollover: Rollover,
}

impl Service {
    fn new(params: &[&str], slots: &[&str]) -> Self {
        Self { now: DAY_0, rollover: Rollover::new(&parse(params), Ttl(3_600), &sources(slots)) }
    }

    /// `3 1 1`, one certificate, one hour.
    fn usual() -> Self {
        Self::new(&["3 1 1"], &["mail"])
    }

    fn sees(&mut self, slot: &str, role: Role, material: Material) -> Changed {
        let source = Source { slot: slot.into(), role };
        self.rollover.observe(self.now, &source, material).unwrap()
    }

    fn deploys(&mut self, key: u8) -> Changed {
        self.sees("mail", Role::Current, sample::leaf(key))
    }

    fn stages(&mut self, key: u8) -> Changed {
        self.sees("mail", Role::Next, sample::key(key))
    }

    fn waits(&mut self, span: Seconds) -> Changed {
        self.now = self.now + span;
        self.rollover.tick(self.now)
    }

    /// The keys that are vouched for under `params`.
    fn keys(&self, params: &str) -> Vec<u8> {
        let published = self.rollover.published();
        let vouched = |key: &u8| {
            let association = Association::new(params.parse().unwrap(), &sample::leaf(*key)).unwrap();
            published.contains(&association)
        };
        (0..=255).filter(vouched).collect()
    }

    fn standing(&self, key: u8) -> Standing {
        let association = Association::new(Params::DEFAULT, &sample::key(key)).unwrap();
        let entries = self.rollover.entries();
        entries.iter().find(|entry| entry.association == association).unwrap().standing
    }

    fn configures(&mut self, params: &[&str], ttl: u32, slots: &[&str]) -> Changed {
        self.rollover.configure(self.now, &parse(params), Ttl(ttl), &sources(slots)).unwrap()
    }
}

fn parse(params: &[&str]) -> Vec<Params> {
    params.iter().map(|text| text.parse().unwrap()).collect()
}

/// Certificate and next file of every slot.
fn sources(slots: &[&str]) -> Vec<Source> {
    let roles = [Role::Current, Role::Next];
    slots.iter().flat_map(|slot| roles.map(|role| Source { slot: (*slot).into(), role })).collect()
}

#[test]
fn current_and_next_are_published_together() {
    let mut mail = Service::usual();
    assert_eq!(mail.deploys(1), Changed::Records);
    assert_eq!(mail.stages(2), Changed::Records);
    assert_eq!(mail.keys("3 1 1"), [1, 2]);
    assert_eq!(mail.standing(2), Standing::Announced { gone: false });
    assert_eq!(mail.rollover.next_deadline(), None);
    assert_eq!(mail.waits(DAY * 300), Changed::Nothing);
    assert!(mail.rollover.published().is_sorted());
}

#[test]
fn a_new_certificate_is_published_at_once_and_the_old_one_for_two_ttls_more() {
    let mut mail = Service::usual();
    let _ = mail.deploys(1);
    assert_eq!(mail.deploys(2), Changed::Records);
    assert_eq!(mail.keys("3 1 1"), [1, 2]);
    assert_eq!(mail.rollover.next_deadline(), Some(DAY_0 + HOUR * 2));
    assert_eq!(mail.waits(Seconds(7_199)), Changed::Nothing);
    assert_eq!(mail.keys("3 1 1"), [1, 2]);
    assert_eq!(mail.waits(SECOND), Changed::Records);
    assert_eq!(mail.keys("3 1 1"), [2]);
    assert_eq!(mail.rollover.next_deadline(), None);
}

#[test]
fn a_next_key_that_is_deployed_is_promoted_without_a_gap() {
    let mut mail = Service::usual();
    let _ = mail.deploys(1);
    let _ = mail.stages(2);
    assert_eq!(mail.deploys(2), Changed::State);
    assert_eq!(mail.keys("3 1 1"), [1, 2]);
    assert_eq!(mail.standing(2), Standing::Live);
    assert_eq!(mail.standing(1), Standing::Draining { until: DAY_0 + HOUR * 2 });
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
    assert_eq!(mail.rollover.live("mail"), Some(&renewed));
    // Under selector 0 it is one.
    let mut whole = Service::new(&["3 0 1"], &["mail"]);
    let _ = whole.deploys(1);
    assert_eq!(whole.sees("mail", Role::Current, renewed), Changed::Records);
    assert_eq!(whole.rollover.published().len(), 2);
}

#[test]
fn a_next_file_that_vanishes_leaves_its_key_vouched_for_until_it_is_deployed() {
    let mut mail = Service::usual();
    let _ = mail.deploys(1);
    let _ = mail.stages(2);
    assert_eq!(mail.rollover.next_is_gone(mail.now, "mail"), Changed::State);
    assert_eq!(mail.rollover.next_is_gone(mail.now, "mail"), Changed::Nothing);
    assert_eq!(mail.waits(DAY * 90), Changed::Nothing);
    assert_eq!(mail.keys("3 1 1"), [1, 2]);
    let _ = mail.deploys(2);
    let _ = mail.waits(HOUR * 2);
    assert_eq!(mail.keys("3 1 1"), [2]);
    // It was deployed: nothing keeps it once another certificate has taken its place.
    let _ = mail.deploys(3);
    let _ = mail.waits(HOUR * 2);
    assert_eq!(mail.keys("3 1 1"), [3]);
}

#[test]
fn a_next_key_whose_file_stays_is_still_what_comes_next() {
    let mut mail = Service::usual();
    let _ = mail.deploys(1);
    let _ = mail.stages(2);
    let _ = mail.deploys(2);
    let _ = mail.deploys(3);
    let _ = mail.waits(DAY);
    assert_eq!(mail.keys("3 1 1"), [2, 3]);
    assert_eq!(mail.standing(2), Standing::Announced { gone: false });
}

#[test]
fn a_next_key_consumed_by_an_order_is_kept_a_day_for_its_certificate() {
    let mut mail = Service::usual();
    let _ = mail.deploys(1);
    let _ = mail.stages(2);
    assert_eq!(mail.stages(3), Changed::Records);
    assert_eq!(mail.keys("3 1 1"), [1, 2, 3]);
    assert_eq!(mail.standing(2), Standing::Orphaned { until: DAY_0 + DAY });
    let _ = mail.waits(HOUR * 20);
    // The order completed: no gap.
    assert_eq!(mail.deploys(2), Changed::State);
    assert_eq!(mail.standing(2), Standing::Live);
    let _ = mail.waits(DAY);
    assert_eq!(mail.keys("3 1 1"), [2, 3]);

    let mut failed = Service::usual();
    let _ = failed.deploys(1);
    let _ = failed.stages(2);
    let _ = failed.stages(3);
    let _ = failed.waits(DAY);
    assert_eq!(failed.keys("3 1 1"), [1, 3]);
}

#[test]
fn an_orphan_is_kept_two_ttls_where_that_is_longer_than_a_day() {
    let mut mail = Service::usual();
    let _ = mail.configures(&["3 1 1"], 86_400, &["mail"]);
    let _ = mail.deploys(1);
    let _ = mail.stages(2);
    let _ = mail.stages(3);
    assert_eq!(mail.standing(2), Standing::Orphaned { until: DAY_0 + DAY * 2 });
}

#[test]
fn going_back_to_the_old_certificate_makes_it_live_again() {
    let mut mail = Service::usual();
    let _ = mail.deploys(1);
    let _ = mail.deploys(2);
    let _ = mail.waits(HOUR);
    assert_eq!(mail.deploys(1), Changed::State);
    assert_eq!(mail.standing(1), Standing::Live);
    assert_eq!(mail.standing(2), Standing::Draining { until: DAY_0 + HOUR * 3 });
    let _ = mail.waits(DAY);
    assert_eq!(mail.keys("3 1 1"), [1]);
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
    let _ = mail.sees("rsa", Role::Current, sample::leaf(9));
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
    let mut mail = Service::new(&["3 1 1"], &["old.pem"]);
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
    let _ = mail.stages(2);
    let _ = mail.deploys(3);
    assert_eq!(mail.keys("3 1 1"), [1, 2, 3]);
    assert_eq!(mail.keys("3 1 2"), [1, 2, 3]);
    let _ = mail.waits(HOUR * 2);
    assert_eq!(mail.keys("3 1 2"), [2, 3]);
}

#[test]
fn new_parameters_stand_beside_the_old_for_two_ttls_for_draining_keys_too() {
    let mut mail = Service::usual();
    let _ = mail.deploys(1);
    let _ = mail.deploys(2);
    let _ = mail.waits(HOUR);
    assert_eq!(mail.configures(&["3 1 2"], 3_600, &["mail"]), Changed::Records);
    assert_eq!((mail.keys("3 1 1"), mail.keys("3 1 2")), (vec![1, 2], vec![1, 2]));
    let _ = mail.waits(HOUR);
    assert_eq!((mail.keys("3 1 1"), mail.keys("3 1 2")), (vec![2], vec![2]));
    assert_eq!(mail.standing(2), Standing::Draining { until: DAY_0 + HOUR * 3 });
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
fn parameters_that_a_live_certificate_cannot_give_are_refused_as_a_whole() {
    let mut mail = Service::usual();
    let _ = mail.deploys(1);
    let before = mail.rollover.clone();
    let params = parse(&["2 1 1", "3 1 1"]);
    let refused = mail.rollover.configure(mail.now, &params, Ttl(60), &sources(&["mail"]));
    assert_eq!(refused, Err(AssociationError::NoIssuer(params[0])));
    assert_eq!(mail.rollover, before);
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
    let mut mail = Service::usual();
    let _ = mail.deploys(1);
    assert_eq!(mail.configures(&["3 1 1"], 60, &["mail"]), Changed::State);
    let _ = mail.waits(SECOND);
    let _ = mail.deploys(2);
    assert_eq!(mail.standing(1), Standing::Draining { until: mail.now + HOUR * 2 });
    let _ = mail.waits(HOUR * 2);
    let _ = mail.deploys(3);
    assert_eq!(mail.standing(2), Standing::Draining { until: mail.now + Seconds(120) });
}

#[test]
fn a_clock_that_steps_backwards_shortens_no_wait() {
    let mut mail = Service::usual();
    let _ = mail.deploys(1);
    let correct = mail.now;
    mail.now = correct - HOUR * 5;
    let _ = mail.deploys(2);
    mail.now = correct;
    assert_eq!(mail.waits(Seconds(7_199)), Changed::Nothing);
    assert_eq!(mail.keys("3 1 1"), [1, 2]);
    assert_eq!(mail.waits(SECOND), Changed::Records);
}

#[test]
fn a_wait_starts_anew_from_when_its_records_are_served() {
    let mut mail = Service::usual();
    let _ = mail.deploys(1);
    let _ = mail.deploys(2);
    let _ = mail.configures(&["3 1 2"], 3_600, &["mail"]);
    mail.now = mail.now + HOUR;
    mail.rollover.postpone(HOUR);
    assert_eq!(mail.rollover.next_deadline(), Some(DAY_0 + HOUR * 3));
    assert_eq!(mail.waits(Seconds(7_199)), Changed::Nothing);
    assert_eq!(mail.waits(SECOND), Changed::Records);
    assert_eq!(mail.rollover.published().len(), 1);
}

#[test]
fn only_a_tick_drops_what_is_due() {
    let mut mail = Service::usual();
    let _ = mail.deploys(1);
    let _ = mail.deploys(2);
    mail.now = mail.now + DAY;
    let _ = mail.stages(3);
    assert_eq!(mail.keys("3 1 1"), [1, 2, 3]);
    let _ = mail.waits(Seconds(0));
    assert_eq!(mail.keys("3 1 1"), [2, 3]);
}

#[test]
fn a_restart_goes_on_with_every_deadline() {
    let mut mail = Service::new(&["3 1 1", "3 1 2"], &["mail", "ecdsa"]);
    let _ = mail.sees("ecdsa", Role::Current, sample::chain(50, 51));
    let _ = mail.deploys(1);
    let _ = mail.stages(2);
    let _ = mail.stages(3);
    let _ = mail.deploys(4);
    let _ = mail.rollover.next_is_gone(mail.now, "mail");
    let _ = mail.configures(&["3 1 1"], 60, &["mail", "ecdsa"]);
    let stored = serde_json::to_string(&Record::from(&mail.rollover)).unwrap();
    let record: Record = serde_json::from_str(&stored).unwrap();
    let mut restored = Rollover::try_from(record).unwrap();
    assert_eq!(restored, mail.rollover);
    assert_eq!(restored.next_deadline(), Some(DAY_0 + HOUR * 2));
    assert_eq!(restored.tick(DAY_0 + HOUR * 2), Changed::Records);
}

#[test]
fn a_record_of_another_version_or_shape_is_refused() {
    let mut mail = Service::usual();
    let _ = mail.deploys(1);
    let mut json = serde_json::to_value(Record::from(&mail.rollover)).unwrap();
    json["version"] = 2.into();
    let newer: Record = serde_json::from_value(json.clone()).unwrap();
    assert_eq!(
        Rollover::try_from(newer).unwrap_err().to_string(),
        "rollover state has version 2; expected 1"
    );
    json["surprise"] = 1.into();
    assert!(serde_json::from_value::<Record>(json.clone()).is_err());
    let fields = json.as_object_mut().unwrap();
    fields.remove("surprise");
    fields["version"] = 1.into();
    fields["tracked"][0]["key"] = "MAA=".into();
    let damaged: Record = serde_json::from_value(json).unwrap();
    assert!(matches!(Rollover::try_from(damaged), Err(RecordError::Material { .. })));
}

#[test]
fn a_wait_begins_when_the_new_record_is_served_not_when_its_file_was_read() {
    let mut mail = Service::usual();
    let _ = mail.deploys(1);
    let _ = mail.deploys(2);
    assert_eq!(mail.standing(1), Standing::Draining { until: DAY_0 + HOUR * 2 });
    // The disk was full for five hours.
    mail.rollover.postpone(HOUR * 5);
    assert_eq!(mail.standing(1), Standing::Draining { until: DAY_0 + HOUR * 7 });
}
