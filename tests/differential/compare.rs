//! One question's answers side by side, each part of them put to the vote.

use std::collections::BTreeSet;

use danelaw::dns::name::NameRef;
use danelaw::dns::rtype::Rtype;

use super::allowed;
use super::model::{self, Model, Path, Place};
use super::signed::Signed;
use super::wire::{Question, Record, Reply};

/// A part of a response that is compared by itself: who is alone in one part may be right in the others.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Part {
    Rcode,
    Authoritative,
    Answer,
    /// SOA, NS and DS in the authority section.
    Authority,
    /// NSEC and NSEC3 there.
    Denial,
    /// The addresses without which a referral leads nowhere (RFC 9471 §3.1).
    Glue,
    /// What else is in the additional section: nobody need send it, but what danelaw sends others should send.
    Additional,
}

/// danelaw follows no more aliases than this.
pub(crate) const MAX_ALIASES: usize = 11;

pub(crate) const PARTS: [Part; 7] = [
    Part::Rcode,
    Part::Authoritative,
    Part::Answer,
    Part::Authority,
    Part::Denial,
    Part::Glue,
    Part::Additional,
];

/// A question, and what everybody answered.
pub(crate) struct Case<'c> {
    pub(crate) question: &'c Question,
    /// The zones of the world that the question is about.
    pub(crate) zones: &'c [Signed],
    pub(crate) models: &'c [Model],
    pub(crate) ours: Reply,
    /// By peer; BIND is not always among them.
    pub(crate) theirs: Vec<(&'static str, Reply)>,
}

/// Additional data that not everybody thinks of.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Extra {
    /// Addresses of the target of SVCB or HTTPS records, be it an alias or the owner itself.
    Binding,
    /// Addresses at a delegation or below.
    Glue,
}

/// How a part of danelaw's answer stands among the others.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// With the majority.
    Agrees,
    /// Alone or with few, as this row of the allow-list explains.
    Explained(usize),
    /// Alone or with few.
    Differs,
}

