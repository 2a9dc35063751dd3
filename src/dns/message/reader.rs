//! Reading a message's fields one after another, with names decompressed (RFC 1035 §4.1.4).

use super::{Options, Question};
use crate::dns::name::{NameBuf, NameRef};
use crate::dns::rtype::Rtype;

/// The message is not one: it ends too early, or a name or a length in it is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("message is malformed")]
pub struct Malformed;

/// A place in a message.
#[derive(Clone, Copy)]
pub struct Reader<'a> {
    message: &'a [u8],
    at: usize,
}

/// One record of a message; names within stay as they are in the message.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    /// Where its owner starts in the message.
    pub at: usize,
    /// TYPE.
    pub rtype: Rtype,
    /// CLASS.
    pub class: u16,
    /// TTL, unclamped: OPT keeps other things in it.
    pub ttl: u32,
    /// RDATA; names in it may be compressed.
    pub rdata: &'a [u8],
    /// Where RDATA starts in the message.
    pub rdata_at: usize,
}

impl<'a> Reader<'a> {
    /// Starts at `at` in `message`.
    pub fn new(message: &'a [u8], at: usize) -> Self {
        Self { message, at }
    }

    /// How far it has come.
    pub fn at(&self) -> usize {
        self.at
    }

    /// Whether everything has been read.
    pub fn is_at_end(&self) -> bool {
        self.at >= self.message.len()
    }

    /// One octet.
    pub fn u8(&mut self) -> Result<u8, Malformed> {
        self.chunk().map(|[octet]| octet)
    }

    /// Two octets.
    pub fn u16(&mut self) -> Result<u16, Malformed> {
        self.chunk().map(u16::from_be_bytes)
    }

    /// Four octets.
    pub fn u32(&mut self) -> Result<u32, Malformed> {
        self.chunk().map(u32::from_be_bytes)
    }

    /// A few octets, whose number is known to the compiler.
    fn chunk<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let octets = self.message.get(self.at..).and_then(|rest| rest.first_chunk()).ok_or(Malformed)?;
        self.at += N;
        Ok(*octets)
    }

    /// Six octets: TSIG's times (RFC 8945 §4.2).
    pub fn u48(&mut self) -> Result<u64, Malformed> {
        Ok(u64::from(self.u16()?) << 32 | u64::from(self.u32()?))
    }

    /// The next `length` octets.
    pub fn octets(&mut self, length: usize) -> Result<&'a [u8], Malformed> {
        let octets = self.message.get(self.at..).and_then(|rest| rest.get(..length)).ok_or(Malformed)?;
        self.at += length;
        Ok(octets)
    }

    /// A name, decompressed.
    pub fn name(&mut self) -> Result<NameBuf, Malformed> {
        let mut name = NameBuf::default();
        let mut at = self.at;
        // A pointer leads before the labels that it ends: each step goes back, so there is no loop.
        let mut run = at;
        let mut end = None;
        loop {
            let length = *self.message.get(at).ok_or(Malformed)?;
            match length {
                0 => {
                    name.finish(None).map_err(|_| Malformed)?;
                    self.at = end.unwrap_or(at + 1);
                    return Ok(name);
                }
                1..=63 => {
                    let next = at + 1 + usize::from(length);
                    let label = self.message.get(at + 1..next).ok_or(Malformed)?;
                    name.push_label(label).map_err(|_| Malformed)?;
                    at = next;
                }
                0xc0..=0xff => {
                    let low = *self.message.get(at + 1).ok_or(Malformed)?;
                    let target = usize::from(length & 0x3f) << 8 | usize::from(low);
                    if target >= run {
                        return Err(Malformed);
                    }
                    end = end.or(Some(at + 2));
                    run = target;
                    at = target;
                }
                _ => return Err(Malformed),
            }
        }
    }

    /// Passes over a name. Where a pointer leads is not looked at.
    fn skip_name(&mut self) -> Result<(), Malformed> {
        loop {
            let length = *self.message.get(self.at).ok_or(Malformed)?;
            self.at += 1;
            match length {
                0 => return Ok(()),
                1..=63 => self.at += usize::from(length),
                0xc0..=0xff => {
                    self.at += 1;
                    return Ok(());
                }
                _ => return Err(Malformed),
            }
        }
    }

    /// A question whose name is not compressed: there is nothing before the first one that it could point to.
    pub fn question(&mut self) -> Result<Question<'a>, Malformed> {
        let rest = self.message.get(self.at..).ok_or(Malformed)?;
        let name = NameRef::from_wire(rest).map_err(|_| Malformed)?;
        self.at += name.wire().len();
        let [t, y, c, l] = self.chunk()?;
        Ok(Question { name, rtype: Rtype(u16::from_be_bytes([t, y])), class: u16::from_be_bytes([c, l]) })
    }

    /// A record of any section but the first.
    pub fn record(&mut self) -> Result<Record<'a>, Malformed> {
        let at = self.at;
        self.skip_name()?;
        let [t, y, c, l, ttl @ .., high, low] = self.chunk::<10>()?;
        let rdata_at = self.at;
        Ok(Record {
            at,
            rtype: Rtype(u16::from_be_bytes([t, y])),
            class: u16::from_be_bytes([c, l]),
            ttl: u32::from_be_bytes(ttl),
            rdata: self.octets(u16::from_be_bytes([high, low]).into())?,
            rdata_at,
        })
    }
}

impl<'a> Record<'a> {
    /// Its options, if this is an OPT record as RFC 6891 §6.1.2 wants it: owned by the root, its options whole.
    pub fn options(&self, message: &[u8]) -> Result<Options<'a>, Malformed> {
        if message.get(self.at) == Some(&0) { Options::read(self.rdata) } else { Err(Malformed) }
    }

    /// The serial, if this is a SOA record. Its five numbers end the rdata, so the names before need no reading.
    pub fn soa_serial(&self) -> Option<u32> {
        let numbers: &[u8; 20] = self.rdata.last_chunk()?;
        (self.rtype == Rtype::SOA && self.rdata.len() >= 22)
            .then(|| u32::from_be_bytes([numbers[0], numbers[1], numbers[2], numbers[3]]))
    }
}
