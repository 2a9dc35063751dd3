//! Worlds by their seeds: one after the other on every processor.
//!
//! `DANELAW_SIM_SEED` runs the one world of that seed. How many there are otherwise, each test has a variable for.

use std::env;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

/// Runs the world of each seed, and gives what came of them, in no order.
pub(crate) fn each<T: Send>(variable: &str, default: u64, run: impl Fn(u64) -> T + Sync) -> Vec<T> {
    let Range { start, end } = range(variable, default);
    let next = AtomicU64::new(start);
    let processors = thread::available_parallelism().map_or(1, usize::from);
    let some = || {
        let seeds = std::iter::repeat_with(|| next.fetch_add(1, Ordering::Relaxed));
        seeds.take_while(|&seed| seed < end).map(&run).collect::<Vec<T>>()
    };
    thread::scope(|scope| {
        let threads: Vec<_> = (0..processors).map(|_| scope.spawn(some)).collect();
        threads
            .into_iter()
            .flat_map(|thread| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect()
    })
}

fn range(variable: &str, default: u64) -> Range<u64> {
    let number = |name| env::var(name).ok().map(|text: String| text.parse().unwrap());
    match number("DANELAW_SIM_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number(variable).unwrap_or(default),
    }
}
