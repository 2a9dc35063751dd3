//! The world outside: clock, disk, entropy, files, sockets. The rest of the house is pure.
#![allow(
    clippy::disallowed_methods,
    reason = "clock, files, sockets and threads belong here and nowhere else"
)]

pub mod clock;
pub mod keys;
pub mod notify;
pub mod tcp;
pub mod udp;
pub mod watch;
