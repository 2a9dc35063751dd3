//! The domain name system's own terms: names, record types, rdata, messages, TSIG, zone-file text.
//! Imports nothing of ours.

pub mod message;
pub mod name;
pub mod problem;
pub mod rdata;
pub mod rtype;
pub mod time;
pub mod token;
pub mod tsig;
pub mod zonefile;
