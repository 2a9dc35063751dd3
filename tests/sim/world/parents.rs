//! The parents of zones, and what the host sees of them.

use std::collections::BTreeSet;

use danelaw::dns::name::Name;
use danelaw::dns::rtype::Rtype;
use danelaw::dns::time::{HOUR, MINUTE, Seconds, Timestamp, Ttl};
use danelaw::dnssec::lifecycle::DsRrset;
use danelaw::engine::{Input, KeyOrder};

use super::validator::{Answer, Validator};
use super::{Event, Served, World, name};

/// A nameserver of the parent.
#[derive(Clone)]
pub(crate) struct ParentServer {
    /// The DS RRset of the zone; its TTL even if there are no records.
    pub(crate) ttl: Ttl,
    pub(crate) rdatas: Vec<Vec<u8>>,
    /// Until then it answers nobody from where danelaw is.
    pub(crate) silent_until: Timestamp,
}

impl World {
    /// Something has changed at a parent.
    pub(super) fn ask_parents_soon(&mut self) {
        let after = Seconds(1 + self.chance(3_600));
        self.schedule(self.now + after, Event::Parents);
    }

    pub(super) fn ask_parents(&mut self) {
        if self.asleep {
            self.schedule(self.now + MINUTE, Event::Parents);
            return;
        }
        let zones: Vec<Name> = self.lookout.parents.iter().map(|watch| watch.zone.clone()).collect();
        for zone in zones {
            let outcome = self.at_parent(&zone);
            if outcome.is_err() {
                self.ask_parents_soon();
            }
            // What was told is known.
            if self.parents_told.insert(zone.clone(), outcome.clone()).as_ref() != Some(&outcome) {
                self.tell(Input::AtParent { zone, outcome });
            }
        }
    }

    fn at_parent(&self, zone: &Name) -> Result<Vec<DsRrset>, String> {
        let Some(servers) = self.parents.get(zone) else { return Ok(vec![DsRrset::default()]) };
        let ask = |server: &ParentServer| {
            if server.silent_until > self.now {
                return Err("does not answer".to_owned());
            }
            Ok(DsRrset { ttl: server.ttl, rdatas: server.rdatas.clone() })
        };
        servers.iter().map(ask).collect()
    }
}

/// What caches may hold of one zone and of its DS records, to the last second.
#[derive(Default)]
pub(crate) struct Judge {
    zone: Option<Name>,
    dnskeys: Vec<(Answer, Timestamp)>,
    data: Vec<(Answer, Timestamp)>,
    ds: Vec<(BTreeSet<Vec<u8>>, Timestamp)>,
    validator: Validator,
    judged: usize,
    /// What CDS asks for, and when the parent does it.
    order: Option<(Timestamp, BTreeSet<Vec<u8>>)>,
    asked: Option<Vec<Vec<u8>>>,
}

/// What validators are asked for, relative to the apex.
const DATA: [(&str, Rtype); 3] = [("", Rtype::SOA), ("www.", Rtype::A), ("", Rtype::NSEC)];

impl World {
    /// The zone has a parent with two nameservers that goes by CDS, and every validation path is judged from now on.
    pub(crate) fn have_parent(&mut self, zone: &str) {
        let zone = name(zone);
        let ttl = Ttl([300, 3_600, 86_400, 604_800][self.chance(4) as usize]);
        let server = ParentServer { ttl, rdatas: Vec::new(), silent_until: Timestamp(0) };
        self.parents.insert(zone.clone(), vec![server.clone(), server]);
        self.judge.zone = Some(zone);
        self.later(HOUR, Self::scan);
    }

    /// How many paths were judged.
    pub(crate) fn judged(&self) -> usize {
        self.judge.judged
    }

    /// Somebody wants something of a zone's keys; it may be refused.
    pub(crate) fn order_key(&mut self, zone: &str, order: KeyOrder) {
        if let Some(engine) = &mut self.engine {
            let _ = engine.order_key(&name(zone), order);
            self.tell(Input::Tick);
        }
    }

    /// Somebody has the DS records removed, at one server of the parent after the other.
    pub(crate) fn remove_ds(&mut self, zone: &str) {
        let zone = name(zone);
        self.judge.order = None;
        for index in 0..self.parents[&zone].len() {
            let server = &mut self.parents.get_mut(&zone).unwrap()[index];
            let (had, ttl) = (std::mem::take(&mut server.rdatas), server.ttl);
            self.judge.ds.push((had.into_iter().collect(), self.now + Seconds::from(ttl)));
        }
        self.judge();
        self.ask_parents_soon();
    }

