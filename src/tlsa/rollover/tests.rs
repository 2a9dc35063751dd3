use super::record::{Record, RecordError};
use super::*;
use crate::dns::time::MINUTE;
use crate::tlsa::sample;

mod blind;
mod files;
mod outside;

const DAY_0: Timestamp = Timestamp(1_767_225_600);
const SECOND: Seconds = Seconds(1);

/// One service, its clock, and numbers for its keys. What is to be published is served at once.
struct Service {
    now: Timestamp,
    rollover: Rollover,
    grace: Seconds,
}

impl Service {
    /// With one endpoint that is looked at, and no nameserver.
    fn new(params: &[&str], slots: &[&str]) -> Self {
        let mut service = Self::blind(params, slots);
        service.looks_at(&[], &["mx"]);
        let _ = service.rollover.hidden(service.now, &"mx".into());
        service
    }

    /// Nobody looks at it.
    fn blind(params: &[&str], slots: &[&str]) -> Self {
        let grace = MINUTE * 10;
        let settings = Settings { params: parse(params), ttl: Ttl(3_600), sources: sources(slots), grace };
        Self { now: DAY_0, rollover: Rollover::new(&settings), grace }
    }

    /// `3 1 1`, one certificate, one hour.
    fn usual() -> Self {
        Self::new(&["3 1 1"], &["mail"])
    }

    /// The same, key 1 deployed and seen.
    fn with_key_1() -> Self {
        let mut mail = Self::usual();
        let _ = mail.deploys(1);
        let _ = mail.presents(&[1]);
        mail
    }

    fn looks_at(&mut self, servers: &[&str], visits: &[&str]) {
        let outside = Outside {
            places: servers.iter().map(|server| place(server)).collect(),
            visits: visits.iter().map(|&visit| visit.into()).collect(),
            negative: Ttl(300),
        };
        let _ = self.rollover.look_at(self.now, &outside);
    }

    fn sees(&mut self, slot: &str, role: Role, material: Material) -> Changed {
        let source = Source { slot: slot.into(), role };
        let changed = self.rollover.observe(self.now, &source, material).unwrap();
        let _ = self.rollover.is_served(self.now, Some(self.now));
        changed
    }

    fn deploys(&mut self, key: u8) -> Changed {
        self.sees("mail", Role::Current, sample::leaf(key))
    }

    fn stages(&mut self, key: u8) -> Changed {
        self.sees("mail", Role::Next, sample::key(key))
    }

    fn presents(&mut self, keys: &[u8]) -> Changed {
        self.presents_at("mx", keys)
    }

    fn presents_at(&mut self, visit: &str, keys: &[u8]) -> Changed {
        let shown = keys.iter().map(|&key| Shown { material: sample::leaf(key), by_name: true }).collect();
        let before = Some(self.now - MINUTE * 5);
        let changed = self.rollover.presented(self.now, &visit.into(), shown, before);
        let _ = self.rollover.is_served(self.now, Some(self.now));
        changed
    }

    /// A nameserver serves the records of these keys.
    fn serves(&mut self, server: &str, keys: &[u8]) -> Changed {
        let records: Vec<Association> = keys.iter().flat_map(|&key| self.records(key)).collect();
        self.rollover.saw(self.now, &place(server), &records, Some(Ttl(3_600)))
    }

    fn records(&self, key: u8) -> Vec<Association> {
        records(&sample::leaf(key), &self.rollover.params)
    }

    fn waits(&mut self, span: Seconds) -> Changed {
        let end = self.now + span;
        while let Some(due) = self.rollover.beat().filter(|&due| self.now < due && due < end) {
            self.now = due;
            let _ = self.rollover.tick(due);
        }
        self.sleeps(end.since(self.now))
    }

    /// Nothing happens meanwhile: danelaw's machine sleeps, or danelaw is down.
    fn sleeps(&mut self, span: Seconds) -> Changed {
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
        let settings =
            Settings { params: parse(params), ttl: Ttl(ttl), sources: sources(slots), grace: self.grace };
        let (changed, outcome) = self.rollover.configure(self.now, &settings);
        outcome.unwrap();
        let _ = self.rollover.is_served(self.now, Some(self.now));
        changed
    }

