//! danelaw's answers against those of BIND, NSD, Knot and PowerDNS, over the same signed zones.
//!
//! A seed makes small [worlds](world) of zones full of wildcards, delegations, DNAMEs, aliases and empty
//! non-terminals; danelaw [signs](signed) them, and everybody [serves](peers) the text of that, so that every record
//! and signature is the same. Every name that matters is [asked](questions) for every type that may, with DO and
//! without. The parts of the answers are [put to the vote](compare): where danelaw is not with the majority, the
//! [allow-list](allowed) has to name the clause of an RFC, or the test fails and shows zones, question and answers.
//!
//! In zones that [change](changes) again and again, every proof is held against the same checks, without the others.
//!
//! `DANELAW_ZONES` says how many zones there are, `DANELAW_SEED` which; a failure names both.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::format_push_string,
    reason = "tests start processes and touch files, and say what they saw"
)]

#[path = "../peers/program.rs"]
#[allow(dead_code, reason = "the peers' tests need more of it")]
mod program;
#[path = "../peers/wait.rs"]
mod wait;

mod additional;
mod allowed;
mod changes;
mod client;
mod compare;
mod model;
mod ours;
mod peers;
mod proof;
mod questions;
mod random;
mod run;
mod signed;
mod wire;
mod world;
