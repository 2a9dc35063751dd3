//! A zone's keys: where each is in its life, what has to be seen outside for it to go on, and who has to do something.
//!
//! The [`Lifecycle`] decides; here it is told what there is, what is served, and what was seen. It is looked at when
//! something was, and when time alone changes something.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Keys, NEW_KEYS, Zone};
use crate::config::Parent;
use crate::dns::rtype::Rtype;
use crate::dns::time::{MINUTE, Now, Seconds, Timestamp};
use crate::dnssec::key::{Algorithm, DigestType, PublicKey, Role, SigningKey};
use crate::dnssec::keyset::{KeySet, Submission, Timing};
use crate::dnssec::lifecycle::{DsRrset, KeyId, Lifecycle, Plan, RollError, Transition, names};
use crate::dnssec::proof::Dnskey;
use crate::engine::convert;
use crate::engine::input::{Effect, Handover, Level};
use crate::engine::outside::{Answers, Question, SignedRrset, serial_of};
use crate::zone::{Node, Serial, Snapshot, Step};

/// How long to wait before a key that could not be made is tried again.
const MAKE_AGAIN: Seconds = Seconds(10 * MINUTE.0);

/// What is known of the outside, and what is under way, as far as keys go.
#[derive(Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub(in crate::engine) struct KeyWork {
    /// Something was told since the lifecycle was looked at.
    told: bool,
    /// When time alone changes something.
    due: Option<Timestamp>,
    /// The serial that each nameserver was seen with, or that it was not.
    nameservers: BTreeMap<Question, Option<Serial>>,
    /// Which nameservers there are.
    asked: BTreeSet<Question>,
    /// What the parent's servers gave last, and when.
    parent: Option<(Timestamp, Vec<DsRrset>)>,
    /// Why the parent could not be asked, and since when.
    parent_error: Option<(Timestamp, String)>,
    /// Keys are being made.
    pub(super) making: bool,
    /// Some were, since the start.
    made_here: bool,
    make_again: Option<Timestamp>,
    /// Keys whose files were to say that their life is over, since the start.
    ended: BTreeSet<KeyId>,
    /// What there is to hand to the parent has been told,
    handed: Option<String>,
    /// and has been handed over: the keys whose DS should come, and go.
    handed_over: (Vec<KeyId>, Vec<KeyId>),
    /// What the zone's command was given last.
    given: Option<Handover>,
    /// The parent is told that CDS has changed once every nameserver has this version.
    announce: Option<Serial>,
    /// Whether nameservers and the parent are waited for, as the host was told.
    pub(in crate::engine) watched: (bool, Option<bool>),
    /// The zone may be unsigned, and its file has to be read as it stands.
    pub(in crate::engine) left: bool,
}

impl Zone {
    /// What the policy asks for.
    pub(super) fn plan(&self) -> Plan {
        let policy = &self.config.policy;
        // Which of them danelaw can roll, nobody knows before they are read.
        let may_roll = |entry_point| matches!(self.keys, Keys::Read(_)) && self.makes_keys(entry_point);
        Plan {
            layout: policy.signs().then(|| convert::layout(policy.keys)),
            algorithm: convert::signing_algorithm(policy.algorithm),
            entry_point_lifetime: policy.lifetimes.entry_point(policy.keys).filter(|_| may_roll(true)),
            zsk_lifetime: policy.lifetimes.zsk.filter(|_| may_roll(false)),
            method: convert::ksk_rollover(policy.ksk_rollover),
        }
    }

    /// Keys, policy, or what is seen outside may have changed.
    pub(super) fn look_at_keys(&mut self) {
        self.key_work.told = true;
    }

    /// When the keys are to be looked at by themselves.
    pub(super) fn keys_due(&self) -> Option<Timestamp> {
        self.key_work.due
    }

