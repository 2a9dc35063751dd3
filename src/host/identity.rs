//! The certificate and key of the encrypted listeners, as their files are now.
//!
//! The files are watched. A pair that is sound takes the place of the one before, for the handshakes that follow;
//! connections that there are go on. One that is not sound changes nothing, and is reported. Chain and key are two
//! files, and a store replaces one after the other: that they do not match is believed after two seconds.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{ClientHello, ResolvesServerCert, ServerConfig};
use rustls::sign::CertifiedKey;
use rustls::{InconsistentKeys, SupportedProtocolVersion};
use tokio::runtime::Handle;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::timeout;

use super::files;
use super::watch::{Contents, POLL_INTERVAL, ReadError, WatchEvent, Watcher};
use crate::config::ServerCertificate;
use crate::engine::input::Presented;
use crate::tlsa::Validity;
use crate::tlsa::material::Certificate;

/// A store has replaced both files within this time.
const SETTLE: Duration = Duration::from_secs(2);
/// The watched files by their ids.
const CHAIN: &str = "chain";
const KEY: &str = "key";

/// What the encrypted listeners present: nothing until there has been a sound pair.
#[derive(Debug, Default)]
pub struct Identity(ArcSwapOption<CertifiedKey>);

/// Two files make no identity.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{}: {fault}", .path.display())]
pub struct IdentityError {
    /// The file that is to blame.
    pub path: PathBuf,
    /// What is wrong with it.
    pub fault: Fault,
}

/// What is wrong with a certificate or its key.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Fault {
    /// The file cannot be read.
    #[error("{0}")]
    Unreadable(ReadError),
    /// No PEM block of the right kind.
    #[error("no {0} found, expected it in PEM")]
    Missing(&'static str),
    /// PEM that is cut off or no Base64.
    #[error("broken PEM, expected `-----BEGIN`, Base64, `-----END`")]
    BrokenPem,
    /// A key that cannot sign here, or a certificate that is none.
    #[error("unusable {0}: {1}")]
    Unusable(&'static str, rustls::Error),
    /// They are of two pairs.
    #[error("this key does not belong to the certificate")]
    Mismatch,
}

/// The files as they were read last.
struct Pair {
    files: ServerCertificate,
    chain: Result<Contents, ReadError>,
    key: Result<Contents, ReadError>,
}

impl Identity {
    /// The identity in `files`, now and as they change while the watcher lives. What is presented since is told to
    /// `report` with what is wrong with the files, and [`None`] when nothing is wrong (any more).
    pub(super) fn watch(
        files: &ServerCertificate,
        runtime: &Handle,
        report: impl Report + Send + 'static,
    ) -> std::io::Result<(Arc<Self>, Watcher)> {
        let identity = Arc::new(Self::default());
        let pair = Pair::read(files);
        identity.take(&pair, &report);
        let (sender, events) = unbounded_channel();
        let watched = vec![(CHAIN.into(), files.chain.clone()), (KEY.into(), files.key.clone())];
        let watcher = Watcher::start(watched, POLL_INTERVAL, move |event| drop(sender.send(event)))?;
        runtime.spawn(follow(pair, events, Arc::clone(&identity), report));
        Ok((identity, watcher))
    }

    /// TLS with this identity, and one of the protocols `alpn` if the client names any (RFC 7301). The certificates
    /// of clients are asked for and judged by `clients`, if there is one.
    pub(super) fn tls(
        self: &Arc<Self>,
        versions: &[&'static SupportedProtocolVersion],
        alpn: &[&[u8]],
        clients: Option<Arc<dyn ClientCertVerifier>>,
    ) -> Result<ServerConfig, rustls::Error> {
        let builder =
            ServerConfig::builder_with_provider(Arc::new(provider())).with_protocol_versions(versions)?;
        let builder = match clients {
            Some(clients) => builder.with_client_cert_verifier(clients),
            None => builder.with_no_client_auth(),
        };
        let mut config = builder.with_cert_resolver(Arc::clone(self) as Arc<dyn ResolvesServerCert>);
        config.alpn_protocols = alpn.iter().map(|&protocol| protocol.to_vec()).collect();
        Ok(config)
    }

    fn take(&self, pair: &Pair, report: &impl Report) {
        let problem = match pair.certified() {
            Ok(certified) => {
                let fresh = Some(&certified.cert) != self.0.load().as_ref().map(|current| &current.cert);
                self.0.store(Some(Arc::new(certified)));
                if fresh {
                    tracing::info!("{}: in use by the encrypted listeners", pair.files.chain.display());
                }
                None
            }
            Err(error) => {
                let consequence = if self.0.load().is_some() {
                    "the encrypted listeners keep the certificate that they had"
                } else {
                    "the encrypted listeners refuse every client"
                };
                Some(format!("{error}; {consequence}"))
            }
        };
        report(self.presented(pair), problem);
    }

    /// What clients are shown from now on.
    fn presented(&self, pair: &Pair) -> Option<Presented> {
        let current = self.0.load();
        let validity = validity(current.as_ref()?)?;
        Some(Presented { file: pair.files.chain.clone(), validity })
    }
}

/// Takes what is presented, and what is wrong with the files.
pub(super) trait Report: Fn(Option<Presented>, Option<String>) {}

impl<F: Fn(Option<Presented>, Option<String>)> Report for F {}

impl ResolvesServerCert for Identity {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.0.load_full()
    }
}

/// What `files` hold at this moment, to be presented as a client.
pub(super) fn certified(files: &ServerCertificate) -> Result<CertifiedKey, IdentityError> {
    Pair::read(files).certified()
}

/// Whether `files` make an identity at this moment, and when its certificate is valid, if that can be told.
pub(super) fn check(files: &ServerCertificate) -> Result<Option<Validity>, IdentityError> {
    Pair::read(files).certified().map(|certified| validity(&certified))
}

fn validity(certified: &CertifiedKey) -> Option<Validity> {
    let leaf = Certificate::parse(certified.cert.first()?).ok()?;
    Some(leaf.validity())
}

/// Takes what the watcher finds, until the watcher is gone.
async fn follow(
    mut pair: Pair,
    mut events: UnboundedReceiver<WatchEvent>,
    identity: Arc<Identity>,
    report: impl Report,
) {
    while let Some(event) = events.recv().await {
        pair.note(event);
        // What does not fit together may only be half of what is to come.
        while pair.certified().is_err() {
            match timeout(SETTLE, events.recv()).await {
                Ok(Some(event)) => pair.note(event),
                Ok(None) => return,
                Err(_) => break,
            }
        }
        identity.take(&pair, &report);
    }
}

impl Pair {
    fn read(files: &ServerCertificate) -> Self {
        let read =
            |path: &Path| files::read(path).map(Arc::new).map_err(|error| ReadError::from(error.kind()));
        Self { chain: read(&files.chain), key: read(&files.key), files: files.clone() }
    }

    fn note(&mut self, event: WatchEvent) {
        let half = if &*event.id == CHAIN { &mut self.chain } else { &mut self.key };
        *half = event.outcome;
    }

    fn certified(&self) -> Result<CertifiedKey, IdentityError> {
        let in_chain = |fault| IdentityError { path: self.files.chain.clone(), fault };
        let in_key = |fault| IdentityError { path: self.files.key.clone(), fault };
        let chain = self.chain.as_ref().map_err(|&error| in_chain(Fault::Unreadable(error)))?;
        let key = self.key.as_ref().map_err(|&error| in_key(Fault::Unreadable(error)))?;
        let chain: Vec<_> = CertificateDer::pem_slice_iter(chain)
            .collect::<Result<_, _>>()
            .map_err(|error| in_chain(fault_of(&error, "certificate")))?;
        if chain.is_empty() {
            return Err(in_chain(Fault::Missing("certificate")));
        }
        let key =
            PrivateKeyDer::from_pem_slice(key).map_err(|error| in_key(fault_of(&error, "private key")))?;
        let key = provider()
            .key_provider
            .load_private_key(key)
            .map_err(|error| in_key(Fault::Unusable("private key", error)))?;
        let certified = CertifiedKey::new(chain, key);
        match certified.keys_match() {
            Ok(()) => Ok(certified),
            Err(rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch)) => {
                Err(in_key(Fault::Mismatch))
            }
            Err(error) => Err(in_chain(Fault::Unusable("certificate", error))),
        }
    }
}

