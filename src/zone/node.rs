//! One owner name with all its RRsets, immutable, in one allocation, ready to be copied into answers.
//!
//! ```text
//! owner (wire) | directory: one entry an RRset, by type | data
//! entry: type u16, records u16, signatures u16, where the records start u32, where the signatures start u32
//! data:  per RRset its records, then the RRSIGs that cover it, each as  type class ttl rdlength rdata
//! ```
//!
//! Directory numbers are little-endian, data is in network order. The records of an RRset stand in canonical
//! rdata order (RFC 4034 §6.3) and have one TTL. The same bytes are what the state stores.

use triomphe::ThinArc;

use crate::dns::name::{Key, Name, NameRef};
use crate::dns::rdata;
use crate::dns::rtype::{CLASS_IN, Rtype};
use crate::dns::time::Ttl;

/// An owner name and its RRsets; cloning counts a reference.
#[derive(Clone)]
pub struct Node(ThinArc<Head, u8>);

#[derive(Clone, Copy)]
struct Head {
    owner: u8,
    /// Whether there is NS or DNAME, so that names below may not be the zone's.
    may_occlude: bool,
    rrsets: u16,
    soonest: Option<u32>,
}

/// One RRset of a [`Node`], with the RRSIGs that cover it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct RrsetRef<'a> {
    /// The type.
    pub rtype: Rtype,
    /// How many records.
    pub count: u16,
    /// How many RRSIGs cover it.
    pub signature_count: u16,
    /// The records, each as `type class ttl rdlength rdata`.
    pub records: &'a [u8],
    /// The covering RRSIG records in the same form.
    pub signatures: &'a [u8],
    /// The records and, right behind them, the covering RRSIGs.
    pub signed: &'a [u8],
}

/// The size of a directory entry.
const ENTRY: usize = 14;
/// The size of `type class ttl rdlength` before each rdata.
pub const RECORD_HEAD: usize = 10;
/// Where the expiration stands in RRSIG rdata (RFC 4034 §3.1).
const EXPIRATION: usize = 8;

