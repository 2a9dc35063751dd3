//! Keys shared with other servers, and the MACs they make.

use crate::dns::name::{Name, NameRef};
use ring::hmac;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use zeroize::Zeroizing;

/// The longest MAC there is, in octets.
pub(super) const MAX_MAC: usize = 64;
/// No truncated MAC may be shorter (RFC 8945 §5.2.2.1).
const SHORTEST_MAC: usize = 10;

/// The hash in HMAC. MD5 is not offered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Algorithm {
    /// hmac-sha1: for old peers, not recommended (RFC 8945 §6)
    Sha1,
    /// hmac-sha256
    Sha256,
    /// hmac-sha384
    Sha384,
    /// hmac-sha512
    Sha512,
}

/// Why a key cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Not an algorithm name that we know.
    #[error("unknown TSIG algorithm, expected hmac-sha256, hmac-sha384, hmac-sha512 or hmac-sha1")]
    UnknownAlgorithm,
    /// The secret is not base64.
    #[error("TSIG secret is not base64")]
    NotBase64,
    /// The secret is empty.
    #[error("TSIG secret is empty")]
    Empty,
}

impl Algorithm {
    /// Its name, as messages carry it.
    pub(super) fn wire(self) -> &'static [u8] {
        match self {
            Self::Sha1 => b"\x09hmac-sha1\0",
            Self::Sha256 => b"\x0bhmac-sha256\0",
            Self::Sha384 => b"\x0bhmac-sha384\0",
            Self::Sha512 => b"\x0bhmac-sha512\0",
        }
    }

    /// Octets of a whole MAC.
    pub(super) fn octets(self) -> usize {
        match self {
            Self::Sha1 => 20,
            Self::Sha256 => 32,
            Self::Sha384 => 48,
            Self::Sha512 => 64,
        }
    }

    /// Whether a MAC of `length` octets can be one at all (RFC 8945 §5.2.2.1).
    pub(super) fn permits(self, length: usize) -> bool {
        (SHORTEST_MAC.max(self.octets() / 2)..=self.octets()).contains(&length)
    }

    fn hmac(self) -> hmac::Algorithm {
        match self {
            Self::Sha1 => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
            Self::Sha256 => hmac::HMAC_SHA256,
            Self::Sha384 => hmac::HMAC_SHA384,
            Self::Sha512 => hmac::HMAC_SHA512,
        }
    }
}

impl FromStr for Algorithm {
    type Err = KeyError;
    fn from_str(text: &str) -> Result<Self, KeyError> {
        [Self::Sha1, Self::Sha256, Self::Sha384, Self::Sha512]
            .into_iter()
            .find(|algorithm| algorithm.to_string().eq_ignore_ascii_case(text.trim_end_matches('.')))
            .ok_or(KeyError::UnknownAlgorithm)
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Sha1 => "hmac-sha1",
            Self::Sha256 => "hmac-sha256",
            Self::Sha384 => "hmac-sha384",
            Self::Sha512 => "hmac-sha512",
        })
    }
}

/// A secret shared with another server, under a name both know it by.
pub struct Key {
    name: Name,
    algorithm: Algorithm,
    secret: Zeroizing<Vec<u8>>,
    /// The shortest MAC accepted, in octets.
    shortest: usize,
}

impl Key {
    /// A key from its secret octets. Only whole MACs are accepted with it.
    pub fn new(
        name: NameRef<'_>,
        algorithm: Algorithm,
        secret: Zeroizing<Vec<u8>>,
    ) -> Result<Self, KeyError> {
        if secret.is_empty() {
            return Err(KeyError::Empty);
        }
        // The digest is over the canonical name (RFC 8945 §4.3.3).
        let mut canonical = Vec::with_capacity(name.wire().len());
        name.write_canonical(&mut canonical);
        let name = Name::from_wire(&canonical).unwrap_or_else(|_| name.to_owned());
        Ok(Self { name, algorithm, secret, shortest: algorithm.octets() })
    }

    /// A key from its secret in base64, as key files and configurations have it; white space is ignored.
    pub fn from_base64(name: NameRef<'_>, algorithm: Algorithm, secret: &str) -> Result<Self, KeyError> {
        // Room for all of it, so that growing leaves no copy behind.
        let mut text = Zeroizing::new(Vec::with_capacity(secret.len()));
        text.extend(secret.bytes().filter(|octet| !octet.is_ascii_whitespace()));
        let secret = data_encoding::BASE64.decode(&text).map_err(|_| KeyError::NotBase64)?;
        Self::new(name, algorithm, Zeroizing::new(secret))
    }

    /// Also accepts MACs truncated to no fewer than `octets` (RFC 8945 §5.2.2.1).
    #[must_use]
    pub fn accept_truncated(mut self, octets: usize) -> Self {
        self.shortest = octets;
        self
    }

    /// Its name, in lower case.
    pub fn name(&self) -> NameRef<'_> {
        self.name.as_ref()
    }

    /// The algorithm it is for.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The shortest MAC that policy accepts.
    pub(super) fn shortest(&self) -> usize {
        self.shortest
    }

    /// Starts a MAC.
    pub(super) fn context(&self) -> hmac::Context {
        hmac::Context::with_key(&self.hmac())
    }

    /// Compares two MACs in constant time: by the MACs of both, of which an attacker knows neither.
    pub(super) fn same(&self, ours: &[u8], theirs: &[u8]) -> bool {
        let key = self.hmac();
        hmac::verify(&key, theirs, hmac::sign(&key, ours).as_ref()).is_ok()
    }

    fn hmac(&self) -> hmac::Key {
        hmac::Key::new(self.algorithm.hmac(), &self.secret)
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name && self.algorithm == other.algorithm && self.secret == other.secret
    }
}
impl Eq for Key {}

impl fmt::Debug for Key {
    /// Without the secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({} {}, secret redacted)", self.name, self.algorithm)
    }
}

/// The keys that are known, by name.
#[derive(Clone, Debug, Default)]
pub struct Keyring(Vec<Arc<Key>>);

impl Keyring {
    /// A ring of `keys`; of two with the same name, the later one counts.
    pub fn new(keys: impl IntoIterator<Item = Arc<Key>>) -> Self {
        let mut ring: Vec<Arc<Key>> = Vec::new();
        for key in keys {
            match ring.binary_search_by(|other| other.name.cmp(&key.name)) {
                Ok(at) => ring[at] = key,
                Err(at) => ring.insert(at, key),
            }
        }
        Self(ring)
    }

    /// The key of that name.
    pub fn find(&self, name: NameRef<'_>) -> Option<&Arc<Key>> {
        self.0.binary_search_by(|key| key.name().cmp(&name)).ok().map(|at| &self.0[at])
    }
}
