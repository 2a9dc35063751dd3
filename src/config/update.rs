//! `zones.*.allow-update`: which key may change what of a zone (RFC 2136).

use super::fields::{Fields, one_or_list};
use super::report::Report;
use super::scalar::Prefix;
use super::tsig::{TsigKeys, key_named};
use super::yaml::{Node, Value};
use crate::dns::name::Name;
use crate::dns::rtype::Rtype;

/// What a key may change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// The name of the key that an update must be signed with.
    pub tsig: Name,
    /// The addresses that it may come from; `None` for all.
    pub from: Option<Prefix>,
    /// The names that it may change.
    pub names: Vec<Name>,
    /// The names that it may change together with all below them.
    pub subtrees: Vec<Name>,
    /// The types that it may change; `None` for all.
    pub types: Option<Vec<Rtype>>,
}

/// What is wrong with `allow-update`.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
enum GrantError<'a> {
    #[error("who may update must have a key, expected `{{tsig: NAME}}`")]
    NoKey,
    #[error("`{0}` is outside the zone {1}")]
    Outside(&'a Name, &'a Name),
    #[error("{0} records are made by danelaw, and nobody may change them")]
    OurType(Rtype),
    #[error("not an entry, expected such as `{{tsig: NAME, subtree: NAME, types: TXT}}`")]
    NotAnEntry,
}

/// Reads the entries for the zone `origin`.
pub(super) fn read_grants(
    node: Option<&Node>,
    origin: &Name,
    keys: &TsigKeys,
    report: &mut Report<'_>,
) -> Vec<Grant> {
    let entries = node.map_or(&[][..], one_or_list);
    entries.iter().filter_map(|entry| read_grant(entry, origin, keys, report)).collect()
}

fn read_grant(node: &Node, origin: &Name, keys: &TsigKeys, report: &mut Report<'_>) -> Option<Grant> {
    let Value::Map(_) = &node.value else {
        report.error(node.mark, GrantError::NotAnEntry);
        return None;
    };
    let fields = Fields::of("allow-update", node, &["tsig", "address", "name", "subtree", "types"], report);
    let mut names = |key| {
        let names = fields.read_any(key, report, Name::parse);
        for (mark, name) in &names {
            if !name.as_ref().is_at_or_below(origin.as_ref()) {
                report.error(*mark, GrantError::Outside(name, origin));
            }
        }
        names.into_iter().map(|(_, name)| name).collect::<Vec<Name>>()
    };
    let (names, mut subtrees) = (names("name"), names("subtree"));
    if fields.get("name").is_none() && fields.get("subtree").is_none() {
        subtrees.push(origin.clone());
    }
    let only_apex = subtrees.is_empty() && names.iter().all(|name| name == origin);
    let types = fields.read_any("types", report, str::parse::<Rtype>);
    for (mark, rtype) in &types {
        if rtype.is_made_here(only_apex) {
            report.error(*mark, GrantError::OurType(*rtype));
        }
    }
    let types = fields.get("types").map(|_| types.into_iter().map(|(_, rtype)| rtype).collect());
    let from = fields.read("address", report, Prefix::parse);
    let Some(key) = fields.get("tsig") else {
        report.error(node.mark, GrantError::NoKey);
        return None;
    };
    let tsig = key_named(key, keys, report)?.name.clone();
    Some(Grant { tsig, from, names, subtrees, types })
}
