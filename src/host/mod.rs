//! The world outside: clock, disk, entropy, files, sockets. The rest of the house is pure.
#![allow(
    clippy::disallowed_methods,
    reason = "clock, files, sockets and threads belong here and nowhere else"
)]

pub mod backup;
pub mod check;
pub mod client;
mod client_certificates;
pub mod clock;
mod clocked;
mod control;
mod conversation;
pub mod crowd;
pub mod daemon;
pub mod disk;
mod dsync;
pub mod files;
mod hook;
mod http;
pub mod https;
pub mod identity;
pub mod keys;
pub mod lab;
mod last_seen;
mod lookout;
mod mail_hosts;
pub mod metrics;
mod next_keys;
pub mod next_requests;
mod notices;
pub mod notify;
pub mod once;
mod parent;
mod perform;
pub mod pkcs11;
pub mod policies;
mod primaries;
pub mod probe;
mod process;
pub mod published;
pub mod quic;
pub mod reports;
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
pub mod verify;
pub mod watch;
mod workshop;
pub mod zonefile;
