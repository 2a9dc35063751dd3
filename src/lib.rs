//! danelaw: authoritative DNS with inline DNSSEC signing and TLSA records that follow the deployed keys.

pub mod dns;
<<<<<<< HEAD
pub mod zone;
=======
pub mod dnssec;
pub mod host;
>>>>>>> dnssec
