//! The three sections of a response to a query (RFC 1034 §4.3.2, RFC 4035 §3.1).
//!
//! What does not fit sets TC, records in the additional section excepted: those are left out, save the glue
//! without which a referral leads nowhere (RFC 9471 §3).

use super::denial::Proofs;
use super::find::{Found, find};
use super::hashes::Hashes;
use super::rate::Kind;
use super::zones::{Zone, Zones};
use crate::dns::message::{Full, HEADER, Owner, Question, Rcode, Reader, Section, Writer, flag};
use crate::dns::name::{Key, NameBuf, NameRef};
use crate::dns::rtype::{CLASS_IN, Rtype};
use crate::zone::{Descent, Node, RrsetRef, Snapshot, Standing};

/// How many CNAME and DNAME records are followed through the zones served here. Resolvers give up at about as many.
pub(super) const MAX_ALIASES: usize = 11;
/// What a client needs of a host.
const ADDRESSES: [Rtype; 2] = [Rtype::A, Rtype::AAAA];
/// For how many records of an RRset addresses are looked up.
const MAX_TARGETS: usize = 32;

/// Writes all sections for `question`, which `zone` of `zones` encloses, and says what they amount to. With
/// `minimal`, one RRset is enough for QTYPE ANY and RRSIG (RFC 8482 §4.1).
pub(super) fn answer(
    writer: &mut Writer<'_>,
    zones: &Zones,
    zone: &Snapshot,
    question: &Question<'_>,
    dnssec_ok: bool,
    minimal: bool,
    Scratch { key, hashes }: &mut Scratch,
) -> Kind {
    // The question is at or below the apex. A pointer to the root would be longer than the root.
    let apex = zone.origin().as_ref();
    let apex_at = HEADER + question.name.wire().len() - apex.wire().len();
    let apex_at = (!apex.is_root()).then_some(apex_at as u16);
    let mut response = Response {
        writer,
        zones,
        zone,
        apex_at,
        rtype: question.rtype,
        dnssec_ok,
        minimal,
        key,
        proofs: Proofs::new(zone, apex_at, hashes),
        answered: None,
        dnames: [None; MAX_ALIASES + 1],
        kind: Kind::Answer,
    };
    if response.sections(question.name).is_err() {
        response.writer.set(flag::TC);
    }
    response.kind
}

/// What is used for answer after answer, so that making it costs none of them.
#[derive(Default)]
pub(super) struct Scratch {
    /// Of the name that is being looked at.
    key: Key,
    hashes: Hashes,
}

struct Response<'r, 'w, 'z> {
    writer: &'r mut Writer<'w>,
    zones: &'z Zones,
    /// The zone of the name that is being looked at.
    zone: &'z Snapshot,
    /// Where its apex's name is in the message, if that is known.
    apex_at: Option<u16>,
    rtype: Rtype,
    dnssec_ok: bool,
    minimal: bool,
    key: &'r mut Key,
    proofs: Proofs<'r, 'z>,
    /// The RRset that answers, whose targets' addresses may be added, and the node it is from.
    answered: Option<(&'z Node, RrsetRef<'z>)>,
    /// The DNAME records written; a name may pass the same one again.
    dnames: [Option<&'z Node>; MAX_ALIASES + 1],
    /// What the response amounts to, as far as it has come.
    kind: Kind,
}

/// How the answer section ended.
enum End<'z> {
    /// With what was asked for, or with an alias that leads to a zone of others, in a circle or too far.
    Answered,
    /// At the delegation to those who know.
    Referral(&'z Node),
    /// At a name without such records.
    NoData,
    /// At a name that does not exist.
    NoName,
    /// At a name too long to be one (RFC 6672 §2.2).
    TooLong,
}

/// What one name contributed.
#[allow(clippy::large_enum_variant, reason = "lives on the stack for a moment; a box would allocate")]
enum Step<'z> {
    End(End<'z>),
    /// It is an alias for this one; the CNAME record starts here in the message.
    Alias(NameBuf, usize),
}

/// What a node contributed.
enum Taken<'z> {
    /// Records of the type asked for.
    Records,
    /// A CNAME, for this name.
    Alias(NameRef<'z>),
    /// Nothing.
    Nothing,
}

