//! Questions and responses in wire form, read by a reader of their own: danelaw's would read danelaw's errors right.

use std::collections::BTreeSet;
use std::fmt::Write;

use danelaw::dns::name::{Name, NameRef};
use danelaw::dns::rtype::Rtype;
use danelaw::dns::time::Ttl;
use danelaw::dns::zonefile::write_record;

use super::peers::PAYLOAD;

/// A question, with or without DO.
#[derive(Clone, Debug)]
pub(crate) struct Question {
    /// Wire form, in the case it is asked in.
    pub(crate) name: Vec<u8>,
    pub(crate) rtype: Rtype,
    pub(crate) dnssec_ok: bool,
}

/// A record in comparable form: its names in lower case and uncompressed.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Record {
    pub(crate) owner: Vec<u8>,
    pub(crate) rtype: Rtype,
    pub(crate) ttl: u32,
    pub(crate) rdata: Vec<u8>,
}

/// A response in comparable form.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Reply {
    pub(crate) rcode: u8,
    pub(crate) authoritative: bool,
    pub(crate) truncated: bool,
    pub(crate) answer: BTreeSet<Record>,
    pub(crate) authority: BTreeSet<Record>,
    pub(crate) additional: BTreeSet<Record>,
    /// Some record came twice in a section.
    pub(crate) repeats: bool,
}

pub(crate) const NXDOMAIN: u8 = 3;
pub(crate) const YXDOMAIN: u8 = 6;

impl Question {
    pub(crate) fn new(name: &str, rtype: Rtype, dnssec_ok: bool) -> Self {
        Self { name: Name::parse(name).unwrap().as_ref().wire().to_vec(), rtype, dnssec_ok }
    }

    /// The request, with EDNS.
    pub(crate) fn request(&self, id: u16) -> Vec<u8> {
        let mut request = vec![0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1];
        request[..2].copy_from_slice(&id.to_be_bytes());
        self.write(&mut request);
        request.extend_from_slice(&[0, 0, 41]);
        request.extend_from_slice(&PAYLOAD.to_be_bytes());
        request.extend_from_slice(&[0, 0, if self.dnssec_ok { 0x80 } else { 0 }, 0, 0, 0]);
        request
    }

    /// Whether `reply` repeats the question octet for octet, case and all (RFC 4343 §4.1).
    pub(crate) fn is_asked_in(&self, reply: &[u8]) -> bool {
        let mut question = Vec::new();
        self.write(&mut question);
        reply.get(12..).is_some_and(|rest| rest.starts_with(&question))
    }

    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.name);
        out.extend_from_slice(&self.rtype.0.to_be_bytes());
        out.extend_from_slice(&[0, 1]);
    }

    /// The name in lower case.
    pub(crate) fn lower(&self) -> Vec<u8> {
        self.name.to_ascii_lowercase()
    }
}

impl std::fmt::Display for Question {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let name = NameRef::from_wire(&self.name).unwrap();
        write!(f, "{name} {}{}", self.rtype, if self.dnssec_ok { " +do" } else { "" })
    }
}

impl Reply {
    /// Reads a whole message; what is wrong with it, if it is none.
    pub(crate) fn read(message: &[u8]) -> Result<Self, &'static str> {
        let mut cursor = Cursor { message, at: 0 };
        let header = cursor.take(12).ok_or("no header")?;
        let counts = [4, 6, 8, 10].map(|at| u16::from_be_bytes([header[at], header[at + 1]]));
        let mut reply = Self {
            rcode: header[3] & 15,
            authoritative: header[2] & 4 != 0,
            truncated: header[2] & 2 != 0,
            ..Self::default()
        };
        for _ in 0..counts[0] {
            cursor.name().ok_or("a question without a name")?;
            cursor.take(4).ok_or("a question without a type")?;
        }
        for (section, count) in counts[1..].iter().enumerate() {
            for _ in 0..*count {
                let record = cursor.record().ok_or("a record that cannot be read")?;
                let records = match section {
                    _ if record.rtype == Rtype::OPT => continue,
                    0 => &mut reply.answer,
                    1 => &mut reply.authority,
                    _ => &mut reply.additional,
                };
                reply.repeats |= !records.insert(record);
            }
        }
        if cursor.at == message.len() { Ok(reply) } else { Err("octets after the last record") }
    }
}

