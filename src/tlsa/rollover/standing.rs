//! How a certificate or key stands, what brought it there, and the words for both.

use std::fmt;
use std::sync::Arc;

use crate::dns::time::Timestamp;
use crate::tlsa::association::Association;

/// Why a certificate or key is published, and how that ends.
///
/// ```text
///              seen at every nameserver, 2 × TTL        presented          no longer presented
///   Announced ────────────────────────────────▶ Ready ───────────▶ Live ───────────────────────▶ Draining
///     │   └───────────────── presented too early: an alarm ─────────▲ ▲                            │    │
///     │                                                             │ └───── presented again ──────┘  2 × TTL
///     └─ replaced before it was deployed ─▶ Orphaned ── presented ──┘                                   ▼
///                                              └──────────── 2 × TTL, a day at least ─────────────▶  (none)
/// ```
///
/// A compromised key is withdrawn from wherever it stands as soon as another one is live. Of two reasons for one
/// record the greater one counts.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Standing {
    /// Not published any more, whoever presents it.
    Withdrawn,
    /// Replaced before it was deployed; its certificate may be on its way.
    Orphaned {
        /// When it is dropped.
        until: Timestamp,
    },
    /// No longer presented, as far as anybody can see.
    Draining {
        /// When it is dropped; nobody knows while its successor may not be in use yet.
        until: Option<Timestamp>,
    },
    /// Published, and some cache may still lack it.
    Announced {
        /// When it will be ready; nobody knows while a nameserver has not been seen to serve it.
        until: Option<Timestamp>,
    },
    /// Every cache that knows the records of the service knows this one: it may be deployed.
    Ready,
    /// The service presents it.
    Live,
}

/// What brought an entry where it stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Why {
    /// It is in the certificate file, and nobody looks at the service.
    InCertificateFile,
    /// It is in the certificate file, and the service has not been seen to present it.
    NotPresentedYet,
    /// It is in the file of the next key.
    InNextFile,
    /// It was in the file of the next key, which is gone; nothing has taken its place.
    NextGone,
    /// Somebody asked the gate for it.
    AskedAtGate,
    /// The service was seen to present it.
    Presented,
    /// The service was seen to present it before it was published.
    Healed,
    /// The certificate file holds another one now.
    CertificateReplaced,
    /// The service was seen to present others.
    NoLongerPresented,
    /// The file of the next key holds another one now.
    NextReplaced,
    /// The configuration no longer names its file.
    NotConfigured,
    /// The configuration no longer names its parameters.
    ParamsRetired,
    /// Somebody said that others have the key.
    Compromised,
}

/// Which of a service's files something was read from.
///
/// A service has one slot for each certificate (RSA beside ECDSA), and each may have a next one.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Source {
    /// The slot's name; any text that stays the same, such as the configured path of its certificate.
    pub slot: Arc<str>,
    /// Which of the slot's two files.
    pub role: Role,
}

/// What a file is for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Role {
    /// The certificate that the service presents.
    Current,
    /// What it will present next: certificate, key or request.
    Next,
}

/// One association, for people.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entry {
    /// The record.
    pub association: Association,
    /// Its slot.
    pub slot: Arc<str>,
    /// How it stands.
    pub standing: Standing,
    /// Since when it stands so.
    pub since: Timestamp,
    /// Because of what.
    pub why: Why,
    /// Nameservers that nobody waits for, because somebody said so at the gate.
    pub except: Vec<Arc<str>>,
}

impl Standing {
    /// When it ends by itself.
    pub fn until(self) -> Option<Timestamp> {
        match self {
            Self::Orphaned { until } => Some(until),
            Self::Draining { until } | Self::Announced { until } => until,
            Self::Withdrawn | Self::Ready | Self::Live => None,
        }
    }

    /// Whether both are the same state, whenever it ends.
    pub(super) fn is_as(self, other: Self) -> bool {
        std::mem::discriminant(&self) == std::mem::discriminant(&other)
    }
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Live => "live",
            Self::Ready => "ready",
            Self::Announced { .. } => "announced",
            Self::Draining { .. } => "draining",
            Self::Orphaned { .. } => "orphaned",
            Self::Withdrawn => "withdrawn",
        })
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::InCertificateFile => "it is in the certificate file",
            Self::NotPresentedYet => "it is in the certificate file; the service does not present it yet",
            Self::InNextFile => "it is to be deployed next",
            Self::NextGone => {
                "the file of the next key is gone; it may be on its way to where it will be used"
            }
            Self::AskedAtGate => "the gate was asked for it",
            Self::Presented => "the service presents it",
            Self::Healed => "the service presents it; it was not announced",
            Self::CertificateReplaced => {
                "the certificate file holds another one; the service may not have reloaded"
            }
            Self::NoLongerPresented => "the service no longer presents it",
            Self::NextReplaced => {
                "the next key was replaced before it was deployed; its certificate may follow"
            }
            Self::NotConfigured => "the configuration no longer names its file",
            Self::ParamsRetired => "the configuration no longer names its parameters",
            Self::Compromised => "somebody else may have the key",
        })
    }
}
