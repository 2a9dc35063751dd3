//! Transaction signatures (RFC 8945): who sent a message, and that it is whole.
//!
//! [`server`] checks requests and signs what answers them, be it one message or a transfer of many; [`client`] is
//! the other side. Time is an argument. Keys never appear in logs and are wiped from memory when dropped.

pub mod client;
pub mod key;
pub mod record;
pub mod server;

pub use client::{Exchange, ResponseFault};
pub use key::{Algorithm, Key, KeyError, Keyring};
pub use server::{Refusal, Session};

/// How far apart two clocks may be, in seconds (RFC 8945 §10).
pub const FUDGE: u16 = 300;
/// A transfer's receiver accepts this many messages between two that are signed (RFC 8945 §5.3.1).
pub const MAX_UNSIGNED: u8 = 99;

/// The error field of a TSIG record (RFC 8945 §3).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TsigError(pub u16);

impl TsigError {
    /// All is well.
    pub const NONE: Self = Self(0);
    /// The MAC is wrong.
    pub const BADSIG: Self = Self(16);
    /// There is no such key, or it is for another algorithm.
    pub const BADKEY: Self = Self(17);
    /// The clocks differ by more than the fudge.
    pub const BADTIME: Self = Self(18);
    /// The MAC is shorter than the server's policy wants.
    pub const BADTRUNC: Self = Self(22);
}

#[cfg(test)]
mod tests;
