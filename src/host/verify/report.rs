//! What has been checked, one line each.

use std::fmt;

use serde::Serialize;

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// As it should be.
    Ok,
    /// It works, and somebody should look at it.
    Warn,
    /// Clients that go by DANE fail, or are not protected.
    Fail,
}

/// One check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// How it ended.
    pub outcome: Outcome,
    /// What was looked at: a name and type, or a host and port.
    pub subject: String,
    /// The server that was asked, if there was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
    /// What was found.
    pub text: String,
}

/// All checks, in the order in which they were made.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Report {
    /// The checks.
    pub checks: Vec<Check>,
}

impl Report {
    /// Whether nothing failed.
    pub fn is_sound(&self) -> bool {
        self.checks.iter().all(|check| check.outcome != Outcome::Fail)
    }

    pub(super) fn add(
        &mut self,
        outcome: Outcome,
        subject: impl fmt::Display,
        at: Option<&dyn fmt::Display>,
        text: impl fmt::Display,
    ) {
        let (subject, at) = (subject.to_string(), at.map(ToString::to_string));
        self.checks.push(Check { outcome, subject, at, text: text.to_string() });
    }
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let outcome = match self.outcome {
            Outcome::Ok => "ok  ",
            Outcome::Warn => "warn",
            Outcome::Fail => "FAIL",
        };
        write!(f, "{outcome}  {}", self.subject)?;
        if let Some(at) = &self.at {
            write!(f, " at {at}")?;
        }
        write!(f, ": {}", self.text)
    }
}
