//! Zone files: RFC 1035 §5 master files as BIND 9.18 reads them, and one record a line written.
//!
//! [`read`] hands every record to a [`Sink`] as wire bytes and goes on after every mistake, so that all of
//! them are reported at once. It keeps no records, knows no rules of zones (what may stand beside what is the
//! sink's to judge) and opens no files: a [`Loader`] finds what `$INCLUDE` names.

mod generate;
mod reader;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::{fmt, io};

use super::name::NameRef;
use super::problem::{Place, Problems};
use super::rdata;
use super::rtype::Rtype;
use super::time::Ttl;

/// How deep `$INCLUDE` may nest; a file that includes itself ends here.
pub const MAX_INCLUDE_DEPTH: usize = 20;

/// How many records the `$GENERATE` directives of a zone file and of what it includes may make together. A typing error
/// in a range would make billions otherwise.
pub const MAX_GENERATED: u64 = 1 << 24;

/// What some editors put at the start of a file; it is passed over.
pub const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Where a record stands, small enough to keep with every record; [`Files`] makes a [`Place`] of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct At {
    /// Which file, in the order in which they were opened.
    pub file: u16,
    /// From 1.
    pub line: u32,
    /// From 1, in octets; 65535 also for whatever is further right.
    pub column: u16,
}

/// Takes the records of a zone file, in the order of the file.
pub trait Sink {
    /// One record of class IN. `rdata` is one well-formed rdata of `rtype`, which is no meta type; `owner` may
    /// lie outside the zone. `at` is where the record starts.
    fn record(&mut self, owner: NameRef<'_>, ttl: Ttl, rtype: Rtype, rdata: &[u8], at: At);
}

/// Finds the files that `$INCLUDE` names; which it may, and relative to what, is its own decision.
pub trait Loader {
    /// Why a file is not to be had.
    type Error: fmt::Display;

    /// The file that `path` means where `from`, the [name](File::name) of another file, includes it.
    fn load(&mut self, path: &str, from: &str) -> Result<File, Self::Error>;
}

/// A file that is read.
#[derive(Clone, Debug)]
pub struct File {
    /// Its name in messages.
    pub name: Arc<str>,
    /// Its content.
    pub text: Vec<u8>,
}

/// A [`Loader`] that finds nothing: for text that is no file.
pub struct NoFiles;

/// There are no files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("files cannot be included here")]
pub struct NoFilesError;

impl Loader for NoFiles {
    type Error = NoFilesError;
    fn load(&mut self, _: &str, _: &str) -> Result<File, NoFilesError> {
        Err(NoFilesError)
    }
}

/// The names of the files that were read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Files(Vec<Arc<str>>);

impl Files {
    /// Where `at` is.
    pub fn place(&self, at: At) -> Place {
        let file = self.0.get(usize::from(at.file)).cloned().unwrap_or_else(|| "".into());
        Place { file, line: at.line, column: u32::from(at.column) }
    }

    /// The names, the zone file itself first.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|name| &**name)
    }
}

/// What came of reading, besides the records.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The files that were read.
    pub files: Files,
    /// What is wrong with them, in the order in which it was found.
    pub problems: Problems,
    /// How many records the sink was given.
    pub records: u64,
}

/// Reads the zone file `text`, called `name` in messages, of the zone `origin`.
pub fn read<S: Sink, L: Loader>(
    name: impl Into<Arc<str>>,
    text: &[u8],
    origin: NameRef<'_>,
    loader: &mut L,
    sink: &mut S,
) -> Outcome {
    reader::Reader::new(sink, loader).read(name.into(), text, origin)
}

/// Why a text cannot be read in pieces.
#[derive(Debug, thiserror::Error)]
pub enum PiecesError {
    /// It does not read.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// An entry is larger than a quarter of the window; a larger one may do. What the sink was given is of no use.
    #[error("an entry is larger than a quarter of the window")]
    Window,
}

/// Like [`read`], of a text of any size, of which no more than `window` octets are in memory at a time.
pub fn read_pieces<S: Sink, L: Loader>(
    name: impl Into<Arc<str>>,
    text: &mut impl io::Read,
    window: usize,
    origin: NameRef<'_>,
    loader: &mut L,
    sink: &mut S,
) -> Result<Outcome, PiecesError> {
    reader::Reader::new(sink, loader).read_pieces(name.into(), text, window, origin)
}

/// Writes one record and the end of its line: `owner ttl IN type rdata`.
pub fn write_record(
    owner: NameRef<'_>,
    ttl: Ttl,
    rtype: Rtype,
    octets: &[u8],
    out: &mut impl fmt::Write,
) -> fmt::Result {
    rdata::write_name(owner, out)?;
    match rtype.mnemonic() {
        Some(mnemonic) => write!(out, " {} IN {mnemonic} ", ttl.0)?,
        None => write!(out, " {} IN TYPE{} ", ttl.0, rtype.0)?,
    }
    rdata::write(rtype, octets, out)?;
    out.write_char('\n')
}
