//! What a certificate or key file holds, parsed from its octets.
//!
//! Files of SSH host keys and of OpenPGP keys have parsers of their own.
//!
//! PEM with any mixture of one certificate chain, private key, public key and certificate request,
//! or one of them as DER. Everything in a file must speak of one key, and the whole file must be
//! sound: of a file that is half written nothing is used. Only public octets are kept; private ones
//! are read in place and wiped, and appear in no error and no `Debug`.

use std::fmt;

use data_encoding::HEXLOWER;
use ring::digest::{SHA256, digest};
use x509_parser::prelude::{ASN1Time, FromDer, GeneralName, X509Certificate, X509CertificationRequest};

use super::openpgp::{self, OpenPgpError};
use super::private_key::{self, KeyError};
use super::ssh::{self, SshKeyError};
use super::traefik;
use super::validity::Validity;
use crate::asn1::der::{self, DerError, Reader};
use crate::asn1::pem::{self, Block, PemError};
use crate::dns::name::{Name, NameRef};
use crate::dns::time::Timestamp;

/// A key that a service uses or will use, with its certificate chain where there is one.
#[derive(Clone, PartialEq, Eq)]
pub struct Material {
    /// The leaf first, as the server sends it. Empty when only a key is known.
    chain: Vec<Certificate>,
    /// SubjectPublicKeyInfo, of the leaf if there is one; or the SSH or OpenPGP key.
    key: Vec<u8>,
    kind: Kind,
}

/// One certificate of a chain.
#[derive(Clone, PartialEq, Eq)]
pub struct Certificate {
    der: Vec<u8>,
    spki: Vec<u8>,
    subject: Vec<u8>,
    issuer: Vec<u8>,
    is_ca: bool,
    validity: Validity,
}

/// What a material was made from, the most telling part of it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Kind {
    /// One certificate or several.
    Certificate,
    /// A certificate request (RFC 2986).
    Request,
    /// A private key.
    PrivateKey,
    /// A public key.
    PublicKey,
    /// The public key of an SSH server.
    SshHostKey,
    /// An OpenPGP key.
    OpenPgpKey,
}

/// Why a file is not used.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum MaterialError {
    /// No octets, or white space only.
    #[error("the file is empty; expected a certificate or a key")]
    Empty,
    /// PEM or DER that ends too early.
    #[error("{0} is cut off; the file is not wholly written")]
    CutOff(Part),
    /// PEM whose base64 or whose DER is wrong.
    #[error("{0} is malformed")]
    Malformed(Part),
    /// Octets that belong to nothing.
    #[error("there are stray octets that are neither PEM nor text")]
    StrayOctets,
    /// DER, and something after it.
    #[error("there are {0} octets after the end of the DER value")]
    TrailingOctets(usize),
    /// Text or octets of another kind.
    #[error("no certificate or key found; expected PEM or DER")]
    NothingFound,
    /// A key behind a pass phrase.
    #[error("the private key is encrypted; give the certificate, the public key or the request instead")]
    Encrypted,
    /// PFX.
    #[error("the file is a PKCS#12 container; export it as PEM")]
    Pkcs12,
    /// A private key of an algorithm unknown to us.
    #[error("the key's algorithm is not known; expected RSA, ECDSA or Ed25519")]
    UnsupportedKey,
    /// Elliptic-curve private key without its public point.
    #[error("the private key leaves out its public key; rewrite it with `openssl pkey`")]
    NoPublicKey,
    /// Certificate and key of one file differ.
    #[error("the {0} in the file does not belong to its certificate")]
    Mismatch(Kind),
    /// Two keys without a certificate.
    #[error("the file holds two different keys; expected one")]
    TwoKeys,
    /// JSON that is not wholly written, or no `acme.json`.
    #[error("the file is JSON, but not a whole acme.json as Traefik writes it")]
    StoreUnreadable,
    /// No certificate there is for all the hosts, or more than one.
    #[error("the store does not hold exactly one certificate for all hosts of the service's endpoints")]
    NotOneInStore,
    /// A certificate that is neither the first one nor above it.
    #[error(
        "certificate {0} of the file is neither the first one nor a CA; \
         expected one chain, the server's certificate first"
    )]
    SecondLeaf(usize),
    /// No SSH host key.
    #[error(transparent)]
    Ssh(#[from] SshKeyError),
    /// No OpenPGP key.
    #[error(transparent)]
    OpenPgp(#[from] OpenPgpError),
}

/// The part of a file that is wrong.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Part {
    /// One of these.
    Kind(Kind),
    /// A PEM block of another label, or one whose label is not whole.
    Block,
    /// The only DER value.
    Der,
}

