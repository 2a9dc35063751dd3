//! Years of renewals by every store's habits, in a world where everything that can go wrong does.
//!
//! Where everybody asks the gate before deploying, no client with any cache ever fails. Where some do not ask, every
//! failure is announced by an alarm, with its true end. `DANELAW_SIM_YEARS` runs more of them than CI does,
//! `DANELAW_SIM_SEED` one of them.

use std::cell::Cell;
use std::fmt::Write;
use std::rc::Rc;

use danelaw::dns::time::{DAY, HOUR, MINUTE, Seconds, Timestamp};

use crate::disk::Survival;
use crate::seeds;
use crate::world::{Cert, DAY_0, Failure, World, zone};

const CONFIG: &str = r#"
remotes:
  ns1: {address: "192.0.2.1:53"}
  ns2: {address: "192.0.2.2:53"}
  ns3: {address: "192.0.2.3:53"}
policies:
  default: {journal: {versions: 30}}
zones:
  example.test: {file: example.test.zone, secondaries: [ns1, ns2, ns3]}
services:
  mail:
    endpoints: ["mail.example.test:25", "mail.example.test:465"]
    certificate: [rsa.pem, ecdsa.pem]
    next: [rsa.next, ecdsa.next]
    ttl: 1h
  web:
    endpoints: ["www.example.test:443", "www.example.test:8443"]
    certificate: web.pem
    tlsa: ["3 1 1", "3 0 1"]
    ttl: 30m
  unseen:
    endpoints: ["mail.example.test:993"]
    certificate: unseen.pem
    next: unseen.next
    probe: off
    ttl: 10m
"#;

/// How a store renews.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Habit {
    /// certbot: a fresh key in the certificate file, announced by nobody.
    Fresh,
    /// certbot with `--reuse-key`, Caddy: another certificate for the same key.
    Reuse,
    /// acme.sh and dehydrated: the next key is used, and replaced before the order is complete. Orders fail.
    Consumed,
    /// danectl: the next certificate becomes the current one, and another next one follows later.
    Swapped,
}

const HABITS: [Habit; 4] = [Habit::Fresh, Habit::Reuse, Habit::Consumed, Habit::Swapped];

/// Who renews one certificate of a service.
#[derive(Clone, Copy)]
struct Operator {
    service: &'static str,
    /// Which of its certificates.
    slot: usize,
    certificate: &'static str,
    next: Option<&'static str>,
    /// The key in use, and the one that is in the file of the next key.
    key: u32,
    staged: u32,
    serial: u8,
    /// Whether everybody asks the gate.
    asks: bool,
}

const OPERATORS: [(&str, usize, &str, Option<&str>, u32); 4] = [
    ("mail", 0, "rsa.pem", Some("rsa.next"), 1),
    ("mail", 1, "ecdsa.pem", Some("ecdsa.next"), 100_001),
    ("web", 0, "web.pem", None, 200_001),
    ("unseen", 0, "unseen.pem", Some("unseen.next"), 300_001),
];

impl Operator {
    fn tell(&self, world: &mut World, what: &str) {
        let line = format!("{} {}: {what}", self.service, self.certificate);
        let now = world.now;
        world.story.push((now, line));
    }

    fn stage(&mut self, world: &mut World) {
        let Some(next) = self.next else { return };
        self.staged = self.staged.max(self.key) + 1;
        self.tell(world, &format!("next key {}", self.staged));
        world.write(next, &Cert::new(self.staged).key_pem());
    }

    /// Some time later the certificate is renewed.
    fn wait(self, world: &mut World) {
        let pause = DAY * (3 + world.chance(25)) + Seconds(world.chance(86_400));
        world.later(pause, move |world| self.renew(world));
    }

    fn renew(mut self, world: &mut World) {
        let habit = HABITS[world.chance(4) as usize];
        let habit = if self.next.is_none() && habit != Habit::Reuse { Habit::Fresh } else { habit };
        self.serial = self.serial.wrapping_add(1).max(1);
        match habit {
            Habit::Reuse => {}
            Habit::Fresh => self.key = self.staged.max(self.key) + 1,
            Habit::Consumed => {
                if self.staged <= self.key {
                    self.stage(world);
                }
                let consumed = self.staged;
                // The next key after that is made before the order is complete.
                self.stage(world);
                if world.chance(4) == 0 {
                    self.tell(world, &format!("the order for key {consumed} failed"));
                    let pause = HOUR * (1 + world.chance(30));
                    return world.later(pause, move |world| self.renew(world));
                }
                self.key = consumed;
                // The order takes its time.
                let pause = MINUTE * world.chance(600);
                return world.later(pause, move |world| self.obtained(world));
            }
            Habit::Swapped => {
                if self.staged <= self.key {
                    self.stage(world);
                }
                self.key = self.staged;
                if world.chance(2) == 0
                    && let Some(next) = self.next
                {
                    world.remove(next);
                }
            }
        }
        self.obtained(world);
    }