impl Case<'_> {
    /// Compares one part.
    pub(crate) fn compare(&self, part: Part) -> Standing {
        if self.votes(part) {
            return Standing::Agrees;
        }
        let holding: Vec<usize> = (0..allowed::ROWS.len())
            .filter(|&row| allowed::ROWS[row].parts.contains(&part) && (allowed::ROWS[row].holds)(self))
            .collect();
        // Proofs that nobody else gives are whole all the same: `proof` sees to it. And where two reasons meet, those
        // who agree on the one may differ on the other.
        let divided = part == Part::Denial || self.seconded(part) || holding.len() > 1;
        let row = holding.into_iter().find(|&row| divided || allowed::ROWS[row].alone);
        row.map_or(Standing::Differs, Standing::Explained)
    }

    /// Whether at least two answered as danelaw did, and no other answer has as many for it.
    fn votes(&self, part: Part) -> bool {
        let views: Vec<View> = self.theirs.iter().map(|(_, reply)| view(part, reply)).collect();
        let ours = view(part, &self.ours);
        let count = |of: &View| views.iter().filter(|view| agree(part, of, view)).count();
        let ourselves = count(&ours);
        let outvoted = |other: &View| part != Part::Additional && *other != ours && count(other) >= ourselves;
        ourselves >= 2 && !views.iter().any(outvoted)
    }

    /// Which peers differ from danelaw, by their initials.
    pub(crate) fn dissenters(&self, part: Part) -> String {
        let ours = view(part, &self.ours);
        let differ = self.theirs.iter().filter(|(_, reply)| !agree(part, &ours, &view(part, reply)));
        differ.map(|(name, _)| *name).collect::<Vec<_>>().join(",")
    }

    /// Both sides of one part, for a person: `-` is danelaw's alone, `+` the peer's alone.
    pub(crate) fn show(&self, part: Part) -> String {
        let mut text = format!("? {}\n{}", self.question, self.ours);
        let (number, ours) = view(part, &self.ours);
        let views: Vec<View> = self.theirs.iter().map(|(_, reply)| view(part, reply)).collect();
        for (place, ((name, _), (other, theirs))) in self.theirs.iter().zip(&views).enumerate() {
            let same = views[..place].iter().position(|view| *view == views[place]);
            let earlier = same.map_or_else(String::new, |same| format!(" as {}", self.theirs[same].0));
            text += &format!("{name}{earlier}\n");
            if same.is_some() {
                continue;
            }
            if number != *other {
                text += &format!("  - {number} + {other}\n");
            }
            for (mark, record) in ours
                .difference(theirs)
                .map(|record| ('-', record))
                .chain(theirs.difference(&ours).map(|record| ('+', record)))
            {
                text += &format!("  {mark} {record}\n");
            }
        }
        text
    }

    /// The name that the question leads to by danelaw's answer, with the names passed.
    pub(crate) fn passed(&self) -> Vec<Vec<u8>> {
        // The alias itself is what was asked for.
        if matches!(self.question.rtype, Rtype::CNAME | Rtype::ANY) {
            return vec![self.question.lower()];
        }
        model::follow(&self.ours, &self.question.lower())
    }

    /// Whether some name passed is the owner of an NSEC3 record, or below one.
    pub(crate) fn passes_hash(&self) -> bool {
        self.passed().iter().any(|name| self.models.iter().any(|model| model.is_hash(&model::path(name))))
    }

    /// Whether the aliases lead from one zone served here to another.
    pub(crate) fn changes_zones(&self) -> bool {
        let origin = |name: &Vec<u8>| self.model(&model::path(name)).map(|model| &model.origin);
        let passed = self.passed();
        passed.iter().any(|name| origin(name).is_some_and(|here| Some(here) != origin(&passed[0])))
    }

    /// Whether the aliases lead in a circle, or further than `most` steps.
    pub(crate) fn aliases_without_end(&self, most: usize) -> bool {
        let passed = self.passed();
        let last = passed.last();
        let alias = |record: &&Record| record.rtype == Rtype::CNAME && Some(&record.owner) == last;
        passed.len() > most || self.ours.answer.iter().any(|record| alias(&record))
    }

    /// Whether all glue that peers have beside danelaw's is at names that no zone has: made of wildcards.
    pub(crate) fn glue_of_wildcards(&self) -> bool {
        let ours = glue(&self.ours);
        let exists = |owner: &[u8]| self.models.iter().any(|model| model.exists(&model::path(owner)));
        self.theirs
            .iter()
            .all(|(_, reply)| glue(reply).difference(&ours).all(|record| !exists(&record.owner)))
    }

    /// Whether there is `wanted` among what danelaw adds and fewer than two others do, and nothing that is neither.
    pub(crate) fn adds(&self, wanted: Extra) -> bool {
        let (_, ours) = view(Part::Additional, &self.ours);
        let senders =
            |record| self.theirs.iter().filter(|(_, reply)| reply.additional.contains(record)).count();
        let lonely = ours.iter().filter(|record| senders(record) < 2);
        let kinds: Vec<Option<Extra>> = lonely.map(|record| self.extra(record)).collect();
        kinds.iter().all(Option::is_some) && kinds.contains(&Some(wanted))
    }

    fn extra(&self, record: &Record) -> Option<Extra> {
        let name = model::path(&record.owner);
        let hidden =
            |model: &Model| name.starts_with(&model.origin) && matches!(model.place(&name), Place::Cut(_));
        let binding = |answer: &Record| {
            let target = answer.rdata.get(2..).unwrap_or_default();
            matches!(answer.rtype, Rtype::SVCB | Rtype::HTTPS)
                && (target.starts_with(&record.owner)
                    || target.starts_with(&[0]) && answer.owner == record.owner)
        };
        if self.ours.answer.iter().any(binding) {
            Some(Extra::Binding)
        } else {
            self.models.iter().any(hidden).then_some(Extra::Glue)
        }
    }

    /// Whether an alias leads to a name that has nothing of what was asked for.
    pub(crate) fn alias_to_nothing(&self) -> bool {
        let passed = self.passed();
        let at_end = |record: &Record| Some(&record.owner) == passed.last();
        passed.len() > 1 && self.ours.rcode == 0 && !self.ours.answer.iter().any(at_end)
    }

    /// Whether some peer answers this part as danelaw does.
    pub(crate) fn seconded(&self, part: Part) -> bool {
        self.theirs.iter().any(|(_, reply)| agree(part, &view(part, &self.ours), &view(part, reply)))
    }

    /// Whether another zone, the parent below its cut, has a name that the nearest zone does not have, or a wildcard
    /// for it.
    pub(crate) fn exists_elsewhere(&self) -> bool {
        self.passed().iter().map(|name| model::path(name)).any(|name| {
            let Some(nearest) = self.model(&name) else { return false };
            let (Place::Missing(encloser) | Place::Wildcard(encloser)) = nearest.place(&name) else {
                return false;
            };
            let mut others = self.models.iter().filter(|model| model.origin != nearest.origin);
            let wildcard = model::wildcard(&encloser);
            others.any(|model| model.exists(&name[..=encloser.len()]) || model.exists(&wildcard))
        })
    }

    /// The zone of the world that speaks for a name; the parent for DS at its apex.
    pub(crate) fn model(&self, name: &Path) -> Option<&Model> {
        let ds = self.question.rtype == Rtype::DS;
        let encloses = |model: &&Model| name.starts_with(&model.origin) && !(ds && *name == model.origin);
        let closest = self.models.iter().filter(encloses).max_by_key(|model| model.origin.len());
        closest.or_else(|| self.models.iter().find(|model| model.origin == *name))
    }

    /// Where the last name stands.
    pub(crate) fn place(&self) -> Option<Place> {
        let last = model::path(self.passed().last()?);
        Some(self.model(&last)?.place(&last))
    }

    /// Whether a wildcard without records stands in for the last name.
    pub(crate) fn empty_wildcard(&self) -> bool {
        let last = self.passed().pop().map(|name| model::path(&name)).unwrap_or_default();
        self.model(&last).is_some_and(|model| match model.place(&last) {
            Place::Wildcard(encloser) => model.is_empty(&model::wildcard(&encloser)),
            _ => false,
        })
    }
}

