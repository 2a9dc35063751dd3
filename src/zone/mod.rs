//! A zone's content: the unsigned draft, the signed immutable snapshot, the difference between two of them.

pub mod contents;
pub mod delta;
pub mod draft;
pub mod edit;
pub mod history;
pub mod managed;
pub mod node;
pub mod nsec3;
pub mod overlay;
pub mod revision;
pub mod serial;
pub mod signal;
pub mod snapshot;
pub mod text;
pub mod transfer;
pub mod tree;
pub mod update;
pub mod zonemd;

pub use contents::{Contents, Standing};
pub use delta::Delta;
pub use draft::{Draft, DraftBuilder, Presigned};
pub use edit::Editor;
pub use history::{History, Step};
pub use managed::ManagedRrsets;
pub use node::{Node, NodeBuilder, RrsetRef};
pub use serial::{Serial, SerialPolicy};
pub use snapshot::{Denial, Nsec3Params, Snapshot};
pub use tree::{Change, Descent, Tree};
