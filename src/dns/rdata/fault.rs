//! What is wrong with rdata in text form, in words for the person who wrote it.

use std::fmt;

use super::RdataError;
use super::table::Field;
use crate::dns::name::NameError;
use crate::dns::token::LexError;

/// Why text is not rdata, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}")]
pub struct TextError {
    /// The offset of the offending token, or of the end of the record, in the lexer's text.
    pub at: usize,
    /// What is wrong and what was expected.
    pub what: TextProblem,
}

/// What is wrong with text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TextProblem {
    /// It cannot be cut into tokens.
    #[error(transparent)]
    Lex(#[from] LexError),
    /// The record ends before this field.
    #[error("the record ends here, expected {0}")]
    Missing(Field),
    /// A token is not this field.
    #[error("{got}, expected {expected}")]
    Unexpected {
        /// The token as it is written.
        got: Written,
        /// What should be there.
        expected: Field,
    },
    /// A token is not a domain name.
    #[error("{got} is not a domain name: {why}")]
    Name {
        /// The token as it is written.
        got: Written,
        /// What is wrong with it.
        why: NameError,
    },
    /// A backslash in a string is followed by neither a character nor three digits up to 255.
    #[error("{0} has a bad escape, expected \\X or \\DDD with DDD at most 255")]
    Escape(Written),
    /// A string is longer than a length octet can say.
    #[error("the string has {0} octets, expected at most 255; split it into several strings")]
    StringTooLong(usize),
    /// `\#` says one length, the data has another.
    #[error("\\# says {said} octets, but {found} follow")]
    Length {
        /// The number after `\#`.
        said: u64,
        /// The octets that follow it.
        found: usize,
    },
    /// The service parameter stands twice.
    #[error("service parameter {0} is repeated")]
    RepeatedParam(Written),
    /// The fields make no rdata together.
    #[error(transparent)]
    Rdata(#[from] RdataError),
    /// The record's data is complete, but more follows.
    #[error("{0} follows the record's data, expected the end of the line")]
    Trailing(Written),
}

/// A token as a message shows it: in quotes, cut to a sensible length.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written(Box<[u8]>);

impl Written {
    /// `text` as it is written in the file.
    pub fn of(text: &[u8]) -> Self {
        Self(text[..text.len().min(WRITTEN + 1)].into())
    }
}

impl fmt::Display for Written {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = &self.0[..self.0.len().min(WRITTEN)];
        let rest = if self.0.len() > WRITTEN { "…" } else { "" };
        write!(f, "\"{}{rest}\"", shown.escape_ascii())
    }
}

/// How many octets of a token a message shows.
const WRITTEN: usize = 48;
