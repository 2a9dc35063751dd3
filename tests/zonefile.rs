//! Our zone-file reader and writer against BIND's: the same file means the same records to both, and each
//! reads what the other writes.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test is its own host")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use danelaw::dns::name::{Name, NameRef};
use danelaw::dns::rdata;
use danelaw::dns::rtype::{MNEMONICS, Rtype};
use danelaw::dns::time::Ttl;
use danelaw::dns::zonefile::{At, File, Loader, Sink, read, write_record};

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

    let mut text = String::new();
    // A zone file begins with its SOA record.
    let soa = |rtype: u16| rtype != Rtype::SOA.0;
    let mut sorted: Vec<_> = ours.0.iter().collect();
    sorted.sort_by_key(|record| soa(record.1));
    for (owner, rtype, octets, ttl) in sorted {
        let owner = NameRef::from_wire(owner).unwrap();
        write_record(owner, Ttl(*ttl), Rtype(*rtype), octets, &mut text).unwrap();
    }
    let written = dir.path().join("ours.zone");
    std::fs::write(&written, text).unwrap();
    assert_eq!(records_of(&written).0, ours.0, "we read what we write");
    let theirs = dir.path().join("theirs-of-ours.zone");
    compiled(&written, &theirs);
    assert_eq!(records_of(&theirs).0, ours.0, "BIND reads what we write");
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
