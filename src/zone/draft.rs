//! A zone as its file has it, before signing: the sink that the zone-file reader fills, and what is checked.
//!
//! Records are gathered in one arena and sorted once; a draft is built from them in a single pass, in which every
//! rule that concerns one owner or its ancestors is checked. All problems are reported, not just the first.

use std::cmp::Ordering;

use super::contents::{Contents, SoaTimers};
use super::managed::ManagedRrsets;
use super::node::{Node, NodeBuilder, RECORD_HEAD, canonical_order};
use super::serial::Serial;
use super::signal;
use super::tree::Tree;
use super::zonemd;
use crate::dns::name::{Key, Name, NameRef};
use crate::dns::problem::{Place, Problem, Problems};
use crate::dns::rdata;
use crate::dns::rtype::Rtype;
use crate::dns::time::Ttl;
use crate::dns::zonefile::{At, Sink};

/// A complete, checked zone without signatures of ours.
#[derive(Clone)]
pub struct Draft {
    /// The records.
    pub contents: Contents,
    /// Where the SOA record stands.
    pub soa: Place,
    /// How many RRSIG, NSEC, NSEC3 and NSEC3PARAM records of the input were left out because danelaw makes its
    /// own.
    pub dropped: usize,
}

/// What is done with DNSSEC records in the input.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Presigned {
    /// They are left out: the zone will be signed here.
    Drop,
    /// They are served as they stand (policy `unsigned`).
    Keep,
}

/// Gathers records and makes a [`Draft`] of them.
pub struct DraftBuilder {
    origin: Name,
    presigned: Presigned,
    arena: Vec<u8>,
    entries: Vec<Entry>,
    /// Records that are no part of the draft, but of the zone that it was made from.
    aside: Vec<Entry>,
    last_owner: Option<u32>,
    dropped: usize,
    outside: Vec<(Name, At)>,
    outside_count: usize,
    /// How much the arena may hold.
    room: usize,
    /// The first record for which there was no room.
    beyond: Option<At>,
}

/// One record: where its owner and its TTL and rdata stand in the arena.
struct Entry {
    /// The first symbols of the owner's key, so that most comparisons touch nothing else.
    prefix: u64,
    owner: u32,
    data: u32,
    at: At,
    rtype: Rtype,
}

impl DraftBuilder {
    /// A builder for the zone `origin`.
    pub fn new(origin: Name, presigned: Presigned) -> Self {
        Self {
            origin,
            presigned,
            arena: Vec::new(),
            entries: Vec::new(),
            aside: Vec::new(),
            last_owner: None,
            dropped: 0,
            outside: Vec::new(),
            outside_count: 0,
            room: ROOM,
            beyond: None,
        }
    }

    /// The draft, and warnings; or everything that is wrong. `managed` is what danelaw makes itself. `place`
    /// tells where a record stood.
    pub fn build(
        mut self,
        managed: &ManagedRrsets,
        place: impl Fn(At) -> Place,
    ) -> Result<(Draft, Problems), Problems> {
        let mut entries = std::mem::take(&mut self.entries);
        self.sort(&mut entries);
        let mut pass = Pass {
            input: &self,
            managed,
            place: &place,
            problems: Problems::default(),
            builder: NodeBuilder::default(),
            rdatas: Vec::new(),
            cut: None,
            targets: Vec::new(),
        };
        for (name, at) in &self.outside {
            pass.error(
                *at,
                format_args!("{name} is outside the zone {}, expected names at or below it", self.origin),
            );
        }
        for _ in self.outside.len()..self.outside_count {
            pass.problems.push(Problem::error(Place::file(""), "more names outside the zone"));
        }
        if let Some(at) = self.beyond {
            let room = self.room;
            pass.error(at, format_args!("the zone is too large, expected records of at most {room} octets"));
        }
        let apex_length = self.origin.len();
        let mut nsec3 = Vec::new();
        let mut rest = &entries[..];
        let nodes = Tree::from_sorted(
            apex_length,
            std::iter::from_fn(|| {
                loop {
                    let first = rest.first()?;
                    let length = rest
                        .iter()
                        .take_while(|entry| {
                            entry.owner == first.owner
                                || entry.prefix == first.prefix && self.key(entry) == self.key(first)
                        })
                        .count();
                    let (owner, others) = rest.split_at(length);
                    rest = others;
                    match pass.node(owner) {
                        Some(node) if node.types().eq([Rtype::NSEC3]) => nsec3.push(node),
                        Some(node) => return Some(node),
                        None => {}
                    }
                }
            }),
        );
        let targets = std::mem::take(&mut pass.targets);
        let mut contents = Contents::new(self.origin.clone());
        contents.nodes = nodes;
        contents.nsec3 = Tree::from_sorted(apex_length, nsec3);
        pass.apex(&contents);
        pass.nameservers(&contents, &targets);
        pass.managed(&contents, &entries);
        let problems = pass.problems;
        if problems.refuse() {
            return Err(problems);
        }
        let soa = of_type(self.at_owner(&entries, self.origin.as_ref()), Rtype::SOA);
        let soa = place(soa.first().map_or_else(At::default, |entry| entry.at));
        Ok((Draft { contents, soa, dropped: self.dropped }, problems))
    }

