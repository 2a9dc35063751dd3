//! Writing a message into the caller's buffer from records that are already encoded.
//!
//! A record is handed over as TYPE, CLASS, TTL, RDLENGTH and RDATA in wire form; the writer puts the owner before
//! it, as a pointer wherever it can, and compresses the names that RFC 3597 §4 leaves compressible. What does not
//! fit is reported as [`Full`], and nothing of it stays if the caller rolls back to a [`Mark`]. Room for OPT and
//! TSIG is kept from the start, so truncation never costs them.

use super::compression::REACH;
use super::{Compression, HEADER, Header, Opt, Prepared, Question, Rcode};
use crate::dns::name::NameRef;
use crate::dns::rtype::Rtype;
use crate::dns::time::Ttl;

/// It does not fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("message is full")]
pub struct Full;

/// The sections that hold records (RFC 1035 §4.1).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Section {
    /// What was asked for.
    Answer = 1,
    /// Who knows, or proof that there is none.
    Authority = 2,
    /// What will be asked for next.
    Additional = 3,
}

/// The owner of a record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Owner<'a> {
    /// A name that is already in the message, here. The question's starts at [`HEADER`].
    At(u16),
    /// These labels, and then a name that is already in the message, here.
    Below(&'a [u8], u16),
    /// Any name.
    Name(NameRef<'a>),
}

/// A point to roll back to.
#[derive(Clone, Copy, Debug)]
pub struct Mark {
    length: usize,
    counts: [u16; 4],
}

/// A message under construction.
pub struct Writer<'b> {
    out: &'b mut [u8],
    length: usize,
    /// What may be used now; room for OPT and TSIG is kept above it.
    limit: usize,
    header: Header,
    rcode: Rcode,
    opt: Option<&'b Opt<'b>>,
    reserved: usize,
    counts: [u16; 4],
    section: Section,
    names: &'b mut Compression,
    exact_case: bool,
}

impl<'b> Writer<'b> {
    /// Begins a message of at most `limit` octets in `out`. OPT is written if `opt` is given, and `reserved`
    /// octets after it are left for TSIG. If there is not even room for the header and these, nothing fits.
    pub fn new(
        out: &'b mut [u8],
        limit: usize,
        reserved: usize,
        header: Header,
        opt: Option<&'b Opt<'b>>,
        names: &'b mut Compression,
    ) -> Self {
        let kept = reserved + opt.map_or(0, Opt::octets);
        let limit = limit.min(out.len()).saturating_sub(kept);
        names.clear();
        Self {
            out,
            length: HEADER,
            limit,
            header,
            rcode: header.rcode(),
            opt,
            reserved,
            counts: [0; 4],
            section: Section::Answer,
            names,
            exact_case: false,
        }
    }

    /// From here on a name is a pointer only to one in the very same case, for clients that keep the records:
    /// secondaries. Otherwise an owner may appear in the case of the question.
    pub fn keep_case(&mut self) {
        self.exact_case = true;
    }

    /// Writes a question. It comes before all records.
    pub fn question(&mut self, question: &Question<'_>) -> Result<(), Full> {
        let at = self.length;
        self.octets(question.name.wire())?;
        self.names.defer(at, question.name);
        let ([a, b], [c, d]) = (question.rtype.0.to_be_bytes(), question.class.to_be_bytes());
        self.chunk([a, b, c, d])?;
        self.counts[0] += 1;
        Ok(())
    }

    /// Sets bits of the header: [`flag`](super::flag).
    pub fn set(&mut self, flags: u16) {
        self.header.bits |= flags;
    }

    /// Clears bits of the header.
    pub fn clear(&mut self, flags: u16) {
        self.header.bits &= !flags;
    }

    /// Sets the rcode; its upper bits go into OPT.
    pub fn set_rcode(&mut self, rcode: Rcode) {
        self.rcode = rcode;
    }

    /// The rcode as set so far.
    pub fn rcode(&self) -> Rcode {
        self.rcode
    }

    /// The next records go into this section. Sections come in their order.
    pub fn begin(&mut self, section: Section) {
        self.section = section;
    }

    /// How many records `section` has.
    pub fn count(&self, section: Section) -> u16 {
        self.counts[section as usize]
    }

    /// How many octets are left for records.
    pub fn room(&self) -> usize {
        self.limit - self.length
    }

    /// What has been written so far, header not filled in.
    pub fn written(&self) -> &[u8] {
        &self.out[..self.length]
    }

    /// Writes one record. After [`Full`] part of it may be there: roll back.
    pub fn record(&mut self, owner: Owner<'_>, record: &[u8]) -> Result<(), Full> {
        self.all(owner, record, None).map(|_| ())
    }

