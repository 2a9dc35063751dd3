//! The problems of one configuration file, gathered while it is read.

use std::fmt;
use std::sync::Arc;

use crate::dns::problem::{MAX_PROBLEMS, Place, Problem};

/// Where a node of the YAML text starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Mark {
    /// From 1.
    pub(super) line: usize,
    /// From 0, in characters.
    pub(super) column: usize,
}

impl Mark {
    /// The start of the file.
    pub(super) const START: Self = Self { line: 1, column: 0 };
}

/// What has been found wrong so far.
pub(super) struct Report<'a> {
    file: Arc<str>,
    text: &'a str,
    found: Vec<(Mark, Problem)>,
    untold: usize,
}

impl<'a> Report<'a> {
    pub(super) fn new(file: &str, text: &'a str) -> Self {
        Self { file: file.into(), text, found: Vec::new(), untold: 0 }
    }

    /// Notes what keeps the configuration from being used.
    pub(super) fn error(&mut self, mark: Mark, what: impl fmt::Display) {
        // The first errors are told; a file that is wrong everywhere is not repeated in full.
        if self.found.iter().filter(|(_, problem)| problem.is_error()).count() < MAX_PROBLEMS {
            let problem = Problem::error(self.place(mark), what);
            self.found.push((mark, problem));
        } else {
            self.untold += 1;
        }
    }

    /// Notes what someone should look at.
    pub(super) fn warning(&mut self, mark: Mark, what: impl fmt::Display) {
        if self.found.len() < 2 * MAX_PROBLEMS {
            let problem = Problem::warning(self.place(mark), what);
            self.found.push((mark, problem));
        }
    }

    /// Whether the configuration is refused already.
    pub(super) fn has_errors(&self) -> bool {
        self.found.iter().any(|(_, problem)| problem.is_error())
    }

    /// Every problem, in the file's order.
    pub(super) fn finish(mut self) -> Vec<Problem> {
        self.found.sort_by_key(|&(mark, _)| mark);
        let mut problems: Vec<Problem> = self.found.into_iter().map(|(_, problem)| problem).collect();
        if self.untold > 0 {
            let what = format!("and {} more problems", self.untold);
            problems.push(Problem::error(Place::file(Arc::clone(&self.file)), what));
        }
        problems
    }

    fn place(&self, mark: Mark) -> Place {
        Place {
            file: Arc::clone(&self.file),
            line: mark.line as u32,
            column: octet_column(self.text, mark) as u32,
        }
    }
}

/// The column of `mark` from 1 in octets, as editors and compilers count.
fn octet_column(text: &str, mark: Mark) -> usize {
    // YAML's line breaks: CR LF, LF, CR (YAML 1.2.2 §5.4).
    let mut rest = text.strip_prefix('\u{feff}').unwrap_or(text);
    for _ in 1..mark.line {
        let Some(at) = rest.find(['\r', '\n']) else { break };
        let length = if rest[at..].starts_with("\r\n") { 2 } else { 1 };
        rest = &rest[at + length..];
    }
    1 + rest.chars().take(mark.column).map(char::len_utf8).sum::<usize>()
}