    /// Takes the keys of the zone as far as what is known lets them go, if that may have changed.
    pub(in crate::engine) fn settle_keys(&mut self, now: Now, effects: &mut Vec<Effect>) -> bool {
        let due = self.key_work.due.is_some_and(|at| at <= now.latest);
        if !std::mem::take(&mut self.key_work.told) && !due {
            return false;
        }
        let plan = self.plan();
        let before = self.record.keys.clone();
        let mut next = Timestamp::NEVER;
        if let Keys::Read(keys) = &self.keys {
            if plan.layout.is_some() || !self.record.keys.is_empty() {
                let usable = keys.iter().filter(|(key, _)| self.can_join(key, now.latest));
                let usable = usable.map(|(key, timing)| (key.public(), *timing)).collect::<Vec<_>>();
                self.record.keys.adopt(usable, self.key_work.made_here, now.latest);
            }
            let files = keys.iter().map(|(_, timing): &(_, Timing)| timing.next_change(now.latest));
            next = files.min().unwrap_or(next);
        }
        self.see_nameservers(now.latest, effects);
        self.record.keys.settle(&plan, now.latest);
        if self.record.keys != before {
            self.say_key_changes(&before, effects);
            self.store_record();
            self.look_again();
            if self.record.keys.may_leave() && self.record.signed {
                self.key_work.left = true;
            }
        }
        if !self.record.keys.transitions(&plan, now.latest).is_empty() {
            self.look_again();
        }
        self.end_keys(now.latest, effects);
        self.make_keys(now, &plan, effects);
        next = next.min(self.record.keys.wake_at(&plan, now.latest));
        next = self.key_work.make_again.map_or(next, |at| next.min(at));
        self.key_work.due = Some(next).filter(|&at| at != Timestamp::NEVER);
        self.watch_parent(now.latest, effects);
        true
    }

    /// Has the files say it of keys whose life is over: the state may be lost, or the zone taken out and put back.
    fn end_keys(&mut self, now: Timestamp, effects: &mut Vec<Effect>) {
        let Keys::Read(keys) = &self.keys else { return };
        let silent = keys.iter().filter(|(_, timing)| !timing.is_deleted(now));
        let ended =
            silent.map(|(key, _)| KeyId::of(key.public())).filter(|id| self.record.keys.has_ended(*id));
        let ended: Vec<KeyId> = ended.filter(|id| self.key_work.ended.insert(*id)).collect();
        if !ended.is_empty() {
            effects.push(Effect::EndKeys { zone: self.origin().clone(), keys: ended, at: now });
        }
    }

    /// Has keys made that the policy or a rollover calls for; never in place of one that is missing.
    fn make_keys(&mut self, now: Now, plan: &Plan, effects: &mut Vec<Effect>) {
        let life = &self.record.keys;
        let may = matches!(self.keys, Keys::Read(_)) && (!life.is_empty() || life.has_none_by_right());
        let again = self.key_work.make_again.is_none_or(|at| now.is_time_to_retry(at, MAKE_AGAIN));
        let is_ours = |(role, _): &(Role, Algorithm)| self.makes_keys(*role != Role::Zsk);
        let (wanted, others): (Vec<_>, Vec<_>) = life.needs(plan).into_iter().partition(is_ours);
        self.watch_needs(now.latest, !others.is_empty(), effects);
        if wanted.is_empty() || !may || !again || self.key_work.making {
            return;
        }
        self.key_work.making = true;
        self.key_work.make_again = None;
        effects.push(Effect::GenerateKeys { zone: self.origin().clone(), wanted });
    }

    /// Keys were to be made.
    pub(in crate::engine) fn keys_made(
        &mut self,
        now: Now,
        outcome: Result<Vec<(Arc<SigningKey>, Timing)>, String>,
        effects: &mut Vec<Effect>,
    ) {
        self.key_work.making = false;
        let reason = match outcome {
            Ok(keys) => {
                self.key_work.made_here = true;
                self.alarms.clear(NEW_KEYS);
                return self.keys(now, Ok(keys), effects);
            }
            Err(reason) => reason,
        };
        let reason = format!("a new key cannot be made: {reason}; it is tried again every {MAKE_AGAIN}");
        self.refuse(now.latest, NEW_KEYS, &reason, effects);
        if self.record.keys.is_empty() {
            self.keys_again = Some(now.shown + MAKE_AGAIN);
        } else {
            self.key_work.make_again = Some(now.shown + MAKE_AGAIN);
            self.look_at_keys();
        }
    }

