//! DNSSEC: keys, denial of existence, signatures, and the check that what was signed may be published.
//!
//! - [`key`], [`keyfile`], [`keyset`]: keys, their files as text, and which key signs what.
//! - [`rrsig`]: what is signed (RFC 4034 §3.1.8.1), signing and verifying.
//! - [`bitmap`], [`nsec3`]: the parts that denial of existence is made of.
//! - [`policy`], [`sign`]: how a zone is to be signed, and signing what changed.
//! - [`validate`]: the proof, by public keys alone, without which nothing is published.
//!
//! Nothing here reads a clock, a file or randomness: `now`, texts and the random source are arguments.

pub mod bitmap;
#[cfg(test)]
mod fixture;
pub mod key;
pub mod keyfile;
pub mod keyset;
pub mod nsec3;
pub mod policy;
pub mod rrsig;
pub mod sign;
pub mod validate;
