//! The world outside: clock, disk, entropy, files, sockets. The rest of the house is pure.
#![allow(
    clippy::disallowed_methods,
    reason = "clock, files, sockets and threads belong here and nowhere else"
)]

pub mod check;
pub mod client;
pub mod clock;
mod control;
pub mod daemon;
pub mod disk;
pub mod files;
pub mod keys;
pub mod notify;
pub mod once;
mod perform;
mod process;
pub mod published;
mod secondaries;
mod server;
mod servers;
pub mod settings;
pub mod tcp;
pub mod udp;
pub mod watch;
pub mod zonefile;
