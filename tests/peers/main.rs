//! danelaw against real peers, on loopback: secondaries transfer its zones, validators believe its answers,
//! zone checkers find nothing, and neither bad input nor `kill -9` takes away what is served.
//!
//! [`danelaw`], [`primary`], [`secondary`] and [`validator`] run the programs, each in a directory of its own and on a free
//! port, stopped by process id when the value goes; [`check`], [`dig`] and [`certificate`] wrap the tools. The other
//! modules hold the tests. Nothing waits for a time to pass: [`wait::until`] asks again until a deadline.
//! A missing program fails the test and says how to install it: `scripts/test` does.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "tests start processes and touch files")]

mod catalogs;
mod certificate;
mod check;
mod danelaw;
mod dig;
mod primary;
mod program;
mod secondary;
mod validator;
mod wait;

mod bad_input;
mod calibration;
mod crashes;
mod follow;
mod metrics;
mod notify;
mod sign;
mod stores;
mod transfers;
mod transports;
mod tsig;
mod updates;
mod upstream;
mod validation;
mod xot;
