//! What asks the parent of a zone for its first DS records: CDS and CDNSKEY records at signalling names (RFC 9615), below
//! the names of the zone's nameservers, where they can be trusted already.
//!
//! Where danelaw signs the zone that such a name is in, it makes the records there, the same as at the apex, for as long
//! as the parent has no DS record. What is for others to put into their zones, `danelaw status` and `danelaw ds --signal`
//! say.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Engine;
use super::input::{Effect, Level};
use super::job::Managed;
use super::zone::Zone;
use crate::dns::name::{Name, NameRef};
use crate::dns::rtype::Rtype;
use crate::dns::zonefile;
use crate::zone::{RrsetRef, Snapshot, signal};

/// What a nameserver has to signal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct SignalStatus {
    /// The nameserver.
    pub nameserver: String,
    /// The zone in which danelaw makes the records.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub made_in: Option<String>,
    /// The records that somebody else has to put into a zone of theirs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub records: Vec<String>,
    /// Why there can be none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// Where a nameserver signals.
enum Place {
    /// At this owner, in the zone with this apex, which danelaw signs.
    Here { zone: Name, owner: Name },
    /// At this owner, which is in a zone of somebody else.
    Elsewhere { owner: Name },
    /// Nowhere: it is in the zone itself, for which only a parent can vouch. It is passed over.
    InZone,
    /// Nowhere: its name and the zone's are too long for one.
    TooLong,
}

/// The types of what is signalled.
const TYPES: [Rtype; 2] = [Rtype::CDS, Rtype::CDNSKEY];
const TOO_LONG: &str = "signalling names";

/// The nameservers of a zone, and where each of them signals for it.
fn places(zone: &Zone, zones: &BTreeMap<Name, Zone>) -> Vec<(Name, Place)> {
    let Some(snapshot) = zone.snapshot() else { return Vec::new() };
    let nameservers = snapshot.apex().and_then(|apex| apex.rrset(Rtype::NS));
    let nameservers = nameservers.into_iter().flat_map(|rrset| rrset.rdatas());
    let origin = zone.origin().as_ref();
    let place = |nameserver: NameRef<'_>| {
        if nameserver.is_at_or_below(origin) {
            return Place::InZone;
        }
        let Ok(owner) = signal::name(origin, nameserver) else { return Place::TooLong };
        match holder(owner.as_ref(), zones) {
            Some(zone) => Place::Here { zone, owner },
            None => Place::Elsewhere { owner },
        }
    };
    let nameservers = nameservers.filter_map(|rdata| NameRef::from_wire(rdata).ok());
    nameservers.map(|nameserver| (nameserver.to_owned(), place(nameserver))).collect()
}

/// The zone that `owner` is in, if danelaw serves and signs it.
fn holder(owner: NameRef<'_>, zones: &BTreeMap<Name, Zone>) -> Option<Name> {
    let above = std::iter::successors(Some(owner), |name| name.parent()).map(NameRef::to_owned);
    let (apex, zone) = above.into_iter().find_map(|name| zones.get_key_value(&name))?;
    let is_ours = zone.is_signed_here() && zone.snapshot()?.contents().cut_above(owner).is_none();
    is_ours.then(|| apex.clone())
}

/// What a zone's apex asks of its parent.
fn asked(snapshot: &Snapshot) -> impl Iterator<Item = RrsetRef<'_>> {
    TYPES.into_iter().filter_map(|rtype| snapshot.apex()?.rrset(rtype))
}

/// What is signalled here, by the zone in which it stands.
pub(super) type Signals = BTreeMap<Name, Vec<Managed>>;

/// What is signalled now.
pub(super) fn managed(zones: &BTreeMap<Name, Zone>) -> Signals {
    let mut all = Signals::new();
    for zone in zones.values().filter(|zone| zone.asks_for_first_ds()) {
        let Some(snapshot) = zone.snapshot() else { continue };
        for (_, place) in places(zone, zones) {
            let Place::Here { zone: holder, owner } = place else { continue };
            let rrsets = asked(snapshot).map(|rrset| Managed {
                owner: owner.clone(),
                rtype: rrset.rtype,
                ttl: rrset.ttl(),
                rdatas: rrset.rdatas().map(<[u8]>::to_vec).collect(),
            });
            all.entry(holder).or_default().extend(rrsets);
        }
    }
    all
}

impl Engine {
    /// What each nameserver of a zone has to signal; none while nothing is.
    pub(super) fn signals(&self, zone: &Zone) -> Vec<SignalStatus> {
        let Some(snapshot) = zone.snapshot().filter(|_| zone.asks_for_first_ds()) else { return Vec::new() };
        let status = |(nameserver, place): (Name, Place)| {
            let mut status = SignalStatus {
                nameserver: nameserver.to_string(),
                made_in: None,
                records: Vec::new(),
                problem: None,
            };
            match place {
                Place::Here { zone, .. } => status.made_in = Some(zone.to_string()),
                Place::Elsewhere { owner } => status.records = records(snapshot, &owner),
                Place::InZone => {
                    status.problem = Some("is in the zone itself, and is passed over".to_owned());
                }
                Place::TooLong => {
                    status.problem = Some("has too long a name for one to signal at".to_owned());
                }
            }
            status
        };
        places(zone, &self.zones).into_iter().map(status).collect()
    }

    /// An alarm where a nameserver cannot signal though it should.
    pub(super) fn watch_signals(&mut self, effects: &mut Vec<Effect>) {
        let concerned = |zone: &&Zone| zone.config.signal || zone.alarms.is_raised(TOO_LONG);
        let complaint = |zone: &Zone| {
            let places = if zone.asks_for_first_ds() { places(zone, &self.zones) } else { Vec::new() };
            let long = places.into_iter().filter(|(_, place)| matches!(place, Place::TooLong));
            let long: Vec<String> = long.map(|(nameserver, _)| nameserver.to_string()).collect();
            (!long.is_empty()).then(|| {
                format!(
                    "signalling names below {} would be longer than 255 octets, so the parent finds no signal there \
                     (RFC 9615 §4.4); hand it the DS records another way",
                    long.join(", ")
                )
            })
        };
        let complaints = self.zones.values().filter(concerned);
        let complaints: Vec<_> = complaints.map(|zone| (zone.origin().clone(), complaint(zone))).collect();
        for (name, complaint) in complaints {
            let Some(zone) = self.zones.get_mut(&name) else { continue };
            match complaint {
                None => drop(zone.alarms.clear(TOO_LONG)),
                Some(text) => {
                    if zone.alarms.raise(TOO_LONG, self.clock.latest, text.clone()) {
                        effects.push(Effect::Log { level: Level::Error, line: format!("{name}: {text}") });
                    }
                }
            }
        }
    }
}

/// What is to stand at `owner`, as text.
fn records(snapshot: &Snapshot, owner: &Name) -> Vec<String> {
    let line = |rrset: RrsetRef<'_>, rdata: &[u8]| {
        let mut text = String::new();
        // A string takes whatever is written to it.
        let _ = zonefile::write_record(owner.as_ref(), rrset.ttl(), rrset.rtype, rdata, &mut text);
        text.trim_end().to_owned()
    };
    let rrsets = asked(snapshot);
    rrsets.flat_map(|rrset| rrset.rdatas().map(move |rdata| line(rrset, rdata)).collect::<Vec<_>>()).collect()
}
