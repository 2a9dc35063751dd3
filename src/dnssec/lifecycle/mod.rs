//! The life of a zone's keys: when each is published, when it signs, when the parent names it, and when it goes.
//!
//! Of each key there are up to three things that caches may know: its DNSKEY record (with its signature over the
//! DNSKEY RRset, if it is a secure entry point), its signatures over the zone's data, and its DS record at the parent.
//! Each of them is in one of four states (RFC 7583 §3.1 has the moments between them, BIND's `kasp` the names):
//!
//! ```text
//!             introduced                 every cache has it, or can get it
//!   Hidden ───────────────▶ Rumoured ───────────────────────────────────▶ Omnipresent
//!     ▲                      ▲    │                                           │
//!     │          wanted again│    │withdrawn                                  │ withdrawn
//!     │                      │    ▼                                           ▼
//!     └────────────────────── Unretentive ◀───────────────────────────────────┘
//!        no cache has it
//! ```
//!
//! What time does alone (into `Omnipresent` and `Hidden`) goes by facts: since when every nameserver was seen with the
//! version that shows the change, and the largest TTL that was served before. What danelaw does (introduce, withdraw)
//! goes by the guards in [`guards`](self), which look at states only. So every rollover is the same mechanism:
//!
//! - **ZSK** (pre-publication, RFC 6781 §4.1.1.1): the new DNSKEY is introduced; once it is omnipresent the new key
//!   signs in place of the old one; once no old signature is left the old DNSKEY is withdrawn.
//! - **KSK and CSK** (double-KSK): the new DNSKEY is introduced and signs the keys; once it is omnipresent CDS asks the
//!   parent for its DS in place of the old one; once that has been *seen*, and no cache knows the old one, the old
//!   DNSKEY is withdrawn. A CSK changes its signatures over data meanwhile.
//! - **KSK and CSK** (double-DS): CDS asks for the new DS beside the old one; once every cache has both, the new DNSKEY
//!   takes the place of the old one; once every cache has that, CDS asks for the new DS alone. A CSK's old DNSKEY stays
//!   until its signatures are gone.
//! - **Algorithm** (RFC 6781 §4.1.4, conservative): signatures first, DNSKEY second, DS third; the other way round out.
//! - **To insecure** (RFC 8078 §4): CDS asks for no DS; once none was seen, whomever it names, and no cache has one or
//!   trusts keys by one, nothing needs signing.
//!
//! What the parent does counts once every nameserver was seen with the CDS that asks for it, too: a parent that looks at
//! one that lags would take back what it did.
//!
//! Nobody can advance it past what was not seen. [`Lifecycle::compromise`] leaves out the waits for caches, and says
//! what that costs; the waits for facts stay.

mod ahead;
mod changes;
mod guards;
mod memory;
mod parent;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};

use super::key::{Algorithm, PublicKey, Role};
use super::keyset::{Duties, Layout, Submission, Timing};
use crate::dns::time::{Seconds, Timestamp, Ttl};
use crate::zone::Serial;
pub use memory::Ttls;
use parent::Delegation;
pub use parent::{DsRrset, names};

/// The TTL of a DS RRset that nobody has seen: the parent cannot be asked.
pub const UNSEEN_DS_TTL: Ttl = Ttl(86_400);

/// A key, among those of one zone.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct KeyId {
    /// The number of its algorithm.
    pub algorithm: u8,
    /// Its tag.
    pub tag: u16,
}

/// What caches know of something.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// No cache has it.
    #[default]
    Hidden,
    /// It is shown; a cache may have it or what was before.
    Rumoured,
    /// Whoever asks, or has asked, knows it.
    Omnipresent,
    /// It is shown no more; a cache may still have it.
    Unretentive,
}

/// One of the things that caches know of a key.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Part {
    /// Its DNSKEY record, with its signature over the DNSKEY RRset if it is a secure entry point.
    Dnskey,
    /// Its signatures over the zone's data.
    Signatures,
    /// Its DS record at the parent.
    Ds,
}

