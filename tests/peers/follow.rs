//! Secondaries of every kind follow one zone through whatever happens to it, to them and to danelaw.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;

use super::certificate::Certificate;
use super::check::{self, Keys};
use super::danelaw::{Danelaw, ZONE_TEXT};
use super::program::{command, free_port, stdout, text};
use super::secondary::{Secondary, TSIG_KEY, TSIG_SECRET, ZONE};

/// How often something happens.
const CHANGES: usize = 200;
/// BIND is down from this change on,
const DOWN: usize = 50;
/// for so many versions.
const MISSED: u32 = 50;
/// The certificates that come and go, made beforehand.
const CERTIFICATES: usize = 6;

/// Chance, the same at each run.
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}

/// danelaw and its four secondaries, with what is in the zone file.
struct Company {
    danelaw: Danelaw,
    secondaries: Vec<(&'static str, Secondary)>,
    hosts: BTreeMap<u64, u64>,
    certificates: Vec<Certificate>,
    nsec3: bool,
    keys: usize,
    chance: Chance,
}

impl Company {
    fn new() -> Self {
        let certificates: Vec<_> = (0..CERTIFICATES).map(|_| Certificate::new("www.example.test")).collect();
        let ports = [free_port(), free_port(), free_port(), free_port()];
        let danelaw = ports.iter().fold(Danelaw::new(), |danelaw, port| danelaw.secondary(*port));
        let danelaw = danelaw
            .policy(POLICIES[0])
            .service("mail", "mail.pem")
            .zone_line(&format!("allow-update: [{{tsig: {TSIG_KEY}}}]"));
        danelaw.write("mail.pem", &certificates[0].chain);
        let danelaw = danelaw.start();
        let primary = danelaw.port();
        let secondaries = vec![
            ("bind", Secondary::bind(ports[0], primary)),
            ("nsd", Secondary::nsd(ports[1], primary)),
            ("knot", Secondary::knot(ports[2], primary)),
            ("powerdns", Secondary::powerdns(ports[3], primary)),
        ];
        let chance = Chance(2_026);
        let mut this = Self {
            danelaw,
            secondaries,
            hosts: BTreeMap::new(),
            certificates,
            nsec3: false,
            keys: 0,
            chance,
        };
        this.all_follow();
        this
    }

    fn all_follow(&mut self) {
        let serial = self.danelaw.serial().unwrap();
        for (_, secondary) in &mut self.secondaries {
            secondary.until_serial(serial);
        }
    }

    /// One thing happens. `down` is a secondary that does not run.
    fn something_happens(&mut self, down: Option<usize>) {
        match self.chance.below(100) {
            0..35 => self.edit(),
            35..72 => self.update(),
            72..80 => self.renew(),
            80..83 => {
                self.nsec3 = !self.nsec3;
                self.danelaw.set_policy(POLICIES[usize::from(self.nsec3)]);
                self.reload();
            }
            // Each key more signs everything once more, and answers grow.
            83..85 if self.keys < 2 => {
                self.keys += 1;
                let made = self.danelaw.cli(&["key", "generate", ZONE]);
                assert!(made.status.success(), "{}", text(&made));
                self.reload();
            }
            85..88 => {
                self.danelaw.stop();
                self.danelaw.restart();
            }
            88..91 => {
                self.danelaw.kill_9();
                self.danelaw.restart();
            }
            what => {
                let which = self.chance.below(self.secondaries.len() as u64) as usize;
                if down != Some(which) {
                    let secondary = &mut self.secondaries[which].1;
                    if what % 2 == 0 {
                        secondary.kill_9();
                    } else {
                        secondary.stop();
                    }
                    secondary.restart();
                }
            }
        }
    }

    fn reload(&self) {
        let reload = self.danelaw.reload();
        assert!(reload.status.success(), "{}", text(&reload));
    }

    fn edit(&mut self) {
        for _ in 0..=self.chance.below(3) {
            let host = self.chance.below(40);
            match self.chance.below(4) {
                0 => drop(self.hosts.remove(&host)),
                address => drop(self.hosts.insert(host, address)),
            }
        }
        let mut zone = ZONE_TEXT.to_owned();
        for (host, address) in &self.hosts {
            writeln!(zone, "filed{host} {}m A 192.0.2.{address}", address + 1).unwrap();
            if host % 5 == 0 {
                writeln!(zone, "filed{host} MX 10 mail\nx.y.filed{host} NS ns.elsewhere.test.").unwrap();
            }
        }
        self.danelaw.write("zone", &zone);
        self.reload();
    }

    fn update(&mut self) {
        let mut lines = format!("server 127.0.0.1 {}\nzone {ZONE}\n", self.danelaw.port());
        for _ in 0..=self.chance.below(3) {
            let (host, address) = (self.chance.below(30), self.chance.below(5));
            match address {
                0 => writeln!(lines, "update delete updated{host}.{ZONE}").unwrap(),
                1 => writeln!(lines, "update delete filed{host}.{ZONE} A").unwrap(),
                _ => writeln!(lines, "update add updated{host}.{ZONE} 60 A 192.0.2.{address}").unwrap(),
            }
        }
        self.danelaw.write("update", &(lines + "send\n"));
        let key = format!("hmac-sha256:{TSIG_KEY}:{TSIG_SECRET}");
        stdout(command("nsupdate").args(["-y", &key]).arg(self.danelaw.path("update")));
    }

    fn renew(&mut self) {
        let certificate = self.certificates[self.chance.below(CERTIFICATES as u64) as usize].clone();
        self.danelaw.write("renewed.pem", &certificate.chain);
        fs::rename(self.danelaw.path("renewed.pem"), self.danelaw.path("mail.pem")).unwrap();
        self.danelaw.until_tlsa("mail", &certificate.tlsa);
    }
}

const POLICIES: [&str; 2] = ["{denial: nsec}", "{denial: nsec3}"];

#[test]
fn two_hundred_random_changes_arrive_at_every_secondary() {
    let mut company = Company::new();
    let mut stopped = None;
    for change in 0..CHANGES {
        let serial = company.danelaw.serial().unwrap();
        if change == DOWN {
            company.secondaries[0].1.stop();
            stopped = Some(serial);
        }
        if stopped.is_some_and(|since| serial - since >= MISSED) {
            company.secondaries[0].1.restart();
            stopped = None;
        }
        company.something_happens(stopped.map(|_| 0));
    }
    assert!(stopped.is_none(), "{MISSED} versions came while it was down");
    company.all_follow();
    let expected = company.danelaw.zone();
    let file = company.danelaw.path("copy");
    fs::write(&file, expected.join("\n") + "\n").unwrap();
    // Of two keys that sign everything, kzonecheck (3.2) takes one for wrong.
    for verdict in [check::dnssec_verify(&file, ZONE, Keys::Csk), check::ldns_verify_zone(&file)] {
        verdict.unwrap_or_else(|complaint| panic!("{complaint}"));
    }
    for (name, secondary) in &company.secondaries {
        assert!(secondary.zone() == expected, "{name} has another zone");
    }
    let log = fs::read_to_string(company.danelaw.path("log")).unwrap();
    let changes = log.matches(" changes transferred ").count();
    let whole = log.matches(" transferred ").count() - changes;
    assert!(changes > whole, "{changes} incremental transfers, and {whole} whole ones");
}
