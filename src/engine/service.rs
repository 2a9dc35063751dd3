//! One TLS service: the files it has, the rollover of its associations, the records these make.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::alarm::Alarms;
use super::convert;
use super::input::{Effect, Level, ServiceFile, Unreadable};
use super::job::Managed;
use crate::config;
use crate::dns::name::Name;
use crate::dns::time::Timestamp;
use crate::state::{ServiceCommit, ServiceState, StateError};
use crate::tlsa::rollover::record::Record;
use crate::tlsa::rollover::{Changed, MANY_RECORDS, Role, Rollover, Source};
use crate::tlsa::{Association, Material};

/// A configured service.
pub(super) struct Service {
    pub(super) config: config::Service,
    pub(super) rollover: Rollover,
    pub(super) alarms: Alarms,
    /// The rollover differs from what is durable.
    pub(super) unstored: bool,
    /// Since when the published records wait to be served.
    pending: Option<Timestamp>,
}

impl Service {
    pub(super) fn new(config: config::Service) -> Self {
        let params = convert::params(&config.tlsa);
        let rollover = Rollover::new(&params, config.ttl, &sources(&config));
        Self { config, rollover, alarms: Alarms::default(), unstored: true, pending: None }
    }

    /// Takes up a durable rollover where it left off.
    pub(super) fn restore(&mut self, now: Timestamp, state: &ServiceState, effects: &mut Vec<Effect>) {
        match read(&self.config.name, state) {
            Ok((rollover, pending)) => {
                self.rollover = rollover;
                self.pending = pending;
                self.unstored = false;
                self.configure(now, self.config.clone(), effects);
            }
            // Whoever starts the engine has asked `unreadable` before.
            Err(error) => self.raise(now, STATE, &error, effects),
        }
    }

    /// What the state keeps of it.
    pub(super) fn stored(&self) -> Result<ServiceCommit, StateError> {
        let name = &self.config.name;
        let stored =
            Stored { pending: self.pending.map(|since| since.0), rollover: Record::from(&self.rollover) };
        Ok(ServiceCommit::Store(name.clone(), ServiceState::of(name, &stored)?))
    }

    pub(super) fn configure(&mut self, now: Timestamp, config: config::Service, effects: &mut Vec<Effect>) {
        let params = convert::params(&config.tlsa);
        let outcome = self.rollover.configure(now, &params, config.ttl, &sources(&config));
        self.config = config;
        match outcome {
            Ok(changed) => {
                self.alarms.clear(PARAMETERS);
                self.note(now, changed);
            }
            Err(error) => {
                let text = format!("{error}; the records published before stay");
                self.raise(now, PARAMETERS, &text, effects);
            }
        }
    }

    /// A file of the service was read, or could not be. Whatever is wrong with it, the last good records stay.
    pub(super) fn file(
        &mut self,
        now: Timestamp,
        file: ServiceFile,
        outcome: Result<Arc<Zeroizing<Vec<u8>>>, Unreadable>,
        effects: &mut Vec<Effect>,
    ) {
        let Some((path, source)) = self.source_of(file) else { return };
        let topic = path.clone();
        let material = match outcome {
            Ok(octets) => {
                let hosts: Vec<_> =
                    self.config.endpoints.iter().map(|endpoint| endpoint.host.as_ref()).collect();
                Material::find(&octets, &hosts).map_err(|error| error.to_string())
            }
            Err(Unreadable::Absent) if source.role == Role::Next => {
                self.alarms.clear(&topic);
                let changed = self.rollover.next_is_gone(now, &source.slot);
                self.note(now, changed);
                return;
            }
            Err(Unreadable::Absent) => Err("no such file, expected a certificate".to_owned()),
            Err(Unreadable::Failed(reason)) => Err(reason),
        };
        let taken = material.and_then(|material| {
            self.rollover.observe(now, &source, material).map_err(|error| error.to_string())
        });
        match taken {
            Ok(changed) => {
                self.alarms.clear(&topic);
                if changed == Changed::Records {
                    let records: Vec<String> = self.rollover.published().iter().map(short).collect();
                    let line =
                        format!("service {}: {path} changed; TLSA {}", self.config.name, records.join(", "));
                    effects.push(Effect::Log { level: Level::Info, line });
                }
                self.note(now, changed);
                self.watch_count(now, effects);
                self.watch_gaps(now, effects);
            }
            Err(reason) => {
                let text = format!("{path}: {reason}; {}", self.kept());
                self.raise(now, &topic, &text, effects);
            }
        }
    }

    /// What stays published while a file is unusable.
    fn kept(&self) -> String {
        let records: Vec<String> = self.rollover.published().iter().map(short).collect();
        if records.is_empty() {
            "no TLSA record of it has been published yet".to_owned()
        } else {
            format!("keeping {} published", records.join(", "))
        }
    }

    /// Does what is due. Nothing is dropped while its successor is not served everywhere it should be.
    pub(super) fn tick(&mut self, now: Timestamp) {
        if self.pending.is_none() {
            let changed = self.rollover.tick(now);
            self.note(now, changed);
        }
    }

