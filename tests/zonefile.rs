//! Our zone-file reader and writer against BIND's: the same file means the same records to both, and each
//! reads what the other writes.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test is its own host")]

use std::collections::BTreeSet;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::Command;

use danelaw::dns::name::{Name, NameRef};
use danelaw::dns::rdata;
use danelaw::dns::rtype::{MNEMONICS, Rtype};
use danelaw::dns::time::Ttl;
use danelaw::dns::token::Lexer;
use danelaw::dns::zonefile::{At, File, Loader, Sink, read, write_record};
use proptest::prelude::Rng;
use proptest::test_runner::{RngAlgorithm, TestRng};

/// The records, with names lower-cased where case means nothing.
#[derive(Default)]
struct Records(BTreeSet<(Vec<u8>, u16, Vec<u8>, u32)>);

impl Sink for Records {
    fn record(&mut self, owner: NameRef<'_>, ttl: Ttl, rtype: Rtype, octets: &[u8], _: At) {
        let (mut name, mut data) = (Vec::new(), Vec::new());
        owner.write_canonical(&mut name);
        rdata::canonical(rtype, octets, &mut data);
        self.0.insert((name, rtype.0, data, ttl.0));
    }
}

impl Records {
    /// One to a line.
    fn text(&self) -> String {
        let mut text = String::new();
        // A zone file begins with its SOA record.
        let soa = |rtype: u16| rtype != Rtype::SOA.0;
        let mut sorted: Vec<_> = self.0.iter().collect();
        sorted.sort_by_key(|record| soa(record.1));
        for (owner, rtype, octets, ttl) in sorted {
            let owner = NameRef::from_wire(owner).unwrap();
            write_record(owner, Ttl(*ttl), Rtype(*rtype), octets, &mut text).unwrap();
        }
        text
    }
}

/// Finds files beside the first.
struct Beside;

impl Loader for Beside {
    type Error = std::io::Error;
    fn load(&mut self, path: &str, from: &str) -> Result<File, std::io::Error> {
        let path = Path::new(from).with_file_name(path);
        let text = std::fs::read(&path)?;
        Ok(File { name: path.display().to_string().into(), text })
    }
}

fn records_of(path: &Path) -> Records {
    let mut records = Records::default();
    let file = Beside.load(path.to_str().unwrap(), "").unwrap();
    let origin = Name::parse("example.test").unwrap();
    let outcome = read(file.name, &file.text, origin.as_ref(), &mut Beside, &mut records);
    assert!(!outcome.problems.refuse(), "{}", outcome.problems);
    records
}

/// What BIND makes of a file.
fn compiled(input: &Path, output: &Path) {
    let run = Command::new("named-compilezone")
        .args([
            "-k", "ignore", "-n", "ignore", "-m", "ignore", "-r", "ignore", "-i", "none", "-F", "text", "-o",
        ])
        .args([output.file_name().unwrap(), "example.test".as_ref(), input.file_name().unwrap()])
        .current_dir(input.parent().unwrap())
        .output()
        .expect("named-compilezone (Debian: bind9-utils) is installed");
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
}

#[test]
fn bind_and_we_read_the_same_records_and_each_others_text() {
    let dir = tempfile::tempdir().unwrap();
    let here: PathBuf = [env!("CARGO_MANIFEST_DIR"), "tests", "zonefile"].iter().collect();
    let zone = dir.path().join("every-type.zone");
    for name in ["every-type.zone", "included.zone"] {
        std::fs::copy(here.join(name), dir.path().join(name)).unwrap();
    }
    let ours = records_of(&zone);

    let theirs = dir.path().join("theirs.zone");
    compiled(&zone, &theirs);
    let read_by_bind = records_of(&theirs);
    assert_eq!(
        ours.0.difference(&read_by_bind.0).collect::<Vec<_>>(),
        Vec::<&_>::new(),
        "only we read these"
    );
    assert_eq!(
        read_by_bind.0.difference(&ours.0).collect::<Vec<_>>(),
        Vec::<&_>::new(),
        "only BIND reads these"
    );

    let written = dir.path().join("ours.zone");
    std::fs::write(&written, ours.text()).unwrap();
    assert_eq!(records_of(&written).0, ours.0, "we read what we write");
    let theirs = dir.path().join("theirs-of-ours.zone");
    compiled(&written, &theirs);
    assert_eq!(records_of(&theirs).0, ours.0, "BIND reads what we write");
}

