//! Messages (RFC 1035 §4), as far as an authoritative server and its few questions to other servers need them.
//!
//! [`Request`] is read in place; [`Writer`] writes into the caller's buffer from records that are already
//! encoded. Neither allocates. What lies between the two, choosing the records, is `answer`'s business.

pub mod compression;
pub mod edns;
pub mod prepared;
pub mod query;
pub mod reader;
pub mod request;
pub mod response;
pub mod suffixes;
pub mod writer;

pub use compression::Compression;
pub use edns::{Cookie, Edns, ExtendedError, Opt, Options};
pub use prepared::Prepared;
pub use reader::{Reader, Record};
pub use request::{Rejection, Request, Unanswered};
pub use response::Response;
pub use writer::{Full, Mark, Owner, Section, Writer, each_record, split_record};

use crate::dns::name::NameRef;
use crate::dns::rtype::Rtype;
use std::fmt;

/// Octets of the fixed header (RFC 1035 §4.1.1).
pub const HEADER: usize = 12;
/// The largest message there is: what the length prefix over TCP can say (RFC 1035 §4.2.2).
pub const MAX_MESSAGE: usize = 65_535;
/// The largest message over UDP to someone who said nothing of EDNS (RFC 1035 §4.2.1).
pub const PLAIN_UDP: usize = 512;
/// The largest message over UDP that we send and that we offer to receive: one that is hardly ever fragmented
/// (RFC 9715 §3.1).
pub const UDP_PAYLOAD: u16 = 1_232;
/// Octets of an OPT record without options (RFC 6891 §6.1.2).
pub const OPT_OCTETS: usize = 11;

/// What kind of request it is (RFC 1035 §4.1.1, RFC 6895 §2.2).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Opcode(pub u8);

impl Opcode {
    /// A question.
    pub const QUERY: Self = Self(0);
    /// A primary says that a zone has changed (RFC 1996).
    pub const NOTIFY: Self = Self(4);
    /// A dynamic update (RFC 2136).
    pub const UPDATE: Self = Self(5);
}

/// How it went; 12 bits, the upper 8 of which travel in OPT (RFC 6891 §6.1.3).
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Rcode(pub u16);

macro_rules! rcodes {
    ($($ident:ident $number:literal)*) => {
        #[allow(missing_docs, reason = "each is the mnemonic it is named after")]
        impl Rcode {
            $(pub const $ident: Self = Self($number);)*
        }

        impl fmt::Display for Rcode {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self.0 {
                    $($number => f.pad(stringify!($ident)),)*
                    other => write!(f, "RCODE{other}"),
                }
            }
        }
    };
}

rcodes! {
    NOERROR 0  FORMERR 1  SERVFAIL 2  NXDOMAIN 3  NOTIMP 4  REFUSED 5  YXDOMAIN 6  YXRRSET 7
    NXRRSET 8  NOTAUTH 9  NOTZONE 10
    BADVERS 16
}

impl fmt::Debug for Rcode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The second 16 bits of the header, without opcode and rcode.
pub mod flag {
    /// This is a response.
    pub const QR: u16 = 0x8000;
    /// The answer is authoritative.
    pub const AA: u16 = 0x0400;
    /// Something that belongs here did not fit.
    pub const TC: u16 = 0x0200;
    /// Recursion is desired; copied into the response.
    pub const RD: u16 = 0x0100;
}

/// The first four fields of the header, as octets 0 to 3 carry them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Header {
    /// Chosen by the client, repeated by the server.
    pub id: u16,
    /// Octets 2 and 3, opcode and rcode included.
    pub bits: u16,
}

impl Header {
    /// The header of `message`; `None` when it is too short to have one.
    pub fn of(message: &[u8]) -> Option<Self> {
        let octets: &[u8; HEADER] = message.first_chunk()?;
        Some(Self {
            id: u16::from_be_bytes([octets[0], octets[1]]),
            bits: u16::from_be_bytes([octets[2], octets[3]]),
        })
    }

    /// The opcode.
    pub fn opcode(self) -> Opcode {
        Opcode((self.bits >> 11) as u8 & 15)
    }

    /// The four bits of the rcode that are in the header.
    pub fn rcode(self) -> Rcode {
        Rcode(self.bits & 15)
    }

    /// Whether `flag` is set.
    pub fn has(self, flag: u16) -> bool {
        self.bits & flag != 0
    }

    /// The header that answers this one: same ID, opcode and RD; QR set, all else clear. AD and CD are cleared
    /// as RFC 4035 §3.1.6 asks of an authoritative server.
    #[must_use]
    pub fn reply(self) -> Self {
        Self { id: self.id, bits: flag::QR | self.bits & (0x7800 | flag::RD) }
    }
}

/// What is asked. The name is as it was sent: 0x20 case is repeated in the response.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Question<'a> {
    /// QNAME.
    pub name: NameRef<'a>,
    /// QTYPE.
    pub rtype: Rtype,
    /// QCLASS.
    pub class: u16,
}

#[cfg(test)]
mod tests;
