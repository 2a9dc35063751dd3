//! The world outside: clock, disk, entropy, files, sockets. The rest of the house is pure.

pub mod disk;
pub mod keys;