/// Where one of these is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Phase {
    /// The state.
    pub state: State,
    /// Since when.
    pub since: Timestamp,
    /// The version that shows it so first; of a DS, the one whose CDS asks for it, until every nameserver is seen with it.
    serial: Option<u32>,
    /// Since when every server is seen to show it so; of a DS, every server of the parent.
    everywhere: Option<Timestamp>,
}

/// Why a key is to go.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Retired {
    /// The policy has no use for it.
    Policy,
    /// It has been in use for the lifetime that the policy gives it.
    Lifetime,
    /// Somebody asked for another one.
    Asked,
    /// Its file says so.
    File,
    /// It is in other hands.
    Compromised,
}

/// A key of the zone.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub struct Life {
    /// Whether the parent may name it.
    pub entry_point: bool,
    /// Why it is to go, if it is.
    pub retired: Option<Retired>,
    /// When its DNSKEY may be introduced, and when it may sign, as its file says.
    publish: Option<Timestamp>,
    activate: Option<Timestamp>,
    /// It may have been in use before danelaw had it, so it is introduced at once.
    taken_over: bool,
    /// The parent may have its DS, for all that has been seen of it.
    #[serde(default)]
    unseen: bool,
    /// It stands in for a key that is in other hands, until that is gone: nothing waits for caches.
    hasty: bool,
    /// CDS asks the parent for its DS.
    asked: bool,
    /// The parent was seen with its DS since that was last hidden.
    sighted: bool,
    /// Since when it does its work.
    pub in_use: Option<Timestamp>,
    dnskey: Phase,
    signatures: Phase,
    ds: Phase,
}

/// What the policy asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Plan {
    /// Which keys; `None` if the zone is to be unsigned.
    pub layout: Option<Layout>,
    /// Their algorithm.
    pub algorithm: Algorithm,
    /// How long a secure entry point is used.
    pub entry_point_lifetime: Option<Seconds>,
    /// How long a ZSK is used.
    pub zsk_lifetime: Option<Seconds>,
    /// How a secure entry point takes the place of another one.
    pub method: Method,
}

/// How a secure entry point takes the place of another one of its algorithm (RFC 7583 §2.2).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Method {
    /// Both DNSKEY records are there while the parent changes one DS for the other.
    #[default]
    DoubleKsk,
    /// Both DS records are there while one DNSKEY record takes the place of the other.
    DoubleDs,
}

/// The keys of a zone and all that is known of them.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Lifecycle {
    keys: BTreeMap<KeyId, Life>,
    /// Keys whose life is over; their files may still be there, and are to say so.
    over: BTreeSet<KeyId>,
    dnskey_ttls: Ttls,
    zone_ttls: Ttls,
    ds_ttls: Ttls,
    /// Whether the parent has any DS record, whomever it names.
    #[serde(default)]
    delegation: Delegation,
    /// What older states have in place of that: that the parent was asked.
    #[serde(default, skip_serializing)]
    parent_known: bool,
    /// The zone is on its way to unsigned.
    leaving: bool,
    /// It got there: nobody expects any key of it.
    left: bool,
}

/// One step that the next version takes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Transition {
    /// The key.
    pub key: KeyId,
    /// What of it.
    pub part: Part,
    /// The state that it comes to: `Rumoured` or `Unretentive`.
    pub state: State,
}

/// Why a rollover cannot begin.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RollError {
    /// The zone has no such key.
    #[error("the zone has no {0} in use")]
    NoKey(&'static str),
    /// One is under way.
    #[error("a rollover of the {role} is under way: key {key} {what}; expected to wait until that is over")]
    UnderWay {
        /// Of which role.
        role: &'static str,
        /// The key that is not settled.
        key: KeyId,
        /// What it is at.
        what: String,
    },
    /// There is no such key.
    #[error("the zone has no key {0}, expected one that `danelaw key list` shows")]
    Unknown(u16),
    /// The zone is about to be unsigned.
    #[error("the zone is on its way to unsigned")]
    Leaving,
    /// There is no key to roll to, and none can be made.
    #[error(
        "the {0} has no successor, and danelaw makes none where keys are in a token or sign ahead; make one with \
         `danelaw key generate`, and import a batch that was requested with it where signatures are made ahead"
    )]
    NoSuccessor(&'static str),
}

