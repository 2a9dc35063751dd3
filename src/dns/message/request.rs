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
    /// The serial of the SOA record that leads the authority section: what an IXFR client has (RFC 1995 §3); in
    /// NOTIFY, of the one that leads the answer section: what the primary has (RFC 1996 §3.7).
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
    #[inline]
    pub fn read(message: &'a [u8]) -> Result<Self, Unanswered<'a>> {
        let header = Header::of(message).filter(|header| !header.has(flag::QR)).ok_or(Unanswered::Silence)?;
        let known = matches!(header.opcode(), Opcode::QUERY | Opcode::NOTIFY | Opcode::UPDATE);
        let rcode = if known { Rcode::FORMERR } else { Rcode::NOTIMP };
        let mut reader = Reader::new(message, HEADER);
        let question = if counts(message)[0] == 1 { reader.question() } else { Err(Malformed) };
        let Ok(question) = question else {
            return Err(Unanswered::Rejected(Rejection { header, rcode, question: None, edns: None }));
        };
        let mut request =
            Self { header, question, edns: None, options: Options::default(), tsig_at: None, serial: None };
        let sound = request.records(message, reader);
        let rcode = match sound {
            Err(Malformed) => rcode,
            Ok(()) if !known => rcode,
            Ok(()) if request.edns.is_some_and(|edns| edns.version > EDNS_VERSION) => Rcode::BADVERS,
            Ok(()) => return Ok(request),
        };
        // What can be repeated to the client, however far reading came.
        let edns = request.edns;
        Err(Unanswered::Rejected(Rejection { header, rcode, question: Some(question), edns }))
    }

    /// Reads the sections that follow the question.
    fn records(&mut self, message: &[u8], mut reader: Reader<'a>) -> Result<(), Malformed> {
        let [_, answers, authorities, additionals] = counts(message);
        for (section, count) in [(1, answers), (2, authorities), (3, additionals)] {
            for index in 0..count {
                // TSIG was not last.
                if self.tsig_at.is_some() {
                    return Err(Malformed);
                }
                let record = reader.record()?;
                match record.rtype {
                    Rtype::OPT if section == 3 && self.edns.is_none() => {
                        // What is wrong with an option is answered with an OPT record, too.
                        self.edns = Some(Edns::of(record.class, record.ttl));
                        self.options = record.options(message)?;
                    }
                    Rtype::TSIG if section == 3 && record.class == CLASS_ANY && record.ttl == 0 => {
                        self.tsig_at = Some(record.at);
                    }
                    Rtype::OPT | Rtype::TSIG => return Err(Malformed),
                    Rtype::SOA if section == self.serial_section() && index == 0 => {
                        self.serial = record.soa_serial();
                    }
                    _ => {}
                }
            }
        }
        if reader.is_at_end() { Ok(()) } else { Err(Malformed) }
    }

    /// Where [`serial`](Self::serial) stands.
    fn serial_section(&self) -> u8 {
        if self.header.opcode() == Opcode::NOTIFY { 1 } else { 2 }
    }

    /// Whether DNSSEC records are wanted.
    pub fn dnssec_ok(&self) -> bool {
        self.edns.is_some_and(|edns| edns.dnssec_ok)
    }
}

/// How many entries each of the four sections is said to have. The message has a header.
fn counts(message: &[u8]) -> [u16; 4] {
    message
        .get(4..)
        .and_then(|rest| rest.first_chunk::<8>())
        .map_or([0; 4], |&[a, b, c, d, e, f, g, h]| [[a, b], [c, d], [e, f], [g, h]].map(u16::from_be_bytes))
}
