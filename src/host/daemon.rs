//! The running daemon: one thread owns the engine and feeds it; this is its loop and its start.
//!
//! Everything that happens becomes a `Message` to that thread: a file that was read, a finished job, a commit,
//! a request of the command line. What the engine wants done is done by `Performer`, mostly elsewhere, and its
//! outcome comes back as another message. So the engine never waits, and nothing else touches it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::time::Duration;

use tokio::sync::oneshot;

use super::clock::{self, Clocks};
use super::clocked::{CLOCK_TOLERANCE, Clocked};
use super::control::{self, Api};
use super::disk::{self, DiskError};
use super::http;
use super::identity::IdentityError;
use super::last_seen::{Gap, LastSeen};
use super::next_requests::{self, NextRequests};
use super::notices::Notices;
use super::perform::Performer;
use super::published::Published;
use super::servers::Servers;
use super::settings::{self, SettingsError};
use super::traffic::Traffic;
use super::updates::Updates;
use crate::config::Config;
use crate::dns::name::Name;
use crate::dns::time::Timestamp;
use crate::engine::difference::Difference;
use crate::engine::status::GateStatus;
use crate::engine::{self, Effect, Input, KeyOrder, Level, Status, Strangers};
use crate::state::{Loaded, Moment, StateError};

/// What the engine's thread is told.
pub(super) enum Message {
    /// Something happened.
    Input(Input),
    /// Somebody says that a zone has changed at its primary: [`Notices`] knows what.
    Notified(Name),
    /// Somebody wants to know how things are.
    Status(oneshot::Sender<Status>),
    /// Somebody wants to deploy: what is wanted, for whom nobody waits, and the answer; `None` for no service.
    Gate {
        service: String,
        wanted: Option<Arc<[u8]>>,
        except: BTreeSet<Arc<str>>,
        reply: oneshot::Sender<Option<Result<GateStatus, Strangers>>>,
    },
    /// The keys of a service are in other hands: what withdrawing them means, and whether to do so.
    Compromised { service: String, confirmed: bool, reply: oneshot::Sender<Option<String>> },
    /// A person wants something of a zone's keys. Answered with what comes of it, or why nothing does.
    Key { zone: Name, order: KeyOrder, reply: oneshot::Sender<Option<Result<String, String>>> },
    /// Somebody wants to know how a zone differs from its file.
    Differences { zone: Name, reply: oneshot::Sender<Option<Vec<Difference>>> },
    /// Configuration and zones are to be read again: one zone, or everything. Answered with what was refused,
    /// once what was taken is served.
    Reload { zone: Option<Name>, reply: oneshot::Sender<Vec<String>> },
    /// Next keys of a service are to be made; those that wait to be used are left behind by `force` alone. Answered once
    /// they are made.
    Next { service: String, force: bool, reply: next_requests::Reply },
    /// Transfers of a zone have come to their end: [`Transfers`](super::transfers::Transfers) knows which.
    Transferred(Name),
    /// The state is to be copied as it is at this moment.
    CopyState(oneshot::Sender<Result<Moment, StateError>>),
    /// The end.
    Stop,
}