impl<'r, 'z> Response<'r, '_, 'z> {
    fn sections(&mut self, name: NameRef<'_>) -> Result<(), Full> {
        self.writer.set(flag::AA);
        let (end, aliases) = self.answer_section(name)?;
        if aliases == 0 && matches!(end, End::Referral(_)) {
            self.writer.clear(flag::AA);
        }
        self.writer.begin(Section::Authority);
        match end {
            End::Answered => {}
            End::TooLong => self.writer.set_rcode(Rcode::YXDOMAIN),
            End::Referral(cut) => {
                self.kind = Kind::Referral;
                return self.referral(cut);
            }
            End::NoData => {
                self.kind = Kind::NoData;
                self.soa()?;
            }
            End::NoName => {
                self.kind = Kind::NoName;
                self.writer.set_rcode(Rcode::NXDOMAIN);
                self.soa()?;
            }
        }
        self.proofs.write(self.writer)?;
        self.writer.begin(Section::Additional);
        // Nobody waits for these: what does not fit is left out.
        let _ = self.targets();
        Ok(())
    }

    /// Answers for `asked` and for what it is an alias of; says how many aliases there were.
    fn answer_section(&mut self, asked: NameRef<'_>) -> Result<(End<'z>, usize), Full> {
        // The question's name needs no search for a pointer.
        let (mut alias, mut alias_at) = match self.step(asked, Owner::At(HEADER as u16))? {
            Step::End(end) => return Ok((end, 0)),
            Step::Alias(alias, at) => (alias, at),
        };
        let mut seen = [0; MAX_ALIASES];
        for aliases in 0..MAX_ALIASES {
            seen[aliases] = alias_at;
            let name = alias.as_ref();
            let circular = seen[..=aliases].iter().any(|&at| self.owner_is(at, name));
            if circular || !self.enter(name) {
                return Ok((End::Answered, aliases + 1));
            }
            match self.step(name, Owner::Name(name))? {
                Step::End(end) => return Ok((end, aliases + 1)),
                Step::Alias(next, at) => (alias, alias_at) = (next, at),
            }
        }
        Ok((End::Answered, MAX_ALIASES))
    }

    /// Turns to the zone that encloses `name`; `false` if no version of any is served here.
    fn enter(&mut self, name: NameRef<'_>) -> bool {
        // An alias that leads into a private zone opens it to nobody.
        let zone = self.zones.responsible(name, self.rtype).filter(|zone| !zone.access().is_private());
        let zone = zone.and_then(Zone::snapshot);
        if let Some(zone) = zone {
            self.zone = zone;
            self.apex_at = None;
            self.proofs.enter(zone);
        }
        zone.is_some()
    }

    fn step(&mut self, name: NameRef<'_>, owner: Owner<'_>) -> Result<Step<'z>, Full> {
        let at = self.writer.written().len();
        let end = match find(self.zone, name, self.rtype, self.key) {
            Found::Delegation(cut) => End::Referral(cut),
            Found::Dname(node) => return self.dname(node, name, owner),
            Found::EmptyNonTerminal => {
                self.prove(|proofs| proofs.no_data(name, None));
                End::NoData
            }
            Found::Nothing { encloser } => {
                self.prove(|proofs| proofs.no_name(name, encloser));
                End::NoName
            }
            Found::Name(node) => match self.take(node, owner)? {
                Taken::Records => End::Answered,
                Taken::Alias(target) => return Ok(Step::Alias(buffer(target), at)),
                Taken::Nothing => {
                    self.prove(|proofs| proofs.no_data(name, Some(node)));
                    End::NoData
                }
            },
            Found::Wildcard { node, encloser } => {
                let taken = node.map_or(Ok(Taken::Nothing), |node| self.take(node, owner))?;
                if let Taken::Nothing = taken {
                    self.prove(|proofs| proofs.wildcard_no_data(name, encloser, node));
                    return Ok(Step::End(End::NoData));
                }
                self.kind = Kind::Wildcard;
                self.prove(|proofs| proofs.wildcard_answer(name, encloser));
                match taken {
                    Taken::Alias(target) => return Ok(Step::Alias(buffer(target), at)),
                    Taken::Records | Taken::Nothing => End::Answered,
                }
            }
        };
        Ok(Step::End(end))
    }

    /// Writes what `node` has of the type asked for, or else its CNAME.
    fn take(&mut self, node: &'z Node, owner: Owner<'_>) -> Result<Taken<'z>, Full> {
        if matches!(self.rtype, Rtype::ANY | Rtype::RRSIG) {
            return self.take_several(node, owner);
        }
        if let Some(rrset) = node.rrset(self.rtype) {
            self.rrset(owner, rrset)?;
            self.answered = Some((node, rrset));
            return Ok(Taken::Records);
        }
        let Some(cname) = node.rrset(Rtype::CNAME) else { return Ok(Taken::Nothing) };
        self.rrset(owner, cname)?;
        Ok(NameRef::from_wire(cname.first()).map_or(Taken::Records, Taken::Alias))
    }

    /// Answers ANY with RRsets, RRSIG with signatures: all of them, or as RFC 8482 §4.1 and §7 allow, of one.
    fn take_several(&mut self, node: &'z Node, owner: Owner<'_>) -> Result<Taken<'z>, Full> {
        let mut taken = Taken::Nothing;
        for rrset in node.rrsets() {
            if self.rtype == Rtype::ANY {
                self.rrset(owner, rrset)?;
            } else if rrset.signature_count > 0 {
                self.writer.records(owner, rrset.signatures)?;
            } else {
                continue;
            }
            taken = Taken::Records;
            if self.minimal {
                break;
            }
        }
        Ok(taken)
    }

    /// Writes a DNAME record and the CNAME record that it makes of `name` (RFC 6672 §3.1).
    fn dname(&mut self, node: &'z Node, name: NameRef<'_>, owner: Owner<'_>) -> Result<Step<'z>, Full> {
        let Some(dname) = node.rrset(Rtype::DNAME) else { return Ok(Step::End(End::NoData)) };
        let target = NameRef::from_wire(dname.first()).unwrap_or(NameRef::ROOT);
        self.kind = Kind::Wildcard;
        if let Some(place) = self.dnames.iter_mut().find(|place| place.is_none_or(|known| known.is(node)))
            && place.is_none()
        {
            *place = Some(node);
            self.rrset(Owner::Name(node.owner()), dname)?;
        }
        let Ok(alias) = substitute(name, node.owner(), target) else { return Ok(Step::End(End::TooLong)) };
        let at = self.writer.written().len();
        let mut cname = [0; 10 + crate::dns::name::MAX_NAME];
        let wire = alias.as_ref().wire();
        cname[..2].copy_from_slice(&Rtype::CNAME.0.to_be_bytes());
        cname[2..4].copy_from_slice(&CLASS_IN.to_be_bytes());
        cname[4..8].copy_from_slice(&dname.ttl().0.to_be_bytes());
        cname[8..10].copy_from_slice(&(wire.len() as u16).to_be_bytes());
        cname[10..10 + wire.len()].copy_from_slice(wire);
        self.writer.records(owner, &cname[..10 + wire.len()])?;
        if matches!(self.rtype, Rtype::CNAME | Rtype::ANY) {
            return Ok(Step::End(End::Answered));
        }
        Ok(Step::Alias(alias, at))
    }

    /// SOA with the negative TTL (RFC 2308 §3).
    fn soa(&mut self) -> Result<(), Full> {
        if let Some(apex) = self.apex_at {
            return self.writer.prepared(self.zone.negative_soa(self.dnssec_ok), apex);
        }
        let Some(soa) = self.zone.soa() else { return Ok(()) };
        let apex = Owner::Name(self.zone.origin().as_ref());
        self.writer.records_with_ttl(apex, self.wanted(soa), self.zone.negative_ttl()).map(|_| ())
    }

    /// NS, and DS or the proof that there is none; then the addresses.
    fn referral(&mut self, cut: &'z Node) -> Result<(), Full> {
        let Some(ns) = cut.rrset(Rtype::NS) else { return Ok(()) };
        self.writer.records(Owner::Name(cut.owner()), ns.records)?;
        // RFC 4035 §3.1 is about signed zones: nobody could check the DS records of another.
        if let Some(ds) = cut.rrset(Rtype::DS).filter(|ds| self.dnssec_ok && ds.signature_count > 0) {
            self.rrset(Owner::Name(cut.owner()), ds)?;
        } else {
            self.prove(|proofs| proofs.no_data(cut.owner(), Some(cut)));
        }
        self.proofs.write(self.writer)?;
        self.writer.begin(Section::Additional);
        let targets = || ns.rdatas().filter_map(|rdata| NameRef::from_wire(rdata).ok());
        let needed = |target: &NameRef<'_>| target.is_at_or_below(cut.owner());
        for target in targets().filter(needed) {
            self.known(target, &ADDRESSES)?;
        }
        for target in targets().filter(|target| !needed(target)).take(MAX_TARGETS) {
            if self.known(target, &ADDRESSES).is_err() {
                break;
            }
        }
        Ok(())
    }

    /// What clients ask next of the names that the answer's records point to: addresses, and where a binding is an
    /// alias, bindings (RFC 9460 §4.1).
    fn targets(&mut self) -> Result<(), Full> {
        let Some((node, rrset)) = self.answered else { return Ok(()) };
        if !has_target(rrset.rtype) {
            return Ok(());
        }
        // RFC 9460 §2.5.2: "." is the owner itself; a wildcard's name is not the one that was asked for.
        let itself = (!node.owner().is_wildcard()).then(|| node.owner());
        let bindings = matches!(rrset.rtype, Rtype::SVCB | Rtype::HTTPS);
        let named = |rdata| match target(rrset.rtype, rdata) {
            Some(target) if target.is_root() && bindings => itself,
            other => other,
        };
        for (index, rdata) in rrset.rdatas().take(MAX_TARGETS).enumerate() {
            let Some(target) = named(rdata) else { continue };
            if rrset.rdatas().take(index).any(|rdata| named(rdata) == Some(target)) {
                continue;
            }
            // SvcPriority 0 is AliasMode.
            let alias = bindings && rdata.starts_with(&[0, 0]) && target != node.owner();
            if alias && self.zone.covers(target) && self.zone.standing(target) == Standing::Authoritative {
                self.known(target, &[rrset.rtype])?;
            }
            self.known(target, &ADDRESSES)?;
        }
        Ok(())
    }

    /// The RRsets of these types that the zone has for `name`, be they glue.
    fn known(&mut self, name: NameRef<'_>, rtypes: &[Rtype]) -> Result<(), Full> {
        if !self.zone.covers(name) {
            return Ok(());
        }
        let nodes = &self.zone.nodes;
        let hidden = |node: &Node| node.has(Rtype::DNAME);
        self.key.set(name, nodes.apex_length());
        if let Descent::Found(node) = nodes.descend(self.key, Some(name), hidden) {
            for rrset in rtypes.iter().filter_map(|&rtype| node.rrset(rtype)) {
                self.rrset(Owner::Name(node.owner()), rrset)?;
            }
        }
        Ok(())
    }

    /// Writes an RRset, with its signatures if they are wanted: both or neither (RFC 4035 §3.1.1).
    fn rrset(&mut self, owner: Owner<'_>, rrset: RrsetRef<'_>) -> Result<(), Full> {
        self.writer.records(owner, self.wanted(rrset)).map(|_| ())
    }

    /// The records, and their signatures if the client wants them.
    fn wanted<'n>(&self, rrset: RrsetRef<'n>) -> &'n [u8] {
        if self.dnssec_ok { rrset.signed } else { rrset.records }
    }

    fn prove(&mut self, proof: impl FnOnce(&mut Proofs<'r, 'z>)) {
        if self.dnssec_ok {
            proof(&mut self.proofs);
        }
    }

    /// Whether the record at `at` in the message is owned by `name`.
    fn owner_is(&self, at: usize, name: NameRef<'_>) -> bool {
        Reader::new(self.writer.written(), at).name().is_ok_and(|owner| owner.as_ref() == name)
    }
}

