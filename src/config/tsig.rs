//! `tsig` and `remotes`: shared secrets, other nameservers, and who may transfer or notify a zone.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

use zeroize::Zeroizing;

use crate::dns::name::{Name, NameError};

use super::fields::{Fields, entries};
use super::primary::{RemoteTls, read_tls};
use super::report::Report;
use super::scalar::{self, Prefix, UnknownWord, parse_address};
use super::yaml::{Node, Value};
use super::{Listen, Paths, defaults, label, reference};

/// A key that two servers share to sign their messages with (RFC 8945).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TsigKey {
    /// Its name on the wire.
    pub name: Name,
    /// The hash of its HMAC.
    pub algorithm: TsigAlgorithm,
    /// The secret, or where it is.
    pub secret: SecretSource,
}

/// The hash of a TSIG key (RFC 8945 §6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TsigAlgorithm {
    /// `hmac-sha1`, for peers that know nothing better
    HmacSha1,
    /// `hmac-sha256`
    HmacSha256,
    /// `hmac-sha384`
    HmacSha384,
    /// `hmac-sha512`
    HmacSha512,
}

impl TsigAlgorithm {
    const CHOICES: [(&str, Self); 4] = [
        ("hmac-sha256", Self::HmacSha256),
        ("hmac-sha384", Self::HmacSha384),
        ("hmac-sha512", Self::HmacSha512),
        ("hmac-sha1", Self::HmacSha1),
    ];

    fn parse(text: &str) -> Result<Self, UnknownWord> {
        // BIND's named.conf and key files print a final dot at times.
        scalar::choose(text.strip_suffix('.').unwrap_or(text), &Self::CHOICES)
    }
}

impl fmt::Display for TsigAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::HmacSha1 => "hmac-sha1",
            Self::HmacSha256 => "hmac-sha256",
            Self::HmacSha384 => "hmac-sha384",
            Self::HmacSha512 => "hmac-sha512",
        })
    }
}

/// Where a TSIG secret comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretSource {
    /// It stands in the configuration.
    Inline(Secret),
    /// A file holds it in Base64, for [`Secret::from_base64`].
    File(PathBuf),
}

/// Octets that nobody else may see: wiped when dropped, never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<Vec<u8>>);

/// Why text is not a secret. The text itself is not told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// Not Base64.
    #[error("not Base64, expected such as `tsig-keygen` and `openssl rand -base64 32` print")]
    NotBase64,
    /// Nothing.
    #[error("empty secret, expected at least {MIN_SECRET} octets in Base64")]
    Empty,
}

impl Secret {
    /// Reads Base64; white space around and inside is ignored.
    pub fn from_base64(text: &str) -> Result<Self, SecretError> {
        // Room for all of it, so that growing leaves no copy behind.
        let mut dense = Zeroizing::new(Vec::with_capacity(text.len()));
        dense.extend(text.bytes().filter(|b| !b.is_ascii_whitespace()));
        let octets = data_encoding::BASE64.decode(&dense).map_err(|_| SecretError::NotBase64)?;
        if octets.is_empty() { Err(SecretError::Empty) } else { Ok(Self(Zeroizing::new(octets))) }
    }

    /// The octets.
    pub fn octets(&self) -> &[u8] {
        &self.0
    }

    /// Whether guessing it is thinkable (RFC 8945 §10 asks for more than 128 bits of secret, well made).
    pub fn is_short(&self) -> bool {
        self.0.len() < MIN_SECRET
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// Another nameserver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remote {
    /// The operator's name for it.
    pub name: String,
    /// Where it listens, at least one.
    pub addresses: Vec<SocketAddr>,
    /// What messages to and from it are signed with.
    pub tsig: Option<Arc<TsigKey>>,
    /// How it is reached by TLS, as a primary; plainly if `None`.
    pub tls: Option<RemoteTls>,
}

/// One way to be allowed. A request must meet every condition that is given, and at least one is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allow {
    /// The addresses that it may come from; `None` for all.
    pub from: Option<Prefix>,
    /// The name of the key that it must be signed with, which [`Config::tsig`](super::Config::tsig) has.
    pub tsig: Option<Name>,
    /// What is wanted of the TLS connection that it must come by; `None` where it need not.
    pub tls: Option<AllowTls>,
}