    /// Tells whether every zone of the service serves its records. A wait that began before they were served is
    /// made longer by that delay: caches can only have filled from what was served.
    pub(super) fn is_served(&mut self, now: Timestamp, served: bool) {
        if !served {
            return;
        }
        if let Some(since) = self.pending.take() {
            self.rollover.postpone(now.since(since));
            // Also without delay: what is durable says that the records still wait to be served.
            self.unstored = true;
        }
    }

    fn note(&mut self, now: Timestamp, changed: Changed) {
        match changed {
            Changed::Nothing => {}
            Changed::State => self.unstored = true,
            Changed::Records => {
                self.unstored = true;
                self.pending.get_or_insert(now);
            }
        }
    }

    fn watch_count(&mut self, now: Timestamp, effects: &mut Vec<Effect>) {
        let count = self.rollover.published().len();
        if count > MANY_RECORDS {
            let text = format!(
                "{count} TLSA records at one owner, expected at most {MANY_RECORDS}: some senders fail"
            );
            self.raise(now, COUNT, &text, effects);
        } else {
            self.alarms.clear(COUNT);
        }
    }

    fn watch_gaps(&mut self, now: Timestamp, effects: &mut Vec<Effect>) {
        let gap = self.rollover.gaps().next().map(|(slot, error)| format!("next key of {slot}: {error}"));
        match gap {
            Some(gap) => {
                let text = format!(
                    "{gap}; that record can only be published once the certificate is there, too late for caches"
                );
                self.raise(now, GAPS, &text, effects);
            }
            None => drop(self.alarms.clear(GAPS)),
        }
    }

    fn raise(&mut self, now: Timestamp, topic: &str, text: &str, effects: &mut Vec<Effect>) {
        if self.alarms.raise(topic, now, text) {
            let line = format!("service {}: {text}", self.config.name);
            effects.push(Effect::Log { level: Level::Error, line });
        }
    }

    fn source_of(&self, file: ServiceFile) -> Option<(String, Source)> {
        let (path, index, role) = match file {
            ServiceFile::Certificate(index) => (self.config.certificates.get(index)?, index, Role::Current),
            ServiceFile::Next(index) => (self.config.next.get(index)?, index, Role::Next),
        };
        Some((path.display().to_string(), Source { slot: slot(&self.config, index), role }))
    }

    /// Whether records wait to be served.
    pub(super) fn is_pending(&self) -> bool {
        self.pending.is_some()
    }

    /// When something is due.
    pub(super) fn wake_at(&self) -> Option<Timestamp> {
        if self.pending.is_some() { None } else { self.rollover.next_deadline() }
    }

    /// The RRsets it wants, each with the zone that holds it.
    pub(super) fn managed(&self) -> impl Iterator<Item = (Name, Managed)> {
        let mut rdatas: Vec<Vec<u8>> = self.rollover.published().iter().map(Association::rdata).collect();
        rdatas.sort_unstable();
        self.config.endpoints.iter().map(move |endpoint| {
            let owner = endpoint.owner().clone();
            (endpoint.zone.clone(), Managed { owner, ttl: self.config.ttl, rdatas: rdatas.clone() })
        })
    }
}

/// What the state keeps of a service.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Stored {
    /// Since when the records wait to be served. It is written with them, before they are; a restart that finds it
    /// does not know whether they ever were, and counts their waits from the moment at which it serves them.
    pending: Option<u64>,
    rollover: Record,
}

/// The rollover of a service from its durable form, and since when it waits to be served; or what is wrong with that.
pub(super) fn read(service: &str, state: &ServiceState) -> Result<(Rollover, Option<Timestamp>), String> {
    let Stored { pending, rollover } = state.read(service).map_err(|error| error.to_string())?;
    let rollover = Rollover::try_from(rollover).map_err(|error| error.to_string())?;
    Ok((rollover, pending.map(Timestamp)))
}

/// `3 1 1 9f3c…`
fn short(association: &Association) -> String {
    let mut digest = data_encoding::HEXLOWER.encode(&association.data()[..association.data().len().min(8)]);
    digest.push('…');
    format!("{} {digest}", association.params())
}

/// A slot is known by the path of its certificate; a next key without one of its own by its index.
fn slot(config: &config::Service, index: usize) -> Arc<str> {
    match config.certificates.get(index) {
        Some(path) => path.display().to_string().into(),
        None => format!("next {index}").into(),
    }
}

fn sources(config: &config::Service) -> Vec<Source> {
    let current =
        (0..config.certificates.len()).map(|index| Source { slot: slot(config, index), role: Role::Current });
    let next = (0..config.next.len()).map(|index| Source { slot: slot(config, index), role: Role::Next });
    current.chain(next).collect()
}

const PARAMETERS: &str = "parameters";
const STATE: &str = "state";
const COUNT: &str = "count";
const GAPS: &str = "gaps";
