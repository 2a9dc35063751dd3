//! Signed zones that move to danelaw, by the recipes of docs/migration.md, while a validator asks all the time.
//!
//! [`world`] is what does not move: the parent zone, and unbound with its trust anchor. [`signers`] are those that are
//! left. The tests are in [`by_keys`] (the zone keeps its keys), [`by_publishing`] (each signer publishes the other's
//! keys first), and [`files`] (key files between danelaw and the tools of others).

mod by_keys;
mod by_publishing;
mod files;
mod signers;
mod world;
