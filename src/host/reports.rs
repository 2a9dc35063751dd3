//! Where reports about TLS come in (RFC 8460): a directory that a mail filter or a person puts them into, and POST
//! requests that a web server passes on.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use super::crowd::Crowd;
use super::daemon::Message;
use crate::engine::Input;
use crate::engine::reports::{Report, ReportError};

/// What `listen.http` takes them at.
pub(super) const PATH: &str = "/tlsrpt";
/// Octets of a report as it is sent; larger ones are not read. Compressed, the largest are far below.
pub(super) const MAX_SENT: usize = 1 << 20;
/// Between two looks at the directory.
const POLL_INTERVAL: Duration = Duration::from_secs(5);
/// A file that was written to this recently may not be whole.
const SETTLE: Duration = Duration::from_secs(2);
/// Files of a directory that are looked at.
const MAX_FILES: usize = 10_000;
/// How many reports are taken by POST in a minute, and of how much junk the engine is told. Every sender of mail sends
/// one a day.
pub(super) const MAX_POSTED: u32 = 120;
/// Reports that are on their way by POST at once, each in memory …
const MAX_BODIES: usize = 16;
/// … and those of one client.
pub(super) const MAX_BODIES_OF_CLIENT: usize = 8;
const MINUTE: Duration = Duration::from_mins(1);

/// Whether and how many reports are taken by POST.
pub struct Intake {
    is_open: AtomicBool,
    /// What was a report.
    pub(super) reports: Quota,
    /// What was none.
    pub(super) junk: Quota,
    /// Those who are sending one.
    pub(super) bodies: Arc<Crowd>,
}

impl Default for Intake {
    fn default() -> Self {
        Self {
            is_open: AtomicBool::default(),
            reports: Quota::default(),
            junk: Quota::default(),
            bodies: Arc::new(Crowd::of(MAX_BODIES, MAX_BODIES_OF_CLIENT)),
        }
    }
}

impl Intake {
    /// Takes reports from now on, or takes none.
    pub(super) fn open(&self, is_open: bool) {
        self.is_open.store(is_open, Ordering::Relaxed);
    }

    pub(super) fn is_open(&self) -> bool {
        self.is_open.load(Ordering::Relaxed)
    }
}

/// At most [`MAX_POSTED`] in a minute.
#[derive(Default)]
pub(super) struct Quota {
    /// When the minute began, and how many came in it.
    minute: Mutex<Option<(Instant, u32)>>,
}

impl Quota {
    /// Whether another one would be admitted at this moment.
    pub(super) fn has_room(&self, now: Instant) -> bool {
        let minute = self.minute.lock().unwrap_or_else(PoisonError::into_inner);
        minute.is_none_or(|(began, count)| now.duration_since(began) >= MINUTE || count < MAX_POSTED)
    }

    /// Whether this one is admitted.
    pub(super) fn admits(&self, now: Instant) -> bool {
        let mut minute = self.minute.lock().unwrap_or_else(PoisonError::into_inner);
        let (began, count) =
            minute.filter(|(began, _)| now.duration_since(*began) < MINUTE).unwrap_or((now, 0));
        *minute = Some((began, count.saturating_add(1)));
        count < MAX_POSTED
    }
}

/// Reads the reports in a directory, and those that come later, on a thread of its own until it is dropped.
pub(super) struct Directory {
    path: Sender<Option<PathBuf>>,
}

impl Directory {
    /// Tells `engine` what is there.
    pub(super) fn watch(engine: Sender<Message>) -> std::io::Result<Self> {
        let (path, paths) = mpsc::channel::<Option<PathBuf>>();
        std::thread::Builder::new().name("reports".to_owned()).spawn(move || {
            let mut looker = Looker::default();
            loop {
                match paths.recv_timeout(POLL_INTERVAL) {
                    Ok(path) if path == looker.path => {}
                    Ok(path) => looker = Looker { path, ..Looker::default() },
                    Err(RecvTimeoutError::Timeout) => {}
                    Err(RecvTimeoutError::Disconnected) => return,
                }
                let reports = looker.look();
                if reports
                    .into_iter()
                    .any(|report| engine.send(Message::Input(Input::TlsReport(report))).is_err())
                {
                    return;
                }
            }
        })?;
        Ok(Self { path })
    }

    /// Looks there from now on.
    pub(super) fn look_at(&self, path: Option<PathBuf>) {
        // The thread ends with us, or by a panic that has been logged.
        let _ = self.path.send(path);
    }
}