impl KeyId {
    /// Which key this is.
    pub fn of(key: &PublicKey) -> Self {
        Self { algorithm: key.algorithm().number(), tag: key.tag() }
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:03}+{:05}", self.algorithm, self.tag)
    }
}

impl From<KeyId> for String {
    fn from(id: KeyId) -> Self {
        id.to_string()
    }
}

impl TryFrom<String> for KeyId {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let parsed = text.split_once('+').and_then(|(algorithm, tag)| {
            Some(Self { algorithm: algorithm.parse().ok()?, tag: tag.parse().ok()? })
        });
        parsed.ok_or("expected ALGORITHM+TAG")
    }
}

impl State {
    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hidden => "hidden",
            Self::Rumoured => "rumoured",
            Self::Omnipresent => "omnipresent",
            Self::Unretentive => "unretentive",
        }
    }
}

impl Part {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Dnskey, Self::Signatures, Self::Ds];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Dnskey => "DNSKEY",
            Self::Signatures => "RRSIG",
            Self::Ds => "DS",
        }
    }
}

impl Phase {
    /// Whether it is shown.
    fn is_shown(&self) -> bool {
        matches!(self.state, State::Rumoured | State::Omnipresent)
    }

    fn is(&self, state: State) -> bool {
        self.state == state
    }

    fn moves(&self) -> bool {
        matches!(self.state, State::Rumoured | State::Unretentive)
    }

    fn set(&mut self, state: State, now: Timestamp, serial: Option<u32>) {
        *self = Self { state, since: now, serial, everywhere: None };
    }
}

impl Life {
    /// Where a part of it is.
    pub fn phase(&self, part: Part) -> &Phase {
        match part {
            Part::Dnskey => &self.dnskey,
            Part::Signatures => &self.signatures,
            Part::Ds => &self.ds,
        }
    }

    fn phase_mut(&mut self, part: Part) -> &mut Phase {
        match part {
            Part::Dnskey => &mut self.dnskey,
            Part::Signatures => &mut self.signatures,
            Part::Ds => &mut self.ds,
        }
    }

    fn is_present(&self) -> bool {
        self.retired.is_none()
    }

    /// Whether it waits for no cache.
    fn in_haste(&self) -> bool {
        self.hasty || self.retired == Some(Retired::Compromised)
    }

    /// What a key is at the moment coming to, if it has not come to rest.
    fn unsettled(&self) -> Option<String> {
        if let Some(retired) = self.retired {
            return Some(format!("is to go ({})", retired.name()));
        }
        let moving = |&part: &Part| {
            let phase = self.phase(part);
            // A DS that was asked for and is not there vouches for nothing.
            phase.moves() && (part != Part::Ds || self.sighted) || part == Part::Dnskey && !phase.is_shown()
        };
        let part = Part::ALL.into_iter().find(moving)?;
        Some(format!("has a {} record that is {}", part.name(), self.phase(part).state.name()))
    }

    fn is_over(&self) -> bool {
        let was_shown = Part::ALL.iter().any(|&part| self.phase(part).since != Timestamp::default());
        was_shown && !self.is_present() && Part::ALL.iter().all(|&part| self.phase(part).is(State::Hidden))
    }

    /// Whether nobody was ever given anything of it.
    fn is_unborn(&self) -> bool {
        !self.asked && Part::ALL.iter().all(|&part| *self.phase(part) == Phase::default())
    }
}

impl Lifecycle {
    /// Whether nothing is known of any key.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Whether nothing is known at all.
    pub fn is_untouched(&self) -> bool {
        *self == Self::default()
    }

    /// Whether new keys may be made without any that are in use: the zone became unsigned as it should.
    pub fn has_none_by_right(&self) -> bool {
        self.left && self.keys.is_empty()
    }