    /// The parent looks at CDS now and then, and does what it says some time later, one server after the other.
    fn scan(&mut self) {
        let zone = self.judge.zone.clone().unwrap();
        let which = self.chance(2) as usize;
        let served = self.secondaries[which].serves(&zone, self.now).cloned();
        let cds = served.and_then(|served| served.rrset(&zone, Rtype::CDS)).map(|(_, rdatas)| rdatas);
        if let Some(cds) = cds.clone()
            && self.judge.asked.as_ref() != Some(&cds)
        {
            let patience = Seconds(self.chance(1_200_000));
            let wanted = if cds == [vec![0; 5]] { BTreeSet::new() } else { cds.iter().cloned().collect() };
            self.judge.asked = Some(cds);
            self.judge.order = Some((self.now + patience, wanted));
        }
        // RFC 8078 §3.3: the first DS is accepted only if CDS has asked for it all the time.
        let is_first = self.parents[&zone].iter().all(|server| server.rdatas.is_empty());
        if is_first && cds != self.judge.asked {
            self.judge.order = None;
            self.judge.asked = None;
        }
        if let Some((at, wanted)) = self.judge.order.clone().filter(|(at, _)| *at <= self.now) {
            let servers = self.parents.get_mut(&zone).unwrap();
            let current: Vec<Vec<u8>> = wanted.iter().cloned().collect();
            match servers.iter_mut().find(|server| server.rdatas != current) {
                Some(server) => {
                    let had = std::mem::replace(&mut server.rdatas, current);
                    let until = self.now + Seconds::from(server.ttl);
                    self.judge.ds.push((had.into_iter().collect(), until));
                    let line =
                        format!("a server of the parent has {} DS, as asked for by {at}", wanted.len());
                    let now = self.now;
                    self.story.push((now, line));
                    self.judge();
                    self.ask_parents_soon();
                }
                None => self.judge.order = None,
            }
        }
        let pause = HOUR * (1 + self.chance(20));
        self.later(pause, Self::scan);
    }

    /// A secondary has something else in place of `had`.
    pub(super) fn judge_after(&mut self, had: &Served) {
        let Some(zone) = self.judge.zone.clone() else { return };
        let now = self.now;
        for (list, owner, rtype) in answers(&zone) {
            let answer = Answer::of(had, &owner, rtype);
            let until = Validator::until(&answer, now);
            let list = if list { &mut self.judge.dnskeys } else { &mut self.judge.data };
            list.push((answer, until));
        }
        self.judge();
    }

    /// Tries every path over what caches hold, and what they would be given.
    pub(super) fn judge(&mut self) {
        let Some(zone) = self.judge.zone.clone() else { return };
        let now = self.now;
        self.judge.dnskeys.retain(|(_, until)| *until > now);
        self.judge.data.retain(|(_, until)| *until > now);
        self.judge.ds.retain(|(_, until)| *until > now);
        let mut dnskeys: BTreeSet<Answer> =
            self.judge.dnskeys.iter().map(|(answer, _)| answer.clone()).collect();
        let mut data: BTreeSet<Answer> = self.judge.data.iter().map(|(answer, _)| answer.clone()).collect();
        for secondary in &self.secondaries {
            let Some(served) = secondary.serves(&zone, now) else { continue };
            for (is_dnskey, owner, rtype) in answers(&zone) {
                let answer = Answer::of(served, &owner, rtype);
                let _ = if is_dnskey { dnskeys.insert(answer) } else { data.insert(answer) };
            }
        }
        let mut ds: BTreeSet<BTreeSet<Vec<u8>>> = self.judge.ds.iter().map(|(ds, _)| ds.clone()).collect();
        ds.extend(self.parents[&zone].iter().map(|server| server.rdatas.iter().cloned().collect()));
        for ds in &ds {
            for dnskey in &dnskeys {
                for data in data.iter().filter(|answer| !answer.rdatas.is_empty()) {
                    self.judge.judged += 1;
                    if let Some(why) = self.judge.validator.refuses(ds, dnskey, data, now) {
                        panic!("{now}: {why}");
                    }
                }
            }
        }
        self.judge.validator.forget();
    }
}

/// What is judged: DNSKEY RRsets, and data.
fn answers(zone: &Name) -> Vec<(bool, Name, Rtype)> {
    let mut all = vec![(true, zone.clone(), Rtype::DNSKEY)];
    all.extend(DATA.map(|(relative, rtype)| (false, name(&format!("{relative}{zone}")), rtype)));
    all
}