    fn restarts(&mut self) {
        let stored = serde_json::to_string(&Record::from(&self.rollover)).unwrap();
        let record: Record = serde_json::from_str(&stored).unwrap();
        self.rollover = Rollover::try_from(record).unwrap();
    }
}

fn place(server: &str) -> Place {
    Place { server: server.into(), owner: "_25._tcp.mail.example.test".into() }
}

fn parse(params: &[&str]) -> Vec<Params> {
    params.iter().map(|text| text.parse().unwrap()).collect()
}

/// Certificate and next file of every slot.
fn sources(slots: &[&str]) -> Vec<Source> {
    let roles = [Role::Current, Role::Next];
    slots.iter().flat_map(|slot| roles.map(|role| Source { slot: (*slot).into(), role })).collect()
}

fn announced(until: Timestamp) -> Standing {
    Standing::Announced { until: Some(until) }
}

fn draining(until: Timestamp) -> Standing {
    Standing::Draining { until: Some(until) }
}

#[test]
fn a_restart_goes_on_with_every_deadline_and_observation() {
    let mut mail = Service::new(&["3 1 1", "3 1 2"], &["mail", "ecdsa"]);
    mail.looks_at(&["ns1", "ns2"], &["mx"]);
    let _ = mail.sees("ecdsa", Role::Current, sample::chain(50, 51));
    let _ = mail.deploys(1);
    let _ = mail.presents(&[1, 50]);
    let _ = mail.stages(2);
    let _ = mail.stages(3);
    let _ = mail.deploys(4);
    let _ = mail.serves("ns1", &[1, 2, 3, 4, 50]);
    let _ = mail.rollover.next_is_gone(mail.now, "mail");
    let _ = mail.configures(&["3 1 1"], 60, &["mail", "ecdsa"]);
    let before = mail.rollover.clone();
    mail.restarts();
    // What is not stored: that nobody has looked since.
    for seen in mail.rollover.propagation.places.values_mut() {
        seen.looked = true;
    }
    let mut expected = before.clone();
    for seen in expected.propagation.places.values_mut() {
        seen.looked = true;
    }
    assert_eq!(mail.rollover, expected);
    assert_eq!(mail.rollover.next_deadline(), before.next_deadline());
}

#[test]
fn a_record_of_another_version_or_shape_is_refused() {
    let mut mail = Service::usual();
    let _ = mail.deploys(1);
    let mut json = serde_json::to_value(Record::from(&mail.rollover)).unwrap();
    json["version"] = 5.into();
    let newer: Record = serde_json::from_value(json.clone()).unwrap();
    assert_eq!(
        Rollover::try_from(newer).unwrap_err().to_string(),
        "rollover state has version 5; expected 4"
    );
    json["surprise"] = 1.into();
    assert!(serde_json::from_value::<Record>(json.clone()).is_err());
    let fields = json.as_object_mut().unwrap();
    fields.remove("surprise");
    fields["version"] = 3.into();
    fields["tracked"][0]["key"] = "MAA=".into();
    let damaged: Record = serde_json::from_value(json).unwrap();
    assert!(matches!(Rollover::try_from(damaged), Err(RecordError::Material { .. })));
}

#[test]
fn a_record_of_the_version_before_is_taken_over() {
    let mut mail = Service::with_key_1();
    let _ = mail.stages(2);
    let mut json = serde_json::to_value(Record::from(&mail.rollover)).unwrap();
    json["version"] = 1.into();
    for field in ["grace", "negative", "places", "looked"] {
        json.as_object_mut().unwrap().remove(field);
    }
    let tracked = json["tracked"].as_array_mut().unwrap();
    for each in tracked.iter_mut() {
        each.as_object_mut().unwrap().remove("facts");
    }
    tracked[0]["standing"] = serde_json::json!("live");
    tracked[0]["why"] = "in-certificate-file".into();
    tracked[1]["standing"] = serde_json::json!({"announced": {"gone": false}});
    let record: Record = serde_json::from_value(json).unwrap();
    mail.rollover = Rollover::try_from(record).unwrap();
    assert_eq!(mail.keys("3 1 1"), [1, 2]);
    let _ = mail.rollover.is_served(mail.now, Some(mail.now));
    assert_eq!(mail.standing(1), Standing::Live);
    assert_eq!(mail.standing(2), announced(DAY_0 + HOUR * 2));
    assert_eq!(mail.rollover.exposures(), []);
}