    /// The keys at this moment, once `transitions` are taken; none while they have not been read or cannot be used.
    pub(super) fn key_set(&self, transitions: &[Transition]) -> Result<Option<Arc<KeySet>>, String> {
        let Keys::Read(keys) = &self.keys else { return Ok(None) };
        let life = &self.record.keys;
        let keys =
            keys.iter().map(|(key, _)| (Arc::clone(key), life.duties(KeyId::of(key.public()), transitions)));
        let layout = convert::layout(self.config.policy.keys);
        // What asks for no DS is not among what is signed ahead.
        let submission = if self.has_signed_ahead() { Submission::Keys } else { life.submission() };
        let set = KeySet::of(keys, layout, submission).map_err(|error| error.to_string())?;
        Ok(Some(Arc::new(set.with_foreign(convert::foreign_dnskeys(&self.config)))))
    }

    /// Writes into `keys` that this version takes these transitions.
    pub(super) fn note_version(
        keys: &mut Lifecycle,
        transitions: &[Transition],
        version: &Snapshot,
        step: &Step,
        whole: bool,
        now: Timestamp,
    ) {
        let is_signed = version.apex().is_some_and(|apex| apex.has(Rtype::DNSKEY));
        if !is_signed && keys.may_leave() {
            keys.has_left();
        }
        let negative = version.negative_ttl();
        let dnskey = version.apex().and_then(|apex| apex.rrset(Rtype::DNSKEY)).map(|rrset| rrset.ttl());
        // A pass over the zone only where there has been one anyway.
        let largest = if whole {
            version.contents().largest_ttl()
        } else {
            let changed = step.nodes.iter().filter_map(|change| version.nodes.get(change.owner()));
            let largest = changed.flat_map(Node::rrsets).map(|rrset| rrset.ttl()).max().unwrap_or_default();
            largest.max(keys.largest_zone_ttl())
        };
        keys.served(version.serial(), dnskey.unwrap_or(negative).max(negative), largest.max(negative));
        keys.published(transitions, version.serial(), now);
    }

    /// What has become of the keys since `before`.
    pub(super) fn say_key_changes(&self, before: &Lifecycle, effects: &mut Vec<Effect>) {
        for change in self.record.keys.changes_since(before) {
            let line = format!("{}: {change}", self.origin());
            effects.push(Effect::Log { level: Level::Info, line });
        }
    }

    // --- nameservers ---

    /// Whether nameservers have to be asked which version they have.
    pub(in crate::engine) fn awaits_nameservers(&self) -> bool {
        self.record.keys.awaited().is_some() || self.key_work.announce.is_some()
    }

    /// These are to be seen with the zone.
    pub(in crate::engine) fn has_nameservers(&mut self, asked: BTreeSet<Question>) {
        if self.key_work.asked != asked {
            self.key_work.nameservers.retain(|question, _| asked.contains(question));
            self.key_work.asked = asked;
        }
        self.look_at_keys();
    }

    /// A nameserver was asked for the zone's SOA record.
    pub(in crate::engine) fn nameserver_answered(
        &mut self,
        now: Now,
        question: &Question,
        outcome: &Answers,
    ) {
        if !self.key_work.asked.contains(question) {
            return;
        }
        let serial = self.snapshot().and_then(|snapshot| {
            let answers = outcome.as_ref().ok().filter(|answers| !answers.is_empty())?;
            let serial = |answer: &Result<SignedRrset, String>| {
                serial_of(snapshot, question, answer.as_ref().ok()?, now).ok()
            };
            let serials: Option<Vec<Serial>> = answers.iter().map(|(_, answer)| serial(answer)).collect();
            serials?.into_iter().reduce(oldest)
        });
        if self.key_work.nameservers.insert(question.clone(), serial) != Some(serial) {
            self.look_at_keys();
        }
    }

    fn see_nameservers(&mut self, now: Timestamp, effects: &mut Vec<Effect>) {
        let Some(served) = self.serial() else { return };
        let seen = if self.key_work.asked.is_empty() {
            // Nobody but danelaw serves it, unless somebody has yet to find out who does.
            if !self.key_work.watched.0 {
                return;
            }
            Some(served)
        } else {
            let all: Option<Vec<Serial>> = self
                .key_work
                .asked
                .iter()
                .map(|each| self.key_work.nameservers.get(each).copied()?)
                .collect();
            all.and_then(|serials| serials.into_iter().reduce(oldest))
        };
        self.record.keys.seen(seen, now);
        // RFC 9859 §4.2: whoever comes to look must find it, whichever nameserver is asked.
        let announced =
            self.key_work.announce.zip(seen).is_some_and(|(serial, seen)| oldest(serial, seen) == serial);
        if announced {
            self.key_work.announce = None;
            effects.push(Effect::NotifyParent { zone: self.origin().clone() });
        }
    }