    /// Writes records of one owner that follow each other in `records`: all of them or, if they do not fit, none.
    /// Gives back the owner in the form in which more records of it are written soonest.
    pub fn records<'a>(&mut self, owner: Owner<'a>, records: &[u8]) -> Result<Owner<'a>, Full> {
        self.all_or_none(owner, records, None)
    }

    /// Writes records as [`records`](Self::records) does, with another TTL.
    pub fn records_with_ttl<'a>(
        &mut self,
        owner: Owner<'a>,
        records: &[u8],
        ttl: Ttl,
    ) -> Result<Owner<'a>, Full> {
        self.all_or_none(owner, records, Some(ttl))
    }

    /// Writes records that were prepared; the apex that they speak of is in the message at `apex`. Nothing of them
    /// is written if they do not fit.
    pub fn prepared(&mut self, records: &Prepared, apex: u16) -> Result<(), Full> {
        let start = self.length;
        self.octets(records.octets())?;
        for &(at, within) in records.pointers() {
            let place = start + usize::from(at);
            self.out[place..place + 2].copy_from_slice(&(0xc000 | (apex + within)).to_be_bytes());
        }
        self.add(records.count())
    }

    /// Where in the message a name is that has been written, as far as a pointer reaches.
    pub fn offset_of(&self, name: NameRef<'_>) -> Option<u16> {
        self.names.offset_of(&self.out[..self.length], name, self.exact_case)
    }

    /// Remembers where the message ends.
    pub fn mark(&self) -> Mark {
        Mark { length: self.length, counts: self.counts }
    }

    /// Whether nothing has been written since.
    pub fn is_at(&self, mark: Mark) -> bool {
        self.length == mark.length
    }

    /// Takes back what was written since.
    pub fn roll_back(&mut self, mark: Mark) {
        self.length = mark.length;
        self.counts = mark.counts;
        self.names.forget_from(mark.length);
    }

    /// Fills in the header, writes OPT, and says how long the message is. TSIG may follow.
    pub fn finish(mut self) -> usize {
        if let Some(opt) = self.opt {
            let limit = self.limit + opt.octets();
            self.length = opt.write(self.rcode, self.out, self.length, self.reserved, limit);
            self.counts[3] += 1;
        }
        let bits = self.header.bits & 0xfff0 | self.rcode.0 & 15;
        let [questions, answers, authorities, additionals] = self.counts;
        let fields = [self.header.id, bits, questions, answers, authorities, additionals];
        for (place, field) in self.out[..HEADER].as_chunks_mut().0.iter_mut().zip(fields) {
            *place = field.to_be_bytes();
        }
        self.length
    }

    fn all_or_none<'a>(
        &mut self,
        owner: Owner<'a>,
        records: &[u8],
        ttl: Option<Ttl>,
    ) -> Result<Owner<'a>, Full> {
        let mark = self.mark();
        let result = self.all(owner, records, ttl);
        if result.is_err() {
            self.roll_back(mark);
        }
        result
    }

    fn all<'a>(
        &mut self,
        mut owner: Owner<'a>,
        mut records: &[u8],
        ttl: Option<Ttl>,
    ) -> Result<Owner<'a>, Full> {
        loop {
            (owner, records) = match owner {
                Owner::At(at) => self.pointed(&[], at, records, ttl)?,
                Owner::Below(labels, rest) if self.length < REACH => {
                    self.pointed(labels, rest, records, ttl)?
                }
                _ => (owner, records),
            };
            if records.is_empty() {
                return Ok(owner);
            }
            (owner, records) = self.one(owner, records, ttl)?;
        }
    }

    /// Writes records whose owner is these labels and what is in the message at `at`, up to the first that can be
    /// compressed; gives back the owner in its shortest form, and the rest. Of what does not fit nothing counts.
    fn pointed<'a, 'r>(
        &mut self,
        mut labels: &'a [u8],
        mut at: u16,
        mut records: &'r [u8],
        ttl: Option<Ttl>,
    ) -> Result<(Owner<'a>, &'r [u8]), Full> {
        let mut room = &mut self.out[self.length..self.limit];
        let (mut length, mut count) = (self.length, 0u16);
        while let Some((record, rest)) = split_record(records) {
            if rtype(record).compressible().is_some() {
                break;
            }
            if !labels.is_empty() {
                let (place, left) = room.split_at_mut_checked(labels.len()).ok_or(Full)?;
                place.copy_from_slice(labels);
                room = left;
            }
            let (place, left) = room.split_at_mut_checked(2 + record.len()).ok_or(Full)?;
            let (pointer, body) = place.split_at_mut(2);
            pointer.copy_from_slice(&(0xc000 | at).to_be_bytes());
            body.copy_from_slice(record);
            if let Some(ttl) = ttl {
                body[4..8].copy_from_slice(&ttl.0.to_be_bytes());
            }
            room = left;
            if !labels.is_empty() {
                at = length as u16;
                length += labels.len();
                labels = &[];
            }
            length += 2 + record.len();
            count = count.checked_add(1).ok_or(Full)?;
            records = rest;
        }
        self.length = length;
        self.add(count)?;
        Ok((if labels.is_empty() { Owner::At(at) } else { Owner::Below(labels, at) }, records))
    }

    /// Writes the first of `records`, whatever it is; gives back its owner in the shortest form, and the rest.
    #[inline(never)]
    fn one<'a, 'r>(
        &mut self,
        owner: Owner<'a>,
        records: &'r [u8],
        ttl: Option<Ttl>,
    ) -> Result<(Owner<'a>, &'r [u8]), Full> {
        // Zones hold whole records only.
        let (record, rest) = split_record(records).ok_or(Full)?;
        let owner = self.owner(owner)?.map_or(owner, Owner::At);
        let start = self.length;
        match rtype(record).compressible() {
            None => self.octets(record)?,
            Some((fixed, names)) => self.compressed(record, fixed, names)?,
        }
        if let Some(ttl) = ttl {
            self.out[start + 4..start + 8].copy_from_slice(&ttl.0.to_be_bytes());
        }
        self.add(1)?;
        Ok((owner, rest))
    }

    /// Counts records of this section.
    fn add(&mut self, records: u16) -> Result<(), Full> {
        let count = &mut self.counts[self.section as usize];
        *count = count.checked_add(records).ok_or(Full)?;
        Ok(())
    }

    /// Writes an owner, and says where the next record's may point.
    fn owner(&mut self, owner: Owner<'_>) -> Result<Option<u16>, Full> {
        match owner {
            Owner::At(at) => {
                self.pointer(at)?;
                Ok(Some(at))
            }
            Owner::Below(labels, rest) => {
                let at = self.length;
                self.octets(labels)?;
                self.pointer(rest)?;
                Ok((at < REACH).then_some(at as u16))
            }
            Owner::Name(name) => self.name(name),
        }
    }

    fn pointer(&mut self, at: u16) -> Result<(), Full> {
        self.chunk((0xc000 | at).to_be_bytes())
    }

    /// A few octets, whose number is known to the compiler.
    fn chunk<const N: usize>(&mut self, octets: [u8; N]) -> Result<(), Full> {
        let place = self.out[self.length..self.limit].first_chunk_mut().ok_or(Full)?;
        *place = octets;
        self.length += N;
        Ok(())
    }

    /// Writes what follows the owner, of which so many `names` come after `fixed` octets of rdata.
    fn compressed(&mut self, record: &[u8], fixed: usize, names: usize) -> Result<(), Full> {
        let Some((head, mut rest)) = record.split_at_checked(10 + fixed) else { return self.octets(record) };
        let length_at = self.length + 8;
        self.octets(head)?;
        for _ in 0..names {
            // Zones hold only rdata that has been checked; bytes that are no name go out as they are.
            let Ok(name) = NameRef::from_wire(rest) else { break };
            self.name(name)?;
            rest = &rest[name.wire().len()..];
        }
        self.octets(rest)?;
        let length = (self.length - length_at - 2) as u16;
        self.out[length_at..length_at + 2].copy_from_slice(&length.to_be_bytes());
        Ok(())
    }

    /// Writes a name, and says where it can be pointed to.
    fn name(&mut self, name: NameRef<'_>) -> Result<Option<u16>, Full> {
        let start = self.length;
        let split = self.names.place(&self.out[..self.length], name, self.exact_case);
        self.octets(&name.wire()[..split.literal])?;
        if let Some(pointer) = split.pointer {
            self.pointer(pointer)?;
            if split.literal == 0 {
                return Ok(Some(pointer));
            }
        }
        // A pointer to the root would be longer than the root.
        Ok((start < REACH && !name.is_root()).then_some(start as u16))
    }

    fn octets(&mut self, octets: &[u8]) -> Result<(), Full> {
        let end = self.length + octets.len();
        if end > self.limit {
            return Err(Full);
        }
        self.out[self.length..end].copy_from_slice(octets);
        self.length = end;
        Ok(())
    }
}