fn buffer(name: NameRef<'_>) -> NameBuf {
    let mut buffer = NameBuf::default();
    // A whole name fits into an empty buffer.
    let _ = buffer.finish(Some(name));
    buffer
}

/// `name` with its end `from` replaced by `to`.
fn substitute(
    name: NameRef<'_>,
    from: NameRef<'_>,
    to: NameRef<'_>,
) -> Result<NameBuf, crate::dns::name::NameError> {
    let mut alias = NameBuf::default();
    for label in name.labels().take(name.label_count() - from.label_count()) {
        alias.push_label(label)?;
    }
    alias.finish(Some(to))?;
    Ok(alias)
}

fn has_target(rtype: Rtype) -> bool {
    matches!(rtype, Rtype::NS | Rtype::MX | Rtype::SRV | Rtype::SVCB | Rtype::HTTPS)
}

/// The name whose addresses a client will want next (RFC 1035 §3.3, RFC 2782, RFC 9460 §4.1).
fn target(rtype: Rtype, rdata: &[u8]) -> Option<NameRef<'_>> {
    let start = match rtype {
        Rtype::NS => 0,
        // In AliasMode there are no parameters, and "." means that there is no service (RFC 9460 §2.5.1).
        Rtype::SVCB | Rtype::HTTPS if rdata == [0, 0, 0] => return None,
        Rtype::MX | Rtype::SVCB | Rtype::HTTPS => 2,
        Rtype::SRV => 6,
        _ => return None,
    };
    NameRef::from_wire(rdata.get(start..)?).ok()
}
