//! The TSIG record (RFC 8945 §4.2) and what its MAC covers (§4.3).

use super::key::{Key, MAX_MAC};
use super::{FUDGE, TsigError};
use crate::dns::message::reader::Malformed;
use crate::dns::message::{Full, Reader};
use crate::dns::name::{NameBuf, NameRef};
use crate::dns::time::Timestamp;

/// TYPE TSIG, CLASS ANY, TTL 0.
const FIXED: [u8; 8] = [0, 250, 0, 255, 0, 0, 0, 0];
/// Octets of the other data of BADTIME: the server's time.
const SERVER_TIME: usize = 6;

/// A TSIG record as read.
pub(super) struct Tsig<'a> {
    pub key_name: NameBuf,
    pub algorithm: NameBuf,
    pub signed_at: Timestamp,
    pub fudge: u16,
    pub mac: &'a [u8],
    pub original_id: u16,
    pub error: TsigError,
    pub other: &'a [u8],
}

impl<'a> Tsig<'a> {
    /// Reads the record that starts at `at` and ends `message`.
    pub(super) fn read(message: &'a [u8], at: usize) -> Result<Self, Malformed> {
        let mut reader = Reader::new(message, at);
        let key_name = reader.name()?;
        reader.octets(FIXED.len())?;
        let length = usize::from(reader.u16()?);
        let end = reader.at() + length;
        let algorithm = reader.name()?;
        let signed_at = Timestamp(reader.u48()?);
        let fudge = reader.u16()?;
        let mac_length = reader.u16()?;
        let mac = reader.octets(mac_length.into())?;
        let original_id = reader.u16()?;
        let error = TsigError(reader.u16()?);
        let other_length = reader.u16()?;
        let other = reader.octets(other_length.into())?;
        if reader.at() != end || end != message.len() {
            return Err(Malformed);
        }
        Ok(Self { key_name, algorithm, signed_at, fudge, mac, original_id, error, other })
    }

    /// What the MAC covers of this record.
    pub(super) fn variables(&self) -> Variables {
        let mut other = [0; SERVER_TIME];
        let length = self.other.len().min(SERVER_TIME);
        other[..length].copy_from_slice(&self.other[..length]);
        Variables {
            signed_at: self.signed_at,
            fudge: self.fudge,
            error: self.error,
            other: (!self.other.is_empty()).then_some(other),
        }
    }

    /// Whether `now` is within the fudge of when it was signed (RFC 8945 §5.2.3).
    pub(super) fn is_in_time(&self, now: Timestamp) -> bool {
        self.signed_at.0.abs_diff(now.0) <= u64::from(self.fudge)
    }
}

/// The changing fields of a TSIG record.
#[derive(Clone, Copy)]
pub(super) struct Variables {
    pub signed_at: Timestamp,
    pub fudge: u16,
    pub error: TsigError,
    /// The server's time, with BADTIME.
    pub other: Option<[u8; SERVER_TIME]>,
}

impl Variables {
    /// Those of a message signed now, with nothing wrong.
    pub(super) fn at(now: Timestamp) -> Self {
        Self { signed_at: now, fudge: FUDGE, error: TsigError::NONE, other: None }
    }

    /// Those of an answer to a request signed at the wrong time (RFC 8945 §5.2.3): the client's time, so that it
    /// can verify, and the server's, so that it can see.
    pub(super) fn bad_time(request: &Tsig<'_>, now: Timestamp) -> Self {
        Self {
            signed_at: request.signed_at,
            fudge: request.fudge,
            error: TsigError::BADTIME,
            other: Some(u48(now)),
        }
    }

    /// Time and fudge: what the MAC covers from the second message of a transfer on (RFC 8945 §5.3.1).
    fn timers(&self) -> [u8; 8] {
        let mut timers = [0; 8];
        timers[..6].copy_from_slice(&u48(self.signed_at));
        timers[6..].copy_from_slice(&self.fudge.to_be_bytes());
        timers
    }
}

/// The MAC of an earlier message, which the next one covers.
#[derive(Clone, Copy)]
pub(super) struct Mac {
    octets: [u8; MAX_MAC],
    length: usize,
}

