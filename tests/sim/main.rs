//! The simulated world: what no real machine does on order.

#![allow(clippy::unwrap_used, reason = "a simulation that cannot go on stops")]
#![allow(clippy::disallowed_methods, reason = "tests may use the system's randomness")]

mod certificates;
mod disk;
mod faults;
mod files;
mod several;
mod signatures;
mod world;
