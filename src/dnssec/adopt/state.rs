//! `.state` files, in which BIND keeps where a key of a `dnssec-policy` is in its life.
//!
//! With such a policy the times in `.key` and `.private` are forecasts: when the key would be retired if nothing
//! happened. What really is is in the states.

use crate::dnssec::keyset::Timing;

/// Where BIND has left a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyState {
    /// Whether BIND wants the key to be in use.
    goal: State,
    /// Whether caches may have the key.
    dnskey: State,
    /// Whether caches may have its signatures over zone data, if it makes such.
    zone_signatures: Option<State>,
    /// Whether caches may have its signatures over the DNSKEY RRset, if it makes such.
    key_signatures: Option<State>,
}

/// What caches have of a record: the states of BIND's `kasp`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Hidden,
    Rumoured,
    Omnipresent,
    Unretentive,
}

/// Why a `.state` file says nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum StateError {
    /// A line is missing.
    #[error("`{0}:` line is missing")]
    Missing(&'static str),
    /// Another word.
    #[error("`{0}:` is none of hidden, rumoured, omnipresent and unretentive")]
    Word(&'static str),
}

impl KeyState {
    /// Reads the text of a `.state` file.
    pub fn parse(text: &str) -> Result<Self, StateError> {
        let of = |label: &'static str| {
            let mut lines = text.lines().filter_map(|line| line.split_once(':'));
            let Some((_, word)) = lines.find(|(found, _)| found.trim() == label) else { return Ok(None) };
            let state = match word.trim() {
                "hidden" => State::Hidden,
                "rumoured" => State::Rumoured,
                "omnipresent" => State::Omnipresent,
                "unretentive" => State::Unretentive,
                _ => return Err(StateError::Word(label)),
            };
            Ok(Some(state))
        };
        let must = |label| of(label)?.ok_or(StateError::Missing(label));
        Ok(Self {
            goal: must("GoalState")?,
            dnskey: must("DNSKEYState")?,
            zone_signatures: of("ZRRSIGState")?,
            key_signatures: of("KRRSIGState")?,
        })
    }

    /// Whether the key's life is over: nobody has it any more, and nobody shall.
    pub fn is_over(&self) -> bool {
        self.goal == State::Hidden && self.dnskey == State::Hidden
    }

    /// The key's times without what BIND has only forecast: a key that is to stay has no end. One that goes signs no
    /// more where its signatures are going.
    pub fn settle(&self, timing: Timing) -> Timing {
        let goes = |state: &Option<State>| matches!(state, Some(State::Unretentive | State::Hidden));
        let signs_no_more = goes(&self.zone_signatures) && self.key_signatures.is_none()
            || goes(&self.key_signatures) && self.zone_signatures.is_none()
            || goes(&self.zone_signatures) && goes(&self.key_signatures);
        match self.goal {
            State::Hidden if signs_no_more => timing,
            _ => Timing { inactive: None, delete: None, ..timing },
        }
    }
}
