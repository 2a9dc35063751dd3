//! One question's answers side by side, each part of them put to the vote.

use std::collections::BTreeSet;

use danelaw::dns::name::NameRef;
use danelaw::dns::rtype::Rtype;

use super::allowed;
use super::peers::NAMES;
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
    /// The addresses without which a referral leads nowhere (RFC 9471 §3).
    Glue,
}

pub(crate) const PARTS: [Part; 6] =
    [Part::Rcode, Part::Authoritative, Part::Answer, Part::Authority, Part::Denial, Part::Glue];

/// A question, and what everybody answered.
pub(crate) struct Case<'c> {
    pub(crate) question: &'c Question,
    /// The zones of the world that the question is about.
    pub(crate) zones: &'c [Signed],
    pub(crate) ours: Reply,
    /// In the order of [`NAMES`].
    pub(crate) theirs: Vec<Reply>,
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
        let row = allowed::ROWS.iter().position(|row| row.parts.contains(&part) && (row.holds)(self));
        row.map_or(Standing::Differs, Standing::Explained)
    }

    /// Whether at least two answered as danelaw did, and no other answer has as many for it.
    fn votes(&self, part: Part) -> bool {
        let views: Vec<View> = self.theirs.iter().map(|reply| view(part, reply)).collect();
        let ours = view(part, &self.ours);
        let count = |of: &View| views.iter().filter(|view| *view == of).count();
        let ourselves = count(&ours);
        ourselves >= 2 && views.iter().all(|other| *other == ours || count(other) < ourselves)
    }

    /// Which peers differ from danelaw, by their initials.
    pub(crate) fn dissenters(&self, part: Part) -> String {
        let ours = view(part, &self.ours);
        let differ = NAMES.iter().zip(&self.theirs).filter(|(_, reply)| view(part, reply) != ours);
        differ.map(|(name, _)| *name).collect::<Vec<_>>().join(",")
    }

    /// Both sides, for a person.
    pub(crate) fn show(&self) -> String {
        let mut text = format!("? {}\ndanelaw\n{}", self.question, self.ours);
        for (place, (name, reply)) in NAMES.iter().zip(&self.theirs).enumerate() {
            if let Some(same) = self.theirs[..place].iter().position(|other| other == reply) {
                text += &format!("{name}: as {}\n", NAMES[same]);
            } else if *reply == self.ours {
                text += &format!("{name}: as danelaw\n");
            } else {
                text += &format!("{name}\n{reply}");
            }
        }
        text
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
        Part::Denial => (0, reply.authority.iter().filter(|record| denies(record.of_type())).cloned().collect()),
        Part::Glue => (0, glue(reply)),
    }
}

/// The addresses at or below the delegation that the response refers to.
fn glue(reply: &Reply) -> BTreeSet<Record> {
    let targets: Vec<(NameRef<'_>, NameRef<'_>)> = reply
        .authority
        .iter()
        .filter(|record| record.rtype == Rtype::NS)
        .map(|record| (NameRef::from_wire(&record.rdata).unwrap(), NameRef::from_wire(&record.owner).unwrap()))
        .filter(|(target, cut)| target.is_at_or_below(*cut))
        .collect();
    let needed = |record: &&Record| {
        matches!(record.rtype, Rtype::A | Rtype::AAAA)
            && targets.iter().any(|(target, _)| target.wire() == record.owner)
    };
    reply.additional.iter().filter(needed).cloned().collect()
}