impl Node {
    /// The owner name, in the case it was written.
    pub fn owner(&self) -> NameRef<'_> {
        NameRef::assume_valid(&self.0.slice[..usize::from(self.0.header.header.owner)])
    }

    /// The place of this node in the canonical order below an apex of `apex_length` wire octets.
    pub fn key(&self, apex_length: usize) -> Key {
        Key::of(self.owner(), apex_length)
    }

    /// Whether there is an NS or a DNAME RRset.
    pub fn may_occlude(&self) -> bool {
        self.0.header.header.may_occlude
    }

    /// The earliest RRSIG expiration here, as RRSIG rdata writes it.
    pub fn soonest(&self) -> Option<u32> {
        self.0.header.header.soonest
    }

    /// How many RRsets there are.
    pub fn rrset_count(&self) -> usize {
        usize::from(self.0.header.header.rrsets)
    }

    /// How many records there are, RRSIGs counted.
    pub fn record_count(&self) -> usize {
        self.rrsets().map(|rrset| usize::from(rrset.count) + usize::from(rrset.signature_count)).sum()
    }

    /// The octets this node occupies, its reference count and allocation not counted.
    pub fn size(&self) -> usize {
        self.0.slice.len()
    }

    /// The RRsets by ascending type.
    pub fn rrsets(&self) -> impl Iterator<Item = RrsetRef<'_>> + Clone {
        let mut entries = self.directory().iter();
        std::iter::from_fn(move || {
            let entry = entries.next()?;
            Some(self.rrset_of(entry, entries.as_slice().first()))
        })
    }

    /// The types here, ascending.
    pub fn types(&self) -> impl Iterator<Item = Rtype> + Clone + '_ {
        self.directory().iter().map(|entry| Rtype(le_u16(entry, 0)))
    }

    /// The RRset of one type.
    pub fn rrset(&self, rtype: Rtype) -> Option<RrsetRef<'_>> {
        let mut entries = self.directory().iter();
        let entry = entries.find(|entry| le_u16(entry, 0) == rtype.0)?;
        Some(self.rrset_of(entry, entries.as_slice().first()))
    }

    /// Whether there is an RRset of this type.
    pub fn has(&self, rtype: Rtype) -> bool {
        self.types().any(|here| here == rtype)
    }

    /// Whether both are the very same allocation.
    pub fn is(&self, other: &Self) -> bool {
        std::ptr::eq(self.0.slice.as_ptr(), other.0.slice.as_ptr())
    }

    /// Appends the stored form, which [`Node::read`] reads.
    pub fn write(&self, out: &mut Vec<u8>) {
        let head = &self.0.header.header;
        out.push(head.owner);
        out.extend(head.rrsets.to_le_bytes());
        out.extend(&self.0.slice);
    }

    /// Reads the stored form; `None` when it is damaged in any way that could make a later access fail.
    pub fn read(stored: &[u8]) -> Option<Self> {
        let (&[owner, low, high], body) = stored.split_first_chunk()?;
        let rrsets = u16::from_le_bytes([low, high]);
        let name = NameRef::from_wire(body).ok()?;
        if name.wire().len() != usize::from(owner)
            || body.len() < name.wire().len() + usize::from(rrsets) * ENTRY
        {
            return None;
        }
        let directory = body[usize::from(owner)..].chunks_exact(ENTRY).take(usize::from(rrsets));
        let may_occlude = directory.map(|entry| u16::from_le_bytes([entry[0], entry[1]])).any(may_occlude);
        let head = Head { owner, may_occlude, rrsets, soonest: None };
        let mut node = Self(ThinArc::from_header_and_slice(head, body));
        let mut at = node.data_start();
        let mut last_type = None;
        let mut soonest = None;
        let directory = node.directory();
        for (index, entry) in directory.iter().enumerate() {
            let rtype = le_u16(entry, 0);
            let next = directory.get(index + 1);
            let [start, middle, end] = node.bounds(entry, next);
            if last_type >= Some(rtype) || start != at || middle < start || end < middle || end > body.len() {
                return None;
            }
            last_type = Some(rtype);
            at = end;
            let rrset = node.rrset_of(entry, next);
            if !holds(rrset.records, rtype, rrset.count) || rrset.count == 0 {
                return None;
            }
            if !holds(rrset.signatures, Rtype::RRSIG.0, rrset.signature_count) {
                return None;
            }
            for rdata in rrset.signature_rdatas() {
                soonest = earlier(soonest, Some(expiration(rdata)?));
            }
        }
        if at != body.len() {
            return None;
        }
        if soonest.is_some() {
            node = Self(ThinArc::from_header_and_slice(Head { soonest, ..head }, body));
        }
        Some(node)
    }

    /// One entry an RRset.
    fn directory(&self) -> &[[u8; ENTRY]] {
        let head = &self.0.header.header;
        let start = usize::from(head.owner);
        self.0.slice[start..start + usize::from(head.rrsets) * ENTRY].as_chunks().0
    }

    fn data_start(&self) -> usize {
        usize::from(self.0.header.header.owner) + self.rrset_count() * ENTRY
    }

    /// Where the RRset of this entry starts, where its signatures start, and where it ends.
    fn bounds(&self, entry: &[u8; ENTRY], next: Option<&[u8; ENTRY]>) -> [usize; 3] {
        [le_u32(entry, 6), le_u32(entry, 10), next.map_or(self.0.slice.len(), |next| le_u32(next, 6))]
    }

    /// The RRset of an entry, with the entry after it.
    fn rrset_of(&self, entry: &[u8; ENTRY], next: Option<&[u8; ENTRY]>) -> RrsetRef<'_> {
        let [start, middle, end] = self.bounds(entry, next);
        let signed = &self.0.slice[start..end];
        let (records, signatures) = signed.split_at(middle - start);
        RrsetRef {
            rtype: Rtype(le_u16(entry, 0)),
            count: le_u16(entry, 2),
            signature_count: le_u16(entry, 4),
            records,
            signatures,
            signed,
        }
    }
}

fn le_u16(entry: &[u8; ENTRY], at: usize) -> u16 {
    u16::from_le_bytes([entry[at], entry[at + 1]])
}

fn le_u32(entry: &[u8; ENTRY], at: usize) -> usize {
    u32::from_le_bytes([entry[at], entry[at + 1], entry[at + 2], entry[at + 3]]) as usize
}

impl PartialEq for Node {
    /// The same owner in the same case, the same records, the same signatures.
    fn eq(&self, other: &Self) -> bool {
        self.is(other) || self.0.slice == other.0.slice
    }
}
impl Eq for Node {}

impl std::fmt::Debug for Node {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {:?}", self.owner(), self.types().collect::<Vec<_>>())
    }
}

impl<'a> RrsetRef<'a> {
    /// The TTL of the records.
    pub fn ttl(&self) -> Ttl {
        record_ttl(self.records)
    }

    /// The rdata of each record, in canonical order.
    pub fn rdatas(&self) -> Rdatas<'a> {
        Rdatas(self.records)
    }

    /// The rdata of each covering RRSIG.
    pub fn signature_rdatas(&self) -> Rdatas<'a> {
        Rdatas(self.signatures)
    }

    /// The rdata of the first record.
    pub fn first(&self) -> &'a [u8] {
        self.rdatas().next().unwrap_or_default()
    }
}

/// The rdata of pre-encoded records, one after the other.
#[derive(Clone)]
pub struct Rdatas<'a>(&'a [u8]);

