//! The world outside: clock, disk, entropy, files, sockets. The rest of the house is pure.

pub mod clock;
pub mod keys;
pub mod notify;
pub mod tcp;
pub mod udp;