impl Material {
    /// Parses a file's octets: what one service has in a file of its own, or, in a store that holds the certificates
    /// of many (Traefik's `acme.json`), the certificate that covers all of `hosts`.
    pub fn find(input: &[u8], hosts: &[NameRef<'_>]) -> Result<Self, MaterialError> {
        if traefik::is_store(input) { traefik::find(input, hosts) } else { Self::parse(input) }
    }

    /// Parses a file's octets.
    pub fn parse(input: &[u8]) -> Result<Self, MaterialError> {
        let parts = if input.trim_ascii().is_empty() {
            return Err(MaterialError::Empty);
        } else if input[0] == der::SEQUENCE && !pem::looks_like_pem(input) {
            vec![der_part(input)?]
        } else if pem::looks_like_pem(input) {
            let blocks = pem::blocks(input).map_err(MaterialError::of_pem)?;
            blocks.iter().filter_map(|block| pem_part(block).transpose()).collect::<Result<_, _>>()?
        } else if SHORTEST_BOUNDARY.starts_with(input.trim_ascii()) {
            return Err(MaterialError::CutOff(Part::Block));
        } else {
            return Err(MaterialError::NothingFound);
        };
        Self::assemble(parts)
    }

    /// Parses a file with the public key of an SSH server.
    pub fn ssh_host_key(input: &[u8]) -> Result<Self, MaterialError> {
        Ok(Self { chain: Vec::new(), key: ssh::parse(input)?, kind: Kind::SshHostKey })
    }

    /// Parses a file with the OpenPGP key of these mail addresses.
    pub fn openpgp_key(input: &[u8], addresses: &[&str]) -> Result<Self, MaterialError> {
        Ok(Self { chain: Vec::new(), key: openpgp::parse(input, addresses)?, kind: Kind::OpenPgpKey })
    }

    /// One material of everything in a file, which must speak of one key.
    fn assemble(parts: Vec<Parsed>) -> Result<Self, MaterialError> {
        let mut chain: Vec<Certificate> = Vec::new();
        let mut keys: Vec<(Kind, Vec<u8>)> = Vec::new();
        for part in parts {
            match part {
                // `cat cert.pem fullchain.pem` holds the leaf twice.
                Parsed::Certificate(certificate) if chain.contains(&certificate) => {}
                Parsed::Certificate(certificate) => chain.push(*certificate),
                Parsed::Key(kind, spki) => keys.push((kind, spki)),
            }
        }
        check_chain(&chain)?;
        if let Some(leaf) = chain.first() {
            if let Some((kind, _)) = keys.iter().find(|(_, spki)| !same_key(spki, &leaf.spki)) {
                return Err(MaterialError::Mismatch(*kind));
            }
            return Ok(Self { key: leaf.spki.clone(), kind: Kind::Certificate, chain });
        }
        let mut keys = keys.into_iter();
        let (kind, spki) = keys.next().ok_or(MaterialError::NothingFound)?;
        if keys.any(|(_, other)| !same_key(&spki, &other)) {
            return Err(MaterialError::TwoKeys);
        }
        Ok(Self { chain, key: spki, kind })
    }

    /// A chain as a server sent it, each certificate in DER, the server's own first. What it sends beside that and
    /// cannot be read vouches for nothing.
    pub fn presented<C: AsRef<[u8]>>(chain: &[C]) -> Result<Self, MaterialError> {
        let mut certificates = chain.iter().map(|der| Certificate::parse(der.as_ref()));
        let leaf = certificates.next().ok_or(MaterialError::NothingFound)??;
        let key = leaf.spki.clone();
        let chain = std::iter::once(leaf).chain(certificates.filter_map(Result::ok)).collect();
        Ok(Self { chain, key, kind: Kind::Certificate })
    }

    /// What it was made from.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The key: SubjectPublicKeyInfo in DER, or the SSH or OpenPGP key as its records speak of it. Never empty.
    pub fn key(&self) -> &[u8] {
        &self.key
    }

    /// Whether it is something that a service can present: a certificate, an SSH host key, an OpenPGP key. What else
    /// there is comes before a certificate.
    pub fn is_deployable(&self) -> bool {
        matches!(self.kind, Kind::Certificate | Kind::SshHostKey | Kind::OpenPgpKey)
    }

    /// The server's own certificate: the first of the file.
    pub fn leaf(&self) -> Option<&Certificate> {
        self.chain.first()
    }

    /// The certificates, the leaf first.
    pub fn chain(&self) -> &[Certificate] {
        &self.chain
    }

    /// The CA certificate that usages 0 and 2 speak of: the highest one above the leaf in the file.
    ///
    /// RFC 7671 §5.2.2 asks that the server send the trust anchor's certificate, and the file is
    /// what it sends, so any CA in it would do. The highest is the steadiest: an intermediate below
    /// it may be replaced at every renewal, and where the file holds one CA they are the same. The
    /// issuers are followed by name from the leaf; a certificate off that path does not count.
    pub fn issuer(&self) -> Option<&Certificate> {
        let mut below = self.leaf()?;
        // Each step uses up one certificate: two CAs that sign each other end too.
        let mut left: Vec<&Certificate> =
            self.chain[1..].iter().filter(|certificate| certificate.is_ca).collect();
        let mut highest = None;
        while below.subject != below.issuer {
            let Some(at) = left.iter().position(|certificate| certificate.subject == below.issuer) else {
                break;
            };
            below = left.remove(at);
            highest = Some(below);
        }
        highest
    }

    /// Whether both speak of one key: a certificate and its private key, a request and its certificate.
    pub fn matches(&self, other: &Self) -> bool {
        same_key(&self.key, &other.key)
    }

    /// The object identifier of the key's algorithm, in DER, or SSH's name of it; nothing where that cannot be told.
    pub fn key_algorithm(&self) -> &[u8] {
        match self.kind {
            Kind::SshHostKey => ssh::name(&self.key),
            Kind::OpenPgpKey => None,
            _ => private_key::algorithm(&self.key),
        }
        .unwrap_or_default()
    }

    /// When the leaf expires.
    pub fn not_after(&self) -> Option<Timestamp> {
        self.leaf().map(|leaf| leaf.validity.not_after)
    }

    /// What is public of it, as PEM that [`parse`](Self::parse) reads: the certificates, or the key alone.
    pub fn to_pem(&self) -> String {
        if self.chain.is_empty() {
            return pem::encode("PUBLIC KEY", &self.key);
        }
        self.chain.iter().map(|certificate| pem::encode("CERTIFICATE", &certificate.der)).collect()
    }

    /// Puts together again what [`chain`](Self::chain), [`key`](Self::key) and
    /// [`kind`](Self::kind) said; for reading state.
    pub fn restore<C: AsRef<[u8]>>(chain: &[C], key: &[u8], kind: Kind) -> Result<Self, MaterialError> {
        match kind {
            Kind::SshHostKey => ssh::check(key)?,
            Kind::OpenPgpKey => openpgp::check(key)?,
            _ => return Self::restore_tls(chain, key, kind),
        }
        Ok(Self { chain: Vec::new(), key: key.to_vec(), kind })
    }

    fn restore_tls<C: AsRef<[u8]>>(chain: &[C], key: &[u8], kind: Kind) -> Result<Self, MaterialError> {
        let key = private_key::from_spki(key).map_err(|error| MaterialError::of_key(error, kind))?;
        // What a server presented may hold certificates that no file may, beside its own.
        let chain: Vec<Certificate> =
            chain.iter().map(|der| Certificate::parse(der.as_ref())).collect::<Result<_, _>>()?;
        match chain.first() {
            None if kind == Kind::Certificate => Err(MaterialError::NothingFound),
            Some(leaf) if !same_key(&key, &leaf.spki) => Err(MaterialError::Mismatch(kind)),
            _ => Ok(Self { chain, key, kind }),
        }
    }
}

impl Certificate {
    /// Parses one certificate in DER.
    pub fn parse(input: &[u8]) -> Result<Self, MaterialError> {
        let part = Part::Kind(Kind::Certificate);
        let (value, _) = whole(input, part)?;
        let (_, parsed) = X509Certificate::from_der(value).map_err(|_| MaterialError::Malformed(part))?;
        let spki = parsed.public_key().raw;
        private_key::from_spki(spki).map_err(|_| MaterialError::Malformed(part))?;
        // A certificate that expired before 1970 expired.
        let seconds = |time: ASN1Time| Timestamp(u64::try_from(time.timestamp()).unwrap_or(0));
        let validity = parsed.validity();
        Ok(Self {
            der: value.to_vec(),
            spki: spki.to_vec(),
            subject: parsed.subject().as_raw().to_vec(),
            issuer: parsed.issuer().as_raw().to_vec(),
            is_ca: parsed.is_ca(),
            validity: Validity {
                not_before: seconds(validity.not_before),
                not_after: seconds(validity.not_after),
            },
        })
    }

