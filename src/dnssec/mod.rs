//! DNSSEC: keys, denial of existence, signatures, and the check that what was signed may be published.
//!
//! - [`key`], [`keyfile`], [`keyset`]: keys, their files as text, and which key signs what.
//! - [`adopt`]: keys of other signers.
//! - [`lifecycle`]: when each key is published, signs, is named by the parent, and goes.
//! - [`rrsig`]: what is signed (RFC 4034 §3.1.8.1), signing and verifying.
//! - [`batch`]: signatures by a key-signing key that is nowhere near.
//! - [`token`]: the name of a private key that is in a token.
//! - [`bitmap`], [`nsec3`]: the parts that denial of existence is made of.
//! - [`policy`], [`sign`]: how a zone is to be signed, and signing what changed.
//! - [`proof`]: what a response of another server proves to one who trusts the zone's keys.
//! - [`validate`]: the proof, by public keys alone, without which nothing is published.
//!
//! Nothing here reads a clock, a file or randomness: `now`, texts and the random source are arguments.

pub mod adopt;
pub mod batch;
pub mod bitmap;
#[cfg(test)]
mod fixture;
pub mod key;
pub mod keyfile;
pub mod keyset;
pub mod lifecycle;
pub mod nsec3;
pub mod policy;
pub mod proof;
pub mod rrsig;
pub mod sign;
pub mod token;
pub mod validate;
