//! What must survive a restart, in one database file, one transaction a commit.
//!
//! - [`store`]: the [`Store`]: what is loaded at a start, and what is committed.
//! - [`record`]: what is kept of a zone and of a service beside the zone's nodes, and its form on disk.
//! - `journal`: the versions before the stored one.
//! - `updates`: what dynamic updates have made of zones.
//! - [`copy`]: all of it as it was at one moment, for backups.
//! - [`error`]: what can go wrong, and what of it passes.
//!
//! A commit is durable when [`Store::commit`] returns `Ok`. A crash at any moment leaves the state before it or
//! the state after it. Nothing here knows files: the store is given a [`redb::StorageBackend`].

pub mod copy;
pub mod error;
mod journal;
pub mod record;
pub mod store;
mod updates;

pub use copy::Moment;
pub use error::StateError;
pub use record::{ServiceState, ZoneRecord};
pub use store::{Commit, Loaded, ServiceCommit, Store, StoredZone, ZoneCommit};
