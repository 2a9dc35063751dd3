//! danelaw: authoritative DNS with inline DNSSEC signing and TLSA records that follow the deployed keys.

pub mod answer;
pub mod cli;
pub mod config;
pub mod dns;
pub mod dnssec;
pub mod engine;
pub mod host;
pub mod state;
pub mod tlsa;
pub mod zone;
