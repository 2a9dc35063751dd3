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

use super::clock;
use super::control::{self, Api};
use super::disk::{self, DiskError};
use super::identity::IdentityError;
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
use crate::engine::{self, Effect, Engine, Input, Level, Status};
use crate::state::StateError;

/// What the engine's thread is told.
pub(super) enum Message {
    /// Something happened.
    Input(Input),
    /// Somebody says that a zone has changed at its primary: [`Notices`] knows what.
    Notified(Name),
    /// Somebody wants to know how things are.
    Status(oneshot::Sender<Status>),
    /// Somebody wants to know how a zone differs from its file.
    Differences { zone: Name, reply: oneshot::Sender<Option<Vec<Difference>>> },
    /// Configuration and zones are to be read again: one zone, or everything. Answered with what was refused,
    /// once what was taken is served.
    Reload { zone: Option<Name>, reply: oneshot::Sender<Vec<String>> },
    /// Transfers of a zone have come to their end: [`Transfers`](super::transfers::Transfers) knows which.
    Transferred(Name),
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
    let api = Api { engine: sender.clone(), published: Arc::clone(&published), traffic, started };
    let listener = {
        let _context = runtime.enter();
        control::bind(&socket)
            .map_err(|source| StartError::Socket { what: socket.display().to_string(), source })?
    };
    if let Some(address) = config.listen.http {
        let http = runtime
            .block_on(tokio::net::TcpListener::bind(address))
            .map_err(|source| StartError::Socket { what: format!("listen.http {address}"), source })?;
        runtime.spawn(control::serve_http(http, api.clone()));
    }
    runtime.spawn(control::serve(listener, api));
    runtime.spawn(signals(sender));

    let mut house = House {
        path: path.to_owned(),
        engine: Engine::new(),
        performer,
        notices,
        updates,
        reloads: Vec::new(),
    };
    house.step(Input::Restored(loaded));
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
    engine: Engine,
    performer: Performer,
    notices: Arc<Notices>,
    updates: Arc<Updates>,
    reloads: Vec<Reload>,
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
                    self.step(input);
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
                Ok(Message::Status(reply)) => drop(reply.send(self.engine.status())),
                Ok(Message::Reload { zone, reply }) => self.reload(zone, reply),
                Ok(Message::Stop) | Err(RecvTimeoutError::Disconnected) => return,
                Err(RecvTimeoutError::Timeout) => self.step(Input::Tick),
            }
            self.answer_reloads();
        }
    }

    /// How long nothing may happen before the engine is asked again.
    fn patience(&self) -> Duration {
        match self.engine.wake_at() {
            Timestamp::NEVER => HEARTBEAT,
            at => Duration::from_secs(at.since(clock::now()).0).min(HEARTBEAT).max(Duration::from_millis(20)),
        }
    }

    fn step(&mut self, input: Input) {
        for effect in self.engine.step(clock::now(), input) {
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

    /// Takes a configuration: certificates first, so that the first version of a zone has its TLSA records.
    fn configure(&mut self, config: Arc<Config>) {
        let effects = self.engine.step(clock::now(), Input::Config(config));
        for input in self.performer.first_look() {
            self.step(input);
        }
        for effect in effects {
            self.perform(effect);
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
                let problems = reload.zones.iter().flat_map(|zone| self.engine.alarms_of(zone)).collect();
                let _ = reload.reply.send(problems);
            }
        }
    }
}