    /// The certificate is there.
    fn obtained(self, world: &mut World) {
        self.tell(world, &format!("certificate file holds key {}", self.key));
        world.write(self.certificate, &Cert::renewed(self.key, self.serial).pem());
        self.knock(world);
    }

    /// Deploys when the gate is open, or whenever it likes.
    fn knock(self, world: &mut World) {
        let asks = self.asks || world.chance(3) == 0;
        if asks && !world.gate(self.service).is_some_and(|gate| gate.open) {
            let pause = MINUTE * (1 + world.chance(15));
            return world.later(pause, move |world| self.wait_at_gate(world));
        }
        self.deploy(world);
    }

    fn wait_at_gate(self, world: &mut World) {
        if world.gate(self.service).is_some_and(|gate| gate.open) {
            self.deploy(world);
        } else {
            let pause = MINUTE * (1 + world.chance(15));
            world.later(pause, move |world| self.wait_at_gate(world));
        }
    }

    /// Each endpoint reloads when it likes, where it is looked at.
    fn deploy(self, world: &mut World) {
        let seen = self.service != "unseen";
        self.tell(world, &format!("key {} may be deployed", self.key));
        let endpoints = if seen { 2 } else { 1 };
        for endpoint in 0..endpoints {
            let late = seen && world.chance(4) == 0;
            let pause = if late { MINUTE * world.chance(3_000) } else { Seconds(world.chance(1_800)) };
            world.later(pause, move |world| {
                self.tell(world, &format!("endpoint {endpoint} presents key {}", self.key));
                let cert = Cert::renewed(self.key, self.serial);
                world.replace_at(self.service, endpoint, self.slot, cert);
            });
        }
        // The next renewal follows when all of that is done.
        world.later(DAY * 3, move |world| self.after(world));
    }

    fn after(mut self, world: &mut World) {
        if self.next.is_some() && self.staged <= self.key && world.chance(3) > 0 {
            self.stage(world);
        }
        self.wait(world);
    }
}

/// What the configuration and the zone file say, and may come to say.
struct Setup {
    ttl: Cell<&'static str>,
    /// Whether there is a third nameserver.
    third: Cell<bool>,
}

impl Setup {
    fn apply(&self, world: &mut World) {
        let mut config = CONFIG.replace("ttl: 1h", &format!("ttl: {}", self.ttl.get()));
        let mut text = zone(1, 0) + "ns3 A 192.0.2.3\nwww A 192.0.2.80\n";
        if self.third.get() {
            text += "@ NS ns3\n";
        } else {
            config = config.replace("[ns1, ns2, ns3]", "[ns1, ns2]");
        }
        world.edit_zone("example.test", &text);
        world.reload(&config);
    }
}

/// What goes wrong, now and then.
fn trouble(world: &mut World, asks: bool, setup: Rc<Setup>) {
    let which = world.chance(3) as usize;
    let span = MINUTE * (1 + world.chance(2_000));
    let now = world.now;
    let line = match world.chance(10) {
        0 | 1 => {
            world.secondaries[which].cut_off = now + span;
            format!("ns{} is cut off for {span}", which + 1)
        }
        2 => {
            world.secondaries[which].dead_until = now + span;
            format!("ns{} answers nobody for {span}", which + 1)
        }
        3 => {
            world.unreachable_until = now + span;
            format!("no endpoint can be looked at for {span}")
        }
        4 => {
            let survival = [Survival::None, Survival::All, Survival::Torn][which];
            world.crash(survival);
            let down = if world.chance(3) == 0 { span } else { Seconds(1 + world.chance(600)) };
            world.later(down, |world| {
                if !world.is_up() {
                    world.start();
                    let now = world.now;
                    world.story.push((now, "danelaw is up again".to_owned()));
                }
            });
            format!("danelaw crashes, for {down}")
        }
        // What an alarm says goes by danelaw's own clock: where that is held against the truth, it has to be right.
        5 if asks => {
            world.clock_ahead = world.chance(4 * 86_400) as i64 - 2 * 86_400;
            world.later(span, |world| world.clock_ahead = 0);
            format!("the clock is {} s ahead for {span}", world.clock_ahead)
        }
        6 => {
            let ttl = ["5m", "20m", "1h", "3h"][world.chance(4) as usize];
            setup.ttl.set(ttl);
            setup.apply(world);
            format!("the TTL of mail is {ttl}")
        }
        7 => {
            world.secondaries[which].delay = Seconds(world.chance(1_200));
            format!("ns{} takes {} to transfer", which + 1, world.secondaries[which].delay)
        }
        8 if setup.third.replace(false) => {
            // Somebody has lost patience with it, or not.
            setup.apply(world);
            world.retire(2);
            let setup = Rc::clone(&setup);
            world.later(span + DAY, move |world| {
                world.secondaries[2].retired = false;
                setup.third.set(true);
                setup.apply(world);
            });
            format!("ns3 is no nameserver of the zone any more, for {}", span + DAY)
        }
        _ => {
            world.suspend_later(span);
            format!("danelaw's machine sleeps for {span}")
        }
    };
    world.story.push((now, line));
    let pause = HOUR * (6 + world.chance(150));
    world.later(pause, move |world| trouble(world, asks, setup));
}

