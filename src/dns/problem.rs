//! What is wrong with an input, and where: the one shape in which files report to people.
//!
//! Printed as `file:line:column: what, what was expected`; warnings say `warning:` after the place.

use std::fmt;
use std::sync::Arc;

/// How many problems of one input are reported; the rest are counted.
pub const MAX_PROBLEMS: usize = 50;

/// A place in a text file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The file as the operator named it.
    pub file: Arc<str>,
    /// From 1; 0 when the problem is with the file as a whole.
    pub line: u32,
    /// From 1, in octets; 0 when the problem is with the line or the file as a whole.
    pub column: u32,
}

impl Place {
    /// A place that is the whole of `file`.
    pub fn file(file: impl Into<Arc<str>>) -> Self {
        Self { file: file.into(), line: 0, column: 0 }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if self.line > 0 {
            write!(f, ":{}", self.line)?;
            if self.column > 0 {
                write!(f, ":{}", self.column)?;
            }
        }
        Ok(())
    }
}

/// Whether a problem keeps the input from being used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// The input is refused.
    Error,
    /// The input is used; someone should look.
    Warning,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where.
    pub place: Place,
    /// How bad.
    pub severity: Severity,
    /// What is wrong and what was expected, lower case, no full stop.
    pub what: String,
}

impl Problem {
    /// A problem that refuses the input.
    pub fn error(place: Place, what: impl fmt::Display) -> Self {
        Self { place, severity: Severity::Error, what: what.to_string() }
    }

    /// A problem that does not.
    pub fn warning(place: Place, what: impl fmt::Display) -> Self {
        Self { place, severity: Severity::Warning, what: what.to_string() }
    }

    /// Whether the input is refused for it.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.severity {
            Severity::Error => write!(f, "{}: {}", self.place, self.what),
            Severity::Warning => write!(f, "{}: warning: {}", self.place, self.what),
        }
    }
}

/// Problems as they are found: the first [`MAX_PROBLEMS`] are kept, the rest counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Problems {
    list: Vec<Problem>,
    unlisted: usize,
    errors: usize,
}

impl Problems {
    /// Adds one.
    pub fn push(&mut self, problem: Problem) {
        self.errors += usize::from(problem.is_error());
        if self.list.len() < MAX_PROBLEMS {
            self.list.push(problem);
        } else if let Some(warning) =
            problem.is_error().then(|| self.list.iter_mut().rfind(|kept| !kept.is_error())).flatten()
        {
            // An error is worth more than a warning that came earlier.
            *warning = problem;
            self.unlisted += 1;
        } else {
            self.unlisted += 1;
        }
    }

    /// Adds all of `other`.
    pub fn append(&mut self, other: Self) {
        let unlisted_errors = other.errors - other.list.iter().filter(|problem| problem.is_error()).count();
        for problem in other.list {
            self.push(problem);
        }
        self.unlisted += other.unlisted;
        self.errors += unlisted_errors;
    }

    /// Whether the input is refused.
    pub fn refuse(&self) -> bool {
        self.errors > 0
    }

    /// Whether nothing was found.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Those that are kept.
    pub fn iter(&self) -> std::slice::Iter<'_, Problem> {
        self.list.iter()
    }

    /// How many were found beyond those that are kept.
    pub fn unlisted(&self) -> usize {
        self.unlisted
    }
}

impl<'a> IntoIterator for &'a Problems {
    type Item = &'a Problem;
    type IntoIter = std::slice::Iter<'a, Problem>;
    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Display for Problems {
    /// One a line, and how many more there are.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.list.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            problem.fmt(f)?;
        }
        if self.unlisted > 0 {
            write!(f, "\n… and {} more", self.unlisted)?;
        }
        Ok(())
    }
}
