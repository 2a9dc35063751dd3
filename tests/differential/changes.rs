//! A zone that many small changes led to proves what is not there as well as one that is signed afresh.
//!
//! The owners of a [world](super::world)'s main zone come and go at random, delegations with their DS records or without,
//! and danelaw signs what that changes. Every version is asked for every name that any version may have and for those
//! around them, and its answers are held against the same checks as the comparison's.

use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use danelaw::dns::name::Name;
use danelaw::dns::time::{HOUR, Timestamp};
use danelaw::dnssec::key::{Algorithm, PublicKey, Role, SigningKey};
use danelaw::dnssec::keyset::{KeySet, Layout, Timing};
use danelaw::dnssec::policy::{DenialPolicy, Policy};
use danelaw::dnssec::sign::{Request, sign};
use danelaw::dnssec::validate::{Expected, validate};
use danelaw::zone::revision::Revision;
use danelaw::zone::{Presigned, Serial, Snapshot};
use ring::rand::SystemRandom;

use super::additional;
use super::compare::Case;
use super::model::Model;
use super::ours::InProcess;
use super::proof;
use super::questions;
use super::random::Random;
use super::run::seed_and_zones;
use super::signed::{Signed, read};
use super::wire::Question;
use super::world::World;

/// How many zones there are unless `DANELAW_ZONES` says otherwise, each with every way of denial.
const ZONES: usize = 6;
/// How many versions follow the first.
const CHANGES: usize = 6;
/// One question in so many is asked of each version.
const ASKED: usize = 3;

#[test]
fn what_is_not_there_is_proven_after_every_change() {
    let (seed, zones) = seed_and_zones(ZONES);
    let mut asked = 0;
    for number in 0..zones as u64 {
        let world = World::new(seed, number);
        for denial in [DenialPolicy::Nsec, DenialPolicy::Nsec3, DenialPolicy::Nsec3OptOut] {
            let mut random = Random::new(!seed, number);
            let mut zone = Changing::new(&world.zones[0].origin, &world.zones[0].text, denial);
            // Everything that may be there is.
            let whole = zone.next();
            let questions: Vec<Question> = questions::about(&whole, &mut random)
                .into_iter()
                .filter(|question| question.dnssec_ok)
                .collect();
            let mut version = whole;
            for change in 0..=CHANGES {
                let place = format!("DANELAW_SEED={seed}, zone {number}, {denial:?}, change {change}");
                let questions = questions.iter().skip(random.below(ASKED)).step_by(ASKED);
                asked += prove(version, questions, &place);
                zone.change(&mut random);
                version = zone.next();
            }
        }
    }
    eprintln!("{asked} questions");
}

/// Asks all `questions`, and fails the test with the first answer that is not proven; says how many there were.
fn prove<'q>(version: Signed, questions: impl Iterator<Item = &'q Question>, place: &str) -> usize {
    let zones = [version];
    let models = [Model::new(&zones[0])];
    let mut danelaw = InProcess::new(&zones);
    let mut asked = 0;
    for question in questions {
        let ours = danelaw.answer(question).unwrap_or_else(|flaw| panic!("{place}: {question}: {flaw}")).tcp;
        let case = Case { question, zones: &zones, models: &models, ours, theirs: Vec::new() };
        if let Some(flaw) = proof::flaw(&case).or_else(|| additional::flaw(&case)) {
            panic!("{place}: {question}: {flaw}\n{}{}", case.ours, zones[0].without_signatures());
        }
        asked += 1;
    }
    asked
}

/// A zone whose owners come and go.
struct Changing {
    origin: Name,
    owners: Vec<Owner>,
    keys: KeySet,
    policy: Policy,
    version: Option<Snapshot>,
    now: Timestamp,
    scratch: tempfile::TempDir,
}

/// What a zone may have at one name, a line a record.
struct Owner {
    lines: Vec<String>,
    present: Present,
}

#[derive(Clone, Copy, PartialEq)]
enum Present {
    Not,
    WithoutDs,
    Whole,
}

impl Changing {
    /// The zone that `text` says, owner by owner; none of its versions is made yet.
    fn new(origin: &str, text: &str, denial: DenialPolicy) -> Self {
        let origin = Name::parse(origin).unwrap();
        let name = |line: &str| line.split(' ').next().unwrap().to_owned();
        let mut owners: Vec<Owner> = Vec::new();
        for line in text.lines() {
            match owners.last_mut().filter(|owner| name(&owner.lines[0]) == name(line)) {
                Some(owner) => owner.lines.push(line.to_owned()),
                None => owners.push(Owner { lines: vec![line.to_owned()], present: Present::Whole }),
            }
        }
        let now = danelaw::host::clock::now();
        let random = SystemRandom::new();
        let (key, _) =
            SigningKey::generate(&origin, Role::Csk, Algorithm::EcdsaP256Sha256, &[], &random).unwrap();
        let keys = KeySet::new([(Arc::new(key), Timing::default())], Layout::Csk, now).unwrap();
        let policy = Policy { layout: Layout::Csk, denial, ..Policy::default() };
        let scratch = tempfile::tempdir().unwrap();
        Self { origin, owners, keys, policy, version: None, now, scratch }
    }

    /// Lets a few owners come, go, or change their security.
    fn change(&mut self, random: &mut Random) {
        // The apex comes first and stays.
        if self.owners.len() < 2 {
            return;
        }
        for _ in 0..=random.below(3) {
            let owner = 1 + random.below(self.owners.len() - 1);
            self.owners[owner].present = random.pick(&[Present::Not, Present::WithoutDs, Present::Whole]);
        }
    }

    /// Signs what changed, and checks it as danelaw does before it publishes.
    fn next(&mut self) -> Signed {
        let file = self.scratch.path().join("zone");
        fs::write(&file, self.text()).unwrap();
        let draft = read(&self.origin, Path::new(&file), Presigned::Drop);
        let revision = match &self.version {
            Some(version) => Revision::of_draft(&draft, version),
            None => Revision::first(draft),
        };
        self.now = self.now + HOUR;
        let request = Request {
            previous: self.version.as_ref(),
            contents: revision.contents,
            dirty: &revision.dirty,
            keys: &self.keys,
            policy: &self.policy,
            zonemd: false,
            serial: self.version.as_ref().map_or(Serial(1), |version| version.serial().successor()),
            now: self.now.into(),
        };
        let signed = sign(request, &SystemRandom::new()).unwrap();
        let keys: Vec<PublicKey> = self.keys.public().cloned().collect();
        let expected = Expected {
            keys: &keys,
            hidden: &[],
            foreign: &[],
            denial: self.policy.denial,
            now: self.now.into(),
        };
        let snapshot = Arc::new(signed.snapshot);
        validate(self.version.as_ref(), Arc::clone(&snapshot), &signed.delta, &expected).unwrap();
        self.version = Some(Snapshot::clone(&snapshot));
        Signed::version(snapshot)
    }

    fn text(&self) -> String {
        let mut text = String::new();
        for owner in self.owners.iter().filter(|owner| owner.present != Present::Not) {
            let without_ds = owner.present == Present::WithoutDs;
            let lines = owner.lines.iter().filter(|line| !(without_ds && line.contains(" IN DS ")));
            lines.for_each(|line| writeln!(text, "{line}").unwrap());
        }
        text
    }
}
