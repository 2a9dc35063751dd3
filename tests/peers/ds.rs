//! What `danelaw ds` prints while no daemon runs. What it prints beside one that does, the tests of rollovers have.

use std::fs;

use super::danelaw::Danelaw;
use super::program::text;
use super::secondary::ZONE;

/// The tags of the DS records that are printed, and what is said beside them.
pub(crate) fn named(danelaw: &Danelaw, more: &[&str]) -> (Vec<u64>, String) {
    let output = danelaw.cli(&[&["ds", ZONE][..], more].concat());
    let records = String::from_utf8_lossy(&output.stdout).into_owned();
    let tag = |line: &str| line.split_once(" DS ")?.1.split(' ').next()?.parse().ok();
    let mut tags: Vec<u64> = records.lines().filter_map(tag).collect();
    tags.sort_unstable();
    tags.dedup();
    assert_eq!(output.status.success(), !tags.is_empty(), "{}", text(&output));
    (tags, String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn before_the_first_start_keys_are_named_unless_their_files_say_that_they_are_over() {
    let danelaw = Danelaw::new().configured_only();
    let generate = ["key", "generate", ZONE];
    assert!(danelaw.cli(&generate).status.success());
    let (first, said) = named(&danelaw, &[]);
    assert_eq!((first.len(), said.as_str()), (1, ""));
    assert!(danelaw.cli(&generate).status.success());
    let (both, said) = named(&danelaw, &[]);
    assert!(both.len() == 2 && said.contains("`danelaw status example.test` then says"), "{said}");

    let mut files = fs::read_dir(danelaw.path("keys")).unwrap().map(|file| file.unwrap().path());
    let ending = format!("+{:05}.private", first[0]);
    let old = files.find(|path| path.to_str().unwrap().ends_with(&ending)).unwrap();
    let text = fs::read_to_string(&old).unwrap();
    fs::write(&old, format!("{text}Inactive: 20200101000000\n")).unwrap();
    let keys = danelaw.path("keys");
    for more in [&[][..], &["--keys", keys.to_str().unwrap()]] {
        let (left, said) = named(&danelaw, more);
        assert!(left.len() == 1 && left != first, "{left:?}");
        assert!(said.contains(&format!("key {} is left out: its file says `Inactive`", first[0])), "{said}");
    }
}
