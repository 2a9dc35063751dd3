//! The comparison itself, a batch of worlds at a time.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::ops::Range;
use std::sync::Arc;

use danelaw::answer::{Access, Answerer, Outcome, Transport, Zone, Zones};
use danelaw::dns::message::MAX_MESSAGE;
use danelaw::dns::time::Timestamp;
use danelaw::dns::rtype::Rtype;
use hickory_proto::op::Message;

use super::allowed;
use super::client;
use super::compare::{Case, PARTS, Standing};
use super::model::Model;
use super::peers::{NAMES, Peer};
use super::proof;
use super::questions;
use super::random::Random;
use super::signed::Signed;
use super::wire::{Question, Reply};
use super::world::World;

/// How many zones are compared unless `DANELAW_ZONES` says otherwise: what two busy cores do in two minutes.
const ZONES: usize = 60;
/// How many zones the servers load at a time.
const BATCH: usize = 200;
/// How many failures are shown.
const SHOWN: usize = 2;

#[test]
fn answers_are_those_of_the_majority_or_an_rfc_says_why_not() {
    let seed = number("DANELAW_SEED", 3);
    let wanted = number("DANELAW_ZONES", ZONES as u64) as usize;
    let mut tally = Tally::default();
    let mut next = 0;
    while tally.zones < wanted {
        let batch = Batch::new(seed, next, BATCH.min(wanted - tally.zones));
        next = batch.numbers.end;
        batch.compare(seed, &mut tally);
        eprintln!("seed {seed}: {} zones, {} questions", tally.zones, tally.questions);
    }
    tally.report(seed, wanted);
}

fn number(variable: &str, otherwise: u64) -> u64 {
    std::env::var(variable).map_or(otherwise, |text| text.parse().unwrap())
}

/// Worlds that the servers load together.
struct Batch {
    numbers: Range<u64>,
    /// The zones of all worlds, and which of them make a world.
    zones: Vec<Signed>,
    worlds: Vec<Range<usize>>,
    _scratch: tempfile::TempDir,
}

/// What came of it.
#[derive(Default)]
struct Tally {
    zones: usize,
    questions: usize,
    /// By row of the allow-list: how often it was needed.
    explained: BTreeMap<usize, usize>,
    /// By part and dissenters: how often, and the first few in full.
    differing: BTreeMap<String, usize>,
    shown: Vec<String>,
}

impl Batch {
    fn new(seed: u64, first: u64, count: usize) -> Self {
        let scratch = tempfile::tempdir().unwrap();
        let now = danelaw::host::clock::now();
        let (mut zones, mut worlds, mut number) = (Vec::new(), Vec::new(), first);
        while zones.len() < count {
            let start = zones.len();
            let world = World::new(seed, number);
            zones.extend(world.zones.iter().map(|zone| Signed::new(zone, world.delegates_wildcard, scratch.path(), now)));
            worlds.push(start..zones.len());
            number += 1;
        }
        Self { numbers: first..number, zones, worlds, _scratch: scratch }
    }

    fn compare(&self, seed: u64, tally: &mut Tally) {
        let peers = Peer::all(&self.zones);
        let access = Arc::new(Access::default());
        let served = self.zones.iter().map(|zone| Zone::ready(Arc::clone(&zone.snapshot), Arc::clone(&access)));
        let mut danelaw = InProcess { zones: Zones::new(served.collect(), Arc::default()), answerer: Answerer::default(), out: vec![0; MAX_MESSAGE] };
        for (number, world) in self.numbers.clone().zip(&self.worlds) {
            let zones = &self.zones[world.clone()];
            let mut random = Random::new(!seed, number);
            let questions: Vec<Question> =
                zones.iter().flat_map(|zone| questions::about(zone, &mut random)).collect();
            let models: Vec<Model> = zones.iter().map(Model::new).collect();
            let theirs = ask_all(&peers, &questions);
            for (place, question) in questions.iter().enumerate() {
                let without = usize::from(zones[0].without_bind);
                let theirs = theirs.iter().zip(NAMES).skip(without).map(|(replies, name)| (name, read(name, question, replies[place].as_deref())));
                let theirs = theirs.collect();
                let ours = danelaw.answer(question, Transport::Tcp);
                tally.add(&Case { question, zones, models: &models, ours, theirs });
            }
            tally.zones += zones.len();
        }
    }
}

