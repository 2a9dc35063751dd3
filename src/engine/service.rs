//! One TLS service: the files it has, what is seen of it, the rollover of its associations, the records these make.

mod gate;
mod next;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

pub use gate::Strangers;

use super::advice::{CertificateFacts, ServiceFacts};
use super::alarm::Alarms;
use super::convert;
use super::input::{Effect, Level, ServiceFile, Unreadable};
use super::job::Managed;
use super::next::NextKeys;
use super::outside::{self, Answers, Chain, Hidden, Question, Visit};
use crate::config::{self, SMTP_PORTS};
use crate::dns::name::Name;
use crate::dns::time::{Now, Seconds, Timestamp};
use crate::state::{ServiceCommit, ServiceState, StateError};
use crate::tlsa::rollover::record::Record;
use crate::tlsa::rollover::{Changed, MANY_RECORDS, MAX_HEALED, Outside, Role, Rollover, Shown, Source};
use crate::tlsa::{Association, AssociationError, Material, Params};
use crate::zone::Snapshot;

/// A configured service.
pub(super) struct Service {
    pub(super) config: config::Service,
    pub(super) rollover: Rollover,
    pub(super) alarms: Alarms,
    /// The rollover differs from what is durable.
    pub(super) unstored: bool,
    /// Since when the published records wait to be served.
    pending: Option<Timestamp>,
    pub(super) next_keys: NextKeys,
    /// When each endpoint was last looked at with success.
    pub(super) looked: BTreeMap<Arc<str>, Timestamp>,
    /// Endpoints that could not be looked at since.
    pub(super) hidden: BTreeMap<Arc<str>, Hidden>,
    /// Endpoints that do not send the issuer's certificate, which these parameters speak of.
    unsent: BTreeMap<Arc<str>, Params>,
}

impl Service {
    pub(super) fn new(config: config::Service) -> Self {
        let rollover = Rollover::new(&convert::rollover(&config, sources(&config)));
        Self {
            config,
            rollover,
            alarms: Alarms::default(),
            unstored: true,
            pending: None,
            next_keys: NextKeys::default(),
            looked: BTreeMap::new(),
            hidden: BTreeMap::new(),
            unsent: BTreeMap::new(),
        }
    }

    /// Takes up a durable rollover where it left off; the clock was set ahead since.
    pub(super) fn restore(
        &mut self,
        now: Timestamp,
        state: &ServiceState,
        ahead: Seconds,
        effects: &mut Vec<Effect>,
    ) {
        match read(&self.config.name, state) {
            Ok(past) => {
                self.unstored = false;
                self.go_on_from(now, past, ahead, effects);
            }
            // Whoever starts the engine has asked `unreadable` before.
            Err(error) => self.raise(now, STATE, &error, effects),
        }
    }

    /// Goes on where this left off, which may have had another name.
    pub(super) fn go_on_from(
        &mut self,
        now: Timestamp,
        past: Past,
        ahead: Seconds,
        effects: &mut Vec<Effect>,
    ) {
        (self.rollover, self.pending) = past;
        let ahead = ahead.min(now.since(self.rollover.clock()));
        if ahead > Seconds(0) {
            self.clock_was_set_ahead(ahead);
        }
        self.configure(now, self.config.clone(), effects);
    }

    /// What is left of it when its name is gone.
    pub(super) fn into_past(self) -> Past {
        (self.rollover, self.pending)
    }

    /// Whether this was the same service under another name.
    pub(super) fn was(&self, past: &Past) -> bool {
        let owners = self.config.rrsets().map(|(_, (owner, _))| owner.as_ref().undotted()).collect();
        past.0.is_of(&owners, &sources(&self.config))
    }

    /// What the state keeps of it.
    pub(super) fn stored(&self) -> Result<ServiceCommit, StateError> {
        let name = &self.config.name;
        let stored =
            Stored { pending: self.pending.map(|since| since.0), rollover: Record::from(&self.rollover) };
        Ok(ServiceCommit::Store(name.clone(), ServiceState::of(name, &stored)?))
    }

    pub(super) fn configure(&mut self, now: Timestamp, config: config::Service, effects: &mut Vec<Effect>) {
        let (changed, outcome) = self.rollover.configure(now, &convert::rollover(&config, sources(&config)));
        self.config = config;
        self.note(now, changed);
        match outcome {
            Ok(()) => drop(self.alarms.clear(PARAMETERS)),
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
            Ok(octets) => convert::material(&self.config, &octets).map_err(|error| error.to_string()),
            Err(Unreadable::Absent) if source.role == Role::Next => {
                self.alarms.clear(&topic);
                if let ServiceFile::Next(index) = file {
                    self.next_keys.saw(now, index, None);
                }
                let changed = self.rollover.next_is_gone(now, &source.slot);
                self.note(now, changed);
                return;
            }
            Err(Unreadable::Absent) => Err(format!("no such file, expected {}", self.config.kind.thing())),
            Err(Unreadable::Failed(reason)) => Err(reason),
        };
        if let (Ok(material), ServiceFile::Next(index)) = (&material, file) {
            self.next_keys.saw(now, index, Some(material));
        }
        let taken = material.and_then(|material| {
            self.rollover.observe(now, &source, material).map_err(|error| error.to_string())
        });
        match taken {
            Ok(changed) => {
                self.alarms.clear(&topic);
                if changed != Changed::Nothing {
                    effects.push(Effect::LookAtService(self.config.name.clone()));
                }
                if changed == Changed::Records {
                    let (name, rtype) = (&self.config.name, self.config.kind.rtype());
                    let records: Vec<String> =
                        self.rollover.published().iter().map(Association::short).collect();
                    let line = format!("service {name}: {path} changed; {rtype} {}", records.join(", "));
                    effects.push(Effect::Log { level: Level::Info, line });
                }
                self.note(now, changed);
            }
            Err(reason) => {
                let text = format!("{path}: {reason}; {}", self.kept());
                self.raise(now, &topic, &text, effects);
            }
        }
    }