    // --- the parent ---

    /// What it was seen with may have been put right meanwhile: it is asked again before anything is said of it.
    pub(super) fn forget_parent(&mut self) {
        self.key_work.parent = None;
    }

    /// Whether the parent is to be asked for the zone's DS records, and whether something is awaited there.
    pub(in crate::engine) fn awaits_parent(&self) -> Option<bool> {
        let signed = self.record.keys.keys().next().is_some();
        let (add, remove) = self.record.keys.for_parent();
        let unknown = self.key_work.parent.is_none();
        let awaited = unknown || !add.is_empty() || !remove.is_empty() || self.record.keys.is_leaving();
        // What nobody ordered there is to be seen gone soon, too.
        signed.then(|| awaited || self.stray_ds().is_some())
    }

    /// Whether CDS asks for a DS record where there is none, as far as is known: only signalling names can say so in a
    /// way that the parent can trust.
    pub(in crate::engine) fn asks_for_first_ds(&self) -> bool {
        let (add, _) = self.record.keys.for_parent();
        let has_none = match &self.key_work.parent {
            Some((_, servers)) => servers.iter().all(|rrset| rrset.rdatas.is_empty()),
            None => !self.record.keys.is_secure(),
        };
        self.config.signal && !add.is_empty() && has_none
    }

    /// The parent's servers were asked for the zone's DS records.
    pub(in crate::engine) fn at_parent(
        &mut self,
        now: Now,
        outcome: Result<Vec<DsRrset>, String>,
        effects: &mut Vec<Effect>,
    ) {
        match outcome {
            Ok(servers) => {
                self.key_work.parent_error = None;
                if let Keys::Read(keys) = &self.keys {
                    let keys: Vec<PublicKey> = keys.iter().map(|(key, _)| key.public().clone()).collect();
                    let apex = self.config.origin.clone();
                    let before = self.record.keys.clone();
                    if self.record.keys.parent(apex.as_ref(), &keys, &servers, now.latest) {
                        self.say_key_changes(&before, effects);
                        self.store_record();
                    }
                }
                self.key_work.parent = Some((now.latest, servers));
            }
            Err(error) => {
                let since = self.key_work.parent_error.as_ref().map_or(now.latest, |(since, _)| *since);
                self.key_work.parent_error = Some((since, error));
            }
        }
        self.look_at_keys();
        self.watch_parent(now.latest, effects);
    }

    /// Alarms about what the parent has, and about what it lacks.
    fn watch_parent(&mut self, now: Timestamp, effects: &mut Vec<Effect>) {
        match self.stray_ds() {
            Some(text) => self.warn(now, STRAY_DS, &text, effects),
            None => drop(self.alarms.clear(STRAY_DS)),
        }
        let handover = self.handover();
        // A zone that no validator expects to be signed may stay so.
        let concerns = self.record.keys.is_secure();
        match handover.clone().filter(|_| concerns) {
            Some(text) => self.warn(now, PARENT, &text, effects),
            None => drop(self.alarms.clear(PARENT)),
        }
        if self.key_work.handed != handover {
            if let Some(text) = handover.clone().filter(|_| !concerns) {
                let line = format!("{}: {text}", self.origin());
                effects.push(Effect::Log { level: Level::Info, line });
            }
            self.key_work.handed = handover;
        }
        self.hand_over(effects);
    }

    /// Gives what there is to hand to the parent to whom it concerns, each time that it changes.
    fn hand_over(&mut self, effects: &mut Vec<Effect>) {
        let (add, remove) = self.record.keys.for_parent();
        let is_any = !add.is_empty() || !remove.is_empty();
        // What the records of keys that cannot be read now are, is known when they can.
        if matches!(self.keys, Keys::Read(_)) {
            let zone = self.origin().clone();
            let command = self.config.parent_hook.clone().filter(|_| is_any);
            let (added, removed) = (self.ds_lines(&add), self.ds_lines(&remove));
            let handover =
                command.map(|command| Handover { zone: zone.clone(), command, add: added, remove: removed });
            if self.key_work.given != handover {
                self.key_work.given.clone_from(&handover);
                effects.push(Effect::HandOver { zone, handover });
            }
        }
        if (&add, &remove) == (&self.key_work.handed_over.0, &self.key_work.handed_over.1) {
            return;
        }
        if is_any {
            self.key_work.announce = self.serial().filter(|_| self.config.parent != Parent::Off);
        }
        self.key_work.handed_over = (add, remove);
    }