impl std::fmt::Display for Reply {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let flag = |set, name| if set { name } else { "" };
        writeln!(
            f,
            "  rcode {}{}{}",
            self.rcode,
            flag(self.authoritative, " aa"),
            flag(self.truncated, " tc")
        )?;
        for (mark, section) in [('=', &self.answer), ('^', &self.authority), ('+', &self.additional)] {
            for record in section {
                writeln!(f, "  {mark} {record}")?;
            }
        }
        Ok(())
    }
}

impl Record {
    /// The type that an RRSIG record covers.
    pub(crate) fn covered(&self) -> Option<Rtype> {
        (self.rtype == Rtype::RRSIG).then(|| Rtype(u16::from_be_bytes([self.rdata[0], self.rdata[1]])))
    }

    /// The type of the RRset that it belongs to, or signs.
    pub(crate) fn of_type(&self) -> Rtype {
        self.covered().unwrap_or(self.rtype)
    }
}

impl std::fmt::Display for Record {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut line = String::new();
        let owner = NameRef::from_wire(&self.owner).unwrap();
        match self.covered() {
            Some(covered) => write!(line, "{owner} {} RRSIG {covered} labels {}", self.ttl, self.rdata[3])?,
            None => write_record(owner, Ttl(self.ttl), self.rtype, &self.rdata, &mut line)?,
        }
        f.write_str(line.trim_end())
    }
}

/// Where the names of a type's rdata are: after so many octets, so many of them.
pub(crate) fn names_within(rtype: Rtype) -> (usize, usize) {
    match rtype {
        Rtype::NS | Rtype::CNAME | Rtype::DNAME | Rtype::NSEC => (0, 1),
        Rtype::SOA => (0, 2),
        Rtype::MX | Rtype::SVCB | Rtype::HTTPS => (2, 1),
        Rtype::SRV => (6, 1),
        Rtype::RRSIG => (18, 1),
        _ => (0, 0),
    }
}

struct Cursor<'m> {
    message: &'m [u8],
    at: usize,
}

impl<'m> Cursor<'m> {
    fn take(&mut self, length: usize) -> Option<&'m [u8]> {
        let octets = self.message.get(self.at..self.at + length)?;
        self.at += length;
        Some(octets)
    }

    fn u16(&mut self) -> Option<u16> {
        self.take(2).map(|octets| u16::from_be_bytes([octets[0], octets[1]]))
    }

    /// A name in lower case, its pointers followed; each has to lead backwards.
    fn name(&mut self) -> Option<Vec<u8>> {
        let mut name = Vec::new();
        let (mut at, mut end, mut lowest) = (self.at, None, self.at);
        loop {
            let length = usize::from(*self.message.get(at)?);
            match length {
                0 => {
                    name.push(0);
                    self.at = end.unwrap_or(at + 1);
                    return (name.len() <= 255).then_some(name);
                }
                1..=63 => {
                    name.push(length as u8);
                    name.extend(self.message.get(at + 1..=at + length)?.to_ascii_lowercase());
                    at += 1 + length;
                }
                192.. => {
                    let to = (length & 63) << 8 | usize::from(*self.message.get(at + 1)?);
                    end = end.or(Some(at + 2));
                    if to >= lowest {
                        return None;
                    }
                    (at, lowest) = (to, to);
                }
                _ => return None,
            }
        }
    }

    fn record(&mut self) -> Option<Record> {
        let owner = self.name()?;
        let rtype = Rtype(self.u16()?);
        self.take(2)?;
        let ttl = u32::from(self.u16()?) << 16 | u32::from(self.u16()?);
        let length = usize::from(self.u16()?);
        let end = self.at + length;
        self.message.get(..end)?;
        let (before, names) = names_within(rtype);
        let mut rdata = self.take(before)?.to_vec();
        for _ in 0..names {
            rdata.extend(self.name()?);
        }
        rdata.extend(self.take(end.checked_sub(self.at)?)?);
        Some(Record { owner, rtype, ttl, rdata })
    }
}