/// The first of records that follow each other, each `type class ttl rdlength rdata`, and the rest.
pub fn split_record(records: &[u8]) -> Option<(&[u8], &[u8])> {
    let &[_, _, _, _, _, _, _, _, high, low] = records.first_chunk()?;
    records.split_at_checked(10 + usize::from(u16::from_be_bytes([high, low])))
}

/// Each of records that follow each other.
pub fn each_record(mut records: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let (record, rest) = split_record(records)?;
        records = rest;
        Some(record)
    })
}

/// The type of a record, which has at least so many octets.
pub(super) fn rtype(record: &[u8]) -> Rtype {
    record.first_chunk().map_or(Rtype(0), |&octets| Rtype(u16::from_be_bytes(octets)))
}

impl Rtype {
    /// For the types whose rdata may be sent compressed (RFC 3597 §4): octets before the first name, and how many
    /// names follow.
    pub(super) const fn compressible(self) -> Option<(usize, usize)> {
        match self {
            Self::NS | Self::MD | Self::MF | Self::CNAME | Self::MB | Self::MG | Self::MR | Self::PTR => {
                Some((0, 1))
            }
            Self::SOA | Self::MINFO => Some((0, 2)),
            Self::MX => Some((2, 1)),
            _ => None,
        }
    }
}
