//! Doing what the engine wants done, each on a thread of its own so that the engine waits for nothing.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{self, Sender};

use ring::rand::SystemRandom;
use tokio::sync::oneshot;

use super::daemon::Message;
use super::hook::Hooks;
use super::lookout::Lookouts;
use super::mail_hosts::MailHosts;
use super::primaries::Primaries;
use super::published::Published;
use super::reports;
use super::secondaries::Secondaries;
use super::settings::Settings;
use super::watch::{POLL_INTERVAL, ReadError, WatchEvent, WatchId, Watcher};
use super::{files, keys, next_keys, zonefile};
use crate::config::Config;
use crate::dns::name::Name;
use crate::dns::tsig::Keyring;
use crate::dnssec::key::SigningKey;
use crate::dnssec::keyset::Timing;
use crate::engine::{Effect, Input, Job, ServiceFile, Unreadable};
use crate::state::{Commit, Moment, StateError, Store};

/// Carries out effects.
pub(super) struct Performer {
    config: Arc<Config>,
    published: Arc<Published>,
    engine: Sender<Message>,
    disk: Sender<DiskWork>,
    watcher: Watcher,
    secondaries: Secondaries,
    primaries: Primaries,
    lookouts: Lookouts,
    hooks: Hooks,
    mail_hosts: MailHosts,
    reports: reports::Directory,
    /// Zones whose files are being read, and how many times over.
    reading: BTreeMap<Name, usize>,
    /// Zones that wait for all that a primary has, by the number of the refresh.
    transferring: BTreeMap<Name, u64>,
}

impl Performer {
    pub(super) fn new(
        config: Arc<Config>,
        keyring: &Arc<Keyring>,
        published: Arc<Published>,
        store: Store,
        engine: Sender<Message>,
        runtime: tokio::runtime::Handle,
    ) -> std::io::Result<Self> {
        let disk = disk_thread(store, engine.clone())?;

        let sink = engine.clone();
        let watcher = Watcher::start(Vec::new(), POLL_INTERVAL, move |event| {
            if let Some(input) = certificate(event) {
                let _ = sink.send(Message::Input(input));
            }
        })?;
        let primaries = Primaries::new(keyring, engine.clone(), runtime.clone());
        let lookouts =
            Lookouts::new(Arc::clone(&published), engine.clone(), runtime.clone(), &config.resolvers);
        let mail_hosts = MailHosts::watch(Arc::clone(&published), engine.clone(), &runtime);
        let secondaries = Secondaries::new(&config, keyring, Arc::clone(&published), engine.clone(), runtime);
        let reports = reports::Directory::watch(engine.clone())?;
        reports.look_at(config.tls_reports.directory.clone());
        let (reading, transferring) = (BTreeMap::new(), BTreeMap::new());
        Ok(Self {
            config,
            published,
            engine,
            disk,
            watcher,
            secondaries,
            primaries,
            lookouts,
            hooks: Hooks::default(),
            mail_hosts,
            reports,
            reading,
            transferring,
        })
    }

    pub(super) fn config(&self) -> &Config {
        &self.config
    }

    /// Works by another configuration from now on.
    pub(super) fn configure(&mut self, settings: &Settings) {
        let Settings { config, keyring, server, .. } = settings;
        self.published.configure(config, keyring, server);
        self.secondaries.configure(config, keyring);
        self.primaries.configure(keyring);
        self.lookouts.configure(&config.resolvers);
        self.hooks.configure(config);
        self.reports.look_at(config.tls_reports.directory.clone());
        self.config = Arc::clone(config);
    }

    /// Whether the zone's file is being read, or the zone transferred from the beginning.
    pub(super) fn is_reading(&self, zone: &Name) -> bool {
        self.reading.contains_key(zone) || self.transferring.contains_key(zone)
    }

    /// The primaries of a zone were asked; the engine is about to be told.
    pub(super) fn has_refreshed(&mut self, zone: &Name, id: u64) {
        if self.transferring.get(zone) == Some(&id) {
            self.transferring.remove(zone);
        }
    }

