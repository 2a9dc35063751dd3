//! Watching certificate and key files, whichever way their store replaces them.
//!
//! One inotify instance watches every directory on the way to every file (`route.rs`); each event on the
//! way resolves it again. Under it all contents are compared at an interval, for what inotify does
//! not tell (NFS, overlays, lost events). What is delivered was read twice alike; each content once.
//!
//! The sink is called on the watcher's thread and should hand over and return.

mod read;
mod route;

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use notify::event::{AccessKind, AccessMode};
use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};

pub use read::{Contents, MAX_FILE_SIZE, ReadError};
use read::{Fingerprint, read};
use route::Route;

/// How often contents are compared beneath inotify, unless told otherwise.
pub const POLL_INTERVAL: Duration = Duration::from_secs(10);
/// How often, at least, once a directory could not be watched.
pub const POLL_INTERVAL_WITHOUT_INOTIFY: Duration = Duration::from_secs(2);
/// A file is read when nothing on its way has changed for this long …
const SETTLE: Duration = Duration::from_millis(5);
/// … or this long after the first change.
const SETTLE_AT_MOST: Duration = Duration::from_millis(100);
/// Between the two reads that have to agree; doubled while they do not.
const AGREE: Duration = Duration::from_millis(3);
/// The doubling ends here.
const AGREE_AT_MOST: Duration = Duration::from_millis(250);
/// Stores unlink before they link, and truncate before they write: that a file is gone or empty is
/// believed when it has been so for this long.
const ABSENCE: Duration = Duration::from_millis(200);

/// Names a watched file to the sink.
pub type WatchId = Arc<str>;

/// What a watched file holds now, or why it cannot be read.
#[derive(Clone, PartialEq, Eq)]
pub struct WatchEvent {
    /// Which file.
    pub id: WatchId,
    /// What was read.
    pub outcome: Result<Contents, ReadError>,
}

/// Watches files until dropped.
#[derive(Debug)]
pub struct Watcher {
    messages: Sender<Message>,
    thread: Option<JoinHandle<()>>,
}

enum Message {
    /// Something changed at one of these paths; at any path when there is none.
    Changed(Vec<PathBuf>),
    Replace(Vec<(WatchId, PathBuf)>),
    Stop,
}

impl Watcher {
    /// Watches `files`; each is delivered once now, and again whenever what it holds has changed.
    ///
    /// Relative paths start from the working directory.
    pub fn start(
        files: Vec<(WatchId, PathBuf)>,
        poll: Duration,
        sink: impl Fn(WatchEvent) + Send + 'static,
    ) -> std::io::Result<Self> {
        let (messages, inbox) = channel();
        let mut watching =
            Watching { notify: Notify::new(messages.clone()), poll, files: Vec::new(), sink: Box::new(sink) };
        watching.replace(files);
        let thread = std::thread::Builder::new().name("watch".to_owned());
        let thread = thread.spawn(move || watching.run(&inbox))?;
        Ok(Self { messages, thread: Some(thread) })
    }

    /// Watches these files from now on. A file whose id and path stay is not delivered again.
    pub fn replace(&self, files: Vec<(WatchId, PathBuf)>) {
        // Without a receiver the thread has ended, which only a panic of the sink does.
        let _ = self.messages.send(Message::Replace(files));
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        let _ = self.messages.send(Message::Stop);
        if let Some(thread) = self.thread.take()
            && thread.thread().id() != std::thread::current().id()
        {
            let _ = thread.join();
        }
    }
}

impl fmt::Debug for WatchEvent {
    /// Never the contents.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.outcome {
            Ok(contents) => write!(f, "WatchEvent({}: {} octets)", self.id, contents.len()),
            Err(error) => write!(f, "WatchEvent({}: {error})", self.id),
        }
    }
}

/// The thread's own.
struct Watching {
    notify: Notify,
    poll: Duration,
    files: Vec<Watched>,
    sink: Box<dyn Fn(WatchEvent) + Send>,
}