impl Mac {
    /// Takes at most the longest MAC there is.
    pub(super) fn of(octets: &[u8]) -> Self {
        let mut mac = Self { octets: [0; MAX_MAC], length: octets.len().min(MAX_MAC) };
        mac.octets[..mac.length].copy_from_slice(&octets[..mac.length]);
        mac
    }

    pub(super) fn as_slice(&self) -> &[u8] {
        &self.octets[..self.length]
    }
}

/// A MAC being computed.
pub(super) struct Digest(ring::hmac::Context);

impl Digest {
    pub(super) fn new(key: &Key) -> Self {
        Self(key.context())
    }

    /// The MAC before, with its length (RFC 8945 §4.3.1).
    pub(super) fn previous(&mut self, mac: &Mac) {
        self.0.update(&(mac.length as u16).to_be_bytes());
        self.0.update(mac.as_slice());
    }

    /// The message as it was before TSIG was added (RFC 8945 §4.3.2): the record at `tsig_at` cut off and not
    /// counted, the original ID put back.
    pub(super) fn signed_message(&mut self, message: &[u8], tsig_at: usize, original_id: u16) {
        let additional = u16::from_be_bytes([message[10], message[11]]).wrapping_sub(1);
        self.0.update(&original_id.to_be_bytes());
        self.0.update(&message[2..10]);
        self.0.update(&additional.to_be_bytes());
        self.0.update(&message[12..tsig_at]);
    }

    /// A message that has no TSIG.
    pub(super) fn plain_message(&mut self, message: &[u8]) {
        self.0.update(message);
    }

    /// The TSIG variables (RFC 8945 §4.3.3).
    pub(super) fn variables(&mut self, key: &Key, variables: &Variables) {
        self.0.update(key.name().wire());
        self.0.update(&FIXED[2..]);
        self.0.update(key.algorithm().wire());
        self.0.update(&variables.timers());
        self.0.update(&variables.error.0.to_be_bytes());
        let other = variables.other.as_ref().map_or(&[][..], |other| &other[..]);
        self.0.update(&(other.len() as u16).to_be_bytes());
        self.0.update(other);
    }

    /// Time and fudge alone.
    pub(super) fn timers(&mut self, variables: &Variables) {
        self.0.update(&variables.timers());
    }

    pub(super) fn finish(self) -> Mac {
        Mac::of(self.0.sign().as_ref())
    }
}

/// Octets that a TSIG record can take.
pub(super) fn octets(key_name: NameRef<'_>, algorithm: &[u8], mac: usize) -> usize {
    key_name.wire().len() + FIXED.len() + 2 + algorithm.len() + 16 + mac + SERVER_TIME
}

/// Appends a TSIG record to the message that fills `out[..length]`, counts it, and says how long the message is now.
pub(super) fn append(
    out: &mut [u8],
    length: usize,
    key_name: NameRef<'_>,
    algorithm: &[u8],
    variables: &Variables,
    mac: &[u8],
) -> Result<usize, Full> {
    let other = variables.other.as_ref().map_or(&[][..], |other| &other[..]);
    let original_id = [out[0], out[1]];
    let rdata_length = (algorithm.len() + 16 + mac.len() + other.len()) as u16;
    let parts: [&[u8]; 11] = [
        key_name.wire(),
        &FIXED,
        &rdata_length.to_be_bytes(),
        algorithm,
        &variables.timers(),
        &(mac.len() as u16).to_be_bytes(),
        mac,
        &original_id,
        &variables.error.0.to_be_bytes(),
        &(other.len() as u16).to_be_bytes(),
        other,
    ];
    let mut end = length;
    for part in parts {
        out.get_mut(end..end + part.len()).ok_or(Full)?.copy_from_slice(part);
        end += part.len();
    }
    let additional = u16::from_be_bytes([out[10], out[11]]).wrapping_add(1);
    out[10..12].copy_from_slice(&additional.to_be_bytes());
    Ok(end)
}

/// The lower 48 bits, in network order.
fn u48(time: Timestamp) -> [u8; SERVER_TIME] {
    let [_, _, octets @ ..] = time.0.to_be_bytes();
    octets
}