    /// A zone file was read; the engine is about to be told.
    pub(super) fn has_read(&mut self, zone: &Name) {
        if let Some(count) = self.reading.get_mut(zone) {
            *count -= 1;
            if *count == 0 {
                self.reading.remove(zone);
            }
        }
    }

    /// The watched files of a service as they are now.
    pub(super) fn look_at_files_of(&self, service: &str) -> Vec<Input> {
        self.look_at_files(|of| of == service)
    }

    /// Every watched file as it is now, read once; the watcher tells later ones.
    pub(super) fn first_look(&self) -> Vec<Input> {
        self.look_at_files(|_| true)
    }

    fn look_at_files(&self, wanted: impl Fn(&str) -> bool) -> Vec<Input> {
        let files = watched(&self.config).into_iter();
        let files = files.filter(|(id, _)| named(id).is_some_and(|(service, _)| wanted(&service)));
        let looks = files.map(|(id, path)| {
            let outcome = files::read(&path).map(Arc::new).map_err(|error| {
                if error.kind() == std::io::ErrorKind::NotFound {
                    Unreadable::Absent
                } else {
                    Unreadable::Failed(error.to_string())
                }
            });
            let (service, file) = named(&id)?;
            Some(Input::Certificate { service, file, outcome })
        });
        looks.flatten().collect()
    }

    pub(super) fn perform(&mut self, effect: Effect) {
        match effect {
            Effect::ReadZone(reading) => {
                *self.reading.entry(reading.zone.clone()).or_default() += 1;
                self.elsewhere("read", move || {
                    let outcome = zonefile::read(&reading);
                    Input::ZoneFile { zone: reading.zone, outcome }
                });
            }
            Effect::ReadKeys { zone } => {
                let directory = self.config.keys.clone();
                self.elsewhere("keys", move || Input::Keys { outcome: read_keys(&zone, &directory), zone });
            }
            Effect::GenerateKeys { zone, wanted } => {
                let directory = self.config.keys.clone();
                self.elsewhere("keys", move || match keys::make_all(&directory, &zone, &wanted) {
                    Ok(()) => Input::KeysMade { outcome: read_keys(&zone, &directory), zone },
                    Err(reason) => Input::KeysMade { zone, outcome: Err(reason) },
                });
            }
            Effect::EndKeys { zone, keys, at } => {
                let directory = self.config.keys.clone();
                aside("keys", move || {
                    if let Err(error) = keys::end(&directory, &zone, &keys, at) {
                        tracing::warn!(
                            "{zone}: {error}: the files of a key that is over cannot be marked as such; remove them, or \
                             they are used if the state is lost"
                        );
                    }
                });
            }
            Effect::MakeNext(order) => self.elsewhere("next", move || {
                let outcome = next_keys::make(&order).map_err(|error| error.to_string());
                Input::NextMade { service: order.service, index: order.index, outcome }
            }),
            Effect::Watch => self.watcher.replace(watched(&self.config)),
            Effect::Make(job) => self.elsewhere("make", move || make(*job)),
            Effect::Persist { id, commit } => {
                // The thread ends with us, or by a panic that has been logged.
                let _ = self.disk.send(DiskWork::Commit(id, commit));
            }
            Effect::Refresh(refresh) => {
                // That nothing has changed is not waited for: a silent primary takes half a minute.
                if refresh.known.is_none() {
                    self.transferring.insert(refresh.order.zone.clone(), refresh.id);
                }
                self.primaries.refresh(*refresh);
            }
            Effect::Withdraw { zone } => self.published.withdraw(&zone),
            Effect::Publish { version, history } => {
                self.published.publish(&version, history);
                self.lookouts.published(version.snapshot());
                self.mail_hosts.published();
            }
            Effect::Look(lookout) => self.lookouts.replace(&lookout),
            Effect::LookAtService(service) => self.lookouts.hurry(&service),
            Effect::Notify { zone, serial } => self.secondaries.notify(&zone, serial),
            Effect::HandOver { zone, handover } => self.hooks.hand_over(zone, handover),
            Effect::NotifyParent { zone } => self.lookouts.notify_parent(zone),
            Effect::Updated { .. } | Effect::Log { .. } => {}
        }
    }