    /// The whole certificate.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// Its SubjectPublicKeyInfo, DER.
    pub fn spki(&self) -> &[u8] {
        &self.spki
    }

    /// The public key's own octets, without the algorithm.
    pub fn key_bits(&self) -> Option<&[u8]> {
        private_key::bits(&self.spki)
    }

    /// When it is valid.
    pub fn validity(&self) -> Validity {
        self.validity
    }

    /// The DNS names that it is for (RFC 5280 §4.2.1.6), wildcards as they stand.
    pub fn dns_names(&self) -> Vec<Name> {
        let Ok((_, parsed)) = X509Certificate::from_der(&self.der) else { return Vec::new() };
        let Ok(Some(alternatives)) = parsed.subject_alternative_name() else { return Vec::new() };
        let names = alternatives.value.general_names.iter().filter_map(|name| match name {
            GeneralName::DNSName(name) => Name::parse(name).ok(),
            _ => None,
        });
        names.collect()
    }

    /// The organization that issued it, as its issuer's name has it.
    pub fn issuer_organization(&self) -> Option<String> {
        let (_, parsed) = X509Certificate::from_der(&self.der).ok()?;
        let organization = parsed.issuer().iter_organization().next()?;
        organization.as_str().ok().map(str::to_owned)
    }
}

/// One thing found in a file.
enum Parsed {
    Certificate(Box<Certificate>),
    Key(Kind, Vec<u8>),
}

/// What a PEM block holds; `None` for blocks that say nothing of the key (`DH PARAMETERS`, CRLs, …).
fn pem_part(block: &Block) -> Result<Option<Parsed>, MaterialError> {
    if block.encrypted {
        return Err(MaterialError::Encrypted);
    }
    let der = &block.contents[..];
    let key = |kind: Kind, read: fn(&[u8]) -> Result<Vec<u8>, KeyError>| {
        let (value, trailing) = whole(der, Part::Kind(kind))?;
        if trailing > 0 {
            return Err(MaterialError::Malformed(Part::Kind(kind)));
        }
        let spki = read(value).map_err(|error| MaterialError::of_key(error, kind))?;
        Ok(Some(Parsed::Key(kind, spki)))
    };
    match block.label.as_str() {
        "CERTIFICATE" | "X509 CERTIFICATE" => {
            if whole(der, Part::Kind(Kind::Certificate))?.1 > 0 {
                return Err(MaterialError::Malformed(Part::Kind(Kind::Certificate)));
            }
            Ok(Some(Parsed::Certificate(Box::new(Certificate::parse(der)?))))
        }
        // OpenSSL's: the certificate, then its own trust settings.
        "TRUSTED CERTIFICATE" => Ok(Some(Parsed::Certificate(Box::new(Certificate::parse(der)?)))),
        "CERTIFICATE REQUEST" | "NEW CERTIFICATE REQUEST" => key(Kind::Request, request_spki),
        "PRIVATE KEY" => key(Kind::PrivateKey, private_key::from_pkcs8),
        "RSA PRIVATE KEY" => key(Kind::PrivateKey, private_key::from_pkcs1),
        "EC PRIVATE KEY" => key(Kind::PrivateKey, private_key::from_sec1),
        "PUBLIC KEY" => key(Kind::PublicKey, private_key::from_spki),
        "RSA PUBLIC KEY" => key(Kind::PublicKey, private_key::from_pkcs1_public),
        "ENCRYPTED PRIVATE KEY" => Err(MaterialError::Encrypted),
        _ => Ok(None),
    }
}

/// What one DER value is, told by its first fields.
fn der_part(input: &[u8]) -> Result<Parsed, MaterialError> {
    let (value, trailing) = whole(input, Part::Der)?;
    if trailing > 0 {
        return Err(MaterialError::TrailingOctets(trailing));
    }
    let mut fields = match der::take(value) {
        Ok((outer, _)) => Reader::new(outer.contents),
        Err(_) => return Err(MaterialError::Malformed(Part::Der)),
    };
    let key = |kind, spki: Result<Vec<u8>, KeyError>| {
        spki.map(|spki| Parsed::Key(kind, spki)).map_err(|error| MaterialError::of_key(error, kind))
    };
    if let Some(first) = fields.next(der::INTEGER) {
        return if fields.next(der::OCTET_STRING).is_some() {
            key(Kind::PrivateKey, private_key::from_sec1(value))
        } else if fields.next(der::SEQUENCE).is_some() {
            // Version 3 is PFX (RFC 7292 §4); PKCS#8 has 0 or 1.
            if first.contents == [3] {
                return Err(MaterialError::Pkcs12);
            }
            key(Kind::PrivateKey, private_key::from_pkcs8(value))
        } else if fields.next(der::INTEGER).is_some() && fields.is_empty() {
            key(Kind::PublicKey, private_key::from_pkcs1_public(value))
        } else {
            key(Kind::PrivateKey, private_key::from_pkcs1(value))
        };
    }
    fields.next(der::SEQUENCE).ok_or(MaterialError::NothingFound)?;
    if fields.next(der::OCTET_STRING).is_some() {
        return Err(MaterialError::Encrypted);
    }
    if fields.next(der::BIT_STRING).is_some() {
        return key(Kind::PublicKey, private_key::from_spki(value));
    }
    match request_spki(value) {
        Ok(spki) => Ok(Parsed::Key(Kind::Request, spki)),
        Err(_) => Certificate::parse(value).map(|certificate| Parsed::Certificate(Box::new(certificate))),
    }
}

/// SubjectPublicKeyInfo of a certificate request.
fn request_spki(der: &[u8]) -> Result<Vec<u8>, KeyError> {
    let (_, request) = X509CertificationRequest::from_der(der).map_err(|_| KeyError::Malformed)?;
    private_key::from_spki(request.certification_request_info.subject_pki.raw)
}

/// The first DER value of `input`, a SEQUENCE, and how many octets follow it.
fn whole(input: &[u8], part: Part) -> Result<(&[u8], usize), MaterialError> {
    match der::take(input) {
        Ok((value, rest)) if value.tag == der::SEQUENCE => Ok((value.whole, rest.len())),
        Err(DerError::CutOff) => Err(MaterialError::CutOff(part)),
        Ok(_) | Err(DerError::Malformed) => Err(MaterialError::Malformed(part)),
    }
}

/// Every certificate after the first is a CA, or at least issued another one.
fn check_chain(chain: &[Certificate]) -> Result<(), MaterialError> {
    let issued_another =
        |issuer: &Certificate| chain.iter().any(|other| other != issuer && other.issuer == issuer.subject);
    // A server with RSA and ECDSA certificates in one file, or a chain upside down: one of the two
    // would be left without a record.
    match chain.iter().skip(1).position(|certificate| !certificate.is_ca && !issued_another(certificate)) {
        Some(at) => Err(MaterialError::SecondLeaf(at + 2)),
        None => Ok(()),
    }
}

/// Whether two SubjectPublicKeyInfos hold one key; the algorithm may be written in two ways.
fn same_key(one: &[u8], other: &[u8]) -> bool {
    one == other || (private_key::bits(one).is_some() && private_key::bits(one) == private_key::bits(other))
}

impl MaterialError {
    fn of_pem(error: PemError) -> Self {
        match error {
            PemError::CutOff(label) => Self::CutOff(label.map_or(Part::Block, |label| Part::of(&label))),
            PemError::Base64(label) => Self::Malformed(Part::of(&label)),
            PemError::Garbage => Self::StrayOctets,
        }
    }