impl<'a> Iterator for Rdatas<'a> {
    type Item = &'a [u8];
    fn next(&mut self) -> Option<&'a [u8]> {
        let (head, rest) = self.0.split_first_chunk::<RECORD_HEAD>()?;
        let (rdata, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes([head[8], head[9]])))?;
        self.0 = rest;
        Some(rdata)
    }
}

/// Appends one record without its owner: `type class ttl rdlength rdata`. Rdata is at most 65,535 octets.
pub fn encode_record(out: &mut Vec<u8>, rtype: Rtype, ttl: Ttl, rdata: &[u8]) {
    let mut head = [0; RECORD_HEAD];
    head[..2].copy_from_slice(&rtype.0.to_be_bytes());
    head[2..4].copy_from_slice(&CLASS_IN.to_be_bytes());
    head[4..8].copy_from_slice(&ttl.0.to_be_bytes());
    head[8..].copy_from_slice(&(rdata.len() as u16).to_be_bytes());
    out.extend_from_slice(&head);
    out.extend_from_slice(rdata);
}

/// Puts records of one type into canonical order (RFC 4034 §6.3): by `rdata` with its names in lower case.
pub fn canonical_order<T>(rtype: Rtype, records: &mut [T], rdata: impl Fn(&T) -> &[u8]) {
    if records.len() < 2 {
        return;
    }
    if rdata::has_lowered_names(rtype) {
        records.sort_by_cached_key(|record| {
            let mut canonical = Vec::with_capacity(rdata(record).len());
            rdata::canonical(rtype, rdata(record), &mut canonical);
            canonical
        });
    } else {
        records.sort_unstable_by(|a, b| rdata(a).cmp(rdata(b)));
    }
}

/// The TTL of a record without its owner, as [`encode_record`] writes it.
pub fn record_ttl(record: &[u8]) -> Ttl {
    Ttl(record.get(4..8).map_or(0, be_u32))
}

/// The expiration field of RRSIG rdata.
pub fn expiration(rrsig: &[u8]) -> Option<u32> {
    rrsig.get(EXPIRATION..EXPIRATION + 4).map(be_u32)
}

/// The earlier of two RRSIG times by serial arithmetic (RFC 4034 §3.1.5); `None` is never.
pub fn earlier(a: Option<u32>, b: Option<u32>) -> Option<u32> {
    match (a, b) {
        (Some(x), Some(y)) => Some(if (x.wrapping_sub(y) as i32) < 0 { x } else { y }),
        (time, None) | (None, time) => time,
    }
}

fn may_occlude(rtype: u16) -> bool {
    rtype == Rtype::NS.0 || rtype == Rtype::DNAME.0
}

fn be_u32(octets: &[u8]) -> u32 {
    octets.iter().fold(0, |value, &octet| value << 8 | u32::from(octet))
}

/// Whether `records` is exactly `count` whole records of type `rtype`.
fn holds(records: &[u8], rtype: u16, count: u16) -> bool {
    let mut at = 0;
    let mut seen = 0;
    for rdata in Rdatas(records) {
        if records[at..at + 2] != rtype.to_be_bytes() {
            return false;
        }
        at += RECORD_HEAD + rdata.len();
        seen += 1;
    }
    at == records.len() && seen == usize::from(count)
}

/// Makes [`Node`]s one after the other, reusing its buffers.
#[derive(Default)]
pub struct NodeBuilder {
    owner: Vec<u8>,
    entries: Vec<Entry>,
    data: Vec<u8>,
    body: Vec<u8>,
    soonest: Option<u32>,
}

struct Entry {
    rtype: Rtype,
    count: u16,
    signatures: u16,
    start: u32,
    middle: u32,
}

impl NodeBuilder {
    /// Begins a node.
    pub fn start(&mut self, owner: NameRef<'_>) {
        self.owner.clear();
        self.owner.extend(owner.wire());
        self.entries.clear();
        self.data.clear();
        self.soonest = None;
    }

    /// Begins an RRset; its type must be greater than that of the one before.
    pub fn begin(&mut self, rtype: Rtype) {
        debug_assert!(
            self.entries.last().is_none_or(|last| last.rtype < rtype),
            "RRsets come by ascending type"
        );
        let start = self.data.len() as u32;
        self.entries.push(Entry { rtype, count: 0, signatures: 0, start, middle: start });
    }

    /// Adds a record to the RRset that was begun; records come in canonical order, before signatures.
    pub fn record(&mut self, ttl: Ttl, rdata: &[u8]) {
        if let Some(entry) = self.entries.last_mut() {
            encode_record(&mut self.data, entry.rtype, ttl, rdata);
            entry.count += 1;
            entry.middle = self.data.len() as u32;
        }
    }

