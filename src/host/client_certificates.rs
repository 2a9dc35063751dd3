//! The certificates of clients that come by TLS: whose are trusted, and what names they have.
//!
//! A client need not show one. One that does is let in only if its certificate leads to an authority of
//! `listen.client-ca`, and is then known by the names in it. The authorities are read once, at the start.

use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{ServerConnection, WebPkiClientVerifier};
use rustls::{ProtocolVersion, RootCertStore};

use super::files;
use super::identity::{Fault, IdentityError, fault_of, provider};
use super::watch::ReadError;
use crate::dns::name::Name;
use crate::tlsa::material::Certificate;

/// Trusts certificates of the authorities in the PEM file at `path`.
pub(super) fn verifier(path: &Path) -> Result<Arc<dyn ClientCertVerifier>, IdentityError> {
    let blame = |fault| IdentityError { path: path.to_owned(), fault };
    let pem = files::read(path).map_err(|error| blame(Fault::Unreadable(ReadError::from(error.kind()))))?;
    let mut authorities = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        let certificate = certificate.map_err(|error| blame(fault_of(&error, CERTIFICATE)))?;
        authorities.add(certificate).map_err(|error| blame(Fault::Unusable(CERTIFICATE, error)))?;
    }
    // What makes a verifier complains of nothing but an empty store: there are no revocation lists.
    WebPkiClientVerifier::builder_with_provider(Arc::new(authorities), Arc::new(provider()))
        .allow_unauthenticated()
        .build()
        .map_err(|_| blame(Fault::Missing(CERTIFICATE)))
}

/// The names in the certificate that the client has shown, none if it has shown none; `None` if this is not TLS 1.3.
pub(super) fn names(connection: &ServerConnection) -> Option<Vec<Name>> {
    if connection.protocol_version() != Some(ProtocolVersion::TLSv1_3) {
        return None;
    }
    let shown = connection.peer_certificates().and_then(<[_]>::first);
    let certificate = shown.and_then(|der| Certificate::parse(der).ok());
    Some(certificate.map(|certificate| certificate.dns_names()).unwrap_or_default())
}

const CERTIFICATE: &str = "certificate";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_a_usable_authority_is_named_with_its_fault() {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("ca");
        let fault = |text: &str| {
            std::fs::write(&path, text).unwrap();
            verifier(&path).err().map(|error| error.fault)
        };
        assert_eq!(fault(""), Some(Fault::Missing(CERTIFICATE)));
        assert_eq!(fault("-----BEGIN CERTIFICATE-----\nAAAA"), Some(Fault::BrokenPem));
        let useless = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        assert!(matches!(fault(useless), Some(Fault::Unusable(CERTIFICATE, _))));
        std::fs::remove_file(&path).unwrap();
        assert_eq!(verifier(&path).err().unwrap().fault, Fault::Unreadable(ReadError::NotFound));
    }
}