/// What has been seen of a directory.
#[derive(Default)]
struct Looker {
    path: Option<PathBuf>,
    /// Length and time of each file that has been read.
    read: BTreeMap<PathBuf, (u64, SystemTime)>,
    failing: Option<String>,
}

impl Looker {
    /// The reports that are new.
    fn look(&mut self) -> Vec<Result<Arc<Report>, ReportError>> {
        let Some(directory) = self.path.clone() else { return Vec::new() };
        let files = match list(&directory) {
            Ok(files) => files,
            Err(error) => {
                let error = error.to_string();
                if self.failing.as_ref() != Some(&error) {
                    tracing::warn!(
                        "tls-reports: {}: {error}; looked at again every {POLL_INTERVAL:?}",
                        directory.display()
                    );
                    self.failing = Some(error);
                }
                return Vec::new();
            }
        };
        self.failing = None;
        self.read.retain(|path, _| files.contains_key(path));
        let mut reports = Vec::new();
        for (path, seen) in files {
            // Of a clock that was set back nothing follows.
            let is_settled = seen.1.elapsed().map_or(true, |age| age >= SETTLE);
            if !is_settled || self.read.get(&path) == Some(&seen) {
                continue;
            }
            match read(&path) {
                Ok(octets) => {
                    let report = Report::read(&octets);
                    if let Err(error) = &report {
                        tracing::warn!("tls-reports: {}: {error}; not counted", path.display());
                    }
                    reports.push(report.map(Arc::new));
                }
                Err(error) => tracing::warn!("tls-reports: {}: {error}; not counted", path.display()),
            }
            self.read.insert(path, seen);
        }
        reports
    }
}

fn list(directory: &Path) -> std::io::Result<BTreeMap<PathBuf, (u64, SystemTime)>> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(directory)?.take(MAX_FILES) {
        let entry = entry?;
        let is_hidden = entry.file_name().as_encoded_bytes().first() == Some(&b'.');
        let Ok(metadata) = entry.metadata() else { continue };
        if metadata.is_file() && !is_hidden {
            let changed = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
            files.insert(entry.path(), (metadata.len(), changed));
        }
    }
    Ok(files)
}

fn read(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut octets = Vec::new();
    fs::File::open(path)?.take(MAX_SENT as u64 + 1).read_to_end(&mut octets)?;
    if octets.len() > MAX_SENT {
        return Err(std::io::Error::new(std::io::ErrorKind::FileTooLarge, "larger than 1 MiB"));
    }
    Ok(octets)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_by_post_are_taken_at_a_bounded_rate() {
        let (quota, start) = (Quota::default(), Instant::now());
        assert!(quota.has_room(start));
        let admitted = (0..2 * MAX_POSTED).filter(|_| quota.admits(start)).count();
        assert_eq!(admitted, MAX_POSTED as usize);
        assert!(!quota.has_room(start + MINUTE / 2) && !quota.admits(start + MINUTE / 2));
        assert!(quota.has_room(start + MINUTE) && quota.admits(start + MINUTE));
    }

    #[test]
    fn a_file_is_read_once_it_is_whole_and_again_only_when_it_changes() {
        let scratch = tempfile::tempdir().unwrap();
        let file = scratch.path().join("report.json");
        let write = |text: &str, age: u64| {
            fs::write(&file, text).unwrap();
            let time = SystemTime::now() - Duration::from_secs(age);
            fs::File::options().write(true).open(&file).unwrap().set_modified(time).unwrap();
        };
        let mut looker = Looker { path: Some(scratch.path().to_owned()), ..Looker::default() };
        assert!(looker.look().is_empty());
        write("{\"report-id\"", 0);
        assert!(looker.look().is_empty(), "it is being written");
        let whole = r#"{"report-id": "1", "policies": []}"#;
        write(whole, 10);
        assert_eq!(looker.look(), [Ok(Arc::new(Report::read(whole.as_bytes()).unwrap()))]);
        assert!(looker.look().is_empty());
        write("no report", 5);
        assert_eq!(looker.look(), [Err(ReportError::Malformed)]);
        fs::remove_file(&file).unwrap();
        assert!(looker.look().is_empty() && looker.read.is_empty());
        fs::remove_dir(scratch.path()).unwrap();
        assert!(looker.look().is_empty() && looker.failing.is_some());
    }
}