    /// Whether the zone is on its way to unsigned.
    pub fn is_leaving(&self) -> bool {
        self.leaving
    }

    /// The keys that are not yet over, each with its life.
    pub fn keys(&self) -> impl Iterator<Item = (KeyId, &Life)> {
        self.keys.iter().map(|(id, life)| (*id, life))
    }

    /// Whether the life of this key is over: it is never taken up again.
    pub fn has_ended(&self, key: KeyId) -> bool {
        self.over.contains(&key)
    }

    /// What is done with a key once `transitions` are taken.
    pub fn duties(&self, id: KeyId, transitions: &[Transition]) -> Duties {
        let Some(life) = self.keys.get(&id) else { return Duties::default() };
        let shown = |part, before| {
            let planned = transitions.iter().rev().find(|each| (each.key, each.part) == (id, part));
            planned.map_or(before, |planned| planned.state == State::Rumoured)
        };
        let published = shown(Part::Dnskey, life.dnskey.is_shown());
        Duties {
            published,
            signs_keys: published && life.entry_point,
            signs_data: shown(Part::Signatures, life.signatures.is_shown()),
            submitted: shown(Part::Ds, life.asked),
        }
    }

    /// What CDS says.
    pub fn submission(&self) -> Submission {
        if self.leaving { Submission::Delete } else { Submission::Keys }
    }

    /// Takes in the keys that there are. Those that are new begin their life; the first ones of a zone may have been in
    /// use elsewhere, unless they were made here, and are used at once. Says whether anything changed.
    pub fn adopt<'k>(
        &mut self,
        keys: impl IntoIterator<Item = (&'k PublicKey, Timing)>,
        made_here: bool,
        now: Timestamp,
    ) -> bool {
        let before = self.clone();
        let first = self.keys.is_empty();
        let mut there = BTreeSet::new();
        for (key, timing) in keys {
            let id = KeyId::of(key);
            there.insert(id);
            let deleted = timing.is_deleted(now);
            let inactive = timing.inactive.is_some_and(|at| at <= now) || deleted;
            if let Some(life) = self.keys.get_mut(&id) {
                (life.publish, life.activate) = (timing.publish, timing.activate);
                if inactive && life.retired.is_none() {
                    life.retired = Some(Retired::File);
                }
                continue;
            }
            if deleted || self.over.contains(&id) {
                continue;
            }
            let taken_over = first && timing.publish.is_none_or(|at| at <= now);
            let mut life = Life {
                entry_point: key.is_secure_entry_point(),
                retired: inactive.then_some(Retired::File),
                publish: timing.publish,
                activate: timing.activate,
                taken_over,
                unseen: taken_over && !made_here && key.is_secure_entry_point(),
                hasty: false,
                asked: false,
                sighted: false,
                in_use: None,
                dnskey: Phase::default(),
                signatures: Phase::default(),
                ds: Phase::default(),
            };
            if taken_over && inactive {
                // Caches may have its signatures.
                life.signatures.set(State::Unretentive, now, None);
            }
            life.hasty = self.keys.values().any(|other| {
                other.retired == Some(Retired::Compromised) && other.entry_point == life.entry_point
            });
            self.keys.insert(id, life);
            self.left = false;
        }
        self.over.retain(|id| there.contains(id));
        self.keys.retain(|id, life| there.contains(id) || !life.is_unborn());
        *self != before
    }

    /// Whether the zone's life needs keys that are not there: each with its role.
    pub fn needs(&self, plan: &Plan) -> Vec<(Role, Algorithm)> {
        let Some(layout) = plan.layout else { return Vec::new() };
        let has = |entry_point| {
            self.keys.iter().any(|(id, life)| {
                life.is_present()
                    && life.entry_point == entry_point
                    && id.algorithm == plan.algorithm.number()
            })
        };
        let mut needs = Vec::new();
        if !has(true) {
            needs.push(if layout == Layout::Csk { Role::Csk } else { Role::Ksk });
        }
        if layout == Layout::KskZsk && !has(false) {
            needs.push(Role::Zsk);
        }
        needs.into_iter().map(|role| (role, plan.algorithm)).collect()
    }