/// A year, and what came of it.
fn year(seed: u64, asks: bool) -> World {
    let mut world = World::new(CONFIG);
    world.seed(seed);
    world.story.push((DAY_0, format!("seed {seed}")));
    world.resolver_count = 0;
    world.thorough = false;
    world.may_expire = true;
    world.haunted = true;
    world.write_zone("example.test", &(zone(1, 0) + "@ NS ns3\nns3 A 192.0.2.3\nwww A 192.0.2.80\n"));
    let operators = OPERATORS.map(|(service, slot, certificate, next, key)| {
        world.write(certificate, &Cert::new(key).pem());
        Operator { service, slot, certificate, next, key, staged: key, serial: 1, asks }
    });
    world.present("mail", &[Cert::new(1), Cert::new(100_001)]);
    world.present("web", &[Cert::new(200_001)]);
    world.present("unseen", &[Cert::new(300_001)]);
    world.start();
    world.run_for(DAY);
    for mut operator in operators {
        if world.chance(2) == 0 {
            operator.stage(&mut world);
        }
        operator.wait(&mut world);
    }
    let pause = HOUR * world.chance(100);
    let setup = Rc::new(Setup { ttl: Cell::new("1h"), third: Cell::new(true) });
    world.later(pause, move |world| trouble(world, asks, setup));
    world.run_for(DAY * 364);
    world
}

/// What happened in the week before, for people.
fn story(world: &World, seed: u64, failure: &Failure) -> String {
    let mut out = format!(
        "seed {seed}: {} endpoint {} presents key {}, unknown to a cache of {} from {} until {:?}\n",
        failure.service, failure.endpoint, failure.key.number, failure.of, failure.from, failure.until
    );
    let from = failure.from - DAY * 7;
    for (at, line) in world.story.iter().filter(|(at, _)| (from..=failure.from + HOUR).contains(at)) {
        let _ = writeln!(out, "  {at} {line}");
    }
    for (at, _, line) in world.log.iter().filter(|(at, ..)| (from..=failure.from + DAY).contains(at)) {
        let _ = writeln!(out, "  {at} danelaw: {line}");
    }
    out
}

/// From when until when clients of a service may fail because of this key, as an alarm said.
fn announced(world: &World, service: &str, key: &Cert) -> Vec<(Timestamp, Timestamp)> {
    let digests = [data_encoding::HEXLOWER.encode(&key.tlsa()[3..11]), key.digest()];
    let prefix = format!("service {service}: ");
    let mut windows = Vec::new();
    for (_, _, line) in &world.log {
        let Some(text) = line.strip_prefix(&prefix) else { continue };
        for part in text.split("; ").filter(|part| digests.iter().any(|digest| part.contains(digest))) {
            let Some((_, times)) = part.split_once(" from ").filter(|_| part.contains(" may ")) else {
                continue;
            };
            let mut words = times.split(' ');
            let from = words.next().unwrap().parse().unwrap();
            if let Ok(until) = words.nth(1).unwrap().parse() {
                windows.push((from, until));
            }
        }
    }
    windows
}

#[test]
fn in_years_where_everybody_asks_the_gate_no_client_ever_fails() {
    seeds::each("DANELAW_SIM_YEARS", 3, |seed| {
        let world = year(seed, true);
        let renewals = world.story.iter().filter(|(_, line)| line.contains("certificate file holds")).count();
        assert!(renewals > 20, "seed {seed}: only {renewals} renewals");
        if let Some(failure) = world.failures.first() {
            panic!("{}", story(&world, seed, failure));
        }
    });
}

#[test]
fn in_years_where_some_do_not_ask_every_failure_is_announced_with_its_end() {
    let failures = seeds::each("DANELAW_SIM_YEARS", 3, |seed| {
        let world = year(seed, false);
        let failures = world.failures.iter().filter(|failure| failure.service != "unseen");
        for failure in failures.clone() {
            // What still goes on at the end of the year has no end yet.
            let Some(until) = failure.until else { continue };
            let windows = announced(&world, &failure.service, &failure.key);
            let covers = |&(from, to): &(Timestamp, Timestamp)| from <= failure.from && until <= to;
            let recent = failure.from > DAY_0 + DAY * 358;
            let is_covered = windows.iter().any(covers) || recent;
            assert!(is_covered, "announced {windows:?}\n{}", story(&world, seed, failure));
        }
        failures.count()
    });
    assert!(failures.iter().sum::<usize>() > 0, "nothing went wrong");
}
