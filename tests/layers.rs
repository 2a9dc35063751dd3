//! The import table of the house (DESIGN.md): who may use whom, and how long a file may grow.
//!
//! It reads the sources as text: every path that starts at `crate::`, or climbs there with `super::`, names a
//! module of the table. Unit tests are held to the table as well; what needs other layers is an integration
//! test.

#![allow(clippy::disallowed_methods, reason = "a test of the source files reads them")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Each module with those that it may import.
const TABLE: [(&str, &[&str]); 11] = [
    ("dns", &[]),
    ("asn1", &[]),
    ("zone", &["dns"]),
    ("tlsa", &["dns", "asn1"]),
    ("config", &["dns"]),
    ("dnssec", &["dns", "asn1", "zone"]),
    ("answer", &["dns", "zone"]),
    ("state", &["dns", "zone", "dnssec", "tlsa"]),
    ("engine", &["dns", "zone", "tlsa", "config", "dnssec", "state"]),
    ("host", &["dns", "zone", "tlsa", "config", "dnssec", "answer", "state", "engine"]),
    // What it prints is the core's; how queries are answered is not among it.
    ("cli", &["config", "state", "host", "dns", "zone", "dnssec", "tlsa", "engine"]),
];

/// Lines of code, neither blank nor comment, that a file may have beside its tests.
const MAX_LINES: usize = 600;

#[test]
fn every_module_imports_only_what_the_table_allows() {
    let mut broken = Vec::new();
    for (path, text) in sources() {
        let modules = modules_of(&path);
        let Some(module) = modules.first() else { continue };
        let Some((_, allowed)) = TABLE.iter().find(|(known, _)| known == module) else {
            broken.push(format!("{}: module `{module}` is not in the table", path.display()));
            continue;
        };
        for (line, import) in imports(&text, modules.len()) {
            let is_layer = TABLE.iter().any(|(known, _)| *known == import);
            if is_layer && import != *module && !allowed.contains(&import.as_str()) {
                broken.push(format!("{}:{line}: `{module}` may not import `{import}`", path.display()));
            }
        }
    }
    assert!(broken.is_empty(), "\n{}", broken.join("\n"));
}

#[test]
fn no_file_outgrows_its_reader() {
    let long: Vec<String> = sources()
        .into_iter()
        .filter(|(path, _)| path.file_name().is_some_and(|name| name != "tests.rs"))
        .map(|(path, text)| (path, lines_of_code(&text)))
        .filter(|&(_, lines)| lines > MAX_LINES)
        .map(|(path, lines)| {
            format!("{}: {lines} lines of code, expected at most {MAX_LINES}", path.display())
        })
        .collect();
    assert!(long.is_empty(), "\n{}", long.join("\n"));
}

#[test]
fn imports_are_seen_however_they_are_written() {
    let text = "use crate::dns::name;\nuse crate::{zone::{Draft, dnssec}, host};\n// use crate::cli;\nfn f() { \
                crate::state::g(); super::super::engine::h(); super::tlsa::i() } // crate::answer\npub(in \
                crate::config) struct S;";
    let found: BTreeSet<String> = imports(text, 2).into_iter().map(|(_, import)| import).collect();
    let found: Vec<&str> = found.iter().map(String::as_str).collect();
    assert_eq!(found, ["config", "dns", "engine", "host", "state", "zone"]);
    assert_eq!(modules_of(Path::new("src/dns/name/tests.rs")), ["dns", "name", "tests"]);
    assert_eq!(modules_of(Path::new("src/dns/mod.rs")), ["dns"]);
    assert_eq!(modules_of(Path::new("src/lib.rs")), [""; 0]);
    assert_eq!(lines_of_code("//! Head.\n\nfn f() {}\n#[cfg(test)]\nmod tests {\n    fn g() {}\n}\n"), 1);
}

/// Every source file with its text, its path relative to the package.
fn sources() -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    let mut directories = vec![root.join("src")];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(&directory).expect("a directory of sources") {
            let path = entry.expect("an entry of a directory").path();
            if path.is_dir() {
                directories.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).expect("a source file in UTF-8");
                let path = path.strip_prefix(root).expect("a path below the package");
                found.push((path.to_owned(), text));
            }
        }
    }
    assert!(found.len() > TABLE.len(), "the sources are not where this test looks");
    found.sort();
    found
}

/// The module that a file is, from the crate's root; nothing for `lib.rs` and `main.rs`.
fn modules_of(path: &Path) -> Vec<&str> {
    let mut modules: Vec<&str> = path.iter().skip(1).filter_map(|part| part.to_str()).collect();
    if let Some(last) = modules.pop() {
        match last.strip_suffix(".rs") {
            None | Some("mod" | "lib" | "main") => {}
            Some(module) => modules.push(module),
        }
    }
    modules
}

/// The modules at the crate's root that `text` names, with line numbers; `depth` modules deep.
fn imports(text: &str, depth: usize) -> Vec<(usize, String)> {
    // Comments and their links bind nobody.
    let code: Vec<&str> =
        text.lines().map(|line| line.find("//").map_or(line, |comment| &line[..comment])).collect();
    let code = code.join("\n");
    let climb = "super::".repeat(depth);
    let mut found = Vec::new();
    for start in ["crate::", climb.as_str()].into_iter().filter(|start| !start.is_empty()) {
        for (at, _) in code.match_indices(start) {
            if code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_') {
                continue;
            }
            let line = code[..at].matches('\n').count() + 1;
            let after = code[at + start.len()..].trim_start_matches("super::");
            found.extend(heads(after).into_iter().map(|head| (line, head)));
        }
    }
    found
}

/// The first segments of the path, or of each path in the braces, that `text` starts with.
fn heads(text: &str) -> Vec<String> {
    let word = |text: &str| -> String {
        text.trim_start().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
    };
    let Some(group) = text.strip_prefix('{') else { return vec![word(text)] };
    let mut heads = vec![word(group)];
    let mut depth = 1;
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 1 => heads.push(word(&group[at + 1..])),
            _ => {}
        }
        if depth == 0 {
            break;
        }
    }
    heads
}

/// Lines before the unit tests that are neither blank nor comment.
fn lines_of_code(text: &str) -> usize {
    let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or(text);
    code.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("//")).count()
}