    /// Takes what time, the policy and the keys' files call for. Says whether anything changed.
    pub fn settle(&mut self, plan: &Plan, now: Timestamp) -> bool {
        let before = self.clone();
        self.pass(now);
        self.follow(plan, now);
        *self != before
    }

    /// What time does alone.
    fn pass(&mut self, now: Timestamp) {
        let settled: Vec<(KeyId, Part, State)> = self
            .keys
            .iter()
            .flat_map(|(id, life)| Part::ALL.map(|part| (*id, part, life)))
            .filter(|(_, part, life)| self.settles(life, *part).is_some_and(|at| at <= now))
            .map(|(id, part, life)| {
                let rumoured = life.phase(part).is(State::Rumoured);
                (id, part, if rumoured { State::Omnipresent } else { State::Hidden })
            })
            .collect();
        for (id, part, state) in settled {
            let Some(life) = self.keys.get_mut(&id) else { continue };
            life.phase_mut(part).set(state, now, None);
            if part == Part::Ds && state == State::Hidden {
                life.sighted = false;
            }
        }
        let over: Vec<_> = self.keys.iter().filter(|(_, life)| life.is_over()).map(|(id, _)| *id).collect();
        for id in over {
            self.keys.remove(&id);
            self.over.insert(id);
        }
        if let Delegation::Released { since } = self.delegation
            && self.trusted_until(since) <= now
        {
            self.delegation = Delegation::Insecure;
        }
        // Once it has taken the place of the key in other hands, it is one like any other.
        let compromised = |life: &&Life| life.retired == Some(Retired::Compromised);
        let roles: BTreeSet<bool> =
            self.keys.values().filter(compromised).map(|life| life.entry_point).collect();
        for life in self.keys.values_mut() {
            life.hasty &= roles.contains(&life.entry_point);
        }
    }

    /// When a part that moves comes to rest, as far as that can be told.
    pub fn settles(&self, life: &Life, part: Part) -> Option<Timestamp> {
        let phase = life.phase(part);
        let everywhere = phase.everywhere.filter(|_| phase.moves())?;
        if part == Part::Ds && phase.serial.is_some() {
            return None;
        }
        // What is unsigned while keys are trusted is bogus, whoever has them.
        if self.leaving && part == Part::Ds {
            return Some(self.trusted_until(everywhere));
        }
        if life.in_haste() {
            return Some(everywhere);
        }
        let ttls = match part {
            Part::Dnskey => &self.dnskey_ttls,
            Part::Signatures => &self.zone_ttls,
            Part::Ds => &self.ds_ttls,
        };
        Some(ttls.forgotten(everywhere))
    }

    /// Which keys the policy wants, and which no more.
    fn follow(&mut self, plan: &Plan, now: Timestamp) {
        self.leaving = plan.layout.is_none() && !self.keys.is_empty();
        let fits = |id: &KeyId, life: &Life| match plan.layout {
            None => false,
            Some(layout) => {
                id.algorithm == plan.algorithm.number() && (life.entry_point || layout == Layout::KskZsk)
            }
        };
        for (id, life) in &mut self.keys {
            let lifetime = if life.entry_point { plan.entry_point_lifetime } else { plan.zsk_lifetime };
            match life.retired {
                None if !fits(id, life) => life.retired = Some(Retired::Policy),
                None if lifetime.zip(life.in_use).is_some_and(|(span, since)| since + span <= now) => {
                    life.retired = Some(Retired::Lifetime);
                }
                // The policy has changed its mind.
                Some(Retired::Policy) if fits(id, life) && !life.dnskey.is(State::Unretentive) => {
                    life.retired = None;
                }
                _ => {}
            }
        }
    }

    /// What the next version does.
    pub fn transitions(&self, plan: &Plan, now: Timestamp) -> Vec<Transition> {
        guards::transitions(self, plan, now)
    }