    pub(super) fn warn(
        &mut self,
        now: Timestamp,
        topic: &'static str,
        text: &str,
        effects: &mut Vec<Effect>,
    ) {
        if self.alarms.raise(topic, now, text.to_owned()) {
            effects.push(Effect::Log { level: Level::Error, line: format!("{}: {text}", self.origin()) });
        }
    }

    /// What there is to hand to the parent, for who does that by hand.
    pub(in crate::engine) fn handover(&self) -> Option<String> {
        let (add, remove) = self.record.keys.for_parent();
        if self.record.keys.is_leaving() && !self.record.keys.may_leave() {
            let cds = if self.has_signed_ahead() {
                "CDS cannot say so, as that is not signed ahead"
            } else {
                "CDS says so"
            };
            return Some(format!(
                "the zone is to be unsigned: have all DS records removed at the parent ({cds}); it is signed until none \
                 has been seen there, and no cache has one any more (where the parent cannot be asked, say \
                 `danelaw key ds-gone` for each key)"
            ));
        }
        if add.is_empty() && remove.is_empty() {
            return None;
        }
        let mut parts = Vec::new();
        if !add.is_empty() {
            parts.push(format!("add {}", self.ds_text(&add)));
        }
        if !remove.is_empty() {
            parts.push(format!("remove {}", self.ds_text(&remove)));
        }
        let error = self.key_work.parent_error.as_ref();
        let error = error.map_or(String::new(), |(since, error)| {
            format!("; the parent cannot be asked since {since}: {error} (see `danelaw key ds-seen`)")
        });
        Some(format!(
            "hand to the parent, unless it goes by CDS: {}; nothing goes on until that is seen there{error}",
            parts.join("; ")
        ))
    }

    /// The DS records of these keys as a registrar wants them.
    fn ds_text(&self, ids: &[KeyId]) -> String {
        self.ds_lines(ids).iter().map(|line| format!("`{line}`")).collect::<Vec<_>>().join(", ")
    }

    fn ds_lines(&self, ids: &[KeyId]) -> Vec<String> {
        let Keys::Read(keys) = &self.keys else { return Vec::new() };
        let of = keys.iter().filter(|(key, _)| ids.contains(&KeyId::of(key.public())));
        let line = |key: &PublicKey| {
            let rdata = key.ds(self.origin().as_ref(), DigestType::Sha256);
            format!("{} DS {}", self.origin(), present(&rdata))
        };
        of.map(|(key, _)| line(key.public())).collect()
    }

    /// DS records at the parent that name no key of the zone.
    fn stray_ds(&self) -> Option<String> {
        let (_, servers) = self.key_work.parent.as_ref()?;
        let Keys::Read(keys) = &self.keys else { return None };
        let life = &self.record.keys;
        let apex = self.origin().as_ref();
        let duties = |key: &PublicKey| life.duties(KeyId::of(key), &[]);
        let keys = || keys.iter().map(|(key, _)| key.public());
        let foreign: Vec<Dnskey> = convert::foreign_dnskeys(&self.config).collect();
        let leads = |ds: &Vec<u8>| {
            keys().any(|key| duties(key).published && names(ds, key, apex))
                || foreign.iter().any(|key| key.is_named_by(apex, ds))
        };
        // The parent is asked for one that is not published yet, or to take away one that is not published any more.
        let is_asked_for = |ds: &Vec<u8>| {
            let (_, remove) = life.for_parent();
            keys().any(|key| {
                (duties(key).submitted || remove.contains(&KeyId::of(key))) && names(ds, key, apex)
            })
        };
        let none = servers.iter().any(|rrset| !rrset.rdatas.is_empty() && !rrset.rdatas.iter().any(leads));
        let all: BTreeSet<&Vec<u8>> = servers.iter().flat_map(|rrset| &rrset.rdatas).collect();
        let strays: Vec<&&Vec<u8>> =
            all.iter().filter(|ds| !leads(ds) && (none || !is_asked_for(ds))).collect();
        if strays.is_empty() {
            return None;
        }
        let listed: Vec<String> = strays.iter().map(|ds| format!("`DS {}`", present(ds))).collect();
        let consequence = if none {
            "no key of the zone is named there: VALIDATING RESOLVERS FAIL FOR THE WHOLE ZONE; have it replaced at once"
        } else {
            "have it removed, unless another signer of this zone has the key"
        };
        Some(format!("the parent has {}, which names no key of the zone; {consequence}", listed.join(", ")))
    }