    /// Whom there is to look at, from now on.
    pub(super) fn look_at(&mut self, now: Timestamp, outside: &Outside) {
        self.looked.retain(|visit, _| outside.visits.contains(visit));
        self.hidden.retain(|visit, _| outside.visits.contains(visit));
        self.unsent.retain(|visit, _| outside.visits.contains(visit));
        let changed = self.rollover.look_at(now, outside);
        self.note(now, changed);
    }

    /// A nameserver was asked for its records, at each of its addresses.
    pub(super) fn answered(&mut self, now: Now, zone: &Snapshot, question: &Question, outcome: &Answers) {
        let place = question.place();
        let read = outcome.as_ref().map_err(String::clone).and_then(|answers| {
            let mut read = answers.iter().map(|(address, answer)| {
                let answer = answer.as_ref().map_err(String::clone);
                answer
                    .and_then(|answer| outside::read(zone, question, answer, now))
                    // One of several addresses says which.
                    .map_err(|error| if answers.len() > 1 { format!("{address} {error}") } else { error })
            });
            let (mut common, mut longest) =
                read.next().unwrap_or_else(|| Err("has no address".to_owned()))?;
            for each in read {
                let (associations, ttl) = each?;
                common.retain(|association| associations.contains(association));
                longest = longest.max(ttl);
            }
            Ok((common, longest))
        });
        let changed = match read {
            Ok((associations, ttl)) => self.rollover.saw(now.latest, &place, &associations, ttl),
            Err(error) => self.rollover.missed(now.latest, &place, &error),
        };
        self.note(now.latest, changed);
    }

    /// An endpoint was looked at: the chains that it presented, or why they could not be seen.
    pub(super) fn presented(
        &mut self,
        now: Timestamp,
        visit: &Visit,
        outcome: Result<Vec<Chain>, String>,
        effects: &mut Vec<Effect>,
    ) {
        let label = visit.label();
        let materials = outcome.map(|chains| {
            let read = |chain: &Chain| {
                let material = Material::presented(&chain.certificates).ok()?;
                Some(Shown { material, by_name: chain.by_name })
            };
            chains.iter().filter_map(read).collect::<Vec<_>>()
        });
        let changed = match materials {
            Ok(materials) if !materials.is_empty() => {
                let before = self.looked.insert(label.clone(), now);
                self.hidden.remove(&label);
                self.watch_chain(&label, &materials);
                self.rollover.presented(now, &label, materials, before)
            }
            other => {
                let error =
                    other.err().unwrap_or_else(|| "presents no certificate that can be read".to_owned());
                self.hidden
                    .entry(label.clone())
                    .or_insert(Hidden { since: now, error: String::new() })
                    .error = error;
                self.rollover.hidden(now, &label)
            }
        };
        if changed == Changed::Records {
            let records: Vec<String> = self.rollover.published().iter().map(Association::short).collect();
            let line = format!(
                "service {}: {label} presents a key that was not published; TLSA {}",
                self.config.name,
                records.join(", ")
            );
            effects.push(Effect::Log { level: Level::Warning, line });
        }
        self.note(now, changed);
    }

    /// Notes whether what records of issuers speak of is sent: clients find it nowhere else (RFC 7671 §5.2.2).
    fn watch_chain(&mut self, visit: &Arc<str>, shown: &[Shown]) {
        let settings = convert::rollover(&self.config, Vec::new());
        let lacks = |params: &Params| {
            let mut shown = shown.iter().filter(|shown| shown.by_name);
            shown.any(|shown| {
                matches!(Association::new(*params, &shown.material), Err(AssociationError::NoIssuer(_)))
            })
        };
        match settings.params.into_iter().find(lacks) {
            Some(params) => drop(self.unsent.insert(visit.clone(), params)),
            None => drop(self.unsent.remove(visit)),
        }
    }

