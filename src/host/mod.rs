//! The world: clock, disk, entropy, file watching, sockets, HTTP. Everything else takes these as arguments.
#![allow(clippy::disallowed_methods, reason = "this is the one module that touches clock, files, sockets and threads")]

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
mod servers;
pub mod settings;
pub mod tcp;
pub mod udp;
pub mod watch;
pub mod zonefile;