/// One file.
struct Watched {
    id: WatchId,
    path: PathBuf,
    route: Route,
    /// What the sink knows.
    delivered: Option<Fingerprint>,
    pending: Option<Pending>,
}

/// A change that is being waited out.
struct Pending {
    /// When to read next.
    due: Instant,
    /// Of the first event.
    began: Instant,
    /// What the last read found, and since when it finds that.
    seen: Option<(Fingerprint, Instant)>,
    patience: Duration,
}

impl Watching {
    fn run(mut self, inbox: &Receiver<Message>) {
        let mut next_poll = Instant::now() + self.poll_interval();
        loop {
            let due = self.files.iter().filter_map(|file| file.pending.as_ref().map(|pending| pending.due));
            let wake = due.min().map_or(next_poll, |due| due.min(next_poll));
            match inbox.recv_timeout(wake.saturating_duration_since(Instant::now())) {
                Ok(Message::Stop) | Err(RecvTimeoutError::Disconnected) => return,
                Ok(Message::Replace(files)) => self.replace(files),
                Ok(Message::Changed(paths)) => self.changed(&paths),
                Err(RecvTimeoutError::Timeout) => {}
            }
            let now = Instant::now();
            if now >= next_poll {
                for file in &mut self.files {
                    file.pending.get_or_insert_with(|| Pending::at_once(now));
                }
                next_poll = now + self.poll_interval();
            }
            self.read_what_is_due(now);
        }
    }

    fn poll_interval(&self) -> Duration {
        if self.notify.is_degraded { self.poll.min(POLL_INTERVAL_WITHOUT_INOTIFY) } else { self.poll }
    }

    fn replace(&mut self, files: Vec<(WatchId, PathBuf)>) {
        let now = Instant::now();
        let mut before = std::mem::take(&mut self.files);
        for (id, path) in files {
            let path = std::path::absolute(&path).unwrap_or(path);
            let known = before.iter().position(|file| file.id == id && file.path == path);
            self.files.push(match known {
                Some(at) => before.swap_remove(at),
                None => Watched {
                    id,
                    path,
                    route: Route::default(),
                    delivered: None,
                    pending: Some(Pending::at_once(now)),
                },
            });
        }
        self.notify.keep_only(&self.files);
    }

    /// Puts off reading the files on whose way something changed until it has settled.
    fn changed(&mut self, paths: &[PathBuf]) {
        let now = Instant::now();
        for file in &mut self.files {
            if paths.is_empty() || paths.iter().any(|path| file.route.concerns(path)) {
                let pending = file.pending.get_or_insert_with(|| Pending::at_once(now));
                let settled = (now + SETTLE).min(pending.began + SETTLE_AT_MOST);
                // After that the two reads set the pace, however many events there are.
                if settled > now {
                    pending.due = settled;
                }
            }
        }
    }

    fn read_what_is_due(&mut self, now: Instant) {
        let mut moved = false;
        for file in &mut self.files {
            if file.pending.as_ref().is_some_and(|pending| pending.due <= now) {
                moved |= self.notify.follow(file);
                file.read(&self.sink);
            }
        }
        if moved {
            self.notify.keep_only(&self.files);
        }
    }
}

impl Watched {
    /// Reads, and delivers what two reads agree on.
    fn read(&mut self, sink: &dyn Fn(WatchEvent)) {
        let Some(pending) = &mut self.pending else { return };
        let outcome = read(&self.path);
        let found = Fingerprint::of(&outcome);
        let now = Instant::now();
        if self.delivered == Some(found) {
            self.pending = None;
            return;
        }
        let enough = match &outcome {
            Ok(contents) if !contents.is_empty() => AGREE,
            _ => ABSENCE,
        };
        match pending.seen {
            Some((seen, since)) if seen == found => {
                let left = enough.saturating_sub(now.duration_since(since));
                if left.is_zero() {
                    self.pending = None;
                    self.delivered = Some(found);
                    sink(WatchEvent { id: self.id.clone(), outcome });
                } else {
                    pending.due = now + left;
                }
            }
            other => {
                if other.is_some() {
                    pending.patience = (pending.patience * 2).min(AGREE_AT_MOST);
                }
                pending.seen = Some((found, now));
                // What is gone or empty may be back at the next moment, and an event will say so.
                pending.due = now + pending.patience.max(enough);
            }
        }
    }
}

