//! danelaw against real peers, on loopback: secondaries transfer its zones, validators believe its answers,
//! zone checkers find nothing, and neither bad input nor `kill -9` takes away what is served.
//!
//! [`danelaw`], [`primary`], [`secondary`] and [`validator`] run the programs, each in a directory of its own and on a
//! free port, stopped by process id when the value goes; [`postfix`] and [`tls_server`] are services behind TLS, and
//! [`acme`] is an authority; [`check`], [`dig`] and [`certificate`] wrap the tools. The other modules hold the tests.
//! Nothing waits for a time to pass: [`wait::until`] asks again until a deadline.
//! A missing program fails the test and says how to install it: `scripts/test` does.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "tests start processes and touch files")]

mod acme;
mod advice;
mod catalogs;
mod certificate;
mod check;
mod clocks;
mod danelaw;
mod dig;
mod namespace;
mod offline;
mod postfix;
mod primary;
mod program;
mod secondary;
mod secrets;
mod settings;
mod tls_server;
mod validator;
mod wait;

mod backup;
mod bad_input;
mod calibration;
mod crashes;
mod domains;
mod ds;
mod follow;
mod gate;
mod keys;
mod lab;
mod mail;
mod metrics;
mod migration;
mod next;
mod notify;
mod probe;
mod recipes;
mod rollovers;
mod sign;
mod stores;
#[cfg(feature = "pkcs11")]
mod token;
mod transfers;
mod transports;
mod tsig;
mod updates;
mod upstream;
mod validation;
mod verify;
mod xot;
mod zonemd;