/// Writes the same records with other blanks, comments, ends of lines and parentheses.
fn laid_out(text: &str, choice: &mut TestRng) -> String {
    const WITHIN: &[&str] = &[" ", "\t", "\n", " \r\n\t", " ; a ( in \"a comment\n", "\n\n  "];
    const OUTSIDE: &[&str] = &[" ", "\t", " \t  ", "                    "];
    let mut one_of = |these: &[&'static str]| these[choice.next_u32() as usize % these.len()];
    let mut out = String::new();
    for line in text.lines() {
        let mut lexer = Lexer::new(line.as_bytes());
        let mut tokens: Vec<Range<usize>> = Vec::new();
        while let Some(token) = lexer.token().unwrap() {
            match tokens.last_mut() {
                // A service parameter is a word and a quoted string without anything between them.
                Some(last) if last.end == token.at => last.end = lexer.at(),
                _ => tokens.push(token.at..lexer.at()),
            }
        }
        let mut depth = 0;
        for (at, token) in tokens.into_iter().enumerate() {
            if at > 0 {
                out += one_of(if depth > 0 { WITHIN } else { OUTSIDE });
                match one_of(&["", "", "(", "(", ")"]) {
                    "(" => {
                        depth += 1;
                        out.push('(');
                    }
                    ")" if depth > 0 => {
                        depth -= 1;
                        out.push(')');
                    }
                    _ => {}
                }
                out += one_of(if depth > 0 { WITHIN } else { OUTSIDE });
            }
            out += &line[token];
        }
        for _ in 0..depth {
            out += one_of(WITHIN);
            out += ")";
        }
        out += one_of(&["\n", "\r\n", "  ; the end )\n", "\n\n \n; nothing (\n"]);
    }
    out
}

#[test]
fn bind_and_we_read_the_same_records_however_they_are_laid_out() {
    let dir = tempfile::tempdir().unwrap();
    let here: PathBuf = [env!("CARGO_MANIFEST_DIR"), "tests", "zonefile"].iter().collect();
    let records = records_of(&here.join("every-type.zone"));
    let text = records.text();
    let mut choice = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    for round in 0..20 {
        let (written, theirs) = (dir.path().join("laid-out.zone"), dir.path().join("theirs.zone"));
        std::fs::write(&written, laid_out(&text, &mut choice)).unwrap();
        assert_eq!(records_of(&written).0, records.0, "round {round}");
        compiled(&written, &theirs);
        assert_eq!(records_of(&theirs).0, records.0, "round {round}, by BIND");
    }
}

#[test]
fn the_zone_has_every_type_that_bind_reads() {
    let here: PathBuf = [env!("CARGO_MANIFEST_DIR"), "tests", "zonefile"].iter().collect();
    let types: BTreeSet<_> =
        records_of(&here.join("every-type.zone")).0.iter().map(|record| record.1).collect();
    let missing: Vec<_> = MNEMONICS
        .iter()
        .filter(|(_, rtype)| !rtype.is_meta() && !types.contains(&rtype.0))
        // BIND 9.18 refuses the first two as obsolete and knows the others as opaque only.
        .filter(|(_, rtype)| ![Rtype::MD, Rtype::MF, Rtype::UID, Rtype::UNSPEC].contains(rtype))
        .collect();
    assert_eq!(missing, Vec::<&(&str, Rtype)>::new());
}