pub(super) fn fault_of(error: &pem::Error, wanted: &'static str) -> Fault {
    if matches!(error, pem::Error::NoItemsFound) { Fault::Missing(wanted) } else { Fault::BrokenPem }
}

pub(super) fn provider() -> CryptoProvider {
    ring::default_provider()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_to_blame_is_named_with_its_fault() {
        let scratch = tempfile::tempdir().unwrap();
        let at = |name: &str| scratch.path().join(name);
        let files = ServerCertificate { chain: at("chain"), key: at("key") };
        let fault = || check(&files).map_err(|error| (error.path, error.fault));
        assert_eq!(fault(), Err((at("chain"), Fault::Unreadable(ReadError::NotFound))));
        let block =
            |label: &str, text: &str| format!("-----BEGIN {label}-----\n{text}\n-----END {label}-----\n");
        std::fs::write(at("chain"), block("CERTIFICATE", "AAAA")).unwrap();
        assert_eq!(fault(), Err((at("key"), Fault::Unreadable(ReadError::NotFound))));
        std::fs::write(at("key"), block("CERTIFICATE", "AAAA")).unwrap();
        assert_eq!(fault(), Err((at("key"), Fault::Missing("private key"))));
        std::fs::write(at("key"), block("PRIVATE KEY", "AAAA")).unwrap();
        assert!(matches!(fault(), Err((path, Fault::Unusable("private key", _))) if path == at("key")));
        std::fs::write(at("chain"), "-----BEGIN CERTIFICATE-----\nAAAA").unwrap();
        assert_eq!(fault(), Err((at("chain"), Fault::BrokenPem)));
        std::fs::write(at("chain"), "").unwrap();
        assert_eq!(fault(), Err((at("chain"), Fault::Missing("certificate"))));
    }
}
