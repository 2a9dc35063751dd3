//! A zone as its file has it, before signing: the sink that the zone-file reader fills, and what is checked.
//!
//! Records are gathered in one arena and sorted once; a draft is built from them in a single pass, in which every
//! rule that concerns one owner or its ancestors is checked. All problems are reported, not just the first.

use std::collections::HashSet;

use super::contents::Contents;
use super::node::{Node, NodeBuilder, RECORD_HEAD, canonical_order};
use super::tree::Tree;
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
    last_owner: Option<u32>,
    dropped: usize,
    outside: Vec<(Name, At)>,
    outside_count: usize,
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
            last_owner: None,
            dropped: 0,
            outside: Vec::new(),
            outside_count: 0,
        }
    }

    /// The draft, and warnings; or everything that is wrong. `managed` are the owners whose TLSA records danelaw
    /// makes itself. `place` tells where a record stood.
    pub fn build(
        mut self,
        managed: &HashSet<Name>,
        place: impl Fn(At) -> Place,
    ) -> Result<(Draft, Problems), Problems> {
        let mut entries = std::mem::take(&mut self.entries);
        // Files are mostly in order already, which this sort takes advantage of.
        entries.sort_by(|a, b| {
            a.prefix
                .cmp(&b.prefix)
                .then_with(|| {
                    if a.owner == b.owner { std::cmp::Ordering::Equal } else { self.key(a).cmp(self.key(b)) }
                })
                .then_with(|| a.rtype.cmp(&b.rtype))
        });
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
        pass.glue(&contents, &targets);
        pass.managed(&contents);
        let problems = pass.problems;
        if problems.refuse() {
            Err(problems)
        } else {
            Ok((Draft { contents, dropped: self.dropped }, problems))
        }
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
        self.arena.extend((key.len() as u16).to_le_bytes());
        self.arena.push(owner.wire().len() as u8);
        self.arena.extend(&key[..]);
        self.arena.extend(owner.wire());
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
        let (owner, prefix) = self.place_owner(owner);
        let data = self.arena.len() as u32;
        self.arena.extend(ttl.0.to_le_bytes());
        self.arena.extend((rdata.len() as u16).to_le_bytes());
        self.arena.extend(rdata);
        self.entries.push(Entry { prefix, owner, data, at, rtype });
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
    managed: &'b HashSet<Name>,
    place: &'b P,
    problems: Problems,
    builder: NodeBuilder,
    rdatas: Vec<(&'b [u8], At)>,
    /// The delegation or DNAME that the names at hand may lie below.
    cut: Option<(NameRef<'b>, Cut)>,
    /// Delegations and the nameservers they name inside the zone.
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
        if let [_, (_, at), ..] = self.rdatas[..]
            && matches!(rtype, Rtype::CNAME | Rtype::DNAME)
        {
            self.error(
                at,
                format_args!("second {rtype} at {owner}, expected one (RFC 1034 §3.6.2, RFC 6672 §2.4)"),
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
        if rtype == Rtype::NS && owner != input.origin.as_ref() {
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
            format_args!("{rtype} RRset of {owner} has {size} octets, expected at most {MAX_RRSET}: no message holds it"),
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
        if let Some(ds) = has(Rtype::DS)
            && (at_apex || has(Rtype::NS).is_none())
        {
            self.error(
                ds.at,
                format_args!("DS at {owner}, which is no delegation, expected NS records beside it"),
            );
        }
        if let Some(tlsa) = has(Rtype::TLSA)
            && self.managed.contains(&owner.to_owned())
        {
            self.error(
                tlsa.at,
                format_args!("TLSA at {owner}, whose TLSA records danelaw makes for a service; expected none in the file"),
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

    /// Exactly one SOA, and NS.
    fn apex(&mut self, contents: &Contents) {
        let origin = &self.input.origin;
        let apex = contents.apex();
        let soa = apex.and_then(|apex| apex.rrset(Rtype::SOA));
        let at = At::default();
        match soa {
            None => self.error(at, format_args!("no SOA record at {origin}, expected exactly one")),
            Some(soa) if soa.count > 1 => {
                self.error(at, format_args!("{} SOA records at {origin}, expected exactly one", soa.count));
            }
            Some(_) => {}
        }
        if !apex.is_some_and(|apex| apex.has(Rtype::NS)) {
            self.error(at, format_args!("no NS record at {origin}, expected at least one"));
        }
    }

    /// Nobody would ask this zone for a TLSA record below a delegation or a DNAME.
    fn managed(&mut self, contents: &Contents) {
        for owner in self.managed {
            if let Some(cut) = contents.cut_above(owner.as_ref()) {
                let cut = cut.owner().to_owned();
                self.error(
                    At::default(),
                    format_args!("{cut} hides {owner}, whose TLSA records danelaw makes; expected no delegation or DNAME above it"),
                );
            }
        }
    }

    /// Delegations to nameservers inside the zone need their addresses.
    fn glue(&mut self, contents: &Contents, targets: &[(NameRef<'b>, NameRef<'b>, At)]) {
        for &(delegation, target, at) in targets {
            let addressed =
                contents.nodes.get(target).is_some_and(|node| node.has(Rtype::A) || node.has(Rtype::AAAA));
            // A name below another delegation is for that zone to answer.
            let ours = target.is_at_or_below(delegation) || contents.cut_above(target).is_none();
            if !addressed && ours {
                self.warning(
                    at,
                    format_args!("{delegation} is delegated to {target}, which has no address here; expected A or AAAA (glue)"),
                );
            }
        }
    }
}

/// The largest RRset that a message can hold, in octets (RFC 1035 §4.2.2).
pub(super) const MAX_RRSET: usize = 65_535;

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