/// What is wanted of a TLS connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AllowTls {
    /// `any`: that there is one.
    Any,
    /// A client certificate of [`Listen::client_ca`] with this name.
    Named(Name),
}

impl AllowTls {
    fn parse(text: &str) -> Result<Self, NameError> {
        if text == ANY { Ok(Self::Any) } else { Name::parse(text).map(Self::Named) }
    }
}

impl Allow {
    /// Whether a request from `source` that does not come by TLS, verified with `tsig` if it was signed, is allowed.
    pub fn permits(&self, source: IpAddr, tsig: Option<&Name>) -> bool {
        self.tls.is_none()
            && self.from.is_none_or(|prefix| prefix.contains(source))
            && self.tsig.as_ref().is_none_or(|key| tsig == Some(key))
    }
}

pub(super) type TsigKeys = BTreeMap<Name, Arc<TsigKey>>;
pub(super) type Remotes = BTreeMap<String, Arc<Remote>>;

/// What is wrong with `tsig`, `remotes` and `allow-transfer`.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
enum TsigError<'a> {
    #[error("tsig key `{0}` is given twice, first in line {1}")]
    Twice(&'a Name, usize),
    #[error("tsig key `{0}` has no secret, expected `secret-file: PATH` or `secret: BASE64`")]
    NoSecret(&'a Name),
    #[error("tsig key `{0}` has both `secret` and `secret-file`, expected one of them")]
    TwoSecrets(&'a Name),
    #[error("the secret of tsig key `{0}` is shorter than {MIN_SECRET} octets and could be guessed")]
    ShortSecret(&'a Name),
    #[error("tsig key `{0}` is for hmac-sha1, expected hmac-sha256 wherever the other server can")]
    OldAlgorithm(&'a Name),
    #[error("remote `{0}` has no address, expected `address: ADDRESS` with or without a port")]
    NoAddress(&'a str),
    #[error(
        "this entry allows everybody, expected `address`, `tsig`, `tls`, or several, which must all match"
    )]
    AllowsEverybody,
    #[error("a list inside the list, expected an address, a prefix, {{tsig: NAME}} or {{tls: NAME}}")]
    NotAnEntry,
    #[error("nobody can come by TLS, expected an address in `listen.tls`")]
    NoTls,
    #[error("no client certificate is trusted, expected `listen.client-ca: FILE`")]
    NoClientCa,
}

/// Reads `tsig`.
pub(super) fn read_keys(node: Option<&Node>, paths: &Paths<'_>, report: &mut Report<'_>) -> TsigKeys {
    let mut keys = TsigKeys::new();
    let mut lines = BTreeMap::<Name, usize>::new();
    for entry in node.map_or(&[][..], |node| entries("tsig", node, report)) {
        let name = match Name::parse(&entry.key) {
            Ok(name) => name,
            Err(error) => {
                report.error(entry.mark, format_args!("tsig key `{}`: {error}", entry.key));
                continue;
            }
        };
        if let Some(&first) = lines.get(&name) {
            report.error(entry.mark, TsigError::Twice(&name, first));
            continue;
        }
        let fields = Fields::of(&entry.key, &entry.value, &["algorithm", "secret", "secret-file"], report);
        let algorithm = fields.read("algorithm", report, TsigAlgorithm::parse);
        if let (Some(TsigAlgorithm::HmacSha1), Some(node)) = (algorithm, fields.get("algorithm")) {
            report.warning(node.mark, TsigError::OldAlgorithm(&name));
        }
        let secret = fields.read("secret", report, Secret::from_base64);
        let file = fields.read("secret-file", report, |text| paths.resolve(text));
        match (fields.get("secret"), fields.get("secret-file")) {
            (None, None) => report.error(entry.mark, TsigError::NoSecret(&name)),
            (Some(_), Some(_)) => report.error(entry.mark, TsigError::TwoSecrets(&name)),
            _ => {}
        }
        if secret.as_ref().is_some_and(Secret::is_short) {
            report.warning(entry.mark, TsigError::ShortSecret(&name));
        }
        let secret = match (secret, file) {
            (Some(secret), _) => SecretSource::Inline(secret),
            // Without either the configuration has been refused; the key stays known by its name.
            (None, file) => SecretSource::File(file.unwrap_or_default()),
        };
        lines.insert(name.clone(), entry.mark.line);
        let algorithm = algorithm.unwrap_or(defaults::TSIG_ALGORITHM);
        keys.insert(name.clone(), Arc::new(TsigKey { name, algorithm, secret }));
    }
    keys
}

/// Reads `remotes`.
pub(super) fn read_remotes(
    node: Option<&Node>,
    keys: &TsigKeys,
    listen: &[SocketAddr],
    paths: &Paths<'_>,
    report: &mut Report<'_>,
) -> Remotes {
    let mut remotes = Remotes::new();
    for entry in node.map_or(&[][..], |node| entries("remotes", node, report)) {
        label("remote", &entry.key, entry.mark, report);
        let fields = Fields::of(&entry.key, &entry.value, &["address", "tsig", "tls"], report);
        let tls = fields.get("tls").and_then(|node| read_tls(node, paths, report));
        let port = if fields.get("tls").is_some() { defaults::TLS_PORT } else { defaults::DNS_PORT };
        let addresses = fields.read_some("address", report, |text| parse_address(text, Some(port)));
        if addresses.is_none() {
            report.error(entry.mark, TsigError::NoAddress(&entry.key));
        }
        let mut reachable = Vec::new();
        for (mark, address) in addresses.unwrap_or_default() {
            if listen.contains(&address) {
                report.error(mark, format_args!("`{address}` is where danelaw itself listens"));
            } else if reachable.contains(&address) {
                report.error(mark, format_args!("address `{address}` is given twice"));
            }
            reachable.push(address);
        }
        let tsig = fields.get("tsig").and_then(|node| key_named(node, keys, report));
        let remote = Remote { name: entry.key.to_string(), addresses: reachable, tsig, tls };
        remotes.insert(entry.key.to_string(), Arc::new(remote));
    }
    remotes
}

/// Reads an entry of `allow-transfer` or `allow-notify`, which `key` is.
pub(super) fn read_allow(
    key: &'static str,
    node: &Node,
    keys: &TsigKeys,
    listen: &Listen,
    report: &mut Report<'_>,
) -> Option<Allow> {
    match &node.value {
        Value::Text(_) => {
            let from = super::fields::read(key, node, report, Prefix::parse)?;
            Some(Allow { from: Some(from), tsig: None, tls: None })
        }
        Value::Map(_) => {
            let fields = Fields::of(key, node, &["address", "tsig", "tls"], report);
            let from = fields.read("address", report, Prefix::parse);
            let signed = fields.get("tsig").and_then(|node| key_named(node, keys, report));
            let tsig = signed.map(|key| key.name.clone());
            let tls = fields.read("tls", report, AllowTls::parse);
            if let (Some(tls), Some(node)) = (&tls, fields.get("tls")) {
                match tls {
                    _ if listen.tls.is_empty() => report.error(node.mark, TsigError::NoTls),
                    AllowTls::Named(_) if listen.client_ca.is_none() => {
                        report.error(node.mark, TsigError::NoClientCa);
                    }
                    AllowTls::Any | AllowTls::Named(_) => {}
                }
            }
            if ["address", "tsig", "tls"].iter().all(|key| fields.get(key).is_none()) {
                report.error(node.mark, TsigError::AllowsEverybody);
            }
            (from.is_some() || tsig.is_some() || tls.is_some()).then_some(Allow { from, tsig, tls })
        }
        Value::Null | Value::List(_) => {
            report.error(node.mark, TsigError::NotAnEntry);
            None
        }
    }
}

/// The key that `node` names.
pub(super) fn key_named(node: &Node, keys: &TsigKeys, report: &mut Report<'_>) -> Option<Arc<TsigKey>> {
    let name = super::fields::read("tsig", node, report, Name::parse)?;
    let found = keys.get(&name);
    if found.is_none() {
        let known: Vec<String> = keys.keys().map(|name| name.as_ref().undotted()).collect();
        reference("tsig key", &name.as_ref().undotted(), &known, node.mark, report);
    }
    found.cloned()
}

/// RFC 8945 §10: secrets of 128 bits at least.
const MIN_SECRET: usize = 16;
/// Any TLS connection will do.
const ANY: &str = "any";