/// Why the daemon could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The configuration, or a file that it names, is not sound.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The state cannot be opened.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// The state cannot be read.
    #[error("{}: {source}; nothing is served from a state that cannot be read", path.display())]
    State {
        /// The database.
        path: PathBuf,
        /// What is wrong with it.
        source: StateError,
    },
    /// What the state holds of services cannot be read.
    #[error(
        "state: {0}; restore the `state` directory from a copy, for records that are relied on could be lost"
    )]
    Services(String),
    /// A socket cannot be opened.
    #[error("{what}: {source}")]
    Socket {
        /// Which one.
        what: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// `listen.client-ca` cannot be used.
    #[error("listen.client-ca: {0}")]
    ClientCa(#[from] IdentityError),
    /// TLS cannot be had from the library as it was built.
    #[error("TLS: {0}")]
    Tls(#[from] rustls::Error),
    /// The system gave no thread or no signal handler.
    #[error("starting: {0}")]
    System(#[from] std::io::Error),
}

/// The wall clock is looked at this often at least, whatever else happens.
const HEARTBEAT: Duration = Duration::from_mins(1);

/// Serves the configuration at `path` until SIGTERM or SIGINT.
pub fn run(path: &Path) -> Result<(), StartError> {
    let started = clock::now();
    super::process::harden();
    super::process::raise_file_limit();
    let settings = settings::load(path)?;
    let config = settings.config;
    let mut store = disk::open(&config.state)?;
    let unreadable = |source| StartError::State { path: config.state.join(disk::DATABASE), source };
    let loaded = store.load().map_err(unreadable)?;
    let unreadable = engine::unreadable(&loaded);
    if !unreadable.is_empty() {
        return Err(StartError::Services(unreadable.join("; ")));
    }

    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let (sender, receiver) = mpsc::channel();
    let notices = Arc::new(Notices::new(sender.clone()));
    let updates = Arc::new(Updates::new(sender.clone()));
    let published =
        Arc::new(Published::new(Arc::<Notices>::clone(&notices), Arc::<Updates>::clone(&updates)));
    published.configure(&config, &settings.keyring, &settings.server);

    let traffic = Arc::new(Traffic::default());
    let servers = Servers::start(&config, &published, &traffic, &runtime, sender.clone())?;
    let performer = Performer::new(
        Arc::clone(&config),
        &settings.keyring,
        Arc::clone(&published),
        store,
        sender.clone(),
        runtime.handle().clone(),
    )?;
    let socket = config.control_socket();
    let state = config.state.clone();
    let api = Api { engine: sender.clone(), published: Arc::clone(&published), traffic, started, state };
    let listener = {
        let _context = runtime.enter();
        control::bind(&socket)
            .map_err(|source| StartError::Socket { what: socket.display().to_string(), source })?
    };
    if let Some(address) = config.listen.http {
        let listener = runtime
            .block_on(tokio::net::TcpListener::bind(address))
            .map_err(|source| StartError::Socket { what: format!("listen.http {address}"), source })?;
        runtime.spawn(http::serve(listener, api.clone()));
    }
    runtime.spawn(control::serve(listener, api));
    runtime.spawn(signals(sender));

    let last_seen = LastSeen::of(&config.state);
    let mut house = House {
        path: path.to_owned(),
        engine: Clocked::new(Clocks::read()),
        performer,
        notices,
        updates,
        reloads: Vec::new(),
        next: NextRequests::default(),
        last_seen,
    };
    house.restore(loaded);
    house.configure(config);
    house.serve(&receiver);
    drop(house);
    servers.stop();
    let _ = std::fs::remove_file(&socket);
    runtime.shutdown_timeout(Duration::from_secs(1));
    Ok(())
}

/// SIGHUP reloads, SIGTERM and SIGINT stop.
async fn signals(engine: Sender<Message>) -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut hangup = signal(SignalKind::hangup())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    loop {
        tokio::select! {
            _ = hangup.recv() => {
                let (reply, _) = oneshot::channel();
                let _ = engine.send(Message::Reload { zone: None, reply });
            }
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
        }
    }
    let _ = engine.send(Message::Stop);
    Ok(())
}

/// The engine with what surrounds it.
struct House {
    path: PathBuf,
    engine: Clocked,
    performer: Performer,
    notices: Arc<Notices>,
    updates: Arc<Updates>,
    reloads: Vec<Reload>,
    next: NextRequests,
    last_seen: LastSeen,
}

/// A reload whose zones are still being read or signed.
struct Reload {
    zones: BTreeSet<Name>,
    reply: oneshot::Sender<Vec<String>>,
}

impl House {
    fn serve(&mut self, receiver: &Receiver<Message>) {
        loop {
            match receiver.recv_timeout(self.patience()) {
                Ok(Message::Input(input)) => {
                    match &input {
                        Input::ZoneFile { zone, .. } => self.performer.has_read(zone),
                        Input::Refreshed { zone, id, .. } => self.performer.has_refreshed(zone, *id),
                        _ => {}
                    }
                    let next = match &input {
                        Input::NextMade { service, outcome, .. } => Some((service.clone(), outcome.clone())),
                        _ => None,
                    };
                    self.step(input);
                    if let Some((service, outcome)) = next {
                        self.next.finished(&service, &outcome);
                    }
                }
                Ok(Message::Notified(zone)) => {
                    if let Some(input) = self.notices.take(zone) {
                        self.step(input);
                    }
                }
                Ok(Message::Transferred(zone)) => {
                    if let Some(input) = self.notices.transfers.take(zone) {
                        self.step(input);
                    }
                }
                Ok(Message::Differences { zone, reply }) => {
                    let _ = reply.send(self.engine.differences(&zone));
                }
                Ok(Message::Next { service, force, reply }) => self.make_next(service, force, reply),
                Ok(Message::Gate { service, wanted, except, reply }) => {
                    let _ = reply.send(self.gate(service, wanted.as_ref(), except));
                }
                Ok(Message::Compromised { service, confirmed, reply }) => {
                    let cost = self.engine.cost_of_compromise(&service);
                    if confirmed && cost.is_some() {
                        self.step(Input::Compromised { service });
                    }
                    let _ = reply.send(cost);
                }
                Ok(Message::Key { zone, order, reply }) => {
                    let outcome = self.engine.order_key(&zone, order);
                    self.step(Input::Tick);
                    let _ = reply.send(outcome.map(|outcome| outcome.map_err(|error| error.to_string())));
                }
                Ok(Message::CopyState(reply)) => self.performer.copy_state(reply),
                Ok(Message::Status(reply)) => {
                    // As of now, not of when something last happened.
                    self.step(Input::Tick);
                    let _ = reply.send(self.engine.status());
                }
                Ok(Message::Reload { zone, reply }) => self.reload(zone, reply),
                Ok(Message::Stop) | Err(RecvTimeoutError::Disconnected) => {
                    self.keep_clocks();
                    return;
                }
                Err(RecvTimeoutError::Timeout) => self.step(Input::Tick),
            }
            self.answer_reloads();
            if self.last_seen.is_due(self.engine.clocks()) {
                self.keep_clocks();
            }
        }
    }

    /// Gives the engine what was durable, and how much of the time since then does not count for what waits.
    fn restore(&mut self, loaded: Loaded) {
        let gap = self.last_seen.gap(self.engine.clocks());
        let has_waits =
            !loaded.services.is_empty() || loaded.zones.iter().any(|zone| !zone.record.keys.is_empty());
        self.step(Input::Restored(loaded));
        if !has_waits || gap.uncounted() < CLOCK_TOLERANCE {
            return;
        }
        match gap {
            Gap::SetAhead(by) => tracing::warn!(
                "the clock was set ahead by {by} while danelaw was down; waits go on by the time that has passed"
            ),
            Gap::Off(span) => tracing::info!(
                "the machine was started anew: nothing tells how much of the last {span} has passed, and waits go on \
                 with what was left of them"
            ),
            Gap::Unknown => tracing::info!(
                "nothing tells how long danelaw was down: waits go on with what was left of them when they were stored"
            ),
        }
        self.step(Input::ClockSetAhead(gap.uncounted()));
    }

    /// Keeps what the clocks showed for the next start, once what followed from it is durable.
    fn keep_clocks(&mut self) {
        if self.engine.is_durable()
            && let Err(error) = self.last_seen.write(self.engine.clocks())
        {
            tracing::warn!(
                "state: the time is not kept for the next start: {error}; waits are longer after it"
            );
        }
    }

    /// How long nothing may happen before the engine is asked again.
    fn patience(&self) -> Duration {
        match self.engine.wake_at() {
            Timestamp::NEVER => HEARTBEAT,
            at => Duration::from_secs(at.since(clock::now()).0).min(HEARTBEAT).max(Duration::from_millis(20)),
        }
    }

    /// Asks the gate, after a look at the files: whoever has just written them asks sooner than events come.
    fn gate(
        &mut self,
        service: String,
        wanted: Option<&Arc<[u8]>>,
        except: BTreeSet<Arc<str>>,
    ) -> Option<Result<GateStatus, Strangers>> {
        // A slip of the pen must not be kept on record, and be waited for all the same.
        if let Some(strangers) = self.engine.strangers(&service, &except) {
            return Some(Err(strangers));
        }
        for input in self.performer.look_at_files_of(&service) {
            self.step(input);
        }
        let asked = Input::AtGate { service: service.clone(), wanted: wanted.cloned(), except };
        self.step(asked);
        let status = self.engine.gate(&service, wanted.map(AsRef::as_ref));
        if status.as_ref().is_some_and(|status| status.open) {
            // What is about to be deployed is looked for.
            self.perform(Effect::LookAtService(service));
        }
        status.map(Ok)
    }

    fn step(&mut self, input: Input) {
        for effect in self.engine.step(Clocks::read(), input) {
            self.perform(effect);
        }
    }

    fn perform(&mut self, effect: Effect) {
        match effect {
            Effect::Log { level, line } => match level {
                Level::Info => tracing::info!("{line}"),
                Level::Warning => tracing::warn!("{line}"),
                Level::Error => tracing::error!("{line}"),
            },
            Effect::Updated { id, rcode } => self.updates.finish(id, rcode),
            other => self.performer.perform(other),
        }
    }

    /// Takes a configuration, and looks at the certificates before anything else is heard of: so the first version of a
    /// zone has its TLSA records.
    fn configure(&mut self, config: Arc<Config>) {
        self.step(Input::Config(config));
        for input in self.performer.first_look() {
            self.step(input);
        }
    }

    fn make_next(&mut self, service: String, force: bool, reply: next_requests::Reply) {
        // Whoever asked may have gone.
        match self.engine.make_next(&service, force) {
            None => drop(reply.send(None)),
            Some(Err(reason)) => drop(reply.send(Some(Err(reason.to_string())))),
            Some(Ok(orders)) => {
                self.next.wait(service, orders.len(), reply);
                for order in orders {
                    self.perform(Effect::MakeNext(order));
                }
            }
        }
    }

    fn reload(&mut self, zone: Option<Name>, reply: oneshot::Sender<Vec<String>>) {
        if let Some(zone) = zone {
            if !self.performer.config().zones.contains_key(&zone) {
                let _ = reply.send(vec![format!("zone {zone} is not in the configuration")]);
                return;
            }
            self.step(Input::Reread { zone: zone.clone() });
            self.reloads.push(Reload { zones: BTreeSet::from([zone]), reply });
            return;
        }
        let loaded = settings::load(&self.path).map_err(|error| error.to_string()).and_then(|settings| {
            let old = self.performer.config();
            let new = &settings.config;
            if old.listen != new.listen || old.state != new.state {
                return Err("`listen` and `state` change with a restart only".to_owned());
            }
            Ok(settings)
        });
        match loaded {
            Ok(settings) => {
                let zones = settings.config.zones.keys().cloned().collect();
                self.performer.configure(&settings);
                self.configure(settings.config);
                self.reloads.push(Reload { zones, reply });
            }
            Err(problems) => {
                self.step(Input::ConfigRefused(problems.clone()));
                let _ = reply.send(vec![problems]);
            }
        }
    }

    fn answer_reloads(&mut self) {
        let reloads = std::mem::take(&mut self.reloads);
        for reload in reloads {
            let pending =
                reload.zones.iter().any(|zone| self.performer.is_reading(zone) || self.engine.is_busy(zone));
            if pending {
                self.reloads.push(reload);
            } else {
                let problems = reload.zones.iter().flat_map(|zone| self.engine.refusals_of(zone)).collect();
                let _ = reload.reply.send(problems);
            }
        }
    }
}
