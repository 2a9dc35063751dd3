//! danelaw: authoritative DNS with inline DNSSEC signing and TLSA records that follow the deployed keys.

pub mod dns;
pub mod dnssec;
pub mod host;
pub mod state;
pub mod zone;