    // --- people ---

    /// Does what a person wants, and says what comes of it.
    pub(in crate::engine) fn order_key(
        &mut self,
        order: KeyOrder,
        now: Timestamp,
    ) -> Result<String, RollError> {
        let makes_keys = [false, true].map(|entry_point| self.makes_keys(entry_point));
        let makes_keys = |entry_point: bool| makes_keys[usize::from(entry_point)];
        let life = &mut self.record.keys;
        let said = match order {
            KeyOrder::Roll { entry_point } if !makes_keys(entry_point) => {
                let tags: Vec<String> =
                    life.roll_to_youngest(entry_point)?.iter().map(|id| id.tag.to_string()).collect();
                format!("key {} goes once the one that is there already has taken its place", tags.join(", "))
            }
            KeyOrder::Roll { entry_point } => {
                let tags: Vec<String> = life.roll(entry_point)?.iter().map(|id| id.tag.to_string()).collect();
                format!("a successor of key {} is made", tags.join(", "))
            }
            KeyOrder::Compromised { tag, confirmed } => {
                let cost = life.cost_of_compromise(tag).ok_or(RollError::Unknown(tag))?;
                let entry_point = life.keys().any(|(id, life)| id.tag == tag && life.entry_point);
                if !makes_keys(entry_point) {
                    life.must_have_successor(tag)?;
                }
                let cost = format!(
                    "key {tag} goes as soon as its successor is seen everywhere; validating resolvers that remember what \
                     was before fail for up to {cost} after that"
                );
                if !confirmed {
                    return Ok(cost);
                }
                life.compromise(tag)?;
                cost
            }
            KeyOrder::DsSeen { tag } => {
                life.ds_told(tag, true, now)?;
                format!("noted that the parent has the DS record of key {tag} everywhere")
            }
            KeyOrder::DsGone { tag } => {
                life.ds_told(tag, false, now)?;
                format!("noted that the parent has no DS record of key {tag} any more")
            }
        };
        self.key_was_commanded();
        Ok(format!("{said}; `danelaw status {}` shows how far it is", self.origin().as_ref().undotted()))
    }

    fn key_was_commanded(&mut self) {
        self.store_record();
        self.look_at_keys();
    }

    /// The clock was set ahead without time having passed.
    pub(in crate::engine) fn clock_was_set_ahead(&mut self, by: Seconds, now: Timestamp) {
        if !self.record.keys.is_empty() {
            self.record.keys.clock_was_set_ahead(by, now);
            self.key_was_commanded();
        }
    }
}

/// What a person may want of a zone's keys.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", rename_all_fields = "kebab-case")]
pub enum KeyOrder {
    /// Those of one role are replaced.
    Roll {
        /// The keys that the parent names, KSK or CSK; or the ZSK.
        entry_point: bool,
    },
    /// One is in other hands, and is replaced without a wait for caches.
    Compromised {
        /// Which.
        tag: u16,
        /// Otherwise only what that means is told.
        confirmed: bool,
    },
    /// The parent has its DS record at all of its servers.
    DsSeen {
        /// Whose.
        tag: u16,
    },
    /// The parent has its DS record nowhere.
    DsGone {
        /// Whose.
        tag: u16,
    },
}

fn oldest(a: Serial, b: Serial) -> Serial {
    if a < b { a } else { b }
}

/// DS rdata as zone files have it.
fn present(rdata: &[u8]) -> String {
    let [tag_high, tag_low, algorithm, digest_type, digest @ ..] = rdata else { return String::new() };
    let tag = u16::from_be_bytes([*tag_high, *tag_low]);
    format!("{tag} {algorithm} {digest_type} {}", data_encoding::HEXUPPER.encode(digest))
}

const PARENT: &str = "parent";
const STRAY_DS: &str = "DS at the parent";