/// All peers at once, each in a thread of its own.
fn ask_all(peers: &[Peer], questions: &[Question]) -> Vec<Vec<Option<Vec<u8>>>> {
    std::thread::scope(|scope| {
        let asking: Vec<_> = peers.iter().map(|peer| scope.spawn(|| client::ask(peer, questions))).collect();
        asking.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

fn read(name: &str, question: &Question, reply: Option<&[u8]>) -> Reply {
    let reply = reply.unwrap_or_else(|| panic!("{name} says nothing to {question}"));
    Reply::read(reply).unwrap_or_else(|error| panic!("{name} answers {question} with {error}"))
}

/// danelaw without its sockets.
struct InProcess {
    zones: Zones,
    answerer: Answerer,
    out: Vec<u8>,
}

impl InProcess {
    fn answer(&mut self, question: &Question, transport: Transport) -> Reply {
        let client = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let request = question.request(7);
        let outcome = self.answerer.answer(&request, client, transport, &self.zones, Timestamp(0), &mut self.out);
        let Outcome::Response(length) = outcome else { panic!("danelaw says nothing to {question}") };
        let message = &self.out[..length];
        assert!(question.is_asked_in(message), "danelaw answers another question than {question}");
        if let Err(error) = Message::from_vec(message) {
            panic!("hickory-proto cannot read the answer to {question}: {error}");
        }
        read("danelaw", question, Some(message))
    }
}

impl Tally {
    fn add(&mut self, case: &Case<'_>) {
        self.questions += 1;
        if case.question.dnssec_ok
            && let Some(flaw) = proof::flaw(case)
        {
            let kind = format!("Proof: {}", flaw.split(':').next().unwrap_or_default());
            let count = self.differing.entry(kind.clone()).or_default();
            *count += 1;
            if *count <= SHOWN {
                let zones: String = case.zones.iter().map(Signed::without_signatures).collect();
                self.shown.push(format!("{kind}\n{flaw}\n{}{zones}", case.show(PARTS[4])));
            }
        }
        for part in PARTS {
            match case.compare(part) {
                Standing::Agrees => {}
                Standing::Explained(row) => *self.explained.entry(row).or_default() += 1,
                Standing::Differs => {
                    let kind = format!("{part:?} differs from {}", case.dissenters(part));
                    let kind = format!("{kind} {} hops {} {:?} r{} E{}", if [Rtype::ANY, Rtype::RRSIG, Rtype::NSEC, Rtype::NSEC3,Rtype::DS].contains(&case.question.rtype) {case.question.rtype.to_string()} else {"-".into()}, (case.passed().len()-1).min(3), case.place().map(|p| format!("{p:?}").split('(').next().unwrap().to_owned()), case.ours.rcode, case.empty_wildcard());
                    let count = self.differing.entry(kind.clone()).or_default();
                    *count += 1;
                    if *count <= SHOWN {
                        let zones: String = case.zones.iter().map(Signed::without_signatures).collect();
                        self.shown.push(format!("{kind}\n{}{zones}", case.show(part)));
                    }
                }
            }
        }
    }

    fn report(&self, seed: u64, wanted: usize) {
        eprintln!("{} zones, {} questions", self.zones, self.questions);
        for (row, count) in &self.explained {
            let row = &allowed::ROWS[*row];
            eprintln!("{count:>8} {:?} {}: {}", row.parts, row.rfc, row.why);
        }
        if self.differing.is_empty() {
            return;
        }
        for text in &self.shown {
            eprintln!("--- {text}");
        }
        for (kind, count) in &self.differing {
            eprintln!("{count:>8} {kind}");
        }
        panic!("danelaw differs; to see it again: DANELAW_SEED={seed} DANELAW_ZONES={wanted}");
    }
}
