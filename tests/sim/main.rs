//! The simulated world: what no real machine does on order.

#![allow(clippy::unwrap_used, reason = "a simulation that cannot go on stops")]

mod disk;