    /// Adds an RRSIG over the RRset that was begun and has records.
    pub fn signature(&mut self, ttl: Ttl, rdata: &[u8]) {
        if let Some(entry) = self.entries.last_mut().filter(|entry| entry.count > 0) {
            encode_record(&mut self.data, Rtype::RRSIG, ttl, rdata);
            entry.signatures += 1;
            self.soonest = earlier(self.soonest, expiration(rdata));
        }
    }

    /// Adds a whole RRset with its signatures.
    pub fn copy(&mut self, rrset: RrsetRef<'_>) {
        self.copy_unsigned(rrset);
        if let Some(entry) = self.entries.last_mut() {
            self.data.extend(rrset.signatures);
            entry.signatures = rrset.signature_count;
        }
        for rdata in rrset.signature_rdatas() {
            self.soonest = earlier(self.soonest, expiration(rdata));
        }
    }

    /// Adds a whole RRset without its signatures.
    pub fn copy_unsigned(&mut self, rrset: RrsetRef<'_>) {
        self.begin(rrset.rtype);
        self.data.extend(rrset.records);
        if let Some(entry) = self.entries.last_mut() {
            entry.count = rrset.count;
            entry.middle = self.data.len() as u32;
        }
    }

    /// The node; `None` when it would hold no record.
    pub fn finish(&mut self) -> Option<Node> {
        self.entries.retain(|entry| entry.count > 0);
        if self.entries.is_empty() {
            return None;
        }
        let offset = (self.owner.len() + self.entries.len() * ENTRY) as u32;
        self.body.clear();
        self.body.extend(&self.owner);
        for entry in &self.entries {
            self.body.extend(entry.rtype.0.to_le_bytes());
            self.body.extend(entry.count.to_le_bytes());
            self.body.extend(entry.signatures.to_le_bytes());
            self.body.extend((entry.start + offset).to_le_bytes());
            self.body.extend((entry.middle + offset).to_le_bytes());
        }
        self.body.extend(&self.data);
        let head = Head {
            owner: self.owner.len() as u8,
            may_occlude: self.entries.iter().any(|entry| may_occlude(entry.rtype.0)),
            rrsets: self.entries.len() as u16,
            soonest: self.soonest,
        };
        Some(Node(ThinArc::from_header_and_slice(head, &self.body)))
    }
}

/// A node of one RRset, for the places that make single records.
pub fn single(owner: &Name, rtype: Rtype, ttl: Ttl, rdatas: &[&[u8]]) -> Option<Node> {
    let mut builder = NodeBuilder::default();
    builder.start(owner.as_ref());
    builder.begin(rtype);
    for rdata in rdatas {
        builder.record(ttl, rdata);
    }
    builder.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn mail() -> Node {
        let mut builder = NodeBuilder::default();
        builder.start(Name::parse("Mail.example.test").unwrap().as_ref());
        builder.begin(Rtype::A);
        builder.record(Ttl(300), &[192, 0, 2, 1]);
        builder.record(Ttl(300), &[192, 0, 2, 2]);
        builder.signature(Ttl(300), &[0, 1, 13, 3, 0, 0, 1, 44, 0, 0, 0, 9, 0, 0, 0, 1, 0, 5, 0]);
        builder.begin(Rtype::TXT);
        builder.record(Ttl(60), b"\x02hi");
        builder.finish().unwrap()
    }

    #[test]
    fn a_node_gives_back_what_was_put_in() {
        let node = mail();
        assert_eq!(node.owner().to_string(), "Mail.example.test.");
        let a = node.rrset(Rtype::A).unwrap();
        assert_eq!((a.count, a.signature_count, a.ttl()), (2, 1, Ttl(300)));
        assert_eq!(a.rdatas().collect::<Vec<_>>(), [[192, 0, 2, 1], [192, 0, 2, 2]]);
        assert_eq!(node.soonest(), Some(9));
        assert_eq!(node.rrset(Rtype::TXT).unwrap().first(), b"\x02hi");
        assert!(node.rrset(Rtype::MX).is_none());
        assert_eq!(node.record_count(), 4);
    }

    #[test]
    fn the_stored_form_reads_back_and_damage_is_seen() {
        let node = mail();
        let mut stored = Vec::new();
        node.write(&mut stored);
        let again = Node::read(&stored).unwrap();
        assert_eq!(again, node);
        assert_eq!(again.soonest(), Some(9));
        for cut in 0..stored.len() {
            assert!(Node::read(&stored[..cut]).is_none(), "cut at {cut}");
        }
    }

    proptest! {
        #[test]
        fn no_stored_bytes_make_a_node_that_panics(flip in 0usize..130, value in any::<u8>()) {
            let mut stored = Vec::new();
            mail().write(&mut stored);
            let at = flip % stored.len();
            stored[at] = value;
            if let Some(node) = Node::read(&stored) {
                let _ = (node.owner().to_string(), node.record_count(), node.key(1));
            }
        }
    }
}
