//! The engine as the daemon has it: whatever it is told, the clocks come first.
//!
//! Waits go by the time that passes, not by what the wall clock is set to. So an engine that saw a wall clock that was set
//! ahead before it is told by how much would end waits too early, and nothing takes that back. Here is the one way to
//! tell it anything; all else that it gives is for reading, or asks for no time.

use std::ops::Deref;

use super::clock::Clocks;
use crate::dns::name::Name;
use crate::dns::time::Seconds;
use crate::dnssec::lifecycle::RollError;
use crate::engine::next::{MakeNext, NotMade};
use crate::engine::{Effect, Engine, Input, KeyOrder};

/// How much further than time the wall clock may go on at once before that counts as having been set.
pub(super) const CLOCK_TOLERANCE: Seconds = Seconds(5);

/// An engine, and what the clocks showed when it was told something last.
pub(super) struct Clocked {
    engine: Engine,
    clocks: Clocks,
}

impl Clocked {
    /// An engine that knows nothing yet, and has been told nothing before `clocks`.
    pub(super) fn new(clocks: Clocks) -> Self {
        Self { engine: Engine::new(), clocks }
    }

    /// As the engine was told last.
    pub(super) fn clocks(&self) -> &Clocks {
        &self.clocks
    }

    /// Tells the engine what the clocks have done since, and then what happened. What is to be done is in this order, too.
    pub(super) fn step(&mut self, clocks: Clocks, input: Input) -> Vec<Effect> {
        let ahead = clocks.ahead_since(&self.clocks);
        self.clocks = clocks;
        let mut effects = Vec::new();
        if ahead >= CLOCK_TOLERANCE {
            tracing::warn!("the clock was set ahead by {ahead}; waits go on by the time that passes");
            effects = self.engine.step(clocks.wall, Input::ClockSetAhead(ahead));
        }
        effects.extend(self.engine.step(clocks.wall, input));
        effects
    }

    /// As [`Engine::order_key`] does.
    pub(super) fn order_key(&mut self, zone: &Name, order: KeyOrder) -> Option<Result<String, RollError>> {
        self.engine.order_key(zone, order)
    }

    /// As [`Engine::make_next`] does.
    pub(super) fn make_next(&mut self, service: &str, force: bool) -> Option<Result<Vec<MakeNext>, NotMade>> {
        self.engine.make_next(service, force)
    }
}

impl Deref for Clocked {
    type Target = Engine;

    fn deref(&self) -> &Engine {
        &self.engine
    }
}
