//! The handshakes of one look, and the witness of what is shown in them.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms, ring};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::version::{TLS12, TLS13};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, PeerMisbehaved, SignatureScheme,
    SupportedCipherSuite, SupportedProtocolVersion,
};

use crate::tlsa::material::Certificate;

/// What a client offers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Handshake {
    /// Whether the host is named (RFC 6066 §3).
    pub sni: bool,
    /// Of which kind the server's key may be.
    pub signature: Signature,
    /// The only version.
    pub version: Version,
}

/// The kinds of keys for which servers hold a certificate each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Signature {
    /// ECDSA with P-256 or P-384, and Ed25519, which TLS 1.2 counts among them.
    Ecdsa,
    /// RSA of 2048 bits or more.
    Rsa,
}

/// A version of TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Version {
    /// RFC 8446.
    Tls13,
    /// RFC 5246.
    Tls12,
}

impl Handshake {
    /// All there are; those of modern clients first.
    pub(super) fn all() -> impl Iterator<Item = Self> {
        [Version::Tls13, Version::Tls12].into_iter().flat_map(|version| {
            [Signature::Ecdsa, Signature::Rsa].into_iter().flat_map(move |signature| {
                [true, false].into_iter().map(move |sni| Self { sni, signature, version })
            })
        })
    }

    /// A client that makes this offer and no other, and the witness of its one handshake.
    pub(super) fn client(self) -> Result<(Arc<ClientConfig>, Arc<Witness>), Error> {
        let mut provider = ring::default_provider();
        let algorithms = provider.signature_verification_algorithms;
        let witness = Arc::new(Witness { signature: self.signature, algorithms, seen: Mutex::default() });
        let schemes = witness.supported_verify_schemes();
        // In TLS 1.2 the cipher suite names the kind of key as well.
        provider.cipher_suites.retain(|suite| match suite {
            SupportedCipherSuite::Tls12(suite) => suite.sign.iter().any(|scheme| schemes.contains(scheme)),
            SupportedCipherSuite::Tls13(_) => true,
        });
        let mut config = ClientConfig::builder_with_provider(Arc::<CryptoProvider>::new(provider))
            .with_protocol_versions(&[self.version.supported()])?
            .dangerous()
            .with_custom_certificate_verifier(Arc::clone(&witness) as Arc<dyn ServerCertVerifier>)
            .with_no_client_auth();
        config.enable_sni = self.sni;
        // A session that is resumed shows no certificate.
        config.resumption = Resumption::disabled();
        Ok((Arc::new(config), witness))
    }
}

impl Signature {
    fn offers(self, scheme: SignatureScheme) -> bool {
        let is_rsa = matches!(
            scheme,
            SignatureScheme::RSA_PKCS1_SHA256
                | SignatureScheme::RSA_PKCS1_SHA384
                | SignatureScheme::RSA_PKCS1_SHA512
                | SignatureScheme::RSA_PSS_SHA256
                | SignatureScheme::RSA_PSS_SHA384
                | SignatureScheme::RSA_PSS_SHA512
        );
        is_rsa == (self == Self::Rsa)
    }
}

impl Version {
    fn supported(self) -> &'static SupportedProtocolVersion {
        match self {
            Self::Tls13 => &TLS13,
            Self::Tls12 => &TLS12,
        }
    }
}

impl fmt::Display for Handshake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let version = match self.version {
            Version::Tls13 => "TLS 1.3",
            Version::Tls12 => "TLS 1.2",
        };
        let signature = match self.signature {
            Signature::Ecdsa => "ECDSA",
            Signature::Rsa => "RSA",
        };
        let sni = if self.sni { "with" } else { "without" };
        write!(f, "{version}, {signature}, {sni} SNI")
    }
}

/// Accepts every certificate, and remembers the chain of a server that has shown that it has the leaf's key.
#[derive(Debug)]
pub(super) struct Witness {
    signature: Signature,
    algorithms: WebPkiSupportedAlgorithms,
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    chain: Vec<Vec<u8>>,
    proven: bool,
}

impl Witness {
    /// The chain that was sent.
    pub(super) fn chain(&self) -> Option<Vec<Vec<u8>>> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.proven.then(|| seen.chain.clone())
    }

    /// Checks the signature of the handshake.
    ///
    /// rustls's own check wants of the certificate what `webpki` does, X.509 version 3 among it. Clients of DANE-EE do
    /// not, so only the key is taken from it.
    fn prove(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let certificate =
            Certificate::parse(certificate).map_err(|_| Error::from(CertificateError::BadEncoding))?;
        let key = certificate.key_bits().ok_or(CertificateError::BadEncoding)?;
        let offered = self.algorithms.mapping.iter().filter(|(scheme, _)| self.signature.offers(*scheme));
        let mut of_scheme = offered.filter(|(scheme, _)| *scheme == signed.scheme).peekable();
        if of_scheme.peek().is_none() {
            return Err(PeerMisbehaved::SignedHandshakeWithUnadvertisedSigScheme.into());
        }
        // An algorithm that is not the key's finds no signature of it valid.
        let mut algorithms = of_scheme.flat_map(|(_, algorithms)| algorithms.iter());
        if algorithms.any(|algorithm| algorithm.verify_signature(key, message, signed.signature()).is_ok()) {
            self.seen.lock().unwrap_or_else(PoisonError::into_inner).proven = true;
            Ok(HandshakeSignatureValid::assertion())
        } else {
            Err(CertificateError::BadSignature.into())
        }
    }
}

impl ServerCertVerifier for Witness {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let chain = std::iter::once(end_entity).chain(intermediates).map(|der| der.to_vec()).collect();
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = Seen { chain, proven: false };
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.prove(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.prove(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        let mut schemes = self.algorithms.supported_schemes();
        schemes.retain(|&scheme| self.signature.offers(scheme));
        schemes
    }
}
