//! The simulated world: what no real machine does on order.

#![allow(
    clippy::format_push_string,
    clippy::needless_for_each,
    clippy::struct_excessive_bools,
    clippy::unnecessary_wraps,
    reason = "a world is described as briefly as it can be"
)]
#![allow(clippy::unwrap_used, reason = "a simulation that cannot go on stops")]
#![allow(clippy::disallowed_methods, reason = "tests may use the system's randomness")]

mod batches;
mod catalogs;
mod certificates;
mod damage;
mod disk;
mod faults;
mod files;
mod keys;
mod next;
mod parents;
mod presented;
mod primary;
mod rollovers;
mod seeds;
mod several;
mod signals;
mod signatures;
mod updates;
mod world;
