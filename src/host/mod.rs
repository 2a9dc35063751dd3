//! The world: clock, disk, entropy, file watching, sockets, HTTP. Everything else takes these as arguments.
#![allow(clippy::disallowed_methods, reason = "this is the one module that touches clock, files, sockets and threads")]

pub mod clock;
pub mod keys;
pub mod notify;
pub mod tcp;
pub mod udp;
pub mod watch;
