//! A state that something else than danelaw has written to: a bit that has tipped over, a page that is empty or
//! another's, a file that is cut off. It is refused with one clear error, or it holds what it held.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use danelaw::host::disk::{self, DATABASE};
use danelaw::state::{StateError, Store};

use crate::disk::{Content, Disk, content, contents, story};

/// What is done to a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Damage {
    /// A bit is the other one.
    Bit,
    /// The same, among the first octets, where redb says which of two trees is the last.
    BitOfTheHeader,
    Zeros,
    Noise,
    /// A page has the content of another.
    Misplaced,
    /// A page has the content that it had before the last commit.
    Lost,
    CutOff,
}

const ALL: [Damage; 7] = [
    Damage::Bit,
    Damage::BitOfTheHeader,
    Damage::Zeros,
    Damage::Noise,
    Damage::Misplaced,
    Damage::Lost,
    Damage::CutOff,
];
/// What redb reads and writes at least.
const PAGE: usize = 4_096;
/// The part of the first page that redb uses.
const HEADER: usize = 320;
/// How often each damage is done to each file.
const TIMES: u64 = 60;

struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % bound
    }
}

/// A state file, as one process has left it.
struct Original {
    octets: Vec<u8>,
    holds: Content,
    /// The same before the last commit.
    before: Vec<u8>,
    held: Content,
}

impl Original {
    /// With a story of three commits in it: as `kill -9` leaves it, and as a stop does.
    fn both() -> [Self; 2] {
        let home = tempfile::tempdir().unwrap();
        let directory = home.path().join("state");
        let read = || fs::read(directory.join(DATABASE)).unwrap();
        let steps = &story()[..3];
        let contents = contents(steps);
        let mut store = disk::open(&directory).unwrap();
        let mut files: Vec<Vec<u8>> = Vec::new();
        for (step, content) in steps.iter().zip(&contents) {
            store.commit(&step.commit(content)).unwrap();
            files.push(read());
        }
        store.close().unwrap();
        let original = |octets| Self {
            octets,
            holds: contents[3].clone(),
            before: files[1].clone(),
            held: contents[2].clone(),
        };
        [original(files[2].clone()), original(read())]
    }

    fn damaged(&self, damage: Damage, seed: u64) -> Vec<u8> {
        let mut random = Random(seed);
        let mut file = self.octets.clone();
        // Much of a file is empty.
        let is_used = |at: &usize| file[*at..*at + PAGE].iter().any(|octet| *octet != 0);
        let used: Vec<usize> = (0..file.len() / PAGE).map(|page| page * PAGE).filter(is_used).collect();
        let page = used[random.below(used.len())];
        match damage {
            Damage::Bit => file[page + random.below(PAGE)] ^= 1 << random.below(8),
            Damage::BitOfTheHeader => file[random.below(HEADER)] ^= 1 << random.below(8),
            Damage::Zeros => file[page..page + PAGE].fill(0),
            Damage::Noise => file[page..page + PAGE].fill_with(|| random.below(256) as u8),
            Damage::Misplaced => {
                let other = used[random.below(used.len())];
                file.copy_within(other..other + PAGE, page);
            }
            Damage::Lost => file[page..page + PAGE].copy_from_slice(&self.before[page..page + PAGE]),
            Damage::CutOff => file.truncate(1 + random.below(file.len() - 1)),
        }
        file
    }
}

#[test]
fn a_damaged_state_is_refused_or_holds_what_it_held() {
    for original in Original::both() {
        for damage in ALL {
            let mut refused = 0;
            for seed in 0..TIMES {
                let disk = Disk::holding(original.damaged(damage, seed));
                match Store::open(disk).and_then(|mut store| content(&mut store)) {
                    Ok(found) => {
                        // With the last write of the header lost, everything is as if the last commit had not been.
                        let is_right =
                            found == original.holds || damage == Damage::Lost && found == original.held;
                        assert!(is_right, "{damage:?} {seed}: other content");
                    }
                    Err(StateError::Damaged(_)) => refused += 1,
                    Err(error) => panic!("{damage:?} {seed}: {error}"),
                }
            }
            assert!(refused > 0, "{damage:?} was never noticed");
        }
    }
}

#[test]
fn a_damaged_file_is_named_and_stays_as_it_is() {
    let [original, _] = Original::both();
    let home = tempfile::tempdir().unwrap();
    fs::set_permissions(home.path(), Permissions::from_mode(0o700)).unwrap();
    let path = home.path().join(DATABASE);
    let mut refused = 0;
    for seed in 0..TIMES {
        let damaged = original.damaged(Damage::Noise, seed);
        fs::write(&path, &damaged).unwrap();
        let Err(error) = disk::open(home.path()) else { continue };
        let said = error.to_string();
        let expected = format!("{}: the state's database is damaged: ", path.display());
        assert!(said.starts_with(&expected) && said.ends_with("; restore the `state` directory from a copy"));
        assert!(fs::read(&path).unwrap() == damaged, "whoever wants to look into it can");
        refused += 1;
    }
    assert!(refused > 0);
    // Which redb would take for a new one.
    fs::write(&path, "").unwrap();
    let said = disk::open(home.path()).unwrap_err().to_string();
    assert!(said.contains("is damaged: the file is empty; restore"), "{said}");
}
