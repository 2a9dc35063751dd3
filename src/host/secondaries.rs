//! Telling secondaries of new versions, and seeing which one each of them serves.
//!
//! One task for each address of each secondary of each zone. It sends NOTIFY with the SOA record (RFC 1996) until
//! that is answered, then asks for the SOA until it shows the serial, then looks now and again. A newer version
//! overtakes an older one: at most one NOTIFY is in flight, and the newest serial wins.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::daemon::Message;
use super::lookout::recheck;
use super::notify;
use super::published::Published;
use crate::config::{Config, Remote};
use crate::dns::name::Name;
use crate::dns::tsig::{Key, Keyring};
use crate::engine::Input;
use crate::zone::Serial;

/// The first wait after a failure or a stale answer; doubled each time.
const FIRST_WAIT: Duration = Duration::from_millis(250);
/// The longest wait while a secondary lags or is silent.
const LONGEST_WAIT: Duration = Duration::from_mins(1);
/// After so many stale answers NOTIFY is sent again: it may have been lost behind its own answer.
const STALE_BEFORE_NOTIFY: u32 = 6;

/// All the tasks.
pub(super) struct Secondaries {
    published: Arc<Published>,
    engine: Sender<Message>,
    runtime: Handle,
    watched: BTreeMap<(Name, SocketAddr), Watched>,
}

struct Watched {
    remote: Arc<Remote>,
    key: Option<Arc<Key>>,
    wanted: watch::Sender<Option<Serial>>,
    task: JoinHandle<()>,
}

impl Secondaries {
    pub(super) fn new(
        config: &Config,
        keyring: &Keyring,
        published: Arc<Published>,
        engine: Sender<Message>,
        runtime: Handle,
    ) -> Self {
        let mut this = Self { published, engine, runtime, watched: BTreeMap::new() };
        this.configure(config, keyring);
        this
    }

    /// Goes by another configuration: tasks whose secondary stays as it was go on.
    pub(super) fn configure(&mut self, config: &Config, keyring: &Keyring) {
        let mut old = std::mem::take(&mut self.watched);
        for zone in config.zones.values() {
            for remote in &zone.secondaries {
                let key = remote.tsig.as_ref().and_then(|key| keyring.find(key.name.as_ref())).cloned();
                for &address in &remote.addresses {
                    let at = (zone.origin.clone(), address);
                    let same = |was: &Watched| was.remote == *remote && was.key == key;
                    let watched = match old.remove(&at) {
                        Some(was) if same(&was) => was,
                        was => {
                            let serial = was.and_then(|was| {
                                was.task.abort();
                                *was.wanted.borrow()
                            });
                            self.start(&zone.origin, address, Arc::clone(remote), key.clone(), serial)
                        }
                    };
                    self.watched.insert(at, watched);
                }
            }
        }
        for gone in old.into_values() {
            gone.task.abort();
        }
    }

    /// Tells every secondary of `zone` that it should come to serve `serial`.
    pub(super) fn notify(&self, zone: &Name, serial: Serial) {
        for ((name, _), watched) in &self.watched {
            if name == zone {
                watched.wanted.send_replace(Some(serial));
            }
        }
    }

    fn start(
        &self,
        zone: &Name,
        address: SocketAddr,
        remote: Arc<Remote>,
        key: Option<Arc<Key>>,
        serial: Option<Serial>,
    ) -> Watched {
        // A restart publishes what the state holds without a NOTIFY of its own; whoever lags is told all the same.
        let serial = serial.or_else(|| self.published.snapshot(zone).map(|snapshot| snapshot.serial()));
        let (wanted, receiver) = watch::channel(serial);
        let watch = Watch {
            zone: zone.clone(),
            name: remote.name.clone(),
            address,
            key: key.clone(),
            published: Arc::clone(&self.published),
            engine: self.engine.clone(),
        };
        let task = self.runtime.spawn(watch.run(receiver));
        Watched { remote, key, wanted, task }
    }
}

impl Drop for Secondaries {
    fn drop(&mut self) {
        for watched in self.watched.values() {
            watched.task.abort();
        }
    }
}

/// How far a task has come with one version.
#[derive(Default)]
struct Course {
    /// What the secondary has been told, and has heard.
    told: Option<Serial>,
    /// Until it is told again, or asked.
    pause: Duration,
    /// The last pause after a failure or a stale answer.
    wait: Duration,
    /// How many stale answers there were.
    stale: u32,
}

impl Course {
    fn longer(&mut self) {
        self.wait = (self.wait * 2).clamp(FIRST_WAIT * 2, LONGEST_WAIT);
        self.pause = self.wait;
    }
}

/// One task's own.
struct Watch {
    zone: Name,
    name: String,
    address: SocketAddr,
    key: Option<Arc<Key>>,
    published: Arc<Published>,
    engine: Sender<Message>,
}

impl Watch {
    async fn run(self, mut wanted: watch::Receiver<Option<Serial>>) {
        let mut course = Course::default();
        loop {
            let target = *wanted.borrow_and_update();
            if let Some(serial) = target.filter(|serial| course.told != Some(*serial)) {
                // One at a time: what is newer waits for the answer.
                match self.tell().await {
                    Ok(()) => {
                        course = Course { told: Some(serial), pause: FIRST_WAIT / 4, ..Course::default() }
                    }
                    Err(error) => {
                        self.report(Err(error));
                        course.longer();
                    }
                }
            }
            // Whoever is slow to say what it serves is told of the next version all the same.
            tokio::select! {
                changed = wanted.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    course = Course::default();
                }
                () = self.look(target, &mut course) => {}
            }
        }
    }

    /// Pauses, and then asks which serial is served; unless it is to be told again.
    async fn look(&self, target: Option<Serial>, course: &mut Course) {
        tokio::time::sleep(course.pause).await;
        if target.is_some() && course.told.is_none() {
            return;
        }
        match notify::poll_serial(self.address, self.zone.as_ref(), self.key.as_ref()).await {
            Ok(serial) => {
                self.report(Ok(serial));
                if target.is_none_or(|target| serial >= target) {
                    *course = Course { told: course.told, pause: recheck(), ..Course::default() };
                } else {
                    course.stale += 1;
                    if course.stale.is_multiple_of(STALE_BEFORE_NOTIFY) {
                        course.told = None;
                    }
                    course.longer();
                }
            }
            Err(error) => {
                self.report(Err(error.to_string()));
                course.longer();
            }
        }
    }

    async fn tell(&self) -> Result<(), String> {
        let Some(snapshot) = self.published.snapshot(&self.zone) else { return Ok(()) };
        let soa = snapshot.soa().map(|soa| soa.records).unwrap_or_default();
        notify::notify(self.address, self.zone.as_ref(), soa, self.key.as_ref())
            .await
            .map_err(|error| error.to_string())
    }

    fn report(&self, outcome: Result<Serial, String>) {
        let input = Input::Secondary {
            zone: self.zone.clone(),
            remote: self.name.clone(),
            address: self.address,
            outcome,
        };
        let _ = self.engine.send(Message::Input(input));
    }
}
