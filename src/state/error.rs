//! Why the state cannot be read or written.

use std::{fmt, io};

use crate::dns::name::Name;

/// What is wrong with the state. After any of them the store can be called again: it opens its database anew.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StateError {
    /// The disk is full, or a quota is.
    #[error("no space left for the state; make room on the disk of the `state` directory")]
    Full(#[source] Cause),
    /// The disk refuses.
    #[error("the state cannot be read or written: {0}")]
    Io(#[source] Cause),
    /// A newer version of danelaw wrote it.
    #[error(
        "the state was written by a newer danelaw (format {found}, this one reads up to {known}); run that version"
    )]
    Newer {
        /// The format number found.
        found: u64,
        /// The newest that is known.
        known: u64,
    },
    /// The database does not read.
    #[error("the state's database is damaged: {0}; restore the `state` directory from a copy")]
    Damaged(#[source] Cause),
    /// What is stored of a zone does not read.
    #[error(
        "what the state holds of zone {zone} is damaged: {damage}; restore the `state` directory from a copy"
    )]
    Zone {
        /// The zone.
        zone: Box<Name>,
        /// What does not read.
        damage: Damage,
    },
    /// What is stored of a service does not read.
    #[error(
        "what the state holds of service `{0}` is damaged: {1}; restore the `state` directory from a copy"
    )]
    Service(Box<str>, #[source] Cause),
}

/// What of a stored zone does not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Damage {
    /// The record of the zone.
    #[error("its record does not read")]
    Record,
    /// A node, or it stands in the wrong place.
    #[error("one of its names does not read")]
    Node,
    /// There is no SOA record at the apex.
    #[error("there is no SOA record at its apex")]
    NoSoa,
    /// What the versions before it were, or how they follow each other.
    #[error("its journal does not read")]
    Journal,
    /// What dynamic updates have made of it.
    #[error("what updates have made of it does not read")]
    Updates,
    /// Record and SOA have different serials.
    #[error("its serial is not that of its SOA record")]
    Serial,
}

/// An error of another library, by its text and its kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cause {
    kind: Option<io::ErrorKind>,
    text: Box<str>,
}

impl StateError {
    /// Whether doing the same again may succeed, when the disk is well again.
    pub fn may_pass(&self) -> bool {
        matches!(self, Self::Full(_) | Self::Io(_))
    }
}

impl Cause {
    /// What the system said it was, where it was the system that said it.
    pub fn kind(&self) -> Option<io::ErrorKind> {
        self.kind
    }

    pub(super) fn new(error: &impl std::error::Error) -> Self {
        Self { kind: None, text: error.to_string().into() }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for Cause {}

impl From<io::Error> for StateError {
    fn from(error: io::Error) -> Self {
        use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
        let cause = Cause { kind: Some(error.kind()), text: error.to_string().into() };
        match error.kind() {
            StorageFull | QuotaExceeded | FileTooLarge => Self::Full(cause),
            // How redb reports a file that is not its own, and one that is shorter than it says of itself.
            io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof => Self::Damaged(cause),
            _ => Self::Io(cause),
        }
    }
}

impl From<redb::Error> for StateError {
    fn from(error: redb::Error) -> Self {
        match error {
            redb::Error::Io(error) => error.into(),
            redb::Error::PreviousIo | redb::Error::DatabaseClosed => Self::Io(Cause::new(&error)),
            _ => Self::Damaged(Cause::new(&error)),
        }
    }
}

/// redb has one error type an operation, each of which becomes its general one.
macro_rules! from_redb {
    ($($error:ty),*) => {$(
        impl From<$error> for StateError {
            fn from(error: $error) -> Self {
                redb::Error::from(error).into()
            }
        }
    )*};
}
from_redb!(
    redb::CommitError,
    redb::CursorError,
    redb::DatabaseError,
    redb::SetDurabilityError,
    redb::StorageError,
    redb::TableError,
    redb::TransactionError
);
