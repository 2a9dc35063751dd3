//! How a zone differs from its file, or from what its primary has: what dynamic updates have made of it, and the
//! records that danelaw makes of certificates and of the configuration.

use serde::{Deserialize, Serialize};

use super::Engine;
use super::job::Managed;
use crate::dns::name::Name;
use crate::dns::rdata;
use crate::dns::rtype::Rtype;
use crate::zone::overlay::Overlay;

/// One record that is here and not in the file, or the other way round.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Difference {
    /// `added` or `removed`.
    pub change: String,
    /// The owner.
    pub owner: String,
    /// The TTL; absent for what was removed, where the file says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl: Option<u32>,
    /// The type.
    #[serde(rename = "type")]
    pub rtype: String,
    /// The rdata in presentation form.
    pub rdata: String,
    /// `update`, `certificate`, `key` or `configuration`.
    pub by: String,
}

impl Engine {
    /// How a zone differs from its file, in canonical order; `None` if it is not a zone.
    pub fn differences(&self, zone: &Name) -> Option<Vec<Difference>> {
        let overlay = self.zones.get(zone)?.overlay();
        let managed = self.managed().remove(zone).unwrap_or_default();
        let mut all: Vec<(Name, Difference)> = by_update(overlay).chain(by_danelaw(&managed)).collect();
        all.sort_by(|(a, _), (b, _)| a.cmp(b));
        Some(all.into_iter().map(|(_, difference)| difference).collect())
    }
}

fn by_update(overlay: &Overlay) -> impl Iterator<Item = (Name, Difference)> {
    overlay.iter().flat_map(|(owner, rtype, change)| {
        // What was taken out and put back differs by its TTL, and is shown as put back.
        let back = move |gone: &[u8]| change.added.iter().any(|added| rdata::same(rtype, added, gone));
        let removed = change.removed.iter().filter(move |gone| !back(gone));
        let removed = removed.map(move |rdata| difference("removed", owner, None, rtype, rdata, "update"));
        let ttl = Some(change.ttl.0);
        let added = change.added.iter();
        removed.chain(added.map(move |rdata| difference("added", owner, ttl, rtype, rdata, "update")))
    })
}

/// What records of this type are made of.
fn by(rtype: Rtype) -> &'static str {
    match rtype {
        Rtype::TLSA | Rtype::SMIMEA => "certificate",
        Rtype::SSHFP | Rtype::OPENPGPKEY | Rtype::CDS | Rtype::CDNSKEY => "key",
        _ => "configuration",
    }
}

fn by_danelaw(managed: &[Managed]) -> impl Iterator<Item = (Name, Difference)> {
    managed.iter().flat_map(|managed| {
        let ttl = Some(managed.ttl.0);
        managed.rdatas.iter().map(move |rdata| {
            difference("added", &managed.owner, ttl, managed.rtype, rdata, by(managed.rtype))
        })
    })
}

fn difference(
    change: &str,
    owner: &Name,
    ttl: Option<u32>,
    rtype: Rtype,
    rdata: &[u8],
    by: &str,
) -> (Name, Difference) {
    let mut text = String::new();
    // A string takes whatever is written to it.
    let _ = rdata::write(rtype, rdata, &mut text);
    let difference = Difference {
        change: change.to_owned(),
        owner: owner.to_string(),
        ttl,
        rtype: rtype.to_string(),
        rdata: text,
        by: by.to_owned(),
    };
    (owner.clone(), difference)
}
