//! Reading the keys of a mapping: which are known, which are missing, and what their values must be.
//!
//! A value that is wrong is reported and read as if it were absent, so that the rest of the file is still
//! checked.

use std::fmt;
use std::rc::Rc;

use super::report::{Mark, Report};
use super::yaml::{Entry, Node, Value};

/// What is wrong with the shape of a value.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
enum ShapeError<'a> {
    #[error("unknown key `{key}`, nearest known key is `{nearest}`")]
    UnknownKeyNear { key: &'a str, nearest: &'static str },
    #[error("unknown key `{key}`, expected one of {}", Listed(.known))]
    UnknownKey { key: &'a str, known: &'static [&'static str] },
    #[error("`{key}` is {found}, expected {expected}")]
    Kind { key: &'a str, found: &'static str, expected: &'static str },
    #[error("`{key}` is empty, expected at least one")]
    Empty { key: &'a str },
    #[error("{key} `{text}`: {error}")]
    Value { key: &'a str, text: &'a str, error: String },
}

/// The keys of one mapping, all of them known.
pub(super) struct Fields<'a> {
    entries: &'a [Entry],
}

impl<'a> Fields<'a> {
    /// The mapping at `node`, which is the value of `key`. Unknown keys are reported; nothing at all is an empty
    /// mapping.
    pub(super) fn of(
        key: &'a str,
        node: &'a Node,
        known: &'static [&'static str],
        report: &mut Report<'_>,
    ) -> Self {
        let entries = entries(key, node, report);
        for entry in entries.iter().filter(|entry| !known.contains(&&*entry.key)) {
            let error = match nearest(&entry.key, known) {
                Some(nearest) => ShapeError::UnknownKeyNear { key: &entry.key, nearest },
                None => ShapeError::UnknownKey { key: &entry.key, known },
            };
            report.error(entry.mark, error);
        }
        Self { entries }
    }

    /// The value of `key`, if it is there and not null.
    pub(super) fn get(&self, key: &str) -> Option<&'a Node> {
        let entry = self.entries.iter().find(|entry| &*entry.key == key)?;
        (!matches!(entry.value.value, Value::Null)).then_some(&entry.value)
    }

    /// The value of `key` as one scalar.
    pub(super) fn read<T, E: fmt::Display>(
        &self,
        key: &str,
        report: &mut Report<'_>,
        parse: impl Fn(&str) -> Result<T, E>,
    ) -> Option<T> {
        read(key, self.get(key)?, report, parse)
    }

    /// The values of `key`, each with its place: a list of scalars, or one scalar that stands for a list of one.
    /// `None` when the key is absent. An empty list is reported.
    pub(super) fn read_some<T, E: fmt::Display>(
        &self,
        key: &str,
        report: &mut Report<'_>,
        parse: impl Fn(&str) -> Result<T, E>,
    ) -> Option<Vec<(Mark, T)>> {
        let node = self.get(key)?;
        let nodes = one_or_list(node);
        if nodes.is_empty() {
            report.error(node.mark, ShapeError::Empty { key });
        }
        Some(nodes.iter().filter_map(|n| Some((n.mark, read(key, n, report, &parse)?))).collect())
    }

    /// As [`Fields::read_some`], but an empty list and an absent key are the same.
    pub(super) fn read_any<T, E: fmt::Display>(
        &self,
        key: &str,
        report: &mut Report<'_>,
        parse: impl Fn(&str) -> Result<T, E>,
    ) -> Vec<(Mark, T)> {
        match self.get(key) {
            Some(node) if !one_or_list(node).is_empty() => {
                self.read_some(key, report, parse).unwrap_or_default()
            }
            _ => Vec::new(),
        }
    }
}

/// The entries of the mapping at `node`, with keys of the operator's own.
pub(super) fn entries<'a>(key: &str, node: &'a Node, report: &mut Report<'_>) -> &'a [Entry] {
    match &node.value {
        Value::Map(entries) => entries,
        Value::Null => &[],
        value => {
            let error = ShapeError::Kind { key, found: kind(value), expected: "a mapping" };
            report.error(node.mark, error);
            &[]
        }
    }
}

/// The items of a list, or the node itself as a list of one.
pub(super) fn one_or_list(node: &Node) -> &[Node] {
    match &node.value {
        Value::List(nodes) => nodes,
        _ => std::slice::from_ref(node),
    }
}

/// The scalar at `node`, which is the value of `key` or an item of it.
pub(super) fn read<T, E: fmt::Display>(
    key: &str,
    node: &Node,
    report: &mut Report<'_>,
    parse: impl Fn(&str) -> Result<T, E>,
) -> Option<T> {
    let Value::Text(text) = &node.value else {
        let error = ShapeError::Kind { key, found: kind(&node.value), expected: "one value" };
        report.error(node.mark, error);
        return None;
    };
    match parse(text) {
        Ok(value) => Some(value),
        Err(error) => {
            // A secret never travels into a log.
            let text = if key == "secret" { "…" } else { Rc::as_ref(text) };
            report.error(node.mark, ShapeError::Value { key, text, error: error.to_string() });
            None
        }
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "empty",
        Value::Text(_) => "one value",
        Value::List(_) => "a list",
        Value::Map(_) => "a mapping",
    }
}

/// The known word that `word` was probably meant to be.
pub(super) fn nearest<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    let (distance, nearest) =
        known.iter().map(|known| (distance(word, known), *known)).min_by_key(|&(distance, _)| distance)?;
    // Beyond a third of its letters a word is another word.
    (distance <= nearest.chars().count().div_ceil(3)).then_some(nearest)
}

/// How many insertions, deletions, replacements and swaps of neighbours turn `a` into `b`.
fn distance(a: &str, b: &str) -> usize {
    // Keys are short; a long word is not a misspelt key, and need not cost its square.
    let a: Vec<char> = a.chars().take(MAX_KEY).flat_map(char::to_lowercase).collect();
    let b: Vec<char> = b.chars().take(MAX_KEY).flat_map(char::to_lowercase).collect();
    let mut rows = vec![(0..=b.len()).collect::<Vec<usize>>()];
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let replaced = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut best = replaced.min(rows[i - 1][j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            row.push(best);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

/// Words in backticks, with commas.
pub(super) struct Listed<'a>(pub(super) &'a [&'a str]);

impl fmt::Display for Listed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, word) in self.0.iter().enumerate() {
            let separator = if i > 0 { ", " } else { "" };
            write!(f, "{separator}`{word}`")?;
        }
        Ok(())
    }
}

/// Longer than every key.
const MAX_KEY: usize = 64;
