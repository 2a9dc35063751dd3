//! Whether a validator could follow danelaw's answer: signatures for what is said, and NSEC or NSEC3 records, no
//! more and no fewer, for what is not there (RFC 4035 §5.4, RFC 5155 §8, RFC 6840 §4).
//!
//! The records themselves are checked with the public keys when a zone is signed. Here it is about which of them a
//! response holds, judged from the response alone, as a validator does.

use danelaw::dns::name::NameRef;
use danelaw::dns::rtype::Rtype;
use data_encoding::BASE32_DNSSEC;

use super::compare::Case;
use super::model::{Model, Path, Place, path, wildcard};
use super::wire::{NXDOMAIN, Record, YXDOMAIN};

/// What is missing or too much in danelaw's response to a question with DO; nothing where it is sound.
pub(crate) fn flaw(case: &Case<'_>) -> Option<String> {
    if let Some(record) = unsigned(case) {
        return Some(format!("without a signature: {record}"));
    }
    let denials: Vec<&Record> = case
        .ours
        .authority
        .iter()
        .filter(|record| matches!(record.rtype, Rtype::NSEC | Rtype::NSEC3))
        .collect();
    if let Some(missing) = unproven(case, &denials) {
        return Some(missing);
    }
    let superfluous = denials.iter().find(|spare| {
        let rest: Vec<&Record> = denials.iter().filter(|record| record != spare).copied().collect();
        unproven(case, &rest).is_none()
    });
    superfluous.map(|record| format!("proves nothing: {record}"))
}

/// A record that should have a signature beside it.
fn unsigned<'c>(case: &'c Case<'_>) -> Option<&'c Record> {
    let reply = &case.ours;
    let synthesized = |record: &Record| {
        let below = |dname: &Record| {
            dname.rtype == Rtype::DNAME
                && record.owner != dname.owner
                && name(&record.owner).is_at_or_below(name(&dname.owner))
        };
        record.rtype == Rtype::CNAME && reply.answer.iter().any(below)
    };
    [&reply.answer, &reply.authority].into_iter().find_map(|section| {
        section.iter().find(|record| {
            let signed =
                |other: &Record| other.owner == record.owner && other.covered() == Some(record.rtype);
            let referral = record.rtype == Rtype::NS && std::ptr::eq(section, &raw const reply.authority);
            record.rtype != Rtype::RRSIG
                && !referral
                && !synthesized(record)
                && speaker(case, record).is_some_and(Model::is_signed)
                && !section.iter().any(signed)
        })
    })
}

/// The zone that a record is from.
fn speaker<'c>(case: &'c Case<'_>, record: &Record) -> Option<&'c Model> {
    let owner = path(&record.owner);
    let parental = matches!(record.rtype, Rtype::DS);
    let encloses = |model: &&Model| owner.starts_with(&model.origin) && !(parental && owner == model.origin);
    case.models.iter().filter(encloses).max_by_key(|model| model.origin.len())
}

/// What `denials` do not prove and should.
fn unproven(case: &Case<'_>, denials: &[&Record]) -> Option<String> {
    for record in case.ours.answer.iter().filter(|record| record.rtype == Rtype::RRSIG) {
        let owner = path(&record.owner);
        let labels = usize::from(record.rdata[3]);
        let literal = owner.len() - usize::from(owner.last().is_some_and(|label| label == b"*"));
        let Some(model) = speaker(case, record).filter(|_| labels < literal) else { continue };
        let proofs = Proofs::of(model, case, denials);
        if !proofs.no_closer(&owner, &owner[..labels]) {
            return Some(format!(
                "no proof that there is no closer name than the wildcard: {}",
                name(&record.owner)
            ));
        }
    }
    let passed = case.passed();
    let last = path(passed.last()?);
    let model = case.model(&last).filter(|model| model.is_signed())?;
    let proofs = Proofs::of(model, case, denials);
    let rtype = case.question.rtype;
    let answered = |record: &&Record| {
        path(&record.owner) == last
            && (record.rtype == rtype
                || record.rtype == Rtype::CNAME
                || matches!(rtype, Rtype::ANY | Rtype::RRSIG))
    };
    let referral = case.ours.authority.iter().find(|record| record.rtype == Rtype::NS);
    match case.ours.rcode {
        NXDOMAIN if !proofs.no_name(&last) => Some("no proof that there is no such name".to_owned()),
        NXDOMAIN | YXDOMAIN => None,
        _ if case.ours.answer.iter().any(|record| answered(&record)) => None,
        _ if let Some(ns) = referral => {
            let cut = path(&ns.owner);
            let has_ds = case.ours.authority.iter().any(|record| record.rtype == Rtype::DS);
            (!has_ds && !proofs.no_data(&cut, Rtype::DS))
                .then(|| "neither DS nor a proof that there is none".to_owned())
        }
        // An alias that was not followed to its end.
        _ if case.aliases_without_end(super::compare::MAX_ALIASES) => None,
        _ => (!proofs.no_data(&last, rtype)).then(|| "no proof that there is no such type".to_owned()),
    }
}

