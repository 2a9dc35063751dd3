//! The comparison itself, a batch of worlds at a time.

use std::collections::BTreeMap;
use std::ops::Range;

use super::additional;
use super::allowed;
use super::client;
use super::compare::{Case, PARTS, Part, Standing};
use super::model::Model;
use super::ours::{InProcess, Ours};
use super::peers::{NAMES, Peer};
use super::proof;
use super::questions;
use super::random::Random;
use super::signed::Signed;
use super::wire::{Question, Reply};
use super::world::World;

/// How many zones are compared unless `DANELAW_ZONES` says otherwise: a minute or two on two busy cores.
const ZONES: usize = 60;
/// How many zones the servers load at a time.
const BATCH: usize = 200;
/// The daemon is asked one question in so many.
const DAEMON_EVERY: usize = 7;
/// How many failures of a kind are shown.
const SHOWN: usize = 2;

#[test]
fn answers_are_those_of_the_majority_or_an_rfc_says_why_not() {
    let (seed, wanted) = seed_and_zones(ZONES);
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

/// Which zones there are, and how many; `zones` unless the environment says otherwise.
pub(super) fn seed_and_zones(zones: usize) -> (u64, usize) {
    let seed = number("DANELAW_SEED", 3);
    let zones = number("DANELAW_ZONES", zones as u64) as usize;
    eprintln!("DANELAW_SEED={seed} DANELAW_ZONES={zones}");
    (seed, zones)
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
            zones.extend(world.zones.iter().map(|zone| Signed::new(zone, scratch.path(), now)));
            worlds.push(start..zones.len());
            number += 1;
        }
        Self { numbers: first..number, zones, worlds, _scratch: scratch }
    }

    fn compare(&self, seed: u64, tally: &mut Tally) {
        let peers = Peer::all(&self.zones);
        let daemon = Peer::danelaw(&self.zones);
        let mut danelaw = InProcess::new(&self.zones);
        for (number, world) in self.numbers.clone().zip(&self.worlds) {
            let zones = &self.zones[world.clone()];
            let mut random = Random::new(!seed, number);
            let questions: Vec<Question> =
                zones.iter().flat_map(|zone| questions::about(zone, &mut random)).collect();
            let models: Vec<Model> = zones.iter().map(Model::new).collect();
            let theirs = ask_all(&peers, &questions);
            let ours: Vec<_> = questions.iter().map(|question| danelaw.answer(question)).collect();
            ask_daemon(&daemon, &questions, &ours);
            for (place, (question, ours)) in questions.iter().zip(ours).enumerate() {
                let ours = match ours {
                    Ok(ours) => ours,
                    Err(flaw) => {
                        tally.fails(
                            zones,
                            flaw.lines().next().unwrap_or_default(),
                            &format!("? {question}\n{flaw}"),
                        );
                        continue;
                    }
                };
                let replies = theirs.iter().map(|replies| replies[place].as_deref());
                let theirs = NAMES.into_iter().zip(replies);
                let theirs = theirs.map(|(name, reply)| (name, read(name, question, reply))).collect();
                tally.add(&Case { question, zones, models: &models, ours: ours.tcp, theirs });
            }
            tally.zones += zones.len();
        }
    }
}

/// The daemon, over its sockets, says what the library says.
fn ask_daemon(daemon: &Peer, questions: &[Question], ours: &[Result<Ours, String>]) {
    let sample = questions.iter().zip(ours).step_by(DAEMON_EVERY);
    let asked: Vec<Question> = sample.clone().map(|(question, _)| question.clone()).collect();
    for ((question, ours), reply) in sample.zip(client::ask(daemon, &asked)) {
        let Ok(ours) = ours else { continue };
        let (reply, expected) = (read("the daemon", question, reply.as_deref()), ours.in_the_end());
        assert!(reply == *expected, "{question}: the daemon says\n{reply}the library\n{expected}");
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

impl Tally {
    fn add(&mut self, case: &Case<'_>) {
        self.questions += 1;
        if case.question.dnssec_ok
            && let Some(flaw) = proof::flaw(case)
        {
            let kind = flaw.split(':').next().unwrap_or_default();
            self.fails(case.zones, kind, &format!("{flaw}\n{}", case.show(Part::Denial)));
        }
        if let Some(flaw) = additional::flaw(case) {
            let kind = flaw.split(':').next().unwrap_or_default();
            self.fails(case.zones, kind, &format!("{flaw}\n{}", case.show(Part::Additional)));
        }
        for part in PARTS {
            match case.compare(part) {
                Standing::Agrees => {}
                Standing::Explained(row) => *self.explained.entry(row).or_default() += 1,
                Standing::Differs => {
                    self.fails(
                        case.zones,
                        &format!("{part:?} differs from {}", case.dissenters(part)),
                        &case.show(part),
                    );
                }
            }
        }
    }

    fn fails(&mut self, zones: &[Signed], kind: &str, shown: &str) {
        let count = self.differing.entry(kind.to_owned()).or_default();
        *count += 1;
        if *count <= SHOWN {
            let zones: String = zones.iter().map(Signed::without_signatures).collect();
            self.shown.push(format!("{kind}\n{shown}{zones}"));
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
