//! The zones that are served, as one immutable set: the host replaces the whole with one pointer swap.

use std::sync::Arc;

use super::access::Access;
use super::notice::Listener;
use super::server::Server;
use super::update::{Grants, Updater};
use crate::dns::name::{Name, NameRef};
use crate::dns::rtype::Rtype;
use crate::dns::tsig::Keyring;
use crate::zone::delta::Side;
use crate::zone::history::condense;
use crate::zone::{Delta, History, Serial, Snapshot};

/// One zone of the set.
#[derive(Clone)]
pub struct Zone {
    origin: Name,
    snapshot: Option<Arc<Snapshot>>,
    /// What came before it.
    history: Arc<History>,
    access: Arc<Access>,
    /// Who may change it.
    grants: Arc<Grants>,
    /// Who may say that it has changed elsewhere; nobody, mostly.
    notify: Option<Arc<Access>>,
    /// It had a version, which may be served no longer.
    expired: bool,
}

/// A set of zones, and the TSIG keys that requests to them may be signed with.
#[derive(Clone, Default)]
pub struct Zones {
    all: Vec<Zone>,
    /// Hashes of origins to places in `all`: `place + 1`, or 0 for nothing. A power of two long, at most half full.
    table: Arc<[u32]>,
    /// The most labels that an origin has.
    deepest: usize,
    keys: Arc<Keyring>,
    server: Arc<Server>,
    listener: Option<Arc<dyn Listener>>,
    updater: Option<Arc<dyn Updater>>,
}

impl Zone {
    /// A zone that is ours but has no version to serve yet.
    pub fn not_ready(origin: Name, access: Arc<Access>) -> Self {
        let (history, grants) = Default::default();
        Self { origin, snapshot: None, history, access, grants, notify: None, expired: false }
    }

    /// A zone with the version to serve.
    pub fn ready(snapshot: Arc<Snapshot>, access: Arc<Access>) -> Self {
        let origin = snapshot.origin().clone();
        Self { snapshot: Some(snapshot), ..Self::not_ready(origin, access) }
    }

    /// The same zone with the versions before the one to serve.
    #[must_use]
    pub fn with_history(self, history: Arc<History>) -> Self {
        Self { history, ..self }
    }

    /// The same zone, open to others: to transfer it, and to say that it has changed elsewhere, which nobody may if
    /// that is `None`.
    #[must_use]
    pub fn with_access(&self, access: Arc<Access>, notify: Option<Arc<Access>>) -> Self {
        Self { access, notify, ..self.clone() }
    }

    /// The same zone, which these may change.
    #[must_use]
    pub fn changed_by(self, grants: Arc<Grants>) -> Self {
        Self { grants, ..self }
    }

    /// Who may change it.
    pub fn grants(&self) -> &Grants {
        &self.grants
    }

    /// Whether its version has expired.
    pub fn has_expired(&self) -> bool {
        self.expired
    }

    /// Who may say that it has changed.
    pub fn notify_access(&self) -> Option<&Access> {
        self.notify.as_deref()
    }

    /// Its apex.
    pub fn origin(&self) -> NameRef<'_> {
        self.origin.as_ref()
    }

    /// The version to serve; while there is none, queries are answered SERVFAIL.
    pub fn snapshot(&self) -> Option<&Arc<Snapshot>> {
        self.snapshot.as_ref()
    }

    /// What has changed since the version `serial`, in one step. `None` if that version is not known, or if the whole
    /// zone is no more than its changes.
    pub fn changes_since(&self, serial: Serial) -> Option<Arc<Delta>> {
        let snapshot = self.snapshot.as_ref()?;
        let step = condense(self.history.since(serial)?)?;
        if step.to != snapshot.serial() || step.apex(Side::Removed, snapshot.origin().as_ref()).is_none() {
            return None;
        }
        // The former is never less than the latter, and quicker to have.
        let whole = snapshot.octets();
        let is_less = step.octets() < whole || step.record_octets() < whole;
        is_less.then(|| Arc::clone(step.delta()))
    }

    /// Who may transfer it.
    pub fn access(&self) -> &Access {
        &self.access
    }
}

impl Zones {
    /// A set of `zones`, of which no two have the same origin.
    pub fn new(zones: Vec<Zone>, keys: Arc<Keyring>, server: Arc<Server>) -> Self {
        let size = (zones.len() * 2).next_power_of_two().max(2);
        let mut table = vec![0; size];
        for (place, zone) in zones.iter().enumerate() {
            let mut at = hash(zone.origin()) as usize & (size - 1);
            while table[at] != 0 {
                at = (at + 1) & (size - 1);
            }
            table[at] = place as u32 + 1;
        }
        let deepest = zones.iter().map(|zone| zone.origin().label_count()).max().unwrap_or(0);
        Self { all: zones, table: table.into(), deepest, keys, server, listener: None, updater: None }
    }

    /// The same set with another version of one zone, and the versions before it. A zone that is not in the set is
    /// not added.
    #[must_use]
    pub fn with(&self, snapshot: Arc<Snapshot>, history: Arc<History>) -> Self {
        let mut zones = self.clone();
        if let Some(place) = self.place(hash(snapshot.origin().as_ref()), snapshot.origin().as_ref()) {
            let zone = &mut zones.all[place];
            (zone.snapshot, zone.history, zone.expired) = (Some(snapshot), history, false);
        }
        zones
    }

