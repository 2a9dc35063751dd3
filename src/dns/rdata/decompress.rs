//! Rdata out of a message, with the names in it written out.

use super::table::{Field, fields};
use super::{RdataError, check as checking};
use crate::dns::message::{Reader, Record};

/// Appends the rdata of `record`, which stands in `message`, to `out` in uncompressed form, and checks it.
///
/// Names are decompressed in the types that RFC 1035 defines, and in those of later ones that RFC 3597 §4 wants
/// receivers to decompress; a pointer anywhere else is an error.
pub fn decompress(message: &[u8], record: &Record<'_>, out: &mut Vec<u8>) -> Result<(), RdataError> {
    let (start, row, rdata) = (out.len(), fields(record.rtype), record.rdata);
    if row.iter().any(|field| is_decompressed(*field)) {
        // A name that begins in this rdata ends in it; only what a pointer leads to stands before.
        let message = message.get(..record.rdata_at + rdata.len()).unwrap_or_default();
        let mut at = 0;
        for &field in row {
            if is_decompressed(field) {
                let mut reader = Reader::new(message, record.rdata_at + at);
                let name = reader.name().map_err(|_| RdataError::Invalid(field))?;
                out.extend(name.as_ref().wire());
                at = reader.at() - record.rdata_at;
            } else {
                let end = checking::end_of(field, rdata, at)?;
                out.extend(&rdata[at..end]);
                at = end;
            }
        }
        out.extend(rdata.get(at..).unwrap_or_default());
    } else {
        out.extend(rdata);
    }
    checking::check(record.rtype, &out[start..])
}

fn is_decompressed(field: Field) -> bool {
    matches!(field, Field::NameCompressible | Field::NameLower)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dns::rtype::Rtype;

    /// `example.` at 0, and a record whose rdata is `rdata`.
    fn decompressed(rtype: Rtype, rdata: &[u8]) -> Result<Vec<u8>, RdataError> {
        let message = [b"\x07example\0", rdata].concat();
        let record = Record { at: 0, rtype, class: 1, ttl: 0, rdata: &message[9..], rdata_at: 9 };
        let mut out = Vec::new();
        decompress(&message, &record, &mut out).map(|()| out)
    }

    #[test]
    fn names_are_written_out_where_receivers_must_know_how() {
        assert_eq!(decompressed(Rtype::MX, b"\0\x0a\x02mx\xc0\0").unwrap(), b"\0\x0a\x02mx\x07example\0");
        assert_eq!(
            decompressed(Rtype::SRV, b"\0\0\0\0\0\x19\xc0\0").unwrap(),
            b"\0\0\0\0\0\x19\x07example\0"
        );
        let soa = [&b"\x01a\xc0\0\xc0\0"[..], &[7; 20]].concat();
        assert_eq!(
            decompressed(Rtype::SOA, &soa).unwrap(),
            [&b"\x01a\x07example\0\x07example\0"[..], &[7; 20]].concat()
        );
        assert_eq!(decompressed(Rtype::A, &[192, 0, 2, 1]).unwrap(), [192, 0, 2, 1]);
    }

    #[test]
    fn pointers_elsewhere_and_names_that_leave_the_rdata_are_refused() {
        assert!(decompressed(Rtype::SVCB, b"\0\x01\xc0\0").is_err());
        assert!(decompressed(Rtype::NS, b"\x05ab").is_err());
        assert!(decompressed(Rtype::NS, b"\xc0").is_err());
        assert!(decompressed(Rtype::NS, b"\xc0\x09").is_err(), "it leads to itself");
        assert_eq!(decompressed(Rtype::NS, b"\xc0\0\0"), Err(RdataError::Trailing(1)));
        assert!(decompressed(Rtype::MX, b"\0").is_err());
    }
}
