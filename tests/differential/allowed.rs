//! Where danelaw differs from the majority on purpose, and which RFC says so.

use super::compare::{Case, Part};

/// A reason to differ.
pub(crate) struct Row {
    /// The clause that decides.
    pub(crate) rfc: &'static str,
    /// What it means here.
    pub(crate) why: &'static str,
    /// The parts of a response that it is about.
    pub(crate) parts: &'static [Part],
    /// Whether the case is one of those meant.
    pub(crate) holds: fn(&Case<'_>) -> bool,
}

/// All of them.
pub(crate) const ROWS: [Row; 0] = [];