    /// The version `serial` takes these transitions; it is served since `now`, with these TTLs.
    pub fn published(&mut self, transitions: &[Transition], serial: Serial, now: Timestamp) {
        for each in transitions {
            let Some(life) = self.keys.get_mut(&each.key) else { continue };
            if each.part == Part::Ds {
                life.ask(each.state == State::Rumoured, serial, now);
                continue;
            }
            life.taken_over &= each.part != Part::Dnskey;
            life.phase_mut(each.part).set(each.state, now, Some(serial.0));
            if each.part == Part::Signatures && !life.entry_point {
                life.in_use = life.in_use.or(Some(now));
            }
        }
        for life in self.keys.values_mut() {
            // What was so before danelaw had the key.
            for part in [Part::Dnskey, Part::Signatures] {
                let phase = life.phase_mut(part);
                if phase.moves() && phase.serial.is_none() {
                    phase.serial = Some(serial.0);
                }
            }
        }
    }

    /// The largest TTLs of a version.
    pub fn served(&mut self, serial: Serial, dnskey: Ttl, zone: Ttl) {
        self.dnskey_ttls.publish(dnskey, serial.0);
        self.zone_ttls.publish(zone, serial.0);
    }

    /// The largest TTL in the zone, as far as it was found out.
    pub fn largest_zone_ttl(&self) -> Ttl {
        self.zone_ttls.current()
    }

    /// Every nameserver was seen, `now`, with this version or a later one; `None`: one of them was not.
    pub fn seen(&mut self, oldest: Option<Serial>, now: Timestamp) -> bool {
        let before = self.clone();
        let has = |serial: u32| oldest.is_some_and(|oldest| Serial(serial) <= oldest);
        for life in self.keys.values_mut() {
            for part in [Part::Dnskey, Part::Signatures] {
                let phase = life.phase_mut(part);
                let Some(serial) = phase.serial.filter(|_| phase.moves()) else { continue };
                if !has(serial) {
                    // Who was seen with it and has it no more may have given out what was before.
                    if oldest.is_some() {
                        phase.everywhere = None;
                    }
                } else if phase.everywhere.is_none() {
                    phase.everywhere = Some(now);
                }
            }
            if life.ds.serial.is_some_and(has) {
                // Whoever looks at CDS from now on finds it; the parent may just have found what was before.
                life.ds.serial = None;
                life.ds.everywhere = life.ds.everywhere.map(|_| now);
            }
        }
        self.dnskey_ttls.everywhere(has, now);
        self.zone_ttls.everywhere(has, now);
        *self != before
    }

    /// Which version nameservers have yet to be seen with.
    pub fn awaited(&self) -> Option<Serial> {
        let phases = self.keys.values().flat_map(|life| [&life.dnskey, &life.signatures]);
        let awaited = phases.filter(|phase| phase.moves() && phase.everywhere.is_none());
        let submissions = self.keys.values().filter_map(|life| life.ds.serial);
        let ttls = self.dnskey_ttls.awaited().chain(self.zone_ttls.awaited());
        let serials = awaited.filter_map(|phase| phase.serial).chain(submissions).chain(ttls).map(Serial);
        serials.reduce(|a, b| if a < b { b } else { a })
    }

    /// Begins a rollover of the keys of one role.
    pub fn roll(&mut self, entry_point: bool) -> Result<Vec<KeyId>, RollError> {
        let role = role(entry_point);
        if self.leaving {
            return Err(RollError::Leaving);
        }
        let of_role = |life: &Life| life.entry_point == entry_point;
        for (id, life) in self.keys.iter().filter(|(_, life)| of_role(life)) {
            if let Some(what) = life.unsettled() {
                return Err(RollError::UnderWay { role, key: *id, what });
            }
        }
        let mut rolled = Vec::new();
        for (id, life) in self.keys.iter_mut().filter(|(_, life)| of_role(life)) {
            life.retired = Some(Retired::Asked);
            rolled.push(*id);
        }
        if rolled.is_empty() { Err(RollError::NoKey(role)) } else { Ok(rolled) }
    }

