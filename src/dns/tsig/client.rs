//! The client's side: signing a request, and checking what answers it.

use super::key::Key;
use super::record::{self, Digest, Mac, Tsig, Variables};
use super::{MAX_UNSIGNED, TsigError};
use crate::dns::message::reader::Malformed;
use crate::dns::message::{Full, HEADER, Header, Reader};
use crate::dns::rtype::{CLASS_ANY, Rtype};
use crate::dns::time::Timestamp;
use std::sync::Arc;

/// A signed request and the response to it, message by message.
pub struct Exchange {
    key: Arc<Key>,
    previous: Mac,
    begun: bool,
    /// Covers the messages without TSIG since the last one with it.
    pending: Digest,
    unsigned: u8,
}

/// Why a response is not to be trusted (RFC 8945 §5.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ResponseFault {
    /// It cannot be read.
    #[error("signed response is malformed")]
    Malformed,
    /// It has no TSIG where it must have one.
    #[error("response is not signed")]
    Unsigned,
    /// It is signed with another key or algorithm.
    #[error("response is signed with another key")]
    WrongKey,
    /// The server says that it does not know the key under this name with this algorithm. Unsigned, so not proven.
    #[error("server does not know the TSIG key (BADKEY)")]
    BadKey,
    /// The server says that our MAC is wrong: the secrets differ. Unsigned, so not proven.
    #[error("server holds another secret for the TSIG key (BADSIG)")]
    BadSignature,
    /// The server says that our MAC is too short.
    #[error("server does not accept truncated TSIG (BADTRUNC)")]
    BadTruncation,
    /// The server says that our clocks differ; its time is proven by its signature.
    #[error("clocks differ: the server's says {server}")]
    BadTime {
        /// What the server's clock shows.
        server: Timestamp,
    },
    /// The MAC is wrong, or too short.
    #[error("signature of the response is wrong")]
    WrongMac,
    /// The response was not signed just now.
    #[error("response was signed at {signed_at}, which is not now")]
    OutOfTime {
        /// When it says it was signed.
        signed_at: Timestamp,
    },
}

impl From<Malformed> for ResponseFault {
    fn from(_: Malformed) -> Self {
        Self::Malformed
    }
}

impl Exchange {
    /// The room that a request must leave for TSIG.
    pub fn reserve(key: &Key) -> usize {
        record::octets(key.name(), key.algorithm().wire(), key.algorithm().octets())
    }

    /// Signs the request in `out[..length]`, and says how long it is now.
    pub fn begin(
        key: Arc<Key>,
        out: &mut [u8],
        length: usize,
        now: Timestamp,
    ) -> Result<(Self, usize), Full> {
        let variables = Variables::at(now);
        let mut digest = Digest::new(&key);
        digest.plain_message(&out[..length]);
        digest.variables(&key, &variables);
        let mac = digest.finish();
        let length =
            record::append(out, length, key.name(), key.algorithm().wire(), &variables, mac.as_slice())?;
        let mut pending = Digest::new(&key);
        pending.previous(&mac);
        Ok((Self { key, previous: mac, begun: false, pending, unsigned: 0 }, length))
    }

    /// Checks the next message of the response. A transfer's messages may lack TSIG, all but the first, the last
    /// and every hundredth; [`finish`](Self::finish) looks to the last.
    pub fn verify(&mut self, message: &[u8], now: Timestamp) -> Result<(), ResponseFault> {
        let Some(tsig_at) = tsig_at(message)? else {
            if !self.begun || self.unsigned >= MAX_UNSIGNED {
                return Err(ResponseFault::Unsigned);
            }
            self.pending.plain_message(message);
            self.unsigned += 1;
            return Ok(());
        };
        let tsig = Tsig::read(message, tsig_at)?;
        let algorithm = self.key.algorithm();
        if tsig.key_name.as_ref() != self.key.name()
            || !tsig.algorithm.as_ref().wire().eq_ignore_ascii_case(algorithm.wire())
        {
            return Err(ResponseFault::WrongKey);
        }
        match tsig.error {
            TsigError::BADKEY => return Err(ResponseFault::BadKey),
            TsigError::BADSIG => return Err(ResponseFault::BadSignature),
            _ => {}
        }
        if !algorithm.permits(tsig.mac.len()) || tsig.mac.len() < self.key.shortest() || tsig.other.len() > 6
        {
            return Err(ResponseFault::WrongMac);
        }
        let mut digest = std::mem::replace(&mut self.pending, Digest::new(&self.key));
        digest.signed_message(message, tsig_at, tsig.original_id);
        if self.begun {
            digest.timers(&tsig.variables());
        } else {
            digest.variables(&self.key, &tsig.variables());
        }
        if !self.key.same(&digest.finish().as_slice()[..tsig.mac.len()], tsig.mac) {
            return Err(ResponseFault::WrongMac);
        }
        match tsig.error {
            TsigError::BADTIME => {
                let server = Reader::new(tsig.other, 0).u48()?;
                return Err(ResponseFault::BadTime { server: Timestamp(server) });
            }
            TsigError::BADTRUNC => return Err(ResponseFault::BadTruncation),
            _ => {}
        }
        if !tsig.is_in_time(now) {
            return Err(ResponseFault::OutOfTime { signed_at: tsig.signed_at });
        }
        self.previous = Mac::of(tsig.mac);
        self.pending.previous(&self.previous);
        self.begun = true;
        self.unsigned = 0;
        Ok(())
    }

    /// Says whether the last message was signed, as it must be.
    pub fn finish(self) -> Result<(), ResponseFault> {
        if self.begun && self.unsigned == 0 { Ok(()) } else { Err(ResponseFault::Unsigned) }
    }
}

/// Where the TSIG record starts, if the last record of `message` is one.
fn tsig_at(message: &[u8]) -> Result<Option<usize>, ResponseFault> {
    Header::of(message).ok_or(ResponseFault::Malformed)?;
    let count =
        |section: usize| u32::from(u16::from_be_bytes([message[4 + 2 * section], message[5 + 2 * section]]));
    let mut reader = Reader::new(message, HEADER);
    for _ in 0..count(0) {
        reader.name()?;
        reader.octets(4)?;
    }
    let mut last = None;
    for _ in 0..count(1) + count(2) + count(3) {
        last = Some(reader.record()?);
    }
    Ok(last
        .filter(|record| record.rtype == Rtype::TSIG && record.class == CLASS_ANY && count(3) > 0)
        .map(|record| record.at))
}
