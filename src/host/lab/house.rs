//! What a laboratory is made of: a directory, ports, programs that run in it, and an end that leaves nothing behind.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use ring::rand::SystemRandom;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use tokio::runtime::{Handle, Runtime};

use super::super::files;
use super::super::identity::provider;
use super::LabError;
use crate::dns::name::Name;
use crate::dns::time::{DAY, Timestamp};
use crate::tlsa::new_key::{KeyAlgorithm, NewKey};
use crate::tlsa::{Association, Material, Params, Validity};

/// How often a condition is looked at.
const PAUSE: Duration = Duration::from_millis(100);
/// How long anything in a laboratory may take.
const PATIENCE: Duration = Duration::from_mins(2);
/// How often a free port is looked for.
const ATTEMPTS: usize = 100;

/// A directory with what runs in it. All of it goes when this goes, or a signal comes.
pub(super) struct House {
    directory: PathBuf,
    children: Arc<Mutex<Vec<Child>>>,
    runtime: Runtime,
}

/// A certificate with its key, and what DNS has to say of it.
pub(super) struct Pair {
    /// PEM.
    pub(super) chain: String,
    /// To be presented.
    pub(super) certified: Arc<CertifiedKey>,
    /// `3 1 1 …`
    pub(super) association: Association,
}

impl House {
    pub(super) fn build() -> Result<Self, LabError> {
        let directory = std::env::temp_dir().join(format!("danelaw-lab-{}", std::process::id()));
        DirBuilder::new()
            .mode(0o700)
            .create(&directory)
            .map_err(|error| LabError::file(&directory, error))?;
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let house = Self { directory, children: Arc::default(), runtime };
        let (directory, children) = (house.directory.clone(), Arc::clone(&house.children));
        house.runtime.spawn(async move {
            if until_signal().await.is_ok() {
                tear_down(&directory, &children);
                std::process::exit(EXIT_BY_SIGNAL);
            }
        });
        Ok(house)
    }

    pub(super) fn runtime(&self) -> &Handle {
        self.runtime.handle()
    }

    /// A path in the directory.
    pub(super) fn path(&self, relative: &str) -> PathBuf {
        self.directory.join(relative)
    }

    /// Writes a file, with the directories above it.
    pub(super) fn write(&self, relative: &str, text: &str) -> Result<PathBuf, LabError> {
        let path = self.path(relative);
        let above = path.parent().unwrap_or(&self.directory);
        DirBuilder::new()
            .mode(0o700)
            .recursive(true)
            .create(above)
            .and_then(|()| fs::write(&path, text))
            .map_err(|error| LabError::file(&path, error))?;
        Ok(path)
    }

    /// Runs `danelaw -c CONFIG run` until the end; its log is `LOG.log`.
    pub(super) fn serve(&self, config: &Path, log: &str) -> Result<(), LabError> {
        let path = self.path(&format!("{log}.log"));
        let file = File::create(&path).map_err(|error| LabError::file(&path, error))?;
        let mut run = Command::new(std::env::current_exe()?);
        run.arg("-c").arg(config).arg("run").stdin(Stdio::null());
        let child = run.stdout(file.try_clone()?).stderr(file).spawn()?;
        self.children.lock().unwrap_or_else(PoisonError::into_inner).push(child);
        Ok(())
    }

    /// Looks until there is an answer. Whoever runs must go on running meanwhile.
    pub(super) fn until<T>(
        &self,
        what: &'static str,
        mut look: impl FnMut() -> Result<Option<T>, LabError>,
    ) -> Result<T, LabError> {
        let begun = Instant::now();
        loop {
            if let Some(answer) = look()? {
                return Ok(answer);
            }
            for child in self.children.lock().unwrap_or_else(PoisonError::into_inner).iter_mut() {
                if let Some(status) = child.try_wait()? {
                    return Err(LabError::Ended { status, logs: self.logs() });
                }
            }
            if begun.elapsed() > PATIENCE {
                return Err(LabError::Late { what, logs: self.logs() });
            }
            std::thread::sleep(PAUSE);
        }
    }

    /// What the programs have logged.
    fn logs(&self) -> String {
        let mut logs = String::new();
        for entry in fs::read_dir(&self.directory).into_iter().flatten().flatten() {
            if entry.path().extension().is_some_and(|extension| extension == "log") {
                logs += &fs::read_to_string(entry.path()).unwrap_or_default();
            }
        }
        logs
    }

    /// Waits for a signal, for ever if none comes; what follows one is done elsewhere.
    pub(super) fn keep(&self) {
        self.runtime.block_on(std::future::pending::<()>());
    }
}

impl Drop for House {
    fn drop(&mut self) {
        tear_down(&self.directory, &self.children);
    }
}

fn tear_down(directory: &Path, children: &Mutex<Vec<Child>>) {
    for mut child in children.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
        // Nobody needs to hear of one that has ended already.
        let _ = child.kill();
        let _ = child.wait();
    }
    let _ = fs::remove_dir_all(directory);
}

async fn until_signal() -> io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}

/// Where a nameserver or a mail server can listen: free for UDP and TCP at this moment.
pub(super) fn free_port(ip: Ipv4Addr) -> Result<SocketAddr, LabError> {
    for _ in 0..ATTEMPTS {
        let tcp = TcpListener::bind((ip, 0))?;
        let address = tcp.local_addr()?;
        if UdpSocket::bind(address).is_ok() {
            return Ok(address);
        }
    }
    Err(io::Error::from(io::ErrorKind::AddrInUse).into())
}

impl Pair {
    /// A fresh key in a certificate of its own for `host`.
    pub(super) fn make(host: &Name, now: Timestamp) -> Result<Self, LabError> {
        let random = SystemRandom::new();
        let key = NewKey::generate(KeyAlgorithm::EcdsaP256, &random)?;
        let validity = Validity { not_before: now - DAY, not_after: now + DAY * 30 };
        let chain = key.self_signed(std::slice::from_ref(host), validity, &random)?;
        let material = Material::parse(chain.as_bytes())?;
        let association = Association::new(Params::DEFAULT, &material)?;
        let der = CertificateDer::pem_slice_iter(chain.as_bytes()).collect::<Result<Vec<_>, _>>();
        let private = PrivateKeyDer::from_pem_slice(key.pem().as_bytes());
        let (Ok(der), Ok(private)) = (der, private) else { return Err(LabError::Pem) };
        let private = provider().key_provider.load_private_key(private)?;
        Ok(Self { chain, certified: Arc::new(CertifiedKey::new(der, private)), association })
    }

    /// Puts the certificate where services have theirs.
    pub(super) fn install(&self, path: &Path) -> Result<(), LabError> {
        let new = path.with_extension("new");
        let _ = fs::remove_file(&new);
        files::create(&new, self.chain.as_bytes(), files::PUBLIC_MODE)
            .and_then(|()| fs::rename(&new, path))
            .map_err(|error| LabError::file(path, error))
    }
}

/// What the shell says of a program that SIGINT has ended.
const EXIT_BY_SIGNAL: i32 = 130;