    /// A key is in other hands: its successor takes its place without a wait for caches.
    pub fn compromise(&mut self, tag: u16) -> Result<KeyId, RollError> {
        if self.leaving {
            return Err(RollError::Leaving);
        }
        let id = self.keys.keys().find(|id| id.tag == tag).copied().ok_or(RollError::Unknown(tag))?;
        let Some(entry_point) = self.keys.get(&id).map(|life| life.entry_point) else {
            return Err(RollError::Unknown(tag));
        };
        for (other, life) in &mut self.keys {
            if *other == id {
                life.retired = Some(Retired::Compromised);
            } else if life.entry_point == entry_point && life.is_present() {
                life.hasty = true;
            }
        }
        Ok(id)
    }

    /// For how long validators may fail if nothing waits for caches: they may hold the DNSKEY RRset, and where a secure
    /// entry point goes the DS RRset, from before.
    pub fn cost_of_compromise(&self, tag: u16) -> Option<Seconds> {
        let life = self.keys.iter().find(|(id, _)| id.tag == tag)?.1;
        let ds = if life.entry_point { self.ds_ttls.largest() } else { Ttl(0) };
        let cost = self.dnskey_ttls.largest().max(ds).max(self.zone_ttls.largest());
        Some(Seconds(u64::from(cost.0)))
    }

    /// Whether a zone that is to be unsigned may be: no cache knows a DS, whomever it names, and the parent was asked.
    pub fn may_leave(&self) -> bool {
        self.leaving
            && self.delegation == Delegation::Insecure
            && self.keys.values().all(|life| life.ds.is(State::Hidden) && !life.unseen)
    }

    /// When something changes by time alone.
    pub fn wake_at(&self, plan: &Plan, now: Timestamp) -> Timestamp {
        let settle =
            self.keys.values().flat_map(|life| Part::ALL.map(|part| self.settles(life, part))).flatten();
        let released = match self.delegation {
            Delegation::Released { since } => Some(self.trusted_until(since)),
            _ => None,
        };
        let files = self.keys.values().flat_map(|life| [life.publish, life.activate]).flatten();
        let ends = self.keys.values().filter(|life| life.is_present()).filter_map(|life| {
            let span = if life.entry_point { plan.entry_point_lifetime } else { plan.zsk_lifetime };
            Some(life.in_use? + span?)
        });
        let later = files.chain(ends).filter(|&at| at > now);
        settle.chain(later).chain(released).min().unwrap_or(Timestamp::NEVER)
    }

    /// It is `now`, and so much less time has passed than the clock says. Nothing began later than now, whatever the
    /// clock has shown before.
    pub fn clock_was_set_ahead(&mut self, by: Seconds, now: Timestamp) {
        let later = |at: Timestamp| (at + by).min(now);
        for life in self.keys.values_mut() {
            for part in Part::ALL {
                let phase = life.phase_mut(part);
                phase.everywhere = phase.everywhere.map(later);
            }
            life.in_use = life.in_use.map(later);
        }
        if let Delegation::Released { since } = &mut self.delegation {
            *since = later(*since);
        }
        for ttls in [&mut self.dnskey_ttls, &mut self.zone_ttls, &mut self.ds_ttls] {
            ttls.delay(by, now);
        }
    }

    /// The zone is unsigned.
    pub fn has_left(&mut self) {
        self.over.extend(std::mem::take(&mut self.keys).into_keys());
        (self.leaving, self.left) = (false, true);
        // Nobody looks at the parent of a zone that has no keys.
        self.delegation = Delegation::Unknown;
    }
}

impl Retired {
    /// In a word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Policy => "policy",
            Self::Lifetime => "lifetime",
            Self::Asked => "asked for",
            Self::File => "its file",
            Self::Compromised => "compromised",
        }
    }
}

fn role(entry_point: bool) -> &'static str {
    if entry_point { "KSK" } else { "ZSK" }
}
