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
