//! Where danelaw differs from the majority on purpose, and which RFC says so.

use danelaw::dns::rtype::Rtype;

use super::compare::{Case, Extra, PARTS, Part};
use super::model::{self, Place};
use super::wire::Record;

/// A reason to differ.
pub(crate) struct Row {
    /// The clause that decides.
    pub(crate) rfc: &'static str,
    /// What it means here.
    pub(crate) why: &'static str,
    /// The parts of a response that it is about.
    pub(crate) parts: &'static [Part],
    /// Whether nobody need agree with danelaw. Otherwise one of the others has to, so that the row hides no more than
    /// a question on which they are divided; only where it meets another row nobody may.
    pub(crate) alone: bool,
    /// Whether the case is one of those meant.
    pub(crate) holds: fn(&Case<'_>) -> bool,
}

/// All of them; the first that holds counts.
pub(crate) const ROWS: [Row; 18] = [
    Row {
        rfc: "RFC 4592 §4.9",
        why: "a wildcard that is an empty non-terminal makes NODATA, not NXDOMAIN",
        parts: &[Part::Rcode, Part::Denial],
        alone: false,
        holds: |case| case.empty_wildcard(),
    },
    Row {
        rfc: "RFC 5155 §7.2.8",
        why: "the owner of an NSEC3 record does not exist, nor is it an empty non-terminal: a wildcard may apply",
        parts: &PARTS,
        alone: false,
        holds: |case| case.passes_hash(),
    },
    Row {
        rfc: "RFC 1034 §4.3.2 step 3a",
        why: "an alias is looked up in all zones that are served here, not in the first alone",
        parts: &PARTS,
        alone: false,
        holds: |case| case.changes_zones(),
    },
    Row {
        rfc: "RFC 1034 §3.6.2",
        why: "nothing should fail over a circle of aliases: the records that make it are the answer, and show it",
        parts: &[Part::Rcode, Part::Answer, Part::Authority, Part::Denial],
        alone: true,
        holds: |case| case.aliases_without_end(4),
    },
    Row {
        rfc: "RFC 8482 §4.1",
        why: "ANY is answered with a subset of what there is; over TCP danelaw gives all, and RRSIG only with DO",
        parts: &[Part::Answer],
        alone: true,
        holds: |case| case.question.rtype == Rtype::ANY,
    },
    Row {
        rfc: "RFC 1034 §3.6.2, RFC 6672 §3.1",
        why: "a CNAME that a DNAME makes matches ANY, so that it is the answer and is not followed",
        parts: &PARTS,
        alone: true,
        holds: |case| {
            let alias = |record: &Record| record.rtype == Rtype::CNAME;
            case.question.rtype == Rtype::ANY && case.ours.answer.iter().any(alias)
        },
    },
    Row {
        rfc: "RFC 1034 §4.3.2 step 3b",
        why: "at a cut everything but DS (RFC 4035 §3.1.4.1) is the child's to answer, NSEC too",
        parts: &PARTS,
        alone: false,
        holds: |case| case.question.rtype == Rtype::NSEC && matches!(case.place(), Some(Place::Cut(_))),
    },
    Row {
        rfc: "RFC 1034 §4.3.2 step 3a",
        why: "where a CNAME has no NSEC or NSEC3 beside it, it is followed for these as for any other type",
        parts: &PARTS,
        alone: true,
        holds: |case| matches!(case.question.rtype, Rtype::NSEC | Rtype::NSEC3) && case.passed().len() > 1,
    },
    Row {
        rfc: "RFC 4035 §2.5, RFC 2308 §3",
        why: "RRSIG may stand beside CNAME, so the alias itself is asked; without any it is NODATA, with an SOA record",
        parts: &[Part::Rcode, Part::Authority],
        alone: false,
        holds: |case| case.question.rtype == Rtype::RRSIG && case.ours.answer.is_empty(),
    },
    Row {
        rfc: "RFC 6672 §3.2 step 3c",
        why: "a DNAME at a name that begins with an asterisk redirects what is asked for below that very name",
        parts: &PARTS,
        alone: false,
        holds: |case| {
            let at_asterisk =
                |record: &Record| record.rtype == Rtype::DNAME && record.owner.starts_with(b"\x01*");
            case.ours.answer.iter().any(at_asterisk)
        },
    },
    Row {
        rfc: "RFC 1034 §4.3.2 steps 3a and 3c",
        why: "all records that match RRSIG are the answer, a wildcard's too",
        parts: &[Part::Answer],
        alone: false,
        holds: |case| case.question.rtype == Rtype::RRSIG,
    },
    Row {
        rfc: "RFC 4592 §4.7",
        why: "the NSEC record of a wildcard is synthesized when it is asked for",
        parts: &[Part::Answer, Part::Authority, Part::Denial],
        alone: false,
        holds: |case| case.question.rtype == Rtype::NSEC && matches!(case.place(), Some(Place::Wildcard(_))),
    },
    Row {
        rfc: "RFC 4034 §3.1.3, RFC 4592 §2.1.3",
        why: "a name in question with an asterisk for a label needs the proofs that any other name does",
        parts: &[Part::Denial],
        alone: false,
        holds: |case| case.passed().iter().any(|name| model::path(name).contains(&b"*".to_vec())),
    },
    Row {
        rfc: "RFC 1034 §4.3.2 step 2",
        why: "the nearest zone alone says whether a name exists, whatever the parent has below the cut",
        parts: &PARTS,
        alone: false,
        holds: |case| case.exists_elsewhere(),
    },
    Row {
        rfc: "RFC 1034 §4.3.2 step 3b",
        why: "glue is what the zone has at a nameserver's name; wildcards are for step 3c, which a cut ends before",
        parts: &[Part::Glue],
        alone: false,
        holds: |case| case.glue_of_wildcards(),
    },
    Row {
        rfc: "RFC 9460 §2.5.2, §4.1",
        why: "addresses of the targets of SVCB records are added, also where the target is an alias or the owner itself",
        parts: &[Part::Additional],
        alone: true,
        holds: |case| case.adds(Extra::Binding),
    },
    Row {
        rfc: "RFC 1034 §4.3.2 step 6",
        why: "what local data says of a target's addresses may be of use, even where it is glue",
        parts: &[Part::Additional],
        alone: false,
        holds: |case| case.adds(Extra::Glue),
    },
    Row {
        rfc: "RFC 2308 §2.2, §3",
        why: "an alias to a name without RRSIG records ends in NODATA, which has an SOA record as for any other type",
        parts: &[Part::Authority],
        alone: true,
        holds: |case| case.question.rtype == Rtype::RRSIG && case.alias_to_nothing(),
    },
];