    /// Takes a record that the draft is not to have, but that is part of the zone that came, as its digest covers it.
    pub(super) fn set_aside(&mut self, owner: NameRef<'_>, ttl: Ttl, rtype: Rtype, rdata: &[u8]) {
        let entry = self.place(owner, ttl, rtype, rdata, At::default());
        self.aside.extend(entry);
    }

    /// Compares everything that came, what was set aside included, with the zone's ZONEMD records.
    pub(super) fn verify_zonemd(&self) -> Result<zonemd::Verdict, zonemd::Mismatch> {
        let all = || self.entries.iter().chain(&self.aside);
        let at_apex = |rtype: Rtype| {
            all().filter(move |entry| entry.rtype == rtype && self.owner(entry) == self.origin.as_ref())
        };
        let timers = at_apex(Rtype::SOA).find_map(|soa| SoaTimers::read(self.rdata(soa)));
        let serial = Serial(timers.map_or(0, |timers| timers.serial));
        let rdatas = at_apex(Rtype::ZONEMD).map(|entry| self.rdata(entry));
        zonemd::judge(serial, rdatas, |hash| {
            let mut entries: Vec<&Entry> = all().collect();
            let order = |a: &Entry, b: &Entry| self.by_owner(a, b).then_with(|| a.rtype.cmp(&b.rtype));
            entries.sort_by(|a, b| order(a, b));
            let mut collation = zonemd::Collation::new(self.origin.as_ref(), hash);
            for records in entries.chunk_by(|a, b| order(a, b).is_eq()) {
                collation.owner(self.owner(records[0]));
                let mut rdatas: Vec<_> =
                    records.iter().map(|entry| (self.ttl(entry), self.rdata(entry))).collect();
                collation.records(records[0].rtype, &mut rdatas);
            }
            collation.finish()
        })
    }

    /// The records at `owner` among all, which are sorted.
    fn at_owner<'e>(&self, entries: &'e [Entry], owner: NameRef<'_>) -> &'e [Entry] {
        let key = Key::of(owner, self.origin.len());
        let start = entries.partition_point(|entry| self.key(entry) < &key[..]);
        let end = entries.partition_point(|entry| self.key(entry) <= &key[..]);
        &entries[start..end]
    }

    /// By owner in canonical order, then by type.
    fn sort(&self, entries: &mut [Entry]) {
        // The owners of a file are mostly in order already, which this sort takes advantage of. Types are not.
        entries.sort_by(|a, b| self.by_owner(a, b));
        for owner in entries.chunk_by_mut(|a, b| self.by_owner(a, b).is_eq()) {
            owner.sort_by_key(|entry| entry.rtype);
        }
    }

    fn by_owner(&self, a: &Entry, b: &Entry) -> Ordering {
        let by_key = || if a.owner == b.owner { Ordering::Equal } else { self.key(a).cmp(self.key(b)) };
        a.prefix.cmp(&b.prefix).then_with(by_key)
    }

    fn key(&self, entry: &Entry) -> &[u8] {
        let at = entry.owner as usize;
        let length = usize::from(u16::from_le_bytes([self.arena[at], self.arena[at + 1]]));
        &self.arena[at + 3..at + 3 + length]
    }