/// The records that a response brings to prove something of one zone.
struct Proofs<'p> {
    model: &'p Model,
    denials: Vec<&'p Record>,
}

/// What one NSEC record says.
struct Nsec {
    owner: Path,
    next: Path,
    types: Vec<u8>,
}

/// What one NSEC3 record says.
struct Nsec3 {
    hash: Vec<u8>,
    next: Vec<u8>,
    opt_out: bool,
    types: Vec<u8>,
}

impl<'p> Proofs<'p> {
    /// Those of `denials` that the zone of `model` signed: another zone's prove nothing of its names.
    fn of(model: &'p Model, case: &Case<'_>, denials: &[&'p Record]) -> Self {
        let signed = |denial: &&Record| {
            case.ours.authority.iter().any(|record| {
                record.owner == denial.owner
                    && record.covered() == Some(denial.rtype)
                    && path(&record.rdata[18..18 + name_length(&record.rdata[18..])]) == model.origin
            })
        };
        Self { model, denials: denials.iter().copied().filter(signed).collect() }
    }

    /// Whether `name` does not exist, nor the wildcard at its closest encloser.
    fn no_name(&self, name: &Path) -> bool {
        if self.model.has_nsec3() {
            let Some((encloser, _)) = self.closest_encloser(name) else { return false };
            return self.covering(&wildcard(&encloser)).is_some();
        }
        self.nsec_encloser(name).is_some_and(|encloser| self.nsec_covering(&wildcard(&encloser)).is_some())
    }

    /// Whether `name`, or the wildcard that stands for it, exists without `rtype`.
    fn no_data(&self, name: &Path, rtype: Rtype) -> bool {
        if self.model.has_nsec3() {
            if let Some(record) = self.matching(name) {
                return lacks(&record.types, rtype);
            }
            let Some((encloser, opt_out)) = self.closest_encloser(name) else { return false };
            let by_wildcard = self.matching(&wildcard(&encloser));
            // RFC 5155 §6: an insecure delegation has no record of its own.
            let left_out = opt_out && matches!(self.model.place(name), Place::Cut(_));
            return left_out || by_wildcard.is_some_and(|record| lacks(&record.types, rtype));
        }
        if self.nsec_no_data(name, rtype) {
            return true;
        }
        self.nsec_encloser(name).is_some_and(|encloser| self.nsec_no_data(&wildcard(&encloser), rtype))
    }

    /// Whether there is no name nearer to `name` than `encloser`, so that a wildcard there may stand for it.
    fn no_closer(&self, name: &Path, encloser: &[Vec<u8>]) -> bool {
        if self.model.has_nsec3() {
            return self.covering(&name[..=encloser.len()]).is_some();
        }
        self.nsec_encloser(name).is_some_and(|found| found == encloser)
    }

    fn nsecs(&self) -> impl Iterator<Item = Nsec> {
        self.denials.iter().filter(|record| record.rtype == Rtype::NSEC).map(|record| {
            let next = NameRef::from_wire(&record.rdata[..name_length(&record.rdata)]).unwrap();
            Nsec {
                owner: path(&record.owner),
                next: path(next.wire()),
                types: record.rdata[next.wire().len()..].to_vec(),
            }
        })
    }

    fn nsec_no_data(&self, name: &Path, rtype: Rtype) -> bool {
        let matching = self.nsecs().find(|nsec| nsec.owner == *name);
        matching.map_or_else(
            // An empty non-terminal lies between a name before it and one below it.
            || self.nsec_covering(name).is_some_and(|nsec| nsec.next.starts_with(name)),
            |nsec| lacks(&nsec.types, rtype),
        )
    }

    fn nsec_covering(&self, name: &[Vec<u8>]) -> Option<Nsec> {
        self.nsecs().find(|nsec| {
            let before_next = name < &nsec.next[..] || nsec.next == self.model.origin;
            // RFC 6840 §4.1: what is below a cut or a DNAME is not the zone's to deny.
            let hides = has(&nsec.types, Rtype::DNAME)
                || has(&nsec.types, Rtype::NS) && !has(&nsec.types, Rtype::SOA);
            &nsec.owner[..] < name && before_next && !(hides && name.starts_with(&nsec.owner))
        })
    }

    /// The closest encloser of a name that an NSEC record denies: the most that it shares with either end.
    fn nsec_encloser(&self, name: &Path) -> Option<Path> {
        let nsec = self.nsec_covering(name).filter(|nsec| !nsec.next.starts_with(name))?;
        let shared = |other: &Path| name.iter().zip(other).take_while(|(a, b)| a == b).count();
        Some(name[..shared(&nsec.owner).max(shared(&nsec.next))].to_vec())
    }

    fn nsec3s(&self) -> impl Iterator<Item = Nsec3> {
        self.denials.iter().filter(|record| record.rtype == Rtype::NSEC3).map(|record| {
            let label = &record.owner[1..=usize::from(record.owner[0])];
            let rdata = &record.rdata;
            let next = 5 + usize::from(rdata[4]) + 1;
            let end = next + usize::from(rdata[next - 1]);
            Nsec3 {
                hash: BASE32_DNSSEC.decode(label).unwrap(),
                next: rdata[next..end].to_vec(),
                opt_out: rdata[1] & 1 != 0,
                types: rdata[end..].to_vec(),
            }
        })
    }

    fn matching(&self, name: &[Vec<u8>]) -> Option<Nsec3> {
        let hash = self.model.hash(name);
        self.nsec3s().find(|record| record.hash == hash)
    }

    fn covering(&self, name: &[Vec<u8>]) -> Option<Nsec3> {
        let hash = self.model.hash(name);
        self.nsec3s().find(|record| {
            let (after, before) = (record.hash < hash, hash < record.next);
            if record.hash < record.next { after && before } else { after || before }
        })
    }

    /// RFC 5155 §8.3: the nearest ancestor with a record, and whether the next name down was left out.
    fn closest_encloser(&self, name: &Path) -> Option<(Path, bool)> {
        for length in (self.model.origin.len()..name.len()).rev() {
            if let Some(record) = self.matching(&name[..length]) {
                let hides = has(&record.types, Rtype::DNAME)
                    || has(&record.types, Rtype::NS) && !has(&record.types, Rtype::SOA);
                let next_closer = self.covering(&name[..=length])?;
                return (!hides).then(|| (name[..length].to_vec(), next_closer.opt_out));
            }
        }
        None
    }
}

/// Whether a type bitmap says that there is neither `rtype` nor an alias (RFC 6840 §4.3); the parent's side of a cut
/// may say so of DS alone (RFC 6840 §4.1).
fn lacks(types: &[u8], rtype: Rtype) -> bool {
    let parental = has(types, Rtype::NS) && !has(types, Rtype::SOA);
    !has(types, rtype) && !has(types, Rtype::CNAME) && parental <= (rtype == Rtype::DS)
}

/// Whether a type bitmap has `rtype` (RFC 4034 §4.1.2).
fn has(mut types: &[u8], rtype: Rtype) -> bool {
    while let [window, length, rest @ ..] = types {
        let (octets, others) = rest.split_at(usize::from(*length));
        if u16::from(*window) == rtype.0 >> 8 {
            let bit = rtype.0 & 0xff;
            return octets.get(usize::from(bit / 8)).is_some_and(|octet| octet & 0x80 >> (bit % 8) != 0);
        }
        types = others;
    }
    false
}

fn name(wire: &[u8]) -> NameRef<'_> {
    NameRef::from_wire(wire).unwrap()
}

/// How many octets of `rdata` its first name takes.
fn name_length(rdata: &[u8]) -> usize {
    let mut at = 0;
    while rdata[at] != 0 {
        at += 1 + usize::from(rdata[at]);
    }
    at + 1
}
