//! Waiting for conditions, never for time.

use std::time::{Duration, Instant};

/// Long enough for any program to start on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);
/// Between two looks, at first and at most. A look often starts a program: what takes minutes is not looked at all the
/// time, and what is measured is right to a sixteenth.
const SHORTEST: Duration = Duration::from_millis(5);
const LONGEST: Duration = Duration::from_millis(250);

/// Asks until there is an answer; fails the test once `limit` has passed. Returns the answer and the time it took.
#[track_caller]
pub(crate) fn until_within<T>(
    limit: Duration,
    what: &str,
    mut ask: impl FnMut() -> Option<T>,
) -> (T, Duration) {
    let start = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return (answer, start.elapsed());
        }
        assert!(start.elapsed() < limit, "not within {limit:?}: {what}");
        std::thread::sleep((start.elapsed() / 16).clamp(SHORTEST, LONGEST));
    }
}

/// [`until_within`] with [`PATIENCE`].
#[track_caller]
pub(crate) fn until<T>(what: &str, ask: impl FnMut() -> Option<T>) -> T {
    until_within(PATIENCE, what, ask).0
}