    fn of_key(error: KeyError, kind: Kind) -> Self {
        match error {
            KeyError::Malformed => Self::Malformed(Part::Kind(kind)),
            KeyError::Unsupported => Self::UnsupportedKey,
            KeyError::NoPublicKey => Self::NoPublicKey,
        }
    }
}

impl Part {
    fn of(label: &str) -> Self {
        match label {
            label if label.ends_with("CERTIFICATE") => Self::Kind(Kind::Certificate),
            label if label.ends_with("CERTIFICATE REQUEST") => Self::Kind(Kind::Request),
            label if label.ends_with("PRIVATE KEY") => Self::Kind(Kind::PrivateKey),
            label if label.ends_with("PUBLIC KEY") => Self::Kind(Kind::PublicKey),
            _ => Self::Block,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Certificate => "certificate",
            Self::Request => "certificate request",
            Self::PrivateKey => "private key",
            Self::PublicKey => "public key",
            Self::SshHostKey => "SSH host key",
            Self::OpenPgpKey => "OpenPGP key",
        })
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kind(kind) => write!(f, "the {kind}"),
            Self::Block => f.write_str("a PEM block"),
            Self::Der => f.write_str("the DER value"),
        }
    }
}

impl fmt::Debug for Material {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = HEXLOWER.encode(&digest(&SHA256, &self.key).as_ref()[..4]);
        write!(f, "Material({}, {} in chain, key {key}…)", self.kind, self.chain.len())
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let der = HEXLOWER.encode(&digest(&SHA256, &self.der).as_ref()[..4]);
        write!(f, "Certificate({der}…, until {})", self.validity.not_after)
    }
}

/// What a PEM file begins with; a file that holds less than this is one in the making.
const SHORTEST_BOUNDARY: &[u8] = b"-----BEGIN ";

#[cfg(test)]
mod tests;