impl Pending {
    fn at_once(now: Instant) -> Self {
        Self { due: now, began: now, seen: None, patience: AGREE }
    }
}

/// The one inotify instance, and which directories it watches.
struct Notify {
    /// None when the system has no instance left to give.
    watcher: Option<RecommendedWatcher>,
    directories: BTreeSet<PathBuf>,
    /// A directory could not be watched: polling has to be quicker.
    is_degraded: bool,
}

impl Notify {
    fn new(messages: Sender<Message>) -> Self {
        let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            let paths = match event {
                Ok(event) if is_a_read(event.kind) => return,
                // The queue overflowed: anything may have changed.
                Ok(event) if event.need_rescan() => Vec::new(),
                Ok(event) => event.paths,
                Err(error) => error.paths,
            };
            let _ = messages.send(Message::Changed(paths));
        });
        let mut notify = Self { watcher: None, directories: BTreeSet::new(), is_degraded: false };
        match watcher {
            Ok(watcher) => notify.watcher = Some(watcher),
            Err(error) => notify.degrade(Path::new("any directory"), &error),
        }
        notify
    }

    /// Watches the directories on the way to `file` as it is now. Whether the way has changed.
    fn follow(&mut self, file: &mut Watched) -> bool {
        let before = file.route.clone();
        // The way may change between looking and watching, so it is looked at again until it stays.
        for _ in 0..MAX_ROUTES {
            let route = Route::to(&file.path);
            let same = route == file.route && route.directories.is_subset(&self.directories);
            file.route = route;
            for directory in &file.route.directories {
                self.watch(directory);
            }
            if same {
                break;
            }
        }
        file.route != before
    }

    /// Watches a directory, again if it is watched: another one may have taken its name.
    fn watch(&mut self, directory: &Path) {
        let Some(watcher) = &mut self.watcher else { return };
        match watcher.watch(directory, RecursiveMode::NonRecursive) {
            Ok(()) => {
                self.directories.insert(directory.to_owned());
            }
            // It went away since; its parent tells when it is back.
            Err(_) if !directory.is_dir() => {
                self.directories.remove(directory);
            }
            Err(error) => self.degrade(directory, &error),
        }
    }

    /// Forgets the directories that lead to none of `files`.
    fn keep_only(&mut self, files: &[Watched]) {
        let needed: BTreeSet<&PathBuf> = files.iter().flat_map(|file| &file.route.directories).collect();
        let unneeded: Vec<PathBuf> =
            self.directories.iter().filter(|directory| !needed.contains(directory)).cloned().collect();
        for directory in unneeded {
            self.directories.remove(&directory);
            if let Some(watcher) = &mut self.watcher {
                // It may be gone, and its watch with it.
                let _ = watcher.unwatch(&directory);
            }
        }
    }

    /// Says once that changes will be noticed later.
    fn degrade(&mut self, directory: &Path, error: &notify::Error) {
        if !self.is_degraded {
            self.is_degraded = true;
            let directory = directory.display();
            let interval = POLL_INTERVAL_WITHOUT_INOTIFY.as_secs();
            tracing::warn!(
                "cannot watch {directory}: {error}; certificates are compared every {interval} s instead \
                 (see /proc/sys/fs/inotify)"
            );
        }
    }
}

/// Whether an event is somebody's reading, such as our own.
fn is_a_read(kind: EventKind) -> bool {
    matches!(kind, EventKind::Access(access) if access != AccessKind::Close(AccessMode::Write))
}

/// How often a way that keeps changing is looked at before its next event is waited for.
const MAX_ROUTES: usize = 4;