    /// The same set without the version of one zone, which has expired.
    #[must_use]
    pub fn without(&self, origin: NameRef<'_>) -> Self {
        let mut zones = self.clone();
        if let Some(place) = self.place(hash(origin), origin) {
            zones.all[place].snapshot = None;
            zones.all[place].expired = true;
        }
        zones
    }

    /// The same set, whose updates `updater` carries out.
    #[must_use]
    pub fn updated_by(self, updater: Arc<dyn Updater>) -> Self {
        Self { updater: Some(updater), ..self }
    }

    /// Who carries out updates.
    pub fn updater(&self) -> Option<&dyn Updater> {
        self.updater.as_deref()
    }

    /// The same set, whose NOTIFYs are told to `listener`.
    #[must_use]
    pub fn heard_by(self, listener: Arc<dyn Listener>) -> Self {
        Self { listener: Some(listener), ..self }
    }

    /// Who is told of NOTIFYs.
    pub fn listener(&self) -> Option<&dyn Listener> {
        self.listener.as_deref()
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Zone> {
        self.all.iter()
    }

    /// The keys.
    pub fn keys(&self) -> &Keyring {
        &self.keys
    }

    /// What answers to all of them have in common.
    pub fn server(&self) -> &Arc<Server> {
        &self.server
    }

    /// The zone whose apex is `origin`.
    pub fn find(&self, origin: NameRef<'_>) -> Option<&Zone> {
        self.place(hash(origin), origin).map(|place| &self.all[place])
    }

    /// The zone with the longest origin that `name` is at or below.
    pub fn enclosing(&self, name: NameRef<'_>) -> Option<&Zone> {
        // From the longest suffix that could be an origin to the root.
        let surplus = name.label_count().saturating_sub(self.deepest);
        let mut suffix = (0..surplus).try_fold(name, |name, _| name.parent());
        while let Some(origin) = suffix {
            if let Some(place) = self.place(hash(origin), origin) {
                return Some(&self.all[place]);
            }
            suffix = origin.parent();
        }
        None
    }

    /// The zone that answers for `name` and `rtype`.
    pub fn responsible(&self, name: NameRef<'_>, rtype: Rtype) -> Option<&Zone> {
        let zone = self.enclosing(name)?;
        // DS belongs to the parent side of a cut (RFC 4035 §3.1.4.1).
        let parent = (rtype == Rtype::DS && zone.origin() == name)
            .then(|| name.parent().and_then(|parent| self.enclosing(parent)));
        parent.flatten().or(Some(zone))
    }

    fn place(&self, hash: u32, origin: NameRef<'_>) -> Option<usize> {
        // The table's length is a power of two.
        let mask = self.table.len().wrapping_sub(1);
        let mut at = hash as usize & mask;
        loop {
            let place = (*self.table.get(at)? as usize).checked_sub(1)?;
            if self.all[place].origin() == origin {
                return Some(place);
            }
            at = (at + 1) & mask;
        }
    }
}

/// A hash that is blind to case, eight octets at a time: names that differ otherwise may well have the same.
pub(super) fn hash(name: NameRef<'_>) -> u32 {
    const LOWER: u64 = 0x2020_2020_2020_2020;
    let mix = |mixed: u64, word: &[u8; 8]| {
        (mixed ^ (u64::from_le_bytes(*word) | LOWER)).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29)
    };
    let wire = name.wire();
    let mixed = match wire.last_chunk() {
        // The last eight octets may be part of the word before.
        Some(last) => mix(wire.as_chunks().0.iter().fold(0, mix), last),
        None => wire.iter().fold(0, |mixed, &octet| mix(mixed, &[octet; 8])),
    };
    (mixed >> 32) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Name {
        Name::parse(text).unwrap()
    }

    fn zones(origins: &[&str]) -> Zones {
        let access = Arc::new(Access::default());
        let zones = origins.iter().map(|origin| Zone::not_ready(name(origin), Arc::clone(&access)));
        Zones::new(zones.collect(), Arc::default(), Arc::default())
    }

    #[test]
    fn the_longest_origin_wins_whatever_the_case() {
        let zones = zones(&["example.test", "child.example.test", "example.org"]);
        let enclosing = |text| zones.enclosing(name(text).as_ref()).map(|zone| zone.origin().to_string());
        assert_eq!(enclosing("a.b.CHILD.example.test").as_deref(), Some("child.example.test."));
        assert_eq!(enclosing("achild.example.test").as_deref(), Some("example.test."));
        assert_eq!(enclosing("Example.Org").as_deref(), Some("example.org."));
        assert_eq!(enclosing("test"), None);
        assert_eq!(enclosing("."), None);
        assert!(zones.find(name("a.example.org").as_ref()).is_none());
        assert!(Zones::default().enclosing(name("a").as_ref()).is_none());
    }

    #[test]
    fn the_root_zone_encloses_everything_else() {
        let zones = zones(&[".", "test"]);
        let enclosing = |text| zones.enclosing(name(text).as_ref()).unwrap().origin().to_string();
        assert_eq!(
            (enclosing("a.org"), enclosing("a.test"), enclosing(".")),
            (".".into(), "test.".into(), ".".into())
        );
    }
}
