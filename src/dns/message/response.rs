//! Reading what another server answered to a question of ours.

use super::reader::Malformed;
use super::{Edns, HEADER, Header, Opcode, Question, Rcode, Reader, Record, flag};
use crate::dns::rtype::Rtype;

/// A response, not yet read beyond its question.
#[derive(Clone, Copy)]
pub struct Response<'a> {
    message: &'a [u8],
    header: Header,
    records_at: usize,
}

/// Why a message is not the answer to our question.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ResponseError {
    /// It cannot be read.
    #[error("response is malformed")]
    Malformed,
    /// ID, opcode or question are not ours. A forger's, or late: wait for the next one.
    #[error("response belongs to another question")]
    NotOurs,
}

impl From<Malformed> for ResponseError {
    fn from(_: Malformed) -> Self {
        Self::Malformed
    }
}

impl<'a> Response<'a> {
    /// Takes `message` as the response to the question `asked` under `id`. A response that repeats no question,
    /// as some servers send with an error, is accepted.
    pub fn read(
        message: &'a [u8],
        id: u16,
        opcode: Opcode,
        asked: &Question<'_>,
    ) -> Result<Self, ResponseError> {
        let header = Header::of(message).ok_or(ResponseError::Malformed)?;
        if header.id != id || header.opcode() != opcode || !header.has(flag::QR) {
            return Err(ResponseError::NotOurs);
        }
        let mut reader = Reader::new(message, HEADER);
        match u16::from_be_bytes([message[4], message[5]]) {
            0 => {}
            1 if reader.question()? == *asked => {}
            _ => return Err(ResponseError::NotOurs),
        }
        Ok(Self { message, header, records_at: reader.at() })
    }

    /// Whether it was cut off and should be asked for again over TCP.
    pub fn is_truncated(&self) -> bool {
        self.header.has(flag::TC)
    }

    /// Whether the server holds the zone.
    pub fn is_authoritative(&self) -> bool {
        self.header.has(flag::AA)
    }

    /// The rcode, with the upper bits of OPT if there is one.
    pub fn rcode(&self) -> Result<Rcode, ResponseError> {
        let low = self.header.rcode().0;
        let opt = self.section(3)?.find(|record| record.is_ok_and(|record| record.rtype == Rtype::OPT));
        Ok(match opt {
            Some(record) => {
                let record = record?;
                Rcode(low | u16::from(Edns::of(record.class, record.ttl).extended_rcode) << 4)
            }
            None => Rcode(low),
        })
    }

    /// The records of the answer section.
    pub fn answers(&self) -> Result<impl Iterator<Item = Result<Record<'a>, Malformed>>, ResponseError> {
        self.section(1)
    }

    /// The serial of the first SOA record in the answer section.
    pub fn soa_serial(&self) -> Result<Option<u32>, ResponseError> {
        for record in self.section(1)? {
            if let Some(serial) = record?.soa_serial() {
                return Ok(Some(serial));
            }
        }
        Ok(None)
    }

    fn section(
        &self,
        section: usize,
    ) -> Result<impl Iterator<Item = Result<Record<'a>, Malformed>> + use<'a>, ResponseError> {
        let message = self.message;
        let count =
            move |section: usize| u16::from_be_bytes([message[4 + 2 * section], message[5 + 2 * section]]);
        let mut reader = Reader::new(message, self.records_at);
        for _ in 0..(1..section).map(|before| u32::from(count(before))).sum() {
            reader.record()?;
        }
        let mut left = count(section);
        Ok(std::iter::from_fn(move || {
            left = left.checked_sub(1)?;
            let record = reader.record();
            if record.is_err() {
                left = 0;
            }
            Some(record)
        }))
    }
}
