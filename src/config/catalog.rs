//! `catalogs`: zones that tell secondaries which other zones they are to serve (RFC 9432).

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::dns::name::Name;

use super::fields::{self, Fields, entries};
use super::policy::Policy;
use super::reference;
use super::report::{Mark, Report};
use super::yaml::Node;
use super::zone::{
    Known, Parent, Propagation, Zone, ZoneSource, Zones, read_allow_transfer, read_secondaries,
};

/// What a catalog zone lists.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Catalog {
    /// Its members by their origins.
    pub members: BTreeMap<Name, Member>,
    /// Members that come from another catalog, each with its name.
    pub arrivals: Vec<(Name, Name)>,
}

/// What a catalog says of a member zone.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Member {
    /// The word by which secondaries choose how they serve it (RFC 9432 §4.3.2).
    pub group: Option<String>,
    /// The catalog that it goes to (RFC 9432 §4.3.1).
    pub moves_to: Option<Name>,
}

/// Catalogs by name, each with the place that defines it.
pub(super) type Catalogs = BTreeMap<Name, (Mark, Zone)>;

/// What is wrong with `catalogs`, or with what a zone says of its own.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
enum CatalogError<'a> {
    #[error("catalog `{0}` is given twice, first in line {1}")]
    Twice(&'a Name, usize),
    #[error("catalog `{0}` is {1} octets long, expected at most {MAX_NAME}: names are put in front of it")]
    TooLong(&'a Name, usize),
    #[error("nobody may transfer catalog `{0}`, expected `secondaries` or `allow-transfer`")]
    ForNobody(&'a Name),
    #[error("`{0}` without a `catalog`")]
    Without(&'static str),
    #[error("the zone moves from the catalog that it is in, expected another, or none")]
    FromItself,
    #[error("a word of {0} octets, expected 1 to {MAX_GROUP}")]
    Group(usize),
    #[error(
        "secondary `{secondary}` of catalog `{catalog}` will look for this zone and may not transfer it, \
         expected it among `secondaries`"
    )]
    LeftOut { secondary: &'a str, catalog: &'a Name },
}

/// Reads `catalogs`. They list nothing yet.
pub(super) fn read_catalogs(node: Option<&Node>, known: &Known<'_>, report: &mut Report<'_>) -> Catalogs {
    let mut catalogs = Catalogs::new();
    for entry in node.map_or(&[][..], |node| entries("catalogs", node, report)) {
        let origin = match Name::parse(&entry.key) {
            Ok(origin) => origin,
            Err(error) => {
                report.error(entry.mark, format_args!("catalog `{}`: {error}", entry.key));
                continue;
            }
        };
        if let Some((first, _)) = catalogs.get(&origin) {
            report.error(entry.mark, CatalogError::Twice(&origin, first.line));
            continue;
        }
        if origin.len() > MAX_NAME {
            report.error(entry.mark, CatalogError::TooLong(&origin, origin.len()));
        }
        let fields = Fields::of(&entry.key, &entry.value, &["secondaries", "allow-transfer"], report);
        let zone = Zone {
            origin: origin.clone(),
            source: ZoneSource::Catalog(Catalog::default()),
            policy: Arc::new(Policy::unsigned()),
            secondaries: read_secondaries(&fields, known, report),
            allow_transfer: read_allow_transfer(&fields, known, report),
            allow_update: Vec::new(),
            propagation: Propagation::Secondaries,
            parent: Parent::Off,
            parent_hook: None,
            signal: false,
            foreign_dnskeys: Vec::new(),
        };
        if ["secondaries", "allow-transfer"].iter().all(|key| fields.get(key).is_none()) {
            report.warning(entry.mark, CatalogError::ForNobody(&origin));
        }
        catalogs.insert(origin, (entry.mark, zone));
    }
    catalogs
}

/// Reads `catalog`, `group` and `moved-from` of `zone`, lists it, and gives it what it has not said of its own.
pub(super) fn read_membership(
    zone: &mut Zone,
    fields: &Fields<'_>,
    catalogs: &mut Catalogs,
    report: &mut Report<'_>,
) {
    let catalog = read_catalog("catalog", fields, catalogs, report);
    let source = read_catalog("moved-from", fields, catalogs, report);
    let group = fields.read("group", report, |text| match text.len() {
        1..=MAX_GROUP => Ok(text.to_owned()),
        length => Err(CatalogError::Group(length)),
    });
    let Some((_, catalog)) = catalog else {
        for key in ["group", "moved-from"] {
            if let (Some(node), None) = (fields.get(key), fields.get("catalog")) {
                report.error(node.mark, CatalogError::Without(key));
            }
        }
        return;
    };
    let mut list = |at: &Name, moves_to: Option<Name>| {
        if let Some((_, Zone { source: ZoneSource::Catalog(listed), .. })) = catalogs.get_mut(at) {
            listed.members.insert(zone.origin.clone(), Member { group: group.clone(), moves_to });
        }
    };
    list(&catalog, None);
    match source {
        Some((mark, source)) if source == catalog => report.error(mark, CatalogError::FromItself),
        Some((_, source)) => {
            list(&source, Some(catalog.clone()));
            if let Some((_, Zone { source: ZoneSource::Catalog(listed), .. })) = catalogs.get_mut(&catalog) {
                listed.arrivals.push((zone.origin.clone(), source));
            }
        }
        None => {}
    }
    let Some((_, catalog)) = catalogs.get(&catalog) else { return };
    if fields.get("allow-transfer").is_none() {
        zone.allow_transfer.clone_from(&catalog.allow_transfer);
    }
    match fields.get("secondaries") {
        None => zone.secondaries.clone_from(&catalog.secondaries),
        Some(node) => {
            for left_out in catalog.secondaries.iter().filter(|each| !zone.secondaries.contains(each)) {
                let (secondary, catalog) = (&*left_out.name, &catalog.origin);
                report.warning(node.mark, CatalogError::LeftOut { secondary, catalog });
            }
        }
    }
}

/// The catalog that the value of `key` names, with the place where it does.
fn read_catalog(
    key: &str,
    fields: &Fields<'_>,
    catalogs: &Catalogs,
    report: &mut Report<'_>,
) -> Option<(Mark, Name)> {
    let node = fields.get(key)?;
    let name = fields::read(key, node, report, Name::parse)?;
    if !catalogs.contains_key(&name) {
        let known: Vec<String> = catalogs.keys().map(|name| name.as_ref().undotted()).collect();
        reference("catalog", &name.as_ref().undotted(), &known, node.mark, report);
        return None;
    }
    Some((node.mark, name))
}

/// Adds the catalogs to the zones, none of which may have the name of one.
pub(super) fn add(catalogs: Catalogs, zones: &mut Zones, report: &mut Report<'_>) {
    for (origin, (mark, catalog)) in catalogs {
        if zones.contains_key(&origin) {
            report.error(
                mark,
                format_args!("catalog `{origin}` is a zone as well, expected a name of its own"),
            );
            continue;
        }
        zones.insert(origin, catalog);
    }
}

/// In front of a catalog's name come `group`, a label of 32 octets and `zones`; a name has at most 255 octets.
const MAX_NAME: usize = 255 - 6 - 33 - 6;
/// A character string (RFC 1035 §3.3).
const MAX_GROUP: usize = 255;