    /// What is well, and should be known all the same: how the configuration and what is seen of the service differ from
    /// what clients expect.
    pub(super) fn advice(&self) -> Vec<String> {
        let smtp = self.config.endpoints.iter().any(|endpoint| SMTP_PORTS.contains(&endpoint.port));
        let pkix = self.config.tlsa.iter().filter(|set| smtp && set.usage < 2).map(|set| {
            format!("`{set}` at an SMTP port: senders fall back to unauthenticated TLS (RFC 7672 §3.1.3); use usage 3")
        });
        let unsent = self.unsent.iter().map(|(visit, params)| {
            format!(
                "{visit} does not send the issuer's certificate, which `{params}` speaks of: clients cannot match that \
                 record; have the server send the full chain"
            )
        });
        pkix.chain(unsent).collect()
    }

    /// The clock was set ahead without time having passed.
    pub(super) fn clock_was_set_ahead(&mut self, by: Seconds) {
        self.rollover.clock_was_set_ahead(by);
        self.unstored = true;
    }

    /// What stays published while a file is unusable.
    fn kept(&self) -> String {
        let records: Vec<String> = self.rollover.published().iter().map(Association::short).collect();
        if records.is_empty() {
            "no record of it has been published yet".to_owned()
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

    /// Tells whether every zone of the service serves its records.
    pub(super) fn is_served(&mut self, now: Timestamp, served: bool) {
        if !served {
            return;
        }
        let pending = self.pending.take();
        let changed = self.rollover.is_served(now, pending);
        self.note(now, changed);
        if pending.is_some() {
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

    /// Raises the alarms for what the records are, and ends them.
    pub(super) fn watch_records(&mut self, now: Timestamp, effects: &mut Vec<Effect>) {
        self.watch_exposures(now, effects);
        self.watch_count(now, effects);
        self.watch_gaps(now, effects);
        self.watch_crowd(now, effects);
    }

    /// Keys that the service presents and caches may lack: the alarm says when that ends.
    fn watch_exposures(&mut self, now: Timestamp, effects: &mut Vec<Effect>) {
        let lines: Vec<String> = self.rollover.exposures().iter().map(|each| self.exposed(each)).collect();
        if lines.is_empty() {
            self.alarms.clear(EXPOSURE);
        } else {
            self.raise(now, EXPOSURE, &lines.join("; "), effects);
        }
    }

    fn watch_count(&mut self, now: Timestamp, effects: &mut Vec<Effect>) {
        let count = self.rollover.published().len();
        if count > MANY_RECORDS {
            let rtype = self.config.kind.rtype();
            let text = format!(
                "{count} {rtype} records at one owner, expected at most {MANY_RECORDS}: some clients fail"
            );
            self.raise(now, COUNT, &text, effects);
        } else {
            self.alarms.clear(COUNT);
        }
    }

    fn watch_crowd(&mut self, now: Timestamp, effects: &mut Vec<Effect>) {
        if self.rollover.is_crowded() {
            let text = format!(
                "its endpoints present {MAX_HEALED} keys and more that no file holds: further ones are not published, \
                 and validating clients that meet one fail; have every endpoint present a certificate of `certificate`"
            );
            self.raise(now, CROWD, &text, effects);
        } else {
            self.alarms.clear(CROWD);
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

    /// What advice is made of.
    pub(super) fn facts(&self) -> ServiceFacts<'_> {
        let certificates = self.config.certificates.iter().filter_map(|path| {
            let file = path.display().to_string();
            let leaf = self.rollover.current(&file)?.leaf()?;
            Some(CertificateFacts {
                file,
                names: leaf.dns_names(),
                validity: leaf.validity(),
                issuer: leaf.issuer_organization(),
            })
        });
        ServiceFacts {
            config: &self.config,
            certificates: certificates.collect(),
            published: self.rollover.published(),
        }
    }

    /// Whether records wait to be served.
    pub(super) fn is_pending(&self) -> bool {
        self.pending.is_some()
    }

    /// When something is due.
    pub(super) fn wake_at(&self) -> Option<Timestamp> {
        let rollover = self.rollover.next_deadline().filter(|_| self.pending.is_none());
        rollover.into_iter().chain(self.next_keys.wake_at()).min()
    }

    /// The RRsets it wants, each with the zone that holds it.
    pub(super) fn managed(&self) -> impl Iterator<Item = (Name, Managed)> {
        let mut rdatas: Vec<Vec<u8>> = self.rollover.published().iter().map(Association::rdata).collect();
        rdatas.sort_unstable();
        self.config.rrsets().map(move |(zone, (owner, rtype))| {
            (zone.clone(), Managed { owner, rtype, ttl: self.config.ttl, rdatas: rdatas.clone() })
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

/// The rollover of a service, and since when it waits to be served.
pub(super) type Past = (Rollover, Option<Timestamp>);

/// What is durable of a service, or what is wrong with that.
pub(super) fn read(service: &str, state: &ServiceState) -> Result<Past, String> {
    let Stored { pending, rollover } = state.read(service).map_err(|error| error.to_string())?;
    let rollover = Rollover::try_from(rollover).map_err(|error| error.to_string())?;
    Ok((rollover, pending.map(Timestamp)))
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
const EXPOSURE: &str = "exposure";
const CROWD: &str = "crowd";