    fn owner(&self, entry: &Entry) -> NameRef<'_> {
        let at = entry.owner as usize;
        let key = usize::from(u16::from_le_bytes([self.arena[at], self.arena[at + 1]]));
        let start = at + 3 + key;
        NameRef::assume_valid(&self.arena[start..start + usize::from(self.arena[at + 2])])
    }

    fn ttl(&self, entry: &Entry) -> Ttl {
        let at = entry.data as usize;
        let a = &self.arena[at..at + 4];
        Ttl(u32::from_le_bytes([a[0], a[1], a[2], a[3]]))
    }

    fn rdata(&self, entry: &Entry) -> &[u8] {
        let at = entry.data as usize;
        let length = usize::from(u16::from_le_bytes([self.arena[at + 4], self.arena[at + 5]]));
        &self.arena[at + 6..at + 6 + length]
    }

    /// Puts a record into the arena, if there is room.
    fn place(&mut self, owner: NameRef<'_>, ttl: Ttl, rtype: Rtype, rdata: &[u8], at: At) -> Option<Entry> {
        if self.arena.len() + MAX_OWNER + 6 + rdata.len() > self.room {
            self.beyond.get_or_insert(at);
            return None;
        }
        let (owner, prefix) = self.place_owner(owner);
        let data = self.arena.len() as u32;
        self.arena.extend_from_slice(&ttl.0.to_le_bytes());
        self.arena.extend_from_slice(&(rdata.len() as u16).to_le_bytes());
        self.arena.extend_from_slice(rdata);
        Some(Entry { prefix, owner, data, at, rtype })
    }

    /// Where `owner` stands in the arena; records of one owner mostly follow each other.
    fn place_owner(&mut self, owner: NameRef<'_>) -> (u32, u64) {
        if let Some(last) = self.last_owner {
            let entry = Entry { prefix: 0, owner: last, data: 0, at: At::default(), rtype: Rtype(0) };
            if self.owner(&entry) == owner {
                return (last, prefix(self.key(&entry)));
            }
        }
        let at = self.arena.len() as u32;
        let key = Key::of(owner, self.origin.len());
        self.arena.extend_from_slice(&(key.len() as u16).to_le_bytes());
        self.arena.push(owner.wire().len() as u8);
        self.arena.extend_from_slice(&key[..]);
        self.arena.extend_from_slice(owner.wire());
        self.last_owner = Some(at);
        (at, prefix(&key))
    }
}

impl Sink for DraftBuilder {
    fn record(&mut self, owner: NameRef<'_>, ttl: Ttl, rtype: Rtype, rdata: &[u8], at: At) {
        if !owner.is_at_or_below(self.origin.as_ref()) {
            self.outside_count += 1;
            if self.outside.len() < crate::dns::problem::MAX_PROBLEMS {
                self.outside.push((owner.to_owned(), at));
            }
            return;
        }
        if self.presigned == Presigned::Drop && rtype.is_signers_own() {
            self.dropped += 1;
            return;
        }
        let entry = self.place(owner, ttl, rtype, rdata, at);
        self.entries.extend(entry);
    }
}

fn prefix(key: &[u8]) -> u64 {
    let mut first = [0; 8];
    let length = key.len().min(8);
    first[..length].copy_from_slice(&key[..length]);
    u64::from_be_bytes(first)
}

