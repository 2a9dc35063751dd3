//! What a zone is told: its file, its keys, transfers.

use std::net::IpAddr;
use std::sync::Arc;

use super::{FILE, KEYS, Keys, Pending, Work, Zone};
use crate::config;
use crate::dns::name::Name;
use crate::dns::problem::{Place, Problem, Problems};
use crate::dns::time::{MINUTE, Now, Seconds, Timestamp};
use crate::dnssec::key::SigningKey;
use crate::dnssec::keyset::Timing;
use crate::engine::input::{Effect, Level, ReadZone, Source, Transferred};
use crate::zone::{Contents, ManagedRrsets, Presigned, Serial};

/// How long to wait before keys that cannot be used are read again.
const READ_KEYS_AGAIN: Seconds = MINUTE;

impl Zone {
    /// A zone file was read, or could not be.
    pub(in crate::engine) fn file(
        &mut self,
        now: Timestamp,
        outcome: Result<Source, Problems>,
        effects: &mut Vec<Effect>,
    ) {
        // The configuration may have changed while it was read.
        if !matches!(self.config.source, config::ZoneSource::File(_)) {
            return;
        }
        match outcome {
            Ok(Source::Unchanged) => {
                let contents = self.served.as_ref().map(|version| version.snapshot().contents());
                match contents.and_then(|contents| self.policy_conflict(contents)) {
                    Some(conflict) => self.refuse(now, FILE, &conflict, effects),
                    None => drop(self.alarms.clear(FILE)),
                }
            }
            Ok(Source::Draft { draft, mut warnings, digest }) => {
                let draft = *draft;
                if let Some(conflict) = self.policy_conflict(&draft.contents) {
                    self.refuse(now, FILE, &format!("{}: {conflict}", draft.soa), effects);
                    return;
                }
                self.alarms.clear(FILE);
                self.note_file_serial(&draft.contents, &mut warnings);
                for warning in &warnings {
                    effects.push(Effect::Log { level: Level::Warning, line: warning.to_string() });
                }
                if draft.dropped > 0 {
                    let line = format!(
                        "{}: {} RRSIG, NSEC and NSEC3 records of the file are left out: danelaw makes its own",
                        self.origin(),
                        draft.dropped
                    );
                    effects.push(Effect::Log { level: Level::Warning, line });
                }
                self.warnings = warnings;
                self.draft =
                    Some(Box::new(Pending { contents: draft.contents, digest: Some(digest), current: None }));
                self.retry_at = None;
            }
            Err(problems) => self.refuse(now, FILE, &problems.to_string(), effects),
        }
    }

    /// A file whose serial went backwards is published all the same, since the served serial is our own; somebody should
    /// look at it.
    fn note_file_serial(&mut self, contents: &Contents, warnings: &mut Problems) {
        let config::ZoneSource::File(file) = &self.config.source else { return };
        let Some(serial) = contents.soa_timers().map(|timers| Serial(timers.serial)) else { return };
        if let Some(before) = self.file_serial.or(self.record.file_serial).filter(|&before| serial < before) {
            let what = format_args!(
                "the serial went backwards, from {before} to {serial}; the served serial grows all the same"
            );
            warnings.push(Problem::warning(Place::file(file.path.display().to_string()), what));
        }
        self.file_serial = Some(serial);
    }

    pub(super) fn policy_conflict(&self, contents: &Contents) -> Option<String> {
        if !self.is_signed_here() {
            return None;
        }
        let expire = Seconds(u64::from(contents.soa_timers()?.expire));
        self.config
            .policy
            .check_against(expire, contents.largest_ttl())
            .err()
            .map(|conflict| conflict.to_string())
    }

