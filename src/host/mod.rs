//! The world outside: clock, disk, entropy, files, sockets. The rest of the house is pure.
#![allow(
    clippy::disallowed_methods,
    reason = "clock, files, sockets and threads belong here and nowhere else"
)]

pub mod check;
pub mod client;
mod client_certificates;
pub mod clock;
mod control;
mod conversation;
pub mod crowd;
pub mod daemon;
pub mod disk;
pub mod files;
pub mod https;
pub mod identity;
pub mod keys;
pub mod metrics;
mod notices;
pub mod notify;
pub mod once;
mod perform;
mod primaries;
mod process;
pub mod published;
pub mod quic;
mod secondaries;
mod server;
mod servers;
pub mod settings;
pub mod tcp;
pub mod traffic;
mod transfers;
mod trust;
pub mod udp;
mod updates;
pub mod watch;
mod workshop;
pub mod zonefile;
