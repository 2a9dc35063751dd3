//! Rdata as bytes, described by [one table](table) of field kinds.
//!
//! Everything here works on uncompressed wire rdata: [`check`] says whether octets are one, [`names`] where
//! names are embedded, [`canonical`] gives the form that is signed and sorted, [`decompress()`] takes it out of a
//! message, [`parse()`] and [`write()`]
//! are its text. Nothing here knows of owners,
//! TTLs or zones.

mod address;
mod check;
mod decompress;
mod encoding;
mod fault;
mod loc;
mod mnemonic;
mod parse;
mod substitution;
mod svcb;
pub mod table;
#[cfg(test)]
mod tests;
mod write;

pub use check::{check, is_refused_by_bind};
pub use decompress::decompress;
pub use fault::{TextError, TextProblem, Written};
pub use mnemonic::rtype;
pub use parse::{from_text, parse, parse_name};
pub use table::{Field, fields, has_lowered_names};
pub use write::{display, write, write_name};

use crate::dns::name::{NameError, NameRef};
use crate::dns::rtype::Rtype;

/// The longest rdata: its length has sixteen bits.
pub const MAX_RDATA: usize = 65_535;

/// Why octets are not one rdata of their type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RdataError {
    /// The octets end within this field.
    #[error("rdata is cut off, expected {0}")]
    Truncated(Field),
    /// The octets are not such a field.
    #[error("malformed rdata, expected {0}")]
    Invalid(Field),
    /// A name within it is malformed.
    #[error("malformed name in rdata: {0}")]
    Name(#[from] NameError),
    /// So many octets follow the last field.
    #[error("{0} octets after the end of the rdata")]
    Trailing(usize),
    /// It is longer than its length could say.
    #[error("rdata is longer than 65535 octets")]
    TooLong,
    /// Service parameters are repeated or not sorted (RFC 9460 §2.2).
    #[error("service parameters are repeated or out of order")]
    SvcParamOrder,
    /// The value of this service parameter is not what its key calls for, or lacks what it depends on.
    #[error("malformed value or missing companion of service parameter key{0}")]
    SvcParam(u16),
}

/// A name embedded in rdata.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EmbeddedName<'a> {
    /// Where it starts.
    pub offset: usize,
    /// The name.
    pub name: NameRef<'a>,
    /// Whether messages may compress it (RFC 3597 §4).
    pub compressible: bool,
    /// Whether the canonical form lower-cases it (RFC 4034 §6.2, RFC 6840 §5.1).
    pub lowered: bool,
}

/// The names embedded in `rdata`, in order. Malformed rdata yields those before the fault.
pub fn names(rtype: Rtype, rdata: &[u8]) -> EmbeddedNames<'_> {
    EmbeddedNames { fields: fields(rtype), rdata, at: 0 }
}

/// Appends the canonical form of `rdata` to `out`: embedded names in lower case where RFC 4034 §6.2 and
/// RFC 6840 §5.1 say so. Malformed rdata is copied as it is.
pub fn canonical(rtype: Rtype, rdata: &[u8], out: &mut Vec<u8>) {
    let start = out.len();
    out.extend_from_slice(rdata);
    if has_lowered_names(rtype) {
        for found in names(rtype, rdata).filter(|found| found.lowered) {
            let at = start + found.offset;
            out[at..at + found.name.wire().len()].make_ascii_lowercase();
        }
    }
}

/// Whether two rdatas are one record: names in them that the canonical form lower-cases may differ in case.
pub fn same(rtype: Rtype, a: &[u8], b: &[u8]) -> bool {
    if a == b || a.len() != b.len() || !has_lowered_names(rtype) {
        return a == b;
    }
    let (mut left, mut right) = (Vec::with_capacity(a.len()), Vec::with_capacity(b.len()));
    canonical(rtype, a, &mut left);
    canonical(rtype, b, &mut right);
    left == right
}

/// The iterator of [`names`].
#[derive(Clone, Debug)]
pub struct EmbeddedNames<'a> {
    fields: &'static [Field],
    rdata: &'a [u8],
    at: usize,
}

impl<'a> Iterator for EmbeddedNames<'a> {
    type Item = EmbeddedName<'a>;

    fn next(&mut self) -> Option<EmbeddedName<'a>> {
        while let [field, rest @ ..] = self.fields {
            if *field == Field::NamesAsIs {
                let name = NameRef::from_wire(self.rdata.get(self.at..)?).ok()?;
                let offset = self.at;
                self.at += name.wire().len();
                return Some(EmbeddedName { offset, name, compressible: false, lowered: false });
            }
            let start = self.at;
            self.fields = rest;
            self.at = check::end_of(*field, self.rdata, start).ok()?;
            if let Some(within) = check::name_within(*field, &self.rdata[start..]) {
                let offset = start + within;
                let name = NameRef::from_wire(&self.rdata[offset..]).ok()?;
                return Some(EmbeddedName {
                    offset,
                    name,
                    compressible: *field == Field::NameCompressible,
                    lowered: matches!(field, Field::NameCompressible | Field::NameLower | Field::A6),
                });
            }
        }
        None
    }
}