    /// The key directory was read, or could not be.
    pub(in crate::engine) fn keys(
        &mut self,
        now: Now,
        outcome: Result<Vec<(Arc<SigningKey>, Timing)>, String>,
        effects: &mut Vec<Effect>,
    ) {
        match outcome {
            // What was read before the keys that are being made were there says nothing; all are read again then.
            Ok(_) if self.key_work.making => {}
            Ok(keys) if keys.is_empty() && self.may_have_first_keys() => {
                self.key_work.making = true;
                let wanted = self.record.keys.needs(&self.plan());
                effects.push(Effect::GenerateKeys { zone: self.origin().clone(), wanted });
            }
            Ok(keys) if self.has_old_keys_alone(&keys, now.latest) => {
                let reason = format!(
                    "the life of each of its keys is over, as their files say (`Delete`), and none is made for a zone that \
                     has been signed; once the parent has no DS record of theirs, run `danelaw key generate {}` for each \
                     role of the policy, and reload",
                    self.origin()
                );
                self.keys_unusable(now, &reason, effects);
            }
            Ok(keys) => {
                if let Some(missing) = self.missing_keys(&keys) {
                    // PEERS.md, BIND GL#2596: never a new key for a zone that has been signed.
                    let reason = format!(
                        "the private key of tag {missing} is missing; restore its .key and .private files (no key is \
                         made for a zone that has been signed)"
                    );
                    self.keys_unusable(now, &reason, effects);
                    return;
                }
                self.look_at_keys();
                if !self.keys.are(&keys) {
                    self.look_again();
                    self.keys = Keys::Read(keys);
                }
                if !self.blocked {
                    self.alarms.clear(KEYS);
                }
            }
            Err(reason) => {
                self.keys_unusable(now, &reason, effects);
            }
        }
    }

    /// Whether it was never signed, or is not any more because that was wanted.
    fn may_have_first_keys(&self) -> bool {
        let never = !self.record.ever_signed || self.record.keys.has_none_by_right();
        never && self.config.policy.signs()
    }

    /// Whether nothing is known of the zone but files of keys that must not be used any more.
    fn has_old_keys_alone(&self, keys: &[(Arc<SigningKey>, Timing)], now: Timestamp) -> bool {
        let life = &self.record.keys;
        let knows_none = life.is_empty() && !life.has_none_by_right();
        self.config.policy.signs()
            && knows_none
            && !keys.is_empty()
            && keys.iter().all(|(_, timing)| timing.is_deleted(now))
    }

    fn keys_unusable(&mut self, now: Now, reason: &str, effects: &mut Vec<Effect>) {
        self.refuse(now.latest, KEYS, reason, effects);
        self.keys = Keys::Unusable;
        self.keys_again = Some(now.shown + READ_KEYS_AGAIN);
    }

    /// Reads unusable keys again when it is time.
    pub(in crate::engine) fn read_keys_again(&mut self, now: Now, effects: &mut Vec<Effect>) {
        if self.keys_again.is_some_and(|at| now.is_time_to_retry(at, READ_KEYS_AGAIN)) {
            self.keys_again = None;
            effects.push(Effect::ReadKeys { zone: self.origin().clone() });
        }
    }

    /// The tag of a key that signs what is served, and whose private half is not there.
    fn missing_keys(&self, keys: &[(Arc<SigningKey>, Timing)]) -> Option<u16> {
        if !self.is_signed_here() {
            return None;
        }
        let life = &self.record.keys;
        // Beside those that are published, one may sign, or be named in CDS, before or after that.
        let in_use = life.keys().filter(|(id, _)| {
            let duties = life.duties(*id, &[]);
            duties.signs_data || duties.submitted
        });
        let mut needed = self.record.key_tags.iter().copied().chain(in_use.map(|(id, _)| id.tag));
        needed.find(|&tag| !keys.iter().any(|(key, _)| key.public().tag() == tag))
    }

    /// Transfers have come to their end; those to secondaries are remembered.
    pub(in crate::engine) fn transferred(&mut self, clients: Vec<(IpAddr, Option<Name>, Transferred)>) {
        for (from, key, transferred) in clients {
            let is_there = |remote: &Arc<config::Remote>| {
                remote.addresses.iter().any(|address| address.ip() == from)
                    && remote.tsig.as_ref().map(|key| &key.name) == key.as_ref()
            };
            if self.config.secondaries.iter().any(is_there) {
                self.transfers.insert((from, key), transferred);
            }
        }
    }

    /// How its file is to be read, if it has one.
    pub(in crate::engine) fn reading(&self, managed: ManagedRrsets) -> Option<ReadZone> {
        let config::ZoneSource::File(file) = &self.config.source else { return None };
        // The same octets can mean something else under another policy or beside other services.
        let alike = self.record.signed == self.is_signed_here() && self.record.managed == managed;
        let settled = self.served.is_some() && self.draft.is_none() && matches!(self.work, Work::Idle);
        Some(ReadZone {
            zone: self.origin().clone(),
            file: file.clone(),
            known: if alike && settled { self.record.digest } else { None },
            presigned: if self.is_signed_here() { Presigned::Drop } else { Presigned::Keep },
            managed,
        })
    }
}