    /// Gives the state as it is once all commits before are durable.
    pub(super) fn copy_state(&self, reply: oneshot::Sender<Result<Moment, StateError>>) {
        let _ = self.disk.send(DiskWork::Moment(reply));
    }

    /// Does `work` on a new thread and tells the engine its outcome.
    fn elsewhere(&self, name: &str, work: impl FnOnce() -> Input + Send + 'static) {
        let engine = self.engine.clone();
        aside(name, move || drop(engine.send(Message::Input(work()))));
    }
}

/// Does `work` on a new thread.
fn aside(name: &str, work: impl FnOnce() + Send + 'static) {
    if let Err(error) = std::thread::Builder::new().name(name.to_owned()).spawn(work) {
        tracing::error!("no thread for `{name}`: {error}");
    }
}

fn make(job: Job) -> Input {
    let (zone, id) = (job.zone.clone(), job.id);
    let outcome = Box::new(job.run(&SystemRandom::new()));
    Input::Made { zone, id, outcome }
}

fn read_keys(zone: &Name, directory: &Path) -> Result<Vec<(Arc<SigningKey>, Timing)>, String> {
    Ok(keys::all(directory, zone)?.into_iter().map(|stored| (stored.key, stored.timing)).collect())
}

/// What the thread that has the state does.
enum DiskWork {
    Commit(u64, Box<Commit>),
    Moment(oneshot::Sender<Result<Moment, StateError>>),
}

/// One thread writes to the disk, so that commits are durable in their order.
fn disk_thread(mut store: Store, engine: Sender<Message>) -> std::io::Result<Sender<DiskWork>> {
    let (sender, receiver) = mpsc::channel();
    std::thread::Builder::new().name("disk".to_owned()).spawn(move || {
        for work in receiver {
            let (id, commit) = match work {
                DiskWork::Commit(id, commit) => (id, commit),
                DiskWork::Moment(reply) => {
                    // Whoever asked may have gone.
                    let _ = reply.send(store.moment());
                    continue;
                }
            };
            let outcome = store.commit(&commit).map_err(|error| error.to_string());
            if engine.send(Message::Input(Input::Persisted { id, outcome })).is_err() {
                return;
            }
        }
    })?;
    Ok(sender)
}

/// The files to watch, each under an id that [`named`] reads.
fn watched(config: &Config) -> Vec<(WatchId, PathBuf)> {
    let files = config.services.values().flat_map(|service| {
        let certificates = service.certificates.iter().enumerate();
        let certificates =
            certificates.map(|(index, path)| (format!("c{index} {}", service.name), path.clone()));
        let next = service.next.iter().enumerate();
        certificates.chain(next.map(|(index, path)| (format!("n{index} {}", service.name), path.clone())))
    });
    files.map(|(id, path)| (id.into(), path)).collect()
}

/// The service and file of a watch id.
fn named(id: &str) -> Option<(String, ServiceFile)> {
    let (file, service) = id.split_once(' ')?;
    let file = match file.split_at_checked(1)? {
        ("c", index) => ServiceFile::Certificate(index.parse().ok()?),
        (_, index) => ServiceFile::Next(index.parse().ok()?),
    };
    Some((service.to_owned(), file))
}

fn certificate(event: WatchEvent) -> Option<Input> {
    let (service, file) = named(&event.id)?;
    let outcome = match event.outcome {
        Ok(contents) => Ok(contents),
        Err(ReadError::NotFound) => Err(Unreadable::Absent),
        Err(error) => Err(Unreadable::Failed(error.to_string())),
    };
    Some(Input::Certificate { service, file, outcome })
}
