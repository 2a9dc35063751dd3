//! Every configuration that a person is shown is one that danelaw reads, without a warning.

#![allow(clippy::disallowed_methods, reason = "a test of the repository's files reads them")]

use std::fs;
use std::path::{Path, PathBuf};

use danelaw::config::Config;

#[test]
fn the_example_configurations_are_sound() {
    let examples = root().join("examples");
    let mut read = 0;
    for entry in fs::read_dir(&examples).expect("the directory of examples") {
        let file = entry.expect("an example").path().join("danelaw.yaml");
        if file.exists() {
            assert_sound(&fs::read_to_string(&file).expect("an example in UTF-8"), &file);
            read += 1;
        }
    }
    assert!(read >= 2, "the examples are not where this test looks");
}

#[test]
fn the_hidden_primary_of_the_readme_is_sound() {
    let file = root().join("README.md");
    let blocks = yaml_blocks(&file);
    assert_eq!(blocks.len(), 1);
    assert_sound(&blocks[0], &file);
}

#[test]
fn the_examples_of_the_reference_make_one_sound_configuration() {
    let file = root().join("docs/configuration.md");
    let blocks = yaml_blocks(&file);
    assert!(blocks.len() >= 6, "a section has lost its example");
    assert_sound(&blocks.concat(), &file);
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn assert_sound(text: &str, file: &Path) {
    match Config::parse(text, &file.display().to_string(), Path::new("/etc/danelaw")) {
        Ok((config, warnings)) => {
            assert!(warnings.is_empty(), "{warnings:#?}");
            assert!(!config.zones.is_empty(), "{}: no zone", file.display());
        }
        Err(problems) => panic!("{problems:#?}"),
    }
}

/// The text of each fenced block that is marked as YAML, without the indentation of its fence.
fn yaml_blocks(file: &Path) -> Vec<String> {
    let text = fs::read_to_string(file).expect("a page in UTF-8");
    let mut blocks = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let Some(indent) = line.find("```yaml") else { continue };
        let inside = lines.by_ref().take_while(|line| line.trim() != "```");
        let block: Vec<&str> = inside.map(|line| line.get(indent..).unwrap_or("")).collect();
        blocks.push(block.join("\n") + "\n");
    }
    blocks
}
