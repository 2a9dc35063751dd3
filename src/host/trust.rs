//! Whose certificate is accepted when a primary is asked by TLS (RFC 9103 §9.3, RFC 8310), and what it is shown.
//!
//! The files are read for each connection: they may have been replaced.

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;

use ring::digest::{SHA256, digest};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{
    WebPkiSupportedAlgorithms, ring as provider, verify_tls12_signature, verify_tls13_signature,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::sign::SingleCertAndKey;
use rustls::version::TLS13;
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};

use super::files;
use super::identity::{self, IdentityError};
use super::servers::DOT;
use crate::config::{Pin, RemoteTls, TlsTrust};
use crate::tlsa::material::Certificate;

/// Why there can be no connection.
#[derive(Debug, thiserror::Error)]
pub(super) enum TrustError {
    /// What is to be presented is not sound.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The file of authorities cannot be read.
    #[error("{}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// There is no certificate in it that can be an authority's.
    #[error("{}: no certificate of an authority found, expected one in PEM", .0.display())]
    NoAuthority(PathBuf),
    /// The library refuses.
    #[error("TLS: {0}")]
    Tls(#[from] Error),
}

/// How a connection to a remote is made: TLS 1.3 (RFC 9103 §7.1), ALPN `dot`.
pub(super) fn client(tls: &RemoteTls) -> Result<Arc<ClientConfig>, TrustError> {
    let crypto = Arc::new(provider::default_provider());
    let algorithms = crypto.signature_verification_algorithms;
    let builder =
        ClientConfig::builder_with_provider(Arc::clone(&crypto)).with_protocol_versions(&[&TLS13])?;
    let verifier: Arc<dyn ServerCertVerifier> = match &tls.trust {
        TlsTrust::Opportunistic => Arc::new(Keys { accepted: None, algorithms }),
        TlsTrust::Pins { pins, .. } => Arc::new(Keys { accepted: Some(pins.clone()), algorithms }),
        TlsTrust::Authority { file, .. } => {
            let octets =
                files::read(file).map_err(|source| TrustError::Unreadable { path: file.clone(), source })?;
            let mut roots = RootCertStore::empty();
            roots.add_parsable_certificates(CertificateDer::pem_slice_iter(&octets).flatten());
            WebPkiServerVerifier::builder_with_provider(Arc::new(roots), crypto)
                .build()
                .map_err(|_| TrustError::NoAuthority(file.clone()))?
        }
    };
    let builder = builder.dangerous().with_custom_certificate_verifier(verifier);
    let mut config = match &tls.identity {
        Some(files) => {
            let presented = SingleCertAndKey::from(identity::certified(files)?);
            builder.with_client_cert_resolver(Arc::new(presented))
        }
        None => builder.with_no_client_auth(),
    };
    config.alpn_protocols = vec![DOT.to_vec()];
    Ok(Arc::new(config))
}

/// Who is asked for at `address`.
pub(super) fn server_name(tls: &RemoteTls, address: IpAddr) -> ServerName<'static> {
    let name = match &tls.trust {
        TlsTrust::Authority { name, .. } => Some(name),
        TlsTrust::Pins { name, .. } => name.as_ref(),
        TlsTrust::Opportunistic => None,
    };
    let named = name.and_then(|name| ServerName::try_from(name.clone()).ok());
    named.unwrap_or_else(|| ServerName::IpAddress(address.into()))
}

/// Accepts certificates by their keys alone.
#[derive(Debug)]
struct Keys {
    /// Any if `None`.
    accepted: Option<Vec<Pin>>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl ServerCertVerifier for Keys {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let Some(accepted) = &self.accepted else { return Ok(ServerCertVerified::assertion()) };
        let certificate = Certificate::parse(end_entity)
            .map_err(|_| Error::InvalidCertificate(CertificateError::BadEncoding))?;
        let key = digest(&SHA256, certificate.spki());
        if accepted.iter().any(|Pin(pin)| pin == key.as_ref()) {
            Ok(ServerCertVerified::assertion())
        } else {
            Err(Error::General("the key of its certificate is none of those in `pin`".to_owned()))
        }
    }

    // That whoever presents the certificate has its key is checked in any case.
    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signature, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(trust: TlsTrust) -> String {
        client(&RemoteTls { trust, identity: None }).err().unwrap().to_string()
    }

    #[test]
    fn a_file_without_authorities_is_named() {
        let scratch = tempfile::tempdir().unwrap();
        let file = scratch.path().join("ca.pem");
        let authority = || TlsTrust::Authority { name: "a.test".to_owned(), file: file.clone() };
        assert!(refused(authority()).starts_with(&format!("{}: ", file.display())));
        std::fs::write(&file, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").unwrap();
        let said = refused(authority());
        assert!(said.contains("ca.pem: no certificate of an authority found"), "{said}");
    }

    #[test]
    fn whoever_is_asked_for_by_no_name_is_asked_for_by_address() {
        let address = IpAddr::from([192, 0, 2, 1]);
        let tls = |trust| RemoteTls { trust, identity: None };
        assert_eq!(
            server_name(&tls(TlsTrust::Opportunistic), address),
            ServerName::IpAddress(address.into())
        );
        let pinned = tls(TlsTrust::Pins { name: Some("a.test".to_owned()), pins: vec![Pin([0; 32])] });
        assert_eq!(server_name(&pinned, address), ServerName::try_from("a.test").unwrap());
    }
}
