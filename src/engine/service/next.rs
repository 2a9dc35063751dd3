//! The keys that danelaw makes for a service to have next.

use super::{Service, slot};
use crate::config;
use crate::dns::time::Timestamp;
use crate::engine::input::{Effect, Level, ServiceFile};
use crate::engine::next::{self, MadeNext, MakeNext, NotMade, Presented};
use crate::tlsa::Material;
use crate::tlsa::rollover::{Rollover, Standing};

/// What next keys need to know of a service.
struct Known<'a> {
    config: &'a config::Service,
    rollover: &'a Rollover,
}

impl Presented for Known<'_> {
    fn current(&self, index: usize) -> Option<&Material> {
        self.rollover.current(&slot(self.config, index))
    }

    fn is_live(&self, key: &Material) -> bool {
        self.rollover.live().any(|live| live.matches(key))
    }

    fn next(&self, index: usize) -> Option<(Standing, Timestamp)> {
        self.rollover.next(&slot(self.config, index)).map(|(_, standing, since)| (standing, since))
    }
}

impl Service {
    /// Has the next keys made that are due.
    pub(in crate::engine) fn make_next(&mut self, now: Timestamp, effects: &mut Vec<Effect>) {
        let known = Known { config: &self.config, rollover: &self.rollover };
        effects.extend(self.next_keys.due(now, &self.config, &known).into_iter().map(Effect::MakeNext));
    }

    /// Has next keys made because somebody asks.
    pub(in crate::engine) fn asked_for_next(&mut self, force: bool) -> Result<Vec<MakeNext>, NotMade> {
        let known = Known { config: &self.config, rollover: &self.rollover };
        self.next_keys.asked(&self.config, &known, force)
    }

    /// A next key was made, or could not be.
    pub(in crate::engine) fn next_made(
        &mut self,
        now: Timestamp,
        index: usize,
        outcome: Result<MadeNext, String>,
        effects: &mut Vec<Effect>,
    ) {
        self.next_keys.finished(now, index, outcome.is_err());
        match outcome {
            Ok(made) => {
                self.alarms.clear(NEXT_KEY);
                let (name, request) = (&self.config.name, made.request.display());
                let line = format!(
                    "service {name}: made the next key; the request for its certificate is {request}"
                );
                effects.push(Effect::Log { level: Level::Info, line });
                // What the watcher will tell as well, without waiting for it.
                self.file(now, ServiceFile::Next(index), Ok(made.contents), effects);
            }
            Err(reason) => {
                let text =
                    format!("no next key could be made: {reason}; it is tried again every {}", next::RETRY);
                self.raise(now, NEXT_KEY, &text, effects);
            }
        }
    }
}

const NEXT_KEY: &str = "next key";