/// The one pass over the sorted records.
struct Pass<'b, P> {
    input: &'b DraftBuilder,
    managed: &'b ManagedRrsets,
    place: &'b P,
    problems: Problems,
    builder: NodeBuilder,
    rdatas: Vec<(&'b [u8], At)>,
    /// The delegation or DNAME that the names at hand may lie below.
    cut: Option<(NameRef<'b>, Cut)>,
    /// Who names nameservers inside the zone, and which.
    targets: Vec<(NameRef<'b>, NameRef<'b>, At)>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Cut {
    Delegation,
    Dname,
}

impl<'b, P: Fn(At) -> Place> Pass<'b, P> {
    fn error(&mut self, at: At, what: impl std::fmt::Display) {
        self.problems.push(Problem::error((self.place)(at), what));
    }

    fn warning(&mut self, at: At, what: impl std::fmt::Display) {
        self.problems.push(Problem::warning((self.place)(at), what));
    }

    /// Checks all records of one owner and makes its node.
    fn node(&mut self, entries: &'b [Entry]) -> Option<Node> {
        let input = self.input;
        let first = entries.first()?;
        let owner = input.owner(first);
        let at_apex = owner == input.origin.as_ref();
        self.check_place(owner, at_apex, entries);
        self.check_company(owner, at_apex, entries);
        self.builder.start(owner);
        let signatures = of_type(entries, Rtype::RRSIG);
        let mut rest = entries;
        while let Some(first) = rest.first() {
            let rtype = first.rtype;
            let (same, others) = rest.split_at(rest.iter().take_while(|entry| entry.rtype == rtype).count());
            rest = others;
            if rtype == Rtype::RRSIG {
                continue;
            }
            self.rrset(owner, rtype, same);
            let mut size = 0;
            for signature in signatures {
                let rdata = input.rdata(signature);
                if rdata.starts_with(&rtype.0.to_be_bytes()) {
                    size += rdata.len() + RECORD_HEAD + 2;
                    if size > MAX_RRSET {
                        self.too_large(signature.at, Rtype::RRSIG, owner, size);
                        break;
                    }
                    self.builder.signature(input.ttl(signature), rdata);
                }
            }
        }
        for signature in signatures {
            let covered =
                input.rdata(signature).first_chunk().map(|&covered| Rtype(u16::from_be_bytes(covered)));
            if let Some(covered) = covered
                && of_type(entries, covered).is_empty()
            {
                self.warning(
                    signature.at,
                    format_args!("RRSIG covers {covered}, of which {owner} has none; left out"),
                );
            }
        }
        self.builder.finish()
    }

    /// Adds the records of one type.
    fn rrset(&mut self, owner: NameRef<'b>, rtype: Rtype, entries: &'b [Entry]) {
        let input = self.input;
        let ttl = entries.iter().map(|entry| input.ttl(entry)).min().unwrap_or_default();
        if let Some(entry) = entries.iter().find(|entry| input.ttl(entry) != ttl) {
            let other = input.ttl(entry);
            self.warning(
                entry.at,
                format_args!(
                    "TTL {other} differs within the {rtype} RRset of {owner}, expected one TTL; {ttl} is used"
                ),
            );
        }
        self.rdatas.clear();
        self.rdatas.extend(entries.iter().map(|entry| (input.rdata(entry), entry.at)));
        canonical_order(rtype, &mut self.rdatas, |(rdata, _)| rdata);
        self.rdatas.dedup_by(|(a, _), (b, _)| rdata::same(rtype, a, b));
        if self.rdatas.len() > 1
            && matches!(rtype, Rtype::SOA | Rtype::CNAME | Rtype::DNAME)
            && let Some(at) = self.rdatas.iter().map(|(_, at)| *at).max_by_key(|at| (at.file, at.line))
        {
            let rule = match rtype {
                Rtype::SOA => "RFC 1035 §5.2",
                Rtype::CNAME => "RFC 1034 §3.6.2",
                _ => "RFC 6672 §2.4",
            };
            self.error(at, format_args!("second {rtype} at {owner}, expected exactly one ({rule})"));
        }
        let refused = self.rdatas.iter().find(|(rdata, _)| rdata::is_refused_by_bind(rtype, rdata));
        if let Some(at) = refused.map(|(_, at)| *at) {
            self.warning(
                at,
                format_args!("{rtype} at {owner} has no key: BIND refuses the transfer of a zone with it"),
            );
        }
        let size: usize = self.rdatas.iter().map(|(rdata, _)| rdata.len() + RECORD_HEAD + 2).sum();
        if size > MAX_RRSET {
            self.too_large(entries[0].at, rtype, owner, size);
            return;
        }
        self.builder.begin(rtype);
        for (rdata, _) in &self.rdatas {
            self.builder.record(ttl, rdata);
        }
        if rtype == Rtype::NS {
            for &(rdata, at) in &self.rdatas {
                if let Ok(target) = NameRef::from_wire(rdata)
                    && target.is_at_or_below(input.origin.as_ref())
                {
                    self.targets.push((owner, target, at));
                }
            }
        }
    }

    fn too_large(&mut self, at: At, rtype: Rtype, owner: NameRef<'_>, size: usize) {
        self.error(
            at,
            format_args!(
                "{rtype} RRset of {owner} has {size} octets, expected at most {MAX_RRSET}: no message holds more with signatures"
            ),
        );
    }

    /// Rules about where a name stands: below a DNAME, below a delegation.
    fn check_place(&mut self, owner: NameRef<'b>, at_apex: bool, entries: &'b [Entry]) {
        let above = self.cut.filter(|(cut, _)| owner.is_at_or_below(*cut));
        match above {
            Some((dname, Cut::Dname)) => {
                if !entries.iter().all(|entry| matches!(entry.rtype, Rtype::NSEC3 | Rtype::RRSIG)) {
                    self.error(
                        entries[0].at,
                        format_args!(
                            "{owner} lies below the DNAME at {dname}, expected no data there (RFC 6672 §2.4)"
                        ),
                    );
                }
            }
            Some((cut, Cut::Delegation)) => {
                if let Some(entry) = entries.iter().find(|entry| !is_glue(entry.rtype)) {
                    self.warning(
                        entry.at,
                        format_args!("{} at {owner} is hidden below the delegation of {cut}", entry.rtype),
                    );
                }
            }
            None => {
                let delegates = !at_apex && !of_type(entries, Rtype::NS).is_empty();
                self.cut = if delegates {
                    Some((owner, Cut::Delegation))
                } else {
                    (!of_type(entries, Rtype::DNAME).is_empty()).then_some((owner, Cut::Dname))
                };
            }
        }
    }

    /// Rules about which types may stand together.
    fn check_company(&mut self, owner: NameRef<'b>, at_apex: bool, entries: &'b [Entry]) {
        let has = |rtype| of_type(entries, rtype).first();
        if has(Rtype::CNAME).is_some()
            && let Some(other) = entries.iter().find(|entry| !goes_with_cname(entry.rtype))
        {
            let rtype = other.rtype;
            self.error(
                other.at,
                format_args!("{rtype} beside the CNAME at {owner}, expected no other data (RFC 1034 §3.6.2)"),
            );
        }
        if let Some(soa) = has(Rtype::SOA)
            && !at_apex
        {
            self.error(
                soa.at,
                format_args!("SOA at {owner}, expected one at the apex {} only", self.input.origin),
            );
        }
        if let Some(ns) = has(Rtype::NS)
            && is_wildcard(owner)
        {
            self.error(
                ns.at,
                format_args!("NS at the wildcard {owner}, expected none: it has no meaning (RFC 4592 §4.2)"),
            );
        }
        if let (Some(dname), Some(_)) = (has(Rtype::DNAME), has(Rtype::NS))
            && !at_apex
        {
            self.error(
                dname.at,
                format_args!("DNAME beside NS at {owner}, expected that at the apex only (RFC 6672 §2.3)"),
            );
        }
        if let Some(ds) = has(Rtype::DS)
            && (at_apex || has(Rtype::NS).is_none())
        {
            self.error(
                ds.at,
                format_args!("DS at {owner}, which is no delegation, expected NS records beside it"),
            );
        }
        if let Some(entry) = entries.iter().find(|entry| self.managed.contains(owner, entry.rtype)) {
            let rtype = entry.rtype;
            self.error(
                entry.at,
                format_args!(
                    "{rtype} at {owner}, whose {rtype} records danelaw makes; expected none in the file"
                ),
            );
        }
        if let Some(entry) = entries.iter().find(|entry| entry.rtype.is_meta()) {
            self.error(
                entry.at,
                format_args!("{} is a type for queries only, expected a data type", entry.rtype),
            );
        }
        if has(Rtype::NSEC3).is_some()
            && let Some(other) =
                entries.iter().find(|entry| !matches!(entry.rtype, Rtype::NSEC3 | Rtype::RRSIG))
        {
            self.error(
                other.at,
                format_args!("{} at the NSEC3 owner {owner}, expected no other data", other.rtype),
            );
        }
    }

    /// SOA, and NS.
    fn apex(&mut self, contents: &Contents) {
        let origin = &self.input.origin;
        let apex = contents.apex();
        let soa = apex.and_then(|apex| apex.rrset(Rtype::SOA));
        let at = At::default();
        if soa.is_none() {
            self.error(at, format_args!("no SOA record at {origin}, expected exactly one"));
        }
        if !apex.is_some_and(|apex| apex.has(Rtype::NS)) {
            self.error(at, format_args!("no NS record at {origin}, expected at least one"));
        }
    }

    /// Nobody would ask this zone for what lies below a delegation or a DNAME, and nothing goes with a CNAME.
    fn managed(&mut self, contents: &Contents, entries: &[Entry]) {
        let place = |owner: NameRef<'_>, types: &[Rtype]| {
            let here = self.input.at_owner(entries, owner);
            let of_these = here.iter().find(|entry| types.contains(&entry.rtype));
            of_these.map_or_else(At::default, |entry| entry.at)
        };
        // What a nameserver signals goes where its name is delegated to.
        let fixed = |(owner, rtype): &(&Name, Rtype)| {
            !(signal::is_name(owner.as_ref()) && matches!(*rtype, Rtype::CDS | Rtype::CDNSKEY))
        };
        let mut wrong = Vec::new();
        for (owner, rtype) in self.managed.iter().filter(fixed) {
            if let Some(cut) = contents.cut_above(owner.as_ref()).map(Node::owner) {
                let what = format!(
                    "{cut} hides {owner}, whose {rtype} records danelaw makes; expected no delegation or DNAME above it"
                );
                wrong.push((place(cut, &[Rtype::NS, Rtype::DNAME]), what));
            }
            if contents.nodes.get(owner.as_ref()).is_some_and(|node| node.has(Rtype::CNAME)) {
                let what =
                    format!("CNAME at {owner}, whose {rtype} records danelaw makes; expected no alias there");
                wrong.push((place(owner.as_ref(), &[Rtype::CNAME]), what));
            }
        }
        for (at, what) in wrong {
            self.error(at, what);
        }
    }

    /// Nameservers inside the zone need their addresses, and cannot be aliases.
    fn nameservers(&mut self, contents: &Contents, targets: &[(NameRef<'b>, NameRef<'b>, At)]) {
        for &(owner, target, at) in targets {
            let node = contents.nodes.get(target);
            let at_apex = owner == self.input.origin.as_ref();
            // A name below another delegation is for that zone to answer.
            let occluded = contents.cut_above(target).is_some();
            let ours = !occluded || !at_apex && target.is_at_or_below(owner);
            let wildcard = || contents.wildcard_for(target).filter(|_| !occluded);
            if !ours || node.or_else(wildcard).is_some_and(has_address) {
                continue;
            }
            let named = if at_apex { "has the nameserver" } else { "is delegated to" };
            if node.is_some_and(|node| node.has(Rtype::CNAME)) {
                self.warning(
                    at,
                    format_args!("{owner} {named} {target}, which is an alias; expected a name that has A or AAAA (RFC 2181 §10.3)"),
                );
            } else {
                self.warning(
                    at,
                    format_args!("{owner} {named} {target}, which has no address here; expected A or AAAA"),
                );
            }
        }
    }
}

/// The largest RRset, in octets as in a message. No message has more than 65,535 (RFC 1035 §4.2.2); header, question,
/// OPT and TSIG, RRSIG records of two keys, and the proof that a wildcard stands for a name have to find room beside it.
pub(super) const MAX_RRSET: usize = 65_535 - 4_096;

/// The most that offsets into the arena can tell.
const ROOM: usize = u32::MAX as usize;

/// The most that an owner takes in the arena: its length, its wire form, and its key, of up to two symbols an octet.
const MAX_OWNER: usize = 3 + 3 * 255;

/// Whether the leftmost label is an asterisk (RFC 4592 §2.1.1).
pub(super) fn is_wildcard(owner: NameRef<'_>) -> bool {
    owner.wire().starts_with(b"\x01*")
}

fn has_address(node: &Node) -> bool {
    node.has(Rtype::A) || node.has(Rtype::AAAA)
}

fn of_type(entries: &[Entry], rtype: Rtype) -> &[Entry] {
    let start = entries.partition_point(|entry| entry.rtype < rtype);
    let end = entries.partition_point(|entry| entry.rtype <= rtype);
    &entries[start..end]
}

/// Whether it may stand beside a CNAME record.
pub(super) fn goes_with_cname(rtype: Rtype) -> bool {
    // RFC 4034 §3 and §4, RFC 2181 §10.1, RFC 3007 §3.1.1.
    matches!(rtype, Rtype::CNAME | Rtype::RRSIG | Rtype::NSEC | Rtype::KEY)
}

fn is_glue(rtype: Rtype) -> bool {
    matches!(rtype, Rtype::A | Rtype::AAAA | Rtype::RRSIG | Rtype::NSEC3)
}

#[cfg(test)]
mod tests;
