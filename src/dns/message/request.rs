//! Reading a request, and deciding what must be said when it is none.
//!
//! Sound is a request with one question (RFC 9619), whose counts are true, with at most one OPT and one TSIG, both
//! in the additional section, TSIG last (RFC 8945 §5.1), and nothing after it. What is asked is not judged here.

use super::{Edns, HEADER, Header, Opcode, Options, Question, Rcode, Reader, flag, reader::Malformed};
use crate::dns::rtype::{CLASS_ANY, Rtype};

/// The EDNS version spoken here (RFC 6891 §6.1.3).
pub const EDNS_VERSION: u8 = 0;

/// A request that can be answered.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// All of it.
    pub message: &'a [u8],
    /// ID, opcode and flags.
    pub header: Header,
    /// The one question (UPDATE: the zone).
    pub question: Question<'a>,
    /// OPT, of our version.
    pub edns: Option<Edns>,
    /// The options of OPT.
    pub options: Options<'a>,
    /// Where the TSIG record starts; it ends the message.
    pub tsig_at: Option<usize>,
    /// The serial of the SOA record that leads the authority section: what an IXFR client has (RFC 1995 §3).
    pub serial: Option<u32>,
}

/// Why there is no [`Request`].
#[derive(Clone, Copy, Debug)]
pub enum Unanswered<'a> {
    /// Nothing is sent: it is a response, or has no whole header. An answer could start a ping-pong.
    Silence,
    /// An error is sent.
    Rejected(Rejection<'a>),
}

/// An error for a message that could not be read, or not wholly.
#[derive(Clone, Copy, Debug)]
pub struct Rejection<'a> {
    /// Of the message that came.
    pub header: Header,
    /// FORMERR, NOTIMP or BADVERS.
    pub rcode: Rcode,
    /// To be repeated, if it could be read.
    pub question: Option<Question<'a>>,
    /// To be answered with an OPT record, if one could be read.
    pub edns: Option<Edns>,
}

impl<'a> Request<'a> {
    /// Reads `message`.
    pub fn read(message: &'a [u8]) -> Result<Self, Unanswered<'a>> {
        let header = Header::of(message).filter(|header| !header.has(flag::QR)).ok_or(Unanswered::Silence)?;
        let mut rejection = Rejection { header, rcode: Rcode::FORMERR, question: None, edns: None };
        let known = matches!(header.opcode(), Opcode::QUERY | Opcode::NOTIFY | Opcode::UPDATE);
        if !known {
            rejection.rcode = Rcode::NOTIMP;
        }
        match Self::read_sections(message, header, &mut rejection) {
            Ok(request) if known && rejection.rcode != Rcode::BADVERS => Ok(request),
            _ => Err(Unanswered::Rejected(rejection)),
        }
    }

    /// Leaves in `rejection` what can be repeated to the client, however far reading comes.
    fn read_sections(
        message: &'a [u8],
        header: Header,
        rejection: &mut Rejection<'a>,
    ) -> Result<Self, Malformed> {
        let count = |section: usize| u16::from_be_bytes([message[4 + 2 * section], message[5 + 2 * section]]);
        if count(0) != 1 {
            return Err(Malformed);
        }
        let mut reader = Reader::new(message, HEADER);
        let question = reader.question()?;
        rejection.question = Some(question);
        let mut request = Self {
            message,
            header,
            question,
            edns: None,
            options: Options::default(),
            tsig_at: None,
            serial: None,
        };
        for section in 1..=3 {
            for index in 0..count(section) {
                // TSIG was not last.
                if request.tsig_at.is_some() {
                    return Err(Malformed);
                }
                let record = reader.record()?;
                match record.rtype {
                    Rtype::OPT if section == 3 && request.edns.is_none() => {
                        // What is wrong with an option is answered with an OPT record, too.
                        rejection.edns = Some(Edns::of(record.class, record.ttl));
                        let (edns, options) = record.edns(message)?;
                        (request.edns, request.options) = (Some(edns), options);
                    }
                    Rtype::TSIG if section == 3 && record.class == CLASS_ANY && record.ttl == 0 => {
                        request.tsig_at = Some(record.at);
                    }
                    Rtype::OPT | Rtype::TSIG => return Err(Malformed),
                    Rtype::SOA if section == 2 && index == 0 => request.serial = record.soa_serial(),
                    _ => {}
                }
            }
        }
        if !reader.is_at_end() {
            return Err(Malformed);
        }
        if rejection.rcode == Rcode::FORMERR && request.edns.is_some_and(|edns| edns.version > EDNS_VERSION) {
            rejection.rcode = Rcode::BADVERS;
        }
        Ok(request)
    }

    /// Whether DNSSEC records are wanted.
    pub fn dnssec_ok(&self) -> bool {
        self.edns.is_some_and(|edns| edns.dnssec_ok)
    }
}
