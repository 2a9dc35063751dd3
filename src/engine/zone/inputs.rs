//! What a zone is told: its file, its keys, its secondaries.

use std::collections::HashSet;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use super::{FILE, FILE_SERIAL, KEYS, Keys, Pending, Sighting, Work, Zone};
use crate::config;
use crate::dns::name::Name;
use crate::dns::problem::Problems;
use crate::dns::time::{MINUTE, Now, Seconds, Timestamp};
use crate::dnssec::key::SigningKey;
use crate::dnssec::keyset::Timing;
use crate::engine::input::{Effect, Level, ReadZone, Source, Transferred};
use crate::zone::{Contents, Presigned, Serial};

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
            Ok(Source::Draft { draft, warnings, digest }) => {
                let draft = *draft;
                if let Some(conflict) = self.policy_conflict(&draft.contents) {
                    self.refuse(now, FILE, &conflict, effects);
                    return;
                }
                self.alarms.clear(FILE);
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
                self.note_file_serial(now, &draft.contents, effects);
                self.warnings = warnings;
                self.draft =
                    Some(Box::new(Pending { contents: draft.contents, digest: Some(digest), current: None }));
                self.retry_at = None;
            }
            Err(problems) => self.refuse(now, FILE, &problems.to_string(), effects),
        }
    }

    /// A file whose serial went backwards is published all the same, since the served serial is our own.
    fn note_file_serial(&mut self, now: Timestamp, contents: &Contents, effects: &mut Vec<Effect>) {
        let Some(serial) = contents.soa_timers().map(|timers| Serial(timers.serial)) else { return };
        match self.file_serial.or(self.record.file_serial) {
            Some(before) if serial < before => {
                let line = format!(
                    "{}: the serial in the file went backwards, from {before} to {serial}; the served serial grows all the same",
                    self.origin()
                );
                self.alarms.raise(FILE_SERIAL, now, line.clone());
                effects.push(Effect::Log { level: Level::Warning, line });
            }
            _ => drop(self.alarms.clear(FILE_SERIAL)),
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
            // A directory that was read before the first keys were in it says nothing.
            Ok(keys) if keys.is_empty() && self.generating => {}
            Ok(keys) if keys.is_empty() && !self.record.ever_signed && self.is_signed_here() => {
                self.generating = true;
                effects.push(Effect::GenerateKeys { zone: self.origin().clone() });
            }
            Ok(keys) => {
                self.generating = false;
                if let Some(missing) = self.missing_keys(&keys) {
                    // PEERS.md, BIND GL#2596: never a new key for a zone that has been signed.
                    let reason = format!(
                        "the private key of tag {missing} is missing; restore its .key and .private files (no key is \
                         made for a zone that has been signed)"
                    );
                    self.keys_unusable(now, &reason, effects);
                    return;
                }
                if !self.keys.are(&keys) {
                    self.look_again();
                    self.keys = Keys::Read(keys);
                }
                if !self.blocked {
                    self.alarms.clear(KEYS);
                }
            }
            Err(reason) => {
                self.generating = false;
                self.keys_unusable(now, &reason, effects);
            }
        }
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
        self.record
            .key_tags
            .iter()
            .copied()
            .find(|&tag| !keys.iter().any(|(key, _)| key.public().tag() == tag))
    }

    /// A secondary's serial was seen, or it could not be.
    pub(in crate::engine) fn secondary(
        &mut self,
        now: Timestamp,
        remote: String,
        address: SocketAddr,
        outcome: Result<Serial, String>,
    ) {
        let sighting = self.secondaries.entry((remote, address)).or_insert(Sighting {
            serial: None,
            seen: None,
            error: None,
        });
        match outcome {
            Ok(serial) => {
                *sighting = Sighting { serial: Some(serial), seen: Some(now), error: None };
            }
            Err(error) => {
                let since = sighting.error.as_ref().map_or(now, |(since, _)| *since);
                sighting.error = Some((since, error));
            }
        }
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
    pub(in crate::engine) fn reading(&self, managed: HashSet<Name>) -> Option<ReadZone> {
        let config::ZoneSource::File(file) = &self.config.source else { return None };
        // The same octets can mean something else under another policy or beside other services.
        let alike = self.record.signed == self.is_signed_here()
            && self.record.managed.len() == managed.len()
            && managed.iter().all(|owner| self.record.managed.contains(owner));
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