/// What is compared of a part.
type View = (u8, BTreeSet<Record>);

fn view(part: Part, reply: &Reply) -> View {
    let authority = |wanted: fn(Rtype) -> bool| {
        reply.authority.iter().filter(|record| wanted(record.of_type())).cloned().collect()
    };
    let denies = |rtype| matches!(rtype, Rtype::NSEC | Rtype::NSEC3);
    match part {
        Part::Rcode => (reply.rcode, BTreeSet::new()),
        Part::Authoritative => (u8::from(reply.authoritative), BTreeSet::new()),
        Part::Answer => (0, reply.answer.clone()),
        Part::Authority => (0, authority(|rtype| !matches!(rtype, Rtype::NSEC | Rtype::NSEC3))),
        Part::Denial => {
            (0, reply.authority.iter().filter(|record| denies(record.of_type())).cloned().collect())
        }
        Part::Glue => (0, glue(reply)),
        Part::Additional => (0, reply.additional.difference(&glue(reply)).cloned().collect()),
    }
}

/// Whether a peer's view of a part is danelaw's.
fn agree(part: Part, ours: &View, theirs: &View) -> bool {
    if part == Part::Additional { ours.1.is_subset(&theirs.1) } else { ours == theirs }
}

/// The addresses at or below the delegation that the response refers to.
fn glue(reply: &Reply) -> BTreeSet<Record> {
    let targets: Vec<(NameRef<'_>, NameRef<'_>)> = reply
        .authority
        .iter()
        .filter(|record| record.rtype == Rtype::NS)
        .map(|record| {
            (NameRef::from_wire(&record.rdata).unwrap(), NameRef::from_wire(&record.owner).unwrap())
        })
        .filter(|(target, cut)| target.is_at_or_below(*cut))
        .collect();
    let needed = |record: &&Record| {
        matches!(record.rtype, Rtype::A | Rtype::AAAA)
            && targets.iter().any(|(target, _)| target.wire() == record.owner)
    };
    reply.additional.iter().filter(needed).cloned().collect()
}
