//! The wall clock, read once per input.

use std::time::SystemTime;

use crate::dns::time::Timestamp;

/// What time it is.
pub fn now() -> Timestamp {
    // A clock before 1970 is as wrong as one at 1970.
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Timestamp(since.as_secs())
}
